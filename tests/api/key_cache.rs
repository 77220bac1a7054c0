//! Keys that rotate, tenants that fail, and many threads at once.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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
        tenant.bind(Platform::WeChat, "an-openid", "zhangsan");
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
        let seconds = Arc::clone(&self.seconds);
        KeyCache::builder(&self.client)
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
    let failures: [Instead; 7] = [
        || Err(TransportError::not_sent("offline")),
        || Err(TransportError::maybe_sent("reset")),
        || Ok(response(500, "")),
        || Ok(response(302, r#"{"keys":[]}"#)),
        || Ok(response(200, "<html>")),
        || Ok(response(200, r#"{"keys":[]}"#)),
        || Ok(response(200, vec![b' '; 300 << 10])),
    ];
    for (number, failure) in failures.into_iter().enumerate() {
        setting.fail(Some(failure));
        // Old, and cannot be fetched: it serves on.
        setting.pass(3600);
        cache.verify(&token, RS256).unwrap();
        assert_eq!(setting.fetches(), 2 + 2 * number, "an old key set is fetched again");
        // Within the cooldown nothing is tried.
        cache.verify(&token, RS256).unwrap();
        assert_eq!(setting.fetches(), 2 + 2 * number);
        setting.pass(10);
        assert!(matches!(cache.verify(&setting.forged(number), RS256), Err(IdTokenError::UnknownKey)));
        assert_eq!(setting.fetches(), 3 + 2 * number);
    }
    setting.fail(None);
    setting.pass(10);
    setting.tenant.rotate_key();
    cache.verify(&setting.token(), RS256).unwrap();
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
        let late = scope.spawn(|| cache.verify(&token, RS256).unwrap_err().to_string());
        has_looked.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(cache.verify(&token, RS256).is_err());
        go_on.send(()).unwrap();
        let error = late.join().unwrap();
        assert!(error.contains("too soon after a fetch that failed"), "{error}");
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
        error.to_string(),
        "the tenant's keys are not to be had: before connecting: offline (request not sent)"
    );
    let IdTokenError::Keys(cause) = error else { panic!("{error}") };
    assert!(matches!(*cause, Error::Transport(_)));
    // Too soon for another try; a second is enough while there are no keys at all.
    let error = cache.verify(&token, RS256).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the tenant's keys are not to be had: before connecting: too soon after a fetch that failed \
         [before connecting: offline (request not sent)] (request not sent)"
    );
    assert_eq!(setting.fetches(), 1);
    setting.pass(1);
    setting.fail(Some(|| Ok(response(200, "{}"))));
    assert!(matches!(cache.verify(&token, RS256), Err(IdTokenError::KeySet)));
    setting.pass(10);
    setting.fail(Some(|| Ok(response(503, ""))));
    assert!(matches!(cache.verify(&token, RS256), Err(IdTokenError::Keys(_))));
    setting.pass(10);
    setting.fail(None);
    cache.verify(&token, RS256).unwrap();
    // The tenant's own broken sets, too.
    for broken in ["", "{\"keys\":17}", "{\"keys\":[{\"kty\":\"RSA\"}]}"] {
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
    let (arrived, told, tenant) = (Mutex::new(arrived), Mutex::new(told), setting.tenant.clone());
    let client = setting
        .tenant
        .client_builder("https://emulator.invalid")
        .build_with(move |request: Request| {
            if request.uri().path() == KEYS_PATH {
                arrived.lock().unwrap().send(()).unwrap();
                told.lock().unwrap().recv().unwrap();
            }
            tenant.send(request)
        })
        .unwrap();
    (client, at_the_keys, go_on)
}

/// While one thread is fetching, others that find their key verify: they wait for nobody.
#[test]
fn a_fetch_under_way_stops_nobody_who_has_a_key() {
    let setting = Setting::new();
    let (client, at_the_keys, go_on) = stopping(&setting);
    let seconds = Arc::clone(&setting.seconds);
    let cache = KeyCache::builder(&client)
        .clock(move || UNIX_EPOCH + Duration::from_secs(seconds.load(Ordering::SeqCst)))
        .build();
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

/// A clock that panics while a fetch ends leaves nobody waiting.
#[test]
fn a_panic_in_the_clock_blocks_nobody() {
    let setting = Setting::new();
    let (client, at_the_keys, go_on) = stopping(&setting);
    let broken = Arc::new(AtomicBool::new(false));
    let (flag, fetching) = (Arc::clone(&broken), Arc::new(Mutex::new(None)));
    let fetcher = Arc::clone(&fetching);
    let cache = KeyCache::builder(&client)
        .clock(move || {
            let own = *fetcher.lock().unwrap() == Some(thread::current().id());
            assert!(!(own && flag.load(Ordering::SeqCst)), "a clock that panics");
            UNIX_EPOCH + Duration::from_secs(1_000_000)
        })
        .build();
    let token = setting.token();
    let panicking = thread::spawn({
        let (cache, token) = (cache.clone(), token.clone());
        move || {
            *fetching.lock().unwrap() = Some(thread::current().id());
            cache.verify(&token, RS256)
        }
    });
    at_the_keys.recv_timeout(Duration::from_secs(10)).unwrap();
    broken.store(true, Ordering::SeqCst);
    let waiting = thread::spawn(move || cache.verify(&token, RS256).is_err());
    go_on.send(()).unwrap();
    assert!(panicking.join().is_err());
    // It may have come too late to wait; either way it ends, without keys.
    assert!(waiting.join().unwrap());
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
    let seconds = Arc::clone(&setting.seconds);
    let cache = KeyCache::builder(&client)
        .clock(move || UNIX_EPOCH + Duration::from_secs(seconds.load(Ordering::SeqCst)))
        .build();
    let token = setting.token();
    let failure = cache.verify(&token, RS256).unwrap_err();
    let IdTokenError::Keys(cause) = &failure else { panic!("{failure}") };
    assert_eq!(cause.to_string(), "no answer: the transport panicked (request may have been sent)");
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

/// What is not said is as the documentation says: an hour, ten seconds.
#[test]
fn the_settings_are_printed() {
    let client = support::client(support::always(404, ""));
    assert_eq!(
        format!("{:?}", KeyCache::builder(&client)),
        "KeyCacheBuilder { max_age: 3600s, cooldown: 10s, .. }"
    );
    assert_eq!(
        format!("{:?}", KeyCache::new(&client)),
        "KeyCache { keys: None, max_age: 3600s, cooldown: 10s, .. }"
    );
}

/// A clock that is set back makes keys old at the worst, never eternal.
#[test]
fn a_clock_that_goes_back_does_no_harm() {
    let setting = Setting::new();
    let cache = setting.cache();
    cache.verify(&setting.token(), RS256).unwrap();
    setting.seconds.store(500, Ordering::SeqCst);
    cache.verify(&setting.token(), RS256).unwrap();
    assert_eq!(setting.fetches(), 2);
    cache.verify(&setting.token(), RS256).unwrap();
    assert_eq!(setting.fetches(), 2);
    assert!(SystemTime::now() > UNIX_EPOCH);
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
