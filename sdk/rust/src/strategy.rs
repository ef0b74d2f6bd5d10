//! The strategy's side: what it is given, what it may answer, and how it is exported.

use crate::{Attrs, Context, Document, Error, Info};

/// An unsynced document of the outlet meets a newer one of the cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The last state both sides agreed on.
    pub base: Option<Document>,
    /// The outlet's document after all its waiting changes.
    pub local: Document,
    /// The cloud's document, translated to the outlet's shape.
    pub cloud: Document,
    /// Room to grow.
    pub attrs: Attrs,
}

/// What becomes of a conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The outlet's document stands and is pushed.
    KeepLocal,
    /// The cloud's document replaces the outlet's; the waiting changes are superseded.
    TakeCloud,
    /// A third document (JSON text), kept here and pushed to the cloud.
    Merge(String),
    /// The entity is deleted on both sides.
    Delete,
    /// Leave it to a person.
    Defer,
}

/// A decision and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What becomes of the conflict.
    pub decision: Decision,
    /// Why, in words an admin understands. Kept with the conflict.
    pub reason: String,
    /// Room to grow.
    pub attrs: Attrs,
}

impl Verdict {
    /// A verdict of any kind.
    pub fn new(decision: Decision, reason: impl Into<String>) -> Self {
        Self {
            decision,
            reason: reason.into(),
            attrs: Attrs::new(),
        }
    }

    /// The outlet's document stands.
    pub fn keep_local(reason: impl Into<String>) -> Self {
        Self::new(Decision::KeepLocal, reason)
    }

    /// The cloud's document replaces the outlet's.
    pub fn take_cloud(reason: impl Into<String>) -> Self {
        Self::new(Decision::TakeCloud, reason)
    }

    /// A third document replaces both.
    pub fn merge(body: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(Decision::Merge(body.into()), reason)
    }

    /// The entity is deleted on both sides.
    pub fn delete(reason: impl Into<String>) -> Self {
        Self::new(Decision::Delete, reason)
    }

    /// A person decides.
    pub fn defer(reason: impl Into<String>) -> Self {
        Self::new(Decision::Defer, reason)
    }
}

/// Decides between an unsynced local document and a newer cloud one.
///
/// A decision must repeat: the same conflict, settings and lookup answers give the same verdict. Each call gets a fresh
/// instance, so nothing kept in a `static` survives it.
pub trait Strategy {
    /// What the plugin says of itself; by default what its `Cargo.toml` says.
    fn info() -> Info {
        Info::default()
    }

    /// Decides one conflict.
    ///
    /// # Errors
    /// An error leaves the conflict to a person; it never decides.
    fn resolve(cx: &Context, conflict: &Conflict) -> Result<Verdict, Error>;
}

/// Makes a type that implements [`Strategy`] the strategy of this plugin. A plugin exports exactly one plugin.
#[macro_export]
macro_rules! export_strategy {
    ($plugin:ty) => {
        const _: () = {
            struct Exported;
            impl $crate::bindings::Package for Exported {
                const NAME: &'static str = env!("CARGO_CRATE_NAME");
                const VERSION: &'static str = env!("CARGO_PKG_VERSION");
                const DESCRIPTION: &'static str = env!("CARGO_PKG_DESCRIPTION");
            }
            impl $crate::bindings::ExportedStrategy for Exported {
                type Strategy = $plugin;
            }
            // Only a wasm file has exports; a native linker would refuse their names.
            #[cfg(target_arch = "wasm32")]
            const _: () = {
                type Guest = $crate::bindings::StrategyGuest<Exported>;
                $crate::bindings::info::export_info!(Guest with_types_in $crate::bindings::info);
                $crate::bindings::strategy::export_strategy_world!(Guest with_types_in $crate::bindings::strategy);
            };
        };
    };
}
