//! Reasons as text: those of steps to a size, and those that need an approval (P3–P6).

use rightsizer_records::Reason;

use super::words::figure;

/// In a few words, for a table's column.
pub(super) fn brief(reason: &Reason) -> String {
    let f = |name: &str| figure(reason, name);
    match reason.code.as_str() {
        "partial-evidence" => "logs hold failures only".to_owned(),
        "wrapped-evidence" => "from an unknown tool's file".to_owned(),
        "leak" => format!("leaks {} MB/1000 calls", f("mb_per_1000")),
        "increase-limit" => format!("{} increases, needs approval", f("increases")),
        "one-environment" => format!("one environment only, at most {}", f("mb")),
        "dead-band" => format!("only {} MB less", f("change_mb")),
        "step" => format!("in steps, now {}", f("mb")),
        "step-waits" => format!("waits until {} is verified", f("to_mb")),
        "failing" => format!("{} % of the calls fail", f("percent")),
        "heap-limit" => format!("the runtime's heap was full at {}", f("used_mb")),
        "init-near" => format!("a start would take {}", time(reason, "then")),
        "alarm" => format!("alarm {}", f("name")),
        "just-deployed" => format!("deployed {} min ago", f("minutes")),
        "too-slow" | "timeout-near" => format!("{} would be {}", f("figure"), time(reason, "then")),
        "no-saving" => format!("no saving below {}", f("mb")),
        "only-slower" => format!("slower below {}", f("mb")),
        "careful-step" => format!("first step to {}", f("mb")),
        "timeout-unknown" => "timeout unknown".to_owned(),
        "durations-unknown" => "durations unknown".to_owned(),
        "stack-owned" => "export to its pipeline".to_owned(),
        "rollback-out-of-memory" => "back: ran out of memory".to_owned(),
        "rollback-errors" => "back: more errors".to_owned(),
        "rollback-timeouts" => "back: more timeouts".to_owned(),
        "rollback-init-failures" => "back: does not start".to_owned(),
        "rollback-slower" => "back: slower".to_owned(),
        "rollback-silent" => "back: silent".to_owned(),
        other => other.to_owned(),
    }
}

/// The sentence for logs that contain failures only.
fn partial(reason: &Reason) -> Option<String> {
    let f = |name: &str| figure(reason, name);
    (reason.code == "partial-evidence").then(|| {
        format!(
            "Its logs contain reports of failures only (system log level WARN), {} here, so the \
             memory use of successful invocations is unknown. Attach the layer, which sees all",
            f("invocations")
        )
    })
}

/// Why it keeps its size although a rule asks for more; `None` for other reasons.
fn kept(reason: &Reason) -> Option<String> {
    let f = |name: &str| figure(reason, name);
    Some(match reason.code.as_str() {
        "held-by-maximum" => format!(
            "{}{} MB would be needed, but the maximum is {} MB. Raise `[policy] max_mb`, or the function's tag \
             rightsizer:max-mb (P4)",
            if f("ran_out") == "true" {
                "It runs out of memory: "
            } else {
                ""
            },
            f("wanted_mb"),
            f("mb")
        ),
        "no-danger" => format!(
            "No increase: the average plus the buffer is {} MB, but the peaks need only {} MB, and the function \
             has {} MB (P1)",
            f("wanted_mb"),
            f("needed_mb"),
            f("mb")
        ),
        _ => return None,
    })
}

