//! Who asks, and whether they may. Deny by default: a route lets in exactly those that its entry in the table
//! of routes names.
//!
//! Passwords are the engine's business; here are tokens, roles and the brake on guessing.

pub(crate) mod provider;
mod throttle;
mod token;

pub(crate) use throttle::LoginThrottle;
pub(crate) use token::Tokens;

use crate::engine::APP_TOKEN_PREFIX;
use crate::engine::api::{Access, Actor, Role, Scope, User};
use crate::http::observed::Asked;
use crate::http::{ApiError, Shared};
use crate::secret::Secret;
use axum::extract::{FromRequestParts, Request};
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, Method, header};
use selaras_core::id::EntityType;
use selaras_core::stamp::Millis;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Anyone who can reach the socket: health, and the login itself.
    Anyone,
    /// The cloud, by a signature that the handler checks.
    Cloud,
    /// Who reads the metrics: admins, who bears the metrics token, this machine.
    Scraper,
    /// Whoever is logged in, also who has to change the password first: what they do with their own session and password.
    Themselves,
    /// Who is logged in, or bears an app's token, and has one of these roles.
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
    /// How far the token goes.
    pub(crate) scope: Scope,
    /// Who is logged in; none: an app by a token of its own.
    pub(crate) session: Option<Session>,
    /// What they came in with.
    pass: Pass,
}

/// What a caller showed at a route's guard. It is looked at again where an answer takes long: it may end meanwhile.
#[derive(Clone, Debug)]
struct Pass {
    token: Arc<Secret>,
    /// None: whoever is logged in.
    roles: Option<&'static [Role]>,
    wanted: Access,
}

/// A person's login.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// Who.
    pub(crate) user: User,
    /// The token's own id.
    pub(crate) token: String,
    /// When it ends by itself.
    pub(crate) expires: Millis,
}

impl Caller {
    /// That the token takes in this type.
    ///
    /// # Errors
    /// 403.
    pub(crate) fn may_use(&self, entity_type: &EntityType) -> Result<(), ApiError> {
        if self.scope.covers(entity_type.as_str()) {
            return Ok(());
        }
        let own: Vec<&str> = self.scope.entity_types.iter().map(EntityType::as_str).collect();
        let message = format!(
            "this token is not for the type {entity_type}, only for {}",
            own.join(", ")
        );
        Err(ApiError::forbidden("forbidden_type", message))
    }

    /// That they would still be let in.
    ///
    /// # Errors
    /// 401 or 403, as at the guard.
    pub(crate) fn may_stay(&self, state: &Shared) -> Result<(), ApiError> {
        self.pass.admit(state).map(drop)
    }

    /// The person who is logged in, where the route's guard asked for one.
    ///
    /// # Errors
    /// 403 for an app.
    pub(crate) fn session(&self) -> Result<&Session, ApiError> {
        self.session.as_ref().ok_or_else(not_a_person)
    }
}

#[cfg(test)]
impl Caller {
    /// Who bears this app's token.
    pub(crate) fn of_app(token: Secret, state: &Shared) -> Self {
        let pass = Pass {
            token: Arc::new(token),
            roles: Some(&[Role::App]),
            wanted: Access::Read,
        };
        pass.admit(state).expect("a token that holds")
    }
}

impl FromRequestParts<Shared> for Caller {
    type Rejection = ApiError;

    /// Takes what [`Guarded`] left; a route without a guard has none.
    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(missing_token)
    }
}

/// A handler behind its route's guard.
#[derive(Clone)]
pub(crate) struct Guarded<H> {
    /// The path with its placeholders.
    pub(crate) path: &'static str,
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
        if let Some(asked) = request.extensions().get::<Asked>() {
            asked.reached(self.path);
        }
        match admit(self.who, &request, &state) {
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
fn admit(who: Who, request: &Request, state: &Shared) -> Result<Option<Caller>, ApiError> {
    let (method, headers) = (request.method(), request.headers());
    let roles = match who {
        Who::Anyone | Who::Cloud => return Ok(None),
        Who::Scraper => {
            if !headers.contains_key(header::AUTHORIZATION) {
                let open = state.scrape.is_open_to(headers, request.extensions());
                return if open {
                    Ok(None)
                } else {
                    Err(state.scrape.refusal())
                };
            }
            if state.scrape.takes(bearer(headers)?) {
                return Ok(None);
            }
            Some(&[Role::Admin][..])
        }
        Who::Themselves => None,
        Who::Roles(roles) => Some(roles),
    };
    let reads = method == Method::GET || method == Method::HEAD;
    let pass = Pass {
        token: Arc::new(Secret::new(bearer(headers)?)),
        roles,
        wanted: if reads { Access::Read } else { Access::Write },
    };
    pass.admit(state).map(Some)
}

impl Pass {
    /// Its bearer, if they may pass.
    fn admit(&self, state: &Shared) -> Result<Caller, ApiError> {
        let (caller, role) = if self.token.expose().starts_with(APP_TOKEN_PREFIX) {
            (self.by_app_token(state)?, Role::App)
        } else {
            self.by_login(state)?
        };
        let Some(roles) = self.roles else {
            return caller
                .session()
                .is_ok()
                .then_some(caller)
                .ok_or_else(not_a_person);
        };
        if caller
            .session
            .as_ref()
            .is_some_and(|session| session.user.must_change_password)
        {
            return Err(ApiError::forbidden(
                "password_change_required",
                "this password is for the first login only: change it with POST /api/v1/auth/password, and log in again",
            ));
        }
        if !roles.contains(&role) {
            let names: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
            let message = format!(
                "your role {} may not do this: it takes {}",
                role.as_str(),
                names.join(" or ")
            );
            return Err(ApiError::forbidden("forbidden", message));
        }
        if !caller.scope.access.allows(self.wanted) {
            let message = format!("this token is for {} only", caller.scope.access.as_str());
            return Err(ApiError::forbidden("forbidden_access", message));
        }
        Ok(caller)
    }

    /// Who logged in. The token says who; what they may do is asked each time, so that a change holds at once.
    fn by_login(&self, state: &Shared) -> Result<(Caller, Role), ApiError> {
        let claims = state
            .tokens
            .verify(self.token.expose(), state.engine.session_time())?;
        let user = state.engine.user(&claims.sub)?.filter(|user| user.is_active);
        let Some(user) = user else {
            return Err(ApiError::bad_token(
                "invalid_token",
                "the token's user is gone or inactive: log in again",
            ));
        };
        if user.generation != claims.generation || state.engine.session_has_ended(&claims.jti) {
            return Err(ApiError::bad_token(
                "invalid_token",
                "the token's session has ended: log in again",
            ));
        }
        let role = user.role;
        let caller = Caller {
            actor: Actor {
                id: user.username.clone(),
                token_id: None,
            },
            scope: Scope::ALL,
            session: Some(Session {
                user,
                expires: claims.expires(),
                token: claims.jti,
            }),
            pass: self.clone(),
        };
        Ok((caller, role))
    }

    fn by_app_token(&self, state: &Shared) -> Result<Caller, ApiError> {
        let Some(token) = state.engine.app_token(self.token.expose())? else {
            return Err(ApiError::bad_token(
                "invalid_token",
                "the token is none of this outlet's, was deleted or has ended: ask an admin for another",
            ));
        };
        Ok(Caller {
            actor: Actor {
                id: token.id.clone(),
                token_id: Some(token.id),
            },
            scope: token.scope,
            session: None,
            pass: self.clone(),
        })
    }
}

fn not_a_person() -> ApiError {
    ApiError::forbidden(
        "forbidden",
        "an app's token has no session and no password: this is for people who log in",
    )
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
