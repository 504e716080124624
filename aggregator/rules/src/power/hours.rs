//! Matches the hours of sizes: two sizes of a version ran at different hours and on different days of the week, at
//! which its invocations take differently long. Pure: it must not know what a size costs, or which one is safe.
//!
//! The mean logarithm of the durations of one size in one part of a day is taken to be the sum of what the day has, what
//! the part of the day has, and noise; and that of a day the sum of what the size has, what a weekend has, and noise.
//! Parts are compared within a day, and days within a size, so that neither a drift nor the sizes themselves count as
//! an effect of the hours. Each effect is shrunk by its noise (James and Stein): an effect that is not larger is none.
//! A median is then that of a mixture: each time has its effect, its share of the invocations, and the same deviation.

use rightsizer_records::{Day, Megabytes};
use serde::{Deserialize, Serialize};

use super::mixture::{Part, merged, quantile};
use super::used::SizeUse;

mod compared;

pub(crate) use compared::compare_hours;

/// Rounds of alternating means. Sizes that share most of their hours need a few; with fewer rounds less is shifted.
const ROUNDS: usize = 10;
/// Durations with a time of day must be at least this share of all: the others ran at hours that are not known.
const COVERED: f64 = 0.9;
/// The deviation of a function of which each invocation at one time takes as long as the others.
const LEAST_DEVIATION: f64 = 0.005;
/// A smaller shift of the logarithm of a median is none: medians are not computed much more exactly.
const LEAST_SHIFT: f64 = 0.001;
/// 1970-01-01 was a Thursday, so these are Saturdays and Sundays.
const WEEKEND: std::ops::RangeInclusive<i32> = 2..=3;

/// The durations of one size by day and time of the day.
#[derive(Debug, Clone)]
pub struct SizeHours {
    parts: Vec<PartOfDay>,
    /// All durations of the size, those without a time of the day included.
    durations: u64,
    /// Standard deviation of their logarithms.
    spread: f64,
}

/// The invocations in one part of a day.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PartOfDay {
    pub(crate) day: Day,
    /// Which part.
    pub(crate) part: usize,
    /// Number of them.
    pub(crate) count: f64,
    /// The mean of the natural logarithms of their durations.
    pub(crate) log: f64,
}

impl PartOfDay {
    /// Returns a part of a day, with the number of its invocations and their mean logarithm.
    pub(crate) const fn of(day: Day, (part, count, log): (usize, f64, f64)) -> Self {
        Self {
            day,
            part,
            count,
            log,
        }
    }
}

impl SizeHours {
    /// Returns the hours of a size with this number of durations, and this standard deviation of their logarithms. Parts
    /// of one day follow each other.
    pub(crate) const fn of(parts: Vec<PartOfDay>, durations: u64, spread: f64) -> Self {
        Self {
            parts,
            durations,
            spread,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    fn is_covered(&self) -> bool {
        let timed: f64 = self.parts.iter().map(|part| part.count).sum();
        timed > 0.0 && timed >= COVERED * self.durations as f64
    }
}

/// A size whose durations are those at the hours of all sizes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HoursMatched {
    /// The size.
    pub memory_mb: Megabytes,
    /// Its median at these hours ÷ its median as it was measured.
    pub factor: f64,
}

impl HoursMatched {
    pub(super) fn of(size: &SizeUse) -> Option<Self> {
        size.hours_factor.map(|factor| Self {
            memory_mb: size.memory_mb,
            factor,
        })
    }
}

/// Returns for each of the `sizes` of a version by which factor its median changes if all sizes run at the same hours
/// and on the same days of the week, which are those of all their invocations. `None` for a size whose hours are not
/// known, and for all if there are not two sizes with known hours.
pub fn match_hours(sizes: &[SizeHours]) -> Vec<Option<f64>> {
    let covered: Vec<bool> = sizes.iter().map(SizeHours::is_covered).collect();
    if covered.iter().filter(|covered| **covered).count() < 2 {
        return vec![None; sizes.len()];
    }
    let mut cells = Cells::default();
    for (at, size) in sizes.iter().enumerate().filter(|(at, _)| covered[*at]) {
        cells.add(at, size);
    }
    let effects = cells.effects();
    let times = |size: Option<usize>| {
        let of_size = |cell: &Cell| size.is_none_or(|size| cells.days[cell.day].size == size);
        let found = cells.all.iter().zip(&effects);
        let found = found.filter(|(cell, _)| of_size(cell));
        Times::of(found.map(|(cell, effect)| (cell.count, *effect)))
    };
    let known = (0..sizes.len()).filter(|at| covered[*at]);
    let own: Vec<(usize, Times)> = known.map(|at| (at, times(Some(at)))).collect();
    // The deviation at one time is that of the size which shows the least: it had the fewest times to differ.
    let within = own
        .iter()
        .map(|(at, times)| times.deviation_within(sizes[*at].spread));
    let within = within.fold(f64::INFINITY, f64::min);
    let common = times(None).quantile(0.5, within);
    let mut factors = vec![None; sizes.len()];
    for (at, times) in own {
        let shift = common - times.quantile(0.5, within);
        factors[at] = Some(if shift.abs() < LEAST_SHIFT {
            1.0
        } else {
            shift.exp()
        });
    }
    factors
}

/// The times at which something ran: what each adds to the logarithm of a duration, and its share of the invocations.
struct Times(Vec<(f64, f64)>);

impl Times {
    fn of(cells: impl Iterator<Item = (f64, f64)>) -> Self {
        let mut times: Vec<(f64, f64)> = cells.collect();
        let all: f64 = times.iter().map(|(count, _)| count).sum();
        times
            .iter_mut()
            .for_each(|(count, _)| *count /= all.max(f64::MIN_POSITIVE));
        Self(times)
    }

