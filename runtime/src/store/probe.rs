//! A look at a store that may be broken: the engine may panic, hang or abort over damaged files, so the look is had by a
//! child process with a time limit, and only its answer is believed.
//!
//! Owns what is asked and answered. It must not repair anything.

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    OpenError, StoreError,
    error::chain,
    mark,
    sled::{Scope, files::Files, find_damage, inspect},
};

/// How often an answer is looked for.
const PAUSE: Duration = Duration::from_millis(2);

/// A store that can be opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// Its name. None: the database is empty.
    pub epoch: Option<String>,
    /// Groups committed since it was made.
    pub commits: u64,
    /// Bytes of its keys and values.
    pub live_bytes: u64,
    /// Bytes its files take.
    pub file_bytes: u64,
    /// Entries that were read, when all were.
    pub entries: Option<u64>,
}

/// A store that cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Unusable {
    /// Another process has it.
    #[error("it is in use by another process")]
    Locked,
    /// A newer program wrote it.
    #[error("it has format {found}, this program knows formats up to {supported}")]
    Newer {
        /// The format number on disk.
        found: u32,
        /// The newest one known here.
        supported: u32,
    },
    /// There is no room to open it.
    #[error("the disk is full: {0}")]
    Full(String),
    /// The files cannot be used for a reason outside of them, permissions most often.
    #[error("{0}")]
    Denied(String),
    /// What is in the files does not fit together, or the look ended without an answer.
    #[error("{0}")]
    Damaged(String),
}

impl From<OpenError> for Unusable {
    fn from(error: OpenError) -> Self {
        let text = chain(&error);
        match error {
            OpenError::Locked { .. } => Self::Locked,
            OpenError::NewerFormat { found, supported } => Self::Newer { found, supported },
            OpenError::Io { source, .. } => by_cause(&source, text),
            OpenError::Store(StoreError::Full(_)) => Self::Full(text),
            OpenError::Store(StoreError::Io(source)) => by_cause(&source, text),
            OpenError::Exists { .. }
            | OpenError::Panicked(_)
            | OpenError::Store(_)
            | OpenError::Unusable { .. } => Self::Damaged(text),
        }
    }
}

/// Whether the machine is at fault, or the file.
fn by_cause(source: &std::io::Error, text: String) -> Unusable {
    use std::io::ErrorKind;
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Unusable::Full(text),
        ErrorKind::PermissionDenied
        | ErrorKind::ReadOnlyFilesystem
        | ErrorKind::OutOfMemory
        | ErrorKind::NotADirectory
        | ErrorKind::ResourceBusy => Unusable::Denied(text),
        _ if source.raw_os_error().is_some_and(is_shortage) => Unusable::Denied(text),
        _ => Unusable::Damaged(text),
    }
}

/// Too many open files, of the process or the system.
fn is_shortage(code: i32) -> bool {
    code == rustix::io::Errno::MFILE.raw_os_error() || code == rustix::io::Errno::NFILE.raw_os_error()
}

/// How a look is had: of the store in the directory, at all its entries (`deep`) or only at its
/// first row and what the engine reads to find that, within the time.
pub type Prober = Arc<dyn Fn(&Path, bool, Duration) -> Result<Probed, Unusable> + Send + Sync>;

/// Looks, in this process.
///
/// # Errors
/// Why the store cannot be opened.
pub fn look(dir: &Path, deep: bool) -> Result<Probed, Unusable> {
    let files = Files::lock(dir)?;
    // Before the engine: what follows damage in its log it would forget, and make room of.
    let scope = if deep { Scope::All } else { Scope::SinceSnapshot };
    if let Some(why) = find_damage(&files, mark::read(dir).as_ref(), scope)? {
        return Err(Unusable::Damaged(why));
    }
    Ok(inspect(&files, deep)?)
}

/// Makes this process, a child, end with its parent: it has the store locked. Ends it at once if the parent is gone already.
pub fn end_with_parent(parent: u32) {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};
    let set = set_parent_process_death_signal(Some(Signal::KILL));
    let is_child = getppid().is_some_and(|pid| pid.as_raw_nonzero().get().unsigned_abs() == parent);
    if set.is_err() || !is_child {
        std::process::exit(1);
    }
}

/// The other side of [`in_child`]: looks and prints the answer as a line of JSON.
pub fn answer(dir: &Path, deep: bool) {
    let outcome = look(dir, deep);
    println!(
        "{}",
        serde_json::to_string(&outcome).expect("invariant: the answer is plain data")
    );
}

/// Looks by a child process of this program.
#[must_use]
pub fn in_child() -> Prober {
    Arc::new(|dir, deep, limit| {
        let mut arguments = vec!["store-probe".into(), dir.as_os_str().to_owned()];
        if deep {
            arguments.push("--deep".into());
        }
        run_child(&arguments, limit).and_then(|answer| {
            serde_json::from_slice(&answer)
                .map_err(|_| Unusable::Damaged("the look at it ended without an answer".to_owned()))?
        })
    })
}

/// Runs this program as a child with these arguments and gives what it printed.
///
/// # Errors
/// When it cannot be run, does not end within the time, or dies.
pub(super) fn run_child(arguments: &[std::ffi::OsString], limit: Duration) -> Result<Vec<u8>, Unusable> {
    let denied = |error: std::io::Error| Unusable::Denied(format!("a child process cannot be run: {error}"));
    // The running program, also when its file was replaced meanwhile.
    let mut child = Command::new(PathBuf::from("/proc/self/exe"))
        .args(arguments)
        .arg("--parent")
        .arg(std::process::id().to_string())
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(denied)?;
    let mut waited = Duration::ZERO;
    let status = loop {
        match child.try_wait().map_err(denied)? {
            Some(status) => break status,
            None if waited > limit => {
                child
                    .kill()
                    .and_then(|()| child.wait().map(drop))
                    .map_err(denied)?;
                return Err(Unusable::Damaged(format!(
                    "the look at it did not end within {} s",
                    limit.as_secs()
                )));
            }
            None => {
                thread::sleep(PAUSE);
                waited += PAUSE;
            }
        }
    };
    if !status.success() {
        return Err(Unusable::Damaged(format!("the look at it died: {status}")));
    }
    let mut answer = Vec::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_end(&mut answer).map_err(denied)?;
    }
    Ok(answer)
}
