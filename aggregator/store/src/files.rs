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

/// The files of SQLite beside a database.
const SQLITES: [&str; 3] = ["-wal", "-shm", "-journal"];
/// Access for the owner only, because the store names functions and the authors of approvals.
const OWNERS: u32 = 0o600;

/// Returns the path of a store's file with this suffix.
pub(crate) fn beside(store: &Path, suffix: &str) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Returns the path that SQLite opens for `store`; another name of the same file is the same store.
pub(crate) fn real(store: &Path) -> PathBuf {
    std::fs::canonicalize(store).unwrap_or_else(|_| store.into())
}

/// The identity of a file, independent of its name.
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

    /// Also remembers the log, which SQLite has created since. Store and lock must not have changed.
    pub(crate) fn with_log(&self) -> Result<Self, StoreError> {
        for suffix in ["", ".lock"] {
            if !self.stands(suffix) {
                return Err(StoreError::Gone(beside(&self.store, suffix)));
            }
        }
        Ok(Self::remember(&self.store))
    }

    /// Fails if one of them is no longer the file at its path, because commits to it would be lost.
    pub fn check(&self) -> Result<(), StoreError> {
        let gone = self.files.iter().find(|(path, id)| FileId::at(path) != *id);
        match gone {
            None => Ok(()),
            Some((path, _)) => Err(StoreError::Gone(path.clone())),
        }
    }

    /// Returns the store's path.
    pub(crate) fn store(&self) -> &Path {
        &self.store
    }

    fn stands(&self, suffix: &str) -> bool {
        let path = beside(&self.store, suffix);
        let known = self.files.iter().find(|(known, _)| *known == path);
        known.is_some_and(|(path, id)| FileId::at(path) == *id)
    }

    /// Returns whether the log beside the path is the open one, so that closing may remove it.
    pub(crate) fn has_its_log(&self) -> bool {
        self.stands("-wal") && self.stands("-shm")
    }

    /// Returns whether the database is not at its path.
    pub(crate) fn lacks_the_store(&self) -> bool {
        !self.stands("")
    }

    /// Returns whether every other program still shares this one's locks, which are in the shared memory, so that the
    /// log may be written back.
    pub(crate) fn shares_locks(&self) -> bool {
        self.stands("-shm")
    }
}

/// Returns the path to which a process copies the store at `store` if it is lost.
pub fn rescue_path(store: &Path) -> PathBuf {
    beside(&real(store), &format!(".rescued-{}", std::process::id()))
}

/// Returns whether `file`, under any name, is a file of `store` that SQLite has open. A process that has the store
/// open must not open it.
pub fn is_part_of(file: &Path, store: &Path) -> bool {
    let Some(id) = FileId::at(file) else {
        return false;
    };
    let store = real(store);
    let mut own = [""].iter().chain(&SQLITES);
    own.any(|suffix| FileId::at(&beside(&store, suffix)) == Some(id))
}

/// Returns whether `file` belongs to `store` by its name: the store, its logs, its lock, its key, or a rescued copy.
pub fn is_kept_beside(file: &Path, store: &Path) -> bool {
    let (Some(folder), Some(name)) = (file.parent(), file.file_name()) else {
        return false;
    };
    let store = real(store);
    let here = |path: &Path| {
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        std::fs::canonicalize(path).ok()
    };
    let ours = store.parent().and_then(here);
    if ours.is_none() || ours != here(folder) {
        return false;
    }
    let (name, store) = (name.to_string_lossy(), store.file_name());
    let store = store.map(|store| store.to_string_lossy().into_owned());
    let rest = store.and_then(|store| name.strip_prefix(store.as_str()));
    rest.is_some_and(|rest| {
        ["", ".lock", ".key"].contains(&rest)
            || SQLITES.contains(&rest)
            || rest.starts_with(".rescued-")
    })
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

/// Refuses a store with more than one name, because each name has its own log and lock.
pub(crate) fn refuse_other_names(store: &Path) -> Result<(), StoreError> {
    match std::fs::metadata(store) {
        Ok(facts) if facts.nlink() > 1 => Err(StoreError::ManyNames(store.into())),
        _ => Ok(()),
    }
}

/// Checks the same for reading. If the log is beside this name, the writer uses this name.
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

/// Creates the file `path` for its owner only. An existing file or a link is refused.
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
            // Another user's file keeps its mode, because this user may only use it.
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
    fn what_a_store_keeps_beside_itself_is_known_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("store.db");
        for own in [
            "store.db",
            "store.db-wal",
            "store.db-shm",
            "store.db.lock",
            "store.db.key",
        ] {
            assert!(is_kept_beside(&dir.path().join(own), &store), "{own}");
        }
        let through = dir.path().join(".").join("store.db.rescued-7");
        assert!(is_kept_beside(&through, &store));
        for other in [
            "store.db.json",
            "store.db-export",
            "other.db.key",
            "sub/store.db.key",
        ] {
            assert!(!is_kept_beside(&dir.path().join(other), &store), "{other}");
        }
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
