//! Whether the updater of a deployed system reads the decisions stream.

use aws_sdk_lambda::types::EventSourceMappingConfiguration;

use super::account::{Listed, refused};
use super::finding::Finding;

const CHECK: &str = "the updater";

/// Finds the updater of `stack` among the functions, and looks at its event source. Nothing is invoked.
pub(super) async fn examine(
    lambda: &aws_sdk_lambda::Client,
    stack: &str,
    functions: &[Listed],
) -> Finding {
    let Some(updater) = functions
        .iter()
        .find(|function| is_updater(function.name(), stack))
    else {
        return Finding::doubtful(
            CHECK,
            format!("{stack} has no updater here, so approved sizes are not applied"),
            "check --stack, --region and --profile, or apply sizes with `rightsizer apply`",
        );
    };
    let sources = lambda.list_event_source_mappings();
    let sources = sources.function_name(updater.name());
    match sources.send().await {
        Ok(sources) => of(stack, updater.name(), sources.event_source_mappings()),
        Err(error) => refused(CHECK, "lambda:ListEventSourceMappings", &error),
    }
}

/// The stack gives the first name, and the module of Terraform the second.
fn is_updater(name: &str, stack: &str) -> bool {
    let rest = name.strip_prefix(stack);
    rest.is_some_and(|rest| rest.starts_with("-Updater-") || rest == "-updater")
}

fn of(stack: &str, name: &str, sources: &[EventSourceMappingConfiguration]) -> Finding {
    let stream = format!(":stream/{stack}-decisions");
    let source = sources.iter().find(|source| {
        let arn = source.event_source_arn();
        arn.is_some_and(|arn| arn.ends_with(&stream))
    });
    let Some(source) = source else {
        return Finding::wrong(
            CHECK,
            format!("{name} does not read {stack}-decisions, so approved sizes are not applied"),
            "deploy again: the stack has an event source for it",
        );
    };
    let state = source.state().unwrap_or("in an unknown state");
    let result = source.last_processing_result().unwrap_or_default();
    let found = format!("{name} reads {stack}-decisions: {state}");
    if matches!(state, "Disabled" | "Disabling") {
        let enable = format!(
            "aws lambda update-event-source-mapping --enabled --uuid {}",
            source.uuid().unwrap_or("UUID")
        );
        return Finding::wrong(
            CHECK,
            format!("{found}, so approved sizes are not applied"),
            enable,
        );
    }
    if result.starts_with("PROBLEM") {
        let advice = "allow what it names to the updater's role, or deploy again";
        return Finding::wrong(CHECK, format!("{found}; {result}"), advice);
    }
    if state == "Enabled" {
        return Finding::ok(CHECK, found);
    }
    Finding::doubtful(CHECK, found, "run this again in a minute")
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn an_updater_that_reads_nothing_is_found() {
        let source = |stream: &str, state: &str, result: &str| {
            let arn = format!("arn:aws:kinesis:eu-west-1:123456789012:stream/{stream}");
            let source = EventSourceMappingConfiguration::builder().event_source_arn(arn);
            let source = source.state(state).last_processing_result(result);
            source.uuid("u-1").build()
        };
        for (stream, state, result, verdict) in [
            ("rz-decisions", "Enabled", "OK", Verdict::Ok),
            (
                "rz-decisions",
                "Enabled",
                "No records processed",
                Verdict::Ok,
            ),
            ("rz-decisions", "Creating", "", Verdict::Doubtful),
            ("rz-decisions", "Disabled", "OK", Verdict::Wrong),
            (
                "rz-decisions",
                "Enabled",
                "PROBLEM: Lambda failed to assume",
                Verdict::Wrong,
            ),
            ("other-decisions", "Enabled", "OK", Verdict::Wrong),
        ] {
            let found = of("rz", "rz-Updater-1", &[source(stream, state, result)]);
            assert_eq!(found.verdict, verdict, "{found:?}");
        }
        let disabled = of("rz", "u", &[source("rz-decisions", "Disabled", "")]);
        let advice = disabled.advice.unwrap_or_default();
        assert!(advice.ends_with("--enabled --uuid u-1"), "{advice}");
    }

    #[test]
    fn it_is_found_by_both_names() {
        for (name, is_it) in [
            ("rz-Updater-1A2B", true),
            ("rz-updater", true),
            ("rz-updates", false),
            ("rzz-Updater-1", false),
        ] {
            assert_eq!(is_updater(name, "rz"), is_it, "{name}");
        }
    }
}
