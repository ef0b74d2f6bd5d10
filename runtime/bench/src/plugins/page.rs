//! What deciding costs where it happens: a pulled page whose every document is in conflict, beside the commit of a page.

use super::{STRATEGY, case, context};
use crate::table::{Aim, Table, plain, quantile};
use crate::{Room, sample};
use anyhow::ensure;
use selaras::clock::monotonic_us;
use selaras::plugin::{Case, Host, NoLookup};
use selaras::store::{Batch, SledOptions, SledStore, Store};
use std::sync::Arc;

/// Documents in a page, each in conflict.
const PAGE: usize = 1_000;
/// Pages of each; they take turns.
const PAGES: usize = 15;
/// Deciding takes less than this part of a commit.
const AIM: f64 = 1.0;

/// Measures both. The commit is that of documents which are simply taken over; one with conflicts writes more.
///
/// # Errors
/// When the strategy or the store fails.
pub(super) async fn measure(host: &Host, room: &Room, table: &mut Table) -> anyhow::Result<()> {
    let store = SledStore::open(&room.fresh("page")?, SledOptions::new("bench"))?;
    let cases: Vec<Case> = (0..PAGE).map(case).collect();
    let (mut deciding, mut committing) = (Vec::new(), Vec::new());
    for page in 0..PAGES {
        let asked = monotonic_us();
        let decided = host
            .resolve_many(STRATEGY, context(), cases.clone(), Arc::new(NoLookup))
            .await;
        deciding.push(monotonic_us() - asked);
        ensure!(
            decided.iter().all(|decided| decided.outcome.is_ok()),
            "a conflict is not decided"
        );
        let mut batch = Batch::new();
        for number in 0..PAGE {
            sample::pulled(&mut batch, page * PAGE + number)?;
        }
        let began = monotonic_us();
        store.commit(batch).await?;
        committing.push(monotonic_us() - began);
    }
    store.close()?;
    let (decided, committed) = (quantile(&mut deciding, 500), quantile(&mut committing, 500));
    let ratio = decided as f64 / committed as f64;
    table.aimed(
        format!("{PAGE} conflicts in a pulled page, beside the page's commit"),
        format!(
            "{:.1} ms = {} × {:.1} ms",
            decided as f64 / 1_000.0,
            plain(ratio),
            committed as f64 / 1_000.0
        ),
        ratio,
        Aim::AtMost(AIM),
        "×",
    );
    Ok(())
}
