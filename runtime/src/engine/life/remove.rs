//! Plugins and versions go: only what nothing is bound to.

use super::rows::{SeatRow, put_seat};
use super::to_its_end;
use crate::engine::Engine;
use crate::engine::api::{Actor, PluginError};
use crate::store::{Batch, keys};

impl Engine {
    /// Removes a plugin with all of its versions, or one version that is not the active one.
    ///
    /// # Errors
    /// See [`PluginError`].
    pub async fn remove_plugin(
        &self,
        name: &str,
        digest: Option<&str>,
        actor: &Actor,
    ) -> Result<(), PluginError> {
        let (engine, name, by) = (self.clone(), name.to_owned(), actor.id.clone());
        let digest = digest.map(str::to_owned);
        to_its_end(async move {
            // Held while it is looked at what is bound: nobody binds meanwhile.
            let _one = engine.configuring().await;
            engine.changeable(&name)?;
            match digest {
                None => engine.remove_whole(&name, &by).await,
                Some(digest) => engine.remove_version(&name, &digest, &by).await,
            }
        })
        .await
    }

    async fn remove_whole(&self, name: &str, by: &str) -> Result<(), PluginError> {
        let types = self.settings().types_bound_to(name);
        if !types.is_empty() {
            let name = name.to_owned();
            return Err(PluginError::Bound { name, types });
        }
        let shelf = self.shelf();
        let mut batch = Batch::new();
        for (digest, row) in shelf.versions(name)? {
            shelf.remove(&mut batch, name, &digest, &row)?;
        }
        batch.delete(keys::named(keys::PLUGIN_SEAT, name.as_bytes()));
        self.forget_differences(&mut batch, name)?;
        let entry = self.entry(name, "delete", None, by).from(&shelf.seat(name)?);
        shelf.note(&mut batch, &entry)?;
        self.commit_plugins(batch, &entry).await?;
        self.inner.host.unseat(name);
        self.inner.life.solved(name);
        self.inner.reconsider.notify_one();
        Ok(())
    }

    async fn remove_version(&self, name: &str, digest: &str, by: &str) -> Result<(), PluginError> {
        let row = self.version_of(name, digest)?;
        let shelf = self.shelf();
        let seat = shelf.seat(name)?;
        if seat.active.as_deref() == Some(digest) {
            return Err(PluginError::InUse {
                name: name.to_owned(),
                digest: digest.to_owned(),
            });
        }
        if shelf.versions(name)?.len() == 1 {
            return self.remove_whole(name, by).await;
        }
        let was_shadow = seat.shadow.as_deref() == Some(digest);
        let keep = |its: Option<String>| its.filter(|its| its != digest);
        let next = SeatRow {
            previous: keep(seat.previous),
            shadow: keep(seat.shadow),
            ..seat
        };
        let mut batch = Batch::new();
        shelf.remove(&mut batch, name, digest, &row)?;
        put_seat(&mut batch, name, &next);
        let entry = self.entry(name, "delete", Some(digest), by);
        shelf.note(&mut batch, &entry)?;
        self.commit_plugins(batch, &entry).await?;
        if was_shadow {
            self.inner.host.set_shadow(name, None);
        }
        Ok(())
    }
}
