//! The tenant's keys, kept: fetched again when they are old or a key is unknown, and never given up because that failed.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use http::StatusCode;

use super::error::IdTokenError;
use super::jws::Jws;
use super::key_set::{Algorithm, KeySet};
use super::verifier::Clock;
use crate::client::Client;
use crate::error::{Error, UnexpectedAnswer, UnexpectedReason};
use crate::transport::Request;
use crate::wire::endpoints::KEYS_PATH;

const MAX_AGE: Duration = Duration::from_secs(60 * 60);
const COOLDOWN: Duration = Duration::from_secs(10);
/// A key set of a dozen keys has a few kilobytes.
const MAX_SIZE: usize = 256 << 10;

/// The tenant's keys, kept.
///
/// - They are fetched when they are first needed, when they are older than `max_age`, and when a token names a key that is
///   not among them; then at most once per `cooldown`, whoever asks for whatever keys.
/// - Many threads that need a fetch wait for one. A thread that finds its key waits for nobody.
/// - If a fetch fails, the keys that are there stay in use.
///
/// Cloning gives another handle to the same keys.
#[derive(Clone)]
pub struct KeyCache(Arc<Inner>);

struct Inner {
    client: Client,
    max_age: Duration,
    cooldown: Duration,
    clock: Clock,
    /// What is read without any lock.
    keys: ArcSwapOption<Keys>,
    fetches: Mutex<Fetches>,
    fetched: Condvar,
}

struct Keys {
    set: KeySet,
    at: SystemTime,
}

/// Who fetches, and when it was done last. Held for moments, never while fetching.
#[derive(Default)]
struct Fetches {
    under_way: bool,
    /// How many have ended.
    count: u64,
    last: Option<SystemTime>,
}

/// Builds a [`KeyCache`]; begun by [`KeyCache::builder`].
#[must_use = "a builder does nothing until it is built"]
pub struct KeyCacheBuilder {
    client: Client,
    max_age: Duration,
    cooldown: Duration,
    clock: Clock,
}

impl KeyCacheBuilder {
    /// How old the keys may become before they are fetched again; an hour unless said.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// How long after a fetch an unknown key leads to no other one; 10 seconds unless said.
    pub fn cooldown(mut self, time: Duration) -> Self {
        self.cooldown = time;
        self
    }

    /// The time that `clock` tells instead of the system's.
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The cache. Nothing is fetched yet.
    #[must_use]
    pub fn build(self) -> KeyCache {
        let Self { client, max_age, cooldown, clock } = self;
        KeyCache(Arc::new(Inner {
            client,
            max_age,
            cooldown,
            clock,
            keys: ArcSwapOption::empty(),
            fetches: Mutex::default(),
            fetched: Condvar::new(),
        }))
    }
}

impl fmt::Debug for KeyCacheBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyCacheBuilder")
            .field("max_age", &self.max_age)
            .field("cooldown", &self.cooldown)
            .finish_non_exhaustive()
    }
}

impl KeyCache {
    /// A cache of the keys of the client's tenant, through the client's transport.
    #[must_use]
    pub fn new(client: &Client) -> Self {
        Self::builder(client).build()
    }

    /// Begins to build a cache whose settings differ from the defaults.
    pub fn builder(client: &Client) -> KeyCacheBuilder {
        KeyCacheBuilder {
            client: client.clone(),
            max_age: MAX_AGE,
            cooldown: COOLDOWN,
            clock: Arc::new(SystemTime::now),
        }
    }

    /// Verifies a signed token by the tenant's keys, and gives its payload; see [`KeySet::verify_with`].
    ///
    /// # Errors
    /// [`IdTokenError`]: of the kinds that are about form, key and signature, and [`Keys`](IdTokenError::Keys) or
    /// [`KeySet`](IdTokenError::KeySet) if there are no keys to verify by and none could be fetched.
    pub fn verify(&self, token: &str, allowed: &[Algorithm]) -> Result<Vec<u8>, IdTokenError> {
        let jws = Jws::parse(token, allowed)?;
        let inner = &*self.0;
        let keys = match inner.keys.load_full() {
            None => inner.first_keys()?,
            Some(keys) if inner.is_old(&keys) => inner.newer_keys(keys),
            Some(keys) => keys,
        };
        match keys.set.verify_parsed(&jws) {
            // A key that nobody knows may be a new one. A token that names none was tried by all: it may be, too.
            Err(failure @ (IdTokenError::UnknownKey | IdTokenError::BadSignature))
                if matches!(failure, IdTokenError::UnknownKey) || jws.key_id.is_none() =>
            {
                match inner.keys_after(&keys) {
                    Some(newer) => newer.set.verify_parsed(&jws),
                    None => Err(failure),
                }
            }
            verified => verified,
        }
    }
}

