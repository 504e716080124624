//! `coldstarts --provisioned`: what the account has, beside what was reported.

use rightsizer_tests::servers::{Fault, Operation};
use serde_json::{Value, json};

use crate::stage::{Stage, error_of, text_of};

/// Writes a store with 20 invocations of version 1 of `checkout`, eight days apart.
async fn store(stage: &Stage) -> String {
    let record = |seq: u64, t0: &str| {
        let rows: Vec<Value> = (0..10)
            .map(|n| {
                json!([
                    n * 1000,
                    60,
                    731.0,
                    731,
                    0,
                    if n == 0 { json!(400.0) } else { json!(null) }
                ])
            })
            .collect();
        json!({
            "v": 1, "kind": "reports", "function": "arn:aws:lambda:eu-central-1:123456789012:function:checkout",
            "version": "1", "env": format!("{seq:x}"), "seq": 0, "total": rows.len(), "memory_mb": 1024, "t0": t0,
            "reports": rows,
        })
    };
    let records = [
        record(1, "2026-11-02T12:00:00.000Z"),
        record(2, "2026-11-10T12:00:00.000Z"),
    ];
    let lines = records.map(|record| record.to_string()).join("\n");
    let (file, store) = (stage.file("reports.jsonl", &lines), stage.file("s.db", ""));
    std::fs::remove_file(&store).unwrap();
    let output = stage
        .rightsizer(&["import", &file, "--store", &store])
        .await;
    assert!(output.status.success(), "{}", error_of(&output));
    store
}

/// A function with version 1 behind `live`, and version 2, which was never reported. Five environments of each.
async fn provisioned() -> (Stage, String) {
    let stage = Stage::open().await;
    let client = stage.server.client();
    for code in ["newer code", "newest code"] {
        let publish = client.publish_version().function_name("checkout");
        publish.send().await.unwrap();
        stage.lambda().deploy("checkout", code);
    }
    let alias = client.create_alias().function_name("checkout");
    alias
        .name("live")
        .function_version("1")
        .send()
        .await
        .unwrap();
    stage.lambda().provision("checkout", "live");
    stage.lambda().provision("checkout", "2");
    let store = store(&stage).await;
    (stage, store)
}

#[tokio::test]
async fn what_is_configured_stands_beside_its_use() {
    let (stage, store) = provisioned().await;
    let arguments = ["coldstarts", "checkout", "--provisioned", "--store", &store];
    let output = stage
        .rightsizer(&[&arguments[..], &["--json"]].concat())
        .await;
    assert!(output.status.success(), "{}", error_of(&output));
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    let [live, two] = all[0]["provisioned"].as_array().unwrap().as_slice() else {
        panic!("{all}");
    };
    // Ten seconds in nine days of five environments.
    assert_eq!(
        (&live["version"], &live["worth"]),
        (&json!("1"), &json!("costs"))
    );
    assert_eq!(
        (&two["version"], &two["worth"]),
        (&json!("2"), &json!("unused"))
    );
    // 5 × 1 GB × 2,592,000 s × $0.0000166667 ÷ 4 are $54.
    let usd = two["monthly_usd"].as_f64().unwrap();
    assert!((usd / 54.0 - 1.0).abs() < 0.01, "{usd}");
    let text = text_of(&stage.rightsizer(&arguments).await);
    assert!(
        text.contains("no invocation of version 2 in 9 days"),
        "{text}"
    );
    let unasked = stage
        .rightsizer(&["coldstarts", "checkout", "--store", &store, "--json"])
        .await;
    assert!(
        !text_of(&unasked).contains("provisioned\":["),
        "{}",
        text_of(&unasked)
    );
}

#[tokio::test]
async fn an_account_that_does_not_answer_costs_only_this_part() {
    let (stage, store) = provisioned().await;
    let denied = Fault::Deny {
        code: "AccessDeniedException",
        words: "not authorized to perform: lambda:ListProvisionedConcurrencyConfigs",
    };
    let operation = Operation::ListProvisionedConcurrencyConfigs;
    stage.lambda().order(operation, None, (0, 9), denied);
    let output = stage
        .rightsizer(&["coldstarts", "checkout", "--provisioned", "--store", &store])
        .await;
    assert_eq!(output.status.code(), Some(1));
    let error = error_of(&output);
    assert!(
        error.contains("cannot read the provisioned concurrency of")
            && error.contains("hint: allow lambda:"),
        "{error}"
    );
    assert!(
        text_of(&output).contains("started cold"),
        "{}",
        text_of(&output)
    );
}
