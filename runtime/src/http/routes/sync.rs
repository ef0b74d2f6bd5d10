//! Where the sync stands, starting a run, and the log of runs.

pub(crate) mod about;

use super::resync::ResyncBody;
use crate::engine::api::{
    LogEntry, LogFilter, RateView, RunReport, RunStatus, Status, StoreHealth, StoreView, WentBack,
};
use crate::http::extract::{ListKind, Params, encode_cursor};
use crate::http::reply::{self, Raw};
use crate::http::{ApiError, Shared};
use axum::extract::State;
use axum::response::Response;
use http::Uri;
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Serialize, JsonSchema)]
struct StatusBody<'a> {
    outlet_id: &'a str,
    outlet_code: &'a str,
    sync_enabled: bool,
    last_sync_at: Option<String>,
    pending_count: u64,
    failed_count: u64,
    conflict_count: u64,
    parked_count: u64,
    total_synced: u64,
    last_error: Option<&'a str>,
    online: Option<bool>,
    running: bool,
    next_run_at: Option<String>,
    oldest_pending_at: Option<String>,
    checkpoint: Option<&'a str>,
    resync: Option<ResyncBody<'a>>,
    clock_offset_ms: Option<i64>,
    plugin_problems: Vec<PluginProblem<'a>>,
    rate: RateBody,
    store: StoreBody<'a>,
}

#[derive(Serialize, JsonSchema)]
struct RateBody {
    requests_per_minute: Option<u32>,
    source: Option<&'static str>,
    last_minute: usize,
    batch_size: usize,
    limited_until: Option<String>,
}

impl From<&RateView> for RateBody {
    fn from(rate: &RateView) -> Self {
        let source = if rate.learned { "learned" } else { "set" };
        Self {
            requests_per_minute: rate.requests_per_minute,
            source: rate.requests_per_minute.map(|_| source),
            last_minute: rate.last_minute,
            batch_size: rate.batch_size,
            limited_until: rate.limited_until.map(|at| at.to_rfc3339()),
        }
    }
}

#[derive(Serialize, JsonSchema)]
struct StoreBody<'a> {
    rewound: Option<RewoundBody<'a>>,
    state: &'static str,
    error: Option<&'a str>,
    accepts_changes: bool,
    bytes_on_disk: u64,
    live_bytes: u64,
    free_bytes: u64,
    min_free_bytes: u64,
    recovered: Vec<StepBody<'a>>,
    last_backup: Option<BackupBody>,
    backup_error: Option<&'a str>,
}

#[derive(Serialize, JsonSchema)]
struct RewoundBody<'a> {
    at: String,
    cause: &'static str,
    detail: &'a str,
    lost_commits: Option<u64>,
    pulled: bool,
}

#[derive(Serialize, JsonSchema)]
struct StepBody<'a> {
    at: String,
    what: &'a str,
}

#[derive(Serialize, JsonSchema)]
struct BackupBody {
    at: String,
    file: String,
    bytes: u64,
}

impl<'a> StoreBody<'a> {
    fn of(store: &'a StoreView, health: &'a StoreHealth, rewound: Option<&'a WentBack>) -> Self {
        Self {
            rewound: rewound.map(|rewound| RewoundBody {
                at: rewound.at.to_rfc3339(),
                cause: rewound.cause,
                detail: &rewound.detail,
                lost_commits: rewound.lost_commits,
                pulled: rewound.pulled,
            }),
            state: health.state,
            error: health.error.as_deref(),
            accepts_changes: health.accepts_changes,
            bytes_on_disk: health.bytes_on_disk,
            live_bytes: health.live_bytes,
            free_bytes: health.free_bytes,
            min_free_bytes: health.min_free_bytes,
            recovered: health
                .recovered
                .iter()
                .map(|(at, what)| StepBody {
                    at: at.to_rfc3339(),
                    what,
                })
                .collect(),
            last_backup: store.last_backup.as_ref().map(|backup| BackupBody {
                at: backup.at.to_rfc3339(),
                file: backup.file.display().to_string(),
                bytes: backup.bytes,
            }),
            backup_error: store.backup_error.as_deref(),
        }
    }
}

#[derive(Serialize, JsonSchema)]
struct PluginProblem<'a> {
    plugin: &'a str,
    problem: &'a str,
}

