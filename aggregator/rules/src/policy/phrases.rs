//! The text of every reason. A table shows the few words, `show` the sentence, which ends with its rule.

mod parts;
mod speed;

use rightsizer_records::{FailureKind, Reason};

use self::parts::{cost, movement, rose, shortage, slower};
use super::decide::{ENOUGH_DAYS, ENOUGH_INVOCATIONS};
use super::duration_text;

/// A reason as text.
pub(super) struct Phrase {
    /// In a few words, for a table's column: the figures that made the number.
    pub(super) brief: String,
    /// As a sentence, for `show`.
    pub(super) sentence: String,
}

fn phrase(brief: impl Into<String>, sentence: impl Into<String>) -> Phrase {
    Phrase {
        brief: brief.into(),
        sentence: sentence.into(),
    }
}

/// `1 day`, `2 days`.
fn counted(n: impl Into<i128>, what: &str) -> String {
    let n: i128 = n.into();
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// The text of a reason.
#[expect(clippy::too_many_lines, reason = "one arm for each reason")]
pub(super) fn of(reason: &Reason) -> Phrase {
    match reason {
        Reason::AveragePlusBuffer {
            buffer_mb,
            days,
            mb,
            mean_mb,
        } => phrase(
            format!("mean {} + {}", mean_mb.0, buffer_mb.0),
            format!(
                "The mean of {} is {mean_mb}; + {buffer_mb} buffer = {mb} (P1)",
                counted(u64::from(*days), "daily peak")
            ),
        ),
        Reason::Floor {
            day,
            headroom,
            mb,
            peak_mb,
        } => phrase(
            format!("peak {} × {headroom}", peak_mb.0),
            format!(
                "The average would be too small: the peak of {day} was {peak_mb}; × {headroom} = {mb} (P2)"
            ),
        ),
        Reason::HighestPeak {
            days,
            mb,
            window_days,
        } => phrase(
            format!("highest peak {}", mb.0),
            format!("The highest peak is {mb}, in {days} active days of the last {window_days} (P7)"),
        ),
        Reason::Percentile {
            half_life_days,
            mb,
            share,
        } => phrase(
            format!("level {}", mb.0),
            format!(
                "All but the highest {:.0} % of days by weight stay at or below {mb}; a day weighs half as much \
                 as one {half_life_days} days later (P7)",
                (1.0 - share) * 100.0
            ),
        ),
        Reason::Margin {
            factor,
            from_mb,
            least_mb,
            mb,
        } => phrase(
            format!("peak {} × {factor}", from_mb.0),
            format!("Margin: {from_mb} × {factor}, at least + {least_mb}, = {mb} (P7)"),
        ),
        Reason::Movement {
            factor,
            from_mb,
            mb,
            movement_percent,
            ..
        } => phrase(
            format!("peak {} × {factor}", from_mb.0),
            format!(
                "The peak {}, so {from_mb} × {factor} = {mb} (P7)",
                movement(*movement_percent)
            ),
        ),
        Reason::Autopilot {
            arm_days,
            factor,
            mb,
            peak_mb,
        } => phrase(
            format!("peak {} × {factor}", peak_mb.0),
            format!(
                "The cheapest limit so far is the highest peak of {arm_days} days, {peak_mb}; × {factor} = {mb} (P7)"
            ),
        ),
        Reason::RecurringFloor {
            headroom,
            mb,
            movement_percent,
            peak_mb,
        } => phrase(
            format!("recurring {} × {headroom}", peak_mb.0),
            format!(
                "The recurring level is {peak_mb} and {}; × {headroom} = {mb} (P2)",
                movement(*movement_percent)
            ),
        ),
        Reason::OutOfMemory { day, mb, size_mb } => phrase(
            format!("ran out at {}", size_mb.0),
            format!(
                "It ran out of memory at {size_mb} on {day}, so its real need is unknown; at least {mb} (P3)"
            ),
        ),
        Reason::Minimum { mb, wanted_mb } => phrase(
            format!("at least {}", mb.0),
            format!("{wanted_mb} is below the smallest size, {mb} (P4)"),
        ),
        Reason::Maximum { mb, wanted_mb } => phrase(
            format!("at most {}", mb.0),
            format!("{wanted_mb} is above the largest size, {mb} (P4)"),
        ),
        Reason::HeldByMaximum {
            mb,
            ran_out,
            wanted_mb,
        } => phrase(
            format!("limited by the maximum of {}", mb.0),
            format!(
                "{}{wanted_mb} would be needed, but the maximum is {mb}. Raise `[policy] max_mb`, or the \
                 function's tag rightsizer:max-mb (P4)",
                if *ran_out { "It runs out of memory: " } else { "" }
            ),
        ),
        Reason::NoDanger {
            mb,
            needed_mb,
            wanted_mb,
        } => phrase(
            "enough",
            format!(
                "No increase: the average plus the buffer is {wanted_mb}, but the peaks need only {needed_mb}, \
                 and the function has {mb} (P1)"
            ),
        ),
        Reason::LittleEvidence { days, invocations } => phrase(
            shortage(*days, *invocations),
            format!(
                "Too little evidence: {} and {}; it needs {ENOUGH_DAYS} and {ENOUGH_INVOCATIONS} (W6)",
                counted(u64::from(*days), "day"),
                counted(*invocations, "successful invocation")
            ),
        ),
        Reason::PartialEvidence { invocations } => phrase(
            "logs hold failures only",
            format!(
                "Its logs contain reports of failures only (system log level WARN), {invocations} here, so the \
                 memory use of successful invocations is unknown. Attach the layer, which sees all"
            ),
        ),
        Reason::WindowNotFull {
            seen_days,
            window_days,
        } => phrase(
            format!("seen {seen_days} of {window_days} days"),
            format!(
                "First seen {} ago; no automatic decrease before {window_days} days (W4)",
                counted(*seen_days, "day")
            ),
        ),
        Reason::WrappedEvidence => phrase(
            "from an unknown tool's file",
            "Its reports are from the file of an unknown tool, so the function and the times were inferred, and \
             no change is automatic. Check both, or import the logs themselves",
        ),
        Reason::Leak {
            climbing,
            judged,
            mb_per_1000,
        } => phrase(
            format!("leaks {mb_per_1000} MB/1000 calls"),
            format!(
                "Memory leak: the use of {climbing} of {judged} environments keeps rising, by {mb_per_1000} MB \
                 per 1000 invocations. More memory only delays the end; look for what the code keeps (P3)"
            ),
        ),
        Reason::IncreaseLimit {
            increases,
            mb,
            most_increases,
            most_times,
            verified_mb,
        } => phrase(
            format!("{}, needs approval", counted(*increases, "increase")),
            verified_mb.map_or_else(
                || {
                    format!(
                        "It still runs out of memory after {} (limit: {most_increases}); {mb} needs your approval (P3)",
                        counted(*increases, "automatic increase")
                    )
                },
                |verified| {
                    format!(
                        "It still runs out of memory after {} since {verified} was verified (limits: {}, \
                         {most_times} × that size); {mb} needs your approval (P3)",
                        counted(*increases, "automatic increase"),
                        counted(*most_increases, "increase")
                    )
                },
            ),
        ),
        Reason::OneEnvironment {
            mb,
            times,
            wanted_mb,
        } => phrase(
            format!("one environment only, at most {}", mb.0),
            format!(
                "Only one environment needs {wanted_mb}, so {mb}, at most {times} times the last verified size, \
                 until a second one agrees (P3)"
            ),
        ),
        Reason::Objective {
            at_most_ms,
            cost: factor,
            mb,
            now_ms,
            objective,
            then_ms,
        } => phrase(
            format!("{} at {}", objective.name(), mb.0),
            format!(
                "The objective {} asks for {mb}: {} instead of {}, at most {}, for {} (P9)",
                objective.name(),
                duration_text(*then_ms),
                duration_text(*now_ms),
                duration_text(*at_most_ms),
                cost(*factor)
            ),
        ),
        Reason::ObjectiveReached { mb, objective } => phrase(
            format!("best for {}", objective.name()),
            format!(
                "{mb} is the best size for the objective {} as far as it was measured (P9)",
                objective.name()
            ),
        ),
        Reason::DeadBand {
            change_mb,
            least_mb,
        } => phrase(
            format!("only {change_mb} less"),
            format!("{change_mb} less is too small a change; at least {least_mb} (P5)"),
        ),
        Reason::Step { mb, target_mb } => phrase(
            format!("in steps, now {}", mb.0),
            format!("One automatic step may not go that far: {mb} first, on the way to {target_mb} (P5)"),
        ),
        Reason::StepWaits {
            from_mb,
            hours,
            invocations,
            least_hours,
            least_invocations,
            to_mb,
            verified,
        } => phrase(
            format!("waits until {} is verified", to_mb.0),
            format!(
                "Waiting: {} → {to_mb} was {hours} h and {invocations} invocations ago (needs {least_hours} and \
                 {least_invocations}), {} (P5)",
                from_mb.0,
                if *verified { "verified" } else { "not verified yet" }
            ),
        ),
        Reason::Failing {
            count,
            invocations,
            kind,
            mb,
            percent,
        } => phrase(
            format!("{percent} % of the calls fail"),
            format!(
                "{count} of {invocations} invocations at {mb} ended in {} ({percent} %). Failures do not show \
                 that less memory is enough, so the size stays until they succeed, or fail as often at another \
                 size (P6)",
                match kind {
                    FailureKind::Failures => "failures",
                    FailureKind::Crashes => "crashes",
                }
            ),
        ),
        Reason::HeapLimit { count, mb, used_mb } => phrase(
            format!("the runtime's heap was full at {}", used_mb.0),
            format!(
                "The runtime's own heap was full {}, with {} of {mb} used. Check the runtime's limit \
                 (--max-old-space-size of Node, -Xmx of Java) first; until then the size stays (P6)",
                counted(*count, "time"),
                used_mb.0
            ),
        ),
        Reason::InitNear(limit) => speed::init_near(limit),
        Reason::TooSlow(limit) => speed::too_slow(limit),
        Reason::TimeoutNear(limit) => speed::timeout_near(limit),
        Reason::NoSaving(limit) => speed::no_saving(limit),
        Reason::CarefulStep(limit) => speed::careful_step(limit),
        Reason::OnlySlower {
            cost: factor,
            mb,
            slower,
            wanted_mb,
        } => phrase(
            format!("slower below {}", mb.0),
            format!(
                "At {wanted_mb} it would take {slower} × as long as now, for {}; {mb} is faster and costs no more (P6)",
                cost(*factor)
            ),
        ),
        Reason::Alarm { name } => phrase(
            format!("alarm {name}"),
            format!(
                "Its CloudWatch alarm {name} is in ALARM; no automatic decrease until it ends (P5)"
            ),
        ),
        Reason::JustDeployed { minutes } => phrase(
            format!("deployed {minutes} min ago"),
            format!(
                "It was changed {} ago; no automatic decrease within an hour (P5)",
                counted(*minutes, "minute")
            ),
        ),
        Reason::Slower(slowdown) => phrase("slower", slower(slowdown)),
        Reason::TimeoutUnknown { .. } => phrase(
            "timeout unknown",
            "Timeout unknown: a smaller size might not finish in time, so a decrease needs your approval; \
             `serve --inventory lambda` or `import cloudwatch` reads it (P6)",
        ),
        Reason::DurationsUnknown { mb } => phrase(
            "durations unknown",
            format!("No duration was reported at {mb}, so a decrease needs your approval (P6)"),
        ),
        Reason::StackOwned => phrase(
            "export to its pipeline",
            "The next deployment of its pipeline would restore the old size, so this is not sent automatically; \
             `rightsizer export` writes it into the pipeline (P4)",
        ),
        Reason::RollbackOutOfMemory { count } => phrase(
            "back: ran out of memory",
            format!("Rollback: ran out of memory {} since the change", counted(*count, "time")),
        ),
        Reason::RollbackErrors(rise) => phrase("back: more errors", rose("more errors", rise)),
        Reason::RollbackTimeouts(rise) => phrase("back: more timeouts", rose("more timeouts", rise)),
        Reason::RollbackInitFailures(rise) => phrase(
            "back: does not start",
            rose("environments do not start", rise),
        ),
        Reason::RollbackSlower {
            of,
            slow,
            tolerance,
            ..
        } => phrase(
            "back: slower",
            format!(
                "Rollback: slower: {slow} of {of} invocations took longer than {tolerance} × the earlier 95th \
                 percentile"
            ),
        ),
        Reason::RollbackSilent {
            hours,
            longest_hours,
            ..
        } => phrase(
            "back: silent",
            format!(
                "Rollback: not called for {}; the longest silence before was {longest_hours}",
                counted(*hours, "hour")
            ),
        ),
        Reason::Other(other) => phrase(other.code.as_str(), other.code.as_str()),
    }
}
