//! P3: whether a function's environments climb over their lives: a leak, which more memory only
//! delays.
//!
//! What an environment used is a high-water mark, so it can only rise; the question is how. After
//! 1, 2, 4, 8 … invocations a leak with a fixed number of MB per invocation has risen twice as much
//! in each doubling as in the one before. Everything that settles rises less and less: start-up, a
//! cache that fills, a pool that grows. A single large payload is one rise only. So an environment
//! climbs if each of its last three doublings rose by 1.5 to 3 times the one before, and by more
//! than rounding; marks near the size are censored and not used. One environment may be chance: a
//! function leaks if at least two environments climb, and half of those that lived long enough.

use rightsizer_records::Megabytes;

use super::facts::Leak;

/// Doublings that have to agree.
const DOUBLINGS: usize = 3;
/// Marks that are the start and not the life: after 1 and 2 invocations.
const START: usize = 2;
/// The first of the doublings rises by at least this: below it is rounding.
const LEAST_RISE_MB: u32 = 2;
/// A steady leak rises by twice as much in each doubling.
const LEAST_GROWTH: f64 = 1.5;
const MOST_GROWTH: f64 = 3.0;
/// Marks above this share of the size are masked: the memory in use cannot show.
const UNMASKED_PERCENT: u64 = 90;
/// The number of environments that have to climb.
const LEAST_CLIMBING: u32 = 2;

/// How one environment's use went over its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Climb {
    /// It did not live long enough, or was near its size too soon.
    TooShort,
    /// It settled, jumped, or rose less and less.
    Settled,
    /// It climbs.
    Climbs {
        /// MB per 1000 invocations, over the doublings that agree.
        mb_per_1000: u32,
    },
}

/// Judges one environment. `marks[k]` is the most it had used when it had served 2^k invocations
/// (1, 2, 4 …); only the ordinals it reached. `size` is its memory size.
pub fn climb(marks: &[Megabytes], size: Megabytes) -> Climb {
    let masked = |mark: &Megabytes| u64::from(mark.0) * 100 > u64::from(size.0) * UNMASKED_PERCENT;
    let clear = marks.iter().position(masked).unwrap_or(marks.len());
    let Some(life) = marks.get(START..clear) else {
        return Climb::TooShort;
    };
    let Some(last) = life.len().checked_sub(DOUBLINGS + 1) else {
        return Climb::TooShort;
    };
    let life = &life[last..];
    let rises: Vec<u32> = life
        .windows(2)
        .map(|pair| pair[1].0.saturating_sub(pair[0].0))
        .collect();
    let steady = rises.windows(2).all(|pair| {
        let growth = f64::from(pair[1]) / f64::from(pair[0].max(1));
        (LEAST_GROWTH..=MOST_GROWTH).contains(&growth)
    });
    if !steady || rises.first().is_none_or(|rise| *rise < LEAST_RISE_MB) {
        return Climb::Settled;
    }
    let newest = START + last + DOUBLINGS;
    let invocations = (1_u64 << newest) - (1_u64 << (newest - DOUBLINGS));
    let risen: u64 = rises.iter().map(|rise| u64::from(*rise)).sum();
    let mb_per_1000 = u32::try_from((risen * 1000).div_ceil(invocations)).unwrap_or(u32::MAX);
    Climb::Climbs { mb_per_1000 }
}

