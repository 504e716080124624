//! Whether the last changes of functions succeeded, such as those of `attach` and of the updater, and whether the
//! functions can be invoked. Lambda accepts a change first, and may find out later that it cannot carry it out.

use aws_config::SdkConfig;
use rightsizer_aws::condition::{Condition, Conditions};
use rightsizer_aws::fleet::CallError;

use super::account::Listed;
use super::finding::Finding;
use super::stream::advice;
use crate::cli::fleet::READS_PER_SECOND;
use crate::cli::runtime::progress;
use crate::cli::text::counted;

/// Without a pattern, this many functions are read: those that were changed last.
const READ_MOST: usize = 200;
/// This many functions are named for each fault.
const NAMED_MOST: usize = 10;
const CHECK: &str = "the last changes of functions";

/// Reads the functions that have the layer, or those that match a pattern, newest change first.
pub(super) async fn examine(
    config: &SdkConfig,
    functions: &[Listed],
    patterns: &[String],
) -> Vec<Finding> {
    let (chosen, all) = choose(functions, patterns);
    if chosen.is_empty() {
        let why = if patterns.is_empty() {
            "no function has the layer yet; --functions PATTERN selects others"
        } else {
            "no function matches --functions"
        };
        return vec![Finding::not_checked(CHECK, why)];
    }
    let conditions = Conditions::new(config, READS_PER_SECOND);
    let bar = progress("reading", chosen.len());
    let mut read = Vec::new();
    let mut refused = None;
    for function in chosen {
        match conditions.of(&function.arn).await {
            Ok(condition) => read.extend(condition.map(|condition| (function.name(), condition))),
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let mut findings = of(&read, all);
    findings.extend(refused.map(|error| unread(&error)));
    findings
}

/// Returns the functions to read, and how many there are of them in all.
fn choose<'a>(functions: &'a [Listed], patterns: &[String]) -> (Vec<&'a Listed>, usize) {
    let is_meant = |function: &&Listed| {
        is_named(function, patterns) || (patterns.is_empty() && function.has_layer)
    };
    let mut chosen: Vec<&Listed> = functions.iter().filter(is_meant).collect();
    let all = chosen.len();
    // Times of one form, so their texts have their order.
    chosen.sort_by(|a, b| b.modified.cmp(&a.modified));
    if patterns.is_empty() {
        chosen.truncate(READ_MOST);
    }
    (chosen, all)
}

/// Returns whether a pattern matches the function's name or ARN.
pub(super) fn is_named(function: &Listed, patterns: &[String]) -> bool {
    patterns.iter().any(|pattern| {
        let pattern = wildmatch::WildMatch::new(pattern);
        pattern.matches(function.name()) || pattern.matches(&function.arn)
    })
}

/// Returns what was found of the functions that were read, out of `all`.
fn of(read: &[(&str, Condition)], all: usize) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut more = [0; 2];
    let mut named = [0; 2];
    let mut good = 0;
    for (name, condition) in read {
        let Some(finding) = of_one(name, condition) else {
            good += 1;
            continue;
        };
        let kind = usize::from(finding.verdict != super::Verdict::Wrong);
        if named[kind] == NAMED_MOST {
            more[kind] += 1;
        } else {
            named[kind] += 1;
            findings.push(finding);
        }
    }
    let more_of = |n: usize| format!("{n} more like these");
    let narrower = "`--functions PATTERN` reads those that you name";
    if more[0] > 0 {
        findings.push(Finding::wrong(CHECK, more_of(more[0]), narrower));
    }
    if more[1] > 0 {
        findings.push(Finding::doubtful(CHECK, more_of(more[1]), narrower));
    }
    if good > 0 {
        let part = if all > read.len() {
            format!(" (those that were changed last, of {all}; --functions PATTERN reads others)")
        } else {
            String::new()
        };
        let found = format!(
            "succeeded in {good} of {}{part}",
            counted(read.len(), "function")
        );
        findings.push(Finding::ok(CHECK, found));
    }
    findings
}

