//! The engine's refusals as statuses and codes. The one place where the two meet; the engine knows no HTTP.

use super::{ApiError, Detail};
use crate::engine::api::{
    ChangeError, ConfigError, FeedError, HookError, ParkedError, PluginError, Precondition, PushError,
    QueryError, ResolveError, ResyncError, RetryError, SimulateError, Unavailable, UserError,
};

/// When a store that does not answer should be asked again, in seconds.
const STORE_RETRY_SECONDS: u64 = 5;

/// How changes were asked for: it decides what the fields are called.
#[derive(Clone, Copy)]
pub(crate) enum Asked<'a> {
    /// One, by its own path, under this condition.
    Single(&'a Precondition),
    /// Many in one body.
    List,
}

impl From<Unavailable> for ApiError {
    fn from(error: Unavailable) -> Self {
        let cause = error.to_string();
        match error {
            Unavailable::DiskFull(_) => Self::disk_full().cause(cause),
            Unavailable::Store(_) => Self::unavailable(
                "store_unavailable",
                "the outlet's store does not answer: nothing was done, send this again later",
            )
            .retry_after(STORE_RETRY_SECONDS)
            .cause(cause),
        }
    }
}

impl ApiError {
    /// A change that was not taken.
    pub(crate) fn from_change(error: ChangeError, asked: Asked) -> Self {
        let text = error.to_string();
        // A single change is its whole request, so there the field is named on its own.
        let place = |index: usize, single: &str, in_list: &str| match asked {
            Asked::List => format!("changes[{index}]{in_list}"),
            Asked::Single(_) => single.to_owned(),
        };
        match error {
            ChangeError::NotFound { index, .. } => {
                Self::not_found("entity_not_found", format!("{text}: create it with PUT first"))
                    .detail(place(index, "entity_id", ".entity_id"), text)
            }
            ChangeError::PreconditionFailed { key, current, index } => {
                let condition = match asked {
                    Asked::Single(Precondition::Absent) => "If-None-Match",
                    Asked::Single(_) | Asked::List => "If-Match",
                };
                let message = match (current, condition) {
                    (0, _) => {
                        format!("{key} does not exist: read it again, or send If-None-Match: * to create it")
                    }
                    (_, "If-None-Match") => {
                        format!(
                            "{key} exists already: read it, and send If-Match: \"{current}\" to change it"
                        )
                    }
                    _ => format!(
                        "{key} has version {current} now: read it again and send If-Match: \"{current}\""
                    ),
                };
                Self::version_mismatch(message, current).detail(place(index, condition, ""), text)
            }
            ChangeError::KeyReused { what, index } => {
                let field = if what == "change_id" {
                    place(index, "change_id", ".change_id")
                } else {
                    what.to_owned()
                };
                let advice = format!("a new change needs a new {what}, a repeat must be sent unchanged");
                Self::unprocessable("idempotency_key_reused", format!("{text}: {advice}")).detail(field, text)
            }
            ChangeError::Reserved { index, .. } => {
                Self::invalid(place(index, "entity_type", ".entity_type"), text)
            }
            ChangeError::TooLarge { index, .. } => Self::too_large(format!(
                "{text}: shorten it, or raise max_document_bytes of its type"
            ))
            .detail(place(index, "body", ".data"), text),
            ChangeError::Busy(_) => Self::unavailable("busy", text).retry_after(1),
            ChangeError::Unavailable(error) => error.into(),
        }
    }

    /// 400 for a cursor that no list gave out.
    pub(crate) fn bad_cursor() -> Self {
        let problem = "is not one that this list gave out: leave it away to begin at the start";
        Self::bad_request("invalid_cursor", format!("cursor {problem}")).detail("cursor", problem)
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::BadCursor => Self::bad_cursor(),
            QueryError::NotFound(what) => {
                Self::not_found("not_found", format!("there is no such {what} here"))
            }
            QueryError::Unavailable(error) => error.into(),
        }
    }
}

