//! No secret comes out: each is a word of its own here, and every answer, log, listing and command is searched for it.

use crate::outlet::{Hook, Outlet, Setup};
use crate::scripted_cloud::{Call, Fault, ScriptedCloud};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fs;
use std::path::Path;

const API_KEY: &str = "canary-cloud-key-5b1f0e7a9c";
const NEXT_API_KEY: &str = "canary-next-cloud-key-77d2c4";
const WEBHOOK: &str = "canary-webhook-secret-c40d93";
const WEBHOOK_PREVIOUS: &str = "canary-previous-webhook-8a6";
const JWT: &str = "canary-jwt-secret-of-more-than-32-bytes-e9";
const JWT_PREVIOUS: &str = "canary-jwt-previous-of-more-than-32-bytes-1c";
const ADMIN: &str = "canary admin password 9d3e";
const PASSWORD: &str = "canary user password 51b7";
const GUESS: &str = "canary wrong guess a7f0";

/// What is searched for: the words, and how they look when they are encoded.
struct Canaries(Vec<String>);

impl Canaries {
    fn new(token: &str) -> Self {
        let words = [
            API_KEY,
            NEXT_API_KEY,
            WEBHOOK,
            WEBHOOK_PREVIOUS,
            JWT,
            JWT_PREVIOUS,
            ADMIN,
            PASSWORD,
            GUESS,
            // Of the app's token the part that is secret.
            token.rsplit('_').next().unwrap(),
        ];
        let encoded = |word: &str| {
            [
                word.to_owned(),
                STANDARD.encode(word),
                hex::encode(word),
                word.replace(' ', "%20"),
            ]
        };
        Self(words.into_iter().flat_map(encoded).collect())
    }

    #[track_caller]
    fn none_in(&self, text: &str, place: &str) {
        for word in &self.0 {
            if let Some(at) = text.find(word.as_str()) {
                let from = text[..at].char_indices().rev().nth(120).map_or(0, |(at, _)| at);
                panic!("{place} shows {word}: …{}…", &text[from..at + word.len()]);
            }
        }
    }
}

/// Method and path of every route, from the table in the sources, so that a new one is asked too.
fn routes() -> Vec<(&'static str, String)> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/routes.rs");
    let text = fs::read_to_string(source).unwrap();
    let methods = [
        ("GET", "&get,"),
        ("PUT", "&put,"),
        ("POST", "&post,"),
        ("PATCH", "&patch,"),
        ("DELETE", "&delete,"),
    ];
    let entries = text.lines().filter_map(|line| {
        let (method, _) = methods.iter().find(|(_, word)| line.contains(word))?;
        let path = line.split('"').nth(1)?;
        Some((*method, path.to_owned()))
    });
    let entries: Vec<_> = entries.collect();
    assert!(
        entries.len() > 50,
        "the table of routes is read wrongly: {}",
        entries.len()
    );
    entries
}

/// Bodies that a route may quote from when it refuses them.
fn bodies() -> [String; 5] {
    [
        String::new(),
        "{}".to_owned(),
        format!(r#"{{"password":"{GUESS}""#),
        format!(
            r#"{{"username":"{GUESS}","password":"{GUESS}","current_password":"{GUESS}","new_password":"admin",
                "cloud_api_key":"{GUESS}","outlet_id":7,"name":[],"role":"owner"}}"#
        ),
        format!(r#""{GUESS}""#),
    ]
}

async fn ask_everything(outlet: &Outlet, canaries: &Canaries) {
    for (method, path) in routes() {
        // One goes on for ever, the other ends what is asked with.
        if path.ends_with("/stream") || path.ends_with("/logout") {
            continue;
        }
        let path = path
            .replace("{type}", "product")
            .replace("{id}", "nothing")
            .replace("{name}", "newest_wins")
            .replace("{digest}", "0");
        // Documents are kept and shown as they are.
        let takes_documents =
            ["entities", "changes", "analytics"].contains(&path.split('/').nth(3).unwrap_or_default());
        for body in bodies().into_iter().take(if takes_documents { 2 } else { 5 }) {
            for reply in [
                outlet.request(method, &path).json(body.clone()).await,
                outlet.anonymous(method, &path).json(body.clone()).await,
            ] {
                let headers: String = reply.headers.iter().map(|(n, v)| format!("{n}: {v}\n")).collect();
                canaries.none_in(
                    &format!("{headers}\n{}", reply.text),
                    &format!("{method} {path} {body}"),
                );
            }
        }
    }
}

