//! Imports point one way: `core ← {store, plugin, cloud, clock, metrics, secret} ← engine ← {http, control} ← app ← cli ← main`, siblings do not
//! know each other, and each foreign library has its room. Read from the sources, so a new file is checked as it comes.

mod source;

use self::source::{Named, paths};
use std::fs;
use std::path::{Path, PathBuf};

/// What a room may name of the other rooms.
#[rustfmt::skip] // a table
const ROOMS: &[(&str, &[&str])] = &[
    ("clock",  &[]),
    ("secret", &[]),
    // Recorded into by those who are told of something, so it lies below them all.
    ("metrics", &[]),
    ("store",  &[]),
    ("plugin", &["secret"]),
    ("cloud",  &["secret"]),
    // Traces on their way to a collector.
    ("telemetry", &["cloud"]),
    ("engine", &["store", "plugin", "cloud", "clock", "metrics", "secret"]),
    ("http",   &["engine", "metrics", "secret"]),
    ("control", &["engine"]),
    ("authoring", &["plugin", "clock", "secret"]),
    // What a process starts with is checked with the rooms' own words.
    ("config", &["engine", "plugin", "cloud", "store", "secret", "http", "telemetry"]),
    ("app",    &["config", "control", "http", "engine", "store", "plugin", "cloud", "clock", "metrics", "secret"]),
    ("cli",    &["app", "authoring", "config", "control", "http", "engine", "store", "plugin", "cloud", "clock", "secret", "telemetry"]),
    ("main",   &["cli"]),
];

/// Where a foreign library is named, and nowhere else.
#[rustfmt::skip] // a table
const LIBRARIES: &[(&str, &[&str])] = &[
    ("sled",         &["store::sled"]),
    ("rmp_serde",    &["store::rows"]),
    ("ring",         &["plugin::signature"]),
    ("lz4_flex",     &["store::archive"]),
    ("wasmtime",     &["plugin"]),
    ("wit_component", &["authoring::build", "plugin::fixtures"]),
    ("fastrand",     &["authoring"]),
    ("reqwest",      &["cloud", "cli::status"]),
    ("rustls",       &["cloud", "http::server::tls"]),
    ("tokio_rustls", &["http::server::tls"]),
    ("webpki",       &["cloud::trust", "http::server::tls"]),
    ("rustls_platform_verifier", &["cloud::trust"]),
    ("axum",         &["http"]),
    ("hyper",        &["http"]),
    ("hyper_util",   &["http"]),
    ("tower",        &["http"]),
    ("jsonwebtoken", &["http"]),
    ("argon2",       &["engine"]),
    ("getrandom",    &["clock"]),
    ("prometheus_client", &["metrics"]),
    ("opentelemetry", &["telemetry"]),
    ("opentelemetry_http", &["telemetry"]),
    ("opentelemetry_otlp", &["telemetry"]),
    ("opentelemetry_sdk", &["telemetry"]),
    ("tracing_opentelemetry", &["telemetry"]),
    ("zeroize",      &["secret"]),
    ("dotenvy",      &["config"]),
    ("clap",         &["cli"]),
    ("indicatif",    &["cli"]),
    ("anyhow",       &["app", "cli", "main"]),
];

/// What of the standard library would let the pure crate do or learn something by itself.
const IMPURE: [&str; 8] = ["env", "fs", "io", "net", "os", "process", "thread", "time"];

