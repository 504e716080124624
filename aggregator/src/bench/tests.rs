//! Benches on copies whose starts are played.

use std::cell::Cell;
use std::time::Duration;

use rightsizer_aws::tune::{Ending, Reported};
use rightsizer_records::{Arch, Megabytes, Millis};
use rightsizer_rules::power::bench::{Package, Tested};
use rightsizer_rules::price::PriceTable;
use tokio_util::sync::CancellationToken;

use super::{BenchOrder, Benched, Copy, Problem, Starter, run};
use crate::tune::StageError;

/// Starts environments in 300 ms.
#[derive(Default)]
struct Played {
    /// Sizes below this run out of memory.
    needs_mb: u32,
    /// The number of environments in each group of four that are not new.
    warm: u32,
    fails: bool,
    refused: bool,
    /// What gets lost of every start.
    lost: Option<Lost>,
    calls: Cell<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Lost {
    Answer,
    Report,
}

impl Starter for Played {
    async fn start(
        &self,
        size: Megabytes,
        _: &str,
        count: u32,
    ) -> Result<Vec<Result<Reported, StageError>>, StageError> {
        self.calls.set(self.calls.get() + count);
        if self.refused {
            return Err(StageError::Refused("no role".to_owned()));
        }
        let ending = if self.fails {
            Ending::Failed {
                error: "KeyError".to_owned(),
                message: "no".to_owned(),
            }
        } else if size.0 < self.needs_mb {
            Ending::OutOfMemory
        } else {
            Ending::Done
        };
        let one = |n: u32| {
            if self.lost == Some(Lost::Answer) {
                return Err(StageError::Unclear("the connection broke".to_owned()));
            }
            Ok(Reported {
                ending: ending.clone(),
                duration: Some(Millis::from_ms(100)),
                billed: self.lost.is_none().then(|| Millis::from_ms(400)),
                init: (n + self.warm < 4).then(|| Millis::from_ms(300)),
                restore: None,
                max_used_mb: None,
                memory_mb: Some(size),
            })
        };
        Ok((0..count).map(one).collect())
    }
}

fn copy(name: &str, starter: Played) -> Copy<Played> {
    Copy {
        tested: Tested {
            function: name.to_owned(),
            region: None,
            arm64: false,
            runtime: None,
            package: Package::Zip,
        },
        starter,
        payload: "{}".to_owned(),
        timeout_ms: 3000.0,
        rates: PriceTable::default().rates(None),
        arch: Arch::X86_64,
    }
}

fn order(starts: u32) -> BenchOrder {
    BenchOrder {
        sizes: vec![Megabytes(512), Megabytes(1024)],
        starts,
        parallel: 4,
        rounds: 2,
        every: Duration::from_hours(1),
        max_usd: None,
    }
}

async fn benched(order: &BenchOrder, copies: &[Copy<Played>]) -> Benched {
    let cancel = CancellationToken::new();
    run(order, copies, &cancel, |_| {}).await
}

/// Two copies, two sizes, two rounds of six starts; the second round begins an hour later. 400 ms at 512 and at 1024 MB,
/// 24 times each: 24 × 0.4 × 1.5 GB-s and 48 requests.
#[tokio::test(start_paused = true)]
async fn every_copy_starts_at_every_size_in_every_round() {
    let begun = tokio::time::Instant::now();
    let copies = [copy("a", Played::default()), copy("b", Played::default())];
    let done = benched(&order(6), &copies).await;
    assert_eq!((done.samples.len(), done.invocations), (48, 48));
    assert_eq!(done.problems, []);
    let later = done.samples.iter().filter(|sample| sample.round == 1);
    assert_eq!(later.count(), 24);
    assert!(begun.elapsed() >= Duration::from_hours(1));
    let usd = 24.0 * 0.4 * 1.5 * 0.000_016_666_7 + 48.0 * 0.000_000_2;
    assert!(
        (done.spent_usd / usd - 1.0).abs() < 1e-9,
        "{}",
        done.spent_usd
    );
}

/// Of each group of four, one environment is not new: seven invocations for six starts.
#[tokio::test(start_paused = true)]
async fn warm_environments_are_no_starts() {
    let warm = Played {
        warm: 1,
        ..Played::default()
    };
    let mut order = order(6);
    order.rounds = 1;
    let done = benched(&order, &[copy("a", warm)]).await;
    assert_eq!(done.samples.len(), 12);
    assert_eq!(done.invocations, 14);
    let never = Played {
        warm: 4,
        ..Played::default()
    };
    let done = benched(&order, &[copy("a", never)]).await;
    assert_eq!((done.samples.len(), done.invocations), (0, 24));
    assert_eq!(done.problems.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_size_that_is_too_small_is_left() {
    let small = Played {
        needs_mb: 1024,
        ..Played::default()
    };
    let done = benched(&order(6), &[copy("a", small)]).await;
    assert!(done.samples.iter().all(|sample| sample.memory_mb.0 == 1024));
    assert_eq!(done.samples.len(), 12);
    let wanted = "a at 512 MB: it ran out of memory; this size was dropped";
    let words: Vec<String> = done.problems.iter().map(ToString::to_string).collect();
    assert_eq!(words, [wanted]);
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_fails_does_not_end_the_others() {
    let fails = Played {
        fails: true,
        ..Played::default()
    };
    let refused = Played {
        refused: true,
        ..Played::default()
    };
    let copies = [
        copy("fails", fails),
        copy("refused", refused),
        copy("good", Played::default()),
    ];
    let done = benched(&order(6), &copies).await;
    assert_eq!(done.samples.len(), 24);
    let words: Vec<String> = done.problems.iter().map(ToString::to_string).collect();
    let wanted = [
        "fails: it failed: KeyError: no; its other starts were skipped",
        "refused: no role; its other starts were skipped",
    ];
    assert_eq!(words, wanted);
    assert_eq!(copies[0].starter.calls.get(), 4, "one group shows it");
}

/// At most 13 s at 512 MB, 0.5 × 13 × 0.0000166667 = $0.000108; four of them are $0.00043.
#[tokio::test(start_paused = true)]
async fn no_start_is_made_that_could_exceed_the_budget() {
    let mut order = order(6);
    order.max_usd = Some(0.000_4);
    let done = benched(&order, &[copy("a", Played::default())]).await;
    assert_eq!(
        (done.invocations, done.problems),
        (0, vec![Problem::Budget])
    );
    // The six at 512 MB cost $0.00002 together; four at 1024 MB could cost $0.00087, and nothing follows.
    order.max_usd = Some(0.000_45);
    let done = benched(&order, &[copy("a", Played::default())]).await;
    assert_eq!(
        (done.invocations, done.problems),
        (6, vec![Problem::Budget])
    );
}

/// A start that is not known may have run until its timeout: 0.5 × 13 × 0.0000166667 + 0.0000002 = $0.0001085 each.
#[tokio::test(start_paused = true)]
async fn a_start_that_is_not_known_counts_with_its_highest_cost() {
    for lost in [Lost::Answer, Lost::Report] {
        let lost = Played {
            lost: Some(lost),
            ..Played::default()
        };
        let mut order = order(4);
        order.sizes = vec![Megabytes(512)];
        order.rounds = 1;
        order.max_usd = Some(0.000_8);
        let copies = [copy("a", lost)];
        let done = benched(&order, &copies).await;
        assert_eq!(done.invocations, 4);
        let most = 4.0 * copies[0].most_usd_each(Megabytes(512));
        assert!(
            (done.spent_usd / most - 1.0).abs() < 1e-9,
            "{}",
            done.spent_usd
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_bench_keeps_what_it_has() {
    let cancel = CancellationToken::new();
    let copies = [copy("a", Played::default())];
    let token = cancel.clone();
    let (order, mut starts) = (order(6), 0);
    let done = run(&order, &copies, &cancel, |_| {
        starts += 1;
        if starts == 12 {
            // The second round is an hour away.
            token.cancel();
        }
    });
    let done = done.await;
    assert_eq!(done.samples.len(), 12);
    assert_eq!(done.problems, [Problem::Cancelled]);
}
