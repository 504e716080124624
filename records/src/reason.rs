//! Why a decision came out as it did: one variant for each rule that can shape it, with its figures.
//!
//! On the wire and in the store a reason is one object: `code`, then its figures in alphabetical order,
//! which is the order of the fields below. Their text is in the rules.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Day, Megabytes, Objective};

/// A rule that shaped a decision, and its figures: `{"code":"floor","day":"2026-01-24",…}`.
/// `docs/ALGORITHM.md` describes the rules by these codes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[expect(
    missing_docs,
    reason = "a figure is named as the text of its reason uses it; `_mb` is megabytes"
)]
pub enum Reason {
    /// P1: the mean of `days` daily peaks, plus the buffer.
    AveragePlusBuffer {
        buffer_mb: Megabytes,
        days: u32,
        mb: Megabytes,
        mean_mb: Megabytes,
    },
    /// P2: the highest peak times the headroom is above what the policy asked for.
    Floor {
        day: Day,
        headroom: f64,
        mb: Megabytes,
        peak_mb: Megabytes,
    },
    /// P7: the highest peak of the window.
    HighestPeak {
        days: u32,
        mb: Megabytes,
        window_days: i32,
    },
    /// P7: the level that all but a `share` of the days stay at or below.
    Percentile {
        half_life_days: f64,
        mb: Megabytes,
        share: f64,
    },
    /// P7: what was added to another estimate.
    Margin {
        factor: f64,
        from_mb: Megabytes,
        least_mb: Megabytes,
        mb: Megabytes,
    },
    /// P7: headroom by how much the peaks move; `None` if there is one day only.
    Movement {
        days: i32,
        factor: f64,
        from_mb: Megabytes,
        mb: Megabytes,
        movement_percent: Option<u32>,
    },
    /// P7: the limit that would have cost least so far.
    Autopilot {
        arm_days: i32,
        factor: f64,
        mb: Megabytes,
        peak_mb: Megabytes,
    },
    /// P2: the level that recurs, with its headroom, is above what the policy asked for.
    RecurringFloor {
        headroom: f64,
        mb: Megabytes,
        movement_percent: Option<u32>,
        peak_mb: Megabytes,
    },
    /// P3: it ran out of memory at `size_mb`.
    OutOfMemory {
        day: Day,
        mb: Megabytes,
        size_mb: Megabytes,
    },
    /// P4: raised to the smallest size allowed.
    Minimum { mb: Megabytes, wanted_mb: Megabytes },
    /// P4: lowered to the largest size allowed.
    Maximum { mb: Megabytes, wanted_mb: Megabytes },
    /// P4: the largest size allowed is in the way of an increase that it needs.
    HeldByMaximum {
        mb: Megabytes,
        ran_out: bool,
        wanted_mb: Megabytes,
    },
    /// P1: the buffer alone does not raise a size.
    NoDanger {
        mb: Megabytes,
        needed_mb: Megabytes,
        wanted_mb: Megabytes,
    },
    /// W6: too few days or successful invocations.
    LittleEvidence { days: u32, invocations: u64 },
    /// W6: logs of failures only.
    PartialEvidence { invocations: u64 },
    /// W4: the first report is not old enough.
    WindowNotFull { seen_days: i64, window_days: i32 },
    /// From the file of an unknown tool.
    WrappedEvidence,
    /// P3: the use of environments keeps rising.
    Leak {
        climbing: u32,
        judged: u32,
        mb_per_1000: u32,
    },
    /// P3: too many automatic increases, or too far from the verified size.
    IncreaseLimit {
        increases: u32,
        mb: Megabytes,
        most_increases: u32,
        most_times: u32,
        verified_mb: Option<Megabytes>,
    },
    /// P3: only one environment needs as much.
    OneEnvironment {
        mb: Megabytes,
        times: u32,
        wanted_mb: Megabytes,
    },
    /// P5: the decrease is too small to make.
    DeadBand {
        change_mb: Megabytes,
        least_mb: Megabytes,
    },
    /// P5: one step on the way to `target_mb`.
    Step { mb: Megabytes, target_mb: Megabytes },
    /// P5: the last step is not proven yet.
    StepWaits {
        from_mb: Megabytes,
        hours: i64,
        invocations: u64,
        least_hours: u32,
        least_invocations: u64,
        to_mb: Megabytes,
        verified: bool,
    },
    /// P6: too many invocations fail.
    Failing {
        count: u64,
        invocations: u64,
        kind: FailureKind,
        mb: Megabytes,
        percent: f64,
    },
    /// P6: the heap of the function's runtime was full.
    HeapLimit {
        count: u64,
        mb: Megabytes,
        used_mb: Megabytes,
    },
    /// P6: a repeated start would come too near its limit.
    InitNear(SpeedLimit),
    /// P6: too slow for its objective.
    TooSlow(SpeedLimit),
    /// P6: too near the timeout.
    TimeoutNear(SpeedLimit),
    /// P6: it would cost more.
    NoSaving(SpeedLimit),
    /// P6: the evidence does not exclude it, so an automatic change stops before.
    CarefulStep(SpeedLimit),
    /// P6: a larger size costs the same and is faster.
    OnlySlower {
        cost: f64,
        mb: Megabytes,
        slower: f64,
        wanted_mb: Megabytes,
    },
    /// P5: an alarm on it is ringing.
    Alarm { name: String },
    /// P5: its code or configuration was changed a short time ago.
    JustDeployed { minutes: i64 },
    /// P6: durations after the decrease ÷ durations now.
    Slower(Slowdown),
    /// P9: what the objective asks for: the median duration now and then, at most, and the cost ÷ the cost now.
    Objective {
        at_most_ms: f64,
        cost: f64,
        mb: Megabytes,
        now_ms: f64,
        objective: Objective,
        then_ms: f64,
    },
    /// P9: the present size is the best for the objective.
    ObjectiveReached { mb: Megabytes, objective: Objective },
    /// P6: the timeout is unknown.
    TimeoutUnknown { mb: Megabytes },
    /// P6: no durations are known at the present size.
    DurationsUnknown { mb: Megabytes },
    /// P4: a pipeline owns the size.
    StackOwned,
    /// The change is rolled back: it ran out of memory.
    RollbackOutOfMemory { count: u64 },
    /// The change is rolled back: more errors.
    RollbackErrors(Rise),
    /// The change is rolled back: more timeouts.
    RollbackTimeouts(Rise),
    /// The change is rolled back: environments do not start.
    RollbackInitFailures(Rise),
    /// The change is rolled back: `slow` of `of` invocations took longer than before × `tolerance`.
    RollbackSlower {
        chance: f64,
        of: u64,
        slow: u64,
        tolerance: f64,
    },
    /// The change is rolled back: it is not called any more.
    RollbackSilent {
        chance: f64,
        hours: u32,
        longest_hours: u32,
    },
    /// A code or figures that this version does not know: kept as they are.
    #[serde(untagged)]
    Other(OtherReason),
}

