//! What is decided, sent, withdrawn and answered.

use super::*;

/// 14 days at 200 MB in 1024: mean 200 + 100 = 300.
#[test]
fn a_steady_function_is_sent_after_a_full_window_and_not_before() {
    let mut case = Case::new();
    case.know("steady", "code", "2026-05-01T00:00:00Z");
    for n in 1..=14 {
        let when = format!("2026-05-{n:02}T10:00:00Z");
        case.report(reports("steady", n, &when, 1024, 200, 10));
        assert!(
            case.outbox().is_empty(),
            "day {n}: a decrease waits for the full window (W4)"
        );
    }
    assert_eq!(
        case.line("steady").to_mb,
        Some(300),
        "but it can be reviewed before"
    );
    case.report(reports("steady", 99, "2026-05-15T10:00:01Z", 1024, 200, 1));
    let ids = case.send_all();
    assert_eq!(ids.len(), 1);
    assert_eq!(case.line("steady").status, "sent");
    case.answer(&ids[0], "steady", OutcomeStatus::Applied, 1024, 300);
    let line = case.line("steady");
    assert_eq!(
        (line.status.as_str(), line.current_mb, line.to_mb),
        ("applied", 300, None)
    );
    case.answer(&ids[0], "steady", OutcomeStatus::Skipped, 1024, 300);
    assert_eq!(
        case.line("steady").status,
        "applied",
        "what was applied stays applied"
    );
}

#[test]
fn w9_out_of_memory_is_decided_with_its_record_and_sent_without_waiting() {
    let mut case = Case::new();
    let mut record = reports("tight", 1, "2026-05-01T10:00:00Z", 256, 256, 1);
    record.reports[0].status = Status::OutOfMemory;
    case.report(record);
    // max(1.2 × 256 = 307.2 → 308, 256 + 100 = 356) = 356, and the mean 256 + 100 = 356.
    let line = case.line("tight");
    assert_eq!((line.to_mb, line.urgent), (Some(356), true));
    assert_eq!(case.outbox().len(), 1);
}

/// 14 days at 200 open a decrease from 1024 to 300. A peak of 280 is above 90 % of 300 = 270.
#[test]
fn w9_a_peak_near_an_open_decrease_withdraws_it_at_once() {
    let mut case = Case::new();
    case.fortnight("waking", 1024, &[200; 14]);
    let first = case.send_all();
    case.report(reports("waking", 100, "2026-05-15T11:00:00Z", 1024, 280, 1));
    let line = case.line("waking");
    // The open day's peak holds the floor up: ceil(1.10 × 280) = 308 > 300.
    assert_eq!((line.to_mb, line.status.as_str()), (Some(308), "open"));
    let detail = Reader::open(&case.path()).unwrap().detail(line).unwrap();
    let old = detail
        .history
        .iter()
        .find(|h| h["id"] == first[0].as_str())
        .unwrap();
    assert_eq!(old["status"], "withdrawn");
}

#[test]
fn p8_deciding_again_is_the_same_recommendation() {
    let mut case = Case::new();
    case.fortnight("f", 1024, &[200; 14]);
    let before = case.outbox();
    case.restart();
    case.report(reports("f", 100, "2026-05-15T12:00:00Z", 1024, 199, 1));
    assert_eq!(case.outbox(), before);
    case.send_all();
    // The next day decides the same from and to: what is under way is not sent again.
    case.report(reports("f", 101, "2026-05-16T12:00:00Z", 1024, 200, 1));
    assert!(case.outbox().is_empty());
}

/// 900 on 20 April is outside the window of 1 to 14 May and within its last 35 days (from 10 April):
/// the floor ceil(1.10 × 900) = 990 holds although the mean 200 + 100 = 300. 900 on 9 April is not.
#[test]
fn p2_a_peak_before_the_window_holds_the_floor_up_for_35_days() {
    for (day, want) in [
        ("2026-04-20", 990),
        ("2026-04-10", 990),
        ("2026-04-09", 300),
    ] {
        let mut case = Case::new();
        case.report(reports("f", 50, &format!("{day}T10:00:00Z"), 1536, 900, 1));
        case.fortnight("f", 1536, &[200; 14]);
        assert_eq!(case.line("f").policy_mb, Some(want), "{day}");
    }
}

