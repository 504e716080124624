//! The packages that `make dist` makes, each installed in a clean environment without the network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use rightsizer_tests::aggregator::binary;
use sha2::{Digest as _, Sha256};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const ADDRESS: &str = "https://example.com/releases/download/v1";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {words}");
    output
}

/// The folder of the packages, made once from the program that the tests run, by the script of `make dist`.
pub(crate) fn packages() -> &'static Path {
    static PACKAGES: OnceLock<tempfile::TempDir> = OnceLock::new();
    let made = PACKAGES.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("rightsizer");
        // A release has no symbols either.
        run(Command::new("strip")
            .arg("-o")
            .arg(&program)
            .arg(binary().unwrap()));
        let script = root().join("infra/dist.py");
        let out = folder.path().join("dist");
        run(Command::new("python3")
            .arg(&script)
            .arg("pack")
            .arg(&program)
            .arg(&out));
        run(Command::new("python3")
            .arg(&script)
            .arg("finish")
            .arg(&out)
            .arg(ADDRESS));
        folder
    });
    // A `static` is not dropped; the folder is small beside the target folder.
    Box::leak(Box::new(made.path().join("dist")))
}

/// The one file of the packages whose name has this beginning and this end.
pub(crate) fn package(begin: &str, end: &str) -> PathBuf {
    let mut found = names();
    found.retain(|name| name.starts_with(begin) && name.ends_with(end));
    assert_eq!(found.len(), 1, "{begin}…{end}: {found:?}");
    packages().join(&found[0])
}

fn names() -> Vec<String> {
    let names = fs::read_dir(packages()).unwrap();
    let mut names: Vec<String> = names
        .map(|f| f.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A new Python environment with the wheel in it; its program.
pub(crate) fn installed_by_pip(folder: &Path) -> PathBuf {
    run(Command::new("python3").args(["-m", "venv"]).arg(folder));
    let wheel = package("rightsizer-", ".whl");
    let pip = folder.join("bin/pip");
    run(Command::new(pip)
        .args([
            "install",
            "--quiet",
            "--no-index",
            "--disable-pip-version-check",
        ])
        .arg(wheel));
    folder.join("bin/rightsizer")
}

/// The README's first commands, without an account: one file of reports, and what comes of it.
fn works(program: &Path, folder: &Path) {
    let run_it = |arguments: &[&str]| {
        let output = run(Command::new(program).args(arguments).current_dir(folder));
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(
        run_it(&["--version"]).trim(),
        format!("rightsizer {VERSION}")
    );
    let line = "REPORT RequestId: 1\tDuration: 12.00 ms\tBilled Duration: 12 ms\tMemory Size: 1024 MB\tMax Memory \
                Used: 93 MB\t\n";
    fs::write(folder.join("checkout.txt"), line).unwrap();
    run_it(&["import", "--function", "checkout", "checkout.txt"]);
    let list = run_it(&["list"]);
    assert!(list.contains("checkout"), "{list}");
}

#[test]
fn the_wheel_installs_and_works() {
    let folder = tempfile::tempdir().unwrap();
    works(
        &installed_by_pip(&folder.path().join("venv")),
        folder.path(),
    );
}

/// The package that people name takes that of their system along; started by its own link, it passes exit codes on.
#[test]
fn the_npm_packages_install_and_work() {
    let folder = tempfile::tempdir().unwrap();
    let prefix = folder.path().join("prefix");
    let main = packages().join(format!("rightsizer-{VERSION}.tgz"));
    let of_system = package("rightsizer-linux-", ".tgz");
    let mut install = Command::new("npm");
    // As docs/INSTALL.md has it: globally, into a prefix of its own.
    install.args([
        "install",
        "--global",
        "--offline",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
        "--prefix",
    ]);
    run(install
        .arg(&prefix)
        .arg(of_system)
        .arg(main)
        .env("HOME", folder.path()));
    let program = prefix.join("bin/rightsizer");
    works(&program, folder.path());
    let failed = Command::new(&program)
        .args(["list", "--store", "nope.db"])
        .output()
        .unwrap();
    assert_eq!(failed.status.code(), Some(1));
    let misused = Command::new(&program)
        .arg("--no-such-option")
        .output()
        .unwrap();
    assert_eq!(misused.status.code(), Some(2));
}

/// The folder and the file in it that `cargo binstall` looks for, and what Homebrew installs beside the program.
#[test]
fn the_archive_has_what_binstall_and_homebrew_take() {
    let manifest = fs::read_to_string(root().join("aggregator/Cargo.toml")).unwrap();
    let filled = |key: &str| {
        let line = manifest
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{key} = \"")));
        let text = line.unwrap().trim_end_matches('"').to_owned();
        let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let values = [
            ("name", "rightsizer"),
            ("bin", "rightsizer"),
            ("version", VERSION),
            ("target", &triple),
            ("repo", ""),
        ];
        values.iter().fold(text, |text, (key, value)| {
            text.replace(&format!("{{ {key} }}"), value)
        })
    };
    let url = filled("pkg-url");
    let archive = packages().join(url.rsplit('/').next().unwrap());
    assert!(archive.is_file(), "{url}");
    let listed = run(Command::new("tar").arg("tzf").arg(&archive));
    let listed = String::from_utf8(listed.stdout).unwrap();
    let files: Vec<&str> = listed.lines().collect();
    assert!(files.contains(&filled("bin-dir").as_str()), "{listed}");
    for wanted in [
        "man/rightsizer.1",
        "man/rightsizer-import.1",
        "completions/rightsizer.fish",
        "LICENSE-MIT",
    ] {
        assert!(
            files
                .iter()
                .any(|file| file.ends_with(&format!("/{wanted}"))),
            "{wanted}: {listed}"
        );
    }
    // The formula names this archive with its digest.
    let formula = fs::read_to_string(packages().join("rightsizer.rb")).unwrap();
    let name = archive.file_name().unwrap().to_str().unwrap();
    let digest = hex(&fs::read(&archive).unwrap());
    let wanted = format!("      url \"{ADDRESS}/{name}\"\n      sha256 \"{digest}\"\n");
    assert!(formula.contains(&wanted), "{formula}");
    // Homebrew refuses a formula that is not in a tap.
    let page = fs::read_to_string(root().join("docs/INSTALL.md")).unwrap();
    assert!(page.contains("brew tap-new") && !page.contains("brew install ./"));
}

#[test]
fn every_package_is_in_the_checksums_and_is_made_again_byte_for_byte() {
    let sums = fs::read_to_string(packages().join("SHA256SUMS")).unwrap();
    for name in names().iter().filter(|name| *name != "SHA256SUMS") {
        let line = format!(
            "{}  {name}\n",
            hex(&fs::read(packages().join(name)).unwrap())
        );
        assert!(sums.contains(&line), "{name}");
    }
    // The package that selects one of the others.
    let main = packages().join(format!("rightsizer-{VERSION}.tgz"));
    let before = fs::read(&main).unwrap();
    run(Command::new("python3")
        .arg(root().join("infra/dist.py"))
        .arg("finish")
        .arg(packages())
        .arg(ADDRESS));
    assert!(fs::read(&main).unwrap() == before);
}

fn hex(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}
