//! Rows for which there was no room, as one summary for each UTC day: a day's figures belong to that
//! day, whenever they can be sent.

use std::collections::VecDeque;

use rightsizer_records::{Folded, MAX_COUNT, Megabytes, Millis, Status, Timestamp};

use crate::row::Row;

/// Environments live for hours, so there are two days at most. Wrong times may give more; days
/// beyond this number join the last.
const MOST_DAYS: usize = 8;

/// The summary of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fold {
    /// Time of the first row in it.
    pub at: Timestamp,
    /// Configured size of all of them.
    pub memory_mb: Option<Megabytes>,
    /// What is left of them.
    pub sum: Folded,
}

impl Fold {
    /// Whether this row is of the same day and size.
    pub fn fits(&self, row: &Row) -> bool {
        self.at.day() == row.at.day() && self.memory_mb == row.memory_mb
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Folds(VecDeque<Fold>);

impl Folds {
    /// Takes a row in.
    pub fn add(&mut self, row: &Row) {
        let known = self.0.iter().position(|fold| fold.fits(row));
        if known.is_none() && self.0.len() < MOST_DAYS {
            self.0.push_back(Fold {
                at: row.at,
                memory_mb: row.memory_mb,
                sum: Folded::default(),
            });
        }
        let last = self.0.len().saturating_sub(1);
        if let Some(fold) = self.0.get_mut(known.unwrap_or(last)) {
            add(&mut fold.sum, row);
        }
    }

    /// The oldest summary.
    pub fn front(&self) -> Option<&Fold> {
        self.0.front()
    }

    /// Takes the oldest summary out.
    pub fn pop(&mut self) -> Option<Fold> {
        self.0.pop_front()
    }

    /// How many rows they stand for.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|fold| fold.sum.count).sum()
    }
}

fn add(sum: &mut Folded, row: &Row) {
    let status = row.row.status;
    let ran_out = status == Status::OutOfMemory;
    // The report of an environment that ran out may never come; all there was, was used.
    let used = row.row.max_used_mb.or(row.memory_mb.filter(|_| ran_out));
    sum.count += 1;
    sum.max_used_mb = sum.max_used_mb.max(used);
    sum.duration_ms = sum.duration_ms.max(row.row.duration_ms);
    sum.failures += u64::from(status.is_failure());
    sum.timeouts += u64::from(status == Status::Timeout);
    sum.ooms += u64::from(ran_out);
    let billed_ms = row.row.billed_ms.map_or(0, Millis::ceil_ms);
    sum.billed_ms = sum.billed_ms.saturating_add(billed_ms).min(MAX_COUNT);
}

#[cfg(test)]
mod tests {
    use rightsizer_records::ReportRow;

    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn row(hour: i64, used: Option<u32>, status: Status) -> Row {
        Row {
            at: Timestamp::MIN.plus_ms(hour * HOUR_MS),
            memory_mb: Some(Megabytes(128)),
            awaits: None,
            error: None,
            row: ReportRow {
                max_used_mb: used.map(Megabytes),
                billed_ms: Some(Millis::from_ms(10)),
                status,
                ..ReportRow::default()
            },
        }
    }

    #[test]
    fn each_day_has_a_summary_of_its_own() {
        let mut folds = Folds::default();
        for (hour, used, status) in [
            (1, 90, Status::Ok),
            (25, 120, Status::Timeout),
            (2, 95, Status::Error),
        ] {
            folds.add(&row(hour, Some(used), status));
        }
        assert_eq!(folds.count(), 3);
        let (first, second) = (folds.pop().unwrap(), folds.pop().unwrap());
        let of = |f: &Fold| {
            (
                f.sum.count,
                f.sum.max_used_mb,
                f.sum.failures,
                f.sum.timeouts,
            )
        };
        assert_eq!(of(&first), (2, Some(Megabytes(95)), 1, 0));
        assert_eq!(of(&second), (1, Some(Megabytes(120)), 1, 1));
        assert_eq!(first.sum.billed_ms, 20);
        assert!(folds.pop().is_none());
    }

    #[test]
    fn running_out_without_a_figure_used_all_there_was() {
        let mut folds = Folds::default();
        folds.add(&row(1, Some(60), Status::Ok));
        folds.add(&row(1, None, Status::OutOfMemory));
        let sum = folds.pop().unwrap().sum;
        assert_eq!((sum.max_used_mb, sum.ooms), (Some(Megabytes(128)), 1));
    }

    #[test]
    fn times_that_make_no_sense_take_no_room() {
        let mut folds = Folds::default();
        (0..1000).for_each(|day| folds.add(&row(day * 24, Some(1), Status::Ok)));
        assert_eq!((folds.0.len(), folds.count()), (MOST_DAYS, 1000));
    }
}
