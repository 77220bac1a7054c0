//! Memory: after a login over TLS, none of its secrets is anywhere in the process.
//!
//! The login runs in a process of its own, which reads all that it can write to: heap, the data of its libraries, the stacks
//! of other threads. So this sees what `zeroize.rs` cannot: blocks that nobody has freed.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;

use idaas_login::{Client, Outcome, Recovery, UreqTransport};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};
use support::cipher_suites::{Place, moved, provider};
use support::server::Act::{self, CloseNotify, Hear, Shake, UntilClosed};
use support::server::{Authority, Server, answer, requests};
use ureq::tls::RootCerts;
use zeroize::Zeroizing;

macro_rules! x5 {
    ($unit:literal) => {
        concat!($unit, $unit, $unit, $unit, $unit)
    };
}

/// The secrets, each as the unit that its text repeats. They are read from the program's constants, which nobody can write to
/// and which are not searched.
const UNITS: [&str; 10] = [
    WX_CODE,
    PASSWORD,
    SMS_CODE,
    STATE_TOKEN,
    SESSION_TOKEN,
    ID_TOKEN,
    MOBILE,
    CAPTCHA_TOKEN,
    CAPTCHA_PASS,
    MESSAGE,
];
const WX_CODE: &str = "qWxcodQz";
const PASSWORD: &str = "qPassoQz";
const SMS_CODE: &str = "qVcodeQz";
const STATE_TOKEN: &str = "qStateQz";
const SESSION_TOKEN: &str = "qSessnQz";
const ID_TOKEN: &str = "qIdtokQz";
const MOBILE: &str = "qMobilQz";
const CAPTCHA_TOKEN: &str = "qCaptkQz";
const CAPTCHA_PASS: &str = "qCapasQz";
const MESSAGE: &str = "qMessgQz";

/// A cipher suite whose plaintext has to be moved: behind a nonce, as others than ring have it.
const SHIFTED: &str = "shifted";

