//! How a pull asks from a checkpoint (rule 15).

use crate::stamp::Millis;

/// What is asked before there is a checkpoint.
pub const BEGINNING: &str = "1970-01-01T00:00:00Z";

/// The `since` of a run's first page: a checkpoint that is a timestamp is asked with an overlap, because clouds
/// commit late; any other is sent back as it came.
pub fn since(checkpoint: Option<&str>, overlap_seconds: u32) -> String {
    let Some(checkpoint) = checkpoint else {
        return BEGINNING.to_owned();
    };
    match Millis::parse_rfc3339(checkpoint) {
        Some(at) if overlap_seconds > 0 => {
            let back = at.plus_ms(-1000 * i64::from(overlap_seconds));
            if back.0 <= 0 {
                BEGINNING.to_owned()
            } else {
                back.to_rfc3339()
            }
        }
        _ => checkpoint.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_15_a_timestamp_is_asked_with_an_overlap() {
        assert_eq!(since(Some("2026-01-27T11:15:00Z"), 300), "2026-01-27T11:10:00Z");
        assert_eq!(
            since(Some("2026-01-27T18:15:00.5+07:00"), 300),
            "2026-01-27T11:10:00.500Z"
        );
    }

    #[test]
    fn rule_15_any_other_checkpoint_is_sent_back_as_it_came() {
        for opaque in ["", "42", "2026-01-27", "eyJ2IjoxfQ==", "a b+c"] {
            assert_eq!(since(Some(opaque), 300), opaque);
        }
        assert_eq!(
            since(Some("2026-01-27T11:15:00.123456789+07:00"), 0),
            "2026-01-27T11:15:00.123456789+07:00",
            "without an overlap not even a timestamp is touched"
        );
    }

    #[test]
    fn rule_15_the_beginning_is_the_earliest_that_is_asked() {
        assert_eq!(since(None, 300), BEGINNING);
        assert_eq!(since(Some("1970-01-01T00:04:00Z"), 300), BEGINNING);
    }
}
