//! The power curve of a function of the store: pure functions over what a store's reader returns, for the command
//! line and the page. They must not read a store, and they decide nothing.

use rightsizer_records::{Arch, FunctionArn, Megabytes};
use rightsizer_rules::policy::safe_size;
use rightsizer_rules::power::{
    Advice, Advised, ColdStart, Configured, ConfiguredUse, Drawn, NoCurve, Started, Subject, draw,
};
use rightsizer_rules::price::Rates;
use rightsizer_store::{FunctionDetail, ReviewRow};

use crate::settings::Settings;

/// The reason for which a function has no curve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CurveError {
    /// Many requests share an environment.
    #[error(
        "it runs on managed instances, where requests share an environment, so memory does not set its CPU share"
    )]
    ManagedInstances,
    /// A replica at the edge.
    #[error("it is a replica at the edge, whose size is that of the function in us-east-1")]
    EdgeReplica,
    /// No size has an estimate.
    #[error("{0}")]
    NoEstimate(String),
    /// It never reported.
    #[error(transparent)]
    NotMeasured(#[from] NoCurve),
}

/// Returns the power curve of a function with intervals and measured points, from what [`rightsizer_store::Reader`]
/// has of it: `Reader::detail`, or `inspect::function_named`.
///
/// # Errors
/// If it has no measurements, or if its size does not set its CPU share.
pub fn curve(detail: &FunctionDetail, settings: &Settings) -> Result<Drawn, CurveError> {
    let row = &detail.review;
    if let Some(configuration) = &detail.configuration {
        if configuration.managed_instances {
            return Err(CurveError::ManagedInstances);
        }
        if configuration.edge_replica {
            return Err(CurveError::EdgeReplica);
        }
    }
    let tools = detail.measured_sizes.iter();
    let elsewhere: Vec<(Megabytes, f64)> = tools
        .map(|size| (size.memory_mb, size.duration_ms))
        .collect();
    let subject = Subject {
        version: &row.version,
        now_mb: Megabytes(row.current_mb),
        before_mb: detail.before_mb,
        safe_mb: safe_mb(row).unwrap_or(Megabytes(row.current_mb)),
        max_mb: configured(row).most(&settings.policy),
        sizes: &detail.sizes,
        elsewhere: &elsewhere,
        monthly_usd: row.monthly_usd_before,
        rates: rates(detail, settings),
        arch: arch(detail),
        weight: settings.power.weight,
        speed_budget: settings.power.speed_budget,
    };
    Ok(draw(&row.function, &subject, settings.power.prior())?)
}

fn configured(row: &ReviewRow) -> rightsizer_rules::policy::Configured {
    let tags = row.tags.iter();
    let tags = tags.map(|(name, value)| (name.as_str(), value.as_str()));
    rightsizer_rules::policy::Configured::read(None, tags, &[])
}

/// Returns the smallest size that P1 to P6 allow, whatever the objective; `None` without a decision.
pub fn safe_mb(row: &ReviewRow) -> Option<Megabytes> {
    let target = Megabytes(row.target_mb?);
    let policy = row.policy_mb.map_or(target, Megabytes);
    Some(safe_size(policy, target, &row.reasons))
}

/// Returns the cold starts of a function by version and size.
pub fn cold_starts(detail: &FunctionDetail, settings: &Settings) -> Vec<ColdStart> {
    rightsizer_rules::power::cold_starts(&started(detail, settings))
}

/// Returns what the provisioned concurrency of a function costs and does.
pub fn configured_use(
    detail: &FunctionDetail,
    settings: &Settings,
    configured: &[Configured],
) -> Vec<ConfiguredUse> {
    rightsizer_rules::power::configured_use(configured, &started(detail, settings))
}

fn started<'a>(detail: &'a FunctionDetail, settings: &Settings) -> Started<'a> {
    Started {
        sizes: &detail.sizes,
        timeout_ms: timeout_ms(detail),
        timeout_share: settings.policy.timeout_share,
        rates: rates(detail, settings),
        arch: arch(detail),
    }
}

/// Returns advice on a function's timeout, architecture and provisioned concurrency, which is shown and never applied.
pub fn advice(detail: &FunctionDetail, settings: &Settings) -> Vec<Advice> {
    let row = &detail.review;
    let starts = cold_starts(detail, settings);
    let here = starts
        .iter()
        .find(|start| start.memory_mb.0 == row.current_mb && start.version == row.version);
    rightsizer_rules::power::advice(&Advised {
        p99_ms: row.p99_ms,
        timeout_ms: timeout_ms(detail),
        timeout_share: settings.policy.timeout_share,
        arch: arch(detail),
        monthly_usd: row.monthly_usd_before,
        rates: rates(detail, settings),
        sizes: &detail.sizes,
        starts: here,
    })
}

fn rates(detail: &FunctionDetail, settings: &Settings) -> Rates {
    let function = FunctionArn::parse(&detail.review.function);
    settings
        .price
        .rates(function.as_ref().ok().map(FunctionArn::region))
}

fn arch(detail: &FunctionDetail) -> Option<Arch> {
    detail.review.arch.as_deref().map(Arch::from_name)
}

#[expect(clippy::cast_precision_loss, reason = "at most 15 minutes")]
fn timeout_ms(detail: &FunctionDetail) -> Option<f64> {
    detail.timeout_ms.map(|ms| ms as f64)
}
