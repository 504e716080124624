//! What the scenarios share: times, environments, and the sum that each of them has to come to.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rightsizer_records::{EnvId, Reports, Timestamp};
use rightsizer_tests::emulator::{
    Environment, Exit, Faults, FunctionSpec, Invocation, Options, Sink,
};
use rightsizer_tests::servers::unshare;

/// What a busy machine may take for something that takes milliseconds.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::parse("2026-01-31T10:00:00Z")
        .unwrap_or(Timestamp::MIN)
        .plus_ms(seconds * 1000)
}

/// One that succeeds, long enough for telemetry to be delivered in it.
pub(crate) fn ok(seconds: i64, used_mb: u32) -> Invocation {
    Invocation::ok(at(seconds), used_mb, 40.0)
}

/// One that is over before the telemetry's buffer time is: nothing is delivered in it.
pub(crate) fn short(seconds: i64, used_mb: u32) -> Invocation {
    Invocation::ok(at(seconds), used_mb, 5.0)
}

pub(crate) async fn start(sink: &Sink, faults: Faults) -> Result<Environment> {
    let options = Options {
        faults,
        ..Options::to("reports", sink.endpoint())
    };
    start_with(options).await
}

pub(crate) async fn start_with(options: Options) -> Result<Environment> {
    Environment::start(FunctionSpec::new("checkout", 1024), options).await
}

/// The environment ended as Lambda wants it: by itself, with 0, inside its two seconds.
pub(crate) fn ended_well(exit: &Exit) -> Result<()> {
    ensure!(exit.code == Some(0) && !exit.killed, "{exit:?}");
    ensure!(exit.took < Duration::from_secs(2), "{exit:?}");
    Ok(())
}

pub(crate) fn peaks(records: &[Reports]) -> Vec<u32> {
    let rows = records.iter().flat_map(|r| &r.reports);
    rows.filter_map(|row| row.max_used_mb)
        .map(|mb| mb.0)
        .collect()
}

/// What an aggregator makes of repetitions: one record per `env` and `seq`, in their order.
pub(crate) fn distinct(records: Vec<Reports>) -> Vec<Reports> {
    let mut envs: Vec<EnvId> = Vec::new();
    let mut distinct = BTreeMap::new();
    for record in records {
        let env = envs.iter().position(|env| *env == record.env);
        let env = env.unwrap_or_else(|| {
            envs.push(record.env);
            envs.len() - 1
        });
        distinct.entry((env, record.seq)).or_insert(record);
    }
    distinct.into_values().collect()
}

/// Waits until it is so.
pub(crate) async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Waits until this number of rows has arrived, without duplicates.
pub(crate) async fn arrived(sink: &Sink, rows: usize) {
    let delivered = |records: &[Reports]| records.iter().map(|r| r.reports.len()).sum::<usize>();
    until(|| delivered(&distinct(sink.reports())) >= rows).await;
}

/// Lets the environment run until this number of rows has arrived.
pub(crate) async fn run_until_arrived(
    environment: &mut Environment,
    sink: &Sink,
    rows: usize,
) -> Result<()> {
    let arrived = environment.linger(arrived(sink, rows));
    let in_time = tokio::time::timeout(SOON, arrived).await;
    in_time.with_context(|| format!("{rows} rows did not arrive: {}", sink.calls()))?
}

/// The result of the reports of a scenario.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sum {
    /// Rows that arrived, repetitions not counted.
    pub(crate) delivered: u64,
    /// Reports that arrived as a summary.
    pub(crate) folded: u64,
    /// Reports lost, by the extension's last line.
    pub(crate) lost: u64,
}

