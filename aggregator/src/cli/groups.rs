//! The help of `rightsizer` itself, which groups its commands by task.

use std::fmt::Write as _;

use clap::{ArgMatches, Command, CommandFactory as _, FromArgMatches as _};

use super::Cli;

/// The commands by task, in the order in which a new user needs them.
const GROUPS: [(&str, &[&str]); 5] = [
    (
        "Look",
        &[
            "list",
            "show",
            "curve",
            "coldstarts",
            "doctor",
            "simulate",
            "tune",
        ],
    ),
    (
        "Decide",
        &[
            "ui",
            "approve",
            "unapprove",
            "reject",
            "hold",
            "release",
            "clear",
            "forget",
            "pause",
            "resume",
        ],
    ),
    (
        "Get evidence",
        &[
            "import",
            "adopt",
            "attach",
            "detach",
            "subscribe",
            "unsubscribe",
        ],
    ),
    ("Apply", &["apply", "export", "check"]),
    (
        "Operate",
        &[
            "serve",
            "health",
            "backup",
            "restore",
            "config",
            "completions",
            "man",
        ],
    ),
];

const EXAMPLES: &str = "Examples:
  rightsizer import cloudwatch            read the logs of all functions of an account
  rightsizer list --at-risk               functions that run out of memory, or nearly
  rightsizer show checkout                why a function has its recommendation
  rightsizer approve checkout             send it to the updater";

/// Returns the command line with its help.
pub(super) fn command() -> Command {
    let command = Cli::command();
    let commands = by_task(&command);
    command
        .help_template(format!(
            "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{commands}\
             Options:\n{{options}}{{after-help}}"
        ))
        .after_help(EXAMPLES)
}

/// Parses the arguments of this process; ends it with help or an error in words.
pub(super) fn parse() -> Cli {
    let matches: ArgMatches = command().get_matches();
    match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    }
}

fn by_task(command: &Command) -> String {
    let mut text = String::new();
    for (task, names) in GROUPS {
        let _ = writeln!(text, "{task}:");
        for name in names {
            let about = command.find_subcommand(name).and_then(Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(
                text,
                "  {name:<12} {}",
                first_part(about.trim_end_matches('.'))
            );
        }
        text.push('\n');
    }
    text
}

/// Returns a description up to its first semicolon or colon; the command's own help has the rest.
fn first_part(about: &str) -> &str {
    let ends = about.char_indices().filter(|(_, c)| matches!(c, ';' | ':'));
    let mut parts = ends.map(|(at, _)| &about[..at]);
    let whole =
        |part: &&str| part.len() >= 12 && part.matches('(').count() == part.matches(')').count();
    parts.find(whole).unwrap_or(about)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_stands_under_one_task() {
        let command = Cli::command();
        let mut listed: Vec<&str> = GROUPS
            .iter()
            .flat_map(|(_, names)| names.iter().copied())
            .collect();
        listed.sort_unstable();
        let mut all: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
        all.sort_unstable();
        assert_eq!(listed, all);
    }

    #[test]
    fn the_whole_help_is_reviewed() {
        let shown = command().mut_args(|arg| arg.hide_env_values(true));
        let text = shown.term_width(100).render_help().to_string();
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }
}
