//! Runs what was planned: a copy for each function, the invocations, and the removal of the copy, whatever happens.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use aws_config::SdkConfig;
use rightsizer_aws::clock::now;
use rightsizer_aws::tune::{Marks, Scratch, ScratchError, TuneCalls};
use rightsizer_rules::power::Prior;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::TuneArgs;
use super::apply::apply;
use super::fleet::{Fleet, tuned_function};
use super::plan::{self, Prepared, prepare};
use super::report::Report;
use super::wish::wishes;
use crate::cli::out;
use crate::cli::runtime::{progress, runtime};
use crate::settings::Settings;
use crate::tune::{Copied, Measured, Run, longest, save};

pub(super) fn run(args: &TuneArgs) -> anyhow::Result<ExitCode> {
    let wishes = wishes(args)?;
    let settings = Settings::load(args.config.config.as_deref())?;
    let mut fleet = Fleet::begin(args, wishes.len())?;
    runtime()?.block_on(async {
        let config = args.place.config().await?;
        let calls = TuneCalls::new(&config);
        let mut all = Vec::with_capacity(wishes.len());
        for wish in fleet.not_done(wishes) {
            let name = wish.function.to_string();
            match prepare(args, &config, &calls, &settings, wish).await {
                Ok(prepared) => all.push(prepared),
                Err(error) => fleet.failed(&name, error)?,
            }
        }
        plan::print(&all);
        if !args.yes {
            return planned(args, &all, &fleet);
        }
        let cancel = cancelled_by_signals()?;
        let mut reports = Vec::with_capacity(all.len());
        for prepared in &all {
            if cancel.is_cancelled() {
                break;
            }
            let report = tuned(args, (&config, &calls), &settings, prepared, &cancel).await;
            match report {
                Ok(report) => {
                    fleet.tuned(prepared, &report)?;
                    reports.push(report);
                }
                Err(error) => fleet.failed(&prepared.wish.function.to_string(), error)?,
            }
        }
        finished(args, &all, &reports, &fleet)
    })
}

/// Tunes one function, stores the results, and applies the best size if that is wanted.
async fn tuned(
    args: &TuneArgs,
    (config, calls): (&SdkConfig, &TuneCalls),
    settings: &Settings,
    prepared: &Prepared,
    cancel: &CancellationToken,
) -> anyhow::Result<Report> {
    let mut report = tune(args, calls, settings, prepared, cancel).await?;
    keep(args, settings, &mut report);
    if prepared.wish.apply {
        report.applied = Some(apply(config, prepared, &report).await?);
    }
    Ok(report)
}

/// Only the plan was wanted.
fn planned(args: &TuneArgs, all: &[Prepared], fleet: &Fleet) -> anyhow::Result<ExitCode> {
    if args.form.is_json() {
        let plans: Vec<_> = all.iter().map(Prepared::json).collect();
        let json = json!({ "dry_run": true, "functions": plans, "failed": fleet.failures });
        crate::cli::write_json(&json, &mut out::stdout())?;
    } else {
        out::line(format_args!(
            "dry run: nothing was created or invoked; pass --yes to run"
        ))?;
    }
    Ok(if fleet.failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A token that Ctrl-C and a service manager's stop cancel. A second signal ends the process at once.
pub(in crate::cli) fn cancelled_by_signals() -> anyhow::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let cancel = CancellationToken::new();
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?,
        signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?,
    );
    let token = cancel.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if token.is_cancelled() {
                out::note(format_args!(
                    "rightsizer: the copy was not removed\nhint: rightsizer tune --cleanup --yes removes it"
                ));
                std::process::exit(130);
            }
            out::note(format_args!(
                "rightsizer: stopping; the copy is being removed"
            ));
            token.cancel();
        }
    });
    Ok(cancel)
}