impl From<FeedError> for ApiError {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::Truncated { epoch, oldest, head } => Self::gone(
                "feed_truncated",
                format!(
                    "this place in the feed is gone: note head ({head}), list the entities again, then go on with since={head}"
                ),
            )
            .data(serde_json::json!({ "epoch": epoch, "oldest": oldest, "head": head }))
            .detail(
                "since",
                format!("must be from {} to {head}", oldest.saturating_sub(1)),
            ),
            FeedError::Unavailable(error) => error.into(),
        }
    }
}

impl From<HookError> for ApiError {
    fn from(error: HookError) -> Self {
        match error {
            HookError::Invalid { field, problem } => Self::invalid(field, problem),
            HookError::Config(ConfigError::Invalid(fields)) => Self::invalid_fields(
                fields
                    .into_iter()
                    .map(|(field, problem)| Detail {
                        field: format!("config.{field}"),
                        problem,
                    })
                    .collect(),
            ),
            HookError::Config(error) => error.into(),
            HookError::Unavailable(error) => error.into(),
        }
    }
}

impl From<RetryError> for ApiError {
    fn from(error: RetryError) -> Self {
        let text = error.to_string();
        match error {
            RetryError::NotFound(_) => Self::not_found("queue_item_not_found", text),
            RetryError::WrongState { .. } => Self::conflict("wrong_state", text),
            RetryError::Unavailable(error) => error.into(),
        }
    }
}

impl From<ParkedError> for ApiError {
    fn from(error: ParkedError) -> Self {
        let text = error.to_string();
        match error {
            ParkedError::NotFound(_) => {
                Self::not_found("parked_not_found", format!("{text}: it may be handled already"))
            }
            ParkedError::Still { id, code, message } if code == "unreadable" => {
                Self::unprocessable("unreadable", format!("{text}; it stays parked"))
                    .detail("document", message.as_str())
                    .data(serde_json::json!({ "id": id, "error_code": code, "error": message }))
            }
            ParkedError::Still { id, code, message } => {
                Self::unprocessable("mapper_failed", format!("{text}; it stays parked"))
                    .detail("mapper", text)
                    .data(serde_json::json!({ "id": id, "error_code": code, "error": message }))
            }
            ParkedError::Busy(_) => Self::conflict("wrong_state", text),
            ParkedError::Unavailable(error) => error.into(),
        }
    }
}

impl From<PluginError> for ApiError {
    fn from(error: PluginError) -> Self {
        let text = error.to_string();
        match error {
            PluginError::NotFound(_) => {
                Self::not_found("plugin_not_found", format!("{text}: see GET /api/v1/plugins"))
            }
            PluginError::NoVersion { name, .. } => Self::not_found(
                "version_not_found",
                format!("{text}: see its versions in GET /api/v1/plugins/{name}"),
            ),
            PluginError::Embedded(_) => Self::conflict("plugin_embedded", text),
            PluginError::Refused(refusal) => {
                let code = refusal.code.as_str();
                let error = match code {
                    "name-taken" => {
                        Self::conflict("name_taken", format!("{text}: give it another with ?name="))
                    }
                    "other-kind" => Self::conflict("other_kind", text),
                    _ => Self::unprocessable("plugin_refused", text.as_str()).detail("component", text),
                };
                error.data(serde_json::json!({ "code": code }))
            }
            PluginError::Bound { types, .. } => {
                let message = format!("{text}: bind these types to another plugin first");
                Self::conflict("plugin_bound", message).data(serde_json::json!({ "types": types }))
            }
            PluginError::InUse { .. } => Self::conflict("version_in_use", text),
            PluginError::NoPrevious(name) => Self::conflict(
                "no_previous",
                format!("{text}: activate one of those in GET /api/v1/plugins/{name}"),
            ),
            PluginError::NotActive(_) => {
                Self::conflict("plugin_not_active", format!("{text}: activate one first"))
            }
            PluginError::TooMany(_) => {
                Self::conflict("too_many_plugins", format!("{text}: remove one first"))
            }
            PluginError::Settings(problems) => {
                let message =
                    format!("{text}: change them first, or send \"force\": true and change them then");
                let error = Self::unprocessable("settings_refused", message);
                problems
                    .into_iter()
                    .fold(error, |error, (field, problem)| error.detail(field, problem))
            }
            PluginError::Unavailable(error) => error.into(),
        }
    }
}

