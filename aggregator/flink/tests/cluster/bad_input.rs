//! What the job makes of records, states and machines that it cannot use: clear words, and nothing lost.

use rightsizer_formats::states::to_line;
use rightsizer_rules::evidence::FunctionKey;
use rightsizer_rules::state::{FunctionState, STATE_VERSION};

use super::history::History;
use super::job::Job;

/// What cannot be used goes to the quarantine with the reason, and the rest counts.
#[test]
fn what_cannot_be_read_is_quarantined_and_the_rest_counts() {
    let history = History::random(3, 1, 3);
    let job = Job::new();
    history.write(&job, 1, 0);
    let large = format!(
        "{{\"v\":1,\"kind\":\"reports\",\"pad\":\"{}\"}}",
        "x".repeat(1 << 20)
    );
    let bad = ["nothing", "{\"v\":9,\"kind\":\"reports\"}", &large].join("\n") + "\n";
    std::fs::write(job.reports().join("bad.jsonl"), bad).unwrap();
    assert!(!job.run(2).is_empty());
    let mut reasons: Vec<String> = job
        .quarantine()
        .iter()
        .map(|row| row["why"].as_str().unwrap().to_owned())
        .collect();
    reasons.sort();
    insta::assert_snapshot!(reasons.join("\n"), @"
    not a record: expected ident at line 1 column 2
    record of 1048609 bytes is larger than the 1 MiB a stream carries
    record version 9 is not known here (this is version 1): upgrade the aggregator
    ");
}

/// Without a place for it, what cannot be used is in the log with the reason, by the words that the alarm counts.
#[test]
fn what_cannot_be_read_is_logged_with_the_reason() {
    let template = include_str!("../../../../infra/flink/template.yaml");
    let pattern = template.split("FilterPattern: '\"").nth(1).unwrap();
    let counted = pattern.split('"').next().unwrap();
    assert!(template.contains("quarantine: log\n"), "{template}");

    let job = Job::new();
    History::random(3, 1, 3).write(&job, 1, 0);
    let bad = "nothing\n{\"v\":9,\"kind\":\"reports\"}\n";
    std::fs::write(job.reports().join("bad.jsonl"), bad).unwrap();
    let options = [
        &REPLAY[..],
        &["--bundle-ms", "600000", "--quarantine", "log"],
    ]
    .concat();
    let output = job.command(&["-Dlog4j2.level=WARN"], &options).output();
    let log = String::from_utf8(output.unwrap().stdout).unwrap();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(counted)).collect();
    let [line] = lines[..] else {
        panic!("not one line: {log}");
    };
    assert!(line.contains(" WARN "), "{line}");
    assert!(line.contains("used: 2 of "), "{line}");
    assert!(line.contains("not a record: expected ident"), "{line}");
    assert!(job.quarantine().is_empty());
}

const REPLAY: [&str; 4] = ["--clock", "event", "--parallelism", "1"];

/// The part of a failed run's log that says why, without what differs from run to run.
fn why(log: &str, begin: &str) -> String {
    let line = log
        .lines()
        .find_map(|line| line.find(begin).map(|at| &line[at..]));
    let line = line.unwrap_or_else(|| panic!("{begin:?} is not in\n{log}"));
    // The client closes the line of its own words by a brace, and the JVM says which thread it was.
    let line = line.split(" [in thread").next().unwrap_or_default();
    line.trim_end_matches(['}', ' ']).to_owned()
}

/// The library in the jar is of the processor that it was built on.
#[test]
fn a_library_of_another_processor_is_named() {
    let job = Job::new();
    History::random(3, 1, 3).write(&job, 1, 0);
    let log = job.run_with(&["-Dos.arch=aarch64"], &REPLAY).unwrap();
    insta::assert_snapshot!(why(&log, "this jar has"), @"this jar has no native library for Linux aarch64. hint: build it on such a machine with `make flink`, or take the release's jar");
    assert!(job.proposals().is_empty());
    // The same input with the right one: nothing was lost.
    assert!(!job.run(1).is_empty());
}

