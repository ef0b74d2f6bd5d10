//! What stands behind inert WASI in one instance: a time, a random stream, a count of handles, a half printed line.

use sha2::{Digest, Sha256};

use super::super::guest::Ended;
use super::super::values::{CallContext, Case, Document};

/// Handles that an instance may hold at a time. Toolchains hold a handful.
const MAX_HANDLES: u32 = 1_000;

/// Random bytes of one request: time limits do not reach into the host.
const MAX_RANDOM_BYTES: u64 = 64 << 10;

/// Where a call's randomness begins: the same for the same question, else another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Seed(u64);

impl Seed {
    /// Of a conflict.
    pub(in super::super) fn of_case(cx: &CallContext, case: &Case) -> Self {
        let sides = [case.base.as_ref(), Some(&case.local), Some(&case.cloud)];
        Self::of(cx, &sides)
    }

    /// Of a document to be translated.
    pub(in super::super) fn of_document(cx: &CallContext, document: &Document) -> Self {
        Self::of(cx, &[Some(document)])
    }

    fn of(cx: &CallContext, documents: &[Option<&Document>]) -> Self {
        let mut hasher = Sha256::new();
        let mut take = |text: &str| {
            hasher.update((text.len() as u64).to_le_bytes());
            hasher.update(text);
        };
        take(&cx.now_ms.to_string());
        take(&cx.settings);
        for document in documents {
            let Some(document) = document else {
                take("");
                continue;
            };
            take(&document.entity_type);
            take(&document.id);
            take(&document.body);
        }
        let digest: [u8; 32] = hasher.finalize().into();
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        Self(u64::from_le_bytes(first))
    }
}

/// See the head of this file. Until it is told a question, the instance is being started, in the same way each time.
#[derive(Debug, Default)]
pub(in super::super) struct Inert {
    now_ms: u64,
    stream: u64,
    handles: u32,
}

impl Inert {
    /// The instance starts at this time.
    pub(in super::super) fn start(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
    }

    /// The next question.
    pub(in super::super) fn ask(&mut self, seed: Seed) {
        self.stream = seed.0;
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// The next number of the stream: SplitMix64 (Steele, Lea, Flood 2014).
    pub(super) fn random(&mut self) -> u64 {
        self.stream = self.stream.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.stream;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn random_bytes(&mut self, length: u64) -> Result<Vec<u8>, Ended> {
        if length > MAX_RANDOM_BYTES {
            let message =
                format!("it asked for {length} random bytes, at most {MAX_RANDOM_BYTES} are given at once");
            return Err(Ended(message));
        }
        let length = usize::try_from(length).expect("invariant: it is within a small limit");
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend_from_slice(&self.random().to_le_bytes());
        }
        bytes.truncate(length);
        Ok(bytes)
    }

    pub(super) fn hand_out(&mut self) -> Result<(), Ended> {
        if self.handles >= MAX_HANDLES {
            return Err(Ended(format!("it holds {MAX_HANDLES} handles and wants more")));
        }
        self.handles += 1;
        Ok(())
    }

    pub(super) fn give_back(&mut self) {
        self.handles = self.handles.saturating_sub(1);
    }
}
