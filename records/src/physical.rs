//! What an invocation and its environment can have done. A record and a log line are held to the same:
//! figures that no sandbox can reach are refused, wherever they come from.

use crate::{Folded, InitType, Megabytes, Millis, ReportRow, Reports, Status};

/// Used may exceed the size by a little (129 of 128 is seen), or be what it ran out of memory at; this far
/// it is another line's figure.
const MAX_USED_TIMES_SIZE: u64 = 10;
/// How much more than its size an invocation may have used that did not run out of memory: a tenth, and
/// some for small sizes.
const USED_OVER_PERCENT: u64 = 110;
const USED_OVER_MB: u64 = 16;
/// More than one invocation is billed for: it takes 15 minutes at most, and its init as long.
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// Figures that no sandbox can reach.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Implausible {
    /// Used and size cannot belong together.
    #[error(
        "memory used is {used} MB at a size of {size} MB: more than {MAX_USED_TIMES_SIZE} times the size"
    )]
    UsedTooMuch {
        /// Used, in MB.
        used: u64,
        /// Size, in MB.
        size: u64,
    },
    /// More than the size, and yet not out of memory.
    #[error("memory used is {used} MB at a size of {size} MB, and it did not run out of memory")]
    UsedMore {
        /// Used, in MB.
        used: u64,
        /// Size, in MB.
        size: u64,
    },
    /// Billed for longer than an invocation can take.
    #[error("billed for {ms} ms: an invocation takes 15 minutes at most")]
    Billed {
        /// Billed, in ms.
        ms: u64,
    },
}

/// A record that one environment cannot have written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImplausibleRecord {
    /// A row's figures.
    #[error("row {row}: {why}")]
    Row {
        /// The row's number.
        row: usize,
        /// What is wrong with it.
        why: Implausible,
    },
    /// The figures of what was folded.
    #[error("folded: {0}")]
    Folded(Implausible),
    /// More of something than there can be.
    #[error("{field} is {n}, at most {most} here")]
    Count {
        /// The field.
        field: &'static str,
        /// Its value.
        n: u64,
        /// The most it can be.
        most: u64,
    },
    /// More billed time than time passed.
    #[error("rows of {span} ms are billed for {billed} ms in one environment")]
    Overlap {
        /// From the first row to the last, in ms.
        span: u64,
        /// Billed, in ms.
        billed: u64,
    },
}

/// Whether `used` may stand beside `size` at all; both in MB.
pub const fn memory(used: u64, size: u64) -> Result<(), Implausible> {
    if used > size.saturating_mul(MAX_USED_TIMES_SIZE) {
        return Err(Implausible::UsedTooMuch { used, size });
    }
    Ok(())
}

/// Whether an invocation that ended as `status` may have used `used` at `size` and been billed `billed`.
pub fn used(
    (used, size): (Megabytes, Megabytes),
    billed: Option<Millis>,
    status: Status,
) -> Result<(), Implausible> {
    let ms = billed.map_or(0, Millis::ceil_ms);
    if ms > HOUR_MS {
        return Err(Implausible::Billed { ms });
    }
    let (used, size) = (u64::from(used.0), u64::from(size.0));
    memory(used, size)?;
    let most = (size * USED_OVER_PERCENT / 100).max(size + USED_OVER_MB);
    if used > most && status != Status::OutOfMemory {
        return Err(Implausible::UsedMore { used, size });
    }
    Ok(())
}

/// Whether a row may stand in a record of `size`.
fn row(row: &ReportRow, size: Megabytes) -> Result<(), Implausible> {
    let most = row.max_used_mb.unwrap_or_default();
    used((most, size), row.billed_ms, row.status)
}

/// Checks that the figures of a record are possible for one environment; `Err` has the impossible
/// one.
pub fn record(r: &Reports) -> Result<(), ImplausibleRecord> {
    for (n, row) in r.reports.iter().enumerate() {
        self::row(row, r.memory_mb).map_err(|why| ImplausibleRecord::Row { row: n, why })?;
    }
    most("total", r.total, MOST_EVENTS)?;
    most("events_dropped", r.events_dropped, MOST_EVENTS)?;
    if let Some(folded) = &r.folded {
        summary(folded, r)?;
    }
    let billed = r.reports.iter().filter_map(|row| row.billed_ms);
    let billed = billed.map(Millis::ceil_ms).sum::<u64>();
    let first = r.reports.iter().map(|row| row.at_ms).min().unwrap_or(0);
    let last = r.reports.iter().map(|row| row.at_ms).max().unwrap_or(0);
    let span = last.abs_diff(first);
    // One environment runs one invocation at a time, but for those on managed instances. The first one began
    // before it was reported.
    let one_by_one = r.init != Some(InitType::LambdaManagedInstances);
    if one_by_one && billed > span + HOUR_MS {
        return Err(ImplausibleRecord::Overlap { span, billed });
    }
    let cores = u64::from(r.cores.unwrap_or(MOST_CORES).min(MOST_CORES));
    most("cpu_ms", r.cpu_ms.unwrap_or(0), 30 * DAY_MS * cores)?;
    let size_kib = u64::from(r.memory_mb.0) * 1024;
    most("self_kib", r.self_kib.unwrap_or(0), size_kib)
}