/// P2's floor for a peak of 870 is 957, and 870 is 90.9 % of it: the same peak again is not new
/// evidence. 880 does: ceil(1.10 × 880) = 968.
#[test]
fn w9_a_peak_that_was_known_withdraws_nothing() {
    let mut case = Case::new();
    let mut peaks = [210; 14];
    peaks[6] = 870;
    case.fortnight("f", 1536, &peaks);
    let sent = case.send_all();
    case.report(reports("f", 100, "2026-05-15T11:00:00Z", 1536, 870, 1));
    assert_eq!(case.line("f").recommendation, Some(sent[0].clone()));
    assert_eq!(case.line("f").status, "sent");
    case.report(reports("f", 101, "2026-05-15T12:00:00Z", 1536, 880, 1));
    assert_eq!(case.line("f").to_mb, Some(968));
    assert_ne!(case.line("f").recommendation, Some(sent[0].clone()));
}

#[test]
fn an_outcome_counts_only_for_what_was_sent_and_as_it_was_sent() {
    let mut case = Case::new();
    case.fortnight("f", 1024, &[200; 14]);
    let id = case.outbox().remove(0);
    case.answer(&id, "f", OutcomeStatus::Applied, 1024, 300);
    assert_eq!(case.line("f").status, "open", "it was never sent");
    case.send_all();
    case.answer(&id, "f", OutcomeStatus::Applied, 1024, 9999);
    assert_eq!(case.line("f").status, "sent", "other sizes were sent");
    case.answer(&id, "f", OutcomeStatus::Applied, 1024, 300);
    case.now = case.now.plus_ms(1000);
    case.answer(&id, "f", OutcomeStatus::RolledBack, 1024, 300);
    assert_eq!(case.line("f").status, "rolled-back");
}

/// Memory ran out, the updater was busy, memory ran out again ten minutes later: asked again.
#[test]
fn an_urgent_increase_that_was_skipped_is_asked_for_again() {
    let mut case = Case::new();
    let out = |env, when: &str| {
        let mut record = reports("f", env, when, 256, 256, 1);
        record.reports[0].status = Status::OutOfMemory;
        record
    };
    case.report(out(1, "2026-05-01T10:00:00Z"));
    let id = case.send_all().remove(0);
    case.answer(&id, "f", OutcomeStatus::Skipped, 256, 356);
    case.report(out(2, "2026-05-01T10:01:00Z"));
    assert!(case.outbox().is_empty(), "not within five minutes");
    case.now = case.now.plus_ms(600_000);
    case.report(out(3, "2026-05-01T10:10:00Z"));
    assert_eq!(case.outbox(), [id]);
}

#[test]
fn a_function_that_fell_silent_is_idle_and_nothing_of_it_stays_open() {
    let mut case = Case::new();
    case.fortnight("silent", 1024, &[200; 14]);
    case.report(reports("other", 1, "2026-05-31T10:00:00Z", 512, 90, 1));
    let line = case.line("silent");
    assert_eq!((line.status.as_str(), line.to_mb), ("idle", None));
    assert!(case.outbox().is_empty());
}

/// With the plain rule 300 is decided again although a peak of 299 has just withdrawn it: not on
/// the same day. A function's counts are its own, even if the ones beside it have nothing in the
/// window.
#[test]
fn w4_a_close_gives_each_function_its_own_figures() {
    let mut case = Case::new();
    for n in 1..=3 {
        let silent = reports(
            &format!("silent-{n}"),
            n,
            "2026-03-01T10:00:00Z",
            512,
            90,
            7,
        );
        case.report(silent);
    }
    case.fortnight("busy", 1024, &[200; 14]);
    for n in 1..=14 {
        let when = format!("2026-05-{n:02}T11:00:00Z");
        case.report(reports("other", 300 + n, &when, 1024, 200, 20));
    }
    case.report(reports("other", 400, "2026-05-16T10:00:00Z", 1024, 200, 1));
    let invocations = |name: &str| case.line(name).invocations;
    assert_eq!((invocations("busy"), invocations("other")), (131, 260));
    assert_eq!(case.line("silent-1").status, "idle");
}

#[test]
fn w9_what_a_peak_withdrew_is_not_sent_again_that_day() {
    let mut case = Case::with(Settings::parse("[policy]\nfloor = false").unwrap());
    case.fortnight("f", 1024, &[200; 14]);
    case.send_all();
    case.report(reports("f", 100, "2026-05-15T11:00:00Z", 1024, 299, 1));
    assert!(case.outbox().is_empty());
}

/// The peak comes while the stream takes the record: withdrawn here, applied there. The outcome is
/// what is so.
#[test]
fn an_outcome_counts_although_its_recommendation_was_withdrawn_while_it_was_sent() {
    let mut case = Case::new();
    case.fortnight("f", 1024, &[200; 14]);
    let now = case.now;
    let key = case
        .pipeline()
        .outbox(Outgoing::All, 100, now)
        .unwrap()
        .entries
        .remove(0)
        .key;
    case.report(reports("f", 100, "2026-05-15T11:00:00Z", 1024, 280, 1));
    case.pipeline()
        .mark_sent(std::slice::from_ref(&key), now)
        .unwrap();
    case.answer(&key.id, "f", OutcomeStatus::Applied, 1024, 300);
    // 308 is still wanted, from where it is now.
    assert_eq!(
        (case.line("f").current_mb, case.line("f").to_mb),
        (300, Some(308))
    );
}

