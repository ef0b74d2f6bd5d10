//! The series there are: names, help, labels and buckets, in one place. Names follow Prometheus: base units, `_total` for
//! what only grows.

use super::process::Usage;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use std::sync::atomic::{AtomicU64, Ordering};

/// How long a run takes: mostly a second or two, up to its time-out.
const RUN_BUCKETS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 120.0];
/// A request at the outlet: a commit, or a long poll.
const HTTP_BUCKETS: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0, 30.0];
/// A request to the cloud, over a bad line.
const CLOUD_BUCKETS: [f64; 9] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0];
/// A plugin's call: 30 µs of a small guest to its time-out.
const PLUGIN_BUCKETS: [f64; 11] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.01, 0.025, 0.1, 0.5, 1.0,
];
/// A commit: a flash disk to an SD card that is tidying itself.
const COMMIT_BUCKETS: [f64; 10] = [
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0,
];
/// Batches that share a commit.
const BATCH_BUCKETS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// How something ended.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ByOutcome {
    pub outcome: &'static str,
}

/// Which way, and how it ended.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Direction {
    pub direction: &'static str,
    pub outcome: &'static str,
}

/// Who decided, and what.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Conflict {
    pub strategy: String,
    pub verdict: &'static str,
}

/// Which plugin was asked what.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct PluginCall {
    pub plugin: String,
    pub call: &'static str,
}

/// Which plugin failed how.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct PluginFailure {
    pub plugin: String,
    pub code: &'static str,
}

/// What became of a plugin.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct PluginAction {
    pub plugin: String,
    pub action: &'static str,
}

/// A webhook and its end.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Hook {
    pub hook: &'static str,
    pub outcome: &'static str,
}

/// A request and its status.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Request {
    pub method: &'static str,
    pub route: &'static str,
    pub status: u16,
}

/// A route.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Route {
    pub method: &'static str,
    pub route: &'static str,
}

/// A call to the cloud and its end.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Call {
    pub call: &'static str,
    pub outcome: &'static str,
}

/// A call to the cloud.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ByCall {
    pub call: &'static str,
}

type Level64 = Gauge<f64, AtomicU64>;
type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// What is a level of the moment, known to whoever renders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Changes that wait for the cloud.
    QueuePending,
    /// Changes out of retries.
    QueueFailed,
    /// Seconds since the oldest waiting change was taken in; 0: none waits.
    QueueOldestAge,
    /// Conflicts that wait for a person.
    OpenConflicts,
    /// Documents that are parked.
    Parked,
    /// Changes the cloud has taken, ever.
    Synced,
    /// 1: runs are made.
    SyncEnabled,
    /// 1: a run is going.
    SyncRunning,
    /// When the last run succeeded, in seconds since 1970; 0: never.
    LastSuccess,
    /// 1: the last call to the cloud got an answer.
    CloudUp,
    /// Cloud time less this machine's, in seconds.
    ClockOffset,
    /// 1: the store serves.
    StoreUp,
    /// Bytes of the store's files.
    StoreBytes,
    /// Bytes of what is in it.
    StoreLiveBytes,
    /// Free bytes of its disk.
    DiskFree,
    /// Below so many free bytes nothing new is taken.
    DiskMinFree,
    /// Plugins and files that are not in use as they were meant to be.
    PluginProblems,
    /// When the last backup was made, in seconds since 1970; 0: none is known.
    LastBackup,
}

