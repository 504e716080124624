//! What can go wrong with a store, in words that say what to do.

use std::path::PathBuf;

/// A store could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing there to read.
    #[error(
        "there is no store at {}: `rightsizer serve` or `rightsizer import FILE` makes one; \
         --store FILE names another",
        .0.display()
    )]
    Missing(PathBuf),
    /// A file, but no SQLite database or one of another program.
    #[error("{} is not a Rightsizer store ({why}); nothing was changed in it", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// How that shows.
        why: String,
    },
    /// Written by a later version.
    #[error(
        "the store {} has schema version {found}, this program knows up to {known}: upgrade it",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest known here.
        known: i64,
    },
    /// Written by an earlier version, and opened only to be read.
    #[error(
        "the store {} is of schema version {found}, this program reads {known}: `rightsizer serve` or \
         `rightsizer import` brings it up to date when it opens it (keep a copy to go back)",
        path.display()
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The one that is read here.
        known: i64,
    },
    /// Another process writes to it.
    #[error(
        "the store {} is in use by {holder}; stop it, or give another file by --store \
         (reading with `rightsizer list` or sqlite3 works meanwhile)",
        path.display()
    )]
    InUse {
        /// The file.
        path: PathBuf,
        /// Who has it.
        holder: String,
    },
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// SQLite refused.
    #[error("the store cannot be read or written: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// What it holds cannot be.
    #[error("the store is damaged ({0}): restore a backup, or move it away and import again")]
    Damaged(String),
}

impl From<rightsizer_rules::window::DistributionError> for StoreError {
    fn from(error: rightsizer_rules::window::DistributionError) -> Self {
        Self::Damaged(error.to_string())
    }
}
