//! Readers that are slow, late or faulty, and clients of the review API that come again.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use rightsizer_records::{EnvId, Reports};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::browser::drive;
use crate::scene::{HOSTILE, Scene, TOKEN, today};
use crate::visitor::{Visitor, client, header};

/// Puts a record of an environment of its own.
async fn put(address: &str, n: u64) {
    let record = rightsizer_tests::sample::reports("burst").unwrap();
    let data = rightsizer_tests::sample::bytes(Reports {
        env: EnvId(900_000 + n),
        t0: today().start().plus_ms(1000),
        ..record
    });
    let data = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, data);
    let body =
        json!({ "StreamName": "reports", "Records": [{ "Data": data, "PartitionKey": "k" }] });
    let request = client()
        .post(address)
        .header("x-amz-target", "Kinesis_20131202.PutRecords")
        .header("content-type", "application/x-amz-json-1.1")
        .body(body.to_string());
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
}

/// Two tabs, a function that is deleted while it is looked at, and a form of an earlier sign-in.
#[tokio::test(flavor = "multi_thread")]
async fn what_changed_since_a_page_was_loaded_is_refused_in_words() {
    let scene = Scene::start().await;
    let names = scene.waiting(3);
    let more = json!({ "token": TOKEN, "functions": names });
    let printed = drive("tabs", scene.server.endpoint(), more).await;
    assert!(printed.iter().any(|line| line == "done"), "{printed:#?}");
    let status = |function: &str| {
        scene.asked(&format!(
            "SELECT r.status FROM recommendations r JOIN functions f ON f.id = r.function_id
             WHERE f.function = '{function}' ORDER BY r.issued_ms DESC LIMIT 1"
        ))
    };
    assert_eq!(status(&names[0]).as_deref(), Some("approved"));
    assert_eq!(status(&names[1]), None, "forgotten");
    assert_eq!(
        status(&names[2]).as_deref(),
        Some("open"),
        "of an earlier sign-in"
    );
    scene.server.stop().await.unwrap();
}

/// How long anything may take before it counts as never.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sixty-four readers that never read take the places of event streams and nothing else, leave them when they go, and do not
/// hold up a stop.
#[tokio::test(flavor = "multi_thread")]
async fn readers_that_stall_hold_up_neither_pages_nor_evidence_nor_a_stop() {
    let scene = Scene::start().await;
    let address = scene.server.endpoint().to_owned();
    let visitor = Visitor::sign_in(&address).await;
    let host = address.trim_start_matches("http://").to_owned();
    let ask = format!(
        "GET /ui/events HTTP/1.1\r\nHost: {host}\r\nCookie: {}\r\n\r\n",
        visitor.cookie
    );
    let fill = async || {
        let mut stalled = Vec::new();
        let until = Instant::now() + PATIENCE;
        while visitor.status("/ui/events").await != StatusCode::SERVICE_UNAVAILABLE {
            let streams = stalled.len();
            assert!(Instant::now() < until, "{streams} streams and no end");
            let mut reader = TcpStream::connect(&host).await.unwrap();
            reader.write_all(ask.as_bytes()).await.unwrap();
            stalled.push(reader);
        }
        stalled
    };
    let stalled = fill().await;
    let streams = stalled.len();
    assert!(streams >= 60, "{streams} readers took all places");
    for n in 0..5 {
        put(&address, n).await;
    }
    let page = tokio::time::timeout(PATIENCE, visitor.status("")).await;
    assert_eq!(page.unwrap(), StatusCode::OK);
    drop(stalled);
    let until = Instant::now() + PATIENCE;
    while visitor.status("/ui/events").await != StatusCode::OK {
        assert!(Instant::now() < until, "the places stay taken");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let stalled = fill().await;
    assert!(scene.server.stop().await.unwrap().success());
    drop(stalled);
}

/// A session ends with the process: a form that was open meanwhile changes nothing, and leads to the sign-in form.
#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_a_session_that_ended_decides_nothing() {
    let scene = Scene::start().await;
    let address = scene.server.endpoint();
    let mut visitor = Visitor::sign_in(address).await;
    let decide = async |visitor: &Visitor, form: String| {
        let form = visitor.post("/ui/decide", form);
        form.header("origin", address).send().await.unwrap()
    };
    let open = visitor.cookie.clone();
    visitor.cookie.push('0');
    let pause = format!("action=pause&csrf={}", visitor.csrf);
    let answer = decide(&visitor, pause).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let text = answer.text().await.unwrap();
    assert!(
        text.contains("Sign in again; nothing was decided.")
            && text.contains("action=\"/ui/sign-in\""),
        "{text}"
    );
    assert_eq!(
        scene.asked("SELECT value FROM state WHERE key = 'paused'"),
        None
    );

    // A name from outside is text in the refusal too.
    visitor.cookie = open;
    let hostile = format!("{HOSTILE}2");
    let fields = [
        ("action", "hold"),
        ("function", hostile.as_str()),
        ("csrf", visitor.csrf.as_str()),
    ];
    let form = reqwest::Url::parse_with_params(address, fields).unwrap();
    let answer = decide(&visitor, form.query().unwrap().to_owned()).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let page = visitor.page(&header(&answer, "location")).await;
    assert!(
        page.contains("no function or recommendation") && page.contains("&lt;script&gt;"),
        "{page}"
    );
    assert!(!page.contains("<script>document"), "{page}");
    scene.server.stop().await.unwrap();
}

/// Pages of ten are all functions once, in the order of their names; a page that did not change is not sent again.
#[tokio::test(flavor = "multi_thread")]
async fn the_review_api_has_pages_with_tags() {
    let scene = Scene::start().await;
    let (client, review) = (
        client(),
        format!("{}/{TOKEN}/review", scene.server.endpoint()),
    );
    let whole: Vec<Value> = client
        .get(&review)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let name = |row: &Value| row["function"].as_str().unwrap().to_owned();
    let mut all: Vec<String> = whole.iter().map(name).collect();
    all.sort();
    let (mut paged, mut next, mut pages) = (Vec::new(), Some("?limit=10".to_owned()), 0);
    while let Some(at) = next {
        let answer = client.get(format!("{review}{at}")).send().await.unwrap();
        let link = header(&answer, "link");
        next = link
            .split_once('<')
            .and_then(|(_, rest)| Some(rest.split_once('>')?.0.to_owned()));
        let rows: Vec<Value> = answer.json().await.unwrap();
        paged.extend(rows.iter().map(name));
        pages += 1;
    }
    assert_eq!(paged, all);
    assert_eq!(pages, all.len().div_ceil(10), "{} functions", all.len());

    let first = format!("{review}?limit=10");
    let tag = header(&client.get(&first).send().await.unwrap(), "etag");
    let again = async |tag: &str| {
        let answer = client
            .get(&first)
            .header("if-none-match", tag)
            .send()
            .await
            .unwrap();
        (answer.status(), answer.bytes().await.unwrap().len())
    };
    assert_eq!(again(&tag).await, (StatusCode::NOT_MODIFIED, 0));
    assert_eq!(
        again(&format!("\"other\", {tag}")).await.0,
        StatusCode::NOT_MODIFIED
    );
    assert_eq!(again("\"other\"").await.0, StatusCode::OK);
    let hold = json!({ "action": "hold", "what": all[0], "days": 3, "by": "Ada" });
    let held = client.post(&review).json(&hold).send().await.unwrap();
    assert_eq!(held.status(), StatusCode::OK);
    assert_eq!(
        again(&tag).await.0,
        StatusCode::OK,
        "the first row has changed"
    );
    scene.server.stop().await.unwrap();
}