/// All levels: which, the series' name, its labels, its help.
#[rustfmt::skip] // a table
#[allow(clippy::type_complexity, reason = "a table")]
const LEVELS: &[(Level, &str, &[(&str, &str)], &str)] = &[
    (Level::QueuePending,   "selaras_queue_items", &[("state", "pending")], "Changes in the queue to the cloud"),
    (Level::QueueFailed,    "selaras_queue_items", &[("state", "failed")], "Changes in the queue to the cloud"),
    (Level::QueueOldestAge, "selaras_queue_oldest_age_seconds", &[], "Age of the oldest change that waits for the cloud"),
    (Level::OpenConflicts,  "selaras_conflicts_open", &[], "Conflicts that wait for a person"),
    (Level::Parked,         "selaras_parked_documents", &[], "Documents that a plugin could not handle"),
    (Level::SyncEnabled,    "selaras_sync_enabled", &[], "1 when runs are made"),
    (Level::SyncRunning,    "selaras_sync_running", &[], "1 while a run is going"),
    (Level::LastSuccess,    "selaras_sync_last_success_timestamp_seconds", &[], "End of the last successful run; 0 before the first"),
    (Level::CloudUp,        "selaras_cloud_up", &[], "1 when the last call to the cloud was answered; NaN before the first"),
    (Level::ClockOffset,    "selaras_clock_offset_seconds", &[], "The cloud's clock less this machine's; NaN until measured"),
    (Level::StoreUp,        "selaras_store_up", &[], "1 while the store takes commits"),
    (Level::StoreBytes,     "selaras_store_size_bytes", &[], "Bytes of the store's files"),
    (Level::StoreLiveBytes, "selaras_store_live_bytes", &[], "Bytes of what is in the store"),
    (Level::DiskFree,       "selaras_disk_free_bytes", &[], "Free bytes of the data directory's disk"),
    (Level::DiskMinFree,    "selaras_disk_min_free_bytes", &[], "Below so many free bytes new changes are refused"),
    (Level::PluginProblems, "selaras_plugin_problems", &[], "Plugins that are not in use as they were meant to be"),
    (Level::LastBackup,     "selaras_backup_last_success_timestamp_seconds", &[], "When the last backup was made; 0 when none is known"),
];

/// Every series, and the registry that prints them.
pub struct Series {
    pub runs: Family<ByOutcome, Counter>,
    pub run_duration: Histogram,
    pub items: Family<Direction, Counter>,
    pub conflicts: Family<Conflict, Counter>,
    pub plugin_duration: Histograms<PluginCall>,
    pub plugin_errors: Family<PluginFailure, Counter>,
    pub plugin_fallbacks: Family<PluginAction, Counter>,
    pub commit_duration: Histogram,
    pub commit_batches: Histogram,
    pub webhooks: Family<Hook, Counter>,
    pub http_requests: Family<Request, Counter>,
    pub http_duration: Histograms<Route>,
    pub http_in_flight: Gauge,
    pub feed_waiters: Gauge,
    pub cloud_requests: Family<Call, Counter>,
    pub cloud_duration: Histograms<ByCall>,
    levels: Vec<(Level, Level64)>,
    synced: Counter,
    process: ProcessSeries,
    registry: Registry,
}

/// What every program tells of its process, under the names that all have.
#[derive(Default)]
struct ProcessSeries {
    cpu_seconds: Counter<f64, AtomicU64>,
    resident_bytes: Level64,
    virtual_bytes: Level64,
    open_fds: Level64,
    max_fds: Level64,
    threads: Level64,
    start_time_seconds: Level64,
}

impl Series {
    /// All at nothing.
    pub fn new() -> Self {
        let mut series = Self {
            runs: Family::default(),
            run_duration: Histogram::new(RUN_BUCKETS),
            items: Family::default(),
            conflicts: Family::default(),
            plugin_duration: Family::new_with_constructor(|| Histogram::new(PLUGIN_BUCKETS)),
            plugin_errors: Family::default(),
            plugin_fallbacks: Family::default(),
            commit_duration: Histogram::new(COMMIT_BUCKETS),
            commit_batches: Histogram::new(BATCH_BUCKETS),
            webhooks: Family::default(),
            http_requests: Family::default(),
            http_duration: Family::new_with_constructor(|| Histogram::new(HTTP_BUCKETS)),
            http_in_flight: Gauge::default(),
            feed_waiters: Gauge::default(),
            cloud_requests: Family::default(),
            cloud_duration: Family::new_with_constructor(|| Histogram::new(CLOUD_BUCKETS)),
            levels: Vec::new(),
            synced: Counter::default(),
            process: ProcessSeries::default(),
            registry: Registry::default(),
        };
        // What is watched for growing is there before it first happens.
        for outcome in ["success", "partial", "failed"] {
            drop(series.runs.get_or_create(&ByOutcome { outcome }));
        }
        series.register();
        series.register_levels();
        series.register_process();
        series
    }

    /// Sets a level.
    pub fn set(&self, level: Level, value: f64) {
        if level == Level::Synced {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
            self.synced.inner().store(value as u64, Ordering::Relaxed);
            return;
        }
        if let Some((_, gauge)) = self.levels.iter().find(|(of, _)| *of == level) {
            gauge.set(value);
        }
    }

