//! Distributions of a function by size: memory used, durations, and starts.

use std::collections::BTreeMap;

use maud::{Markup, html};
use rightsizer_records::Megabytes;
use rightsizer_rules::window::Distribution;
use rightsizer_store::SizeDay;

use crate::histogram::Figure;
use crate::words::{duration, query_value, whole};

/// Bars of a distribution.
const BARS: usize = 48;
/// The height of a distribution in its own units.
const HIGH: f64 = 40.0;

/// Everything that ran at one size.
#[derive(Debug, Clone, Default)]
pub(crate) struct AtSize {
    pub(crate) invocations: u64,
    pub(crate) failures: u64,
    pub(crate) durations: Distribution,
    pub(crate) inits: Distribution,
    pub(crate) restores: Distribution,
    pub(crate) used: Distribution,
}

/// The days added up by size.
pub(crate) fn by_size(days: &[SizeDay]) -> BTreeMap<Megabytes, AtSize> {
    let mut sizes: BTreeMap<Megabytes, AtSize> = BTreeMap::new();
    for day in days {
        let size = sizes.entry(day.memory_mb).or_default();
        size.invocations = size.invocations.saturating_add(day.invocations);
        size.failures = size.failures.saturating_add(day.failures);
        size.durations.merge(&day.durations);
        size.inits.merge(&day.inits);
        size.restores.merge(&day.restores);
        size.used.merge(&day.used);
    }
    // Size 0 stands for those beyond the most that a day keeps apart.
    sizes.remove(&Megabytes(0));
    sizes
}

/// The distributions with their sentences.
pub(crate) fn spreads(function: &str, days: &[SizeDay]) -> Markup {
    let sizes = by_size(days);
    let inits: u64 = sizes.values().map(|size| size.inits.count()).sum();
    let restores: u64 = sizes.values().map(|size| size.restores.count()).sum();
    let calls: u64 = sizes.values().map(|size| size.invocations).sum();
    html! {
        (section(function, ("used", "Memory used, by size"), Figure::Used, &sizes, |size| &size.used, mb, ""))
        (section(function, ("durations", "Durations, by size"), Figure::Durations, &sizes, |size| &size.durations, ms, ""))
        @if inits > 0 && calls > 0 {
            @let more = format!(" {} of the invocations began with a start: {} of {}.", share(inits, calls), whole(inits), whole(calls));
            (section(function, ("starts", "Cold starts, by size"), Figure::Starts, &sizes, |size| &size.inits, ms, &more))
        }
        @if restores > 0 && calls > 0 {
            @let more = format!(" {} of the invocations began with a restore: {} of {}.", share(restores, calls), whole(restores), whole(calls));
            (section(function, ("restores", "Restores from a snapshot, by size"), Figure::Restores, &sizes, |size| &size.restores, ms, &more))
        }
    }
}

/// The most that a value can be: a bucket reaches a little further than the memory that there is.
fn most_at(figure: Figure, size: Megabytes) -> u64 {
    if figure == Figure::Used {
        u64::from(size.0)
    } else {
        u64::MAX
    }
}

fn share(part: u64, of: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "counts of invocations")]
    let percent = 100.0 * part as f64 / of.max(1) as f64;
    if percent < 1.0 {
        format!("{percent:.2} %")
    } else {
        format!("{percent:.0} %")
    }
}

fn mb(value: u64) -> String {
    format!("{} MB", whole(value))
}

fn ms(value: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a duration")]
    duration(value as f64)
}

