//! What these routes say of themselves.

use super::ConflictBody;
use crate::http::describe::{About, Document, entity_type, words};
use schemars::JsonSchema;
use serde_json::json;

#[derive(JsonSchema)]
#[expect(dead_code, reason = "a description: the request is read member by member")]
struct ResolveRequest {
    /// A strategy's name, or `merged` with the document that both sides shall have.
    #[schemars(length(min = 1))]
    strategy: String,
    #[schemars(with = "Option<Document>")]
    data: Option<()>,
    #[schemars(length(max = 4096))]
    notes: Option<String>,
    /// The conflict's as it was read: an old one is 409.
    rev: Option<u64>,
}

pub(crate) fn list() -> About {
    About::new("Conflicts, open and resolved")
        .query("status", words(&["open", "resolved"]), "Only these.")
        .query("entity_type", entity_type(), "Only this type.")
        .paged()
        .list::<ConflictBody<'_>>("Newest first.")
}

pub(crate) fn get() -> About {
    About::new("One conflict")
        .ok::<ConflictBody<'_>>("All that it is decided on.")
        .may(404, &["not_found"])
}

pub(crate) fn resolve() -> About {
    About::new("Decide a conflict")
        .more("By a strategy, or with a document. It stays open when the plugin fails.")
        .body::<ResolveRequest>(json!({"strategy": "merged", "data": {"name": "Chai", "price": 19.0}, "notes": "price from headquarters"}))
        .ok::<ConflictBody<'_>>("It is decided.")
        .checks()
        .may(404, &["conflict_not_found"])
        .may(409, &["already_resolved", "old_rev"])
        .may(422, &["strategy_failed"])
}
