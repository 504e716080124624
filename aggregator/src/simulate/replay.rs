//! Replays one series through one policy, day by day. `docs/POLICIES.md` specifies this loop; change both.

use rightsizer_records::{Day, Megabytes};
use rightsizer_rules::assess::Viewpoint;
use rightsizer_rules::evidence::FunctionKey;
use rightsizer_rules::policy::{FunctionEvidence, after_running_out};
use rightsizer_rules::state::FunctionState;
use rightsizer_rules::window::{ClockMode, DayClock, Delta, WINDOW_DAYS};

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
pub(crate) fn replay(
    series: &[DemandDay],
    policy: &Contender,
    regime: Regime,
    rules: Rules,
) -> Outcome {
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

/// A series during its replay.
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
    /// What the rules keep of the series.
    state: FunctionState,
    outcome: Outcome,
}

impl<'a> Run<'a> {
    fn new(policy: &'a Contender, regime: Regime, rules: Rules) -> Self {
        Self {
            policy,
            regime,
            rules,
            first: Day::from_number(0),
            decided: None,
            size: None,
            since: None,
            state: FunctionState::new(FunctionKey::Local("series".to_owned())),
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
            self.evidence(day).and_then(|seen| self.policy.size(&seen))
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
        let mut too_small = Vec::new();
        if let Some(mut size) = self.size {
            while peak_mb > f64::from(size.0) {
                too_small.push(size);
                size = after_running_out(size).min(most);
            }
            self.set(size);
            self.outcome.days += 1;
            self.outcome.oom_days += u64::from(!too_small.is_empty());
            self.outcome.oom_events += u64::try_from(too_small.len()).unwrap_or(u64::MAX);
            self.outcome.allocated_mb += f64::from(size.0);
            self.outcome.used_mb += peak_mb;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and the largest size"
        )]
        let whole = peak_mb.ceil() as u32;
        // A figure of 0 would be none.
        let peak = (demand.day, Megabytes(whole.max(1)));
        let size = self.size.unwrap_or_default();
        let delta = Delta::of_daily_peak(self.state.function().clone(), peak, size, &too_small);
        self.state
            .apply(delta, &clock_of(demand.day), demand.day.start());
    }

    /// Returns what a decision before `day` sees; `None` if its window is empty.
    fn evidence(&mut self, day: Day) -> Option<FunctionEvidence> {
        let settings = self.policy.settings();
        self.state.drop_old(day.plus(-1), settings);
        let view = Viewpoint {
            clock: &clock_of(day),
            now: day.start(),
            settings,
        };
        Some(FunctionEvidence {
            // An increase needs a risk at the current size; without a current size, the wanted one is used.
            current_mb: self.size.unwrap_or_default(),
            // A trace names no environments.
            agreed_mb: None,
            ..self.state.assess(view)?.evidence
        })
    }
}

/// The clock at the beginning of `day`, when all earlier days are closed.
fn clock_of(day: Day) -> DayClock {
    DayClock::new(ClockMode::Event, Some(day.start()), Some(day.plus(-1)))
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
        #![proptest_config(ProptestConfig::with_cases(32))]
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
