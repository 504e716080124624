//! Tests of the core over a control plane and a sink that do what a test wants.

mod apply;
mod batch;
mod judge;
mod messages;
mod published;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use rightsizer_records::{
    ApiFault, ApplyMode, Confidence, Day, EvidenceWindow, FunctionArn, Megabytes, Millis, Mode,
    MonthlyUsd, Outcome, Recommendation, Timestamp, Usd,
};

use crate::{
    Alias, ApiError, Clock, ControlPlane, LastUpdate, LiveFunction, NeverPaused, OtherSettings,
    OutcomeSink, PauseSwitch, Place, PublishFrom, PublishedVersion, Settings, Updater,
};

/// An engineer on call finds the code of every outcome.
#[test]
fn every_reason_code_is_documented() {
    let text = include_str!("../../../docs/UPDATER.md");
    let faults = [
        "update-failed",
        "version-failed",
        "other-size",
        "put-back",
        "update-unclear",
    ];
    let faults = faults.into_iter().chain(
        [
            ApiFault::NotFound,
            ApiFault::AccessDenied,
            ApiFault::Refused,
            ApiFault::Throttled,
            ApiFault::Unavailable,
            ApiFault::Credentials,
            ApiFault::OutOfTime,
        ]
        .map(ApiFault::name),
    );
    let skips = rightsizer_records::SkipCode::ALL.map(rightsizer_records::SkipCode::name);
    for code in skips.into_iter().chain(faults) {
        assert!(text.contains(&format!("`{code}`")), "{code}");
    }
}

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
        last_update: LastUpdate::Successful,
        edge_replica: false,
        edge_ready: true,
        managed_instances: false,
        other: other("code-1"),
    }
}

fn other(code: &str) -> OtherSettings {
    let value = |value: &str| Some(value.to_owned());
    OtherSettings(BTreeMap::from([
        ("code", value(code)),
        ("environment", value("LEVEL=info")),
    ]))
}

/// In mode auto, on the account and region of [`rec`].
fn settings() -> Settings {
    Settings {
        default_mode: ApplyMode::Auto,
        accept: vec![Place::of(&rec().function)],
        ..Settings::default()
    }
}

fn error(fault: ApiFault) -> ApiError {
    ApiError {
        fault,
        message: format!("the words for {}", fault.name()),
        retry_after: None,
    }
}

/// A clock that a wait sets forward, so that nothing is waited for.
#[derive(Debug)]
struct FakeClock {
    now: Mutex<Timestamp>,
    waits: Mutex<Vec<Duration>>,
}

impl Default for FakeClock {
    fn default() -> Self {
        Self {
            now: Mutex::new(now()),
            waits: Mutex::default(),
        }
    }
}

impl Clock for &FakeClock {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    async fn wait(&self, how_long: Duration) {
        self.waits.lock().unwrap().push(how_long);
        let ms = i64::try_from(how_long.as_millis()).unwrap();
        let mut now = self.now.lock().unwrap();
        *now = now.plus_ms(ms);
    }
}

/// A switch with an answer.
#[derive(Debug, Clone)]
struct Switch(Result<Option<String>, ApiFault>);

impl PauseSwitch for Switch {
    async fn paused(&self) -> Result<Option<String>, ApiError> {
        self.0.clone().map_err(error)
    }
}

fn updater<'a>(
    lambda: &'a FakeLambda,
    clock: &'a FakeClock,
) -> Updater<&'a FakeLambda, NeverPaused, &'a FakeClock> {
    Updater::new(lambda, NeverPaused, clock, settings())
}

/// What the fake does at its next update.
#[derive(Debug, Clone)]
enum OnWrite {
    /// Makes it and responds with success.
    Write,
    /// Does not make it and fails.
    Fail(ApiFault),
    /// Responds with 429 and this number of seconds to wait.
    Throttle(u64),
    /// Makes it and loses the answer.
    WriteSilently,
    /// Begins it: the next reads show the result.
    Begin,
}

/// A function whose API returns these failures, one after the other, and then works.
#[derive(Debug, Default)]
struct FakeLambda {
    state: Mutex<FakeState>,
}

#[derive(Debug, Default)]
struct FakeState {
    function: Option<LiveFunction>,
    versions: Vec<PublishedVersion>,
    alias: Option<Alias>,
    provisioned: Vec<String>,
    reads: VecDeque<Result<(), ApiFault>>,
    /// What the next reads find the function's last change to be.
    updates: VecDeque<LastUpdate>,
    writes: VecDeque<OnWrite>,
    written: Vec<(Megabytes, Option<String>)>,
    moves: Vec<String>,
    read_count: usize,
}

impl FakeLambda {
    fn with(function: LiveFunction) -> Self {
        let fake = Self::default();
        fake.state().function = Some(function);
        fake
    }

    fn state(&self) -> std::sync::MutexGuard<'_, FakeState> {
        self.state.lock().unwrap()
    }

    fn reading(self, reads: impl IntoIterator<Item = Result<(), ApiFault>>) -> Self {
        self.state().reads.extend(reads);
        self
    }

    fn updating(self, updates: impl IntoIterator<Item = LastUpdate>) -> Self {
        self.state().updates.extend(updates);
        self
    }

    fn writing(self, writes: impl IntoIterator<Item = OnWrite>) -> Self {
        self.state().writes.extend(writes);
        self
    }

    /// Every update that was asked for.
    fn written(&self) -> Vec<(Megabytes, Option<String>)> {
        self.state().written.clone()
    }

    fn reads(&self) -> usize {
        self.state().read_count
    }

    fn memory(&self) -> Megabytes {
        self.state().function.as_ref().unwrap().memory_mb
    }
}

