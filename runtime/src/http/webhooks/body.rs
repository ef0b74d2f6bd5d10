//! A webhook's body. The cloud's senders differ and are not ours to change, so unknown members are ignored, ids
//! and numbers are taken as text or number, and documents stay the text they are.

use super::{Path, notice};
use crate::engine::api::{BulkElement, Hook, HookConflict, HookUpdate};
use crate::http::ApiError;
use crate::http::extract::{Fields, FromField, Text, object};
use selaras_core::json::Doc;
use selaras_core::stamp::Millis;
use serde_json::value::RawValue;

/// The elements of one bulk; the body's size limits it anyway.
const MAX_UPDATES: usize = 10_000;

/// What must be known before the body is believed to be new.
#[derive(Debug)]
pub(super) struct Read {
    path: Path,
    /// When the cloud made it.
    pub(super) timestamp: Option<Millis>,
    /// The cloud's name of the event.
    pub(super) event_id: Option<String>,
    /// It says an id, a time or a version, so that the same bytes mean the same event.
    pub(super) is_stated: bool,
}

/// Reads what age and dedup need.
///
/// # Errors
/// 422 when `event` belongs to another path or `timestamp` is no time.
pub(super) fn read(doc: &Doc, path: Path) -> Result<Read, ApiError> {
    let fields = object(doc);
    let text = |name: &str| fields.raw(name).and_then(Text::from_json).map(|text| text.0);
    if let Some(event) = text("event") {
        check_event(&event, &text("entity_type").unwrap_or_default(), path)?;
    }
    let timestamp = match fields.raw("timestamp") {
        None => None,
        Some(raw) => {
            Some(Millis::from_json(raw).ok_or_else(|| ApiError::invalid("timestamp", Millis::EXPECTED))?)
        }
    };
    let event_id = text("event_id").filter(|id| !id.is_empty());
    let is_stated = match path {
        Path::Bulk => timestamp.is_some() || every_element_is_stated(doc),
        Path::Update | Path::Delete | Path::Conflict | Path::Broadcast | Path::Config => is_stated(doc),
    };
    Ok(Read {
        path,
        timestamp,
        event_id,
        is_stated,
    })
}

fn is_stated(doc: &Doc) -> bool {
    let fields = object(doc);
    ["event_id", "timestamp", "version", "updated_at", "deleted_at"]
        .iter()
        .any(|name| fields.raw(name).is_some())
}

fn every_element_is_stated(doc: &Doc) -> bool {
    let elements = elements(doc).unwrap_or_default();
    !elements.is_empty()
        && elements
            .iter()
            .all(|raw| Doc::from_json(raw.get()).is_some_and(|element| is_stated(&element)))
}

/// Refuses an `event` that names another hook's doing. Clouds spell events as they like (`product.updated`,
/// `entity_deleted`), so only words that are known to mean another path are refused.
fn check_event(event: &str, entity_type: &str, path: Path) -> Result<(), ApiError> {
    let event = event.to_lowercase();
    // The type is part of many events and may hold any word.
    let rest = if entity_type.is_empty() {
        event.clone()
    } else {
        event.replacen(&entity_type.to_lowercase(), "", 1)
    };
    let meant = meaning(&rest);
    // `config.updated` and `broadcast_created` are at home here, whatever the second word means elsewhere.
    let is_own = match path {
        Path::Broadcast => has_word(&rest, &["broadcast", "announc", "message"]),
        Path::Config => has_word(&rest, &["config", "setting", "profile"]),
        Path::Update | Path::Delete | Path::Conflict | Path::Bulk => false,
    };
    if is_own || meant.is_none_or(|meant| meant == path) {
        return Ok(());
    }
    let problem = format!("{event:?} does not belong to …/webhooks/cloud/{}", path.as_str());
    Err(ApiError::unprocessable(
        "event_mismatch",
        format!("event {problem}: send it to its own path"),
    )
    .detail("event", problem))
}

/// Whether a word of the event begins with one of these.
fn has_word(event: &str, stems: &[&str]) -> bool {
    event
        .split(|c: char| !c.is_ascii_alphanumeric())
        .any(|word| stems.iter().any(|stem| word.starts_with(stem)))
}

fn meaning(event: &str) -> Option<Path> {
    let says = |stems: &[&str]| has_word(event, stems);
    if event == Path::Broadcast.as_str() {
        Some(Path::Broadcast)
    } else if event == Path::Config.as_str() {
        Some(Path::Config)
    } else if says(&["bulk", "batch"]) {
        Some(Path::Bulk)
    } else if says(&["conflict"]) {
        Some(Path::Conflict)
    } else if says(&["delet", "remov"]) {
        Some(Path::Delete)
    } else if says(&["updat", "creat", "upsert", "chang"]) {
        Some(Path::Update)
    } else {
        None
    }
}

