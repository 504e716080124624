//! One run of the job in a Flink of its own, over files in a folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Folders of one run.
pub(crate) struct Job {
    folder: tempfile::TempDir,
}

/// What Flink's own classes reflect on.
const OPENS: [&str; 2] = [
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
];

impl Job {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["reports", "decisions"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { folder }
    }

    pub(crate) fn reports(&self) -> PathBuf {
        self.folder.path().join("reports")
    }

    pub(crate) fn decisions(&self) -> PathBuf {
        self.folder.path().join("decisions")
    }

    /// Runs the job to the end of its input, and returns the proposals.
    pub(crate) fn run(&self, parallelism: u32) -> Vec<Value> {
        let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/flink/target");
        let jar = built.join("rightsizer-flink.jar");
        let cluster = std::fs::read_to_string(built.join("cluster.classpath"));
        let cluster = cluster.expect("the job is not built: run `make flink`");
        let place = |name: &str| self.folder.path().join(name).display().to_string();
        let output = Command::new("java")
            .arg("-Xmx768m")
            .args(OPENS)
            .arg("-cp")
            .arg(format!("{}:{}", jar.display(), cluster.trim()))
            .arg("rightsizer.Job")
            .args(["--reports", &place("reports")])
            .args(["--decisions", &place("decisions")])
            .args(["--proposals", &place("proposals")])
            .args(["--quarantine", &place("quarantine")])
            .args(["--settings-text", super::history::SETTINGS])
            .args(["--clock", "event"])
            .args(["--parallelism", &parallelism.to_string()])
            .output()
            .expect("java is missing: run `make tools`");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        lines(&self.folder.path().join("proposals"))
    }

    /// Runs it on a cluster of processes that is killed this often; returns the proposals and what was done.
    pub(crate) fn run_and_kill(&self, kills: &str) -> (Vec<Value>, String) {
        let settings = self.folder.path().join("settings.toml");
        std::fs::write(settings, super::history::SETTINGS).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/flink/kills.py");
        let output = Command::new("python3")
            .arg(script)
            .arg(self.folder.path())
            .arg(kills)
            .output()
            .expect("python3 is missing: run `make tools`");
        let log = || std::fs::read_to_string(self.folder.path().join("cluster.log"));
        assert!(
            output.status.success(),
            "{}\n{}",
            String::from_utf8_lossy(&output.stderr),
            log().unwrap_or_default()
        );
        let counts = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        (lines(&self.folder.path().join("proposals")), counts)
    }

    /// The rows of the quarantine.
    pub(crate) fn quarantine(&self) -> Vec<Value> {
        lines(&self.folder.path().join("quarantine"))
    }
}

/// The JSON lines of all files below a folder that are finished.
fn lines(folder: &Path) -> Vec<Value> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(lines(&path));
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        found.extend(
            text.lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap()),
        );
    }
    found
}
