//! `forced_starts`: cold starts of copies of a function, which `rightsizer coldstarts --bench` forced. No decision reads
//! them, because a copy has other traffic than its function.

use rightsizer_records::{Day, FunctionArn, Megabytes, Timestamp};
use rightsizer_rules::evidence::FunctionKey;
use rightsizer_rules::power::bench::{Cell, Package, Stage};
use rusqlite::{Connection, params};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use rightsizer_records::limits::{LAMBDA_LEAST, LAMBDA_MOST};

use super::columns::{count, megabytes, timestamp};
use super::error::StoreError;
use super::open::Reader;

/// The longest start that is believed, in milliseconds.
const HOUR_MS: f64 = 3_600_000.0;

/// Forced starts of a function at a size, as in `rightsizer show --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForcedLine {
    /// The size.
    pub memory_mb: Megabytes,
    /// The package of the copy.
    pub package: Package,
    /// The time since the copy was made.
    pub stage: Stage,
    /// Number of starts.
    pub starts: u64,
    /// Median of init or restore, in milliseconds.
    pub p50_ms: f64,
    /// 95th percentile.
    pub p95_ms: f64,
    /// When they were forced.
    pub measured_at: Timestamp,
}

impl ForcedLine {
    /// Returns the line of what a bench found at a size.
    pub fn of(cell: &Cell, measured_at: Timestamp) -> Self {
        Self {
            memory_mb: cell.memory_mb,
            package: cell.tested.package,
            stage: cell.stage,
            starts: cell.starts as u64,
            p50_ms: cell.p50_ms,
            p95_ms: cell.p95_ms,
            measured_at,
        }
    }
}

/// Forced starts with their function, as a bench sends them to the server that has the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forced {
    /// The function.
    pub function: FunctionArn,
    /// Its starts at one size.
    #[serde(flatten)]
    pub line: ForcedLine,
}

impl Forced {
    /// Whether the figures can be those of starts: a size of Lambda, at least one start, and durations of at most an
    /// hour in their order.
    pub fn is_possible(&self) -> bool {
        let line = &self.line;
        let sizes = LAMBDA_LEAST..=LAMBDA_MOST;
        let durations = line.p50_ms >= 0.0 && line.p50_ms <= line.p95_ms && line.p95_ms <= HOUR_MS;
        sizes.contains(&line.memory_mb) && line.starts > 0 && durations
    }
}

/// The table.
#[derive(Debug)]
pub struct ForcedStarts<'u> {
    pub(super) tx: &'u Connection,
}

impl ForcedStarts<'_> {
    /// Stores the starts of a function at a size. They replace earlier ones of the same package and stage.
    pub fn put(&self, function: &FunctionKey, line: &ForcedLine) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(
                "INSERT OR REPLACE INTO forced_starts
                    (function, memory_mb, package, stage, at_ms, starts, p50_ms, p95_ms)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                function.text(),
                line.memory_mb.0,
                word(line.package)?,
                word(line.stage)?,
                line.measured_at.as_ms(),
                i64::try_from(line.starts).unwrap_or(i64::MAX),
                line.p50_ms,
                line.p95_ms,
            ])?;
        Ok(())
    }

    /// Deletes starts from before `day`.
    pub(super) fn forget_before(&self, day: Day) -> Result<(), StoreError> {
        let sql = "DELETE FROM forced_starts WHERE at_ms < ?";
        self.tx
            .prepare_cached(sql)?
            .execute([day.start().as_ms()])?;
        Ok(())
    }
}

impl Reader {
    /// Returns the forced starts of a function, by size.
    pub(super) fn forced_starts(&self, function: &str) -> Result<Vec<ForcedLine>, StoreError> {
        let mut statement = self.connection.prepare(
            "SELECT memory_mb, package, stage, starts, p50_ms, p95_ms, at_ms FROM forced_starts
             WHERE function = ? ORDER BY memory_mb, package, stage",
        )?;
        let mut rows = statement.query([function])?;
        let mut lines = Vec::new();
        while let Some(row) = rows.next()? {
            lines.push(ForcedLine {
                memory_mb: megabytes(row.get(0)?),
                package: of_word(row.get(1)?)?,
                stage: of_word(row.get(2)?)?,
                starts: count(row.get(3)?),
                p50_ms: row.get(4)?,
                p95_ms: row.get(5)?,
                measured_at: timestamp(row.get(6)?)?,
            });
        }
        Ok(lines)
    }
}

/// The name of a variant, as JSON has it.
fn word(variant: impl Serialize) -> Result<String, StoreError> {
    let name = serde_json::to_value(variant).ok();
    let name = name.and_then(|name| name.as_str().map(str::to_owned));
    name.ok_or_else(|| StoreError::Damaged("a variant without a name".to_owned()))
}

