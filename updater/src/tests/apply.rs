//! One recommendation through a control plane that fails in every way it can.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rightsizer_records::{ApiFault, Megabytes, Outcome, OutcomeStatus};

use super::{FakeClock, FakeLambda, OnWrite, Switch, live, now, rec, settings, updater};
use crate::{LastUpdate, RetryLater, Settings, Updater};

/// The core waits for nothing but its seams, and the fakes answer at once: no runtime is needed.
pub(super) fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the core waited for something other than a port"),
    }
}

fn apply(lambda: &FakeLambda) -> Result<Outcome, RetryLater> {
    ready(updater(lambda, &FakeClock::default()).apply(&rec()))
}

fn end(lambda: &FakeLambda) -> (OutcomeStatus, String) {
    let outcome = apply(lambda).unwrap();
    (outcome.status, outcome.reason)
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
        again.detail.contains("nothing was changed now"),
        "{}",
        again.detail
    );
    assert_eq!(lambda.written().len(), 1);
}

#[test]
fn a_skip_writes_nothing_and_has_a_reason() {
    let (lambda, clock) = (FakeLambda::with(live()), FakeClock::default());
    let paused = Settings {
        paused: true,
        ..settings()
    };
    let updater = Updater::new(&lambda, crate::NeverPaused, &clock, paused);
    let outcome = ready(updater.apply(&rec())).unwrap();
    assert_eq!(
        (outcome.status, outcome.reason.as_str()),
        (OutcomeStatus::Skipped, "paused")
    );
    assert_eq!(lambda.written(), []);
}

#[test]
fn the_pause_switch_is_checked_before_every_change_and_an_unknown_state_stops_it() {
    for (switch, reason) in [
        (Ok(Some("on call, since 03:00".to_owned())), Ok("paused")),
        (Err(ApiFault::AccessDenied), Ok("paused")),
        (Err(ApiFault::Unavailable), Err(ApiFault::Unavailable)),
        (Err(ApiFault::Credentials), Err(ApiFault::Credentials)),
    ] {
        let (lambda, clock) = (FakeLambda::with(live()), FakeClock::default());
        let updater = Updater::new(&lambda, Switch(switch), &clock, settings());
        let answer = ready(updater.apply(&rec()));
        match reason {
            Ok(reason) => assert_eq!(answer.unwrap().reason, reason),
            Err(fault) => assert_eq!(answer.unwrap_err().error.fault, fault),
        }
        assert_eq!(lambda.written(), []);
    }
}

#[test]
fn another_account_costs_no_call() {
    let (lambda, clock) = (FakeLambda::with(live()), FakeClock::default());
    let nowhere = Updater::new(&lambda, crate::NeverPaused, &clock, Settings::default());
    assert_eq!(
        ready(nowhere.apply(&rec())).unwrap().reason,
        "other-account"
    );
    assert_eq!(lambda.reads(), 0);
}

/// Another change, or a fault that wrote nothing: read, checked and made again at once.
#[test]
fn what_is_in_the_way_for_a_moment_is_waited_for() {
    for fault in [
        ApiFault::Conflict,
        ApiFault::RevisionChanged,
        ApiFault::Unavailable,
        ApiFault::Credentials,
    ] {
        let lambda = FakeLambda::with(live()).writing([OnWrite::Fail(fault)]);
        assert_eq!(
            apply(&lambda).unwrap().status,
            OutcomeStatus::Applied,
            "{fault:?}"
        );
        assert_eq!(
            (lambda.written().len(), lambda.reads()),
            (2, 2),
            "{fault:?}"
        );
    }
    let in_progress = [LastUpdate::InProgress, LastUpdate::Successful];
    let lambda = FakeLambda::with(live()).updating(in_progress);
    assert_eq!(apply(&lambda).unwrap().status, OutcomeStatus::Applied);
    assert_eq!(lambda.written().len(), 1);
}

/// After 2 + 3 + 4 + 8 seconds it is an outcome if someone else is changing the function, and goes
/// back to the stream if the service fails.
#[test]
fn patience_ends() {
    let always =
        |fault| FakeLambda::with(live()).writing(std::iter::repeat_n(OnWrite::Fail(fault), 9));
    let skipped = |reason: &str| (OutcomeStatus::Skipped, reason.to_owned());
    assert_eq!(
        end(&always(ApiFault::Conflict)),
        skipped("update-in-progress")
    );
    assert_eq!(
        end(&always(ApiFault::RevisionChanged)),
        skipped("revision-changed")
    );
    let busy = FakeLambda::with(live()).updating([LastUpdate::InProgress]);
    assert_eq!(end(&busy), skipped("update-in-progress"));
    assert_eq!((busy.reads(), busy.written().len()), (5, 0));
    for fault in [
        ApiFault::Credentials,
        ApiFault::Unavailable,
        ApiFault::Throttled,
    ] {
        let lambda = always(fault);
        let later = apply(&lambda).unwrap_err();
        assert_eq!(later.error.fault, fault);
        // The next delivery succeeds.
        lambda.state().writes.clear();
        assert_eq!(apply(&lambda).unwrap().status, OutcomeStatus::Applied);
    }
}

