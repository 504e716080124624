//! Holds the commands in the documentation to the command line: every command and flag that a page shows exists.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory as _};

use super::Cli;

/// The pages of the repository that show commands.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folders =
        ["", "docs", "docs/decisions", "infra", "infra/flink"].map(|folder| root.join(folder));
    let files = folders
        .iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap());
    let paths = files.map(|file| file.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .collect()
}

/// The code of a page: lines of blocks, and spans, which may go on over a line's end.
fn code(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    for (n, part) in text.split("```").enumerate() {
        if n % 2 == 1 {
            pieces.extend(part.lines().map(str::to_owned));
        } else {
            let spans = part.split('`').skip(1).step_by(2);
            pieces.extend(spans.map(|span| span.replace('\n', " ")));
        }
    }
    pieces
}

/// Faults of the commands in one piece of code.
pub(super) fn faults(cli: &Command, piece: &str) -> Vec<String> {
    let without_comment = piece.split(" #").next().unwrap_or_default();
    let words: Vec<&str> = without_comment.split_whitespace().collect();
    let mut faults = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let is_value = at > 0 && words[at - 1].starts_with("--");
        let is_program = *word == "rightsizer" || word.ends_with("/rightsizer");
        let Some(name) = words.get(at + 1).filter(|_| is_program && !is_value) else {
            continue;
        };
        if !name.chars().all(|c| c.is_ascii_lowercase()) {
            continue;
        }
        let Some(mut command) = cli.find_subcommand(name) else {
            faults.push(format!("no command {name}: {piece}"));
            continue;
        };
        for word in &words[at + 2..] {
            if ["|", ">", ">>", "<", "&&", ";"].contains(word) {
                break;
            }
            if let Some(inner) = command.find_subcommand(word) {
                command = inner;
            }
            let Some(flag) = word.strip_prefix("--") else {
                continue;
            };
            let flag: String = flag
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '-')
                .collect();
            let has = |arg: &clap::Arg| {
                arg.get_long() == Some(&flag)
                    || arg
                        .get_all_aliases()
                        .is_some_and(|all| all.contains(&flag.as_str()))
            };
            if !flag.is_empty() && flag != "help" && !command.get_arguments().any(has) {
                faults.push(format!("{name} has no --{flag}: {piece}"));
            }
        }
    }
    faults
}

#[test]
fn every_command_in_the_documentation_exists() {
    let mut cli = Cli::command();
    cli.build();
    let (mut seen, mut wrong) = (0, Vec::new());
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for piece in code(&text) {
            seen += usize::from(piece.contains("rightsizer "));
            let named = |fault| format!("{}: {fault}", page.display());
            wrong.extend(faults(&cli, &piece).into_iter().map(named));
        }
    }
    assert!(seen > 100, "only {seen} pieces of code name the program");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_command_that_does_not_exist_is_found() {
    let mut cli = Cli::command();
    cli.build();
    let found = |piece| faults(&cli, piece);
    for right in [
        "rightsizer import cloudwatch --all-regions",
        "target/debug/rightsizer list --json | jq --raw-output .",
        "rightsizer attach --stack rightsizer --tag team=payments",
        "rightsizer",
    ] {
        assert_eq!(found(right), Vec::<String>::new(), "{right}");
    }
    assert_eq!(found("rightsizer lists").len(), 1);
    assert_eq!(
        found("rightsizer list --colour && rightsizer shows").len(),
        2
    );
    assert_eq!(code("a `b\nc` d\n```sh\ne\n```\n"), ["b c", "sh", "e"]);
}
