//! What a plugin may have beyond what every plugin gets. Nobody has any of it without being granted it by name.

use serde::{Deserialize, Serialize};

/// What a person granted to one component when it was installed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Grants {
    /// A file of up to 64 MiB instead of 8: an interpreter inside a component takes that much.
    pub large: bool,
    /// WASI 0.2 to link against. It does nothing: no files, no network, no environment, a clock that stands still.
    pub wasi: bool,
}

impl Grants {
    /// The words of what is granted, in order.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        [("large", self.large), ("wasi", self.wasi)]
            .into_iter()
            .filter_map(|(word, granted)| granted.then_some(word))
    }
}
