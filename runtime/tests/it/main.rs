//! The real binary, driven by environment variables and HTTP, against a cloud that a test scripts.

#![expect(clippy::unwrap_used, reason = "a test that lacks a value has failed")]

mod analytics;
mod authoring;
mod backup;
mod bad_input;
mod clock;
mod cloud_client;
mod config;
mod crash;
mod damage;
mod disk_full;
mod document_route;
mod documents;
mod environment;
mod harness;
mod idempotency;
mod intake;
mod known;
mod large_documents;
mod layering;
mod line;
mod merging;
mod notices;
mod old_formats;
mod outlet;
mod parked;
mod people;
mod plain_cloud;
mod pull;
mod push;
mod push_one;
mod rate;
mod resync;
mod retention;
mod rewind;
mod scripted_cloud;
mod shutdown;
mod silent_loss;
mod simulate;
mod strategies;
mod stream;
mod telling;
mod trouble;
mod webhooks;
