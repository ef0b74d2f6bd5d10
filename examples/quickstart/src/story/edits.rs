//! The second act: headquarters changes prices, both outlets change stock, nobody gets in anybody's way.

use anyhow::ensure;

use super::Touched;
use super::settle::settle;
use crate::clock::Watch;
use crate::doc;
use crate::hq::Tell;
use crate::report::{self, Report};
use crate::stage::Stage;

/// Plays it.
///
/// # Errors
/// When an edit does not arrive everywhere.
pub async fn play(stage: &Stage, report: &Report) -> anyhow::Result<Touched> {
    let mut touched = Touched::new();
    let watch = Watch::start();
    let prices: Vec<_> = (21..=40)
        .map(|n| (format!("prod-{n}"), format!(r#"{{"price":{n}.50}}"#)))
        .collect();
    stage
        .hq
        .patch_many("product", &prices, Tell::WhenTheyPull)
        .await?;
    for (outlet, numbers) in stage.outlets.iter().zip([41..=50, 51..=60]) {
        for n in numbers {
            outlet
                .patch(
                    "product",
                    &format!("prod-{n}"),
                    &format!(r#"{{"stock":{}}}"#, 100 + n),
                )
                .await?;
            touched.push(("product", format!("prod-{n}")));
        }
    }
    settle(stage).await?;
    let took = report::duration(watch.elapsed());

    for (id, patch) in &prices {
        for outlet in &stage.outlets {
            let there = outlet
                .doc("product", id)
                .await?
                .and_then(|text| doc::member(&text, "price"));
            ensure!(
                there == doc::member(patch, "price"),
                "{} has the price {there:?} for {id}",
                outlet.name
            );
        }
        touched.push(("product", id.clone()));
    }
    for n in 41..=60 {
        let there = stage.hq.doc("product", &format!("prod-{n}")).await?;
        let there = there.and_then(|text| doc::member(&text, "stock"));
        ensure!(
            there == Some((100 + n).to_string()),
            "the cloud has the stock {there:?} for prod-{n}"
        );
    }
    report.line(
        "edits",
        format!("20 prices at headquarters, 10 stocks at each outlet: everywhere in {took}"),
    );
    menu(stage, report).await?;
    touched.push((super::MENU, "menu-1".to_owned()));
    touched.push((super::MENU, "menu-2".to_owned()));
    Ok(touched)
}

/// The mapper at work, both ways.
async fn menu(stage: &Stage, report: &Report) -> anyhow::Result<()> {
    let (menu, one) = (super::MENU, &stage.outlets[0]);
    stage
        .hq
        .patch(menu, "menu-1", r#"{"price":23.75}"#, None, Tell::WhenTheyPull)
        .await?;
    one.patch(menu, "menu-2", r#"{"price":1950}"#).await?;
    settle(stage).await?;
    let at_outlet = one.doc(menu, "menu-1").await?.unwrap_or_default();
    let price = doc::member(&at_outlet, "price");
    ensure!(price.as_deref() == Some("2375"), "outlet 1 has {at_outlet}");
    let shelf = doc::member(&at_outlet, "shelf");
    ensure!(
        shelf.as_deref() == Some(r#""A-1""#),
        "the pull erased a private field: {at_outlet}"
    );
    let at_cloud = stage.hq.doc(menu, "menu-2").await?.unwrap_or_default();
    ensure!(
        doc::member(&at_cloud, "shelf").is_none(),
        "a private field reached the cloud: {at_cloud}"
    );
    report.line("mapper", format!("at outlet 1 {at_outlet}"));
    report.more(format!("at the cloud {at_cloud}"));
    Ok(())
}
