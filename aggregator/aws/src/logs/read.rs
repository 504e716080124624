//! Reads one piece of the plan, by a query or page by page. If the service refuses the piece as it is, returns smaller
//! ones to read instead.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use rightsizer_formats::{Hints, LogEvent, LogEvents};
use rightsizer_records::{Day, Timestamp};
use rightsizer_rules::evidence::{Evidence, FunctionKey, Item};
use rightsizer_rules::window::{DaySource, Delta, fold_into, fold_observation};
use tokio::time::sleep;

use super::calls::{Answer, Calls, LogLine, LogsApi, LogsError, QueryState};
use super::group::LogGroup;
use super::plan::{Piece, Way};
use super::query::{ENDINGS_PATTERN, QUERY, QUERY_ROWS};
use super::reading::{self, Sorted};

/// The first wait for an answer; each next one is half as long again, up to the other.
const FIRST_LOOK: Duration = Duration::from_millis(250);
const LONGEST_LOOK: Duration = Duration::from_secs(5);
/// How often a query is started that fails.
const TRIES: usize = 3;

/// Reads pieces of these groups.
#[derive(Debug)]
pub struct Reader<A> {
    /// By whom the calls are made.
    pub calls: Calls<A>,
    /// What there is.
    pub groups: Vec<LogGroup>,
    /// Whose lines they are.
    pub hints: Hints,
    /// Nothing later is read.
    pub until: Timestamp,
}

/// A day of a group.
#[derive(Debug)]
pub struct Reading {
    /// Position of the group.
    pub group: usize,
    /// The day.
    pub day: Day,
    /// Its evidence, by function.
    pub deltas: Vec<Delta>,
}

/// Why a group could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// It no longer exists.
    Gone,
    /// The service refuses, with this message.
    Refused(String),
}

/// The result of a piece.
#[derive(Debug, Default)]
pub struct PieceRead {
    /// Days that were read, those without reports too.
    pub readings: Vec<Reading>,
    /// To be read instead of this piece, or of a part of it.
    pub instead: Vec<Piece>,
    /// Groups that could not be read.
    pub unread: Vec<(usize, Unread)>,
    /// Why queries are not possible here, if so.
    pub no_queries: Option<String>,
    /// Queries that were started.
    pub queries: u64,
    /// Bytes that they scanned.
    pub scanned_bytes: u64,
    /// Report lines that cannot be used.
    pub refused: u64,
    /// Starts that failed, of which a query does not show the size.
    pub starts_without_size: u64,
}

impl<A: LogsApi> Reader<A> {
    /// Reads a piece.
    pub async fn read(&self, piece: &Piece) -> PieceRead {
        match piece.way {
            Way::Insights => self.query(piece).await,
            Way::Filter => self.filter(piece).await,
        }
    }

    fn times(&self, piece: &Piece) -> (Timestamp, Timestamp) {
        let (first, last) = piece.days;
        (first.start(), last.plus(1).start().min(self.until))
    }

    fn name(&self, group: usize) -> &str {
        self.groups.get(group).map_or("", |group| &group.name)
    }

    async fn query(&self, piece: &Piece) -> PieceRead {
        let mut read = PieceRead::default();
        let mut timed_out = false;
        for _ in 0..TRIES {
            match self.ask(piece, &mut read).await {
                Ok(answer) if answer.state == QueryState::Complete => {
                    self.complete(piece, &answer, &mut read);
                    return read;
                }
                Ok(answer) if answer.state == QueryState::TimedOut => {
                    timed_out = true;
                    break;
                }
                // The query failed, or its result is no longer kept: another one may succeed.
                Ok(_) | Err(Stage::Answer(LogsError::Missing(_))) => {}
                Err(Stage::Start(error)) => {
                    not_started(piece, error, &mut read);
                    return read;
                }
                Err(Stage::Answer(error)) => {
                    read.no_queries = Some(error.to_string());
                    break;
                }
            }
        }
        read.instead = match piece.halves().filter(|_| timed_out) {
            Some(halves) => halves.to_vec(),
            None => piece.filtered().collect(),
        };
        read
    }

    /// Starts the query and waits for its end.
    async fn ask(&self, piece: &Piece, read: &mut PieceRead) -> Result<Answer, Stage> {
        let names: Vec<&str> = piece.groups.iter().map(|group| self.name(*group)).collect();
        let id = self.calls.start(QUERY, &names, self.times(piece)).await;
        let id = id.map_err(Stage::Start)?;
        read.queries += 1;
        let mut look = FIRST_LOOK;
        loop {
            sleep(look).await;
            let answer = self.calls.answer(&id).await.map_err(Stage::Answer)?;
            if answer.state != QueryState::Running {
                read.scanned_bytes += answer.scanned_bytes;
                return Ok(answer);
            }
            look = (look * 3 / 2).min(LONGEST_LOOK);
        }
    }

