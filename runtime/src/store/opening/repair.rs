//! The rungs below a store that opens: a copy that is repaired, what can be read of it, a backup, nothing.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    Cause, Files, Marked, OpenError, Opened, Opening, Rewound, Step, Unusable, archive, chain, engine_dir,
    mark,
};
use crate::store::sled::files::{io_error, make_dir, remove_dir, sync};

/// Originals that are kept.
const KEPT_ORIGINALS: usize = 2;

impl Opening {
    /// What the engine says of it is that it is broken.
    pub(super) fn repair(&self, why: &str, marked: Option<&Marked>) -> Result<Opened, OpenError> {
        let mut steps = vec![self.step(format!("the database cannot be used as it is: {why}"))];
        match self.try_copy(marked, &mut steps) {
            Ok(opened) => return Ok(opened),
            Err(why) => steps.push(self.step(why)),
        }
        let unknown = Marked::unknown();
        self.without_files("nothing could be read of it", marked.unwrap_or(&unknown), steps)
    }

    /// Rungs 2 and 3. `Err`: why neither holds.
    fn try_copy(&self, marked: Option<&Marked>, steps: &mut Vec<Step>) -> Result<Opened, String> {
        let text = |error: OpenError| chain(&error);
        let copy = self.dir().join("copy");
        self.copy_without_snapshots(&copy)
            .map_err(|error| format!("it could not be copied for repair: {error}"))?;
        let found = self.look(&copy, true);
        if let Ok(probed) = &found
            && let Some(epoch) = &probed.epoch
        {
            // One that was never opened: a broken database may open once and not again.
            self.copy_without_snapshots(&copy)
                .map_err(|error| format!("it could not be copied once more: {error}"))?;
            let lost = lost_of(marked, epoch, probed.commits);
            if lost > 0 {
                let what = format!(
                    "without its snapshots and settings file the database opens, but the last {lost} acknowledged commits \
                     are missing in it"
                );
                steps.push(self.step(what));
                return self.salvaged(&copy, marked, Cause::Truncated, steps);
            }
            let kept = self.put_in_place(&copy).map_err(text)?;
            let what = format!(
                "without its snapshots and settings file the database opens; the original is in {}",
                kept.display()
            );
            steps.push(self.step(what));
            return self.opened(std::mem::take(steps), None).map_err(text);
        }
        let why = match found {
            Ok(_) => "it holds no store's first row".to_owned(),
            Err(why) => why.to_string(),
        };
        steps.push(self.step(format!(
            "a copy without its snapshots does not open either: {why}"
        )));
        // The look may have changed it.
        self.copy_without_snapshots(&copy)
            .map_err(|error| format!("it could not be copied once more: {error}"))?;
        self.salvaged(&copy, marked, Cause::Repaired, steps)
    }

    fn salvaged(
        &self,
        copy: &Path,
        marked: Option<&Marked>,
        cause: Cause,
        steps: &mut Vec<Step>,
    ) -> Result<Opened, String> {
        let text = |error: OpenError| chain(&error);
        let made = self.dir().join("salvaged");
        remove_dir(&made).map_err(text)?;
        let report = (self.parts.salvager)(copy, &made)
            .map_err(|why| format!("nothing could be read of it: {why}"))?;
        if report.entries == 0 {
            return Err("nothing could be read of it".to_owned());
        }
        let newer = |info: &archive::ArchiveInfo| {
            report.commits > 0 && report.epoch.as_ref() == Some(&info.epoch) && info.commits > report.commits
        };
        if let Some((path, info)) = self.newest_backup(newer) {
            steps.push(self.step(format!(
                "what could be read of the database lacks {} commits that a backup has: {report}",
                info.commits - report.commits
            )));
            remove_dir(&made).and_then(|()| remove_dir(copy)).map_err(text)?;
            let lost = marked
                .filter(|marked| marked.epoch == info.epoch)
                .map(|marked| marked.commits.saturating_sub(info.commits));
            return self.restore(&path, lost, std::mem::take(steps)).map_err(text);
        }
        let lost = marked
            .filter(|marked| report.commits > 0 && Some(&marked.epoch) == report.epoch.as_ref())
            .map(|marked| marked.commits.saturating_sub(report.commits));
        let kept = self.put_in_place(&made).map_err(text)?;
        remove_dir(copy).map_err(text)?;
        let what = format!(
            "what could be read of the database was taken over: {report}; the original is in {}",
            kept.display()
        );
        let step = self.step(what.clone());
        steps.push(step);
        let rewound = Rewound::new(self.now(), cause, what, lost);
        self.opened(std::mem::take(steps), Some(rewound)).map_err(text)
    }

