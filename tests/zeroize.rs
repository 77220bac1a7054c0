//! Memory: the crate frees no block in which a secret still stands.
//!
//! The allocator of this process looks through every block before it is freed. It does not see the stack, nor registers:
//! what a move or a hash leaves there is out of reach of safe code, and of this test.
#![cfg(all(feature = "verify", feature = "seal"))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::slice;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use idaas_login::{
    CaptchaPass, Client, IdToken, IdTokenVerifier, KeySet, Outcome, PendingBind, Recovery,
    RegistrationAttributes, Request, Response, SealKey, Sealer, Suspended, TransportError, VerifyPhone,
    endpoints,
};
use serde_json::json;
use support::{Inputs, response};
use zeroize::Zeroizing;

// ---- The allocator

struct Watching;

#[global_allocator]
static ALLOCATOR: Watching = Watching;

// SAFETY: every block comes from the system's allocator and goes back to it, with the layout that it came with. `realloc` is
// the default one, which allocates, copies and frees, so that what it leaves behind is looked through, too.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Zeroed, so that nothing is found that stood there before, and every byte can be read.
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if WATCHED.get() {
            // SAFETY: the block is the caller's to give up, is as large as it says, and all of it was written.
            look_through(unsafe { slice::from_raw_parts(block, layout.size()) });
        }
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

/// The secrets, each as the unit that its text repeats: a part of it is found, too.
const UNITS: &[&str] = &[
    "qStateQz", "qSessnQz", "qIdtokQz", "qWxcodQz", "qWxmobQz", "qAlcodQz", "qPhoneQz", "qAlencQz",
    "qAppcoQz", "qAccesQz", "qNewpaQz", "qPassoQz", "qVcodeQz", "qCaptkQz", "qCapasQz", "qCapkeQz",
    "qMobilQz", "qEmailQz", "qMessgQz", "qSealkQz", "qClaimQz",
];

thread_local! {
    /// Whether this thread's blocks are looked through. Neither of the two needs memory, or a destructor.
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    /// How many blocks had each secret in them, and the size of the last.
    static FOUND: [Cell<(u32, usize)>; UNITS.len()] = const { [const { Cell::new((0, 0)) }; UNITS.len()] };
}

/// What is looked for, by its first byte: the units as they are, and in Base64 at each of the three places that they can have.
struct Needles {
    begins: [bool; 256],
    needles: Vec<(usize, Vec<u8>)>,
}

static NEEDLES: OnceLock<Needles> = OnceLock::new();

fn needles() -> Needles {
    let mut needles = Vec::new();
    for (place, unit) in UNITS.iter().enumerate() {
        needles.push((place, unit.as_bytes().to_vec()));
        for before in 0..3 {
            let encoded = BASE64_URL_SAFE_NO_PAD.encode([&b"\0\0"[..before], unit.as_bytes()].concat());
            let own = (before * 8).div_ceil(6)..(before + unit.len()) * 8 / 6;
            needles.push((place, encoded.as_bytes()[own].to_vec()));
        }
    }
    let mut begins = [false; 256];
    for (_, needle) in &needles {
        begins[usize::from(needle[0])] = true;
    }
    Needles { begins, needles }
}

/// Allocates nothing.
fn look_through(block: &[u8]) {
    let Some(Needles { begins, needles }) = NEEDLES.get() else { return };
    let mut seen = [false; UNITS.len()];
    for at in 0..block.len() {
        if begins[usize::from(block[at])] {
            for (place, needle) in needles {
                seen[*place] |= block[at..].starts_with(needle);
            }
        }
    }
    FOUND.with(|found| {
        for (found, _) in found.iter().zip(seen).filter(|(_, seen)| *seen) {
            found.set((found.get().0 + 1, block.len()));
        }
    });
}

/// Switches the watch for as long as it lives.
struct Switched(bool);

impl Switched {
    fn to(watched: bool) -> Self {
        Self(WATCHED.replace(watched))
    }
}

impl Drop for Switched {
    fn drop(&mut self) {
        WATCHED.set(self.0);
    }
}

/// The secrets in the blocks that were freed in this thread during `run`: how many blocks, and the size of the last.
fn left_behind(run: impl FnOnce()) -> BTreeMap<&'static str, (u32, usize)> {
    NEEDLES.get_or_init(needles);
    FOUND.with(|found| found.iter().for_each(|found| found.set((0, 0))));
    let watch = Switched::to(true);
    run();
    drop(watch);
    FOUND.with(|found| {
        let found = UNITS.iter().copied().zip(found.iter().map(Cell::get));
        found.filter(|(_, (blocks, _))| *blocks > 0).collect()
    })
}

