//! Embeds what new plugin projects start from: the interface, the SDKs, the templates, and bindings for C.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use wit_bindgen_core::Files;
use wit_bindgen_core::wit_parser::Resolve;

/// The folders whose files are embedded. Tests of the SDK stay at home: their tools do.
const FOLDERS: [&str; 7] = [
    "wit",
    "sdk/rust",
    "sdk/js",
    "sdk/python",
    "sdk/c",
    "sdk/docs",
    "sdk/templates",
];

/// Single files.
const FILES: [&str; 2] = ["Cargo.lock", "sdk/README.md"];

/// Writes the list that `authoring::embedded` includes. Answers what has to be watched.
pub fn embed(root: &Path, out: &Path) -> Result<Vec<PathBuf>, String> {
    let mut paths: Vec<PathBuf> = FILES.iter().map(PathBuf::from).collect();
    for folder in FOLDERS {
        collect(root, Path::new(folder), &mut paths)?;
    }
    paths.sort();
    let mut list = String::from("/// Each file's path and content.\nstatic FILES: &[(&str, &[u8])] = &[\n");
    let mut add = |name: &str, file: &Path| {
        writeln!(list, "    ({name:?}, include_bytes!({file:?})),").map_err(|error| error.to_string())
    };
    for path in &paths {
        add(&path.to_string_lossy(), &root.join(path))?;
    }
    for kind in ["strategy", "mapper"] {
        let folder = out.join("bindings/c").join(kind);
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        for (name, bytes) in bindings(root, &format!("{kind}-plugin"))? {
            let file = folder.join(&name);
            fs::write(&file, bytes).map_err(|error| format!("{}: {error}", file.display()))?;
            add(&format!("bindings/c/{kind}/{name}"), &file)?;
        }
    }
    list.push_str("];\n");
    let file = out.join("authoring.rs");
    fs::write(&file, list).map_err(|error| format!("{}: {error}", file.display()))?;
    let folders = FOLDERS.iter().chain(&FILES).map(|path| root.join(path));
    Ok(folders.collect())
}

fn collect(root: &Path, folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), String> {
    let entries =
        fs::read_dir(root.join(folder)).map_err(|error| format!("{}: {error}", folder.display()))?;
    for entry in entries {
        let name = entry
            .map_err(|error| format!("{}: {error}", folder.display()))?
            .file_name();
        let path = folder.join(&name);
        if root.join(&path).is_dir() {
            collect(root, &path, paths)?;
        } else if !is_left_out(&path) {
            paths.push(path);
        }
    }
    Ok(())
}

/// The SDK's own tests and manifest: in a project it has another, which leans on no workspace.
fn is_left_out(path: &Path) -> bool {
    path.starts_with("sdk/rust")
        && ["tests.rs", "laws.rs", "Cargo.toml"]
            .iter()
            .any(|name| path.ends_with(name))
        || path.extension().is_some_and(|extension| extension == "pyc")
}

/// The bindings of a world for C.
fn bindings(root: &Path, world: &str) -> Result<Vec<(String, Vec<u8>)>, String> {
    let words = |error: &dyn std::fmt::Display| format!("bindings for C: {error:#}");
    let mut resolve = Resolve::default();
    let (package, _) = resolve
        .push_path(root.join("wit"))
        .map_err(|error| words(&error))?;
    let world = resolve
        .select_world(&[package], Some(world))
        .map_err(|error| words(&error))?;
    let mut files = Files::default();
    wit_bindgen_c::Opts::default()
        .build()
        .generate(&mut resolve, world, &mut files)
        .map_err(|error| words(&error))?;
    Ok(files
        .iter()
        .map(|(name, bytes)| (name.to_owned(), bytes.to_vec()))
        .collect())
}
