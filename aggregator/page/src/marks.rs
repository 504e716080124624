//! The picture of the fleet: a mark for each function, its cost against the share of its memory that it uses.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use maud::{Markup, html};

use crate::fleet::Entry;
use crate::scale::{Decades, HEIGHT, WIDTH, grid, legend, picture};
use crate::words::{Text, function_link, many, usd, whole};

/// Above this number of functions, marks are counted in cells.
const MOST: usize = 2000;
/// Cells of a binned picture, across and down.
const CELLS: (u32, u32) = (50, 24);
/// Below a cent a month the axis ends.
const LEAST_DECADE: i32 = -2;

/// The picture, with its sentence. With `links`, a mark leads to its function.
pub(crate) fn marks(entries: &[Entry], links: bool) -> Markup {
    let known: Vec<(&Entry, f64, f64)> = entries
        .iter()
        .filter_map(|entry| Some((entry, entry.usd?, entry.fullness()?)))
        .collect();
    if known.is_empty() {
        return html! {};
    }
    let axis = Decades::holding(known.iter().map(|(_, usd, _)| *usd), LEAST_DECADE);
    let mut across: Vec<String> = axis.ticks().into_iter().map(money).collect();
    // What costs less is drawn at the left end.
    if let Some(first) = across
        .first_mut()
        .filter(|_| known.iter().any(|(_, usd, _)| axis.is_below(*usd)))
    {
        first.insert_str(0, "≤ ");
    }
    let down: Vec<String> = ["100 %", "75 %", "50 %", "25 %", "0 %"]
        .map(str::to_owned)
        .into();
    let label = format!(
        "Cost against memory used of {}",
        many(known.len(), "function")
    );
    let plot = html! {
        rect.danger width=(WIDTH) height=(HEIGHT * 0.1) {}
        (grid(down.len()))
        @if known.len() > MOST { (cells(&known, axis)) } @else { (dots(&known, axis, links)) }
    };
    html! {
        section aria-labelledby="where" {
            h2 #where { "Cost and memory use of each function" }
            p.see { (sentence(&known)) (not_drawn(entries, known.len())) }
            (picture(
                (!links).then_some(label.as_str()),
                (&down, "memory used at most"),
                (&across, "cost a month"),
                &plot,
            ))
            (legend(&[("fine", "enough room"), ("save", "could be smaller"), ("risk", "in danger")]))
            @if known.len() > MOST { p.soft.small { "Each cell counts its functions; a darker one has more." } }
        }
    }
}

fn money(dollars: f64) -> String {
    if dollars < 1.0 {
        format!("{:.0}¢", dollars * 100.0)
    } else {
        usd(dollars).replace(".00", "")
    }
}

/// What to see in it.
fn sentence(known: &[(&Entry, f64, f64)]) -> String {
    let bill: f64 = known.iter().map(|(_, usd, _)| usd).sum();
    let idle: f64 = known
        .iter()
        .filter(|(.., full)| *full < 0.5)
        .map(|(_, usd, _)| usd)
        .sum();
    let share = if bill > 0.0 { 100.0 * idle / bill } else { 0.0 };
    let full = known.iter().filter(|(entry, ..)| entry.risk).count();
    format!(
        "{share:.0} % of the bill goes to functions that never use half of their memory (lower half, expensive ones to \
         the right); {} in danger.",
        match full {
            0 => "none is".to_owned(),
            1 => "1 is".to_owned(),
            n => format!("{n} are"),
        }
    )
}

/// The functions that the picture leaves out; nothing if it has all.
fn not_drawn(entries: &[Entry], drawn: usize) -> String {
    let left = entries
        .iter()
        .filter(|entry| entry.usd.is_none() || entry.fullness().is_none());
    let risk = left.filter(|entry| entry.risk).count();
    let are = |n: usize| if n == 1 { "is" } else { "are" };
    match (entries.len() - drawn, risk) {
        (0, _) => String::new(),
        (n, 0) => format!(
            " {}, of unknown cost or use, {} not drawn.",
            many(n, "function"),
            are(n)
        ),
        (n, risk) => format!(
            " {}, of unknown cost or use, {} not drawn; {} of them {} in danger.",
            many(n, "function"),
            are(n),
            whole(risk),
            are(risk)
        ),
    }
}

