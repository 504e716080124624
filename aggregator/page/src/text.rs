//! Names, numbers and money as the commands and the page print them.

use std::collections::{HashMap, HashSet};

use rightsizer_records::{Reason, Slowdown, Usd};
use rightsizer_store::ReviewRow;

/// `1 function`, `2 functions`.
pub fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// The saving a month; negative if it would cost more.
pub fn saving(row: &ReviewRow) -> Option<Usd> {
    Some(Usd::from_f64(row.monthly_usd_before?) - Usd::from_f64(row.monthly_usd_after?))
}

/// The saving a month as the evidence bounds it. A function that gets slower is billed for longer, and how
/// much slower it gets may be unknown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SavingRange {
    /// If it gets as slow as the evidence cannot exclude.
    pub safe: Usd,
    /// If durations are as expected.
    pub expected: Usd,
}

/// The bounds of [`saving`]; a range without width if the recommendation is not a decrease.
pub fn saving_range(row: &ReviewRow) -> Option<SavingRange> {
    let expected = saving(row)?;
    let safe = slowdown(row).map_or(expected, |slower| {
        // The price of requests does not depend on the size: the rest is `compute`, and
        // expected = compute × (1 - size × mean).
        let size =
            f64::from(row.to_mb.unwrap_or(row.current_mb)) / f64::from(row.current_mb.max(1));
        let left = 1.0 - size * slower.mean;
        if left.abs() < 1e-6 {
            return expected.min(Usd::default());
        }
        let compute = expected.as_f64() / left;
        Usd::from_f64(compute * (1.0 - size * slower.mean_worst)).min(expected)
    });
    Some(SavingRange { safe, expected })
}

/// How much slower the recommended size may be; `None` if it is not a decrease.
pub fn slowdown(row: &ReviewRow) -> Option<Slowdown> {
    row.reasons.iter().find_map(|reason| {
        if let Reason::Slower(slowdown) = reason {
            Some(*slowdown)
        } else {
            None
        }
    })
}

/// A saving as a range, `0.00 to 24.57`, or one number if both ends read the same.
pub fn range(saving: SavingRange) -> String {
    let (safe, expected) = (cents(saving.safe), cents(saving.expected));
    if safe == expected {
        expected
    } else {
        format!("{safe} to {expected}")
    }
}

/// Dollars and cents, without a minus before zero.
pub fn cents(usd: Usd) -> String {
    let text = format!("{:.2}", usd.as_f64());
    if text == "-0.00" {
        "0.00".to_owned()
    } else {
        text
    }
}

/// The name alone if the rest of the ARN adds nothing.
pub fn short(function: &str) -> &str {
    function
        .strip_prefix("arn:")
        .and_then(|arn| arn.rsplit(':').next())
        .unwrap_or(function)
}

/// The region in a function's ARN; `None` if only its name is known.
pub fn region(function: &str) -> Option<&str> {
    let region = function.strip_prefix("arn:")?.split(':').nth(2)?;
    Some(region).filter(|region| !region.is_empty())
}

/// Returns whether these functions are in more than one region.
pub fn in_regions(rows: &[ReviewRow]) -> bool {
    let mut regions = rows.iter().filter_map(|row| region(&row.function));
    let first = regions.next();
    regions.any(|other| Some(other) != first)
}

/// Where a list of functions shows their regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RegionIn {
    /// In the names that would be ambiguous without it.
    AmbiguousNames,
    /// In every name.
    Names,
    /// In a column of its own.
    Column,
}

/// A name for each function in a list: its name, with account or region if another one has the same
/// name.
pub fn names(rows: &[ReviewRow]) -> Vec<String> {
    named(rows, RegionIn::AmbiguousNames)
}

/// Names for a list without a column for the region: each has its region if there are several.
pub fn names_with_regions(rows: &[ReviewRow]) -> Vec<String> {
    let region = if in_regions(rows) {
        RegionIn::Names
    } else {
        RegionIn::AmbiguousNames
    };
    named(rows, region)
}

/// Names for a list with a column for the region.
pub fn names_beside_regions(rows: &[ReviewRow]) -> Vec<String> {
    named(rows, RegionIn::Column)
}

fn named(rows: &[ReviewRow], region_in: RegionIn) -> Vec<String> {
    let mut called: HashMap<&str, usize> = HashMap::new();
    for row in rows {
        *called.entry(short(&row.function)).or_default() += 1;
    }
    let accounts: HashSet<&str> = rows
        .iter()
        .filter_map(|row| row.function.split(':').nth(4))
        .collect();
    let name = |row: &ReviewRow| {
        let name = short(&row.function);
        let again = called.get(name).is_some_and(|count| *count > 1);
        let account = row.function.split(':').nth(4);
        let account = account.filter(|_| again && accounts.len() > 1);
        let shows_region = match region_in {
            RegionIn::AmbiguousNames => again,
            RegionIn::Names => true,
            RegionIn::Column => false,
        };
        let region = region(&row.function).filter(|_| shows_region);
        let place: Vec<&str> = account.into_iter().chain(region).collect();
        if place.is_empty() {
            return name.to_owned();
        }
        format!("{name} ({})", place.join(", "))
    };
    rows.iter().map(name).collect()
}