/// A part of a run that is not the crate's: what it frees does not count.
fn apart<T>(run: impl FnOnce() -> T) -> T {
    let _watch = Switched::to(false);
    run()
}

#[track_caller]
fn assert_clean(what: &str, run: impl FnOnce()) {
    let left = left_behind(run);
    assert!(left.is_empty(), "{what}: freed with a secret in it (blocks, size of the last): {left:?}");
}

#[test]
fn a_secret_that_is_left_behind_is_caught() {
    let once = |size| BTreeMap::from([("qStateQz", (1, size))]);
    assert_eq!(left_behind(|| drop(STATE_TOKEN.to_owned())), once(40));
    // A part of it, and in Base64, wherever it stands.
    assert_eq!(left_behind(|| drop(STATE_TOKEN[3..30].to_owned())), once(27));
    for before in ["", "a", "ab"] {
        let left = left_behind(|| drop(BASE64_URL_SAFE_NO_PAD.encode(format!("{before}{STATE_TOKEN}"))));
        assert!(left.contains_key("qStateQz"), "{before}: {left:?}");
    }
    // What a buffer leaves behind that grows, though it is zeroized in the end.
    let growing = || {
        let mut growing = Zeroizing::new(Vec::with_capacity(40));
        growing.extend_from_slice(STATE_TOKEN.as_bytes());
        growing.extend_from_slice(&[0; 40]);
    };
    assert_eq!(left_behind(growing), once(40));
    assert_clean("zeroized", || drop(Zeroizing::new(STATE_TOKEN.to_owned())));
    assert_clean("apart", || apart(|| drop(STATE_TOKEN.to_owned())));
}

#[test]
fn an_extension_is_wiped_when_it_was_written() {
    // Much follows the secret, so that a buffer would have to grow.
    let extension = json!({ "answers": [{ "mobile": MOBILE }, "no secret"], "essay": "x".repeat(1_000) });
    assert_clean("an extension", || drop(RegistrationAttributes::new().extension(extension)));
}

// ---- The inputs

macro_rules! x5 {
    ($unit:literal) => {
        concat!($unit, $unit, $unit, $unit, $unit)
    };
}

const STATE_TOKEN: &str = x5!("qStateQz");
const SEAL_KEY: &str = x5!("qSealkQz");
const MOBILE: &str = x5!("qMobilQz");
const CAPTCHA_PASS: &str = x5!("qCapasQz");

