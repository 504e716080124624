//! The output of the readers of all formats: counts what they find, and passes it on.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use foldhash::fast::RandomState;
use rightsizer_records::{Record, Status};
use rightsizer_rules::comparison::{Comparison, Found};
use rightsizer_rules::evidence::{Evidence, FunctionKey, Item, Observation};
use serde::Serialize;

use super::budget::{Budget, Overspent};
use super::endings::Endings;
use super::facts::Facts;
use super::failed_start::{Counted, Kind};
use super::figures::Invocation;
use super::hints::{Hints, Origin};
use super::message::Spot;

/// As much of a refused entry as is shown.
const SAMPLE_CHARS: usize = 200;
/// The longest reason: it may hold words of the entry itself.
const REASON_CHARS: usize = 500;

/// A format that was found in an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Records of this product's own streams.
    Records,
    /// Telemetry API events.
    Telemetry,
    /// The JSON of `aws logs filter-log-events` or `get-log-events`.
    LogEvents,
    /// The text of `aws logs tail` and its like: time, log stream, message.
    LogsTail,
    /// A Logs Insights result: JSON, CSV or a table.
    LogsInsights,
    /// Events of the Lambda Insights extension.
    LambdaInsights,
    /// CloudWatch Logs subscription payloads.
    Subscription,
    /// Bare `REPORT` lines.
    ReportLines,
    /// A table of log lines: CSV or drawn with marks.
    LogTable,
    /// Reports inside of what another tool wrote around them.
    Wrapped,
    /// A result of Lambda Power Tuning.
    PowerTuning,
    /// An export of Compute Optimizer.
    ComputeOptimizer,
}

/// The sink stopped, or the budget is spent. The one that stopped has the reason.
#[derive(Debug)]
pub(super) struct Stopped;

/// What was counted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) accepted: u64,
    pub(super) ignored: u64,
    pub(super) refused: u64,
    pub(super) formats: BTreeSet<Format>,
    /// Accepted without a time of their own.
    pub(super) undated: u64,
    /// Accepted under a name that is not an ARN.
    pub(super) local: u64,
    /// Platform reports without memory figures.
    pub(super) no_memory: u64,
    /// Logs Insights rows without anything to use.
    pub(super) empty_rows: u64,
    /// Accepted without a time of their own, on the day in the name of their log stream.
    pub(super) stream_days: u64,
    /// Accepted with a memory figure that a spreadsheet rounded.
    pub(super) rounded: u64,
    /// Reports of Lambda@Edge replicas.
    pub(super) replicas: u64,
    /// Results of Lambda Power Tuning.
    pub(super) measured: u64,
    /// Of these, with a link that cannot be read.
    pub(super) unread_links: u64,
    /// Recommendations of Compute Optimizer.
    pub(super) advised: u64,
    /// Rows of its exports that are of no function, or without a finding.
    pub(super) unadvised: u64,
}

impl Tally {
    /// Entries of any kind.
    pub(super) const fn entries(&self) -> u64 {
        self.accepted + self.ignored + self.refused
    }

    pub(super) fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.ignored += other.ignored;
        self.refused += other.refused;
        self.formats.extend(other.formats);
        self.undated += other.undated;
        self.local += other.local;
        self.no_memory += other.no_memory;
        self.empty_rows += other.empty_rows;
        self.stream_days += other.stream_days;
        self.rounded += other.rounded;
        self.replicas += other.replicas;
        self.measured += other.measured;
        self.unread_links += other.unread_links;
        self.advised += other.advised;
        self.unadvised += other.unadvised;
    }
}

/// Counts and passes on.
pub(super) struct Output<'a> {
    pub(super) hints: &'a Hints,
    pub(super) tally: Tally,
    /// Whose names mean: a piece of a file names the same functions again and again.
    pub(super) origins: HashMap<String, Origin, RandomState>,
    /// What is left of what the input may cost.
    pub(super) budget: Budget,
    /// What there was not enough of.
    pub(super) overspent: Option<Overspent>,
    /// A line of this input was printed by a local emulator, which reports used = size always.
    pub(super) emulator: bool,
    /// Endings of invocations from lines other than reports.
    pub(super) endings: Endings,
    /// A line that ends before its message: the JSON on the next lines is that message.
    pub(super) before: Option<Facts>,
    sink: &'a mut dyn FnMut(Item) -> Result<(), Stopped>,
}

impl<'a> Output<'a> {
    pub(super) fn new(
        hints: &'a Hints,
        budget: Budget,
        sink: &'a mut dyn FnMut(Item) -> Result<(), Stopped>,
    ) -> Self {
        Self {
            hints,
            tally: Tally::default(),
            origins: HashMap::default(),
            budget,
            overspent: None,
            emulator: false,
            endings: Endings::default(),
            before: None,
            sink,
        }
    }

    /// Whether it arrives live, and not from a file that a user chose.
    pub(super) const fn live(&self) -> bool {
        self.budget.live
    }

    pub(super) fn format(&mut self, format: Format) {
        self.tally.formats.insert(format);
    }

    /// Spends something of the budget; an input that has not so much left is not read on.
    pub(super) fn spend(
        &mut self,
        spend: impl FnOnce(&mut Budget) -> Result<(), Overspent>,
    ) -> Result<(), Stopped> {
        spend(&mut self.budget).map_err(|why| {
            self.overspent = Some(why);
            Stopped
        })
    }

