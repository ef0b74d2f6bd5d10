//! The contract's times are RFC 3339, and the names of members say which are times.

use serde_json::{Value, json};

/// Adds the format to every member of these schemas that is a time.
pub(super) fn mark(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::Object(properties)) = members.get_mut("properties") {
                for (name, property) in properties.iter_mut() {
                    if is_time(name) && is_text(property) {
                        property["format"] = json!("date-time");
                    }
                }
            }
            members.values_mut().for_each(mark);
        }
        Value::Array(elements) => elements.iter_mut().for_each(mark),
        _ => {}
    }
}

fn is_time(name: &str) -> bool {
    name.ends_with("_at") || matches!(name, "at" | "timestamp" | "limited_until")
}

fn is_text(property: &Value) -> bool {
    let kind = &property["type"];
    *kind == "string"
        || kind
            .as_array()
            .is_some_and(|kinds| kinds.contains(&json!("string")))
}
