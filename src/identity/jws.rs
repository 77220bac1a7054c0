//! A signed token in compact form (RFC 7515), taken apart.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};

use super::error::{IdTokenError, MalformedToken};
use super::key_set::Algorithm;
use super::{decode, split};

/// A signed token that was taken apart and whose header is acceptable. Nothing has verified it.
pub(super) struct Jws<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<String>,
    /// What is signed: header and payload as they stand in the token.
    pub(super) signed: &'a str,
    pub(super) signature: Vec<u8>,
    payload: &'a str,
}

/// The members of a header that matter. A member that is there twice makes the header unreadable (RFC 7515 section 4).
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: bool,
    b64: Option<bool>,
    cty: Option<String>,
}

/// Whether a member is there, whatever its value.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

impl<'a> Jws<'a> {
    pub(super) fn parse(token: &'a str, allowed: &[Algorithm]) -> Result<Self, IdTokenError> {
        let [header, payload, signature] = split(token)?;
        let json = decode(header, MalformedToken::HeaderBase64)?;
        let parsed: Header = serde_json::from_slice(&json).map_err(|_| MalformedToken::Header)?;
        let algorithm = Algorithm::from_name(&parsed.alg)
            .filter(|algorithm| allowed.contains(algorithm))
            .ok_or(IdTokenError::AlgorithmNotAllowed)?;
        if parsed.b64 == Some(false) {
            return Err(IdTokenError::UnencodedPayload);
        }
        // No extension is understood here, so none may be critical (RFC 7515 section 4.1.11).
        if parsed.crit {
            return Err(IdTokenError::CriticalExtension);
        }
        if parsed.cty.is_some_and(|content| content.eq_ignore_ascii_case("JWT")) {
            return Err(IdTokenError::Nested);
        }
        let signed = token.get(..header.len() + 1 + payload.len()).ok_or(MalformedToken::NotThreeParts)?;
        Ok(Self {
            algorithm,
            key_id: parsed.kid,
            signed,
            signature: decode(signature, MalformedToken::SignatureBase64)?,
            payload,
        })
    }

    pub(super) fn payload(&self) -> Result<Vec<u8>, IdTokenError> {
        decode(self.payload, MalformedToken::PayloadBase64)
    }
}
