//! selaras-cloud
fn main() {}
