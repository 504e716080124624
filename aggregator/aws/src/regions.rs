//! The one call of EC2 that the product makes: which regions may the account use?

use aws_config::SdkConfig;
use rightsizer_records::Partition;

use crate::signed::{Call, CallFailure, Service, SignedClient};

fn place(region: &str) -> (String, String) {
    let suffix = Partition::of_region(region).dns_suffix;
    (format!("ec2.{region}.{suffix}"), region.to_owned())
}

/// Returns the regions that are enabled for the account, sorted.
///
/// # Errors
/// If the call fails, or its answer names none.
pub async fn enabled(config: &SdkConfig) -> Result<Vec<String>, CallFailure> {
    let service = Service {
        id: "EC2",
        signing_name: "ec2",
        place,
    };
    let call = Call {
        content_type: "application/x-www-form-urlencoded",
        target: None,
        body: "Action=DescribeRegions&Version=2016-11-15".to_owned(),
    };
    let answer = SignedClient::new(config, service).call(call).await?;
    named(&answer).ok_or_else(|| CallFailure::Unclear("EC2 returned no region".to_owned()))
}

/// The names in an answer of `DescribeRegions`; none if there is no name.
fn named(answer: &str) -> Option<Vec<String>> {
    let document = roxmltree::Document::parse(answer).ok()?;
    let names = document
        .descendants()
        .filter(|node| node.has_tag_name("regionName"));
    let names = names.filter_map(|node| node.text().map(str::to_owned));
    let mut names: Vec<String> = names.collect();
    names.sort();
    (!names.is_empty()).then_some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_names_the_regions() {
        let item = |name: &str| {
            format!(
                "<item><regionName>{name}</regionName><optInStatus>opted-in</optInStatus></item>"
            )
        };
        let answer = format!(
            "<DescribeRegionsResponse><regionInfo>{}{}</regionInfo></DescribeRegionsResponse>",
            item("eu-west-1"),
            item("ap-east-1")
        );
        let names = named(&answer).unwrap();
        assert_eq!(names, ["ap-east-1", "eu-west-1"]);
        assert_eq!(named("<DescribeRegionsResponse/>"), None);
        assert_eq!(place("cn-north-1").0, "ec2.cn-north-1.amazonaws.com.cn");
    }
}
