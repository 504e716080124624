//! Files like those that a fleet makes, of any size and always the same.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Result;
use rightsizer_records::{
    EnvId, FunctionArn, Megabytes, Millis, Record, ReportRow, Reports, Status, Timestamp, encode,
};

use rightsizer_tests::dice::Dice;

/// Midnight of the first day of every file: 2026-01-01.
const FIRST_DAY_MS: u64 = 1_767_225_600_000;
const DAY_MS: u64 = 86_400_000;

/// The ARN of function `n`.
pub fn function(n: u64) -> Result<FunctionArn> {
    let name = format!("fleet-function-{n:07}");
    Ok(FunctionArn::new(
        "aws",
        "eu-central-1",
        "123456789012",
        &name,
    )?)
}

/// Millisecond `ms` of the files' time.
pub fn at(ms: u64) -> Result<Timestamp> {
    let ms = i64::try_from(FIRST_DAY_MS + ms)?;
    anyhow::Context::context(Timestamp::from_ms(ms), "a time after 2200")
}

/// `reports` raw telemetry reports of `functions` functions over 14 days, one a line, in the order of
/// time, as a subscriber of the Telemetry API forwards them.
pub fn telemetry(path: &Path, reports: u64, functions: u64) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut dice = Dice::new(1);
    for n in 0..reports {
        let time = at(n * (14 * DAY_MS / reports))?;
        let (duration, part) = (dice.below(900), dice.below(1000));
        writeln!(
            file,
            r#"{{"functionName":"fleet-function-{:07}","records":[{{"time":"{time}","type":"platform.report","record":{{"requestId":"{:016x}-{:016x}","status":"success","metrics":{{"durationMs":{duration}.{part:03},"billedDurationMs":{},"memorySizeMB":1024,"maxMemoryUsedMB":{}}}}}}}]}}"#,
            dice.below(functions),
            dice.below(u64::MAX),
            dice.below(u64::MAX),
            duration + 1,
            90 + dice.below(200),
        )?;
    }
    Ok(file.flush()?)
}

/// A record of `rows` invocations of environment `env` of function `n`, which begin at `ms`.
pub fn record(n: u64, env: u64, ms: u64, rows: u64, dice: &mut Dice) -> Result<Reports> {
    let row = |at: u64, dice: &mut Dice| {
        let duration = 1 + dice.below(900);
        ReportRow {
            at_ms: i64::try_from(at).unwrap_or_default(),
            max_used_mb: u32::try_from(90 + dice.below(200)).ok().map(Megabytes),
            duration_ms: Some(Millis::from_ms(duration)),
            billed_ms: Some(Millis::from_ms(duration)),
            status: Status::Ok,
            init_ms: None,
        }
    };
    Ok(Reports {
        function: function(n)?,
        version: "$LATEST".to_owned(),
        env: EnvId(env),
        seq: 0,
        total: rows,
        memory_mb: Megabytes(1024),
        arch: Some(rightsizer_records::Arch::Arm64),
        runtime: None,
        init: None,
        t0: at(ms)?,
        reports: (0..rows).map(|n| row(n * 500, dice)).collect(),
        errors: Vec::new(),
        cpu_ms: Some(rows * 40),
        cores: Some(2),
        self_kib: Some(4300),
        folded: None,
        events_dropped: 0,
    })
}

/// `records` records of `rows` invocations each, of `functions` functions, over one day, one a line. Each function has
/// two environments, which take turns.
pub fn records(path: &Path, records: u64, rows: u64, functions: u64) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut dice = Dice::new(2);
    let mut sent = vec![0_u64; usize::try_from(functions)?];
    for n in 0..records {
        let function = if records == functions {
            n
        } else {
            dice.below(functions)
        };
        // Two environments a function, which take turns.
        let before = &mut sent[usize::try_from(function)?];
        let (environment, seq) = (2 * function + *before % 2, *before / 2);
        *before += 1;
        let ms = n * ((DAY_MS - 3_600_000) / records);
        let mut record = record(function, environment + 1, ms, rows, &mut dice)?;
        record.seq = seq;
        record.total = (seq + 1) * rows;
        file.write_all(&encode(&Record::Reports(record)))?;
        file.write_all(b"\n")?;
    }
    Ok(file.flush()?)
}