impl Read {
    /// The hook that the body describes.
    ///
    /// # Errors
    /// 422 that names every field that is wrong.
    pub(super) fn into_hook(self, doc: &Doc) -> Result<Hook, ApiError> {
        match self.path {
            Path::Update => Ok(Hook::Update(update(object(doc), Kind::Update, None)?)),
            Path::Delete => Ok(Hook::Update(update(object(doc), Kind::Delete, None)?)),
            Path::Conflict => conflict(doc),
            Path::Bulk => self.bulk(doc),
            Path::Broadcast => notice::broadcast(doc),
            Path::Config => notice::config(doc),
        }
    }

    fn bulk(&self, doc: &Doc) -> Result<Hook, ApiError> {
        let elements =
            elements(doc).ok_or_else(|| ApiError::invalid("updates", "must be an array of updates"))?;
        if elements.len() > MAX_UPDATES {
            let problem = format!("must hold at most {MAX_UPDATES} updates, not {}", elements.len());
            return Err(ApiError::invalid("updates", problem));
        }
        let read = |(index, raw): (usize, &RawValue)| match self.element(index, raw.get()) {
            Ok(update) => BulkElement::Update(update),
            Err(problem) => BulkElement::Unreadable {
                problem,
                raw: raw.get().to_owned(),
            },
        };
        Ok(Hook::Bulk(elements.into_iter().enumerate().map(read).collect()))
    }

    fn element(&self, index: usize, raw: &str) -> Result<HookUpdate, String> {
        let path = format!("updates[{index}]");
        let Some(element) = Doc::from_json(raw) else {
            return Err(format!("{path} {}", Doc::EXPECTED));
        };
        let fields = Fields::new(&element, path);
        let kind = if deletes(&fields) {
            Kind::Delete
        } else {
            Kind::Update
        };
        update(fields, kind, self.timestamp).map_err(|error| error.message().to_owned())
    }
}

/// Whether an element of a bulk says that its entity is gone.
fn deletes(fields: &Fields<'_>) -> bool {
    let word = |name: &str| {
        fields
            .raw(name)
            .and_then(String::from_json)
            .map(|text| text.to_lowercase())
    };
    let by_word = ["action", "operation"]
        .into_iter()
        .filter_map(word)
        .any(|word| meaning(&word) == Some(Path::Delete));
    by_word
        || fields.raw("deleted") == Some("true")
        || word("event").is_some_and(|event| meaning(&event) == Some(Path::Delete))
}

fn elements(doc: &Doc) -> Option<Vec<&RawValue>> {
    serde_json::from_str(doc.get("updates")?).ok()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Update,
    Delete,
}

fn update(mut fields: Fields<'_>, kind: Kind, outer: Option<Millis>) -> Result<HookUpdate, ApiError> {
    let cloud_type = fields.required_text("entity_type");
    let (cloud_id, local_id) = ids(&mut fields);
    let data: Option<Doc> = match kind {
        Kind::Delete => None,
        Kind::Update => {
            if fields.raw("data").is_none() {
                fields.problem("data", "is missing: must be the entity's document, a JSON object");
            }
            fields.optional("data")
        }
    };
    // The time of the change itself, where the cloud says it; else that of the message.
    let own = if kind == Kind::Delete {
        "deleted_at"
    } else {
        "updated_at"
    };
    let stamp = fields.optional(own).or(fields.optional("timestamp")).or(outer);
    let version = fields.optional::<Number>("version").map(|number| number.0);
    let hook = HookUpdate {
        cloud_type,
        cloud_id,
        local_id,
        version,
        stamp,
        updated_by: fields.optional::<Text>("updated_by").map(|text| text.0),
        change_id: fields.optional::<Text>("change_id").map(|text| text.0),
        data,
    };
    fields.finish()?;
    Ok(hook)
}

fn conflict(doc: &Doc) -> Result<Hook, ApiError> {
    let mut fields = object(doc);
    let cloud_type = fields.required_text("entity_type");
    let (cloud_id, local_id) = ids(&mut fields);
    let hook = HookConflict {
        cloud_type,
        cloud_id,
        local_id,
        conflict_id: fields.optional::<Text>("conflict_id").map(|text| text.0),
        resolution_required: fields.optional("resolution_required").unwrap_or(false),
    };
    fields.finish()?;
    Ok(Hook::Conflict(hook))
}

/// At least one of the two must be there.
fn ids(fields: &mut Fields<'_>) -> (Option<String>, Option<String>) {
    let mut id = |name: &str| {
        let text = fields.optional::<Text>(name).map(|text| text.0);
        if text.as_deref() == Some("") {
            fields.problem(name, "is empty");
        }
        text
    };
    let (cloud_id, local_id) = (id("cloud_id"), id("local_id"));
    if fields.raw("cloud_id").is_none() && fields.raw("local_id").is_none() {
        fields.problem("cloud_id", "is missing: name the entity by cloud_id or local_id");
    }
    (cloud_id, local_id)
}

/// A version that some clouds send as a string.
struct Number(u64);

impl FromField for Number {
    const EXPECTED: &'static str = u64::EXPECTED;

    fn from_json(raw: &str) -> Option<Self> {
        Text::from_json(raw)?.0.parse().ok().map(Self)
    }
}

#[cfg(test)]
mod tests;
