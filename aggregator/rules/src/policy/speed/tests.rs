//! Tests of `speed`.

use rightsizer_records::ApplyMode;

use super::super::case::{Case, figure, has, size};
use super::super::facts::{SizeFacts, SizeHealth};
use super::*;

fn mb(size: Megabytes) -> u32 {
    size.0
}

fn starting(takes_ms: u64, timeout_ms: u64) -> Case {
    let mut case = Case::new(2048, &[115; 14]);
    case.0.configured.timeout = Some(Millis::from_ms(timeout_ms));
    case.0.health[0].init = Some(Millis::from_ms(takes_ms));
    case
}

/// 4.8 s of 6 s: more than 0.7 × 6 = 4.2 at any size. If all of the timeout may be used, 4800
/// × 1769 ÷ 6000 = 1415.2 MB gives one busy core the time.
#[test]
fn p6_an_environment_must_be_able_to_start_again_without_boost() {
    let kept = starting(4800, 6000).decide();
    assert_eq!((kept.to_mb, kept.target_mb), (None, Megabytes(2048)));
    assert_eq!(figure(&kept, "init-near", "now"), 4800.0);
    let mut whole = starting(4800, 6000);
    whole.1.timeout_share = 1.0;
    assert_eq!(whole.decide().target_mb, Megabytes(1416));
    assert_eq!(figure(&whole.decide(), "init-near", "mb"), 1416);
}

/// 4800 × 1769 ÷ 130,000 is 66 MB: below every size. A restore of 50 s needs 680 MB. Init of the same function keeps
/// the limit of the timeout.
#[test]
fn p6_what_is_restored_from_a_snapshot_has_longer_to_start() {
    let restored = |ms| {
        let mut case = starting(10, 6000);
        case.0.health[0].restore = Some(Millis::from_ms(ms));
        case
    };
    assert!(!has(&restored(4800).decide(), "init-near"));
    let slow = restored(50_000).decide();
    assert_eq!(figure(&slow, "init-near", "mb"), 681);
    assert_eq!(figure(&slow, "init-near", "now"), 50_000.0);
    let mut both = restored(4800);
    both.0.health[0].init = Some(Millis::from_ms(4800));
    assert!(has(&both.decide(), "init-near"));
}

/// The size was changed and nothing started there yet: what starts took before counts.
#[test]
fn p6_starts_of_other_sizes_count_if_the_present_one_was_never_started() {
    let mut case = starting(4800, 6000);
    let larger = super::super::case::health(3008);
    case.0.health = vec![
        SizeHealth {
            init: None,
            ..case.0.health[0]
        },
        SizeHealth {
            init: case.0.health[0].init,
            ..larger
        },
    ];
    assert_eq!(case.decide().to_mb, None);
}

/// 1000 MB, with half of the time computing: measured at 1500 it takes 1 ÷ 1.2 of the time,
/// and 1.2 = 1 + 0.4 × (1500 ÷ 1000 − 1), of which 0.6 ÷ 1.2 computes. At m it takes 1 + 0.5 ×
/// (1000 ÷ m − 1) as long.
fn half_computing() -> Case {
    let mut case = Case::new(1000, &[200; 14]);
    let at = |mb, billed_ms| SizeFacts {
        billed_ms,
        cpu: None,
        ..size(mb)
    };
    case.0.sizes = vec![at(1000, 600_000), at(1500, 500_000)];
    case
}

/// 1.25 times as long at 1000 ÷ 1.5 = 666.7, which `balanced` allows; so 667 and not the policy's 300.
#[test]
fn p6_a_size_that_slows_down_beyond_the_tolerance_is_not_the_target() {
    let decision = half_computing().decide();
    assert_eq!(mb(decision.policy_mb), 300);
    assert_eq!(mb(decision.target_mb), 667);
    assert_eq!(figure(&decision, "too-slow", "now"), 200.0);
    // 1 + 0.5 × (1000 ÷ 300 − 1) = 2.167
    assert_eq!(figure(&decision, "too-slow", "then"), 433.33);
    assert_eq!(figure(&decision, "too-slow", "most"), 250.0);
    assert_eq!(figure(&decision, "too-slow", "basis"), "slope");
}

