//! `rightsizer approve`: approves open recommendations, of one function or of many, and prints the
//! worst case of each.

use std::process::ExitCode;

use clap::Args;
use rightsizer_records::Usd;
use rightsizer_records::shown::shown;
use rightsizer_rules::commands::Action;
use rightsizer_store::ReviewRow;

use super::list::{ChooseArgs, fleet};
use super::review::{ReviewArgs, carry_out};
use super::text::{SavingRange, counted, names_with_regions, range, saving_range, slowdown};
use super::{ConfigArg, out};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ApproveArgs {
    #[command(flatten)]
    choose: ChooseArgs,
    /// Every function with an open recommendation
    #[arg(long)]
    all: bool,
    /// Approve what a pattern, a filter or --all selects; without this flag it is only shown
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    command: ReviewArgs,
    #[command(flatten)]
    config: ConfigArg,
}

const EXAMPLES: &str = "Examples:
  rightsizer approve checkout
  rightsizer approve 'report-*' --confidence high    shows what it would do
  rightsizer approve 'report-*' --confidence high --yes";

pub(super) fn run(args: &ApproveArgs) -> anyhow::Result<ExitCode> {
    if !args.choose.is_given() && !args.all {
        out::note(format_args!(
            "error: no function is named\nhint: name functions, or pass --all for every open recommendation"
        ));
        return Ok(ExitCode::from(2));
    }
    let (store, server) = (args.command.store(), args.command.server());
    let (rows, _) = fleet(store, server, Some(&args.config))?;
    let by_name = args.choose.is_by_name();
    let mut chosen = args.choose.choose(rows)?;
    if !by_name {
        chosen.retain(|row| row.status == "open");
    }
    if chosen.is_empty() {
        out::line(format_args!("no open recommendation matches"))?;
        return Ok(ExitCode::FAILURE);
    }
    for (row, name) in chosen.iter().zip(names_with_regions(&chosen)) {
        let effect = effect(row, &name);
        match (row.status.as_str(), by_name) {
            // Beside the result, which scripts read.
            ("open", true) => out::note(format_args!("{}", shown(&effect))),
            ("open", false) => out::prose(format_args!("{}", shown(&effect)))?,
            _ => {}
        }
    }
    if !by_name && !args.yes {
        let count = counted(chosen.len(), "recommendation");
        out::line(format_args!(
            "dry run: nothing was approved; pass --yes to approve {count}"
        ))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut failed = false;
    for row in &chosen {
        let what = row.function.clone();
        match carry_out(
            &args.command.command(Action::Approve { what })?,
            &args.command,
        ) {
            // The command has been applied, whether or not its output is read.
            Ok(done) => drop(out::prose(format_args!("{}", shown(&done.message)))),
            Err(error) => {
                failed = true;
                out::note(format_args!("error: {error:#}"));
            }
        }
    }
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn money(saved: SavingRange) -> String {
    if saved.expected < Usd::default() {
        format!(", costs {} a month more", Usd::default() - saved.safe)
    } else {
        format!(", saves ${} a month", range(saved))
    }
}

/// The effect of an approval on a function, with its worst case.
fn effect(row: &ReviewRow, name: &str) -> String {
    let to = row.to_mb.unwrap_or(row.current_mb);
    let mut text = format!("{name}: {} → {to} MB", row.current_mb);
    if let Some(saved) = saving_range(row) {
        text.push_str(&money(saved));
    }
    if let Some(slower) = slowdown(row).filter(|slower| slower.p95_worst > 1.05) {
        text.push_str(&format!(
            ", calls may take up to {:.1}× as long",
            slower.p95_worst
        ));
    }
    if let Some(confidence) = row
        .confidence
        .as_deref()
        .filter(|confidence| *confidence != "high")
    {
        text.push_str(&format!(
            "; confidence {confidence}, from {}",
            counted(
                usize::try_from(row.invocations).unwrap_or(usize::MAX),
                "invocation"
            )
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use rightsizer_records::{DurationBasis, Megabytes, Reason, Slowdown};

    use super::*;
    use crate::cli::sample::row;

    #[test]
    fn an_increase_shows_what_it_costs() {
        let row = row("full", (256, 250, 356), (1.0, 1.2));
        let shown = effect(&row, "full");
        assert!(
            shown.starts_with("full: 256 → 356 MB, costs $0.20 a month more"),
            "{shown}"
        );
    }

    /// With a third of the memory, $36 of compute become $12 if durations stay, and stay $36 if they triple.
    #[test]
    fn an_approval_shows_its_worst_case() {
        let mut row = row("thumbs", (3000, 800, 1000), (36.0, 12.0));
        row.reasons.push(Reason::Slower(Slowdown {
            basis: DurationBasis::Unknown,
            mb: Megabytes(1000),
            mean: 1.0,
            mean_worst: 3.0,
            p95: 1.0,
            p95_worst: 3.0,
        }));
        row.confidence = Some("low".to_owned());
        row.invocations = 3;
        assert_eq!(
            effect(&row, "thumbs"),
            "thumbs: 3000 → 1000 MB, saves $0.00 to 24.00 a month, calls may take up to 3.0× as long; \
             confidence low, from 3 invocations"
        );
    }
}
