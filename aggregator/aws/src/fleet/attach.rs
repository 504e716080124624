//! Decides whether the layer may be attached to a function, and what that changes. Does no IO. Every rule protects
//! the function: if a fact is not known, it is skipped.

use rightsizer_records::tags::{MODE_TAG, STACK_TAG};
use rightsizer_records::{ApplyMode, Megabytes};
use rightsizer_rules::inventory::{FunctionFacts, Package, Tags};

use super::configuration::{Change, Configuration, Edge, Kind, Variables};
use super::layer::LayerFacts;
use super::plan::{Plan, Wish};
use super::runtimes::{Fit, fit};
use super::skip::{Skip, SkipCode};

/// Most layers that Lambda allows.
const MOST_LAYERS: usize = 5;
/// Most bytes of environment variables that Lambda allows.
const MOST_VARIABLES: usize = 4096;
/// Most bytes of unzipped code and layers that Lambda allows.
const MOST_UNZIPPED: u64 = 262_144_000;
/// The extension uses 8 to 10 MB; this leaves about the same again as a reserve.
const EXTENSION_MB: Megabytes = Megabytes(16);

/// Decides from the list of functions alone, without reading the function; `None` if that is not enough.
pub(super) fn prejudge(wish: &Wish, facts: &FunctionFacts) -> Option<Skip> {
    let skip = |code, words: &str| Some(Skip::new(code, words));
    match () {
        () if opted_out(facts.tags.as_ref()) => Some(by_its_tag()),
        () if facts.edge_replica => skip(
            SkipCode::EdgeReplica,
            "a replica of an edge function cannot be changed, and edge functions take no layers",
        ),
        () if facts.managed_instances => skip(
            SkipCode::ManagedInstances,
            "its memory comes from a capacity provider, so its size cannot be changed",
        ),
        () if facts.package == Package::Image => skip(
            SkipCode::ContainerImage,
            "a container image takes no layers: copy the extension into the image, or subscribe \
             its log group",
        ),
        () => match wish.layer(facts) {
            Err(skip) => Some(skip),
            Ok(_) if wish.any_runtime => None,
            Ok(_) => runtime(facts),
        },
    }
}

/// An extension that cannot be loaded fails every invocation.
fn runtime(facts: &FunctionFacts) -> Option<Skip> {
    let named = facts.runtime.as_deref();
    match fit(named) {
        Fit::Runs => None,
        Fit::NoExtensions => Some(Skip::new(
            SkipCode::OldRuntime,
            format!(
                "{} starts no extensions: subscribe its log group instead",
                named.unwrap_or_default()
            ),
        )),
        Fit::Unknown => Some(Skip::new(
            SkipCode::UnknownRuntime,
            format!(
                "it is not known whether the layer runs on {}. If it does not, every invocation fails: \
                 try it on a copy, then pass --any-runtime",
                named.unwrap_or("a runtime without a name")
            ),
        )),
    }
}

/// Returns the plan for the function as it is `now`.
pub(super) fn judge(wish: &Wish, facts: &FunctionFacts, now: &Configuration) -> Plan {
    let layer = match wish.layer(facts) {
        Ok(layer) => layer,
        Err(skip) => return Plan::Skip(skip),
    };
    let had = now.layers.iter().any(|layer| wish.is_ours(&layer.arn));
    let variables = match may_change(wish, now, had) {
        Ok(variables) => variables,
        Err(skip) => return Plan::Skip(skip),
    };
    let layers = layers(wish, layer, now);
    let same_layers = layers.iter().eq(now.layers.iter().map(|layer| &layer.arn));
    let same_variables = now.variables.as_ref() == Ok(&variables);
    if same_layers && same_variables {
        return Plan::skip(
            SkipCode::AlreadyAttached,
            "it has the layer and the variables already",
        );
    }
    let skip = too_much(wish, layer, now, &variables).or_else(|| {
        let first = !had;
        first.then(|| no_room(wish, facts, now)).flatten()
    });
    if let Some(skip) = skip {
        return Plan::Skip(skip);
    }
    Plan::Change(Change {
        kind: if had { Kind::Update } else { Kind::Attach },
        layers: (!same_layers).then_some(layers),
        variables: (!same_variables).then_some(variables),
        notes: notes(facts, now),
    })
}

/// Returns the new variables, or the reason for which they cannot be changed.
fn may_change(wish: &Wish, now: &Configuration, had: bool) -> Result<Variables, Skip> {
    match &now.tags {
        None => {
            return Err(Skip::new(
                SkipCode::TagsUnreadable,
                "its tags cannot be read, so it may have opted out: allow lambda:ListTags",
            ));
        }
        tags if opted_out(tags.as_ref()) => return Err(by_its_tag()),
        Some(_) => {}
    }
    let before = now.variables.as_ref().map_err(|why| {
        Skip::new(
            SkipCode::EnvironmentUnreadable,
            format!(
                "its variables cannot be read ({why}), and a write would erase them: allow \
                 kms:Decrypt on the function's key"
            ),
        )
    })?;
    let mut variables = before.clone();
    for (name, value) in &wish.variables {
        let old = variables.0.insert(name.clone(), value.clone());
        if old.is_some() && !had {
            return Err(Skip::new(
                SkipCode::VariableTaken,
                format!(
                    "{name} is already set although the layer is missing, so attach did not set it: \
                     remove the variable at its source"
                ),
            ));
        }
    }
    Ok(variables)
}

