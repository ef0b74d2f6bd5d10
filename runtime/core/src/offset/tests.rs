//! The laws of corrected time.

use super::*;
use proptest::prelude::*;

const NOON: Millis = Millis(1_769_500_800_000);

/// A box whose wall clock is off from the cloud's by `-offset_ms`.
#[derive(Clone, Copy, Debug)]
struct Clock {
    offset_ms: i64,
    boot: u64,
}

impl Clock {
    fn at(self, mono_ms: u64) -> Reading {
        let wall = NOON.plus_ms(mono_ms.cast_signed() - self.offset_ms);
        Reading {
            wall,
            mono_ms,
            boot: self.boot,
        }
    }

    /// What the cloud's clock shows when this box's monotonic clock shows `mono_ms`.
    fn cloud_at(mono_ms: u64) -> Millis {
        NOON.plus_ms(mono_ms.cast_signed())
    }

    /// The `Date` header made at that moment.
    fn date_at(mono_ms: u64) -> Millis {
        let at = Clock::cloud_at(mono_ms).0;
        Millis(at - at.rem_euclid(1000))
    }
}

#[test]
fn before_any_measurement_the_wall_clock_is_believed_with_the_kept_offset() {
    let clock = Clock {
        offset_ms: 5_000,
        boot: 1,
    };
    let (fresh, kept) = (Timeline::new(None), Timeline::new(Some(5_000)));
    assert_eq!(fresh.now(clock.at(10)), NOON.plus_ms(10 - 5_000));
    assert_eq!(fresh.offset_ms(clock.at(10)), None);
    assert_eq!(kept.now(clock.at(10)), NOON.plus_ms(10));
    assert_eq!(kept.offset_ms(clock.at(10)), Some(5_000));
    assert_eq!(
        kept.stamp(clock.at(10)),
        Stamp {
            at: NOON.plus_ms(10),
            unmeasured: Some((1, 10))
        }
    );
}

#[test]
fn a_wrong_clock_is_put_right_by_the_first_measurement() {
    let hour = 3_600_000;
    let clock = Clock {
        offset_ms: hour,
        boot: 1,
    };
    let mut timeline = Timeline::new(None);
    // Sent at 1,000, answered at 1,200; the header names the second that began at 1,000.
    let measured = timeline.measure(clock.at(1_000), clock.at(1_200), Clock::date_at(1_100));
    assert_eq!(measured, Measured::Moved { by_ms: hour + 400 });
    assert_eq!(timeline.now(clock.at(1_200)), NOON.plus_ms(1_600));
    assert_eq!(timeline.offset_ms(clock.at(1_200)), Some(hour + 400));
    assert_eq!(timeline.stamp(clock.at(1_300)).unmeasured, None);
}

#[test]
fn a_measurement_within_its_own_uncertainty_moves_nothing() {
    let clock = Clock {
        offset_ms: 5_400,
        boot: 1,
    };
    let mut timeline = Timeline::new(Some(5_000));
    assert_eq!(
        timeline.measure(clock.at(1_400), clock.at(1_600), Clock::date_at(1_500)),
        Measured::Confirmed
    );
    assert_eq!(timeline.offset_ms(clock.at(1_600)), Some(5_000));
    // Half a second and half of the round trip: 600 ms are uncertain, 601 ms are not.
    let seen = clock.at(1_600).wall;
    for (true_offset, measured) in [
        (5_600, Measured::Confirmed),
        (5_601, Measured::Moved { by_ms: 601 }),
    ] {
        let date = seen.plus_ms(true_offset - 100 - 500);
        assert_eq!(
            timeline.clone().measure(clock.at(1_400), clock.at(1_600), date),
            measured
        );
    }
    // A wall clock that is right is not moved by the first measurement of its life.
    let mut fresh = Timeline::new(None);
    let right = Clock {
        offset_ms: 0,
        boot: 1,
    };
    assert_eq!(
        fresh.measure(right.at(1_900), right.at(1_950), Clock::date_at(1_920)),
        Measured::Confirmed
    );
    assert_eq!(fresh.offset_ms(right.at(2_000)), Some(0));
}

#[test]
fn an_absurd_measurement_is_ignored() {
    let clock = Clock {
        offset_ms: 0,
        boot: 1,
    };
    let other_boot = Reading {
        boot: 2,
        ..clock.at(500)
    };
    let mut timeline = Timeline::new(Some(7));
    for (sent, received) in [
        (clock.at(0), clock.at(60_001)),
        (clock.at(500), clock.at(499)),
        (clock.at(400), other_boot),
    ] {
        assert_eq!(timeline.measure(sent, received, Millis(0)), Measured::Ignored);
        assert_eq!(timeline, Timeline::new(Some(7)));
    }
}