fn of_word<T: DeserializeOwned>(name: String) -> Result<T, StoreError> {
    let damaged = |e| StoreError::Damaged(format!("forced_starts: {e}"));
    serde_json::from_value(name.into()).map_err(damaged)
}

#[cfg(test)]
mod tests {
    use rightsizer_rules::power::bench::{ColdSample, Tested, bench};
    use rightsizer_rules::price::PriceTable;

    use super::*;
    use crate::open::Store;

    const SHOP: &str = "arn:aws:lambda:eu-west-1:123456789012:function:shop";

    /// Three starts at each size, around `typical`.
    fn cells(package: Package, sizes: &[u32], typical: f64) -> Vec<Cell> {
        let sample = |size: &u32, off: f64| ColdSample {
            tested: Tested {
                function: "shop".to_owned(),
                region: None,
                arm64: false,
                runtime: None,
                package,
            },
            memory_mb: Megabytes(*size),
            round: 0,
            start_ms: typical + off,
            handler_ms: 20.0,
        };
        let samples = sizes
            .iter()
            .flat_map(|size| [-50.0, 0.0, 50.0].map(|off| sample(size, off)));
        bench(&samples.collect::<Vec<_>>(), &PriceTable::default()).cells
    }

    fn put(store: &mut Store, day: &str, cells: &[Cell]) {
        let at = Day::parse(day).unwrap().start();
        let unit = store.begin().unwrap();
        for cell in cells {
            let function = FunctionKey::parse(SHOP).unwrap();
            let line = ForcedLine::of(cell, at);
            unit.forced_starts().put(&function, &line).unwrap();
        }
        unit.commit().unwrap();
    }

    fn kept(dir: &tempfile::TempDir) -> Vec<(u32, Package, f64, String)> {
        let reader = Reader::open(&dir.path().join("store.db")).unwrap();
        let lines = reader.forced_starts(SHOP).unwrap();
        assert!(lines.iter().all(|line| line.starts == 3));
        let shown = |line: ForcedLine| {
            let day = line.measured_at.day().to_string();
            (line.memory_mb.0, line.package, line.p50_ms, day)
        };
        lines.into_iter().map(shown).collect()
    }

    /// What a server is sent may be anything.
    #[test]
    fn impossible_starts_are_recognised() {
        let at = Day::parse("2026-11-01").unwrap().start();
        let possible = Forced {
            function: FunctionArn::parse(SHOP).unwrap(),
            line: ForcedLine::of(&cells(Package::Zip, &[512], 900.0)[0], at),
        };
        assert!(possible.is_possible());
        let with = |change: fn(&mut ForcedLine)| {
            let mut forced = possible.clone();
            change(&mut forced.line);
            forced.is_possible()
        };
        assert!(!with(|line| line.memory_mb = Megabytes(64)));
        assert!(!with(|line| line.memory_mb = Megabytes(10_241)));
        assert!(!with(|line| line.starts = 0));
        assert!(!with(|line| line.p50_ms = -1.0));
        assert!(!with(|line| line.p50_ms = f64::NAN));
        assert!(!with(|line| line.p95_ms = line.p50_ms - 1.0));
        assert!(!with(|line| line.p95_ms = HOUR_MS * 2.0));
    }

    /// A second bench replaces what the first one found for the same package, and the retention takes both in the end.
    #[test]
    fn of_each_size_and_package_the_newest_starts_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(&dir.path().join("store.db"), "test").unwrap();
        put(
            &mut store,
            "2026-11-01",
            &cells(Package::Zip, &[512, 1024], 900.0),
        );
        put(
            &mut store,
            "2026-11-01",
            &cells(Package::SnapStart, &[512], 90.0),
        );
        put(
            &mut store,
            "2026-11-23",
            &cells(Package::Zip, &[512], 700.0),
        );
        let (old, new) = ("2026-11-01".to_owned(), "2026-11-23".to_owned());
        assert_eq!(
            kept(&dir),
            [
                (512, Package::SnapStart, 90.0, old.clone()),
                (512, Package::Zip, 700.0, new),
                (1024, Package::Zip, 900.0, old)
            ]
        );
        let day = Day::parse("2026-11-01").unwrap();
        for (closed, left) in [(400, 3), (401, 1)] {
            let mut unit = store.begin().unwrap();
            unit.retention().delete_old_logs(day.plus(closed)).unwrap();
            unit.commit().unwrap();
            assert_eq!(kept(&dir).len(), left, "{closed}");
        }
    }
}
