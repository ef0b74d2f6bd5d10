//! The brake on guessing passwords: failures are counted per user and address, and per address.
//!
//! In memory only, and bounded: a restart forgives, a flood of names pushes out the oldest.

use std::collections::HashMap;
use std::net::IpAddr;

/// Attempts of one user name from one address before it has to wait.
const FREE_PER_USER: u32 = 5;
/// Attempts of one address, whatever the names.
const FREE_PER_ADDRESS: u32 = 50;
/// The first wait; it doubles with each further attempt.
const FIRST_WAIT_MS: u64 = 30_000;
const LONGEST_WAIT_MS: u64 = 15 * 60_000;
/// What was quiet for so long is forgotten.
const FORGET_MS: u64 = 30 * 60_000;
/// Keys kept, of some 100 bytes each.
const MAX_KEYS: usize = 4096;
/// Longer user names cannot exist, and are counted as one.
const MAX_NAME_BYTES: usize = 128;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Address(IpAddr),
    User(String, IpAddr),
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    attempts: u32,
    blocked_until_ms: u64,
    last_ms: u64,
}

/// Failed logins of late. Times are the process's monotonic milliseconds.
#[derive(Debug, Default)]
pub(crate) struct LoginThrottle {
    counts: HashMap<Key, Count>,
}

impl LoginThrottle {
    /// Counts an attempt as failed until [`LoginThrottle::succeeded`] or [`LoginThrottle::undecided`] says
    /// otherwise, so that many at once are no way around. Refused attempts cost nothing and count for nothing.
    ///
    /// # Errors
    /// The seconds to wait.
    pub(crate) fn begin(&mut self, user: &str, address: Option<IpAddr>, now_ms: u64) -> Result<(), u64> {
        let keys = keys(user, address);
        let wait_ms = keys
            .iter()
            .filter_map(|(key, _)| self.counts.get(key))
            .map(|count| count.blocked_until_ms.saturating_sub(now_ms))
            .max()
            .unwrap_or(0);
        if wait_ms > 0 {
            return Err(wait_ms.div_ceil(1000));
        }
        for (key, free) in keys {
            self.count(key, free, now_ms);
        }
        Ok(())
    }

    /// The password was right: the name's failures from this address are forgotten, the address keeps the rest.
    pub(crate) fn succeeded(&mut self, user: &str, address: Option<IpAddr>) {
        let [(user_key, _), (address_key, _)] = keys(user, address);
        self.counts.remove(&user_key);
        self.take_back(&address_key);
    }

    /// Nobody looked at the password.
    pub(crate) fn undecided(&mut self, user: &str, address: Option<IpAddr>) {
        for (key, _) in keys(user, address) {
            self.take_back(&key);
        }
    }

    fn take_back(&mut self, key: &Key) {
        if let Some(count) = self.counts.get_mut(key) {
            count.attempts = count.attempts.saturating_sub(1);
            count.blocked_until_ms = 0;
        }
    }

    fn count(&mut self, key: Key, free: u32, now_ms: u64) {
        if !self.counts.contains_key(&key) {
            self.make_room(now_ms);
        }
        let count = self.counts.entry(key).or_default();
        if now_ms.saturating_sub(count.last_ms) > FORGET_MS {
            *count = Count::default();
        }
        count.last_ms = now_ms;
        count.attempts = count.attempts.saturating_add(1);
        if let Some(over) = count.attempts.checked_sub(free) {
            let wait = FIRST_WAIT_MS
                .saturating_mul(1 << over.min(16))
                .min(LONGEST_WAIT_MS);
            count.blocked_until_ms = now_ms.saturating_add(wait);
        }
    }

    /// Drops what is forgotten; when that is not enough, the quarter that was quiet longest.
    fn make_room(&mut self, now_ms: u64) {
        if self.counts.len() < MAX_KEYS {
            return;
        }
        self.counts
            .retain(|_, count| now_ms.saturating_sub(count.last_ms) <= FORGET_MS);
        if self.counts.len() < MAX_KEYS {
            return;
        }
        let mut times: Vec<u64> = self.counts.values().map(|count| count.last_ms).collect();
        let (_, oldest_kept, _) = times.select_nth_unstable(MAX_KEYS / 4);
        let oldest_kept = *oldest_kept;
        self.counts.retain(|_, count| count.last_ms > oldest_kept);
    }
}