    /// Returns what of this deviation is not that between the times.
    fn deviation_within(&self, spread: f64) -> f64 {
        let mean = weighted_mean(self.0.iter().copied());
        let between: f64 = self
            .0
            .iter()
            .map(|(share, effect)| share * (effect - mean).powi(2))
            .sum();
        (spread * spread - between)
            .max(0.0)
            .sqrt()
            .max(LEAST_DEVIATION)
    }

    fn quantile(&self, q: f64, deviation: f64) -> f64 {
        let parts = self.0.iter().map(|(share, effect)| Part {
            weight: *share,
            mean: *effect,
            deviation,
        });
        quantile(&merged(parts.collect()), q)
    }
}

/// One part of one day at one size.
struct Cell {
    /// Its place in [`Cells::days`].
    day: usize,
    part: usize,
    count: f64,
    log: f64,
}

/// One day at one size.
struct CellDay {
    size: usize,
    weekend: bool,
}

#[derive(Default)]
struct Cells {
    days: Vec<CellDay>,
    all: Vec<Cell>,
}

/// A weighted mean.
#[derive(Clone, Copy, Default)]
struct Mean {
    count: f64,
    mean: f64,
}

/// Returns the means of `values`: each has a group below `groups`, a weight, and a value.
fn means(groups: usize, values: impl Iterator<Item = (usize, f64, f64)>) -> Vec<Mean> {
    let mut means = vec![Mean::default(); groups];
    for (group, count, value) in values {
        let mean = &mut means[group];
        mean.count += count;
        mean.mean += count * value;
    }
    for mean in &mut means {
        mean.mean /= mean.count.max(f64::MIN_POSITIVE);
    }
    means
}

impl Cells {
    fn add(&mut self, size: usize, hours: &SizeHours) {
        for of_day in hours.parts.chunk_by(|a, b| a.day == b.day) {
            let at = self.days.len();
            self.days.push(CellDay {
                size,
                weekend: is_weekend(of_day[0].day),
            });
            let cell = |part: &PartOfDay| Cell {
                day: at,
                part: part.part,
                count: part.count,
                log: part.log,
            };
            self.all.extend(of_day.iter().map(cell));
        }
    }

    /// Returns the effect of the time on each cell.
    fn effects(&self) -> Vec<f64> {
        let seasons = self.seasons();
        let effect = |cell: &Cell| seasons.at(cell.part, self.days[cell.day].weekend);
        let effects = self.all.iter().map(effect);
        effects.map(Option::unwrap_or_default).collect()
    }

