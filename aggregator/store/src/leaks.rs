//! Detects functions whose environments leak memory, by the rise of their memory use (P3).

use std::collections::HashMap;
use std::ops::RangeInclusive;

use rightsizer_records::Day;
use rightsizer_rules::policy::{self, Leak};
use rightsizer_rules::window::{HighWater, UsedCounts};
use rusqlite::params;

use super::columns::megabytes;
use super::error::StoreError;
use super::evidence::Evidence;
use super::unit::FunctionId;

impl Evidence<'_> {
    /// Returns the functions of `ids` that leak (P3), by their environments that reported on or after `day`.
    pub(super) fn leaks(
        &self,
        ids: &RangeInclusive<FunctionId>,
        day: Day,
    ) -> Result<HashMap<FunctionId, Leak>, StoreError> {
        // Only environments that served more than 32 invocations can be judged; those from logs
        // only if they used at least four different amounts.
        let mut statement = self.tx.prepare_cached(
            "SELECT function_id, memory_mb, high_water, used FROM environments
             WHERE function_id BETWEEN ? AND ? AND last_ms >= ?
                AND ((seen > 32 AND high_water LIKE '%,%,%,%,%,%,%') OR used LIKE '%:%:%:%:%')",
        )?;
        let since = day.start().as_ms();
        let mut rows = statement.query(params![ids.start(), ids.end(), since])?;
        let mut climbs: HashMap<FunctionId, Vec<policy::Climb>> = HashMap::new();
        while let Some(row) = rows.next()? {
            let text = |n| row.get_ref(n)?.as_str().map_err(rusqlite::Error::from);
            let damaged = || StoreError::Damaged("an environment's memory used".into());
            let used = UsedCounts::from_text(text(3)?).ok_or_else(damaged)?.marks();
            // An environment is known either from its layer or from its logs.
            let marks = match HighWater::from_text(text(2)?).ok_or_else(damaged)?.marks() {
                high if high.is_empty() => used,
                high => high,
            };
            let climb = policy::climb(&marks, megabytes(row.get(1)?));
            climbs.entry(row.get(0)?).or_default().push(climb);
        }
        let leaks = climbs.into_iter();
        Ok(leaks
            .filter_map(|(id, climbs)| Some((id, policy::leak(climbs)?)))
            .collect())
    }
}
