//! The power curve of a function as its page draws it.

use rightsizer_page::{PowerPoint, PowerView};
use rightsizer_rules::power::{Basis, Drawn, Point};
use rightsizer_store::FunctionDetail;

use crate::power::{CurveError, curve};
use crate::settings::Settings;

/// Returns the curve, or why there is none.
pub(super) fn view(detail: &FunctionDetail, settings: &Settings) -> Result<PowerView, CurveError> {
    let drawn = curve(detail, settings)?;
    if let Some(why) = drawn.refusal() {
        return Err(CurveError::NoEstimate(why.to_owned()));
    }
    Ok(PowerView {
        points: drawn.points.iter().map(point).collect(),
        now_mb: drawn.now_mb.0,
        safe_mb: drawn.safe_mb.0,
        best: best(&drawn),
    })
}

fn point(point: &Point) -> PowerPoint {
    let interval = |middle: Option<f64>, low: Option<f64>, high: Option<f64>| {
        middle.map(|middle| (middle, low.unwrap_or(middle), high.unwrap_or(middle)))
    };
    PowerPoint {
        memory_mb: point.memory_mb.0,
        p50_ms: interval(point.p50_ms, point.p50_low, point.p50_high),
        p95_ms: point.p95_ms,
        usd: interval(point.monthly_usd, point.usd_low, point.usd_high),
        measured: point.basis == Basis::Measured,
        basis: match point.basis {
            Basis::Measured => "measured",
            Basis::Between => "between measured sizes",
            Basis::Cpu => "from the CPU time",
            Basis::Prior => "from similar functions",
            Basis::Unknown => "unknown",
        },
    }
}

/// The best size for each objective, if there is one.
fn best(drawn: &Drawn) -> Vec<(&'static str, u32)> {
    let best = drawn.best;
    let sizes = [
        ("cost", best.cost),
        ("balanced", best.balanced),
        ("speed", best.speed),
    ];
    let known = sizes
        .into_iter()
        .filter_map(|(name, size)| Some((name, size?.0)));
    known.collect()
}
