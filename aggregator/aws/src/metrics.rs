//! Reads from CloudWatch's metrics how often functions were invoked and failed.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use rightsizer_records::Timestamp;
use roxmltree::Document;

use crate::alarms::CLOUDWATCH;
use crate::fleet::Calls;
use crate::signed::{Call, CallFailure, SignedClient};

/// Functions per request: each has two metrics, and CloudWatch accepts 500 in one request.
const FUNCTIONS_AT_ONCE: usize = 250;
/// Period of one value, in seconds.
const PERIOD: i64 = 60;

/// A client of CloudWatch's metrics.
#[derive(Debug)]
pub struct Metrics(SignedClient);

impl Metrics {
    /// Returns a client with this configuration's credentials and region. Calls are not retried.
    pub fn new(config: &SdkConfig) -> Self {
        Self(SignedClient::new(config, CLOUDWATCH))
    }

    /// Returns the invocations and failures of each function, in the order of `names`, in a window that begins at
    /// a full minute. A function that was not invoked has zeros.
    pub async fn calls(
        &self,
        names: &[&str],
        (from, until): (Timestamp, Timestamp),
    ) -> Result<Vec<Calls>, CallFailure> {
        let mut all = Vec::new();
        for some in names.chunks(FUNCTIONS_AT_ONCE) {
            let mut counted = BTreeMap::new();
            let mut page = None;
            loop {
                let call = Call {
                    content_type: "application/x-www-form-urlencoded",
                    target: None,
                    body: request(some, (from, until), page.as_deref()),
                };
                page = read(&self.0.call(call).await?, &mut counted)?;
                if page.is_none() {
                    break;
                }
            }
            let of = |kind: &str, n: usize| counted.get(&format!("{kind}{n}")).copied();
            all.extend((0..some.len()).map(|n| Calls {
                invocations: of("i", n).unwrap_or_default(),
                errors: of("e", n).unwrap_or_default(),
            }));
        }
        Ok(all)
    }
}

fn request(names: &[&str], (from, until): (Timestamp, Timestamp), page: Option<&str>) -> String {
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.append_pair("Action", "GetMetricData")
        .append_pair("Version", "2010-08-01")
        .append_pair("StartTime", &from.to_string())
        .append_pair("EndTime", &until.to_string());
    let mut n = 0;
    for (function, name) in names.iter().enumerate() {
        for (kind, metric) in [("i", "Invocations"), ("e", "Errors")] {
            n += 1;
            let query = format!("MetricDataQueries.member.{n}");
            let stat = format!("{query}.MetricStat");
            let dimension = format!("{stat}.Metric.Dimensions.member.1");
            body.append_pair(&format!("{query}.Id"), &format!("{kind}{function}"))
                .append_pair(&format!("{stat}.Metric.Namespace"), "AWS/Lambda")
                .append_pair(&format!("{stat}.Metric.MetricName"), metric)
                .append_pair(&format!("{dimension}.Name"), "FunctionName")
                .append_pair(&format!("{dimension}.Value"), name)
                .append_pair(&format!("{stat}.Period"), &PERIOD.to_string())
                .append_pair(&format!("{stat}.Stat"), "Sum");
        }
    }
    if let Some(page) = page {
        body.append_pair("NextToken", page);
    }
    body.finish()
}

/// Adds up the values of a response by their query; returns the token of the next page.
fn read(answer: &str, counted: &mut BTreeMap<String, u64>) -> Result<Option<String>, CallFailure> {
    let document = Document::parse(answer)
        .map_err(|e| CallFailure::Unclear(format!("not a response of GetMetricData: {e}")))?;
    let results = document
        .descendants()
        .filter(|node| node.has_tag_name("MetricDataResults"));
    for result in results.flat_map(|list| list.children()) {
        let child = |name: &str| result.children().find(|node| node.has_tag_name(name));
        let Some(id) = child("Id").and_then(|node| node.text()) else {
            continue;
        };
        let values = child("Values").into_iter().flat_map(|list| list.children());
        let values = values.filter_map(|node| node.text()?.trim().parse::<f64>().ok());
        let sum: f64 = values.sum();
        // Counts are not negative, and f64 represents them exactly.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let sum = sum as u64;
        *counted.entry(id.to_owned()).or_default() += sum;
    }
    let mut tokens = document
        .descendants()
        .filter(|node| node.has_tag_name("NextToken"));
    Ok(tokens.find_map(|node| node.text()).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_added_up_by_function() {
        let answer = r#"<GetMetricDataResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/"><GetMetricDataResult>
            <MetricDataResults>
              <member><Id>i0</Id><Values><member>3.0</member><member>4.0</member></Values></member>
              <member><Id>e0</Id><Values><member>2.0</member></Values></member>
              <member><Id>i1</Id><Values/></member>
            </MetricDataResults></GetMetricDataResult></GetMetricDataResponse>"#;
        let mut counted = BTreeMap::new();
        assert_eq!(read(answer, &mut counted).unwrap(), None);
        let of = |id: &str| counted[id];
        assert_eq!((of("i0"), of("e0"), of("i1")), (7, 2, 0));
        assert!(read("<html", &mut counted).is_err());
    }

    #[test]
    fn two_metrics_of_each_function_are_asked_for() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let window = (at("2026-03-01T10:00:00Z"), at("2026-03-01T10:05:00Z"));
        let asked = request(&["a", "b"], window, None);
        for (query, id) in [(1, "i0"), (2, "e0"), (3, "i1"), (4, "e1")] {
            let wanted = format!("MetricDataQueries.member.{query}.Id={id}&");
            assert!(asked.contains(&wanted), "{wanted}: {asked}");
        }
    }
}
