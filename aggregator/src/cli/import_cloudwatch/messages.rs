//! Messages of an import of log groups: beforehand what it will do and cost, at the end what it
//! did.

use std::io::Write;
use std::process::ExitCode;

use rightsizer_aws::logs::{LogGroup, Piece, Unread, Way};
use rightsizer_records::Day;
use serde_json::{Value, json};

use super::super::text::counted;
use super::{CloudwatchArgs, Found};
use crate::cli::out;
use crate::import::log_groups::Totals;

/// What will be done, and about what it costs.
pub(super) struct About {
    pub(super) groups: usize,
    pub(super) functions: Option<usize>,
    pub(super) left_out: usize,
    pub(super) missing: usize,
    pub(super) queries: usize,
    pub(super) bytes: u64,
    pub(super) usd_a_gb: f64,
    pub(super) usd: f64,
}

impl About {
    pub(super) fn new(found: &Found, pieces: &[Piece], usd_a_gb: f64) -> Self {
        let queries = pieces.iter().filter(|piece| piece.way == Way::Insights);
        let bytes = pieces
            .iter()
            .map(|piece| piece.bytes)
            .fold(0, u64::saturating_add);
        let queries = queries.count();
        Self {
            groups: found.groups.len(),
            functions: found.functions_known.then_some(found.functions),
            left_out: found.left_out,
            missing: pieces.iter().map(Piece::cells).sum(),
            queries,
            bytes,
            usd_a_gb,
            usd: if queries > 0 {
                gigabytes(bytes) * usd_a_gb
            } else {
                0.0
            },
        }
    }

    /// Whether the region has neither functions nor logs of them.
    pub(super) fn is_empty(&self) -> bool {
        self.groups == 0 && self.functions == Some(0)
    }

    /// Why there is nothing to read, and what to do.
    fn nothing(&self, prefix: Option<&str>, region: &str) -> String {
        match (prefix, self.functions) {
            (Some(prefix), _) => format!(
                "there is nothing to read: no log group of a function begins with {prefix:?} in \
                 {region}\nhint: names begin with /aws/lambda/ by default; use --region for \
                 another region"
            ),
            (None, Some(0)) => format!(
                "there is nothing to read: the account has no functions in {region}\nhint: use \
                 --region for another region, --profile for another account"
            ),
            (None, _) => format!(
                "there is nothing to read: none of the functions in {region} has a log group, \
                 which is created by the first invocation\nhint: `rightsizer list` shows the \
                 functions"
            ),
        }
    }

    /// Prints it on standard error.
    pub(super) fn print_scope(
        &self,
        (first, last): (Day, Day),
        region: &str,
        prefix: Option<&str>,
    ) {
        let functions = self.functions.map_or_else(String::new, |functions| {
            format!(" of the {}", counted(functions, "function"))
        });
        out::note(format_args!(
            "{}{functions} in {region}, {first} to {last}: {} of logs to read",
            counted(self.groups, "log group"),
            counted(self.missing, "day")
        ));
        if self.left_out > 0 {
            out::note(format_args!(
                "skipped {} whose function does not exist",
                counted(self.left_out, "log group")
            ));
        }
        if self.groups == 0 {
            out::note(format_args!("{}", self.nothing(prefix, region)));
        }
        if self.queries > 0 {
            out::note(format_args!(
                "Logs Insights will scan about {:.1} GB with {}: about ${:.2} at ${} a GB (AWS's \
                 list price in {region}, as built in or set by [price] insights_gb)",
                gigabytes(self.bytes),
                queries(self.queries),
                self.usd,
                self.usd_a_gb
            ));
        }
    }
}

fn queries(n: usize) -> String {
    if n == 1 {
        "1 query".to_owned()
    } else {
        format!("{n} queries")
    }
}

fn gigabytes(bytes: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let bytes = bytes as f64;
    bytes / 1e9
}

/// What was done.
pub(super) struct Results<'a> {
    pub(super) args: &'a CloudwatchArgs,
    pub(super) groups: &'a [LogGroup],
    pub(super) functions: usize,
    pub(super) left_out: usize,
    pub(super) about: About,
    pub(super) totals: Totals,
    pub(super) decided: u64,
}

