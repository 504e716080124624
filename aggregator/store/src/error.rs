//! Errors of a store, with their hints.

use std::path::PathBuf;

/// A store could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file does not exist.
    #[error(
        "there is no store at {}: `rightsizer serve` or `rightsizer import FILE` creates one; \
         --store FILE names another",
        .0.display()
    )]
    Missing(PathBuf),
    /// The file is not an SQLite database, or belongs to another program.
    #[error("{} is not a Rightsizer store ({why}); nothing was changed in it", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// Written by a later version.
    #[error(
        "the store {} has schema version {found}, but this program only knows versions up to {known}: \
         upgrade the program",
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
    /// Written by a program from before the first release.
    #[error(
        "the store {} has schema version {found}, from before the first release; this program uses version \
         {known} and cannot read it; nothing was changed\n\
         hint: move the file away and import your logs again, or name another file with --store",
        path.display()
    )]
    BeforeRelease {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The one that this program uses.
        known: i64,
    },
    /// Written by an earlier release, and it cannot be moved to the present schema.
    #[error(
        "the store {} has schema version {found}, and cannot be moved to version {known}, which this program uses: {why}\n\
         hint: stop the program that uses it and start it with this version, or run this where the file may be written",
        path.display()
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The one that this program uses.
        known: i64,
        /// Why it cannot be moved.
        why: String,
    },
    /// Another process writes to it.
    #[error(
        "the store {} is in use by {holder}; stop it, or use another file with --store \
         (`rightsizer list` and sqlite3 can read it meanwhile)",
        path.display()
    )]
    InUse {
        /// The file.
        path: PathBuf,
        /// The holder of the lock.
        holder: String,
    },
    /// The file system returned an error.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// The attempted operation.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Its message.
        source: std::io::Error,
    },
    /// The folder of the store does not exist.
    #[error("the folder {} does not exist\nhint: create it, or name another file with --store", .0.display())]
    NoFolder(PathBuf),
    /// A file of the store is not the one that was opened.
    #[error(
        "{} was moved, replaced or removed while this process had the store open, so nothing more is \
         stored",
        .0.display()
    )]
    Gone(PathBuf),
    /// The database has a second name (a hard link).
    #[error(
        "the store {} has more than one name (hard links): each name has its own log, so evidence \
         written through one is missing in the other; remove the other names (`find DIR -samefile \
         FILE` lists them)",
        .0.display()
    )]
    ManyNames(PathBuf),
    /// Something else is at a path that this program writes to.
    #[error(
        "{} is a link or not a regular file, so it is not written to; remove it, and keep the \
         store in a folder that only its user may write to",
        .0.display()
    )]
    Link(PathBuf),
    /// SQLite returned an error.
    #[error("the store cannot be read or written: {0}")]
    Sqlite(rusqlite::Error),
    /// A stored value is not valid.
    #[error("the store is damaged ({0}): restore a backup, or move it away and import again")]
    Damaged(String),
}

impl StoreError {
    /// Returns whether the stored data is damaged, as opposed to a problem of the disk or of permissions.
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged(_))
    }

    /// Returns whether the store's files are no longer at their paths.
    pub const fn is_gone(&self) -> bool {
        matches!(self, Self::Gone(_))
    }
}

/// Returns whether SQLite found damage of the file, its tables or their values.
impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::{Error, ErrorCode};
        let damage = match &error {
            Error::SqliteFailure(failure, _) | Error::SqlInputError { error: failure, .. } => {
                matches!(
                    failure.code,
                    // The last one is the code of "no such table" and similar errors.
                    ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown
                )
            }
            Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::InvalidColumnType(..)
            | Error::Utf8Error(..) => true,
            _ => false,
        };
        if damage {
            return Self::Damaged(error.to_string());
        }
        Self::Sqlite(error)
    }
}

impl From<rightsizer_rules::window::DistributionError> for StoreError {
    fn from(error: rightsizer_rules::window::DistributionError) -> Self {
        Self::Damaged(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_reviewed() {
        let path = || PathBuf::from("rightsizer.db");
        let all = [
            StoreError::Missing(path()),
            StoreError::NotOurs {
                path: path(),
                why: "it is not a SQLite database".into(),
            },
            StoreError::Newer {
                path: path(),
                found: 9,
                known: 8,
            },
            StoreError::BeforeRelease {
                path: path(),
                found: 7,
                known: 8,
            },
            StoreError::Older {
                path: path(),
                found: 8,
                known: 9,
                why: "it is in use by rightsizer serve on 127.0.0.1:8750 (process 22009)".into(),
            },
            StoreError::InUse {
                path: path(),
                holder: "rightsizer serve on 127.0.0.1:8750 (process 22009)".into(),
            },
            StoreError::Io {
                action: "open",
                path: path(),
                source: std::io::ErrorKind::PermissionDenied.into(),
            },
            StoreError::NoFolder("nowhere".into()),
            StoreError::Gone(path()),
            StoreError::ManyNames(path()),
            StoreError::Link("rightsizer.db-wal".into()),
            StoreError::Sqlite(rusqlite::Error::InvalidQuery),
            StoreError::Damaged("a day has no peak".into()),
        ];
        let text: Vec<String> = all.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(text.join("\n\n"));
    }
}
