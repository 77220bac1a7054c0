//! `UreqTransport` against a server that writes TLS records by hand: of any type, size and order.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use idaas_login::{Response, Sent, Transport as _, TransportError, UreqTransport};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rustls::version::{TLS12, TLS13};
use rustls::{ConnectionTrafficSecrets, ServerConfig, ServerConnection, StreamOwned};
use support::server::{Authority, GUARD};

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const DATA: u8 = 23;
/// The type of the message that brings a session ticket.
const TICKET: u8 = 4;

/// What a server seals its records with.
struct Sealer {
    key: LessSafeKey,
    iv: [u8; 12],
    count: u64,
    is_tls13: bool,
}

/// A record to be sealed.
#[derive(Clone, Debug)]
struct Record {
    kind: u8,
    /// The type that is not encrypted.
    shown: u8,
    plain: Vec<u8>,
    padding: usize,
}

fn record(kind: u8, plain: &[u8]) -> Record {
    Record { kind, shown: kind, plain: plain.to_vec(), padding: 0 }
}

fn data(plain: impl AsRef<[u8]>) -> Record {
    record(DATA, plain.as_ref())
}

impl Sealer {
    fn new(secrets: &ConnectionTrafficSecrets, count: u64, is_tls13: bool) -> Self {
        let ConnectionTrafficSecrets::Aes256Gcm { key, iv } = secrets else { panic!("another cipher suite") };
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_ref()).unwrap());
        Self { key, iv: iv.as_ref().try_into().unwrap(), count, is_tls13 }
    }

    fn seal(&mut self, record: &Record) -> Vec<u8> {
        let mut nonce = self.iv;
        for (byte, of_count) in nonce[4..].iter_mut().zip(self.count.to_be_bytes()) {
            *byte ^= of_count;
        }
        let mut sealed = record.plain.clone();
        let (shown, aad, explicit) = if self.is_tls13 {
            sealed.push(record.kind);
            sealed.extend(vec![0; record.padding]);
            let size = u16::try_from(sealed.len() + 16).unwrap().to_be_bytes();
            let shown = if record.shown == record.kind { DATA } else { record.shown };
            (shown, [&[DATA, 3, 3], &size[..]].concat(), vec![])
        } else {
            let size = u16::try_from(sealed.len()).unwrap().to_be_bytes();
            let aad = [&self.count.to_be_bytes()[..], &[record.kind, 3, 3], &size].concat();
            (record.shown, aad, nonce[4..].to_vec())
        };
        self.count += 1;
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.key.seal_in_place_append_tag(nonce, Aad::from(aad), &mut sealed).unwrap();
        let size = u16::try_from(explicit.len() + sealed.len()).unwrap().to_be_bytes();
        [&[shown, 3, 3], &size[..], &explicit, &sealed].concat()
    }
}

/// Shakes hands and hears a request.
fn heard_over_tls(
    listener: &TcpListener,
    config: &Arc<ServerConfig>,
) -> StreamOwned<ServerConnection, TcpStream> {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(GUARD)).unwrap();
    stream.set_nodelay(true).unwrap();
    let tls = ServerConnection::new(Arc::clone(config)).unwrap();
    let mut tls = StreamOwned::new(tls, stream);
    hear(&mut tls);
    tls
}

fn hear(stream: &mut impl Read) {
    let mut heard = Vec::new();
    let mut piece = [0; 4096];
    while !heard.ends_with(b"}") {
        let size = stream.read(&mut piece).unwrap();
        assert!(size > 0, "the client closed the connection");
        heard.extend_from_slice(&piece[..size]);
    }
}

/// Responds to one request with these records, all at once, and waits until the client closes the connection. Returns how many
/// bytes came meanwhile.
fn respond(listener: &TcpListener, config: &Arc<ServerConfig>, records: &[Record]) -> usize {
    let tls = heard_over_tls(listener, config);
    let is_tls13 = tls.conn.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3);
    let (connection, mut stream) = tls.into_parts();
    let (count, secrets) = connection.dangerous_extract_secrets().unwrap().tx;
    let mut sealer = Sealer::new(&secrets, count, is_tls13);
    let bytes: Vec<u8> = records.iter().flat_map(|record| sealer.seal(record)).collect();
    // The client may be gone before the end.
    let _ = stream.write_all(&bytes);
    let mut more = Vec::new();
    match stream.read_to_end(&mut more) {
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
            panic!("the client keeps the connection")
        }
        _ => more.len(),
    }
}

