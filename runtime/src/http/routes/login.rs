//! Logging in and out, and changing one's password.

pub(crate) mod about;

use super::users::{MAX_NAME_BYTES, UserBody};
use crate::engine::api::{LoginError, LoginRefusal, UserError};
use crate::http::auth::Caller;
use crate::http::extract::{self, MAX_COMMAND_BYTES, object};
use crate::http::reply::Nothing;
use crate::http::{ApiError, Peer, Shared, reply};
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderValue, header};
use schemars::JsonSchema;
use serde::Serialize;
use std::net::IpAddr;

/// No password is longer; more would only feed the hash.
const MAX_PASSWORD_BYTES: usize = 1024;

#[derive(Serialize, JsonSchema)]
struct Session<'a> {
    token: &'a str,
    expires_at: String,
    user: UserBody<'a>,
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

    let attempt = Attempt::begin(&http, &username, address).await?;
    let user = match http.engine.login(&username, &password).await {
        Ok(user) => user,
        Err(LoginError::InvalidCredentials) => {
            attempt.failed().await;
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
    let now = http.engine.session_time();
    let (token, expires) = http
        .tokens
        .issue(&user.id, user.generation, now, http.engine.random())?;
    let session = Session {
        token: &token,
        expires_at: expires.to_rfc3339(),
        user: UserBody::from(&user),
    };
    let mut response = reply::ok("logged in", session);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// `POST /api/v1/auth/logout`: the token holds no longer.
pub(crate) async fn logout(State(http): State<Shared>, caller: Caller) -> Result<Response, ApiError> {
    let session = caller.session()?;
    http.engine.end_session(&session.token, session.expires).await?;
    Ok(reply::ok("logged out", Nothing {}))
}

/// `POST /api/v1/auth/password`: another password; all sessions of the user end, this one too.
pub(crate) async fn password(
    State(http): State<Shared>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let address = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    let user = &caller.session()?.user;
    let doc = extract::json_body(&http, request, MAX_COMMAND_BYTES).await?;
    let mut fields = object(&doc);
    let current = fields.required_text("current_password");
    let new = fields.required_text("new_password");
    if current.len() > MAX_PASSWORD_BYTES {
        fields.problem(
            "current_password",
            format!("must be at most {MAX_PASSWORD_BYTES} bytes long"),
        );
    }
    fields.finish_missing_first()?;
    let attempt = Attempt::begin(&http, &user.username, address).await?;
    match http.engine.change_password(&user.id, &current, &new).await {
        Ok(_) => attempt.succeeded(),
        Err(UserError::WrongPassword) => {
            attempt.failed().await;
            return Err(UserError::WrongPassword.into());
        }
        Err(UserError::Password(problem)) => {
            attempt.succeeded();
            return Err(ApiError::invalid("new_password", problem));
        }
        Err(error) => {
            attempt.undecided();
            return Err(error.into());
        }
    }
    Ok(reply::ok("changed: log in again", Nothing {}))
}

/// A counted attempt. One that is dropped while the password is being checked stays counted as failed, or
/// hanging up early would be a way around the brake.
struct Attempt<'a> {
    http: &'a Shared,
    username: &'a str,
    address: Option<IpAddr>,
}

impl<'a> Attempt<'a> {
    /// Counts one, unless there were too many.
    async fn begin(http: &'a Shared, username: &'a str, address: Option<IpAddr>) -> Result<Self, ApiError> {
        let begun = http
            .throttle
            .lock()
            .begin(username, address, http.engine.mono_ms());
        if let Err(seconds) = begun {
            let refusal = LoginRefusal::Locked { seconds };
            http.engine.login_refused(username, address, refusal).await;
            let message = format!("too many failed logins: try again in {seconds} seconds");
            return Err(ApiError::too_many("too_many_logins", message, seconds));
        }
        Ok(Self {
            http,
            username,
            address,
        })
    }

    /// The password was wrong: it stays counted, and is written to the audit log.
    async fn failed(self) {
        let refusal = LoginRefusal::Wrong;
        self.http
            .engine
            .login_refused(self.username, self.address, refusal)
            .await;
    }

    fn succeeded(self) {
        self.http.throttle.lock().succeeded(self.username, self.address);
    }

    fn undecided(self) {
        self.http.throttle.lock().undecided(self.username, self.address);
    }
}
