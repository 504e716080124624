//! Scenarios of the whole synchronous heart over a real store file.

use rightsizer_formats::{Channel, Delivery};
use rightsizer_records::{
    Arch, EnvId, FunctionArn, Megabytes, Millis, Outcome, OutcomeStatus, Reason, Record, ReportRow,
    Reports, Status, Timestamp, encode,
};
use rightsizer_rules::inventory::{FunctionFacts, InventoryUpdate, Package, Tags};
use rightsizer_rules::window::ClockMode;
use rightsizer_store::Reader;

use super::*;
use crate::settings::Settings;

mod again;
mod asked;
mod claims;
mod clock;
mod counts;
mod decisions;
mod fleet;
mod forged;
mod limits;
mod lost;
mod merging;
mod notices;
mod proposals;
mod retention;
mod review;
mod states;
mod strangers;
mod verdicts;
mod windows;

struct Case {
    dir: tempfile::TempDir,
    pipeline: Option<Pipeline>,
    now: Timestamp,
    settings: Settings,
    mode: ClockMode,
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn arn(name: &str) -> FunctionArn {
    FunctionArn::new("aws", "eu-central-1", "123456789012", name).unwrap()
}

/// One environment's only record: `count` invocations that used `used` of `size` MB.
fn reports(name: &str, env: u64, when: &str, size: u32, used: u32, count: usize) -> Reports {
    let row = ReportRow {
        at_ms: 0,
        max_used_mb: Some(Megabytes(used)),
        duration_ms: Some(Millis::from_ms(100)),
        billed_ms: Some(Millis::from_ms(100)),
        status: Status::Ok,
        init_ms: None,
    };
    Reports {
        function: arn(name),
        version: "$LATEST".into(),
        env: EnvId(env),
        seq: 0,
        total: count as u64,
        memory_mb: Megabytes(size),
        arch: None,
        runtime: None,
        init: None,
        t0: at(when),
        reports: vec![row; count],
        errors: vec![],
        // Waits nearly all the time: less CPU does not make it slower (P6).
        cpu_ms: Some(1),
        cores: None,
        self_kib: None,
        folded: None,
        events_dropped: 0,
    }
}

/// A function with a timeout of 30 s.
fn facts(function: FunctionArn, memory_mb: u32) -> FunctionFacts {
    FunctionFacts {
        log_group: format!("/aws/lambda/{}", function.name()),
        function,
        memory_mb: Megabytes(memory_mb),
        timeout_s: 30,
        arch: Arch::X86_64,
        runtime: None,
        code_sha256: None,
        package: Package::Zip,
        layers: Vec::new(),
        logged: rightsizer_rules::inventory::LoggedReports::All,
        tags: None,
        edge_replica: false,
        managed_instances: false,
        snap_start: false,
        modified: None,
        alarm: None,
    }
}

impl Case {
    /// One step takes a function all the way (P5 has scenarios of its own).
    fn new() -> Self {
        Self::with(Settings::parse("[policy]\nmax_step_down = 0.9").unwrap())
    }

    fn with(settings: Settings) -> Self {
        let mut case = Self {
            settings,
            mode: ClockMode::Event,
            dir: tempfile::tempdir().unwrap(),
            pipeline: None,
            now: at("2026-06-01T00:00:00Z"),
        };
        case.restart();
        case
    }

    fn restart(&mut self) {
        self.pipeline = None;
        let store = Store::open(&self.path(), "test").unwrap();
        let settings = self.settings.clone();
        let pipeline = Pipeline::new(store, self.mode, settings, Accept::default());
        self.pipeline = Some(pipeline.unwrap());
    }

    fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("store.db")
    }

    fn pipeline(&mut self) -> &mut Pipeline {
        self.pipeline.as_mut().unwrap()
    }

    fn deliver(&mut self, payloads: Vec<Vec<u8>>, channel: Channel) -> Digest {
        let now = self.now;
        let delivery = Delivery {
            origin: "test".into(),
            channel,
            payloads,
            checkpoint: None,
            gaps: Vec::new(),
        };
        self.pipeline().ingest(vec![delivery], now).unwrap()
    }

