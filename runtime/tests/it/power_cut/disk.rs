//! A disk whose power can be cut: an ext4 in a file, mounted over a loop device.

use rustix::fd::AsFd;
use rustix::ioctl::{Setter, ioctl, opcode};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `FS_IOC_SHUTDOWN`.
const SHUTDOWN: rustix::ioctl::Opcode = opcode::read::<u32>(b'X', 125);
/// `EXT4_GOING_FLAGS_NOLOGFLUSH`: at once, without flushing the journal.
const WITHOUT_JOURNAL: u32 = 2;
/// Room for the test's writes; the database file only grows.
const BYTES: u64 = 1 << 30;

/// A mounted file system in a file.
pub struct Disk {
    image: PathBuf,
    mount: PathBuf,
}

impl Disk {
    /// Makes and mounts one in `dir`; says why where that cannot be done.
    pub fn make(dir: &Path) -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("only root can mount a file system".to_owned());
        }
        let disk = Self {
            image: dir.join("disk.img"),
            mount: dir.join("disk"),
        };
        let file = File::create(&disk.image).and_then(|file| file.set_len(BYTES));
        file.map_err(|error| format!("no file for a disk can be made: {error}"))?;
        std::fs::create_dir(&disk.mount).map_err(|error| error.to_string())?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&disk.image))?;
        disk.try_mount()?;
        Ok(disk)
    }

    /// Where it is mounted.
    pub fn mount(&self) -> &Path {
        &self.mount
    }

    /// Cuts the power: what is not synced is gone, and nothing can be written any more.
    #[expect(unsafe_code, reason = "an ioctl that takes a number by reference")]
    pub fn cut(&self) {
        let root = File::open(&self.mount).expect("the mounted directory");
        // SAFETY: FS_IOC_SHUTDOWN reads one u32 through the pointer it is given, which lives for the call.
        let done = unsafe { ioctl(root.as_fd(), Setter::<SHUTDOWN, u32>::new(WITHOUT_JOURNAL)) };
        done.expect("ext4 can be shut down");
    }

    /// Power is back: mounts it again, which replays the journal.
    pub fn mount_again(&self) {
        self.unmount();
        self.try_mount().expect("the disk can be mounted again");
    }

    fn try_mount(&self) -> Result<(), String> {
        run(Command::new("mount")
            .args(["-o", "loop"])
            .arg(&self.image)
            .arg(&self.mount))
    }

    fn unmount(&self) {
        run(Command::new("umount").arg(&self.mount)).expect("nothing uses the disk any more");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // In a failing test an outlet may still hold it: it is let go as soon as that ends.
        let _ = Command::new("umount").arg("--lazy").arg(&self.mount).status();
    }
}

fn run(command: &mut Command) -> Result<(), String> {
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
