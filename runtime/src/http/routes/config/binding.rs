//! How an entity type is synced; `*` is the default of all types.

pub(crate) mod about;

use crate::engine::api::{Binding, BindingPatch, PluginLimits, PluginLimitsPatch, Route};
use crate::http::auth::Caller;
use crate::http::error::Detail;
use crate::http::extract::{Fields, MAX_COMMAND_BYTES, NamePath, entity_type, json_body, object};
use crate::http::reply::{self, Raw};
use crate::http::{ApiError, Shared};
use axum::extract::{Request, State};
use axum::response::Response;
use schemars::JsonSchema;
use selaras_core::json::Doc;
use serde::Serialize;

/// The default's name.
const ANY_TYPE: &str = "*";
const FIELDS: [&str; 10] = [
    "strategy",
    "mapper",
    "settings",
    "cloud_type",
    "collection",
    "route",
    "coalesce",
    "priority",
    "max_document_bytes",
    "limits",
];
const LIMITS: [&str; 6] = [
    "timeout_ms",
    "memory_bytes",
    "table_elements",
    "lifted_bytes",
    "log_lines",
    "result_bytes",
];

#[derive(Serialize, JsonSchema)]
struct BindingBody<'a> {
    entity_type: &'a str,
    strategy: &'a str,
    mapper: Option<&'a str>,
    settings: Raw<'a>,
    /// Each type has its own; the default names none.
    cloud_type: Option<&'a str>,
    collection: Option<&'a str>,
    route: Route,
    coalesce: bool,
    priority: u8,
    max_document_bytes: u32,
    limits: PluginLimits,
}

impl<'a> BindingBody<'a> {
    fn new(entity_type: &'a str, binding: &'a Binding) -> Self {
        let own = |name: &'a str| (entity_type != ANY_TYPE).then_some(name);
        Self {
            entity_type,
            strategy: &binding.strategy,
            mapper: binding.mapper.as_deref(),
            settings: Raw::from(&binding.settings),
            cloud_type: own(&binding.cloud_type),
            collection: own(&binding.collection),
            route: binding.route,
            coalesce: binding.coalesce,
            priority: binding.priority,
            max_document_bytes: binding.max_document_bytes,
            limits: binding.limits,
        }
    }
}

/// `GET …/entities/{type}`.
pub(crate) async fn get(State(http): State<Shared>, NamePath(name): NamePath) -> Result<Response, ApiError> {
    check_name(&name)?;
    let binding = http.engine.binding(&name);
    Ok(reply::ok("binding", BindingBody::new(&name, &binding)))
}

/// `PUT …/entities/{type}`: any subset; the rest stays as it is.
pub(crate) async fn put(
    State(http): State<Shared>,
    caller: Caller,
    NamePath(name): NamePath,
    request: Request,
) -> Result<Response, ApiError> {
    check_name(&name)?;
    let patch = parse(&json_body(&http, request, MAX_COMMAND_BYTES).await?)?;
    let binding = http.engine.set_binding(&name, patch, &caller.actor).await?;
    Ok(reply::ok(
        "the binding is in force",
        BindingBody::new(&name, &binding),
    ))
}

fn check_name(name: &str) -> Result<(), ApiError> {
    if name == ANY_TYPE {
        Ok(())
    } else {
        entity_type("entity_type", name).map(drop)
    }
}

fn parse(doc: &Doc) -> Result<BindingPatch, ApiError> {
    let mut fields = object(doc);
    let limits: Option<Doc> = fields.optional("limits");
    let (limits, mut problems) = limits.map(|given| limits_of(&given)).unzip();
    let patch = BindingPatch {
        strategy: fields.optional("strategy"),
        mapper: fields.nullable("mapper"),
        settings: fields.optional("settings"),
        cloud_type: fields.optional("cloud_type"),
        collection: fields.optional("collection"),
        route: fields.word("route", &[("batch", Route::Batch), ("document", Route::Document)]),
        coalesce: fields.optional("coalesce"),
        priority: fields.optional("priority"),
        max_document_bytes: fields.optional("max_document_bytes"),
        limits,
    };
    // `entity_type` is in our own answer, so it may come back.
    fields.only(&[&FIELDS[..], &["entity_type"]].concat());
    let mut all = fields.into_problems();
    all.append(problems.get_or_insert_default());
    if all.is_empty() {
        Ok(patch)
    } else {
        Err(ApiError::invalid_fields(all))
    }
}

fn limits_of(given: &Doc) -> (PluginLimitsPatch, Vec<Detail>) {
    let mut fields = Fields::new(given, "limits".to_owned());
    let patch = PluginLimitsPatch {
        timeout_ms: fields.optional("timeout_ms"),
        memory_bytes: fields.optional("memory_bytes"),
        table_elements: fields.optional("table_elements"),
        lifted_bytes: fields.optional("lifted_bytes"),
        log_lines: fields.optional("log_lines"),
        result_bytes: fields.optional("result_bytes"),
    };
    fields.only(&LIMITS);
    (patch, fields.into_problems())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapper_that_is_null_is_taken_away_and_one_not_named_stays() {
        let of = |text| parse(&Doc::parse(text).unwrap()).unwrap().mapper;
        assert_eq!(of(r#"{"mapper":null}"#), Some(None));
        assert_eq!(
            of(r#"{"mapper":"catalog_mapper"}"#),
            Some(Some("catalog_mapper".to_owned()))
        );
        assert_eq!(of("{}"), None);
    }

    #[test]
    fn what_cannot_be_a_binding_is_named() {
        let text = r#"{"strategy":1,"settings":[],"route":"mail","priority":300,"colour":"red",
            "limits":{"timeout_ms":"long","speed":1}}"#;
        let error = parse(&Doc::parse(text).unwrap()).unwrap_err();
        let named: Vec<&str> = error.details().iter().map(|d| d.field.as_str()).collect();
        assert_eq!(
            named,
            [
                "strategy",
                "settings",
                "route",
                "priority",
                "colour",
                "limits.timeout_ms",
                "limits.speed"
            ]
        );
    }

    #[test]
    fn the_default_has_a_name_of_its_own() {
        check_name("*").unwrap();
        check_name("product").unwrap();
        assert!(check_name("Product!").is_err());
    }
}
