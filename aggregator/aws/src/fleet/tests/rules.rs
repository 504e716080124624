//! One test a reason.

use rightsizer_records::{Arch, Megabytes};
use rightsizer_rules::inventory::{FunctionFacts, Package, Tags};

use super::functions::{
    OLDER, OURS, configuration, facts, other_layer, used_layer, variables, wish,
};
use crate::fleet::{
    Change, Configuration, Edge, Encrypted, Intent, Kind, LastUpdate, Plan, SkipCode, Variables,
    Wish,
};

/// What becomes of the usual function, changed like this.
fn judged(change: impl FnOnce(&mut Wish, &mut FunctionFacts, &mut Configuration)) -> Plan {
    let (mut wish, mut facts, mut now) = (wish(), facts("checkout"), configuration());
    change(&mut wish, &mut facts, &mut now);
    let intent = Intent::Attach(wish);
    match intent.prejudge(&facts) {
        Some(skip) => Plan::Skip(skip),
        None => intent.judge(&facts, &now),
    }
}

fn skipped(change: impl FnOnce(&mut Wish, &mut FunctionFacts, &mut Configuration)) -> SkipCode {
    match judged(change) {
        Plan::Skip(skip) => skip.code,
        Plan::Change(change) => panic!("{change:?}"),
    }
}

fn made(change: impl FnOnce(&mut Wish, &mut FunctionFacts, &mut Configuration)) -> Change {
    match judged(change) {
        Plan::Change(change) => change,
        Plan::Skip(skip) => panic!("{skip:?}"),
    }
}

fn off() -> Tags {
    variables(&[("rightsizer:mode", "off")])
}

fn holds(now: &mut Configuration, pairs: &[(&str, &str)]) {
    now.variables = Ok(Variables(variables(pairs)));
}

#[test]
fn a_plain_function_gets_the_layer_behind_its_own_and_the_variable_beside_its_own() {
    let change = made(|_, _, now| {
        now.layers = vec![used_layer(&other_layer(1)), used_layer(&other_layer(0))];
        holds(now, &[("SECRET", "x")]);
    });
    assert_eq!(change.kind, Kind::Attach);
    let layers = [other_layer(1), other_layer(0), OURS.to_owned()];
    assert_eq!(change.layers.unwrap(), layers);
    let both = variables(&[("RIGHTSIZER_STREAM", "reports"), ("SECRET", "x")]);
    assert_eq!(change.variables.unwrap().0, both);
}

#[test]
fn who_opted_out_is_left_alone_whichever_way_it_is_known() {
    assert_eq!(
        skipped(|_, facts, _| facts.tags = Some(off())),
        SkipCode::OptedOut
    );
    assert_eq!(
        skipped(|_, _, now| now.tags = Some(off())),
        SkipCode::OptedOut
    );
    assert_eq!(
        skipped(|_, _, now| now.tags = None),
        SkipCode::TagsUnreadable
    );
}

#[test]
fn what_takes_no_layers_is_left_alone() {
    assert_eq!(
        skipped(|_, f, _| f.edge_replica = true),
        SkipCode::EdgeReplica
    );
    let managed = skipped(|_, f, _| f.managed_instances = true);
    assert_eq!(managed, SkipCode::ManagedInstances);
    let image = skipped(|_, f, _| f.package = Package::Image);
    assert_eq!(image, SkipCode::ContainerImage);
    let arm = skipped(|_, f, _| f.arch = Arch::Arm64);
    assert_eq!(arm, SkipCode::OtherArchitecture);
    let far = |w: &mut Wish, _: &mut FunctionFacts, _: &mut Configuration| {
        w.layers[0].version = OURS.replace("eu-west-1", "us-east-1").parse().unwrap();
    };
    assert_eq!(skipped(far), SkipCode::OtherRegion);
}

#[test]
fn a_runtime_that_may_not_load_the_layer_is_skipped_without_the_flag() {
    let on = |runtime: &'static str| {
        move |_: &mut Wish, facts: &mut FunctionFacts, _: &mut Configuration| {
            facts.runtime = Some(runtime.to_owned());
        }
    };
    assert_eq!(skipped(on("go1.x")), SkipCode::OldRuntime);
    assert_eq!(skipped(on("custom")), SkipCode::UnknownRuntime);
    // Amazon Linux 1, for which the layer is built too.
    made(on("python3.7"));
    made(|wish, facts, _| {
        wish.any_runtime = true;
        facts.runtime = Some("custom".to_owned());
    });
}

#[test]
fn a_function_that_cloudfront_may_run_is_skipped_without_the_flag() {
    let edge = |edge: Edge| {
        move |_: &mut Wish, _: &mut FunctionFacts, now: &mut Configuration| now.edge = edge
    };
    assert_eq!(skipped(edge(Edge::Yes)), SkipCode::EdgeFunction);
    let unknown = Edge::Unknown("AccessDenied".to_owned());
    assert_eq!(skipped(edge(unknown)), SkipCode::EdgeFunction);
    made(|wish, _, now| (wish.edge_ok, now.edge) = (true, Edge::Yes));
    // One that has the layer is as it is: a newer version of it changes nothing for CloudFront.
    made(|_, _, now| {
        now.edge = Edge::Yes;
        now.layers = vec![used_layer(OLDER)];
        holds(now, &[("RIGHTSIZER_STREAM", "reports")]);
    });
}

