//! A day's summary on its way: taken in like an app's change of an entity of the runtime's own type, so that it is durable,
//! retried and shown like any other, and sent by the cloud's `analytics/daily`.

use crate::cloud::LinkError;
use crate::engine::Engine;
use crate::engine::api::{
    Accepted, Actor, Binding, Change, ChangeError, Idempotency, Intent, PluginLimits, Precondition, Route,
};
use crate::engine::tx::empty_object;
use selaras_core::daily::{Day, TYPE};
use selaras_core::id::EntityKey;

/// How days are synced, whatever the default binding says: no plugin sees them, and what is sold goes first.
pub(super) fn binding() -> Binding {
    Binding {
        strategy: "newest_wins".to_owned(),
        mapper: None,
        settings: empty_object(),
        cloud_type: TYPE.to_owned(),
        collection: TYPE.to_owned(),
        route: Route::Daily,
        coalesce: true,
        priority: 9,
        max_document_bytes: 256 * 1024,
        limits: PluginLimits::default(),
    }
}

/// Why a day's call failed, where that is no fault of the line: most likely the cloud has no such call.
pub(super) fn explain(error: &LinkError) -> String {
    match error {
        LinkError::NotFound(_)
        | LinkError::Refused { status: 405, .. }
        | LinkError::Server { status: 501, .. } => {
            format!("the cloud takes no daily summaries (analytics/daily), although it answers: {error}")
        }
        _ => error.to_string(),
    }
}

impl Engine {
    /// Takes a day's summary in, in the place of an earlier one. Durable when it answers. The same once more, while the
    /// first is on its way or has arrived, changes nothing.
    ///
    /// # Errors
    /// See [`ChangeError`]; nothing was done then.
    pub async fn daily_summary(
        &self,
        day: Day,
        idempotency: Option<Idempotency>,
        actor: &Actor,
    ) -> Result<Accepted, ChangeError> {
        let change = Change {
            key: EntityKey::parse(TYPE, &day.date).expect("invariant: a date is an id"),
            intent: Intent::Day(day.doc),
            precondition: Precondition::None,
            updated_at: None,
            change_id: None,
        };
        self.change(change, idempotency, actor).await
    }
}
