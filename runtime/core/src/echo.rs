//! Echoes: updates that only tell the outlet of its own changes. They settle what they speak of as a success, and never
//! reach a strategy (rule 5).

use crate::entity::Entity;
use crate::item::{Item, ItemState};
use crate::payload::same_state;
use crate::push::succeed;
use crate::record::Base;
use crate::update::{Seen, Update};

/// Settles what `update` is an echo of: the attempted head, and what is in doubt behind it. The update's own number is
/// judged afterwards. Returns how many items are done.
pub fn settle_echo(entity: &mut Entity, update: &Update, seen: &Seen) -> u32 {
    let Some(last) = confirmed(entity, update, seen) else {
        return 0;
    };
    // What went before it is behind the cloud, too, and under lower numbers than this.
    entity.items.drain(..last);
    succeed(entity, update.cloud_id.clone(), None);
    u32::try_from(last + 1).unwrap_or(u32::MAX)
}

/// The last item that the cloud has applied, as `update` shows: it carries the item's change_id, or equals its snapshot.
/// What was accepted before it was sent before it.
fn confirmed(entity: &Entity, update: &Update, seen: &Seen) -> Option<usize> {
    let sent = entity
        .items
        .iter()
        .take_while(|item| item.state == ItemState::Attempted);
    let sent = sent.count();
    let named = |item: &Item| update.change_id.as_deref() == Some(item.change_id.as_str());
    // The repeat of a former state is no echo of going back to it, nor what is said of a deleted predecessor.
    let record = &entity.record;
    let former = update.cloud_id.as_ref().is_some_and(|id| record.was_called(id));
    let tells = !matches!(seen, Seen::Skipped(_)) && !former && !record.is_past(update, seen.doc());
    let same = |item: &Item| tells && same_state(item.snapshot.as_ref(), seen.doc());
    let sent = &entity.items[..sent];
    let by_name = sent.iter().rposition(named);
    // Of several the first, so that none is passed over: a cloud that has them all knows the repeats.
    let by_content = || {
        sent.iter()
            .enumerate()
            .position(|(at, item)| same(item) && (at == 0 || !restates(entity, update, seen)))
    };
    by_name
        .or_else(by_content)
        .or_else(|| sent.first().filter(|head| proves(entity, head)).map(|_| 0))
}

/// Whether the update may be of a time before all that waits.
fn restates(entity: &Entity, update: &Update, seen: &Seen) -> bool {
    let record = &entity.record;
    record.is_numbered_as(update) || record.base_doc().is_some_and(|base| same_state(base, seen.doc()))
}

/// Whether the cloud's speaking of the entity at all shows that a create without an answer has arrived: nobody else can have told
/// it of the entity. What became of it there since is what the update says.
fn proves(entity: &Entity, head: &Item) -> bool {
    head.is_open() && head.snapshot.is_some() && entity.record.base == Base::Never
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Case, deletion, seen, update};

    fn echo(case: &mut Case, update: &Update) -> u32 {
        case.step(|entity| settle_echo(entity, update, &seen(update)))
    }

    #[test]
    fn an_echo_settles_only_what_was_sent() {
        let mut case = Case::synced();
        case.put("2");
        assert_eq!(echo(&mut case, &update("2", 4)), 0);
        case.attempt();
        assert_eq!(echo(&mut case, &deletion(4)), 0);
        assert_eq!(echo(&mut case, &update("2", 4)), 1);
        assert!(case.entity.items.is_empty());
    }

    #[test]
    fn the_repeat_of_a_former_state_is_no_echo_of_going_back_to_it() {
        let mut case = Case::synced();
        case.delete();
        case.push(Some("c-1"), None);
        case.put("1");
        case.attempt();
        assert_eq!(echo(&mut case, &update("1", 3)), 0);
        assert_eq!(case.waiting().len(), 1);
    }

    #[test]
    fn an_echo_of_the_head_leaves_what_was_never_sent_behind_it() {
        let mut case = Case::without_coalescing();
        case.update(&update("1", 3));
        case.put("2");
        case.put("3");
        case.attempt();
        assert_eq!(echo(&mut case, &update("3", 5)), 0);
        assert_eq!(echo(&mut case, &update("2", 4)), 1);
        assert_eq!(case.waiting(), ["ch-2"]);
    }
}
