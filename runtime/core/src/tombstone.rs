//! What a tombstone need not keep for ever. Its names and numbers stay: they are what keeps a delete deleted (promise 7).

use crate::entity::Entity;
use crate::record::{Base, Record, Standing};

/// Whether both sides know the entity as deleted and nothing is left to do or to decide about it.
fn is_at_rest(record: &Record) -> bool {
    record.version > 0
        && record.doc.is_none()
        && record.base == Base::Same
        && record.standing == Standing::Plain
        && record.waiting == 0
        && record.inbox.is_none()
        && record.conflict.is_none()
}

/// Whether it is a tombstone at rest that holds more than names and numbers.
pub fn holds_more(record: &Record) -> bool {
    is_at_rest(record) && (record.past.is_some() || record.settled.is_some())
}

/// Drops the documents that a tombstone at rest still holds, and what only served to know late echoes. False: there is
/// nothing to drop, or it is not at rest.
pub fn strip(entity: &mut Entity) -> bool {
    let record = &mut entity.record;
    if !holds_more(record) {
        return false;
    }
    record.past = None;
    record.settled = None;
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Case, deletion, update};
    use crate::receive::Received;

    #[test]
    fn a_tombstone_that_the_cloud_has_acknowledged_loses_its_documents_and_stays_deleted() {
        let mut case = Case::synced();
        case.put("2");
        case.push(Some("c-1"), None);
        case.delete();
        case.push(Some("c-1"), None);
        assert!(case.entity.record.past.is_some());
        assert!(case.step(strip));
        let record = &case.entity.record;
        assert!(record.past.is_none() && record.cloud_version == 3);
        assert_eq!(record.cloud_id.as_ref().unwrap().as_str(), "c-1");
        assert_eq!(case.update(&update("1", 2)), Received::Stale);
        assert_eq!(case.doc(), None);
        assert!(!case.step(strip), "once is enough");
    }

    #[test]
    fn what_lives_or_waits_is_left_alone() {
        let mut living = Case::synced();
        living.put("2");
        living.push(Some("c-1"), None);
        assert!(!living.step(strip));
        let mut waiting = Case::synced();
        waiting.put("2");
        waiting.push(Some("c-1"), None);
        waiting.delete();
        let before = waiting.entity.clone();
        assert!(!waiting.step(strip));
        assert_eq!(waiting.entity, before);
        let mut contested = Case::synced();
        contested.update(&deletion(4));
        contested.entity.record.conflict = Some("1".to_owned());
        assert!(!contested.step(strip));
    }
}
