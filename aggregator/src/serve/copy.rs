//! A copy of a store as it stood between two commits, made while somebody goes on writing: `VACUUM
//! INTO` reads one snapshot of it, and takes along nothing that was deleted.

use std::path::Path;

use anyhow::{Context, ensure};
use rusqlite::Connection;

use super::look;

/// Copies what `connection` reads, the store, to the new file `to`, and checks the copy.
pub fn copy(connection: &Connection, to: &Path) -> anyhow::Result<()> {
    remove(to)?;
    let name = to.to_str().context("the file's name is not UTF-8")?;
    connection.execute("VACUUM INTO ?", [name])?;
    let copied = look::look(to)?;
    ensure!(
        copied.damage.is_empty(),
        "the store is damaged ({}): `rightsizer doctor` says what to do",
        copied.damage.join("; ")
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
