//! The OpenAPI 3.1 document of the table of routes: what each row says of itself, and what follows from its place in the
//! table, which is who may use it and what everybody is refused with.

use super::{About, Answer, Body, Parameter, entity_type, times};
use crate::engine::api::Role;
use crate::http::auth::Who;
use crate::http::error::{Detail, Envelope};
use crate::http::routes::{Endpoint, table};
use http::Method;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::map::Entry;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Where the document's types are.
const TYPES: &str = "/components/schemas";

/// The document.
pub(crate) fn document() -> Value {
    let mut writer = Writer::new();
    let mut paths = Map::new();
    for entry in table() {
        let operation = writer.operation(&entry);
        let path = paths.entry(entry.path).or_insert_with(|| json!({}));
        path[entry.method.as_str().to_lowercase()] = operation;
    }
    let tags: BTreeSet<&str> = table().iter().map(|entry| tag(entry.path)).collect();
    let tags: Vec<Value> = tags
        .into_iter()
        .map(|name| json!({"name": name, "description": room(name)}))
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Selaras outlet API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What apps, admins and the company's cloud ask an outlet. Every refusal is a Problem, with the \
                request's id that is in the log and in X-Request-ID. x-roles says who may.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "this outlet"}],
        "tags": tags,
        "paths": paths,
        "components": {
            "headers": headers(),
            "responses": std::mem::take(&mut writer.refusals),
            "schemas": writer.types(),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A token of POST /api/v1/auth/login, or an app's token of POST /api/v1/tokens.",
                },
                "cloudSignature": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-Cloud-Signature",
                    "description": "Lower-case hex of HMAC-SHA256 over the raw body, with the webhook secret; an optional `sha256=` before it.",
                },
                "standardWebhooks": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "webhook-signature",
                    "description": "Standard Webhooks: `v1,` and base64, over `webhook-id`, `webhook-timestamp` and the raw body.",
                },
            },
        },
    })
}

/// What the paths of a tag are about.
fn room(tag: &str) -> &'static str {
    match tag {
        "audit" => "who did what",
        "auth" => "logging in and out",
        "users" | "tokens" => "who may, and with what",
        "entities" => "the outlet's data, one by one",
        "changes" => "many changes at once, and the feed of everything that changed",
        "broadcasts" => "what the company tells everybody",
        "analytics" => "a day's figures for the cloud",
        "sync" => "runs, the queue, conflicts and parked documents",
        "config" => "settings",
        "plugins" => "strategies and mappers, and their versions",
        "webhooks" => "what the company's cloud tells",
        _ => "the outlet as a process",
    }
}

