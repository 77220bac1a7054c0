//! The headers: their names, and what they can carry.

use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue};

use crate::error::InvalidInput;

pub(crate) const X_CLIENT_ID: HeaderName = HeaderName::from_static("x-client-id");
pub(crate) const X_TENANT_ID: HeaderName = HeaderName::from_static("x-tenant-id");
pub(crate) const X_STATE_TOKEN: HeaderName = HeaderName::from_static("x-state-token");
pub(crate) const X_SIGNATURE: HeaderName = HeaderName::from_static("x-signature");
pub(crate) const X_OPERATING_SYS_VERSION: HeaderName = HeaderName::from_static("x-operating-sys-version");
pub(crate) const X_DEVICE_FINGERPRINT: HeaderName = HeaderName::from_static("x-device-fingerprint");
pub(crate) const X_DEVICE_IP: HeaderName = HeaderName::from_static("x-device-ip");
pub(crate) const X_AGENT: HeaderName = HeaderName::from_static("x-agent");
pub(crate) const X_L: HeaderName = HeaderName::from_static("x-l");

/// The largest header value that a caller can give, in bytes: servers refuse a head of a few kilobytes.
const MAX_VALUE: usize = 1 << 10;

/// A header value that a caller gave: refused here if a header cannot carry it, before anything is sent.
pub(crate) fn header_value(field: &'static str, text: &str) -> Result<HeaderValue, InvalidInput> {
    if text.is_empty() {
        return Err(InvalidInput::new(field, "is empty"));
    }
    if text.len() > MAX_VALUE {
        return Err(InvalidInput::new(field, "is longer than 1 KiB"));
    }
    HeaderValue::from_bytes(text.as_bytes())
        .map_err(|_| InvalidInput::new(field, "contains a character that a header cannot carry"))
}

/// The longest token that is read or taken, in bytes: servers refuse larger headers (decision D47).
pub(super) const LONGEST_TOKEN: usize = 16 * 1024;

/// A token that a caller gave. No copy of it is made.
pub(crate) fn checked_token<'a>(field: &'static str, token: &'a str) -> Result<&'a str, InvalidInput> {
    if token.trim_ascii().is_empty() {
        return Err(InvalidInput::new(field, "is empty"));
    }
    if token.len() > LONGEST_TOKEN {
        return Err(InvalidInput::new(field, "is longer than 16 KiB"));
    }
    // A space at an end would be lost on the way.
    if !can_be_carried(token) || token.trim_ascii() != token {
        return Err(InvalidInput::new(field, "contains a character that a header cannot carry"));
    }
    Ok(token)
}

/// Whether a header can carry a text. No copy of it is made: it may be a token.
pub(super) fn can_be_carried(text: &str) -> bool {
    // To the end, whatever is found: so many bytes are looked at in one instruction.
    let unfit = |byte: u8| u8::from(byte.is_ascii_control() && byte != b'\t');
    text.bytes().fold(0, |found, byte| found | unfit(byte)) == 0
}

/// The content type that the client's edition asks for.
pub(crate) fn write_content_type(headers: &mut HeaderMap, value: &'static str) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(value));
}