impl Inner {
    /// An age that cannot be told, because the clock went back, is too old.
    fn is_old(&self, keys: &Keys) -> bool {
        (self.clock)().duration_since(keys.at).map_or(true, |age| age >= self.max_age)
    }

    /// The first keys: everybody waits for them.
    fn first_keys(&self) -> Result<Arc<Keys>, IdTokenError> {
        let failure = self.fetch_once(|| self.keys.load().is_some());
        match (self.keys.load_full(), failure) {
            (Some(keys), _) => Ok(keys),
            (None, Some(failure)) => Err(failure),
            // Another thread's fetch has just failed, and it is too soon for another one.
            (None, None) => Err(IdTokenError::Keys(Box::new(UNAVAILABLE()))),
        }
    }

    /// Keys in the place of old ones. If another thread is fetching them, or it fails, the old ones serve.
    fn newer_keys(&self, old: Arc<Keys>) -> Arc<Keys> {
        if self.lock().under_way {
            return old;
        }
        self.fetch_once(|| self.keys.load().as_ref().is_some_and(|keys| !Arc::ptr_eq(keys, &old)));
        self.keys.load_full().unwrap_or(old)
    }

    /// The keys that came after `known`, fetched if need be.
    fn keys_after(&self, known: &Arc<Keys>) -> Option<Arc<Keys>> {
        let newer = || self.keys.load_full().filter(|keys| !Arc::ptr_eq(keys, known));
        self.fetch_once(|| newer().is_some());
        newer()
    }

    /// Fetches the keys, unless `done` says that it is not needed any more or the last time is not long ago. If another
    /// thread is fetching, waits for it instead. Gives the failure if this thread's own fetch failed.
    fn fetch_once(&self, done: impl Fn() -> bool) -> Option<IdTokenError> {
        let mut fetches = self.lock();
        if done() {
            return None;
        }
        if fetches.under_way {
            let count = fetches.count;
            while fetches.count == count {
                fetches = self.fetched.wait(fetches).unwrap_or_else(PoisonError::into_inner);
            }
            return None;
        }
        let now = (self.clock)();
        // A clock that went back is no reason to wait.
        let too_soon = |last| now.duration_since(last).is_ok_and(|passed| passed < self.cooldown);
        if fetches.last.is_some_and(too_soon) {
            return None;
        }
        fetches.under_way = true;
        drop(fetches);
        // Ends the fetch however it ends, by a panic in the transport too.
        let _ending = Ending(self);
        match self.fetch() {
            Ok(set) => {
                self.keys.store(Some(Arc::new(Keys { set, at: (self.clock)() })));
                None
            }
            Err(failure) => Some(failure),
        }
    }

    fn fetch(&self) -> Result<KeySet, IdTokenError> {
        let mut request = Request::new(Vec::new());
        let unavailable = |error: Error| IdTokenError::Keys(Box::new(error));
        *request.uri_mut() = self.client.uri(KEYS_PATH).map_err(|invalid| unavailable(invalid.into()))?;
        let answer = self.client.transport().send(request).map_err(|error| unavailable(error.into()))?;
        if answer.status() != StatusCode::OK {
            let answer = UnexpectedAnswer::new(answer.status(), UnexpectedReason::NotFromTheApi);
            return Err(unavailable(answer.into()));
        }
        if answer.body().len() > MAX_SIZE {
            return Err(IdTokenError::KeySet);
        }
        // A set without a usable key is a fault of the tenant's, not a reason to forget the keys that there are.
        KeySet::from_json(answer.body()).ok().filter(|set| !set.is_empty()).ok_or(IdTokenError::KeySet)
    }

    fn lock(&self) -> MutexGuard<'_, Fetches> {
        self.fetches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const UNAVAILABLE: fn() -> Error = || crate::TransportError::not_sent("a fetch has just failed").into();

struct Ending<'a>(&'a Inner);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let mut fetches = self.0.lock();
        fetches.under_way = false;
        fetches.count += 1;
        fetches.last = Some((self.0.clock)());
        self.0.fetched.notify_all();
    }
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyCache")
            .field("keys", &self.0.keys.load().as_ref().map(|keys| keys.set.len()))
            .field("max_age", &self.0.max_age)
            .field("cooldown", &self.0.cooldown)
            .finish_non_exhaustive()
    }
}
