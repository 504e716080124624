//! The log subscription: report lines of log groups into the reports stream, for functions that get no
//! layer. What is to happen to a log group is decided here, over what it has; pure.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use rightsizer_records::FunctionArn;
use rightsizer_rules::inventory::FunctionFacts;
use serde_json::{Value, json};

use super::access::StreamArn;
use crate::logs::{LogsError, REPORT_PATTERN, REPORTS_ALONE_PATTERN};

/// The name of every filter and of the account's policy: by it they are known again.
pub const SUBSCRIPTION_NAME: &str = "rightsizer-reports";
/// The number of filters that a log group can have.
const MOST_FILTERS: usize = 2;

/// A subscription filter of a log group, or the account's policy, which applies to all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its name.
    pub name: String,
    /// What it forwards.
    pub pattern: String,
    /// Where to.
    pub destination: String,
    /// Who puts it there.
    pub role: Option<String>,
    /// The selection criteria of the account's policy, which leave out log groups.
    pub criteria: Option<String>,
}

impl Subscription {
    /// Whether it has the pattern of an earlier release, which leaves out starts that failed.
    pub fn is_of_earlier_release(&self) -> bool {
        self.pattern == REPORTS_ALONE_PATTERN
    }
}

/// The service with the subscriptions.
pub trait SubscriptionsApi: Send + Sync {
    /// Those of a log group.
    fn of_group(
        &self,
        group: &str,
    ) -> impl Future<Output = Result<Vec<Subscription>, LogsError>> + Send;
    /// Adds one to a log group, or changes the one of its name.
    fn put(
        &self,
        group: &str,
        subscription: &Subscription,
    ) -> impl Future<Output = Result<(), LogsError>> + Send;
    /// Takes one off a log group.
    fn remove(&self, group: &str, name: &str)
    -> impl Future<Output = Result<(), LogsError>> + Send;
    /// Those of the account.
    fn of_account(&self) -> impl Future<Output = Result<Vec<Subscription>, LogsError>> + Send;
    /// Makes one of the account.
    fn put_account(
        &self,
        subscription: &Subscription,
    ) -> impl Future<Output = Result<(), LogsError>> + Send;
    /// Removes one of the account.
    fn remove_account(&self, name: &str) -> impl Future<Output = Result<(), LogsError>> + Send;
}

/// What is to happen to a log group, or to the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscriptionPlan {
    /// A filter is added, or ours is changed.
    Put(Subscription),
    /// Ours is taken off.
    Remove,
    /// Nothing: the code, and in words why.
    Leave(&'static str, String),
}

/// The logs of a system, by the last part of their names.
const OWN_LOGS: [&str; 3] = ["updater", "aggregator", "flink"];

/// The filter of a log group that forwards reports to `stream` by `role`.
pub fn wanted(stream: &StreamArn, role: &str) -> Subscription {
    Subscription {
        name: SUBSCRIPTION_NAME.to_owned(),
        pattern: REPORT_PATTERN.to_owned(),
        destination: stream.as_str().to_owned(),
        role: Some(role.to_owned()),
        criteria: None,
    }
}

/// The account's policy that forwards reports to `stream` by `role`.
pub fn wanted_of_account(stream: &StreamArn, role: &str) -> Subscription {
    Subscription {
        criteria: without_own(stream.as_str()),
        ..wanted(stream, role)
    }
}

/// What subscribing does to the log group of this name with these filters.
pub fn subscribe(wanted: &Subscription, group: &str, there: &[Subscription]) -> SubscriptionPlan {
    let leave = SubscriptionPlan::Leave;
    if own_logs(&wanted.destination).iter().any(|own| own == group) {
        let words =
            "it is a log of the system itself, and each of its records would cause another line";
        return leave("own-log", words.to_owned());
    }
    if there.contains(wanted) {
        return leave("already-subscribed", String::new());
    }
    if let Some(ours) = there.iter().find(|known| known.name == wanted.name) {
        if ours.destination == wanted.destination {
            return SubscriptionPlan::Put(wanted.clone());
        }
        // A second system in the account has its functions' evidence from here.
        return of_another_system(ours);
    }
    let same = there
        .iter()
        .find(|known| known.destination == wanted.destination);
    if let Some(known) = same {
        let words = format!("its filter {:?} goes to the same stream", known.name);
        return leave("forwarded-already", words);
    }
    if there.len() >= MOST_FILTERS {
        let names: Vec<&str> = there.iter().map(|known| known.name.as_str()).collect();
        let words = format!(
            "it has {MOST_FILTERS} filters, the maximum: {}. Remove one, or attach the layer",
            names.join(", ")
        );
        return leave("two-filters", words);
    }
    SubscriptionPlan::Put(wanted.clone())
}

