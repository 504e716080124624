//! What one writer may claim of a function's size and of what it used.

use super::*;

const NOW: &str = "2026-06-01T12:00:00Z";
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

impl Case {
    /// A pipeline by the wall clock, at noon.
    pub(super) fn on_the_wall() -> Self {
        let mut case = Self::new();
        case.mode = ClockMode::Wall;
        case.now = at(NOW);
        case.restart();
        case
    }

    /// So much later than now.
    fn later(&self, ms: i64) -> String {
        self.now.plus_ms(ms).to_string()
    }

    /// One invocation of a new environment runs out of memory at `size` now.
    pub(super) fn runs_out(&mut self, name: &str, env: u64, size: u32) {
        let mut out = reports(name, env, &self.later(0), size, size, 1);
        out.reports[0].status = Status::OutOfMemory;
        self.report(out);
    }

    /// A function of `size` MB that has reported `used` for a while.
    fn steady(size: u32, used: u32, listed: bool) -> Self {
        let mut case = Self::on_the_wall();
        if listed {
            let now = case.later(-30 * MINUTE);
            case.know_size(arn("f"), size, "code", &now, Tags::default());
        }
        let before = case.later(-2 * HOUR);
        case.report(reports("f", 1, &before, size, used, 10));
        case
    }

    fn bump_is_sent(&mut self, from: u32, to: u32, what: &str) {
        let line = self.line("f");
        let found = (line.current_mb, line.to_mb, line.urgent);
        assert_eq!(found, (from, Some(to), true), "{what}: {line:?}");
        assert_eq!(self.outbox().len(), 1, "{what}");
    }
}

/// max(1.2 × 128, 128 + 100) = 228, whatever another writer claims about the size, its version or
/// the time.
#[test]
fn p3_no_claim_of_another_size_delays_an_increase_of_a_function_that_runs_out() {
    let claims: [(&str, i64, usize, &str); 8] = [
        ("an empty record of tomorrow", 23 * HOUR, 0, "$LATEST"),
        ("a record of tomorrow", 23 * HOUR, 1, "$LATEST"),
        ("an empty record", 0, 0, "$LATEST"),
        ("a record", 0, 1, "$LATEST"),
        ("an empty record of another version", 23 * HOUR, 0, "999"),
        (
            "a record of another version of tomorrow",
            23 * HOUR,
            1,
            "999",
        ),
        ("a record of another version", 0, 1, "999"),
        ("many invocations of another version", 0, 500, "999"),
    ];
    for listed in [false, true] {
        for (what, ahead, rows, version) in claims {
            let mut case = Case::steady(128, 60, listed);
            for (env, size) in [(90, 10_240), (91, 8192)] {
                let when = case.later(ahead);
                let mut lie = reports("f", env, &when, size, 60, rows);
                lie.version = version.into();
                case.report(lie);
            }
            case.runs_out("f", 2, 128);
            case.bump_is_sent(128, 228, &format!("{what}, listed: {listed}"));
        }
    }
}

/// The account has 128, and a writer keeps claiming otherwise, before and after, also for what ran
/// out.
#[test]
fn p3_the_account_outranks_the_size_in_reports() {
    let mut case = Case::steady(128, 60, true);
    for env in 90..95 {
        let when = case.later(0);
        case.report(reports("f", env, &when, 10_240, 60, 3));
        assert_eq!(case.line("f").current_mb, 128);
    }
    case.runs_out("f", 2, 128);
    case.runs_out("f", 96, 10_240);
    let line = case.line("f");
    assert_eq!((line.current_mb, line.urgent), (128, true), "{line:?}");
    assert!(line.to_mb.unwrap() <= 256, "{line:?}");
}

/// A deployment made it 128 after the account was asked: what starts and runs out there is believed.
#[test]
fn p3_what_runs_out_at_a_size_that_was_just_deployed_is_urgent_before_the_account_is_asked_again() {
    let mut case = Case::steady(512, 60, true);
    case.now = case.now.plus_ms(MINUTE);
    case.runs_out("f", 2, 128);
    case.bump_is_sent(128, 228, "deployed");
}

/// Reports of an old environment after an increase are not new evidence.
#[test]
fn p3_an_old_environment_that_runs_out_after_an_increase_calls_for_nothing() {
    let mut case = Case::steady(128, 60, true);
    case.runs_out("f", 2, 128);
    let id = case.send_all().remove(0);
    case.answer(&id, "f", OutcomeStatus::Applied, 128, 228);
    case.now = case.now.plus_ms(MINUTE);
    let mut old = reports("f", 1, &case.later(0), 128, 128, 1);
    old.seq = 1;
    old.reports[0].status = Status::OutOfMemory;
    case.report(old);
    let line = case.line("f");
    assert_eq!((line.current_mb, line.to_mb), (228, None), "{line:?}");
}

