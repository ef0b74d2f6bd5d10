//! The runtime of Selaras: one process that keeps an outlet and its cloud in step.
//!
//! Imports point one way: `core ← {store, plugin, cloud, clock, metrics, secret} ← engine ← {http, control} ← app ← cli ← main`.

pub mod app;
pub mod authoring;
pub mod cli;
pub mod clock;
pub mod cloud;
pub mod config;
pub mod control;
pub mod engine;
pub mod http;
pub mod metrics;
pub mod plugin;
pub mod secret;
pub mod store;
pub mod telemetry;
