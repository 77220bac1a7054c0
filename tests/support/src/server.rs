//! A scripted server on loopback, plain or with TLS: it plays a script for each connection and keeps what it heard.
#![allow(dead_code, clippy::missing_panics_doc)]

use std::io::{self, BufRead, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use idaas_login::{UreqTransport, UreqTransportBuilder};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};
use socket2::{Domain, SockRef, Socket, Type};

use Act::{
    AllButTheLastByte, Await, Bytes, Bytewise, Close, CloseNotify, FirstFlight, Flood, Hear, HearTo, Records,
    Repeat, Reset, Say, Shake, Tell, Trickle, UntilClosed,
};

/// No healthy test gets near it.
pub const GUARD: Duration = Duration::from_secs(5);

/// One act of a server on one connection. When the script is at its end, the connection is closed.
pub enum Act {
    /// Shakes hands; the acts that follow are inside TLS.
    Shake(Arc<ServerConfig>),
    /// Answers the client's hello, and leaves it at that: what follows is on the bare connection.
    FirstFlight(Arc<ServerConfig>),
    /// Reads a whole request.
    Hear,
    /// Reads a request to this point.
    HearTo(Point),
    /// Reads so many bytes, and waits for one more, which stays unread.
    Bytes(usize),
    /// Reads a request but for its last byte, which arrives and stays unread: closing then resets the connection.
    AllButTheLastByte,
    Say(Vec<u8>),
    /// Says each in a TLS record of its own, and all of them at once.
    Records(Vec<String>),
    /// Says it a byte at a time, as long as somebody listens.
    Trickle(Vec<u8>),
    /// Says it a byte at a time, as fast as it goes; inside TLS in a record each.
    Bytewise(Vec<u8>),
    /// Says it again and again until the client closes the connection, which it must.
    Flood(&'static str),
    /// The same, slowly.
    Repeat(&'static str),
    /// Waits until the client closes the connection, which it must.
    UntilClosed,
    /// Waits for the test.
    Await(Receiver<()>),
    /// Tells the test how much the server has heard by now.
    Tell(Sender<usize>),
    /// Ends TLS as one should.
    CloseNotify,
    /// Says that nothing more will come, and hears out the client.
    Close,
    /// Resets the connection, whatever was read.
    Reset,
}

/// A point in a request.
#[derive(Clone, Copy)]
pub enum Point {
    /// After so many bytes.
    Byte(usize),
    /// After so many lines of the head.
    Line(usize),
    /// After so many bytes of the body.
    Body(usize),
}

pub fn say(text: &str) -> Act {
    Say(text.as_bytes().to_vec())
}

pub fn answer_with(http_status: &str, headers: &str, body: &str) -> Act {
    let length = body.len();
    say(&format!("HTTP/1.1 {http_status}\r\nContent-Length: {length}\r\n{headers}\r\n{body}"))
}

pub fn answer(http_status: &str, body: &str) -> Act {
    answer_with(http_status, "Content-Type: application/json\r\n", body)
}

/// What one connection brought.
pub type Heard = Vec<u8>;

/// Listens at a free port. After tens of thousands of connections there is none for a while: closed ones keep theirs for a minute.
fn listen() -> TcpListener {
    let began = Instant::now();
    loop {
        match TcpListener::bind("127.0.0.1:0") {
            Err(error)
                if error.kind() == io::ErrorKind::AddrInUse && began.elapsed() < Duration::from_secs(120) =>
            {
                thread::sleep(Duration::from_millis(50));
            }
            bound => return bound.unwrap(),
        }
    }
}

/// A socket that holds a port of this machine and does not listen.
pub fn bound() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

/// A port of this machine at which nobody listens, and nobody else can until this process ends.
pub fn closed_port() -> SocketAddr {
    let (socket, address) = bound();
    std::mem::forget(socket);
    address
}

pub struct Server {
    pub address: SocketAddr,
    /// The address of the connection that tells the server to end.
    last: Arc<Mutex<Option<SocketAddr>>>,
    closed: Receiver<()>,
    thread: Option<JoinHandle<Vec<Heard>>>,
}

impl Server {
    /// One script for each connection that is expected. One more is heard out, and closed without a response.
    pub fn new(scripts: Vec<Vec<Act>>) -> Self {
        let listener = listen();
        let address = listener.local_addr().unwrap();
        let last = Arc::new(Mutex::new(None));
        let stop = Arc::clone(&last);
        let (tell, closed) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut scripts = scripts.into_iter();
            let mut heard = Vec::new();
            loop {
                let (stream, peer) = listener.accept().unwrap();
                if *stop.lock().unwrap() == Some(peer) {
                    return heard;
                }
                heard.push(Connection::play(stream, scripts.next().unwrap_or_else(|| vec![Hear])));
                let _ = tell.send(());
            }
        });
        Self { address, last, closed, thread: Some(thread) }
    }

