//! A recommendation that breaks the rules of its format, but names its function, so its writer gets
//! an outcome. Pure.

use rightsizer_records::{FunctionArn, Megabytes, Outcome, OutcomeStatus, Timestamp};
use serde_json::Value;

use rightsizer_records::SkipCode;

/// What a record's sizes may be, and so an outcome's; one that is not becomes the nearest.
const SIZES: std::ops::RangeInclusive<u64> = 1..=65_536;

/// Returns the outcome of a recommendation that could not be read because of `why`; `None` if it
/// does not name its function. The caller sets the time.
pub(crate) fn bad_record(bytes: &[u8], why: &str) -> Option<Outcome> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    if value.get("kind")? != "recommendation" {
        return None;
    }
    let id = value.get("id")?.as_str()?;
    if !(1..=64).contains(&id.len()) {
        return None;
    }
    Some(Outcome {
        id: id.to_owned(),
        function: FunctionArn::parse(value.get("function")?.as_str()?).ok()?,
        status: OutcomeStatus::Skipped,
        from_mb: size(value.get("from_mb")),
        to_mb: size(value.get("to_mb")),
        reason: SkipCode::BadRecord.name().to_owned(),
        detail: why.chars().take(1000).collect(),
        at: Timestamp::MIN,
    })
}

fn size(value: Option<&Value>) -> Megabytes {
    let mb = value.and_then(Value::as_u64).unwrap_or(0);
    let mb = mb.clamp(*SIZES.start(), *SIZES.end());
    Megabytes(u32::try_from(mb).unwrap_or(u32::MAX))
}