#[test]
fn imports_point_one_way() {
    let wrong = check(&runtime().join("src"), runtime_rules);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_rules_touch_nothing() {
    let wrong = check(&runtime().join("core/src"), core_rules);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_room_is_in_the_table() {
    let rooms = sources(&runtime().join("src")).into_iter().filter_map(|file| {
        let module = module_of(file.strip_prefix(runtime().join("src")).unwrap());
        module.into_iter().next()
    });
    for room in rooms {
        assert!(
            ROOMS.iter().any(|(name, _)| *name == room),
            "{room} has no rule in ROOMS"
        );
    }
}

#[test]
fn what_stands_alone_does_not_lean_on_the_runtime() {
    let runtime = runtime();
    let root = runtime.parent().unwrap();
    let guests = fs::read_dir(root.join("plugins"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let alone = [root.join("sdk/rust"), root.join("examples/cloud")];
    let manifests: Vec<_> = guests.chain(alone).map(|dir| dir.join("Cargo.toml")).collect();
    let read = |path: &PathBuf| fs::read_to_string(path).ok();
    assert!(
        manifests.iter().filter_map(read).count() > 3,
        "manifests are looked for in the wrong place"
    );
    for (path, text) in manifests.iter().filter_map(|path| Some((path, read(path)?))) {
        for crate_name in ["selaras", "selaras-core"] {
            assert!(
                !depends_on(&text, crate_name),
                "{} depends on {crate_name}",
                path.display()
            );
        }
    }
}

fn depends_on(manifest: &str, crate_name: &str) -> bool {
    manifest.lines().any(|line| {
        line.strip_prefix(crate_name)
            .is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
    })
}

fn runtime() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Each broken rule, as `file:line: what`.
fn check(root: &Path, rules: fn(&Named) -> Option<String>) -> Vec<String> {
    let files = sources(root);
    assert!(files.len() > 10, "{} holds no sources", root.display());
    let mut wrong = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let module = module_of(file.strip_prefix(root).unwrap());
        for named in paths(&text, &module) {
            if let Some(problem) = rules(&named) {
                wrong.push(format!("{}:{}: {problem}", file.display(), named.line));
            }
        }
    }
    wrong
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// `engine/push.rs` is `engine::push`; `lib.rs` is the root.
fn module_of(file: &Path) -> Vec<String> {
    let path = file.with_extension("");
    let names = path.iter().map(|name| name.to_string_lossy().into_owned());
    names.filter(|name| name != "lib").collect()
}

/// Tests may play with the clock, whatever they test.
fn is_test(module: &[String]) -> bool {
    let test_names = ["tests", "testing", "conformance", "fixtures"];
    module.iter().any(|name| test_names.contains(&name.as_str()))
}

fn runtime_rules(named: &Named) -> Option<String> {
    let Named { module, path, .. } = named;
    let room = module.first().map_or("lib", String::as_str);
    let shown = path.join("::");
    if matches!(path[0].as_str(), "crate" | "selaras") {
        let to = path.get(1).map_or("", String::as_str);
        let (_, may) = ROOMS
            .iter()
            .find(|(name, _)| *name == room)
            .unwrap_or(&("lib", &[]));
        let fine = to == room || may.contains(&to) || (to == "clock" && is_test(module));
        return (!fine).then(|| format!("{room} must not name {shown}"));
    }
    if let Some((library, homes)) = LIBRARIES.iter().find(|(name, _)| *name == path[0]) {
        let here = module.join("::");
        let within = |home: &str| here == home || here.starts_with(&format!("{home}::"));
        return (!homes.iter().any(|home| within(home))).then(|| {
            format!(
                "{library} is named only by {}, not by {here}",
                homes.join(" and ")
            )
        });
    }
    let clock = path.iter().any(|name| name == "SystemTime" || name == "Instant");
    (clock && room != "clock" && !is_test(module)).then(|| format!("only clock.rs reads the time: {shown}"))
}

fn core_rules(named: &Named) -> Option<String> {
    let path = &named.path;
    let outside = path[0] == "std" && path.get(1).is_some_and(|name| IMPURE.contains(&name.as_str()));
    outside.then(|| format!("the rules are pure: {}", path.join("::")))
}

mod planted {
    //! The checks, checked: each rule fails on a source that breaks it.

    use super::*;

    fn problems(module: &str, text: &str, rules: fn(&Named) -> Option<String>) -> Vec<String> {
        let module: Vec<String> = module.split("::").map(str::to_owned).collect();
        paths(text, &module).iter().filter_map(rules).collect()
    }

    #[test]
    fn an_import_against_the_direction_is_found() {
        let wrong = [
            ("store::sled", "use crate::engine::Engine;"),
            ("plugin::host", "fn f() -> crate::store::Batch { f() }"),
            ("cloud", "use crate::clock::Clock;"),
            ("engine::push", "use crate::{cloud::Client, http::App};"),
            ("http::routes", "use crate::store::rows;"),
            ("http", "use super::store;"),
            ("control", "use crate::http::App;"),
            ("http", "mod tests { use super::super::plugin; }"),
            ("app", "use crate::cli;"),
            ("config", "use crate::app::App;"),
            ("main", "fn main() { selaras::app::start() }"),
            ("engine", "use crate::*;"),
            ("engine", "use crate as home;"),
        ];
        for (module, text) in wrong {
            assert_eq!(problems(module, text, runtime_rules).len(), 1, "{module}: {text}");
        }
    }

    #[test]
    fn a_library_outside_its_room_is_found() {
        let wrong = [
            ("store::rows", "use sled::Tree;"),
            ("store", "fn f(db: &::sled::Db) {}"),
            ("engine", "type E = wasmtime::Error;"),
            ("engine", "use reqwest as r;"),
            ("cli::serve", "use reqwest::Client;"),
            ("engine", "extern_paths!(axum::Router);"),
            ("plugin", "getrandom::fill(&mut bytes);"),
            ("engine", "fn f() -> anyhow::Result<()> {}"),
        ];
        for (module, text) in wrong {
            assert_eq!(problems(module, text, runtime_rules).len(), 1, "{module}: {text}");
        }
    }

    #[test]
    fn a_clock_of_ones_own_is_found() {
        for text in [
            "use std::time::Instant;",
            "tokio::time::Instant::now()",
            "std::time::SystemTime::now()",
        ] {
            assert_eq!(problems("engine", text, runtime_rules).len(), 1, "{text}");
            assert!(problems("clock", text, runtime_rules).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_rule_that_acts_is_found() {
        for text in [
            "use std::fs;",
            "std::thread::spawn(f)",
            "use std::{fmt, net::IpAddr};",
        ] {
            assert_eq!(problems("record", text, core_rules).len(), 1, "{text}");
        }
    }

    #[test]
    fn what_is_allowed_passes() {
        let right = [
            (
                "engine::push",
                "use crate::{cloud::Client, store::keys, engine::Engine};",
            ),
            (
                "http",
                "use crate::engine::api::Change; use axum::Router; use selaras_core::id::EntityType;",
            ),
            ("store::sled", "use sled::Tree;"),
            ("store", "mod sled; pub use sled::SledStore;"),
            ("cli::status", "use reqwest::Client;"),
            ("store::sled::tests", "crate::clock::ManualClock::new(0, 7);"),
            ("main", "fn main() { selaras::cli::main() }"),
        ];
        for (module, text) in right {
            assert_eq!(
                problems(module, text, runtime_rules),
                Vec::<String>::new(),
                "{module}: {text}"
            );
        }
    }

    #[test]
    fn a_dependency_is_seen_in_each_way_of_writing_it() {
        for line in [
            "selaras.workspace = true",
            "selaras = { path = \"..\" }",
            "selaras={path=\"..\"}",
        ] {
            assert!(
                depends_on(&format!("[dependencies]\n{line}\n"), "selaras"),
                "{line}"
            );
        }
        assert!(!depends_on("selaras-sdk.workspace = true", "selaras"));
    }
}
