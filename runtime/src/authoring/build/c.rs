//! C: clang makes a core module, without a C library: `selaras/c` has the little that is needed of one.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::tool::Tool;
use super::{BuildError, unusable};
use crate::authoring::project::Manifest;
use crate::plugin::Kind;

/// Compiles and links every `*.c` of the project; the module's file.
pub(super) fn module(dir: &Path, manifest: &Manifest) -> Result<PathBuf, BuildError> {
    let kind = match manifest.kind {
        Kind::Strategy => "strategy",
        Kind::Mapper => "mapper",
    };
    let mut sources = sources(dir, "")?;
    sources.extend(self::sources(dir, "selaras/c")?);
    fs::create_dir_all(dir.join("build")).map_err(unusable(dir))?;
    let module = Path::new("build").join(format!("{}.module.wasm", manifest.name));
    let clang = env::var_os("CLANG").map(PathBuf::from);
    let install =
        "install clang and lld, e.g. `apt-get install clang lld`; CLANG names another one".to_owned();
    Tool::find("clang", clang.as_slice(), install).run(dir, |command| {
        command
            .args([
                "--target=wasm32-unknown-unknown",
                "-std=c11",
                "-Os",
                "-Wall",
                "-Wextra",
            ])
            .args(["-ffreestanding", "-nostdlib", "-mbulk-memory"])
            .args(["-isystem", "selaras/c/include", "-I", "selaras/c"])
            .arg(format!("-DSELARAS_{}", kind.to_uppercase()))
            .args([
                "-Wl,--no-entry",
                "-Wl,--strip-debug",
                "-Wl,-z,stack-size=65536",
                "-Wl,--stack-first",
            ])
            .args(&sources)
            .arg(format!("selaras/c/{kind}_plugin_component_type.o"))
            .arg("-o")
            .arg(&module);
    })?;
    Ok(dir.join(module))
}

/// The sources in a folder of the project, by their paths in it.
fn sources(dir: &Path, folder: &str) -> Result<Vec<PathBuf>, BuildError> {
    let path = dir.join(folder);
    let mut found = Vec::new();
    for entry in fs::read_dir(&path).map_err(unusable(&path))? {
        let name = entry.map_err(unusable(&path))?.file_name();
        if Path::new(&name)
            .extension()
            .is_some_and(|extension| extension == "c")
        {
            found.push(Path::new(folder).join(name));
        }
    }
    found.sort();
    Ok(found)
}