/// Returns the new layers: ours replaces an older version of it, or the one of another architecture, or comes last.
fn layers(wish: &Wish, layer: &LayerFacts, now: &Configuration) -> Vec<String> {
    let ours = layer.version.to_string();
    let mut there = false;
    let mut layers = Vec::new();
    for layer in &now.layers {
        if !wish.is_ours(&layer.arn) {
            layers.push(layer.arn.clone());
        } else if !there {
            there = true;
            layers.push(ours.clone());
        }
    }
    if !there {
        layers.push(ours);
    }
    layers
}

/// Checks the limits of Lambda that hold for every change.
fn too_much(
    wish: &Wish,
    layer: &LayerFacts,
    now: &Configuration,
    variables: &Variables,
) -> Option<Skip> {
    if variables.bytes() > MOST_VARIABLES {
        return Some(Skip::new(
            SkipCode::EnvironmentFull,
            format!(
                "its variables would need {} bytes, and Lambda allows {MOST_VARIABLES}: shorten them, or \
                 subscribe its log group",
                variables.bytes()
            ),
        ));
    }
    // The sizes are of archives, whose content is larger. If only the content exceeds the limit, Lambda refuses
    // the whole change.
    let others = now.layers.iter().filter(|used| !wish.is_ours(&used.arn));
    let others: u64 = others.map(|used| used.bytes).sum();
    let bytes = now
        .code_bytes
        .saturating_add(others)
        .saturating_add(layer.bytes);
    (bytes > MOST_UNZIPPED).then(|| {
        Skip::new(
            SkipCode::TooLarge,
            format!(
                "its zipped code and layers would need {bytes} bytes, and Lambda allows {MOST_UNZIPPED} unzipped: \
                 subscribe its log group"
            ),
        )
    })
}

/// Skips edge functions, because CloudFront accepts no version with layers or variables.
fn of_cloudfront(now: &Configuration) -> Option<Skip> {
    let words = match &now.edge {
        Edge::No => return None,
        Edge::Yes => {
            "its role trusts edgelambda.amazonaws.com, and CloudFront accepts no version with layers or \
             variables. If no distribution uses it, pass --edge-ok"
                .to_owned()
        }
        Edge::Unknown(why) => format!(
            "CloudFront may run it, because its role cannot be read ({why}): allow \
             iam:GetRole, or pass --edge-ok if no distribution uses any of these functions"
        ),
    };
    Some(Skip::new(SkipCode::EdgeFunction, words))
}

/// Checks the rules that matter only if the layer is new.
fn no_room(wish: &Wish, facts: &FunctionFacts, now: &Configuration) -> Option<Skip> {
    if let Some(skip) = of_cloudfront(now).filter(|_| !wish.edge_ok) {
        return Some(skip);
    }
    if now.layers.len() >= MOST_LAYERS {
        return Some(Skip::new(
            SkipCode::FiveLayers,
            format!(
                "it has {} layers, and Lambda allows {MOST_LAYERS}: merge two of them, or subscribe its log group",
                now.layers.len()
            ),
        ));
    }
    let used = wish.used.get(&facts.function);
    if let Some(used) =
        used.filter(|used| used.0.saturating_add(EXTENSION_MB.0) > facts.memory_mb.0)
    {
        return Some(Skip::new(
            SkipCode::LittleMemory,
            format!(
                "it has used {used} of {}, and the extension may need {EXTENSION_MB}: increase its \
                 memory first",
                facts.memory_mb
            ),
        ));
    }
    (now.in_vpc && !wish.vpc_ok).then(|| {
        Skip::new(
            SkipCode::Vpc,
            format!(
                "it is in a VPC, which may have no route to the stream. If it has one, use \
                 --vpc-ok. Otherwise subscribe its log group: rightsizer subscribe --prefix {} \
                 --stream {} --role ROLE (a role that logs.amazonaws.com may assume and that may \
                 put records there)",
                facts.function.name(),
                wish.stream
            ),
        )
    })
}

fn notes(facts: &FunctionFacts, now: &Configuration) -> Vec<String> {
    let mut notes = Vec::new();
    let tags = now.tags.as_ref();
    if let Some(stack) = tags.and_then(|tags| tags.get(STACK_TAG)) {
        notes.push(format!(
            "belongs to the stack {stack}: its next deployment may remove the layer"
        ));
    }
    notes.extend(tags.and_then(tool));
    if facts.snap_start {
        notes.push("has SnapStart: takes effect with the next published version".to_owned());
    }
    notes
}

/// Tools that keep a function as its code describes it, and that stacks do not show.
const TOOLS: [&str; 3] = ["terraform", "opentofu", "pulumi"];

/// Returns a note if a tag names a tool that manages the function.
fn tool(tags: &Tags) -> Option<String> {
    let named = |text: &str| {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric());
        let mut tools = words.filter_map(|word| {
            let tool = TOOLS.iter().find(|tool| word.eq_ignore_ascii_case(tool));
            tool.copied()
        });
        tools.next()
    };
    let (key, tool) = tags.iter().find_map(|(key, value)| {
        let is_set = !value.trim().eq_ignore_ascii_case("false");
        let by_key = named(key).filter(|_| is_set);
        Some((key, by_key.or_else(|| named(value))?))
    })?;
    Some(format!(
        "is managed by {tool}, by its tag {key}: its next apply removes the layer and the variables \
         unless they are added there"
    ))
}

fn opted_out(tags: Option<&Tags>) -> bool {
    tags.and_then(|tags| tags.get(MODE_TAG))
        .is_some_and(|mode| mode.trim().eq_ignore_ascii_case(ApplyMode::Off.name()))
}

fn by_its_tag() -> Skip {
    Skip::new(SkipCode::OptedOut, "its tag rightsizer:mode is off")
}
