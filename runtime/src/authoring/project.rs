//! A plugin's project: its folder, what is in it at first, and the manifest that says what it is.
//!
//! A project stands alone: the interface and the SDK are in its folder `selaras`, so that it builds anywhere with nothing
//! but its language's own tools.

mod name;

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};

use self::name::MAX_NAME_BYTES;
pub use self::name::is_taken;
use super::embedded;
use crate::plugin::Kind;

/// The file that says what a project is.
const MANIFEST: &str = "selaras-plugin.json";

/// A language that projects are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    /// Rust, by cargo.
    Rust,
    /// JavaScript, by componentize-qjs.
    Js,
    /// Python, by componentize-py.
    Python,
    /// C, by clang.
    C,
}

impl Lang {
    /// The word on the command line and in folders.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Js => "js",
            Self::Python => "python",
            Self::C => "c",
        }
    }
}

/// What a project is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The plugin's name.
    pub name: String,
    /// What it is for.
    pub kind: Kind,
    /// What it is written in.
    pub lang: Lang,
}

/// Why there is no project.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The name cannot be a plugin's.
    #[error(
        "`{0}` cannot be a plugin's name: it is made of 1 to {MAX_NAME_BYTES} small letters, digits and `_`, and begins with \
         a letter"
    )]
    Name(String),
    /// The name means something else already.
    #[error("`{name}` cannot be the plugin's name: {why}")]
    Taken {
        /// The name.
        name: String,
        /// By what.
        why: &'static str,
    },
    /// There is something of that name.
    #[error("{} is there already: choose another name, or remove it first", .0.display())]
    Exists(PathBuf),
    /// It cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The folder is no project.
    #[error(
        "{} is no plugin's project: {source}. Its file {MANIFEST} says what it is, e.g. \
         {{\"name\": \"my_plugin\", \"kind\": \"strategy\", \"lang\": \"rust\"}}; `selaras plugin new` makes one",
        path.display()
    )]
    NoManifest {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The manifest is not understood.
    #[error("{}: {source}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong, and where.
        source: serde_json::Error,
    },
}

impl Manifest {
    /// What the project in this folder is.
    ///
    /// # Errors
    /// When it is none, or says nothing that is understood.
    pub fn read(dir: &Path) -> Result<Self, ProjectError> {
        let path = dir.join(MANIFEST);
        let text = fs::read_to_string(&path).map_err(|source| ProjectError::NoManifest {
            path: dir.to_owned(),
            source,
        })?;
        let manifest: Self =
            serde_json::from_str(&text).map_err(|source| ProjectError::Manifest { path, source })?;
        name::check(&manifest.name)?;
        Ok(manifest)
    }
}

/// Makes the folder `parent/NAME` with a project that builds and passes its cases. Returns the folder.
///
/// # Errors
/// When the name cannot be had or something of it is there; what was written is then removed again.
pub fn create(parent: &Path, manifest: &Manifest) -> Result<PathBuf, ProjectError> {
    name::check(&manifest.name)?;
    let dir = parent.join(&manifest.name);
    match fs::create_dir(&dir) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(ProjectError::Exists(dir)),
        Err(source) => return Err(ProjectError::Write { path: dir, source }),
    }
    let written = files(manifest)
        .into_iter()
        .try_for_each(|(path, bytes)| write(&dir.join(path), &bytes));
    if written.is_err() {
        // What is told is why it could not be written; a leftover shows itself at the next try.
        let _ = fs::remove_dir_all(&dir);
    }
    written.map(|()| dir)
}

/// Everything a new project has, by its path in it.
fn files(manifest: &Manifest) -> Vec<(String, Vec<u8>)> {
    let Manifest {
        name: own,
        kind,
        lang,
    } = manifest;
    let mut all = vec![(
        MANIFEST.to_owned(),
        format!(
            "{}\n",
            serde_json::to_string_pretty(manifest).expect("invariant: a manifest can be written as JSON")
        )
        .into_bytes(),
    )];
    let words = |bytes: &[u8]| {
        String::from_utf8_lossy(bytes)
            .replace("{{name}}", own)
            .replace("{{Name}}", &name::camel(own))
            .replace("{{kind}}", &kind.to_string())
            .into_bytes()
    };
    for part in ["common", &kind.to_string()] {
        let template =
            embedded::below(&format!("sdk/templates/{}/{part}", lang.as_str())).collect::<Vec<_>>();
        // A dotted name would act in the tree that it comes from.
        all.extend(
            template
                .into_iter()
                .map(|(path, bytes)| (path.replace("gitignore", ".gitignore"), words(bytes))),
        );
    }
    let mut vendor = |from: &str, to: &str| {
        all.extend(embedded::below(from).map(|(path, bytes)| (format!("{to}/{path}"), bytes.to_vec())));
    };
    // The same in every language.
    vendor(&format!("sdk/templates/cases/{kind}"), "cases");
    vendor("wit", "selaras/wit");
    vendor(
        "sdk/docs",
        if *lang == Lang::Rust {
            "selaras/sdk/docs"
        } else {
            "selaras/docs"
        },
    );
    match lang {
        Lang::Rust => {
            vendor("sdk/rust", "selaras/sdk/rust");
            // The lock holds the very versions that the SDK is tested with; cargo drops what the plugin does not need.
            for (from, to) in [
                (
                    "sdk/templates/rust/selaras-sdk.toml",
                    "selaras/sdk/rust/Cargo.toml",
                ),
                ("sdk/README.md", "selaras/sdk/README.md"),
                ("Cargo.lock", "Cargo.lock"),
            ] {
                all.push((to.to_owned(), embedded::file(from).to_vec()));
            }
        }
        Lang::Js => vendor("sdk/js", "selaras"),
        Lang::Python => vendor("sdk/python", "selaras"),
        Lang::C => {
            vendor("sdk/c", "selaras/c");
            vendor(&format!("bindings/c/{kind}"), "selaras/c");
        }
    }
    all
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), ProjectError> {
    let write = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, bytes)
    };
    write().map_err(|source| ProjectError::Write {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_in_every_language_has_a_source_cases_and_no_placeholder_left() {
        for lang in [Lang::Rust, Lang::Js, Lang::Python, Lang::C] {
            for kind in [Kind::Strategy, Kind::Mapper] {
                let manifest = Manifest {
                    name: "stock_counts".into(),
                    kind,
                    lang,
                };
                let files = files(&manifest);
                let has = |wanted: &str| files.iter().any(|(path, _)| path == wanted);
                for wanted in [
                    "README.md",
                    ".gitignore",
                    "cases/basics.json",
                    "selaras/wit/plugin.wit",
                ] {
                    assert!(has(wanted), "{lang:?} {kind}: {wanted}");
                }
                for (path, bytes) in files.iter().filter(|(path, _)| !path.starts_with("selaras/")) {
                    assert!(
                        !String::from_utf8_lossy(bytes).contains("{{"),
                        "{lang:?} {kind}: {path}"
                    );
                }
            }
        }
    }
}
