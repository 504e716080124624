//! What the store knows of a function before a run, and the results of the run as evidence for its curve.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use rightsizer_aws::clock::now;
use rightsizer_formats::{Hints, ImportReport};
use rightsizer_records::{FunctionArn, Megabytes};
use rightsizer_rules::evidence::FunctionKey;
use rightsizer_rules::power::tuning::SizeStatistics;
use rightsizer_rules::power::{Drawn, SizePoint, SizeUse};
use rightsizer_rules::window::ClockMode;
use rightsizer_store::{FunctionDetail, Store};
use serde_json::{Value, json};

use crate::import::{ImportError, take_in};
use crate::pipeline::{Accept, Pipeline};
use crate::power::{curve, safe_mb};
use crate::settings::Settings;

/// What the store knows of a function.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Its curve, if it has one.
    pub curve: Option<Drawn>,
    /// What production has shown of the version that is tuned.
    pub production: Vec<SizePoint>,
    /// The smallest safe size.
    pub safe_mb: Option<Megabytes>,
}

impl Known {
    /// Reads what a store's reader returned of the function; other versions than `version` count only for the safe
    /// size.
    pub fn of(detail: &FunctionDetail, version: &str, settings: &Settings) -> Self {
        let sizes = detail.sizes.iter().filter(|size| size.version == version);
        let mut production: Vec<SizePoint> = sizes.filter_map(SizeUse::point).collect();
        production.sort_unstable_by_key(|point| point.memory_mb);
        Self {
            curve: curve(detail, settings).ok(),
            production,
            safe_mb: safe_mb(&detail.review),
        }
    }

    /// Returns the expected duration at `size`.
    pub(crate) fn expected_ms(&self, size: Megabytes) -> Option<f64> {
        let points = &self.curve.as_ref()?.points;
        let after = points.iter().position(|point| point.memory_mb >= size)?;
        let nearest = [after.checked_sub(1), Some(after)];
        let nearest = nearest.into_iter().flatten().map(|at| &points[at]);
        let nearest = nearest.min_by_key(|point| point.memory_mb.0.abs_diff(size.0));
        nearest.and_then(|point| point.p50_ms)
    }
}

/// Returns the results as a document that `rightsizer import` reads.
pub(crate) fn result_document(function: &FunctionArn, sizes: &[SizeStatistics]) -> Value {
    let stats = sizes.iter().filter_map(|size| {
        let typical = size.typical?;
        Some(json!({
            "value": size.memory_mb.0,
            "averageDuration": typical.mean_ms,
            "averagePrice": typical.usd,
        }))
    });
    json!({
        "lambdaARN": function.as_str(),
        "stopDate": now().to_string(),
        "stats": stats.collect::<Vec<_>>(),
    })
}

/// Writes the results into the store, as an import of them does.
///
/// # Errors
/// If the store cannot be written, for example because a server has it.
pub fn save(
    store: &Path,
    settings: Settings,
    function: &FunctionArn,
    sizes: &[SizeStatistics],
) -> anyhow::Result<()> {
    let document = result_document(function, sizes).to_string();
    let store = Store::open(store, "rightsizer tune")?;
    let mut pipeline = Pipeline::new(store, ClockMode::Event, settings, Accept::default())?;
    let hints = Hints {
        function: Some(FunctionKey::Arn(function.clone())),
        date: None,
        fallback_date: now().day(),
        file_name: function.name().to_owned(),
        home: None,
        owners: Arc::default(),
    };
    let (accept, mut report) = (Accept::default(), ImportReport::default());
    let taken = pipeline.work(now(), |session| {
        let against = (&accept, now());
        let input = document.as_bytes();
        take_in(
            session,
            input,
            "rightsizer tune",
            &hints,
            against,
            &mut report,
        )
    });
    taken.map_err(|error: ImportError| anyhow::Error::from(error))?;
    pipeline
        .finish(now())
        .context("the results were stored, but no size was decided")?;
    Ok(())
}
