//! Messages of `rightsizer restore`. Pure.

use std::fmt::Write as _;
use std::path::Path;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use rightsizer_records::Timestamp;
use rightsizer_rules::commands::{Action, AppliedCommand};
use rightsizer_store::inspect::StoreLook;
use serde_json::{Value, json};

use crate::cli::text::counted;
use crate::snapshot::{BucketError, Head, Later, Location, Snapshot, advice, commands_after};

/// The default retention of a stream.
const RETENTION_MS: i64 = 24 * 3600 * 1000;
/// The number of review commands that are listed one by one.
const LISTED: usize = 20;

/// The snapshots that a head names; the one of `marked` is marked.
pub(super) fn table(place: &Location, head: &Head, marked: Option<&Snapshot>) -> String {
    let holds = if head.released {
        "released the lease"
    } else {
        "holds the lease"
    };
    let epoch = format!("epoch {}, {} {holds}", head.epoch, head.holder);
    if head.snapshots.is_empty() {
        return format!("{place}: {epoch}; there are no snapshots yet");
    }
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header([
        "MADE",
        "EPOCH",
        "OBJECT KB",
        "STORE KB",
        "COMMANDS SINCE",
        "",
    ]);
    for (n, snapshot) in head.snapshots.iter().enumerate() {
        let is_marked = marked.is_some_and(|marked| marked.key == snapshot.key);
        let notes = [
            (n == 0).then_some("the next task starts from it"),
            (is_marked && n > 0).then_some("selected by --at"),
        ];
        table.add_row([
            snapshot.taken_at.to_string(),
            snapshot.epoch.to_string(),
            snapshot.bytes.div_ceil(1024).to_string(),
            snapshot.store_bytes.div_ceil(1024).to_string(),
            commands_after(head, snapshot).count().to_string(),
            notes.into_iter().flatten().collect::<Vec<_>>().join("; "),
        ]);
    }
    for column in [1, 2, 3, 4] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    format!(
        "{place}: {epoch}\n\n{}\n\nTo write one to a file: rightsizer restore {place} --at TIME \
         --store FILE\nTo go back to one: rightsizer restore {place} --at TIME --into \
         s3://{}/NEW-PREFIX",
        table.trim_fmt(),
        place.bucket
    )
}

/// The same for programs.
pub(super) fn listed(place: &Location, head: &Head, marked: Option<&Snapshot>) -> Value {
    let snapshots = head.snapshots.iter().enumerate().map(|(n, snapshot)| {
        let mut value = json!(snapshot);
        value["said_since"] = json!(commands_after(head, snapshot).count());
        value["next"] = json!(n == 0);
        value["chosen"] = json!(marked.is_some_and(|marked| marked.key == snapshot.key));
        value
    });
    json!({
        "from": place.to_string(),
        "epoch": head.epoch,
        "holder": head.holder,
        "released": head.released,
        "snapshots": snapshots.collect::<Vec<_>>(),
    })
}

/// The chosen snapshot, and what it lacks.
pub(super) struct Taken<'a> {
    pub(super) place: &'a Location,
    pub(super) snapshot: &'a Snapshot,
    pub(super) later: Later,
    pub(super) now: Timestamp,
}

