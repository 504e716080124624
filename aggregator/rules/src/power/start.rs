//! What a start takes at most: the limits of P6 and of `coldstarts`.

/// Environments that are restored from a snapshot have so long, or the timeout if that is longer.
pub(crate) const RESTORED_WITHIN_MS: f64 = 130_000.0;

/// Of this number of starts, fewer than one failure does not matter.
const FEW_FAILED: u64 = 100;

/// Returns what starts take, from the number and the 99th percentile of those that succeeded and of those that failed.
/// A start that failed or timed out would have taken longer, so it is a lower bound, and never evidence that less
/// suffices. Fewer than one in a hundred do not count, as the slowest hundredth of the others does not.
pub(crate) fn start_bound<T: PartialOrd>(
    succeeded: Option<(u64, T)>,
    failed: Option<(u64, T)>,
) -> Option<T> {
    let ok = succeeded.as_ref().map_or(0, |(count, _)| *count);
    let failed =
        failed.filter(|(count, _)| count.saturating_mul(FEW_FAILED) >= ok.saturating_add(*count));
    match (succeeded, failed) {
        (Some((_, took)), Some((_, least))) => Some(if least > took { least } else { took }),
        (took, least) => took.or(least).map(|(_, took)| took),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 990 starts within 400 ms. Ten that failed after 10 s are a hundredth of the attempts, nine are fewer. What failed
    /// at once does not show that less suffices.
    #[test]
    fn p6_a_start_that_failed_is_a_lower_bound() {
        let of = |failed| start_bound(Some((990, 400.0)), failed);
        assert_eq!(of(None), Some(400.0));
        assert_eq!(of(Some((10, 10_000.0))), Some(10_000.0));
        assert_eq!(of(Some((9, 10_000.0))), Some(400.0));
        assert_eq!(of(Some((500, 5.0))), Some(400.0));
        assert_eq!(start_bound(None, Some((1, 10_000.0))), Some(10_000.0));
        assert_eq!(start_bound::<f64>(None, None), None);
    }
}
