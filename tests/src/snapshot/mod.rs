//! Sandboxes restored from one image, as SnapStart makes them: a small virtual machine with the real
//! extension in it is saved after init and run on several times over. Memory, counters, sockets and
//! the kernel's random state are the same in each.
//!
//! `qemu` emulates the processor, so no right to a hypervisor is needed. `make tools` installs it
//! with a kernel to boot.

mod image;
pub mod inside;
mod machine;
mod monitor;

pub use machine::{Machine, Snapshot};
