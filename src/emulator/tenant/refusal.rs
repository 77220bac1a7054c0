//! How the tenant refuses.

use http::StatusCode;
use serde_json::{Map, Value};

/// A refusal: an HTTP status, an error code and a message, from the pages.
pub(super) struct Refused(pub(super) StatusCode, pub(super) &'static str, pub(super) String);

pub(super) type Answer = Result<Value, Refused>;

pub(super) fn refuse<T>(code: &'static str, message: impl Into<String>) -> Result<T, Refused> {
    Err(Refused(StatusCode::BAD_REQUEST, code, message.into()))
}

/// The fields of a request's body.
pub(super) struct Fields(pub(super) Map<String, Value>);

impl Fields {
    /// This tenant knows a field by another name, and by that alone.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        self.0.remove(to);
        if let Some(value) = self.0.remove(from) {
            self.0.insert(to.to_owned(), value);
        }
    }

    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}
