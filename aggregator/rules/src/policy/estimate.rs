//! The one interface of all policies (P7), and estimators to compose them from: each returns how
//! much memory the demand so far requires, and can wrap others.

use rightsizer_records::{Megabytes, Reason};

use super::evidence::FunctionEvidence;
use super::reasons::{Reasons, times};
use crate::window::WINDOW_DAYS;

/// How much memory a function should have, from what it used. Pure: the same evidence gives the
/// same size and the same reasons.
pub trait Estimator {
    /// Returns the size, and adds what shaped it to `reasons` (P8); `None` if no day of the window
    /// has a memory figure.
    fn estimate(&self, seen: &FunctionEvidence, reasons: &mut Reasons) -> Option<Megabytes>;
}

/// P1: `ceil(mean of the window's daily peaks) + buffer`. Days without invocations are not in it
/// (W6).
#[derive(Debug, Clone, Copy)]
pub struct AveragePlusBuffer {
    /// What is added to the mean.
    pub buffer: Megabytes,
}

impl Estimator for AveragePlusBuffer {
    fn estimate(&self, seen: &FunctionEvidence, reasons: &mut Reasons) -> Option<Megabytes> {
        let days = u32::try_from(seen.daily_peaks.len())
            .ok()
            .filter(|days| *days > 0)?;
        let sum: u64 = seen.daily_peaks.iter().map(|peak| u64::from(peak.0)).sum();
        let mean = u32::try_from(sum.div_ceil(u64::from(days))).ok()?;
        let mb = Megabytes(mean.saturating_add(self.buffer.0));
        reasons.add(|| Reason::AveragePlusBuffer {
            buffer_mb: self.buffer,
            days,
            mb,
            mean_mb: Megabytes(mean),
        });
        Some(mb)
    }
}

/// The highest daily peak of the window.
#[derive(Debug, Clone, Copy)]
pub struct HighestPeak;

impl Estimator for HighestPeak {
    fn estimate(&self, seen: &FunctionEvidence, reasons: &mut Reasons) -> Option<Megabytes> {
        let highest = *seen.daily_peaks.iter().max()?;
        reasons.add(|| Reason::HighestPeak {
            days: u32::try_from(seen.daily_peaks.len()).unwrap_or(u32::MAX),
            mb: highest,
            window_days: WINDOW_DAYS,
        });
        Some(highest)
    }
}

/// Adds a share of the size of `inner`, at least the given number of MB.
#[derive(Debug, Clone, Copy)]
pub struct Margin<E> {
    /// What it is added to.
    pub inner: E,
    /// 1.15 adds 15 %.
    pub factor: f64,
    /// The least that is added.
    pub least: Megabytes,
}

impl<E: Estimator> Estimator for Margin<E> {
    fn estimate(&self, seen: &FunctionEvidence, reasons: &mut Reasons) -> Option<Megabytes> {
        let from = self.inner.estimate(seen, reasons)?;
        let mb = times(from, self.factor).max(Megabytes(from.0.saturating_add(self.least.0)));
        reasons.add(|| Reason::Margin {
            factor: self.factor,
            from_mb: from,
            least_mb: self.least,
            mb,
        });
        Some(mb)
    }
}

#[cfg(test)]
mod tests {
    use super::super::case::code;
    use super::super::evidence::tests::seen;
    use super::*;

    fn estimate(estimator: &dyn Estimator, peaks: &[u32]) -> (u32, Vec<String>) {
        let mut reasons = Reasons::kept();
        let mb = estimator.estimate(&seen(peaks), &mut reasons).unwrap();
        let codes = reasons.into_vec().iter().map(code).collect();
        (mb.0, codes)
    }

    /// 1.15 × 900 = 1035, whatever the other thirteen days are.
    #[test]
    fn p7_peak_plus_margin() {
        let policy = Margin {
            inner: HighestPeak,
            factor: 1.15,
            least: Megabytes(0),
        };
        let (mb, codes) = estimate(&policy, &[200, 900, 200]);
        assert_eq!(mb, 1035);
        assert_eq!(codes, ["highest-peak", "margin"]);
    }

    /// max(10 %, 100 MB): 200 + 100 = 300; 2000 + 200 = 2200.
    #[test]
    fn p7_a_margin_has_a_least() {
        let policy = Margin {
            inner: HighestPeak,
            factor: 1.10,
            least: Megabytes(100),
        };
        assert_eq!(estimate(&policy, &[200]).0, 300);
        assert_eq!(estimate(&policy, &[2000]).0, 2200);
    }

    #[test]
    fn no_memory_figure_no_estimate() {
        let none = seen(&[]);
        let mut reasons = Reasons::kept();
        assert_eq!(HighestPeak.estimate(&none, &mut reasons), None);
        assert!(reasons.into_vec().is_empty());
    }
}
