//! Cursors: where a list goes on, opaque to clients and bound to the list that gave them out.

use crate::http::ApiError;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// The form of what is inside. A cursor of another form is refused, and the client begins again.
const FORM: u8 = 1;
/// Enough to notice a cut or mistyped cursor. It is no secret: a forged position only lists from elsewhere.
const CHECK_BYTES: usize = 4;

/// The lists there are; the numbers are part of cursors in the hands of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListKind {
    /// Entities of one type.
    Entities = 1,
    /// The sync log.
    Logs = 2,
    /// The queue, and the failed part of it.
    Queue = 3,
    /// Conflicts.
    Conflicts = 4,
    /// Conflicts, run again.
    Simulation = 5,
    /// Broadcasts.
    Broadcasts = 6,
    /// Parked documents.
    Parked = 7,
    /// Apps' tokens.
    Tokens = 10,
    /// What was done with plugins.
    PluginHistory = 8,
    /// Where a version beside the active one answered otherwise.
    PluginDifferences = 9,
    /// The audit log.
    Audit = 11,
}

/// The cursor for a position of `list`.
pub(crate) fn encode(list: ListKind, position: &[u8]) -> String {
    let mut bytes = vec![FORM, list as u8];
    bytes.extend_from_slice(&check(list, position));
    bytes.extend_from_slice(position);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The position that `cursor` names.
///
/// # Errors
/// 400 `invalid_cursor` for anything that [`encode`] did not make for this list.
pub(crate) fn decode(list: ListKind, cursor: &str) -> Result<Vec<u8>, ApiError> {
    let bytes = URL_SAFE_NO_PAD
        .decode(cursor)
        .map_err(|_| ApiError::bad_cursor())?;
    let ([form, kind, rest @ ..], true) = (bytes.as_slice(), bytes.len() >= 2 + CHECK_BYTES) else {
        return Err(ApiError::bad_cursor());
    };
    let (sum, position) = rest.split_at(CHECK_BYTES);
    if (*form, *kind) != (FORM, list as u8) || sum != check(list, position) {
        return Err(ApiError::bad_cursor());
    }
    Ok(position.to_vec())
}

fn check(list: ListKind, position: &[u8]) -> [u8; CHECK_BYTES] {
    let digest = Sha256::new()
        .chain_update([FORM, list as u8])
        .chain_update(position)
        .finalize();
    let mut sum = [0; CHECK_BYTES];
    sum.copy_from_slice(&digest[..CHECK_BYTES]);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_names_the_position_it_was_made_for() {
        for position in [&b""[..], b"\0\xff", b"product\0prod-1"] {
            assert_eq!(
                decode(ListKind::Queue, &encode(ListKind::Queue, position)).unwrap(),
                position
            );
        }
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        let error = decode(ListKind::Logs, &encode(ListKind::Queue, b"7")).unwrap_err();
        assert_eq!(error.code(), "invalid_cursor");
    }

    #[test]
    fn a_cut_mistyped_or_invented_cursor_is_refused() {
        let good = encode(ListKind::Queue, b"position");
        let mistyped = good.replace(&good[good.len() - 2..], "AA");
        for bad in ["", "garbage", "!!", "AQ", &good[..good.len() - 1], &mistyped] {
            assert_eq!(
                decode(ListKind::Queue, bad).unwrap_err().code(),
                "invalid_cursor",
                "{bad}"
            );
        }
    }
}
