//! The address of a curve on the public page of Lambda Power Tuning. The page's format: the base64 of the sizes
//! (16-bit integers), the durations and the costs of an invocation (32-bit floats), little-endian, after `#`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rightsizer_rules::power::Drawn;

/// The page.
const PAGE: &str = "https://lambda-power-tuning.show/";

/// Returns the address with every size that has an estimate.
pub(super) fn chart_url(curve: &Drawn) -> String {
    let (mut sizes, mut durations, mut costs) = (Vec::new(), Vec::new(), Vec::new());
    for point in &curve.points {
        let (Some(ms), Some(usd)) = (point.p50_ms, point.monthly_usd) else {
            continue;
        };
        let each = usd / curve.monthly_invocations.max(1.0);
        let Ok(size) = i16::try_from(point.memory_mb.0) else {
            continue;
        };
        sizes.extend(size.to_le_bytes());
        durations.extend(single(ms).to_le_bytes());
        costs.extend(single(each).to_le_bytes());
    }
    let parts = [sizes, durations, costs].map(|bytes| STANDARD.encode(bytes));
    format!("{PAGE}#{}", parts.join(";"))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the page reads single precision"
)]
const fn single(number: f64) -> f32 {
    number as f32
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::curve;
    use super::*;

    /// The bytes of 128 are 80 00, of 512 00 02; 1000.0 is 00 00 7a 44 and 250.0 is 00 00 7a 43. $10 a month for
    /// 1,000,000 invocations are 0.00001 each: ac c5 27 37.
    #[test]
    fn the_address_by_hand() {
        let mut curve = curve();
        curve
            .points
            .retain(|point| [128, 512].contains(&point.memory_mb.0));
        for (point, (ms, usd)) in curve.points.iter_mut().zip([(1000.0, 10.0), (250.0, 10.0)]) {
            (point.p50_ms, point.monthly_usd) = (Some(ms), Some(usd));
        }
        curve.monthly_invocations = 1e6;
        let wanted = [
            STANDARD.encode([0x80, 0, 0, 2]),
            STANDARD.encode([0, 0, 0x7a, 0x44, 0, 0, 0x7a, 0x43]),
            STANDARD.encode([0xac, 0xc5, 0x27, 0x37, 0xac, 0xc5, 0x27, 0x37]),
        ];
        assert_eq!(chart_url(&curve), format!("{PAGE}#{}", wanted.join(";")));
    }
}
