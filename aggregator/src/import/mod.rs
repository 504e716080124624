//! Taking in one file: its lines are read and folded in pieces on every processor, and merged in
//! their order by one thread, in one transaction of the store.

pub mod log_groups;
mod pieces;
#[cfg(test)]
mod tests;

use std::io::{BufReader, Chain, Cursor, Read};

use rightsizer_formats::{
    Channel, Hints, ImportReport, MAX_LISTED, ReadError, Refusal, Summary, gzip, read_and_watch,
};
use rightsizer_records::Timestamp;
use rightsizer_rules::evidence::{Evidence, Item};
use rightsizer_rules::window::DaySource;
use rightsizer_store::StoreError;

use crate::pipeline::{Accept, Batch, Intake, Session};

/// How much evidence is folded before it is merged, if an input is read in one piece.
const FOLDED: usize = 10_000;

/// Why a file was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Its content was taken in before, under this name.
    #[error("it was imported before, as {0}; nothing was imported again")]
    Known(String),
    /// It is one of the store's own files, by whatever name.
    #[error("it is the store itself, or its log: it was not opened")]
    OwnStore,
    /// It cannot be read to its end.
    #[error("{0}")]
    Unreadable(std::io::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads one input into the session; its content's hash keeps it from being taken in twice (W7).
/// `accept` and `now` are what evidence is held against.
pub fn take_in(
    session: &mut Session<'_>,
    input: impl Read + Send,
    name: &str,
    hints: &Hints,
    (accept, now): (&Accept, Timestamp),
    report: &mut ImportReport,
) -> Result<(), ImportError> {
    let mut hashing = Hashing {
        inner: input,
        hash: blake3::Hasher::new(),
    };
    let intake = Intake {
        accept,
        source: DaySource::Import,
        channel: Channel::Decisions,
        now,
    };
    let file = File {
        name,
        hints,
        intake,
    };
    let mut content = blake3::Hasher::new();
    let summary = file.read_all(&mut hashing, &mut content, session, report)?;
    let accepted = summary.accepted;
    report.finish(name, summary);
    std::io::copy(&mut hashing, &mut std::io::sink()).map_err(ImportError::Unreadable)?;
    // Packed or not, it is the same content.
    let mut sources = vec![identity(hashing.hash.finalize().as_bytes(), hints)];
    if content.count() > 0 {
        sources.push(identity(content.finalize().as_bytes(), hints));
    }
    for source in &sources {
        if let Some(known) = session.known_file(source)? {
            return Err(ImportError::Known(known));
        }
    }
    // What gave nothing may be tried again with other hints.
    if accepted > 0 {
        for source in &sources {
            session.remember_file(source, name)?;
        }
    }
    Ok(())
}

/// What a content is known by, with what it was taken for.
fn identity(digest: &[u8], hints: &Hints) -> String {
    let hash = digest
        .iter()
        .take(16)
        .fold(0, |hash: u128, byte| hash << 8 | u128::from(*byte));
    let whose = hints
        .function
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let day = hints.date.map(|day| day.to_string()).unwrap_or_default();
    let home = hints.home.as_ref();
    let home = home.map_or(String::new(), |h| format!("{}/{}", h.account, h.region));
    format!("import:{hash:032x}:{whose}:{home}:{day}")
}

/// A file under its name, with how its evidence is looked at.
#[derive(Clone, Copy)]
struct File<'a> {
    name: &'a str,
    hints: &'a Hints,
    intake: Intake<'a>,
}

/// The first bytes, which were read already, and the rest.
type Resumed<R> = BufReader<Chain<Cursor<Vec<u8>>, R>>;

impl File<'_> {
    fn read_all(
        self,
        input: impl Read + Send,
        content: &mut blake3::Hasher,
        session: &mut Session<'_>,
        report: &mut ImportReport,
    ) -> Result<Summary, ImportError> {
        let (first, rest) = pieces::first_lines(input).map_err(ImportError::Unreadable)?;
        if !first.starts_with(&gzip::MAGIC) && pieces::fit(&first) {
            return self.in_pieces(first, rest, session, report);
        }
        let whole: Resumed<_> = BufReader::new(Cursor::new(first).chain(rest));
        let (summary, late) = self.in_one(session, report, |sink| {
            let mut watch = |bytes: &[u8]| {
                content.update(bytes);
            };
            read_and_watch(whole, self.hints, &mut watch, sink)
        })?;
        Ok(summary.refusing(late))
    }

    /// Reads with `reader`, folding as it goes; returns what it came to, and how much of it was
    /// refused although it was readable.
    fn in_one<T>(
        self,
        session: &mut Session<'_>,
        report: &mut ImportReport,
        reader: impl FnOnce(
            &mut dyn FnMut(Item) -> Result<(), StoreError>,
        ) -> Result<T, ReadError<StoreError>>,
    ) -> Result<(T, u64), ImportError> {
        let mut folded = Folded::default();
        let mut sink = |item: Item| -> Result<(), StoreError> {
            folded.take(item, self);
            if folded.taken >= FOLDED {
                session.merge(folded.give(report))?;
            }
            Ok(())
        };
        let read = reader(&mut sink).map_err(unread)?;
        session.merge(folded.give(report))?;
        Ok((read, folded.refused_late))
    }
}

fn unread(error: ReadError<StoreError>) -> ImportError {
    match error {
        ReadError::Input(error) => ImportError::Unreadable(error),
        ReadError::Sink(error) => ImportError::Store(error),
        // A file has no budget.
        ReadError::Overspent(why) => ImportError::Unreadable(std::io::Error::other(why)),
    }
}

/// Items folded so far, and those that cannot be used.
#[derive(Debug, Default)]
struct Folded {
    batch: Batch,
    refused: Vec<Refusal>,
    /// Refused although they were readable.
    refused_late: u64,
    taken: usize,
}

impl Folded {
    fn take(&mut self, item: Item, of: File<'_>) {
        match item {
            Item::Ignored => {}
            Item::Refused {
                line,
                reason,
                sample,
            } => self.refuse(|| Refusal {
                file: of.name.to_owned(),
                line,
                reason,
                sample,
            }),
            Item::Evidence { line, evidence } => self.evidence(line, evidence, of),
        }
    }

    fn evidence(&mut self, line: u64, evidence: Evidence, of: File<'_>) {
        self.taken += 1;
        if let Err(refusal) = self.batch.take(evidence, &of.intake) {
            self.refused_late += 1;
            self.refuse(|| Refusal {
                file: of.name.to_owned(),
                line,
                reason: refusal.why,
                sample: String::new(),
            });
        }
    }

    /// Keeps as many as a report lists: all are counted elsewhere.
    fn refuse(&mut self, refusal: impl FnOnce() -> Refusal) {
        if self.refused.len() < MAX_LISTED {
            self.refused.push(refusal());
        }
    }

    /// Gives the batch away to be merged, and what was refused to the report.
    fn give(&mut self, report: &mut ImportReport) -> Batch {
        self.taken = 0;
        for refusal in self.refused.drain(..) {
            report.note(refusal);
        }
        std::mem::take(&mut self.batch)
    }
}

/// Hashes what is read through it.
struct Hashing<R> {
    inner: R,
    hash: blake3::Hasher,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.hash.update(buffer.get(..n).unwrap_or_default());
        Ok(n)
    }
}
