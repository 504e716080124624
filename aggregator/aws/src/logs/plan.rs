//! What to read, cut into pieces that one query can answer. A piece is read, merged and noted as
//! read as a whole: a run that ends in between continues with the pieces that are left.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use rightsizer_records::{Day, Timestamp};

use super::group::LogGroup;

/// The most log groups that one query takes.
const QUERY_GROUPS: usize = 50;
/// About how much one query scans: smaller pieces show progress and cost the same.
const QUERY_BYTES: u64 = 20_000_000_000;
/// Rows of a day of a group: a size, a version and an end each. With 50 groups that is a third of what a
/// query may answer over 14 days.
const DAY_ROWS: usize = 4;
/// As many rows are planned for; a query answers 10,000.
const PLANNED_ROWS: usize = 8_000;

/// How a piece is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    /// Logs Insights: the service adds up, and bills what it scans.
    Insights,
    /// `FilterLogEvents`: every report comes here. Slower, and not billed by the byte.
    Filter,
}

/// Some log groups over some days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// How it is read.
    pub way: Way,
    /// Positions of its groups in the list of all.
    pub groups: Vec<usize>,
    /// First and last day.
    pub days: (Day, Day),
    /// About how many bytes.
    pub bytes: u64,
}

/// The bounds of a plan.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// How to read pieces.
    pub way: Way,
    /// The present.
    pub now: Timestamp,
}

impl Piece {
    /// Its days.
    pub fn days(&self) -> impl Iterator<Item = Day> + use<> {
        numbers(self.days).map(Day::from_number)
    }

    /// Groups times days.
    pub fn cells(&self) -> usize {
        self.groups.len() * self.days().count()
    }

    /// Two halves, if it can be split: by time, else by groups.
    pub(crate) fn halves(&self) -> Option<[Self; 2]> {
        let (first, last) = self.days;
        if first < last {
            let middle = first.plus((last.number() - first.number()) / 2);
            return Some([(first, middle), (middle.plus(1), last)].map(|days| Self {
                days,
                bytes: self.bytes / 2,
                ..self.clone()
            }));
        }
        self.halves_by_group()
    }

    /// Two halves by groups, if there are several.
    pub(crate) fn halves_by_group(&self) -> Option<[Self; 2]> {
        let (left, right) = self.groups.split_at(self.groups.len() / 2);
        let part = |groups: &[usize]| Self {
            groups: groups.to_vec(),
            bytes: self.bytes / 2,
            ..self.clone()
        };
        (!left.is_empty()).then(|| [part(left), part(right)])
    }

    /// One piece for each of its groups, to be read by filtering.
    pub fn filtered(&self) -> impl Iterator<Item = Self> + '_ {
        let bytes = self.bytes / self.groups.len().max(1) as u64;
        self.groups.iter().map(move |group| Self {
            way: Way::Filter,
            groups: vec![*group],
            days: self.days,
            bytes,
        })
    }
}

fn numbers((first, last): (Day, Day)) -> RangeInclusive<i32> {
    first.number()..=last.number()
}

/// Cuts what is missing of each of `groups` into pieces. `missing` are a group's days, ascending.
pub fn pieces(groups: &[LogGroup], missing: &[Vec<Day>], shape: Shape) -> Vec<Piece> {
    let mut by_days: BTreeMap<(Day, Day), Vec<usize>> = BTreeMap::new();
    for (group, days) in missing.iter().enumerate() {
        for range in ranges(days) {
            by_days.entry(range).or_default().push(group);
        }
    }
    let mut pieces = Vec::new();
    for (days, members) in by_days {
        match shape.way {
            Way::Filter => pieces.extend(members.iter().map(|group| Piece {
                way: Way::Filter,
                groups: vec![*group],
                days,
                bytes: bytes_of(groups, &[*group], days, shape.now),
            })),
            Way::Insights => {
                for chunk in members.chunks(QUERY_GROUPS) {
                    cut(groups, chunk, days, shape, &mut pieces);
                }
            }
        }
    }
    pieces
}

/// Cuts until a query can answer each part.
fn cut(
    groups: &[LogGroup],
    members: &[usize],
    days: (Day, Day),
    shape: Shape,
    pieces: &mut Vec<Piece>,
) {
    let piece = Piece {
        way: shape.way,
        groups: members.to_vec(),
        days,
        bytes: bytes_of(groups, members, days, shape.now),
    };
    let rows = piece.cells() * DAY_ROWS;
    let fits = piece.bytes <= QUERY_BYTES && rows <= PLANNED_ROWS;
    match piece.halves().filter(|_| !fits) {
        None => pieces.push(piece),
        Some(halves) => {
            for half in halves {
                cut(groups, &half.groups, half.days, shape, pieces);
            }
        }
    }
}

