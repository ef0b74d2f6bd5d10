//! The only place that reads the time or makes randomness. Everything else is told.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// A point in time as text: RFC 3339, UTC, always with three decimals. The width is fixed, so that comparing two
/// stamps as text compares them as times, in Rust and in SQL.
pub type Stamp = String;

/// Milliseconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Now, as a [`Stamp`].
pub fn now() -> Stamp {
    stamp(now_ms())
}

/// Milliseconds since this process first asked; never goes back.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn mono_ms() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Writes a time as a [`Stamp`]; one outside the years 0–9999 is written as the epoch.
pub fn stamp(ms: i64) -> Stamp {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000)
        .ok()
        .filter(|at| (0..=9999).contains(&at.year()))
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.millisecond()
    )
}

/// Reads RFC 3339 with any offset; `None` when it is not that.
pub fn parse_ms(text: &str) -> Option<i64> {
    let at = OffsetDateTime::parse(text, &Rfc3339)
        .ok()?
        .to_offset(UtcOffset::UTC);
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()
}

/// Fills `bytes` from the system's random source.
///
/// # Panics
/// When the system has none, which a server cannot go on without.
pub fn fill_random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("invariant: the system has a random source");
}

/// A number between 0 and `below` (exclusive; 0 for 0).
pub fn random_below(below: u64) -> u64 {
    let mut bytes = [0; 8];
    fill_random(&mut bytes);
    u64::from_le_bytes(bytes).checked_rem(below).unwrap_or(0)
}

/// A new ULID: 48 bits of milliseconds, 80 of randomness, 26 characters that sort by time.
pub fn new_id() -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut bytes = [0; 16];
    fill_random(&mut bytes[6..]);
    bytes[..6].copy_from_slice(&now_ms().to_be_bytes()[2..]);
    let bits = u128::from_be_bytes(bytes);
    (0..26)
        .rev()
        .map(|place| char::from(ALPHABET[((bits >> (place * 5)) & 31) as usize]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_sort_as_times_and_read_back() {
        let (early, late) = (stamp(999), stamp(1_769_510_100_000));
        assert_eq!(early, "1970-01-01T00:00:00.999Z");
        assert_eq!(late, "2026-01-27T10:35:00.000Z");
        assert!(early < late);
        assert_eq!(parse_ms(&late), Some(1_769_510_100_000));
        assert_eq!(parse_ms("2026-01-27T17:35:00+07:00"), Some(1_769_510_100_000));
        assert_eq!(parse_ms("yesterday"), None);
    }

    #[test]
    fn ids_are_26_characters_and_differ() {
        let (a, b) = (new_id(), new_id());
        assert_eq!(a.len(), 26);
        assert_ne!(a, b);
    }
}
