//! One recommendation through a control plane that fails in every way it can.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use rightsizer_records::{Megabytes, Outcome, OutcomeStatus};

use super::{FakeLambda, OnWrite, live, now, rec, settings};
use crate::{ApiFault, RetryLater, Settings, Updater};

/// The core waits for nothing but its seams, and the fakes answer at once: no runtime is needed.
pub(super) fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the core waited for something that is no seam"),
    }
}

fn apply(lambda: &FakeLambda) -> Result<Outcome, RetryLater> {
    ready(Updater::new(lambda, settings()).apply(&rec(), now()))
}

#[test]
fn a_change_sends_the_size_and_the_revision_that_was_read() {
    let lambda = FakeLambda::with(live());
    let outcome = apply(&lambda).unwrap();
    assert_eq!(
        (outcome.status, outcome.reason.as_str()),
        (OutcomeStatus::Applied, "")
    );
    assert_eq!(
        (outcome.from_mb, outcome.to_mb),
        (Megabytes(1024), Megabytes(512))
    );
    assert_eq!((outcome.id, outcome.at), (rec().id, now()));
    assert_eq!(lambda.written(), [(Megabytes(512), Some("r1".to_owned()))]);
}

#[test]
fn a_second_delivery_is_applied_again_without_a_second_write() {
    let lambda = FakeLambda::with(live());
    apply(&lambda).unwrap();
    let again = apply(&lambda).unwrap();
    assert_eq!(again.status, OutcomeStatus::Applied);
    assert!(
        again.detail.contains("already had 512 MB"),
        "{}",
        again.detail
    );
    assert_eq!(lambda.written().len(), 1);
}

#[test]
fn a_skip_writes_nothing_and_says_why() {
    let lambda = FakeLambda::with(live());
    let paused = Settings {
        paused: true,
        ..settings()
    };
    let outcome = ready(Updater::new(&lambda, paused).apply(&rec(), now())).unwrap();
    assert_eq!(
        (outcome.status, outcome.reason.as_str()),
        (OutcomeStatus::Skipped, "paused")
    );
    assert_eq!(lambda.written(), []);
}

#[test]
fn another_account_costs_no_call() {
    let lambda = FakeLambda::with(live());
    let outcome = ready(Updater::new(&lambda, Settings::default()).apply(&rec(), now())).unwrap();
    assert_eq!(outcome.reason, "other-account");
    assert_eq!(lambda.reads(), 0);
}

#[test]
fn what_failed_before_a_write_and_may_pass_comes_again() {
    for fault in [
        ApiFault::Conflict,
        ApiFault::RevisionChanged,
        ApiFault::Throttled,
    ] {
        let lambda = FakeLambda::with(live()).writing([OnWrite::Fail(fault)]);
        let later = apply(&lambda).unwrap_err();
        assert_eq!(later.error.fault, fault);
        assert_eq!(lambda.memory(), Megabytes(1024));
        // The next delivery succeeds.
        assert_eq!(apply(&lambda).unwrap().status, OutcomeStatus::Applied);
    }
    for fault in [ApiFault::Throttled, ApiFault::Unavailable] {
        let lambda = FakeLambda::with(live()).reading([Err(fault)]);
        assert_eq!(apply(&lambda).unwrap_err().error.fault, fault);
        assert_eq!(lambda.written(), []);
    }
}

#[test]
fn what_will_not_pass_is_an_outcome() {
    for (fault, status, reason) in [
        (
            ApiFault::AccessDenied,
            OutcomeStatus::Failed,
            "access-denied",
        ),
        (ApiFault::NotFound, OutcomeStatus::Failed, "not-found"),
        (ApiFault::Refused, OutcomeStatus::Failed, "refused"),
        (
            ApiFault::BlockedRuntime,
            OutcomeStatus::Skipped,
            "blocked-runtime",
        ),
    ] {
        let on_write = FakeLambda::with(live()).writing([OnWrite::Fail(fault)]);
        let outcome = apply(&on_write).unwrap();
        assert_eq!((outcome.status, outcome.reason.as_str()), (status, reason));
        let on_read = FakeLambda::with(live()).reading([Err(fault)]);
        assert_eq!(apply(&on_read).unwrap().reason, reason);
    }
}

#[test]
fn a_lost_answer_is_settled_by_reading_the_function() {
    let made = FakeLambda::with(live()).writing([OnWrite::WriteSilently]);
    assert_eq!(apply(&made).unwrap().status, OutcomeStatus::Applied);
    assert_eq!(made.written().len(), 1);

    let not_made = FakeLambda::with(live()).writing([OnWrite::Fail(ApiFault::Unavailable)]);
    assert_eq!(
        apply(&not_made).unwrap_err().error.fault,
        ApiFault::Unavailable
    );

    // The read before the update succeeds, the one after it does not.
    let unread = FakeLambda::with(live())
        .writing([OnWrite::WriteSilently])
        .reading([Ok(()), Err(ApiFault::Unavailable)]);
    let outcome = apply(&unread).unwrap();
    assert_eq!(
        (outcome.status, outcome.reason.as_str()),
        (OutcomeStatus::Failed, "update-unclear")
    );
}
