//! `rightsizer simulate FILE`: measures what each policy would have done with a history of daily peaks, or with
//! `--power`, how well the power curve predicts.

mod power;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use rightsizer_formats::Counting;

use super::ConfigArg;
use super::form::FormArgs;
use super::out;
use crate::settings::Settings;
use crate::simulate::{
    Contender, Gaps, Measure, Refusal, Regime, Rules, TableError, Tally, Trace, contenders,
    read_trace, replay,
};

/// Only this number of refused rows is printed; more are counted.
const REFUSALS_SHOWN: u64 = 20;

#[derive(Debug, Args)]
pub(super) struct SimulateArgs {
    /// Daily peaks as CSV with the columns `series`, `date` and `peak_mb` (others are ignored); .gz too;
    /// `-` is standard input
    #[arg(
        value_name = "FILE",
        required_unless_present = "power",
        conflicts_with = "power"
    )]
    file: Option<PathBuf>,
    #[command(flatten)]
    form: FormArgs,
    #[command(flatten)]
    power: power::PowerArgs,
    /// Days at the start of each series that serve as evidence only
    #[arg(long, value_name = "DAYS", default_value_t = 14, value_parser = clap::value_parser!(i32).range(1..=400))]
    warm_up: i32,
    /// With daily decisions, skip a decrease by less than this share of the size
    #[arg(long, value_name = "PERCENT", default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=100))]
    dead_band: u32,
    /// What a date without a row means: `idle`, a day without invocations; `closed`, no day, so that the
    /// next row is the next day
    #[arg(long, default_value = "idle")]
    gaps: GapsArg,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum GapsArg {
    Idle,
    Closed,
}

pub(super) fn run(args: &SimulateArgs) -> anyhow::Result<ExitCode> {
    match (args.power.file(), &args.file) {
        (Some(file), _) => power::run(file, &args.power, args.form.is_json()),
        (None, Some(file)) => policies(file, args),
        // The command line requires one of them.
        (None, None) => anyhow::bail!("no file to read"),
    }
}

fn policies(file: &Path, args: &SimulateArgs) -> anyhow::Result<ExitCode> {
    let settings = Settings::load(args.config.config.as_deref())?;
    let rules = Rules {
        warm_up_days: args.warm_up,
        dead_band_percent: args.dead_band,
        gaps: match args.gaps {
            GapsArg::Idle => Gaps::Idle,
            GapsArg::Closed => Gaps::Closed,
        },
    };
    let trace = read(file, |input, refuse| read_trace(input, refuse))?;
    anyhow::ensure!(trace.rows > 0, "no row of {} can be used", name(file));
    let measures = measure(&trace, &contenders(&settings.policy), rules);
    anyhow::ensure!(
        !measures.is_empty(),
        "no series of {} reaches beyond the {} days of warm-up, so nothing can be measured\nhint: \
         use a smaller --warm-up DAYS",
        name(file),
        args.warm_up
    );
    let mut out = out::stdout();
    if args.form.is_json() {
        crate::cli::write_json(&measures, &mut out)?;
    } else {
        writeln!(out, "{}", table(&measures).trim_fmt())?;
        writeln!(out, "\n{}", summary(&trace, &measures))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn name(file: &Path) -> String {
    if file == Path::new("-") {
        "standard input".to_owned()
    } else {
        file.display().to_string()
    }
}

/// Reads a table; passes refused rows to the second argument.
pub(super) type ReadRows<T> =
    fn(&mut dyn BufRead, &mut dyn FnMut(Refusal)) -> Result<T, TableError>;

/// Reads the rows with `rows`; prints refused ones on standard error.
pub(super) fn read<T>(file: &Path, rows: ReadRows<T>) -> anyhow::Result<T> {
    let (input, length): (Box<dyn Read>, _) = if file == Path::new("-") {
        (Box::new(std::io::stdin().lock()), None)
    } else {
        let opened = File::open(file).with_context(|| format!("cannot open {}", name(file)))?;
        let length = opened.metadata().ok().map(|facts| facts.len());
        (Box::new(opened), length)
    };
    let bar = length.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    let bar = styled(bar, "reading {bar:30} {bytes} {eta}");
    let mut refused = 0;
    let mut refuse = |refusal: Refusal| {
        refused += 1;
        if refused <= REFUSALS_SHOWN {
            let message = format!("rightsizer: line {}: {}", refusal.line, refusal.reason);
            bar.suspend(|| out::note(format_args!("{message}")));
        }
    };
    let input = Counting::new(input, |bytes| bar.set_position(bytes));
    let mut input = BufReader::with_capacity(1 << 16, input);
    let table = rows(&mut input, &mut refuse).with_context(|| name(file))?;
    bar.finish_and_clear();
    if refused > REFUSALS_SHOWN {
        out::note(format_args!(
            "rightsizer: … and {} more rows refused",
            refused - REFUSALS_SHOWN
        ));
    }
    Ok(table)
}

fn measure(trace: &Trace, policies: &[Contender], rules: Rules) -> Vec<Measure> {
    let runs = [Regime::Daily, Regime::OncePerWindow]
        .into_iter()
        .flat_map(|regime| policies.iter().map(move |policy| (policy, regime)));
    let steps = policies.len() * 2 * trace.series.len();
    let bar = styled(
        ProgressBar::new(steps as u64),
        "replaying {bar:30} {percent} % {eta}",
    );
    let measures = runs.filter_map(|(policy, regime)| {
        let mut tally = Tally::default();
        for series in &trace.series {
            tally.add(replay(&series.days, policy, regime, rules));
            bar.inc(1);
        }
        tally.measure(policy.name, regime)
    });
    let measures = measures.collect();
    bar.finish_and_clear();
    measures
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    // The templates are constants; a bad one would only make the bar look plainer.
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style)
}

fn table(measures: &[Measure]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header([
            "POLICY",
            "DECIDED",
            "OOM-DAYS %",
            "OOM EVENTS",
            "ALLOCATED/USED",
            "MEDIAN OF SERIES",
            "CHANGES/30 DAYS",
        ]);
    let ratio = |ratio: Option<f64>| ratio.map_or_else(|| "-".to_owned(), |r| format!("{r:.3}"));
    for m in measures {
        table.add_row([
            m.policy.to_owned(),
            m.regime.to_owned(),
            format!("{:.2}", m.oom_days_pct),
            m.oom_events.to_string(),
            ratio(m.allocated_over_used),
            ratio(m.median_allocated_over_used),
            format!("{:.2}", m.changes_per_30d),
        ]);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn summary(trace: &Trace, measures: &[Measure]) -> String {
    let counts = measures.first().map_or((0, 0), |m| (m.series, m.days));
    let refused = match trace.refused {
        0 => String::new(),
        n => format!("; {n} refused"),
    };
    format!(
        "{} of {} series measured on {} days, from {} rows{refused}",
        counts.0,
        trace.series.len(),
        counts.1,
        trace.rows
    )
}
