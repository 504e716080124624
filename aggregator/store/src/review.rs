//! The data of `rightsizer list` and `show`: one line for each function, and all data of one function.

use std::collections::BTreeMap;

use rightsizer_records::{Day, Megabytes, Reason};
use rightsizer_rules::power::{Offers, SizeUse};
use rusqlite::{Row, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::columns::{Columns, count, megabytes};
use super::comparisons::{AdviceLine, MeasuredLine};
use super::error::StoreError;
use super::forced_starts::ForcedLine;
use super::open::Reader;
use super::priced::{PARTS, by_urgency_and_money, price};

/// A line of `rightsizer list`; the names are a contract (DESIGN §7's `--json`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReviewRow {
    /// ARN, or `local:NAME`.
    pub function: String,
    /// Its size now.
    pub current_mb: u32,
    /// Highest peak of the window and the open day.
    pub peak_mb: Option<u32>,
    /// After P1–P4.
    pub policy_mb: Option<u32>,
    /// The size that the policy aims for.
    pub target_mb: Option<u32>,
    /// This step; `null` if nothing should change.
    pub to_mb: Option<u32>,
    /// `ok`, `idle` (no reports in the window), `no-reports` (never any), `no-memory-figure`, or
    /// the status of its recommendation.
    pub status: String,
    /// Confidence of the evidence.
    pub confidence: Option<String>,
    /// The rules that shaped the number.
    pub reasons: Vec<Reason>,
    /// Invocations in the window.
    pub invocations: u64,
    /// Projected monthly cost at the size before the decision, by the prices of the reader.
    pub monthly_usd_before: Option<f64>,
    /// Projected monthly cost at `to_mb`, by the prices of the reader.
    pub monthly_usd_after: Option<f64>,
    /// Whether it ran out of memory and has no larger size yet.
    pub urgent: bool,
    /// Id of its recommendation.
    pub recommendation: Option<String>,
    /// The code of the reason for which its recommendation ended, if it did.
    #[serde(default)]
    pub closed_code: Option<String>,
    /// The same reason as text.
    pub closed_reason: Option<String>,
    /// Number of reports that arrived.
    pub seen: u64,
    /// Number of repeated reports.
    pub duplicates: u64,
    /// Number of reports that arrived after their window.
    pub late: u64,
    /// Number of reports that its environments saw and that never arrived.
    pub lost: u64,
    /// The version with this traffic.
    pub version: String,
    /// Architecture, if known.
    pub arch: Option<String>,
    /// Runtime, if known.
    pub runtime: Option<String>,
    /// 99th percentile of durations in ms at the current size.
    pub p99_ms: Option<f64>,
    /// Day of the decision.
    pub decided_on: Option<String>,
    /// Time of its last report, UTC.
    pub last_report: Option<String>,
    /// The size that AWS Compute Optimizer recommends, if it was imported, for comparison.
    #[serde(default)]
    pub compute_optimizer_mb: Option<u32>,
    /// Its tags, as the inventory has them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// The end of the hold of its decreases, if they are held.
    #[serde(default)]
    pub held_until: Option<String>,
    /// The author and the reason of the hold.
    #[serde(default)]
    pub held_by: Option<String>,
    /// Larger sizes at which it would be faster for the same or little more money.
    #[serde(default)]
    pub offers: Offers,
}

/// One remembered day of a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayLine {
    /// The day.
    pub day: Day,
    /// Its peak, of the source that counts.
    pub peak_mb: Megabytes,
    /// The size that hid the demand on that day, if one did.
    pub censored_mb: Option<Megabytes>,
}

