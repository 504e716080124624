//! The one call of CloudWatch's alarms that the product makes: which functions have an alarm that is in
//! `ALARM`?

use aws_config::SdkConfig;
use rightsizer_records::Partition;
use roxmltree::{Document, Node};

use crate::Page;
use crate::signed::{Call, CallFailure, Service, SignedClient};

/// The most alarms that one page may hold.
const LARGEST_PAGE: &str = "100";

/// A function's name, and the name of an alarm on it that is in `ALARM`.
pub type Ringing = (String, String);

/// CloudWatch, by the caller's credentials.
#[derive(Debug)]
pub struct Alarms(SignedClient);

/// CloudWatch, in the caller's region.
pub(crate) const CLOUDWATCH: Service = Service {
    id: "CloudWatch",
    signing_name: "monitoring",
    place: |region| {
        let suffix = Partition::of_region(region).dns_suffix;
        (format!("monitoring.{region}.{suffix}"), region.to_owned())
    },
};

impl Alarms {
    /// With this configuration's credentials and region. Calls are not repeated.
    pub fn new(config: &SdkConfig) -> Self {
        Self(SignedClient::new(config, CLOUDWATCH))
    }

    /// Returns a page of the functions that metric alarms in `ALARM` are about.
    pub async fn describe_alarms(
        &self,
        page: Option<String>,
    ) -> Result<Page<Ringing>, CallFailure> {
        let answer = self.0.call(Call {
            content_type: "application/x-www-form-urlencoded",
            target: None,
            body: request(page.as_deref()),
        });
        read(&answer.await?)
    }
}

fn request(page: Option<&str>) -> String {
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.append_pair("Action", "DescribeAlarms")
        .append_pair("Version", "2010-08-01")
        .append_pair("AlarmTypes.member.1", "MetricAlarm")
        .append_pair("StateValue", "ALARM")
        .append_pair("MaxRecords", LARGEST_PAGE);
    if let Some(page) = page {
        body.append_pair("NextToken", page);
    }
    body.finish()
}

/// Reads an answer. An alarm may be on several functions, and by a metric or by a formula of metrics.
fn read(answer: &str) -> Result<Page<Ringing>, CallFailure> {
    let document = Document::parse(answer)
        .map_err(|e| CallFailure::Unclear(format!("not a response of DescribeAlarms: {e}")))?;
    let mut items = Vec::new();
    let alarms = document.descendants().filter(|n| is(*n, "MetricAlarms"));
    for alarm in alarms.flat_map(|list| list.children().filter(|n| is(*n, "member"))) {
        // Some servers do not filter by the state.
        let rings = text(alarm, "StateValue").is_none_or(|state| state == "ALARM");
        let Some(name) = text(alarm, "AlarmName").filter(|_| rings) else {
            continue;
        };
        let dimensions = alarm.descendants().filter(|n| is(*n, "Dimensions"));
        for dimension in dimensions.flat_map(|list| list.children()) {
            if text(dimension, "Name") == Some("FunctionName")
                && let Some(function) = text(dimension, "Value")
            {
                items.push((function.to_owned(), name.to_owned()));
            }
        }
    }
    let mut tokens = document.descendants().filter(|n| is(*n, "NextToken"));
    let next = tokens.find_map(|node| node.text()).map(str::to_owned);
    Ok(Page { items, next })
}

fn is(node: Node<'_, '_>, name: &str) -> bool {
    node.has_tag_name(name)
}

/// The text of a child element.
fn text<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    node.children().find(|child| is(*child, name))?.text()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One alarm by a metric, one by a formula of two functions' metrics, one that is not about a function.
    const ANSWER: &str = r#"
        <DescribeAlarmsResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/"><DescribeAlarmsResult>
        <MetricAlarms>
          <member><AlarmName>orders-errors</AlarmName><StateValue>ALARM</StateValue>
            <Dimensions><member><Name>FunctionName</Name><Value>orders</Value></member>
              <member><Name>Resource</Name><Value>orders:live</Value></member></Dimensions></member>
          <member><AlarmName>share &amp; rate</AlarmName><StateValue>ALARM</StateValue><Metrics>
            <member><MetricStat><Metric><Dimensions><member><Name>FunctionName</Name><Value>cart</Value></member>
              </Dimensions></Metric></MetricStat></member>
            <member><MetricStat><Metric><Dimensions><member><Name>FunctionName</Name><Value>mail</Value></member>
              </Dimensions></Metric></MetricStat></member></Metrics></member>
          <member><AlarmName>queue</AlarmName><StateValue>ALARM</StateValue>
            <Dimensions><member><Name>QueueName</Name><Value>jobs</Value></member></Dimensions></member>
          <member><AlarmName>quiet</AlarmName><StateValue>OK</StateValue>
            <Dimensions><member><Name>FunctionName</Name><Value>pay</Value></member></Dimensions></member>
        </MetricAlarms><NextToken>more</NextToken></DescribeAlarmsResult></DescribeAlarmsResponse>"#;

    #[test]
    fn functions_are_found_in_alarms_on_metrics_and_on_formulas() {
        let page = read(ANSWER).unwrap();
        let pair = |function: &str, alarm: &str| (function.to_owned(), alarm.to_owned());
        assert_eq!(
            page.items,
            [
                pair("orders", "orders-errors"),
                pair("cart", "share & rate"),
                pair("mail", "share & rate")
            ]
        );
        assert_eq!(page.next.as_deref(), Some("more"));
        assert!(read("<html").is_err());
    }
}
