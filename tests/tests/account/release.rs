//! Checks the release: pinned actions, few permissions, one version number.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use rightsizer_records::{decode, encode};
use rightsizer_tests::aggregator::binary;
use rightsizer_tests::emulator::extension_binary;
use rightsizer_tests::servers::updater_binary;

use crate::stage::{root, words_of};

#[test]
fn every_action_is_pinned_and_no_job_may_more_than_it_needs() -> Result<()> {
    let mut pinned = 0;
    for name in ["check.yml", "release.yml"] {
        let text = std::fs::read_to_string(root().join(".github/workflows").join(name))?;
        // A workflow of this repository has the same commit.
        for line in text
            .lines()
            .filter(|line| line.contains("uses:") && !line.contains("uses: ./"))
        {
            let (_, rest) = line
                .split_once('@')
                .context("an action without a version")?;
            let (commit, tag) = rest.split_once(" # v").context("no version in words")?;
            let hex = commit.len() == 40 && commit.chars().all(|c| c.is_ascii_hexdigit());
            ensure!(hex && !tag.is_empty(), "{name}: {line} can be moved");
            pinned += 1;
        }
        assert!(
            text.contains("\npermissions:\n  contents: read\n"),
            "{name}"
        );
        // One job makes the release and attests its origin; another one shows its identity to registries.
        let writes = |what: &str| text.matches(&format!(" {what}: write")).count();
        let wanted = if name == "release.yml" {
            [1, 1, 2]
        } else {
            [0, 0, 0]
        };
        let found = ["contents", "attestations", "id-token"].map(writes);
        assert_eq!(found, wanted, "{name}");
        let all = text.matches(": write").count();
        assert_eq!(all, wanted.iter().sum::<usize>(), "{name}");
    }
    assert!(pinned >= 6);
    Ok(())
}

#[test]
fn the_checks_of_a_change_are_the_commands_of_a_developer() -> Result<()> {
    let text = std::fs::read_to_string(root().join(".github/workflows/check.yml"))?;
    assert!(
        text.contains("run: make check\n") && text.contains(" make test\n"),
        "{text}"
    );
    Ok(())
}

/// The developer's checks run before a release: the jobs that build something wait for them.
#[test]
fn nothing_is_released_that_was_not_checked() -> Result<()> {
    let read = |name: &str| std::fs::read_to_string(root().join(".github/workflows").join(name));
    let (check, release) = (read("check.yml")?, read("release.yml")?);
    assert!(check.contains("\n  workflow_call:\n"), "{check}");
    let (_, jobs) = release.split_once("\njobs:\n").context("no jobs")?;
    let gate = "  check:\n    uses: ./.github/workflows/check.yml\n";
    assert!(jobs.contains(gate), "{jobs}");
    assert!(jobs.contains("cargo deny check advisories"), "{jobs}");
    for (job, after) in [
        ("build", "[check, advisories]"),
        ("macos", "[check, advisories]"),
        ("publish", "[build, macos]"),
        ("registries", "publish"),
    ] {
        let wanted = format!("  {job}:\n    needs: {after}\n");
        assert!(jobs.contains(&wanted), "{job} does not wait for {after}");
    }
    Ok(())
}

#[test]
fn one_version_is_shown_and_has_its_changes_written_down() -> Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    for binary in [binary()?, updater_binary()?, extension_binary()?] {
        let name = binary.file_name().context("a binary has a name")?;
        let shown = Command::new(&binary).arg("--version").output()?;
        let wanted = format!("{} {version}", name.display());
        assert_eq!(words_of(&shown).trim(), wanted);
    }
    let outcome = std::fs::read(root().join("records/fixtures/outcome.json"))?;
    let carried = String::from_utf8(encode(&decode(&outcome)?))?;
    let wanted = format!(",\"release\":\"{version}\"}}");
    assert!(carried.ends_with(&wanted), "{carried}");
    let changes = std::fs::read_to_string(root().join("CHANGELOG.md"))?;
    assert!(changes.contains(&format!("\n## {version}\n")));
    for command in commands()?.iter().filter(|command| *command != "serve") {
        assert!(changes.contains(&format!("`{command}`")), "{command}");
    }
    for member in ["records", "extension", "aggregator", "updater", "tests"] {
        let manifest = std::fs::read_to_string(root().join(member).join("Cargo.toml"))?;
        assert!(
            manifest.contains("\nversion.workspace = true\n"),
            "{member}"
        );
    }
    Ok(())
}

/// Returns the commands in the help of the binary.
fn commands() -> Result<Vec<String>> {
    let help = words_of(&Command::new(binary()?).arg("--help").output()?);
    let (listed, _) = help.split_once("\nOptions:\n").context("no options")?;
    let names = listed.lines().filter_map(|line| {
        let name = line.strip_prefix("  ")?;
        name.starts_with(|c: char| c.is_ascii_lowercase())
            .then(|| name.split(' ').next())?
    });
    let names: Vec<_> = names
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect();
    ensure!(names.len() > 15, "{help}");
    Ok(names)
}
