//! Names, numbers and money as the commands print them.

use std::collections::{HashMap, HashSet};

use rightsizer_records::Usd;
use rightsizer_store::ReviewRow;

/// `1 function`, `2 functions`.
pub(super) fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// The saving a month; negative if it would cost more.
pub(super) fn saving(row: &ReviewRow) -> Option<Usd> {
    Some(Usd::from_f64(row.monthly_usd_before?) - Usd::from_f64(row.monthly_usd_after?))
}

/// Dollars and cents, without a minus before zero.
pub(super) fn cents(usd: Usd) -> String {
    let text = format!("{:.2}", usd.as_f64());
    if text == "-0.00" {
        "0.00".to_owned()
    } else {
        text
    }
}

/// The name alone if the rest of the ARN adds nothing.
pub(super) fn short(function: &str) -> &str {
    function
        .strip_prefix("arn:")
        .and_then(|arn| arn.rsplit(':').next())
        .unwrap_or(function)
}

/// A name for each function in a list: its name, with account or region if another one has the same
/// name.
pub(super) fn names(rows: &[ReviewRow]) -> Vec<String> {
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
        let mut place = row.function.split(':').skip(3);
        match (called.get(name), place.next(), place.next()) {
            (Some(2..), Some(region), Some(_)) if accounts.len() < 2 => {
                format!("{name} ({region})")
            }
            (Some(2..), Some(region), Some(account)) => format!("{name} ({account}, {region})"),
            _ => name.to_owned(),
        }
    };
    rows.iter().map(name).collect()
}
