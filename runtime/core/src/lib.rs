//! The rules.

pub mod backoff;
pub mod decimal;
pub mod id;
pub mod json;
pub mod offset;
pub mod stamp;