/// Everything `rightsizer show` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionDetail {
    /// The line of `rightsizer list`.
    #[serde(flatten)]
    pub review: ReviewRow,
    /// The last days with reports, oldest first.
    pub days: Vec<DayLine>,
    /// Its recommendations, newest first, each with its `life`.
    pub history: Vec<Value>,
    /// Its size before the first remembered change, to which the budget of `speed` refers (P9).
    #[serde(default)]
    pub before_mb: Option<Megabytes>,
    /// The extension's own largest resident memory in MB, if reported: its share of the peaks.
    pub self_mb: Option<f64>,
    /// The configured timeout in ms, if the inventory has it.
    pub timeout_ms: Option<u64>,
    /// Invocations of the last 14 days with reports that ran into the timeout.
    pub timeouts: u64,
    /// Sizes at which other tools ran it.
    #[serde(default)]
    pub measured_sizes: Vec<MeasuredLine>,
    /// Cold starts of copies of it that were forced.
    #[serde(default)]
    pub forced_starts: Vec<ForcedLine>,
    /// AWS Compute Optimizer's result for it.
    #[serde(default)]
    pub compute_optimizer: Option<AdviceLine>,
    /// What each version did at each size.
    #[serde(default)]
    pub sizes: Vec<SizeUse>,
    /// Its configuration, if the inventory has it.
    #[serde(default)]
    pub configuration: Option<ConfigurationLine>,
}

/// A function's configuration, as the inventory has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigurationLine {
    /// `zip` or `image`.
    pub package: String,
    /// Whether its environments are restored from a snapshot.
    pub snap_start: bool,
    /// Whether it runs on managed instances, which serve many requests at once.
    pub managed_instances: bool,
    /// Whether it runs at the edge.
    pub edge_replica: bool,
}

/// The functions that `?1` names: an ARN, a `local:` key, or a bare name. A `local:` key may have an account or a
/// region before the name.
pub(super) const NAMED: &str = "function = ?1 OR function = 'local:' || ?1
     OR (function LIKE 'arn:%' AND substr(function, -length(?1) - 1) = ':' || ?1)
     OR (function LIKE 'local:%' AND substr(function, -length(?1) - 1) = '/' || ?1
         AND instr(function, '/') = length(function) - length(?1))";

/// Timeouts of a function in the last days of which it has peaks.
pub(super) const TIMEOUTS: &str =
    "SELECT coalesce(sum(timeouts), 0) FROM days WHERE function_id = ?1 AND day IN
        (SELECT day FROM peaks WHERE function_id = ?1 ORDER BY day DESC LIMIT 14)";

impl Reader {
    /// Returns every function, urgent and expensive ones first.
    pub fn review(&self) -> Result<Vec<ReviewRow>, StoreError> {
        self.review_where("1", params![])
    }

    /// Returns the functions whose ARN, `local:` key or bare name is `name`.
    pub fn find(&self, name: &str) -> Result<Vec<ReviewRow>, StoreError> {
        self.review_where(NAMED, params![name])
    }

