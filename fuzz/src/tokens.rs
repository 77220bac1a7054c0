//! Signed tokens, and what they claim.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use idaas_login::{Algorithm, Claims, IdToken, IdTokenError, IdTokenVerifier, KeySet, MalformedToken};
use ring::rand::SystemRandom;
use ring::rsa;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256};
use serde_json::{Map, Value, json};

use super::model::Members;
use super::responses::CLIENT_ID;

pub const NOW: u32 = 1_646_876_579;
pub const ISSUER: &str = "https://acme.example.com/api/v1/oauth2";
const OTHER_AUDIENCE: &str = "another";

pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

pub fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}

/// The keys of the targets: their signatures are good.
pub struct Keys {
    rsa: rsa::KeyPair,
    p256: EcdsaKeyPair,
    random: SystemRandom,
}

impl Keys {
    pub fn get() -> &'static Self {
        static KEYS: OnceLock<Keys> = OnceLock::new();
        KEYS.get_or_init(|| {
            let random = SystemRandom::new();
            let p256 =
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
            Self {
                rsa: rsa::KeyPair::from_pkcs8(include_bytes!("../../src/emulator/keys/1.pk8"))
                    .expect("a key"),
                p256: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, p256.as_ref(), &random)
                    .expect("a key"),
                random,
            }
        })
    }

    /// Signs by RS256: the same text has the same signature.
    fn rs256(&self, signed: &str) -> String {
        let mut signature = vec![0; self.rsa.public().modulus_len()];
        self.rsa
            .sign(&RSA_PKCS1_SHA256, &self.random, signed.as_bytes(), &mut signature)
            .expect("a signature");
        format!("{signed}.{}", encode(signature))
    }

    /// Signs by ES256, which is quick.
    pub fn es256(&self, header: &[u8], payload: &[u8]) -> String {
        let signed = format!("{}.{}", encode(header), encode(payload));
        let signature = self.p256.sign(&self.random, signed.as_bytes()).expect("a signature");
        format!("{signed}.{}", encode(signature))
    }

    pub fn rsa_jwk(&self, id: &str) -> Value {
        let public: rsa::PublicKeyComponents<Vec<u8>> = self.rsa.public().into();
        json!({ "kty": "RSA", "kid": id, "alg": "RS256", "n": encode(public.n), "e": encode(public.e) })
    }

    pub fn p256_jwk(&self, id: &str) -> Value {
        let point = self.p256.public_key().as_ref();
        json!({ "kty": "EC", "crv": "P-256", "kid": id, "x": encode(&point[1..33]), "y": encode(&point[33..]) })
    }
}

/// The good keys, as a set.
fn set() -> &'static Arc<KeySet> {
    static SET: OnceLock<Arc<KeySet>> = OnceLock::new();
    SET.get_or_init(|| {
        let keys = json!({ "keys": [Keys::get().rsa_jwk("k1"), Keys::get().p256_jwk("k2")] });
        Arc::new(KeySet::from_json(keys.to_string().as_bytes()).expect("a set"))
    })
}

