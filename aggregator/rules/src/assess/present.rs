//! The version with the traffic and the size that the function has, by everything that is known. The store's view
//! `functions_now` computes the same in SQL for its many readers; a property test holds the two equal.

use rightsizer_records::{Day, Megabytes, Timestamp};

use crate::window::{Newest, OTHER_VERSIONS, Sighting};

/// The size in the account outranks reports for this long after it was read.
const ACCOUNT_MS: i64 = 3_600_000;
/// A size that ran out this long before the newest report is the present one.
const RAN_OUT_MS: i64 = 900_000;
/// What began, was applied or was listed longer ago than this may be outdated.
const OUTDATED_MS: i64 = 86_400_000;
/// Another version that was reported within this time may have the traffic.
const MIXED_MS: i64 = 2 * 86_400_000;

/// The invocations of one size and version on one day.
#[derive(Debug, Clone, Copy)]
pub struct DayAtSize<'a> {
    /// The day.
    pub day: Day,
    /// The size.
    pub memory_mb: Megabytes,
    /// The version.
    pub version: &'a str,
    /// How many.
    pub invocations: u64,
    /// Whether the size hid the demand.
    pub censored: bool,
}

/// What is known of a function's sizes.
#[derive(Debug, Clone, Copy)]
pub struct Sizes<'a> {
    /// What its reports show.
    pub sighting: &'a Sighting,
    /// The size that was applied last, and when by the window's clock.
    pub applied: Option<(Timestamp, Megabytes)>,
    /// The size in the inventory; and when it was read, unless the function is gone.
    pub account: Option<(Megabytes, Option<Timestamp>)>,
    /// The day of its newest report and the day before.
    pub days: &'a [DayAtSize<'a>],
}

impl<'a> Sizes<'a> {
    fn last(&self) -> Timestamp {
        self.sighting.newest.at
    }

    /// Returns the version with the most calls of two days, among those called on the newest day. Most functions
    /// have one.
    pub(crate) fn version(&self) -> &'a str {
        let newest = self.sighting.newest.version.as_str();
        let mixed = self.sighting.mixed;
        if mixed.is_none_or(|at| at.as_ms() < self.last().as_ms() - MIXED_MS) {
            return newest;
        }
        let today = self.last().day();
        let named = self.days.iter().filter(|d| d.version != OTHER_VERSIONS);
        let called = named.filter(|d| d.day == today).map(|d| d.version);
        let calls = |version: &str| -> u64 {
            let its = self.days.iter().filter(|d| d.version == version);
            its.map(|d| d.invocations).sum()
        };
        called
            .max_by(|a, b| calls(a).cmp(&calls(b)).then_with(|| b.cmp(a)))
            .unwrap_or(newest)
    }

    /// Returns the size that the function has; `version` is [`Sizes::version`].
    pub(crate) fn current(&self, version: &str) -> Megabytes {
        let last = self.last().as_ms();
        let since = |at: Option<i64>| at.unwrap_or(0);
        let in_account = self.in_account(version);
        let started = self.sighting.started.as_ref();
        let started = started.filter(|begun| begun.version == version);
        let started_at = started.map(|begun| begun.at.as_ms());
        let applied_at = self.applied.map(|(at, _)| at.as_ms());
        if let Some((listed_at, listed_mb)) = in_account.filter(|(at, _)| at + ACCOUNT_MS > last) {
            let deployed = self.deployed_since(started, listed_at.max(since(applied_at)));
            return deployed.unwrap_or_else(|| self.account_mb(listed_mb));
        }
        if let Some(ran_out) = self.ran_out(started) {
            return ran_out;
        }
        let listed_at = in_account.map(|(at, _)| at);
        let known = started_at.or(applied_at).or(listed_at);
        let newest = since(started_at)
            .max(since(applied_at))
            .max(since(listed_at));
        if known.is_none() || last > newest + OUTDATED_MS {
            return self.newest_mb(version);
        }
        match (in_account, self.applied, started) {
            (Some((at, mb)), _, _) if at >= since(started_at).max(since(applied_at)) => mb,
            (_, Some((at, mb)), _) if at.as_ms() >= since(started_at) => mb,
            (_, _, Some(begun)) => begun.memory_mb,
            (_, Some((_, mb)), None) | (Some((_, mb)), None, None) => mb,
            (None, None, None) => self.newest_mb(version),
        }
    }

    /// The inventory is about `$LATEST`.
    fn in_account(&self, version: &str) -> Option<(i64, Megabytes)> {
        let (mb, at) = self.account?;
        let at = at.filter(|_| version == crate::evidence::LATEST)?;
        Some((at.as_ms(), mb))
    }

    /// A change that was applied since the inventory was read counts as the account's.
    fn account_mb(&self, listed_mb: Megabytes) -> Megabytes {
        let listed = self.account.and_then(|(_, at)| at);
        let applied = self
            .applied
            .filter(|(at, _)| Some(*at) > listed && listed.is_some());
        applied.map_or(listed_mb, |(_, mb)| mb)
    }

    /// A size that was deployed since `listed_ms` and ran out, while the account's size did not.
    fn deployed_since(&self, started: Option<&Newest>, listed_ms: i64) -> Option<Megabytes> {
        let begun = started.filter(|begun| begun.at.as_ms() > listed_ms)?;
        let (out_at, out_mb) = self.sighting.ran_out?;
        if out_at < begun.at || out_mb != begun.memory_mb {
            return None;
        }
        let account = self.account_mb(self.account?.0);
        let also = |d: &DayAtSize<'_>| d.memory_mb == account && d.censored;
        (!self.days.iter().any(also)).then_some(begun.memory_mb)
    }

    /// A size that ran out just before the newest report, unless another was applied.
    fn ran_out(&self, started: Option<&Newest>) -> Option<Megabytes> {
        let (at, mb) = self.sighting.ran_out?;
        let fresh = at.as_ms() + RAN_OUT_MS >= self.last().as_ms();
        let begun_elsewhere = |(applied, to): (Timestamp, Megabytes)| {
            started.is_some_and(|begun| begun.at > applied && begun.memory_mb != to) && at > applied
        };
        (fresh && self.applied.is_none_or(begun_elsewhere)).then_some(mb)
    }

    /// The size of the newest report; that may be of another version.
    fn newest_mb(&self, version: &str) -> Megabytes {
        let newest = &self.sighting.newest;
        if newest.version == version {
            return newest.memory_mb;
        }
        let today = newest.at.day();
        let its = self
            .days
            .iter()
            .filter(|d| d.day == today && d.version == version);
        let most = its.max_by_key(|d| (d.invocations, d.memory_mb));
        most.map_or(newest.memory_mb, |d| d.memory_mb)
    }
}
