//! Tokens: opaque, printed redacted, zeroized when the last holder drops them.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::HeaderValue;
use http::header::InvalidHeaderValue;
use zeroize::Zeroizing;

/// What every redacted value prints as.
pub(crate) struct Redacted;

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A name from the server, if it looks like the name of a status (`PASSWORD_WARN`) or like a code (`SDK.COMMON.1001`, or the
/// five digits of WeChat's), and not like a mobile number, a verification code or a token.
pub(crate) fn printable(name: &str) -> &str {
    let plain =
        |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-');
    let starts_as_name = name.starts_with(|first: char| first.is_ascii_uppercase());
    let composed = name.contains(['.', '_']) || name.bytes().all(|byte| byte.is_ascii_uppercase());
    let is_name = name.len() <= 64 && name.bytes().all(plain) && starts_as_name && composed;
    let is_number = name.len() == 5 && name.bytes().all(|byte| byte.is_ascii_digit());
    if is_name || is_number { name } else { "(a name that is not printed)" }
}

/// A secret text in one place in memory: a clone is a reference, never a copy.
#[derive(Clone)]
struct Secret(Arc<Zeroizing<String>>);

impl AsRef<[u8]> for Secret {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl Secret {
    /// The text as a header value that shares this memory and is marked sensitive.
    fn header(&self) -> Result<HeaderValue, InvalidHeaderValue> {
        let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(self.clone()))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// Canonical Base64 for URLs, decoded. The decoder's own buffer would keep what it had decoded before a character that is
/// none.
pub(crate) fn base64_url(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0; base64::decoded_len_estimate(text.len())]);
    let length = BASE64_URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
    bytes.truncate(length);
    Some(bytes)
}

macro_rules! token {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Its `Debug` is redacted, it has no `Display`, and its memory is zeroized when the last holder drops it.
        #[derive(Clone)]
        pub struct $name(Secret);

        impl $name {
            pub(crate) fn new(text: &str) -> Self {
                Self(Secret(Arc::new(Zeroizing::new(text.to_owned()))))
            }

            /// The text of the token. Do not log it.
            #[must_use]
            pub fn expose(&self) -> &str {
                &self.0.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&Redacted).finish()
            }
        }
    };
}

token! {
    /// The state token: what holds an unfinished login together.
    StateToken
}

token! {
    /// The session token: the proof of a finished login. Whoever holds it acts as the user.
    SessionToken
}

token! {
    /// The identity token (`id_token`): a JWT that says who the user is, short-lived.
    ///
    /// It is not decoded while logging in, and nothing has verified it.
    IdToken
}

token! {
    /// A captcha's own token: what a front end needs that solves it by itself.
    CaptchaToken
}

impl StateToken {
    pub(crate) fn header(&self) -> Result<HeaderValue, InvalidHeaderValue> {
        self.0.header()
    }
}

impl SessionToken {
    pub(crate) fn header(&self) -> Result<HeaderValue, InvalidHeaderValue> {
        self.0.header()
    }
}
