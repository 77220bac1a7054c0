//! Many days of each kind of key endpoint that fails or is slow, in simulated time: how often it is asked, how long a user
//! waits at the longest, and until when tokens are accepted.
//!
//! `cargo test --test key_outage` simulates two days, `DAYS=30 cargo test --release --test key_outage -- --nocapture` thirty,
//! and prints the table.
//!
//! A user comes every half minute with a good token, and every hour one whose token names an unknown key. A user waits by the
//! simulated clock: if the endpoint responds within the limit, for as long as it takes; otherwise for the limit of 5 seconds,
//! for which a real millisecond stands here.
#![cfg(feature = "verify")]

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use idaas_login::emulator::{Emulator, User};
use idaas_login::endpoints::{KEYS_PATH, Platform};
use idaas_login::{Algorithm, IdTokenError, KeyCache, Outcome, Request, Response, Transport, TransportError};
use support::{device, response};

const RS256: &[Algorithm] = &[Algorithm::Rs256];
const STEP: u64 = 30;
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
/// The default of `KeyCacheBuilder::fetch_limit`.
const LIMIT: u64 = 5;

/// A kind of endpoint, after a first response that was good.
struct Kind {
    name: &'static str,
    /// How long it takes to respond, in seconds.
    takes: u64,
    /// What it responds; `None`: the keys.
    responds: Option<fn() -> Result<Response, TransportError>>,
    /// How long a user waits at the longest, in seconds.
    longest_wait: u64,
    /// Until when good tokens are accepted, in seconds, but for the time until somebody notices.
    accepted_for: u64,
}

