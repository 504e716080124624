//! The figures of one function at one size.

use rightsizer_records::{Arch, Megabytes};
use serde::Serialize;

use super::super::tuning::percentile;
use super::median::median;
use super::{ColdSample, Package, Stage, Tested};
use crate::price::PriceTable;

/// The cold starts of one function at one size, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cell {
    /// The function.
    #[serde(flatten)]
    pub tested: Tested,
    /// The time since the deployment.
    pub stage: Stage,
    /// The size.
    pub memory_mb: Megabytes,
    /// Number of starts.
    pub starts: usize,
    /// Median of init or restore.
    pub p50_ms: f64,
    /// Lower end of the median's 90 % interval; `None` for fewer than five starts.
    pub p50_low_ms: Option<f64>,
    /// Upper end.
    pub p50_high_ms: Option<f64>,
    /// 95th percentile.
    pub p95_ms: f64,
    /// Median of the time that the first caller waits: the start and the first invocation.
    pub wait_p50_ms: f64,
    /// What the init of a million starts costs, in dollars; `None` for a restore, which is not billed by time.
    pub million_usd: Option<f64>,
}

impl Cell {
    pub(super) fn of(
        tested: &Tested,
        stage: Stage,
        memory_mb: Megabytes,
        group: &[&ColdSample],
        prices: &PriceTable,
    ) -> Option<Self> {
        let starts = ascending(group.iter().map(|sample| sample.start_ms));
        let waits = group
            .iter()
            .map(|sample| sample.start_ms + sample.handler_ms);
        let waits = ascending(waits);
        let typical = median(&starts)?;
        let arch = if tested.arm64 {
            Arch::Arm64
        } else {
            Arch::X86_64
        };
        let rates = prices.rates(tested.region.as_deref());
        let usd = |ms: f64| rates.compute_usd(ms, memory_mb, Some(arch));
        #[expect(clippy::cast_precision_loss, reason = "a count of samples")]
        let mean = starts.iter().sum::<f64>() / starts.len() as f64;
        Some(Self {
            tested: tested.clone(),
            stage,
            memory_mb,
            starts: starts.len(),
            p50_ms: typical.value,
            p50_low_ms: typical.interval.map(|(low, _)| low),
            p50_high_ms: typical.interval.map(|(_, high)| high),
            p95_ms: percentile(&starts, 0.95),
            wait_p50_ms: median(&waits)?.value,
            million_usd: (tested.package != Package::SnapStart).then(|| usd(mean) * 1e6),
        })
    }
}

fn ascending(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}
