//! Reads the windows of functions for the policies: of one function, or of many, for which the tables are read
//! in their own order.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use rightsizer_records::{Arch, Day, EvidenceWindow, Megabytes, Millis, Timestamp};
use rightsizer_rules::evidence::FunctionKey;
use rightsizer_rules::policy::{
    Changes, Configured, DayPeak, FunctionEvidence, Leak, PolicySettings, Successes,
};
use rightsizer_rules::price;
use rightsizer_rules::window::{PEAK_MEMORY_DAYS, WINDOW_DAYS, Witnesses};
use rusqlite::{Connection, params};

use super::changes::History;
use super::columns::{megabytes, timestamp};
use super::days::witnesses;
use super::error::StoreError;
use super::inventory::configured;
use super::unit::FunctionId;
use super::usage::{Usage, Wanted};
use super::viewpoint::{Span, Viewpoint};

/// Everything a decision about one function needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    /// The function.
    pub function: FunctionKey,
    /// The version with the traffic.
    pub version: String,
    /// Architecture, if known.
    pub arch: Option<Arch>,
    /// The input of the policies.
    pub evidence: FunctionEvidence,
    /// Highest peak of the window and the open days.
    pub peak_mb: Megabytes,
    /// The billed usage in the window.
    pub usage: price::Usage,
    /// 99th percentile of the durations at the current size, if there are any.
    pub p99: Option<Millis>,
    /// Whether the inventory or history knows it.
    pub known: bool,
}

/// One function of a walk.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessed {
    /// Its row.
    pub id: FunctionId,
    /// The day of its last decision.
    pub decided: Option<Day>,
    /// Whether that decision is still in the store.
    pub has_decision: bool,
    /// `None` if no day of the window or after it has a memory figure.
    pub seen: Option<Assessment>,
}

/// The identity columns of a function.
struct Head {
    id: FunctionId,
    function: FunctionKey,
    version: String,
    arch: Option<Arch>,
    first: Timestamp,
    /// When it was first seen, for W4.
    known_since: Timestamp,
    current_mb: Megabytes,
    decided: Option<Day>,
    has_decision: bool,
    /// Out-of-memory up to this day no longer counts.
    cleared: Option<Day>,
    configured: Configured,
    baseline_p95: Option<Millis>,
    /// Whether its logs contain only reports of failures.
    failures_only: bool,
    known: bool,
    /// A CloudWatch alarm on it that is in `ALARM`.
    alarm: Option<String>,
    deployed: Option<Timestamp>,
}

impl Head {
    /// P3: the largest size that hid the demand among all remembered days after those that were
    /// cleared, and the day it did so last.
    fn largest_censored(&self, days: &[DayPeak], to: Day) -> Option<(Day, Megabytes)> {
        let remembered = to.plus(-PEAK_MEMORY_DAYS);
        let after = self.cleared.map(|day| day.plus(1));
        let from = after.map_or(remembered, |day| remembered.max(day));
        let counting = days.iter().filter(|d| d.day >= from);
        let largest = counting.max_by_key(|d| (d.peak, d.day))?;
        Some((largest.day, largest.peak))
    }
}

/// A function of a walk with the data that is read before its days.
struct Opened {
    head: Head,
    peaks: Vec<DayPeak>,
    seen_by: Witnesses,
    span: Option<Span>,
}

/// Its other facts.
#[derive(Clone, Copy)]
struct Around {
    history: History,
    leak: Option<Leak>,
    censored: Option<(Day, Megabytes)>,
    agreed: Megabytes,
}

impl Opened {
    fn wanted(&self) -> Option<Wanted<'_>> {
        Some(Wanted {
            function: self.head.id,
            days: self.span.as_ref()?.days(),
            version: &self.head.version,
        })
    }
}

/// The evidence for decisions.
#[derive(Debug)]
pub struct Evidence<'u> {
    pub(super) tx: &'u Connection,
}