    /// Returns the effects of the times at which there are invocations.
    fn seasons(&self) -> Effects {
        let by_part = self.all.iter().map(|cell| Value {
            level: cell.day,
            effect: cell.part,
            count: cell.count,
            log: cell.log,
        });
        let parts = Fit::of(&by_part.collect::<Vec<_>>());
        let days = self.days.iter().zip(&parts.levels);
        let by_week = days.map(|(day, level)| Value {
            level: day.size,
            effect: day.weekend.into(),
            count: level.count,
            log: level.mean,
        });
        let week = Fit::of(&by_week.collect::<Vec<_>>());
        Effects {
            parts: parts.known(),
            week: week.known(),
        }
    }
}

/// What the times at which there are invocations add to the logarithm of a duration.
struct Effects {
    /// By part of the day.
    parts: Vec<Option<f64>>,
    /// Of weekdays, then of weekends.
    week: Vec<Option<f64>>,
}

impl Effects {
    /// Returns the effect of a part of a day. `None` if no invocation ran at that part of a day, or on that kind of day.
    fn at(&self, part: usize, weekend: bool) -> Option<f64> {
        let of = |effects: &[Option<f64>], at: usize| effects.get(at).copied().flatten();
        Some(of(&self.parts, part)? + of(&self.week, usize::from(weekend))?)
    }
}

fn is_weekend(day: Day) -> bool {
    WEEKEND.contains(&day.number().rem_euclid(7))
}

/// Returns the mean of values, each after its weight.
fn weighted_mean(values: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (weight, sum) = values.fold((0.0, 0.0), |(weight, sum), (more, value)| {
        (weight + more, sum + more * value)
    });
    sum / f64::max(weight, f64::MIN_POSITIVE)
}

/// What is taken to be the sum of a level, an effect and noise.
#[derive(Clone, Copy)]
struct Value {
    /// Which level, and which effect.
    level: usize,
    effect: usize,
    /// Its weight.
    count: f64,
    log: f64,
}

/// The levels and effects of values, by weighted least squares.
struct Fit {
    levels: Vec<Mean>,
    /// Shrunk by their noise.
    effects: Vec<f64>,
    /// The weight of the values with each effect.
    counts: Vec<f64>,
}

impl Fit {
    /// What levels alone explain is not put down to an effect.
    fn of(values: &[Value]) -> Self {
        let number =
            |of: fn(&Value) -> usize| values.iter().map(of).max().map_or(0, |most| most + 1);
        let numbers = (number(|value| value.level), number(|value| value.effect));
        let levels = |effects: &[f64]| {
            let rest = values
                .iter()
                .map(|v| (v.level, v.count, v.log - effects[v.effect]));
            means(numbers.0, rest)
        };
        let mut effects = vec![0.0; numbers.1];
        let (mut by_level, mut by_effect) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            by_level = levels(&effects);
            let rest = values
                .iter()
                .map(|v| (v.effect, v.count, v.log - by_level[v.level].mean));
            by_effect = means(numbers.1, rest);
            effects = by_effect.iter().map(|effect| effect.mean).collect();
        }
        let kept = kept(&by_level, &by_effect, values);
        effects.iter_mut().for_each(|effect| *effect *= kept);
        Self {
            levels: levels(&effects),
            counts: by_effect.iter().map(|effect| effect.count).collect(),
            effects,
        }
    }

    /// Returns each effect that values have.
    fn known(&self) -> Vec<Option<f64>> {
        let effects = self.effects.iter().zip(&self.counts);
        effects
            .map(|(effect, count)| (*count > 0.0).then_some(*effect))
            .collect()
    }
}

/// Returns the share of the effects that is not noise: one less the mean square of the noise ÷ that of the effects.
#[expect(clippy::cast_precision_loss, reason = "some thousands")]
fn kept(levels: &[Mean], effects: &[Mean], values: &[Value]) -> f64 {
    let number = |means: &[Mean]| means.iter().filter(|mean| mean.count > 0.0).count() as f64;
    let freedom = number(effects) - 1.0;
    let left = values.len() as f64 - number(levels) - freedom;
    if freedom < 1.0 || left < 1.0 {
        return 0.0;
    }
    let count: f64 = effects.iter().map(|effect| effect.count).sum();
    let mean: f64 = effects
        .iter()
        .map(|effect| effect.count * effect.mean)
        .sum::<f64>()
        / count;
    let square = |effect: &Mean| effect.count * (effect.mean - mean).powi(2);
    let explained = effects.iter().map(square).sum::<f64>() / freedom;
    let rest =
        |v: &Value| v.count * (v.log - levels[v.level].mean - effects[v.effect].mean).powi(2);
    let noise = values.iter().map(rest).sum::<f64>() / left;
    if noise >= explained {
        0.0
    } else {
        1.0 - noise / explained
    }
}

#[cfg(test)]
mod tests;
