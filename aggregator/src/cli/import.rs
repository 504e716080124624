//! `rightsizer import FILE…`: evidence from files. Each file is one transaction: all of it is kept,
//! or none if it was imported before.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use rightsizer_aws::clock::now;
use rightsizer_formats::{Counting, Hints, ImportReport};
use rightsizer_records::{Day, Timestamp};
use rightsizer_rules::evidence::FunctionKey;
use rightsizer_rules::window::ClockMode;
use rightsizer_store::Store;
use rightsizer_store::files::{is_kept_beside, is_part_of};
use serde::Serialize;

use super::flags;
use super::import_cloudwatch::{self, CloudwatchArgs};
use super::import_paths;
use super::nearest::nearest;
use super::out;
use super::{ConfigArg, HomeArg, StoreArg};
use crate::cli::form::FormArgs;
use crate::cli::text::counted;
use crate::import::{ImportError, take_in};
use crate::pipeline::{Accept, Digest, Pipeline};
use crate::settings::Settings;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct ImportArgs {
    #[command(subcommand)]
    from: Option<ImportFrom>,
    /// Files, folders, or patterns such as 'logs/**/*.gz'; `-` is standard input. The format is
    /// recognised by content
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    config: ConfigArg,
    /// The function, if a file does not name it: a name or an ARN
    #[arg(long, value_parser = flags::function)]
    function: Option<FunctionKey>,
    /// The day of lines without a time, YYYY-MM-DD [default: the day the file was last changed]
    #[arg(long, value_parser = flags::day)]
    date: Option<Day>,
    #[command(flatten)]
    home: HomeArg,
    #[command(flatten)]
    form: FormArgs,
}

#[derive(Debug, Subcommand)]
enum ImportFrom {
    /// Read the last 14 days of the account's log groups; nothing needs to be deployed.
    Cloudwatch(Box<CloudwatchArgs>),
}

#[derive(Serialize)]
struct JsonReport<'a> {
    #[serde(flatten)]
    report: &'a ImportReport,
    failed: Vec<String>,
    functions_decided: u64,
}

