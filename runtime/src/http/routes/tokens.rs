//! Apps' tokens: for admins.

pub(crate) mod about;

use crate::engine::api::{Access, AppToken, NewToken, Scope};
use crate::http::auth::Caller;
use crate::http::extract::{
    self, Fields, ListKind, MAX_COMMAND_BYTES, NamePath, Params, encode_cursor, object,
};
use crate::http::reply::Named;
use crate::http::{ApiError, Shared, reply};
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderValue, StatusCode, Uri, header};
use schemars::JsonSchema;
use selaras_core::id::EntityType;
use selaras_core::stamp::Millis;
use serde::Serialize;

/// More types than an app has.
const MOST_TYPES: usize = 100;
const ACCESS: [(&str, Access); 3] = [
    ("read", Access::Read),
    ("write", Access::Write),
    ("read_write", Access::ReadWrite),
];

#[derive(Serialize, JsonSchema)]
struct TokenBody<'a> {
    id: &'a str,
    name: &'a str,
    access: &'static str,
    entity_types: Vec<&'a str>,
    expires_at: Option<String>,
    created_at: String,
    created_by: &'a str,
    /// Told when it is made, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

impl<'a> From<&'a AppToken> for TokenBody<'a> {
    fn from(token: &'a AppToken) -> Self {
        Self {
            id: &token.id,
            name: &token.name,
            access: token.scope.access.as_str(),
            entity_types: token.scope.entity_types.iter().map(EntityType::as_str).collect(),
            expires_at: token.expires_at.map(|at| at.to_rfc3339()),
            created_at: token.created_at.to_rfc3339(),
            created_by: &token.created_by,
            token: None,
        }
    }
}

/// `GET /api/v1/tokens`: without the tokens themselves.
pub(crate) async fn list(State(http): State<Shared>, uri: Uri) -> Result<Response, ApiError> {
    let page = Params::of(&uri)?.page(ListKind::Tokens)?;
    let page = http.engine.app_tokens(page)?;
    let bodies: Vec<TokenBody<'_>> = page.items.iter().map(TokenBody::from).collect();
    let next = page
        .next
        .map(|position| encode_cursor(ListKind::Tokens, &position));
    Ok(reply::list("tokens", &bodies, next))
}

/// `POST /api/v1/tokens`: 201 with the token, this once.
pub(crate) async fn create(
    State(http): State<Shared>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let doc = extract::json_body(&http, request, MAX_COMMAND_BYTES).await?;
    let mut fields = object(&doc);
    let name = fields.required_text("name");
    if name.len() > super::users::MAX_NAME_BYTES {
        fields.problem("name", "must be at most 128 bytes long");
    }
    let access = fields.word("access", &ACCESS).unwrap_or(Access::ReadWrite);
    let entity_types = entity_types(&mut fields);
    let expires_at: Option<Millis> = fields.optional("expires_at");
    if expires_at.is_some_and(|end| end <= http.engine.session_time()) {
        fields.problem("expires_at", "is past");
    }
    fields.finish_missing_first()?;
    let new = NewToken {
        name,
        scope: Scope { access, entity_types },
        expires_at,
    };
    let (token, text) = http.engine.make_app_token(new, &caller.actor.id).await?;
    let body = TokenBody {
        token: Some(text.expose()),
        ..TokenBody::from(&token)
    };
    let mut response = reply::with_status(
        StatusCode::CREATED,
        "created: keep the token, it is not shown again",
        body,
    );
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// `DELETE /api/v1/tokens/{id}`: it holds no longer.
pub(crate) async fn delete(
    State(http): State<Shared>,
    caller: Caller,
    NamePath(id): NamePath,
) -> Result<Response, ApiError> {
    if !http.engine.delete_app_token(&id, &caller.actor.id).await? {
        return Err(ApiError::not_found(
            "token_not_found",
            format!("there is no token {id}"),
        ));
    }
    Ok(reply::ok("deleted", Named { id: &id }))
}

/// The types the token is for; none: all.
fn entity_types(fields: &mut Fields<'_>) -> Vec<EntityType> {
    let Some(raw) = fields.raw("entity_types") else {
        return Vec::new();
    };
    let names: Option<Vec<String>> = serde_json::from_str(raw).ok();
    let Some(names) = names.filter(|names| (1..=MOST_TYPES).contains(&names.len())) else {
        fields.problem(
            "entity_types",
            format!("must be a list of 1 to {MOST_TYPES} types; leave it away for all"),
        );
        return Vec::new();
    };
    let mut types = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        match EntityType::parse(name) {
            Ok(entity_type) => types.push(entity_type),
            Err(error) => fields.problem(&format!("entity_types[{index}]"), error.to_string()),
        }
    }
    types
}
