//! The picture of a curve in eighty columns: time on the left scale and money on the right one, over the memory
//! size. Pure.

use std::collections::BTreeSet;

use rightsizer_rules::power::{Basis, Drawn, Point};

use super::table::{dollars, milliseconds};

/// Rows of the picture.
const HEIGHT: usize = 14;
/// Characters of a size's column.
const WIDTH: usize = 5;
/// The most sizes that fit.
const MOST_SIZES: usize = 12;
/// Characters of the scale on the left.
const SCALE: usize = 8;
/// An interval is cut off above this many times the longest duration, so that the durations remain readable.
const CUT: f64 = 1.25;

/// Returns the picture with its scales and legend.
pub(super) fn picture(curve: &Drawn) -> String {
    drawing(&shown(curve), "a month")
}

/// Returns the picture of these sizes, whose cost is that of `money`.
pub(in crate::cli) fn drawing(points: &[&Point], money: &str) -> String {
    let highest =
        |of: fn(&Point) -> Option<f64>| points.iter().filter_map(|p| of(p)).fold(0.0, f64::max);
    let longest = highest(|point| point.p50_ms);
    let slowest = highest(|point| point.p50_high).min(longest * CUT);
    let dearest = highest(|point| point.monthly_usd);
    let mut text = format!(
        "{:>SCALE$}{:>width$}\n",
        "time",
        money,
        width = points.len() * WIDTH + 9
    );
    for row in (0..HEIGHT).rev() {
        let cells: String = points
            .iter()
            .map(|point| cell(point, row, slowest, dearest))
            .collect();
        let (left, right) = if row % 4 == 1 || row == HEIGHT - 1 {
            (
                milliseconds(value(row, slowest)),
                format!("${}", dollars(value(row, dearest))),
            )
        } else {
            (String::new(), String::new())
        };
        let line = format!("{left:>SCALE$} ┤{cells}├ {right}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let sizes = points
        .iter()
        .map(|point| format!("{:>4}", point.memory_mb.0));
    let sizes: Vec<String> = sizes.collect();
    text.push_str(&format!("{:>SCALE$}  {}\n", "MB", sizes.join(" ")));
    text.push_str("  ● measured  ○ estimated  │ 90 % interval  $ cost\n");
    text
}

/// Returns the sizes to draw: the function's own and the best ones, then others, as long as there is room. Sizes that
/// are neither safe nor measured are left out, because they only show how slow a function gets.
fn shown(curve: &Drawn) -> Vec<&Point> {
    let best = [curve.best.cost, curve.best.balanced, curve.best.speed];
    let offers =
        [curve.offers.free, curve.offers.cheap].map(|offer| offer.map(|offer| offer.memory_mb));
    let own = [curve.now_mb, curve.safe_mb];
    let wanted: BTreeSet<_> = best
        .into_iter()
        .chain(offers)
        .flatten()
        .chain(own)
        .collect();
    let considered =
        |point: &&Point| point.memory_mb >= curve.safe_mb || point.basis == Basis::Measured;
    let drawable = curve
        .points
        .iter()
        .filter(|point| point.p50_ms.is_some())
        .filter(considered);
    let mut points: Vec<&Point> = drawable.collect();
    let rank = |point: &Point| {
        (
            !wanted.contains(&point.memory_mb),
            point.basis != Basis::Measured,
        )
    };
    while points.len() > MOST_SIZES {
        // The least important size; of equals the one nearest to the size before it.
        let step = |at: usize| match at.checked_sub(1) {
            Some(before) => {
                f64::from(points[at].memory_mb.0) / f64::from(points[before].memory_mb.0)
            }
            None => f64::INFINITY,
        };
        let worst = (0..points.len()).max_by(|a, b| {
            rank(points[*a])
                .cmp(&rank(points[*b]))
                .then(step(*b).total_cmp(&step(*a)))
        });
        points.remove(worst.unwrap_or(0));
    }
    points
}

/// Returns the value at the middle of a row.
#[expect(clippy::cast_precision_loss, reason = "some rows")]
fn value(row: usize, highest: f64) -> f64 {
    highest * row as f64 / (HEIGHT - 1) as f64
}

/// Returns the row of a value.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "some rows; a value above the picture saturates"
)]
fn row_of(value: f64, highest: f64) -> usize {
    let row = (value / highest.max(f64::MIN_POSITIVE) * (HEIGHT - 1) as f64).round();
    row.clamp(0.0, (HEIGHT - 1) as f64) as usize
}

/// Returns one size's part of a row: the duration or its interval, and the cost beside it.
fn cell(point: &Point, row: usize, slowest: f64, dearest: f64) -> String {
    let at = |value: Option<f64>, highest: f64| value.map(|value| row_of(value, highest));
    let interval = at(point.p50_low, slowest).zip(at(point.p50_high, slowest));
    let time = if at(point.p50_ms, slowest) == Some(row) {
        if point.basis == Basis::Measured {
            '●'
        } else {
            '○'
        }
    } else if interval.is_some_and(|(low, high)| (low..=high).contains(&row)) {
        '│'
    } else {
        ' '
    };
    let money = if at(point.monthly_usd, dearest) == Some(row) {
        '$'
    } else {
        ' '
    };
    format!("  {time}{money} ")
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::curve;
    use super::*;

    #[test]
    fn a_curve_is_drawn() {
        insta::assert_snapshot!(picture(&curve()));
    }

    #[test]
    fn the_picture_is_at_most_eighty_columns_wide() {
        let mut curve = curve();
        for point in &mut curve.points {
            for number in [
                &mut point.p50_ms,
                &mut point.p50_high,
                &mut point.monthly_usd,
            ] {
                *number = number.map(|value| value * 2000.0);
            }
        }
        for line in picture(&curve).lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
