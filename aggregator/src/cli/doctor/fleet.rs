//! Checks that the fleet can be read.

use aws_config::SdkConfig;
use aws_sdk_lambda::error::ProvideErrorMetadata;
use rightsizer_aws::alarms::Alarms;
use rightsizer_aws::errors::words;
use rightsizer_aws::tagging::Tagging;

use super::finding::Finding;
use super::stream::advice;

/// One call of each kind that the inventory makes.
pub(super) async fn examine(config: &SdkConfig) -> Vec<Finding> {
    let lambda = aws_sdk_lambda::Client::new(config);
    let listed = lambda.list_functions().max_items(1).send().await;
    let functions = match listed {
        Ok(_) => Finding::ok("functions", "can be listed"),
        Err(e) => {
            let found = format!("lambda:ListFunctions fails: {}", words(&e));
            Finding::wrong("functions", found, advice("lambda:ListFunctions", e.code()))
        }
    };
    let read = Tagging::new(config).get_resources(None, 1).await;
    let tags = match read {
        Ok(_) => Finding::ok("tags", "can be read"),
        Err(e) => {
            let found = format!("tag:GetResources fails: {e}; tags stay unknown");
            Finding::wrong("tags", found, advice("tag:GetResources", e.code()))
        }
    };
    let alarms = match Alarms::new(config).describe_alarms(None).await {
        Ok(_) => Finding::ok("alarms", "can be read"),
        Err(e) => Finding::doubtful(
            "alarms",
            format!("cloudwatch:DescribeAlarms fails: {e}; no decrease waits for an alarm"),
            advice("cloudwatch:DescribeAlarms", e.code()),
        ),
    };
    vec![functions, tags, alarms]
}
