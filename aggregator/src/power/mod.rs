//! The power curve of a function of the store: pure functions over what a store's reader returns, for the command
//! line and the page. They must not read a store, and they decide nothing.

use rightsizer_records::{Arch, FunctionArn, Megabytes};
use rightsizer_rules::power::{Drawn, NoCurve, Prior, Subject, draw};
use rightsizer_store::FunctionDetail;

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
    let region = FunctionArn::parse(&row.function);
    let region = region.as_ref().ok().map(FunctionArn::region);
    let subject = Subject {
        version: &row.version,
        now_mb: Megabytes(row.current_mb),
        before_mb: None,
        safe_mb: Megabytes(row.target_mb.unwrap_or(row.current_mb)),
        max_mb: settings.policy.max_mb,
        sizes: &detail.sizes,
        elsewhere: &elsewhere,
        monthly_usd: row.monthly_usd_before,
        rates: settings.price.rates(region),
        arch: row.arch.as_deref().map(Arch::from_name),
        settings: settings.power,
    };
    Ok(draw(&row.function, &subject, Prior::shipped())?)
}
