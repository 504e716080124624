//! `rightsizer check`: for a pull request. Compares a template's sizes with what its functions need, prints review
//! comments, and fails if a size is below the safe one.

mod comment;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use rightsizer_export::{Became, Row, Rules, Size};
use rightsizer_records::shown::{markdown, shown};
use rightsizer_records::tags::{LOGICAL_ID_TAG, STACK_TAG};
use rightsizer_records::{Megabytes, Reason};
use rightsizer_rules::policy::why;
use rightsizer_store::ReviewRow;
use serde_json::{Value, json};

use self::comment::{NoPullRequest, PullRequest};
use super::export::{FormatArg, patched};
use super::flags;
use super::list::fleet;
use super::runtime::runtime;
use super::server::ServerArg;
use super::text::{counted, short};
use super::{StoreArg, out, write_json};

/// The floor's headroom (P2): what a function needs beyond its highest peak.
const HEADROOM_PERCENT: u64 = 110;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CheckArgs {
    /// The template, or a Terraform folder
    #[arg(long, value_name = "FILE")]
    template: PathBuf,
    /// The template's tool
    #[arg(long, value_name = "FORMAT")]
    format: FormatArg,
    /// Match a function of the template to a deployed function; may be repeated
    #[arg(long, value_name = "LABEL=FUNCTION", value_parser = flags::label)]
    map: Vec<(String, String)>,
    /// Functions of this stack; matches their logical ids
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,
    /// The deployed stage, if names contain it
    #[arg(long)]
    stage: Option<String>,
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    server: ServerArg,
    #[command(flatten)]
    form: CheckForm,
    /// Comment on the pull request of this GitHub or GitLab job; later runs edit the comment
    #[arg(long)]
    comment: bool,
}

/// The forms of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// A line for each function
    Table,
    /// One JSON object
    Json,
    /// Markdown, for a comment on a pull request
    Markdown,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
struct CheckForm {
    /// The form of the output
    #[arg(short, long, value_name = "FORM")]
    output: Option<Output>,
    /// The same as -o json
    #[arg(long)]
    json: bool,
    /// The same as -o markdown
    #[arg(long)]
    markdown: bool,
}

impl CheckForm {
    fn form(&self) -> Output {
        match self {
            Self { json: true, .. } => Output::Json,
            Self { markdown: true, .. } => Output::Markdown,
            Self { output, .. } => output.unwrap_or(Output::Table),
        }
    }
}

const EXAMPLES: &str = "Examples:
  rightsizer check --format sam --template template.yaml
  rightsizer check --format terraform --template . --markdown > comment.md
  rightsizer check --format sam --template template.yaml --comment";

/// A function of the template.
struct Finding<'a> {
    row: &'a ReviewRow,
    label: String,
    file: Option<String>,
    line: usize,
    /// The template's size; `None` if it is not a number.
    has_mb: Option<u32>,
    safe_mb: u32,
}

impl Finding<'_> {
    fn is_below(&self) -> bool {
        self.has_mb.is_some_and(|mb| mb < self.safe_mb)
    }

    /// What to do, in words.
    fn words(&self) -> String {
        let (safe, has) = (self.safe_mb, self.has_mb);
        match has {
            None => format!("its size is not a number here; at least {safe} MB is safe"),
            Some(has) if has < safe => format!("{has} MB is below the safe size of {safe} MB"),
            Some(has) => match self.row.target_mb.filter(|target| *target < has) {
                Some(target) => format!("{has} MB is safe; {target} MB would be enough"),
                None => format!("{has} MB is safe"),
            },
        }
    }

    fn place(&self) -> String {
        match &self.file {
            Some(file) => format!("{file}:{}", self.line),
            None => format!("line {}", self.line),
        }
    }
}

