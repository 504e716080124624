//! A function's window out of the store, as the policies look at it.

use rightsizer_records::{Arch, Day, EvidenceWindow, Megabytes, Millis, Timestamp};
use rusqlite::params;

use super::columns::{megabytes, timestamp};
use super::days::{DAY_COLUMNS, read_day};
use super::error::StoreError;
use super::unit::{FunctionId, Unit};
use crate::policy::{Changes, Configured, DayPeak, FunctionEvidence, PolicySettings};
use crate::price::Usage;
use crate::source::FunctionKey;
use crate::window::{DayClock, Distribution, PEAK_MEMORY_DAYS, WINDOW_DAYS};

/// Everything a decision about one function needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    /// Whose.
    pub function: FunctionKey,
    /// The version whose traffic it is.
    pub version: String,
    /// Architecture, where known.
    pub arch: Option<Arch>,
    /// What the policies look at.
    pub evidence: FunctionEvidence,
    /// Highest peak of the window and the open days.
    pub peak_mb: Megabytes,
    /// What was billed in the window.
    pub usage: Usage,
    /// 99th percentile of the durations at the current size, where there are any.
    pub p99: Option<Millis>,
}

/// The identity columns of a function.
struct Head {
    function: FunctionKey,
    version: String,
    arch: Option<Arch>,
    first: Timestamp,
    /// Since when it is known, for W4.
    known_since: Timestamp,
    current_mb: Megabytes,
}

/// A remembered day.
#[derive(Clone, Copy)]
struct Peak {
    day: Day,
    height: Megabytes,
    censored_mb: Megabytes,
}

/// The days a decision rests on: the window's closed days with a memory figure; where there is none
/// yet, the open ones (W4).
struct Span {
    from: Day,
    to: Day,
    decided: Vec<Peak>,
    /// Highest peak of the window and the open days.
    peak_mb: Megabytes,
    /// Calendar days that the usage spreads over, idle ones included, since the function is known.
    calendar_days: u32,
}

impl Span {
    fn new(peaks: &[Peak], last_closed: Day, first_report: Day) -> Option<Self> {
        let from = last_closed.plus(1 - WINDOW_DAYS);
        let seen = peaks
            .iter()
            .filter(|p| p.height > Megabytes(0) && p.day >= from);
        let (closed, open): (Vec<Peak>, Vec<Peak>) = seen.partition(|p| p.day <= last_closed);
        let peak_mb = closed.iter().chain(&open).map(|p| p.height).max()?;
        let (from, to, decided, used_from) = if closed.is_empty() {
            let (oldest, newest) = (open.first()?.day, open.last()?.day);
            (oldest, newest, open, oldest)
        } else {
            (from, last_closed, closed, from.max(first_report))
        };
        let calendar_days = u32::try_from(to.number() - used_from.number() + 1).unwrap_or(1);
        Some(Self {
            from,
            to,
            decided,
            peak_mb,
            calendar_days,
        })
    }
}

/// The days with a memory figure, as the policies take them.
fn remembered(peaks: &[Peak]) -> Vec<DayPeak> {
    let figured = peaks.iter().filter(|p| p.height > Megabytes(0));
    let day_peak = |p: &Peak| DayPeak {
        day: p.day,
        peak: p.height,
    };
    figured.map(day_peak).collect()
}

/// What the details of some days add up to.
#[derive(Default)]
struct Totals {
    invocations: u64,
    billed_ms: u64,
    durations: Distribution,
}

