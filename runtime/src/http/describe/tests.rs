use super::document::operation_id;
use super::*;
use crate::http::routes::table;
use std::fs;
use std::path::PathBuf;

/// Every operation with its method and path.
fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, methods): (&String, &'_ Value)| {
        let methods = methods.as_object().unwrap().clone();
        methods
            .into_iter()
            .map(|(method, _)| (method, path.clone()))
            .collect::<Vec<_>>()
    };
    paths
        .iter()
        .flat_map(of_path)
        .map(|(method, path)| {
            let operation = &paths[&path][&method];
            (method, path, operation)
        })
        .collect()
}

fn walk<'a>(value: &'a Value, visit: &mut impl FnMut(&'a Value)) {
    visit(value);
    match value {
        Value::Object(members) => members.values().for_each(|member| walk(member, visit)),
        Value::Array(elements) => elements.iter().for_each(|element| walk(element, visit)),
        _ => {}
    }
}

/// What a response is, where it is named only.
fn followed<'a>(document: &'a Value, response: &'a Value) -> &'a Value {
    match response.get("$ref").and_then(Value::as_str) {
        Some(target) => document.pointer(&target[1..]).expect("a response"),
        None => response,
    }
}

#[test]
fn the_snapshot_is_the_document() {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json"));
    let text = format!("{:#}\n", document());
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == text,
        "runtime/docs/openapi.json is not what the code says: UPDATE_OPENAPI=1 cargo test -p selaras --lib the_snapshot_is_the_document"
    );
}

#[test]
fn every_row_of_the_table_is_described_and_nothing_else() {
    let document = document();
    let mut rows: Vec<(String, String)> = table()
        .iter()
        .map(|entry| (entry.method.as_str().to_lowercase(), entry.path.to_owned()))
        .collect();
    let mut described: Vec<(String, String)> = operations(&document)
        .into_iter()
        .map(|(method, path, _)| (method, path))
        .collect();
    rows.sort();
    described.sort();
    assert_eq!(described, rows);
    let names: BTreeSet<String> = table()
        .iter()
        .map(|entry| operation_id(&entry.method, entry.path))
        .collect();
    assert_eq!(names.len(), rows.len(), "each has a name of its own");
}

#[test]
fn an_operation_says_who_may_what_it_answers_and_what_it_takes() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    for (method, path, operation) in operations(&document) {
        let place = format!("{method} {path}");
        for text in ["summary", "operationId"] {
            assert!(
                operation[text].as_str().is_some_and(|text| !text.is_empty()),
                "{place} {text}"
            );
        }
        assert!(
            operation["x-roles"]
                .as_array()
                .is_some_and(|roles| !roles.is_empty()),
            "{place}"
        );
        let tag = &operation["tags"][0];
        assert!(
            document["tags"]
                .as_array()
                .unwrap()
                .iter()
                .any(|known| known["name"] == *tag),
            "{place}"
        );
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{place}");
        assert!(responses.contains_key("500"), "{place}");
        for (status, response) in responses {
            let response = followed(&document, response);
            assert!(
                response["description"]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "{place} {status}"
            );
            assert!(
                response["headers"]["X-Request-ID"].is_object(),
                "{place} {status}"
            );
        }
        let in_path: Vec<&str> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        let placeholders: Vec<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
        assert_eq!(in_path, placeholders, "{place}");
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_type_is_referred_to() {
    let document = document();
    let mut named = BTreeSet::new();
    walk(&document, &mut |value| {
        if let Some(target) = value.get("$ref").and_then(Value::as_str) {
            let pointer = target.strip_prefix('#').expect("only this document");
            assert!(document.pointer(pointer).is_some(), "{target} leads nowhere");
            named.insert(target.to_owned());
        }
    });
    for part in ["schemas", "headers", "responses"] {
        for name in document["components"][part].as_object().unwrap().keys() {
            let target = format!("#/components/{part}/{name}");
            assert!(named.contains(&target), "nothing refers to {target}");
        }
    }
    walk(&document, &mut |value| {
        for scheme in value
            .get("security")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            for name in scheme.as_object().unwrap().keys() {
                assert!(
                    document["components"]["securitySchemes"][name].is_object(),
                    "{name}"
                );
            }
        }
    });
}

