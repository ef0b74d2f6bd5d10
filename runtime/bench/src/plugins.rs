//! What a decision and a translation cost: the embedded plugins through the host, beside the same rule compiled
//! natively, and beside guests in other languages. What loading costs is in `plugins/loading.rs`.

mod guests;
mod loading;
mod page;

use crate::binaries;
use crate::table::{Aim, Table, plain, quantile, rate};
use crate::{Room, Scale, document};
use anyhow::{Context, ensure};
use selaras::clock::monotonic_us;
use selaras::plugin::bundle::BUNDLE;
use selaras::plugin::{
    CallContext, CallLimits, Candidate, Case, Compiling, Direction, Document, Grants, Host, HostConfig,
    Limits, NoLookup, Source,
};
use selaras::secret::Secret;
use std::borrow::Cow;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

/// Half of the decisions take no longer, with the way a single one takes.
const AIM_US: f64 = 40.0;
/// The same in a batch.
const BATCHED_AIM_US: f64 = 12.0;
/// Conflicts in one call of the host.
const BATCH: usize = 200;
/// Documents in one call of a mapper: more than a pull or push ever has at once.
const DOCUMENTS: usize = 10_000;
const STRATEGY: &str = "newest_wins";
const MAPPER: &str = "catalog_mapper";

/// Measures them.
///
/// # Errors
/// When a plugin does not load or answer.
pub async fn measure(room: &Room, scale: Scale, table: &mut Table) -> anyhow::Result<()> {
    table.section("plugins: newest_wins over 1 KB documents, catalog_mapper over products");
    let host = host(room)?;
    let outcome = match calls(&host, scale, table).await {
        Ok(()) => page::measure(&host, room, table).await,
        failed => failed,
    };
    host.shutdown();
    outcome?;
    loading::measure(room, scale, table)?;
    guests::measure(room, scale, table).await
}

async fn calls(host: &Host, scale: Scale, table: &mut Table) -> anyhow::Result<()> {
    let cases: Vec<Case> = (0..BATCH).map(case).collect();
    let (mut inside, mut outside) = (Vec::new(), Vec::new());
    let began = monotonic_us();
    for number in 0..scale.calls {
        let asked = monotonic_us();
        let case = cases[number % BATCH].clone();
        let decided = host.resolve(STRATEGY, context(), case, Arc::new(NoLookup)).await;
        outside.push(monotonic_us() - asked);
        inside.push(decided.elapsed_us);
        ensure!(
            decided.outcome.is_ok(),
            "the strategy failed: {:?}",
            decided.outcome
        );
    }
    let took = monotonic_us() - began;
    let p50 = quantile(&mut inside, 500);
    table.aimed(
        "one by one, a fresh instance each",
        format!("p50 {p50} µs, p99 {} µs", quantile(&mut inside, 990)),
        p50 as f64,
        Aim::AtMost(AIM_US),
        "µs",
    );
    table.told(
        "  with the way to its thread and back",
        format!(
            "p50 {} µs, p99 {} µs; {} /s",
            quantile(&mut outside, 500),
            quantile(&mut outside, 990),
            plain(rate(scale.calls, took))
        ),
    );
    let began = monotonic_us();
    let mut batched = Vec::new();
    for _ in 0..scale.calls / BATCH {
        let decided = host
            .resolve_many(STRATEGY, context(), cases.clone(), Arc::new(NoLookup))
            .await;
        ensure!(
            decided.iter().all(|decided| decided.outcome.is_ok()),
            "a batch failed"
        );
        batched.extend(decided.iter().map(|decided| decided.elapsed_us));
    }
    let took = monotonic_us() - began;
    let p50 = quantile(&mut batched, 500);
    table.aimed(
        format!("in batches of {BATCH}, a fresh instance each"),
        format!(
            "p50 {p50} µs, p99 {} µs; {} /s",
            quantile(&mut batched, 990),
            plain(rate(batched.len(), took))
        ),
        p50 as f64,
        Aim::AtMost(BATCHED_AIM_US),
        "µs",
    );
    native(scale, table)?;
    mapper(host, table).await
}

/// The very rule that is in the component, without WebAssembly around it: a program beside its crate.
fn native(scale: Scale, table: &mut Table) -> anyhow::Result<()> {
    let program = binaries::here()?.join("examples").join("native_speed");
    let mut child = Command::new(&program)
        .arg(scale.calls.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("{} is not there: make bench builds it", program.display()))?;
    let mut input = child.stdin.take().context("no input")?;
    input.write_all(document(1).as_bytes())?;
    drop(input);
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "the native rule failed");
    let nanoseconds = String::from_utf8(output.stdout)?;
    table.told(
        "the same rule in native Rust",
        format!("{} ns", nanoseconds.trim()),
    );
    Ok(())
}

async fn mapper(host: &Host, table: &mut Table) -> anyhow::Result<()> {
    let products: Vec<Document> = (0..DOCUMENTS).map(product).collect();
    let began = monotonic_us();
    let mapped = host
        .map(
            MAPPER,
            Direction::ToCloud,
            context(),
            products,
            Arc::new(NoLookup),
        )
        .await;
    let took = monotonic_us() - began;
    ensure!(mapped.iter().all(Result::is_ok), "the mapper fails at a document");
    table.told(
        format!("mapper, {DOCUMENTS} documents through one instance"),
        format!("{:.1} µs a document", took as f64 / DOCUMENTS as f64),
    );
    Ok(())
}

fn host(room: &Room) -> anyhow::Result<Host> {
    let host = start(room.fresh("plugin-cache")?)?;
    let candidates: Vec<Candidate> = BUNDLE
        .iter()
        .map(|(name, bytes)| Candidate {
            bytes: Cow::Borrowed(*bytes),
            name: Some((*name).to_owned()),
            source: Source::Embedded,
            grants: Grants::default(),
        })
        .collect();
    for loaded in host.load_all(&candidates) {
        loaded.context("an embedded plugin is refused")?;
    }
    Ok(host)
}

/// A host as an outlet has it, over this cache.
fn start(cache: PathBuf) -> anyhow::Result<Host> {
    Host::start(HostConfig {
        cache_dir: Some(cache),
        cache_key: Secret::of([7; 32]),
        threads: 2,
        limits: Limits::default(),
        compiling: Compiling::Child(binaries::outlet()?),
        monotonic_us,
    })
    .context("no plugin host")
}

fn context() -> CallContext {
    CallContext {
        outlet_id: "outlet-1".to_owned(),
        outlet_code: "JKT-001".to_owned(),
        now_ms: 1_769_509_800_000,
        settings: Arc::from("{}"),
        limits: CallLimits::default(),
    }
}

fn side(number: usize, modified_ms: u64) -> Document {
    Document {
        entity_type: "order".to_owned(),
        id: format!("o-{number}"),
        cloud_id: Some(format!("c-{number}")),
        version: 3,
        deleted: false,
        modified_ms: Some(modified_ms),
        modified_by: Some("till-1".to_owned()),
        body: Arc::from(document(number)),
    }
}

fn case(number: usize) -> Case {
    Case {
        base: Some(side(number, 1_000)),
        local: side(number, 2_000),
        cloud: side(number, 3_000),
    }
}

fn product(number: usize) -> Document {
    Document {
        entity_type: "product".to_owned(),
        body: Arc::from(format!(
            "{{\"id\":\"prod-{number}\",\"name\":\"Singaporean Hokkien Fried Mee\",\"price\":1400,\
             \"category_id\":\"cat-5\",\"stock\":26,\"is_active\":true}}"
        )),
        ..side(number, 2_000)
    }
}
