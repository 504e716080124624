//! One writer: an advisory lock on `FILE.lock`, which also says who holds it. The operating system
//! releases it when the process ends, however it ends; readers do not look at it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::error::StoreError;

/// Held as long as the store is open for writing.
#[derive(Debug)]
pub(super) struct WriterLock {
    _file: File,
}

impl WriterLock {
    /// Takes the lock beside `store`, and writes `holder` into it for whoever comes second.
    pub(super) fn take(store: &Path, holder: &str) -> Result<Self, StoreError> {
        // Another name of the same file is the same store.
        let path = lock_path(&std::fs::canonicalize(store).unwrap_or_else(|_| store.into()));
        let io = |action| {
            let path = path.clone();
            move |source| StoreError::Io {
                action,
                path,
                source,
            }
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io("open the lock file"))?;
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
        file.set_len(0).map_err(io("write the lock file"))?;
        file.rewind().map_err(io("write the lock file"))?;
        writeln!(file, "{holder} (process {})", std::process::id())
            .map_err(io("write the lock file"))?;
        Ok(Self { _file: file })
    }
}

fn lock_path(store: &Path) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}
