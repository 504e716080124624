//! The measurements and their table.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rightsizer_records::Timestamp;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::endpoint::Endpoint;
use super::life::{Life, Subject, begin, report};
use super::share::CpuShare;

/// Invocations in one life.
const INVOCATIONS: u32 = 50;
/// Reports posted at once to see full records; more than one payload unit of 25 KB holds.
const BURST: u32 = 1_900;
/// The share of a CPU that a function of 128 MB gets: 128 of 1769 MB, in percent.
pub const SHARE_PERCENT: u64 = 7;
/// How long a flush is waited for where none may come.
const FLUSH_LIMIT: Duration = Duration::from_secs(20);
const SHORT_INVOCATION: Duration = Duration::from_millis(5);

/// One subject's line: medians over the runs.
#[derive(Debug, Clone)]
pub struct Row {
    /// The subject's name.
    pub name: String,
    /// Process start to first `next`.
    pub init_ms: f64,
    /// Peak resident memory, MB of 10⁶ bytes.
    pub peak_mb: f64,
    /// CPU time of the whole life.
    pub cpu_ms: f64,
    /// Calls to the stream in that life.
    pub calls: f64,
    /// An invocation's wait for it.
    pub held_ms: f64,
    /// Layer zip, MB of 10⁶ bytes; `None` where nobody would pack it.
    pub zip_mb: Option<f64>,
    /// Record bytes per report in a full record; `None` where it sends no records of ours.
    pub bytes_per_report: Option<f64>,
    /// The same held to a part of a CPU.
    pub held_back: Option<HeldBack>,
}

/// Measured with the process held to [`SHARE_PERCENT`] of a CPU.
#[derive(Debug, Clone, Copy)]
pub struct HeldBack {
    /// Process start to first `next`.
    pub init_ms: f64,
    /// From the telemetry that makes a flush due to the stream having taken it.
    pub flush_ms: Option<f64>,
    /// Invocations of 5 ms, frozen between, that one flush spans.
    pub spans: Option<f64>,
}

/// What to measure with.
pub struct Bench<'a> {
    /// The stream.
    pub endpoint: &'a Endpoint,
    /// Variables beside Lambda's.
    pub env: &'a [(String, String)],
    /// Runs per number.
    pub runs: usize,
    /// The part of a CPU, where this machine can give one.
    pub share: Option<&'a CpuShare>,
}

