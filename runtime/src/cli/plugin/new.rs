//! `selaras plugin new`: a project to start from.

use crate::authoring::{Lang, Manifest, create};
use crate::plugin::Kind;
use std::path::Path;
use std::process::ExitCode;

/// Makes it in the working directory and says how to go on.
///
/// # Errors
/// When the name cannot be had, or the folder is there.
pub fn run(name: String, kind: Kind, lang: Lang) -> anyhow::Result<ExitCode> {
    let manifest = Manifest { name, kind, lang };
    let dir = create(Path::new("."), &manifest)?;
    let name = &manifest.name;
    println!(
        "A {kind} in {} is in {}. Go on with:\n",
        word(lang),
        dir.display()
    );
    println!("  cd {name}");
    match lang {
        Lang::Js => println!("  npm install"),
        Lang::Python => println!("  python3 -m venv .venv && .venv/bin/pip install -r requirements.txt"),
        Lang::Rust => println!("  cargo test"),
        Lang::C => {}
    }
    let large = if lang == Lang::Python { " --large" } else { "" };
    println!("  selaras plugin build");
    println!("  selaras plugin test{large} {name}.wasm cases/*.json");
    println!("  selaras plugin laws{large} {name}.wasm cases/*.json");
    println!(
        "\n{} says where to write what.",
        Path::new(name).join("README.md").display()
    );
    Ok(ExitCode::SUCCESS)
}

fn word(lang: Lang) -> &'static str {
    match lang {
        Lang::Rust => "Rust",
        Lang::Js => "JavaScript",
        Lang::Python => "Python",
        Lang::C => "C",
    }
}
