//! Files taken into a new store, committed: by `rightsizer import` as a whole process, and by its
//! library, which tells the parts apart.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rightsizer::import::{ImportError, take_in};
use rightsizer::pipeline::{Accept, Pipeline};
use rightsizer::settings::Settings;
use rightsizer_formats::{Hints, ImportReport};
use rightsizer_rules::window::ClockMode;
use rightsizer_store::Store;

use crate::files::at;
use crate::median;

/// Median time of importing `file` into a new store, and the size of that store in bytes.
pub fn import(binary: &Path, file: &Path, reports: u64, runs: usize) -> Result<(Duration, u64)> {
    let mut size = 0;
    let time = median(runs, || {
        let folder = tempfile::tempdir_in(file.parent().context("a file lies in a folder")?)?;
        let store = folder.path().join("store.db");
        let output = Command::new(binary)
            .args(["import", "--json", "--store"])
            .arg(&store)
            .arg(file)
            .stderr(Stdio::inherit())
            .output()?;
        let json: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        ensure!(
            output.status.success() && json["accepted"] == reports,
            "the import did not accept everything: {json}"
        );
        size = std::fs::metadata(&store)?.len();
        Ok(())
    })?;
    Ok((time, size))
}

/// The times of taking `file` into a new store, and of deciding its functions then.
pub fn parts(file: &Path, reports: u64) -> Result<(Duration, Duration)> {
    let folder = tempfile::tempdir_in(file.parent().context("a file lies in a folder")?)?;
    let store = Store::open(&folder.path().join("store.db"), "the speed measurement")?;
    let mut pipeline = Pipeline::new(
        store,
        ClockMode::Event,
        Settings::default(),
        Accept::default(),
    )?;
    let now = at(30 * 86_400_000)?;
    let hints = Hints {
        function: None,
        date: None,
        fallback_date: now.day(),
        file_name: String::new(),
        home: None,
        owners: std::sync::Arc::default(),
    };
    let (accept, mut report) = (Accept::default(), ImportReport::default());
    let input = File::open(file)?;
    let started = Instant::now();
    pipeline.work::<ImportError>(now, |session| {
        take_in(
            session,
            input,
            "the file",
            &hints,
            (&accept, now),
            &mut report,
        )
    })?;
    let taken = started.elapsed();
    ensure!(
        report.accepted == reports,
        "not everything was taken in: {report}"
    );
    let started = Instant::now();
    pipeline.finish(now)?;
    Ok((taken, started.elapsed()))
}
