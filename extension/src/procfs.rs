//! Reads the two small files of `/proc` that show what this sandbox used. Pure: text in, numbers
//! out; the shell reads the files.

/// The kernel counts CPU time in ticks of 10 ms (`USER_HZ` is 100 on x86-64 and arm64).
const MS_PER_TICK: u64 = 10;
/// Both of Lambda's architectures use pages of 4 KiB.
const KIB_PER_PAGE: u64 = 4;

/// What the sandbox has spent so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// CPU time of the whole sandbox since its boot.
    pub cpu_ms: Option<u64>,
    /// Processors the sandbox sees.
    pub cores: Option<u32>,
    /// Resident size of this process.
    pub self_kib: Option<u64>,
}

impl Usage {
    /// From the text of `/proc/stat` and `/proc/self/statm`; what is not understood is `None`.
    pub fn read(stat: &str, statm: &str) -> Self {
        let cores = stat.lines().filter(|l| is_core(l)).count();
        Self {
            cpu_ms: cpu_ms(stat),
            cores: u32::try_from(cores).ok().filter(|n| *n > 0),
            self_kib: statm
                .split_ascii_whitespace()
                .nth(1)
                .and_then(|pages| pages.parse::<u64>().ok())
                .map(|pages| pages.saturating_mul(KIB_PER_PAGE)),
        }
    }
}

fn is_core(line: &str) -> bool {
    line.strip_prefix("cpu")
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// user + nice + system + irq + softirq. Idle, I/O wait and what the host stole are not spent;
/// guest time is part of user.
fn cpu_ms(stat: &str) -> Option<u64> {
    let line = stat.lines().find_map(|l| l.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line
        .split_ascii_whitespace()
        .map_while(|n| n.parse().ok())
        .collect();
    let spent = [0, 1, 2, 5, 6].into_iter().filter_map(|n| ticks.get(n));
    (ticks.len() >= 4).then(|| spent.sum::<u64>().saturating_mul(MS_PER_TICK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_cores_and_own_size() {
        let stat = "cpu  100 5 20 9000 30 1 2 3 0 0\ncpu0 50 0 10 4500 0 0 0 0 0 0\ncpu1 50 5 10 4500 30 1 2 3 0 0\nintr 1\n";
        let usage = Usage::read(stat, "2000 1024 900 1 0 300 0\n");
        // (100 + 5 + 20 + 1 + 2) ticks × 10 ms = 1280 ms; 1024 pages × 4 KiB = 4096 KiB
        let want = Usage {
            cpu_ms: Some(1280),
            cores: Some(2),
            self_kib: Some(4096),
        };
        assert_eq!(usage, want);
    }

    #[test]
    fn what_is_not_understood_is_not_given() {
        assert_eq!(Usage::read("", ""), Usage::default());
        assert_eq!(Usage::read("cpu x y\n", "a b"), Usage::default());
    }
}