impl Bench<'_> {
    /// Measures one subject.
    pub async fn row(&self, subject: &Subject, pack: &Path) -> Result<Row> {
        let mut lives = Vec::new();
        for _ in 0..self.runs {
            lives.push(self.life(subject).await?);
        }
        let of = |pick: fn(&[f64; 5]) -> f64| median(lives.iter().map(pick).collect());
        Ok(Row {
            name: subject.name.clone(),
            init_ms: of(|l| l[0]),
            peak_mb: of(|l| l[1]),
            cpu_ms: of(|l| l[2]),
            calls: of(|l| l[3]),
            held_ms: of(|l| l[4]),
            zip_mb: if subject.observes {
                Some(zip_bytes(&subject.binary, pack)? / 1e6)
            } else {
                None
            },
            bytes_per_report: self.bytes_per_report(subject).await?,
            held_back: match self.share {
                Some(share) => Some(self.held_back(subject, share).await?),
                None => None,
            },
        })
    }

    /// Fifty invocations a second apart, of which the last brings the flush, then SHUTDOWN.
    async fn life(&self, subject: &Subject) -> Result<[f64; 5]> {
        let calls_before = *self.endpoint.calls().borrow();
        let life = Life::start(subject, self.endpoint, self.env, None).await?;
        let held = self.fifty(&life).await?;
        self.flush(&life, subject).await?;
        let init_ms = ms(life.init);
        let measured = life.end().await?;
        ensure!(measured.ended_well, "{} did not exit with 0", subject.name);
        let calls = *self.endpoint.calls().borrow() - calls_before;
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let (kib, cpu_us, calls) = (
            measured.peak_kib as f64,
            measured.cpu_us as f64,
            calls as f64,
        );
        Ok([
            init_ms,
            kib * 1024.0 / 1e6,
            cpu_us / 1e3,
            calls,
            median(held.into_iter().map(ms).collect()),
        ])
    }

    /// Fifty invocations, of which the last report is still to come.
    async fn fifty(&self, life: &Life) -> Result<Vec<Duration>> {
        let mut held = Vec::new();
        for n in 0..INVOCATIONS {
            let mut events = begin(n, at(n), duration_ms(n));
            if n > 0 {
                events.insert(0, report(n - 1, at(n - 1), duration_ms(n - 1)));
            }
            held.push(life.invoke(events).await?);
        }
        Ok(held)
    }

    /// The last report, a minute after the first, and the flush it makes due. How long that took;
    /// `None` where none came.
    async fn flush(&self, life: &Life, subject: &Subject) -> Result<Option<Duration>> {
        if !subject.observes {
            return Ok(None);
        }
        let before = *self.endpoint.calls().borrow();
        let began = Instant::now();
        let last = INVOCATIONS - 1;
        let due = report(last, at(last).plus_ms(60_000), duration_ms(last));
        life.post(vec![due]).await?;
        Ok(self.flushed(before).await.then(|| began.elapsed()))
    }

    /// Whether the stream took something since there were `before` calls.
    async fn flushed(&self, before: usize) -> bool {
        let mut calls = self.endpoint.calls();
        let came = calls.wait_for(|calls| *calls > before);
        matches!(timeout(FLUSH_LIMIT, came).await, Ok(Ok(_)))
    }

    async fn bytes_per_report(&self, subject: &Subject) -> Result<Option<f64>> {
        if !subject.observes {
            return Ok(None);
        }
        let life = Life::start(subject, self.endpoint, self.env, None).await?;
        let before = *self.endpoint.calls().borrow();
        self.endpoint.drain();
        for chunk in (0..BURST).collect::<Vec<_>>().chunks(500) {
            let reports = chunk.iter().map(|n| report(*n, at(*n), duration_ms(*n)));
            life.post(reports.collect()).await?;
        }
        self.flushed(before).await;
        life.end().await?;
        let taken = self.endpoint.drain().into_iter();
        let full = taken.filter(|t| t.reports > 0).max_by_key(|t| t.bytes);
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        Ok(full.map(|t| t.bytes as f64 / t.reports as f64))
    }

    async fn held_back(&self, subject: &Subject, share: &CpuShare) -> Result<HeldBack> {
        let (mut inits, mut flushes, mut spans) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.runs {
            let life = Life::start(subject, self.endpoint, self.env, Some(share)).await?;
            inits.push(ms(life.init));
            self.fifty(&life).await?;
            flushes.extend(self.flush(&life, subject).await?.map(ms));
            life.end().await?;
            if subject.observes {
                spans.extend(self.spans(subject, share).await?);
            }
        }
        let some = |values: Vec<f64>| (!values.is_empty()).then(|| median(values));
        Ok(HeldBack {
            init_ms: median(inits),
            flush_ms: some(flushes),
            spans: some(spans),
        })
    }

    /// Thawed for 5 ms at a time, with nothing between: how often until the flush is taken.
    async fn spans(&self, subject: &Subject, share: &CpuShare) -> Result<Option<f64>> {
        let life = Life::start(subject, self.endpoint, self.env, Some(share)).await?;
        let before = *self.endpoint.calls().borrow();
        life.post(vec![report(0, at(0), duration_ms(0))]).await?;
        life.freeze()?;
        let thaws = self.thaws(&life, before).await?;
        let taken = *self.endpoint.calls().borrow() > before;
        life.thaw()?;
        life.end().await?;
        Ok(taken.then_some(thaws))
    }

    async fn thaws(&self, life: &Life, before: usize) -> Result<f64> {
        let due = vec![report(1, at(0).plus_ms(61_000), 5.0)];
        let mut posted = std::pin::pin!(life.post(due));
        let began = Instant::now();
        let (mut thaws, mut arrived) = (0.0, false);
        while *self.endpoint.calls().borrow() == before && began.elapsed() < FLUSH_LIMIT {
            life.thaw()?;
            thaws += 1.0;
            let until = Instant::now() + SHORT_INVOCATION;
            if !arrived && let Ok(answer) = timeout_at(until, &mut posted).await {
                answer?;
                arrived = true;
            }
            sleep_until(until).await;
            life.freeze()?;
        }
        Ok(thaws)
    }
}

