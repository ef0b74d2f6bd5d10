//! What an outlet is started with: variables, files, and what it refuses to start with.

use crate::outlet::{API_KEY, OUTLET_CODE, Setup};
use crate::scripted_cloud::{Call, ScriptedCloud};

#[tokio::test]
async fn a_switched_off_sync_takes_changes_and_sends_none() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Setup::of(&cloud).env("SYNC_ENABLED", "false").start().await;
    outlet.put("product", "p", r#"{"n":1}"#).await.expect(201);
    assert_eq!(outlet.run().await.str("data.status"), "failed");
    assert!(!outlet.status().await.truth("data.sync_enabled"));
    assert!(cloud.calls(Call::Batch).is_empty());
    let toggle = outlet
        .request("POST", "/api/v1/config/sync/toggle")
        .json(r#"{"enabled":true}"#)
        .await;
    assert!(toggle.expect(200).truth("data.sync_enabled"));
    outlet.settle().await;
    assert_eq!(cloud.state().applied.len(), 1);
}

#[tokio::test]
async fn secrets_come_from_files_too_and_a_dot_env_is_read() {
    let cloud = ScriptedCloud::start().await;
    let setup = Setup::of(&cloud).without("CLOUD_API_KEY").without("OUTLET_CODE");
    let key = setup.dir().join("key");
    std::fs::write(&key, format!("{API_KEY}\n")).unwrap();
    std::fs::write(setup.dir().join(".env"), format!("OUTLET_CODE={OUTLET_CODE}\n")).unwrap();
    let outlet = setup
        .env("CLOUD_API_KEY_FILE", key.to_str().unwrap())
        .start()
        .await;
    outlet.settle().await;
    let request = cloud.requests().remove(0);
    assert_eq!(
        request.header("authorization"),
        Some(&*format!("Bearer {API_KEY}"))
    );
    assert_eq!(request.header("x-outlet-code"), Some(OUTLET_CODE));
}

#[tokio::test]
async fn there_is_no_default_password() {
    let setup = Setup::without_cloud().without("ADMIN_PASSWORD");
    let outlet = setup.launch().await;
    for guess in ["admin", "password", "selaras", ""] {
        assert_ne!(outlet.login_as("admin", guess).await.status, 200);
    }
    let file = outlet.setup().data_dir().join("initial-admin-password");
    let password = std::fs::read_to_string(&file).unwrap();
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    outlet.login_as("admin", password.trim()).await.expect(200);
    assert!(
        !outlet.log().contains(password.trim()),
        "the password is in the log"
    );
}

#[tokio::test]
async fn an_impossible_environment_is_refused_with_the_variables_name() {
    for (name, value) in [
        ("JWT_SECRET", "short"),
        ("SYNC_INTERVAL_MINUTES", "0"),
        ("CLOUD_API_URL", "http://cloud.example.com"),
        ("SYNC_ENABLED", "perhaps"),
        ("LISTEN_ADDR", "0.0.0.0"),
    ] {
        let (code, said) = Setup::without_cloud().env(name, value).refuses_to_start().await;
        assert_ne!(code, 0, "{name}");
        assert!(said.contains(name), "{name} is not named: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[tokio::test]
async fn a_first_password_that_is_easy_to_guess_is_taken_and_warned_of() {
    let mut outlet = Setup::without_cloud()
        .env("ADMIN_PASSWORD", "password1")
        .launch()
        .await;
    outlet.login_with("password1").await;
    let log = outlet.log();
    assert!(
        log.contains("WARN") && log.contains("ADMIN_PASSWORD is one of those"),
        "{log}"
    );
    assert!(!log.contains("password1"), "{log}");
}
