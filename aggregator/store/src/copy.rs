//! A copy of a store as it was between two commits, made while the writer continues: `VACUUM INTO`
//! reads one snapshot and copies nothing that was deleted.

use std::path::Path;

use anyhow::{Context, ensure};
use rusqlite::Connection;

use crate::{files, inspect};

/// Copies the store that `connection` reads to the new file `to`, and checks the copy.
pub fn copy(connection: &Connection, to: &Path) -> anyhow::Result<()> {
    remove(to)?;
    let pages = "SELECT (page_count - freelist_count) * page_size
        FROM pragma_page_count, pragma_freelist_count, pragma_page_size";
    let bytes: i64 = connection.query_row(pages, [], |row| row.get(0))?;
    room_for(bytes.try_into()?, to)?;
    let name = to.to_str().context("the file's name is not UTF-8")?;
    // SQLite accepts an existing empty file; a file that it creates would be readable by others.
    files::make(to)?;
    connection.execute("VACUUM INTO ?", [name])?;
    let copied = inspect::look(to)?;
    ensure!(
        copied.damage.is_empty(),
        "the store is damaged ({}): run `rightsizer doctor` for what to do",
        copied.damage.join("; ")
    );
    Ok(())
}

/// Checks that the disk has room for a store of this size at `to`, because a full disk would also
/// stop the writer.
pub fn room_for(bytes: u64, to: &Path) -> anyhow::Result<()> {
    let free = inspect::free_bytes(to);
    ensure!(
        free.is_none_or(|free| free > bytes),
        "the store has {} MB, but its disk has {} MB free: make room",
        bytes >> 20,
        free.unwrap_or(0) >> 20
    );
    Ok(())
}

/// Removes a file that may be there.
pub fn remove(file: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(file) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store of more pages than any disk has room for is not copied.
    #[test]
    fn a_disk_without_room_is_reported_before_anything_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("copy.db");
        room_for(0, &to).unwrap();
        let error = room_for(1 << 60, &to).unwrap_err().to_string();
        assert!(error.contains("MB free: make room"), "{error}");
    }
}
