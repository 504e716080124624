//! Tests of `usage`.

use super::*;

fn starts(ms: u64, count: u64) -> Distribution {
    let mut starts = Distribution::default();
    starts.record_many(ms, count);
    starts
}

/// A day of the layer with 40 starts of 400 ms, one of a subscription with three starts that failed after 10 s, and one of
/// a file with more of them: they are the same ones.
fn day(sources: &[DaySource]) -> Usage {
    let mut usage = Usage::default();
    let day = Day::parse("2026-01-05").unwrap();
    for source in sources {
        let mut stats = DayStats {
            invocations: 100,
            ..DayStats::default()
        };
        match source {
            DaySource::Layer => stats.inits = starts(400, 40),
            DaySource::Subscription => stats.failed_inits = starts(10_000, 3),
            _ => stats.failed_inits = starts(20_000, 30),
        }
        let (rank, row) = (source.rank(), SizeDay::of(&stats));
        if usage.count(day, rank, row.counts) {
            usage.add(day, Megabytes(512), &row);
        } else if stats.has_failed_starts() && usage.counts_failed_starts(day, rank) {
            usage.add_failed_starts(Megabytes(512), row.failed_inits, row.failed_restores);
        }
    }
    usage
}

/// Three of 43 starts failed: 10 s are the least that the 99th percentile takes.
#[test]
fn p6_starts_that_failed_come_from_logs_on_days_of_the_layer() {
    let init = |sources: &[DaySource]| {
        let [size] = day(sources).health().try_into().unwrap();
        (
            size.invocations,
            size.init.unwrap().ceil_ms().div_ceil(1000),
        )
    };
    let (layer, lines) = (DaySource::Layer, DaySource::Subscription);
    assert_eq!(init(&[layer]), (100, 1));
    assert_eq!(init(&[layer, lines, DaySource::Import]), (100, 11));
    assert_eq!(init(&[layer, DaySource::Import]), (100, 21));
    // Those of a file are no others than those of the subscription that counts.
    assert_eq!(init(&[lines, DaySource::Import]), (100, 11));
}
