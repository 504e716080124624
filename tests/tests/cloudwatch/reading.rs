//! What `import cloudwatch` reads is what was logged, in either way, once.

use aws_sdk_cloudwatchlogs::Client;
use rightsizer_tests::aggregator::rightsizer_with;
use rightsizer_tests::servers::MotoServer;
use serde_json::json;

use crate::stage::{Group, Invocation, Stage, ago, stream};

/// A start that timed out, as the platform logs it.
const ATTEMPT: &str = "INIT_REPORT Init Duration: 10009.13 ms\tPhase: init\tStatus: timeout";

/// Ten days of five functions: plain text, JSON, a published version after a change of the size, failures
/// of every kind, starts that failed, and one that logs to a group of its own under another name.
async fn live(client: &Client) {
    let ok = Invocation::ok;
    let failed = |size, used, status, error| Invocation {
        failed: Some((status, error)),
        ..ok(size, used)
    };
    for name in ["checkout", "events", "resized", "failing"] {
        let name = format!("/aws/lambda/{name}");
        Group {
            client,
            name: &name,
        }
        .create()
        .await;
    }
    Group {
        client,
        name: "/shop/all",
    }
    .create()
    .await;
    for back in 1..=10 {
        let (day, used) = (ago(back), 100 + 3 * back.unsigned_abs());
        let latest = stream(day, "", "$LATEST");
        let group = |name| Group { client, name };
        let many = [ok(1024, used), ok(1024, 90), ok(1024, 80)];
        group("/aws/lambda/checkout").day(day, &latest, &many).await;
        let time = format!("{day}T06:00:00.000Z");
        let attempt = json!({"time": time, "type": "platform.initReport", "record": {"phase": "init",
            "status": "error", "metrics": {"durationMs": 1236.04}}});
        let events = [ok(512, used), failed(512, 60, "failure", None)].map(|one| one.event(&time));
        let events = [&[attempt.to_string()], &events[..]].concat();
        group("/aws/lambda/events")
            .write(day, &latest, &events)
            .await;
        let (size, version) = if back > 5 { (512, "6") } else { (256, "7") };
        group("/aws/lambda/resized")
            .day(day, &stream(day, "", version), &[ok(size, used)])
            .await;
        let end = match back % 4 {
            0 => failed(128, 128, "error", Some("Runtime.OutOfMemory")),
            1 => failed(128, 127, "error", Some("Runtime.ExitError")),
            2 => failed(128, 126, "timeout", None),
            _ => failed(128, 60, "error", Some("Runtime.ExitError")),
        };
        let lines = [ATTEMPT.to_owned(), ok(128, 61).line(), end.line()];
        group("/aws/lambda/failing")
            .write(day, &latest, &lines)
            .await;
        for name in ["cart", "mail"] {
            let lines = [ok(256, used)];
            group("/shop/all")
                .day(day, &stream(day, name, "$LATEST"), &lines)
                .await;
        }
    }
}

/// Every day and peak. If a day has more values than requested percentiles, its two histograms are
/// only approximate: they are not compared for that function.
fn exact(stage: &Stage, store: &str) -> Vec<String> {
    let row = |row: String| {
        let spread = row.contains("function:checkout ");
        let words = row.split(' ').filter(|word| {
            // A query only returns the longest start.
            !(spread && (word.starts_with("durations=") || word.starts_with("used=")))
                && !word.starts_with("inits=")
        });
        words.collect::<Vec<_>>().join(" ")
    };
    stage.evidence_of_days(store).into_iter().map(row).collect()
}

fn days_with_failed_starts(stage: &Stage, store: &str) -> usize {
    let has = |row: &&String| row.contains(" failed_inits=") && !row.contains(" failed_inits= ");
    stage.evidence(store).iter().filter(has).count()
}

/// The functions of [`live`], and one without calls.
const FUNCTIONS: [&str; 5] = ["checkout", "events", "resized", "failing", "idle"];

