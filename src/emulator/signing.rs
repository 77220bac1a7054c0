//! The emulator's keys and signatures.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::RSA_PKCS1_SHA256;
use serde_json::{Value, json};

/// Private keys that everybody can read: they protect nothing.
const PRIVATE_KEYS: &[&[u8]] =
    &[include_bytes!("keys/1.pk8"), include_bytes!("keys/2.pk8"), include_bytes!("keys/3.pk8")];

/// The tenant's signing keys: the one in use, and those before it.
pub(super) struct Signing {
    /// How often the key was changed.
    rotations: usize,
    /// How many of the keys before the one in use are still published.
    pub(super) published_before: usize,
    current: Option<KeyPair>,
    previous: Option<KeyPair>,
}

impl Signing {
    pub(super) fn new() -> Self {
        Self { rotations: 0, published_before: 0, current: key_pair(0), previous: None }
    }

    /// A new key is in use from now on.
    pub(super) fn rotate(&mut self) {
        self.rotations += 1;
        self.previous = self.current.take();
        self.current = key_pair(self.rotations);
    }

    /// The published keys, as a JWK set, the one in use first.
    pub(super) fn key_set(&self) -> Value {
        let oldest = self.rotations.saturating_sub(self.published_before);
        let keys = (oldest..=self.rotations).rev().filter_map(|rotation| {
            let key = key_pair(rotation)?;
            let public: ring::rsa::PublicKeyComponents<Vec<u8>> = key.public().into();
            Some(json!({
                "kty": "RSA",
                "kid": key_id(rotation),
                "use": "sig",
                "alg": "RS256",
                "n": BASE64_URL_SAFE_NO_PAD.encode(public.n),
                "e": BASE64_URL_SAFE_NO_PAD.encode(public.e),
            }))
        });
        json!({ "keys": keys.collect::<Vec<_>>() })
    }

    /// The claims, signed: by the key in use, or by the one before it, if there is one.
    pub(super) fn sign(&self, claims: &Value, by_previous: bool) -> Option<String> {
        let (key, rotation) = match &self.previous {
            Some(previous) if by_previous => (previous, self.rotations.checked_sub(1)?),
            _ => (self.current.as_ref()?, self.rotations),
        };
        let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({ "alg": "RS256", "kid": key_id(rotation) });
        let signed = format!("{}.{}", encode(&header), encode(claims));
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).ok()?;
        Some(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }
}

fn key_pair(rotation: usize) -> Option<KeyPair> {
    KeyPair::from_pkcs8(PRIVATE_KEYS.get(rotation % PRIVATE_KEYS.len())?).ok()
}

/// Each rotation has an id of its own, though the keys come round again.
fn key_id(rotation: usize) -> String {
    format!("emulator-{rotation}")
}
