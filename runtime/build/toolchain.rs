//! Finds the compiler for the plugins: the one `plugins/toolchain.sh` chose, or the workspace's own. Installs nothing.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// What plugins are compiled to.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// A compiler that can build for [`TARGET`].
pub fn guest_rustc(root: &Path) -> Result<PathBuf, String> {
    println!("cargo::rerun-if-env-changed=GUEST_RUSTC");
    let written = root.join("plugins/.toolchain/env.sh");
    if written.exists() {
        println!("cargo::rerun-if-changed={}", written.display());
    }
    let rustc = env::var_os("GUEST_RUSTC")
        .map(PathBuf::from)
        .or_else(|| from_env_sh(&written))
        .or_else(|| env::var_os("RUSTC").map(PathBuf::from))
        .unwrap_or_else(|| "rustc".into());
    if has_target(&rustc) {
        return Ok(rustc);
    }
    Err(format!(
        "{} cannot build for {TARGET}, which the plugins need: run `make wasm-target`",
        rustc.display()
    ))
}

/// The compiler named by the line `export GUEST_RUSTC='…'`, while it is still there.
fn from_env_sh(file: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(file).ok()?;
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix("export GUEST_RUSTC="))?;
    let path = PathBuf::from(value.trim_matches('\''));
    path.exists().then_some(path)
}

fn has_target(rustc: &Path) -> bool {
    let Ok(answer) = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
    else {
        return false;
    };
    let Ok(dir) = String::from_utf8(answer.stdout) else {
        return false;
    };
    let Ok(mut files) = fs::read_dir(dir.trim()) else {
        return false;
    };
    files.any(|file| file.is_ok_and(|file| file.file_name().to_string_lossy().starts_with("libcore-")))
}
