//! SQLite doing what the store does: the same batches, with their preconditions, feed numbers and own row, made durable
//! by one thread that commits what waits in one transaction (WAL, synchronous=FULL).

use anyhow::{Context, bail};
use rusqlite::{Connection, OptionalExtension, params};
use selaras::store::{Batch, Expected, feed_key};
use std::path::Path;
use std::sync::mpsc;
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// As the store has it: batches in one group, and bytes of cache.
const GROUP: usize = 256;
const CACHE_KIB: i64 = 32 << 10;
const META_KEY: [u8; 1] = [0xF0];

type Job = (Batch, oneshot::Sender<()>);

/// A database and the thread that writes it.
pub struct Sqlite {
    jobs: Option<mpsc::SyncSender<Job>>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Sqlite {
    /// Makes one in `dir`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(dir: &Path) -> anyhow::Result<Self> {
        let db = Connection::open(dir.join("store.sqlite"))?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.pragma_update(None, "synchronous", "FULL")?;
        db.pragma_update(None, "cache_size", -CACHE_KIB)?;
        db.execute_batch("CREATE TABLE kv (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")?;
        let (jobs, waiting) = mpsc::sync_channel(512);
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || run(db, &waiting))?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// Hands a batch over; the answer comes when it is durable.
    ///
    /// # Errors
    /// When the thread has ended.
    pub fn commit(&self, batch: Batch) -> anyhow::Result<oneshot::Receiver<()>> {
        let (done, answer) = oneshot::channel();
        let jobs = self.jobs.as_ref().context("it is closed")?;
        jobs.send((batch, done))
            .ok()
            .context("SQLite's writer has ended")?;
        Ok(answer)
    }

    /// Ends it.
    ///
    /// # Errors
    /// What went wrong in its thread.
    pub fn close(mut self) -> anyhow::Result<()> {
        drop(self.jobs.take());
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(outcome)) => outcome,
            Some(Err(_)) => bail!("SQLite's writer panicked"),
            None => Ok(()),
        }
    }
}

fn run(mut db: Connection, waiting: &mpsc::Receiver<Job>) -> anyhow::Result<()> {
    let mut feed_head = 0;
    while let Ok(first) = waiting.recv() {
        let mut answers = Vec::with_capacity(GROUP);
        let group = db.transaction()?;
        for (batch, answer) in std::iter::once(first).chain(waiting.try_iter().take(GROUP - 1)) {
            write(&group, &batch, &mut feed_head)?;
            answers.push(answer);
        }
        put(&group, &META_KEY, &[0; 200])?;
        group.commit()?;
        for answer in answers {
            // Whoever does not wait any more does not want to know.
            let _ = answer.send(());
        }
    }
    Ok(())
}

fn write(group: &Connection, batch: &Batch, feed_head: &mut u64) -> anyhow::Result<()> {
    for expect in &batch.expects {
        let mut select = group.prepare_cached("SELECT value FROM kv WHERE key = ?1")?;
        let held: Option<Vec<u8>> = select
            .query_row(params![expect.key], |row| row.get(0))
            .optional()?;
        let met = match (&expect.want, &held) {
            (Expected::Absent, held) => held.is_none(),
            (Expected::StartsWith(start), Some(held)) => held.starts_with(start),
            (Expected::StartsWith(_), None) => false,
        };
        if !met {
            bail!("a precondition of the bench's own batches does not hold");
        }
    }
    for (key, value) in &batch.writes {
        match value {
            Some(value) => put(group, key, value)?,
            None => {
                let mut delete = group.prepare_cached("DELETE FROM kv WHERE key = ?1")?;
                delete.execute(params![key])?;
            }
        }
    }
    for entry in &batch.feed {
        *feed_head += 1;
        put(group, &feed_key(*feed_head), entry)?;
    }
    Ok(())
}

fn put(group: &Connection, key: &[u8], value: &[u8]) -> anyhow::Result<()> {
    let mut insert = group.prepare_cached("INSERT OR REPLACE INTO kv (key, value) VALUES (?1, ?2)")?;
    insert.execute(params![key, value])?;
    Ok(())
}
