//! Reads the windows of functions for the policies: of one function, or of many, for which the tables are read
//! in their own order.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use rightsizer_records::{Arch, Day, Millis, Timestamp};
use rightsizer_rules::assess::{
    Around, Assessment, Known, Span, Viewpoint, assemble, largest_censored,
};
use rightsizer_rules::evidence::FunctionKey;
use rightsizer_rules::policy::{Configured, DayPeak, PolicySettings};
use rightsizer_rules::window::{WINDOW_DAYS, Witnesses};
use rusqlite::{Connection, params};

use super::columns::{megabytes, timestamp};
use super::days::witnesses;
use super::error::StoreError;
use super::inventory::configured;
use super::unit::FunctionId;
use super::usage::Wanted;

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

/// The columns of a function.
struct Head {
    id: FunctionId,
    known: Known,
    first: Timestamp,
    decided: Option<Day>,
    has_decision: bool,
    /// Out-of-memory up to this day no longer counts.
    cleared: Option<Day>,
}

/// A function of a walk with the data that is read before its days.
struct Opened {
    head: Head,
    peaks: Vec<DayPeak>,
    seen_by: Witnesses,
    span: Option<Span>,
}

impl Opened {
    fn wanted(&self) -> Option<Wanted<'_>> {
        Some(Wanted {
            function: self.head.id,
            days: self.span.as_ref()?.days(),
            version: &self.head.known.version,
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
                censored: censored.remove(&head.id).and_then(|days| {
                    largest_censored(days.into_iter(), head.cleared, view.last_closed())
                }),
            };
            // Only of those with a span something was asked for.
            let used = span.as_ref().and_then(|_| usage.next());
            assessed.push(Assessed {
                id: head.id,
                decided: head.decided,
                has_decision: head.has_decision,
                seen: span
                    .zip(used)
                    .map(|(span, used)| assemble(head.known, peaks, &span, &used, around, view)),
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
                    f.baseline_p95_ms, f.failures_only, f.known, f.alarm, f.deployed_ms
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
            let known = Known {
                function: FunctionKey::stored(&function)
                    .map_err(|e| StoreError::Damaged(e.to_string()))?,
                version: row.get(2)?,
                arch: arch.map(|name| Arch::from_name(&name)),
                known_since: timestamp(row.get(5)?)?,
                current_mb: megabytes(row.get(6)?),
                configured: Configured {
                    untagged: settings.mode,
                    ..configured(row.get(10)?, tags, &settings.pipeline_tags)?
                },
                baseline_p95: row.get::<_, Option<f64>>(12)?.and_then(Millis::from_ms_f64),
                failures_only: row.get(13)?,
                known: row.get(14)?,
                alarm: row.get(15)?,
                deployed: row.get::<_, Option<i64>>(16)?.map(timestamp).transpose()?,
            };
            heads.push(Head {
                id: row.get(0)?,
                known,
                first: timestamp(row.get(4)?)?,
                decided: day(row.get(7)?),
                has_decision: row.get(8)?,
                cleared: day(row.get(9)?),
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
