//! Tests of the core over a control plane and a sink that do what a test wants.

mod apply;
mod batch;
mod judge;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use rightsizer_records::{
    Confidence, Day, EvidenceWindow, FunctionArn, Megabytes, Millis, Mode, MonthlyUsd, Outcome,
    Recommendation, Timestamp, Usd,
};

use crate::{
    ApiError, ApiFault, ControlPlane, FunctionMode, LiveFunction, OutcomeSink, Place, Settings,
};

const NAME: &str = "arn:aws:lambda:eu-central-1:123456789012:function:checkout";

fn now() -> Timestamp {
    Timestamp::parse("2026-02-01T02:00:00Z").unwrap()
}

/// From 1024 to 512 MB, decided an hour ago, good for another day.
fn rec() -> Recommendation {
    let day = Day::parse("2026-01-31").unwrap();
    Recommendation {
        id: "5f1c0a9b3e7d2468".to_owned(),
        function: FunctionArn::parse(NAME).unwrap(),
        version: "$LATEST".to_owned(),
        from_mb: Megabytes(1024),
        to_mb: Megabytes(512),
        target_mb: Megabytes(512),
        policy: "average-plus-buffer".to_owned(),
        reasons: Vec::new(),
        window: EvidenceWindow {
            from: day.plus(-13),
            to: day,
            days: 14,
            invocations: 140_000,
        },
        p99_ms: Some(Millis::from_ms(400)),
        confidence: Confidence::High,
        monthly_usd: MonthlyUsd {
            before: Usd::from_f64(20.0),
            after: Usd::from_f64(10.0),
        },
        mode: Mode::Auto,
        by: None,
        urgent: false,
        issued_at: now().plus_ms(-3_600_000),
        expires_at: now().plus_ms(86_400_000),
        rollback_of: None,
        code_sha256: None,
    }
}

/// The function that [`rec`] is about, as it was when that was decided.
fn live() -> LiveFunction {
    LiveFunction {
        memory_mb: Megabytes(1024),
        timeout: Some(Millis::from_ms(3000)),
        revision_id: Some("r1".to_owned()),
        code_sha256: Some("code-1".to_owned()),
        tags: Some(BTreeMap::new()),
        state: Some("Active".to_owned()),
        last_update_status: Some("Successful".to_owned()),
        edge_replica: false,
        managed_instances: false,
    }
}

/// Told to act, on the account and region of [`rec`].
fn settings() -> Settings {
    Settings {
        default_mode: FunctionMode::Auto,
        accept: vec![Place::of(&rec().function)],
        ..Settings::default()
    }
}

fn error(fault: ApiFault) -> ApiError {
    ApiError {
        fault,
        message: format!("the words for {}", fault.name()),
        retry_after_s: None,
    }
}

/// What the fake does at its next update.
#[derive(Debug, Clone, Copy)]
enum OnWrite {
    /// Makes it and says so.
    Write,
    /// Does not make it and fails.
    Fail(ApiFault),
    /// Makes it and loses the answer.
    WriteSilently,
}

/// A function whose API fails as told, one answer after the other, and works after that.
#[derive(Debug, Default)]
struct FakeLambda {
    state: Mutex<FakeState>,
}

#[derive(Debug, Default)]
struct FakeState {
    function: Option<LiveFunction>,
    reads: VecDeque<Result<(), ApiFault>>,
    writes: VecDeque<OnWrite>,
    written: Vec<(Megabytes, Option<String>)>,
    read_count: usize,
}

impl FakeLambda {
    fn with(function: LiveFunction) -> Self {
        let state = FakeState {
            function: Some(function),
            ..FakeState::default()
        };
        Self {
            state: Mutex::new(state),
        }
    }

    fn reading(self, reads: impl IntoIterator<Item = Result<(), ApiFault>>) -> Self {
        self.state.lock().unwrap().reads.extend(reads);
        self
    }

    fn writing(self, writes: impl IntoIterator<Item = OnWrite>) -> Self {
        self.state.lock().unwrap().writes.extend(writes);
        self
    }

    /// Every update that was asked for.
    fn written(&self) -> Vec<(Megabytes, Option<String>)> {
        self.state.lock().unwrap().written.clone()
    }

    fn reads(&self) -> usize {
        self.state.lock().unwrap().read_count
    }

    fn memory(&self) -> Megabytes {
        self.state
            .lock()
            .unwrap()
            .function
            .as_ref()
            .unwrap()
            .memory_mb
    }
}

impl ControlPlane for &FakeLambda {
    async fn get(&self, _: &FunctionArn) -> Result<LiveFunction, ApiError> {
        let mut state = self.state.lock().unwrap();
        state.read_count += 1;
        state.reads.pop_front().unwrap_or(Ok(())).map_err(error)?;
        state
            .function
            .clone()
            .ok_or_else(|| error(ApiFault::NotFound))
    }

    async fn set_memory(
        &self,
        _: &FunctionArn,
        memory: Megabytes,
        revision: Option<&str>,
    ) -> Result<Megabytes, ApiError> {
        let mut state = self.state.lock().unwrap();
        state.written.push((memory, revision.map(str::to_owned)));
        let on_write = state.writes.pop_front().unwrap_or(OnWrite::Write);
        if let OnWrite::Fail(fault) = on_write {
            return Err(error(fault));
        }
        let function = state.function.as_mut().unwrap();
        function.memory_mb = memory;
        function.revision_id = Some("r2".to_owned());
        match on_write {
            OnWrite::WriteSilently => Err(error(ApiFault::Unavailable)),
            _ => Ok(memory),
        }
    }
}

/// Keeps outcomes; refuses the positions it is told to, once each.
#[derive(Debug, Default)]
struct FakeSink {
    kept: Mutex<Vec<Outcome>>,
    refuse: Mutex<VecDeque<Vec<usize>>>,
}

impl OutcomeSink for FakeSink {
    async fn put(&self, outcomes: &[Outcome]) -> Vec<usize> {
        let refused = self.refuse.lock().unwrap().pop_front().unwrap_or_default();
        let taken = outcomes
            .iter()
            .enumerate()
            .filter(|(n, _)| !refused.contains(n));
        self.kept
            .lock()
            .unwrap()
            .extend(taken.map(|(_, o)| o.clone()));
        refused
    }
}
