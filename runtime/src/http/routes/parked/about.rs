//! What these routes say of themselves.

use super::{Dropped, ParkedBody, ParkedRetriedAll, ParkedRetriedBody};
use crate::http::describe::{About, entity_type, word, words};
use schemars::JsonSchema;
use serde_json::json;

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "a description: the request is read member by member")]
struct RetryParkedRequest {
    /// `to_local` or `to_cloud`.
    direction: Option<String>,
    entity_type: Option<String>,
    #[schemars(length(max = 64))]
    error_code: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "a description: the request is read member by member")]
struct DropParkedRequest {
    /// Why; it may stand in the query instead.
    #[schemars(length(max = 1024))]
    reason: Option<String>,
}

fn filtered(about: About) -> About {
    about
        .query("direction", words(&["to_local", "to_cloud"]), "Only this way.")
        .query("entity_type", entity_type(), "Only this type.")
        .query("error_code", word(), "Only what failed so.")
}

pub(crate) fn list() -> About {
    filtered(About::new("Documents that a plugin could not handle"))
        .paged()
        .list::<ParkedBody<'_>>("Newest first.")
}

pub(crate) fn retry_all() -> About {
    filtered(About::new("Try parked documents again"))
        .more("All, or those that fit the filter in the query or the body.")
        .optional_body::<RetryParkedRequest>(json!({"direction": "to_local"}))
        .ok::<ParkedRetriedAll>("What came of them.")
}

pub(crate) fn retry() -> About {
    About::new("Try one again")
        .ok::<ParkedRetriedBody<'_>>("It is parked no more.")
        .may(404, &["parked_not_found"])
        .may(409, &["wrong_state"])
        .may(422, &["mapper_failed", "unreadable"])
}

pub(crate) fn give_up() -> About {
    About::new("Give one up")
        .query("reason", word(), "Why, where there is no body.")
        .optional_body::<DropParkedRequest>(json!({"reason": "the product is gone"}))
        .ok::<Dropped<'_>>("It is given up.")
        .may(404, &["parked_not_found"])
        .may(409, &["wrong_state"])
}
