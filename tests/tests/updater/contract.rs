//! What both Lambda API servers can do, the updater does with both: `moto`, which others made, and
//! our own that goes wrong on order, so that the one is held to what the other does.

use std::collections::HashMap;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    AliasRoutingConfiguration, Environment, FunctionCode, FunctionConfiguration, Runtime,
};
use rightsizer_records::tags::PAUSED_TAG;
use rightsizer_records::{FunctionArn, OutcomeStatus};
use rightsizer_tests::servers::{ACCOUNT, FaultLambda, MotoServer, REGION};
use rightsizer_updater::{LambdaApi, PauseSwitch, PauseTag, RunningClock, Updater};

use crate::stage::{approved, for_version, now, recommendation, settings, updater};

/// Archives without files; the second has a comment, which makes it other code.
const CODE: [u8; 22] = [
    b'P', b'K', 5, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
];
const OTHER_CODE: [u8; 23] = [
    b'P', b'K', 5, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, b'x',
];

async fn both(test: impl AsyncFn(&Client)) {
    let ours = FaultLambda::default().serve().await.unwrap();
    test(&ours.client()).await;
    let moto = MotoServer::start().await.unwrap();
    test(moto.lambda()).await;
}

async fn create(client: &Client, name: &str, memory: i32, tags: &[(&str, &str)]) -> FunctionArn {
    let pairs = |pairs: &[(&str, &str)]| -> HashMap<String, String> {
        let pairs = pairs.iter();
        pairs
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    };
    let variables = pairs(&[("LEVEL", "info"), ("TABLE", "orders")]);
    client
        .create_function()
        .function_name(name)
        .runtime(Runtime::Python312)
        .handler("main.handle")
        .role(format!("arn:aws:iam::{ACCOUNT}:role/test-function"))
        .code(FunctionCode::builder().zip_file(Blob::new(CODE)).build())
        .memory_size(memory)
        .timeout(9)
        .set_tags(Some(pairs(tags)))
        .environment(
            Environment::builder()
                .set_variables(Some(variables))
                .build(),
        )
        .send()
        .await
        .unwrap();
    FunctionArn::new("aws", REGION, ACCOUNT, name).unwrap()
}

async fn read(client: &Client, name: &str, qualifier: Option<&str>) -> FunctionConfiguration {
    let request = client.get_function().function_name(name);
    let answer = request
        .set_qualifier(qualifier.map(str::to_owned))
        .send()
        .await;
    answer.unwrap().configuration.unwrap()
}

async fn publish(client: &Client, name: &str) -> String {
    let answer = client.publish_version().function_name(name).send().await;
    answer.unwrap().version.unwrap()
}

async fn alias(client: &Client, name: &str, version: &str) {
    let request = client.create_alias().function_name(name).name("live");
    request.function_version(version).send().await.unwrap();
}

async fn aliased_version(client: &Client, name: &str) -> String {
    let answer = client
        .get_alias()
        .function_name(name)
        .name("live")
        .send()
        .await;
    answer.unwrap().function_version.unwrap()
}

/// Without what every change leaves behind, and without the memory.
fn but_memory(mut config: FunctionConfiguration) -> FunctionConfiguration {
    config.memory_size = None;
    config.revision_id = None;
    config.last_modified = None;
    config
}

#[tokio::test]
async fn memory_changes_and_nothing_else() {
    both(async |client| {
        let tags = [("rightsizer:mode", "auto"), ("team", "payments")];
        let arn = create(client, "checkout", 1024, &tags).await;
        let before = read(client, "checkout", None).await;
        let rec = recommendation("a", &arn, 1024, 512);
        let outcome = updater(client).apply(&rec).await.unwrap();
        assert_eq!(outcome.status, OutcomeStatus::Applied, "{}", outcome.detail);
        let after = read(client, "checkout", None).await;
        assert_eq!(after.memory_size, Some(512));
        assert_eq!(but_memory(after), but_memory(before.clone()));
        let variables = before.environment.unwrap().variables.unwrap();
        assert_eq!(variables["TABLE"], "orders");
        let answer = client.get_function().function_name("checkout").send();
        assert_eq!(answer.await.unwrap().tags.unwrap()["team"], "payments");

        // A second delivery is answered the same.
        let again = updater(client).apply(&rec).await.unwrap();
        assert_eq!(again.status, OutcomeStatus::Applied);
    })
    .await;
}

#[tokio::test]
async fn a_deleted_function_is_a_failure_with_its_code() {
    both(async |client| {
        let gone = FunctionArn::new("aws", REGION, ACCOUNT, "gone").unwrap();
        let rec = recommendation("b", &gone, 1024, 512);
        let outcome = updater(client).apply(&rec).await.unwrap();
        assert_eq!(
            (outcome.status, outcome.reason.as_str()),
            (OutcomeStatus::Failed, "not-found")
        );
    })
    .await;
}

