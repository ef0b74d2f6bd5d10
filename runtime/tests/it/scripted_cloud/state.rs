//! What the cloud holds: entities with versions and stamps, which changes took effect, and headquarters' edits.

use crate::harness::json_text::{RUNTIME_FIELDS, content, without};
use selaras::clock::{Clock, SystemClock};
use std::collections::{BTreeMap, HashMap};

/// One entity.
#[derive(Clone, Debug, PartialEq)]
pub struct Entity {
    /// Its type, as on the wire.
    pub entity_type: String,
    /// The cloud's id.
    pub cloud_id: String,
    /// The outlet's id, once it is known.
    pub local_id: Option<String>,
    /// From 1.
    pub version: u64,
    /// The document less the runtime's fields; of a deleted one the last.
    pub data: String,
    /// Whether it is a tombstone.
    pub deleted: bool,
    /// Its stamp.
    pub updated_at_ms: i64,
    /// Who changed it last.
    pub updated_by: String,
    /// The change that made this state, if an outlet's did.
    pub change_id: Option<String>,
    /// Its place in the feed.
    pub seq: u64,
}

/// A change of an outlet that took effect.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The change.
    pub change_id: Option<String>,
    /// `create`, `update`, `delete`.
    pub operation: String,
    /// The type.
    pub entity_type: String,
    /// The outlet's id.
    pub local_id: String,
    /// `data` as it came.
    pub data: String,
}

/// Everything the cloud holds.
pub struct State {
    /// By cloud id.
    pub entities: BTreeMap<String, Entity>,
    /// In the order in which they took effect.
    pub applied: Vec<Applied>,
    /// What was answered to each change: cloud id and version.
    pub remembered: HashMap<String, (String, u64)>,
    /// Local ids whose changes are refused, with the reason.
    pub refused: HashMap<String, String>,
    /// Most items in a batch; a longer one is 413.
    pub most_items: usize,
    /// A batch with this local id is 400, whatever else is in it.
    pub poison: Option<String>,
    /// The only key that is let in; none: any.
    pub api_key: Option<String>,
    /// How far its clock is ahead of this machine's.
    pub clock_ahead_ms: i64,
    /// Most entities in a page of updates.
    pub page_size: usize,
    /// Replaces the next pages of updates, one each: the `data` of the answer.
    pub pages: std::collections::VecDeque<String>,
    seq: u64,
    clock: SystemClock,
}

impl Default for State {
    fn default() -> Self {
        Self {
            entities: BTreeMap::new(),
            applied: Vec::new(),
            remembered: HashMap::new(),
            refused: HashMap::new(),
            most_items: 1000,
            poison: None,
            api_key: None,
            clock_ahead_ms: 0,
            page_size: 400,
            pages: std::collections::VecDeque::new(),
            seq: 0,
            clock: SystemClock::new(),
        }
    }
}

impl State {
    /// The cloud's clock.
    pub fn now_ms(&self) -> i64 {
        self.clock.wall_ms() + self.clock_ahead_ms
    }

    /// The newest place in the feed.
    pub fn head(&self) -> u64 {
        self.seq
    }

    /// An entity by the outlet's id, tombstones too.
    pub fn find(&self, entity_type: &str, local_id: &str) -> Option<&Entity> {
        self.entities
            .values()
            .find(|e| e.entity_type == entity_type && e.local_id.as_deref() == Some(local_id))
    }

    /// The document as it is compared; none: deleted or unknown.
    pub fn content(&self, entity_type: &str, local_id: &str) -> Option<String> {
        self.find(entity_type, local_id)
            .filter(|e| !e.deleted)
            .map(|e| content(&e.data))
    }

    /// How often changes of an entity took effect.
    pub fn times_applied(&self, entity_type: &str, local_id: &str) -> usize {
        self.applied_to(entity_type, local_id).len()
    }

    /// What took effect on an entity, in order.
    pub fn applied_to(&self, entity_type: &str, local_id: &str) -> Vec<&Applied> {
        self.applied
            .iter()
            .filter(|a| a.entity_type == entity_type && a.local_id == local_id)
            .collect()
    }

    /// Headquarters make an entity; the outlet has no id for it. Answers the cloud's id.
    pub fn create(&mut self, entity_type: &str, data: &str) -> String {
        let cloud_id = format!("hq-{entity_type}-{}", self.seq + 1);
        self.write(entity_type, &cloud_id, None, Some(data), "hq", None);
        cloud_id
    }