fn section(
    function: &str,
    (id, title): (&str, &str),
    figure: Figure,
    sizes: &BTreeMap<Megabytes, AtSize>,
    of: fn(&AtSize) -> &Distribution,
    unit: fn(u64) -> String,
    more: &str,
) -> Markup {
    let known: Vec<(&Megabytes, &Distribution)> = sizes
        .iter()
        .map(|(size, at)| (size, of(at)))
        .filter(|(_, found)| found.count() > 0)
        .collect();
    let Some(most) = known
        .iter()
        .filter_map(|(size, found)| Some(found.quantile(1.0)?.min(most_at(figure, **size))))
        .max()
    else {
        return html! {};
    };
    let least = known
        .iter()
        .filter_map(|(_, found)| found.quantile(0.0))
        .min()
        .unwrap_or(0);
    let axis = Axis::between(least, most, figure != Figure::Used);
    html! {
        section aria-labelledby=(id) {
            h2 id=(id) { (title) }
            p.see { (sentence(&known, figure, unit)) (more) }
            div.wide tabindex="0" role="region" aria-label={ "Table: " (title) } {
                table.spread {
                    thead { tr {
                        th scope="col" { "Size" } th scope="col" { (unit(axis.from)) span.end { (unit(most)) } }
                        th.n scope="col" { "Half within" } th.n scope="col" { "95 % within" } th.n scope="col" { "99 % within" }
                        th.n scope="col" { "Highest" } th.n scope="col" { "Count" } th scope="col" { "HdrHistogram" }
                    } }
                    tbody { @for (size, found) in &known {
                        tr {
                            th.n scope="row" { (whole(size.0)) " MB" }
                            td { (bars(found, axis)) }
                            @for q in [0.5, 0.95, 0.99, 1.0] { td.n { (found.quantile(q).map_or_else(|| "–".to_owned(), |value| unit(value.min(most_at(figure, **size))))) } }
                            td.n { (whole(found.count())) }
                            td { a href=(format!("/ui/histogram?name={}&size={}&of={}", query_value(function), size.0, figure.name()))
                                download { "Download" span.hidden { " the log of " (figure.name()) " at " (size.0) " MB" } } }
                        }
                    } }
                }
            }
        }
    }
}

/// What to see: how the smallest size does beside the largest.
fn sentence(
    known: &[(&Megabytes, &Distribution)],
    figure: Figure,
    unit: fn(u64) -> String,
) -> String {
    let at = |(size, found): &(&Megabytes, &Distribution)| {
        let value = found.quantile(0.95).map_or_else(|| "–".to_owned(), unit);
        (whole(size.0), value)
    };
    let what = match figure {
        Figure::Used => "invocations used at most",
        Figure::Durations => "invocations took at most",
        Figure::Starts => "starts took at most",
        Figure::Restores => "restores took at most",
    };
    match known {
        [only] => {
            let (size, value) = at(only);
            format!("At {size} MB, 95 % of the {what} {value}.")
        }
        [first, .., last] => {
            let ((small, one), (large, other)) = (at(first), at(last));
            format!("95 % of the {what} {one} at {small} MB, and {other} at {large} MB.")
        }
        [] => String::new(),
    }
}

/// The axis of all distributions of one kind: linear for memory, logarithmic for time.
#[derive(Clone, Copy)]
struct Axis {
    from: u64,
    low: f64,
    high: f64,
    logarithmic: bool,
}

impl Axis {
    #[expect(clippy::cast_precision_loss, reason = "megabytes and milliseconds")]
    fn between(least: u64, most: u64, logarithmic: bool) -> Self {
        let from = if logarithmic { least.max(1) } else { 0 };
        let of = |value: u64| {
            if logarithmic {
                (value.max(1) as f64).ln()
            } else {
                value as f64
            }
        };
        let (low, high) = (of(from), of(most));
        Self {
            from,
            low,
            high: high.max(low + 1e-9),
            logarithmic,
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a few bars"
    )]
    fn bar(self, value: u64) -> usize {
        let at = if self.logarithmic {
            (value.max(1) as f64).ln()
        } else {
            value as f64
        };
        let share = ((at - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        ((share * BARS as f64) as usize).min(BARS - 1)
    }
}

fn bars(found: &Distribution, axis: Axis) -> Markup {
    let mut counts = [0_u64; BARS];
    for (value, count) in found.values() {
        counts[axis.bar(value)] += count;
    }
    let most = counts.iter().copied().max().unwrap_or(1).max(1);
    #[expect(clippy::cast_precision_loss, reason = "the height of a bar")]
    let height = |count: u64| (HIGH * count as f64 / most as f64).max(1.5);
    html! {
        svg.spread viewBox=(format!("0 0 {BARS} {HIGH}")) preserveAspectRatio="none" aria-hidden="true" {
            @for (at, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                rect x=(at) y=(format!("{:.1}", HIGH - height(*count))) width="0.85" height=(format!("{:.1}", height(*count))) {}
            }
        }
    }
}
