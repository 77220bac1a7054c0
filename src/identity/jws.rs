//! A signed token in compact form (RFC 7515), taken apart.

use serde::de::{Error as _, MapAccess};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::algorithm::Algorithm;
use super::error::{IdTokenError, MalformedToken};
use super::json::{self, Members, Skipped};
use super::{decode, split};

/// The members of a header that are known here. Null is no way to leave one out: a key that is named null is not named.
#[derive(Default)]
struct Header {
    algorithm: Option<String>,
    key_id: Option<String>,
    content: Option<String>,
    kind: Option<String>,
    encoded: Option<bool>,
    critical: bool,
}

impl<'de> Members<'de> for Header {
    fn take<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "alg" => self.algorithm = Some(object.next_value()?),
            "kid" => self.key_id = Some(object.next_value()?),
            "cty" => self.content = Some(object.next_value()?),
            "typ" => self.kind = Some(object.next_value()?),
            // Of a value of another type serde would write an error that quotes it.
            "b64" => match object.next_value::<&RawValue>()?.get() {
                "true" => self.encoded = Some(true),
                "false" => self.encoded = Some(false),
                _ => return Err(A::Error::custom("b64 is neither true nor false")),
            },
            _ => {
                self.critical |= name == "crit";
                object.next_value::<Skipped>()?;
            }
        }
        Ok(())
    }
}

/// A signed token that was taken apart and whose header is acceptable. Nothing has verified it.
pub(super) struct Jws<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<String>,
    /// What kind of token it says that it is (`typ`).
    kind: Option<String>,
    /// What is signed: header and payload as they stand in the token.
    pub(super) signed: &'a str,
    pub(super) signature: Zeroizing<Vec<u8>>,
    payload: &'a str,
}

impl<'a> Jws<'a> {
    pub(super) fn parse(token: &'a str, allowed: &[Algorithm]) -> Result<Self, IdTokenError> {
        let [header, payload, signature] = split(token)?;
        let json = decode(header, MalformedToken::HeaderBase64)?;
        // A member that is there twice, or of another type, makes the header unreadable (RFC 7515 section 4).
        let header_members: Header = json::read(&json).ok_or(MalformedToken::Header)?;
        let Header { algorithm, key_id, content, kind, encoded, critical } = header_members;
        let algorithm = Algorithm::from_name(&algorithm.ok_or(MalformedToken::Header)?)
            .filter(|algorithm| allowed.contains(algorithm))
            .ok_or(IdTokenError::AlgorithmNotAllowed)?;
        if encoded == Some(false) {
            return Err(IdTokenError::UnencodedPayload);
        }
        // No extension is understood here, so none may be critical (RFC 7515 section 4.1.11).
        if critical {
            return Err(IdTokenError::CriticalExtension);
        }
        if content.as_deref().is_some_and(is_jwt) {
            return Err(IdTokenError::Nested);
        }
        let signed = token.get(..header.len() + 1 + payload.len()).ok_or(MalformedToken::NotThreeParts)?;
        Ok(Self {
            algorithm,
            key_id,
            kind,
            signed,
            signature: decode(signature, MalformedToken::SignatureBase64)?,
            payload,
        })
    }

    /// Whether it is, by its own word, a plain JWT, and not a token of another use that the same keys sign (RFC 8725
    /// section 3.11).
    pub(super) fn is_plain_jwt(&self) -> bool {
        self.kind.as_deref().is_none_or(is_jwt)
    }

    pub(super) fn payload(&self) -> Result<Vec<u8>, IdTokenError> {
        decode(self.payload, MalformedToken::PayloadBase64).map(|mut payload| std::mem::take(&mut *payload))
    }
}

/// The media type of a JWT, in its short or its long form.
fn is_jwt(media_type: &str) -> bool {
    media_type.eq_ignore_ascii_case("JWT") || media_type.eq_ignore_ascii_case("application/jwt")
}
