//! The errors of the rules as people read them, one snapshot for all.

use rightsizer_records::{Megabytes, Timestamp};
use rightsizer_rules::evidence::FunctionKey;
use rightsizer_rules::limits::LimitsError;
use rightsizer_rules::policy::PolicyError;
use rightsizer_rules::power::Refusal;
use rightsizer_rules::price::PriceError;
use rightsizer_rules::state::{FunctionState, StateError};
use rightsizer_rules::window::ClockDoubt;

#[test]
fn every_error_of_the_rules_reads_as_reviewed() {
    let [now, known] = ["2026-03-01T10:00:00Z", "2026-03-09T10:00:00Z"]
        .map(|time| Timestamp::parse(time).unwrap());
    let (size, small, large) = (Megabytes(10_241), Megabytes(512), Megabytes(1024));
    let all = [
        LimitsError::Count {
            name: "decreases_per_day",
            most: 1_000_000,
            value: 0,
        }
        .to_string(),
        LimitsError::Dollars(-1.0).to_string(),
        LimitsError::Zone("Berlin".to_owned()).to_string(),
        LimitsError::Window("weekdays".to_owned()).to_string(),
        PolicyError::PipelineTag.to_string(),
        PolicyError::Share {
            name: "timeout_share",
            range: 0.1..=1.0,
            value: 7.0,
        }
        .to_string(),
        PolicyError::Count {
            name: "floor_days",
            range: 0..=400,
            value: 500,
        }
        .to_string(),
        PolicyError::Bounds {
            least: large,
            most: small,
        }
        .to_string(),
        PolicyError::Size {
            name: "buffer_mb",
            mb: size,
        }
        .to_string(),
        PriceError {
            setting: "x86_gb_second".to_owned(),
            dollars: -1.0,
        }
        .to_string(),
        ClockDoubt::Behind { now, known }.to_string(),
        ClockDoubt::Unconfirmed { now, known }.to_string(),
        StateError::Newer(9).to_string(),
        FunctionState::from_bytes(&[1]).unwrap_err().to_string(),
        Refusal::Starved { used_mb: 480.0 }.to_string(),
        Refusal::Contradiction { small, large }.to_string(),
        FunctionKey::parse("a\nb").unwrap_err().to_string(),
        FunctionKey::parse("arn:aws:lambda")
            .unwrap_err()
            .to_string(),
    ];
    insta::assert_snapshot!(all.join("\n"));
}
