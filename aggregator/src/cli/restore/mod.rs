//! `rightsizer restore`: lists snapshots, and restores one as a file or as the beginning of a new
//! history, to take a deployed system back to it.

mod messages;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use indicatif::ProgressBar;
use messages::{Taken, listed, table, unreadable, unwritable};
use rightsizer_aws::clock::now;
use rightsizer_records::Timestamp;
use serde_json::{Value, json};

use super::import::progress;
use super::place::PlaceArgs;
use super::runtime::runtime;
use crate::cli::form::FormArgs;
use crate::cli::out;
use crate::snapshot::{
    Bucket, BucketError, Head, Location, Snapshot, Watch, begin_at, choose, commands_after,
    take_out,
};

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// The location of the snapshots, `s3://BUCKET/PREFIX` [default: that of --snapshot]
    #[arg(value_name = "URL")]
    place: Option<Location>,
    /// The location, if no URL is given
    #[arg(long, env = "RIGHTSIZER_SNAPSHOT", value_name = "URL")]
    snapshot: Option<Location>,
    /// Use the newest snapshot made at or before this time, such as 2026-03-01T10:00:00Z [default:
    /// the newest]
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    at: Option<Timestamp>,
    /// Write the snapshot to this new file, to read it, or to serve it with another PREFIX
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
    /// Start a new history with the snapshot, at this empty `s3://BUCKET/PREFIX`; pass --yes to apply
    #[arg(long, value_name = "URL", conflicts_with = "store")]
    into: Option<Location>,
    /// Apply the plan; without this flag it is only shown
    #[arg(long, requires = "into")]
    yes: bool,
    #[command(flatten)]
    aws: PlaceArgs,
    #[command(flatten)]
    form: FormArgs,
}

