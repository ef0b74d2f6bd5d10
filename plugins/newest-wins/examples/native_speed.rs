//! The rule without WebAssembly around it: decides a conflict of the document on standard input as often as it is told, and
//! prints how many nanoseconds one took. `make bench` calls it. It lies here and not in the bench so that the bench shares
//! every crate with the binary it measures.

use newest_wins::NewestWins;
use selaras_sdk::{testing, Document, Strategy};
use std::hint::black_box;
use std::io::Read;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let calls: u32 = std::env::args().nth(1).ok_or("how often?")?.parse()?;
    let mut document = String::new();
    std::io::stdin().read_to_string(&mut document)?;
    let cx = testing::context("{}");
    let side = |ms| Document::new("order", "o-1", document.clone()).with_modified_ms(ms);
    let conflict = testing::conflict(side(2_000), side(1_000));
    #[allow(clippy::disallowed_methods)] // It measures.
    let began = std::time::Instant::now();
    for _ in 0..calls {
        black_box(NewestWins::resolve(black_box(&cx), black_box(&conflict))).map_err(|e| format!("{e:?}"))?;
    }
    println!("{}", began.elapsed().as_nanos() / u128::from(calls.max(1)));
    Ok(())
}
