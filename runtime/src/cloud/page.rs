//! One page of `updates`, cut into elements. A document keeps its bytes; an element that cannot be read becomes a
//! problem and the rest of the page goes on. Which type a plural means, and what an update does, is the engine's.

use super::answer::payload;
use super::batch::quote;
use super::error::{LinkError, excerpt};
use super::json::Json;
use selaras_core::stamp::Millis;

/// One page of updates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// What could be read, in the order of the answer; `deleted` as it stands there.
    pub elements: Vec<Element>,
    /// Where to go on; none: keep the old one.
    pub checkpoint: Option<String>,
    /// Ask again at once (extension).
    pub has_more: bool,
    /// This page ends a full listing (extension).
    pub complete: bool,
    /// Elements that could not be read, and why: to be logged.
    pub problems: Vec<String>,
    /// The same elements, whole: to be kept.
    pub unreadable: Vec<Unreadable>,
}

/// An element that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The array in which it stood.
    pub collection: String,
    /// Its JSON text.
    pub raw: String,
    /// Why.
    pub problem: &'static str,
}

/// Where an element stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Collection {
    /// It names its type (`items`, `deleted`, or an `entity_type` of its own).
    Typed(String),
    /// In the array of that name: a type's plural.
    Plural(String),
}

/// The state of one entity at the cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// Where it stood.
    pub collection: Collection,
    /// The cloud's id; this or `local_id` is there.
    pub cloud_id: Option<String>,
    /// The outlet's id, as the cloud knows it.
    pub local_id: Option<String>,
    /// The cloud's number of this state.
    pub version: Option<u64>,
    /// `updated_at`, `deleted_at` or `timestamp`, milliseconds since the Unix epoch.
    pub stamp_ms: Option<i64>,
    /// Who changed it there.
    pub updated_by: Option<String>,
    /// The change of ours that made it (extension).
    pub change_id: Option<String>,
    /// The document's text, an object; none: deleted.
    pub data: Option<String>,
}

/// Most problems a page reports; a page of nothing else must not fill the log.
const MOST_PROBLEMS: usize = 50;

/// Reads a page.
pub(super) fn read_page(body: &str) -> Result<Page, LinkError> {
    let data = payload(body)?;
    let mut page = Page::default();
    let mut untold = 0;
    for member in data.members() {
        match &*member.name {
            "sync_checkpoint" => page.checkpoint = member.value.word(),
            "has_more" => page.has_more = member.value.truth().unwrap_or(false),
            "complete" => page.complete = member.value.truth().unwrap_or(false),
            name => {
                for (place, element) in member.value.elements().enumerate() {
                    let why = match read_element(name, element) {
                        Ok(element) => {
                            page.elements.push(element);
                            continue;
                        }
                        Err(why) => why,
                    };
                    page.unreadable.push(Unreadable {
                        collection: name.to_owned(),
                        raw: element.text().to_owned(),
                        problem: why,
                    });
                    if page.problems.len() >= MOST_PROBLEMS {
                        untold += 1;
                        continue;
                    }
                    page.problems.push(format!(
                        "{}[{place}] {why}: {}",
                        excerpt(name),
                        excerpt(beginning(element.text()))
                    ));
                }
            }
        }
    }
    if untold > 0 {
        page.problems.push(format!("and {untold} more"));
    }
    Ok(page)
}

/// Reads one element that was kept as text, as it is read in a page's array of that name.
///
/// # Errors
/// Why it cannot be read.
pub fn read_again(collection: &str, raw: &str) -> Result<Element, String> {
    let json = Json::check(raw).map_err(|error| format!("is no JSON ({error})"))?;
    read_element(collection, json).map_err(str::to_owned)
}

impl Element {
    /// The array in which it stands, and its text as [`read_again`] takes it: whole, in the contract's words.
    pub fn text(&self) -> (String, String) {
        let mut body = Vec::with_capacity(self.data.as_ref().map_or(0, String::len) + 256);
        let mut member = |name: &str, value: &dyn Fn(&mut Vec<u8>)| {
            body.push(if body.is_empty() { b'{' } else { b',' });
            quote(&mut body, name);
            body.push(b':');
            value(&mut body);
        };
        let collection = match &self.collection {
            Collection::Typed(name) => {
                member("entity_type", &|body| quote(body, name));
                "items"
            }
            Collection::Plural(name) => name,
        };
        let texts = [
            ("cloud_id", &self.cloud_id),
            ("local_id", &self.local_id),
            ("updated_by", &self.updated_by),
            ("change_id", &self.change_id),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                member(name, &|body| quote(body, text));
            }
        }
        let numbers = [
            ("version", self.version.map(|version| version.to_string())),
            (
                "updated_at",
                self.stamp_ms.map(|ms| format!("\"{}\"", Millis(ms).to_rfc3339())),
            ),
        ];
        for (name, number) in &numbers {
            if let Some(number) = number {
                member(name, &|body| body.extend_from_slice(number.as_bytes()));
            }
        }
        match &self.data {
            Some(data) => member("data", &|body| body.extend_from_slice(data.as_bytes())),
            None => member("action", &|body| quote(body, "delete")),
        }
        body.push(b'}');
        let text = String::from_utf8(body).expect("invariant: made of texts");
        (collection.to_owned(), text)
    }
}

