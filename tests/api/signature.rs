//! `X-signature`: what is signed, when, with what; and the steps of OneAccess that need it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use idaas_login::emulator::{Emulator, Fault, User};
use idaas_login::endpoints::{self, Platform};
use idaas_login::{
    Advice, Authenticated, Client, Edition, Error, ErrorClass, Outcome, Phase, Recovery, Request, Response,
    Sent, TransportError, UnexpectedReason, codes,
};
use rsa::pkcs8::DecodePrivateKey;
use rsa::sha2::Sha256;
use rsa::{Oaep, RsaPrivateKey};
use support::{CLIENT_ID, PUBLIC_KEY, SERVER_DATE, SESSION_TOKEN, device, response};

const THEN: u64 = 1_628_496_895_102;

/// The text in a signature, read with the private key.
fn opened(request: &Request) -> String {
    let key = RsaPrivateKey::from_pkcs8_der(include_bytes!("../../src/emulator/keys/signature.pk8")).unwrap();
    let value = &request.headers()["x-signature"];
    assert!(value.is_sensitive());
    let encrypted = BASE64_STANDARD.decode(value.as_bytes()).unwrap();
    assert_eq!(encrypted.len(), 256);
    String::from_utf8(key.decrypt(Oaep::new::<Sha256>(), &encrypted).unwrap()).unwrap()
}

/// The timestamp in a signature, whose other parts are as they have to be.
fn timestamp(request: &Request) -> u64 {
    let text = opened(request);
    let rest = text.strip_prefix(&format!("session_token={SESSION_TOKEN}&timestamp=")).unwrap();
    let (timestamp, nonce) = rest.split_once("&nonce=").unwrap();
    let timestamp: u64 = timestamp.parse().unwrap();
    assert_eq!(nonce, format!("{timestamp:x}"));
    timestamp
}

/// A client of OneAccess whose monotonic clock is at `clock`, in milliseconds, over `answers`.
fn client_at(
    clock: &Arc<AtomicU64>,
    answers: impl Fn(Request) -> Result<Response, TransportError> + Send + Sync + 'static,
) -> Client {
    let clock = Arc::clone(clock);
    Client::builder("https://acme.example.com", CLIENT_ID)
        .edition(Edition::OneAccess)
        .monotonic_clock(move || Duration::from_millis(clock.load(Ordering::SeqCst)))
        .build_with(answers)
        .unwrap()
}

/// A tenant that answers what signatures need, at the time `date`, and everything else with `other`.
fn prepares(
    date: &Arc<AtomicU64>,
    other: &'static str,
) -> impl Fn(Request) -> Result<Response, TransportError> + use<> {
    let date = Arc::clone(date);
    move |request: Request| {
        let path = request.uri().path();
        Ok(if path == endpoints::PUBLIC_KEY.path {
            response(200, PUBLIC_KEY)
        } else if path == endpoints::SERVER_DATE.path {
            response(200, format!(r#"{{"timestamp":"{}"}}"#, date.load(Ordering::SeqCst)))
        } else {
            response(if other.contains("error_code") { 400 } else { 200 }, other)
        })
    }
}

fn session(client: &Client) -> Authenticated {
    client.session(device(), SESSION_TOKEN).unwrap()
}

/// The timestamp that the next step is signed with.
fn next(client: &Client) -> u64 {
    let (request, _in_flight) = session(client).renew_id_token().into_request().unwrap();
    timestamp(&request)
}

#[test]
fn a_signature_has_the_token_the_time_and_its_hexadecimal() {
    let (clock, date) = (Arc::new(AtomicU64::new(5)), Arc::new(AtomicU64::new(THEN)));
    let client = client_at(&clock, prepares(&date, ""));
    client.prepare_signature(&device()).unwrap();
    let (request, _in_flight) = session(&client).logout().into_request().unwrap();
    assert_eq!(
        opened(&request),
        format!("session_token={SESSION_TOKEN}&timestamp=1628496895102&nonce=17b29fa9c7e")
    );
    // The same time, and another signature.
    let (again, _in_flight) = session(&client).logout().into_request().unwrap();
    assert_ne!(request.headers()["x-signature"], again.headers()["x-signature"]);
    assert_eq!(timestamp(&again), THEN + 1);
    // The very same text twice: each is encrypted with random numbers of its own.
    let other = client_at(&clock, prepares(&date, ""));
    other.prepare_signature(&device()).unwrap();
    let (same, _in_flight) = session(&other).logout().into_request().unwrap();
    assert_eq!(opened(&request), opened(&same));
    assert_ne!(request.headers()["x-signature"], same.headers()["x-signature"]);
    // The time is carried forward.
    clock.store(1_005, Ordering::SeqCst);
    assert_eq!(next(&client), THEN + 1_000);
    assert!(
        !request.headers().contains_key("x-session-token")
            && !request.headers().contains_key("session-token")
    );
    let printed = format!("{request:?} {client:?}");
    assert!(!printed.contains(SESSION_TOKEN), "{printed}");
}

#[test]
fn timestamps_increase_over_threads_and_clones() {
    let (clock, date) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(THEN)));
    let client = client_at(&clock, prepares(&date, ""));
    client.prepare_signature(&device()).unwrap();
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (client, clock) = (client.clone(), Arc::clone(&clock));
            std::thread::spawn(move || {
                let mut seen = Vec::new();
                for _ in 0..25 {
                    clock.fetch_add(1, Ordering::SeqCst);
                    seen.push(next(&client));
                }
                assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "{seen:?}");
                seen
            })
        })
        .collect();
    let seen: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 8 * 25);
}

