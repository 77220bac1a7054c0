//! `UreqTransport` with the cipher suites of a caller's provider: wherever they leave the plaintext of a record.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use idaas_login::{Phase, Response, Sent, Transport as _, TransportError, UreqTransport};
use rustls::crypto::ring;
use rustls::{ServerConnection, StreamOwned, SupportedCipherSuite};
use support::cipher_suites::{Place, moved, provider};
use support::server::Act::{Hear, Shake};
use support::server::{Authority, Server};

/// The transport of a caller whose provider has this suite alone.
fn transport(authority: &Authority, suite: SupportedCipherSuite) -> UreqTransport {
    let root = ureq::tls::Certificate::from_der(authority.0.der()).to_owned();
    let tls = ureq::tls::TlsConfig::builder()
        .root_certs(ureq::tls::RootCerts::from([root]))
        .unversioned_rustls_crypto_provider(provider(suite))
        .build();
    let config = ureq::Agent::config_builder().proxy(None).tls_config(tls).input_buffer_size(64 << 10);
    UreqTransport::from_config(&config.build()).unwrap()
}

fn send(transport: &UreqTransport, address: &str) -> Result<Response, TransportError> {
    transport.send(http::Request::post(address).body(b"{}".to_vec()).unwrap())
}

fn chunked(body: &str, size: usize) -> String {
    let mut bytes = Vec::new();
    for chunk in body.as_bytes().chunks(size) {
        write!(bytes, "{:x}\r\n", chunk.len()).unwrap();
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    String::from_utf8(bytes).unwrap()
}

/// The caller's cryptography is used, with each of its cipher suites. A response arrives as it was sent, in whatever records it
/// comes: in one, in small ones, and in more at once than are read at once; and so does a large head.
#[test]
fn each_cipher_suite_of_the_callers_provider_reads_records_of_any_size() {
    let authority = Authority::new();
    let config = authority.good_server();
    let field = format!("X-Field: {}\r\n", "y".repeat(990));
    // The size of a head, of a body, of its chunks, if it has any, and of the records.
    let shapes = [
        (0, 1, None, 1),
        (0, 20_000, Some(1), 9_001),
        (0, 3_000, None, 100),
        (3_000, 40_000, None, 1_000),
        (40_000, 100_000, None, 16_384),
        (0, 40_000, Some(700), 1_000),
    ];
    let response = |(head, body, chunk, _): (usize, usize, Option<usize>, usize)| {
        let body: String = (b'a'..=b'z').cycle().take(body).map(char::from).collect();
        let fields = field.repeat(head / 1000);
        let (framing, framed) = match chunk {
            None => (format!("Content-Length: {}", body.len()), body.clone()),
            Some(size) => ("Transfer-Encoding: chunked".to_owned(), chunked(&body, size)),
        };
        (format!("HTTP/1.1 200 OK\r\n{framing}\r\n{fields}\r\n{framed}"), body)
    };
    // The server has a certificate of an elliptic curve.
    let suites = ring::ALL_CIPHER_SUITES.iter().copied();
    let suites: Vec<_> = suites.filter(|suite| !format!("{suite:?}").contains("_RSA_")).collect();
    assert!(suites.len() >= 6, "{suites:?}");
    // Behind the plaintext, a record has 17 bytes.
    let places = [1, 8, 17].map(Place::Behind).map(moved);
    for suite in suites.into_iter().chain(places) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("https://{}/", listener.local_addr().unwrap());
        let config = Arc::clone(&config);
        let texts = shapes.map(|shape| (response(shape).0, shape.3));
        let server = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut tls = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
            tls.conn.set_buffer_limit(None);
            for (text, size) in texts {
                let mut heard = Vec::new();
                let mut piece = [0; 4096];
                while !heard.ends_with(b"}") {
                    let size = tls.read(&mut piece).unwrap();
                    heard.extend_from_slice(&piece[..size]);
                }
                for record in text.as_bytes().chunks(size) {
                    tls.conn.writer().write_all(record).unwrap();
                }
                let mut records = Vec::new();
                while tls.conn.wants_write() {
                    tls.conn.write_tls(&mut records).unwrap();
                }
                tls.sock.write_all(&records).unwrap();
            }
            tls.conn.negotiated_cipher_suite().unwrap()
        });
        let transport = transport(&authority, suite);
        for shape in shapes {
            let received = send(&transport, &address).unwrap();
            assert!(*received.body() == response(shape).1.into_bytes(), "{suite:?}, {shape:?}");
            assert_eq!(received.headers().len(), 1 + shape.0 / 1000, "{suite:?}, {shape:?}");
        }
        assert_eq!(server.join().unwrap().suite(), suite.suite());
    }
}

/// Where the plaintext is not in the record that was to be decrypted, it cannot be wiped: nothing is sent.
#[test]
fn a_cipher_suite_that_decrypts_elsewhere_is_refused() {
    let authority = Authority::new();
    let server = Server::new(vec![vec![Shake(authority.good_server()), Hear]]);
    let transport = transport(&authority, moved(Place::Elsewhere));
    let error = send(&transport, &server.https()).unwrap_err();
    assert_eq!((error.sent(), error.phase()), (Sent::No, Phase::TlsHandshake), "{error:#}");
    assert!(server.finish().concat().is_empty());
}
