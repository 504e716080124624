//! Standard output for all commands. A reader that closes early (`rightsizer list | head`) is not
//! an error of the command; a broken connection still is.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, StdoutLock, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the reader of standard output has closed. Recorded here, because a broken pipe may also
/// belong to a connection.
static CLOSED: AtomicBool = AtomicBool::new(false);

/// Standard output, for this thread alone.
pub(super) struct Out(StdoutLock<'static>);

pub(super) fn stdout() -> Out {
    Out(io::stdout().lock())
}

/// Prints a line. `println!` would panic if the reader has closed.
pub(super) fn line(text: Arguments<'_>) -> io::Result<()> {
    let mut out = stdout();
    out.write_fmt(text)?;
    out.write_all(b"\n")
}

/// Whether the reader has closed.
pub(super) fn is_closed() -> bool {
    CLOSED.load(Ordering::Relaxed)
}

fn noted<T>(written: io::Result<T>) -> io::Result<T> {
    written.inspect_err(|error| {
        if error.kind() == ErrorKind::BrokenPipe {
            CLOSED.store(true, Ordering::Relaxed);
        }
    })
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        noted(self.0.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        noted(self.0.flush())
    }
}
