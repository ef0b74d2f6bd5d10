//! What these routes say of themselves.

use super::Resynced;
use crate::http::describe::About;
use schemars::JsonSchema;
use serde_json::json;

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "a description: the request is read member by member")]
struct ResyncRequest {
    /// Left out: everything.
    entity_type: Option<String>,
    /// Left out: the whole type.
    entity_id: Option<String>,
}

pub(crate) fn resync() -> About {
    About::new("Fetch everything again, or one type, or one entity")
        .more("No unsynced change is lost.")
        .optional_body::<ResyncRequest>(json!({"entity_type": "product"}))
        .ok::<Resynced<'_>>("It is durable that this is to be done; a run is on its way.")
        .may(400, &["invalid_query"])
        .checks()
        .may(409, &["pull_disabled"])
}
