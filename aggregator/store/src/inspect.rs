//! Reads facts of a store beside its writer, in any state: whether sending is paused, whether it is
//! damaged, when the last report arrived.

use std::collections::BTreeMap;
use std::path::Path;

use rightsizer_records::{Day, Timestamp};
use rightsizer_rules::candidates::{Candidate, Present};
use rightsizer_rules::commands::Refused;
use rightsizer_rules::price::PriceTable;
use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

use crate::crowding::CROWDED;
use crate::early::{CLOCK_FAULT, EARLY};
use crate::gaps::newest_gaps;
use crate::outbox::INCREASES;
use crate::{FunctionDetail, NotedGap, Reader, StoreError};

/// The result of inspecting a store's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreLook {
    /// The errors that `PRAGMA quick_check` finds; empty if there are none.
    pub damage: Vec<String>,
    /// Its schema version.
    pub version: i64,
    /// Number of functions in it.
    pub functions: u64,
    /// Time of the newest report.
    pub newest_report: Option<Timestamp>,
    /// When a stream was last read into it.
    pub last_checkpoint: Option<Timestamp>,
    /// What keeps recommendations from being sent.
    pub stops: Stops,
    /// Records that streams dropped before they were read, the newest last.
    pub gaps: Vec<NotedGap>,
    /// Traces of wrong clocks.
    pub clock: ClockTraces,
    /// Records that could not be used.
    pub quarantine: Quarantined,
    /// Number of functions known by name only, to which no change can be sent.
    pub names_only: u64,
    /// The tags of each function that the inventory lists with a tag of this product.
    pub tagged: Vec<Tagged>,
}

/// A function and its tags.
pub type Tagged = (String, BTreeMap<String, String>);

/// Records that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Quarantined {
    /// Number in the last week.
    pub recent: u64,
    /// Arrival time of the newest, and the reason for which it cannot be used.
    pub newest: Option<(Timestamp, String)>,
}

/// The traces of a wrong clock in a store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClockTraces {
    /// The last closed day.
    pub last_closed: Option<Day>,
    /// Number of records too far ahead of the clock, which are kept until it reaches their time.
    pub early: u64,
    /// The closes that were undone last, with the time.
    pub fault: Option<String>,
}

/// Number of gaps that are returned, the newest ones.
const GAPS_TOLD: usize = 20;

/// Opens `path` for reading; refuses a file that is not our store.
pub fn connect(path: &Path) -> Result<Connection, StoreError> {
    Ok(Reader::open(path)?.into_connection())
}

/// Checks the whole file, which takes seconds for a large store.
pub fn look(path: &Path) -> Result<StoreLook, StoreError> {
    let connection = connect(path)?;
    let mut check = connection.prepare("PRAGMA quick_check(20)")?;
    let found = check.query_map([], |row| row.get::<_, String>(0))?;
    let mut damage = found.collect::<Result<Vec<_>, _>>()?;
    damage.retain(|line| line != "ok");
    let time = |sql: &str| -> rusqlite::Result<Option<Timestamp>> {
        let ms: Option<i64> = connection.query_row(sql, [], |row| row.get(0))?;
        Ok(ms.and_then(Timestamp::from_ms))
    };
    Ok(StoreLook {
        damage,
        version: connection.pragma_query_value(None, "user_version", |row| row.get(0))?,
        functions: count_of(&connection, "SELECT count(*) FROM functions")?,
        newest_report: time("SELECT max(last_ms) FROM functions")?,
        last_checkpoint: time(
            "SELECT max(at_ms) FROM checkpoints WHERE source NOT LIKE 'import:%'",
        )?,
        stops: stops_in(&connection)?,
        gaps: newest_gaps(&connection, GAPS_TOLD)?,
        clock: clock_traces(&connection)?,
        quarantine: quarantined(&connection)?,
        names_only: count_of(
            &connection,
            "SELECT count(*) FROM functions WHERE function LIKE 'local:%'",
        )?,
        tagged: tagged(&connection)?,
    })
}

fn tagged(connection: &Connection) -> Result<Vec<Tagged>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT function, tags FROM inventory WHERE gone_ms IS NULL AND tags LIKE '%\"rightsizer:%' ORDER BY function",
    )?;
    let mut rows = statement.query([])?;
    let mut tagged = Vec::new();
    while let Some(row) = rows.next()? {
        let tags: String = row.get(1)?;
        let tags = serde_json::from_str(&tags);
        let damaged = |e| StoreError::Damaged(format!("a function's tags: {e}"));
        tagged.push((row.get(0)?, tags.map_err(damaged)?));
    }
    Ok(tagged)
}

