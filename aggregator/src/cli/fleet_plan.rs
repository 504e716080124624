//! The plan of `attach` or `detach` and its result, as a table and as JSON.

use std::collections::BTreeMap;
use std::io::Write;

use aws_config::SdkConfig;
use comfy_table::{ContentArrangement, Table, presets};
use rightsizer_aws::fleet::{
    AwsLayers, Done, Entry, Intent, Plan, Selected, StreamArn, carry_out, plan_all,
};
use rightsizer_aws::throttle::Throttle;
use serde_json::{Value, json};

use super::fleet::{FleetArgs, READS_PER_SECOND};
use super::fleet_regions::{End, region_of};
use super::interrupt::{begin_changes, pressed};
use super::out;
use super::runtime::progress;
use super::text::counted;
use super::waves::Stopped;

/// What `attach` and `detach` need for each function.
const ALLOW: &str = "allow lambda:GetFunction, lambda:ListTags and lambda:UpdateFunctionConfiguration on these \
                     functions, and lambda:GetLayerVersion on the layer (docs/SECURITY.md has the policy)";

/// A plan and its result.
pub(super) struct FleetPlan {
    pub(super) entries: Vec<Entry>,
    pub(super) missing: Vec<String>,
    /// By position in `entries`.
    became: BTreeMap<usize, Done>,
    /// Whether it has been begun to apply the plan. What then has no result was not tried.
    begun: bool,
}

impl FleetPlan {
    /// Plans the selected functions.
    pub(super) async fn plan(api: &AwsLayers, intent: &Intent, selected: Selected) -> Self {
        let bar = progress("reading", selected.functions.len());
        let reads = Throttle::per_second(READS_PER_SECOND);
        let entries = plan_all(api, &reads, intent, selected.functions, || bar.inc(1)).await;
        bar.finish_and_clear();
        Self {
            entries,
            missing: selected.missing,
            became: BTreeMap::new(),
            begun: false,
        }
    }

    /// Positions of the functions to change.
    pub(super) fn changes(&self) -> Vec<usize> {
        let entries = self.entries.iter().enumerate();
        let changes = entries.filter(|(_, entry)| matches!(entry.plan, Ok(Plan::Change(_))));
        changes.map(|(n, _)| n).collect()
    }

    /// Applies the plan.
    pub(super) async fn carry_out(&mut self, api: &AwsLayers, intent: &Intent, args: &FleetArgs) {
        let changes = self.changes();
        self.carry_out_some(&changes, api, intent, args).await;
    }

    /// Carries out the plan for the functions at these positions.
    pub(super) async fn carry_out_some(
        &mut self,
        changes: &[usize],
        api: &AwsLayers,
        intent: &Intent,
        args: &FleetArgs,
    ) {
        self.begin();
        let functions = changes.iter().filter_map(|n| self.entries.get(*n));
        let functions = functions.map(|entry| entry.facts.clone()).collect();
        let bar = progress("changing", changes.len());
        let paces = (
            &Throttle::per_second(READS_PER_SECOND),
            &Throttle::per_second(args.rate),
        );
        let became = &mut self.became;
        carry_out(api, paces, intent, functions, pressed(), |n, done| {
            bar.inc(1);
            if let Some(position) = changes.get(n) {
                became.insert(*position, done);
            }
        })
        .await;
        bar.finish_and_clear();
    }

    /// From now on, a function without a result was not tried.
    pub(super) fn begin(&mut self) {
        begin_changes();
        self.begun = true;
    }

    /// Whether the function at this position was changed.
    pub(super) fn is_changed(&self, position: usize) -> bool {
        let done = self.became.get(&position);
        matches!(done, Some(Done::Changed | Done::Accepted))
    }

    /// The number of functions that were tried.
    pub(super) fn tried(&self) -> usize {
        self.became.len()
    }

    /// Keeps only the changes of the first functions, up to this number.
    pub(super) fn only_first(&mut self, functions: usize) {
        let left: Vec<usize> = self.changes().into_iter().skip(functions).collect();
        let mut position = 0;
        self.entries.retain(|_| {
            position += 1;
            !left.contains(&(position - 1))
        });
    }

    /// The number of functions that were changed.
    pub(super) fn changed(&self) -> usize {
        let became = self.became.values();
        became
            .filter(|done| matches!(done, Done::Changed | Done::Accepted))
            .count()
    }

    /// Whether none of the functions at these positions could be changed.
    pub(super) fn all_failed(&self, positions: &[usize]) -> bool {
        let failed = |at: &usize| matches!(self.became.get(at), Some(Done::Failed(_)));
        !positions.is_empty() && positions.iter().all(failed)
    }

    /// What to do about the first failure, if it is about permissions, credentials or the network.
    pub(super) async fn hint(&self, args: &FleetArgs) -> Option<String> {
        let failed = self.rows().find(|row| row.action == "failed")?;
        let denied = failed.words.contains("AccessDenied");
        let hint = args.place.hint(&failed.words, ALLOW).await;
        (denied || !hint.contains(ALLOW)).then_some(hint)
    }