    pub fn http(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn https(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Waits until the server has closed one more connection.
    pub fn wait_for_close(&self) {
        self.closed.recv_timeout(GUARD).expect("the script comes to its end");
    }

    /// What each connection brought, in the order in which they came.
    pub fn finish(mut self) -> Vec<Heard> {
        self.stop().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    fn stop(&mut self) -> thread::Result<Vec<Heard>> {
        let Some(thread) = self.thread.take() else { return Ok(Vec::new()) };
        // Everything that the client did queues before this connection.
        let mut last = self.last.lock().unwrap();
        let stream = TcpStream::connect(self.address);
        *last = stream.as_ref().ok().map(|stream| stream.local_addr().unwrap());
        drop(last);
        thread.join()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Wire {
    /// Waits for what comes, without taking it; nothing if the client has closed the connection.
    fn available(&mut self) -> io::Result<Vec<u8>> {
        match self {
            Self::Plain(stream) => {
                let mut buffer = [0; 4096];
                let size = stream.peek(&mut buffer)?;
                Ok(buffer[..size].to_vec())
            }
            Self::Tls(tls) => tls.fill_buf().map(<[u8]>::to_vec),
        }
    }

    /// Takes what came.
    fn consume(&mut self, count: usize) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.read_exact(&mut vec![0; count]),
            Self::Tls(tls) => {
                tls.consume(count);
                Ok(())
            }
        }
    }
}

struct Connection {
    wire: Wire,
    heard: Heard,
}

impl Connection {
    fn play(stream: TcpStream, script: Vec<Act>) -> Heard {
        stream.set_read_timeout(Some(GUARD)).unwrap();
        stream.set_write_timeout(Some(GUARD)).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut connection = Self { wire: Wire::Plain(stream), heard: Vec::new() };
        for act in script {
            match connection.act(act) {
                Ok(()) => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    panic!("the client let the server wait")
                }
                // The client went away.
                Err(_) => break,
            }
        }
        connection.heard
    }

    fn act(&mut self, act: Act) -> io::Result<()> {
        match act {
            Shake(config) => {
                let Wire::Plain(stream) = &self.wire else { panic!("one handshake is enough") };
                let mut stream = stream.try_clone()?;
                let mut tls = ServerConnection::new(config).unwrap();
                while tls.is_handshaking() {
                    tls.complete_io(&mut stream)?;
                }
                self.wire = Wire::Tls(Box::new(StreamOwned::new(tls, stream)));
                Ok(())
            }
            FirstFlight(config) => {
                let Wire::Plain(stream) = &mut self.wire else { panic!("one handshake is enough") };
                let mut tls = ServerConnection::new(config).unwrap();
                while !tls.wants_write() {
                    if tls.read_tls(stream)? == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    tls.process_new_packets().map_err(io::Error::other)?;
                }
                while tls.wants_write() {
                    tls.write_tls(stream)?;
                }
                Ok(())
            }
            Hear => {
                let rest = self.hear_head()?;
                self.hear(rest)
            }
            HearTo(point) => self.hear_to(point),
            Bytes(count) => {
                self.hear(count)?;
                self.peek()
            }
            AllButTheLastByte => {
                let rest = self.hear_head()?;
                self.hear(rest - 1)?;
                self.peek()
            }
            Say(bytes) => self.say(&bytes),
            Records(texts) => {
                let Wire::Tls(tls) = &mut self.wire else { panic!("there are no records without TLS") };
                for text in texts {
                    tls.conn.writer().write_all(text.as_bytes())?;
                }
                let mut records = Vec::new();
                while tls.conn.wants_write() {
                    tls.conn.write_tls(&mut records)?;
                }
                tls.sock.write_all(&records)
            }
            Trickle(bytes) => bytes.into_iter().try_for_each(|byte| {
                thread::sleep(Duration::from_millis(10));
                self.say(&[byte])
            }),
            Bytewise(bytes) => bytes.into_iter().try_for_each(|byte| self.say(&[byte])),
            Flood(text) => {
                let text = text.repeat(64 * 1024 / text.len());
                for _ in 0..4096 {
                    self.say(text.as_bytes())?;
                }
                panic!("the client takes whatever comes")
            }
            Repeat(text) => {
                let started = Instant::now();
                while started.elapsed() < GUARD {
                    thread::sleep(Duration::from_millis(5));
                    self.say(text.as_bytes())?;
                }
                panic!("the client waits for ever")
            }
            UntilClosed => self.hear_until(|_| false),
            Await(signal) => {
                signal.recv_timeout(GUARD).expect("the test gives the signal");
                Ok(())
            }
            Tell(signal) => {
                signal.send(self.heard.len()).expect("the test waits for the signal");
                Ok(())
            }
            CloseNotify => {
                let Wire::Tls(tls) = &mut self.wire else { panic!("there is no TLS to end") };
                tls.conn.send_close_notify();
                tls.flush()
            }
            Close => {
                self.socket().shutdown(Shutdown::Write)?;
                self.act(UntilClosed)
            }
            Reset => SockRef::from(self.socket()).set_linger(Some(Duration::ZERO)),
        }
    }

    fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.wire {
            Wire::Plain(stream) => stream.write_all(bytes),
            Wire::Tls(tls) => tls.write_all(bytes).and_then(|()| tls.flush()),
        }
    }

    fn hear(&mut self, count: usize) -> io::Result<()> {
        self.hear_until(|heard| heard.len() == count)
    }

    /// Reads until what was read is enough, and not a byte more.
    fn hear_until(&mut self, is_enough: impl Fn(&[u8]) -> bool) -> io::Result<()> {
        let start = self.heard.len();
        while !is_enough(&self.heard[start..]) {
            let available = self.wire.available()?;
            if available.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let before = self.heard.len();
            for byte in available {
                self.heard.push(byte);
                if is_enough(&self.heard[start..]) {
                    break;
                }
            }
            self.wire.consume(self.heard.len() - before)?;
        }
        Ok(())
    }

    /// Reads to the end of a head; returns the length of the body that follows.
    fn hear_head(&mut self) -> io::Result<usize> {
        let start = self.heard.len();
        self.hear_until(|heard| heard.ends_with(b"\r\n\r\n"))?;
        Ok(body_length(&self.heard[start..]))
    }

    fn hear_to(&mut self, point: Point) -> io::Result<()> {
        match point {
            Point::Byte(count) => self.hear(count),
            Point::Line(count) => {
                (0..count).try_for_each(|_| self.hear_until(|heard| heard.ends_with(b"\r\n")))
            }
            Point::Body(count) => {
                self.hear_head()?;
                self.hear(count)
            }
        }
    }

    fn socket(&self) -> &TcpStream {
        match &self.wire {
            Wire::Plain(stream) => stream,
            Wire::Tls(tls) => &tls.sock,
        }
    }

    /// Waits for a byte that stays unread.
    fn peek(&self) -> io::Result<()> {
        let Wire::Plain(stream) = &self.wire else { panic!("only without TLS") };
        stream.peek(&mut [0]).map(drop)
    }
}

/// One request as it was on the wire, perhaps cut short.
pub struct Received {
    pub head: Vec<u8>,
    pub body: Vec<u8>,
}

pub fn body_length(head: &[u8]) -> usize {
    let values = header(head, "content-length");
    values.first().map_or(0, |value| std::str::from_utf8(value).unwrap().parse().unwrap())
}

pub fn header<'a>(head: &'a [u8], name: &str) -> Vec<&'a [u8]> {
    let lines = head.split(|byte| *byte == b'\n').skip(1);
    lines
        .filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            line[..colon].eq_ignore_ascii_case(name.as_bytes()).then(|| line[colon + 1..].trim_ascii())
        })
        .collect()
}