/// `cost` twice as long at 1000 ÷ 3, `speed` 5 % at 1000 ÷ 1.1.
#[test]
fn p6_the_objective_limits_how_much_slower() {
    for (objective, target, most) in [
        (Objective::Memory, 667, 250.0),
        (Objective::Cost, 334, 400.0),
        (Objective::Speed, 910, 210.0),
    ] {
        let mut case = half_computing();
        case.0.configured.objective = Some(objective);
        let decision = case.decide();
        assert_eq!(figure(&decision, "too-slow", "mb"), target, "{objective:?}");
        assert_eq!(figure(&decision, "too-slow", "most"), most);
        assert_eq!(figure(&decision, "too-slow", "strategy"), objective.name());
    }
}

/// Half a core used; one core is 1769 MB, so 885 MB give it. `balanced` allows 708, at which it
/// is 25 % slower, but costs the same: 886 is as cheap within 0.1 %.
#[test]
fn p6_below_the_cpu_that_it_uses_it_is_only_slower() {
    let decision = Case::new(1769, &[200; 14]).using_cores(50).decide();
    assert_eq!(mb(decision.target_mb), 885);
    assert_eq!(figure(&decision, "only-slower", "wanted_mb"), 708);
    assert_eq!(figure(&decision, "only-slower", "slower"), 1.25);
    // All of two cores used at 3538: nothing smaller saves.
    let decision = Case::new(3538, &[200; 14]).using_cores(200).decide();
    assert_eq!((mb(decision.target_mb), decision.to_mb), (3538, None));
}

/// 99 % within 400 ms; timeout 800 ms: 0.7 × 800 = 560 = 1.4 × 400. Tolerance aside (`cost` allows
/// twice), 1 + 0.5 × (1000 ÷ m − 1) = 1.4 at 1000 ÷ 1.8 = 555.6.
#[test]
fn p6_the_timeout_is_kept_away_from() {
    let mut case = half_computing();
    case.0.configured.objective = Some(Objective::Cost);
    case.0.configured.timeout = Some(Millis::from_ms(800));
    let decision = case.decide();
    assert_eq!(mb(decision.target_mb), 556);
    assert_eq!(figure(&decision, "timeout-near", "most"), 560.0);
    // Too near already: nothing smaller at all.
    case.0.configured.timeout = Some(Millis::from_ms(571));
    let decision = case.decide();
    assert_eq!((mb(decision.target_mb), decision.to_mb), (1000, None));
}

/// It took 180 ms before its first step down: at most 225 now, and 200 are gone already, so
/// 1.125 of what it takes now: 1 + 0.5 × (1000 ÷ m − 1) at 800. A larger size in the window
/// gives the same.
#[test]
fn p6_many_steps_do_not_add_up_to_a_slow_function() {
    let mut case = half_computing();
    case.0.changes.baseline_p95 = Some(Millis::from_ms(180));
    assert_eq!(mb(case.decide().target_mb), 800);
    let mut case = half_computing();
    case.0.sizes[1].p95 = Millis::from_ms(180);
    assert_eq!(mb(case.decide().target_mb), 800);
    // Slower than that already: no further.
    case.0.sizes[1].p95 = Millis::from_ms(159);
    assert_eq!(mb(case.decide().target_mb), 1000);
}

/// At hours at which everything takes nine tenths it took 200 ms, so 222 at the hours of all: at most 250, which is 1.125 of
/// that. At hours at which everything takes ten ninths, it took 180 at the hours of all: at most 225, and 200 were measured.
#[test]
fn p6_a_step_is_held_to_the_same_hours() {
    for factor in [10.0 / 9.0, 0.9] {
        let mut case = half_computing();
        for size in &mut case.0.sizes {
            size.hours_factor = Some(factor);
        }
        assert_eq!(mb(case.decide().target_mb), 800, "{factor}");
    }
}

#[test]
fn p6_without_a_timeout_a_person_decides() {
    let mut case = Case::new(1024, &[200; 14]);
    case.0.configured.timeout = None;
    assert_eq!(case.step(), (Some(300), false));
    assert!(has(&case.decide(), "timeout-unknown"));
}

#[test]
fn p6_without_durations_a_person_decides() {
    let mut case = Case::new(1024, &[200; 14]);
    case.0.sizes.clear();
    assert_eq!(case.step(), (Some(300), false));
    assert!(has(&case.decide(), "durations-unknown"));
    assert_eq!(case.decide().projection, None);
}

