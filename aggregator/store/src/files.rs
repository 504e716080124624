//! The files of a store: created for their owner only, refused if a link is at their path, and
//! checked while they are open.
//!
//! SQLite's locks are POSIX record locks, which belong to the process: closing *any* descriptor on
//! the database, or on its shared memory, drops all of them, and the next program that closes the
//! store then removes the log under this one. So nothing here opens an existing file: facts come
//! from its path.

use std::fs::{Metadata, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::StoreError;

/// What SQLite keeps beside a database.
const SQLITES: [&str; 3] = ["-wal", "-shm", "-journal"];
/// For the owner alone: it names functions, and who approved what.
const OWNERS: u32 = 0o600;

/// The file of a store with this behind its name.
pub(crate) fn beside(store: &Path, suffix: &str) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The path that SQLite opens for `store`: another name of the same file is the same store.
pub(crate) fn real(store: &Path) -> PathBuf {
    std::fs::canonicalize(store).unwrap_or_else(|_| store.into())
}

/// Which file it is, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId(u64, u64);

impl FileId {
    pub(crate) fn of(facts: &Metadata) -> Self {
        Self(facts.dev(), facts.ino())
    }

    fn at(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().as_ref().map(Self::of)
    }
}

/// The files that a process has open for writing, by path.
#[derive(Debug, Clone)]
pub struct OpenFiles {
    store: PathBuf,
    files: Arc<[(PathBuf, Option<FileId>)]>,
}

impl OpenFiles {
    /// Remembers which files are at the paths of the store at `store` now.
    pub(crate) fn remember(store: &Path) -> Self {
        let files = ["", "-wal", "-shm", ".lock"].map(|suffix| beside(store, suffix));
        let known = |path: PathBuf| {
            let id = FileId::at(&path);
            (path, id)
        };
        Self {
            store: store.to_owned(),
            files: files.map(known).into(),
        }
    }

    /// The same with the log, which SQLite made since. Store and lock must be as they were.
    pub(crate) fn with_log(&self) -> Result<Self, StoreError> {
        for suffix in ["", ".lock"] {
            if !self.stands(suffix) {
                return Err(StoreError::Gone(beside(&self.store, suffix)));
            }
        }
        Ok(Self::remember(&self.store))
    }

    /// Fails if one of them is no longer the file at its path, because what is committed to it
    /// would be lost.
    pub fn check(&self) -> Result<(), StoreError> {
        let gone = self.files.iter().find(|(path, id)| FileId::at(path) != *id);
        match gone {
            None => Ok(()),
            Some((path, _)) => Err(StoreError::Gone(path.clone())),
        }
    }

    /// The store's own path.
    pub fn store(&self) -> &Path {
        &self.store
    }

    fn stands(&self, suffix: &str) -> bool {
        let path = beside(&self.store, suffix);
        let known = self.files.iter().find(|(known, _)| *known == path);
        known.is_some_and(|(path, id)| FileId::at(path) == *id)
    }

    /// Whether the log beside the path is the one that is open, so that closing may remove it.
    pub(crate) fn has_its_log(&self) -> bool {
        self.stands("-wal") && self.stands("-shm")
    }

    /// Whether the database itself is not at its path.
    pub(crate) fn lacks_the_store(&self) -> bool {
        !self.stands("")
    }

    /// Whether every other program still shares this one's locks, so that the log may be written back:
    /// they are in the shared memory.
    pub(crate) fn shares_locks(&self) -> bool {
        self.stands("-shm")
    }
}

/// The path to which a process copies the store at `store` if it is lost.
pub fn rescue_path(store: &Path) -> PathBuf {
    beside(&real(store), &format!(".rescued-{}", std::process::id()))
}

/// Whether `file`, by whatever name, is one of those that SQLite has open of `store`: a process that has
/// the store open must not open it.
pub fn is_part_of(file: &Path, store: &Path) -> bool {
    let Some(id) = FileId::at(file) else {
        return false;
    };
    let store = real(store);
    let mut own = [""].iter().chain(&SQLITES);
    own.any(|suffix| FileId::at(&beside(&store, suffix)) == Some(id))
}

/// Refuses anything that cannot be a store's file, before anything opens it; `false` if there is
/// none.
pub(crate) fn is_there(store: &Path) -> Result<bool, StoreError> {
    let io = |source| StoreError::Io {
        action: "read the store",
        path: store.into(),
        source,
    };
    match std::fs::metadata(store) {
        Ok(facts) if facts.is_file() => Ok(true),
        Ok(_) => Err(StoreError::NotOurs {
            path: store.into(),
            why: "it is not a file".into(),
        }),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        Err(e) => Err(io(e)),
    }
}

/// Refuses a store of more than one name: each name has a log and a lock of its own.
pub(crate) fn refuse_other_names(store: &Path) -> Result<(), StoreError> {
    match std::fs::metadata(store) {
        Ok(facts) if facts.nlink() > 1 => Err(StoreError::ManyNames(store.into())),
        _ => Ok(()),
    }
}

/// The same for reading. If the log is beside this name, it is the name that the writer uses.
pub(crate) fn refuse_other_names_without_log(store: &Path) -> Result<(), StoreError> {
    if beside(&real(store), "-wal").exists() {
        return Ok(());
    }
    refuse_other_names(store)
}

/// Refuses links in the place of what SQLite writes beside `store`.
pub(crate) fn refuse_links_beside(store: &Path) -> Result<(), StoreError> {
    for suffix in SQLITES {
        let path = beside(store, suffix);
        match std::fs::symlink_metadata(&path) {
            Ok(facts) if !facts.is_file() || facts.nlink() > 1 => {
                return Err(StoreError::Link(path));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Makes the file `path` for its owner alone. One that is there, or a link, is refused.
pub fn make(path: &Path) -> std::io::Result<std::fs::File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(OWNERS)
        .open(path)
}

/// Makes the files of `store` accessible to their owner only.
pub(crate) fn close_to_others(store: &Path) {
    for suffix in [""].iter().chain(&SQLITES) {
        let path = beside(store, suffix);
        let open = std::fs::symlink_metadata(&path)
            .is_ok_and(|facts| facts.is_file() && facts.mode() & 0o777 != OWNERS);
        if open {
            // Another user's file keeps its mode: this one may only use it.
            let _ = std::fs::set_permissions(&path, Permissions::from_mode(OWNERS));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_other_names_are_known() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("store.db");
        for suffix in ["", "-wal", "-shm"] {
            std::fs::write(beside(&store, suffix), "").unwrap();
        }
        let (soft, hard) = (dir.path().join("soft"), dir.path().join("hard"));
        std::os::unix::fs::symlink(beside(&store, "-shm"), &soft).unwrap();
        std::fs::hard_link(&store, &hard).unwrap();
        let other = dir.path().join("other");
        std::fs::write(&other, "").unwrap();
        for own in [&store, &beside(&store, "-wal"), &soft, &hard] {
            assert!(is_part_of(own, &store), "{}", own.display());
        }
        assert!(!is_part_of(&other, &store));
        assert!(!is_part_of(&dir.path().join("missing"), &store));
    }

    #[test]
    fn another_file_at_the_same_path_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("store.db");
        std::fs::write(&store, "one").unwrap();
        let files = OpenFiles::remember(&store);
        files.check().unwrap();
        let copy = dir.path().join("copy");
        std::fs::write(&copy, "one").unwrap();
        std::fs::rename(&copy, &store).unwrap();
        assert!(matches!(files.check(), Err(StoreError::Gone(path)) if path == store));
    }
}
