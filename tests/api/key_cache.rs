//! Keys that rotate, tenants that fail, and many threads at once.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use idaas_login::emulator::{Emulator, User};
use idaas_login::endpoints::{KEYS_PATH, Platform};
use idaas_login::http::HeaderValue;
use idaas_login::{
    Algorithm, Client, Edition, Error, IdTokenError, KeyCache, Outcome, Request, Response, Transport,
    TransportError,
};
use support::{device, response};

const RS256: &[Algorithm] = &[Algorithm::Rs256];

/// Two private keys.
const ONE: &[u8] = support::keys::ONE;
const TWO: &[u8] = support::keys::TWO;

/// The fetch that is in progress has ended.
fn settle(cache: &KeyCache) {
    let began = Instant::now();
    while cache.status().in_progress {
        assert!(began.elapsed() < Duration::from_secs(10), "a fetch does not end");
        thread::yield_now();
    }
}

/// A tenant, a client that counts the fetches of keys, and a clock that the test moves.
#[derive(Clone)]
struct Setting {
    tenant: Emulator,
    client: Client,
    fetches: Arc<AtomicUsize>,
    seconds: Arc<AtomicU64>,
    /// What is answered instead of the keys.
    instead: Arc<Mutex<Option<Instead>>>,
}

type Instead = fn() -> Result<Response, TransportError>;

impl Setting {
    fn new() -> Self {
        let tenant = Emulator::new();
        tenant.add_user(User::new("zhangsan"));
        tenant.bind(Platform::WeChatMiniProgram, "an-openid", "zhangsan");
        let fetches = Arc::new(AtomicUsize::new(0));
        let instead = Arc::new(Mutex::new(None::<Instead>));
        let (transport, counter, failing) = (tenant.clone(), Arc::clone(&fetches), Arc::clone(&instead));
        let client = tenant
            .client_builder("https://emulator.invalid")
            .build_with(move |request: Request| {
                if request.uri().path() == KEYS_PATH {
                    counter.fetch_add(1, Ordering::SeqCst);
                    if let Some(instead) = *failing.lock().unwrap() {
                        return instead();
                    }
                }
                transport.send(request)
            })
            .unwrap();
        Self { tenant, client, fetches, seconds: Arc::new(AtomicU64::new(1_000_000)), instead }
    }

    fn cache(&self) -> KeyCache {
        self.cache_of(&self.client)
    }

    /// A cache by this clock, of another client.
    fn cache_of(&self, client: &Client) -> KeyCache {
        let seconds = Arc::clone(&self.seconds);
        KeyCache::builder(client)
            .clock(move || UNIX_EPOCH + Duration::from_secs(seconds.load(Ordering::SeqCst)))
            .build()
    }

    fn pass(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    fn fail(&self, instead: Option<Instead>) {
        *self.instead.lock().unwrap() = instead;
    }

    fn token(&self) -> String {
        let code = self.tenant.wechat_login_code("an-openid");
        match self.client.login(device()).wechat_mini_program(code).send().unwrap() {
            Outcome::Authenticated(user) => user.id_token().unwrap().expose().to_owned(),
            other => panic!("{other:?}"),
        }
    }

    /// A token that names a key nobody has.
    fn forged(&self, number: usize) -> String {
        use base64::Engine;
        use base64::prelude::BASE64_URL_SAFE_NO_PAD;
        let header = BASE64_URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"RS256","kid":"forged-{number}"}}"#));
        let token = self.token();
        format!("{header}.{}", token.split_once('.').unwrap().1)
    }
}

#[test]
fn keys_are_fetched_once_and_kept() {
    let setting = Setting::new();
    let cache = setting.cache();
    assert_eq!(setting.fetches(), 0);
    for _ in 0..5 {
        cache.verify(&setting.token(), RS256).unwrap();
    }
    assert_eq!(setting.fetches(), 1);
    // A token that cannot be right costs no fetch.
    for bad in ["", "a.b.c", &setting.token().replacen('.', "..", 1)] {
        assert!(setting.cache().verify(bad, RS256).is_err());
    }
    assert!(setting.cache().verify(&setting.token(), &[]).is_err());
    assert_eq!(setting.fetches(), 1);
}

