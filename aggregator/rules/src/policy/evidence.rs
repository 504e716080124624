//! What a policy sees of one function.

use rightsizer_records::{Day, EvidenceWindow, Megabytes, Timestamp};

use super::facts::{Changes, Configured, Leak, SizeFacts, SizeHealth, Successes, Wrapped};
use super::settings::PolicySettings;
use crate::power::Objective;

/// The peak of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayPeak {
    /// UTC date.
    pub day: Day,
    /// Highest memory used on it.
    pub peak: Megabytes,
}

impl FunctionEvidence {
    /// What its size is chosen for (P9), which also sets how much slower it may get (P6). Without a tag or a
    /// setting it is memory.
    pub fn objective(&self, settings: &PolicySettings) -> Objective {
        let set = self.configured.objective.or(settings.power.objective);
        set.or(settings.strategy).unwrap_or(Objective::Memory)
    }
}

/// One function's window, as the policies look at it.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionEvidence {
    /// Size of the environment that started last, or a size applied since.
    pub current_mb: Megabytes,
    /// A larger size that was sent and not answered yet, if any.
    pub pending_mb: Option<Megabytes>,
    /// The window that is decided on, with its counts.
    pub window: EvidenceWindow,
    /// Of them what succeeded: a decrease rests on nothing else.
    pub successes: Successes,
    /// Daily peaks of the window's closed days with a success (all days if there is none); if none
    /// is closed yet, of the open ones (W4: a recommendation exists as soon as there is evidence).
    pub daily_peaks: Vec<Megabytes>,
    /// All remembered days with a memory figure, oldest first, open days included.
    pub history: Vec<DayPeak>,
    /// Day and height of the highest peak that holds the floor up: window, open days and the last
    /// `floor_days` (P2).
    pub floor_peak: Option<(Day, Megabytes)>,
    /// The highest memory use in the days of the floor that more than one environment reached;
    /// `None` if unknown.
    pub agreed_mb: Option<Megabytes>,
    /// The largest size in which the demand was hidden, and when (P3). Only what still holds: not what
    /// ran before the code changed, nor what a person cleared.
    pub censored: Option<(Day, Megabytes)>,
    /// Whether its environments climb over their lives (P3): [`super::leak()`] of the high-water marks.
    pub leak: Option<Leak>,
    /// How the present size came to be (P3's limits, P5's steps).
    pub changes: Changes,
    /// Facts from the inventory and the tags (P4, P6).
    pub configured: Configured,
    /// Every size that the window's days saw, ascending (P6).
    pub sizes: Vec<SizeFacts>,
    /// How invocations ended at each size of the window's days, ascending (P6).
    pub health: Vec<SizeHealth>,
    /// A CloudWatch alarm on the function that is in `ALARM`; `None` if there is none, or alarms
    /// cannot be read.
    pub alarm: Option<String>,
    /// When its code or configuration was last changed by someone else, if the inventory has it.
    pub deployed_at: Option<Timestamp>,
    /// Whether any day of it comes from logs that contain failures only.
    pub failures_only: bool,
    /// On which of its days reports found in files of unknown tools are what counts.
    pub wrapped: Wrapped,
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
            health: Vec::new(),
            alarm: None,
            deployed_at: None,
            successes: Successes {
                days: u32::try_from(window.len()).unwrap(),
                invocations: 5000,
            },
            failures_only: false,
            wrapped: Wrapped::None,
            agreed_mb: None,
            first_report: Timestamp::parse("2026-01-01T00:00:00Z").unwrap(),
            present: Timestamp::parse("2026-02-01T01:00:00Z").unwrap(),
            history,
        }
    }
}
