//! plugin

pub mod bundle;
