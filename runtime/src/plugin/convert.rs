//! Between the host's values and the interface's generated types.
//!
//! Only moves and copies; judging an answer is `output.rs`'s.

use super::bindings::{log, strategy::exports::selaras::plugin::strategy, types};
use super::error::{Failure, FailureCode, OwnError};
use super::output::printable;
use super::values::{CallContext, Case, Document, Level};

/// A document as the guest speaks of it.
pub(super) type ItsDocument = types::Document;

/// Bytes of a plugin's own error code and field name that are kept.
const MAX_WORD_BYTES: usize = 128;

pub(super) fn document(from: &Document) -> types::Document {
    types::Document {
        key: types::EntityKey {
            entity_type: from.entity_type.clone(),
            id: from.id.clone(),
        },
        cloud_id: from.cloud_id.clone(),
        version: from.version,
        deleted: from.deleted,
        modified_ms: from.modified_ms,
        modified_by: from.modified_by.clone(),
        attrs: Vec::new(),
        body: String::from(&*from.body),
    }
}

pub(super) fn context(from: &CallContext) -> types::CallContext {
    types::CallContext {
        outlet_id: from.outlet_id.clone(),
        outlet_code: from.outlet_code.clone(),
        now_ms: from.now_ms,
        settings: String::from(&*from.settings),
        attrs: Vec::new(),
    }
}

pub(super) fn conflict(from: &Case) -> strategy::Conflict {
    strategy::Conflict {
        base: from.base.as_ref().map(document),
        local: document(&from.local),
        cloud: document(&from.cloud),
        attrs: Vec::new(),
    }
}

/// A plugin's own error, its words cut and made printable.
pub(super) fn own_error(from: &types::PluginError, max_bytes: usize) -> Failure {
    let code = printable(&from.code, MAX_WORD_BYTES);
    let field = from
        .field
        .as_deref()
        .map(|field| printable(field, MAX_WORD_BYTES));
    let said = printable(&from.message, max_bytes);
    let message = match &field {
        Some(field) => format!("{code}: {said} (field `{field}`)"),
        None => format!("{code}: {said}"),
    };
    Failure {
        code: FailureCode::Error,
        message,
        retryable: from.retryable,
        own: Some(OwnError { code, field }),
    }
}

pub(super) fn level(from: log::Level) -> Level {
    match from {
        log::Level::Trace => Level::Trace,
        log::Level::Debug => Level::Debug,
        log::Level::Info => Level::Info,
        log::Level::Warn => Level::Warn,
        log::Level::Error => Level::Error,
    }
}
