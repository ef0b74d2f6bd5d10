//! The routes as a whole: who gets in, and that whatever goes wrong is an envelope.

mod observing;

use super::*;
use crate::engine::api::{NewUser, Role};
use crate::http::App;
use crate::http::testing::app;
use crate::secret::Secret;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::Value;

/// Status, headers and JSON of an answer.
async fn send(app: &App, request: Request<Body>) -> (StatusCode, HeaderMap, Value) {
    let (parts, body) = app.handle(request, None).await.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let json = if bytes.is_empty() {
        Value::Null
    } else {
        // The dashboard is none.
        serde_json::from_slice(&bytes).unwrap_or(Value::Null)
    };
    (parts.status, parts.headers, json)
}

fn request(method: &Method, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path)
}

/// A path of the table with something in its placeholders.
fn filled(path: &str) -> String {
    path.replace("{type}", "product")
        .replace("{id}", "p-1")
        .replace("{name}", "newest_wins")
}

#[tokio::test]
async fn every_route_but_the_public_ones_answers_401_without_a_token() {
    let app = app().await;
    for entry in table() {
        let (status, headers, json) = send(
            &app,
            request(&entry.method, &filled(entry.path))
                .body(Body::empty())
                .unwrap(),
        )
        .await;
        let place = format!("{} {}", entry.method, entry.path);
        match entry.who {
            Who::Roles(_) | Who::Themselves | Who::Scraper => {
                assert_eq!(
                    (status, &json["error"]),
                    (StatusCode::UNAUTHORIZED, &"missing_token".into()),
                    "{place}"
                );
                assert_eq!(headers[header::WWW_AUTHENTICATE], "Bearer", "{place}");
            }
            Who::Cloud => assert_eq!(json["error"], "webhook_not_configured", "{place}"),
            Who::Anyone => assert_ne!(json["error"], "missing_token", "{place}"),
        }
    }
}

/// A token of a new user with this role.
async fn logged_in(app: &App, role: Role) -> String {
    let new = NewUser {
        username: format!("the-{}", role.as_str()),
        full_name: String::new(),
        role,
        is_active: true,
        password: Secret::new("durian under the stairs"),
        must_change_password: false,
    };
    let user = app.shared.engine.make_user(new, "test").await.unwrap();
    let now = app.shared.engine.session_time();
    app.shared
        .tokens
        .issue(&user.id, user.generation, now, 1)
        .unwrap()
        .0
}

#[tokio::test]
async fn each_role_reaches_what_the_table_lets_it_and_nothing_else() {
    let app = app().await;
    for role in [Role::Admin, Role::Operator, Role::App] {
        let token = logged_in(&app, role).await;
        for entry in table() {
            // The stream would go on; logging out would end what is asked with.
            let ends = entry.path.ends_with("/stream") || entry.path.ends_with("/logout");
            let Who::Roles(roles) = entry.who else { continue };
            if ends {
                continue;
            }
            let asked = request(&entry.method, &filled(entry.path))
                .header(header::AUTHORIZATION, format!("Bearer {token}"))
                .body(Body::empty())
                .unwrap();
            let (status, _, json) = send(&app, asked).await;
            let place = format!("{role:?} {} {}", entry.method, entry.path);
            assert_ne!(status, StatusCode::UNAUTHORIZED, "{place}");
            assert_eq!(
                json["error"] == "forbidden",
                !roles.contains(&role),
                "{place}: {json}"
            );
        }
    }
}

#[tokio::test]
async fn one_user_too_many_is_409() {
    let app = app().await;
    let token = logged_in(&app, Role::Admin).await;
    app.shared.engine.fill_with_users().await;
    let body = r#"{"username":"one-more","password":"durian under the stairs","role":"app"}"#;
    let asked = request(&Method::POST, "/api/v1/users")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .body(Body::from(body))
        .unwrap();
    let (status, _, json) = send(&app, asked).await;
    assert_eq!(
        (status, &json["error"]),
        (StatusCode::CONFLICT, &"too_many_users".into())
    );
    assert!(
        json["message"].as_str().unwrap().contains("remove one first"),
        "{json}"
    );
}

