//! The real `UreqTransport` against hand-made servers on loopback sockets: what a network and a broken or hostile
//! server can do to a login, what the caller then holds, and which bytes went over the wire.
//!
//! Written from the documents and the public API alone. Every [`Server`] plays a script for each connection and keeps
//! what it heard, so that each test can also say how often a request arrived: once.

use std::error::Error as _;
use std::fmt::Write as _;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use idaas_login::endpoints::StageKind;
use idaas_login::{
    CaptchaPass, Client, Error, Outcome, PendingBind, Phase, Recovery, Request, Sent, Transport,
    TransportError, UnexpectedReason, UreqTransport,
};
use rcgen::KeyPair;
use support::server::{
    Act, Authority, GUARD, Heard, Received, Server, answer, answer_with, closed_port, header, requests, say,
    transport,
};
use support::{CLIENT_ID, SESSION_TOKEN, SOCIAL_BIND, SUCCESS, StepResult, device, response, step_result};

use Act::{
    AllButTheLastByte, Await, Bytes, Bytewise, Close, CloseNotify, Flood, Hear, Records, Repeat, Reset, Say,
    Shake, Tell, Trickle, UntilClosed,
};

const CODE: &str = "091zQTFa1i6qMC02AWFa1Vzt0O0zQTF8";
const NEXT_CODE: &str = "0a3Next0Code0Of0Another0User0Zzz";
/// As the pages print it: with an ellipsis in the middle.
const PRINTED_STATE_TOKEN: &str = "eyJhbGcCJ9.eyJzdWMCJ9…tL2VPS8";

/// How often a code arrived, on whichever connection.
fn arrivals(heard: &[Heard], code: &str) -> usize {
    heard
        .iter()
        .flatten()
        .copied()
        .collect::<Vec<u8>>()
        .windows(code.len())
        .filter(|w| *w == code.as_bytes())
        .count()
}

/// Asserts that exactly one request arrived, over exactly one connection; returns it.
fn only_request(heard: &[Heard], row: &str) -> Received {
    assert_eq!(heard.len(), 1, "{row}: connections");
    let mut requests = requests(&heard[0]);
    assert_eq!(requests.len(), 1, "{row}: requests");
    assert_eq!(arrivals(heard, CODE), 1, "{row}: the code");
    requests.remove(0)
}

/// A listener that nobody may come to.
struct Bystander(TcpListener);

impl Bystander {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    fn assert_untouched(&self, row: &str) {
        match self.0.accept() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            other => panic!("{row}: somebody came: {other:?}"),
        }
    }
}

// ---- The client's side

fn client(address: impl Into<String>, transport: impl Transport + 'static) -> Client {
    Client::builder(address, CLIENT_ID).allow_loopback_http().build_with(transport).unwrap()
}

/// A client with the usual settings, over plain HTTP.
fn client_of(server: &Server) -> Client {
    client(server.http(), transport().build().unwrap())
}

/// Logs in, and asserts that an error's text tells nothing that it must not.
fn log_in_with(client: &Client, code: &str) -> StepResult {
    let came = step_result(client.login(device()).wechat_mini_program(code).send());
    if let Some(error) = came.error() {
        let mut text = format!("{error}\n{error:?}");
        let mut source = error.source();
        while let Some(cause) = source {
            write!(text, "\n{cause}\n{cause:?}").unwrap();
            source = cause.source();
        }
        for secret in [code, "156aysdna213sc50", "192.168.1.2", SESSION_TOKEN] {
            assert!(!text.contains(secret), "an error tells {secret}: {text}");
        }
    }
    came
}

fn log_in(client: &Client) -> StepResult {
    log_in_with(client, CODE)
}

fn pending_bind(client: &Client) -> PendingBind {
    match client.login(device()).wechat_mini_program(CODE).send().unwrap() {
        Outcome::PendingBind(stage) => stage,
        other => panic!("expected PendingBind, got {other:?}"),
    }
}

fn assert_success(came: &StepResult, row: &str) {
    assert!(matches!(came, StepResult::To(StageKind::Authenticated)), "{row}: {came:?}");
}

fn transport_error<'a>(came: &'a StepResult, row: &str) -> &'a TransportError {
    match came.error() {
        Some(Error::Transport(error)) => error,
        _ => panic!("{row}: expected an error of the transport, got {came:?}"),
    }
}

/// Not sent, with proof: the stage is handed back.
fn assert_not_sent(came: &StepResult, phase: Phase, row: &str) {
    let error = transport_error(came, row);
    assert_eq!((error.sent(), error.phase()), (Sent::No, phase), "{row}: {error:?}");
    assert!(matches!(came, StepResult::Retry(_, StageKind::Unauthenticated)), "{row}: {came:?}");
}

/// It may have been sent.
fn assert_maybe_sent(came: &StepResult, row: &str) {
    let error = transport_error(came, row);
    assert_eq!(error.sent(), Sent::Maybe, "{row}: {error:?}");
    assert!(matches!(error.phase(), Phase::Exchange | Phase::Response), "{row}: {error:?}");
    assert!(matches!(came, StepResult::Unresolved(_, StageKind::Unauthenticated)), "{row}: {came:?}");
}

/// No usable response, whether there was one or not.
fn assert_unresolved(came: &StepResult, row: &str) {
    assert!(matches!(came, StepResult::Unresolved(_, StageKind::Unauthenticated)), "{row}: {came:?}");
}

/// Checks every row of a table, so that one that fails does not hide the others.
fn each<T>(rows: impl IntoIterator<Item = T>, check: impl Fn(T)) {
    let failed = rows
        .into_iter()
        .map(|row| catch_unwind(AssertUnwindSafe(|| check(row))))
        .filter(Result::is_err)
        .count();
    assert_eq!(failed, 0, "rows that failed: their panics are printed above");
}

// ---- Not sent

#[test]
fn a_refused_port_hands_the_stage_back() {
    each([("http", "127.0.0.1"), ("https", "127.0.0.1"), ("http", "localhost")], |(scheme, host)| {
        let address = format!("{scheme}://{host}:{}", closed_port().port());
        let client = client(&address, transport().build().unwrap());
        assert_not_sent(&log_in(&client), Phase::Connect, &address);
    });
}

#[test]
fn a_name_that_does_not_resolve_hands_the_stage_back() {
    let client = client("https://no-such-host.invalid", transport().build().unwrap());
    assert_not_sent(&log_in(&client), Phase::Resolve, "no-such-host.invalid");
}

#[test]
fn tls_that_does_not_come_about_hands_the_stage_back() {
    let authority = Authority::new();
    let shake = |host, until| vec![Shake(authority.server(host, until, rustls::ALL_VERSIONS)), Hear];
    let rows = [
        ("garbage", vec![say("SSH-2.0-OpenSSH_9.6\r\n"), UntilClosed]),
        ("garbage after the client's hello", vec![Bytes(100), say(&"garbage ".repeat(100)), UntilClosed]),
        ("HTTP without TLS", vec![Bytes(100), answer("400 Bad Request", SUCCESS)]),
        ("closed at once", vec![]),
        ("closed in the client's hello", vec![Bytes(10)]),
        ("alert", vec![Bytes(10), Say(vec![0x15, 3, 3, 0, 2, 2, 40]), UntilClosed]),
        ("another authority", vec![Shake(Authority::new().good_server()), Hear]),
        ("another host", shake("acme.example.com", 4000)),
        ("a name that begins alike", shake("127.0.0.1.example.com", 4000)),
        ("expired", shake("127.0.0.1", 2021)),
    ];
    each(rows, |(row, script)| {
        let server = Server::new(vec![script]);
        let client = client(server.https(), authority.trusted().build().unwrap());
        assert_not_sent(&log_in(&client), Phase::TlsHandshake, row);
        let heard = server.finish();
        assert_eq!(heard.len(), 1, "{row}: connections");
        assert!(!heard[0].starts_with(b"POST"), "{row}: the request went without TLS");
    });
}