/// Whether a value is as a schema of this document says, by the words of JSON Schema that the document uses; else what is
/// wrong. A word that is not known here is a failure, so that none is passed over.
fn fits(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("{value} {what}: {schema}"));
    for (word, said) in schema.as_object().unwrap() {
        match word.as_str() {
            "$ref" => {
                let target = document.pointer(&said.as_str().unwrap()[1..]).unwrap();
                fits(document, target, value)?;
            }
            "type" => {
                let is = |kind: &Value| match kind.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "boolean" => value.is_boolean(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "number" => value.is_number(),
                    "null" => value.is_null(),
                    other => panic!("the type {other}"),
                };
                let kinds = said.as_array().cloned().unwrap_or_else(|| vec![said.clone()]);
                if !kinds.iter().any(is) {
                    return wrong("is of another type");
                }
            }
            "const" if value != said => return wrong("is another value"),
            "enum" if !said.as_array().unwrap().contains(value) => return wrong("is none of these"),
            "required" => {
                let missing = |name: &&Value| value.get(name.as_str().unwrap()).is_none();
                if said.as_array().unwrap().iter().any(|name| missing(&name)) {
                    return wrong("lacks a member");
                }
            }
            "properties" => {
                for (name, schema) in said.as_object().unwrap() {
                    if let Some(member) = value.get(name) {
                        fits(document, schema, member)?;
                    } else if value.is_object() && *schema == json!(false) {
                        return wrong("has a member too many");
                    }
                }
            }
            "additionalProperties" if *said == json!(false) => {
                let known = |name: &String| schema["properties"].get(name).is_some();
                if value
                    .as_object()
                    .is_some_and(|members| !members.keys().all(known))
                {
                    return wrong("has a member that is not known");
                }
            }
            "items" => {
                for element in value.as_array().into_iter().flatten() {
                    fits(document, said, element)?;
                }
            }
            "allOf" => {
                for schema in said.as_array().unwrap() {
                    fits(document, schema, value)?;
                }
            }
            "anyOf" => {
                let mut either = said.as_array().unwrap().iter();
                if !either.any(|schema| fits(document, schema, value).is_ok()) {
                    return wrong("is none of these");
                }
            }
            "oneOf" => {
                let each = said.as_array().unwrap().iter();
                if each
                    .filter(|schema| fits(document, schema, value).is_ok())
                    .count()
                    != 1
                {
                    return wrong("is not one of these");
                }
            }
            "minimum" if value.as_f64() < said.as_f64() && value.is_number() => return wrong("is too small"),
            "maximum" if value.as_f64() > said.as_f64() => return wrong("is too large"),
            "minLength"
                if value
                    .as_str()
                    .is_some_and(|text| (text.len() as u64) < said.as_u64().unwrap()) =>
            {
                return wrong("is too short");
            }
            "maxLength"
                if value
                    .as_str()
                    .is_some_and(|text| text.len() as u64 > said.as_u64().unwrap()) =>
            {
                return wrong("is too long");
            }
            "const"
            | "enum"
            | "additionalProperties"
            | "minimum"
            | "maximum"
            | "minLength"
            | "maxLength"
            | "minItems"
            | "maxItems"
            | "pattern"
            | "format"
            | "title"
            | "description"
            | "default"
            | "contentMediaType" => {}
            other => panic!("the word {other} of {schema}"),
        }
    }
    Ok(())
}

#[test]
fn every_request_has_an_example_that_fits_its_schema() {
    let document = document();
    let mut examples = 0;
    for (method, path, operation) in operations(&document) {
        let place = format!("{method} {path}");
        for (media, content) in operation["requestBody"]["content"]
            .as_object()
            .into_iter()
            .flatten()
        {
            match content.get("example") {
                Some(example) => {
                    assert_eq!(fits(&document, &content["schema"], example), Ok(()), "{place}");
                    assert!(
                        fits(&document, &content["schema"], &json!([7])).is_err(),
                        "{place} takes anything"
                    );
                    examples += 1;
                }
                None => assert_eq!(media, "application/wasm", "{place} has no example"),
            }
        }
    }
    assert!(examples > 25, "{examples}");
}

#[test]
fn a_refusal_is_the_envelope_and_fits_its_schema() {
    let document = document();
    let refusal = &document["paths"]["/api/v1/sync/status"]["get"]["responses"]["401"];
    let refusal = followed(&document, refusal);
    let schema = &refusal["content"]["application/json"]["schema"];
    let told =
        |error: crate::http::ApiError| -> Value { serde_json::from_slice(&error.render("r-1")).unwrap() };
    let fitting = told(crate::http::ApiError::bad_token("missing_token", "m").detail("f", "p"));
    assert_eq!(fits(&document, schema, &fitting), Ok(()));
    let other = told(crate::http::ApiError::disk_full());
    assert!(
        fits(&document, schema, &other).is_err(),
        "a code that is not said there"
    );
}

/// The codes that the sources name where refusals are made.
fn codes_in_the_sources() -> BTreeSet<String> {
    const MAKERS: [&str; 9] = [
        "bad_request(",
        "unauthorized(",
        "bad_token(",
        "forbidden(",
        "not_found(",
        "conflict(",
        "gone(",
        "unprocessable(",
        "unavailable(",
    ];
    let mut codes = BTreeSet::new();
    let mut dirs = vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/http"))];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            for maker in MAKERS.iter().chain(&["too_many("]) {
                for (at, _) in text.match_indices(&format!("::{maker}")) {
                    let rest = text[at + 2 + maker.len()..].trim_start();
                    let code = rest.strip_prefix('"').and_then(|rest| rest.split('"').next());
                    codes.extend(code.map(str::to_owned));
                }
            }
        }
    }
    codes
}

#[test]
fn every_machine_code_of_the_sources_is_described() {
    let document = document();
    let mut described = BTreeSet::new();
    walk(&document, &mut |value| {
        let codes = value.pointer("/properties/error/enum").and_then(Value::as_array);
        described.extend(
            codes
                .into_iter()
                .flatten()
                .map(|code| code.as_str().unwrap().to_owned()),
        );
    });
    let named = codes_in_the_sources();
    assert!(named.len() > 40, "{named:?}");
    // What no route answers: the router itself does.
    let of_the_router = "route_not_found";
    let missing: Vec<&String> = named
        .iter()
        .filter(|code| *code != of_the_router && !described.contains(*code))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
