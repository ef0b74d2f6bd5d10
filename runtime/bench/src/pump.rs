//! Keeps so many commits under way as there are writers that wait for theirs.

use crate::sqlite::Sqlite;
use anyhow::Context;
use selaras::store::{Batch, SledStore, Store};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// What takes the commits.
pub enum Target {
    /// The store.
    Store(Arc<SledStore>),
    /// What it is compared to.
    Sqlite(Sqlite),
}

type Answer = Pin<Box<dyn Future<Output = anyhow::Result<()>>>>;

impl Target {
    fn commit(&self, batch: Batch) -> anyhow::Result<Answer> {
        Ok(match self {
            Self::Store(store) => {
                let answer = store.commit(batch);
                Box::pin(async { Ok(answer.await.map(drop)?) })
            }
            Self::Sqlite(sqlite) => {
                let answer = sqlite.commit(batch)?;
                Box::pin(async { answer.await.context("SQLite did not commit") })
            }
        })
    }

    /// Ends it.
    ///
    /// # Errors
    /// What had stopped it.
    pub fn close(self) -> anyhow::Result<()> {
        match self {
            Self::Store(store) => Ok(store.close()?),
            Self::Sqlite(sqlite) => sqlite.close(),
        }
    }
}

/// Commits under way.
pub struct Pump {
    runtime: Runtime,
    under_way: VecDeque<Answer>,
    writers: usize,
}

impl Pump {
    /// For so many writers.
    ///
    /// # Errors
    /// When there is no runtime to wait with.
    pub fn new(writers: usize) -> anyhow::Result<Self> {
        Ok(Self {
            runtime: tokio::runtime::Builder::new_current_thread().build()?,
            under_way: VecDeque::with_capacity(writers),
            writers,
        })
    }

    /// Hands one over, and waits for the oldest when all writers have one under way.
    ///
    /// # Errors
    /// When a commit fails.
    pub fn push(&mut self, target: &Target, batch: Batch) -> anyhow::Result<()> {
        self.under_way.push_back(target.commit(batch)?);
        if self.under_way.len() >= self.writers {
            self.wait()?;
        }
        Ok(())
    }

    /// Waits for all.
    ///
    /// # Errors
    /// When a commit fails.
    pub fn drain(&mut self) -> anyhow::Result<()> {
        while !self.under_way.is_empty() {
            self.wait()?;
        }
        Ok(())
    }

    fn wait(&mut self) -> anyhow::Result<()> {
        match self.under_way.pop_front() {
            Some(oldest) => self.runtime.block_on(oldest),
            None => Ok(()),
        }
    }
}
