//! Functions as the tests need them.

use std::collections::{BTreeMap, HashMap};

use rightsizer_records::{Arch, FunctionArn, Megabytes};
use rightsizer_rules::inventory::{FunctionFacts, Package, Tags};

use crate::fleet::{
    Change, Configuration, Edge, LastUpdate, LayerFacts, UsedLayer, Variables, Wish,
};

pub(super) const OURS: &str = "arn:aws:lambda:eu-west-1:123456789012:layer:rightsizer:7";
pub(super) const OLDER: &str = "arn:aws:lambda:eu-west-1:123456789012:layer:rightsizer:3";

pub(super) fn other_layer(n: usize) -> String {
    format!("arn:aws:lambda:eu-west-1:210987654321:layer:other-{n}:1")
}

pub(super) fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

pub(super) fn wish() -> Wish {
    Wish {
        layers: vec![LayerFacts {
            version: OURS.parse().unwrap(),
            runs_on: vec![Arch::X86_64],
            bytes: 2_000_000,
        }],
        variables: variables(&[("RIGHTSIZER_STREAM", "reports")]),
        vpc_ok: false,
        any_runtime: false,
        edge_ok: false,
        stream: "arn:aws:kinesis:eu-west-1:123456789012:stream/reports".to_owned(),
        used: HashMap::new(),
    }
}

pub(in crate::fleet) fn facts(name: &str) -> FunctionFacts {
    FunctionFacts {
        function: FunctionArn::new("aws", "eu-west-1", "123456789012", name).unwrap(),
        memory_mb: Megabytes(512),
        timeout_s: 3,
        arch: Arch::X86_64,
        runtime: Some("python3.13".to_owned()),
        code_sha256: None,
        package: Package::Zip,
        layers: Vec::new(),
        log_group: format!("/aws/lambda/{name}"),
        logged: rightsizer_rules::inventory::LoggedReports::All,
        tags: Some(Tags::new()),
        edge_replica: false,
        managed_instances: false,
        snap_start: false,
        modified: None,
        alarm: None,
    }
}

pub(super) fn configuration() -> Configuration {
    Configuration {
        layers: Vec::new(),
        variables: Ok(Variables::default()),
        in_vpc: false,
        role: "arn:aws:iam::123456789012:role/a".to_owned(),
        edge: Edge::No,
        code_bytes: 1000,
        revision: Some("1".to_owned()),
        tags: Some(Tags::new()),
        last_update: LastUpdate::Done,
    }
}

pub(super) fn used_layer(arn: &str) -> UsedLayer {
    UsedLayer {
        arn: arn.to_owned(),
        bytes: 1000,
    }
}

/// What Lambda makes of a change.
pub(super) fn changed(now: &Configuration, change: &Change) -> Configuration {
    let mut then = now.clone();
    if let Some(layers) = &change.layers {
        then.layers = layers.iter().map(|arn| used_layer(arn)).collect();
    }
    if let Some(variables) = &change.variables {
        then.variables = Ok(variables.clone());
    }
    then
}
