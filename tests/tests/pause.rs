//! `pause` and `resume` stop and start everything: the aggregator's sending and the updater's work
//! on what was sent before.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, Instant};

use aws_sdk_kinesis::primitives::Blob;
use rightsizer_records::{
    EnvId, Megabytes, Outcome, Recommendation, Record, Reports, decode, encode,
};
use rightsizer_tests::aggregator::{Aggregator, rightsizer_with};
use rightsizer_tests::sample;
use rightsizer_tests::servers::{
    KinesisLocal, MotoServer, UPDATER, UpdaterLambda, aws_environment,
};
use tempfile::TempDir;

const DECISIONS: &str = "decisions";

struct Scene {
    moto: MotoServer,
    folder: TempDir,
}

impl Scene {
    /// A store that knows one function, and a Lambda API that knows the updater.
    async fn set() -> Self {
        let moto = MotoServer::start().await.unwrap();
        moto.create_function(UPDATER, 128, 30, &[]).await.unwrap();
        let scene = Self {
            moto,
            folder: tempfile::tempdir().unwrap(),
        };
        let file = scene.folder.path().join("reports.json");
        std::fs::write(&file, sample::bytes(sample::reports("fn").unwrap())).unwrap();
        let done = scene.run("import", &[file.to_str().unwrap()]).await;
        assert!(done.status.success(), "{done:?}");
        scene
    }

    /// 15 days of 90 MB in 1024.
    async fn fortnight(&self, name: &str) {
        let plain = sample::reports(name).unwrap();
        let day = |n: u64| Reports {
            env: EnvId(n),
            memory_mb: Megabytes(1024),
            t0: plain.t0.plus_ms(i64::try_from(n).unwrap() * 86_400_000),
            reports: vec![plain.reports[0]; 10],
            total: 10,
            ..plain.clone()
        };
        let lines = (1..=15).map(|n| sample::bytes(day(n)));
        let file = self.folder.path().join(name);
        std::fs::write(&file, lines.collect::<Vec<_>>().join(&b'\n')).unwrap();
        let done = self.run("import", &[file.to_str().unwrap()]).await;
        assert!(done.status.success(), "{}", text_of(&done));
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("rightsizer.db")
    }

    fn updater(&self) -> String {
        self.moto.function_arn(UPDATER).unwrap().to_string()
    }

    fn environment(&self) -> Vec<(String, String)> {
        aws_environment("LAMBDA", self.moto.endpoint())
    }

    async fn run(&self, command: &str, more: &[&str]) -> Output {
        let store = self.store();
        let mut arguments = vec![command, "--store", store.to_str().unwrap()];
        arguments.extend(more);
        rightsizer_with(&arguments, &self.environment())
            .await
            .unwrap()
    }

    /// The value of the updater's tag.
    async fn tag(&self) -> Option<String> {
        let tags = self.moto.lambda().list_tags().resource(self.updater());
        let tags = tags.send().await.unwrap().tags.unwrap_or_default();
        tags.get("rightsizer:paused").cloned()
    }

    async fn serve(&self, more: &[&str]) -> Aggregator {
        let log = self.folder.path().join("serve.log");
        Aggregator::start(&self.store(), more, &self.environment(), Some(&log))
            .await
            .unwrap()
    }
}

