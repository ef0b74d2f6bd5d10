//! What each command asks of the engine.

use super::connection::Connection;
use super::protocol::{BackupMade, BackupSent, Command, Exported, Health, Listed, Rewritten};
use crate::engine::api::{ImportError, PluginView, Unavailable};
use crate::engine::{Engine, Import};
use selaras_core::id::EntityType;
use serde::Serialize;
use serde_json::Value;
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Bytes that go out at a time.
const PART_BYTES: usize = 256 << 10;

/// Why a command did not come to its end.
pub(super) enum Ended {
    /// The peer is gone.
    Gone(io::Error),
    /// The engine could not, and the peer is to hear why.
    Refused(String),
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        Self::Gone(error)
    }
}

impl From<Unavailable> for Ended {
    fn from(error: Unavailable) -> Self {
        Self::Refused(error.to_string())
    }
}

impl From<ImportError> for Ended {
    fn from(error: ImportError) -> Self {
        Self::Refused(error.to_string())
    }
}

/// Does what is asked, and answers what the end says.
pub(super) async fn run(
    engine: &Engine,
    command: Command,
    connection: &mut Connection,
) -> Result<Value, Ended> {
    match command {
        Command::Backup => done(&backup(engine, connection).await?),
        Command::BackUpNow => done(&back_up_now(engine, connection).await?),
        Command::Export { entity_type } => done(&export(engine, connection, entity_type).await?),
        Command::Import { salt } => done(&import(engine, connection, &salt).await?),
        Command::Compact => done(&compact(engine, connection).await?),
        Command::Health => done(&health(engine)),
        Command::Plugins => done(&plugins(engine)?),
    }
}

fn done(data: &impl Serialize) -> Result<Value, Ended> {
    serde_json::to_value(data).map_err(|error| Ended::Refused(error.to_string()))
}

/// The whole backup is in a file first: the store is not kept waiting for a slow reader.
async fn backup(engine: &Engine, connection: &mut Connection) -> Result<BackupSent, Ended> {
    let written = Arc::new(AtomicU64::new(0));
    let spooling = engine.spool_backup(written.clone());
    let spooled = connection.waiting(spooling, &written).await?;
    let spooled = spooled.map_err(|error| Ended::Refused(error.in_full()))?;
    let mut file = spooled.file;
    loop {
        let part;
        (file, part) = read_part(file).await?;
        if part.is_empty() {
            break;
        }
        connection.data(&part).await?;
    }
    Ok(BackupSent {
        bytes: spooled.info.bytes,
        entries: spooled.info.entries,
    })
}

/// Off the async workers: a part of the file may have to come from the disk.
async fn read_part(mut file: File) -> Result<(File, Vec<u8>), Ended> {
    let read = tokio::task::spawn_blocking(move || {
        let mut part = Vec::with_capacity(PART_BYTES);
        (&mut file).take(PART_BYTES as u64).read_to_end(&mut part)?;
        Ok((file, part))
    });
    let read: io::Result<(File, Vec<u8>)> = read
        .await
        .map_err(|_| Ended::Refused("reading the backup panicked".to_owned()))?;
    read.map_err(|error| Ended::Refused(format!("the backup cannot be read again: {error}")))
}

async fn back_up_now(engine: &Engine, connection: &mut Connection) -> Result<BackupMade, Ended> {
    let made = connection.waiting(engine.back_up(), &AtomicU64::new(0)).await?;
    let view = made.map_err(|error| Ended::Refused(error.in_full()))?;
    Ok(BackupMade {
        file: view.file,
        bytes: view.bytes,
    })
}

async fn export(
    engine: &Engine,
    connection: &mut Connection,
    entity_type: Option<EntityType>,
) -> Result<Exported, Ended> {
    let (mut entities, mut after) = (0, None);
    loop {
        let page = engine.export_page(entity_type.as_ref(), after)?;
        entities += page.count;
        connection.data(&page.lines).await?;
        after = page.next;
        if after.is_none() {
            return Ok(Exported { entities });
        }
    }
}

async fn import(
    engine: &Engine,
    connection: &mut Connection,
    salt: &str,
) -> Result<crate::engine::api::Imported, Ended> {
    let mut import = Import::new(salt);
    let mut done = crate::engine::api::Imported::default();
    while let Some(lines) = connection.next_data().await? {
        done = engine.import(&mut import, &lines).await?;
        connection.progress(&done).await?;
    }
    Ok(done)
}

async fn compact(engine: &Engine, connection: &mut Connection) -> Result<Rewritten, Ended> {
    let done = connection.waiting(engine.compact(), &AtomicU64::new(0)).await?;
    let done = done.map_err(Ended::Refused)?;
    Ok(Rewritten {
        bytes_before: done.bytes_before,
        bytes_after: done.bytes_after,
    })
}

fn plugins(engine: &Engine) -> Result<Vec<Listed>, Ended> {
    Ok(engine.plugins()?.into_iter().map(Listed::from).collect())
}

impl From<PluginView> for Listed {
    fn from(plugin: PluginView) -> Self {
        Self {
            name: plugin.name,
            kind: plugin.kind.map(str::to_owned),
            version: plugin.version,
            digest: plugin.digest,
            state: plugin.state.to_owned(),
            source: plugin.source,
            problem: plugin.problem,
            description: plugin.description,
        }
    }
}

fn health(engine: &Engine) -> Health {
    let store = engine.store_health();
    Health {
        store: store.state.to_owned(),
        error: store.error,
        accepts_changes: store.accepts_changes,
        bytes_on_disk: store.bytes_on_disk,
        live_bytes: store.live_bytes,
        backup_error: engine.backup_error(),
        parked: engine.parked_count(),
    }
}
