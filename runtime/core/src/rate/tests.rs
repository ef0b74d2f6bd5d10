//! The budget against clouds that count a minute in every way.

use super::*;
use proptest::prelude::*;

/// Makes requests as fast as allowed, each taking so long, until `end`; answers when each began and ended.
fn greedy(budget: &mut Budget, mut now: u64, end: u64, mut took: impl FnMut() -> u64) -> Vec<(u64, u64)> {
    let mut made = Vec::new();
    let mut under_way: Vec<(u64, Place, u64)> = Vec::new();
    while now < end {
        under_way.sort_by_key(|(ends, ..)| std::cmp::Reverse(*ends));
        while under_way.last().is_some_and(|(ends, ..)| *ends <= now) {
            let (ends, place, began) = under_way.pop().unwrap();
            budget.end(place, ends);
            made.push((began, ends));
        }
        match budget.begin(now) {
            Ok(place) if under_way.len() < 3 => under_way.push((now + took(), place, now)),
            Ok(place) => {
                budget.cancel(place);
                now = under_way.last().unwrap().0;
            }
            Err(wait) => {
                let ends = under_way.last().map_or(u64::MAX, |(ends, ..)| *ends);
                now = (now + wait).min(ends);
            }
        }
    }
    for (ends, place, began) in under_way {
        budget.end(place, ends);
        made.push((began, ends));
    }
    made.sort_unstable();
    made
}

/// The most requests in any minute, a fixed one or a sliding one, in milliseconds or in whole seconds.
fn most_in_a_minute(counted: &mut [u64]) -> usize {
    counted.sort_unstable();
    let of = |within: &dyn Fn(u64, u64) -> bool| {
        let after = |(at, first): (usize, &u64)| {
            counted[at..]
                .iter()
                .take_while(|time| within(*first, **time))
                .count()
        };
        counted.iter().enumerate().map(after).max().unwrap_or(0)
    };
    let sliding = of(&|first, time| time - first <= MINUTE_MS);
    let seconds = of(&|first, time| time / 1000 - first / 1000 < 60);
    let fixed = of(&|first, time| time / MINUTE_MS == first / MINUTE_MS);
    sliding.max(seconds).max(fixed)
}

fn limited(set: u32) -> Budget {
    let mut budget = Budget::default();
    budget.set(set);
    budget
}

proptest! {
    #[test]
    fn no_minute_of_the_clouds_has_more_requests_than_the_limit(
        set in 1u32..150,
        times in prop::collection::vec((0u64..30_000, 0.0f64..=1.0), 600),
        start in 0u64..100_000,
    ) {
        let mut lasts = times.iter().map(|(took, _)| *took).cycle();
        let made = greedy(&mut limited(set), start, start + 300_000, || lasts.next().unwrap());
        prop_assert!(!made.is_empty());
        // Each is counted somewhere between its begin and its end.
        let mut counted: Vec<u64> = made
            .iter()
            .zip(times.iter().cycle())
            .map(|((began, ended), (_, at))| began + ((ended - began) as f64 * at) as u64)
            .collect();
        prop_assert!(most_in_a_minute(&mut counted) <= set as usize);
    }

    #[test]
    fn a_queue_that_never_ends_gets_all_of_the_limit(set in 1u32..300) {
        let made = greedy(&mut limited(set), 0, 20 * WINDOW_MS, || 10);
        let all = 20 * set as usize;
        prop_assert!(made.len() <= all + 1);
        prop_assert!(made.len() * 100 >= all * 90, "{} of {all}", made.len());
    }

    #[test]
    fn after_the_first_burst_no_wait_is_longer_than_a_few_even_ones(set in 8u32..300) {
        let made = greedy(&mut limited(set), 0, 10 * WINDOW_MS, || 0);
        let longest = made.windows(2).map(|pair| pair[1].0 - pair[0].0).max().unwrap();
        prop_assert!(longest <= 3 * WINDOW_MS / u64::from(set) + 2, "{longest}");
    }

    #[test]
    fn a_restart_forgets_nothing_that_could_break_the_limit(
        set in 1u32..150, runs in prop::collection::vec(500u64..70_000, 2..8),
    ) {
        let mut counted = Vec::new();
        let mut budget = limited(set);
        let mut now = 0;
        let mut kept: Option<(Kept, u64)> = None;
        for run in runs {
            let end = now + run;
            while now < end {
                match budget.begin(now) {
                    Ok(place) => {
                        if budget.must_keep(now) {
                            kept = Some((budget.keep(now).unwrap(), now));
                        }
                        counted.push(now);
                        budget.end(place, now);
                    }
                    Err(wait) => now += wait,
                }
            }
            // It is gone, and another process begins its own count of time.
            if let Some((kept, at)) = &kept {
                budget = Budget::restored(kept, set, now, now - at);
            }
        }
        prop_assert!(most_in_a_minute(&mut counted) <= set as usize);
    }
}

