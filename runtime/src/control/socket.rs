//! The socket's file: where it is, who may open it, and paths longer than a socket's address may be.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Its name in the data directory.
pub const SOCKET: &str = "control.sock";
/// Its name until it is private.
const NEW: &str = "control.sock.new";
/// Longest path of an address: 108 bytes with the zero behind it.
const MAX_PATH_BYTES: usize = 107;

/// A socket that is listened to, and its file, which goes with it.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) listener: UnixListener,
    path: PathBuf,
}

/// Listens. A file that an earlier process left is replaced: the store's lock has seen to it that there is one process.
pub(super) fn bind(data_dir: &Path) -> io::Result<Bound> {
    let (new, path) = (data_dir.join(NEW), data_dir.join(SOCKET));
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = with_short_path(data_dir, NEW, |path| UnixListener::bind(path))?;
    fs::set_permissions(&new, Permissions::from_mode(0o600))?;
    fs::rename(&new, &path)?;
    listener.set_nonblocking(true)?;
    Ok(Bound { listener, path })
}

/// Connects; none: nobody listens.
pub(super) fn connect(data_dir: &Path) -> io::Result<Option<UnixStream>> {
    match with_short_path(data_dir, SOCKET, |path| UnixStream::connect(path)) {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A path to a file in `dir` that fits into an address, also where `dir` is deep.
fn with_short_path<T>(dir: &Path, name: &str, act: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let path = dir.join(name);
    if path.as_os_str().len() <= MAX_PATH_BYTES {
        return act(&path);
    }
    let dir = File::open(dir)?;
    act(Path::new(&format!("/proc/self/fd/{}/{name}", dir.as_raw_fd())))
}

impl Drop for Bound {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!(socket = %self.path.display(), %error, "the control socket cannot be removed");
        }
    }
}
