//! The figures of forced starts, kept with their functions in the store.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use rightsizer_aws::clock::now;
use rightsizer_records::FunctionArn;
use rightsizer_rules::evidence::FunctionKey;
use rightsizer_rules::power::bench::{ColdSample, bench};
use rightsizer_store::Store;

use super::super::ColdStartsArgs;
use crate::settings::Settings;

/// Stores the starts if there is a store; returns the reason for which they are not stored.
pub(super) fn keep(
    args: &ColdStartsArgs,
    settings: &Settings,
    functions: &BTreeMap<String, FunctionArn>,
    samples: &[ColdSample],
) -> Option<anyhow::Error> {
    let store = args.read.store();
    if samples.is_empty() || args.read.has_server() || !store.exists() {
        return None;
    }
    let put = put(store, settings, functions, samples);
    put.context("the starts are not in the store").err()
}

fn put(
    store: &Path,
    settings: &Settings,
    functions: &BTreeMap<String, FunctionArn>,
    samples: &[ColdSample],
) -> anyhow::Result<()> {
    let mut store = Store::open(store, "rightsizer coldstarts")?;
    let unit = store.begin()?;
    for cell in bench(samples, &settings.price).cells {
        if let Some(function) = functions.get(&cell.tested.function) {
            let key = FunctionKey::Arn(function.clone());
            unit.forced_starts().put(&key, now(), &cell)?;
        }
    }
    Ok(unit.commit()?)
}
