//! Standard output as every command writes to it. A reader that has seen enough (`rightsizer list | head`)
//! is no error of the command, in whatever form it writes; a connection that breaks still is.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, StdoutLock, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the reader of standard output has gone. Noted here, because a broken pipe may also be one of
/// a connection.
static CLOSED: AtomicBool = AtomicBool::new(false);

/// Standard output, for this thread alone.
pub(super) struct Out(StdoutLock<'static>);

pub(super) fn stdout() -> Out {
    Out(io::stdout().lock())
}

/// Prints a line: `println!` would panic where nobody reads.
pub(super) fn line(text: Arguments<'_>) -> io::Result<()> {
    let mut out = stdout();
    out.write_fmt(text)?;
    out.write_all(b"\n")
}

/// Whether the reader has gone.
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
