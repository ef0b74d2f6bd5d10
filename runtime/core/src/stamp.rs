//! Points in time as milliseconds since the Unix epoch, and their RFC 3339 form. It is told the time and never
//! asks for it.

use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

/// Milliseconds since the Unix epoch. All arithmetic saturates.
#[derive(Clone, Default, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Millis(pub i64);

impl Millis {
    /// 0000-01-01T00:00:00Z, the first moment that RFC 3339 can write.
    const FIRST: i64 = -62_167_219_200_000;
    /// 9999-12-31T23:59:59.999Z, the last one.
    const LAST: i64 = 253_402_300_799_999;

    /// Reads an RFC 3339 time with any offset, `T`, `t` or a space between date and time, and any number of
    /// fractional digits, of which those below the millisecond are cut off. A leap second is the moment before the next.
    pub fn parse_rfc3339(text: &str) -> Option<Millis> {
        // The parser takes any separator at all.
        if !matches!(text.as_bytes().get(10), Some(b'T' | b't' | b' ')) {
            return None;
        }
        let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        i64::try_from(time.unix_timestamp_nanos().div_euclid(1_000_000))
            .ok()
            .map(Millis)
    }

    /// RFC 3339 in UTC with `Z`, with milliseconds when they are not zero. What lies outside the years 0 to 9999
    /// is written as the nearest moment inside.
    pub fn to_rfc3339(self) -> String {
        let ms = self.0.clamp(Self::FIRST, Self::LAST);
        let time = OffsetDateTime::UNIX_EPOCH + Duration::milliseconds(ms);
        let (date, clock) = (time.date(), time.time());
        let mut text = format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
            date.year(),
            u8::from(date.month()),
            date.day(),
            clock.hour(),
            clock.minute(),
            clock.second()
        );
        if clock.millisecond() != 0 {
            text.push_str(&format!(".{:03}", clock.millisecond()));
        }
        text.push('Z');
        text
    }

    /// This many milliseconds later, or earlier when negative.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Millis {
        Millis(self.0.saturating_add(ms))
    }

    /// How many milliseconds this is after `earlier`; negative when it is before.
    pub fn minus(self, earlier: Millis) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_usual_forms_are_read() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-01-27T10:30:00Z", 1_769_509_800_000),
            ("2026-01-27t10:30:00z", 1_769_509_800_000),
            ("2026-01-27 17:30:00+07:00", 1_769_509_800_000),
            ("2026-01-27T05:00:00-05:30", 1_769_509_800_000),
            ("2026-01-27T10:30:00-00:00", 1_769_509_800_000),
            ("2026-01-27T10:30:00.5Z", 1_769_509_800_500),
            ("2026-01-27T10:30:00.123999999999Z", 1_769_509_800_123),
            ("1969-12-31T23:59:59.999Z", -1),
            ("1969-12-31T23:59:59.9995Z", -1),
            ("2016-12-31T23:59:60Z", 1_483_228_799_999),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000),
        ] {
            assert_eq!(Millis::parse_rfc3339(text), Some(Millis(ms)), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_time_is_refused() {
        for text in [
            "",
            "2026-01-27",
            "2026-01-27T10:30:00",
            "2026-01-27T10:30Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-27T25:00:00Z",
            "2026-01-27T10:30:00+0700",
            "2026-01-27T10:30:00+25:00",
            "2026-01-27x10:30:00Z",
            "2026-01-27T10:30:00.Z",
            "2026-01-27T10:30:00Zjunk",
            " 2026-01-27T10:30:00Z",
            "20260127T103000Z",
            "2026-01-2é10:30:00Z",
        ] {
            assert_eq!(Millis::parse_rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn milliseconds_are_written_only_when_there_are_some() {
        assert_eq!(Millis(1_769_509_800_000).to_rfc3339(), "2026-01-27T10:30:00Z");
        assert_eq!(Millis(1_769_509_800_007).to_rfc3339(), "2026-01-27T10:30:00.007Z");
    }

    #[test]
    fn extreme_times_are_written_as_the_nearest_that_can_be() {
        assert_eq!(Millis(i64::MIN).to_rfc3339(), "0000-01-01T00:00:00Z");
        assert_eq!(Millis(i64::MAX).to_rfc3339(), "9999-12-31T23:59:59.999Z");
        assert_eq!(Millis(i64::MAX).plus_ms(1), Millis(i64::MAX));
        assert_eq!(Millis(i64::MIN).minus(Millis(i64::MAX)), i64::MIN);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_as_itself(ms in Millis::FIRST..=Millis::LAST) {
            prop_assert_eq!(Millis::parse_rfc3339(&Millis(ms).to_rfc3339()), Some(Millis(ms)));
        }

        #[test]
        fn an_offset_changes_how_a_time_is_written_but_not_the_time(
            ms in 0i64..4_000_000_000_000, hours in 0i64..24, minutes in 0i64..60, ahead in any::<bool>(),
        ) {
            let offset = (hours * 60 + minutes) * 60_000 * if ahead { 1 } else { -1 };
            let local = Millis(ms).plus_ms(offset).to_rfc3339();
            let text = format!("{}{}{hours:02}:{minutes:02}", local.trim_end_matches('Z'), if ahead { '+' } else { '-' });
            prop_assert_eq!(Millis::parse_rfc3339(&text), Some(Millis(ms)), "{}", text);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            let _ = Millis::parse_rfc3339(&text);
        }
    }
}