/// Of the layers of both architectures, each function gets its own; it takes the place of the other one, as after a
/// change of the function's architecture.
#[test]
fn each_function_gets_the_layer_of_its_architecture() {
    let arm = OURS.replace("rightsizer:7", "rightsizer-arm:2");
    let both = |wish: &mut Wish| {
        let mut layer = wish.layers[0].clone();
        wish.layers[0].runs_on = vec![Arch::X86_64];
        layer.version = arm.parse().unwrap();
        layer.runs_on = vec![Arch::Arm64];
        wish.layers.push(layer);
    };
    let on_arm = made(|wish, facts, now| {
        both(wish);
        facts.arch = Arch::Arm64;
        now.layers = vec![used_layer(OLDER), used_layer(&other_layer(0))];
        holds(now, &[("RIGHTSIZER_STREAM", "reports")]);
    });
    assert_eq!(on_arm.layers.unwrap(), [arm.clone(), other_layer(0)]);
    let on_x86 = made(|wish, _, _| both(wish));
    assert_eq!(on_x86.layers.unwrap(), [OURS]);
}

#[test]
fn a_layer_that_names_no_architecture_is_for_all() {
    made(|wish, facts, _| {
        wish.layers[0].runs_on.clear();
        facts.arch = Arch::Arm64;
    });
}

#[test]
fn five_layers_are_the_most_and_four_leave_room() {
    let with = |n: usize| {
        move |_: &mut Wish, _: &mut FunctionFacts, now: &mut Configuration| {
            now.layers = (0..n).map(|n| used_layer(&other_layer(n))).collect();
        }
    };
    assert_eq!(skipped(with(5)), SkipCode::FiveLayers);
    assert_eq!(made(with(4)).layers.unwrap().len(), 5);
}

#[test]
fn five_with_an_older_version_of_ours_are_accepted() {
    let change = made(|_, _, now| {
        now.layers = (0..4).map(|n| used_layer(&other_layer(n))).collect();
        now.layers.insert(1, used_layer(OLDER));
        holds(now, &[("RIGHTSIZER_STREAM", "reports")]);
    });
    assert_eq!(change.kind, Kind::Update);
    let layers = change.layers.unwrap();
    assert_eq!((layers.len(), layers[1].as_str()), (5, OURS));
    assert_eq!(change.variables, None);
}

#[test]
fn variables_that_cannot_be_read_are_never_written() {
    let unreadable = |_: &mut Wish, _: &mut FunctionFacts, now: &mut Configuration| {
        now.variables = Err(Encrypted("KMSAccessDeniedException".to_owned()));
    };
    assert_eq!(skipped(unreadable), SkipCode::EnvironmentUnreadable);
    let mut now = configuration();
    now.layers = vec![used_layer(OURS)];
    unreadable(&mut wish(), &mut facts("a"), &mut now);
    let detach = Intent::Detach {
        layers: vec![OURS.parse().unwrap()],
        variables: wish().variables,
    };
    let Plan::Skip(skip) = detach.judge(&facts("a"), &now) else {
        panic!("it is changed");
    };
    assert_eq!(skip.code, SkipCode::EnvironmentUnreadable);
}

#[test]
fn a_variable_of_ours_without_the_layer_belongs_to_someone_else() {
    for value in ["reports", "another"] {
        let code = skipped(|_, _, now| holds(now, &[("RIGHTSIZER_STREAM", value)]));
        assert_eq!(code, SkipCode::VariableTaken);
    }
}

#[test]
fn another_stream_is_an_update_and_the_same_is_nothing() {
    let attached = |value: &'static str| {
        move |_: &mut Wish, _: &mut FunctionFacts, now: &mut Configuration| {
            now.layers = vec![used_layer(OURS)];
            holds(now, &[("RIGHTSIZER_STREAM", value)]);
        }
    };
    assert_eq!(skipped(attached("reports")), SkipCode::AlreadyAttached);
    let change = made(attached("another"));
    assert_eq!((change.kind, change.layers), (Kind::Update, None));
}

/// `{"A":"…","RIGHTSIZER_STREAM":"reports"}`: 8 bytes around A's value, and 30 for ours with its comma.
#[test]
fn four_kilobytes_of_variables_are_the_most() {
    let with = |n: usize| {
        move |_: &mut Wish, _: &mut FunctionFacts, now: &mut Configuration| {
            holds(now, &[("A", &"x".repeat(n))]);
        }
    };
    assert_eq!(skipped(with(4096 - 8 - 30 + 1)), SkipCode::EnvironmentFull);
    made(with(4096 - 8 - 30));
}

