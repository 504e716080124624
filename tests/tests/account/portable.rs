//! The commands run on macOS and Linux: shell that every `sh` parses, no GNU-only tools, and a Python version as old
//! as the one in macOS.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use rightsizer_tests::emulator::extension_binary;

use crate::stage::{root, tool, words_of};

/// Returns the files below `infra/` with this suffix.
fn files(end: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in ["infra", "infra/account", "infra/flink"] {
        for entry in std::fs::read_dir(root().join(folder))? {
            let path = entry?.path();
            if path.extension().is_some_and(|e| e == end) {
                found.push(path);
            }
        }
    }
    ensure!(!found.is_empty(), "no {end} files");
    found.sort();
    Ok(found)
}

/// A standard `sh` is a subset of bash 3.2 in macOS.
#[test]
fn every_script_is_plain_shell() -> Result<()> {
    for script in files("sh")? {
        let text = std::fs::read_to_string(&script)?;
        assert!(text.starts_with("#!/bin/sh\n"), "{}", script.display());
    }
    let checked = Command::new(tool("shellcheck")?)
        .args(["--shell=sh", "--severity=warning"])
        .args(files("sh")?)
        .output()?;
    ensure!(checked.status.success(), "{}", words_of(&checked));
    Ok(())
}

/// macOS has GNU make 3.81, whose shell would go on after a command that failed.
#[test]
fn the_makefile_needs_no_newer_make_than_3_81() -> Result<()> {
    let text = std::fs::read_to_string(root().join("Makefile"))?;
    let shells: Vec<_> = text.lines().filter(|l| l.starts_with("SHELL")).collect();
    assert_eq!(shells, ["SHELL := /bin/bash -euo pipefail"]);
    let newer = [
        "\n.SHELLFLAGS",
        "\n.ONESHELL",
        "\nundefine ",
        "$(file ",
        "$(intcmp ",
        "$(let ",
        " != ",
        " ::= ",
    ];
    let found: Vec<_> = newer.iter().filter(|form| text.contains(*form)).collect();
    assert!(found.is_empty(), "{found:?}");
    Ok(())
}

/// Shows that the check of the scripts works: it refuses bash-only forms.
#[test]
fn what_only_bash_has_is_noticed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for line in [
        "declare -A a",
        "[[ a == b* ]]",
        "a=${b/c/d}",
        "set -o pipefail",
    ] {
        let script = folder.path().join("a.sh");
        std::fs::write(&script, format!("#!/bin/sh\nb=c\n{line}\necho \"$a$b\"\n"))?;
        let checked = Command::new(tool("shellcheck")?)
            .args(["--shell=sh", "--severity=warning"])
            .arg(&script)
            .output()?;
        ensure!(!checked.status.success(), "{line} passes");
    }
    Ok(())
}

/// macOS has Python 3.9.
#[test]
fn every_program_is_python_3_9() -> Result<()> {
    let parse = "import ast, sys\n\
        for file in sys.argv[1:]: ast.parse(open(file).read(), file, feature_version=(3, 9))";
    let parse = |files: &[PathBuf]| {
        let mut python = Command::new("python3");
        python.args(["-c", parse]).args(files).output()
    };
    let parsed = parse(&files("py")?)?;
    ensure!(parsed.status.success(), "{}", words_of(&parsed));
    let folder = tempfile::tempdir()?;
    let newer = folder.path().join("newer.py");
    std::fs::write(&newer, "match 1:\n    case _: pass\n")?;
    ensure!(!parse(&[newer])?.status.success(), "3.10 passes for 3.9");
    Ok(())
}

#[test]
fn the_tests_beside_the_account_s_commands_pass() -> Result<()> {
    let run = Command::new("python3")
        .args(["-B", "-m", "unittest", "discover", "-s", "infra/account"])
        .current_dir(root())
        .output()?;
    ensure!(run.status.success(), "{}", words_of(&run));
    assert!(words_of(&run).contains("\nOK"), "{}", words_of(&run));
    Ok(())
}

/// Tools that both systems have.
const TOOLS: &[&str] = &[
    "cat", "chmod", "cmp", "cp", "dirname", "env", "find", "grep", "ls", "mkdir", "mktemp", "mv",
    "od", "rm", "sh", "touch", "tr", "uname", "wc", "zip",
];

/// Returns a folder with only those tools, and with an `install` without `-D`, as in macOS.
fn machine(folder: &Path) -> Result<String> {
    for name in TOOLS {
        let found = std::env::split_paths(&std::env::var_os("PATH").context("no path")?)
            .map(|folder| folder.join(name))
            .find(|file| file.is_file());
        let found = found.with_context(|| format!("{name} is missing"))?;
        std::os::unix::fs::symlink(found, folder.join(name))?;
    }
    // The first match on the path may be a script that looks for the real tool.
    let python = Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output()?;
    std::os::unix::fs::symlink(words_of(&python).trim(), folder.join("python3"))?;
    let install = folder.join("install");
    let script = "#!/bin/sh\n[ \"$1\" = -m ] && [ $# = 4 ] || { echo \"install: illegal option $*\" >&2; exit 64; }\n\
                  cp \"$3\" \"$4\" && chmod \"$2\" \"$4\"\n";
    std::fs::write(&install, script)?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&install, mode)?;
    Ok(folder.display().to_string())
}

/// A program that is linked against an older C library finds no addresses in the container.
#[test]
fn what_could_reach_nothing_is_not_built() -> Result<()> {
    let tools = tempfile::tempdir()?;
    let path = machine(tools.path())?;
    let getconf = tools.path().join("getconf");
    std::fs::write(&getconf, "#!/bin/sh\necho glibc 2.26\n")?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&getconf, mode)?;
    let run = Command::new("/bin/sh")
        .args(["infra/static.sh", "nowhere"])
        .current_dir(root())
        .env_clear()
        .env("PATH", path)
        .output()?;
    let shown = words_of(&run);
    ensure!(
        !run.status.success() && shown.contains("finds no addresses"),
        "{shown}"
    );
    Ok(())
}

#[test]
fn a_package_is_made_without_a_tool_that_only_gnu_has() -> Result<()> {
    let (tools, out) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let path = machine(tools.path())?;
    let built = out.path().join("built");
    std::fs::create_dir(&built)?;
    for name in ["rightsizer", "rightsizer-updater", "rightsizer-extension"] {
        std::fs::copy(extension_binary()?, built.join(name))?;
    }
    let package = out.path().join("package");
    let run = Command::new("/bin/sh")
        .arg("infra/package.sh")
        .arg("x86_64")
        .arg(&package)
        .arg(out.path())
        .current_dir(root())
        .env_clear()
        .env("PATH", path)
        .env("RIGHTSIZER_BINARIES", &built)
        .output()?;
    ensure!(run.status.success(), "{}", words_of(&run));
    for made in [
        "layer-x86_64.zip",
        "updater-x86_64.zip",
        "image/index.json",
        "architecture",
    ] {
        assert!(package.join(made).is_file(), "{made}");
    }
    Ok(())
}
