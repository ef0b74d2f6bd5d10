//! Plugins are installed, activated, taken back, set beside the active version, and removed.

pub(crate) mod about;

use super::VersionBody;
use crate::engine::api::{NewPlugin, PluginError};
use crate::http::auth::Caller;
use crate::http::extract::{
    MAX_COMMAND_BYTES, NamePath, NamesPath, Params, expect_wasm, json_body, object, optional_json_body,
    read_body,
};
use crate::http::{ApiError, Shared, reply};
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;

/// A component, without and with the grant `large`.
const MAX_COMPONENT_BYTES: usize = 8 << 20;
const MAX_LARGE_COMPONENT_BYTES: usize = 64 << 20;

/// `POST /api/v1/plugins?name=&large=&wasi=`: 201 for a new version, 200 for one that is there.
pub(crate) async fn install(
    State(http): State<Shared>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let params = Params::of(request.uri())?;
    let (large, wasi) = (params.flag("large")?, params.flag("wasi")?);
    let name = params.get("name").map(str::to_owned);
    expect_wasm(request.headers())?;
    let limit = if large {
        MAX_LARGE_COMPONENT_BYTES
    } else {
        MAX_COMPONENT_BYTES
    };
    let payload = read_body(&http, request.into_body(), limit)
        .await
        .map_err(|error| too_large(error, large))?;
    let new = NewPlugin {
        bytes: payload.bytes().to_vec(),
        name,
        large,
        wasi,
    };
    let (version, is_new) = http.engine.install_plugin(new, &caller.actor).await?;
    let body = VersionBody::from(&version);
    Ok(if is_new {
        let message = "installed: it is used once it is activated";
        reply::with_status(StatusCode::CREATED, message, body)
    } else {
        reply::ok("this version is installed already", body)
    })
}

/// A component with too many bytes is refused like any other that cannot be used.
fn too_large(error: ApiError, large: bool) -> ApiError {
    if error.status() != StatusCode::PAYLOAD_TOO_LARGE {
        return error;
    }
    let message = if large {
        format!("the component has more than the {MAX_LARGE_COMPONENT_BYTES} bytes that are taken at most")
    } else {
        format!(
            "the component has more than {MAX_COMPONENT_BYTES} bytes: install it with &large=true, \
             which takes {MAX_LARGE_COMPONENT_BYTES}"
        )
    };
    // What still comes of it is not read.
    ApiError::from(PluginError::too_large(message))
        .header(header::CONNECTION, HeaderValue::from_static("close"))
}

/// `POST …/{name}/activate` `{digest, force?}`.
pub(crate) async fn activate(
    State(http): State<Shared>,
    caller: Caller,
    NamePath(name): NamePath,
    request: Request,
) -> Result<Response, ApiError> {
    let doc = json_body(&http, request, MAX_COMMAND_BYTES).await?;
    let mut fields = object(&doc);
    let digest = fields.required_text("digest");
    let force = fields.optional("force").unwrap_or(false);
    fields.only(&["digest", "force"]);
    fields.finish()?;
    let version = http
        .engine
        .activate_plugin(&name, &digest, force, &caller.actor)
        .await?;
    Ok(reply::ok("this version is active", VersionBody::from(&version)))
}

/// `POST …/{name}/rollback` `{reason?}`.
pub(crate) async fn rollback(
    State(http): State<Shared>,
    caller: Caller,
    NamePath(name): NamePath,
    request: Request,
) -> Result<Response, ApiError> {
    let doc = optional_json_body(&http, request).await?;
    let mut fields = object(&doc);
    let reason: Option<String> = fields.optional("reason");
    if reason.as_ref().is_some_and(|reason| reason.len() > 1_024) {
        fields.problem("reason", "must be at most 1024 bytes long");
    }
    fields.only(&["reason"]);
    fields.finish()?;
    let version = http.engine.roll_back_plugin(&name, reason, &caller.actor).await?;
    Ok(reply::ok(
        "the version before is active again",
        VersionBody::from(&version),
    ))
}

/// `PUT …/{name}/shadow` `{digest}`.
pub(crate) async fn shadow(
    State(http): State<Shared>,
    caller: Caller,
    NamePath(name): NamePath,
    request: Request,
) -> Result<Response, ApiError> {
    let doc = json_body(&http, request, MAX_COMMAND_BYTES).await?;
    let mut fields = object(&doc);
    let digest = fields.required_text("digest");
    fields.only(&["digest"]);
    fields.finish()?;
    http.engine
        .shadow_plugin(&name, Some(&digest), &caller.actor)
        .await?;
    let plugin = http.engine.plugin(&name)?;
    let message = "this version answers beside the active one; nothing of it is used";
    Ok(reply::ok(message, super::PluginBody::from(&plugin)))
}

/// `DELETE …/{name}/shadow`.
pub(crate) async fn unshadow(
    State(http): State<Shared>,
    caller: Caller,
    NamePath(name): NamePath,
) -> Result<Response, ApiError> {
    http.engine.shadow_plugin(&name, None, &caller.actor).await?;
    let plugin = http.engine.plugin(&name)?;
    Ok(reply::ok(
        "nothing runs beside the active version",
        super::PluginBody::from(&plugin),
    ))
}

#[derive(Serialize, JsonSchema)]
struct Removed<'a> {
    name: &'a str,
    digest: Option<&'a str>,
}

/// `DELETE …/{name}`: with all of its versions.
pub(crate) async fn remove(
    State(http): State<Shared>,
    caller: Caller,
    NamePath(name): NamePath,
) -> Result<Response, ApiError> {
    http.engine.remove_plugin(&name, None, &caller.actor).await?;
    let removed = Removed {
        name: &name,
        digest: None,
    };
    Ok(reply::ok("removed, with all of its versions", removed))
}

/// `DELETE …/{name}/versions/{digest}`.
pub(crate) async fn remove_version(
    State(http): State<Shared>,
    caller: Caller,
    NamesPath(name, digest): NamesPath,
) -> Result<Response, ApiError> {
    http.engine
        .remove_plugin(&name, Some(&digest), &caller.actor)
        .await?;
    let removed = Removed {
        name: &name,
        digest: Some(&digest),
    };
    Ok(reply::ok("this version is removed", removed))
}
