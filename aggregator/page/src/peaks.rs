//! The daily peaks of a function with the history of its size and the floor.

use std::collections::BTreeMap;

use maud::{Markup, html};
use rightsizer_records::{Day, Megabytes, Reason};
use rightsizer_store::{DayLine, ReviewRow, SizeDay};

use crate::scale::{HEIGHT, Linear, WIDTH, grid, legend, picture};
use crate::words::whole;

/// The days that are drawn: as many as a peak keeps the floor up.
pub(crate) const DAYS: i32 = 35;

/// The days of the picture: the last ones up to the newest of the function.
pub(crate) fn days_of(peaks: &[DayLine]) -> std::ops::RangeInclusive<i32> {
    let last = peaks.last().map_or(0, |line| line.day.number());
    last - DAYS + 1..=last
}

/// The picture with its sentence and its numbers.
pub(crate) fn peaks(row: &ReviewRow, lines: &[DayLine], usage: &[SizeDay]) -> Markup {
    if lines.is_empty() {
        return html! {};
    }
    let days = days_of(lines);
    let lines: Vec<&DayLine> = lines
        .iter()
        .filter(|line| days.contains(&line.day.number()))
        .collect();
    let sizes = sizes(row, &days, usage);
    let floor = floor_of(row);
    let highest = lines.iter().map(|line| line.peak_mb.0).max().unwrap_or(0);
    let most = sizes
        .values()
        .copied()
        .chain([highest, row.to_mb.unwrap_or(0), row.current_mb])
        .max()
        .unwrap_or(1);
    let axis = Linear::reaching(f64::from(most));
    let ticks = axis.ticks();
    let down: Vec<String> = ticks
        .iter()
        .map(|mb| format!("{} MB", whole(mb_of(*mb))))
        .collect();
    let first = *days.start();
    let across: Vec<String> = [0, 17, 34]
        .map(|n| month_and_day(Day::from_number(first + n)))
        .into();
    let plot = html! {
        (grid(ticks.len()))
        (marks(row, &lines, &sizes, axis, first))
    };
    let mut keys = vec![("peak", "peak of a day")];
    if lines.iter().any(|line| line.censored_mb.is_some()) {
        keys.push(("ran", "ran out of memory"));
    }
    keys.push(("line-size", "size"));
    if floor.is_some() {
        keys.push(("line-floor", "floor (P2)"));
    }
    if row.to_mb.is_some() {
        keys.push(("line-wanted", "recommended"));
    }
    html! {
        section aria-labelledby="peaks" {
            h2 #peaks { "Memory, day by day" }
            p.see { (sentence(row, &lines, highest, floor)) }
            (picture(
                Some(&format!("Daily peaks of {DAYS} days with the size")),
                (&down, "highest use of each day"),
                (&across, "day, UTC"),
                &plot,
            ))
            (legend(&keys))
            (numbers(&lines, &sizes))
        }
    }
}

/// The peaks, the floor, the recommendation and the sizes, drawn from day `first` on.
fn marks(
    row: &ReviewRow,
    lines: &[&DayLine],
    sizes: &BTreeMap<i32, u32>,
    axis: Linear,
    first: i32,
) -> Markup {
    let width = WIDTH / f64::from(DAYS);
    let at = |day: i32| f64::from(day - first) * width;
    html! {
        g.peaks {
            @for line in lines {
                @let y = axis.y(f64::from(line.peak_mb.0));
                rect.ran-out[line.censored_mb.is_some()] x=(format!("{:.1}", at(line.day.number()) + width * 0.15)) y=(format!("{y:.1}"))
                    width=(format!("{:.1}", width * 0.7)) height=(format!("{:.1}", HEIGHT - y)) {
                    title { (line.day.to_string()) ": " (whole(line.peak_mb.0)) " MB"
                        @if line.censored_mb.is_some() { ", it ran out of memory" } }
                }
            }
        }
        @if let Some(floor) = floor_of(row) { path.floor d=(format!("M0 {:.1}H{WIDTH}", axis.y(floor))) {} }
        @if let Some(to) = row.to_mb {
            path.wanted d=(format!("M{:.1} {:.1}H{WIDTH}", WIDTH - 3.0 * width, axis.y(f64::from(to)))) {}
        }
        path.size d=(steps(sizes, axis, first, width)) {}
    }
}

