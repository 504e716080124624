//! The curve of a function that waits 100 ms and computes 40 ms on one core.

use rightsizer_records::{Day, Millis};

use super::super::used::tests::at;
use super::*;
use crate::assess::size_hours;
use crate::power::{Offer, SizeHours, Workload, match_hours};
use crate::price::PriceTable;
use crate::window::{Distribution, Hours};

const WORK: Workload = Workload::serial(100.0, 40.0, 1.0);

fn measured(sizes: &[u32]) -> Vec<SizeUse> {
    let at = |size: &u32| at(*size, WORK.duration_ms(Megabytes(*size)));
    sizes.iter().map(at).collect()
}

fn subject(sizes: &[SizeUse]) -> Subject<'_> {
    Subject {
        version: "$LATEST",
        now_mb: Megabytes(128),
        before_mb: None,
        safe_mb: Megabytes(128),
        max_mb: Megabytes(3008),
        sizes,
        elsewhere: &[],
        monthly_usd: None,
        rates: PriceTable::default().rates(None),
        arch: None,
        weight: 0.5,
        speed_budget: 1.0,
    }
}

fn drawn(subject: &Subject<'_>) -> Drawn {
    draw("f", subject, &Prior::flat()).unwrap()
}

fn point(drawn: &Drawn, size: u32) -> &Point {
    drawn
        .points
        .iter()
        .find(|point| point.memory_mb.0 == size)
        .unwrap()
}

/// 14,000 invocations at each of two sizes in 14 days are 60,000 a month. At 128 MB they take 652.8 ms (median) and
/// 718.1 ms (mean): 60,000 × 0.7181 s × 0.125 GB = 5,385.7 GB-s × $0.0000166667 = $0.08976, and $0.012 for requests.
#[test]
fn costs_by_hand() {
    let sizes = measured(&[128, 1024]);
    let drawn = drawn(&subject(&sizes));
    let here = point(&drawn, 128);
    assert_eq!(here.basis, Basis::Measured);
    assert!(
        (here.monthly_usd.unwrap() - 0.101_76).abs() < 1e-5,
        "{here:?}"
    );
    // The 95th percentile is twice the median, as at the measured size.
    assert!((here.p95_ms.unwrap() / here.p50_ms.unwrap() - 2.0).abs() < 1e-9);
    assert_eq!(drawn.known_sizes, [Megabytes(128), Megabytes(1024)]);
}

/// If `list` has $10.1762 a month for the present size, each cost is scaled by 100.
#[test]
fn costs_agree_with_the_list() {
    let sizes = measured(&[128, 1024]);
    let mut subject = subject(&sizes);
    let one = point(&drawn(&subject), 512).monthly_usd.unwrap();
    subject.monthly_usd = Some(10.1762);
    let hundred = drawn(&subject);
    assert!((point(&hundred, 128).monthly_usd.unwrap() - 10.1762).abs() < 1e-5);
    assert!((point(&hundred, 512).monthly_usd.unwrap() / one - 100.0).abs() < 0.1);
}

/// Without a price of memory only the 60,000 requests of a month cost anything, whatever `list` has: $0.012.
#[test]
fn a_price_of_nothing_is_not_hidden() {
    let sizes = measured(&[128, 1024]);
    let mut subject = subject(&sizes);
    subject.monthly_usd = Some(10.1762);
    subject.rates.x86_gb_second = 0.0;
    let drawn = drawn(&subject);
    assert!((point(&drawn, 512).monthly_usd.unwrap() - 0.012).abs() < 1e-9);
}

/// At 128 MB: 652.8 ms for 0.0816 GB-s. 256 MB take 376.4 ms for 0.094 GB-s, 15 % more. So no speed is free, and
/// 128 MB are the cheapest. 192 MB take 468.5 ms for 0.0878 GB-s: 1.4 times as fast for 8 % more.
#[test]
fn the_best_sizes() {
    let sizes = measured(&[128, 256, 1024]);
    let drawn = drawn(&subject(&sizes));
    assert_eq!(drawn.best.cost, Some(Megabytes(128)));
    assert_eq!(drawn.best.speed, Some(Megabytes(128)));
    let Offers {
        free: None,
        cheap: Some(cheap),
    } = drawn.offers
    else {
        panic!("{:?}", drawn.offers);
    };
    assert_eq!(cheap.memory_mb, Megabytes(192));
    assert!((cheap.faster - 652.8 / 468.5).abs() < 0.02, "{cheap:?}");
}

