//! What these routes say of themselves.

use super::SimulationBody;
use crate::http::describe::{About, Document};
use schemars::JsonSchema;
use serde_json::json;

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "a description: the request is read member by member")]
struct SimulateRequest {
    /// Left out: each conflict is run by its own.
    strategy: Option<String>,
    #[schemars(with = "Option<Document>")]
    settings: Option<()>,
    entity_type: Option<String>,
    /// Only conflicts from then on.
    #[schemars(extend("format" = "date-time"))]
    since: Option<String>,
}

pub(crate) fn post() -> About {
    About::new("Run recorded conflicts again, by any strategy")
        .more("Nothing is changed.")
        .paged()
        .optional_body::<SimulateRequest>(json!({"strategy": "newest_wins", "entity_type": "product"}))
        .page::<SimulationBody<'_>>("How each was decided, and how it would be.")
}
