//! `attach`, `detach` and `apply` by the binary that users run, against a real Lambda API server.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod account;
mod applying;
mod attaching;
mod denied;
mod refusals;
mod regions;
mod stops;
