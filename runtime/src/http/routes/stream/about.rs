//! What these routes say of themselves.

use crate::http::describe::{About, word};
use http::StatusCode;

pub(crate) fn stream() -> About {
    About::new("The feed as server-sent events")
        .more("An event's id is its place; `Last-Event-ID` goes on from there. A comment every 15 seconds says that it lives.")
        .query("since", word(), "The place after which to begin: a number, or an event's id.")
        .header("Last-Event-ID", word(), "The id of the last event that was read; before `since`.")
        .any_answer(
            StatusCode::OK,
            "A stream; each event's data is an entry as in GET /api/v1/changes.",
            "text/event-stream",
            Some(|_| schemars::json_schema!({"type": "string"})),
        )
        .with_header("Cache-Control")
        .may(410, &["feed_truncated"])
        .may(503, &["too_many_streams"])
}
