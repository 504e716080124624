//! Whether functions have reported since `attach` changed them, by the store or the server that it was given.

use std::collections::HashMap;
use std::thread;

use anyhow::anyhow;
use rightsizer_records::{FunctionArn, Timestamp};
use rightsizer_store::ReviewRow;

use super::out;
use super::text::counted;

/// The most functions that are named.
const MOST_NAMES: usize = 5;

/// Reads the fleet's rows; `None` without a store and a server.
pub(super) type ReadRows<'a> = &'a (dyn Fn() -> anyhow::Result<Option<Vec<ReviewRow>>> + Sync);

/// Prints which of the functions, each with the time since which it was invoked, have not reported since.
pub(super) fn note(read: ReadRows<'_>, region: &str, invoked: &[(String, Timestamp)]) {
    if invoked.is_empty() {
        return;
    }
    // A server is read in a runtime of its own.
    let rows = thread::scope(|scope| scope.spawn(read).join());
    match rows.unwrap_or_else(|_| Err(anyhow!("a fault while reading"))) {
        Ok(None) => {}
        Ok(Some(rows)) => {
            let silent = silent(&rows, region, invoked);
            if !silent.is_empty() {
                out::note(format_args!(
                    "rightsizer: {}",
                    words(&silent, invoked.len())
                ));
            }
        }
        Err(error) => out::note(format_args!(
            "rightsizer: it was not checked whether the changed functions report: {error:#}"
        )),
    }
}

fn silent<'a>(
    rows: &[ReviewRow],
    region: &str,
    invoked: &'a [(String, Timestamp)],
) -> Vec<&'a str> {
    let reported = rows.iter().filter_map(|row| {
        let function = FunctionArn::parse(&row.function).ok()?;
        let last = row.last_report.as_ref()?.replace(' ', "T");
        let last = Timestamp::parse(&format!("{last}Z")).ok()?;
        (function.region() == region).then(|| (function.name().to_owned(), last))
    });
    let reported: HashMap<String, Timestamp> = reported.collect();
    let is_silent =
        |(name, since): &&(String, Timestamp)| reported.get(name).is_none_or(|last| last < since);
    let silent = invoked.iter().filter(is_silent);
    silent.map(|(name, _)| name.as_str()).collect()
}

fn words(silent: &[&str], invoked: usize) -> String {
    let names = silent.get(..MOST_NAMES).unwrap_or(silent).join(", ");
    let more = silent.len().saturating_sub(MOST_NAMES);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!(
        "{} of {} that {} invoked sent no report yet: {names}{more}. A report takes a minute or two; if none comes, check \
         the role's permission and the log lines of rightsizer-extension",
        silent.len(),
        counted(invoked, "changed function"),
        if invoked == 1 { "was" } else { "were" },
    )
}

#[cfg(test)]
mod tests {
    use super::super::function_report::tests::row;
    use super::*;

    #[test]
    fn functions_without_a_report_since_their_change_are_named() {
        let at = |text| Timestamp::parse(text).unwrap();
        let of = |name: &str, region: &str, last: Option<&str>| ReviewRow {
            function: format!("arn:aws:lambda:{region}:123456789012:function:{name}"),
            last_report: last.map(str::to_owned),
            ..row()
        };
        let rows = [
            of("new", "eu-west-1", Some("2026-02-01 10:00:00")),
            of("old", "eu-west-1", Some("2026-02-01 09:59:59")),
            of("never", "eu-west-1", None),
            of("elsewhere", "us-east-1", Some("2026-02-01 10:00:00")),
        ];
        let since = at("2026-02-01T10:00:00Z");
        let invoked = ["new", "old", "never", "elsewhere", "unknown"];
        let invoked = invoked.map(|name| (name.to_owned(), since));
        let silent = silent(&rows, "eu-west-1", &invoked);
        assert_eq!(silent, ["old", "never", "elsewhere", "unknown"]);
        let words = words(&["a", "b", "c", "d", "e", "f", "g"], 9);
        assert!(
            words.starts_with(
                "7 of 9 changed functions that were invoked sent no report yet: a, b, c, d, e and 2 more."
            ),
            "{words}"
        );
    }
}