#[test]
fn the_first_token_of_a_new_key_verifies() {
    let setting = Setting::new();
    let cache = setting.cache();
    // There is none before the first key.
    setting.tenant.configure(|settings| settings.sign_with_previous_key = true);
    cache.verify(&setting.token(), RS256).unwrap();
    setting.tenant.configure(|settings| settings.sign_with_previous_key = false);
    for rotation in 2..6 {
        setting.pass(10);
        let old = setting.token();
        setting.tenant.rotate_key();
        cache.verify(&setting.token(), RS256).unwrap();
        assert_eq!(setting.fetches(), rotation);
        // The old key was withdrawn with the rotation: its tokens are good no more.
        assert!(matches!(cache.verify(&old, RS256), Err(IdTokenError::UnknownKey)));
        setting.tenant.configure(|settings| settings.sign_with_previous_key = true);
        assert!(matches!(cache.verify(&setting.token(), RS256), Err(IdTokenError::UnknownKey)));
        setting.tenant.configure(|settings| settings.sign_with_previous_key = false);
        assert_eq!(setting.fetches(), rotation, "the cooldown holds");
    }
}

/// A tenant may change a key and keep its name, or correct what the key is for: the first token verifies all the same. So
/// does one that names no key.
#[test]
fn a_key_may_change_under_its_name() {
    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    use ring::rand::SystemRandom;
    use ring::rsa::KeyPair;
    use ring::signature::RSA_PKCS1_SHA256;

    let setting = Setting::new();
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let publish = |pkcs8: &[u8], usage: &str| {
        let public: ring::rsa::PublicKeyComponents<Vec<u8>> =
            KeyPair::from_pkcs8(pkcs8).unwrap().public().into();
        let (n, e) = (encode(&public.n), encode(&public.e));
        let set =
            serde_json::json!({ "keys": [{ "kty": "RSA", "kid": "k1", "use": usage, "n": n, "e": e }] });
        setting.tenant.configure(|settings| settings.broken_key_set = Some(set.to_string()));
    };
    let sign = |pkcs8: &[u8], header: &str| {
        let signed = format!("{}.{}", encode(header.as_bytes()), encode(b"{}"));
        let key = KeyPair::from_pkcs8(pkcs8).unwrap();
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", encode(&signature))
    };
    for header in [r#"{"alg":"RS256","kid":"k1"}"#, r#"{"alg":"RS256"}"#] {
        let cache = setting.cache();
        publish(ONE, "sig");
        cache.verify(&sign(ONE, header), RS256).unwrap();
        publish(TWO, "sig");
        assert!(
            matches!(cache.verify(&sign(TWO, header), RS256), Err(IdTokenError::BadSignature)),
            "the cooldown"
        );
        setting.pass(10);
        cache.verify(&sign(TWO, header), RS256).unwrap();
        publish(ONE, "sig");
        setting.pass(10);
        publish(TWO, "enc");
        assert!(cache.verify(&sign(ONE, header), RS256).is_err());
        setting.pass(10);
        publish(TWO, "sig");
        cache.verify(&sign(TWO, header), RS256).unwrap();
    }
}

#[test]
fn keys_that_are_still_published_stay_good() {
    let setting = Setting::new();
    setting.tenant.configure(|settings| settings.published_previous_keys = 1);
    let cache = setting.cache();
    let old = setting.token();
    setting.tenant.rotate_key();
    cache.verify(&old, RS256).unwrap();
    cache.verify(&setting.token(), RS256).unwrap();
    assert_eq!(setting.fetches(), 1);
}

/// A stream of made-up key ids costs at most one fetch per cooldown.
#[test]
fn an_attacker_cannot_make_it_fetch() {
    let setting = Setting::new();
    let cache = setting.cache();
    cache.verify(&setting.token(), RS256).unwrap();
    for round in 1..=5 {
        setting.pass(10);
        for number in 0..100 {
            assert!(matches!(cache.verify(&setting.forged(number), RS256), Err(IdTokenError::UnknownKey)));
        }
        assert_eq!(setting.fetches(), 1 + round);
        cache.verify(&setting.token(), RS256).unwrap();
    }
}

/// 64 threads with an unknown key: one fetch, and all of them verify.
#[test]
fn many_threads_share_one_fetch() {
    let setting = Setting::new();
    let cache = setting.cache();
    for round in 0..3 {
        let expected = setting.fetches() + 1;
        let token = setting.token();
        let barrier = Barrier::new(64);
        thread::scope(|scope| {
            for _ in 0..64 {
                scope.spawn(|| {
                    barrier.wait();
                    cache.verify(&token, RS256).unwrap();
                });
            }
        });
        assert_eq!(setting.fetches(), expected, "round {round}");
        setting.pass(10);
        setting.tenant.rotate_key();
    }
}

