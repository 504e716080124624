//! What `serve` acknowledged is kept: beside programs that open the store, when its files are moved away
//! or damaged, and over any number of kills.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod clock;
mod files;
mod gone;
mod health;
mod locks;
#[path = "../put_records/mod.rs"]
mod put_records;
mod rounds;
mod scene;
