//! The snapshots: which exist, and each call that `serve` makes, once.

use aws_config::SdkConfig;
use rightsizer_records::Timestamp;

use super::finding::Finding;
use crate::snapshot::{Bucket, BucketError, Head, Location, advice};

/// A running task makes snapshots, or finds that nothing changed, far more often.
const OLD_MS: i64 = 3 * 3600 * 1000;

/// Checks the snapshots at `location`.
pub(super) async fn examine(
    config: &SdkConfig,
    location: Location,
    now: Timestamp,
) -> Vec<Finding> {
    let bucket = Bucket::new(config, location);
    let listed = bucket.snapshot_keys().await;
    let left = listed.as_ref().map_or(0, Vec::len);
    let mut findings = vec![match bucket.head().await {
        Ok(None) if left > 0 => Finding::wrong(
            "snapshots",
            format!(
                "{}/head.json is missing, so it is unknown which of {left} objects is the newest \
                 snapshot",
                bucket.location()
            ),
            "restore head.json (a versioned bucket has it), or use a new prefix",
        ),
        Ok(None) => Finding::ok("snapshots", format!("none at {} yet", bucket.location())),
        Ok(Some((bytes, _))) => match Head::decode(&bytes) {
            Ok(head) => of(&head, now),
            Err(error) => Finding::wrong(
                "snapshots",
                format!("{}/head.json: {error}", bucket.location()),
                "use a prefix of its own, or upgrade this program",
            ),
        },
        Err(error) => refused("snapshots", "s3:GetObject", &error),
    }];
    findings.push(match listed {
        Ok(keys) => Finding::ok("snapshots, listing", format!("{} objects", keys.len())),
        Err(error) => refused("snapshots, listing", "s3:ListBucket", &error),
    });
    findings.push(match bucket.may_write().await {
        Ok(()) => Finding::ok(
            "snapshots, writing",
            "not denied (tried with a condition that is never true, so nothing was written)",
        ),
        Err(error) => refused("snapshots, writing", "s3:PutObject", &error),
    });
    findings
}

fn of(head: &Head, now: Timestamp) -> Finding {
    let Some(newest) = head.snapshots.first() else {
        let found = format!("none yet; {} holds epoch {}", head.holder, head.epoch);
        return Finding::ok("snapshots", found);
    };
    let found = format!(
        "the newest is from {}, {} KB for a store of {} KB; {} {} epoch {}",
        newest.taken_at,
        newest.bytes.div_ceil(1024),
        newest.store_bytes.div_ceil(1024),
        head.holder,
        if head.released { "left" } else { "holds" },
        head.epoch
    );
    if now.as_ms() - newest.taken_at.as_ms() > OLD_MS {
        let advice = "if a task is running: its log has the reason, unless nothing changed";
        return Finding::doubtful("snapshots", found, advice);
    }
    Finding::ok("snapshots", found)
}

fn refused(check: &str, action: &str, error: &BucketError) -> Finding {
    Finding::wrong(check, format!("{action} fails: {error}"), advice(error))
}
