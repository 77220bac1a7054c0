//! A login between two requests: a `PendingBind` suspended and sealed, opened and resumed, beside bare ring, in one run.
//!
//! Bare ring encrypts and decrypts the same number of bytes with AES-256-GCM, with a random nonce: what no sealed handle can
//! do without. The rest is the expiry, the context's HMAC, Base64, and putting the stage together.
//!
//! Each candidate is timed in many short rounds that take turns, and the fastest round of each counts: what disturbs a round
//! can only make it slower.

use std::cell::RefCell;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Duration;

use idaas_login::{Client, Device, Outcome, PendingBind, Request, Response, SealKey, Sealer, TransportError};
use idaas_login_peers::record::{Record, Row, Target};
use idaas_login_peers::time::{fastest, rounds};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

const ROUNDS: usize = 60;
const CALLS: u32 = 2000;
/// The longest that a handle may be in a usual flow.
const MAX_HANDLE: f64 = 1024.0;
/// A mini program's session with the service.
const CONTEXT: &[u8] = b"k2V8sWq1dP0xYb7TnZ4mLr9cHf3gJe6u";

fn main() -> ExitCode {
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

    let sealer =
        Sealer::new(SealKey::new(1, b"a bench's key, which is no secret").unwrap(), Duration::from_secs(600));
    let suspended = stage.suspend();
    let plain = suspended.to_bytes();
    let handle = sealer.seal(&suspended, CONTEXT).unwrap();

    // Suspending takes the stage, and a stage has no clones: each round gets as many as it takes, before the clock runs.
    let stages = RefCell::new(Vec::<PendingBind>::new());
    let stock = || {
        let more = (0..CALLS).map(|_| client.resume(suspended.clone()).unwrap());
        stages.borrow_mut().extend(more);
    };
    let mut seal = || {
        let stage = stages.borrow_mut().pop().unwrap();
        drop(black_box(sealer.seal(&black_box(stage).suspend(), CONTEXT).unwrap()));
    };
    let mut open = || {
        let suspended = sealer.open(black_box(&handle), CONTEXT).unwrap();
        drop(black_box(client.resume::<PendingBind>(suspended).unwrap()));
    };

    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).unwrap());
    let random = SystemRandom::new();
    let mut encrypt = || {
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce).unwrap();
        let mut bytes = black_box(plain).to_vec();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut bytes).unwrap();
        black_box(bytes);
    };
    let mut sealed = plain.to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key([0; NONCE_LEN]), Aad::empty(), &mut sealed)
        .unwrap();
    let mut decrypt = || {
        let mut bytes = black_box(&sealed).clone();
        key.open_in_place(Nonce::assume_unique_for_key([0; NONCE_LEN]), Aad::empty(), &mut bytes).unwrap();
        black_box(bytes);
    };

    let mut seconds = vec![Vec::new(); 4];
    for _ in 0..ROUNDS {
        stock();
        let round = rounds(1, CALLS, &mut [&mut encrypt, &mut seal, &mut decrypt, &mut open]);
        seconds.iter_mut().zip(round).for_each(|(all, one)| all.extend(one));
    }
    let [encrypt, seal, decrypt, open] = std::array::from_fn(|which: usize| fastest(&seconds[which]) * 1e6);

    let mut record = Record::of("seal");
    record.add(Row::new("suspend, Sealer::seal", "µs", "ring, AES-256-GCM", seal, encrypt));
    record.add(Row::new("Sealer::open, Client::resume", "µs", "ring, AES-256-GCM", open, decrypt));
    let row = Row::new("a PendingBind's handle", "characters", "1024", handle.len() as f64, MAX_HANDLE);
    record.add(row.target(Target::Ratio(1.0)));
    record.finish()
}
