//! The HTTP server that the Telemetry API posts to. It reads events as they arrive and passes them
//! on. Its memory is bounded for any client and content: a few connections (beyond that the oldest
//! is closed, and the platform reconnects), and for each the head of a request and one event.
//!
//! It always responds with 200, because after any other status the platform sends the same batch
//! again. It listens on all addresses because `sandbox.localdomain` is not loopback inside Lambda.
//!
//! Each POST should wake this process once, and touch as little code as possible: between two
//! invocations other processes take the caches. So the kernel reports a connection together with
//! its first bytes, which are read at once: usually the whole request. If the platform opens a
//! connection for each POST, the response closes the connection, which saves waiting for the
//! platform to do so, and goes out with the close in one segment. The event loop never knows of
//! such a connection: registering it costs as much as reading.
//! There is no task and no channel: who wants to know what is posted drives the server
//! ([`Listener::posted`]).

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{ErrorKind, Read as _, Result, Write as _};
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

// Those of `std` take a call more for each connection that must not block.
use mio::net::{TcpListener, TcpStream};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{Sleep, sleep};

use self::socket::{has_connection, send_with_close, wake_with_bytes};
use crate::requests::{Found, Malformed, Requests};
use crate::telemetry::{Posted, Reader};

/// The platform needs one or two.
const MOST_CONNECTIONS: usize = 8;
/// Events of a few hundred bytes come in pieces of this size.
const READ_BYTES: usize = 8192;
/// After this number of consecutive connections that the platform closed after one request, this
/// side closes them.
const LONE_REQUESTS: u32 = 3;
/// Pause after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const LAST_ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
const REFUSAL: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// A port and its connections. They are only served while [`Listener::posted`] is awaited; until
/// then what is posted waits in the kernel.
#[derive(Debug)]
pub struct Listener {
    socket: AsyncFd<TcpListener>,
    port: u16,
    /// The oldest first.
    connections: VecDeque<(AsyncFd<TcpStream>, Connection)>,
    /// Connections in a row that ended after one request.
    lone_requests: u32,
    /// Out of file handles: the function holds them, and may give some back.
    pause: Option<Pin<Box<Sleep>>>,
}

impl Listener {
    /// Binds any free port.
    pub fn bind() -> Result<Self> {
        let socket = std::net::TcpListener::bind(("0.0.0.0", 0))?;
        socket.set_nonblocking(true)?;
        let port = socket.local_addr()?.port();
        wake_with_bytes(&socket);
        Ok(Self {
            socket: readable(TcpListener::from_std(socket))?,
            port,
            connections: VecDeque::new(),
            lone_requests: 0,
            pause: None,
        })
    }

    /// The bound port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Serves until something is posted, and returns it. Nothing is lost if this future is dropped.
    pub async fn posted(&mut self) -> Posted {
        poll_fn(|context| self.poll_posted(context)).await
    }

    /// What is there already, if anything is.
    pub(crate) async fn posted_already(&mut self) -> Option<Posted> {
        poll_fn(|context| {
            Poll::Ready(match self.poll_posted(context) {
                Poll::Ready(posted) => Some(posted),
                Poll::Pending => None,
            })
        })
        .await
    }

    /// Reads each connection at most once and accepts at most one in a round, so that no sender
    /// keeps others waiting.
    fn poll_posted(&mut self, context: &mut Context<'_>) -> Poll<Posted> {
        let mut posted = Posted::default();
        loop {
            let mut idle = true;
            let lone_requests = &mut self.lone_requests;
            self.connections.retain_mut(|(socket, connection)| {
                let read = poll_read(socket, context, |socket| {
                    connection.take(socket, lone_requests, &mut posted)
                });
                idle &= read.is_pending();
                !matches!(read, Poll::Ready(Err(_)))
            });
            if let Poll::Ready(accepted) = self.poll_accept(context) {
                idle = false;
                match accepted {
                    Ok(socket) => self.begin(socket, &mut posted),
                    Err(_) => self.pause = Some(Box::pin(sleep(ACCEPT_PAUSE))),
                }
            }
            if posted != Posted::default() {
                return Poll::Ready(posted);
            }
            if idle {
                return Poll::Pending;
            }
        }
    }

    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<Result<TcpStream>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(context));
            self.pause = None;
        }
        poll_read(&self.socket, context, |socket| {
            if !has_connection(socket) {
                return Err(ErrorKind::WouldBlock.into());
            }
            socket.accept().map(|(accepted, _)| accepted)
        })
    }

    /// Takes what has come with a connection, and keeps it if it does not end with that.
    fn begin(&mut self, socket: TcpStream, posted: &mut Posted) {
        let mut connection = Connection::default();
        let taken = connection.take(&socket, &mut self.lone_requests, posted);
        let goes_on = match taken {
            Ok(()) => true,
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        };
        if !goes_on {
            return;
        }
        let Ok(socket) = readable(socket) else {
            return;
        };
        if self.connections.len() >= MOST_CONNECTIONS {
            self.connections.pop_front();
        }
        self.connections.push_back((socket, connection));
    }
}