    /// Text of bytes: what is not UTF-8 is replaced, which takes up to three times as much.
    pub(super) fn text<'b>(&mut self, bytes: &'b [u8]) -> Result<Cow<'b, str>, Stopped> {
        // The common case is checked much faster than the other is mended.
        if let Ok(text) = str::from_utf8(bytes) {
            return Ok(Cow::Borrowed(text));
        }
        self.spend(|budget| budget.unpack(2 * bytes.len() as u64))?;
        Ok(String::from_utf8_lossy(bytes))
    }

    /// One invocation; without a time it is put on the day of undated lines.
    pub(super) fn invocation(
        &mut self,
        spot: Spot<'_>,
        invocation: Invocation,
    ) -> Result<(), Stopped> {
        let Spot {
            line, origin, at, ..
        } = spot;
        if origin.replica {
            self.tally.replicas += 1;
            return self.ignore();
        }
        if let Err(why) = invocation.check() {
            return self.refuse(line, why.to_string(), "");
        }
        self.spend(Budget::entry)?;
        self.tally.accepted += 1;
        self.tally.undated += u64::from(at.is_none());
        self.tally.local += u64::from(matches!(*origin.function, FunctionKey::Local(_)));
        let evidence = Evidence::Observation(self.observed(spot, invocation));
        (self.sink)(Item::Evidence { line, evidence })
    }

    fn observed(&self, spot: Spot<'_>, invocation: Invocation) -> Observation {
        let Spot {
            origin,
            at,
            event,
            wrapped,
            ..
        } = spot;
        Observation {
            function: origin.function.clone(),
            version: origin.version.clone(),
            at: at.unwrap_or_else(|| self.hints.undated()),
            memory_mb: invocation.memory_mb,
            max_used_mb: Some(invocation.max_used_mb),
            duration_ms: invocation.duration_ms,
            billed_ms: invocation.billed_ms,
            status: invocation.status,
            error: invocation.error,
            init_ms: invocation.init_ms,
            restore_ms: invocation.restore_ms,
            environment: origin.environment,
            arch: None,
            event_id: event,
            cpu_ms: invocation.cpu_ms,
            wrapped,
            amends: false,
            failed_start: false,
        }
    }

    /// The invocation of a `REPORT` line of the request `id`, with what other lines add.
    pub(super) fn ended(
        &mut self,
        id: Option<&str>,
        spot: Spot<'_>,
        reported: Invocation,
    ) -> Result<(), Stopped> {
        let mut reported = self.endings.explained(id, spot.origin, reported);
        if self.endings.starts.may_have(spot.origin.environment) {
            self.failed_starts(spot, &mut reported)?;
        }
        if let Some(id) = id.filter(|_| Endings::may_turn_out(&reported)) {
            let observed = self.observed(spot, reported);
            self.endings.watch(id, observed);
        }
        self.invocation(spot, reported)
    }

    /// The starts that failed before a report, at its size. Their lines were counted as ignored entries.
    fn failed_starts(&mut self, spot: Spot<'_>, report: &mut Invocation) -> Result<(), Stopped> {
        if spot.origin.replica {
            return Ok(());
        }
        for Counted { start, at, event } in self.endings.starts.before(spot, report) {
            let took = Some(start.took);
            let (init_ms, restore_ms) = match start.kind {
                Kind::Init => (took, None),
                Kind::Restore => (None, took),
            };
            let beside = Invocation {
                init_ms,
                restore_ms,
                ..Invocation::of(report.memory_mb, report.max_used_mb, Status::Ok)
            };
            let evidence = Evidence::Observation(Observation {
                max_used_mb: None,
                failed_start: true,
                ..self.observed(Spot { at, event, ..spot }, beside)
            });
            (self.sink)(Item::Evidence {
                line: spot.line,
                evidence,
            })?;
        }
        Ok(())
    }

    /// Corrects the ending of an invocation that was passed on before. The line is not a report, so
    /// it counts as an ignored entry.
    pub(super) fn amend(&mut self, spot: Spot<'_>, reported: Observation) -> Result<(), Stopped> {
        self.ignore()?;
        let evidence = Evidence::Observation(Observation {
            event_id: spot.event,
            amends: true,
            ..reported
        });
        let line = spot.line;
        (self.sink)(Item::Evidence { line, evidence })
    }

    /// What another tool found out about sizes.
    pub(super) fn comparison(&mut self, line: u64, found: Comparison) -> Result<(), Stopped> {
        self.spend(Budget::entry)?;
        self.tally.accepted += 1;
        match &found.found {
            Found::Measured(_) => self.tally.measured += 1,
            Found::Advised(_) => self.tally.advised += 1,
        }
        let evidence = Evidence::Comparison(Box::new(found));
        (self.sink)(Item::Evidence { line, evidence })
    }

    pub(super) fn record(&mut self, line: u64, record: Record) -> Result<(), Stopped> {
        self.spend(Budget::entry)?;
        self.tally.accepted += 1;
        let evidence = Evidence::Record(Box::new(record));
        (self.sink)(Item::Evidence { line, evidence })
    }

    pub(super) fn ignore(&mut self) -> Result<(), Stopped> {
        self.spend(Budget::entry)?;
        self.tally.ignored += 1;
        (self.sink)(Item::Ignored)
    }

    pub(super) fn refuse(
        &mut self,
        line: u64,
        reason: impl Into<String>,
        sample: &str,
    ) -> Result<(), Stopped> {
        self.spend(Budget::entry)?;
        self.tally.refused += 1;
        let mut reason: String = reason.into();
        if let Some((end, _)) = reason.char_indices().nth(REASON_CHARS) {
            reason.truncate(end);
            reason.shrink_to_fit();
        }
        (self.sink)(Item::Refused {
            line,
            reason,
            sample: sample.trim().chars().take(SAMPLE_CHARS).collect(),
        })
    }
}
