//! The link of a chart: all figures are in the fragment of its address, so the page receives none of them.
//!
//! After `#` come three lists in base64 between semicolons: the sizes as 16-bit integers, the durations in ms and the
//! costs of an invocation in dollars as 32-bit floats. All are little-endian, as JavaScript's typed arrays are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rightsizer_records::Megabytes;

/// The public page.
const PAGE: &str = "https://lambda-power-tuning.show/";
/// Characters that mail and chat programs escape in a fragment.
const ESCAPED: [(&str, &str); 8] = [
    ("%3B", ";"),
    ("%3b", ";"),
    ("%2B", "+"),
    ("%2b", "+"),
    ("%2F", "/"),
    ("%2f", "/"),
    ("%3D", "="),
    ("%3d", "="),
];

/// Returns the address of a chart of sizes with their durations in ms and the costs of an invocation in dollars. The
/// page expects them by size.
pub fn chart_url(points: &[(Megabytes, f64, f64)]) -> String {
    let mut points = points.to_vec();
    points.sort_by_key(|(size, ..)| *size);
    let (mut sizes, mut durations, mut costs) = (Vec::new(), Vec::new(), Vec::new());
    for (size, ms, usd) in points {
        // Lambda's sizes fit.
        let Ok(size) = i16::try_from(size.0) else {
            continue;
        };
        sizes.extend(size.to_le_bytes());
        durations.extend(single(ms).to_le_bytes());
        costs.extend(single(usd).to_le_bytes());
    }
    let lists = [sizes, durations, costs].map(|bytes| STANDARD.encode(bytes));
    format!("{PAGE}#{}", lists.join(";"))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the page reads single precision"
)]
const fn single(number: f64) -> f32 {
    number as f32
}

/// Returns the sizes, durations and costs of a link; `None` if its fragment is not that of a chart.
pub(super) fn figures(link: &str) -> Option<Vec<(i16, f64, f64)>> {
    let (_, packed) = link.split_once('#')?;
    let plain = ESCAPED
        .iter()
        .fold(packed.to_owned(), |text, (escaped, mark)| {
            text.replace(escaped, mark)
        });
    let lists: Vec<&str> = plain.split(';').collect();
    let [sizes, durations, costs] = lists.as_slice() else {
        return None;
    };
    let sizes = sixteen_bits(sizes)?;
    let (durations, costs) = (floats(durations)?, floats(costs)?);
    let same = sizes.len() == durations.len() && sizes.len() == costs.len();
    let figures = sizes.into_iter().zip(durations).zip(costs);
    same.then(|| figures.map(|((mb, ms), usd)| (mb, ms, usd)).collect())
}

fn sixteen_bits(packed: &str) -> Option<Vec<i16>> {
    let bytes = STANDARD.decode(packed).ok()?;
    let (pairs, rest) = bytes.as_chunks::<2>();
    rest.is_empty()
        .then(|| pairs.iter().copied().map(i16::from_le_bytes).collect())
}

/// Floats with the digits that they had: `0.1` is not `0.10000000149`.
fn floats(packed: &str) -> Option<Vec<f64>> {
    let bytes = STANDARD.decode(packed).ok()?;
    let (all, rest) = bytes.as_chunks::<4>();
    let shortest = |bytes: &[u8; 4]| f32::from_le_bytes(*bytes).to_string().parse().ok();
    all.iter()
        .map(shortest)
        .collect::<Option<_>>()
        .filter(|_| rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of 128 are 80 00, of 512 00 02; 1000.0 is 00 00 7a 44 and 250.0 is 00 00 7a 43; 0.00001 is ac c5 27
    /// 37.
    #[test]
    fn the_address_by_hand() {
        let points = [
            (Megabytes(512), 250.0, 1e-5),
            (Megabytes(128), 1000.0, 1e-5),
        ];
        let wanted = [
            STANDARD.encode([0x80, 0, 0, 2]),
            STANDARD.encode([0, 0, 0x7a, 0x44, 0, 0, 0x7a, 0x43]),
            STANDARD.encode([0xac, 0xc5, 0x27, 0x37, 0xac, 0xc5, 0x27, 0x37]),
        ];
        assert_eq!(chart_url(&points), format!("{PAGE}#{}", wanted.join(";")));
    }

    /// The example in the documentation of the page.
    #[test]
    fn a_published_link_is_read_and_written_alike() {
        let link = "https://lambda-power-tuning.show/#gAAAAQACAAQABsAL;\
                    ZooQR4yvkUa/pQRGRC5zRaADHUVjOftE;QdWhOEMkoziDT5Q4xhiIOMYYiDi6RNc4";
        let read = figures(link).unwrap();
        let sizes: Vec<i16> = read.iter().map(|(size, ..)| *size).collect();
        assert_eq!(sizes, [128, 256, 512, 1024, 1536, 3008]);
        let whole = |mb: i16| Megabytes(u32::try_from(mb).unwrap());
        let points: Vec<_> = read
            .into_iter()
            .map(|(mb, ms, usd)| (whole(mb), ms, usd))
            .collect();
        assert_eq!(chart_url(&points), link);
        assert_eq!(figures("https://lambda-power-tuning.show/#gAA=;;"), None);
    }
}
