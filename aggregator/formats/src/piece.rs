//! Reads an input in pieces of whole lines, on several threads.

use std::io::BufRead;

use rightsizer_rules::evidence::Item;

use super::budget::Budget;
use super::hints::Hints;
use super::lines::{Lines, MAX_DOCUMENT_BYTES, MAX_LINE_BYTES};
use super::output::{Output, Stopped, Tally};
use super::read::{ReadError, Summary, all, into_sink, summary};
use super::{message, quick, text};

/// What reading a piece of an input came to.
#[derive(Debug)]
pub struct PieceRead {
    tally: Tally,
    /// Lines of the piece.
    pub lines: u64,
    /// Whether an entry may continue in the next piece, or what an entry showed waits for its report. If so, discard this
    /// result, and read both pieces together.
    pub open: bool,
}

/// Whether an input that begins with this line may be read in pieces, on several threads: it holds
/// a whole JSON document. Tables have a head line, and text may continue over lines.
pub fn comes_in_pieces(first_line: &str) -> bool {
    let line = message::trim(first_line);
    line.starts_with('{') && serde_json::from_str::<&serde_json::value::RawValue>(line).is_ok()
}

const fn unlimited() -> Budget {
    Budget::unlimited(MAX_DOCUMENT_BYTES)
}

/// Reads whole lines out of the middle of an input (from line `first_line` on), unpacked.
pub fn read_piece<E>(
    piece: &[u8],
    first_line: u64,
    hints: &Hints,
    sink: &mut dyn FnMut(Item) -> Result<(), E>,
) -> Result<PieceRead, ReadError<E>> {
    let mut state = text::State::default();
    let (tally, (lines, open)) = into_sink(hints, unlimited(), sink, |out| {
        let (at, line, done) = quick_lines(piece, first_line, out);
        let mut lines = Lines::from_line(piece.get(at..).unwrap_or_default(), line);
        if done.is_ok() {
            // That the sink has enough, it remembers itself.
            let _ = all(&mut lines, &mut state, out)?;
        }
        // Output of a local emulator affects later lines. How an invocation ended, or that a start failed, belongs to a
        // later report.
        let open = lines.ran_out() || out.emulator || out.endings.wait();
        Ok((lines.read() + 1 - first_line, open))
    })?;
    Ok(PieceRead {
        tally,
        lines,
        open: open || state.goes_on(),
    })
}

/// Reads what is left of an input from line `first_line` on, unpacked, to its end.
pub fn read_rest<E>(
    input: impl BufRead,
    first_line: u64,
    hints: &Hints,
    sink: &mut dyn FnMut(Item) -> Result<(), E>,
) -> Result<PieceRead, ReadError<E>> {
    let mut lines = Lines::from_line(input, first_line);
    let mut state = text::State::default();
    let (tally, _) = into_sink(hints, unlimited(), sink, |out| {
        all(&mut lines, &mut state, out)
    })?;
    Ok(PieceRead {
        tally,
        lines: lines.read() + 1 - first_line,
        open: false,
    })
}

/// Reads consecutive lines of the most common forms; returns the position and the number of the
/// next line.
fn quick_lines(
    piece: &[u8],
    first_line: u64,
    out: &mut Output,
) -> (usize, u64, Result<(), Stopped>) {
    let (mut at, mut number) = (0, first_line);
    for end in memchr::memchr_iter(b'\n', piece) {
        let text = piece
            .get(at..end)
            .and_then(|line| str::from_utf8(line).ok());
        let quick = text
            .filter(|text| text.len() <= MAX_LINE_BYTES)
            .and_then(|text| quick::line(text, number, out));
        match quick {
            None => break,
            Some(Err(stopped)) => return (at, number, Err(stopped)),
            Some(Ok(())) => (at, number) = (end + 1, number + 1),
        }
    }
    (at, number, Ok(()))
}

/// Adds up the pieces of one input.
#[derive(Debug, Default)]
pub struct Pieces {
    tally: Tally,
    lines: u64,
}

impl Pieces {
    /// Adds the next piece.
    pub fn add(&mut self, piece: PieceRead) {
        self.tally.add(piece.tally);
        self.lines += piece.lines;
    }

    /// Lines so far.
    pub const fn lines(&self) -> u64 {
        self.lines
    }

    /// What the whole input came to.
    pub fn finish(self, hints: &Hints) -> Summary {
        summary(self.tally, self.lines, hints)
    }
}
