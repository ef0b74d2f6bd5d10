//! What these routes say of themselves.

use super::BroadcastBody;
use crate::http::describe::About;

pub(crate) fn list() -> About {
    About::new("What the company told everybody")
        .paged()
        .list::<BroadcastBody<'_>>("Newest first.")
}

pub(crate) fn get() -> About {
    About::new("One broadcast")
        .ok::<BroadcastBody<'_>>("The broadcast.")
        .may(404, &["not_found"])
}
