//! Where each kind of row lives: one byte a kind, then its name. Numbers are big-endian, so that rows sort.

use selaras_core::id::{EntityId, EntityKey, EntityType};
use selaras_core::record::Slot;
use selaras_core::stamp::Millis;

/// Records: type, id.
pub const RECORD: u8 = b'r';
/// Ids that became another entity's: type, id → the other id.
pub const ALIAS: u8 = b'a';
/// Queue items: order.
pub const ITEM: u8 = b'q';
/// Documents of records and items: type, id, version.
pub const DOCUMENT: u8 = b'd';
/// An entity's items: type, id, order.
pub const ENTITY_ITEM: u8 = b'e';
/// Heads that may be sent: priority, order → entity.
pub const READY: u8 = b'w';
/// Heads in backoff: time, order → entity.
pub const DUE: u8 = b't';
/// Items out of retries: order.
pub const FAILED: u8 = b'g';
/// Entities with an update to decide: type, id.
pub const INBOX: u8 = b'n';
/// Entities by the cloud's id: type, cloud id → id.
pub const BY_CLOUD_ID: u8 = b'l';
/// Conflicts: number.
pub const CONFLICT: u8 = b'c';
/// Conflicts that are open: number.
pub const OPEN_CONFLICT: u8 = b'o';
/// Sync log: number.
pub const LOG: u8 = b's';
/// Idempotency keys: digest.
pub const IDEMPOTENCY: u8 = b'k';
/// Apps' change_ids: the id.
pub const CHANGE_ID: u8 = b'x';
/// Webhooks taken in: digest.
pub const WEBHOOK: u8 = b'h';
/// Parked documents: number.
pub const PARKED: u8 = b'p';
/// Parked updates by the cloud's name of their entity: type, mark and name → number. Follows from the parked.
pub const PARKED_OF: u8 = b'P';
/// Conflicts the cloud told of: type, id → its conflict id.
pub const HINT: u8 = b'j';
/// Settings and cursors: name.
pub const META: u8 = b'm';
/// Bindings: type, or `*`.
pub const BINDING: u8 = b'b';
/// Broadcasts of the company: number.
pub const BROADCAST: u8 = b'z';
/// Users: id.
pub const USER: u8 = b'u';
/// Apps' tokens: id.
pub const APP_TOKEN: u8 = b'T';
/// Login tokens whose session was ended: the token's own id → when it would have expired.
pub const ENDED_SESSION: u8 = b'E';
/// Versions of plugins: name, digest.
pub const PLUGIN: u8 = b'v';
/// Components of plugins in parts: digest (64 hex digits), number of the part.
pub const PLUGIN_PART: u8 = b'V';
/// Which version of a plugin is in use: name.
pub const PLUGIN_SEAT: u8 = b'y';
/// What was done with plugins: number.
pub const PLUGIN_HISTORY: u8 = b'Y';
/// Where the version beside the active one answered otherwise: name, number.
pub const PLUGIN_DIFFERENCE: u8 = b'D';
/// Files of the plugins folder that were taken in: file name.
pub const PLUGIN_FILE: u8 = b'F';
/// Records of the audit log: number. Sealed in a chain, see [`chain`](super::chain).
pub const AUDIT: u8 = b'A';
/// Where that chain ends, and what of its beginning was removed.
pub const AUDIT_END: u8 = b'B';
/// Marks of entities that a listing has shown, or that were written meanwhile: see `seen`.
pub const SEEN: u8 = b'S';

/// A key of `kind` with a free name.
pub fn named(kind: u8, name: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + name.len());
    key.push(kind);
    key.extend_from_slice(name);
    key
}

/// A key of `kind` with a number.
pub fn numbered(kind: u8, number: u64) -> Vec<u8> {
    named(kind, &number.to_be_bytes())
}

/// The number in such a key.
pub fn number(key: &[u8]) -> Option<u64> {
    key.get(1..9)
        .and_then(|bytes| bytes.try_into().ok())
        .map(u64::from_be_bytes)
}

/// A key of `kind` for an entity. Neither types nor ids hold a zero byte.
pub fn entity(kind: u8, key: &EntityKey) -> Vec<u8> {
    two(kind, key.entity_type.as_str(), key.id.as_str())
}

/// A key of `kind` for a type and a second name.
pub fn two(kind: u8, first: &str, second: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(2 + first.len() + second.len());
    key.push(kind);
    key.extend_from_slice(first.as_bytes());
    key.push(0);
    key.extend_from_slice(second.as_bytes());
    key
}

/// All keys of `kind` for a type.
pub fn type_range(kind: u8, entity_type: &EntityType) -> (Vec<u8>, Vec<u8>) {
    name_range(kind, entity_type.as_str())
}

/// All keys of `kind` whose first name this is.
pub fn name_range(kind: u8, first: &str) -> (Vec<u8>, Vec<u8>) {
    let from = two(kind, first, "");
    let mut to = from.clone();
    to.pop();
    to.push(1);
    (from, to)
}

/// All keys of `kind`.
pub fn all(kind: u8) -> (Vec<u8>, Vec<u8>) {
    (vec![kind], vec![kind + 1])
}

/// The row of an entity's document of one version.
pub fn entity_version(key: &EntityKey, version: u64) -> Vec<u8> {
    let mut row = entity(DOCUMENT, key);
    row.push(0);
    row.extend_from_slice(&version.to_be_bytes());
    row
}

/// The item row of an entity: an index from the entity to its queue.
pub fn entity_item(key: &EntityKey, order: u64) -> Vec<u8> {
    let mut row = entity(ENTITY_ITEM, key);
    row.push(0);
    row.extend_from_slice(&order.to_be_bytes());
    row
}

/// All item rows of an entity.
pub fn entity_items(key: &EntityKey) -> (Vec<u8>, Vec<u8>) {
    let mut from = entity(ENTITY_ITEM, key);
    let mut to = from.clone();
    from.push(0);
    to.push(1);
    (from, to)
}

/// The order in an item row's key.
pub fn entity_item_order(row: &[u8]) -> Option<u64> {
    let at = row.len().checked_sub(8)?;
    row[at..].try_into().ok().map(u64::from_be_bytes)
}

/// Where a slot is written.
pub fn slot(slot: Slot) -> Vec<u8> {
    match slot {
        Slot::Ready { priority, order } => {
            let mut key = vec![READY, priority];
            key.extend_from_slice(&order.to_be_bytes());
            key
        }
        Slot::Due { at, order } => {
            let mut key = due_from(at);
            key.extend_from_slice(&order.to_be_bytes());
            key
        }
    }
}

/// The beginning of the slots that are due at `at`.
pub fn due_from(at: Millis) -> Vec<u8> {
    let mut key = vec![DUE];
    key.extend_from_slice(&(at.0 as u64 ^ (1 << 63)).to_be_bytes());
    key
}

/// When the slot of a [`DUE`] key is due.
pub fn due_at(key: &[u8]) -> Option<Millis> {
    number(key).map(|bits| Millis((bits ^ (1 << 63)) as i64))
}

/// The entity that an entity key of any kind, or an index value (`kind` left out), names.
pub fn parse_entity(name: &[u8]) -> Option<EntityKey> {
    let zero = name.iter().position(|b| *b == 0)?;
    let entity_type = EntityType::parse(std::str::from_utf8(&name[..zero]).ok()?).ok()?;
    let id = EntityId::parse(std::str::from_utf8(&name[zero + 1..]).ok()?).ok()?;
    Some(EntityKey { entity_type, id })
}
