//! What happened, in order: a digest over every line, counts, and the lines themselves where somebody wants to read
//! them. Two runs of a seed have the same digest.

use std::collections::BTreeMap;
use std::sync::Mutex;

/// A run's trace.
#[derive(Default)]
pub struct Trace {
    inner: Mutex<Inner>,
    /// Whether lines are kept.
    kept: bool,
}

#[derive(Default)]
struct Inner {
    digest: u64,
    lines: Vec<String>,
    counts: BTreeMap<&'static str, u64>,
}

impl Trace {
    /// An empty one, which keeps its lines or only their digest.
    pub fn new(kept: bool) -> Self {
        Self {
            kept,
            ..Self::default()
        }
    }

    /// Notes that something happened, at `ms` of the run.
    pub fn note(&self, ms: i64, line: &str) {
        let mut inner = self.inner.lock().expect("no panic holds it");
        // FNV-1a.
        let mut digest = inner.digest ^ 0xCBF2_9CE4_8422_2325;
        for byte in ms.to_be_bytes().iter().chain(line.as_bytes()) {
            digest = (digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        }
        inner.digest = digest;
        if self.kept {
            let line = format!("{:>10}.{:03}  {line}", ms / 1000, ms % 1000);
            inner.lines.push(line);
        }
    }

    /// Counts one of a kind.
    pub fn count(&self, what: &'static str) {
        self.add(what, 1);
    }

    /// Counts some of a kind.
    pub fn add(&self, what: &'static str, n: u64) {
        let mut inner = self.inner.lock().expect("no panic holds it");
        *inner.counts.entry(what).or_default() += n;
    }

    /// The digest so far.
    pub fn digest(&self) -> u64 {
        self.inner.lock().expect("no panic holds it").digest
    }

    /// The lines, where they are kept.
    pub fn lines(&self) -> Vec<String> {
        self.inner.lock().expect("no panic holds it").lines.clone()
    }

    /// The counts.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.inner.lock().expect("no panic holds it").counts.clone()
    }
}
