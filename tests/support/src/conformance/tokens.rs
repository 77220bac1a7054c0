//! Identity tokens.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use idaas_login::{Algorithm, Claims, IdToken, IdTokenError, IdTokenVerifier, KeySet, MalformedToken};
use serde_json::{Value, json};

use super::text;

/// What a verifier makes of the token.
pub(super) fn verified(file: &Value, vector: &Value) -> Value {
    let set = vector["key_set"]
        .as_str()
        .map_or_else(|| text(vector, "key_set_text").to_owned(), |name| file["key_sets"][name].to_string());
    let Ok(keys) = KeySet::from_json(set.as_bytes()) else { return json!({ "error": "KeySet" }) };
    let or_default = |name: &str| match vector.get(name) {
        Some(value) => value.clone(),
        None => file["defaults"][name].clone(),
    };
    let now: f64 = or_default("now").as_str().unwrap().parse().unwrap();
    let now = UNIX_EPOCH + Duration::from_secs_f64(now);
    let client_id = or_default("client_id");
    let issuer = or_default("issuer");
    let mut verifier =
        IdTokenVerifier::with_keys(issuer.as_str().unwrap_or_default(), client_id.as_str().unwrap(), keys)
            .clock(move || now)
            .leeway(Duration::from_secs(or_default("leeway").as_u64().unwrap()));
    if issuer.is_null() {
        verifier = verifier.danger_accept_any_issuer();
    }
    for name in or_default("more_algorithms").as_array().into_iter().flatten() {
        verifier = verifier.allow_algorithm(algorithm(name.as_str().unwrap()));
    }
    for audience in or_default("trusted_audiences").as_array().into_iter().flatten() {
        verifier = verifier.trust_audience(audience.as_str().unwrap());
    }
    match verifier.verify(&IdToken::from_text(text(vector, "token"))) {
        Ok(claims) => json!({ "claims": claims_of(&claims) }),
        Err(error) => error_of(&error),
    }
}

fn algorithm(name: &str) -> Algorithm {
    match name {
        "RS384" => Algorithm::Rs384,
        "RS512" => Algorithm::Rs512,
        "PS256" => Algorithm::Ps256,
        "ES256" => Algorithm::Es256,
        "ES384" => Algorithm::Es384,
        other => panic!("no algorithm is called {other}"),
    }
}

fn claims_of(claims: &Claims) -> Value {
    let seconds = |time: Option<SystemTime>| {
        time.map(|time| super::place::seconds(time.duration_since(UNIX_EPOCH).unwrap_or_default()))
    };
    json!({
        "issuer": claims.issuer(),
        "subject": claims.subject(),
        "audience": claims.audience(),
        "authorized_party": claims.authorized_party(),
        "expires_at": seconds(claims.expires_at()),
        "issued_at": seconds(claims.issued_at()),
        "not_before": seconds(claims.not_before()),
        "token_id": claims.token_id(),
        "id": claims.id(),
        "user_name": claims.user_name(),
        "name": claims.name(),
        "mobile": claims.mobile(),
        "email": claims.email(),
        "extra": claims.extra(),
    })
}

fn error_of(error: &IdTokenError) -> Value {
    let (kind, detail) = match error {
        IdTokenError::Missing => ("Missing", None),
        IdTokenError::TooLarge => ("TooLarge", None),
        IdTokenError::Malformed(how) => ("Malformed", Some(how_malformed(*how))),
        IdTokenError::AlgorithmNotAllowed => ("AlgorithmNotAllowed", None),
        IdTokenError::CriticalExtension => ("CriticalExtension", None),
        IdTokenError::UnencodedPayload => ("UnencodedPayload", None),
        IdTokenError::Nested => ("Nested", None),
        IdTokenError::WrongType => ("WrongType", None),
        IdTokenError::UnknownKey => ("UnknownKey", None),
        IdTokenError::UnsuitableKey => ("UnsuitableKey", None),
        IdTokenError::BadSignature => ("BadSignature", None),
        IdTokenError::TooManyKeys => ("TooManyKeys", None),
        IdTokenError::MissingClaim(claim) => ("MissingClaim", Some(*claim)),
        IdTokenError::WrongIssuer => ("WrongIssuer", None),
        IdTokenError::WrongAudience => ("WrongAudience", None),
        IdTokenError::WrongAuthorizedParty => ("WrongAuthorizedParty", None),
        IdTokenError::Expired => ("Expired", None),
        IdTokenError::NotYetValid => ("NotYetValid", None),
        IdTokenError::IssuedInTheFuture => ("IssuedInTheFuture", None),
        other => panic!("no words for {other:?}"),
    };
    match detail {
        Some(detail) => json!({ "error": kind, "detail": detail }),
        None => json!({ "error": kind }),
    }
}

fn how_malformed(how: MalformedToken) -> &'static str {
    match how {
        MalformedToken::NotThreeParts => "NotThreeParts",
        MalformedToken::HeaderBase64 => "HeaderBase64",
        MalformedToken::PayloadBase64 => "PayloadBase64",
        MalformedToken::SignatureBase64 => "SignatureBase64",
        MalformedToken::Header => "Header",
        MalformedToken::Payload => "Payload",
        other => panic!("no words for {other:?}"),
    }
}
