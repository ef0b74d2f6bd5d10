//! What these routes say of themselves.

use super::Session;
use crate::http::describe::About;
use crate::http::reply::Nothing;
use schemars::JsonSchema;
use serde_json::json;

#[derive(JsonSchema)]
#[expect(dead_code, reason = "a description: the request is read member by member")]
struct LoginRequest {
    #[schemars(length(min = 1, max = 128))]
    username: String,
    #[schemars(length(min = 1, max = 1024))]
    password: String,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "a description: the request is read member by member")]
struct PasswordRequest {
    #[schemars(length(min = 1, max = 1024))]
    current_password: String,
    #[schemars(length(min = 1))]
    new_password: String,
}

pub(crate) fn login() -> About {
    About::new("Log in")
        .more(
            "Unknown user and wrong password are told apart by nobody. After some failures there is a wait.",
        )
        .body::<LoginRequest>(json!({"username": "ani", "password": "what only ani knows"}))
        .ok::<Session<'_>>("A token, to be sent as `Authorization: Bearer`.")
        .with_header("Cache-Control")
        .may(400, &["missing_fields"])
        .checks()
        .may(401, &["invalid_credentials"])
        .may(429, &["too_many_logins"])
}

pub(crate) fn logout() -> About {
    About::new("Log out: this token holds no longer").ok::<Nothing>("It is ended.")
}

pub(crate) fn password() -> About {
    About::new("Change one's own password")
        .more("All sessions of the user end, this one too.")
        .body::<PasswordRequest>(
            json!({"current_password": "the one until now", "new_password": "durian under the stairs"}),
        )
        .ok::<Nothing>("Log in again.")
        .may(400, &["missing_fields"])
        .checks()
        .may(401, &["invalid_credentials"])
        .may(404, &["user_not_found"])
        .may(429, &["too_many_logins"])
}
