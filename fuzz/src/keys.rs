//! The tenant's key set.

use idaas_login::{Algorithm, KeySet};
use serde_json::Value;
use serde_json::value::RawValue;

use super::model::Members;
use super::tokens::{Keys, decode, encode, object};

const OURS: &str = "the-good-key";

/// A JWK set: which of its keys can be used, and that a good one beside them works.
pub fn key_set(data: &[u8]) {
    let read = KeySet::from_json(data);
    // What is no UTF-8 may be read or not.
    let Ok(text) = std::str::from_utf8(data) else { return };
    let keys = keys(text);
    assert_eq!(read.is_ok(), keys.is_some());
    let (Ok(set), Some(keys)) = (read, keys) else { return };
    assert_eq!(set.len(), keys.iter().filter(|key| is_usable(key.get())).count(), "{text}");
    assert_eq!(set.is_empty(), !keys.iter().any(|key| is_usable(key.get())));
    assert!(set.len() < 100 || format!("{set:?}").len() < 100, "the keys are counted, not printed");

    let named = Keys::get().es256(format!(r#"{{"alg":"ES256","kid":"{OURS}"}}"#).as_bytes(), b"{}");
    let unnamed = Keys::get().es256(br#"{"alg":"ES256"}"#, b"{}");
    let nobodys = format!("{}.e30.{}", encode(r#"{"alg":"RS256"}"#), encode([1; 256]));
    let allowed = [Algorithm::Es256, Algorithm::Rs256];
    for token in [&named, &unnamed, &nobodys] {
        assert!(set.verify_with(token, &allowed).is_err(), "no key of theirs verifies it");
    }
    let ours = Keys::get().p256_jwk(OURS).to_string();
    let all: Vec<_> = keys.iter().map(|key| key.get()).chain([ours.as_str()]).collect();
    let with_ours =
        KeySet::from_json(format!(r#"{{"keys":[{}]}}"#, all.join(",")).as_bytes()).expect("a set");
    assert_eq!(with_ours.len(), set.len() + 1);
    assert_eq!(with_ours.verify_with(&named, &allowed).expect("signed"), b"{}");
    assert_eq!(with_ours.verify_with(&unnamed, &allowed).expect("signed"), b"{}");
    assert!(with_ours.verify(&named).is_err(), "ES256 has to be allowed");
}

fn keys(text: &str) -> Option<Vec<Box<RawValue>>> {
    let members: Members = serde_json::from_str(text).ok()?;
    match members.all("keys").as_slice() {
        [keys] => serde_json::from_str(keys).ok(),
        _ => None,
    }
}

/// RFC 7517 and 7518, once more.
fn is_usable(key: &str) -> bool {
    let Some(key) = object(key.as_bytes()) else { return false };
    let there = |name: &str| key.get(name).filter(|value| !value.is_null());
    let names = ["kty", "kid", "use", "alg", "crv", "n", "e", "x", "y"];
    if !names.iter().all(|name| there(name).is_none_or(Value::is_string)) {
        return false;
    }
    let text = |name: &str| there(name).and_then(Value::as_str);
    let bytes = |name: &str| text(name).and_then(decode).unwrap_or_default();
    let number = |name: &str| bytes(name).into_iter().skip_while(|byte| *byte == 0).collect::<Vec<_>>();
    let algorithms = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384"];
    let verifies = there("key_ops").is_none_or(|operations| {
        operations.as_array().is_some_and(|operations| operations.iter().any(|one| one == "verify"))
    });
    let material = match (text("kty"), text("crv")) {
        (Some("RSA"), _) => {
            let (n, e) = (number("n"), number("e"));
            let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
            let is_odd = |number: &[u8]| number.last().is_some_and(|last| last & 1 == 1);
            (2048..=8192).contains(&bits) && is_odd(&n) && is_odd(&e) && e.len() <= 4 && e != [1]
        }
        (Some("EC"), Some("P-256")) => bytes("x").len() == 32 && bytes("y").len() == 32,
        (Some("EC"), Some("P-384")) => bytes("x").len() == 48 && bytes("y").len() == 48,
        _ => false,
    };
    material
        && verifies
        && text("use").is_none_or(|usage| usage == "sig")
        && text("alg").is_none_or(|algorithm| algorithms.contains(&algorithm))
}
