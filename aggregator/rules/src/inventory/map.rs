//! All functions by ARN: pages merged, compared with what was known.

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
    /// Whether it was asked which alarms ring; else what is known of them stays.
    pub with_alarms: bool,
}

/// What has become different since the last refresh.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// It was not there before.
    Appeared(FunctionArn),
    /// It no longer exists.
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

    /// Merges a refresh and returns the differences. An incomplete one removes nothing, and if tags
    /// could not be read, the known ones stay.
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
                self.functions.remove(&arn);
                changes.push(Change::Gone(arn));
            }
            self.refreshed = Some(update.seen_at);
        }
        changes
    }

    fn take(&mut self, mut facts: FunctionFacts, changes: &mut Vec<Change>) {
        let arn = facts.function.clone();
        match self.functions.remove(&arn) {
            None => changes.push(Change::Appeared(arn.clone())),
            Some(before) => {
                if facts.tags.is_none() {
                    facts.tags.clone_from(&before.tags);
                }
                differences(&before, &facts, changes);
            }
        }
        self.functions.insert(arn, facts);
    }
}

fn differences(before: &FunctionFacts, now: &FunctionFacts, changes: &mut Vec<Change>) {
    let function = || now.function.clone();
    // An unknown code hash does not count as a change.
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
            logged: crate::inventory::LoggedReports::All,
            tags: Some(BTreeMap::new()),
            edge_replica: false,
            managed_instances: false,
            snap_start: false,
            modified: None,
            alarm: None,
        }
    }

    fn update(functions: Vec<FunctionFacts>, complete: bool) -> InventoryUpdate {
        InventoryUpdate {
            seen_at: Timestamp::parse("2026-03-01T10:00:00Z").unwrap(),
            functions,
            complete,
            with_alarms: true,
        }
    }

    #[test]
    fn only_differences_are_returned() {
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
        let untagged = FunctionFacts {
            tags: None,
            code_sha256: None,
            ..facts("a")
        };
        assert_eq!(fleet.apply(update(vec![untagged], false)), []);
        assert_eq!(fleet.len(), 2);
        assert_eq!(
            fleet.get(&arn("a")).unwrap().tags,
            Some(BTreeMap::new()),
            "what could not be read is still known"
        );
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
