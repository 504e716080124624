//! `rightsizer subscribe` and `unsubscribe`: forward reports from logs to the reports stream, for
//! functions without the layer. They show a plan, and apply it with `--yes`.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};
use rightsizer_aws::fleet::{
    SUBSCRIPTION_NAME, StreamArn, StreamKey, Subscription, SubscriptionPlan, SubscriptionsApi,
    log_groups, role_policies, subscribe, subscribe_account, unsubscribe, wanted,
    wanted_of_account,
};
use rightsizer_aws::inventory::AwsFleet;
use rightsizer_aws::logs::{AwsLogs, Calls, LogsError};
use rightsizer_rules::inventory::LoggedReports;
use serde_json::{Value, json};

use super::flags;
use super::fleet::Which;
use super::out;
use super::place::PlaceArgs;
use super::reports_stream;
use super::runtime::{progress, runtime};
use super::text::counted;
use crate::cli::form::FormArgs;

/// The account instead of one of its log groups.
const ACCOUNT: &str = "(the account)";

#[derive(Debug, Args)]
pub(super) struct SubscribeArgs {
    #[command(flatten)]
    logs: LogsArgs,
    /// The role with which CloudWatch Logs puts records on the stream
    #[arg(long, value_name = "ARN", value_parser = flags::role)]
    role: String,
}

#[derive(Debug, Args)]
#[command(mut_arg("account_policy", |policy| policy.help("Remove the account's policy instead of filters of log groups")))]
pub(super) struct UnsubscribeArgs {
    #[command(flatten)]
    logs: LogsArgs,
}

#[derive(Debug, Args)]
struct LogsArgs {
    #[command(flatten)]
    which: Which,
    /// Use one policy for all log groups of the account, including future ones, instead of a filter for each
    // `requires = "all"` alone lets --prefix pass, because clap requires nothing that conflicts with another option.
    #[arg(long, requires = "all", conflicts_with_all = ["tag", "prefix", "file"])]
    account_policy: bool,
    /// The reports stream, by name or ARN
    #[arg(long, value_name = "STREAM", value_parser = flags::stream_name)]
    stream: String,
    #[command(flatten)]
    place: PlaceArgs,
    /// Apply the plan; without this flag it is only shown
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    form: FormArgs,
    /// The most calls a second
    #[arg(long, value_name = "N", default_value_t = 4.0, value_parser = flags::rate)]
    rate: f64,
}

pub(super) fn run_subscribe(args: &SubscribeArgs) -> anyhow::Result<ExitCode> {
    runtime()?.block_on(all(&args.logs, Some(&args.role)))
}

pub(super) fn run_unsubscribe(args: &UnsubscribeArgs) -> anyhow::Result<ExitCode> {
    runtime()?.block_on(all(&args.logs, None))
}

/// A log group, its planned change, and the result.
struct Entry {
    group: String,
    functions: usize,
    note: Option<&'static str>,
    plan: Result<SubscriptionPlan, LogsError>,
    became: Option<Result<(), LogsError>>,
}

/// Amazon CloudWatch Logs User Guide, "Cross-account cross-Region subscriptions".
const ELSEWHERE: &str = "CloudWatch Logs documents delivery to another region only by a destination \
     (AWS::Logs::Destination), so it may refuse these filters; a stream in the functions' region is delivered to directly";