fn tag(path: &'static str) -> &'static str {
    match path.strip_prefix("/api/v1/") {
        Some(rest) => rest.split(['/', '.']).next().unwrap_or("outlet"),
        None => "outlet",
    }
}

/// `get_sync_parked_id_retry`: unique, since method and path are.
pub(super) fn operation_id(method: &Method, path: &str) -> String {
    let path = path.strip_prefix("/api/v1").unwrap_or(path);
    let words = path
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    std::iter::once(method.as_str().to_lowercase())
        .chain(words.map(str::to_owned))
        .collect::<Vec<_>>()
        .join("_")
}

/// Collects the types that operations name.
struct Writer {
    /// Of what is written.
    written: SchemaGenerator,
    /// Of what is read: what may be left out there may be missing.
    read: SchemaGenerator,
    /// Refusals by name: many routes share one.
    refusals: Map<String, Value>,
}

impl Writer {
    fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = TYPES.into();
                settings.meta_schema = None;
            })
        };
        Self {
            written: settings().for_serialize().into_generator(),
            read: settings().for_deserialize().into_generator(),
            refusals: Map::new(),
        }
    }

    fn types(mut self) -> Value {
        self.written.subschema_for::<Envelope<'static>>();
        self.written.subschema_for::<Detail>();
        let mut types = self.written.take_definitions(true);
        for (name, schema) in self.read.take_definitions(true) {
            let known = types.insert(name.clone(), schema.clone());
            // A name means one thing: a request's type that differs from an answer's has a name of its own.
            assert!(
                known.is_none_or(|known| known == schema),
                "invariant: {name} names two types of the API"
            );
        }
        let mut types = Value::Object(types);
        times::mark(&mut types);
        types
    }

    fn operation(&mut self, entry: &Endpoint) -> Value {
        let mut about = (entry.about)();
        expect(&mut about, entry);
        let mut operation = json!({
            "operationId": operation_id(&entry.method, entry.path),
            "tags": [tag(entry.path)],
            "summary": about.summary,
            "security": security(entry.who),
            "x-roles": roles(entry.who),
            "responses": self.responses(&about),
        });
        if !about.text.is_empty() {
            operation["description"] = about.text.into();
        }
        let parameters: Vec<Value> = placeholders(entry.path)
            .map(|name| placeholder(entry.path, name))
            .chain(about.parameters.iter().map(parameter))
            .collect();
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        if let Some(body) = &about.body {
            operation["requestBody"] = self.request_body(body);
        }
        operation
    }

    fn request_body(&mut self, body: &Body) -> Value {
        let mut schema = (body.schema)(&mut self.read).to_value();
        times::mark(&mut schema);
        let mut content = json!({ "schema": schema });
        if let Some(example) = &body.example {
            content["example"] = example.clone();
        }
        let content: Map<String, Value> = body
            .media
            .iter()
            .map(|media| ((*media).to_owned(), content.clone()))
            .collect();
        json!({"required": body.is_required, "content": content})
    }

    fn responses(&mut self, about: &About) -> Value {
        let mut responses = Map::new();
        for answer in &about.answers {
            responses.insert(answer.status.as_str().to_owned(), self.answer(answer));
        }
        for (status, codes) in &about.problems {
            let name = std::iter::once(status.to_string())
                .chain(codes.iter().map(|code| (*code).to_owned()))
                .collect::<Vec<_>>()
                .join(".");
            // A status of which an answer was described already is a refusal with a body of its own.
            if let Entry::Vacant(place) = responses.entry(status.to_string()) {
                place.insert(json!({"$ref": format!("#/components/responses/{name}")}));
                self.refusals
                    .entry(name)
                    .or_insert_with(|| refusal(*status, codes));
            }
        }
        Value::Object(responses)
    }

    fn answer(&mut self, answer: &Answer) -> Value {
        let mut headers = json!({"X-Request-ID": header("X-Request-ID")});
        for name in &answer.headers {
            headers[*name] = header(name);
        }
        let mut response = json!({"description": answer.text, "headers": headers});
        if let Some(schema) = answer.schema {
            let mut schema = schema(&mut self.written).to_value();
            times::mark(&mut schema);
            response["content"] = json!({ answer.media: {"schema": schema} });
        }
        response
    }
}

/// What a route is refused with because of where it stands in the table.
fn expect(about: &mut About, entry: &Endpoint) {
    let mut may = |status: u16, codes: &[&'static str]| {
        about.problems.entry(status).or_default().extend(codes);
    };
    may(500, &["internal_error"]);
    // By the door, while the outlet starts, and over its limits.
    may(503, &["overloaded", "starting", "too_many_connections"]);
    let reads = entry.method == Method::GET;
    match entry.who {
        Who::Anyone => {}
        Who::Cloud => {
            may(401, &["invalid_signature", "legacy_signature", "stale_timestamp"]);
            may(403, &["wrong_outlet"]);
            may(503, &["webhook_not_configured"]);
        }
        Who::Scraper => {
            may(401, &["missing_token", "invalid_token", "token_expired"]);
            may(403, &["forbidden", "password_change_required"]);
        }
        Who::Themselves => {
            may(401, &["missing_token", "invalid_token", "token_expired"]);
            may(403, &["forbidden"]);
        }
        Who::Roles(roles) => {
            may(401, &["missing_token", "invalid_token", "token_expired"]);
            may(403, &["forbidden", "password_change_required"]);
            if roles.contains(&Role::App) {
                may(403, &["forbidden_access", "forbidden_type"]);
            }
        }
    }
    if entry.who != Who::Anyone || !reads {
        may(503, &["store_unavailable"]);
    }
    if entry.who != Who::Anyone && !reads {
        may(507, &["disk_full"]);
    }
    if placeholders(entry.path).next().is_some() {
        may(400, &["invalid_path"]);
    }
    if entry.path.contains("{type}") {
        may(422, &["invalid_value"]);
    }
    if about
        .parameters
        .iter()
        .any(|parameter| parameter.place == "query")
    {
        let mut may = |status: u16, code| {
            about.problems.entry(status).or_default().insert(code);
        };
        may(400, "invalid_query");
        may(422, "invalid_value");
    }
}

