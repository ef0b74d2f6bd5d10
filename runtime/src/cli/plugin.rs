//! `selaras plugin …`: what would be loaded, and the workbench of those who write plugins.

mod bench;
mod build;
mod check;
mod laws;
mod list;
mod new;
mod show;
mod signing;
mod test;

use crate::authoring::{Lang, Wanted};
use crate::config::Config;
use crate::plugin::{Grants, Kind};
use clap::{Subcommand, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Subcommand)]
pub enum Command {
    /// List the plugins of the running outlet, or those that it would load.
    List,
    /// Make a project in the folder NAME that builds and passes its cases.
    New {
        /// The plugin's name: small letters, digits and `_`.
        name: String,
        /// What it is for.
        #[arg(long, value_enum)]
        kind: KindArg,
        /// What it is written in.
        #[arg(long, value_enum)]
        lang: LangArg,
    },
    /// Make a component of a project, by its language's own tools, and take it through the gate.
    Build {
        /// The project's folder.
        #[arg(default_value = ".")]
        dir: PathBuf,
        /// Where to; NAME.wasm in the project's folder when left out.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Say whether a component would be accepted, and why not.
    Check {
        /// The component.
        file: PathBuf,
        #[command(flatten)]
        grants: GrantArgs,
    },
    /// Ask a component about the cases in files, and say where its answers differ. Exit code 1 if one does.
    Test {
        /// The component.
        file: PathBuf,
        /// Files of cases.
        #[arg(required = true)]
        cases: Vec<PathBuf>,
        #[command(flatten)]
        grants: GrantArgs,
    },
    /// Measure what a component's calls take.
    Bench {
        /// The component.
        file: PathBuf,
        /// Files of cases to ask about; documents of a shop of about 1 KB when left out.
        cases: Vec<PathBuf>,
        /// Calls in each way.
        #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        calls: u32,
        #[command(flatten)]
        grants: GrantArgs,
    },
    /// Try what a good plugin keeps, on cases and variations of them. Exit code 1 if a law is broken.
    Laws {
        /// The component.
        file: PathBuf,
        /// Files of cases to start from; documents of a shop when left out.
        cases: Vec<PathBuf>,
        /// The settings, as JSON. With cases, theirs are used.
        #[arg(long, default_value = "{}", conflicts_with = "cases")]
        settings: String,
        /// The strategy treats both sides alike: demand that exchanging them changes nothing.
        #[arg(long)]
        symmetric: bool,
        /// Fields whose amounts a merge must conserve, e.g. `total,lines.price`.
        #[arg(long, value_name = "PATHS", value_delimiter = ',')]
        money: Vec<String>,
        /// About how many questions.
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        rounds: u32,
        /// What the variations follow from: the same seed, the same questions.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        #[command(flatten)]
        grants: GrantArgs,
    },
    /// Make a key to sign plugins with: the secret half into a new FILE, the public one to standard output.
    Keygen {
        /// Where to.
        file: PathBuf,
    },
    /// Sign a component, so that outlets with PLUGIN_TRUSTED_KEYS take it.
    Sign {
        /// The component; replaced by the signed one.
        file: PathBuf,
        /// The file of the key.
        #[arg(long)]
        key: PathBuf,
        /// Write the signed one here, and leave FILE as it is.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Say whether a component was signed with a key. Exit code 1 when it was not.
    Verify {
        /// The component.
        file: PathBuf,
        /// The public key, or a file that holds it.
        #[arg(long)]
        key: String,
    },
}

/// What a plugin is for.
#[derive(Clone, Copy, ValueEnum)]
pub enum KindArg {
    /// Decides conflicts.
    Strategy,
    /// Translates documents.
    Mapper,
}

/// What a plugin is written in.
#[derive(Clone, Copy, ValueEnum)]
pub enum LangArg {
    /// By cargo.
    Rust,
    /// By componentize-qjs, from npm.
    Js,
    /// By componentize-py, from PyPI; needs the `large` grant.
    Python,
    /// By clang.
    C,
}

/// What the component would be granted when it is installed.
#[derive(clap::Args)]
pub struct GrantArgs {
    /// Grant it a file of up to 64 MiB, as Python's are.
    #[arg(long)]
    large: bool,
    /// Grant it WASI that does nothing.
    #[arg(long)]
    wasi: bool,
}

/// Runs one of them. `config` is asked for only where an outlet's data matters.
///
/// # Errors
/// When it cannot be done; what a plugin does wrong is an exit code.
pub fn run(command: Command, config: impl FnOnce() -> anyhow::Result<Config>) -> anyhow::Result<ExitCode> {
    match command {
        Command::List => list::run(&config()?),
        Command::New { name, kind, lang } => new::run(name, kind.into(), lang.into()),
        Command::Build { dir, out } => build::run(&dir, out.as_deref()),
        Command::Check { file, grants } => check::run(&file, grants.into()),
        Command::Test { file, cases, grants } => test::run(&file, &cases, grants.into()),
        Command::Bench {
            file,
            cases,
            calls,
            grants,
        } => bench::run(&file, &cases, calls as usize, grants.into()),
        Command::Laws {
            file,
            cases,
            settings,
            symmetric,
            money,
            rounds,
            seed,
            grants,
        } => {
            let wanted = Wanted {
                settings,
                cases,
                symmetric,
                money,
                rounds: rounds as usize,
                seed,
            };
            laws::run(&file, &wanted, grants.into())
        }
        Command::Keygen { file } => signing::keygen(&file),
        Command::Sign { file, key, out } => signing::sign(&file, &key, out.as_deref()),
        Command::Verify { file, key } => signing::verify(&file, &key),
    }
}

impl From<GrantArgs> for Grants {
    fn from(GrantArgs { large, wasi }: GrantArgs) -> Self {
        Self { large, wasi }
    }
}

impl From<KindArg> for Kind {
    fn from(kind: KindArg) -> Self {
        match kind {
            KindArg::Strategy => Self::Strategy,
            KindArg::Mapper => Self::Mapper,
        }
    }
}

impl From<LangArg> for Lang {
    fn from(lang: LangArg) -> Self {
        match lang {
            LangArg::Rust => Self::Rust,
            LangArg::Js => Self::Js,
            LangArg::Python => Self::Python,
            LangArg::C => Self::C,
        }
    }
}
