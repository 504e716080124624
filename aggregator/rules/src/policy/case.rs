//! The scene of the rules' tests: one function about which everything is known and nothing is odd.

use rightsizer_records::{Day, Megabytes, Millis, Reason, Timestamp};

use super::decide::{Decision, decide};
use super::evidence::FunctionEvidence;
use super::evidence::tests::seen;
use super::facts::{CpuUse, Leak, SizeChange, SizeFacts, SizeHealth};
use super::settings::PolicySettings;

pub(super) struct Case(pub(super) FunctionEvidence, pub(super) PolicySettings);

/// 5000 invocations of 100 ms (95 % below 200, 99 % below 400), and 1 % of a core used.
pub(super) fn size(mb: u32) -> SizeFacts {
    SizeFacts {
        memory_mb: Megabytes(mb),
        invocations: 5000,
        billed_ms: 500_000,
        p50: Millis::from_ms(90),
        p95: Millis::from_ms(200),
        p99: Millis::from_ms(400),
        cpu: Some(CpuUse {
            cpu_ms: 5000,
            wall_ms: 500_000,
        }),
        hours_factor: None,
    }
}

/// The same invocations, none of which failed, and starts of 10 ms.
pub(super) fn health(mb: u32) -> SizeHealth {
    SizeHealth {
        memory_mb: Megabytes(mb),
        invocations: 5000,
        failures: 0,
        crashes: 0,
        heap_limits: 0,
        peak_mb: Megabytes(200),
        init: Some(Millis::from_ms(10)),
        restore: None,
    }
}

impl Case {
    /// A function at `current` MB with a full window of these daily peaks, hardly any CPU and a
    /// timeout of 30 s. The present is 2026-02-01T01:00.
    pub(super) fn new(current: u32, peaks: &[u32]) -> Self {
        let mut seen = seen(peaks);
        seen.current_mb = Megabytes(current);
        seen.configured.timeout = Some(Millis::from_ms(30_000));
        seen.sizes = vec![size(current)];
        seen.health = vec![health(current)];
        Self(seen, PolicySettings::default())
    }

    pub(super) fn ran_out_at(mut self, size: u32) -> Self {
        self.0.censored = Some((Day::parse("2026-01-30").unwrap(), Megabytes(size)));
        self
    }

    pub(super) fn changed(mut self, at: &str, from: u32, to: u32) -> Self {
        self.0.changes.last = Some(SizeChange {
            at: Timestamp::parse(at).unwrap(),
            from_mb: Megabytes(from),
            to_mb: Megabytes(to),
            verified: true,
            invocations: 50,
        });
        self
    }

    pub(super) fn leaking(mut self) -> Self {
        self.0.leak = Some(Leak {
            mb_per_1000: 70,
            climbing: 3,
            judged: 4,
        });
        self
    }

    /// The cores that it uses on average at its present size.
    pub(super) fn using_cores(mut self, hundredths: u64) -> Self {
        self.0.sizes[0].cpu = Some(CpuUse {
            cpu_ms: hundredths * 5000,
            wall_ms: 500_000,
        });
        self
    }

    pub(super) fn decide(&self) -> Decision {
        decide(&self.0, &self.1).unwrap()
    }

    /// `to_mb`, and whether by itself.
    pub(super) fn step(&self) -> (Option<u32>, bool) {
        let decision = self.decide();
        (decision.to_mb.map(|mb| mb.0), decision.auto)
    }
}

pub(super) fn code(reason: &Reason) -> String {
    let json = serde_json::to_value(reason).unwrap();
    json["code"].as_str().unwrap().to_owned()
}

pub(super) fn codes(decision: &Decision) -> Vec<String> {
    decision.reasons.iter().map(code).collect()
}

pub(super) fn has(decision: &Decision, wanted: &str) -> bool {
    codes(decision).iter().any(|code| code == wanted)
}

/// A figure of the first reason with this code.
pub(super) fn figure(decision: &Decision, wanted: &str, name: &str) -> serde_json::Value {
    let reason = decision
        .reasons
        .iter()
        .find(|reason| code(reason) == wanted);
    let reason = reason.unwrap_or_else(|| panic!("no {wanted} in {:?}", codes(decision)));
    serde_json::to_value(reason).unwrap()[name].clone()
}
