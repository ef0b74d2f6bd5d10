//! What it costs to load a component: compiled by a child process, as for everything that did not come with the binary, and
//! out of the cache.

use super::{STRATEGY, start};
use crate::table::{Aim, Table, quantile};
use crate::{Room, Scale};
use anyhow::{Context, ensure};
use selaras::clock::monotonic_us;
use selaras::plugin::bundle::BUNDLE;
use selaras::plugin::{Candidate, Grants, Source};
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// Half of the loads of cached code take no longer.
const AIM_US: f64 = 1_000.0;

/// Measures them.
///
/// # Errors
/// When a plugin does not load.
pub(super) fn measure(room: &Room, scale: Scale, table: &mut Table) -> anyhow::Result<()> {
    let (_, bytes) = BUNDLE
        .iter()
        .find(|(name, _)| *name == STRATEGY)
        .context("the strategy is not in the bundle")?;
    let loads = scale.starts * 10;
    let mut cold = Vec::new();
    for number in 0..scale.starts {
        cold.push(load(
            &room.fresh(&format!("cold-cache-{number}"))?,
            bytes,
            Grants::default(),
        )?);
    }
    let warm = room.fresh("warm-cache")?;
    load(&warm, bytes, Grants::default())?;
    let mut cached = Vec::with_capacity(loads);
    for _ in 0..loads {
        cached.push(load(&warm, bytes, Grants::default())?);
    }
    table.told(
        "loading it: a child compiles it, with self-test",
        format!("p50 {:.1} ms", quantile(&mut cold, 500) as f64 / 1_000.0),
    );
    let p50 = quantile(&mut cached, 500);
    table.aimed(
        "loading it out of the cache, with self-test",
        format!("p50 {p50} µs, p99 {} µs", quantile(&mut cached, 990)),
        p50 as f64,
        Aim::AtMost(AIM_US),
        "µs",
    );
    Ok(())
}

/// Loads it into a host of its own over this cache; µs.
pub(super) fn load(cache: &Path, bytes: &[u8], grants: Grants) -> anyhow::Result<u64> {
    let host = start(cache.to_owned())?;
    let candidate = Candidate {
        bytes: Cow::Owned(bytes.to_vec()),
        name: Some("measured".to_owned()),
        // As a file, since the binary's own are compiled without a child.
        source: Source::File(PathBuf::from("measured.wasm")),
        grants,
    };
    let began = monotonic_us();
    let mut loaded = host.load_all(&[candidate]);
    let took = monotonic_us() - began;
    host.shutdown();
    ensure!(loaded.len() == 1, "one answer each");
    loaded.remove(0).context("a plugin is refused")?;
    Ok(took)
}
