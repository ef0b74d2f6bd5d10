//! Moves values between the SDK's types and the generated ones, field by field, copying no text.

use super::imports::selaras::plugin::types as wit;
use super::info::exports::selaras::plugin::info as wit_info;
use super::mapper::exports::selaras::plugin::mapper as wit_mapper;
use super::strategy::exports::selaras::plugin::strategy as wit_strategy;
use crate::{Conflict, Context, Decision, Document, Error, Info, Key, Outcome, Verdict};

impl From<wit::EntityKey> for Key {
    fn from(key: wit::EntityKey) -> Self {
        Self {
            entity_type: key.entity_type,
            id: key.id,
        }
    }
}

impl From<Key> for wit::EntityKey {
    fn from(key: Key) -> Self {
        Self {
            entity_type: key.entity_type,
            id: key.id,
        }
    }
}

impl From<wit::Document> for Document {
    fn from(document: wit::Document) -> Self {
        let wit::Document {
            key,
            cloud_id,
            version,
            deleted,
            modified_ms,
            modified_by,
            attrs,
            body,
        } = document;
        Self {
            key: key.into(),
            cloud_id,
            version,
            deleted,
            modified_ms,
            modified_by,
            attrs,
            body,
        }
    }
}

impl From<Document> for wit::Document {
    fn from(document: Document) -> Self {
        let Document {
            key,
            cloud_id,
            version,
            deleted,
            modified_ms,
            modified_by,
            attrs,
            body,
        } = document;
        Self {
            key: key.into(),
            cloud_id,
            version,
            deleted,
            modified_ms,
            modified_by,
            attrs,
            body,
        }
    }
}

impl From<wit::CallContext> for Context {
    fn from(cx: wit::CallContext) -> Self {
        let wit::CallContext {
            outlet_id,
            outlet_code,
            now_ms,
            settings,
            attrs,
        } = cx;
        Self {
            outlet_id,
            outlet_code,
            now_ms,
            settings_json: settings,
            attrs,
        }
    }
}

impl From<Error> for wit::PluginError {
    fn from(error: Error) -> Self {
        let Error {
            code,
            message,
            retryable,
            field,
        } = error;
        Self {
            code,
            message,
            retryable,
            field,
        }
    }
}

impl From<wit_strategy::Conflict> for Conflict {
    fn from(conflict: wit_strategy::Conflict) -> Self {
        let wit_strategy::Conflict {
            base,
            local,
            cloud,
            attrs,
        } = conflict;
        Self {
            base: base.map(Into::into),
            local: local.into(),
            cloud: cloud.into(),
            attrs,
        }
    }
}

impl From<Verdict> for wit_strategy::Verdict {
    fn from(verdict: Verdict) -> Self {
        let decision = match verdict.decision {
            Decision::KeepLocal => wit_strategy::Decision::KeepLocal,
            Decision::TakeCloud => wit_strategy::Decision::TakeCloud,
            Decision::Merge(body) => wit_strategy::Decision::Merge(body),
            Decision::Delete => wit_strategy::Decision::Delete,
            Decision::Defer => wit_strategy::Decision::Defer,
        };
        Self {
            decision,
            reason: verdict.reason,
            attrs: verdict.attrs,
        }
    }
}

impl From<Outcome> for wit_mapper::Outcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Put(document) => Self::Put(document.into()),
            Outcome::Skip(reason) => Self::Skip(reason),
        }
    }
}

impl From<Info> for wit_info::PluginInfo {
    fn from(info: Info) -> Self {
        let Info {
            name,
            version,
            description,
            entity_types,
            attrs,
        } = info;
        Self {
            name,
            version,
            description,
            entity_types,
            attrs,
        }
    }
}
