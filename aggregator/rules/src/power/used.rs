//! What one version of a function did at one memory size, as production shows it.

use rightsizer_records::{Arch, Day, Megabytes};
use serde::{Deserialize, Serialize};

use super::evidence::SizePoint;

/// What one version did at one memory size, over the days that are remembered in detail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SizeUse {
    /// The version.
    pub version: String,
    /// The size.
    pub memory_mb: Megabytes,
    /// The first day with an invocation.
    pub first_day: Day,
    /// The last one.
    pub last_day: Day,
    /// Invocations, failed ones included.
    pub invocations: u64,
    /// Those that failed: errors, timeouts and out of memory.
    pub failures: u64,
    /// Of the failures: those that ran into the timeout.
    pub timeouts: u64,
    /// Of the failures: those that ran out of memory.
    pub ooms: u64,
    /// Billed milliseconds, with the starts that are billed.
    pub billed_ms: u64,
    /// Durations without starts; `None` if no report has one.
    pub durations: Option<Durations>,
    /// CPU time ÷ duration: the cores in use on average, if the layer reported CPU time.
    pub cores_used: Option<f64>,
    /// Median of the memory used, in MB.
    pub used_mb: Option<f64>,
    /// Highest memory used.
    pub peak_mb: Megabytes,
    /// Durations of starts: init, or restore from a snapshot.
    pub starts: Option<Durations>,
    /// Of the starts: those by init.
    #[serde(default)]
    pub inits: Option<Durations>,
    /// Of the starts: those by a restore from a snapshot.
    #[serde(default)]
    pub restores: Option<Durations>,
    /// How long init took that failed or timed out.
    #[serde(default)]
    pub failed_inits: Option<Durations>,
    /// How long restores took that failed or timed out.
    #[serde(default)]
    pub failed_restores: Option<Durations>,
    /// The starts on the day on which this version appeared, and later ones; `None` without both.
    #[serde(default)]
    pub deployment: Option<Deployment>,
    /// The starts in the first hours after this version appeared, and later ones; `None` without both.
    #[serde(default)]
    pub first_hours: Option<FirstHours>,
    /// The invocations that waited for a start.
    #[serde(default)]
    pub firsts: Option<Firsts>,
    /// By which factor its durations change if all sizes of its version had run at the same hours ([`match_hours`]), if
    /// the hours are known and there is another size. `durations` are as measured.
    ///
    /// [`match_hours`]: super::match_hours
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours_factor: Option<f64>,
    /// Processor architecture, if the layer reported it and all environments of this version and size had the same.
    #[serde(default)]
    pub arch: Option<Arch>,
}

/// Starts by their time since a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    /// On the day on which the version appeared.
    pub first_day: Durations,
    /// On later days.
    pub later: Durations,
}

/// The number of hours after a deployment whose starts [`FirstHours`] has.
pub const FIRST_HOURS: i64 = 2;

/// Starts in the first hours after a version appeared, and later ones.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FirstHours {
    /// The number of hours.
    pub hours: i64,
    /// Within them.
    pub first: Durations,
    /// After them.
    pub later: Durations,
}

/// The first invocations of environments, without their starts and without failed ones.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Firsts {
    /// Number of them.
    pub count: u64,
    /// Mean of their durations, in milliseconds.
    pub mean_ms: f64,
}

/// Figures of durations, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Durations {
    /// Number of durations.
    pub count: u64,
    /// Mean.
    pub mean_ms: f64,
    /// Median.
    pub p50_ms: f64,
    /// 95th percentile.
    pub p95_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// Standard deviation of their logarithms, without the slowest and fastest.
    pub spread: f64,
}

/// A size at which at least this share of the invocations failed shows no usual durations.
pub(super) const FAILING: f64 = 0.1;
/// A size with fewer invocations shows no usual durations.
const LEAST_INVOCATIONS: u64 = 10;
/// Durations are known in whole milliseconds, so a smaller spread is not measured.
const LEAST_SPREAD: f64 = 0.02;

impl SizeUse {
    /// Returns the share of invocations that failed.
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub(crate) fn failed(&self) -> f64 {
        self.failures as f64 / self.invocations.max(1) as f64
    }