/// A token as a tenant signs it, by RS256.
pub fn good_token() -> &'static str {
    static TOKEN: OnceLock<String> = OnceLock::new();
    TOKEN.get_or_init(|| {
        let (header, payload) = (encode(r#"{"alg":"RS256","kid":"k1"}"#), encode(good_claims()));
        Keys::get().rs256(&format!("{header}.{payload}"))
    })
}

/// Claims that are accepted.
pub fn good_claims() -> String {
    json!({
        "iss": ISSUER, "aud": CLIENT_ID, "sub": "admin", "iat": NOW, "exp": NOW + 300, "nbf": NOW - 120, "jti": "j",
        "id": "20220310", "userName": "admin", "name": "Li Lei", "mobile": "+86-152", "email": "l@example.com",
    })
    .to_string()
}

/// A JSON object whose members are each there once, as the crate wants headers and claims.
pub fn object(json: &[u8]) -> Option<Map<String, Value>> {
    let text = std::str::from_utf8(json).ok()?;
    let members: Members = serde_json::from_str(text).ok()?;
    let object: Map<String, Value> = serde_json::from_str(text).ok()?;
    (object.len() == members.0.len()).then_some(object)
}

/// A signed token in compact form, any or ours.
pub fn jws(data: &[u8]) {
    match data.split_first() {
        Some((0, text)) => any_token(&String::from_utf8_lossy(text)),
        Some((1, rest)) => {
            let (header, payload) = match rest.iter().position(|byte| *byte == 0) {
                Some(end) => (&rest[..end], &rest[end + 1..]),
                None => (rest, &b"{}"[..]),
            };
            signed_header(header, payload);
        }
        Some((_, [high, low, by, how, ..])) => {
            changed_token(u16::from_be_bytes([*high, *low]).into(), *by, *how);
        }
        _ => {}
    }
}

/// What verifies was signed, and its payload is what comes out.
fn any_token(token: &str) {
    let unverified = IdToken::from_text(token).unverified_claims();
    let Ok(payload) = set().verify(token) else { return };
    let (signed, _) = token.rsplit_once('.').expect("it has a signature");
    let (_, middle) = signed.split_once('.').expect("it has a payload");
    assert_eq!(decode(middle), Some(payload.clone()));
    assert_eq!(token, Keys::get().rs256(signed), "it verifies, and is not what the key signs");
    let verified = verifier().verify(&IdToken::from_text(token));
    assert!(verified.is_err() || unverified.is_ok());
}

/// Whatever the header says, the right signature is not enough.
fn signed_header(header: &[u8], payload: &[u8]) {
    let token = Keys::get().es256(header, payload);
    let verified = set().verify_with(&token, &[Algorithm::Es256]);
    assert_eq!(verified.ok().as_deref(), is_good_header(header).then_some(payload));
    // Another algorithm is not accepted, whatever the header says.
    assert!(set().verify(&token).is_err());
    assert!(set().verify_with(&token, &[]).is_err());
}

fn is_good_header(header: &[u8]) -> bool {
    let Some(header) = object(header) else { return false };
    let text = |name: &str| header.get(name).map(Value::as_str);
    // There and no text is bad; null is no text.
    let all_text = ["alg", "kid", "cty", "typ"].iter().all(|name| text(name) != Some(None));
    let is_jwt = |text: &str| ["JWT", "APPLICATION/JWT"].contains(&text.to_ascii_uppercase().as_str());
    all_text
        && text("alg") == Some(Some("ES256"))
        && text("kid").is_none_or(|id| id == Some("k2"))
        && header.get("b64").is_none_or(|encoded| *encoded == Value::Bool(true))
        && !header.contains_key("crit")
        && !text("cty").flatten().is_some_and(is_jwt)
}

/// A good token with one change anywhere is none.
fn changed_token(at: usize, by: u8, how: u8) {
    let good = good_token();
    let at = at % good.len();
    let by = char::from(by & 0x7f);
    let mut changed = good.to_owned();
    match how % 4 {
        0 => changed.replace_range(at..=at, by.encode_utf8(&mut [0; 4])),
        1 => changed.insert(at, by),
        2 => changed.truncate(at),
        _ => drop(changed.remove(at)),
    }
    let same = changed == good;
    assert_eq!(set().verify(&changed).is_ok(), same, "{at} {by:?} {how}");
    assert_eq!(verifier().verify(&IdToken::from_text(&changed)).is_ok(), same, "{at} {by:?} {how}");
}

fn verifier() -> &'static IdTokenVerifier {
    static VERIFIER: OnceLock<IdTokenVerifier> = OnceLock::new();
    VERIFIER.get_or_init(|| {
        let keys = json!({ "keys": [Keys::get().rsa_jwk("k1"), Keys::get().p256_jwk("k2")] });
        let set = KeySet::from_json(keys.to_string().as_bytes()).expect("a set");
        IdTokenVerifier::with_keys(ISSUER, CLIENT_ID, set)
            .allow_algorithm(Algorithm::Es256)
            .trust_audience(OTHER_AUDIENCE)
            .clock(|| UNIX_EPOCH + Duration::from_secs(NOW.into()))
    })
}

