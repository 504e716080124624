//! Disks that are full or read-only, real ones of a few MB: `serve` and `import` stop with clear
//! words, and once there is room again everything is there.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod put_records;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use put_records::{client, put};
use rightsizer_records::{EnvId, Reports};
use rightsizer_store::ReviewRow;
use rightsizer_tests::aggregator::{Aggregator, binary};
use rightsizer_tests::sample;
use rightsizer_tests::scene::or_not_played;
use rightsizer_tests::servers::{KinesisLocal, aws_environment, unshare};

/// A file system in memory, of a mount namespace of its own; gone when dropped.
struct SmallDisk {
    /// Keeps the namespace.
    holder: Child,
    how: &'static str,
    folder: tempfile::TempDir,
}

/// Its size. A store without functions takes some 200 KB with its log.
const SIZE_KB: usize = 4096;

impl SmallDisk {
    /// None if this machine has no mount namespaces.
    fn mount() -> Option<Self> {
        let how = or_not_played(unshare()).unwrap()?;
        let folder = tempfile::tempdir().unwrap();
        let script = format!(
            "mount -t tmpfs -o size={SIZE_KB}k none '{}' && echo mounted && exec cat",
            folder.path().display()
        );
        let mut holder = Command::new("unshare")
            .args([how, "sh", "-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut text_shown = String::new();
        let mut out = BufReader::new(holder.stdout.take().unwrap());
        out.read_line(&mut text_shown).unwrap();
        assert_eq!(text_shown, "mounted\n");
        Some(Self {
            holder,
            how,
            folder,
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn store(&self) -> PathBuf {
        self.path("rightsizer.db")
    }

    /// The beginning of a command that sees this disk and becomes `program`.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.holder.id().to_string(), "-m"]);
        if self.how.contains('U') {
            command.args(["-U", "--preserve-credentials"]);
        }
        command.arg(program);
        command
    }

    fn run(&self, program: &Path, arguments: &[&str]) -> Output {
        self.command(program).args(arguments).output().unwrap()
    }

    /// Runs a script that sees this disk. A `mount` in it names source and folder: else it takes the options of
    /// `/proc/mounts` along, among which are a user's numbers that his namespace does not have.
    fn shell(&self, script: &str) {
        let done = self.run(Path::new("sh"), &["-c", script]);
        assert!(done.status.success(), "{script}: {done:?}");
    }

    fn rightsizer(&self, arguments: &[&str]) -> Output {
        self.run(&binary().unwrap(), arguments)
    }

    /// Takes room away until only so much is left.
    fn leave_kb(&self, kb: usize) {
        let (ballast, folder) = (self.path("ballast"), self.folder.path());
        let (ballast, folder) = (ballast.display(), folder.display());
        self.shell(&format!(
            "free=$(df -k --output=avail '{folder}' | tail -1); \
             head -c $(( (free - {kb}) * 1024 )) /dev/zero > '{ballast}'"
        ));
    }

    fn make_room(&self) {
        self.shell(&format!("rm '{}'", self.path("ballast").display()));
    }

    async fn serve(
        &self,
        more: &[&str],
        environment: &[(String, String)],
        log: &Path,
    ) -> Aggregator {
        let arguments = [&["--clock", "event"], more].concat();
        let command = self.command(&binary().unwrap()).into();
        Aggregator::start_by(command, &self.store(), &arguments, environment, Some(log))
            .await
            .unwrap()
    }

    fn rows(&self) -> Vec<ReviewRow> {
        let store = self.store();
        let listed = self.rightsizer(&["list", "--json", "--store", store.to_str().unwrap()]);
        assert!(listed.status.success(), "{listed:?}");
        serde_json::from_slice(&listed.stdout).unwrap()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Its input is closed, so it ends, and the disk with it.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// One invocation of a function of its own: each takes room.
fn record(n: u64) -> Vec<u8> {
    let reports = sample::reports(&format!("function-{n}")).unwrap();
    sample::bytes(Reports {
        env: EnvId(n),
        ..reports
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Every one of `count` functions with its one report, none twice.
fn all_there(rows: &[ReviewRow], count: u64) -> bool {
    rows.len() as u64 == count && rows.iter().all(|row| (row.seen, row.duplicates) == (1, 0))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_the_reading_of_a_stream_and_loses_nothing() {
    const RECORDS: u64 = 4000;
    let kinesis = KinesisLocal::start().await.unwrap();
    kinesis.create_stream("reports", 2).await.unwrap();
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("serve.log");
    let environment = aws_environment("KINESIS", kinesis.endpoint());
    let source = ["--source", "kinesis:reports"];
    // So that it is there, and takes room only as it grows.
    let serve = disk.serve(&source, &environment, &log).await;
    assert!(serve.stop().await.unwrap().success());
    disk.leave_kb(600);
    for from in (0..RECORDS).step_by(500) {
        let entries = (from..from + 500).map(|n| {
            let entry = PutRecordsRequestEntry::builder().data(Blob::new(record(n)));
            entry.partition_key(format!("env-{n}")).build().unwrap()
        });
        let request = kinesis.client().put_records().stream_name("reports");
        let put = request.set_records(Some(entries.collect())).send().await;
        assert_eq!(put.unwrap().failed_record_count(), Some(0));
    }
    let serve = disk.serve(&source, &environment, &log).await;
    let status = serve.ended().await.unwrap();
    let text_shown = std::fs::read_to_string(&log).unwrap();
    assert_eq!(status.code(), Some(1), "{text_shown}");
    for words in [
        "disk is full",
        "make room",
        "continues from the last commit",
    ] {
        assert!(
            text_shown.contains(words),
            "{words:?} is not in {text_shown}"
        );
    }
    let stored = disk.rows();
    assert!(
        all_there(&stored, stored.len() as u64) && stored.len() < 4000,
        "{}",
        stored.len()
    );
    // Started again without room it prints the same, and does no harm.
    let serve = disk.serve(&source, &environment, &log).await;
    assert_eq!(serve.ended().await.unwrap().code(), Some(1));

    disk.make_room();
    // 4,000 functions need more than this disk has: the rest of the way on a larger one.
    disk.shell(&format!(
        "mount -o remount,size=64m none '{}'",
        disk.folder.path().display()
    ));
    let serve = disk.serve(&source, &environment, &log).await;
    let until = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while !all_there(&disk.rows(), RECORDS) {
        assert!(
            std::time::Instant::now() < until,
            "{} arrived",
            disk.rows().len()
        );
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(serve.stop().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_nothing_is_acknowledged_that_is_not_stored() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("serve.log");
    let serve = disk.serve(&[], &[], &log).await;
    disk.leave_kb(400);
    let kinesis = client(serve.endpoint());
    let mut answered = 0;
    let batch = |from: u64| (from..from + 50).map(record).collect::<Vec<_>>();
    while put(&kinesis, batch(answered)).await.is_ok() {
        answered += 50;
    }
    assert_eq!(serve.ended().await.unwrap().code(), Some(1));
    assert!(answered > 0, "there was room at first");
    assert!(
        all_there(&disk.rows(), answered),
        "{answered} answered, {} stored",
        disk.rows().len()
    );
    disk.make_room();
    let serve = disk.serve(&[], &[], &log).await;
    put(&client(serve.endpoint()), batch(answered))
        .await
        .unwrap();
    assert!(all_there(&disk.rows(), answered + 50));
    assert!(serve.stop().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_does_not_fit_takes_in_nothing_and_fits_later() {
    const RECORDS: u64 = 2000;
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let logs = tempfile::tempdir().unwrap();
    let file = logs.path().join("records.jsonl");
    let lines = (0..RECORDS).flat_map(|n| [record(n), b"\n".to_vec()].concat());
    std::fs::write(&file, lines.collect::<Vec<u8>>()).unwrap();
    let one = logs.path().join("one.jsonl");
    std::fs::write(&one, record(RECORDS)).unwrap();
    let store = disk.store();
    let import = |file: &Path| {
        disk.rightsizer(&[
            "import",
            file.to_str().unwrap(),
            "--store",
            store.to_str().unwrap(),
        ])
    };
    assert!(import(&one).status.success());
    disk.leave_kb(300);
    let refused = import(&file);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let text_shown = text(&refused.stderr);
    assert!(text_shown.contains("disk is full"), "{text_shown}");
    assert!(all_there(&disk.rows(), 1), "all of a file or nothing");
    disk.make_room();
    disk.shell(&format!(
        "mount -o remount,size=64m none '{}'",
        disk.folder.path().display()
    ));
    let taken = import(&file);
    assert!(taken.status.success(), "{taken:?}");
    assert!(all_there(&disk.rows(), RECORDS + 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_disk_is_reported_and_can_still_be_read() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let logs = tempfile::tempdir().unwrap();
    let one = logs.path().join("one.jsonl");
    std::fs::write(&one, record(1)).unwrap();
    let store = disk.store();
    let store = store.to_str().unwrap();
    let import = ["import", one.to_str().unwrap(), "--store", store];
    assert!(disk.rightsizer(&import).status.success());
    let remount = |how: &str| {
        disk.shell(&format!(
            "mount -o remount,{how} none '{}'",
            disk.folder.path().display()
        ));
    };
    remount("ro");
    for command in [
        &["serve", "--listen", "127.0.0.1:0", "--store", store][..],
        &import,
    ] {
        let refused = disk.rightsizer(command);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        let text_shown = text(&refused.stderr);
        assert!(
            text_shown.to_lowercase().contains("read-only file system"),
            "{text_shown}"
        );
    }
    let doctor = disk.rightsizer(&["doctor", "--store", store]);
    assert_eq!(doctor.status.code(), Some(1));
    assert!(
        text(&doctor.stdout).contains("cannot be written"),
        "{doctor:?}"
    );
    assert!(all_there(&disk.rows(), 1));
    remount("rw");
    let logs = logs.path().join("serve.log");
    let serve = disk.serve(&[], &[], &logs).await;
    put(&client(serve.endpoint()), vec![record(2)])
        .await
        .unwrap();
    assert!(all_there(&disk.rows(), 2));
    assert!(serve.stop().await.unwrap().success());
}
