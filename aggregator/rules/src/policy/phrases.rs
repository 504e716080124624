//! Reasons in words: those of how to get to a size, and of what is left to a person (P3–P6).

use rightsizer_records::Reason;

use super::words::figure;

/// In a few words, for a table's column.
pub(super) fn brief(reason: &Reason) -> String {
    let f = |name: &str| figure(reason, name);
    match reason.code.as_str() {
        "partial-evidence" => "logs hold failures only".to_owned(),
        "wrapped-evidence" => "from an unknown tool's file".to_owned(),
        "leak" => format!("leaks {} MB/1000 calls", f("mb_per_1000")),
        "increase-limit" => format!("{} increases, a person decides", f("increases")),
        "one-environment" => format!("one environment alone, {} at most", f("mb")),
        "dead-band" => format!("only {} MB less", f("change_mb")),
        "step" => format!("by steps, now {}", f("mb")),
        "step-waits" => format!("waits for {} to prove itself", f("to_mb")),
        "failing" => format!("{} % of the calls fail", f("percent")),
        "heap-limit" => format!("the runtime's heap was full at {}", f("used_mb")),
        "init-near" => format!("a start would take {} ms", f("then")),
        "alarm" => format!("alarm {}", f("name")),
        "just-deployed" => format!("deployed {} min ago", f("minutes")),
        "too-slow" | "timeout-near" => format!("{} would be {} ms", f("figure"), f("then")),
        "no-saving" => format!("no saving below {}", f("mb")),
        "only-slower" => format!("CPU: slower below {}", f("mb")),
        "careful-step" => format!("carefully, {}", f("mb")),
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

/// What logs that hold failures alone cannot tell.
fn partial(reason: &Reason) -> Option<String> {
    let f = |name: &str| figure(reason, name);
    (reason.code == "partial-evidence").then(|| {
        format!(
            "Partial evidence: its logs hold reports of failures alone (system log level WARN), {} \
             here; what the others used is not known. Attach the layer, which sees all",
            f("invocations")
        )
    })
}

/// Why it keeps its size although more was wanted; `None` where the reason is another.
fn kept(reason: &Reason) -> Option<String> {
    let f = |name: &str| figure(reason, name);
    Some(match reason.code.as_str() {
        "held-by-maximum" => format!(
            "P4 maximum: {}{} MB is wanted, and the maximum of {} MB holds it. Raise `[policy] max_mb`, or its \
             tag rightsizer:max-mb",
            if f("ran_out") == "true" {
                "it runs out of memory; "
            } else {
                ""
            },
            f("wanted_mb"),
            f("mb")
        ),
        "no-danger" => format!(
            "P1 no increase: the average plus the buffer is {} MB, but what was seen calls for {} MB, which {} \
             MB hold",
            f("wanted_mb"),
            f("needed_mb"),
            f("mb")
        ),
        _ => return None,
    })
}

/// Why nothing shows that less memory suffices, or why it is not the time; `None` where the reason is
/// another.
fn unproven(reason: &Reason) -> Option<String> {
    let f = |name: &str| figure(reason, name);
    Some(match reason.code.as_str() {
        "failing" => format!(
            "P6 failing: {} of {} invocations at {} MB ended in {} ({} %); what failed does not show that less \
             memory is enough, so the size stays until they succeed, or fail as often at another size",
            f("count"),
            f("invocations"),
            f("mb"),
            f("kind"),
            f("percent")
        ),
        "heap-limit" => format!(
            "P6 heap limit: the runtime's own heap was full {} times, with {} of {} MB used. Look at its limit \
             (--max-old-space-size of Node, -Xmx of Java) before the memory size; until then the size stays",
            f("count"),
            f("used_mb"),
            f("mb")
        ),
        "init-near" => format!(
            "P6 start near the timeout: a start took {} ms; made again inside of an invocation at {} MB, without \
             the extra CPU of a first start, it would take {} ms of at most {}; so {} MB",
            f("now"),
            f("wanted_mb"),
            f("then"),
            f("most"),
            f("mb")
        ),
        "wrapped-evidence" => "Unknown file: its reports were found in the file of a tool that is not known, so \
             whose they are and when is read by likeness; nothing is changed by itself. Look at both, or import \
             the logs themselves"
            .to_owned(),
        "alarm" => format!(
            "Alarm: the CloudWatch alarm {} on it is in ALARM; no automatic decrease until it is over",
            f("name")
        ),
        "just-deployed" => format!(
            "Just deployed: it was changed {} minutes ago; no automatic decrease within the hour",
            f("minutes")
        ),
        _ => return None,
    })
}

/// Why a change is taken back, as a sentence; `None` where the reason is another.
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
            "P3 leak: {} of {} environments climb all their life, {} MB per 1000 invocations; more \
             memory only delays the end, so it is not chased. Look for what the code keeps",
            f("climbing"),
            f("judged"),
            f("mb_per_1000")
        ),
        "increase-limit" => format!(
            "P3 limit: {} automatic increases since {} MB was verified (at most {}, and {} × that \
             size), and it still runs out; a person decides on {} MB",
            f("increases"),
            f("verified_mb"),
            f("most_increases"),
            f("most_times"),
            f("mb")
        ),
        "one-environment" => format!(
            "one environment alone calls for {} MB: {} MB, at most {} times the last verified size, until a \
             second one agrees",
            f("wanted_mb"),
            f("mb"),
            f("times")
        ),
        "dead-band" => format!(
            "P5 dead band: {} MB less is not worth a change; at least {} MB",
            f("change_mb"),
            f("least_mb")
        ),
        "step" => format!(
            "P5 step: by itself it goes down by half at most, so {} MB on the way to {} MB",
            f("mb"),
            f("target_mb")
        ),
        "step-waits" => format!(
            "P5 waiting: {} → {} MB was {} h and {} invocations ago (wanted {} and {}), {}",
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
        "only-slower" => format!(
            "P6 only slower: {} MB costs no less than {} MB ({} × now) and takes {} × as long; so {} MB",
            f("wanted_mb"),
            f("mb"),
            f("cost"),
            f("slower"),
            f("mb")
        ),
        _ => by_a_person(reason),
    }
}

