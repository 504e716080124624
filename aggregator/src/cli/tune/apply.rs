//! Gives a function its best size, with the updater's own library and all of its checks.

use aws_config::SdkConfig;
use rightsizer_aws::clock::now;
use rightsizer_records::{
    Confidence, EvidenceWindow, Mode, MonthlyUsd, OutcomeStatus, Recommendation, Usd,
};
use rightsizer_updater::{
    LambdaApi, NeverPaused, Place, RunningClock, Settings as UpdaterSettings, Updater,
};
use serde::Serialize;

use super::plan::Prepared;
use super::report::Report;

/// How long the decision may be acted on.
const GOOD_FOR_MS: i64 = 3_600_000;

/// What became of the best size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Applied {
    /// Whether the function has the size now.
    pub(super) done: bool,
    /// What happened.
    pub(super) words: String,
}

impl Applied {
    fn not(words: &str) -> Self {
        Self {
            done: false,
            words: words.to_owned(),
        }
    }
}

/// Applies the best size of `report`, if the run is complete and the code is still the one that was measured.
pub(super) async fn apply(
    config: &SdkConfig,
    prepared: &Prepared,
    report: &Report,
) -> anyhow::Result<Applied> {
    let Some(best) = report.best.as_ref().map(|best| best.memory_mb) else {
        return Ok(Applied::not("not applied: no size can be chosen"));
    };
    if report.code_changed {
        return Ok(Applied::not(
            "not applied: the code of the function changed during the run",
        ));
    }
    if !report.is_complete() {
        return Ok(Applied::not("not applied: the run is not complete"));
    }
    let original = &prepared.original;
    if best == original.memory_mb() {
        return Ok(Applied {
            done: true,
            words: "the function has this size already".to_owned(),
        });
    }
    let mut settings = UpdaterSettings::read(|name| std::env::var(name).ok())?;
    settings.accept.push(Place::of(&original.function));
    let api = LambdaApi::new(&aws_sdk_lambda::Client::new(config));
    let updater = Updater::new(api, NeverPaused, RunningClock::set_to(now()), settings);
    Ok(
        match updater.apply(&recommendation(prepared, report, best)).await {
            Ok(outcome) if outcome.status == OutcomeStatus::Applied => Applied {
                done: true,
                words: format!("the function has {best} now"),
            },
            Ok(outcome) => Applied::not(&format!(
                "not applied: {}: {}",
                outcome.reason, outcome.detail
            )),
            Err(later) => Applied::not(&format!("not applied: {}", later.error)),
        },
    )
}

fn recommendation(
    prepared: &Prepared,
    report: &Report,
    best: rightsizer_records::Megabytes,
) -> Recommendation {
    let (original, today) = (&prepared.original, now().day());
    Recommendation {
        id: format!("tune-{:016x}", fastrand::u64(..)),
        function: original.function.clone(),
        version: original.version().to_owned(),
        from_mb: original.memory_mb(),
        to_mb: best,
        target_mb: best,
        policy: "tune".to_owned(),
        reasons: Vec::new(),
        window: EvidenceWindow {
            from: today,
            to: today,
            days: 1,
            invocations: report.invocations,
        },
        p99_ms: None,
        confidence: Confidence::Low,
        monthly_usd: MonthlyUsd {
            before: Usd::default(),
            after: Usd::default(),
        },
        mode: Mode::Approved,
        by: Some("rightsizer tune".to_owned()),
        urgent: false,
        issued_at: now(),
        expires_at: now().plus_ms(GOOD_FOR_MS),
        rollback_of: None,
        code_sha256: original.code_sha256().map(str::to_owned),
    }
}