#[test]
fn a_rollback_puts_the_old_size_back_here_too() {
    let mut case = Case::new();
    case.fortnight("f", 1024, &[200; 14]);
    let id = case.send_all().remove(0);
    case.answer(&id, "f", OutcomeStatus::Applied, 1024, 300);
    assert_eq!(case.line("f").current_mb, 300);
    case.now = case.now.plus_ms(1000);
    case.answer(&id, "f", OutcomeStatus::RolledBack, 1024, 300);
    assert_eq!(case.line("f").current_mb, 1024);
}

/// Without an inventory only a person may act, so each day's decision replaces the last.
#[test]
fn what_only_waited_is_written_over_by_the_next_decision() {
    let mut case = Case::new();
    let mut seen = std::collections::BTreeSet::new();
    for (n, used) in [200, 240, 250, 210, 200, 260].into_iter().enumerate() {
        let when = format!("2026-05-{:02}T10:00:00Z", n + 1);
        case.report(reports("waiting", n as u64, &when, 1024, used, 10));
        seen.insert(case.line("waiting").recommendation);
        let rows = case.count("SELECT count(*) FROM recommendations");
        assert_eq!(rows, 1, "after day {}", n + 1);
    }
    assert!(seen.len() > 3, "they were different ones: {seen:?}");
    assert_eq!(case.line("waiting").status, "open");
}

/// More functions than one thread looks at.
#[test]
fn a_large_close_gives_each_function_its_own_figures() {
    const FUNCTIONS: u32 = 4_500;
    let mut case = Case::new();
    let peak = |n: u32| 100 + n % 700;
    let payload = |n: u32| {
        let name = format!("f{n:04}");
        let record = reports(
            &name,
            u64::from(n),
            "2026-05-01T10:00:00Z",
            3008,
            peak(n),
            10,
        );
        encode(&Record::Reports(record))
    };
    case.deliver((0..FUNCTIONS).map(payload).collect(), Channel::Reports);
    let now = case.now;
    let digest = case.pipeline().finish(now).unwrap();
    assert_eq!(digest.decided, u64::from(FUNCTIONS));
    let lines = Reader::open(&case.path()).unwrap().review().unwrap();
    assert_eq!(lines.len(), FUNCTIONS as usize);
    for line in lines {
        let n: u32 = line.function.rsplit_once(":f").unwrap().1.parse().unwrap();
        assert_eq!(line.policy_mb, Some(peak(n) + 100), "{}", line.function);
        assert_eq!(line.status, "open", "{}", line.function);
    }
}

/// One region per run: it has no facts about another region's functions.
#[test]
fn an_inventory_of_one_region_does_not_affect_another() {
    let mut case = Case::new();
    let gone = "SELECT count(*) FROM inventory WHERE gone_ms IS NOT NULL";
    let east = |name| FunctionArn::new("aws", "us-east-1", "123456789012", name).unwrap();
    case.know("west", "code", "2026-05-01T00:00:00Z");
    let know = |case: &mut Case, name, when| {
        case.know_one(east(name), "code", when, Tags::default());
    };
    know(&mut case, "east", "2026-05-01T01:00:00Z");
    assert_eq!(case.count(gone), 0);
    know(&mut case, "east-2", "2026-05-01T02:00:00Z");
    assert_eq!(
        case.count(gone),
        1,
        "of its own region what is missing is gone"
    );
}

/// 14 days at 200 in 1024, until someone sets it to 256 and it has no calls: 300 is more now. An
/// environment that begins later knows better.
#[test]
fn the_accounts_size_is_decided_on_until_an_environment_begins_with_another() {
    let mut case = Case::new();
    case.fortnight("resized", 1024, &[200; 14]);
    let listed = |case: &mut Case, size, when| {
        case.know_size(arn("resized"), size, "code", when, Tags::default());
        let line = case.line("resized");
        (line.current_mb, line.to_mb)
    };
    assert_eq!(
        listed(&mut case, 1024, "2026-05-15T11:00:00Z"),
        (1024, Some(300))
    );
    assert_eq!(listed(&mut case, 256, "2026-05-15T12:00:00Z").0, 256);
    case.report(reports("resized", 100, "2026-05-15T13:00:00Z", 512, 200, 1));
    assert_eq!(case.line("resized").current_mb, 512);
}