impl<'a> From<&'a Status> for StatusBody<'a> {
    fn from(status: &'a Status) -> Self {
        Self {
            outlet_id: &status.outlet_id,
            outlet_code: &status.outlet_code,
            sync_enabled: status.sync_enabled,
            last_sync_at: status.last_sync_at.map(|at| at.to_rfc3339()),
            pending_count: status.pending_count,
            failed_count: status.failed_count,
            conflict_count: status.conflict_count,
            parked_count: status.parked_count,
            total_synced: status.total_synced,
            last_error: status.last_error.as_deref(),
            online: status.online,
            running: status.running,
            next_run_at: status.next_run_at.map(|at| at.to_rfc3339()),
            oldest_pending_at: status.oldest_pending_at.map(|at| at.to_rfc3339()),
            checkpoint: status.checkpoint.as_deref(),
            resync: status.resync.as_ref().map(ResyncBody::from),
            clock_offset_ms: status.clock_offset_ms,
            plugin_problems: status
                .plugin_problems
                .iter()
                .map(|(plugin, problem)| PluginProblem { plugin, problem })
                .collect(),
            rate: RateBody::from(&status.rate),
            store: StoreBody::of(&status.store, &status.store_health, status.rewound.as_ref()),
        }
    }
}

/// `GET …/status`.
pub(crate) async fn status(State(http): State<Shared>) -> Result<Response, ApiError> {
    let status = http.engine.status()?;
    Ok(reply::ok("sync status", StatusBody::from(&status)))
}

#[derive(Serialize, JsonSchema)]
struct RunBody<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    run_id: &'a str,
    status: &'static str,
    pushed: u64,
    push_failed: u64,
    pulled: u64,
    conflicts_resolved: u64,
    conflicts_deferred: u64,
    started_at: String,
    duration_ms: u64,
    error: Option<&'a str>,
}

impl<'a> From<&'a RunReport> for RunBody<'a> {
    fn from(report: &'a RunReport) -> Self {
        Self {
            run_id: &report.run_id,
            status: report.status.as_str(),
            pushed: report.pushed,
            push_failed: report.push_failed,
            pulled: report.pulled,
            conflicts_resolved: report.conflicts_resolved,
            conflicts_deferred: report.conflicts_deferred,
            started_at: report.started_at.to_rfc3339(),
            duration_ms: report.duration_ms,
            error: report.error.as_deref(),
        }
    }
}

#[derive(Serialize, JsonSchema)]
struct Triggered {
    status: &'static str,
}

/// `POST …/trigger`: 200 at once, or with `?wait=true` when the run ended. A failed run is a 200 too: the call
/// did what it was asked to.
pub(crate) async fn trigger(State(http): State<Shared>, uri: Uri) -> Result<Response, ApiError> {
    if !Params::of(&uri)?.flag("wait")? {
        http.engine.trigger();
        return Ok(reply::ok(
            "a run is on its way",
            Triggered { status: "triggered" },
        ));
    }
    let report = tokio::select! {
        report = http.engine.run_now() => report,
        () = http.stop.cancelled() => {
            let message = "the outlet is stopping: the run goes on after the next start";
            return Err(ApiError::unavailable("stopping", message).retry_after(5));
        }
    };
    let message = match report.status {
        RunStatus::Success => "the run succeeded",
        RunStatus::Partial => "the run ended, but not everything went through",
        RunStatus::Failed => "the run failed: see error",
    };
    Ok(reply::ok(message, RunBody::from(&report)))
}

#[derive(Serialize, JsonSchema)]
struct LogBody<'a> {
    id: u64,
    sync_type: &'static str,
    entity_type: Option<&'a str>,
    entity_count: u64,
    status: &'static str,
    error_message: Option<&'a str>,
    started_at: String,
    completed_at: String,
    duration_ms: u64,
    details: Raw<'a>,
}

impl<'a> From<&'a LogEntry> for LogBody<'a> {
    fn from(entry: &'a LogEntry) -> Self {
        Self {
            id: entry.id,
            sync_type: entry.sync_type,
            entity_type: entry.entity_type.as_deref(),
            entity_count: entry.entity_count,
            status: entry.status.as_str(),
            error_message: entry.error_message.as_deref(),
            started_at: entry.started_at.to_rfc3339(),
            completed_at: entry.completed_at.to_rfc3339(),
            duration_ms: entry.duration_ms,
            details: Raw::from(&entry.details),
        }
    }
}

/// `GET …/logs`: newest first.
pub(crate) async fn logs(State(http): State<Shared>, uri: Uri) -> Result<Response, ApiError> {
    let params = Params::of(&uri)?;
    let filter = LogFilter {
        sync_type: params.one_of("sync_type", &[("push", "push"), ("pull", "pull")])?,
        status: params.one_of(
            "status",
            &[RunStatus::Success, RunStatus::Partial, RunStatus::Failed].map(|s| (s.as_str(), s)),
        )?,
    };
    let page = http.engine.logs(&filter, params.page(ListKind::Logs)?)?;
    let bodies: Vec<LogBody<'_>> = page.items.iter().map(LogBody::from).collect();
    let next = page.next.map(|position| encode_cursor(ListKind::Logs, &position));
    Ok(reply::list("sync log", &bodies, next))
}
