//! The tenant's keys (RFC 7517), and what they verify (RFC 7515, RFC 7518).

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::agreement::{
    self, ECDH_P256, ECDH_P384, EphemeralPrivateKey, UnparsedPublicKey as UnparsedPoint, agree_ephemeral,
};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::error::IdTokenError;
use super::jws::Jws;

/// A set of public keys: a JWK set.
///
/// Keys of another type, keys that cannot be read and keys for encryption are skipped. So are RSA keys of fewer than 2048 or
/// more than 8192 bits, or with an exponent that is even or not between 3 and 2³³ − 1, and points that are not on their curve.
///
/// Of a set the first 64 keys are read. The rest counts as absent.
pub struct KeySet {
    keys: Vec<Key>,
    /// The ids of the keys that were there and must not be used.
    refused: Vec<Option<Box<str>>>,
}

/// The largest number of keys of a set; tenants have a few.
const MAX_KEYS: usize = 64;

/// The largest [`Key::effort`] of all keys that are tried for one token: 2 ms, and less than 5 on a busy machine.
const MAX_EFFORT: usize = 8000;

/// Bytes that are no JWK set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a JWK set: a JSON object with a list of keys")]
#[non_exhaustive]
pub struct KeySetError;

struct Key {
    id: Option<Box<str>>,
    /// The one algorithm that the key itself says it is for.
    algorithm: Option<Algorithm>,
    material: Material,
}

enum Material {
    Rsa { modulus: Box<[u8]>, exponent: Box<[u8]> },
    P256(Box<[u8]>),
    P384(Box<[u8]>),
}

/// What is known here of a key's members (RFC 7517 section 4, RFC 7518 section 6).
struct Jwk {
    key_type: String,
    id: Option<String>,
    usage: Option<String>,
    operations: Option<Vec<Value>>,
    algorithm: Option<String>,
    curve: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a JWK set.
    ///
    /// ```
    /// use idaas_login::KeySet;
    ///
    /// // Keys of a type that is not known here are skipped.
    /// let keys = KeySet::from_json(br#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg"}]}"#)?;
    /// assert!(keys.is_empty());
    /// assert!(KeySet::from_json(b"<html>").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`KeySetError`] if it is not a JSON object with a list of keys. A key that cannot be used is no error: see
    /// [`KeySet`].
    pub fn from_json(json: &[u8]) -> Result<Self, KeySetError> {
        #[derive(Deserialize)]
        struct Set<'a> {
            #[serde(borrow)]
            keys: Vec<&'a RawValue>,
        }
        // An array would do for a struct, too.
        if !json.trim_ascii_start().starts_with(b"{") {
            return Err(KeySetError);
        }
        let set: Set<'_> = serde_json::from_slice(json).map_err(|_| KeySetError)?;
        let mut keys = Vec::new();
        let mut refused = Vec::new();
        for raw in set.keys.into_iter().take(MAX_KEYS) {
            // Of another type, or broken: as if it were not there (RFC 7517 section 5).
            let Some(jwk) = Jwk::read(raw.get()) else { continue };
            let id = jwk.id.as_deref().map(Box::from);
            let algorithm = jwk.algorithm.as_deref().map(Algorithm::from_name);
            match Material::read(&jwk) {
                // For an algorithm that is not known here it is for nothing.
                Some(material) if jwk.is_for_verification() && algorithm != Some(None) => {
                    keys.push(Key { id, algorithm: algorithm.flatten(), material });
                }
                _ => refused.push(id),
            }
        }
        Ok(Self { keys, refused })
    }

    /// How many keys of the set can be used.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key of the set can be used.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Verifies a signed token in compact form, by RS256, and gives its payload.
    ///
    /// This is the signature alone: who issued the token, for whom and until when is for
    /// [`IdTokenVerifier`](crate::IdTokenVerifier).
    ///
    /// # Errors
    /// [`IdTokenError`], of the kinds that are about form, key and signature.
    pub fn verify(&self, token: &str) -> Result<Vec<u8>, IdTokenError> {
        self.verify_with(token, Algorithm::DEFAULT)
    }

    /// The same, by any of the algorithms that are `allowed`.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub fn verify_with(&self, token: &str, allowed: &[Algorithm]) -> Result<Vec<u8>, IdTokenError> {
        self.verify_parsed(&Jws::parse(token, allowed)?)
    }

    /// The rules of the choice: a token that names a key is verified by the keys of that name, one that names none by all;
    /// of these only by keys that are made for the algorithm, each in turn. As many are tried as one token may cost.
    pub(super) fn verify_parsed(&self, jws: &Jws<'_>) -> Result<Vec<u8>, IdTokenError> {
        let named = |id: &Option<Box<str>>| jws.key_id.is_none() || id.as_deref() == jws.key_id.as_deref();
        let mut failure = if self.refused.iter().any(named) {
            IdTokenError::UnsuitableKey
        } else {
            IdTokenError::UnknownKey
        };
        let mut effort = 0;
        for key in self.keys.iter().filter(|key| named(&key.id)) {
            if !key.is_for(jws.algorithm) {
                if matches!(failure, IdTokenError::UnknownKey) {
                    failure = IdTokenError::UnsuitableKey;
                }
                continue;
            }
            effort += key.effort();
            if effort > MAX_EFFORT {
                return Err(IdTokenError::TooManyKeys);
            }
            if key.verifies(jws) {
                return jws.payload();
            }
            failure = IdTokenError::BadSignature;
        }
        Err(failure)
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySet")
            .field("keys", &self.keys.len())
            .field("refused", &self.refused.len())
            .finish()
    }
}

