//! `inventory`: each function as the control plane describes it, and the effects of changes there.

use std::collections::BTreeSet;

use rightsizer_records::{Day, FunctionArn, Millis, Timestamp};
use rightsizer_rules::inventory::{FunctionFacts, InventoryUpdate, LoggedReports, Owners, Package};
use rightsizer_rules::policy::Configured;
use rusqlite::{Connection, OptionalExtension, params};

use super::columns::timestamp;
use super::error::StoreError;
use super::transitions::considered;
use super::unit::FunctionId;

/// Functions as the control plane describes them.
#[derive(Debug)]
pub struct Inventory<'u> {
    pub(super) tx: &'u Connection,
}

impl Inventory<'_> {
    /// Merges a refresh. Functions that are missing in a complete refresh are gone, within its
    /// account and region; a store may hold several. If tags could not be read, the known ones
    /// stay. If a function's code changed, it is judged afresh (P3): out-of-memory up to the day
    /// before it was last seen with its old code no longer counts. Returns the functions with
    /// reports whose size changed since the refresh before.
    pub fn take(&self, update: &InventoryUpdate) -> Result<Vec<FunctionId>, StoreError> {
        let now = update.seen_at.as_ms();
        let mut resized = Vec::new();
        for facts in &update.functions {
            resized.extend(self.seen_with_other_size(facts)?);
            if let Some(seen) = self.seen_with_other_code(facts)? {
                self.clear_through(facts, seen.day().plus(-1))?;
            }
            self.put_facts(facts, now, update.with_alarms)?;
        }
        // Pending recommendations of functions that were not known now belong to known ones.
        let known = format!(
            "UPDATE recommendations SET known = 1 WHERE NOT known AND {}
                AND function_id IN (SELECT f.id FROM functions f
                    JOIN inventory i ON i.function = f.function WHERE i.gone_ms IS NULL)",
            considered()
        );
        self.tx.execute(&known, [])?;
        if update.complete {
            let places = update.functions.iter().map(|facts| place(&facts.function));
            for place in places.collect::<BTreeSet<_>>() {
                self.tx.execute(
                    "UPDATE inventory SET gone_ms = ?1 WHERE seen_ms < ?1 AND gone_ms IS NULL
                        AND substr(function, 1, length(?2)) = ?2",
                    params![now, place],
                )?;
            }
        }
        Ok(resized)
    }

    /// Returns the functions that log to a custom group, and one or two others that show the account and region.
    pub fn owners(&self) -> Result<Owners, StoreError> {
        let mut statement = self.tx.prepare(
            "SELECT function, log_group FROM inventory
             WHERE gone_ms IS NULL AND (
                log_group NOT LIKE '/aws/lambda/%'
                OR substr(function, 11 - length(log_group)) <> ':' || substr(log_group, 13)
                OR function IN ((SELECT min(function) FROM inventory),
                                (SELECT max(function) FROM inventory)))",
        )?;
        let mut rows = statement.query([])?;
        let mut functions = Vec::new();
        while let Some(row) = rows.next()? {
            let function: String = row.get(0)?;
            let function = FunctionArn::parse(&function);
            let function = function.map_err(|e| StoreError::Damaged(e.to_string()))?;
            functions.push((function, row.get(1)?));
        }
        Ok(Owners::of(functions))
    }

    fn put_facts(
        &self,
        facts: &FunctionFacts,
        now: i64,
        with_alarms: bool,
    ) -> Result<(), StoreError> {
        let json = |value: serde_json::Result<String>| {
            value.map_err(|e| StoreError::Damaged(e.to_string()))
        };
        let layers = json(serde_json::to_string(&facts.layers))?;
        let tags = facts.tags.as_ref().map(serde_json::to_string);
        let tags = tags.map(json).transpose()?;
        self.tx
            .prepare_cached(
                "INSERT INTO inventory (function, memory_mb, timeout_s, arch, runtime, code_sha256,
                    package, layers, log_group, failures_only, tags, edge_replica, managed_instances,
                    snap_start, seen_ms, modified_ms, alarm)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                 ON CONFLICT (function) DO UPDATE SET memory_mb = excluded.memory_mb,
                    timeout_s = excluded.timeout_s, arch = excluded.arch,
                    runtime = excluded.runtime,
                    code_sha256 = coalesce(excluded.code_sha256, code_sha256),
                    package = excluded.package, layers = excluded.layers,
                    log_group = excluded.log_group,
                    failures_only = excluded.failures_only, tags = coalesce(excluded.tags, tags),
                    edge_replica = excluded.edge_replica,
                    managed_instances = excluded.managed_instances,
                    snap_start = excluded.snap_start, seen_ms = excluded.seen_ms, gone_ms = NULL,
                    modified_ms = excluded.modified_ms,
                    code_ms = CASE WHEN code_sha256 <> excluded.code_sha256 THEN excluded.modified_ms
                        ELSE code_ms END,
                    alarm = CASE WHEN ? THEN excluded.alarm ELSE alarm END",
            )?
            .execute(params![
                facts.function.as_str(),
                facts.memory_mb.0,
                facts.timeout_s,
                facts.arch.name(),
                facts.runtime,
                facts.code_sha256,
                match facts.package {
                    Package::Zip => "zip",
                    Package::Image => "image",
                },
                layers,
                facts.log_group,
                facts.logged == LoggedReports::Failures,
                tags,
                facts.edge_replica,
                facts.managed_instances,
                facts.snap_start,
                now,
                facts.modified.map(Timestamp::as_ms),
                facts.alarm,
                with_alarms,
            ])?;
        Ok(())
    }

    /// Returns when the function was last seen with other code. An unknown code hash does not count as a change.
    fn seen_with_other_code(&self, facts: &FunctionFacts) -> Result<Option<Timestamp>, StoreError> {
        let mut statement = self.tx.prepare_cached(
            "SELECT seen_ms FROM inventory WHERE function = ? AND code_sha256 <> ?",
        )?;
        let key = params![facts.function.as_str(), facts.code_sha256];
        let seen: Option<i64> = statement.query_row(key, |row| row.get(0)).optional()?;
        seen.map(timestamp).transpose()
    }

    fn seen_with_other_size(
        &self,
        facts: &FunctionFacts,
    ) -> Result<Option<FunctionId>, StoreError> {
        let mut statement = self.tx.prepare_cached(
            "SELECT f.id FROM inventory i JOIN functions f ON f.function = i.function
             WHERE i.function = ? AND i.memory_mb <> ?",
        )?;
        let key = params![facts.function.as_str(), facts.memory_mb.0];
        Ok(statement.query_row(key, |row| row.get(0)).optional()?)
    }

    fn clear_through(&self, facts: &FunctionFacts, day: Day) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(
                "UPDATE functions SET cleared_day = max(coalesce(cleared_day, ?1), ?1),
                    baseline_p95_ms = NULL
                 WHERE function = ?2",
            )?
            .execute(params![day.number(), facts.function.as_str()])?;
        Ok(())
    }
}