    /// Returns the `most` functions whose keys come after `after`, by key. It reads the names of a part, then only
    /// their lines, so that a page of a large fleet costs no more than one of a small fleet.
    pub fn review_after(&self, after: &str, most: u32) -> Result<Vec<ReviewRow>, StoreError> {
        let last: Option<String> = self.connection.query_row(
            "SELECT max(name) FROM (SELECT name FROM
                (SELECT * FROM (SELECT function AS name FROM functions WHERE function > ?1 ORDER BY function LIMIT ?2)
                 UNION
                 SELECT * FROM (SELECT function FROM inventory WHERE function > ?1 ORDER BY function LIMIT ?2))
             ORDER BY name LIMIT ?2)",
            params![after, most],
            |row| row.get(0),
        )?;
        let Some(last) = last else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        let order = "ORDER BY r.function";
        let part = "r.function > ?1 AND r.function <= ?2";
        self.walk_review(part, params![after, last], order, |row| {
            found.push(row);
            Ok(())
        })?;
        Ok(found)
    }

    /// Returns the function of exactly this ARN or `local:` key.
    pub fn exactly(&self, function: &str) -> Result<Option<ReviewRow>, StoreError> {
        Ok(self
            .review_where("r.function = ?1", params![function])?
            .pop())
    }

    /// Returns the days and recommendations of a line's function.
    pub fn detail(&self, review: ReviewRow) -> Result<FunctionDetail, StoreError> {
        // A function without reports has no row and no details.
        let query =
            "SELECT coalesce(f.id, 0), nullif(f.self_kib, 0), i.timeout_s, i.package, i.snap_start,
                    i.managed_instances, i.edge_replica
             FROM (SELECT ? AS function) n
             LEFT JOIN functions f ON f.function = n.function
             LEFT JOIN inventory i ON i.function = n.function";
        let columns =
            |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, configuration(row)?));
        let (id, self_kib, timeout_s, configuration): (i64, Option<f64>, Option<u32>, _) = self
            .connection
            .query_row(query, [&review.function], columns)?;
        Ok(FunctionDetail {
            days: self.days(id)?,
            history: self.history(id)?,
            before_mb: self.before_the_first_change(id)?,
            measured_sizes: self.measured_sizes(&review.function)?,
            forced_starts: self.forced_starts(&review.function)?,
            compute_optimizer: self.advice(&review.function, &review.version)?,
            sizes: self.sizes(&review.function)?,
            configuration,
            review,
            self_mb: self_kib.map(|kib| kib / 1024.0),
            timeout_ms: timeout_s.map(|s| u64::from(s) * 1000),
            timeouts: self.timeouts(id)?,
        })
    }

    fn timeouts(&self, id: i64) -> Result<u64, StoreError> {
        let found: i64 = self
            .connection
            .query_row(TIMEOUTS, [id], |row| row.get(0))?;
        Ok(count(found))
    }

    fn days(&self, id: i64) -> Result<Vec<DayLine>, StoreError> {
        let mut statement = self.connection.prepare(
            "SELECT day, peak_mb, censored_mb FROM
                (SELECT * FROM peaks WHERE function_id = ? ORDER BY day DESC LIMIT 15)
             ORDER BY day",
        )?;
        let rows = statement.query_map([id], day_line)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn review_where(
        &self,
        condition: &str,
        values: &[&dyn rusqlite::ToSql],
    ) -> Result<Vec<ReviewRow>, StoreError> {
        let mut found = Vec::new();
        self.walk_review(condition, values, "", |row| {
            found.push(row);
            Ok(())
        })?;
        // Not in SQL, which has the dollars of the decisions only.
        found.sort_by(by_urgency_and_money);
        Ok(found)
    }

    /// Calls `each` with the lines that fulfil `condition`, in `order`.
    pub(super) fn walk_review(
        &self,
        condition: &str,
        values: &[&dyn rusqlite::ToSql],
        order: &str,
        mut each: impl FnMut(ReviewRow) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare(&lines_where(condition, order))?;
        let mut rows = statement.query(values)?;
        while let Some(row) = rows.next()? {
            let mut columns = Columns::of(row);
            let mut line = read(&mut columns)?;
            if let Some(prices) = &self.prices {
                price(&mut line, &mut columns, prices)?;
            }
            each(line)?;
        }
        Ok(())
    }
}

/// The lines that fulfil `condition`, in `order`. A cross join is done in the order that is written: there are few holds,
/// and the line of one function must not read all functions.
pub(super) fn lines_where(condition: &str, order: &str) -> String {
    format!(
        "SELECT {COLUMNS}, {PARTS} FROM review_wide r
         LEFT JOIN (SELECT function AS listed, tags FROM inventory) i ON i.listed = r.function
         LEFT JOIN (SELECT f.function AS held,
                strftime('%Y-%m-%dT%H:%M:%SZ', max(h.until_ms) / 1000, 'unixepoch') AS held_until,
                h.by || CASE WHEN h.why <> '' THEN ': ' || h.why ELSE '' END AS held_by
             FROM holds h CROSS JOIN functions f ON f.id = h.function_id GROUP BY f.id) h
            ON h.held = r.function
         WHERE {condition} {order}"
    )
}

/// Reads the configuration from the fourth column on; `None` if the inventory does not have the function.
/// A day from its number, its peak, and the size that ran out, which is 0 if none did.
pub(super) fn day_line(row: &Row<'_>) -> rusqlite::Result<DayLine> {
    let censored: i64 = row.get(2)?;
    Ok(DayLine {
        day: Day::from_number(row.get(0)?),
        peak_mb: megabytes(row.get(1)?),
        censored_mb: (censored > 0).then(|| megabytes(censored)),
    })
}

