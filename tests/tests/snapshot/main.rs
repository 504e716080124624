//! `rightsizer serve --snapshot` as a task whose disk goes with it: over a real Kinesis server and
//! a real S3 server, the real binary is killed, its disk is removed, and the next one continues.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod bucket;
mod commands;
mod doctor;
mod loss;
mod refusals;
mod restore;
mod retention;
mod stage;
mod two_tasks;
