//! Versions come and go: a component is prepared, put in the place of another, taken out of use, or set beside the active
//! one. What is noticed of them comes out as events.
//!
//! Which version ought to be where is the engine's business; nothing here is kept over a restart.

use std::sync::Arc;

use selaras_core::health::Rule;
use tokio::sync::mpsc;

use super::call::Plugin;
use super::error::{Failure, Refusal, RefusalCode};
use super::gate::{self, Entrant, PluginInfo};
use super::grants::Grants;
use super::host::{Host, Inner};
use super::registry::{Found, Source};
use super::shadow::{Asked, Comparison, Difference};
use super::signature::{PublicKey, Signed, signed};
use super::values::{CallContext, Lookup};
use super::watch::Noticed;
use selaras_core::health::Call;

/// Events that wait; more differences are dropped, more findings are noticed again.
pub(super) const EVENTS: usize = 64;

/// Something was noticed of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginEvent {
    /// Too many of an active version's calls fail.
    Unhealthy {
        /// The plugin.
        name: String,
        /// The version.
        digest: String,
        /// What was seen.
        noticed: Noticed,
    },
    /// The version beside the active one answered otherwise.
    Differed(Box<Difference>),
}

/// A component that passed the gate and is not in use.
#[derive(Clone)]
pub struct Prepared {
    plugin: Arc<Plugin>,
    /// Whoever signed it.
    pub signed: Option<Signed>,
}

impl Prepared {
    /// What it says of itself.
    #[must_use]
    pub fn info(&self) -> &PluginInfo {
        &self.plugin.info
    }
}

/// Whose components are taken.
#[derive(Debug, Clone, Default)]
pub struct Trust(Vec<PublicKey>);

impl Trust {
    /// Only what one of these has signed; none: whatever there is.
    #[must_use]
    pub fn only(keys: Vec<PublicKey>) -> Self {
        Self(keys)
    }

    /// Whether components have to be signed.
    #[must_use]
    pub fn asks_for_signatures(&self) -> bool {
        !self.0.is_empty()
    }

    /// Who signed these bytes. A signature that does not hold is refused by everybody.
    ///
    /// # Errors
    /// When it must be signed and is not, or by nobody who is trusted.
    pub fn check(&self, bytes: &[u8]) -> Result<Option<Signed>, Refusal> {
        // What is no component at all is the gate's to tell.
        let found = match signed(bytes) {
            Err(super::signature::SignatureError::Garbled) => None,
            found => found.map_err(|error| Refusal::new(RefusalCode::BadSignature, error.to_string()))?,
        };
        match found {
            _ if self.0.is_empty() => Ok(found),
            Some(signed) if self.0.contains(&signed.by) => Ok(found),
            Some(signed) => {
                let message = format!(
                    "it is signed by {}, which is not in PLUGIN_TRUSTED_KEYS",
                    signed.by
                );
                Err(Refusal::new(RefusalCode::Untrusted, message))
            }
            None => Err(Refusal::new(
                RefusalCode::NotSigned,
                "it is not signed, and PLUGIN_TRUSTED_KEYS is set: sign it with `selaras plugin sign`",
            )),
        }
    }
}

