//! A login between two requests: a `PendingBind` suspended and sealed, opened and resumed, beside bare ring, in one run.
//!
//! Bare ring encrypts and decrypts the same number of bytes with AES-256-GCM, with a random nonce: what no sealed handle can
//! do without. The rest is the expiry, the context's HMAC, Base64, and putting the stage together.
//!
//! Each candidate is timed in many short rounds that take turns, and the fastest round of each counts: what disturbs a round
//! can only make it slower.

use std::cell::RefCell;
use std::hint::black_box;
use std::time::{Duration, Instant};

use idaas_login::{Client, Device, Outcome, PendingBind, Request, Response, SealKey, Sealer, TransportError};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

const ROUNDS: usize = 60;
const CALLS: u32 = 2000;
/// The longest that a handle may be in a usual flow.
const MAX_HANDLE: usize = 1024;
/// A mini program's session with the service.
const CONTEXT: &[u8] = b"k2V8sWq1dP0xYb7TnZ4mLr9cHf3gJe6u";

fn main() {
    let client = Client::builder("https://acme.example.com", "nTo1eRIub60vPb54WeE6aojPwYwImtl4")
        .build_with(|_: Request| -> Result<Response, TransportError> {
            let token = "eyJhbGciOiJIUzI1NiJ9.".chars().chain("kV3x".chars().cycle()).take(300);
            let data = r#"{\"socialBindOrRegisterFlow\":[\"VERIFY_PHONE\",\"VERIFY_EMAIL\"]}"#;
            let token: String = token.collect();
            let body = format!(r#"{{"status":"SOCIAL_BIND","state_token":"{token}","data":"{data}"}}"#);
            Ok(Response::new(body.into_bytes()))
        })
        .unwrap();
    let agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 13_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Mobile/15E148 MicroMessenger/8.0.49 NetType/WIFI Language/zh";
    let agent: String = agent.chars().chain("_".chars().cycle()).take(150).collect();
    let device = Device::new("ios13.3", "156aysdna213sc50", &agent)
        .unwrap()
        .with_ip([192, 168, 1, 2])
        .with_language("zh");
    let login = client.login(device.unwrap()).wechat_mini_program("0a3kV8ll2Qh1Yd4").send();
    let Ok(Outcome::PendingBind(stage)) = login else { panic!("an account is to be bound") };

    let sealer = Sealer::new(SealKey::new(1, &[7; 32]).unwrap(), Duration::from_secs(600));
    let suspended = stage.suspend();
    let plain = suspended.to_bytes();
    let handle = sealer.seal(&suspended, CONTEXT).unwrap();

    // Suspending takes the stage, and a stage has no clones: each round gets as many as it takes, before the clock runs.
    let stages = RefCell::new(Vec::<PendingBind>::new());
    let stock = || {
        let more = (0..CALLS).map(|_| client.resume(suspended.clone()).unwrap());
        stages.borrow_mut().extend(more);
    };
    let seal = || {
        let stage = stages.borrow_mut().pop().unwrap();
        drop(black_box(sealer.seal(&black_box(stage).suspend(), CONTEXT).unwrap()));
    };
    let open = || {
        let suspended = sealer.open(black_box(&handle), CONTEXT).unwrap();
        drop(black_box(client.resume::<PendingBind>(suspended).unwrap()));
    };

    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).unwrap());
    let random = SystemRandom::new();
    let encrypt = || {
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce).unwrap();
        let mut bytes = black_box(plain).to_vec();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut bytes).unwrap();
        black_box(bytes);
    };
    let mut sealed = plain.to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key([0; NONCE_LEN]), Aad::empty(), &mut sealed)
        .unwrap();
    let decrypt = || {
        let mut bytes = black_box(&sealed).clone();
        key.open_in_place(Nonce::assume_unique_for_key([0; NONCE_LEN]), Aad::empty(), &mut bytes).unwrap();
        black_box(bytes);
    };

    // The candidate, and the one that its ratio is to.
    let candidates: [(&str, usize, &dyn Fn()); 4] = [
        ("ring: random nonce, AES-256-GCM, encrypt", 0, &encrypt),
        ("idaas-login: suspend, Sealer::seal", 0, &seal),
        ("ring: AES-256-GCM, decrypt", 2, &decrypt),
        ("idaas-login: Sealer::open, Client::resume", 2, &open),
    ];
    let mut fastest = [f64::INFINITY; 4];
    for _ in 0..ROUNDS {
        stock();
        for ((.., candidate), fastest) in candidates.iter().zip(&mut fastest) {
            let start = Instant::now();
            for _ in 0..CALLS {
                candidate();
            }
            *fastest = fastest.min(start.elapsed().as_secs_f64() / f64::from(CALLS));
        }
    }
    println!("{:52} {:>10} {:>8}", format!("a PendingBind of {} bytes", plain.len()), "µs", "ratio");
    for ((name, base, _), seconds) in candidates.iter().zip(fastest) {
        println!("{name:52} {:10.2} {:8.2}", seconds * 1e6, seconds / fastest[*base]);
    }
    let fits = if handle.len() < MAX_HANDLE { "less" } else { "NOT LESS" };
    println!("the handle has {} characters: {fits} than {MAX_HANDLE}", handle.len());
}