/// Enough of a long text for an excerpt.
fn beginning(text: &str) -> &str {
    text.char_indices().nth(400).map_or(text, |(cut, _)| &text[..cut])
}

#[derive(Default)]
struct Envelope<'a> {
    cloud_id: Option<String>,
    local_id: Option<String>,
    version: Option<u64>,
    updated_at: Option<Json<'a>>,
    deleted_at: Option<Json<'a>>,
    timestamp: Option<Json<'a>>,
    updated_by: Option<String>,
    change_id: Option<String>,
    entity_type: Option<String>,
    deletes: bool,
    data: Option<Json<'a>>,
    rest: String,
}

fn read_element(name: &str, element: Json<'_>) -> Result<Element, &'static str> {
    if !element.is_object() {
        return Err("is no object");
    }
    let mut envelope = open(element);
    let by_name = name != "items" && name != "deleted";
    let collection = match envelope.entity_type.take() {
        Some(entity_type) => Collection::Typed(entity_type),
        None if by_name => Collection::Plural(name.to_owned()),
        None => return Err("has no entity_type"),
    };
    if envelope.cloud_id.is_none() && envelope.local_id.is_none() {
        return Err("has neither cloud_id nor local_id");
    }
    let deleted = envelope.deletes || name == "deleted";
    let stamps = if deleted {
        [envelope.deleted_at, envelope.updated_at, envelope.timestamp]
    } else {
        [envelope.updated_at, envelope.timestamp, None]
    };
    let data = match envelope.data {
        _ if deleted => None,
        Some(data) => Some(data.text().to_owned()),
        None => Some(envelope.rest + "}"),
    };
    Ok(Element {
        collection,
        cloud_id: envelope.cloud_id,
        local_id: envelope.local_id,
        version: envelope.version,
        stamp_ms: stamps.into_iter().flatten().find_map(stamp_ms),
        updated_by: envelope.updated_by,
        change_id: envelope.change_id,
        data,
    })
}

/// Takes the envelope's fields off; what is left is the document, member by member as written.
fn open(element: Json<'_>) -> Envelope<'_> {
    let mut envelope = Envelope {
        rest: String::with_capacity(element.text().len()),
        ..Envelope::default()
    };
    envelope.rest.push('{');
    for member in element.members() {
        let value = member.value;
        match &*member.name {
            "cloud_id" => envelope.cloud_id = value.word(),
            "local_id" => envelope.local_id = value.word(),
            "version" => envelope.version = value.whole(),
            "updated_at" => envelope.updated_at = Some(value),
            "updated_by" => envelope.updated_by = value.word(),
            "entity_type" => envelope.entity_type = value.word(),
            "action" | "operation" => envelope.deletes |= value.text() == "\"delete\"",
            other => {
                // These tell something and still belong to a flat document: the contract's list is the one above.
                match other {
                    "deleted_at" => envelope.deleted_at = Some(value),
                    "timestamp" => envelope.timestamp = Some(value),
                    "change_id" => envelope.change_id = value.word(),
                    "data" => envelope.data = value.is_object().then_some(value),
                    _ => {}
                }
                if envelope.rest.len() > 1 {
                    envelope.rest.push(',');
                }
                envelope.rest.push_str(member.whole);
            }
        }
    }
    envelope
}

/// RFC 3339, or a number of milliseconds (of seconds, where it is too small to be those).
fn stamp_ms(value: Json<'_>) -> Option<i64> {
    /// 1973 in milliseconds, 5138 in seconds.
    const LEAST_MILLIS: u64 = 100_000_000_000;
    if let Some(text) = value.string() {
        return Millis::parse_rfc3339(&text).map(|m| m.0);
    }
    let number = value.whole()?;
    i64::try_from(if number < LEAST_MILLIS {
        number * 1000
    } else {
        number
    })
    .ok()
}

#[cfg(test)]
mod tests;