#[test]
fn what_is_too_large_even_zipped_is_left_alone() {
    let with = |bytes| {
        move |_: &mut Wish, _: &mut FunctionFacts, now: &mut Configuration| {
            now.code_bytes = bytes;
        }
    };
    assert_eq!(
        skipped(with(262_144_000 - 2_000_000 + 1)),
        SkipCode::TooLarge
    );
    made(with(262_144_000 - 2_000_000));
}

/// 496 + 16 = 512: that much is just there.
#[test]
fn a_function_near_its_size_is_left_alone() {
    let with = |mb| {
        move |wish: &mut Wish, facts: &mut FunctionFacts, _: &mut Configuration| {
            wish.used.insert(facts.function.clone(), Megabytes(mb));
        }
    };
    assert_eq!(skipped(with(497)), SkipCode::LittleMemory);
    made(with(496));
}

#[test]
fn a_vpc_is_asked_about_and_the_log_subscription_proposed() {
    let Plan::Skip(skip) = judged(|_, _, now| now.in_vpc = true) else {
        panic!("it is changed");
    };
    assert_eq!(skip.code, SkipCode::Vpc);
    let proposal = "rightsizer subscribe --prefix checkout --stream";
    assert!(skip.words.contains(proposal), "{}", skip.words);
    made(|wish, _, now| (wish.vpc_ok, now.in_vpc) = (true, true));
}

#[test]
fn one_that_is_being_changed_is_left_alone_for_now() {
    let code = skipped(|_, _, now| now.last_update = LastUpdate::InProgress);
    assert_eq!(code, SkipCode::UpdateInProgress);
}

#[test]
fn a_stack_and_snap_start_are_mentioned() {
    let change = made(|_, facts, now| {
        facts.snap_start = true;
        now.tags = Some(variables(&[("aws:cloudformation:stack-name", "shop")]));
    });
    assert!(change.notes[0].contains("shop") && change.notes[1].contains("SnapStart"));
}

/// Terraform and its like show in no stack: a tag is all there is.
#[test]
fn a_tool_that_would_take_the_layer_off_again_is_named_by_its_tag() {
    let noted = |key: &str, value: &str| {
        let change = made(|_, _, now| now.tags = Some(variables(&[(key, value)])));
        change
            .notes
            .iter()
            .any(|note| note.contains("is managed by terraform"))
    };
    assert!(noted("ManagedBy", "Terraform") && noted("terraform", "true"));
    // A word of a name or a sentence is enough.
    assert!(noted("terraform:workspace", "prod") && noted("owner", "managed by Terraform"));
    assert!(noted("provisioner", "terraform-cloud"));
    assert!(!noted("terraform", "false") && !noted("team", "terraformers"));
}

#[test]
fn values_of_variables_are_never_written_out() {
    let change = made(|_, _, now| holds(now, &[("PASSWORD", "hunter2")]));
    let text = format!("{change:?}");
    assert!(
        text.contains("PASSWORD") && !text.contains("hunter2"),
        "{text}"
    );
}

#[test]
fn a_variable_that_got_another_value_meanwhile_stays_and_is_reported() {
    let mut now = configuration();
    now.layers = vec![used_layer(OLDER), used_layer(&other_layer(0))];
    holds(&mut now, &[("RIGHTSIZER_STREAM", "theirs")]);
    let detach = Intent::Detach {
        layers: vec![OURS.parse().unwrap()],
        variables: wish().variables,
    };
    let Plan::Change(change) = detach.judge(&facts("a"), &now) else {
        panic!("it is left alone");
    };
    assert_eq!((change.kind, change.variables), (Kind::Detach, None));
    assert_eq!(change.layers.unwrap(), [other_layer(0)]);
    assert!(change.notes[0].contains("RIGHTSIZER_STREAM stays"));
}

/// Without `--endpoint`, `detach` does not know whether the variable is ours.
#[test]
fn an_endpoint_that_detach_was_not_given_stays_and_is_reported() {
    let mut now = configuration();
    now.layers = vec![used_layer(OURS)];
    let endpoint = ("RIGHTSIZER_ENDPOINT", "http://127.0.0.1:4566");
    holds(&mut now, &[("RIGHTSIZER_STREAM", "reports"), endpoint]);
    let detach = |variables| Intent::Detach {
        layers: vec![OURS.parse().unwrap()],
        variables,
    };
    let changed = |intent: Intent| match intent.judge(&facts("a"), &now) {
        Plan::Change(change) => change,
        Plan::Skip(skip) => panic!("it is left alone: {skip:?}"),
    };
    let without = changed(detach(wish().variables));
    assert_eq!(without.notes.len(), 1);
    assert!(without.notes[0].starts_with("RIGHTSIZER_ENDPOINT stays"));
    assert!(without.notes[0].contains("--endpoint"));
    let mut variables = wish().variables;
    variables.insert(endpoint.0.to_owned(), endpoint.1.to_owned());
    let with = changed(detach(variables));
    assert_eq!(with.notes, Vec::<String>::new());
    assert!(with.variables.unwrap().0.is_empty());
}