/// Nothing happens more than once a millisecond in an environment of 30 days.
const MOST_EVENTS: u64 = 30 * DAY_MS;
/// More processors than any sandbox has.
const MOST_CORES: u32 = 64;

/// All that is folded is of one environment and one UTC day, an invocation a millisecond at most.
fn summary(folded: &Folded, r: &Reports) -> Result<(), ImplausibleRecord> {
    most("folded.count", folded.count, r.total.min(DAY_MS))?;
    most("folded.failures", folded.failures, folded.count)?;
    most("folded.timeouts", folded.timeouts, folded.failures)?;
    let others = folded.failures - folded.timeouts;
    most("folded.ooms", folded.ooms, others)?;
    most("folded.billed_ms", folded.billed_ms, DAY_MS + HOUR_MS)?;
    let status = match folded.ooms {
        0 => Status::Ok,
        _ => Status::OutOfMemory,
    };
    let most_used = folded.max_used_mb.unwrap_or_default();
    let fits = used((most_used, r.memory_mb), None, status);
    fits.map_err(ImplausibleRecord::Folded)
}

fn most(field: &'static str, n: u64, most: u64) -> Result<(), ImplausibleRecord> {
    if n > most {
        return Err(ImplausibleRecord::Count { field, n, most });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Record, decode};

    #[test]
    fn more_than_the_size_is_used_only_by_what_runs_out_of_memory() {
        let mb = |used, size| (Megabytes(used), Megabytes(size));
        assert_eq!(used(mb(129, 128), None, Status::Ok), Ok(()));
        assert_eq!(used(mb(144, 128), None, Status::Ok), Ok(()));
        assert!(used(mb(145, 128), None, Status::Error).is_err());
        assert_eq!(used(mb(1100, 1000), None, Status::Timeout), Ok(()));
        assert!(used(mb(1101, 1000), None, Status::Timeout).is_err());
        assert_eq!(used(mb(1280, 128), None, Status::OutOfMemory), Ok(()));
        assert!(used(mb(1281, 128), None, Status::OutOfMemory).is_err());
    }

    #[test]
    fn an_invocation_is_not_billed_for_hours() {
        let billed = |ms| used(Default::default(), Some(Millis::from_ms(ms)), Status::Ok);
        assert_eq!(billed(HOUR_MS), Ok(()));
        assert_eq!(
            billed(HOUR_MS + 1),
            Err(Implausible::Billed { ms: HOUR_MS + 1 })
        );
    }

    fn golden() -> Reports {
        match decode(include_bytes!("../fixtures/reports.json")).unwrap() {
            Record::Reports(reports) => reports,
            other => panic!("{other:?}"),
        }
    }

    fn refused(change: impl FnOnce(&mut Reports)) -> Option<String> {
        let mut reports = golden();
        change(&mut reports);
        record(&reports).err().map(|why| why.to_string())
    }

    fn folded(count: u64, [failures, timeouts, ooms]: [u64; 3], billed_ms: u64) -> Folded {
        Folded {
            count,
            max_used_mb: None,
            duration_ms: None,
            failures,
            timeouts,
            ooms,
            billed_ms,
        }
    }

    #[test]
    fn what_one_environment_cannot_have_done_is_refused() {
        assert_eq!(refused(|_| ()), None);
        let begins = |why: Option<String>, field: &str| {
            assert!(
                why.as_ref().is_some_and(|why| why.starts_with(field)),
                "{field}: {why:?}"
            );
        };
        begins(refused(|r| r.total = MOST_EVENTS + 1), "total");
        begins(refused(|r| r.events_dropped = u64::MAX), "events_dropped");
        begins(refused(|r| r.self_kib = Some(1 << 40)), "self_kib");
        begins(refused(|r| r.cpu_ms = Some(u64::MAX)), "cpu_ms");
        for (field, summary) in [
            ("folded.count", folded(1 << 40, [0; 3], 0)),
            ("folded.failures", folded(1, [2, 0, 0], 0)),
            ("folded.timeouts", folded(1, [1, 2, 0], 0)),
            ("folded.ooms", folded(1, [1, 1, 1], 0)),
            ("folded.billed_ms", folded(1, [0; 3], 1 << 40)),
        ] {
            begins(refused(|r| r.folded = Some(summary)), field);
        }
    }

    /// Five quarters of an hour within one moment.
    #[test]
    fn one_environment_runs_one_invocation_at_a_time_but_on_managed_instances() {
        let busy = |reports: &mut Reports| {
            let row = ReportRow {
                billed_ms: Some(Millis::from_ms(900_000)),
                ..reports.reports[0]
            };
            reports.reports = vec![row; 5];
        };
        let why = refused(busy).unwrap();
        assert!(why.contains("in one environment"), "{why}");
        let several = refused(|reports| {
            busy(reports);
            reports.init = Some(InitType::LambdaManagedInstances);
        });
        assert_eq!(several, None);
    }
}