impl Host {
    /// Takes a component through the gate, without using it. Blocks for as long as compiling takes.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn prepare(
        &self,
        bytes: &[u8],
        name: Option<&str>,
        grants: Grants,
        trust: &Trust,
    ) -> Result<Prepared, Refusal> {
        let signed = trust.check(bytes)?;
        let plugin = self.admit(Entrant {
            bytes,
            name,
            grants,
            ours: false,
        })?;
        Ok(Prepared {
            plugin: Arc::new(plugin),
            signed,
        })
    }

    /// The same for a component that was prepared before, by its digest alone. None: its compiled code is not at hand, or
    /// does not pass any more. Blocks.
    #[must_use]
    pub fn recall(&self, digest: &str, name: &str, grants: Grants) -> Option<Prepared> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(digest, &mut bytes).ok()?;
        let plugin = self.recall_one(&bytes, name, grants)?.ok()?;
        Some(Prepared {
            plugin: Arc::new(plugin),
            signed: None,
        })
    }

    /// Puts a version in the place of whatever has its name, at once: calls that run end on the old one.
    pub fn seat(&self, version: Prepared, source: Source) {
        self.inner().registry.seat(version.plugin, source);
    }

    /// Takes a name out of use.
    pub fn unseat(&self, name: &str) {
        self.inner().registry.unseat(name);
    }

    /// Has calls of this name fail, and says why.
    pub fn suspend(&self, name: &str, why: &str) {
        self.inner().registry.suspend(name, why);
    }

    /// Has a version run beside the active one of its name, for comparison; none: nothing any more.
    pub fn set_shadow(&self, name: &str, version: Option<Prepared>) {
        let plugin = version.map(|version| version.plugin);
        self.inner().registry.set_shadow(name, plugin);
    }

    /// Remembers a refusal for the list.
    pub fn refuse(&self, name: Option<&str>, source: Source, refusal: &Refusal) {
        self.inner().registry.refuse(name, source, refusal);
    }

    /// Forgets what this source was refused for.
    pub fn forgive(&self, source: &Source) {
        self.inner().registry.forgive(source);
    }

    /// From now on failures are judged by this rule.
    pub fn judge_by(&self, rule: Rule) {
        *self.inner().rule.write() = rule;
    }

    /// What is noticed, for the one who asks first.
    #[must_use]
    pub fn events(&self) -> Option<mpsc::Receiver<PluginEvent>> {
        self.inner().events.lock().take()
    }

    /// What a version says of settings that it cannot use, see [`Host::settings_problem`].
    pub async fn settings_problem_of(&self, version: &Prepared, settings: Arc<str>) -> Option<Failure> {
        let (machine, plugin) = (self.inner().machine.clone(), version.plugin.clone());
        let ask = move || gate::settings_problem(&machine, &plugin, &settings);
        self.on_a_thread(ask).await.ok().flatten()
    }

    /// Has the version beside the active one answer the same, if there is one and a thread is idle. Does not wait.
    pub(super) fn compare(&self, found: &Found, cx: CallContext, lookup: Arc<dyn Lookup>, asked: Asked) {
        let inner = self.inner();
        let (Some(shadow), Some(threads)) = (found.shadow.clone(), &inner.threads) else {
            return;
        };
        let count = match &asked {
            Asked::Cases(cases) => cases.len(),
            Asked::Documents(_, documents) => documents.len(),
        };
        let comparison = Comparison {
            name: found.plugin.info.name.clone(),
            active: found.plugin.info.digest.clone(),
            cx,
            lookup,
            asked,
        };
        let (machine, stopping, tell) = (inner.machine.clone(), inner.stopping.clone(), inner.tell.clone());
        let room = threads.room();
        let its = shadow.clone();
        let job = move || {
            its.compare(&machine, comparison, &room, &stopping, |difference| {
                // The count has it; a list that cannot be kept up with misses some.
                let _ = tell.try_send(PluginEvent::Differed(Box::new(difference)));
            });
        };
        if !threads.run_if_idle(job) {
            shadow.drop_some(count);
        }
    }
}

impl Inner {
    /// Counts how calls of the active version ended.
    pub(super) fn watch(&self, found: &Found, calls: impl IntoIterator<Item = Call>) {
        if !found.is_watched {
            return;
        }
        let rule = *self.rule.read();
        let Some(noticed) = found.plugin.watch.observe(calls, rule) else {
            return;
        };
        let event = PluginEvent::Unhealthy {
            name: found.plugin.info.name.clone(),
            digest: found.plugin.info.digest.clone(),
            noticed,
        };
        if self.tell.try_send(event).is_err() {
            found.plugin.watch.untold();
        }
    }
}