    /// The name of the function at a position.
    pub(super) fn name(&self, position: usize) -> &str {
        let entry = self.entries.get(position);
        entry.map_or("", |entry| entry.facts.function.name())
    }

    /// Functions that could not be read, found, or changed.
    fn failures(&self) -> usize {
        let unread = self.entries.iter().filter(|entry| entry.plan.is_err());
        let failed = self.became.values();
        let failed = failed.filter(|done| matches!(done, Done::Failed(_)));
        unread.count() + failed.count() + self.missing.len()
    }

    /// Prints the table, or returns all of it as JSON. `stopped` is the reason for which it ended early.
    pub(super) fn print(
        &self,
        args: &FleetArgs,
        config: &SdkConfig,
        roles: Option<&Value>,
        stopped: Option<&Stopped>,
    ) -> anyhow::Result<Option<Value>> {
        let region = region_of(config);
        if args.form.is_json() {
            return Ok(Some(json!({
                "region": region,
                "dry_run": !args.yes,
                "functions": self.rows().map(|row| row.json()).collect::<Vec<_>>(),
                "counts": self.counts(),
                "roles": roles,
                "stopped": stopped.map(Stopped::json),
            })));
        }
        let mut out = out::stdout();
        if args.all_regions {
            writeln!(out, "\nREGION {region}")?;
        }
        self.print_table(&mut out, args)?;
        Ok(None)
    }

    /// How it ended: whether something failed.
    pub(super) fn end(&self) -> End {
        if self.failures() == 0 {
            End::Done
        } else {
            End::Failed
        }
    }

    fn print_table(&self, out: &mut impl Write, args: &FleetArgs) -> anyhow::Result<()> {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header(["FUNCTION", "ACTION", "WHY"]);
        for row in self.rows() {
            table.add_row([row.function, row.action.to_owned(), row.words]);
        }
        writeln!(out, "{}\n", table.trim_fmt())?;
        for (what, count) in self.counts() {
            writeln!(out, "{count:>6}  {what}")?;
        }
        if !args.yes && !self.changes().is_empty() {
            let changes = counted(self.changes().len(), "function");
            writeln!(
                out,
                "\ndry run: nothing was changed; pass --yes to change {changes}"
            )?;
        }
        Ok(())
    }

    /// The number of each.
    fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for row in self.rows() {
            let what = row.code.map_or_else(
                || row.action.to_owned(),
                |code| format!("{}: {code}", row.action),
            );
            *counts.entry(what).or_insert(0) += 1;
        }
        counts
    }

    fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        let entries = self.entries.iter().enumerate();
        let planned = entries.map(|(n, entry)| Row::of(entry, self.became.get(&n), self.begun));
        planned.chain(self.missing.iter().map(|name| Row {
            function: name.clone(),
            action: "failed",
            code: Some("not-found"),
            words: "no function of this account and region has this name".to_owned(),
        }))
    }
}

/// A function in the output.
struct Row {
    function: String,
    action: &'static str,
    code: Option<&'static str>,
    words: String,
}

impl Row {
    fn of(entry: &Entry, done: Option<&Done>, begun: bool) -> Self {
        let (action, code, words) = match (&entry.plan, done) {
            (_, Some(Done::Failed(why))) => ("failed", Some("change"), why.clone()),
            (_, Some(Done::Skipped(skip))) | (Ok(Plan::Skip(skip)), None) => {
                ("skip", Some(skip.code.name()), skip.words.clone())
            }
            (Ok(Plan::Change(_)), None) if begun => {
                let words = "it was not tried, and is as it was";
                ("not-tried", None, words.to_owned())
            }
            (Ok(Plan::Change(change)), done) => {
                let mut words = change.notes.clone();
                match done {
                    Some(Done::Changed) => words.insert(0, "done".to_owned()),
                    Some(_) => words.insert(0, "accepted; Lambda is still applying it".to_owned()),
                    None => {}
                }
                (change.kind.name(), None, words.join("; "))
            }
            (Ok(Plan::Skip(skip)), Some(_)) => ("skip", Some(skip.code.name()), skip.words.clone()),
            (Err(why), _) => ("failed", Some("read"), why.to_string()),
        };
        Self {
            function: entry.facts.function.name().to_owned(),
            action,
            code,
            words,
        }
    }

    fn json(&self) -> Value {
        json!({
            "function": self.function,
            "action": self.action,
            "code": self.code,
            "words": self.words,
        })
    }
}

/// The streams of these entries, with the roles of the functions to change.
pub(super) fn roles_by_stream(plan: &FleetPlan, stream: &str) -> BTreeMap<StreamArn, Vec<String>> {
    let mut roles: BTreeMap<StreamArn, Vec<String>> = BTreeMap::new();
    for n in plan.changes() {
        let Some(entry) = plan.entries.get(n) else {
            continue;
        };
        let of = roles
            .entry(StreamArn::of(stream, &entry.facts.function))
            .or_default();
        of.extend(entry.role.clone().filter(|role| !of.contains(role)));
    }
    roles
}
