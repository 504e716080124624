//! Batches of the stream over a Lambda API with faults, in virtual time: no function waits for one
//! that is stuck, and nothing is done twice or lost.

use std::sync::Mutex;
use std::time::Duration;

use rightsizer_records::tags::PAUSED_TAG;
use rightsizer_records::{Outcome, OutcomeStatus, Recommendation, Record, encode};
use rightsizer_tests::servers::{
    Delivered, Fault, FaultLambda, Operation, StreamRecord, UPDATER, deliver_shard, first_failed,
    kinesis_event,
};
use rightsizer_updater::{
    Deliveries, LambdaApi, OutcomeSink, PauseTag, RunningClock, Updater, handle_batch,
};
use tokio::time::Instant;

use crate::stage::{now, recommendation, settings};

const UPDATE: Operation = Operation::UpdateFunctionConfiguration;

/// The updater as Lambda runs it, but for the process: a batch of at most 10, 30 seconds.
struct Lambda {
    api: LambdaApi,
    own: rightsizer_records::FunctionArn,
    deliveries: Deliveries,
    began: Instant,
    outcomes: Mutex<Vec<(Duration, Outcome)>>,
}

impl OutcomeSink for &Lambda {
    async fn put(&self, outcomes: &[Outcome]) -> Vec<usize> {
        let at = self.began.elapsed();
        let outcomes = outcomes.iter().map(|outcome| (at, outcome.clone()));
        self.outcomes.lock().unwrap().extend(outcomes);
        Vec::new()
    }
}

impl Lambda {
    fn over(lambda: &FaultLambda) -> Self {
        Self {
            api: LambdaApi::new(&lambda.client()),
            own: lambda.function(UPDATER, 128, &[]),
            deliveries: Deliveries::with_retries(3),
            began: Instant::now(),
            outcomes: Mutex::default(),
        }
    }

    /// The whole shard, as the event source mapping delivers it.
    async fn deliver(&self, recs: &[Recommendation]) -> Delivered {
        let records: Vec<_> = recs.iter().enumerate().map(record).collect();
        self.deliver_records(&records).await
    }

    async fn deliver_records(&self, records: &[StreamRecord]) -> Delivered {
        let mut delivered = Delivered::default();
        let invoke = async |batch: &[StreamRecord]| self.invoke(batch).await;
        deliver_shard(records, &mut delivered, invoke)
            .await
            .unwrap();
        delivered
    }

    async fn invoke(&self, batch: &[StreamRecord]) -> anyhow::Result<Option<usize>> {
        let event = serde_json::from_value(kinesis_event(batch))?;
        let ms = i64::try_from(self.began.elapsed().as_millis())?;
        let clock = RunningClock::set_to(now().plus_ms(ms));
        let pause = PauseTag::new(self.api.clone(), self.own.clone());
        let updater = Updater::new(self.api.clone(), pause, clock, settings())
            .until(now().plus_ms(ms + 22_000));
        let began = Instant::now();
        let response = handle_batch(&updater, &self, &event, &self.deliveries).await;
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "{:?}",
            began.elapsed()
        );
        first_failed(batch, &response)
    }

    fn ends(&self) -> Vec<(String, OutcomeStatus, String)> {
        let outcomes = self.outcomes.lock().unwrap();
        let end = |(_, o): &(Duration, Outcome)| (o.id.clone(), o.status, o.reason.clone());
        outcomes.iter().map(end).collect()
    }

    /// When a recommendation was first answered.
    fn answered(&self, id: &str) -> Duration {
        let outcomes = self.outcomes.lock().unwrap();
        outcomes.iter().find(|(_, o)| o.id == id).unwrap().0
    }
}

fn record((n, rec): (usize, &Recommendation)) -> StreamRecord {
    StreamRecord {
        shard: "shardId-000000000000".to_owned(),
        sequence: format!("{n:020}"),
        partition_key: rec.function.to_string(),
        data: encode(&Record::Recommendation(rec.clone())),
    }
}

#[tokio::test(start_paused = true)]
async fn one_stuck_function_never_blocks_anothers_increase() {
    for fault in [
        Fault::throttle(300),
        Fault::Slow(Duration::from_secs(30)),
        Fault::LoseRequest,
        Fault::Refuse {
            status: 503,
            code: "ServiceUnavailable",
            retry_after_s: None,
        },
    ] {
        let fleet = FaultLambda::default();
        let lambda = Lambda::over(&fleet);
        let stuck = fleet.function("stuck", 1024, &[]);
        let other = fleet.function("other", 1024, &[]);
        fleet.order(None, Some("stuck"), (0, 9999), fault.clone());
        let recs = [
            recommendation("a", &stuck, 1024, 2048),
            recommendation("b", &other, 1024, 2048),
        ];
        let delivered = lambda.deliver(&recs).await;
        let increase = fleet.calls_of(UPDATE, "other");
        assert_eq!(increase.len(), 1, "{fault:?}");
        assert!(
            increase[0].at < Duration::from_secs(2),
            "{fault:?}: {increase:?}"
        );
        // The other one came as often as a record comes, and ended with words and not in silence.
        assert_eq!(
            (delivered.given_up, delivered.invocations),
            (vec![], 4),
            "{fault:?}"
        );
        let ends = lambda.ends();
        assert!(
            ends.iter()
                .any(|(id, status, _)| id == "a" && *status == OutcomeStatus::Failed),
            "{ends:?}"
        );
        assert!(lambda.answered("b") < Duration::from_secs(23), "{fault:?}");
    }
}