impl Evidence<'_> {
    /// Assesses the functions `ids`, ascending. Data that was merged since the last flush is not included.
    pub fn assess(
        &self,
        ids: RangeInclusive<FunctionId>,
        view: Viewpoint<'_>,
    ) -> Result<Vec<Assessed>, StoreError> {
        let opened = self.opened(&ids, view)?;
        let mut censored = self.censored(&ids)?;
        let histories = self.histories(&ids, view.now)?;
        let window = view.last_closed().plus(1 - WINDOW_DAYS);
        let leaks = self.leaks(&ids, window)?;
        let spans = || opened.iter().filter_map(|o| o.span.as_ref());
        let range = spans()
            .map(|s| s.from)
            .min()
            .zip(spans().map(|s| s.to).max());
        let days = range
            .into_iter()
            .flat_map(|(from, to)| from.number()..=to.number());
        let wanted: Vec<Wanted<'_>> = opened.iter().filter_map(Opened::wanted).collect();
        let mut usage = self.usage(&wanted, days.map(Day::from_number))?.into_iter();
        drop(wanted);
        let mut assessed = Vec::with_capacity(opened.len());
        for Opened {
            head,
            peaks,
            seen_by,
            span,
        } in opened
        {
            let around = Around {
                history: histories.get(&head.id).copied().unwrap_or_default(),
                leak: leaks.get(&head.id).copied(),
                agreed: seen_by.agreed(),
                censored: censored
                    .remove(&head.id)
                    .and_then(|days| head.largest_censored(&days, view.last_closed())),
            };
            // Only of those with a span something was asked for.
            let used = span.as_ref().and_then(|_| usage.next());
            assessed.push(Assessed {
                id: head.id,
                decided: head.decided,
                has_decision: head.has_decision,
                seen: span
                    .zip(used)
                    .map(|(span, used)| assembled(head, peaks, &span, &used, around, view)),
            });
        }
        Ok(assessed)
    }

    fn heads(
        &self,
        ids: &RangeInclusive<FunctionId>,
        settings: &PolicySettings,
    ) -> Result<Vec<Head>, StoreError> {
        let mut statement = self.tx.prepare_cached(
            "SELECT f.id, f.function, f.version, f.known_arch, f.first_ms,
                    max(f.first_ms, f.heard_ms), f.current_mb, f.decided_day,
                    f.policy_mb IS NOT NULL, f.cleared_day, f.timeout_s, f.tags,
                    f.baseline_p95_ms, f.failures_only, f.known, f.snap_start, f.alarm, f.deployed_ms
             FROM functions_now f
             WHERE f.id BETWEEN ? AND ? ORDER BY f.id",
        )?;
        let mut rows = statement.query(params![ids.start(), ids.end()])?;
        let mut heads = Vec::new();
        let day = |n: Option<i32>| n.map(Day::from_number);
        while let Some(row) = rows.next()? {
            let function: String = row.get(1)?;
            let arch: Option<String> = row.get(3)?;
            let tags = row.get_ref(11)?.as_str_or_null();
            let tags = tags.map_err(rusqlite::Error::from)?;
            heads.push(Head {
                id: row.get(0)?,
                function: FunctionKey::stored(&function)
                    .map_err(|e| StoreError::Damaged(e.to_string()))?,
                version: row.get(2)?,
                arch: arch.map(|name| Arch::from_name(&name)),
                first: timestamp(row.get(4)?)?,
                known_since: timestamp(row.get(5)?)?,
                current_mb: megabytes(row.get(6)?),
                decided: day(row.get(7)?),
                has_decision: row.get(8)?,
                cleared: day(row.get(9)?),
                configured: Configured {
                    untagged: settings.mode,
                    snap_start: row.get(15)?,
                    ..configured(row.get(10)?, tags, &settings.pipeline_tags)?
                },
                baseline_p95: row.get::<_, Option<f64>>(12)?.and_then(Millis::from_ms_f64),
                failures_only: row.get(13)?,
                known: row.get(14)?,
                alarm: row.get(16)?,
                deployed: row.get::<_, Option<i64>>(17)?.map(timestamp).transpose()?,
            });
        }
        Ok(heads)
    }

    /// Returns the functions `ids` with their days that have a memory figure, oldest first.
    fn opened(
        &self,
        ids: &RangeInclusive<FunctionId>,
        view: Viewpoint<'_>,
    ) -> Result<Vec<Opened>, StoreError> {
        let heads = self.heads(ids, view.settings)?;
        let mut opened = Vec::with_capacity(heads.len());
        let mut statement = self.tx.prepare_cached(
            "SELECT p.day, p.peak_mb, coalesce(w.shown_mb, p.peak_mb), coalesce(w.one_mb, 0),
                    coalesce(w.one_env, 0), coalesce(w.two_mb, 0), coalesce(w.two_env, 0)
             FROM peaks p LEFT JOIN witnesses w ON w.function_id = p.function_id AND w.day = p.day
             WHERE p.function_id = ? AND p.day >= ? AND p.peak_mb > 0 ORDER BY p.day",
        )?;
        let from = view.history_from().number();
        let floor_from = view.floor_from();
        for head in heads {
            let mut rows = statement.query(params![head.id, from])?;
            let (mut peaks, mut seen_by) = (Vec::new(), Witnesses::default());
            while let Some(row) = rows.next()? {
                let day = Day::from_number(row.get(0)?);
                peaks.push(DayPeak {
                    day,
                    peak: megabytes(row.get(1)?),
                });
                if day >= floor_from {
                    seen_by = seen_by.join(witnesses(row, 2)?);
                }
            }
            let span = Span::new(&peaks, view.last_closed(), head.first.day());
            opened.push(Opened {
                head,
                peaks,
                seen_by,
                span,
            });
        }
        Ok(opened)
    }

    /// Returns the days on which a size hid the demand, for the functions `ids` that have any.
    fn censored(
        &self,
        ids: &RangeInclusive<FunctionId>,
    ) -> Result<HashMap<FunctionId, Vec<DayPeak>>, StoreError> {
        let mut statement = self.tx.prepare_cached(
            "SELECT function_id, day, censored_mb FROM peaks INDEXED BY peaks_censored
             WHERE function_id BETWEEN ? AND ? AND censored_mb > 0",
        )?;
        let mut rows = statement.query(params![ids.start(), ids.end()])?;
        let mut days: HashMap<FunctionId, Vec<DayPeak>> = HashMap::new();
        while let Some(row) = rows.next()? {
            days.entry(row.get(0)?).or_default().push(DayPeak {
                day: Day::from_number(row.get(1)?),
                peak: megabytes(row.get(2)?),
            });
        }
        Ok(days)
    }
}

