//! A prior moves what a decision expects, and nothing that limits it: neither the size that P1 to P6 allow nor the
//! worst case that P6 assumes.

use std::sync::Arc;

use rightsizer_records::{Megabytes, Millis};

use super::case::{Case, size};
use super::facts::{CpuUse, SizeFacts};
use super::objectives_tests::{Function, Random};
use super::seen_curve::{drawn, offers};
use crate::power::{Lesson, Objective, Prior, SizePoint, Workload};
use crate::price::PriceTable;

/// A prior that was learnt from many functions that do this work.
fn taught_by(work: Workload) -> Prior {
    let at = |size| SizePoint::new(Megabytes(size), work.duration_ms(Megabytes(size)));
    let lesson = Lesson::of(&[128, 256, 512, 1024, 1769, 3008].map(at));
    Prior::flat().learn(1.0, &[&lesson; 50])
}

fn with(case: &Case, prior: &Prior) -> Case {
    let mut settings = case.1.clone();
    settings.power.own_prior = Some(Arc::new(prior.clone()));
    Case(case.0.clone(), settings)
}

/// The expected duration at two cores.
fn expected(case: &Case) -> Option<f64> {
    let rates = PriceTable::default().rates(None);
    let drawn = drawn(&case.0, "f", Megabytes(128), (None, rates, None), &case.1)?;
    drawn
        .points
        .iter()
        .find(|point| point.memory_mb.0 == 3538)?
        .p50_ms
}

/// Functions of which one size is known. One prior has seen only waiting, so that small sizes are as fast; the other
/// only computing, so that they are slow and large ones fast.
#[test]
fn no_prior_moves_a_limit() {
    let waiting = taught_by(Workload::serial(300.0, 0.0, 1.0));
    let computing = taught_by(Workload::serial(0.0, 300.0, 4.0));
    let (mut expectations, mut choices) = (0, 0);
    for seed in 0..60 {
        let random = &mut Random(seed + 1);
        let function = Function::of(random);
        let size = function.start_mb;
        let known = [(size, function.measured(size, 0, random))];
        let by = |objective, prior| with(&function.case(objective, &known), prior);
        let (one, other) = (
            by(Objective::Memory, &waiting),
            by(Objective::Memory, &computing),
        );
        assert_eq!(one.decide(), other.decide(), "seed {seed}");
        expectations += u32::from(expected(&one) != expected(&other));
        for objective in [Objective::Cost, Objective::Balanced, Objective::Speed] {
            // What P1 to P6 allow with the tolerance of this objective.
            let mut plain = by(Objective::Memory, &waiting);
            plain.1.p95_tolerance.balanced = plain.1.p95_tolerance.of(objective);
            let plain = plain.decide();
            let decisions = [&waiting, &computing].map(|prior| by(objective, prior).decide());
            for decision in &decisions {
                let seen = format!("seed {seed}, {objective:?}: {decision:?}");
                assert!(decision.target_mb >= plain.target_mb, "{seen}");
                let sizes = decision.to_mb.zip(plain.to_mb).filter(|_| decision.auto);
                assert!(sizes.is_none_or(|(to, least)| to >= least), "{seen}");
            }
            choices += u32::from(decisions[0].to_mb != decisions[1].to_mb);
        }
    }
    // Else the test would pass without a prior.
    assert!(
        expectations > 50 && choices > 10,
        "{expectations} {choices}"
    );
}

/// 90 ms at 512 MB, where 38 % of the 0.289 cores are in use. By the shipped prior such functions wait, so that no curve is
/// computed. A prior of functions that wait for 100 ms and compute for 200 expects 768 MB to be a third faster, for less
/// than a tenth more money.
#[test]
fn a_prior_of_its_own_offers_what_the_shipped_one_leaves_out() {
    let ms = Millis::from_ms;
    let mut shipped = Case::new(512, &[100; 14]);
    shipped.0.sizes = vec![SizeFacts {
        billed_ms: 5000 * 90,
        p50: ms(90),
        p95: ms(92),
        p99: ms(93),
        cpu: Some(CpuUse {
            // 0.38 × 0.289 × 450,000.
            cpu_ms: 49_500,
            wall_ms: 5000 * 90,
        }),
        ..size(512)
    }];
    let rates = PriceTable::default().rates(None);
    let offered = |case: &Case| {
        let bill = (Some(10.0), rates, None);
        offers(&case.0, Megabytes(128), bill, &case.1)
    };
    assert_eq!(offered(&shipped), None);
    let other = taught_by(Workload::serial(100.0, 200.0, 1.0));
    let mut held = with(&shipped, &other);
    held.0.configured.max_mb = Some(Megabytes(600));
    assert_eq!(offered(&held), None, "above the function's maximum");
    let cheap = offered(&with(&shipped, &other)).and_then(|offers| offers.cheap);
    assert!(
        cheap.is_some_and(|offer| offer.memory_mb == Megabytes(768) && offer.faster > 1.3),
        "{cheap:?}"
    );
}
