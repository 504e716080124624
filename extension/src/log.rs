//! The few lines the extension writes. Each costs the user money (CloudWatch Logs), so a kind of
//! fault is named once in the life of a process; the rest is for `RIGHTSIZER_LOG=debug`.

use std::cell::RefCell;
use std::collections::HashSet;

/// Writes to stdout, which Lambda collects.
#[derive(Debug, Default)]
pub struct Log {
    debug: bool,
    warned: RefCell<HashSet<&'static str>>,
}

impl Log {
    /// `debug` for every line there is.
    pub fn new(debug: bool) -> Self {
        Self {
            debug,
            warned: RefCell::default(),
        }
    }

    /// Logs what is wrong and what to do, once per `kind`.
    pub fn warn(&self, kind: &'static str, text: &str) {
        let first = self
            .warned
            .try_borrow_mut()
            .is_ok_and(|mut w| w.insert(kind));
        if first || self.debug {
            line("WARN", text);
        }
    }

    /// Logs progress, if that was enabled.
    pub fn debug(&self, text: impl FnOnce() -> String) {
        if self.debug {
            line("DEBUG", &text());
        }
    }
}

/// A closed stdout must not be a panic, as it is with `println!`.
fn line(level: &str, text: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout(), "[rightsizer] {level} {text}");
}