impl Jwk {
    fn read(json: &str) -> Option<Self> {
        let mut members = object(json.as_bytes())?;
        let mut text = |name| take_text(&mut members, name).ok();
        Some(Self {
            key_type: text("kty")??,
            id: text("kid")?,
            usage: text("use")?,
            algorithm: text("alg")?,
            curve: text("crv")?,
            n: text("n")?,
            e: text("e")?,
            x: text("x")?,
            y: text("y")?,
            operations: match members.remove("key_ops") {
                None | Some(Value::Null) => None,
                Some(Value::Array(operations)) => Some(operations),
                Some(_) => return None,
            },
        })
    }

    fn is_for_verification(&self) -> bool {
        self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self.operations.as_ref().is_none_or(|operations| operations.iter().any(|one| one == "verify"))
    }
}

/// A JSON object whose members are each there once; anything else, and what is no UTF-8, is `None`.
fn object(json: &[u8]) -> Option<Map<String, Value>> {
    struct Once;

    impl<'de> Visitor<'de> for Once {
        type Value = Map<String, Value>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object whose members are each there once")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
            let mut object = Map::new();
            while let Some((name, value)) = members.next_entry::<String, Value>()? {
                if object.insert(name, value).is_some() {
                    return Err(A::Error::custom("a member is there twice"));
                }
            }
            Ok(object)
        }
    }

    let mut json = serde_json::Deserializer::from_str(std::str::from_utf8(json).ok()?);
    let object = json.deserialize_map(Once).ok()?;
    json.end().ok()?;
    Some(object)
}

/// A member that is text if it is there, and not null; of another type, it makes the whole unreadable.
fn take_text(object: &mut Map<String, Value>, name: &str) -> Result<Option<String>, NotText> {
    match object.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(NotText),
    }
}

/// A member of another type than it has to be.
struct NotText;

impl Key {
    /// What a try of the key costs, in units of about a quarter of a microsecond: for RSA multiplications of numbers of 1024
    /// bits, for the curves as measured.
    fn effort(&self) -> usize {
        match &self.material {
            Material::Rsa { modulus, exponent } => {
                let size = modulus.len().div_ceil(128);
                let ones: u32 = exponent.iter().map(|byte| byte.count_ones()).sum();
                size * size * (8 * exponent.len() + usize::try_from(ones).unwrap_or_default())
            }
            Material::P256(_) => 400,
            Material::P384(_) => 3000,
        }
    }

