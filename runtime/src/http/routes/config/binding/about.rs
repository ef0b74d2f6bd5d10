//! What these routes say of themselves.

use super::BindingBody;
use crate::engine::api::{PluginLimitsPatch, Route};
use crate::http::describe::{About, Document};
use schemars::JsonSchema;
use serde_json::json;

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "a description: the request is read member by member")]
struct BindingRequest {
    /// As in the answer: ignored.
    #[serde(default)]
    entity_type: serde_json::Value,
    strategy: Option<String>,
    /// `null`: none.
    mapper: Option<String>,
    #[schemars(with = "Option<Document>")]
    settings: Option<()>,
    cloud_type: Option<String>,
    collection: Option<String>,
    route: Option<Route>,
    coalesce: Option<bool>,
    #[schemars(range(max = 9))]
    priority: Option<u8>,
    #[schemars(range(min = 1, max = 4_194_304))]
    max_document_bytes: Option<u32>,
    limits: Option<PluginLimitsPatch>,
}

pub(crate) fn get() -> About {
    About::new("How a type is synced").ok::<BindingBody<'_>>("What is in force.")
}

pub(crate) fn put() -> About {
    About::new("Change how a type is synced")
        .more("Any subset; in force at once. `*` is the default of all types.")
        .body::<BindingRequest>(json!({"strategy": "newest_wins", "mapper": null, "priority": 3}))
        .ok::<BindingBody<'_>>("It is in force.")
        .checks()
}
