//! A test double of the outlet: answers lookups and keeps what was logged, so that a plugin is tested natively.
//!
//! Not there on the wasm target. Everything is per thread, so tests run side by side.
//!
//! ```
//! use selaras_sdk::testing::{self, Outlet};
//! use selaras_sdk::{lookup, Document, Key};
//!
//! let outlet = Outlet::new().with(Document::new("category", "cat-1", "{}").with_cloud_id("c-9")).install();
//! assert_eq!(lookup::cloud_id(&Key::new("category", "cat-1")).as_deref(), Some("c-9"));
//! selaras_sdk::log::info("looked it up");
//! assert_eq!(outlet.logged(), [(selaras_sdk::log::Level::Info, "looked it up".to_owned())]);
//! ```

use std::cell::RefCell;

use crate::log::Level;
use crate::{Attrs, Conflict, Context, Document};

/// A context with these settings (JSON text), at an outlet and time that are always the same.
pub fn context(settings: &str) -> Context {
    Context {
        outlet_id: "outlet-1".into(),
        outlet_code: "JKT-001".into(),
        now_ms: 1_769_509_800_000,
        settings_json: settings.into(),
        attrs: Attrs::new(),
    }
}

/// A conflict of two documents without a common base.
pub fn conflict(local: Document, cloud: Document) -> Conflict {
    Conflict {
        base: None,
        local,
        cloud,
        attrs: Attrs::new(),
    }
}

/// The records that lookups answer from.
#[derive(Debug, Clone, Default)]
pub struct Outlet {
    records: Vec<Document>,
}

impl Outlet {
    /// An outlet without records.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same outlet with one more record. A document's cloud id is what id lookups answer.
    #[must_use]
    pub fn with(mut self, record: Document) -> Self {
        self.records.push(record);
        self
    }

    /// Makes this thread's lookups answer from these records, until the guard is dropped.
    #[must_use = "the outlet is gone when the guard is dropped"]
    pub fn install(self) -> Installed {
        let before = STATE.replace(State {
            records: self.records,
            logged: Vec::new(),
        });
        Installed { before: Some(before) }
    }
}

/// An [`Outlet`] in use on this thread.
#[derive(Debug)]
pub struct Installed {
    before: Option<State>,
}

impl Installed {
    /// What was logged on this thread since it was installed.
    pub fn logged(&self) -> Vec<(Level, String)> {
        STATE.with_borrow(|state| state.logged.clone())
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        STATE.set(self.before.take().unwrap_or_default());
    }
}

#[derive(Debug, Default)]
struct State {
    records: Vec<Document>,
    logged: Vec<(Level, String)>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

pub(crate) fn record_log(level: Level, message: &str) {
    STATE.with_borrow_mut(|state| state.logged.push((level, message.to_owned())));
}

/// What [`crate::lookup`] asks off the wasm target.
pub(crate) mod answers {
    use super::STATE;
    use crate::{Document, Key};

    fn find(wanted: impl Fn(&Document) -> bool) -> Option<Document> {
        STATE.with_borrow(|state| state.records.iter().find(|record| wanted(record)).cloned())
    }

    pub fn get(key: &Key) -> Option<Document> {
        find(|record| record.key == *key)
    }

    pub fn local_id(entity_type: &str, cloud_id: &str) -> Option<String> {
        find(|record| record.key.entity_type == entity_type && record.cloud_id.as_deref() == Some(cloud_id))
            .map(|record| record.key.id)
    }

    pub fn cloud_id(key: &Key) -> Option<String> {
        get(key)?.cloud_id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{lookup, Key};

    #[test]
    fn lookups_answer_from_the_installed_outlet_only_while_it_is_installed() {
        let key = Key::new("category", "cat-1");
        let record = Document::new("category", "cat-1", r#"{"a":1}"#).with_cloud_id("c-9");
        {
            let _outlet = Outlet::new().with(record.clone()).install();
            assert_eq!(lookup::get(&key), Some(record));
            assert_eq!(lookup::local_id("category", "c-9").as_deref(), Some("cat-1"));
            assert_eq!(lookup::local_id("product", "c-9"), None);
            assert_eq!(lookup::cloud_id(&Key::new("product", "cat-1")), None);
        }
        assert_eq!(lookup::get(&key), None);
    }
}
