//! The course of a measurement: lives of fifty invocations, a burst, and lives held back.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rightsizer_records::Timestamp;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::endpoint::Endpoint;
use super::life::{Delivery, Life, Subject, begin, report};
use super::share::CpuShare;
use super::table::{HeldBack, Row, median};

/// Invocations in one life.
const INVOCATIONS: u32 = 50;
/// Reports posted at once to see full records; more than one payload unit of 25 KB holds.
const BURST: u32 = 1_900;
/// How long to wait for a flush that may not come.
const FLUSH_LIMIT: Duration = Duration::from_secs(20);
const SHORT_INVOCATION: Duration = Duration::from_millis(5);

/// What to measure with.
pub struct Bench<'a> {
    /// The stream.
    pub endpoint: &'a Endpoint,
    /// Variables beside Lambda's.
    pub env: &'a [(String, String)],
    /// Runs per number.
    pub runs: usize,
    /// The share of a CPU, if this machine can limit it.
    pub share: Option<&'a CpuShare>,
}

impl Bench<'_> {
    /// Measures these, turn by turn, so that what else the machine does meets all of them.
    pub async fn rows(&self, subjects: &[Subject], pack: &Path) -> Result<Vec<Row>> {
        let mut lives = vec![Vec::new(); subjects.len()];
        let mut apart = vec![Vec::new(); subjects.len()];
        let mut shares = vec![Vec::new(); subjects.len()];
        for _ in 0..self.runs {
            for (n, subject) in subjects.iter().enumerate() {
                lives[n].push(self.life(subject, Delivery::OnePost).await?);
                let life = self.life(subject, Delivery::NewConnections).await?;
                apart[n].push(life.cpu_ms);
                if let Some(share) = self.share {
                    shares[n].push(self.held_back(subject, share).await?);
                }
            }
        }
        let mut rows = Vec::new();
        for (n, subject) in subjects.iter().enumerate() {
            let lives = &lives[n];
            let of = |pick: fn(&Row) -> f64| median(lives.iter().map(pick).collect());
            rows.push(Row {
                name: subject.name.clone(),
                init_ms: of(|l| l.init_ms),
                peak_mb: of(|l| l.peak_mb),
                cpu_ms: of(|l| l.cpu_ms),
                cpu_new_connections_ms: median(apart[n].clone()),
                calls: of(|l| l.calls),
                held_ms: of(|l| l.held_ms),
                zip_mb: zip_mb(subject, pack)?,
                bytes_per_report: self.bytes_per_report(subject).await?,
                held_back: HeldBack::median(&shares[n]),
            });
        }
        Ok(rows)
    }

    async fn start(&self, subject: &Subject, share: Option<&CpuShare>) -> Result<Life> {
        Life::start(subject, self.endpoint, self.env, share, Delivery::OnePost).await
    }

    /// Fifty invocations a second apart, of which the last brings the flush, then SHUTDOWN.
    async fn life(&self, subject: &Subject, delivery: Delivery) -> Result<Row> {
        let calls_before = *self.endpoint.calls().borrow();
        let life = Life::start(subject, self.endpoint, self.env, None, delivery).await?;
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
        Ok(Row {
            init_ms,
            peak_mb: kib * 1024.0 / 1e6,
            cpu_ms: cpu_us / 1e3,
            calls,
            held_ms: median(held.into_iter().map(ms).collect()),
            ..Row::default()
        })
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

    /// The last report, a minute after the first, and the flush it makes due. Returns how long that
    /// took; `None` if none came.
    async fn flush(&self, life: &Life, subject: &Subject) -> Result<Option<Duration>> {
        if !subject.ships {
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
        if !subject.ships {
            return Ok(None);
        }
        let life = self.start(subject, None).await?;
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
        let life = self.start(subject, Some(share)).await?;
        let init_ms = ms(life.init);
        self.fifty(&life).await?;
        share.rest().await;
        let flush = self.flush(&life, subject).await?;
        life.end().await?;
        Ok(HeldBack {
            init_ms,
            flush_ms: flush.map(ms),
            spans: self.spans(subject, share).await?,
        })
    }

    /// Thawed for 5 ms at a time, with nothing between: how often until the flush is taken.
    async fn spans(&self, subject: &Subject, share: &CpuShare) -> Result<Option<f64>> {
        if !subject.ships {
            return Ok(None);
        }
        let life = self.start(subject, Some(share)).await?;
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

/// Size of a layer with this binary, packed as `make layer` packs; MB of 10⁶ bytes. The floor is
/// not packed.
fn zip_mb(subject: &Subject, pack: &Path) -> Result<Option<f64>> {
    if !subject.ships {
        return Ok(None);
    }
    let folder = tempfile::tempdir()?;
    let zip = folder.path().join("layer.zip");
    let run = Command::new(pack).arg(&subject.binary).arg(&zip).output();
    let run = run.with_context(|| format!("{} cannot be run", pack.display()))?;
    let why = String::from_utf8_lossy(&run.stderr).into_owned();
    ensure!(run.status.success(), "packing failed: {why}");
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let mb = std::fs::metadata(zip)?.len() as f64 / 1e6;
    Ok(Some(mb))
}
