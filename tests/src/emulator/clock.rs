//! Time that passes while the sandbox is frozen, without waiting for it: the library of `faketime` in front of
//! the C library of the extension's process.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::scene::Missing;
use crate::servers::tools;

/// What the monotonic clock does across a freeze. In Lambda it is documented to stop; a stopped
/// process sees it continue. Nothing may depend on either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Monotonic {
    /// Only the wall clock goes ahead.
    StandsStill,
    /// Both go ahead.
    RunsOn,
}

/// The clock of one process.
pub struct Clock {
    folder: TempDir,
    library: PathBuf,
    monotonic: Monotonic,
    ahead_s: std::cell::Cell<i64>,
}

impl Clock {
    /// A clock that shows the true time, so far. The error explains how to get the library.
    pub fn new(monotonic: Monotonic) -> Result<Self> {
        let triple = format!("{}-linux-gnu", std::env::consts::ARCH);
        let own = tools().join("faketime");
        let library = [
            own.join(format!("usr/lib/{triple}")),
            format!("/usr/lib/{triple}").into(),
            "/usr/lib64".into(),
            "/usr/lib".into(),
        ];
        let library = library
            .into_iter()
            .map(|folder: PathBuf| folder.join("faketime/libfaketimeMT.so.1"))
            .find(|path| path.is_file());
        let missing = || Missing("libfaketime is missing (Fedora: dnf install libfaketime)".into());
        let library = library.with_context(missing)?.canonicalize()?;
        let clock = Self {
            folder: tempfile::tempdir()?,
            library,
            monotonic,
            ahead_s: std::cell::Cell::default(),
        };
        clock.write()?;
        Ok(clock)
    }

    /// The environment variables of the process that sees this clock.
    pub fn variables(&self) -> Vec<(String, String)> {
        let stands_still = u8::from(self.monotonic == Monotonic::StandsStill).to_string();
        [
            ("LD_PRELOAD", self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file().display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DISABLE_SHM", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", stands_still),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// A minute passes at once.
    pub fn pass_a_minute(&self) -> Result<()> {
        self.set_ahead(self.ahead_s.get() + 60)
    }

    /// Sets the clock this many seconds ahead of the true time; behind it, if negative.
    pub fn set_ahead(&self, seconds: i64) -> Result<()> {
        self.ahead_s.set(seconds);
        self.write()
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ahead")
    }

    /// Replaced in one step: the process may be reading it.
    fn write(&self) -> Result<()> {
        let new = self.folder.path().join("new");
        std::fs::write(&new, format!("{:+}\n", self.ahead_s.get()))?;
        Ok(std::fs::rename(&new, Path::new(&self.file()))?)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::scene::or_not_played;

    #[test]
    fn a_minute_passes_at_once() {
        let Some(clock) = or_not_played(Clock::new(Monotonic::RunsOn)).unwrap() else {
            return;
        };
        let now = || {
            let date = Command::new("date")
                .arg("+%s")
                .envs(clock.variables())
                .output();
            let text = String::from_utf8(date.unwrap().stdout).unwrap();
            text.trim().parse::<u64>().unwrap()
        };
        let before = now();
        clock.pass_a_minute().unwrap();
        clock.pass_a_minute().unwrap();
        assert!(
            (120..130).contains(&(now() - before)),
            "{before}, {}",
            now()
        );
    }
}
