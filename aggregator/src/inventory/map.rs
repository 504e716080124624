//! All functions by ARN: pages merged, compared with what was known, found by where they log.

use std::collections::{BTreeMap, BTreeSet};

use rightsizer_records::{FunctionArn, Megabytes, Timestamp};

use super::facts::FunctionFacts;

/// What a refresh found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InventoryUpdate {
    /// When it began.
    pub seen_at: Timestamp,
    /// The functions found.
    pub functions: Vec<FunctionFacts>,
    /// Whether these are all of them: what is missing then is gone.
    pub complete: bool,
}

/// What has become different since the last refresh.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// It was not there before.
    Appeared(FunctionArn),
    /// It is there no more.
    Gone(FunctionArn),
    /// Its code is another: what ran out before may fit now, and the other way round.
    Code(FunctionArn),
    /// Its memory was changed, by us or by others.
    Memory {
        /// The function.
        function: FunctionArn,
        /// Before.
        from: Megabytes,
        /// Now.
        to: Megabytes,
    },
    /// Its timeout was changed.
    Timeout {
        /// The function.
        function: FunctionArn,
        /// Before, in seconds.
        from_s: u32,
        /// Now, in seconds.
        to_s: u32,
    },
    /// Its tags were changed.
    Tags(FunctionArn),
}

/// Every function that is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    functions: BTreeMap<FunctionArn, FunctionFacts>,
    /// Who logs where. Several functions may share a group.
    by_log_group: BTreeMap<String, BTreeSet<FunctionArn>>,
    refreshed: Option<Timestamp>,
}

impl Inventory {
    /// What is known of a function.
    pub fn get(&self, function: &FunctionArn) -> Option<&FunctionFacts> {
        self.functions.get(function)
    }

    /// Every function, by ARN.
    pub fn functions(&self) -> impl Iterator<Item = &FunctionFacts> {
        self.functions.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.functions.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    /// When the last complete refresh began.
    pub fn refreshed(&self) -> Option<Timestamp> {
        self.refreshed
    }

    /// Takes a refresh in and tells what is different. An incomplete one removes nothing, and tags
    /// that could not be read leave those that are known.
    pub fn apply(&mut self, update: InventoryUpdate) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut found = BTreeSet::new();
        for facts in update.functions {
            found.insert(facts.function.clone());
            self.take(facts, &mut changes);
        }
        if update.complete {
            let gone: Vec<FunctionArn> = self
                .functions
                .keys()
                .filter(|arn| !found.contains(*arn))
                .cloned()
                .collect();
            for arn in gone {
                self.remove(&arn);
                changes.push(Change::Gone(arn));
            }
            self.refreshed = Some(update.seen_at);
        }
        changes
    }

    /// Whose log line it is: the only function that logs to `group`, or the one of them that is
    /// called `name`, which stands in the log stream's name where functions share a group.
    pub fn function_of_log(&self, group: &str, name: Option<&str>) -> Option<&FunctionArn> {
        let loggers = self.by_log_group.get(group)?;
        match (loggers.len(), name) {
            (_, Some(name)) => only(loggers.iter().filter(|arn| arn.name() == name)),
            (1, None) => loggers.first(),
            _ => None,
        }
    }

    /// The function of this name, where there is only one in all accounts and regions.
    pub fn function_named(&self, name: &str) -> Option<&FunctionArn> {
        only(self.functions.keys().filter(|arn| arn.name() == name))
    }

    fn take(&mut self, mut facts: FunctionFacts, changes: &mut Vec<Change>) {
        let arn = facts.function.clone();
        match self.remove(&arn) {
            None => changes.push(Change::Appeared(arn.clone())),
            Some(before) => {
                if facts.tags.is_none() {
                    facts.tags.clone_from(&before.tags);
                }
                differences(&before, &facts, changes);
            }
        }
        let loggers = self.by_log_group.entry(facts.log_group.clone());
        loggers.or_default().insert(arn.clone());
        self.functions.insert(arn, facts);
    }

    fn remove(&mut self, arn: &FunctionArn) -> Option<FunctionFacts> {
        let facts = self.functions.remove(arn)?;
        if let Some(loggers) = self.by_log_group.get_mut(&facts.log_group) {
            loggers.remove(arn);
            if loggers.is_empty() {
                self.by_log_group.remove(&facts.log_group);
            }
        }
        Some(facts)
    }
}

fn differences(before: &FunctionFacts, now: &FunctionFacts, changes: &mut Vec<Change>) {
    let function = || now.function.clone();
    // A code that is not told is not another one.
    if let (Some(was), Some(is)) = (&before.code_sha256, &now.code_sha256)
        && was != is
    {
        changes.push(Change::Code(function()));
    }
    if before.memory_mb != now.memory_mb {
        changes.push(Change::Memory {
            function: function(),
            from: before.memory_mb,
            to: now.memory_mb,
        });
    }
    if before.timeout_s != now.timeout_s {
        changes.push(Change::Timeout {
            function: function(),
            from_s: before.timeout_s,
            to_s: now.timeout_s,
        });
    }
    if before.tags.is_some() && before.tags != now.tags {
        changes.push(Change::Tags(function()));
    }
}

