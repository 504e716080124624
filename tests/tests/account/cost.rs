//! What the system itself costs a month, as in docs/COST.md.

use anyhow::{Result, ensure};

use crate::stage::root;

const HOURS: f64 = 730.0;
const DAYS: f64 = 30.4;

// List prices of us-east-1 in US dollars, as published in 2025.
const STREAM_ON_DEMAND_HOUR: f64 = 0.04;
const STREAM_IN_GB: f64 = 0.08;
const STREAM_OUT_GB: f64 = 0.04;
const SHARD_HOUR: f64 = 0.015;
const VCPU_HOUR: f64 = 0.040_48;
const TASK_GB_HOUR: f64 = 0.004_445;
const PUBLIC_ADDRESS_HOUR: f64 = 0.005;
const BUCKET_GB_MONTH: f64 = 0.023;
const BUCKET_MILLION_GETS: f64 = 0.40;
const BUCKET_THOUSAND_PUTS: f64 = 0.005;
const ALARM: f64 = 0.10;
const METRIC: f64 = 0.30;
const SECRET: f64 = 0.40;

/// Environments of a function that are busy at once, and hours a day that they are.
const ENVIRONMENTS: f64 = 2.0;
const BUSY_HOURS: f64 = 8.0;
/// An environment sends a record a minute; the stream counts it in whole KB.
const RECORD_KB: f64 = 2.0;
/// As in docs/COST.md, Snapshots.
const SNAPSHOT_KB_A_FUNCTION: f64 = 0.9;
/// A look at the head every five seconds.
const LOOKS_A_MONTH: f64 = 12.0 * 60.0 * HOURS;
/// One every five minutes for a day, and ten older ones.
const SNAPSHOTS_KEPT: f64 = 298.0;

/// A month: streams, task, the rest.
fn month(functions: f64, vcpu: f64, gb: f64) -> [f64; 3] {
    let records = functions * ENVIRONMENTS * BUSY_HOURS * 60.0 * DAYS;
    let through = records * RECORD_KB / 1e6;
    let streams =
        (STREAM_ON_DEMAND_HOUR + SHARD_HOUR) * HOURS + through * (STREAM_IN_GB + STREAM_OUT_GB);
    let task = (vcpu * VCPU_HOUR + gb * TASK_GB_HOUR + PUBLIC_ADDRESS_HOUR) * HOURS;
    let kept = functions * SNAPSHOT_KB_A_FUNCTION * SNAPSHOTS_KEPT / 1e6;
    let puts = 2.0 * 12.0 * 24.0 * DAYS / 1000.0;
    let bucket = kept * BUCKET_GB_MONTH
        + puts * BUCKET_THOUSAND_PUTS
        + LOOKS_A_MONTH * BUCKET_MILLION_GETS / 1e6;
    let watching = 8.0 * ALARM + 5.0 * METRIC;
    [streams, task, bucket + watching + SECRET]
}

#[test]
fn the_cost_in_the_documentation_is_computed() -> Result<()> {
    let text = std::fs::read_to_string(root().join("docs/COST.md"))?;
    for (functions, named, vcpu, gb) in [
        (100.0, "100", 0.25, 0.5),
        (1_000.0, "1,000", 0.25, 0.5),
        (10_000.0, "10,000", 0.5, 1.0),
    ] {
        let [streams, task, rest] = month(functions, vcpu, gb);
        let all = streams + task + rest;
        let row = format!(
            "| {named} | {vcpu} vCPU, {gb} GB | {streams:.0} | {task:.0} | {rest:.0} | **{all:.0}** | {:.3} |",
            all / functions
        );
        println!("{row}");
        ensure!(text.contains(&row), "docs/COST.md lacks this row: {row}");
    }
    Ok(())
}
