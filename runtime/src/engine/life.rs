//! The life of plugins: which version of each is in use, and how that changes: by an admin, by the folder, or because its
//! calls fail. A change is one commit and then one step in the host, so that calls that run end on the version they began
//! with, and the next start finds what was decided.
//!
//! The binary's own plugins have no versions: they are there, or not.

mod compare;
mod files;
mod heal;
mod install;
mod load;
mod remove;
mod rows;
mod seat;
mod show;

pub(super) use self::heal::rule;
use self::rows::{HistoryRow, SeatRow, Shelf, VersionRow, put_seat};
use crate::engine::Engine;
use crate::engine::api::{Actor, PluginError, Unavailable, VersionView};
use crate::plugin::bundle::BUNDLE;
use crate::plugin::{Prepared, Refusal, RefusalCode, Source, Trust};
use crate::store::{Batch, keys, rows::put};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::Future;
use std::path::PathBuf;

/// What is known of plugins besides what is stored.
#[derive(Default)]
pub(super) struct Life {
    trust: Trust,
    /// Why a plugin or a file is not in use, or not as it was meant, by its name.
    problems: Mutex<BTreeMap<String, String>>,
    /// Numbers of the differences that are kept, oldest first, by plugin.
    differences: Mutex<HashMap<String, VecDeque<u64>>>,
}

impl Life {
    pub(super) fn new(trust: Trust, problems: Vec<(String, String)>) -> Self {
        Self {
            trust,
            problems: Mutex::new(problems.into_iter().collect()),
            differences: Mutex::default(),
        }
    }

    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let problems = self.problems.lock();
        problems
            .iter()
            .map(|(name, what)| (name.clone(), what.clone()))
            .collect()
    }

    fn trouble(&self, name: &str, what: impl Into<String>) {
        self.problems.lock().insert(name.to_owned(), what.into());
    }

    fn solved(&self, name: &str) {
        self.problems.lock().remove(name);
    }
}

impl From<Refusal> for PluginError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Engine {
    /// Puts an installed version in the place of the active one. Bound types whose settings it cannot use keep it from
    /// that, unless `force`.
    ///
    /// # Errors
    /// See [`PluginError`].
    pub async fn activate_plugin(
        &self,
        name: &str,
        digest: &str,
        force: bool,
        actor: &Actor,
    ) -> Result<VersionView, PluginError> {
        let (engine, name, digest) = (self.clone(), name.to_owned(), digest.to_owned());
        let by = actor.id.clone();
        to_its_end(async move { engine.activate(&name, &digest, force, &by).await }).await
    }

    /// Goes back to the version that was active before. Its settings are not looked at: it ran with them.
    ///
    /// # Errors
    /// See [`PluginError`].
    pub async fn roll_back_plugin(
        &self,
        name: &str,
        reason: Option<String>,
        actor: &Actor,
    ) -> Result<VersionView, PluginError> {
        let (engine, name, by) = (self.clone(), name.to_owned(), actor.id.clone());
        to_its_end(async move {
            let _one = engine.configuring().await;
            engine.changeable(&name)?;
            let seat = engine.shelf().seat(&name)?;
            let previous = seat.previous.clone();
            let previous = previous.ok_or_else(|| PluginError::NoPrevious(name.clone()))?;
            let row = engine.version_of(&name, &previous)?;
            let version = engine.load_version(&name, &previous, &row).await?;
            let next = SeatRow {
                trouble: None,
                ..seat.gone_back(&previous)
            };
            let entry = engine
                .entry(&name, "rollback", Some(&previous), &by)
                .from(&seat)
                .because(reason);
            engine
                .put_in_use(&name, (&previous, row), next, version, entry)
                .await
        })
        .await
    }

