//! Reads the details of some days of some functions.

use rightsizer_records::{Day, Megabytes};
use rightsizer_rules::assess::{DayCounts, DaySet, SizeDay, Usage};
use rightsizer_rules::window::Distribution;
use rusqlite::{Row, params};

use super::columns::{count, megabytes};
use super::error::StoreError;
use super::evidence::Evidence;
use super::unit::FunctionId;

/// A request: the function, its days, and the version for its sizes.
pub(super) struct Wanted<'a> {
    pub(super) function: FunctionId,
    pub(super) days: DaySet,
    pub(super) version: &'a str,
}

/// Adds a row of `days`, which come in the table's order.
fn add(usage: &mut Usage, day: Day, row: &Row<'_>, version: &str) -> Result<(), StoreError> {
    let number = |n: usize| -> rusqlite::Result<u64> { Ok(count(row.get(n)?)) };
    let failures = number(9)?
        .saturating_add(number(10)?)
        .saturating_add(number(11)?);
    let counts = DayCounts {
        invocations: number(4)?,
        billed_ms: number(5)?,
        failures,
    };
    let rank: i64 = row.get(1)?;
    let counts_here = usage.count(day, rank, counts);
    let named = row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?;
    if named != version {
        return Ok(());
    }
    let distribution = |n: usize| -> Result<Distribution, StoreError> {
        let bytes = row.get_ref(n)?.as_blob().map_err(rusqlite::Error::from)?;
        Ok(Distribution::from_bytes(bytes)?)
    };
    let size: Megabytes = megabytes(row.get(2)?);
    if !counts_here {
        let (inits, restores) = (distribution(17)?, distribution(18)?);
        let some = inits.count() + restores.count() > 0;
        if some && usage.counts_failed_starts(day, rank) {
            usage.add_failed_starts(size, &inits, &restores);
        }
        return Ok(());
    }
    usage.add(
        day,
        size,
        &SizeDay {
            counts,
            cpu_ms: number(6)?,
            cpu_wall_ms: number(7)?,
            crashes: number(12)?,
            heap_limits: number(13)?,
            peak_mb: megabytes(row.get(14)?),
            durations: &distribution(8)?,
            inits: &distribution(15)?,
            restores: &distribution(16)?,
            failed_inits: &distribution(17)?,
            failed_restores: &distribution(18)?,
            hours: row
                .get_ref(19)?
                .as_blob()
                .map_err(rusqlite::Error::from)?
                .into(),
        },
    );
    Ok(())
}

impl Evidence<'_> {
    /// Adds up the days of the functions `wanted`, which ascend: one walk over each of `days`.
    pub(super) fn usage(
        &self,
        wanted: &[Wanted<'_>],
        days: impl Iterator<Item = Day>,
    ) -> Result<Vec<Usage>, StoreError> {
        let mut usage = vec![Usage::default(); wanted.len()];
        let (Some(first), Some(last)) = (wanted.first(), wanted.last()) else {
            return Ok(usage);
        };
        let mut statement = self.tx.prepare_cached(
            "SELECT function_id, source, memory_mb, version, invocations, billed_ms, cpu_ms,
                    cpu_wall_ms, durations, errors, timeouts, ooms, crashes, heap_limits, peak_mb, inits,
                    restores, failed_inits, failed_restores, hours
             FROM days WHERE day = ? AND function_id BETWEEN ? AND ?",
        )?;
        for day in days {
            let mut rows = statement.query(params![day.number(), first.function, last.function])?;
            let mut at = 0;
            while let Some(row) = rows.next()? {
                let id: FunctionId = row.get(0)?;
                while wanted.get(at).is_some_and(|w| w.function < id) {
                    at += 1;
                }
                let Some(one) = wanted.get(at) else { break };
                if one.function == id && one.days.contains(day) {
                    add(&mut usage[at], day, row, one.version)?;
                }
            }
        }
        Ok(usage)
    }
}
