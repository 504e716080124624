//! What `serve` counts, in the Prometheus text format.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use rightsizer_aws::clock::now;
use rightsizer_records::Timestamp;
use rightsizer_records::shown::shown;
use rightsizer_store::inspect::Stops;

use crate::pipeline::Digest;

/// Which shard of which stream, as the checkpoints name it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ShardLabel {
    shard: String,
}

/// The counters of one process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    reports: Counter,
    quarantined: Counter,
    decisions: Counter,
    commits: Counter,
    sent: Counter,
    last_closed: Gauge,
    last_commit: Gauge,
    last_commit_ms: AtomicI64,
    behind: Family<ShardLabel, Gauge<f64, AtomicU64>>,
    paused: Gauge,
    auto_paused: Gauge,
    store_failing: Gauge,
    store_wal: Gauge,
    clock_doubted: Gauge,
    /// Why the machine's clock is not believed, if it is not.
    clock_doubt: Mutex<Option<String>>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("rightsizer"),
            reports: Counter::default(),
            quarantined: Counter::default(),
            decisions: Counter::default(),
            commits: Counter::default(),
            sent: Counter::default(),
            last_closed: Gauge::default(),
            last_commit: Gauge::default(),
            last_commit_ms: AtomicI64::default(),
            behind: Family::default(),
            paused: Gauge::default(),
            auto_paused: Gauge::default(),
            store_failing: Gauge::default(),
            store_wal: Gauge::default(),
            clock_doubted: Gauge::default(),
            clock_doubt: Mutex::default(),
        };
        metrics.register_counters();
        metrics.register_gauges();
        metrics
    }
}

impl Metrics {
    fn register_counters(&mut self) {
        let counters = [
            ("reports", "Invocations merged", &self.reports),
            (
                "quarantined",
                "Records that could not be used",
                &self.quarantined,
            ),
            ("decisions", "Functions decided", &self.decisions),
            (
                "commits",
                "Units of work committed to the store, idle ones included",
                &self.commits,
            ),
            (
                "recommendations_sent",
                "Recommendations put on the decisions stream",
                &self.sent,
            ),
        ];
        for (name, help, counter) in counters {
            self.registry.register(name, help, counter.clone());
        }
    }

    fn register_gauges(&mut self) {
        let gauges = [
            (
                "last_closed_day",
                "The last closed UTC day, in days since 1970-01-01",
                &self.last_closed,
            ),
            (
                "paused",
                "1 while a person has paused everything",
                &self.paused,
            ),
            (
                "auto_paused",
                "1 while automatic decreases are paused after rollbacks",
                &self.auto_paused,
            ),
            (
                "store_failing",
                "1 while the store cannot be read, or its files are not at their paths",
                &self.store_failing,
            ),
            (
                "clock_doubted",
                "1 while the clock of this machine is not trusted; /healthz has the reason",
                &self.clock_doubted,
            ),
        ];
        for (name, help, gauge) in gauges {
            self.registry.register(name, help, gauge.clone());
        }
        self.registry.register_with_unit(
            "store_wal",
            "The size of the store's log, which grows while another program reads for a long time",
            Unit::Bytes,
            self.store_wal.clone(),
        );
        self.registry.register_with_unit(
            "last_commit_time",
            "When the store was last committed to, in seconds since 1970-01-01T00:00:00Z",
            Unit::Seconds,
            self.last_commit.clone(),
        );
        self.registry.register_with_unit(
            "behind",
            "How far the reading of a shard is behind its newest record",
            Unit::Seconds,
            self.behind.clone(),
        );
    }

    /// How the store is.
    pub(crate) fn store(&self, wal_bytes: u64, failing: bool) {
        self.store_wal
            .set(i64::try_from(wal_bytes).unwrap_or(i64::MAX));
        self.store_failing.set(failing.into());
    }

    /// A commit and what was in it.
    pub(crate) fn committed(&self, digest: &Digest) {
        let at = now().as_ms();
        self.last_commit_ms.store(at, Ordering::Relaxed);
        self.last_commit.set(at / 1000);
        self.commits.inc();
        self.reports.inc_by(digest.accepted);
        self.quarantined.inc_by(digest.quarantined);
        self.decisions.inc_by(digest.decided);
        if let Some(day) = digest.closed {
            self.last_closed.set(i64::from(day.number()));
        }
    }

    /// Invocations merged and records that could not be used, since the start.
    pub(crate) fn counted(&self) -> (u64, u64) {
        (self.reports.get(), self.quarantined.get())
    }

    /// Recommendations that the decisions stream took.
    pub(crate) fn sent(&self, count: usize) {
        self.sent.inc_by(count as u64);
    }

    /// What keeps recommendations from being sent.
    pub(crate) fn stopped(&self, stops: &Stops) {
        self.paused.set(stops.paused.is_some().into());
        self.auto_paused.set(stops.auto_paused.is_some().into());
    }

    /// Why the clock is not believed, if it is not; returns whether that is news.
    pub(crate) fn doubt_clock(&self, doubt: Option<String>) -> bool {
        self.clock_doubted.set(doubt.is_some().into());
        let mut known = self
            .clock_doubt
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let news = known.is_some() != doubt.is_some();
        *known = doubt;
        news
    }

    /// Why the clock is not believed, if it is not.
    pub(crate) fn clock_doubt(&self) -> Option<String> {
        let known = self
            .clock_doubt
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }

    /// When the store was last committed to; `None` before the first time.
    pub(crate) fn last_commit(&self) -> Option<Timestamp> {
        let at = self.last_commit_ms.load(Ordering::Relaxed);
        Some(at).filter(|at| *at > 0).and_then(Timestamp::from_ms)
    }

    /// How far the reading of `source` is behind, in milliseconds.
    pub(crate) fn behind(&self, source: &str, ms: i64) {
        #[expect(clippy::cast_precision_loss, reason = "a lag is far below 2^52 ms")]
        let seconds = ms as f64 / 1000.0;
        self.behind
            .get_or_create(&ShardLabel {
                shard: shown(source).into_owned(),
            })
            .set(seconds);
    }

    /// In the Prometheus text format.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Fails only where the sink does, and a String takes everything.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_what_was_counted() {
        let metrics = Metrics::default();
        let digest = Digest {
            accepted: 7,
            quarantined: 2,
            ..Digest::default()
        };
        metrics.committed(&digest);
        metrics.committed(&digest);
        metrics.behind("kinesis:reports/shardId-000000000000", 1500);
        metrics.stopped(&Stops {
            auto_paused: Some("since then".to_owned()),
            ..Stops::default()
        });
        let text = metrics.text();
        for line in [
            "rightsizer_reports_total 14",
            "rightsizer_quarantined_total 4",
            "rightsizer_commits_total 2",
            "rightsizer_paused 0",
            "rightsizer_auto_paused 1",
            "rightsizer_behind_seconds{shard=\"kinesis:reports/shardId-000000000000\"} 1.5",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
    }
}