/// Why it is left to a person, as a sentence.
fn by_a_person(reason: &Reason) -> String {
    match reason.code.as_str() {
        "timeout-unknown" => "P6 timeout unknown: a smaller size might not finish in time, so a \
             decrease is left to a person; the inventory tells it"
            .to_owned(),
        "durations-unknown" => format!(
            "P6 durations unknown: none was reported at {} MB, so a decrease is left to a person",
            figure(reason, "mb")
        ),
        "stack-owned" => {
            "Its pipeline's next deployment would put the old size back, so this is not \
             sent by itself; `rightsizer export` puts it into the pipeline"
                .to_owned()
        }
        _ => speed(reason),
    }
}

/// What a smaller size would do to the durations (P6).
fn speed(reason: &Reason) -> String {
    let f = |name: &str| figure(reason, name);
    let by = match f("basis").as_str() {
        "measured" => "as measured there",
        "cpu-time" => "by the CPU time it uses",
        "slope" => "by how it differed between two sizes",
        _ => "at worst, its CPU time being unknown",
    };
    let unit = if f("figure") == "cost" { "×" } else { "ms" };
    let figures = format!(
        "at {} MB {} would be {} {unit} {by} (now {}, at most {})",
        f("wanted_mb"),
        f("figure"),
        f("then"),
        f("now"),
        f("most")
    );
    match reason.code.as_str() {
        "too-slow" => format!(
            "P6 too slow for {}: {figures}; so {} MB",
            f("strategy"),
            f("mb")
        ),
        "timeout-near" => format!("P6 near the timeout: {figures}; so {} MB", f("mb")),
        "no-saving" => format!("P6 no saving: {figures}; so {} MB", f("mb")),
        "careful-step" => format!(
            "P6 careful: {figures}; by itself no further than {} MB, which measures it",
            f("mb")
        ),
        other => other.to_owned(),
    }
}
