//! Login tokens as somebody would forge them, who knows how they are made and even another outlet's secret.

use crate::harness::json_text::string_at;
use crate::outlet::{ADMIN_PASSWORD, Outlet, Setup};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

const SECRET: &str = "a secret for sessions of thirty-two bytes and more";
const HS256: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

fn sealed(secret: &str, header: &str, claims: &str) -> String {
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(message.as_bytes());
    format!(
        "{message}.{}",
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    )
}

fn claims_of(token: &str) -> String {
    let claims = token.split('.').nth(1).unwrap();
    String::from_utf8(URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

async fn token(outlet: &Outlet) -> String {
    let login = outlet.login_as("admin", ADMIN_PASSWORD).await.expect(200);
    login.str("data.token")
}

async fn status_with(outlet: &Outlet, token: &str) -> (u16, Option<String>) {
    let request = outlet.anonymous("GET", "/api/v1/users");
    let reply = request.header("Authorization", &format!("Bearer {token}")).await;
    (reply.status, string_at(&reply.text, "error"))
}

#[tokio::test]
async fn no_forged_token_is_let_in() {
    let outlet = Setup::without_cloud().env("JWT_SECRET", SECRET).launch().await;
    let real = token(&outlet).await;
    let claims = claims_of(&real);
    // What follows is refused for what it says, not for how it is written.
    assert_eq!(status_with(&outlet, &sealed(SECRET, HS256, &claims)).await.0, 200);

    let change = |from: &str, to: &str| {
        let changed = claims.replace(from, to);
        assert_ne!(changed, claims, "{from}");
        sealed(SECRET, HS256, &changed)
    };
    let exp = claims
        .split("\"exp\":")
        .nth(1)
        .unwrap()
        .split([',', '}'])
        .next()
        .unwrap();
    let iat = claims
        .split("\"iat\":")
        .nth(1)
        .unwrap()
        .split([',', '}'])
        .next()
        .unwrap();
    let unsigned = |header: &str| {
        let head = URL_SAFE_NO_PAD.encode(header);
        format!("{head}.{}.", real.split('.').nth(1).unwrap())
    };
    let own_key = r#"{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}}"#;
    let forged = [
        (
            "another secret",
            sealed("another secret of thirty-two bytes and more!", HS256, &claims),
        ),
        ("no algorithm", unsigned(r#"{"alg":"none"}"#)),
        ("no algorithm, shouted", unsigned(r#"{"alg":"NONE"}"#)),
        ("none, but signed", sealed(SECRET, r#"{"alg":"none"}"#, &claims)),
        ("a longer hash", sealed(SECRET, r#"{"alg":"HS512"}"#, &claims)),
        ("a public key's", sealed(SECRET, r#"{"alg":"RS256"}"#, &claims)),
        ("a key of its own", sealed("\0\0\0", own_key, &claims)),
        (
            "a key from a file",
            sealed("", r#"{"alg":"HS256","kid":"/dev/null"}"#, &claims),
        ),
        ("no signature", format!("{}.", real.rsplit_once('.').unwrap().0)),
        ("two parts", real.rsplit_once('.').unwrap().0.to_owned()),
        ("another outlet's", change("\"aud\":\"", "\"aud\":\"x")),
        (
            "several outlets'",
            change("\"aud\":\"", "\"aud\":[\"x\"],\"was\":\""),
        ),
        (
            "another issuer",
            change("\"iss\":\"selaras\"", "\"iss\":\"company\""),
        ),
        ("another session's end", change(exp, "1000")),
        (
            "an end that is text",
            change(&format!(":{exp}"), &format!(":\"{exp}\"")),
        ),
        ("made tomorrow", change(&format!(":{iat}"), ":99999999999")),
        ("an older session", change("\"gen\":0", "\"gen\":4294967295")),
        ("another user", change("\"sub\":\"", "\"sub\":\"x")),
        ("nobody", change("\"sub\":\"", "\"sub\":\"\",\"was\":\"")),
    ];
    for (what, token) in forged {
        let (status, error) = status_with(&outlet, &token).await;
        let code = error.unwrap_or_default();
        assert_eq!(status, 401, "{what}");
        assert!(
            ["invalid_token", "token_expired"].contains(&code.as_str()),
            "{what}: {code}"
        );
    }
    // Each character counts, but for the last one's spare bits.
    for at in (0..real.len() - 1).step_by(7) {
        let mut bytes = real.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let tampered = String::from_utf8(bytes).unwrap();
        assert_eq!(status_with(&outlet, &tampered).await.0, 401, "at {at}");
    }
}

#[tokio::test]
async fn a_secret_is_rotated_with_two_keys_and_then_the_old_one_opens_nothing() {
    const NEW: &str = "the next secret for sessions, of thirty-two bytes";
    let outlet = Setup::without_cloud().env("JWT_SECRET", SECRET).launch().await;
    let old = token(&outlet).await;
    let setup = outlet.stop().await;
    let both = setup.env("JWT_SECRET", NEW).env("JWT_SECRET_PREVIOUS", SECRET);
    let outlet = both.launch().await;
    assert_eq!(status_with(&outlet, &old).await.0, 200);
    let new = token(&outlet).await;
    let outlet = outlet.stop().await.without("JWT_SECRET_PREVIOUS").launch().await;
    assert_eq!(status_with(&outlet, &old).await.0, 401);
    assert_eq!(status_with(&outlet, &new).await.0, 200);
}

#[tokio::test]
async fn a_token_of_one_outlet_is_no_use_at_another_with_the_same_secret() {
    let one = Setup::without_cloud().env("JWT_SECRET", SECRET).launch().await;
    let other = Setup::without_cloud().env("JWT_SECRET", SECRET).launch().await;
    let token = token(&one).await;
    assert_eq!(status_with(&one, &token).await.0, 200);
    assert_eq!(
        status_with(&other, &token).await,
        (401, Some("invalid_token".to_owned()))
    );
}

#[tokio::test]
async fn guessing_makes_wait_and_the_one_who_was_logged_in_goes_on() {
    let outlet = Setup::without_cloud().launch_as_admin().await;
    for _ in 0..5 {
        outlet
            .login_as("admin", "a guess")
            .await
            .expect_error(401, "invalid_credentials");
    }
    let wait = outlet
        .login_as("admin", ADMIN_PASSWORD)
        .await
        .expect_error(429, "too_many_logins");
    let seconds: u64 = wait.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=30).contains(&seconds), "{seconds}");
    // Unknown names are counted alike, so that the wait tells nothing about who exists.
    for _ in 0..5 {
        outlet
            .login_as("nobody", "a guess")
            .await
            .expect_error(401, "invalid_credentials");
    }
    outlet
        .login_as("nobody", "a guess")
        .await
        .expect_error(429, "too_many_logins");
    outlet.read("users").await.expect(200);
    // Whoever was kept out by another's guessing starts the service anew.
    outlet.restart().await;
}
