//! The files that `--template` means, one or all of a Terraform module, with what a patch makes of them.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use rightsizer_export::{Format, ModuleFile, Row, Rules, Size, diff, patch, patch_module};

use super::file;

/// A folder with more is none that one person deploys.
const MOST_FILES: usize = 1000;
/// What Terraform reads of a folder, and the files of values that it may be given.
const ENDINGS: [&str; 4] = [".tf", ".tf.json", ".tfvars", ".tfvars.json"];

/// A file before and after the patch.
pub(in crate::cli) struct PatchedFile {
    path: PathBuf,
    before: String,
    after: String,
}

/// All files, with the result of each size in them.
pub(in crate::cli) struct Patched {
    files: Vec<PatchedFile>,
    pub(in crate::cli) rows: Vec<Row>,
}

/// Patches the file `path`, or all files of the folder if Terraform deploys one.
pub(in crate::cli) fn patched(
    format: Format,
    path: &Path,
    sizes: &[Size],
    rules: &Rules,
) -> anyhow::Result<Patched> {
    if format == Format::Terraform && path.is_dir() {
        return of_folder(path, sizes, rules);
    }
    let before = file::read(path)?;
    let patch = patch(format, &before, sizes, rules)
        .with_context(|| format!("{} was not changed", path.display()))?;
    Ok(Patched {
        files: vec![PatchedFile {
            path: path.to_owned(),
            before,
            after: patch.text,
        }],
        rows: patch.rows,
    })
}

fn of_folder(folder: &Path, sizes: &[Size], rules: &Rules) -> anyhow::Result<Patched> {
    let name = folder.display();
    let mut before = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {name}"))? {
        let path = entry.with_context(|| format!("cannot read {name}"))?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let is_read = ENDINGS.iter().any(|ending| file.ends_with(ending));
        if is_read && !file.starts_with('.') && path.is_file() {
            before.push(ModuleFile {
                name: file.into_owned(),
                text: file::read(&path)?,
            });
        }
        ensure!(
            before.len() <= MOST_FILES,
            "{name} has more than {MOST_FILES} files of Terraform; give one of them"
        );
    }
    ensure!(
        !before.is_empty(),
        "{name} has no file of Terraform (.tf, .tf.json)"
    );
    before.sort_by(|a, b| a.name.cmp(&b.name));
    let patch = patch_module(&before, sizes, rules)
        .with_context(|| format!("nothing in {name} was changed"))?;
    let files = before.into_iter().zip(patch.files);
    Ok(Patched {
        files: files
            .map(|(before, after)| PatchedFile {
                path: folder.join(&before.name),
                before: before.text,
                after: after.text,
            })
            .collect(),
        rows: patch.rows,
    })
}

impl Patched {
    /// The files that are changed.
    pub(super) fn changed(&self) -> impl Iterator<Item = &PatchedFile> {
        self.files.iter().filter(|file| file.before != file.after)
    }

    /// The change as a unified diff; empty if there is none.
    pub(super) fn diff(&self) -> String {
        let of = |file: &PatchedFile| {
            let name = file.path.to_string_lossy();
            let name = name.trim_start_matches("./").trim_start_matches('/');
            diff(name, &file.before, &file.after)
        };
        self.changed().map(of).collect()
    }

    /// Writes the changed files, each whole or not at all.
    pub(super) fn write(&self) -> anyhow::Result<()> {
        let mut written: Vec<String> = Vec::new();
        for file in self.changed() {
            file::replace(&file.path, &file.before, &file.after).with_context(|| match written
                .as_slice()
            {
                [] => "no file was changed".to_owned(),
                done => format!("{} is written already", done.join(", ")),
            })?;
            written.push(file.path.display().to_string());
        }
        Ok(())
    }
}

impl PatchedFile {
    /// Its name, as the command line gave it.
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }
}
