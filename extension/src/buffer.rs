//! Rows that wait to be sent: bounded, and cut into batches of one Kinesis payload unit.

use std::collections::VecDeque;

use rightsizer_records::{Folded, Megabytes, Timestamp};

use crate::folds::Folds;
use crate::row::Row;

/// Kinesis bills each record in units of 25 KB; the fields around the rows take under 1 KB.
pub(crate) const BATCH_BYTES: usize = 24_000;
/// About half a megabyte of memory: an hour of 1 request/s, or a minute of 60.
pub const MOST_ROWS: usize = 4096;
/// Rows with long error types take more, so a limit on their number is not enough.
const MOST_BYTES: usize = 250_000;
/// The codec takes rows up to 15 days from `t0`.
const MOST_SPAN_MS: i64 = 10 * 86_400_000;

/// What goes into one record: rows, a summary, or both.
#[derive(Debug, PartialEq, Eq)]
pub struct Cut {
    /// Time of the first row, or of the first in the summary.
    pub at: Timestamp,
    /// Configured size of all of them.
    pub memory_mb: Option<Megabytes>,
    /// One payload unit at most.
    pub rows: Vec<Row>,
    /// What was folded before these on the same day.
    pub folded: Option<Folded>,
}

impl Cut {
    fn of(at: Timestamp, memory_mb: Option<Megabytes>) -> Self {
        Self {
            at,
            memory_mb,
            rows: Vec::new(),
            folded: None,
        }
    }

    /// How many invocations it stands for.
    pub fn count(&self) -> u64 {
        self.rows.len() as u64 + self.folded.map_or(0, |f| f.count)
    }
}

/// See the module.
#[derive(Debug)]
pub struct Buffer {
    rows: VecDeque<Row>,
    bytes: usize,
    folds: Folds,
    most_rows: usize,
}

impl Buffer {
    /// An empty one that holds at most `most_rows` rows.
    pub fn new(most_rows: usize) -> Self {
        Self {
            rows: VecDeque::new(),
            bytes: 0,
            folds: Folds::default(),
            most_rows: most_rows.max(1),
        }
    }

    /// Takes a row. If there is no room, folds the oldest row into the summary of its day.
    pub fn push(&mut self, row: Row) {
        self.bytes += row.bytes();
        self.rows.push_back(row);
        if (self.rows.len() > self.most_rows || self.bytes > MOST_BYTES)
            && let Some(oldest) = self.pop()
        {
            self.folds.add(&oldest);
        }
    }

    /// Completes the row that awaits this request's report, if it is still here.
    pub fn complete(&mut self, request_id: &str, complete: Row) {
        let awaits = |row: &&mut Row| row.awaits.as_deref() == Some(request_id);
        if let Some(row) = self.rows.iter_mut().find(awaits) {
            self.bytes = self.bytes + complete.bytes() - row.bytes();
            *row = complete;
        }
    }

    /// Takes off what fits one record: of one memory size, the oldest rows up to a payload unit and
    /// the summary of their day; the summary of another day alone.
    pub fn cut(&mut self) -> Option<Cut> {
        let first = self.rows.front();
        let mut cut = match (self.folds.front().copied(), first) {
            (Some(fold), Some(row)) if fold.fits(row) => Cut::of(row.at, fold.memory_mb),
            (Some(fold), _) => Cut::of(fold.at, fold.memory_mb),
            (None, row) => row.map(|row| Cut::of(row.at, row.memory_mb))?,
        };
        let is_of_its_day = |row: &Row| self.folds.front().is_none_or(|fold| fold.fits(row));
        let takes_rows = first.is_some_and(is_of_its_day);
        cut.folded = self.folds.pop().map(|fold| fold.sum);
        let mut bytes = 0;
        while takes_rows && let Some(next) = self.rows.front() {
            bytes += next.bytes() + offset_bytes(cut.at, next.at);
            let span_ms = (next.at.as_ms() - cut.at.as_ms()).abs();
            let fits = bytes <= BATCH_BYTES || cut.rows.is_empty();
            if !fits || next.memory_mb != cut.memory_mb || span_ms > MOST_SPAN_MS {
                break;
            }
            cut.rows.extend(self.pop());
        }
        Some(cut)
    }

    /// Time of the oldest row, or of the first in a summary.
    pub fn oldest(&self) -> Option<Timestamp> {
        let folded = self.folds.front().map(|fold| fold.at);
        folded.or_else(|| self.rows.front().map(|row| row.at))
    }

    /// How many rows are folded.
    pub fn folded(&self) -> u64 {
        self.folds.count()
    }

