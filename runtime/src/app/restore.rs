//! A data directory's store made of a backup.

use super::{epoch, has_store, privacy};
use crate::clock::{Clock, SystemClock};
use crate::store::archive::{self, ArchiveInfo};
use crate::store::rewound::{Cause, Rewound};
use anyhow::{Context, bail};
use selaras_core::stamp::Millis;
use std::path::Path;

/// Makes the store of a data directory that has none. The file is verified before anything is written; killed in the
/// middle it leaves nothing that counts, and can be done again. Other files of the directory are not touched.
///
/// # Errors
/// When there is a store already, the file is no backup, not whole or of a newer program, or the store cannot be written.
pub fn restore(file: &Path, data_dir: &Path) -> anyhow::Result<ArchiveInfo> {
    let shown = file.display();
    let info = archive::verify(file).with_context(|| format!("{shown} cannot be restored"))?;
    let store = data_dir.join("store");
    if has_store(data_dir) {
        bail!(
            "{0} has a store already, and nothing is overwritten. If the backup is to take its place: stop the outlet, \
             move {0}/store away, and restore again; or choose another DATA_DIR",
            data_dir.display()
        );
    }
    privacy::data_dir(data_dir)
        .with_context(|| format!("the data directory {} cannot be used", data_dir.display()))?;
    let clock = SystemClock::new();
    let now = Millis(clock.wall_ms());
    let detail = format!(
        "a person restored {}, made at {}",
        file.canonicalize().unwrap_or_else(|_| file.to_owned()).display(),
        info.made_at.to_rfc3339()
    );
    let rewound = Rewound::new(now, Cause::Restored, detail, None);
    let now_ms = u64::try_from(now.0).unwrap_or(0);
    archive::restore(file, &store, &rewound, epoch(&clock), now_ms)
        .with_context(|| format!("{shown} could not be restored into {}", data_dir.display()))
}
