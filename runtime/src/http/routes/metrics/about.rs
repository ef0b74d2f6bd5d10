//! What the metrics say of themselves.

use crate::http::describe::About;
use http::StatusCode;

pub(crate) fn get() -> About {
    About::new("The outlet in numbers, for Prometheus")
        .more("In Prometheus's own form, or as OpenMetrics where that is asked for.")
        .any_answer(
            StatusCode::OK,
            "A family of samples after the other.",
            "text/plain",
            Some(|_| schemars::json_schema!({"type": "string"})),
        )
        .with_header("Cache-Control")
}
