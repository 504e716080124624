//! The extension as it is published, in emulated environments: what arrives on the stream, and that
//! the function never notices. Each scenario states its counts: reports emitted = delivered +
//! reported as lost (folded, or counted in the log). `cargo test -p rightsizer-tests --test
//! extension -- --nocapture` prints them.
//!
//! Held: 0 ms in every one of them. The emulator refuses a registration for anything but SHUTDOWN,
//! as managed instances do, so no invocation waits for this process.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "counts of a scenario are small and positive"
)]

mod ends;
mod freeze;
mod hostile;
mod load;
mod neighbours;
mod odd;
mod reference;
mod restore;
mod rie;
mod short;
mod stage;
mod stream;
mod telemetry;
