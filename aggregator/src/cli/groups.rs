//! The help of `rightsizer` itself, which groups its commands by task.

use std::fmt::Write as _;

use clap::error::{ContextKind, ContextValue};
use clap::{ArgMatches, Command, CommandFactory as _, FromArgMatches as _};

use super::examples::with_examples;
use super::nearest::nearest;
use super::{Cli, out};

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
            "to-flink",
            "from-flink",
            "config",
            "completions",
            "man",
        ],
    ),
];

/// As much as stands before the description of a command.
const ABOUT_AT: &str = "               ";

const EXAMPLES: &str = "Examples:
  rightsizer import cloudwatch            read the logs of a whole account
  rightsizer list --at-risk               functions out of memory, or nearly
  rightsizer show checkout                why a function has its recommendation
  rightsizer approve checkout             send it to the updater";

/// Returns the command line with its help, whose lines have any length.
pub(super) fn command() -> Command {
    command_within(None)
}

/// Returns the command line with its help in lines of at most `width` characters.
fn command_within(width: Option<usize>) -> Command {
    let command = negative_numbers_are_values(with_examples(Cli::command()));
    let commands = by_task(&command);
    let commands = width.map_or_else(
        || commands.clone(),
        |width| out::hung(&commands, ABOUT_AT, width),
    );
    command
        // 0 is any length.
        .term_width(width.unwrap_or(0))
        .help_template(format!(
            "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{commands}\
             Options:\n{{options}}{{after-help}}"
        ))
        .after_help(EXAMPLES)
}

/// Has each option take `-1` as its value, and say what it expects: clap would take it for an option.
fn negative_numbers_are_values(command: Command) -> Command {
    let command = command.mut_args(|arg| {
        let takes = arg.get_action().takes_values() && !arg.is_positional();
        arg.allow_negative_numbers(takes)
    });
    command.mut_subcommands(negative_numbers_are_values)
}

/// Parses the arguments of this process; ends it with help or an error in words.
pub(super) fn parse() -> Cli {
    let mut command = command_within(out::width());
    let matches = command.try_get_matches_from_mut(std::env::args_os());
    let matches: ArgMatches = matches.unwrap_or_else(|error| suggesting(error, &command).exit());
    match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    }
}

/// Adds the subcommand that was probably meant; clap does not for `help SUBCOMMAND`.
fn suggesting(mut error: clap::Error, command: &Command) -> clap::Error {
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidSubcommand) else {
        return error;
    };
    let names = command.get_subcommands().map(Command::get_name);
    let meant = nearest(typed, names).map(|name| vec![name.to_owned()]);
    if let Some(meant) = meant
        && error.get(ContextKind::SuggestedSubcommand).is_none()
    {
        let meant = ContextValue::Strings(meant);
        error.insert(ContextKind::SuggestedSubcommand, meant);
    }
    error
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

    /// Returns what the command line replies to arguments that are refused.
    fn refused(words: &[&str]) -> String {
        let words = std::iter::once("rightsizer").chain(words.iter().copied());
        command()
            .try_get_matches_from(words)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_number_that_does_not_fit_says_what_is_expected() {
        for (words, expected) in [
            (
                &["list", "--limit", "-1"][..],
                "expected a whole number of at least 1",
            ),
            (
                &["list", "--limit", "0"],
                "expected a whole number of at least 1",
            ),
            (&["hold", "f", "--days", "-3"], "a hold lasts 1 to 400 days"),
            (
                &["attach", "--all", "--stack", "s", "--settle", "-5"],
                "expected a whole number",
            ),
            (
                &["attach", "--all", "--stack", "s", "--first", "0"],
                "at least 1",
            ),
            (
                &["attach", "--all", "--stack", "s", "--rate", "-1"],
                "expected 0.1 to 10",
            ),
        ] {
            let text = refused(words);
            assert!(text.contains(expected), "{words:?}: {text}");
        }
        // No option of any command takes its value for another option.
        let all = command();
        for sub in all.get_subcommands() {
            for arg in sub.get_arguments().filter(|arg| !arg.is_positional()) {
                let takes = arg.get_action().takes_values();
                assert_eq!(
                    arg.is_allow_negative_numbers_set(),
                    takes,
                    "{} {arg}",
                    sub.get_name()
                );
            }
        }
    }

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
    fn help_fits_a_terminal() {
        let mut command = command_within(Some(80));
        command.build();
        let mut texts = vec![command.render_help().to_string()];
        for inner in command.get_subcommands_mut() {
            texts.push(inner.render_help().to_string());
            texts.push(inner.render_long_help().to_string());
        }
        let lines = texts.iter().flat_map(|text| text.lines());
        // What a person may copy stays in one piece.
        for line in lines.filter(|line| !line.starts_with("Usage: ")) {
            assert!(console::measure_text_width(line) <= 80, "{line}");
        }
    }

    #[test]
    fn the_whole_help_is_reviewed() {
        let mut shown = command().mut_args(|arg| arg.hide_env_values(true));
        let text = shown.render_help().to_string();
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }
}
