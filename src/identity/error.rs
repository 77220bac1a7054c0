use std::sync::Arc;

use crate::error::Error;

/// Why an identity token is not accepted. No text of it contains any part of the token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdTokenError {
    /// The response had no identity token.
    #[error("there is no identity token")]
    Missing,
    /// It has more than 64 KiB. Nothing of it was looked at.
    #[error("the identity token is larger than 64 KiB")]
    TooLarge,
    /// It cannot be read.
    #[error("malformed identity token")]
    Malformed(#[from] MalformedToken),
    /// Its algorithm is none, is unknown, or is not among the allowed ones.
    #[error("the identity token's algorithm is not allowed")]
    AlgorithmNotAllowed,
    /// Its header names extensions that must be understood (`crit`), and none is.
    #[error("the identity token needs an extension that is not understood (crit)")]
    CriticalExtension,
    /// Its payload is not encoded (`b64` is false).
    #[error("the identity token's payload is not encoded (b64)")]
    UnencodedPayload,
    /// It is a token within a token (`cty` is JWT).
    #[error("the identity token contains another token (cty)")]
    Nested,
    /// It is, by its own word, a token of another use (`typ` is not JWT).
    #[error("the token is not an identity token (typ)")]
    WrongType,
    /// No key of the set has its `kid`.
    #[error("no key of the key set has the identity token's kid")]
    UnknownKey,
    /// The key that it names may not be used for it: another `alg`, `use` or `key_ops`, another type, or too weak.
    #[error("the key set's key must not be used for the identity token's signature")]
    UnsuitableKey,
    /// The signature is not that of the key.
    #[error("the identity token's signature is wrong")]
    BadSignature,
    /// More large keys could have signed it than are tried for one token: it names no key (`kid`), or one name is that of many.
    #[error("too many large keys of the key set could have signed the identity token")]
    TooManyKeys,
    /// A claim is missing.
    #[error("the identity token has no {0}")]
    MissingClaim(&'static str),
    /// It is from another issuer.
    #[error("the identity token is from another issuer (iss)")]
    WrongIssuer,
    /// It is for another application, or for others too that are not trusted.
    #[error("the identity token is for another audience (aud)")]
    WrongAudience,
    /// It was given to another application.
    #[error("the identity token was given to another party (azp)")]
    WrongAuthorizedParty,
    /// Its time is over.
    #[error("the identity token has expired (exp)")]
    Expired,
    /// Its time has not come.
    #[error("the identity token is not valid yet (nbf)")]
    NotYetValid,
    /// It was issued in the future.
    #[error("the identity token was issued in the future (iat)")]
    IssuedInTheFuture,
    /// There are no keys yet, and they could not be fetched: the failure of the last try, or a time limit if a fetch takes
    /// longer than a user waits for it.
    #[error("could not fetch the tenant's keys")]
    Keys(#[source] Arc<Error>),
    /// There are no keys yet, and what the key endpoint responded is not a key set.
    #[error("the tenant's key set cannot be read")]
    KeySet,
    /// The tenant's key set has no key that can be used: it withdrew its keys, or has none for signatures.
    #[error("the tenant's key set has no usable key")]
    NoUsableKey,
    /// The keys are older than `max_stale`, because they could not be fetched again: they are trusted no more.
    #[error("the tenant's keys are too old to be trusted")]
    StaleKeys(#[source] Box<IdTokenError>),
}

/// How a token is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MalformedToken {
    /// It does not have three parts with dots between: it is no signed token in compact form.
    #[error("it does not have three parts")]
    NotThreeParts,
    /// The header is not canonical Base64 for URLs.
    #[error("the header is not canonical Base64")]
    HeaderBase64,
    /// The payload is not canonical Base64 for URLs.
    #[error("the payload is not canonical Base64")]
    PayloadBase64,
    /// The signature is not canonical Base64 for URLs.
    #[error("the signature is not canonical Base64")]
    SignatureBase64,
    /// The header is not the JSON object that it has to be.
    #[error("the header is not a JSON object with alg")]
    Header,
    /// The payload is not the JSON object that it has to be.
    #[error("the payload is not a JSON object of claims")]
    Payload,
}
