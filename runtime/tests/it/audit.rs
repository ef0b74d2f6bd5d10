//! Who did what: each change by a person or the cloud leaves a record, which nobody can change without its being found.

use crate::harness::json_text::string_at;
use crate::outlet::{ADMIN_PASSWORD, Hook, Outlet, Setup, stamp};
use crate::scripted_cloud::ScriptedCloud;

/// The actions on record, oldest first, with who did them to what.
async fn records(outlet: &Outlet, query: &str) -> Vec<(String, String, String)> {
    let mut listed = outlet
        .read(&format!("audit?limit=500{query}"))
        .await
        .expect(200)
        .list();
    listed.reverse();
    let text = |record: &String, name: &str| string_at(record, name).unwrap();
    listed
        .iter()
        .map(|record| {
            (
                text(record, "action"),
                text(record, "actor"),
                text(record, "target"),
            )
        })
        .collect()
}

fn has(records: &[(String, String, String)], action: &str, actor: &str, target: &str) -> bool {
    records
        .iter()
        .any(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str()) == (action, actor, target))
}

#[tokio::test]
async fn what_was_done_to_the_outlet_is_on_record_with_who_did_it_and_no_secret() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    let user = r#"{"username":"ani","password":"durian under the stairs","role":"operator"}"#;
    let ani = outlet
        .request("POST", "/api/v1/users")
        .json(user)
        .await
        .expect(201)
        .str("data.id");
    outlet
        .request("PUT", &format!("/api/v1/users/{ani}"))
        .json(r#"{"password":"another durian up the stairs"}"#)
        .await
        .expect(200);
    let token = outlet
        .request("POST", "/api/v1/tokens")
        .json(r#"{"name":"till"}"#)
        .await
        .expect(201);
    let id = token.str("data.id");
    outlet
        .request("DELETE", &format!("/api/v1/tokens/{id}"))
        .await
        .expect(200);
    outlet
        .request("PUT", "/api/v1/config/outlet")
        .json(r#"{"outlet_name":"Kemang","cloud_api_key":"sk_live_another_key_of_ours"}"#)
        .await
        .expect(200);
    outlet
        .request("PUT", "/api/v1/config/entities/product")
        .json(r#"{"strategy":"cloud_wins"}"#)
        .await
        .expect(200);
    outlet
        .request("DELETE", &format!("/api/v1/users/{ani}"))
        .await
        .expect(200);
    outlet
        .login_as("admin", "not the password")
        .await
        .expect_error(401, "invalid_credentials");
    outlet
        .login_as("s3cret typed for a name", "x")
        .await
        .expect_error(401, "invalid_credentials");
    let at = stamp(0);
    let config = format!(r#"{{"timestamp":"{at}","config":{{"sync_interval_minutes":7}}}}"#);
    outlet.hook(&Hook::signed("config", &config)).await.expect(200);

    let all = records(&outlet, "").await;
    assert!(has(&all, "user.create", "system", "admin"), "{all:?}");
    for (action, target) in [
        ("sync.settings", "sync"),
        ("user.create", "ani"),
        ("user.update", "ani"),
        ("user.delete", "ani"),
        ("token.create", id.as_str()),
        ("token.delete", id.as_str()),
        ("binding.update", "product"),
        ("outlet.create", "outlet"),
    ] {
        assert!(has(&all, action, "admin", target), "{action}: {all:?}");
    }
    assert!(has(&all, "outlet.update", "cloud", "outlet"), "{all:?}");
    assert!(has(&all, "login.failed", "anonymous", "admin"), "{all:?}");
    assert!(has(&all, "login.failed", "anonymous", "(unknown)"), "{all:?}");
    assert_eq!(records(&outlet, "&actor=cloud").await.len(), 1);
    assert_eq!(records(&outlet, "&action=user.").await.len(), 4);
    let text = outlet.read("audit?limit=500").await.expect(200).text;
    for secret in [
        "durian",
        "sk_live_another",
        "s3cret",
        ADMIN_PASSWORD,
        &token.str("data.token"),
    ] {
        assert!(!text.contains(secret), "{secret} is on record");
    }
    let verdict = outlet.read("audit/verify").await.expect(200);
    assert!(verdict.truth("data.intact"), "{}", verdict.text);
    assert_eq!(verdict.num("data.records"), all.len() as i64);
    assert_eq!(verdict.raw("data.broken").as_deref(), Some("null"));
    // Operators do not read it.
    outlet
        .anonymous("GET", "/api/v1/audit")
        .await
        .expect_error(401, "missing_token");
    outlet.stop().await;
}

#[tokio::test]
async fn after_a_restore_the_log_goes_on_with_a_record_that_says_so() {
    let outlet = Setup::without_cloud().start().await;
    let before = records(&outlet, "").await.len();
    let backup = outlet.setup().dir().join("kept.backup");
    let file = backup.to_str().unwrap();
    assert_eq!(outlet.beside().command(&["backup", file]).wait().await, 0);
    outlet
        .request("POST", "/api/v1/tokens")
        .json(r#"{"name":"lost"}"#)
        .await
        .expect(201);
    let setup = outlet.stop().await;
    std::fs::remove_dir_all(setup.data_dir()).unwrap();
    assert_eq!(setup.command(&["restore", file]).wait().await, 0);
    let outlet = setup.launch_as_admin().await;
    let all = records(&outlet, "").await;
    assert_eq!(all.len(), before + 1, "{all:?}");
    assert_eq!(
        all.last().unwrap(),
        &(
            "store.rewound".to_owned(),
            "system".to_owned(),
            "restored".to_owned()
        )
    );
    let verdict = outlet.read("audit/verify").await.expect(200);
    assert!(verdict.truth("data.intact"), "{}", verdict.text);
}
