//! Who asks, and whether they may. Deny by default: a route lets in exactly those that its entry in the table
//! of routes names.
//!
//! Passwords are the engine's business; here are tokens, roles and the brake on guessing.

pub(crate) mod provider;
mod throttle;
mod token;

pub(crate) use throttle::LoginThrottle;
pub(crate) use token::Tokens;

use crate::engine::api::{Actor, Role};
use crate::http::{ApiError, Shared};
use axum::extract::FromRequestParts;
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, header};
use std::future::Future;
use std::pin::Pin;

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Anyone who can reach the socket: health, and the login itself.
    Anyone,
    /// The cloud, by a signature that the handler checks.
    Cloud,
    /// Bearers of a token with one of these roles.
    Roles(&'static [Role]),
}

/// Everything but what apps are for.
pub(crate) const ADMIN: Who = Who::Roles(&[Role::Admin]);
/// Looking after the sync.
pub(crate) const OPERATORS: Who = Who::Roles(&[Role::Admin, Role::Operator]);
/// Reading entities and the feed.
pub(crate) const READERS: Who = Who::Roles(&[Role::Admin, Role::Operator, Role::App]);
/// Changing entities.
pub(crate) const WRITERS: Who = Who::Roles(&[Role::Admin, Role::App]);

/// The bearer of a valid token.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// For the feed and the audit lines.
    pub(crate) actor: Actor,
}

impl FromRequestParts<Shared> for Caller {
    type Rejection = ApiError;

    /// Takes what [`Guarded`] left; a route without a guard has none.
    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, ApiError> {
        parts.extensions.remove::<Self>().ok_or_else(missing_token)
    }
}

/// A handler behind its route's guard.
#[derive(Clone)]
pub(crate) struct Guarded<H> {
    /// Who may pass.
    pub(crate) who: Who,
    /// What they reach.
    pub(crate) handler: H,
}

impl<T, H> Handler<T, Shared> for Guarded<H>
where
    H: Handler<T, Shared>,
    T: 'static,
{
    type Future = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn call(self, mut request: axum::extract::Request, state: Shared) -> Self::Future {
        match admit(self.who, request.headers(), &state) {
            Ok(caller) => {
                if let Some(caller) = caller {
                    request.extensions_mut().insert(caller);
                }
                Box::pin(self.handler.call(request, state))
            }
            Err(error) => Box::pin(std::future::ready(error.into_response())),
        }
    }
}

/// Lets a request in, with its caller where it needs one.
fn admit(who: Who, headers: &HeaderMap, state: &Shared) -> Result<Option<Caller>, ApiError> {
    let Who::Roles(roles) = who else {
        return Ok(None);
    };
    let claims = state.tokens.verify(bearer(headers)?, state.engine.now())?;
    // The token says who; what they may do is asked each time, so that a change of role holds at once.
    let user = state.engine.user(&claims.sub)?.filter(|user| user.is_active);
    let Some(user) = user else {
        return Err(ApiError::bad_token(
            "invalid_token",
            "the token's user is gone or inactive: log in again",
        ));
    };
    if !roles.contains(&user.role) {
        let names: Vec<&str> = roles.iter().map(|role| role_name(*role)).collect();
        return Err(ApiError::forbidden(
            "forbidden",
            format!(
                "your role {} may not do this: it takes {}",
                role_name(user.role),
                names.join(" or ")
            ),
        ));
    }
    Ok(Some(Caller {
        actor: Actor {
            id: user.username,
            token_id: None,
        },
    }))
}

/// The token of `Authorization: Bearer …`.
fn bearer(headers: &HeaderMap) -> Result<&str, ApiError> {
    let value = headers.get(header::AUTHORIZATION).ok_or_else(missing_token)?;
    let token = value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    token.filter(|token| !token.is_empty()).ok_or_else(|| {
        ApiError::bad_token(
            "invalid_token",
            "Authorization must be: Bearer, a space, and a token from login",
        )
    })
}

fn missing_token() -> ApiError {
    ApiError::bad_token(
        "missing_token",
        "this needs a token: get one from POST /api/v1/auth/login and send it as Authorization: Bearer",
    )
}

/// The contract's word for a role.
pub(crate) fn role_name(role: Role) -> &'static str {
    match role {
        Role::Admin => "admin",
        Role::Operator => "operator",
        Role::App => "app",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn only_a_bearer_header_yields_a_token() {
        let of = |value: &str| {
            let headers =
                HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap())]);
            bearer(&headers).map(str::to_owned).map_err(|error| error.code())
        };
        assert_eq!(of("Bearer abc.def"), Ok("abc.def".to_owned()));
        assert_eq!(of("bearer abc"), Ok("abc".to_owned()));
        for bad in ["Basic YTpi", "Bearer", "Bearer ", "abc"] {
            assert_eq!(of(bad), Err("invalid_token"), "{bad}");
        }
        assert_eq!(bearer(&HeaderMap::new()).unwrap_err().code(), "missing_token");
    }
}
