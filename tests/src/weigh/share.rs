//! A part of one CPU, as a small function gets it, through cgroups of version 1 or 2.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// The kernel's default period is 100 ms; in one that long a burst of 7 ms goes unhindered, in this
/// one no more than 1.4 ms.
const PERIOD_US: u64 = 20_000;

/// The share of a CPU that a function of 128 MB gets: 128 of 1769 MB.
pub const PERCENT: u64 = 7;

/// A group of processes held to a part of one CPU; removed when dropped.
pub struct CpuShare {
    group: PathBuf,
    home: PathBuf,
}

impl CpuShare {
    /// Limited to [`PERCENT`] of one CPU. The error explains why this machine cannot.
    pub fn new() -> Result<Self> {
        let quota_us = PERIOD_US * PERCENT / 100;
        let name = format!("rightsizer-weigh-{}", std::process::id());
        let own = std::fs::read_to_string("/proc/self/cgroup")?;
        let mut why = String::new();
        for (root, own, limits) in [
            (
                "/sys/fs/cgroup/cpu",
                own_group(&own, |controllers| {
                    controllers.split(',').any(|c| c == "cpu")
                }),
                vec![
                    ("cpu.cfs_period_us", PERIOD_US.to_string()),
                    ("cpu.cfs_quota_us", quota_us.to_string()),
                ],
            ),
            (
                "/sys/fs/cgroup",
                own_group(&own, str::is_empty),
                vec![("cpu.max", format!("{quota_us} {PERIOD_US}"))],
            ),
        ] {
            let home = Path::new(root).join(own.trim_start_matches('/'));
            let share = Self {
                group: home.join(&name),
                home,
            };
            match share.set_up(&limits) {
                Ok(()) => return Ok(share),
                Err(e) => why = format!("{}: {e:#}", share.group.display()),
            }
        }
        bail!(
            "no CPU share can be set on this machine ({why}); run as root on a machine with \
             writable cgroups"
        )
    }

    fn set_up(&self, limits: &[(&str, String)]) -> Result<()> {
        std::fs::create_dir(&self.group)?;
        for (file, value) in limits {
            // Not created if it is missing: then the controller does not exist.
            let mut options = std::fs::OpenOptions::new();
            let mut file = options.write(true).open(self.group.join(file))?;
            std::io::Write::write_all(&mut file, value.as_bytes())?;
        }
        self.within(|| Ok(()))
    }

    /// What is spawned in here is held; this process is so only meanwhile.
    pub fn within<T>(&self, spawn: impl FnOnce() -> Result<T>) -> Result<T> {
        let me = std::process::id().to_string();
        std::fs::write(self.group.join("cgroup.procs"), &me).context("joining")?;
        let spawned = spawn();
        std::fs::write(self.home.join("cgroup.procs"), &me).context("leaving")?;
        spawned
    }

    /// Waits until what was used before is forgotten.
    pub async fn rest(&self) {
        tokio::time::sleep(3 * Duration::from_micros(PERIOD_US)).await;
    }
}

impl Drop for CpuShare {
    fn drop(&mut self) {
        // A process that is still in it keeps it; it is empty by then.
        let _ = std::fs::remove_dir(&self.group);
    }
}

/// Path of the own group in the hierarchy of these controllers; `/` if there is none.
fn own_group(cgroup: &str, is_it: impl Fn(&str) -> bool) -> String {
    let mut groups = cgroup.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        Some((parts.next()?, parts.next()?))
    });
    let own = groups.find(|(controllers, _)| is_it(controllers));
    own.map_or("/", |(_, path)| path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_found_in_either_version() {
        let text = "2:cpuacct:/a\n1:cpu:/b\n0::/c:d\n";
        let cpu = |controllers: &str| controllers.split(',').any(|c| c == "cpu");
        assert_eq!(own_group(text, cpu), "/b");
        assert_eq!(own_group(text, str::is_empty), "/c:d");
        assert_eq!(own_group("", cpu), "/");
    }
}
