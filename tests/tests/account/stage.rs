//! An account that `moto` emulates, a registry, and the commands that a person types.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use anyhow::{Result, ensure};
use rightsizer_tests::aggregator::binary;
use rightsizer_tests::servers::{MotoServer, REGION, aws_environment};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::registry::Registry;

/// Returns the root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns the path of a tool that `make tools` installs.
pub(crate) fn tool(name: &str) -> Result<PathBuf> {
    let path = root().join(".tools/python/bin").join(name);
    ensure!(
        path.is_file(),
        "{name} is missing: run `make tools` in the checkout"
    );
    Ok(path)
}

/// The account, and a person's machine.
pub(crate) struct Stage {
    pub(crate) moto: MotoServer,
    pub(crate) registry: Registry,
    /// The working folder, with the output of `make package`.
    pub(crate) folder: TempDir,
}

impl Stage {
    /// Creates an account with only the role of its test functions.
    pub(crate) async fn set() -> Result<Self> {
        Ok(Self {
            moto: MotoServer::start().await?,
            registry: Registry::start().await?,
            folder: tempfile::tempdir()?,
        })
    }

    /// Returns the environment of a person's shell: credentials, and the product and the AWS command line on the path.
    /// Small files replace the binaries of a build, because their content does not matter here.
    pub(crate) fn environment(&self) -> Result<Vec<(String, String)>> {
        let built = self.folder.path().join("built");
        if !built.exists() {
            std::fs::create_dir(&built)?;
            for name in [
                "rightsizer",
                "rightsizer-updater",
                "rightsizer-extension",
                "rightsizer-flink.jar",
            ] {
                std::fs::write(built.join(name), format!("in the place of {name}"))?;
                std::fs::set_permissions(built.join(name), Permissions::from_mode(0o755))?;
            }
        }
        let folder = |path: PathBuf| path.with_file_name("").display().to_string();
        let (product, tools) = (folder(binary()?), folder(tool("aws")?));
        let path = std::env::var("PATH").unwrap_or_default();
        let mut environment = aws_environment("ANY", self.moto.endpoint());
        let intercepted = self.folder.path().join("bin");
        environment.extend(
            [
                ("AWS_ENDPOINT_URL", self.moto.endpoint().to_owned()),
                // The name that the Python SDK knows.
                ("AWS_DEFAULT_REGION", REGION.to_owned()),
                ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
                (
                    "PATH",
                    format!("{}:{product}:{tools}:{path}", intercepted.display()),
                ),
                ("RIGHTSIZER_BINARIES", built.display().to_string()),
                (
                    "RIGHTSIZER_FLINK_JAR",
                    built.join("rightsizer-flink.jar").display().to_string(),
                ),
                ("RIGHTSIZER_REGISTRY", self.registry.url.clone()),
                ("PACKAGE", self.package().display().to_string()),
                ("AWS_MAX_ATTEMPTS", "1".to_owned()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        Ok(environment)
    }

    /// Intercepts `aws`, in place of an earlier interception: if its arguments match this shell pattern, it first runs
    /// this script and then, unless that exited, the real command, which is `REAL`.
    pub(crate) fn intercept(&self, pattern: &str, script: &str) -> Result<()> {
        let bin = self.folder.path().join("bin");
        std::fs::create_dir_all(&bin)?;
        let real = tool("aws")?;
        let real = real.display();
        let (head, tail) = (
            format!("#!/bin/bash\nREAL() {{ '{real}' \"$@\"; }}\n"),
            "REAL \"$@\"\n",
        );
        let text = format!("{head}{}{tail}", case(pattern, script));
        std::fs::write(bin.join("aws"), text)?;
        Ok(std::fs::set_permissions(
            bin.join("aws"),
            Permissions::from_mode(0o755),
        )?)
    }

    /// Intercepts in addition to earlier interceptions, which run first.
    pub(crate) fn also(&self, pattern: &str, script: &str) -> Result<()> {
        let aws = self.folder.path().join("bin/aws");
        let text = std::fs::read_to_string(&aws)?;
        let end = "REAL \"$@\"\n";
        let before = text.trim_end_matches(end);
        Ok(std::fs::write(
            aws,
            format!("{before}{}{end}", case(pattern, script)),
        )?)
    }

    /// Runs another tool's command: its arguments, and a last one that may contain blanks.
    pub(crate) async fn aws(&self, words: &str, last: &str) -> Result<()> {
        let mut aws = Command::new(tool("aws")?);
        aws.args(words.split(' ')).arg(last);
        let done = aws.envs(self.environment()?).output().await?;
        ensure!(done.status.success(), "{words}: {}", words_of(&done));
        Ok(())
    }

    /// Returns the output folder of `make package`.
    pub(crate) fn package(&self) -> PathBuf {
        self.folder.path().join("package")
    }

    /// Runs `make` with these arguments.
    pub(crate) async fn make(&self, words: &[&str]) -> Result<Output> {
        let make = Command::new("make")
            .arg("-C")
            .arg(root())
            .args(words)
            .env_remove("MAKEFLAGS")
            .env_remove("MAKELEVEL")
            .envs(self.environment()?)
            .stdin(Stdio::null())
            .output();
        Ok(make.await?)
    }

    /// Runs `make`, which must succeed, and returns its output.
    pub(crate) async fn made(&self, words: &[&str]) -> Result<String> {
        let output = self.make(words).await?;
        let shown = words_of(&output);
        ensure!(output.status.success(), "make {words:?} failed:\n{shown}");
        Ok(shown)
    }

    /// Returns the content of the account, from `tests/tools/account.py`.
    pub(crate) async fn account(&self, words: &[&str]) -> Result<Value> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/account.py");
        let asked = Command::new(tool("python")?)
            .arg(script)
            .args(words)
            .envs(self.environment()?)
            .output()
            .await?;
        ensure!(asked.status.success(), "{}", words_of(&asked));
        Ok(serde_json::from_slice(&asked.stdout)?)
    }
}

fn case(pattern: &str, script: &str) -> String {
    // A blank in the pattern is literal.
    let pattern = pattern.replace(' ', "\\ ");
    format!("case \"$*\" in {pattern}) {script} ;; esac\n")
}

/// Returns standard output, then standard error.
pub(crate) fn words_of(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}
