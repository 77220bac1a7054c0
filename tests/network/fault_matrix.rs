//! The fault matrix: every step of the endpoint table, and every side call, against a server on loopback that refuses,
//! resets, stalls, closes or talks nonsense at every point of a connection, over the real `UreqTransport`.
//!
//! Each cell has a server and a transport of its own, and asserts what the recovery table of the design says; that the
//! request came once at the most; that it is never said to be not sent if a byte of it came; that the error tells no
//! secret and nothing that the server wrote. `-- --nocapture` prints the tables, with how much of the request the server
//! had.

mod matrix;

use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use idaas_login::Phase;
use rustls::SupportedProtocolVersion;
use support::StepResult;
use support::recovery_table::{self, Event, UNREADABLE};

use matrix::{
    Attempt, Fault, LARGEST, MARK, PATIENCE, Played, Seen, Step, Wire, arrived, assert_once, authority,
    either, good_text, lost, not_sent, ok, over, serve, settings, steps, unexpected, waits,
};
use support::server::{Act, Authority, GUARD, Point, Server, closed_port, say};

use Act::{
    Await, Bytes, Bytewise, Close, CloseNotify, FirstFlight, Flood, Hear, HearTo, Reset, Say, Shake, Tell,
    Trickle, UntilClosed,
};

static TLS12: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];
static TLS13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// What the server does when it has come to the point.
type End = (&'static str, fn() -> Vec<Act>);

const ENDS: [End; 3] =
    [("closed", || vec![Close]), ("reset", || vec![Reset]), ("stalled", || vec![UntilClosed])];
const TLS_ENDS: [End; 4] = [ENDS[0], ENDS[1], ENDS[2], ("ended", || vec![CloseNotify, Close])];

fn check(family: &str, faults: &[Fault]) {
    let table = matrix::run(family, faults);
    snapshot!("recovery", format!("faults_{family}"), table);
}

fn with(mut acts: Vec<Act>, more: Vec<Act>) -> Vec<Act> {
    acts.extend(more);
    acts
}

// ---- Healthy controls

/// What is well comes through, or the rest would prove nothing.
#[test]
fn what_is_well_comes_through() {
    let chunked = |body: &str| {
        let (one, two) = body.split_at(body.len() / 2);
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{one}\r\n{:x};x=y\r\n{two}\r\n0\r\n\r\n",
            one.len(),
            two.len()
        )
    };
    let shake = |versions| Shake(authority().server("127.0.0.1", 4000, versions));
    let mut faults = Vec::new();
    for (name, wire) in [("plain", Wire::Plain), ("TLS", Wire::Tls)] {
        let fault = |what: &str, answer: fn(&Step) -> Act| {
            Fault::scripted(format!("{name}: {what}"), wire.clone(), ok(), move |step| {
                Some(vec![Hear, answer(step)])
            })
        };
        faults.push(fault("at once", |step| say(&good_text(step.answer))));
        faults.push(fault("byte by byte", |step| Bytewise(good_text(step.answer).into_bytes())));
        let name = format!("{name}: chunked");
        faults.push(Fault::scripted(name, wire, ok(), move |step| {
            Some(vec![Hear, say(&chunked(step.answer))])
        }));
    }
    faults.push(Fault::scripted("TLS 1.2", Wire::Handshake, ok(), move |step| {
        Some(vec![shake(TLS12), Hear, say(&good_text(step.answer))])
    }));
    check("healthy", &faults);
}

// ---- Connecting

#[test]
fn a_connection_that_does_not_come_about() {
    let mut faults = Vec::new();
    for (scheme, wire) in [("http", Wire::Plain), ("https", Wire::Tls)] {
        faults.push(Fault::new(format!("{scheme}: refused"), not_sent(Phase::Connect), move |step| {
            let address = closed_port();
            let transport = settings(&wire, PATIENCE).build().unwrap();
            let came = support::run_row(
                step.row,
                support::edition(step.row),
                over(transport, format!("{scheme}://{address}")),
            );
            Some(Played { seen: Seen::of(&came, step), had: None })
        }));
    }
    // A reset can come before the connection is known to be there.
    let reset = |phase| either(not_sent(Phase::Connect), phase);
    let handshake = || not_sent(Phase::TlsHandshake);
    for (name, wire, expected, end) in [
        ("http: closed at once", Wire::Plain, lost(Phase::Exchange), ENDS[0].1),
        ("http: reset at once", Wire::Plain, reset(lost(Phase::Exchange)), ENDS[1].1),
        ("http: silent", Wire::Plain, lost(Phase::Exchange), ENDS[2].1),
        ("https: closed at once", Wire::Handshake, handshake(), ENDS[0].1),
        ("https: reset at once", Wire::Handshake, reset(handshake()), ENDS[1].1),
        ("https: silent", Wire::Handshake, handshake(), ENDS[2].1),
    ] {
        faults.push(Fault::scripted(name, wire, expected, move |_| Some(end())));
    }
    check("connect", &faults);
}

/// What a server does, made anew for each step.
type Script = Box<dyn Fn() -> Vec<Act> + Send + Sync>;

