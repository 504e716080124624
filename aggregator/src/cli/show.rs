//! `rightsizer show FN`: why this function got this number.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::StoreArg;
use super::list::short;
use super::server::ServerArg;
use crate::policy::sentence;
use crate::serve::look::function_named;
use crate::store::{DayLine, FunctionDetail, ReviewRow};

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Name, `local:NAME` or ARN of the function
    function: String,
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    server: ServerArg,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Width of the longest bar.
const BAR: u32 = 40;

pub(super) fn run(args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let detail: FunctionDetail = match args.server.named() {
        Some(server) => server.read(&format!("/{}", args.function))?,
        None => function_named(&args.store.store, &args.function)??,
    };
    let mut out = std::io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &detail).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        out.write_all(render(&detail).as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn render(detail: &FunctionDetail) -> String {
    let row = &detail.review;
    let mut text = format!("{}\n{}\n\n", row.function, headline(row));
    text.push_str(&chart(&detail.days, row));
    text.push_str("\nWhy\n");
    for reason in &row.reasons {
        text.push_str(&format!("  {}\n", sentence(reason)));
    }
    if row.reasons.is_empty() {
        text.push_str("  no report of the window gives a memory figure, so nothing was decided\n");
    }
    text.push_str(&format!("\nEvidence\n{}", evidence(row)));
    if !detail.history.is_empty() {
        text.push_str("\nRecommendations, newest first\n");
        detail
            .history
            .iter()
            .for_each(|entry| text.push_str(&life(entry)));
    }
    text
}

fn headline(row: &ReviewRow) -> String {
    let name = short(&row.function);
    match (row.policy_mb, row.to_mb) {
        (None, _) => format!(
            "{name} has {} MB; nothing can be said of it yet",
            row.current_mb
        ),
        (Some(_), None) => format!("{name} has {} MB, and that is right", row.current_mb),
        (Some(_), Some(to)) => format!(
            "{name} has {} MB, recommended {to} MB ({}{}, confidence {})",
            row.current_mb,
            row.status,
            if row.urgent { ", urgent" } else { "" },
            row.confidence.as_deref().unwrap_or("unknown")
        ),
    }
}

/// Daily peaks as bars; the size it has and the size it would have as marks on the scale.
fn chart(days: &[DayLine], row: &ReviewRow) -> String {
    let top = days
        .iter()
        .map(|d| d.peak_mb.0)
        .chain([row.current_mb, row.to_mb.unwrap_or(0)]);
    let top = top.max().unwrap_or(0).max(1);
    let width = |mb: u32| (u64::from(mb) * u64::from(BAR)).div_ceil(u64::from(top));
    let bar = |mb: u32, sign: &str| sign.repeat(usize::try_from(width(mb)).unwrap_or(0));
    let mut text = "Daily peaks of memory used\n".to_owned();
    for day in days {
        let note = day
            .censored_mb
            .map_or_else(String::new, |mb| format!("  ran out at {mb}"));
        let mb = day.peak_mb.0;
        text.push_str(&format!(
            "  {}  {mb:>6} MB  {}{note}\n",
            day.day,
            bar(mb, "█")
        ));
    }
    text.push_str(&format!(
        "  now         {:>6} MB  {}\n",
        row.current_mb,
        bar(row.current_mb, "─")
    ));
    if let Some(to) = row.to_mb {
        text.push_str(&format!("  recommended {to:>6} MB  {}\n", bar(to, "─")));
    }
    text
}

fn evidence(row: &ReviewRow) -> String {
    let usd =
        |usd: Option<f64>| usd.map_or_else(|| "unknown".to_owned(), |usd| format!("${usd:.2}"));
    let p99 = row
        .p99_ms
        .map_or_else(|| "unknown".to_owned(), |ms| format!("{ms} ms"));
    format!(
        "  invocations in the window  {}\n  reports  {} arrived, {} came again, {} late, {} lost\n  \
         p99 duration now  {p99}\n  monthly cost  {} now, {} then (same billed time)\n  \
         version {}, {}, {}; decided on {}, last report {} UTC\n",
        row.invocations,
        row.seen,
        row.duplicates,
        row.late,
        row.lost,
        usd(row.monthly_usd_before),
        usd(row.monthly_usd_after),
        row.version,
        row.arch
            .as_deref()
            .unwrap_or("architecture unknown (priced as x86)"),
        row.runtime.as_deref().unwrap_or("runtime unknown"),
        row.decided_on.as_deref().unwrap_or("no day yet"),
        row.last_report,
    )
}

fn life(entry: &Value) -> String {
    let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    let mut line = format!(
        "  {}  {} → {} MB  {}  {}",
        text("decided_on"),
        entry["from_mb"],
        entry["to_mb"],
        text("status"),
        text("id")
    );
    for (label, key) in [
        ("sent", "sent_at"),
        ("ended", "closed_at"),
        ("because", "reason"),
    ] {
        if let Some(value) = entry[key].as_str().filter(|value| !value.is_empty()) {
            line.push_str(&format!(", {label} {value}"));
        }
    }
    line.push('\n');
    line
}
