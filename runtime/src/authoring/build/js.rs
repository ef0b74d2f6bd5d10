//! JavaScript: componentize-qjs makes a component with QuickJS in it and without WASI.

use std::path::Path;

use super::tool::{Tool, absolute};
use super::{BuildError, world};
use crate::authoring::project::Manifest;

/// Makes a component of `plugin.js` and what it imports.
pub(super) fn component(dir: &Path, manifest: &Manifest, out: &Path) -> Result<(), BuildError> {
    let out = absolute(out)?;
    let tool = Tool::find(
        "componentize-qjs",
        &[absolute(&dir.join("node_modules/.bin/componentize-qjs"))?],
        format!("run `npm install` in {}", dir.display()),
    );
    tool.run(dir, |command| {
        command
            .args(["--wit", "selaras/wit", "--world", world(manifest.kind)])
            .args(["--js", "plugin.js", "--module-root", "."])
            .args(["--sync", "--stub-wasi", "--opt-size", "--output"])
            .arg(&out);
    })?;
    Ok(())
}
