//! The sizes: three functions live 14 days.

use std::collections::HashSet;
use std::path::Path;

use rightsizer_records::{Day, OutcomeStatus, Record};
use rightsizer_tests::aggregator::rightsizer;
use rightsizer_tests::fleet::Life;

use crate::stage::{DECISIONS, REPORTS, Scene, line, seen};

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
    let mut scene = Scene::set(fleet().to_vec()).await;
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
            // The updater is a function too, without reports.
            let mut heard_of = rows.iter().filter(|row| row.status != "no-reports");
            heard_of.all(|row| row.status == "applied")
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
        assert_eq!((row.late, row.lost), (0, 0), "{name}");
        let sent_again = sent_again(&scene, name).await;
        assert_eq!(row.duplicates, sent_again, "{name}");
    }
    assert_eq!(seen(&rows), 211, "every invocation arrived, once");
    assert!(serve.stop().await.unwrap().success());
    nothing_is_wrong_on_the_streams(&scene).await;
    the_command_line_shows_it(&scene.store()).await;
}

/// Reports of a function that are on the stream more than once. Delivery is at least once: on a busy machine the
/// stream may answer later than the extension waits, and the extension sends the record again.
async fn sent_again(scene: &Scene, name: &str) -> u64 {
    let mut known = HashSet::new();
    let mut again = 0;
    for record in scene.kinesis.records(REPORTS).await.unwrap() {
        if let Record::Reports(reports) = record.decoded().unwrap()
            && reports.function.name() == name
            && !known.insert((reports.env, reports.seq))
        {
            again += reports.reports.len() as u64;
        }
    }
    again
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

async fn the_command_line_shows_it(store: &Path) {
    let store = store.to_str().unwrap();
    let list = rightsizer(&["list", "--json", "--store", store])
        .await
        .unwrap();
    let rows: serde_json::Value = serde_json::from_slice(&list.stdout).unwrap();
    assert!(
        rows.as_array()
            .unwrap()
            .iter()
            .all(|row| row["status"] == "applied" || row["status"] == "no-reports"),
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
            .contains("the peak of 2026-03-07 was 900 MB; × 1.1 = 990 MB"),
        "{text}"
    );
}
