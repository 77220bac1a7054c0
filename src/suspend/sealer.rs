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
/// The largest handle, in characters; usual ones have less than a kibibyte.
const MAX_HANDLE: usize = 128 << 10;
/// The end of the year 9999, in seconds since 1970: no system's time ends before.
const FAR_FUTURE: u64 = 253_402_300_799;
/// A secret of 32 random bytes has about 30 different ones; fewer than this is no secret.
const MIN_DIFFERENT_BYTES: usize = 8;

/// A key that seals, with the id that sealed handles name it by.
///
/// Both are the same on all machines that share handles. An id is never used for another key.
#[derive(Clone)]
pub struct SealKey {
    id: u32,
    seal: LessSafeKey,
    context: hmac::Key,
}

/// A secret that nothing may be sealed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealKeyError {
    /// It has fewer than 32 bytes.
    #[error("the secret has fewer than 32 bytes: take 32 random ones")]
    TooShort,
    /// It has fewer than 8 different bytes, such as 32 zeros: a placeholder, not random bytes.
    #[error("the secret is not random, it has hardly any different bytes: take 32 random ones")]
    NotRandom,
}

impl SealKey {
    /// Makes a key from at least 32 random bytes.
    ///
    /// ```
    /// use idaas_login::{SealKey, SealKeyError};
    ///
    /// # let secret: Vec<u8> = (0..32).map(|byte| byte * 7).collect();
    /// // `secret`: 32 random bytes from where you keep secrets.
    /// let key = SealKey::new(1, &secret)?;
    /// assert_eq!(SealKey::new(1, b"a password").unwrap_err(), SealKeyError::TooShort);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`SealKeyError`] if there are fewer, or if they cannot be random because hardly any differ. A password or a text that
    /// somebody made up is not found out: take the bytes from a random generator, such as `openssl rand -hex 32`.
    pub fn new(id: u32, secret: &[u8]) -> Result<Self, SealKeyError> {
        if secret.len() < 32 {
            return Err(SealKeyError::TooShort);
        }
        if (0..=u8::MAX).filter(|byte| secret.contains(byte)).count() < MIN_DIFFERENT_BYTES {
            return Err(SealKeyError::NotRandom);
        }
        // One key for each purpose, from the one secret.
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let seal = hmac::sign(&secret, b"idaas-login seal");
        let context = hmac::sign(&secret, b"idaas-login context");
        Ok(Self {
            id,
            seal: LessSafeKey::new(
                UnboundKey::new(&AES_256_GCM, seal.as_ref()).map_err(|_| SealKeyError::TooShort)?,
            ),
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
/// caller's choice, such as a session cookie: in another context it does not open. What to bind to in a mini program, where
/// there are no cookies, is in [the manual](crate::manual::between_requests).
///
/// ```
/// use std::time::Duration;
/// use idaas_login::{PendingBind, SealKey, Sealer};
///
/// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
/// # let client = stage.client().clone();
/// # let secret: Vec<u8> = (0..32).map(|byte| byte * 7).collect();
/// # let cookie = "sid=8c1f";
/// // `secret`: 32 random bytes from where you keep secrets.
/// let sealer = Sealer::new(SealKey::new(1, &secret)?, Duration::from_secs(600))
///     .longest_lifetime(Duration::from_secs(3600));
///
/// let handle: String = sealer.seal(&stage.suspend(), cookie.as_bytes())?;
/// // The next request, on another machine:
/// let stage = client.resume::<PendingBind>(sealer.open(&handle, cookie.as_bytes())?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # It can be replayed
/// Whoever has the text in its context can present it again, until it expires. That a step happens once is the tenant's to
/// see to, and it does: a state token is used up by the step that succeeds.
#[derive(Clone)]
pub struct Sealer {
    key: SealKey,
    older: Vec<SealKey>,
    lifetime: Duration,
    longest_lifetime: Option<Duration>,
    empty_context: bool,
    clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
}

impl Sealer {
    /// Makes a sealer that seals with `key`. A handle opens for `lifetime`, or for as long as [`seal_for`](Self::seal_for) says.
    ///
    /// State tokens expire within minutes, so handles can be equally short-lived.
    #[must_use]
    pub fn new(key: SealKey, lifetime: Duration) -> Self {
        Self {
            key,
            older: Vec::new(),
            lifetime,
            longest_lifetime: None,
            empty_context: false,
            clock: Arc::new(SystemTime::now),
        }
    }

    /// Refuses handles that expire later than `lifetime` from now; by default there is no limit.
    ///
    /// A handle has its expiry in it. Without a limit, one that was sealed with a long lifetime, or by a machine whose clock was
    /// ahead, opens until then, whatever this sealer's lifetime is. Set it to the longest lifetime that you seal with, and a
    /// little more for the difference between the clocks of your machines. Shortening it shortens the life of handles that
    /// are already out.
    #[must_use]
    pub fn longest_lifetime(mut self, lifetime: Duration) -> Self {
        self.longest_lifetime = Some(lifetime);
        self
    }

    /// Seals and opens with an empty context, too, which binds a handle to nothing: whoever has it can present it.
    ///
    /// Without this an empty context is refused, since it is nearly always a cookie that is missing.
    #[must_use]
    pub fn danger_allow_empty_context(mut self) -> Self {
        self.empty_context = true;
        self
    }

    /// Opens handles of `key`, too: one that was in use before. A key whose id is there already is not added: an id is
    /// never used for two keys.
    ///
    /// To change keys, first let all machines open with the new one, then let them seal with it, then drop the old one.
    ///
    /// ```
    /// use std::time::Duration;
    /// use idaas_login::{SealKey, Sealer};
    ///
    /// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
    /// # let old_secret: Vec<u8> = (0..32).map(|byte| byte * 7).collect();
    /// # let new_secret: Vec<u8> = (0..32).map(|byte| byte * 5).collect();
    /// let ten_minutes = Duration::from_secs(600);
    /// let before = Sealer::new(SealKey::new(1, &old_secret)?, ten_minutes);
    /// let handle = before.seal(&stage.suspend(), b"cookie")?;
    ///
    /// let sealer = Sealer::new(SealKey::new(2, &new_secret)?, ten_minutes).also_open(SealKey::new(1, &old_secret)?);
    /// assert!(sealer.open(&handle, b"cookie").is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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

    /// Sets the clock. Defaults to the system's.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use idaas_login::{SealKey, Sealer, UnsealReason};
    ///
    /// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
    /// # let secret: Vec<u8> = (0..32).map(|byte| byte * 7).collect();
    /// let sealer = Sealer::new(SealKey::new(1, &secret)?, Duration::from_secs(600));
    /// let handle = sealer.seal(&stage.suspend(), b"cookie")?;
    ///
    /// let in_an_hour = SystemTime::now() + Duration::from_secs(60 * 60);
    /// let refused = sealer.clock(move || in_an_hour).open(&handle, b"cookie").unwrap_err();
    /// assert_eq!(refused.reason(), &UnsealReason::Expired);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Seals a suspended stage: a text of letters, digits, `-` and `_`, about a third longer than what it holds.
    ///
    /// `context` is what the handle is bound to, such as the session cookie. The handle shows, to whoever has it, the id of
    /// the key, the expiry, and an identifier of the context: handles of one context can be linked.
    ///
    /// # Errors
    /// [`SealError`]: the context is empty, the lifetime is longer than [`longest_lifetime`](Self::longest_lifetime), the
    /// handle would be larger than 128 KiB, or the system gives no randomness.
    pub fn seal(&self, suspended: &Suspended, context: &[u8]) -> Result<String, SealError> {
        self.seal_for(suspended, context, self.lifetime)
    }

    /// Seals with a lifetime of its own in the place of the sealer's: a finished login lives longer than a code that was
    /// sent.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    ///
    /// # use idaas_login::{SealKey, Sealer};
    /// # let (tenant, user) = idaas_login::emulator::examples::authenticated()?;
    /// # let secret: Vec<u8> = (0..32).map(|byte| byte * 7).collect();
    /// # let sealer = Sealer::new(SealKey::new(1, &secret)?, Duration::from_secs(600));
    /// let a_day = Duration::from_secs(24 * 60 * 60);
    /// let handle = sealer.seal_for(&user.suspend(), b"cookie", a_day)?;
    /// assert!(sealer.expires_at(&handle, b"cookie")? > SystemTime::now() + a_day / 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`seal`](Self::seal).
    pub fn seal_for(
        &self,
        suspended: &Suspended,
        context: &[u8],
        lifetime: Duration,
    ) -> Result<String, SealError> {
        if context.is_empty() && !self.empty_context {
            return Err(SealError::EmptyContext);
        }
        if self.longest_lifetime.is_some_and(|longest| lifetime > longest) {
            return Err(SealError::LifetimeTooLong);
        }
        let expiry = self.now().unwrap_or_default().saturating_add(whole_seconds(lifetime)).min(FAR_FUTURE);
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| SealError::NoRandomness)?;
        let plain = suspended.to_bytes();
        let size = HEADER + NONCE_LEN + plain.len() + AES_256_GCM.tag_len();
        if size > MAX_HANDLE / 4 * 3 {
            return Err(SealError::TooLarge);
        }
        let mut sealed = Vec::with_capacity(size);
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
            self.key.seal.seal_in_place_separate_tag(nonce, header, body).map_err(|_| SealError::TooLarge)?
        };
        sealed.extend_from_slice(tag.as_ref());
        Ok(BASE64_URL_SAFE_NO_PAD.encode(sealed))
    }

    /// Opens a handle in the `context` that it was sealed in.
    ///
    /// ```
    /// use idaas_login::UnsealReason;
    ///
    /// # use idaas_login::{SealKey, Sealer};
    /// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
    /// # let secret: Vec<u8> = (0..32).map(|byte| byte * 7).collect();
    /// # let sealer = Sealer::new(SealKey::new(1, &secret)?, std::time::Duration::from_secs(600));
    /// let handle = sealer.seal(&stage.suspend(), b"the user's cookie")?;
    /// let refused = sealer.open(&handle, b"another user's cookie").unwrap_err();
    /// assert_eq!(refused.to_string(), "the handle is not valid");
    /// assert_eq!(refused.reason(), &UnsealReason::OtherContext);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`UnsealError`]: its text is the same for each reason, so that it can be shown to whoever sent the handle;
    /// [`reason`](UnsealError::reason) is for the log.
    pub fn open(&self, handle: &str, context: &[u8]) -> Result<Suspended, UnsealError> {
        Ok(self.unseal(handle, context)?.0)
    }

    /// Gives the time at which a handle expires, if it opens now: to tell the front end until when it can be presented, or to
    /// renew it in time.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn expires_at(&self, handle: &str, context: &[u8]) -> Result<SystemTime, UnsealError> {
        let (_, expiry) = self.unseal(handle, context)?;
        // Versions before this limit wrote larger numbers for handles that never expire.
        Ok(UNIX_EPOCH + Duration::from_secs(expiry.min(FAR_FUTURE)))
    }

    /// What is in a handle, and its expiry in seconds since 1970.
    fn unseal(&self, handle: &str, context: &[u8]) -> Result<(Suspended, u64), UnsealReason> {
        if context.is_empty() && !self.empty_context {
            return Err(UnsealReason::EmptyContext);
        }
        if handle.len() > MAX_HANDLE {
            return Err(UnsealReason::TooLarge);
        }
        let mut bytes =
            Zeroizing::new(BASE64_URL_SAFE_NO_PAD.decode(handle).map_err(|_| UnsealReason::Malformed)?);
        let (header, rest) = bytes.split_first_chunk_mut::<HEADER>().ok_or(UnsealReason::Malformed)?;
        let (nonce, sealed) = rest.split_first_chunk_mut::<NONCE_LEN>().ok_or(UnsealReason::Malformed)?;
        let (&[version], after) = header.split_first_chunk::<1>().ok_or(UnsealReason::Malformed)?;
        if version != VERSION {
            return Err(UnsealReason::OtherVersion(version));
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
            return Err(UnsealReason::OtherContext);
        }
        let expiry = u64::from_be_bytes(*expiry);
        // A clock that cannot tell the time opens nothing.
        let now = self.now().filter(|now| *now < expiry).ok_or(UnsealReason::Expired)?;
        if self.longest_lifetime.is_some_and(|longest| expiry - now > whole_seconds(longest)) {
            return Err(UnsealReason::ExpiresTooLate);
        }
        Ok((Suspended::from_bytes(plain), expiry))
    }

    /// Seconds since 1970; `None` before.
    fn now(&self) -> Option<u64> {
        (self.clock)().duration_since(UNIX_EPOCH).ok().map(|passed| passed.as_secs())
    }
}

/// A lifetime in seconds, rounded up.
fn whole_seconds(lifetime: Duration) -> u64 {
    lifetime.as_secs().saturating_add(u64::from(lifetime.subsec_nanos() > 0))
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer")
            .field("key", &self.key)
            .field("older", &self.older)
            .field("lifetime", &self.lifetime)
            .field("longest_lifetime", &self.longest_lifetime)
            .field("empty_context", &self.empty_context)
            .finish_non_exhaustive()
    }
}

/// Why a stage was not sealed. Nothing of it is in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The context is empty: see [`Sealer::danger_allow_empty_context`].
    #[error("cannot seal: the context is empty, and would bind the handle to nothing")]
    EmptyContext,
    /// The lifetime is longer than the sealer's own [`longest_lifetime`](Sealer::longest_lifetime): the handle would not open.
    #[error("cannot seal: the lifetime is longer than the longest that this sealer opens")]
    LifetimeTooLong,
    /// The handle would be larger than 128 KiB.
    #[error("cannot seal: the handle would be larger than 128 KiB")]
    TooLarge,
    /// The system gives no randomness.
    #[error("cannot seal: the system gives no randomness")]
    NoRandomness,
}

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
    /// It expires later than [`Sealer::longest_lifetime`] allows.
    #[error("it expires later than a handle may")]
    ExpiresTooLate,
    /// The context is empty: see [`Sealer::danger_allow_empty_context`].
    #[error("the context that it is to be opened in is empty")]
    EmptyContext,
    /// It is larger than 128 KiB. Nothing of it was looked at.
    #[error("it is larger than a handle can be")]
    TooLarge,
}
