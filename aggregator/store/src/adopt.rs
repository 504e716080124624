//! Gives functions that are known by name only the account and region that a person names for them.

use rightsizer_records::FunctionArn;
use rightsizer_rules::evidence::FunctionKey;
use rightsizer_rules::inventory::Home;
use rusqlite::{OptionalExtension as _, params};

use super::error::StoreError;
use super::retention::Retention;
use super::unit::FunctionId;

/// What became of the functions that are known by name only.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Adopted {
    /// Those that have an ARN now.
    pub done: Vec<(FunctionId, FunctionArn)>,
    /// Those whose ARN another function of the store has: their evidence is not joined.
    pub taken: Vec<FunctionArn>,
}

impl Retention<'_> {
    /// Adopts the `local:` functions of these names, or all if none is given. One that was named by a file gets the
    /// file's name without its ending. A name with another account or
    /// region is left as it is. Open recommendations of an adopted function are deleted, because their records name no
    /// function that could be changed; the caller decides it again.
    pub fn adopt(&mut self, names: &[String], home: &Home) -> Result<Adopted, StoreError> {
        self.rows.flush(self.tx)?;
        let mut adopted = Adopted::default();
        for (id, text) in self.local_functions()? {
            let Ok(key) = FunctionKey::stored(&text) else {
                continue;
            };
            let name = key.function_name();
            let called = [name, key.name(), &text];
            let meant =
                names.is_empty() || names.iter().any(|name| called.contains(&name.as_str()));
            let here = key
                .place()
                .is_none_or(|place| place == home.account || place == home.region);
            let Some(arn) = home.arn(name).filter(|_| meant && here) else {
                continue;
            };
            if self.is_known(&arn)? {
                adopted.taken.push(arn);
                continue;
            }
            for sql in [
                "UPDATE OR REPLACE measured_sizes SET function = ?1 WHERE function = ?2",
                "UPDATE OR REPLACE forced_starts SET function = ?1 WHERE function = ?2",
                "UPDATE OR REPLACE compute_optimizer SET function = ?1 WHERE function = ?2",
                "UPDATE functions SET function = ?1 WHERE function = ?2",
            ] {
                self.tx.execute(sql, params![arn.as_str(), text])?;
            }
            self.tx.execute(
                "DELETE FROM recommendations WHERE function_id = ? AND record IS NULL",
                [id],
            )?;
            self.rows.functions.forget_rows(|row| row.id == id);
            adopted.done.push((id, arn));
        }
        Ok(adopted)
    }

    fn local_functions(&self) -> Result<Vec<(FunctionId, String)>, StoreError> {
        let mut statement = self.tx.prepare(
            "SELECT id, function FROM functions WHERE function LIKE 'local:%' ORDER BY function",
        )?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn is_known(&self, arn: &FunctionArn) -> Result<bool, StoreError> {
        let known = self.tx.query_row(
            "SELECT 1 FROM functions WHERE function = ?",
            [arn.as_str()],
            |_| Ok(()),
        );
        Ok(known.optional()?.is_some())
    }
}
