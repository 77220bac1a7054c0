//! `X-signature`: what OneAccess asks for beside a session.
//!
//! It is encryption by the name of a signature: the session token and a time, readable to the tenant alone. Whoever holds the
//! session token can make it. It proves that the request is fresh (decision D36 in `docs/decisions.md`).

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use ring::rand::{SecureRandom, SystemRandom};
use rsa::pkcs8::SubjectPublicKeyInfoRef;
use rsa::rand_core::{self, CryptoRng, RngCore};
use rsa::sha2::Sha256;
use rsa::traits::PublicKeyParts;
use rsa::{BigUint, Oaep, RsaPublicKey, pkcs1};
use zeroize::Zeroizing;

use crate::error::{InvalidInput, Unsendable};
use crate::secret::SessionToken;
use crate::transport::TransportError;

/// Tells how much time has passed since a moment that stays the same.
pub(crate) type MonotonicClock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// The smallest and the largest key, in bits.
const BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The longest text of a key: twice what the largest needs.
const LONGEST_KEY: usize = 4096;

/// The key in a text as PEM has it, with whatever line ends: real ones, escaped ones, or none.
pub(crate) fn read_key(text: &str) -> Option<RsaPublicKey> {
    if text.len() > LONGEST_KEY {
        return None;
    }
    let (_, rest) = text.split_once("-----BEGIN PUBLIC KEY-----")?;
    let (body, _) = rest.split_once("-----END PUBLIC KEY-----")?;
    let body: String = body.replace("\\r", "").replace("\\n", "").split_ascii_whitespace().collect();
    let der = BASE64_STANDARD.decode(body).ok()?;
    let info = SubjectPublicKeyInfoRef::try_from(der.as_slice()).ok()?;
    if info.algorithm.oid != pkcs1::ALGORITHM_OID {
        return None;
    }
    let key = pkcs1::RsaPublicKey::try_from(info.subject_public_key.as_bytes()?).ok()?;
    let modulus = BigUint::from_bytes_be(key.modulus.as_bytes());
    let exponent = BigUint::from_bytes_be(key.public_exponent.as_bytes());
    // An even modulus is no product of two large primes.
    let is_odd = key.modulus.as_bytes().last().is_some_and(|last| last % 2 == 1);
    if !BITS.contains(&modulus.bits()) || !is_odd {
        return None;
    }
    RsaPublicKey::new_with_max_size(modulus, exponent, *BITS.end()).ok()
}

/// The clock that is used unless there is another one.
pub(crate) fn system_clock() -> MonotonicClock {
    let start = Instant::now();
    Arc::new(move || start.elapsed())
}

/// What makes a client's signatures.
pub(crate) struct Signer {
    clock: MonotonicClock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    key: Option<Arc<RsaPublicKey>>,
    time: Option<ServerTime>,
    /// The timestamp of the last signature: the next one's is larger.
    last: u64,
    /// Whether something was signed since a key or a time came.
    signed: bool,
    /// Whether a signature was refused, and no time came since.
    refused: bool,
}

/// A time of the server, and when it came by the client's clock.
#[derive(Clone, Copy)]
struct ServerTime {
    timestamp: u64,
    at: Duration,
}

/// So far, in milliseconds, the last signature may have been ahead of the server: clocks drift, and many threads sign.
const AHEAD: u64 = 60_000;

impl Signer {
    pub(crate) fn new(clock: MonotonicClock) -> Self {
        Self { clock, state: Mutex::default() }
    }

    pub(crate) fn has_key(&self) -> bool {
        self.state().key.is_some()
    }

    pub(crate) fn has_time(&self) -> bool {
        self.state().time.is_some()
    }

    pub(crate) fn keep_key(&self, key: Arc<RsaPublicKey>) {
        let mut state = self.state();
        state.key = Some(key);
        state.signed = false;
    }

