//! The body of a request.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
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
        size += entry_len(name, value);
        *slot = (name, value);
    }
    if values.next().is_some() {
        return Err(InvalidInput::new("body", "has a value that belongs to no field"));
    }
    if endpoint.fields.is_empty() {
        return Ok(Body::default());
    }
    written(fields.iter().take(endpoint.fields.len()).copied(), size)
}

/// The same with the optional fields for which `optional` has a value.
pub(crate) fn body_with<'a>(
    endpoint: &'static Endpoint,
    name_of: impl Fn(&'static Field) -> &'a str,
    values: &[&'a str],
    optional: impl Fn(&'static Field) -> Option<&'a str>,
) -> Result<Body, InvalidInput> {
    if values.len() != endpoint.fields.len() {
        return Err(InvalidInput::new("body", "has not one value for each field"));
    }
    let required = endpoint.fields.iter().zip(values).map(|(field, value)| (field, *value));
    let given = endpoint.optional.iter().filter_map(|field| Some((field, optional(field)?)));
    let mut fields = Vec::with_capacity(endpoint.fields.len() + endpoint.optional.len());
    let mut size = "{}".len();
    for (field, value) in required.chain(given) {
        let value = checked(field.name, field.kind, value)?;
        let name = name_of(field);
        size += entry_len(name, value);
        fields.push((name, Value::of(field.kind, value)?));
    }
    written(fields.iter().map(|(name, value)| (*name, value)), size)
}

/// A value of a body: text, or JSON that is written as it is.
enum Value<'a> {
    Text(&'a str),
    Json(&'a RawValue),
}

impl<'a> Value<'a> {
    fn of(kind: FieldKind, value: &'a str) -> Result<Self, InvalidInput> {
        match kind {
            FieldKind::Object => serde_json::from_str(value)
                .map(Self::Json)
                .map_err(|_| InvalidInput::new("body", "cannot be written as JSON")),
            _ => Ok(Self::Text(value)),
        }
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Json(json) => json.serialize(serializer),
        }
    }
}

/// The entries as a JSON object of at most `size` bytes.
fn written<'a, V: Serialize>(
    entries: impl Iterator<Item = (&'a str, V)>,
    size: usize,
) -> Result<Body, InvalidInput> {
    // Exactly as large as it gets: a buffer that grows leaves copies of the secrets behind.
    let mut body = Zeroizing::new(Vec::with_capacity(size));
    let mut json = serde_json::Serializer::new(&mut *body);
    json.collect_map(entries).map_err(|_| InvalidInput::new("body", "cannot be written as JSON"))?;
    debug_assert_eq!(body.capacity(), size, "the buffer grew");
    Ok(body)
}

/// The longest that an entry can be.
fn entry_len(name: &str, value: &str) -> usize {
    name.len() + json_len(value) + r#""":"","#.len()
}

/// Whether a field can hold a value.
pub(crate) fn check(field: &'static Field, value: &str) -> Result<(), InvalidInput> {
    checked(field.name, field.kind, value).map(|_| ())
}

fn checked<'a>(name: &'static str, kind: FieldKind, value: &'a str) -> Result<&'a str, InvalidInput> {
    let (value, is_opaque) = match kind {
        FieldKind::Code | FieldKind::PlatformCode => (value.trim_ascii(), false),
        FieldKind::Opaque | FieldKind::PlatformOpaque | FieldKind::Object => (value, true),
        FieldKind::Text | FieldKind::Date | FieldKind::SendType => (value, false),
    };
    if value.is_empty() {
        return Err(InvalidInput::new(name, "is empty"));
    }
    if value.len() > LONGEST {
        return Err(InvalidInput::new(name, "is longer than 16 KiB"));
    }
    if !is_opaque && has_control(value) {
        return Err(InvalidInput::new(name, "contains a control character"));
    }
    match kind {
        FieldKind::Date if !is_date(value) => Err(InvalidInput::new(name, "is no date, as 1990-12-31 is")),
        FieldKind::Object if !value.starts_with('{') => Err(InvalidInput::new(name, "is no JSON object")),
        _ => Ok(value),
    }
}

/// Whether there is a control character in a text.
fn has_control(text: &str) -> bool {
    // To the end, whatever is found: so many bytes are looked at in one instruction.
    let suspect = |byte: u8| u8::from(byte.is_ascii_control() || !byte.is_ascii());
    let is_suspect = text.bytes().fold(0, |found, byte| found | suspect(byte)) != 0;
    is_suspect && text.chars().any(char::is_control)
}

/// Whether `text` is a day of the calendar as `yyyy-MM-dd`.
fn is_date(text: &str) -> bool {
    fn number(text: &str, digits: usize) -> Option<u32> {
        let all_digits = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
        if all_digits { text.parse().ok() } else { None }
    }
    let mut parts = text.split('-');
    let mut next = |digits| parts.next().and_then(|part| number(part, digits));
    let (Some(year), Some(month), Some(day)) = (next(4), next(2), next(2)) else { return false };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => return false,
    };
    parts.next().is_none() && (1..=days).contains(&day)
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
