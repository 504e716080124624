//! A function whose increase was skipped during a pause is decided again after the pause, by a job that runs.

use std::time::{Duration, Instant};

use rightsizer_aws::clock::now;
use rightsizer_records::{
    EnvId, Megabytes, Mode, News, Notice, Outcome, OutcomeStatus, Proposal, Recommendation, Record,
    ReportRow, Reports, Status, encode,
};
use rightsizer_tests::aggregator::rightsizer_with;
use rightsizer_tests::sample;
use rightsizer_tests::servers::{KinesisLocal, aws_environment};

use super::job::Job;
use super::stage::Stage;

const DECISIONS: &str = "decisions";
/// Only a loop that does not close lasts longer.
const PATIENCE: Duration = Duration::from_mins(5);

/// The aggregator, the job, and the streams between them, which this test moves.
struct Loop {
    kinesis: KinesisLocal,
    stage: Stage,
    job: Job,
    /// How many records of the decisions stream the job has.
    moved: usize,
    /// The proposals that the aggregator has, in their order.
    proposals: Vec<Proposal>,
}

impl Loop {
    /// Moves what is new on both streams; returns all decisions so far.
    async fn turn(&mut self) -> Vec<Record> {
        let decisions = self.kinesis.records(DECISIONS).await.unwrap();
        if self.moved < decisions.len() {
            let new = decisions[self.moved..].iter().map(|one| one.data.clone());
            let name = format!("{}.jsonl", self.moved);
            self.job.put("decisions", &name, &new.collect::<Vec<_>>());
            self.moved = decisions.len();
        }
        let mut new = self.job.proposals();
        new.retain(|one| !self.proposals.contains(one));
        new.sort_by_key(|one| one.decided_at);
        let records = new
            .iter()
            .map(|one| encode(&Record::Proposal(Box::new(one.clone()))));
        self.stage
            .put("proposals", &records.collect::<Vec<_>>())
            .await;
        self.proposals.extend(new);
        let decisions = decisions.iter().map(|one| one.decoded().unwrap());
        decisions.collect()
    }

    /// Turns until `found` finds something.
    async fn until<T>(
        &mut self,
        what: &str,
        found: impl Fn(&[Record], &[Proposal]) -> Option<T>,
    ) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            let decisions = self.turn().await;
            if let Some(found) = found(&decisions, &self.proposals) {
                return found;
            }
            assert!(
                Instant::now() < until,
                "{what} did not come: {decisions:?}, {:?}, {}",
                self.proposals,
                self.job.log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn command(&self, name: &str) {
        let store = self.stage.store();
        let arguments = [name, "--by", "on-call", "--store", store.to_str().unwrap()];
        let done = rightsizer_with(&arguments, &[]).await;
        let done = done.unwrap();
        assert!(done.status.success(), "{name}: {done:?}");
    }

    /// The updater skips a recommendation, because everything is paused.
    async fn skip_in_a_pause(&self, sent: &Recommendation) {
        self.command("pause").await;
        let request = self.kinesis.client().put_record().stream_name(DECISIONS);
        let request = request.partition_key("fn").data(skipped(sent).into());
        request.send().await.unwrap();
        let until = Instant::now() + PATIENCE;
        while !self
            .stage
            .sent()
            .iter()
            .any(|line| line.contains(" skipped paused "))
        {
            assert!(Instant::now() < until, "{:?}", self.stage.sent());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// An invocation of a new environment, now: it used 90 of 512 MB, or all and more.
pub(crate) fn report(status: Status) -> Vec<u8> {
    let reports = sample::reports("fn").unwrap();
    let used = if status == Status::Ok { 90 } else { 512 };
    let row = ReportRow {
        max_used_mb: Some(Megabytes(used)),
        status,
        ..reports.reports[0]
    };
    sample::bytes(Reports {
        env: EnvId(used.into()),
        t0: now(),
        reports: vec![row],
        ..reports
    })
}

fn recommended(decisions: &[Record]) -> Vec<&Recommendation> {
    let sent = decisions.iter().filter_map(|record| match record {
        Record::Recommendation(sent) => Some(sent),
        _ => None,
    });
    sent.collect()
}

fn skipped(sent: &Recommendation) -> Vec<u8> {
    encode(&Record::Outcome(Outcome {
        id: sent.id.clone(),
        function: sent.function.clone(),
        status: OutcomeStatus::Skipped,
        from_mb: sent.from_mb,
        to_mb: sent.to_mb,
        reason: "paused".to_owned(),
        detail: String::new(),
        at: now(),
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_increase_that_a_pause_skipped_is_decided_again_and_sent() {
    let kinesis = KinesisLocal::start().await.unwrap();
    kinesis.create_stream(DECISIONS, 1).await.unwrap();
    let environment = aws_environment("KINESIS", kinesis.endpoint());
    let emit = format!("kinesis:{DECISIONS}");
    let stage = Stage::set(&["--engine", "flink", "--emit", &emit], &environment).await;
    let job = Job::new();
    let options = [
        "--checkpoint-ms",
        "200",
        "--parallelism",
        "1",
        "--bundle-ms",
        "50",
    ];
    let running = job.command(&options).spawn();
    let running = running.expect("java is missing: run `make tools`");
    // News of a function without evidence: without any record, a stream has no time for its first minute.
    let news = Notice {
        function: "local:none".to_owned(),
        at: now(),
        news: News::Due,
    };
    job.put("decisions", "news.jsonl", &[encode(&Record::Notice(news))]);
    job.put("reports", "ok.jsonl", &[report(Status::Ok)]);
    let mut all = Loop {
        kinesis,
        stage,
        job,
        moved: 0,
        proposals: Vec::new(),
    };
    all.job
        .put("reports", "oom.jsonl", &[report(Status::OutOfMemory)]);
    let first = |decisions: &[Record], _: &[Proposal]| {
        recommended(decisions).first().map(|&one| one.clone())
    };
    let sent = all.until("the increase", first).await;
    assert!(sent.urgent && sent.mode == Mode::Auto, "{sent:?}");

    all.skip_in_a_pause(&sent).await;
    all.turn().await;
    let before = all.proposals.len();
    all.command("resume").await;

    let is_due = |decisions: &[Record], _: &[Proposal]| {
        let due = |record: &&Record| matches!(record, Record::Notice(n) if n.news == News::Due);
        decisions.iter().find(due).map(|_| ())
    };
    all.until("the notice", is_due).await;
    let again = |_: &[Record], proposals: &[Proposal]| {
        let new = proposals.get(before..)?;
        let ids = |one: &Proposal| one.decision.as_ref()?.id.clone();
        new.iter().find_map(ids)
    };
    let id = all.until("the proposal", again).await;
    let twice = |decisions: &[Record], _: &[Proposal]| {
        recommended(decisions).get(1).map(|&one| one.clone())
    };
    let again = all.until("the second increase", twice).await;
    assert_eq!((again.id, again.to_mb), (id, sent.to_mb));
    drop(running);
}
