//! `rightsizer serve` as a process: its embedded stream spoken to by the AWS SDK, its store under
//! kill -9, its refusals.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod put_records;

use std::path::{Path, PathBuf};

use put_records::{client, put};
use rightsizer_records::{Megabytes, ReportRow, Reports};
use rightsizer_store::{Reader, ReviewRow};
use rightsizer_tests::aggregator::{Aggregator, rightsizer};
use rightsizer_tests::sample;
use tempfile::TempDir;

fn store(folder: &TempDir) -> PathBuf {
    folder.path().join("rightsizer.db")
}

async fn serve(folder: &TempDir, more: &[&str]) -> Aggregator {
    let log = folder.path().join("serve.log");
    let arguments = [&["--clock", "event"], more].concat();
    Aggregator::start(&store(folder), &arguments, &[], Some(&log))
        .await
        .unwrap()
}

/// Record `seq` of one environment: one invocation at the `seq`-th minute of 2026-03-01.
fn record(seq: u64, used: u32) -> Vec<u8> {
    let reports = sample::reports("fn").unwrap();
    let t0 = reports.t0.plus_ms(i64::try_from(seq).unwrap() * 60_000);
    let row = ReportRow {
        max_used_mb: Some(Megabytes(used)),
        ..reports.reports[0]
    };
    sample::bytes(Reports {
        seq,
        total: seq + 1,
        t0,
        reports: vec![row],
        ..reports
    })
}

fn line(store: &Path) -> ReviewRow {
    Reader::open(store).unwrap().review().unwrap().remove(0)
}

#[tokio::test]
async fn put_records_is_answered_when_it_is_stored_and_poison_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let serve = serve(&folder, &[]).await;
    let kinesis = client(serve.endpoint());
    let poison = b"\x00\xff not a record".to_vec();
    let answer = put(&kinesis, vec![record(0, 90), poison, record(1, 95)])
        .await
        .unwrap();
    assert_eq!(
        (answer.failed_record_count(), answer.records().len()),
        (Some(0), 3)
    );
    let row = line(&store(&folder));
    assert_eq!((row.seen, row.peak_mb), (2, Some(95)));
    let again = put(&kinesis, vec![record(1, 95)]).await.unwrap();
    assert_ne!(
        again.records()[0].sequence_number(),
        answer.records()[2].sequence_number()
    );
    assert_eq!(
        (line(&store(&folder)).seen, line(&store(&folder)).duplicates),
        (2, 1)
    );
    assert!(serve.stop().await.unwrap().success());
}

/// What was answered is there after kill -9, and what was not answered may be sent again.
#[tokio::test]
async fn w8_acknowledged_evidence_survives_kill_minus_nine() {
    let folder = tempfile::tempdir().unwrap();
    let mut sent = 0;
    for _ in 0..5 {
        let serve = serve(&folder, &[]).await;
        let kinesis = client(serve.endpoint());
        for _ in 0..4 {
            put(&kinesis, vec![record(sent, 90)]).await.unwrap();
            sent += 1;
        }
        serve.kill().await.unwrap();
        assert_eq!(line(&store(&folder)).seen, sent);
    }
    let serve = serve(&folder, &[]).await;
    let everything = (0..sent).map(|seq| record(seq, 90)).collect();
    put(&client(serve.endpoint()), everything).await.unwrap();
    let row = line(&store(&folder));
    assert_eq!((row.seen, row.duplicates, row.lost), (20, 20, 0));
}

#[tokio::test]
async fn a_token_is_needed_if_one_is_set() {
    let folder = tempfile::tempdir().unwrap();
    let serve = serve(&folder, &["--token", "s3cret-words"]).await;
    let without = put(&client(serve.endpoint()), vec![record(0, 90)])
        .await
        .unwrap_err();
    assert!(without.to_string().contains("AccessDenied"), "{without}");
    let wrong = format!("{}/guess", serve.endpoint());
    assert!(put(&client(&wrong), vec![record(0, 90)]).await.is_err());
    let right = format!("{}/s3cret-words", serve.endpoint());
    put(&client(&right), vec![record(0, 90)]).await.unwrap();
    assert_eq!(line(&store(&folder)).seen, 1);
}

