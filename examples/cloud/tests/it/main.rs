//! The reference cloud over HTTP: every call of the contract, headquarters, webhooks, limits and restarts.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests; a failed one is a failed test"
)]

mod harness;
mod headquarters;
mod limits;
mod push;
mod updates;
mod webhooks;
