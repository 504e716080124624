//! Whether the log subscriptions to the reports stream forward starts that failed. Those of an earlier release do not, and
//! nothing changes them by itself.

use std::collections::BTreeSet;

use aws_config::SdkConfig;
use rightsizer_aws::fleet::{SUBSCRIPTION_NAME, Subscription, SubscriptionsApi};
use rightsizer_aws::logs::{AwsLogs, Calls, LogsError};

use super::account::Listed;
use super::changes::is_named;
use super::finding::Finding;
use crate::cli::fleet::quoted;
use crate::cli::text::counted;

/// Without a pattern, the log groups of this many functions are read: those that were changed last.
const READ_MOST: usize = 50;
/// This many are named.
const NAMED_MOST: usize = 10;
/// CloudWatch Logs allows ten of these calls a second to the account.
const CALLS_PER_SECOND: f64 = 8.0;
const CHECK: &str = "log subscriptions";
const OF_ACCOUNT: &str = "the account's log subscription";
const LEFT_OUT: &str =
    "with the pattern of an earlier release, which leaves out starts that failed";

/// A log group's filter to the reports stream, with the name of a function that logs there.
type OfGroup = (String, Subscription);

/// Reads the account's policy, and the filters of the log groups of the functions, newest change first; of those that
/// match, if there are patterns.
pub(super) async fn examine(
    config: &SdkConfig,
    stack: &str,
    functions: &[Listed],
    patterns: &[String],
) -> Vec<Finding> {
    let calls = Calls::new(AwsLogs::new(config), CALLS_PER_SECOND);
    let leads_here = format!(":stream/{stack}-reports");
    let leads_here = |known: &Subscription| known.destination.ends_with(&leads_here);
    let mut findings = Vec::new();
    let account = calls.call(|| calls.api().of_account()).await;
    let account = account.unwrap_or_else(|error| {
        findings.push(unread(OF_ACCOUNT, "logs:DescribeAccountPolicies", &error));
        Vec::new()
    });
    let account = account.into_iter().find(leads_here);
    let (groups, all) = groups(functions, patterns);
    let (mut found, mut read) = (Vec::new(), 0);
    for (group, function) in &groups {
        match calls.call(|| calls.api().of_group(group)).await {
            Ok(there) => {
                let here = there.into_iter().find(leads_here);
                found.extend(here.map(|filter| ((*function).to_owned(), filter)));
            }
            // It was never called.
            Err(LogsError::Missing(_)) => {}
            Err(error) => {
                findings.push(unread(CHECK, "logs:DescribeSubscriptionFilters", &error));
                return findings;
            }
        }
        read += 1;
    }
    findings.extend(account.iter().map(|policy| of_account(policy, stack)));
    findings.extend(of_groups(&found, (read, all), account.is_some(), stack));
    findings
}

/// Returns the log groups to read, each with a function that logs there, and how many there are in all.
fn groups<'a>(functions: &'a [Listed], patterns: &[String]) -> (Vec<(&'a str, &'a str)>, usize) {
    let mut chosen: Vec<&Listed> = functions
        .iter()
        .filter(|function| patterns.is_empty() || is_named(function, patterns))
        .collect();
    // Times of one form, so their texts have their order.
    chosen.sort_by(|a, b| b.modified.cmp(&a.modified));
    let mut groups: Vec<(&str, &str)> = Vec::new();
    let mut known = BTreeSet::new();
    for function in chosen {
        if known.insert(function.log_group.as_str()) {
            groups.push((&function.log_group, function.name()));
        }
    }
    let all = groups.len();
    if patterns.is_empty() {
        groups.truncate(READ_MOST);
    }
    (groups, all)
}

fn of_account(policy: &Subscription, stack: &str) -> Finding {
    let name = &policy.name;
    if !policy.is_of_earlier_release() {
        return Finding::ok(
            OF_ACCOUNT,
            format!("the policy {name:?} forwards reports and starts that failed"),
        );
    }
    let advice = if name == SUBSCRIPTION_NAME {
        let options = options(stack, policy);
        format!("rightsizer subscribe --all --account-policy {options}")
    } else {
        "deploy its system again".to_owned()
    };
    let found = format!("the policy {name:?} forwards reports {LEFT_OUT}");
    Finding::doubtful(OF_ACCOUNT, found, advice)
}