fn bytes_of(groups: &[LogGroup], members: &[usize], days: (Day, Day), now: Timestamp) -> u64 {
    let count = u32::try_from(numbers(days).count()).unwrap_or(u32::MAX);
    let members = members.iter().filter_map(|group| groups.get(*group));
    members
        .map(|group| group.bytes_of(count, now))
        .fold(0, u64::saturating_add)
}

/// Unbroken runs of days.
fn ranges(days: &[Day]) -> Vec<(Day, Day)> {
    let mut ranges: Vec<(Day, Day)> = Vec::new();
    for day in days {
        match ranges.last_mut() {
            Some((_, last)) if last.plus(1) == *day => *last = *day,
            _ => ranges.push((*day, *day)),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::group::tests::group;
    use super::*;

    fn now() -> Timestamp {
        Timestamp::parse("2026-02-01T12:00:00Z").unwrap()
    }

    fn shape(way: Way) -> Shape {
        Shape { way, now: now() }
    }

    fn last_days(n: i32) -> Vec<Day> {
        (0..n).rev().map(|back| now().day().plus(-back)).collect()
    }

    /// 300 groups of 1 GB over 14 days: six queries of 50 groups are 50 GB each, so each is cut by time
    /// into four.
    #[test]
    fn three_hundred_groups_are_a_few_queries() {
        let groups: Vec<_> = (0..300)
            .map(|n| group(&format!("/aws/lambda/f{n}"), 1_000_000_000))
            .collect();
        let missing = vec![last_days(14); 300];
        let planned = pieces(&groups, &missing, shape(Way::Insights));
        assert_eq!(planned.len(), 24);
        assert!(planned.iter().all(|piece| piece.groups.len() == 50));
        assert!(planned.iter().all(|piece| piece.bytes <= QUERY_BYTES));
        let by_filter = pieces(&groups, &missing, shape(Way::Filter));
        assert_eq!(by_filter.len(), 300);
    }

    #[test]
    fn what_was_read_is_left_out() {
        let groups = [group("/aws/lambda/a", 1), group("/aws/lambda/b", 1)];
        let all = last_days(4);
        let missing = vec![vec![all[0], all[3]], vec![all[3]]];
        let planned = pieces(&groups, &missing, shape(Way::Insights));
        let found: Vec<_> = planned.iter().map(|p| (p.groups.clone(), p.days)).collect();
        let wanted = [(vec![0], (all[0], all[0])), (vec![0, 1], (all[3], all[3]))];
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_day_of_one_group_cannot_be_cut() {
        let planned = pieces(
            &[group("/a", u64::MAX)],
            &[last_days(1)],
            shape(Way::Insights),
        );
        assert_eq!((planned.len(), planned[0].halves()), (1, None));
    }

    proptest! {
        /// Every missing day of every group is in exactly one piece, and nothing else is; halves too.
        #[test]
        fn pieces_cover_what_is_missing_once(
            sizes in proptest::collection::vec(0_u64..40_000_000_000, 1..120),
            gaps in proptest::collection::vec(0_i32..20, 0..4),
            halve in any::<bool>(),
        ) {
            let groups: Vec<_> = sizes.iter().enumerate()
                .map(|(n, bytes)| group(&format!("/g{n}"), *bytes)).collect();
            let days: Vec<Day> = last_days(20).into_iter()
                .filter(|day| !gaps.contains(&(now().day().number() - day.number()))).collect();
            let missing = vec![days.clone(); groups.len()];
            let mut planned = pieces(&groups, &missing, shape(Way::Insights));
            if halve {
                planned = planned.into_iter().flat_map(|piece| match piece.halves() {
                    Some(halves) => halves.to_vec(),
                    None => vec![piece],
                }).collect();
            }
            let mut covered = BTreeSet::new();
            for piece in &planned {
                prop_assert!(piece.groups.len() <= QUERY_GROUPS);
                for group in &piece.groups {
                    for day in piece.days() {
                        prop_assert!(covered.insert((*group, day)), "twice");
                    }
                }
            }
            prop_assert_eq!(covered.len(), groups.len() * days.len());
        }
    }
}