#[test]
fn a_fetch_that_fails_costs_no_good_key() {
    let setting = Setting::new();
    let cache = setting.cache();
    let token = setting.token();
    cache.verify(&token, RS256).unwrap();
    let failures: [Instead; 6] = [
        || Err(TransportError::not_sent("offline")),
        || Err(TransportError::maybe_sent("reset")),
        || Ok(response(500, "")),
        || Ok(response(302, r#"{"keys":[]}"#)),
        || Ok(response(200, "<html>")),
        || Ok(response(200, vec![b' '; 300 << 10])),
    ];
    for (number, failure) in failures.into_iter().enumerate() {
        setting.fail(Some(failure));
        // Old, and cannot be fetched: it serves on.
        setting.pass(3600);
        cache.verify(&token, RS256).unwrap();
        settle(&cache);
        assert_eq!(setting.fetches(), 2 + 2 * number, "an old key set is fetched again");
        // Within the pause nothing is tried.
        cache.verify(&token, RS256).unwrap();
        settle(&cache);
        assert_eq!(setting.fetches(), 2 + 2 * number);
        setting.pass(LONGEST_PAUSE);
        assert!(matches!(cache.verify(&setting.forged(number), RS256), Err(IdTokenError::UnknownKey)));
        assert_eq!(setting.fetches(), 3 + 2 * number);
    }
    setting.fail(None);
    setting.pass(LONGEST_PAUSE);
    setting.tenant.rotate_key();
    cache.verify(&setting.token(), RS256).unwrap();
}

/// What the pause grows to, and the quarter by which it is lengthened at random.
const LONGEST_PAUSE: u64 = 120 + 30;

/// A well-formed set without a usable key is the tenant's word: the keys go at once. Their tokens are good again if it
/// publishes them again.
#[test]
fn withdrawn_keys_are_given_up_at_once() {
    let withdrawn: [Instead; 3] = [
        || Ok(response(200, r#"{"keys":[]}"#)),
        || Ok(response(200, r#"{"keys":[{"kty":"RSA"}]}"#)),
        || Ok(response(200, r#"{"keys":[{"kty":"oct","k":"AAAA"},17]}"#)),
    ];
    for nothing in withdrawn {
        let setting = Setting::new();
        let cache = setting.cache();
        let stolen = setting.token();
        cache.verify(&stolen, RS256).unwrap();
        setting.fail(Some(nothing));
        // Noticed by the first token that is not verified,
        setting.pass(10);
        assert!(matches!(cache.verify(&setting.forged(1), RS256), Err(IdTokenError::NoUsableKey)));
        assert!(matches!(cache.verify(&stolen, RS256), Err(IdTokenError::NoUsableKey)));
        // or by the age of the keys: the token that notices is the last one that is accepted.
        setting.fail(None);
        setting.pass(10);
        cache.verify(&stolen, RS256).unwrap();
        setting.fail(Some(nothing));
        setting.pass(3600);
        cache.verify(&stolen, RS256).unwrap();
        settle(&cache);
        assert!(matches!(cache.verify(&stolen, RS256), Err(IdTokenError::NoUsableKey)));
        // An endpoint that fails afterwards brings no key back.
        setting.fail(Some(|| Err(TransportError::not_sent("offline"))));
        for _ in 0..10 {
            setting.pass(60);
            assert!(matches!(cache.verify(&stolen, RS256), Err(IdTokenError::NoUsableKey)));
        }
        assert_eq!(cache.status().keys, 0);
        assert!(cache.status().failures > 5);
    }
}

/// Keys that cannot be fetched again are trusted for `max_stale`, and not for a second more.
#[test]
fn keys_become_stale() {
    let day = 24 * 3600;
    for (max_stale, expected) in [(None, day), (Some(7200), 7200), (Some(0), 3600)] {
        let setting = Setting::new();
        let seconds = Arc::clone(&setting.seconds);
        let mut builder = KeyCache::builder(&setting.client)
            .clock(move || UNIX_EPOCH + Duration::from_secs(seconds.load(Ordering::SeqCst)));
        if let Some(max_stale) = max_stale {
            builder = builder.max_stale(Duration::from_secs(max_stale));
        }
        let cache = builder.build();
        let token = setting.token();
        cache.verify(&token, RS256).unwrap();
        let began = setting.seconds.load(Ordering::SeqCst);
        setting.fail(Some(|| Ok(response(503, ""))));
        setting.pass(expected - 1);
        cache.verify(&token, RS256).unwrap();
        settle(&cache);
        setting.pass(1);
        let error = cache.verify(&token, RS256).unwrap_err();
        let IdTokenError::StaleKeys(cause) = &error else { panic!("{error}") };
        assert!(matches!(**cause, IdTokenError::Keys(_)));
        let text = support::with_causes(&error);
        let words = "the tenant's keys are too old to be trusted: could not fetch the tenant's keys: ";
        assert!(text.starts_with(words) && text.ends_with("HTTP 503"), "{text}");
        // A clock that is set back makes them no younger.
        setting.seconds.store(began, Ordering::SeqCst);
        assert!(matches!(cache.verify(&token, RS256), Err(IdTokenError::StaleKeys(_))));
        setting.seconds.store(began + expected, Ordering::SeqCst);
        setting.fail(None);
        setting.pass(60);
        cache.verify(&token, RS256).unwrap();
        assert_eq!((cache.status().keys, cache.status().failures), (1, 0));
    }
}

/// A thread that looked at the clock, and slept while another one's fetch failed: by its own watch it is earlier than that.
#[test]
fn a_thread_that_is_late_does_not_fetch_within_the_pause() {
    let setting = Setting::new();
    let token = setting.token();
    setting.fail(Some(|| Err(TransportError::not_sent("offline"))));
    let (looked, has_looked) = channel();
    let (go_on, may_go_on) = channel();
    let slow = Mutex::new(Some((looked, may_go_on)));
    // A tenth of a second passes from look to look.
    let looks = AtomicU64::new(0);
    let cache = KeyCache::builder(&setting.client)
        .clock(move || {
            let now = UNIX_EPOCH + Duration::from_millis(100 * looks.fetch_add(1, Ordering::SeqCst));
            let slow = slow.lock().unwrap().take();
            if let Some((looked, may_go_on)) = slow {
                looked.send(()).unwrap();
                may_go_on.recv().unwrap();
            }
            now
        })
        .build();
    thread::scope(|scope| {
        // Dropped however this ends, so that nobody waits for ever.
        let go_on = go_on;
        let late = scope.spawn(|| support::with_causes(&cache.verify(&token, RS256).unwrap_err()));
        has_looked.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(cache.verify(&token, RS256).is_err());
        go_on.send(()).unwrap();
        let error = late.join().unwrap();
        assert!(error.contains("offline"), "{error}");
    });
    assert_eq!(setting.fetches(), 1);
}

/// Which of the tenants that share a domain: the request for keys says so, too.
#[test]
fn the_keys_of_a_tenant_on_a_shared_domain_are_asked_for_by_its_id() {
    for tenant_id in [None, Some("8f1c2a")] {
        let edition =
            tenant_id.map_or(Edition::OneAccess, |id| Edition::OneAccessIsv { tenant_id: id.to_owned() });
        let seen = Arc::new(Mutex::new(None));
        let heard = Arc::clone(&seen);
        let client = Client::builder("https://common.example.com", "a-client").edition(edition);
        let client = client.build_with(move |request: Request| {
            *heard.lock().unwrap() = Some(request);
            Ok(response(503, ""))
        });
        let setting = Setting::new();
        KeyCache::new(&client.unwrap()).verify(&setting.token(), RS256).unwrap_err();
        let request = seen.lock().unwrap().take().unwrap();
        assert_eq!(request.uri(), "https://common.example.com/api/v1/oauth2/keys");
        let headers: Vec<_> = request.headers().iter().map(|(name, value)| (name.as_str(), value)).collect();
        let expected = tenant_id.map(HeaderValue::from_static);
        assert_eq!(headers, expected.iter().map(|id| ("x-tenant-id", id)).collect::<Vec<_>>());
    }
}

#[test]
fn without_any_keys_the_failure_is_told() {
    let setting = Setting::new();
    let cache = setting.cache();
    let token = setting.token();
    setting.fail(Some(|| Err(TransportError::not_sent("offline"))));
    let error = cache.verify(&token, RS256).unwrap_err();
    assert_eq!(
        support::with_causes(&error),
        "could not fetch the tenant's keys: before connecting (request not sent): offline"
    );
    let IdTokenError::Keys(cause) = error else { panic!("{error}") };
    assert!(matches!(*cause, Error::Transport(_)));
    // Too soon for another try; a second is enough while there are no keys at all.
    let again = cache.verify(&token, RS256).unwrap_err();
    assert_eq!(again.to_string(), "could not fetch the tenant's keys");
    assert_eq!(
        support::with_causes(&again),
        "could not fetch the tenant's keys: before connecting (request not sent): offline"
    );
    assert_eq!(setting.fetches(), 1);
    setting.pass(2);
    setting.fail(Some(|| Ok(response(200, "{}"))));
    assert!(matches!(cache.verify(&token, RS256), Err(IdTokenError::KeySet)));
    setting.pass(10);
    setting.fail(Some(|| Ok(response(503, ""))));
    assert!(matches!(cache.verify(&token, RS256), Err(IdTokenError::Keys(_))));
    setting.pass(10);
    setting.fail(None);
    cache.verify(&token, RS256).unwrap();
    // The tenant's own broken sets, too.
    for broken in ["", "{\"keys\":17}", "{}"] {
        let setting = Setting::new();
        setting.tenant.configure(|settings| settings.broken_key_set = Some(broken.to_owned()));
        assert!(
            matches!(setting.cache().verify(&setting.token(), RS256), Err(IdTokenError::KeySet)),
            "{broken}"
        );
    }
}

/// A transport that stops at the keys until it is told to go on.
fn stopping(setting: &Setting) -> (Client, Receiver<()>, Sender<()>) {
    let (arrived, at_the_keys) = channel();
    let (go_on, told) = channel();
    let (arrived, told) = (Mutex::new(arrived), Mutex::new(told));
    let (tenant, failing) = (setting.tenant.clone(), Arc::clone(&setting.instead));
    let client = setting
        .tenant
        .client_builder("https://emulator.invalid")
        .build_with(move |request: Request| {
            if request.uri().path() == KEYS_PATH {
                arrived.lock().unwrap().send(()).unwrap();
                told.lock().unwrap().recv().unwrap();
                if let Some(instead) = *failing.lock().unwrap() {
                    return instead();
                }
            }
            tenant.send(request)
        })
        .unwrap();
    (client, at_the_keys, go_on)
}

/// While a fetch is in progress, tokens whose key is there are verified: nobody waits.
#[test]
fn a_fetch_under_way_stops_nobody_who_has_a_key() {
    let setting = Setting::new();
    let (client, at_the_keys, go_on) = stopping(&setting);
    let cache = setting.cache_of(&client);
    let token = setting.token();
    go_on.send(()).unwrap();
    cache.verify(&token, RS256).unwrap();
    at_the_keys.recv_timeout(Duration::from_secs(10)).unwrap();
    for make_it_fetch in [10, 3600] {
        setting.pass(make_it_fetch);
        let forged = setting.forged(make_it_fetch.try_into().unwrap());
        let waiting = thread::spawn({
            let cache = cache.clone();
            move || cache.verify(&forged, RS256).is_err()
        });
        at_the_keys.recv_timeout(Duration::from_secs(10)).unwrap();
        // One thread is in the middle of a fetch. Nobody else is held up, though the keys may be old.
        for _ in 0..100 {
            cache.verify(&token, RS256).unwrap();
        }
        go_on.send(()).unwrap();
        if make_it_fetch == 3600 {
            // Old keys, then an unknown one among the new: within the cooldown that costs no second fetch.
            assert!(at_the_keys.try_recv().is_err());
        }
        assert!(waiting.join().unwrap());
    }
}

/// Keys past their age are fetched by nobody's thread: also the user whose token notices their age goes on.
#[test]
fn a_slow_endpoint_holds_nobody_up() {
    let setting = Setting::new();
    let (client, at_the_keys, go_on) = stopping(&setting);
    let cache = setting.cache_of(&client);
    let token = setting.token();
    go_on.send(()).unwrap();
    cache.verify(&token, RS256).unwrap();
    at_the_keys.recv_timeout(Duration::from_secs(10)).unwrap();
    setting.tenant.rotate_key();
    setting.pass(3600);
    // The endpoint does not respond, for 20 hours: one fetch, and every token is verified on the thread of its user.
    for _ in 0..2000 {
        cache.verify(&token, RS256).unwrap();
        setting.pass(36);
    }
    at_the_keys.recv_timeout(Duration::from_secs(10)).unwrap();
    assert!(at_the_keys.try_recv().is_err());
    // When it does, the new keys count.
    go_on.send(()).unwrap();
    settle(&cache);
    cache.verify(&setting.token(), RS256).unwrap();
    assert_eq!(cache.status().fetches, 2);
}

/// Who has to wait does so until the fetch is as old as the limit. The fetch goes on; its keys are used when they come.
#[test]
fn a_fetch_has_a_limit_of_its_own() {
    let setting = Setting::new();
    let (client, at_the_keys, go_on) = stopping(&setting);
    let cache = KeyCache::builder(&client).fetch_limit(Duration::from_millis(200)).build();
    let token = setting.token();
    let began = Instant::now();
    for _ in 0..100 {
        let error = cache.verify(&token, RS256).unwrap_err();
        assert_eq!(
            support::with_causes(&error),
            "could not fetch the tenant's keys: no response (request may have been sent): \
             the key endpoint has not responded within the time limit"
        );
        let IdTokenError::Keys(cause) = error else { panic!("{error}") };
        assert!(matches!(&*cause, Error::Transport(cause) if cause.is_timeout()));
    }
    // The first of them waited, the others came when the limit was over.
    assert!(began.elapsed() >= Duration::from_millis(200));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    at_the_keys.recv_timeout(Duration::from_secs(10)).unwrap();
    assert!(at_the_keys.try_recv().is_err(), "one fetch at a time");
    go_on.send(()).unwrap();
    settle(&cache);
    cache.verify(&token, RS256).unwrap();
}

/// The pause counts from the end of a fetch, doubles with each failure, and is lengthened by up to a quarter.
#[test]
fn the_pause_grows_with_failures() {
    let setting = Setting::new();
    let token = setting.token();
    let (down, seconds) = (Arc::new(AtomicBool::new(false)), Arc::clone(&setting.seconds));
    let (fetches, tenant) = (Arc::new(AtomicUsize::new(0)), setting.tenant.clone());
    let (is_down, counter) = (Arc::clone(&down), Arc::clone(&fetches));
    let client =
        setting.tenant.client_builder("https://emulator.invalid").build_with(move |request: Request| {
            if request.uri().path() == KEYS_PATH {
                counter.fetch_add(1, Ordering::SeqCst);
                if is_down.load(Ordering::SeqCst) {
                    // It fails after 40 seconds, which is longer than the first pauses.
                    seconds.fetch_add(40, Ordering::SeqCst);
                    return Ok(response(503, ""));
                }
            }
            tenant.send(request)
        });
    let cache = setting.cache_of(&client.unwrap());
    let look = || {
        cache.verify(&token, RS256).unwrap();
        settle(&cache);
        fetches.load(Ordering::SeqCst)
    };
    assert_eq!(look(), 1);
    down.store(true, Ordering::SeqCst);
    setting.pass(3600);
    assert_eq!(look(), 2);
    let mut pauses = Vec::new();
    for (expected, shortest) in (2..).zip([10, 20, 40, 80, 120, 120, 120, 120]) {
        setting.pass(shortest - 1);
        assert_eq!(look(), expected, "before {shortest} s are over");
        let mut pause = shortest - 1;
        while look() == expected {
            setting.pass(1);
            pause += 1;
        }
        assert!(pause <= shortest + shortest / 4 + 1, "{pause} s in the place of {shortest}");
        pauses.push(pause);
    }
    // Eight values by chance at their shortest: once in 16,777,216 runs or less.
    assert_ne!(pauses, [10, 20, 40, 80, 120, 120, 120, 120], "there is no jitter");
    down.store(false, Ordering::SeqCst);
    setting.pass(LONGEST_PAUSE);
    look();
    assert_eq!(cache.status().failures, 0);
}

/// A clock that panics while a fetch ends leaves nobody waiting.
#[test]
fn a_panic_in_the_clock_blocks_nobody() {
    let setting = Setting::new();
    let own = thread::current().id();
    let cache = KeyCache::builder(&setting.client)
        .clock(move || {
            assert_eq!(thread::current().id(), own, "a clock that panics where keys are fetched");
            UNIX_EPOCH + Duration::from_secs(1_000_000)
        })
        .build();
    let token = setting.token();
    let began = Instant::now();
    // The keys have come.
    cache.verify(&token, RS256).unwrap();
    assert!(began.elapsed() < Duration::from_secs(4));
    assert!(!cache.status().in_progress);
}

/// A transport that panics leaves no fetch behind that others would wait for.
#[test]
fn a_panic_in_a_fetch_blocks_nobody() {
    let setting = Setting::new();
    let panics = Arc::new(AtomicBool::new(true));
    let (tenant, flag) = (setting.tenant.clone(), Arc::clone(&panics));
    let client = setting
        .tenant
        .client_builder("https://emulator.invalid")
        .build_with(move |request: Request| {
            assert!(!flag.load(Ordering::SeqCst), "a transport that panics");
            tenant.send(request)
        })
        .unwrap();
    let cache = setting.cache_of(&client);
    let token = setting.token();
    let failure = cache.verify(&token, RS256).unwrap_err();
    let IdTokenError::Keys(cause) = &failure else { panic!("{failure}") };
    assert_eq!(format!("{cause:#}"), "no response (request may have been sent): the transport panicked");
    panics.store(false, Ordering::SeqCst);
    setting.pass(10);
    cache.verify(&token, RS256).unwrap();
}

/// Keys are fetched anew when they are an hour old, and not before, though the cooldown is long over.
#[test]
fn keys_that_are_not_old_are_not_fetched_again() {
    let setting = Setting::new();
    let cache = setting.cache();
    cache.verify(&setting.token(), RS256).unwrap();
    setting.pass(3599);
    cache.verify(&setting.token(), RS256).unwrap();
    assert_eq!(setting.fetches(), 1);
    setting.pass(1);
    cache.verify(&setting.token(), RS256).unwrap();
    settle(&cache);
    assert_eq!(setting.fetches(), 2);
}

/// A set of 256 KiB is read, a larger one is not.
#[test]
fn a_key_set_has_a_largest_size() {
    const LARGEST: usize = 256 << 10;
    for (size, is_read) in [(LARGEST, true), (LARGEST + 1, false)] {
        let setting = Setting::new();
        let tenant = setting.tenant.clone();
        let client = setting
            .tenant
            .client_builder("https://emulator.invalid")
            .build_with(move |request: Request| {
                let mut answer = tenant.send(request)?;
                answer.body_mut().resize(size, b' ');
                Ok(answer)
            })
            .unwrap();
        let verified = KeyCache::new(&client).verify(&setting.token(), RS256);
        match verified {
            Ok(_) => assert!(is_read, "{size} bytes"),
            Err(failure) => {
                assert!(!is_read && matches!(failure, IdTokenError::KeySet), "{size} bytes: {failure}");
            }
        }
    }
}

/// Who waits for another thread's fetch goes on when it ends, and not when nobody waits any longer, after five seconds.
#[test]
fn the_end_of_a_fetch_wakes_who_waits_for_it() {
    let setting = Setting::new();
    let (client, at_the_keys, go_on) = stopping(&setting);
    let (asks, asked) = channel();
    let cache = KeyCache::builder(&client)
        .clock(move || {
            let _ = asks.send(());
            UNIX_EPOCH + Duration::from_secs(1_000_000)
        })
        .build();
    let token = setting.token();
    let verify = || {
        let (cache, token) = (cache.clone(), token.clone());
        thread::spawn(move || cache.verify(&token, RS256).map(drop))
    };
    let fetching = verify();
    at_the_keys.recv_timeout(Duration::from_secs(10)).unwrap();
    while asked.try_recv().is_ok() {}
    let waiting = verify();
    // It has looked at the clock, the last that it does before it waits; what is left of the way no one can see.
    asked.recv_timeout(Duration::from_secs(10)).unwrap();
    (0..10_000).for_each(|_| thread::yield_now());
    let released = Instant::now();
    go_on.send(()).unwrap();
    fetching.join().unwrap().unwrap();
    waiting.join().unwrap().unwrap();
    assert!(released.elapsed() < Duration::from_secs(4), "{:?}", released.elapsed());
}

/// Settings without any sense lead to keys that are never or always fetched, not to a panic.
#[test]
fn settings_can_be_extreme() {
    for time in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
        let setting = Setting::new();
        let seconds = Arc::clone(&setting.seconds);
        let cache = KeyCache::builder(&setting.client)
            .max_age(time)
            .max_stale(time)
            .cooldown(time)
            .clock(move || UNIX_EPOCH + Duration::from_secs(seconds.load(Ordering::SeqCst)))
            .build();
        let token = setting.token();
        cache.verify(&token, RS256).unwrap();
        setting.fail(Some(|| Ok(response(503, ""))));
        for number in 0..20 {
            setting.pass(1 << number);
            let _ = (cache.verify(&token, RS256), cache.verify(&setting.forged(number), RS256));
            settle(&cache);
        }
        let patient = KeyCache::builder(&setting.client).fetch_limit(Duration::MAX).build();
        assert!(matches!(patient.verify(&token, RS256), Err(IdTokenError::Keys(_))));
        let hasty = KeyCache::builder(&setting.client).fetch_limit(Duration::ZERO).build();
        assert!(matches!(hasty.verify(&token, RS256), Err(IdTokenError::Keys(_))));
    }
}

/// The defaults are those of the documentation.
#[test]
fn the_settings_are_printed() {
    let client = support::client(support::always(404, ""));
    assert_eq!(
        format!("{:?}", KeyCache::builder(&client)),
        "KeyCacheBuilder { max_age: 3600s, max_stale: 86400s, cooldown: 10s, fetch_limit: 5s, .. }"
    );
    assert_eq!(
        format!("{:?}", KeyCache::new(&client)),
        "KeyCache { keys: None, max_age: 3600s, max_stale: 86400s, cooldown: 10s, fetch_limit: 5s, .. }"
    );
}

/// Who waits in vain is told so, and not why an earlier fetch failed.
#[test]
fn a_fetch_under_way_has_no_cause_of_failure_yet() {
    let setting = Setting::new();
    let (client, at_the_keys, go_on) = stopping(&setting);
    let seconds = Arc::clone(&setting.seconds);
    let cache = KeyCache::builder(&client)
        .clock(move || UNIX_EPOCH + Duration::from_secs(seconds.load(Ordering::SeqCst)))
        .fetch_limit(Duration::from_millis(200))
        .build();
    let token = setting.token();
    setting.fail(Some(|| Ok(response(503, ""))));
    go_on.send(()).unwrap();
    let text = support::with_causes(&cache.verify(&token, RS256).unwrap_err());
    assert!(text.ends_with("HTTP 503"), "{text}");
    at_the_keys.recv_timeout(Duration::from_secs(10)).unwrap();
    setting.pass(LONGEST_PAUSE);
    let text = support::with_causes(&cache.verify(&token, RS256).unwrap_err());
    assert!(text.ends_with("the key endpoint has not responded within the time limit"), "{text}");
    setting.fail(None);
    go_on.send(()).unwrap();
    settle(&cache);
}

/// A clock that is set back makes no key younger and leads to no fetch; one that goes back and forth leads to one.
#[test]
fn a_clock_that_jumps_does_no_harm() {
    let setting = Setting::new();
    let cache = setting.cache();
    let token = setting.token();
    cache.verify(&token, RS256).unwrap();
    setting.seconds.store(500, Ordering::SeqCst);
    cache.verify(&token, RS256).unwrap();
    settle(&cache);
    assert_eq!(setting.fetches(), 1);
    setting.seconds.store(1_000_000, Ordering::SeqCst);
    for _ in 0..1000 {
        for seconds in [1_007_200, 1_000_000] {
            setting.seconds.store(seconds, Ordering::SeqCst);
            cache.verify(&token, RS256).unwrap();
            settle(&cache);
        }
    }
    assert_eq!(setting.fetches(), 2);
    // It goes on from the latest time that it told.
    setting.seconds.store(1_007_200 + 3599, Ordering::SeqCst);
    cache.verify(&token, RS256).unwrap();
    settle(&cache);
    assert_eq!(setting.fetches(), 2);
    setting.pass(1);
    cache.verify(&token, RS256).unwrap();
    settle(&cache);
    assert_eq!(setting.fetches(), 3);
}

#[test]
fn the_keys_are_asked_for_without_any_token() {
    let seen = Arc::new(Mutex::new(None));
    let slot = Arc::clone(&seen);
    let client = support::client(move |request: Request| {
        *slot.lock().unwrap() = Some(support::text(&request));
        Ok(response(404, ""))
    });
    let _ = KeyCache::new(&client).verify(&Setting::new().token(), RS256);
    snapshot!("requests", "key_set", seen.lock().unwrap().take().unwrap());
}
