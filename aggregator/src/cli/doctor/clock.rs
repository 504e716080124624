//! The clock: AWS refuses requests if it is five minutes wrong, and days close by it.

use std::time::Duration;

use aws_config::SdkConfig;
use hyper::Method;
use rightsizer_aws::clock::machine;
use rightsizer_records::{Partition, Timestamp};
use rightsizer_store::inspect::StoreLook;

use super::finding::Finding;
use crate::http;

/// Above this it is worth correcting.
const DOUBTFUL_MS: i64 = 30_000;
/// AWS refuses signatures with a larger difference.
const WRONG_MS: i64 = 300_000;
const PATIENCE: Duration = Duration::from_secs(10);

const ADVICE: &str = "set this machine's clock by NTP (chrony, systemd-timesyncd)";

/// Compares it with the `Date` of Kinesis's endpoint.
pub(super) async fn against_aws(config: &SdkConfig) -> Finding {
    match date_of(&endpoint(config)).await {
        Ok(date) => skew(machine().as_ms() - date.as_ms()),
        Err(why) => Finding::doubtful(
            "clock",
            format!("the time could not be read from AWS: {why}"),
            "check that this machine reaches AWS, and that AWS_REGION is set",
        ),
    }
}

/// Compares it with the newest report in the store, which cannot be in the future.
pub(super) fn against_reports(newest: Option<Timestamp>, now: Timestamp) -> Finding {
    let check = "clock and reports";
    match newest {
        None => Finding::ok(check, "no report to compare it with"),
        Some(newest) if newest.as_ms() - now.as_ms() > WRONG_MS => Finding::doubtful(
            check,
            format!("the newest report is from {newest}, but this clock is at {now}"),
            ADVICE,
        ),
        Some(_) => Finding::ok(check, "no report is in the future"),
    }
}

/// Looks for traces of an earlier wrong clock in the store.
pub(super) fn against_store(look: &StoreLook, now: Timestamp) -> Vec<Finding> {
    let mut findings = Vec::new();
    let traces = &look.clock;
    if let Some(closed) = traces.last_closed.filter(|closed| *closed >= now.day()) {
        findings.push(Finding::wrong(
            "closed days",
            format!(
                "{closed} is closed, but this clock is at {now}: it is behind, or another was ahead"
            ),
            "set this machine's clock by NTP; `serve` then reopens days that were closed too early",
        ));
    }
    if traces.early > 0 {
        findings.push(Finding::doubtful(
            "early records",
            format!(
                "{} are more than a day ahead of the clock; they are kept, and count when their \
                 time comes",
                traces.early
            ),
            ADVICE,
        ));
    }
    if let Some(fault) = &traces.fault {
        findings.push(Finding::doubtful(
            "clock before",
            fault.clone(),
            "set this machine's clock by NTP (chrony, systemd-timesyncd). No evidence was deleted; \
             `DELETE FROM state WHERE key = 'clock_fault'` forgets this",
        ));
    }
    findings
}

fn skew(ms: i64) -> Finding {
    let found = format!("{} seconds from AWS's", ms.abs() / 1000);
    match ms.abs() {
        ..DOUBTFUL_MS => Finding::ok("clock", found),
        DOUBTFUL_MS..WRONG_MS => Finding::doubtful("clock", found, ADVICE),
        _ => Finding::wrong(
            "clock",
            format!(
                "{found}: AWS refuses requests signed with it, and days close at the wrong time"
            ),
            ADVICE,
        ),
    }
}

fn endpoint(config: &SdkConfig) -> String {
    let given = |name| std::env::var(name).ok();
    given("AWS_ENDPOINT_URL_KINESIS")
        .or_else(|| given("AWS_ENDPOINT_URL"))
        .unwrap_or_else(|| {
            let region = config
                .region()
                .map_or("us-east-1", |region| region.as_ref());
            let suffix = Partition::of_region(region).dns_suffix;
            format!("https://kinesis.{region}.{suffix}")
        })
}

/// The reason for which AWS's time is unknown.
#[derive(Debug, thiserror::Error)]
enum DateError {
    /// The endpoint does not respond.
    #[error("{0:#}")]
    Unreachable(anyhow::Error),
    /// Its response has no `Date`.
    #[error("{0} sends no Date")]
    Missing(String),
    /// The `Date` is not one.
    #[error("{endpoint} sends the Date {date:?}")]
    Invalid { endpoint: String, date: String },
}

async fn date_of(endpoint: &str) -> Result<Timestamp, DateError> {
    let answer = http::send(&Method::GET, endpoint, Vec::new(), PATIENCE).await;
    let answer = answer.map_err(DateError::Unreachable)?;
    let date = answer.headers.get("date").and_then(|d| d.to_str().ok());
    let date = date.ok_or_else(|| DateError::Missing(endpoint.to_owned()))?;
    http_date(date).ok_or_else(|| DateError::Invalid {
        endpoint: endpoint.to_owned(),
        date: date.to_owned(),
    })
}

/// `Sun, 01 Mar 2026 10:00:00 GMT`.
fn http_date(text: &str) -> Option<Timestamp> {
    use aws_sdk_kinesis::primitives::{DateTime, DateTimeFormat};
    let date = DateTime::from_str(text, DateTimeFormat::HttpDate).ok()?;
    Timestamp::from_ms(date.to_millis().ok()?)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn a_date_header_is_a_time() {
        let time = Timestamp::parse("2026-03-01T10:00:00Z").unwrap();
        assert_eq!(http_date("Sun, 01 Mar 2026 10:00:00 GMT"), Some(time));
        assert_eq!(http_date("today"), None);
    }

    #[test]
    fn a_clock_is_judged_either_way() {
        for (ms, verdict) in [
            (0, Verdict::Ok),
            (-29_000, Verdict::Ok),
            (60_000, Verdict::Doubtful),
            (-301_000, Verdict::Wrong),
        ] {
            assert_eq!(skew(ms).verdict, verdict, "{ms}");
        }
        let now = Timestamp::parse("2026-03-01T10:00:00Z").unwrap();
        let later = against_reports(Some(now.plus_ms(400_000)), now);
        assert_eq!(later.verdict, Verdict::Doubtful);
    }
}
