//! Traffic on a published version: moved only where nothing but memory differs.

use rightsizer_records::{ApiFault, Megabytes, Mode, OutcomeStatus, Recommendation};

use super::apply::ready;
use super::{FakeClock, FakeLambda, FakeState, OnWrite, live, other, rec, updater};
use crate::{Alias, PublishedVersion, RetryLater};

/// Alias `live` at version 6 of 1024 MB, from which `$LATEST` differs in nothing.
fn scene(change: impl FnOnce(&mut FakeState)) -> FakeLambda {
    let mut function = live();
    let tags = function.tags.get_or_insert_default();
    tags.insert("rightsizer:alias".to_owned(), "live".to_owned());
    let lambda = FakeLambda::with(function);
    {
        let mut state = lambda.state();
        state.versions.push(PublishedVersion {
            version: "6".to_owned(),
            memory_mb: Megabytes(1024),
            timeout: live().timeout,
            code_sha256: live().code_sha256,
            description: Some("release 6".to_owned()),
            state: Some("Active".to_owned()),
            other: other("code-1"),
        });
        state.alias = Some(Alias {
            version: "6".to_owned(),
            revision_id: Some("a1".to_owned()),
            weighted: false,
        });
        change(&mut state);
    }
    lambda
}

fn for_version_6() -> Recommendation {
    Recommendation {
        version: "6".to_owned(),
        ..rec()
    }
}

fn apply(
    lambda: &FakeLambda,
    rec: &Recommendation,
) -> Result<(OutcomeStatus, String, String), RetryLater> {
    let outcome = ready(updater(lambda, &FakeClock::default()).apply(rec))?;
    Ok((outcome.status, outcome.reason, outcome.detail))
}

#[track_caller]
fn skips(reason: &str, change: impl FnOnce(&mut FakeState)) {
    let lambda = scene(change);
    let (status, got, detail) = apply(&lambda, &for_version_6()).unwrap();
    assert_eq!(
        (status, got.as_str()),
        (OutcomeStatus::Skipped, reason),
        "{detail}"
    );
    assert_eq!((lambda.written(), lambda.state().moves.len()), (vec![], 0));
}

#[test]
fn the_size_is_changed_published_and_the_alias_moved() {
    let lambda = scene(|_| ());
    let (status, _, detail) = apply(&lambda, &for_version_6()).unwrap();
    assert_eq!(status, OutcomeStatus::Applied, "{detail}");
    let state = lambda.state();
    let new = state.versions.last().unwrap();
    assert_eq!((new.version.as_str(), new.memory_mb), ("8", Megabytes(512)));
    assert_eq!(new.description.as_deref(), Some("release 6"));
    assert_eq!(state.alias.as_ref().unwrap().version, "8");
    drop(state);
    // A second delivery finds it there.
    assert_eq!(
        apply(&lambda, &for_version_6()).unwrap().0,
        OutcomeStatus::Applied
    );
    assert_eq!((lambda.written().len(), lambda.state().moves.len()), (1, 1));
}

#[test]
fn without_the_tag_it_is_served_by_version() {
    skips("served-by-version", |state| {
        state.function.as_mut().unwrap().tags = Some([].into());
    });
    skips("bad-tag", |state| state.alias = None);
}

#[test]
fn whatever_else_is_in_latest_stays_unreleased() {
    skips("alias-ahead", |state| {
        let function = state.function.as_mut().unwrap();
        function.code_sha256 = Some("code-2".to_owned());
        function.other = other("code-2");
    });
    skips("alias-ahead", |state| {
        let function = state.function.as_mut().unwrap();
        function
            .other
            .0
            .insert("environment", Some("LEVEL=debug".to_owned()));
    });
    // What cannot be read may differ.
    skips("alias-ahead", |state| {
        let function = state.function.as_mut().unwrap();
        function.other.0.insert("environment", None);
        state.versions[0].other.0.insert("environment", None);
    });
    // A setting that only one of them has.
    skips("alias-ahead", |state| {
        state.versions[0]
            .other
            .0
            .insert("layers", Some("layer:3".to_owned()));
    });
}

