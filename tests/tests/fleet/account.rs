//! An account as the tests need it: a Lambda API server with functions, and a layer.

use std::collections::BTreeMap;
use std::process::Output;

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Architecture, LayerVersionContentInput};
use rightsizer_tests::aggregator::rightsizer_with;
use rightsizer_tests::servers::{FunctionSpec, MotoServer, aws_environment};
use serde_json::Value;

const SCOPE: &str = "AWS4-HMAC-SHA256 \
    Credential=testing/20260101/eu-central-1/lambda/aws4_request, SignedHeaders=host, Signature=0";

/// An account with functions, a layer of ours, and the stream `reports`.
pub(crate) struct Account {
    pub(crate) moto: MotoServer,
    pub(crate) layer: String,
    pub(crate) environment: Vec<(String, String)>,
}

impl Account {
    pub(crate) async fn open() -> Self {
        let moto = MotoServer::start().await.unwrap();
        let layer = publish(&moto, "rightsizer").await;
        let services = [
            "LAMBDA",
            "RESOURCE_GROUPS_TAGGING_API",
            "CLOUDWATCH",
            "IAM",
            "KINESIS",
        ];
        let environment = services
            .into_iter()
            .flat_map(|service| aws_environment(service, moto.endpoint()))
            .collect();
        let account = Self {
            moto,
            layer,
            environment,
        };
        account.create_stream("reports").await;
        account
    }

    pub(crate) async fn create_stream(&self, name: &str) {
        self.create_stream_in("eu-central-1", name).await;
    }

    pub(crate) async fn create_stream_in(&self, region: &str, name: &str) {
        let scope = SCOPE.replace("eu-central-1/lambda", &format!("{region}/kinesis"));
        let request = reqwest::Client::new()
            .post(self.moto.endpoint())
            .header("authorization", scope)
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", "Kinesis_20131202.CreateStream")
            .body(serde_json::json!({"StreamName": name, "ShardCount": 1}).to_string());
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }

    /// The same by way of another server for one service.
    pub(crate) fn by_way_of(&self, service: &str, endpoint: &str) -> Vec<(String, String)> {
        let mut environment = self.environment.clone();
        environment.extend(aws_environment(service, endpoint));
        environment
    }

    pub(crate) async fn run(&self, command: &str, more: &[&str]) -> (Output, Value) {
        self.run_with(command, more, &self.environment).await
    }

    pub(crate) async fn run_with(
        &self,
        command: &str,
        more: &[&str],
        environment: &[(String, String)],
    ) -> (Output, Value) {
        let mut arguments = self.arguments(command);
        arguments.extend(more.iter().copied().chain(["--json"]));
        let output = rightsizer_with(&arguments, environment).await.unwrap();
        let json = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        (output, json)
    }

    pub(crate) fn arguments<'a>(&'a self, command: &'a str) -> Vec<&'a str> {
        let layer = self.layer.as_str();
        let mut arguments = vec![
            command, "--layer", layer, "--stream", "reports", "--rate", "10",
        ];
        if command == "attach" {
            arguments.extend(["--waves", "none"]);
        }
        arguments
    }

    /// Adds to what CloudWatch counts of a function in a moment.
    pub(crate) async fn count(&self, function: &str, metric: &str, value: u32) {
        let soon = std::time::SystemTime::now() + std::time::Duration::from_secs(20);
        let soon = soon.duration_since(std::time::UNIX_EPOCH).unwrap();
        let soon = i64::try_from(soon.as_millis()).unwrap();
        let soon = rightsizer_records::Timestamp::from_ms(soon).unwrap();
        let dimension = "MetricData.member.1.Dimensions.member.1";
        let form = [
            "Action=PutMetricData&Version=2010-08-01&Namespace=AWS%2FLambda".to_owned(),
            format!("MetricData.member.1.MetricName={metric}&MetricData.member.1.Value={value}"),
            format!("{dimension}.Name=FunctionName&{dimension}.Value={function}"),
            format!("MetricData.member.1.Timestamp={soon}"),
        ];
        let request = reqwest::Client::new()
            .post(self.moto.endpoint())
            .header("authorization", SCOPE.replace("/lambda/", "/monitoring/"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.join("&"));
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }

    /// The whole of every function's configuration but what every change changes.
    pub(crate) async fn configurations(&self) -> BTreeMap<String, Value> {
        let mut all = BTreeMap::new();
        let list = self.moto.lambda().list_functions().into_paginator();
        let mut pages = list.send();
        while let Some(page) = pages.next().await {
            for function in page.unwrap().functions() {
                let name = function.function_name().unwrap();
                let path = format!("2015-03-31/functions/{name}/configuration");
                let url = format!("{}/{path}", self.moto.endpoint());
                // The server finds the service and the region in the signature's scope.
                let request = reqwest::Client::new()
                    .get(url)
                    .header("authorization", SCOPE);
                let answer = request.send().await.unwrap();
                let text = answer.text().await.unwrap();
                let mut whole: Value = serde_json::from_str(&text).unwrap();
                let fields = whole.as_object_mut().unwrap();
                assert_eq!(fields["FunctionName"], name, "{text}");
                for field in ["RevisionId", "LastModified"] {
                    fields.remove(field);
                }
                all.insert(name.to_owned(), whole);
            }
        }
        all
    }

    pub(crate) async fn create(&self, name: &str, layers: &[String], variables: &[(&str, &str)]) {
        let own = |text: &&str| (*text).to_owned();
        let spec = FunctionSpec {
            memory_mb: 512,
            timeout_s: 3,
            tags: [("team".to_owned(), "a".to_owned())].into(),
            environment: variables.iter().map(|(k, v)| (own(k), own(v))).collect(),
        };
        self.moto.create(name, spec).await.unwrap();
        if !layers.is_empty() {
            let update = self.moto.lambda().update_function_configuration();
            let update = update.function_name(name);
            let update = update.set_layers(Some(layers.to_vec()));
            update.send().await.unwrap();
        }
    }
}

pub(crate) async fn publish(moto: &MotoServer, name: &str) -> String {
    let content = LayerVersionContentInput::builder().zip_file(Blob::new([0; 10]));
    let publish = moto.lambda().publish_layer_version().layer_name(name);
    let publish = publish.compatible_architectures(Architecture::X8664);
    let answer = publish.content(content.build()).send().await.unwrap();
    answer.layer_version_arn().unwrap().to_owned()
}

pub(crate) fn layers(configuration: &Value) -> Vec<&str> {
    let layers = configuration["Layers"].as_array().into_iter().flatten();
    layers.map(|l| l["Arn"].as_str().unwrap()).collect()
}