/// Back, far ahead, to the end of time: timestamps increase, and after a refusal they are right again.
#[test]
fn a_clock_that_jumps_costs_a_refusal_at_most() {
    let (clock, date) = (Arc::new(AtomicU64::new(1_000_000)), Arc::new(AtomicU64::new(THEN)));
    let client = client_at(&clock, prepares(&date, r#"{"error_code":"PARAM.0030","error_msg":"x"}"#));
    client.prepare_signature(&device()).unwrap();
    assert_eq!(next(&client), THEN);
    for back in [999_999, 0, 500_000] {
        clock.store(back, Ordering::SeqCst);
        let before = next(&client);
        assert!(next(&client) > before);
    }
    // An hour ahead, and the tenant refuses.
    clock.store(4_600_000, Ordering::SeqCst);
    assert_eq!(next(&client), THEN + 3_600_000);
    let failed = session(&client).renew_id_token().send().unwrap_err();
    assert_eq!(failed.error().class(), Some(ErrorClass::StaleSignature));
    assert!(!client.can_sign());
    date.store(THEN + 10, Ordering::SeqCst);
    client.prepare_signature(&device()).unwrap();
    assert_eq!(next(&client), THEN + 10);
    // Without a refusal no time goes back, not even if the tenant's does.
    date.store(THEN - 3_600_000, Ordering::SeqCst);
    client.server_date(&device()).send().unwrap();
    assert_eq!(next(&client), THEN + 11);
    // Nor after one, if it is no more than clocks differ.
    session(&client).renew_id_token().send().unwrap_err();
    date.store(THEN - 1_000, Ordering::SeqCst);
    client.prepare_signature(&device()).unwrap();
    assert_eq!(next(&client), THEN + 13);
    // The end of time.
    clock.store(u64::MAX, Ordering::SeqCst);
    let client = Client::builder("https://acme.example.com", CLIENT_ID)
        .edition(Edition::OneAccess)
        .monotonic_clock({
            let asked = AtomicUsize::new(0);
            move || if asked.fetch_add(1, Ordering::SeqCst) == 0 { Duration::ZERO } else { Duration::MAX }
        })
        .build_with(prepares(&date, ""))
        .unwrap();
    client.prepare_signature(&device()).unwrap();
    assert_eq!(next(&client), u64::MAX);
    let failed = session(&client).logout().into_request().unwrap_err();
    assert!(matches!(failed.error(), Error::Transport(error) if error.sent() == Sent::No));
    client.prepare_signature(&device()).unwrap();
    assert_eq!(next(&client), THEN - 1_000);
}

/// Whichever of the two is there is not fetched again.
#[test]
fn only_what_is_missing_is_fetched() {
    let paths = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&paths);
    let date = Arc::new(AtomicU64::new(THEN));
    let answers = prepares(&date, r#"{"error_code":"PARAM.0030","error_msg":"x"}"#);
    let client = client_at(&Arc::default(), move |request: Request| {
        seen.lock().unwrap().push(request.uri().path().rsplit('/').next().unwrap().to_owned());
        answers(request)
    });
    let fetched = || std::mem::take(&mut *paths.lock().unwrap());
    assert!(!client.can_sign());
    let failed = session(&client).logout().send().unwrap_err();
    let Error::Transport(error) = failed.error() else { panic!("{failed:#}") };
    assert_eq!((error.sent(), error.phase()), (Sent::No, Phase::Prepare));
    assert!(format!("{error:#}").contains("prepare_signature()"));
    assert_eq!(failed.advice(), Advice::TryLater { retry_after: None });
    let Recovery::Retry(user) = failed.into_recovery() else { panic!("nothing was sent") };
    assert!(fetched().is_empty());

    client.prepare_signature(&device()).unwrap();
    assert_eq!(fetched(), ["public-key", "server-date"]);
    client.clone().prepare_signature(&device()).unwrap();
    assert!(fetched().is_empty() && client.can_sign());

    // A refused signature is not made again from the same.
    let failed = user.logout().send().unwrap_err();
    assert_eq!(fetched(), ["logout"]);
    assert_eq!(failed.error().class(), Some(ErrorClass::StaleSignature));
    let Recovery::Retry(user) = failed.into_recovery() else { panic!("the session lives") };
    assert!(matches!(user.logout().send().unwrap_err().into_recovery(), Recovery::Retry(_)));
    assert!(fetched().is_empty());
    client.public_key(&device()).send().unwrap();
    fetched();
    client.prepare_signature(&device()).unwrap();
    assert_eq!(fetched(), ["server-date"]);
}

/// A refusal that comes late does not take what was fetched meanwhile.
#[test]
fn a_late_refusal_concerns_the_signature_before() {
    let date = Arc::new(AtomicU64::new(THEN));
    let client = client_at(&Arc::default(), prepares(&date, ""));
    client.prepare_signature(&device()).unwrap();
    let refused = || Ok(response(400, r#"{"error_code":"PARAM.0030","error_msg":"x"}"#));
    let (_, first) = session(&client).logout().into_request().unwrap();
    let (_, second) = session(&client).logout().into_request().unwrap();
    first.receive(refused()).unwrap_err();
    client.prepare_signature(&device()).unwrap();
    second.receive(refused()).unwrap_err();
    assert!(client.can_sign());
}

#[test]
fn keys_are_read_with_whatever_line_ends() {
    let pem = include_str!("../../src/emulator/keys/signature.pem");
    let read = |body: String| {
        let client = client_at(&Arc::default(), move |_: Request| Ok(response(200, body.clone())));
        let key = client.public_key(&device()).send();
        // It is kept, or what was there before stays.
        assert!(!client.can_sign());
        key.map(|key| key.bits())
    };
    let key = |text: &str| serde_json::json!({ "public_key": text }).to_string();
    for ends in ["\n", "\r\n", "\\n", "\\r\\n", "", " "] {
        let text = pem.trim_end().replace('\n', ends);
        assert_eq!(read(key(&text)).unwrap(), 2048, "{ends:?}");
        assert_eq!(read(key(&format!("{text}{ends}"))).unwrap(), 2048, "{ends:?}");
    }
    let with = |change: fn(&str) -> String| key(&change(pem));
    for body in [
        "{}".to_owned(),
        r#"{"public_key":17}"#.to_owned(),
        r#"{"public_key":null}"#.to_owned(),
        key(""),
        key("-----BEGIN PUBLIC KEY----------END PUBLIC KEY-----"),
        with(|pem| pem.replace("PUBLIC", "PRIVATE")),
        with(|pem| pem.replace("MIIB", "MIIC")),
        with(|pem| pem.replace("IDAQAB", "")),
        with(|pem| pem.replace("IDAQAB", "IDAQAC+")),
        with(|pem| pem.repeat(20).replace("-----END PUBLIC KEY-----\n-----BEGIN PUBLIC KEY-----\n", "")),
        // Too small, too large, no RSA, an even modulus, an exponent of 1.
        key(&spki(&[0x81; 128], &[1, 0, 1])),
        key(&spki(&[0x81; 1025], &[1, 0, 1])),
        key(&spki(&[[0x81; 255].as_slice(), &[0x80]].concat(), &[1, 0, 1])),
        key(&spki(&[0x81; 256], &[1])),
        key(&spki(&[0x81; 256], &[1, 0, 0, 0, 0, 0, 0, 0, 1])),
        key(&spki(&[0x81; 256], &[1, 0, 1]).replace("AQEFAAOC", "AQIFAAOC")),
    ] {
        let Err(Error::Unexpected(answer)) = read(body.clone()) else { panic!("{body}") };
        assert_eq!(*answer.reason(), UnexpectedReason::Unreadable, "{body}");
    }
    // 4 KiB of text, blanks within included, and one more.
    let plain = pem.trim_end();
    let padded = |size: usize| key(&plain.replacen('\n', &" ".repeat(size - plain.len() + 1), 1));
    assert_eq!(read(padded(4096)).unwrap(), 2048);
    read(padded(4097)).unwrap_err();
    for bytes in [256, 512, 1024] {
        let body = key(&spki(&vec![0x81; bytes], &[1, 0, 1]));
        assert_eq!(read(body).unwrap(), bytes * 8);
    }
}

/// Any bit of a key can be wrong: it is refused, or something is signed with it.
#[test]
fn no_key_makes_the_client_panic() {
    let pem = include_str!("../../src/emulator/keys/signature.pem");
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = BASE64_STANDARD.decode(body).unwrap();
    let answer = Arc::new(Mutex::new(String::new()));
    let (date, given) = (Arc::new(AtomicU64::new(THEN)), Arc::clone(&answer));
    let others = prepares(&date, "");
    let client = client_at(&Arc::default(), move |request: Request| {
        let is_key = request.uri().path() == endpoints::PUBLIC_KEY.path;
        if is_key { Ok(response(200, given.lock().unwrap().clone())) } else { others(request) }
    });
    client.server_date(&device()).send().unwrap();
    let (mut taken, mut refused) = (0, 0);
    for bit in 0..der.len() * 8 {
        let mut changed = der.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let pem =
            format!("-----BEGIN PUBLIC KEY-----{}-----END PUBLIC KEY-----", BASE64_STANDARD.encode(changed));
        *answer.lock().unwrap() = serde_json::json!({ "public_key": pem }).to_string();
        match client.public_key(&device()).send() {
            Ok(_) if bit % 16 == 3 => {
                let (request, _in_flight) = session(&client).logout().into_request().unwrap();
                assert_eq!(request.headers()["x-signature"].len(), 344);
                taken += 1;
            }
            Ok(_) => taken += 1,
            Err(_) => refused += 1,
        }
    }
    // All but one of the bits of the modulus, and few others.
    assert!(taken > 2000 && refused > 100, "{taken} taken, {refused} refused");
}

/// A key of these numbers, as PEM has it.
fn spki(modulus: &[u8], exponent: &[u8]) -> String {
    fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = content.len();
        let mut bytes = vec![tag];
        match u8::try_from(length) {
            Ok(short) if short < 0x80 => bytes.push(short),
            Ok(byte) => bytes.extend([0x81, byte]),
            Err(_) => {
                bytes.extend([
                    0x82,
                    u8::try_from(length >> 8).unwrap(),
                    u8::try_from(length & 0xff).unwrap(),
                ]);
            }
        }
        bytes.extend(content);
        bytes
    }
    let number = |bytes: &[u8]| {
        let zero: &[u8] = if bytes[0] < 0x80 { &[] } else { &[0] };
        tagged(2, &[zero, bytes].concat())
    };
    let key = tagged(0x30, &[number(modulus), number(exponent)].concat());
    let algorithm = tagged(0x30, &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0]);
    let info = tagged(0x30, &[algorithm, tagged(3, &[&[0], key.as_slice()].concat())].concat());
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", BASE64_STANDARD.encode(info))
}

#[test]
fn a_time_is_read_in_whatever_form() {
    let read = |timestamp: &str| {
        let body = format!(r#"{{"timestamp":{timestamp}}}"#);
        let client = client_at(&Arc::default(), move |_: Request| Ok(response(200, body.clone())));
        client.server_date(&device()).send().map(idaas_login::ServerDate::timestamp)
    };
    for good in [
        "1628496895102",
        r#""1628496895102""#,
        "1628496895102.0",
        r#"" 1628496895102.9 ""#,
        "1.628496895102e12",
    ] {
        assert_eq!(read(good).unwrap(), THEN, "{good}");
    }
    for bad in [
        "null",
        "0",
        "-1",
        r#""""#,
        r#""now""#,
        "[1628496895102]",
        "1e300",
        "100000000000000",
        "true",
        "1e-3",
    ] {
        let Err(Error::Unexpected(answer)) = read(bad) else { panic!("{bad}") };
        assert_eq!(*answer.reason(), UnexpectedReason::Unreadable, "{bad}");
    }
}

/// A key of 2048 bits carries a session token of 134 bytes.
#[test]
fn a_token_that_is_too_long_to_be_signed_is_refused_unsent() {
    let date = Arc::new(AtomicU64::new(THEN));
    let client = client_at(&Arc::default(), prepares(&date, ""));
    client.prepare_signature(&device()).unwrap();
    let with = |length: usize| client.session(device(), "t".repeat(length)).unwrap().logout().into_request();
    assert!(with(134).is_ok());
    let failed = with(135).unwrap_err();
    assert!(matches!(failed.error(), Error::InvalidInput(invalid) if invalid.field() == "session_token"));
    assert!(matches!(failed.into_recovery(), Recovery::Retry(_)));
}

#[test]
fn other_editions_have_neither_logout_nor_signature() {
    for edition in [Edition::Ciam, Edition::Eiam] {
        let builder = Client::builder("https://acme.example.com", CLIENT_ID).edition(edition.clone());
        let client = builder.build_with(|_: Request| panic!("nothing is to be sent")).unwrap();
        let failed = session(&client).logout().send().unwrap_err();
        let Error::Unsupported(unsupported) = failed.error() else { panic!("{failed:#}") };
        assert_eq!((unsupported.step(), unsupported.edition()), ("logout", edition.kind()));
        assert!(matches!(failed.into_recovery(), Recovery::Retry(_)));
        for error in [
            client.public_key(&device()).send().unwrap_err(),
            client.server_date(&device()).send().unwrap_err(),
            client.prepare_signature(&device()).unwrap_err(),
            client.country_codes(&device()).send().unwrap_err(),
        ] {
            assert!(matches!(error, Error::Unsupported(_)), "{error}");
        }
    }
}

/// A tenant of OneAccess at a time that a test lets pass, with somebody who can log in.
fn tenant() -> Emulator {
    let tenant = Emulator::new().with_clock(|| UNIX_EPOCH + Duration::from_millis(THEN));
    tenant.configure(|settings| settings.edition = Edition::OneAccess);
    tenant.add_user(User::new("zhangshan"));
    tenant.bind(Platform::WeChatMiniProgram, "an-openid", "zhangshan");
    tenant
}

fn log_in(tenant: &Emulator, client: &Client) -> Authenticated {
    let code = tenant.wechat_login_code("an-openid");
    match client.login(device()).wechat_mini_program(code).send().unwrap() {
        Outcome::Authenticated(user) => user,
        other => panic!("{other:?}"),
    }
}

fn refused_as(failed: &idaas_login::StepError<Authenticated>) -> String {
    match failed.error() {
        Error::Refused(refusal) => refusal.code().as_str().to_owned(),
        other => panic!("{other}"),
    }
}

#[cfg(feature = "ureq")]
#[test]
fn a_session_is_renewed_and_ended_over_http() {
    let tenant = tenant();
    let server = tenant.start().unwrap();
    let client = server.client_builder().build().unwrap();
    let user = log_in(&tenant, &client);
    let (session_token, expires_at) = (user.session_token().expose().to_owned(), user.expires_at());
    assert!(expires_at.is_some());
    client.prepare_signature(&device()).unwrap();
    let before = user.id_token().unwrap().expose().to_owned();
    let user = user.renew_id_token().send().unwrap();
    // The response is the identity token alone.
    assert_ne!(user.id_token().unwrap().expose(), before);
    assert_eq!(user.session_token().expose(), session_token);
    assert_eq!((user.expires_at(), user.expires_in()), (expires_at, None));
    let user: Authenticated = client.resume(user.suspend()).unwrap();
    let rounded = expires_at.unwrap().duration_since(user.expires_at().unwrap()).unwrap();
    assert!(rounded < Duration::from_secs(1));

    let _ = tenant.take_ledger();
    let login = user.logout().send().unwrap();
    let ledger = tenant.take_ledger();
    assert_eq!(ledger.len(), 1);
    let over = idaas_login::emulator::Effect::LoggedOut { user_name: "zhangshan".to_owned() };
    assert_eq!(ledger[0].effects, [over]);
    assert_eq!(tenant.session_user(&session_token), None);
    // Same client, same device, from the beginning.
    assert_eq!(*login.device(), device());
    let code = tenant.wechat_login_code("an-openid");
    assert!(matches!(login.wechat_mini_program(code).send().unwrap(), Outcome::Authenticated(_)));

    // The session is over.
    let over = client.session(device(), session_token).unwrap();
    let failed = over.logout().send().unwrap_err();
    assert_eq!(refused_as(&failed), "PARAM.0023");
    assert!(matches!(failed.into_recovery(), Recovery::StartOver(_)));
}

/// Too old, from the future, seen before, of another key, or none: and what is fetched anew is accepted.
#[test]
fn the_tenant_refuses_signatures_that_are_not_fresh() {
    let tenant = tenant();
    let client = tenant.client().unwrap();
    let mut user = log_in(&tenant, &client);
    for passed in [Duration::from_secs(5 * 60 + 60), Duration::from_secs(10 * 3600)] {
        client.prepare_signature(&device()).unwrap();
        tenant.advance(passed);
        let failed = user.renew_id_token().send().unwrap_err();
        assert_eq!(refused_as(&failed), codes::PARAM_0030.code);
        let Recovery::Retry(handed_back) = failed.into_recovery() else { panic!("the session lives") };
        client.prepare_signature(&device()).unwrap();
        user = handed_back.renew_id_token().send().unwrap();
    }
    let send = |request: Request| {
        let answer = idaas_login::Transport::send(&tenant, request).unwrap();
        String::from_utf8(answer.into_body()).unwrap()
    };
    let (request, _in_flight) = user.renew_id_token().into_request().unwrap();
    assert!(send(request.clone()).contains("id_token"));
    assert!(send(request.clone()).contains("PARAM.0030"), "seen before");
    let mut without = request.clone();
    without.headers_mut().remove("x-signature");
    assert!(send(without).contains("PARAM.0030"));
    let mut garbage = request;
    garbage.headers_mut().insert("x-signature", http::HeaderValue::from_static("c2lnbmVk"));
    assert!(send(garbage).contains("PARAM.0030"));
    // A window of one's own, and a time in the future.
    tenant.configure(|settings| settings.signature_window = Duration::from_millis(1));
    let date = Arc::new(AtomicU64::new(THEN + 48 * 3_600_000));
    let ahead = client_at(&Arc::default(), prepares(&date, ""));
    ahead.prepare_signature(&device()).unwrap();
    let (request, _in_flight) = session(&ahead).logout().into_request().unwrap();
    assert!(send(request).contains("PARAM.0030"));
}

/// A step whose response is lost is not sent again, and the second try says that the session is over.
#[test]
fn a_lost_logout_can_be_tried_again() {
    let tenant = tenant();
    let client = tenant.client().unwrap();
    let user = log_in(&tenant, &client);
    client.prepare_signature(&device()).unwrap();
    tenant.fail_next(endpoints::LOGOUT.path, Fault::LoseResponse);
    let failed = user.logout().send().unwrap_err();
    assert_eq!(failed.advice(), Advice::Settle);
    let Recovery::Unresolved(unresolved) = failed.into_recovery() else { panic!("the response was lost") };
    let failed = unresolved.retry_anyway().logout().send().unwrap_err();
    assert!(matches!(failed.into_recovery(), Recovery::StartOver(_)));
}

/// Asynchronous users send the two calls by themselves; the client keeps what they bring.
#[test]
fn what_is_received_is_kept_whoever_sends_it() {
    let tenant = tenant();
    let client = tenant.client_builder("https://acme.example.com").build_without_transport().unwrap();
    let send = |request| std::future::ready(idaas_login::Transport::send(&tenant, request));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        client.public_key(&device()).send_with(send).await.unwrap();
        client.server_date(&device()).send_with(send).await.unwrap();
    });
    assert!(client.can_sign());
}

/// The constant of the tests is the emulator's, and both are documented forms.
#[test]
fn the_tenant_answers_as_documented() {
    let tenant = tenant();
    let client = tenant.client().unwrap();
    let key = client.public_key(&device()).send().unwrap();
    assert_eq!((key.bits(), format!("{key:?}")), (2048, "PublicKey { bits: 2048, .. }".to_owned()));
    assert_eq!(client.server_date(&device()).send().unwrap().timestamp(), THEN);
    let same = client_at(&Arc::default(), |request: Request| {
        let is_key = request.uri().path() == endpoints::PUBLIC_KEY.path;
        Ok(response(200, if is_key { PUBLIC_KEY } else { SERVER_DATE }))
    });
    assert_eq!(same.public_key(&device()).send().unwrap(), client.public_key(&device()).send().unwrap());
    let later: SystemTime =
        UNIX_EPOCH + Duration::from_millis(same.server_date(&device()).send().unwrap().timestamp());
    assert_eq!(later, UNIX_EPOCH + Duration::from_millis(THEN));
}
