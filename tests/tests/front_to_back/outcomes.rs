//! What becomes of a change: one function lives a fortnight, is shrunk, and then its story
//! continues.

use rightsizer_records::Day;
use rightsizer_store::Reader;
use rightsizer_tests::aggregator::{Aggregator, rightsizer};
use rightsizer_tests::fleet::Life;
use serde_json::Value;

use crate::stage::{Scene, line, seen};

const NAME: &str = "checkout";

/// 200 MB used of 1024, 5 invocations a day of 12 ms: less than a second in a fortnight, so that the CPU
/// time of the whole machine does not count (P6).
fn life() -> Life {
    Life {
        duration_ms: 12.0,
        ..Life::steady(NAME, 1024, 200)
    }
}

/// A function whose decrease was applied, and what continues.
struct Story {
    scene: Scene,
    serve: Aggregator,
    /// Reports that were sent so far.
    sent: u64,
    /// The id of the decrease.
    change: String,
}

impl Story {
    fn day(n: usize) -> Day {
        let first = Day::parse("2026-03-01").unwrap();
        first.plus(i32::try_from(n).unwrap())
    }

    /// 14 days at 200 MB: P1 wants 200 + 100 = 300, and the day's close has it applied.
    async fn until_shrunk() -> Self {
        let scene = Scene::set(vec![life()]).await;
        let serve = scene.serve().await;
        let mut story = Self {
            scene,
            serve,
            sent: 0,
            change: String::new(),
        };
        for n in 0..14 {
            story.live(n, &life()).await;
        }
        story.close_day_before(14).await;
        story.scene.deliver(1).await;
        assert_eq!(story.scene.moto.memory_mb(NAME).await.unwrap(), 300);
        story.change = story.until("applied").await;
        story
    }

    /// Runs day `n` at the size in the Lambda API, and waits until it is known.
    async fn live(&mut self, n: usize, life: &Life) {
        let size = self.scene.moto.memory_mb(NAME).await.unwrap();
        let size = u32::try_from(size).unwrap();
        let options = self.scene.options();
        life.live(n, Self::day(n), size, options).await.unwrap();
        self.known(u64::from(life.invocations)).await;
    }

    async fn close_day_before(&mut self, n: usize) {
        let size = self.scene.moto.memory_mb(NAME).await.unwrap();
        let size = u32::try_from(size).unwrap();
        let (life, options) = (life(), self.scene.options());
        let closing = life.close_day_before(Self::day(n), size, options);
        closing.await.unwrap();
        self.known(1).await;
    }

    async fn known(&mut self, more: u64) {
        self.sent += more;
        let sent = self.sent;
        let known = |rows: &[_]| seen(rows) == sent;
        self.scene.review("the reports", known).await;
    }

    /// Waits until the newest recommendation is there in its life; its id.
    async fn until(&self, status: &str) -> String {
        let there = |rows: &[_]| line(rows, NAME).status == status;
        let rows = self.scene.review(status, there).await;
        line(&rows, NAME).recommendation.clone().unwrap()
    }

    /// A recommendation in `show --json`.
    async fn detail(&self, id: &str) -> Value {
        let store = self.scene.store();
        let show = ["show", NAME, "--json", "--store", store.to_str().unwrap()];
        let show = rightsizer(&show).await.unwrap();
        let detail: Value = serde_json::from_slice(&show.stdout).unwrap();
        let history = detail["history"].as_array().unwrap();
        let entry = history.iter().find(|entry| entry["id"] == id);
        entry.unwrap_or_else(|| panic!("{detail:#}")).clone()
    }

    /// Nothing is on the stream that the updater has not answered.
    async fn nothing_is_sent(&mut self) {
        let delivered = self.scene.updater.deliver(&self.scene.kinesis).await;
        assert_eq!(delivered.unwrap().records, 0);
    }

    async fn restarted(self) -> Self {
        assert!(self.serve.stop().await.unwrap().success());
        let serve = self.scene.serve().await;
        Self { serve, ..self }
    }

    async fn end(self) {
        assert!(self.serve.stop().await.unwrap().success());
    }
}

