//! The body of a request.

use serde::Serializer;
use zeroize::Zeroizing;

use super::endpoints::{Endpoint, Field, FieldKind};
use crate::error::InvalidInput;

/// A JSON body that is zeroized if it is dropped before it is sent.
pub(crate) type Body = Zeroizing<Vec<u8>>;

/// The longest value of a field, in bytes: longer ones are mistakes, and no page knows any.
const LONGEST: usize = 16 * 1024;

/// The most fields that a body has.
const FIELDS: usize = 3;

/// The body of a request: the table names the fields, the caller gives the values in the table's order.
///
/// `send_type` goes into the field for it, and `name_of` is how this tenant spells a field.
pub(crate) fn body<'a>(
    endpoint: &'static Endpoint,
    send_type: Option<&'a str>,
    name_of: impl Fn(&'static Field) -> &'a str,
    values: &[&'a str],
) -> Result<Body, InvalidInput> {
    debug_assert!(endpoint.fields.len() <= FIELDS, "{}", endpoint.path);
    let mut values = values.iter();
    let mut fields = [("", ""); FIELDS];
    let mut size = "{}".len();
    for (slot, field) in fields.iter_mut().zip(endpoint.fields) {
        let value = if let (FieldKind::SendType, Some(send_type)) = (field.kind, send_type) {
            send_type
        } else {
            let value = values.next().ok_or(InvalidInput::new(field.name, "is missing"))?;
            checked(field.name, field.kind, value)?
        };
        let name = name_of(field);
        size += name.len() + json_len(value) + r#""":"","#.len();
        *slot = (name, value);
    }
    if values.next().is_some() {
        return Err(InvalidInput::new("body", "has a value that belongs to no field"));
    }
    if endpoint.fields.is_empty() {
        return Ok(Body::default());
    }
    // Exactly as large as it gets: a buffer that grows leaves copies of the secrets behind.
    let mut body = Zeroizing::new(Vec::with_capacity(size));
    let mut json = serde_json::Serializer::new(&mut *body);
    let entries = fields.iter().take(endpoint.fields.len()).map(|(name, value)| (name, value));
    json.collect_map(entries).map_err(|_| InvalidInput::new("body", "cannot be written as JSON"))?;
    debug_assert_eq!(body.capacity(), size, "{}: the buffer grew", endpoint.path);
    Ok(body)
}

fn checked<'a>(name: &'static str, kind: FieldKind, value: &'a str) -> Result<&'a str, InvalidInput> {
    let (value, is_opaque) = match kind {
        FieldKind::Code | FieldKind::PlatformCode => (value.trim_ascii(), false),
        FieldKind::Opaque | FieldKind::PlatformOpaque => (value, true),
        FieldKind::Text | FieldKind::SendType => (value, false),
    };
    if value.is_empty() {
        return Err(InvalidInput::new(name, "is empty"));
    }
    if value.len() > LONGEST {
        return Err(InvalidInput::new(name, "is longer than 16 KiB"));
    }
    if !is_opaque && value.chars().any(char::is_control) {
        return Err(InvalidInput::new(name, "contains a control character"));
    }
    Ok(value)
}

/// The length of `text` once it is escaped for JSON, an upper bound.
fn json_len(text: &str) -> usize {
    text.bytes()
        .map(|byte| match byte {
            b'"' | b'\\' => 2,
            0..=0x1f => r"\u0000".len(),
            _ => 1,
        })
        .sum()
}
