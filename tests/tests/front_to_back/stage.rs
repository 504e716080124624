//! The parts, and how days are lived between them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use rightsizer_records::Day;
use rightsizer_store::{Reader, ReviewRow};
use rightsizer_tests::aggregator::Aggregator;
use rightsizer_tests::emulator::Options;
use rightsizer_tests::fleet::Life;
use rightsizer_tests::servers::{KinesisLocal, MotoServer, UpdaterLambda, aws_environment};

pub(crate) const REPORTS: &str = "reports";
pub(crate) const DECISIONS: &str = "decisions";

pub(crate) struct Scene {
    pub(crate) kinesis: KinesisLocal,
    pub(crate) moto: MotoServer,
    pub(crate) updater: UpdaterLambda,
    lives: Vec<Life>,
    folder: tempfile::TempDir,
}

impl Scene {
    /// All parts, and the functions of these lives.
    pub(crate) async fn set(lives: Vec<Life>) -> Self {
        let (kinesis, moto) = tokio::join!(KinesisLocal::start(), MotoServer::start());
        let (kinesis, moto) = (kinesis.unwrap(), moto.unwrap());
        kinesis.create_stream(REPORTS, 2).await.unwrap();
        kinesis.create_stream(DECISIONS, 1).await.unwrap();
        for life in &lives {
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
            lives,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("rightsizer.db")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("serve.log")
    }

    pub(crate) async fn serve(&self) -> Aggregator {
        let (source, emit) = (format!("kinesis:{REPORTS}"), format!("kinesis:{DECISIONS}"));
        // One step goes the whole way: the sizes are those of P1 to P4.
        let config = self.folder.path().join("rightsizer.toml");
        let settings = "[policy]\nmax_step_down = 0.9\np95_tolerance.balanced = 10.0\n";
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
        for service in ["LAMBDA", "RESOURCE_GROUPS_TAGGING_API", "CLOUDWATCH"] {
            environment.extend(aws_environment(service, self.moto.endpoint()));
        }
        Aggregator::start(&self.store(), &arguments, &environment, Some(&self.log()))
            .await
            .unwrap()
    }

    /// The extension's environment: reports go to the Kinesis API server.
    pub(crate) fn options(&self) -> Options {
        let mut options = Options::to(REPORTS, self.kinesis.endpoint());
        options
            .env
            .extend(aws_environment("KINESIS", self.kinesis.endpoint()));
        options
    }

    /// Every function runs day `n`, which is `day`, at the size in the Lambda API.
    pub(crate) async fn live_day(&self, n: usize, day: Day) {
        let days = self.lives.iter().map(|life| async move {
            let size = u32::try_from(self.moto.memory_mb(life.name).await?)?;
            life.live(n, day, size, self.options()).await
        });
        try_join_all(days).await.unwrap();
    }

    /// Waits until the store's review satisfies `what`.
    pub(crate) async fn review(
        &self,
        what: &str,
        done: impl Fn(&[ReviewRow]) -> bool,
    ) -> Vec<ReviewRow> {
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
    pub(crate) async fn deliver(&mut self, count: usize) {
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

/// The line of a function.
pub(crate) fn line<'a>(rows: &'a [ReviewRow], name: &str) -> &'a ReviewRow {
    let mut found = rows
        .iter()
        .filter(|row| row.function.ends_with(&format!(":{name}")));
    found
        .next()
        .unwrap_or_else(|| panic!("{name} is not in {rows:#?}"))
}

/// Reports that arrived.
pub(crate) fn seen(rows: &[ReviewRow]) -> u64 {
    rows.iter().map(|row| row.seen).sum()
}
