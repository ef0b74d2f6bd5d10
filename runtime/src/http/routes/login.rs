//! `POST /api/v1/auth/login`.

use crate::engine::api::LoginError;
use crate::http::auth::role_name;
use crate::http::extract::{self, MAX_COMMAND_BYTES, object};
use crate::http::{ApiError, Peer, Shared, reply};
use axum::extract::{Request, State};
use axum::response::Response;
use serde::Serialize;
use std::net::IpAddr;

/// No password is longer; more would only feed the hash.
const MAX_PASSWORD_BYTES: usize = 1024;
const MAX_NAME_BYTES: usize = 128;

#[derive(Serialize)]
struct Session<'a> {
    token: &'a str,
    expires_at: String,
    user: UserBody<'a>,
}

#[derive(Serialize)]
struct UserBody<'a> {
    id: &'a str,
    username: &'a str,
    full_name: &'a str,
    role: &'a str,
    is_active: bool,
}

/// A token for a user name and password.
pub(crate) async fn login(State(http): State<Shared>, request: Request) -> Result<Response, ApiError> {
    let address = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    let doc = extract::json_body(&http, request, MAX_COMMAND_BYTES).await?;
    let mut fields = object(&doc);
    let username = fields.required_text("username");
    let password = fields.required_text("password");
    if username.len() > MAX_NAME_BYTES {
        fields.problem("username", format!("must be at most {MAX_NAME_BYTES} bytes long"));
    }
    if password.len() > MAX_PASSWORD_BYTES {
        fields.problem(
            "password",
            format!("must be at most {MAX_PASSWORD_BYTES} bytes long"),
        );
    }
    fields.finish_missing_first()?;

    let begun = http
        .throttle
        .lock()
        .begin(&username, address, http.engine.mono_ms());
    begun.map_err(|seconds| {
        let message = format!("too many failed logins: try again in {seconds} seconds");
        ApiError::too_many("too_many_logins", message, seconds)
    })?;
    let attempt = Attempt {
        http: &http,
        username: &username,
        address,
    };
    let user = match http.engine.login(&username, &password).await {
        Ok(user) => user,
        Err(LoginError::InvalidCredentials) => {
            return Err(ApiError::unauthorized(
                "invalid_credentials",
                "user name or password is wrong",
            ));
        }
        Err(LoginError::Unavailable(error)) => {
            attempt.undecided();
            return Err(error.into());
        }
    };
    attempt.succeeded();
    let (token, expires) = http
        .tokens
        .issue(&user.id, http.engine.now(), http.engine.random())?;
    let session = Session {
        token: &token,
        expires_at: expires.to_rfc3339(),
        user: UserBody {
            id: &user.id,
            username: &user.username,
            full_name: &user.full_name,
            role: role_name(user.role),
            is_active: user.is_active,
        },
    };
    Ok(reply::ok("logged in", session))
}

/// A counted attempt. One that is dropped while the password is being checked stays counted as failed, or
/// hanging up early would be a way around the brake.
struct Attempt<'a> {
    http: &'a Shared,
    username: &'a str,
    address: Option<IpAddr>,
}

impl Attempt<'_> {
    fn succeeded(self) {
        self.http.throttle.lock().succeeded(self.username, self.address);
    }

    fn undecided(self) {
        self.http.throttle.lock().undecided(self.username, self.address);
    }
}