    /// It opens, but is known to lack commits. What it holds need not be of one moment: the engine moves pages about, and
    /// where their last place is gone it takes the one before. So it is read like a broken one, which mends it.
    pub(super) fn truncated(&self, marked: &Marked, lost: u64) -> Result<Opened, OpenError> {
        let what = format!("the database opens, but the last {lost} acknowledged commits are missing in it");
        let mut steps = vec![self.step(what)];
        let copy = self.dir().join("copy");
        let salvaged = self
            .copy_without_snapshots(&copy)
            .and_then(|()| self.salvaged(&copy, Some(marked), Cause::Truncated, &mut steps));
        match salvaged {
            Ok(opened) => return Ok(opened),
            Err(why) => steps.push(self.step(why)),
        }
        self.without_files("nothing could be read of it", marked, steps)
    }

    /// Rungs 4 and 5: there is no database that could be used.
    pub(super) fn without_files(
        &self,
        why: &str,
        marked: &Marked,
        mut steps: Vec<Step>,
    ) -> Result<Opened, OpenError> {
        steps.push(self.step(format!("there is no database to go on with: {why}")));
        if let Some((path, info)) = self.newest_backup(|_| true) {
            let lost = (info.epoch == marked.epoch).then(|| marked.commits.saturating_sub(info.commits));
            return self.restore(&path, lost, steps);
        }
        let kept = self.set_aside()?;
        let detail = match kept {
            Some(kept) => format!(
                "{why}, and there is no backup: the store begins anew; what was there is in {}",
                kept.display()
            ),
            None => format!("{why}, and there is no backup: the store begins anew"),
        };
        steps.push(self.step(detail.clone()));
        let lost = (marked.commits > 0).then_some(marked.commits);
        let rewound = Rewound::new(self.now(), Cause::Emptied, detail, lost);
        self.opened(steps, Some(rewound))
    }

    fn restore(&self, path: &Path, lost: Option<u64>, mut steps: Vec<Step>) -> Result<Opened, OpenError> {
        let made = self.dir().join("restored");
        remove_dir(&made)?;
        let detail = format!("the newest backup took its place: {}", path.display());
        let rewound = Rewound::new(self.now(), Cause::RestoredByItself, detail.clone(), lost);
        match archive::restore(path, &made, &rewound, (self.parts.epoch)(), self.now_ms()) {
            Ok(_) => {}
            Err(archive::ArchiveError::Open(error)) => return Err(error),
            Err(error) => {
                return Err(OpenError::Unusable {
                    dir: self.dir(),
                    why: format!(
                        "it is broken, and {} cannot be restored in its place: {}",
                        path.display(),
                        chain(&error)
                    ),
                });
            }
        }
        let kept = self.put_in_place(&made)?;
        steps.push(self.step(format!("{detail}; the original is in {}", kept.display())));
        let mut opened = self.opened(steps, None)?;
        opened.rewound = true;
        Ok(opened)
    }

