//! One stream record, folded into a batch within the bounds of a record.

use rightsizer_records::{Timestamp, printable};

use super::arrival;
use super::batch::{Batch, Intake};
use super::payload::{self, Refused, TooMuch, Whose};

/// The most memory that the evidence in one record may take.
const RECORD_WEIGHT: usize = 20 << 20;
/// How many entries are taken between two looks at the time that the record takes.
const CLOCK_ENTRIES: u64 = 512;
/// The longest reason that is kept of a record.
const REASON_CHARS: usize = 500;
/// As much of a record as is kept.
const SAMPLE_CHARS: usize = 500;

/// A record that cannot be used, or not all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poison {
    /// Why.
    pub why: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// How it begins.
    pub sample: String,
}

impl Poison {
    /// The most bytes that one takes.
    pub const MOST_BYTES: usize = 2 * (REASON_CHARS + SAMPLE_CHARS);

    fn of(refused: Refused, record: &[u8]) -> Self {
        let sample = refused.sample.unwrap_or_else(|| {
            let begin = record.get(..4 * SAMPLE_CHARS).unwrap_or(record);
            String::from_utf8_lossy(begin).into_owned()
        });
        Self {
            why: printable(&refused.why, REASON_CHARS),
            bytes: record.len() as u64,
            sample: printable(&sample, SAMPLE_CHARS),
        }
    }
}

/// Why a record was not used as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unusable {
    /// It, or a part of it, cannot be used.
    Poison(Poison),
    /// Its newest time lies too far ahead of the clock, and nothing else is wrong with it. If the clock is wrong, it is
    /// evidence.
    Early {
        /// That time.
        at: Timestamp,
        /// The same in words.
        why: String,
    },
}

/// What decides how records are folded.
#[derive(Debug)]
pub struct Gatekeeper<'a> {
    /// What makes functions of names and log groups.
    pub whose: Whose<'a>,
    /// How evidence is looked at.
    pub intake: Intake<'a>,
    /// Whether what comes is of the present: no claim is of a time that has not come.
    pub live: bool,
}

impl Gatekeeper<'_> {
    /// Folds one record into `batch`, and returns why it, or a part of it, cannot be used. `is_over` returns whether
    /// reading it has taken too long.
    ///
    /// What is only early is kept as a whole or not at all, for a part that was merged would count twice.
    pub fn fold(
        &self,
        record: &[u8],
        is_over: impl Fn() -> bool,
        batch: &mut Batch,
    ) -> Option<Unusable> {
        let weight = batch.weight() + RECORD_WEIGHT;
        let (mut entries, mut early, mut newest) = (0_u64, 0_u64, None);
        let mut take = |mut evidence| {
            entries += 1;
            if self.live {
                arrival::no_later_than(&mut evidence, self.intake.now);
            }
            if batch.weight() > weight {
                return Err(TooMuch::Weight);
            }
            if entries.is_multiple_of(CLOCK_ENTRIES) && is_over() {
                return Err(TooMuch::Time);
            }
            let taken = batch.take(evidence, &self.intake);
            if let Err(refusal) = &taken
                && refusal.early.is_some()
            {
                early += 1;
                newest = newest.max(refusal.early);
            }
            Ok(taken)
        };
        let refused = payload::read(record, &self.whose, self.intake.now, &mut take)?;
        let all_early = early == entries && refused.entries == Some(early);
        Some(match newest.filter(|_| all_early) {
            Some(at) => Unusable::Early {
                at,
                why: printable(&refused.why, REASON_CHARS),
            },
            None => Unusable::Poison(Poison::of(refused, record)),
        })
    }
}