    /// Returns the point of the curve at this size, at the hours of all sizes; `None` if it has too few invocations, or
    /// too many failed.
    pub fn point(&self) -> Option<SizePoint> {
        let durations = self.durations?;
        let usual = durations.count >= LEAST_INVOCATIONS && self.failed() < FAILING;
        let p50_ms = durations.p50_ms * self.hours_factor.unwrap_or(1.0);
        (usual && p50_ms > 0.0).then(|| SizePoint {
            invocations: durations.count,
            spread: Some(durations.spread.max(LEAST_SPREAD)),
            cpu_ms: self.cores_used.map(|cores| cores * p50_ms),
            used_mb: self.used_mb,
            ..SizePoint::new(self.memory_mb, p50_ms)
        })
    }

    /// Returns the mean duration that is billed beyond that of the invocations themselves: starts, and rounding. It
    /// hardly depends on the size.
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub(crate) fn billed_beside_ms(&self) -> f64 {
        let billed = self.billed_ms as f64 / self.invocations.max(1) as f64;
        let own = self.durations.map_or(0.0, |durations| durations.mean_ms);
        (billed - own).max(0.0)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::power) fn at(memory_mb: u32, p50_ms: f64) -> SizeUse {
        let day = Day::parse("2026-01-31").unwrap();
        SizeUse {
            version: "$LATEST".to_owned(),
            memory_mb: Megabytes(memory_mb),
            first_day: day.plus(-13),
            last_day: day,
            invocations: 14_000,
            failures: 0,
            timeouts: 0,
            ooms: 0,
            billed_ms: 0,
            durations: Some(Durations {
                count: 14_000,
                mean_ms: p50_ms * 1.1,
                p50_ms,
                p95_ms: p50_ms * 2.0,
                p99_ms: p50_ms * 3.0,
                spread: 0.2,
            }),
            cores_used: None,
            used_mb: Some(80.0),
            peak_mb: Megabytes(90),
            starts: None,
            inits: None,
            restores: None,
            failed_inits: None,
            failed_restores: None,
            deployment: None,
            first_hours: None,
            firsts: None,
            hours_factor: None,
            arch: None,
        }
    }

    /// Half a core for 200 ms is 100 ms of CPU time.
    #[test]
    fn a_size_becomes_a_point() {
        let size = SizeUse {
            cores_used: Some(0.5),
            ..at(512, 200.0)
        };
        let point = size.point().unwrap();
        assert_eq!(
            (point.p50_ms, point.cpu_ms, point.invocations),
            (200.0, Some(100.0), 14_000)
        );
    }

    /// 200 ms at its own hours are 150 ms at those of all sizes, of which half are CPU time.
    #[test]
    fn a_point_is_of_the_hours_of_all_sizes() {
        let size = SizeUse {
            cores_used: Some(0.5),
            hours_factor: Some(0.75),
            ..at(512, 200.0)
        };
        let point = size.point().unwrap();
        assert_eq!((point.p50_ms, point.cpu_ms), (150.0, Some(75.0)));
    }

    /// 1,399 of 14,000 failures are below a tenth, 1,400 are not.
    #[test]
    fn failing_or_rarely_called_sizes_have_no_point() {
        let failing = |failures| {
            SizeUse {
                failures,
                ..at(512, 200.0)
            }
            .point()
            .is_none()
        };
        assert_eq!([failing(1_399), failing(1_400)], [false, true]);
        let called = |count| {
            let mut size = at(512, 200.0);
            size.durations = size
                .durations
                .map(|durations| Durations { count, ..durations });
            size.point().is_some()
        };
        assert_eq!([called(9), called(10)], [false, true]);
    }

    /// 14,000 invocations of 110 ms on average are 1,540,000 ms. If 1,680,000 are billed, starts add 10 ms to each.
    #[test]
    fn starts_are_billed_beside_the_durations() {
        let size = SizeUse {
            billed_ms: 1_680_000,
            ..at(512, 100.0)
        };
        assert!((size.billed_beside_ms() - 10.0).abs() < 1e-9);
        let size = SizeUse {
            billed_ms: 1_000,
            ..at(512, 100.0)
        };
        assert!(size.billed_beside_ms() < 1e-9);
    }
}
