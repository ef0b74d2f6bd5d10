//! What these routes say of themselves.

use crate::http::describe::{About, Document};
use crate::http::routes::entities::AcceptedBody;
use schemars::JsonSchema;
use serde_json::json;

#[derive(JsonSchema)]
#[expect(dead_code, reason = "a description: the request is read by core's rules")]
struct DailyRequest {
    /// `2026-01-27`.
    #[schemars(extend("format" = "date"))]
    date: String,
    /// Left out: this outlet's.
    outlet_id: Option<String>,
    /// Left out: this outlet's.
    outlet_code: Option<String>,
    summary: DailySummary,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "as above")]
struct DailySummary {
    total_orders: u64,
    total_revenue: f64,
    total_transactions: u64,
    /// Amounts by method.
    #[schemars(with = "Document")]
    payment_methods: (),
    #[schemars(with = "Vec<Document>")]
    top_products: (),
    #[schemars(with = "Vec<Document>")]
    hourly_breakdown: (),
}

pub(crate) fn daily() -> About {
    let key = json!({"type": "string", "minLength": 1, "maxLength": 128});
    About::new("Hand over a day's figures for the cloud")
        .more("Another one of the same date takes the place of the first.")
        .header("Idempotency-Key", key, "Makes a repeat harmless: it gets the first answer.")
        .body::<DailyRequest>(json!({"date": "2026-01-27", "summary": {
            "total_orders": 2, "total_revenue": 24.0, "total_transactions": 2, "payment_methods": {"cash": 24.0},
            "top_products": [], "hourly_breakdown": [],
        }}))
        .created::<AcceptedBody<'_>>("It is durable, and queued for the cloud.")
        .with_header("ETag")
        .checks()
        .may(404, &["entity_not_found"])
        .may(412, &["version_mismatch"])
        .may(422, &["idempotency_key_reused"])
        .may(503, &["busy"])
}
