//! If the machine clock is wrong while AWS responds, the time of AWS counts, and the fault is reported.

use std::time::SystemTime;

use rightsizer_records::Timestamp;
use rightsizer_tests::aggregator::Aggregator;
use rightsizer_tests::emulator::{Clock, Monotonic};
use rightsizer_tests::scene::or_not_played;
use rightsizer_tests::servers::aws_environment;

use crate::stage::{STREAM, Scene, health, until};

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_aws_replaces_a_wrong_clock() {
    let mut scene = Scene::set(1).await;
    scene.put(5).await;
    let Some(clock) = or_not_played(Clock::new(Monotonic::StandsStill)).unwrap() else {
        return;
    };
    clock.set_ahead(70 * 86_400).unwrap();
    let source = format!("kinesis:{STREAM}");
    let mut environment = aws_environment("KINESIS", scene.faults.endpoint());
    environment.extend(clock.variables());
    let log = scene.folder.path().join("serve.log");
    let arguments = ["--source", source.as_str()];
    let serve = Aggregator::start(&scene.store(), &arguments, &environment, Some(&log))
        .await
        .unwrap();
    scene.all_arrived().await;
    let doubt = async || {
        let health = health(&serve).await;
        health["clock"].as_str().map(str::to_owned)
    };
    until("the clock is reported", &scene, async || {
        doubt().await.is_some()
    })
    .await;
    let words = doubt().await.unwrap();
    assert!(words.contains("but AWS's time is"), "{words}");
    // Data that is committed now has the time of AWS, seventy days before this machine's clock.
    let health = health(&serve).await;
    let committed = health["last_commit"].as_str().unwrap();
    let committed = Timestamp::parse(committed).unwrap();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = i64::try_from(now.unwrap().as_millis()).unwrap();
    assert!((now - committed.as_ms()).abs() < 86_400_000, "{health}");

    clock.set_ahead(0).unwrap();
    until("the clock is right again", &scene, async || {
        doubt().await.is_none()
    })
    .await;
}
