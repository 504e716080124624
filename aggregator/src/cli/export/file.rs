//! Reads a text file, and writes one completely or not at all.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

/// A template is written by people; `CloudFormation` accepts 1 MB.
const LARGEST: u64 = 16 << 20;

/// Reads a text file.
pub(super) fn read(path: &Path) -> anyhow::Result<String> {
    let name = path.display();
    let about = std::fs::metadata(path).with_context(|| format!("cannot read {name}"))?;
    ensure!(about.is_file(), "{name} is not a file");
    ensure!(
        about.len() <= LARGEST,
        "{name} has {} MB, which is too large for a template",
        about.len() >> 20
    );
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {name}"))?;
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => bail!("{name} is not UTF-8 text; is it the right file?"),
    }
}

/// Replaces a file's text, unless it is no longer `before` or may not be written. Links, owner and
/// permissions stay.
pub(super) fn replace(path: &Path, before: &str, after: &str) -> anyhow::Result<()> {
    let name = path.display();
    ensure!(
        read(path)? == before,
        "{name} was changed meanwhile; nothing was written\nhint: run the command again"
    );
    write(path, after)
}

/// Writes a file completely: the new text gets the name when it is on the disk.
pub(super) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let about = std::fs::metadata(&real).ok();
    if about.as_ref().is_some_and(|of| of.permissions().readonly()) {
        bail!(
            "{} is read-only; nothing was written\nhint: make it writable, or apply the diff from \
             standard output",
            path.display()
        );
    }
    let partial = partial(&real);
    fill(&partial, text, about.as_ref())
        .and_then(|()| std::fs::rename(&partial, &real))
        .inspect_err(|_| drop(std::fs::remove_file(&partial)))
        .with_context(|| format!("cannot write {}; it is unchanged", path.display()))
}

fn partial(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.partial", std::process::id()));
    PathBuf::from(name)
}

fn fill(path: &Path, text: &str, like: Option<&std::fs::Metadata>) -> std::io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    file.write_all(text.as_bytes())?;
    if let Some(like) = like {
        file.set_permissions(like.permissions())?;
        let mine = file.metadata()?;
        if (mine.uid(), mine.gid()) != (like.uid(), like.gid()) {
            // Only root can change owners; for other users the owner is already right.
            std::os::unix::fs::fchown(&file, Some(like.uid()), Some(like.gid())).ok();
        }
    }
    file.sync_all()
}
