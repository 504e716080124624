//! The wall clock. Read in shells only; everything else gets the time as an argument.
//!
//! Every response of AWS carries its time. If the machine's clock is minutes away from it, the
//! time of AWS counts: days close by it, and records are judged by it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::{DateTime, Format};
use rightsizer_records::Timestamp;

/// AWS refuses signatures of a clock that is further off, so no clock that works is.
const TOLERANCE_MS: i64 = 300_000;
/// How long a response's time is used; with a longer time, a machine that slept would be behind.
const FRESH: Duration = Duration::from_mins(15);

/// The last time from AWS, and when it arrived by a clock that does not jump.
static KNOWN: Mutex<Option<(Timestamp, Instant)>> = Mutex::new(None);

/// The present: the machine's clock, unless AWS's time shows that it is wrong.
pub fn now() -> Timestamp {
    believed(machine(), confirmed())
}

/// The present by AWS, if it answered lately.
pub fn confirmed() -> Option<Timestamp> {
    let known = *KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let (at, since) = known?;
    let since = Some(since.elapsed()).filter(|since| *since < FRESH)?;
    Some(at.plus_ms(i64::try_from(since.as_millis()).unwrap_or(0)))
}

/// The machine's clock, off from AWS by more than AWS accepts in a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this machine's clock shows {machine}, but AWS's time is {aws}: set the clock by NTP. Until then days close \
     by the time of AWS, and AWS refuses requests that are signed with this clock"
)]
pub struct ClockFault {
    machine: Timestamp,
    aws: Timestamp,
}

/// Returns by how much the machine's clock is wrong, if AWS answered lately and the two differ.
pub fn fault() -> Option<ClockFault> {
    fault_of(machine(), confirmed())
}

fn fault_of(machine: Timestamp, confirmed: Option<Timestamp>) -> Option<ClockFault> {
    let aws = confirmed.filter(|aws| is_off(machine, *aws))?;
    Some(ClockFault { machine, aws })
}

/// Returns the machine's own clock, right or wrong, for a comparison with another one.
pub fn machine() -> Timestamp {
    let since_epoch = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |elapsed| {
            i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
        });
    // A clock before 2000 is held at 2000: what arrives is kept as from the future, loudly.
    Timestamp::MIN.plus_ms(since_epoch - Timestamp::MIN.as_ms())
}

fn believed(machine: Timestamp, confirmed: Option<Timestamp>) -> Timestamp {
    confirmed
        .filter(|aws| is_off(machine, *aws))
        .unwrap_or(machine)
}

fn is_off(machine: Timestamp, aws: Timestamp) -> bool {
    (machine.as_ms() - aws.as_ms()).abs() > TOLERANCE_MS
}

/// `Sun, 01 Mar 2026 10:00:00 GMT`.
fn http_date(text: &str) -> Option<Timestamp> {
    let date = DateTime::from_str(text, Format::HttpDate).ok()?;
    Timestamp::from_ms(date.to_millis().ok()?)
}

/// Reads the time from the responses of a client.
#[derive(Debug)]
pub(crate) struct DateListener;

impl Intercept for DateListener {
    fn name(&self) -> &'static str {
        "DateListener"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(at) = context.response().headers().get("date").and_then(http_date) {
            let known = Some((at, Instant::now()));
            *KNOWN.lock().unwrap_or_else(PoisonError::into_inner) = known;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aws_is_believed_when_the_machine_is_minutes_off() {
        let aws = Timestamp::parse("2026-03-01T10:00:00Z").unwrap();
        assert_eq!(http_date("Sun, 01 Mar 2026 10:00:00 GMT"), Some(aws));
        for (off, right) in [
            (3_000, false),
            (-299_000, false),
            (301_000, true),
            (-70 * 86_400_000, true),
            (70 * 86_400_000, true),
        ] {
            let machine = aws.plus_ms(off);
            let present = believed(machine, Some(aws));
            assert_eq!(present == aws, right, "{off}");
            assert_eq!(believed(machine, None), machine);
            assert_eq!(fault_of(machine, Some(aws)).is_some(), right, "{off}");
            assert_eq!(fault_of(machine, None), None);
        }
    }
}
