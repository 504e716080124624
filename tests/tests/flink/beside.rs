//! One random history through both engines.

use rightsizer_records::{Day, Proposal, Record, encode};
use rightsizer_store::ReviewRow;

use super::fleet::{Fleet, TICK, begin, tick};
use super::job::Job;
use super::stage::Stage;

const FUNCTIONS: u32 = 10;
const DAYS: i64 = 20;

/// A decision with its reasons, and what became of it. Counts of reports are not in proposals.
fn decision(row: &ReviewRow) -> String {
    format!(
        "{} {} at {}: peak {:?}, policy {:?}, target {:?}, to {:?}, {:?}, {} invocations, ${:?} to ${:?}, \
         urgent {}, {:?} {} {:?} on {:?}: {:?}",
        row.function,
        row.version,
        row.current_mb,
        row.peak_mb,
        row.policy_mb,
        row.target_mb,
        row.to_mb,
        row.confidence,
        row.invocations,
        row.monthly_usd_before,
        row.monthly_usd_after,
        row.urgent,
        row.recommendation,
        row.status,
        row.closed_code,
        row.decided_on,
        row.reasons
    )
}

/// The decisions at the close of a day. The function that closes it already has a report of the next day.
fn decisions(stage: &Stage) -> Vec<String> {
    let rows = stage.rows();
    let closes = |row: &&ReviewRow| row.function.ends_with(&format!(":{TICK}"));
    let rows = rows.iter().filter(|row| !closes(row));
    rows.map(decision).collect()
}

/// The place of a proposal among the days: that of the day which it closes, or the day in which it was made.
fn day_of(proposal: &Proposal) -> i64 {
    let first = begin(0).day();
    let since = |day: Day| i64::from(day.number() - first.number());
    match proposal.closed {
        Some(day) => since(day),
        None => since(proposal.decided_at.plus_ms(-3_600_000).day()),
    }
}

/// `serve` decides 20 days of ten functions by itself; recommendations are sent and answered. Flink gets the same
/// records, and a second `serve` gets its proposals: at each close both stores have the same decisions.
#[tokio::test(flavor = "multi_thread")]
async fn serve_beside_flink_has_the_decisions_that_serve_makes_alone() {
    let mut fleet = Fleet::new(5, FUNCTIONS);
    let alone = Stage::set(&["--clock", "event"], &[]).await;
    let (mut wanted, mut answers) = (Vec::new(), Vec::new());
    let job = Job::new();
    let (mut reports, mut decided) = (Vec::new(), Vec::new());
    for day in 0..DAYS {
        let mut records = fleet.reports(day);
        alone.put("reports", &records).await;
        let closing = tick(begin(day + 1));
        alone.put("reports", std::slice::from_ref(&closing)).await;
        wanted.push(decisions(&alone));
        let its = fleet.answers(alone.open(), begin(day + 1));
        alone.put("decisions", &its).await;
        decided.extend(its.clone());
        answers.push(its);
        records.push(closing);
        reports.extend(records);
    }
    let sent = alone.sent();
    assert!(sent.len() > 20, "{} were sent", sent.len());

    // A watermark is just before its event, so the last day closes by a later one.
    reports.push(tick(begin(DAYS).plus_ms(60_000)));
    job.put("reports", "0.jsonl", &reports);
    job.put("decisions", "0.jsonl", &decided);
    // One bundle, so that what a day calls for at once is decided once for it.
    let options = [
        "--clock",
        "event",
        "--parallelism",
        "2",
        "--bundle-ms",
        "600000",
    ];
    let status = job.command(&options).status().await;
    let status = status.expect("java is missing: run `make tools`");
    assert!(status.success(), "{}", job.log());
    let mut proposals = job.proposals();
    // The sink's files have an order for each task alone.
    proposals.sort_by_key(|one| (day_of(one), one.closed, one.decided_at));

    let beside = Stage::set(&["--clock", "event", "--engine", "flink"], &[]).await;
    for (day, (wanted, answers)) in (0..DAYS).zip(wanted.iter().zip(&answers)) {
        let its = proposals.iter().filter(|one| day_of(one) == day);
        let its = its.map(|one| encode(&Record::Proposal(Box::new(one.clone()))));
        beside.put("proposals", &its.collect::<Vec<_>>()).await;
        assert_eq!(&decisions(&beside), wanted, "at the close of day {day}");
        beside.put("decisions", answers).await;
    }
    assert_eq!(beside.sent(), sent);
    println!(
        "{} decisions equal at {DAYS} closes, {} sent",
        wanted.iter().map(Vec::len).sum::<usize>(),
        sent.len()
    );
}
