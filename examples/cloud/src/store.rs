//! Durable state: one SQLite file. It owns the connections and who may use them; what the tables hold and how
//! they are read and changed is in the files below. It knows no HTTP.
//!
//! One thread owns the writing connection and runs one transaction at a time, so that a write never waits for a
//! lock and sequence numbers are handed out in commit order. Readers have connections of their own and never block
//! it (WAL).

pub mod analytics;
pub mod conflicts;
pub mod entities;
pub mod feed;
pub mod outbox;
pub mod outlets;
pub mod push;
mod schema;

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

/// Writes that may wait for the writer; more callers wait outside.
const WAITING_WRITES: usize = 256;
/// Read connections kept open.
const KEPT_READERS: usize = 4;
/// Prepared statements kept on each connection.
const KEPT_STATEMENTS: usize = 64;

/// The store failed; nothing of the transaction took effect.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite's own error.
    #[error("SQLite: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The file was made by a newer version of this program.
    #[error("the database has format {found}, this program knows {known}; use the program that wrote it")]
    NewerFormat {
        /// In the file.
        found: i64,
        /// Known here.
        known: i64,
    },
    /// The writer thread could not be started.
    #[error("cannot start the writer thread: {0}")]
    Thread(#[from] std::io::Error),
    /// The store is closed, or the closure given to it panicked.
    #[error("the store is closed")]
    Closed,
}

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// A handle to the store; cheap to clone. The file is closed when the last handle is gone.
#[derive(Clone)]
pub struct Store {
    writer: mpsc::Sender<Job>,
    readers: Arc<Readers>,
    generation: Arc<str>,
}

struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Store {
    /// Opens or creates the file at `path`.
    ///
    /// # Errors
    /// When the file cannot be opened, is not a database, or is of a newer format.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let mut connection = Connection::open(path)?;
        tune(&connection)?;
        let generation = schema::prepare(&mut connection)?;
        let (writer, mut jobs) = mpsc::channel::<Job>(WAITING_WRITES);
        std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                while let Some(job) = jobs.blocking_recv() {
                    job(&mut connection);
                }
            })?;
        let readers = Readers {
            path: path.to_owned(),
            idle: Mutex::new(Vec::new()),
        };
        Ok(Self {
            writer,
            readers: Arc::new(readers),
            generation: generation.into(),
        })
    }

    /// A name made when the file was created. A checkpoint of another generation means nothing here.
    pub fn generation(&self) -> &str {
        &self.generation
    }

    /// Runs `work` in one transaction; it is on the disk when this answers `Ok`.
    /// Dropping the future does not undo a transaction that already waits or runs.
    ///
    /// # Errors
    /// When `work` or the commit fails; then nothing of it took effect.
    pub async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        match self
            .write_unless_refused(move |tx| work(tx).map(Ok::<_, Infallible>))
            .await?
        {
            Ok(done) => Ok(done),
            Err(never) => match never {},
        }
    }

    /// Like [`Store::write`] for work that may refuse: a refusal is answered and undoes the transaction.
    ///
    /// # Errors
    /// As for [`Store::write`].
    pub async fn write_unless_refused<T, R, F>(&self, work: F) -> Result<Result<T, R>, StoreError>
    where
        T: Send + 'static,
        R: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<Result<T, R>, StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // Nobody waits any more when the send fails; the commit stands either way.
            let _ = answer.send(commit(connection, work));
        });
        self.writer.send(job).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

    /// Runs `work` on a read connection, off the async workers. It sees one consistent state.
    ///
    /// # Errors
    /// When `work` fails or no connection can be opened.
    pub async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let readers = Arc::clone(&self.readers);
        let done = tokio::task::spawn_blocking(move || {
            let mut connection = readers.take()?;
            let result = work(&connection.transaction()?)?;
            readers.give_back(connection);
            Ok(result)
        });
        done.await.map_err(|_| StoreError::Closed)?
    }
}

impl Readers {
    fn take(&self) -> Result<Connection, StoreError> {
        if let Some(connection) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(connection);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        tune(&connection)?;
        Ok(connection)
    }

    fn give_back(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT_READERS {
            idle.push(connection);
        }
    }
}

fn commit<T, R>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> Result<Result<T, R>, StoreError>,
) -> Result<Result<T, R>, StoreError> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let result = work(&tx)?;
    if result.is_ok() {
        tx.commit()?;
    }
    Ok(result)
}

/// `synchronous` is FULL: an outlet drops a change from its queue when this cloud says "success", so a success must
/// survive a power cut. In WAL mode NORMAL may lose the last commits; FULL costs one fsync a transaction, which a
/// batch pays once for all its items.
fn tune(connection: &Connection) -> Result<(), StoreError> {
    if !connection.is_readonly(rusqlite::MAIN_DB)? {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
    }
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -32_000)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(KEPT_STATEMENTS);
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A store in a directory of its own; the directory goes with the returned guard.
    pub(crate) fn scratch() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("cloud.sqlite")).unwrap();
        (dir, store)
    }

    #[tokio::test]
    async fn a_failed_transaction_leaves_nothing() {
        let (_dir, store) = scratch();
        let failed: Result<(), _> = store
            .write(|tx| {
                tx.execute("INSERT INTO meta (key, value) VALUES ('x', 'y')", [])?;
                Err(StoreError::Closed)
            })
            .await;
        assert!(failed.is_err());
        let rows: i64 = store
            .read(|tx| Ok(tx.query_row("SELECT count(*) FROM meta WHERE key = 'x'", [], |r| r.get(0))?))
            .await
            .unwrap();
        assert_eq!(rows, 0);
    }

    #[tokio::test]
    async fn the_generation_survives_reopening_and_differs_between_files() {
        let (dir, store) = scratch();
        let first = store.generation().to_owned();
        drop(store);
        assert_eq!(
            Store::open(&dir.path().join("cloud.sqlite"))
                .unwrap()
                .generation(),
            first
        );
        assert_ne!(
            Store::open(&dir.path().join("other.sqlite"))
                .unwrap()
                .generation(),
            first
        );
    }
}
