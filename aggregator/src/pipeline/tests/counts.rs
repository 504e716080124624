//! The store's counts of delivery: reports that arrived, duplicates, those that environments saw
//! and that never arrived, and what a stream dropped.

use super::*;
use rightsizer_rules::gap::Gap;
use rightsizer_store::inspect;

/// Record `seq` of an environment that has seen `total` reports, with `count` of them.
fn record(name: &str, env: u64, seq: u64, total: u64, count: usize) -> Reports {
    Reports {
        seq,
        total,
        ..reports(name, env, "2026-05-01T10:00:00Z", 512, 90, count)
    }
}

impl Case {
    /// Arrived, came again, never arrived.
    fn counts(&self, name: &str) -> (u64, u64, u64) {
        let line = self.line(name);
        (line.seen, line.duplicates, line.lost)
    }
}

#[test]
fn what_its_environments_saw_and_never_arrived_is_lost_until_it_comes() {
    let mut case = Case::new();
    case.report(record("other", 9, 0, 3, 3));
    // 4 of 10 arrived.
    case.report(record("f", 1, 0, 10, 4));
    assert_eq!(case.counts("f"), (4, 0, 6));
    // 7 of 20.
    case.report(record("f", 1, 2, 20, 3));
    assert_eq!(case.counts("f"), (7, 0, 13));
    // Another one, 2 of 5: 13 + 3.
    case.report(record("f", 2, 0, 5, 2));
    assert_eq!(case.counts("f"), (9, 0, 16));
    case.restart();
    // Late, 5 more of the first: 12 of 20, so 8 + 3. Once is enough.
    for duplicates in [0, 5] {
        case.report(record("f", 1, 1, 15, 5));
        assert_eq!(case.counts("f"), (14, duplicates, 11));
    }
    case.restart();
    assert_eq!(case.counts("f"), (14, 5, 11));
    assert_eq!(case.counts("other"), (3, 0, 0));
}

/// The same sum in another order.
#[test]
fn lost_is_the_same_in_whatever_order_records_come() {
    let records = [
        record("f", 1, 0, 10, 4),
        record("f", 1, 1, 15, 5),
        record("f", 1, 3, 25, 3),
        record("f", 2, 0, 5, 2),
    ];
    let orders = [[0, 1, 2, 3], [2, 3, 1, 0], [3, 2, 0, 1]];
    for order in orders {
        let mut case = Case::new();
        for n in order {
            case.report(records[n].clone());
        }
        // 25 - 12 of the first, 5 - 2 of the second.
        assert_eq!(case.counts("f"), (14, 0, 16), "{order:?}");
    }
}

impl Case {
    fn gap(&mut self, shard: &str, from: Option<&str>, to: &str) {
        let now = self.now;
        let gap = Gap {
            source: format!("kinesis:reports/{shard}"),
            from: from.map(at),
            to: at(to),
            why: "it is older than the stream's retention".into(),
        };
        let delivery = Delivery {
            origin: gap.source.clone(),
            channel: Channel::Reports,
            payloads: Vec::new(),
            checkpoint: Some((gap.source.clone(), "-".into())),
            gaps: vec![gap],
        };
        self.pipeline().ingest(vec![delivery], now).unwrap();
    }

    /// Shard, beginning and end of every gap in the store.
    fn gaps(&self) -> Vec<(String, Option<Timestamp>, Timestamp)> {
        let (_, gaps) = inspect::stops_and_gaps(&self.path()).unwrap();
        let gaps = gaps.into_iter().map(|noted| noted.gap);
        gaps.map(|gap| (gap.source, gap.from, gap.to)).collect()
    }
}

/// Read from the store, so after a restart too; a gap that is found again stays one, with its new
/// length.
#[test]
fn a_gap_is_kept_by_the_store() {
    let mut case = Case::new();
    let (from, middle, to) = (
        "2026-05-01T10:00:00Z",
        "2026-05-02T10:00:00Z",
        "2026-05-03T10:00:00Z",
    );
    case.gap("a", Some(from), middle);
    case.now = case.now.plus_ms(1000);
    case.gap("b", None, middle);
    case.restart();
    let shard = |name: &str| format!("kinesis:reports/{name}");
    let (a, b) = (
        (shard("a"), Some(at(from)), at(middle)),
        (shard("b"), None, at(middle)),
    );
    assert_eq!(case.gaps(), [a.clone(), b]);
    case.now = case.now.plus_ms(1000);
    case.gap("b", None, to);
    case.gap("b", None, from);
    case.gap("a", Some(middle), to);
    let later = (shard("a"), Some(at(middle)), at(to));
    assert_eq!(
        case.gaps()
            .into_iter()
            .collect::<std::collections::BTreeSet<_>>(),
        [a, (shard("b"), None, at(to)), later].into()
    );
}

#[test]
fn of_many_gaps_the_newest_twenty_are_returned() {
    let mut case = Case::new();
    for n in 0..25 {
        case.now = case.now.plus_ms(1000);
        case.gap(&format!("{n:02}"), None, "2026-05-02T10:00:00Z");
    }
    let shown_gaps = case.gaps();
    assert_eq!(shown_gaps.len(), 20);
    assert_eq!(shown_gaps[0].0, "kinesis:reports/05");
    assert_eq!(shown_gaps[19].0, "kinesis:reports/24");
}