/// Adds up, and checks that it comes to what was emitted and that every record's `total` agrees:
/// what is missing is a number, for each environment, never a hope.
pub(crate) fn sum_up(
    scenario: &str,
    emitted: u64,
    records: Vec<Reports>,
    exits: &[&Exit],
) -> Result<Sum> {
    let records = distinct(records);
    let mut of_env: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for record in &records {
        let (next_seq, so_far) = of_env.entry(record.env.0).or_default();
        ensure!(record.seq == *next_seq, "a gap before seq {}", record.seq);
        let count = record.reports.len() as u64 + record.folded.map_or(0, |f| f.count);
        (*next_seq, *so_far) = (*next_seq + 1, *so_far + count);
        ensure!(
            record.total == *so_far,
            "total {} is not {so_far}",
            record.total
        );
    }
    let sum = Sum {
        delivered: records.iter().map(|r| r.reports.len() as u64).sum(),
        folded: records
            .iter()
            .filter_map(|r| r.folded)
            .map(|f| f.count)
            .sum(),
        lost: exits.iter().map(|exit| logged_losses(&exit.log)).sum(),
    };
    let Sum {
        delivered,
        folded,
        lost,
    } = sum;
    let slowest = exits.iter().map(|exit| exit.took.as_millis()).max();
    println!(
        "{scenario}: emitted {emitted} = delivered {delivered} + folded {folded} + reported lost \
         {lost}; held 0 ms; killed 0 of {}, slowest end {} ms",
        exits.len(),
        slowest.unwrap_or(0),
    );
    exits.iter().try_for_each(|exit| ended_well(exit))?;
    ensure!(
        delivered + folded + lost == emitted,
        "{scenario}: {sum:?}, emitted {emitted}"
    );
    Ok(sum)
}

/// The number in "… : 20 are lost".
fn logged_losses(log: &str) -> u64 {
    let found = log
        .lines()
        .filter_map(|line| line.strip_suffix(" are lost"));
    let numbers = found.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    numbers.sum()
}

/// A command that gives a process this file as its `/etc/hosts`, in a mount namespace of its own, and
/// nothing else to look names up in: a resolver of the machine may take seconds to refuse a name.
pub(crate) fn with_hosts(hosts: &Path) -> Result<Vec<String>> {
    let order = hosts.with_file_name("nsswitch.conf");
    std::fs::write(&order, "hosts: files\n")?;
    let order = order.display();
    namespace(&format!(
        "mount --bind '{}' /etc/hosts; mount --bind '{order}' /etc/nsswitch.conf",
        hosts.display()
    ))
}

/// A command that runs `prepare` in a mount namespace of its own and then becomes its arguments.
pub(crate) fn namespace(prepare: &str) -> Result<Vec<String>> {
    let script = format!("set -e; {prepare}; exec \"$@\"");
    Ok(["unshare", unshare()?, "sh", "-c", &script, "sh"]
        .map(str::to_owned)
        .into())
}

/// The body of a POST with these reports, a millisecond apart. Each one's duration is its number, and
/// so is its request.
pub(crate) fn reports_body(numbers: Range<usize>, from: Timestamp) -> Vec<u8> {
    let events: Vec<String> = numbers.map(|n| report_text(n, from)).collect();
    format!("[{}]", events.join(",")).into_bytes()
}

/// The three events of invocation `n`, as the platform writes them.
pub(crate) fn invocation_text(n: usize, from: Timestamp) -> String {
    let time = from.plus_ms(n as i64);
    let tracing = r#""tracing":{"spanId":"54565fb41ac79632","type":"X-Amzn-Trace-Id","value":"Root=1-62e900b2-710d76f009d6e7785905449a;Parent=0efbd19962d95b05;Sampled=0"}"#;
    let report = report_text(n, from);
    format!(
        r#"{{"time":"{time}","type":"platform.start","record":{{"requestId":"r{n}","version":"$LATEST",{tracing}}}}},{{"time":"{time}","type":"platform.runtimeDone","record":{{"requestId":"r{n}","status":"success","metrics":{{"durationMs":1.0,"producedBytes":42}},{tracing}}}}},{report}"#
    )
}

/// The report of invocation `n`, as the platform writes it.
pub(crate) fn report_text(n: usize, from: Timestamp) -> String {
    let time = from.plus_ms(n as i64);
    format!(
        r#"{{"time":"{time}","type":"platform.report","record":{{"requestId":"r{n}","status":"success","metrics":{{"durationMs":{n},"billedDurationMs":{n},"memorySizeMB":1024,"maxMemoryUsedMB":{}}}}}}}"#,
        100 + n % 800
    )
}

/// The numbers of [`reports_body`] that arrived, in order.
pub(crate) fn numbers(records: &[Reports]) -> Vec<usize> {
    let rows = records.iter().flat_map(|r| &r.reports);
    let mut numbers: Vec<usize> = rows
        .filter_map(|row| Some(row.duration_ms?.as_ms_f64() as usize))
        .collect();
    numbers.sort_unstable();
    numbers
}
