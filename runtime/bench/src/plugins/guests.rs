//! The same figures for strategies in other languages. Their toolchains are not part of the build, so the components are
//! taken from a folder, which `guests.sh` fills; where there are none the row says that it was skipped.

use super::{BATCH, case, context, loading, start};
use crate::table::{Table, plain, quantile, rate};
use crate::{Room, Scale};
use anyhow::{Context, ensure};
use selaras::clock::monotonic_us;
use selaras::plugin::{Candidate, Grants, Kind, NoLookup, Source};
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder of components, e.g. `js.wasm` and `python.wasm`.
const FOLDER: &str = "SELARAS_BENCH_GUESTS";
/// An interpreter inside a component takes this much longer than a Rust guest.
const FEWER: usize = 20;

/// Measures each of them.
///
/// # Errors
/// When one cannot be read, is refused, or does not answer.
pub(super) async fn measure(room: &Room, scale: Scale, table: &mut Table) -> anyhow::Result<()> {
    let files = match std::env::var_os(FOLDER) {
        Some(folder) => components(Path::new(&folder))?,
        None => Vec::new(),
    };
    if files.is_empty() {
        table.told(
            "guests in other languages",
            format!("SKIPPED: {FOLDER} names no folder of strategies (*.wasm)"),
        );
    }
    for file in files {
        guest(&file, room, scale, table)
            .await
            .with_context(|| format!("{}", file.display()))?;
    }
    Ok(())
}

fn components(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("{FOLDER}={}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

async fn guest(file: &Path, room: &Room, scale: Scale, table: &mut Table) -> anyhow::Result<()> {
    let bytes = std::fs::read(file)?;
    let grants = Grants {
        large: true,
        wasi: true,
    };
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let cache = room.fresh(&format!("guest-{name}"))?;
    let cold = loading::load(&cache, &bytes, grants)?;
    let cached = loading::load(&cache, &bytes, grants)?;
    table.told(
        format!(
            "{name}, {} KB: loading it compiled, and out of the cache",
            bytes.len() / 1_000
        ),
        format!(
            "{:.0} ms, {:.1} ms",
            cold as f64 / 1_000.0,
            cached as f64 / 1_000.0
        ),
    );
    let host = start(cache)?;
    let candidate = Candidate {
        bytes: Cow::Owned(bytes),
        name: Some("guest".to_owned()),
        source: Source::File(file.to_owned()),
        grants,
    };
    let outcome = match host.load_all(&[candidate]).remove(0) {
        Ok(info) if info.kind == Kind::Strategy => decisions(&host, &name, scale, table).await,
        Ok(_) => Err(anyhow::anyhow!("it is no strategy")),
        Err(refusal) => Err(refusal.into()),
    };
    host.shutdown();
    outcome
}

async fn decisions(
    host: &selaras::plugin::Host,
    name: &str,
    scale: Scale,
    table: &mut Table,
) -> anyhow::Result<()> {
    let cases: Vec<_> = (0..BATCH).map(case).collect();
    let rounds = (scale.calls / BATCH / FEWER).max(1);
    let (mut times, mut memory) = (Vec::new(), 0);
    let began = monotonic_us();
    for _ in 0..rounds {
        let answers = host
            .resolve_many("guest", context(), cases.clone(), Arc::new(NoLookup))
            .await;
        for decided in answers {
            let verdict = &decided.outcome;
            ensure!(verdict.is_ok(), "it failed: {verdict:?}");
            times.push(decided.elapsed_us);
            memory = memory.max(decided.peak_memory_bytes);
        }
    }
    let took = monotonic_us() - began;
    table.told(
        format!("{name}: in batches of {BATCH}, a fresh instance each"),
        format!(
            "p50 {} µs, p99 {} µs; {} /s; {:.1} MB of memory",
            quantile(&mut times, 500),
            quantile(&mut times, 990),
            plain(rate(rounds * BATCH, took)),
            memory as f64 / 1e6
        ),
    );
    Ok(())
}
