//! Collects runs by function and size, and summarizes them as one point for each size.

use std::collections::BTreeMap;
use std::collections::HashMap;

use rightsizer_records::Megabytes;
use rightsizer_rules::power::{SizePoint, cores};

/// One invocation, or the mean of `count` invocations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Run {
    /// Duration in milliseconds, above zero.
    pub duration_ms: f64,
    /// CPU time in milliseconds.
    pub cpu_ms: Option<f64>,
    /// Highest memory used, in MB.
    pub used_mb: Option<f64>,
    /// Number of invocations it represents.
    pub count: u64,
}

/// Most runs that are kept at one size; of more, every second, fourth, … run is kept.
const MOST_RUNS: usize = 1 << 15;

/// Most sizes of a function that are used; of more, an even sample. The work grows with their third power, and Power
/// Tuning's `ALL` has 46.
const MOST_SIZES: usize = 64;

/// The runs of a function at one size; an even sample if there are too many.
#[derive(Debug, Clone)]
struct Cell {
    runs: Vec<Run>,
    seen: u64,
    stride: u64,
}

impl Cell {
    const fn new() -> Self {
        Self {
            runs: Vec::new(),
            seen: 0,
            stride: 1,
        }
    }

    fn add(&mut self, run: Run) {
        if self.seen.is_multiple_of(self.stride) {
            self.runs.push(run);
        }
        self.seen += 1;
        if self.runs.len() > MOST_RUNS {
            let mut even = false;
            self.runs.retain(|_| {
                even = !even;
                even
            });
            self.stride *= 2;
        }
    }
}

/// All runs, by function in the order of their first rows.
#[derive(Debug, Clone, Default)]
pub struct Runs {
    places: HashMap<String, usize>,
    functions: Vec<(String, BTreeMap<Megabytes, Cell>)>,
}

/// A function with its sizes, ascending.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Its name in the input.
    pub name: String,
    /// One point for each size.
    pub points: Vec<SizePoint>,
    /// Number of runs that were set aside because they did other work or waited for something else.
    pub set_aside: u64,
    /// Number of sizes that were left out because there are too many.
    pub sizes_left_out: usize,
}

impl Runs {
    /// Adds a run.
    pub fn add(&mut self, function: &str, memory_mb: Megabytes, run: Run) {
        let place = if let Some(place) = self.places.get(function) {
            *place
        } else {
            self.functions.push((function.to_owned(), BTreeMap::new()));
            self.places
                .insert(function.to_owned(), self.functions.len() - 1);
            self.functions.len() - 1
        };
        let cells = &mut self.functions[place].1;
        cells.entry(memory_mb).or_insert_with(Cell::new).add(run);
    }

    /// Returns one point for each function and size. `all` also keeps runs whose CPU time contradicts the others.
    pub fn measured(self, all: bool) -> Vec<Measured> {
        let of = |(name, cells): (String, BTreeMap<Megabytes, Cell>)| measured(name, &cells, all);
        self.functions.into_iter().map(of).collect()
    }
}

fn measured(name: String, cells: &BTreeMap<Megabytes, Cell>, all: bool) -> Measured {
    let usual = if all { None } else { Usual::of(cells) };
    let mut set_aside = 0;
    let mut points = Vec::new();
    for (size, cell) in cells {
        let odd = |run: &&Run| usual.is_some_and(|usual| usual.contradicts(**run, *size));
        let (odd, consistent): (Vec<&Run>, Vec<&Run>) = cell.runs.iter().partition(odd);
        set_aside += odd.len() as u64 * cell.stride;
        points.extend(point(*size, &consistent, cell.stride));
    }
    // Three runs are too few to estimate a spread, so all sizes of a function share one.
    let spread = median(
        points
            .iter()
            .filter_map(|point| Some((point.spread?, point.invocations))),
    );
    points.iter_mut().for_each(|point| point.spread = spread);
    let sizes = points.len();
    let points = evenly(points, MOST_SIZES);
    Measured {
        name,
        sizes_left_out: sizes - points.len(),
        points,
        set_aside,
    }
}