/// The base address of a tenant that is reached by name.
const NAMED: &str = "https://acme.example.com";

/// A name service that fails, and a proxy that takes its time. The tests in `connections` have what needs a process of its
/// own: no thread to be had, and how many threads there are.
#[test]
fn a_way_to_the_tenant_that_does_not_come_about() {
    let refuses: fn() -> io::Result<Vec<SocketAddr>> = || Err(io::Error::other("no such name"));
    let mut faults = Vec::new();
    for (name, lookup) in
        [("the name does not resolve", refuses), ("the name has no address", || Ok(Vec::new()))]
    {
        faults.push(Fault::new(name, not_sent(Phase::Resolve), move |step| {
            let transport =
                settings(&Wire::Tls, PATIENCE).resolve_with(move |_, _| lookup()).build().unwrap();
            let came =
                support::run_row(step.row, support::edition(step.row), over(transport, NAMED.to_owned()));
            Some(Played { seen: Seen::of(&came, step), had: None })
        }));
    }
    faults.push(Fault::new("the name server is silent", not_sent(Phase::Resolve), |step| {
        let (end, silence) = mpsc::channel::<()>();
        let silence = Mutex::new(silence);
        let silent = settings(&Wire::Tls, Duration::from_millis(200)).resolve_with(move |_, _| {
            let _ = silence.lock().unwrap().recv();
            Ok(Vec::new())
        });
        let came = support::run_row(
            step.row,
            support::edition(step.row),
            over(silent.build().unwrap(), NAMED.to_owned()),
        );
        drop(end);
        Some(Played { seen: Seen::of(&came, step), had: None })
    }));
    let opened = "HTTP/1.1 200 Connection established\r\n";
    let drips = |text: String| Trickle(text.repeat(100).into_bytes());
    let connect = || not_sent(Phase::Connect);
    let rows: [(&str, Vec<Seen>, Script); 7] = [
        ("drips", connect(), Box::new(move || vec![Hear, drips(format!("{opened}X-Header: x\r\n"))])),
        ("is silent", connect(), Box::new(|| vec![Hear, UntilClosed])),
        ("closes", connect(), Box::new(|| vec![Hear, Close])),
        ("resets", connect(), Box::new(|| vec![Hear, Reset])),
        ("refuses", connect(), Box::new(|| vec![Hear, say("HTTP/1.1 403 h0st1le\r\n\r\n"), Close])),
        (
            "opens the tunnel and is silent",
            not_sent(Phase::TlsHandshake),
            Box::new(move || vec![Hear, say(&format!("{opened}\r\n")), UntilClosed]),
        ),
        (
            "opens the tunnel and drips",
            not_sent(Phase::TlsHandshake),
            Box::new(move || vec![Hear, say(&format!("{opened}\r\n")), drips("\u{16}".to_owned())]),
        ),
    ];
    for (name, expected, script) in rows {
        faults.push(Fault::patient(format!("a proxy {name}"), expected, move |step, limit| {
            let proxy = Server::new(vec![script(), vec![Hear, Close]]);
            let through = settings(&Wire::Tls, limit).proxy(proxy.http()).build().unwrap();
            let started = Instant::now();
            let came =
                support::run_row(step.row, support::edition(step.row), over(through, NAMED.to_owned()));
            // A drip takes seconds.
            assert!(started.elapsed() < limit + PATIENCE, "{:?}", started.elapsed());
            let heard = proxy.finish();
            assert_eq!((heard.len(), arrived(&heard)), (1, 0), "{came:?}");
            Some(Attempt { played: Played { seen: Seen::of(&came, step), had: None }, came_about: true })
        }));
    }
    check("way_there", &faults);
}

/// A name that moves between two connections: the next one goes where it leads then.
#[test]
fn a_name_that_moves_is_followed() {
    let config = authority().server("acme.example.com", 4000, rustls::ALL_VERSIONS);
    let moves = Fault::new("the name moves, the connection is closed", ok(), move |step| {
        let script = || vec![Shake(config.clone()), Hear, say(&good_text(step.answer)), CloseNotify];
        let servers = [Server::new(vec![script()]), Server::new(vec![script()])];
        let addresses = servers.each_ref().map(|server| server.address);
        let asked = AtomicUsize::new(0);
        let lookup = move |_: &str, _| Ok(vec![addresses[asked.fetch_add(1, Ordering::SeqCst)]]);
        let transport = settings(&Wire::Tls, PATIENCE).resolve_with(lookup).build().unwrap();
        let answers = over(transport, NAMED.to_owned());
        let first = support::run_row(step.row, support::edition(step.row), answers.clone());
        assert!(matches!(first, StepResult::To(_) | StepResult::Done), "{first:?}");
        servers[0].wait_for_close();
        let came = support::run_row(step.row, support::edition(step.row), answers);
        let heard: Vec<_> = servers.into_iter().map(Server::finish).collect();
        assert_eq!(heard.iter().map(|heard| arrived(heard)).collect::<Vec<_>>(), [1, 1], "{came:?}");
        Some(Played { seen: Seen::of(&came, step), had: None })
    });
    check("moves", &[moves]);
}

