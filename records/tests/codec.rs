//! Golden files, laws and hostile bytes of the record codec.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::Strategy;
use rightsizer_records::*;

const GOLDEN: [(&str, &str); 10] = [
    ("reports", include_str!("../fixtures/reports.json")),
    (
        "reports-minimal",
        include_str!("../fixtures/reports-minimal.json"),
    ),
    (
        "recommendation",
        include_str!("../fixtures/recommendation.json"),
    ),
    (
        "recommendation-approved",
        include_str!("../fixtures/recommendation-approved.json"),
    ),
    ("outcome", include_str!("../fixtures/outcome.json")),
    (
        "outcome-skipped",
        include_str!("../fixtures/outcome-skipped.json"),
    ),
    ("proposal", include_str!("../fixtures/proposal.json")),
    (
        "proposal-verdict",
        include_str!("../fixtures/proposal-verdict.json"),
    ),
    ("notice", include_str!("../fixtures/notice.json")),
    (
        "notice-cleared",
        include_str!("../fixtures/notice-cleared.json"),
    ),
];

/// What a writer of this version adds at the end of each record.
fn with_release(record: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let open = record.strip_suffix('}').unwrap();
    format!("{open},\"release\":\"{version}\"}}")
}

/// The bytes on the wire are a contract: reading a golden file, of which no version is known, and
/// writing it again gives the file and who wrote it now.
#[test]
fn golden_fixtures_round_trip_byte_for_byte() {
    for (name, text) in GOLDEN {
        let record = decode(text.trim_end().as_bytes()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(
            String::from_utf8(encode(&record)).unwrap(),
            with_release(text.trim_end()),
            "{name}"
        );
        let again = with_release(text.trim_end());
        assert_eq!(decode(again.as_bytes()).unwrap(), record, "{name}");
    }
}

/// A platform may add architectures and ways to initialise; a record that names one is not lost for it.
#[test]
fn an_architecture_or_init_of_any_kind_is_read_as_unknown() {
    let golden = GOLDEN[0].1.trim_end();
    for odd in [
        "5",
        "\"riscv\"",
        "{\"a\":[1]}",
        "[]",
        "true",
        "-1.5e3",
        "\"\"",
    ] {
        let replaced = golden
            .replace("\"arch\":\"arm64\"", &format!("\"arch\":{odd}"))
            .replace("\"init\":\"on-demand\"", &format!("\"init\":{odd}"));
        assert!(
            !replaced.contains("arm64") && !replaced.contains("on-demand"),
            "{replaced}"
        );
        let record = decode(replaced.as_bytes()).unwrap_or_else(|e| panic!("{odd}: {e}"));
        let Record::Reports(read) = record else {
            panic!("kind")
        };
        assert_eq!(read.arch, Some(Arch::Unknown), "{odd}");
        assert_eq!(read.init, Some(InitType::Unknown), "{odd}");
    }
}

#[test]
fn the_golden_reports_mean_what_wire_md_describes() {
    let Record::Reports(r) = decode(GOLDEN[0].1.as_bytes()).unwrap() else {
        panic!("kind")
    };
    assert_eq!(r.function.name(), "checkout");
    assert_eq!(r.env, EnvId(0x00c0_ffee_00c0_ffee));
    assert_eq!((r.seq, r.total, r.memory_mb), (3, 12, Megabytes(1024)));
    assert_eq!(r.reports[0].duration_ms, Millis::from_ms_f64(12.345));
    assert_eq!(r.reports[2].status, Status::OutOfMemory);
    assert_eq!(r.reports[3].max_used_mb, None);
    assert_eq!(r.errors, [(2, "Runtime.ExitError".to_owned())]);
    assert_eq!(r.folded.unwrap().max_used_mb, Some(Megabytes(95)));
}

#[test]
fn unknown_fields_are_ignored() {
    let text = GOLDEN[4]
        .1
        .replacen("{\"v\":1", "{\"added-later\":{\"x\":[1]},\"v\":1", 1);
    assert_eq!(decode(text.as_bytes()), decode(GOLDEN[4].1.as_bytes()));
}

#[test]
fn anything_but_a_record_is_refused_with_the_reason() {
    let golden = GOLDEN[1].1;
    let bad = [
        ("", "EOF"),
        ("[1,2]", "not a record"),
        ("{\"kind\":\"reports\"}", "missing field `v`"),
        ("{\"v\":2,\"kind\":\"reports\"}", "version 2"),
        ("{\"v\":1,\"kind\":\"gossip\"}", "\"gossip\""),
        (&golden[..golden.len() / 2], "EOF"),
        (
            &golden.replace("\"memory_mb\":128", "\"memory_mb\":0"),
            "memory_mb is 0",
        ),
        (
            &golden.replace("\"memory_mb\":128", "\"memory_mb\":-128"),
            "invalid value",
        ),
        (
            &golden.replace("\"memory_mb\":128", "\"memory_mb\":\"128 MB\""),
            "invalid type",
        ),
        (
            &golden.replace("[0,66,", "[0,99999999,"),
            "row 0: max_used_mb is 99999999",
        ),
        (
            &golden.replace("[0,66,1,", "[0,66,-1,"),
            "-1 is not a duration",
        ),
        (
            &golden.replace("[0,66,1,1,0", "[0,66,1,1,9"),
            "9 is not a status",
        ),
        (&golden.replace("[[0,", "[[99999999999999,"), "15 days"),
        (&golden.replace("\"0000000000000001\"", "\"xyz\""), "hex"),
        (
            &golden.replace("\"total\":1", "\"total\":18446744073709551615"),
            "total is 1844",
        ),
        (
            &golden.replace(":function:", ":layer:"),
            "not an unqualified function ARN",
        ),
        (
            &golden.replace("2026-02-01T", "1826-02-01T"),
            "is not a time",
        ),
    ];
    for (text, want) in bad {
        let error = decode(text.as_bytes()).unwrap_err().to_string();
        assert!(
            error.contains(want),
            "{text}\n gave {error:?}, wanted {want:?}"
        );
    }
}

#[test]
fn a_record_larger_than_a_stream_carries_is_refused_unread() {
    let huge = vec![b' '; MAX_RECORD_BYTES + 1];
    assert_eq!(
        decode(&huge),
        Err(DecodeError::TooLarge(MAX_RECORD_BYTES + 1))
    );
}

/// One invocation costs at most 32 bytes in a full 25 KB payload unit.
#[test]
fn a_full_payload_unit_spends_at_most_32_bytes_a_report() {
    let Record::Reports(mut r) = decode(GOLDEN[0].1.as_bytes()).unwrap() else {
        panic!("kind")
    };
    let typical = |n: i64| ReportRow {
        at_ms: n * 73,
        max_used_mb: Some(Megabytes(193)),
        duration_ms: Millis::from_ms_f64(47.156 + 0.01 * f64::from(u16::try_from(n).unwrap())),
        billed_ms: Some(Millis::from_ms(48)),
        ..ReportRow::default()
    };
    r.errors.clear();
    r.reports = (0..820).map(typical).collect();
    let bytes = encode(&Record::Reports(r)).len();
    assert!(
        (24_000..=25_000).contains(&bytes),
        "{bytes} bytes: choose another row count"
    );
    assert!(bytes / 820 <= 32, "{} bytes a report", bytes / 820);
}

fn arn() -> impl Strategy<Value = FunctionArn> {
    (
        "[a-z]{2}-[a-z]{4,9}-[1-9]",
        "[0-9]{12}",
        "[A-Za-z0-9_-]{1,64}",
    )
        .prop_map(|(region, account, name)| {
            FunctionArn::new("aws", &region, &account, &name).unwrap()
        })
}

fn time() -> impl Strategy<Value = Timestamp> {
    (Timestamp::MIN.as_ms()..=Timestamp::MAX.as_ms()).prop_map(|ms| Timestamp::from_ms(ms).unwrap())
}

fn millis() -> impl Strategy<Value = Millis> {
    (0_u32..=2_000_000_000).prop_map(|us| Millis::from_ms_f64(f64::from(us) / 1e3).unwrap())
}

fn count() -> impl Strategy<Value = u64> {
    0..=1_000_000_000_000_u64
}

fn status() -> impl Strategy<Value = Status> {
    (0_u64..4).prop_map(|n| Status::from_code(n).unwrap())
}

fn row() -> impl Strategy<Value = ReportRow> {
    let mb = proptest::option::of((0_u32..65_000).prop_map(Megabytes));
    let ms = || proptest::option::of(millis());
    (-900_000_i64..900_000_000, mb, ms(), ms(), status(), ms()).prop_map(
        |(at_ms, max_used_mb, duration_ms, billed_ms, status, init_ms)| ReportRow {
            at_ms,
            max_used_mb,
            duration_ms,
            billed_ms,
            status,
            init_ms,
        },
    )
}

prop_compose! {
    fn reports()(
        function in arn(), version in "(\\$LATEST|[0-9]{1,6})", env in any::<u64>(),
        seq in any::<u64>(), total in count(), memory in 1_u32..=65_536,
        arch in proptest::option::of(proptest::sample::select(vec![Arch::X86_64, Arch::Arm64])),
        runtime in proptest::option::of("[a-zA-Z0-9.:/äö_ -]{0,40}"), t0 in time(),
        rows in proptest::collection::vec(row(), 0..50), error in proptest::option::of(".{0,30}"),
        cpu_ms in proptest::option::of(count()), self_kib in proptest::option::of(count()), events_dropped in count(),
        folded in proptest::option::of((count(), 0_u32..60_000, count())),
    ) -> Reports {
        let errors = error.filter(|_| !rows.is_empty()).map(|e| (rows.len() - 1, e));
        Reports {
            function, version, env: EnvId(env), seq, total, memory_mb: Megabytes(memory), arch, runtime,
            init: Some(InitType::SnapStart), t0, reports: rows, errors: errors.into_iter().collect(),
            cpu_ms, cores: Some(2), self_kib, events_dropped,
            folded: folded.map(|(count, mb, failures)| Folded {
                count, max_used_mb: Some(Megabytes(mb)), duration_ms: None, failures,
                timeouts: failures / 2, ooms: failures / 3, billed_ms: count,
            }),
        }
    }
}

prop_compose! {
    fn recommendation()(
        id in "[0-9a-f]{16}", function in arn(), sizes in (1_u32..=10_240, 1_u32..=10_240, 1_u32..=10_240),
        p99_ms in proptest::option::of(millis()), usd in (-1e9..1e9_f64, -1e9..1e9_f64),
        by in proptest::option::of("[a-z]{1,20}"), urgent in any::<bool>(), issued_at in time(),
        code in "other-[a-z-]{1,20}", figure in any::<i32>(), invocations in any::<u64>(), day in -1000_i32..1000,
    ) -> Recommendation {
        let to = Day::parse("2026-01-31").unwrap().plus(day);
        Recommendation {
            id, function, version: "$LATEST".into(), from_mb: Megabytes(sizes.0), to_mb: Megabytes(sizes.1),
            target_mb: Megabytes(sizes.2), policy: "average-plus-buffer".into(),
            reasons: vec![
                Reason::Other(OtherReason { code, figures: BTreeMap::from([("mb".into(), figure.into())]) }),
                Reason::DeadBand { change_mb: Megabytes(sizes.0), least_mb: Megabytes(32) },
            ],
            window: EvidenceWindow { from: to.plus(-13), to, days: 14, invocations }, p99_ms,
            confidence: Confidence::Medium,
            monthly_usd: MonthlyUsd { before: Usd::from_f64(usd.0), after: Usd::from_f64(usd.1) },
            mode: if by.is_some() { Mode::Approved } else { Mode::Auto }, by, urgent, issued_at,
            expires_at: issued_at.plus_ms(86_400_000), rollback_of: None, code_sha256: None,
        }
    }
}

prop_compose! {
    fn outcome()(
        id in "[0-9a-f]{16}", function in arn(), sizes in (1_u32..=10_240, 1_u32..=10_240),
        status in proptest::sample::select(vec![
            OutcomeStatus::Applied, OutcomeStatus::Skipped, OutcomeStatus::Failed, OutcomeStatus::RolledBack,
        ]),
        reason in "[a-z-]{0,30}", detail in ".{0,200}", at in time(),
    ) -> Outcome {
        Outcome { id, function, status, from_mb: Megabytes(sizes.0), to_mb: Megabytes(sizes.1), reason, detail, at }
    }
}

fn record() -> impl Strategy<Value = Record> {
    prop_oneof![
        reports().prop_map(Record::Reports),
        recommendation().prop_map(Record::Recommendation),
        outcome().prop_map(Record::Outcome),
    ]
}

proptest! {
    #[test]
    fn any_record_survives_the_wire(record in record()) {
        let bytes = encode(&record);
        prop_assert_eq!(decode(&bytes), Ok(record));
        prop_assert!(!bytes.contains(&b'\n'));
    }

    /// Damage that keeps most of the structure reaches deeper than noise: flip, cut, repeat.
    #[test]
    fn the_decoder_never_panics_on_damaged_records(
        record in record(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..4), 1..12),
    ) {
        let mut bytes = encode(&record);
        for (at, byte, how) in damage {
            let at = at.index(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
            match how {
                0 => if let Some(b) = bytes.get_mut(at) { *b = byte },
                1 => bytes.truncate(at.max(1)),
                2 => bytes.insert(at, byte),
                _ => { let tail = bytes.split_off(at); bytes.extend(tail.iter().chain(&tail).copied().collect::<Vec<_>>()); bytes.truncate(1 << 20); }
            }
        }
        let _ = decode(&bytes);
    }

    #[test]
    fn the_decoder_never_panics_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = decode(&bytes);
    }
}
