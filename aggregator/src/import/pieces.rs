//! One input in pieces of whole lines, read and folded on every processor.

use std::convert::Infallible;
use std::io::{self, BufReader, Cursor, Read};
use std::num::NonZero;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;

use rightsizer_formats::{
    ImportReport, MAX_LINE_BYTES, PieceRead, Pieces, ReadError, Summary, comes_in_pieces,
    read_piece, read_rest,
};
use rightsizer_store::StoreError;

use super::{File, Folded, ImportError};
use crate::pipeline::Session;

/// As much of an input as one thread reads at a time.
const PIECE: usize = 4 << 20;

/// Pieces that are read ahead of what is merged, besides two for each processor: as many as are parsed
/// while the writer writes.
const AHEAD: usize = 12;

/// Room for the end of a line, behind a piece.
const LINE: usize = 64 << 10;

/// Reads the first lines of an input: about a piece, ended by a line break if there is more.
pub(super) fn first_lines<R: Read>(mut input: R) -> io::Result<(Vec<u8>, R)> {
    let mut bytes = Vec::new();
    let n = input.by_ref().take(PIECE as u64).read_to_end(&mut bytes)?;
    debug_assert_eq!(n, bytes.len());
    Ok((bytes, input))
}

/// Whether an input that begins like this can be read in pieces.
pub(super) fn fit(first: &[u8]) -> bool {
    let mut lines = first.split(|b| *b == b'\n');
    let line = lines.find(|line| !line.trim_ascii().is_empty());
    // Of a line that is longer than a piece the end is not here.
    let whole = first.contains(&b'\n');
    line.filter(|_| whole)
        .and_then(|line| str::from_utf8(line).ok())
        .is_some_and(comes_in_pieces)
}

/// Memory to read into, used again and again: fresh memory is slow, and so is zeroing it before it is
/// read into.
#[derive(Default)]
struct Buffer {
    memory: Vec<u8>,
    filled: usize,
}

impl Buffer {
    fn bytes(&self) -> &[u8] {
        self.memory.get(..self.filled).unwrap_or_default()
    }

    /// The next `bytes` behind what is filled.
    fn room(&mut self, bytes: usize) -> &mut [u8] {
        let (start, end) = (self.filled, self.filled + bytes);
        // Room for the rest of a line too: else it grows by doubling, and is copied each time.
        if self.memory.is_empty() {
            // The allocator has zeroed pages; `resize` would write them.
            self.memory = vec![0; end.max(PIECE) + LINE];
        } else if self.memory.len() < end {
            self.memory.resize(end + LINE, 0);
        }
        &mut self.memory[start..end]
    }

