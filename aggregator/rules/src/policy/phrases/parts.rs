//! Parts of sentences that several reasons share.

use rightsizer_records::{DurationBasis, Rise, Slowdown};

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
    let (mb, worst) = (slowdown.mb, as_long(slowdown.mean_worst));
    match rests_on(slowdown.basis) {
        Some(by) => {
            let mean = as_long(slowdown.mean);
            format!("At {mb} it takes {mean}, at most {worst} ({by}; P6)")
        }
        None => {
            format!("At {mb} it takes at most {worst}; how much CPU it uses is unknown (P6)")
        }
    }
}

fn as_long(factor: f64) -> String {
    match number(factor).as_str() {
        "1" => "as long as before".to_owned(),
        factor => format!("{factor} × as long"),
    }
}

/// A cost ÷ the present one, as a part of a sentence: `the same cost`, `1.05 × the cost`.
pub(super) fn cost(factor: f64) -> String {
    match number(factor).as_str() {
        "1" => "the same cost".to_owned(),
        factor => format!("{factor} × the cost"),
    }
}

/// A factor with at most two decimals.
fn number(factor: f64) -> String {
    format!("{}", (factor * 100.0).round() / 100.0)
}

/// `None` if only the worst case is known.
pub(super) const fn rests_on(basis: DurationBasis) -> Option<&'static str> {
    match basis {
        DurationBasis::Measured => Some("measured at that size"),
        DurationBasis::CpuTime => Some("from the CPU time it uses"),
        DurationBasis::Slope => Some("from the durations at two sizes"),
        DurationBasis::Unknown | DurationBasis::OneCore => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_of_one_is_written_in_words() {
        // With two decimals 1.004 and 0.996 are 1, and 1.013 is 1.01.
        assert_eq!(as_long(1.004), "as long as before");
        assert_eq!(as_long(0.996), "as long as before");
        assert_eq!(as_long(1.013), "1.01 × as long");
        assert_eq!(cost(1.0), "the same cost");
        assert_eq!(cost(1.05), "1.05 × the cost");
    }
}
