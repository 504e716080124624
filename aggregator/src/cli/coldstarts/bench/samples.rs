//! The file of starts, one JSON object on each line, and the payload.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use anyhow::{Context as _, bail};
use rightsizer_rules::power::bench::ColdSample;
use serde_json::Value;

use crate::cli::out;

/// Reads the starts of earlier runs.
pub(super) fn read(file: &Path) -> anyhow::Result<Vec<ColdSample>> {
    let text = std::fs::read_to_string(file);
    let text = text.with_context(|| format!("cannot read {}", file.display()))?;
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim().is_empty());
    let samples = lines.map(|(at, line)| {
        serde_json::from_str(line)
            .with_context(|| format!("{}: line {} is not a start", file.display(), at + 1))
    });
    samples.collect()
}

/// A file that starts are added to, if one was named.
pub(super) struct Appended {
    file: Option<File>,
}

/// Opens the file.
pub(super) fn appended(file: Option<&Path>) -> anyhow::Result<Appended> {
    let open = |path: &Path| {
        let file = OpenOptions::new().create(true).append(true).open(path);
        file.with_context(|| format!("cannot write {}", path.display()))
    };
    Ok(Appended {
        file: file.map(open).transpose()?,
    })
}

impl Appended {
    /// Adds a start; after an error nothing more is written.
    pub(super) fn add(&mut self, sample: &ColdSample) {
        let Some(file) = &mut self.file else { return };
        let line = serde_json::to_string(sample).map_err(std::io::Error::from);
        let written = line.and_then(|line| writeln!(file, "{line}"));
        if let Err(error) = written {
            out::note(format_args!("rightsizer: starts are not kept: {error}"));
            self.file = None;
        }
    }
}

/// Returns the payload: JSON, or the content of a file.
pub(super) fn payload(given: Option<&str>) -> anyhow::Result<String> {
    let Some(given) = given else {
        return Ok("{}".to_owned());
    };
    let path = Path::new(given);
    let text = if path.is_file() {
        let text = std::fs::read_to_string(path);
        text.with_context(|| format!("cannot read {given}"))?
    } else {
        given.to_owned()
    };
    if serde_json::from_str::<Value>(&text).is_err() {
        bail!(
            "--payload {given:?} is neither JSON nor a file of JSON; nothing was created or \
             invoked"
        );
    }
    Ok(text)
}
