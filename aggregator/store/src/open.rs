//! Opening: is it there, is it ours, is it of a version we know, is it free.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::columns::int;
use super::error::StoreError;
use super::files::{self, OpenFiles};
use super::lock::WriterLock;
use super::unit::{Unit, WorkingSet};
use super::wal::WAL_KEPT;

/// Marks our files among SQLite databases (`PRAGMA application_id`): "RSZR".
const APPLICATION_ID: i64 = 0x5253_5a52;
/// The schema this program writes (`PRAGMA user_version`).
pub const SCHEMA_VERSION: i64 = 8;
/// The schema by version: entry n takes a store from version n to n + 1.
const MIGRATIONS: [&str; 8] = [
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
    include_str!("schema/5.sql"),
    include_str!("schema/6.sql"),
    include_str!("schema/7.sql"),
    include_str!("schema/8.sql"),
];

/// SQLite's own cache, in KiB (negative, as the pragma wants it): the upper pages of a million
/// functions' tables.
const PAGE_CACHE_KIB: i64 = -131_072;
/// How long a connection waits for a lock that another program holds.
pub(super) const BUSY: Duration = Duration::from_secs(10);
/// Of a connection that reads each page once.
const READER_CACHE_KIB: i64 = -16_384;

/// A store open for writing; no second one can be opened until it is dropped.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    rows: WorkingSet,
    files: OpenFiles,
    _lock: WriterLock,
}

impl Store {
    /// Opens `path` for writing, making it where it does not exist. `holder` tells whoever finds
    /// it in use who has it.
    pub fn open(path: &Path, holder: &str) -> Result<Self, StoreError> {
        let real = files::real(path);
        if files::is_there(path)? {
            files::refuse_other_names(path)?;
            refuse_strangers(path)?;
        }
        let lock = WriterLock::take(path, holder)?;
        files::refuse_links_beside(&real)?;
        if !files::is_there(path)? {
            files::make(&real).map_err(|source| StoreError::Io {
                action: "make the store",
                path: path.into(),
                source,
            })?;
        }
        let before = OpenFiles::remember(&real);
        let flags = OpenFlags::default() & !OpenFlags::SQLITE_OPEN_CREATE;
        let connection = Connection::open_with_flags(&real, flags)?;
        check_identity(&connection, path)?;
        files::close_to_others(&real);
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "journal_size_limit", int(WAL_KEPT))?;
        prepare(&connection, PAGE_CACHE_KIB)?;
        let mut store = Self {
            connection,
            rows: WorkingSet::default(),
            files: before,
            _lock: lock,
        };
        store.migrate()?;
        // Its log is there by now.
        files::refuse_other_names(path)?;
        store.files = store.files.with_log()?;
        Ok(store)
    }

    /// The files that it has open: another thread may watch them.
    pub fn files(&self) -> OpenFiles {
        self.files.clone()
    }

    pub(super) const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// At most `count` connections that read what was committed, beside this one. Fewer where the
    /// system has none to give: what they do can be done without them.
    pub fn readers(&self, count: usize) -> Vec<Beside> {
        let path = self.connection.path().map(PathBuf::from);
        let open = |_| Beside::open(path.as_deref()?).ok();
        (0..count).map_while(open).collect()
    }

    /// Begins a unit of work: all of it is committed, or none (W8).
    pub fn begin(&mut self) -> Result<Unit<'_>, StoreError> {
        self.files.check()?;
        // One that reads first and writes later fails if another program has written in between.
        let tx = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let unit = Unit::new(tx, &mut self.rows);
        Ok(unit.watching(&self.files))
    }

    fn migrate(&mut self) -> Result<(), StoreError> {
        let tx = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: i64 = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
        for step in MIGRATIONS
            .iter()
            .skip(usize::try_from(version).unwrap_or(0))
        {
            tx.execute_batch(step)?;
        }
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        Ok(tx.commit()?)
    }
}

/// How every connection of the writer works.
fn prepare(connection: &Connection, cache: i64) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "cache_size", cache)?;
    // Else every statement that a partial index might serve is planned anew for every value: half of
    // a day's close.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(())
}

/// A connection of the writer's own that only reads, for another thread.
#[derive(Debug)]
pub struct Beside {
    connection: Connection,
    rows: WorkingSet,
}

impl Beside {
    fn open(path: &Path) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        prepare(&connection, READER_CACHE_KIB)?;
        Ok(Self {
            connection,
            rows: WorkingSet::default(),
        })
    }

    /// Looks at all that was committed, as it is now.
    pub fn look<T>(
        &mut self,
        look: impl FnOnce(&Unit<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        look(&Unit::new(self.connection.transaction()?, &mut self.rows))
    }
}

/// A store open for reading only, beside whoever writes.
#[derive(Debug)]
pub struct Reader {
    pub(super) connection: Connection,
}

impl Reader {
    /// Opens `path` for reading.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if !files::is_there(path)? {
            return Err(StoreError::Missing(path.into()));
        }
        files::refuse_other_names_without_log(path)?;
        let connection = open_to_read(path)?;
        check_identity(&connection, path)?;
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version == 0 {
            return Err(StoreError::NotOurs {
                path: path.into(),
                why: "it is empty".into(),
            });
        }
        if version < SCHEMA_VERSION {
            return Err(StoreError::Older {
                path: path.into(),
                found: version,
                known: SCHEMA_VERSION,
            });
        }
        connection.busy_timeout(BUSY)?;
        Ok(Self { connection })
    }

    /// The connection alone, for what is asked in SQL.
    pub fn into_connection(self) -> Connection {
        self.connection
    }
}

