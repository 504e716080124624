//! `rightsizer import` as a whole process into a new store, committed.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::median;

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
        let told: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        ensure!(
            output.status.success() && told["accepted"] == reports,
            "the import did not take everything in: {told}"
        );
        size = std::fs::metadata(&store)?.len();
        Ok(())
    })?;
    Ok((time, size))
}