// ---- The TLS handshake

#[test]
fn a_tls_handshake_that_does_not_come_about() {
    const GARBAGE: &str = "h0st1le garbage, h0st1le garbage, h0st1le garbage, h0st1le garbage";
    let config = |versions| authority().server("127.0.0.1", 4000, versions);
    let handshake = || not_sent(Phase::TlsHandshake);
    let mut faults = Vec::new();
    let mut fault = |name: String, expected, script: Box<dyn Fn() -> Vec<Act> + Send + Sync>| {
        faults.push(Fault::scripted(name, Wire::Handshake, expected, move |_| Some(script())));
    };

    for (what, end) in ENDS {
        let (in_it, after) = (move || with(vec![Bytes(10)], end()), move || with(vec![Bytes(100)], end()));
        fault(format!("in the client's hello: {what}"), handshake(), Box::new(in_it));
        fault(format!("after the client's hello: {what}"), handshake(), Box::new(after));
        // Before TLS 1.3 the client waits for the server's last word before it says anything itself; with it, it does
        // not, and what comes first, the request or the end of the connection, is open.
        let first12 = config(TLS12);
        let flight = move || with(vec![FirstFlight(first12.clone())], end());
        fault(format!("TLS 1.2, after the server's first flight: {what}"), handshake(), Box::new(flight));
        let first13 = config(TLS13);
        let flight = move || with(vec![FirstFlight(first13.clone())], end());
        let expected =
            if what == "reset" { either(handshake(), lost(Phase::Exchange)) } else { lost(Phase::Exchange) };
        fault(format!("TLS 1.3, after the server's first flight: {what}"), expected, Box::new(flight));
    }
    let garbage = || vec![Bytes(100), say(GARBAGE), Close];
    fault("garbage for the client's hello".to_owned(), handshake(), Box::new(garbage));
    let (first12, first13) = (config(TLS12), config(TLS13));
    let garbage = move || vec![FirstFlight(first12.clone()), say(GARBAGE), Close];
    fault("TLS 1.2, garbage after the first flight".to_owned(), handshake(), Box::new(garbage));
    let garbage = move || vec![FirstFlight(first13.clone()), say(GARBAGE), Close];
    let expected = either(handshake(), lost(Phase::Exchange));
    fault("TLS 1.3, garbage after the first flight".to_owned(), expected, Box::new(garbage));
    let http = || vec![Bytes(100), say(&good_text(support::SUCCESS)), Close];
    fault("plain HTTP".to_owned(), handshake(), Box::new(http));
    let alert = || vec![Bytes(100), Say(vec![0x15, 3, 3, 0, 2, 2, 40]), Close];
    fault("an alert for the client's hello".to_owned(), handshake(), Box::new(alert));
    // The server asks for a certificate, and the client has none. With TLS 1.3 it says so after the client's last word.
    for (version, versions, expected) in
        [("TLS 1.2", TLS12, handshake()), ("TLS 1.3", TLS13, lost(Phase::Exchange))]
    {
        let config = authority().settings("127.0.0.1", (2020, 4000), versions, true);
        let asked = move || vec![Shake(config.clone()), Hear];
        fault(format!("{version}, an alert after the client's last word"), expected, Box::new(asked));
    }
    let stranger = Authority::new();
    for (what, config) in [
        ("of an unknown authority", stranger.good_server()),
        ("that has expired", authority().server("127.0.0.1", 2021, rustls::ALL_VERSIONS)),
        (
            "that is not yet valid",
            authority().settings("127.0.0.1", (3999, 4000), rustls::ALL_VERSIONS, false),
        ),
        ("of another host", authority().server("acme.example.com", 4000, rustls::ALL_VERSIONS)),
    ] {
        let shake = move || vec![Shake(config.clone()), Hear, say(&good_text(support::SUCCESS))];
        fault(format!("a certificate {what}"), handshake(), Box::new(shake));
    }
    check("tls_handshake", &faults);
}

// ---- Within the request

/// A point of a step's request.
#[derive(Clone, Copy)]
enum Place {
    Byte(usize),
    /// After this line of the head; the first is the request line.
    Line(usize),
    EmptyLine,
    BodyByte,
    HalfBody,
    ButLast,
    Whole,
}

impl Place {
    /// Reads to there; `None`: this request has no such point.
    fn hear(self, step: &Step) -> Option<Act> {
        let in_body = |at| (step.body > 1).then_some(HearTo(Point::Body(at)));
        match self {
            Self::Byte(count) => Some(HearTo(Point::Byte(count))),
            Self::Line(count) => (count <= step.lines).then_some(HearTo(Point::Line(count))),
            Self::EmptyLine => Some(HearTo(Point::Line(step.lines + 1))),
            Self::BodyByte => in_body(1),
            Self::HalfBody => in_body(step.body / 2),
            Self::ButLast => in_body(step.body.saturating_sub(1)),
            Self::Whole => Some(Hear),
        }
    }

