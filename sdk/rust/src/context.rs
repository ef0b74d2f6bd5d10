//! What a call is told of its surroundings. Knows nothing of time or settings beyond what the host handed in.

use crate::{Attrs, Error, Settings};

/// The surroundings of one call.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The cloud's id of this outlet.
    pub outlet_id: String,
    /// The outlet's short code, such as `JKT-001`.
    pub outlet_code: String,
    /// The only clock a plugin has: milliseconds since the Unix epoch, the same for the whole call.
    pub now_ms: u64,
    /// The binding's settings as JSON text; [`Context::settings`] reads them.
    pub settings_json: String,
    /// Room to grow.
    pub attrs: Attrs,
}

impl Context {
    /// The binding's settings, parsed. Call it only where settings are used: it costs a parse.
    ///
    /// # Errors
    /// `invalid-settings` when the text is not a JSON object.
    pub fn settings(&self) -> Result<Settings<'_>, Error> {
        Settings::parse(&self.settings_json)
    }
}