#[test]
fn only_health_and_login_are_open_and_every_other_route_lets_admins_in() {
    for entry in table() {
        match entry.who {
            Who::Anyone => {
                assert!(
                    [
                        "/",
                        "/healthz",
                        "/readyz",
                        "/api/v1/openapi.json",
                        "/api/v1/auth/login"
                    ]
                    .contains(&entry.path),
                    "{}",
                    entry.path
                );
            }
            Who::Cloud => assert!(
                entry.path.starts_with("/api/v1/webhooks/cloud/"),
                "{}",
                entry.path
            ),
            Who::Scraper => assert_eq!(entry.path, "/metrics"),
            Who::Themselves => assert!(entry.path.starts_with("/api/v1/auth/"), "{}", entry.path),
            Who::Roles(roles) => assert!(roles.contains(&Role::Admin), "{}", entry.path),
        }
    }
}

#[test]
fn apps_reach_entities_the_feed_broadcasts_and_analytics_and_nothing_else() {
    for entry in table() {
        let for_apps = matches!(entry.who, Who::Roles(roles) if roles.contains(&Role::App));
        let rooms = ["entities", "changes", "broadcasts", "analytics"];
        let of_apps = rooms.contains(&entry.path.split('/').nth(3).unwrap_or_default());
        assert_eq!(for_apps, of_apps, "{} {}", entry.method, entry.path);
    }
}

#[tokio::test]
async fn an_unknown_route_is_an_envelope_with_the_request_id() {
    let asked = request(&Method::GET, "/api/v1/nothing")
        .header("X-Request-ID", "r-77")
        .body(Body::empty());
    let (status, headers, json) = send(&app().await, asked.unwrap()).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(headers["x-request-id"], "r-77");
    assert_eq!(
        (&json["success"], &json["error"]),
        (&false.into(), &"route_not_found".into())
    );
    assert_eq!(json["request_id"], "r-77");
}

#[tokio::test]
async fn a_wrong_method_is_405_and_says_which_are_right() {
    let asked = request(&Method::DELETE, "/api/v1/changes")
        .body(Body::empty())
        .unwrap();
    let (status, headers, json) = send(&app().await, asked).await;
    assert_eq!(
        (status, &json["error"]),
        (StatusCode::METHOD_NOT_ALLOWED, &"method_not_allowed".into())
    );
    let allowed = headers[header::ALLOW].to_str().unwrap();
    assert!(allowed.contains("GET") && allowed.contains("POST"), "{allowed}");
}

#[tokio::test]
async fn a_login_that_misses_a_field_is_400_and_names_it() {
    let asked = request(&Method::POST, "/api/v1/auth/login")
        .body(Body::from(r#"{"username":"ani"}"#))
        .unwrap();
    let (status, _, json) = send(&app().await, asked).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(json["details"][0]["field"], "password");
}

#[tokio::test]
async fn the_sixth_wrong_password_is_429_with_retry_after() {
    let app = app().await;
    let mut seen = Vec::new();
    for _ in 0..6 {
        let body = Body::from(r#"{"username":"admin","password":"wrong"}"#);
        let (status, headers, json) = send(
            &app,
            request(&Method::POST, "/api/v1/auth/login").body(body).unwrap(),
        )
        .await;
        seen.push((status.as_u16(), json["error"].as_str().unwrap().to_owned()));
        assert_eq!(
            status == StatusCode::TOO_MANY_REQUESTS,
            headers.contains_key(header::RETRY_AFTER)
        );
    }
    let (last, first) = seen.split_last().unwrap();
    assert!(
        first
            .iter()
            .all(|answer| *answer == (401, "invalid_credentials".to_owned())),
        "{first:?}"
    );
    assert_eq!(*last, (429, "too_many_logins".to_owned()));
}