    /// The newest backup that is whole and suits.
    fn newest_backup(
        &self,
        suits: impl Fn(&archive::ArchiveInfo) -> bool,
    ) -> Option<(PathBuf, archive::ArchiveInfo)> {
        let paths = match archive::list(&self.parts.backups) {
            Ok(paths) => paths,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::error!(%error, dir = %self.parts.backups.display(), "the backups cannot be listed");
                return None;
            }
        };
        paths.into_iter().find_map(|path| match archive::verify(&path) {
            Ok(info) => suits(&info).then_some((path, info)),
            Err(error) => {
                tracing::error!(error = %chain(&error), file = %path.display(), "a backup is not whole");
                None
            }
        })
    }

    /// Copies the engine's files to a store's directory of their own, without what the engine can do without.
    fn copy_without_snapshots(&self, copy: &Path) -> Result<(), String> {
        let text = |error: OpenError| chain(&error);
        remove_dir(copy).map_err(text)?;
        let to = engine_dir(copy);
        make_dir(&to).map_err(text)?;
        copy_engine(&engine_dir(&self.dir()), &to)
            .and_then(|()| mark::copy(&self.dir(), copy))
            .map_err(|error| error.to_string())
    }

    /// Puts the engine's files of another store's directory into the place of ours. Answers where ours are now.
    fn put_in_place(&self, made: &Path) -> Result<PathBuf, OpenError> {
        let kept = self.quarantine()?;
        let files = Files::lock(&self.dir())?;
        files.install(&engine_dir(made), &kept)?;
        drop(files);
        remove_dir(made)?;
        Ok(kept)
    }

    /// Moves the engine's files away. None: there are none.
    fn set_aside(&self) -> Result<Option<PathBuf>, OpenError> {
        let engine = engine_dir(&self.dir());
        if !engine.exists() {
            return Ok(None);
        }
        let kept = self.quarantine()?;
        fs::rename(&engine, &kept).map_err(io_error("rename", &engine))?;
        sync(&self.dir()).map_err(io_error("sync", &self.dir()))?;
        Ok(Some(kept))
    }

    /// A free name for an original; the oldest ones make room.
    fn quarantine(&self) -> Result<PathBuf, OpenError> {
        let dir = self.parts.data_dir.join("quarantine");
        make_dir(&dir)?;
        let list = || -> io::Result<Vec<PathBuf>> {
            let mut kept: Vec<PathBuf> = fs::read_dir(&dir)?
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<io::Result<_>>()?;
            kept.sort();
            Ok(kept)
        };
        let kept = list().map_err(io_error("list", &dir))?;
        let surplus = (kept.len() + 1).saturating_sub(KEPT_ORIGINALS);
        for old in &kept[..surplus.min(kept.len())] {
            remove_dir(old)?;
        }
        let stamp = self.now().to_rfc3339().replace([':', '-'], "");
        let free = (0..)
            .map(|n| dir.join(format!("{stamp}-{n}")))
            .find(|path| !path.exists());
        Ok(free.expect("invariant: some number is free"))
    }
}

/// Copies what the engine needs: its data and oversized pages.
fn copy_engine(from: &Path, to: &Path) -> io::Result<()> {
    fs::copy(from.join("db"), to.join("db"))?;
    fs::create_dir_all(to.join("blobs"))?;
    match fs::read_dir(from.join("blobs")) {
        Ok(blobs) => {
            for blob in blobs {
                let blob = blob?;
                fs::copy(blob.path(), to.join("blobs").join(blob.file_name()))?;
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    for path in [to.join("db"), to.join("blobs"), to.to_owned()] {
        sync(&path)?;
    }
    Ok(())
}

/// Acknowledged commits that a store of this name with so many lacks.
pub(super) fn lost_of(marked: Option<&Marked>, epoch: &str, commits: u64) -> u64 {
    marked
        .filter(|marked| marked.epoch == epoch)
        .map_or(0, |marked| marked.commits.saturating_sub(commits))
}

impl Marked {
    /// A mark of a store nobody knows.
    fn unknown() -> Self {
        Self::new(String::new(), 0)
    }
}

impl From<Unusable> for String {
    fn from(why: Unusable) -> Self {
        why.to_string()
    }
}