#[tokio::test]
async fn functions_outside_the_accepted_places_are_quarantined() {
    let folder = tempfile::tempdir().unwrap();
    let serve = serve(&folder, &["--accept", "123456789012/eu-west-1"]).await;
    put(&client(serve.endpoint()), vec![record(0, 90)])
        .await
        .unwrap();
    assert!(
        Reader::open(&store(&folder))
            .unwrap()
            .review()
            .unwrap()
            .is_empty()
    );
    let metrics = format!("{}/metrics", serve.endpoint());
    let metrics = reqwest::get(metrics).await.unwrap().text().await.unwrap();
    assert!(
        metrics.contains("rightsizer_quarantined_total 1"),
        "{metrics}"
    );
}

/// With Flink a report is for its job: nothing here would decide on it, so it is not taken.
#[tokio::test]
async fn with_flink_the_port_takes_no_reports_and_names_the_source() {
    let folder = tempfile::tempdir().unwrap();
    let flink = ["--engine", "flink", "--review-token", "review-words"];
    let serve = serve(&folder, &flink).await;
    let error = put(&client(serve.endpoint()), vec![record(0, 90)]).await;
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("proposals go to the stream \"proposals\""),
        "{error}"
    );
    assert!(
        error.contains("the stream \"reports\" is not taken here"),
        "{error}"
    );
    let log = std::fs::read_to_string(folder.path().join("serve.log")).unwrap();
    assert!(log.contains("add --source kinesis:PROPOSALS"), "{log}");
}

#[tokio::test]
async fn a_store_in_use_is_refused_with_its_holder_and_stays_readable() {
    let folder = tempfile::tempdir().unwrap();
    let serve = serve(&folder, &[]).await;
    put(&client(serve.endpoint()), vec![record(0, 90)])
        .await
        .unwrap();
    let path = store(&folder);
    let path = path.to_str().unwrap();
    let file = folder.path().join("lines.txt");
    std::fs::write(&file, "").unwrap();
    let import = ["import", file.to_str().unwrap(), "--store", path];
    for command in [
        &import[..],
        &["serve", "--listen", "127.0.0.1:0", "--store", path],
    ] {
        let output = rightsizer(command).await.unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(
            error.contains("in use by rightsizer serve on 127.0.0.1:"),
            "{error}"
        );
        assert!(output.stdout.is_empty(), "it never listened");
    }
    let list = rightsizer(&["list", "--store", path]).await.unwrap();
    assert!(list.status.success());
    assert!(serve.stop().await.unwrap().success());
}

/// A client that sends half a request and then nothing does not keep the server from stopping.
#[tokio::test]
async fn a_stalled_client_does_not_hold_up_a_stop() {
    use tokio::io::AsyncWriteExt;
    let folder = tempfile::tempdir().unwrap();
    let serve = serve(&folder, &[]).await;
    let address = serve.endpoint().strip_prefix("http://").unwrap();
    let mut stalled = tokio::net::TcpStream::connect(address).await.unwrap();
    let half = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf";
    stalled.write_all(half).await.unwrap();
    put(&client(serve.endpoint()), vec![record(0, 90)])
        .await
        .unwrap();
    assert!(serve.stop().await.unwrap().success());
    assert_eq!(line(&store(&folder)).seen, 1);
}

/// `rightsizer approve` finds the server that has the store by itself.
#[tokio::test]
async fn a_command_reaches_the_server_that_has_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let serve = serve(&folder, &[]).await;
    put(&client(serve.endpoint()), vec![record(0, 90)])
        .await
        .unwrap();
    let path = store(&folder);
    let path = path.to_str().unwrap();
    let by = [
        "--by",
        "on-call",
        "--why",
        "known batch job",
        "--store",
        path,
    ];
    let output = rightsizer(&[&["approve", "fn"], &by[..]].concat())
        .await
        .unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.starts_with("approved: arn:aws:lambda:"), "{out}");
    assert_eq!(line(&store(&folder)).status, "approved");
    let again = rightsizer(&[&["approve", "fn"], &by[..]].concat())
        .await
        .unwrap();
    assert_eq!(again.status.code(), Some(1));
    let error = String::from_utf8(again.stderr).unwrap();
    assert!(
        error.contains("has no open recommendation (its last one is approved)"),
        "{error}"
    );
    assert!(serve.stop().await.unwrap().success());
    // Without a server the store is opened here.
    let output = rightsizer(&[&["pause"], &by[..]].concat()).await.unwrap();
    assert!(output.status.success(), "{output:?}");
}
