//! Byte strings with their length before them, as both sides of the boundary read them: big-endian, as Java does.

/// Byte strings, one behind the other.
#[derive(Debug, Clone, Copy)]
pub struct Frames<'a>(pub &'a [u8]);

impl<'a> Frames<'a> {
    /// Returns the next byte; `None` at the end.
    pub fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    /// Returns the next byte string; `None` at the end, or if it is cut off.
    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (bytes, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }
}

/// Byte strings that are written.
#[derive(Debug, Default)]
pub struct Writer(pub Vec<u8>);

impl Writer {
    /// Adds a byte.
    pub fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    /// Adds a number.
    pub(crate) fn long(&mut self, number: i64) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    /// Adds a byte string. One that is too long for its length is cut off, which no record of a stream is.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        let length = usize::try_from(length).unwrap_or(bytes.len());
        self.0
            .extend_from_slice(bytes.get(..length).unwrap_or(bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_a_frame_that_is_cut_off_is_none() {
        let mut writer = Writer::default();
        writer.bytes(b"one");
        writer.byte(7);
        writer.bytes(b"");
        let mut frames = Frames(&writer.0);
        assert_eq!(frames.bytes(), Some(b"one".as_slice()));
        assert_eq!(frames.byte(), Some(7));
        assert_eq!(
            (frames.bytes(), frames.bytes()),
            (Some(b"".as_slice()), None)
        );
        assert_eq!(Frames(&writer.0[..6]).bytes(), None);
    }
}
