//! Rolls out a change in waves: to a few functions first, and no further if they fail. Does no IO.

use std::ops::Range;
use std::str::FromStr;

/// Sizes of the first waves; the last wave is the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waves(Vec<usize>);

/// A text is not a list of waves.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected increasing sizes, such as 1,10,100, or none")]
pub struct WavesError;

impl FromStr for Waves {
    type Err = WavesError;

    fn from_str(text: &str) -> Result<Self, WavesError> {
        if text == "none" {
            return Ok(Self(Vec::new()));
        }
        let sizes = text.split(',').map(str::parse);
        let sizes: Vec<usize> = sizes.collect::<Result<_, _>>().map_err(|_| WavesError)?;
        let grow = sizes.windows(2).all(|pair| pair[0] < pair[1]);
        if sizes.first().is_some_and(|first| *first > 0) && grow {
            Ok(Self(sizes))
        } else {
            Err(WavesError)
        }
    }
}

impl Waves {
    /// Returns whether all functions are changed at once, and none of them is checked.
    pub const fn is_all_at_once(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the indexes of the functions of each wave.
    pub fn of(&self, functions: usize) -> Vec<Range<usize>> {
        let mut waves = Vec::new();
        let mut from: usize = 0;
        for size in self.0.iter().copied().chain([usize::MAX]) {
            let to = functions.min(from.saturating_add(size));
            if from < to {
                waves.push(from..to);
            }
            from = to;
        }
        waves
    }
}

/// Invocations of a function in a period, and how many of them failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Calls {
    /// Number of invocations.
    pub invocations: u64,
    /// Number of failures, including environments that did not start.
    pub errors: u64,
}

/// Fewer failures are not evidence against a change.
const LEAST_ERRORS: u64 = 3;

/// Returns whether a function fails since its change: at least three times and in at least half of the invocations,
/// if it failed less than half as often before.
pub fn is_harmed(before: Calls, after: Calls) -> bool {
    let often = after.errors >= LEAST_ERRORS && after.errors * 2 >= after.invocations;
    // before.errors ÷ before.invocations < after.errors ÷ after.invocations ÷ 2
    let more_than_before = before.errors * after.invocations.max(after.errors) * 2
        < after.errors * before.invocations.max(1);
    often && more_than_before
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_grow_and_the_rest_is_the_last() {
        let waves: Waves = "1,10,100".parse().unwrap();
        assert_eq!(waves.of(1000), [0..1, 1..11, 11..111, 111..1000]);
        assert_eq!(waves.of(5), [0..1, 1..5]);
        assert_eq!(waves.of(1), [Range { start: 0, end: 1 }]);
        assert_eq!(waves.of(0), []);
        let none: Waves = "none".parse().unwrap();
        assert_eq!(none.of(7), [Range { start: 0, end: 7 }]);
        for wrong in ["", "0", "10,1", "1,,2", "all"] {
            assert_eq!(wrong.parse::<Waves>(), Err(WavesError), "{wrong}");
        }
    }

    #[test]
    fn failures_that_were_there_before_stop_nothing() {
        let calls = |invocations, errors| Calls {
            invocations,
            errors,
        };
        assert!(is_harmed(calls(100, 1), calls(10, 10)));
        // Never invoked before.
        assert!(is_harmed(calls(0, 0), calls(3, 3)));
        assert!(!is_harmed(calls(100, 0), calls(10, 4)), "4 of 10");
        assert!(!is_harmed(calls(100, 0), calls(2, 2)), "two are too few");
        assert!(
            !is_harmed(calls(100, 50), calls(10, 10)),
            "half failed before"
        );
        assert!(is_harmed(calls(100, 49), calls(10, 10)));
    }
}
