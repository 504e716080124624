//! Matches places to functions. An uncertain match is not made; it is reported with what would make
//! it certain.

use std::collections::{BTreeMap, BTreeSet};

use super::error::Refused;
use super::pattern::Fit;
use super::site::{Memory, Name, Site};
use super::{Format, Size};

/// What the user gives to match places to functions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Functions, by name or ARN, by what the template calls them.
    pub map: BTreeMap<String, String>,
    /// The stack that the template makes: its logical ids are those of this stack's functions.
    pub stack: Option<String>,
    /// The stage that is deployed.
    pub stage: Option<String>,
}

/// The result of one size in the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// It is this declaration's.
    At(usize),
    /// It matches no function for certain; the text has what would make it match.
    Nowhere(Option<String>),
}

/// Finds each size's declaration.
pub(super) fn find(
    format: Format,
    sites: &[Site],
    sizes: &[Size],
    rules: &Rules,
) -> Result<Vec<Found>, Refused> {
    let mapped = mapped(sites, sizes, rules)?;
    let taken: BTreeSet<usize> = mapped.values().copied().collect();
    let mut found = Vec::new();
    for (n, size) in sizes.iter().enumerate() {
        if let Some(site) = mapped.get(&n) {
            found.push(Found::At(*site));
            continue;
        }
        let at: Vec<usize> = (0..sites.len())
            .filter(|at| !taken.contains(at))
            .filter(|at| sites.get(*at).is_some_and(|site| is(site, size, rules)))
            .collect();
        found.push(match at.as_slice() {
            [] => Found::Nowhere(hint(sites, size, rules)),
            [site] => Found::At(*site),
            several => return Err(twice(format, sites, size, several)),
        });
    }
    one_each(sites, sizes, &found)?;
    one_environment(sites, sizes, &found)?;
    Ok(found)
}

/// Refuses functions of several deployments, because a size for a test account would be deployed to
/// all.
fn one_environment(sites: &[Site], sizes: &[Size], found: &[Found]) -> Result<(), Refused> {
    let mut stages = BTreeSet::new();
    let mut matched = Vec::new();
    for (size, found) in sizes.iter().zip(found) {
        let Found::At(at) = found else { continue };
        matched.push(size);
        if let Some(Name::Computed(pattern)) = sites.get(*at).map(|site| &site.name) {
            stages.extend(pattern.stage(size));
        }
    }
    one_place(matched.iter().copied())?;
    one_stack(matched.iter().copied())?;
    if stages.len() > 1 {
        let stages = stages.into_iter().map(str::to_owned);
        return Err(several("stages", stages, "--stage"));
    }
    Ok(())
}

/// Refuses sizes of several stacks in one export.
pub(super) fn one_stack<'s>(sizes: impl Iterator<Item = &'s Size>) -> Result<(), Refused> {
    let stacks: BTreeSet<&str> = sizes.filter_map(|size| size.stack.as_deref()).collect();
    if stacks.len() > 1 {
        let stacks = stacks.into_iter().map(str::to_owned);
        return Err(several("stacks", stacks, "--stack"));
    }
    Ok(())
}

/// Refuses sizes of several accounts or regions in one export.
pub(super) fn one_place<'s>(sizes: impl Iterator<Item = &'s Size>) -> Result<(), Refused> {
    let place = |size: &Size| Some(format!("{}/{}", size.account()?, size.region()?));
    let places: BTreeSet<String> = sizes.filter_map(place).collect();
    if places.len() > 1 {
        let places = places.into_iter();
        return Err(several(
            "accounts or regions",
            places,
            "--account or --region",
        ));
    }
    Ok(())
}

fn several(
    what: &'static str,
    found: impl Iterator<Item = String>,
    option: &'static str,
) -> Refused {
    Refused::SeveralEnvironments {
        what,
        found: found.collect(),
        option,
    }
}

/// The places of `--map`, by the size's position.
fn mapped(
    sites: &[Site],
    sizes: &[Size],
    rules: &Rules,
) -> Result<BTreeMap<usize, usize>, Refused> {
    let mut mapped = BTreeMap::new();
    for (label, function) in &rules.map {
        let Some(at) = sites.iter().position(|site| site.label == *label) else {
            return Err(Refused::UnknownLabel {
                label: label.clone(),
                known: sites.iter().map(|site| site.label.clone()).collect(),
            });
        };
        let meant = |size: &Size| size.name == *function || size.function == *function;
        if let Some(site) = sites.get(at)
            && let Name::Literal(name) = &site.name
            && function.rsplit(':').next() != Some(name)
        {
            return Err(Refused::MapContradicts {
                label: label.clone(),
                function: function.clone(),
                name: name.clone(),
                line: site.line,
            });
        }
        // None: the function has nothing to be exported.
        for (n, _) in sizes.iter().enumerate().filter(|(_, size)| meant(size)) {
            mapped.insert(n, at);
        }
    }
    Ok(mapped)
}