    fn is_for(&self, algorithm: Algorithm) -> bool {
        self.algorithm.is_none_or(|own| own == algorithm)
            && matches!(
                (&self.material, algorithm),
                (
                    Material::Rsa { .. },
                    Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 | Algorithm::Ps256
                ) | (Material::P256(_), Algorithm::Es256)
                    | (Material::P384(_), Algorithm::Es384)
            )
    }

    fn verifies(&self, jws: &Jws<'_>) -> bool {
        let (message, signature) = (jws.signed.as_bytes(), jws.signature.as_slice());
        let verified = match &self.material {
            Material::Rsa { modulus, exponent } => {
                let Some(parameters) = jws.algorithm.rsa() else { return false };
                RsaPublicKeyComponents { n: modulus, e: exponent }.verify(parameters, message, signature)
            }
            Material::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            Material::P384(point) => {
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).verify(message, signature)
            }
        };
        verified.is_ok()
    }
}

impl Algorithm {
    fn rsa(self) -> Option<&'static RsaParameters> {
        Some(match self {
            Self::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
            Self::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
            Self::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
            Self::Ps256 => &RSA_PSS_2048_8192_SHA256,
            Self::Es256 | Self::Es384 => return None,
        })
    }
}

impl Material {
    fn read(jwk: &Jwk) -> Option<Self> {
        let bytes = |text: &Option<String>| BASE64_URL_SAFE_NO_PAD.decode(text.as_ref()?).ok();
        match (jwk.key_type.as_str(), jwk.curve.as_deref()) {
            ("RSA", _) => {
                let modulus = number(bytes(&jwk.n)?);
                let exponent = number(bytes(&jwk.e)?);
                // The limits of RFC 7518 section 3.3 and of ring, whose exponents are odd and from 3 to 2^33 - 1.
                let bits = modulus.len() * 8 - usize::try_from(modulus.first()?.leading_zeros()).ok()?;
                let odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
                let fits = (2048..=8192).contains(&bits) && odd(&modulus);
                let value = exponent.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
                let sane = exponent.len() <= 5 && odd(&exponent) && (3..1 << 33).contains(&value);
                (fits && sane).then_some(Self::Rsa { modulus, exponent })
            }
            ("EC", Some("P-256")) => point(&bytes(&jwk.x)?, &bytes(&jwk.y)?, 32, &ECDH_P256).map(Self::P256),
            ("EC", Some("P-384")) => point(&bytes(&jwk.x)?, &bytes(&jwk.y)?, 48, &ECDH_P384).map(Self::P384),
            _ => None,
        }
    }
}

/// A number without the leading zeros that some libraries write though they must not (RFC 7518 section 6.3.1.1).
fn number(bytes: Vec<u8>) -> Box<[u8]> {
    match bytes.iter().position(|byte| *byte != 0) {
        Some(0) => bytes.into(),
        Some(first) => bytes.get(first..).unwrap_or_default().into(),
        None => Box::default(),
    }
}

/// A point of a curve, uncompressed. Each coordinate has the curve's full size (RFC 7518 section 6.2.1.2).
fn point(x: &[u8], y: &[u8], size: usize, curve: &'static agreement::Algorithm) -> Option<Box<[u8]>> {
    let point: Box<[u8]> = (x.len() == size && y.len() == size).then(|| [&[4], x, y].concat().into())?;
    // ring looks at a point when it is used. A key agreement needs no more than the point, and fails if it is off the curve.
    let private = EphemeralPrivateKey::generate(curve, &SystemRandom::new()).ok()?;
    agree_ephemeral(private, &UnparsedPoint::new(curve, &point), |_| ()).ok()?;
    Some(point)
}
