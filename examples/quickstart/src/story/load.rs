//! The first act: what the outlets are told of their types, and the sample data's way from outlet 1 through the
//! cloud to outlet 2.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, ensure};
use serde_json::json;

use super::settle::settle;
use super::{HOUR_S, MENU, TYPES};
use crate::clock::{self, Watch};
use crate::doc;
use crate::outlet::Change;
use crate::report::{self, Report, grouped};
use crate::stage::Stage;

/// The loaded documents' contents, by type and id.
pub type Loaded = BTreeMap<&'static str, BTreeMap<String, String>>;

/// Plays it.
///
/// # Errors
/// When a record is lost or changed on its way.
pub async fn play(stage: &Stage, report: &Report, data_dir: &Path) -> anyhow::Result<Loaded> {
    bind(stage).await?;
    let strategies: Vec<_> = TYPES
        .iter()
        .map(|(kind, _, strategy)| format!("{kind} {strategy}"))
        .collect();
    report.line(
        "bind",
        format!("{}; {MENU} through catalog_mapper", strategies.join(", ")),
    );

    let files = read(data_dir)?;
    // What happened a day ago; everything later in the story is newer.
    let at = clock::ago(24 * HOUR_S);
    let mut changes = Vec::new();
    for (kind, id, text) in &files {
        changes.push(Change {
            entity_type: kind,
            id,
            doc: Some(text),
            at: Some(&at),
        });
    }
    let watch = Watch::start();
    stage.outlets[0].change(&changes).await?;
    let took = watch.elapsed();
    report.line(
        "load",
        format!(
            "{} records durable at outlet 1 in {}",
            grouped(files.len()),
            report::duration(took)
        ),
    );
    let menu: Vec<_> = menu().into_iter().map(|(id, text)| (MENU, id, text)).collect();
    let menu_changes: Vec<_> = menu
        .iter()
        .map(|(kind, id, text)| Change {
            entity_type: kind,
            id,
            doc: Some(text),
            at: Some(&at),
        })
        .collect();
    stage.outlets[0].change(&menu_changes).await?;
    settle(stage).await?;
    let took = watch.elapsed();

    let mut loaded = Loaded::new();
    for (kind, id, text) in files.iter().chain(&menu) {
        loaded
            .entry(kind)
            .or_default()
            .insert(id.clone(), doc::content(text)?);
    }
    let stats = stage.hq.stats().await?;
    for (kind, docs) in &loaded {
        let there = stats.entities.get(*kind).copied().unwrap_or(0);
        ensure!(
            there == docs.len(),
            "the cloud has {there} of {} {kind} records",
            docs.len()
        );
        let there = stage.outlets[1].contents(kind).await?.len();
        ensure!(
            there == docs.len(),
            "outlet 2 has {there} of {} {kind} records",
            docs.len()
        );
    }
    let records = files.len() + menu.len();
    let took = report::duration(took);
    report.more(format!(
        "{} at the cloud and at outlet 2, {took} after the first was handed over",
        grouped(records)
    ));
    Ok(loaded)
}

/// Binds the types at both outlets. The menu goes through a mapper: the app counts in whole minor units, the cloud in
/// decimals; the field is called otherwise there; the shelf is nobody's business but the shop's.
async fn bind(stage: &Stage) -> anyhow::Result<()> {
    let menu = json!({
        "strategy": "newest_wins",
        "mapper": "catalog_mapper",
        "settings": {
            "price_fields": ["price"], "minor_digits": 2, "rename": {"name": "title"}, "private": ["shelf"],
        },
    });
    for outlet in &stage.outlets {
        for (kind, _, strategy) in TYPES {
            outlet.bind(kind, &json!({"strategy": strategy})).await?;
        }
        outlet.bind(MENU, &menu).await?;
        // Whole batches, and a demo's patience after an outage.
        let settings = json!({"batch_size": 500, "initial_backoff_seconds": 1, "max_backoff_seconds": 5});
        outlet.set_sync(&settings).await?;
    }
    Ok(())
}

/// The documents of the mapper's demonstration.
fn menu() -> Vec<(String, String)> {
    let item = |id: &str, name: &str, price: u32| {
        let doc = json!({"id": id, "name": name, "price": price, "shelf": "A-1"});
        (id.to_owned(), doc.to_string())
    };
    vec![
        item("menu-1", "Kopi susu", 2250),
        item("menu-2", "Teh tarik", 1805),
        item("menu-3", "Nasi goreng", 4000),
        item("menu-4", "Kerupuk", 99),
    ]
}

fn read(data_dir: &Path) -> anyhow::Result<Vec<(&'static str, String, String)>> {
    let mut records = Vec::new();
    for (kind, file, _) in TYPES {
        let path = data_dir.join(file);
        let text = std::fs::read_to_string(&path);
        let text = text.with_context(|| format!("cannot read {}; --data-dir says where", path.display()))?;
        for line in text.lines() {
            let id = doc::member(line, "id").with_context(|| format!("{file}: a record without id"))?;
            records.push((kind, serde_json::from_str(&id)?, line.to_owned()));
        }
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_data_is_complete() {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data");
        assert_eq!(read(&data).unwrap().len(), 1_815);
    }
}
