//! The tenant's keys, kept: refreshed in the background, withdrawn when the tenant says so, and trusted for a limited time
//! while the tenant says nothing.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwapOption;
use http::StatusCode;
use ring::rand::{SecureRandom, SystemRandom};

use super::Clock;
use super::algorithm::Algorithm;
use super::error::IdTokenError;
use super::jws::Jws;
use super::key_set::KeySet;
use crate::client::Client;
use crate::error::{Error, UnexpectedReason, UnexpectedResponse};
use crate::transport::{Request, TransportError};
use crate::wire::endpoints::KEYS_PATH;

const MAX_AGE: Duration = Duration::from_secs(60 * 60);
const MAX_STALE: Duration = Duration::from_secs(24 * 60 * 60);
const COOLDOWN: Duration = Duration::from_secs(10);
const FETCH_LIMIT: Duration = Duration::from_secs(5);
/// How soon a fetch may follow a failed one while there are no usable keys.
const RETRY_WITHOUT_KEYS: Duration = Duration::from_secs(1);
/// What the pause grows to while fetches fail.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);
/// The same while there are no usable keys, and users are refused.
const LONGEST_PAUSE_WITHOUT_KEYS: Duration = Duration::from_secs(60);
/// A key set of a dozen keys has a few kilobytes.
const MAX_SIZE: usize = 256 << 10;

/// The tenant's keys, kept.
///
/// Make one per client, not one per request: see [`IdTokenVerifier`](crate::IdTokenVerifier).
///
/// # When keys are fetched
/// - When they are first needed; when they are older than [`max_age`](KeyCacheBuilder::max_age); and when a token is not
///   verified by them, because its key may be new. At most once per [`cooldown`](KeyCacheBuilder::cooldown), which counts from
///   the end of the last fetch, and one fetch at a time, however many threads need one.
/// - A fetch runs on a short-lived thread of its own, through the client's transport. A user waits for it only if there are no
///   usable keys, or the token is not verified by them, and only until the fetch is
///   [`fetch_limit`](KeyCacheBuilder::fetch_limit) old. Keys that are merely old are refreshed while everybody goes on with
///   them.
/// - After failures the pause doubles, up to 2 minutes, or from 1 to 60 seconds while there are no usable keys. It is
///   lengthened at random by up to a quarter, so that many processes do not ask at the same moment.
///
/// # When keys are given up
/// - A well-formed key set replaces the one before, also if it has no usable key: the tenant withdrew its keys. Tokens are then
///   refused with [`NoUsableKey`](IdTokenError::NoUsableKey).
/// - Anything else (no response, another status than 200, a body that is no key set) is a failure of the endpoint, which says
///   nothing about the keys. They are trusted until they are [`max_stale`](KeyCacheBuilder::max_stale) old. Then tokens are
///   refused with [`StaleKeys`](IdTokenError::StaleKeys).
///
/// A verification whose keys are neither missing nor old takes no lock. Cloning gives another handle to the same keys.
#[derive(Clone)]
pub struct KeyCache(Arc<Inner>);

struct Inner {
    settings: KeyCacheBuilder,
    /// The latest time that the clock told, in milliseconds since 1970: a clock that goes back and forth counts once.
    latest: AtomicU64,
    /// What is read without any lock.
    keys: ArcSwapOption<Keys>,
    fetches: Mutex<Fetches>,
    fetched: Condvar,
    /// How many tokens were to be verified, counted up to 2.
    tokens: AtomicU8,
}

struct Keys {
    set: KeySet,
    /// When the fetch began: the set is not younger than that.
    at: Moment,
}

/// Held for moments, never while fetching.
#[derive(Default)]
struct Fetches {
    /// When the fetch that is in progress began.
    in_progress: Option<Instant>,
    /// How many have ended.
    count: u64,
    /// When the last one ended.
    ended: Option<Moment>,
    /// How many in a row brought no usable keys.
    failures: u32,
    /// Why the last one failed, if it did.
    failure: Option<Failure>,
    /// By how many 256ths of a quarter the pause is lengthened.
    jitter: u8,
}

/// Why a fetch failed.
#[derive(Clone)]
enum Failure {
    /// No response, or not the API's.
    Unavailable(Arc<Error>),
    /// The response is no key set.
    NoKeySet,
}