#[test]
fn public_authorities_alone_are_trusted_unless_said() {
    let server = Server::new(vec![vec![Shake(Authority::new().good_server()), Hear]]);
    let client = Client::builder(server.https(), CLIENT_ID).build().unwrap();
    assert_not_sent(&log_in(&client), Phase::TlsHandshake, "the default client");
    assert_eq!(arrivals(&server.finish(), CODE), 0);
}

#[test]
fn a_handshake_without_end_is_cut_off_and_nothing_was_sent() {
    let authority = Authority::new();
    let server = Server::new(vec![vec![UntilClosed]]);
    let transport = authority.trusted().connect_timeout(Duration::from_millis(200)).build().unwrap();
    let started = Instant::now();
    assert_not_sent(&log_in(&client(server.https(), transport)), Phase::TlsHandshake, "a silent server");
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!(server.finish().len(), 1);
}

#[test]
fn tls_that_comes_about_logs_in() {
    let authority = Authority::new();
    let tls13: &[_] = &[&rustls::version::TLS13];
    let tls12: &[_] = &[&rustls::version::TLS12];
    each(
        [("TLS 1.3", "127.0.0.1", tls13), ("TLS 1.2", "127.0.0.1", tls12), ("a name", "localhost", tls13)],
        |(row, host, versions)| {
            let config = authority.server(host, 4000, versions);
            let server = Server::new(vec![vec![Shake(config), Hear, answer("200 OK", SUCCESS), CloseNotify]]);
            let address = format!("https://{host}:{}", server.address.port());
            let client = client(address, authority.trusted().build().unwrap());
            assert_success(&log_in(&client), row);
            only_request(&server.finish(), row);
        },
    );
}

/// The handshake was well; from there on nothing is proved.
#[test]
fn a_loss_inside_tls_is_unresolved() {
    let authority = Authority::new();
    let config = authority.good_server();
    let rows = [
        ("closed after the handshake", vec![]),
        ("ended after the handshake", vec![CloseNotify]),
        ("closed after the request", vec![Hear]),
        ("ended after the request", vec![Hear, CloseNotify]),
        (
            "closed in the answer",
            vec![Hear, say("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"), CloseNotify],
        ),
    ];
    each(rows, |(row, acts)| {
        let mut script = vec![Shake(Arc::clone(&config))];
        script.extend(acts);
        let server = Server::new(vec![script]);
        let client = client(server.https(), authority.trusted().build().unwrap());
        assert_maybe_sent(&log_in(&client), row);
        let heard = server.finish();
        assert_eq!(heard.len(), 1, "{row}: connections");
        assert!(arrivals(&heard, CODE) <= 1, "{row}");
    });
}

/// A response without length ends with the connection: as RFC 9112 section 9.8 says, only if that is ended in order, which
/// within TLS nobody else can do. Whatever was answered so far may not be all.
#[test]
fn an_answer_without_length_ends_with_a_connection_that_is_ended_in_order() {
    let authority = Authority::new();
    let text = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{SUCCESS}");
    let short = text[..text.len() - 1].to_owned();
    let refusal = "HTTP/1.1 400 Bad Request\r\n\r\n{\"error_code\":\"IDAAS.SDK.COMMON.1007\"".to_owned();
    // These say themselves where they end.
    let long = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{SUCCESS}", SUCCESS.len());
    let chunked =
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{SUCCESS}\r\n", SUCCESS.len());
    let last_chunk = format!("{chunked}0\r\n");
    for (row, tls, text, last, expected) in [
        ("TLS, cut after its length", true, &long, None, "-"),
        ("TLS, cut in its length", true, &long[..long.len() - 1].to_owned(), None, "Unresolved"),
        ("TLS, cut after the last chunk", true, &last_chunk, None, "-"),
        ("TLS, cut before the last chunk", true, &chunked, None, "Unresolved"),
        ("TLS, ended", true, &text, Some(CloseNotify), "-"),
        ("TLS, cut after the object", true, &text, None, "Unresolved"),
        ("TLS, cut in the object", true, &short, None, "Unresolved"),
        ("TLS, cut in a refusal", true, &refusal, None, "Unresolved"),
        ("TLS, ended in the object", true, &short, Some(CloseNotify), "Unresolved"),
        ("ended", false, &text, Some(Close), "-"),
        ("reset after the object", false, &text, Some(Reset), "Unresolved"),
        ("reset in a refusal", false, &refusal, Some(Reset), "Unresolved"),
    ] {
        let mut script = if tls { vec![Shake(authority.good_server())] } else { vec![] };
        script.extend([Hear, say(text)]);
        script.extend(last);
        let server = Server::new(vec![script]);
        let address = if tls { server.https() } else { server.http() };
        let came = log_in(&client(address, authority.trusted().build().unwrap()));
        assert_eq!(came.recovery(), expected, "{row}: {came:?}");
        if expected == "Unresolved" && row != "TLS, ended in the object" {
            assert_maybe_sent(&came, row);
        }
    }
}