/// Returns the log groups of the system that owns the stream, whose lines are not evidence: each record that they put
/// there would cause another line. The stack NAME has the stream `NAME-reports`; other names have none.
pub fn own_logs(stream: &str) -> Vec<String> {
    let name = stream
        .rsplit('/')
        .next()
        .and_then(|name| name.strip_suffix("-reports"));
    let of = |name: &str| OWN_LOGS.map(|part| format!("/rightsizer/{name}/{part}"));
    name.map_or_else(Vec::new, |name| of(name).into())
}

/// Returns the criteria by which the account's policy leaves out those log groups.
fn without_own(destination: &str) -> Option<String> {
    let own = own_logs(destination);
    let own: Vec<String> = own.iter().map(|group| format!("\"{group}\"")).collect();
    (!own.is_empty()).then(|| format!("LogGroupName NOT IN [{}]", own.join(", ")))
}

/// What unsubscribing does: the exact inverse.
pub fn unsubscribe(stream: &StreamArn, there: &[Subscription]) -> SubscriptionPlan {
    let ours = there.iter().find(|known| known.name == SUBSCRIPTION_NAME);
    match ours {
        None => SubscriptionPlan::Leave("not-subscribed", String::new()),
        Some(ours) if ours.destination == stream.as_str() => SubscriptionPlan::Remove,
        Some(ours) => of_another_system(ours),
    }
}

fn of_another_system(theirs: &Subscription) -> SubscriptionPlan {
    let words = format!(
        "its filter {SUBSCRIPTION_NAME:?} goes to {}; unsubscribe it there first",
        theirs.destination
    );
    SubscriptionPlan::Leave("other-stream", words)
}

/// What subscribing the account does. An account has one such policy: one of another name is reported,
/// and never overwritten. Ours is changed, as the filter of a log group is.
pub fn subscribe_account(wanted: &Subscription, there: &[Subscription]) -> SubscriptionPlan {
    match there.first() {
        None => SubscriptionPlan::Put(wanted.clone()),
        Some(_) if there.contains(wanted) => {
            SubscriptionPlan::Leave("already-subscribed", String::new())
        }
        Some(ours) if ours.name == wanted.name && ours.destination == wanted.destination => {
            SubscriptionPlan::Put(wanted.clone())
        }
        Some(known)
            if known.destination == wanted.destination && known.pattern == wanted.pattern =>
        {
            let words = format!(
                "the account's policy {:?} goes to the same stream",
                known.name
            );
            SubscriptionPlan::Leave("forwarded-already", words)
        }
        Some(known) if known.destination == wanted.destination && known.is_of_earlier_release() => {
            let words = format!(
                "the account's policy {:?} goes to the same stream, with the pattern of an earlier release, which \
                 leaves out starts that failed: deploy its system again",
                known.name
            );
            SubscriptionPlan::Leave("forwarded-already", words)
        }
        Some(known) => SubscriptionPlan::Leave(
            "policy-exists",
            format!(
                "the account has the policy {:?} to {}, and can have only one; it is not changed. \
                 Subscribe single log groups, without --account-policy",
                known.name, known.destination
            ),
        ),
    }
}

/// The document of an account's policy.
pub(super) fn policy_document(subscription: &Subscription) -> Value {
    json!({
        "DestinationArn": subscription.destination,
        "RoleArn": subscription.role,
        "FilterPattern": subscription.pattern,
        // Reports of one log stream need not come in their order, and a busy one fills no shard.
        "Distribution": "Random",
    })
}

/// The content of such a document.
pub(super) fn read_policy(name: &str, document: &str, criteria: Option<&str>) -> Subscription {
    let document: Value = serde_json::from_str(document).unwrap_or_default();
    let text = |field: &str| document[field].as_str().map(str::to_owned);
    Subscription {
        name: name.to_owned(),
        pattern: text("FilterPattern").unwrap_or_default(),
        destination: text("DestinationArn").unwrap_or_default(),
        role: text("RoleArn"),
        criteria: criteria.map(str::to_owned),
    }
}