/// A point in time, by two clocks.
#[derive(Clone, Copy)]
struct Moment {
    /// Milliseconds since 1970 by the caller's clock, which never go back here.
    wall: u64,
    /// A clock that nobody can set, but that may stand still while the machine sleeps.
    steady: Instant,
}

impl Moment {
    /// How long ago `earlier` was, by the clock that thinks it longer.
    fn since(self, earlier: Self) -> Duration {
        let wall = Duration::from_millis(self.wall.saturating_sub(earlier.wall));
        wall.max(self.steady.saturating_duration_since(earlier.steady))
    }
}

/// How a [`KeyCache`] is doing, for metrics and health checks; from [`KeyCache::status`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyCacheStatus {
    /// How many usable keys there are.
    pub keys: usize,
    /// How long ago the tenant was asked for them; `None` if it has not told any.
    pub age: Option<Duration>,
    /// How many fetches have ended.
    pub fetches: u64,
    /// How many of the last fetches in a row brought no usable keys.
    pub failures: u32,
    /// Whether a fetch is in progress.
    pub in_progress: bool,
}

/// Builds a [`KeyCache`]; begun by [`KeyCache::builder`].
#[must_use = "a builder does nothing until it is built"]
pub struct KeyCacheBuilder {
    client: Client,
    max_age: Duration,
    max_stale: Duration,
    cooldown: Duration,
    fetch_limit: Duration,
    clock: Clock,
}

impl KeyCacheBuilder {
    /// Sets how old the keys may become before they are fetched again. Defaults to an hour. A key that the tenant withdraws is
    /// accepted for about that long, and by the first token after it.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// Sets how old the keys may become while they cannot be fetched again. Defaults to 24 hours, and is never less than
    /// [`max_age`](Self::max_age). A key that was stolen and withdrawn is accepted for that long by whoever the thief keeps
    /// from the key endpoint.
    pub fn max_stale(mut self, age: Duration) -> Self {
        self.max_stale = age;
        self
    }

    /// Sets how long after the end of a fetch nothing leads to another one. Defaults to 10 seconds. It grows with failures: see
    /// [`KeyCache`].
    pub fn cooldown(mut self, time: Duration) -> Self {
        self.cooldown = time;
        self
    }

    /// Sets how long users wait for a fetch at the most, counted from its beginning. Defaults to 5 seconds. The fetch itself goes
    /// on, for as long as the client's transport allows: its keys are used when they come. No other begins meanwhile, so that a
    /// transport without any limit of its own can leave the cache with keys that become stale.
    pub fn fetch_limit(mut self, time: Duration) -> Self {
        self.fetch_limit = time;
        self
    }

    /// Sets the clock for the age of keys and for pauses. Defaults to the system's. A monotonic clock is asked besides, and the
    /// longer time counts: a clock that is set back makes no key younger, and one that goes back and forth
    /// leads to one fetch.
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Builds the cache. Nothing is fetched yet.
    #[must_use]
    pub fn build(mut self) -> KeyCache {
        // Keys that have just come are good for the users that waited for them.
        self.max_stale = self.max_stale.max(self.max_age).max(Duration::from_secs(1));
        KeyCache(Arc::new(Inner {
            settings: self,
            latest: AtomicU64::new(0),
            keys: ArcSwapOption::empty(),
            fetches: Mutex::default(),
            fetched: Condvar::new(),
            tokens: AtomicU8::new(0),
        }))
    }
}

impl fmt::Debug for KeyCacheBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyCacheBuilder")
            .field("max_age", &self.max_age)
            .field("max_stale", &self.max_stale)
            .field("cooldown", &self.cooldown)
            .field("fetch_limit", &self.fetch_limit)
            .finish_non_exhaustive()
    }
}

impl KeyCache {
    /// Makes a cache of the keys of the client's tenant, which are fetched through the client's transport.
    #[must_use]
    pub fn new(client: &Client) -> Self {
        Self::builder(client).build()
    }