    fn report(&mut self, record: Reports) -> Digest {
        self.deliver(vec![encode(&Record::Reports(record))], Channel::Reports)
    }

    /// The control plane lists a function, with a timeout of 30 s.
    fn know(&mut self, name: &str, code: &str, when: &str) {
        self.know_tagged(name, code, when, Tags::default());
    }

    fn know_tagged(&mut self, name: &str, code: &str, when: &str, tags: Tags) {
        self.know_one(arn(name), code, when, tags);
    }

    /// A function anywhere, the only one of its account and region.
    fn know_one(&mut self, function: FunctionArn, code: &str, when: &str, tags: Tags) {
        self.know_size(function, 1024, code, when, tags);
    }

    fn know_size(
        &mut self,
        function: FunctionArn,
        memory_mb: u32,
        code: &str,
        when: &str,
        tags: Tags,
    ) {
        let facts = FunctionFacts {
            code_sha256: Some(code.to_owned()),
            tags: Some(tags),
            ..facts(function, memory_mb)
        };
        self.list(facts, when, true);
    }

    /// A refresh that finds this function alone.
    fn list(&mut self, facts: FunctionFacts, when: &str, with_alarms: bool) {
        let update = InventoryUpdate {
            seen_at: at(when),
            functions: vec![facts],
            complete: true,
            with_alarms,
        };
        self.pipeline().take_inventory(&update).unwrap();
    }

    /// 14 days of 10 invocations a day, then the event that closes the 14th.
    fn fortnight(&mut self, name: &str, size: u32, peaks: &[u32]) {
        self.know(name, "code", "2026-05-01T00:00:00Z");
        for (n, used) in peaks.iter().enumerate() {
            let when = format!("2026-05-{:02}T10:00:00Z", n + 1);
            self.report(reports(name, n as u64, &when, size, *used, 10));
        }
        self.report(reports(name, 99, "2026-05-15T10:00:01Z", size, peaks[0], 1));
    }

    fn line(&self, name: &str) -> rightsizer_store::ReviewRow {
        Reader::open(&self.path())
            .unwrap()
            .find(name)
            .unwrap()
            .remove(0)
    }

    /// The number that `query` answers.
    fn count(&self, query: &str) -> i64 {
        let store = rusqlite::Connection::open(self.path()).unwrap();
        store.query_row(query, [], |row| row.get(0)).unwrap()
    }

    fn outbox(&mut self) -> Vec<String> {
        let now = self.now;
        let entries = self
            .pipeline()
            .outbox(Outgoing::All, 100, now)
            .unwrap()
            .entries;
        entries.into_iter().map(|entry| entry.key.id).collect()
    }

    fn send_all(&mut self) -> Vec<String> {
        let now = self.now;
        let entries = self
            .pipeline()
            .outbox(Outgoing::All, 100, now)
            .unwrap()
            .entries;
        let keys: Vec<_> = entries.into_iter().map(|entry| entry.key).collect();
        self.pipeline().mark_sent(&keys, now).unwrap();
        keys.into_iter().map(|key| key.id).collect()
    }

    fn answer(&mut self, id: &str, name: &str, status: OutcomeStatus, from: u32, to: u32) {
        self.answer_because(id, name, (status, ""), (from, to));
    }

    fn answer_because(
        &mut self,
        id: &str,
        name: &str,
        (status, reason): (OutcomeStatus, &str),
        (from, to): (u32, u32),
    ) {
        let outcome = Outcome {
            id: id.into(),
            function: arn(name),
            status,
            from_mb: Megabytes(from),
            to_mb: Megabytes(to),
            reason: reason.into(),
            detail: String::new(),
            at: self.now,
        };
        self.deliver(vec![encode(&Record::Outcome(outcome))], Channel::Decisions);
    }

    /// The tables that W7 names.
    fn evidence(&self) -> Vec<String> {
        Reader::open(&self.path()).unwrap().evidence().unwrap()
    }
}
