//! One run of the job in a Flink of its own, over files in a folder.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rightsizer_formats::states::of_line;
use rightsizer_rules::state::FunctionState;
use serde_json::Value;

use super::history::by_name;

/// Folders of one run. There is one at a time: a JVM of another test would take its processors.
pub(crate) struct Job {
    folder: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

static TURN: Mutex<()> = Mutex::new(());

/// Only a job that goes on takes longer to fail.
const PATIENCE: Duration = Duration::from_mins(2);

/// What Flink's own classes reflect on.
const OPENS: [&str; 2] = [
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
];

impl Job {
    pub(crate) fn new() -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().unwrap();
        for name in ["reports", "decisions"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self {
            folder,
            _turn: turn,
        }
    }

    pub(crate) fn reports(&self) -> PathBuf {
        self.folder("reports")
    }

    pub(crate) fn decisions(&self) -> PathBuf {
        self.folder("decisions")
    }

    /// A folder of the run, which is there afterwards.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// The command that runs the job in a Flink of its own; what is given to the JVM and to the job comes in addition.
    pub(crate) fn command(&self, jvm: &[&str], options: &[&str]) -> Command {
        let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/flink/target");
        let jar = built.join("rightsizer-flink.jar");
        let cluster = std::fs::read_to_string(built.join("cluster.classpath"));
        let cluster = cluster.expect("the job is not built: run `make flink`");
        let place = |name: &str| self.folder.path().join(name).display().to_string();
        let mut command = Command::new("java");
        command
            .arg("-Xmx768m")
            .args(OPENS)
            .args(jvm)
            .arg("-cp")
            .arg(format!("{}:{}", jar.display(), cluster.trim()))
            .arg("rightsizer.Job");
        for name in ["reports", "decisions", "proposals", "quarantine", "states"] {
            command.arg(format!("--{name}")).arg(place(name));
        }
        command.args(["--settings-text", super::history::SETTINGS]);
        command.args(options);
        command
    }

    /// Runs the job to the end of its input, and returns the proposals.
    pub(crate) fn run(&self, parallelism: u32) -> Vec<Value> {
        let parallelism = parallelism.to_string();
        let options = ["--clock", "event", "--parallelism", &parallelism];
        assert_eq!(self.run_with(&[], &options), None);
        self.proposals()
    }

    /// Runs the job to the end of its input, or to its failure; returns its log then.
    pub(crate) fn run_with(&self, jvm: &[&str], options: &[&str]) -> Option<String> {
        let output = self.command(jvm, options).output();
        let output = output.expect("java is missing: run `make tools`");
        if output.status.success() {
            return None;
        }
        Some(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Runs a job that must fail by itself soon, and returns its log.
    pub(crate) fn ends(&self, jvm: &[&str], options: &[&str]) -> String {
        let log = self.folder.path().join("ends.log");
        let file = File::create(&log).unwrap();
        let mut command = self.command(jvm, options);
        command.stdout(file.try_clone().unwrap()).stderr(file);
        let mut running = command.spawn().expect("java is missing: run `make tools`");
        let begin = Instant::now();
        let ended = loop {
            match running.try_wait().unwrap() {
                None if begin.elapsed() < PATIENCE => sleep(Duration::from_millis(50)),
                ended => break ended,
            }
        };
        drop(running.kill());
        drop(running.wait());
        let log = std::fs::read_to_string(log).unwrap();
        let ended = ended.unwrap_or_else(|| panic!("it runs on: {log}"));
        assert!(!ended.success(), "{log}");
        log
    }

    /// A folder for the class path with the jar's library, changed so that it is of another processor.
    pub(crate) fn library_for_another_processor(&self) -> PathBuf {
        let name = format!(
            "native/linux-{}/librightsizer_flink.so",
            std::env::consts::ARCH
        );
        let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/flink/target");
        let mut library = std::fs::read(built.join(&name)).unwrap();
        // e_machine of an ELF file.
        library[18] = 243;
        let folder = self.folder("other");
        let place = folder.join(name);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(place, library).unwrap();
        folder
    }

    /// The proposals so far.
    pub(crate) fn proposals(&self) -> Vec<Value> {
        lines(&self.folder.path().join("proposals"))
    }

    /// Runs it on a cluster of processes that is killed this often; returns the proposals and what was done.
    pub(crate) fn run_and_kill(&self, kills: usize) -> (Vec<Value>, String) {
        let settings = self.folder.path().join("settings.toml");
        std::fs::write(settings, super::history::SETTINGS).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/flink/kills.py");
        let output = Command::new("python3")
            .arg(script)
            .arg(self.folder.path())
            .arg(kills.to_string())
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

    /// The versions of all states, in order.
    pub(crate) fn state_versions(&self) -> Vec<u8> {
        let lines = texts(&self.folder.path().join("states"));
        let first = lines.iter().filter_map(|line| line.get(..4));
        // Four characters are three bytes; the first is the version.
        let mut versions: Vec<u8> = first
            .map(|text| STANDARD.decode(text).unwrap()[0])
            .collect();
        versions.sort_unstable();
        versions
    }

    /// The newest state of each function.
    pub(crate) fn states(&self) -> BTreeMap<String, FunctionState> {
        let lines = texts(&self.folder.path().join("states"));
        by_name(lines.iter().map(|line| of_line(line.as_bytes()).unwrap()))
    }
}

/// The JSON lines of all files below a folder that are finished.
fn lines(folder: &Path) -> Vec<Value> {
    let lines = texts(folder);
    lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The lines of all files below a folder that are finished.
fn texts(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(texts(&path));
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            let text = std::fs::read_to_string(&path).unwrap();
            found.extend(text.lines().map(str::to_owned));
        }
    }
    found
}