/// Why there is no proof that less memory is enough, or why a decrease waits; `None` for other reasons.
fn unproven(reason: &Reason) -> Option<String> {
    let f = |name: &str| figure(reason, name);
    Some(match reason.code.as_str() {
        "failing" => format!(
            "{} of {} invocations at {} MB ended in {} ({} %). Failures do not show that less memory is enough, \
             so the size stays until they succeed, or fail as often at another size (P6)",
            f("count"),
            f("invocations"),
            f("mb"),
            f("kind"),
            f("percent")
        ),
        "heap-limit" => format!(
            "The runtime's own heap was full {} times, with {} of {} MB used. Check the runtime's limit \
             (--max-old-space-size of Node, -Xmx of Java) first; until then the size stays (P6)",
            f("count"),
            f("used_mb"),
            f("mb")
        ),
        "init-near" => format!(
            "A start took {}. If it is repeated inside an invocation at {} MB, without the extra CPU of a first \
             start, it may take {} (limit {}); so {} MB (P6)",
            time(reason, "now"),
            f("wanted_mb"),
            time(reason, "then"),
            time(reason, "most"),
            f("mb")
        ),
        "wrapped-evidence" => {
            "Its reports are from the file of an unknown tool, so the function and the times were \
             inferred, and no change is automatic. Check both, or import the logs themselves"
                .to_owned()
        }
        "alarm" => format!(
            "The CloudWatch alarm {} on it is in ALARM; no automatic decrease until it ends (P5)",
            f("name")
        ),
        "just-deployed" => format!(
            "It was changed {} minutes ago; no automatic decrease within an hour (P5)",
            f("minutes")
        ),
        _ => return None,
    })
}

/// Why a change is rolled back, as a sentence; `None` for other reasons.
fn rollback(reason: &Reason) -> Option<String> {
    let f = |name: &str| figure(reason, name);
    let rose = |what: &str| {
        format!(
            "Rollback: {what}: {} of {} since the change, {} of {} before",
            f("after"),
            f("after_of"),
            f("before"),
            f("before_of")
        )
    };
    Some(match reason.code.as_str() {
        "rollback-out-of-memory" => {
            format!(
                "Rollback: ran out of memory {} times since the change",
                f("count")
            )
        }
        "rollback-errors" => rose("more errors"),
        "rollback-timeouts" => rose("more timeouts"),
        "rollback-init-failures" => rose("environments do not start"),
        "rollback-slower" => format!(
            "Rollback: slower: {} of {} invocations took longer than the earlier 95th percentile × {}",
            f("slow"),
            f("of"),
            f("tolerance")
        ),
        "rollback-silent" => format!(
            "Rollback: not called for {} hours; the longest silence before was {}",
            f("hours"),
            f("longest_hours")
        ),
        _ => return None,
    })
}

/// As a sentence, for `show`.
pub(super) fn sentence(reason: &Reason) -> String {
    rollback(reason)
        .or_else(|| partial(reason))
        .or_else(|| kept(reason))
        .or_else(|| unproven(reason))
        .unwrap_or_else(|| step(reason))
}

/// What shaped a step, as a sentence.
fn step(reason: &Reason) -> String {
    let f = |name: &str| figure(reason, name);
    match reason.code.as_str() {
        "leak" => format!(
            "Memory leak: the use of {} of {} environments keeps rising, by {} MB per 1000 invocations. More \
             memory only delays the end; look for what the code keeps (P3)",
            f("climbing"),
            f("judged"),
            f("mb_per_1000")
        ),
        "increase-limit" => format!(
            "It still runs out of memory after {} automatic increases since {} MB was verified (limits: {} \
             increases, {} × that size); {} MB needs your approval (P3)",
            f("increases"),
            f("verified_mb"),
            f("most_increases"),
            f("most_times"),
            f("mb")
        ),
        "one-environment" => format!(
            "Only one environment needs {} MB, so {} MB, at most {} times the last verified size, until a second \
             one agrees (P3)",
            f("wanted_mb"),
            f("mb"),
            f("times")
        ),
        "dead-band" => format!(
            "{} MB less is too small a change; at least {} MB (P5)",
            f("change_mb"),
            f("least_mb")
        ),
        "step" => format!(
            "An automatic step takes at most half, so {} MB on the way to {} MB (P5)",
            f("mb"),
            f("target_mb")
        ),
        "step-waits" => format!(
            "Waiting: {} → {} MB was {} h and {} invocations ago (needs {} and {}), {} (P5)",
            f("from_mb"),
            f("to_mb"),
            f("hours"),
            f("invocations"),
            f("least_hours"),
            f("least_invocations"),
            if f("verified") == "true" {
                "verified"
            } else {
                "not verified yet"
            }
        ),
        super::decide::SLOWER => slower(reason),
        "only-slower" => format!(
            "{} MB costs no less than {} MB ({} × now) and takes {} × as long; so {} MB (P6)",
            f("wanted_mb"),
            f("mb"),
            f("cost"),
            f("slower"),
            f("mb")
        ),
        _ => by_a_person(reason),
    }
}

