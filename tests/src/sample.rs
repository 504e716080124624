//! A plain `reports` record, for tests to vary by struct update.

use rightsizer_records::{
    EnvId, FunctionArn, Megabytes, Millis, Record, ReportRow, Reports, Timestamp, encode,
};

use crate::servers::{ACCOUNT, REGION};

/// The only record of environment 0 of the function `name`, 512 MB: one invocation of 10 ms that
/// used 90 MB, at 10:00 on 2026-03-01. `None` if `name` is not a valid function name.
pub fn reports(name: &str) -> Option<Reports> {
    let row = ReportRow {
        max_used_mb: Some(Megabytes(90)),
        duration_ms: Some(Millis::from_ms(10)),
        billed_ms: Some(Millis::from_ms(10)),
        ..ReportRow::default()
    };
    Some(Reports {
        function: FunctionArn::new("aws", REGION, ACCOUNT, name).ok()?,
        version: "$LATEST".to_owned(),
        env: EnvId(0),
        seq: 0,
        total: 1,
        memory_mb: Megabytes(512),
        arch: None,
        runtime: None,
        init: None,
        t0: Timestamp::parse("2026-03-01T10:00:00Z").ok()?,
        reports: vec![row],
        errors: Vec::new(),
        cpu_ms: None,
        cores: None,
        self_kib: None,
        folded: None,
        events_dropped: 0,
    })
}

/// Its bytes on the wire.
pub fn bytes(reports: Reports) -> Vec<u8> {
    encode(&Record::Reports(reports))
}
