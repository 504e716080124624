//! The choices of known sizes: all choices of N, or an evenly spaced sample if there are too many.

/// Returns the choices of `known` of `sizes` indexes, each ascending: all of them, or `most` spread evenly.
pub(super) fn choices(sizes: usize, known: usize, most: u64) -> Vec<Vec<usize>> {
    let all = count(sizes, known);
    let taken = all.min(most);
    let rank = |n: u64| {
        if taken < 2 {
            0
        } else {
            // In u128, because both factors may be large.
            let rank = u128::from(n) * u128::from(all - 1) / u128::from(taken - 1);
            u64::try_from(rank).unwrap_or(all - 1)
        }
    };
    (0..taken).map(|n| choice(sizes, known, rank(n))).collect()
}

/// Returns the number of choices.
pub(super) fn count(sizes: usize, known: usize) -> u64 {
    if known > sizes {
        return 0;
    }
    let known = known.min(sizes - known);
    (0..known).fold(1_u64, |count, n| {
        // Exact at each step, because n + 1 consecutive numbers contain a multiple of n + 1.
        count.saturating_mul((sizes - n) as u64) / (n as u64 + 1)
    })
}

/// Returns the choice of that rank in lexicographic order.
fn choice(sizes: usize, known: usize, mut rank: u64) -> Vec<usize> {
    let mut chosen = Vec::with_capacity(known);
    let mut place = 0;
    while chosen.len() < known {
        let beginning_here = count(sizes - place - 1, known - chosen.len() - 1);
        if rank < beginning_here {
            chosen.push(place);
        } else {
            rank -= beginning_here;
        }
        place += 1;
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_comes_once_and_in_order() {
        let two = choices(4, 2, 100);
        let wanted = [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]];
        assert_eq!(two, wanted.map(|choice| choice.to_vec()));
        assert_eq!(choices(3, 4, 100), Vec::<Vec<usize>>::new());
        assert_eq!(choices(3, 3, 100), vec![vec![0, 1, 2]]);
    }

    /// A sample of the 24 over 3 = 2024 choices, from the first to the last.
    #[test]
    fn too_many_are_spread_evenly() {
        assert_eq!(count(24, 3), 2024);
        let some = choices(24, 3, 10);
        assert_eq!(some.len(), 10);
        assert_eq!(
            (some[0].clone(), some[9].clone()),
            (vec![0, 1, 2], vec![21, 22, 23])
        );
    }
}
