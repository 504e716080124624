//! A connection that waits for its client only so long: answers that are not read end it.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::seats::Seat;

/// How long a client may leave an answer unread.
const GRACE: Duration = Duration::from_secs(15);
/// And a second more for this number of bytes of it that were read.
const BYTES_A_SECOND: u64 = 32 << 10;
/// A client that took or sent so much has not kept us waiting.
const PROGRESS: u64 = 64 << 10;

/// A stream whose writes have a deadline.
#[derive(Debug)]
pub(super) struct Patient {
    stream: TcpStream,
    seat: Arc<Seat>,
    /// Since when the client does not keep up with what is written.
    since: Option<Instant>,
    /// Bytes that it took since.
    taken: u64,
    /// Bytes either way since the client last counted as waited for.
    moved: u64,
    timer: Pin<Box<Sleep>>,
}

impl Patient {
    pub(super) fn new(stream: TcpStream, seat: Arc<Seat>) -> Self {
        // Answers are small, and the client waits for them.
        let _ = stream.set_nodelay(true);
        Self {
            stream,
            seat,
            since: None,
            taken: 0,
            moved: 0,
            timer: Box::pin(tokio::time::sleep(GRACE)),
        }
    }

    fn moves(&mut self, bytes: usize) {
        self.moved += bytes as u64;
        if self.moved >= PROGRESS {
            self.moved = 0;
            self.seat.moved();
        }
    }

    /// What a write came to, or that the client has left too much unread for too long.
    fn written(
        &mut self,
        done: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let Poll::Pending = done else {
            if let Poll::Ready(Ok(bytes)) = &done {
                self.taken += *bytes as u64;
                self.moves(*bytes);
            }
            return done;
        };
        let since = *self.since.get_or_insert_with(|| {
            self.taken = 0;
            Instant::now()
        });
        let deadline = since + GRACE + Duration::from_secs(self.taken / BYTES_A_SECOND);
        self.timer.as_mut().reset(deadline);
        ready!(self.timer.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the client does not read its responses",
        )))
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let bytes = buffer.filled().len() - before;
        self.moves(bytes);
        if bytes > 0 {
            self.since = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(done, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.written(done, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
