//! `selaras plugin new|build|test|laws|bench`, as a person uses them: every template in every language is built and tested.
//!
//! Languages whose tools `sdk/tools.sh` did not find are skipped with a line that says so; `SELARAS_REQUIRE_LANGS=js,python`
//! makes that a failure.

mod project;

use self::project::{Project, command, said};
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

#[test]
fn a_new_project_in_rust_builds_and_passes_its_tests() {
    for kind in ["strategy", "mapper"] {
        let project = Project::new("rust", kind);
        project.native_tests();
        project.builds_and_passes(&[]);
        project.keeps_the_laws();
    }
}

#[test]
fn a_new_project_in_javascript_builds_and_passes_its_tests() {
    if project::can("js") {
        for kind in ["strategy", "mapper"] {
            let project = Project::new("js", kind);
            project.builds_and_passes(&[]);
            project.keeps_the_laws();
        }
    }
}

#[test]
fn a_new_project_in_python_builds_and_passes_its_tests() {
    if project::can("python") {
        for kind in ["strategy", "mapper"] {
            // The gate takes its time for 18 MB, so the laws are left to the languages that share the templates' logic.
            Project::new("python", kind).builds_and_passes(&["--large"]);
        }
    }
}

#[test]
fn a_new_project_in_c_builds_and_passes_its_tests() {
    if project::can("c") {
        for kind in ["strategy", "mapper"] {
            let project = Project::new("c", kind);
            project.builds_and_passes(&[]);
            project.keeps_the_laws();
        }
    }
}

#[test]
fn what_javascript_reads_and_writes_keeps_its_digits() {
    if project::can("js") {
        let project = Project::new("js", "strategy");
        fs::write(
            project.dir().join("helpers.mjs"),
            include_str!("authoring/helpers.mjs"),
        )
        .unwrap();
        let (code, out) = said(Command::new("node").current_dir(project.dir()).arg("helpers.mjs"));
        assert!(code == 0 && out.contains("all as it should be"), "{out}");
    }
}

#[test]
fn the_code_in_the_guides_is_code_of_the_templates() {
    let sdk = project::root().join("sdk");
    let read = |path: &str| fs::read_to_string(sdk.join(path)).unwrap();
    let mut blocks = 0;
    for (page, fence, sources) in [
        (
            "cases",
            "json",
            [
                "templates/cases/strategy/basics.json",
                "templates/cases/mapper/basics.json",
            ],
        ),
        (
            "javascript",
            "js",
            ["templates/js/strategy/plugin.js", "templates/js/mapper/plugin.js"],
        ),
        (
            "python",
            "python",
            [
                "templates/python/strategy/plugin.py",
                "templates/python/mapper/plugin.py",
            ],
        ),
        (
            "c",
            "c",
            ["templates/c/strategy/plugin.c", "templates/c/mapper/plugin.c"],
        ),
    ] {
        let text = read(&format!("docs/{page}.md"));
        for block in text.split(&format!("```{fence}\n")).skip(1) {
            let code = block.split("```").next().unwrap();
            blocks += 1;
            assert!(
                sources.iter().any(|source| read(source).contains(code)),
                "docs/{page}.md has code of its own:\n{code}"
            );
        }
        assert_eq!(text.matches("\n```").count() % 2, 0, "docs/{page}.md");
    }
    assert!(blocks > 5, "{blocks}");
}

#[test]
fn the_guides_name_commands_that_there_are() {
    let (_, help) = said(command().args(["plugin", "--help"]));
    let root = project::root();
    for page in [
        "sdk/README.md",
        "sdk/docs/cases.md",
        "sdk/docs/laws.md",
        "sdk/templates/rust/common/README.md",
    ] {
        let text = fs::read_to_string(root.join(page)).unwrap();
        let named: Vec<&str> = text
            .split("selaras plugin ")
            .skip(1)
            .filter_map(|rest| rest.split([' ', '`', '\n']).next())
            .collect();
        assert!(!named.is_empty(), "{page}");
        for word in named {
            assert!(
                help.contains(&format!("  {word} ")),
                "{page} names `selaras plugin {word}`:\n{help}"
            );
        }
    }
}

#[test]
fn the_sdk_of_a_project_is_built_on_the_versions_of_this_one() {
    let root = project::root();
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    let versions = read("Cargo.toml");
    let theirs = read("sdk/templates/rust/selaras-sdk.toml");
    let own = read("sdk/rust/Cargo.toml");
    let (own, _) = own.split_once("[dev-dependencies]").unwrap();
    // What a manifest depends on, each as its workspace or it says, whether it can be left out or not.
    let of = |manifest: &str| -> BTreeSet<String> {
        let (_, dependencies) = manifest.split_once("[dependencies]").unwrap();
        let lines = dependencies
            .lines()
            .filter(|line| line.contains('=') && !line.starts_with('['));
        let written = lines.map(|line| match line.split(['.', ' ']).next() {
            Some(name) if line.contains("workspace = true") => {
                let found = versions
                    .lines()
                    .find(|line| line.starts_with(&format!("{name} = ")));
                found.expect("the workspace names its version").to_owned()
            }
            _ => line.replace(", optional = true", ""),
        });
        written.collect()
    };
    assert_eq!(of(own), of(&theirs), "the template has another dependency");
    assert_eq!(of(own).len(), 2);
}

