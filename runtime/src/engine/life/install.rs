//! A component becomes an installed version: through the gate, into the store. Nothing uses it yet.

use super::rows::{Shelf, VersionRow, put_seat};
use super::{cut_off, is_embedded, show, to_its_end};
use crate::engine::Engine;
use crate::engine::api::{Actor, NewPlugin, PluginError, VersionView};
use crate::plugin::{Grants, Prepared, Refusal, RefusalCode};
use crate::store::Batch;

/// Versions of one plugin that are kept; over that the oldest that nothing names goes.
const MOST_VERSIONS: usize = 8;
/// What a person who resolves a conflict says where others name a strategy.
const MERGED: &str = "merged";
/// Plugins that are kept.
const MOST_PLUGINS: usize = 64;

/// A component, and how it came.
pub(super) struct Arrival {
    pub(super) bytes: Vec<u8>,
    pub(super) name: Option<String>,
    pub(super) grants: Grants,
    pub(super) by: String,
    pub(super) file: Option<String>,
}

impl Engine {
    /// Checks, compiles, tests and stores a component. Answers the version, and whether it is new; the same component
    /// again changes nothing.
    ///
    /// # Errors
    /// See [`PluginError`].
    pub async fn install_plugin(
        &self,
        new: NewPlugin,
        actor: &Actor,
    ) -> Result<(VersionView, bool), PluginError> {
        let arrival = Arrival {
            bytes: new.bytes,
            name: new.name,
            grants: Grants {
                large: new.large,
                wasi: new.wasi,
            },
            by: actor.id.clone(),
            file: None,
        };
        let engine = self.clone();
        to_its_end(async move { engine.install(arrival).await }).await
    }

    pub(super) async fn install(&self, arrival: Arrival) -> Result<(VersionView, bool), PluginError> {
        self.room_for_changes()?;
        let (host, trust) = (self.inner.host.clone(), self.inner.life.trust.clone());
        // Before anybody is kept waiting: compiling takes its time.
        let prepare = move || {
            let prepared = host.prepare(&arrival.bytes, arrival.name.as_deref(), arrival.grants, &trust);
            (arrival, prepared)
        };
        let prepared = tokio::task::spawn_blocking(prepare).await;
        let (arrival, prepared) = prepared.map_err(|died| cut_off(&died))?;
        let prepared = prepared?;
        let _one = self.configuring().await;
        self.keep(arrival, &prepared).await
    }

    async fn keep(&self, arrival: Arrival, prepared: &Prepared) -> Result<(VersionView, bool), PluginError> {
        let info = prepared.info();
        let (name, digest) = (info.name.as_str(), info.digest.as_str());
        if is_embedded(name) || name == MERGED {
            let message =
                format!("the name `{name}` belongs to a plugin of the binary itself, or to the API");
            return Err(Refusal::new(RefusalCode::NameTaken, message).into());
        }
        let shelf = self.shelf();
        if let Some(file) = &arrival.file {
            let files = shelf.files()?;
            if let Some((other, _)) = files
                .iter()
                .find(|(other, row)| other != file && row.name == name)
            {
                let message = format!("the name `{name}` belongs to {other}");
                return Err(Refusal::new(RefusalCode::NameTaken, message).into());
            }
        }
        let versions = shelf.versions(name)?;
        if let Some((_, other)) = versions.iter().find(|(_, other)| other.kind != info.kind) {
            let message = format!("`{name}` is a {}, and this is a {}", other.kind, info.kind);
            return Err(Refusal::new(RefusalCode::OtherKind, message).into());
        }
        if versions.is_empty() && shelf.names()?.len() >= MOST_PLUGINS {
            return Err(PluginError::TooMany(MOST_PLUGINS));
        }
        let seat = shelf.seat(name)?;
        let known = versions.iter().find(|(its, _)| its == digest).map(|(_, row)| row);
        if let Some(row) = known.filter(|row| row.grants == arrival.grants) {
            return Ok((show::version(name, digest, row, &seat), false));
        }
        let row = VersionRow {
            kind: info.kind,
            version: info.version.clone(),
            description: info.description.clone(),
            bytes: arrival.bytes.len() as u64,
            grants: arrival.grants,
            signed_by: prepared.signed.map(|signed| signed.by.to_string()),
            signed_at: prepared.signed.map(|signed| signed.at_ms),
            by: arrival.by,
            at: self.now(),
            file: arrival.file,
            ran: known.is_some_and(|row| row.ran),
        };
        self.not_older(name, &seat, &row)?;
        if known.is_none() {
            shelf.put_component(digest, &arrival.bytes).await?;
        }
        let mut batch = Batch::new();
        Shelf::finish(&mut batch, name, digest, &row);
        put_seat(&mut batch, name, &seat);
        let entry = self.entry(name, "install", Some(digest), &row.by);
        shelf.note(&mut batch, &entry)?;
        let surplus = (versions.len() + usize::from(known.is_none())).saturating_sub(MOST_VERSIONS);
        let free = versions
            .iter()
            .filter(|(its, _)| its != digest && !seat.names(its));
        for (its, row) in free.take(surplus) {
            shelf.remove(&mut batch, name, its, row)?;
        }
        self.commit_plugins(batch, &entry).await?;
        Ok((show::version(name, digest, &row, &seat), known.is_none()))
    }
}
