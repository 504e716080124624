//! The fleet: what it costs, what it could cost, what is in danger and what changed.

mod query;
mod texts;

use std::collections::BTreeSet;
use std::sync::Arc;

use rightsizer_records::Timestamp;
use rightsizer_rules::policy::why;
use rightsizer_store::inspect::Stops;
use rightsizer_store::{AppliedChange, ChangeCounts, MonthSaved, Reader, ReviewRow, StoreError};

pub(crate) use self::query::ROWS;
pub use self::query::{Query, Sort};
use self::texts::Texts;
use crate::grade::{Totals, at_risk};
use crate::rules::heading;
use crate::text::{SavingRange, saving_range, short, slowdown};

/// The time for which a change is recent.
const WEEK_MS: i64 = 7 * 86_400_000;
/// The time for which verified savings are shown.
const YEAR_MS: i64 = 365 * 86_400_000;
/// Changes that are listed; all of the week are counted.
const LISTED_CHANGES: u32 = 8;

/// What is kept of a function for the whole fleet's page: a row of the store is ten times larger.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// ARN, or `local:NAME`.
    pub function: Arc<str>,
    /// Its size in MB.
    pub current_mb: u32,
    /// The highest peak in MB.
    pub peak_mb: Option<u32>,
    /// The recommended size in MB.
    pub to_mb: Option<u32>,
    /// Whether anything was decided.
    pub decided: bool,
    /// Its status.
    pub status: Arc<str>,
    /// Whether it ran out of memory and has no larger size yet.
    pub urgent: bool,
    /// Whether it ran out of memory, is near it, or fails.
    pub risk: bool,
    /// The projected cost a month in dollars.
    pub usd: Option<f64>,
    /// The saving a month.
    pub saving: Option<SavingRange>,
    /// The 95th percentile of durations ÷ now, at worst.
    pub slower: Option<f64>,
    /// The confidence of the evidence.
    pub confidence: Option<Arc<str>>,
    /// The reasons in a few words.
    pub why: Arc<str>,
    /// The heading of the rule of the first reason.
    pub(crate) rule: Option<&'static str>,
    /// The id of its recommendation.
    pub recommendation: Option<Arc<str>>,
    /// Its tags, as `name=value`.
    pub tags: Box<[Arc<str>]>,
    /// The size that AWS Compute Optimizer recommends, if it was imported.
    pub optimizer_mb: Option<u32>,
}

impl Entry {
    /// Its name without the rest of the ARN.
    pub(crate) fn name(&self) -> &str {
        short(&self.function)
    }

    /// Its account, if the ARN is known.
    pub(crate) fn account(&self) -> Option<&str> {
        self.function.strip_prefix("arn:")?.split(':').nth(3)
    }

    /// Its region, if the ARN is known.
    pub(crate) fn region(&self) -> Option<&str> {
        self.function.strip_prefix("arn:")?.split(':').nth(2)
    }

    /// The share of its size that it used at most.
    pub(crate) fn fullness(&self) -> Option<f64> {
        let size = (self.current_mb > 0).then_some(self.current_mb)?;
        Some(f64::from(self.peak_mb?) / f64::from(size))
    }
}

impl Entry {
    fn of(row: &ReviewRow, texts: &mut Texts) -> Self {
        let tags = row.tags.iter();
        let tags = tags.map(|(name, value)| texts.shared(&format!("{name}={value}")));
        Self {
            tags: tags.collect(),
            current_mb: row.current_mb,
            peak_mb: row.peak_mb,
            to_mb: row.to_mb,
            decided: row.policy_mb.is_some(),
            urgent: row.urgent,
            risk: at_risk(row),
            usd: row.monthly_usd_before,
            saving: saving_range(row),
            slower: slowdown(row).map(|slower| slower.p95_worst),
            rule: row.reasons.first().map(heading),
            optimizer_mb: row.compute_optimizer_mb,
            why: texts.shared(&why(&row.reasons)),
            function: texts.shared(&row.function),
            status: texts.shared(&row.status),
            confidence: row.confidence.as_deref().map(|text| texts.shared(text)),
            recommendation: row.recommendation.as_deref().map(|id| texts.shared(id)),
        }
    }
}

