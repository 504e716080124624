//! The whole product over real parts: three functions live 14 days in emulated environments with
//! the real extension; Kinesis, the aggregator, the decisions stream and the updater's own Lambda
//! binary do the rest, until the Lambda API server has the new sizes.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use rightsizer::store::{Reader, ReviewRow};
use rightsizer_records::{Day, OutcomeStatus, Record};
use rightsizer_tests::aggregator::{Aggregator, rightsizer};
use rightsizer_tests::emulator::Options;
use rightsizer_tests::fleet::Life;
use rightsizer_tests::servers::{KinesisLocal, MotoServer, UpdaterLambda, aws_environment};

const REPORTS: &str = "reports";
const DECISIONS: &str = "decisions";
/// The tenth day, counted from 0.
const RUNS_OUT_ON: usize = 9;

/// Over-provisioned and steady; under-provisioned with an out-of-memory; spiky, with mean + 100
/// below its peak.
///
/// Durations of less than a second in all are too little for the CPU time to count (P6): it is that of
/// the whole machine here, whatever else it does.
fn fleet() -> [Life; 3] {
    let mut spikes = vec![200; 14];
    spikes[6] = 900;
    let mut tight = vec![140; RUNS_OUT_ON + 1];
    tight.resize(14, 150);
    let lives = [
        Life::steady("steady", 1024, 200),
        Life {
            used_mb: tight,
            runs_out_on: Some(RUNS_OUT_ON),
            ..Life::steady("tight", 256, 140)
        },
        Life {
            used_mb: spikes,
            ..Life::steady("spiky", 1536, 200)
        },
    ];
    lives.map(|life| Life {
        duration_ms: 12.0,
        ..life
    })
}

struct Scene {
    kinesis: KinesisLocal,
    moto: MotoServer,
    updater: UpdaterLambda,
    folder: tempfile::TempDir,
}