#[tokio::test]
async fn the_tags_on_the_function_itself_are_obeyed() {
    let mode = "rightsizer:mode";
    both(async |client| {
        for (name, tags, by_a_person, want) in [
            ("plain", vec![], false, ""),
            ("off", vec![(mode, "off")], false, "opted-out"),
            ("off-approved", vec![(mode, "off")], true, "opted-out"),
            (
                "recommend",
                vec![(mode, "recommend")],
                false,
                "recommend-only",
            ),
            ("recommend-approved", vec![(mode, "recommend")], true, ""),
            (
                "min",
                vec![("rightsizer:min-mb", "600")],
                false,
                "outside-tags",
            ),
            (
                "max",
                vec![("rightsizer:max-mb", "500")],
                false,
                "outside-tags",
            ),
            ("typing-error", vec![(mode, "of")], false, "bad-tag"),
        ] {
            let arn = create(client, name, 1024, &tags).await;
            let mut rec = recommendation(name, &arn, 1024, 512);
            if by_a_person {
                rec = approved(rec);
            }
            let outcome = updater(client).apply(&rec).await.unwrap();
            assert_eq!(outcome.reason, want, "{name}: {}", outcome.detail);
            let memory = if want.is_empty() { 512 } else { 1024 };
            assert_eq!(
                read(client, name, None).await.memory_size,
                Some(memory),
                "{name}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn traffic_on_a_version_is_moved_by_its_alias_and_memory_is_all_that_differs() {
    both(async |client| {
        let arn = create(client, "shop", 1024, &[("rightsizer:alias", "live")]).await;
        assert_eq!(publish(client, "shop").await, "1");
        alias(client, "shop", "1").await;
        let before = read(client, "shop", Some("1")).await;
        let rec = for_version("1", recommendation("a", &arn, 1024, 512));
        let outcome = updater(client).apply(&rec).await.unwrap();
        assert_eq!(outcome.status, OutcomeStatus::Applied, "{}", outcome.detail);

        assert_eq!(aliased_version(client, "shop").await, "2");
        let mut after = read(client, "shop", Some("2")).await;
        assert_eq!(after.memory_size, Some(512));
        assert_eq!(after.version.as_deref(), Some("2"));
        after.version.clone_from(&before.version);
        after.function_arn.clone_from(&before.function_arn);
        assert_eq!(but_memory(after), but_memory(before));
        // The version that served is as it was.
        assert_eq!(
            read(client, "shop", Some("1")).await.memory_size,
            Some(1024)
        );
        let again = updater(client).apply(&rec).await.unwrap();
        assert_eq!(again.status, OutcomeStatus::Applied, "{}", again.detail);
        assert_eq!(aliased_version(client, "shop").await, "2");
    })
    .await;
}

#[tokio::test]
async fn unreleased_code_stays_unreleased() {
    both(async |client| {
        let arn = create(client, "shop", 1024, &[("rightsizer:alias", "live")]).await;
        publish(client, "shop").await;
        alias(client, "shop", "1").await;
        let released = read(client, "shop", Some("1")).await;
        let code = client.update_function_code().function_name("shop");
        code.zip_file(Blob::new(OTHER_CODE)).send().await.unwrap();
        let unreleased = read(client, "shop", None).await;
        assert_ne!(unreleased.code_sha256, released.code_sha256);

        for rec in [
            recommendation("down", &arn, 1024, 512),
            approved(recommendation("up", &arn, 1024, 2048)),
        ] {
            let outcome = updater(client).apply(&for_version("1", rec)).await.unwrap();
            assert_eq!(outcome.reason, "alias-ahead", "{}", outcome.detail);
            assert!(outcome.detail.contains("code"), "{}", outcome.detail);
        }
        assert_eq!(aliased_version(client, "shop").await, "1");
        assert_eq!(read(client, "shop", None).await, unreleased);
        let versions = client.get_function().function_name("shop").qualifier("2");
        assert!(versions.send().await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_weighted_alias_and_a_function_without_the_tag_are_left_alone() {
    both(async |client| {
        let arn = create(client, "canary", 1024, &[("rightsizer:alias", "live")]).await;
        publish(client, "canary").await;
        alias(client, "canary", "1").await;
        let routing = AliasRoutingConfiguration::builder().additional_version_weights("1", 0.1);
        let request = client.update_alias().function_name("canary").name("live");
        request
            .routing_config(routing.build())
            .send()
            .await
            .unwrap();
        let rec = for_version("1", recommendation("a", &arn, 1024, 512));
        let outcome = updater(client).apply(&rec).await.unwrap();
        assert_eq!(outcome.reason, "alias-managed", "{}", outcome.detail);

        let arn = create(client, "untagged", 1024, &[]).await;
        let rec = for_version("1", recommendation("b", &arn, 1024, 512));
        let outcome = updater(client).apply(&rec).await.unwrap();
        assert_eq!(outcome.reason, "served-by-version");
        assert_eq!(read(client, "untagged", None).await.memory_size, Some(1024));
    })
    .await;
}

#[tokio::test]
async fn a_tag_on_the_updater_stops_everything_until_it_is_gone() {
    both(async |client| {
        let own = create(client, "rightsizer-updater", 128, &[]).await;
        let arn = create(client, "checkout", 1024, &[]).await;
        let try_it = async |id: &str| {
            let api = LambdaApi::new(client);
            let pause = PauseTag::new(api.clone(), own.clone());
            let updater = Updater::new(api, pause, RunningClock::set_to(now()), settings());
            updater
                .apply(&recommendation(id, &arn, 1024, 512))
                .await
                .unwrap()
        };
        let tag = client.tag_resource().resource(own.as_str());
        tag.tags(PAUSED_TAG, "on call").send().await.unwrap();
        let outcome = try_it("a").await;
        assert_eq!(outcome.reason, "paused");
        assert!(outcome.detail.contains("on call"), "{}", outcome.detail);
        assert_eq!(read(client, "checkout", None).await.memory_size, Some(1024));

        let untag = client.untag_resource().resource(own.as_str());
        untag.tag_keys(PAUSED_TAG).send().await.unwrap();
        assert_eq!(try_it("b").await.status, OutcomeStatus::Applied);

        let nobody = FunctionArn::new("aws", REGION, ACCOUNT, "nobody").unwrap();
        let unknown = PauseTag::new(LambdaApi::new(client), nobody);
        assert!(unknown.paused().await.is_err());
    })
    .await;
}