    /// Sets what the system says of the process.
    pub fn set_process(&self, usage: Usage) {
        let process = &self.process;
        let cpu = usage.cpu_seconds.to_bits();
        process.cpu_seconds.inner().store(cpu, Ordering::Relaxed);
        process.resident_bytes.set(usage.resident_bytes);
        process.virtual_bytes.set(usage.virtual_bytes);
        process.open_fds.set(usage.open_fds);
        process.max_fds.set(usage.max_fds);
        process.threads.set(usage.threads);
        process.start_time_seconds.set(usage.start_time_seconds);
    }

    /// All of it, as OpenMetrics text.
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(32 << 10);
        text::encode(&mut text, &self.registry).expect("invariant: a string takes what is written to it");
        text
    }

    #[rustfmt::skip] // a table
    fn register(&mut self) {
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        let r = &mut self.registry;
        r.register("selaras_build", "The program", version);
        r.register("selaras_runs", "Runs by how they ended", self.runs.clone());
        r.register("selaras_run_duration_seconds", "How long runs took", self.run_duration.clone());
        r.register("selaras_items", "Changes pushed and updates pulled, by what became of them", self.items.clone());
        r.register("selaras_synced_changes", "Changes the cloud has taken since the outlet was set up", self.synced.clone());
        r.register("selaras_conflicts", "Conflicts by who decided and what", self.conflicts.clone());
        r.register("selaras_plugin_call_duration_seconds", "How long calls of plugins took", self.plugin_duration.clone());
        r.register("selaras_plugin_errors", "Calls of plugins that failed, by code", self.plugin_errors.clone());
        r.register("selaras_plugin_fallbacks", "Plugins that went back to an earlier version, or out of use, by themselves", self.plugin_fallbacks.clone());
        r.register("selaras_store_commit_duration_seconds", "How long commits took until they were on the disk", self.commit_duration.clone());
        r.register("selaras_store_commit_batches", "Batches of changes that shared a commit", self.commit_batches.clone());
        r.register("selaras_webhooks", "Webhooks of the cloud by what became of them", self.webhooks.clone());
        r.register("selaras_http_requests", "Requests answered", self.http_requests.clone());
        r.register("selaras_http_request_duration_seconds", "How long requests took until their answer's head", self.http_duration.clone());
        r.register("selaras_http_requests_in_flight", "Requests that are being answered", self.http_in_flight.clone());
        r.register("selaras_feed_waiters", "Apps that wait for the feed, by long polls and streams", self.feed_waiters.clone());
        r.register("selaras_cloud_requests", "Requests to the cloud by what they were for and how they ended", self.cloud_requests.clone());
        r.register("selaras_cloud_request_duration_seconds", "How long requests to the cloud took", self.cloud_duration.clone());
    }

    fn register_levels(&mut self) {
        let mut families: Vec<(&str, Family<Vec<(&str, &str)>, Level64>)> = Vec::new();
        for (level, name, labels, help) in LEVELS {
            let known = families.iter().find(|(known, _)| known == name);
            let family = match known {
                Some((_, family)) => family.clone(),
                None => {
                    let family = Family::default();
                    self.registry.register(*name, *help, family.clone());
                    families.push((name, family.clone()));
                    family
                }
            };
            let gauge = family.get_or_create_owned(&labels.to_vec());
            self.levels.push((*level, gauge));
        }
    }

    #[rustfmt::skip] // a table
    fn register_process(&mut self) {
        let (r, p) = (&mut self.registry, &self.process);
        r.register("process_cpu_seconds", "Processor time used", p.cpu_seconds.clone());
        r.register("process_resident_memory_bytes", "Memory in use", p.resident_bytes.clone());
        r.register("process_virtual_memory_bytes", "Address space in use, most of it reserved for plugins", p.virtual_bytes.clone());
        r.register("process_open_fds", "Open files and sockets", p.open_fds.clone());
        r.register("process_max_fds", "Files and sockets that may be open", p.max_fds.clone());
        r.register("process_threads", "Threads", p.threads.clone());
        r.register("process_start_time_seconds", "When the process started, since 1970", p.start_time_seconds.clone());
    }
}
