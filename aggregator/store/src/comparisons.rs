//! `measured_sizes` and `compute_optimizer`: results of other tools for functions. They are stored by the
//! function's key, even if the function has no row, and no decision reads them.

use rightsizer_records::{Day, Megabytes, Timestamp};
use rightsizer_rules::comparison::{Advice, Comparison, Finding, Found, MeasuredSize};
use rightsizer_rules::evidence::FunctionKey;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::columns::{megabytes, timestamp};
use super::error::StoreError;
use super::open::Reader;
use super::review::NAMED;

/// The source of sizes that Lambda Power Tuning measured.
const POWER_TUNING: &str = "power-tuning";

/// A size at which another tool ran a function, as `rightsizer show --json` has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasuredLine {
    /// The size.
    pub memory_mb: Megabytes,
    /// Mean duration of an invocation.
    pub duration_ms: f64,
    /// Mean cost of an invocation in US dollars, if known.
    pub usd: Option<f64>,
    /// The tool that measured: `power-tuning`.
    pub source: String,
    /// When it was measured.
    pub measured_at: Timestamp,
}

/// Compute Optimizer's result for a function, as in `rightsizer show --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdviceLine {
    /// The size that it recommends, if any.
    pub memory_mb: Option<Megabytes>,
    /// Its classification.
    pub finding: Finding,
    /// The size of the version at that time.
    pub current_mb: Option<Megabytes>,
    /// The version that it analysed.
    pub version: String,
    /// When it was refreshed last.
    pub refreshed_at: Timestamp,
}

/// The results of other tools.
#[derive(Debug)]
pub struct Comparisons<'u> {
    pub(super) tx: &'u Connection,
}

impl Comparisons<'_> {
    /// Stores a result of another tool, unless there is a newer one. Returns whether `list` has the function. A
    /// bare name means the only function of this name, if there is exactly one.
    pub fn take(&self, found: &Comparison) -> Result<bool, StoreError> {
        let (function, known) = self.listed_as(&found.function)?;
        match &found.found {
            Found::Measured(sizes) => {
                for size in sizes {
                    self.put_measured(&function, found.at, size)?;
                }
            }
            Found::Advised(advice) => self.put_advice(&function, found.at, advice)?,
        }
        Ok(known)
    }

    /// Returns the key of a function in `list`, and whether `list` has it.
    fn listed_as(&self, key: &FunctionKey) -> Result<(String, bool), StoreError> {
        let text = key.text().into_owned();
        let listed = self
            .tx
            .prepare_cached(
                "SELECT 1 FROM functions WHERE function = ?1
                 UNION ALL SELECT 1 FROM inventory WHERE function = ?1 AND gone_ms IS NULL",
            )?
            .exists([&text])?;
        if let FunctionKey::Local(name) = key
            && !listed
            && let [only] = self.listed_named(name)?.as_slice()
        {
            return Ok((only.clone(), true));
        }
        Ok((text, listed))
    }

    /// Returns up to two functions of a name.
    fn listed_named(&self, name: &str) -> Result<Vec<String>, StoreError> {
        let mut statement = self.tx.prepare_cached(&format!(
            "SELECT function FROM (SELECT function FROM functions
                UNION SELECT function FROM inventory WHERE gone_ms IS NULL)
             WHERE {NAMED} LIMIT 2"
        ))?;
        let rows = statement.query_map([name], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn put_measured(
        &self,
        function: &str,
        at: Timestamp,
        size: &MeasuredSize,
    ) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(
                "INSERT INTO measured_sizes (function, memory_mb, source, at_ms, duration_ms, usd)
                 VALUES (?, ?, ?, ?, ?, ?)
                 ON CONFLICT (function, memory_mb, source) DO UPDATE SET at_ms = excluded.at_ms,
                    duration_ms = excluded.duration_ms, usd = excluded.usd
                 WHERE excluded.at_ms >= at_ms",
            )?
            .execute(params![
                function,
                size.memory_mb.0,
                POWER_TUNING,
                at.as_ms(),
                size.duration.as_ms_f64(),
                size.usd,
            ])?;
        Ok(())
    }

    fn put_advice(&self, function: &str, at: Timestamp, advice: &Advice) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(
                "INSERT INTO compute_optimizer
                    (function, version, at_ms, finding, current_mb, memory_mb)
                 VALUES (?, ?, ?, ?, ?, ?)
                 ON CONFLICT (function, version) DO UPDATE SET at_ms = excluded.at_ms,
                    finding = excluded.finding, current_mb = excluded.current_mb,
                    memory_mb = excluded.memory_mb
                 WHERE excluded.at_ms >= at_ms",
            )?
            .execute(params![
                function,
                advice.version,
                at.as_ms(),
                advice.finding.name(),
                advice.current_mb.map(|mb| mb.0),
                advice.memory_mb().map(|mb| mb.0),
            ])?;
        Ok(())
    }

    /// Deletes results from before `day`.
    pub(super) fn forget_before(&self, day: Day) -> Result<(), StoreError> {
        let oldest = day.start().as_ms();
        for sql in [
            "DELETE FROM measured_sizes WHERE at_ms < ?",
            "DELETE FROM compute_optimizer WHERE at_ms < ?",
        ] {
            self.tx.prepare_cached(sql)?.execute([oldest])?;
        }
        Ok(())
    }
}

