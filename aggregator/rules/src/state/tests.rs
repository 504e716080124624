//! What a state keeps, and how many bytes it takes.

use proptest::prelude::*;
use rightsizer_records::{
    EnvId, FunctionArn, InitType, Megabytes, Millis, ReportRow, Reports, Status, Timestamp,
};

use super::*;
use crate::policy::PolicySettings;
use crate::price::PriceTable;
use crate::window::{Cadence, ClockMode, DayClock, Delta, fold_reports};

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn arn() -> FunctionArn {
    FunctionArn::new("aws", "eu-central-1", "123456789012", "checkout").unwrap()
}

/// A record of `count` invocations, with durations and memory use that vary.
fn record(env: u64, seq: u64, t0: Timestamp, count: u64) -> Reports {
    let row = |n: u64| {
        let spread = n.wrapping_mul(2_654_435_761) % 400;
        ReportRow {
            at_ms: i64::try_from(n * 50).unwrap(),
            max_used_mb: Some(Megabytes(u32::try_from(150 + spread / 10).unwrap())),
            duration_ms: Some(Millis::from_ms(80 + spread)),
            billed_ms: Some(Millis::from_ms(80 + spread)),
            status: Status::Ok,
            init_ms: (n == 0 && seq == 0).then(|| Millis::from_ms(400 + env % 50)),
        }
    };
    Reports {
        function: arn(),
        version: "$LATEST".into(),
        env: EnvId(env.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        seq,
        total: (seq + 1) * count,
        memory_mb: Megabytes(1024),
        arch: None,
        runtime: None,
        init: None,
        t0,
        reports: (0..count).map(row).collect(),
        errors: Vec::new(),
        cpu_ms: Some(900),
        cores: Some(2),
        self_kib: Some(3100),
        folded: None,
        events_dropped: 0,
    }
}

fn clock(present: Timestamp, closed: Option<Day>) -> DayClock {
    DayClock::new(ClockMode::Event, Some(present), closed)
}

/// 14 days, each with 20 environments of ten records of 50 invocations: 140,000 invocations. The environments of the
/// last day are the 20 that run.
fn full(environments: u64) -> FunctionState {
    let mut state = FunctionState::new(FunctionKey::Arn(arn()));
    let first = at("2026-05-01T02:00:00Z");
    for day in 0..14 {
        for env in 0..environments {
            for seq in 0..10_u64 {
                let t0 = first.plus_ms(day * 86_400_000 + i64::try_from(seq).unwrap() * 3_600_000);
                // Each lives through all days, so that their number is what the test names.
                let seq = u64::try_from(day).unwrap() * 10 + seq;
                let delta = fold_reports(&record(env, seq, t0, 50));
                state.apply(delta, &clock(t0, None), t0);
            }
        }
    }
    state
}

/// A trace's day of 900 MB at which 512 and 615 MB ran out: the peak is 900, and 615 hid it.
#[test]
fn a_day_of_a_trace_is_its_peak_and_the_largest_size_that_ran_out() {
    let day = Day::parse("2026-05-02").unwrap();
    let [peak, small, smaller, enough] = [900, 512, 615, 1024].map(Megabytes);
    let key = FunctionKey::Arn(arn());
    let delta = Delta::of_daily_peak(key.clone(), (day, peak), enough, &[small, smaller]);
    let mut state = FunctionState::new(key);
    state.apply(delta, &clock(day.start(), Some(day.plus(-1))), day.start());
    let [(on, seen)] = state.peaks().collect::<Vec<_>>()[..] else {
        panic!("one day");
    };
    assert_eq!((on, seen.peak_mb, seen.censored_mb), (day, peak, smaller));
    assert_eq!(state.current().unwrap().1, enough);
}

/// The goal is 8 KB.
#[test]
fn fourteen_full_days_and_twenty_environments_take_less_than_8_kb() {
    let bytes = |environments| full(environments).to_bytes().len();
    let (none, twenty, hundred) = (bytes(1), bytes(20), bytes(100));
    println!("state: {none} bytes with 1 environment, {twenty} with 20, {hundred} with 100");
    let before = full(20).to_bytes_of(WITHOUT_HOURS).len();
    println!("without the time of the day of durations: {before} with 20");
    assert!(twenty <= 8192, "{twenty} bytes");
    assert!(
        (hundred - twenty) / 80 <= 64,
        "{} bytes an environment",
        (hundred - twenty) / 80
    );
}

#[test]
fn a_state_of_a_later_release_is_refused_and_one_cut_off_is_damaged() {
    let mut bytes = full(2).to_bytes();
    bytes[0] = STATE_VERSION + 1;
    let error = FunctionState::from_bytes(&bytes).unwrap_err();
    assert_eq!(error, StateError::Newer(STATE_VERSION + 1));
    insta::assert_snapshot!(error.to_string(), @"state version 5 is not known here (this release reads up to 4). Nothing was changed. hint: run the release that wrote the savepoint, or a later one");
    bytes[0] = STATE_VERSION;
    for length in 0..bytes.len() {
        let cut = FunctionState::from_bytes(&bytes[..length]);
        assert!(matches!(cut, Err(StateError::Damaged(_))), "{length}");
    }
}

/// The newest version of a state without durations by the time of the day.
const WITHOUT_HOURS: u8 = 3;

/// A state in the form before, and a delta for a release that reads that, have all but the hours of durations.
#[test]
fn a_state_of_an_earlier_version_has_no_hours() {
    let state = full(1);
    let hours = |state: &FunctionState| -> Vec<u64> {
        state.days().map(|(_, day)| day.hours.count()).collect()
    };
    assert_eq!(hours(&state), [500; 14]);
    let again = |version| FunctionState::from_bytes(&state.to_bytes_of(version)).unwrap();
    assert_eq!(again(STATE_VERSION), state);
    assert_eq!(hours(&again(WITHOUT_HOURS)), [0; 14]);
    assert_eq!(
        again(WITHOUT_HOURS).to_bytes_of(WITHOUT_HOURS),
        state.to_bytes_of(WITHOUT_HOURS)
    );

    let delta = fold_reports(&record(1, 0, at("2026-05-01T02:00:00Z"), 50));
    let again = |version| {
        let bytes = delta_to_bytes(&delta, version);
        (bytes[0], delta_from_bytes(&bytes).unwrap())
    };
    assert_eq!(again(STATE_VERSION), (3, delta.clone()));
    let (version, before) = again(WITHOUT_HOURS);
    assert!(version < 3, "{version}");
    let reports = |delta: &Delta| (delta.reports, delta.days[0].stats.durations.count());
    assert_eq!(reports(&before), reports(&delta));
    assert_eq!(before.days[0].stats.hours.count(), 0);
}

/// A state of 14 days of which each environment of version 7 was restored: in the form before, restores were among init.
#[test]
fn a_state_of_an_earlier_version_has_its_restores_parted_by_the_configuration() {
    let mut state = FunctionState::new(FunctionKey::Arn(arn()));
    let t0 = at("2026-05-01T02:00:00Z");
    for (env, version, init) in [(1, "7", Some(InitType::SnapStart)), (2, "$LATEST", None)] {
        let record = Reports {
            version: version.to_owned(),
            init,
            ..record(env, 0, t0, 50)
        };
        state.apply(fold_reports(&record), &clock(t0, None), t0);
    }
    let counts = |state: &FunctionState| -> Vec<(String, u64, u64)> {
        let days = state.days();
        days.map(|(key, day)| (key.version.clone(), day.inits.count(), day.restores.count()))
            .collect()
    };
    let again = |state: &FunctionState, version| {
        FunctionState::from_bytes(&state.to_bytes_of(version)).unwrap()
    };
    let of = |version: &str, inits, restores| (version.to_owned(), inits, restores);
    let parted = [of("$LATEST", 1, 0), of("7", 0, 1)];
    assert_eq!(counts(&again(&state, STATE_VERSION)), parted);
    assert_eq!(again(&state, STATE_VERSION), state);
    let unlisted = again(&state, 2);
    assert_eq!(counts(&unlisted), [of("$LATEST", 1, 0), of("7", 1, 0)]);
    let listed = |snap_start| Listed {
        memory_mb: Megabytes(1024),
        timeout_s: 3,
        arch: rightsizer_records::Arch::Arm64,
        code_sha256: None,
        tags: None,
        failures_only: false,
        snap_start,
        modified: None,
        alarm: None,
        seen_at: t0,
        gone_at: None,
    };
    for version in [1, 2] {
        state.listed = Some(listed(true));
        assert_eq!(counts(&again(&state, version)), parted);
        state.listed = Some(listed(false));
        assert_eq!(counts(&again(&state, version)), counts(&unlisted));
    }
}

/// The 15th closes on the 16th at 01:00. The window is the 2nd to the 15th.
#[test]
fn a_close_drops_what_the_window_does_not_need_and_keeps_the_peaks() {
    let mut state = full(3);
    let closed = Day::parse("2026-05-15").unwrap();
    let present = at("2026-05-16T01:00:00Z");
    let (policy, price) = (PolicySettings::default(), PriceTable::default());
    let terms = Terms {
        policy: &policy,
        price: &price,
        cadence: Cadence::Daily,
    };
    let result = state.close(&clock(present, Some(closed)), present, &terms);
    assert!(matches!(result, Closed::Decided(_)));
    assert_eq!(state.days().count(), 13, "the 2nd to the 14th");
    assert_eq!(state.peaks().count(), 14);
    let later = at("2026-06-20T01:00:00Z");
    let closed = Day::parse("2026-06-19").unwrap();
    let idle = state.close(&clock(later, Some(closed)), later, &terms);
    assert_eq!(idle, Closed::Idle { had_decision: true });
    assert_eq!((state.days().count(), state.environments()), (0, 0));
    assert_eq!(state.peaks().count(), 14);
}

proptest! {
    #[test]
    fn any_bytes_are_a_state_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 1..400)) {
        bytes[0] = STATE_VERSION;
        if let Ok(state) = FunctionState::from_bytes(&bytes) {
            prop_assert!(FunctionState::from_bytes(&state.to_bytes()).is_ok());
        }
        drop(delta_from_bytes(&bytes));
    }

    /// A bit that flips is refused, or gives a state that can be written.
    #[test]
    fn a_damaged_state_is_refused_or_read(place in any::<proptest::sample::Index>(), bit in 0_u8..8) {
        let mut bytes = full(2).to_bytes();
        let place = place.index(bytes.len());
        bytes[place] ^= 1 << bit;
        if let Ok(state) = FunctionState::from_bytes(&bytes) {
            prop_assert!(FunctionState::from_bytes(&state.to_bytes()).is_ok());
        }
    }
}
