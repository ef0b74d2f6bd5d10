//! File systems of a test's own: an ext4 in a file whose power can be cut, and a small one in memory that can be full.
//! Both need root; where they cannot be had, they say why, and the test says that it was skipped.

use crate::harness::wait;
use rustix::fd::AsFd;
use rustix::ioctl::{Setter, ioctl, opcode};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `FS_IOC_SHUTDOWN`.
const SHUTDOWN: rustix::ioctl::Opcode = opcode::read::<u32>(b'X', 125);
/// `EXT4_GOING_FLAGS_NOLOGFLUSH`: at once, without flushing the journal.
const WITHOUT_JOURNAL: u32 = 2;
/// Room for the test's writes; a database file only grows.
const BYTES: u64 = 1 << 30;

/// A mounted file system.
pub struct Disk {
    kind: Kind,
    mount: PathBuf,
}

enum Kind {
    /// An ext4 in this file, over a loop device.
    Loop(PathBuf),
    Memory,
}

impl Disk {
    /// Makes and mounts an ext4 in `dir`.
    ///
    /// # Errors
    /// Why that cannot be done here.
    pub fn make(dir: &Path) -> Result<Self, String> {
        let image = dir.join("disk.img");
        let disk = Self::at(dir, Kind::Loop(image.clone()))?;
        let file = File::create(&image).and_then(|file| file.set_len(BYTES));
        file.map_err(|error| format!("no file for a disk can be made: {error}"))?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image))?;
        disk.try_mount()?;
        Ok(disk)
    }

    /// Makes and mounts one of so many MiB in memory.
    ///
    /// # Errors
    /// Why that cannot be done here.
    pub fn small(dir: &Path, mib: u32) -> Result<Self, String> {
        let disk = Self::at(dir, Kind::Memory)?;
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"])
            .arg(&disk.mount))?;
        Ok(disk)
    }

    fn at(dir: &Path, kind: Kind) -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("only root can mount a file system".to_owned());
        }
        let mount = dir.join("disk");
        std::fs::create_dir(&mount).map_err(|error| error.to_string())?;
        Ok(Self { kind, mount })
    }

    /// Where it is mounted.
    pub fn mount(&self) -> &Path {
        &self.mount
    }

    /// Bytes that can still be written.
    pub fn free_bytes(&self) -> u64 {
        let stat = rustix::fs::statvfs(&self.mount).expect("a mounted file system");
        stat.f_bavail * stat.f_frsize
    }

    /// Cuts the power: what is not synced is gone, and nothing can be written any more.
    #[expect(unsafe_code, reason = "an ioctl that takes a number by reference")]
    pub fn cut(&self) {
        let root = File::open(&self.mount).expect("the mounted directory");
        // SAFETY: FS_IOC_SHUTDOWN reads one u32 through the pointer it is given, which lives for the call.
        let done = unsafe { ioctl(root.as_fd(), Setter::<SHUTDOWN, u32>::new(WITHOUT_JOURNAL)) };
        done.expect("ext4 can be shut down");
    }

    /// Power is back: mounts it again, which replays the journal. A child of a process that was killed ends a moment
    /// after it.
    pub async fn mount_again(&self) {
        wait::until("the last process to let go of the disk", async || {
            run(Command::new("umount").arg(&self.mount)).ok()
        })
        .await;
        self.try_mount().expect("the disk can be mounted again");
    }

    /// The same while a process still holds files of the disk that was cut: those stay dead, new ones are the new disk's.
    pub fn mount_again_under_a_process(&self) {
        let Kind::Loop(image) = &self.kind else {
            panic!("a disk in memory has no power to cut")
        };
        let device = Command::new("losetup")
            .args(["--noheadings", "--output", "NAME", "--associated"])
            .arg(image)
            .output()
            .expect("losetup can be run");
        let device = String::from_utf8_lossy(&device.stdout).trim().to_owned();
        run(Command::new("umount").arg("--lazy").arg(&self.mount)).expect("it can be unmounted lazily");
        // What the old mount's device still holds must not come to the image later, over the new mount's writes.
        run(Command::new("blockdev").arg("--flushbufs").arg(device)).expect("its device can be flushed");
        // A device of its own: on the old one the old file system would be found, dead as it is.
        let fresh = Command::new("losetup")
            .args(["--find", "--show"])
            .arg(image)
            .output()
            .expect("losetup can be run");
        let fresh = String::from_utf8_lossy(&fresh.stdout).trim().to_owned();
        run(Command::new("mount").arg(&fresh).arg(&self.mount)).expect("the disk can be mounted again");
        // The device goes with the mount.
        run(Command::new("losetup").arg("--detach").arg(&fresh)).expect("it can be let go");
    }

    fn try_mount(&self) -> Result<(), String> {
        let Kind::Loop(image) = &self.kind else {
            panic!("a disk in memory has no power to cut")
        };
        run(Command::new("mount")
            .args(["-o", "loop"])
            .arg(image)
            .arg(&self.mount))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // In a failing test an outlet may still hold it: it is let go as soon as that ends.
        let _ = Command::new("umount").arg("--lazy").arg(&self.mount).status();
    }
}

/// Runs a tool of the system.
///
/// # Errors
/// What it said, or why there is none.
pub fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!(
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(error) => Err(format!("{name} cannot be run: {error}")),
    }
}
