//! People and apps: who may log in and with what, what ends a session, and how far an app's token goes.

use crate::harness::json_text::{quote, string_at};
use crate::outlet::{ADMIN_PASSWORD, Outlet, Reply, Setup};

const PASSWORD: &str = "durian under the stairs";

impl Outlet {
    async fn make_user(&self, username: &str, role: &str) -> Reply {
        let body = format!(
            r#"{{"username":{},"password":{},"role":{},"full_name":"Ani"}}"#,
            quote(username),
            quote(PASSWORD),
            quote(role)
        );
        self.request("POST", "/api/v1/users").json(body).await
    }

    async fn as_bearer(&self, token: &str, method: &str, path: &str, body: &str) -> Reply {
        let request = self
            .anonymous(method, path)
            .header("Authorization", &format!("Bearer {token}"));
        match body {
            "" => request.await,
            body => request.json(body).await,
        }
    }

    async fn token_of(&self, username: &str, password: &str) -> String {
        self.login_as(username, password)
            .await
            .expect(200)
            .str("data.token")
    }

    async fn make_token(&self, body: &str) -> Reply {
        self.request("POST", "/api/v1/tokens").json(body).await
    }
}

#[tokio::test]
async fn users_are_made_changed_and_removed_and_the_last_admin_stays() {
    let outlet = Setup::without_cloud().start().await;
    let made = outlet.make_user("ani", "operator").await.expect(201);
    let id = made.str("data.id");
    assert_eq!(
        (made.str("data.role"), made.str("data.full_name")),
        ("operator".into(), "Ani".into())
    );
    assert!(
        !made.text.contains("argon2") && made.string("data.password").is_none(),
        "{}",
        made.text
    );
    outlet
        .make_user("ani", "app")
        .await
        .expect_error(409, "user_exists");
    let ani = outlet.token_of("ani", PASSWORD).await;
    outlet
        .as_bearer(&ani, "GET", "/api/v1/sync/status", "")
        .await
        .expect(200);
    outlet
        .as_bearer(&ani, "GET", "/api/v1/users", "")
        .await
        .expect_error(403, "forbidden");
    outlet
        .as_bearer(&ani, "PUT", "/api/v1/entities/product/p", "{}")
        .await
        .expect_error(403, "forbidden");
    // A change of role holds at once, with the same token; so does losing the login.
    let user = format!("/api/v1/users/{id}");
    outlet
        .request("PUT", &user)
        .json(r#"{"role":"admin"}"#)
        .await
        .expect(200);
    outlet
        .as_bearer(&ani, "GET", "/api/v1/users", "")
        .await
        .expect(200);
    outlet
        .request("PUT", &user)
        .json(r#"{"is_active":false}"#)
        .await
        .expect(200);
    outlet
        .as_bearer(&ani, "GET", "/api/v1/users", "")
        .await
        .expect_error(401, "invalid_token");
    outlet
        .login_as("ani", PASSWORD)
        .await
        .expect_error(401, "invalid_credentials");
    outlet
        .request("PUT", &user)
        .json(r#"{"is_active":true}"#)
        .await
        .expect(200);
    outlet
        .as_bearer(&ani, "GET", "/api/v1/users", "")
        .await
        .expect_error(401, "invalid_token");
    // Of two admins either may go, and the other stays.
    let all = outlet.read("users").await.expect(200).list();
    let admin = all
        .iter()
        .find(|user| string_at(user, "username").as_deref() == Some("admin"))
        .unwrap();
    let admin = format!("/api/v1/users/{}", string_at(admin, "id").unwrap());
    outlet.request("DELETE", &user).await.expect(200);
    outlet
        .request("DELETE", &user)
        .await
        .expect_error(404, "user_not_found");
    outlet
        .request("DELETE", &admin)
        .await
        .expect_error(409, "last_admin");
    outlet
        .request("PUT", &admin)
        .json(r#"{"role":"operator"}"#)
        .await
        .expect_error(409, "last_admin");
    outlet
        .request("PUT", &admin)
        .json(r#"{"is_active":false}"#)
        .await
        .expect_error(409, "last_admin");
    let outlet = outlet.restart().await;
    assert_eq!(outlet.read("users").await.expect(200).list().len(), 1);
}

#[tokio::test]
async fn what_a_user_cannot_be_made_of_is_named() {
    let outlet = Setup::without_cloud().start().await;
    for (body, status, field) in [
        (r#"{"username":"a"}"#, 400, "password"),
        (
            r#"{"username":"a b","password":"durian under the stairs","role":"app"}"#,
            422,
            "username",
        ),
        (
            r#"{"username":"ani","password":"durian under the stairs","role":"owner"}"#,
            422,
            "role",
        ),
        (
            r#"{"username":"ani","password":"password1","role":"app"}"#,
            422,
            "password",
        ),
        (
            r#"{"username":"ani","password":"ani-in-the-shop","role":"app"}"#,
            422,
            "password",
        ),
        (
            r#"{"username":"ani","password":"short","role":"app"}"#,
            422,
            "password",
        ),
    ] {
        outlet
            .request("POST", "/api/v1/users")
            .json(body)
            .await
            .expect(status)
            .names(field);
    }
    outlet
        .request("PUT", "/api/v1/users/nobody")
        .json(r#"{"username":"other"}"#)
        .await
        .expect(422)
        .names("username");
    outlet
        .request("PUT", "/api/v1/users/nobody")
        .json("{}")
        .await
        .expect_error(404, "user_not_found");
}

#[tokio::test]
async fn logging_out_and_another_password_end_sessions_also_after_a_power_cut() {
    let outlet = Setup::without_cloud().start().await;
    outlet.make_user("ani", "operator").await.expect(201);
    let (first, second) = (
        outlet.token_of("ani", PASSWORD).await,
        outlet.token_of("ani", PASSWORD).await,
    );
    outlet
        .as_bearer(&first, "POST", "/api/v1/auth/logout", "")
        .await
        .expect(200);
    let outlet = outlet.kill().await.start().await;
    outlet
        .as_bearer(&first, "GET", "/api/v1/sync/status", "")
        .await
        .expect_error(401, "invalid_token");
    outlet
        .as_bearer(&second, "GET", "/api/v1/sync/status", "")
        .await
        .expect(200);
    let change = |current: &str, new: &str| {
        format!(
            r#"{{"current_password":{},"new_password":{}}}"#,
            quote(current),
            quote(new)
        )
    };
    let path = "/api/v1/auth/password";
    outlet
        .as_bearer(&second, "POST", path, &change("wrong", "a whole new world"))
        .await
        .expect_error(401, "invalid_credentials");
    outlet
        .as_bearer(&second, "POST", path, &change(PASSWORD, "password1"))
        .await
        .expect(422)
        .names("new_password");
    outlet
        .as_bearer(&second, "POST", path, &change(PASSWORD, PASSWORD))
        .await
        .expect(422)
        .names("new_password");
    let new = "a whole new world";
    outlet
        .as_bearer(&second, "POST", path, &change(PASSWORD, new))
        .await
        .expect(200);
    let outlet = outlet.kill().await.start().await;
    outlet
        .as_bearer(&second, "GET", "/api/v1/sync/status", "")
        .await
        .expect_error(401, "invalid_token");
    outlet
        .login_as("ani", PASSWORD)
        .await
        .expect_error(401, "invalid_credentials");
    outlet.token_of("ani", new).await;
}

#[tokio::test]
async fn the_password_that_was_made_for_the_first_start_must_be_changed() {
    let setup = Setup::without_cloud().without("ADMIN_PASSWORD");
    let file = setup.data_dir().join("initial-admin-password");
    let outlet = setup.launch().await;
    let password = std::fs::read_to_string(&file).unwrap();
    let login = outlet.login_as("admin", &password).await.expect(200);
    assert!(login.truth("data.user.must_change_password"), "{}", login.text);
    let token = login.str("data.token");
    outlet
        .as_bearer(&token, "GET", "/api/v1/config/outlet", "")
        .await
        .expect_error(403, "password_change_required");
    let body = format!(
        r#"{{"current_password":{},"new_password":{}}}"#,
        quote(&password),
        quote(ADMIN_PASSWORD)
    );
    outlet
        .as_bearer(&token, "POST", "/api/v1/auth/password", &body)
        .await
        .expect(200);
    let token = outlet.token_of("admin", ADMIN_PASSWORD).await;
    outlet
        .as_bearer(&token, "GET", "/api/v1/users", "")
        .await
        .expect(200);
    // The next start takes away the file, which opens nothing any more.
    let _outlet = outlet.restart().await;
    assert!(!file.exists());
}

#[tokio::test]
async fn an_apps_token_is_shown_once_reaches_its_types_and_ends_when_it_is_deleted() {
    let outlet = Setup::without_cloud().start().await;
    outlet.put("product", "p", "{}").await.expect(201);
    outlet.put("order", "o", "{}").await.expect(201);
    let made = outlet
        .make_token(r#"{"name":"kitchen screen","access":"read_write","entity_types":["order"]}"#)
        .await
        .expect(201);
    let (id, token) = (made.str("data.id"), made.str("data.token"));
    let listed = outlet.read("tokens").await.expect(200);
    assert!(
        listed.text.contains(&id) && !listed.text.contains(&token[token.len() - 20..]),
        "{}",
        listed.text
    );
    let outlet = outlet.kill().await.start().await;

    outlet
        .as_bearer(&token, "GET", "/api/v1/entities/order/o", "")
        .await
        .expect(200);
    outlet
        .as_bearer(&token, "PUT", "/api/v1/entities/order/o-2", "{}")
        .await
        .expect(201);
    for (method, path, body) in [
        ("GET", "/api/v1/entities/product/p", ""),
        ("GET", "/api/v1/entities/product", ""),
        ("PUT", "/api/v1/entities/product/p", "{}"),
        (
            "POST",
            "/api/v1/changes",
            r#"{"changes":[{"entity_type":"product","entity_id":"p","operation":"delete"}]}"#,
        ),
    ] {
        outlet
            .as_bearer(&token, method, path, body)
            .await
            .expect_error(403, "forbidden_type");
    }
    outlet
        .as_bearer(&token, "GET", "/api/v1/sync/status", "")
        .await
        .expect_error(403, "forbidden");
    outlet
        .as_bearer(&token, "POST", "/api/v1/auth/logout", "")
        .await
        .expect_error(403, "forbidden");
    // The feed tells what is for it, names its own changes by its id, and goes on behind the rest.
    let feed = outlet
        .as_bearer(&token, "GET", "/api/v1/changes", "")
        .await
        .expect(200);
    let told: Vec<String> = feed
        .list()
        .iter()
        .filter_map(|entry| string_at(entry, "entity_id"))
        .collect();
    assert_eq!(told, ["o", "o-2"]);
    assert_eq!(
        string_at(&feed.list()[1], "token_id").as_deref(),
        Some(id.as_str())
    );
    outlet.put("product", "p-2", "{}").await.expect(201);
    let rest = format!("/api/v1/changes?since={}", feed.num("next_since"));
    let rest = outlet.as_bearer(&token, "GET", &rest, "").await.expect(200);
    assert_eq!((rest.list().len(), rest.num("next_since")), (0, rest.num("head")));

    outlet
        .request("DELETE", &format!("/api/v1/tokens/{id}"))
        .await
        .expect(200);
    outlet
        .as_bearer(&token, "GET", "/api/v1/changes", "")
        .await
        .expect_error(401, "invalid_token");
    outlet
        .request("DELETE", &format!("/api/v1/tokens/{id}"))
        .await
        .expect_error(404, "token_not_found");
}

#[tokio::test]
async fn a_token_for_reading_does_not_write_nor_one_for_writing_read_and_a_false_one_does_nothing() {
    let outlet = Setup::without_cloud().start().await;
    let reads = outlet
        .make_token(r#"{"name":"screen","access":"read"}"#)
        .await
        .expect(201);
    let writes = outlet
        .make_token(r#"{"name":"scale","access":"write"}"#)
        .await
        .expect(201);
    let (reads, writes) = (reads.str("data.token"), writes.str("data.token"));
    let path = "/api/v1/entities/weight/w";
    outlet
        .as_bearer(&reads, "PUT", path, "{}")
        .await
        .expect_error(403, "forbidden_access");
    outlet.as_bearer(&writes, "PUT", path, "{}").await.expect(201);
    outlet
        .as_bearer(&writes, "GET", path, "")
        .await
        .expect_error(403, "forbidden_access");
    outlet.as_bearer(&reads, "GET", path, "").await.expect(200);
    let mut false_one = reads.clone();
    let last = false_one.pop().unwrap();
    false_one.push(if last == 'A' { 'B' } else { 'A' });
    for no_token in [false_one.as_str(), "selaras_", "selaras_x_y", &reads[..40]] {
        outlet
            .as_bearer(no_token, "GET", path, "")
            .await
            .expect_error(401, "invalid_token");
    }
    for (body, status, field) in [
        ("{}", 400, "name"),
        (r#"{"name":"x","access":"all"}"#, 422, "access"),
        (r#"{"name":"x","entity_types":[]}"#, 422, "entity_types"),
        (
            r#"{"name":"x","entity_types":["no type"]}"#,
            422,
            "entity_types[0]",
        ),
        (
            r#"{"name":"x","expires_at":"2020-01-01T00:00:00Z"}"#,
            422,
            "expires_at",
        ),
    ] {
        outlet.make_token(body).await.expect(status).names(field);
    }
}