    fn all() -> Vec<(String, Self)> {
        let most = steps().iter().map(|step| step.lines).max().unwrap_or_default();
        let mut places = vec![("0 bytes".to_owned(), Self::Byte(0)), ("1 byte".to_owned(), Self::Byte(1))];
        places.push(("the request line".to_owned(), Self::Line(1)));
        places.extend((2..=most).map(|line| (format!("header {}", line - 1), Self::Line(line))));
        let rest = [
            ("the empty line", Self::EmptyLine),
            ("1 byte of the body", Self::BodyByte),
            ("half the body", Self::HalfBody),
            ("all but the last byte", Self::ButLast),
            ("the whole request", Self::Whole),
        ];
        places.extend(rest.map(|(name, place)| (name.to_owned(), place)));
        places
    }
}

fn within_the_request(wire: &Wire, ends: &[End]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (name, place) in Place::all() {
        for &(what, end) in ends {
            let name = format!("after {name}: {what}");
            // Without TLS it is seen that the request has begun to come.
            let waits = matches!((wire, place), (Wire::Plain, Place::Byte(0)));
            faults.push(Fault::scripted(name, wire.clone(), lost(Phase::Exchange), move |step| {
                let hear = if waits { Bytes(0) } else { place.hear(step)? };
                Some(with(vec![hear], end()))
            }));
        }
    }
    faults
}

#[test]
fn a_request_that_is_cut_short() {
    check("request", &within_the_request(&Wire::Plain, &ENDS));
}

#[test]
fn a_request_that_is_cut_short_inside_tls() {
    check("request_tls", &within_the_request(&Wire::Tls, &TLS_ENDS));
}

// ---- Within the response

/// The points of [`good_text`] at which it is cut, each with how far a call is that ends there.
fn cuts(text: &str) -> Vec<(&'static str, usize, Phase)> {
    let upto = |end: &str| text.find(end).map(|at| at + end.len()).unwrap();
    let (line, head) = (upto("\r\n"), upto("\r\n\r\n"));
    let body = text.len() - head;
    let head_points = [
        ("1 byte", 1),
        ("the name of the protocol", 4),
        ("the protocol", 8),
        ("the first space", 9),
        ("a digit of the status", 10),
        ("the status", 12),
        ("the second space", 13),
        ("the reason", line - 2),
        ("the status line but its last byte", line - 1),
        ("the status line", line),
        ("the first header", upto("json\r\n")),
        ("half a header", upto("X-Ser")),
        ("the second header", upto(&format!("X-Server: {MARK}\r\n"))),
        ("the last header", head - 2),
        ("the head but its last byte", head - 1),
    ];
    let body_points = [
        ("the head", 0),
        ("1 byte of the body", 1),
        ("half the body", body / 2),
        ("all but a byte", body - 1),
    ];
    let head_points = head_points.map(|(name, at)| (name, at, Phase::Exchange));
    let body_points = body_points.map(|(name, at)| (name, head + at, Phase::Response));
    head_points.into_iter().chain(body_points).collect()
}

fn within_the_answer(wire: &Wire, ends: &[End]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (at, (name, _, phase)) in cuts(&good_text(support::SUCCESS)).into_iter().enumerate() {
        for &(what, end) in ends {
            let name = format!("after {name}: {what}");
            faults.push(Fault::scripted(name, wire.clone(), lost(phase), move |step| {
                let text = good_text(step.answer);
                let (_, length, _) = cuts(&text)[at];
                Some(with(vec![Hear, say(&text[..length])], end()))
            }));
        }
    }
    faults
}

#[test]
fn an_answer_that_is_cut_short() {
    check("answer", &within_the_answer(&Wire::Plain, &ENDS));
}

#[test]
fn an_answer_that_is_cut_short_inside_tls() {
    check("answer_tls", &within_the_answer(&Wire::Tls, &TLS_ENDS));
}

// ---- Responses that are not HTTP as it should be

/// A fault over plain HTTP: a whole request, and then this.
fn answered(name: &str, expected: Vec<Seen>, text: impl Fn(&str) -> String + Send + Sync + 'static) -> Fault {
    Fault::scripted(name, Wire::Plain, expected, move |step| Some(vec![Hear, say(&text(step.answer)), Close]))
}

/// A fault over plain HTTP: a whole request, and then a beginning and this again and again.
fn endless(name: &str, expected: Vec<Seen>, beginning: &'static str, more: &'static str) -> Fault {
    Fault::scripted(name, Wire::Plain, expected, move |_| Some(vec![Hear, say(beginning), Flood(more)]))
}

