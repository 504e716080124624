//! The job in a Flink of its own, over files in a folder.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use rightsizer_records::{Proposal, Record, decode};
use tokio::process::Command;

/// The folders of one run.
pub(crate) struct Job {
    folder: tempfile::TempDir,
}

/// What `make flink` builds.
fn built() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/flink/target")
}

/// Whether the jar has the Kinesis connector.
pub(crate) fn reads_streams() -> bool {
    let name = b"rightsizer/KinesisStreams.class";
    let jar = std::fs::read(built().join("rightsizer-flink.jar")).unwrap();
    jar.windows(name.len()).any(|bytes| bytes == name)
}

impl Job {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["reports", "decisions", "proposals"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { folder }
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts records where the job finds them: a file that is complete, under a name that it has not read.
    pub(crate) fn put(&self, stream: &str, name: &str, records: &[Vec<u8>]) {
        let mut text = Vec::new();
        for record in records {
            text.extend(record);
            text.push(b'\n');
        }
        let hidden = self.place(stream).join(format!(".{name}"));
        std::fs::write(&hidden, text).unwrap();
        std::fs::rename(hidden, self.place(stream).join(name)).unwrap();
    }

    /// The command that runs the job; it ends with the value that is made of it.
    pub(crate) fn command(&self, options: &[&str]) -> Command {
        let cluster = std::fs::read_to_string(built().join("cluster.classpath"));
        let cluster = cluster.expect("the job is not built: run `make flink`");
        let jar = built().join("rightsizer-flink.jar");
        let log = std::fs::File::create(self.place("job.log")).unwrap();
        let mut command = Command::new("java");
        command
            .args([
                "-Xmx512m",
                "--add-opens=java.base/java.util=ALL-UNNAMED",
                "-cp",
            ])
            .arg(format!("{}:{}", jar.display(), cluster.trim()))
            .arg("rightsizer.Job");
        for name in ["reports", "decisions", "proposals"] {
            command.arg(format!("--{name}")).arg(self.place(name));
        }
        command
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true);
        command
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.place("job.log")).unwrap_or_default()
    }

    /// The proposals in files that are finished.
    pub(crate) fn proposals(&self) -> Vec<Proposal> {
        let mut found = Vec::new();
        read(&self.place("proposals"), &mut found);
        found
    }
}

fn read(folder: &Path, found: &mut Vec<Proposal>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_finished = !path.file_name().unwrap().to_string_lossy().starts_with('.');
        if path.is_dir() {
            read(&path, found);
        } else if is_finished {
            let text = std::fs::read_to_string(&path).unwrap();
            found.extend(text.lines().map(|line| match decode(line.as_bytes()) {
                Ok(Record::Proposal(proposal)) => *proposal,
                other => panic!("{other:?} among the proposals"),
            }));
        }
    }
}
