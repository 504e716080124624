//! The local reviewers' key: each server draws a new one and writes it beside its store, readable
//! by its owner only. A user who can read that file may review; a process that only reaches the
//! port may not.

use std::fs::{OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Returns the path of the key's file beside a store.
pub(crate) fn key_file(store: &Path) -> PathBuf {
    // Another name of the same file is the same store.
    let store = std::fs::canonicalize(store).unwrap_or_else(|_| store.into());
    let mut name = store.into_os_string();
    name.push(".key");
    name.into()
}

/// Returns the holder of `store`'s lock, as the lock file describes it; `None` if it is free.
pub fn holder(store: &Path) -> Option<String> {
    let store = std::fs::canonicalize(store).unwrap_or_else(|_| store.into());
    let mut name = store.into_os_string();
    name.push(".lock");
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(crate::lock::NO_LINK)
        .open(&name)
        .ok()?;
    match file.try_lock_shared() {
        Err(std::fs::TryLockError::WouldBlock) => {
            let words = std::fs::read_to_string(&name).ok()?;
            Some(words.trim().to_owned())
        }
        _ => None,
    }
}

/// Draws a key and writes it beside `store`, whose lock the caller holds.
pub fn draw(store: &Path) -> anyhow::Result<String> {
    let path = key_file(store);
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).context("the operating system returns no random numbers")?;
    let key = format!("{:032x}", u128::from_ne_bytes(bytes));
    let write = || -> std::io::Result<()> {
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(key.as_bytes())
    };
    write().with_context(|| format!("cannot write the reviewers' key {}", path.display()))?;
    Ok(key)
}

/// Returns the key of the server that has `store`.
pub fn read_key(store: &Path) -> anyhow::Result<String> {
    let path = key_file(store);
    let key = std::fs::read_to_string(&path).with_context(|| {
        format!(
            "cannot read the reviewers' key {}\nhint: run this as the server's user, or use \
             --server http://HOST:PORT/TOKEN with its --review-token",
            path.display()
        )
    })?;
    Ok(key.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_new_each_time_and_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("store.db");
        std::fs::write(key_file(&store), "old, and readable by all").unwrap();
        let first = draw(&store).unwrap();
        let mode = std::fs::metadata(key_file(&store)).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        assert_eq!(read_key(&store).unwrap(), first);
        assert_ne!(draw(&store).unwrap(), first);
        assert_eq!(first.len(), 32);
    }
}