fn at(seconds: u32) -> Timestamp {
    let noon = Timestamp::parse("2026-01-31T12:00:00Z").unwrap_or(Timestamp::MIN);
    noon.plus_ms(i64::from(seconds) * 1000)
}

/// 20 to 320 ms, with the platform's two or three decimals.
fn duration_ms(n: u32) -> f64 {
    f64::from(n * 7919 % 30_000) / 100.0 + 20.0
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The middle one; between the two in the middle of an even number.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// Size of a layer with this binary, packed as `make layer` packs.
fn zip_bytes(binary: &Path, pack: &Path) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let zip = folder.path().join("layer.zip");
    let run = Command::new(pack).arg(binary).arg(&zip).output();
    let run = run.with_context(|| format!("{} cannot be run", pack.display()))?;
    let why = String::from_utf8_lossy(&run.stderr).into_owned();
    ensure!(run.status.success(), "packing failed: {why}");
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    Ok(std::fs::metadata(zip)?.len() as f64)
}

/// For a machine to read.
pub fn to_json(rows: &[Row], roots: usize, runs: usize) -> Value {
    let row = |row: &Row| {
        json!({
            "name": row.name, "init_ms": row.init_ms, "peak_mb": row.peak_mb,
            "cpu_ms": row.cpu_ms, "calls": row.calls, "held_ms": row.held_ms,
            "zip_mb": row.zip_mb, "bytes_per_report": row.bytes_per_report,
            "held_back": row.held_back.map(|h| json!({
                "share_percent": SHARE_PERCENT, "init_ms": h.init_ms, "flush_ms": h.flush_ms,
                "spans": h.spans,
            })),
        })
    };
    json!({"runs": runs, "roots": roots, "rows": rows.iter().map(row).collect::<Vec<_>>()})
}

/// For a person to read; Markdown.
pub fn to_text(rows: &[Row]) -> String {
    let mut text = String::from(
        "| | start to next, ms | peak resident, MB | CPU, ms | calls | held, ms | zip, MB | bytes/report |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    let number = |value: Option<f64>, digits: usize| {
        value.map_or_else(|| "–".to_owned(), |v| format!("{v:.digits$}"))
    };
    for row in rows {
        text += &format!(
            "| {} | {:.2} | {:.2} | {:.1} | {} | {:.2} | {} | {} |\n",
            row.name,
            row.init_ms,
            row.peak_mb,
            row.cpu_ms,
            row.calls,
            row.held_ms,
            number(row.zip_mb, 2),
            number(row.bytes_per_report, 1),
        );
    }
    text += &format!(
        "\n| held to {SHARE_PERCENT} % of a CPU | start to next, ms | one flush, ms | 5 ms invocations it spans |\n\
         |---|---|---|---|\n"
    );
    for row in rows {
        let Some(held) = row.held_back else { continue };
        text += &format!(
            "| {} | {:.1} | {} | {} |\n",
            row.name,
            held.init_ms,
            number(held.flush_ms, 0),
            number(held.spans, 0),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(vec![4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median(Vec::new()).is_nan());
    }
}
