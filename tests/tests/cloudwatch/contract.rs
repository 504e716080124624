//! What `moto` does with logs, the server of ours does too.

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::error::ProvideErrorMetadata;
use rightsizer_aws::logs::REPORT_PATTERN;
use rightsizer_tests::servers::{LogsServer, MotoServer};

use crate::stage::{Group, Invocation, ago, client, stream};

async fn groups_are_listed_in_pages_by_prefix(logs: &Client) {
    for n in 0..60 {
        let name = format!("/aws/lambda/f{n:02}");
        Group {
            client: logs,
            name: &name,
        }
        .create()
        .await;
    }
    Group {
        client: logs,
        name: "/other",
    }
    .create()
    .await;
    let (mut names, mut next) = (Vec::new(), None);
    loop {
        let page = logs
            .describe_log_groups()
            .log_group_name_prefix("/aws/lambda/");
        let page = page.limit(50).set_next_token(next).send().await.unwrap();
        assert!(page.log_groups().len() <= 50);
        for group in page.log_groups() {
            let arn = group.log_group_arn().unwrap();
            assert!(
                arn.starts_with("arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/f")
            );
            assert!(group.stored_bytes().is_some() && group.creation_time().is_some());
            names.push(group.log_group_name().unwrap().to_owned());
        }
        next = page.next_token().map(str::to_owned);
        if next.is_none() {
            break;
        }
    }
    assert!(names.is_sorted() && names.len() == 60);
}

async fn reports_are_found_between_two_times(logs: &Client) {
    let group = Group {
        client: logs,
        name: "/aws/lambda/filtered",
    };
    group.create().await;
    for back in 1..=3 {
        let day = ago(back);
        group
            .day(day, &stream(day, "", "$LATEST"), &[Invocation::ok(128, 90)])
            .await;
    }
    let filter = |name: &str| {
        let filter = logs.filter_log_events().log_group_name(name);
        let filter = filter.filter_pattern(REPORT_PATTERN);
        filter
            .start_time(ago(2).start().as_ms())
            .end_time(ago(1).start().as_ms())
    };
    let found = filter(group.name).send().await.unwrap();
    let mut found: Vec<_> = found.events().to_vec();
    // moto returns all events if it does not understand a pattern.
    found.retain(|event| event.message().unwrap().starts_with("REPORT"));
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].log_stream_name(),
        Some(stream(ago(2), "", "$LATEST").as_str())
    );
    let missing = filter("/none").send().await.unwrap_err();
    assert_eq!(missing.code(), Some("ResourceNotFoundException"));
    let missing = logs
        .start_query()
        .log_group_names("/none")
        .query_string("fields @message");
    let missing = missing.start_time(0).end_time(1).send().await.unwrap_err();
    assert_eq!(missing.code(), Some("ResourceNotFoundException"));
}

async fn a_group_takes_two_subscriptions(logs: &Client, destinations: [&str; 3]) {
    let group = "/aws/lambda/subscribed";
    Group {
        client: logs,
        name: group,
    }
    .create()
    .await;
    let put = |n: usize, pattern: &str| {
        let put = logs.put_subscription_filter().log_group_name(group);
        let put = put
            .filter_name(format!("filter-{n}"))
            .filter_pattern(pattern);
        put.destination_arn(destinations[n])
            .role_arn("arn:aws:iam::123456789012:role/logs")
    };
    put(0, REPORT_PATTERN).send().await.unwrap();
    put(1, "").send().await.unwrap();
    let third = put(2, "").send().await.unwrap_err();
    assert_eq!(third.code(), Some("LimitExceededException"));
    let there = logs
        .describe_subscription_filters()
        .log_group_name(group)
        .send()
        .await
        .unwrap();
    let there = there.subscription_filters();
    assert_eq!(there.len(), 2);
    assert_eq!(there[0].filter_pattern(), Some(REPORT_PATTERN));
    assert_eq!(there[0].destination_arn(), Some(destinations[0]));
    let delete = |name: &str| {
        let delete = logs.delete_subscription_filter().log_group_name(group);
        delete.filter_name(name).send()
    };
    delete("filter-0").await.unwrap();
    let gone = delete("filter-0").await.unwrap_err();
    assert_eq!(gone.code(), Some("ResourceNotFoundException"));
    let missing = logs
        .describe_subscription_filters()
        .log_group_name("/none")
        .send()
        .await;
    assert_eq!(
        missing.unwrap_err().code(),
        Some("ResourceNotFoundException")
    );
}

const STREAMS: [&str; 3] = [
    "arn:aws:kinesis:eu-central-1:123456789012:stream/s0",
    "arn:aws:kinesis:eu-central-1:123456789012:stream/s1",
    "arn:aws:kinesis:eu-central-1:123456789012:stream/s2",
];

#[tokio::test(flavor = "multi_thread")]
async fn moto_keeps_the_contract() {
    let moto = MotoServer::start().await.unwrap();
    let logs = client(moto.endpoint());
    groups_are_listed_in_pages_by_prefix(&logs).await;
    reports_are_found_between_two_times(&logs).await;
    // It looks whether the streams are there.
    let kinesis = crate::put_records::client(moto.endpoint());
    for n in 0..3 {
        let create = kinesis.create_stream().stream_name(format!("s{n}"));
        create.shard_count(1).send().await.unwrap();
    }
    a_group_takes_two_subscriptions(&logs, STREAMS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_of_ours_keeps_the_contract() {
    let server = LogsServer::start().await.unwrap();
    let logs = client(server.endpoint());
    groups_are_listed_in_pages_by_prefix(&logs).await;
    reports_are_found_between_two_times(&logs).await;
    a_group_takes_two_subscriptions(&logs, STREAMS).await;
}