#[test]
fn a_429_waits_as_long_as_requested_if_there_is_time() {
    let (lambda, clock) = (
        FakeLambda::with(live()).writing([OnWrite::Throttle(17)]),
        FakeClock::default(),
    );
    let outcome = ready(updater(&lambda, &clock).apply(&rec())).unwrap();
    assert_eq!(outcome.status, OutcomeStatus::Applied);
    assert_eq!(*clock.waits.lock().unwrap(), [Duration::from_secs(17)]);

    // 40 s left, 60 s asked for: back to the stream, and not a second call.
    let (lambda, clock) = (
        FakeLambda::with(live()).writing(std::iter::repeat_n(OnWrite::Throttle(60), 9)),
        FakeClock::default(),
    );
    let updater = updater(&lambda, &clock).until(now().plus_ms(40_000));
    let later = ready(updater.apply(&rec())).unwrap_err();
    assert_eq!(later.error.retry_after, Some(Duration::from_mins(1)));
    assert_eq!(lambda.written().len(), 1);
}

#[test]
fn nothing_begins_that_the_time_does_not_suffice_for() {
    let (lambda, clock) = (FakeLambda::with(live()), FakeClock::default());
    let late = updater(&lambda, &clock).until(now().plus_ms(4_000));
    let later = ready(late.apply(&rec())).unwrap_err();
    assert_eq!(
        (later.error.fault, lambda.reads()),
        (ApiFault::OutOfTime, 0)
    );
    // Enough to read, not enough to write and to find out its result.
    let late = updater(&lambda, &clock).until(now().plus_ms(11_000));
    let later = ready(late.apply(&rec())).unwrap_err();
    assert_eq!(
        (later.error.fault, lambda.reads()),
        (ApiFault::OutOfTime, 1)
    );
    assert_eq!(lambda.written(), []);
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
        assert_eq!(end(&on_write), (status, reason.to_owned()));
        let on_read = FakeLambda::with(live()).reading([Err(fault)]);
        assert_eq!(apply(&on_read).unwrap().reason, reason);
    }
}

#[test]
fn a_lost_answer_is_settled_by_reading_the_function() {
    let made = FakeLambda::with(live()).writing([OnWrite::WriteSilently]);
    assert_eq!(apply(&made).unwrap().status, OutcomeStatus::Applied);
    assert_eq!(made.written().len(), 1);

    // It is unknown: back to the stream, and the next delivery finds the change made.
    let silent = std::iter::once(Ok(())).chain(std::iter::repeat_n(Err(ApiFault::Unavailable), 4));
    let unread = FakeLambda::with(live())
        .writing([OnWrite::WriteSilently])
        .reading(silent);
    let later = apply(&unread).unwrap_err();
    assert!(later.unclear);
    assert_eq!(apply(&unread).unwrap().status, OutcomeStatus::Applied);
    assert_eq!(unread.written().len(), 1);
}

#[test]
fn a_change_that_lambda_makes_later_is_followed_to_its_end() {
    let begun = || FakeLambda::with(live()).writing([OnWrite::Begin]);
    let (ok, going) = (LastUpdate::Successful, LastUpdate::InProgress);
    let failed = LastUpdate::Failed("EniLimitExceeded".to_owned());

    let lambda = begun().updating([ok.clone(), going.clone(), going.clone(), ok.clone()]);
    assert_eq!(end(&lambda), (OutcomeStatus::Applied, String::new()));
    assert_eq!((lambda.reads(), lambda.written().len()), (4, 1));

    let lambda = begun().updating([ok.clone(), going.clone(), failed]);
    let outcome = apply(&lambda).unwrap();
    assert_eq!(
        (outcome.status, outcome.reason.as_str()),
        (OutcomeStatus::Failed, "update-failed")
    );
    assert!(
        outcome.detail.contains("EniLimitExceeded"),
        "{}",
        outcome.detail
    );
    assert_eq!(lambda.written().len(), 1);

    // Lambda accepted it; taking long is not a failure.
    let lambda = begun().updating([ok.clone(), going]);
    assert_eq!(end(&lambda), (OutcomeStatus::Applied, String::new()));
    // Nor is it one that the function cannot be read any more.
    let lambda = begun()
        .updating([ok])
        .reading([Ok(()), Err(ApiFault::Credentials)]);
    assert_eq!(end(&lambda), (OutcomeStatus::Applied, String::new()));
}