/// A fault that lasts ends a job that otherwise starts again after a failure, and its reason is the last one too.
#[test]
fn a_fault_that_lasts_ends_the_job_without_restarts() {
    let job = Job::new();
    History::random(3, 1, 3).write(&job, 1, 0);
    let live = ["--checkpoint-ms", "1000", "--parallelism", "2"];
    // The tasks find out what the client cannot: it may be of another kind than they.
    let log = job.ends(&["-Dos.arch=aarch64", "-Dlog4j2.level=WARN"], &live);
    assert!(
        log.contains("the settings are not checked before the start"),
        "{log}"
    );
    let first = why(&log, "SuppressRestartsException");
    assert!(first.contains("Unrecoverable failure"), "{log}");
    assert!(
        log.contains("this jar has no native library for Linux aarch64"),
        "{log}"
    );
    assert!(!log.contains("NoClassDefFoundError"), "{log}");

    // A library of another processor does not load; the client has the same and finds out.
    let library = job.library_for_another_processor();
    let log = job.ends(
        &[&format!("-Xbootclasspath/a:{}", library.display())],
        &live,
    );
    let found = why(
        &log,
        "the native library in this jar does not load on Linux",
    );
    assert!(
        found.contains("hint: build the jar on such a machine"),
        "{found}"
    );
    assert!(
        !log.contains("JobExecutionException"),
        "it was submitted: {log}"
    );

    let log = job.ends(&[], &[&live[..], &["--home", "nonsense"]].concat());
    insta::assert_snapshot!(why(&log, "the settings"), @r#"the settings cannot be read: flink.home is "nonsense", expected ACCOUNT/REGION"#);
    assert!(
        !log.contains("JobExecutionException"),
        "it was submitted: {log}"
    );
}

/// An option that cannot be used is named with its value and what it wants, before the job starts.
#[test]
fn options_that_cannot_be_used_are_named() {
    let job = Job::new();
    let mut words = Vec::new();
    for (option, value) in [
        ("--parallelism", "x"),
        ("--parallelism", "0"),
        ("--checkpoint-ms", "5x"),
        ("--bundle-ms", "-5"),
        ("--from", "nonsense"),
        ("--from", "2026-03-01T10:00:00Z"),
    ] {
        let log = job.ends(&[], &[option, value]);
        let place = job.reports().display().to_string();
        words.push(why(&log, "option ").replace(&place, "FOLDER"));
    }
    insta::assert_snapshot!(words.join("\n"), @"
    option parallelism is x, expected a whole number from 1 to 32768
    option parallelism is 0, expected a whole number from 1 to 32768
    option checkpoint-ms is 5x, expected a whole number from 10 to 86400000
    option bundle-ms is -5, expected a whole number from 1 to 3600000
    option from is nonsense, expected a time such as 2026-03-01T10:00:00Z
    option from is for a Kinesis stream, and FOLDER is a folder, which is read whole. hint: leave it out
    ");
}

/// A jar without the connector names the version of the pom. `rightsizer-tests` sees the message.
#[test]
fn the_job_names_the_connector_of_the_pom() {
    let pom = include_str!("../../../../infra/flink/pom.xml");
    let places = include_str!("../../../../infra/flink/src/main/java/rightsizer/Places.java");
    let version = pom.split("<kinesis.connector.version>").nth(1).unwrap();
    let version = version.split('<').next().unwrap();
    let wanted = format!("org.apache.flink:flink-connector-aws-kinesis-streams:{version}");
    assert!(places.contains(&wanted), "{wanted}");
}

#[test]
fn a_stream_that_is_missing_is_named_before_the_job_starts() {
    let job = Job::new();
    std::fs::remove_dir(job.reports()).unwrap();
    let log = job.run_with(&[], &REPLAY).unwrap();
    let place = job.reports().display().to_string();
    std::fs::remove_dir(job.reports()).unwrap();
    let log = log.replace(&place, "FOLDER");
    insta::assert_snapshot!(why(&log, "reports: there is"), @"reports: there is no folder FOLDER. Nothing was read. hint: make it, or name another with --reports; a Kinesis stream is named by its ARN");
}

/// A state that a later release wrote stops the job: without it the function would lose its evidence. The release that can read it
/// continues from there.
#[test]
fn a_state_of_a_later_release_stops_the_job_until_that_release_runs() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    let job = Job::new();
    History::random(3, 1, 3).write(&job, 1, 0);
    let state = FunctionState::new(FunctionKey::Local("f".to_owned()));
    let mut newer = state.to_bytes();
    newer[0] = STATE_VERSION + 1;
    let file = job.folder("initial").join("states-0.txt");
    std::fs::write(&file, STANDARD.encode(newer) + "\n").unwrap();
    let initial = job.folder("initial").display().to_string();
    let options = [&REPLAY[..], &["--initial", &initial]].concat();
    let log = job.run_with(&[], &options).unwrap();
    insta::assert_snapshot!(why(&log, "an initial state"), @"an initial state cannot be used (`rightsizer from-flink FOLDER` names its file and line): state version 5 is not known here (this release reads up to 4). Nothing was changed. hint: run the release that wrote the savepoint, or a later one");
    assert!(job.proposals().is_empty());
    std::fs::write(&file, to_line(&state) + "\n").unwrap();
    assert_eq!(job.run_with(&[], &options), None);
    assert!(!job.proposals().is_empty());
}

/// The manifest and the template name options that the job has.
#[test]
fn manifest_and_template_name_options_of_the_job() {
    let options = include_str!("../../../../infra/flink/src/main/java/rightsizer/Options.java");
    let manifest = include_str!("../../../../infra/flink/kubernetes.yaml");
    let template = include_str!("../../../../infra/flink/template.yaml");
    let named = manifest
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- --"));
    let map = template.split("PropertyMap:\n").nth(1).unwrap_or_default();
    let given = map
        .lines()
        .take_while(|line| line.starts_with("                "))
        .filter_map(|line| line.trim().split(':').next());
    let mut count = 0;
    for option in named.chain(given) {
        assert!(options.contains(&format!("\"{option}\"")), "--{option}");
        count += 1;
    }
    assert!(count >= 9, "{count} options");
}
