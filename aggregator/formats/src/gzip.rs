//! Recognises gzip by its first bytes, and unpacks it within bounds.

use std::io::{self, BufRead, Chain, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

/// What every gzip stream begins with.
pub const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// As much is unpacked at a time.
const STEP: usize = 64 << 10;

/// An input with its first bytes put back.
type Whole<R> = Chain<Cursor<Vec<u8>>, R>;

/// Whether `input` is gzip, and all of it, those first bytes included.
pub fn sniff<R: BufRead>(mut input: R) -> io::Result<(bool, Whole<R>)> {
    let mut first = Vec::with_capacity(MAGIC.len());
    input
        .by_ref()
        .take(MAGIC.len() as u64)
        .read_to_end(&mut first)?;
    let packed = first == MAGIC;
    Ok((packed, Cursor::new(first).chain(input)))
}

/// What a gzip stream in memory unpacked to.
pub(super) struct Unpacked {
    /// The content, as far as it goes.
    pub(super) bytes: Vec<u8>,
    /// Why it ends before its time.
    pub(super) damage: Option<io::Error>,
}

/// Unpacks `packed`; `None` if that is more than `most` bytes.
pub(super) fn unpack(packed: &[u8], most: u64) -> Option<Unpacked> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let mut bytes = Vec::with_capacity(stated_size(packed).min(most));
    let mut input = MultiGzDecoder::new(packed);
    let damage = loop {
        let filled = bytes.len();
        if bytes.capacity() - filled < STEP {
            // Grown by hand: doubling would take up to twice the bound.
            let more = (filled / 2).clamp(STEP, most.saturating_sub(filled).max(STEP));
            bytes.reserve_exact(more);
        }
        match input.by_ref().take(STEP as u64).read_to_end(&mut bytes) {
            Ok(0) => break None,
            Ok(_) => {}
            Err(error) => break Some(error),
        }
        if bytes.len() > most {
            return None;
        }
    };
    (bytes.len() <= most).then_some(Unpacked { bytes, damage })
}

/// The size that the end of a gzip stream states for its content: right for most, and only a hint.
fn stated_size(packed: &[u8]) -> usize {
    let end = packed.last_chunk().copied().map_or(0, u32::from_le_bytes);
    usize::try_from(end)
        .unwrap_or_default()
        .saturating_add(STEP)
}
