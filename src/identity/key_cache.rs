//! The tenant's keys, kept: fetched again when they are old or a key is unknown, and never given up because that failed.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use http::StatusCode;

use super::Clock;
use super::algorithm::Algorithm;
use super::error::IdTokenError;
use super::jws::Jws;
use super::key_set::KeySet;
use crate::client::Client;
use crate::error::{Error, UnexpectedAnswer, UnexpectedReason};
use crate::transport::{Request, TransportError};
use crate::wire::endpoints::KEYS_PATH;

const MAX_AGE: Duration = Duration::from_secs(60 * 60);
const COOLDOWN: Duration = Duration::from_secs(10);
/// The longest that a thread waits for another thread's fetch.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How soon a fetch may follow a failed one while there are no keys at all.
const RETRY_WITHOUT_KEYS: Duration = Duration::from_secs(1);
/// A key set of a dozen keys has a few kilobytes.
const MAX_SIZE: usize = 256 << 10;

/// The tenant's keys, kept.
///
/// - They are fetched when they are first needed, when they are older than `max_age`, and when a token is not verified by
///   them: its key may be new, under a new name or the old one. All of that at most once per `cooldown`, whoever asks.
/// - Many threads that need a fetch wait for one, for 5 seconds at the longest. A thread whose token verifies takes no lock
///   and waits for nobody, but for the one that fetches because the keys are old.
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
    /// Why the last one failed, if it did.
    failure: Option<Box<str>>,
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

    /// How long after a fetch nothing leads to another one; 10 seconds unless said. While there are no keys at all, a
    /// failed fetch may be followed by another one after a second.
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
        self.verify_parsed(&Jws::parse(token, allowed)?)
    }

    pub(super) fn client(&self) -> &Client {
        &self.0.client
    }

    pub(super) fn verify_parsed(&self, jws: &Jws<'_>) -> Result<Vec<u8>, IdTokenError> {
        let inner = &*self.0;
        let keys = match inner.keys.load_full() {
            None => inner.first_keys()?,
            Some(keys) if inner.is_old(&keys) => inner.newer_keys(keys),
            Some(keys) => keys,
        };
        match keys.set.verify_parsed(jws) {
            // A key that nobody knows may be a new one; and a tenant may change a key and keep its name.
            Err(
                failure @ (IdTokenError::UnknownKey
                | IdTokenError::UnsuitableKey
                | IdTokenError::BadSignature),
            ) => match inner.keys_after(&keys) {
                Some(newer) => newer.set.verify_parsed(jws),
                None => Err(failure),
            },
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
        let failure = self.fetch_once(Others::WaitFor, || self.keys.load().is_some());
        match (self.keys.load_full(), failure) {
            (Some(keys), _) => Ok(keys),
            (None, Some(failure)) => Err(failure),
            // Another thread's fetch has just failed, or takes longer than anybody waits.
            (None, None) => {
                let cause = match &self.lock().failure {
                    Some(failure) => format!("too soon after a fetch that failed [{failure}]"),
                    None => "another thread's fetch is still under way".to_owned(),
                };
                Err(IdTokenError::Keys(Box::new(TransportError::not_sent(cause).into())))
            }
        }
    }

    /// Keys in the place of old ones. If another thread is fetching them, or it fails, the old ones serve.
    fn newer_keys(&self, old: Arc<Keys>) -> Arc<Keys> {
        self.fetch_once(Others::LeaveAlone, || self.has_newer(&old));
        self.keys.load_full().unwrap_or(old)
    }

    /// The keys that came after `known`, fetched if need be.
    fn keys_after(&self, known: &Arc<Keys>) -> Option<Arc<Keys>> {
        self.fetch_once(Others::WaitFor, || self.has_newer(known));
        self.keys.load_full().filter(|keys| !Arc::ptr_eq(keys, known))
    }

    fn has_newer(&self, known: &Arc<Keys>) -> bool {
        self.keys.load().as_ref().is_some_and(|keys| !Arc::ptr_eq(keys, known))
    }

    /// Fetches the keys, unless `done` says that it is not needed any more or the last time is not long ago. If another
    /// thread is fetching, waits for it instead, or not. Gives the failure if this thread's own fetch failed.
    fn fetch_once(&self, others: Others, done: impl Fn() -> bool) -> Option<IdTokenError> {
        // The caller's clock is asked before the lock is taken: it may do what it likes, but not under our lock.
        let now = (self.clock)();
        let mut fetches = self.lock();
        if done() {
            return None;
        }
        if fetches.under_way {
            if others == Others::WaitFor {
                let count = fetches.count;
                // Not for ever: a tenant that does not answer must not hold up threads that nobody can tell forgeries from.
                let goes_on = |fetches: &mut Fetches| fetches.count == count;
                drop(self.fetched.wait_timeout_while(fetches, LONGEST_WAIT, goes_on));
            }
            return None;
        }
        // There are no keys only after a failure, or before any fetch: then the next try may come sooner.
        let pause =
            if self.keys.load().is_some() { self.cooldown } else { self.cooldown.min(RETRY_WITHOUT_KEYS) };
        // The last fetch may be later than `now`, by a thread that was faster or a clock that went back; one that went back far
        // is no reason to wait.
        let too_soon = |last| now.duration_since(last).unwrap_or_else(|ahead| ahead.duration()) < pause;
        if fetches.last.is_some_and(too_soon) {
            return None;
        }
        fetches.under_way = true;
        fetches.failure = None;
        fetches.last = Some(now);
        drop(fetches);
        // Ends the fetch however it ends, by a panic in the caller's clock too.
        let _ending = Ending(self);
        match self.fetch() {
            Ok(set) => {
                self.keys.store(Some(Arc::new(Keys { set, at: (self.clock)() })));
                None
            }
            Err(failure) => {
                let text = match &failure {
                    IdTokenError::Keys(cause) => cause.to_string(),
                    other => other.to_string(),
                };
                self.lock().failure = Some(text.into());
                Some(failure)
            }
        }
    }

    fn fetch(&self) -> Result<KeySet, IdTokenError> {
        let mut request = Request::new(Vec::new());
        let unavailable = |error: Error| IdTokenError::Keys(Box::new(error));
        *request.uri_mut() =
            self.client.uri(KEYS_PATH.into()).map_err(|invalid| unavailable(invalid.into()))?;
        self.client.write_tenant_id(request.headers_mut());
        let answer = self.client.exchange(request).map_err(|error| unavailable(error.into()))?;
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

/// What to do if another thread is fetching.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Others {
    WaitFor,
    LeaveAlone,
}

/// Ends a fetch when it is dropped: whoever waits goes on.
struct Ending<'a>(&'a Inner);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let mut fetches = self.0.lock();
        fetches.under_way = false;
        fetches.count += 1;
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
