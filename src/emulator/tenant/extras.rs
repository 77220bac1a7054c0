//! What no page documents, added to a response: a client must ignore it.

use serde_json::{Map, Value, json};

/// Adds fields, a status and values that no page documents.
pub(super) fn add(response: Value) -> Value {
    let mut fields = match response {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    // A response that documents a status keeps it. An empty one gets none: with a status it would be that of another call.
    if !fields.is_empty() && !fields.contains_key("status") {
        fields.insert("status".to_owned(), "UNDOCUMENTED_STATUS".into());
    }
    if let Some(Value::String(data)) = fields.get_mut("data")
        && let Ok(Value::Object(mut inside)) = serde_json::from_str(data)
    {
        if let Some(Value::Array(methods)) = inside.get_mut("socialBindOrRegisterFlow") {
            methods.push("VERIFY_UNDOCUMENTED".into());
        }
        inside.insert("undocumented".to_owned(), json!([{ "socialBindOrRegisterFlow": [] }]));
        *data = Value::Object(inside).to_string();
    }
    fields.insert("undocumented_text".to_owned(), "SUCCESS".into());
    fields.insert("undocumented_number".to_owned(), json!(1e300));
    fields.insert("undocumented_null".to_owned(), Value::Null);
    fields.insert(
        "undocumented_object".to_owned(),
        json!({ "status": "ACCESS_DENIED", "error_code": "UNDOCUMENTED.0001", "session_token": [null] }),
    );
    Value::Object(fields)
}