/// It runs out at 300 MB, in the second environment that ran there, which makes ten invocations: 1024 is put
/// back without a person and with that record. From then on P3 wants max(1.2 × 300, 300 + 100) = 400, and
/// the hold keeps that from being sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_runs_out_after_it_was_shrunk_gets_its_size_back_and_is_held() {
    let mut story = Story::until_shrunk().await;
    let out = Life {
        runs_out_on: Some(15),
        ..life()
    };
    story.live(15, &life()).await;
    story.live(15, &out).await;
    story.scene.deliver(1).await;
    assert_eq!(story.scene.moto.memory_mb(NAME).await.unwrap(), 1024);
    let given = |rows: &[_]| line(rows, NAME).current_mb == 1024;
    story.scene.review("the size that is back", given).await;
    let detail = story.detail(&story.change).await;
    assert_eq!(detail["status"], "rolled-back", "{detail:#}");
    // What happened, when, and by whom.
    let events = detail["life"].as_array().unwrap();
    let what: Vec<&str> = events.iter().map(|e| e["what"].as_str().unwrap()).collect();
    assert_eq!(
        what,
        ["decided", "sent", "applied", "rolled-back"],
        "{detail:#}"
    );
    let back = events[3]["why"].as_str().unwrap();
    let back = story
        .detail(back.trim_start_matches("taken back by "))
        .await;
    assert_eq!(
        (&back["from_mb"], &back["to_mb"], &back["status"]),
        (&300.into(), &1024.into(), &"applied".into()),
        "{back:#}"
    );
    for n in 16..18 {
        story.live(n, &life()).await;
        story.close_day_before(n + 1).await;
    }
    let rows = Reader::open(&story.scene.store())
        .unwrap()
        .review()
        .unwrap();
    assert_eq!(line(&rows, NAME).to_mb, Some(400));
    story.nothing_is_sent().await;
    story.end().await;
}

/// At 300 MB it takes 15.4 ms instead of 12, billed as 16: 16 × 300 ÷ (12 × 1024) = 0.39. By size alone
/// 0.29 would have been thought.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_bears_its_smaller_size_is_verified_with_the_saving_that_was_billed() {
    let mut story = Story::until_shrunk().await;
    let slower = Life {
        duration_ms: 15.4,
        invocations: 30,
        ..life()
    };
    story.live(14, &slower).await;
    story.live(15, &slower).await;
    let detail = story.detail(&story.change).await;
    assert_eq!(
        detail["status"], "applied",
        "24 hours are not over: {detail:#}"
    );
    story.live(16, &slower).await;
    story.close_day_before(17).await;
    let verified = story.until("verified").await;
    assert_eq!(verified, story.change);
    let detail = story.detail(&verified).await;
    let why = detail["reason"].as_str().unwrap();
    assert!(why.contains("0.39 times the GB-seconds"), "{why}");
    story.nothing_is_sent().await;
    story.end().await;
}

/// The next deployment has 1024 MB in its template. One environment may have been slow to start;
/// two mean a change.
#[tokio::test(flavor = "multi_thread")]
async fn a_size_that_a_pipeline_puts_back_twice_is_left_there() {
    let mut story = Story::until_shrunk().await;
    story.live(15, &life()).await;
    let deploy = story.scene.moto.lambda().update_function_configuration();
    let deploy = deploy.function_name(NAME).memory_size(1024);
    deploy.send().await.unwrap();
    // A start reads the inventory: the account must not contradict the reports.
    let mut story = story.restarted().await;
    let listed = |rows: &[_]| line(rows, NAME).current_mb == 1024;
    story.scene.review("the account's size", listed).await;
    story.live(16, &life()).await;
    story.live(17, &life()).await;
    story.close_day_before(18).await;
    let detail = story.detail(&story.change).await;
    assert_eq!(detail["status"], "reverted", "{detail:#}");
    story.live(18, &life()).await;
    story.close_day_before(19).await;
    story.nothing_is_sent().await;
    assert_eq!(story.scene.moto.memory_mb(NAME).await.unwrap(), 1024);
    story.end().await;
}
