//! What these routes say of themselves.

use super::{ChangesBody, FeedBody, MAX_WAIT_SECONDS};
use crate::http::describe::{About, Document};
use http::StatusCode;
use schemars::JsonSchema;
use serde_json::json;

#[derive(JsonSchema)]
#[expect(dead_code, reason = "a description: the request is read member by member")]
struct ChangesRequest {
    #[schemars(length(min = 1, max = 1000))]
    changes: Vec<ChangeRequest>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "a description: the request is read member by member")]
struct ChangeRequest {
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9_.-]{0,63}$"))]
    entity_type: String,
    #[schemars(length(min = 1, max = 128))]
    entity_id: String,
    #[schemars(extend("enum" = ["create", "update", "delete"]))]
    operation: String,
    /// The whole document; not needed to delete.
    #[schemars(with = "Option<Document>")]
    data: Option<()>,
    /// The app's own time of the change.
    updated_at: Option<String>,
    /// The app's own id of the change: handed over twice, it takes effect once.
    #[schemars(length(min = 1, max = 128))]
    change_id: Option<String>,
}

pub(crate) fn post() -> About {
    let key = json!({"type": "string", "minLength": 1, "maxLength": 128});
    About::new("Many changes as one")
        .more("All or nothing; durable when it answers, with a result each, in order.")
        .header(
            "Idempotency-Key",
            key,
            "Makes a repeat harmless: it gets the first answer.",
        )
        .body::<ChangesRequest>(json!({"changes": [
            {"entity_type": "order", "entity_id": "ORD-1", "operation": "create", "data": {"total": 42.5}},
            {"entity_type": "product", "entity_id": "prod-1", "operation": "delete"},
        ]}))
        .answer::<ChangesBody<'_>>(StatusCode::CREATED, "All of them are durable and queued.")
        .checks()
        .may(404, &["entity_not_found"])
        .may(412, &["version_mismatch"])
        .may(422, &["idempotency_key_reused"])
        .may(503, &["busy"])
}

pub(crate) fn feed() -> About {
    let number = json!({"type": "integer", "minimum": 0, "default": 0});
    let wait = json!({"type": "integer", "minimum": 0, "maximum": MAX_WAIT_SECONDS, "default": 0});
    About::new("What has changed, in order")
        .more("410 when `since` is gone: note `head`, list the entities again, and go on from there.")
        .query(
            "since",
            number,
            "The place after which to begin: the last answer's `next_since`.",
        )
        .limited()
        .query("wait", wait, "Seconds to wait for a change when there is none.")
        .answer::<FeedBody<'_>>(StatusCode::OK, "A page of the feed.")
        .may(410, &["feed_truncated"])
        .may(503, &["too_many_waiters"])
}
