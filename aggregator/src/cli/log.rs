//! Writes the log to standard error, so that no logged text from outside can control a terminal.

use std::io::{self, IsTerminal, Write};

use rightsizer_records::shown::{json, shown_lines};

use super::LogFormat;

/// One entry of the log, written when it is complete.
#[derive(Debug)]
pub struct Log {
    entry: Vec<u8>,
    format: LogFormat,
}

impl Log {
    /// An entry in this format.
    pub const fn new(format: LogFormat) -> Self {
        Self {
            entry: Vec::new(),
            format,
        }
    }

    /// Whether entries in this format have colours.
    pub fn has_colours(format: LogFormat) -> bool {
        format == LogFormat::Text && io::stderr().is_terminal()
    }

    fn harmless(&self) -> String {
        let entry = String::from_utf8_lossy(&self.entry);
        match self.format {
            LogFormat::Json => json(&entry).into_owned(),
            LogFormat::Text if Self::has_colours(self.format) => {
                // The escapes between are those of the colours: the logger lets no other one through.
                let parts = entry.split('\u{1b}').map(shown_lines);
                parts.collect::<Vec<_>>().join("\u{1b}")
            }
            LogFormat::Text => shown_lines(&entry).into_owned(),
        }
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.entry.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let entry = self.harmless();
        self.entry.clear();
        io::stderr().write_all(entry.as_bytes())
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // A failure to write the log cannot be logged.
        let _ = self.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_logged_steers_no_terminal() {
        let mut log = Log::new(LogFormat::Json);
        log.entry = "{\"origin\":\"\u{202e}\u{9b}2J\"}\n".as_bytes().to_vec();
        assert_eq!(log.harmless(), "{\"origin\":\"\\u202e\\u009b2J\"}\n");
        log.format = LogFormat::Text;
        log.entry = "WARN \u{202e}\u{9b}2J\n".as_bytes().to_vec();
        assert_eq!(log.harmless(), "WARN \\u{202e}\\u{9b}2J\n");
        log.entry.clear();
    }
}
