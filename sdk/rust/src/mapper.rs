//! The mapper's side: what it is given, what it may answer, and how it is exported.

use crate::{Context, Document, Error, Info};

/// What becomes of a document on its way to the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It goes on as this. Only the body counts; type and id must be unchanged.
    Put(Document),
    /// It is not synced; the reason is logged.
    Skip(String),
}

/// Translates documents between the outlet's shape and the cloud's.
///
/// The law of a mapper: what went to the cloud and came back unchanged is the outlet's document again
/// (`to_local(to_cloud(d)) == d`), or else every sync looks like a change. Fields that must not leave the outlet are put
/// back from [`crate::lookup::get`]. A tombstone's body is `null` both ways.
pub trait Mapper {
    /// What the plugin says of itself; by default what its `Cargo.toml` says.
    fn info() -> Info {
        Info::default()
    }

    /// Translates the outlet's document to the cloud's shape.
    ///
    /// # Errors
    /// The document waits (retryable) or is parked whole; nothing is lost.
    fn to_cloud(cx: &Context, document: &Document) -> Result<Outcome, Error>;

    /// Translates the cloud's document to the outlet's shape.
    ///
    /// # Errors
    /// The update waits (retryable) or is parked whole; nothing is lost.
    fn to_local(cx: &Context, document: &Document) -> Result<Outcome, Error>;
}

/// Makes a type that implements [`Mapper`] the mapper of this plugin. A plugin exports exactly one plugin.
#[macro_export]
macro_rules! export_mapper {
    ($plugin:ty) => {
        const _: () = {
            struct Exported;
            impl $crate::bindings::Package for Exported {
                const NAME: &'static str = env!("CARGO_CRATE_NAME");
                const VERSION: &'static str = env!("CARGO_PKG_VERSION");
                const DESCRIPTION: &'static str = env!("CARGO_PKG_DESCRIPTION");
            }
            impl $crate::bindings::ExportedMapper for Exported {
                type Mapper = $plugin;
            }
            // Only a wasm file has exports; a native linker would refuse their names.
            #[cfg(target_arch = "wasm32")]
            const _: () = {
                type Guest = $crate::bindings::MapperGuest<Exported>;
        $crate::bindings::info::export_info!(Guest with_types_in $crate::bindings::info);
        $crate::bindings::mapper::export_mapper_world!(Guest with_types_in $crate::bindings::mapper);
            };
        };
    };
}
