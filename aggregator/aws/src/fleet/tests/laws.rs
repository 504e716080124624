//! `detach` undoes `attach`, and doing it twice is doing it once, whatever the function.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::functions::{OLDER, OURS, changed, configuration, facts, other_layer, used_layer, wish};
use crate::fleet::{Configuration, Intent, Plan, SkipCode, Variables};

fn functions() -> impl Strategy<Value = Configuration> {
    let layers = prop::collection::vec(0..9_usize, 0..6);
    let names = "[A-Z_]{1,8}|RIGHTSIZER_STREAM|RIGHTSIZER_ENDPOINT|RIGHTSIZER_LOG";
    let values = prop_oneof!["reports", "[a-zé\"]{0,40}"];
    let variables = prop::collection::btree_map(names, values, 0..6);
    (layers, variables).prop_map(|(layers, variables)| Configuration {
        layers: layers
            .into_iter()
            .map(|n| used_layer(&other_layer(n)))
            .collect(),
        variables: Ok(Variables(variables)),
        ..configuration()
    })
}

fn intents(endpoint: bool) -> (Intent, Intent) {
    let mut wish = wish();
    if endpoint {
        let url = "https://collector.internal/token".to_owned();
        wish.variables.insert("RIGHTSIZER_ENDPOINT".to_owned(), url);
    }
    let variables: BTreeMap<_, _> = wish.variables.clone();
    let layers = vec![OURS.parse().unwrap()];
    (Intent::Attach(wish), Intent::Detach { layers, variables })
}

fn code(plan: &Plan) -> Option<SkipCode> {
    match plan {
        Plan::Skip(skip) => Some(skip.code),
        Plan::Change(_) => None,
    }
}

proptest! {
    #[test]
    fn detach_undoes_attach_and_both_are_idempotent(before in functions(), endpoint in any::<bool>()) {
        let (attach, detach) = intents(endpoint);
        let facts = facts("checkout");
        if let Plan::Change(change) = attach.judge(&facts, &before) {
            let attached = changed(&before, &change);
            let again = attach.judge(&facts, &attached);
            prop_assert_eq!(code(&again), Some(SkipCode::AlreadyAttached));
            let Plan::Change(change) = detach.judge(&facts, &attached) else {
                panic!("what was attached cannot be detached");
            };
            let after = changed(&attached, &change);
            prop_assert_eq!(&after, &before);
            let again = detach.judge(&facts, &after);
            prop_assert_eq!(code(&again), Some(SkipCode::NotAttached));
        }
    }

    /// Whatever is done, other layers keep their order and other variables their values.
    #[test]
    fn what_is_not_ours_is_not_touched(mut before in functions(), at in 0..5_usize) {
        let (attach, detach) = intents(false);
        let ours = |arn: &String| arn == OURS || arn == OLDER;
        before.layers.insert(at.min(before.layers.len()), used_layer(OLDER));
        for intent in [attach, detach] {
            let Plan::Change(change) = intent.judge(&facts("checkout"), &before) else {
                continue;
            };
            let after = changed(&before, &change);
            let others = |of: &Configuration| {
                let arns = of.layers.iter().map(|layer| layer.arn.clone());
                let layers: Vec<_> = arns.filter(|arn| !ours(arn)).collect();
                let mut variables = of.variables.clone().unwrap();
                variables.0.remove("RIGHTSIZER_STREAM");
                (layers, variables)
            };
            prop_assert_eq!(others(&after), others(&before));
        }
    }
}