/// A reader of a WAL database writes beside it. Where that is not allowed and nobody left a WAL, the
/// file is all there is, and is read as it stands.
fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
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

/// Refuses what is not ours before anything is written beside it. By SQLite, for no other descriptor may
/// be opened on a file that this process may have open (see [`files`]).
fn refuse_strangers(path: &Path) -> Result<(), StoreError> {
    let looked = open_to_read(path);
    match looked.and_then(|connection| check_identity(&connection, path)) {
        Err(error @ (StoreError::NotOurs { .. } | StoreError::Newer { .. })) => Err(error),
        // What keeps it from being read shows again, or is mended, when it is opened to be written.
        _ => Ok(()),
    }
}

fn check_identity(connection: &Connection, path: &Path) -> Result<(), StoreError> {
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
        Ok((APPLICATION_ID, ..) | (0, 0, 0)) => Ok(()),
        Ok(_) => Err(not_ours(
            path,
            "it is an SQLite database of another program",
        )),
        Err(e) if e.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            Err(not_ours(path, "it is no SQLite database"))
        }
        Err(e) => Err(e.into()),
    }
}

fn not_ours(path: &Path, why: &str) -> StoreError {
    StoreError::NotOurs {
        path: PathBuf::from(path),
        why: why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(dir: &tempfile::TempDir) -> PathBuf {
        dir.path().join("store.db")
    }

    #[test]
    fn a_second_writer_is_refused_and_told_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = Store::open(&file(&dir), "rightsizer serve on 127.0.0.1:8750").unwrap();
        let error = Store::open(&file(&dir), "another").unwrap_err().to_string();
        assert!(
            error.contains("in use by rightsizer serve on 127.0.0.1:8750 (process "),
            "{error}"
        );
        assert!(
            Reader::open(&file(&dir)).is_ok(),
            "reading is always allowed"
        );
        drop(first);
        assert!(Store::open(&file(&dir), "another").is_ok());
    }

    #[test]
    fn a_file_that_is_not_ours_is_refused_and_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(file(&dir), "a diary, not a database").unwrap();
        let error = Store::open(&file(&dir), "test").unwrap_err();
        assert!(matches!(error, StoreError::NotOurs { .. }), "{error}");
        assert_eq!(
            std::fs::read(file(&dir)).unwrap(),
            b"a diary, not a database"
        );
        assert!(matches!(
            Reader::open(&file(&dir)),
            Err(StoreError::NotOurs { .. })
        ));
    }

    #[test]
    fn a_database_of_another_program_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let other = Connection::open(file(&dir)).unwrap();
        other.execute_batch("CREATE TABLE notes (text)").unwrap();
        assert!(matches!(
            Store::open(&file(&dir), "test"),
            Err(StoreError::NotOurs { .. })
        ));
    }

    #[test]
    fn another_name_of_the_same_file_is_the_same_store() {
        let dir = tempfile::tempdir().unwrap();
        let first = Store::open(&file(&dir), "the first").unwrap();
        let link = dir.path().join("link.db");
        std::os::unix::fs::symlink(file(&dir), &link).unwrap();
        assert!(matches!(
            Store::open(&link, "the second"),
            Err(StoreError::InUse { .. })
        ));
        drop(first);
    }

    /// docs/OPERATIONS.md says why: what was answered "stored" must outlive a power cut, and WAL alone
    /// syncs only at checkpoints.
    #[test]
    fn w8_a_store_is_opened_so_that_a_commit_outlives_a_power_cut() {
        let dir = tempfile::tempdir().unwrap();
        for time in ["made", "opened again"] {
            let store = Store::open(&file(&dir), "test").unwrap();
            let pragma = |name: &str| {
                let value = store
                    .connection
                    .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0));
                value.unwrap()
            };
            assert_eq!(pragma("journal_mode"), "wal".to_owned().into(), "{time}");
            // 2 is FULL.
            assert_eq!(pragma("synchronous"), 2.into(), "{time}");
        }
    }

    #[test]
    fn a_store_of_a_later_version_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        drop(Store::open(&file(&dir), "test").unwrap());
        let later = Connection::open(file(&dir)).unwrap();
        later
            .pragma_update(None, "user_version", SCHEMA_VERSION + 1)
            .unwrap();
        let error = Store::open(&file(&dir), "test").unwrap_err();
        assert!(matches!(error, StoreError::Newer { found, .. } if found == SCHEMA_VERSION + 1));
    }

    #[test]
    fn nothing_to_read_is_said_with_what_makes_it() {
        let dir = tempfile::tempdir().unwrap();
        let error = Reader::open(&file(&dir)).unwrap_err().to_string();
        assert!(error.contains("rightsizer import"), "{error}");
        assert!(!file(&dir).exists(), "reading makes no file");
    }
}

#[cfg(test)]
#[path = "migration_tests.rs"]
mod migration_tests;