/// Returns what was found of the log groups that were read, out of `all`.
fn of_groups(
    found: &[OfGroup],
    (read, all): (usize, usize),
    by_account: bool,
    stack: &str,
) -> Vec<Finding> {
    let of = if all > read {
        format!("{read} log groups that were read, of {all} (--functions PATTERN reads others)")
    } else {
        counted(read, "log group")
    };
    if found.is_empty() {
        let why = format!("none of {of} has a filter that leads to {stack}-reports");
        return if by_account {
            Vec::new()
        } else {
            vec![Finding::not_checked(CHECK, why)]
        };
    }
    let (old, new): (Vec<&OfGroup>, Vec<&OfGroup>) = found
        .iter()
        .partition(|(_, filter)| filter.is_of_earlier_release());
    let (ours, others): (Vec<&OfGroup>, Vec<&OfGroup>) = old
        .into_iter()
        .partition(|(_, filter)| filter.name == SUBSCRIPTION_NAME);
    let mut findings = Vec::new();
    if let Some((_, filter)) = ours.first() {
        let named: Vec<String> = ours
            .iter()
            .take(NAMED_MOST)
            .map(|(function, _)| quoted(function))
            .collect();
        let (options, names) = (options(stack, filter), named.join(" "));
        let mut advice =
            format!("printf '%s\\n' {names} | rightsizer subscribe --file /dev/stdin {options}");
        if ours.len() > NAMED_MOST {
            advice.push_str("; then run this again, for the others");
        }
        findings.push(Finding::doubtful(CHECK, forwarded(ours.len(), &of), advice));
    }
    if !others.is_empty() {
        let names = others.iter().take(NAMED_MOST);
        let names: Vec<String> = names
            .map(|(function, filter)| format!("{function} (filter {:?})", filter.name))
            .collect();
        let advice = format!(
            "`subscribe` leaves filters that are not its own: give those of {} the pattern of docs/ONBOARDING.md",
            names.join(", ")
        );
        findings.push(Finding::doubtful(
            CHECK,
            forwarded(others.len(), &of),
            advice,
        ));
    }
    if !new.is_empty() {
        let found = format!(
            "{} of {of} forward reports and starts that failed",
            new.len()
        );
        findings.push(Finding::ok(CHECK, found));
    }
    findings
}

fn forwarded(number: usize, of: &str) -> String {
    format!("{number} of {of} forward reports {LEFT_OUT}")
}

/// The options of the command that changes a subscription of ours.
fn options(stack: &str, subscription: &Subscription) -> String {
    let role = subscription.role.as_deref().unwrap_or("ROLE");
    format!("--stream {stack}-reports --role {role} --yes")
}

fn unread(check: &str, action: &str, error: &LogsError) -> Finding {
    Finding::not_checked(check, format!("{action} fails: {error}"))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    const OLD: &str = r#"?"REPORT RequestId:" ?"platform.report""#;

    fn filter(name: &str, pattern: &str) -> Subscription {
        Subscription {
            name: name.to_owned(),
            pattern: pattern.to_owned(),
            destination: "arn:aws:kinesis:eu-west-1:123456789012:stream/rz-reports".to_owned(),
            role: Some("arn:aws:iam::123456789012:role/logs".to_owned()),
            criteria: None,
        }
    }

    fn of(name: &str, pattern: &str) -> OfGroup {
        ("checkout".to_owned(), filter(name, pattern))
    }

    /// One log group of each kind: ours with the old pattern, someone else's with it, and one that is up to date.
    #[test]
    fn an_old_pattern_is_named_with_the_command_that_changes_it() {
        let found = [
            of(SUBSCRIPTION_NAME, OLD),
            of("theirs", OLD),
            of(SUBSCRIPTION_NAME, "new"),
        ];
        let findings = of_groups(&found, (50, 60), false, "rz");
        let texts: Vec<String> = findings.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(texts.join(""), @r#"
        look   log subscriptions: 1 of 50 log groups that were read, of 60 (--functions PATTERN reads others) forward reports with the pattern of an earlier release, which leaves out starts that failed
               do: printf '%s\n' checkout | rightsizer subscribe --file /dev/stdin --stream rz-reports --role arn:aws:iam::123456789012:role/logs --yes
        look   log subscriptions: 1 of 50 log groups that were read, of 60 (--functions PATTERN reads others) forward reports with the pattern of an earlier release, which leaves out starts that failed
               do: `subscribe` leaves filters that are not its own: give those of checkout (filter "theirs") the pattern of docs/ONBOARDING.md
        ok     log subscriptions: 1 of 50 log groups that were read, of 60 (--functions PATTERN reads others) forward reports and starts that failed
        "#);
        let none = of_groups(&[], (1, 1), false, "rz");
        assert_eq!(none[0].verdict, Verdict::NotChecked);
        assert!(of_groups(&[], (1, 1), true, "rz").is_empty());
    }

    #[test]
    fn more_than_ten_are_changed_in_several_runs() {
        let found: Vec<OfGroup> = (0..11).map(|_| of(SUBSCRIPTION_NAME, OLD)).collect();
        let advice = |number: usize| {
            let findings = of_groups(&found[..number], (11, 11), false, "rz");
            findings[0].advice.clone().unwrap()
        };
        assert_eq!(advice(10).matches("checkout").count(), 10);
        assert_eq!(advice(11).matches("checkout").count(), 10);
        assert!(advice(11).ends_with("for the others") && !advice(10).contains("others"));
    }

    #[test]
    fn the_policy_of_the_account_is_changed_by_whoever_made_it() {
        let advice = |name: &str, pattern: &str| of_account(&filter(name, pattern), "rz").advice;
        assert_eq!(advice(SUBSCRIPTION_NAME, "new"), None);
        assert_eq!(
            advice("rz-report-lines", OLD).unwrap(),
            "deploy its system again"
        );
        assert_eq!(
            advice(SUBSCRIPTION_NAME, OLD).unwrap(),
            "rightsizer subscribe --all --account-policy --stream rz-reports --role \
             arn:aws:iam::123456789012:role/logs --yes"
        );
    }
}
