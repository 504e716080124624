//! `attach` and `detach` with `--all-regions`: regions with nothing to do are skipped, and each result has its region.

use aws_sdk_lambda::config::{Builder, Region};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Architecture, FunctionCode, LayerVersionContentInput, Runtime};
use rightsizer_tests::aggregator::rightsizer_with;
use rightsizer_tests::servers::{FaultProxy, aws_environment};
use serde_json::{Value, json};

use crate::account::{Account, layers};
use crate::stops::{begun, press_ctrl_c};

const HOME: &str = "eu-central-1";
/// It is read before the other one.
const EARLIER: &str = "ca-central-1";
const EMPTY_ZIP: &[u8] = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// A function and the layer of the system `rz` in one of the regions.
async fn account() -> Account {
    let mut account = Account::open().await;
    account.create("checkout", &[], &[]).await;
    account.create_stream("rz-reports").await;
    let content = LayerVersionContentInput::builder().zip_file(Blob::new([0; 10]));
    let publish = account.moto.lambda().publish_layer_version();
    let publish = publish.layer_name("rz-extension-x86_64");
    let publish = publish.compatible_architectures(Architecture::X8664);
    publish.content(content.build()).send().await.unwrap();
    let regions = aws_environment("EC2", account.moto.endpoint());
    account.environment.extend(regions);
    account
}

/// The same in another region.
async fn in_an_earlier_region(account: &Account) {
    let there = || Builder::new().region(Region::new(EARLIER));
    let content = LayerVersionContentInput::builder().zip_file(Blob::new([0; 10]));
    let publish = account.moto.lambda().publish_layer_version();
    let publish = publish.layer_name("rz-extension-x86_64");
    let publish = publish.compatible_architectures(Architecture::X8664);
    let publish = publish.content(content.build()).customize();
    publish.config_override(there()).send().await.unwrap();
    let role = account.configurations().await["checkout"]["Role"].clone();
    let code = FunctionCode::builder().zip_file(Blob::new(EMPTY_ZIP));
    let create = account.moto.lambda().create_function();
    let create = create.function_name("orders").runtime(Runtime::Python312);
    let create = create.handler("main.handle").role(role.as_str().unwrap());
    let create = create.code(code.build()).customize();
    create.config_override(there()).send().await.unwrap();
    account.create_stream_in(EARLIER, "rz-reports").await;
}

