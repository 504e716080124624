//! Exact tests of counts, one-sided: is this more than it was?

/// P(X ≥ `k`) for X binomial of `n` draws with chance `p`: summed term by term, so exact to rounding.
pub(crate) fn at_least(k: u64, n: u64, p: f64) -> f64 {
    if k == 0 || p >= 1.0 {
        return 1.0;
    }
    if k > n || p <= 0.0 {
        return 0.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let (draws, least) = (n as f64, k as f64);
    // Left of the middle it is about a half or more: nothing that is asked here.
    if least <= draws * p {
        return 1.0;
    }
    let ln_first = ln_choose(draws, least) + least * p.ln() + (draws - least) * (-p).ln_1p();
    let odds = p / (1.0 - p);
    let (mut term, mut sum, mut at) = (1.0, 1.0, least);
    while at < draws && term > sum * 1e-12 {
        term *= (draws - at) / (at + 1.0) * odds;
        sum += term;
        at += 1.0;
    }
    (ln_first.exp() * sum).min(1.0)
}

/// Two rates compared by counts alone (the conditional test of Przyborowski and Wilenski): of all
/// failures, those after the change are binomial with chance `r·n₂ ÷ (r·n₂ + n₁)` if the rate became `r`
/// times what it was. The chance of as many or more, if it became `ratio` times.
pub(crate) fn rate_rose(before: (u64, u64), after: (u64, u64), ratio: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let (earlier, later) = (before.1 as f64, after.1 as f64 * ratio);
    if later + earlier <= 0.0 {
        return 1.0;
    }
    at_least(after.0, after.0 + before.0, later / (later + earlier))
}

/// Whether two rates, each as failures and invocations, do not differ by more than chance: by the same test
/// both ways, at 5 %.
pub(crate) fn rates_are_equal(one: (u64, u64), other: (u64, u64)) -> bool {
    const EACH_SIDE: f64 = 0.025;
    rate_rose(one, other, 1.0) > EACH_SIDE && rate_rose(other, one, 1.0) > EACH_SIDE
}

/// The chance that a silence lasts `times` as long as the longest of `count` earlier ones, if
/// silences are exponential: `count · B(count, times + 1) = ∏ i ÷ (count + i)` for i to `times`.
pub(crate) fn silence(count: u64, times: u32) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "hours of two weeks")]
    let count = count as f64;
    (1..=times.min(100))
        .map(f64::from)
        .map(|i| i / (count + i))
        .product()
}

fn ln_choose(n: f64, k: f64) -> f64 {
    ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k)
}

/// ln n!, by Stirling's series from 16 on (its next term is below 1e-10 there).
fn ln_factorial(n: f64) -> f64 {
    if n < 16.0 {
        let mut product = 1.0;
        let mut factor = 2.0;
        while factor <= n {
            product *= factor;
            factor += 1.0;
        }
        return product.ln();
    }
    let series = 1.0 / (12.0 * n) - 1.0 / (360.0 * n.powi(3)) + 1.0 / (1260.0 * n.powi(5));
    n * n.ln() - n + 0.5 * (std::f64::consts::TAU * n).ln() + series
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(a: f64, b: f64) {
        assert!(
            (a - b).abs() <= 1e-9 * b.abs().max(1e-300),
            "{a}, wanted {b}"
        );
    }

    /// 10 and 20 of 100: 20 or more of 30 at a half is 4.9 %, more than 2.5 %. 10 and 24: 24 or more of 34 is 1.2 %.
    #[test]
    fn rates_that_differ_by_chance_are_equal() {
        assert!(rates_are_equal((10, 100), (20, 100)) && rates_are_equal((0, 50), (0, 900)));
        assert!(!rates_are_equal((10, 100), (24, 100)) && !rates_are_equal((24, 100), (10, 100)));
    }

    /// Two dice throws of ten: 1 − (5/6)^10 − 10 × (1/6) × (5/6)^9 = 0.51548 for two sixes or more (left
    /// of the middle is 1); three of three at a half: 1/8; 9 of 10 or more: 11/1024.
    #[test]
    fn a_binomial_tail_by_hand() {
        near(at_least(3, 3, 0.5), 0.125);
        near(at_least(9, 10, 0.5), 11.0 / 1024.0);
        near(at_least(10, 10, 0.5), 1.0 / 1024.0);
        near(at_least(0, 10, 0.5), 1.0);
        near(at_least(11, 10, 0.5), 0.0);
        // 20 choose 5 and so on: P(X ≥ 18 | 20, 0.6) = 190·0.6^18·0.4^2 + 20·0.6^19·0.4 + 0.6^20.
        let by_hand =
            190.0 * 0.6_f64.powi(18) * 0.16 + 20.0 * 0.6_f64.powi(19) * 0.4 + 0.6_f64.powi(20);
        near(at_least(18, 20, 0.6), by_hand);
    }

    /// None before in 1000, three after in 1000, rates equal: (1/2)^3.
    #[test]
    fn two_rates_by_hand() {
        near(rate_rose((0, 1000), (3, 1000), 1.0), 0.125);
        // Were the rate 1.5 times what it was: (1.5 ÷ 2.5)^3.
        near(rate_rose((0, 1000), (3, 1000), 1.5), 0.216);
    }

    /// One earlier silence: as long again, 1 ÷ 2. Thirteen: twice as long, 1/14 × 2/15.
    #[test]
    fn silences_by_hand() {
        near(silence(1, 1), 0.5);
        near(silence(13, 2), 2.0 / 210.0);
        near(silence(0, 5), 1.0);
    }

    proptest! {
        /// Against the sum of every term, for sizes that allow it.
        #[test]
        fn the_tail_is_the_sum_of_its_terms(n in 1_u64..60, p in 0.01_f64..0.99, share in 0.0_f64..1.0) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss,
                reason = "small counts")]
            let k = (share * n as f64) as u64;
            #[expect(clippy::cast_precision_loss, reason = "small counts")]
            let term = |i: u64| {
                let choose: f64 = (0..i).map(|j| (n - j) as f64 / (j + 1) as f64).product();
                choose * p.powf(i as f64) * (1.0 - p).powf((n - i) as f64)
            };
            let whole: f64 = (k..=n).map(term).sum();
            let found = at_least(k, n, p);
            prop_assert!((found - 1.0).abs() < 1e-12 && whole > 0.3 || (found - whole).abs() < 1e-9, "{found} {whole}");
        }
    }
}