    pub(crate) fn keep_time(&self, timestamp: u64) {
        // Asked for while nothing is locked: the clock is the caller's code.
        let at = (self.clock)();
        let mut state = self.state();
        // After a clock that jumped ahead, every further signature would be from the future until the server is there, too.
        if state.refused && state.last > timestamp.saturating_add(AHEAD) {
            state.last = 0;
        }
        state.time = Some(ServerTime { timestamp, at });
        state.signed = false;
        state.refused = false;
    }

    /// A signature was refused: the time may be wrong, and the key may be another one by now.
    pub(crate) fn forget(&self) {
        let mut state = self.state();
        // Otherwise it was made before what there is now came.
        if state.signed {
            state.key = None;
            state.time = None;
            state.refused = true;
        }
    }

    /// The key, and a timestamp that no signature of this client has had.
    fn next(&self) -> Option<(Arc<RsaPublicKey>, u64)> {
        let now = (self.clock)();
        let mut state = self.state();
        let (key, time) = (Arc::clone(state.key.as_ref()?), state.time?);
        let passed = u64::try_from(now.saturating_sub(time.at).as_millis()).unwrap_or(u64::MAX);
        let Some(larger) = state.last.checked_add(1) else {
            // The clock has come to the end of time.
            state.time = None;
            state.refused = true;
            return None;
        };
        state.last = time.timestamp.saturating_add(passed).max(larger);
        state.signed = true;
        Some((key, state.last))
    }

    /// The header for one request.
    pub(crate) fn sign(&self, session_token: &SessionToken) -> Result<HeaderValue, Unsendable> {
        let not_sent = TransportError::not_sent;
        let (key, timestamp) = self.next().ok_or_else(|| {
            not_sent("the client has no key and time to sign with: call prepare_signature() first")
        })?;
        let text = text(session_token.expose(), timestamp);
        if text.len() > key.size().saturating_sub(OVERHEAD) {
            let reason = "is longer than the tenant's key can sign";
            return Err(InvalidInput::new("session_token", reason).into());
        }
        let mut seed = Seed::new().ok_or_else(|| not_sent("there are no random numbers to sign with"))?;
        let encrypted = key.encrypt(&mut seed, Oaep::new::<Sha256>(), text.as_bytes());
        let encrypted = encrypted.ok().filter(|_| seed.was_enough);
        let encrypted = encrypted.ok_or_else(|| not_sent("the tenant's key cannot sign"))?;
        let mut value = HeaderValue::try_from(BASE64_STANDARD.encode(encrypted))
            .map_err(|_| InvalidInput::new("session_token", "cannot be signed"))?;
        value.set_sensitive(true);
        Ok(value)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many bytes OAEP takes of the modulus: two digests and two bytes.
const OVERHEAD: usize = 2 * 32 + 2;

/// What is encrypted.
fn text(session_token: &str, timestamp: u64) -> Zeroizing<String> {
    const DIGITS: usize = "18446744073709551615".len();
    let names = "session_token=&timestamp=&nonce=".len();
    // Large enough from the beginning: a buffer that grows leaves copies of the token behind.
    let mut text = Zeroizing::new(String::with_capacity(names + session_token.len() + 2 * DIGITS));
    text.push_str("session_token=");
    text.push_str(session_token);
    // Writing to a text does not fail.
    let _ = write!(*text, "&timestamp={timestamp}&nonce={timestamp:x}");
    text
}

/// The random numbers of one padding, drawn in advance: the system may have none, and a generator cannot say so.
struct Seed {
    bytes: Zeroizing<[u8; 32]>,
    used: usize,
    was_enough: bool,
}

impl Seed {
    fn new() -> Option<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        SystemRandom::new().fill(&mut *bytes).ok()?;
        Some(Self { bytes, used: 0, was_enough: true })
    }
}

impl RngCore for Seed {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, wanted: &mut [u8]) {
        let end = self.used.saturating_add(wanted.len());
        match self.bytes.get(self.used..end) {
            Some(bytes) => wanted.copy_from_slice(bytes),
            // What comes of it is thrown away.
            None => self.was_enough = false,
        }
        self.used = end;
    }

    fn try_fill_bytes(&mut self, wanted: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(wanted);
        Ok(())
    }
}

impl CryptoRng for Seed {}
