//! Real parts that the tests run against, started by the tests themselves: a Kinesis API server
//! (`kinesis-local`), a Lambda API server (`moto`), and an event source mapping that feeds the
//! updater's own binary from a stream.
//!
//! `make tools` installs what is started here. A missing part is an error that says so.

mod kinesis;
mod moto;
mod process;
mod rie;
mod runtime_api;
mod updater_lambda;

pub use kinesis::{KinesisLocal, StreamRecord};
pub use moto::{FunctionSpec, MotoServer};
pub use process::ServerProcess;
pub use rie::{Rie, unshare};
pub use updater_lambda::{Delivered, UpdaterLambda};

/// The account that the servers keep everything in.
pub const ACCOUNT: &str = "123456789012";
/// The region that every client and every ARN uses.
pub const REGION: &str = "eu-central-1";
/// Not a secret: the servers accept any key.
const ACCESS_KEY: &str = "testing";

/// Environment variables that make a child process use the server at `endpoint` for one AWS
/// service, named as AWS names it (`KINESIS`, `LAMBDA`).
pub fn aws_environment(service: &str, endpoint: &str) -> Vec<(String, String)> {
    [
        (format!("AWS_ENDPOINT_URL_{service}"), endpoint),
        ("AWS_ACCESS_KEY_ID".to_owned(), ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY".to_owned(), ACCESS_KEY),
        ("AWS_REGION".to_owned(), REGION),
    ]
    .map(|(key, value)| (key, value.to_owned()))
    .into()
}
