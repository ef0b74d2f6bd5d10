//! Rule 17 of the design, the clock: how the outlet's time is corrected to the cloud's. What the clock shows comes
//! in as a [`Reading`]; nothing here asks for the time.
//!
//! The cloud's time is measured from the `Date` header of its answers. The first measurement of a boot anchors
//! the cloud's time to the monotonic clock, and from then on corrected time runs on that: a wall clock that jumps
//! afterwards, in either direction, changes nothing. Stamps made before that measurement say so, and are corrected once it is there.

use crate::stamp::Millis;
use serde::{Deserialize, Serialize};

/// A measurement whose round trip took longer says too little.
const MAX_ROUND_TRIP_MS: u64 = 60_000;
/// A `Date` header has whole seconds: the moment it was made lies in the second that begins with it.
const HALF_DATE_RESOLUTION_MS: i64 = 500;
/// Boots whose measurement is kept; changes that wait longer than so many starts are rare.
const MOST_BOOTS: usize = 64;
/// A claimed stamp further back than this (two hundred years) counts as this old.
const MAX_CLAIMED_AGE_MS: i64 = 200 * 365 * 24 * 3_600_000;

/// What the clock shows at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reading {
    /// The wall clock, right or wrong.
    pub wall: Millis,
    /// Milliseconds since the process started; never goes back.
    pub mono_ms: u64,
    /// A random number made when the process started: `mono_ms` of different boots cannot be compared.
    pub boot: u64,
}

/// When something happened, in corrected time as well as it was known then.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Stamp {
    /// The time as it was known when the stamp was made. [`Timeline::resolve`] says it as well as it is known now.
    pub at: Millis,
    /// For a stamp made before the first measurement of its boot: that boot and the monotonic time of the moment
    /// stamped. The moment may lie before the process started, and the number then wraps below zero.
    pub unmeasured: Option<(u64, u64)>,
}

impl From<Millis> for Stamp {
    /// A moment told in corrected time.
    fn from(at: Millis) -> Self {
        Self { at, unmeasured: None }
    }
}

impl Stamp {
    /// The later of two stamps of one entity, `next` being the newer event: stamps of an entity never go back. One that
    /// was made before its boot's first measurement gives way to a measured one, which knows better.
    #[must_use]
    pub fn later(self, next: Self) -> Self {
        let is_later = match (self.unmeasured, next.unmeasured) {
            (Some((boot, mono)), Some((next_boot, next_mono))) if boot == next_boot => {
                (next_mono.wrapping_sub(mono) as i64) >= 0
            }
            (Some(_), None) => true,
            _ => next.at >= self.at,
        };
        if is_later { next } else { self }
    }
}

/// What became of a measurement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Measured {
    /// It says too little, or makes no sense.
    Ignored,
    /// It agrees with what was believed, within its own uncertainty; nothing moved.
    Confirmed,
    /// Corrected time moved by this much, forward when positive.
    Moved {
        /// The size of the move.
        by_ms: i64,
    },
}

/// Where the cloud's time is tied to this boot's monotonic clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Anchor {
    boot: u64,
    mono_ms: u64,
    cloud: Millis,
}

impl Anchor {
    fn cloud_at(&self, mono_ms: u64) -> Millis {
        // Wraps as `Stamp::unmeasured` does; real differences are far from the ends of an i64.
        self.cloud
            .plus_ms(mono_ms.wrapping_sub(self.mono_ms).cast_signed())
    }
}

/// Corrected time. Serialised, it is the last known offset; the anchor is good for its own boot only.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Timeline {
    /// Cloud minus wall, as of the last measurement, perhaps one of an earlier boot.
    offset_ms: Option<i64>,
    #[serde(skip)]
    anchor: Option<Anchor>,
    /// Earlier boots that were measured, the newest last: the cloud's time at the zero of their monotonic clocks.
    #[serde(skip)]
    earlier: Vec<Boot>,
}

/// A boot that was measured: stamps of it that were made before that can be corrected for good.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Boot {
    /// Its name.
    pub boot: u64,
    /// The cloud's time when its monotonic clock showed zero.
    pub zero: Millis,
}

impl Timeline {
    /// A boot begins, with the offset kept from an earlier one.
    pub fn new(persisted_offset_ms: Option<i64>) -> Timeline {
        Timeline {
            offset_ms: persisted_offset_ms,
            anchor: None,
            earlier: Vec::new(),
        }
    }

    /// Knows what earlier boots have measured, too.
    #[must_use]
    pub fn with_boots(self, earlier: Vec<Boot>) -> Timeline {
        Timeline { earlier, ..self }
    }

