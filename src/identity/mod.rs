//! Who the user is: the identity token, verified against the tenant's keys.

#[cfg(feature = "verify")]
mod algorithm;
mod claims;
mod error;
#[cfg(feature = "verify")]
mod jws;
#[cfg(feature = "verify")]
mod key_cache;
#[cfg(feature = "verify")]
mod key_set;
#[cfg(feature = "verify")]
mod verifier;

use std::fmt;

use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

#[cfg(feature = "verify")]
pub use self::algorithm::Algorithm;
pub use self::claims::Claims;
pub use self::error::{IdTokenError, MalformedToken};
#[cfg(feature = "verify")]
pub use self::key_cache::{KeyCache, KeyCacheBuilder};
#[cfg(feature = "verify")]
pub use self::key_set::{KeySet, KeySetError};
#[cfg(feature = "verify")]
pub use self::verifier::IdTokenVerifier;
use crate::secret::{IdToken, base64_url};

/// Tells the time.
#[cfg(feature = "verify")]
type Clock = std::sync::Arc<dyn Fn() -> std::time::SystemTime + Send + Sync>;

/// Part of a compact token: Base64 for URLs in its one canonical form, without padding and without white space.
fn decode(part: &str, malformed: MalformedToken) -> Result<Zeroizing<Vec<u8>>, IdTokenError> {
    base64_url(part).ok_or(malformed.into())
}

/// The three parts of a compact token.
fn split(token: &str) -> Result<[&str; 3], IdTokenError> {
    let mut parts = token.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(header), Some(payload), Some(signature), None) => Ok([header, payload, signature]),
        _ => Err(MalformedToken::NotThreeParts.into()),
    }
}

/// A JSON object whose members are each there once; anything else, and what is no UTF-8, is `None`.
fn object(json: &[u8]) -> Option<Map<String, Value>> {
    struct Once;

    impl<'de> Visitor<'de> for Once {
        type Value = Map<String, Value>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object whose members are each there once")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
            let mut object = Map::new();
            while let Some((name, value)) = members.next_entry::<String, Value>()? {
                if object.insert(name, value).is_some() {
                    return Err(A::Error::custom("a member is there twice"));
                }
            }
            Ok(object)
        }
    }

    let mut json = serde_json::Deserializer::from_str(std::str::from_utf8(json).ok()?);
    let object = json.deserialize_map(Once).ok()?;
    json.end().ok()?;
    Some(object)
}

/// A member that is text if it is there, and not null; of another type, it makes the whole unreadable.
fn take_text(object: &mut Map<String, Value>, name: &str) -> Result<Option<String>, NotText> {
    match object.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(NotText),
    }
}

/// A member of another type than it has to be.
struct NotText;

impl IdToken {
    /// An identity token from elsewhere, such as one that a front end sends as a bearer token. Nothing has verified it.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self::new(text)
    }

    /// What the token claims, without any proof: anybody can write such a token.
    ///
    /// For logs and for display. To know who the user is, ask an `IdTokenVerifier`.
    ///
    /// # Errors
    /// [`IdTokenError::Malformed`] if it cannot be read. The pages' own examples cannot.
    pub fn unverified_claims(&self) -> Result<Claims, IdTokenError> {
        let [_, payload, _] = split(self.expose())?;
        Claims::read(&decode(payload, MalformedToken::PayloadBase64)?)
    }
}