/// 1,000 ms of CPU time take as much longer as the size is smaller: every size up to one core costs the same, so
/// the largest of them is free speed, 1769 ÷ 256 = 6.9 times as fast.
#[test]
fn speed_for_the_same_money_is_offered() {
    let work = Workload::serial(0.0, 1000.0, 1.0);
    let sizes: Vec<SizeUse> = [256, 512, 1769, 3008]
        .map(|size| at(size, work.duration_ms(Megabytes(size))))
        .to_vec();
    let mut subject = subject(&sizes);
    subject.now_mb = Megabytes(256);
    let Offers {
        free: Some(free),
        cheap: None,
    } = drawn(&subject).offers
    else {
        panic!("not offered");
    };
    let Offer {
        memory_mb,
        faster,
        usd_more,
        ..
    } = free;
    assert_eq!(memory_mb, Megabytes(1769));
    assert!(
        (faster - 6.91).abs() < 0.01 && usd_more.abs() < 0.01,
        "{free:?}"
    );
    // Above the safe size nothing is free.
    subject.safe_mb = Megabytes(2000);
    assert_eq!(drawn(&subject).offers.free, None);
}

/// 80 MB in use fill 90 % of less than 89 MB: of Lambda's sizes none. 200 MB fill 90 % of 192 MB.
#[test]
fn a_size_without_an_estimate_has_a_reason() {
    let mut sizes = measured(&[256, 1024]);
    sizes.iter_mut().for_each(|size| size.used_mb = Some(200.0));
    let drawn = drawn(&subject(&sizes));
    let small = point(&drawn, 192);
    assert_eq!(
        (small.basis, small.p50_ms, small.monthly_usd),
        (Basis::Unknown, None, None)
    );
    assert!(
        small.why.as_ref().is_some_and(|why| why.contains("200 MB")),
        "{small:?}"
    );
    assert!(drawn.best.cost.is_some_and(|mb| mb >= Megabytes(256)));
}

/// Another tool ran it with a payload that takes three times as long: 128 MB took 1,958 ms, 1024 MB 507 ms. Scaled
/// to production's 652.8 ms at 128 MB, 1024 MB take 169 ms.
#[test]
fn sizes_that_another_tool_measured_count_by_their_ratio() {
    let sizes = measured(&[128]);
    let elsewhere = [(Megabytes(128), 1958.4), (Megabytes(1024), 507.0)];
    let mut subject = subject(&sizes);
    let alone = point(&drawn(&subject), 1024).clone();
    subject.elsewhere = &elsewhere;
    let with = drawn(&subject);
    let found = point(&with, 1024);
    assert_eq!((found.basis, alone.basis), (Basis::Between, Basis::Prior));
    assert!((found.p50_ms.unwrap() - 169.0).abs() < 1.0, "{found:?}");
    let wide = |point: &Point| point.p50_high.unwrap() / point.p50_low.unwrap();
    assert!(wide(found) < wide(&alone));
    assert_eq!(with.known_sizes, [Megabytes(128)]);
}

#[test]
fn other_versions_have_their_own_curve() {
    let mut sizes = measured(&[128, 1024]);
    sizes[1].version = "7".to_owned();
    assert_eq!(drawn(&subject(&sizes)).known_sizes, [Megabytes(128)]);
    let mut subject = subject(&sizes);
    subject.version = "8";
    let refused = draw("f", &subject, &Prior::flat());
    assert_eq!(
        refused,
        Err(NoCurve::TooLittle {
            version: "8".to_owned()
        })
    );
}