    /// Begins to build a cache whose settings differ from the defaults.
    ///
    /// ```
    /// use std::time::Duration;
    /// use idaas_login::{IdTokenVerifier, KeyCache};
    ///
    /// # let (tenant, user) = idaas_login::emulator::examples::authenticated()?;
    /// # let client = user.client();
    /// let keys = KeyCache::builder(client)
    ///     .max_age(Duration::from_secs(15 * 60))
    ///     .max_stale(Duration::from_secs(6 * 60 * 60))
    ///     .build();
    /// let verifier = IdTokenVerifier::with_cache(keys)?;
    /// # user.identify(&verifier)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder(client: &Client) -> KeyCacheBuilder {
        KeyCacheBuilder {
            client: client.clone(),
            max_age: MAX_AGE,
            max_stale: MAX_STALE,
            cooldown: COOLDOWN,
            fetch_limit: FETCH_LIMIT,
            clock: Arc::new(SystemTime::now),
        }
    }

    /// Verifies a signed token by the tenant's keys, and gives its payload; see [`KeySet::verify_with`].
    ///
    /// # Errors
    /// [`IdTokenError`]: of the kinds that are about form, key and signature, and of those that are about the keys:
    /// [`Keys`](IdTokenError::Keys), [`KeySet`](IdTokenError::KeySet), [`NoUsableKey`](IdTokenError::NoUsableKey),
    /// [`StaleKeys`](IdTokenError::StaleKeys).
    pub fn verify(&self, token: &str, allowed: &[Algorithm]) -> Result<Vec<u8>, IdTokenError> {
        self.verify_parsed(&Jws::parse(token, allowed)?)
    }

    /// Tells how the cache is doing.
    ///
    /// Keys that become older than [`max_age`](KeyCacheBuilder::max_age), and failures, are signs of a key endpoint that fails.
    /// Users notice it when the keys are [`max_stale`](KeyCacheBuilder::max_stale) old.
    ///
    /// ```
    /// use idaas_login::{IdTokenVerifier, KeyCache};
    ///
    /// # let (tenant, user) = idaas_login::emulator::examples::authenticated()?;
    /// let keys = KeyCache::new(user.client());
    /// let verifier = IdTokenVerifier::with_cache(keys.clone())?;
    /// user.identify(&verifier)?;
    /// let status = keys.status();
    /// assert_eq!((status.keys, status.failures), (1, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn status(&self) -> KeyCacheStatus {
        let now = self.0.now();
        let fetches = self.0.lock();
        let keys = self.0.keys.load();
        KeyCacheStatus {
            keys: keys.as_ref().map_or(0, |keys| keys.set.len()),
            age: keys.as_ref().map(|keys| now.since(keys.at)),
            fetches: fetches.count,
            failures: fetches.failures,
            in_progress: fetches.in_progress.is_some(),
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.0.settings.client
    }

    pub(super) fn verify_parsed(&self, jws: &Jws<'_>) -> Result<Vec<u8>, IdTokenError> {
        let inner = &self.0;
        inner.count_token();
        let now = inner.now();
        let keys = match inner.keys.load_full() {
            Some(keys) if inner.are_usable(&keys, now) => {
                if now.since(keys.at) >= inner.settings.max_age {
                    inner.fetch_once(IfBusy::GoOn, now, || inner.has_newer(&keys));
                }
                keys
            }
            _ => inner.usable_keys(now)?,
        };
        match keys.set.verify_parsed(jws) {
            // An unknown key may be a new one; and a tenant may change a key and keep its name.
            Err(
                failure @ (IdTokenError::UnknownKey
                | IdTokenError::UnsuitableKey
                | IdTokenError::BadSignature),
            ) => match inner.keys_after(&keys) {
                Some(newer) if newer.set.is_empty() => Err(IdTokenError::NoUsableKey),
                Some(newer) => newer.set.verify_parsed(jws),
                None => Err(failure),
            },
            verified => verified,
        }
    }
}

impl Inner {
    fn now(&self) -> Moment {
        let told = (self.settings.clock)().duration_since(UNIX_EPOCH).unwrap_or_default();
        let told = u64::try_from(told.as_millis()).unwrap_or(u64::MAX);
        let latest = self.latest.load(Ordering::Relaxed);
        // Written about once in a second, so that threads do not contend for it.
        if told >= latest.saturating_add(1000) {
            self.latest.fetch_max(told, Ordering::Relaxed);
        }
        Moment { wall: told.max(latest), steady: Instant::now() }
    }

