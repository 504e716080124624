//! The examples in the help of commands that have none beside their arguments.

use clap::Command;

/// By the path of a command below the program.
const EXAMPLES: [(&[&str], &str); 26] = [
    (
        &["show"],
        "Examples:
  rightsizer show checkout
  rightsizer show checkout --json | jq .sizes",
    ),
    (
        &["doctor"],
        "Examples:
  rightsizer doctor
  rightsizer doctor --source kinesis:reports --inventory lambda
  rightsizer doctor --account --stack rightsizer      a deployed system",
    ),
    (
        &["simulate"],
        "Examples:
  rightsizer simulate peaks.csv                       every policy, side by side
  rightsizer simulate --power runs.csv --known 2      how well two sizes predict the others",
    ),
    (
        &["ui"],
        "Examples:
  rightsizer ui
  rightsizer ui --store copy.db --no-browser          prints the address",
    ),
    (
        &["unapprove"],
        "Examples:
  rightsizer unapprove checkout --why 'after the sale'",
    ),
    (
        &["reject"],
        "Examples:
  rightsizer reject checkout --why 'a larger import is planned'",
    ),
    (
        &["hold"],
        "Examples:
  rightsizer hold checkout --days 30 --why 'a larger import is planned'",
    ),
    (
        &["release"],
        "Examples:
  rightsizer release checkout",
    ),
    (
        &["clear"],
        "Examples:
  rightsizer clear checkout --why 'the leak is mended'",
    ),
    (
        &["forget"],
        "Examples:
  rightsizer forget checkout --why 'it was deleted'",
    ),
    (
        &["pause"],
        "Examples:
  rightsizer pause --why 'incident 4711'
  rightsizer pause --updater arn:aws:lambda:eu-west-1:123456789012:function:rightsizer-updater",
    ),
    (
        &["resume"],
        "Examples:
  rightsizer resume",
    ),
    (
        &["import"],
        "Examples:
  rightsizer import cloudwatch                        the logs of the account
  rightsizer import export.json other.csv.gz
  aws logs tail /aws/lambda/checkout | rightsizer import --function checkout -",
    ),
    (
        &["import", "cloudwatch"],
        "Examples:
  rightsizer import cloudwatch --print-policy         what it needs
  rightsizer import cloudwatch --days 3 --all-regions
  rightsizer import cloudwatch --prefix /aws/lambda/pay --region eu-west-1",
    ),
    (
        &["attach"],
        "Examples:
  rightsizer attach --stack rightsizer --tag team=payments            shows the plan
  rightsizer attach --stack rightsizer --tag team=payments --first 1 --yes
  rightsizer attach --stack rightsizer --all --yes",
    ),
    (
        &["detach"],
        "Examples:
  rightsizer detach --stack rightsizer --prefix pay                   shows the plan
  rightsizer detach --stack rightsizer --prefix pay --yes",
    ),
    (
        &["subscribe"],
        "Examples:
  rightsizer subscribe --prefix pay --stream rightsizer-reports \\
    --role arn:aws:iam::123456789012:role/rightsizer-logs             shows the plan",
    ),
    (
        &["unsubscribe"],
        "Examples:
  rightsizer unsubscribe --prefix pay --stream rightsizer-reports --yes",
    ),
    (
        &["apply"],
        "Examples:
  rightsizer approve checkout --yes
  rightsizer apply                                    shows what it would change
  rightsizer apply --yes",
    ),
    (
        &["export"],
        "Examples:
  rightsizer export --format terraform --out memory.auto.tfvars.json
  rightsizer export --format sam --template template.yaml             shows the patch
  rightsizer export --format sam --template template.yaml --yes",
    ),
    (
        &["serve"],
        "Examples:
  rightsizer serve                                    accepts records on http://127.0.0.1:4568
  rightsizer serve --source kinesis:reports --inventory lambda
  rightsizer serve --source kinesis:reports --emit kinesis:decisions --snapshot s3://my-bucket/store",
    ),
    (
        &["health"],
        "Examples:
  rightsizer health --server http://127.0.0.1:4568",
    ),
    (
        &["backup"],
        "Examples:
  rightsizer backup rightsizer-backup.db",
    ),
    (
        &["restore"],
        "Examples:
  rightsizer restore s3://my-bucket/store                        lists the snapshots
  rightsizer restore s3://my-bucket/store --store copy.db
  rightsizer restore s3://my-bucket/store --at 2026-03-01T10:00:00Z --store copy.db",
    ),
    (
        &["config"],
        "Examples:
  rightsizer config
  rightsizer config --json",
    ),
    (
        &["man"],
        "Examples:
  rightsizer man | man -l -
  rightsizer man ~/.local/share/man/man1",
    ),
];

/// Adds the examples to the help of the commands.
pub(super) fn with_examples(command: Command) -> Command {
    EXAMPLES
        .into_iter()
        .fold(command, |command, (path, text)| added(command, path, text))
}

fn added(command: Command, path: &[&str], text: &'static str) -> Command {
    match path.split_first() {
        Some((name, below)) => command.mut_subcommand(name, |inner| added(inner, below, text)),
        None => command.after_help(text),
    }
}

#[cfg(test)]
mod tests {
    use super::super::documented::faults;
    use super::super::groups;
    use super::*;

    /// Paths of the commands whose help has no example, and faults of the examples.
    fn missing(cli: &Command, command: &Command, path: &str, wrong: &mut Vec<String>) {
        for inner in command.get_subcommands() {
            let path = format!("{path} {}", inner.get_name());
            if inner.get_name() == "help" {
                continue;
            }
            let help = inner.get_after_help().map(ToString::to_string);
            let help = help.unwrap_or_default();
            if !help.contains(&format!("rightsizer{path}")) {
                wrong.push(format!("{path}: no example"));
            }
            wrong.extend(help.lines().flat_map(|line| faults(cli, line)));
            missing(cli, inner, &path, wrong);
        }
    }

    #[test]
    fn every_command_has_an_example_that_exists() {
        let mut cli = groups::command();
        cli.build();
        let mut wrong = Vec::new();
        missing(&cli, &cli, "", &mut wrong);
        assert_eq!(wrong, Vec::<String>::new());
    }
}
