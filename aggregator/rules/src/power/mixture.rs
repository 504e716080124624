//! A mixture of normal distributions, and its quantiles.

use super::gaussian::normal;

/// One part of a mixture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Part {
    pub(super) weight: f64,
    pub(super) mean: f64,
    pub(super) deviation: f64,
}

/// Parts with the same deviation are merged if their means differ by less than this share of it.
const ALIKE: f64 = 0.1;

/// Merges the parts that are too similar to matter.
pub(super) fn merged(mut parts: Vec<Part>) -> Vec<Part> {
    parts.sort_unstable_by(|a, b| {
        let by_deviation = a.deviation.total_cmp(&b.deviation);
        by_deviation.then(a.mean.total_cmp(&b.mean))
    });
    let mut merged: Vec<Part> = Vec::new();
    let mut first = f64::NEG_INFINITY;
    for part in parts {
        match merged.last_mut() {
            Some(last)
                if last.deviation.total_cmp(&part.deviation).is_eq()
                    && part.mean - first <= ALIKE * part.deviation =>
            {
                let weight = last.weight + part.weight;
                last.mean += (part.mean - last.mean) * part.weight / weight;
                last.weight = weight;
            }
            _ => {
                first = part.mean;
                merged.push(part);
            }
        }
    }
    merged
}

/// Returns the quantile `q` of the mixture, whose weights add up to one.
pub(super) fn quantile(parts: &[Part], q: f64) -> f64 {
    /// The probability beyond this many deviations is negligible.
    const FAR: f64 = 8.0;
    /// Accuracy in logarithms of durations: 0.01 %.
    const CLOSE: f64 = 1e-4;
    let ends = |side: f64| {
        parts
            .iter()
            .map(move |part| part.mean + side * FAR * part.deviation)
    };
    let mut low = ends(-1.0).fold(f64::INFINITY, f64::min);
    let mut high = ends(1.0).fold(f64::NEG_INFINITY, f64::max);
    let mut at: f64 = parts.iter().map(|part| part.weight * part.mean).sum();
    // Newton's method. A step that leaves the bracket, where the density is low, is replaced by its middle.
    loop {
        let (below, density) = below(parts, at);
        let over = below - q;
        if over < 0.0 {
            low = at;
        } else {
            high = at;
        }
        let next = at - over / density;
        let is_within = low < next && next < high;
        let next = if is_within {
            next
        } else {
            f64::midpoint(low, high)
        };
        if (next - at).abs() <= CLOSE / 2.0 || high - low <= CLOSE {
            return next;
        }
        at = next;
    }
}

/// Returns the probability that a value of the mixture is at most `x`, and the density there.
fn below(parts: &[Part], x: f64) -> (f64, f64) {
    parts.iter().fold((0.0, 0.0), |(below, density), part| {
        let (chance, height) = normal((x - part.mean) / part.deviation);
        (
            below + part.weight * chance,
            density + part.weight * height / part.deviation,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn part(weight: f64, mean: f64) -> Part {
        Part {
            weight,
            mean,
            deviation: 1.0,
        }
    }

    /// One normal part: 1.6449 deviations. Two distant parts, with three quarters of the weight in the lower one:
    /// 5 % of all is 6.67 % of the lower, 1.501 deviations below its mean; 95 % leaves a fifth of the upper above.
    #[test]
    fn quantiles_by_the_table() {
        assert!((quantile(&[part(1.0, 3.0)], 0.95) - 4.6449).abs() < 1e-3);
        let two = [part(0.75, 0.0), part(0.25, 100.0)];
        assert!((quantile(&two, 0.05) + 1.5011).abs() < 1e-3);
        assert!((quantile(&two, 0.95) - 100.8416).abs() < 1e-3);
    }

    /// 0.05 is near 0 and has three times its weight, so their mean is 0.0375. 0.2 is not near, and parts with
    /// another deviation are never merged.
    #[test]
    fn parts_that_are_alike_become_one() {
        let wide = Part {
            deviation: 2.0,
            ..part(0.1, 0.0)
        };
        let found = merged(vec![
            part(0.3, 0.2),
            part(0.45, 0.05),
            wide,
            part(0.15, 0.0),
        ]);
        assert_eq!(found.len(), 3);
        assert!((found[0].mean - 0.0375).abs() < 1e-12 && (found[0].weight - 0.6).abs() < 1e-12);
        assert_eq!(&found[1..], &[part(0.3, 0.2), wide]);
    }
}
