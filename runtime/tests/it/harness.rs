//! What every test here stands on: JSON as text, waiting for conditions, the real data, dice, and disks that can fail.
//! It knows neither the outlet nor the cloud.

pub mod certificates;
pub mod dice;
pub mod disk;
pub mod json_text;
pub mod mapper;
pub mod northwind;
pub mod strategy;
pub mod wait;
