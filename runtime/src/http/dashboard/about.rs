//! What the page says of itself.

use crate::http::describe::About;
use http::StatusCode;

pub(crate) fn page() -> About {
    About::new("The dashboard").any_answer(
        StatusCode::OK,
        "One page, which fetches nothing but this API.",
        "text/html",
        Some(|_| schemars::json_schema!({"type": "string"})),
    )
}
