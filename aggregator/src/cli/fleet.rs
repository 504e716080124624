//! What `attach` and `detach` share: the selected functions, and the plan and its result as a table
//! and as JSON.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};
use rightsizer_aws::clock::now;
use rightsizer_aws::fleet::{
    AwsLayers, Done, Entry, Intent, LayerVersion, Plan, Selected, Selection, StreamArn, carry_out,
    plan_all,
};
use rightsizer_aws::inventory::{AwsFleet, collect};
use rightsizer_aws::throttle::Throttle;
use rightsizer_records::Arch;
use serde_json::{Value, json};

use super::flags;
use super::out;
use super::place::PlaceArgs;
use super::runtime::progress;
use super::text::counted;
use crate::cli::form::FormArgs;

/// `GetFunction` has its own limit of 100 calls a second, which other tools need too.
const READS_PER_SECOND: f64 = 50.0;

#[derive(Debug, Args)]
pub(super) struct FleetArgs {
    #[command(flatten)]
    which: Which,
    /// A deployed system, by the STACK of `make deploy`: its stream and its newest layers
    #[arg(long, value_name = "STACK", value_parser = flags::text)]
    stack: Option<String>,
    /// The layer version to attach; repeat it for each architecture and region. `detach` removes any
    /// version of it [default: the newest ones of --stack]
    #[arg(long, value_name = "ARN", required_unless_present = "stack")]
    layer: Vec<LayerVersion>,
    /// The reports stream, by name or ARN; sets `RIGHTSIZER_STREAM` [default: that of --stack]
    #[arg(long, value_name = "STREAM", value_parser = flags::text, required_unless_present = "stack")]
    stream: Option<String>,
    #[command(flatten)]
    pub(super) place: PlaceArgs,
    /// The URL to send to instead of AWS's; sets `RIGHTSIZER_ENDPOINT`
    #[arg(long, value_name = "URL", value_parser = flags::text)]
    pub(super) endpoint: Option<String>,
    /// Apply the plan; without this flag it is only shown
    #[arg(long)]
    pub(super) yes: bool,
    #[command(flatten)]
    pub(super) form: FormArgs,
    /// The most changes a second; all tools of the account share 15
    #[arg(long, value_name = "N", default_value_t = 8.0, value_parser = flags::rate)]
    rate: f64,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Which {
    /// Functions with this tag, such as team=payments
    #[arg(long, value_name = "KEY=VALUE", value_parser = Selection::tag)]
    tag: Option<Selection>,
    /// Functions whose name begins with this
    #[arg(long, value_name = "PREFIX", value_parser = flags::text)]
    prefix: Option<String>,
    /// All functions of the account and region
    #[arg(long)]
    all: bool,
    /// Functions in this file: one name or ARN per line
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Which {
    fn selection(&self) -> anyhow::Result<Selection> {
        if let Some(path) = &self.file {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the list {}", path.display()))?;
            return Ok(Selection::list(&text)?);
        }
        let prefix = self.prefix.clone().map(Selection::Prefix);
        Ok(prefix.or(self.tag.clone()).unwrap_or(Selection::All))
    }

    /// The selected functions, listed at the given rate.
    pub(super) async fn selected(
        &self,
        fleet: &AwsFleet,
        rate: f64,
        place: &PlaceArgs,
    ) -> anyhow::Result<Selected> {
        let selection = self.selection()?;
        let (update, _, errors) = collect(fleet, &Throttle::per_second(rate), now()).await;
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        if !update.complete {
            let why = errors.join("; ");
            let hint = "allow lambda:ListFunctions, and check --region and --profile";
            let hint = place.hint(&why, hint).await;
            bail!("cannot list the functions: {why}{hint}");
        }
        for error in errors {
            out::note(format_args!(
                "rightsizer: the tags cannot be listed ({error})"
            ));
        }
        let selected = selection.of(update.functions)?;
        ensure!(
            !selected.functions.is_empty() || !selected.missing.is_empty(),
            "no function of this account and region matches"
        );
        Ok(selected)
    }
}

impl FleetArgs {
    /// The reports stream, by name or ARN.
    pub(super) fn stream(&self) -> String {
        let of_stack = || format!("{}-reports", self.stack.as_deref().unwrap_or_default());
        self.stream.clone().unwrap_or_else(of_stack)
    }

    /// The named layers, or the newest ones of the stack in the region of `api`.
    pub(super) async fn layers(&self, api: &AwsLayers) -> anyhow::Result<Vec<LayerVersion>> {
        let Some(stack) = self.stack.as_ref().filter(|_| self.layer.is_empty()) else {
            return Ok(self.layer.clone());
        };
        let mut layers = Vec::new();
        for arch in [Arch::X86_64, Arch::Arm64] {
            let name = format!("{stack}-extension-{}", arch.name());
            let newest = api.newest(&name).await;
            let newest =
                newest.with_context(|| format!("cannot list the versions of the layer {name}"));
            layers.extend(match newest {
                Ok(newest) => newest,
                Err(error) => {
                    let why = format!("{error:#}");
                    let hint = self
                        .place
                        .hint(&why, "allow lambda:ListLayerVersions")
                        .await;
                    bail!("{why}{hint}")
                }
            });
        }
        ensure!(
            !layers.is_empty(),
            "the system {stack} has no layer in this region\nhint: check --stack and --region, or name a layer \
             with --layer"
        );
        Ok(layers)
    }

    /// The layers that were named.
    pub(super) fn named_layers(&self) -> &[LayerVersion] {
        &self.layer
    }

    /// The options that name the same layers and the same stream, for a command to copy.
    pub(super) fn same(&self) -> String {
        let stack = self.stack.iter().map(|stack| format!(" --stack {stack}"));
        let layers = self.layer.iter().map(|layer| format!(" --layer {layer}"));
        let stream = self
            .stream
            .iter()
            .map(|stream| format!(" --stream {stream}"));
        stack.chain(layers).chain(stream).collect()
    }

    /// The variables that the extension needs.
    pub(super) fn variables(&self) -> BTreeMap<String, String> {
        let stream = ("RIGHTSIZER_STREAM".to_owned(), self.stream());
        let endpoint = self.endpoint.clone();
        let endpoint = endpoint.map(|url| ("RIGHTSIZER_ENDPOINT".to_owned(), url));
        std::iter::once(stream).chain(endpoint).collect()
    }

    /// The selected functions.
    pub(super) async fn selected(&self, fleet: &AwsFleet) -> anyhow::Result<Selected> {
        self.which.selected(fleet, self.rate, &self.place).await
    }
}

/// A plan and its result.
pub(super) struct Told {
    pub(super) entries: Vec<Entry>,
    pub(super) missing: Vec<String>,
    /// By position in `entries`.
    became: BTreeMap<usize, Done>,
}

impl Told {
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
        let functions = changes.iter().filter_map(|n| self.entries.get(*n));
        let functions = functions.map(|entry| entry.facts.clone()).collect();
        let bar = progress("changing", changes.len());
        let paces = (
            &Throttle::per_second(READS_PER_SECOND),
            &Throttle::per_second(args.rate),
        );
        let became = &mut self.became;
        carry_out(api, paces, intent, functions, |n, done| {
            bar.inc(1);
            if let Some(position) = changes.get(n) {
                became.insert(*position, done);
            }
        })
        .await;
        bar.finish_and_clear();
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

    /// Prints all of it; as JSON into `all`, if given.
    pub(super) fn print(
        &self,
        args: &FleetArgs,
        roles: Option<&Value>,
        all: Option<&mut Vec<Value>>,
    ) -> anyhow::Result<ExitCode> {
        let mut out = out::stdout();
        if args.form.is_json() {
            let json = json!({
                "dry_run": !args.yes,
                "functions": self.rows().map(|row| row.json()).collect::<Vec<_>>(),
                "counts": self.counts(),
                "roles": roles,
            });
            match all {
                Some(all) => all.push(json),
                None => crate::cli::write_json(&json, &mut out)?,
            }
        } else {
            self.print_table(&mut out, args)?;
        }
        Ok(if self.failures() == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
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
        let planned = entries.map(|(n, entry)| Row::of(entry, self.became.get(&n)));
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
    fn of(entry: &Entry, done: Option<&Done>) -> Self {
        let (action, code, words) = match (&entry.plan, done) {
            (_, Some(Done::Failed(why))) => ("failed", Some("change"), why.clone()),
            (_, Some(Done::Skipped(skip))) | (Ok(Plan::Skip(skip)), None) => {
                ("skip", Some(skip.code.name()), skip.words.clone())
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
pub(super) fn roles_by_stream(told: &Told, stream: &str) -> BTreeMap<StreamArn, Vec<String>> {
    let mut roles: BTreeMap<StreamArn, Vec<String>> = BTreeMap::new();
    for n in told.changes() {
        let Some(entry) = told.entries.get(n) else {
            continue;
        };
        let of = roles
            .entry(StreamArn::of(stream, &entry.facts.function))
            .or_default();
        of.extend(entry.role.clone().filter(|role| !of.contains(role)));
    }
    roles
}