/// Returns at most `most` items, spread evenly from the first to the last.
fn evenly<T: Copy>(items: Vec<T>, most: usize) -> Vec<T> {
    if items.len() <= most {
        return items;
    }
    let last = items.len() - 1;
    (0..most).map(|n| items[n * last / (most - 1)]).collect()
}

/// The usual CPU time of a function's runs.
#[derive(Debug, Clone, Copy)]
struct Usual {
    /// Median CPU time, because the same work takes the same CPU time.
    cpu_ms: f64,
    /// Median share of the available CPU that the runs used.
    used: f64,
}

/// Less CPU time than this is too few ticks for a comparison.
const LEAST_CPU_MS: f64 = 100.0;
/// A run whose CPU time differs by more than this factor did other work.
const OTHER_WORK: f64 = 3.0;
/// A function that always computes uses at least this share of the available CPU.
const COMPUTES: f64 = 0.8;
/// A run of such a function that used less than this share waited for something else.
const WAITED: f64 = 0.5;

impl Usual {
    fn of(cells: &BTreeMap<Megabytes, Cell>) -> Option<Self> {
        let runs = || {
            cells
                .iter()
                .flat_map(|(size, cell)| cell.runs.iter().map(move |run| (*size, *run)))
        };
        let cpu_ms = runs().filter_map(|(_, run)| Some((run.cpu_ms?, run.count)));
        let used = runs().filter_map(|(size, run)| Some((share_used(run, size)?, run.count)));
        Some(Self {
            cpu_ms: median(cpu_ms)?,
            used: median(used)?,
        })
    }

    /// Returns whether a run contradicts the others. A run after an out-of-memory contains the next start, so it
    /// waits, or it fails at once.
    fn contradicts(self, run: Run, size: Megabytes) -> bool {
        let Some((cpu_ms, used)) = run.cpu_ms.zip(share_used(run, size)) else {
            return false;
        };
        let other_work = self.cpu_ms >= LEAST_CPU_MS
            && (cpu_ms * OTHER_WORK < self.cpu_ms || cpu_ms > self.cpu_ms * OTHER_WORK);
        let waited = self.cpu_ms >= LEAST_CPU_MS && self.used >= COMPUTES && used < WAITED;
        other_work || waited
    }
}

/// Returns CPU time ÷ the CPU time that the size provided.
fn share_used(run: Run, size: Megabytes) -> Option<f64> {
    Some(run.cpu_ms? / (run.duration_ms * cores(size)))
}

/// Returns `None` if there are no runs.
fn point(size: Megabytes, runs: &[&Run], stride: u64) -> Option<SizePoint> {
    let by = |of: fn(&Run) -> Option<f64>| {
        let values = runs.iter().filter_map(|run| Some((of(run)?, run.count)));
        median(values)
    };
    let used = runs.iter().filter_map(|run| run.used_mb);
    let durations = || runs.iter().map(|run| run.duration_ms);
    Some(SizePoint {
        memory_mb: size,
        p50_ms: by(|run| Some(run.duration_ms))?,
        invocations: runs.iter().map(|run| run.count).sum::<u64>() * stride,
        spread: spread(durations()),
        cpu_ms: by(|run| run.cpu_ms),
        used_mb: used.min_by(f64::total_cmp),
    })
}

/// Returns the standard deviation of the logarithms, estimated from their median deviation because that is robust
/// against outliers; `None` for fewer than three runs.
fn spread(durations: impl Iterator<Item = f64>) -> Option<f64> {
    /// Standard deviation ÷ median deviation of a normal distribution.
    const NORMAL: f64 = 1.4826;
    let logarithms: Vec<(f64, u64)> = durations.map(|ms| (ms.ln(), 1)).collect();
    if logarithms.len() < 3 {
        return None;
    }
    let middle = median(logarithms.iter().copied())?;
    let off = logarithms.iter().map(|(ln, _)| ((ln - middle).abs(), 1));
    Some(NORMAL * median(off)?)
}

