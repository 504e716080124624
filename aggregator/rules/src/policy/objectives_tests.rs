//! P9 in a closed loop: random functions, whose durations are known at every size, are steered by each objective day
//! after day, with noise, drift and a memory need. At which size do they rest, and does any run out?

use rightsizer_records::{Megabytes, Millis, Timestamp};

use super::case::Case;
use super::facts::{CpuUse, SizeChange, SizeFacts, SizeHealth};
use super::seen_curve::drawn;
use crate::power::{Objective, Workload};
use crate::price::PriceTable;

/// Days of a run; a function that rests for [`RESTS`] of them ends it.
const DAYS: usize = 60;
const RESTS: usize = 4;
/// Days that a window remembers.
const WINDOW: usize = 14;
/// Steps of less than this are not made (P5), however narrow the interval is.
const DEAD_BAND: f64 = 1.05;
/// Functions that each objective steers; `RIGHTSIZER_LAW` sets another number.
const FUNCTIONS: u64 = 20;

/// A generator of numbers (`SplitMix64`), so that each run is the same.
pub(super) struct Random(pub(super) u64);

impl Random {
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// A standard normal number, by Box and Muller.
    fn normal(&mut self) -> f64 {
        let (a, b) = (self.unit().max(1e-12), self.unit());
        (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    }
}

/// A function that waits and computes.
pub(super) struct Function {
    work: Workload,
    /// Deviation of the logarithm of a size's median.
    noise: f64,
    /// Change of the durations of a day.
    drift: f64,
    need_mb: u32,
    pub(super) start_mb: u32,
    has_cpu: bool,
}

impl Function {
    pub(super) fn of(random: &mut Random) -> Self {
        let need_mb = whole(random.between(40.0, 900.0));
        let least = need_mb + 120;
        Self {
            work: Workload::serial(
                // A third only computes: more memory is free speed for it.
                random.between(-200.0, 400.0).max(0.0),
                10_f64.powf(random.between(0.5, 3.0)),
                random.between(1.0, 4.0),
            ),
            noise: random.between(0.0, 0.04),
            drift: 1.0 + random.between(-0.002, 0.002),
            need_mb,
            start_mb: whole(random.between(f64::from(least).ln(), 3500_f64.ln()).exp()),
            has_cpu: random.unit() < 0.6,
        }
    }

    fn ms(&self, size: u32) -> f64 {
        self.work.duration_ms(Megabytes(size))
    }

    /// 10,000 invocations at a size on a day.
    pub(super) fn measured(&self, size: u32, day: usize, random: &mut Random) -> SizeFacts {
        let millis = |ms: f64| Millis::from_ms_f64(ms).unwrap();
        let drift = self.drift.powi(i32::try_from(day).unwrap());
        let ms = self.ms(size) * drift * (self.noise * random.normal()).exp();
        let cpu = CpuUse {
            cpu_ms: u64::from(whole(self.work.cpu_ms * drift * 1000.0)) * 10,
            wall_ms: u64::from(whole(ms * 1000.0)) * 10,
        };
        SizeFacts {
            memory_mb: Megabytes(size),
            invocations: 10_000,
            billed_ms: u64::from(whole(ms * 1000.0)) * 10,
            p50: millis(ms),
            p95: millis(2.0 * ms),
            p99: millis(3.0 * ms),
            cpu: self.has_cpu.then_some(cpu),
            hours_factor: None,
        }
    }

    /// The evidence after the function had `sizes`, each measured when it was the present one.
    pub(super) fn case(&self, objective: Objective, sizes: &[(u32, SizeFacts)]) -> Case {
        let now = sizes.last().unwrap().0;
        let mut case = Case::new(now, &[self.need_mb; 14]);
        let window = &sizes[sizes.len().saturating_sub(WINDOW)..];
        let mut measured: Vec<SizeFacts> = Vec::new();
        for (_, facts) in window.iter().rev() {
            if measured
                .iter()
                .all(|known| known.memory_mb != facts.memory_mb)
            {
                measured.push(*facts);
            }
        }
        measured.sort_unstable_by_key(|facts| facts.memory_mb);
        case.0.health = measured
            .iter()
            .map(|facts| SizeHealth {
                invocations: 10_000,
                peak_mb: Megabytes(self.need_mb),
                init: Some(Millis::from_ms(10)),
                restore: None,
                ..SizeHealth::none(facts.memory_mb)
            })
            .collect();
        case.0.sizes = measured;
        case.0.configured.objective = Some(objective);
        let mut changes = sizes.windows(2).filter(|pair| pair[0].0 != pair[1].0);
        let first = changes.next();
        let last = changes.next_back().or(first);
        case.0.changes.before_mb = first.map(|pair| Megabytes(pair[0].0));
        let decreased = sizes.windows(2).find(|pair| pair[1].0 < pair[0].0);
        case.0.changes.baseline_p95 = decreased.map(|pair| pair[0].1.p95);
        case.0.changes.last = last.map(|pair| SizeChange {
            at: Timestamp::parse("2026-01-30T00:00:00Z").unwrap(),
            from_mb: Megabytes(pair[0].0),
            to_mb: Megabytes(pair[1].0),
            verified: true,
            invocations: 10_000,
        });
        case
    }