/// The claims of a token with a good signature.
pub fn id_token(payload: &[u8]) {
    let token = IdToken::from_text(&Keys::get().es256(br#"{"alg":"ES256","kid":"k2"}"#, payload));
    let read = token.unverified_claims();
    let expected = object(payload).filter(has_the_right_types);
    match (&read, &expected) {
        (Ok(claims), Some(expected)) => assert_claims(claims, expected),
        (Err(IdTokenError::Malformed(MalformedToken::Payload)), None) => {}
        _ => panic!("{read:?}, expected {expected:?}"),
    }
    match verifier().verify(&token) {
        Ok(claims) => {
            assert!(expected.as_ref().is_some_and(is_accepted), "accepted: {expected:?}");
            assert!(read.is_ok_and(|read| read == claims));
        }
        Err(error) => {
            assert!(!expected.as_ref().is_some_and(is_accepted), "{error}: {expected:?}");
            assert!(!format!("{error} {error:?}").contains("Li Lei"));
        }
    }
}

const TEXTS: [&str; 9] = ["iss", "sub", "azp", "jti", "id", "userName", "name", "mobile", "email"];

fn has_the_right_types(claims: &Map<String, Value>) -> bool {
    let is = |name: &str, right: fn(&Value) -> bool| {
        claims.get(name).is_none_or(|value| value.is_null() || right(value))
    };
    TEXTS.iter().all(|name| is(name, Value::is_string))
        && ["exp", "iat", "nbf"].iter().all(|name| is(name, Value::is_number))
        && is("aud", |audience| match audience {
            Value::String(_) => true,
            Value::Array(several) => several.len() <= 64 && several.iter().all(Value::is_string),
            _ => false,
        })
        && claims.len() <= 128
}

/// OpenID Connect Core 3.1.3.7, once more.
fn is_accepted(claims: &Map<String, Value>) -> bool {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let seconds = |name: &str| claims.get(name).and_then(Value::as_f64);
    let (now, leeway) = (f64::from(NOW), 60.0);
    let audience: Vec<_> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    text("iss") == Some(ISSUER)
        && text("sub").is_some_and(|subject| !subject.is_empty())
        && audience.contains(&CLIENT_ID)
        && audience.iter().all(|one| [CLIENT_ID, OTHER_AUDIENCE].contains(one))
        && text("azp").map_or(audience.len() == 1, |party| party == CLIENT_ID)
        && seconds("exp").is_some_and(|expires| now < expires + leeway)
        && seconds("iat").is_some_and(|issued| issued <= now + leeway)
        && seconds("nbf").is_none_or(|begins| begins <= now + leeway)
}

fn assert_claims(claims: &Claims, expected: &Map<String, Value>) {
    let text = |name: &str| expected.get(name).and_then(Value::as_str);
    assert_eq!((claims.issuer(), claims.subject()), (text("iss"), text("sub")));
    assert_eq!((claims.authorized_party(), claims.token_id()), (text("azp"), text("jti")));
    let nested = text("api").and_then(|api| object(api.as_bytes())).filter(|api| {
        let is_right = |name: &&str| api.get(*name).is_none_or(|value| value.is_null() || value.is_string());
        api.len() <= 128 && TEXTS[4..].iter().all(is_right)
    });
    let user = |name: &str| {
        let nested = nested.as_ref().and_then(|api| api.get(name)).and_then(Value::as_str);
        text(name).filter(|text| !text.is_empty()).or(nested.filter(|text| !text.is_empty()))
    };
    assert_eq!((claims.id(), claims.user_name()), (user("id"), user("userName")));
    assert_eq!(
        (claims.name(), claims.mobile(), claims.email()),
        (user("name"), user("mobile"), user("email"))
    );
    // They are read without a panic, however large they are.
    let _ = (claims.expires_at(), claims.issued_at(), claims.not_before());
    let named = |name: &String| {
        TEXTS.contains(&name.as_str()) || ["aud", "exp", "iat", "nbf"].contains(&name.as_str())
    };
    assert_eq!(claims.extra().len(), expected.keys().filter(|name| !named(name)).count());
    let printed = format!("{claims:?}");
    for secret in [claims.name(), claims.mobile(), claims.email()].into_iter().flatten() {
        let elsewhere = [claims.issuer().unwrap_or_default()]
            .into_iter()
            .chain(claims.audience().iter().map(String::as_str));
        let mut elsewhere =
            elsewhere.chain(["Claims issuer audience expires_at user redacted Some None SystemTime"]);
        let quoted = format!("{secret:?}");
        assert!(
            quoted.len() < 10 || !printed.contains(&quoted) || elsewhere.any(|known| known.contains(secret))
        );
    }
}