/// Returns the smallest value with half of the weight at or below it, as for all other percentiles.
fn median(values: impl Iterator<Item = (f64, u64)>) -> Option<f64> {
    let mut values: Vec<(f64, u64)> = values.collect();
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = values
        .iter()
        .map(|(_, weight)| weight)
        .sum::<u64>()
        .div_ceil(2);
    let mut below = 0;
    values.into_iter().find_map(|(value, weight)| {
        below += weight;
        (below >= half).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(duration_ms: f64, cpu_ms: f64) -> Run {
        Run {
            duration_ms,
            cpu_ms: Some(cpu_ms),
            used_mb: None,
            count: 1,
        }
    }

    fn measured(rows: &[(u32, Run)], all: bool) -> Measured {
        let mut runs = Runs::default();
        rows.iter()
            .for_each(|(mb, one)| runs.add("f", Megabytes(*mb), *one));
        runs.measured(all).remove(0)
    }

    /// The middle one of 10, 20 and 90; the lower one of 10 and 20, by nearest rank; a mean of 9 runs counts
    /// nine times.
    #[test]
    fn a_size_takes_its_median() {
        let of = |runs: &[(f64, u64)]| median(runs.iter().copied());
        assert_eq!(of(&[(90.0, 1), (10.0, 1), (20.0, 1)]), Some(20.0));
        assert_eq!(of(&[(20.0, 1), (10.0, 1)]), Some(10.0));
        assert_eq!(of(&[(20.0, 9), (10.0, 1), (5.0, 7)]), Some(20.0));
        assert_eq!(of(&[]), None);
    }

    /// On half a core, 400 ms of CPU time take 800 ms. After an out-of-memory a run waits for a start and takes 9 s
    /// with the same CPU time, or it fails at once with a tenth of it.
    #[test]
    fn runs_that_did_something_else_are_set_aside() {
        let usual = [
            (885, run(800.0, 400.0)),
            (885, run(810.0, 400.0)),
            (1769, run(400.0, 400.0)),
        ];
        let odd = [(885, run(9000.0, 400.0)), (885, run(20.0, 40.0))];
        let rows = [&usual[..], &odd].concat();
        let found = measured(&rows, false);
        assert_eq!(found.set_aside, 2);
        assert_eq!(
            (found.points[0].p50_ms, found.points[0].invocations),
            (800.0, 2)
        );
        let all = measured(&rows, true);
        assert_eq!((all.set_aside, all.points[0].invocations), (0, 4));
    }

    /// Of all 10,113 sizes of Lambda 64 are used, from the first to the last.
    #[test]
    fn too_many_sizes_are_thinned_out_evenly() {
        let rows: Vec<(u32, Run)> = (128..=10_240).map(|mb| (mb, run(800.0, 0.0))).collect();
        let found = measured(&rows, true);
        let sizes: Vec<u32> = found.points.iter().map(|point| point.memory_mb.0).collect();
        assert_eq!((sizes.len(), found.sizes_left_out), (64, 10_113 - 64));
        assert_eq!((sizes[0], sizes[1], sizes[63]), (128, 288, 10_240));
        let few = measured(&rows[..64], true);
        assert_eq!((few.points.len(), few.sizes_left_out), (64, 0));
    }

    /// A function that waits most of the time sometimes waits longer.
    #[test]
    fn runs_of_a_function_that_waits_are_not() {
        let rows = [
            (885, run(8000.0, 400.0)),
            (885, run(20_000.0, 400.0)),
            (1769, run(7900.0, 400.0)),
        ];
        assert_eq!(measured(&rows, false).set_aside, 0);
    }

    /// 100,000 runs that cycle through 1 … 100 ms: at most 32,768 are kept, and the median is 50.
    #[test]
    fn millions_of_runs_are_thinned_out_evenly() {
        let mut runs = Runs::default();
        for n in 0..100_000_u32 {
            runs.add("f", Megabytes(128), run(f64::from(n % 100 + 1), 0.0));
        }
        assert!(runs.functions[0].1[&Megabytes(128)].runs.len() <= MOST_RUNS);
        let point = runs.measured(true).remove(0).points[0];
        assert!((48.0..=52.0).contains(&point.p50_ms), "{}", point.p50_ms);
        assert!(
            (99_996..=100_004).contains(&point.invocations),
            "{}",
            point.invocations
        );
    }
}
