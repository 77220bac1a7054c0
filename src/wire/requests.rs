//! Requests: the body and the headers of a step.

use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Request as HttpRequest};
use serde::Serializer;
use zeroize::Zeroizing;

use super::endpoints::{Credential, Endpoint, FieldKind, WECHAT_CODE};
use crate::client::Client;
use crate::device::Device;
use crate::error::InvalidInput;
use crate::secret::{SessionToken, StateToken};
use crate::transport::Request;

pub(crate) const X_CLIENT_ID: HeaderName = HeaderName::from_static("x-client-id");
pub(crate) const X_TENANT_ID: HeaderName = HeaderName::from_static("x-tenant-id");
pub(crate) const X_STATE_TOKEN: HeaderName = HeaderName::from_static("x-state-token");
pub(crate) const SESSION_TOKEN: HeaderName = HeaderName::from_static("session-token");
pub(crate) const X_SESSION_TOKEN: HeaderName = HeaderName::from_static("x-session-token");
pub(crate) const X_OPERATING_SYS_VERSION: HeaderName = HeaderName::from_static("x-operating-sys-version");
pub(crate) const X_DEVICE_FINGERPRINT: HeaderName = HeaderName::from_static("x-device-fingerprint");
pub(crate) const X_DEVICE_IP: HeaderName = HeaderName::from_static("x-device-ip");
pub(crate) const X_AGENT: HeaderName = HeaderName::from_static("x-agent");
pub(crate) const X_L: HeaderName = HeaderName::from_static("x-l");

/// How many headers a request has at most.
const HEADERS: usize = 9;

/// A JSON body that is zeroized if it is dropped before it is sent.
pub(crate) type Body = Zeroizing<Vec<u8>>;

/// The most fields that a body has.
const FIELDS: usize = 3;

/// The body of a request: the table names the fields, the caller gives the values in the table's order.
pub(crate) fn body(
    endpoint: &'static Endpoint,
    client: &Client,
    values: &[&str],
) -> Result<Body, InvalidInput> {
    debug_assert!(endpoint.fields.len() <= FIELDS, "{}", endpoint.path);
    let mut values = values.iter();
    let mut fields = [("", ""); FIELDS];
    let mut size = "{}".len();
    for (slot, field) in fields.iter_mut().zip(endpoint.fields) {
        let value = match (field.kind, endpoint.send_type) {
            (FieldKind::SendType, Some(send_type)) => send_type.as_str(),
            // A value that the caller did not give counts as empty, and is refused.
            _ => checked(field.name, field.kind, values.next().copied().unwrap_or_default())?,
        };
        let name = if *field == WECHAT_CODE { client.wechat_code_field() } else { field.name };
        size += name.len() + json_len(value) + r#""":"","#.len();
        *slot = (name, value);
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
    let value = if kind == FieldKind::Code { value.trim_ascii() } else { value };
    if value.is_empty() {
        return Err(InvalidInput::new(name, "is empty"));
    }
    if kind != FieldKind::Opaque && value.chars().any(char::is_control) {
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

/// The tokens that a request may carry.
#[derive(Clone, Copy, Default)]
pub struct Tokens<'a> {
    pub(crate) state: Option<&'a StateToken>,
    pub(crate) session: Option<&'a SessionToken>,
}

/// The whole request, ready for any HTTP client.
pub(crate) fn request(
    endpoint: &'static Endpoint,
    client: &Client,
    device: &Device,
    tokens: Tokens<'_>,
    mut body: Body,
) -> Result<Request, InvalidInput> {
    let mut headers = HeaderMap::with_capacity(HEADERS);
    client.write_headers(&mut headers);
    device.write_headers(&mut headers);
    let credential = match endpoint.credential {
        Credential::None => None,
        Credential::StateToken => Some((X_STATE_TOKEN, "state_token", tokens.state.map(StateToken::header))),
        Credential::SessionToken => {
            Some((client.session_header(), "session_token", tokens.session.map(SessionToken::header)))
        }
    };
    if let Some((name, field, value)) = credential {
        let value = value.ok_or(InvalidInput::new(field, "is missing"))?;
        let value =
            value.map_err(|_| InvalidInput::new(field, "contains a character that a header cannot carry"))?;
        headers.insert(name, value);
    }
    let uri = client.uri(endpoint.path)?;
    // The last that is done: from here on nothing fails, and nobody but the transport has the body.
    let mut request = HttpRequest::new(std::mem::take(&mut *body));
    *request.method_mut() = endpoint.verb.into();
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(request)
}

/// A header value that a caller gave: refused here if a header cannot carry it, before anything is sent.
pub(crate) fn header_value(field: &'static str, text: &str) -> Result<HeaderValue, InvalidInput> {
    if text.is_empty() {
        return Err(InvalidInput::new(field, "is empty"));
    }
    HeaderValue::from_bytes(text.as_bytes())
        .map_err(|_| InvalidInput::new(field, "contains a character that a header cannot carry"))
}

/// The content type that the client's edition asks for.
pub(crate) fn write_content_type(headers: &mut HeaderMap, value: &'static str) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(value));
}
