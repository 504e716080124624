//! 200 functions are as they were, a second run finds nothing to do, one that is killed continues.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Architecture, FunctionCode, LayerVersionContentInput, Runtime};
use rightsizer_tests::aggregator::{binary, rightsizer_with};
use serde_json::Value;
use tokio::process::Command;

use crate::account::{Account, layers, publish};

/// 200 functions of every kind that moto has: none to four other layers, none to three variables.
#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_functions_are_as_they_were() {
    let account = Account::open().await;
    let mut others = Vec::new();
    for name in ["tracing", "secrets", "shared", "fonts", "fifth"] {
        others.push(publish(&account.moto, name).await);
    }
    let all = [("SECRET", "a=b,\"c\""), ("EMPTY", ""), ("STAGE", "prüf")];
    for n in 0..200 {
        // In turned order, so that an order that is sorted is seen.
        let mut some = others[..n % 6].to_vec();
        some.reverse();
        account
            .create(&format!("f{n:03}"), &some, &all[..n % 4])
            .await;
    }
    let before = account.configurations().await;
    assert_eq!(before.len(), 200);

    let (output, plan) = account.run("attach", &["--all"]).await;
    assert!(output.status.success(), "{output:?}");
    // n % 6 == 5 has five layers: 33 of 200.
    assert_eq!(plan["counts"]["attach"], 167);
    assert_eq!(plan["counts"]["skip: five-layers"], 33);
    assert_eq!(
        account.configurations().await,
        before,
        "a dry run changes nothing"
    );

    let (output, done) = account.run("attach", &["--all", "--yes"]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(done["counts"], plan["counts"]);
    let attached = account.configurations().await;
    for (name, now) in &attached {
        let was = layers(&before[name]);
        if was.len() == 5 {
            assert_eq!(now, &before[name]);
            continue;
        }
        let (last, first) = layers(now)
            .split_last()
            .map(|(l, f)| (*l, f.to_vec()))
            .unwrap();
        assert_eq!((last, first), (account.layer.as_str(), was), "{name}");
        let mut variables = now["Environment"]["Variables"].clone();
        let ours = variables
            .as_object_mut()
            .unwrap()
            .remove("RIGHTSIZER_STREAM");
        assert_eq!(ours.unwrap(), "reports");
        let own = before[name]["Environment"]["Variables"].as_object();
        assert_eq!(
            variables.as_object().unwrap(),
            &own.cloned().unwrap_or_default()
        );
    }

    let (_, again) = account.run("attach", &["--all", "--yes"]).await;
    assert_eq!(again["counts"]["skip: already-attached"], 167);
    assert_eq!(account.configurations().await, attached);

    let (output, done) = account.run("detach", &["--all", "--yes"]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(done["counts"]["detach"], 167);
    assert_eq!(account.configurations().await, before);
    let (_, again) = account.run("detach", &["--all", "--yes"]).await;
    assert_eq!(again["counts"]["skip: not-attached"], 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_in_the_middle_continues() {
    let account = Account::open().await;
    for n in 0..40 {
        account
            .create(&format!("f{n:02}"), &[], &[("A", "b")])
            .await;
    }
    let before = account.configurations().await;
    let mut arguments = account.arguments("attach");
    arguments.extend(["--prefix", "f", "--yes"]);
    let mut child = Command::new(binary().unwrap())
        .args(arguments)
        .envs(account.environment.iter().cloned())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let attached = |all: &BTreeMap<String, Value>| {
        let with = all.values().filter(|of| !layers(of).is_empty());
        with.count()
    };
    let until = Instant::now() + Duration::from_mins(1);
    while attached(&account.configurations().await) < 5 {
        assert!(Instant::now() < until, "nothing is attached");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    child.kill().await.unwrap();
    let some = attached(&account.configurations().await);
    assert!(
        (5..40).contains(&some),
        "{some}: it was not killed in the middle"
    );

    let (output, done) = account.run("attach", &["--prefix", "f", "--yes"]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(done["counts"]["skip: already-attached"], some);
    assert_eq!(done["counts"]["attach"], 40 - some);
    assert_eq!(attached(&account.configurations().await), 40);
    account.run("detach", &["--all", "--yes"]).await;
    assert_eq!(account.configurations().await, before);
}

/// The first of five fails with the layer: the other four never get it.
#[tokio::test(flavor = "multi_thread")]
async fn it_goes_no_further_while_what_was_changed_fails() {
    let account = Account::open().await;
    for n in 0..5 {
        account.create(&format!("f{n}"), &[], &[]).await;
    }
    for (metric, value) in [("Invocations", 7), ("Errors", 7)] {
        account.count("f0", metric, value).await;
    }
    let layer = account.layer.as_str();
    let waves = |sizes: &'static str| {
        let mut arguments = vec!["attach", "--layer", layer, "--stream", "reports", "--all"];
        arguments.extend(["--yes", "--waves", sizes, "--settle", "0"]);
        arguments
    };
    let output = rightsizer_with(&waves("1,2"), &account.environment).await;
    let output = output.unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("f0: 7 of 7 invocations failed"), "{text}");
    assert!(text.contains("hint: to remove the layer"), "{text}");
    let attached = |all: &BTreeMap<String, Value>| -> Vec<String> {
        let with = all.iter().filter(|(_, of)| !layers(of).is_empty());
        with.map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(attached(&account.configurations().await), ["f0"]);

    // The others fare well: wave by wave all of them are changed.
    let output = rightsizer_with(&waves("1,2"), &account.environment).await;
    assert!(output.unwrap().status.success());
    assert_eq!(attached(&account.configurations().await).len(), 5);
    account.run("detach", &["--all", "--yes"]).await;
    account
        .run("attach", &["--all", "--yes", "--first", "2"])
        .await;
    assert_eq!(attached(&account.configurations().await), ["f0", "f1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_version_is_replaced_in_its_place() {
    let account = Account::open().await;
    let (first, last) = (
        publish(&account.moto, "a").await,
        publish(&account.moto, "z").await,
    );
    let old = account.layer.clone();
    account
        .create("checkout", &[first.clone(), old.clone(), last.clone()], &[])
        .await;
    let new = publish(&account.moto, "rightsizer").await;
    assert_ne!(new, old);
    let account = Account {
        layer: new.clone(),
        ..account
    };
    let (output, done) = account.run("attach", &["--tag", "team=a", "--yes"]).await;
    // The variable is not set: it was attached by hand.
    assert!(output.status.success(), "{output:?}");
    assert_eq!(done["counts"]["update"], 1);
    let now = &account.configurations().await["checkout"];
    assert_eq!(layers(now), [&first, &new, &last]);
}

/// The layers and the stream of a deployed system by its name: of each architecture the newest version, and each
/// function gets its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_stack_names_its_layers_and_its_stream() {
    let account = Account::open().await;
    account.create("intel", &[], &[]).await;
    let mut newest = Vec::new();
    for (name, arch) in [
        ("x86_64", Architecture::X8664),
        ("arm64", Architecture::Arm64),
    ] {
        for _ in 0..2 {
            let content = LayerVersionContentInput::builder().zip_file(Blob::new([0; 10]));
            let publish = account.moto.lambda().publish_layer_version();
            let publish = publish.layer_name(format!("rz-extension-{name}"));
            let publish = publish.compatible_architectures(arch.clone());
            let answer = publish.content(content.build()).send().await.unwrap();
            newest.push(answer.layer_version_arn().unwrap().to_owned());
        }
    }
    let code = FunctionCode::builder().zip_file(Blob::new(b"PK")).build();
    let create = account.moto.lambda().create_function().function_name("arm");
    let create = create
        .runtime(Runtime::Python312)
        .handler("main.handle")
        .code(code);
    let create = create.role("arn:aws:iam::123456789012:role/test-function");
    let create = create.architectures(Architecture::Arm64).memory_size(512);
    create.send().await.unwrap();

    account.create_stream("rz-reports").await;
    let run = async |command: &[&str]| {
        let all = ["--all", "--stack", "rz", "--json", "--rate", "10", "--yes"];
        let arguments = [command, &all].concat();
        let output = rightsizer_with(&arguments, &account.environment)
            .await
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    run(&["attach", "--waves", "none"]).await;
    let after = account.configurations().await;
    assert_eq!(layers(&after["intel"]), [newest[1].as_str()]);
    assert_eq!(layers(&after["arm"]), [newest[3].as_str()]);
    for function in after.values() {
        let stream = &function["Environment"]["Variables"]["RIGHTSIZER_STREAM"];
        assert_eq!(stream, "rz-reports");
    }
    run(&["detach"]).await;
    let after = account.configurations().await;
    assert!(
        after.values().all(|function| layers(function).is_empty()),
        "{after:?}"
    );

    let absent = ["attach", "--all", "--stack", "no-such"];
    let absent = rightsizer_with(&absent, &account.environment)
        .await
        .unwrap();
    let words = String::from_utf8_lossy(&absent.stderr);
    assert!(
        words.contains("the system no-such has no layer in this region"),
        "{words}"
    );
}