/// The kind of a mark, which sets its colour.
fn kind(entry: &Entry) -> &'static str {
    let smaller = entry.to_mb.is_some_and(|to| to < entry.current_mb);
    if entry.risk {
        "risk"
    } else if smaller {
        "save"
    } else {
        "fine"
    }
}

fn place(axis: Decades, usd: f64, full: f64) -> (f64, f64) {
    (WIDTH * axis.share(usd), HEIGHT * (1.0 - full.min(1.0)))
}

/// One mark a function. A line of no length with round ends is a dot that keeps its shape however the plot is
/// stretched.
fn dots(known: &[(&Entry, f64, f64)], axis: Decades, links: bool) -> Markup {
    // Those at risk are drawn last, above the others.
    let mut order: Vec<_> = known.iter().collect();
    order.sort_by_key(|(entry, ..)| (entry.risk, entry.to_mb.is_some()));
    html! {
        g.marks {
            @for (entry, cost, full) in order {
                @let (x, y) = place(axis, *cost, *full);
                @let dot = html! { path.(kind(entry)) d=(format!("M{x:.0} {y:.0}h0")) {
                    title { (Text(entry.name())) ": " (usd(*cost)) " a month, " (format!("{:.0}", full * 100.0)) " % of " (whole(entry.current_mb)) " MB used" }
                } };
                @if links { a href=(function_link(&entry.function)) tabindex="-1" { (dot) } } @else { (dot) }
            }
        }
    }
}

/// What a cell holds.
#[derive(Default)]
struct Cell {
    functions: usize,
    risk: usize,
    usd: f64,
}

/// Counts in cells, so that a picture of any fleet has the same size.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a few cells"
)]
fn cells(known: &[(&Entry, f64, f64)], axis: Decades) -> Markup {
    let (columns, rows) = CELLS;
    let mut cells: BTreeMap<(u32, u32), Cell> = BTreeMap::new();
    for (entry, cost, full) in known {
        let (x, y) = place(axis, *cost, *full);
        let column = ((x / WIDTH * f64::from(columns)) as u32).min(columns - 1);
        let row = ((y / HEIGHT * f64::from(rows)) as u32).min(rows - 1);
        let cell = cells.entry((column, row)).or_default();
        cell.functions += 1;
        cell.risk += usize::from(entry.risk);
        cell.usd += cost;
    }
    let most = cells.values().map(|cell| cell.functions).max().unwrap_or(1);
    let (width, height) = (WIDTH / f64::from(columns), HEIGHT / f64::from(rows));
    html! {
        g.cells {
            @for ((column, row), cell) in &cells {
                rect.(shade(cell.functions, most)).risk[cell.risk * 2 > cell.functions]
                    x=(format!("{:.1}", f64::from(*column) * width)) y=(format!("{:.1}", f64::from(*row) * height))
                    width=(format!("{width:.1}")) height=(format!("{height:.1}")) {
                    title { (cell_words(cell)) }
                }
            }
        }
    }
}

fn cell_words(cell: &Cell) -> String {
    let mut words = format!(
        "{}, {} a month",
        many(cell.functions, "function"),
        usd(cell.usd)
    );
    if cell.risk > 0 {
        let _ = write!(words, ", {} in danger", whole(cell.risk));
    }
    words
}

/// One of five shades, by the logarithm of the count.
fn shade(functions: usize, most: usize) -> &'static str {
    #[expect(clippy::cast_precision_loss, reason = "counts of functions")]
    let share = (functions as f64).ln_1p() / (most as f64).ln_1p();
    match share {
        s if s < 0.2 => "s1",
        s if s < 0.4 => "s2",
        s if s < 0.6 => "s3",
        s if s < 0.8 => "s4",
        _ => "s5",
    }
}
