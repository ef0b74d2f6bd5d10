//! Who may log in: for admins.

pub(crate) mod about;

use crate::engine::api::{NewUser, Role, User, UserPatch};
use crate::http::auth::Caller;
use crate::http::extract::{self, Fields, MAX_COMMAND_BYTES, NamePath, object};
use crate::http::reply::Named;
use crate::http::{ApiError, Shared, reply};
use crate::secret::Secret;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

/// The longest name, in bytes.
pub(super) const MAX_NAME_BYTES: usize = 128;
const ROLES: [(&str, Role); 3] = [
    ("admin", Role::Admin),
    ("operator", Role::Operator),
    ("app", Role::App),
];

/// A user as told.
#[derive(Serialize, JsonSchema)]
pub(super) struct UserBody<'a> {
    id: &'a str,
    username: &'a str,
    full_name: &'a str,
    role: &'static str,
    is_active: bool,
    must_change_password: bool,
    created_at: Option<String>,
    updated_at: Option<String>,
}

impl<'a> From<&'a User> for UserBody<'a> {
    fn from(user: &'a User) -> Self {
        Self {
            id: &user.id,
            username: &user.username,
            full_name: &user.full_name,
            role: user.role.as_str(),
            is_active: user.is_active,
            must_change_password: user.must_change_password,
            created_at: user.created_at.map(|at| at.to_rfc3339()),
            updated_at: user.updated_at.map(|at| at.to_rfc3339()),
        }
    }
}

/// `GET /api/v1/users`: all of them.
pub(crate) async fn list(State(http): State<Shared>) -> Result<Response, ApiError> {
    let users = http.engine.users()?;
    let bodies: Vec<UserBody<'_>> = users.iter().map(UserBody::from).collect();
    Ok(reply::list("users", &bodies, None))
}

/// `POST /api/v1/users`: 201; 409 when the name is taken.
pub(crate) async fn create(
    State(http): State<Shared>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let doc = extract::json_body(&http, request, MAX_COMMAND_BYTES).await?;
    let mut fields = object(&doc);
    let username = fields.required_text("username");
    let password = fields.required_text("password");
    let role: String = fields.required("role");
    if !role.is_empty() {
        fields.word("role", &ROLES);
    }
    let role = ROLES
        .iter()
        .find(|(word, _)| *word == role)
        .map(|(_, role)| *role);
    check_name(&mut fields, &username);
    let new = NewUser {
        full_name: fields
            .short("full_name", MAX_NAME_BYTES)
            .unwrap_or_else(|| username.clone()),
        role: role.unwrap_or(Role::App),
        is_active: fields.optional("is_active").unwrap_or(true),
        must_change_password: fields.optional("must_change_password").unwrap_or(false),
        username,
        password: Secret::new(password),
    };
    fields.finish_missing_first()?;
    let user = http.engine.make_user(new, &caller.actor.id).await?;
    Ok(reply::with_status(
        StatusCode::CREATED,
        "created",
        UserBody::from(&user),
    ))
}

/// `PUT /api/v1/users/{id}`: any subset; another password or `is_active:false` ends their sessions.
pub(crate) async fn update(
    State(http): State<Shared>,
    caller: Caller,
    NamePath(id): NamePath,
    request: Request,
) -> Result<Response, ApiError> {
    let doc = extract::json_body(&http, request, MAX_COMMAND_BYTES).await?;
    let mut fields = object(&doc);
    fields.only(&[
        "full_name",
        "role",
        "is_active",
        "password",
        "must_change_password",
    ]);
    let patch = UserPatch {
        full_name: fields.short("full_name", MAX_NAME_BYTES),
        role: fields.word("role", &ROLES),
        is_active: fields.optional("is_active"),
        password: fields.optional("password").map(Secret::of),
        must_change_password: fields.optional("must_change_password"),
    };
    fields.finish()?;
    let user = http.engine.change_user(&id, patch, &caller.actor.id).await?;
    Ok(reply::ok("changed", UserBody::from(&user)))
}

/// `DELETE /api/v1/users/{id}`: 409 for the last active admin.
pub(crate) async fn delete(
    State(http): State<Shared>,
    caller: Caller,
    NamePath(id): NamePath,
) -> Result<Response, ApiError> {
    http.engine.delete_user(&id, &caller.actor.id).await?;
    Ok(reply::ok("removed", Named { id: &id }))
}

fn check_name(fields: &mut Fields<'_>, username: &str) {
    let odd = |c: char| c.is_whitespace() || c.is_control();
    if username.len() > MAX_NAME_BYTES || username.contains(odd) {
        fields.problem(
            "username",
            format!("must be at most {MAX_NAME_BYTES} bytes long, without spaces and control characters"),
        );
    }
}
