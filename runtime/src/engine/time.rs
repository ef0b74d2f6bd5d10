//! The engine's time: the machine's clock with the measured offset to the cloud's, and identifiers made from both.

use crate::clock::Clock;
use parking_lot::Mutex;
use selaras_core::id::ulid;
use selaras_core::offset::{Boot, Measured, Reading, Stamp, Timeline};
use selaras_core::stamp::Millis;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The name of the row with the boots that were measured.
pub const BOOTS: &str = "clock_boots";

/// Corrected time (rule 17).
pub struct Time {
    clock: Arc<dyn Clock>,
    timeline: Mutex<Timeline>,
    /// What this boot has measured is in the store.
    is_kept: AtomicBool,
}

impl Time {
    /// Time by `clock`, beginning with the offset that an earlier process measured, and what earlier boots did.
    pub fn new(clock: Arc<dyn Clock>, offset_ms: Option<i64>, boots: Vec<Boot>) -> Self {
        Self {
            clock,
            timeline: Mutex::new(Timeline::new(offset_ms).with_boots(boots)),
            is_kept: AtomicBool::new(false),
        }
    }

    /// The clock below.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// What the clock shows.
    pub fn reading(&self) -> Reading {
        Reading {
            wall: Millis(self.clock.wall_ms()),
            mono_ms: self.clock.mono_ms(),
            boot: self.clock.boot(),
        }
    }

    /// Now, corrected.
    pub fn now(&self) -> Millis {
        self.timeline.lock().now(self.reading())
    }

    /// A stamp of now.
    pub fn stamp(&self) -> Stamp {
        self.timeline.lock().stamp(self.reading())
    }

    /// The stamp of a change: the app's own time, never in the future, or now.
    pub fn stamp_of(&self, claimed: Option<Millis>) -> Stamp {
        match claimed {
            Some(at) => self.timeline.lock().stamp_claimed(at, self.reading()),
            None => self.stamp(),
        }
    }

    /// The corrected time of a stamp.
    pub fn resolve(&self, stamp: &Stamp) -> Millis {
        self.timeline.lock().resolve(stamp, self.reading())
    }

    /// Cloud time less this machine's.
    pub fn offset_ms(&self) -> Option<i64> {
        self.timeline.lock().offset_ms(self.reading())
    }

    /// Takes the cloud's `Date` of one round trip into account.
    pub fn measure(&self, sent: Reading, received: Reading, date: Millis) -> Measured {
        self.timeline.lock().measure(sent, received, date)
    }

    /// The boots that were measured, as long as this one is not kept with them.
    pub fn unkept_boots(&self) -> Option<Vec<Boot>> {
        match self.is_kept.load(Ordering::Relaxed) {
            true => None,
            false => self.timeline.lock().boots(),
        }
    }

    /// They are in the store.
    pub fn kept_boots(&self) {
        self.is_kept.store(true, Ordering::Relaxed);
    }

    /// A number nobody can foresee.
    pub fn random(&self) -> u64 {
        self.clock.random()
    }

    /// A new identifier that sorts by time.
    pub fn ulid(&self) -> String {
        let random = (u128::from(self.clock.random()) << 64) | u128::from(self.clock.random());
        ulid(self.now(), random)
    }
}