fn only<'a>(mut all: impl Iterator<Item = &'a FunctionArn>) -> Option<&'a FunctionArn> {
    let first = all.next()?;
    all.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rightsizer_records::Arch;

    use super::*;
    use crate::inventory::Package;

    fn arn(name: &str) -> FunctionArn {
        FunctionArn::new("aws", "eu-west-1", "123456789012", name).unwrap()
    }

    fn facts(name: &str) -> FunctionFacts {
        FunctionFacts {
            function: arn(name),
            memory_mb: Megabytes(512),
            timeout_s: 30,
            arch: Arch::Arm64,
            runtime: Some("python3.13".to_owned()),
            code_sha256: Some("one".to_owned()),
            package: Package::Zip,
            layers: Vec::new(),
            log_group: format!("/aws/lambda/{name}"),
            tags: Some(BTreeMap::new()),
            edge_replica: false,
            managed_instances: false,
            snap_start: false,
        }
    }

    fn update(functions: Vec<FunctionFacts>, complete: bool) -> InventoryUpdate {
        InventoryUpdate {
            seen_at: Timestamp::parse("2026-03-01T10:00:00Z").unwrap(),
            functions,
            complete,
        }
    }

    #[test]
    fn what_is_different_is_told_and_what_is_the_same_is_not() {
        let mut fleet = Inventory::default();
        let first = fleet.apply(update(vec![facts("a"), facts("b"), facts("c")], true));
        assert_eq!(first.len(), 3);
        let again = fleet.apply(update(vec![facts("a"), facts("b"), facts("c")], true));
        assert_eq!(again, []);
        let deployed = FunctionFacts {
            code_sha256: Some("two".to_owned()),
            memory_mb: Megabytes(1024),
            ..facts("a")
        };
        let tagged = FunctionFacts {
            tags: Some([("rightsizer:mode".to_owned(), "off".to_owned())].into()),
            ..facts("b")
        };
        let changes = fleet.apply(update(vec![deployed, tagged], true));
        let (from, to) = (Megabytes(512), Megabytes(1024));
        let memory = Change::Memory {
            function: arn("a"),
            from,
            to,
        };
        assert_eq!(
            changes,
            [
                Change::Code(arn("a")),
                memory,
                Change::Tags(arn("b")),
                Change::Gone(arn("c"))
            ]
        );
        assert_eq!(fleet.len(), 2);
    }

    #[test]
    fn a_refresh_that_was_cut_off_removes_nothing() {
        let mut fleet = Inventory::default();
        fleet.apply(update(vec![facts("a"), facts("b")], true));
        let untold = FunctionFacts {
            tags: None,
            code_sha256: None,
            ..facts("a")
        };
        assert_eq!(fleet.apply(update(vec![untold], false)), []);
        assert_eq!(fleet.len(), 2);
        assert_eq!(
            fleet.get(&arn("a")).unwrap().tags,
            Some(BTreeMap::new()),
            "what could not be read is still known"
        );
    }

    #[test]
    fn a_log_line_is_of_the_function_that_logs_there() {
        let shared = |name| FunctionFacts {
            log_group: "/team/shared".to_owned(),
            ..facts(name)
        };
        let mut fleet = Inventory::default();
        fleet.apply(update(vec![facts("a"), shared("b"), shared("c")], true));
        let of = |group, name| fleet.function_of_log(group, name);
        assert_eq!(of("/aws/lambda/a", None), Some(&arn("a")));
        assert_eq!(of("/team/shared", Some("c")), Some(&arn("c")));
        assert_eq!(of("/team/shared", None), None, "it may be either");
        assert_eq!(of("/team/shared", Some("a")), None);
        assert_eq!(of("/aws/lambda/b", None), None, "it logs elsewhere");
    }

    #[test]
    fn a_function_that_moved_its_logs_is_found_at_the_new_place_alone() {
        let mut fleet = Inventory::default();
        fleet.apply(update(vec![facts("a")], true));
        let moved = FunctionFacts {
            log_group: "/team/a".to_owned(),
            ..facts("a")
        };
        fleet.apply(update(vec![moved], true));
        assert_eq!(fleet.function_of_log("/aws/lambda/a", None), None);
        assert_eq!(fleet.function_of_log("/team/a", None), Some(&arn("a")));
    }

    proptest! {
        /// However a fleet is cut into pages, the last complete word is what is known.
        #[test]
        fn pages_in_any_order_give_the_same_fleet(
            mut names in proptest::collection::btree_set("[a-f]", 0..6).prop_map(|set| set.into_iter().collect::<Vec<_>>()).prop_shuffle(),
            cut in 0usize..6,
        ) {
            let mut whole = Inventory::default();
            whole.apply(update(names.iter().map(|name| facts(name)).collect(), true));
            let all: Vec<_> = names.iter().map(|name| facts(name)).collect();
            let (early, _) = names.split_at(cut.min(names.len()));
            let mut paged = Inventory::default();
            paged.apply(update(early.iter().map(|name| facts(name)).collect(), false));
            paged.apply(update(all, true));
            names.clear();
            prop_assert_eq!(whole, paged);
        }
    }
}