fn config(authority: &Authority, version: &'static rustls::SupportedProtocolVersion) -> Arc<ServerConfig> {
    let mut config = (*authority.server("127.0.0.1", 4000, &[version])).clone();
    config.enable_secret_extraction = true;
    Arc::new(config)
}

fn body(size: usize) -> Vec<u8> {
    (b'a'..=b'z').cycle().take(size).collect()
}

fn response(size: usize) -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n").into_bytes(), body(size)].concat()
}

fn ask(transport: &UreqTransport, address: &str) -> Result<Response, TransportError> {
    transport.send(http::Request::post(address).body(b"{}".to_vec()).unwrap())
}

/// A session ticket, as TLS 1.3 has it.
fn ticket() -> Vec<u8> {
    let body = [&[0, 0, 0, 60, 1, 2, 3, 4, 1, 7, 0, 100], &[7; 100][..], &[0, 0]].concat();
    [&[TICKET, 0, 0, u8::try_from(body.len()).unwrap()], &body[..]].concat()
}

/// Whatever comes between the records of a response, in them and after them: the response arrives as it was sent, or not at all.
#[test]
fn a_response_arrives_as_it_was_sent_or_not_at_all() {
    const SIZE: usize = 40_000;
    let text = response(SIZE);
    let pieces = |size: usize| text.chunks(size).map(data).collect::<Vec<_>>();
    // After every thousand bytes.
    let between = |more: &[Record]| -> Vec<Record> {
        pieces(1000).into_iter().flat_map(|piece| [&[piece], more].concat()).collect()
    };
    let split = |at: usize| [record(HANDSHAKE, &ticket()[..at]), record(HANDSHAKE, &ticket()[at..])];
    let shown = |kind: u8| -> Vec<Record> {
        let mut records = pieces(1000);
        records.iter_mut().step_by(2).for_each(|record| record.shown = kind);
        records
    };
    let padded = pieces(1000).into_iter().map(|piece| Record { padding: 15_000, ..piece }).collect();
    let in_the_middle = |more: &[Record]| [&pieces(1000)[..20], more, &pieces(1000)[20..]].concat();
    let after = |more: &[Record]| [&pieces(1000)[..], more].concat();
    let (both, new, old) = (&[&TLS13, &TLS12][..], &[&TLS13][..], &[&TLS12][..]);
    let close = || record(ALERT, &[1, 0]);
    let rows = [
        (
            "a byte each, and the rest",
            both,
            [pieces(1)[..3000].to_vec(), text[3000..].chunks(16_384).map(data).collect()].concat(),
            true,
        ),
        ("the largest", both, pieces(16_384), true),
        ("too large", both, pieces(16_385), false),
        ("as many empty ones as may be", both, between(&vec![data(""); 32]), true),
        ("more empty ones", both, between(&vec![data(""); 33]), false),
        ("padded", new, padded, true),
        ("shown as part of a handshake", new, shown(HANDSHAKE), true),
        ("shown as an alert", new, shown(ALERT), true),
        ("shown as a heartbeat", new, shown(24), true),
        ("shown as another one", old, shown(HANDSHAKE), false),
        ("tickets", new, between(&[record(HANDSHAKE, &ticket())]), true),
        ("tickets in two halves", new, between(&split(50)), true),
        (
            "two tickets in one record",
            new,
            between(&[record(HANDSHAKE, &[ticket(), ticket()].concat())]),
            true,
        ),
        ("half a ticket", new, between(&split(50)[..1]), false),
        ("tickets", old, between(&[record(HANDSHAKE, &ticket())]), false),
        ("a wish to shake hands again", old, in_the_middle(&[record(HANDSHAKE, &[0, 0, 0, 0])]), true),
        ("a harmless alert", both, in_the_middle(&[record(ALERT, &[1, 90])]), true),
        ("a fatal alert", both, in_the_middle(&[record(ALERT, &[2, 80])]), false),
        ("an early end", both, in_the_middle(&[close()]), false),
        ("an end", both, after(&[close()]), true),
        ("data after the end", both, after(&[close(), data(response(SIZE))]), true),
        ("a second response", both, after(&[data(response(10))]), true),
    ];
    let authority = Authority::new();
    let configs = [&TLS13, &TLS12].map(|version| (version, config(&authority, version)));
    for (row, versions, records, arrives) in rows {
        for version in versions {
            let row = format!("{row}, {:?}", version.version);
            let (_, config) = configs.iter().find(|(of, _)| of.version == version.version).unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = format!("https://{}/", listener.local_addr().unwrap());
            let (config, records) = (Arc::clone(config), records.clone());
            let server = thread::spawn(move || respond(&listener, &config, &records));
            let transport = authority.trusted().build().unwrap();
            let came = ask(&transport, &address);
            drop(transport);
            server.join().unwrap();
            match came {
                Ok(response) => {
                    assert!(arrives, "{row}: a response of {} bytes", response.body().len());
                    assert!(*response.body() == body(SIZE), "{row}: another response");
                }
                Err(error) => {
                    assert!(!arrives, "{row}: {error:#}");
                    assert_eq!(error.sent(), Sent::Maybe, "{row}");
                }
            }
        }
    }
}