pub(super) fn run(args: &ImportArgs) -> anyhow::Result<ExitCode> {
    if let Some(ImportFrom::Cloudwatch(args)) = &args.from {
        return import_cloudwatch::run(args);
    }
    let settings = Settings::load(args.config.config.as_deref())?;
    let mut failed = Vec::new();
    let mut files = Vec::new();
    for argument in &args.files {
        match import_paths::files(argument) {
            // The store is usually in the folder that is imported. What is named is refused instead.
            Ok(found) if found.as_slice() != std::slice::from_ref(argument) => files.extend(
                found
                    .into_iter()
                    .filter(|path| !is_kept_beside(path, &args.store.store)),
            ),
            Ok(found) => files.extend(found),
            Err(why) => failed.push(why.to_string()),
        }
    }
    if let Some(nothing) = nothing_to_read(&files, &failed) {
        // Not even an empty store is created for it.
        out::note(format_args!("{nothing}"));
        return Ok(ExitCode::FAILURE);
    }
    let store = Store::open(&args.store.store, "rightsizer import")?;
    let mut pipeline = Pipeline::new(store, ClockMode::Event, settings, Accept::default())?;
    let mut report = ImportReport::default();
    let mut known_before = 0;
    for path in &files {
        match import_file(args, path, &mut pipeline, &mut report) {
            Ok(None) => {}
            Ok(Some(unusable)) => failed.push(format!("{}: {unusable}", path.display())),
            // A job that imports whatever is there runs again and again.
            Err(known @ ImportError::Known(_)) => {
                known_before += 1;
                out::note(format_args!("rightsizer: {}: {known}", path.display()));
            }
            Err(ImportError::Store(error)) => return Err(error.into()),
            Err(ImportError::Unreadable(error)) => failed.push(cannot_open(path, &error)),
            Err(error) => failed.push(format!("{}: {error}", path.display())),
        }
    }
    let decided = pipeline.finish(now())?.decided;
    print(args, &report, &failed, decided)?;
    for failure in &failed {
        out::note(format_args!("error: {failure}"));
    }
    let any = report.any() || known_before > 0;
    if failed.is_empty() && !any {
        out::note(format_args!("error: {}", nothing_found(report.read)));
    }
    Ok(if failed.is_empty() && any {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Why there is no evidence, and what to do: an export with nothing in it was made with a wrong name, time or filter.
fn nothing_found(read: u64) -> String {
    if read == 0 {
        return "no evidence was found: the input holds no entries\nhint: check the log group's name, the time range and the \
                filter of the export; functions with JSON logs write `platform.report`, others `REPORT RequestId:`"
            .to_owned();
    }
    format!(
        "no evidence was found: {read} entries were read, and none is a report of an invocation\nhint: docs/WIRE.md lists \
         the formats that are read"
    )
}

/// Prints what was read.
fn print(
    args: &ImportArgs,
    report: &ImportReport,
    failed: &[String],
    decided: u64,
) -> anyhow::Result<()> {
    let mut out = out::stdout();
    if args.form.is_json() {
        let json = JsonReport {
            report,
            failed: failed.to_vec(),
            functions_decided: decided,
        };
        crate::cli::write_json(&json, &mut out)?;
    } else if report.read > 0 {
        out.write_prose(&report.to_string())?;
        writeln!(
            out,
            "{} decided; `rightsizer list --store {}` shows the fleet",
            counted(usize::try_from(decided).unwrap_or(usize::MAX), "function"),
            args.store.store.display()
        )?;
    }
    Ok(())
}

/// If no file can be opened: the error of each, after the errors of the arguments.
fn nothing_to_read(files: &[PathBuf], failed: &[String]) -> Option<String> {
    let wrong = |path: &PathBuf| match open(path) {
        Ok(_) => None,
        Err(_) if path == Path::new("-") => None,
        Err(error) => Some(format!("error: {}", cannot_open(path, &error))),
    };
    let wrong: Option<Vec<String>> = files.iter().map(wrong).collect();
    let failed = failed.iter().map(|why| format!("error: {why}"));
    wrong.map(|lines| failed.chain(lines).collect::<Vec<_>>().join("\n"))
}

/// Why a path cannot be opened, with what to do if it is an address or a command.
fn cannot_open(path: &Path, error: &std::io::Error) -> String {
    let shown = path.display();
    let text = path.to_string_lossy();
    match text.split_once("://").map(|(scheme, _)| scheme) {
        Some(scheme) if scheme.eq_ignore_ascii_case("s3") => format!(
            "{shown}: objects are not read from S3 directly\n\
             hint: aws s3 cp {shown} - | rightsizer import --function NAME -"
        ),
        Some(scheme) if scheme.bytes().all(|b| b.is_ascii_alphanumeric()) => format!(
            "{shown}: addresses are not read directly\n\
             hint: curl -fsSL '{shown}' | rightsizer import --function NAME -"
        ),
        _ => format!("{shown}: {error}{}", meant(path).unwrap_or_default()),
    }
}

/// A hint if a name that no file has is probably that of the subcommand.
fn meant(path: &Path) -> Option<&'static str> {
    let name = path.to_str().filter(|name| !name.contains(['.', '/']))?;
    let meant = nearest(name, std::iter::once("cloudwatch"));
    meant.map(|_| "\nhint: did you mean `rightsizer import cloudwatch`?")
}

/// Reports that nothing in a file could be used, if something should have been.
fn unusable(report: &ImportReport) -> Option<String> {
    (report.accepted == 0 && report.refused_count > 0).then(|| {
        format!(
            "nothing in it could be used: {} entries refused, {} ignored",
            report.refused_count, report.ignored
        )
    })
}

/// What to do about findings of other tools that no line of `list` shows.
fn unplaced(file: &str, findings: u64) -> Option<String> {
    (findings > 0).then(|| {
        format!(
            "{file}: {findings} of these findings are of functions that this store has no reports of, so \
             nothing shows them yet: import their logs with --account and --region, or by `rightsizer import \
             cloudwatch`"
        )
    })
}

/// What came again, or may have.
fn repeated(file: &str, digest: &Digest) -> Option<String> {
    if digest.again > 0 {
        let again = counted(
            usize::try_from(digest.again).unwrap_or(usize::MAX),
            "report",
        );
        return Some(format!(
            "{file}: {again} have ids that were imported before, and were not counted again"
        ));
    }
    let (first, last, days) = digest.overlapping?;
    let days = counted(usize::try_from(days).unwrap_or(usize::MAX), "day");
    Some(format!(
        "{file}: {days} of functions ({first} to {last}) had evidence from another file already. The lines have no \
         ids, so if the files overlap, the same invocations count twice: `aws logs filter-log-events` exports \
         ids, and `rightsizer import cloudwatch` replaces what it read before"
    ))
}

fn import_file(
    args: &ImportArgs,
    path: &Path,
    pipeline: &mut Pipeline,
    report: &mut ImportReport,
) -> Result<Option<String>, ImportError> {
    let stdin = path == Path::new("-");
    let name = if stdin {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    };
    let (input, length, changed): (Box<dyn Read + Send>, Option<u64>, Timestamp) = if stdin {
        (Box::new(std::io::stdin()), None, now())
    } else {
        if is_part_of(path, &args.store.store) {
            // Closing it again would drop SQLite's locks on the store.
            return Err(ImportError::OwnStore);
        }
        let (file, length, changed) = open(path).map_err(ImportError::Unreadable)?;
        (Box::new(file), Some(length), changed)
    };
    let hints = Hints {
        function: args
            .function
            .clone()
            .map(|function| at_home(function, args)),
        date: args.date,
        fallback_date: changed.day(),
        file_name: import_paths::name_of(path),
        home: args.home.home(),
        owners: pipeline.gate().owners.get(),
    };
    let bar = progress(&name, length);
    let mut file_report = ImportReport::default();
    let accept = Accept::default();
    let digest = pipeline.work(now(), |session| {
        let input = Counting::new(input, |bytes| bar.set_position(bytes));
        let against = (&accept, now());
        take_in(session, input, &name, &hints, against, &mut file_report)
    })?;
    bar.finish_and_clear();
    file_report.notes.extend(unplaced(&name, digest.unplaced));
    file_report.notes.extend(repeated(&name, &digest));
    let unusable = unusable(&file_report);
    report.absorb(file_report);
    Ok(unusable)
}

/// A function given by name belongs to the account and region given with it.
fn at_home(function: FunctionKey, args: &ImportArgs) -> FunctionKey {
    let (FunctionKey::Local(name), Some(home)) = (&function, args.home.home()) else {
        return function;
    };
    home.arn(name).map_or(function, FunctionKey::Arn)
}

fn open(path: &Path) -> std::io::Result<(File, u64, Timestamp)> {
    let file = File::open(path)?;
    let facts = file.metadata()?;
    if facts.is_dir() {
        return Err(std::io::ErrorKind::IsADirectory.into());
    }
    let changed = facts.modified().ok().and_then(|time| {
        let ms = time.duration_since(std::time::UNIX_EPOCH).ok()?.as_millis();
        Timestamp::from_ms(i64::try_from(ms).ok()?)
    });
    Ok((file, facts.len(), changed.unwrap_or_else(now)))
}

/// A progress bar of the given number of bytes, on standard error and only if it is a terminal.
pub(super) fn progress(name: &str, length: Option<u64>) -> ProgressBar {
    let (bar, template) = match length {
        Some(length) => (
            ProgressBar::new(length),
            "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec}, {eta} left",
        ),
        None => (
            ProgressBar::new_spinner(),
            "{msg} {spinner} {bytes} {bytes_per_sec}",
        ),
    };
    // The template is a constant; with a bad one the bar would only look plainer.
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style).with_message(name.to_owned())
}