fn configuration(row: &Row<'_>) -> rusqlite::Result<Option<ConfigurationLine>> {
    let Some(package) = row.get(3)? else {
        return Ok(None);
    };
    Ok(Some(ConfigurationLine {
        package,
        snap_start: row.get(4)?,
        managed_instances: row.get(5)?,
        edge_replica: row.get(6)?,
    }))
}

/// The columns of a line, in the order in which [`read`] takes them: to look each up by name takes longer than to read it.
const COLUMNS: &str = "r.function, r.current_mb, r.peak_mb, r.policy_mb, r.target_mb, r.to_mb, r.status, r.confidence,
    r.reasons, r.invocations, r.monthly_usd_before, r.monthly_usd_after, r.urgent, r.recommendation, r.closed_code,
    r.closed_reason, r.seen, r.duplicates, r.late, r.lost, r.version, r.arch, r.runtime, r.p99_ms, r.decided_on,
    r.last_report, r.compute_optimizer_mb, i.tags, h.held_until, h.held_by, r.offers";

fn read(columns: &mut Columns<'_>) -> Result<ReviewRow, StoreError> {
    Ok(ReviewRow {
        function: columns.take()?,
        current_mb: columns.mb()?.unwrap_or_default(),
        peak_mb: columns.mb()?,
        policy_mb: columns.mb()?,
        target_mb: columns.mb()?,
        to_mb: columns.mb()?,
        status: columns.take()?,
        confidence: columns.take()?,
        reasons: columns.json("reasons")?,
        invocations: columns.number()?,
        monthly_usd_before: columns.take()?,
        monthly_usd_after: columns.take()?,
        urgent: columns.take()?,
        recommendation: columns.take()?,
        closed_code: columns.take()?,
        closed_reason: columns.take()?,
        seen: columns.number()?,
        duplicates: columns.number()?,
        late: columns.number()?,
        lost: columns.number()?,
        version: columns.take()?,
        arch: columns.take()?,
        runtime: columns.take()?,
        p99_ms: columns.take()?,
        decided_on: columns.take()?,
        last_report: columns.take()?,
        compute_optimizer_mb: columns.mb()?,
        tags: columns.json("tags")?,
        held_until: columns.take()?,
        held_by: columns.take()?,
        offers: columns.json("offers")?,
    })
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    /// The columns are read by their place: each is in the place of its field.
    #[test]
    fn columns_stand_in_the_order_of_the_fields() {
        let mut row = crate::sample::row("f", (1024, 30, 130), (80.0, 20.0));
        row.tags.insert("team".to_owned(), "a".to_owned());
        let text = serde_json::to_string(&row).unwrap();
        let mut fields = text.as_str();
        for column in super::COLUMNS.split(',') {
            let name = column.trim().split_once('.').unwrap().1;
            let key = format!("\"{name}\":");
            let at = fields
                .find(&key)
                .unwrap_or_else(|| panic!("{key} is not in {fields}"));
            let between = &fields[..at];
            assert!(
                !between.trim_start_matches(',').contains(",\""),
                "{between}"
            );
            fields = &fields[at + key.len()..];
        }
    }

    /// A terminal of 200 columns has room for an ARN of 80 and ten figures; reasons are JSON.
    #[test]
    fn the_view_for_people_is_short() {
        let store = Connection::open_in_memory().unwrap();
        store.execute_batch(crate::open::SCHEMA).unwrap();
        let columns = |view: &str| {
            let statement = store.prepare(&format!("SELECT * FROM {view}")).unwrap();
            statement
                .column_names()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let (short, wide) = (columns("review"), columns("review_wide"));
        assert!(short.len() <= 11 && wide.len() > 20, "{short:?}");
        assert!(!short.contains(&"reasons".to_owned()));
        assert!(short.iter().all(|name| wide.contains(name)), "{short:?}");
        let widths: usize = short.iter().skip(1).map(|name| name.len() + 2).sum();
        assert!(80 + widths <= 200, "{widths}");
    }
}
