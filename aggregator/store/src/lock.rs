//! One writer: an advisory lock on `FILE.lock`, whose content names its holder. The operating
//! system releases it when the process ends, however it ends; readers do not look at it.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::fcntl::OFlag;

use super::error::StoreError;
use super::files::{FileId, beside, real};

/// Does not follow links, and does not block if a pipe is at the file's path.
pub(super) const NO_LINK: i32 = OFlag::O_NOFOLLOW.union(OFlag::O_NONBLOCK).bits();

/// Held as long as the store is open for writing.
#[derive(Debug)]
pub(super) struct WriterLock {
    _file: File,
}

impl WriterLock {
    /// Takes the lock beside `store`, and writes `holder` into it for the next process that tries.
    pub(super) fn take(store: &Path, holder: &str) -> Result<Self, StoreError> {
        // Another name of the same file is the same store.
        let path = beside(&real(store), ".lock");
        let io = |action| {
            let path = path.clone();
            move |source| StoreError::Io {
                action,
                path,
                source,
            }
        };
        let mut file = open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                let holder = if holder.trim().is_empty() {
                    "another process"
                } else {
                    holder.trim()
                };
                return Err(StoreError::InUse {
                    path: store.into(),
                    holder: holder.to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(io("lock")(source)),
        }
        let locked = file.metadata().map_err(io("read the lock file"))?;
        let there = std::fs::symlink_metadata(&path);
        if !there.is_ok_and(|there| FileId::of(&there) == FileId::of(&locked)) {
            // The file was removed in between, and the lock on a file without a name excludes no other
            // process.
            return Err(StoreError::Gone(path));
        }
        file.set_len(0).map_err(io("write the lock file"))?;
        file.rewind().map_err(io("write the lock file"))?;
        writeln!(file, "{holder} (process {})", std::process::id())
            .map_err(io("write the lock file"))?;
        Ok(Self { _file: file })
    }
}

/// Opens the lock file itself and never a link's target, which would be overwritten.
fn open(path: &Path) -> Result<File, StoreError> {
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(NO_LINK)
        .open(path);
    let io = |source| StoreError::Io {
        action: "open the lock file",
        path: path.into(),
        source,
    };
    let link = || StoreError::Link(path.into());
    let file = match opened {
        Err(_) if path.is_symlink() => return Err(link()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let folder = path.parent().filter(|folder| !folder.is_dir());
            return Err(folder.map_or_else(
                || io(error),
                |folder| StoreError::NoFolder(folder.to_owned()),
            ));
        }
        opened => opened.map_err(io)?,
    };
    let facts = file.metadata().map_err(io)?;
    if !facts.is_file() || facts.nlink() > 1 {
        return Err(link());
    }
    if facts.mode() & 0o777 != 0o600 {
        // Another user's file keeps its mode.
        let _ = file.set_permissions(Permissions::from_mode(0o600));
    }
    Ok(file)
}