/// How much longer a smaller size may take, as a sentence.
fn slower(reason: &Reason) -> String {
    let f = |name: &str| figure(reason, name);
    let by = match f("basis").as_str() {
        "measured" => "measured at that size",
        "cpu-time" => "from the CPU time it uses",
        "slope" => "from the durations at two sizes",
        _ => {
            return format!(
                "At {} MB it may take up to {} × as long, because how much CPU it uses is unknown (P6)",
                f("mb"),
                f("mean_worst")
            );
        }
    };
    format!(
        "At {} MB it takes {} × as long, at most {} × ({by}; P6)",
        f("mb"),
        f("mean"),
        f("mean_worst")
    )
}

/// Why it needs an approval, as a sentence.
fn by_a_person(reason: &Reason) -> String {
    match reason.code.as_str() {
        "timeout-unknown" => {
            "Timeout unknown: a smaller size might not finish in time, so a decrease needs your \
             approval; `serve --inventory lambda` or `import cloudwatch` reads it (P6)"
                .to_owned()
        }
        "durations-unknown" => format!(
            "No duration was reported at {} MB, so a decrease needs your approval (P6)",
            figure(reason, "mb")
        ),
        "stack-owned" => {
            "The next deployment of its pipeline would restore the old size, so this is not sent \
             automatically; `rightsizer export` writes it into the pipeline (P4)"
                .to_owned()
        }
        _ => speed(reason),
    }
}

/// What a smaller size would do to the durations (P6).
fn speed(reason: &Reason) -> String {
    let f = |name: &str| figure(reason, name);
    let by = match f("basis").as_str() {
        "measured" => "measured at that size",
        "cpu-time" => "from the CPU time it uses",
        "slope" => "from the durations at two sizes",
        _ => "at worst: how much CPU it uses is unknown",
    };
    let of = |name: &str| {
        if f("figure") == "cost" {
            format!("{} ×", f(name))
        } else {
            time(reason, name)
        }
    };
    let figures = format!(
        "At {} MB, {} would go from {} to {} (limit {}; {by})",
        f("wanted_mb"),
        f("figure"),
        of("now"),
        of("then"),
        of("most")
    );
    match reason.code.as_str() {
        "too-slow" => format!(
            "{figures}: too slow for the strategy {}, so {} MB (P6)",
            f("strategy"),
            f("mb")
        ),
        "timeout-near" => format!("{figures}: too near the timeout, so {} MB (P6)", f("mb")),
        "no-saving" => format!("{figures}: no saving, so {} MB (P6)", f("mb")),
        "careful-step" => format!(
            "{figures}. An automatic change stops at {} MB first and measures there (P6)",
            f("mb")
        ),
        other => other.to_owned(),
    }
}

/// A figure in milliseconds as people read it: `84.3 ms`, `711 ms`, `99.1 s`.
fn time(reason: &Reason, name: &str) -> String {
    let text = figure(reason, name);
    match text.parse::<f64>() {
        Ok(ms) if ms >= 10_000.0 => format!("{:.1} s", ms / 1000.0),
        Ok(ms) if ms >= 100.0 => format!("{ms:.0} ms"),
        Ok(ms) => format!("{ms:.1} ms"),
        Err(_) => format!("{text} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_as_people_read_them() {
        let reason = |ms: f64| Reason {
            code: "too-slow".to_owned(),
            figures: [("then".to_owned(), serde_json::json!(ms))].into(),
        };
        for (ms, text) in [(84.26, "84.3 ms"), (710.59, "711 ms"), (99_134.9, "99.1 s")] {
            assert_eq!(time(&reason(ms), "then"), text);
        }
    }
}