    /// Reads a piece more; less only at the end of `input`.
    fn read(&mut self, input: &mut impl Read) -> io::Result<usize> {
        let mut read = 0;
        while read < PIECE {
            match input.read(self.room(PIECE - read)) {
                Ok(0) => break,
                Ok(n) => {
                    read += n;
                    self.filled += n;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    /// Moves what lies behind `end` into `next`.
    fn split(&mut self, end: usize, next: &mut Self) {
        let rest = self.bytes().get(end..).unwrap_or_default();
        next.filled = 0;
        next.room(rest.len()).copy_from_slice(rest);
        next.filled = rest.len();
        self.filled = end;
    }
}

impl From<Vec<u8>> for Buffer {
    fn from(memory: Vec<u8>) -> Self {
        let filled = memory.len();
        Self { memory, filled }
    }
}

/// Whole lines of an input.
struct Source<R> {
    input: R,
    /// The begin of a line whose end is not read yet.
    begun: Buffer,
    ended: bool,
}

impl<R: Read> Source<R> {
    /// The next piece; `None` at the end. What is longer than the longest line comes unended. `spare` is
    /// read into next.
    fn next(&mut self, mut spare: Buffer) -> io::Result<Option<Buffer>> {
        loop {
            if self.begun.filled >= PIECE
                && let Some(end) = memchr::memrchr(b'\n', self.begun.bytes())
            {
                self.begun.split(end + 1, &mut spare);
                return Ok(Some(std::mem::replace(&mut self.begun, spare)));
            }
            if self.ended || self.begun.filled >= MAX_LINE_BYTES {
                break;
            }
            let n = self.begun.read(&mut self.input)?;
            self.ended = n == 0;
        }
        let last = std::mem::take(&mut self.begun);
        Ok((!last.bytes().is_empty()).then_some(last))
    }
}

/// A piece on its way through a worker.
struct Job {
    bytes: Arc<Buffer>,
    first_line: u64,
    answer: SyncSender<(PieceRead, Folded)>,
}

/// A piece that a worker has, in the order of the input.
struct Waiting {
    bytes: Arc<Buffer>,
    answer: Receiver<(PieceRead, Folded)>,
}

impl File<'_> {
    /// Reads an input that begins with `first` in pieces. If a document continues past the end of a
    /// piece, everything from there on is read in one: pieces only affect speed.
    pub(super) fn in_pieces<R: Read + Send>(
        self,
        first: Vec<u8>,
        rest: R,
        session: &mut Session<'_>,
        report: &mut ImportReport,
    ) -> Result<Summary, ImportError> {
        let source = Source {
            input: rest,
            begun: first.into(),
            ended: false,
        };
        let workers = thread::available_parallelism().map_or(1, NonZero::get);
        let mut done = Pieces::default();
        let mut late = 0;
        let (left, source) = thread::scope(|scope| {
            let (jobs, inbox) = channel::<Job>();
            let inbox = Arc::new(Mutex::new(inbox));
            for _ in 0..workers {
                let inbox = Arc::clone(&inbox);
                scope.spawn(move || self.work(&inbox));
            }
            let (spare, buffers) = channel();
            (0..2 * workers + AHEAD).for_each(|_| drop(spare.send(Buffer::default())));
            let (waiting, ahead) = channel();
            let reader = scope.spawn(move || source.feed(&buffers, &jobs, &waiting));
            let mut merge = |read, mut folded: Folded| {
                late += folded.refused_late;
                done.add(read);
                session.merge(folded.give(report))
            };
            let left = merged(&ahead, spare, &mut merge)?;
            let source = reader.join().map_err(lost)?;
            Ok::<_, ImportError>((left, source.map_err(ImportError::Unreadable)?))
        })?;
        let behind = self.behind(done.lines() + 1, left, source, session, report)?;
        if let Some((read, refused)) = behind {
            done.add(read);
            late += refused;
        }
        Ok(done.finish(self.hints).refusing(late))
    }

    /// Reads what is left behind the pieces in one.
    fn behind<R: Read>(
        self,
        first_line: u64,
        mut left: Vec<u8>,
        source: Source<R>,
        session: &mut Session<'_>,
        report: &mut ImportReport,
    ) -> Result<Option<(PieceRead, u64)>, ImportError> {
        left.extend_from_slice(source.begun.bytes());
        if left.is_empty() && source.ended {
            return Ok(None);
        }
        let input = BufReader::new(Cursor::new(left).chain(source.input));
        let read = |sink: &mut dyn FnMut(_) -> _| read_rest(input, first_line, self.hints, sink);
        self.in_one(session, report, read).map(Some)
    }

    fn work(self, inbox: &Mutex<Receiver<Job>>) {
        loop {
            // A worker that panicked did so outside of this lock.
            let Ok(job) = inbox.lock().map(|inbox| inbox.recv()) else {
                return;
            };
            let Ok(Job {
                bytes,
                first_line,
                answer,
            }) = job
            else {
                return;
            };
            let mut folded = Folded::default();
            let mut sink = |item| {
                folded.take(item, self);
                Ok::<_, Infallible>(())
            };
            match read_piece(bytes.bytes(), first_line, self.hints, &mut sink) {
                Ok(read) => {
                    // The thread that waits has them to itself.
                    drop(bytes);
                    // Nothing waits if the file failed meanwhile.
                    let _ = answer.send((read, folded));
                }
                // Bytes in memory can be read.
                Err(ReadError::Input(_) | ReadError::Sink(_) | ReadError::Overspent(_)) => return,
            }
        }
    }
}

impl<R: Read> Source<R> {
    /// Cuts the input into pieces for the workers, and sends their receivers in order, as long as
    /// there is memory to read into.
    fn feed(
        mut self,
        buffers: &Receiver<Buffer>,
        jobs: &Sender<Job>,
        waiting: &Sender<Waiting>,
    ) -> io::Result<Self> {
        let mut first_line = 1;
        while let Ok(spare) = buffers.recv()
            && let Some(bytes) = self.next(spare)?
        {
            let lines = memchr::memchr_iter(b'\n', bytes.bytes()).count() as u64;
            let bytes = Arc::new(bytes);
            let (answer, wait) = sync_channel(1);
            let job = Job {
                bytes: Arc::clone(&bytes),
                first_line,
                answer,
            };
            first_line += lines;
            // The receiver is gone if the file failed meanwhile.
            let _ = jobs.send(job);
            let _ = waiting.send(Waiting {
                bytes,
                answer: wait,
            });
        }
        Ok(self)
    }
}

/// Merges pieces in their order and gives their memory back. If a document continues past the end
/// of a piece, nothing more is read ahead, and everything read from there on is returned.
fn merged(
    ahead: &Receiver<Waiting>,
    spare: Sender<Buffer>,
    merge: &mut impl FnMut(PieceRead, Folded) -> Result<(), StoreError>,
) -> Result<Vec<u8>, ImportError> {
    while let Ok(front) = ahead.recv() {
        let (read, folded) = front.answer.recv().map_err(lost)?;
        if read.open
            && let Ok(next) = ahead.recv()
        {
            drop(spare);
            let mut left = [front.bytes.bytes(), next.bytes.bytes()].concat();
            ahead
                .iter()
                .for_each(|w| left.extend_from_slice(w.bytes.bytes()));
            return Ok(left);
        }
        merge(read, folded)?;
        if let Some(buffer) = Arc::into_inner(front.bytes) {
            // It is not needed at the end of the input.
            let _ = spare.send(buffer);
        }
    }
    Ok(Vec::new())
}

fn lost<E>(_: E) -> ImportError {
    ImportError::Unreadable(io::Error::other("a reading thread ended unexpectedly"))
}
