//! An emulator of the Lambda execution environment, around the real extension binary.
//!
//! It plays what is outside the sandbox: the Extensions API, the Telemetry API, the freeze between
//! invocations, shutdown and reset. The scenario decides what an invocation used, how long it took,
//! how it ended, and its time: fourteen days pass without one second of waiting. (The crate
//! `lambda-simulator` 0.2.0 stamps events with its own clock and always reports half of the memory
//! size as used, so a scenario can set neither.)
//!
//! [`Gate`] stops a send at any byte of it. Not played: throttling of the CPU by memory size,
//! managed instances' concurrency. The clone of a snapshot is in [`crate::snapshot`].

mod api;
mod clock;
mod container;
mod environment;
mod events;
mod gate;
mod process;
mod scenario;
mod sink;
mod telemetry;
mod tls;

use std::path::PathBuf;

use anyhow::{Result, ensure};

pub use clock::{Clock, Monotonic};
pub use container::Container;
pub use environment::Environment;
pub use gate::{Cut, Fate, Gate, Traffic};
pub use process::Exit;
pub use scenario::{
    End, Faults, FunctionSpec, Invocation, LastTelemetry, Options, Reason, ReportAtReset,
    SubscribeAnswer,
};
pub use sink::{Sink, SinkMode};
pub use tls::Tls;

/// The extension as it is published: `target/layer/rightsizer-extension`, or what
/// `RIGHTSIZER_EXTENSION_BINARY` names.
pub fn extension_binary() -> Result<PathBuf> {
    let named = std::env::var_os("RIGHTSIZER_EXTENSION_BINARY").map(PathBuf::from);
    let path = named.unwrap_or_else(|| target().join("layer/rightsizer-extension"));
    ensure!(
        path.is_file(),
        "the extension is not built ({} does not exist): run `make extension`",
        path.display()
    );
    Ok(path.canonicalize()?)
}

/// The plain extension of `tests/reference-extension`: what `RIGHTSIZER_REFERENCE_BINARY` names, or
/// the one that `cargo build` makes.
pub fn reference_extension_binary() -> Result<PathBuf> {
    let named = std::env::var_os("RIGHTSIZER_REFERENCE_BINARY").map(PathBuf::from);
    let path = named.unwrap_or_else(|| target().join("debug/rightsizer-reference-extension"));
    ensure!(
        path.is_file(),
        "the reference extension is not built ({} does not exist): run `cargo build -p \
         rightsizer-reference-extension`",
        path.display()
    );
    Ok(path.canonicalize()?)
}

/// Cargo's target folder.
fn target() -> PathBuf {
    let named = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    named.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target"))
}