#[tokio::test]
async fn no_secret_is_in_any_answer_log_listing_or_command() {
    let cloud = ScriptedCloud::start().await;
    let mut outlet = Setup::of(&cloud)
        .env("CLOUD_API_KEY", API_KEY)
        .env("WEBHOOK_SECRET", WEBHOOK)
        .env("WEBHOOK_SECRET_PREVIOUS", WEBHOOK_PREVIOUS)
        .env("JWT_SECRET", JWT)
        .env("JWT_SECRET_PREVIOUS", JWT_PREVIOUS)
        .env("ADMIN_PASSWORD", ADMIN)
        .env("RUST_LOG", "trace")
        .launch()
        .await;
    outlet.login_with(ADMIN).await;
    let user = format!(r#"{{"username":"ani","password":"{PASSWORD}","role":"operator"}}"#);
    outlet
        .request("POST", "/api/v1/users")
        .json(user)
        .await
        .expect(201);
    let token = outlet
        .request("POST", "/api/v1/tokens")
        .json(r#"{"name":"till"}"#)
        .await
        .expect(201);
    let canaries = Canaries::new(&token.str("data.token"));
    outlet.login_as("ani", PASSWORD).await.expect(200);
    outlet.login_as("ani", GUESS).await.expect(401);

    // The cloud is called, with a key that it takes, and with one that it throws back.
    outlet.put("product", "p", r#"{"n":1}"#).await.expect(201);
    outlet.settle().await;
    let key = format!(r#"{{"cloud_api_key":"{NEXT_API_KEY}"}}"#);
    canaries.none_in(
        &outlet.configure("outlet", &key).await.text,
        "the changed configuration",
    );
    cloud.next(Call::Batch, Fault::Status(401));
    outlet.put("product", "p", r#"{"n":2}"#).await.expect(200);
    outlet.run().await;
    outlet.hook(&Hook::signed_with(WEBHOOK, "update", "{}")).await;
    outlet
        .hook(&Hook::signed_with("another", "update", "{}"))
        .await
        .expect(401);

    ask_everything(&outlet, &canaries).await;

    let beside = outlet.beside();
    for arguments in [
        &["doctor"][..],
        &["status"],
        &["export"],
        &["backup"],
        &["config", "check"],
        &["plugin", "list"],
        &["compact"],
        &["serve"],
    ] {
        let mut command = beside.command(arguments);
        command.wait().await;
        canaries.none_in(&command.log(), &arguments.join(" "));
    }
    canaries.none_in(&outlet.log(), "the log");
    let setup = outlet.stop().await;
    for arguments in [&["doctor"][..], &["export"], &["compact"]] {
        let mut command = setup.command(arguments);
        command.wait().await;
        canaries.none_in(&command.log(), &arguments.join(" "));
    }
    // Nor in the name of any file.
    for entry in fs::read_dir(setup.data_dir().join("backups")).unwrap() {
        canaries.none_in(
            &entry.unwrap().path().display().to_string(),
            "the list of backups",
        );
    }
    // The search would find one: the key is in the configuration that was stored, and there alone.
    let error = setup
        .env("JWT_SECRET", "canary-but-short")
        .refuses_to_start()
        .await
        .1;
    assert!(!error.contains("canary-but-short"), "{error}");
}

#[tokio::test]
async fn the_search_for_secrets_finds_them() {
    let canaries = Canaries::new("selaras_1_xyz");
    for word in [API_KEY.to_owned(), STANDARD.encode(ADMIN), hex::encode(JWT)] {
        let found =
            std::panic::catch_unwind(|| canaries.none_in(&format!("a line with {word} in it"), "a test"));
        assert!(found.is_err(), "{word}");
    }
}