async fn run(environment: &[(String, String)], words: &[&str]) -> (Option<i32>, String, String) {
    let all = ["--stack", "rz", "--all-regions"];
    let output = rightsizer_with(&[words, &all].concat(), environment).await;
    let output = output.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_with_nothing_to_do_is_skipped() {
    let account = account().await;
    let before = account.configurations().await;
    let attach = ["attach", "--all", "--waves", "none"];
    let (code, table, text) = run(&account.environment, &attach).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(table.contains(&format!("REGION {HOME}")), "{table}");
    assert_eq!(table.matches("REGION").count(), 1, "{table}");
    let skipped = "eu-west-1: skipped: the system rz has no layer in this region";
    assert!(text.contains(skipped), "{text}");

    for (command, layered) in [(&attach[..], 1), (&["detach", "--all"], 0)] {
        let words = [command, &["--yes", "--json"]].concat();
        let (code, json, text) = run(&account.environment, &words).await;
        assert_eq!(code, Some(0), "{text}");
        let json: Value = serde_json::from_str(&json).unwrap();
        let regions = json.as_array().unwrap();
        assert!(regions.iter().all(|of| of["region"].is_string()), "{json}");
        let worked: Vec<_> = regions
            .iter()
            .filter(|of| of["counts"].is_object())
            .collect();
        assert_eq!(worked.len(), 1, "{json}");
        assert_eq!(worked[0]["region"], HOME);
        assert_eq!(worked[0]["counts"][command[0]], 1, "{json}");
        let now = account.configurations().await;
        assert_eq!(layers(&now["checkout"]).len(), layered);
    }
    assert_eq!(account.configurations().await, before);

    let nobody = ["attach", "--prefix", "nobody"];
    let (code, _, text) = run(&account.environment, &nobody).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("error: there is nothing to do in any region"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_fails_is_in_the_output_and_ends_a_change() {
    let account = account().await;
    let proxy = FaultProxy::before(account.moto.endpoint()).await.unwrap();
    let versions = "GET /2018-10-31/layers/rz-extension-x86_64/versions";
    proxy.always_refuse(versions, "AccessDeniedException");
    let environment = account.by_way_of("LAMBDA", proxy.endpoint());
    let attach = ["attach", "--all", "--yes", "--json"];
    let (code, json, text) = run(&environment, &attach).await;
    assert_eq!(code, Some(1), "{text}");
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json.as_array().unwrap().len(), 1, "{json}");
    let error = json[0]["error"].as_str().unwrap();
    assert!(
        json[0]["region"].is_string() && error.contains("AccessDenied"),
        "{json}"
    );

    // A plan is made of every region, but not by a session that has ended.
    let plan = ["attach", "--all", "--json"];
    for (code, is_one) in [
        ("AccessDeniedException", false),
        ("ExpiredTokenException", true),
    ] {
        proxy.mend();
        proxy.always_refuse(versions, code);
        let (ended, json, text) = run(&environment, &plan).await;
        assert_eq!(ended, Some(1), "{text}");
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            json.as_array().unwrap().len() == 1,
            is_one,
            "{code}: {json}"
        );
        assert_eq!(text.contains("were not tried"), is_one, "{code}: {text}");
    }
}

/// A permission is no advice if nothing responds.
#[tokio::test(flavor = "multi_thread")]
async fn regions_that_cannot_be_listed_have_the_cause() {
    let account = account().await;
    let nowhere = account.by_way_of("EC2", "http://127.0.0.1:1");
    let (code, _, text) = run(&nowhere, &["attach", "--all"]).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("hint: nothing responded"), "{text}");
    assert!(!text.contains("ec2:DescribeRegions"), "{text}");
}

/// Between two waves of a region: what was done is in the output, no later region is tried, and an earlier one is not
/// forgotten.
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_in_a_region_prints_what_was_done_and_ends_before_the_next() {
    let account = account().await;
    account.create("cart", &[], &[]).await;
    in_an_earlier_region(&account).await;
    let attach = ["attach", "--all", "--stack", "rz", "--all-regions"];
    let slowly = ["--yes", "--json", "--waves", "1", "--settle", "3"];
    let words = [&attach[..], &slowly].concat();
    let (child, rest) = begun(&words, &account.environment, "(wave 1 of 2)").await;
    press_ctrl_c(&child).await;
    let text = rest.await;
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(130), "{text}");
    let json: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let (home, before) = json.split_last().unwrap();
    let (changed, skipped): (Vec<_>, Vec<_>) =
        before.iter().partition(|of| of["region"] == EARLIER);
    assert_eq!(changed[0]["counts"], json!({"attach": 1}), "{json:?}");
    let is_skipped = |of: &&Value| of["skipped"].is_string();
    assert!(skipped.iter().all(is_skipped), "{json:?}");
    assert_eq!(home["region"], HOME);
    assert_eq!(home["counts"], json!({"attach": 1, "not-tried": 1}));
    assert_eq!(home["stopped"]["code"], "interrupted");
    let ended = format!("rightsizer: the regions after {HOME} were not tried");
    assert!(text.contains(&ended), "{text}");
    for place in ["--region eu-central-1", "--all-regions"] {
        let back = format!("rightsizer detach --all --stack rz {place} --yes");
        assert!(text.contains(&back), "{text}");
    }
    let now = account.configurations().await;
    let with_layer = now.values().filter(|now| layers(now).len() == 1);
    assert_eq!(with_layer.count(), 1);
}
