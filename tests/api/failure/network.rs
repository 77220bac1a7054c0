//! The faults of a network, as the real `UreqTransport` meets them on this machine.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use idaas_login::{Client, UreqTransport, UreqTransportBuilder};
use rustls::{ALL_VERSIONS, ServerConfig, ServerConnection, Stream};

use super::{Came, Case, step};
use support::server::{Authority, closed_port};
use support::{CLIENT_ID, device};

pub(super) const CASES: &[Case] = &[
    ("tokens would be logged", || {
        LEAKY.set(true);
        let came = plain(|_| {}, UreqTransport::builder());
        LEAKY.set(false);
        came
    }),
    ("the name does not resolve", || log_in("https://no-such-host.invalid", UreqTransport::builder())),
    ("the name server is silent", || {
        // Until the call is over.
        let (end, silence) = mpsc::channel::<()>();
        let silence = Mutex::new(silence);
        let silent = UreqTransport::builder().connect_timeout(Duration::from_millis(100));
        let silent = silent.resolve_with(move |_, _| {
            let _ = silence.lock().unwrap().recv();
            Ok(Vec::new())
        });
        let came = log_in("https://acme.example.com", silent);
        drop(end);
        came
    }),
    ("plain HTTP, and a name that leads elsewhere", || {
        let elsewhere =
            UreqTransport::builder().resolve_with(|_, port| Ok(vec![([192, 0, 2, 7], port).into()]));
        log_in("http://localhost:9", elsewhere)
    }),
    ("nobody listens", || log_in(&format!("https://{}", closed_port()), UreqTransport::builder())),
    ("plain HTTP, and a proxy", || {
        let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
        let through = UreqTransport::builder().proxy(format!("http://{}", proxy.local_addr().unwrap()));
        let came = log_in("http://127.0.0.1:9", through);
        proxy.set_nonblocking(true).unwrap();
        assert_eq!(proxy.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "nobody came");
        came
    }),
    ("the proxy refuses", || {
        let (address, server) = serve(|mut stream| {
            hear(&mut stream);
            stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").unwrap();
        });
        let came =
            log_in("https://acme.example.com", UreqTransport::builder().proxy(format!("http://{address}")));
        server.join().unwrap();
        came
    }),
    ("TLS: an unknown authority", || {
        let stranger = Authority::named("a stranger");
        tls(&Authority::named("an authority"), &stranger.server("127.0.0.1", 4000, ALL_VERSIONS))
    }),
    ("TLS: an expired certificate", || {
        let authority = Authority::named("an authority");
        tls(&authority, &authority.server("127.0.0.1", 2021, ALL_VERSIONS))
    }),
    ("TLS: another host's certificate", || {
        let authority = Authority::named("an authority");
        tls(&authority, &authority.server("acme.example.com", 4000, ALL_VERSIONS))
    }),
    ("TLS: closed within the handshake", || {
        let (address, server) = serve(|mut stream| drop(stream.read(&mut [0; 4096])));
        let came = log_in(&format!("https://{address}"), UreqTransport::builder());
        server.join().unwrap();
        came
    }),
    ("connecting takes too long, here in TLS", || {
        let (address, server) = serve(until_closed);
        let impatient = UreqTransport::builder().connect_timeout(Duration::from_millis(100));
        let came = log_in(&format!("https://{address}"), impatient);
        server.join().unwrap();
        came
    }),
    ("the connection is reset", || {
        plain(
            |stream| {
                // What stays unread when the connection is closed resets it.
                let mut heard = [0; 4096];
                let whole = |heard: &[u8]| heard.ends_with(b"}");
                let until = Instant::now() + Duration::from_secs(5);
                while stream.peek(&mut heard).is_ok_and(|size| !whole(&heard[..size]))
                    && Instant::now() < until
                {
                    thread::yield_now();
                }
            },
            UreqTransport::builder(),
        )
    }),
    ("the connection is closed", || plain(|mut stream| hear(&mut stream), UreqTransport::builder())),
    ("no response in time", || {
        plain(until_closed, UreqTransport::builder().call_timeout(Duration::from_millis(100)))
    }),
    ("a response that is not HTTP", || says("SSH-2.0-OpenSSH_9.6\r\n".to_owned())),
    ("a response that is cut off", || says("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{".to_owned())),
    ("a response that does not end in time", || {
        let begins = |mut stream: TcpStream| {
            hear(&mut stream);
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{").unwrap();
            until_closed(stream);
        };
        plain(begins, UreqTransport::builder().call_timeout(Duration::from_millis(100)))
    }),
    ("a response that is too large", || {
        let size = (2 << 20) + 1;
        says(format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n{}", " ".repeat(size)))
    }),
];

/// One login over the real transport.
fn log_in(address: &str, transport: UreqTransportBuilder) -> Came {
    let builder = Client::builder(address, CLIENT_ID).allow_loopback_http();
    let client = builder.build_with(transport.build().unwrap()).unwrap();
    step(client.login(device()).wechat_mini_program("091z").send())
}

/// The same over HTTP without TLS, to a server that plays `part` once.
fn plain(part: impl FnOnce(TcpStream) + Send + 'static, transport: UreqTransportBuilder) -> Came {
    let (address, server) = serve(part);
    let came = log_in(&format!("http://{address}"), transport);
    // A server that nobody came to waits no longer.
    drop(TcpStream::connect(&address));
    server.join().unwrap();
    came
}

fn says(text: String) -> Came {
    plain(
        move |mut stream| {
            hear(&mut stream);
            // The client may hang up before the end.
            let _ = stream.write_all(text.as_bytes());
        },
        UreqTransport::builder(),
    )
}

/// A server for one connection.
fn serve(part: impl FnOnce(TcpStream) + Send + 'static) -> (String, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (
        address,
        thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            part(stream);
        }),
    )
}

/// Hears a request: a JSON object ends it, or an empty line if it is to a proxy.
fn hear(stream: &mut impl Read) {
    let mut heard = Vec::new();
    let mut piece = [0; 4096];
    let ended =
        |heard: &[u8]| heard.ends_with(b"}") || heard.starts_with(b"CONNECT") && heard.ends_with(b"\r\n\r\n");
    while !ended(&heard) {
        match stream.read(&mut piece) {
            Ok(size) if size > 0 => heard.extend_from_slice(&piece[..size]),
            _ => return,
        }
    }
}

fn until_closed(mut stream: TcpStream) {
    let _ = stream.read_to_end(&mut Vec::new());
}

/// A login over TLS with this server, trusting this authority alone.
fn tls(trusted: &Authority, server: &Arc<ServerConfig>) -> Came {
    let server = Arc::clone(server);
    let (address, thread) = serve(move |mut stream| {
        let mut connection = ServerConnection::new(server).unwrap();
        let _ = Stream::new(&mut connection, &mut stream).read(&mut [0]);
    });
    let transport = UreqTransport::builder().root_certificates_pem(trusted.0.pem());
    let came = log_in(&format!("https://{address}"), transport);
    thread.join().unwrap();
    came
}

thread_local! {
    /// Whether this thread's logger would write what ureq's protocol layer says.
    static LEAKY: Cell<bool> = const { Cell::new(false) };
}

struct Logger;

impl log::Log for Logger {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        LEAKY.get() && metadata.target().starts_with("ureq_proto")
    }
    fn log(&self, _: &log::Record<'_>) {}
    fn flush(&self) {}
}

pub(super) fn listen_to_the_log() {
    let _ = log::set_logger(&Logger);
    log::set_max_level(log::LevelFilter::Trace);
}
