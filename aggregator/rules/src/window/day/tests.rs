//! Tests of `day`.

use super::*;

fn ran(init: Option<u64>, status: Status) -> Sample {
    Sample {
        duration_ms: Some(Millis::from_ms(250)),
        init_ms: init.map(Millis::from_ms),
        status,
        ..Sample::default()
    }
}

/// One environment was initialised in 900 ms, another was restored in 200.
#[test]
fn init_and_restores_are_kept_apart() {
    let restored = Sample {
        restore_ms: Some(Millis::from_ms(200)),
        ..ran(None, Status::Ok)
    };
    let mut day = DayStats::default();
    day.count(ran(Some(900), Status::Ok), Megabytes(128));
    day.count(restored, Megabytes(128));
    let mut twice = day.clone();
    twice.merge(&day);
    let longest = |of: &Distribution| (of.count(), of.quantile(1.0));
    assert_eq!(longest(&twice.inits), (2, Some(903)));
    assert_eq!(longest(&twice.restores), (2, Some(200)));
    assert_eq!(twice.firsts, 4);
}

/// An attempt that failed is no invocation, and no start that waits for anything.
#[test]
fn starts_that_failed_are_counted_apart() {
    let failed = Sample {
        failed_start: true,
        ..ran(Some(10_000), Status::Ok)
    };
    let restore = Sample {
        init_ms: None,
        restore_ms: Some(Millis::from_ms(900)),
        ..failed
    };
    let mut day = DayStats::default();
    for sample in [failed, restore, failed] {
        day.count(sample, Megabytes(128));
    }
    assert_eq!(
        (day.failed_inits.count(), day.failed_restores.count()),
        (2, 1)
    );
    let else_ = (
        day.invocations,
        day.firsts,
        day.inits.count(),
        day.durations.count(),
    );
    assert_eq!(else_, (0, 0, 0, 0));
    let mut twice = day.clone();
    twice.merge(&day);
    let counts = (twice.failed_inits.count(), twice.failed_restores.count());
    assert_eq!((counts, day.has_figures()), ((4, 2), false));
}

/// Of four invocations two waited for a start, and one of these failed.
#[test]
fn the_first_invocations_are_counted_apart() {
    let mut day = DayStats::default();
    for sample in [
        ran(Some(900), Status::Ok),
        ran(None, Status::Ok),
        ran(Some(900), Status::Error),
        ran(None, Status::Error),
    ] {
        day.count(sample, Megabytes(128));
    }
    assert_eq!((day.firsts, day.firsts_ms, day.inits.count()), (1, 250, 2));
    let mut twice = day.clone();
    twice.merge(&day);
    assert_eq!((twice.firsts, twice.firsts_ms), (2, 500));
}

#[test]
fn w7_the_layer_counts_before_a_subscription_before_log_groups_before_files() {
    let sources = [
        DaySource::Layer,
        DaySource::Subscription,
        DaySource::LogGroup(0),
        DaySource::LogGroup(u32::MAX),
        DaySource::Import,
        DaySource::Wrapped,
    ];
    assert!(sources.is_sorted() && sources.map(DaySource::rank).is_sorted());
    let kinds = sources.map(|source| DaySource::kind(source.rank()));
    assert_eq!(kinds, [0, 1, 2, 2, 3, DaySource::WRAPPED_KIND]);
}

fn sample(used: u32, status: Status) -> Sample {
    Sample {
        max_used_mb: Some(Megabytes(used)),
        status,
        ..Sample::default()
    }
}

fn censored(used: u32, size: u32, status: Status) -> bool {
    let mut day = DayStats::default();
    day.count(sample(used, status), Megabytes(size));
    day.censored
}

#[test]
fn p3_what_hides_the_demand() {
    assert!(censored(128, 128, Status::OutOfMemory));
    assert!(
        censored(60, 128, Status::OutOfMemory),
        "an out-of-memory counts at any figure"
    );
    assert!(
        censored(253, 256, Status::Timeout),
        "thrashing ends as a timeout"
    );
    assert!(censored(129, 128, Status::Ok), "more used than there is");
    assert!(
        !censored(128, 128, Status::Ok),
        "used = size alone proves nothing"
    );
    assert!(!censored(200, 256, Status::Timeout));
}

#[test]
fn p3_running_out_without_a_figure_used_all_there_was() {
    let mut day = DayStats::default();
    day.count(
        Sample {
            status: Status::OutOfMemory,
            ..Sample::default()
        },
        Megabytes(256),
    );
    assert_eq!(
        (day.peak_mb, day.censored, day.at_limit),
        (Megabytes(256), true, 1)
    );
}

#[test]
fn w2_a_day_counts_its_evidence() {
    let mut day = DayStats::default();
    for (used, status) in [
        (90, Status::Ok),
        (91, Status::Error),
        (120, Status::Timeout),
        (127, Status::Ok),
    ] {
        day.count(sample(used, status), Megabytes(128));
    }
    let counts = (
        day.invocations,
        day.errors,
        day.timeouts,
        day.ooms,
        day.at_limit,
    );
    for error in [ErrorKind::Crash, ErrorKind::HeapLimit, ErrorKind::Function] {
        day.count_error(Some(error));
    }
    assert_eq!((day.crashes, day.heap_limits, day.errors), (1, 1, 4));
    // 127 of 128 is 99.2 %, 120 is 93.75 %: one at the limit.
    assert_eq!(counts, (4, 1, 1, 0, 1));
    assert_eq!(day.peak_mb, Megabytes(127));
}