    /// The sizes by day, and the last evidence.
    fn steered(&self, objective: Objective, random: &mut Random) -> (Vec<u32>, Case) {
        let mut sizes = vec![(self.start_mb, self.measured(self.start_mb, 0, random))];
        let mut rests = 0;
        loop {
            let case = self.case(objective, &sizes);
            let next = match case.step() {
                (Some(to), true) => to,
                _ => case.0.current_mb.0,
            };
            rests = if next == case.0.current_mb.0 {
                rests + 1
            } else {
                0
            };
            if rests == RESTS || sizes.len() == DAYS {
                return (sizes.into_iter().map(|(size, _)| size).collect(), case);
            }
            sizes.push((next, self.measured(next, sizes.len(), random)));
        }
    }

    /// Whether P1 to P6 and the budget allow a size.
    fn is_allowed(&self, objective: Objective, size: u32, case: &Case) -> bool {
        let cost = |size: u32| self.ms(size) * f64::from(size);
        let tolerance = case.1.p95_tolerance.of(objective);
        let least = (self.need_mb + 100).max((self.need_mb * 11).div_ceil(10));
        let within = objective != Objective::Speed || cost(size) <= cost(self.start_mb) * 1.0001;
        size >= least && within && self.ms(size) <= tolerance * self.ms(self.start_mb)
    }

    /// What an objective minimizes, for a size at which an invocation takes so long.
    fn score(&self, objective: Objective, size: u32, ms: f64) -> f64 {
        let start = self.ms(self.start_mb);
        let cost = ms * f64::from(size) / (start * f64::from(self.start_mb));
        match objective {
            Objective::Memory => f64::from(size),
            Objective::Cost => cost,
            Objective::Balanced => cost + ms / start,
            Objective::Speed => ms / start,
        }
    }

    /// Whether the last size's score lies within the interval that the curve has for the best size's, or P5's dead
    /// band of it.
    fn rests_at_the_best(&self, objective: Objective, last: u32, case: &Case) -> bool {
        let score = |size: u32| self.score(objective, size, self.ms(size));
        let allowed = (128..=10_240).filter(|size| self.is_allowed(objective, *size, case));
        let Some(best) = allowed.min_by(|a, b| score(*a).total_cmp(&score(*b))) else {
            return last == self.start_mb;
        };
        let rates = PriceTable::default().rates(None);
        let drawn = drawn(&case.0, "f", Megabytes(128), (None, rates, None), &case.1).unwrap();
        let estimated = drawn.points.iter().filter(|point| point.p50_ms.is_some());
        let point = estimated
            .min_by_key(|point| point.memory_mb.0.abs_diff(best))
            .unwrap();
        // The curve may have no point at exactly this size.
        let high = point.p50_high.unwrap() * self.ms(best) / self.ms(point.memory_mb.0);
        score(last)
            <= self
                .score(objective, best, high)
                .max(score(best) * DEAD_BAND)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "megabytes and milliseconds"
)]
const fn whole(value: f64) -> u32 {
    value.round() as u32
}

/// Prints the counts: `cargo test -p rightsizer-rules p9_objectives -- --nocapture`.
#[test]
fn p9_objectives_rest_within_the_interval_of_the_best_size() {
    let set = std::env::var("RIGHTSIZER_LAW").ok();
    let count = set
        .and_then(|number| number.parse().ok())
        .unwrap_or(FUNCTIONS);
    for objective in [Objective::Cost, Objective::Balanced, Objective::Speed] {
        let (mut rested, mut at_best, mut ran_out, mut steps) = (0, 0, 0, 0);
        let mut over = 0;
        for seed in 0..count {
            let random = &mut Random(seed + 1);
            let function = Function::of(random);
            let (sizes, case) = function.steered(objective, random);
            steps += sizes.windows(2).filter(|pair| pair[0] != pair[1]).count();
            ran_out += u64::from(sizes.iter().any(|size| *size < function.need_mb));
            let last = *sizes.last().unwrap();
            rested += u64::from(sizes.len() < DAYS);
            let cost = function.ms(last) * f64::from(last);
            let budget = function.ms(function.start_mb) * f64::from(function.start_mb);
            over += u64::from(objective == Objective::Speed && cost > budget * 1.06);
            let good = function.rests_at_the_best(objective, last, &case);
            at_best += u64::from(good && sizes.len() < DAYS);
            if !good || sizes.len() == DAYS {
                println!(
                    "{}: seed {seed} {:?} need {} {sizes:?}",
                    objective.name(),
                    function.work,
                    function.need_mb
                );
            }
        }
        println!(
            "{}: {count} functions, {rested} came to rest, {at_best} within the interval of the best size, \
             {ran_out} at a size that runs out, {over} over the budget by 6 %, {steps} steps",
            objective.name()
        );
        assert_eq!(ran_out, 0);
        assert!(over * 100 <= count * 5, "{over} of {count} over the budget");
        assert!(
            at_best * 100 >= count * 95,
            "{}: {at_best} of {count}",
            objective.name()
        );
    }
}
