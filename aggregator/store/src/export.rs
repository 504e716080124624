//! The input of an export: each function's recommendations that are waiting, in flight or applied, and its
//! present facts.

use rightsizer_records::Megabytes;
use rightsizer_records::tags::{LOGICAL_ID_TAG, STACK_TAG};
use rightsizer_rules::candidates::{Candidate, Present};
use rusqlite::Row;

use super::columns::{megabytes, timestamp};
use super::error::StoreError;
use super::open::Reader;
use super::transitions::status;

impl Reader {
    /// Returns the recommendations by function, the newest of each first.
    pub(crate) fn exportable(&self) -> Result<Vec<Candidate>, StoreError> {
        let mut statement = self.connection.prepare(
            "SELECT f.function, r.id, r.status, r.from_mb, r.to_mb,
                    json_extract(r.record, '$.target_mb') AS target_mb, r.urgent, r.expires_ms,
                    f.current_mb, h.until_ms, i.tags, i.gone_ms IS NOT NULL AS gone
             FROM recommendations r
             JOIN functions_now f ON f.id = r.function_id
             LEFT JOIN inventory i ON i.function = f.function
             LEFT JOIN holds h ON h.function_id = r.function_id
             WHERE r.status IN ('open', 'approved', 'sent', 'applied', 'verified')
             ORDER BY f.function, r.issued_ms DESC, r.day DESC, r.id",
        )?;
        let rows = statement.query_map([], |row| Ok(read(row)))?;
        rows.map(|row| row?).collect()
    }

    /// Returns the present facts of every function.
    pub(crate) fn present(&self) -> Result<Vec<Present>, StoreError> {
        let mut statement = self.connection.prepare(
            "SELECT f.function, f.current_mb, json_extract(i.tags, ?), json_extract(i.tags, ?)
             FROM functions_now f LEFT JOIN inventory i ON i.function = f.function",
        )?;
        let path = |tag: &str| format!("$.\"{tag}\"");
        let tags = [path(STACK_TAG), path(LOGICAL_ID_TAG)];
        let rows = statement.query_map(tags, |row| {
            Ok(Present {
                function: row.get(0)?,
                current_mb: megabytes(row.get(1)?),
                stack: row.get(2)?,
                logical_id: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn read(row: &Row<'_>) -> Result<Candidate, StoreError> {
    let mb = |name: &str| Ok::<_, rusqlite::Error>(megabytes(row.get(name)?));
    let tags: Option<String> = row.get("tags")?;
    let tags = tags.map(|text| serde_json::from_str(&text)).transpose();
    let held: Option<i64> = row.get("until_ms")?;
    let target: Option<i64> = row.get("target_mb")?;
    Ok(Candidate {
        function: row.get("function")?,
        id: row.get("id")?,
        status: status(row.get_ref("status")?)?,
        from_mb: mb("from_mb")?,
        to_mb: mb("to_mb")?,
        target_mb: target.map(megabytes).filter(|mb| *mb > Megabytes(0)),
        urgent: row.get("urgent")?,
        expires_at: timestamp(row.get("expires_ms")?)?,
        current_mb: mb("current_mb")?,
        held_until: held.map(timestamp).transpose()?,
        tags: tags.map_err(|e| StoreError::Damaged(format!("a function's tags: {e}")))?,
        gone: row.get("gone")?,
    })
}
