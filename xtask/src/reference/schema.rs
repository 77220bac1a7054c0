//! Checks a document against a schema, as far as `docs/flow.schema.json` goes: JSON Schema, draft 2020-12, by the keywords
//! that it uses. A keyword that is not known here is an error, so that nothing in the schema goes unchecked.

use serde_json::{Map, Value};

/// What is wrong with `document`: where, and why.
pub fn errors(schema: &Value, document: &Value) -> Vec<String> {
    let mut check = Check { root: schema, errors: Vec::new() };
    check.value(schema, document, "");
    check.errors
}

struct Check<'a> {
    root: &'a Value,
    errors: Vec<String>,
}

impl Check<'_> {
    fn wrong(&mut self, at: &str, why: impl std::fmt::Display) {
        self.errors.push(format!("{}: {why}", if at.is_empty() { "/" } else { at }));
    }

    fn value(&mut self, schema: &Value, value: &Value, at: &str) {
        let Some(keywords) = schema.as_object() else { return self.wrong(at, "the schema is no object") };
        for (keyword, wanted) in keywords {
            match keyword.as_str() {
                "$ref" => self.reference(wanted, value, at),
                "type" => self.kind(wanted, value, at),
                "const" if value != wanted => self.wrong(at, format!("{value} is not {wanted}")),
                "enum" if !list(wanted).contains(value) => {
                    self.wrong(at, format!("{value} is none of {wanted}"));
                }

                "const" | "enum" | "$schema" | "$defs" | "title" | "description" => {}
                "anyOf" => self.any(wanted, value, at),
                "minimum" => {
                    let is_less = value.as_f64().zip(wanted.as_f64()).is_some_and(|(is, least)| is < least);
                    if is_less {
                        self.wrong(at, format!("less than {wanted}"));
                    }
                }
                "minLength" => {
                    let long = value
                        .as_str()
                        .is_none_or(|text| text.chars().count() as u64 >= wanted.as_u64().unwrap());
                    if !long {
                        self.wrong(at, "too short");
                    }
                }
                "minItems" => {
                    let enough =
                        value.as_array().is_none_or(|items| items.len() as u64 >= wanted.as_u64().unwrap());
                    if !enough {
                        self.wrong(at, "too few items");
                    }
                }
                "uniqueItems" => {
                    let items = list(value);
                    if items.iter().enumerate().any(|(index, item)| items[..index].contains(item)) {
                        self.wrong(at, "an item is there twice");
                    }
                }
                "items" => {
                    for (index, item) in list(value).iter().enumerate() {
                        self.value(wanted, item, &format!("{at}/{index}"));
                    }
                }
                "required" => {
                    for name in list(wanted).iter().filter_map(Value::as_str) {
                        if value.as_object().is_some_and(|members| !members.contains_key(name)) {
                            self.wrong(at, format!("{name} is missing"));
                        }
                    }
                }
                "properties" => {
                    for (name, schema) in wanted.as_object().into_iter().flatten() {
                        if let Some(member) = value.get(name) {
                            self.value(schema, member, &format!("{at}/{name}"));
                        }
                    }
                }
                "additionalProperties" => self.additional(keywords, wanted, value, at),
                unknown => self.wrong(
                    at,
                    format!("the schema's keyword {unknown} is not checked: teach the check of schemas"),
                ),
            }
        }
    }

    fn reference(&mut self, wanted: &Value, value: &Value, at: &str) {
        let target =
            wanted.as_str().and_then(|text| text.strip_prefix('#')).and_then(|path| self.root.pointer(path));
        match target {
            Some(schema) => self.value(schema, value, at),
            None => self.wrong(at, format!("the schema lacks {wanted}")),
        }
    }

    fn any(&mut self, wanted: &Value, value: &Value, at: &str) {
        let fits = |schema: &Value| {
            let mut check = Check { root: self.root, errors: Vec::new() };
            check.value(schema, value, at);
            check.errors.is_empty()
        };
        if !list(wanted).iter().any(fits) {
            self.wrong(at, "none of the forms fits");
        }
    }

    fn kind(&mut self, wanted: &Value, value: &Value, at: &str) {
        let is = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_i64() || number.is_u64() => "integer",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        if wanted != is && !list(wanted).iter().any(|one| one == is) {
            self.wrong(at, format!("{is}, not {wanted}"));
        }
    }

    /// The members that `properties` does not name.
    fn additional(&mut self, keywords: &Map<String, Value>, wanted: &Value, value: &Value, at: &str) {
        for (name, member) in value.as_object().into_iter().flatten() {
            if keywords.get("properties").is_some_and(|named| named.get(name).is_some()) {
                continue;
            }
            if *wanted == Value::Bool(false) {
                self.wrong(at, format!("{name} is not expected"));
            } else {
                self.value(wanted, member, &format!("{at}/{name}"));
            }
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
