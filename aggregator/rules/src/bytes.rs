//! Compact bytes for what is kept or passed on: little-endian base-128 numbers, texts with their length. The same
//! content gives the same bytes.

use rightsizer_records::{Day, Megabytes, Timestamp};

use crate::window::Distribution;

/// Bytes that do not hold what they should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} cannot be read")]
pub(crate) struct Unreadable(pub(crate) &'static str);

/// Bytes that are written.
#[derive(Debug, Default)]
pub(crate) struct Out(pub(crate) Vec<u8>);

impl Out {
    pub(crate) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(crate) fn number(&mut self, number: u64) {
        push_number(&mut self.0, number);
    }

    pub(crate) fn count(&mut self, count: usize) {
        self.number(count as u64);
    }

    pub(crate) fn signed(&mut self, number: i64) {
        self.number(((number << 1) ^ (number >> 63)).cast_unsigned());
    }

    /// A time beside one that the reader has.
    pub(crate) fn time(&mut self, time: Timestamp, base: Timestamp) {
        self.signed(time.as_ms() - base.as_ms());
    }

    pub(crate) fn day(&mut self, day: Day) {
        self.signed(day.number().into());
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn fixed(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub(crate) fn megabytes(&mut self, mb: Megabytes) {
        self.number(mb.0.into());
    }

    pub(crate) fn distribution(&mut self, distribution: &Distribution) {
        self.bytes(&distribution.to_bytes());
    }

    /// A flag, and the content if there is one.
    pub(crate) fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        match value {
            None => self.byte(0),
            Some(value) => {
                self.byte(1);
                write(self, value);
            }
        }
    }
}

/// Bytes that are read.
#[derive(Debug)]
pub(crate) struct In<'a>(pub(crate) &'a [u8]);

type Read<T> = Result<T, Unreadable>;

impl<'a> In<'a> {
    pub(crate) fn byte(&mut self) -> Read<u8> {
        let (byte, rest) = self.0.split_first().ok_or(Unreadable("a byte"))?;
        self.0 = rest;
        Ok(*byte)
    }

    pub(crate) fn number(&mut self) -> Read<u64> {
        take_number(&mut self.0).ok_or(Unreadable("a number"))
    }

    /// The number of what follows, each of which has at least a byte.
    pub(crate) fn count(&mut self) -> Read<usize> {
        let count = usize::try_from(self.number()?).ok();
        let left = self.0.len();
        count
            .filter(|count| *count <= left)
            .ok_or(Unreadable("a count"))
    }

    pub(crate) fn small(&mut self) -> Read<u32> {
        u32::try_from(self.number()?).map_err(|_| Unreadable("a small number"))
    }

    pub(crate) fn signed(&mut self) -> Read<i64> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    pub(crate) fn time(&mut self, base: Timestamp) -> Read<Timestamp> {
        let ms = base.as_ms().checked_add(self.signed()?);
        ms.and_then(Timestamp::from_ms).ok_or(Unreadable("a time"))
    }

    pub(crate) fn day(&mut self) -> Read<Day> {
        let number = i32::try_from(self.signed()?).map_err(|_| Unreadable("a day"))?;
        Ok(Day::from_number(number))
    }

    pub(crate) fn bytes(&mut self) -> Read<&'a [u8]> {
        let count = self.count()?;
        let (bytes, rest) = self.0.split_at(count);
        self.0 = rest;
        Ok(bytes)
    }

    pub(crate) fn text(&mut self) -> Read<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Unreadable("a text"))
    }

    pub(crate) fn fixed(&mut self) -> Read<u64> {
        let (bytes, rest) = self
            .0
            .split_first_chunk::<8>()
            .ok_or(Unreadable("eight bytes"))?;
        self.0 = rest;
        Ok(u64::from_le_bytes(*bytes))
    }

    pub(crate) fn megabytes(&mut self) -> Read<Megabytes> {
        Ok(Megabytes(self.small()?))
    }

    pub(crate) fn distribution(&mut self) -> Read<Distribution> {
        Distribution::from_bytes(self.bytes()?).map_err(|_| Unreadable("a histogram"))
    }

    pub(crate) fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Read<T>,
    ) -> Read<Option<T>> {
        match self.byte()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            _ => Err(Unreadable("a flag")),
        }
    }

    /// All that follows, one `read` after the other.
    pub(crate) fn list<T, L: FromIterator<T>>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Read<T>,
    ) -> Read<L> {
        let count = self.count()?;
        (0..count).map(|_| read(self)).collect()
    }
}

/// Writes a little-endian base-128 number.
pub(crate) fn push_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

/// Reads one; `None` if there is none.
pub(crate) fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let digit = u64::from(byte & 0x7f);
        // The tenth digit has one bit left.
        number |= digit
            .checked_shl(shift)
            .filter(|part| part >> shift == digit)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(number in any::<u64>(), signed in any::<i64>(), text in ".{0,40}") {
            let mut out = Out::default();
            out.number(number);
            out.signed(signed);
            out.text(&text);
            out.optional(Some(number), Out::fixed);
            out.optional(None, Out::fixed);
            let mut read = In(&out.0);
            prop_assert_eq!(read.number(), Ok(number));
            prop_assert_eq!(read.signed(), Ok(signed));
            prop_assert_eq!(read.text(), Ok(text.as_str()));
            prop_assert_eq!(read.optional(In::fixed), Ok(Some(number)));
            prop_assert_eq!(read.optional(In::fixed), Ok(None));
            prop_assert!(read.0.is_empty() && read.byte().is_err());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut read = In(&bytes);
            while read.bytes().is_ok() && !read.0.is_empty() {}
            let texts: Read<Vec<String>> = In(&bytes).list(|read| Ok(read.text()?.to_owned()));
            prop_assert!(texts.is_ok() || texts.is_err());
        }
    }
}