/// A record without evidence makes no function and no size.
#[test]
fn a_record_without_evidence_is_not_a_sighting() {
    let mut case = Case::on_the_wall();
    for env in 0..5 {
        let when = case.later(0);
        case.report(reports("ghost", env, &when, 512, 60, 0));
    }
    assert_eq!(case.count("SELECT count(*) FROM functions"), 0);
}

/// No peak is of a day that has not come.
#[test]
fn no_day_of_the_future_has_a_peak() {
    let mut case = Case::steady(256, 60, false);
    let tomorrow = case.later(23 * HOUR);
    case.report(reports("f", 90, &tomorrow, 256, 200, 1));
    let today = case.now.day().number();
    let ahead = format!("SELECT count(*) FROM peaks WHERE day > {today}");
    assert_eq!(case.count(&ahead), 0);
    let query = "SELECT count(*) FROM functions WHERE last_ms > ".to_owned();
    assert_eq!(case.count(&(query + &case.now.as_ms().to_string())), 0);
}

/// One environment's word doubles a size at most; with a second one it is believed: 1.1 × 9300 = 10,230.
#[test]
fn p2_one_environment_alone_raises_at_most_to_twice_the_size() {
    for listed in [false, true] {
        let mut case = Case::steady(256, 60, listed);
        let mut lie = reports("f", 90, &case.later(0), 10_240, 9300, 1);
        lie.seq = 7;
        case.report(lie.clone());
        let line = case.line("f");
        assert!(line.to_mb.is_none_or(|mb| mb <= 512), "{listed}: {line:?}");
        if listed {
            assert_eq!(line.to_mb, Some(512));
            assert!(
                line.reasons
                    .iter()
                    .any(|r| matches!(r, Reason::OneEnvironment { .. }))
            );
            lie.env = EnvId(91);
            case.report(lie);
            case.end_of_day();
            assert_eq!(case.line("f").to_mb, Some(10_230));
        }
    }
}

/// An applied doubling does not allow the next one until it is verified.
#[test]
fn p2_what_one_environment_claims_is_not_doubled_again_once_it_is_applied() {
    let mut case = Case::steady(256, 60, true);
    case.report(reports("f", 90, &case.later(0), 10_240, 9300, 1));
    assert_eq!(case.line("f").to_mb, Some(512));
    let id = case.send_all().remove(0);
    case.answer(&id, "f", OutcomeStatus::Applied, 256, 512);
    case.end_of_day();
    let line = case.line("f");
    assert_eq!((line.current_mb, line.to_mb), (512, None), "{line:?}");
}

/// Whatever a single record claims: a peak above its size, an out-of-memory at the largest size, a summary.
#[test]
fn p3_what_one_environment_claims_to_have_run_out_at_doubles_at_most() {
    let claims: [fn(&mut Reports); 4] = [
        |lie| lie.reports[0].max_used_mb = Some(Megabytes(2500)),
        |lie| {
            lie.memory_mb = Megabytes(10_240);
            lie.reports[0].status = Status::OutOfMemory;
        },
        |lie| {
            lie.memory_mb = Megabytes(10_240);
            lie.reports[0].max_used_mb = None;
            lie.reports[0].status = Status::OutOfMemory;
        },
        |lie| {
            lie.reports.clear();
            lie.folded = Some(rightsizer_records::Folded {
                count: 1,
                max_used_mb: Some(Megabytes(2500)),
                ooms: 1,
                failures: 1,
                ..rightsizer_records::Folded::default()
            });
        },
    ];
    for (n, claim) in claims.into_iter().enumerate() {
        let mut case = Case::steady(256, 60, true);
        let mut lie = reports("f", 90, &case.later(0), 256, 60, 1);
        claim(&mut lie);
        case.report(lie);
        let line = case.line("f");
        assert!(line.to_mb.is_none_or(|mb| mb <= 512), "{n}: {line:?}");
        // An out-of-memory at the account's size is answered whatever was claimed.
        case.runs_out("f", 91, 256);
        let line = case.line("f");
        let to = line.to_mb.unwrap();
        let answered = line.current_mb == 256 && line.urgent && (356..=512).contains(&to);
        assert!(answered, "{n}: {line:?}");
    }
}

impl Case {
    /// The day passes and closes.
    fn end_of_day(&mut self) {
        self.now = self.now.plus_ms(14 * HOUR);
        let now = self.now;
        self.pipeline().tick(now).unwrap();
        while self.pipeline().is_closing() {
            self.pipeline().close_slice(now).unwrap();
        }
    }
}
