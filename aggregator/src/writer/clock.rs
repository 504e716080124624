//! The machine's clock, compared with AWS and with the evidence, and reported once when it is wrong.

use rightsizer_aws::clock::{self, now};
use tracing::{error, info};

use crate::metrics::Metrics;
use crate::pipeline::Pipeline;

/// Passes the time of the latest AWS response on to the pipeline, as a second source of time.
pub(super) fn confirm(pipeline: &mut Pipeline) {
    if let Some(at) = clock::confirmed() {
        pipeline.confirm_time(at);
    }
}

/// Logs once when the clock becomes doubtful and once when it is right again, and keeps the reason
/// for `/healthz` and `/metrics`.
pub(super) fn report(pipeline: &Pipeline, metrics: &Metrics) {
    let doubt = clock::fault().map(|fault| fault.to_string());
    let doubt = doubt.or_else(|| {
        let doubt = pipeline.clock_doubt(now());
        doubt.map(|doubt| doubt.to_string())
    });
    if metrics.doubt_clock(doubt.clone()) {
        if let Some(doubt) = doubt {
            error!("{doubt}");
        } else {
            info!("this machine's clock is right again");
        }
    }
}