#[test]
fn a_head_that_is_not_http() {
    let lost = || lost(Phase::Exchange);
    let status_line = |name: &str, line: &'static str| {
        answered(name, lost(), move |body| good_text(body).replacen(&format!("HTTP/1.1 200 {MARK}"), line, 1))
    };
    let header = |name: &str, header: &'static str| {
        answered(name, lost(), move |body| good_text(body).replacen("X-Server: h0st1le", header, 1))
    };
    let faults = [
        answered("garbage", lost(), |_| format!("{MARK}\r\n\r\n").repeat(20)),
        answered("nothing but line ends", lost(), |_| "\r\n".repeat(200)),
        answered("NULs", lost(), |_| "\0".repeat(200)),
        answered("HTTP/0.9: the body alone", lost(), str::to_owned),
        answered("HTTP/2: the server's first frame", lost(), |_| "\0\0\0\u{4}\0\0\0\0\0".to_owned()),
        answered("HTTP/2: the client's preface", lost(), |_| "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
        answered("an alert of TLS", lost(), |_| "\u{15}\u{3}\u{3}\0\u{2}\u{2}(".to_owned()),
        status_line("a request line", "POST / HTTP/1.1"),
        status_line("HTTP/9.9", "HTTP/9.9 200 h0st1le"),
        status_line("HTTP/h0st1le", "HTTP/h0st1le 200 OK"),
        status_line("status 99", "HTTP/1.1 99 h0st1le"),
        status_line("status 1000", "HTTP/1.1 1000 h0st1le"),
        status_line("status abc", "HTTP/1.1 abc h0st1le"),
        status_line("status -200", "HTTP/1.1 -200 h0st1le"),
        status_line("no status", "HTTP/1.1 h0st1le"),
        header("a header without colon", "X-Server h0st1le"),
        header("a header without name", ": h0st1le"),
        header("a header with a space in its name", "X Server: h0st1le"),
        header("a NUL in a header", "X-Server: h0st1\0le"),
        header("a NUL in a header's name", "X-Ser\0ver: h0st1le"),
        answered("a header of 70 kB", lost(), |body| {
            good_text(body).replacen(
                "X-Server",
                &format!("X-Large: {}\r\nX-Server", "h0st1le ".repeat(9000)),
                1,
            )
        }),
        answered("5000 headers", lost(), |body| {
            good_text(body).replacen(
                "X-Server",
                &format!("{}X-Server", "X-Header: h0st1le\r\n".repeat(5000)),
                1,
            )
        }),
        endless("endless: status line", lost(), "HTTP/1.1 200 ", "h0st1le "),
        endless("endless: headers", lost(), "HTTP/1.1 200 OK\r\n", "X-Header: h0st1le\r\n"),
        endless("endless: header", lost(), "HTTP/1.1 200 OK\r\nX-Header: ", "h0st1le "),
        endless("endless: line ends", lost(), "", "\r\n"),
        endless("endless: 100 Continue", lost(), "", "HTTP/1.1 100 Continue\r\n\r\n"),
        endless("endless: 103 Early Hints", lost(), "", "HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n"),
    ];
    check("head", &faults);
}

/// A response whose body is framed by these headers.
fn framed(headers: &str, body: &str) -> String {
    format!("HTTP/1.1 200 {MARK}\r\n{headers}\r\n{body}")
}

fn chunked(chunks: &str) -> String {
    framed("Transfer-Encoding: chunked\r\n", chunks)
}

/// Zeros, as many as 258 for each 13 bits, as gzip has them: one 0, and then copies of what is before.
fn gzip_bomb(copies: usize) -> Vec<u8> {
    let bits =
        "110".chars().chain("00110000".chars()).chain("1100010100000".chars().cycle().take(13 * copies));
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    for (at, bit) in bits.enumerate() {
        if at % 8 == 0 {
            bytes.push(0);
        }
        if bit == '1'
            && let Some(byte) = bytes.last_mut()
        {
            *byte |= 1 << (at % 8);
        }
    }
    bytes
}

