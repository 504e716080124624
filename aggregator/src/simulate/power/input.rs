//! Reads rows of `function,memory_mb,duration_ms`: one run each, or the mean of `count` runs.

use std::io::BufRead;

use rightsizer_records::Megabytes;

use super::super::row_error::RowError;
use super::super::rows::{Columns, Refusal, TableError, read_rows, shortened};
use super::runs::{Run, Runs};

const COLUMNS: Columns = Columns {
    required: &["function", "memory_mb", "duration_ms"],
    optional: &["cpu_ms", "init_ms", "max_used_mb", "count"],
};
/// The sizes that Lambda offers.
const SIZES: std::ops::RangeInclusive<f64> = 128.0..=10_240.0;
/// Ten times the longest duration of Lambda; a longer one is in another unit.
const LONGEST_MS: f64 = 9_000_000.0;
/// The CPU time of six cores for that duration.
const MOST_CPU_MS: f64 = 6.0 * LONGEST_MS;
/// More memory than any machine has.
const MOST_USED_MB: f64 = 1e6;
/// More than any number of invocations.
const MOST_RUNS: f64 = 1e12;

/// The usable rows of an input.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// The runs, by function and size.
    pub runs: Runs,
    /// Number of accepted rows.
    pub rows: u64,
    /// Number of refused rows.
    pub refused: u64,
}

/// Reads all of `input`; passes each bad row to `refuse`.
///
/// # Errors
/// If the input cannot be read, or its header does not name the columns.
pub(crate) fn read_table(
    input: impl BufRead,
    refuse: &mut dyn FnMut(Refusal),
) -> Result<Table, TableError> {
    let (mut runs, mut rows, mut refused) = (Runs::default(), 0, 0);
    let mut take = |values: &[Option<&str>]| {
        let (function, size, run) = row(values)?;
        runs.add(function, size, run);
        rows += 1;
        Ok(())
    };
    read_rows(input, &COLUMNS, &mut take, &mut |refusal| {
        refused += 1;
        refuse(refusal);
    })?;
    Ok(Table {
        runs,
        rows,
        refused,
    })
}

fn row<'a>(values: &[Option<&'a str>]) -> Result<(&'a str, Megabytes, Run), RowError> {
    let &[function, size, duration, cpu, init, used, count] = values else {
        return Err(RowError::Form);
    };
    let function = function.filter(|name| !name.is_empty());
    let function = function.ok_or(RowError::Unnamed("function"))?;
    let size = whole("memory_mb", size.unwrap_or_default())?;
    if !SIZES.contains(&size) {
        return Err(RowError::Size(size));
    }
    let duration_ms = number("duration_ms", duration.unwrap_or_default())?;
    if duration_ms <= 0.0 || duration_ms > LONGEST_MS {
        return Err(RowError::Duration {
            value: duration_ms,
            most: LONGEST_MS,
        });
    }
    // Starts are not part of the curve, but values that are not numbers mean a wrong column.
    optional("init_ms", init, LONGEST_MS)?;
    let run = Run {
        duration_ms,
        cpu_ms: optional("cpu_ms", cpu, MOST_CPU_MS)?,
        used_mb: optional("max_used_mb", used, MOST_USED_MB)?,
        count: count_of(count)?,
    };
    Ok((function, megabytes(size), run))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a whole number of MB within Lambda's sizes"
)]
const fn megabytes(size: f64) -> Megabytes {
    Megabytes(size as u32)
}

/// Parses a count; an empty field is 1.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a whole number within bounds"
)]
fn count_of(count: Option<&str>) -> Result<u64, RowError> {
    let Some(text) = count.filter(|text| !text.is_empty()) else {
        return Ok(1);
    };
    let count = whole("count", text)?;
    if (1.0..=MOST_RUNS).contains(&count) {
        Ok(count as u64)
    } else {
        Err(RowError::Count(count))
    }
}

/// Parses an optional value; an empty field is `None`.
fn optional(column: &'static str, text: Option<&str>, most: f64) -> Result<Option<f64>, RowError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let value = number(column, text)?;
    if (0.0..=most).contains(&value) {
        Ok(Some(value))
    } else {
        Err(RowError::Range {
            column,
            value,
            most,
        })
    }
}

fn whole(column: &'static str, text: &str) -> Result<f64, RowError> {
    let value = number(column, text)?;
    if value.fract() == 0.0 {
        Ok(value)
    } else {
        Err(RowError::Whole { column, value })
    }
}

fn number(column: &'static str, text: &str) -> Result<f64, RowError> {
    let value = text.parse().ok().filter(|value: &f64| value.is_finite());
    value.ok_or_else(|| RowError::Number {
        column,
        value: shortened(text),
    })
}
