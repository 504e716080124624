//! The monthly cost of the system itself, as in infra/README.md.

use anyhow::{Context as _, Result, ensure};

use crate::stage::root;

const HOURS: f64 = 730.0;
const DAYS: f64 = 30.4;

// List prices of us-east-1 in US dollars, as published in 2025.
const SHARD_HOUR: f64 = 0.015;
const MILLION_PUT_UNITS: f64 = 0.014;
const STREAM_ON_DEMAND_HOUR: f64 = 0.04;
const STREAM_IN_GB: f64 = 0.08;
const STREAM_OUT_GB: f64 = 0.04;
const TEN_THOUSAND_KMS: f64 = 0.03;
const PUBLIC_ADDRESS_HOUR: f64 = 0.005;
const BUCKET_GB_MONTH: f64 = 0.023;
const BUCKET_MILLION_GETS: f64 = 0.40;
const BUCKET_THOUSAND_PUTS: f64 = 0.005;
const ALARM: f64 = 0.10;
const METRIC: f64 = 0.30;
const SECRET: f64 = 0.40;

/// Fargate per hour: one vCPU, one GB.
struct Processor {
    vcpu: f64,
    gb: f64,
}
const X86: Processor = Processor {
    vcpu: 0.040_48,
    gb: 0.004_445,
};
const ARM: Processor = Processor {
    vcpu: 0.032_38,
    gb: 0.003_56,
};

/// Environments of a function that are busy at once, and their busy hours per day.
const ENVIRONMENTS: f64 = 2.0;
const BUSY_HOURS: f64 = 8.0;
/// An environment sends a record per minute. Provisioned shards bill units of 25 KB and take 1 MB and 1,000 records
/// per second; an on-demand stream bills whole KB.
const RECORD_KB: f64 = 2.0;
const SHARD_KB_SECOND: f64 = 1000.0;
/// Kinesis calls KMS about every five minutes for each environment's credentials.
const KMS_AN_HOUR: f64 = 12.0;
/// As in docs/COST.md, Snapshots.
const SNAPSHOT_KB_A_FUNCTION: f64 = 0.9;
/// Reads of the snapshots' lease object, one every five seconds.
const LOOKS_A_MONTH: f64 = 12.0 * 60.0 * HOURS;
/// Stored snapshots: one every five minutes for a day, and ten older ones.
const SNAPSHOTS_KEPT: f64 = 298.0;
/// Alarms of the template, and the metric with a value every minute. Other metrics are billed only for hours with
/// data.
const ALARMS: f64 = 11.0;
const METRICS: f64 = 1.0;

/// Returns the shards for the reports of this number of functions, all of them busy at once.
fn shards(functions: f64) -> f64 {
    let kb_second = functions * ENVIRONMENTS * RECORD_KB / 60.0;
    (kb_second / SHARD_KB_SECOND).ceil().max(1.0)
}

/// Returns the records per month.
fn records(functions: f64) -> f64 {
    functions * ENVIRONMENTS * BUSY_HOURS * 60.0 * DAYS
}

/// Returns the monthly cost of both streams, the task, and the rest.
fn month(functions: f64, vcpu: f64, gb: f64, on: &Processor) -> [f64; 3] {
    let streams = (shards(functions) + 1.0) * SHARD_HOUR * HOURS
        + records(functions) / 1e6 * MILLION_PUT_UNITS;
    let task = (vcpu * on.vcpu + gb * on.gb + PUBLIC_ADDRESS_HOUR) * HOURS;
    let kept = functions * SNAPSHOT_KB_A_FUNCTION * SNAPSHOTS_KEPT / 1e6;
    let puts = 2.0 * 12.0 * 24.0 * DAYS / 1000.0;
    let bucket = kept * BUCKET_GB_MONTH
        + puts * BUCKET_THOUSAND_PUTS
        + LOOKS_A_MONTH * BUCKET_MILLION_GETS / 1e6;
    let watching = ALARMS * ALARM + METRICS * METRIC;
    [streams, task, bucket + watching + SECRET]
}

