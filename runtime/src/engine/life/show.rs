//! Plugins, their versions and their history as admins see them.

use super::is_embedded;
use super::rows::{HistoryRow, SeatRow, VersionRow};
use crate::engine::Engine;
use crate::engine::api::{
    Page, PageRequest, PluginAction, PluginDetail, PluginView, QueryError, Unavailable, VersionView,
};
use crate::engine::plugins::{kind_word, view};
use crate::store::keys;
use selaras_core::stamp::Millis;

/// Entries of the history that are shown with a plugin.
const NEWEST: usize = 20;

impl Engine {
    /// The plugins, with what is bound to them, by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn plugins(&self) -> Result<Vec<PluginView>, Unavailable> {
        let settings = self.settings();
        let mut views = Vec::new();
        for status in self.inner.host.list() {
            let bound_types = settings.types_bound_to(&status.name);
            let mut shown = view(status, bound_types);
            self.add_stored(&mut shown)?;
            views.push(shown);
        }
        for name in self.shelf().names()? {
            let is_used = self.shelf().seat(&name)?.active.is_some();
            let is_shown = |shown: &PluginView| shown.name == name && (is_used || shown.state != "refused");
            if is_embedded(&name) || views.iter().any(is_shown) {
                continue;
            }
            if let Some((digest, row)) = self.shelf().versions(&name)?.pop() {
                let mut shown = installed(&name, &digest, &row);
                shown.bound_types = settings.types_bound_to(&name);
                views.push(shown);
            }
        }
        views.sort_by(|a, b| (&a.name, &a.source).cmp(&(&b.name, &b.source)));
        Ok(views)
    }

    /// A plugin with its versions and what was done with it.
    ///
    /// # Errors
    /// When there is none of this name, or the store cannot be read.
    pub fn plugin(&self, name: &str) -> Result<PluginDetail, QueryError> {
        let mut views = self.plugins()?;
        views.retain(|shown| shown.name == name);
        // What answers to the name comes before what was refused it.
        views.sort_by_key(|shown| shown.state == "refused");
        let plugin = views.into_iter().next().ok_or(QueryError::NotFound("plugin"))?;
        let seat = self.shelf().seat(name)?;
        let mut versions: Vec<VersionView> = self
            .shelf()
            .versions(name)?
            .iter()
            .map(|(digest, row)| version(name, digest, row, &seat))
            .collect();
        versions.reverse();
        let newest = PageRequest {
            after: None,
            limit: NEWEST,
        };
        Ok(PluginDetail {
            plugin,
            versions,
            history: self.plugin_history(Some(name), newest)?.items,
        })
    }

    /// What was done with a plugin, or with all, newest first. What is gone has a history, too.
    ///
    /// # Errors
    /// When the cursor is not of this list, or the store cannot be read.
    pub fn plugin_history(
        &self,
        name: Option<&str>,
        page: PageRequest,
    ) -> Result<Page<PluginAction>, QueryError> {
        self.newest_first(keys::PLUGIN_HISTORY, page, |_, row: HistoryRow| {
            let wanted = name.is_none_or(|name| name == row.name);
            Ok(wanted.then_some(PluginAction {
                name: row.name,
                action: row.action,
                digest: row.digest,
                from_digest: row.from,
                by: row.by,
                at: row.at,
                reason: row.why,
            }))
        })
    }

    fn add_stored(&self, shown: &mut PluginView) -> Result<(), Unavailable> {
        if shown.state == "refused" {
            return Ok(());
        }
        let seat = self.shelf().seat(&shown.name)?;
        if let Some(row) = self.shelf().version(&shown.name, &shown.digest)? {
            shown.grants = row.grants.words().collect();
            shown.signed_by = row.signed_by;
        }
        shown.problem = seat.trouble.map(|trouble| trouble.what).or(shown.problem.take());
        shown.previous = seat.previous;
        shown.fell_back = seat.fell_back;
        Ok(())
    }
}

/// A plugin of which no version is in use.
fn installed(name: &str, digest: &str, row: &VersionRow) -> PluginView {
    PluginView {
        name: name.to_owned(),
        kind: Some(kind_word(row.kind)),
        version: row.version.clone(),
        description: row.description.clone(),
        digest: digest.to_owned(),
        state: "installed",
        problem: None,
        source: row.file.clone().unwrap_or_else(|| "installed".to_owned()),
        grants: row.grants.words().collect(),
        signed_by: row.signed_by.clone(),
        previous: None,
        bound_types: Vec::new(),
        calls: 0,
        errors: 0,
        p50_us: 0,
        p99_us: 0,
        fuel: 0,
        peak_memory_bytes: 0,
        recent_calls: 0,
        recent_errors: 0,
        fell_back: 0,
        shadow: None,
    }
}

/// A version as shown.
pub(super) fn version(name: &str, digest: &str, row: &VersionRow, seat: &SeatRow) -> VersionView {
    let is = |its: &Option<String>| its.as_deref() == Some(digest);
    let state = if is(&seat.active) {
        if seat.suspended.is_some() {
            "suspended"
        } else {
            "active"
        }
    } else if is(&seat.previous) {
        "previous"
    } else if is(&seat.shadow) {
        "shadow"
    } else {
        "installed"
    };
    VersionView {
        name: name.to_owned(),
        kind: kind_word(row.kind),
        version: row.version.clone(),
        digest: digest.to_owned(),
        state,
        bytes: row.bytes,
        grants: row.grants.words().collect(),
        signed_by: row.signed_by.clone(),
        signed_at: row.signed_at.and_then(|at| i64::try_from(at).ok()).map(Millis),
        installed_by: row.by.clone(),
        installed_at: row.at,
    }
}