/// The requests of one connection.
pub fn requests(mut heard: &[u8]) -> Vec<Received> {
    let mut requests = Vec::new();
    while !heard.is_empty() {
        let end = heard.windows(4).position(|four| four == b"\r\n\r\n").map_or(heard.len(), |at| at + 4);
        let (lines, rest) = heard.split_at(end);
        let (body, rest) = rest.split_at(body_length(lines).min(rest.len()));
        requests.push(Received { head: lines.to_vec(), body: body.to_vec() });
        heard = rest;
    }
    requests
}

pub fn transport() -> UreqTransportBuilder {
    UreqTransport::builder().connect_timeout(Duration::from_secs(2)).call_timeout(Duration::from_secs(2))
}

/// A certificate authority of the tests.
pub struct Authority(pub CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        Self::named("An authority of the tests")
    }

    /// Two that have to be told apart need names of their own.
    pub fn named(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Client settings that trust this authority alone.
    pub fn trusted(&self) -> UreqTransportBuilder {
        transport().root_certificates_pem(self.0.pem())
    }

    /// A server's settings, with a certificate for `host` that was valid until that year.
    pub fn server(
        &self,
        host: &str,
        until: i32,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Arc<ServerConfig> {
        self.settings(host, (2020, until), versions, false)
    }

    /// The same, with the year in which it becomes valid, too, and with whether the client has to show a certificate.
    pub fn settings(
        &self,
        host: &str,
        (from, until): (i32, i32),
        versions: &[&'static SupportedProtocolVersion],
        asks_for_certificate: bool,
    ) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .unwrap();
        let builder = if asks_for_certificate {
            let mut roots = RootCertStore::empty();
            roots.add(self.0.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let config = builder.with_single_cert(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        );
        Arc::new(config.unwrap())
    }

    pub fn good_server(&self) -> Arc<ServerConfig> {
        self.server("127.0.0.1", 4000, rustls::ALL_VERSIONS)
    }
}
