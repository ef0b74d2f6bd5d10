//! The host against components that do their worst, one file a part: the gate, calls, batches, cached code.

mod batches;
mod cached;
mod calls;
mod gate;
mod hostile;
mod life;
mod released;
mod unpooled;
mod wasi;

use crate::secret::Secret;
use std::sync::Arc;
use std::time::Instant;

use super::fixtures::Fixture;
use super::*;

/// Microseconds since the first question.
#[allow(
    clippy::disallowed_methods,
    reason = "tests stand outside the one place that reads the clock"
)]
fn monotonic_us() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let start = *START.get_or_init(Instant::now);
    u64::try_from(start.elapsed().as_micros()).unwrap()
}

fn config() -> HostConfig {
    HostConfig {
        cache_dir: None,
        cache_key: Secret::of([7; 32]),
        threads: 1,
        limits: Limits::default(),
        compiling: Compiling::Here,
        monotonic_us,
    }
}

fn host() -> Host {
    Host::start(config()).unwrap()
}

/// A host with these fixtures, embedded.
fn host_with(fixtures: &[Fixture]) -> Host {
    let host = host();
    for fixture in fixtures {
        host.load(&fixture.build(), None, Source::Embedded).unwrap();
    }
    host
}

fn cx() -> CallContext {
    CallContext {
        outlet_id: "outlet-1".into(),
        outlet_code: "JKT".into(),
        now_ms: 1_700_000_000_000,
        settings: "{}".into(),
        limits: CallLimits::default(),
    }
}

fn document(id: &str, body: &str) -> Document {
    Document {
        entity_type: "product".into(),
        id: id.into(),
        cloud_id: Some(format!("cloud-{id}")),
        version: 3,
        deleted: false,
        modified_ms: Some(1_690_000_000_000),
        modified_by: None,
        body: body.into(),
    }
}

fn case() -> Case {
    Case {
        base: Some(document("p1", r#"{"price":"0.10"}"#)),
        local: document("p1", r#"{"price":"9.80000019"}"#),
        cloud: document("p1", r#"{"price":1e400}"#),
    }
}

fn nothing() -> Arc<dyn Lookup> {
    Arc::new(NoLookup)
}

/// Asks the strategy of this fixture about [`case`].
async fn decide(fixture: &Fixture) -> Decided {
    let host = host_with(std::slice::from_ref(fixture));
    let name = host.list()[0].name.clone();
    host.resolve(&name, cx(), case(), nothing()).await
}
