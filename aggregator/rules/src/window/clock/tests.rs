//! Tests of `clock`.

use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

#[test]
fn w3_live_a_day_closes_one_hour_after_its_midnight() {
    let mut clock = DayClock::new(ClockMode::Wall, Some(at("2026-01-31T20:00:00Z")), None);
    let before = clock.advance(at("2026-02-01T00:59:59.999Z"));
    assert_eq!(before, Some(Day::parse("2026-01-30").unwrap()));
    let after = clock.advance(at("2026-02-01T01:00:00Z"));
    assert_eq!(after, Some(Day::parse("2026-01-31").unwrap()));
    assert_eq!(
        clock.advance(at("2026-02-01T01:00:01Z")),
        None,
        "a day closes once"
    );
}

#[test]
fn w3_a_replay_closes_days_by_event_time_alone() {
    let mut clock = DayClock::new(ClockMode::Event, None, None);
    let wall = at("2026-11-01T00:00:00Z");
    assert_eq!(clock.advance(wall), None, "nothing seen, nothing closed");
    clock.observe(1, at("2026-01-31T23:00:00Z"), wall);
    clock.observe(1, at("2026-02-01T00:30:00Z"), wall);
    assert_eq!(clock.advance(wall), Some(Day::parse("2026-01-30").unwrap()));
    clock.observe(1, at("2026-02-01T01:00:00.001Z"), wall);
    assert_eq!(clock.advance(wall), Some(Day::parse("2026-01-31").unwrap()));
}

#[test]
fn w3_the_end_of_input_closes_every_day_before_the_newest_events_own() {
    let mut clock = DayClock::new(ClockMode::Event, None, None);
    let wall = at("2026-11-01T00:00:00Z");
    clock.observe(1, at("2026-02-01T00:00:01Z"), wall);
    clock.observe(1, at("2026-01-15T00:00:01Z"), wall);
    assert_eq!(
        clock.end_of_input(),
        Some(Day::parse("2026-01-31").unwrap())
    );
    assert_eq!(clock.end_of_input(), None);
}

fn day(text: &str) -> Day {
    Day::parse(text).unwrap()
}

/// Evidence of 31 January, and the 30th closed.
fn live() -> DayClock {
    let newest = Some(at("2026-01-31T20:00:00Z"));
    DayClock::new(ClockMode::Wall, newest, Some(day("2026-01-30")))
}

#[test]
fn a_clock_closes_one_day_past_the_newest_evidence_alone_and_more_only_with_a_second_source() {
    let mut clock = live();
    assert_eq!(
        clock.advance(at("2026-02-02T02:00:00Z")),
        Some(day("2026-02-01"))
    );
    let ahead = at("2026-04-12T02:00:00Z");
    assert_eq!(clock.advance(ahead), None, "70 days ahead of everything");
    assert!(matches!(
        clock.doubt(ahead),
        Some(ClockDoubt::Unconfirmed { .. })
    ));
    clock.confirm(ahead);
    assert_eq!(
        (clock.doubt(ahead), clock.advance(ahead)),
        (None, Some(day("2026-04-11")))
    );
}

#[test]
fn evidence_of_two_functions_is_a_second_source_and_of_one_after_an_hour() {
    let now = at("2026-02-20T02:00:00Z");
    let mut clock = live();
    clock.observe(1, now, now);
    clock.observe(1, now, now);
    assert_eq!(clock.advance(now), None);
    let mut two = clock;
    two.observe(2, now.plus_ms(-60_000), now);
    assert_eq!(two.advance(now), Some(day("2026-02-19")));
    assert_eq!(clock.advance(now.plus_ms(3_599_999)), None);
    assert_eq!(
        clock.advance(now.plus_ms(3_600_000)),
        Some(day("2026-02-19"))
    );
}

#[test]
fn a_leap_that_the_clock_took_back_is_forgotten() {
    let (mut clock, ahead) = (live(), at("2026-04-12T02:00:00Z"));
    clock.observe(1, ahead, ahead);
    let right = at("2026-01-31T20:01:00Z");
    assert_eq!(clock.advance(right), None);
    assert_eq!(clock, live());
}

#[test]
fn a_close_that_is_not_over_by_any_clock_is_undone() {
    let newest = Some(at("2026-01-31T20:00:00Z"));
    let mut clock = DayClock::new(ClockMode::Wall, newest, Some(day("2026-04-11")));
    let now = at("2026-01-31T21:00:00Z");
    assert_eq!(clock.certainly_closed(), Some(day("2026-01-30")));
    assert_eq!(clock.undo(now), Some(day("2026-01-30")));
    assert_eq!((clock.undo(now), clock.advance(now)), (None, None));
}

#[test]
fn a_clock_that_is_behind_undoes_nothing_and_is_reported() {
    let mut clock = live();
    let behind = at("2026-01-28T20:00:00Z");
    assert_eq!((clock.undo(behind), clock.advance(behind)), (None, None));
    assert!(matches!(
        clock.doubt(behind),
        Some(ClockDoubt::Behind { .. })
    ));
    assert_eq!(
        clock.doubt(at("2026-01-31T19:59:57Z")),
        None,
        "three seconds"
    );
    clock.confirm(at("2026-02-01T02:00:00Z"));
    assert_eq!(
        clock.advance(behind),
        Some(day("2026-01-31")),
        "by the second source"
    );
}

#[test]
fn no_function_moves_the_evidence_past_the_clock() {
    let mut clock = live();
    let now = at("2026-01-31T20:00:00Z");
    clock.observe(1, now.plus_ms(86_000_000), now);
    assert_eq!(clock.newest_event(), Some(now));
}
