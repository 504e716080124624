//! What a policy sees of one function, and the settings it goes by.

use rightsizer_records::{ApplyMode, Day, EvidenceWindow, Megabytes, Timestamp};
use serde::Deserialize;

use super::choice::{FloorRule, PolicyName};
use super::facts::{Changes, Configured, Leak, SizeFacts, Strategy};

/// `[policy]` in `rightsizer.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicySettings {
    /// P7: the policy in force.
    pub name: PolicyName,
    /// P1: added to the mean of the daily peaks.
    pub buffer_mb: Megabytes,
    /// P2: whether the floor holds; `false` gives the plain rule.
    pub floor: bool,
    /// P2: what the floor is made of.
    pub floor_rule: FloorRule,
    /// P2, P7: `recurring-peak` is at most this many times the level that recurs.
    pub recurring_headroom: f64,
    /// P2: the floor is this many times the highest peak.
    pub floor_headroom: f64,
    /// P2: peaks of this many days hold the floor up, besides the window and the open day.
    pub floor_days: i32,
    /// P4: the smallest size.
    pub min_mb: Megabytes,
    /// P4: the largest size; new accounts have 3008.
    pub max_mb: Megabytes,
    /// P3: after so many automatic increases since the last verified size, a person decides.
    pub max_increases: u32,
    /// P3: beyond so many times the last verified size, a person decides.
    pub max_growth: u32,
    /// P5: a decrease by less than this share of the size is not made.
    pub dead_band_percent: u32,
    /// P5: nor is one by less than this.
    pub dead_band_mb: Megabytes,
    /// P5: one automatic step goes down by at most this share of the size.
    pub max_step_down: f64,
    /// P5: the next automatic step down waits for so many hours,
    pub step_hours: u32,
    /// P5: and for so many invocations in the new size.
    pub step_invocations: u64,
    /// P6: the 99th percentile of the durations stays within this share of the timeout.
    pub timeout_share: f64,
    /// P6: what functions are tuned for whose tag says nothing.
    pub strategy: Strategy,
    /// Who may change functions without the tag `rightsizer:mode`, as the updater is told it; where that
    /// is not said, only the updater knows.
    pub mode: Option<ApplyMode>,
    /// Functions with one of these tags, `NAME` or `NAME=VALUE`, belong to a pipeline, as those with a stack's
    /// own tag do: their sizes are exported, not sent by themselves.
    pub pipeline_tags: Vec<String>,
    /// P6: how much slower the 95th percentile may become.
    pub p95_tolerance: P95Tolerance,
}

/// `[policy.p95_tolerance]`: 1.25 allows 25 % more.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct P95Tolerance {
    /// Of `cost`.
    pub cost: f64,
    /// Of `balanced`.
    pub balanced: f64,
    /// Of `speed`.
    pub speed: f64,
}

impl Default for P95Tolerance {
    fn default() -> Self {
        Self {
            cost: 2.0,
            balanced: 1.25,
            speed: 1.05,
        }
    }
}

impl P95Tolerance {
    /// What `strategy` allows: 1.25 is 25 % more. Verification goes by it too.
    pub const fn of(&self, strategy: Strategy) -> f64 {
        match strategy {
            Strategy::Cost => self.cost,
            Strategy::Balanced => self.balanced,
            Strategy::Speed => self.speed,
        }
    }
}

impl PolicySettings {
    /// What is wrong with them, in words: rules that rest on absurd settings guard nothing.
    pub fn check(&self) -> Result<(), String> {
        self.check_sizes()?;
        if self
            .pipeline_tags
            .iter()
            .any(|tag| tag.split('=').next() == Some(""))
        {
            return Err("policy.pipeline_tags: a tag is NAME or NAME=VALUE".to_owned());
        }
        let shares = [
            ("floor_headroom", self.floor_headroom, 1.0..=10.0),
            ("recurring_headroom", self.recurring_headroom, 1.0..=10.0),
            ("max_step_down", self.max_step_down, 0.05..=0.9),
            ("timeout_share", self.timeout_share, 0.1..=1.0),
            ("p95_tolerance.cost", self.p95_tolerance.cost, 1.0..=10.0),
            (
                "p95_tolerance.balanced",
                self.p95_tolerance.balanced,
                1.0..=10.0,
            ),
            ("p95_tolerance.speed", self.p95_tolerance.speed, 1.0..=10.0),
        ];
        for (name, value, range) in shares {
            if !range.contains(&value) {
                let (least, most) = range.into_inner();
                return Err(format!(
                    "policy.{name} must be {least:?} to {most:?}, not {value}"
                ));
            }
        }
        let counts = [
            ("floor_days", i64::from(self.floor_days), 1..=400),
            ("max_increases", i64::from(self.max_increases), 0..=100),
            ("max_growth", i64::from(self.max_growth), 1..=80),
            (
                "dead_band_percent",
                i64::from(self.dead_band_percent),
                0..=100,
            ),
            ("step_hours", i64::from(self.step_hours), 0..=8760),
        ];
        for (name, value, range) in counts {
            if !range.contains(&value) {
                let (least, most) = range.into_inner();
                return Err(format!(
                    "policy.{name} must be {least} to {most}, not {value}"
                ));
            }
        }
        Ok(())
    }

