//! One input in pieces of whole lines, read and folded on every processor.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::{self, BufReader, Cursor, Read};
use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;

use super::{File, Folded, ImportError};
use crate::pipeline::Session;
use crate::source::{
    ImportReport, MAX_LINE_BYTES, PieceRead, Pieces, ReadError, Summary, comes_in_pieces,
    read_piece, read_rest,
};

/// As much of an input as one thread reads at a time.
const PIECE: usize = 4 << 20;

/// Room for the end of a line, behind a piece.
const LINE: usize = 64 << 10;

/// Reads the first lines of an input: about a piece, ended by a line break where it goes on.
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

/// Whole lines of an input.
struct Source<R> {
    input: R,
    /// The begin of a line whose end is not read yet.
    begun: Vec<u8>,
    /// Pieces that are done, to be filled again: fresh memory is slow.
    spare: Vec<Vec<u8>>,
    ended: bool,
}

impl<R: Read> Source<R> {
    /// The next piece; `None` at the end. What is longer than the longest line comes unended.
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        while !self.ended && self.begun.len() < MAX_LINE_BYTES {
            if self.begun.len() >= PIECE
                && let Some(end) = memchr::memrchr(b'\n', &self.begun)
            {
                let mut next = self.spare.pop().unwrap_or_default();
                next.clear();
                next.extend_from_slice(self.begun.get(end + 1..).unwrap_or_default());
                self.begun.truncate(end + 1);
                return Ok(Some(std::mem::replace(&mut self.begun, next)));
            }
            let room = PIECE as u64;
            // Else it grows by doubling, and is copied each time.
            self.begun.reserve(PIECE + LINE);
            let n = self
                .input
                .by_ref()
                .take(room)
                .read_to_end(&mut self.begun)?;
            self.ended = n == 0;
        }
        let last = std::mem::take(&mut self.begun);
        Ok((!last.is_empty()).then_some(last))
    }
}

/// A piece on its way through a worker.
struct Job {
    bytes: Arc<Vec<u8>>,
    first_line: u64,
    answer: SyncSender<(PieceRead, Folded)>,
}

/// A piece that a worker has, in the order of the input.
struct Waiting {
    bytes: Arc<Vec<u8>>,
    answer: Receiver<(PieceRead, Folded)>,
}

impl File<'_> {
    /// Reads an input that begins with `first` in pieces. Where a document goes on over the end of a
    /// piece, all from there on is read in one: pieces are a matter of speed alone.
    pub(super) fn in_pieces<R: Read>(
        self,
        first: Vec<u8>,
        rest: R,
        session: &mut Session<'_>,
        report: &mut ImportReport,
    ) -> Result<Summary, ImportError> {
        let mut source = Source {
            input: rest,
            begun: first,
            spare: Vec::new(),
            ended: false,
        };
        let workers = thread::available_parallelism().map_or(1, NonZero::get);
        let mut done = Pieces::default();
        let mut late = 0;
        let mut waiting: VecDeque<Waiting> = VecDeque::new();
        thread::scope(|scope| -> Result<(), ImportError> {
            let (jobs, inbox) = sync_channel::<Job>(2 * workers);
            let inbox = Arc::new(Mutex::new(inbox));
            for _ in 0..workers {
                let inbox = Arc::clone(&inbox);
                scope.spawn(move || self.work(&inbox));
            }
            let mut line = 1;
            let mut more = true;
            loop {
                while more && waiting.len() < 2 * workers {
                    let piece = source.next().map_err(ImportError::Unreadable)?;
                    more = piece.is_some();
                    if let Some(bytes) = piece {
                        let (job, wait) = job(bytes, &mut line);
                        waiting.push_back(wait);
                        // The workers live as long as this channel.
                        let _ = jobs.send(job);
                    }
                }
                let Some(front) = waiting.front() else {
                    return Ok(());
                };
                let (read, mut folded) = front.answer.recv().map_err(lost)?;
                if read.open && (more || waiting.len() > 1) {
                    return Ok(());
                }
                late += folded.refused_late;
                session.merge(folded.give(report))?;
                done.add(read);
                let bytes = waiting.pop_front().map(|done| done.bytes);
                source.spare.extend(bytes.and_then(Arc::into_inner));
            }
        })?;
        let summary = self.behind(done, &waiting, source, session, report)?;
        Ok(Summary {
            accepted: summary.accepted - late,
            refused: summary.refused + late,
            ..summary
        })
    }

    /// Reads what is left behind the pieces in one.
    fn behind<R: Read>(
        self,
        done: Pieces,
        waiting: &VecDeque<Waiting>,
        source: Source<R>,
        session: &mut Session<'_>,
        report: &mut ImportReport,
    ) -> Result<Summary, ImportError> {
        let mut left: Vec<u8> = Vec::new();
        waiting
            .iter()
            .for_each(|w| left.extend_from_slice(&w.bytes));
        left.extend_from_slice(&source.begun);
        if left.is_empty() && source.ended {
            return Ok(done.finish(None, self.hints));
        }
        let first_line = done.lines() + 1;
        let input = BufReader::new(Cursor::new(left).chain(source.input));
        let rest = self.in_one(session, report, |sink| {
            read_rest(input, first_line, self.hints, sink)
        })?;
        Ok(done.finish(Some(rest), self.hints))
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
            match read_piece(&bytes, first_line, self.hints, &mut sink) {
                Ok(read) => {
                    folded.batch.settle();
                    // Whoever waits has them to himself.
                    drop(bytes);
                    // Nobody waits where the file failed meanwhile.
                    let _ = answer.send((read, folded));
                }
                // Bytes in memory can be read.
                Err(ReadError::Input(_) | ReadError::Sink(_)) => return,
            }
        }
    }
}

fn job(bytes: Vec<u8>, line: &mut u64) -> (Job, Waiting) {
    let first_line = *line;
    *line += memchr::memchr_iter(b'\n', &bytes).count() as u64;
    let bytes = Arc::new(bytes);
    let (answer, wait) = sync_channel(1);
    let job = Job {
        bytes: Arc::clone(&bytes),
        first_line,
        answer,
    };
    let waiting = Waiting {
        bytes,
        answer: wait,
    };
    (job, waiting)
}

fn lost<E>(_: E) -> ImportError {
    ImportError::Unreadable(io::Error::other("a reading thread ended abnormally"))
}