#[test]
fn a_body_that_is_not_framed_as_it_should_be() {
    let exchange = || lost(Phase::Exchange);
    let answer = || lost(Phase::Response);
    let unreadable = || unexpected("Unresolved", UNREADABLE);
    let length = |name: &str, expected, length: fn(usize) -> String| {
        answered(name, expected, move |body| framed(&length(body.len()), body))
    };
    let gzipped = |name: &str, copies| {
        let bomb = gzip_bomb(copies);
        let head = format!(
            "HTTP/1.1 200 {MARK}\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
            bomb.len()
        );
        let expected = if bomb.len() > LARGEST { answer() } else { unreadable() };
        Fault::scripted(name, Wire::Plain, expected, move |_| {
            Some(vec![Hear, say(&head), Say(bomb.clone()), Close])
        })
    };
    let faults = [
        length("length: too long", answer(), |length| format!("Content-Length: {}\r\n", length + 1)),
        length("length: too short", unreadable(), |length| format!("Content-Length: {}\r\n", length - 1)),
        length("length: negative", exchange(), |length| format!("Content-Length: -{length}\r\n")),
        length("length: not a number", exchange(), |_| format!("Content-Length: {MARK}\r\n")),
        length("length: 2^64", exchange(), |_| "Content-Length: 18446744073709551616\r\n".to_owned()),
        length("length: two, different", exchange(), |length| {
            format!("Content-Length: {length}\r\nContent-Length: {}\r\n", length - 1)
        }),
        // RFC 9112, section 6.3, permits to take a list of the same for one of them.
        length("length: a list, the same", ok(), |length| format!("Content-Length: {length}, {length}\r\n")),
        length("length: a list, different", exchange(), |length| {
            format!("Content-Length: {length}, {}\r\n", length - 1)
        }),
        answered("larger than may be, announced", answer(), |body| {
            framed(&format!("Content-Length: {}\r\n", LARGEST + 1), &format!("{body:LARGEST$} "))
        }),
        answered("larger than may be, chunked", answer(), |body| {
            chunked(&format!("{:x}\r\n{body:LARGEST$} \r\n0\r\n\r\n", LARGEST + 1))
        }),
        answered("larger than may be, to the end", answer(), |body| {
            framed("Connection: close\r\n", &format!("{body:LARGEST$} "))
        }),
        answered("as large as may be", ok(), |body| {
            framed(&format!("Content-Length: {LARGEST}\r\n"), &format!("{body:LARGEST$}"))
        }),
        answered("chunk: bad size", answer(), |body| chunked(&format!("{MARK}\r\n{body}\r\n0\r\n\r\n"))),
        answered("chunk: negative size", answer(), |body| chunked(&format!("-5\r\n{body}\r\n0\r\n\r\n"))),
        answered("chunk: size of 20 digits", answer(), |body| {
            chunked(&format!("{}\r\n{body}\r\n0\r\n\r\n", "f".repeat(20)))
        }),
        answered("chunk: too long", answer(), |body| chunked(&format!("{:x}\r\n{body}", body.len() + 1))),
        answered("chunk: too short", answer(), |body| {
            chunked(&format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len() - 1))
        }),
        answered("chunk: none at all", answer(), |_| chunked("")),
        answered("chunk: no last one", answer(), |body| chunked(&format!("{:x}\r\n{body}\r\n", body.len()))),
        // RFC 9112, section 8: incomplete is what lacks the last chunk, not what lacks the empty line after it.
        answered("chunk: no empty line after the last", ok(), |body| {
            chunked(&format!("{:x}\r\n{body}\r\n0\r\n", body.len()))
        }),
        answered("chunked, and a length", ok(), |body| {
            let chunks = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
            framed("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", &chunks)
        }),
        gzipped("gzip that nobody asked for", 5),
        gzipped("gzip bomb of 2 MB, in 13 kB", 8000),
        gzipped("gzip bomb of 50 MB, in 325 kB", 200_000),
        endless(
            "endless: chunk size",
            answer(),
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "0",
        ),
        endless(
            "endless: extension",
            answer(),
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;",
            "h0st1le",
        ),
        endless(
            "endless: chunks",
            answer(),
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "1\r\n \r\n",
        ),
        endless(
            "endless: trailers",
            answer(),
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            "X-Trailer: h0st1le\r\n",
        ),
        endless("endless: body", answer(), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", "h0st1le"),
    ];
    check("framing", &faults);
}

/// What HTTP permits, though few do it, and what does no harm.
#[test]
fn an_answer_of_an_odd_but_readable_form() {
    let early = |name: &str, expected, place: Place, end: fn() -> Vec<Act>| {
        Fault::scripted(name, Wire::Plain, expected, move |step| {
            Some(with(vec![place.hear(step)?, say(&good_text(step.answer))], end()))
        })
    };
    let (close, reset) = (ENDS[0].1, ENDS[1].1);
    let interim =
        |body: &str, interim: &str, count: usize| format!("{}{}", interim.repeat(count), good_text(body));
    let faults = [
        answered("100 Continue first", ok(), move |body| interim(body, "HTTP/1.1 100 Continue\r\n\r\n", 1)),
        answered("ten times 100 Continue", ok(), move |body| {
            interim(body, "HTTP/1.1 100 Continue\r\n\r\n", 10)
        }),
        answered("103 Early Hints first", ok(), move |body| {
            interim(body, "HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n", 1)
        }),
        answered("two answers at once", ok(), |body| good_text(body).repeat(2)),
        answered("garbage after the answer", ok(), |body| format!("{}{MARK}\r\n\r\n", good_text(body))),
        answered("HTTP/1.0 with a length", ok(), |body| good_text(body).replacen("1.1", "1.0", 1)),
        answered("HTTP/1.0 to the end", ok(), |body| format!("HTTP/1.0 200 OK\r\n\r\n{body}")),
        answered("Connection: close", ok(), |body| {
            good_text(body).replacen("X-Server", "Connection: close\r\nX-Server", 1)
        }),
        answered("no length, to the end", ok(), |body| framed("", body)),
        answered("the same length twice", ok(), |body| {
            framed(&format!("Content-Length: {}\r\n", body.len()).repeat(2), body)
        }),
        early("before the request, then closed", ok(), Place::Byte(0), close),
        early("after the request line, then closed", ok(), Place::Line(1), close),
        early("within the body, then closed", ok(), Place::HalfBody, close),
        early(
            "within the body, then reset",
            either(ok(), either(lost(Phase::Exchange), lost(Phase::Response))),
            Place::HalfBody,
            reset,
        ),
    ];
    check("odd", &faults);
}

// ---- Connections that are kept

