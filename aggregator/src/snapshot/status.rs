//! How the snapshots go, for `/healthz` and `/metrics`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use rightsizer_records::Timestamp;
use serde::Serialize;

use super::head::{Head, Snapshot};

/// What `/healthz` shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SnapshotHealth {
    /// Counts the takings over; the highest one decides.
    pub epoch: u64,
    /// When the newest snapshot was made, or found to be as new as the store.
    pub last: Option<Timestamp>,
    /// Bytes of its object.
    pub bytes: u64,
    /// Bytes of the store in it.
    pub store_bytes: u64,
    /// Why the last one could not be made, if it could not.
    pub failing: Option<String>,
    /// Why it is unknown whether this task still holds the lease: decreases wait.
    pub unsure: Option<String>,
    /// Review commands that are not in the bucket yet.
    #[serde(rename = "words_waiting")]
    pub commands_waiting: usize,
}

impl SnapshotHealth {
    /// What is wrong, each in a sentence.
    pub fn troubles(&self) -> Vec<String> {
        let failing = self.failing.as_ref();
        let failing = failing.map(|why| format!("the last snapshot could not be made: {why}"));
        let unsure = self.unsure.clone();
        let words = (self.commands_waiting > 0).then(|| {
            format!(
                "{} review commands are not in the bucket yet",
                self.commands_waiting
            )
        });
        failing.into_iter().chain(unsure).chain(words).collect()
    }

    /// Whether something of it should be looked at.
    pub(crate) const fn is_degraded(&self) -> bool {
        self.failing.is_some() || self.unsure.is_some() || self.commands_waiting > 0
    }
}

/// Shared by the lease holder and the health check.
#[derive(Debug, Clone, Default)]
pub struct SnapshotStatus(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    health: SnapshotHealth,
    made: Counter,
    failures: Counter,
}

impl SnapshotStatus {
    pub(super) fn begun(&self, head: &Head) {
        let health = &mut self.state().health;
        health.epoch = head.epoch;
        if let Some(newest) = head.snapshots.first() {
            health.last = Some(newest.taken_at);
            (health.bytes, health.store_bytes) = (newest.bytes, newest.store_bytes);
        }
    }

    pub(super) fn made(&self, snapshot: &Snapshot) {
        let mut state = self.state();
        state.made.inc();
        let health = &mut state.health;
        (health.bytes, health.store_bytes) = (snapshot.bytes, snapshot.store_bytes);
        (health.last, health.failing) = (Some(snapshot.taken_at), None);
    }

    pub(super) fn unchanged(&self, at: Timestamp) {
        let health = &mut self.state().health;
        (health.last, health.failing) = (Some(at), None);
    }

    pub(super) fn failed(&self, why: String) {
        let mut state = self.state();
        state.failures.inc();
        state.health.failing = Some(why);
    }

    /// Returns whether that is news.
    pub(super) fn unsure(&self, why: Option<String>) -> bool {
        let health = &mut self.state().health;
        let news = health.unsure.is_some() != why.is_some();
        health.unsure = why;
        news
    }

    pub(super) fn commands_waiting(&self, count: usize) {
        self.state().health.commands_waiting = count;
    }

    /// How it goes.
    pub fn health(&self) -> SnapshotHealth {
        self.state().health.clone()
    }

    /// In the Prometheus text format.
    pub fn metrics(&self, now: Timestamp) -> String {
        let state = self.state();
        let health = &state.health;
        let mut registry = Registry::with_prefix("rightsizer");
        let gauge = |value: u64| {
            let gauge: Gauge = Gauge::default();
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
            gauge
        };
        if let Some(last) = health.last {
            let age = u64::try_from(now.as_ms() - last.as_ms()).unwrap_or(0) / 1000;
            let help = "How old the newest snapshot is; 0 when the store was found to be as old";
            registry.register_with_unit("snapshot_age", help, Unit::Seconds, gauge(age));
        }
        let help = "Size of the newest snapshot";
        registry.register_with_unit("snapshot_size", help, Unit::Bytes, gauge(health.bytes));
        let help = "Times that a task acquired the lease";
        registry.register("snapshot_epoch", help, gauge(health.epoch));
        let help = "Whether this task certainly holds the lease; decreases wait while it is 0";
        let live = gauge(u64::from(health.unsure.is_none()));
        registry.register("lease_live", help, live);
        let help = "Snapshots made";
        registry.register("snapshots", help, state.made.clone());
        let help = "Snapshots that could not be made";
        registry.register("snapshot_failures", help, state.failures.clone());
        let mut out = String::new();
        // Fails only where the sink does, and a String takes everything.
        let _ = text::encode(&mut out, &registry);
        out
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds it can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
