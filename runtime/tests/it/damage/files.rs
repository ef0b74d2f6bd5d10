//! Doing harm to files.

use crate::harness::dice::Dice;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A page of a disk.
const PAGE: usize = 4096;
/// The engine's segment.
const SEGMENT: usize = 512 << 10;

/// Cuts a file to a length.
pub fn truncate(path: &Path, len: impl Fn(u64) -> u64) {
    let file = File::options().write(true).open(path).expect("the file");
    let before = file.metadata().expect("a length").len();
    file.set_len(len(before)).expect("it can be cut");
}

/// Some pages of garbage within what was written.
pub fn garble_pages(path: &Path, dice: &mut Dice) {
    let file = File::options().write(true).open(path).expect("the file");
    for _ in 0..dice.between(1, 5) {
        let garbage: Vec<u8> = (0..PAGE).map(|_| dice.next() as u8).collect();
        let page = dice.below(written(path) / PAGE);
        file.write_all_at(&garbage, (page * PAGE) as u64)
            .expect("it can be written");
    }
}

/// Some single bits.
pub fn flip_bits(path: &Path, dice: &mut Dice) {
    let mut bytes = fs::read(path).expect("the file");
    for _ in 0..dice.between(1, 9) {
        let at = dice.below(written(path));
        bytes[at] ^= 1 << dice.below(8);
    }
    fs::write(path, bytes).expect("it can be written");
}

/// A segment that reads as zeros.
pub fn zero_segment(path: &Path, dice: &mut Dice) {
    let file = File::options().write(true).open(path).expect("the file");
    let segment = dice.below(written(path).div_ceil(SEGMENT));
    file.write_all_at(&vec![0; SEGMENT], (segment * SEGMENT) as u64)
        .expect("it can be written");
}

/// How far the file holds anything but zeros.
fn written(path: &Path) -> usize {
    let bytes = fs::read(path).expect("the file");
    bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(1, |last| last + 1)
        .max(PAGE)
}

/// Makes it a store of a later format: its own row says so.
pub fn raise_format(engine: &Path, format: u32) {
    const ROW: [u8; 1] = [0xF0];
    let db = sled::open(engine).expect("a store");
    let mut row = db.get(ROW).expect("readable").expect("its own row").to_vec();
    assert_eq!(&row[..4], b"SLRS");
    row[4..8].copy_from_slice(&format.to_be_bytes());
    db.insert(ROW, row).expect("writable");
    db.flush().expect("writable");
}

/// Every row of the engine's files.
pub fn rows(engine: &Path) -> Vec<(sled::IVec, sled::IVec)> {
    let db = sled::open(engine).expect("a store");
    db.iter().collect::<Result<_, _>>().expect("readable")
}

/// Copies a directory.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).expect("a file can be copied");
        }
    }
}

/// Every file of a directory with its content.
pub fn contents(dir: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            let bytes = fs::read(&path).expect("a file");
            found.push((path, bytes));
        }
    }
    found.sort();
    found
}
