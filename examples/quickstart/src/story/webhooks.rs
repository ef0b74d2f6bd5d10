//! The fifth act: headquarters tells the outlets at once. The cloud's own webhooks first, then three sent by hand:
//! a forged one, a good one, and the good one again.

use std::time::Duration;

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::json;

use super::Touched;
use super::settle::settle;
use crate::clock::{self, Watch};
use crate::doc;
use crate::hq::Tell;
use crate::report::{self, Report};
use crate::stage::Stage;

/// A webhook has this long to arrive.
const LIMIT: Duration = Duration::from_secs(30);
/// The product of the webhooks sent by hand.
const BY_HAND: &str = "prod-74";

#[derive(Deserialize)]
struct Taken {
    resolution: Option<String>,
    #[serde(default)]
    duplicate: bool,
}

/// Plays it.
///
/// # Errors
/// When a webhook is not taken, or a forged one is.
pub async fn play(stage: &Stage, report: &Report) -> anyhow::Result<Touched> {
    for outlet in &stage.outlets {
        stage.hq.register(outlet).await?;
    }
    let prices: Vec<_> = (71..=73)
        .map(|n| (format!("prod-{n}"), format!(r#"{{"price":{n}.25}}"#)))
        .collect();
    let watch = Watch::start();
    stage.hq.patch_many("product", &prices, Tell::AtOnce).await?;
    for outlet in &stage.outlets {
        for (id, patch) in &prices {
            clock::wait_for(
                &format!("the webhook of {id} at {}", outlet.name),
                LIMIT,
                async || {
                    let there = outlet
                        .doc("product", id)
                        .await?
                        .and_then(|text| doc::member(&text, "price"));
                    Ok((there == doc::member(patch, "price")).then_some(()))
                },
            )
            .await?;
        }
    }
    let took = report::duration(watch.elapsed());
    let delivered = clock::wait_for(
        "the cloud to hear that its webhooks were taken",
        LIMIT,
        async || {
            let webhooks = stage.hq.stats().await?.webhooks;
            Ok((webhooks.pending == 0).then_some(webhooks.delivered))
        },
    );
    let delivered = delivered.await?;
    ensure!(
        delivered >= stage.outlets.len(),
        "the cloud delivered {delivered} webhooks"
    );
    report.line(
        "webhooks",
        format!("3 prices told to both outlets by signed bulk-update, there in {took}"),
    );
    by_hand(stage, report).await?;
    settle(stage).await?;
    let mut touched: Touched = prices.into_iter().map(|(id, _)| ("product", id)).collect();
    touched.push(("product", BY_HAND.to_owned()));
    Ok(touched)
}

async fn by_hand(stage: &Stage, report: &Report) -> anyhow::Result<()> {
    let outlet = &stage.outlets[0];
    let before = outlet.doc("product", BY_HAND).await?;
    let entity = stage
        .hq
        .patch("product", BY_HAND, r#"{"price":74.75}"#, None, Tell::WhenTheyPull)
        .await?;
    ensure!(!entity.deleted, "headquarters' edit of {BY_HAND} met a tombstone");
    let head = json!({
        "event": "update", "event_id": format!("by-hand-{}", entity.version), "timestamp": clock::ago(0),
        "entity_type": "product", "cloud_id": entity.cloud_id, "local_id": BY_HAND,
        "version": entity.version, "updated_by": "hq",
    });
    let data = entity.data.context("the edited product has no document")?;
    let body = format!(
        r#"{},"data":{}}}"#,
        head.to_string().trim_end_matches('}'),
        data.get()
    );

    let forged = outlet.webhook(&body, &outlet.sign("something else")).await?;
    ensure!(
        forged.status == 401,
        "a forged webhook was answered {}: {}",
        forged.status,
        forged.text
    );
    ensure!(
        outlet.doc("product", BY_HAND).await? == before,
        "a forged webhook took effect"
    );
    let taken: Taken = outlet.webhook(&body, &outlet.sign(&body)).await?.read()?;
    ensure!(!taken.duplicate, "a first webhook was called a duplicate");
    let price = outlet
        .doc("product", BY_HAND)
        .await?
        .and_then(|text| doc::member(&text, "price"));
    ensure!(
        price.as_deref() == Some("74.75"),
        "the webhook was taken, but the price is {price:?}"
    );
    let again: Taken = outlet.webhook(&body, &outlet.sign(&body)).await?.read()?;
    ensure!(again.duplicate, "a repeated webhook was not noticed");
    let resolution = taken.resolution.unwrap_or_default();
    report.more(format!(
        "by hand: forged 401, well signed 200 {resolution}, sent again 200 duplicate"
    ));
    Ok(())
}
