//! Layer extension of Lambda Rightsizer: reports what each invocation really used.
//!
//! It can only observe: registered for SHUTDOWN alone, it is never on an invocation's path, and
//! no fault of it may fail an invocation. It must not know the aggregator or the AWS SDK. The core
//! knows no socket and no clock: [`telemetry`] reads events, [`journal`] turns them into records (with [`invocations`], [`buffer`], [`folds`], [`row`]
//! and [`seen`]), [`config`], [`credentials`], [`endpoint`], [`target`] and [`procfs`] read text,
//! [`put_records`] is a call as bytes, and [`requests`] is HTTP as the
//! platform posts it. The shell is [`session`] (the life of the process) and
//! [`observer`] (its main loop) with [`extensions_api`], [`listener`] and [`stream`], over [`http`],
//! [`tls`] and [`wallet`].
//!
//! The crate `aws-sdk-kinesis` is not used: it takes more memory than all of this, see
//! `docs/EXTENSION.md`.
//! The crate `lambda-extension` is not used: it refuses a whole batch of telemetry for one event it
//! does not know, and its process never ends by itself at SHUTDOWN.

pub mod buffer;
pub mod config;
pub mod credentials;
pub mod endpoint;
pub mod extensions_api;
pub mod folds;
pub mod http;
pub mod invocations;
pub mod journal;
pub mod listener;
pub mod log;
pub mod observer;
pub mod procfs;
pub mod put_records;
pub mod requests;
pub mod row;
pub mod seen;
pub mod session;
pub mod stream;
pub mod target;
pub mod telemetry;
pub mod tls;
pub mod wallet;
