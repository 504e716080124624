//! Runs `browser/page.js`, which drives Chromium, and reads what it found.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// The folder for screenshots, beside other output of a build.
pub(crate) fn pictures() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
        PathBuf::from,
    );
    target.join("page")
}

/// Runs a script of the folder `browser` with this standard input; returns how it ended, and its output.
pub(crate) async fn script(name: &str, input: &str) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("browser")
        .join(name);
    let mut node = Command::new("node")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
        .expect("node runs: `make tools`");
    let mut stdin = node.stdin.take().expect("standard input is piped");
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    node.wait_with_output().await.unwrap()
}

/// Runs one part of the script against `address`; returns its findings. A part that found anything wrong has failed.
pub(crate) async fn drive(part: &str, address: &str, more: Value) -> Vec<String> {
    let input = json!({ "part": part, "address": address, "pictures": pictures(), "more": more });
    let done = script("page.js", &input.to_string()).await;
    let text = String::from_utf8(done.stdout).unwrap();
    assert!(
        done.status.success(),
        "the browser's script ended with {}: {text}",
        done.status
    );
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let wrong: Vec<&String> = lines
        .iter()
        .filter(|line| line.starts_with("wrong: "))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    lines
}
