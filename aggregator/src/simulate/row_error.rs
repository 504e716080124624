//! The reason for which one row of a table cannot be used, in the words that its reader prints.

use rightsizer_records::Day;

use super::rows::MAX_LINE_BYTES;

/// The reason for which a row cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// The line is longer than any row.
    #[error("line of more than {MAX_LINE_BYTES} bytes")]
    TooLong,
    /// The input ended in an error; rows before this one count.
    #[error("cannot be read further: {0}; evidence before this counts")]
    Unreadable(#[source] std::io::Error),
    /// A quoted field has no closing quote.
    #[error("a quote is not closed")]
    OpenQuote,
    /// It has more or fewer fields than the header.
    #[error("row of {fields} fields under a header of {header}")]
    Fields {
        /// Fields of the row.
        fields: usize,
        /// Fields of the header.
        header: usize,
    },
    /// It lacks columns that its reader asked for.
    #[error("row of another form than its header")]
    Form,
    /// The name of what it is about is empty.
    #[error("the {0} has no name")]
    Unnamed(&'static str),
    /// Its date is not one.
    #[error("date {0:?} is not YYYY-MM-DD from 2000 on")]
    Date(String),
    /// Its peak is not a number of MB.
    #[error("peak_mb {0:?} is not a number of MB")]
    Peak(String),
    /// The series has a row of this day.
    #[error("{day} of series {series:?} is repeated; the first row counts")]
    Repeated {
        /// Its date.
        day: Day,
        /// The name of its series.
        series: String,
    },
    /// A value is not a number.
    #[error("{column} {value:?} is not a number")]
    Number {
        /// Its column.
        column: &'static str,
        /// The value as written.
        value: String,
    },
    /// A value is not a whole number.
    #[error("{column} {value} is not a whole number")]
    Whole {
        /// Its column.
        column: &'static str,
        /// The value.
        value: f64,
    },
    /// A value is out of its range.
    #[error("{column} {value} is not between 0 and {most}")]
    Range {
        /// Its column.
        column: &'static str,
        /// The value.
        value: f64,
        /// The largest value.
        most: f64,
    },
    /// Its size is not one of Lambda's.
    #[error("memory_mb {0} is not a size that Lambda has: 128 to 10240 MB")]
    Size(f64),
    /// Its duration is not an invocation's.
    #[error("duration_ms {value} is not the duration of an invocation: above 0, at most {most} ms")]
    Duration {
        /// The value.
        value: f64,
        /// The longest duration.
        most: f64,
    },
    /// Its count is not a number of invocations.
    #[error("count {0} is not a number of invocations, 1 or more")]
    Count(f64),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_reads_as_reviewed() {
        let text = || "1,5 MB".to_owned();
        let column = "cpu_ms";
        let value = 1.5;
        let all = [
            RowError::TooLong,
            RowError::Unreadable(std::io::Error::other("corrupt gzip stream")),
            RowError::OpenQuote,
            RowError::Fields {
                fields: 4,
                header: 3,
            },
            RowError::Form,
            RowError::Unnamed("series"),
            RowError::Date(text()),
            RowError::Peak(text()),
            RowError::Repeated {
                day: Day::parse("2026-03-01").unwrap(),
                series: "checkout".to_owned(),
            },
            RowError::Number {
                column,
                value: text(),
            },
            RowError::Whole { column, value },
            RowError::Range {
                column,
                value,
                most: 1.0,
            },
            RowError::Size(value),
            RowError::Duration { value, most: 1.0 },
            RowError::Count(value),
        ];
        insta::assert_snapshot!(all.map(|error| error.to_string()).join("\n"));
    }
}
