//! Parts of sentences that several reasons share.

use rightsizer_records::{DurationBasis, LimitedFigure, Rise, Slowdown, SpeedLimit};

use super::super::decide::{ENOUGH_DAYS, ENOUGH_INVOCATIONS};

pub(super) fn movement(percent: Option<u32>) -> String {
    percent.map_or_else(
        || "was seen on one day only".to_owned(),
        |percent| format!("changes by {percent} % from one day to the next"),
    )
}

/// What is missing of the evidence that W6 needs.
pub(super) fn shortage(days: u32, invocations: u64) -> String {
    let days = (days < ENOUGH_DAYS).then(|| format!("{days} of {ENOUGH_DAYS} days"));
    let calls = (invocations < ENOUGH_INVOCATIONS)
        .then(|| format!("{invocations} of {ENOUGH_INVOCATIONS} calls"));
    let missing: Vec<String> = days.into_iter().chain(calls).collect();
    format!("only {}", missing.join(", "))
}

pub(super) fn rose(what: &str, rise: &Rise) -> String {
    format!(
        "Rollback: {what}: {} of {} since the change, {} of {} before",
        rise.after, rise.after_of, rise.before, rise.before_of
    )
}

/// How much longer a smaller size may take.
pub(super) fn slower(slowdown: &Slowdown) -> String {
    let Slowdown {
        mb,
        mean,
        mean_worst,
        ..
    } = slowdown;
    match rests_on(slowdown.basis) {
        Some(by) => {
            format!("At {mb} it takes {mean} × as long, at most {mean_worst} × ({by}; P6)")
        }
        None => format!(
            "At {mb} it may take up to {mean_worst} × as long, because how much CPU it uses is unknown (P6)"
        ),
    }
}

/// `None` if only the worst case is known.
const fn rests_on(basis: DurationBasis) -> Option<&'static str> {
    match basis {
        DurationBasis::Measured => Some("measured at that size"),
        DurationBasis::CpuTime => Some("from the CPU time it uses"),
        DurationBasis::Slope => Some("from the durations at two sizes"),
        DurationBasis::Unknown | DurationBasis::OneCore => None,
    }
}

/// What a smaller size would do to the durations (P6).
pub(super) fn speed(limit: &SpeedLimit) -> String {
    let by = rests_on(limit.basis).unwrap_or("at worst: how much CPU it uses is unknown");
    let of = |value: f64| match limit.figure {
        LimitedFigure::Cost => format!("{value} ×"),
        LimitedFigure::Start | LimitedFigure::P95 | LimitedFigure::P99 => time(value),
    };
    format!(
        "At {}, {} would go from {} to {} (limit {}; {by})",
        limit.wanted_mb,
        name(limit.figure),
        of(limit.now),
        of(limit.then),
        of(limit.most)
    )
}

pub(super) fn limited(limit: &SpeedLimit) -> String {
    format!("{} would be {}", name(limit.figure), time(limit.then))
}

const fn name(figure: LimitedFigure) -> &'static str {
    match figure {
        LimitedFigure::Start => "start",
        LimitedFigure::P95 => "p95",
        LimitedFigure::P99 => "p99",
        LimitedFigure::Cost => "cost",
    }
}

/// Milliseconds as people read them: `84.3 ms`, `711 ms`, `99.1 s`.
pub(super) fn time(ms: f64) -> String {
    if ms >= 10_000.0 {
        format!("{:.1} s", ms / 1000.0)
    } else if ms >= 100.0 {
        format!("{ms:.0} ms")
    } else {
        format!("{ms:.1} ms")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_as_people_read_them() {
        for (ms, text) in [(84.26, "84.3 ms"), (710.59, "711 ms"), (99_134.9, "99.1 s")] {
            assert_eq!(time(ms), text);
        }
    }
}
