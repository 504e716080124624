//! A machine's clock that jumps, by seconds to months, either way, at a start and at run time: no
//! evidence is deleted, none is refused for good, and who runs out of memory is given more.

use super::*;

const SECOND: i64 = 1_000;
const HOUR: i64 = 3_600 * SECOND;
const DAY: i64 = 24 * HOUR;

/// The jumps of the tests, in milliseconds.
const JUMPS: [i64; 18] = [
    3 * SECOND,
    -3 * SECOND,
    HOUR,
    -HOUR,
    13 * HOUR,
    -13 * HOUR,
    DAY,
    -DAY,
    2 * DAY,
    -2 * DAY,
    3 * DAY,
    -3 * DAY,
    20 * DAY,
    -20 * DAY,
    61 * DAY,
    -61 * DAY,
    70 * DAY,
    -70 * DAY,
];

/// When the clock jumps in these tests.
const NOON: &str = "2026-05-21T12:00:00Z";

fn out_of_memory(name: &str, env: u64, when: Timestamp) -> Reports {
    let mut record = reports(name, env, &when.to_string(), 256, 256, 3);
    for row in &mut record.reports {
        row.status = Status::OutOfMemory;
    }
    record
}

impl Case {
    fn on_a_wall_clock() -> Self {
        let mut case = Self::new();
        case.mode = ClockMode::Wall;
        case.restart();
        case
    }

    /// Ticks, and closes what should be closed, as the writer's thread does.
    fn ticks(&mut self) {
        let now = self.now;
        for _ in 0..3 {
            self.pipeline().tick(now).unwrap();
            while self.pipeline().is_closing() {
                self.pipeline().close_slice(now).unwrap();
            }
        }
    }

    /// Twenty days of three functions, seen as they happened.
    fn twenty_days() -> Self {
        let mut case = Self::on_a_wall_clock();
        for day in 1..=20 {
            for (n, name) in ["f", "g", "h"].into_iter().enumerate() {
                let env = day * 10 + n as u64;
                let when = format!("2026-05-{day:02}T10:00:00Z");
                case.now = at(&when).plus_ms(60 * SECOND);
                case.report(reports(name, env, &when, 1024, 200, 10));
            }
            case.now = at(&format!("2026-05-{day:02}T01:30:00Z")).plus_ms(DAY);
            case.ticks();
        }
        case.now = at("2026-05-21T10:00:00Z");
        case.report(reports("g", 990, "2026-05-21T09:59:00Z", 1024, 200, 1));
        case.report(reports("h", 991, "2026-05-21T09:59:00Z", 1024, 200, 1));
        case.now = at(NOON);
        case.ticks();
        case
    }

    fn last_closed(&self) -> Day {
        let day =
            self.count("SELECT CAST(value AS INTEGER) FROM state WHERE key = 'last_closed_day'");
        Day::from_number(i32::try_from(day).unwrap())
    }

    fn urgent(&self, name: &str) -> bool {
        self.line(name).urgent
    }

    /// What is in the tables that retention deletes from.
    fn rows(&self) -> [i64; 3] {
        ["days", "environments", "peaks"]
            .map(|table| self.count(&format!("SELECT count(*) FROM {table}")))
    }
}

/// The clock is wrong by `jump` for a while, in which a function runs out of memory, then right again.
fn jumped(jump: i64, at_start: bool) {
    let case = &mut Case::twenty_days();
    let rows = case.rows();
    assert_eq!(case.last_closed(), at("2026-05-20T00:00:00Z").day());
    let which = format!("{} h, at start: {at_start}", jump / HOUR);

    case.now = at(NOON).plus_ms(jump);
    if at_start {
        case.restart();
    }
    case.ticks();
    for (n, name) in ["victim", "f"].into_iter().enumerate() {
        case.report(out_of_memory(name, 1000 + n as u64, at(NOON)));
    }
    case.ticks();

    case.now = at(NOON).plus_ms(5 * SECOND);
    if at_start {
        case.restart();
    }
    case.ticks();
    for (n, name) in ["late", "h"].into_iter().enumerate() {
        case.report(out_of_memory(
            name,
            2000 + n as u64,
            at(NOON).plus_ms(4 * SECOND),
        ));
    }
    case.ticks();
    for name in ["victim", "f", "late", "h"] {
        assert!(case.urgent(name), "{name} waits: {which}");
    }
    let left = case.rows();
    assert_eq!(left[0], rows[0] + 4, "days: {which}");
    assert_eq!(left[1], rows[1] + 4, "environments: {which}");
    // What claims to be of less than a day ahead counts when it came: the peak of `f` is on the day before.
    let before = (-DAY..0).contains(&jump) && at(NOON).plus_ms(jump).day() < at(NOON).day();
    assert_eq!(left[2], rows[2] + 3 - i64::from(before), "peaks: {which}");
    assert_ne!(case.line("g").status, "idle", "{which}");
    assert_eq!(case.count("SELECT count(*) FROM quarantine"), 0, "{which}");
    assert_eq!(
        case.last_closed(),
        at("2026-05-20T00:00:00Z").day(),
        "{which}"
    );

    // Life continues: the next day closes in its time.
    case.now = at("2026-05-22T02:00:00Z");
    case.report(reports("f", 3000, "2026-05-22T01:59:00Z", 1024, 200, 1));
    case.report(reports("g", 3001, "2026-05-22T01:59:00Z", 1024, 200, 1));
    case.ticks();
    assert_eq!(
        case.last_closed(),
        at("2026-05-21T00:00:00Z").day(),
        "{which}"
    );
    assert_eq!(
        case.line("g").decided_on,
        Some("2026-05-22".to_owned()),
        "{which}"
    );
}

#[test]
fn a_jump_at_run_time_costs_no_evidence_and_delays_no_increase() {
    for jump in JUMPS {
        jumped(jump, false);
    }
}

#[test]
fn a_jump_at_a_start_costs_no_evidence_and_delays_no_increase() {
    for jump in JUMPS {
        jumped(jump, true);
    }
}
