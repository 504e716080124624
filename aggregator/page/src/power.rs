//! The power curve: how long a function takes and what it costs at each size.

use maud::{Markup, html};
use rightsizer_store::MeasuredLine;

use crate::scale::{HEIGHT, Linear, WIDTH, grid, legend, picture};
use crate::words::{Prose, dollars, duration, durations, many, usd, whole};

/// The sizes at the ends of the axis: a label at each third power of three between them.
const ENDS: (f64, f64) = (128.0, 10_368.0);

/// Duration and cost at one size; `None` if there is no estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PowerPoint {
    /// The size.
    pub memory_mb: u32,
    /// The median duration in ms, with its 90 % interval.
    pub p50_ms: Option<(f64, f64, f64)>,
    /// The 95th percentile of durations in ms.
    pub p95_ms: Option<f64>,
    /// The cost of a month in dollars, with its 90 % interval.
    pub usd: Option<(f64, f64, f64)>,
    /// Whether it ran at this size.
    pub measured: bool,
    /// What the numbers are based on.
    pub basis: &'static str,
}

/// A function's power curve.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PowerView {
    /// Sizes, ascending.
    pub points: Vec<PowerPoint>,
    /// Its size.
    pub now_mb: u32,
    /// The smallest safe size.
    pub safe_mb: u32,
    /// The best size for each objective, by the objective's name.
    pub best: Vec<(&'static str, u32)>,
}

/// Both pictures with their sentence and their numbers, or why there is no curve; and what tuning runs measured.
pub(crate) fn power(power: Result<&PowerView, &str>, tuned: &[MeasuredLine]) -> Markup {
    let content = match power {
        Ok(power) => drawn(power, tuned),
        Err(why) => html! { p { "There is no curve: " (Prose(why)) "." } },
    };
    html! {
        section aria-labelledby="power" {
            h2 #power { "Speed and cost by memory size" }
            (content)
            (measured(tuned))
        }
    }
}

fn drawn(power: &PowerView, tuned: &[MeasuredLine]) -> Markup {
    let time = |point: &PowerPoint| point.p50_ms;
    let cost = |point: &PowerPoint| point.usd;
    let tuned = scaled(power, tuned);
    let mut keys = vec![
        ("line-size", "estimate"),
        ("band", "90 % interval"),
        ("save", "measured in production"),
    ];
    if !tuned.is_empty() {
        keys.push((
            "tuned",
            "measured by a tuning run, as a multiple of production",
        ));
    }
    keys.extend([
        ("line-here", "its size"),
        ("line-wanted", "smallest safe size"),
    ]);
    html! {
        p.see { (sentence(power)) }
        div.pair {
            (curve(power, &tuned, "Median duration over memory size", "half of the calls take at most", time, (duration, durations)))
            (curve(power, &[], "Cost of a month over memory size", "cost a month", cost, (usd, dollars)))
        }
        (legend(&keys))
        details {
            summary { "The numbers" }
            div.wide tabindex="0" role="region" aria-label="Table of the power curve" {
                table {
                    thead { tr {
                        th.n scope="col" { "Size" } th.n scope="col" { "Half within" } th.n scope="col" { "95 % within" }
                        th.n scope="col" { "Cost a month" } th scope="col" { "Based on" } th scope="col" { "Best for" }
                    } }
                    tbody { @for point in &power.points { (line(power, point)) } }
                }
            }
        }
    }
}

fn line(power: &PowerView, point: &PowerPoint) -> Markup {
    let none = || "–".to_owned();
    let best: Vec<&str> = power
        .best
        .iter()
        .filter(|(_, mb)| *mb == point.memory_mb)
        .map(|(name, _)| *name)
        .collect();
    html! {
        tr {
            th.n scope="row" { (whole(point.memory_mb)) " MB" }
            td.n { (point.p50_ms.map_or_else(none, |(ms, ..)| duration(ms))) }
            td.n { (point.p95_ms.map_or_else(none, duration)) }
            td.n { (point.usd.map_or_else(none, |(dollars, ..)| usd(dollars))) }
            td { (point.basis) }
            td { (best.join(", ")) }
        }
    }
}

/// A point, and its value with the ends of its interval.
type Known<'a> = (&'a PowerPoint, (f64, f64, f64));
/// How a value is written in words, and the ticks of its axis.
type Words = (fn(f64) -> String, fn(&[f64]) -> Vec<String>);

