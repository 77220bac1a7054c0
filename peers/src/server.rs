//! A tenant as small as it can be: it answers the first step with a bind, and every other with a session.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The application.
pub const CLIENT_ID: &str = "nTo1eRIub60vPb54WeE6aojPwYwImtl4";
/// The mini program's code.
pub const CODE: &str = "091zQTFa1i6qMC02AWFa1Vzt0O0zQTF8";
/// The path of the first step.
pub const LOGIN: &str = "/api/v2/sdk/login/wechat-miniprogram";
/// The path of the second step.
pub const BIND: &str = "/api/v2/sdk/social/username-password-bind";

/// The device: operating system, fingerprint, agent, language.
pub const DEVICE: [&str; 4] = [
    "ios13.3",
    "156aysdna213sc50",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 13_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 \
     MicroMessenger/8.0.49 NetType/WIFI Language/zh",
    "zh",
];

/// No healthy run gets near it.
const GUARD: Duration = Duration::from_secs(60);

/// The response to the first step: an account is to be bound. The state token has 300 characters.
pub fn pending() -> Vec<u8> {
    let data = r#"{\"socialBindOrRegisterFlow\":[\"VERIFY_PHONE\",\"VERIFY_EMAIL\"]}"#;
    format!(r#"{{"status":"SOCIAL_BIND","state_token":"{}","data":"{data}"}}"#, token(300)).into_bytes()
}

/// The response to the second: a session. The identity token has 900 characters, as one of the pages has.
pub fn success() -> Vec<u8> {
    let (session, id) = (token(64), token(900));
    format!(r#"{{"status":"SUCCESS","session_token":"{session}","expire":604800,"id_token":"{id}"}}"#)
        .into_bytes()
}

fn token(length: usize) -> String {
    "eyJhbGciOiJIUzI1NiJ9.".chars().chain("kV3x".chars().cycle()).take(length).collect()
}

/// The server. When it is dropped it takes no more connections; those that there are end with their peers.
pub struct Server {
    address: SocketAddr,
    root: Option<String>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    handshakes: AtomicU64,
    connections: AtomicU64,
    /// How many requests must wait together before one is answered, and how many wait.
    held: Mutex<(usize, usize)>,
    enough: Condvar,
    last_request: Mutex<Vec<u8>>,
}

impl Server {
    /// Over plain HTTP, on this machine.
    pub fn http() -> Self {
        Self::start(None, None)
    }

    /// Over TLS, on this machine.
    pub fn https() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["127.0.0.1", "localhost"].map(str::to_owned)).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        let config = ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            );
        Self::start(Some(Arc::new(config.unwrap())), Some(authority.pem()))
    }

    fn start(tls: Option<Arc<ServerConfig>>, root: Option<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let served = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if served.stop.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), tls, served) = (stream, tls.clone(), Arc::clone(&served)) else { continue };
                // An error ends the connection, which is all that a peer may notice.
                thread::spawn(move || drop(serve(stream, tls, &served)));
            }
        });
        Self { address, root, shared, thread: Some(thread) }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn base_address(&self) -> String {
        format!("http{}://{}", if self.root.is_some() { "s" } else { "" }, self.address)
    }

    /// The certificate of the authority that a client must trust, in PEM; empty for plain HTTP.
    pub fn root(&self) -> &str {
        self.root.as_deref().unwrap_or_default()
    }

    /// The TLS handshakes that were completed until now.
    pub fn handshakes(&self) -> u64 {
        self.shared.handshakes.load(Ordering::SeqCst)
    }

    /// The connections that were accepted until now.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// The bytes of the last request.
    pub fn last_request(&self) -> Vec<u8> {
        self.shared.last_request.lock().unwrap().clone()
    }

    /// The next `count` requests wait for each other: each has a connection of its own.
    pub fn hold(&self, count: usize) {
        *self.shared.held.lock().unwrap() = (count, 0);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        if TcpStream::connect(self.address).is_ok()
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn wait(&self) {
        let mut held = self.held.lock().unwrap();
        if held.0 == 0 {
            return;
        }
        held.1 += 1;
        if held.1 == held.0 {
            *held = (0, 0);
            self.enough.notify_all();
        } else {
            drop(self.enough.wait_timeout_while(held, GUARD, |held| held.0 != 0).unwrap());
        }
    }
}

fn serve(mut stream: TcpStream, tls: Option<Arc<ServerConfig>>, shared: &Shared) -> io::Result<()> {
    shared.connections.fetch_add(1, Ordering::SeqCst);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(GUARD))?;
    let Some(tls) = tls else { return answer(stream, shared) };
    let mut tls = ServerConnection::new(tls).map_err(io::Error::other)?;
    while tls.is_handshaking() {
        tls.complete_io(&mut stream)?;
    }
    shared.handshakes.fetch_add(1, Ordering::SeqCst);
    answer(StreamOwned::new(tls, stream), shared)
}

/// The whole response to a request whose head begins with `POST` and the path.
fn whole(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn answer(mut stream: impl Read + Write, shared: &Shared) -> io::Result<()> {
    let (pending, success) = (whole(&pending()), whole(&success()));
    let mut request = Vec::with_capacity(8 << 10);
    let mut chunk = [0; 8 << 10];
    loop {
        let size = stream.read(&mut chunk)?;
        if size == 0 {
            return Ok(());
        }
        request.extend_from_slice(&chunk[..size]);
        if !is_complete(&request) {
            continue;
        }
        if *shared.held.lock().unwrap() != (0, 0) {
            shared.last_request.lock().unwrap().clone_from(&request);
            shared.wait();
        }
        let first = request.get("POST ".len()..).is_some_and(|rest| rest.starts_with(LOGIN.as_bytes()));
        stream.write_all(if first { &pending } else { &success })?;
        stream.flush()?;
        request.clear();
    }
}

/// Whether the head and as many bytes as it announces are there.
fn is_complete(request: &[u8]) -> bool {
    const LENGTH: &[u8] = b"content-length: ";
    let Some(head) = request.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let length = request[..head].split(|byte| *byte == b'\n').find_map(|line| {
        let (name, value) = line.split_at_checked(LENGTH.len())?;
        let value = name.eq_ignore_ascii_case(LENGTH).then_some(value)?;
        std::str::from_utf8(value).ok()?.trim().parse::<usize>().ok()
    });
    request.len() >= head + 4 + length.unwrap_or(0)
}
