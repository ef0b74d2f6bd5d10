//! What these routes say of themselves.

use super::{LogBody, RunBody, StatusBody, Triggered};
use crate::http::describe::{About, flag, words};
use crate::http::reply::Success;
use http::StatusCode;

pub(crate) fn status() -> About {
    About::new("Where the sync stands").ok::<StatusBody<'_>>("Counts, times, the line, the store.")
}

pub(crate) fn trigger() -> About {
    About::new("Start a run")
        .more("A run that is going is joined. A failed run is a 200, too: the call did what it was asked to.")
        .query("wait", flag(), "Answer when the run has ended.")
        .any_answer(
            StatusCode::OK,
            "It is on its way; with `wait`, what came of it.",
            "application/json",
            Some(|generator| {
                let at_once = generator.subschema_for::<Success<'_, Triggered>>();
                let ended = generator.subschema_for::<Success<'_, RunBody<'_>>>();
                schemars::json_schema!({ "anyOf": [at_once, ended] })
            }),
        )
        .may(503, &["stopping"])
}

pub(crate) fn logs() -> About {
    About::new("The log of runs")
        .query("sync_type", words(&["push", "pull"]), "Only this way.")
        .query("status", words(&["success", "partial", "failed"]), "Only these.")
        .paged()
        .list::<LogBody<'_>>("Newest first.")
}
