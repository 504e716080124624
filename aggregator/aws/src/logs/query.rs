//! The words in which reports are asked for, and the names in which the answer comes.

/// The most rows that a query answers: as many, and some may be missing.
pub(crate) const QUERY_ROWS: i32 = 10_000;

/// Reports, and the platform's lines about starts, which no report shows if they failed; as text and as JSON, for
/// subscriptions: any of these phrases. Phrases of which one is enough cannot be combined with others that have to be
/// there, so what succeeded comes too: lines of snapshots and of provisioned concurrency.
pub const REPORT_PATTERN: &str = r#"?"REPORT RequestId:" ?"platform.report" ?"INIT_REPORT Init Duration:" ?"RESTORE_REPORT Restore Duration:" ?"platform.initReport" ?"platform.restoreReport""#;

/// The pattern of subscriptions of an earlier release: reports alone.
pub(crate) const REPORTS_ALONE_PATTERN: &str = r#"?"REPORT RequestId:" ?"platform.report""#;

/// The same as [`REPORT_PATTERN`], and the platform's lines about runtimes that ended, for `FilterLogEvents`: the
/// report of an older log does not show that its runtime was killed.
pub(super) const ENDINGS_PATTERN: &str = r#"?"REPORT RequestId:" ?"platform.report" ?"INIT_REPORT Init Duration:" ?"RESTORE_REPORT Restore Duration:" ?"platform.initReport" ?"platform.restoreReport" ?"Error: Runtime exited""#;

/// Reports added up by group, day, size, version and end. Text has its figures in the fields that the
/// service finds by itself (sizes in decimal bytes), JSON in `record.metrics` (in MB); the keys `…Near`
/// keep what used 97 % of its size or more apart from the rest. The message is looked at, not the type
/// that the service gives it, so that reports in a group of any name are found; those whose figures it did
/// not find come as rows without figures and are read in the other way. Starts that failed are rows of their own in
/// the same answer, because a second query would be billed the same bytes again; they have no size.
pub const QUERY: &str = r#"filter @message like /^REPORT RequestId: |"platform\.report"|^(INIT|RESTORE)_REPORT .*Status: |"platform\.(initReport|restoreReport)"/
| parse @logStream /^\d{4}\/\d{2}\/\d{2}\/(?<inStream>[^\[]*)\[(?<ofVersion>[^\]]*)\]/
| parse @message /Status: (?<lineStatus>\S+)/
| parse @message /Error Type: (?<lineError>\S+)/
| parse @message /^(?<startKind>INIT|RESTORE)_REPORT \w+ Duration: (?<startTook>[\d.]+) ms/
| parse @message /^INIT_REPORT .*Phase: (?<startPhase>\w+)/
| fields ceil(startTook) as startMs, floor(@maxMemoryUsed * 100 / @memorySize / 97) as lineNear, floor(record.metrics.maxMemoryUsedMB * 100 / record.metrics.memorySizeMB / 97) as eventNear
| stats count(*) as invocations, min(@timestamp) as oldest, max(@timestamp) as newest, count_distinct(@logStream) as environments, max(@maxMemoryUsed) as lineUsed, pct(@maxMemoryUsed, 50) as lineUsed50, pct(@maxMemoryUsed, 90) as lineUsed90, pct(@maxMemoryUsed, 95) as lineUsed95, pct(@maxMemoryUsed, 99) as lineUsed99, max(@duration) as lineTook, pct(@duration, 50) as lineTook50, pct(@duration, 90) as lineTook90, pct(@duration, 95) as lineTook95, pct(@duration, 99) as lineTook99, sum(@billedDuration) as lineBilled, max(@initDuration) as lineStart, max(record.metrics.maxMemoryUsedMB) as eventUsed, pct(record.metrics.maxMemoryUsedMB, 50) as eventUsed50, pct(record.metrics.maxMemoryUsedMB, 90) as eventUsed90, pct(record.metrics.maxMemoryUsedMB, 95) as eventUsed95, pct(record.metrics.maxMemoryUsedMB, 99) as eventUsed99, max(record.metrics.durationMs) as eventTook, pct(record.metrics.durationMs, 50) as eventTook50, pct(record.metrics.durationMs, 90) as eventTook90, pct(record.metrics.durationMs, 95) as eventTook95, pct(record.metrics.durationMs, 99) as eventTook99, sum(record.metrics.billedDurationMs) as eventBilled, max(record.metrics.initDurationMs) as eventStart, max(startMs) as start, pct(startMs, 50) as start50, pct(startMs, 90) as start90, pct(startMs, 95) as start95, pct(startMs, 99) as start99 by @log, bin(1d) as day, inStream, ofVersion, @memorySize, lineStatus, lineError, lineNear, record.metrics.memorySizeMB, record.status, record.errorType, eventNear, startKind, startPhase, type
| limit 10000"#;

/// Keys of the group by which rows of one end differ.
pub(super) const LINE: Names = Names {
    size: "@memorySize",
    used: "lineUsed",
    took: "lineTook",
    billed: "lineBilled",
    start: "lineStart",
    status: "lineStatus",
    error: "lineError",
    bytes: true,
};
/// The same of JSON.
pub(super) const EVENT: Names = Names {
    size: "record.metrics.memorySizeMB",
    used: "eventUsed",
    took: "eventTook",
    billed: "eventBilled",
    start: "eventStart",
    status: "record.status",
    error: "record.errorType",
    bytes: false,
};

/// Of a line about a start that failed: whether it was an init, and in which phase.
pub(super) const START_KIND: &str = "startKind";
pub(super) const START_PHASE: &str = "startPhase";
/// The same of JSON; reports have it too.
pub(super) const EVENT_TYPE: &str = "type";
/// How long the starts of lines took; those of events are in [`EVENT`].
pub(super) const START_TOOK: &str = "start";

/// Names of the columns of one form of report.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    pub(super) size: &'static str,
    pub(super) used: &'static str,
    pub(super) took: &'static str,
    pub(super) billed: &'static str,
    pub(super) start: &'static str,
    pub(super) status: &'static str,
    pub(super) error: &'static str,
    /// Whether its memory is in decimal bytes.
    pub(super) bytes: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_that_is_read_is_asked_for() {
        for names in [LINE, EVENT] {
            for column in [names.size, names.status, names.error] {
                assert!(QUERY.contains(column), "{column}");
            }
            for column in [names.used, names.took] {
                for rank in ["", "50", "90", "95", "99"] {
                    assert!(
                        QUERY.contains(&format!(" as {column}{rank}")),
                        "{column}{rank}"
                    );
                }
            }
            for column in [names.billed, names.start] {
                assert!(QUERY.contains(&format!(" as {column}")), "{column}");
            }
        }
        for rank in ["", "50", "90", "95", "99"] {
            assert!(QUERY.contains(&format!(" as {START_TOOK}{rank}")), "{rank}");
        }
        for key in [START_KIND, START_PHASE, EVENT_TYPE] {
            assert!(QUERY.contains(&format!(", {key}")), "{key}");
        }
        assert!(QUERY.ends_with(&format!("limit {QUERY_ROWS}")));
        assert!(ENDINGS_PATTERN.starts_with(REPORT_PATTERN));
        // The service's own bound of a query's length.
        assert!(QUERY.len() < 10_000);
    }
}
