//! Describes on standard error what an export did; standard output belongs to the pipeline.

use std::process::ExitCode;

use rightsizer_export::{Became, Raised, Row, Size};
use serde_json::{Value, json};

use super::choice::Chosen;
use crate::cli::out;
use crate::cli::text::{counted, short};

/// Prints what is left out, and why nothing is exported if so.
pub(super) fn note_choice(chosen: &Chosen) {
    for left in &chosen.left_out {
        let function = short(&left.function);
        out::note(format_args!(
            "rightsizer: {function} is skipped ({}): {}",
            left.code, left.words
        ));
    }
    if !chosen.sizes.is_empty() {
        return;
    }
    let wanted = chosen.wanted.join(" or ");
    let others: Vec<String> = chosen
        .others
        .iter()
        .map(|(status, n)| format!("{n} {status}"))
        .collect();
    let others = if others.is_empty() {
        "`rightsizer list` shows every function".to_owned()
    } else {
        format!(
            "others: {}. `rightsizer approve FUNCTION` approves an open one; --status or --all \
             selects others as they are",
            others.join(", ")
        )
    };
    let elsewhere = match chosen.elsewhere {
        0 => String::new(),
        n => format!(" ({n} of another account, region or stack)"),
    };
    out::note(format_args!(
        "rightsizer: nothing to export: no recommendation is {wanted} and may be deployed now{elsewhere}; \
         {others}"
    ));
}

/// Prints which values of an earlier export are not kept.
pub(super) fn note_raised(raised: &[Raised]) {
    for of in raised {
        out::note(format_args!(
            "rightsizer: {}: the file had {}, which is no longer recommended; the function has {}, \
             which is written instead",
            of.name, of.from_mb, of.to_mb
        ));
    }
}

/// The result for each size in a template.
pub(super) struct Results<'a>(Vec<(&'a Size, &'a Row)>);

impl<'a> Results<'a> {
    pub(super) fn new(chosen: &'a Chosen, rows: &'a [Row]) -> Self {
        Self(chosen.sizes.iter().zip(rows).collect())
    }

    /// Fails if none of the selected sizes is in the template.
    pub(super) fn code(&self) -> ExitCode {
        let done = |(_, row): &(&Size, &Row)| {
            matches!(row.became, Became::Changed { .. } | Became::Already { .. })
        };
        if self.0.is_empty() || self.0.iter().any(done) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }

    pub(super) fn print(&self, file: &str) {
        for (size, row) in &self.0 {
            out::note(format_args!(
                "rightsizer: {}: {}",
                size.name,
                words(size, row, file)
            ));
        }
        let count =
            |is: fn(&Became) -> bool| self.0.iter().filter(|(_, row)| is(&row.became)).count();
        out::note(format_args!(
            "rightsizer: {file}: {} changed, {} up to date, {} to edit by hand, {} not in it",
            counted(count(|of| matches!(of, Became::Changed { .. })), "size"),
            count(|of| matches!(of, Became::Already { .. })),
            count(|of| matches!(of, Became::Left { .. })),
            count(|of| matches!(of, Became::Missing { .. })),
        ));
    }

    pub(super) fn json(&self, file: &str) -> Vec<Value> {
        let rows = self.0.iter();
        rows.map(|(size, row)| {
            let (became, line) = match &row.became {
                Became::Changed { line, .. } => ("changed", Some(*line)),
                Became::Already { line } => ("already", Some(*line)),
                Became::Left { line, .. } => ("left", Some(*line)),
                Became::Missing { .. } => ("missing", None),
            };
            json!({
                "function": size.function,
                "label": row.label,
                "became": became,
                "file": row.file,
                "line": line,
                "words": words(size, row, file),
            })
        })
        .collect()
    }
}

fn words(size: &Size, row: &Row, file: &str) -> String {
    let of_file = row
        .file
        .as_ref()
        .map_or_else(String::new, |file| format!(" of {file}"));
    let file = row.file.as_deref().unwrap_or(file);
    match &row.became {
        Became::Changed {
            line,
            from,
            to,
            note: know,
        } => {
            let know = know
                .as_ref()
                .map_or_else(String::new, |know| format!("; {know}"));
            let from_mb = size.from_mb.0;
            let other = from.filter(|from| *from != from_mb);
            let note = other.map_or_else(String::new, |_| {
                format!(" (the function itself had {from_mb})")
            });
            match from {
                Some(from) => format!("line {line}{of_file}: {from} → {to}{note}{know}"),
                None => format!("line {line}{of_file}: {to} is added; it had {from_mb}{know}"),
            }
        }
        Became::Already { line } => {
            format!("line {line}{of_file}: up to date, {}", size.to_mb.0)
        }
        Became::Left { line, why } => format!("line {line} of {file}: needs a manual edit: {why}"),
        Became::Missing { hint: None } => {
            "the template has no function of this name; if it has another name there, add --map \
             LABEL=FUNCTION"
                .to_owned()
        }
        Became::Missing { hint: Some(hint) } => format!("no certain match in the template: {hint}"),
    }
}