/// A reason of another version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OtherReason {
    /// Code of the rule.
    pub code: String,
    /// Its figures by name.
    #[serde(flatten)]
    pub figures: BTreeMap<String, Value>,
}

/// What P6 found at `wanted_mb`, so that the size is `mb`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpeedLimit {
    /// What `then` rests on.
    pub basis: DurationBasis,
    /// What is limited.
    pub figure: LimitedFigure,
    /// The size that is allowed.
    pub mb: Megabytes,
    /// The limit, in the unit of the figure.
    pub most: f64,
    /// The figure at the present size.
    pub now: f64,
    /// The function's objective, which sets how much slower it may get.
    #[serde(rename = "strategy")]
    pub objective: Objective,
    /// The figure at `wanted_mb`.
    pub then: f64,
    /// The size that was asked for.
    pub wanted_mb: Megabytes,
}

/// A figure that P6 limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LimitedFigure {
    /// The duration of a start, in milliseconds.
    Start,
    /// The 95th percentile of durations, in milliseconds.
    P95,
    /// The 99th percentile of durations, in milliseconds.
    P99,
    /// The cost ÷ the cost now.
    Cost,
}

/// What a duration at another size rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DurationBasis {
    /// Measured at this very size.
    Measured,
    /// The CPU time spent at the present size.
    CpuTime,
    /// Durations at two sizes.
    Slope,
    /// Nothing: the worst case.
    Unknown,
    /// A start, which computes on one core at worst.
    OneCore,
}

/// Durations after a decrease ÷ durations now: as expected, and at worst.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Slowdown {
    /// What they rest on.
    pub basis: DurationBasis,
    /// The size after the decrease.
    pub mb: Megabytes,
    /// Of the mean.
    pub mean: f64,
    /// Of the mean, at worst.
    pub mean_worst: f64,
    /// Of the 95th percentile.
    pub p95: f64,
    /// Of the 95th percentile, at worst.
    pub p95_worst: f64,
}

/// How invocations failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailureKind {
    /// In any way.
    Failures,
    /// The platform ended the environment.
    Crashes,
}

/// A rate of failures that rose, in failures and invocations.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rise {
    /// Failures after.
    pub after: u64,
    /// Of this number of invocations.
    pub after_of: u64,
    /// Failures before.
    pub before: u64,
    /// Of this number of invocations.
    pub before_of: u64,
    /// The chance of as many, had the rate risen by half.
    pub chance: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Reason {
        serde_json::from_str(text).unwrap()
    }

    /// The bytes are those of stored decisions: `code` first, then the figures by name.
    #[test]
    fn a_reason_is_one_object_with_its_code_first() {
        let floor = Reason::Floor {
            day: Day::parse("2026-01-24").unwrap(),
            headroom: 1.1,
            mb: Megabytes(990),
            peak_mb: Megabytes(900),
        };
        let limit = Reason::IncreaseLimit {
            increases: 3,
            mb: Megabytes(700),
            most_increases: 3,
            most_times: 4,
            verified_mb: None,
        };
        for (reason, text) in [
            (
                floor,
                r#"{"code":"floor","day":"2026-01-24","headroom":1.1,"mb":990,"peak_mb":900}"#,
            ),
            (
                limit,
                r#"{"code":"increase-limit","increases":3,"mb":700,"most_increases":3,"most_times":4,"verified_mb":null}"#,
            ),
            (Reason::StackOwned, r#"{"code":"stack-owned"}"#),
        ] {
            assert_eq!(serde_json::to_string(&reason).unwrap(), text);
            assert_eq!(read(text), reason);
        }
    }

    /// Another version may have a reason that this one does not know, or other figures for one it knows.
    #[test]
    fn a_reason_of_another_version_is_kept_as_it_is() {
        for text in [
            r#"{"code":"moon-phase","days":3,"phase":"full"}"#,
            r#"{"code":"floor","peak_gb":1}"#,
        ] {
            let reason = read(text);
            assert!(matches!(reason, Reason::Other(_)), "{reason:?}");
            assert_eq!(serde_json::to_string(&reason).unwrap(), text);
        }
        assert!(serde_json::from_str::<Reason>(r#"{"peak_mb":1}"#).is_err());
    }
}
