//! What these routes say of themselves.

use super::{Live, Not, Ready};
use crate::http::describe::About;
use http::StatusCode;

pub(crate) fn live() -> About {
    About::new("Whether the process works")
        .ok::<Live>("It does.")
        .answer::<Not<'_>>(StatusCode::SERVICE_UNAVAILABLE, "It does not: restart it.")
        .with_header("Retry-After")
}

pub(crate) fn ready() -> About {
    About::new("Whether it can serve")
        .more("The store is open. Plugins and files that are not in use are named, and keep nothing else from working.")
        .ok::<Ready<'_>>("It can.")
        .answer::<Not<'_>>(StatusCode::SERVICE_UNAVAILABLE, "It cannot: `details` says why.")
        .with_header("Retry-After")
}
