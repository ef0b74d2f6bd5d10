//! Files that were damaged while nobody looked. Whatever it is, the outlet serves with all that was acknowledged, or
//! with the least possible lost and says so, or refuses with what to do. It never hangs, aborts, or fails at every second
//! start; what it replaced is kept, and with a cloud that has everything both sides come to hold the same.
//!
//! `SELARAS_DAMAGES` says how many random damages of each kind are tried, `SELARAS_SEED` repeats them.

mod case;
pub mod files;

use crate::harness::dice::Dice;
use crate::outlet::{OUTLET_ID, Setup};
use case::{Case, Original};
use files::{flip_bits, garble_pages, raise_format, truncate, zero_segment};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What it is called, and how it is done.
type Damage = (&'static str, fn(&Case));
/// The same to one file, by chance.
type RandomDamage = (&'static str, fn(&Path, &mut Dice));

/// Random damages of each kind in a plain `cargo test`.
const DAMAGES: usize = 2;

#[tokio::test]
async fn what_the_store_does_not_need_may_be_torn_garbage_or_gone() {
    let original = Original::make().await;
    let torn: [Damage; 7] = [
        ("a snapshot that was being written", |case| {
            fs::write(case.engine("snap.00000000000000FF.generating"), vec![7; 5000]).unwrap();
        }),
        ("an empty snapshot that was being written", |case| {
            fs::write(case.engine("snap.00000000000000FF.generating"), "").unwrap();
        }),
        ("snapshots cut off", |case| {
            case.each_snapshot(|path| truncate(path, |len| len / 2));
        }),
        ("empty snapshots", |case| {
            case.each_snapshot(|path| truncate(path, |_| 0));
        }),
        ("snapshots of garbage", |case| {
            case.each_snapshot(|path| fs::write(path, vec![0xA5; 4096]).unwrap());
        }),
        ("a mark of garbage", |case| {
            fs::write(case.store("mark"), "not a mark").unwrap();
        }),
        ("no mark", |case| drop(fs::remove_file(case.store("mark")))),
    ];
    for (name, damage) in torn {
        let case = original.damaged(name, damage).await;
        let outlet = case.serves().await;
        case.holds_everything(&outlet).await;
        case.ends_well(outlet).await;
    }
}

#[tokio::test]
async fn a_store_that_lost_a_file_or_its_end_serves_and_says_what_is_lost() {
    let original = Original::make().await;
    let torn: [Damage; 8] = [
        ("a conf cut off", |case| {
            truncate(&case.engine("conf"), |len| len / 2);
        }),
        ("an empty conf", |case| truncate(&case.engine("conf"), |_| 0)),
        ("no conf", |case| fs::remove_file(case.engine("conf")).unwrap()),
        ("a db cut by some bytes", |case| {
            truncate(&case.engine("db"), |len| len - 100);
        }),
        ("a db cut by some pages", |case| {
            truncate(&case.engine("db"), |len| len - 40_000);
        }),
        ("half a db", |case| truncate(&case.engine("db"), |len| len / 2)),
        ("an empty db", |case| truncate(&case.engine("db"), |_| 0)),
        ("no db", |case| fs::remove_file(case.engine("db")).unwrap()),
    ];
    for (name, damage) in torn {
        original.damaged(name, damage).await.is_borne().await;
    }
}

#[tokio::test]
async fn garbled_pages_cost_the_least_possible_and_are_told() {
    let original = Original::make().await;
    let mut dice = Dice::of_this_run("damages");
    let count =
        std::env::var("SELARAS_DAMAGES").map_or(DAMAGES, |n| n.parse().expect("SELARAS_DAMAGES is a number"));
    for number in 0..count {
        let kinds: [RandomDamage; 3] = [
            ("pages of garbage", garble_pages),
            ("flipped bits", flip_bits),
            ("a segment of zeros", zero_segment),
        ];
        for (name, damage) in kinds {
            let mut own = dice.fork();
            let case = original
                .damaged(&format!("{name}, {number}"), |case| {
                    damage(&case.engine("db"), &mut own);
                })
                .await;
            case.is_borne().await;
        }
    }
}

#[tokio::test]
async fn the_newest_backup_takes_the_place_of_what_cannot_be_repaired() {
    let original = Original::make_with_a_backup().await;
    let case = original
        .damaged("nothing but garbage, and a backup", |case| {
            let len = usize::try_from(fs::metadata(case.engine("db")).unwrap().len()).unwrap();
            fs::write(case.engine("db"), vec![0xA5; len]).unwrap();
        })
        .await;
    let outlet = case.serves().await;
    case.says_what_is_lost(&outlet).await;
    let status = outlet.status().await;
    assert_eq!(
        status.str("data.store.rewound.cause"),
        "restored_by_itself",
        "{}",
        status.text
    );
    // The backup was made after everything was acknowledged, with the line down: it has it all.
    case.holds_every_document(&outlet).await;
    case.ends_well(outlet).await;
}

#[tokio::test]
async fn a_store_of_a_newer_program_is_refused_and_left_alone() {
    let original = Original::make().await;
    let case = original
        .damaged("a newer format", |case| raise_format(&case.engine(""), 99))
        .await;
    case.is_refused("newer program").await;
}

#[tokio::test]
async fn a_store_that_another_process_uses_is_refused_and_left_alone() {
    let setup = Setup::without_cloud();
    let outlet = setup.start().await;
    let (code, said) = outlet.setup().clone().refuses_to_start().await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("in use by another process"), "{said}");
    outlet.put("product", "p", "{}").await.expect(201);
    outlet.stop().await;
}

#[tokio::test]
async fn a_directory_that_may_not_be_read_is_refused_with_a_reason() {
    let original = Original::make().await;
    let case = original.damaged("no permission", |_| {}).await;
    let closed = fs::Permissions::from_mode(0o000);
    let refused = if rustix::process::geteuid().is_root() {
        // Root may read everything: another user may not.
        match case.setup().as_nobody() {
            Ok(setup) => setup.refuses_to_start().await,
            Err(why) => {
                eprintln!("SKIPPED: no directory was without permission, because {why}");
                return;
            }
        }
    } else {
        fs::set_permissions(case.store(""), closed).unwrap();
        case.setup().clone().refuses_to_start().await
    };
    assert_eq!(refused.0, 1, "{}", refused.1);
    assert!(refused.1.contains("Permission denied"), "{}", refused.1);
    fs::set_permissions(case.store(""), fs::Permissions::from_mode(0o700)).unwrap();
    let outlet = case.serves().await;
    case.holds_everything(&outlet).await;
    assert_eq!(outlet.status().await.str("data.outlet_id"), OUTLET_ID);
}