/// A first request that goes well, one script for both, and what comes of the second.
struct Kept {
    name: String,
    wire: Wire,
    expected: Vec<Seen>,
    /// How many connections there are.
    connections: usize,
    /// What the script says at once after the first response.
    leftover: &'static str,
    /// What the second request waits for.
    until: Until,
    /// What follows the first response.
    then: fn(&Step, Receiver<()>) -> Option<Vec<Act>>,
}

/// What the second request on a kept connection waits for.
#[derive(Clone, Copy)]
enum Until {
    Nothing,
    /// The server has closed the connection.
    Closed,
    /// The server has come to the last act of its script.
    LastAct,
}

impl Kept {
    fn into_fault(self) -> Fault {
        Fault::patient(self.name.clone(), self.expected.clone(), move |step, limit| self.play(step, limit))
    }

    fn play(&self, step: &Step, limit: Duration) -> Option<Attempt> {
        let (signal, wait) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        let first = format!("{}{}", good_text(step.answer), self.leftover);
        let mut script = with(vec![Hear, say(&first)], (self.then)(step, wait)?);
        let waits = waits(&script) && self.expected == lost(Phase::Exchange);
        let limit = if waits { limit } else { PATIENCE };
        script.insert(script.len() - 1, Tell(tell));
        let (server, base) = serve(step, &self.wire, script);
        let answers = over(settings(&self.wire, limit).build().unwrap(), base);
        let came = support::run_row(step.row, support::edition(step.row), answers.clone());
        if !matches!(came, StepResult::To(_) | StepResult::Done) {
            // Only a busy machine makes a good response late.
            assert!(waits, "the first request: {came:?}");
            return Some(Attempt {
                played: Played { seen: Seen::of(&came, step), had: None },
                came_about: false,
            });
        }
        // A script that does not wait has dropped the other end.
        let _ = signal.send(());
        match self.until {
            Until::Nothing => {}
            Until::Closed => server.wait_for_close(),
            Until::LastAct => drop(told.recv_timeout(GUARD).unwrap()),
        }
        let came = support::run_row(step.row, support::edition(step.row), answers);
        let heard = server.finish();
        assert_eq!(heard.len(), self.connections, "connections: {came:?}");
        assert_once(&came, &heard, 2);
        if came.error().is_none() {
            assert_eq!(arrived(&heard), 2, "{came:?}");
        }
        let came_about = !waits || told.try_iter().last().is_some();
        Some(Attempt { played: Played { seen: Seen::of(&came, step), had: None }, came_about })
    }
}

#[test]
fn a_connection_that_is_kept_and_then_lost() {
    let kept = |name: &str, wire: &Wire, then| Kept {
        name: name.to_owned(),
        wire: wire.clone(),
        expected: ok(),
        connections: 2,
        leftover: "",
        until: Until::Closed,
        then,
    };
    let (plain, tls) = (&Wire::Plain, &Wire::Tls);
    let mut faults = vec![
        kept("closed while idle", plain, |_, wait| Some(vec![Await(wait)])),
        kept("reset while idle", plain, |_, wait| Some(vec![Await(wait), Reset])),
        kept("TLS: closed while idle", tls, |_, wait| Some(vec![Await(wait)])),
        kept("TLS: reset while idle", tls, |_, wait| Some(vec![Await(wait), Reset])),
        kept("TLS: ended while idle", tls, |_, wait| Some(vec![Await(wait), CloseNotify])),
    ];
    // A second connection would be answered: here none may come.
    let lost = |name: &str, wire: &Wire, then| Kept {
        expected: lost(Phase::Exchange),
        connections: 1,
        until: Until::Nothing,
        ..kept(&format!("the next request, {name}"), wire, then)
    };
    faults.extend([
        lost("when it comes: closed", plain, |_, _| Some(vec![Bytes(0), Close])),
        lost("when it comes: reset", plain, |_, _| Some(vec![Bytes(0), Reset])),
        lost("when it comes: stalled", plain, |_, _| Some(vec![Bytes(0), UntilClosed])),
        lost("after its head: closed", plain, |step, _| Some(vec![Place::EmptyLine.hear(step)?, Close])),
        lost("after its head: reset", plain, |step, _| Some(vec![Place::EmptyLine.hear(step)?, Reset])),
        lost("after half its body: closed", plain, |step, _| Some(vec![Place::HalfBody.hear(step)?, Close])),
        lost("after half its body: reset", plain, |step, _| Some(vec![Place::HalfBody.hear(step)?, Reset])),
        lost("when it is read: closed", plain, |_, _| Some(vec![Hear, Close])),
        lost("when it is read: reset", plain, |_, _| Some(vec![Hear, Reset])),
        lost("when it is read: stalled", plain, |_, _| Some(vec![Hear, UntilClosed])),
        lost("in its answer: closed", plain, |_, _| Some(vec![Hear, say("HTTP/1.1 20"), Close])),
        lost("TLS, after its head: closed", tls, |step, _| Some(vec![Place::EmptyLine.hear(step)?, Close])),
        lost("TLS, after its head: reset", tls, |step, _| Some(vec![Place::EmptyLine.hear(step)?, Reset])),
        lost("TLS, when it is read: closed", tls, |_, _| Some(vec![Hear, Close])),
        lost("TLS, when it is read: ended", tls, |_, _| Some(vec![Hear, CloseNotify, Close])),
        lost("TLS, when it is read: stalled", tls, |_, _| Some(vec![Hear, UntilClosed])),
    ]);
    check("kept", &faults.into_iter().map(Kept::into_fault).collect::<Vec<_>>());
}