impl Scene {
    async fn set() -> Self {
        let (kinesis, moto) = tokio::join!(KinesisLocal::start(), MotoServer::start());
        let (kinesis, moto) = (kinesis.unwrap(), moto.unwrap());
        kinesis.create_stream(REPORTS, 2).await.unwrap();
        kinesis.create_stream(DECISIONS, 1).await.unwrap();
        for life in fleet() {
            let size = i32::try_from(life.memory_mb).unwrap();
            moto.create_function(life.name, size, 30, &[])
                .await
                .unwrap();
        }
        let act = [("RIGHTSIZER_MODE", "auto")];
        let updater = UpdaterLambda::start(&kinesis, DECISIONS, &moto, &act)
            .await
            .unwrap();
        Self {
            kinesis,
            moto,
            updater,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn store(&self) -> std::path::PathBuf {
        self.folder.path().join("rightsizer.db")
    }

    fn log(&self) -> std::path::PathBuf {
        self.folder.path().join("serve.log")
    }

    async fn serve(&self) -> Aggregator {
        let (source, emit) = (format!("kinesis:{REPORTS}"), format!("kinesis:{DECISIONS}"));
        // One step goes the whole way: the sizes are those of P1 to P4.
        let config = self.folder.path().join("rightsizer.toml");
        let settings =
            "[policy]\nmax_step_down = 0.9\nstrategy = \"cost\"\np95_tolerance.cost = 10.0\n";
        std::fs::write(&config, settings).unwrap();
        let arguments = [
            "--clock",
            "event",
            "--source",
            &source,
            "--emit",
            &emit,
            "--inventory",
            "lambda",
            "--config",
            config.to_str().unwrap(),
        ];
        let mut environment = aws_environment("KINESIS", self.kinesis.endpoint());
        for service in ["LAMBDA", "RESOURCE_GROUPS_TAGGING_API"] {
            environment.extend(aws_environment(service, self.moto.endpoint()));
        }
        Aggregator::start(&self.store(), &arguments, &environment, Some(&self.log()))
            .await
            .unwrap()
    }

    /// The extension's environment: reports go to the Kinesis API server.
    fn options(&self) -> Options {
        let mut options = Options::to(REPORTS, self.kinesis.endpoint());
        options
            .env
            .extend(aws_environment("KINESIS", self.kinesis.endpoint()));
        options
    }

    async fn live_day(&self, n: usize, day: Day) {
        let lives = fleet();
        let days = lives.iter().map(|life| async move {
            let size = u32::try_from(self.moto.memory_mb(life.name).await?)?;
            life.live(n, day, size, self.options()).await
        });
        try_join_all(days).await.unwrap();
    }

    /// Waits until the store's review satisfies `what`.
    async fn review(&self, what: &str, done: impl Fn(&[ReviewRow]) -> bool) -> Vec<ReviewRow> {
        let until = Instant::now() + Duration::from_mins(1);
        loop {
            let rows = Reader::open(&self.store())
                .and_then(|r| r.review())
                .unwrap_or_default();
            if done(&rows) {
                return rows;
            }
            assert!(
                Instant::now() < until,
                "waited for {what}: {rows:#?}\n{}\n{}",
                std::fs::read_to_string(self.log()).unwrap_or_default(),
                self.updater.log_text()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Delivers what is on the decisions stream to the updater, until it has answered `count`.
    async fn deliver(&mut self, count: usize) {
        let (mut records, until) = (0, Instant::now() + Duration::from_mins(1));
        while records < count {
            let delivered = self.updater.deliver(&self.kinesis).await.unwrap();
            assert!(delivered.given_up.is_empty(), "{}", self.updater.log_text());
            records += delivered.records;
            assert!(
                Instant::now() < until,
                "{records} of {count} recommendations on the stream"
            );
        }
        assert_eq!(records, count, "no more were sent than that");
    }
}

fn line<'a>(rows: &'a [ReviewRow], name: &str) -> &'a ReviewRow {
    let mut found = rows
        .iter()
        .filter(|row| row.function.ends_with(&format!(":{name}")));
    found
        .next()
        .unwrap_or_else(|| panic!("{name} is not in {rows:#?}"))
}

fn seen(rows: &[ReviewRow]) -> u64 {
    rows.iter().map(|row| row.seen).sum()
}

/// What comes out, by hand:
///
/// - steady, 1024 MB: 14 daily peaks of 200. P1: mean 200 + 100 = 300. P2: ceil(1.10 × 200) = 220
///   is lower. → 300.
/// - tight, 256 MB: peaks 140 on nine days: mean 140 + 100 = 240, a decrease that waits for a full
///   window. On the tenth day it runs out: P3: max(ceil(1.2 × 256) = 308, 256 + 100 = 356) = 356,
///   at once. At the window's end: (9 × 140 + 256 + 4 × 150) / 14 = 2116 / 14 = 151.1, rounded up
///   152, + 100 = 252; P2: ceil(1.10 × 256) = 282; P3 still 356, which it has. → 356, unchanged.
/// - spiky, 1536 MB: (13 × 200 + 900) / 14 = 250, + 100 = 350, under its own peak; P2:
///   ceil(1.10 × 900) = 990. → 990.
#[tokio::test(flavor = "multi_thread")]
async fn three_functions_live_fourteen_days_and_get_the_sizes_computed_by_hand() {
    let mut scene = Scene::set().await;
    let serve = scene.serve().await;
    let first = Day::parse("2026-03-01").unwrap();
    for n in 0..14 {
        scene
            .live_day(n, first.plus(i32::try_from(n).unwrap()))
            .await;
        // 5 invocations a day of each of the three.
        let expected = 15 * (n as u64 + 1);
        scene
            .review("the day's reports", |rows| seen(rows) == expected)
            .await;
        if n == RUNS_OUT_ON {
            scene.deliver(1).await;
            assert_eq!(scene.moto.memory_mb("tight").await.unwrap(), 356);
            let rows = scene
                .review("tight applied", |r| line(r, "tight").status == "applied")
                .await;
            assert!(!line(&rows, "tight").urgent);
        }
    }
    let rows = scene.review("all decided", |rows| seen(rows) == 210).await;
    assert_eq!(
        line(&rows, "steady").status,
        "open",
        "a decrease waits for the full window"
    );

    let [steady, ..] = fleet();
    steady
        .close_day_before(first.plus(14), 1024, scene.options())
        .await
        .unwrap();
    scene.deliver(2).await;
    let rows = scene
        .review("all applied", |rows| {
            rows.iter().all(|row| row.status == "applied")
        })
        .await;
    for (name, size) in [("steady", 300), ("tight", 356), ("spiky", 990)] {
        assert_eq!(scene.moto.memory_mb(name).await.unwrap(), size, "{name}");
        let row = line(&rows, name);
        assert_eq!(
            (i64::from(row.current_mb), row.to_mb),
            (i64::from(size), None),
            "{name}"
        );
        assert_eq!((row.duplicates, row.late, row.lost), (0, 0, 0), "{name}");
    }
    assert_eq!(seen(&rows), 211, "every invocation arrived, once");
    assert!(serve.stop().await.unwrap().success());
    nothing_is_wrong_on_the_streams(&scene).await;
    the_command_line_says_so(&scene.store()).await;
}

async fn nothing_is_wrong_on_the_streams(scene: &Scene) {
    let mut applied = Vec::new();
    for record in scene.kinesis.records(DECISIONS).await.unwrap() {
        if let Record::Outcome(outcome) = record.decoded().unwrap() {
            assert_eq!(outcome.status, OutcomeStatus::Applied, "{outcome:?}");
            applied.push((outcome.function.name().to_owned(), outcome.to_mb.0));
        }
    }
    applied.sort();
    let want = [("spiky", 990), ("steady", 300), ("tight", 356)];
    assert_eq!(applied, want.map(|(name, mb)| (name.to_owned(), mb)));
}

async fn the_command_line_says_so(store: &Path) {
    let store = store.to_str().unwrap();
    let list = rightsizer(&["list", "--json", "--store", store])
        .await
        .unwrap();
    let rows: serde_json::Value = serde_json::from_slice(&list.stdout).unwrap();
    assert!(
        rows.as_array()
            .unwrap()
            .iter()
            .all(|row| row["status"] == "applied"),
        "{rows:#}"
    );
    let show = rightsizer(&["show", "spiky", "--store", store])
        .await
        .unwrap();
    let text = String::from_utf8(show.stdout).unwrap();
    assert!(
        text.split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .contains("the peak of 2026-03-07 was 900 MB, × 1.1 = 990 MB"),
        "{text}"
    );
}
