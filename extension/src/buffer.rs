//! Rows that wait to be sent: bounded, and cut into batches of one Kinesis payload unit.

use std::collections::VecDeque;

use rightsizer_records::{Folded, Megabytes, ReportRow, Timestamp};

/// Kinesis bills each record in units of 25 KB; the fields around the rows take under 1 KB.
pub const BATCH_BYTES: usize = 24_000;
/// About half a megabyte of memory: an hour of 1 request/s, or a minute of 60.
pub const MOST_ROWS: usize = 4096;
/// Rows with long error types take more, so their number alone is no bound.
const MOST_BYTES: usize = 250_000;
/// The codec takes rows up to 15 days from `t0`.
const MOST_SPAN_MS: i64 = 10 * 86_400_000;

/// One invocation on its way into a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The platform's time of its report.
    pub at: Timestamp,
    /// Configured size, where the report says it.
    pub memory_mb: Option<Megabytes>,
    /// The request whose report may still complete this row.
    pub awaits: Option<String>,
    /// The platform's error type.
    pub error: Option<String>,
    /// The numbers; `at_ms` is set when the row gets into a record.
    pub row: ReportRow,
}

impl Row {
    /// What it takes of a record, at most.
    fn bytes(&self) -> usize {
        // Brackets, commas, status and an offset of ten digits; each number by its own length.
        let number = |text: Option<String>| text.map_or(4, |t| t.len());
        let millis = |ms: Option<_>| number(ms.as_ref().map(ToString::to_string));
        20 + number(self.row.max_used_mb.map(|mb| mb.0.to_string()))
            + millis(self.row.duration_ms)
            + millis(self.row.billed_ms)
            + millis(self.row.init_ms)
            + self.error.as_ref().map_or(0, |error| error.len() * 2 + 12)
    }
}

/// Rows cut off for one record.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// Never empty.
    pub rows: Vec<Row>,
    /// What was folded before these.
    pub folded: Option<Folded>,
}

impl Cut {
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
    folded: Option<Folded>,
    most_rows: usize,
}

impl Buffer {
    /// An empty one that holds at most `most_rows` rows.
    pub fn new(most_rows: usize) -> Self {
        Self {
            rows: VecDeque::new(),
            bytes: 0,
            folded: None,
            most_rows: most_rows.max(1),
        }
    }

    /// Takes a row. Where there is no room, the oldest is folded into the summary.
    pub fn push(&mut self, row: Row) {
        self.bytes += row.bytes();
        self.rows.push_back(row);
        if (self.rows.len() > self.most_rows || self.bytes > MOST_BYTES)
            && let Some(oldest) = self.pop()
        {
            fold(&mut self.folded, &oldest);
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

    /// Takes off the oldest rows that fit one record: one payload unit, one memory size.
    pub fn cut(&mut self) -> Option<Cut> {
        let first = self.pop()?;
        let (mut bytes, t0, memory_mb) = (first.bytes(), first.at, first.memory_mb);
        let mut cut = Cut {
            rows: vec![first],
            folded: self.folded.take(),
        };
        while let Some(next) = self.rows.front() {
            bytes += next.bytes();
            let span_ms = (next.at.as_ms() - t0.as_ms()).abs();
            if bytes > BATCH_BYTES || next.memory_mb != memory_mb || span_ms > MOST_SPAN_MS {
                break;
            }
            cut.rows.extend(self.pop());
        }
        Some(cut)
    }

    /// Time of the oldest row.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.rows.front().map(|row| row.at)
    }

    /// How many rows wait.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether the rows fill a payload unit.
    pub fn fills_a_unit(&self) -> bool {
        self.bytes >= BATCH_BYTES
    }

    /// Whether half of the room is taken.
    pub fn is_half_full(&self) -> bool {
        self.rows.len() * 2 >= self.most_rows || self.bytes * 2 >= MOST_BYTES
    }

    fn pop(&mut self) -> Option<Row> {
        let row = self.rows.pop_front()?;
        self.bytes -= row.bytes();
        Some(row)
    }
}

fn fold(folded: &mut Option<Folded>, row: &Row) {
    let sum = folded.get_or_insert(Folded {
        count: 0,
        max_used_mb: None,
        duration_ms: None,
        failures: 0,
    });
    sum.count += 1;
    sum.max_used_mb = sum.max_used_mb.max(row.row.max_used_mb);
    sum.duration_ms = sum.duration_ms.max(row.row.duration_ms);
    sum.failures += u64::from(row.row.status.is_failure());
}

#[cfg(test)]
mod tests {
    use rightsizer_records::{Millis, Status};

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
        };
        assert_eq!(cut.folded, Some(folded));
        assert_eq!(buffer.cut(), None);
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
