//! Rust: cargo makes a core module.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::BuildError;
use super::tool::Tool;

const TARGET: &str = "wasm32-unknown-unknown";

/// One line of what cargo tells of a build; other lines have other fields.
#[derive(Deserialize)]
struct Told {
    reason: String,
    manifest_path: Option<PathBuf>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// Compiles the crate in `dir`; the module's file.
pub(super) fn module(dir: &Path) -> Result<PathBuf, BuildError> {
    let install = "install Rust from https://rustup.rs".to_owned();
    let rustc = env::var_os("RUSTC").map(PathBuf::from);
    let rustc = Tool::find("rustc", rustc.as_slice(), install.clone());
    let libraries = rustc.run(dir, |command| {
        command.args(["--print", "target-libdir", "--target", TARGET]);
    })?;
    if !has_core(Path::new(libraries.trim())) {
        return Err(BuildError::Missing {
            tool: format!("the target {TARGET} of your Rust toolchain"),
            install: format!("run `rustup target add {TARGET}`"),
        });
    }
    let told = Tool::find("cargo", &[], install).run(dir, |command| {
        command
            .args(["build", "--release", "--lib", "--target", TARGET])
            .arg("--message-format=json-render-diagnostics");
    })?;
    let manifest = super::tool::absolute(&dir.join("Cargo.toml"))?;
    let manifest = fs::canonicalize(&manifest).unwrap_or(manifest);
    told.lines()
        .filter_map(|line| serde_json::from_str::<Told>(line).ok())
        .filter(|told| told.reason == "compiler-artifact" && told.manifest_path.as_ref() == Some(&manifest))
        .flat_map(|told| told.filenames)
        .find(|file| file.extension().is_some_and(|extension| extension == "wasm"))
        .ok_or_else(|| BuildError::Nothing {
            tool: "cargo".into(),
            what: "module: the library's crate-type has to name \"cdylib\"".into(),
        })
}

fn has_core(libraries: &Path) -> bool {
    let Ok(files) = fs::read_dir(libraries) else {
        return false;
    };
    files
        .flatten()
        .any(|file| file.file_name().to_string_lossy().starts_with("libcore-"))
}
