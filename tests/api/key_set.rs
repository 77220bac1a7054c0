//! Keys and signatures: the examples of the RFCs, forgeries of every kind, and a second implementation beside.

use base64::Engine;
use base64::prelude::{BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};
use idaas_login::{Algorithm, IdTokenError, IdTokenError as E, KeySet, MalformedToken as M};
use ring::rand::{SecureRandom, SystemRandom};
use ring::rsa::KeyPair;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding,
};
use serde_json::{Value, json};

fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

// The examples of the RFCs.

const JOE: &str =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const JOE_TEXT: &[u8] = b"{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";

#[test]
fn rfc_7515_a_2_rs256() {
    let set = KeySet::from_json(
        br#"{"keys":[{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}]}"#,
    )
    .unwrap();
    let token = format!(
        "eyJhbGciOiJSUzI1NiJ9.{JOE}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
    );
    assert_eq!(set.verify(&token).unwrap(), JOE_TEXT);
}

#[test]
fn rfc_7515_a_3_es256() {
    let set = KeySet::from_json(
        br#"{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#,
    )
    .unwrap();
    let token = format!(
        "eyJhbGciOiJFUzI1NiJ9.{JOE}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    );
    assert_eq!(set.verify_with(&token, &[Algorithm::Es256]).unwrap(), JOE_TEXT);
    // It has to be allowed.
    assert!(matches!(set.verify(&token), Err(IdTokenError::AlgorithmNotAllowed)));
}

const FRODO: &str = "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4";

#[test]
fn rfc_7520_4_1_rs256() {
    let set = KeySet::from_json(
        br#"{"keys":[{"kty":"RSA","kid":"bilbo.baggins@hobbiton.example","use":"sig","n":"n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw","e":"AQAB"}]}"#,
    )
    .unwrap();
    let token = format!(
        "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.{FRODO}.MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg"
    );
    assert!(
        String::from_utf8(set.verify(&token).unwrap())
            .unwrap()
            .starts_with("It\u{2019}s a dangerous business, Frodo")
    );
}

/// ES512 on P-521: the library behind has no such curve, so the key is skipped and the algorithm is unknown.
#[test]
fn rfc_7520_4_3_es512_is_not_available() {
    let set = KeySet::from_json(
        br#"{"keys":[{"kty":"EC","kid":"bilbo.baggins@hobbiton.example","use":"sig","crv":"P-521","x":"AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt","y":"AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1"}]}"#,
    )
    .unwrap();
    assert!(set.is_empty());
    let token = format!(
        "eyJhbGciOiJFUzUxMiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.{FRODO}.AE_R_YZCChjn4791jSQCrdPZCNYqHXCTZH0-JZGYNlaAjP2kqaluUIIUnC9qvbu9Plon7KRTzoNEuT4Va2cmL1eJAQy3mtPBu_u_sDDyYjnAMDxXPn7XrT0lw-kvAD890jl8e2puQens_IEKBpHABlsbEPX6sFY8OcGDqoRuBomu9xQ2"
    );
    assert!(matches!(set.verify(&token), Err(IdTokenError::AlgorithmNotAllowed)));
}

// Keys of our own.

const RSA_1: &[u8] = support::keys::ONE;
const RSA_2: &[u8] = support::keys::TWO;

fn rsa(pkcs8: &[u8]) -> KeyPair {
    KeyPair::from_pkcs8(pkcs8).unwrap()
}

fn rsa_jwk(pkcs8: &[u8], members: Value) -> Value {
    let public: ring::rsa::PublicKeyComponents<Vec<u8>> = rsa(pkcs8).public().into();
    merged(json!({ "kty": "RSA", "n": encode(public.n), "e": encode(public.e) }), members)
}

fn merged(mut base: Value, members: Value) -> Value {
    let Value::Object(members) = members else { panic!("members") };
    base.as_object_mut().unwrap().extend(members);
    base
}

fn set(keys: &[Value]) -> KeySet {
    KeySet::from_json(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn sign_as(padding: &'static dyn RsaEncoding, pkcs8: &[u8], header: &str, payload: &str) -> String {
    let signed = format!("{}.{}", encode(header), encode(payload));
    let key = rsa(pkcs8);
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(padding, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", encode(signature))
}

/// A token with this header, rightly signed by RS256.
fn sign(header: &str) -> String {
    sign_as(&RSA_PKCS1_SHA256, RSA_1, header, PAYLOAD)
}

/// A new key of a curve, and a token with this header that it has signed.
fn ec(
    algorithm: &'static EcdsaSigningAlgorithm,
    curve: &str,
    members: Value,
    header: &str,
) -> (Value, String) {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
    let point = &key.public_key().as_ref()[1..];
    let (x, y) = point.split_at(point.len() / 2);
    let jwk = merged(json!({ "kty": "EC", "crv": curve, "x": encode(x), "y": encode(y) }), members);
    let signed = format!("{}.{}", encode(header), encode(PAYLOAD));
    (jwk, format!("{signed}.{}", encode(key.sign(&random, signed.as_bytes()).unwrap())))
}

fn p256(members: Value, header: &str) -> (Value, String) {
    ec(&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256", members, header)
}

fn p384(members: Value, header: &str) -> (Value, String) {
    ec(&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384", members, header)
}

const PAYLOAD: &str = r#"{"sub":"zhangsan"}"#;
const HEADER: &str = r#"{"alg":"RS256","kid":"k1"}"#;

fn own_set() -> KeySet {
    set(&[rsa_jwk(RSA_1, json!({ "kid": "k1", "use": "sig", "alg": "RS256" }))])
}

macro_rules! assert_refused {
    ($result:expr, $reason:pat, $what:expr) => {
        match $result {
            Err($reason) => {}
            other => panic!("{}: expected {}, got {other:?}", $what, stringify!($reason)),
        }
    };
}

#[test]
fn a_header_is_read_strictly() {
    let set = own_set();
    assert_eq!(set.verify(&sign(HEADER)).unwrap(), PAYLOAD.as_bytes());
    // Harmless members.
    for header in [
        r#"{"typ":"JWT","alg":"RS256","kid":"k1"}"#,
        r#"{"alg":"RS256"}"#,
        r#"{"alg":"RS256","kid":"k1","b64":true}"#,
        r#"{"alg":"RS256","kid":"k1","cty":"json","x":[{"y":null}]}"#,
        " \n{\"alg\":\"RS256\"}\t",
        r#"{"alg":"RS\u003256","kid":"k1"}"#,
        // Keys and addresses in a header are never looked at.
        r#"{"alg":"RS256","kid":"k1","jku":"https://evil.example","x5u":"https://evil.example","jwk":{"kty":"RSA"}}"#,
    ] {
        assert!(set.verify(&sign(header)).is_ok(), "{header}");
    }
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"None"}"#,
        r#"{"alg":"nOnE","kid":"k1"}"#,
        r#"{"alg":"HS256","kid":"k1"}"#,
        r#"{"alg":"HS384"}"#,
        r#"{"alg":"HS512"}"#,
        r#"{"alg":"RS384","kid":"k1"}"#,
        r#"{"alg":"PS256","kid":"k1"}"#,
        r#"{"alg":"ES256","kid":"k1"}"#,
        r#"{"alg":"EdDSA"}"#,
        r#"{"alg":"rs256","kid":"k1"}"#,
        r#"{"alg":" RS256","kid":"k1"}"#,
        r#"{"alg":"RS256\u0000","kid":"k1"}"#,
        r#"{"alg":"RSA-OAEP","kid":"k1"}"#,
        r#"{"alg":"","kid":"k1"}"#,
    ] {
        assert_refused!(set.verify(&sign(header)), E::AlgorithmNotAllowed, header);
    }
    for header in [
        "",
        "{}",
        "null",
        "[]",
        "\"RS256\"",
        r#"{"alg":null}"#,
        r#"{"alg":["RS256"]}"#,
        r#"{"alg":256}"#,
        r#"{"ALG":"RS256"}"#,
        r#"{"alg":"RS256","alg":"RS256"}"#,
        r#"{"alg":"none","alg":"RS256"}"#,
        r#"{"alg":"RS256","kid":"k1","kid":"k1"}"#,
        r#"{"alg":"RS256","kid":1}"#,
        r#"{"alg":"RS256","kid":null}"#,
        r#"{"alg":"RS256","kid":["k1"]}"#,
        r#"{"alg":"RS256","typ":"a","typ":"b"}"#,
        r#"{"alg":"RS256","x":1,"x":1}"#,
        r#"{"alg":"RS256","typ":1}"#,
        r#"{"alg":"RS256","cty":null}"#,
        r#"{"alg":"RS256","b64":null}"#,
        r#"{"alg":"RS256","x":"\ud800"}"#,
        r#"["RS256"]"#,
        r#"["RS256","k1",null,null,null]"#,
        r#"{"alg":"RS256","b64":"false"}"#,
        r#"{"alg":"RS256"} x"#,
        r#"{"alg":"RS256"}{}"#,
        r#"{"alg":"RS256""#,
        r#"{"alg":"RS256",}"#,
        "{'alg':'RS256'}",
        "\u{feff}{\"alg\":\"RS256\"}",
    ] {
        assert_refused!(set.verify(&sign(header)), E::Malformed(M::Header), header);
    }
    for header in [
        r#"{"alg":"RS256","kid":"k1","crit":["exp"]}"#,
        r#"{"alg":"RS256","kid":"k1","crit":[]}"#,
        r#"{"alg":"RS256","kid":"k1","crit":null}"#,
        r#"{"alg":"RS256","kid":"k1","crit":"exp","exp":1}"#,
        r#"{"alg":"RS256","kid":"k1","crit":["b64"],"b64":true}"#,
    ] {
        assert_refused!(set.verify(&sign(header)), E::CriticalExtension, header);
    }
    let header = r#"{"alg":"RS256","kid":"k1","b64":false}"#;
    assert_refused!(set.verify(&sign(header)), E::UnencodedPayload, header);
    let header = r#"{"alg":"RS256","kid":"k1","b64":false,"crit":["b64"]}"#;
    assert_refused!(set.verify(&sign(header)), E::UnencodedPayload, header);
    for content in ["JWT", "jwt", "Jwt", "application/jwt", "application/JWT"] {
        let header = format!(r#"{{"alg":"RS256","kid":"k1","cty":"{content}"}}"#);
        assert_refused!(set.verify(&sign(&header)), E::Nested, header);
    }
    // Bytes that are no text, though only in a member that nobody looks at.
    let binary =
        format!("{}.{}.{}", encode(b"{\"alg\":\"RS256\",\"x\":\"\xff\"}"), encode(PAYLOAD), encode("x"));
    assert_refused!(set.verify(&binary), E::Malformed(M::Header), "binary member");
    let binary = format!("{}.{}.{}", encode(b"\xff\xfe{}"), encode(PAYLOAD), encode("x"));
    assert_refused!(set.verify(&binary), E::Malformed(M::Header), "binary");
}

#[test]
fn a_token_has_three_canonical_parts() {
    let set = own_set();
    let token = sign(HEADER);
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!() };
    for (what, bad) in [
        ("nothing", String::new()),
        ("one part", header.to_owned()),
        ("two parts", format!("{header}.{payload}")),
        ("four parts", format!("{token}.{signature}")),
        ("five parts, as an encrypted token", format!("{token}..")),
        ("a dot behind", format!("{token}.")),
        ("a dot before", format!(".{token}")),
        (
            "JSON, flattened",
            json!({ "protected": header, "payload": payload, "signature": signature }).to_string(),
        ),
        (
            "JSON, general",
            json!({ "payload": payload, "signatures": [{ "protected": header, "signature": signature }] })
                .to_string(),
        ),
    ] {
        match set.verify(&bad) {
            Err(E::Malformed(M::NotThreeParts | M::HeaderBase64)) => {}
            other => panic!("{what}: {other:?}"),
        }
    }
    for space in [" ", "\n", "\t", "\r\n", "\u{a0}", "\0"] {
        assert_refused!(set.verify(&format!("{space}{token}")), E::Malformed(M::HeaderBase64), space);
        assert_refused!(set.verify(&format!("{token}{space}")), E::Malformed(M::SignatureBase64), space);
        let inside = format!("{header}.{}{space}{}.{signature}", &payload[..4], &payload[4..]);
        assert!(set.verify(&inside).is_err(), "{space:?}");
    }
    // Padding, the other alphabet, and bits that are left over.
    let padded = |text: &str| BASE64_URL_SAFE.encode(BASE64_URL_SAFE_NO_PAD.decode(text).unwrap());
    for bad in [
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}=.{signature}"),
        format!("{header}.{payload}.{signature}="),
        format!("{header}.{payload}.{}", padded(signature)),
        format!("{header}.{payload}.{}", signature.replace(['-', '_'], "+")),
        format!("{header}.{payload}.{}", &signature[..signature.len() - 1]),
    ] {
        assert!(set.verify(&bad).is_err(), "{bad}");
    }
    for part in 0..3 {
        let parts = [header, payload, signature];
        let text = parts[part];
        if text.len() % 4 == 0 {
            continue;
        }
        // The last character carries bits that must be zero: with others set it means the same bytes, not canonically.
        let last = text.chars().last().unwrap();
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let next = alphabet.chars().nth(alphabet.find(last).unwrap() + 1).unwrap();
        let mut forged = parts.map(str::to_owned);
        forged[part] = format!("{}{next}", &text[..text.len() - 1]);
        assert!(set.verify(&forged.join(".")).is_err(), "part {part}");
    }
    // The payload is decoded strictly, too, though the signature would cover it as it stands.
    let signed = format!("{header}.{payload}=");
    let key = rsa(RSA_1);
    let mut bytes = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut bytes).unwrap();
    assert_refused!(
        set.verify(&format!("{signed}.{}", encode(bytes))),
        E::Malformed(M::PayloadBase64),
        "payload"
    );
}

#[test]
fn a_signature_is_the_keys_own() {
    let set = own_set();
    let token = sign(HEADER);
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let other = sign_as(&RSA_PKCS1_SHA256, RSA_2, HEADER, PAYLOAD);
    let another_payload = sign_as(&RSA_PKCS1_SHA256, RSA_1, HEADER, r#"{"sub":"mallory"}"#);
    let foreign = |token: &str| token.split('.').nth(2).unwrap().to_owned();
    let mut zeros = vec![0_u8; 256];
    let mut flipped = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    flipped[100] ^= 1;
    let longer = [vec![0], BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap()].concat();
    for (what, bad) in [
        ("of another key", other),
        ("of another payload", format!("{header}.{payload}.{}", foreign(&another_payload))),
        ("empty", format!("{header}.{payload}.")),
        ("of zeros", format!("{header}.{payload}.{}", encode(&zeros))),
        ("of ones", {
            zeros.fill(0xff);
            format!("{header}.{payload}.{}", encode(&zeros))
        }),
        ("with a bit flipped", format!("{header}.{payload}.{}", encode(flipped))),
        ("one byte longer", format!("{header}.{payload}.{}", encode(longer))),
        ("short", format!("{header}.{payload}.{}", encode("x"))),
        ("with PSS padding", sign_as(&RSA_PSS_SHA256, RSA_1, HEADER, PAYLOAD)),
        ("with SHA-512", sign_as(&RSA_PKCS1_SHA512, RSA_1, HEADER, PAYLOAD)),
        ("with an empty payload", format!("{header}..{signature}")),
        // The well-known forgery: a MAC whose key is the public key, called RS256.
        ("a MAC by the public key", {
            let public = rsa(RSA_1).public().as_ref().to_vec();
            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &public);
            format!(
                "{header}.{payload}.{}",
                encode(ring::hmac::sign(&key, format!("{header}.{payload}").as_bytes()))
            )
        }),
    ] {
        assert_refused!(set.verify(&bad), IdTokenError::BadSignature, what);
    }
}

#[test]
fn every_algorithm_works_when_it_is_allowed_and_only_then() {
    use Algorithm::{Es256, Es384, Ps256, Rs256, Rs384, Rs512};
    let (p256, es256) = p256(json!({ "kid": "ES256" }), r#"{"alg":"ES256","kid":"ES256"}"#);
    let (p384, es384) = p384(json!({ "kid": "ES384" }), r#"{"alg":"ES384","kid":"ES384"}"#);
    let set = set(&[rsa_jwk(RSA_1, json!({ "kid": "k1" })), p256, p384]);
    let rsa =
        |padding, name: &str| sign_as(padding, RSA_1, &format!(r#"{{"alg":"{name}","kid":"k1"}}"#), PAYLOAD);
    let tokens = [
        (Rs256, rsa(&RSA_PKCS1_SHA256, "RS256")),
        (Rs384, rsa(&RSA_PKCS1_SHA384, "RS384")),
        (Rs512, rsa(&RSA_PKCS1_SHA512, "RS512")),
        (Ps256, rsa(&RSA_PSS_SHA256, "PS256")),
        (Es256, es256.clone()),
        (Es384, es384),
    ];
    for (of_token, token) in &tokens {
        for (allowed, _) in &tokens {
            let verified = set.verify_with(token, &[*allowed]);
            if allowed == of_token {
                assert_eq!(verified.unwrap(), PAYLOAD.as_bytes());
            } else {
                assert_refused!(
                    verified,
                    IdTokenError::AlgorithmNotAllowed,
                    format!("{of_token:?} by {allowed:?}")
                );
            }
        }
        assert_eq!(set.verify(token).is_ok(), *of_token == Rs256);
        assert_refused!(set.verify_with(token, &[]), IdTokenError::AlgorithmNotAllowed, "none allowed");
    }
    // A key of another type than the algorithm's is never tried.
    let crossed = sign_as(&RSA_PKCS1_SHA256, RSA_1, r#"{"alg":"RS256","kid":"ES256"}"#, PAYLOAD);
    assert_refused!(set.verify(&crossed), IdTokenError::UnsuitableKey, "RS256 with an EC key");
    let crossed = es256.replacen(
        &encode(r#"{"alg":"ES256","kid":"ES256"}"#),
        &encode(r#"{"alg":"ES256","kid":"ES384"}"#),
        1,
    );
    assert_refused!(
        set.verify_with(&crossed, &[Es256]),
        IdTokenError::UnsuitableKey,
        "ES256 with a P-384 key"
    );
}

#[test]
fn a_key_says_what_it_is_for() {
    for (members, expected) in [
        (json!({}), true),
        (json!({ "use": "sig" }), true),
        (json!({ "use": "enc" }), false),
        (json!({ "use": "SIG" }), false),
        (json!({ "key_ops": ["verify"] }), true),
        (json!({ "key_ops": ["sign", "verify"] }), true),
        (json!({ "key_ops": ["sign"] }), false),
        (json!({ "key_ops": ["encrypt", "wrapKey"] }), false),
        (json!({ "key_ops": [] }), false),
        (json!({ "use": "sig", "key_ops": ["encrypt"] }), false),
        (json!({ "use": "enc", "key_ops": ["verify"] }), false),
        (json!({ "alg": "RS256" }), true),
        (json!({ "alg": "RS512" }), false),
        (json!({ "alg": "PS256" }), false),
        (json!({ "alg": "RSA-OAEP" }), false),
        (json!({ "x5c": ["MIIB"], "x5t": "x", "anything": {} }), true),
    ] {
        let set = set(&[rsa_jwk(RSA_1, merged(json!({ "kid": "k1" }), members.clone()))]);
        let verified = set.verify(&sign(HEADER));
        if expected {
            assert!(verified.is_ok(), "{members}: {verified:?}");
        } else {
            assert_refused!(verified, IdTokenError::UnsuitableKey, members);
        }
    }
}

#[test]
fn the_right_key_is_chosen_by_rules() {
    let one = |members| rsa_jwk(RSA_1, members);
    let two = |members| rsa_jwk(RSA_2, members);
    let named = |kid: &str| sign(&format!(r#"{{"alg":"RS256","kid":"{kid}"}}"#));
    let nameless = sign(r#"{"alg":"RS256"}"#);

    // A name decides.
    let both = set(&[two(json!({ "kid": "k2" })), one(json!({ "kid": "k1" }))]);
    assert!(both.verify(&named("k1")).is_ok());
    assert_refused!(both.verify(&named("k2")), E::BadSignature, "the other key's name");
    assert_refused!(both.verify(&named("k3")), E::UnknownKey, "nobody's name");
    assert_refused!(both.verify(&named("")), E::UnknownKey, "an empty name");
    assert_refused!(both.verify(&named("K1")), E::UnknownKey, "names have case");
    assert_refused!(both.verify(&named("k1 ")), E::UnknownKey, "names have spaces");
    assert_refused!(both.verify(&named("../k1")), E::UnknownKey, "a name is no path");
    // Without one, all are tried, whatever their order.
    assert!(both.verify(&nameless).is_ok());
    assert!(set(&[one(json!({})), two(json!({}))]).verify(&nameless).is_ok());
    assert_refused!(set(&[two(json!({})), two(json!({}))]).verify(&nameless), E::BadSignature, "neither");
    // A key without a name is not the key of a name.
    assert_refused!(set(&[one(json!({}))]).verify(&named("k1")), E::UnknownKey, "a nameless key");
    // Two of one name: each in turn; one that is for something else is passed over.
    assert!(set(&[two(json!({ "kid": "k1" })), one(json!({ "kid": "k1" }))]).verify(&named("k1")).is_ok());
    assert!(
        set(&[one(json!({ "kid": "k1", "use": "enc" })), one(json!({ "kid": "k1" }))])
            .verify(&named("k1"))
            .is_ok()
    );
    assert_refused!(
        set(&[one(json!({ "kid": "k1", "use": "enc" })), two(json!({ "kid": "k1" }))]).verify(&named("k1")),
        E::BadSignature,
        "the right one is for encryption"
    );
    assert_refused!(set(&[]).verify(&nameless), E::UnknownKey, "no keys");
}

#[test]
fn a_set_is_read_leniently_and_its_keys_strictly() {
    for bad in [
        "[[]]",
        r#"[[{"kty":"RSA"}]]"#,
        r#"{"keys":[],"keys":[]}"#,
        "",
        "null",
        "[]",
        "{}",
        r#"{"keys":null}"#,
        r#"{"keys":{}}"#,
        r#"{"keys":[]"#,
        r#"{"keys":[]} x"#,
        "<html>",
    ] {
        assert!(KeySet::from_json(bad.as_bytes()).is_err(), "{bad}");
    }
    let good = rsa_jwk(RSA_1, json!({ "kid": "k1" }));
    let n = good["n"].as_str().unwrap().to_owned();
    let modulus = BASE64_URL_SAFE_NO_PAD.decode(&n).unwrap();
    let with = |members| merged(good.clone(), members);
    let mut even = modulus.clone();
    *even.last_mut().unwrap() &= 0xfe;
    let mut random = vec![0; 1100];
    SystemRandom::new().fill(&mut random).unwrap();
    random[0] |= 0x80;
    *random.last_mut().unwrap() |= 1;
    let weak = |bytes: usize| {
        let mut n = random[..bytes].to_vec();
        *n.last_mut().unwrap() |= 1;
        encode(n)
    };
    let mut just_below = modulus.clone();
    just_below[0] = 0x7f;
    for (what, skipped) in [
        ("null", json!(null)),
        ("a number", json!(1)),
        ("an empty object", json!({})),
        ("a list of members", json!(["RSA", "k1", null, null, null, n, "AQAB", null, null, null])),
        ("operations that are no list", with(json!({ "key_ops": "verify" }))),
        ("a secret key", json!({ "kty": "oct", "k": "AAAA", "kid": "k1" })),
        ("another type", json!({ "kty": "OKP", "crv": "Ed25519", "x": "AAAA", "kid": "k1" })),
        ("an unknown type", json!({ "kty": "XYZ", "kid": "k1" })),
        ("a type in other case", with(json!({ "kty": "rsa" }))),
        ("no type", with(json!({ "kty": null }))),
        ("no modulus", with(json!({ "n": null }))),
        ("an empty modulus", with(json!({ "n": "" }))),
        ("a modulus of zeros", with(json!({ "n": encode([0; 256]) }))),
        ("no exponent", with(json!({ "e": null }))),
        ("a modulus that is no Base64", with(json!({ "n": format!("{n}=") }))),
        ("a modulus in the other alphabet", with(json!({ "n": n.replace(['-', '_'], "+") + "+" }))),
        ("a modulus that is a number", with(json!({ "n": 17 }))),
        ("an even modulus", with(json!({ "n": encode(even) }))),
        ("512 bits", with(json!({ "n": weak(64) }))),
        ("1024 bits", with(json!({ "n": weak(128) }))),
        ("2040 bits", with(json!({ "n": weak(255) }))),
        ("2047 bits", with(json!({ "n": encode(just_below) }))),
        (
            "1024 bits behind zeros",
            with(json!({ "n": encode([vec![0; 128], random[..127].to_vec(), vec![1]].concat()) })),
        ),
        ("more than 8192 bits", with(json!({ "n": weak(1025) }))),
        ("exponent 0", with(json!({ "e": encode([0]) }))),
        ("exponent 1", with(json!({ "e": encode([1]) }))),
        ("exponent 1 behind a zero", with(json!({ "e": encode([0, 1]) }))),
        ("an even exponent", with(json!({ "e": encode([1, 0, 0]) }))),
        ("an exponent beyond 33 bits", with(json!({ "e": encode([2, 0, 0, 0, 1]) }))),
        ("an exponent of 2^32 times 2^32", with(json!({ "e": encode([1, 0, 0, 0, 0, 0, 0, 0, 1]) }))),
        (
            "a point of the wrong size",
            json!({ "kty": "EC", "crv": "P-256", "x": encode([1; 31]), "y": encode([1; 32]), "kid": "k1" }),
        ),
        (
            "an unknown curve",
            json!({ "kty": "EC", "crv": "secp256k1", "x": encode([1; 32]), "y": encode([1; 32]), "kid": "k1" }),
        ),
    ] {
        let alone = set(std::slice::from_ref(&skipped));
        assert!(alone.is_empty(), "{what}");
        let verified = alone.verify(&sign(HEADER));
        assert!(
            matches!(verified, Err(IdTokenError::UnknownKey | IdTokenError::UnsuitableKey)),
            "{what}: {verified:?}"
        );
        assert_eq!(alone.len(), 0, "{what}");
        // It does not stand in the way of the good one.
        for keys in [[skipped.clone(), good.clone()], [good.clone(), skipped.clone()]] {
            let set = set(&keys);
            assert_eq!(set.len(), 1, "{what}");
            assert!(set.verify(&sign(HEADER)).is_ok(), "{what}");
        }
    }
    // An escape in a member says the same as the character.
    let escaped = format!(r#"{{"keys":[{}]}}"#, good.to_string().replace("\"RSA\"", r#""R\u0053A""#));
    assert!(KeySet::from_json(escaped.as_bytes()).unwrap().verify(&sign(HEADER)).is_ok());
    // Leading zeros, which some libraries write, change nothing.
    let zeros = set(&[with(json!({ "n": encode([vec![0], modulus].concat()), "e": encode([0, 1, 0, 1]) }))]);
    assert!(zeros.verify(&sign(HEADER)).is_ok());
    // A member twice: either may be meant.
    let twice = format!(r#"{{"keys":[{}]}}"#, good.to_string().replacen('{', r#"{"kty":"RSA","#, 1));
    assert!(KeySet::from_json(twice.as_bytes()).unwrap().is_empty());
    // The Debug of a set tells how many, not which.
    assert_eq!(format!("{:?}", own_set()), "KeySet { keys: 1, refused: 0 }");
}

/// A point that is not on its curve is no key, as it is none to ring.
#[test]
fn points_are_on_their_curve() {
    let point = |curve: &str, x: Vec<u8>, y: Vec<u8>| {
        set(&[json!({ "kty": "EC", "crv": curve, "x": encode(x), "y": encode(y), "kid": "k1" })]).len()
    };
    for (curve, size, algorithm) in
        [("P-256", 32, &ECDSA_P256_SHA256_FIXED_SIGNING), ("P-384", 48, &ECDSA_P384_SHA384_FIXED_SIGNING)]
    {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
        let (x, y) = key.public_key().as_ref()[1..].split_at(size);
        let (x, y) = (x.to_vec(), y.to_vec());
        assert_eq!(point(curve, x.clone(), y.clone()), 1);
        for at in 0..size {
            let mut other = y.clone();
            other[at] ^= 1;
            assert_eq!(point(curve, x.clone(), other), 0, "{curve}: y changed at {at}");
        }
        for byte in [0, 1, 255] {
            assert_eq!(point(curve, vec![byte; size], vec![byte; size]), 0, "{curve}: all {byte}");
        }
        assert_eq!(point(curve, x[1..].to_vec(), y.clone()), 0, "{curve}: too short");
        assert_eq!(point(curve, y, x), 0, "{curve}: swapped");
    }
}

/// ring's own limits: odd exponents from 3 to 2^33 - 1, up to 8192 bits.
#[test]
fn rsa_keys_have_the_limits_of_ring() {
    for bytes in [256, 1024] {
        for (exponent, is_taken) in [
            (3_u64, true),
            (5, true),
            (65_537, true),
            (u64::from(u32::MAX), true),
            ((1 << 33) - 1, true),
            ((1 << 33) + 1, false),
            ((1 << 40) - 1, false),
            (0, false),
            (1, false),
            (2, false),
            (65_536, false),
        ] {
            let digits = exponent.to_be_bytes();
            let jwk = json!({ "kty": "RSA", "n": encode(vec![0xff; bytes]), "e": encode(digits) });
            assert_eq!(set(&[jwk]).len(), usize::from(is_taken), "{bytes} bytes, exponent {exponent}");
        }
    }
}

/// Of a set 64 keys are read.
#[test]
fn a_set_has_at_most_64_keys() {
    let other = |number: usize| rsa_jwk(RSA_2, json!({ "kid": format!("other-{number}") }));
    for (before, is_read) in [(63, true), (64, false), (200, false)] {
        let mut keys: Vec<Value> = (0..before).map(other).collect();
        keys.push(rsa_jwk(RSA_1, json!({ "kid": "k1" })));
        let set = set(&keys);
        assert_eq!(set.len(), 64.min(before + 1));
        assert_eq!(set.verify(&sign(HEADER)).is_ok(), is_read, "behind {before}");
    }
    // As many usual keys as there can be are tried for a token that names none.
    let mut keys: Vec<Value> = (0..63).map(other).collect();
    keys.push(rsa_jwk(RSA_1, json!({ "kid": "k1" })));
    assert!(set(&keys).verify(&sign(r#"{"alg":"RS256"}"#)).is_ok());
}

/// What the keys that are tried for one token may cost together is limited: the right one is found among so many, and not behind
/// them.
#[test]
fn a_token_is_tried_with_so_many_keys() {
    let p256 = || p256(json!({}), r#"{"alg":"ES256"}"#);
    let p384 = || p384(json!({}), r#"{"alg":"ES384"}"#);
    let small = || (rsa_jwk(RSA_1, json!({})), sign(r#"{"alg":"RS256"}"#));
    let large = || json!({ "kty": "RSA", "n": encode([0xff; 1024]), "e": "AQAB" });
    // Wrong keys, and the right one with its token: once as many as may be, once with one more.
    let other = rsa_jwk(RSA_2, json!({}));
    for (what, (right, token), fits) in [
        ("P-256", p256(), vec![p256().0; 19]),
        ("P-384", p384(), vec![p384().0; 1]),
        ("RSA", small(), [vec![large(); 4], vec![other; 11]].concat()),
    ] {
        let one_more = [fits.as_slice(), &fits[fits.len() - 1..]].concat();
        for (mut keys, is_found) in [(fits, true), (one_more, false)] {
            keys.push(right.clone());
            let all = [Algorithm::Rs256, Algorithm::Es256, Algorithm::Es384];
            match set(&keys).verify_with(&token, &all) {
                Ok(payload) => assert!(is_found && payload == PAYLOAD.as_bytes(), "{what}"),
                Err(IdTokenError::TooManyKeys) => assert!(!is_found, "{what}"),
                Err(other) => panic!("{what}: {other}"),
            }
        }
    }
}

#[test]
fn a_token_has_a_largest_size() {
    let set = own_set();
    let large = |size: usize| {
        let filled =
            |filling: usize| sign(&format!(r#"{{"alg":"RS256","kid":"k1","x":"{}"}}"#, "x".repeat(filling)));
        let filling = (size - filled(0).len()) / 4 * 3;
        (filling.saturating_sub(8)..filling + 8).map(filled).find(|token| token.len() >= size).unwrap()
    };
    let token = large(64 << 10);
    assert_eq!(token.len(), 64 << 10);
    assert!(set.verify(&token).is_ok());
    let larger = large((64 << 10) + 1);
    assert!(larger.len() < (64 << 10) + 8);
    assert_refused!(set.verify(&larger), E::TooLarge, "a larger one");
    // It is not looked at: this one is nothing at all.
    assert_refused!(set.verify(&"x".repeat((64 << 10) + 1)), E::TooLarge, "nonsense");
    // Nor is one with a member more than there can be.
    for (members, is_read) in [(128, true), (129, false)] {
        let more: Vec<_> = (2..members).map(|number| format!(r#","{number}":0"#)).collect();
        let more = more.concat();
        let token = sign(&format!(r#"{{"alg":"RS256","kid":"k1"{more}}}"#));
        assert_eq!(set.verify(&token).is_ok(), is_read, "{members}");
    }
}

#[test]
fn no_error_quotes_the_token() {
    let set = own_set();
    for header in ["", r#"{"alg":"canary"}"#, r#"{"alg":"RS256","kid":"canary"}"#, r#"{"alg":"canary"#] {
        let error = set.verify(&sign(header)).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    }
}

// A second implementation beside.

/// What jsonwebtoken says of a token, with nothing but the signature checked.
fn peer(token: &str) -> Option<Value> {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
    let jwk = rsa_jwk(RSA_1, json!({}));
    let key =
        DecodingKey::from_rsa_components(jwk["n"].as_str().unwrap(), jwk["e"].as_str().unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    decode::<Value>(token, &key, &validation).ok().map(|data| data.claims)
}

fn own(set: &KeySet, token: &str) -> Option<Value> {
    serde_json::from_slice(&set.verify(token).ok()?).ok()
}

/// Thousands of mutated tokens: two implementations accept the same ones, which are those that say the same as before.
#[test]
fn two_implementations_agree_on_mutated_tokens() {
    let set = own_set();
    let token = sign(HEADER);
    let expected: Value = serde_json::from_str(PAYLOAD).unwrap();
    assert_eq!((own(&set, &token), peer(&token)), (Some(expected.clone()), Some(expected)));
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    let alphabet: Vec<char> = "ABCabc019-_+/=. \n\u{e9}{\"".chars().collect();
    let mut accepted = 0;
    for _ in 0..4000 {
        let mut mutated: Vec<char> = token.chars().collect();
        for _ in 0..=next(2) {
            let at = next(mutated.len());
            let other = alphabet[next(alphabet.len())];
            match next(5) {
                0 => mutated[at] = other,
                1 => mutated.insert(at, other),
                2 => drop(mutated.remove(at)),
                3 => mutated.truncate(at + 1),
                _ => {
                    let with = next(mutated.len());
                    mutated.swap(at, with);
                }
            }
        }
        let mutated: String = mutated.into_iter().collect();
        let (ours, theirs) = (own(&set, &mutated), peer(&mutated));
        assert_eq!(ours, theirs, "{mutated}");
        if ours.is_some() {
            assert_eq!(mutated, token, "a mutated token was accepted");
            accepted += 1;
        }
    }
    println!("4000 mutated tokens, of which {accepted} were as before");
    // Some mutations change nothing, such as a character for itself.
    assert!(accepted < 100, "{accepted}");
}

/// Rightly signed tokens with odd headers: every disagreement is written down here, with its reason.
#[test]
fn two_implementations_agree_on_headers_but_for_these() {
    let set = own_set();
    for (header, ours, theirs, reason) in [
        (r#"{"alg":"RS256","kid":"k1"}"#, true, true, ""),
        (r#"{"alg":"RS256"}"#, true, true, ""),
        (r#"{"typ":"at+jwt","alg":"RS256"}"#, true, true, ""),
        (r#"{"alg":"RS384"}"#, false, false, ""),
        (r#"{"alg":"HS256"}"#, false, false, ""),
        (r#"{"alg":"none"}"#, false, false, ""),
        (r#"{"alg":"RS256","alg":"RS256"}"#, false, false, ""),
        (r#"{"kid":"k1"}"#, false, false, ""),
        (r#"{"alg":"RS256","kid":17}"#, false, false, ""),
        (r#"{"alg":"RS256","kid":"unknown"}"#, false, true, "it is given a key; it does not choose one"),
        (r#"{"alg":"RS256","crit":["exp"],"exp":1}"#, false, true, "it does not look at crit"),
        (r#"{"alg":"RS256","cty":"JWT"}"#, false, true, "it takes a nested token's payload as claims"),
        (r#"{"alg":"RS256","b64":false}"#, false, true, "it does not look at b64 without crit"),
    ] {
        let token = sign(header);
        assert_eq!(own(&set, &token).is_some(), ours, "{header}: ours");
        assert_eq!(peer(&token).is_some(), theirs, "{header}: jsonwebtoken's ({reason})");
        assert_eq!(ours != theirs, !reason.is_empty(), "{header}: a disagreement needs a reason");
    }
}
