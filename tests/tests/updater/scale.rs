//! 10,000 recommendations for 10,000 functions, on a virtual clock.

use std::time::Duration;

use rightsizer_records::{OutcomeStatus, Recommendation};
use rightsizer_tests::servers::{Call, FaultLambda, Operation, most_within_a_second};
use tokio::time::Instant;

use crate::stage::{recommendation, updater};

const FUNCTIONS: usize = 10_000;

/// What the service allows an account in a region, all callers together.
const ALLOWED_PER_SECOND: usize = 15;

async fn run(
    lambda: &FaultLambda,
    recs: &[Recommendation],
    within: Duration,
) -> Vec<Option<OutcomeStatus>> {
    let mut ends = vec![None; recs.len()];
    let updater = updater(&lambda.client());
    let all = updater.apply_all(recs, |position, answer| {
        ends[position] = answer.ok().map(|outcome| outcome.status);
    });
    // A stop is the end of the process, wherever it is.
    let _stopped = tokio::time::timeout(within, all).await;
    ends
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_functions_stay_under_the_rate_survive_a_stop_and_are_changed_once_each() {
    let lambda = FaultLambda::default();
    lambda.limit(ALLOWED_PER_SECOND);
    let recs: Vec<_> = (0..FUNCTIONS)
        .map(|n| {
            let name = format!("function-{n:05}");
            let arn = lambda.function(&name, 1024, &[]);
            lambda.updates_take(
                &name,
                Duration::from_millis(500 + 400 * (n as u64 % 7)),
                None,
            );
            recommendation(&name, &arn, 1024, if n % 3 == 0 { 2048 } else { 512 })
        })
        .collect();
    let begin = Instant::now();

    let stopped = run(&lambda, &recs, Duration::from_mins(20)).await;
    let before_the_stop = stopped.iter().flatten().count();
    assert!(
        (1_000..FUNCTIONS - 1_000).contains(&before_the_stop),
        "{before_the_stop}"
    );

    // What was answered is done; what was not is tried again, whatever became of it.
    let left: Vec<_> = recs
        .iter()
        .zip(&stopped)
        .filter(|(_, end)| end.is_none())
        .map(|(rec, _)| rec.clone())
        .collect();
    let resumed = run(&lambda, &left, Duration::from_hours(24)).await;
    let took = begin.elapsed();
    let applied = stopped
        .iter()
        .chain(&resumed)
        .filter(|end| **end == Some(OutcomeStatus::Applied));
    assert_eq!(applied.count(), FUNCTIONS);

    let calls = lambda.calls();
    let updates = |call: &&Call| call.operation == Operation::UpdateFunctionConfiguration;
    let most = most_within_a_second(&calls);
    let throttled = calls.iter().filter(|call| call.status == 429).count();
    println!(
        "{FUNCTIONS} functions: {} calls ({} updates) in {} virtual seconds, at most {most} within \
         a second, {throttled} throttled; stopped after {before_the_stop}",
        calls.len(),
        calls.iter().filter(updates).count(),
        took.as_secs(),
    );
    assert!(most <= 10, "{most}");
    assert_eq!(throttled, 0);
    // Once each, though the stop cut some off between the change and its answer.
    assert_eq!(calls.iter().filter(updates).count(), FUNCTIONS);
    assert!(
        took < Duration::from_hours(1),
        "a record lives for an hour: {took:?}"
    );
    // Increases before decreases.
    let first: Vec<_> = calls.iter().filter(updates).take(2_000).collect();
    assert!(
        first
            .iter()
            .all(|call| lambda.memory_mb(&call.function, None) == 2048)
    );
}