fn text_of(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// A recommendation of the golden fixtures, made for this function and this hour.
fn recommendation(moto: &MotoServer, id: &str, name: &str) -> Recommendation {
    let fixture = include_bytes!("../../records/fixtures/recommendation.json");
    let Ok(Record::Recommendation(rec)) = decode(fixture) else {
        panic!("the fixture is not a recommendation")
    };
    let now = rightsizer_aws::clock::now();
    Recommendation {
        id: id.into(),
        function: moto.function_arn(name).unwrap(),
        from_mb: Megabytes(512),
        to_mb: Megabytes(1024),
        target_mb: Megabytes(1024),
        issued_at: now,
        expires_at: now.plus_ms(3_600_000),
        code_sha256: None,
        ..rec
    }
}

async fn put(kinesis: &KinesisLocal, rec: Recommendation) {
    let put = kinesis.client().put_record().stream_name(DECISIONS);
    let data = Blob::new(encode(&Record::Recommendation(rec)));
    put.partition_key("k").data(data).send().await.unwrap();
}

async fn outcomes(kinesis: &KinesisLocal) -> Vec<(String, String)> {
    let records = kinesis.records(DECISIONS).await.unwrap();
    let outcome = |record: Record| match record {
        Record::Outcome(Outcome {
            id, status, reason, ..
        }) => Some((id, format!("{} {reason}", status.name()))),
        _ => None,
    };
    let decoded = records.iter().map(|record| record.decoded().unwrap());
    decoded.filter_map(outcome).collect()
}

/// Sent to the server that has the store: it pauses the updater too, and what is on the stream
/// already is not applied until it is resumed.
#[tokio::test(flavor = "multi_thread")]
async fn a_pause_sent_to_the_server_stops_what_was_sent_before() {
    let (scene, kinesis) = tokio::join!(Scene::set(), KinesisLocal::start());
    let kinesis = kinesis.unwrap();
    kinesis.create_stream(DECISIONS, 1).await.unwrap();
    scene
        .moto
        .create_function("small", 512, 3, &[])
        .await
        .unwrap();
    let mut updater = UpdaterLambda::start(
        &kinesis,
        DECISIONS,
        &scene.moto,
        &[("RIGHTSIZER_MODE", "auto")],
    )
    .await
    .unwrap();
    let serve = scene.serve(&["--updater", &scene.updater()]).await;

    put(&kinesis, recommendation(&scene.moto, "before", "small")).await;
    let paused = scene
        .run("pause", &["--by", "on-call", "--why", "errors, many"])
        .await;
    assert!(paused.status.success(), "{}", text_of(&paused));
    assert!(
        text_of(&paused).contains("rightsizer-updater pauses within seconds"),
        "{}",
        text_of(&paused)
    );
    let tag = scene.tag().await.unwrap();
    assert!(
        tag.starts_with("by on-call at 2") && tag.ends_with(": errors_ many"),
        "{tag}"
    );
    updater.deliver(&kinesis).await.unwrap();
    let skipped = ("before".to_owned(), "skipped paused".to_owned());
    assert_eq!(outcomes(&kinesis).await, std::slice::from_ref(&skipped));
    assert_eq!(scene.moto.memory_mb("small").await.unwrap(), 512);

    let resumed = scene.run("resume", &["--by", "on-call"]).await;
    assert!(resumed.status.success(), "{}", text_of(&resumed));
    assert_eq!(scene.tag().await, None);
    put(&kinesis, recommendation(&scene.moto, "after", "small")).await;
    updater.deliver(&kinesis).await.unwrap();
    let applied = ("after".to_owned(), "applied ".to_owned());
    assert_eq!(outcomes(&kinesis).await, [skipped, applied]);
    assert!(serve.stop().await.unwrap().success());
}

/// Three decreases are approved, and one is allowed a day: the output shows what the others wait
/// for.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_limits_hold_back_is_shown() {
    let (scene, kinesis) = tokio::join!(Scene::set(), KinesisLocal::start());
    let kinesis = kinesis.unwrap();
    kinesis.create_stream(DECISIONS, 1).await.unwrap();
    for name in ["one", "two", "three"] {
        scene.fortnight(name).await;
        let approved = scene.run("approve", &[name, "--by", "me"]).await;
        assert!(approved.status.success(), "{}", text_of(&approved));
    }
    let config = scene.folder.path().join("rightsizer.toml");
    std::fs::write(&config, "[limits]\ndecreases_per_day = 1\n").unwrap();
    let emit = format!("kinesis:{DECISIONS}");
    let mut environment = scene.environment();
    environment.extend(aws_environment("KINESIS", kinesis.endpoint()));
    let config = config.to_str().unwrap();
    let arguments = ["--clock", "event", "--emit", &emit, "--config", config];
    let log = scene.folder.path().join("serve.log");
    let store = scene.store();
    let serve = Aggregator::start(&store, &arguments, &environment, Some(&log));
    let serve = serve.await.unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    let waits = "decreases wait: 1 were sent today (UTC), and that is the limit";
    loop {
        let list = scene.run("list", &[]).await;
        if text_of(&list).contains(waits) {
            break;
        }
        assert!(Instant::now() < until, "{}", text_of(&list));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(kinesis.records(DECISIONS).await.unwrap().len(), 1);
    let health = reqwest::get(format!("{}/healthz", serve.endpoint())).await;
    let health: serde_json::Value = health.unwrap().json().await.unwrap();
    assert!(
        waits.ends_with(health["waits"].as_str().unwrap()),
        "{health}"
    );
    assert!(serve.stop().await.unwrap().success());
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(log.contains(waits), "{log}");
}

/// No server has the store: the command does both itself, with the updater from the settings.
#[tokio::test(flavor = "multi_thread")]
async fn a_pause_without_a_server_stops_the_updater_from_here() {
    let scene = Scene::set().await;
    let config = scene.folder.path().join("rightsizer.toml");
    let named = format!("[updater]\nfunction = \"{}\"\n", scene.updater());
    std::fs::write(&config, named).unwrap();
    let config = ["--config", config.to_str().unwrap(), "--by", "me"];
    let paused = scene.run("pause", &config).await;
    assert!(paused.status.success(), "{}", text_of(&paused));
    assert!(scene.tag().await.unwrap().starts_with("by me at 2"));
    let doctor = scene.run("doctor", &["--updater", &scene.updater()]).await;
    assert!(
        text_of(&doctor).contains("is paused by its tag rightsizer:paused: by me at 2"),
        "{}",
        text_of(&doctor)
    );
    let resumed = scene.run("resume", &config).await;
    assert!(resumed.status.success(), "{}", text_of(&resumed));
    assert_eq!(scene.tag().await, None);
}

/// A failure is reported with the command to run by hand; sending is stopped anyway.
#[tokio::test(flavor = "multi_thread")]
async fn an_updater_that_cannot_be_paused_is_reported_with_the_command_that_pauses_it() {
    let scene = Scene::set().await;
    let nowhere = scene.moto.function_arn("nowhere").unwrap().to_string();
    // By the server, and without one.
    for served in [true, false] {
        let serve = if served {
            Some(scene.serve(&["--updater", &nowhere]).await)
        } else {
            None
        };
        let here: &[&str] = if served {
            &[]
        } else {
            &["--updater", &nowhere]
        };
        let paused = scene.run("pause", &[here, &["--by", "me"]].concat()).await;
        assert_eq!(paused.status.code(), Some(1), "{}", text_of(&paused));
        let line = format!(
            "aws lambda tag-resource --region eu-central-1 --resource {nowhere} --tags \
             'rightsizer:paused=by me at 2"
        );
        for wanted in ["paused: nothing is sent", "could not pause updater", &line] {
            assert!(text_of(&paused).contains(wanted), "{}", text_of(&paused));
        }
        let doctor = scene.run("doctor", &[]).await;
        assert!(
            text_of(&doctor).contains("paused by me at"),
            "{}",
            text_of(&doctor)
        );
        if let Some(serve) = serve {
            assert!(serve.stop().await.unwrap().success());
        }
    }
    // Not named at all: reported, but not a failure.
    let resumed = scene.run("resume", &["--by", "me"]).await;
    assert!(resumed.status.success());
    assert!(text_of(&resumed).contains("no updater is named"));
}

/// The server cannot be reached: the updater is paused anyway, and the command fails.
#[tokio::test(flavor = "multi_thread")]
async fn a_pause_reaches_the_updater_when_the_server_is_gone() {
    let scene = Scene::set().await;
    let gone = ["--server", "http://127.0.0.1:1/some-token", "--by", "me"];
    let updater = scene.updater();
    let paused = scene
        .run("pause", &[&gone[..], &["--updater", &updater]].concat())
        .await;
    assert_eq!(paused.status.code(), Some(1));
    assert!(
        text_of(&paused).contains("pauses within seconds"),
        "{}",
        text_of(&paused)
    );
    assert!(scene.tag().await.is_some());
    // Only what is resumed continues.
    let resumed = scene
        .run("resume", &[&gone[..], &["--updater", &updater]].concat())
        .await;
    assert_eq!(resumed.status.code(), Some(1));
    assert!(scene.tag().await.is_some());
}
