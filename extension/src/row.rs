//! One invocation, as it waits to be put into a record. Plain data: it does not know what it waits in.

use rightsizer_records::{Megabytes, ReportRow, Timestamp};

/// One invocation on its way into a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The platform's time of its report.
    pub at: Timestamp,
    /// Configured size, if the report has it.
    pub memory_mb: Option<Megabytes>,
    /// The request whose report may still complete this row.
    pub awaits: Option<String>,
    /// The platform's error type.
    pub error: Option<String>,
    /// The numbers; `at_ms` is set when the row gets into a record.
    pub row: ReportRow,
}

impl Row {
    /// Its size as text in a record, without its offset from `t0`.
    pub fn bytes(&self) -> usize {
        // Brackets, commas and status; each number by its own length.
        let number = |text: Option<String>| text.map_or(4, |t| t.len());
        let millis = |ms: Option<_>| number(ms.as_ref().map(ToString::to_string));
        9 + number(self.row.max_used_mb.map(|mb| mb.0.to_string()))
            + millis(self.row.duration_ms)
            + millis(self.row.billed_ms)
            + millis(self.row.init_ms)
            + self.error.as_ref().map_or(0, |error| error.len() * 2 + 12)
    }
}