/// Judges a function by its environments of the window.
pub fn leak(environments: impl IntoIterator<Item = Climb>) -> Option<Leak> {
    let mut slopes = Vec::new();
    let mut judged = 0_u32;
    for climb in environments {
        judged += u32::from(climb != Climb::TooShort);
        if let Climb::Climbs { mb_per_1000 } = climb {
            slopes.push(mb_per_1000);
        }
    }
    slopes.sort_unstable();
    let climbing = u32::try_from(slopes.len()).ok()?;
    (climbing >= LEAST_CLIMBING && climbing * 2 >= judged).then(|| Leak {
        mb_per_1000: slopes[slopes.len() / 2],
        climbing,
        judged,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROOM: Megabytes = Megabytes(10_240);

    /// Marks of an environment that used `at(n)` when it had served n invocations.
    fn marks(doublings: u32, at: impl Fn(f64) -> f64) -> Vec<Megabytes> {
        let whole = |k: u32| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a test's figures"
            )]
            let mb = at(f64::from(1_u32 << k)).round() as u32;
            Megabytes(mb)
        };
        (0..=doublings).map(whole).collect()
    }

    fn slope(climb: Climb) -> Option<u32> {
        match climb {
            Climb::Climbs { mb_per_1000 } => Some(mb_per_1000),
            _ => None,
        }
    }

    /// 100 MB and 0.25 MB an invocation: 228 after 512, 356 after 1024: rises 32, 64, 128 over 896
    /// invocations: 250 MB per 1000.
    #[test]
    fn p3_a_leak_is_reported_with_its_slope() {
        let leaking = marks(10, |n| 100.0 + 0.25 * n);
        assert_eq!(climb(&leaking, ROOM), Climb::Climbs { mb_per_1000: 250 });
        assert_eq!(climb(&leaking[..5], ROOM), Climb::TooShort);
    }

    #[test]
    fn p3_what_settles_is_not_a_leak() {
        let shapes: [fn(f64) -> f64; 5] = [
            |_| 180.0,                                     // the same from the first one on
            |n| 100.0 + 300.0 * (1.0 - (-n / 60.0).exp()), // a cache that fills
            |n| 100.0 + 20.0 * n.ln(),                     // slower and slower
            |n| if n > 500.0 { 600.0 } else { 120.0 },     // one large payload
            |n| 100.0 + 8.0 * n.sqrt(),                    // fragmentation
        ];
        for (n, shape) in shapes.into_iter().enumerate() {
            assert_eq!(climb(&marks(10, shape), ROOM), Climb::Settled, "shape {n}");
        }
    }

    /// Rises of 3, 5 and 300: the last is a payload, not the next doubling of a leak.
    #[test]
    fn p3_a_jump_after_a_little_growth_is_not_a_leak() {
        let jumped = [100, 100, 100, 103, 108, 408].map(Megabytes);
        assert_eq!(climb(&jumped, ROOM), Climb::Settled);
    }

    /// In 512 MB the marks of 484 and more (94 %) are masked: what was seen below that is judged. A
    /// plateau at the size is not taken for settling, and what was near it at once is not judged.
    #[test]
    fn p3_marks_near_the_size_are_left_out() {
        let capped = marks(12, |n| (100.0 + 0.25 * n).min(511.0));
        assert_eq!(slope(climb(&capped, Megabytes(512))), Some(250));
        assert_eq!(
            climb(&[Megabytes(120); 12], Megabytes(128)),
            Climb::TooShort
        );
    }

    #[test]
    fn p3_one_environment_may_be_chance() {
        let climbs = |mb_per_1000| Climb::Climbs { mb_per_1000 };
        assert_eq!(leak([climbs(50)]), None);
        assert_eq!(
            leak([
                climbs(50),
                climbs(70),
                Climb::Settled,
                Climb::Settled,
                Climb::Settled
            ]),
            None
        );
        let found = leak([
            climbs(50),
            climbs(90),
            climbs(70),
            Climb::Settled,
            Climb::TooShort,
        ])
        .unwrap();
        assert_eq!(
            (found.mb_per_1000, found.climbing, found.judged),
            (70, 3, 4)
        );
    }

    proptest! {
        /// Any straight climb is found, whatever it starts at and however long it lives, once a doubling
        /// rises by 4 MB or more; and its slope is right within 10 % and rounding.
        #[test]
        fn p3_any_straight_climb_is_found(
            start in 30.0_f64..500.0, each in 0.2_f64..2.0, doublings in 8_u32..12,
        ) {
            let found = climb(&marks(doublings, |n| start + each * n), Megabytes(100_000));
            let slope = slope(found).unwrap();
            prop_assert!((f64::from(slope) - 1000.0 * each).abs() <= 100.0 * each + 20.0, "{slope}");
        }

        /// Whatever fills up (half of it within a quarter of the life) is none.
        #[test]
        fn p3_whatever_fills_up_is_not_a_leak(
            start in 30.0_f64..500.0, room in 0.0_f64..2000.0, part in 0.01_f64..0.36, doublings in 5_u32..12,
        ) {
            let tau = part * f64::from(1_u32 << doublings);
            let filled = marks(doublings, |n| start + room * (1.0 - (-n / tau).exp()));
            prop_assert_ne!(slope(climb(&filled, ROOM)).is_some(), true);
        }

        /// The highest of payloads that differ by chance, of whatever tail, in eight environments:
        /// seldom enough a doubling each time that half of them would agree.
        #[test]
        fn p3_chance_is_not_a_leak(
            seeds in proptest::collection::vec(proptest::collection::vec(0.001_f64..1.0, 512), 8),
            tail in 2.0_f64..20.0,
        ) {
            let judged = seeds.iter().map(|draws| {
                let high = |served: f64| {
                    let served = (1_u32..).zip(draws).take_while(|(n, _)| f64::from(*n) <= served);
                    served.map(|(_, u)| 60.0 * u.powf(-1.0 / tail)).fold(0.0, f64::max)
                };
                climb(&marks(9, |served| 40.0 + high(served)), ROOM)
            });
            prop_assert_eq!(leak(judged), None);
        }
    }
}