    fn check_sizes(&self) -> Result<(), String> {
        let (least, most) = (self.min_mb, self.max_mb);
        if !(Megabytes(128) <= least && least <= most && most <= Megabytes(10_240)) {
            return Err(format!(
                "policy.min_mb and policy.max_mb must be 128 to 10240 and in order, not {} and {}",
                least.0, most.0
            ));
        }
        for (name, mb) in [
            ("buffer_mb", self.buffer_mb),
            ("dead_band_mb", self.dead_band_mb),
        ] {
            if mb > Megabytes(10_240) {
                return Err(format!("policy.{name} must be at most 10240, not {}", mb.0));
            }
        }
        Ok(())
    }
}

impl Default for PolicySettings {
    fn default() -> Self {
        Self {
            name: PolicyName::default(),
            buffer_mb: Megabytes(100),
            floor: true,
            floor_rule: FloorRule::default(),
            recurring_headroom: 1.30,
            floor_headroom: 1.10,
            floor_days: 35,
            min_mb: Megabytes(128),
            max_mb: Megabytes(10_240),
            max_increases: 3,
            max_growth: 4,
            dead_band_percent: 5,
            dead_band_mb: Megabytes(32),
            max_step_down: 0.5,
            step_hours: 24,
            step_invocations: 50,
            timeout_share: 0.7,
            strategy: Strategy::Balanced,
            mode: None,
            pipeline_tags: Vec::new(),
            p95_tolerance: P95Tolerance::default(),
        }
    }
}

/// The peak of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayPeak {
    /// UTC date.
    pub day: Day,
    /// Highest memory used on it.
    pub peak: Megabytes,
}

impl FunctionEvidence {
    /// What the function is tuned for (P6).
    pub fn strategy(&self, settings: &PolicySettings) -> Strategy {
        self.configured.strategy.unwrap_or(settings.strategy)
    }
}

/// One function's window, as the policies look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionEvidence {
    /// Size of the environment that started last, or a size applied since.
    pub current_mb: Megabytes,
    /// A larger size that was sent and not answered yet, if any.
    pub pending_mb: Option<Megabytes>,
    /// The window that is decided on, with its counts.
    pub window: EvidenceWindow,
    /// Daily peaks of the window's closed days with invocations; where none is closed yet, of the
    /// open ones (W4: a recommendation exists as soon as there is evidence).
    pub daily_peaks: Vec<Megabytes>,
    /// All remembered days with a memory figure, oldest first, open days included.
    pub history: Vec<DayPeak>,
    /// Day and height of the highest peak that holds the floor up: window, open days and the last
    /// `floor_days` (P2).
    pub floor_peak: Option<(Day, Megabytes)>,
    /// The highest use of memory in the days that hold the floor up that does not rest on the word of one
    /// environment alone; `None` where that is not known.
    pub agreed_mb: Option<Megabytes>,
    /// The largest size in which the demand was hidden, and when (P3). Only what still holds: not what
    /// ran before the code changed, nor what a person cleared.
    pub censored: Option<(Day, Megabytes)>,
    /// Whether its environments climb over their lives (P3): [`super::leak()`] of the high-water marks.
    pub leak: Option<Leak>,
    /// How the present size came to be (P3's limits, P5's steps).
    pub changes: Changes,
    /// What the inventory and the tags say (P4, P6).
    pub configured: Configured,
    /// Every size that the window's days saw, ascending (P6).
    pub sizes: Vec<SizeFacts>,
    /// Whether logs that hold reports of failures alone told some day of it.
    pub failures_only: bool,
    /// First report ever seen of the function.
    pub first_report: Timestamp,
    /// The present, as the window's clock sees it.
    pub present: Timestamp,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A function with these daily peaks, the last on 2026-01-31, which is closed. The window holds
    /// the last 14 of them.
    pub(in crate::policy) fn seen(peaks: &[u32]) -> FunctionEvidence {
        let to = Day::parse("2026-01-31").unwrap();
        let back = |n: usize| to.plus(-i32::try_from(n).unwrap());
        let history: Vec<DayPeak> = peaks
            .iter()
            .enumerate()
            .map(|(n, mb)| DayPeak {
                day: back(peaks.len() - 1 - n),
                peak: Megabytes(*mb),
            })
            .collect();
        let window = &history[history.len().saturating_sub(14)..];
        let highest = window.iter().max_by_key(|p| p.peak);
        FunctionEvidence {
            current_mb: Megabytes(1024),
            pending_mb: None,
            window: EvidenceWindow {
                from: to.plus(-13),
                to,
                days: u32::try_from(window.len()).unwrap(),
                invocations: 5000,
            },
            daily_peaks: window.iter().map(|p| p.peak).collect(),
            floor_peak: highest.map(|p| (p.day, p.peak)),
            censored: None,
            leak: None,
            changes: Changes::default(),
            configured: Configured::default(),
            sizes: Vec::new(),
            failures_only: false,
            agreed_mb: None,
            first_report: Timestamp::parse("2026-01-01T00:00:00Z").unwrap(),
            present: Timestamp::parse("2026-02-01T01:00:00Z").unwrap(),
            history,
        }
    }
}