const KINDS: &[Kind] = &[
    failing("404", || Ok(response(404, ""))),
    failing("500", || Ok(response(500, r#"{"error_code":"SDK.COMMON.1008"}"#))),
    failing("a page of HTML", || Ok(response(200, "<html>login</html>"))),
    failing("an empty body", || Ok(response(200, ""))),
    failing("a key set beyond 256 KiB", || Ok(response(200, vec![b' '; 300 << 10]))),
    failing("nobody listens", || Err(TransportError::not_sent("connection refused"))),
    failing("the connection is lost", || Err(TransportError::maybe_sent("connection reset"))),
    Kind {
        name: "no usable key",
        takes: 0,
        responds: Some(|| Ok(response(200, r#"{"keys":[]}"#))),
        longest_wait: 0,
        // The first unknown key comes after half an hour.
        accepted_for: HOUR / 2,
    },
    Kind { name: "the keys, after 3 s", takes: 3, responds: None, longest_wait: 3, accepted_for: u64::MAX },
    Kind {
        name: "503, after 3 s",
        takes: 3,
        responds: Some(|| Ok(response(503, ""))),
        longest_wait: 3,
        accepted_for: DAY,
    },
    Kind {
        name: "nothing, for 60 s",
        takes: 60,
        responds: Some(|| Err(TransportError::maybe_sent("no response"))),
        longest_wait: LIMIT,
        accepted_for: DAY,
    },
];

const fn failing(name: &'static str, responds: fn() -> Result<Response, TransportError>) -> Kind {
    Kind { name, takes: 0, responds: Some(responds), longest_wait: 0, accepted_for: DAY }
}

/// The world of one kind.
struct World {
    kind: &'static Kind,
    seconds: Arc<AtomicU64>,
    fetches: Arc<AtomicUsize>,
    cache: KeyCache,
    /// A fetch has come to a slow endpoint, and may go on.
    arrived: Receiver<()>,
    go_on: Sender<()>,
    /// When the fetch that is at the endpoint ends.
    ends_at: Option<u64>,
    token: String,
    forged: String,
}

impl World {
    fn new(kind: &'static Kind) -> Self {
        let tenant = Emulator::new();
        tenant.add_user(User::new("zhangsan"));
        tenant.bind(Platform::WeChatMiniProgram, "an-openid", "zhangsan");
        let (seconds, fetches) = (Arc::new(AtomicU64::new(1_000_000)), Arc::new(AtomicUsize::new(0)));
        let (at_endpoint, arrived) = channel();
        let (go_on, may_go_on) = channel();
        let (at_endpoint, may_go_on) = (Mutex::new(at_endpoint), Mutex::new(may_go_on));
        let (begun, counter, endpoint) = (AtomicBool::new(false), Arc::clone(&fetches), tenant.clone());
        let client = tenant.client_builder("https://emulator.invalid").build_with(move |request: Request| {
            if request.uri().path() != KEYS_PATH || !begun.swap(true, Ordering::SeqCst) {
                return endpoint.send(request);
            }
            counter.fetch_add(1, Ordering::SeqCst);
            if kind.takes > 0 {
                at_endpoint.lock().unwrap().send(()).unwrap();
                may_go_on.lock().unwrap().recv().unwrap();
            }
            kind.responds.map_or_else(|| endpoint.send(request), |responds| responds())
        });
        let client = client.unwrap();
        let limit = if kind.takes > LIMIT { Duration::from_millis(1) } else { Duration::from_secs(60) };
        let clock = Arc::clone(&seconds);
        let cache = KeyCache::builder(&client)
            .fetch_limit(limit)
            .clock(move || UNIX_EPOCH + Duration::from_secs(clock.load(Ordering::SeqCst)))
            .build();
        let code = tenant.wechat_login_code("an-openid");
        let Outcome::Authenticated(user) = client.login(device()).wechat_mini_program(code).send().unwrap()
        else {
            panic!("it is bound")
        };
        let token = user.id_token().unwrap().expose().to_owned();
        let header = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"nobody's"}"#);
        let forged = format!("{header}.{}", token.split_once('.').unwrap().1);
        let world = Self { kind, seconds, fetches, cache, arrived, go_on, ends_at: None, token, forged };
        // The first keys come at once; here the limit may be too short for them all the same.
        let _ = world.cache.verify(&world.token, RS256);
        world.settle();
        world.cache.verify(&world.token, RS256).unwrap();
        world
    }

    fn now(&self) -> u64 {
        self.seconds.load(Ordering::SeqCst)
    }

    /// The fetch that is in progress has ended.
    fn settle(&self) {
        let began = Instant::now();
        while self.cache.status().in_progress {
            assert!(began.elapsed() < Duration::from_secs(20), "{}: a fetch does not end", self.kind.name);
            thread::yield_now();
        }
    }

    /// Time passes. If the fetch at the endpoint ends in it, it ends.
    fn pass_until(&mut self, time: u64) {
        if let Some(ends_at) = self.ends_at.filter(|ends_at| *ends_at <= time) {
            self.seconds.fetch_max(ends_at, Ordering::SeqCst);
            self.go_on.send(()).unwrap();
            self.settle();
            self.ends_at = None;
        }
        self.seconds.fetch_max(time, Ordering::SeqCst);
    }

    /// A user comes with a token: what becomes of it, and how long the user waits.
    fn user(&mut self, forged: bool) -> (Result<(), IdTokenError>, u64) {
        let cache = self.cache.clone();
        let token = if forged { self.forged.clone() } else { self.token.clone() };
        let before = self.now();
        if self.kind.takes == 0 {
            let result = cache.verify(&token, RS256);
            self.settle();
            return (result.map(drop), 0);
        }
        let fetches = self.cache.status().fetches;
        let busy = self.ends_at.is_some();
        let has_keys = self.cache.status().age.is_some_and(|age| age < Duration::from_secs(DAY));
        let within_limit = self.kind.takes <= LIMIT;
        thread::scope(|scope| {
            let user = scope.spawn(move || cache.verify(&token, RS256).map(drop));
            // Whether it begins a fetch, is seen when it has gone on or the fetch is at the endpoint.
            let began = Instant::now();
            let arrived = loop {
                if !busy && self.arrived.try_recv().is_ok() {
                    break true;
                }
                if user.is_finished() {
                    // A fetch that it began, and did not wait for, is on its way to the endpoint.
                    let is_coming = !busy && self.cache.status().in_progress;
                    break is_coming && self.arrived.recv_timeout(Duration::from_secs(20)).is_ok();
                }
                assert!(began.elapsed() < Duration::from_secs(20), "{}: a user waits", self.kind.name);
                thread::yield_now();
            };
            let mut waited = 0;
            if arrived {
                self.ends_at = Some(before + self.kind.takes);
                let waits = forged || !has_keys;
                if waits && within_limit {
                    // The user waits for as long as the endpoint takes.
                    waited = self.kind.takes;
                    self.seconds.fetch_max(before + waited, Ordering::SeqCst);
                    self.go_on.send(()).unwrap();
                    self.ends_at = None;
                } else if waits {
                    waited = LIMIT;
                }
            }
            // Who need not wait is not held up by a fetch that does not end before: then this would not end.
            let began = Instant::now();
            while !user.is_finished() {
                assert!(began.elapsed() < Duration::from_secs(20), "{}: a user is held up", self.kind.name);
                thread::yield_now();
            }
            let result = user.join().unwrap();
            if waited > 0 && within_limit {
                self.settle();
                assert_eq!(self.cache.status().fetches, fetches + 1);
            }
            (result, waited)
        })
    }
}

/// What was found of a kind.
struct Found {
    fetches: u64,
    longest_wait: u64,
    accepted_for: u64,
    refusal: String,
}

fn run(kind: &'static Kind, days: u64) -> Found {
    let mut world = World::new(kind);
    let begin = world.now();
    let (mut longest_wait, mut accepted_for, mut refusal) = (0, 0, String::from("none"));
    for step in 1..=days * DAY / STEP {
        world.pass_until(begin + step * STEP);
        let forged = step % (HOUR / STEP) == HOUR / STEP / 2;
        let (result, waited) = world.user(forged);
        longest_wait = longest_wait.max(waited);
        match result {
            Ok(()) => {
                assert!(!forged, "{}: a forged token is accepted", kind.name);
                accepted_for = step * STEP;
            }
            Err(_) if forged => {}
            Err(error) => refusal = error.to_string(),
        }
    }
    // Whatever is still in progress ends.
    world.pass_until(u64::MAX >> 24);
    Found { fetches: world.fetches.load(Ordering::SeqCst) as u64, longest_wait, accepted_for, refusal }
}

#[test]
fn days_of_each_kind_of_failing_endpoint() {
    let days: u64 = std::env::var("DAYS").map_or(2, |days| days.parse().unwrap());
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(kind) = KINDS.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let found = run(kind, days);
                    results.lock().unwrap().push((kind, found));
                }
            });
        }
    });
    let results = results.into_inner().unwrap();
    assert_eq!(results.len(), KINDS.len());
    println!("| key endpoint, for {days} days | fetches | longest wait | accepted for | then |");
    println!("|---|---|---|---|---|");
    for (kind, found) in &results {
        let Found { fetches, longest_wait, accepted_for, refusal } = found;
        let (hours, minutes) = (accepted_for / HOUR, accepted_for % HOUR / 60);
        println!("| {} | {fetches} | {longest_wait} s | {hours} h {minutes} min | {refusal} |", kind.name);
    }
    for (kind, found) in results {
        // Once an hour at least; while there are usable keys every two minutes at most, then every minute.
        let most =
            20 + DAY / 120 + (days - 1) * (DAY / 60) + if kind.accepted_for < DAY { DAY / 60 } else { 0 };
        assert!((24 * days..=most).contains(&found.fetches), "{}: {} fetches", kind.name, found.fetches);
        assert_eq!(found.longest_wait, kind.longest_wait, "{}: the longest wait", kind.name);
        let accepted_for = kind.accepted_for.min(days * DAY);
        let is_right = (accepted_for - 2 * STEP..=accepted_for).contains(&found.accepted_for);
        assert!(is_right, "{}: accepted for {} s", kind.name, found.accepted_for);
    }
}
