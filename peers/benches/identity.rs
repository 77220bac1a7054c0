//! One RS256 token of a 2048-bit key, verified by this crate and by its peers, in one run.
//!
//! Each candidate is timed in many short rounds that take turns, and the fastest round of each counts: what disturbs a round
//! can only make it slower. Bare ring, which checks the signature alone, is also the limit of how two threads scale.

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use idaas_login::{
    Algorithm, Client, IdToken, IdTokenVerifier, KeyCache, KeySet, Request, Response, TransportError,
};
use idaas_login_peers::record::{Record, Row};
use idaas_login_peers::time::{fastest, rounds};
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
const CALLS: u32 = 100;
/// More of them: both threads must have a core to themselves in one at least.
const ROUNDS_OF_TWO: usize = 300;

/// The seconds of a call, in the fastest of some rounds in which two threads make as many calls as one does.
fn two_threads(calls: [&(dyn Fn() + Sync); 2]) -> [f64; 2] {
    let mut best = [f64::INFINITY; 2];
    for turn in 0..2 * ROUNDS_OF_TWO {
        let call = calls[turn % 2];
        let begin = Barrier::new(3);
        let seconds = thread::scope(|scope| {
            let workers: [_; 2] = std::array::from_fn(|_| {
                scope.spawn(|| {
                    begin.wait();
                    (0..CALLS).for_each(|_| call());
                })
            });
            let start = Instant::now();
            begin.wait();
            workers.into_iter().for_each(|worker| worker.join().unwrap());
            start.elapsed().as_secs_f64() / f64::from(2 * CALLS)
        });
        best[turn % 2] = best[turn % 2].min(seconds);
    }
    best
}

fn main() -> ExitCode {
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

    // A cache that has its keys: what is measured is a hit.
    let keys = jwks.to_string();
    let client = Client::builder("https://acme.example.com", CLIENT_ID)
        .build_with(move |_: Request| -> Result<Response, TransportError> {
            Ok(Response::new(keys.clone().into_bytes()))
        })
        .unwrap();
    let cache = KeyCache::new(&client);
    let hit = || drop(black_box(cache.verify(black_box(&token), &[Algorithm::Rs256]).unwrap()));

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

    let mut calls: [&dyn Fn(); 6] = [&ring, &key_set, &hit, &whole, &jsonwebtoken, &openidconnect];
    let mut candidates: Vec<_> = calls.iter_mut().map(|call| move || call()).collect();
    let mut candidates: Vec<_> = candidates.iter_mut().map(|call| call as &mut dyn FnMut()).collect();
    let seconds = rounds(ROUNDS, CALLS, &mut candidates);
    let [ring_alone, key_set, hit_alone, whole, jsonwebtoken, openidconnect] =
        std::array::from_fn(|which: usize| fastest(&seconds[which]) * 1e6);
    let [ring_both, hit_both] = two_threads([&ring, &hit]).map(|seconds| seconds * 1e6);

    let mut record = Record::of("identity");
    let limit = "ring, the signature alone";
    for (what, own, peer, beside) in [
        ("KeySet::verify", key_set, limit, ring_alone),
        ("KeyCache::verify, a hit", hit_alone, limit, ring_alone),
        ("IdTokenVerifier::verify, with claims", whole, limit, ring_alone),
        ("IdTokenVerifier::verify, with claims", whole, "jsonwebtoken 11", jsonwebtoken),
        ("IdTokenVerifier::verify, with claims", whole, "openidconnect 4", openidconnect),
    ] {
        record.add(Row::new(what, "µs", peer, own, beside));
    }
    let what = "a hit's time with 2 threads by that with 1";
    record.add(Row::new(what, "times", limit, hit_both / hit_alone, ring_both / ring_alone));
    record.finish()
}
