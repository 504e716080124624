//! What the kernel can save for a connection, by calls that `std` does not have. Without them
//! everything works and costs more.

use std::io::Result;
use std::os::fd::AsRawFd as _;

use mio::net::{TcpListener, TcpStream};
use socket2::SockRef;

/// The platform sends its request as soon as it is connected.
#[cfg(target_os = "linux")]
const WAIT_FOR_BYTES_SECONDS: libc::c_int = 1;
/// An `int` on every Linux.
#[cfg(target_os = "linux")]
const INT_BYTES: libc::socklen_t = 4;

/// More follows: the kernel waits for it. What follows here is the end of the connection.
#[cfg(target_os = "linux")]
const WITH_WHAT_FOLLOWS: libc::c_int = libc::MSG_MORE;
#[cfg(not(target_os = "linux"))]
const WITH_WHAT_FOLLOWS: libc::c_int = 0;

/// Asks the kernel to wake this process for a connection only once its first bytes are there; after
/// `WAIT_FOR_BYTES_SECONDS` it is accepted without. A refusal changes nothing but the cost.
#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "no dependency offers a safe function for this option"
)]
pub(super) fn wake_with_bytes(listener: &std::net::TcpListener) {
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

/// Only Linux has this option.
#[cfg(not(target_os = "linux"))]
pub(super) const fn wake_with_bytes(_: &std::net::TcpListener) {}

/// Whether `accept` would find a connection. It costs less than an `accept` that finds none, for
/// which the kernel makes a socket and takes it apart again.
#[expect(
    unsafe_code,
    reason = "no dependency offers a safe function for this call"
)]
pub(super) fn has_connection(listener: &TcpListener) -> bool {
    let mut asked = libc::pollfd {
        fd: listener.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: the call writes one entry, which outlives it, and does not wait.
    let found = unsafe { libc::poll(&raw mut asked, 1, 0) };
    // After an error `accept` names what is wrong.
    found != 0
}

/// Leaves the last bytes of a connection to its close, which must follow at once: the kernel then
/// sends both in one segment, and the other side wakes up once.
pub(super) fn send_with_close(socket: &TcpStream, bytes: &[u8]) -> Result<usize> {
    SockRef::from(socket).send_with_flags(bytes, WITH_WHAT_FOLLOWS)
}
