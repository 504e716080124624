//! The job as it runs in live use: by the machine's clock, over a source that grows.

use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rightsizer_records::{News, Notice, Record, Status, Timestamp, encode};
use serde_json::Value;

use super::history::one;
use super::job::Job;

/// How long an out-of-memory may take to become a proposal.
const GOAL: Duration = Duration::from_secs(2);
/// The same as the job counts time: checkpoints of 200 ms. On a machine that is busy otherwise they are slow too, but
/// a job that waits for something else makes many of them.
const GOAL_CHECKPOINTS: usize = 10;
/// Only a job that never proposes takes longer.
const PATIENCE: Duration = Duration::from_mins(5);

/// A job that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_ms(i64::try_from(since.as_millis()).unwrap()).unwrap()
}

/// Puts a record where the job finds it: whole, under a name that it has not read.
fn put(folder: &Path, name: &str, record: &[u8]) {
    let hidden = folder.join(format!(".{name}"));
    std::fs::write(&hidden, [record, b"\n"].concat()).unwrap();
    std::fs::rename(hidden, folder.join(name)).unwrap();
}

/// News of a function without evidence: without any record, a stream has no time for its first minute.
fn news() -> Vec<u8> {
    encode(&Record::Notice(Notice {
        function: "arn:aws:lambda:eu-central-1:123456789012:function:none".to_owned(),
        at: now(),
        news: News::Due,
    }))
}

/// How many checkpoints the job has completed, by its log.
fn checkpoints(log: &Path) -> usize {
    let log = std::fs::read_to_string(log).unwrap();
    log.matches("Completed checkpoint ").count()
}

/// Waits until a proposal is there; returns how long that took, and how many checkpoints were completed meanwhile.
fn wait(job: &Job, log: &Path, wanted: impl Fn(&Value) -> bool) -> (Duration, usize) {
    let (begin, before) = (Instant::now(), checkpoints(log));
    while !job.proposals().iter().any(&wanted) {
        assert!(begin.elapsed() < PATIENCE, "no proposal");
        sleep(Duration::from_millis(20));
    }
    (begin.elapsed(), checkpoints(log) - before)
}

/// Through a running job: from the record on the source to the finished file of proposals, its checkpoint included.
/// Five functions run out, one after the other.
#[test]
fn an_out_of_memory_becomes_a_proposal_within_two_seconds() {
    let job = Job::new();
    let options = [
        "--clock",
        "wall",
        "--checkpoint-ms",
        "200",
        "--parallelism",
        "2",
    ];
    let mut command = job.command(&["-Dlog4j2.level=INFO"], &options);
    let log = job.folder("log").join("job.log");
    let file = std::fs::File::create(&log).unwrap();
    let command = command.stdout(file).stderr(Stdio::null());
    let running = Running(command.spawn().expect("java is missing: run `make tools`"));
    let name =
        |function: &str| format!("arn:aws:lambda:eu-central-1:123456789012:function:{function}");
    put(&job.decisions(), "news", &news());
    let mut waited = Vec::new();
    for n in 0..5 {
        let function = format!("f{n}");
        put(
            &job.reports(),
            &format!("{n}-ok"),
            &one(&function, now(), Status::Ok),
        );
        wait(&job, &log, |proposal| {
            proposal["function"] == name(&function)
        });
        put(
            &job.reports(),
            &format!("{n}-oom"),
            &one(&function, now(), Status::OutOfMemory),
        );
        waited.push(wait(&job, &log, |proposal| {
            let decision = &proposal["decision"];
            proposal["function"] == name(&function)
                && decision["urgent"] == true
                && !decision["id"].is_null()
        }));
    }
    drop(running);
    waited.sort();
    println!("from an out-of-memory to its proposal: {waited:?}");
    let is_soon = |(time, checkpoints)| time <= GOAL || checkpoints <= GOAL_CHECKPOINTS;
    assert!(waited.into_iter().all(is_soon), "see above");
}
