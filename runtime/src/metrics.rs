//! What is counted and timed for Prometheus: a handle that others record into, and its text. It knows nothing of the outlet
//! and asks nobody; whoever renders it hands in the levels of the moment.
//!
//! Every label has few values. What apps name (entity types, ids, paths) is none; of plugins' names the first
//! [`MAX_PLUGINS`] are told apart.

mod classic;
mod process;
mod series;

use self::series::{
    ByCall, ByOutcome, Call, Conflict, Direction, Hook, PluginAction, PluginCall, PluginFailure, Request,
    Route, Series,
};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

pub use series::Level;

/// Names of plugins and strategies that are told apart; the rest is `other`. More than an outlet has.
pub const MAX_PLUGINS: usize = 64;

/// How the text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Prometheus's own, which every scraper reads.
    Classic,
    /// OpenMetrics, for who asks for it.
    OpenMetrics,
}

impl Form {
    /// Its content type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// What is counted. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    now_us: fn() -> u64,
    series: Series,
    names: Mutex<BTreeSet<String>>,
}

impl Default for Metrics {
    /// Without a clock: what is timed by it takes no time.
    fn default() -> Self {
        Self::timed(|| 0)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// With this monotonic clock, in microseconds.
    pub fn timed(now_us: fn() -> u64) -> Self {
        Self(Arc::new(Inner {
            now_us,
            series: Series::new(),
            names: Mutex::default(),
        }))
    }

    /// Now, for what is timed, in microseconds.
    pub fn now_us(&self) -> u64 {
        (self.0.now_us)()
    }
}

/// Something that is going on: counted until it is dropped.
#[derive(Debug)]
pub struct Ongoing(prometheus_client::metrics::gauge::Gauge);

impl Drop for Ongoing {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// A run ended. `outcome`: `success`, `partial` or `failed`.
    pub fn run(&self, outcome: &'static str, took_ms: u64) {
        let series = &self.0.series;
        series.runs.get_or_create(&ByOutcome { outcome }).inc();
        series.run_duration.observe(seconds(took_ms * 1000));
    }

    /// Items pushed or pulled. `direction`: `push` or `pull`.
    pub fn items(&self, direction: &'static str, outcome: &'static str, count: u64) {
        if count > 0 {
            let label = Direction { direction, outcome };
            self.0.series.items.get_or_create(&label).inc_by(count);
        }
    }

    /// A conflict was decided, or left to a person. `strategy`: a plugin's name, or what stands for one.
    pub fn conflict(&self, strategy: &str, verdict: &'static str) {
        let strategy = self.bounded(strategy);
        let label = Conflict { strategy, verdict };
        self.0.series.conflicts.get_or_create(&label).inc();
    }

    /// A plugin's call ended. `call`: `resolve`, `to_cloud` or `to_local`; `error`: its code.
    pub fn plugin_call(&self, plugin: &str, call: &'static str, took_us: u64, error: Option<&'static str>) {
        let (series, plugin) = (&self.0.series, self.bounded(plugin));
        if let Some(code) = error {
            let label = PluginFailure {
                plugin: plugin.clone(),
                code,
            };
            series.plugin_errors.get_or_create(&label).inc();
        }
        let label = PluginCall { plugin, call };
        series
            .plugin_duration
            .get_or_create(&label)
            .observe(seconds(took_us));
    }

    /// A plugin was taken out of use by itself. `action`: `rollback` or `suspend`.
    pub fn plugin_fell_back(&self, plugin: &str, action: &'static str) {
        let plugin = self.bounded(plugin);
        let label = PluginAction { plugin, action };
        self.0.series.plugin_fallbacks.get_or_create(&label).inc();
    }

    /// Batches became durable together.
    pub fn commit(&self, batches: u64, took_us: u64) {
        let series = &self.0.series;
        series.commit_duration.observe(seconds(took_us));
        #[expect(clippy::cast_precision_loss, reason = "at most some hundred")]
        series.commit_batches.observe(batches as f64);
    }

    /// A webhook was answered: what became of it, or why it was refused.
    pub fn webhook(&self, hook: &'static str, outcome: &'static str) {
        let label = Hook { hook, outcome };
        self.0.series.webhooks.get_or_create(&label).inc();
    }

    /// A request is answered from here on until what this answers is dropped.
    pub fn http_begins(&self) -> Ongoing {
        ongoing(&self.0.series.http_in_flight)
    }

    /// A request was answered. `route`: its template in the table of routes, or `unmatched`.
    pub fn http(&self, method: &'static str, route: &'static str, status: u16, took_us: u64) {
        let series = &self.0.series;
        let label = Request {
            method,
            route,
            status,
        };
        series.http_requests.get_or_create(&label).inc();
        let label = Route { method, route };
        series
            .http_duration
            .get_or_create(&label)
            .observe(seconds(took_us));
    }

    /// Somebody waits for the feed until what this answers is dropped.
    pub fn feed_waits(&self) -> Ongoing {
        ongoing(&self.0.series.feed_waiters)
    }

    /// A call to the cloud ended. `outcome`: `success`, or the error's code.
    pub fn cloud(&self, call: &'static str, outcome: &'static str, took_ms: u64) {
        let series = &self.0.series;
        series.cloud_requests.get_or_create(&Call { call, outcome }).inc();
        let duration = series.cloud_duration.get_or_create(&ByCall { call });
        duration.observe(seconds(took_ms * 1000));
    }

    /// All of it, with the levels of this moment. A level that is not given keeps its value.
    pub fn render(&self, form: Form, levels: impl IntoIterator<Item = (Level, f64)>) -> String {
        let series = &self.0.series;
        for (level, value) in levels {
            series.set(level, value);
        }
        if let Some(usage) = process::usage() {
            series.set_process(usage);
        }
        match form {
            Form::Classic => classic::of(&series.text()),
            Form::OpenMetrics => series.text(),
        }
    }

    /// The name as a label: one of at most [`MAX_PLUGINS`], or `other`.
    fn bounded(&self, name: &str) -> String {
        let mut names = self.0.names.lock();
        if names.contains(name) {
            return name.to_owned();
        }
        if names.len() >= MAX_PLUGINS {
            return "other".to_owned();
        }
        names.insert(name.to_owned());
        name.to_owned()
    }
}

fn ongoing(gauge: &prometheus_client::metrics::gauge::Gauge) -> Ongoing {
    gauge.inc();
    Ongoing(gauge.clone())
}

fn seconds(us: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a duration below centuries")]
    let us = us as f64;
    us / 1e6
}

#[cfg(test)]
mod tests;