/// Makes the copy of one function, invokes it, and removes it.
async fn tune(
    args: &TuneArgs,
    calls: &TuneCalls,
    settings: &Settings,
    prepared: &Prepared,
    cancel: &CancellationToken,
) -> anyhow::Result<Report> {
    let begun = Instant::now();
    let run = format!("{:08x}", fastrand::u32(..));
    let order = &prepared.order;
    let long = longest(order.plan.most_invocations(), order.timeout_ms, order.pause);
    let until = now().plus_ms(i64::try_from(long.as_millis()).unwrap_or(i64::MAX));
    let marks = Marks {
        run: run.clone(),
        until,
        snap_start: false,
    };
    let scratch = Scratch::new(calls.clone(), prepared.original.clone(), marks);
    let (made, throttled) =
        made_and_measured(prepared, calls, settings.power.prior(), &scratch, cancel).await;
    let removed = scratch.remove().await;
    let removed = removed.with_context(|| {
        format!(
            "the copy {} could not be removed\nhint: rightsizer tune --cleanup --yes removes it",
            scratch.name()
        )
    });
    let measured = match (made, &removed) {
        (Ok(measured), _) => measured,
        (Err(error), Ok(_)) => {
            let hint = hint(&error);
            let hint = args.place.hint(&error.to_string(), hint).await;
            anyhow::bail!(
                "{} cannot be tuned: {error}; nothing was invoked{hint}",
                prepared.wish.function
            );
        }
        (Err(error), Err(_)) => {
            out::note(format_args!("rightsizer: {error}"));
            Measured::default()
        }
    };
    let tuned = measured.tuned.clone();
    let mut report = Report::new(prepared, measured, begun.elapsed());
    report.throttled = throttled;
    report.tuned_function = tuned_function(prepared, &report, &tuned);
    if let Some(left) = removed?.log_group_left {
        report
            .notes
            .push(format!("the log group of the copy may be left: {left}"));
    }
    match calls.code_sha256(&prepared.wish.function).await {
        Ok(now) if now.as_deref() == prepared.original.code_sha256() => {}
        Ok(_) => report.code_changed = true,
        Err(error) => report.notes.push(format!(
            "cannot check whether the code changed meanwhile: {error}"
        )),
    }
    Ok(report)
}

/// Makes the copy and measures, until it is done or cancelled.
async fn made_and_measured(
    prepared: &Prepared,
    calls: &TuneCalls,
    prior: &Prior,
    scratch: &Scratch,
    cancel: &CancellationToken,
) -> (Result<Measured, ScratchError>, BTreeMap<String, u64>) {
    let order = &prepared.order;
    let first = order.plan.sizes().last().copied();
    let first = first.unwrap_or_else(|| prepared.original.memory_mb());
    tokio::select! {
        biased;
        () = cancel.cancelled() => return (Ok(Measured::cancelled()), BTreeMap::new()),
        made = scratch.create(first) => if let Err(error) = made {
            return (Err(error), BTreeMap::new());
        },
    }
    let stage = Copied::new(calls, scratch, &prepared.wish.processors);
    let most = usize::try_from(order.plan.most_invocations()).unwrap_or(usize::MAX);
    let bar = progress("invoking", most);
    let run = Run::new(order, &stage, cancel);
    let measured = run
        .run(&prepared.known.production, prior, || bar.inc(1))
        .await;
    bar.finish_and_clear();
    (Ok(measured), stage.throttled())
}

const fn hint(error: &ScratchError) -> &'static str {
    match error {
        ScratchError::PassRole { .. } => {
            "allow iam:PassRole on this role with iam:PassedToService lambda.amazonaws.com; docs/TUNE.md has the policy"
        }
        ScratchError::OtherCode => "name the package of exactly this version",
        _ => "docs/TUNE.md has the policy that a run needs",
    }
}

/// Writes the results into the store, if there is one; they belong to the code that was measured.
fn keep(args: &TuneArgs, settings: &Settings, report: &mut Report) {
    let Some(store) = plan::store(args) else {
        return;
    };
    if report.code_changed
        || report
            .sizes
            .iter()
            .all(|size| size.figures.typical.is_none())
    {
        return;
    }
    let figures: Vec<_> = report
        .sizes
        .iter()
        .map(|size| size.figures.clone())
        .collect();
    if let Err(error) = save(&store, settings.clone(), &report.function, &figures) {
        report.notes.push(format!(
            "the results are not in the store: {error:#}; with --format power-tuning, the output can be imported with \
             `rightsizer import --function NAME FILE`"
        ));
    } else {
        report.stored = true;
    }
}

fn finished(
    args: &TuneArgs,
    all: &[Prepared],
    reports: &[Report],
    fleet: &Fleet,
) -> anyhow::Result<ExitCode> {
    let mut out = out::stdout();
    if args.form.is_json() {
        let json = json!({
            "dry_run": false,
            "functions": reports,
            "failed": fleet.failures,
            "ranking": fleet.ranking(all),
        });
        crate::cli::write_json(&json, &mut out)?;
    } else {
        for report in reports {
            let prepared = all
                .iter()
                .find(|of| of.original.function == report.function);
            report.print(args, prepared.map(|of| &of.wish), &mut out)?;
        }
        fleet.print(all, &mut out)?;
    }
    let complete = reports.len() == all.len() && reports.iter().all(Report::is_complete);
    Ok(if complete && fleet.failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
