//! A simulation of several outlets and a cloud, from a seed: the real engine, store rows and plugins, over lines, disks
//! and clocks that fail as the seed says. Nothing here waits for real time, and a seed makes the same run each time.
//!
//! `SELARAS_SEEDS` says how many seeds are run, `SELARAS_SEED` from which on; with one seed its trace is printed.

#![allow(missing_docs, reason = "a test's own parts")]

mod cloud;
mod dice;
mod disk;
mod hooks;
mod line;
mod outlet;
mod plan;
mod promises;
mod rows;
mod shrink;
mod time;
mod trace;
mod world;

use plan::Plan;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Seeds of an ordinary run of the tests; more are run with `make sim`.
const SEEDS: u64 = 300;
/// So many failing seeds are found; the first of them is explained.
const ENOUGH: usize = 12;
/// Runs that cutting a failing one down may take.
const TRIES: usize = 300;

#[test]
fn every_promise_holds_in_every_run() {
    let (first, count) = asked();
    let next = AtomicU64::new(first);
    let counts: Mutex<BTreeMap<&'static str, u64>> = Mutex::default();
    let failed: Mutex<BTreeMap<u64, promises::Broken>> = Mutex::default();
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + count || failed.lock().expect("no panic holds it").len() >= ENOUGH {
                return;
            }
            let outcome = world::play(&Plan::of(seed), false);
            let mut counts = counts.lock().expect("no panic holds it");
            for (what, n) in outcome.trace.counts() {
                *counts.entry(what).or_default() += n;
            }
            *counts.entry("seeds").or_default() += 1;
            if let Some(broken) = outcome.broken {
                println!("seed {seed} breaks promise {}: {}", broken.promise, broken.what);
                failed.lock().expect("no panic holds it").insert(seed, broken);
            }
        }
    };
    let workers = std::thread::available_parallelism().map_or(2, usize::from).min(8);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            std::thread::Builder::new()
                .stack_size(16 << 20)
                .spawn_scoped(scope, work)
                .expect("a thread");
        }
    });
    for (what, n) in counts.lock().expect("no panic holds it").iter() {
        println!("{n:>10}  {what}");
    }
    let failed = failed.into_inner().expect("no panic holds it");
    if let Some((seed, broken)) = failed.first_key_value() {
        explain(&Plan::of(*seed), broken, count == 1);
        panic!("seeds {:?}: {}", failed.keys(), broken.promise);
    }
}

#[test]
fn the_same_seed_makes_the_same_run() {
    for seed in 0..6 {
        let plan = Plan::of(seed);
        let (one, two) = (world::play(&plan, true), world::play(&plan, true));
        let (first, second) = (one.trace.lines(), two.trace.lines());
        let differs = first.iter().zip(&second).position(|(a, b)| a != b);
        assert_eq!(differs.map(|at| (&first[at], &second[at])), None, "seed {seed}");
        assert_eq!(one.trace.digest(), two.trace.digest(), "seed {seed}");
        assert!(first.len() > 50, "seed {seed} does something");
    }
}

/// The first seed and how many.
fn asked() -> (u64, u64) {
    let number = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
    let seed = number("SELARAS_SEED").map(|text| text.parse().expect("SELARAS_SEED is a number"));
    let count = number("SELARAS_SEEDS").map(|text| text.parse().expect("SELARAS_SEEDS is a number"));
    (
        seed.unwrap_or(0),
        count.unwrap_or(if seed.is_some() { 1 } else { SEEDS }),
    )
}

/// Says what happened, cut down as far as possible, and how to see it again.
fn explain(plan: &Plan, broken: &promises::Broken, in_full: bool) {
    println!("\nseed {} breaks promise {}", plan.seed, broken.promise);
    let (smallest, cut) = shrink::shrink(plan, broken, TRIES);
    let outcome = world::play(&smallest, in_full);
    println!(
        "cut down to {} outlet(s), {} steps, without {:?}:",
        cut.outlets,
        smallest.steps.len(),
        cut.faults
    );
    println!("  {:?}", smallest.manner);
    println!(
        "  clocks {:?} ms ahead, disks up to {:?} ms slow, strategies {:?}, coalesce {}, batches of {}",
        smallest.skews, smallest.slowness, smallest.strategies, smallest.coalesce, smallest.batch_size
    );
    for step in &smallest.steps {
        println!(
            "  step {:>2}, after {:>6} ms: {:?}",
            step.number, step.after_ms, step.event
        );
    }
    if let Some(broken) = outcome.broken {
        println!("it breaks promise {}: {}", broken.promise, broken.what);
    }
    for line in outcome.trace.lines() {
        println!("{line}");
    }
    println!("\nagain, with its trace: make sim SEEDS=1 SEED={}\n", plan.seed);
}
