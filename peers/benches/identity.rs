//! One RS256 token of a 2048-bit key, verified by this crate and by its peers, in one run.
//!
//! Each candidate is timed in many short rounds that take turns, and the fastest round of each counts: what disturbs a round
//! can only make it slower.

use std::hint::black_box;
use std::time::Instant;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use idaas_login::{IdToken, IdTokenVerifier, KeySet};
use openidconnect::core::{
    CoreGenderClaim, CoreIdTokenVerifier, CoreJsonWebKeySet, CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
};
use openidconnect::{ClientId, EmptyAdditionalClaims, IdToken as PeerToken, IssuerUrl, Nonce};
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaPublicKeyComponents};
use serde_json::{Value, json};

const ISSUER: &str = "https://acme.example.com/api/v1/oauth2";
const CLIENT_ID: &str = "nTo1eRIub60vPb54WeE6aojPwYwImtl4";
const ROUNDS: usize = 60;
const CALLS: u32 = 200;

fn main() {
    let key = KeyPair::from_pkcs8(include_bytes!("../../src/emulator/keys/1.pk8")).unwrap();
    let public: ring::rsa::PublicKeyComponents<Vec<u8>> = key.public().into();
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({
        "iss": ISSUER, "aud": CLIENT_ID, "sub": "admin", "iat": now, "exp": now + 7200, "nbf": now - 120,
        "jti": "gPX1bNbjOy2", "id": "20220310", "userName": "admin", "name": "Li Lei", "mobile": "+86-15201657312",
        "email": "l@example.com",
    });
    let header = encode(br#"{"kid":"k1","alg":"RS256"}"#);
    let signed = format!("{header}.{}", encode(claims.to_string().as_bytes()));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
    let token = format!("{signed}.{}", encode(&signature));
    let (n, e) = (encode(&public.n), encode(&public.e));
    let jwks =
        json!({ "keys": [{ "kty": "RSA", "kid": "k1", "use": "sig", "alg": "RS256", "n": n, "e": e }] });

    // Bare ring: the signature alone, of bytes that are taken apart already.
    let bare = RsaPublicKeyComponents { n: &public.n, e: &public.e };
    let ring = || bare.verify(&RSA_PKCS1_2048_8192_SHA256, black_box(signed.as_bytes()), &signature).unwrap();

    let set = KeySet::from_json(jwks.to_string().as_bytes()).unwrap();
    let key_set = || drop(black_box(set.verify(black_box(&token)).unwrap()));

    let own = IdToken::from_text(&token);
    let verifier = IdTokenVerifier::with_keys(
        ISSUER,
        CLIENT_ID,
        KeySet::from_json(jwks.to_string().as_bytes()).unwrap(),
    );
    let whole = || drop(black_box(verifier.verify(black_box(&own)).unwrap()));

    let decoding = jsonwebtoken::DecodingKey::from_rsa_components(&n, &e).unwrap();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[CLIENT_ID]);
    let jsonwebtoken =
        || drop(black_box(jsonwebtoken::decode::<Value>(black_box(&token), &decoding, &validation).unwrap()));

    let peer_keys: CoreJsonWebKeySet = serde_json::from_value(jwks.clone()).unwrap();
    let issuer = IssuerUrl::new(ISSUER.to_owned()).unwrap();
    let peer: CoreIdTokenVerifier =
        CoreIdTokenVerifier::new_public_client(ClientId::new(CLIENT_ID.to_owned()), issuer, peer_keys);
    type Peer = PeerToken<
        EmptyAdditionalClaims,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >;
    let openidconnect = || {
        let parsed: Peer = black_box(&token).parse().unwrap();
        black_box(parsed.claims(&peer, |_: Option<&Nonce>| Ok(())).unwrap());
    };

    let candidates: [(&str, &dyn Fn()); 5] = [
        ("ring: the signature alone", &ring),
        ("idaas-login: KeySet::verify", &key_set),
        ("idaas-login: IdTokenVerifier::verify, with claims", &whole),
        ("jsonwebtoken 11: decode, with claims", &jsonwebtoken),
        ("openidconnect 4: parse and claims", &openidconnect),
    ];
    let mut fastest = [f64::INFINITY; 5];
    for _ in 0..ROUNDS {
        for ((_, candidate), fastest) in candidates.iter().zip(&mut fastest) {
            let start = Instant::now();
            for _ in 0..CALLS {
                candidate();
            }
            *fastest = fastest.min(start.elapsed().as_secs_f64() / f64::from(CALLS));
        }
    }
    println!("{:52} {:>10} {:>8}", "verification of one RS256 token, 2048 bits", "µs", "ratio");
    for ((name, _), seconds) in candidates.iter().zip(fastest) {
        println!("{name:52} {:10.2} {:8.2}", seconds * 1e6, seconds / fastest[0]);
    }
}
