//! `tune` and `coldstarts --bench` by the binary that users run, against a Lambda API whose functions follow curves and go wrong as ordered.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod bench;
mod cleanup;
mod compared;
mod killed;
mod many;
mod measuring;
mod options;
mod provisioned;
mod refusals;
mod server;
mod stage;
mod state;
mod trouble;
