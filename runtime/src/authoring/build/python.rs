//! Python: componentize-py makes a component with CPython in it. Its WASI is stubbed, so it needs no grant but `large`.

use std::env;
use std::path::{Path, PathBuf};

use super::tool::{Tool, absolute};
use super::{BuildError, world};
use crate::authoring::project::Manifest;

/// Makes a component of `plugin.py` and what it imports.
pub(super) fn component(dir: &Path, manifest: &Manifest, out: &Path) -> Result<(), BuildError> {
    let out = absolute(out)?;
    let mut places = vec![absolute(&dir.join(".venv/bin/componentize-py"))?];
    places.extend(env::var_os("VIRTUAL_ENV").map(|venv| PathBuf::from(venv).join("bin/componentize-py")));
    let install = format!(
        "run `python3 -m venv .venv && .venv/bin/pip install -r requirements.txt` in {}",
        dir.display()
    );
    Tool::find("componentize-py", &places, install).run(dir, |command| {
        command
            .args(["--wit-path", "selaras/wit", "--world", world(manifest.kind)])
            .args(["componentize", "plugin", "--stub-wasi", "--output"])
            .arg(&out);
    })?;
    Ok(())
}