    fn complete(&self, piece: &Piece, answer: &Answer, read: &mut PieceRead) {
        if answer.rows.len() >= usize::try_from(QUERY_ROWS).unwrap_or(usize::MAX) {
            // Some rows may be missing, and it is unknown which.
            let halves = piece.halves().map(|halves| halves.to_vec());
            read.instead = halves.unwrap_or_else(|| piece.filtered().collect());
            return;
        }
        let by_name: HashMap<&str, usize> = piece
            .groups
            .iter()
            .map(|group| (self.name(*group), *group))
            .collect();
        let position = |name: &str| by_name.get(name).copied();
        let place = piece
            .groups
            .first()
            .and_then(|group| self.groups.get(*group));
        let account = place.and_then(LogGroup::place).map(|(account, _)| account);
        let Sorted {
            mut days,
            unclear,
            foreign,
            without_size,
        } = reading::sort(&answer.rows, position, account, &self.hints);
        if foreign {
            read.no_queries = Some("the response lacks the requested value".to_owned());
            read.instead = piece.filtered().collect();
            return;
        }
        let otherwise = |piece: &Piece| piece.groups.iter().any(|group| unclear.contains(group));
        read.instead = piece.filtered().filter(otherwise).collect();
        let clear = without_size
            .iter()
            .filter(|(group, _)| !unclear.contains(group));
        read.starts_without_size += clear.map(|(_, starts)| starts).sum::<u64>();
        for group in piece.groups.iter().filter(|group| !unclear.contains(group)) {
            read.readings.extend(piece.days().map(|day| Reading {
                group: *group,
                day,
                deltas: days.remove(&(*group, day)).unwrap_or_default(),
            }));
        }
    }

    async fn filter(&self, piece: &Piece) -> PieceRead {
        let mut read = PieceRead::default();
        for group in &piece.groups {
            let mut folded = Folded::of(self, *group, piece);
            let mut page = None;
            let end = loop {
                let times = self.times(piece);
                let name = self.name(*group);
                let calls = &self.calls;
                match calls
                    .filter(name, ENDINGS_PATTERN, times, page.as_deref())
                    .await
                {
                    Ok(found) => {
                        found.items.iter().for_each(|line| folded.take(line));
                        page = found.next;
                    }
                    Err(LogsError::Missing(_)) => break Err(Unread::Gone),
                    Err(error) => break Err(Unread::Refused(error.to_string())),
                }
                if page.is_none() {
                    break Ok(());
                }
            };
            match end {
                Ok(()) => folded.give(piece, &mut read),
                Err(unread) => read.unread.push((*group, unread)),
            }
        }
        read
    }
}

/// The failed call.
enum Stage {
    Start(LogsError),
    Answer(LogsError),
}

fn not_started(piece: &Piece, error: LogsError, read: &mut PieceRead) {
    match (error, piece.halves_by_group()) {
        // One of them is gone, or of another kind, and the service does not name it.
        (LogsError::Missing(_) | LogsError::Refused(_), Some(halves)) => {
            read.instead = halves.to_vec();
        }
        (LogsError::Missing(_), None) => {
            read.unread = piece.groups.iter().map(|g| (*g, Unread::Gone)).collect();
        }
        (LogsError::Refused(_), None) => read.instead = piece.filtered().collect(),
        (error, _) => {
            read.no_queries = Some(error.to_string());
            read.instead = piece.filtered().collect();
        }
    }
}

/// Lines of one group, folded by day and function as they come.
struct Folded<'a> {
    group: usize,
    name: &'a str,
    account: Option<&'a str>,
    hints: &'a Hints,
    days: BTreeSet<Day>,
    events: LogEvents,
    deltas: HashMap<(Day, FunctionKey), Delta>,
    refused: u64,
}

impl<'a> Folded<'a> {
    fn of<A: LogsApi>(reader: &'a Reader<A>, group: usize, piece: &Piece) -> Self {
        let place = reader.groups.get(group).and_then(LogGroup::place);
        Self {
            group,
            name: reader.name(group),
            account: place.map(|(account, _)| account),
            hints: &reader.hints,
            days: piece.days().collect(),
            events: LogEvents::default(),
            deltas: HashMap::new(),
            refused: 0,
        }
    }

    fn take(&mut self, line: &LogLine) {
        let event = LogEvent {
            group: self.name,
            stream: line.stream.as_deref(),
            account: self.account,
            at: line.at,
            message: &line.message,
        };
        for item in self.events.read(&event, self.hints) {
            self.item(item);
        }
    }

    fn item(&mut self, item: Item) {
        match item {
            Item::Evidence {
                evidence: Evidence::Observation(seen),
                ..
            } => {
                let day = seen.at.day();
                if !self.days.contains(&day) {
                    return;
                }
                let key = (day, FunctionKey::clone(&seen.function));
                if let Some(delta) = self.deltas.get_mut(&key) {
                    fold_into(&seen, delta);
                } else {
                    let delta = fold_observation(&seen, DaySource::Import);
                    self.deltas.insert(key, delta);
                }
            }
            Item::Refused { .. } => self.refused += 1,
            Item::Evidence { .. } | Item::Ignored => {}
        }
    }

    fn give(self, piece: &Piece, read: &mut PieceRead) {
        let mut by_day: BTreeMap<Day, Vec<Delta>> = BTreeMap::new();
        for ((day, _), mut delta) in self.deltas {
            delta.count_environments();
            // Added up reports do not show which of them began an environment.
            delta.sighting.started = None;
            by_day.entry(day).or_default().push(delta);
        }
        read.refused += self.refused;
        read.readings.extend(piece.days().map(|day| Reading {
            group: self.group,
            day,
            deltas: by_day.remove(&day).unwrap_or_default(),
        }));
    }
}
