//! Each action, from the click to what leaves for the functions on a real stream.

use rightsizer_records::{Mode, Recommendation, Record};
use rightsizer_tests::servers::{KinesisLocal, aws_environment};
use serde_json::json;

use crate::browser::drive;
use crate::scene::{Scene, TOKEN, make, today};

const DECISIONS: &str = "decisions";

/// What is on the stream, in its order.
async fn sent(kinesis: &KinesisLocal) -> Vec<Recommendation> {
    let records = kinesis.records(DECISIONS).await.unwrap();
    let decoded = records.iter().map(|record| record.decoded().unwrap());
    let sent = decoded.filter_map(|record| match record {
        Record::Recommendation(sent) => Some(sent),
        _ => None,
    });
    sent.collect()
}

/// A server that sends what is approved to the stream, at once and without limits.
async fn sending(kinesis: &KinesisLocal) -> Scene {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path()).await;
    let config = folder.path().join("rightsizer.toml");
    std::fs::write(&config, "[limits]\nunverified_percent = 100\n").unwrap();
    let config = config.to_str().unwrap().to_owned();
    let emit = format!("kinesis:{DECISIONS}");
    let environment = aws_environment("KINESIS", kinesis.endpoint());
    let options = ["--emit", &emit, "--config", &config];
    Scene::of(folder, &options, &environment).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_action_is_on_the_stream_or_keeps_a_change_from_it() {
    let kinesis = KinesisLocal::start().await.unwrap();
    kinesis.create_stream(DECISIONS, 1).await.unwrap();
    let scene = sending(&kinesis).await;
    let names = scene.waiting(5);
    let [direct, held, later, kept, refused] = [0, 1, 2, 3, 4].map(|n| names[n].as_str());
    let ran_out = "SELECT function FROM functions WHERE function LIKE '%:search-webhook'";
    let ran_out = scene.asked(ran_out).unwrap();
    let more = json!({ "token": TOKEN, "functions": names, "ranOut": ran_out });
    let printed = drive("stream", scene.server.endpoint(), more).await;
    assert!(printed.iter().any(|line| line == "done"), "{printed:#?}");

    let sent = sent(&kinesis).await;
    let approved: Vec<&Recommendation> = sent
        .iter()
        .filter(|sent| sent.mode == Mode::Approved)
        .collect();
    let of: Vec<&str> = approved.iter().map(|sent| sent.function.as_str()).collect();
    assert_eq!(
        of,
        [direct, held, later],
        "in the order in which they became free"
    );
    for one in &approved {
        assert_eq!(one.by.as_deref(), Some("Ada"));
        let row = format!(
            "SELECT status || ' by ' || reviewed_by FROM recommendations WHERE id = '{}'",
            one.id
        );
        assert_eq!(scene.asked(&row).as_deref(), Some("sent by Ada"));
    }
    for absent in [kept, refused] {
        assert!(
            sent.iter().all(|sent| sent.function.as_str() != absent),
            "{absent}"
        );
    }
    let status = |function: &str| {
        scene.asked(&format!(
            "SELECT r.status FROM recommendations r JOIN functions f ON f.id = r.function_id
             WHERE f.function = '{function}' ORDER BY r.issued_ms DESC LIMIT 1"
        ))
    };
    assert_eq!(status(kept).as_deref(), Some("open"));
    assert_eq!(status(refused).as_deref(), Some("rejected"));

    // Cleared through today, and not sent to any size by that.
    let cleared =
        format!("SELECT CAST(cleared_day AS TEXT) FROM functions WHERE function = '{ran_out}'");
    assert_eq!(scene.asked(&cleared), Some(today().number().to_string()));
    let of_it: Vec<&Recommendation> = sent
        .iter()
        .filter(|sent| sent.function.as_str() == ran_out)
        .collect();
    assert!(
        of_it
            .iter()
            .all(|sent| sent.urgent && sent.to_mb > sent.from_mb),
        "{of_it:#?}"
    );
    assert!(scene.server.stop().await.unwrap().success());
}
