//! What a stranger sends costs at most four times its size in memory, plus 16 KiB, and at most 5 ms.
//!
//! `cargo test --release --test limits -- --nocapture` prints what each of them costs. The time is asserted in release builds
//! alone; the memory always, by an allocator that knows how much is in use at once.
#![cfg(all(feature = "verify", feature = "seal"))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::time::{Duration, Instant, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use idaas_login::{
    Algorithm, IdToken, IdTokenError, IdTokenVerifier, KeySet, SealKey, Sealer, Suspended, UnsealReason,
};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    KeyPair,
};
use serde_json::{Value, json};

// ---- The allocator

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    /// Bytes in use by this thread, and the most that were.
    static IN_USE: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

fn count(bytes: isize) {
    // The thread may be ending.
    let _ = IN_USE.try_with(|in_use| {
        let (now, most) = in_use.get();
        in_use.set((now + bytes, most.max(now + bytes)));
    });
}

// SAFETY: every block comes from the system's allocator and goes back to it, with the layout that it came with. `realloc` is
// the default one, so that a block that moves counts twice while it does.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

/// The most memory that `work` has in use at once, and the time of its fastest run.
fn cost(work: &dyn Fn()) -> (usize, Duration) {
    let (before, _) = IN_USE.get();
    IN_USE.set((before, before));
    work();
    let (_, most) = IN_USE.get();
    let fastest = (0..7).map(|_| {
        let began = Instant::now();
        work();
        began.elapsed()
    });
    ((most - before).unsigned_abs(), fastest.min().unwrap())
}

/// What was measured, and what of it is too much.
#[derive(Default)]
struct Costs {
    count: usize,
    too_much: Vec<String>,
}

impl Costs {
    fn measure(&mut self, what: &str, size: usize, work: &dyn Fn()) {
        let (memory, time) = cost(work);
        let row = format!("| {what} | {size} | {memory} | {:.3} |", time.as_secs_f64() * 1e3);
        println!("{row}");
        self.count += 1;
        let is_slow = time >= Duration::from_millis(5) && !cfg!(debug_assertions);
        if memory > 4 * size + (16 << 10) || is_slow {
            self.too_much.push(row);
        }
    }

    fn assert(self, of: &str) {
        println!("{} {of}", self.count);
        let too_much = self.too_much.join("\n");
        assert!(too_much.is_empty(), "what is sent, its bytes, bytes in use, milliseconds:\n{too_much}");
    }
}

// ---- What is sent

fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn random(bytes: usize) -> Vec<u8> {
    let mut random = vec![0; bytes];
    SystemRandom::new().fill(&mut random).unwrap();
    random
}

