//! The fourth act: the cloud is killed. The shops go on selling; when it comes back, everything flows.

use anyhow::ensure;
use serde_json::json;

use super::Touched;
use super::settle::settle;
use crate::clock::{self, Watch};
use crate::outlet::Change;
use crate::report::{self, Report};
use crate::stage::Stage;

/// Sales at each outlet meanwhile.
const SALES: usize = 100;

/// Plays it.
///
/// # Errors
/// When a sale is refused or lost.
pub async fn play(stage: &mut Stage, report: &Report) -> anyhow::Result<Touched> {
    let before = stage
        .hq
        .stats()
        .await?
        .entities
        .get("transaction")
        .copied()
        .unwrap_or(0);
    stage.kill_cloud()?;
    let mut touched = Touched::new();
    let watch = Watch::start();
    for outlet in &stage.outlets {
        let sales: Vec<_> = (1..=SALES).map(|n| sale(outlet.code, n)).collect();
        for (id, doc) in &sales {
            let sale = Change {
                entity_type: "transaction",
                id,
                doc: Some(doc),
                at: None,
            };
            outlet.change(&[sale]).await?;
        }
        touched.extend(sales.into_iter().map(|(id, _)| ("transaction", id)));
    }
    let took = report::duration(watch.elapsed());
    let mut waiting = Vec::new();
    for outlet in &stage.outlets {
        let status = outlet.status().await?;
        ensure!(
            status.pending_count >= SALES,
            "{} lost count: {status:?}",
            outlet.name
        );
        waiting.push(status.pending_count.to_string());
    }
    let waiting = waiting.join(" and ");
    report.line("outage", "the cloud was killed (SIGKILL)");
    report.more(format!(
        "{} sales taken one by one in {took} without it; {waiting} wait",
        2 * SALES
    ));

    let watch = Watch::start();
    stage.start_cloud().await?;
    settle(stage).await?;
    let after = stage
        .hq
        .stats()
        .await?
        .entities
        .get("transaction")
        .copied()
        .unwrap_or(0);
    ensure!(
        after == before + 2 * SALES,
        "the cloud has {after} transactions, not {}",
        before + 2 * SALES
    );
    let took = report::duration(watch.elapsed());
    report.more(format!(
        "it was started again; all of them arrived, once each, {took} later"
    ));
    Ok(touched)
}

fn sale(code: &str, n: usize) -> (String, String) {
    let id = format!("tx-{code}-{n}");
    let doc = json!({"id": id, "order_id": null, "payment_method": "cash", "created_at": clock::ago(0)});
    let total = format!(r#","total_amount":{n}.10}}"#);
    (id, doc.to_string().trim_end_matches('}').to_owned() + &total)
}
