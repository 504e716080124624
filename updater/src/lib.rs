//! Applies a memory recommendation to a Lambda function: its `MemorySize`, and the alias that a tag names. It
//! must not know how a recommendation was made, and trusts none.
//!
//! The core decides without IO: [`judge`] decides from a recommendation and the function as it is
//! now whether the change may be made. [`Updater`] checks a [`PauseSwitch`] and makes it through a
//! [`ControlPlane`], with the time of a [`Clock`]. [`handle_batch`] does so for a batch of a
//! decisions stream and sends every outcome to an [`OutcomeSink`]. The shells, [`LambdaApi`],
//! [`PauseTag`] and [`DecisionsStream`], are the only modules that know AWS types.
//!
//! Delivery is at least once, so everything here may happen twice: a change that was already made
//! gets the outcome `applied` again and is not repeated.

mod aws;
mod bad_record;
mod batch;
mod check;
mod clock;
mod configuration;
mod control_plane;
mod decisions_stream;
mod deliveries;
mod end;
mod event;
mod lambda_api;
mod latest;
mod order;
mod pause;
mod published;
mod rate;
mod retry;
mod settings;
#[cfg(test)]
mod tests;
mod updater;

pub use aws::{http_client, in_words, sdk_config};
pub use batch::{OutcomeSink, handle_batch};
pub use check::{Verdict, judge};
pub use clock::{Clock, RunningClock};
pub use control_plane::{
    Alias, ApiError, ControlPlane, LastUpdate, LiveFunction, OtherSettings, PublishFrom,
    PublishedVersion,
};
pub use decisions_stream::DecisionsStream;
pub use deliveries::Deliveries;
pub use end::RetryLater;
pub use event::{BatchItemFailure, BatchResponse, KinesisData, KinesisEvent, KinesisEventRecord};
pub use lambda_api::LambdaApi;
pub use pause::{NeverPaused, PauseSwitch, PauseTag};
pub use rate::{Backoff, RateLimiter};
pub use retry::retry;
pub use settings::{Place, Settings, SettingsError};
pub use updater::Updater;
