//! Applies a memory recommendation to a Lambda function, and nothing else.
//!
//! The core decides without IO: [`judge`] says from a recommendation and the function as it is now
//! whether the change may be made, [`Updater`] makes it through a [`ControlPlane`], and
//! [`handle_batch`] does so for a batch of a decisions stream and puts every outcome on an
//! [`OutcomeSink`]. The shells, [`LambdaApi`] and [`DecisionsStream`], are the only modules that
//! know AWS types.
//!
//! Delivery is at least once, so everything here may happen twice: a change that was already made
//! is answered `applied` again and not made again.

mod aws;
mod batch;
mod check;
mod control_plane;
mod decisions_stream;
mod event;
mod lambda_api;
mod pace;
mod settings;
mod skip;
#[cfg(test)]
mod tests;
mod updater;

pub use aws::{http_client, sdk_config};
pub use batch::{OutcomeSink, handle_batch};
pub use check::{Verdict, judge};
pub use control_plane::{ApiError, ApiFault, ControlPlane, LiveFunction};
pub use decisions_stream::DecisionsStream;
pub use event::{BatchItemFailure, BatchResponse, KinesisData, KinesisEvent, KinesisEventRecord};
pub use lambda_api::LambdaApi;
pub use settings::{FunctionMode, Place, Settings, SettingsError};
pub use skip::SkipCode;
pub use updater::{RetryLater, Updater};