impl Reader {
    /// Returns the sizes at which other tools ran a function, ascending.
    pub(super) fn measured_sizes(&self, function: &str) -> Result<Vec<MeasuredLine>, StoreError> {
        let mut statement = self.connection.prepare(
            "SELECT memory_mb, duration_ms, usd, source, at_ms FROM measured_sizes WHERE function = ?
             ORDER BY memory_mb, source",
        )?;
        let mut rows = statement.query([function])?;
        let mut lines = Vec::new();
        while let Some(row) = rows.next()? {
            lines.push(MeasuredLine {
                memory_mb: megabytes(row.get(0)?),
                duration_ms: row.get(1)?,
                usd: row.get(2)?,
                source: row.get(3)?,
                measured_at: timestamp(row.get(4)?)?,
            });
        }
        Ok(lines)
    }

    /// Returns Compute Optimizer's result for the version of a function that `review` uses.
    pub(super) fn advice(
        &self,
        function: &str,
        version: &str,
    ) -> Result<Option<AdviceLine>, StoreError> {
        let mut statement = self.connection.prepare(
            "SELECT memory_mb, finding, current_mb, version, at_ms FROM compute_optimizer
             WHERE function = ?
             ORDER BY version <> ?, version <> '$LATEST', at_ms DESC, version LIMIT 1",
        )?;
        let line = statement.query_row([function, version], |row| {
            let mb = |n| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(n)?.map(megabytes));
            Ok((
                mb(0)?,
                row.get::<_, String>(1)?,
                mb(2)?,
                row.get(3)?,
                row.get(4)?,
            ))
        });
        let Some((memory_mb, finding, current_mb, version, at)) = line.optional()? else {
            return Ok(None);
        };
        let damaged = || StoreError::Damaged(format!("{finding:?} is not a finding"));
        Ok(Some(AdviceLine {
            memory_mb,
            finding: Finding::from_name(&finding).ok_or_else(damaged)?,
            current_mb,
            version,
            refreshed_at: timestamp(at)?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use rightsizer_records::Millis;

    use super::*;
    use crate::open::Store;

    const MAILER: &str = "arn:aws:lambda:eu-north-1:210987654321:function:mailer";

    /// A store whose inventory has these functions.
    fn store(functions: &[&str]) -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(&dir.path().join("store.db"), "test").unwrap();
        let unit = store.begin().unwrap();
        for function in functions {
            let row =
                "INSERT INTO inventory (function, memory_mb, timeout_s, arch, package, layers,
                    log_group, edge_replica, managed_instances, snap_start, seen_ms)
                 VALUES (?, 512, 3, 'arm64', 'zip', '[]', 'g', 0, 0, 0, 1)";
            unit.tx.execute(row, [function]).unwrap();
        }
        unit.commit().unwrap();
        (dir, store)
    }

    fn take(store: &mut Store, function: &str, day: &str, found: Found) -> bool {
        let unit = store.begin().unwrap();
        let found = Comparison {
            function: FunctionKey::parse(function).unwrap(),
            at: Day::parse(day).unwrap().start(),
            found,
        };
        let listed = unit.comparisons().take(&found).unwrap();
        unit.commit().unwrap();
        listed
    }

    fn run(sizes: &[(u32, u64)]) -> Found {
        let sizes = sizes.iter().map(|(mb, ms)| MeasuredSize {
            memory_mb: Megabytes(*mb),
            duration: Millis::from_ms(*ms),
            usd: Some(1e-6),
        });
        Found::Measured(sizes.collect())
    }

    fn advice(version: &str, finding: Finding, recommended: Option<u32>) -> Found {
        Found::Advised(Advice {
            version: version.to_owned(),
            finding,
            current_mb: Some(Megabytes(512)),
            recommended_mb: recommended.map(Megabytes),
        })
    }

    fn reader(dir: &tempfile::TempDir) -> Reader {
        Reader::open(&dir.path().join("store.db")).unwrap()
    }

    /// Sizes, durations and days of measurement.
    fn sizes(dir: &tempfile::TempDir, function: &str) -> Vec<(u32, f64, String)> {
        let lines = reader(dir).measured_sizes(function).unwrap().into_iter();
        lines
            .map(|l| {
                (
                    l.memory_mb.0,
                    l.duration_ms,
                    l.measured_at.day().to_string(),
                )
            })
            .collect()
    }

    #[test]
    fn of_each_size_the_newest_measurement_is_kept() {
        let (dir, mut store) = store(&[MAILER]);
        let (old, new) = ("2026-11-01", "2026-11-23");
        assert!(take(
            &mut store,
            MAILER,
            new,
            run(&[(256, 200), (512, 100)])
        ));
        assert!(take(
            &mut store,
            MAILER,
            old,
            run(&[(512, 900), (1024, 60)])
        ));
        let kept = |mb, ms, day: &str| (mb, ms, day.to_owned());
        assert_eq!(
            sizes(&dir, MAILER),
            [
                kept(256, 200.0, new),
                kept(512, 100.0, new),
                kept(1024, 60.0, old)
            ]
        );
    }

    #[test]
    fn a_bare_name_is_that_of_the_only_function_of_this_name() {
        let elsewhere = MAILER.replace("eu-north-1", "eu-west-1");
        let (dir, mut one) = store(&[MAILER]);
        assert!(take(&mut one, "mailer", "2026-11-23", run(&[(256, 200)])));
        assert_eq!(sizes(&dir, MAILER).len(), 1);
        assert!(!take(&mut one, "ledger", "2026-11-23", run(&[(256, 200)])));
        assert_eq!(sizes(&dir, "local:ledger").len(), 1, "kept for later");
        let (dir, mut two) = store(&[MAILER, &elsewhere]);
        assert!(!take(&mut two, "mailer", "2026-11-23", run(&[(256, 200)])));
        assert_eq!(sizes(&dir, MAILER).len() + sizes(&dir, &elsewhere).len(), 0);
    }

    #[test]
    fn the_advice_on_the_version_with_the_traffic_counts() {
        let (dir, mut store) = store(&[MAILER]);
        let none = reader(&dir).find(MAILER).unwrap().remove(0);
        assert_eq!(none.compute_optimizer_mb, None);
        take(
            &mut store,
            MAILER,
            "2026-11-23",
            advice("7", Finding::NotOptimized, Some(300)),
        );
        let seven = reader(&dir).find(MAILER).unwrap().remove(0);
        assert_eq!(seven.compute_optimizer_mb, Some(300), "better than nothing");
        take(
            &mut store,
            MAILER,
            "2026-11-01",
            advice("$LATEST", Finding::Optimized, None),
        );
        let row = reader(&dir).find(MAILER).unwrap().remove(0);
        assert_eq!(
            (row.version.as_str(), row.compute_optimizer_mb),
            ("$LATEST", Some(512))
        );
        let line = reader(&dir).detail(row).unwrap().compute_optimizer.unwrap();
        assert_eq!(
            (line.finding, line.version.as_str()),
            (Finding::Optimized, "$LATEST")
        );
        // An older one does not replace it.
        take(
            &mut store,
            MAILER,
            "2026-10-01",
            advice("$LATEST", Finding::NotOptimized, Some(128)),
        );
        let row = reader(&dir).find(MAILER).unwrap().remove(0);
        assert_eq!(row.compute_optimizer_mb, Some(512));
    }

    #[test]
    fn results_are_kept_for_400_days() {
        let (dir, mut store) = store(&[MAILER]);
        let day = Day::parse("2026-11-23").unwrap();
        take(&mut store, MAILER, "2026-11-23", run(&[(256, 200)]));
        take(
            &mut store,
            MAILER,
            "2026-11-23",
            advice("$LATEST", Finding::Optimized, None),
        );
        for (closed, left) in [(400, 1), (401, 0)] {
            let mut unit = store.begin().unwrap();
            unit.retention().delete_old_logs(day.plus(closed)).unwrap();
            unit.commit().unwrap();
            assert_eq!(sizes(&dir, MAILER).len(), left, "{closed}");
            let advice = reader(&dir).advice(MAILER, "$LATEST").unwrap();
            assert_eq!(advice.iter().count(), left, "{closed}");
        }
    }
}