#[test]
fn without_a_limit_nothing_waits() {
    let mut budget = Budget::default();
    for now in 0..5_000 {
        let place = budget.begin(now).unwrap();
        budget.end(place, now);
    }
    assert_eq!((budget.limit(5_000), budget.used(5_000)), (None, 5_000));
    assert_eq!(budget.used(5_000 + WINDOW_MS), 0);
    assert_eq!(budget.keep(5_000), None);
}

/// A cloud that counts in fixed minutes, and an outlet that was not told its limit; answers the 429s by minute.
fn learning(limit: u64, minutes: u64) -> Vec<u64> {
    let mut budget = Budget::default();
    let (mut now, mut minute, mut taken) = (17_000, 0, 0);
    let mut refusals = vec![0; minutes as usize];
    while now < minutes * MINUTE_MS {
        if now / MINUTE_MS != minute {
            (minute, taken) = (now / MINUTE_MS, 0);
        }
        match budget.begin(now) {
            Ok(place) if taken < limit => {
                taken += 1;
                now += 100;
                budget.end(place, now);
            }
            Ok(place) => {
                refusals[minute as usize] += 1;
                let pause = MINUTE_MS - now % MINUTE_MS;
                budget.refused(place, now, pause);
                now += pause;
            }
            Err(wait) => now += wait,
        }
    }
    refusals
}

#[test]
fn the_contracts_limit_is_learned_from_one_refusal() {
    assert_eq!(learning(100, 50).iter().sum::<u64>(), 1);
}

#[test]
fn other_limits_are_learned_from_a_few() {
    for limit in [3, 10, 40, 60, 99, 150, 250] {
        let refusals: u64 = learning(limit, 50).iter().sum();
        assert!((1..=7).contains(&refusals), "{limit}: {refusals}");
    }
}

#[test]
fn a_learned_limit_is_tried_again_once_an_hour_and_forgotten_in_the_end() {
    let hourly = learning(100, 6 * 60);
    assert!(hourly.iter().sum::<u64>() <= 6, "{hourly:?}");
    let mut budget = Budget::default();
    let place = budget.begin(0).unwrap();
    budget.refused(place, 0, 1_000);
    let limit = |now| budget.limit(now).map(|limit| (limit.requests, limit.learned));
    assert_eq!(limit(DOUBLES_AFTER_MS - 1), Some((100, true)));
    assert_eq!(limit(DOUBLES_AFTER_MS), Some((200, true)));
    assert_eq!(limit(3 * DOUBLES_AFTER_MS), Some((800, true)));
    assert_eq!(limit(4 * DOUBLES_AFTER_MS), None);
    assert_eq!(limit(u64::MAX), None);
}

#[test]
fn requests_that_were_refused_together_lower_the_limit_once() {
    let mut budget = limited(100);
    let places = [0, 20_000, 40_000].map(|now| budget.begin(now).unwrap());
    for place in places {
        budget.refused(place, 41_000, 1_000);
    }
    let limit = Limit {
        requests: 50,
        learned: true,
    };
    assert_eq!(budget.limit(41_000), Some(limit));
    budget.set(30);
    let limit = Limit {
        requests: 30,
        learned: false,
    };
    assert_eq!(budget.limit(41_000), Some(limit));
}

#[test]
fn batches_grow_while_requests_are_scarce_and_more_waits_than_may_go_at_once() {
    let mut budget = limited(100);
    assert_eq!(budget.batch_size(0, 2_500, 100, 1_000), 100);
    assert_eq!(budget.batch_size(0, 2_501, 100, 1_000), 1_000);
    // They stay large until the backlog is gone.
    assert_eq!(budget.batch_size(0, 101, 100, 1_000), 1_000);
    assert_eq!(budget.batch_size(0, 100, 100, 1_000), 100);
    assert_eq!(budget.batch_size(0, 101, 100, 1_000), 100);
    for _ in 0..25 {
        let place = budget.begin(0).unwrap();
        budget.end(place, 0);
    }
    assert_eq!(budget.batch_size(0, 101, 100, 1_000), 1_000);
    assert_eq!(budget.batch_size(0, 0, 100, 1_000), 100);
    assert_eq!(budget.batch_size(WINDOW_MS, 2_500, 100, 1_000), 100);
    assert_eq!(Budget::default().batch_size(0, 1_000_000, 100, 1_000), 100);
}

#[test]
fn a_place_that_was_not_used_costs_nothing() {
    let mut budget = limited(4);
    let used = budget.begin(0).unwrap();
    budget.end(used, 0);
    let before = budget.clone();
    let wait = budget.opens_in(0);
    let place = budget.begin(wait).unwrap();
    budget.cancel(place);
    assert_eq!(budget, before);
}
