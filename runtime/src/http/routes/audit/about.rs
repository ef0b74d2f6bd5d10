//! What these routes say of themselves.

use super::{RecordBody, VerdictBody};
use crate::http::describe::{About, word};

pub(crate) fn list() -> About {
    About::new("Who did what")
        .more("To settings, users, tokens, plugins, conflicts, the queue and parked documents. Each record's hash is SHA-256 \
            over `prev_hash` (32 bytes), `id` (8 bytes, big-endian) and the JSON text of `at`, `actor`, `action`, `target` \
            and `details`, in this order and without spaces.")
        .query("actor", word(), "Only what this one did: a user, `cloud`, `folder`, `system` or `anonymous`.")
        .query("action", word(), "Only this, such as `user.create`; with a dot at its end all that begin so.")
        .paged()
        .list::<RecordBody<'_>>("Newest first.")
}

pub(crate) fn verify() -> About {
    About::new("Whether every record is as it was written").ok::<VerdictBody<'_>>(
        "`broken` names the first record that is not. Note `head` elsewhere to know it again.",
    )
}
