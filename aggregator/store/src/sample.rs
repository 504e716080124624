//! Rows of a fleet, for tests of the crates that show them (feature `sample`).

use serde_json::json;

use crate::ReviewRow;

/// Returns a function with these sizes (now, peak, recommended) and monthly costs (before, after).
#[expect(
    clippy::expect_used,
    reason = "a test that cannot set its scene has failed"
)]
pub fn row(name: &str, (now, peak, to): (u32, u32, u32), (before, after): (f64, f64)) -> ReviewRow {
    serde_json::from_value(json!({
        "function": name, "current_mb": now, "peak_mb": peak, "policy_mb": to, "target_mb": to,
        "to_mb": (to != now).then_some(to), "status": "open", "confidence": "high", "reasons": [],
        "invocations": 1, "monthly_usd_before": before, "monthly_usd_after": after,
        "urgent": false, "recommendation": null, "closed_reason": null, "seen": 1,
        "duplicates": 0, "late": 0, "lost": 0, "version": "$LATEST", "arch": "arm64",
        "runtime": null, "p99_ms": null, "decided_on": null, "last_report": null,
    }))
    .expect("a row as it is serialized")
}
