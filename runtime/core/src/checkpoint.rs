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