pub(super) fn run(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let (rows, _) = fleet(&args.store, &args.server, None)?;
    let known: Vec<(&ReviewRow, u32)> = rows
        .iter()
        .filter_map(|row| Some((row, safe_mb(row)?)))
        .collect();
    let sizes: Vec<Size> = known.iter().map(|(row, safe)| size(row, *safe)).collect();
    let rules = Rules {
        map: args.map.iter().cloned().collect(),
        stack: args.stack.clone(),
        stage: args.stage.clone(),
    };
    let found = patched(args.format.format(), &args.template, &sizes, &rules)?.rows;
    let findings: Vec<Finding<'_>> = known
        .iter()
        .zip(found)
        .filter_map(|((row, safe), found)| finding(row, *safe, found))
        .collect();
    let below = findings.iter().filter(|finding| finding.is_below()).count();
    match args.form.form() {
        Output::Json => write_json(&as_json(&findings), &mut out::stdout())?,
        Output::Markdown => out::line(format_args!("{}", as_markdown(&findings)))?,
        Output::Table => {
            for finding in &findings {
                let name = short(&finding.row.function);
                let text = format!("{}: {name}: {}", finding.place(), finding.words());
                out::line(format_args!("{}", shown(&text)))?;
            }
            let all = counted(findings.len(), "function");
            out::line(format_args!(
                "{all} of the template known, {below} below the safe size"
            ))?;
        }
    }
    if args.comment {
        match PullRequest::of(|name| std::env::var(name).ok()) {
            Ok(request) => {
                let subject = args.template.to_string_lossy();
                runtime()?.block_on(request.write(&subject, &as_markdown(&findings)))?;
            }
            Err(why @ NoPullRequest::Branch) => out::note(format_args!("rightsizer: {why}")),
            Err(why) => return Err(why.into()),
        }
    }
    Ok(if below > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// The smallest size that is safe: the floor over the highest peak, and the size after one that ran out (P2, P3). The
/// buffer is comfort, not safety. `None` if nothing was decided.
fn safe_mb(row: &ReviewRow) -> Option<u32> {
    row.policy_mb?;
    let floor = u64::from(row.peak_mb?) * HEADROOM_PERCENT;
    let floor = u32::try_from(floor.div_ceil(100)).unwrap_or(u32::MAX);
    let raised = row.reasons.iter().filter_map(|reason| match reason {
        Reason::OutOfMemory { mb, .. } => Some(mb.0),
        _ => None,
    });
    let raised = raised.fold(floor, u32::max);
    // More than its maximum cannot be asked for.
    let most = row.reasons.iter().filter_map(|reason| match reason {
        Reason::Maximum { mb, .. } | Reason::HeldByMaximum { mb, .. } => Some(mb.0),
        _ => None,
    });
    Some(raised.min(most.max().unwrap_or(u32::MAX)))
}

fn size(row: &ReviewRow, safe: u32) -> Size {
    let tag = |name: &str| row.tags.get(name).cloned();
    Size {
        function: row.function.clone(),
        name: short(&row.function).trim_start_matches("local:").to_owned(),
        from_mb: Megabytes(row.current_mb),
        to_mb: Megabytes(safe),
        target_mb: None,
        id: String::new(),
        status: row.status.clone(),
        urgent: row.urgent,
        stack: tag(STACK_TAG),
        logical_id: tag(LOGICAL_ID_TAG),
    }
}

/// What the template has for a function; `None` if it does not have the function.
fn finding(row: &ReviewRow, safe_mb: u32, found: Row) -> Option<Finding<'_>> {
    let (line, has_mb) = match found.became {
        Became::Changed { line, from, .. } => (line, from),
        Became::Already { line } => (line, Some(safe_mb)),
        Became::Left { line, .. } => (line, None),
        Became::Missing { .. } => return None,
    };
    Some(Finding {
        row,
        label: found.label.unwrap_or_default(),
        file: found.file,
        line,
        has_mb,
        safe_mb,
    })
}

fn as_json(findings: &[Finding<'_>]) -> Value {
    let each = |finding: &Finding<'_>| {
        json!({
            "function": finding.row.function,
            "label": finding.label,
            "file": finding.file,
            "line": finding.line,
            "template_mb": finding.has_mb,
            "safe_mb": finding.safe_mb,
            "target_mb": finding.row.target_mb,
            "below": finding.is_below(),
            "message": finding.words(),
        })
    };
    let below = findings.iter().filter(|finding| finding.is_below()).count();
    json!({ "below": below, "functions": findings.iter().map(each).collect::<Vec<_>>() })
}

/// A comment: those below the safe size first.
fn as_markdown(findings: &[Finding<'_>]) -> String {
    let below = findings.iter().filter(|finding| finding.is_below()).count();
    let verdict = match below {
        0 => "every known function has a safe size".to_owned(),
        1 => "1 function is below its safe size".to_owned(),
        n => format!("{n} functions are below their safe size"),
    };
    let mut text = format!(
        "**Lambda Rightsizer**: {verdict}\n\n| function | place | finding | why |\n|---|---|---|---|"
    );
    let mut order: Vec<&Finding<'_>> = findings.iter().collect();
    order.sort_by_key(|finding| !finding.is_below());
    for finding in order {
        let mark = if finding.is_below() { "**below** " } else { "" };
        text.push_str(&format!(
            "\n| {} | {} | {mark}{} | {} |",
            markdown(short(&finding.row.function)),
            markdown(&finding.place()),
            markdown(&finding.words()),
            markdown(&why(&finding.row.reasons))
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use rightsizer_records::Day;

    use super::*;
    use crate::cli::sample::row;

    /// 480 × 1.1 = 528. After running out at 512, P3 wants 614.
    #[test]
    fn the_safe_size_is_the_floor_or_what_follows_an_out_of_memory() {
        let mut row = row("checkout", (1024, 480, 580), (1.0, 1.0));
        assert_eq!(safe_mb(&row), Some(528));
        row.reasons.push(Reason::OutOfMemory {
            day: Day::from_number(20_000),
            mb: Megabytes(614),
            size_mb: Megabytes(512),
        });
        assert_eq!(safe_mb(&row), Some(614));
        row.reasons.push(Reason::HeldByMaximum {
            mb: Megabytes(600),
            ran_out: true,
            wanted_mb: Megabytes(614),
        });
        assert_eq!(safe_mb(&row), Some(600));
        row.policy_mb = None;
        assert_eq!(safe_mb(&row), None);
    }

    #[test]
    fn a_comment_names_those_below_first() {
        let (small, large) = (
            row("a|b", (256, 250, 356), (1.0, 1.0)),
            row("big", (1024, 100, 200), (1.0, 1.0)),
        );
        let finding = |row, has_mb, safe_mb| Finding {
            row,
            label: "F".to_owned(),
            file: None,
            line: 7,
            has_mb,
            safe_mb,
        };
        let text = as_markdown(&[
            finding(&large, Some(1024), 110),
            finding(&small, Some(256), 275),
        ]);
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[0].ends_with("1 function is below its safe size"),
            "{text}"
        );
        let below = r"| a\|b | line 7 | **below** 256 MB is below the safe size of 275 MB |";
        assert!(lines[4].starts_with(below), "{text}");
        let enough = "| big | line 7 | 1024 MB is safe; 200 MB would be enough |";
        assert!(lines[5].starts_with(enough), "{text}");
    }
}
