//! Identity tokens, most of them signed here by RS256, whose signatures are the same each time.

use base64::Engine;
use base64::prelude::{BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::{RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RsaEncoding};
use serde_json::{Value, json};
use support::CLIENT_ID;
use support::conformance::Kind;
use support::keys::{ONE, TWO};

use super::Vectors;

// Made once, by keys that nobody has any more: signatures of these algorithms differ each time.
const PS256: &str = "eyJhbGciOiJQUzI1NiIsImtpZCI6InBzIn0.eyJpc3MiOiJodHRwczovL2FjbWUuZXhhbXBsZS5jb20vYXBpL3YxL29hdXRoMiIsImF1ZCI6Im5UbzFlUkl1YjYwdlBiNTRXZUU2YW9qUHdZd0ltdGw0Iiwic3ViIjoiYWRtaW4iLCJpYXQiOjE2NDY4NzY1NzksImV4cCI6MTY0Njg4Mzc3OX0.QWABv5L-EQrymENuo9ppFi2Kxmm-M_Kl8F7TGGuZybcEX5nkYfL9iKyeN2Buz-9zZiZ3NcZZWXujc3zrchA0CZid7WsGU8qrEOPCz5WLPC8MJXncofsWcQ4I8quiKsV9NaVBkAc21d5-hoLsy2es9o0-4qb5TYmTTHnU41t8bmPvEXxnyiWj_L7f3hV1Eowb1Oo2wig62DRwWM3djewOeuD81haoQPLLJ5OP3l-_kUs9CwERRUXU9eeoGP1mYvpey6Z94DKBNizuN28LgtcD8tp7yfq4QbPKb7ZPClHibM6lOmQzrWZ0NpNw0aAVHKOQU8zCoNF87VSI-fkyYo8_rQ";
const ES256: &str = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImVzMjU2In0.eyJpc3MiOiJodHRwczovL2FjbWUuZXhhbXBsZS5jb20vYXBpL3YxL29hdXRoMiIsImF1ZCI6Im5UbzFlUkl1YjYwdlBiNTRXZUU2YW9qUHdZd0ltdGw0Iiwic3ViIjoiYWRtaW4iLCJpYXQiOjE2NDY4NzY1NzksImV4cCI6MTY0Njg4Mzc3OX0.mehqjppSQx1O4G0WitzEtx7RpTUVEUzetmULxI87kZ5LWzIi8PLAstS3e4gbOLBO8Zwal_YsBuLOqyoa2OQJBg";
const ES384: &str = "eyJhbGciOiJFUzM4NCIsImtpZCI6ImVzMzg0In0.eyJpc3MiOiJodHRwczovL2FjbWUuZXhhbXBsZS5jb20vYXBpL3YxL29hdXRoMiIsImF1ZCI6Im5UbzFlUkl1YjYwdlBiNTRXZUU2YW9qUHdZd0ltdGw0Iiwic3ViIjoiYWRtaW4iLCJpYXQiOjE2NDY4NzY1NzksImV4cCI6MTY0Njg4Mzc3OX0.zjuoPBO_weYZIch_qmgx5hjLu3Jm9bijWWgPtDJ0ORAzmSwPbgz_tmzMG_OmM6eA6MYlBi-3b0hQaBnlsjtgSnqC1iDourKsOidwD39NaLpUirqSp-Rad7pRgANkclHW";
const SMALL: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6InNtYWxsIn0.eyJpc3MiOiJodHRwczovL2FjbWUuZXhhbXBsZS5jb20vYXBpL3YxL29hdXRoMiIsImF1ZCI6Im5UbzFlUkl1YjYwdlBiNTRXZUU2YW9qUHdZd0ltdGw0Iiwic3ViIjoiYWRtaW4iLCJpYXQiOjE2NDY4NzY1NzksImV4cCI6MTY0Njg4Mzc3OX0.ILdo2DQSaf4U_6tBaQtxgeCfHc0OIMWxgsmYFiNsr2fnoqsSvrujb0TbUPYLiQVeEm5P_TacrJPEXJRndtejU_WJT8E_EzE9bvhr-mqfQQgiVp3yiSBz8aX-PrGTzK1yBEPQipQPQnPdgsRUrEAoTjtBse5LlF2fTt5UjmXLo3U";
/// Signed by PS256 with salts of another length than the hash's: none, and the longest.
const SALTS: [(&str, &str); 2] = [
    (
        "no-salt",
        "eyJhbGciOiJQUzI1NiIsImtpZCI6InNhbHQifQ.eyJpc3MiOiJodHRwczovL2FjbWUuZXhhbXBsZS5jb20vYXBpL3YxL29hdXRoMiIsImF1ZCI6Im5UbzFlUkl1YjYwdlBiNTRXZUU2YW9qUHdZd0ltdGw0Iiwic3ViIjoiYWRtaW4iLCJpYXQiOjE2NDY4NzY1NzksImV4cCI6MTY0Njg4Mzc3OX0.ITFHOCOcBtvLANFY4iRShnRatTvl4FJhIvvs7P-ZAxGM5Uq4YlSCpa9vw7DxZh2prRQRTNAbCtny5gXiz2I3Z35qCTe7c0CMyS_aG2C66whC6d_Z1Ftj21vrQi2o9ut2qDa8qE0b8Q5bARAU4fEAyv2ZYV0NqzSFcsRe9tcKcDsgCOZtIZ7YMf3ZckQ-QOnTE_iGCnjvTly1bCbXIjjRSsqWlMm1LUfgUo-lvlJwkraTGv_rt_KbW_Je8IgvBAHA2BEhcedmO6dBShpDX8S4sk0XmkMJqJwdmRfM3uwJnWP7LPFM6IUqYKyQZswb3pvBZWEeJLKAs7uA4m9gW8JheQ",
    ),
    (
        "longest-salt",
        "eyJhbGciOiJQUzI1NiIsImtpZCI6InNhbHQifQ.eyJpc3MiOiJodHRwczovL2FjbWUuZXhhbXBsZS5jb20vYXBpL3YxL29hdXRoMiIsImF1ZCI6Im5UbzFlUkl1YjYwdlBiNTRXZUU2YW9qUHdZd0ltdGw0Iiwic3ViIjoiYWRtaW4iLCJpYXQiOjE2NDY4NzY1NzksImV4cCI6MTY0Njg4Mzc3OX0.CDsNbj0BpNT7981Oz45BGm4_awooBjwZmFa7GbYY3IriEOqV3UMY-Fro_cmpp2oZ_k0r3u_cWwDlbJIxsXKHSBqucdLSNG6Ub3mFoCGSl1H1O3e19x55iJUfvfA5qjsHP0Y6Ufb1TcDvETaWJomtlyHw2mylu7WJKdWOA6WMR3tecrBFZx7Lc1wC1SbSEch9vTqRZsNQfVCW58ipeFzkHq18xdrdkfgGSU5C6OHv8p5RpsKgDUED3gVnwo9XxNslxuya5uZ30ZylF15wy7_HRkroN1-Kwhq4OTcFTrktiRh_lb1iFahC3naQ8qeJhmq5oxdfBi1QDKCU8jsqa6tpQg",
    ),
];
const SALT_MODULUS: &str = "q0c9Y7KRBmLl9pNGUIYLmkQwUXmWZz5kCVQ2QCL-a-4uX5foblrF5ALHRY26T-gqJ4esu_gPMlEVUXtk8Lbaa8dlqQPIJNkp_EasBlaj1o-7jAFvNRmt8_FzB6V1rxX5X6wrO_YecESNQilxczXNEN9Qj9SuPEiXbSWULn-2mqMTr5p7ur0GCF-Qxth7vdOYzdqYsqxCm3NFxAtWPGMFxoMwFObH8DRna0Rjp8gMKdPAhFawVQkeukaaFOv1kBqrwLJbo7EIz6BLbntwp2TH4mbDDWDw8GsofnvBtSPWgNzzo-AMcET9AxpLnZuwXNtwxe6zd3dL3sCWr8UyBN2i6w";
const OTHER_KEYS: &str = r#"[{"kty":"RSA","kid":"ps","n":"umcwIYesjZQXvTaehewKMiwD3a8OVRV44yNYlUztRJr7XwIyNIOX_mnk5PtP4kgHGytgeNqeGxOQyuN0HwhsJpAnrm3eQ51Q4jUpX9s_knvLan39-vdEHZQHE8DMFGm5eMsQZfpAK36SglCFQnKC0WD7xlzYfCU_gn9ZtIaFGJdu5mHOpSigS1iN-4jGrUpcBMi3ZDEWwg8sCTiiEkpYSD9eGJo-ehLG0B35oZEh95WTZUy8nF_Gcsvj9O7t5IjVH0QE033XSHwA0fe0AVmdoYjlBNwSeCUPnCCX3pbCrqNmWBeyb8mKA8dIR7kKFxApZrFLSR4GvUFReqBfXYBwJQ","e":"AQAB"},{"kty":"EC","kid":"es256","crv":"P-256","x":"R7aU-QbAuDz_0IiBhXimq2qGCOQqjBZW-lHE2zuvdSs","y":"AkAKMbzPomU_ncmYSBdwohqon0bxtUwycASx365deJE"},{"kty":"EC","kid":"es384","crv":"P-384","x":"uOOwYENC_a6YENXca-62AAD22HECq0oFrYDxqAswBkAfAiZMksxQ28AR--ssH0R-","y":"xA5nW1_aZ0z9AczgGC96IQL-x6xI7XYlMCsqRSG2Xwu-ZN8tM2RXNkFraESUhpPK"},{"kty":"RSA","kid":"small","n":"yY82uO_ZZtrwtldrwg9zF_4Twff-iSED1Nc53VGINdW9-f8txhTwVZ1ftBHVM-pM7Pxkd6NaEG2jPbaWejdcKPqQpYnKnzJ7GM6z_5ywbkEwDD1Po3EAmWAexmgYWd-0YuIuiM77rMx4rvSQSuRM-XQ6Dsex20h3MjLucHY5PG0","e":"AQAB"}]"#;

const NOW: u64 = 1_646_876_579;
const ISSUER: &str = "https://acme.example.com/api/v1/oauth2";
const HEADER: &str = r#"{"alg":"RS256","kid":"k1"}"#;

pub(super) fn vectors() -> Vectors {
    let mut vectors = Vectors::new(
        Kind::IdTokens,
        "What a verifier makes of an identity token: token, key set, time, issuer and client id give the claims or the kind of error. \
         Members that a vector has stand in the place of those in defaults.",
    );
    vectors.file["defaults"] = json!({
        "now": NOW.to_string(),
        "issuer": ISSUER,
        "client_id": CLIENT_ID,
        "leeway": 60,
        "more_algorithms": [],
        "trusted_audiences": [],
    });
    vectors.file.as_object_mut().unwrap().remove("signing");
    vectors.file["key_sets"] = key_sets();
    claims(&mut vectors);
    headers(&mut vectors);
    forms(&mut vectors);
    keys(&mut vectors);
    algorithms(&mut vectors);
    order(&mut vectors);
    sets(&mut vectors);
    vectors
}

impl Vectors {
    fn token(&mut self, id: &str, token: &str, more: &Value) -> &Value {
        let mut vector = json!({ "token": token, "key_set": "one" });
        for (name, value) in more.as_object().into_iter().flatten() {
            vector[name] = value.clone();
        }
        if vector.get("key_set_text").is_some() {
            vector.as_object_mut().unwrap().remove("key_set");
        }
        self.add(id, vector)
    }
}

fn jwk(key: &[u8], members: Value) -> Value {
    let key = KeyPair::from_pkcs8(key).unwrap();
    let public: ring::rsa::PublicKeyComponents<Vec<u8>> = key.public().into();
    let mut jwk = json!({ "kty": "RSA", "n": BASE64_URL_SAFE_NO_PAD.encode(public.n), "e": BASE64_URL_SAFE_NO_PAD.encode(public.e) });
    let Value::Object(members) = members else { panic!("members") };
    jwk.as_object_mut().unwrap().extend(members);
    jwk
}

fn without(mut jwk: Value, member: &str) -> Value {
    jwk.as_object_mut().unwrap().remove(member);
    jwk
}

fn padded(key: &[u8]) -> Value {
    let mut padded = jwk(key, json!({ "kid": "k1" }));
    let modulus = BASE64_URL_SAFE_NO_PAD.decode(padded["n"].as_str().unwrap()).unwrap();
    padded["n"] = BASE64_URL_SAFE_NO_PAD.encode([vec![0], modulus].concat()).into();
    padded
}

/// The sets, by their names.
fn key_sets() -> Value {
    let set = |keys: Vec<Value>| json!({ "keys": keys });
    let one = |members: Value| set(vec![jwk(ONE, members)]);
    let others: Vec<Value> = serde_json::from_str(OTHER_KEYS).unwrap();
    let other = |name: &str| others.iter().find(|key| key["kid"] == name).unwrap().clone();
    let many = |number: usize| (0..number).map(|_| jwk(TWO, json!({}))).collect::<Vec<_>>();
    let mut late = many(64);
    late.push(jwk(ONE, json!({ "kid": "k1" })));
    let mut last = many(63);
    last.push(jwk(ONE, json!({ "kid": "k1" })));
    json!({
        "one": one(json!({ "kid": "k1", "use": "sig", "alg": "RS256" })),
        "bare": one(json!({})),
        "two": set(vec![jwk(TWO, json!({ "kid": "k2" })), jwk(ONE, json!({ "kid": "k1" }))]),
        "two-of-one-name": set(vec![jwk(TWO, json!({ "kid": "k1" })), jwk(ONE, json!({ "kid": "k1" }))]),
        "two-without-names": set(vec![jwk(TWO, json!({})), jwk(ONE, json!({}))]),
        "another": set(vec![jwk(TWO, json!({ "kid": "k1" }))]),
        "empty": set(vec![]),
        "for-encryption": one(json!({ "kid": "k1", "use": "enc" })),
        "for-signing-alone": one(json!({ "kid": "k1", "key_ops": ["sign"] })),
        "for-verifying": one(json!({ "kid": "k1", "key_ops": ["verify", 17] })),
        "no-operations": one(json!({ "kid": "k1", "key_ops": [] })),
        "operations-of-another-type": one(json!({ "kid": "k1", "key_ops": "verify" })),
        "for-rs384": one(json!({ "kid": "k1", "alg": "RS384" })),
        "for-an-unknown-algorithm": one(json!({ "kid": "k1", "alg": "RS1" })),
        "null-members": one(json!({ "kid": "k1", "use": null, "alg": null, "key_ops": null, "x": null })),
        "null-name": one(json!({ "kid": null })),
        "name-of-another-type": one(json!({ "kid": 1 })),
        "unknown-members": one(json!({ "kid": "k1", "x5c": ["!"], "other": { "a": 1 } })),
        "leading-zero": set(vec![padded(ONE)]),
        "unknown-type": set(vec![json!({ "kty": "oct", "kid": "k1", "k": "AA" })]),
        "no-type": set(vec![without(jwk(ONE, json!({ "kid": "k1" })), "kty")]),
        "no-modulus": set(vec![without(jwk(ONE, json!({ "kid": "k1" })), "n")]),
        "exponent-1": one(json!({ "kid": "k1", "e": "AQ" })),
        "even-exponent": one(json!({ "kid": "k1", "e": "BA" })),
        "off-the-curve": set(vec![json!({
            "kty": "EC", "kid": "es256", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1",
        })]),
        "not-keys": set(vec![json!(17), json!("x"), json!(null), jwk(ONE, json!({ "kid": "k1" }))]),
        "64-before": json!({ "keys": late }),
        "63-before": json!({ "keys": last }),
        "others": json!({ "keys": serde_json::from_str::<Value>(OTHER_KEYS).unwrap() }),
        "p-256-20": set(vec![other("es256"); 20]),
        "p-256-21": set(vec![other("es256"); 21]),
        "p-384-2": set(vec![other("es384"); 2]),
        "p-384-3": set(vec![other("es384"); 3]),
        "pss": set(vec![json!({ "kty": "RSA", "kid": "salt", "n": SALT_MODULUS, "e": "AQAB" })]),
        "expensive": set((0..20).map(|_| json!({ "kty": "RSA", "e": "AQAB", "n": BASE64_URL_SAFE_NO_PAD.encode([0xff; 512]) })).collect()),
    })
}

fn sign_with(padding: &'static dyn RsaEncoding, key: &[u8], header: &str, payload: &str) -> String {
    let signed =
        format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(header), BASE64_URL_SAFE_NO_PAD.encode(payload));
    let key = KeyPair::from_pkcs8(key).unwrap();
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(padding, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

fn signed(header: &str, payload: &str) -> String {
    sign_with(&RSA_PKCS1_SHA256, ONE, header, payload)
}

/// Good claims, in which some are changed; `ABSENT` takes one away.
fn payload(change: &Value) -> String {
    let mut claims = json!({
        "iss": ISSUER, "aud": CLIENT_ID, "sub": "admin", "iat": NOW, "exp": NOW + 7200, "nbf": NOW - 120, "jti": "gPX1bNbjOy2",
        "id": "20220310", "userName": "admin", "name": "Li Lei", "mobile": "+86-15201657312", "email": "l@example.com",
    });
    for (name, value) in change.as_object().into_iter().flatten() {
        claims[name] = value.clone();
        if value == "ABSENT" {
            claims.as_object_mut().unwrap().remove(name);
        }
    }
    claims.to_string()
}

fn good() -> String {
    payload(&json!({}))
}

/// Lists in lists.
fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

/// A text for the claim `api` that as JSON has so many bytes.
fn api_of(bytes: usize) -> String {
    let text = |padding: usize| format!(r#"{{"id":"1","x":"{}"}}"#, "x".repeat(padding));
    text(bytes - Value::from(text(0)).to_string().len())
}

#[allow(clippy::too_many_lines, reason = "it is a table")]
fn claims(vectors: &mut Vectors) {
    let api = r#"{"name":"","mobile":"+86-13800138000","id":"2022","userName":"louxi","email":"11@qq.com"}"#;
    let mut audience = vec!["x"; 64];
    audience[0] = CLIENT_ID;
    let mut larger = audience.clone();
    larger.push("x");
    for (id, change) in [
        ("good", json!({})),
        ("iss/absent", json!({ "iss": "ABSENT" })),
        ("iss/null", json!({ "iss": null })),
        ("iss/empty", json!({ "iss": "" })),
        ("iss/slash-at-the-end", json!({ "iss": format!("{ISSUER}/") })),
        ("iss/capitals", json!({ "iss": "HTTPS://acme.example.com/api/v1/oauth2" })),
        ("iss/another", json!({ "iss": "https://evil.example/api/v1/oauth2" })),
        ("iss/list", json!({ "iss": [ISSUER] })),
        ("aud/absent", json!({ "aud": "ABSENT" })),
        ("aud/null", json!({ "aud": null })),
        ("aud/empty-list", json!({ "aud": [] })),
        ("aud/empty", json!({ "aud": "" })),
        ("aud/list", json!({ "aud": [CLIENT_ID] })),
        ("aud/another", json!({ "aud": "another" })),
        ("aud/space", json!({ "aud": format!("{CLIENT_ID} ") })),
        ("aud/one-more", json!({ "aud": [CLIENT_ID, "another"], "azp": CLIENT_ID })),
        ("aud/twice-the-same", json!({ "aud": [CLIENT_ID, CLIENT_ID], "azp": CLIENT_ID })),
        ("aud/twice-without-azp", json!({ "aud": [CLIENT_ID, CLIENT_ID] })),
        ("aud/number", json!({ "aud": 17 })),
        ("aud/list-of-numbers", json!({ "aud": [17] })),
        ("aud/list-with-null", json!({ "aud": [CLIENT_ID, null] })),
        ("aud/65", json!({ "aud": larger })),
        ("aud/64", json!({ "aud": audience })),
        ("azp/same", json!({ "azp": CLIENT_ID })),
        ("azp/another", json!({ "azp": "another" })),
        ("azp/null", json!({ "azp": null })),
        ("azp/number", json!({ "azp": 1 })),
        ("exp/absent", json!({ "exp": "ABSENT" })),
        ("exp/null", json!({ "exp": null })),
        ("exp/leeway-over", json!({ "exp": NOW - 60 })),
        ("exp/within-leeway", json!({ "exp": NOW - 59 })),
        ("exp/half-a-second-within", json!({ "exp": 1_646_876_519.5 })),
        ("exp/zero", json!({ "exp": 0 })),
        ("exp/negative", json!({ "exp": -1 })),
        ("exp/text", json!({ "exp": "1646883779" })),
        ("exp/true", json!({ "exp": true })),
        ("iat/absent", json!({ "iat": "ABSENT" })),
        ("iat/within-leeway", json!({ "iat": NOW + 60 })),
        ("iat/beyond-leeway", json!({ "iat": NOW + 61 })),
        ("iat/zero", json!({ "iat": 0 })),
        ("nbf/absent", json!({ "nbf": "ABSENT" })),
        ("nbf/negative", json!({ "nbf": -1 })),
        ("nbf/negative-fraction", json!({ "nbf": -0.25 })),
        ("nbf/minus-zero", json!({ "nbf": -0.0 })),
        ("nbf/null", json!({ "nbf": null })),
        ("nbf/within-leeway", json!({ "nbf": NOW + 60 })),
        ("nbf/beyond-leeway", json!({ "nbf": NOW + 61 })),
        ("nbf/list", json!({ "nbf": [] })),
        ("sub/absent", json!({ "sub": "ABSENT" })),
        ("sub/null", json!({ "sub": null })),
        ("sub/empty", json!({ "sub": "" })),
        ("sub/number", json!({ "sub": 17 })),
        ("jti/null", json!({ "jti": null })),
        ("jti/number", json!({ "jti": 1 })),
        ("id/number", json!({ "id": 1 })),
        ("id/empty", json!({ "id": "" })),
        ("name/null", json!({ "name": null })),
        ("email/list", json!({ "email": ["l@example.com"] })),
        ("extra", json!({ "role": ["a", 1], "api": { "x": null } })),
        (
            "api/nested",
            json!({ "id": "ABSENT", "userName": null, "name": "ABSENT", "mobile": "", "email": "ABSENT", "api": api }),
        ),
        ("api/flat-counts", json!({ "api": api })),
        ("api/not-json", json!({ "id": "ABSENT", "api": "not json" })),
        ("api/member-twice", json!({ "id": "ABSENT", "api": r#"{"id":"1","id":"2"}"# })),
        ("api/another-type-inside", json!({ "id": "ABSENT", "api": r#"{"id":17,"email":"x"}"# })),
        ("api/object", json!({ "id": "ABSENT", "api": { "id": "1" } })),
        ("api/null", json!({ "id": "ABSENT", "api": null })),
        ("api/longest", json!({ "id": "ABSENT", "api": api_of(8 << 10) })),
        ("api/longer", json!({ "id": "ABSENT", "api": api_of((8 << 10) + 1) })),
        ("api/huge-number-inside", json!({ "id": "ABSENT", "api": r#"{"id":"1","x":1e999}"# })),
        ("api/lone-surrogate-inside", json!({ "id": "ABSENT", "api": r#"{"id":"1","x":"\ud800"}"# })),
        ("api/lone-surrogate-in-a-name", json!({ "id": "ABSENT", "api": r#"{"id":"1","\ud800":1}"# })),
        (
            "api/large",
            json!({ "id": "ABSENT", "api": format!(r#"{{"id":"1","x":"{}"}}"#, "x".repeat(8 << 10)) }),
        ),
    ] {
        vectors.token(&format!("claims/{id}"), &signed(HEADER, &payload(&change)), &json!({}));
    }
    let good = good();
    let members: String = (0..129).map(|number| format!(r#""m{number}":1,"#)).collect::<Vec<_>>().concat();
    // Whatever can be read of it, it fails at the end: a parser of the vectors need not nest so deeply.
    let nobody = payload(&json!({ "sub": "" }));
    for (id, payload) in [
        ("empty", String::new()),
        ("null", "null".to_owned()),
        ("list", "[]".to_owned()),
        ("text", "\"x\"".to_owned()),
        ("cut", "{".to_owned()),
        ("twice", good.replacen('{', r#"{"exp":99999999999,"#, 1)),
        ("twice-and-null", good.replacen('{', r#"{"azp":null,"azp":null,"#, 1)),
        ("unknown-twice", good.replacen('{', r#"{"role":"user","role":"admin","#, 1)),
        ("twice-by-an-escape", good.replacen('{', r#"{"\u0073ub":"root","#, 1)),
        ("inside-twice", good.replacen('{', r#"{"x":{"a":1,"a":2},"#, 1)),
        ("white-space-around", format!(" {good}\n")),
        ("more-behind", format!("{good}x")),
        ("members-129", good.replacen('{', &format!("{{{members}"), 1)),
        ("lone-surrogate", good.replacen('{', r#"{"x":"\ud800","#, 1)),
        ("exponent", good.replace("1646883779", "1.646883779e9")),
        ("huge-number", good.replacen('{', r#"{"x":1e999,"#, 1)),
        ("huge-exp", good.replace("1646883779", "1e999")),
        ("deep", good.replacen('{', &format!(r#"{{"x":{}{},"#, "[".repeat(100), "]".repeat(100)), 1)),
        ("levels-127", nobody.replacen('{', &format!(r#"{{"x":{},"#, nested(126)), 1)),
        ("levels-128", nobody.replacen('{', &format!(r#"{{"x":{},"#, nested(127)), 1)),
        ("levels-127-in-api", nobody.replacen('{', &format!(r#"{{"api":{},"#, nested(126)), 1)),
        ("levels-129-in-api", nobody.replacen('{', &format!(r#"{{"api":{},"#, nested(128)), 1)),
        ("lone-surrogate-in-a-name", good.replacen('{', r#"{"\ud800":1,"#, 1)),
        ("too-deep", good.replacen('{', &format!(r#"{{"x":{}{},"#, "[".repeat(200), "]".repeat(200)), 1)),
    ] {
        vectors.token(&format!("payload/{id}"), &signed(HEADER, &payload), &json!({}));
    }
    let change = |change: Value| signed(HEADER, &payload(&change));
    let elsewhere = change(json!({ "iss": "Issuer" }));
    vectors.token("settings/issuer/another", &elsewhere, &json!({ "issuer": "Issuer" }));
    vectors.token("settings/issuer/any", &elsewhere, &json!({ "issuer": null }));
    let nobody = change(json!({ "iss": "ABSENT" }));
    vectors.token("settings/issuer/any-but-absent", &nobody, &json!({ "issuer": null }));
    let shared = change(json!({ "aud": [CLIENT_ID, "console"], "azp": CLIENT_ID }));
    vectors.token("settings/trusted-audience", &shared, &json!({ "trusted_audiences": ["console"] }));
    let only_other = change(json!({ "aud": "console" }));
    vectors.token(
        "settings/trusted-audience-alone",
        &only_other,
        &json!({ "trusted_audiences": ["console"] }),
    );
    vectors.token("settings/client-id", &shared, &json!({ "client_id": "console" }));
    let old = change(json!({ "exp": NOW - 100 }));
    vectors.token("settings/leeway", &old, &json!({ "leeway": 101 }));
    let good = change(json!({}));
    vectors.token("settings/no-leeway", &good, &json!({ "leeway": 0, "now": (NOW + 7200).to_string() }));
    vectors.token("settings/last-moment", &good, &json!({ "leeway": 0, "now": format!("{}.5", NOW + 7199) }));
}

fn headers(vectors: &mut Vectors) {
    let members: String = (0..128).map(|number| format!(r#","m{number}":1"#)).collect::<Vec<_>>().concat();
    for (id, header) in [
        ("no-kid", r#"{"alg":"RS256"}"#),
        ("kid/another", r#"{"alg":"RS256","kid":"k2"}"#),
        ("kid/null", r#"{"alg":"RS256","kid":null}"#),
        ("kid/number", r#"{"alg":"RS256","kid":1}"#),
        ("kid/empty", r#"{"alg":"RS256","kid":""}"#),
        ("kid/capitals", r#"{"alg":"RS256","kid":"K1"}"#),
        ("alg/absent", r#"{"kid":"k1"}"#),
        ("alg/null", r#"{"alg":null,"kid":"k1"}"#),
        ("alg/none", r#"{"alg":"none"}"#),
        ("alg/mac", r#"{"alg":"HS256","kid":"k1"}"#),
        ("alg/lower-case", r#"{"alg":"rs256","kid":"k1"}"#),
        ("alg/escaped", r#"{"alg":"RS\u003256","kid":"k1"}"#),
        ("alg/twice", r#"{"alg":"RS256","alg":"RS256","kid":"k1"}"#),
        ("typ/jwt", r#"{"typ":"JWT","alg":"RS256","kid":"k1"}"#),
        ("typ/lower-case", r#"{"typ":"jwt","alg":"RS256","kid":"k1"}"#),
        ("typ/long", r#"{"typ":"Application/JWT","alg":"RS256","kid":"k1"}"#),
        ("typ/access-token", r#"{"typ":"at+jwt","alg":"RS256","kid":"k1"}"#),
        ("typ/logout", r#"{"typ":"logout+jwt","alg":"RS256","kid":"k1"}"#),
        ("typ/empty", r#"{"typ":"","alg":"RS256","kid":"k1"}"#),
        ("typ/null", r#"{"typ":null,"alg":"RS256","kid":"k1"}"#),
        ("typ/number", r#"{"typ":1,"alg":"RS256","kid":"k1"}"#),
        ("cty/jwt", r#"{"cty":"JWT","alg":"RS256","kid":"k1"}"#),
        ("cty/long", r#"{"cty":"application/jwt","alg":"RS256","kid":"k1"}"#),
        ("cty/json", r#"{"cty":"json","alg":"RS256","kid":"k1"}"#),
        ("cty/null", r#"{"cty":null,"alg":"RS256","kid":"k1"}"#),
        ("b64/true", r#"{"b64":true,"alg":"RS256","kid":"k1"}"#),
        ("b64/false", r#"{"b64":false,"alg":"RS256","kid":"k1"}"#),
        ("b64/null", r#"{"b64":null,"alg":"RS256","kid":"k1"}"#),
        ("b64/text", r#"{"b64":"false","alg":"RS256","kid":"k1"}"#),
        ("crit/list", r#"{"crit":["exp"],"alg":"RS256","kid":"k1"}"#),
        ("crit/empty", r#"{"crit":[],"alg":"RS256","kid":"k1"}"#),
        ("crit/null", r#"{"crit":null,"alg":"RS256","kid":"k1"}"#),
        ("crit/and-b64", r#"{"crit":["b64"],"b64":false,"alg":"RS256","kid":"k1"}"#),
        (
            "keys-inside",
            r#"{"jku":"https://evil.example","x5u":"https://evil.example","jwk":{"kty":"RSA"},"alg":"RS256","kid":"k1"}"#,
        ),
        ("unknown-twice", r#"{"x":1,"x":1,"alg":"RS256","kid":"k1"}"#),
        ("white-space", " \n{\"alg\":\"RS256\",\"kid\":\"k1\"}\t"),
        ("lone-surrogate-in-a-name", r#"{"\ud800":1,"alg":"RS256","kid":"k1"}"#),
        ("lone-surrogate", r#"{"x":"\ud800","alg":"RS256","kid":"k1"}"#),
        ("huge-number", r#"{"x":1e999,"alg":"RS256","kid":"k1"}"#),
        ("levels-127", &format!(r#"{{"x":{},"alg":"RS256","kid":"k1"}}"#, nested(126))),
        ("levels-128", &format!(r#"{{"x":{},"alg":"RS256","kid":"k1"}}"#, nested(127))),
        ("list", "[]"),
        ("empty", ""),
        ("members-130", &format!(r#"{{"alg":"RS256","kid":"k1"{members}}}"#)),
    ] {
        vectors.token(&format!("header/{id}"), &signed(header, &good()), &json!({}));
    }
}

/// The token as text.
fn forms(vectors: &mut Vectors) {
    let token = signed(HEADER, &good());
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else { panic!("three parts") };
    let padded = |text: &str| BASE64_URL_SAFE.encode(text);
    let beginning = &signature[..signature.len() - 1];
    for (id, token) in [
        ("empty", String::new()),
        ("two-parts", format!("{header}.{payload}")),
        ("four-parts", format!("{token}.x")),
        ("five-parts", format!("{token}.x.y")),
        ("no-signature", format!("{header}.{payload}.")),
        ("no-header", format!(".{payload}.{signature}")),
        ("no-payload", format!("{header}..{signature}")),
        ("space-before", format!(" {token}")),
        ("line-break-behind", format!("{token}\n")),
        ("bearer", format!("Bearer {token}")),
        ("padded-header", format!("{}.{payload}.{signature}", padded(r#"{"alg":"RS256","kid":"k1" }"#))),
        ("padded-payload", format!("{header}.{payload}=.{signature}")),
        ("padded-signature", format!("{token}==")),
        ("standard-alphabet", format!("{header}.{payload}.+{}", &signature[1..])),
        ("signature-cut", format!("{header}.{payload}.{}", &signature[..signature.len() - 4])),
        ("signature-one-character-less", format!("{header}.{payload}.{beginning}")),
        ("signature-bits-left-over", format!("{header}.{payload}.{beginning}B")),
        (
            "signature-of-another",
            format!(
                "{header}.{payload}.{}",
                sign_with(&RSA_PKCS1_SHA256, TWO, HEADER, &good()).rsplit('.').next().unwrap()
            ),
        ),
        (
            "payload-changed",
            format!(
                "{header}.{}.{signature}",
                BASE64_URL_SAFE_NO_PAD.encode(self::payload(&json!({ "sub": "root" })))
            ),
        ),
        (
            "header-changed",
            format!(
                "{}.{payload}.{signature}",
                BASE64_URL_SAFE_NO_PAD.encode(r#"{"kid":"k1","alg":"RS256"}"#)
            ),
        ),
        ("payload-not-text", sign_bytes(&[b"{\"x\":\"\xff\",", &good().as_bytes()[1..]].concat())),
        ("too-large", format!("{}.{payload}.{signature}", "A".repeat(64 << 10))),
    ] {
        vectors.token(&format!("form/{id}"), &token, &json!({}));
    }
}

fn sign_bytes(payload: &[u8]) -> String {
    let signed =
        format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(HEADER), BASE64_URL_SAFE_NO_PAD.encode(payload));
    let key = KeyPair::from_pkcs8(ONE).unwrap();
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// Which key verifies.
fn keys(vectors: &mut Vectors) {
    let (named, unnamed) = (signed(HEADER, &good()), signed(r#"{"alg":"RS256"}"#, &good()));
    let sets: Vec<String> = vectors.file["key_sets"].as_object().unwrap().keys().cloned().collect();
    let is_for_rs256 =
        |name: &&String| !name.starts_with("p-") && !["expensive", "others", "pss"].contains(&name.as_str());
    for name in sets.iter().filter(is_for_rs256) {
        vectors.token(&format!("keys/{name}/named"), &named, &json!({ "key_set": name }));
        if !name.starts_with('6') {
            vectors.token(&format!("keys/{name}/unnamed"), &unnamed, &json!({ "key_set": name }));
        }
    }
    vectors.token("keys/expensive", &unnamed, &json!({ "key_set": "expensive" }));
    // What the tries cost: the last one that is within the limit, and one that is not.
    for (name, token, sets) in
        [("ES256", ES256, ["p-256-20", "p-256-21"]), ("ES384", ES384, ["p-384-2", "p-384-3"])]
    {
        let changed = format!("{}{}", &token[..token.len() - 4], "AAAA");
        for set in sets {
            let allowed = json!({ "key_set": set, "more_algorithms": [name] });
            vectors.token(&format!("keys/{set}/cost"), &changed, &allowed);
        }
    }
    for (id, token) in SALTS {
        let allowed = json!({ "key_set": "pss", "more_algorithms": ["PS256"] });
        vectors.token(&format!("algorithm/PS256/{id}"), token, &allowed);
    }
    vectors.token("keys/small", SMALL, &json!({ "key_set": "others" }));
}

fn algorithms(vectors: &mut Vectors) {
    let others = json!({ "key_set": "others" });
    let all = ["RS384", "RS512", "PS256", "ES256", "ES384"];
    for (name, token) in [("PS256", PS256), ("ES256", ES256), ("ES384", ES384)] {
        vectors.token(&format!("algorithm/{name}/not-allowed"), token, &others);
        let allowed = json!({ "key_set": "others", "more_algorithms": [name] });
        vectors.token(&format!("algorithm/{name}/allowed"), token, &allowed);
        let changed = format!("{}A", &token[..token.len() - 1]);
        vectors.token(&format!("algorithm/{name}/changed"), &changed, &allowed);
    }
    for (name, padding) in [("RS384", &RSA_PKCS1_SHA384), ("RS512", &RSA_PKCS1_SHA512)] {
        let token = sign_with(padding, ONE, &format!(r#"{{"alg":"{name}","kid":"k1"}}"#), &good());
        vectors.token(&format!("algorithm/{name}/not-allowed"), &token, &json!({}));
        let bare = signed_unnamed(padding, name);
        vectors.token(
            &format!("algorithm/{name}/allowed"),
            &bare,
            &json!({ "key_set": "bare", "more_algorithms": all }),
        );
        vectors.token(
            &format!("algorithm/{name}/key-for-another"),
            &token,
            &json!({ "more_algorithms": all }),
        );
    }
    let mixed = sign_with(&RSA_PKCS1_SHA256, ONE, r#"{"alg":"ES256","kid":"k1"}"#, &good());
    vectors.token("algorithm/of-another-type", &mixed, &json!({ "key_set": "bare", "more_algorithms": all }));
    let off = json!({ "key_set": "off-the-curve", "more_algorithms": all });
    vectors.token("algorithm/ES256/off-the-curve", ES256, &off);
}

fn signed_unnamed(padding: &'static dyn RsaEncoding, algorithm: &str) -> String {
    sign_with(padding, ONE, &format!(r#"{{"alg":"{algorithm}"}}"#), &good())
}

/// Two things are wrong: which is told.
fn order(vectors: &mut Vectors) {
    let wrong = json!({ "iss": "x", "aud": "x", "exp": 0, "iat": NOW + 100, "nbf": NOW + 100, "sub": "" });
    let fixed = [
        ("iss", json!({})),
        ("aud", json!({ "iss": ISSUER })),
        ("exp", json!({ "iss": ISSUER, "aud": CLIENT_ID })),
        ("iat", json!({ "iss": ISSUER, "aud": CLIENT_ID, "exp": NOW + 7200 })),
        ("nbf", json!({ "iss": ISSUER, "aud": CLIENT_ID, "exp": NOW + 7200, "iat": NOW })),
        ("sub", json!({ "iss": ISSUER, "aud": CLIENT_ID, "exp": NOW + 7200, "iat": NOW, "nbf": NOW })),
    ];
    for (id, fix) in fixed {
        let mut claims = wrong.clone();
        claims.as_object_mut().unwrap().extend(fix.as_object().unwrap().clone());
        vectors.token(&format!("order/claims/{id}"), &signed(HEADER, &payload(&claims)), &json!({}));
    }
    let several = json!({ "aud": [CLIENT_ID, "another"] });
    vectors.token("order/audience-before-azp", &signed(HEADER, &payload(&several)), &json!({}));
    let header =
        BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none","b64":false,"crit":[],"cty":"JWT","typ":"x"}"#);
    vectors.token("order/header/alg", &format!("{header}.!.!"), &json!({}));
    for (id, header) in [
        ("b64", r#"{"alg":"RS256","b64":false,"crit":[],"cty":"JWT","typ":"x"}"#),
        ("crit", r#"{"alg":"RS256","crit":[],"cty":"JWT","typ":"x"}"#),
        ("cty", r#"{"alg":"RS256","cty":"JWT","typ":"x"}"#),
        ("signature-base64", r#"{"alg":"RS256","typ":"x"}"#),
    ] {
        let header = BASE64_URL_SAFE_NO_PAD.encode(header);
        vectors.token(&format!("order/header/{id}"), &format!("{header}.!.!"), &json!({}));
    }
    let typ = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"x","kid":"k9"}"#);
    vectors.token("order/typ-before-key", &format!("{typ}.!.AAAA"), &json!({}));
    let good_header = BASE64_URL_SAFE_NO_PAD.encode(HEADER);
    vectors.token("order/signature-before-payload", &format!("{good_header}.!.AAAA"), &json!({}));
}

/// Texts that are no key set, and some that are.
fn sets(vectors: &mut Vectors) {
    let token = signed(HEADER, &good());
    for (id, text) in [
        ("empty", ""),
        ("list", "[]"),
        ("no-keys", "{}"),
        ("keys-null", r#"{"keys":null}"#),
        ("keys-object", r#"{"keys":{}}"#),
        ("keys-twice", r#"{"keys":[],"keys":[]}"#),
        ("page", "<html>"),
        ("white-space", " \n{\"keys\":[]}"),
        ("others-beside", r#"{"x":1,"x":2,"keys":[]}"#),
        ("more-behind", r#"{"keys":[]}x"#),
        ("broken-key", r#"{"keys":[{"kty":"RSA","kty":"RSA","kid":"k1"}]}"#),
        ("lone-surrogate-in-a-name-of-a-key", r#"{"keys":[{"\ud800":1,"kty":"RSA","kid":"k1"}]}"#),
        ("lone-surrogate-inside-a-key", r#"{"keys":[{"kty":"RSA","kid":"k1","x":{"a":"\ud800"}}]}"#),
        ("lone-surrogate-in-an-unknown-member", r#"{"keys":[{"kty":"RSA","kid":"k1","x5t":"\ud800"}]}"#),
        ("huge-number-in-a-key", r#"{"keys":[{"kty":"RSA","kid":"k1","x5t":1e999}]}"#),
        ("lone-surrogate-beside", r#"{"x":"\ud800","keys":[]}"#),
        ("lone-surrogate-in-a-name-beside", r#"{"\ud800":1,"keys":[]}"#),
        ("null-beside-a-value", r#"{"keys":[{"kty":"RSA","kid":null,"kid":"k1"}]}"#),
        ("levels-127", &format!(r#"{{"keys":[{{"kty":"RSA","kid":"k1","x5c":{}}}]}}"#, nested(126))),
        ("levels-128", &format!(r#"{{"keys":[{{"kty":"RSA","kid":"k1","x5c":{}}}]}}"#, nested(127))),
        ("byte-order-mark", "\u{feff}{\"keys\":[]}"),
    ] {
        vectors.token(&format!("key-set/{id}"), &token, &json!({ "key_set_text": text }));
    }
}
