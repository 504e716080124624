//! What notices are about, as the store has it.

use std::path::Path;

use rightsizer_page::Fleet;
use rightsizer_page::grade::Totals;
use rightsizer_records::Timestamp;
use rightsizer_rules::price::PriceTable;
use rightsizer_store::{AppliedChange, ChangeCounts, Reader, StoreError, UrgentIncrease, inspect};

/// Older rollbacks get no notice.
const RECENT_MS: i64 = 2 * 86_400_000;
/// The most changes that are read.
const MOST: u32 = 200;

/// What notices are about.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Urgent increases that wait for a person.
    pub(super) urgent: Vec<UrgentIncrease>,
    /// Changes that were rolled back in the last days, newest first.
    pub(super) rolled_back: Vec<AppliedChange>,
    /// Why automatic decreases are paused, if they are.
    pub(super) breaker: Option<String>,
    /// The week, if a digest is due.
    pub(super) week: Option<Week>,
}

/// The figures of a digest.
#[derive(Debug, Default)]
pub(super) struct Week {
    pub(super) totals: Totals,
    pub(super) waiting: usize,
    pub(super) changes: ChangeCounts,
}

/// Reads them; the whole fleet only for a digest.
pub(super) fn read(
    store: &Path,
    prices: &PriceTable,
    now: Timestamp,
    digest: bool,
) -> Result<Facts, StoreError> {
    let reader = Reader::open(store)?.with_prices(prices);
    let stops = inspect::stops(store)?;
    Ok(Facts {
        urgent: reader.urgent_waiting(MOST)?,
        rolled_back: reader.rolled_back(now.plus_ms(-RECENT_MS), MOST)?,
        breaker: stops.auto_paused.clone(),
        week: if digest {
            Some(week(&Fleet::read(&reader, stops, now, None)?))
        } else {
            None
        },
    })
}

const fn week(fleet: &Fleet) -> Week {
    Week {
        totals: fleet.totals,
        waiting: fleet.waiting,
        changes: fleet.week,
    }
}

#[cfg(test)]
mod tests {
    use rightsizer_store::Store;
    use rusqlite::Connection;

    use super::*;

    /// 7,000 s in 14 days at 1024 MB and 2,000 s at 512 MB: 7,000 and 1,000 GB-s at 0.001; × 30/14 = 15 and 2.142857.
    #[test]
    fn the_dollars_of_a_digest_are_by_the_prices_of_the_server() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.db");
        drop(Store::open(&path, "test").unwrap());
        let raw = Connection::open(&path).unwrap();
        let sql = "INSERT INTO functions (id, function, first_ms, heard_ms, last_ms, version, decided_day, policy_mb,
                to_mb, newest_mb, invocations, usd_before, usd_after, decided_mb, billed_days, billed_ms, billed_ms_after)
            VALUES (1, 'local:f', 0, 0, 0, '$LATEST', 14, 512, 512, 1024, 0, 9.0, 5.0, 1024, 14, 7000000, 2000000)";
        raw.execute(sql, []).unwrap();
        let prices = toml::from_str("x86_gb_second = 0.001").unwrap();
        let now = Timestamp::parse("2026-05-01T00:00:00Z").unwrap();
        let week = read(&path, &prices, now, true).unwrap().week.unwrap();
        let saved = week.totals.expected.as_f64();
        assert_eq!((week.totals.bill, saved), (15.0, 12.857_143));
    }
}