    fn are_usable(&self, keys: &Keys, now: Moment) -> bool {
        !keys.set.is_empty() && now.since(keys.at) < self.settings.max_stale
    }

    fn has_usable_keys(&self, now: Moment) -> bool {
        self.keys.load().as_ref().is_some_and(|keys| self.are_usable(keys, now))
    }

    /// Keys in the place of none, of stale or of withdrawn ones: everybody waits for them.
    fn usable_keys(self: &Arc<Self>, now: Moment) -> Result<Arc<Keys>, IdTokenError> {
        self.fetch_once(IfBusy::Wait, now, || self.has_usable_keys(now));
        let now = self.now();
        match self.keys.load_full() {
            Some(keys) if self.are_usable(&keys, now) => Ok(keys),
            Some(keys) if keys.set.is_empty() => Err(IdTokenError::NoUsableKey),
            Some(_) => Err(IdTokenError::StaleKeys(Box::new(self.failure()))),
            None => Err(self.failure()),
        }
    }

    /// Why there are no keys.
    fn failure(&self) -> IdTokenError {
        let fetches = self.lock();
        match &fetches.failure {
            Some(failure) if fetches.in_progress.is_none() => failure.clone().into(),
            _ => {
                let limit = io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the key endpoint has not responded within the time limit",
                );
                Failure::from(TransportError::maybe_sent(limit)).into()
            }
        }
    }

    /// The keys that came after `known`, fetched if need be.
    fn keys_after(self: &Arc<Self>, known: &Arc<Keys>) -> Option<Arc<Keys>> {
        self.fetch_once(IfBusy::Wait, self.now(), || self.has_newer(known));
        self.keys.load_full().filter(|keys| !Arc::ptr_eq(keys, known))
    }

    fn has_newer(&self, known: &Arc<Keys>) -> bool {
        self.keys.load().as_ref().is_some_and(|keys| !Arc::ptr_eq(keys, known))
    }

    /// Fetches the keys, unless `done` says that it is not needed any more or the last time is not long ago. The caller's clock
    /// was asked for `now` before the lock is taken: it may do what it likes, but not under our lock.
    fn fetch_once(self: &Arc<Self>, if_busy: IfBusy, now: Moment, done: impl Fn() -> bool) {
        let mut fetches = match if_busy {
            IfBusy::Wait => self.lock(),
            // Whoever has the lock sees to it.
            IfBusy::GoOn => match self.fetches.try_lock() {
                Ok(fetches) => fetches,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return,
            },
        };
        if done() {
            return;
        }
        let count = fetches.count;
        let began = if let Some(began) = fetches.in_progress {
            began
        } else {
            if fetches.ended.is_some_and(|ended| now.since(ended) < self.pause(&fetches, now)) {
                return;
            }
            let began = Instant::now();
            fetches.in_progress = Some(began);
            drop(fetches);
            self.start_fetch(now);
            if if_busy == IfBusy::GoOn {
                return;
            }
            fetches = self.lock();
            began
        };
        if if_busy == IfBusy::Wait {
            // Not for ever: an endpoint that does not respond must not hold up threads that nobody can tell forgeries from.
            let left = self.settings.fetch_limit.saturating_sub(began.elapsed());
            drop(self.fetched.wait_timeout_while(fetches, left, |fetches| fetches.count == count));
        }
    }

    /// How long after the end of the last fetch the next one may begin.
    fn pause(&self, fetches: &Fetches, now: Moment) -> Duration {
        let cooldown = self.settings.cooldown;
        let Some(doublings) = fetches.failures.checked_sub(1) else {
            return cooldown;
        };
        let (shortest, longest) = if self.has_usable_keys(now) {
            (cooldown, LONGEST_PAUSE.max(cooldown))
        } else {
            (cooldown.min(RETRY_WITHOUT_KEYS), LONGEST_PAUSE_WITHOUT_KEYS)
        };
        let pause = shortest.saturating_mul(1 << doublings.min(16)).min(longest);
        pause.saturating_add((pause / 1024).saturating_mul(fetches.jitter.into()))
    }

    /// Fetches on a thread of its own.
    fn start_fetch(self: &Arc<Self>, began: Moment) {
        let mut fetch = FetchGuard { cache: Arc::clone(self), began, ended: began, result: None };
        let work = move || {
            let result = fetch.cache.fetch();
            fetch.result = Some(result);
            fetch.ended = fetch.cache.now();
        };
        // If there is no thread to be had, dropping the guard ends the fetch.
        if let Err(error) = thread::Builder::new().name("idaas-login keys".to_owned()).spawn(work) {
            self.lock().failure = Some(TransportError::not_sent(error).into());
        }
    }

    fn fetch(&self) -> Result<KeySet, Failure> {
        let client = &self.settings.client;
        let mut request = Request::new(Vec::new());
        *request.uri_mut() = client.uri(KEYS_PATH.into()).map_err(Failure::from)?;
        client.write_tenant_id(request.headers_mut());
        let response = client.exchange(request)?;
        if response.status() != StatusCode::OK {
            return Err(UnexpectedResponse::new(response.status(), UnexpectedReason::NotFromTheApi).into());
        }
        if response.body().len() > MAX_SIZE {
            return Err(Failure::NoKeySet);
        }
        KeySet::from_json(response.body()).map_err(|_| Failure::NoKeySet)
    }

    fn lock(&self) -> MutexGuard<'_, Fetches> {
        self.fetches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Written twice in the life of a cache, and read from then on.
    fn count_token(&self) {
        let tokens = self.tokens.load(Ordering::Relaxed);
        if tokens < 2 {
            self.tokens.store(tokens + 1, Ordering::Relaxed);
        }
    }
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Unavailable(Arc::new(error.into()))
    }
}

