//! Provisioned concurrency that is configured: what it costs, how busy it is, and what it saves. Pure; the account's
//! configuration and the evidence are arguments.

use rightsizer_records::Megabytes;
use serde::{Deserialize, Serialize};

use super::coldstart::{MONTH_SECONDS, PROVISIONED, PROVISIONED_DURATION, Started};
use super::used::SizeUse;

/// Evidence of fewer days may miss the use of a version.
const LEAST_DAYS: f64 = 7.0;
const MB_PER_GB: f64 = 1024.0;

/// Provisioned concurrency of a version or an alias, as the account has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configured {
    /// The version or the alias that it is configured for.
    pub qualifier: String,
    /// The version whose environments are provisioned.
    pub version: String,
    /// The size of that version.
    pub memory_mb: Megabytes,
    /// Environments that were requested.
    pub environments: u32,
}

/// Whether provisioned concurrency is worth its price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Worth {
    /// The reports are of less than a week.
    Unknown,
    /// No invocation of the version was reported.
    Unused,
    /// It costs more than lower prices and starts without cost save; it may still be wanted for its latency.
    Costs,
    /// It saves more than it costs.
    Saves,
}

/// What provisioned concurrency costs and does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConfiguredUse {
    /// The configuration.
    #[serde(flatten)]
    pub configured: Configured,
    /// Days between the first and the last report of the function.
    pub days: f64,
    /// Invocations of the version in these days.
    pub invocations: u64,
    /// The share of its time in which a provisioned environment computes, on average; above 1 the rest runs on demand.
    pub busy: f64,
    /// Dollars of a month for keeping the environments.
    pub monthly_usd: f64,
    /// Dollars of a month that the lower price of durations saves.
    pub saved_usd: f64,
    /// What follows.
    pub worth: Worth,
}

/// Returns what each configuration costs and does.
pub fn configured_use(configured: &[Configured], function: &Started<'_>) -> Vec<ConfiguredUse> {
    let of = |each: &Configured| use_of(each.clone(), function);
    configured.iter().map(of).collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn use_of(configured: Configured, function: &Started<'_>) -> ConfiguredUse {
    let days = days(function.sizes);
    let own = || {
        let sizes = function.sizes.iter();
        sizes.filter(|size| size.version == configured.version)
    };
    let invocations = own().map(|size| size.invocations).sum();
    let busy_ms = own().filter_map(|size| Some(size.durations?.mean_ms * size.invocations as f64));
    let at_once = busy_ms.sum::<f64>() / (days * 86_400_000.0).max(1.0);
    let provisioned = f64::from(configured.environments);
    let gb = f64::from(configured.memory_mb.0) / MB_PER_GB;
    let price = function.rates.gb_second(function.arch);
    let month = MONTH_SECONDS * gb * price;
    let monthly_usd = provisioned * month * PROVISIONED;
    let saved_usd = at_once.min(provisioned) * month * (1.0 - PROVISIONED_DURATION);
    let worth = if days < LEAST_DAYS {
        Worth::Unknown
    } else if invocations == 0 {
        Worth::Unused
    } else if saved_usd < monthly_usd {
        Worth::Costs
    } else {
        Worth::Saves
    };
    ConfiguredUse {
        configured,
        days,
        invocations,
        busy: at_once / provisioned.max(1.0),
        monthly_usd,
        saved_usd,
        worth,
    }
}

/// The days in which any version was seen.
fn days(sizes: &[SizeUse]) -> f64 {
    let first = sizes.iter().map(|size| size.first_day.number()).min();
    let last = sizes.iter().map(|size| size.last_day.number()).max();
    first
        .zip(last)
        .map_or(0.0, |(first, last)| f64::from(last - first + 1))
}

#[cfg(test)]
mod tests {
    use super::super::used::tests::at;
    use super::*;
    use crate::price::PriceTable;

    /// Version 7 had 14,000 invocations of 110 ms on average in 14 days at 1024 MB, and version 6 none.
    fn used(version: &str, environments: u32, mean_ms: f64, days: i32) -> ConfiguredUse {
        let mut size = SizeUse {
            version: "7".to_owned(),
            ..at(1024, 100.0)
        };
        size.first_day = size.last_day.plus(1 - days);
        size.durations = size
            .durations
            .map(|d| super::super::used::Durations { mean_ms, ..d });
        let function = Started {
            sizes: &[size],
            timeout_ms: None,
            timeout_share: 0.7,
            rates: PriceTable::default().rates(None),
            arch: None,
        };
        let configured = Configured {
            qualifier: "live".to_owned(),
            version: version.to_owned(),
            memory_mb: Megabytes(1024),
            environments,
        };
        configured_use(&[configured], &function).remove(0)
    }

    fn near(found: f64, wanted: f64) {
        assert!(
            (found / wanted - 1.0).abs() < 1e-3,
            "{found}, wanted {wanted}"
        );
    }

    /// Five environments of 1 GB for a month at a quarter of the price are $54. 1,540 s in 1,209,600 s are busy with
    /// 0.001273 of an environment, which costs 0.41667 × $43.20 × 0.001273 less.
    #[test]
    fn cost_and_use_by_hand() {
        let found = used("7", 5, 110.0, 14);
        near(found.monthly_usd, 54.0);
        near(found.busy, 1540.0 / 1_209_600.0 / 5.0);
        near(found.saved_usd, 0.416_67 * 43.20 * 0.001_273_1);
        assert_eq!((found.worth, found.invocations), (Worth::Costs, 14_000));
    }

    /// An environment pays from 0.25 ÷ 0.41667 = 60 % busy on: 51.84 s of mean duration are 60 % of 86.4 s.
    #[test]
    fn it_saves_from_sixty_percent_busy_on() {
        assert_eq!(used("7", 1, 51_900.0, 14).worth, Worth::Saves);
        assert_eq!(used("7", 1, 51_800.0, 14).worth, Worth::Costs);
        // What no provisioned environment runs is not cheaper.
        near(used("7", 1, 200_000.0, 14).saved_usd, 0.416_67 * 43.20);
    }

    #[test]
    fn a_version_without_invocations_is_unused_after_a_week() {
        assert_eq!(used("6", 5, 110.0, 7).worth, Worth::Unused);
        assert_eq!(used("6", 5, 110.0, 6).worth, Worth::Unknown);
        assert!(used("6", 5, 110.0, 7).busy.abs() < 1e-12);
    }
}