fn refusal(status: u16, codes: &BTreeSet<&'static str>) -> Value {
    let mut headers = json!({"X-Request-ID": header("X-Request-ID")});
    let extra: &[&str] = match status {
        401 => &["WWW-Authenticate"],
        412 => &["ETag"],
        429 | 503 => &["Retry-After"],
        _ => &[],
    };
    for name in extra {
        headers[*name] = header(name);
    }
    let reason = http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Refused");
    json!({
        "description": reason,
        "headers": headers,
        "content": {"application/json": {"schema": {
            "allOf": [
                {"$ref": format!("#{TYPES}/{}", Envelope::schema_name())},
                {"properties": {"error": {"enum": codes}}},
            ],
        }}},
    })
}

fn security(who: Who) -> Value {
    match who {
        Who::Anyone => json!([]),
        Who::Cloud => json!([{"cloudSignature": []}, {"standardWebhooks": []}]),
        // This machine needs no token.
        Who::Scraper => json!([{"bearer": []}, {}]),
        Who::Themselves | Who::Roles(_) => json!([{"bearer": []}]),
    }
}

/// The roles that may; `anyone`, `cloud` and `scraper` are none.
fn roles(who: Who) -> Value {
    match who {
        Who::Anyone => json!(["anyone"]),
        Who::Cloud => json!(["cloud"]),
        Who::Scraper => json!(["admin", "scraper"]),
        Who::Themselves => json!([Role::Admin, Role::Operator, Role::App].map(Role::as_str)),
        Who::Roles(roles) => roles.iter().map(|role| role.as_str()).collect(),
    }
}

fn placeholders(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn placeholder(path: &str, name: &str) -> Value {
    let (schema, text) = match name {
        "type" if path.contains("/config/") => (
            json!({"type": "string", "pattern": "^([a-z0-9][a-z0-9_.-]{0,63}|\\*)$"}),
            "An entity type; `*` is all types without their own.",
        ),
        "type" => (entity_type(), "An entity type."),
        "digest" => (
            json!({"type": "string", "pattern": "^[0-9a-f]{64}$"}),
            "SHA-256 of the component.",
        ),
        "name" => (json!({"type": "string", "minLength": 1}), "The plugin's name."),
        _ => (
            json!({"type": "string", "minLength": 1, "maxLength": 128}),
            "The id.",
        ),
    };
    json!({"in": "path", "name": name, "required": true, "description": text, "schema": schema})
}

fn parameter(parameter: &Parameter) -> Value {
    let Parameter {
        place,
        name,
        text,
        schema,
    } = parameter;
    json!({"in": place, "name": name, "description": text, "schema": schema})
}

fn header(name: &str) -> Value {
    json!({"$ref": format!("#/components/headers/{name}")})
}

fn headers() -> Value {
    let header = |text: &str, schema: Value| json!({"description": text, "schema": schema});
    json!({
        "X-Request-ID": header("The request's own, or one of ours; the log has it.", json!({"type": "string"})),
        "ETag": header("The record's version in quotes, for If-Match.", json!({"type": "string"})),
        "Retry-After": header("Seconds to wait; not each such refusal knows them.", json!({"type": "integer", "minimum": 1})),
        "WWW-Authenticate": header("`Bearer`, where a bearer token is asked for.", json!({"type": "string"})),
        "Cache-Control": header("What is answered is for this client, this once.", json!({"type": "string"})),
    })
}
