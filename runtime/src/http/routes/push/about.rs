//! What these routes say of themselves.

use super::PushBody;
use crate::http::describe::About;

pub(crate) fn push() -> About {
    About::new("Push one entity's waiting changes now")
        .ok::<PushBody<'_>>("What came of each.")
        .may(404, &["entity_not_found"])
        .may(409, &["conflict_open", "sync_off"])
        .may(503, &["link_paused", "cloud_unavailable", "shutting_down"])
}