impl Taken<'_> {
    pub(super) fn json(&self) -> Value {
        json!({
            "from": self.place.to_string(),
            "snapshot": self.snapshot,
            "not_in_it": {
                "count": self.later.count(),
                "forgotten": self.later.forgotten,
                "words": self.later.commands,
            },
        })
    }

    /// What `file` is now.
    pub(super) fn as_file(&self, file: &Path, look: &StoreLook) -> String {
        let last_report = look.newest_report.map_or_else(
            || "it has no reports".to_owned(),
            |last_report| format!("the newest report is from {last_report}"),
        );
        let functions = usize::try_from(look.functions).unwrap_or(usize::MAX);
        let mut text = format!(
            "{} is the store of {}, checked: {}, {last_report}\n{}",
            file.display(),
            self.snapshot.taken_at,
            counted(functions, "function"),
            self.not_in_it()
        );
        let _ = write!(
            text,
            "\nTo read it: rightsizer list --store {0}. To serve it: use an empty --snapshot \
             PREFIX of its own, after the task at {1} has stopped",
            file.display(),
            self.place
        );
        text
    }

    /// What `--yes` would do.
    pub(super) fn as_plan(&self, into: &Location) -> String {
        format!(
            "The snapshot of {} ({} KB) would be the start of a new history at {into}; {} stays as \
             it is.\n{}\nDry run: nothing was written; pass --yes to apply",
            self.snapshot.taken_at,
            self.snapshot.bytes.div_ceil(1024),
            self.place,
            self.not_in_it()
        )
    }

    /// What was done.
    pub(super) fn as_begun(&self, into: &Location) -> String {
        let stack = if into.bucket == self.place.bucket {
            format!(
                "\nTo use it for a deployed stack: make deploy STACK=… OPTIONS=SnapshotPrefix={} \
                 YES=1 (Terraform: snapshot_prefix = \"{0}\")",
                into.prefix
            )
        } else {
            String::new()
        };
        format!(
            "{into} starts with the snapshot of {}, checked; {} is unchanged.\n{}\nTwo tasks must \
             not decide: stop the one at {1} before you start one with --snapshot {into}{stack}",
            self.snapshot.taken_at,
            self.place,
            self.not_in_it()
        )
    }

    /// What a store of this snapshot lacks.
    fn not_in_it(&self) -> String {
        let mut text = match self.later.count() {
            0 => "It has all review commands.".to_owned(),
            count => {
                let count = usize::try_from(count).unwrap_or(usize::MAX);
                format!("It lacks {} given since:", counted(count, "review command"))
            }
        };
        if self.later.forgotten > 0 {
            let _ = write!(
                text,
                "\n  {}, the oldest, which only later snapshots have",
                self.later.forgotten
            );
        }
        for command in self.later.commands.iter().take(LISTED) {
            let _ = write!(text, "\n  {}", described(command));
        }
        let unlisted = self.later.commands.len().saturating_sub(LISTED);
        if unlisted > 0 {
            let _ = write!(text, "\n  and {unlisted} more (--json lists them)");
        }
        if let Some(pause) = self.later.pause() {
            let _ = write!(
                text,
                "\nSending is paused now, by {}, and would not be paused there: run `rightsizer \
                 pause` again (for a file: with --store FILE, before you serve it). If the updater \
                 has the tag rightsizer:paused, it stays",
                pause.command.by
            );
        }
        if self.now.as_ms() - self.snapshot.taken_at.as_ms() > RETENTION_MS {
            text.push_str(
                "\nIt is older than the 24 hours that a stream keeps by default: later records \
                 that are no longer on the streams are lost, and recorded as a gap",
            );
        }
        text
    }
}

/// `2026-03-01T10:00:00.000Z ann: hold checkout for 3 days (sale)`.
fn described(carried: &AppliedCommand) -> String {
    let what = match &carried.command.action {
        Action::Approve { what } => format!("approve {what}"),
        Action::Unapprove { what } => format!("unapprove {what}"),
        Action::Reject { what } => format!("reject {what}"),
        Action::Hold { what, days } => {
            format!("hold {what} for {}", counted(*days as usize, "day"))
        }
        Action::Release { what } => format!("release {what}"),
        Action::Clear { what } => format!("clear {what}"),
        Action::Forget { what } => format!("forget {what}"),
        Action::Pause => "pause".to_owned(),
        Action::Resume => "resume".to_owned(),
    };
    let why = match carried.command.why.as_str() {
        "" => String::new(),
        why => format!(" ({why})"),
    };
    format!("{} {}: {what}{why}", carried.at, carried.command.by)
}

/// A location that cannot be read, with what to do: `better`, if the cause is not the bucket.
pub(super) fn unreadable(
    place: &Location,
    error: &BucketError,
    better: Option<String>,
) -> anyhow::Error {
    let advice = better.unwrap_or_else(|| {
        let (bucket, prefix) = (&place.bucket, &place.prefix);
        let actions = format!("s3:GetObject on {bucket}/{prefix}/* and s3:ListBucket on {bucket}");
        allow_or(error, &actions)
    });
    anyhow::anyhow!("{place} cannot be read ({error}). Nothing was done\nhint: {advice}")
}