    /// Has an installed version run beside the active one; none: nothing does any more.
    ///
    /// # Errors
    /// See [`PluginError`].
    pub async fn shadow_plugin(
        &self,
        name: &str,
        digest: Option<&str>,
        actor: &Actor,
    ) -> Result<(), PluginError> {
        let (engine, name, by) = (self.clone(), name.to_owned(), actor.id.clone());
        let digest = digest.map(str::to_owned);
        to_its_end(async move {
            let _one = engine.configuring().await;
            engine.changeable(&name)?;
            let seat = engine.shelf().seat(&name)?;
            let version = match &digest {
                None if seat.shadow.is_none() => return Ok(()),
                None => None,
                Some(digest) => {
                    let row = engine.version_of(&name, digest)?;
                    if seat.active.is_none() || seat.suspended.is_some() {
                        return Err(PluginError::NotActive(name));
                    }
                    if seat.active.as_ref() == Some(digest) {
                        let digest = digest.clone();
                        return Err(PluginError::InUse { name, digest });
                    }
                    engine.not_older(&name, &seat, &row)?;
                    Some(engine.load_version(&name, digest, &row).await?)
                }
            };
            let action = if digest.is_some() { "shadow" } else { "unshadow" };
            let mut entry = engine.entry(&name, action, digest.as_deref().or(seat.shadow.as_deref()), &by);
            entry.from = None;
            let mut batch = Batch::new();
            let next = SeatRow {
                shadow: digest,
                ..seat
            };
            put_seat(&mut batch, &name, &next);
            engine.shelf().note(&mut batch, &entry)?;
            engine.commit_plugins(batch, &entry).await?;
            engine.inner.host.set_shadow(&name, version);
            Ok(())
        })
        .await
    }

    async fn activate(
        &self,
        name: &str,
        digest: &str,
        force: bool,
        by: &str,
    ) -> Result<VersionView, PluginError> {
        let _one = self.configuring().await;
        self.changeable(name)?;
        let row = self.version_of(name, digest)?;
        let seat = self.shelf().seat(name)?;
        let active = seat.active.as_deref() == Some(digest);
        if active && seat.suspended.is_none() && self.inner.host.kind_of(name).is_some() {
            return Ok(show::version(name, digest, &row, &seat));
        }
        self.not_older(name, &seat, &row)?;
        let version = self.load_version(name, digest, &row).await?;
        if !force {
            let problems = self.settings_problems(name, &version).await;
            if !problems.is_empty() {
                return Err(PluginError::Settings(problems));
            }
        }
        let entry = self.entry(name, "activate", Some(digest), by).from(&seat);
        let next = seat.with_active(digest, &row);
        self.put_in_use(name, (digest, row), next, version, entry).await
    }

    /// Commits that a version is the active one, and then has it answer.
    async fn put_in_use(
        &self,
        name: &str,
        (digest, row): (&str, VersionRow),
        seat: SeatRow,
        version: Prepared,
        entry: HistoryRow,
    ) -> Result<VersionView, PluginError> {
        let row = VersionRow { ran: true, ..row };
        let mut batch = Batch::new();
        put(&mut batch, keys::two(keys::PLUGIN, name, digest), &row);
        put_seat(&mut batch, name, &seat);
        self.shelf().note(&mut batch, &entry)?;
        self.commit_plugins(batch, &entry).await?;
        self.inner.host.seat(version, source_of(&row));
        match &seat.trouble {
            Some(trouble) => self.inner.life.trouble(name, trouble.what.clone()),
            None => self.inner.life.solved(name),
        }
        self.inner.reconsider.notify_one();
        Ok(show::version(name, digest, &row, &seat))
    }

    /// Commits what was done, and writes it to the log.
    async fn commit_plugins(&self, batch: Batch, entry: &HistoryRow) -> Result<(), Unavailable> {
        self.inner.rows.store().commit(batch).await?;
        let HistoryRow {
            name,
            action,
            digest,
            by,
            why,
            ..
        } = entry;
        let (digest, why) = (digest.as_deref(), why.as_deref());
        tracing::info!(plugin = name, action, digest, by, why, "a plugin was changed");
        Ok(())
    }