/// Returns the highest value of the picture. The interval of an unmeasured size may be far wider than the curve, so it is
/// cut.
fn most(known: &[Known<'_>], tuned: &[(u32, f64)]) -> f64 {
    let values = known.iter().map(|(_, (value, ..))| *value);
    let highest = values.fold(0.0, f64::max);
    let ends = known.iter().map(|(_, (.., high))| high.min(highest * 1.5));
    let tuned = tuned.iter().map(|(_, ms)| *ms);
    ends.chain(tuned).fold(highest, f64::max)
}

fn curve(
    power: &PowerView,
    tuned: &[(u32, f64)],
    label: &str,
    unit: &str,
    of: fn(&PowerPoint) -> Option<(f64, f64, f64)>,
    (words, labels): Words,
) -> Markup {
    let known: Vec<Known<'_>> = power
        .points
        .iter()
        .filter_map(|point| Some((point, of(point)?)))
        .collect();
    let most = most(&known, tuned);
    let unit_of = if most < 1.0 { 1000.0 } else { 1.0 };
    let axis = Linear::reaching(most * unit_of);
    let y = |value: f64| axis.y(value * unit_of);
    let ticks = axis.ticks();
    let ticks: Vec<f64> = ticks.iter().map(|tick| *tick / unit_of).collect();
    let down = labels(&ticks);
    let across: Vec<String> = [128_u32, 384, 1152, 3456, 10_368].map(whole).into();
    let upright = |mb: u32| format!("M{:.1} 0V{HEIGHT}", x(mb));
    let upper = known
        .iter()
        .map(|(point, (.., high))| format!("{:.1} {:.1}", x(point.memory_mb), y(*high)));
    let lower = known
        .iter()
        .rev()
        .map(|(point, (_, low, _))| format!("{:.1} {:.1}", x(point.memory_mb), y(*low)));
    let band: Vec<String> = upper.chain(lower).collect();
    let path: Vec<String> = known
        .iter()
        .map(|(point, (value, ..))| format!("{:.1} {:.1}", x(point.memory_mb), y(*value)))
        .collect();
    let plot = html! {
        (grid(ticks.len()))
        @if !known.is_empty() {
            polygon.band points=(band.join(" ")) {}
            path.wanted d=(upright(power.safe_mb)) {}
            path.here d=(upright(power.now_mb)) {}
            path.size d=(format!("M{}", path.join("L"))) {}
        }
        g.marks {
            @for (mb, ms) in tuned {
                path.tuned d=(format!("M{:.1} {:.1}h0", x(*mb), y(*ms))) {
                    title { (whole(*mb)) " MB: " (words(*ms)) " by a tuning run" }
                }
            }
            @for (point, (value, ..)) in known.iter().filter(|(point, _)| point.measured) {
                path.save d=(format!("M{:.1} {:.1}h0", x(point.memory_mb), y(*value))) {
                    title { (whole(point.memory_mb)) " MB: " (words(*value)) }
                }
            }
        }
    };
    picture(
        Some(label),
        (&down, unit),
        (&across, "memory size in MB"),
        &plot,
    )
}

/// What tuning runs measured, as durations of production: a test's payload takes another time, but its durations change
/// with memory alike. At the tuned size nearest to the present one, both are equal.
fn scaled(power: &PowerView, tuned: &[MeasuredLine]) -> Vec<(u32, f64)> {
    let apart = |a: u32, b: u32| (f64::from(a.max(1)) / f64::from(b.max(1))).ln().abs();
    let nearest = |to: u32| move |a: &u32, b: &u32| apart(*a, to).total_cmp(&apart(*b, to));
    let anchor = tuned
        .iter()
        .min_by(|a, b| nearest(power.now_mb)(&a.memory_mb.0, &b.memory_mb.0));
    let Some(anchor) = anchor.filter(|anchor| anchor.duration_ms > 0.0) else {
        return Vec::new();
    };
    let known = power.points.iter().filter(|point| point.p50_ms.is_some());
    let here = known.min_by(|a, b| nearest(anchor.memory_mb.0)(&a.memory_mb, &b.memory_mb));
    let Some((production, ..)) = here.and_then(|point| point.p50_ms) else {
        return Vec::new();
    };
    let factor = production / anchor.duration_ms;
    let sizes = tuned.iter();
    sizes
        .map(|size| (size.memory_mb.0, size.duration_ms * factor))
        .collect()
}

/// What tuning runs measured, with their numbers.
fn measured(tuned: &[MeasuredLine]) -> Markup {
    html! {
        @if let Some(text) = tuning_sentence(tuned) {
            p.see { (text) }
            details {
                summary { "The numbers of tuning runs" }
                div.wide tabindex="0" role="region" aria-label="Table of tuning runs" {
                    table {
                        thead { tr {
                            th.n scope="col" { "Size" } th.n scope="col" { "Mean duration" } th.n scope="col" { "A million invocations" }
                            th scope="col" { "Measured" }
                        } }
                        tbody { @for size in tuned { tr {
                            th.n scope="row" { (whole(size.memory_mb.0)) " MB" }
                            td.n { (duration(size.duration_ms)) }
                            td.n { (size.usd.map_or_else(|| "–".to_owned(), |dollars| usd(dollars * 1e6))) }
                            td { time datetime=(size.measured_at.to_string()) { (size.measured_at.day().to_string()) } }
                        } } }
                    }
                }
            }
        }
    }
}

fn tuning_sentence(tuned: &[MeasuredLine]) -> Option<String> {
    let by_time = |a: &&MeasuredLine, b: &&MeasuredLine| a.duration_ms.total_cmp(&b.duration_ms);
    let (fastest, slowest) = (tuned.iter().min_by(by_time)?, tuned.iter().max_by(by_time)?);
    let last = tuned.iter().map(|size| size.measured_at).max()?;
    Some(format!(
        "Tuning runs, the last on {}, measured {}: from {} at {} MB to {} at {} MB on average. Their payload is not production's, \
         so only their ratios count for the curve.",
        last.day(),
        many(tuned.len(), "size"),
        duration(fastest.duration_ms),
        whole(fastest.memory_mb.0),
        duration(slowest.duration_ms),
        whole(slowest.memory_mb.0)
    ))
}

/// The place of a size, by its logarithm.
fn x(mb: u32) -> f64 {
    let share = (f64::from(mb.max(1)) / ENDS.0).ln() / (ENDS.1 / ENDS.0).ln();
    WIDTH * share.clamp(0.0, 1.0)
}

fn sentence(power: &PowerView) -> String {
    let at = |mb: u32| power.points.iter().find(|point| point.memory_mb == mb);
    let Some((now, time)) = at(power.now_mb).and_then(|point| Some((point, point.p50_ms?.0)))
    else {
        return "Nothing is known at its size yet.".to_owned();
    };
    let mut text = format!(
        "At {} MB half of the calls take at most {}.",
        whole(now.memory_mb),
        duration(time)
    );
    for (name, mb) in power.best.iter().filter(|(_, mb)| *mb != power.now_mb) {
        let there = at(*mb).and_then(|point| Some((point.p50_ms?.0, point.usd?.0)));
        if let Some((then, cost)) = there {
            text.push_str(&format!(
                " Best for {name}: {} MB, {} and {} a month.",
                whole(*mb),
                duration(then),
                usd(cost)
            ));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use rightsizer_records::{Megabytes, Timestamp};

    use super::*;

    #[test]
    fn a_curve_is_drawn_between_the_ends_of_its_axis() {
        assert!(
            x(128) < 1e-9
                && (x(10_368) - WIDTH).abs() < 1e-9
                && (x(1152) - WIDTH / 2.0).abs() < 1e-9
        );
        let point = |memory_mb: u32, ms: f64, measured: bool| PowerPoint {
            memory_mb,
            p50_ms: Some((ms, ms * 0.9, ms * 1.1)),
            p95_ms: Some(ms * 2.0),
            usd: Some((ms / 100.0, ms / 110.0, ms / 90.0)),
            measured,
            basis: "measured",
        };
        let view = PowerView {
            points: vec![point(512, 200.0, true), point(1024, 100.0, false)],
            now_mb: 512,
            safe_mb: 512,
            best: vec![("speed", 1024)],
        };
        let text = power(Ok(&view), &[]).into_string();
        assert!(
            text.contains("At 512 MB half of the calls take at most 200 ms."),
            "{text}"
        );
        assert!(
            text.contains("Best for speed: 1,024 MB, 100 ms and $1.00 a month."),
            "{text}"
        );
        assert_eq!(
            text.matches("h0\"").count(),
            2,
            "one measured size in each picture"
        );
        let none = power(Err("<b>"), &[]).into_string();
        assert!(none.contains("There is no curve: &lt;b&gt;."), "{none}");
        assert!(!text.contains("tuning"), "{text}");
    }

    /// Production takes 100 ms at 512 MB, the run 240 ms: its 480 ms at 128 MB are drawn as 200 ms, at the top of an axis
    /// to 200 ms, and its 120 ms at 1152 MB as 50 ms.
    #[test]
    fn a_tuning_run_is_drawn_as_a_multiple_of_production() {
        let line = |memory_mb: u32, duration_ms: f64| MeasuredLine {
            memory_mb: Megabytes(memory_mb),
            duration_ms,
            usd: Some(0.000_002_5),
            source: "power-tuning".to_owned(),
            measured_at: Timestamp::parse("2026-03-01T10:00:00Z").unwrap(),
        };
        let tuned = [line(128, 480.0), line(512, 240.0), line(1152, 120.0)];
        let point = PowerPoint {
            memory_mb: 512,
            p50_ms: Some((100.0, 100.0, 100.0)),
            p95_ms: None,
            usd: Some((1.0, 1.0, 1.0)),
            measured: true,
            basis: "measured",
        };
        let view = PowerView {
            points: vec![point],
            now_mb: 600,
            safe_mb: 512,
            best: Vec::new(),
        };
        let text = power(Ok(&view), &tuned).into_string();
        for wanted in [
            "Tuning runs, the last on 2026-03-01, measured 3 sizes: from 120 ms at 1,152 MB to 480 ms at 128 MB on average.",
            "$2.50",
            "<path class=\"tuned\" d=\"M0.0 0.0h0\"",
            &format!(
                "<path class=\"tuned\" d=\"M{:.1} {:.1}h0\"",
                WIDTH / 2.0,
                HEIGHT * 0.75
            ),
        ] {
            assert!(text.contains(wanted), "{wanted} is not in {text}");
        }
        let drawn = text.matches("<path class=\"tuned\"").count();
        assert_eq!(drawn, 3, "durations only");
        let alone = power(Err("it never ran"), &tuned).into_string();
        assert!(alone.contains("measured 3 sizes"), "{alone}");
    }
}