impl Results<'_> {
    /// Prints it; as JSON into `all`, if given.
    pub(super) fn print(&self, all: Option<&mut Vec<Value>>) -> anyhow::Result<ExitCode> {
        let mut out = out::stdout();
        match all {
            Some(all) if self.args.form.is_json() => all.push(self.json()),
            // A region without functions is not mentioned.
            Some(_) if self.about.is_empty() => {}
            _ if self.args.form.is_json() => crate::cli::write_json(&self.json(), &mut out)?,
            _ => self.print_text(&mut out)?,
        }
        let failed = self.failed().next().is_some() || self.totals.stopped.is_some();
        for (group, why) in self.failed() {
            out::note(format_args!("rightsizer: {group}: {why}"));
        }
        if let Some(why) = &self.totals.stopped {
            out::note(format_args!(
                "rightsizer: the rest was not tried, because one log group after the other cannot \
                 be read: {why}\nhint: what was read is kept; run the same command to continue, \
                 and --print-policy for the policy that is needed"
            ));
        }
        Ok(if failed {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }

    fn failed(&self) -> impl Iterator<Item = (&str, &str)> {
        self.totals
            .unread
            .iter()
            .filter_map(|(group, why)| match why {
                Unread::Refused(why) => Some((self.name(*group), why.as_str())),
                Unread::Gone => None,
            })
    }

    fn gone(&self) -> Vec<&str> {
        let gone = self.totals.unread.iter();
        let gone = gone.filter(|(_, why)| **why == Unread::Gone);
        gone.map(|(group, _)| self.name(*group)).collect()
    }

    fn name(&self, group: usize) -> &str {
        self.groups.get(group).map_or("", |group| &group.name)
    }

    fn usd(&self) -> f64 {
        gigabytes(self.totals.scanned_bytes) * self.about.usd_a_gb
    }

    fn json(&self) -> Value {
        let totals = &self.totals;
        json!({
            "log_groups": self.groups.len(),
            "log_groups_with_reports": totals.with_reports.len(),
            "log_groups_left_out": self.left_out,
            "log_groups_gone": self.gone(),
            "functions": self.functions,
            "functions_decided": self.decided,
            "days_read": totals.days,
            "days_kept": totals.kept,
            "invocations": totals.invocations,
            "refused_lines": totals.refused_lines,
            "failed_starts_without_size": totals.starts_without_size,
            "queries": totals.queries,
            "scanned_bytes": totals.scanned_bytes,
            "scanned_usd": self.usd(),
            "estimated_bytes": self.about.bytes,
            "estimated_usd": self.about.usd,
            "read_line_by_line": totals.filtered.len(),
            "no_queries": totals.no_queries,
            "failed": self.failed().map(|(group, why)| json!({"log_group": group, "why": why})).collect::<Vec<_>>(),
            "stopped": totals.stopped,
        })
    }

    fn print_text(&self, out: &mut impl Write) -> std::io::Result<()> {
        let totals = &self.totals;
        if let Some(why) = &totals.no_queries {
            writeln!(
                out,
                "queries cannot be made here ({why}): the log groups were read line by line"
            )?;
        }
        writeln!(
            out,
            "{} invocations in {} of {}",
            totals.invocations,
            totals.with_reports.len(),
            counted(self.groups.len(), "log group"),
        )?;
        if totals.queries > 0 {
            writeln!(
                out,
                "{} scanned {:.1} GB, about ${:.2}",
                queries(usize::try_from(totals.queries).unwrap_or(usize::MAX)),
                gigabytes(totals.scanned_bytes),
                self.usd()
            )?;
        }
        let gone = self.gone();
        if !gone.is_empty() {
            writeln!(out, "gone meanwhile: {}", gone.join(", "))?;
        }
        if totals.kept > 0 {
            writeln!(
                out,
                "{} days have fewer invocations than in an earlier import; the earlier figures \
                 were kept",
                totals.kept
            )?;
        }
        if totals.refused_lines > 0 {
            writeln!(out, "{} report lines cannot be used", totals.refused_lines)?;
        }
        if totals.starts_without_size > 0 {
            writeln!(
                out,
                "{} starts that failed are not counted, because their version had several sizes on their day, or no \
                 report: --no-queries --again reads their sizes line by line",
                totals.starts_without_size
            )?;
        }
        writeln!(
            out,
            "{} decided; `rightsizer list --store {}` shows the fleet",
            counted(
                usize::try_from(self.decided).unwrap_or(usize::MAX),
                "function"
            ),
            self.args.store.store.display()
        )
    }
}
