//! What these routes say of themselves.

use super::{ActionBody, DifferenceBody, PluginBody};
use crate::http::describe::About;

pub(crate) fn list() -> About {
    About::new("The plugins there are").list::<PluginBody<'_>>("All of them.")
}

pub(crate) fn get() -> About {
    About::new("One plugin")
        .ok::<PluginBody<'_>>("With its versions and the newest of its history.")
        .may(404, &["not_found"])
}

pub(crate) fn history() -> About {
    About::new("What was done with a plugin")
        .paged()
        .list::<ActionBody<'_>>("Newest first, also of one that is gone.")
}

pub(crate) fn differences() -> About {
    About::new("Where the version beside the active one answered otherwise")
        .paged()
        .list::<DifferenceBody<'_>>("Newest first.")
        .may(404, &["not_found"])
}