#[test]
fn a_name_that_cannot_be_had_and_a_folder_that_is_there_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let new = |name: &str| {
        let mut command = command();
        command.current_dir(dir.path());
        said(command.args(["plugin", "new", name, "--kind", "strategy", "--lang", "js"]))
    };
    for (name, words) in [
        ("Stock", "small letters"),
        ("stock-counts", "small letters"),
        ("../up", "small letters"),
        ("cloud_wins", "comes with Selaras"),
        ("async", "word of the languages"),
    ] {
        let (code, out) = new(name);
        assert!(code == 1 && out.contains(words), "{name}: {code} {out}");
    }
    fs::create_dir(dir.path().join("mine")).unwrap();
    fs::write(dir.path().join("mine/precious"), "1").unwrap();
    let (code, out) = new("mine");
    assert!(code == 1 && out.contains("is there already"), "{out}");
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        1,
        "something was left behind"
    );
    assert_eq!(fs::read_dir(dir.path().join("mine")).unwrap().count(), 1);
}

#[test]
fn a_missing_tool_is_told_with_the_command_that_installs_it() {
    for (lang, tool, install) in [
        ("js", "componentize-qjs is missing", "npm install"),
        (
            "python",
            "componentize-py is missing",
            ".venv/bin/pip install -r requirements.txt",
        ),
        ("c", "clang is missing", "apt-get install clang lld"),
        ("rust", "rustc is missing", "rustup.rs"),
    ] {
        let project = Project::new(lang, "strategy");
        let mut build = command();
        for variable in ["RUSTC", "CLANG", "VIRTUAL_ENV"] {
            build.env_remove(variable);
        }
        build.current_dir(project.dir()).env("PATH", project.dir());
        let (code, out) = said(build.args(["plugin", "build"]));
        assert!(
            code == 1 && out.contains(tool) && out.contains(install),
            "{lang}: {out}"
        );
    }
}

#[test]
fn a_folder_that_is_no_project_is_refused_with_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let build = || {
        let mut command = command();
        command.args(["plugin", "build"]).arg(dir.path());
        said(&mut command)
    };
    let (code, out) = build();
    assert!(code == 1 && out.contains("selaras-plugin.json"), "{out}");
    fs::write(
        dir.path().join("selaras-plugin.json"),
        r#"{"name":"a","kind":"strategy","lang":"go"}"#,
    )
    .unwrap();
    let (code, out) = build();
    assert!(
        code == 1 && out.contains("unknown variant `go`") && out.contains("line 1"),
        "{out}"
    );
}

#[test]
fn a_case_that_is_answered_otherwise_fails_with_the_difference() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let component = file("field_merge.wasm", project::embedded("field_merge"));
    let cases = br#"{"cases":[
      {"name":"right","base":{"body":{"a":1,"b":1}},"local":{"body":{"a":2,"b":1}},"cloud":{"body":{"a":1,"b":3.10}},
       "expect":{"merge":{"a":2,"b":3.1}}},
      {"name":"wrong","base":{"body":{"a":1,"b":1}},"local":{"body":{"a":2,"b":1}},"cloud":{"body":{"a":1,"b":3}},
       "expect":{"merge":{"a":2,"b":4}}}]}"#;
    let cases = file("cases.json", cases);
    let (code, out) = said(command().args(["plugin", "test"]).arg(&component).arg(&cases));
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("ok   right") && out.contains("FAIL wrong"), "{out}");
    assert!(
        out.contains("b: expected 4, got 3") && out.contains("1 passed, 1 failed"),
        "{out}"
    );
    assert!(
        out.contains("fuel") && out.contains("MiB") && out.contains("s  "),
        "{out}"
    );

    let torn = file("torn.json", b"{\n\"cases\": [{\"local\": 3}]}");
    let (code, out) = said(command().args(["plugin", "test"]).arg(&component).arg(&torn));
    assert!(
        code == 1 && out.contains("torn.json") && out.contains("line 2"),
        "{out}"
    );
}

#[test]
fn laws_and_measurements_are_printed_with_an_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cloud_wins.wasm");
    fs::write(&path, project::embedded("cloud_wins")).unwrap();
    let laws = |more: &[&str]| {
        said(
            command()
                .args(["plugin", "laws", "--rounds", "20"])
                .arg(&path)
                .args(more),
        )
    };
    let (code, out) = laws(&[]);
    assert!(
        code == 0 && out.contains("kept") && out.contains("0 of 5 laws broken"),
        "{out}"
    );
    let (code, out) = laws(&["--symmetric"]);
    assert!(
        code == 1 && out.contains("BROKEN  with the sides exchanged"),
        "{out}"
    );
    let (code, out) = laws(&["--money", "price"]);
    assert!(code == 1 && out.contains("FAIL    a merge conserves"), "{out}");

    let (code, out) = said(command().args(["plugin", "bench", "--calls", "50"]).arg(&path));
    assert!(code == 0 && out.contains("P99") && out.contains(" 50 "), "{out}");

    // The gate that installation uses: the name is taken.
    let (code, out) = said(command().args(["plugin", "check"]).arg(&path));
    assert!(code == 1 && out.contains("name-taken"), "{out}");
}