/// The columns `timeout_s` and `tags`; empty if the function is not in the inventory.
pub(super) fn configured(
    timeout_s: Option<u32>,
    tags: Option<&str>,
    pipeline_tags: &[String],
) -> Result<Configured, StoreError> {
    let tags: Option<std::collections::BTreeMap<String, String>> = tags
        .map(serde_json::from_str)
        .transpose()
        .map_err(|e| StoreError::Damaged(format!("a function's tags: {e}")))?;
    let timeout = timeout_s.map(|s| Millis::from_ms(u64::from(s) * 1000));
    let tags = tags.iter().flatten();
    let tags = tags.map(|(name, value)| (name.as_str(), value.as_str()));
    Ok(Configured::read(timeout, tags, pipeline_tags))
}

/// Returns the prefix of the ARNs of an account and region.
fn place(function: &FunctionArn) -> &str {
    let arn = function.as_str();
    arn.get(..arn.len() - function.name().len()).unwrap_or(arn)
}

#[cfg(test)]
mod tests {
    use rightsizer_records::{Arch, Megabytes};

    use super::*;
    use crate::open::Store;

    /// A function as it was changed on this day of May 2026.
    fn facts(code: Option<&str>, day: u32) -> FunctionFacts {
        let function = FunctionArn::new("aws", "eu-west-1", "123456789012", "checkout").unwrap();
        FunctionFacts {
            function,
            memory_mb: Megabytes(512),
            timeout_s: 30,
            arch: Arch::X86_64,
            runtime: None,
            code_sha256: code.map(str::to_owned),
            package: Package::Zip,
            layers: Vec::new(),
            log_group: "/aws/lambda/checkout".to_owned(),
            logged: LoggedReports::All,
            tags: None,
            edge_replica: false,
            managed_instances: false,
            snap_start: false,
            modified: Some(on(day)),
            alarm: None,
        }
    }

    fn on(day: u32) -> Timestamp {
        Timestamp::parse(&format!("2026-05-{day:02}T10:00:00Z")).unwrap()
    }

    /// The code is known from the first refresh, which saw no change. A change of the configuration is none of the code,
    /// and neither is a hash that could not be read.
    #[test]
    fn the_time_of_a_change_of_code_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(&dir.path().join("store.db"), "test").unwrap();
        for (code, day, wanted) in [
            (Some("one"), 1, None),
            (Some("one"), 2, None),
            (Some("two"), 3, Some(3)),
            (Some("two"), 4, Some(3)),
            (None, 5, Some(3)),
            (Some("three"), 6, Some(6)),
        ] {
            let unit = store.begin().unwrap();
            let update = InventoryUpdate {
                seen_at: on(day),
                functions: vec![facts(code, day)],
                complete: true,
                with_alarms: true,
            };
            unit.inventory().take(&update).unwrap();
            let query = "SELECT code_ms FROM inventory";
            let found: Option<i64> = unit.tx.query_row(query, [], |row| row.get(0)).unwrap();
            assert_eq!(found, wanted.map(|day| on(day).as_ms()), "{code:?}, {day}");
            unit.commit().unwrap();
        }
    }
}