impl From<&ReviewRow> for Entry {
    fn from(row: &ReviewRow) -> Self {
        Self::of(row, &mut Texts::default())
    }
}

/// A fleet as it was read once.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fleet {
    /// Every function; those at risk first, then by money.
    pub entries: Vec<Entry>,
    /// Their figures together.
    pub totals: Totals,
    /// The newest changes of the last seven days, newest first.
    pub changes: Vec<AppliedChange>,
    /// All changes of the last seven days.
    pub week: ChangeCounts,
    /// What verified changes saved, by month, oldest first.
    pub months: Vec<MonthSaved>,
    /// Why nothing is sent, if that is so.
    pub stops: Stops,
    /// The number of open recommendations.
    pub waiting: usize,
    /// The accounts of its functions.
    pub accounts: BTreeSet<String>,
}

impl Fleet {
    /// Reads the whole fleet. It takes a second for a hundred thousand functions, so its result is kept. It shares what did
    /// not change with `before`, the fleet that was read before it.
    pub fn read(
        reader: &Reader,
        stops: Stops,
        now: Timestamp,
        before: Option<&Self>,
    ) -> Result<Self, StoreError> {
        let before = before.map_or(&[][..], |before| &before.entries);
        let mut texts = Texts::of(before);
        let mut fleet = Self {
            stops,
            entries: Vec::with_capacity(before.len()),
            ..Self::default()
        };
        reader.each_review_row(|row| fleet.add(&row, &mut texts))?;
        let week = now.plus_ms(-WEEK_MS);
        fleet.changes = reader.applied_changes(week, LISTED_CHANGES)?;
        fleet.week = reader.change_counts(week)?;
        fleet.months = reader.verified_savings(now.plus_ms(-YEAR_MS))?;
        fleet.sort();
        Ok(fleet)
    }

    /// A fleet of these rows, in their order.
    pub fn of(rows: impl IntoIterator<Item = ReviewRow>) -> Self {
        let (mut fleet, mut texts) = (Self::default(), Texts::default());
        rows.into_iter().for_each(|row| fleet.add(&row, &mut texts));
        fleet
    }

    fn add(&mut self, row: &ReviewRow, texts: &mut Texts) {
        self.totals.add(row);
        let entry = Entry::of(row, texts);
        self.waiting += usize::from(&*entry.status == "open");
        if let Some(account) = entry.account()
            && !self.accounts.contains(account)
        {
            self.accounts.insert(account.to_owned());
        }
        self.entries.push(entry);
    }

    fn sort(&mut self) {
        // Without room for a copy.
        self.entries.sort_unstable_by(query::by_danger_then_money);
        self.entries.shrink_to_fit();
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use rightsizer_store::sample::row;

    pub(crate) fn fleet() -> Fleet {
        let mut ran_out = row(
            "arn:aws:lambda:eu-west-1:123456789012:function:ran-out",
            (256, 250, 356),
            (1.0, 1.2),
        );
        ran_out.urgent = true;
        ran_out.recommendation = Some("00000000000000aa".to_owned());
        let hostile = row(
            "local:<script>alert(1)</script>",
            (1024, 30, 130),
            (80.0, 20.0),
        );
        let mut fine = row("local:fine", (512, 300, 512), (9.0, 9.0));
        fine.status = "ok".to_owned();
        let mut fleet = Fleet::of([fine, hostile, ran_out]);
        fleet.sort();
        fleet
    }

    #[test]
    fn those_at_risk_come_first_and_then_the_money() {
        let fleet = fleet();
        let names: Vec<&str> = fleet.entries.iter().map(Entry::name).collect();
        assert_eq!(
            names,
            ["ran-out", "local:<script>alert(1)</script>", "local:fine"]
        );
        assert_eq!((fleet.waiting, fleet.totals.at_risk), (2, 1));
        assert_eq!(fleet.accounts.iter().collect::<Vec<_>>(), ["123456789012"]);
    }
}