impl From<PushError> for ApiError {
    fn from(error: PushError) -> Self {
        let text = error.to_string();
        let waiting = |error: Self, seconds: Option<u64>| match seconds {
            Some(seconds) => error.retry_after(seconds),
            None => error,
        };
        match error {
            PushError::NotFound(_) => Self::not_found("entity_not_found", text),
            PushError::Conflict { conflict, .. } => {
                Self::conflict("conflict_open", text).data(serde_json::json!({ "conflict_id": conflict }))
            }
            PushError::Off(_) => Self::conflict("sync_off", text),
            PushError::Paused {
                retry_after_seconds, ..
            } => waiting(Self::unavailable("link_paused", text), retry_after_seconds),
            PushError::Link {
                retry_after_seconds,
                report,
                ..
            } => {
                let report = super::super::routes::push_report(&report);
                waiting(
                    Self::unavailable("cloud_unavailable", text).data(report),
                    retry_after_seconds,
                )
            }
            PushError::Stopping => Self::unavailable("shutting_down", text),
            PushError::Unavailable(error) => error.into(),
        }
    }
}

impl From<ResyncError> for ApiError {
    fn from(error: ResyncError) -> Self {
        let text = error.to_string();
        match error {
            ResyncError::PullDisabled => Self::conflict("pull_disabled", text),
            ResyncError::Unavailable(error) => error.into(),
        }
    }
}

impl From<ResolveError> for ApiError {
    fn from(error: ResolveError) -> Self {
        let text = error.to_string();
        match error {
            ResolveError::NotFound(_) => Self::not_found("conflict_not_found", text),
            ResolveError::AlreadyResolved(_) => Self::conflict("already_resolved", text),
            ResolveError::OldRev { current } => {
                Self::conflict("old_rev", text).detail("rev", format!("is not {current}, the current one"))
            }
            ResolveError::Invalid { field, problem } => Self::invalid(field, problem),
            ResolveError::Plugin { code, message } => Self::unprocessable(
                "strategy_failed",
                format!("the strategy did not decide ({code}: {message}); the conflict stays open"),
            )
            .detail("strategy", format!("{code}: {message}")),
            ResolveError::Unavailable(error) => error.into(),
        }
    }
}

impl From<UserError> for ApiError {
    fn from(error: UserError) -> Self {
        let text = error.to_string();
        match error {
            UserError::Taken(_) => Self::conflict("user_exists", text).detail("username", "is taken"),
            UserError::TooMany(_) => Self::conflict("too_many_users", text),
            UserError::NotFound(_) => Self::not_found("user_not_found", text),
            UserError::LastAdmin => Self::conflict("last_admin", text),
            UserError::Password(problem) => Self::invalid("password", problem),
            UserError::WrongPassword => Self::unauthorized("invalid_credentials", text),
            UserError::Unavailable(error) => error.into(),
        }
    }
}

impl From<SimulateError> for ApiError {
    fn from(error: SimulateError) -> Self {
        let text = error.to_string();
        match error {
            SimulateError::UnknownStrategy(_) | SimulateError::Mapper(_) => Self::invalid("strategy", text),
            SimulateError::Settings { field, problem } => Self::invalid(&field, problem),
            SimulateError::BadCursor => Self::bad_cursor(),
            SimulateError::Unavailable(error) => error.into(),
        }
    }
}

impl From<ConfigError> for ApiError {
    fn from(error: ConfigError) -> Self {
        let text = error.to_string();
        match error {
            ConfigError::Exists => Self::conflict("outlet_exists", text),
            ConfigError::Missing => Self::not_found("not_configured", text),
            ConfigError::Rebind { .. } => {
                Self::conflict("rebind_required", text).detail("rebind", "must be true to change outlet_id")
            }
            ConfigError::Invalid(fields) => Self::invalid_fields(
                fields
                    .into_iter()
                    .map(|(field, problem)| Detail { field, problem })
                    .collect(),
            ),
            ConfigError::Unavailable(error) => error.into(),
        }
    }
}
