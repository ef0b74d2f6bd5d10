//! Makes a component of a project: each language's own tools, found where a project has them, and a last step here for
//! those that end with a core module.

mod c;
mod js;
mod python;
mod rust;
mod tool;

use std::path::{Path, PathBuf};
use std::{fs, io};

use wit_component::ComponentEncoder;

use super::project::{Lang, Manifest, ProjectError};
use crate::plugin::Kind;

/// A component that was made.
pub struct Built {
    /// Where it is.
    pub file: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// What it was made of.
    pub manifest: Manifest,
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The folder is no project.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// A tool is not there.
    #[error("{tool} is missing: {install}")]
    Missing {
        /// The tool.
        tool: String,
        /// The command that installs it.
        install: String,
    },
    /// A tool does not start.
    #[error("{tool} does not start: {source}")]
    Start {
        /// The tool.
        tool: String,
        /// Why.
        source: io::Error,
    },
    /// A tool failed; what it has to say was on standard error.
    #[error("{tool} failed{said}")]
    Failed {
        /// The tool.
        tool: String,
        /// What it printed, after a colon; may be empty.
        said: String,
    },
    /// A tool ended well and made nothing.
    #[error("{tool} ended without an error, but made no {what}")]
    Nothing {
        /// The tool.
        tool: String,
        /// What is missing.
        what: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The module cannot become a component.
    #[error(
        "what was compiled is no plugin: {0}. Does it export one, with `export_strategy!` or `export_mapper!`?"
    )]
    Component(String),
}

/// Builds the project in `dir`; the component becomes `out`, or `dir/NAME.wasm`.
///
/// # Errors
/// Says which tool is missing and the command that installs it, or what is wrong with the project.
pub fn build(dir: &Path, out: Option<&Path>) -> Result<Built, BuildError> {
    let manifest = Manifest::read(dir)?;
    let file = out.map_or_else(|| dir.join(format!("{}.wasm", manifest.name)), Path::to_owned);
    match manifest.lang {
        Lang::Rust => component(&rust::module(dir)?, &file)?,
        Lang::C => component(&c::module(dir, &manifest)?, &file)?,
        Lang::Js => js::component(dir, &manifest, &file)?,
        Lang::Python => python::component(dir, &manifest, &file)?,
    }
    let bytes = fs::metadata(&file).map_err(unusable(&file))?.len();
    Ok(Built {
        file,
        bytes,
        manifest,
    })
}

/// Makes a component of a core module that carries its interface.
fn component(module: &Path, out: &Path) -> Result<(), BuildError> {
    let bytes = fs::read(module).map_err(unusable(module))?;
    let component = ComponentEncoder::default()
        .validate(true)
        .module(&bytes)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| BuildError::Component(format!("{error:#}")))?;
    fs::write(out, component).map_err(unusable(out))
}

/// The name of a kind's world in the interface.
fn world(kind: Kind) -> &'static str {
    match kind {
        Kind::Strategy => "strategy-plugin",
        Kind::Mapper => "mapper-plugin",
    }
}

fn unusable(path: &Path) -> impl FnOnce(io::Error) -> BuildError {
    let path = path.to_owned();
    move |source| BuildError::File { path, source }
}
