//! A reference cloud for Selaras: what a company's headquarters runs, in a size that can be read in an evening.
//!
//! It speaks the cloud API that outlets call (`api`), keeps every entity in one SQLite file (`store`), tells
//! outlets about headquarters' edits by signed webhooks (`webhooks`), and lets headquarters read and edit (`hq`).
//!
//! Imports point one way: `{clock, json, rules} ← store ← webhooks ← {api, hq} ← app ← cli`. The store knows no
//! HTTP; `rules` knows neither; documents are JSON text whose values are never parsed into numbers.

pub mod api;
pub mod app;
pub mod cli;
pub mod clock;
pub mod error;
pub mod hq;
pub mod json;
pub mod rules;
pub mod store;
pub mod webhooks;
