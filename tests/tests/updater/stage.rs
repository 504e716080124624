//! What the tests of the updater share: a recommendation, and an updater over a client.

use aws_sdk_lambda::Client;
use rightsizer_records::ApplyMode;
use rightsizer_records::{
    Confidence, Day, EvidenceWindow, FunctionArn, Megabytes, Millis, Mode, MonthlyUsd, Outcome,
    Recommendation, Timestamp, Usd,
};
use rightsizer_tests::servers::{ACCOUNT, FaultLambda, REGION};
use rightsizer_updater::{
    LambdaApi, NeverPaused, Place, RetryLater, RunningClock, Settings, Updater,
};

pub(crate) fn now() -> Timestamp {
    Timestamp::parse("2026-02-01T02:00:00Z").unwrap()
}

/// Good until long after this test is forgotten: the Lambda binary asks the real clock.
pub(crate) fn recommendation(
    id: &str,
    function: &FunctionArn,
    from_mb: u32,
    to_mb: u32,
) -> Recommendation {
    let day = Day::parse("2026-01-31").unwrap();
    Recommendation {
        id: id.to_owned(),
        function: function.clone(),
        version: "$LATEST".to_owned(),
        from_mb: Megabytes(from_mb),
        to_mb: Megabytes(to_mb),
        target_mb: Megabytes(to_mb),
        policy: "average-plus-buffer".to_owned(),
        reasons: Vec::new(),
        window: EvidenceWindow {
            from: day.plus(-13),
            to: day,
            days: 14,
            invocations: 1400,
        },
        p99_ms: Some(Millis::from_ms(100)),
        confidence: Confidence::High,
        monthly_usd: MonthlyUsd {
            before: Usd::from_f64(2.0),
            after: Usd::from_f64(1.0),
        },
        mode: Mode::Auto,
        by: None,
        urgent: false,
        issued_at: now(),
        expires_at: Timestamp::parse("2199-01-01T00:00:00Z").unwrap(),
        rollback_of: None,
        code_sha256: None,
    }
}

/// The same for a published version.
pub(crate) fn for_version(version: &str, rec: Recommendation) -> Recommendation {
    Recommendation {
        version: version.to_owned(),
        ..rec
    }
}

pub(crate) fn approved(rec: Recommendation) -> Recommendation {
    Recommendation {
        mode: Mode::Approved,
        by: Some("on-call".to_owned()),
        ..rec
    }
}

/// In mode auto, on the account and region of the tests.
pub(crate) fn settings() -> Settings {
    Settings {
        default_mode: ApplyMode::Auto,
        accept: vec![Place {
            account: ACCOUNT.to_owned(),
            region: REGION.to_owned(),
        }],
        ..Settings::default()
    }
}

/// An updater in this process.
pub(crate) fn updater(client: &Client) -> Updater<LambdaApi, NeverPaused, RunningClock> {
    let clock = RunningClock::set_to(now());
    Updater::new(LambdaApi::new(client), NeverPaused, clock, settings())
}

/// Applies one within this process, in virtual time.
pub(crate) async fn apply(
    lambda: &FaultLambda,
    rec: &Recommendation,
) -> Result<Outcome, RetryLater> {
    updater(&lambda.client()).apply(rec).await
}