/// A location that cannot be written, with what to do: `better`, if the cause is not the bucket.
pub(super) fn unwritable(
    place: &Location,
    error: &BucketError,
    better: Option<String>,
) -> anyhow::Error {
    let advice = better.unwrap_or_else(|| {
        let (bucket, prefix) = (&place.bucket, &place.prefix);
        let actions = format!(
            "s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload on {bucket}/{prefix}/*"
        );
        allow_or(error, &actions)
    });
    anyhow::anyhow!("{place} cannot be written ({error}). Nothing was done\nhint: {advice}")
}

/// What to do about a bucket: to allow these actions, if it was denied.
fn allow_or(error: &BucketError, actions: &str) -> String {
    match error {
        BucketError::Denied(_) => {
            format!("allow {actions} to the user of this command, or use another --profile")
        }
        _ => advice(error).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rightsizer_rules::commands::ReviewCommand;

    fn command(number: u64, action: Action, why: &str) -> AppliedCommand {
        AppliedCommand {
            number,
            at: Timestamp::parse("2026-03-01T11:00:00Z").unwrap(),
            command: ReviewCommand {
                action,
                by: "ann".to_owned(),
                why: why.to_owned(),
            },
        }
    }

    /// What a person has to know before going back: the review commands that are undone, the pause above all.
    #[test]
    fn lost_review_commands_are_listed() {
        let snapshot = Snapshot {
            key: "k".to_owned(),
            epoch: 1,
            sequence: 1,
            taken_at: Timestamp::parse("2026-03-01T10:00:00Z").unwrap(),
            bytes: 3000,
            store_bytes: 1,
            blake3: String::new(),
            commands: 2,
            schema: 0,
        };
        let place: Location = "s3://evidence/prod".parse().unwrap();
        let (what, days) = ("checkout".to_owned(), 1);
        let taken = Taken {
            place: &place,
            snapshot: &snapshot,
            later: Later {
                commands: vec![
                    command(5, Action::Hold { what, days }, "sale"),
                    command(6, Action::Pause, ""),
                ],
                forgotten: 2,
            },
            now: Timestamp::parse("2026-03-02T10:00:01Z").unwrap(),
        };
        insta::assert_snapshot!(taken.as_plan(&"s3://evidence/prod-2".parse().unwrap()), @r"
        The snapshot of 2026-03-01T10:00:00.000Z (3 KB) would be the start of a new history at s3://evidence/prod-2; s3://evidence/prod stays as it is.
        It lacks 4 review commands given since:
          2, the oldest, which only later snapshots have
          2026-03-01T11:00:00.000Z ann: hold checkout for 1 day (sale)
          2026-03-01T11:00:00.000Z ann: pause
        Sending is paused now, by ann, and would not be paused there: run `rightsizer pause` again (for a file: with --store FILE, before you serve it). If the updater has the tag rightsizer:paused, it stays
        It is older than the 24 hours that a stream keeps by default: later records that are no longer on the streams are lost, and recorded as a gap
        Dry run: nothing was written; pass --yes to apply
        ");
        let nothing = Taken {
            later: Later::default(),
            now: snapshot.taken_at,
            ..taken
        };
        insta::assert_snapshot!(nothing.as_begun(&"s3://evidence/prod-2".parse().unwrap()), @r#"
        s3://evidence/prod-2 starts with the snapshot of 2026-03-01T10:00:00.000Z, checked; s3://evidence/prod is unchanged.
        It has all review commands.
        Two tasks must not decide: stop the one at s3://evidence/prod before you start one with --snapshot s3://evidence/prod-2
        To use it for a deployed stack: make deploy STACK=… OPTIONS=SnapshotPrefix=prod-2 YES=1 (Terraform: snapshot_prefix = "prod-2")
        "#);
    }
}
