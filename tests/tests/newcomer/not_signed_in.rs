//! Commands whose sign-in is missing or has ended name the cause once, and what to do.

use crate::laptop::Laptop;

const READS: [&str; 4] = ["--source", "kinesis:reports", "--inventory", "lambda"];

/// What every call would fail for is one finding, with the advice of the other commands.
#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_finds_what_is_wrong_with_a_sign_in() {
    let laptop = Laptop::open().await;
    let ended = [&READS[..], &["--profile", "ended"]].concat();
    let missing = [&READS[..], &["--profile", "prod"]].concat();
    let snapshot = ["--snapshot", "s3://evidence/prod"];
    let without_region = [
        ("AWS_ACCESS_KEY_ID", "KEYS"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_REGION", ""),
    ];
    for (arguments, more, wanted) in [
        (&READS[..], &[][..], "name a profile with --profile"),
        (
            &snapshot,
            &[],
            "name a profile with --profile or AWS_PROFILE",
        ),
        (&ended, &[], "sign in again: aws sso login --profile ended"),
        (
            &missing,
            &[],
            "there is no profile \"prod\" in the AWS configuration: there are broken-program",
        ),
        (&READS, &without_region, "no region is set: give --region"),
    ] {
        let wrong = laptop.wrong(arguments, more).await;
        let [(check, words)] = &wrong[..] else {
            panic!("{arguments:?}: {wrong:?}");
        };
        assert_eq!(check, "credentials and region");
        assert!(words.contains(wanted), "{arguments:?}: {words}");
        assert!(!words.contains('\n'), "{words}");
    }
    laptop.endpoints.seen().refusal = Some("ExpiredTokenException");
    let corp = [&READS[..], &snapshot, &["--profile", "corp"]].concat();
    let wrong = laptop.wrong(&corp, &[]).await;
    assert!(
        matches!(&wrong[..], [(check, words)] if check == "credentials"
            && words.ends_with("the credentials have expired: aws sso login --profile corp")),
        "{wrong:?}"
    );
}

/// The emergency button names what is missing, and the command for somebody else.
#[tokio::test(flavor = "multi_thread")]
async fn a_pause_without_credentials_names_the_sign_in() {
    let laptop = Laptop::open().await;
    let updater = "arn:aws:lambda:eu-central-1:123456789012:function:updater";
    for (profile, hint) in [
        (&[][..], "hint: name a profile with --profile"),
        (
            &["--profile", "ended"],
            "hint: sign in again: aws sso login --profile ended; then run this",
        ),
        (
            &["--profile", "keys"],
            "hint: the credentials have expired; get new ones",
        ),
    ] {
        laptop.endpoints.seen().refusal = Some("ExpiredTokenException");
        let arguments = [&["pause", "--by", "ann", "--updater", updater], profile].concat();
        let output = laptop.run(&arguments, &[]).await;
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(words.contains(hint), "{words}");
        assert!(
            words.contains("\n  aws lambda tag-resource --region eu-central-1"),
            "{words}"
        );
        assert!(!words.contains("Attempted"), "{words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_by_an_ended_session_names_the_command() {
    let laptop = Laptop::open().await;
    laptop.endpoints.seen().refusal = Some("ExpiredToken");
    let arguments = ["restore", "s3://evidence/prod", "--profile", "corp"];
    let output = laptop.run(&arguments, &[]).await;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    let hint = "\nhint: the credentials have expired: aws sso login --profile corp\n";
    assert!(words.contains(hint), "{words}");
}

/// A start waits for the bucket, and logs the cause once instead of the SDK's list at each attempt.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_credentials_logs_the_cause_once() {
    let laptop = Laptop::open().await;
    let arguments = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--snapshot",
        "s3://evidence/prod",
    ];
    let output = laptop.run_for("7", &arguments, &[]).await;
    let log = [output.stdout, output.stderr].concat();
    let log = String::from_utf8_lossy(&log).into_owned();
    let cause = "cannot be read yet (no credentials for AWS were found)";
    assert_eq!(log.matches(cause).count(), 1, "{log}");
    assert!(!log.contains("Attempted"), "{log}");
}
