//! The fleet read from a real Lambda API server and a real tagging API: pages, tags, changes, what
//! a refusal of either does, and how many calls it takes.

use std::time::{Duration, Instant};

use aws_config::{Region, SdkConfig};
use aws_sdk_lambda::config::{Credentials, SharedCredentialsProvider};
use rightsizer_aws::clock::now;
use rightsizer_aws::inventory::{AwsFleet, FleetError, collect, collect_with_alarms};
use rightsizer_aws::throttle::Throttle;
use rightsizer_records::{Arch, Megabytes};
use rightsizer_rules::inventory::{FunctionFacts, InventoryUpdate};
use rightsizer_tests::aggregator::Aggregator;
use rightsizer_tests::servers::{FaultProxy, MotoServer, REGION, aws_environment};

const LIST: &str = "GET /2015-03-31/functions";
const TAGS: &str = "GetResources";
const ALARMS: &str = "DescribeAlarms";
/// More than a test makes.
const CALLS_A_SECOND: f64 = 1000.0;

fn fleet(endpoint: &str) -> AwsFleet {
    let credentials = Credentials::new("testing", "testing", None, None, "tests");
    let http = aws_smithy_http_client::Builder::new().build_http();
    let config = SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http)
        .endpoint_url(endpoint)
        .build();
    AwsFleet::new(&config)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fleet_is_read_and_changes_are_returned() {
    let moto = MotoServer::start().await.unwrap();
    let proxy = FaultProxy::before(moto.endpoint()).await.unwrap();
    let tags = [("rightsizer:mode", "auto"), ("team", "payments")];
    let checkout = moto
        .create_function("checkout", 1024, 7, &tags)
        .await
        .unwrap();
    for n in 0..60 {
        moto.create_function(&format!("worker-{n:02}"), 256, 3, &[])
            .await
            .unwrap();
    }
    let api = fleet(proxy.endpoint());
    let (update, calls, errors) = collect(&api, &Throttle::per_second(CALLS_A_SECOND), now()).await;
    assert_eq!(errors, []);
    assert!(update.complete);
    assert_eq!(update.functions.len(), 61);
    let seen = proxy.calls(LIST) + proxy.calls(TAGS);
    assert_eq!(proxy.calls(ALARMS), 0, "alarms are read if they are wanted");
    assert_eq!(usize::try_from(calls).unwrap(), seen);
    let facts = facts_of(&update, "checkout").unwrap();
    assert_eq!(facts.function, checkout);
    assert_eq!((facts.memory_mb, facts.timeout_s), (Megabytes(1024), 7));
    assert_eq!(
        (facts.arch, facts.runtime.as_deref()),
        (Arch::X86_64, Some("python3.12"))
    );
    assert!(facts.code_sha256.is_some());
    assert_eq!(facts.tags.as_ref().unwrap()["rightsizer:mode"], "auto");
    assert_eq!(facts.log_group, "/aws/lambda/checkout");

    let update = moto.lambda().update_function_configuration();
    update
        .function_name("checkout")
        .memory_size(512)
        .send()
        .await
        .unwrap();
    let delete = moto.lambda().delete_function();
    delete.function_name("worker-00").send().await.unwrap();
    let (update, ..) = collect(&api, &Throttle::per_second(CALLS_A_SECOND), now()).await;
    let facts = facts_of(&update, "checkout").unwrap();
    assert_eq!(facts.memory_mb, Megabytes(512));
    assert!(update.complete);
    assert_eq!(update.functions.len(), 60);
    assert_eq!(facts_of(&update, "worker-00"), None);
}

fn facts_of<'u>(update: &'u InventoryUpdate, name: &str) -> Option<&'u FunctionFacts> {
    let mut functions = update.functions.iter();
    functions.find(|facts| facts.function.name() == name)
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_is_waited_out_and_a_denial_of_tags_costs_only_them() {
    let moto = MotoServer::start().await.unwrap();
    let proxy = FaultProxy::before(moto.endpoint()).await.unwrap();
    moto.create_function("checkout", 1024, 7, &[("team", "a")])
        .await
        .unwrap();
    let api = fleet(proxy.endpoint());
    proxy.refuse(LIST, 2, "TooManyRequestsException");
    proxy.refuse(TAGS, 1, "ThrottledException");
    let (update, calls, errors) = collect(&api, &Throttle::per_second(CALLS_A_SECOND), now()).await;
    assert_eq!((update.functions.len(), calls, errors.len()), (1, 5, 0));

    proxy.always_refuse(TAGS, "AccessDeniedException");
    let (update, _, errors) = collect(&api, &Throttle::per_second(CALLS_A_SECOND), now()).await;
    assert!(update.complete);
    assert_eq!(update.functions[0].tags, None);
    assert!(
        matches!(&errors[..], [FleetError::Other(why)] if why.contains("AccessDenied")),
        "{errors:?}"
    );
    proxy.always_refuse(LIST, "AccessDeniedException");
    let (update, _, errors) = collect(&api, &Throttle::per_second(CALLS_A_SECOND), now()).await;
    assert!(!update.complete && update.functions.is_empty());
    assert_eq!(errors.len(), 2);
}

