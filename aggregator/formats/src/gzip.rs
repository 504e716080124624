//! Telling gzip from anything else, by its first bytes.

use std::io::{self, BufRead, Chain, Cursor, Read};

/// What every gzip stream begins with.
pub const MAGIC: [u8; 2] = [0x1f, 0x8b];

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
