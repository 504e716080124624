//! The verdict on changes at hours at which a function takes longer, or less long, than at others.

use rightsizer_records::{Day, Megabytes, Millis, Timestamp};

use super::days::{ObservedDay, OpenTrial, TrialFacts};
use super::judge::{Cause, Verdict, judge};
use super::simulated_tests::Chance;
use super::trial::Reverted;
use crate::window::{Distribution, Hours};

/// Three hours.
const PART_MS: i64 = 10_800_000;
const TOLERANCE: f64 = 1.25;
const FUNCTIONS: u64 = 150;

/// How long a function takes by the part of the day, and how often it is called before and after the change.
struct Function {
    /// Geometric mean in ms of each part of a weekday.
    ms: [f64; 8],
    /// Factor of a weekend.
    weekend: f64,
    /// Deviation of the logarithms at one time.
    deviation: f64,
    /// Share of the invocations that take four times as long.
    tail: f64,
    before: [u32; 8],
    after: [u32; 8],
    /// Factor of the change.
    slower: f64,
    /// In which part, counted from the first day, it was changed.
    changed: i64,
}

impl Function {
    /// Thrice as long from midnight to 03:00, when it is hardly called.
    const USUAL: Self = Self {
        ms: [300.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0],
        weekend: 1.0,
        deviation: 0.2,
        tail: 0.01,
        before: [3, 30, 30, 30, 30, 30, 30, 30],
        after: [3, 30, 30, 30, 30, 30, 30, 30],
        slower: 1.0,
        changed: 14 * 8,
    };

    /// Any function, called at least twice in each part of a day, and changed in any part of the week.
    fn any(chance: &mut Chance) -> Self {
        let calls = [0; 8].map(|_| whole(chance.next() * chance.next() * 40.0) + 2);
        Self {
            ms: [0.0; 8].map(|_| 100.0 * (chance.next() * 2.0 - 1.0).exp()),
            weekend: (chance.next() * 0.8 - 0.4).exp(),
            deviation: 0.05 + 0.4 * chance.next(),
            tail: 0.02 * chance.next(),
            before: calls,
            after: calls,
            slower: 1.0,
            changed: 14 * 8 + i64::from(whole(chance.next() * 56.0)),
        }
    }

    /// Called after the change in its slowest part of the day only, in which it was hardly called before.
    fn moved(self) -> Self {
        let slowest = (0..8).max_by(|a: &usize, b| self.ms[*a].total_cmp(&self.ms[*b]));
        let slowest = slowest.unwrap();
        let (mut before, mut after) = (self.before, [0; 8]);
        (before[slowest], after[slowest]) = (2, 40);
        Self {
            before,
            after,
            ..self
        }
    }

    /// Adds what runs in one part of a day.
    fn run(&self, part: i64, days: &mut Vec<ObservedDay>, chance: &mut Chance) {
        let (calls, size, slower) = if part < self.changed {
            (self.before, Megabytes(1024), 1.0)
        } else {
            (self.after, Megabytes(512), self.slower)
        };
        let of_day = usize::try_from(part % 8).unwrap();
        let at = start().plus_ms(part * PART_MS + 1);
        for _ in 0..calls[of_day] {
            let ms = self.ms[of_day] * self.factor(at.day(), chance) * slower;
            if days
                .last()
                .is_none_or(|d| (d.day, d.size) != (at.day(), size))
            {
                days.push(empty(at.day(), size));
            }
            let day = days.last_mut().unwrap();
            let duration = Millis::from_ms_f64((ms * 1000.0).round() / 1000.0).unwrap();
            day.invocations += 1;
            day.billed_ms += duration.ceil_ms();
            day.durations.record(duration.ceil_ms());
            day.hours.add(at, duration);
        }
    }

    /// Of one invocation.
    fn factor(&self, day: Day, chance: &mut Chance) -> f64 {
        let weekend = matches!(day.number().rem_euclid(7), 2 | 3);
        let season = if weekend { self.weekend } else { 1.0 };
        let tail = if chance.next() < self.tail { 4.0 } else { 1.0 };
        // Three uniform numbers of variance 1/12 add up to a variance of 1/4.
        let normal = 2.0 * ((0..3).map(|_| chance.next()).sum::<f64>() - 1.5);
        season * tail * (normal * self.deviation).exp()
    }

    /// Returns after which part since the change it is rolled back, and why, if within four days: by the hours, and by
    /// the days as they were measured.
    fn rolled_back(&self, seed: u64) -> [Option<(i64, Cause)>; 2] {
        let (mut days, mut chance) = (Vec::new(), Chance(seed));
        for part in self.changed - 14 * 8..self.changed {
            self.run(part, &mut days, &mut chance);
        }
        let mut found = [None; 2];
        let mut over = [false; 2];
        for look in 1..=32 {
            self.run(self.changed + look - 1, &mut days, &mut chance);
            for (at, by_hours) in [true, false].into_iter().enumerate() {
                if over[at] {
                    continue;
                }
                let verdict = self.verdict(&days, look, by_hours);
                over[at] = verdict != Verdict::Wait;
                if let Verdict::Rollback(cause) = verdict {
                    found[at] = Some((look, cause));
                }
            }
        }
        found
    }

    /// The verdict after this number of parts.
    fn verdict(&self, days: &[ObservedDay], look: i64, by_hours: bool) -> Verdict {
        let now = start().plus_ms((self.changed + look) * PART_MS);
        let open = OpenTrial {
            id: "r".to_owned(),
            from_mb: Megabytes(1024),
            to_mb: Megabytes(512),
            applied_at: start().plus_ms(self.changed * PART_MS),
        };
        let facts = TrialFacts {
            now,
            last: now,
            begun: 5,
            reverted: Reverted::default(),
            p95_tolerance: TOLERANCE,
        };
        let seen = days.iter().cloned().map(|mut day| {
            if !by_hours {
                day.hours = Hours::default();
            }
            day
        });
        judge(&open.evidence(seen, facts))
    }
}