impl From<Failure> for IdTokenError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unavailable(error) => Self::Keys(error),
            Failure::NoKeySet => Self::KeySet,
        }
    }
}

/// What to do if there is a fetch to be waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IfBusy {
    Wait,
    GoOn,
}

/// A fetch in progress. However it ends, by a panic too, dropping this ends it, and whoever waits goes on.
struct FetchGuard {
    cache: Arc<Inner>,
    began: Moment,
    ended: Moment,
    result: Option<Result<KeySet, Failure>>,
}

impl Drop for FetchGuard {
    fn drop(&mut self) {
        let mut jitter = [0];
        let _ = SystemRandom::new().fill(&mut jitter);
        let result = self
            .result
            .take()
            .unwrap_or_else(|| Err(TransportError::maybe_sent("the fetch of the keys was given up").into()));
        let mut fetches = self.cache.lock();
        let has_keys = match result {
            Ok(set) => {
                let has_keys = !set.is_empty();
                fetches.failure = None;
                self.cache.keys.store(Some(Arc::new(Keys { set, at: self.began })));
                has_keys
            }
            Err(failure) => {
                fetches.failure = Some(failure);
                false
            }
        };
        fetches.failures = if has_keys { 0 } else { fetches.failures.saturating_add(1) };
        [fetches.jitter] = jitter;
        fetches.ended = Some(Moment { wall: self.ended.wall, steady: Instant::now() });
        fetches.in_progress = None;
        fetches.count += 1;
        drop(fetches);
        self.cache.fetched.notify_all();
    }
}

/// How many caches were dropped that had fetched keys for one token.
static USED_ONCE: AtomicU64 = AtomicU64::new(0);
/// So many may be tools that verify one token.
const MAY_BE_USED_ONCE: u64 = 2;

impl Drop for Inner {
    fn drop(&mut self) {
        let used_once = *self.tokens.get_mut() == 1;
        if used_once && USED_ONCE.fetch_add(1, Ordering::Relaxed) == MAY_BE_USED_ONCE {
            log::warn!(
                target: "idaas_login",
                "several key caches were dropped after they had fetched keys for a single token: make one IdTokenVerifier per \
                 client and share it, or every user waits for the key endpoint"
            );
        }
    }
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = &self.0.settings;
        f.debug_struct("KeyCache")
            .field("keys", &self.0.keys.load().as_ref().map(|keys| keys.set.len()))
            .field("max_age", &settings.max_age)
            .field("max_stale", &settings.max_stale)
            .field("cooldown", &settings.cooldown)
            .field("fetch_limit", &settings.fetch_limit)
            .finish_non_exhaustive()
    }
}