    /// The boots that were measured, this one the last: to be kept. None: this one was not.
    pub fn boots(&self) -> Option<Vec<Boot>> {
        let anchor = self.anchor.as_ref()?;
        let this = Boot {
            boot: anchor.boot,
            zero: anchor.cloud_at(0),
        };
        let kept = self.earlier.iter().filter(|earlier| earlier.boot != this.boot);
        let mut boots: Vec<Boot> = kept.copied().chain([this]).collect();
        let too_many = boots.len().saturating_sub(MOST_BOOTS);
        boots.drain(..too_many);
        Some(boots)
    }

    /// Takes the `Date` header of an answer of the cloud, with what the clock showed when the request was sent and
    /// when its answer came.
    ///
    /// The header is taken to be made in the middle of the round trip, uncertain by half of it and half a second.
    /// Where that agrees with what is believed already (a wall clock without any known offset is believed, too),
    /// the belief stays, so that corrected time does not wobble from answer to answer.
    pub fn measure(&mut self, sent: Reading, received: Reading, date: Millis) -> Measured {
        let round_trip_ms = match received.mono_ms.checked_sub(sent.mono_ms) {
            Some(ms) if sent.boot == received.boot && ms <= MAX_ROUND_TRIP_MS => ms.cast_signed(),
            _ => return Measured::Ignored,
        };
        let half_way = round_trip_ms / 2;
        let uncertainty_ms = round_trip_ms - half_way + HALF_DATE_RESOLUTION_MS;
        let measured = date.plus_ms(HALF_DATE_RESOLUTION_MS + half_way);
        let believed = self.now(received);
        let by_ms = measured.minus(believed);
        let agrees = by_ms.unsigned_abs() <= uncertainty_ms.unsigned_abs();
        let cloud = if agrees { believed } else { measured };
        // Anchored anew each time, at the same time where it agrees: the distance over which the two clocks may
        // drift apart stays short.
        self.anchor = Some(Anchor {
            boot: received.boot,
            mono_ms: received.mono_ms,
            cloud,
        });
        self.offset_ms = Some(cloud.minus(received.wall));
        if agrees {
            Measured::Confirmed
        } else {
            Measured::Moved { by_ms }
        }
    }

    /// Cloud minus wall as of now; none when it was never measured. This is the number to show and to keep.
    pub fn offset_ms(&self, now: Reading) -> Option<i64> {
        match self.anchor_of(now.boot) {
            Some(anchor) => Some(anchor.cloud_at(now.mono_ms).minus(now.wall)),
            None => self.offset_ms,
        }
    }

    /// Corrected time. Before the first measurement of this boot that is the wall clock and the kept offset.
    pub fn now(&self, r: Reading) -> Millis {
        match self.anchor_of(r.boot) {
            Some(anchor) => anchor.cloud_at(r.mono_ms),
            None => r.wall.plus_ms(self.offset_ms.unwrap_or(0)),
        }
    }

    /// Stamps what happens now.
    pub fn stamp(&self, r: Reading) -> Stamp {
        let measured = self.anchor_of(r.boot).is_some();
        Stamp {
            at: self.now(r),
            unmeasured: (!measured).then_some((r.boot, r.mono_ms)),
        }
    }

    /// Takes an app's own stamp of a change. It is no later than now: an app does not know the future. Before the
    /// first measurement of this boot it is read as an age by the outlet's uncorrected clock, and moves with that
    /// when it is corrected, since most apps share the outlet's clock.
    pub fn stamp_claimed(&self, claimed: Millis, r: Reading) -> Stamp {
        let now = self.stamp(r);
        let age_ms = now.at.minus(claimed).clamp(0, MAX_CLAIMED_AGE_MS);
        Stamp {
            at: claimed.min(now.at),
            unmeasured: now
                .unmeasured
                .map(|(boot, mono_ms)| (boot, mono_ms.wrapping_sub(age_ms.cast_unsigned()))),
        }
    }

    /// The time of a stamp as well as it is known now, and no later than now.
    pub fn resolve(&self, s: &Stamp, now: Reading) -> Millis {
        let at = match s.unmeasured {
            Some((boot, mono_ms)) => self
                .anchor_of(boot)
                .map(|anchor| anchor.cloud_at(mono_ms))
                .or_else(|| self.earlier_at(boot, mono_ms))
                .unwrap_or(s.at),
            None => s.at,
        };
        at.min(self.now(now))
    }

    fn earlier_at(&self, boot: u64, mono_ms: u64) -> Option<Millis> {
        let earlier = self.earlier.iter().find(|earlier| earlier.boot == boot)?;
        Some(earlier.zero.plus_ms(mono_ms.cast_signed()))
    }

    fn anchor_of(&self, boot: u64) -> Option<&Anchor> {
        self.anchor.as_ref().filter(|anchor| anchor.boot == boot)
    }
}

#[cfg(test)]
mod tests;
