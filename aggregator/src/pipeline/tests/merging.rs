//! W7 as a law: any order, any split, any repetition of the same evidence gives the same bytes in
//! `days`, `peaks` and `environments`, even if the process ends in between.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use rightsizer_records::Folded;
use rightsizer_rules::assess::Viewpoint;

use super::*;

/// The content of a record, except its number.
#[derive(Debug, Clone)]
struct Delivered {
    function: u64,
    env: u64,
    minute: i64,
    size: u32,
    version: &'static str,
    arch: Option<Arch>,
    /// Used, duration, status and billed or not, by invocation.
    rows: Vec<(u32, u64, Status, bool)>,
    folded: Option<u64>,
    self_kib: Option<u64>,
    cpu_ms: Option<u64>,
}

/// Environments of three functions over 17 days; strangers that claim several sizes and versions too.
fn delivered() -> impl Strategy<Value = Delivered> {
    let status = prop_oneof![
        6 => Just(Status::Ok),
        1 => Just(Status::Error),
        1 => Just(Status::Timeout),
        1 => Just(Status::OutOfMemory),
    ];
    let row = (0_u32..700, 0_u64..4000, status, any::<bool>());
    (
        (0_u64..3, 0_u64..4, 0_i64..17 * 1440),
        prop_oneof![Just(256_u32), Just(512)],
        prop_oneof![Just("$LATEST"), Just("7")],
        option::of(prop_oneof![Just(Arch::X86_64), Just(Arch::Arm64)]),
        vec(row, 0..5),
        (
            option::of(1_u64..9),
            option::of(1_u64..9000),
            option::of(0_u64..90),
        ),
    )
        .prop_map(
            |((function, env, minute), size, version, arch, rows, (folded, self_kib, cpu_ms))| {
                Delivered {
                    function,
                    env,
                    minute,
                    size,
                    version,
                    arch,
                    rows,
                    folded,
                    self_kib,
                    cpu_ms,
                }
            },
        )
}

/// Record `seq` on the wire. An invocation is 7 hours after the one before: records lie over midnights.
fn record(seq: u64, delivered: &Delivered) -> Vec<u8> {
    let rows = (0..).zip(&delivered.rows);
    let rows = rows.map(|(n, (used, duration, status, billed))| ReportRow {
        at_ms: n * 7 * 3_600_000,
        max_used_mb: (*used > 0).then_some(Megabytes(match status {
            Status::OutOfMemory => *used,
            // No other one uses more than it has.
            _ => (*used).min(delivered.size),
        })),
        duration_ms: Some(Millis::from_ms(*duration)),
        billed_ms: billed.then(|| Millis::from_ms(*duration)),
        status: *status,
        init_ms: None,
    });
    let name = format!("f{}", delivered.function);
    let reports = Reports {
        seq,
        total: 10 + seq * 3,
        version: delivered.version.into(),
        arch: delivered.arch,
        t0: at("2026-05-01T00:00:00Z").plus_ms(delivered.minute * 60_000),
        reports: rows.collect(),
        cpu_ms: delivered.cpu_ms,
        self_kib: delivered.self_kib,
        events_dropped: seq % 3,
        folded: delivered.folded.map(|count| Folded {
            count,
            max_used_mb: Some(Megabytes(100 + 15 * u32::try_from(count).unwrap())),
            duration_ms: Some(Millis::from_ms(70 * count)),
            failures: count / 2,
            timeouts: count / 4,
            ooms: count / 8,
            billed_ms: 90 * count,
        }),
        ..reports(
            &name,
            delivered.env,
            "2026-05-01T00:00:00Z",
            delivered.size,
            0,
            0,
        )
    };
    encode(&Record::Reports(reports))
}

/// Some lines of a log group as a subscription delivers them. They are of the last days: ids of log events
/// are known for three.
fn logged(n: u64, (function, minute, used): (u64, i64, u32)) -> Vec<u8> {
    let first = at("2026-05-14T00:00:00Z").plus_ms(minute * 60_000);
    let event = |i: u64| {
        let message = format!(
            "REPORT RequestId: {n}-{i}\tDuration: {used}.5 ms\tBilled Duration: {} ms\t\
             Memory Size: 512 MB\tMax Memory Used: {used} MB\t\n",
            used + 1
        );
        serde_json::json!({"id": format!("{n}-{i}"), "timestamp": first.as_ms(), "message": message})
    };
    let payload = serde_json::json!({
        "messageType": "DATA_MESSAGE",
        "owner": "123456789012",
        "logGroup": format!("/aws/lambda/f{function}"),
        "logStream": format!("2026/05/14/[$LATEST]{:032x}", n % 3),
        "subscriptionFilters": ["f"],
        "logEvents": (0..=n % 3).map(event).collect::<Vec<_>>(),
    });
    payload.to_string().into_bytes()
}

