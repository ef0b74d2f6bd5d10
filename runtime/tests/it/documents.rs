//! The documents say what is so: the tests, files and variables that they name exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    let runtime = Path::new(env!("CARGO_MANIFEST_DIR"));
    runtime.parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What stands between backticks on one line.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

fn is_test_name(word: &str) -> bool {
    word.matches('_').count() >= 3
        && word
            .chars()
            .all(|c| c == '_' || c.is_ascii_lowercase() || c.is_ascii_digit())
}

/// The names of all functions in the sources below `dir`.
fn functions(dir: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let names = text
                .split("fn ")
                .skip(1)
                .filter_map(|rest| rest.split('(').next());
            found.extend(names.map(str::to_owned));
        }
    }
}

#[test]
fn what_the_documents_name_exists() {
    let mut functions_there = BTreeSet::new();
    for dir in ["runtime", "sdk", "plugins", "examples"] {
        functions(&root().join(dir), &mut functions_there);
    }
    let text = read("ARCHITECTURE.md");
    let tests: Vec<&str> = quoted(&text).filter(|word| is_test_name(word)).collect();
    assert!(tests.len() > 30, "only {} tests are named", tests.len());
    let gone: Vec<_> = tests
        .iter()
        .filter(|name| !functions_there.contains(**name))
        .collect();
    assert!(gone.is_empty(), "no such tests: {gone:?}");

    let path = |word: &&str| {
        ["runtime/", "plugins/", "sdk/", "examples/", "wit/"]
            .iter()
            .any(|dir| word.starts_with(dir))
    };
    let gone: Vec<_> = quoted(&text)
        .filter(path)
        .filter(|path| !root().join(path).exists())
        .collect();
    assert!(gone.is_empty(), "no such files: {gone:?}");
}

#[test]
fn links_lead_somewhere() {
    for document in [
        "README.md",
        "ARCHITECTURE.md",
        "sdk/README.md",
        "sdk/docs/cases.md",
    ] {
        let text = read(document);
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://") && !target.starts_with('#')) {
            let file = root().join(document).parent().unwrap().join(target);
            assert!(file.exists(), "{document} links to {target}");
        }
    }
}

#[test]
fn the_configuration_table_is_complete_and_has_nothing_more() {
    let text = read("README.md");
    let table = text
        .split("| variable |")
        .nth(1)
        .and_then(|rest| rest.split("\n\n").next())
        .unwrap();
    let first_cells = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split(" | ").next());
    let told: BTreeSet<&str> = first_cells
        .flat_map(|cell| cell.split([',', '`', ' ', '|']))
        .filter(|word| !word.is_empty())
        .collect();

    let source = read("runtime/src/config.rs");
    let reader = source.split("#[cfg(test)]").next().unwrap().to_owned();
    // What is written over several lines, as if it was not.
    let reader = reader + &read("runtime/src/config/transport.rs") + &read("runtime/src/config/secrets.rs");
    let reader = reader.replace("(\n", "(");
    let reader: String = reader
        .split("( ")
        .map(str::trim_start)
        .collect::<Vec<_>>()
        .join("(");
    let asked = [
        "text(\"",
        "secret(\"",
        "flag(\"",
        "number(\"",
        "name(\"",
        "count(\"",
        "seconds(\"",
    ];
    let mut read_there: BTreeSet<&str> = BTreeSet::new();
    for call in asked {
        read_there.extend(
            reader
                .split(&format!("self.{call}"))
                .skip(1)
                .filter_map(|rest| rest.split('"').next()),
        );
    }
    // Written over several lines.
    read_there.extend(
        reader
            .split(".text(\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next()),
    );
    read_there.remove("RUST_LOG");
    assert_eq!(told, read_there);
}