fn whole(number: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "small"
    )]
    let whole = number as u32;
    whole
}

/// A Thursday.
fn start() -> Timestamp {
    Day::from_number(20_601).start()
}

fn empty(day: Day, size: Megabytes) -> ObservedDay {
    ObservedDay {
        day,
        kind: 0,
        size,
        invocations: 0,
        environments: 5,
        errors: 0,
        timeouts: 0,
        censored: false,
        ooms: 0,
        billed_ms: 0,
        durations: Distribution::default(),
        hours: Hours::default(),
    }
}

/// The number of functions that are rolled back: by the hours, and by the days as they were measured.
fn count(mut of: impl FnMut(u64) -> [Option<(i64, Cause)>; 2]) -> [u32; 2] {
    let mut counts = [0; 2];
    for seed in 0..FUNCTIONS {
        for (count, found) in counts.iter_mut().zip(of(seed)) {
            *count += u32::from(found.is_some());
        }
    }
    counts
}

/// At midnight the function is called for the first time at its new size. It takes 300 ms there, as always at that hour,
/// and the earlier 95th percentile, of which 1.4 % of the invocations were at that hour, is some 140 ms.
#[test]
fn a_change_at_a_slow_hour_is_not_judged_by_the_fast_ones() {
    let night = Function {
        after: [30, 0, 0, 0, 0, 0, 0, 0],
        ..Function::USUAL
    };
    let [by_hours, as_measured] = night.rolled_back(1);
    assert_eq!(by_hours, None);
    assert!(
        matches!(as_measured, Some((1, Cause::Slower { hours: None, .. }))),
        "{as_measured:?}"
    );
}

/// On the weekend it takes half as long, so that 1.6 times as long is 0.8 times what the earlier 95th percentile was.
#[test]
fn a_slowdown_that_fast_hours_hide_is_found() {
    let weekend = Function {
        weekend: 0.5,
        slower: 1.6,
        // The first Saturday after two weeks.
        changed: 16 * 8,
        ..Function::USUAL
    };
    let [by_hours, as_measured] = weekend.rolled_back(1);
    assert!(
        as_measured.is_none_or(|(look, _)| look > 16),
        "{as_measured:?}"
    );
    let Some((
        look,
        cause @ Cause::Slower {
            hours: Some(hours), ..
        },
    )) = by_hours
    else {
        panic!("{by_hours:?}");
    };
    assert!(look <= 4 && (0.4..0.7).contains(&hours), "{look} {cause}");
    insta::assert_snapshot!(cause, @"slower: 20 of 93 invocations took over 0.69 × the earlier 95th percentile, which was 0.55 × as long at the same hours");
}

/// Any functions, whose calls are at other hours after the change, at which they take as long as before.
#[test]
fn traffic_that_moves_to_slower_hours_is_not_a_slowdown() {
    let counts = count(|seed| {
        let function = Function::any(&mut Chance(seed)).moved();
        function.rolled_back(seed)
    });
    println!("{counts:?} of {FUNCTIONS}");
    assert!(counts[0] <= 1 && counts[1] >= 30, "{counts:?}");
}

/// Called as before, and as fast: nothing is rolled back.
#[test]
fn functions_that_did_not_change_are_left() {
    let counts = count(|seed| Function::any(&mut Chance(seed)).rolled_back(seed));
    println!("{counts:?} of {FUNCTIONS}");
    assert!(counts[0] <= 1, "{counts:?}");
}

/// 1.8 times as long in each hour: what is rolled back by the days as they were measured is so by the hours too, on the
/// same day, and more of the others are. One of some hundred is not: by the days as they were measured it is taken back
/// after twelve calls, because they were in a slow hour, and later it would not be.
#[test]
fn a_real_slowdown_is_taken_back_on_the_same_day() {
    for moved in [false, true] {
        let (mut missed, mut later) = (0, 0);
        let counts = count(|seed| {
            let function = Function {
                slower: 1.8,
                ..Function::any(&mut Chance(seed))
            };
            let function = if moved { function.moved() } else { function };
            let found = function.rolled_back(seed);
            missed += u32::from(found[0].is_none() && found[1].is_some());
            let day = |of: &Option<(i64, Cause)>| of.map_or(0, |(look, _)| (look - 1) / 8);
            later += u32::from(day(&found[0]) > day(&found[1]));
            found
        });
        println!("moved {moved}: {counts:?} of {FUNCTIONS}, {missed} missed, {later} later");
        assert!(missed <= 1 && later == 0, "{counts:?}");
        assert!(moved || counts[0] > counts[1], "{counts:?}");
    }
}

/// Two weeks before and a week since the change have the same share of calls at each time: the hours change nothing.
#[test]
fn equal_hours_give_the_verdict_of_whole_days() {
    let mut rolled_back = 0;
    for seed in 0..FUNCTIONS {
        let mut chance = Chance(seed);
        let function = Function {
            slower: 0.9 + 0.9 * chance.next(),
            changed: 14 * 8,
            ..Function::any(&mut chance)
        };
        let (mut days, mut chance) = (Vec::new(), Chance(seed));
        for part in 0..function.changed + 56 {
            function.run(part, &mut days, &mut chance);
        }
        let [by_hours, measured] = [true, false].map(|by| function.verdict(&days, 56, by));
        rolled_back += u32::from(matches!(measured, Verdict::Rollback(_)));
        assert_eq!(by_hours, measured, "{seed}");
    }
    assert!((20..130).contains(&rolled_back), "{rolled_back}");
}