/// What the server responds to a login, step by step.
const RESPONSES: [(&str, &str); 9] = [
    ("200 OK", concat!(r#"{"status":"SOCIAL_BIND","state_token":""#, x5!("qStateQz"), r#"","data":"{}"}"#)),
    (
        "400 Bad Request",
        concat!(r#"{"error_code":"SDK.COMMON.1013","error_msg":""#, x5!("qMessgQz"), r#""}"#),
    ),
    ("200 OK", concat!(r#"{"status":"MFA_AUTH","state_token":" "#, x5!("qStateQz"), r#" "}"#)),
    ("200 OK", concat!(r#"{"mobile":"+86-"#, x5!("qMobilQz"), r#""}"#)),
    ("200 OK", concat!(r#"{"captcha_token":""#, x5!("qCapasQz"), r#""}"#)),
    ("200 OK", "{}"),
    ("200 OK", concat!(r#"{"status":"SUCCESS","session_token":""#, x5!("qSessnQz"), r#"","expire":432000}"#)),
    (
        "200 OK",
        concat!(r#"{"session_token":""#, x5!("qSessnQz"), r#"","id_token":""#, x5!("qIdtokQz"), r#""}"#),
    ),
    // To its last byte it is what must not stay.
    ("502 Bad Gateway", x5!("qMessgQz")),
];

fn log_in(client: &Client) {
    let device = support::device();
    let first = client.login(device.clone()).wechat_mini_program(x5!("qWxcodQz")).send().unwrap();
    let Outcome::PendingBind(stage) = first else { panic!("an account is to be bound") };
    let failed = stage.username_password("zhangshan", x5!("qPassoQz")).send().unwrap_err();
    let Recovery::Retry(stage) = failed.into_recovery() else { panic!("the stage comes back") };
    let Ok(Outcome::MfaRequired(stage)) = stage.username_password("zhangshan", x5!("qPassoQz")).send() else {
        panic!("a second factor is due")
    };
    let mobile = stage.registered_mobile().send().unwrap();
    let captcha = client.captcha_from_token(&device, x5!("qCaptkQz"));
    let pass = captcha.solve(1.0, mobile.expose()).send().unwrap();
    let stage = stage.phone(mobile);
    stage.send_code(&pass).send().unwrap();
    let Ok(Outcome::Authenticated(user)) = stage.submit(x5!("qVcodeQz")).send() else { panic!("a session") };
    user.renew_id_token().send().unwrap();
    client.login(device).wechat_mini_program(x5!("qWxcodQz")).send().unwrap_err();
}

/// The secrets that stand in memory, each with the name that the system has for the place.
fn found() -> BTreeSet<(&'static str, String)> {
    const PIECE: usize = 64 << 10;
    let mut found = BTreeSet::new();
    let mut memory = File::open("/proc/self/mem").unwrap();
    // It holds a copy of what it was read from, which would be found again.
    let mut piece = vec![0; PIECE];
    let mut searched = 0;
    for line in fs::read_to_string("/proc/self/maps").unwrap().lines() {
        let fields: Vec<_> = line.split_whitespace().collect();
        if !fields[1].starts_with("rw") {
            continue;
        }
        let (begin, end) = fields[0].split_once('-').unwrap();
        let [begin, end] = [begin, end].map(|address| u64::from_str_radix(address, 16).unwrap());
        // Vector instructions leave pieces of what they read on the stack, in one build and not in another.
        if (begin..end).contains(&(&raw const searched as u64)) {
            continue;
        }
        let name = fields.get(5).map_or("without a name", |name| name).to_owned();
        let mut at = begin;
        while at < end {
            memory.seek(SeekFrom::Start(at)).unwrap();
            let size = PIECE.min(usize::try_from(end - at).unwrap());
            memory.read_exact(&mut piece[..size]).unwrap();
            for (place, _) in piece[..size].iter().enumerate().filter(|(_, byte)| **byte == b'q') {
                let unit = UNITS.into_iter().find(|unit| piece[place..size].starts_with(unit.as_bytes()));
                found.extend(unit.map(|unit| (unit, name.clone())));
            }
            piece.fill(0);
            black_box(&piece);
            searched += size;
            // A unit may begin at the end of a piece.
            at += if size == PIECE { PIECE - 8 } else { size } as u64;
        }
    }
    assert!(searched > 100 << 10, "{searched} bytes");
    println!("searched {} KiB", searched >> 10);
    found
}

fn units(found: &BTreeSet<(&'static str, String)>) -> BTreeSet<&'static str> {
    found.iter().map(|(unit, _)| *unit).collect()
}

/// Requests with rustls alone, which copies what it decrypts; everything else is wiped here.
fn read_by_hand(address: &str, root: &str) {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(root.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(rustls::ALL_VERSIONS);
    let config = config.unwrap().with_root_certificates(roots).with_no_client_auth();
    let tls = ClientConnection::new(Arc::new(config), ServerName::try_from("127.0.0.1").unwrap()).unwrap();
    let mut tls = StreamOwned::new(tls, TcpStream::connect(address).unwrap());
    tls.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut response = Zeroizing::new([0; 4096]);
    let mut size = 0;
    while !response[..size].ends_with(b"}") {
        size += tls.read(&mut response[size..]).unwrap();
    }
    assert!(response.windows(8).any(|window| window == SESSION_TOKEN.as_bytes()));
}

/// The process that logs in.
fn search(address: &str, root: &str, cipher_suites: &str) {
    let transport = if cipher_suites == SHIFTED {
        let root = ureq::tls::Certificate::from_pem(root.as_bytes()).unwrap();
        let tls = ureq::tls::TlsConfig::builder()
            .root_certs(RootCerts::from([root]))
            .unversioned_rustls_crypto_provider(provider(moved(Place::Behind(8))));
        let config = ureq::Agent::config_builder().proxy(None).tls_config(tls.build());
        UreqTransport::from_config(&config.build())
    } else {
        UreqTransport::builder().root_certificates_pem(root).build()
    };
    let transport = transport.unwrap();
    let client = Client::builder(format!("https://{address}"), support::CLIENT_ID);
    let client = client.build_with(transport).unwrap();
    log_in(&client);
    // The connection is kept.
    assert_eq!(found(), BTreeSet::new());
    drop(client);
    assert_eq!(found(), BTreeSet::new());

    // The search finds what is freed as it is, and what rustls leaves if it is left to itself.
    drop(black_box(MESSAGE.repeat(1000)));
    let planted = found();
    assert_eq!(units(&planted), BTreeSet::from([MESSAGE]), "{planted:?}");
    read_by_hand(address, root);
    let left = found();
    assert!(units(&left).contains(SESSION_TOKEN), "{left:?}");
    println!("left by rustls alone: {left:?}");
}

#[test]
fn no_secret_of_a_login_stays_in_memory() {
    const ADDRESS: &str = "IDAAS_LOGIN_TEST_ADDRESS";
    const ROOT: &str = "IDAAS_LOGIN_TEST_ROOT";
    const CIPHER_SUITES: &str = "IDAAS_LOGIN_TEST_CIPHER_SUITES";
    if let [Ok(address), Ok(root), Ok(suites)] = [ADDRESS, ROOT, CIPHER_SUITES].map(std::env::var) {
        search(&address, &root, &suites);
        return;
    }
    let authority = Authority::new();
    let rows: [(&str, &[&'static SupportedProtocolVersion]); 3] = [
        ("of ring", &[&rustls::version::TLS13]),
        ("of ring", &[&rustls::version::TLS12]),
        (SHIFTED, &[&rustls::version::TLS13]),
    ];
    for (suites, versions) in rows {
        let config = authority.server("127.0.0.1", 4000, versions);
        let mut login: Vec<Act> = vec![Shake(Arc::clone(&config))];
        for (http_status, body) in RESPONSES {
            login.extend([Hear, answer(http_status, body)]);
        }
        login.push(UntilClosed);
        let (http_status, body) = RESPONSES[6];
        let by_hand = vec![Shake(config), Hear, answer(http_status, body), CloseNotify];
        let server = Server::new(vec![login, by_hand]);
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "no_secret_of_a_login_stays_in_memory", "--nocapture"])
            .env(ADDRESS, server.address.to_string())
            .env(ROOT, authority.0.pem())
            .env(CIPHER_SUITES, suites)
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&child.stdout);
        println!("{printed}");
        let errors = String::from_utf8_lossy(&child.stderr);
        assert!(child.status.success() && printed.contains("1 passed"), "{printed}\n{errors}");
        let heard = server.finish();
        assert_eq!(heard.iter().map(|heard| requests(heard).len()).collect::<Vec<_>>(), [RESPONSES.len(), 1]);
        for unit in [WX_CODE, PASSWORD, SMS_CODE, STATE_TOKEN, MOBILE, CAPTCHA_PASS, CAPTCHA_TOKEN] {
            assert!(heard[0].windows(8).any(|window| window == unit.as_bytes()), "{unit} was sent");
        }
    }
}
