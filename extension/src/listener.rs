//! The HTTP server that the Telemetry API posts to. It reads events as they arrive and passes them
//! on. Its memory is bounded for any client and content: a few connections (beyond that the oldest
//! is closed, and the platform reconnects), and for each the head of a request and one event.
//!
//! It always responds with 200, because after any other status the platform sends the same batch
//! again. It listens on all addresses because `sandbox.localdomain` is not loopback inside Lambda.
//!
//! Each POST should wake this process once. So the kernel reports a connection together with its
//! first bytes, which are read at once: usually the whole request. If the platform opens a
//! connection for each POST, the response closes the connection, which saves waiting for the
//! platform to do so, and the event loop never knows of it: registering costs as much as reading.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{ErrorKind, Read as _, Result, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::requests::{Found, Malformed, Requests};
use crate::telemetry::{Posted, Reader};

/// The platform needs one or two.
const MOST_CONNECTIONS: usize = 8;
/// Events of a few hundred bytes come in pieces of this size.
const READ_BYTES: usize = 8192;
/// Pieces that wait to be read. If the reader is slow, the platform waits, and then drops events
/// and reports that.
const MOST_WAITING: usize = 2;
/// After this number of consecutive connections that the platform closed after one request, this
/// side closes them.
const LONE_REQUESTS: u32 = 3;

/// The platform sends its request as soon as it is connected.
#[cfg(target_os = "linux")]
const WAIT_FOR_BYTES_SECONDS: libc::c_int = 1;
/// An `int` on every Linux.
#[cfg(target_os = "linux")]
const INT_BYTES: libc::socklen_t = 4;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const LAST_ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
const REFUSAL: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// A port that is served in the background.
#[derive(Debug)]
pub struct Listening {
    /// Its address.
    pub port: u16,
    /// What is posted, in pieces.
    pub posted: mpsc::Receiver<Posted>,
    task: AbortHandle,
}

impl Listening {
    /// Gives the port back: file handles may be few, and `next` needs one.
    pub fn close(self) {
        self.task.abort();
    }
}

/// Binds any free port and serves it.
pub fn listen() -> Result<Listening> {
    let listener = TcpListener::bind(("0.0.0.0", 0))?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    #[cfg(target_os = "linux")]
    defer_accept(&listener);
    let listener = readable(listener)?;
    let (pieces, posted) = mpsc::channel(MOST_WAITING);
    let task = tokio::spawn(serve(listener, pieces)).abort_handle();
    Ok(Listening { port, posted, task })
}

async fn serve(listener: AsyncFd<TcpListener>, pieces: mpsc::Sender<Posted>) {
    let mut connections = VecDeque::<AbortHandle>::new();
    let lone_requests = Arc::new(AtomicU32::new(0));
    loop {
        let Ok(socket) = accept(&listener).await else {
            // Out of file handles: the function holds them, and may give some back.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let mut connection = Connection {
            pieces: pieces.clone(),
            lone_requests: Arc::clone(&lone_requests),
            requests: Requests::default(),
            reader: Reader::default(),
            answered: 0,
        };
        let Ok(()) = connection.take_what_is_there(&socket).await else {
            continue;
        };
        let Ok(socket) = readable(socket) else {
            continue;
        };
        connections.retain(|connection| !connection.is_finished());
        if connections.len() >= MOST_CONNECTIONS
            && let Some(oldest) = connections.pop_front()
        {
            oldest.abort();
        }
        connections.push_back(tokio::spawn(connection.live(socket)).abort_handle());
    }
}

/// Asks the kernel to wake this process for a connection only once its first bytes are there; after
/// `WAIT_FOR_BYTES_SECONDS` it is accepted without. A refusal changes nothing but the cost.
#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "no dependency offers a safe function for this option"
)]
fn defer_accept(listener: &TcpListener) {
    let seconds = WAIT_FOR_BYTES_SECONDS;
    // SAFETY: the handle is open, and the option reads this length from this place, during the call.
    unsafe {
        libc::setsockopt(
            listener.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_DEFER_ACCEPT,
            (&raw const seconds).cast(),
            INT_BYTES,
        );
    }
}

#[expect(
    deprecated,
    reason = "its replacement is `unsafe`, for types whose handle changes; a socket's does not"
)]
fn readable<T: AsRawFd>(socket: T) -> Result<AsyncFd<T>> {
    AsyncFd::with_interest(socket, Interest::READABLE)
}