/// An alarm on a metric of the function, in `ALARM`: moto keeps it as CloudWatch does.
#[tokio::test(flavor = "multi_thread")]
async fn an_active_alarm_is_known_and_an_unreadable_one_is_reported() {
    let moto = MotoServer::start().await.unwrap();
    let proxy = FaultProxy::before(moto.endpoint()).await.unwrap();
    for name in ["checkout", "cart"] {
        moto.create_function(name, 1024, 7, &[]).await.unwrap();
    }
    for (alarm, function, state) in [
        ("checkout-errors", "checkout", "ALARM"),
        ("cart-errors", "cart", "OK"),
    ] {
        let dimensions =
            format!("Dimensions.member.1.Name=FunctionName&Dimensions.member.1.Value={function}");
        cloudwatch(
            &moto,
            &format!(
                "Action=PutMetricAlarm&AlarmName={alarm}&Namespace=AWS/Lambda&MetricName=Errors&{dimensions}\
                 &Statistic=Sum&Period=60&EvaluationPeriods=1&Threshold=1&ComparisonOperator=GreaterThanThreshold"
            ),
        )
        .await
        .unwrap();
        cloudwatch(
            &moto,
            &format!("Action=SetAlarmState&AlarmName={alarm}&StateValue={state}&StateReason=test"),
        )
        .await
        .unwrap();
    }
    let api = fleet(proxy.endpoint());
    let (update, _, errors) =
        collect_with_alarms(&api, &Throttle::per_second(CALLS_A_SECOND), now()).await;
    assert_eq!(errors, []);
    let alarm = |name: &str| facts_of(&update, name).unwrap().alarm.clone();
    assert_eq!(alarm("checkout").as_deref(), Some("checkout-errors"));
    assert_eq!(alarm("cart"), None);
    assert!(
        update
            .functions
            .iter()
            .all(|facts| facts.modified.is_some())
    );

    proxy.always_refuse(ALARMS, "AccessDenied");
    let (update, _, errors) =
        collect_with_alarms(&api, &Throttle::per_second(CALLS_A_SECOND), now()).await;
    assert!(update.complete && update.functions.iter().all(|facts| facts.alarm.is_none()));
    assert!(
        matches!(&errors[..], [FleetError::Other(why)] if why.contains("alarms are not read")),
        "{errors:?}"
    );
}

/// Calls CloudWatch's query API.
async fn cloudwatch(moto: &MotoServer, form: &str) -> reqwest::Result<()> {
    let answer = reqwest::Client::new()
        .post(moto.endpoint())
        .header("content-type", "application/x-www-form-urlencoded")
        .header(
            "authorization",
            format!(
                "AWS4-HMAC-SHA256 Credential=testing/20260101/{REGION}/monitoring/aws4_request"
            ),
        )
        .body(format!("{form}&Version=2010-08-01"))
        .send()
        .await?;
    answer.error_for_status().map(drop)
}

/// The binary refreshes if it is configured to, and makes no call otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn serve_reads_the_fleet_only_if_configured() {
    let moto = MotoServer::start().await.unwrap();
    let proxy = FaultProxy::before(moto.endpoint()).await.unwrap();
    moto.create_function("checkout", 1024, 7, &[])
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("serve.log");
    let mut environment = aws_environment("LAMBDA", proxy.endpoint());
    let tagging = "RESOURCE_GROUPS_TAGGING_API";
    for service in [tagging, "CLOUDWATCH"] {
        environment.extend(aws_environment(service, proxy.endpoint()));
    }
    let store = folder.path().join("rightsizer.db");
    let serve = Aggregator::start(&store, &[], &environment, Some(&log))
        .await
        .unwrap();
    assert!(serve.stop().await.unwrap().success());
    assert_eq!(proxy.calls(LIST) + proxy.calls(TAGS), 0);

    let arguments = ["--inventory", "lambda", "--log-format", "json"];
    let serve = Aggregator::start(&store, &arguments, &environment, Some(&log));
    let serve = serve.await.unwrap();
    let until = Instant::now() + Duration::from_mins(1);
    let refreshed = loop {
        let text = std::fs::read_to_string(&log).unwrap();
        let mut lines = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        if let Some(line) = lines.find(|line| line["message"] == "inventory refreshed") {
            break line;
        }
        assert!(Instant::now() < until, "{text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(
        (&refreshed["functions"], &refreshed["calls"]),
        (&1.into(), &3.into())
    );
    assert!(serve.stop().await.unwrap().success());
}
