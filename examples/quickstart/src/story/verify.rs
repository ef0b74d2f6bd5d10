//! The last act: cloud, outlet 1 and outlet 2 must hold equal documents, to the digit.

use std::collections::BTreeMap;

use anyhow::{bail, ensure};

use super::load::Loaded;
use super::settle::settle;
use super::{MENU, TYPES, Touched};
use crate::doc::{self, Members};
use crate::report::{Report, grouped};
use crate::stage::Stage;

/// Differences that are shown.
const SHOWN: usize = 20;

/// Contents by id.
type Contents = BTreeMap<String, String>;

/// Plays it.
///
/// # Errors
/// With the differences.
pub async fn play(stage: &Stage, report: &Report, loaded: &Loaded, touched: &Touched) -> anyhow::Result<()> {
    settle(stage).await?;
    for outlet in &stage.outlets {
        let status = outlet.status().await?;
        let open = status.pending_count + status.failed_count + status.conflict_count;
        ensure!(open == 0, "{} is not done: {status:?}", outlet.name);
    }
    let mut differences = Vec::new();
    let (mut compared, mut untouched) = (0, 0);
    for kind in TYPES.iter().map(|(kind, _, _)| *kind).chain([MENU]) {
        let cloud = stage.hq.contents(kind).await?;
        compared += cloud.len();
        for outlet in &stage.outlets {
            let mut there = outlet.contents(kind).await?;
            if kind == MENU {
                there = there
                    .into_iter()
                    .map(|(id, text)| Ok((id, to_cloud(&text)?)))
                    .collect::<anyhow::Result<_>>()?;
            }
            compare(kind, ("cloud", &cloud), (outlet.name, &there), &mut differences);
        }
        if kind == MENU {
            continue;
        }
        // What nobody touched must still be what was loaded.
        let is_touched = |id: &String| touched.iter().any(|(of, which)| *of == kind && which == id);
        let keep = |docs: &Contents| -> Contents {
            docs.iter()
                .filter(|(id, _)| !is_touched(id))
                .map(|(id, text)| (id.clone(), text.clone()))
                .collect()
        };
        let source = keep(&loaded[kind]);
        untouched += source.len();
        compare(
            kind,
            ("file", &source),
            ("cloud", &keep(&cloud)),
            &mut differences,
        );
    }
    if differences.is_empty() {
        report.line(
            "verify",
            format!(
                "{} documents equal at cloud, outlet 1 and outlet 2",
                grouped(compared)
            ),
        );
        report.more(format!(
            "{} that nobody touched equal to their source, to the digit",
            grouped(untouched)
        ));
        return Ok(());
    }
    let more = differences.len().saturating_sub(SHOWN);
    differences.truncate(SHOWN);
    if more > 0 {
        differences.push(format!("… and {more} more"));
    }
    bail!("cloud and outlets are not equal:\n{}", differences.join("\n"));
}

fn compare(kind: &str, a: (&str, &Contents), b: (&str, &Contents), differences: &mut Vec<String>) {
    let ids = a.1.keys().chain(b.1.keys().filter(|id| !a.1.contains_key(*id)));
    for id in ids {
        let (left, right) = (a.1.get(id), b.1.get(id));
        if left != right {
            let show = |side: Option<&String>| side.map_or("nothing", String::as_str).to_owned();
            differences.push(format!(
                "{kind} {id}\n  {:<9} {}\n  {:<9} {}",
                a.0,
                show(left),
                b.0,
                show(right)
            ));
        }
    }
}

/// What the mapper must make of a menu item, done by hand: the price's point two digits to the left, `name` called
/// `title`, no `shelf`.
fn to_cloud(text: &str) -> anyhow::Result<String> {
    let mut members = doc::members(text)?;
    members.remove("shelf");
    let Some(price) = members.remove("price") else {
        bail!("a menu item without a price: {text}")
    };
    let padded = format!("{:0>3}", price.get());
    let (whole, cents) = padded.split_at(padded.len() - 2);
    let Some(name) = members.remove("name") else {
        bail!("a menu item without a name: {text}")
    };
    members.insert("title".to_owned(), name);
    doc::content(&doc::with(
        &write(&members)?,
        "price",
        &format!("{whole}.{cents}"),
    )?)
}

fn write(members: &Members) -> anyhow::Result<String> {
    Ok(serde_json::to_string(members)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_menu_item_is_what_the_cloud_shall_have() {
        let at_cloud = to_cloud(r#"{"name":"Kerupuk","price":99,"shelf":"A-1"}"#).unwrap();
        assert_eq!(at_cloud, r#"{"price":0.99,"title":"Kerupuk"}"#);
        assert_eq!(
            to_cloud(r#"{"name":"N","price":2375}"#).unwrap(),
            r#"{"price":23.75,"title":"N"}"#
        );
    }

    #[test]
    fn every_difference_is_shown_also_what_one_side_does_not_have() {
        let side = |pairs: &[(&str, &str)]| -> Contents {
            pairs
                .iter()
                .map(|(id, text)| ((*id).to_owned(), (*text).to_owned()))
                .collect()
        };
        let mut found = Vec::new();
        let (a, b) = (side(&[("1", "x"), ("2", "y")]), side(&[("2", "z"), ("3", "w")]));
        compare("product", ("cloud", &a), ("outlet 1", &b), &mut found);
        assert_eq!(found.len(), 3);
        assert!(found[1].contains("cloud     y") && found[1].contains("outlet 1  z"));
    }
}