/// What no request asked for, as a server or somebody in between may say it.
const LEFTOVER: &str = "HTTP/1.1 400 h0st1le\r\nContent-Length: 47\r\n\r\n{\"error_code\":\"LEFT.OVER.1\",\"error_msg\":\"----\"}";

/// RFC 9112, section 6.3: what is beyond a response is not a response. Here it would give one user what is another's.
#[test]
fn what_is_left_over_is_nobodys_answer() {
    let kept = |name: &str, leftover, then| Kept {
        name: name.to_owned(),
        wire: Wire::Plain,
        // Over a new connection.
        expected: ok(),
        connections: 2,
        leftover,
        until: Until::Nothing,
        then,
    };
    let tls = |mut kept: Kept| {
        kept.name = format!("TLS: {}", kept.name);
        kept.wire = Wire::Tls;
        kept
    };
    // It may come while the connection is idle.
    let later = |name: &str, then| Kept { until: Until::LastAct, ..kept(name, "", then) };
    let all = || {
        [
            kept("a second answer at once", LEFTOVER, |_, _| Some(vec![Close])),
            kept("a second answer at once, then silence", LEFTOVER, |_, _| Some(vec![UntilClosed])),
            kept("a second answer at once, and an honest one", LEFTOVER, |step, _| {
                Some(vec![Hear, say(&good_text(step.answer)), Close])
            }),
            later("a second answer later", |_, wait| Some(vec![Await(wait), say(LEFTOVER), UntilClosed])),
            later("a second answer later, then closed", |_, wait| {
                Some(vec![Await(wait), say(LEFTOVER), Close])
            }),
            kept("half an answer", "HTTP/1.1 400 h0st1le\r\nContent-", |step, _| {
                Some(vec![Hear, say(&good_text(step.answer)), Close])
            }),
            kept("garbage", "h0st1le\r\n\r\n", |step, _| {
                Some(vec![Hear, say(&good_text(step.answer)), Close])
            }),
            kept("a line end", "\r\n", |step, _| Some(vec![Hear, say(&good_text(step.answer)), Close])),
        ]
    };
    let faults = all().into_iter().chain(all().map(tls)).map(Kept::into_fault);
    check("left_over", &faults.collect::<Vec<_>>());
}

/// The response to a request that was given up is discarded, and the next request is clean.
#[test]
fn late_response_is_discarded() {
    let mut faults = Vec::new();
    for (name, wire) in [("plain", Wire::Plain), ("TLS", Wire::Tls)] {
        faults.push(Fault::patient(format!("{name}: a late answer"), ok(), move |step, limit| {
            let (signal, wait) = mpsc::channel();
            let (server, base) = serve(step, &wire, vec![Hear, Await(wait), say(LEFTOVER), UntilClosed]);
            let answers = over(settings(&wire, limit).build().unwrap(), base);
            let given_up = support::run_row(step.row, support::edition(step.row), answers.clone());
            let given_up = Seen::of(&given_up, step);
            let _ = signal.send(());
            if given_up != lost(Phase::Exchange)[0].for_step(step) {
                // On a busy machine the time was up before there was a connection: nothing to wait for will ever end.
                assert!(arrived(&server.finish()) <= 1);
                return Some(Attempt { played: Played { seen: given_up, had: None }, came_about: false });
            }
            server.wait_for_close();
            let came = support::run_row(step.row, support::edition(step.row), answers);
            let heard = server.finish();
            assert_once(&came, &heard, 2);
            assert!(heard.len() <= 2, "{} connections", heard.len());
            // The second request has no more time than the first.
            if came.error().is_none() {
                assert_eq!((heard.len(), arrived(&heard)), (2, 2));
            }
            Some(Attempt { played: Played { seen: Seen::of(&came, step), had: None }, came_about: true })
        }));
    }
    check("late", &faults);
}

// ---- Responses

/// The rows of the recovery table that a response brings about, over the wire.
#[test]
fn every_kind_of_answer_leads_where_the_recovery_table_says() {
    let faults: Vec<_> = recovery_table::ROWS
        .iter()
        .filter_map(|row| {
            let Event::Answer(http_status, body) = row.event else { return None };
            let text = format!(
                "HTTP/1.1 {http_status} {MARK}\r\nLocation: /{MARK}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let mut expected = unexpected(row.holds.name(), row.says);
            expected.extend(
                row.says_without_status.into_iter().flat_map(|says| unexpected(row.holds.name(), says)),
            );
            Some(answered(row.name, expected, move |_| text.clone()))
        })
        .collect();
    check("answers", &faults);
}
