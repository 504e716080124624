//! `rightsizer import cloudwatch`: first recommendations from existing logs, before anything is
//! deployed. It only reads, and prints beforehand what it will scan and the estimated cost.

mod messages;
mod regions;

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::{Context, bail};
use aws_config::SdkConfig;
use clap::Args;
use messages::{About, Results};
use regions::everywhere;
use rightsizer_aws::clock::now;
use rightsizer_aws::inventory::{AwsFleet, collect};
use rightsizer_aws::logs::{
    AwsLogs, Calls, LogGroup, LogsApi, LogsError, Piece, Reader, Shape, Way, is_of_functions,
    pieces,
};
use rightsizer_aws::throttle::Throttle;
use rightsizer_formats::Hints;
use rightsizer_records::{Day, Partition, Timestamp};
use rightsizer_rules::inventory::FunctionFacts;
use rightsizer_rules::inventory::Home;
use rightsizer_rules::window::ClockMode;
use rightsizer_store::{Store, StoreError};
use serde_json::{Value, json};

use super::runtime::{progress, runtime};
use super::{ConfigArg, StoreArg, flags};
use crate::cli::form::FormArgs;
use crate::cli::out;
use crate::cli::place::PlaceArgs;
use crate::import::log_groups::take_in;
use crate::pipeline::{Accept, Pipeline};
use crate::settings::Settings;

/// The log groups that functions use by default.
const FUNCTIONS: &str = "/aws/lambda/";
/// An estimate above this, in dollars, needs a confirmation.
const UNASKED_USD: f64 = 1.0;
/// Details of older days are not kept.
const MOST_DAYS: i64 = 60;

#[derive(Debug, Args)]
pub(super) struct CloudwatchArgs {
    /// Log groups whose name begins with this [default: those of the account's functions]
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
    /// The number of whole days to read, in addition to today
    #[arg(long, value_name = "N", default_value_t = 14, value_parser = clap::value_parser!(i32).range(1..=MOST_DAYS))]
    days: i32,
    #[command(flatten)]
    place: PlaceArgs,
    /// Every region that is enabled for the account, one after the other
    #[arg(long, conflicts_with = "region")]
    all_regions: bool,
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    how: How,
    /// The most calls a second to each service
    #[arg(long, value_name = "N", default_value_t = 5.0, value_parser = flags::logs_rate)]
    rate: f64,
    #[command(flatten)]
    form: FormArgs,
    /// Print the read-only IAM policy that this command needs, and exit
    #[arg(long)]
    print_policy: bool,
}

/// What is read, and how.
#[derive(Debug, Args)]
struct How {
    /// Read line by line (`FilterLogEvents`): slower, and no query is billed
    #[arg(long)]
    no_queries: bool,
    /// Read days again that were already read completely
    #[arg(long)]
    again: bool,
    /// Continue if the scan will cost more than a dollar
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(args: &CloudwatchArgs) -> anyhow::Result<ExitCode> {
    if args.print_policy {
        let mut out = out::stdout();
        crate::cli::write_json(&policy(args), &mut out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let settings = Settings::load(args.config.config.as_deref())?;
    runtime()?.block_on(everywhere(args, &settings))
}

/// Exactly what is called, on exactly these log groups.
fn policy(args: &CloudwatchArgs) -> Value {
    let region = args.place.region().unwrap_or("*");
    let partition = Partition::of_region(region).name;
    let prefix = args.prefix.as_deref().unwrap_or(FUNCTIONS);
    let groups = format!("arn:{partition}:logs:{region}:*:log-group:{prefix}*");
    let mut free = vec![
        "logs:DescribeLogGroups",
        "logs:GetQueryResults",
        "lambda:ListFunctions",
        "tag:GetResources",
    ];
    if args.all_regions {
        free.push("ec2:DescribeRegions");
    }
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "ReadReports",
                "Effect": "Allow",
                "Action": ["logs:StartQuery", "logs:FilterLogEvents"],
                "Resource": [groups],
            },
            {
                // These take no narrower resource.
                "Sid": "FindFunctionsAndTheirLogs",
                "Effect": "Allow",
                "Action": free,
                "Resource": ["*"],
            },
        ],
    })
}

/// What there is to read.
struct Found {
    groups: Vec<LogGroup>,
    functions: usize,
    /// Log groups whose function does not exist.
    left_out: usize,
    /// Whether the functions could be listed.
    functions_known: bool,
}