#[test]
fn a_wall_clock_that_jumps_after_the_measurement_changes_nothing() {
    let clock = Clock {
        offset_ms: 0,
        boot: 1,
    };
    let mut timeline = Timeline::new(None);
    timeline.measure(clock.at(1_000), clock.at(1_000), Clock::date_at(1_000));
    let year = 365 * 86_400_000;
    for jump in [year, -year] {
        let jumped = Reading {
            wall: clock.at(9_000).wall.plus_ms(jump),
            ..clock.at(9_000)
        };
        assert_eq!(timeline.now(jumped), timeline.now(clock.at(9_000)));
        assert_eq!(timeline.offset_ms(jumped), Some(-jump));
        // The next measurement still agrees, and keeps the offset to the clock as it is now.
        assert_eq!(
            timeline.clone().measure(jumped, jumped, Clock::date_at(9_000)),
            Measured::Confirmed
        );
    }
}

#[test]
fn a_stamp_made_before_the_first_measurement_is_corrected_by_the_monotonic_clock() {
    // The box believes it is 1970, then somebody sets the wall clock to another wrong time.
    let asleep = |mono_ms: u64| Reading {
        wall: Millis(mono_ms.cast_signed()),
        mono_ms,
        boot: 1,
    };
    let mut timeline = Timeline::new(None);
    let (order, payment) = (
        timeline.stamp(asleep(2_000)),
        timeline.stamp_claimed(NOON, asleep(3_000)),
    );
    assert_eq!((order.at, payment.at), (Millis(2_000), Millis(3_000)));
    let set = Reading {
        wall: Millis(86_400_000),
        mono_ms: 10_000,
        boot: 1,
    };
    timeline.measure(set, set, Millis(NOON.0 - 500));
    assert_eq!(timeline.resolve(&order, set), NOON.plus_ms(-8_000));
    assert_eq!(timeline.resolve(&payment, set), NOON.plus_ms(-7_000));
    // Nothing is known of another boot's stamps.
    let elsewhere = Stamp {
        at: Millis(2_000),
        unmeasured: Some((2, 2_000)),
    };
    assert_eq!(timeline.resolve(&elsewhere, set), Millis(2_000));
}

#[test]
fn an_apps_own_stamp_keeps_its_age_also_from_before_the_process_started() {
    let ahead = Clock {
        offset_ms: -3_600_000,
        boot: 1,
    };
    let mut timeline = Timeline::new(None);
    let now = ahead.at(5_000);
    let stamp = timeline.stamp_claimed(now.wall.plus_ms(-7_200_000), now);
    assert_eq!(stamp.at, now.wall.plus_ms(-7_200_000));
    timeline.measure(now, now, Millis(NOON.0 + 5_000 - 500));
    assert_eq!(timeline.resolve(&stamp, now), NOON.plus_ms(5_000 - 7_200_000));
    // Measured, a claim stands unless it lies in the future.
    assert_eq!(
        timeline.stamp_claimed(NOON, now),
        Stamp {
            at: NOON,
            unmeasured: None
        }
    );
    assert_eq!(
        timeline.stamp_claimed(Millis(i64::MAX), now).at,
        timeline.now(now)
    );
}

#[test]
fn a_stamp_of_an_earlier_boot_is_corrected_by_what_that_boot_measured() {
    let first = Clock {
        offset_ms: 3_600_000,
        boot: 1,
    };
    let mut timeline = Timeline::new(None);
    assert_eq!(timeline.boots(), None);
    let stamp = timeline.stamp(first.at(2_000));
    timeline.measure(first.at(9_000), first.at(9_000), Millis(NOON.0 + 9_000 - 500));
    let boots = timeline.boots().unwrap();
    assert_eq!(boots, [Boot { boot: 1, zero: NOON }]);
    let second = Clock { boot: 2, ..first };
    let restarted = Timeline::new(Some(3_600_000)).with_boots(boots);
    let later = Reading {
        wall: NOON,
        ..second.at(60_000)
    };
    assert_eq!(restarted.resolve(&stamp, later), NOON.plus_ms(2_000));
    assert_eq!(restarted.boots(), None, "this boot has measured nothing");
}

