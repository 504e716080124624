//! `rightsizer export`: sizes for your own deployment pipeline, as values that it reads or as a
//! patch of the template that it deploys.

mod choice;
mod file;
mod files;
mod messages;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, ValueEnum};
use rightsizer_aws::clock::now;
use rightsizer_export::{Format, Rules, carried_over, read_values, values, write_values};
use rightsizer_rules::candidates::Present;
use rightsizer_store::inspect;
use serde_json::{Value, json};

use self::choice::{ChoiceArgs, Chosen};
use self::files::Patched;
pub(super) use self::files::patched;
use self::messages::Results;
use super::StoreArg;
use super::flags;
use super::server::ServerArg;
use crate::cli::form::FormArgs;
use crate::cli::out;

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    server: ServerArg,
    /// The pipeline's tool
    #[arg(long, value_name = "FORMAT")]
    format: FormatArg,
    #[command(flatten)]
    choice: ChoiceArgs,
    /// Write the values to this file instead of standard output; values of an earlier export stay
    #[arg(long, value_name = "FILE", conflicts_with = "template")]
    out: Option<PathBuf>,
    /// Patch this template, or all files of this Terraform folder; shows the change, and writes it with --yes
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Match a function of the template to a deployed function; may be repeated
    #[arg(long, value_name = "LABEL=FUNCTION", requires = "template", value_parser = flags::label)]
    map: Vec<(String, String)>,
    /// The deployed stage, if names contain it
    #[arg(long, requires = "template")]
    stage: Option<String>,
    /// Write the patched template; without this flag the change is only shown
    #[arg(long, requires = "template")]
    yes: bool,
    #[command(flatten)]
    form: FormArgs,
}

/// As they are typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FormatArg {
    #[value(
        help = "Terraform or OpenTofu: a variable's value; .tf and .tf.json files, or a folder of them"
    )]
    Terraform,
    #[value(
        name = "cloudformation",
        help = "CloudFormation: parameters; templates in YAML or JSON"
    )]
    CloudFormation,
    /// AWS SAM: parameter overrides; templates in YAML or JSON
    Sam,
    /// Serverless Framework: a file of values; serverless.yml
    Serverless,
    /// AWS CDK: context; cdk.json
    Cdk,
}

impl FormatArg {
    pub(super) const fn format(self) -> Format {
        match self {
            Self::Terraform => Format::Terraform,
            Self::CloudFormation => Format::CloudFormation,
            Self::Sam => Format::Sam,
            Self::Serverless => Format::Serverless,
            Self::Cdk => Format::Cdk,
        }
    }
}

pub(super) fn run(args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let there = match args.server.named() {
        Some(server) => server.exportable()?,
        None => inspect::exportable(&args.store.store)?,
    };
    // A pipeline would deploy what the pause should stop. An empty result would not help: functions
    // missing from it would return to their old size.
    if let Some(who) = there.stops.paused {
        bail!(
            "everything is paused ({who}); nothing was exported, and a file of values is \
             unchanged\nhint: `rightsizer resume` ends the pause"
        );
    }
    let for_template = args.template.is_some();
    let chosen = args.choice.choose(&there.candidates, for_template, now());
    if !args.form.is_json() {
        messages::note_choice(&chosen);
    }
    match &args.template {
        Some(template) => into_template(args, template, &chosen),
        None => as_values(args, &chosen, there.present),
    }
}

fn as_values(
    args: &ExportArgs,
    chosen: &Chosen,
    mut present: Vec<Present>,
) -> anyhow::Result<ExitCode> {
    let format = args.format.format();
    let mut values = values(format, &chosen.sizes)?;
    if let Some(path) = &args.out {
        let mut before = earlier(format, path)?.unwrap_or_default();
        before.retain(|name, _| !values.contains_key(name));
        present.retain(|of| args.choice.means(of));
        let (earlier, raised) = carried_over(format, before, &present);
        values.extend(earlier);
        messages::note_raised(&raised);
        file::write(path, &write_values(format, &values))?;
    }
    let mut out = out::stdout();
    if args.form.is_json() {
        let more = json!({ "values": values, "out": args.out });
        return print_json(chosen, more, &mut out);
    }
    match &args.out {
        Some(path) => out::note(format_args!(
            "rightsizer: {} has {} values",
            path.display(),
            values.len()
        )),
        None => write!(out, "{}", write_values(format, &values))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The values of an earlier export at `path`.
fn earlier(
    format: Format,
    path: &Path,
) -> anyhow::Result<Option<std::collections::BTreeMap<String, u32>>> {
    if !path.exists() {
        return Ok(None);
    }
    let text = file::read(path)?;
    match read_values(format, &text) {
        Some(values) => Ok(Some(values)),
        None => bail!(
            "{} exists and is not an earlier export of this format; nothing was written\nhint: \
             give another name",
            path.display()
        ),
    }
}

fn into_template(args: &ExportArgs, path: &Path, chosen: &Chosen) -> anyhow::Result<ExitCode> {
    let rules = Rules {
        map: args.map.iter().cloned().collect(),
        stack: args.choice.stack.clone(),
        stage: args.stage.clone(),
    };
    let patched = patched(args.format.format(), path, &chosen.sizes, &rules)?;
    let results = Results::new(chosen, &patched.rows);
    if args.yes {
        patched.write()?;
    }
    print_patch(args, path, &patched, chosen, &results)?;
    Ok(results.code())
}

fn print_patch(
    args: &ExportArgs,
    path: &Path,
    patched: &Patched,
    chosen: &Chosen,
    results: &Results<'_>,
) -> anyhow::Result<()> {
    let name = path.to_string_lossy();
    let diff = patched.diff();
    let mut out = out::stdout();
    if args.form.is_json() {
        let more = json!({
            "template": path,
            "written": args.yes && !diff.is_empty(),
            "rows": results.json(&name),
            "diff": diff,
        });
        print_json(chosen, more, &mut out)?;
        return Ok(());
    }
    if !args.yes {
        write!(out, "{diff}")?;
    }
    drop(out);
    results.print(&name);
    if diff.is_empty() {
        return Ok(());
    }
    if args.yes {
        for file in patched.changed() {
            out::note(format_args!("rightsizer: {} was written", file.name()));
        }
    } else {
        out::note(format_args!(
            "rightsizer: dry run: nothing was written; pass --yes to write it"
        ));
    }
    Ok(())
}

fn print_json(chosen: &Chosen, more: Value, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let mut all = chosen.json();
    if let (Some(all), Value::Object(more)) = (all.as_object_mut(), more) {
        all.extend(more);
    }
    crate::cli::write_json(&all, out)?;
    Ok(ExitCode::SUCCESS)
}