/// The records behind wait for the batch, and the batch for who is stuck: not for long.
#[tokio::test(start_paused = true)]
async fn an_increase_in_a_later_batch_waits_a_minute_and_a_half_at_most() {
    let fleet = FaultLambda::default();
    let lambda = Lambda::over(&fleet);
    let slow = Fault::Slow(Duration::from_secs(30));
    fleet.order(None, Some("f0"), (0, 9999), slow);
    let recs: Vec<_> = (0..11)
        .map(|n| {
            let name = format!("f{n}");
            recommendation(&name, &fleet.function(&name, 1024, &[]), 1024, 2048)
        })
        .collect();
    lambda.deliver(&recs).await;
    let made = fleet.calls_of(UPDATE, "f10");
    assert_eq!(made.len(), 1);
    assert!(made[0].at < Duration::from_secs(90), "{made:?}");
    // Those of its own batch were not asked about again in the meantime.
    assert_eq!(fleet.calls_of(UPDATE, "f1").len(), 1);
    assert!(fleet.calls_of(Operation::GetFunction, "f1").len() <= 3);
    assert_eq!(lambda.ends().len(), 11);
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_cannot_be_read_changes_nothing_and_ends_in_time() {
    let fleet = FaultLambda::default();
    let lambda = Lambda::over(&fleet);
    let slow = Fault::Slow(Duration::from_secs(30));
    fleet.order(Operation::ListTags, None, (0, 9999), slow);
    let recs: Vec<_> = (0..10)
        .map(|n| {
            let name = format!("f{n}");
            recommendation(&name, &fleet.function(&name, 1024, &[]), 1024, 512)
        })
        .collect();
    // Every invocation ends within its time: `invoke` sees to that.
    lambda.deliver(&recs).await;
    let updates = fleet
        .calls()
        .into_iter()
        .filter(|call| call.operation == UPDATE);
    assert_eq!(updates.count(), 0);
    let ends = lambda.ends();
    assert_eq!(ends.len(), 10);
    let failed =
        |(_, status, _): &(String, OutcomeStatus, String)| *status == OutcomeStatus::Failed;
    assert!(ends.iter().all(failed), "{ends:?}");
}

#[tokio::test(start_paused = true)]
async fn credentials_that_expire_in_mid_batch_cost_nothing_but_a_second_delivery() {
    let fleet = FaultLambda::default();
    let lambda = Lambda::over(&fleet);
    let names: Vec<String> = (0..10).map(|n| format!("f{n}")).collect();
    let recs: Vec<_> = names
        .iter()
        .map(|name| recommendation(name, &fleet.function(name, 1024, &[]), 1024, 512))
        .collect();
    // The first three changes are made; from then on nothing is, for an hour of calls.
    fleet.order(UPDATE, None, (3, 9999), Fault::expired_credentials());
    fleet.order(
        Operation::GetFunction,
        None,
        (14, 9999),
        Fault::expired_credentials(),
    );
    let records: Vec<_> = recs.iter().enumerate().map(record).collect();
    let failed = lambda.invoke(&records).await.unwrap();
    assert_eq!(failed, Some(3), "{:?}", lambda.ends());
    let applied = |ends: &[(String, OutcomeStatus, String)]| {
        ends.iter()
            .filter(|(_, status, _)| *status == OutcomeStatus::Applied)
            .count()
    };
    assert_eq!((lambda.ends().len(), applied(&lambda.ends())), (3, 3));

    fleet.works_again();
    let delivered = lambda.deliver_records(&records[3..]).await;
    assert_eq!((delivered.records, delivered.invocations), (7, 1));
    assert_eq!((lambda.ends().len(), applied(&lambda.ends())), (10, 10));
    for name in &names {
        assert_eq!(fleet.memory_mb(name, None), 512, "{name}");
        let made = fleet
            .calls_of(UPDATE, name)
            .into_iter()
            .filter(|call| call.status == 200);
        assert_eq!(made.count(), 1, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_within_seconds_also_for_what_is_in_the_stream_already() {
    let fleet = FaultLambda::default();
    let lambda = Lambda::over(&fleet);
    let recs: Vec<_> = (0..200)
        .map(|n| {
            let name = format!("f{n}");
            recommendation(&name, &fleet.function(&name, 1024, &[]), 1024, 512)
        })
        .collect();
    let client = fleet.client();
    let pause = async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        let tag = client.tag_resource().resource(lambda.own.as_str());
        tag.tags(PAUSED_TAG, "on call").send().await.unwrap();
    };
    let (delivered, ()) = tokio::join!(lambda.deliver(&recs), pause);
    // Everything was answered, and nothing is left that would be applied after a resume.
    assert_eq!((delivered.records, delivered.given_up.len()), (200, 0));
    let ends = lambda.ends();
    let paused = ends
        .iter()
        .filter(|(_, _, reason)| reason == "paused")
        .count();
    let applied = ends
        .iter()
        .filter(|(_, status, _)| *status == OutcomeStatus::Applied)
        .count();
    assert_eq!(applied + paused, 200);
    assert!(
        applied > 10 && paused > 100,
        "{applied} applied, {paused} paused"
    );
    let last = fleet
        .calls()
        .into_iter()
        .rfind(|call| call.operation == UPDATE)
        .unwrap();
    assert!(last.at < Duration::from_secs(13), "{last:?}");
}