/// Two functions that log to one group of their own choice.
async fn shared_group(stage: &Stage) {
    for name in ["cart", "mail"] {
        stage
            .moto
            .create_function(name, 256, 30, &[])
            .await
            .unwrap();
    }
    stage.lambda.change("GET /2015-03-31/functions", |answer| {
        for function in answer["Functions"].as_array_mut().into_iter().flatten() {
            if ["cart", "mail"].contains(&function["FunctionName"].as_str().unwrap_or_default()) {
                function["LoggingConfig"] = json!({"LogFormat": "Text", "LogGroup": "/shop/all"});
            }
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ways_give_the_same_store() {
    let stage = Stage::with_functions(&FUNCTIONS).await;
    shared_group(&stage).await;
    let small = stage.moto.lambda().update_function_configuration();
    let small = small.function_name("failing").memory_size(128);
    small.send().await.unwrap();
    live(&stage.client()).await;
    let (output, json) = stage.import("queries", &[]).await;
    assert!(output.status.success(), "{output:?}");
    // 10 days × (3 + 2 + 1 + 2 + 2) invocations.
    assert_eq!(json["invocations"], 100, "{json}");
    assert_eq!(
        (&json["log_groups"], &json["functions"]),
        (&json!(5), &json!(7))
    );
    assert_eq!(
        (&json["read_line_by_line"], &json["no_queries"]),
        (&json!(0), &json!(null))
    );
    let scanned = json["scanned_bytes"].as_u64().unwrap();
    assert_eq!(scanned, stage.logs.scanned_bytes() as u64);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        stderr.contains("5 log groups of the 7 functions in eu-central-1"),
        "{stderr}"
    );
    assert!(stderr.contains("at $0.0063 a GB"), "{stderr}");

    let (output, json) = stage.import("lines", &["--no-queries"]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        (&json["queries"], &json["invocations"]),
        (&json!(0), &json!(100))
    );
    assert_eq!(stage.proxy.calls("StartQuery"), 1);
    assert_eq!(stage.peaks("queries"), stage.peaks("lines"));
    assert_eq!(exact(&stage, "queries"), exact(&stage, "lines"));
    assert_eq!(days_with_failed_starts(&stage, "queries"), 20);

    // Another server's logs, which answers queries with single lines: it is found out.
    let moto = MotoServer::start().await.unwrap();
    live(&crate::stage::client(moto.endpoint())).await;
    let (output, json) = stage.import_from(moto.endpoint(), "moto", &[]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        json["no_queries"], "the response lacks the requested value",
        "{json}"
    );
    assert_eq!(stage.evidence("moto"), stage.evidence("lines"));

    the_list_has_them_all(&stage).await;
}

async fn the_list_has_them_all(stage: &Stage) {
    let list = stage.list("queries").await;
    let of = |name: &str| {
        list.iter()
            .find(|row| row["function"].as_str().unwrap().ends_with(name))
            .unwrap()
    };
    assert_eq!(list.len(), 7);
    // The highest day is 100 + 3 × 10.
    for (name, peak) in [
        (":checkout", 130),
        (":events", 130),
        (":cart", 130),
        (":failing", 128),
    ] {
        assert_eq!(of(name)["peak_mb"], peak, "{name}");
    }
    assert_eq!(
        (of(":idle")["status"].as_str(), &of(":idle")["current_mb"]),
        (Some("no-reports"), &json!(1024))
    );
    assert_eq!(of(":failing")["urgent"], true);
    assert_eq!(of(":resized")["current_mb"], 256);
}

/// The line of a start that failed has no size. If its version had two on that day, a query cannot show which; the lines
/// of its log stream can.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_failed_at_an_unknown_size_is_not_passed_over_in_silence() {
    let stage = Stage::with_functions(&["checkout"]).await;
    let client = stage.client();
    let group = Group {
        client: &client,
        name: "/aws/lambda/checkout",
    };
    group.create().await;
    let (day, ok) = (ago(1), Invocation::ok);
    let lines = [ATTEMPT.to_owned(), ok(512, 90).line()];
    let before = stream(day, "", "$LATEST");
    group.write(day, &before, &lines).await;
    let after = before.replace("00aa", "00bb");
    group.day(day, &after, &[ok(1024, 90)]).await;
    for (flags, invocations, without_size, counted) in
        [(&[][..], 2, 1, 0), (&["--no-queries", "--again"], 2, 0, 1)]
    {
        let (output, json) = stage.import("store", flags).await;
        assert!(output.status.success(), "{output:?}");
        assert_eq!(json["invocations"], invocations, "{json}");
        assert_eq!(json["failed_starts_without_size"], without_size, "{json}");
        assert_eq!(
            days_with_failed_starts(&stage, "store"),
            counted,
            "{flags:?}"
        );
    }
}

/// The report of an older log shows no failure; a separate line of the platform does, before or
/// after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_about_a_runtime_that_was_killed_is_read_too() {
    let stage = Stage::with_functions(&["checkout"]).await;
    let client = stage.client();
    let group = Group {
        client: &client,
        name: "/aws/lambda/checkout",
    };
    group.create().await;
    // 980 of 1024 MB are more than 90 %.
    let killed = "RequestId: 7d1e0c2a-0000-4000-8000-000000000000 Error: Runtime exited with error: signal: \
                  killed\nRuntime.ExitError";
    let report = Invocation::ok(1024, 980).line();
    let messages = [report, "at work".to_owned(), killed.to_owned()];
    let day = ago(1);
    group
        .write(day, &stream(day, "", "$LATEST"), &messages)
        .await;
    let (output, json) = stage.import("store", &["--no-queries"]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(json["invocations"], 1, "{json}");
    let row = stage.list("store").await.remove(0);
    assert_eq!(row["urgent"], true, "{row}");
}

#[tokio::test(flavor = "multi_thread")]
async fn running_again_reads_what_is_new_and_counts_nothing_twice() {
    let stage = Stage::with_functions(&["checkout"]).await;
    let client = stage.client();
    let group = Group {
        client: &client,
        name: "/aws/lambda/checkout",
    };
    group.create().await;
    // Yesterday is read again until an hour after midnight.
    for back in 2..=7 {
        let day = ago(back);
        group
            .day(
                day,
                &stream(day, "", "$LATEST"),
                &[Invocation::ok(1024, 90)],
            )
            .await;
    }
    stage.import("store", &[]).await;
    let once = stage.evidence("store");
    let listed = stage.list("store").await;
    assert_eq!(
        (&listed[0]["seen"], &listed[0]["invocations"]),
        (&json!(6), &json!(6))
    );

    let scanned = stage.logs.scanned_bytes();
    let (_, json) = stage.import("store", &[]).await;
    assert_eq!(stage.evidence("store"), once);
    // Days that ended an hour ago are not read again.
    assert!(json["days_read"].as_u64().unwrap() <= 2, "{json}");
    assert_eq!(stage.logs.scanned_bytes(), scanned);

    // An overlapping stretch, read again on purpose.
    let (_, json) = stage.import("store", &["--again", "--days", "20"]).await;
    assert_eq!(
        (&json["days_read"], &json["days_kept"]),
        (&json!(21), &json!(0))
    );
    assert_eq!(stage.evidence("store"), once);
    assert_eq!(stage.list("store").await[0]["seen"], 6);

    // A log that was deleted in between does not take back what was seen.
    client
        .delete_log_group()
        .log_group_name(group.name)
        .send()
        .await
        .unwrap();
    group.create().await;
    let (_, json) = stage.import("store", &["--again"]).await;
    assert_eq!(json["days_kept"], 6, "{json}");
    assert_eq!(stage.evidence("store"), once);
    // More than before takes the place of it.
    let day = ago(2);
    group
        .day(
            day,
            &stream(day, "", "$LATEST"),
            &[Invocation::ok(1024, 95); 3],
        )
        .await;
    stage.import("store", &["--again"]).await;
    let listed = stage.list("store").await;
    assert_eq!(
        (&listed[0]["seen"], &listed[0]["peak_mb"]),
        (&json!(8), &json!(95))
    );
}

/// The account knows a size that no invocation has had yet; of a published version it knows none.
#[tokio::test(flavor = "multi_thread")]
async fn a_size_that_was_changed_since_the_last_line_is_the_one_that_counts() {
    let stage = Stage::with_functions(&["checkout", "published"]).await;
    let client = stage.client();
    for (name, version) in [("checkout", "$LATEST"), ("published", "7")] {
        let group = format!("/aws/lambda/{name}");
        let group = Group {
            client: &client,
            name: &group,
        };
        group.create().await;
        for back in 2..=10 {
            let day = ago(back);
            let calls = [Invocation::ok(1024, 200); 6];
            group.day(day, &stream(day, "", version), &calls).await;
        }
    }
    let row = async |name: &str| {
        let rows = stage.list("store").await;
        let mut rows = rows.into_iter();
        rows.find(|row| row["function"].as_str().unwrap().ends_with(name))
            .unwrap()
    };
    stage.import("store", &[]).await;
    let before = row("checkout").await;
    assert_eq!(before["current_mb"], 1024, "{before}");

    for name in ["checkout", "published"] {
        let change = stage.moto.lambda().update_function_configuration();
        let change = change.function_name(name).memory_size(192);
        change.send().await.unwrap();
    }
    let (_, json) = stage.import("store", &[]).await;
    assert_eq!(json["invocations"], 0, "{json}");
    let now = row("checkout").await;
    // 1.1 × 200 = 220 is more than 192, so the mean of 200 and 100 more: 192 is not enough, and
    // 1024 was too much.
    let sizes = |row: &serde_json::Value| ["current_mb", "to_mb"].map(|key| row[key].as_u64());
    assert_eq!(sizes(&now), [Some(192), Some(300)], "{now}");
    assert_eq!((&now["seen"], &now["peak_mb"]), (&json!(54), &json!(200)));
    let cost = |row: &serde_json::Value| row["monthly_usd_before"].as_f64().unwrap();
    assert!(cost(&now) < cost(&before), "{before}\n{now}");
    assert_eq!(row("published").await["current_mb"], 1024);
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_of_failures_alone_are_marked_as_such() {
    let stage = Stage::with_functions(&["quiet", "silent"]).await;
    stage.lambda.change("GET /2015-03-31/functions", |answer| {
        for function in answer["Functions"].as_array_mut().into_iter().flatten() {
            function["LoggingConfig"] = json!({"LogFormat": "JSON", "SystemLogLevel": "WARN",
                "LogGroup": format!("/aws/lambda/{}", function["FunctionName"].as_str().unwrap_or_default())});
        }
    });
    let client = stage.client();
    let group = Group {
        client: &client,
        name: "/aws/lambda/quiet",
    };
    group.create().await;
    for back in 1..=12 {
        let day = ago(back);
        let failure = Invocation {
            failed: Some(("failure", None)),
            ..Invocation::ok(1024, 90)
        };
        let failures = vec![failure.event(&format!("{day}T06:00:00.000Z")); 10];
        group
            .write(day, &stream(day, "", "$LATEST"), &failures)
            .await;
    }
    let (output, _) = stage.import("store", &[]).await;
    assert!(output.status.success(), "{output:?}");
    for row in stage.list("store").await {
        let codes: Vec<_> = row["reasons"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r["code"].clone())
            .collect();
        assert!(codes.contains(&json!("partial-evidence")), "{row}");
        assert_ne!(row["confidence"], "high", "{row}");
    }
    let path = stage.store("store");
    let arguments = ["show", "quiet", "--store", path.to_str().unwrap()];
    let shown = rightsizer_with(&arguments, &[]).await.unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        shown.contains("Attach the layer, which sees all"),
        "{shown}"
    );
    let arguments = ["show", "silent", "--store", path.to_str().unwrap()];
    let shown = rightsizer_with(&arguments, &[]).await.unwrap();
    assert!(shown.status.success(), "{shown:?}");
}

/// Only logs of functions that are there are read: nothing else is paid for.
#[tokio::test(flavor = "multi_thread")]
async fn other_log_groups_are_left_alone() {
    let stage = Stage::with_functions(&["checkout"]).await;
    let client = stage.client();
    for name in [
        "/aws/lambda/checkout",
        "/aws/lambda/deleted-long-ago",
        "/aws/lambda/us-east-1.edge",
        "/aws/apigateway/welcome",
        "/app",
    ] {
        Group {
            client: &client,
            name,
        }
        .create()
        .await;
        let day = ago(1);
        let group = Group {
            client: &client,
            name,
        };
        group
            .day(
                day,
                &stream(day, "", "$LATEST"),
                &[Invocation::ok(1024, 90)],
            )
            .await;
    }
    let (output, json) = stage.import("store", &[]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        (&json["log_groups"], &json["log_groups_left_out"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(json["invocations"], 1);

    // If the functions cannot be listed, the names show what belongs to a function.
    stage
        .lambda
        .always_refuse("GET /2015-03-31/functions", "AccessDeniedException");
    let (output, json) = stage.import("unknown", &[]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        (&json["log_groups"], &json["log_groups_left_out"]),
        (&json!(2), &json!(1))
    );
    // What a person names is read.
    let (_, json) = stage.import("named", &["--prefix", "/app"]).await;
    assert_eq!(
        (&json["log_groups"], &json["invocations"]),
        (&json!(1), &json!(1))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_is_printed_without_any_call() {
    let arguments = [
        "import",
        "cloudwatch",
        "--print-policy",
        "--region",
        "eu-west-1",
    ];
    let output = rightsizer_with(&arguments, &[]).await.unwrap();
    assert!(output.status.success(), "{output:?}");
    let policy: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let reading = &policy["Statement"][0];
    assert_eq!(
        reading["Resource"],
        json!(["arn:aws:logs:eu-west-1:*:log-group:/aws/lambda/*"])
    );
    let text = policy.to_string();
    for verb in ["Put", "Delete", "Update", "Create", "Tag\""] {
        assert!(!text.contains(verb), "{verb}: it only reads");
    }
}

/// A terabyte in a group that keeps 14 days: more than a dollar, which is asked for first.
#[tokio::test(flavor = "multi_thread")]
async fn a_scan_above_a_dollar_needs_a_confirmation() {
    let stage = Stage::with_functions(&["large"]).await;
    let client = stage.client();
    let group = Group {
        client: &client,
        name: "/aws/lambda/large",
    };
    group.create().await;
    let day = ago(1);
    let calls = [Invocation::ok(1024, 90)];
    group.day(day, &stream(day, "", "$LATEST"), &calls).await;
    stage.proxy.change("DescribeLogGroups", |answer| {
        answer["logGroups"][0]["storedBytes"] = json!(1_000_000_000_000_u64);
    });
    let (output, _) = stage.import("store", &[]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    // 15 days of 1000/14 GB at $0.0063.
    assert!(
        stderr.contains("about $6.75") && stderr.contains("--yes"),
        "{stderr}"
    );
    assert_eq!(stage.proxy.calls("StartQuery"), 0);
    for more in ["--no-queries", "--yes"] {
        let (output, json) = stage.import(more.trim_matches('-'), &[more]).await;
        assert!(output.status.success(), "{output:?}");
        assert_eq!(json["invocations"], 1);
    }
    // No query is planned for more than 20 GB, but a day of a group is one.
    assert_eq!(stage.proxy.calls("StartQuery"), 15);
}
