//! Finds functions with duplicate measurements, and functions that are mostly noise.

use rightsizer_rules::power::SizePoint;

use super::runs::Measured;

/// Fewer common sizes than this could agree by chance.
const LEAST_SIZES: usize = 3;
/// Quotients of durations that differ by less are equal, because published figures are rounded.
const SAME: f64 = 0.002;

/// Returns a group for each function. Functions whose durations are equal up to a factor share the group of the
/// first of them.
pub(super) fn groups(functions: &[Measured]) -> Vec<usize> {
    let mut groups: Vec<usize> = (0..functions.len()).collect();
    let mut by_sizes = std::collections::HashMap::<Vec<u32>, Vec<usize>>::new();
    for (at, function) in functions.iter().enumerate() {
        let sizes = function.points.iter().map(|point| point.memory_mb.0);
        let before = by_sizes.entry(sizes.collect()).or_default();
        let same = |other: &&usize| is_same(&functions[**other].points, &function.points);
        if let Some(first) = before.iter().find(same) {
            groups[at] = *first;
        } else {
            before.push(at);
        }
    }
    groups
}

/// Pairs the durations of the same sizes.
fn is_same(one: &[SizePoint], other: &[SizePoint]) -> bool {
    let quotients = one.iter().zip(other).map(|(a, b)| a.p50_ms / b.p50_ms);
    let (low, high) = quotients.fold((f64::INFINITY, 0.0_f64), |(low, high), quotient| {
        (low.min(quotient), high.max(quotient))
    });
    one.len() >= LEAST_SIZES && high / low < 1.0 + SAME
}

/// A larger size that is slower by this factor is noise, because no model allows it.
const NOISY: f64 = 1.5;

/// Returns whether a size takes at least half as long again as a smaller one.
pub(super) fn is_noisy(function: &Measured) -> bool {
    let mut fastest = f64::INFINITY;
    function.points.iter().any(|point| {
        let noisy = point.p50_ms >= NOISY * fastest;
        fastest = fastest.min(point.p50_ms);
        noisy
    })
}

#[cfg(test)]
mod tests {
    use rightsizer_records::Megabytes;

    use super::*;

    fn function(points: &[(u32, f64)]) -> Measured {
        let point = |(mb, ms): &(u32, f64)| SizePoint::new(Megabytes(*mb), *ms);
        Measured {
            name: "f".to_owned(),
            points: points.iter().map(point).collect(),
            set_aside: 0,
            sizes_left_out: 0,
        }
    }

    #[test]
    fn the_same_curve_in_another_unit_is_a_duplicate() {
        let first = function(&[(128, 400.0), (256, 210.0), (512, 100.0)]);
        let same = function(&[(128, 0.4), (256, 0.21), (512, 0.1)]);
        let other = function(&[(128, 400.0), (256, 200.0), (512, 100.0)]);
        assert_eq!(groups(&[first, other, same]), [0, 1, 0]);
        let few = function(&[(128, 400.0), (256, 200.0)]);
        assert_eq!(groups(&[few.clone(), few]), [0, 1]);
    }

    /// With 100 ms at 256 MB, 150 ms at 512 MB is noise and 149 ms is not. Less memory may be slower.
    #[test]
    fn noise_is_slower_with_more_memory() {
        assert!(is_noisy(&function(&[
            (128, 120.0),
            (256, 100.0),
            (512, 150.0)
        ])));
        assert!(!is_noisy(&function(&[
            (128, 900.0),
            (256, 100.0),
            (512, 149.0)
        ])));
    }
}
