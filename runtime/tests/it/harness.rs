//! What every test here stands on: JSON as text, waiting for conditions, and the real data. It knows neither the
//! outlet nor the cloud.

pub mod json_text;
pub mod northwind;
pub mod wait;
