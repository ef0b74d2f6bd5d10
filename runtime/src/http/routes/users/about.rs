//! What these routes say of themselves.

use super::{ROLES, UserBody};
use crate::http::describe::About;
use crate::http::reply::Named;
use schemars::JsonSchema;
use serde_json::json;

#[derive(JsonSchema)]
#[expect(dead_code, reason = "a description: the request is read member by member")]
struct NewUserRequest {
    /// Without spaces and control characters.
    #[schemars(length(min = 1, max = 128))]
    username: String,
    #[schemars(length(min = 1))]
    password: String,
    #[schemars(extend("enum" = ROLES.map(|(word, _)| word)))]
    role: String,
    /// The user name, where it is left out.
    #[schemars(length(max = 128))]
    full_name: Option<String>,
    is_active: Option<bool>,
    must_change_password: Option<bool>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "a description: the request is read member by member")]
struct UserRequest {
    #[schemars(length(max = 128))]
    full_name: Option<String>,
    /// `admin`, `operator` or `app`.
    role: Option<String>,
    is_active: Option<bool>,
    /// Ends their sessions.
    password: Option<String>,
    must_change_password: Option<bool>,
}

pub(crate) fn list() -> About {
    About::new("Who may log in").list::<UserBody<'_>>("All of them.")
}

pub(crate) fn create() -> About {
    About::new("Make a user")
        .body::<NewUserRequest>(
            json!({"username": "ani", "password": "durian under the stairs", "role": "operator"}),
        )
        .created::<UserBody<'_>>("It is made.")
        .may(400, &["missing_fields"])
        .checks()
        .may(409, &["user_exists", "too_many_users"])
}

pub(crate) fn update() -> About {
    About::new("Change a user")
        .more("Any subset. Another password or `is_active: false` ends their sessions.")
        .body::<UserRequest>(json!({"is_active": false}))
        .ok::<UserBody<'_>>("It is changed.")
        .checks()
        .may(404, &["user_not_found"])
        .may(409, &["last_admin"])
}

pub(crate) fn delete() -> About {
    About::new("Remove a user")
        .more("The last active admin stays.")
        .ok::<Named<'_>>("It is removed.")
        .may(404, &["user_not_found"])
        .may(409, &["last_admin"])
}