impl Unit<'_> {
    /// Assesses one function; `None` where no day of the window or after it has a memory figure.
    /// What was merged since the last flush is not seen.
    pub fn assess(
        &self,
        id: FunctionId,
        clock: &DayClock,
        now: Timestamp,
        settings: &PolicySettings,
    ) -> Result<Option<Assessment>, StoreError> {
        let head = self.head(id)?;
        let present = clock.present(now);
        let to = clock.last_closed().unwrap_or_else(|| present.day());
        let peaks = self.peaks_since(id, to.plus(-PEAK_MEMORY_DAYS))?;
        let Some(span) = Span::new(&peaks, to, head.first.day()) else {
            return Ok(None);
        };
        let totals = self.totals(id, &span.decided, head.current_mb)?;
        let floor_from = to.plus(1 - settings.floor_days.max(WINDOW_DAYS));
        let floor_peak = peaks
            .iter()
            .filter(|p| p.day >= floor_from)
            .max_by_key(|p| p.height);
        let hidden = peaks.iter().filter(|p| p.censored_mb > Megabytes(0));
        let censored = hidden.max_by_key(|p| p.censored_mb);
        let evidence = FunctionEvidence {
            current_mb: head.current_mb,
            pending_mb: self.pending_increase(id, head.current_mb, now)?,
            window: EvidenceWindow {
                from: span.from,
                to: span.to,
                days: u32::try_from(span.decided.len()).unwrap_or(u32::MAX),
                invocations: totals.invocations,
            },
            daily_peaks: span.decided.iter().map(|p| p.height).collect(),
            history: remembered(&peaks),
            floor_peak: floor_peak.map(|p| (p.day, p.height)),
            censored: censored.map(|p| (p.day, p.censored_mb)),
            leak: None,
            changes: Changes::default(),
            configured: Configured::default(),
            sizes: Vec::new(),
            first_report: head.known_since,
            present,
        };
        Ok(Some(Assessment {
            evidence,
            peak_mb: span.peak_mb,
            usage: Usage {
                billed_ms: totals.billed_ms,
                invocations: totals.invocations,
                days: span.calendar_days,
            },
            p99: totals.durations.quantile(0.99).map(Millis::from_ms),
            function: head.function,
            version: head.version,
            arch: head.arch,
        }))
    }

    /// Functions with a remembered day on or after `day`.
    pub fn active_since(&self, day: Day) -> Result<Vec<FunctionId>, StoreError> {
        let mut statement = self
            .tx
            .prepare_cached("SELECT DISTINCT function_id FROM peaks WHERE day >= ?")?;
        let ids = statement.query_map([day.number()], |row| row.get(0))?;
        Ok(ids.collect::<Result<_, _>>()?)
    }

    /// Of those, the ones that were last decided on `decided` or before, or never.
    pub fn due_since(&self, day: Day, decided: Day) -> Result<Vec<FunctionId>, StoreError> {
        let mut statement = self.tx.prepare_cached(
            "SELECT DISTINCT p.function_id FROM peaks p JOIN functions f ON f.id = p.function_id
             WHERE p.day >= ? AND (f.decided_day IS NULL OR f.decided_day <= ?)",
        )?;
        let ids = statement.query_map([day.number(), decided.number()], |row| row.get(0))?;
        Ok(ids.collect::<Result<_, _>>()?)
    }

    fn head(&self, id: FunctionId) -> Result<Head, StoreError> {
        let mut statement = self.tx.prepare_cached(
            "SELECT function, version, arch, first_ms, max(first_ms, heard_ms),
                    CASE WHEN applied_ms >= current_ms THEN applied_mb ELSE current_mb END
             FROM functions WHERE id = ?",
        )?;
        let (function, version, arch, first, known, current) =
            statement.query_row([id], |row| {
                let arch: Option<String> = row.get(2)?;
                Ok((
                    row.get::<_, String>(0)?,
                    row.get(1)?,
                    arch,
                    row.get(3)?,
                    row.get(4)?,
                    row.get(5)?,
                ))
            })?;
        Ok(Head {
            function: FunctionKey::parse(&function)
                .map_err(|e| StoreError::Damaged(e.to_string()))?,
            version,
            arch: arch.map(|name| Arch::from_name(&name)),
            first: timestamp(first)?,
            known_since: timestamp(known)?,
            current_mb: megabytes(current),
        })
    }

    fn peaks_since(&self, id: FunctionId, day: Day) -> Result<Vec<Peak>, StoreError> {
        let mut statement = self.tx.prepare_cached(
            "SELECT day, peak_mb, censored_mb FROM peaks
             WHERE function_id = ? AND day >= ? ORDER BY day",
        )?;
        let rows = statement.query_map(params![id, day.number()], |row| {
            Ok(Peak {
                day: Day::from_number(row.get(0)?),
                height: megabytes(row.get(1)?),
                censored_mb: megabytes(row.get(2)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Sums the days' details, of the one source that counts on each day (W7).
    fn totals(
        &self,
        id: FunctionId,
        days: &[Peak],
        current: Megabytes,
    ) -> Result<Totals, StoreError> {
        let mut statement = self.tx.prepare_cached(&format!(
            "SELECT memory_mb, {DAY_COLUMNS} FROM days WHERE day = ?1 AND function_id = ?2
                AND source = (SELECT min(source) FROM days WHERE day = ?1 AND function_id = ?2)"
        ))?;
        let mut totals = Totals::default();
        for peak in days {
            let mut rows = statement.query(params![peak.day.number(), id])?;
            while let Some(row) = rows.next()? {
                let day = read_day(row, 1)?;
                totals.invocations += day.invocations;
                totals.billed_ms += day.billed_ms;
                if megabytes(row.get(0)?) == current {
                    totals.durations.merge(&day.durations);
                }
            }
        }
        Ok(totals)
    }

    /// A larger size that was sent and not answered yet.
    fn pending_increase(
        &self,
        id: FunctionId,
        current: Megabytes,
        now: Timestamp,
    ) -> Result<Option<Megabytes>, StoreError> {
        let mut statement = self.tx.prepare_cached(
            "SELECT max(to_mb) FROM recommendations WHERE function_id = ? AND status = 'sent'
                AND expires_ms > ?",
        )?;
        let pending: Option<i64> =
            statement.query_row(params![id, now.as_ms()], |row| row.get(0))?;
        Ok(pending.map(megabytes).filter(|mb| *mb > current))
    }
}