async fn all(args: &LogsArgs, role: Option<&str>) -> anyhow::Result<ExitCode> {
    args.which.see_list()?;
    let config = args.place.config().await?;
    let selected = args
        .which
        .selected(&AwsFleet::new(&config), args.rate, &args.place)
        .await?;
    let function = selected
        .functions
        .first()
        .context("none of these functions exists")?;
    let stream = StreamArn::of(&args.stream, &function.function);
    // Unsubscribing from a stream that was removed is allowed.
    let needs = match role {
        Some(_) => {
            reports_stream::note_another_region(&stream, &config, ELSEWHERE);
            let key = reports_stream::key_of(&config, &stream).await?;
            Some((role_policies(&stream, &key), key))
        }
        None => None,
    };
    let calls = Calls::new(AwsLogs::new(&config), args.rate);
    let wanted = if args.account_policy {
        wanted_of_account
    } else {
        wanted
    };
    let ours = role.map(|role| wanted(&stream, role));
    let mut entries = if args.account_policy {
        vec![account(&calls, ours.as_ref(), &stream, selected.functions.len()).await]
    } else {
        let groups = log_groups(&selected.functions);
        let bar = progress("reading", groups.len());
        let mut entries = Vec::with_capacity(groups.len());
        for (group, functions) in groups {
            let quiet = selected
                .functions
                .iter()
                .any(|facts| facts.log_group == group && facts.logged == LoggedReports::Failures);
            entries.push(Entry {
                group: group.to_owned(),
                functions: functions.len(),
                note: quiet.then_some("logs hold failures only: attach the layer to see all"),
                plan: plan(&calls, group, ours.as_ref(), &stream).await,
                became: None,
            });
            bar.inc(1);
        }
        bar.finish_and_clear();
        entries
    };
    if args.yes {
        carry_out(&calls, &mut entries).await;
    }
    print(args, &entries, &selected.missing, needs.as_ref())
}

async fn plan(
    calls: &Calls<AwsLogs>,
    group: &str,
    ours: Option<&Subscription>,
    stream: &StreamArn,
) -> Result<SubscriptionPlan, LogsError> {
    match calls.call(|| calls.api().of_group(group)).await {
        Ok(there) => Ok(ours.map_or_else(
            || unsubscribe(stream, &there),
            |ours| subscribe(ours, group, &there),
        )),
        Err(LogsError::Missing(_)) => Ok(SubscriptionPlan::Leave(
            "no-log-group",
            "it has not logged anything yet; run this again later".to_owned(),
        )),
        Err(error) => Err(error),
    }
}

async fn account(
    calls: &Calls<AwsLogs>,
    ours: Option<&Subscription>,
    stream: &StreamArn,
    functions: usize,
) -> Entry {
    let there = calls.call(|| calls.api().of_account()).await;
    let plan = there.map(|there| {
        ours.map_or_else(
            || unsubscribe(stream, &there),
            |ours| subscribe_account(ours, &there),
        )
    });
    Entry {
        group: ACCOUNT.to_owned(),
        functions,
        note: None,
        plan,
        became: None,
    }
}

async fn carry_out(calls: &Calls<AwsLogs>, entries: &mut [Entry]) {
    let bar = progress("changing", entries.len());
    for entry in entries {
        let (api, group) = (calls.api(), entry.group.as_str());
        let done = match &entry.plan {
            Ok(SubscriptionPlan::Put(ours)) if group == ACCOUNT => {
                calls.call(|| api.put_account(ours)).await
            }
            Ok(SubscriptionPlan::Put(ours)) => calls.call(|| api.put(group, ours)).await,
            Ok(SubscriptionPlan::Remove) if group == ACCOUNT => {
                calls.call(|| api.remove_account(SUBSCRIPTION_NAME)).await
            }
            Ok(SubscriptionPlan::Remove) => {
                calls.call(|| api.remove(group, SUBSCRIPTION_NAME)).await
            }
            Ok(SubscriptionPlan::Leave(..)) | Err(_) => continue,
        };
        entry.became = Some(done);
        bar.inc(1);
    }
    bar.finish_and_clear();
}

impl Entry {
    /// Action, code, and the reason.
    fn row(&self) -> (&'static str, Option<&'static str>, String) {
        if let Some(Err(why)) = &self.became {
            return ("failed", Some("change"), why.to_string());
        }
        let done = if self.became.is_some() { "done" } else { "" };
        let mut words: Vec<&str> = [Some(done), self.note].into_iter().flatten().collect();
        words.retain(|word| !word.is_empty());
        let words = words.join("; ");
        match &self.plan {
            Ok(SubscriptionPlan::Put(_)) => ("subscribe", None, words),
            Ok(SubscriptionPlan::Remove) => ("unsubscribe", None, words),
            Ok(SubscriptionPlan::Leave(code, why)) => ("skip", Some(code), why.clone()),
            Err(why) => ("failed", Some("read"), why.to_string()),
        }
    }

