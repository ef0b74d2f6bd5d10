//! What cannot be used: the contract's 4xx with a message that names the field, and nothing half-done.

use crate::harness::json_text::elements;
use crate::outlet::{Outlet, Setup};
use crate::scripted_cloud::ScriptedCloud;

async fn alone() -> Outlet {
    Setup::without_cloud().start().await
}

#[tokio::test]
async fn what_is_no_document_is_refused() {
    let outlet = alone().await;
    for (body, status) in [
        ("", 400),
        ("{", 400),
        (r#"{"a":01}"#, 400),
        (r#"{"a":NaN}"#, 400),
        (r#"{"a":1}trailing"#, 400),
        ("\u{0}", 400),
        ("[1]", 400),
        ("\"text\"", 400),
        ("null", 400),
    ] {
        outlet
            .put("product", "p", body)
            .await
            .expect_error(status, "invalid_json");
    }
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let refused = outlet.put("product", "p", &deep).await;
    assert!((400..500).contains(&refused.status), "{}", refused.text);
    outlet.get("product", "p").await.expect(404);
    assert_eq!(outlet.feed(0).await.list().len(), 0, "nothing is half-done");
}

#[tokio::test]
async fn a_content_type_that_is_not_json_is_refused() {
    let outlet = alone().await;
    let put = || outlet.request("PUT", "/api/v1/entities/product/p").body("{}");
    put().header("Content-Type", "text/plain").await.expect(415);
    put()
        .header("Content-Type", "application/x-www-form-urlencoded")
        .await
        .expect(415);
    put()
        .header("Content-Type", "application/json; charset=utf-8")
        .await
        .expect(201);
    let patch = outlet
        .request("PATCH", "/api/v1/entities/product/p")
        .body(r#"{"a":1}"#);
    patch
        .header("Content-Type", "application/merge-patch+json")
        .await
        .expect(200);
}

#[tokio::test]
async fn names_that_cannot_be_are_refused() {
    let outlet = alone().await;
    for entity_type in ["Product", "a%20b", "-x", "caf%C3%A9", &"x".repeat(65)] {
        let refused = outlet
            .request("PUT", &format!("/api/v1/entities/{entity_type}/p"))
            .json("{}")
            .await;
        assert!(
            [400, 422].contains(&refused.status),
            "{entity_type}: {}",
            refused.text
        );
        assert_eq!(refused.named_fields(), ["entity_type"]);
    }
    let long = "x".repeat(129);
    for id in [long.as_str(), "a\nb", "\u{0}"] {
        let refused = outlet.put("product", id, "{}").await;
        assert!([400, 422].contains(&refused.status), "{id:?}: {}", refused.text);
        assert_eq!(refused.named_fields(), ["entity_id"]);
    }
    outlet.put("product", &"x".repeat(128), "{}").await.expect(201);
    outlet.put("product", "größe/ñ?#%", "{}").await.expect(201);
}

#[tokio::test]
async fn an_oversized_body_is_refused() {
    let outlet = alone().await;
    let document = |bytes: usize| format!(r#"{{"x":"{}"}}"#, "x".repeat(bytes));
    outlet.put("product", "p", &document(200 << 10)).await.expect(201);
    outlet.put("product", "q", &document(300 << 10)).await.expect(413);
    outlet.get("product", "q").await.expect(404);
    let login = format!(r#"{{"username":"{}","password":"x"}}"#, "x".repeat(1 << 20));
    outlet
        .anonymous("POST", "/api/v1/auth/login")
        .json(login)
        .await
        .expect(413);
}

#[tokio::test]
async fn what_is_not_there_is_told_in_the_envelope() {
    let outlet = alone().await;
    outlet.request("GET", "/api/v1/nothing").await.expect(404);
    outlet
        .request("GET", "/api/v2/entities/product")
        .await
        .expect(404);
    let wrong = outlet
        .request("PUT", "/api/v1/sync/status")
        .json("{}")
        .await
        .expect(405);
    assert!(wrong.header("allow").is_some_and(|a| a.contains("GET")));
    outlet.read("sync/conflicts/none").await.expect(404);
    outlet.read("plugins/none").await.expect(404);
    outlet
        .request("POST", "/api/v1/sync/retry/none")
        .await
        .expect(404);
}

#[tokio::test]
async fn bad_cursors_and_limits_are_refused() {
    let outlet = alone().await;
    outlet.put("product", "p", "{}").await.expect(201);
    for list in [
        "entities/product",
        "sync/logs",
        "sync/queue",
        "sync/failed",
        "sync/conflicts",
    ] {
        outlet
            .read(&format!("{list}?cursor=garbage"))
            .await
            .expect_error(400, "invalid_cursor");
        for limit in ["0", "501", "-1", "many"] {
            outlet
                .read(&format!("{list}?limit={limit}"))
                .await
                .expect(422)
                .names("limit");
        }
    }
    outlet
        .read("changes?since=yesterday")
        .await
        .expect(422)
        .names("since");
    outlet
        .read("sync/logs?sync_type=sideways")
        .await
        .expect(422)
        .names("sync_type");
}

#[tokio::test]
async fn nobody_gets_in_without_a_token() {
    let outlet = alone().await;
    for path in [
        "entities/product",
        "entities/product/p",
        "changes",
        "sync/status",
        "config/outlet",
        "plugins",
    ] {
        let path = format!("/api/v1/{path}");
        outlet.anonymous("GET", &path).await.expect(401);
        outlet
            .anonymous("GET", &path)
            .header("Authorization", "Bearer garbage")
            .await
            .expect(401);
        outlet
            .anonymous("GET", &path)
            .header("Authorization", "Basic YWRtaW46YWRtaW4=")
            .await
            .expect(401);
    }
    // {"alg":"none"} with an admin's claims.
    let forged = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiIsImV4cCI6OTk5OTk5OTk5OX0.";
    let forged = outlet
        .anonymous("GET", "/api/v1/plugins")
        .header("Authorization", &format!("Bearer {forged}"));
    forged.await.expect(401);
    for open in ["/healthz", "/readyz"] {
        assert_eq!(outlet.anonymous("GET", open).await.status, 200);
    }
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_look_the_same_and_are_throttled() {
    let outlet = alone().await;
    let wrong = outlet
        .login_as("admin", "wrong")
        .await
        .expect_error(401, "invalid_credentials");
    let unknown = outlet
        .login_as("nobody", "wrong")
        .await
        .expect_error(401, "invalid_credentials");
    assert_eq!(wrong.string("message"), unknown.string("message"));
    let mut last = wrong;
    for _ in 0..30 {
        last = outlet.login_as("admin", "wrong").await;
        if last.status == 429 {
            break;
        }
    }
    let throttled = last.expect(429);
    assert!(throttled.header("retry-after").is_some());
    let empty = outlet.anonymous("POST", "/api/v1/auth/login").json("{}").await;
    assert_eq!(empty.expect(400).named_fields(), ["username", "password"]);
}

#[tokio::test]
async fn a_request_id_is_given_back() {
    let outlet = alone().await;
    let asked = outlet
        .request("GET", "/api/v1/nothing")
        .header("X-Request-ID", "till-7-0042")
        .await
        .expect(404);
    assert_eq!(asked.str("request_id"), "till-7-0042");
    assert_eq!(asked.header("x-request-id"), Some("till-7-0042"));
    let evil = outlet
        .request("GET", "/api/v1/nothing")
        .header("X-Request-ID", "a b\tc{}")
        .await
        .expect(404);
    assert_ne!(evil.str("request_id"), "a b\tc{}");
}

#[tokio::test]
async fn a_broken_plugin_file_is_refused_with_a_reason_and_the_rest_runs() {
    let cloud = ScriptedCloud::start().await;
    let setup = Setup::of(&cloud);
    let plugins = setup.data_dir().join("plugins");
    std::fs::create_dir_all(&plugins).unwrap();
    std::fs::write(
        plugins.join("broken.wasm"),
        b"\0asm\x0d\0\x01\0 and then nonsense",
    )
    .unwrap();
    std::fs::write(plugins.join("text.wasm"), b"this is no component").unwrap();
    let outlet = setup.with_problems().start().await;
    let status = crate::harness::wait::until("the plugins to be looked at", || async {
        let status = outlet.status().await;
        (elements(&status.raw("data.plugin_problems")?).len() == 2).then_some(status)
    })
    .await;
    assert!(
        status.text.contains("broken") && status.text.contains("text"),
        "{}",
        status.text
    );
    let ready = outlet.anonymous("GET", "/readyz").await;
    assert!(ready.text.contains("broken"), "readyz says so: {}", ready.text);
    outlet.put("product", "p", r#"{"n":1}"#).await.expect(201);
    outlet.settle().await;
    assert_eq!(cloud.state().times_applied("product", "p"), 1);
}
