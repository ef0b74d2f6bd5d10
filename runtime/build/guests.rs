//! Compiles the guest crates to core modules with a cargo of their own. Knows nothing of components.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::toolchain::TARGET;

/// The crates under `plugins/`, in order.
pub fn names(root: &Path) -> Result<Vec<String>, String> {
    let dir = root.join("plugins");
    let entries = fs::read_dir(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| format!("{}: {error}", dir.display()))?;
        if entry.path().join("Cargo.toml").is_file() {
            let name = entry
                .file_name()
                .into_string()
                .map_err(|name| format!("{}: not a crate's name", name.display()))?;
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Where the guests are built: beside the profiles of the target directory this build writes to, so that every profile
/// finds what another has built. Never the same directory, whose lock the outer cargo holds.
pub fn target_dir(out: &Path) -> PathBuf {
    let shared = out.ancestors().find(|dir| dir.join("CACHEDIR.TAG").is_file());
    shared.unwrap_or(out).join("guests")
}

/// Builds the crates; answers each plugin's name (the crate's with underscores) and its core module.
pub fn build(
    root: &Path,
    target: &Path,
    rustc: &Path,
    crates: &[String],
) -> Result<Vec<(String, PathBuf)>, String> {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).args([
        "build",
        "--locked",
        "--quiet",
        "--lib",
        "--profile",
        "guest",
        "--target",
        TARGET,
    ]);
    command.arg("--target-dir").arg(target);
    for name in crates {
        command.args(["--package", name]);
    }
    for (variable, _) in env::vars_os() {
        if is_the_outer_builds(&variable.to_string_lossy()) {
            command.env_remove(variable);
        }
    }
    command
        .env("RUSTC", rustc)
        .env("CARGO_ENCODED_RUSTFLAGS", flags(root));
    let answer = command
        .output()
        .map_err(|error| format!("cargo does not start: {error}"))?;
    if !answer.status.success() {
        return Err(format!(
            "the plugins do not build:\n{}",
            String::from_utf8_lossy(&answer.stderr)
        ));
    }
    let modules = target.join(TARGET).join("guest");
    let module = |name: &String| {
        let name = name.replace('-', "_");
        let file = modules.join(format!("{name}.wasm"));
        (name, file)
    };
    Ok(crates.iter().map(module).collect())
}

/// What cargo or clippy set for the build of the runtime itself. Left alone: where cargo lives and how it reaches crates.
fn is_the_outer_builds(variable: &str) -> bool {
    const OURS: [&str; 10] = [
        "TARGET",
        "HOST",
        "OPT_LEVEL",
        "PROFILE",
        "DEBUG",
        "NUM_JOBS",
        "OUT_DIR",
        "MAKEFLAGS",
        "MFLAGS",
        "CLIPPY_ARGS",
    ];
    const KEPT: [&str; 6] = [
        "CARGO_HOME",
        "CARGO_NET_",
        "CARGO_HTTP_",
        "CARGO_REGISTR",
        "CARGO_SOURCE_",
        "CARGO_TERM_",
    ];
    OURS.contains(&variable)
        || variable.starts_with("RUSTC")
        || variable.starts_with("RUSTFLAGS")
        || variable.starts_with("DEP_")
        || (variable.starts_with("CARGO") && !KEPT.iter().any(|kept| variable.starts_with(kept)))
}

/// Keeps this machine's paths out of the components, so that they do not depend on where they were built.
fn flags(root: &Path) -> OsString {
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cargo")))
        .unwrap_or_else(|| "/nonexistent".into());
    let mut flags = OsString::from("--remap-path-prefix=");
    flags.push(home.join("registry/src"));
    flags.push("=crates\u{1f}--remap-path-prefix=");
    flags.push(root);
    flags.push("=selaras");
    flags
}