/// Returns the peaks of the days with a success, or of all days if there is none. The memory of a failed
/// invocation is only a lower bound of its demand, which the floor covers.
fn peaks_of(decided: &[DayPeak], with_success: &[Day]) -> Vec<Megabytes> {
    let proven = decided
        .iter()
        .filter(|p| with_success.binary_search(&p.day).is_ok());
    let proven: Vec<Megabytes> = proven.map(|p| p.peak).collect();
    if proven.is_empty() {
        return decided.iter().map(|p| p.peak).collect();
    }
    proven
}

fn assembled(
    head: Head,
    peaks: Vec<DayPeak>,
    span: &Span,
    usage: &Usage,
    around: Around,
    view: Viewpoint<'_>,
) -> Assessment {
    let floor_from = view.floor_from();
    let floor_peak = peaks.iter().filter(|p| p.day >= floor_from);
    let floor_peak = floor_peak.max_by_key(|p| p.peak);
    let mut changes: Changes = around.history.changes;
    changes.baseline_p95 = head.baseline_p95;
    if let Some(last) = &mut changes.last {
        last.invocations = usage.since(last.at.day(), last.to_mb);
    }
    let evidence = FunctionEvidence {
        current_mb: head.current_mb,
        pending_mb: around.history.pending_mb.filter(|mb| *mb > head.current_mb),
        window: EvidenceWindow {
            from: span.from,
            to: span.to,
            days: u32::try_from(span.decided.len()).unwrap_or(u32::MAX),
            invocations: usage.invocations,
        },
        successes: Successes {
            days: u32::try_from(usage.days_with_success.len()).unwrap_or(u32::MAX),
            invocations: usage.succeeded,
        },
        daily_peaks: peaks_of(&span.decided, &usage.days_with_success),
        floor_peak: floor_peak.map(|p| (p.day, p.peak)),
        agreed_mb: Some(around.agreed),
        censored: around.censored,
        leak: around.leak,
        changes,
        configured: head.configured,
        sizes: usage.size_facts(),
        health: usage.health(),
        alarm: head.alarm,
        deployed_at: head.deployed,
        failures_only: head.failures_only && usage.by_logs,
        wrapped: usage.wrapped(),
        first_report: head.known_since,
        present: view.present(),
        history: peaks,
    };
    Assessment {
        evidence,
        peak_mb: span.peak_mb,
        usage: price::Usage {
            billed_ms: usage.billed_ms,
            invocations: usage.invocations,
            days: span.calendar_days,
        },
        p99: usage.p99(head.current_mb),
        known: head.known,
        function: head.function,
        version: head.version,
        arch: head.arch,
    }
}