async fn accept(listener: &AsyncFd<TcpListener>) -> Result<TcpStream> {
    let accepted = listener.async_io(Interest::READABLE, TcpListener::accept);
    let (socket, _) = accepted.await?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// One connection, and the request that is being read from it.
struct Connection {
    pieces: mpsc::Sender<Posted>,
    /// Connections in a row that ended after one request.
    lone_requests: Arc<AtomicU32>,
    requests: Requests,
    reader: Reader,
    answered: u32,
}

/// What to do for the bytes that came.
enum Step {
    PassOn(Posted),
    Continue,
    /// Only after everything of the request was passed on: what is answered does not come again.
    Answer {
        closes: bool,
    },
    Refuse,
}

/// Errors end the connection.
impl Connection {
    async fn live(mut self, socket: AsyncFd<TcpStream>) -> Result<()> {
        loop {
            let steps = poll_fn(|context| self.poll_read(&socket, context)).await?;
            self.follow(steps, socket.get_ref()).await?;
        }
    }

    async fn take_what_is_there(&mut self, socket: &TcpStream) -> Result<()> {
        match self.read(socket) {
            Ok(steps) => self.follow(steps, socket).await,
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn follow(&mut self, steps: Vec<Step>, socket: &TcpStream) -> Result<()> {
        for step in steps {
            match step {
                // The receiver is gone only when this process ends.
                Step::PassOn(posted) => drop(self.pieces.send(posted).await),
                Step::Continue => write(socket, CONTINUE)?,
                Step::Answer { closes } => self.answer(socket, closes)?,
                Step::Refuse => {
                    write(socket, REFUSAL)?;
                    return Err(ErrorKind::InvalidData.into());
                }
            }
        }
        Ok(())
    }

    fn poll_read(
        &mut self,
        socket: &AsyncFd<TcpStream>,
        context: &mut Context<'_>,
    ) -> Poll<Result<Vec<Step>>> {
        loop {
            let mut ready = ready!(socket.poll_read_ready(context))?;
            if let Ok(steps) = ready.try_io(|socket| self.read(socket.get_ref())) {
                return Poll::Ready(steps);
            }
        }
    }

    /// Reads once. Returns what is to be done for it, or `WouldBlock`.
    fn read(&mut self, mut socket: &TcpStream) -> Result<Vec<Step>> {
        let mut buffer = [0; READ_BYTES];
        let length = socket.read(&mut buffer)?;
        if length == 0 {
            self.ended();
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(self.steps(&buffer[..length]))
    }

    fn steps(&mut self, mut bytes: &[u8]) -> Vec<Step> {
        let mut steps = Vec::new();
        loop {
            match self.requests.next(&mut bytes) {
                Ok(None) => return steps,
                Ok(Some(Found::Expects)) => steps.push(Step::Continue),
                Ok(Some(Found::Body(body))) => steps.extend(pass_on(self.reader.feed(body))),
                Ok(Some(Found::End { closes })) => {
                    let reader = std::mem::take(&mut self.reader);
                    steps.extend(pass_on(reader.finish()));
                    steps.push(Step::Answer { closes });
                }
                Err(Malformed) => {
                    steps.push(Step::Refuse);
                    return steps;
                }
            }
        }
    }

    fn answer(&mut self, socket: &TcpStream, closes: bool) -> Result<()> {
        self.answered = self.answered.saturating_add(1);
        if self.answered > 1 {
            self.lone_requests.store(0, Ordering::Relaxed);
        }
        if closes || self.lone_requests.load(Ordering::Relaxed) >= LONE_REQUESTS {
            write(socket, LAST_ANSWER)?;
            return Err(ErrorKind::ConnectionAborted.into());
        }
        write(socket, ANSWER)
    }

    /// The platform has closed it.
    fn ended(&self) {
        if self.answered == 1 {
            self.lone_requests.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Answers are small. A sender that does not read them until no more fit is not the platform.
fn write(mut socket: &TcpStream, answer: &[u8]) -> Result<()> {
    if socket.write(answer)? == answer.len() {
        return Ok(());
    }
    Err(ErrorKind::WriteZero.into())
}

/// Nothing, if nothing was read.
fn pass_on(posted: Posted) -> Option<Step> {
    (posted != Posted::default()).then_some(Step::PassOn(posted))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends this number of requests on one connection, one after the other; returns whether the
    /// last response closes it.
    fn is_closed_after(port: u16, requests: u32) -> bool {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut last = Vec::new();
        for _ in 0..requests {
            let request = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n[]";
            socket.write_all(request).unwrap();
            last.clear();
            while !last.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                socket.read_exact(&mut byte).unwrap();
                last.push(byte[0]);
            }
        }
        let last = String::from_utf8(last).unwrap();
        assert!(last.starts_with("HTTP/1.1 200 OK\r\n"), "{last}");
        last.contains("connection: close")
    }

    #[tokio::test]
    async fn this_side_closes_once_the_platform_has_shown_that_it_keeps_none() {
        let listening = listen().unwrap();
        let port = listening.port;
        let closed = async |requests| {
            let client = tokio::task::spawn_blocking(move || is_closed_after(port, requests));
            client.await.unwrap()
        };
        assert!(!closed(1).await && !closed(1).await);
        // It keeps one after all, so counting restarts.
        assert!(!closed(3).await);
        assert!(!closed(1).await && !closed(1).await && !closed(1).await);
        assert!(closed(1).await && closed(1).await);
    }

    #[tokio::test]
    async fn a_sender_that_takes_its_time_is_served_too() {
        let listening = listen().unwrap();
        let port = listening.port;
        let client = tokio::task::spawn_blocking(move || {
            let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
            for part in ["POST / HTTP/1.1\r\n", "content-length: 2\r\n\r\n[", "]"] {
                std::thread::sleep(Duration::from_millis(1200));
                socket.write_all(part.as_bytes()).unwrap();
            }
            let mut answer = [0; ANSWER.len()];
            socket.read_exact(&mut answer).unwrap();
            answer == *ANSWER
        });
        assert!(client.await.unwrap());
    }
}