/// The payloads of a story, each once.
fn story() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let line = (0_u64..4, 0_i64..3 * 1440, 1_u32..512);
    (vec(delivered(), 1..30), vec(line, 0..12)).prop_map(|(delivered, lines)| {
        let records = (0..)
            .zip(delivered)
            .map(|(seq, delivered)| record(seq, &delivered));
        let lines = (0..).zip(lines).map(|(n, line)| logged(n, line));
        records.chain(lines).collect()
    })
}

/// The same payloads as deliveries: in another order, some again, cut anywhere.
fn delivered_otherwise() -> impl Strategy<Value = (Vec<Vec<u8>>, Vec<Vec<Vec<u8>>>)> {
    story().prop_flat_map(|payloads| {
        let again = proptest::sample::subsequence(payloads.clone(), 0..=payloads.len());
        let arrivals = again.prop_flat_map({
            let payloads = payloads.clone();
            move |again| Just([payloads.clone(), again].concat()).prop_shuffle()
        });
        let cut = (arrivals, vec(1_usize..9, 60)).prop_map(|(arrivals, lengths)| {
            let mut rest = arrivals.as_slice();
            let mut deliveries = Vec::new();
            for length in lengths {
                let (first, more) = rest.split_at(length.min(rest.len()));
                deliveries.push(first.to_vec());
                rest = more;
            }
            deliveries.push(rest.to_vec());
            deliveries.retain(|delivery| !delivery.is_empty());
            deliveries
        });
        (Just(payloads), cut)
    })
}

impl Case {
    /// The process restarts, with the functions of log groups being those of the records.
    pub(super) fn begin_again(&mut self) {
        self.restart();
        let home = Home {
            region: "eu-central-1".into(),
            account: "123456789012".into(),
        };
        let pipeline = self.pipeline.take().unwrap();
        self.pipeline = Some(pipeline.at_home(Some(home)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// After every third delivery the process ends, and its sender, which got no response, sends it
    /// again.
    #[test]
    fn w7_any_order_split_and_replay_give_equal_bytes((payloads, deliveries) in delivered_otherwise()) {
        let (mut straight, mut otherwise) = (Case::new(), Case::new());
        straight.begin_again();
        otherwise.begin_again();
        let delivered = straight.deliver(payloads, Channel::Reports);
        prop_assert_eq!(delivered.quarantined, 0);
        for (n, delivery) in deliveries.into_iter().enumerate() {
            if n % 3 == 2 {
                otherwise.deliver(delivery.clone(), Channel::Reports);
                otherwise.begin_again();
            }
            otherwise.deliver(delivery, Channel::Reports);
        }
        prop_assert_eq!(straight.evidence(), otherwise.evidence());
        let named = straight.count("SELECT count(*) FROM functions WHERE function LIKE 'local:%'");
        prop_assert_eq!(named, 0, "log lines are of the same functions");
    }
}

/// A function that comes with every delivery of a commit is written once: what is merged waits in memory until a
/// decision or the commit needs it.
#[test]
fn merged_evidence_is_not_written_before_it_is_needed() {
    let mut case = Case::new();
    case.know("f", "code", "2026-05-01T00:00:00Z");
    let now = case.now;
    let record = encode(&Record::Reports(reports(
        "f",
        1,
        "2026-05-02T10:00:00Z",
        512,
        100,
        5,
    )));
    let delivery = Delivery {
        origin: "test".into(),
        channel: Channel::Reports,
        payloads: vec![record],
        checkpoint: None,
        gaps: Vec::new(),
    };
    let pipeline = case.pipeline();
    let prepared = pipeline.gate.prepare(delivery, now);
    let merged = pipeline.work::<StoreError>(now, |session| {
        let written = |session: &Session<'_>| {
            let view = Viewpoint {
                clock: &session.clock,
                now,
                settings: &session.settings.policy,
            };
            let assessed = session.unit.evidence().assess(0..=i64::MAX, view);
            assessed.map(|assessed| assessed.len())
        };
        session.deliver(prepared)?;
        assert_eq!(written(session)?, 0);
        session.unit.flush()?;
        assert_eq!(written(session)?, 1);
        Ok(())
    });
    assert_eq!(merged.unwrap().accepted, 5);
}
