//! Replays one series through one policy, day by day. `docs/POLICIES.md` specifies this loop; change both.

use rightsizer_records::{Day, EvidenceWindow, Megabytes, Timestamp};
use rightsizer_rules::policy::{
    Changes, Configured, DayPeak, FunctionEvidence, Successes, Wrapped, after_running_out,
};
use rightsizer_rules::window::{PEAK_MEMORY_DAYS, WINDOW_DAYS};

use super::contender::Contender;

/// The demand of one day. Days without invocations have none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DemandDay {
    /// UTC date.
    pub day: Day,
    /// Highest demand in MB; never negative.
    pub peak_mb: f64,
}

/// The days on which a policy decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Regime {
    /// Before every day.
    Daily,
    /// Before every 14th day, and held until the next.
    OncePerWindow,
}

impl Regime {
    /// Returns the name in the output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::OncePerWindow => "once-per-window",
        }
    }
}

/// The meaning of a gap between two rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gaps {
    /// Days without invocations.
    Idle,
    /// No days: the next row is the next day.
    Closed,
}

/// The options of the loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Days of each series that are evidence only.
    pub warm_up_days: i32,
    /// With daily decisions, smaller decreases than this share of the size are skipped.
    pub dead_band_percent: u32,
    /// The meaning of a gap.
    pub gaps: Gaps,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            warm_up_days: WINDOW_DAYS,
            dead_band_percent: 10,
            gaps: Gaps::Idle,
        }
    }
}

/// The result of one series.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Outcome {
    /// Days with a demand and a size, which are the days that count.
    pub days: u64,
    /// Days on which the demand was above the size.
    pub oom_days: u64,
    /// Sizes that ran out on those days, one after the other.
    pub oom_events: u64,
    /// Number of changes of the size.
    pub changes: u64,
    /// Calendar days from the first decision to the last row, inclusive.
    pub calendar_days: u64,
    /// Sum of the sizes at the end of each day, in MB.
    pub allocated_mb: f64,
    /// Sum of the daily demands, in MB.
    pub used_mb: f64,
}

/// Replays one series, whose days ascend, through one policy.
pub fn replay(series: &[DemandDay], policy: &Contender, regime: Regime, rules: Rules) -> Outcome {
    let mut run = Run::new(policy, regime, rules);
    let mut days = series
        .iter()
        .enumerate()
        .map(|(n, demand)| match rules.gaps {
            Gaps::Idle => *demand,
            Gaps::Closed => DemandDay {
                day: i32::try_from(n).map_or(demand.day, |n| series[0].day.plus(n)),
                ..*demand
            },
        });
    let Some(first) = days.next() else {
        return run.outcome;
    };
    run.first = first.day;
    run.day(first);
    let mut last = first.day;
    for demand in days {
        // With an empty window there is no evidence for a decision, and idle days change nothing.
        let until = demand.day.number().min(last.number() + WINDOW_DAYS + 1);
        for idle in last.number() + 1..until {
            run.begin(Day::from_number(idle));
        }
        run.begin(demand.day);
        run.day(demand);
        last = demand.day;
    }
    let span = run.since.map(|since| last.number() - since.number() + 1);
    run.outcome.calendar_days = span.and_then(|days| u64::try_from(days).ok()).unwrap_or(0);
    run.outcome
}

/// The state of a series during the replay.
struct Run<'a> {
    policy: &'a Contender,
    regime: Regime,
    rules: Rules,
    first: Day,
    /// The last decision of the policy.
    decided: Option<Megabytes>,
    /// The size of the function: the decided one, or the result of a bump.
    size: Option<Megabytes>,
    /// The day of the first decision.
    since: Option<Day>,
    seen: FunctionEvidence,
    ran_out: Vec<(Day, Megabytes)>,
    outcome: Outcome,
}

