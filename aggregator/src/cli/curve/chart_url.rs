//! The address of a curve on the public page of Lambda Power Tuning.

use rightsizer_formats::power_tuning;
use rightsizer_rules::power::Drawn;

/// Returns the address with every size that has an estimate.
pub(super) fn chart_url(curve: &Drawn) -> String {
    let points = curve.points.iter().filter_map(|point| {
        let each = point.monthly_usd? / curve.monthly_invocations.max(1.0);
        Some((point.memory_mb, point.p50_ms?, each))
    });
    power_tuning::chart_url(&points.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use rightsizer_records::Megabytes;

    use super::super::table::tests::curve;
    use super::*;

    /// $10 a month for 1,000,000 invocations are 0.00001 each.
    #[test]
    fn the_address_has_the_cost_of_an_invocation() {
        let mut curve = curve();
        curve
            .points
            .retain(|point| [128, 512, 1024].contains(&point.memory_mb.0));
        let figures = [Some(1000.0), Some(250.0), None];
        for (point, ms) in curve.points.iter_mut().zip(figures) {
            (point.p50_ms, point.monthly_usd) = (ms, Some(10.0));
        }
        curve.monthly_invocations = 1e6;
        let points = [(128, 1000.0), (512, 250.0)];
        let points = points.map(|(mb, ms)| (Megabytes(mb), ms, 1e-5));
        assert_eq!(chart_url(&curve), power_tuning::chart_url(&points));
    }
}
