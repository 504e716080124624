//! Opens a store: checks that it exists, is ours, has a schema version we know, and is free.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rightsizer_rules::price::PriceTable;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::columns::int;
use super::error::StoreError;
use super::files::{self, OpenFiles};
use super::identity::{
    APPLICATION_ID, SCHEMA_VERSION, check_identity, not_ours, open_to_read, refuse_strangers,
};
use super::lock::WriterLock;
use super::migrate::migrate;
use super::unit::{Unit, WorkingSet};
use super::wal::WAL_KEPT;

/// The schema, as a new store gets it.
pub(super) const SCHEMA: &str = concat!(include_str!("schema.sql"), include_str!("views.sql"));

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
    /// Opens `path` for writing, and creates it if it does not exist. `holder` is shown to a
    /// process that finds it in use.
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
        store.make_tables()?;
        // Its log is there by now.
        files::refuse_other_names(path)?;
        store.files = store.files.with_log()?;
        Ok(store)
    }

    /// Returns its open files, so that another thread can watch them.
    pub fn files(&self) -> OpenFiles {
        self.files.clone()
    }

    pub(super) const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Returns at most `count` further connections that read committed data. It returns fewer if the system cannot
    /// open that many, because the work does not depend on them.
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

    /// Gives a new file its tables, and moves a store of an earlier release to the present schema.
    fn make_tables(&mut self) -> Result<(), StoreError> {
        let tx = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: i64 = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version == 0 {
            tx.execute_batch(SCHEMA)?;
            tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        } else {
            migrate(&tx, version)?;
        }
        if version != SCHEMA_VERSION {
            tx.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        }
        Ok(tx.commit()?)
    }
}

/// How every connection of the writer works.
fn prepare(connection: &Connection, cache: i64) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "cache_size", cache)?;
    // Else every statement that a partial index might serve is planned again for every value, which
    // takes half of a day's close.
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

    /// Reads a snapshot of all committed data.
    pub fn look<T>(
        &mut self,
        look: impl FnOnce(&Unit<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        look(&Unit::new(self.connection.transaction()?, &mut self.rows))
    }
}

/// A store opened for reading only, beside a writer.
#[derive(Debug)]
pub struct Reader {
    pub(super) connection: Connection,
    /// The prices of what it reads; `None` for those of each decision.
    pub(super) prices: Option<PriceTable>,
}

impl Reader {
    /// Opens `path` for reading. A store of an earlier release is moved to the present schema first.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if !files::is_there(path)? {
            return Err(StoreError::Missing(path.into()));
        }
        files::refuse_other_names_without_log(path)?;
        let connection = open_to_read(path)?;
        check_identity(&connection, path)?;
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version == 0 {
            return Err(not_ours(path, "it is empty"));
        }
        let connection = if version < SCHEMA_VERSION {
            drop(connection);
            move_to_this_version(path, version)?;
            open_to_read(path)?
        } else {
            connection
        };
        connection.busy_timeout(BUSY)?;
        Ok(Self {
            connection,
            prices: None,
        })
    }

    /// The connection alone, for what is asked in SQL.
    pub(crate) fn into_connection(self) -> Connection {
        self.connection
    }
}

/// Moves a store of an earlier release to the present schema: a program that only reads cannot.
fn move_to_this_version(path: &Path, found: i64) -> Result<(), StoreError> {
    let moved = Store::open(path, "a command that moves it to a newer schema");
    moved.map(drop).map_err(|error| StoreError::Older {
        path: path.into(),
        found,
        known: SCHEMA_VERSION,
        why: match error {
            StoreError::InUse { holder, .. } => format!("it is in use by {holder}"),
            other => other.to_string(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::super::identity::FIRST_RELEASED;
    use super::*;

    fn file(dir: &tempfile::TempDir) -> PathBuf {
        dir.path().join("store.db")
    }

    #[test]
    fn a_second_writer_is_refused_with_the_name_of_the_holder() {
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

    /// docs/STORE.md explains it: what was answered "stored" must outlive a power cut, and WAL alone
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

    /// Its tables lack columns that every command reads, and nothing was released with them.
    #[test]
    fn a_store_from_before_the_first_release_is_refused_and_left_as_it_was() {
        for version in 1..FIRST_RELEASED {
            let dir = tempfile::tempdir().unwrap();
            let old = Connection::open(file(&dir)).unwrap();
            old.execute_batch("CREATE TABLE functions (id)").unwrap();
            old.pragma_update(None, "application_id", APPLICATION_ID)
                .unwrap();
            old.pragma_update(None, "user_version", version).unwrap();
            drop(old);
            let before = std::fs::read(file(&dir)).unwrap();
            let read = Reader::open(&file(&dir)).unwrap_err().to_string();
            let written = Store::open(&file(&dir), "test").unwrap_err().to_string();
            for error in [read, written] {
                let found = format!("has schema version {version}");
                assert!(
                    error.contains(&found) && error.contains("hint: "),
                    "{error}"
                );
            }
            assert_eq!(std::fs::read(file(&dir)).unwrap(), before);
        }
    }

    #[test]
    fn the_pages_that_name_the_version_of_the_schema_are_right() {
        let page = include_str!("../../../docs/STORE.md");
        let version = format!("`PRAGMA user_version` = {SCHEMA_VERSION}.");
        assert!(page.contains(&version), "{version}");
        let changes = include_str!("../../../CHANGELOG.md");
        let first = format!(
            "The store has schema version {SCHEMA_VERSION}. A store of version {FIRST_RELEASED}"
        );
        assert!(changes.contains(&first), "{first}");
    }

    #[test]
    fn a_store_is_opened_again_with_what_is_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(&file(&dir), "test").unwrap();
        let unit = store.begin().unwrap();
        unit.state().set("key", Some("value")).unwrap();
        unit.commit().unwrap();
        drop(store);
        let mut store = Store::open(&file(&dir), "test").unwrap();
        let state = store.begin().unwrap().state().get("key").unwrap();
        assert_eq!(state.as_deref(), Some("value"));
    }

    #[test]
    fn a_missing_store_is_reported_with_what_makes_one() {
        let dir = tempfile::tempdir().unwrap();
        let error = Reader::open(&file(&dir)).unwrap_err().to_string();
        assert!(error.contains("rightsizer import"), "{error}");
        assert!(!file(&dir).exists(), "reading makes no file");
    }
}