/// Whether it is certain.
fn is(site: &Site, size: &Size, rules: &Rules) -> bool {
    let fit = fit(site, size, rules);
    fit == Fit::Is || (fit == Fit::MayBe && in_the_stack(site, size, rules))
}

fn fit(site: &Site, size: &Size, rules: &Rules) -> Fit {
    if rules.stack.is_some() && size.stack.is_some() && size.stack != rules.stack {
        return Fit::IsNot;
    }
    match &site.name {
        Name::Literal(name) if *name == size.name => Fit::Is,
        Name::Literal(_) => Fit::IsNot,
        Name::Computed(pattern) => pattern.fit(size, rules.stage.as_deref()),
        Name::MadeUp => Fit::MayBe,
    }
}

/// Many templates have logical ids such as `Function`, so they only match within a stack.
fn in_the_stack(site: &Site, size: &Size, rules: &Rules) -> bool {
    rules.stack.is_some() && size.stack == rules.stack && is_its_logical_id(site, size)
}

fn is_its_logical_id(site: &Site, size: &Size) -> bool {
    size.logical_id.as_deref() == Some(site.label.as_str())
}

/// What would make it certain.
fn hint(sites: &[Site], size: &Size, rules: &Rules) -> Option<String> {
    let maybe = |site: &&Site| fit(site, size, rules) == Fit::MayBe;
    let by_id = sites.iter().filter(maybe);
    if let Some(site) = by_id.clone().find(|site| is_its_logical_id(site, size))
        && let Some(stack) = &size.stack
    {
        return Some(format!(
            "{} may be it: the stack {stack} made it; if this is that stack's template, add \
             --stack {stack}",
            site.place()
        ));
    }
    let by_name: Vec<&Site> = by_id
        .clone()
        .filter(|site| matches!(&site.name, Name::Computed(of) if of.is_specific()))
        .collect();
    let Some(first) = by_name.first() else {
        return by_id.clone().find_map(|site| elsewhere(site, size));
    };
    if let Some(hint) = elsewhere(first, size) {
        return Some(hint);
    }
    let places: Vec<String> = by_name.iter().map(|site| site.place()).collect();
    Some(format!(
        "{} may be it, but its name is computed; if it is, add --map {}={}",
        places.join(" or "),
        first.label,
        size.name
    ))
}

/// A block that makes functions of entries elsewhere may make any.
fn elsewhere(site: &Site, size: &Size) -> Option<String> {
    let Memory::Elsewhere { why, .. } = &site.memory else {
        return None;
    };
    Some(format!(
        "{} may make it; {why}: give it {} in its entry there",
        site.place(),
        size.to_mb
    ))
}

fn twice(format: Format, sites: &[Site], size: &Size, at: &[usize]) -> Refused {
    let places = at.iter().filter_map(|at| sites.get(*at));
    Refused::FunctionTwice {
        function: size.name.clone(),
        places: places.map(Site::place).collect(),
        do_this: match format {
            Format::Serverless => "add --stage with the deployed stage, or --map KEY=FUNCTION",
            _ => "choose one with --map, or remove one",
        },
    }
}

/// Refuses one declaration for several sizes, because only one of them could be right.
fn one_each(sites: &[Site], sizes: &[Size], found: &[Found]) -> Result<(), Refused> {
    let mut at: BTreeMap<usize, Vec<&Size>> = BTreeMap::new();
    for (size, found) in sizes.iter().zip(found) {
        if let Found::At(site) = found {
            at.entry(*site).or_default().push(size);
        }
    }
    for (site, sizes) in at {
        if sizes.len() > 1
            && let Some(site) = sites.get(site)
        {
            return Err(Refused::PlaceTwice {
                place: site.place(),
                label: site.label.clone(),
                functions: sizes.iter().map(|size| size.distinct_name()).collect(),
            });
        }
    }
    Ok(())
}
