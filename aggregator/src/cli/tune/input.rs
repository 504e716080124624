//! Values of the flags of `tune`.

use clap::ValueEnum;
use rightsizer_aws::tune::S3Code;
use rightsizer_records::Megabytes;
use rightsizer_rules::power::Strategy;

use super::megabytes;

/// What was expected instead of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::cli) enum BadValue {
    #[error("expected sizes from 128 to 10240 such as 128,512,1024, or all")]
    Sizes,
    #[error("expected a share from 0 to 1")]
    Share,
    #[error("expected an amount of dollars above 0")]
    Usd,
    #[error("expected s3://BUCKET/KEY")]
    S3,
}

/// The sizes that were named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct SizesArg(pub(in crate::cli) Vec<Megabytes>);

/// The names of the strategies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum StrategyName {
    /// The cheapest size
    Cost,
    /// The fastest size
    Speed,
    /// The lowest weighted sum of both
    Balanced,
}

impl StrategyName {
    pub(super) const fn strategy(self, weight: f64) -> Strategy {
        match self {
            Self::Cost => Strategy::Cost,
            Self::Speed => Strategy::Speed,
            Self::Balanced => Strategy::Balanced { weight },
        }
    }
}

pub(in crate::cli) fn sizes(text: &str) -> Result<SizesArg, BadValue> {
    if text.eq_ignore_ascii_case("all") {
        return Ok(SizesArg(megabytes((128..=3008).step_by(64))));
    }
    let sizes = text.split(',').map(|size| {
        let size = size.trim().parse().ok();
        size.filter(|size| (128..=10_240).contains(size))
    });
    let sizes: Option<Vec<u32>> = sizes.collect();
    sizes.map(megabytes).map(SizesArg).ok_or(BadValue::Sizes)
}

pub(super) fn share(text: &str) -> Result<f64, BadValue> {
    let share = text.parse().ok();
    share
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or(BadValue::Share)
}

pub(in crate::cli) fn usd(text: &str) -> Result<f64, BadValue> {
    let usd: Option<f64> = text.parse().ok();
    usd.filter(|usd| *usd > 0.0 && usd.is_finite())
        .ok_or(BadValue::Usd)
}

pub(super) fn s3_code(text: &str) -> Result<S3Code, BadValue> {
    let (bucket, key) = s3_parts(text).ok_or(BadValue::S3)?;
    Ok(S3Code { bucket, key })
}

/// Returns the bucket and the key of `s3://BUCKET/KEY`.
pub(super) fn s3_parts(text: &str) -> Option<(String, String)> {
    let (bucket, key) = text.strip_prefix("s3://")?.split_once('/')?;
    let whole = !bucket.is_empty() && !key.is_empty();
    whole.then(|| (bucket.to_owned(), key.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_a_list_or_all() {
        let read = |text: &str| sizes(text).map(|sizes| sizes.0.iter().map(|mb| mb.0).collect());
        assert_eq!(read("128, 512"), Ok(vec![128, 512]));
        // (3008 − 128) ÷ 64 + 1 = 46.
        assert_eq!(
            read("all").map(|all: Vec<u32>| (all.len(), all[45])),
            Ok((46, 3008))
        );
        for bad in ["", "64", "128,", "20000", "many"] {
            assert_eq!(sizes(bad), Err(BadValue::Sizes), "{bad}");
        }
    }

    #[test]
    fn a_place_in_s3_has_a_bucket_and_a_key() {
        assert_eq!(
            s3_parts("s3://b/k/x.zip"),
            Some(("b".to_owned(), "k/x.zip".to_owned()))
        );
        for bad in ["s3://b", "s3:///k", "b/k", "s3://b/"] {
            assert_eq!(s3_parts(bad), None, "{bad}");
        }
    }
}