const MARKED: Inputs = Inputs {
    device: support::device,
    wx_code: concat!("  ", x5!("qWxcodQz")),
    wx_mobile_code: x5!("qWxmobQz"),
    alipay_code: x5!("qAlcodQz"),
    phone_code: x5!("qPhoneQz"),
    alipay_encrypt: x5!("qAlencQz"),
    app_code: x5!("qAppcoQz"),
    access_token: x5!("qAccesQz"),
    open_id: "D892",
    user_name: "zhangshan",
    // With what has to be escaped in JSON.
    password: concat!("\"\\\u{1}é", x5!("qPassoQz")),
    new_password: concat!("\"\\\u{1}é", x5!("qNewpaQz")),
    nick_name: "Shan",
    mobile: MOBILE,
    registered_mobile: MOBILE,
    email: x5!("qEmailQz"),
    sms_code: x5!("qVcodeQz"),
    second_factor_code: x5!("qVcodeQz"),
    email_code: x5!("qVcodeQz"),
    captcha_pass: CAPTCHA_PASS,
    social_bind: concat!(
        r#"{"status":"SOCIAL_BIND","state_token":""#,
        x5!("qStateQz"),
        r#"","data":"{\"socialBindOrRegisterFlow\":[\"VERIFY_PHONE\",\"VERIFY_EMAIL\"]}"}"#
    ),
    user_register: concat!(
        r#"{"status":"USER_REGISTER","data":null,"state_token":""#,
        x5!("qStateQz"),
        r#""}"#
    ),
    mfa_auth: concat!(r#"{"status":"MFA_AUTH","state_token":" "#, x5!("qStateQz"), r#" "}"#),
    password_warn: concat!(
        r#"{"status":"PASSWORD_WARN","data":"{\"minLength\":8}","state_token":""#,
        x5!("qStateQz"),
        r#""}"#
    ),
    password_expired: concat!(r#"{"status":"PASSWORD_EXPIRED","state_token":""#, x5!("qStateQz"), r#""}"#),
    success: concat!(
        r#"{"session_token":""#,
        x5!("qSessnQz"),
        r#"","expire":432000,"status":"SUCCESS","id_token":""#,
        x5!("qIdtokQz"),
        r#""}"#
    ),
    captcha: concat!(
        r#"{"token":""#,
        x5!("qCaptkQz"),
        r#"","secretKey":""#,
        x5!("qCapkeQz"),
        r#"","originalImageBase64":null,"wordList":null}"#
    ),
};

/// A token with what has to be unescaped, which JSON permits and some servers write.
macro_rules! escaped {
    ($before:literal, $unit:literal, $after:literal) => {
        concat!($before, r"\/\u0041", $unit, r"\/", $unit, r"\u0042", $unit, r"\/", $unit, $after)
    };
}

/// Responses: each success, each class of failure, with secrets in whatever field can have one.
const ANSWERS: &[(u16, &str)] = &[
    (200, MARKED.success),
    (200, MARKED.social_bind),
    (200, MARKED.user_register),
    (200, MARKED.mfa_auth),
    (200, MARKED.captcha),
    (200, escaped!(r#"{"status":"SUCCESS","session_token":""#, "qSessnQz", r#""}"#)),
    (200, escaped!(r#"{"id_token":""#, "qIdtokQz", r#""}"#)),
    (200, escaped!(r#"{"status":"MFA_AUTH","state_token":""#, "qStateQz", r#""}"#)),
    (200, escaped!(r#"{"status":"SOCIAL_BIND","data":""#, "qMessgQz", r#""}"#)),
    (200, escaped!(r#"{"mobile":"+86-"#, "qMobilQz", r#""}"#)),
    (200, escaped!(r#"{"captcha_token":""#, "qCapasQz", r#""}"#)),
    (200, escaped!(r#"{"token":"a","secretKey":""#, "qCapkeQz", r#""}"#)),
    (200, concat!(r#"{"mobile":"+86-"#, x5!("qMobilQz"), r#""}"#)),
    (200, concat!(r#"{"captcha_token":""#, x5!("qCapasQz"), r#""}"#)),
    (200, concat!(r#"{"session_token":""#, x5!("qSessnQz"), r#"","id_token":""#, x5!("qIdtokQz"), r#""}"#)),
    (200, concat!(r#"{"status":"ACCESS_DENIED","state_token":""#, x5!("qStateQz"), r#""}"#)),
    (200, concat!(r#"{"status":"NEW_STATUS","state_token":""#, x5!("qStateQz"), r#""}"#)),
    (200, concat!(r#"{"status":"SUCCESS","session_token":[""#, x5!("qSessnQz"), r#""]}"#)),
    (200, concat!(r#"{"status":"SUCCESS","unknown":{"a":[""#, x5!("qSessnQz"), r#"\n"]}}"#)),
    // Cut off; no JSON; a surrogate alone.
    (200, concat!(r#"{"status":"SUCCESS","session_token":""#, x5!("qSessnQz"))),
    (200, x5!("qMessgQz")),
    (200, concat!(r#"{"status":"SUCCESS","session_token":"\/"#, x5!("qSessnQz"), r#"\ud800"}"#)),
    (302, x5!("qMessgQz")),
    (400, concat!(r#"{"error_code":"SDK.COMMON.1013","error_msg":""#, x5!("qMessgQz"), r#""}"#)),
    (400, escaped!(r#"{"error_code":"SDK.COMMON.1013","error_msg":""#, "qPassoQz", r#""}"#)),
    (400, concat!(r#"{"error_code":"IDAAS.SDK.COMMON.1007","error_msg":""#, x5!("qMessgQz"), r#""}"#)),
    (400, concat!(r#"{"error_code":"X.1","session_token":""#, x5!("qSessnQz"), r#""}"#)),
    (404, x5!("qMessgQz")),
    (500, concat!(r#"{"error_code":"SDK.COMMON.1008","error_msg":""#, x5!("qMessgQz"), r#""}"#)),
    (502, x5!("qMessgQz")),
];

/// A client whose first response leads to the row's stage. Its transport is not the crate's: it is not watched.
fn client_of(
    row: &'static endpoints::Endpoint,
    answer: impl Fn(Request) -> Result<Response, TransportError> + Send + Sync + 'static,
) -> Client {
    let first = Mutex::new(support::first_answer(row, &MARKED));
    let transport = move |request: Request| {
        apart(|| {
            if let Some(prepared) = support::prepared(row, &request) {
                return Ok(prepared);
            }
            match first.lock().unwrap().take() {
                Some(body) => Ok(response(200, body)),
                None => answer(request),
            }
        })
    };
    let builder = Client::builder("https://acme.example.com", support::CLIENT_ID);
    builder.edition(support::edition(row)).build_with(transport).unwrap()
}

/// Every step and side call, with every response.
#[test]
fn no_step_leaves_a_secret_behind() {
    let mut steps = 0;
    for row in endpoints::ALL {
        for &(http_status, body) in ANSWERS {
            let client = client_of(row, move |_| Ok(response(http_status, body)));
            assert_clean(&format!("{}, {http_status} {body}", support::name(row)), || {
                drop(support::walk(row, &client, &MARKED, &()));
            });
            steps += 1;
        }
        // Bytes that are no UTF-8 around a secret, many of them.
        let client = client_of(row, |_| {
            let broken = [&[0xff; 90], STATE_TOKEN.as_bytes(), &[0xff; 90]].concat();
            Ok(response(200, [br#"{"status":"MFA_AUTH","state_token":""#, &*broken, br#""}"#].concat()))
        });
        assert_clean(&format!("{}, no UTF-8", support::name(row)), || {
            drop(support::walk(row, &client, &MARKED, &()));
        });
        for error in [TransportError::not_sent, TransportError::maybe_sent] {
            let client = client_of(row, move |_| Err(error("no response")));
            assert_clean(&format!("{}, no response", support::name(row)), || {
                drop(support::walk(row, &client, &MARKED, &()));
            });
        }
    }
    assert_eq!(steps, endpoints::ALL.len() * ANSWERS.len());
}

fn pending_bind(client: &Client) -> PendingBind {
    let outcome = client.login(support::device()).wechat_mini_program(MARKED.wx_code).send().unwrap();
    let Outcome::PendingBind(stage) = outcome else { panic!("{outcome:?}") };
    stage
}

fn always(body: &'static str) -> Client {
    support::client(move |request: Request| {
        apart(|| {
            drop(request);
            Ok(response(200, body))
        })
    })
}

#[test]
fn what_is_never_sent_is_zeroized() {
    let client = always(MARKED.social_bind);
    assert_clean("a step", || drop(pending_bind(&client).username_password("a", MARKED.password)));
    assert_clean("a step without its second input", || {
        drop(pending_bind(&client).username_password(MARKED.password, "").send().unwrap_err());
    });
    assert_clean("a code with a control character", || {
        drop(pending_bind(&client).wechat_mobile(concat!("a\n", x5!("qPhoneQz"))).send().unwrap_err());
    });
    let broken =
        always(concat!(r#"{"status":"SOCIAL_BIND","state_token":"\u0001"#, x5!("qStateQz"), r#""}"#));
    assert_clean("a state token that no header can carry", || {
        drop(broken.login(support::device()).wechat_mini_program(MARKED.wx_code).send().unwrap_err());
    });
    assert_clean("a side call", || {
        let stage = pending_bind(&client).phone(MOBILE).unwrap();
        let pass = CaptchaPass::from_token(MOBILE, CAPTCHA_PASS);
        drop(stage.send_code(&pass));
        drop(stage.send_code(&CaptchaPass::from_token("another", CAPTCHA_PASS)).send().unwrap_err());
        drop(stage.back());
    });
    assert_clean("a request in flight, and the caller zeroizes its body", || {
        let step = pending_bind(&client).username_password("a", MARKED.password);
        let (request, in_flight) = step.into_request().unwrap();
        drop(Zeroizing::new(request.into_body()));
        drop(in_flight);
    });
    assert_clean("a way that is not allowed", || {
        let none = r#"{"status":"SOCIAL_BIND","state_token":"a","data":"{\"socialBindOrRegisterFlow\":[]}"}"#;
        drop(pending_bind(&always(none)).phone(MOBILE).unwrap_err());
    });
}

/// What is handed over is dropped here: as it is, unless it is of a type that zeroizes itself.
#[test]
fn an_owned_input_is_zeroized_if_its_type_does_so() {
    let client = always(MARKED.social_bind);
    let owned = || MARKED.password.to_owned();
    assert_clean("zeroizing", || drop(pending_bind(&client).username_password("a", Zeroizing::new(owned()))));
    let left = left_behind(|| drop(pending_bind(&client).username_password("a", owned())));
    assert_eq!(left.into_keys().collect::<Vec<_>>(), ["qPassoQz"], "as the page of Step says");
    // A destination is kept, and so zeroized.
    assert_clean("a destination", || drop(pending_bind(&client).phone(MOBILE.to_owned()).unwrap()));
    let none =
        always(r#"{"status":"SOCIAL_BIND","state_token":"a","data":"{\"socialBindOrRegisterFlow\":[]}"}"#);
    assert_clean("a destination that is not allowed", || {
        drop(pending_bind(&none).phone(MOBILE.to_owned()).unwrap_err());
    });
}

/// A wrong password, the right one, a second factor, a session, a renewal: what was held is zeroized on the way.
#[test]
fn a_login_from_beginning_to_end_leaves_nothing_behind() {
    let answers = Mutex::new(
        [
            (200, MARKED.social_bind),
            (400, r#"{"error_code":"SDK.COMMON.1013","error_msg":"x"}"#),
            (200, MARKED.mfa_auth),
            (200, concat!(r#"{"mobile":"+86-"#, x5!("qMobilQz"), r#""}"#)),
            (200, MARKED.success),
            (
                200,
                concat!(
                    r#"{"session_token":""#,
                    x5!("qSessnQz"),
                    r#"","id_token":""#,
                    x5!("qIdtokQz"),
                    r#""}"#
                ),
            ),
        ]
        .into_iter(),
    );
    let client = support::client(move |request: Request| {
        apart(|| {
            drop(request);
            let (http_status, body) = answers.lock().unwrap().next().unwrap();
            Ok(response(http_status, body))
        })
    });
    assert_clean("a login", || {
        let failed = pending_bind(&client).username_password("a", MARKED.password).send().unwrap_err();
        let Recovery::Retry(stage) = failed.into_recovery() else { panic!("the stage comes back") };
        let Ok(Outcome::MfaRequired(stage)) = stage.username_password("a", MARKED.password).send() else {
            panic!("a second factor is due")
        };
        let mobile = stage.registered_mobile().send().unwrap();
        let outcome = stage.phone(mobile).submit(MARKED.sms_code).send().unwrap();
        let Outcome::Authenticated(user) = outcome else { panic!("{outcome:?}") };
        let (session, id) = (user.session_token().clone(), user.id_token().cloned());
        let user = user.renew_id_token().send().unwrap();
        drop((user, session, id));
    });
}

// ---- Between requests

#[test]
fn what_is_put_down_and_picked_up_leaves_nothing_behind() {
    let client = always(MARKED.social_bind);
    let key = || SealKey::new(1, SEAL_KEY.as_bytes()).unwrap();
    assert_clean("a key that is too short", || assert!(SealKey::new(1, &SEAL_KEY.as_bytes()[..30]).is_err()));
    assert_clean("put down and picked up", || {
        let suspended = pending_bind(&client).phone(MOBILE).unwrap().suspend();
        let stage = client.resume::<VerifyPhone<PendingBind>>(suspended.clone()).unwrap();
        drop(client.resume_any::<idaas_login::WeChatMiniProgram>(suspended.clone()).unwrap());
        drop(client.resume::<PendingBind>(suspended).unwrap_err());
        drop(stage);
    });
    assert_clean("an unresolved step", || {
        let lost = support::client(move |request: Request| {
            apart(move || match request.into_parts().0.uri.path() {
                path if path.ends_with("wechat-miniprogram") => Ok(response(200, MARKED.social_bind)),
                _ => Err(TransportError::maybe_sent("lost")),
            })
        });
        let failed = pending_bind(&lost).wechat_mobile(MARKED.phone_code).send().unwrap_err();
        let Recovery::Unresolved(unresolved) = failed.into_recovery() else { panic!("it is unresolved") };
        let resumed = lost.resume_any::<idaas_login::WeChatMiniProgram>(unresolved.suspend()).unwrap();
        drop(resumed.suspend());
    });
    assert_clean("a session", || {
        let client = always(MARKED.success);
        let outcome = client.login(support::device()).wechat_mini_program("a").send().unwrap();
        let Outcome::Authenticated(user) = outcome else { panic!("{outcome:?}") };
        drop(client.resume::<idaas_login::Authenticated>(user.suspend()).unwrap());
    });
    assert_clean("sealed and opened", || {
        let sealer = Sealer::new(key(), Duration::from_secs(60))
            .also_open(SealKey::new(2, SEAL_KEY.as_bytes()).unwrap());
        let suspended = pending_bind(&client).suspend();
        let handle = sealer.seal(&suspended, b"a context").unwrap();
        drop(sealer.open(&handle, b"a context").unwrap());
        // Opened, and refused all the same: it had been decrypted.
        assert!(sealer.open(&handle, b"another context").is_err());
        let late = sealer.clone().clock(|| UNIX_EPOCH).seal(&suspended, b"a context").unwrap();
        assert!(sealer.open(&late, b"a context").is_err());
    });
    // Serialised without sealing it is the caller's text; the crate's own copies are zeroized.
    let json = serde_json::to_string(&pending_bind(&client).suspend()).unwrap();
    assert_clean("read by serde", || {
        drop(serde_json::from_str::<Suspended>(&json).unwrap());
    });
    let mut cut = json.clone();
    cut.replace_range(json.len() - 3.., "!!\"");
    assert_clean("read by serde, and broken at its end", || {
        drop(serde_json::from_str::<Suspended>(&cut).unwrap_err());
    });
    assert_clean("written by serde", || {
        let suspended = pending_bind(&client).suspend();
        let mut written = Zeroizing::new(Vec::with_capacity(4096));
        serde_json::to_writer(&mut *written, &suspended).unwrap();
        drop(Suspended::from_bytes(suspended.to_bytes()));
    });
}

// ---- Identity

const NOW: u64 = 1_646_876_579;
const ISSUER: &str = "https://acme.example.com/api/v1/oauth2";

fn signing_key() -> ring::rsa::KeyPair {
    ring::rsa::KeyPair::from_pkcs8(support::keys::ONE).unwrap()
}

/// A token whose payload and signature have the unit in them; the signature is right only if `signed`.
fn token(claims: &serde_json::Value, signed: bool) -> String {
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let text =
        format!("{}.{}", encode(br#"{"alg":"RS256","kid":"k1"}"#), encode(claims.to_string().as_bytes()));
    if !signed {
        return format!("{text}.{}", encode(MARKED.success.as_bytes()));
    }
    let key = signing_key();
    let mut signature = vec![0; key.public().modulus_len()];
    let random = ring::rand::SystemRandom::new();
    key.sign(&ring::signature::RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature).unwrap();
    format!("{text}.{}", encode(&signature))
}

fn verifier() -> IdTokenVerifier {
    let public: ring::rsa::PublicKeyComponents<Vec<u8>> = signing_key().public().into();
    let encode = |bytes: Vec<u8>| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let keys =
        json!({ "keys": [{ "kty": "RSA", "kid": "k1", "n": encode(public.n), "e": encode(public.e) }] });
    let keys = KeySet::from_json(keys.to_string().as_bytes()).unwrap();
    IdTokenVerifier::with_keys(ISSUER, support::CLIENT_ID, keys)
        .clock(|| UNIX_EPOCH + Duration::from_secs(NOW))
}

/// The token itself, that is its text, its signature and its payload: the claims that were read from it are the caller's.
#[test]
fn verifying_an_identity_token_leaves_nothing_of_it_behind() {
    // What no caller can read as a claim: an unknown member of an unknown member's place is skipped.
    let claims = |claim: &str| {
        json!({
            "iss": ISSUER, "aud": support::CLIENT_ID, "sub": "admin", "iat": NOW, "exp": NOW + 7200, "jti": claim,
        })
    };
    let verifier = verifier();
    let good = token(&claims(x5!("qClaimQz")), true);
    let forged = token(&claims(x5!("qClaimQz")), false);
    // Broken at the end of its signature, and of its payload.
    let cut = format!("{}!", &good[..good.len() - 1]);
    let (before, signature) = good.rsplit_once('.').unwrap();
    let broken = format!("{before}!.{signature}");
    for text in [good.as_str(), &forged, &cut, &broken] {
        let is_good = text == good;
        assert_clean("a token", || {
            let token = IdToken::from_text(text);
            let claims = verifier.verify(&token);
            assert_eq!(claims.is_ok(), is_good);
            // The claims are the caller's, who keeps them.
            std::mem::forget(claims.ok());
            std::mem::forget(token.unverified_claims().ok());
        });
    }
}

// ---- Over a real connection

/// What this thread leaves behind over [`UreqTransport`], which is ureq, rustls and http as much as this crate.
#[cfg(feature = "ureq")]
mod over_http {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener};
    use std::sync::Arc;
    use std::thread::JoinHandle;

    use idaas_login::{Call, Sent, Transport, UreqTransport};
    use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};

    use super::*;
    use support::server::Act::{Bytewise, Hear, Records, Say, Shake};
    use support::server::{Authority, Server};

    const ANSWERS: &[(&str, &str)] = &[
        ("200 OK", MARKED.social_bind),
        (
            "400 Bad Request",
            concat!(r#"{"error_code":"SDK.COMMON.1013","error_msg":""#, x5!("qMessgQz"), r#""}"#),
        ),
        ("200 OK", MARKED.mfa_auth),
        ("200 OK", concat!(r#"{"mobile":"+86-"#, x5!("qMobilQz"), r#""}"#)),
        ("200 OK", concat!(r#"{"captcha_token":""#, x5!("qCapasQz"), r#""}"#)),
        ("200 OK", "{}"),
        ("200 OK", MARKED.success),
        (
            "200 OK",
            concat!(r#"{"session_token":""#, x5!("qSessnQz"), r#"","id_token":""#, x5!("qIdtokQz"), r#""}"#),
        ),
    ];

    /// Serves one connection, which is kept for one response after the other; with `missing` bytes, only for the first, of which
    /// so many are announced and never come.
    fn server(tls: Option<Arc<ServerConfig>>, missing: usize) -> (SocketAddr, JoinHandle<usize>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            match tls {
                None => serve(stream, missing),
                Some(config) => {
                    serve(StreamOwned::new(ServerConnection::new(config).unwrap(), stream), missing)
                }
            }
        });
        (address, thread)
    }

    /// Responds until the client hangs up, or there is no response left, and tells how often.
    fn serve(mut stream: impl Read + Write, missing: usize) -> usize {
        for (answered, (status, body)) in ANSWERS.iter().enumerate() {
            if hear(&mut stream).is_none() {
                return answered;
            }
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len() + missing);
            stream.write_all([head.as_bytes(), body.as_bytes()].concat().as_slice()).unwrap();
            stream.flush().unwrap();
            if missing > 0 {
                return 1;
            }
        }
        // The client closes first.
        assert!(hear(&mut stream).is_none());
        ANSWERS.len()
    }

    /// One request.
    fn hear(stream: &mut impl Read) -> Option<()> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).ok()?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let length = head
            .split("content-length: ")
            .nth(1)
            .map_or(0, |rest| rest.split('\r').next().unwrap().parse().unwrap());
        stream.read_exact(&mut vec![0; length]).ok()
    }

    fn send<T: idaas_login::Reply>(call: Call<T>) -> T {
        call.send().unwrap()
    }

    /// A login with every kind of secret, over one connection that is kept, and closed at the end.
    fn log_in(base_address: &str, transport: UreqTransport) {
        let client = Client::builder(base_address, support::CLIENT_ID).allow_loopback_http();
        let client = client.build_with(transport).unwrap();
        let failed = pending_bind(&client).username_password("a", MARKED.password).send().unwrap_err();
        let Recovery::Retry(stage) = failed.into_recovery() else { panic!("the stage comes back") };
        let Ok(Outcome::MfaRequired(stage)) = stage.username_password("a", MARKED.password).send() else {
            panic!("a second factor is due")
        };
        let mobile = send(stage.registered_mobile());
        let captcha = client.captcha_from_token(&support::device(), x5!("qCaptkQz"));
        let pass = send(captcha.solve(1.0, mobile.expose()));
        let stage = stage.phone(mobile);
        send(stage.send_code(&pass));
        let outcome = stage.submit(MARKED.sms_code).send().unwrap();
        let Outcome::Authenticated(user) = outcome else { panic!("{outcome:?}") };
        drop(user.renew_id_token().send().unwrap());
    }

    #[test]
    fn over_plain_http_nothing_is_left_behind() {
        let (address, server) = server(None, 0);
        let left = left_behind(|| log_in(&format!("http://{address}"), UreqTransport::default()));
        assert_eq!(server.join().unwrap(), ANSWERS.len());
        assert_eq!(left, BTreeMap::new());
    }

    /// The first request of a connection, with secrets in its head and in its body: no buffer grows in between.
    #[test]
    fn a_request_that_is_put_together_leaves_nothing_behind() {
        let (address, server) = server(None, 0);
        let builder =
            || Client::builder(format!("http://{address}"), support::CLIENT_ID).allow_loopback_http();
        let before = builder().build_with(support::always(200, MARKED.social_bind)).unwrap();
        let suspended = pending_bind(&before).suspend();
        let left = left_behind(|| {
            let stage: PendingBind = builder().build().unwrap().resume(suspended).unwrap();
            drop(stage.username_password("a", MARKED.password).send());
        });
        assert_eq!(server.join().unwrap(), 1);
        assert_eq!(left, BTreeMap::new());
    }

    #[test]
    fn a_fault_leaves_nothing_behind() {
        // A response that is cut off: the request was sent, and part of a token came back.
        let (address, server) = server(None, 1000);
        let attempt = || {
            let client =
                Client::builder(format!("http://{address}"), support::CLIENT_ID).allow_loopback_http();
            let login = client.build().unwrap().login(support::device());
            drop(login.wechat_mini_program(MARKED.wx_code).send().unwrap_err());
        };
        assert_eq!(left_behind(attempt), BTreeMap::new());
        assert_eq!(server.join().unwrap(), 1);
        // Nobody is there any more.
        assert_eq!(left_behind(attempt), BTreeMap::new());
    }

    /// More than fits into what lies between: part of the request waits in ureq's buffer when the time is over.
    #[test]
    fn a_request_that_is_sent_in_part_leaves_nothing_behind() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let password = x5!("qPassoQz").repeat(1 << 18);
        let transport = UreqTransport::builder().call_timeout(Duration::from_secs(1)).build().unwrap();
        // A step is never that large, but what a transport is given may be.
        let left = left_behind(|| {
            let request =
                http::Request::post(format!("http://{address}/")).body(password.clone().into_bytes());
            let error = transport.send(request.unwrap()).unwrap_err();
            assert!(error.is_timeout() && error.sent() == Sent::Maybe, "{error}");
        });
        // Part of it arrived: it was under way.
        let (mut stream, _) = listener.accept().unwrap();
        let mut arrived = Vec::new();
        let _ = stream.read_to_end(&mut arrived);
        assert!((1 << 16..password.len()).contains(&arrived.len()), "{} bytes", arrived.len());
        assert_eq!(left, BTreeMap::new());
    }

    /// The settings may be the caller's; the connections, and what wipes ureq's buffers, are this crate's.
    #[test]
    fn over_a_configuration_of_the_callers_nothing_is_left_behind() {
        let (address, server) = server(None, 0);
        let config = ureq::Agent::config_builder().proxy(None).build();
        let transport = UreqTransport::from_config(&config).unwrap();
        let left = left_behind(|| log_in(&format!("http://{address}"), transport));
        assert_eq!(server.join().unwrap(), ANSWERS.len());
        assert_eq!(left, BTreeMap::new());
    }

    /// A response in one record, and in as many as it has bytes; one that is cut; and one that needs a larger buffer.
    #[test]
    fn over_tls_nothing_is_left_behind() {
        let authority = Authority::new();
        let transport = || UreqTransport::builder().root_certificates_pem(authority.0.pem()).build().unwrap();
        let versions: [&[&'static SupportedProtocolVersion]; 2] =
            [&[&rustls::version::TLS12], &[&rustls::version::TLS13]];
        for versions in versions {
            let config = authority.server("127.0.0.1", 4000, versions);
            let (address, server) = server(Some(Arc::clone(&config)), 0);
            let left = left_behind(|| log_in(&format!("https://{address}"), transport()));
            assert_eq!(server.join().unwrap(), ANSWERS.len());
            assert_eq!(left, BTreeMap::new(), "{versions:?}");

            let response = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{}",
                MARKED.success.len(),
                MARKED.success
            );
            let cut = response.as_bytes()[..response.len() - 20].to_vec();
            // A head that comes in two parts, for the second of which the buffer has to grow.
            let interim =
                concat!("HTTP/1.1 103 Early Hints\r\nx-token: ", x5!("qMessgQz"), "\r\n").to_owned();
            let rest = format!("x-padding: {}\r\n\r\n{response}", "y".repeat(6000));
            let scripts = [
                (Bytewise(response.into_bytes()), true),
                (Bytewise(cut.clone()), false),
                (Say(cut), false),
                (Records(vec![interim.clone(), rest.clone()]), true),
                // The same, when part of what is in the buffer has been read.
                (Records(vec![format!("{interim}\r\n{interim}"), rest]), true),
            ];
            for (number, (act, succeeds)) in scripts.into_iter().enumerate() {
                let server = Server::new(vec![vec![Shake(Arc::clone(&config)), Hear, act]]);
                let left = left_behind(|| {
                    let client = Client::builder(server.https(), support::CLIENT_ID);
                    let client = client.build_with(transport()).unwrap();
                    let login = client.login(support::device()).wechat_mini_program(MARKED.wx_code).send();
                    assert_eq!(login.is_ok(), succeeds);
                });
                assert_eq!(left, BTreeMap::new(), "{versions:?}, script {number}");
                assert_eq!(server.finish().len(), 1);
            }
        }
    }

    /// One connection carries the other, and both decrypt in one thread.
    #[test]
    fn through_a_proxy_over_tls_nothing_is_left_behind() {
        let authority = Authority::new();
        let config = authority.good_server();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let proxy = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let mut outer = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
            hear(&mut outer).unwrap();
            outer.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
            outer.flush().unwrap();
            serve(StreamOwned::new(ServerConnection::new(config).unwrap(), outer), 0)
        });
        let transport = UreqTransport::builder().root_certificates_pem(authority.0.pem());
        let transport = transport.proxy(format!("https://{address}")).build().unwrap();
        // Nobody listens there; the proxy responds instead.
        let left = left_behind(|| log_in("https://127.0.0.1:9", transport));
        assert_eq!(proxy.join().unwrap(), ANSWERS.len());
        assert_eq!(left, BTreeMap::new());
    }
}
