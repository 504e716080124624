//! What the power curve of one function takes.

use std::time::Duration;

use anyhow::{Context as _, Result};
use rightsizer_records::{Day, Megabytes};
use rightsizer_rules::power::{Durations, Prior, SizeUse, Subject, draw};
use rightsizer_rules::price::PriceTable;

use crate::median;

/// Curves per run.
const CURVES: u32 = 200;

/// Returns the time of one curve from one size with CPU time, and from two sizes.
pub fn measure(runs: usize) -> Result<(Duration, Duration)> {
    let one = [at(512, 120.0, Some(0.2))?];
    let two = [at(512, 120.0, None)?, at(1024, 70.0, None)?];
    Ok((drawn(&one, runs)?, drawn(&two, runs)?))
}

fn drawn(sizes: &[SizeUse], runs: usize) -> Result<Duration> {
    let subject = Subject {
        version: "",
        now_mb: Megabytes(512),
        before_mb: None,
        safe_mb: Megabytes(256),
        max_mb: Megabytes(10_240),
        sizes,
        elsewhere: &[],
        monthly_usd: Some(10.0),
        rates: PriceTable::default().rates(None),
        arch: None,
        weight: 0.5,
        speed_budget: 1.1,
    };
    let all = median(runs, || {
        for _ in 0..CURVES {
            std::hint::black_box(draw("", &subject, Prior::shipped())?);
        }
        Ok(())
    })?;
    Ok(all / CURVES)
}

fn at(memory_mb: u32, p50_ms: f64, cores_used: Option<f64>) -> Result<SizeUse> {
    let day = |text| Day::parse(text).ok().context("a day");
    Ok(SizeUse {
        version: String::new(),
        memory_mb: Megabytes(memory_mb),
        first_day: day("2026-01-01")?,
        last_day: day("2026-01-14")?,
        invocations: 100_000,
        failures: 0,
        timeouts: 0,
        ooms: 0,
        billed_ms: 12_000_000,
        durations: Some(Durations {
            count: 100_000,
            mean_ms: p50_ms * 1.1,
            p50_ms,
            p95_ms: p50_ms * 1.6,
            p99_ms: p50_ms * 2.0,
            spread: 0.3,
        }),
        cores_used,
        used_mb: Some(100.0),
        peak_mb: Megabytes(110),
        starts: None,
        inits: None,
        restores: None,
        failed_inits: None,
        failed_restores: None,
        deployment: None,
        first_hours: None,
        hours_factor: None,
        firsts: None,
        arch: None,
    })
}
