//! What these routes say of themselves.

use super::{GivenUp, QueueBody, Retried, RetriedAll};
use crate::http::describe::{About, entity_type, word, words};
use schemars::JsonSchema;
use serde_json::json;

#[derive(JsonSchema)]
#[expect(dead_code, reason = "a description: the request is read member by member")]
struct RetryRequest {
    /// Only items of this type.
    entity_type: Option<String>,
    /// Only items of this entity.
    entity_id: Option<String>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "a description: the request is read member by member")]
struct GiveUpRequest {
    /// Why; it may stand in the query instead.
    #[schemars(length(max = 1024))]
    reason: Option<String>,
}

fn filtered(about: About) -> About {
    about
        .query(
            "status",
            words(&["pending", "attempted", "failed", "held"]),
            "Only these.",
        )
        .query("entity_type", entity_type(), "Only this type.")
        .query("entity_id", word(), "Only this entity.")
}

pub(crate) fn queue() -> About {
    filtered(About::new("What waits to be pushed"))
        .paged()
        .list::<QueueBody<'_>>("In order.")
}

pub(crate) fn failed() -> About {
    filtered(About::new("What is out of retries"))
        .paged()
        .list::<QueueBody<'_>>("In order.")
}

pub(crate) fn retry_all() -> About {
    filtered(About::new("Put failed items back"))
        .more("All, or those that fit the filter in the query or the body; a run is started.")
        .optional_body::<RetryRequest>(json!({"entity_type": "order"}))
        .ok::<RetriedAll>("So many were put back.")
}

pub(crate) fn retry() -> About {
    About::new("Put a failed item back")
        .ok::<Retried<'_>>("It waits again, and a run is started.")
        .may(404, &["queue_item_not_found"])
        .may(409, &["wrong_state"])
}

pub(crate) fn give_up() -> About {
    About::new("Give an item up")
        .more("It is not sent any more, and its entity is fetched again. A reason is needed, and kept.")
        .query("reason", word(), "Why, where there is no body.")
        .optional_body::<GiveUpRequest>(json!({"reason": "entered twice"}))
        .ok::<GivenUp<'_>>("It is given up.")
        .may(404, &["queue_item_not_found"])
        .may(409, &["wrong_state"])
}
