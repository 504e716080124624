//! A store's file as the bytes of a snapshot, and back: compressed, and hashed on the way. Files and
//! memory only; it knows no bucket.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

/// Halves a store at a fraction of what copying it costs.
const LEVEL: i32 = 3;
/// What is read from a file at once.
const READ: usize = 1 << 20;

/// A piece of a snapshot on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// All of one size but the last.
    pub bytes: Vec<u8>,
    /// Whether the snapshot ends with it: one that was cut off has no last part.
    pub last: bool,
}

/// What a snapshot measures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// Bytes of the object.
    pub bytes: u64,
    /// Bytes of the store.
    pub store_bytes: u64,
    /// BLAKE3 of the object's bytes, in hex.
    pub blake3: String,
}

/// Reads the store `from` and hands it on in parts of `part_bytes`. An error of `send` ends it.
pub fn pack(
    from: &Path,
    part_bytes: usize,
    send: impl FnMut(Part) -> io::Result<()>,
) -> io::Result<Packed> {
    let mut file = File::open(from)?;
    let parts = Parts {
        full: part_bytes.max(1),
        bytes: Vec::new(),
        count: 0,
        hash: blake3::Hasher::new(),
        send,
    };
    let mut encoder = zstd::Encoder::new(parts, LEVEL)?;
    // A store that was cut off is distinguished from a complete one.
    encoder.include_checksum(true)?;
    let mut buffer = vec![0; READ];
    let mut store_bytes = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        encoder.write_all(&buffer[..read])?;
        store_bytes += read as u64;
    }
    let (bytes, hash) = encoder.finish()?.end()?;
    Ok(Packed {
        bytes,
        store_bytes,
        blake3: hash.finalize().to_hex().to_string(),
    })
}

/// Cuts what is written into parts.
struct Parts<S> {
    full: usize,
    bytes: Vec<u8>,
    count: u64,
    hash: blake3::Hasher,
    send: S,
}

impl<S: FnMut(Part) -> io::Result<()>> Parts<S> {
    fn end(mut self) -> io::Result<(u64, blake3::Hasher)> {
        let bytes = std::mem::take(&mut self.bytes);
        (self.send)(Part { bytes, last: true })?;
        Ok((self.count, self.hash))
    }
}

impl<S: FnMut(Part) -> io::Result<()>> Write for Parts<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() == self.full {
            let full = std::mem::take(&mut self.bytes);
            (self.send)(Part {
                bytes: full,
                last: false,
            })?;
        }
        let room = self.full - self.bytes.len();
        let taken = &bytes[..bytes.len().min(room)];
        self.bytes.extend_from_slice(taken);
        self.hash.update(taken);
        self.count += taken.len() as u64;
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes a store's file from the bytes of its snapshot, as they come.
pub struct Unpacker {
    decoder: zstd::stream::write::Decoder<'static, File>,
    hash: blake3::Hasher,
    bytes: u64,
}

impl Unpacker {
    /// Makes the file `to`, for its owner alone; one that is there is replaced.
    pub fn new(to: &Path) -> io::Result<Self> {
        rightsizer_store::copy::remove(to)?;
        Ok(Self {
            decoder: zstd::stream::write::Decoder::new(rightsizer_store::files::make(to)?)?,
            hash: blake3::Hasher::new(),
            bytes: 0,
        })
    }

    /// Takes the next bytes.
    pub fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.decoder.write_all(bytes)
    }

    /// The end: the file is on the disk. Returns what was taken.
    pub fn finish(self) -> io::Result<Packed> {
        let file = self.decoder.finish()?;
        file.sync_all()?;
        Ok(Packed {
            bytes: self.bytes,
            store_bytes: file.metadata()?.len(),
            blake3: self.hash.finalize().to_hex().to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts_of(from: &Path, part_bytes: usize) -> (Vec<Part>, Packed) {
        let mut parts = Vec::new();
        let send = |part| {
            parts.push(part);
            Ok(())
        };
        let packed = pack(from, part_bytes, send).unwrap();
        (parts, packed)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Whatever the content and the size of the parts: the same comes back, and both sides agree on
        /// what it was.
        #[test]
        fn what_is_packed_comes_back(
            content in proptest::collection::vec(any::<u8>(), 0..20_000),
            part_bytes in 1..9_000_usize,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let (from, to) = (dir.path().join("from"), dir.path().join("to"));
            std::fs::write(&from, &content).unwrap();
            let (parts, packed) = parts_of(&from, part_bytes);
            let (last, others) = parts.split_last().unwrap();
            prop_assert!(last.last && others.iter().all(|part| !part.last));
            prop_assert!(others.iter().all(|part| part.bytes.len() == part_bytes));
            let mut unpacker = Unpacker::new(&to).unwrap();
            for part in &parts {
                unpacker.take(&part.bytes).unwrap();
            }
            prop_assert_eq!(unpacker.finish().unwrap(), packed);
            prop_assert_eq!(std::fs::read(&to).unwrap(), content);
        }
    }

    #[test]
    fn a_byte_that_changed_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        std::fs::write(&from, vec![7; 100_000]).unwrap();
        let (parts, packed) = parts_of(&from, 1 << 20);
        for n in [0, parts[0].bytes.len() / 2, parts[0].bytes.len() - 1] {
            let mut bytes = parts[0].bytes.clone();
            bytes[n] ^= 1;
            let mut unpacker = Unpacker::new(&to).unwrap();
            let taken = unpacker.take(&bytes).and_then(|()| unpacker.finish());
            assert!(taken.is_err() || taken.unwrap().blake3 != packed.blake3);
        }
    }

    #[test]
    fn an_error_of_who_takes_the_parts_ends_it() {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("from");
        std::fs::write(&from, [1; 100]).unwrap();
        let error = pack(&from, 8, |_| Err(io::Error::other("gone"))).unwrap_err();
        assert_eq!(error.to_string(), "gone");
    }
}