    /// Headquarters make or change an entity under an id that the outlet is to use too; answers the cloud's id and the
    /// version.
    pub fn set(&mut self, entity_type: &str, local_id: &str, data: &str) -> (String, u64) {
        let known = self.find(entity_type, local_id).map(|e| e.cloud_id.clone());
        let cloud_id = known.unwrap_or_else(|| format!("hq-{entity_type}-{local_id}"));
        let version = self.write(entity_type, &cloud_id, Some(local_id), Some(data), "hq", None);
        (cloud_id, version)
    }

    /// An entity as an earlier cloud left it; the feed goes on after its place.
    pub fn adopt(&mut self, entity: Entity) {
        self.seq = self.seq.max(entity.seq);
        self.entities.insert(entity.cloud_id.clone(), entity);
    }

    /// Takes over what another cloud holds and remembers.
    pub fn take_after(&mut self, other: &State) {
        self.entities.clone_from(&other.entities);
        self.remembered.clone_from(&other.remembered);
        self.refused.clone_from(&other.refused);
        self.seq = other.seq;
    }

    /// Headquarters change an entity that an outlet made.
    pub fn edit(&mut self, entity_type: &str, local_id: &str, data: &str) {
        let cloud_id = self.known(entity_type, local_id);
        self.write(entity_type, &cloud_id, Some(local_id), Some(data), "hq", None);
    }

    /// The same, with a stamp so many milliseconds from now.
    pub fn edit_stamped(&mut self, entity_type: &str, local_id: &str, data: &str, from_now_ms: i64) {
        let cloud_id = self.known(entity_type, local_id);
        self.write(entity_type, &cloud_id, Some(local_id), Some(data), "hq", None);
        let stamp = self.now_ms() + from_now_ms;
        self.entity_mut(&cloud_id).updated_at_ms = stamp;
    }

    /// An entity's document changes, and nothing else of it: no number, no stamp, no place in the feed.
    pub fn rewrite(&mut self, entity_type: &str, local_id: &str, data: &str) {
        let cloud_id = self.known(entity_type, local_id);
        self.entity_mut(&cloud_id).data = data.to_owned();
    }

    /// An entity is gone without a trace.
    pub fn forget(&mut self, entity_type: &str, local_id: &str) {
        let cloud_id = self.known(entity_type, local_id);
        self.entities.remove(&cloud_id);
    }

    /// Headquarters delete an entity.
    pub fn delete(&mut self, entity_type: &str, local_id: &str) {
        let cloud_id = self.known(entity_type, local_id);
        self.write(entity_type, &cloud_id, Some(local_id), None, "hq", None);
    }

    fn known(&self, entity_type: &str, local_id: &str) -> String {
        let entity = self.find(entity_type, local_id);
        entity
            .unwrap_or_else(|| panic!("the cloud has no {entity_type}/{local_id}"))
            .cloud_id
            .clone()
    }

    fn entity_mut(&mut self, cloud_id: &str) -> &mut Entity {
        self.entities.get_mut(cloud_id).expect("a known cloud id")
    }

    /// Writes a new version of an entity (`None`: a tombstone), and answers it.
    pub(super) fn write(
        &mut self,
        entity_type: &str,
        cloud_id: &str,
        local_id: Option<&str>,
        data: Option<&str>,
        by: &str,
        change_id: Option<&str>,
    ) -> u64 {
        self.seq += 1;
        let before = self.entities.get(cloud_id);
        let entity = Entity {
            entity_type: entity_type.to_owned(),
            cloud_id: cloud_id.to_owned(),
            local_id: local_id
                .map(str::to_owned)
                .or_else(|| before.and_then(|e| e.local_id.clone())),
            version: before.map_or(0, |e| e.version) + 1,
            data: match (data, before) {
                (Some(data), _) => without(data, &RUNTIME_FIELDS),
                (None, Some(before)) => before.data.clone(),
                (None, None) => "{}".to_owned(),
            },
            deleted: data.is_none(),
            updated_at_ms: self.now_ms(),
            updated_by: by.to_owned(),
            change_id: change_id.map(str::to_owned),
            seq: self.seq,
        };
        let version = entity.version;
        self.entities.insert(cloud_id.to_owned(), entity);
        version
    }
}
