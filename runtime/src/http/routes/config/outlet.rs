//! The outlet's own configuration. The cloud key goes in and never comes out.

pub(crate) mod about;

use crate::engine::api::{OutletPatch, OutletView, PROFILE_FIELDS};
use crate::http::auth::Caller;
use crate::http::extract::{Fields, MAX_COMMAND_BYTES, json_body, object, optional_json_body};
use crate::http::reply::{self, Raw};
use crate::http::{ApiError, Shared};
use crate::secret::Secret;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use schemars::JsonSchema;
use selaras_core::json::Doc;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// What a configuration must name.
const REQUIRED: [&str; 4] = ["outlet_id", "outlet_code", "cloud_api_url", "cloud_api_key"];
/// How often runs are made where a new configuration does not say.
const DEFAULT_INTERVAL_MINUTES: u32 = 5;
/// What else it may.
const OPTIONAL: [&str; 4] = ["outlet_name", "sync_enabled", "sync_interval_minutes", "rebind"];
/// What an answer of ours also carries: taken and left alone, so that an answer can be edited and sent back.
const READ_ONLY: [&str; 6] = [
    "id",
    "cloud_api_key_masked",
    "is_active",
    "last_sync_at",
    "created_at",
    "updated_at",
];

/// A map, because the profile's fields are as the settings have them. No derive can describe it: `about` does, and a test
/// compares the two.
struct OutletBody<'a>(&'a OutletView);

impl Serialize for OutletBody<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (view, outlet) = (self.0, &self.0.outlet);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &view.id)?;
        map.serialize_entry("outlet_id", &outlet.outlet_id)?;
        map.serialize_entry("outlet_name", &outlet.outlet_name)?;
        map.serialize_entry("outlet_code", &outlet.outlet_code)?;
        map.serialize_entry("cloud_api_url", &outlet.cloud_api_url)?;
        map.serialize_entry("cloud_api_key_masked", &view.cloud_api_key_masked)?;
        // The configuration in force is the active one; there is no other.
        map.serialize_entry("is_active", &true)?;
        map.serialize_entry("sync_enabled", &outlet.sync_enabled)?;
        map.serialize_entry("sync_interval_minutes", &outlet.sync_interval_minutes)?;
        for (name, raw) in &outlet.profile {
            map.serialize_entry(name, &Raw(raw))?;
        }
        map.serialize_entry("last_sync_at", &view.last_sync_at.map(|at| at.to_rfc3339()))?;
        map.serialize_entry("created_at", &view.created_at.map(|at| at.to_rfc3339()))?;
        map.serialize_entry("updated_at", &view.updated_at.map(|at| at.to_rfc3339()))?;
        map.end()
    }
}

/// `GET …/outlet`.
pub(crate) async fn get(State(http): State<Shared>) -> Result<Response, ApiError> {
    let view = http.engine.outlet().ok_or_else(|| {
        ApiError::not_found(
            "not_configured",
            "the outlet is not configured yet: POST /api/v1/config/outlet, or set OUTLET_ID and its kin",
        )
    })?;
    Ok(reply::ok("outlet configuration", OutletBody(&view)))
}

/// `POST …/outlet`: the first one; 400 names each missing field.
pub(crate) async fn create(
    State(http): State<Shared>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let doc = json_body(&http, request, MAX_COMMAND_BYTES).await?;
    let mut patch = parse(&doc, &REQUIRED)?;
    // The contract's defaults of this call: what is made here is whole, whatever the environment says.
    patch.sync_enabled.get_or_insert(true);
    patch
        .sync_interval_minutes
        .get_or_insert(DEFAULT_INTERVAL_MINUTES);
    let view = http.engine.create_outlet(patch, &caller.actor).await?;
    Ok(reply::with_status(
        StatusCode::CREATED,
        "the outlet is configured",
        OutletBody(&view),
    ))
}

/// `PUT …/outlet`: any subset, applied at once.
pub(crate) async fn update(
    State(http): State<Shared>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let doc = json_body(&http, request, MAX_COMMAND_BYTES).await?;
    let patch = parse(&doc, &[])?;
    let view = http.engine.update_outlet(patch, &caller.actor).await?;
    Ok(reply::ok(
        "the outlet's configuration is in force",
        OutletBody(&view),
    ))
}

#[derive(Serialize, JsonSchema)]
struct TestBody<'a> {
    reachable: bool,
    authorized: bool,
    latency_ms: Option<u64>,
    clock_offset_ms: Option<i64>,
    error: Option<&'a str>,
}

