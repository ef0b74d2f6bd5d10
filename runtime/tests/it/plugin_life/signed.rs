//! With trusted keys only what their owners signed is taken, and nothing that is older than what has run.

use super::{NAME, activate};
use crate::harness::strategy::{Does, strategy};
use crate::outlet::{Outlet, Reply, Setup};
use selaras::plugin::signature::{SecretKey, sign};

fn key(of: u8) -> SecretKey {
    SecretKey::of_seed([of; 32])
}

fn signed(version: &str, by: &SecretKey, at_ms: u64) -> Vec<u8> {
    sign(&strategy(NAME, version, Does::KeepsLocal), by, at_ms).unwrap()
}

async fn post(outlet: &Outlet, component: &[u8]) -> Reply {
    outlet
        .request("POST", "/api/v1/plugins")
        .component(component)
        .await
}

fn refused(reply: Reply, code: &str) {
    assert_eq!(reply.expect_error(422, "plugin_refused").str("data.code"), code);
}

#[tokio::test]
async fn only_what_a_trusted_key_signed_is_taken_and_nothing_older_than_what_ran() {
    let (ours, theirs) = (key(1), key(2));
    let keys = format!("{}, {}", key(3).public(), ours.public());
    let setup = Setup::without_cloud().env("PLUGIN_TRUSTED_KEYS", &keys);
    let plugins = setup.data_dir().join("plugins");
    std::fs::create_dir_all(&plugins).unwrap();
    std::fs::write(
        plugins.join("other.wasm"),
        strategy("other", "1.0.0", Does::KeepsLocal),
    )
    .unwrap();
    let outlet = setup.start().await;
    let problems = outlet.status().await.raw("data.plugin_problems").unwrap();
    assert!(
        problems.contains("other.wasm") && problems.contains("not-signed"),
        "{problems}"
    );
    let embedded = outlet.read("plugins/newest_wins").await.expect(200);
    assert_eq!(
        embedded.str("data.state"),
        "active",
        "the binary's own need no signature"
    );

    refused(
        post(&outlet, &strategy(NAME, "1.0.0", Does::KeepsLocal)).await,
        "not-signed",
    );
    refused(post(&outlet, &signed("1.0.0", &theirs, 1_000)).await, "untrusted");
    let mut forged = signed("1.0.0", &ours, 1_000);
    let at = forged.len() - 1;
    forged[at] ^= 1;
    refused(post(&outlet, &forged).await, "bad-signature");

    let early = post(&outlet, &signed("1.0.0", &ours, 1_000)).await.expect(201);
    assert_eq!(early.str("data.signed_by"), ours.public().to_string());
    let ran = post(&outlet, &signed("1.1.0", &ours, 2_000))
        .await
        .expect(201)
        .str("data.digest");
    let newest = post(&outlet, &signed("2.0.0", &ours, 3_000))
        .await
        .expect(201)
        .str("data.digest");
    activate(&outlet, NAME, &ran).await.expect(200);
    activate(&outlet, NAME, &newest).await.expect(200);
    refused(post(&outlet, &signed("1.2.0", &ours, 2_500)).await, "older");
    refused(activate(&outlet, NAME, &early.str("data.digest")).await, "older");
    let back = outlet
        .request("POST", &format!("/api/v1/plugins/{NAME}/rollback"))
        .await;
    assert_eq!(back.expect(200).str("data.digest"), ran, "what ran may run again");

    // The key is taken away: what it signed is not loaded any more.
    let setup = outlet
        .stop()
        .await
        .env("PLUGIN_TRUSTED_KEYS", &theirs.public().to_string());
    let outlet = setup.start().await;
    let problems = outlet.status().await.raw("data.plugin_problems").unwrap();
    assert!(
        problems.contains(NAME) && problems.contains("PLUGIN_TRUSTED_KEYS"),
        "{problems}"
    );
    outlet
        .configure("entities/product", &format!(r#"{{"strategy":"{NAME}"}}"#))
        .await
        .expect(422);
    let outlet = outlet.stop().await.without("PLUGIN_TRUSTED_KEYS").start().await;
    outlet
        .bind("product", &format!(r#"{{"strategy":"{NAME}"}}"#))
        .await;
}

#[tokio::test]
async fn a_key_is_made_a_component_signed_and_the_signature_verified_by_commands() {
    let setup = Setup::without_cloud();
    let at = |name: &str| setup.dir().join(name).to_str().unwrap().to_owned();
    let said = |args: Vec<String>| {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut process = setup.command(&args);
        async move { (process.wait().await, process.log()) }
    };
    let words = |words: &[&str]| -> Vec<String> {
        ["plugin"]
            .iter()
            .chain(words)
            .map(|word| (*word).to_owned())
            .collect()
    };
    let plain = strategy(NAME, "1.0.0", Does::KeepsLocal);
    std::fs::write(at("rule.wasm"), &plain).unwrap();
    let (code, public) = said(words(&["keygen", &at("key")])).await;
    assert_eq!(code, 0, "{public}");
    let public = public.trim();
    let (again, _) = said(words(&["keygen", &at("key")])).await;
    assert_eq!(again, 1, "a key is never replaced");
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(at("key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let verify = |file: &str| said(words(&["verify", &at(file), "--key", public]));
    let (code, why) = verify("rule.wasm").await;
    assert_eq!((code, why.trim()), (1, "refused: it is not signed"));
    let (code, why) = said(words(&[
        "sign",
        &at("rule.wasm"),
        "--key",
        &at("key"),
        "--out",
        &at("signed.wasm"),
    ]))
    .await;
    assert_eq!(code, 0, "{why}");
    assert_eq!(std::fs::read(at("rule.wasm")).unwrap(), plain, "it is left alone");
    let (code, why) = verify("signed.wasm").await;
    assert_eq!(code, 0, "{why}");
    assert!(why.contains(&format!("signed by {public} at 20")), "{why}");
    let mut changed = std::fs::read(at("signed.wasm")).unwrap();
    changed[40] ^= 1;
    std::fs::write(at("changed.wasm"), changed).unwrap();
    assert_eq!(verify("changed.wasm").await.0, 1);

    let component = std::fs::read(at("signed.wasm")).unwrap();
    let outlet = setup.clone().env("PLUGIN_TRUSTED_KEYS", public).start().await;
    post(&outlet, &component).await.expect(201);
}