    fn shelf(&self) -> Shelf<'_> {
        Shelf(&self.inner.rows)
    }

    /// The name is one that admins may change.
    fn changeable(&self, name: &str) -> Result<(), PluginError> {
        if is_embedded(name) {
            return Err(PluginError::Embedded(name.to_owned()));
        }
        if self.shelf().versions(name)?.is_empty() {
            return Err(PluginError::NotFound(name.to_owned()));
        }
        Ok(())
    }

    fn version_of(&self, name: &str, digest: &str) -> Result<VersionRow, PluginError> {
        let row = self.shelf().version(name, digest)?;
        row.ok_or_else(|| PluginError::NoVersion {
            name: name.to_owned(),
            digest: digest.to_owned(),
        })
    }

    /// Where signatures are asked for, what was signed before what has run is not taken, unless it ran itself.
    fn not_older(&self, name: &str, seat: &SeatRow, row: &VersionRow) -> Result<(), Refusal> {
        let older = match (seat.newest_signed, row.signed_at) {
            (Some(newest), Some(at)) => at < newest && !row.ran,
            _ => false,
        };
        if older && self.inner.life.trust.asks_for_signatures() {
            let message = format!("it was signed before a version of `{name}` that has run");
            return Err(Refusal::new(RefusalCode::Older, message));
        }
        Ok(())
    }

    /// A stored version, ready to be used. Its compiled code is enough, unless signatures are asked for.
    async fn load_version(
        &self,
        name: &str,
        digest: &str,
        row: &VersionRow,
    ) -> Result<Prepared, PluginError> {
        let (host, rows, trust) = (
            self.inner.host.clone(),
            self.inner.rows.clone(),
            self.inner.life.trust.clone(),
        );
        let (name, digest, row) = (name.to_owned(), digest.to_owned(), row.clone());
        let load = move || {
            if !trust.asks_for_signatures()
                && let Some(version) = host.recall(&digest, &name, row.grants)
            {
                return Ok(version);
            }
            let bytes = Shelf(&rows).component(&digest, &row)?;
            Ok(host.prepare(&bytes, Some(&name), row.grants, &trust)?)
        };
        match tokio::task::spawn_blocking(load).await {
            Ok(loaded) => loaded,
            Err(died) => Err(cut_off(&died)),
        }
    }

    /// What of the settings of the types that are bound to a plugin this version of it cannot use.
    async fn settings_problems(&self, name: &str, version: &Prepared) -> Vec<(String, String)> {
        let settings = self.settings();
        let mut problems = Vec::new();
        for entity_type in settings.types_bound_to(name) {
            let given = settings.binding(&entity_type).settings_of(name).into_text();
            if let Some(failure) = self.inner.host.settings_problem_of(version, given).await {
                let field = failure.own.and_then(|own| own.field);
                let field = field.map_or("settings".to_owned(), |field| format!("settings.{field}"));
                problems.push((format!("{entity_type}.{field}"), failure.message));
            }
        }
        problems
    }

    fn entry(&self, name: &str, action: &str, digest: Option<&str>, by: &str) -> HistoryRow {
        HistoryRow {
            name: name.to_owned(),
            action: action.to_owned(),
            digest: digest.map(str::to_owned),
            from: None,
            by: by.to_owned(),
            at: self.now(),
            why: None,
        }
    }
}

/// Whether the binary has a plugin of this name.
fn is_embedded(name: &str) -> bool {
    BUNDLE.iter().any(|(own, _)| *own == name)
}

fn source_of(row: &VersionRow) -> Source {
    match &row.file {
        Some(file) => Source::File(PathBuf::from(file)),
        None => Source::Installed,
    }
}

/// Runs on when who asked hangs up: what is half done would be found so.
async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, PluginError>> + Send + 'static,
) -> Result<T, PluginError> {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(died) => Err(cut_off(&died)),
    }
}

fn cut_off(died: &tokio::task::JoinError) -> PluginError {
    PluginError::Unavailable(Unavailable::Store(format!("the change was not finished: {died}")))
}