/// JSON of about `size` bytes that is made to grow when it is read: a value for `x`.
fn hostile(size: usize) -> Vec<(&'static str, String)> {
    let list = |element: &str| format!("[{}]", vec![element; size / (element.len() + 1)].join(","));
    let members = |member: &dyn Fn(usize) -> String, length: usize| {
        let all: Vec<_> = (0..size / (length + 1)).map(member).collect();
        format!("{{{}}}", all.join(","))
    };
    vec![
        ("a list of digits", list("0")),
        ("a list of empty texts", list(r#""""#)),
        ("a list of empty lists", list("[]")),
        ("a list of empty objects", list("{}")),
        ("an object of many members", members(&|number| format!(r#""{number:04}":0"#), 8)),
        ("an object of one member, over and over", members(&|_| r#""":0"#.to_owned(), 4)),
        ("lists in lists", format!("{}{}", "[".repeat(100), "]".repeat(100))),
        ("lists in lists without end", "[".repeat(size)),
        ("a long text", format!(r#""{}""#, "x".repeat(size))),
        ("a long text with an escape at its end", format!(r#""{}\n\n""#, "x".repeat(size - 20))),
        ("a long text of escapes", format!(r#""{}""#, r"\u0041".repeat(size / 6))),
        ("a long number", "1".repeat(size)),
    ]
}

const SIZES: [usize; 4] = [200, 2000, 12_000, 48_000];

/// An object that has `members` and one with a hostile value, under each of these names; and one with as many members as fit.
fn objects(members: &str, names: &[&str]) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for size in SIZES {
        for (what, value) in hostile(size) {
            for name in names {
                all.push((format!("{what} as {name}"), format!(r#"{{{members}"{name}":{value}}}"#)));
            }
        }
        for (what, name) in [("many members", ""), ("many members with escapes", r"\u0041")] {
            let more: Vec<_> = (0..size / 8).map(|number| format!(r#""{name}{number}":0"#)).collect();
            all.push((what.to_owned(), format!("{{{members}{}}}", more.join(","))));
            let some = more[..more.len().min(120)].join(",");
            all.push((format!("120 of {what}"), format!("{{{members}{some}}}")));
        }
    }
    all
}

fn rsa_key(bits: usize, exponent: u64, kid: Option<&str>) -> Value {
    let mut modulus = random(bits / 8);
    modulus[0] |= 0x80;
    *modulus.last_mut().unwrap() |= 1;
    let exponent: Vec<u8> = exponent.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    json!({ "kty": "RSA", "kid": kid, "n": encode(modulus), "e": encode(exponent) })
}

fn set(keys: &[Value]) -> KeySet {
    KeySet::from_json(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn verifier() -> IdTokenVerifier {
    let keys = set(&[rsa_key(2048, 65_537, Some("k1"))]);
    IdTokenVerifier::with_keys("https://acme.example.com/api/v1/oauth2", "a-client", keys)
        .clock(|| UNIX_EPOCH + Duration::from_secs(1_700_000_000))
}

// ---- The tests

/// A bearer token, to `IdTokenVerifier::verify`.
#[test]
fn a_token_to_be_verified() {
    let mut costs = Costs::default();
    let verifier = verifier();
    let signature = encode(random(256));
    let mut tokens = Vec::new();
    for (what, header) in objects(r#""alg":"RS256","#, &["x", "kid", "typ", "cty", "b64", "crit"]) {
        tokens.push((format!("header: {what}"), format!("{}.e30.{signature}", encode(header))));
    }
    let header = encode(r#"{"alg":"RS256","kid":"k1"}"#);
    for size in SIZES {
        tokens.push(("a long payload".to_owned(), format!("{header}.{}.{signature}", encode(random(size)))));
        tokens.push(("a long signature".to_owned(), format!("{header}.e30.{}", encode(random(size)))));
        tokens.push(("dots".to_owned(), ".".repeat(size)));
        tokens.push(("nonsense".to_owned(), "A".repeat(size)));
        tokens.push(("wide characters".to_owned(), "日".repeat(size / 3)));
    }
    for (what, token) in &tokens {
        costs.measure(what, token.len(), &|| {
            black_box(verifier.verify(&IdToken::from_text(black_box(token))).unwrap_err());
        });
    }
    let huge = "A".repeat(13 << 20);
    costs.measure("a token of 13 MiB", huge.len(), &|| {
        let refused = verifier.verify(&IdToken::from_text(black_box(&huge)));
        assert!(matches!(refused, Err(IdTokenError::TooLarge)));
    });
    let set = set(&[rsa_key(2048, 65_537, Some("k1"))]);
    costs.measure("a token of 13 MiB, to a key set", huge.len(), &|| {
        assert!(matches!(set.verify(black_box(&huge)), Err(IdTokenError::TooLarge)));
    });
    costs.assert("tokens");
}

/// A token of whatever origin, to `IdToken::unverified_claims`.
#[test]
fn a_token_to_be_read() {
    let mut costs = Costs::default();
    let names = ["x", "iss", "sub", "aud", "exp", "jti", "id", "name", "api"];
    let mut payloads = objects(r#""sub":"admin","#, &names);
    // JSON text in the claim `api`.
    for (what, nested) in objects(r#""id":"1","#, &["x", "id", "name"]) {
        payloads.push((format!("in api: {what}"), json!({ "api": nested }).to_string()));
    }
    for (what, payload) in &payloads {
        let token = format!("e30.{}.AAAA", encode(payload));
        if token.len() > 64 << 10 {
            continue;
        }
        costs.measure(what, token.len(), &|| {
            let _ = black_box(IdToken::from_text(black_box(&token)).unverified_claims());
        });
    }
    costs.assert("tokens");
}

/// A handle, to `Sealer::open`.
#[test]
fn a_handle_to_be_opened() {
    let mut costs = Costs::default();
    let secret: Vec<u8> = (0..32).collect();
    let sealer = Sealer::new(SealKey::new(1, &secret).unwrap(), Duration::from_secs(600));
    for size in [0, 50, 200, 2000, 12_000, 48_000, 98_000] {
        let whole = sealer.seal(&Suspended::from_bytes(&random(size)), b"cookie").unwrap();
        let mut changed = whole.clone().into_bytes();
        *changed.last_mut().unwrap() ^= 1;
        for (what, handle) in [
            ("another's handle", whole),
            ("a changed handle", String::from_utf8(changed).unwrap()),
            ("nonsense as a handle", "A".repeat(size + 1)),
            ("no Base64 at the end of a handle", format!("{}!", "A".repeat(size))),
        ] {
            costs.measure(what, handle.len(), &|| {
                black_box(sealer.open(black_box(&handle), b"another cookie").unwrap_err());
            });
        }
    }
    let huge = "A".repeat(13 << 20);
    costs.measure("a handle of 13 MiB", huge.len(), &|| {
        assert_eq!(*sealer.open(black_box(&huge), b"cookie").unwrap_err().reason(), UnsealReason::TooLarge);
    });
    costs.assert("handles");
}

/// ring's.
const LARGEST_EXPONENT: u64 = (1 << 33) - 1;

/// A forged token that every key of the set could have signed, whatever keys the tenant has.
#[test]
fn a_forged_token_and_a_large_key_set() {
    let mut costs = Costs::default();
    let ec = |algorithm: &'static EcdsaSigningAlgorithm, curve: &str, size: usize| {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &SystemRandom::new()).unwrap();
        let (x, y) = key.public_key().as_ref()[1..].split_at(size);
        json!({ "kty": "EC", "crv": curve, "x": encode(x), "y": encode(y) })
    };
    let all = [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::Es384];
    for (what, algorithm, signature, key) in [
        ("2048 bits", "RS256", 256, rsa_key(2048, 65_537, None)),
        ("2048 bits, largest exponent", "RS256", 256, rsa_key(2048, LARGEST_EXPONENT, None)),
        ("4096 bits", "RS256", 512, rsa_key(4096, 65_537, None)),
        ("4096 bits, largest exponent", "PS256", 512, rsa_key(4096, LARGEST_EXPONENT, None)),
        ("8192 bits", "RS256", 1024, rsa_key(8192, 65_537, None)),
        ("8192 bits, largest exponent", "RS256", 1024, rsa_key(8192, LARGEST_EXPONENT, None)),
        ("8192 bits, largest exponent", "PS256", 1024, rsa_key(8192, LARGEST_EXPONENT, None)),
        ("P-256", "ES256", 64, ec(&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256", 32)),
        ("P-384", "ES384", 96, ec(&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384", 48)),
    ] {
        // Small enough to be less than any modulus, and than any curve's order.
        let mut bytes = random(signature);
        bytes[0] = 0;
        bytes[signature / 2] = 0;
        let header = encode(format!(r#"{{"alg":"{algorithm}"}}"#));
        let token = format!("{header}.{}.{}", encode(r#"{"sub":"admin"}"#), encode(bytes));
        for keys in [1, 2, 64, 180] {
            let set = set(&vec![key.clone(); keys]);
            assert_eq!(set.len(), keys.min(64));
            let refused = set.verify_with(&token, &all).unwrap_err();
            let tried =
                if matches!(refused, IdTokenError::TooManyKeys) { "as many as may be" } else { "all" };
            assert!(matches!(refused, IdTokenError::TooManyKeys | IdTokenError::BadSignature), "{refused}");
            costs.measure(&format!("{keys} keys of {what}, {tried}"), token.len(), &|| {
                black_box(set.verify_with(black_box(&token), &all).unwrap_err());
            });
        }
    }
    costs.assert("key sets");
}