fn count_of(connection: &Connection, sql: &str) -> rusqlite::Result<u64> {
    let count: i64 = connection.query_row(sql, [], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// Counts back from the newest record, because a store has no clock.
fn quarantined(connection: &Connection) -> rusqlite::Result<Quarantined> {
    let newest: Option<(i64, String)> = connection
        .query_row(
            "SELECT at_ms, reason FROM quarantine ORDER BY id DESC LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    Ok(Quarantined {
        recent: count_of(
            connection,
            "SELECT count(*) FROM quarantine
             WHERE at_ms > (SELECT max(at_ms) FROM quarantine) - 604800000",
        )?,
        newest: newest.and_then(|(at, why)| Some((Timestamp::from_ms(at)?, why))),
    })
}

/// Returns the free bytes on the disk of `path`; `None` if the system does not report them.
pub fn free_bytes(path: &Path) -> Option<u64> {
    let folder = std::fs::canonicalize(path).unwrap_or_else(|_| path.into());
    let folder = folder
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let disk = nix::sys::statvfs::statvfs(folder.unwrap_or(Path::new("."))).ok()?;
    Some(disk.blocks_available() * disk.fragment_size())
}

/// What keeps recommendations from being sent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stops {
    /// The author and reason of a pause, if everything is paused.
    pub paused: Option<String>,
    /// Time and reason of a pause of automatic decreases.
    #[serde(default)]
    pub auto_paused: Option<String>,
    /// The reason that held back decreases at the last check of the outbox.
    #[serde(default)]
    pub waits: Option<String>,
    /// The waiting increases and the reason, if today's increases exceed their limit in dollars.
    #[serde(default)]
    pub increases: Option<String>,
    /// The last function whose reports claimed too many sizes or versions on a day.
    #[serde(default)]
    pub crowded: Option<String>,
}

impl Stops {
    /// Returns messages about what is waiting, and the reasons.
    pub fn waiting(&self) -> Option<String> {
        let waits = self.waits.as_ref()?;
        Some(if self.increases.as_ref() == Some(waits) {
            waits.clone()
        } else {
            format!("decreases wait: {waits}")
        })
    }
}

/// What keeps recommendations from being sent.
pub fn stops(path: &Path) -> Result<Stops, StoreError> {
    Ok(stops_in(&connect(path)?)?)
}

/// Returns the same, and the records that streams dropped before they were read, the newest last.
pub fn stops_and_gaps(path: &Path) -> Result<(Stops, Vec<NotedGap>), StoreError> {
    let connection = connect(path)?;
    Ok((stops_in(&connection)?, newest_gaps(&connection, GAPS_TOLD)?))
}

fn clock_traces(connection: &Connection) -> rusqlite::Result<ClockTraces> {
    let number = |key| -> rusqlite::Result<Option<i64>> {
        let text = state_in(connection, key)?;
        Ok(text.and_then(|text| text.parse().ok()))
    };
    let closed = number("last_closed_day")?.and_then(|day| i32::try_from(day).ok());
    Ok(ClockTraces {
        last_closed: closed.map(Day::from_number),
        early: number(EARLY)?
            .and_then(|n| u64::try_from(n).ok())
            .unwrap_or(0),
        fault: state_in(connection, CLOCK_FAULT)?,
    })
}

fn state_in(connection: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT value FROM state WHERE key = ?";
    connection
        .query_row(sql, [key], |row| row.get(0))
        .optional()
}

fn stops_in(connection: &Connection) -> rusqlite::Result<Stops> {
    let state = |key: &str| state_in(connection, key);
    let increases: Option<String> = state(INCREASES)?;
    Ok(Stops {
        paused: state("paused")?,
        auto_paused: state("auto_paused")?,
        waits: joined(state("waits")?, increases.clone()),
        increases,
        crowded: state(CROWDED)?,
    })
}

fn joined(one: Option<String>, other: Option<String>) -> Option<String> {
    match (one, other) {
        (Some(one), Some(other)) => Some(format!("{one}; {other}")),
        (one, other) => one.or(other),
    }
}

/// What an export chooses from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exportable {
    /// What keeps recommendations from being sent.
    pub stops: Stops,
    /// Recommendations by function, the newest of each first.
    pub candidates: Vec<Candidate>,
    /// Present facts of every function.
    pub present: Vec<Present>,
}

/// What an export chooses from.
pub fn exportable(path: &Path) -> Result<Exportable, StoreError> {
    let reader = Reader::open(path)?;
    Ok(Exportable {
        candidates: reader.exportable()?,
        present: reader.present()?,
        stops: stops(path)?,
    })
}

/// Returns the number of review commands that were applied on the store.
pub fn applied_commands(path: &Path) -> Result<u64, StoreError> {
    let sql = "SELECT CAST(value AS INTEGER) FROM state WHERE key = 'words'";
    let count: Option<i64> = connect(path)?
        .query_row(sql, [], |row| row.get(0))
        .optional()?;
    Ok(count.and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
}

/// Returns the function that a person named, with all its data, and its dollars by `prices`.
pub fn function_named(
    path: &Path,
    name: &str,
    prices: &PriceTable,
) -> Result<Result<FunctionDetail, Refused>, StoreError> {
    let reader = Reader::open(path)?.with_prices(prices);
    let mut found = reader.find(name)?;
    let Some(row) = found.pop() else {
        return Ok(Err(Refused::NotFound(name.to_owned())));
    };
    if found.is_empty() {
        return Ok(Ok(reader.detail(row)?));
    }
    found.push(row);
    Ok(Err(Refused::Ambiguous {
        what: name.to_owned(),
        names: found.into_iter().map(|row| row.function).collect(),
    }))
}
