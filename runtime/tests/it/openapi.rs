//! The API by its own description: a tool that knows nothing of the outlet but `openapi.json` sends what it allows and what it
//! forbids, as an admin, and holds each answer to it.
//!
//! Where `runtime/tests/openapi/tools.sh` did not find the tool the test is skipped with a line that says so;
//! `SELARAS_REQUIRE_OPENAPI=1` makes that a failure. `SELARAS_SEED` repeats a run.

use crate::harness::dice::Dice;
use crate::harness::json_text::{canonical, string_at};
use crate::outlet::{Outlet, Setup};
use crate::scripted_cloud::ScriptedCloud;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Random requests of each operation, beside its examples and edges: some 3,000 in all, which take about 105 s on two slow cores.
const EXAMPLES: &str = "4";

/// Left out: a stream does not end, the token that all is asked with would, and the ping's address may be anybody's.
const LEFT_OUT: [&str; 3] = [
    "/api/v1/changes/stream",
    "/api/v1/auth/logout",
    "/api/v1/config/outlet/test",
];

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,ignored_auth";

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The tool, or none.
fn tool() -> Option<PathBuf> {
    let tool = root().join(".tools/openapi/bin/st");
    if tool.exists() {
        return Some(tool);
    }
    assert!(
        env::var_os("SELARAS_REQUIRE_OPENAPI").is_none(),
        "runtime/tests/openapi/tools.sh did not find schemathesis, which SELARAS_REQUIRE_OPENAPI asks for"
    );
    eprintln!("SKIPPED: schemathesis is not in .tools: run runtime/tests/openapi/tools.sh");
    None
}

#[tokio::test]
async fn every_answer_is_one_that_the_document_tells_of() {
    let Some(tool) = tool() else { return };
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    outlet
        .put("product", "prod-1", r#"{"name":"Chai","price":18.50}"#)
        .await
        .expect(201);
    let seed = Dice::of_this_run("openapi").next() >> 33;
    let admin = outlet.read("users").await.expect(200).list().remove(0);
    let url = outlet.url("");
    let mut command = Command::new(tool);
    command
        .arg("--config-file")
        .arg(root().join("runtime/tests/openapi/schemathesis.toml"))
        .arg("run")
        .args(["--url", &url, "--checks", CHECKS, "--max-examples", EXAMPLES])
        .args(["--phases", "examples,coverage,fuzzing", "--no-shrink"])
        .args([
            "--request-timeout",
            "60",
            "--max-time",
            "240",
            "--warnings",
            "off",
            "--workers",
            "1",
        ])
        .args(["--seed", &seed.to_string()])
        .args(["--header", &format!("Authorization: Bearer {}", outlet.token())]);
    for path in LEFT_OUT {
        command.args(["--exclude-path", path]);
    }
    command
        .arg(outlet.url("/api/v1/openapi.json"))
        .current_dir(outlet.setup().dir())
        .env(
            "HYPOTHESIS_STORAGE_DIRECTORY",
            outlet.setup().dir().join("hypothesis"),
        )
        .env("NO_COLOR", "1")
        .env(
            "SELARAS_OWN_ID",
            string_at(&admin, "id").expect("a user has an id"),
        )
        .env(
            "SCHEMATHESIS_HOOKS",
            root().join("runtime/tests/openapi/hooks.py"),
        )
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    let output = output.unwrap().expect("the tool runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "the seed {seed}\n{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let count = said.lines().find(|line| line.contains("generated"));
    eprintln!("openapi: {}", count.expect("it asked for something").trim());
    // With a token that holds to the end: else it has seen refusals only.
    outlet.read("sync/status").await.expect(200);
}

#[tokio::test]
async fn the_document_is_open_to_all_and_holds_nothing_of_this_outlet() {
    let outlet = Setup::without_cloud().launch().await;
    let told = outlet.anonymous("GET", "/api/v1/openapi.json").await;
    assert_eq!(told.status, 200);
    assert_eq!(told.header("content-type"), Some("application/json"));
    let kept = std::fs::read_to_string(root().join("runtime/docs/openapi.json")).unwrap();
    assert_eq!(
        canonical(&told.text),
        canonical(&kept),
        "the snapshot is what is served"
    );
}
