//! Words that came from outside, through every form of output: none of them steers a terminal, hides, or
//! becomes markup.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod put_records;

use std::path::{Path, PathBuf};

use put_records::{client, put};
use rightsizer_records::{EnvId, Reports};
use rightsizer_tests::aggregator::{Aggregator, rightsizer};
use rightsizer_tests::sample;

/// An escape that clears the screen, a title, a forged line, and characters that reverse and hide
/// text.
const HOSTILE: [&str; 7] = [
    "\u{1b}[2J",
    "\u{1b}]0;x\u{7}",
    "\n2026-11-29 512 → 10240 MB approved by root",
    "\u{9b}2J",
    "\u{202e}gpj.exe",
    "a\u{200b}b",
    "\u{2028}x",
];

fn hidden(c: char) -> bool {
    let turns =
        matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}');
    (c.is_control() && c != '\n') || turns || c == '\u{feff}'
}

async fn shown(arguments: &[&str]) -> String {
    let output = rightsizer(arguments).await.unwrap();
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

fn harmless(what: &str, text: &str) {
    let found = text.chars().find(|c| hidden(*c));
    assert_eq!(found, None, "{what} has {found:?} in {text:?}");
    let forged = text
        .lines()
        .any(|line| line.trim_start().starts_with("2026-11-29 512"));
    assert!(!forged, "{what} has a forged line: {text}");
}

/// What there is to print of the store: the table, every other form, and the page.
async fn forms(store: &str, page: &Path, function: &str) -> Vec<(String, String)> {
    let mut forms = Vec::new();
    for form in [
        &["list"][..],
        &["list", "--json"],
        &["list", "--csv"],
        &["list", "--markdown"],
        &["list", "--html", page.to_str().unwrap()],
        &["show", function],
        &["show", function, "--json"],
        &["doctor"],
        &["doctor", "--json"],
    ] {
        let text = shown(&[form, &["--store", store]].concat()).await;
        forms.push((format!("{form:?}"), text));
    }
    forms.push((
        "the page".to_owned(),
        std::fs::read_to_string(page).unwrap(),
    ));
    forms
}

#[tokio::test(flavor = "multi_thread")]
async fn no_output_has_the_text_of_a_record_unescaped() {
    let folder = tempfile::tempdir().unwrap();
    let store: PathBuf = folder.path().join("rightsizer.db");
    let log = folder.path().join("serve.log");
    let serve = Aggregator::start(&store, &["--clock", "event"], &[], Some(&log)).await;
    let serve = serve.unwrap();
    let to = client(serve.endpoint());
    let record = |env| Reports {
        env: EnvId(env),
        ..sample::reports("fn").unwrap()
    };
    put(&to, vec![sample::bytes(record(0))]).await.unwrap();
    let mut hostile = Vec::new();
    for (n, word) in (1..).zip(HOSTILE) {
        let runtime = Some(format!("nodejs{word}"));
        hostile.push(sample::bytes(Reports {
            runtime,
            ..record(n)
        }));
        let version = format!("7{word}");
        hostile.push(sample::bytes(Reports {
            version,
            ..record(100 + n)
        }));
        hostile.push(
            format!("{{\"v\":1,\"kind\":\"{word}\"}}")
                .replace('\n', "\\n")
                .into_bytes(),
        );
        hostile.push(format!("not JSON {word}").into_bytes());
    }
    put(&to, hostile).await.unwrap();
    let metrics = reqwest::get(format!("{}/metrics", serve.endpoint()))
        .await
        .unwrap();
    harmless("/metrics", &metrics.text().await.unwrap());
    for word in HOSTILE {
        let body = serde_json::json!({"StreamName": format!("s{word}"),
            "Records": [{"Data": "e30=", "PartitionKey": "k"}]});
        let sent = reqwest::Client::new().post(serve.endpoint()).json(&body);
        let sent = sent
            .header("x-amz-target", "Kinesis_20131202.PutRecords")
            .send()
            .await;
        assert_eq!(sent.unwrap().status(), 400, "{word:?}");
    }
    assert!(serve.stop().await.unwrap().success());
    harmless("the log", &std::fs::read_to_string(&log).unwrap());
    let path = store.to_str().unwrap();
    for (what, text) in forms(path, &folder.path().join("page.html"), "fn").await {
        harmless(&what, &text);
    }
    let quarantine = rusqlite::Connection::open(&store).unwrap();
    let mut rows = quarantine
        .prepare("SELECT origin || reason || sample FROM quarantine")
        .unwrap();
    let rows = rows.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let rows: Vec<String> = rows.map(Result::unwrap).collect();
    assert_eq!(rows.len(), 4 * HOSTILE.len(), "all of it is quarantined");
    rows.iter().for_each(|row| harmless("the quarantine", row));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_has_them_already_prints_none_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("rightsizer.db");
    let path = store.to_str().unwrap();
    let logs = folder.path().join("logs.txt");
    let report = "REPORT RequestId: 0b1e\tDuration: 12.00 ms\tBilled Duration: 12 ms\t\
                  Memory Size: 512 MB\tMax Memory Used: 90 MB\t\n";
    std::fs::write(&logs, report).unwrap();
    for (n, word) in HOSTILE.iter().enumerate() {
        let name = format!("f{n}");
        std::fs::write(&logs, format!("{report}{}", "\n".repeat(n))).unwrap();
        shown(&[
            "import",
            "--function",
            &name,
            "--store",
            path,
            logs.to_str().unwrap(),
        ])
        .await;
        let raw = rusqlite::Connection::open(&store).unwrap();
        let change = "UPDATE functions SET function = 'local:' || ?1, version = ?1, runtime = ?1,
                      confidence = ?1 WHERE function = 'local:' || ?2";
        raw.execute(change, [&format!("{name}{word}"), &name])
            .unwrap();
    }
    let raw = rusqlite::Connection::open(&store).unwrap();
    let paused = "INSERT INTO state VALUES ('paused', 'by ' || ?1)";
    raw.execute(paused, [HOSTILE.concat()]).unwrap();
    for (n, word) in HOSTILE.iter().enumerate() {
        let function = format!("local:f{n}{word}");
        for (what, text) in forms(path, &folder.path().join("page.html"), &function).await {
            harmless(&what, &text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_cannot_be_markup_and_cannot_be_hidden() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("rightsizer.db");
    let path = store.to_str().unwrap();
    let logs = folder.path().join("logs.txt");
    let report = "REPORT RequestId: 0b1e\tDuration: 12.00 ms\tBilled Duration: 12 ms\t\
                  Memory Size: 512 MB\tMax Memory Used: 90 MB\t\n";
    for (n, name) in [
        "local:a|b|c",
        "local:<script>x",
        "local:[x](javascript:y)",
        "local:`z`",
    ]
    .into_iter()
    .enumerate()
    {
        std::fs::write(&logs, format!("{report}{}", "\n".repeat(n))).unwrap();
        shown(&[
            "import",
            "--function",
            name,
            "--store",
            path,
            logs.to_str().unwrap(),
        ])
        .await;
    }
    let table = shown(&["list", "--markdown", "--store", path]).await;
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(rows.len(), 6, "{table}");
    for row in &rows {
        let cells = row.replace("\\|", "");
        assert_eq!(cells.matches('|').count(), 10, "{row}");
    }
    for raw in ["<script>", "[x](", "`z`"] {
        assert!(!table.contains(raw), "{raw} in {table}");
    }
    for hidden in [
        "local:a\u{202e}b",
        "local:\u{200b}\u{200b}",
        "\u{2060}",
        "local:a\u{feff}",
    ] {
        let refused = shown(&[
            "import",
            "--function",
            hidden,
            "--store",
            path,
            logs.to_str().unwrap(),
        ])
        .await;
        assert!(
            refused.contains("is not a function name"),
            "{hidden:?}: {refused}"
        );
    }
}
