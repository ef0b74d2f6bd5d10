//! A project in a folder of its own, and the tools that it is built with.

use selaras::plugin::bundle::BUNDLE;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};
use tempfile::TempDir;

pub struct Project {
    parent: TempDir,
    lang: &'static str,
    kind: &'static str,
}

impl Project {
    /// `selaras plugin new made_here …`.
    pub fn new(lang: &'static str, kind: &'static str) -> Self {
        let parent = tempfile::tempdir().unwrap();
        let mut new = command();
        new.current_dir(parent.path());
        let (code, out) = said(new.args(["plugin", "new", "made_here", "--kind", kind, "--lang", lang]));
        assert_eq!(code, 0, "{out}");
        Self { parent, lang, kind }
    }

    pub fn dir(&self) -> PathBuf {
        self.parent.path().join("made_here")
    }

    /// `cargo test` in it.
    pub fn native_tests(&self) {
        let mut test = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        test.current_dir(self.dir()).args(["test", "--quiet"]);
        let (code, out) = said(as_at_home(&mut test));
        assert!(code == 0 && out.contains("1 passed"), "{out}");
    }

    /// Builds it, and its cases hold.
    pub fn builds_and_passes(&self, grants: &[&str]) {
        let (lang, kind) = (self.lang, self.kind);
        let (code, out) = self.plugin("build", &[]);
        assert!(
            code == 0 && out.contains(&format!("accepted: made_here 0.1.0 ({kind})")),
            "{lang}: {out}"
        );
        let (code, out) = self.plugin(
            "test",
            &[grants, &["made_here.wasm", "cases/basics.json"]].concat(),
        );
        assert!(
            code == 0 && out.contains("6 passed, 0 failed"),
            "{lang} {kind}: {out}"
        );
    }

    /// It keeps the laws, on its cases and on a shop's documents.
    pub fn keeps_the_laws(&self) {
        let (lang, kind) = (self.lang, self.kind);
        for cases in [&["cases/basics.json"][..], &[]] {
            let (code, out) = self.plugin("laws", &[&["made_here.wasm", "--rounds", "30"], cases].concat());
            assert!(
                code == 0 && out.contains("0 of 5 laws broken"),
                "{lang} {kind}: {out}"
            );
        }
    }

    fn plugin(&self, what: &str, arguments: &[&str]) -> (i32, String) {
        let mut command = command();
        command
            .current_dir(self.dir())
            .args(["plugin", what])
            .args(arguments);
        said(as_at_home(&mut command))
    }
}

pub fn root() -> PathBuf {
    let runtime = Path::new(env!("CARGO_MANIFEST_DIR"));
    runtime.parent().unwrap().to_owned()
}

/// Whether there are tools for this language; says so if not.
pub fn can(lang: &str) -> bool {
    let there = tools(lang).is_file();
    if !there {
        let required = env::var("SELARAS_REQUIRE_LANGS").unwrap_or_default();
        assert!(
            !required.split(',').any(|it| it == lang),
            "the tools for {lang} are required: run `make sdk-tools`"
        );
        eprintln!(
            "SKIPPED: plugins in {lang}: {} is not there; `make sdk-tools` says why",
            tools(lang).display()
        );
    }
    there
}

fn tools(lang: &str) -> PathBuf {
    root().join(".tools").join(match lang {
        "js" => "js/node_modules/.bin/componentize-qjs",
        "python" => "python/bin/componentize-py",
        "c" => "c/bin/clang",
        other => panic!("no tools for {other}"),
    })
}

/// The component of a plugin that comes with the binary.
pub fn embedded(name: &str) -> &'static [u8] {
    BUNDLE.iter().find(|(there, _)| *there == name).unwrap().1
}

pub fn command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_selaras"))
}

/// Exit code, and everything it printed.
pub fn said(command: &mut Command) -> (i32, String) {
    let answer = command.output().unwrap();
    let text = [answer.stdout, answer.stderr].concat();
    (
        answer.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

/// With the tools on the PATH, without what the cargo that runs this test set, and with one target directory for all
/// projects: the SDK is built once.
fn as_at_home(command: &mut Command) -> &mut Command {
    let tools = ["js", "python", "c"].map(|lang| tools(lang).parent().unwrap().to_owned());
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(tools.into_iter().chain(env::split_paths(&path))).unwrap();
    for (variable, _) in env::vars_os() {
        let name = variable.to_string_lossy();
        let kept = [
            "CARGO_HOME",
            "CARGO_NET_",
            "CARGO_HTTP_",
            "CARGO_REGISTR",
            "CARGO_SOURCE_",
        ];
        if name.starts_with("CARGO") && !kept.iter().any(|kept| name.starts_with(kept)) {
            command.env_remove(&variable);
        }
    }
    if let Some(rustc) = guest_rustc() {
        command.env("RUSTC", rustc);
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("authoring");
    command.env("PATH", path).env("CARGO_TARGET_DIR", target)
}

/// The compiler that `plugins/toolchain.sh` chose, where that is another than the one at hand.
fn guest_rustc() -> Option<PathBuf> {
    let text = fs::read_to_string(root().join("plugins/.toolchain/env.sh")).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("export GUEST_RUSTC="))?;
    let path = PathBuf::from(line.trim_matches('\''));
    path.exists().then_some(path)
}
