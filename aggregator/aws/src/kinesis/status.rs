//! What a person may want to know of the reading of a stream, shard by shard: for `/healthz`,
//! `/metrics` and the log. Shared by the readers; nothing is decided by it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use rightsizer_records::Timestamp;
use rightsizer_rules::gap::Gap;
use serde::Serialize;
use tracing::warn;

/// How the reading of one shard goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ShardStatus {
    /// How far it is behind its newest record, in milliseconds.
    pub behind_ms: i64,
    /// When it was read last.
    pub read_at: Option<Timestamp>,
    /// What prevents reading it, if anything.
    pub failing: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ShardLabel {
    shard: String,
}

/// The reading of all streams of this process.
#[derive(Debug, Clone, Default)]
pub struct StreamStatus(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    shards: BTreeMap<String, ShardStatus>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    gaps: Family<ShardLabel, Counter>,
    throttled: Family<ShardLabel, Counter>,
    expired: Family<ShardLabel, Counter>,
}

impl StreamStatus {
    /// Every shard that is read, with how that goes.
    pub fn shards(&self) -> BTreeMap<String, ShardStatus> {
        self.state().shards.clone()
    }

    /// The counters in the Prometheus text format.
    pub fn metrics(&self) -> String {
        let mut registry = Registry::with_prefix("rightsizer");
        let state = self.state();
        let counts = [
            (
                "gaps",
                "Times that a stream dropped records before they were read",
                &state.counts.gaps,
            ),
            (
                "throttled",
                "Reads that a shard refused because of its limits",
                &state.counts.throttled,
            ),
            (
                "expired_iterators",
                "Reads that were repeated because their iterator had expired",
                &state.counts.expired,
            ),
        ];
        for (name, help, count) in counts {
            registry.register(name, help, count.clone());
        }
        let mut out = String::new();
        // Fails only where the sink does, and a String takes everything.
        let _ = text::encode(&mut out, &registry);
        out
    }

    pub(super) fn read(&self, shard: &str, behind_ms: i64, at: Timestamp) {
        let status = ShardStatus {
            behind_ms,
            read_at: Some(at),
            failing: None,
        };
        self.state().shards.insert(shard.to_owned(), status);
    }

    pub(super) fn failing(&self, shard: &str, why: &impl fmt::Display) {
        let mut state = self.state();
        let status = state.shards.entry(shard.to_owned()).or_default();
        status.failing = Some(why.to_string());
    }

    /// It is not read any more.
    pub(super) fn ended(&self, shard: &str) {
        self.state().shards.remove(shard);
    }

    pub(super) fn throttled(&self, shard: &str) {
        let count = &self.state().counts.throttled;
        count.get_or_create(&label(shard)).inc();
    }

    pub(super) fn expired(&self, shard: &str) {
        let count = &self.state().counts.expired;
        count.get_or_create(&label(shard)).inc();
    }

    /// Counted and logged here; kept by the store, which it reaches with the delivery behind it.
    pub(super) fn gap(&self, gap: &Gap) {
        warn!("a gap in {gap}");
        let count = &self.state().counts.gaps;
        count.get_or_create(&label(&gap.source)).inc();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds it can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn label(shard: &str) -> ShardLabel {
    ShardLabel {
        shard: shard.to_owned(),
    }
}
