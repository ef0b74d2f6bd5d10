//! What was acknowledged, and what a crash leaves of it. Eight apps, a cloud and a person are busy with an outlet; it is
//! struck (its process killed, or the power of its disk cut without the journal being flushed) in the middle of that or
//! of something aimed at; afterwards all that was answered is there, nothing is there by half, and both sides come to
//! hold the same.
//!
//! `SELARAS_CUTS` and `SELARAS_KILLS` say how often, `SELARAS_SEED` repeats a plan, `SELARAS_AIM` keeps to one aim.
//! Cuts need root, a loop device and `mkfs.ext4`.

mod actors;
mod aim;
mod check;
mod integrator;
mod round;
mod writer;

use crate::harness::dice::Dice;
use crate::harness::disk::Disk;
use crate::outlet::Setup;
use crate::scripted_cloud::ScriptedCloud;
use aim::{Aim, Ground};
use round::Shop;
use std::sync::Arc;

/// Power cuts in a plain `cargo test`: one of each aim.
const CUTS: usize = 6;
/// Kills in a plain `cargo test`.
const KILLS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_power_cut() {
    let cloud = ScriptedCloud::start().await;
    let setup = Setup::of(&cloud);
    let disk = match Disk::make(setup.dir()) {
        Ok(disk) => disk,
        Err(why) => {
            eprintln!("SKIPPED: no power was cut, because {why}");
            return;
        }
    };
    play(
        cloud,
        setup,
        Ground::Disk(disk),
        count("SELARAS_CUTS", CUTS),
        "power cuts",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn being_killed_over_and_over_while_it_works_loses_and_repeats_nothing() {
    let cloud = ScriptedCloud::start().await;
    let setup = Setup::of(&cloud);
    let ground = Ground::Process(setup.dir().to_owned());
    play(cloud, setup, ground, count("SELARAS_KILLS", KILLS), "kills").await;
}

/// Strikes so many times, each after another amount of work and at another aim, and checks after each.
async fn play(cloud: ScriptedCloud, setup: Setup, ground: Ground, strikes: usize, what: &str) {
    let mut dice = Dice::of_this_run(what);
    let data = ground.place().join("data");
    let setup = setup.env("DATA_DIR", data.to_str().expect("a path in UTF-8"));
    let aims = Aim::in_turn();
    let mut shop = Shop::open(Arc::new(cloud), setup, &mut dice).await;
    for number in 0..strikes {
        let aim = aims[number % aims.len()];
        eprintln!("{what}: {} of {strikes}, {aim:?}", number + 1);
        shop.round(&ground, aim, &mut dice).await;
    }
    eprintln!(
        "{strikes} {what}, {}, nothing acknowledged was lost",
        shop.account()
    );
}

fn count(variable: &str, default: usize) -> usize {
    std::env::var(variable).map_or(default, |n| {
        n.parse()
            .unwrap_or_else(|_| panic!("{variable} is a number, not {n:?}"))
    })
}