impl<'a> Run<'a> {
    fn new(policy: &'a Contender, regime: Regime, rules: Rules) -> Self {
        let never = Day::from_number(0);
        Self {
            policy,
            regime,
            rules,
            first: never,
            decided: None,
            size: None,
            since: None,
            seen: FunctionEvidence {
                current_mb: Megabytes(0),
                pending_mb: None,
                window: EvidenceWindow {
                    from: never,
                    to: never,
                    days: 0,
                    invocations: 0,
                },
                daily_peaks: Vec::new(),
                history: Vec::new(),
                floor_peak: None,
                censored: None,
                leak: None,
                changes: Changes::default(),
                configured: Configured::default(),
                successes: Successes::default(),
                sizes: Vec::new(),
                health: Vec::new(),
                alarm: None,
                deployed_at: None,
                failures_only: false,
                wrapped: Wrapped::None,
                agreed_mb: None,
                first_report: Timestamp::MIN,
                present: Timestamp::MIN,
            },
            ran_out: Vec::new(),
            outcome: Outcome::default(),
        }
    }

    /// Decides before a day, from the evidence of earlier days only.
    fn begin(&mut self, day: Day) {
        let age = day.number() - self.first.number() - self.rules.warm_up_days;
        if age < 0 {
            return;
        }
        let due = self.regime == Regime::Daily || age % WINDOW_DAYS == 0;
        let known = if due || self.size.is_none() {
            self.look_back(day);
            self.policy.size(&self.seen)
        } else {
            None
        };
        match (known, self.regime) {
            (Some(wanted), Regime::Daily) => self.set(self.beyond_dead_band(wanted)),
            (Some(wanted), Regime::OncePerWindow) => self.set(wanted),
            // A bump ends with its day, unless sizes that ran out are remembered (P3).
            (None, Regime::OncePerWindow) if !self.policy.remembers() => {
                if let Some(decided) = self.decided {
                    self.set(decided);
                }
            }
            (None, _) => return,
        }
        self.decided = self.size;
        self.since = self.since.or(Some(day));
    }

    fn beyond_dead_band(&self, wanted: Megabytes) -> Megabytes {
        let Some(size) = self.size else { return wanted };
        let less = u64::from(size.0.saturating_sub(wanted.0));
        let within = less * 100 < u64::from(size.0) * u64::from(self.rules.dead_band_percent);
        if within && wanted < size {
            size
        } else {
            wanted
        }
    }

    fn set(&mut self, size: Megabytes) {
        self.outcome.changes += u64::from(self.size.is_some_and(|had| had != size));
        self.size = Some(size);
    }

