//! selaras-quickstart
fn main() {}
