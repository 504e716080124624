//! Imports log groups: several pieces are read at a time, and each is merged in a commit of its
//! own, so that an interrupted run continues where it stopped.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use rightsizer_aws::logs::{LogsApi, Piece, PieceRead, Reader, Unread, Way};
use rightsizer_records::Timestamp;
use rightsizer_store::StoreError;

use crate::pipeline::{LogGroupDay, Pipeline};

/// Pieces that are read at once: of the 30 queries that an account may run, others need some too.
const AT_ONCE: usize = 5;
/// After this number of consecutive log groups that cannot be read, the rest is not tried.
const REFUSED_IN_A_ROW: usize = 5;

/// Its result.
#[derive(Debug, Default)]
pub struct Totals {
    /// Days of log groups that were read.
    pub days: u64,
    /// Of them, those for which an earlier reading had more: log data was deleted in between.
    pub kept: u64,
    /// Invocations merged.
    pub invocations: u64,
    /// Queries made.
    pub queries: u64,
    /// Bytes that they scanned.
    pub scanned_bytes: u64,
    /// Groups that were read line by line.
    pub filtered: BTreeSet<usize>,
    /// Groups in which reports were found.
    pub with_reports: BTreeSet<usize>,
    /// Groups that could not be read, and why.
    pub unread: BTreeMap<usize, Unread>,
    /// Why queries are not possible here, if so.
    pub no_queries: Option<String>,
    /// Report lines that cannot be used.
    pub refused_lines: u64,
    /// Starts that failed, and are not counted because a query does not show their size.
    pub starts_without_size: u64,
    /// Why the rest was not tried, if so.
    pub stopped: Option<String>,
}

/// Reads `pieces` and merges their evidence; calls `progress` with the number of days of log groups
/// that are done.
pub async fn take_in<A: LogsApi>(
    pipeline: &mut Pipeline,
    reader: &Reader<A>,
    pieces: Vec<Piece>,
    now: Timestamp,
    mut progress: impl FnMut(usize),
) -> Result<Totals, StoreError> {
    let mut totals = Totals::default();
    let mut waiting: VecDeque<Piece> = pieces.into();
    let mut reading = FuturesUnordered::new();
    let mut refused_in_a_row = 0;
    loop {
        while reading.len() < AT_ONCE
            && let Some(piece) = next(&mut waiting, totals.no_queries.is_some())
        {
            reading.push(async move { (reader.read(&piece).await, piece) });
        }
        let Some((read, piece)) = reading.next().await else {
            return Ok(totals);
        };
        progress(read.readings.len() + read.unread.len() * piece.days().count());
        let refused = read.unread.iter().find_map(|(_, why)| match why {
            Unread::Refused(why) => Some(why.clone()),
            Unread::Gone => None,
        });
        match refused {
            Some(why) => {
                refused_in_a_row += 1;
                if refused_in_a_row == REFUSED_IN_A_ROW {
                    totals.stopped = Some(why);
                    waiting.clear();
                }
            }
            None => refused_in_a_row = 0,
        }
        if totals.stopped.is_none() {
            waiting.extend(read.instead.iter().cloned());
        }
        merge(pipeline, reader, (read, piece.way), now, &mut totals)?;
    }
}

/// The next piece; if queries are not possible, a part of it that is read line by line.
fn next(waiting: &mut VecDeque<Piece>, no_queries: bool) -> Option<Piece> {
    let piece = waiting.pop_front()?;
    if !no_queries || piece.way == Way::Filter {
        return Some(piece);
    }
    let mut parts = piece.filtered();
    let first = parts.next();
    parts.for_each(|part| waiting.push_back(part));
    first
}

fn merge<A>(
    pipeline: &mut Pipeline,
    reader: &Reader<A>,
    (read, way): (PieceRead, Way),
    now: Timestamp,
    totals: &mut Totals,
) -> Result<(), StoreError> {
    totals.queries += read.queries;
    totals.scanned_bytes += read.scanned_bytes;
    totals.refused_lines += read.refused;
    totals.starts_without_size += read.starts_without_size;
    totals.no_queries = totals.no_queries.take().or(read.no_queries);
    totals.unread.extend(read.unread);
    if read.readings.is_empty() {
        return Ok(());
    }
    pipeline.work(now, |session| {
        for day in read.readings {
            let Some(group) = reader.groups.get(day.group) else {
                continue;
            };
            if way == Way::Filter {
                totals.filtered.insert(day.group);
            }
            if !day.deltas.is_empty() {
                totals.with_reports.insert(day.group);
            }
            totals.days += 1;
            let invocations: u64 = day.deltas.iter().map(|delta| delta.reports).sum();
            let merged = session.replace_log_day(LogGroupDay {
                log_group: group.arn.clone(),
                day: day.day,
                read_at: reader.until,
                deltas: day.deltas,
            })?;
            totals.kept += u64::from(!merged);
            totals.invocations += if merged { invocations } else { 0 };
        }
        session.decide_touched()
    })?;
    Ok(())
}