/// Nothing known of the CPU: at worst 1024 ÷ 1.25 = 819.2 → 820 is 25 % slower, so that is the step,
/// and measures. A person may go the whole way, unless it might time out: 400 ms × 1024 ÷ 300 is
/// 1365 ms, and 0.7 × 1.5 s = 1050: 1024 ÷ 2.625 = 390.1.
#[test]
fn p6_if_cpu_is_unknown_a_step_measures() {
    let mut case = Case::new(1024, &[200; 14]);
    case.0.sizes[0].cpu = None;
    assert_eq!(case.decide().target_mb, Megabytes(300));
    assert_eq!(case.step(), (Some(820), true));
    assert_eq!(figure(&case.decide(), "careful-step", "basis"), "unknown");
    case.0.configured.timeout = Some(Millis::from_ms(1500));
    assert_eq!(case.decide().target_mb, Megabytes(391));
}

/// After that step 820 took as long as 1024 had (5 % of measuring error): next, as much as that
/// leaves open.
#[test]
fn p6_a_measurement_allows_the_next_step() {
    let without_cpu = |mb| SizeFacts {
        cpu: None,
        ..size(mb)
    };
    let mut case = Case::new(820, &[200; 14]);
    case.0.sizes = vec![without_cpu(820), without_cpu(1024)];
    assert_eq!(case.decide().target_mb, Megabytes(300));
    // Share at 1024 at most 0.05 ÷ (1024 ÷ 820 − 1) = 0.201, at 820 0.201 × 1.2488 ÷ 1.05 = 0.239;
    // 1 + 0.239 × (820 ÷ m − 1) = 1.25 at m = 400.9; half of 820 is 410.
    assert_eq!(case.step(), (Some(410), true));
    // Had it taken as much longer as it had less, it would be all computing: no saving in going on.
    case.0.sizes[0].billed_ms = 625_000;
    assert_eq!(case.decide().target_mb, Megabytes(820));
}

/// Measured at 512: three times as slow. That counts, whatever the CPU time shows, also for
/// smaller sizes.
#[test]
fn p6_a_measured_size_beats_a_projection() {
    let mut case = Case::new(1024, &[200; 14]);
    let slow = SizeFacts {
        p95: Millis::from_ms(600),
        ..size(512)
    };
    case.0.sizes.insert(0, slow);
    let decision = case.decide();
    assert_eq!(mb(decision.target_mb), 513);
    // 51 invocations would do, 49 do not.
    case.0.sizes[0].invocations = 49;
    assert_eq!(mb(case.decide().target_mb), 300);
}

/// The same, if 512 ran at hours at which everything takes three times as long: it was that slow, so it is not safer. If
/// it ran at hours at which everything takes a third, it is three times as slow at the same hours.
#[test]
fn p6_hours_never_make_a_measured_size_safer_but_may_make_it_less_safe() {
    let case = |p95: u64, factor: f64| {
        let mut case = Case::new(1024, &[200; 14]);
        case.0.sizes[0].hours_factor = Some(1.0);
        case.0.sizes.insert(
            0,
            SizeFacts {
                p95: Millis::from_ms(p95),
                hours_factor: Some(factor),
                ..size(512)
            },
        );
        mb(case.decide().target_mb)
    };
    assert_eq!([case(600, 1.0), case(600, 1.0 / 3.0)], [513, 513]);
    assert_eq!([case(200, 1.0), case(200, 3.0)], [300, 513]);
}

/// At the hours of both sizes 1500 MB are as much faster as they may be: 1.5 times. So it only computes, and a smaller
/// size saves nothing.
#[test]
fn p6_the_slope_is_that_of_the_same_hours_if_it_is_steeper() {
    let mut case = half_computing();
    case.0.sizes[0].hours_factor = Some(1.0);
    case.0.sizes[1].hours_factor = Some(0.8);
    assert_eq!(mb(case.decide().target_mb), 1000);
    case.0.sizes[1].hours_factor = Some(1.25);
    assert_eq!(mb(case.decide().target_mb), 667);
}

/// No faster, no cheaper: measured at 512 each invocation takes 2.1 times the time.
#[test]
fn p6_a_size_that_costs_more_is_none() {
    let mut case = Case::new(1024, &[412; 14]);
    case.0.sizes.insert(0, size(512));
    case.0.sizes[0].billed_ms = 1_050_000;
    let decision = case.decide();
    assert_eq!(figure(&decision, "no-saving", "then"), 1.05);
    assert!(decision.target_mb > Megabytes(512));
}

#[test]
fn p6_the_projection_goes_with_the_decision() {
    let mut case = half_computing();
    case.0.configured.mode = Some(ApplyMode::Recommend);
    let projection = case.decide().projection.unwrap();
    let by_hand = 1.0 + 0.5 * (1000.0 / 667.0 - 1.0);
    assert!((projection.expected.mean - by_hand).abs() < 1e-9);
    assert!(projection.worst.mean > projection.expected.mean);
}