/// The same as a table.
fn numbers(lines: &[&DayLine], sizes: &BTreeMap<i32, u32>) -> Markup {
    html! {
        details {
            summary { "The numbers" }
            div.wide tabindex="0" role="region" aria-label="Table of daily peaks" {
                table {
                    thead { tr { th scope="col" { "Day" } th.n scope="col" { "Peak" } th.n scope="col" { "Size" } th scope="col" { "" } } }
                    tbody { @for line in lines.iter().rev() {
                        tr {
                            th scope="row" { (line.day.to_string()) }
                            td.n { (whole(line.peak_mb.0)) " MB" }
                            td.n { @if let Some(size) = sizes.get(&line.day.number()) { (whole(*size)) " MB" } @else { "–" } }
                            td { @if let Some(size) = line.censored_mb { "ran out at " (whole(size.0)) " MB" } }
                        }
                    } }
                }
            }
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a label of the axis, at most 20,000"
)]
fn mb_of(value: f64) -> u32 {
    value.round() as u32
}

/// `Jan 31`: there is no room for years on a phone, and the table has them.
fn month_and_day(day: Day) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let text = day.to_string();
    let mut parts = text.split('-').skip(1);
    let month = parts.next().and_then(|month| month.parse::<usize>().ok());
    let name = month.and_then(|month| MONTHS.get(month.wrapping_sub(1)));
    let of_month = parts.next().unwrap_or_default().trim_start_matches('0');
    format!("{} {of_month}", name.unwrap_or(&""))
}

/// The floor (P2), if it shaped the size.
fn floor_of(row: &ReviewRow) -> Option<f64> {
    row.reasons.iter().find_map(|reason| match reason {
        Reason::Floor { mb, .. } | Reason::RecurringFloor { mb, .. } => Some(f64::from(mb.0)),
        _ => None,
    })
}

/// The size of each day: the one with the most invocations; the present one at the end if nothing is known.
fn sizes(
    row: &ReviewRow,
    days: &std::ops::RangeInclusive<i32>,
    usage: &[SizeDay],
) -> BTreeMap<i32, u32> {
    let mut most: BTreeMap<i32, (u64, Megabytes)> = BTreeMap::new();
    for day in usage {
        let best = most.entry(day.day.number()).or_default();
        *best = (*best).max((day.invocations, day.memory_mb));
    }
    let mut sizes: BTreeMap<i32, u32> = most
        .into_iter()
        .map(|(day, (_, size))| (day, size.0))
        .collect();
    sizes.retain(|day, _| days.contains(day));
    sizes.entry(*days.end()).or_insert(row.current_mb);
    sizes
}

/// The sizes as steps from the first known day on.
fn steps(sizes: &BTreeMap<i32, u32>, axis: Linear, first: i32, width: f64) -> String {
    let mut path = String::new();
    for (day, size) in sizes {
        let x = f64::from(day - first) * width;
        let y = axis.y(f64::from(*size));
        let move_to = if path.is_empty() {
            format!("M{x:.1} {y:.1}")
        } else {
            format!("H{x:.1}V{y:.1}")
        };
        path.push_str(&move_to);
    }
    path.push_str(&format!("H{WIDTH}"));
    path
}

fn sentence(row: &ReviewRow, lines: &[&DayLine], highest: u32, floor: Option<f64>) -> String {
    let share = 100.0 * f64::from(highest) / f64::from(row.current_mb.max(1));
    let ran = lines
        .iter()
        .filter(|line| line.censored_mb.is_some())
        .count();
    let days = match lines.len() {
        1 => "on the only day with reports".to_owned(),
        n if n < usize::try_from(DAYS).unwrap_or_default() => format!("on {n} days with reports"),
        _ => format!("of {DAYS} days"),
    };
    let mut text = format!("The highest use {days} is {} MB", whole(highest));
    text.push_str(&match row.current_mb {
        0 => ".".to_owned(),
        now => format!(", {share:.0} % of the {} MB it has.", whole(now)),
    });
    if let Some(floor) = floor {
        text.push_str(&format!(
            " The floor keeps it at {} MB or more.",
            whole(mb_of(floor))
        ));
    }
    if ran > 0 {
        text.push_str(&format!(" It ran out of memory on {ran} of these days."));
    }
    text
}