    fn is_denied(&self) -> bool {
        let failed = match (&self.plan, &self.became) {
            (_, Some(Err(why))) | (Err(why), _) => Some(why),
            _ => None,
        };
        matches!(failed, Some(LogsError::Denied(_)))
    }

    fn changes(&self) -> bool {
        matches!(
            self.plan,
            Ok(SubscriptionPlan::Put(_) | SubscriptionPlan::Remove)
        )
    }
}

fn print(
    args: &LogsArgs,
    entries: &[Entry],
    missing: &[String],
    role: Option<&(Value, StreamKey)>,
) -> anyhow::Result<ExitCode> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for entry in entries {
        let (action, code, _) = entry.row();
        let what = code.map_or_else(|| action.to_owned(), |code| format!("{action}: {code}"));
        *counts.entry(what).or_default() += 1;
    }
    let mut out = out::stdout();
    if args.form.is_json() {
        let json = json!({
            "dry_run": !args.yes,
            "log_groups": entries.iter().map(json_of).collect::<Vec<_>>(),
            "counts": counts,
            "missing": missing,
            "role": role.map(|(role, _)| role),
        });
        crate::cli::write_json(&json, &mut out)?;
    } else {
        print_table(&mut out, entries, &counts)?;
        let changes = entries.iter().filter(|entry| entry.changes()).count();
        if !args.yes && changes > 0 {
            writeln!(
                out,
                "\ndry run: nothing was changed; pass --yes to change {}",
                counted(changes, "log group")
            )?;
            if let Some((role, _)) = role {
                writeln!(
                    out,
                    "the role needs\n{}",
                    serde_json::to_string_pretty(role)?
                )?;
            }
        }
        for name in missing {
            out::note(format_args!(
                "rightsizer: no function of this account and region is called {name}"
            ));
        }
    }
    print_hint(args, entries);
    if let Some((_, StreamKey::Unknown(why))) = role {
        out::note(format_args!(
            "rightsizer: the stream's key could not be read: {why}\nhint: if it is a key of your \
             own, the role also needs kms:GenerateDataKey on it, or no report line arrives. Allow \
             kinesis:DescribeStreamSummary to have it checked"
        ));
    }
    let policy_in_the_way = counts.keys().any(|what| what == "skip: policy-exists");
    let failed = counts.keys().any(|what| what.starts_with("failed"));
    Ok(if failed || policy_in_the_way || !missing.is_empty() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Prints what to allow, if a call was denied.
fn print_hint(args: &LogsArgs, entries: &[Entry]) {
    if !entries.iter().any(Entry::is_denied) {
        return;
    }
    let actions = if args.account_policy {
        "logs:DescribeAccountPolicies, PutAccountPolicy and DeleteAccountPolicy"
    } else {
        "logs:DescribeSubscriptionFilters, PutSubscriptionFilter and DeleteSubscriptionFilter on the log groups"
    };
    out::note(format_args!(
        "hint: allow {actions}, and iam:PassRole of the subscription's role (docs/SECURITY.md)"
    ));
}

fn json_of(entry: &Entry) -> Value {
    let (action, code, words) = entry.row();
    json!({
        "log_group": entry.group,
        "functions": entry.functions,
        "action": action,
        "code": code,
        "words": words,
    })
}

fn print_table(
    out: &mut impl Write,
    entries: &[Entry],
    counts: &BTreeMap<String, usize>,
) -> std::io::Result<()> {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(["LOG GROUP", "FUNCTIONS", "ACTION", "WHY"]);
    for entry in entries {
        let (action, code, words) = entry.row();
        let why = match code {
            Some(code) if words.is_empty() => code.to_owned(),
            _ => words,
        };
        table.add_row([
            entry.group.clone(),
            entry.functions.to_string(),
            action.to_owned(),
            why,
        ]);
    }
    writeln!(out, "{}\n", table.trim_fmt())?;
    for (what, count) in counts {
        writeln!(out, "{count:>6}  {what}")?;
    }
    Ok(())
}