/// Returns the most that `ReportsEncryption=kms` adds, if every environment calls as often as possible.
fn kms(functions: f64) -> f64 {
    functions * ENVIRONMENTS * BUSY_HOURS * KMS_AN_HOUR * DAYS / 1e4 * TEN_THOUSAND_KMS
}

/// Returns the cost that `ReportsShards=0` adds.
fn on_demand(functions: f64) -> f64 {
    let through = records(functions) * RECORD_KB / 1e6 * (STREAM_IN_GB + STREAM_OUT_GB);
    let provisioned =
        shards(functions) * SHARD_HOUR * HOURS + records(functions) / 1e6 * MILLION_PUT_UNITS;
    STREAM_ON_DEMAND_HOUR * HOURS + through - provisioned
}

const FLEETS: [(f64, &str, f64, f64); 4] = [
    (100.0, "100", 0.25, 0.5),
    (1_000.0, "1,000", 0.25, 0.5),
    (10_000.0, "10,000", 0.5, 1.0),
    (100_000.0, "100,000", 1.0, 2.0),
];

#[test]
fn the_cost_in_the_documentation_is_computed() -> Result<()> {
    let text = std::fs::read_to_string(root().join("infra/README.md"))?;
    for (functions, named, vcpu, gb) in FLEETS {
        let [streams, task, rest] = month(functions, vcpu, gb, &ARM);
        let all = streams + task + rest;
        let [_, x86, _] = month(functions, vcpu, gb, &X86);
        let row = format!(
            "| {named} | {:.0} | {vcpu} vCPU, {gb} GB | {streams:.0} | {task:.0} | {rest:.0} | **{all:.0}** | {:.0} | {:.0} | {:.0} |",
            shards(functions),
            x86 - task,
            kms(functions),
            on_demand(functions),
        );
        println!("{row}");
        ensure!(text.contains(&row), "infra/README.md lacks this row: {row}");
    }
    Ok(())
}

#[test]
fn a_small_fleet_costs_at_most_35_dollars_a_month_and_a_large_one_60() {
    for (functions, _, vcpu, gb) in FLEETS {
        let all: f64 = month(functions, vcpu, gb, &ARM).iter().sum();
        println!("{functions}: {all:.2}");
        if functions <= 100.0 {
            assert!(all <= 35.0, "{functions}: {all}");
        } else if functions <= 10_000.0 {
            assert!(all <= 60.0, "{functions}: {all}");
        }
    }
}

/// 10,000 × 2 environments × 2 KB a minute are 667 KB a second: one shard. 100,000: 6.7 MB, seven.
#[test]
fn shards_follow_what_goes_through_them() {
    assert!((shards(10_000.0) - 1.0).abs() < f64::EPSILON);
    assert!((shards(100_000.0) - 7.0).abs() < f64::EPSILON);
}

/// A removed snapshot stays in its bucket as an old version for one to two days.
#[test]
fn what_removed_snapshots_cost_is_computed() -> Result<()> {
    let page = std::fs::read_to_string(root().join("docs/COST.md"))?;
    // Snapshots a day, GB of each, and the other costs of the row.
    for (functions, a_day, gb, others) in [
        ("10,000", 288.0, 0.009, 0.21 + 0.09),
        ("1,000,000", 144.0, 0.9, 0.21 + 1.27 + 0.21),
    ] {
        // S3 standard, us-east-1: $0.023 a GB and month.
        let day = a_day * gb * 0.023;
        let row = page
            .lines()
            .find(|line| line.starts_with(&format!("| {functions} |")))
            .with_context(|| format!("no row of {functions}"))?;
        let wanted = format!(
            "| {day:.2} to {:.2} | {:.2} to {:.2} |",
            2.0 * day,
            others + day,
            others + 2.0 * day
        );
        assert!(row.ends_with(&wanted), "{row}: {wanted}");
    }
    Ok(())
}
