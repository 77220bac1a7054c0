//! Sealed handles: a suspended stage as an opaque text that can be given to the user's device.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use super::suspended::Suspended;

/// The version of the sealed form, its first byte.
const VERSION: u8 = 1;
/// Version, key id, expiry, context.
const HEADER: usize = 1 + 4 + 8 + CONTEXT;
const CONTEXT: usize = 16;

/// A key that seals, with the id that sealed handles name it by.
///
/// Both are the same on all machines that share handles. An id is never used for another key.
#[derive(Clone)]
pub struct SealKey {
    id: u32,
    seal: LessSafeKey,
    context: hmac::Key,
}

/// A secret that is too short to seal with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key has at least 32 random bytes")]
#[non_exhaustive]
pub struct SealKeyError;

impl SealKey {
    /// A key from at least 32 random bytes.
    ///
    /// # Errors
    /// [`SealKeyError`] if there are fewer.
    pub fn new(id: u32, secret: &[u8]) -> Result<Self, SealKeyError> {
        if secret.len() < 32 {
            return Err(SealKeyError);
        }
        // One key for each purpose, from the one secret.
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let seal = hmac::sign(&secret, b"idaas-login seal");
        let context = hmac::sign(&secret, b"idaas-login context");
        Ok(Self {
            id,
            seal: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, seal.as_ref()).map_err(|_| SealKeyError)?),
            context: hmac::Key::new(hmac::HMAC_SHA256, context.as_ref()),
        })
    }

    /// What stands for a context in a handle.
    fn context(&self, context: &[u8]) -> [u8; CONTEXT] {
        let mut short = [0; CONTEXT];
        short.iter_mut().zip(hmac::sign(&self.context, context).as_ref()).for_each(|(to, from)| *to = *from);
        short
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Turns a [`Suspended`] into an opaque text and back, so that a service on any number of machines can give it to the
/// user's device, and needs no store and no sticky sessions.
///
/// The text is encrypted and authenticated (AES-256-GCM, random nonce), has an expiry, and is bound to a *context* of the
/// caller's choice, such as a session cookie: in another context it does not open.
///
/// # It can be replayed
/// Whoever has the text in its context can present it again, until it expires. That a step happens once is the tenant's to
/// see to, and it does: a state token is used up by the step that succeeds.
///
/// ```
/// # fn f(client: &idaas_login::Client, stage: idaas_login::PendingBind, cookie: &str) -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use idaas_login::{PendingBind, SealKey, Sealer};
///
/// let secret = [7; 32]; // 32 random bytes from where you keep secrets
/// let sealer = Sealer::new(SealKey::new(1, &secret)?, Duration::from_secs(600));
///
/// let handle: String = sealer.seal(&stage.suspend(), cookie.as_bytes())?;
/// // The next request, on another machine:
/// let stage = client.resume::<PendingBind>(sealer.open(&handle, cookie.as_bytes())?)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Sealer {
    key: SealKey,
    older: Vec<SealKey>,
    lifetime: Duration,
    clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
}

impl Sealer {
    /// Seals with `key`; a handle opens for `lifetime`.
    ///
    /// A tenant's state token lives minutes, so need the handle.
    #[must_use]
    pub fn new(key: SealKey, lifetime: Duration) -> Self {
        Self { key, older: Vec::new(), lifetime, clock: Arc::new(SystemTime::now) }
    }

    /// Opens handles of `key`, too: one that was in use before. A key whose id is there already is not added: an id is
    /// never used for two keys.
    ///
    /// To change keys, first let all machines open with the new one, then let them seal with it, then drop the old one.
    #[must_use]
    pub fn also_open(mut self, key: SealKey) -> Self {
        if self.keys().all(|known| known.id != key.id) {
            self.older.push(key);
        }
        self
    }

    fn keys(&self) -> impl Iterator<Item = &SealKey> {
        std::iter::once(&self.key).chain(&self.older)
    }

