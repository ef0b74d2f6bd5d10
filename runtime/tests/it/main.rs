//! The real binary, driven by environment variables and HTTP, against a cloud that a test scripts.

#![expect(clippy::unwrap_used, reason = "a test that lacks a value has failed")]

mod backup;
mod bad_input;
mod cloud_client;
mod config;
mod documents;
mod environment;
mod harness;
mod intake;
mod layering;
mod outlet;
mod plain_cloud;
mod power_cut;
mod pull;
mod push;
mod scripted_cloud;
mod shutdown;
mod strategies;
mod trouble;
mod webhooks;
