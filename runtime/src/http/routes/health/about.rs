//! What these routes say of themselves.

use super::{Live, NotReady, Ready};
use crate::http::describe::About;
use http::StatusCode;

pub(crate) fn live() -> About {
    About::new("Whether the process is up").ok::<Live>("It is up.")
}

pub(crate) fn ready() -> About {
    About::new("Whether it can serve")
        .more("The store is open. Plugins and files that are not in use are named, and keep nothing else from working.")
        .ok::<Ready<'_>>("It can.")
        .answer::<NotReady<'_>>(StatusCode::SERVICE_UNAVAILABLE, "It cannot: `problems` says why.")
}
