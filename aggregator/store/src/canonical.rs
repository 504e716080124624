//! The evidence in canonical form, which is equal for equal evidence in any order, split or repetition (W7). It is
//! for tests of that law, and to compare a restored store with the original.

use rusqlite::types::ValueRef;

use super::error::StoreError;
use super::open::Reader;

/// The tables that W7 names, keyed by the function's name: row ids depend on the order of arrival.
const TABLES: [&str; 3] = [
    "SELECT 'day', f.function, coalesce((SELECT g.log_group FROM log_groups g
        WHERE d.source = 16 + g.id), d.source) AS source_named, d.*
     FROM days d JOIN functions f ON f.id = d.function_id
     ORDER BY d.day, f.function, source_named, d.memory_mb, d.version",
    "SELECT 'peak', f.function, p.* FROM peaks p JOIN functions f ON f.id = p.function_id
     ORDER BY f.function, p.day",
    "SELECT 'environment', f.function, e.* FROM environments e
     JOIN functions f ON f.id = e.function_id
     ORDER BY f.function, e.env, e.memory_mb, e.version",
];

/// Columns with numbers that depend on the order of arrival.
const NUMBERS: [&str; 2] = ["function_id", "source"];

impl Reader {
    /// Returns one line for each row of `days`, `peaks` and `environments`, including marks and histograms.
    pub fn evidence(&self) -> Result<Vec<String>, StoreError> {
        let mut lines = Vec::new();
        for query in TABLES {
            let mut statement = self.connection.prepare(query)?;
            let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let mut line = String::new();
                for (n, name) in names
                    .iter()
                    .enumerate()
                    .filter(|(_, name)| !NUMBERS.contains(&name.as_str()))
                {
                    line.push_str(&format!("{name}={} ", shown(row.get_ref(n)?)));
                }
                lines.push(line);
            }
        }
        Ok(lines)
    }
}

fn shown(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "null".to_owned(),
        ValueRef::Integer(n) => n.to_string(),
        ValueRef::Real(x) => x.to_string(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        ValueRef::Blob(bytes) => bytes
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect::<Vec<_>>()
            .concat(),
    }
}