/// `POST …/outlet/test`: asks the cloud with the stored settings, or with those given over them.
pub(crate) async fn test(State(http): State<Shared>, request: Request) -> Result<Response, ApiError> {
    let doc = optional_json_body(&http, request).await?;
    let given = doc.members().iter().any(|(_, raw)| *raw != "null");
    let patch = parse(&doc, &[])?;
    let found = http.engine.test_outlet(given.then_some(patch)).await?;
    let message = match (found.reachable, found.authorized) {
        (true, true) => "the cloud answers and knows this outlet",
        (true, false) => "the cloud answers, but does not take the key",
        (false, _) => "the cloud cannot be reached",
    };
    let body = TestBody {
        reachable: found.reachable,
        authorized: found.authorized,
        latency_ms: found.latency_ms,
        clock_offset_ms: found.clock_offset_ms,
        error: found.error.as_deref(),
    };
    Ok(reply::ok(message, body))
}

/// Reads the fields; those in `required` must be there. The engine checks what they say.
fn parse(doc: &Doc, required: &[&str]) -> Result<OutletPatch, ApiError> {
    let mut fields = object(doc);
    let text = |fields: &mut Fields<'_>, name: &str| {
        if required.contains(&name) {
            Some(fields.required_text(name))
        } else {
            fields.optional(name)
        }
    };
    let mut patch = OutletPatch {
        outlet_id: text(&mut fields, "outlet_id"),
        outlet_code: text(&mut fields, "outlet_code"),
        cloud_api_url: text(&mut fields, "cloud_api_url"),
        cloud_api_key: text(&mut fields, "cloud_api_key").map(Secret::of),
        outlet_name: fields.optional("outlet_name"),
        sync_enabled: fields.optional("sync_enabled"),
        sync_interval_minutes: fields.optional("sync_interval_minutes"),
        rebind: fields.optional("rebind").unwrap_or(false),
        profile: Vec::new(),
    };
    if patch.sync_interval_minutes == Some(0) {
        fields.problem("sync_interval_minutes", "must be at least 1");
    }
    for name in PROFILE_FIELDS {
        if let Some(raw) = fields.raw_or_null(name) {
            patch.profile.push((name, raw.into()));
        }
    }
    fields.only(&[&REQUIRED[..], &OPTIONAL, &PROFILE_FIELDS, &READ_ONLY].concat());
    fields.finish_missing_first()?;
    Ok(patch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::api::Outlet;

    fn doc(text: &str) -> Doc {
        Doc::parse(text).unwrap()
    }

    #[test]
    fn each_missing_field_is_named_with_400() {
        let Err(error) = parse(&doc(r#"{"outlet_code":"JKT-001","cloud_api_key":""}"#), &REQUIRED) else {
            panic!("taken")
        };
        assert_eq!(error.status(), 400);
        let named: Vec<&str> = error.details().iter().map(|d| d.field.as_str()).collect();
        assert_eq!(named, ["outlet_id", "cloud_api_url", "cloud_api_key"]);
    }

    #[test]
    fn what_is_written_by_hand_is_what_is_described() {
        let view = OutletView {
            id: "1".to_owned(),
            outlet: Outlet {
                profile: PROFILE_FIELDS.map(|name| (name, "1".into())).to_vec(),
                ..Outlet::default()
            },
            cloud_api_key_masked: String::new(),
            last_sync_at: None,
            created_at: None,
            updated_at: None,
        };
        let written = serde_json::to_value(OutletBody(&view)).unwrap();
        let described = schemars::schema_for!(about::OutletShape).to_value();
        let names = |value: &serde_json::Value| -> Vec<String> {
            value.as_object().unwrap().keys().cloned().collect()
        };
        assert_eq!(names(&written), names(&described["properties"]));
    }

    #[test]
    fn the_profile_is_taken_as_raw_json_and_comes_out_so() {
        let patch = parse(
            &doc(r#"{"social_media":{"ig": "@a"},"target_spend_per_pax":75000.50}"#),
            &[],
        )
        .unwrap();
        let view = OutletView {
            id: "1".to_owned(),
            outlet: Outlet {
                profile: patch.profile,
                ..Outlet::default()
            },
            cloud_api_key_masked: "abcd****xyz1".to_owned(),
            last_sync_at: None,
            created_at: None,
            updated_at: None,
        };
        let text = serde_json::to_string(&OutletBody(&view)).unwrap();
        assert!(
            text.contains(r#""social_media":{"ig": "@a"},"target_spend_per_pax":75000.50"#),
            "{text}"
        );
    }

    #[test]
    fn an_answer_can_be_edited_and_sent_back_but_a_stranger_is_refused() {
        parse(
            &doc(r#"{"id":"1","is_active":true,"created_at":null,"outlet_name":"A"}"#),
            &[],
        )
        .unwrap();
        assert!(parse(&doc(r#"{"outlet_nane":"A"}"#), &[]).is_err());
        assert!(parse(&doc(r#"{"sync_interval_minutes":0}"#), &[]).is_err());
    }
}
