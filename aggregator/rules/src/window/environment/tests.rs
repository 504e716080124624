//! Tests of `environment`.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

/// 100,000 records that leave out every other number: 256 ranges, the newest.
#[test]
fn marks_of_every_other_record_do_not_grow_without_end() {
    let mut marks = SeqMarks::default();
    for seq in (0..200_000).step_by(2) {
        assert!(marks.insert(seq));
    }
    assert!(
        marks.to_string().len() < 256 * 16,
        "{}",
        marks.to_string().len()
    );
    assert!(!marks.insert(199_998) && marks.insert(199_997) && !marks.insert(1));
    assert_eq!(SeqMarks::from_text(&marks.to_string()), Some(marks));
}

/// 1 at 80, 3 at 81, 5 at 99: after 1, 2, 4 and 8 invocations 80, 81, 81, 99. The values come in any order.
#[test]
fn p3_values_in_ascending_order_are_the_life_of_an_environment() {
    let mut used = UsedCounts::default();
    for mb in [99, 81, 99, 80, 81, 99, 99, 81, 99] {
        used.note(Megabytes(mb));
    }
    assert_eq!(used.to_string(), "80:1,81:3,99:5");
    assert_eq!(used.marks(), [80, 81, 81, 99].map(Megabytes));
    assert_eq!(UsedCounts::from_text(&used.to_string()), Some(used));
    assert_eq!(UsedCounts::from_text("80"), None);
}

#[test]
fn p3_an_environment_with_too_many_values_is_not_judged() {
    let mut used = UsedCounts::default();
    (0..=256).for_each(|mb| used.note(Megabytes(mb)));
    assert_eq!((used.to_string().as_str(), used.marks().len()), ("*", 0));
    let mut other = UsedCounts::default();
    other.note(Megabytes(3));
    other.join(&used);
    assert_eq!(other, used);
    assert_eq!(UsedCounts::from_text("*"), Some(used));
}

proptest! {
    /// The layer's high-water marks and the counted values of the same environment agree.
    #[test]
    fn p3_logs_and_records_agree_about_an_environment(
        mut life in proptest::collection::vec(1_u32..200, 1..300), seed in 0_usize..1000,
    ) {
        life.sort_unstable();
        let (mut high, mut used) = (HighWater::default(), UsedCounts::default());
        (1..).zip(&life).for_each(|(n, mb)| high.note(n, Megabytes(*mb)));
        let turn = seed % life.len();
        life.rotate_left(turn);
        life.iter().for_each(|mb| used.note(Megabytes(*mb)));
        prop_assert_eq!(high.marks(), used.marks());
    }

    #[test]
    fn w7_marks_are_a_set_with_one_form(seqs in proptest::collection::vec(0_u64..40, 0..80)) {
        let (mut marks, mut model) = (SeqMarks::default(), HashSet::new());
        for seq in &seqs {
            prop_assert_eq!(marks.insert(*seq), model.insert(*seq));
        }
        let mut sorted = SeqMarks::default();
        let mut ordered: Vec<_> = model.iter().copied().collect();
        ordered.sort_unstable();
        ordered.iter().for_each(|s| { sorted.insert(*s); });
        prop_assert_eq!(&marks, &sorted);
        let missing = ordered.last().map_or(0, |top| top + 1 - ordered.len() as u64);
        prop_assert_eq!(marks.gaps(), missing);
        prop_assert_eq!(SeqMarks::from_text(&marks.to_string()), Some(marks));
    }
}

#[test]
fn the_ends_of_the_number_range_hold() {
    let mut marks = SeqMarks::default();
    assert!(marks.insert(u64::MAX) && marks.insert(0) && !marks.insert(u64::MAX));
    assert_eq!(SeqMarks::from_text("0-x"), None);
}

#[test]
fn p3_the_highest_of_each_doubling_is_kept() {
    let mut high = HighWater::default();
    for (ordinal, used) in [(9, 96), (1, 80), (4, 81), (3, 80), (16, 99), (17, 120)] {
        high.note(ordinal, Megabytes(used));
    }
    assert_eq!(high.to_string(), "80,,81,,99,120");
    let marks = [80, 80, 81, 81, 99].map(Megabytes);
    assert_eq!(high.marks(), marks, "the 17th to 32nd are not over");
    assert_eq!(HighWater::from_text(&high.to_string()), Some(high));
    assert_eq!(HighWater::from_text(""), Some(HighWater::default()));
    assert_eq!(HighWater::from_text("80,x"), None);
}
