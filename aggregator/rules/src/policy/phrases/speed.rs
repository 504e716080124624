//! The text of the reasons of P6 that limit how slow a size may be.

use rightsizer_records::{LimitedFigure, SpeedLimit};

use super::parts::rests_on;
use super::{Phrase, phrase};
use crate::policy::duration_text;

pub(super) fn init_near(limit: &SpeedLimit) -> Phrase {
    phrase(
        format!("a start would take {}", duration_text(limit.then)),
        format!(
            "A start took {}. If it is repeated inside an invocation at {}, without the extra CPU of a first \
             start, it may take {} (limit {}); so {} (P6)",
            duration_text(limit.now),
            limit.wanted_mb,
            duration_text(limit.then),
            duration_text(limit.most),
            limit.mb
        ),
    )
}

pub(super) fn too_slow(limit: &SpeedLimit) -> Phrase {
    phrase(
        brief(limit),
        format!(
            "{}: too slow for the objective {}, so {} (P6)",
            change(limit),
            limit.objective.name(),
            limit.mb
        ),
    )
}

pub(super) fn timeout_near(limit: &SpeedLimit) -> Phrase {
    phrase(
        brief(limit),
        format!(
            "{}: too near the timeout, so {} (P6)",
            change(limit),
            limit.mb
        ),
    )
}

pub(super) fn no_saving(limit: &SpeedLimit) -> Phrase {
    phrase(
        format!("no saving below {}", limit.mb.0),
        format!("{}: no saving, so {} (P6)", change(limit), limit.mb),
    )
}

pub(super) fn careful_step(limit: &SpeedLimit) -> Phrase {
    phrase(
        format!("first step to {}", limit.mb.0),
        format!(
            "{}. An automatic change stops at {} first and measures there (P6)",
            change(limit),
            limit.mb
        ),
    )
}

/// What a smaller size would do to the durations (P6).
fn change(limit: &SpeedLimit) -> String {
    let by = rests_on(limit.basis).unwrap_or("at worst: how much CPU it uses is unknown");
    let of = |value: f64| match limit.figure {
        LimitedFigure::Cost => format!("{value} ×"),
        LimitedFigure::Start | LimitedFigure::P95 | LimitedFigure::P99 => duration_text(value),
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

fn brief(limit: &SpeedLimit) -> String {
    format!(
        "{} would be {}",
        name(limit.figure),
        duration_text(limit.then)
    )
}

const fn name(figure: LimitedFigure) -> &'static str {
    match figure {
        LimitedFigure::Start => "start",
        LimitedFigure::P95 => "p95",
        LimitedFigure::P99 => "p99",
        LimitedFigure::Cost => "cost",
    }
}
