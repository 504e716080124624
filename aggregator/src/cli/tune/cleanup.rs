//! `rightsizer tune --cleanup`: removes what runs that were killed have left.

use std::io::Write;
use std::process::ExitCode;

use anyhow::bail;
use comfy_table::{ContentArrangement, Table, presets};
use rightsizer_aws::clock::now;
use rightsizer_aws::fleet::CallError;
use rightsizer_aws::tune::{Leftover, TuneCalls, leftovers, remove};
use serde_json::{Value, json};

use super::TuneArgs;
use crate::cli::out;
use crate::cli::runtime::runtime;

/// A leftover and what became of it.
struct Row {
    leftover: Leftover,
    done: Option<Result<Option<String>, CallError>>,
}

pub(super) fn run(args: &TuneArgs) -> anyhow::Result<ExitCode> {
    runtime()?.block_on(async {
        let config = args.place.config().await?;
        let calls = TuneCalls::new(&config);
        let found = match leftovers(&calls).await {
            Ok(found) => found,
            Err(error) => {
                let why = error.to_string();
                let hint = "allow tag:GetResources, or lambda:ListFunctions";
                let hint = args.place.hint(&why, hint).await;
                bail!("cannot search for copies that runs left behind: {why}{hint}");
            }
        };
        let expired = |leftover: &Leftover| leftover.until.is_none_or(|until| until < now());
        let found = found
            .into_iter()
            .filter(|leftover| !args.expired || expired(leftover));
        let mut rows: Vec<Row> = found
            .map(|leftover| Row {
                leftover,
                done: None,
            })
            .collect();
        if args.yes {
            for row in &mut rows {
                let done = remove(&calls, &row.leftover).await;
                row.done = Some(done);
            }
        }
        print(args, &rows)
    })
}

fn print(args: &TuneArgs, rows: &[Row]) -> anyhow::Result<ExitCode> {
    let mut out = out::stdout();
    if args.form.is_json() {
        let all: Vec<Value> = rows.iter().map(Row::json).collect();
        let json = json!({ "dry_run": !args.yes, "copies": all });
        crate::cli::write_json(&json, &mut out)?;
    } else if rows.is_empty() {
        writeln!(
            out,
            "no run left anything behind in this account and region"
        )?;
    } else {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header(["COPY", "OF", "NEEDED UNTIL", "REMOVED"]);
        for row in rows {
            table.add_row(row.cells());
        }
        writeln!(out, "{}", table.trim_fmt())?;
        if !args.yes {
            let copies = match rows.len() {
                1 => "1 copy".to_owned(),
                copies => format!("{copies} copies"),
            };
            writeln!(
                out,
                "\ndry run: nothing was removed; pass --yes to remove {copies}, including those \
                 of runs in progress"
            )?;
        }
    }
    let failed = rows
        .iter()
        .any(|row| matches!(row.done, Some(Err(_) | Ok(Some(_)))));
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

impl Row {
    fn removed(&self) -> String {
        match &self.done {
            None => "-".to_owned(),
            Some(Ok(None)) => "yes".to_owned(),
            Some(Ok(Some(left))) => format!("the copy, but not its log group ({left})"),
            Some(Err(why)) => format!("no: {why}"),
        }
    }

    fn cells(&self) -> [String; 4] {
        let leftover = &self.leftover;
        let of = leftover.of.as_deref();
        let of = of.map(|arn| arn.rsplit(':').next().unwrap_or(arn).to_owned());
        [
            leftover.name.clone(),
            of.unwrap_or_else(|| "only its log group is left".to_owned()),
            leftover
                .until
                .map_or_else(|| "-".to_owned(), |until| until.to_string()),
            self.removed(),
        ]
    }

    fn json(&self) -> Value {
        let leftover = &self.leftover;
        json!({
            "name": leftover.name,
            "of": leftover.of,
            "run": leftover.run,
            "until": leftover.until.map(|until| until.to_string()),
            "function": leftover.function,
            "removed": self.done.as_ref().map(Result::is_ok),
            "words": self.removed(),
        })
    }
}
