//! A signed token in compact form (RFC 7515), taken apart.

use serde_json::Value;
use zeroize::Zeroizing;

use super::algorithm::Algorithm;
use super::error::{IdTokenError, MalformedToken};
use super::{NotText, decode, object, split, take_text};

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
        let mut members = object(&json).ok_or(MalformedToken::Header)?;
        // Here null is no way to leave a member out: a key that is named null is not named.
        if ["alg", "kid", "cty", "typ"].iter().any(|name| members.get(*name).is_some_and(Value::is_null)) {
            return Err(MalformedToken::Header.into());
        }
        let mut text = |name| take_text(&mut members, name).map_err(|NotText| MalformedToken::Header);
        let (name, key_id, content, kind) = (text("alg")?, text("kid")?, text("cty")?, text("typ")?);
        let algorithm = Algorithm::from_name(&name.ok_or(MalformedToken::Header)?)
            .filter(|algorithm| allowed.contains(algorithm))
            .ok_or(IdTokenError::AlgorithmNotAllowed)?;
        match members.get("b64") {
            None | Some(Value::Bool(true)) => {}
            Some(Value::Bool(false)) => return Err(IdTokenError::UnencodedPayload),
            Some(_) => return Err(MalformedToken::Header.into()),
        }
        // No extension is understood here, so none may be critical (RFC 7515 section 4.1.11).
        if members.contains_key("crit") {
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
