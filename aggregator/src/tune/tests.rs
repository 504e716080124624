//! Runs on a stage that follows a curve.

use std::cell::RefCell;
use std::time::Duration;

use rightsizer_aws::tune::{Ending, Reported};
use rightsizer_records::{Arch, Megabytes, Millis, Status};
use rightsizer_rules::power::tuning::{Invocations, Plan, Shares};
use rightsizer_rules::power::{Effort, Prior, Strategy, Workload};
use rightsizer_rules::price::PriceTable;
use tokio_util::sync::CancellationToken;

use super::{Measured, Order, Run, Stage, StageError, Stop};

/// A function that computes, with what goes wrong.
struct Played {
    work: Workload,
    /// Sizes below this run out of memory.
    needs_mb: u32,
    /// The duration at which it times out.
    timeout_ms: f64,
    /// The error of every invocation, if it fails.
    error: Option<&'static str>,
    /// What gets lost of every invocation.
    lost: Option<Lost>,
    calls: RefCell<Vec<(u32, String)>>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Lost {
    Answer,
    Report,
}

impl Default for Played {
    fn default() -> Self {
        Self {
            work: Workload::serial(40.0, 400.0, 1.0),
            needs_mb: 0,
            timeout_ms: 30_000.0,
            error: None,
            lost: None,
            calls: RefCell::default(),
        }
    }
}

impl Stage for Played {
    async fn invoke(
        &self,
        size: Megabytes,
        payload: &str,
        cold: bool,
    ) -> Result<Reported, StageError> {
        let first = !self.calls.borrow().iter().any(|(mb, _)| *mb == size.0);
        self.calls.borrow_mut().push((size.0, payload.to_owned()));
        if self.lost == Some(Lost::Answer) {
            return Err(StageError::Unclear("the connection broke".to_owned()));
        }
        let ms = self.work.duration_ms(size).min(self.timeout_ms);
        let ending = match self.error {
            Some(error) => Ending::Failed {
                error: error.to_owned(),
                message: "no".to_owned(),
            },
            None if size.0 < self.needs_mb => Ending::OutOfMemory,
            None if ms >= self.timeout_ms => Ending::TimedOut,
            None => Ending::Done,
        };
        Ok(Reported {
            ending,
            duration: Millis::from_ms_f64(ms),
            billed: Millis::from_ms_f64(ms.ceil()).filter(|_| self.lost.is_none()),
            init: (first || cold).then(|| Millis::from_ms(200)),
            restore: None,
            max_used_mb: Some(Megabytes(60)),
            memory_mb: Some(size),
        })
    }
}

fn order(sizes: &[u32], invocations: Invocations) -> Order {
    let sizes: Vec<Megabytes> = sizes.iter().copied().map(Megabytes).collect();
    Order {
        plan: Plan::new(&sizes, invocations, Shares::single()).unwrap(),
        payloads: vec!["{}".to_owned()],
        strategy: Strategy::Cost,
        discard: 0.2,
        parallel: 1,
        pause: Duration::ZERO,
        cold_only: false,
        allowed_exceptions: Vec::new(),
        allowed_errors: 0,
        max_usd: None,
        timeout_ms: 30_000.0,
        rates: PriceTable::default().rates(None),
        arch: Arch::X86_64,
    }
}

async fn run(order: &Order, stage: &Played) -> Measured {
    let cancel = CancellationToken::new();
    Run::new(order, stage, &cancel)
        .run(&[], Prior::shipped(), || {})
        .await
}

const SIZES: [u32; 6] = [128, 256, 512, 1024, 1769, 3008];

#[tokio::test]
async fn every_size_is_invoked_equally_often() {
    let stage = Played::default();
    let measured = run(&order(&SIZES, Invocations::Each(5)), &stage).await;
    assert_eq!(measured.stopped, None);
    assert_eq!((measured.invocations, measured.samples.len()), (30, 30));
    for size in SIZES {
        assert_eq!(
            stage
                .calls
                .borrow()
                .iter()
                .filter(|(mb, _)| *mb == size)
                .count(),
            5
        );
    }
}

/// It waits for 1 s and computes for 200 ms: the smallest size is the cheapest by 13 %.
#[tokio::test]
async fn an_adaptive_run_finds_the_cheapest_size_with_few_invocations() {
    let stage = Played {
        work: Workload::serial(1000.0, 200.0, 1.0),
        ..Played::default()
    };
    let order = order(&SIZES, Invocations::Adaptive(Effort::default()));
    let measured = run(&order, &stage).await;
    assert_eq!(measured.sampled, Some(Megabytes(128)));
    assert!(measured.invocations < 30, "{}", measured.invocations);
    assert_eq!(measured.stopped, None);
}

/// Sizes that cost nearly the same take more invocations, and never more than 60.
#[tokio::test]
async fn an_adaptive_run_is_bounded() {
    let stage = Played::default();
    let order = order(&SIZES, Invocations::Adaptive(Effort::default()));
    let measured = run(&order, &stage).await;
    assert!(measured.invocations <= 60, "{}", measured.invocations);
    let cost = |mb: u32| f64::from(mb) * stage.work.duration_ms(Megabytes(mb));
    let cheapest = SIZES.map(cost).into_iter().fold(f64::INFINITY, f64::min);
    let found = measured.sampled.map_or(f64::INFINITY, |size| cost(size.0));
    assert!(found < cheapest * 1.02, "{found} of {cheapest}");
}

#[tokio::test]
async fn sizes_that_run_out_are_findings_and_end_no_run() {
    let stage = Played {
        needs_mb: 512,
        ..Played::default()
    };
    let fixed = run(&order(&SIZES, Invocations::Each(5)), &stage).await;
    assert_eq!(fixed.stopped, None);
    let oom = fixed
        .samples
        .iter()
        .filter(|s| s.status == Status::OutOfMemory);
    assert_eq!(oom.map(|s| s.memory_mb.0).collect::<Vec<_>>(), [256]);
    assert!(!stage.calls.borrow().iter().any(|(mb, _)| *mb == 128));

    let late = Played {
        timeout_ms: 700.0,
        ..Played::default()
    };
    let measured = run(&order(&SIZES, Invocations::Each(5)), &late).await;
    assert!(measured.samples.iter().any(|s| s.status == Status::Timeout));
    assert_eq!(measured.stopped, None);

    let adaptive = order(&SIZES, Invocations::Adaptive(Effort::default()));
    let measured = run(
        &adaptive,
        &Played {
            needs_mb: 512,
            ..Played::default()
        },
    )
    .await;
    assert!(
        measured.sampled.is_some_and(|size| size.0 >= 512),
        "{:?}",
        measured.sampled
    );
}

#[tokio::test]
async fn a_function_without_any_size_that_suffices_is_told_apart() {
    for invocations in [
        Invocations::Each(5),
        Invocations::Adaptive(Effort::default()),
    ] {
        let stage = Played {
            needs_mb: 20_000,
            ..Played::default()
        };
        let measured = run(&order(&SIZES, invocations), &stage).await;
        assert_eq!(measured.stopped, Some(Stop::NoSizeLeft));
        assert!(measured.invocations <= 6, "{}", measured.invocations);
    }
}

#[tokio::test]
async fn a_function_that_fails_is_not_invoked_on() {
    let stage = Played {
        error: Some("KeyError"),
        ..Played::default()
    };
    let mut order = order(&SIZES, Invocations::Each(5));
    let measured = run(&order, &stage).await;
    assert!(matches!(measured.stopped, Some(Stop::Failing { .. })));
    assert_eq!(measured.invocations, 1);
    order.allowed_errors = 2;
    assert_eq!(run(&order, &stage).await.invocations, 3);
    order.allowed_exceptions = vec!["KeyError".to_owned()];
    let measured = run(&order, &stage).await;
    assert_eq!((measured.invocations, measured.stopped), (30, None));
    assert!(
        measured
            .samples
            .iter()
            .all(|sample| sample.status == Status::Ok)
    );
}

/// At 3008 MB, 40 s cost at most 3008 ÷ 1024 × 40 × 0.0000166667 = $0.00196, so $0.001 allow none.
#[tokio::test]
async fn no_invocation_is_made_that_could_exceed_the_budget() {
    let stage = Played::default();
    let mut order = order(&SIZES, Invocations::Each(5));
    order.max_usd = Some(0.001);
    let measured = run(&order, &stage).await;
    assert_eq!(measured.stopped, Some(Stop::Budget { max_usd: 0.001 }));
    assert_eq!(measured.invocations, 0);
    // Each takes 440 ms, which is $0.0000217: after two of them, a third could cost more.
    order.max_usd = Some(0.001_99);
    let measured = run(&order, &stage).await;
    let stop = Stop::Budget { max_usd: 0.001_99 };
    assert_eq!((measured.invocations, measured.stopped), (2, Some(stop)));
    // Five at the same time could cost $0.0098.
    order.max_usd = Some(0.009);
    order.parallel = 5;
    let measured = run(&order, &stage).await;
    assert_eq!(measured.stopped, Some(Stop::Budget { max_usd: 0.009 }));
    assert_eq!(measured.invocations, 0);
}

/// An invocation without a clear answer, or without a report, may have run until its timeout: it counts with its highest
/// cost, 3008 ÷ 1024 × 40 × 0.0000166667 = $0.00196, so that the budget holds.
#[tokio::test]
async fn an_invocation_that_is_not_known_counts_with_its_highest_cost() {
    for lost in [Lost::Answer, Lost::Report] {
        let stage = Played {
            lost: Some(lost),
            ..Played::default()
        };
        let mut order = order(&SIZES, Invocations::Each(5));
        order.max_usd = Some(0.003);
        let measured = run(&order, &stage).await;
        assert_eq!(
            measured.stopped,
            Some(Stop::Budget { max_usd: 0.003 }),
            "{lost:?}"
        );
        assert_eq!((measured.invocations, measured.unclear), (1, 1), "{lost:?}");
        let most = order.most_usd_each(Megabytes(3008));
        assert!((measured.spent_usd / most - 1.0).abs() < 1e-9, "{lost:?}");
    }
}

#[tokio::test]
async fn payloads_are_used_by_their_weights() {
    let stage = Played::default();
    let mut order = order(&[512], Invocations::Each(8));
    order.payloads = vec!["1".to_owned(), "2".to_owned()];
    let shares = Shares::new(&[1.0, 3.0]).unwrap();
    order.plan = Plan::new(&[Megabytes(512)], Invocations::Each(8), shares).unwrap();
    run(&order, &stage).await;
    let calls = stage.calls.borrow();
    assert_eq!(
        calls.iter().filter(|(_, payload)| payload == "2").count(),
        6
    );
}

#[tokio::test]
async fn a_cancelled_run_stops() {
    let (stage, order) = (Played::default(), order(&SIZES, Invocations::Each(5)));
    let cancel = CancellationToken::new();
    cancel.cancel();
    let measured = Run::new(&order, &stage, &cancel)
        .run(&[], Prior::shipped(), || {})
        .await;
    assert_eq!(
        (measured.stopped, measured.invocations),
        (Some(Stop::Cancelled), 0)
    );
}

/// A pause may last hours.
#[tokio::test(start_paused = true)]
async fn a_pause_ends_when_the_run_is_cancelled() {
    let (stage, mut order) = (Played::default(), order(&SIZES, Invocations::Each(5)));
    order.pause = Duration::from_hours(1);
    let begun = tokio::time::Instant::now();
    let cancel = CancellationToken::new();
    let measured = Run::new(&order, &stage, &cancel)
        .run(&[], Prior::shipped(), || cancel.cancel())
        .await;
    assert_eq!(
        (measured.stopped, measured.invocations),
        (Some(Stop::Cancelled), 1)
    );
    assert!(begun.elapsed() < Duration::from_mins(1));
}