#[test]
fn code_that_comes_into_latest_between_reading_and_publishing_stays_unreleased() {
    // The first round reads and changes $LATEST; then someone deploys.
    let lambda = scene(|_| ());
    let clock = DeployingClock(&lambda, FakeClock::default());
    let updater = crate::Updater::new(&lambda, crate::NeverPaused, &clock, super::settings());
    let outcome = ready(updater.apply(&for_version_6())).unwrap();
    assert_eq!(outcome.reason, "alias-ahead", "{}", outcome.detail);
    assert_eq!(lambda.state().alias.as_ref().unwrap().version, "6");
    assert_eq!(lambda.state().versions.len(), 1);
}

/// Someone deploys while the updater waits.
struct DeployingClock<'a>(&'a FakeLambda, FakeClock);

impl crate::Clock for &DeployingClock<'_> {
    fn now(&self) -> rightsizer_records::Timestamp {
        (&self.1).now()
    }

    async fn wait(&self, how_long: std::time::Duration) {
        {
            let mut state = self.0.state();
            let function = state.function.as_mut().unwrap();
            function.code_sha256 = Some("code-2".to_owned());
            function.other = other("code-2");
            function.revision_id = Some("r9".to_owned());
        }
        (&self.1).wait(how_long).await;
    }
}

#[test]
fn an_alias_that_someone_else_moves_is_not_moved() {
    skips("alias-managed", |state| {
        state.alias.as_mut().unwrap().weighted = true;
    });
    skips("alias-managed", |state| {
        let tags = state.function.as_mut().unwrap().tags.as_mut().unwrap();
        tags.insert(
            "aws:cloudformation:stack-name".to_owned(),
            "shop".to_owned(),
        );
    });
    skips("stale-from", |state| {
        let six = state.versions[0].clone();
        state.versions.push(PublishedVersion {
            version: "7".to_owned(),
            ..six
        });
        state.alias.as_mut().unwrap().version = "7".to_owned();
    });
    skips("stale-from", |state| {
        state.alias.as_mut().unwrap().version = "$LATEST".to_owned();
    });
}

#[test]
fn the_size_and_the_timeout_are_those_of_the_version_that_serves() {
    // $LATEST has another size, which does not matter: it serves no traffic.
    let lambda = scene(|state| state.function.as_mut().unwrap().memory_mb = Megabytes(3000));
    assert_eq!(
        apply(&lambda, &for_version_6()).unwrap().0,
        OutcomeStatus::Applied
    );
    skips("stale-from", |state| {
        state.versions[0].memory_mb = Megabytes(900);
    });
    skips("timeout-risk", |state| {
        state.versions[0].timeout = Some(rightsizer_records::Millis::from_ms(500));
    });
}

#[test]
fn provisioned_concurrency_is_not_taken_away_unasked() {
    skips("provisioned-concurrency", |state| {
        state.provisioned = vec!["6".to_owned()];
    });
    skips("provisioned-concurrency", |state| {
        state.provisioned = vec!["live".to_owned()];
    });
    let on_alias = || scene(|state| state.provisioned = vec!["live".to_owned()]);
    let approved = Recommendation {
        mode: Mode::Approved,
        by: Some("on-call".to_owned()),
        ..for_version_6()
    };
    assert_eq!(
        apply(&on_alias(), &approved).unwrap().0,
        OutcomeStatus::Applied
    );
    let increase = Recommendation {
        to_mb: Megabytes(2048),
        ..for_version_6()
    };
    assert_eq!(
        apply(&on_alias(), &increase).unwrap().0,
        OutcomeStatus::Applied
    );
}

#[test]
fn a_stop_anywhere_is_gone_on_from() {
    // After the change of $LATEST: its answer lost, and the batch given up.
    let lambda = scene(|state| {
        state.writes.push_back(OnWrite::WriteSilently);
        state.reads.push_back(Ok(()));
        state
            .reads
            .extend(std::iter::repeat_n(Err(ApiFault::Unavailable), 4));
    });
    let later = apply(&lambda, &for_version_6()).unwrap_err();
    assert!(later.unclear);
    assert_eq!(lambda.state().alias.as_ref().unwrap().version, "6");
    assert_eq!(
        apply(&lambda, &for_version_6()).unwrap().0,
        OutcomeStatus::Applied
    );
    assert_eq!(lambda.written().len(), 1);
}