impl ControlPlane for &FakeLambda {
    async fn get(&self, _: &FunctionArn) -> Result<LiveFunction, ApiError> {
        let mut state = self.state();
        state.read_count += 1;
        state.reads.pop_front().unwrap_or(Ok(())).map_err(error)?;
        let update = state.updates.pop_front();
        let function = state.function.as_mut();
        let function = function.ok_or_else(|| error(ApiFault::NotFound))?;
        if let Some(update) = update {
            function.last_update = update;
        }
        Ok(function.clone())
    }

    async fn set_memory(
        &self,
        _: &FunctionArn,
        memory: Megabytes,
        revision: Option<&str>,
    ) -> Result<(Megabytes, LastUpdate), ApiError> {
        let mut state = self.state();
        state.written.push((memory, revision.map(str::to_owned)));
        let on_write = state.writes.pop_front().unwrap_or(OnWrite::Write);
        match on_write {
            OnWrite::Fail(fault) => return Err(error(fault)),
            OnWrite::Throttle(seconds) => {
                return Err(ApiError {
                    retry_after: Some(Duration::from_secs(seconds)),
                    ..error(ApiFault::Throttled)
                });
            }
            OnWrite::Write | OnWrite::WriteSilently | OnWrite::Begin => {}
        }
        let function = state.function.as_mut().unwrap();
        function.memory_mb = memory;
        function.revision_id = Some("r2".to_owned());
        match on_write {
            OnWrite::WriteSilently => Err(error(ApiFault::Unavailable)),
            OnWrite::Begin => Ok((memory, LastUpdate::InProgress)),
            _ => Ok((memory, LastUpdate::Successful)),
        }
    }

    async fn get_version(
        &self,
        _: &FunctionArn,
        version: &str,
    ) -> Result<PublishedVersion, ApiError> {
        let state = self.state();
        let found = state.versions.iter().find(|v| v.version == version);
        found.cloned().ok_or_else(|| error(ApiFault::NotFound))
    }

    async fn get_alias(&self, _: &FunctionArn, alias: &str) -> Result<Alias, ApiError> {
        let found = self.state().alias.clone().filter(|_| alias == "live");
        found.ok_or_else(|| error(ApiFault::NotFound))
    }

    async fn provisioned(&self, _: &FunctionArn) -> Result<Vec<String>, ApiError> {
        Ok(self.state().provisioned.clone())
    }

    async fn publish(&self, _: &FunctionArn, from: PublishFrom<'_>) -> Result<String, ApiError> {
        let mut state = self.state();
        let live = state.function.clone().unwrap();
        if live.code_sha256.as_deref() != Some(from.code_sha256) {
            return Err(error(ApiFault::OtherCode));
        }
        if live.revision_id.as_deref() != from.revision_id {
            return Err(error(ApiFault::RevisionChanged));
        }
        let version = (state.versions.len() + 7).to_string();
        state.versions.push(PublishedVersion {
            version: version.clone(),
            memory_mb: live.memory_mb,
            timeout: live.timeout,
            code_sha256: live.code_sha256,
            description: from.description.map(str::to_owned),
            state: Some("Active".to_owned()),
            other: live.other,
        });
        Ok(version)
    }

    async fn move_alias(
        &self,
        _: &FunctionArn,
        _: &str,
        version: &str,
        _: Option<&str>,
    ) -> Result<(), ApiError> {
        let mut state = self.state();
        version.clone_into(&mut state.alias.as_mut().unwrap().version);
        state.moves.push(version.to_owned());
        Ok(())
    }
}

fn arn(name: &str) -> FunctionArn {
    FunctionArn::new("aws", "eu-central-1", "123456789012", name).unwrap()
}

/// Several functions on `$LATEST`, each as [`live`].
#[derive(Debug)]
struct FakeFleet {
    functions: BTreeMap<String, FakeLambda>,
    /// In which order they were changed.
    order: Mutex<Vec<String>>,
}

impl FakeFleet {
    fn new(names: &[&str]) -> Self {
        let function = |name: &&str| ((*name).to_owned(), FakeLambda::with(live()));
        Self {
            functions: names.iter().map(function).collect(),
            order: Mutex::default(),
        }
    }

    fn of(&self, name: &str) -> &FakeLambda {
        &self.functions[name]
    }
}

impl ControlPlane for &FakeFleet {
    async fn get(&self, function: &FunctionArn) -> Result<LiveFunction, ApiError> {
        self.of(function.name()).get(function).await
    }

    async fn set_memory(
        &self,
        function: &FunctionArn,
        memory: Megabytes,
        revision: Option<&str>,
    ) -> Result<(Megabytes, LastUpdate), ApiError> {
        self.order.lock().unwrap().push(function.name().to_owned());
        self.of(function.name())
            .set_memory(function, memory, revision)
            .await
    }

    async fn get_version(&self, _: &FunctionArn, _: &str) -> Result<PublishedVersion, ApiError> {
        Err(error(ApiFault::NotFound))
    }

    async fn get_alias(&self, _: &FunctionArn, _: &str) -> Result<Alias, ApiError> {
        Err(error(ApiFault::NotFound))
    }

    async fn provisioned(&self, _: &FunctionArn) -> Result<Vec<String>, ApiError> {
        Ok(Vec::new())
    }

    async fn publish(&self, _: &FunctionArn, _: PublishFrom<'_>) -> Result<String, ApiError> {
        Err(error(ApiFault::NotFound))
    }

    async fn move_alias(
        &self,
        _: &FunctionArn,
        _: &str,
        _: &str,
        _: Option<&str>,
    ) -> Result<(), ApiError> {
        Err(error(ApiFault::NotFound))
    }
}

/// Keeps outcomes; refuses the given positions, once each.
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