/// Returns what is wrong with a function, if anything.
fn of_one(name: &str, condition: &Condition) -> Option<Finding> {
    let check = format!("the function {name}");
    Some(match condition {
        Condition::Good => return None,
        Condition::ChangeFailed(why) => Finding::wrong(
            check,
            format!("its last change failed, so it runs as before: {why}"),
            "correct what the reason names, then make the change again",
        ),
        Condition::Failed(why) => Finding::wrong(
            check,
            format!("it cannot be invoked: {why}"),
            "correct what the reason names, then deploy the function again",
        ),
        Condition::Changing => Finding::doubtful(
            check,
            "its last change is still in progress",
            "run this again in some minutes; in a VPC a change can take that long",
        ),
        Condition::Idle => Finding::doubtful(
            check,
            "it is inactive, because it was not invoked for weeks",
            "invoke it twice: the first invocation fails and makes it active again",
        ),
        Condition::Other(state) => Finding::doubtful(
            check,
            format!("its state is {state}"),
            "see whether someone changes or deletes it",
        ),
    })
}

/// Every other call would be refused too.
fn unread(error: &CallError) -> Finding {
    let action = "lambda:GetFunction";
    let why = error.to_string();
    let code = why.split(':').next();
    Finding::wrong(
        CHECK,
        format!("{action} fails: {why}"),
        advice(action, code),
    )
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    fn listed(name: &str, modified: &str, has_layer: bool) -> Listed {
        Listed {
            arn: format!("arn:aws:lambda:eu-west-1:123456789012:function:{name}"),
            runtime: "python3.13".to_owned(),
            modified: modified.to_owned(),
            has_layer,
            log_group: format!("/aws/lambda/{name}"),
        }
    }

    #[test]
    fn the_functions_that_were_changed_last_are_read() {
        let day = |day: usize| format!("2026-01-{day:02}T00:00:00.000+0000");
        let mut functions = vec![listed("bare", &day(30), false)];
        functions.extend((1..=28).map(|n| listed(&format!("f{n:02}"), &day(n), true)));
        let names = |patterns: &[&str]| {
            let patterns: Vec<String> =
                patterns.iter().map(|&pattern| pattern.to_owned()).collect();
            let (chosen, all) = choose(&functions, &patterns);
            let names: Vec<&str> = chosen.iter().map(|function| function.name()).collect();
            (names.join(" "), all)
        };
        assert!(names(&[]).0.starts_with("f28 f27 f26 "));
        assert_eq!(names(&["f1*"]).1, 10);
        assert_eq!(names(&["bare", "f02"]), ("bare f02".to_owned(), 2));
        assert_eq!(names(&[&functions[0].arn]), ("bare".to_owned(), 1));
        let many: Vec<Listed> = (0..300)
            .map(|n| listed(&format!("g{n}"), &day(1), true))
            .collect();
        let (chosen, all) = choose(&many, &[]);
        assert_eq!((chosen.len(), all), (200, 300));
    }

    #[test]
    fn every_fault_is_named_up_to_ten_of_each_kind() {
        let failed = Condition::ChangeFailed(
            "The role is missing. (InsufficientRolePermissions)".to_owned(),
        );
        let mut read = vec![
            ("good", Condition::Good),
            ("slow", Condition::Changing),
            ("idle", Condition::Idle),
        ];
        read.extend((0..12).map(|_| ("f", failed.clone())));
        let findings = of(&read, 300);
        let count = |verdict| {
            findings
                .iter()
                .filter(|finding| finding.verdict == verdict)
                .count()
        };
        // Ten functions, and one finding for the other two.
        assert_eq!(
            (
                count(Verdict::Wrong),
                count(Verdict::Doubtful),
                count(Verdict::Ok)
            ),
            (11, 2, 1)
        );
        let text: String = findings.iter().map(ToString::to_string).collect();
        for words in [
            "WRONG  the function f: its last change failed, so it runs as before: The role is missing.",
            "WRONG  the last changes of functions: 2 more like these",
            "look   the function slow: its last change is still in progress",
            "ok     the last changes of functions: succeeded in 1 of 15 functions (those that were changed last, of 300;",
        ] {
            assert!(text.contains(words), "{words}\n{text}");
        }
    }

    #[test]
    fn a_refused_call_names_the_permission() {
        let finding = unread(&CallError::Refused("AccessDeniedException: no".to_owned()));
        let advice = finding.advice.unwrap();
        assert!(advice.starts_with("allow lambda:GetFunction"), "{advice}");
    }
}
