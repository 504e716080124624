//! Whatever fails, everything logged is read in the end, or the summary lists what was not.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rightsizer_tests::aggregator::{binary, rightsizer_with};
use serde_json::json;
use tokio::process::Command;

use crate::stage::{Group, Invocation, Stage, ago, stream};

/// Some functions with three days of logs each.
async fn some(names: &[&str]) -> Stage {
    let stage = Stage::with_functions(names).await;
    let client = stage.client();
    for name in names {
        let name = format!("/aws/lambda/{name}");
        let group = Group {
            client: &client,
            name: &name,
        };
        group.create().await;
        for back in 1..=3 {
            let day = ago(back);
            let used = 100 + back.unsigned_abs();
            group
                .day(
                    day,
                    &stream(day, "", "$LATEST"),
                    &[Invocation::ok(512, used)],
                )
                .await;
        }
    }
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_busy_queries_and_lost_responses_are_retried() {
    let stage = some(&["a", "b"]).await;
    stage
        .proxy
        .refuse("DescribeLogGroups", 1, "ThrottlingException");
    stage
        .proxy
        .refuse("StartQuery", 1, "LimitExceededException");
    stage
        .proxy
        .refuse("GetQueryResults", 1, "ServiceUnavailableException");
    let (output, json) = stage.import("store", &[]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        (&json["invocations"], &json["queries"]),
        (&json!(6), &json!(1)),
        "{json}"
    );
    stage
        .proxy
        .refuse("FilterLogEvents", 1, "ThrottlingException");
    let (output, _) = stage.import("lines", &["--no-queries"]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        stage.evidence_of_days("store"),
        stage.evidence_of_days("lines")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_queries_run_than_may() {
    let stage = some(&["a", "b"]).await;
    stage.logs.run_at_most(1);
    // Days of different groups are missing, which makes two queries.
    let (output, _) = stage
        .import("store", &["--prefix", "/aws/lambda/a", "--days", "2"])
        .await;
    assert!(output.status.success(), "{output:?}");
    let (output, json) = stage.import("store", &[]).await;
    assert!(output.status.success(), "{output:?}");
    assert!(json["queries"].as_u64().unwrap() >= 2, "{json}");
    let (output, _) = stage.import("whole", &[]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(stage.evidence("store"), stage.evidence("whole"));
}

#[tokio::test(flavor = "multi_thread")]
async fn if_queries_are_denied_lines_are_read() {
    let stage = some(&["a", "b"]).await;
    stage
        .proxy
        .always_refuse("StartQuery", "AccessDeniedException");
    let (output, json) = stage.import("lines", &[]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        (&json["read_line_by_line"], &json["invocations"]),
        (&json!(2), &json!(6))
    );
    assert!(
        json["no_queries"]
            .as_str()
            .unwrap()
            .contains("AccessDenied"),
        "{json}"
    );
    stage.proxy.mend();
    stage.import("queries", &[]).await;
    assert_eq!(
        stage.evidence_of_days("lines"),
        stage.evidence_of_days("queries")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn if_nothing_is_allowed_it_is_reported_and_nothing_is_lost() {
    let stage = some(&["a", "b", "c", "d", "e", "f", "g"]).await;
    stage
        .proxy
        .always_refuse("StartQuery", "AccessDeniedException");
    stage
        .proxy
        .always_refuse("FilterLogEvents", "AccessDeniedException");
    let (output, json) = stage.import("store", &[]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("--print-policy"), "{stderr}");
    assert!(
        json["stopped"].as_str().unwrap().contains("AccessDenied"),
        "{json}"
    );
    stage.proxy.mend();
    let (output, json) = stage.import("store", &[]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(json["invocations"], 21);
    stage
        .proxy
        .always_refuse("DescribeLogGroups", "AccessDeniedException");
    let (output, _) = stage.import("other", &[]).await;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        stderr.contains("log groups cannot be listed") && stderr.contains("--print-policy"),
        "{stderr}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_is_forgotten_fails_or_takes_too_long_is_made_again_or_cut() {
    let stage = some(&["a"]).await;
    stage
        .proxy
        .refuse("GetQueryResults", 1, "ResourceNotFoundException");
    let (output, json) = stage.import("forgotten", &[]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        (&json["queries"], &json["read_line_by_line"]),
        (&json!(2), &json!(0))
    );
    stage.proxy.change("GetQueryResults", |answer| {
        answer["status"] = "Failed".into();
    });
    let (_, json) = stage.import("failed", &[]).await;
    assert_eq!(
        (&json["queries"], &json["read_line_by_line"]),
        (&json!(3), &json!(1))
    );
    stage.proxy.mend();
    stage.proxy.change("GetQueryResults", |answer| {
        answer["status"] = "Timeout".into();
    });
    let (_, json) = stage.import("slow", &["--days", "3"]).await;
    // Four days, two halves, four quarters: then each day is read by lines.
    assert_eq!(
        (&json["queries"], &json["read_line_by_line"]),
        (&json!(7), &json!(1)),
        "{json}"
    );
    assert_eq!(
        stage.evidence_of_days("slow"),
        stage.evidence_of_days("forgotten")
    );
    assert_eq!(
        stage.evidence_of_days("failed"),
        stage.evidence_of_days("forgotten")
    );
}

/// 10,100 rows on two days: one query answers 10,000 and hides the rest, each of its halves all.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_answer_is_asked_for_in_parts() {
    let stage = Stage::with_functions(&["odd"]).await;
    let client = stage.client();
    let group = Group {
        client: &client,
        name: "/aws/lambda/odd",
    };
    group.create().await;
    for back in 1..=2 {
        let day = ago(back);
        let line = |n: u32| {
            // A row each, for each has an error type of its own.
            let line = Invocation {
                failed: Some(("error", None)),
                ..Invocation::ok(512, 90)
            }
            .line();
            line.replace(
                "Status: error\t",
                &format!("Status: error\tError Type: E{n}\t"),
            )
        };
        let lines: Vec<String> = (0..5_050).map(line).collect();
        group.write(day, &stream(day, "", "$LATEST"), &lines).await;
    }
    let (output, json) = stage.import("store", &["--days", "2"]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(json["invocations"], 10_100, "{json}");
    assert!(json["queries"].as_u64().unwrap() > 1, "{json}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_goes_meanwhile_does_not_stop_the_others() {
    let stage = some(&["a", "b", "c"]).await;
    stage
        .client()
        .create_log_group()
        .log_group_name("/aws/lambda/empty")
        .send()
        .await
        .unwrap();
    stage
        .moto
        .create_function("empty", 128, 3, &[])
        .await
        .unwrap();
    stage
        .moto
        .create_function("ghost", 128, 3, &[])
        .await
        .unwrap();
    stage.proxy.change("DescribeLogGroups", |answer| {
        let mut ghost = answer["logGroups"][0].clone();
        ghost["logGroupName"] = "/aws/lambda/ghost".into();
        ghost["logGroupArn"] =
            "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/ghost".into();
        answer["logGroups"].as_array_mut().unwrap().push(ghost);
    });
    for way in [&[][..], &["--no-queries"]] {
        let (output, json) = stage
            .import(if way.is_empty() { "queries" } else { "lines" }, way)
            .await;
        assert!(output.status.success(), "{output:?}");
        assert_eq!(
            json["log_groups_gone"],
            json!(["/aws/lambda/ghost"]),
            "{json}"
        );
        assert_eq!(
            (&json["log_groups_with_reports"], &json["invocations"]),
            (&json!(3), &json!(9))
        );
    }
    assert_eq!(
        stage.evidence_of_days("queries"),
        stage.evidence_of_days("lines")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn text_whose_figures_the_service_did_not_find_is_read_line_by_line() {
    let stage = some(&["a", "b"]).await;
    stage.logs.leave_undiscovered("/aws/lambda/b");
    let (output, json) = stage.import("store", &[]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        (&json["read_line_by_line"], &json["no_queries"]),
        (&json!(1), &json!(null))
    );
    assert_eq!(json["invocations"], 6);
}

/// A killed run continues with what is left, and ends as one that was not killed.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_continues() {
    let names: Vec<String> = (0..30).map(|n| format!("f{n:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let stage = some(&names).await;
    let store = stage.store("killed");
    let mut child = Command::new(binary().unwrap())
        .args([
            "import",
            "cloudwatch",
            "--no-queries",
            "--rate",
            "10",
            "--store",
        ])
        .arg(&store)
        .envs(stage.environment(stage.proxy.endpoint()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_mins(1);
    while stage.proxy.calls("FilterLogEvents") < 12 {
        assert!(Instant::now() < until && child.try_wait().unwrap().is_none());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    child.kill().await.unwrap();
    let (output, json) = stage.import("killed", &["--no-queries"]).await;
    assert!(output.status.success(), "{output:?}");
    let (_, whole) = stage.import("whole", &["--no-queries"]).await;
    assert_eq!(whole["invocations"], 90);
    assert!(json["invocations"].as_u64().unwrap() < 90, "{json}");
    assert_eq!(stage.evidence("killed"), stage.evidence("whole"));
}

/// The page that `list --html` writes; a missing folder is reported.
async fn page(stage: &Stage, store: &str) -> String {
    let (path, page) = (stage.store(store), stage.store("page"));
    let list = async |page: &std::path::Path| {
        let words = ["list", "--store", path.to_str().unwrap(), "--html"];
        let words = [&words[..], &[page.to_str().unwrap()]].concat();
        rightsizer_with(&words, &[]).await.unwrap()
    };
    let output = list(&page).await;
    assert!(output.status.success(), "{output:?}");
    let output = list(&page.join("nowhere")).await;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("cannot write the page"), "{stderr}");
    std::fs::read_to_string(page).unwrap()
}

/// 300 functions with 14 days each: a handful of queries.
#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_log_groups() {
    let stage = Stage::open().await;
    let client = stage.client();
    for n in 0..300 {
        let name = format!("f{n:03}");
        stage
            .moto
            .create_function(&name, 1024, 30, &[])
            .await
            .unwrap();
        let name = format!("/aws/lambda/{name}");
        let group = Group {
            client: &client,
            name: &name,
        };
        group.create().await;
        for back in 1..=14 {
            let day = ago(back);
            let calls = [Invocation::ok(1024, 50 + n % 40)];
            group.day(day, &stream(day, "", "$LATEST"), &calls).await;
        }
    }
    let began = Instant::now();
    let (output, json) = stage.import("store", &[]).await;
    assert!(output.status.success(), "{output:?}");
    let took = began.elapsed();
    assert_eq!(
        (&json["log_groups_with_reports"], &json["invocations"]),
        (&json!(300), &json!(4200))
    );
    assert_eq!(json["functions_decided"], 300);
    assert!(json["queries"].as_u64().unwrap() <= 12, "{json}");
    assert_eq!(stage.list("store").await.len(), 300);
    eprintln!("300 log groups in {took:?}: {json}");
    let page = page(&stage, "store").await;
    // A row each, and that of the headings.
    assert_eq!(page.matches("<tr").count(), 301);
    for n in 0..300 {
        let cell = format!("function:f{n:03}\">f{n:03}<");
        assert_eq!(page.matches(&cell).count(), 1, "{cell}");
    }
    assert!(page.contains("300 functions: 300 over-provisioned"));
    for elsewhere in ["http:", "https:", "src="] {
        assert!(!page.contains(elsewhere), "the page needs nothing else");
    }
    let embedded = page.matches("href=\"data:").count();
    assert_eq!(page.matches("href=").count(), embedded);
    stage.moto.reset().await.unwrap();
    stage.import("empty", &[]).await;
    let page = self::page(&stage, "empty").await;
    assert!(
        page.contains("No functions yet") && !page.contains("<tr"),
        "{page}"
    );
}
