//! Bounds the cost of reading one input. Anyone may write a record to a stream, and a few kilobytes of gzip can contain
//! millions of entries. So a record has one budget of bytes and entries, which everything packed in it shares, in any
//! format and at any depth. Content that is read a second time is counted again.

/// The bytes that any record may unpack to, and the bytes more for each of its own.
const LEAST_UNPACKED: u64 = 4 << 20;
const UNPACKED_PER_BYTE: u64 = 64;
/// No record unpacks to more. Logs shrink 10 to 50 times, and a log stream's payload holds seconds.
const MOST_UNPACKED: u64 = 16 << 20;
/// The entries that any record may have; it may have one more for each two of its own bytes.
const LEAST_ENTRIES: u64 = 20_000;
const MOST_ENTRIES: u64 = 200_000;
/// How often all of a record may be read, if a damaged document makes its lines be read again.
const LOOKS: u64 = 3;
/// The longest JSON document over several lines in a record.
const MOST_DOCUMENT: usize = 8 << 20;

/// What is left to be spent on one input.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    unpacked: Purse,
    entries: Purse,
    looks: Purse,
    /// The longest JSON document over several lines.
    pub(super) document: usize,
    /// What comes live may be anyone's: only what the platform wrote itself counts.
    pub(super) live: bool,
}

#[derive(Debug, Clone, Copy)]
struct Purse {
    most: u64,
    left: u64,
}

impl Purse {
    const fn of(most: u64) -> Self {
        Self { most, left: most }
    }

    /// Takes `amount` out; `false` if there is not so much left.
    const fn take(&mut self, amount: u64) -> bool {
        let enough = amount <= self.left;
        self.left = self.left.saturating_sub(amount);
        enough
    }
}

/// A record costs more to read than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Overspent {
    /// It unpacks to too much.
    #[error("it unpacks to more than {0} bytes, the most for a record of its size")]
    Unpacked(u64),
    /// It has too many entries.
    #[error("it has more than {0} entries, the most for a record of its size")]
    Entries(u64),
    /// Damaged documents in it begin again and again.
    #[error("it is damaged in too many places to be read")]
    Looks,
}

impl Budget {
    /// Of an input that its reader chose, such as a file: only what one line, document or payload may
    /// take has a bound.
    pub(super) const fn unlimited(document: usize) -> Self {
        Self {
            unpacked: Purse::of(u64::MAX),
            entries: Purse::of(u64::MAX),
            looks: Purse::of(u64::MAX),
            document,
            live: false,
        }
    }

    /// Of a record of `packed` bytes.
    pub(super) fn of_record(packed: usize) -> Self {
        let packed = packed as u64;
        let unpacked = (LEAST_UNPACKED + UNPACKED_PER_BYTE * packed).min(MOST_UNPACKED);
        Self {
            unpacked: Purse::of(unpacked),
            entries: Purse::of((LEAST_ENTRIES + packed / 2).min(MOST_ENTRIES)),
            looks: Purse::of(unpacked * LOOKS),
            document: MOST_DOCUMENT,
            live: true,
        }
    }

    /// As many bytes as may still be unpacked.
    pub(super) const fn unpacked_left(&self) -> u64 {
        self.unpacked.left
    }

    /// Spends `bytes` of unpacked content.
    pub(super) const fn unpack(&mut self, bytes: u64) -> Result<(), Overspent> {
        if self.unpacked.take(bytes) {
            return Ok(());
        }
        Err(Overspent::Unpacked(self.unpacked.most))
    }

    /// The same, of an input that comes as it is written.
    pub(super) const fn live(mut self) -> Self {
        self.live = true;
        self
    }

    /// Spends one entry.
    pub(super) const fn entry(&mut self) -> Result<(), Overspent> {
        if self.entries.take(1) {
            return Ok(());
        }
        Err(Overspent::Entries(self.entries.most))
    }

    /// Spends a look at `bytes` that may have to be looked at again.
    pub(super) const fn look(&mut self, bytes: usize) -> Result<(), Overspent> {
        if self.looks.take(bytes as u64) {
            return Ok(());
        }
        Err(Overspent::Looks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_larger_record_may_cost_more_up_to_a_bound() {
        let of = |packed| {
            let budget = Budget::of_record(packed);
            (budget.unpacked.most, budget.entries.most)
        };
        assert_eq!(of(0), (4 << 20, 20_000));
        assert_eq!(of(64 << 10), (8 << 20, 52_768)); // 4 MiB + 64 × 64 KiB; 20,000 + 65,536 / 2
        assert_eq!(of(1 << 20), (16 << 20, 200_000));
    }

    #[test]
    fn what_is_spent_is_gone() {
        let mut budget = Budget::of_record(0);
        assert_eq!(budget.unpack(4 << 20), Ok(()));
        assert_eq!(budget.unpack(1), Err(Overspent::Unpacked(4 << 20)));
        let entries = std::iter::repeat_with(|| budget.entry());
        assert_eq!(entries.take_while(Result::is_ok).count(), 20_000);
        assert_eq!(Budget::unlimited(1).unpack(u64::MAX), Ok(()));
    }
}
