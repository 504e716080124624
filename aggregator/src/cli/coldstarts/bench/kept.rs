//! The figures of forced starts, kept with their functions in the store, or by the server that has it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use rightsizer_aws::clock::now;
use rightsizer_records::FunctionArn;
use rightsizer_rules::evidence::FunctionKey;
use rightsizer_rules::power::bench::{ColdSample, bench};
use rightsizer_store::{Forced, ForcedLine, Store, StoreError};

use super::super::ColdStartsArgs;
use crate::cli::server::Server;
use crate::settings::Settings;

/// Stores the starts if there is a store or a server; returns the reason for which they are not stored.
pub(super) async fn keep(
    args: &ColdStartsArgs,
    settings: &Settings,
    functions: &BTreeMap<String, FunctionArn>,
    samples: &[ColdSample],
) -> Option<anyhow::Error> {
    if samples.is_empty() {
        return None;
    }
    let starts = starts(settings, functions, samples);
    let kept = match args.read.server() {
        Some(server) => server.keep_forced(&starts).await,
        None if args.read.store().exists() => here_or_at_holder(args.read.store(), &starts).await,
        None => return None,
    };
    kept.context("the starts are not in the store").err()
}

fn starts(
    settings: &Settings,
    functions: &BTreeMap<String, FunctionArn>,
    samples: &[ColdSample],
) -> Vec<Forced> {
    let cells = bench(samples, &settings.price).cells.into_iter();
    let forced = cells.filter_map(|cell| {
        Some(Forced {
            function: functions.get(&cell.tested.function)?.clone(),
            line: ForcedLine::of(&cell, now()),
        })
    });
    forced.collect()
}

/// Writes the store, or has the server that holds it do so.
async fn here_or_at_holder(store: &Path, starts: &[Forced]) -> anyhow::Result<()> {
    let mut store = match Store::open(store, "rightsizer coldstarts") {
        Err(StoreError::InUse { path, holder }) => {
            return match Server::holding(&path, &holder)? {
                Some(server) => server.keep_forced(starts).await,
                None => Err(StoreError::InUse { path, holder }.into()),
            };
        }
        store => store?,
    };
    let unit = store.begin()?;
    for Forced { function, line } in starts {
        let key = FunctionKey::Arn(function.clone());
        unit.forced_starts().put(&key, line)?;
    }
    Ok(unit.commit()?)
}
