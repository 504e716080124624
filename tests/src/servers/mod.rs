//! Real parts that the tests run against, started by the tests themselves: a Kinesis API server
//! (`kinesis-local`), a Lambda API server (`moto`), and an event source mapping that feeds the
//! updater's own binary from a stream.
//!
//! `make tools` installs what is started here. A missing part is an error with a message.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::{BehaviorVersion, Credentials, Region, SharedHttpClient};

mod bucket_front;
mod event_filter;
mod fault_lambda;
mod fault_proxy;
mod kinesis;
mod logs;
mod moto;
mod process;
mod rie;
mod runtime_api;
mod updater_lambda;

pub use bucket_front::{BucketFault, BucketFront};
pub use event_filter::{filter_pattern, passes, template};
pub use fault_lambda::{
    Behaviour, Call, Fault, FaultLambda, FaultServer, Operation, most_within_a_second,
};
pub use fault_proxy::FaultProxy;
pub use kinesis::{KinesisLocal, StreamRecord, kinesis_client};
pub use logs::LogsServer;
pub use moto::{FunctionSpec, MotoServer};
pub use process::ServerProcess;
pub(crate) use process::{installed, tools};
pub use rie::{Rie, unshare};
pub use updater_lambda::{
    Delivered, UPDATER, UpdaterLambda, deliver_shard, first_failed, kinesis_event, updater_binary,
};

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

/// A Lambda client for the server at `endpoint`.
fn lambda_client(endpoint: &str, http: SharedHttpClient) -> Client {
    Client::from_conf(
        aws_sdk_lambda::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static(REGION))
            .credentials_provider(Credentials::new(
                ACCESS_KEY, ACCESS_KEY, None, None, "tests",
            ))
            .http_client(http)
            .endpoint_url(endpoint)
            .build(),
    )
}