/// Nothing is what a side call's success says. An end that anybody could have made is none.
#[test]
fn an_empty_answer_without_length_counts_only_if_it_ended_in_order() {
    let authority = Authority::new();
    for (last, counts) in [(vec![CloseNotify], true), (vec![], false)] {
        let mut script = vec![Shake(authority.good_server()), Hear, say("HTTP/1.1 200 OK\r\n\r\n")];
        script.extend(last);
        let server = Server::new(vec![script]);
        let first = Mutex::new(Some(response(200, r#"{"status":"MFA_AUTH","state_token":"a"}"#)));
        let transport = authority.trusted().build().unwrap();
        let answer = move |request| first.lock().unwrap().take().map_or_else(|| transport.send(request), Ok);
        let client = client(server.https(), answer);
        let Ok(Outcome::MfaRequired(stage)) = client.login(device()).wechat_mini_program(CODE).send() else {
            panic!("a second factor is due")
        };
        let sent = stage.phone("152").send_code(&CaptchaPass::from_token("152", "pass")).send();
        assert_eq!(sent.is_ok(), counts, "{sent:?}");
    }
}

// ---- Perhaps sent

#[test]
fn a_connection_closed_within_the_request_is_unresolved() {
    each([0, 1, 4, 20, 100, 200, 400], |count| {
        let row = format!("closed after {count} bytes");
        let server = Server::new(vec![vec![Bytes(count)]]);
        assert_maybe_sent(&log_in(&client_of(&server)), &row);
        let heard = server.finish();
        assert_eq!(heard.len(), 1, "{row}: connections");
        assert_eq!(heard[0].len(), count, "{row}");
    });
    let server = Server::new(vec![vec![]]);
    assert_maybe_sent(&log_in(&client_of(&server)), "closed at once");
    assert_eq!(server.finish().len(), 1);
}

#[test]
fn a_request_without_a_whole_answer_is_unresolved() {
    let beginnings = [
        "",
        "H",
        "HTTP/1.1 2",
        "HTTP/1.1 200 OK\r",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"status\"",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"st",
        "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 10\r\n\r\n{",
    ];
    let length = SUCCESS.len();
    let whole_json = [
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{SUCCESS}", length + 1),
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{SUCCESS}"),
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{SUCCESS}\r\n"),
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{SUCCESS}\r\n0"),
    ];
    each(beginnings.into_iter().chain(whole_json.iter().map(String::as_str)), |text| {
        let row = format!("cut: {text:?}");
        let server = Server::new(vec![vec![Hear, say(text)]]);
        assert_maybe_sent(&log_in(&client_of(&server)), &row);
        only_request(&server.finish(), &row);
    });
}

#[test]
fn a_reset_connection_is_unresolved() {
    each(
        [
            ("after the request", vec![AllButTheLastByte]),
            ("in the status line", vec![AllButTheLastByte, say("HTTP/1.1 20")]),
            ("in the body", vec![AllButTheLastByte, say("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{")]),
        ],
        |(row, acts)| {
            let server = Server::new(vec![acts]);
            assert_maybe_sent(&log_in(&client_of(&server)), row);
            only_request(&server.finish(), row);
        },
    );
}

/// What is not HTTP is no response. What it quotes is in no error.
#[test]
fn an_answer_that_is_not_http_is_unresolved() {
    let two_lengths =
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nContent-Length: 5\r\n\r\n{SUCCESS}", SUCCESS.len());
    let rows = [
        format!("{CODE}\r\n\r\n"),
        format!("HTTP/1.1 {CODE}\r\n\r\n"),
        format!("HTTP/{CODE} 200 OK\r\n\r\n"),
        format!("HTTP/1.1 99999 {CODE}\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\n{CODE}\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\n{CODE} {CODE}: {CODE}\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\nContent-Length: {CODE}\r\n\r\n{SUCCESS}"),
        format!("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{SUCCESS}"),
        format!("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999999\r\n\r\n{SUCCESS}"),
        two_lengths,
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{CODE}\r\n{SUCCESS}\r\n0\r\n\r\n"),
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{SUCCESS}\r\n0\r\n\r\n"
        ),
        "\r\n".repeat(100),
        "\0".repeat(100),
    ];
    each(rows, |text| {
        let row = format!("not HTTP: {text:?}");
        let server = Server::new(vec![vec![Hear, say(&text)]]);
        assert_unresolved(&log_in(&client_of(&server)), &row);
        only_request(&server.finish(), &row);
    });
}

/// Responses that are HTTP and not the API's.
#[test]
fn an_answer_that_is_not_of_the_api_is_sorted_by_its_http_status() {
    let gzip = "Content-Encoding: gzip\r\n";
    each(
        [
            ("no content", "204 No Content", "", "", "Unresolved"),
            ("empty", "200 OK", "", "", "Unresolved"),
            ("a portal's page", "200 OK", "Content-Type: text/html\r\n", "<html>log in</html>", "Unresolved"),
            ("compressed, though nobody asked", "200 OK", gzip, "\u{1f}\u{8b}\u{8}", "Unresolved"),
            ("400", "400 Bad Request", "", "", "Retry"),
            ("401", "401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"\r\n", "", "Retry"),
            ("407", "407 Proxy Authentication Required", "", "", "Retry"),
            ("408", "408 Request Timeout", "Connection: close\r\n", "", "Retry"),
            ("421", "421 Misdirected Request", "", "", "Retry"),
            ("429", "429 Too Many Requests", "Retry-After: 0\r\n", "slow down", "Retry"),
            ("431", "431 Request Header Fields Too Large", "", CODE, "Retry"),
            ("500", "500 Internal Server Error", "", CODE, "Unresolved"),
            ("502", "502 Bad Gateway", "", "<html>", "Unresolved"),
            ("503", "503 Service Unavailable", "Retry-After: 0\r\n", "", "Unresolved"),
        ],
        |(row, http_status, headers, body, expected)| {
            let server = Server::new(vec![vec![Hear, answer_with(http_status, headers, body)]]);
            let came = log_in(&client_of(&server));
            assert_eq!(came.recovery(), expected, "{row}: {came:?}");
            match came.error() {
                Some(Error::Unexpected(answer)) => {
                    assert_eq!(answer.http_status().as_str(), &http_status[..3], "{row}");
                }
                _ => panic!("{row}: {came:?}"),
            }
            only_request(&server.finish(), row);
        },
    );
}

#[test]
fn a_server_that_takes_too_long_is_unresolved() {
    let slow = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{SUCCESS}{}",
        SUCCESS.len() + 150,
        " ".repeat(150)
    );
    let (start, rest) = slow.split_at(slow.find('{').unwrap());
    let rows = [
        ("never answers", vec![Hear, UntilClosed]),
        ("stops in the request", vec![Bytes(10), UntilClosed]),
        ("stops in the status line", vec![Hear, say("HTTP/1.1 200"), UntilClosed]),
        ("stops after the head", vec![Hear, say(start), UntilClosed]),
        ("stops in the body", vec![Hear, say(start), say(&rest[..20]), UntilClosed]),
        ("trickles everything", vec![Hear, Trickle(slow.clone().into_bytes())]),
        ("trickles the body", vec![Hear, say(start), Trickle(rest.as_bytes().to_vec())]),
        ("will be with you soon", vec![Hear, Repeat("HTTP/1.1 100 Continue\r\n\r\n")]),
        ("has one more header", vec![Hear, say("HTTP/1.1 200 OK\r\n"), Repeat("X-Header: x\r\n")]),
    ];
    each(rows, |(row, script)| {
        let server = Server::new(vec![script]);
        let transport = transport().call_timeout(Duration::from_millis(150)).build().unwrap();
        let started = Instant::now();
        assert_maybe_sent(&log_in(&client(server.http(), transport)), row);
        assert!(started.elapsed() < Duration::from_secs(1), "{row}: {:?}", started.elapsed());
        let heard = server.finish();
        assert_eq!(heard.len(), 1, "{row}: connections");
        assert_eq!(arrivals(&heard, CODE), 1, "{row}");
    });
}

#[test]
fn an_answer_without_end_is_unresolved() {
    each(
        [
            ("body", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", " "),
            ("announced body", "HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n", " "),
            ("chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n"),
            ("chunk size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "0"),
            ("chunk extension", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;", "x"),
            ("trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X-Trailer: x\r\n"),
            ("status line", "HTTP/1.1 200 ", "O"),
            ("headers", "HTTP/1.1 200 OK\r\n", "X-Header: x\r\n"),
            ("header", "HTTP/1.1 200 OK\r\nX-Header: ", "x"),
            ("interim answers", "", "HTTP/1.1 100 Continue\r\n\r\n"),
        ],
        |(row, beginning, more)| {
            let server = Server::new(vec![vec![Hear, say(beginning), Flood(more)]]);
            let transport = transport().call_timeout(Duration::from_millis(250)).build().unwrap();
            assert_maybe_sent(&log_in(&client(server.http(), transport)), row);
            only_request(&server.finish(), row);
        },
    );
}

// ---- The size of a response

/// A success of exactly `size` bytes.
fn success_of(size: usize) -> String {
    let mut body = SUCCESS.to_owned();
    body.push_str(&" ".repeat(size - body.len()));
    body
}

fn framings(body: &str) -> [(&'static str, String); 3] {
    let length = body.len();
    [
        ("length", format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}")),
        (
            "chunked",
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"),
        ),
        ("to the end", format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{body}")),
    ]
}

#[test]
fn an_answer_may_be_as_large_as_said_and_no_larger() {
    const LIMIT: usize = 1000;
    each([LIMIT - 1, LIMIT, LIMIT + 1, 100 * LIMIT], |size| {
        for (framing, text) in framings(&success_of(size)) {
            let row = format!("{size} bytes, {framing}");
            let server = Server::new(vec![vec![Hear, say(&text)], vec![Hear, answer("200 OK", SUCCESS)]]);
            let client = client(server.http(), transport().max_response_size(LIMIT).build().unwrap());
            let came = log_in(&client);
            if size > LIMIT {
                assert_maybe_sent(&came, &row);
            } else {
                assert_success(&came, &row);
            }
            // What was left unread is nobody's response.
            server.wait_for_close();
            assert_success(&log_in_with(&client, NEXT_CODE), &row);
            let heard = server.finish();
            assert_eq!((arrivals(&heard, CODE), arrivals(&heard, NEXT_CODE)), (1, 1), "{row}");
        }
    });
}

#[test]
fn a_large_answer_passes_a_raised_limit_only() {
    each(framings(&success_of(5_000_000)), |(framing, text)| {
        let server = Server::new(vec![vec![Hear, say(&text)], vec![Hear, say(&text)]]);
        let raised =
            transport().call_timeout(Duration::from_secs(30)).max_response_size(6_000_000).build().unwrap();
        assert_success(&log_in(&client(server.http(), raised)), framing);
        assert_maybe_sent(&log_in_with(&client_of(&server), NEXT_CODE), framing);
        let heard = server.finish();
        assert_eq!((arrivals(&heard, CODE), arrivals(&heard, NEXT_CODE)), (1, 1), "{framing}");
    });
}

// ---- Redirects

#[test]
fn no_redirect_is_followed() {
    each(["300", "301", "302", "303", "304", "305", "307", "308"], |http_status| {
        let elsewhere = Bystander::new();
        for location in [
            format!("Location: http://{}/{CODE}\r\n", elsewhere.address()),
            "Location: /\r\n".into(),
            String::new(),
        ] {
            let row = format!("{http_status} {location:?}");
            let redirect = format!("HTTP/1.1 {http_status} Redirect\r\nContent-Length: 0\r\n{location}\r\n");
            // Once is enough, and the stage that is handed back works.
            let server = Server::new(vec![vec![Hear, say(&redirect)], vec![Hear, answer("200 OK", SUCCESS)]]);
            let client = client_of(&server);
            let failed = client.login(device()).wechat_mini_program(CODE).send().unwrap_err();
            let (error, recovery) = failed.into_parts();
            let Error::Unexpected(answer) = &error else { panic!("{row}: {error:?}") };
            assert_eq!(answer.http_status().as_str(), http_status, "{row}");
            assert_eq!(*answer.reason(), UnexpectedReason::Redirect, "{row}");
            assert!(!format!("{error} {error:?}").contains(CODE), "{row}: {error:?}");
            // A 303 follows a POST that was processed.
            let stage = match recovery {
                Recovery::Retry(stage) if http_status != "303" => stage,
                Recovery::Unresolved(unresolved) if http_status == "303" => unresolved.retry_anyway(),
                other => panic!("{row}: {other:?}"),
            };
            server.wait_for_close();
            assert_success(&step_result(stage.wechat_mini_program(NEXT_CODE).send()), &row);
            elsewhere.assert_untouched(&row);
            let heard = server.finish();
            assert_eq!((arrivals(&heard, CODE), arrivals(&heard, NEXT_CODE)), (1, 1), "{row}");
        }
    });
}

// ---- Connections that are kept

#[test]
fn a_connection_is_kept_for_the_next_request() {
    let ok = || answer("200 OK", SUCCESS);
    let server = Server::new(vec![vec![Hear, ok(), Hear, ok(), Hear, ok()]]);
    let client = client_of(&server);
    for _ in 0..3 {
        assert_success(&log_in(&client), "kept");
    }
    let heard = server.finish();
    assert_eq!(heard.len(), 1, "connections");
    assert_eq!(requests(&heard[0]).len(), 3, "requests");
}

/// The server ends a connection that the client keeps: whatever comes of the next request, it is sent once.
#[test]
fn a_kept_connection_that_ended_never_repeats_a_request() {
    let ok = || answer("200 OK", SUCCESS);
    each([("closed", false), ("reset", true)], |(row, reset)| {
        let (signal, wait) = mpsc::channel();
        let hear = if reset { AllButTheLastByte } else { Hear };
        let server = Server::new(vec![vec![hear, ok(), Await(wait)], vec![Hear, ok()]]);
        let client = client_of(&server);
        assert_success(&log_in(&client), row);
        signal.send(()).unwrap();
        server.wait_for_close();
        let came = log_in_with(&client, NEXT_CODE);
        let heard = server.finish();
        let arrived = arrivals(&heard, NEXT_CODE);
        match came {
            StepResult::To(StageKind::Authenticated) => assert_eq!(arrived, 1, "{row}"),
            StepResult::Unresolved(..) => assert!(arrived <= 1, "{row}: {arrived}"),
            other => panic!("{row}: {other:?}"),
        }
        assert_eq!(arrivals(&heard, CODE), 1, "{row}");
    });
}

#[test]
fn a_kept_connection_that_ends_in_the_next_request_is_unresolved() {
    let ok = || answer("200 OK", SUCCESS);
    each(
        [
            ("before it is read", Bytes(0), 0),
            ("while it is read", Bytes(50), 0),
            ("when it is read", Hear, 1),
            ("reset when it is read", AllButTheLastByte, 1),
        ],
        |(row, last, arrived)| {
            // A second connection would be answered: a request that is repeated would succeed.
            let server = Server::new(vec![vec![Hear, ok(), last], vec![Hear, ok()]]);
            let client = client_of(&server);
            assert_success(&log_in(&client), row);
            assert_maybe_sent(&log_in_with(&client, NEXT_CODE), row);
            let heard = server.finish();
            assert_eq!(heard.len(), 1, "{row}: connections");
            assert_eq!((arrivals(&heard, CODE), arrivals(&heard, NEXT_CODE)), (1, arrived), "{row}");
        },
    );
}

/// RFC 9112 section 6.3: a client must not process data beyond a response as a separate response. Here it would give one
/// user the session of another.
#[test]
fn what_follows_an_answer_is_not_the_answer_to_the_next_request() {
    let text = |body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let timeout = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let first = text(SOCIAL_BIND);
    each(
        [
            ("a second answer at once", text(SUCCESS), ""),
            ("a second answer later", String::new(), text(SUCCESS).as_str()),
            ("the idle connection timed out", String::new(), timeout),
        ],
        |(row, at_once, later)| {
            let (signal, wait) = mpsc::channel();
            let (said, hear_said) = mpsc::channel();
            let script = vec![
                Hear,
                say(&format!("{first}{at_once}")),
                Await(wait),
                say(later),
                Tell(said),
                UntilClosed,
            ];
            let server = Server::new(vec![script, vec![Hear, say(&first)]]);
            let client = client_of(&server);
            let came = log_in(&client);
            assert!(matches!(came, StepResult::To(StageKind::PendingBind)), "{row}: {came:?}");
            signal.send(()).unwrap();
            hear_said.recv_timeout(GUARD).unwrap();
            let came = log_in_with(&client, NEXT_CODE);
            drop(client);
            assert!(arrivals(&server.finish(), NEXT_CODE) <= 1, "{row}");
            assert!(
                matches!(came, StepResult::To(StageKind::PendingBind) | StepResult::Unresolved(..)),
                "{row}: {came:?}"
            );
        },
    );
}

/// It is closed at once, and not only when there is a next request.
#[test]
fn a_connection_with_more_than_the_answer_is_closed() {
    let more = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{SUCCESS}HTTP/1.1", SUCCESS.len());
    let server = Server::new(vec![vec![Hear, say(&more), UntilClosed]]);
    let client = client_of(&server);
    assert_success(&log_in(&client), "more");
    server.wait_for_close();
    drop(client);
}

/// The same inside TLS, where what follows may be in records that nobody has decrypted yet when the connection is kept.
#[test]
fn what_follows_an_answer_in_other_records_is_not_the_answer_to_the_next_request() {
    let authority = Authority::new();
    let text = |body: &str, padding: usize| {
        let padding = " ".repeat(padding);
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}{padding}", body.len() + padding.len())
    };
    // Wherever the end of the response is in what is decrypted at a time, 4 KiB.
    let mut paddings =
        [0, 500, 3000, 3500, 3600, 3700, 3800, 4000, 5000].map(|padding| (padding, 5000)).to_vec();
    // The largest record, and a small one: both are decrypted at a time, and not more than the first is read at once.
    let largest = (16 << 10) - (text(SOCIAL_BIND, 10_000).len() - 10_000);
    paddings.extend([(largest, 0), (largest - 1, 0), (largest + 1, 0)]);
    for (padding, next_padding) in paddings {
        let (first, second) = (text(SOCIAL_BIND, padding), text(SUCCESS, next_padding));
        let records = Records(vec![first.clone(), second]);
        let script = vec![Shake(authority.good_server()), Hear, records, UntilClosed];
        let next = vec![Shake(authority.good_server()), Hear, say(&first), UntilClosed];
        let server = Server::new(vec![script, next]);
        let client = client(server.https(), authority.trusted().build().unwrap());
        let came = log_in(&client);
        assert!(matches!(came, StepResult::To(StageKind::PendingBind)), "{padding}: {came:?}");
        let came = log_in_with(&client, NEXT_CODE);
        assert!(matches!(came, StepResult::To(StageKind::PendingBind)), "{padding}: {came:?}");
        drop(client);
        assert_eq!(arrivals(&server.finish(), NEXT_CODE), 1, "{padding}");
    }
}

/// The response to a request that was given up is not the response to the next one.
#[test]
fn a_late_answer_is_nobodys() {
    let (signal, wait) = mpsc::channel();
    let late = vec![Hear, Await(wait), answer("200 OK", SUCCESS), UntilClosed];
    let server = Server::new(vec![late, vec![Hear, answer("200 OK", SOCIAL_BIND)]]);
    let client = client(server.http(), transport().call_timeout(Duration::from_millis(200)).build().unwrap());
    assert_maybe_sent(&log_in(&client), "late");
    signal.send(()).unwrap();
    server.wait_for_close();
    let came = log_in_with(&client, NEXT_CODE);
    assert!(matches!(came, StepResult::To(StageKind::PendingBind)), "{came:?}");
    let heard = server.finish();
    assert_eq!((arrivals(&heard, CODE), arrivals(&heard, NEXT_CODE)), (1, 1));
}

/// A connection that the response ends is not used again, even if the server leaves it open.
#[test]
fn a_connection_that_is_not_to_be_kept_is_closed() {
    let length = SUCCESS.len();
    each(
        [
            format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{SUCCESS}"),
            format!("HTTP/1.1 200 OK\r\nCONNECTION: Close\r\nContent-Length: {length}\r\n\r\n{SUCCESS}"),
            format!("HTTP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n{SUCCESS}"),
        ],
        |text| {
            let row = format!("{:?}", &text[..30]);
            let server = Server::new(vec![vec![Hear, say(&text), UntilClosed], vec![Hear, say(&text)]]);
            let client = client_of(&server);
            assert_success(&log_in(&client), &row);
            assert_success(&log_in_with(&client, NEXT_CODE), &row);
            let heard = server.finish();
            assert_eq!((heard.len(), arrivals(&heard[1..], NEXT_CODE)), (2, 1), "{row}");
        },
    );
}

/// One transport serves many users.
#[test]
fn cookies_are_not_kept() {
    let cookie = "Set-Cookie: SESSION=of-one-user; Path=/\r\n";
    let server = Server::new(vec![vec![
        Hear,
        answer_with("200 OK", cookie, SUCCESS),
        Hear,
        answer("200 OK", SUCCESS),
    ]]);
    let client = client_of(&server);
    assert_success(&log_in(&client), "first user");
    assert_success(&log_in_with(&client, NEXT_CODE), "next user");
    let heard = server.finish();
    for request in requests(&heard[0]) {
        assert!(header(&request.head, "cookie").is_empty());
    }
}

// ---- What goes over the wire

#[test]
fn a_request_is_exactly_what_the_pages_document() {
    let answered =
        format!(r#"{{"status":" SOCIAL_BIND","state_token":" {PRINTED_STATE_TOKEN}","data":null}}"#);
    let server = Server::new(vec![vec![Hear, answer("200 OK", &answered), Hear, answer("200 OK", SUCCESS)]]);
    let stage = pending_bind(&client_of(&server));
    assert_eq!(stage.state_token().expose(), PRINTED_STATE_TOKEN);
    let came = step_result(stage.username_password("zhangshan", "pass…word").send());
    assert!(matches!(came, StepResult::To(StageKind::Authenticated)), "{came:?}");

    let host = server.address.to_string();
    let heard = server.finish();
    let received = requests(&heard[0]);
    let [login, bind] = received.as_slice() else { panic!("{} requests", received.len()) };
    let login_body = format!(r#"{{"code":"{CODE}"}}"#);
    each(
        [
            (login, "/api/v2/sdk/login/wechat-miniprogram", login_body.as_str(), None),
            (
                bind,
                "/api/v2/sdk/social/username-password-bind",
                r#"{"user_name":"zhangshan","password":"pass…word"}"#,
                Some(PRINTED_STATE_TOKEN),
            ),
        ],
        |(request, path, body, state_token)| {
            let length = body.len().to_string();
            let expected = [
                ("host", Some(host.as_str())),
                ("content-length", Some(&length)),
                ("content-type", Some("application/json")),
                ("x-operating-sys-version", Some("windows10.1.1")),
                ("x-device-fingerprint", Some("156aysdna213sc50")),
                ("x-device-ip", Some("192.168.1.2")),
                ("x-agent", Some("Mozilla/5.0 (iPhone; CPU iPhone OS 13_3 like Mac OS X)")),
                ("x-l", Some("zh")),
                ("x-client-id", Some(CLIENT_ID)),
                ("x-state-token", state_token),
                // What nobody asked for.
                ("accept-encoding", Some("identity")),
                ("authorization", None),
                ("cookie", None),
                ("expect", None),
                ("transfer-encoding", None),
                ("x-tenant-id", None),
            ];
            assert!(request.head.starts_with(format!("POST {path} HTTP/1.1\r\n").as_bytes()), "{path}");
            for (name, value) in expected {
                let values = header(&request.head, name);
                assert_eq!(
                    values,
                    value.map(str::as_bytes).into_iter().collect::<Vec<_>>(),
                    "{path}: {name}"
                );
            }
            assert_eq!(request.body, body.as_bytes(), "{path}");
            // Nothing that neither the pages nor HTTP know.
            let lines = request.head.split(|byte| *byte == b'\n').skip(1).filter(|line| line.len() > 1);
            for line in lines {
                let name = line.split(|byte| *byte == b':').next().unwrap();
                let name = String::from_utf8(name.to_ascii_lowercase()).unwrap();
                let known = expected.iter().any(|(known, _)| *known == name);
                assert!(known || name == "accept" || name == "user-agent", "{path}: {name}");
            }
        },
    );
}

#[test]
fn a_wrong_password_may_be_corrected_and_a_dead_token_may_not() {
    let refusal = |code: &str| {
        answer("400 Bad Request", &format!(r#"{{"error_code":"{code}","error_msg":"password is wrong"}}"#))
    };
    let server = Server::new(vec![vec![
        Hear,
        answer("200 OK", SOCIAL_BIND),
        Hear,
        refusal("SDK.COMMON.1013"),
        Hear,
        answer("200 OK", SUCCESS),
        Hear,
        answer("200 OK", SOCIAL_BIND),
        Hear,
        refusal("IDAAS.SDK.COMMON.1007"),
        Hear,
        answer("200 OK", SUCCESS),
    ]]);
    let client = client_of(&server);

    let failed = pending_bind(&client).username_password("zhangshan", "wrong").send().unwrap_err();
    let (error, Recovery::Retry(stage)) = failed.into_parts() else { panic!("the stage comes back") };
    let Error::Refused(refusal) = error else { panic!("{error:?}") };
    assert_eq!((refusal.code().as_str(), refusal.http_status().as_u16()), ("SDK.COMMON.1013", 400));
    assert_eq!(refusal.message(), "password is wrong");
    let outcome = stage.username_password("zhangshan", "right").send().unwrap();
    let Outcome::Authenticated(user) = outcome else { panic!("{outcome:?}") };
    assert_eq!(user.session_token().expose(), SESSION_TOKEN);

    let failed = pending_bind(&client).username_password("zhangshan", "right").send().unwrap_err();
    let Recovery::StartOver(login) = failed.into_recovery() else { panic!("the token is dead") };
    let came = step_result(login.wechat_mini_program(NEXT_CODE).send());
    assert!(matches!(came, StepResult::To(StageKind::Authenticated)), "{came:?}");

    let heard = server.finish();
    assert_eq!(heard.len(), 1, "connections");
    let tokens: Vec<_> = requests(&heard[0])
        .iter()
        .map(|request| {
            header(&request.head, "x-state-token").into_iter().map(<[u8]>::to_vec).collect::<Vec<_>>()
        })
        .collect();
    let (none, token) = (vec![], vec![support::STATE_TOKEN.as_bytes().to_vec()]);
    assert_eq!(tokens, [none.clone(), token.clone(), token.clone(), none.clone(), token, none]);
}

#[test]
fn every_form_of_an_answer_that_http_permits_is_read() {
    let length = SUCCESS.len();
    let (one, two) = SUCCESS.split_at(20);
    let rest = two.len();
    let plain = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{SUCCESS}");
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n";
    each(
        [
            ("plain", plain.clone()),
            ("HTTP/1.0", format!("HTTP/1.0 200 OK\r\n\r\n{SUCCESS}")),
            ("HTTP/1.0 with length", format!("HTTP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n{SUCCESS}")),
            ("to the end", format!("HTTP/1.1 200 OK\r\n\r\n{SUCCESS}")),
            ("close", format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{SUCCESS}")),
            ("close with length", plain.replace("Content-", "Connection: close\r\nContent-")),
            ("chunked", format!("{chunked}\r\n14\r\n{one}\r\n{rest:X}\r\n{two}\r\n0\r\n\r\n")),
            (
                "chunk sizes with zeros",
                format!("{chunked}\r\n0014\r\n{one}\r\n00{rest:x}\r\n{two}\r\n000\r\n\r\n"),
            ),
            (
                "chunk extensions",
                format!("{chunked}\r\n14;a=b\r\n{one}\r\n{rest:x};c=\"d\"\r\n{two}\r\n0;e\r\n\r\n"),
            ),
            (
                "trailers",
                format!("{chunked}Trailer: X-T\r\n\r\n{length:x}\r\n{SUCCESS}\r\n0\r\nX-T: t\r\n\r\n"),
            ),
            (
                "chunked and closed",
                format!("{chunked}Connection: close\r\n\r\n{length:x}\r\n{SUCCESS}\r\n0\r\n\r\n"),
            ),
            ("100 first", format!("HTTP/1.1 100 Continue\r\n\r\n{plain}")),
            (
                "102 and 103 first",
                format!(
                    "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n{plain}"
                ),
            ),
            ("lower case", plain.replace("Content-Length", "content-length")),
            ("odd case", plain.replace("Content-Length", "cOnTeNt-LeNgTh")),
            (
                "odd case, chunked",
                format!(
                    "HTTP/1.1 200 OK\r\ntRANSFER-eNCODING: Chunked\r\n\r\n{length:x}\r\n{SUCCESS}\r\n0\r\n\r\n"
                ),
            ),
            ("no space after the colon", plain.replace(": ", ":")),
            ("much space after the colon", plain.replace(": ", ":  \t ")),
            ("space after the value", plain.replace("\r\n\r\n", " \t\r\n\r\n")),
            ("empty reason", plain.replace(" OK", " ")),
            ("reason of many words", plain.replace("OK", "it went well")),
            ("the same header twice", plain.replace("Content-", "Vary: a\r\nVary: b\r\nContent-")),
            ("a header in GBK", plain.replace("OK\r\n", "OK\r\nX-Name: \u{b3}\u{c9}\r\n")),
            ("text/plain", plain.replace("Content-", "Content-Type: text/plain\r\nContent-")),
            ("charset", plain.replace("Content-", "Content-Type: application/json;charset=utf8\r\nContent-")),
            ("80 headers", plain.replace("Content-", &format!("{}Content-", "X-Header: x\r\n".repeat(80)))),
            (
                "a header of 8000 bytes",
                plain.replace("Content-", &format!("X-Header: {}\r\nContent-", "x".repeat(8000))),
            ),
        ],
        |(row, text)| {
            let server = Server::new(vec![vec![Hear, say(&text)]]);
            assert_success(&log_in(&client_of(&server)), row);
            only_request(&server.finish(), row);
        },
    );
}

/// ureq itself understands neither headers in a 100, nor a 103 before more than 64 KiB.
#[test]
fn interim_responses_of_every_form_are_read() {
    let large = success_of(100_000);
    let interims = [
        ("100 with a header", "HTTP/1.1 100 Continue\r\nX-Proxy: x\r\n\r\n".to_owned()),
        ("103 with a header", "HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n".to_owned()),
        ("bare line feeds", "HTTP/1.1 103 Early Hints\nLink: </>\n\n".to_owned()),
        ("HTTP/1.0", "HTTP/1.0 100 Continue\r\nX-Proxy: x\r\n\r\n".to_owned()),
        ("many", "HTTP/1.1 100 Continue\r\nX-Proxy: x\r\n\r\n".repeat(100)),
    ];
    each(interims.iter().flat_map(|row| [(row, SUCCESS), (row, &large)]), |((row, interim), body)| {
        for (framing, text) in framings(body) {
            let row = format!("{row}, {} bytes, {framing}", body.len());
            let at_once = vec![Hear, say(&format!("{interim}{text}")), Close];
            let bytewise = vec![Hear, Bytewise(interim.clone().into_bytes()), say(&text), Close];
            for script in [at_once, bytewise] {
                let server = Server::new(vec![script]);
                assert_success(&log_in(&client_of(&server)), &row);
                only_request(&server.finish(), &row);
            }
        }
    });
    // It has no end: HTTP is over.
    let server = Server::new(vec![vec![Hear, say("HTTP/1.1 101 Switching Protocols\r\n\r\n"), Close]]);
    assert_unresolved(&log_in(&client_of(&server)), "101");
}

// ---- Proxies

/// The test runs itself again, with an environment that names a proxy for everything.
#[test]
fn a_proxy_of_the_environment_is_ignored() {
    const ADDRESS: &str = "IDAAS_LOGIN_TEST_ADDRESS";
    if let Ok(address) = std::env::var(ADDRESS) {
        let default = Client::builder(&address, CLIENT_ID).allow_loopback_http().build().unwrap();
        assert_success(&log_in(&default), "in the child process");
        return;
    }
    let server = Server::new(vec![vec![Hear, answer("200 OK", SUCCESS)]]);
    let proxy = Bystander::new();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "ureq_transport::a_proxy_of_the_environment_is_ignored"])
        .env(ADDRESS, server.http());
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        let address = format!("http://{}", proxy.address());
        child.env(name, &address).env(name.to_lowercase(), &address);
    }
    let output = child.env_remove("NO_PROXY").env_remove("no_proxy").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    proxy.assert_untouched("the child process");
    only_request(&server.finish(), "the child process");
}

#[test]
fn a_configured_proxy_sees_no_request() {
    let authority = Authority::new();
    let tunnel =
        || vec![Hear, say("HTTP/1.1 200 Connection established\r\n\r\n"), Shake(authority.good_server())];
    let mut good = tunnel();
    good.extend([Hear, answer("200 OK", SUCCESS), CloseNotify]);
    let mut lost = tunnel();
    lost.push(Hear);
    each(
        [
            ("opens the tunnel", good, "-"),
            ("refuses the tunnel", vec![Hear, answer("403 Forbidden", "")], "Retry"),
            ("asks for a password", vec![Hear, answer("407 Proxy Authentication Required", "")], "Retry"),
            ("closes at once", vec![], "Retry"),
            ("closes when asked", vec![Hear], "Retry"),
            ("talks nonsense", vec![Hear, say("nonsense\r\n\r\n")], "Retry"),
            ("the tunnel breaks", lost, "Unresolved"),
        ],
        |(row, script, expected)| {
            let proxy = Server::new(vec![script]);
            let transport = authority.trusted().proxy(proxy.http()).build().unwrap();
            let elsewhere = Bystander::new();
            let came =
                log_in(&client(format!("https://127.0.0.1:{}", elsewhere.address().port()), transport));
            assert_eq!(came.recovery(), expected, "{row}: {came:?}");
            if expected == "Retry" {
                assert_eq!(transport_error(&came, row).sent(), Sent::No, "{row}");
            }
            elsewhere.assert_untouched(row);
            let heard = proxy.finish();
            assert_eq!(heard.len(), 1, "{row}: connections");
            assert_eq!(arrivals(&heard, CODE), usize::from(expected != "Retry"), "{row}");
            if let Some(connect) = requests(&heard[0]).first() {
                let line = format!("CONNECT {} HTTP/1.1\r\n", elsewhere.address());
                assert!(connect.head.starts_with(line.as_bytes()), "{row}");
                assert!(header(&connect.head, "x-client-id").is_empty(), "{row}");
            }
        },
    );
    let proxied = || transport().proxy(format!("http://{}", closed_port())).build().unwrap();
    let came = log_in(&client("https://acme.example.com", proxied()));
    assert_not_sent(&came, Phase::Connect, "no proxy there");
    // Plain HTTP is for this machine; a proxy would take it to its own, and everybody between reads it.
    let (proxy, here) = (Bystander::new(), Bystander::new());
    let to_proxy = format!("http://{}", proxy.address());
    let config = direct().proxy(Some(ureq::Proxy::new(&to_proxy).unwrap())).build();
    for transport in
        [transport().proxy(&*to_proxy).build().unwrap(), UreqTransport::from_config(&config).unwrap()]
    {
        let came = log_in(&client(format!("http://{}", here.address()), transport));
        assert_not_sent(&came, Phase::Prepare, "plain HTTP through a proxy");
    }
    proxy.assert_untouched("the proxy");
    here.assert_untouched("this machine");
}

/// No limit is one, too.
#[test]
fn the_longest_time_limits_are_no_overflow() {
    let server = Server::new(vec![vec![Hear, answer("200 OK", SUCCESS)]]);
    let forever = transport().connect_timeout(Duration::MAX).call_timeout(Duration::MAX).build().unwrap();
    assert_success(&log_in(&client(server.http(), forever)), "no limit");
    assert_eq!(arrivals(&server.finish(), CODE), 1);
}

// ---- The transport by itself

fn post(address: &str) -> Request {
    http::Request::post(address).header("x-state-token", "secret").body(b"{}".to_vec()).unwrap()
}

#[test]
fn an_address_that_is_neither_https_nor_of_this_machine_is_refused_unsent() {
    let configured = UreqTransport::from_config(&direct().build()).unwrap();
    let built = transport().build().unwrap();
    let rows = [
        "http://0.0.0.0:PORT/",
        "HTTP://0.0.0.0:PORT/",
        "http://[::]:PORT/",
        "http://[::ffff:0.0.0.0]:PORT/",
        "http://127.0.0.1@0.0.0.0:PORT/",
        "http://localhost:80@0.0.0.0:PORT/",
        "ftp://127.0.0.1:PORT/",
        "ws://127.0.0.1:PORT/",
        "socks://127.0.0.1:PORT/",
        "socks4://127.0.0.1:PORT/",
        "socks4a://127.0.0.1:PORT/",
        "socks5://127.0.0.1:PORT/",
        "httpss://127.0.0.1:PORT/",
        "127.0.0.1:PORT",
        "http://10.0.0.1/",
        "http://acme.example.com/",
        "http://127.0.0.1.example.com/",
        "http://localhost.example.com/",
        "http://notlocalhost/",
        "http://[fe80::1]/",
        "/api/v2/sdk/login/wechat-miniprogram",
        "*",
    ];
    each(
        rows.into_iter().flat_map(|row| [("built", row, &built), ("configured", row, &configured)]),
        |row| {
            let (name, address, transport) = row;
            let nobody = Server::new(vec![]);
            let error = transport
                .send(post(&address.replace("PORT", &nobody.address.port().to_string())))
                .unwrap_err();
            assert_eq!(nobody.finish(), Vec::<Heard>::new(), "{name}: {address}");
            assert_eq!(
                (error.sent(), error.phase()),
                (Sent::No, Phase::Prepare),
                "{name}: {address}: {error:?}"
            );
        },
    );
}

#[test]
fn this_machine_needs_no_tls() {
    each(["127.0.0.1", "localhost", "LocalHost"], |host| {
        let server = Server::new(vec![vec![Hear, answer("404 Not Found", "nothing")]]);
        let transport = transport().build().unwrap();
        let answer = transport.send(post(&format!("http://{host}:{}/a?b=c", server.address.port()))).unwrap();
        assert_eq!((answer.status().as_u16(), answer.body().as_slice()), (404, &b"nothing"[..]), "{host}");
        let heard = server.finish();
        let received = requests(&heard[0]);
        assert!(received[0].head.starts_with(b"POST /a?b=c HTTP/1.1\r\n"), "{host}");
        assert_eq!((received.len(), received[0].body.as_slice()), (1, &b"{}"[..]), "{host}");
    });
}

#[test]
fn settings_that_cannot_be_right_are_refused() {
    let key = KeyPair::generate().unwrap().serialize_pem();
    let authority = Authority::new();
    let (good, whole) = (authority.0.pem(), authority.0.der());
    let pem = |der: &[u8]| {
        let text = BASE64_STANDARD.encode(der);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    };
    each(
        [
            ("no proxy's address", transport().proxy("not an address")),
            ("an empty proxy's address", transport().proxy("")),
            // ureq would read these, and then connect past them.
            ("a SOCKS proxy", transport().proxy("socks5://127.0.0.1:1080")),
            ("a SOCKS 4 proxy", transport().proxy("socks4://127.0.0.1:1080")),
            ("a SOCKS 4a proxy", transport().proxy("socks4a://127.0.0.1:1080")),
            ("no certificate", transport().root_certificates_pem("")),
            ("not PEM", transport().root_certificates_pem("-----BEGIN CERTIFICATE-----\nabc")),
            (
                "PEM of nothing",
                transport().root_certificates_pem("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"),
            ),
            (
                "PEM of garbage",
                transport()
                    .root_certificates_pem("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            ),
            ("a short sequence", transport().root_certificates_pem(pem(&[0x30, 3, 2, 1, 0]))),
            ("a sequence without length", transport().root_certificates_pem(pem(&[0x30, 0x80]))),
            (
                "a length of five bytes",
                transport().root_certificates_pem(pem(&[0x30, 0x85, 0, 0, 0, 0, 1, 0])),
            ),
            ("a certificate that was cut", transport().root_certificates_pem(pem(&whole[..whole.len() - 1]))),
            ("more than a certificate", transport().root_certificates_pem(pem(&[&whole[..], &[0]].concat()))),
            ("a key", transport().root_certificates_pem(key.clone())),
            ("a certificate and a key", transport().root_certificates_pem(format!("{good}{key}"))),
        ],
        |(row, builder)| {
            let error = builder.build().err().unwrap_or_else(|| panic!("{row}: accepted"));
            assert!(matches!(error, Error::InvalidInput(_)), "{row}: {error:?}");
            assert!(!error.to_string().contains(&key), "{row}");
        },
    );
    let other = Authority::new().0.pem();
    transport().root_certificates_pem(format!("# two\n{good}\n{other}")).build().unwrap();
}

// ---- Over a configuration of one's own

/// Settings such as anybody may have: redirects, and errors for HTTP statuses.
fn direct() -> ureq::config::ConfigBuilder<ureq::typestate::AgentScope> {
    ureq::Agent::config_builder().proxy(None).timeout_global(Some(Duration::from_secs(2)))
}

fn configured_client(address: impl Into<String>) -> Client {
    client(address, UreqTransport::from_config(&direct().build()).unwrap())
}

#[test]
fn over_a_configuration_faults_are_told_apart_too() {
    let address = format!("http://{}", closed_port());
    assert_not_sent(&log_in(&configured_client(address)), Phase::Connect, "refused port");

    let maybe: [(&str, Vec<Act>); 6] = [
        ("closed at once", vec![]),
        ("closed after the request", vec![Hear]),
        ("reset after the request", vec![AllButTheLastByte]),
        ("closed in the answer", vec![Hear, say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{")]),
        ("body without end", vec![Hear, say("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"), Flood(" ")]),
        ("not HTTP", vec![Hear, say(CODE), say("\r\n\r\n")]),
    ];
    each(maybe, |(row, script)| {
        let server = Server::new(vec![script]);
        assert_maybe_sent(&log_in(&configured_client(server.http())), row);
        let heard = server.finish();
        assert_eq!(heard.len(), 1, "{row}: connections");
        assert!(arrivals(&heard, CODE) <= 1, "{row}");
    });
}

#[test]
fn over_a_configuration_every_http_status_is_an_answer_and_no_redirect_is_followed() {
    let elsewhere = Bystander::new();
    let location = format!("Location: http://{}/\r\n", elsewhere.address());
    let refusal = r#"{"error_code":"SDK.COMMON.1013","error_msg":"who"}"#;
    each(
        [
            ("200 OK", SUCCESS, "-"),
            ("301 Moved Permanently", "", "Retry"),
            ("302 Found", "", "Retry"),
            ("303 See Other", "", "Unresolved"),
            ("307 Temporary Redirect", "", "Retry"),
            ("308 Permanent Redirect", "", "Retry"),
            ("400 Bad Request", refusal, "Retry"),
            ("404 Not Found", "", "Retry"),
            ("500 Internal Server Error", refusal, "Retry"),
            ("500 Internal Server Error", "", "Unresolved"),
        ],
        |(http_status, body, expected)| {
            let server = Server::new(vec![vec![Hear, answer_with(http_status, &location, body)]]);
            let came = log_in(&configured_client(server.http()));
            assert_eq!(came.recovery(), expected, "{http_status}: {came:?}");
            let answered = match came.error() {
                None => "200".to_owned(),
                Some(Error::Unexpected(answer)) => answer.http_status().as_str().to_owned(),
                Some(Error::Refused(refusal)) => refusal.http_status().as_str().to_owned(),
                Some(other) => panic!("{http_status}: {other:?}"),
            };
            assert_eq!(answered, http_status[..3], "{http_status}");
            elsewhere.assert_untouched(http_status);
            only_request(&server.finish(), http_status);
        },
    );
}

/// The connections are this crate's, and so are the proofs.
#[test]
fn over_a_configuration_as_much_is_proved() {
    let server = Server::new(vec![vec![Shake(Authority::new().good_server()), Hear]]);
    let came = log_in(&configured_client(server.https()));
    assert_not_sent(&came, Phase::TlsHandshake, "another authority");
    assert_eq!(arrivals(&server.finish(), CODE), 0);

    let nobody = Bystander::new();
    let https_only = UreqTransport::from_config(&direct().https_only(true).build()).unwrap();
    let came = log_in(&client(format!("http://{}", nobody.address()), https_only));
    assert_not_sent(&came, Phase::Prepare, "the configuration wants TLS");
    nobody.assert_untouched("the configuration wants TLS");
}

#[test]
fn a_configuration_that_cannot_be_kept_is_refused() {
    let resolves = ureq::Proxy::builder(ureq::ProxyProtocol::Http).host("127.0.0.1").resolve_target(true);
    let proxies = [ureq::Proxy::new("socks5://127.0.0.1:1080").unwrap(), resolves.build().unwrap()];
    let native = ureq::tls::TlsConfig::builder().provider(ureq::tls::TlsProvider::NativeTls).build();
    let configs = proxies.map(|proxy| direct().proxy(Some(proxy)).build());
    each(configs.into_iter().chain([direct().tls_config(native).build()]), |config| {
        let refused = UreqTransport::from_config(&config);
        assert!(matches!(refused, Err(Error::InvalidInput(_))), "{refused:?}");
    });
}

/// A time limit is told apart, and how far the call came.
#[test]
fn time_limits_are_told_apart() {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{{", SUCCESS.len());
    for (row, script, phase) in [
        ("no answer", vec![Hear, UntilClosed], Phase::Exchange),
        ("half an answer", vec![Hear, say(&head), UntilClosed], Phase::Response),
    ] {
        let server = Server::new(vec![script]);
        let transport = UreqTransport::builder().call_timeout(Duration::from_millis(300)).build().unwrap();
        let came = log_in(&client(server.http(), transport));
        let error = transport_error(&came, row);
        assert!(error.is_timeout(), "{row}: {error:?}");
        assert_eq!((error.sent(), error.phase()), (Sent::Maybe, phase), "{row}");
    }
    // A lost connection is no time limit.
    let server = Server::new(vec![vec![Hear]]);
    let came = log_in(&client_of(&server));
    assert!(!transport_error(&came, "closed").is_timeout());
}