/// The keys of an attempt with their free attempts. IPv6 counts by /64, since a host has that many addresses.
fn keys(user: &str, address: Option<IpAddr>) -> [(Key, u32); 2] {
    let address = match address {
        Some(IpAddr::V6(v6)) if v6.to_ipv4_mapped().is_none() => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        Some(other) => other.to_canonical(),
        None => IpAddr::from([0, 0, 0, 0]),
    };
    let name = if user.len() > MAX_NAME_BYTES {
        String::new()
    } else {
        user.to_lowercase()
    };
    [
        (Key::User(name, address), FREE_PER_USER),
        (Key::Address(address), FREE_PER_ADDRESS),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([10, 0, 0, last]))
    }

    fn fail_until_blocked(throttle: &mut LoginThrottle, user: &str, last: u8) -> u32 {
        let mut taken = 0;
        while throttle.begin(user, address(last), 0).is_ok() {
            taken += 1;
        }
        taken
    }

    #[test]
    fn after_five_failures_a_user_waits_at_that_address_only() {
        let mut throttle = LoginThrottle::default();
        assert_eq!(fail_until_blocked(&mut throttle, "ani", 1), 5);
        assert_eq!(throttle.begin("ANI", address(1), 0), Err(30));
        assert_eq!(throttle.begin("ani", address(2), 0), Ok(()));
        assert_eq!(throttle.begin("budi", address(1), 0), Ok(()));
    }

    #[test]
    fn the_wait_ends_and_doubles_with_the_next_failure() {
        let mut throttle = LoginThrottle::default();
        fail_until_blocked(&mut throttle, "ani", 1);
        assert_eq!(throttle.begin("ani", address(1), 30_000), Ok(()));
        assert_eq!(throttle.begin("ani", address(1), 30_000), Err(60));
    }

    #[test]
    fn attempts_at_the_same_time_are_counted_before_they_are_decided() {
        let mut throttle = LoginThrottle::default();
        let begun = (0..100)
            .filter(|_| throttle.begin("ani", address(1), 0).is_ok())
            .count();
        assert_eq!(begun, 5);
    }

    #[test]
    fn a_success_forgets_the_users_failures() {
        let mut throttle = LoginThrottle::default();
        for _ in 0..4 {
            throttle.begin("ani", address(1), 0).unwrap();
        }
        throttle.begin("ani", address(1), 0).unwrap();
        throttle.succeeded("ani", address(1));
        assert_eq!(fail_until_blocked(&mut throttle, "ani", 1), 5);
    }

    #[test]
    fn an_attempt_that_nobody_decided_does_not_count() {
        let mut throttle = LoginThrottle::default();
        for _ in 0..100 {
            throttle.begin("ani", address(1), 0).unwrap();
            throttle.undecided("ani", address(1));
        }
    }

    #[test]
    fn one_address_trying_many_names_has_to_wait_too() {
        let mut throttle = LoginThrottle::default();
        let begun = (0..200)
            .filter(|n| throttle.begin(&format!("user-{n}"), address(1), 0).is_ok())
            .count();
        assert_eq!(begun, 50);
    }

    #[test]
    fn a_flood_of_names_and_addresses_stays_bounded() {
        let mut throttle = LoginThrottle::default();
        for n in 0..20_000_u32 {
            let from = Some(IpAddr::from(n.to_be_bytes()));
            throttle.begin("ani", from, u64::from(n)).unwrap();
        }
        assert!(throttle.counts.len() <= MAX_KEYS);
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_together() {
        let mut throttle = LoginThrottle::default();
        let begun = (0..20_u16)
            .filter(|n| {
                throttle
                    .begin("ani", Some(IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, *n])), 0)
                    .is_ok()
            })
            .count();
        assert_eq!(begun, 5);
    }
}
