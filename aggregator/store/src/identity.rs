//! Checks that a file is our store and has a known schema version. Only SQLite opens the file, because this
//! process must not open another descriptor on a file that it may have open.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::error::StoreError;

/// Marks our files among SQLite databases (`PRAGMA application_id`): "RSZR".
pub(super) const APPLICATION_ID: i64 = 0x5253_5a52;
/// The version of the schema (`PRAGMA user_version`).
pub const SCHEMA_VERSION: i64 = 16;
/// The version of the first release. Lower versions are refused; a store of this or a later one is moved.
pub(super) const FIRST_RELEASED: i64 = 14;

/// Opens a store for reading. A reader of a WAL database writes beside it. If that is not allowed and there is
/// no WAL, the file is complete and is read without one.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    let probe = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
    let refused = probe.is_err_and(|e| {
        let code = e.sqlite_error_code();
        matches!(code, Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen))
    });
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    if !refused || Path::new(&wal).exists() {
        return Ok(connection);
    }
    let escaped = path
        .to_string_lossy()
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23");
    let uri = format!("file:{escaped}?immutable=1");
    Ok(Connection::open_with_flags(
        uri,
        flags | OpenFlags::SQLITE_OPEN_URI,
    )?)
}

/// Refuses a file that is not our store, before anything is written beside it. SQLite reads the file, because
/// this process must not open another descriptor on it (see [`files`]).
pub(super) fn refuse_strangers(path: &Path) -> Result<(), StoreError> {
    let looked = open_to_read(path);
    match looked.and_then(|connection| check_identity(&connection, path)) {
        Err(
            error @ (StoreError::NotOurs { .. }
            | StoreError::Newer { .. }
            | StoreError::BeforeRelease { .. }),
        ) => Err(error),
        // A file that cannot be read here fails again, or is recovered, when it is opened for writing.
        _ => Ok(()),
    }
}

pub(super) fn check_identity(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let read = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let identity = || -> rusqlite::Result<(i64, i64, i64)> {
        let tables =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        Ok((read("application_id")?, read("user_version")?, tables))
    };
    match identity() {
        Ok((APPLICATION_ID, found, _)) if found > SCHEMA_VERSION => Err(StoreError::Newer {
            path: path.into(),
            found,
            known: SCHEMA_VERSION,
        }),
        Ok((APPLICATION_ID, found, _)) if (1..FIRST_RELEASED).contains(&found) => {
            Err(StoreError::BeforeRelease {
                path: path.into(),
                found,
                known: SCHEMA_VERSION,
            })
        }
        Ok((APPLICATION_ID, ..) | (0, 0, 0)) => Ok(()),
        Ok(_) => Err(not_ours(
            path,
            "it is an SQLite database of another program",
        )),
        Err(e) if e.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            Err(not_ours(path, "it is not a SQLite database"))
        }
        Err(e) => Err(e.into()),
    }
}

pub(super) fn not_ours(path: &Path, why: &str) -> StoreError {
    StoreError::NotOurs {
        path: PathBuf::from(path),
        why: why.to_owned(),
    }
}
