//! The laws of dealing.

use super::*;
use proptest::prelude::*;

fn waiting() -> impl Strategy<Value = Waiting> {
    let count = prop_oneof![2 => Just(0usize), 1 => 1usize..30, 2 => Just(1_000usize)];
    (prop::array::uniform10(count.clone()), count).prop_map(|(ready, retries)| Waiting { ready, retries })
}

fn total(waiting: &Waiting) -> usize {
    waiting.ready.iter().sum::<usize>() + waiting.retries
}

/// How many places each kind got.
fn count(picks: &[Pick]) -> [usize; CLASSES + 1] {
    let mut counts = [0; CLASSES + 1];
    for pick in picks {
        match pick {
            Pick::Oldest(class) | Pick::Newest(class) => counts[*class] += 1,
            Pick::Retry => counts[RETRIES] += 1,
        }
    }
    counts
}

fn of(waiting: &Waiting, kind: usize) -> usize {
    *waiting.ready.get(kind).unwrap_or(&waiting.retries)
}

proptest! {
    #[test]
    fn no_place_stays_empty_and_nobody_gets_more_than_wait(
        waiting in waiting(), places in 0usize..1_000, batches in 0u64..30,
    ) {
        let mut turns = Turns { batches, ..Turns::default() };
        let picks = turns.deal(places, waiting);
        prop_assert_eq!(picks.len(), places.min(total(&waiting)));
        for (kind, got) in count(&picks).into_iter().enumerate() {
            prop_assert!(got <= of(&waiting, kind));
        }
    }

    #[test]
    fn a_batch_of_a_hundred_has_something_of_every_kind(
        waiting in waiting(), places in 100usize..1_000, batches in 0u64..1_000,
    ) {
        let mut turns = Turns { batches, ..Turns::default() };
        let counts = count(&turns.deal(places, waiting));
        for (kind, got) in counts.into_iter().enumerate() {
            prop_assert_eq!(got > 0, of(&waiting, kind) > 0, "kind {}: {:?}", kind, counts);
        }
    }

    #[test]
    fn however_small_batches_are_nobody_waits_longer_than_110_of_them(
        waiting in waiting(), places in 1usize..8, taken in 1usize..4, started in 0u64..500,
    ) {
        let mut turns = Turns { batches: started, ..Turns::default() };
        let mut since = [0u64; CLASSES + 1];
        for _ in 0..500 {
            // Of large documents a batch takes only the first.
            let picks = turns.deal(places, waiting);
            let counts = count(&picks[..picks.len().min(taken)]);
            for kind in 0..=CLASSES {
                since[kind] = if counts[kind] > 0 { 0 } else { since[kind] + 1 };
                prop_assert!(of(&waiting, kind) == 0 || since[kind] <= 110, "kind {}", kind);
            }
        }
    }

    #[test]
    fn most_of_a_batch_is_the_first_classs(waiting in waiting(), places in 20usize..1_000) {
        let mut turns = Turns::default();
        let counts = count(&turns.deal(places, waiting));
        if let Some(first) = waiting.ready.iter().position(|count| *count == 1_000)
            && waiting.ready[..first].iter().all(|count| *count == 0)
        {
            prop_assert!(counts[first] * 10 >= places * 6, "{:?}", counts);
            prop_assert!(counts[RETRIES] * 4 <= places, "{:?}", counts);
        }
    }

    #[test]
    fn the_newest_of_the_first_class_is_in_every_batch_of_three(
        waiting in waiting(), places in 3usize..1_000, batches in 0u64..50,
    ) {
        let mut turns = Turns { batches, ..Turns::default() };
        let picks = turns.deal(places, waiting);
        if let Some(first) = waiting.ready.iter().position(|count| *count > 0)
            && waiting.ready[first] == 1_000
        {
            prop_assert!(picks.contains(&Pick::Newest(first)));
        }
    }
}

#[test]
fn a_batch_is_dealt_in_this_order() {
    let mut waiting = Waiting {
        retries: 9,
        ..Waiting::default()
    };
    waiting.ready[3] = 100;
    waiting.ready[5] = 100;
    let picks = Turns::default().deal(10, waiting);
    let word = |pick: &Pick| match pick {
        Pick::Oldest(3) => 'o',
        Pick::Newest(3) => 'n',
        Pick::Oldest(5) => 's',
        Pick::Retry => 'r',
        other => panic!("{other:?}"),
    };
    assert_eq!(picks.iter().map(word).collect::<String>(), "ornoorooos");
}

#[test]
fn orders_and_transactions_go_first_where_nothing_else_is_said() {
    assert!(default_priority("order") < default_priority("product"));
    assert!(default_priority("transaction") < default_priority("stock"));
}