pub(super) fn run(args: &RestoreArgs) -> anyhow::Result<ExitCode> {
    let Some(place) = args.place.as_ref().or(args.snapshot.as_ref()) else {
        out::note(format_args!(
            "error: no location of snapshots\nhint: rightsizer restore s3://BUCKET/PREFIX, as for \
             `serve --snapshot` (for a deployed stack, see its outputs)"
        ));
        return Ok(ExitCode::from(2));
    };
    let (text, value) = runtime()?.block_on(restore(args, place))?;
    let mut out = out::stdout();
    if args.form.is_json() {
        crate::cli::write_json(&value, &mut out)?;
    } else {
        writeln!(out, "{text}")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The result as text and as JSON.
async fn restore(args: &RestoreArgs, place: &Location) -> anyhow::Result<(String, Value)> {
    let config = args.aws.config().await?;
    let bucket = Bucket::new(&config, place.clone());
    let head = head_of(&bucket, &args.aws).await?;
    if args.at.is_none() && args.store.is_none() && args.into.is_none() {
        let next = head.snapshots.first();
        return Ok((table(place, &head, next), listed(place, &head, next)));
    }
    let chosen = choose(&head, args.at).with_context(|| {
        format!("nothing to restore\nhint: `rightsizer restore {place}` lists the snapshots")
    })?;
    let taken = Taken {
        place,
        snapshot: chosen,
        later: commands_after(&head, chosen),
        now: now(),
    };
    match (&args.store, &args.into) {
        (Some(file), _) => to_file(&bucket, &taken, file, &args.aws).await,
        (None, Some(into)) => {
            let there = Bucket::new(&config, into.clone());
            to_place(&bucket, &taken, &there, args).await
        }
        (None, None) => Ok((
            table(place, &head, Some(chosen)),
            listed(place, &head, Some(chosen)),
        )),
    }
}

/// The result of reading or writing the location `place`, or its error with what to do.
async fn done<T>(
    done: Result<T, BucketError>,
    failed: impl Fn(&Location, &BucketError, Option<String>) -> anyhow::Error,
    place: &Location,
    aws: &PlaceArgs,
) -> anyhow::Result<T> {
    match done {
        Ok(done) => Ok(done),
        Err(error) => {
            let better = aws.place().advice(&error.to_string()).await;
            Err(failed(place, &error, better))
        }
    }
}

async fn head_of(bucket: &Bucket, aws: &PlaceArgs) -> anyhow::Result<Head> {
    let place = bucket.location();
    if let Some((bytes, _)) = done(bucket.head().await, unreadable, place, aws).await? {
        return Head::decode(&bytes).map_err(|error| anyhow::anyhow!("{place}/head.json: {error}"));
    }
    match done(bucket.anything().await, unreadable, place, aws).await? {
        None => bail!(
            "there are no snapshots at {place}\nhint: use the URL of `serve --snapshot` (its log \
             begins with it; for a deployed stack it is s3://BUCKET/store, with BUCKET from the \
             output SnapshotBucket)"
        ),
        Some(key) => bail!(
            "{place}/head.json is missing, so it is unknown which of the snapshots there ({key} \
             and more) is the newest\nhint: restore it (a versioned bucket has it: `aws s3api \
             list-object-versions --bucket {} --prefix {}/head.json`)",
            place.bucket,
            place.prefix
        ),
    }
}

async fn to_file(
    bucket: &Bucket,
    taken: &Taken<'_>,
    file: &Path,
    aws: &PlaceArgs,
) -> anyhow::Result<(String, Value)> {
    let (bar, watch) = watched("downloading", taken.snapshot);
    let done = take_out(bucket, taken.snapshot, file, &watch).await;
    bar.finish_and_clear();
    let looked = match done.with_context(|| format!("{} was not written", file.display())) {
        Ok(looked) => looked,
        Err(error) => return Err(with_advice(error, aws).await),
    };
    let mut value = taken.json();
    value["file"] = json!(file);
    value["functions"] = json!(looked.functions);
    value["last_heard"] = json!(looked.newest_report);
    value["stops"] = json!(looked.stops);
    Ok((taken.as_file(file, &looked), value))
}

async fn to_place(
    bucket: &Bucket,
    taken: &Taken<'_>,
    there: &Bucket,
    args: &RestoreArgs,
) -> anyhow::Result<(String, Value)> {
    let into = there.location();
    let found = there.anything().await;
    if let Some(key) = done(found, unreadable, into, &args.aws).await? {
        bail!(
            "{into} is not empty ({key}), and nothing is overwritten\nhint: give an empty prefix"
        );
    }
    // Checked before a long download.
    let may = there.may_write().await;
    done(may, unwritable, into, &args.aws).await?;
    let mut value = taken.json();
    value["into"] = json!(into.to_string());
    value["dry_run"] = json!(!args.yes);
    if !args.yes {
        return Ok((taken.as_plan(into), value));
    }
    let folder = tempfile::Builder::new()
        .prefix("rightsizer-restore-")
        .tempdir()
        .context(
            "cannot create a temporary folder for the snapshot\nhint: set TMPDIR to another \
                  disk",
        )?;
    let work = folder.path().join("rightsizer.db");
    let (bar, watch) = watched("downloading", taken.snapshot);
    let (up_bar, up) = watched("uploading", taken.snapshot);
    let done = begin_at(bucket, taken.snapshot, there, &work, (&watch, up)).await;
    bar.finish_and_clear();
    up_bar.finish_and_clear();
    let made = match done {
        Ok(made) => made,
        Err(error) => {
            let error = not_begun(error, into, folder.path());
            return Err(with_advice(error, &args.aws).await);
        }
    };
    value["key"] = json!(made.key);
    Ok((taken.as_begun(into), value))
}

/// The error of a history that was not begun. If the bucket is not the cause, the disk may be.
fn not_begun(error: anyhow::Error, into: &Location, folder: &Path) -> anyhow::Error {
    let of_bucket = error
        .chain()
        .any(|cause| cause.downcast_ref::<BucketError>().is_some());
    let disk = if of_bucket {
        String::new()
    } else {
        let folder = folder.display();
        format!(" (the snapshot is unpacked in {folder}; set TMPDIR to another disk)")
    };
    error.context(format!("no history was begun at {into}{disk}"))
}

/// Returns the error with what to do, if the credentials or the clock are the cause: a session may end during a long
/// download.
async fn with_advice(error: anyhow::Error, aws: &PlaceArgs) -> anyhow::Error {
    let text = format!("{error:#}");
    match aws.place().advice(&text).await {
        Some(advice) => {
            anyhow::anyhow!("{text}\nhint: {advice}; then run this command again")
        }
        None => error,
    }
}

/// A progress bar, and the callback that moves it.
fn watched(what: &str, snapshot: &Snapshot) -> (ProgressBar, Watch) {
    let bar = progress(what, Some(snapshot.bytes));
    let moved = bar.clone();
    (bar, Arc::new(move |bytes| moved.set_position(bytes)))
}
