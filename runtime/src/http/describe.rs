//! What a route says of itself: its parameters, bodies, answers and refusals. The table of routes names one [`About`] a row,
//! and [`document()`] makes the OpenAPI document of both, so nothing can be reached that is not described.
//!
//! Bodies are described by the very types that are written; requests, which are read member by member, by types that
//! stand beside their readers and are held to them by tests that send what they say.

mod document;
mod times;

pub(crate) use document::document;

use crate::http::reply::{List, Page, Success};
use http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// How a type is described.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What one route says of itself.
pub(crate) struct About {
    pub(crate) summary: &'static str,
    pub(crate) text: &'static str,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Option<Body>,
    pub(crate) answers: Vec<Answer>,
    /// Machine codes by status, besides those that follow from the route's place in the table.
    pub(crate) problems: BTreeMap<u16, BTreeSet<&'static str>>,
}

/// A parameter in the query or a header.
pub(crate) struct Parameter {
    pub(crate) place: &'static str,
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
    pub(crate) schema: Value,
}

/// What a request brings.
pub(crate) struct Body {
    pub(crate) media: &'static [&'static str],
    pub(crate) is_required: bool,
    pub(crate) schema: SchemaOf,
    pub(crate) example: Option<Value>,
}

/// An answer that is no refusal.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) text: &'static str,
    pub(crate) media: &'static str,
    /// None: no body.
    pub(crate) schema: Option<SchemaOf>,
    pub(crate) headers: Vec<&'static str>,
}

const JSON: &str = "application/json";

impl About {
    /// A route in a few words.
    pub(crate) fn new(summary: &'static str) -> Self {
        Self {
            summary,
            text: "",
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            problems: BTreeMap::new(),
        }
    }

    /// In more words.
    pub(crate) fn more(mut self, text: &'static str) -> Self {
        self.text = text;
        self
    }

    /// A parameter of the query.
    pub(crate) fn query(mut self, name: &'static str, schema: Value, text: &'static str) -> Self {
        self.parameters.push(Parameter {
            place: "query",
            name,
            text,
            schema,
        });
        self
    }

    /// A header of the request.
    pub(crate) fn header(mut self, name: &'static str, schema: Value, text: &'static str) -> Self {
        self.parameters.push(Parameter {
            place: "header",
            name,
            text,
            schema,
        });
        self.may(400, &["invalid_header"])
    }

    /// `limit`.
    pub(crate) fn limited(self) -> Self {
        let limit = json!({"type": "integer", "minimum": 1, "maximum": 500, "default": 50});
        self.query("limit", limit, "The most elements of a page.")
    }

    /// `limit` and `cursor`.
    pub(crate) fn paged(self) -> Self {
        self.limited()
            .query("cursor", word(), "The `next_cursor` of the page before.")
            .may(400, &["invalid_cursor"])
    }

    /// The JSON object that it needs.
    pub(crate) fn body<T: JsonSchema>(self, example: Value) -> Self {
        self.any_body::<T>(&[JSON], true, Some(example))
            .may(415, &["unsupported_media_type"])
            .may(400, &["invalid_json"])
    }

    /// The JSON object that it may bring.
    pub(crate) fn optional_body<T: JsonSchema>(self, example: Value) -> Self {
        self.any_body::<T>(&[JSON], false, Some(example))
            .may(415, &["unsupported_media_type"])
            .may(400, &["invalid_json"])
    }

    /// A body of these media types.
    pub(crate) fn any_body<T: JsonSchema>(
        mut self,
        media: &'static [&'static str],
        is_required: bool,
        example: Option<Value>,
    ) -> Self {
        self.body = Some(Body {
            media,
            is_required,
            schema: |generator| generator.subschema_for::<T>(),
            example,
        });
        self.may(400, &["incomplete_body"])
            .may(408, &["request_timeout"])
            .may(413, &["payload_too_large"])
            .may(503, &["overloaded"])
    }

    /// 200 with `data`.
    pub(crate) fn ok<T: JsonSchema>(self, text: &'static str) -> Self {
        self.answer::<Success<'static, T>>(StatusCode::OK, text)
    }

    /// 201 with `data`.
    pub(crate) fn created<T: JsonSchema>(self, text: &'static str) -> Self {
        self.answer::<Success<'static, T>>(StatusCode::CREATED, text)
    }

    /// 200 with a list.
    pub(crate) fn list<T: JsonSchema + 'static>(self, text: &'static str) -> Self {
        self.answer::<List<'static, T>>(StatusCode::OK, text)
    }

    /// 200 with one page of something that has a list in it.
    pub(crate) fn page<T: JsonSchema>(self, text: &'static str) -> Self {
        self.answer::<Page<'static, T>>(StatusCode::OK, text)
    }

    /// A whole JSON body.
    pub(crate) fn answer<T: JsonSchema>(self, status: StatusCode, text: &'static str) -> Self {
        self.any_answer(
            status,
            text,
            JSON,
            Some(|generator| generator.subschema_for::<T>()),
        )
    }

    /// Any other answer.
    pub(crate) fn any_answer(
        mut self,
        status: StatusCode,
        text: &'static str,
        media: &'static str,
        schema: Option<SchemaOf>,
    ) -> Self {
        self.answers.push(Answer {
            status,
            text,
            media,
            schema,
            headers: Vec::new(),
        });
        self
    }

    /// The last answer bears this header, one of those in [`document()`].
    pub(crate) fn with_header(mut self, name: &'static str) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.headers.push(name);
        }
        self
    }

    /// It may be refused with this status and one of these codes.
    pub(crate) fn may(mut self, status: u16, codes: &[&'static str]) -> Self {
        self.problems.entry(status).or_default().extend(codes);
        self
    }

    /// Some value of it may be one that cannot be used.
    pub(crate) fn checks(self) -> Self {
        self.may(422, &["invalid_value"])
    }
}

/// Any text.
pub(crate) fn word() -> Value {
    json!({"type": "string"})
}

/// One of these words.
pub(crate) fn words(words: &[&str]) -> Value {
    json!({"type": "string", "enum": words})
}

/// `true` or `false`, as the query says it.
pub(crate) fn flag() -> Value {
    json!({"type": "boolean", "default": false})
}

/// An entity type.
pub(crate) fn entity_type() -> Value {
    json!({"type": "string", "pattern": "^[a-z0-9][a-z0-9_.-]{0,63}$"})
}

/// A document: a JSON object whose numbers keep every digit.
pub(crate) struct Document;

impl JsonSchema for Document {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Document".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "object",
            "description": "A document as it was written: every digit of its numbers counts."
        })
    }
}

#[cfg(test)]
mod tests;
