//! What these routes say of themselves.

use super::TokenBody;
use crate::http::describe::About;
use crate::http::reply::Named;
use schemars::JsonSchema;
use serde_json::json;

#[derive(JsonSchema)]
#[expect(dead_code, reason = "a description: the request is read member by member")]
struct NewTokenRequest {
    #[schemars(length(min = 1, max = 128))]
    name: String,
    /// `read`, `write` or `read_write`, which it is when left out.
    access: Option<String>,
    /// Left out: all types.
    #[schemars(length(min = 1, max = 100))]
    entity_types: Option<Vec<String>>,
    /// Left out: until it is deleted.
    expires_at: Option<String>,
}

pub(crate) fn list() -> About {
    About::new("Apps' tokens")
        .paged()
        .list::<TokenBody<'_>>("By id, without the tokens themselves.")
}

pub(crate) fn create() -> About {
    About::new("Make a token for an app")
        .body::<NewTokenRequest>(
            json!({"name": "till 1", "access": "read_write", "entity_types": ["product", "order"]}),
        )
        .created::<TokenBody<'_>>("The token is shown this once.")
        .with_header("Cache-Control")
        .may(400, &["missing_fields"])
        .checks()
}

pub(crate) fn delete() -> About {
    About::new("End a token")
        .ok::<Named<'_>>("It holds no longer.")
        .may(404, &["token_not_found"])
}