/// Log groups with the functions that log there.
pub fn log_groups(functions: &[FunctionFacts]) -> BTreeMap<&str, BTreeSet<&FunctionArn>> {
    let mut groups: BTreeMap<&str, BTreeSet<&FunctionArn>> = BTreeMap::new();
    for facts in functions {
        let loggers = groups.entry(facts.log_group.as_str()).or_default();
        loggers.insert(&facts.function);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> StreamArn {
        let function = FunctionArn::new("aws", "eu-west-1", "123456789012", "f").unwrap();
        StreamArn::of("reports", &function)
    }

    #[test]
    fn the_account_s_policy_leaves_out_the_logs_of_the_system_itself() {
        let of = |stream: &str| {
            without_own(&format!(
                "arn:aws:kinesis:eu-west-1:123456789012:stream/{stream}"
            ))
        };
        assert_eq!(
            of("rz-reports").as_deref(),
            Some(
                r#"LogGroupName NOT IN ["/rightsizer/rz/updater", "/rightsizer/rz/aggregator", "/rightsizer/rz/flink"]"#
            )
        );
        assert_eq!(of("mine"), None);
    }

    #[test]
    fn a_log_of_the_system_itself_is_never_subscribed() {
        let function = FunctionArn::new("aws", "eu-west-1", "123456789012", "f").unwrap();
        let role = "arn:aws:iam::123456789012:role/logs-to-reports";
        let of_system = wanted(&StreamArn::of("rz-reports", &function), role);
        let plan = |group: &str| code(&subscribe(&of_system, group, &[]));
        for own in ["updater", "aggregator", "flink"] {
            assert_eq!(plan(&format!("/rightsizer/rz/{own}")), "own-log");
            // Of another system, whose records go elsewhere.
            assert_eq!(plan(&format!("/rightsizer/other/{own}")), "put");
        }
        assert_eq!(plan(GROUP), "put");
    }

    const GROUP: &str = "/aws/lambda/checkout";

    fn ours() -> Subscription {
        wanted(&stream(), "arn:aws:iam::123456789012:role/logs-to-reports")
    }

    fn other(name: &str, destination: &str) -> Subscription {
        Subscription {
            name: name.to_owned(),
            pattern: String::new(),
            destination: destination.to_owned(),
            role: None,
            criteria: None,
        }
    }

    fn code(plan: &SubscriptionPlan) -> &'static str {
        match plan {
            SubscriptionPlan::Put(_) => "put",
            SubscriptionPlan::Remove => "remove",
            SubscriptionPlan::Leave(code, _) => code,
        }
    }

    #[test]
    fn a_group_is_subscribed_once_and_others_filters_stay() {
        let (a, b) = (other("audit", "arn:a"), other("siem", "arn:b"));
        let changed = Subscription {
            pattern: REPORTS_ALONE_PATTERN.to_owned(),
            ..ours()
        };
        for (there, wanted) in [
            (vec![], "put"),
            (vec![a.clone()], "put"),
            (vec![a.clone(), b.clone()], "two-filters"),
            (vec![a.clone(), ours()], "already-subscribed"),
            (vec![a.clone(), changed], "put"),
            (vec![other("older", stream().as_str())], "forwarded-already"),
            (
                vec![other(SUBSCRIPTION_NAME, "arn:elsewhere")],
                "other-stream",
            ),
        ] {
            assert_eq!(
                code(&subscribe(&ours(), GROUP, &there)),
                wanted,
                "{there:?}"
            );
        }
    }

    #[test]
    fn unsubscribing_takes_off_what_subscribing_added_and_nothing_else() {
        let elsewhere = other(SUBSCRIPTION_NAME, "arn:elsewhere");
        for (there, wanted) in [
            (vec![ours(), other("audit", "arn:a")], "remove"),
            (vec![other("older", stream().as_str())], "not-subscribed"),
            (vec![elsewhere], "other-stream"),
        ] {
            assert_eq!(code(&unsubscribe(&stream(), &there)), wanted, "{there:?}");
        }
    }

    #[test]
    fn an_account_policy_that_is_there_is_never_written_over() {
        let known = read_policy(
            "security",
            r#"{"DestinationArn":"arn:x","FilterPattern":""}"#,
            None,
        );
        let ours_elsewhere = Subscription {
            destination: "arn:elsewhere".to_owned(),
            ..ours()
        };
        for (there, wanted) in [
            (vec![], "put"),
            (vec![ours()], "already-subscribed"),
            (vec![known], "policy-exists"),
            // As `make deploy` names it.
            (
                vec![Subscription {
                    name: "rightsizer-report-lines".to_owned(),
                    ..ours()
                }],
                "forwarded-already",
            ),
            (
                vec![Subscription {
                    name: "rightsizer-report-lines".to_owned(),
                    pattern: REPORTS_ALONE_PATTERN.to_owned(),
                    ..ours()
                }],
                "forwarded-already",
            ),
            // Ours, from before the pattern or the criteria were what they are now.
            (
                vec![Subscription {
                    pattern: String::new(),
                    ..ours()
                }],
                "put",
            ),
            (
                vec![Subscription {
                    criteria: Some("LogGroupName NOT IN []".to_owned()),
                    ..ours()
                }],
                "put",
            ),
            (vec![ours_elsewhere], "policy-exists"),
        ] {
            assert_eq!(
                code(&subscribe_account(&ours(), &there)),
                wanted,
                "{there:?}"
            );
        }
        let document = policy_document(&ours()).to_string();
        assert_eq!(read_policy(SUBSCRIPTION_NAME, &document, None), ours());
    }
}