    /// How many rows wait.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.oldest().is_none()
    }

    /// Whether the rows fill a payload unit.
    pub(crate) fn fills_a_unit(&self) -> bool {
        let ends = self.rows.front().zip(self.rows.back());
        let longest = ends.map_or(0, |(first, last)| offset_bytes(first.at, last.at));
        self.bytes + self.rows.len() * longest >= BATCH_BYTES
    }

    /// Whether half of the room is taken.
    pub(crate) fn is_half_full(&self) -> bool {
        self.rows.len() * 2 >= self.most_rows || self.bytes * 2 >= MOST_BYTES
    }

    fn pop(&mut self) -> Option<Row> {
        let row = self.rows.pop_front()?;
        self.bytes -= row.bytes();
        Some(row)
    }
}

/// What `ms since t0` takes as text.
fn offset_bytes(t0: Timestamp, at: Timestamp) -> usize {
    let ms = at.as_ms() - t0.as_ms();
    let digits = ms.unsigned_abs().checked_ilog10().unwrap_or(0) + 1;
    usize::from(ms < 0) + digits as usize
}

#[cfg(test)]
mod tests {
    use rightsizer_records::{Millis, ReportRow, Status};

    use super::*;

    fn row(n: i64, used: u32) -> Row {
        Row {
            at: Timestamp::MIN.plus_ms(n),
            memory_mb: Some(Megabytes(1024)),
            awaits: None,
            error: None,
            row: ReportRow {
                max_used_mb: Some(Megabytes(used)),
                duration_ms: Some(Millis::from_ms(u64::from(used))),
                status: if used > 500 {
                    Status::Error
                } else {
                    Status::Ok
                },
                ..ReportRow::default()
            },
        }
    }

    #[test]
    fn without_room_the_oldest_are_folded_and_the_highest_peak_is_kept() {
        let mut buffer = Buffer::new(2);
        for (n, used) in [(0, 90), (1, 900), (2, 95), (3, 91)] {
            buffer.push(row(n, used));
        }
        let cut = buffer.cut().unwrap();
        assert_eq!((cut.rows.len(), cut.count()), (2, 4));
        let folded = Folded {
            count: 2,
            max_used_mb: Some(Megabytes(900)),
            duration_ms: Some(Millis::from_ms(900)),
            failures: 1,
            ..Folded::default()
        };
        assert_eq!(cut.folded, Some(folded));
        assert_eq!(buffer.cut(), None);
    }

    #[test]
    fn the_summary_of_another_day_is_a_record_of_its_own() {
        const DAY_MS: i64 = 86_400_000;
        let mut buffer = Buffer::new(2);
        for (ms, used) in [
            (1, 90),
            (2, 91),
            (DAY_MS, 92),
            (DAY_MS + 1, 93),
            (DAY_MS + 2, 94),
        ] {
            buffer.push(row(ms, used));
        }
        // Of the first day both are folded, of the second one; two are still rows.
        assert_eq!(buffer.oldest(), Some(row(1, 90).at));
        let mut next = || {
            buffer
                .cut()
                .map(|cut| (cut.at, cut.rows.len(), cut.count()))
        };
        assert_eq!(next(), Some((row(1, 90).at, 0, 2)));
        assert_eq!(next(), Some((row(DAY_MS + 1, 93).at, 2, 3)));
        assert_eq!(next(), None);
    }

    #[test]
    fn a_record_has_one_memory_size() {
        let mut buffer = Buffer::new(9);
        buffer.push(row(0, 1));
        let other = Megabytes(512);
        buffer.push(Row {
            memory_mb: Some(other),
            ..row(1, 1)
        });
        assert_eq!(buffer.cut().unwrap().rows.len(), 1);
        assert_eq!(buffer.cut().unwrap().rows[0].memory_mb, Some(other));
    }

    #[test]
    fn an_offset_takes_its_digits_and_its_sign() {
        let at = |ms| Timestamp::MIN.plus_ms(500_000).plus_ms(ms);
        for ms in [0, 7, 10, 99_999, -1, -100_000] {
            assert_eq!(offset_bytes(at(0), at(ms)), ms.to_string().len(), "{ms}");
        }
    }

    #[test]
    fn a_record_stays_within_a_payload_unit() {
        let mut buffer = Buffer::new(MOST_ROWS);
        let long = Row {
            error: Some("Runtime.\"x\"".repeat(20)),
            ..row(0, 600)
        };
        for _ in 0..200 {
            buffer.push(long.clone());
        }
        assert!(buffer.fills_a_unit());
        while let Some(cut) = buffer.cut() {
            let rows: Vec<_> = cut.rows.iter().map(|r| (r.row, r.error.clone())).collect();
            assert!(serde_json::to_vec(&rows).unwrap().len() <= 25_000);
        }
        assert_eq!(buffer.bytes, 0);
    }
}