async fn import(
    args: &CloudwatchArgs,
    config: &SdkConfig,
    settings: &Settings,
    all: Option<&mut Vec<Value>>,
) -> anyhow::Result<ExitCode> {
    let region = config.region().context("no region is set")?;
    let (region, began) = (region.to_string(), now());
    let store = Store::open(&args.store.store, "rightsizer import cloudwatch")?;
    let mut pipeline = Pipeline::new(store, ClockMode::Event, settings.clone(), Accept::default())?;
    let functions = functions(&AwsFleet::new(config), args, &mut pipeline).await?;
    let calls = Calls::new(AwsLogs::new(config), args.rate);
    let found = find(&calls, args, functions).await?;
    let days = (began.day().plus(-args.days), began.day());
    let pieces = plan(args, &found, days, began, &mut pipeline)?;
    let about = About::new(
        &found,
        &pieces,
        settings.price.rates(Some(&region)).insights_gb,
    );
    if !(args.all_regions && about.is_empty()) {
        about.print_scope(days, &region, args.prefix.as_deref());
    }
    if about.usd > UNASKED_USD && !args.how.yes {
        out::note(format_args!(
            "nothing was read\nhint: --yes continues; --no-queries reads without that cost, \
                   but slower"
        ));
        return Ok(ExitCode::FAILURE);
    }
    let reader = reader(calls, found.groups, &pipeline, began);
    let bar = progress("days of log groups", pieces.iter().map(Piece::cells).sum());
    let totals = take_in(&mut pipeline, &reader, pieces, began, |done| {
        bar.inc(u64::try_from(done).unwrap_or(0));
    })
    .await?;
    bar.finish_and_clear();
    if totals.stopped.is_none() {
        pipeline.work(began, |session| {
            session.seen_until(began);
            Ok::<_, StoreError>(())
        })?;
    }
    let decided = pipeline.finish(now())?.decided;
    let results = Results {
        args,
        groups: &reader.groups,
        functions: found.functions,
        left_out: found.left_out,
        about,
        totals,
        decided,
    };
    results.print(all)
}

fn reader<A>(
    calls: Calls<A>,
    groups: Vec<LogGroup>,
    pipeline: &Pipeline,
    until: Timestamp,
) -> Reader<A> {
    let place = groups.iter().find_map(LogGroup::place);
    let home = place.map(|(account, region)| Home {
        account: account.to_owned(),
        region: region.to_owned(),
    });
    Reader {
        calls,
        hints: Hints {
            function: None,
            date: None,
            fallback_date: until.day(),
            file_name: "log group".to_owned(),
            home,
            owners: pipeline.gate().owners.get(),
        },
        groups,
        until,
    }
}

/// The account's functions, which are written to the store; empty and `false` if they cannot be
/// listed.
async fn functions(
    fleet: &AwsFleet,
    args: &CloudwatchArgs,
    pipeline: &mut Pipeline,
) -> anyhow::Result<(Vec<FunctionFacts>, bool)> {
    let throttle = Throttle::per_second(args.rate);
    let (update, _, errors) = collect(fleet, &throttle, now()).await;
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    for (n, error) in errors.iter().enumerate() {
        // An unreachable endpoint is printed once: the calls word the same cause at different lengths.
        if errors[n + 1..].iter().any(|later| later.ends_with(error)) {
            continue;
        }
        if let Some(advice) = args.place.place().advice(error).await {
            bail!("the functions cannot be listed: {error}\nhint: {advice}");
        }
        out::note(format_args!(
            "rightsizer: the list of functions is incomplete: {error}"
        ));
    }
    pipeline.take_inventory(&update)?;
    Ok((update.functions, update.complete))
}

/// The log groups to read.
async fn find<A: LogsApi>(
    calls: &Calls<A>,
    args: &CloudwatchArgs,
    (functions, known): (Vec<FunctionFacts>, bool),
) -> anyhow::Result<Found> {
    let prefix = args.prefix.as_deref().unwrap_or(FUNCTIONS);
    let logs: BTreeSet<&str> = functions
        .iter()
        .map(|facts| facts.log_group.as_str())
        .collect();
    let mut all = groups(calls, prefix).await?;
    if args.prefix.is_none() {
        // Functions may log to any group.
        for elsewhere in logs.iter().filter(|name| !name.starts_with(FUNCTIONS)) {
            let named = groups(calls, elsewhere).await?.into_iter();
            all.extend(named.filter(|group| group.name == **elsewhere));
        }
    }
    let before = all.len();
    all.retain(|group| {
        let meant = match (known, &args.prefix) {
            (true, _) => logs.contains(group.name.as_str()),
            (false, Some(_)) => true,
            (false, None) => is_of_functions(&group.name),
        };
        meant && !group.delivery_only
    });
    Ok(Found {
        left_out: before - all.len(),
        groups: all,
        functions: functions.len(),
        functions_known: known,
    })
}

async fn groups<A: LogsApi>(calls: &Calls<A>, prefix: &str) -> anyhow::Result<Vec<LogGroup>> {
    calls.groups(prefix).await.map_err(|error| {
        let hint = match &error {
            LogsError::Denied(_) => {
                "\nhint: `rightsizer import cloudwatch --print-policy` prints the policy that is \
                 needed"
            }
            LogsError::Unclear(_) => {
                "\nhint: nothing responded: check the region, and that this machine can reach AWS"
            }
            _ => "",
        };
        anyhow::anyhow!("the log groups cannot be listed: {error}{hint}")
    })
}

/// What is still to be read, in pieces.
fn plan(
    args: &CloudwatchArgs,
    found: &Found,
    (first, last): (Day, Day),
    now: Timestamp,
    pipeline: &mut Pipeline,
) -> anyhow::Result<Vec<Piece>> {
    let all: Vec<Day> = (first.number()..=last.number())
        .map(Day::from_number)
        .collect();
    let mut missing = Vec::with_capacity(found.groups.len());
    for group in &found.groups {
        let read: BTreeSet<Day> = if args.how.again {
            BTreeSet::new()
        } else {
            pipeline
                .finished_log_days(&group.arn, first)?
                .into_iter()
                .collect()
        };
        missing.push(
            all.iter()
                .copied()
                .filter(|day| !read.contains(day))
                .collect(),
        );
    }
    let way = if args.how.no_queries {
        Way::Filter
    } else {
        Way::Insights
    };
    Ok(pieces(&found.groups, &missing, Shape { way, now }))
}