#[test]
fn as_many_boots_are_kept_as_are_likely_to_be_asked_for() {
    let earlier = (10..200).map(|boot| Boot { boot, zero: NOON }).collect();
    let mut timeline = Timeline::new(None).with_boots(earlier);
    let now = Clock {
        offset_ms: 0,
        boot: 1,
    }
    .at(5_000);
    timeline.measure(now, now, Clock::date_at(5_000));
    let boots = timeline.boots().unwrap();
    assert_eq!(
        (boots.len(), boots[0].boot),
        (MOST_BOOTS, 200 - MOST_BOOTS as u64 + 1)
    );
    assert_eq!(boots.last().unwrap().boot, 1);
}

#[test]
fn the_offset_is_what_survives_a_restart() {
    let clock = Clock {
        offset_ms: 90_000,
        boot: 1,
    };
    let mut timeline = Timeline::new(None);
    timeline.measure(clock.at(1_000), clock.at(1_000), Clock::date_at(1_000));
    let kept: Timeline = serde_json::from_str(&serde_json::to_string(&timeline).unwrap()).unwrap();
    assert_eq!(kept, Timeline::new(Some(90_500)));
    let restarted = Clock {
        offset_ms: 90_000,
        boot: 2,
    };
    assert_eq!(kept.offset_ms(restarted.at(0)), Some(90_500));
    assert_eq!(kept.stamp(restarted.at(3)).unmeasured, Some((2, 3)));
}

proptest! {
    #[test]
    fn corrected_time_is_within_the_uncertainty_of_the_clouds(
        offset_ms in -1_000_000_000_000i64..1_000_000_000_000, kept: Option<i32>,
        exchanges in prop::collection::vec((1u64..100_000, 0u64..5_000, 0.0f64..=1.0), 1..8),
    ) {
        let clock = Clock { offset_ms, boot: 1 };
        let mut timeline = Timeline::new(kept.map(i64::from));
        let mut mono_ms = 0;
        for (pause, round_trip, share) in exchanges {
            let sent = clock.at(mono_ms + pause);
            mono_ms += pause + round_trip;
            let made = sent.mono_ms + (round_trip as f64 * share) as u64;
            timeline.measure(sent, clock.at(mono_ms), Clock::date_at(made));
            // The measurement and the belief are each off by at most half the round trip and half a second.
            let error = timeline.now(clock.at(mono_ms)).minus(Clock::cloud_at(mono_ms)).abs();
            prop_assert!(error <= 2 * (round_trip.cast_signed() / 2 + 1 + 500), "off by {} ms", error);
        }
    }

    #[test]
    fn no_stamp_is_ever_in_the_future(
        walls in prop::collection::vec(any::<i64>(), 3), kept: Option<i64>, claimed: i64, date: i64,
        steps in prop::collection::vec(0u64..100_000, 3), measured_first: bool, boots in prop::collection::vec(0u64..2, 3),
    ) {
        let mut mono_ms = 0;
        let mut reading = |i: usize| {
            mono_ms += steps[i];
            Reading { wall: Millis(walls[i]), mono_ms, boot: boots[i] }
        };
        let (first, second, last) = (reading(0), reading(1), reading(2));
        let mut timeline = Timeline::new(kept);
        if measured_first {
            timeline.measure(first, first, Millis(date));
        }
        let stamps = [timeline.stamp(second), timeline.stamp_claimed(Millis(claimed), second)];
        for stamp in stamps {
            prop_assert!(stamp.at <= timeline.now(second));
            prop_assert!(timeline.resolve(&stamp, second) <= timeline.now(second));
        }
        timeline.measure(second, second, Millis(date));
        for stamp in stamps {
            prop_assert!(timeline.resolve(&stamp, last) <= timeline.now(last));
        }
    }

    #[test]
    fn stamps_keep_their_order_and_distance_over_the_first_measurement(
        offset_ms in -100_000_000i64..100_000_000, first in 0u64..10_000, gap in 0u64..10_000, wait in 0u64..10_000, jump in -100_000i64..100_000,
    ) {
        let clock = Clock { offset_ms, boot: 1 };
        let mut timeline = Timeline::new(None);
        let earlier = timeline.stamp(clock.at(first));
        // The wall clock jumps between the two.
        let jumped = Clock { offset_ms: offset_ms + jump, boot: 1 };
        let later = timeline.stamp(jumped.at(first + gap));
        let now = jumped.at(first + gap + wait);
        timeline.measure(now, now, Clock::date_at(now.mono_ms));
        let (earlier, later) = (timeline.resolve(&earlier, now), timeline.resolve(&later, now));
        prop_assert_eq!(later.minus(earlier), gap.cast_signed());
        prop_assert_eq!(timeline.now(now).minus(later), wait.cast_signed());
    }
}