/// Durations that are 30 % longer in the night and 15 % longer on weekends, and scatter by 30 %, with traffic that falls
/// to a fifth in the night and to half on weekends: the usual duration of an hour in ms, and its invocations.
fn usual(hour: u32) -> (f64, f64) {
    let turn = |since: u32| f64::from(hour + 24 - since) % 24.0 / 24.0 * std::f64::consts::TAU;
    let weekend = hour / 24 % 7 >= 5;
    let usual = (1.0 + 0.3 * turn(3).cos()) * if weekend { 1.15 } else { 1.0 };
    let traffic = (1.0 + 0.8 * turn(8).sin()) * if weekend { 0.5 } else { 1.0 };
    (1000.0 * usual, 40.0 * traffic)
}

/// The median of hours from `from` to `to`, and its durations by the time of the day.
fn of_hours(from: u32, to: u32) -> (f64, SizeHours) {
    let (mut all, mut days) = (Vec::new(), Vec::<(Day, Hours)>::new());
    let mut durations = Distribution::default();
    // Hour 0 is of a Monday, the fourth day since 1970-01-01.
    let first = Day::parse("2026-01-05").unwrap();
    for hour in from..to {
        let (usual, calls) = usual(hour);
        let day = first.plus(i32::try_from(hour / 24).unwrap());
        if days.last().is_none_or(|(last, _)| *last != day) {
            days.push((day, Hours::default()));
        }
        let at = first.start().plus_ms(i64::from(hour) * 3_600_000 + 1);
        for n in -12..=12 {
            let z = f64::from(n) / 5.0;
            let (ms, weight) = (usual * (0.3 * z).exp(), calls * (-z * z / 2.0).exp());
            all.push((ms, weight));
            let duration = Millis::from_ms_f64((ms * 1000.0).round() / 1000.0).unwrap();
            durations.record_many(duration.ceil_ms(), whole(weight).into());
            for _ in 0..whole(weight) {
                days.last_mut().unwrap().1.add(at, duration);
            }
        }
    }
    all.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let half = all.iter().map(|(_, weight)| weight).sum::<f64>() / 2.0;
    let mut below = 0.0;
    let reached = all.into_iter().find(|(_, weight)| {
        below += weight;
        below >= half
    });
    (
        reached.unwrap().0,
        size_hours(days.iter().map(|(day, hours)| (*day, hours)), &durations),
    )
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "some dozens"
)]
const fn whole(value: f64) -> u32 {
    value.round() as u32
}

/// A change of the size at any hour of a week, with 14 days before it: how far apart are the medians of sizes that are
/// equally fast, as measured and at the same hours?
#[test]
fn hours_that_do_not_match_are_matched() {
    for (days, mean_below, all_below) in [(1, 0.015, 0.04), (3, 0.01, 0.03), (7, 0.01, 0.02)] {
        let apart = (0..168).step_by(11).map(|hour| {
            let change = 10 * 168 + hour;
            let decided = (change / 24 + 1 + days) * 24;
            let (before, hours_before) = of_hours(change - 14 * 24, change);
            let (after, hours_after) = of_hours(change, decided);
            let factors = match_hours(&[hours_before, hours_after]);
            let [Some(of_before), Some(of_after)] = factors[..] else {
                panic!("{factors:?}");
            };
            let measured = after / before;
            let matched = measured * of_after / of_before;
            ((measured - 1.0).abs(), (matched - 1.0).abs())
        });
        let (measured, matched): (Vec<f64>, Vec<f64>) = apart.unzip();
        #[expect(clippy::cast_precision_loss, reason = "some dozens")]
        let figures = |apart: &[f64]| {
            let mean = apart.iter().sum::<f64>() / apart.len() as f64;
            (mean, apart.iter().copied().fold(0.0, f64::max))
        };
        let (before, now) = (figures(&measured), figures(&matched));
        let percent = |(mean, most): (f64, f64)| {
            format!("{:.1} % mean, {:.1} % at most", mean * 100.0, most * 100.0)
        };
        println!(
            "{days} days: {}; as measured {}",
            percent(now),
            percent(before)
        );
        assert!(now.0 < mean_below && now.1 < all_below, "{days}: {now:?}");
    }
}
