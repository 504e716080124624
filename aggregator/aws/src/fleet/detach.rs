//! Taking the layer off: what `attach` added and nothing else. Pure.

use std::collections::BTreeMap;

use rightsizer_rules::inventory::FunctionFacts;

use super::configuration::{Change, Configuration, Kind};
use super::layer::LayerVersion;
use super::plan::Plan;
use super::skip::{Skip, SkipCode};

/// The decision that the list of functions allows without reading the function itself.
pub(super) fn prejudge(ours: &[LayerVersion], facts: &FunctionFacts) -> Option<Skip> {
    let is_ours = |arn: &String| ours.iter().any(|layer| layer.is_version_of_same(arn));
    (!facts.layers.iter().any(is_ours)).then(not_attached)
}

/// What `attach` sets only with `--endpoint`, so that it is unknown without that option whether it is ours.
const ENDPOINT: &str = "RIGHTSIZER_ENDPOINT";

/// What becomes of the function as it is `now`.
pub(super) fn judge(
    removed: &[LayerVersion],
    ours: &BTreeMap<String, String>,
    now: &Configuration,
) -> Plan {
    let arns = now.layers.iter().map(|used| &used.arn);
    let layers: Vec<String> = arns
        .filter(|arn| !removed.iter().any(|layer| layer.is_version_of_same(arn)))
        .cloned()
        .collect();
    if layers.len() == now.layers.len() {
        return Plan::Skip(not_attached());
    }
    let before = match &now.variables {
        Ok(variables) => variables,
        Err(why) => {
            return Plan::skip(
                SkipCode::EnvironmentUnreadable,
                format!(
                    "its variables cannot be read ({why}), so it is unknown which are ours: allow \
                     kms:Decrypt on the function's key"
                ),
            );
        }
    };
    let mut variables = before.clone();
    let mut notes = Vec::new();
    for (name, value) in ours {
        match before.0.get(name) {
            Some(there) if there == value => {
                variables.0.remove(name);
            }
            Some(_) => notes.push(format!("{name} stays: it has another value")),
            None => {}
        }
    }
    if before.0.contains_key(ENDPOINT) && !ours.contains_key(ENDPOINT) {
        notes.push(format!(
            "{ENDPOINT} stays: if attach set it, pass the same --endpoint to remove it too"
        ));
    }
    Plan::Change(Change {
        kind: Kind::Detach,
        layers: Some(layers),
        variables: (variables != *before).then_some(variables),
        notes,
    })
}

fn not_attached() -> Skip {
    Skip::new(SkipCode::NotAttached, "it does not have the layer")
}