#[expect(
    deprecated,
    reason = "its replacement is `unsafe`, for types whose handle changes; a socket's does not"
)]
fn readable<T: AsRawFd>(socket: T) -> Result<AsyncFd<T>> {
    AsyncFd::with_interest(socket, Interest::READABLE)
}

/// Reads once if there is something to read; `WouldBlock` is `Pending`.
fn poll_read<S: AsRawFd, T>(
    socket: &AsyncFd<S>,
    context: &mut Context<'_>,
    mut read: impl FnMut(&S) -> Result<T>,
) -> Poll<Result<T>> {
    loop {
        let mut ready = ready!(socket.poll_read_ready(context))?;
        if let Ok(read) = ready.try_io(|socket| read(socket.get_ref())) {
            return Poll::Ready(read);
        }
    }
}

/// The request that is being read from a connection.
#[derive(Debug, Default)]
struct Connection {
    requests: Requests,
    reader: Reader,
    answered: u32,
}

/// Errors end the connection, but for `WouldBlock`.
impl Connection {
    /// Reads once, and adds to `posted` what is posted.
    fn take(
        &mut self,
        mut socket: &TcpStream,
        lone_requests: &mut u32,
        posted: &mut Posted,
    ) -> Result<()> {
        let mut buffer = [0; READ_BYTES];
        let length = socket.read(&mut buffer)?;
        if length == 0 {
            if self.answered == 1 {
                *lone_requests = lone_requests.saturating_add(1);
            }
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let followed = || self.follow(&buffer[..length], socket, lone_requests, posted);
        // A fault in reading ends the connection only, not the observation.
        catch_unwind(AssertUnwindSafe(followed)).unwrap_or_else(|_| Err(ErrorKind::Other.into()))
    }

    /// A request is answered only after everything in it was taken: what is answered does not come
    /// again.
    fn follow(
        &mut self,
        mut bytes: &[u8],
        socket: &TcpStream,
        lone_requests: &mut u32,
        posted: &mut Posted,
    ) -> Result<()> {
        loop {
            match self.requests.next(&mut bytes) {
                Ok(None) => return Ok(()),
                Ok(Some(Found::Expects)) => write(socket, CONTINUE)?,
                Ok(Some(Found::Body(body))) => posted.append(self.reader.feed(body)),
                Ok(Some(Found::End { closes })) => {
                    posted.append(std::mem::take(&mut self.reader).finish());
                    self.answer(socket, closes, lone_requests)?;
                }
                Err(Malformed) => {
                    write(socket, REFUSAL)?;
                    return Err(ErrorKind::InvalidData.into());
                }
            }
        }
    }

    fn answer(&mut self, socket: &TcpStream, closes: bool, lone_requests: &mut u32) -> Result<()> {
        self.answered = self.answered.saturating_add(1);
        if self.answered > 1 {
            *lone_requests = 0;
        }
        if closes || *lone_requests >= LONE_REQUESTS {
            write_last(socket)?;
            return Err(ErrorKind::ConnectionAborted.into());
        }
        write(socket, ANSWER)
    }
}

fn write(mut socket: &TcpStream, answer: &[u8]) -> Result<()> {
    whole(answer, socket.write(answer).ok())
}

/// The caller closes the connection next, which sends the answer: one segment instead of two.
fn write_last(socket: &TcpStream) -> Result<()> {
    whole(LAST_ANSWER, send_with_close(socket, LAST_ANSWER).ok())
}

/// Answers are small. A sender that does not read them until no more fit is not the platform.
fn whole(answer: &[u8], written: Option<usize>) -> Result<()> {
    if written == Some(answer.len()) {
        return Ok(());
    }
    // Not `WouldBlock`, which would mean that there was nothing to read.
    Err(ErrorKind::WriteZero.into())
}

mod socket;
#[cfg(test)]
mod tests;
