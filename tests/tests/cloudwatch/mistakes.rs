//! A mistake or an interruption is reported once, and costs nothing.

use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rightsizer_tests::aggregator::binary;
use tokio::process::Command;

use crate::stage::{Group, Invocation, Stage, ago, stream};

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A machine without any keys, and with a profile that is not there.
#[tokio::test(flavor = "multi_thread")]
async fn without_credentials_nothing_is_asked_and_no_store_is_made() {
    let stage = Stage::open().await;
    let store = stage.store("none");
    for more in [&[][..], &["--profile", "nope"]] {
        let mut command = Command::new(binary().unwrap());
        command.args(["import", "cloudwatch", "--region", "eu-west-1", "--store"]);
        command.arg(&store).args(more).env_clear();
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        command.env("HOME", "/nonexistent");
        let output = command.output().await.unwrap();
        let text = text(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        let wanted = if more.is_empty() {
            "no credentials for AWS were found"
        } else {
            "there is no profile \"nope\" in the AWS configuration"
        };
        assert_eq!(text.matches(wanted).count(), 1, "{text}");
        assert!(!store.exists(), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn if_there_is_nothing_to_read_the_reason_is_printed() {
    let stage = Stage::with_functions(&["never-called"]).await;
    let (output, _) = stage.import("store", &[]).await;
    let words = text(&output);
    assert!(words.contains("none of the functions"), "{words}");
    let (output, _) = stage.import("store", &["--prefix", "/no/such"]).await;
    let words = text(&output);
    assert!(words.contains("begins with \"/no/such\""), "{words}");
    assert_eq!(stage.list("store").await.len(), 1);
    stage.moto.reset().await.unwrap();
    let (output, _) = stage.import("empty", &[]).await;
    let words = text(&output);
    assert!(words.contains("the account has no functions"), "{words}");
}

/// Ctrl-C in the middle, while a second import of the same store is refused; then the same command again.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_keeps_what_it_read() {
    let names: Vec<String> = (0..20).map(|n| format!("f{n:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let stage = Stage::with_functions(&names).await;
    let client = stage.client();
    for name in names {
        let name = format!("/aws/lambda/{name}");
        let group = Group {
            client: &client,
            name: &name,
        };
        group.create().await;
        let calls = [Invocation::ok(512, 100); 3];
        // Yesterday is read again until an hour after midnight.
        let day = ago(2);
        group.day(day, &stream(day, "", "$LATEST"), &calls).await;
    }
    let store = stage.store("broken");
    let mut command = Command::new(binary().unwrap());
    command.args(["import", "cloudwatch", "--no-queries", "--rate", "10"]);
    command.arg("--store").arg(&store);
    command.envs(stage.environment(stage.proxy.endpoint()));
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn().unwrap();
    let until = Instant::now() + Duration::from_mins(1);
    while stage.proxy.calls("FilterLogEvents") < 8 {
        assert!(Instant::now() < until && child.try_wait().unwrap().is_none());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (output, _) = stage.import("broken", &["--no-queries"]).await;
    let words = text(&output);
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("in use by rightsizer import"), "{words}");

    let id = i32::try_from(child.id().unwrap()).unwrap();
    kill(Pid::from_raw(id), Signal::SIGINT).unwrap();
    let output = child.wait_with_output().await.unwrap();
    let words = text(&output);
    assert_eq!(output.status.code(), Some(130), "{words}");
    assert!(words.contains("What was read is kept"), "{words}");
    let (output, rest) = stage.import("broken", &["--no-queries"]).await;
    assert!(output.status.success(), "{output:?}");
    let (_, whole) = stage.import("whole", &["--no-queries"]).await;
    assert_eq!(whole["invocations"], 60);
    assert!(rest["invocations"].as_u64().unwrap() < 60, "{rest}");
    assert_eq!(stage.evidence("broken"), stage.evidence("whole"));
}