/// A server may change its keys whenever it likes, and ask for other ones of the client.
#[test]
fn keys_may_change_within_a_response() {
    let authority = Authority::new();
    let config = config(&authority, &TLS13);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}/", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let mut tls = heard_over_tls(&listener, &config);
        for request in 0..3 {
            if request > 0 {
                hear(&mut tls);
            }
            for piece in response(5000).chunks(500) {
                tls.conn.writer().write_all(piece).unwrap();
                tls.conn.refresh_traffic_keys().unwrap();
                tls.flush().unwrap();
            }
        }
    });
    let transport = authority.trusted().build().unwrap();
    for _ in 0..3 {
        assert!(*ask(&transport, &address).unwrap().body() == body(5000));
    }
    server.join().unwrap();
}

/// The tenant's connection within one to a proxy, both of which have their own records.
#[test]
fn a_response_arrives_through_tls_within_tls() {
    let authority = Authority::new();
    let config = config(&authority, &TLS13);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("https://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(GUARD)).unwrap();
        let tls = || ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut outer = StreamOwned::new(tls(), stream);
        let mut heard = Vec::new();
        while !heard.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            outer.read_exact(&mut byte).unwrap();
            heard.extend(byte);
        }
        outer.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let mut inner = StreamOwned::new(tls(), outer);
        for size in [10, 100_000, 10] {
            hear(&mut inner);
            for piece in response(size).chunks(20_000) {
                inner.write_all(piece).unwrap();
                inner.sock.conn.refresh_traffic_keys().unwrap();
            }
            inner.flush().unwrap();
            inner.sock.flush().unwrap();
        }
    });
    let transport = authority.trusted().proxy(proxy).build().unwrap();
    for size in [10, 100_000, 10] {
        assert!(*ask(&transport, "https://127.0.0.1:1/").unwrap().body() == body(size));
    }
    server.join().unwrap();
}

/// A server that ended TLS hears no request any more, even if it has not closed the connection yet.
#[test]
fn a_connection_on_which_tls_ended_is_not_used_again() {
    let authority = Authority::new();
    for version in [&TLS13, &TLS12] {
        let config = config(&authority, version);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("https://{}/", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let records = [data(response(100)), record(ALERT, &[1, 0])];
            [respond(&listener, &config, &records), respond(&listener, &config, &records)]
        });
        let transport = authority.trusted().build().unwrap();
        for _ in 0..2 {
            let came =
                ask(&transport, &address).unwrap_or_else(|error| panic!("{:?}: {error:#}", version.version));
            assert_eq!(came.body().len(), 100);
        }
        drop(transport);
        assert!(server.join().unwrap().iter().all(|size| *size < 100));
    }
}