    /// Runs the day: compares its demand with the size, and adds it to the evidence.
    fn day(&mut self, demand: DemandDay) {
        let most = self.policy.settings().max_mb;
        // A demand above the largest size does not count against a policy.
        let peak_mb = demand.peak_mb.min(f64::from(most.0));
        if let Some(mut size) = self.size {
            let mut sizes_too_small = 0;
            while peak_mb > f64::from(size.0) {
                sizes_too_small += 1;
                self.ran_out.push((demand.day, size));
                size = after_running_out(size).min(most);
            }
            self.set(size);
            self.outcome.days += 1;
            self.outcome.oom_days += u64::from(sizes_too_small > 0);
            self.outcome.oom_events += sizes_too_small;
            self.outcome.allocated_mb += f64::from(size.0);
            self.outcome.used_mb += peak_mb;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and the largest size"
        )]
        let whole = peak_mb.ceil() as u32;
        self.seen.history.push(DayPeak {
            day: demand.day,
            peak: Megabytes(whole),
        });
    }

    /// Returns the evidence at the beginning of `day`.
    fn look_back(&mut self, day: Day) {
        let last_closed = day.plus(-1);
        let seen = &mut self.seen;
        // An increase needs a risk at the current size; without a current size, the wanted one is used.
        seen.current_mb = self.size.unwrap_or_default();
        let since = |from: Day| seen.history.partition_point(|p| p.day < from);
        let window = &seen.history[since(day.plus(-WINDOW_DAYS))..];
        seen.daily_peaks.clear();
        seen.daily_peaks.extend(window.iter().map(|p| p.peak));
        seen.window = EvidenceWindow {
            from: day.plus(-WINDOW_DAYS),
            to: last_closed,
            days: u32::try_from(window.len()).unwrap_or(u32::MAX),
            invocations: 0,
        };
        if !self.policy.remembers() {
            return;
        }
        let floor_days = self.policy.settings().floor_days.max(WINDOW_DAYS);
        let floor = &seen.history[since(day.plus(-floor_days))..];
        let highest = floor.iter().max_by_key(|p| p.peak);
        seen.floor_peak = highest.map(|p| (p.day, p.peak));
        self.ran_out
            .retain(|(ran_out, _)| *ran_out >= last_closed.plus(-PEAK_MEMORY_DAYS));
        seen.censored = self.ran_out.iter().copied().max_by_key(|(_, size)| *size);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rightsizer_rules::policy::PolicySettings;

    use super::super::contender::contenders;
    use super::*;

    fn series(peaks: &[Option<f64>]) -> Vec<DemandDay> {
        let first = Day::parse("2026-01-01").unwrap();
        (0..)
            .zip(peaks)
            .filter_map(|(n, peak)| {
                Some(DemandDay {
                    day: first.plus(n),
                    peak_mb: (*peak)?,
                })
            })
            .collect()
    }

    /// Returns the OOM-days of 200 MB daily with 900 MB every `period` days, from day `offset`.
    fn oom_days(period: usize, offset: usize, days: usize, regime: Regime) -> u64 {
        let policies = contenders(&PolicySettings::default());
        let configured = |p: &&Contender| p.name == "as-configured";
        let policy = policies.iter().find(configured).unwrap();
        let peak = |day: usize| if day % period == offset { 900.0 } else { 200.0 };
        let peaks: Vec<Option<f64>> = (0..days).map(|day| Some(peak(day))).collect();
        replay(&series(&peaks), policy, regime, Rules::default()).oom_days
    }

    /// 200 MB daily and 900 MB every 30 days for two years: only the first peak of 900 MB runs out of memory. If the
    /// first one is in the 14 days of warm-up, none does.
    #[test]
    fn p2_a_monthly_job_never_runs_out_twice() {
        for regime in [Regime::Daily, Regime::OncePerWindow] {
            for offset in 0..30 {
                let most = u64::from(offset >= 14);
                let found = oom_days(30, offset, 730, regime);
                assert!(found <= most, "{regime:?}, day {offset}: {found}");
            }
        }
    }

    /// A period of 60 days is longer than the floor's 35 days; sizes that ran out are remembered for 400 days.
    #[test]
    fn p3_a_size_that_ran_out_is_not_gone_below_again() {
        for regime in [Regime::Daily, Regime::OncePerWindow] {
            assert_eq!(oom_days(60, 20, 400, regime), 1, "{regime:?}");
        }
    }

    proptest! {
        /// For any demand, with gaps: every day ends with a sufficient size, an OOM-day has an event, and the
        /// demand of a day does not affect the size at its beginning (both last demands are below the
        /// smallest size, so neither causes a bump).
        #[test]
        fn every_day_ends_with_enough_and_begins_without_foresight(
            peaks in proptest::collection::vec(proptest::option::of(0.0_f64..12_000.0), 15..60),
            last in 0.0_f64..128.0, other in 0.0_f64..128.0,
        ) {
            for policy in contenders(&PolicySettings::default()) {
                for regime in [Regime::Daily, Regime::OncePerWindow] {
                    let run = |last| {
                        let mut peaks = peaks.clone();
                        peaks.push(Some(last));
                        replay(&series(&peaks), &policy, regime, Rules::default())
                    };
                    let outcome = run(last);
                    prop_assert!(outcome.allocated_mb >= outcome.used_mb);
                    prop_assert!(outcome.oom_events >= outcome.oom_days);
                    prop_assert!(outcome.days >= outcome.oom_days);
                    let unused = |outcome| Outcome { used_mb: 0.0, ..outcome };
                    prop_assert_eq!(unused(outcome), unused(run(other)));
                }
            }
        }
    }
}