    /// With the time that `clock` tells instead of the system's.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Seals a suspended stage: a text of letters, digits, `-` and `_`, about a third longer than what it holds.
    ///
    /// `context` is what the handle is bound to, such as the session cookie; an empty one binds it to nothing. The handle
    /// shows, to whoever has it, the id of the key, the expiry, and a pseudonym of the context.
    ///
    /// # Errors
    /// [`SealError`] if the system gives no randomness.
    pub fn seal(&self, suspended: &Suspended, context: &[u8]) -> Result<String, SealError> {
        let lifetime = self.lifetime.as_secs().saturating_add(u64::from(self.lifetime.subsec_nanos() > 0));
        let expiry = self.now().unwrap_or_default().saturating_add(lifetime);
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| SealError)?;
        let plain = suspended.to_bytes();
        let mut sealed = Vec::with_capacity(HEADER + NONCE_LEN + plain.len() + AES_256_GCM.tag_len());
        sealed.push(VERSION);
        sealed.extend(self.key.id.to_be_bytes());
        sealed.extend(expiry.to_be_bytes());
        sealed.extend(self.key.context(context));
        let header = Aad::from(sealed.clone());
        sealed.extend(nonce);
        let start = sealed.len();
        sealed.extend_from_slice(plain);
        let tag = {
            let body = sealed.get_mut(start..).unwrap_or_default();
            let nonce = Nonce::assume_unique_for_key(nonce);
            self.key.seal.seal_in_place_separate_tag(nonce, header, body).map_err(|_| SealError)?
        };
        sealed.extend_from_slice(tag.as_ref());
        Ok(BASE64_URL_SAFE_NO_PAD.encode(sealed))
    }

    /// Opens a handle in the `context` that it was sealed in.
    ///
    /// # Errors
    /// [`UnsealError`]: its text is the same for each reason, so that it can be shown to whoever sent the handle;
    /// [`reason`](UnsealError::reason) is for the log.
    pub fn open(&self, handle: &str, context: &[u8]) -> Result<Suspended, UnsealError> {
        let mut bytes =
            Zeroizing::new(BASE64_URL_SAFE_NO_PAD.decode(handle).map_err(|_| UnsealReason::Malformed)?);
        let (header, rest) = bytes.split_first_chunk_mut::<HEADER>().ok_or(UnsealReason::Malformed)?;
        let (nonce, sealed) = rest.split_first_chunk_mut::<NONCE_LEN>().ok_or(UnsealReason::Malformed)?;
        let (&[version], after) = header.split_first_chunk::<1>().ok_or(UnsealReason::Malformed)?;
        if version != VERSION {
            return Err(UnsealReason::OtherVersion(version).into());
        }
        let (id, after) = after.split_first_chunk::<4>().ok_or(UnsealReason::Malformed)?;
        let (expiry, bound) = after.split_first_chunk::<8>().ok_or(UnsealReason::Malformed)?;
        let id = u32::from_be_bytes(*id);
        let mut keys = self.keys();
        let key = keys.find(|key| key.id == id).ok_or(UnsealReason::UnknownKey(id))?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain =
            key.seal.open_in_place(nonce, Aad::from(&*header), sealed).map_err(|_| UnsealReason::Tampered)?;
        // Only now is what the header says known to be true.
        if bound != key.context(context) {
            return Err(UnsealReason::OtherContext.into());
        }
        // A clock that cannot tell the time opens nothing.
        if self.now().is_none_or(|now| now >= u64::from_be_bytes(*expiry)) {
            return Err(UnsealReason::Expired.into());
        }
        Ok(Suspended::from_bytes(plain))
    }

    /// Seconds since 1970; `None` before.
    fn now(&self) -> Option<u64> {
        (self.clock)().duration_since(UNIX_EPOCH).ok().map(|passed| passed.as_secs())
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer")
            .field("key", &self.key)
            .field("older", &self.older)
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

/// A stage could not be sealed: the system gives no randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot seal: the system gives no randomness")]
#[non_exhaustive]
pub struct SealError;

/// A handle that does not open. Its text says no more than that; the reason is for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the handle is not valid")]
pub struct UnsealError(UnsealReason);

impl UnsealError {
    /// Why it does not open: for the log, not for whoever sent it.
    #[must_use]
    pub fn reason(&self) -> &UnsealReason {
        &self.0
    }
}

impl From<UnsealReason> for UnsealError {
    fn from(reason: UnsealReason) -> Self {
        Self(reason)
    }
}

/// Why a handle does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnsealReason {
    /// It is no handle: cut short, or not in the alphabet.
    #[error("it is no handle, or not a whole one")]
    Malformed,
    /// It is of another version of this library.
    #[error("it is of version {0}")]
    OtherVersion(u8),
    /// It was sealed with a key that this sealer does not have.
    #[error("it was sealed with key {0}, which is not here")]
    UnknownKey(u32),
    /// It was changed, or sealed with another key of the same id.
    #[error("it was tampered with, or sealed with another key of the same id")]
    Tampered,
    /// It was sealed in another context.
    #[error("it was sealed in another context")]
    OtherContext,
    /// Its time is over.
    #[error("it has expired")]
    Expired,
}
