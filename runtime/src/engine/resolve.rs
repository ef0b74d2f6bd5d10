//! A person decides an open conflict: by a strategy, or with a document of their own.

use crate::engine::Engine;
use crate::engine::api::{Actor, ConflictView, Event, Resolution, ResolveError, ResolveRequest, Unavailable};
use crate::engine::case::{Asked, Contest};
use crate::engine::decide::write_conflict;
use crate::engine::plugins::{StoreLookup, context, map_to_local};
use crate::engine::tx::{Tx, TxError, feed_row};
use crate::engine::view::conflict_view;
use crate::store::rows::Origin;
use selaras_core::conflict::{Conflict, Phase};
use selaras_core::id::{EntityId, EntityKey, EntityType};
use selaras_core::settle::Decision;
use std::sync::Arc;

impl Engine {
    /// Decides an open conflict and starts a run. It stays open when the plugin fails or defers.
    ///
    /// # Errors
    /// See [`ResolveError`].
    pub async fn resolve(
        &self,
        id: &str,
        request: ResolveRequest,
        actor: &Actor,
    ) -> Result<ConflictView, ResolveError> {
        let not_found = || ResolveError::NotFound(id.to_owned());
        let number: u64 = id.parse().map_err(|_| not_found())?;
        let conflict = self
            .inner
            .rows
            .conflict(number)
            .map_err(Unavailable::from)?
            .ok_or_else(not_found)?;
        if conflict.phase == Phase::Resolved {
            return Err(ResolveError::AlreadyResolved(id.to_owned()));
        }
        let contest = self.contest(conflict).await?;
        let current = contest.before.record.rev;
        if request.rev.is_some_and(|rev| rev != current) {
            return Err(ResolveError::OldRev { current });
        }
        let asked = self.answer(&contest, &request, actor).await?;
        let origin = (asked.decision != Decision::KeepLocal).then_some(Origin::Resolution);
        let settings = self.settings();
        let (before, after, mut conflict, resolution) = self.settle_contest(contest, asked);
        let mut tx = Tx::new(&self.inner.rows, &settings);
        write_conflict(&self.inner.rows, &mut tx, &mut conflict, true)?;
        if let Some(origin) = origin {
            let row = feed_row(&after, origin, self.now());
            tx.feed(&row);
        }
        tx.track(before, after);
        let event = Event::new(&actor.id, "conflict.resolve", id)
            .with("entity_type", conflict.entity_type.as_str())
            .with("entity_id", conflict.entity_id.as_str())
            .with("strategy", request.strategy.as_str())
            .with("resolution", resolution.as_str())
            .with("notes", request.notes.as_deref());
        self.record(&mut tx.batch, &event);
        match tx.commit().await {
            Ok(_) => {}
            Err(TxError::Unavailable(error)) => return Err(error.into()),
            Err(TxError::Raced(_) | TxError::Refused) => {
                return Err(ResolveError::OldRev { current: current + 1 });
            }
        }
        tracing::info!(
            conflict = id,
            by = actor.id,
            resolution = resolution.as_str(),
            "a person decided a conflict"
        );
        debug_assert_ne!(
            resolution,
            Resolution::Manual,
            "a deferred answer was refused before"
        );
        self.metrics().conflict("person", resolution.as_str());
        self.inner.feed_moved();
        self.changed();
        Ok(conflict_view(conflict, None))
    }

    async fn contest(&self, conflict: Conflict) -> Result<Contest, ResolveError> {
        let gone = || ResolveError::NotFound(conflict.id.clone());
        let key = EntityKey {
            entity_type: EntityType::parse(&conflict.entity_type).map_err(|_| gone())?,
            id: EntityId::parse(&conflict.entity_id).map_err(|_| gone())?,
        };
        let before = self.inner.rows.entity(&key).map_err(Unavailable::from)?;
        let update = before.record.inbox.clone().ok_or_else(gone)?;
        let settings = self.settings();
        let binding = settings.binding(key.entity_type.as_str());
        let lookup = Arc::new(StoreLookup::new(self.inner.rows.clone(), self.inner.time.clone()));
        let mut seen = map_to_local(
            &self.inner.host,
            &settings,
            &binding,
            vec![(&key, &update)],
            lookup,
            self.now(),
        )
        .await;
        let seen = seen
            .pop()
            .expect("invariant: one update, one answer")
            .map_err(|failure| ResolveError::Plugin {
                code: failure.code.as_str().to_owned(),
                message: failure.message,
            })?;
        let time = &self.inner.time;
        Ok(Contest::new(before, update, seen, Some(conflict), time))
    }

    async fn answer(
        &self,
        contest: &Contest,
        request: &ResolveRequest,
        actor: &Actor,
    ) -> Result<Asked, ResolveError> {
        let settings = self.settings();
        let binding = settings.binding(contest.before.key.entity_type.as_str());
        let now = self.now();
        let invalid = |field, problem: &str| ResolveError::Invalid {
            field,
            problem: problem.to_owned(),
        };
        let mut asked = match (request.strategy.as_str(), &request.data) {
            ("merged", Some(doc)) => Asked::words(
                &binding,
                Decision::Merge(doc.clone()),
                "decided by a person".to_owned(),
                now,
            )
            .named("merged"),
            ("merged", None) => {
                return Err(invalid(
                    "data",
                    "needed with strategy merged: the document both sides get",
                ));
            }
            (_, Some(_)) => return Err(invalid("data", "only used with strategy merged")),
            (_, None) if !contest.is_askable() => {
                return Err(invalid(
                    "strategy",
                    "the mapper skips the cloud's document; send one with merged",
                ));
            }
            (name, None) if self.inner.host.kind_of(name) != Some(crate::plugin::Kind::Strategy) => {
                return Err(invalid(
                    "strategy",
                    "no strategy of this name: see GET /api/v1/plugins, or use merged",
                ));
            }
            (name, None) => {
                let lookup = Arc::new(StoreLookup::new(self.inner.rows.clone(), self.inner.time.clone()));
                let cx = context(&settings, &binding, name, now);
                let case = contest.case();
                let decided = self.inner.host.resolve(name, cx.clone(), case, lookup).await;
                if let Err(failure) = &decided.outcome {
                    let (code, message) = (failure.code.as_str().to_owned(), failure.message.clone());
                    return Err(ResolveError::Plugin { code, message });
                }
                Asked::by_strategy(&cx, decided, now)
            }
        };
        if asked.decision == Decision::Defer {
            let message = format!(
                "{} leaves it to a person; name another strategy or send a document",
                request.strategy
            );
            return Err(ResolveError::Plugin {
                code: "deferred".to_owned(),
                message,
            });
        }
        asked.person = Some(actor.id.clone());
        asked.notes.clone_from(&request.notes);
        Ok(asked)
    }
}
