//! What a writer's rows may not do: take changes back, hold functions, stop automatic decreases.

use super::*;
use rightsizer_store::inspect::stops;

fn is_rollback(reason: &Reason) -> bool {
    matches!(
        reason,
        Reason::RollbackOutOfMemory { .. }
            | Reason::RollbackErrors(_)
            | Reason::RollbackTimeouts(_)
            | Reason::RollbackInitFailures(_)
            | Reason::RollbackSlower { .. }
            | Reason::RollbackSilent { .. }
    )
}

impl Case {
    /// Functions of 1024 MB that were shrunk to 300 on the 15th, each with its change's id.
    fn all_shrunk(count: usize) -> (Self, Vec<(String, String)>) {
        let mut case = Self::new();
        let names: Vec<String> = (0..count).map(|n| format!("f{n}")).collect();
        for name in &names {
            case.know(name, "code", "2026-05-01T00:00:00Z");
        }
        for day in 1..=15 {
            for name in &names {
                let when = format!("2026-05-{day:02}T10:00:01Z");
                case.report(reports(name, day, &when, 1024, 200, 10));
            }
        }
        let now = case.now;
        let sent = case.pipeline().outbox(Outgoing::All, 100, now).unwrap();
        let mut shrunk = Vec::new();
        for entry in sent.entries {
            let name = entry.function.rsplit(':').next().unwrap().to_owned();
            case.pipeline()
                .mark_sent(std::slice::from_ref(&entry.key), now)
                .unwrap();
            case.answer(&entry.key.id, &name, OutcomeStatus::Applied, 1024, 300);
            shrunk.push((name, entry.key.id));
        }
        case.now = case.now.plus_ms(60_000);
        (case, shrunk)
    }

    fn ran_out_at_300(&mut self, name: &str, env: u64, before: usize) {
        let mut out = reports(name, env, "2026-05-15T12:00:00Z", 300, 200, before + 1);
        out.reports[before].status = Status::OutOfMemory;
        out.reports[before].max_used_mb = Some(Megabytes(300));
        self.report(out);
    }

    fn holds(&self) -> i64 {
        self.count("SELECT count(*) FROM holds")
    }

    fn in_life(&self, life: &str) -> i64 {
        self.count(&format!(
            "SELECT count(*) FROM recommendations WHERE status = '{life}'"
        ))
    }
}

/// One row for each of ten functions: each gets more at once, and nothing else comes of it.
#[test]
fn a_row_for_each_of_many_functions_takes_nothing_back_and_pauses_nothing() {
    let (mut case, shrunk) = Case::all_shrunk(10);
    assert_eq!(shrunk.len(), 10);
    for (name, _) in &shrunk {
        case.ran_out_at_300(name, 900, 0);
        let line = case.line(name);
        assert!(line.urgent && line.to_mb >= Some(400), "{line:?}");
        assert!(!line.reasons.iter().any(is_rollback));
    }
    assert_eq!(stops(&case.path()).unwrap().auto_paused, None);
    assert_eq!((case.holds(), case.in_life("rolled-back")), (0, 0));
    assert_eq!(case.send_all().len(), 10, "increases are sent");
}

/// Nor do two rows of two environments that did nothing else.
#[test]
fn two_rows_of_one_function_take_nothing_back() {
    let (mut case, shrunk) = Case::all_shrunk(2);
    for (name, _) in &shrunk {
        case.ran_out_at_300(name, 900, 0);
        case.ran_out_at_300(name, 901, 0);
    }
    assert_eq!(stops(&case.path()).unwrap().auto_paused, None);
    assert_eq!((case.holds(), case.in_life("rolled-back")), (0, 0));
}

/// Environments that served at the new size and ran out there are another matter.
#[test]
fn two_environments_with_traffic_that_run_out_take_a_change_back() {
    let (mut case, shrunk) = Case::all_shrunk(1);
    let name = &shrunk[0].0;
    case.ran_out_at_300(name, 900, 6);
    case.ran_out_at_300(name, 901, 6);
    let line = case.line(name);
    assert_eq!((line.to_mb, line.urgent), (Some(1024), true), "{line:?}");
    assert_eq!(case.holds(), 1);
}

/// Records at the old size: without figures, with one row, or while the new size continues
/// starting.
#[test]
fn made_up_environments_of_the_old_size_do_not_make_a_change_reverted() {
    for (rows, new_size_goes_on) in [(0, false), (1, false), (1, true), (50, true)] {
        let (mut case, shrunk) = Case::all_shrunk(1);
        let name = shrunk[0].0.clone();
        case.report(reports(&name, 800, "2026-05-15T11:00:00Z", 300, 200, 30));
        for env in 900..902 {
            let mut lie = reports(&name, env, "2026-05-15T12:00:00Z", 1024, 200, rows);
            for row in lie.reports.iter_mut().filter(|_| rows == 1) {
                (row.max_used_mb, row.duration_ms, row.billed_ms) = (None, None, None);
            }
            case.report(lie);
        }
        if new_size_goes_on {
            case.report(reports(&name, 801, "2026-05-15T13:00:00Z", 300, 200, 30));
        }
        case.report(reports(&name, 802, "2026-05-16T12:00:00Z", 300, 200, 30));
        case.report(reports(&name, 803, "2026-05-17T12:00:00Z", 300, 200, 30));
        let what = (rows, new_size_goes_on);
        assert_eq!((case.holds(), case.in_life("reverted")), (0, 0), "{what:?}");
    }
}

/// Failures that only one environment reports count as one environment's.
#[test]
fn failures_of_one_environment_take_nothing_back() {
    let (mut case, shrunk) = Case::all_shrunk(1);
    let name = &shrunk[0].0;
    let mut failing = reports(name, 900, "2026-05-15T12:00:00Z", 300, 200, 200);
    for row in &mut failing.reports {
        row.status = Status::Error;
    }
    case.report(failing);
    case.report(reports(name, 15, "2026-05-16T10:00:00Z", 1024, 200, 1));
    assert_eq!((case.holds(), case.in_life("rolled-back")), (0, 0));
    assert!(!case.line(name).urgent);
}
