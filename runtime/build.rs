//! Builds the plugins under `plugins/`, encodes them as components and writes the list that `plugin::bundle` includes; then
//! the list of what new plugin projects start from, for `authoring::embedded`.
//!
//! It must not guess: without the wasm target it says in one line what to run. The guests' target directory is shared by
//! all profiles (and by clippy), because the components are the same whatever the runtime is built as.

#[path = "build/authoring.rs"]
mod authoring;
#[path = "build/component.rs"]
mod component;
#[path = "build/guests.rs"]
mod guests;
#[path = "build/toolchain.rs"]
mod toolchain;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs, io};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            // Cargo shows this as one error line and fails the build; an exit code would add a page of noise.
            println!(
                "cargo::error={}",
                problem.trim_end().replace('\n', "\ncargo::error=")
            );
            ExitCode::SUCCESS
        }
    }
}

fn run() -> Result<(), String> {
    let out = PathBuf::from(variable("OUT_DIR")?);
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let root = manifest
        .parent()
        .ok_or("the runtime's crate must lie in the workspace")?;

    let names = guests::names(root)?;
    for path in [
        "Cargo.lock",
        "Cargo.toml",
        "sdk/rust",
        "wit",
        "runtime/build.rs",
        "runtime/build",
    ] {
        println!("cargo::rerun-if-changed={}", root.join(path).display());
    }
    for name in &names {
        println!(
            "cargo::rerun-if-changed={}",
            root.join("plugins").join(name).display()
        );
    }

    for path in authoring::embed(root, &out)? {
        println!("cargo::rerun-if-changed={}", path.display());
    }

    let rustc = toolchain::guest_rustc(root)?;
    let modules = guests::build(root, &guests::target_dir(&out), &rustc, &names)?;

    let mut list =
        String::from("/// Each plugin's name and component.\npub static BUNDLE: &[(&str, &[u8])] = &[\n");
    for (name, module) in modules {
        let file = out.join(format!("{name}.wasm"));
        let encoded =
            component::encode(&read(&module)?).map_err(|problem| format!("plugin {name}: {problem}"))?;
        fs::write(&file, encoded).map_err(|error| unusable(&file, &error))?;
        writeln!(list, "    ({name:?}, include_bytes!({file:?})),").map_err(|error| error.to_string())?;
    }
    list.push_str("];\n");
    let file = out.join("bundle.rs");
    fs::write(&file, list).map_err(|error| unusable(&file, &error))
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|error| format!("{name}: {error}"))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}
