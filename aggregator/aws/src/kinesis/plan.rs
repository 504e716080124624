//! Which shards to read now: not read yet, not read to their end, and every parent that the stream
//! still lists read to the end. Pure.

use std::collections::{HashMap, HashSet};

use aws_sdk_kinesis::types::Shard;

use super::position::Position;

/// What to do about the shards of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// To be read now, from these positions.
    pub(super) due: Vec<(String, Position)>,
    /// Listed and not read to the end.
    pub(super) open: Vec<String>,
    /// Begun, not read to the end, and no longer listed: the rest of them was dropped.
    pub(super) vanished: Vec<(String, Position)>,
}

/// Plans from what the stream lists, what the store remembers, and what is being read.
pub(super) fn plan(
    shards: &[Shard],
    known: &HashMap<String, Position>,
    running: &HashSet<String>,
) -> Plan {
    let listed: HashSet<&str> = shards.iter().map(Shard::shard_id).collect();
    let ended = |id: &str| known.get(id).is_some_and(|position| position.ended);
    let parents_read = |shard: &Shard| {
        [shard.parent_shard_id(), shard.adjacent_parent_shard_id()]
            .into_iter()
            .flatten()
            .all(|parent| ended(parent) || (!listed.contains(parent) && !running.contains(parent)))
    };
    let open = shards.iter().filter(|shard| !ended(shard.shard_id()));
    let due = open
        .clone()
        .filter(|shard| !running.contains(shard.shard_id()) && parents_read(shard));
    let position = |id: &str| known.get(id).cloned().unwrap_or_default();
    let vanished = known.iter().filter(|(id, position)| {
        !position.ended && !listed.contains(id.as_str()) && !running.contains(*id)
    });
    Plan {
        due: due
            .map(|shard| (shard.shard_id().to_owned(), position(shard.shard_id())))
            .collect(),
        open: open.map(|shard| shard.shard_id().to_owned()).collect(),
        vanished: vanished
            .map(|(id, position)| (id.clone(), position.clone()))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_kinesis::types::{HashKeyRange, SequenceNumberRange};

    use super::*;

    fn shard(id: &str, parents: [Option<&str>; 2]) -> Shard {
        let range = HashKeyRange::builder()
            .starting_hash_key("0")
            .ending_hash_key("1");
        let numbers = SequenceNumberRange::builder().starting_sequence_number("0");
        Shard::builder()
            .shard_id(id)
            .set_parent_shard_id(parents[0].map(str::to_owned))
            .set_adjacent_parent_shard_id(parents[1].map(str::to_owned))
            .hash_key_range(range.build().unwrap())
            .sequence_number_range(numbers.build().unwrap())
            .build()
            .unwrap()
    }

    fn known(positions: &[(&str, &str)]) -> HashMap<String, Position> {
        let positions = positions.iter();
        positions
            .map(|(id, text)| ((*id).to_owned(), Position::from(*text)))
            .collect()
    }

    fn due(shards: &[Shard], known: &HashMap<String, Position>, running: &[&str]) -> Vec<String> {
        let running = running.iter().map(|id| (*id).to_owned()).collect();
        let due = plan(shards, known, &running).due;
        due.into_iter().map(|(id, _)| id).collect()
    }

    #[test]
    fn a_child_waits_for_both_parents() {
        let shards = [
            shard("a", [None, None]),
            shard("b", [None, None]),
            shard("c", [Some("a"), Some("b")]),
        ];
        assert_eq!(due(&shards, &known(&[]), &[]), ["a", "b"]);
        let one = known(&[("a", "SHARD_END"), ("b", "7")]);
        assert_eq!(due(&shards, &one, &["b"]), [""; 0]);
        let both = known(&[("a", "SHARD_END"), ("b", "SHARD_END")]);
        assert_eq!(due(&shards, &both, &[]), ["c"]);
    }

    #[test]
    fn a_parent_that_is_listed_no_more_is_not_waited_for_unless_it_is_being_read() {
        let shards = [shard("c", [Some("a"), None])];
        assert_eq!(due(&shards, &known(&[]), &[]), ["c"]);
        assert_eq!(due(&shards, &known(&[("a", "7")]), &["a"]), [""; 0]);
    }

    #[test]
    fn a_shard_that_vanished_before_its_end_was_read_is_reported() {
        let shards = [shard("c", [Some("a"), None])];
        let known = known(&[("a", "7"), ("b", "SHARD_END")]);
        let plan = plan(&shards, &known, &HashSet::new());
        assert_eq!(plan.vanished, [("a".to_owned(), Position::from("7"))]);
        assert_eq!(plan.open, ["c"]);
    }
}
