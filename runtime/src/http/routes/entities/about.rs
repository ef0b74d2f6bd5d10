//! What these routes say of themselves.

use super::{AcceptedBody, EntityBody};
use crate::http::describe::{About, Document, word};
use http::StatusCode;
use serde_json::json;

const IF_MATCH: &str =
    "The version that it must have, in quotes; several with commas between them; `*`: any.";
const IF_NONE_MATCH: &str = "`*`: it must not be there yet.";
const KEY: &str = "Makes a repeat harmless: it gets the first answer.";

pub(crate) fn list() -> About {
    About::new("The entities of a type")
        .paged()
        .list::<EntityBody<'_>>("By id, tombstones too.")
}

pub(crate) fn get() -> About {
    About::new("One entity")
        .header(
            "If-None-Match",
            word(),
            "The version that is known already, in quotes.",
        )
        .ok::<EntityBody<'_>>("The entity; a tombstone too, as long as it is kept.")
        .with_header("ETag")
        .any_answer(StatusCode::NOT_MODIFIED, "It has that version still.", "", None)
        .with_header("ETag")
        .may(404, &["entity_not_found"])
}

fn change(summary: &'static str) -> About {
    let key = json!({"type": "string", "minLength": 1, "maxLength": 128});
    About::new(summary)
        .header("If-Match", word(), IF_MATCH)
        .header("If-None-Match", word(), IF_NONE_MATCH)
        .header("Idempotency-Key", key, KEY)
        .may(404, &["entity_not_found"])
        .may(412, &["version_mismatch"])
        .may(413, &["payload_too_large"])
        .may(422, &["idempotency_key_reused"])
        .may(503, &["busy"])
}

pub(crate) fn put() -> About {
    change("Create or replace an entity")
        .body::<Document>(json!({"id": "prod-1", "name": "Chai", "price": 18.5, "stock": 39}))
        .ok::<AcceptedBody<'_>>("It is replaced: durable, and queued for the cloud.")
        .with_header("ETag")
        .created::<AcceptedBody<'_>>("It is created.")
        .with_header("ETag")
}

pub(crate) fn patch() -> About {
    change("Change members of an entity (RFC 7396)")
        .any_body::<Document>(
            &["application/merge-patch+json", "application/json"],
            true,
            Some(json!({"stock": 38, "note": null})),
        )
        .may(400, &["invalid_json"])
        .may(415, &["unsupported_media_type"])
        .ok::<AcceptedBody<'_>>("It is changed.")
        .with_header("ETag")
        .created::<AcceptedBody<'_>>("It lives again.")
        .with_header("ETag")
}

pub(crate) fn delete() -> About {
    change("Delete an entity")
        .ok::<AcceptedBody<'_>>("It is a tombstone now.")
        .with_header("ETag")
}
