//! `UreqTransport` below HTTP: when names are resolved, how long connections are kept, which limits hold, what a panic costs.
//!
//! The tests in `network` have what a server may do to a request. Here the name service, the proxy, the logger and the clock
//! misbehave.
use std::cell::{Cell, RefCell};
use std::error::Error as _;
use std::fmt::Write as _;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Condvar, Mutex, Once, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use idaas_login::endpoints::StageKind;
use idaas_login::{Client, Error, Phase, Request, Sent, Transport, TransportError};
use socket2::Socket;
use support::server::{
    Act, Authority, GUARD, Server, answer, answer_with, bound, closed_port, header, requests, say, transport,
};
use support::{CLIENT_ID, SUCCESS, StepResult, device, step_result};

use Act::{Await, Close, CloseNotify, Flood, Hear, Repeat, Reset, Shake, Trickle, UntilClosed};

const CODE: &str = "091zQTFa1i6qMC02AWFa1Vzt0O0zQTF8";

fn client(address: impl Into<String>, transport: impl Transport + 'static) -> Client {
    Client::builder(address, CLIENT_ID).allow_loopback_http().build_with(transport).unwrap()
}

fn log_in(client: &Client) -> StepResult {
    step_result(client.login(device()).wechat_mini_program(CODE).send())
}

fn assert_success(came: &StepResult) {
    assert!(matches!(came, StepResult::To(StageKind::Authenticated)), "{came:?}");
}

fn transport_error(came: &StepResult) -> &TransportError {
    match came.error() {
        Some(Error::Transport(error)) => error,
        _ => panic!("expected an error of the transport, got {came:?}"),
    }
}

/// What was the cause, in words.
fn cause(error: &TransportError) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}

fn assert_failed(came: &StepResult, sent: Sent, phase: Phase) {
    let error = transport_error(came);
    assert_eq!((error.sent(), error.phase()), (sent, phase), "{error:?}");
    let recovery = if sent == Sent::No { "Retry" } else { "Unresolved" };
    assert_eq!(came.recovery(), recovery, "{came:?}");
}

/// Runs the test again in a process of its own, with these variables; returns whether this is that process.
fn in_a_process_of_its_own(test: &str, variables: &[(&str, &str)]) -> bool {
    const MARK: &str = "IDAAS_LOGIN_TEST_CHILD";
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    // Within a larger test program it has the name of this module before its own.
    let module = module_path!().split_once("::").map(|(_, module)| format!("{module}::"));
    let path = module.unwrap_or_default() + test;
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", &path, "--nocapture", "--test-threads=1"]).env(MARK, "1");
    let output = child.envs(variables.iter().copied()).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}\n{errors}");
    false
}

// ---- Names

/// What a name service was asked, and what it says.
fn asked(
    addresses: impl Fn(usize) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
) -> (Arc<AtomicUsize>, impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    (count, move |_: &str, _| addresses(counted.fetch_add(1, Ordering::SeqCst)))
}

/// A server whose certificate is that of a name.
fn named_server(authority: &Authority, name: &str, scripts: usize, requests: usize) -> Server {
    let config = authority.server(name, 4000, rustls::ALL_VERSIONS);
    let script = || {
        let mut script = vec![Shake(Arc::clone(&config))];
        (0..requests).for_each(|_| script.extend([Hear, answer("200 OK", SUCCESS)]));
        script.push(CloseNotify);
        script
    };
    Server::new((0..scripts).map(|_| script()).collect())
}

#[test]
fn a_name_is_resolved_for_each_connection_and_for_no_request() {
    let authority = Authority::new();
    let server = named_server(&authority, "acme.example.com", 2, 5);
    let address = server.address;
    let (count, lookup) = asked(move |_| Ok(vec![address]));
    let client =
        client("https://acme.example.com", authority.trusted().resolve_with(lookup).build().unwrap());
    for (logins, resolved) in [(5, 1), (5, 2)] {
        (0..logins).for_each(|_| assert_success(&log_in(&client)));
        assert_eq!(count.load(Ordering::SeqCst), resolved);
        server.wait_for_close();
    }
    let heard = server.finish();
    assert_eq!(heard.iter().map(|heard| requests(heard).len()).collect::<Vec<_>>(), [5, 5]);
}

/// It moves between two connections: the kept one stays, the next goes where the name leads then.
#[test]
fn a_name_that_moves_is_followed_with_the_next_connection() {
    let authority = Authority::new();
    let old = named_server(&authority, "acme.example.com", 1, 2);
    let new = named_server(&authority, "acme.example.com", 1, 1);
    let addresses = [old.address, new.address];
    let (_, lookup) = asked(move |count| Ok(vec![addresses[count]]));
    let client =
        client("https://acme.example.com", authority.trusted().resolve_with(lookup).build().unwrap());
    assert_success(&log_in(&client));
    assert_success(&log_in(&client));
    old.wait_for_close();
    assert_success(&log_in(&client));
    let arrived = |server: Server| server.finish().iter().map(|heard| requests(heard).len()).sum::<usize>();
    assert_eq!((arrived(old), arrived(new)), (2, 1));
}

/// A name server that fails or is silent is no matter while there is a connection.
#[test]
fn a_kept_connection_needs_no_name_server() {
    let authority = Authority::new();
    let server = named_server(&authority, "acme.example.com", 1, 3);
    let address = server.address;
    let (_, lookup) =
        asked(move |count| if count == 0 { Ok(vec![address]) } else { Err(io::Error::other("h0st1le")) });
    let client =
        client("https://acme.example.com", authority.trusted().resolve_with(lookup).build().unwrap());
    (0..3).for_each(|_| assert_success(&log_in(&client)));
    server.wait_for_close();
    assert_failed(&log_in(&client), Sent::No, Phase::Resolve);
}

/// Without TLS only a loopback address will do. With TLS any address will.
#[test]
fn with_tls_an_address_need_not_be_loopback() {
    let authority = Authority::new();
    let server = named_server(&authority, "acme.example.com", 1, 1);
    // It leads to this machine, and is not one of its loopback addresses.
    let unspecified = SocketAddr::from(([0, 0, 0, 0], server.address.port()));
    let (_, lookup) = asked(move |_| Ok(vec![unspecified]));
    let transport = authority.trusted().resolve_with(lookup).build().unwrap();
    assert_success(&log_in(&client("https://acme.example.com", transport)));
}

/// As every HTTP client writes it: a port that the scheme implies is left out.
#[test]
fn the_header_host_has_the_port_that_does_not_go_without_saying() {
    let authority = Authority::new();
    for (address, expected) in [
        ("https://acme.example.com", "acme.example.com"),
        ("https://acme.example.com:443", "acme.example.com"),
        ("https://acme.example.com:80", "acme.example.com:80"),
        ("https://acme.example.com:8443", "acme.example.com:8443"),
        ("http://localhost", "localhost"),
        ("http://localhost:80", "localhost"),
        ("http://localhost:443", "localhost:443"),
    ] {
        let server = if address.starts_with("https") {
            named_server(&authority, "acme.example.com", 1, 1)
        } else {
            Server::new(vec![vec![Hear, answer("200 OK", SUCCESS)]])
        };
        let server_address = server.address;
        let (_, lookup) = asked(move |_| Ok(vec![server_address]));
        assert_success(&log_in(&client(address, authority.trusted().resolve_with(lookup).build().unwrap())));
        let heard = server.finish();
        let request = &requests(&heard[0])[0];
        let hosts: Vec<_> = header(&request.head, "host").into_iter().map(String::from_utf8_lossy).collect();
        assert_eq!(hosts, [expected], "{address}");
    }
}

#[test]
fn a_name_that_cannot_be_resolved_is_not_sent() {
    let lookups: [fn() -> io::Result<Vec<SocketAddr>>; 3] =
        [|| Ok(Vec::new()), || Err(io::Error::other("no such name")), || panic!("a resolver that panics")];
    for lookup in lookups {
        let transport = transport().resolve_with(move |_, _| lookup()).build().unwrap();
        assert_failed(&log_in(&client("https://acme.example.com", transport)), Sent::No, Phase::Resolve);
    }
}

/// A gate that holds whoever comes until it is opened.
#[derive(Default)]
struct Gate {
    state: Mutex<(usize, usize, bool)>,
    changed: Condvar,
}

impl Gate {
    /// Waits, and counts how many do at once.
    fn wait(&self) {
        let mut state = self.state.lock().unwrap();
        state.0 += 1;
        state.1 = state.1.max(state.0);
        self.changed.notify_all();
        let mut state = self.changed.wait_while(state, |state| !state.2).unwrap();
        state.0 -= 1;
        self.changed.notify_all();
    }

    fn open(&self) {
        self.state.lock().unwrap().2 = true;
        self.changed.notify_all();
        drop(self.changed.wait_while(self.state.lock().unwrap(), |state| state.0 > 0).unwrap());
    }

    fn most(&self) -> usize {
        self.state.lock().unwrap().1
    }
}

/// 100 calls at once, in a process of its own: the number of threads is that of the whole process.
#[test]
fn a_silent_name_server_holds_few_threads_and_no_call_beyond_its_time() {
    if !in_a_process_of_its_own("a_silent_name_server_holds_few_threads_and_no_call_beyond_its_time", &[]) {
        return;
    }
    let gate = Arc::new(Gate::default());
    let (held, other) = (Arc::clone(&gate), TcpListener::bind("127.0.0.1:0").unwrap());
    let silent = move |_: &str, _| {
        held.wait();
        Ok(vec![other.local_addr().unwrap()])
    };
    let limited =
        transport().connect_timeout(Duration::from_millis(300)).resolve_with(silent).build().unwrap();
    let client = client("https://acme.example.com", limited);
    let started = Instant::now();
    thread::scope(|scope| {
        let calls: Vec<_> = (0..100).map(|_| scope.spawn(|| log_in(&client))).collect();
        for call in calls {
            let came = call.join().unwrap();
            assert_failed(&came, Sent::No, Phase::Resolve);
            assert!(transport_error(&came).is_timeout(), "{came:?}");
        }
    });
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    assert_eq!(gate.most(), 16, "threads that resolve at once");
    // When the name server speaks again, the threads are free.
    gate.open();
    let server = Server::new(vec![vec![UntilClosed]]);
    let address = server.address;
    let (count, lookup) = asked(move |_| Ok(vec![address]));
    let limited =
        transport().connect_timeout(Duration::from_millis(300)).resolve_with(lookup).build().unwrap();
    let came = log_in(&self::client("https://acme.example.com", limited));
    assert_failed(&came, Sent::No, Phase::TlsHandshake);
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

/// The process may start no thread: the stack that each would have is larger than any memory.
#[test]
fn without_a_thread_to_be_had_an_address_works_and_a_name_is_not_sent() {
    let huge = (1_u64 << 62).to_string();
    let test = "without_a_thread_to_be_had_an_address_works_and_a_name_is_not_sent";
    if !in_a_process_of_its_own(test, &[("RUST_MIN_STACK", &huge)]) {
        return;
    }
    assert!(thread::Builder::new().spawn(|| ()).is_err(), "here is a thread");
    // Without threads the test serves itself: what it is sent waits in the listener.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let limited = || transport().call_timeout(Duration::from_millis(300)).build().unwrap();
    let came = log_in(&client(format!("http://localhost:{port}"), limited()));
    assert_failed(&came, Sent::No, Phase::Resolve);
    assert!(cause(transport_error(&came)).contains("no thread could be started"), "{came:?}");
    let came = log_in(&client(format!("http://127.0.0.1:{port}"), limited()));
    assert_failed(&came, Sent::Maybe, Phase::Exchange);
    assert!(transport_error(&came).is_timeout(), "{came:?}");
}

/// An address that responds to nobody: its queue is full.
struct Silent {
    address: SocketAddr,
    _listener: Socket,
    _queue: Vec<TcpStream>,
}

impl Silent {
    fn new() -> Self {
        let (listener, address) = bound();
        listener.listen(0).unwrap();
        let queue =
            std::iter::from_fn(|| TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok());
        Self { address, _queue: queue.take(1000).collect(), _listener: listener }
    }
}

/// One after the other, and none takes the time of the next.
#[test]
fn each_address_of_a_name_is_tried() {
    const LIMIT: Duration = Duration::from_millis(400);
    let refused = closed_port;
    let silent = Silent::new();
    let try_each = |addresses: Vec<SocketAddr>| {
        let (_, lookup) = asked(move |_| Ok(addresses.clone()));
        let limited = transport().connect_timeout(LIMIT).resolve_with(lookup).build().unwrap();
        let started = Instant::now();
        (log_in(&client("http://localhost", limited)), started.elapsed())
    };
    for before in [vec![refused()], vec![refused(), refused()], vec![silent.address]] {
        let server = Server::new(vec![vec![Hear, answer("200 OK", SUCCESS)]]);
        assert_success(&try_each([before, vec![server.address]].concat()).0);
    }
    for (addresses, is_timeout) in [
        (vec![refused()], false),
        (vec![silent.address, refused()], false),
        (vec![silent.address], true),
        (vec![silent.address, silent.address], true),
        (vec![refused(), silent.address], true),
    ] {
        let (came, elapsed) = try_each(addresses.clone());
        assert_failed(&came, Sent::No, Phase::Connect);
        let error = transport_error(&came);
        assert_eq!(error.is_timeout(), is_timeout, "{addresses:?}: {error:?}");
        // The last one has all of the time that is left.
        assert_eq!(elapsed >= LIMIT, is_timeout, "{addresses:?}: {elapsed:?}");
    }
}

/// `localhost` may lead elsewhere: it is the address that counts.
#[test]
fn plain_http_goes_to_a_loopback_address_whatever_the_name_says() {
    let nobody = Server::new(vec![]);
    let port = nobody.address.port();
    let elsewhere = SocketAddr::from(([0, 0, 0, 0], port));
    let (_, lookup) = asked(move |_| Ok(vec![elsewhere, SocketAddr::from(([192, 0, 2, 7], port))]));
    let led_astray = transport().resolve_with(lookup).build().unwrap();
    let came = log_in(&client(format!("http://localhost:{port}"), led_astray));
    assert_failed(&came, Sent::No, Phase::Resolve);
    assert!(nobody.finish().is_empty());
    // The others are passed over.
    let server = Server::new(vec![vec![Hear, answer("200 OK", SUCCESS)]]);
    let (address, elsewhere) = (server.address, SocketAddr::from(([0, 0, 0, 0], closed_port().port())));
    let (_, lookup) = asked(move |_| Ok(vec![elsewhere, address]));
    let transport = transport().resolve_with(lookup).build().unwrap();
    assert_success(&log_in(&client(format!("http://localhost:{}", address.port()), transport)));
}

#[test]
fn hosts_that_cannot_be_are_refused() {
    let label = "a".repeat(64);
    let long = format!("https://{}example.com", "abcdefghi.".repeat(25));
    let refused = [
        "https://..",
        "https://.",
        "https://*",
        "https://*.example.com",
        "https://a..b",
        "https://.example.com",
        "https://acme.example.com:0",
        "https://127.0.0.1:0",
        "https://256.1.1.1",
        "https://127.1",
        "https://0x7f.1",
        "https://2130706433",
        "https://1.2.3.4.5",
        "https://[::1",
        "https://[1.2.3.4]",
        "https://a!b.example.com",
        "https://a,b",
        "https://a;b",
        "https://a'b",
        "https://(a)",
        "https://$a",
        "https://a~b",
        "https://acme.example.com..",
        &format!("https://{label}.example.com"),
        &long,
    ];
    for address in refused {
        let built = Client::builder(address, CLIENT_ID).build();
        assert!(matches!(built, Err(Error::InvalidInput(_))), "{address}: {built:?}");
    }
    let label = "a".repeat(63);
    for address in [
        "https://acme.example.com",
        "https://acme.example.com.",
        "https://xn--fiqs8s.example",
        "https://a_b.example.com",
        "https://127.0.0.1:1",
        "https://[::1]:8443",
        "https://acme",
        "https://1a.example",
        "https://3com.example",
        &format!("https://{label}.example.com"),
    ] {
        Client::builder(address, CLIENT_ID).build().unwrap_or_else(|error| panic!("{address}: {error}"));
    }
}

// ---- Connections that are kept

/// The server's clock decides, if it announces one; the client keeps a second back.
#[test]
fn an_idle_connection_is_kept_no_longer_than_is_safe() {
    let ok = |headers: &str| answer_with("200 OK", headers, SUCCESS);
    for (row, announced, age, connections) in [
        ("by default", "", None, 1),
        ("a server that announces enough", "Keep-Alive: timeout=60\r\n", None, 1),
        ("a server that announces enough, and more", "keep-alive: max=100, timeout=5\r\n", None, 1),
        ("a server that keeps none", "Keep-Alive: timeout=0\r\n", None, 2),
        ("a second is the margin", "Keep-Alive: timeout=1, max=5\r\n", None, 2),
        ("nonsense", "Keep-Alive: timeout=soon\r\n", None, 1),
        ("none", "", Some(Duration::ZERO), 2),
        ("for ever", "", Some(Duration::MAX), 1),
        ("long enough", "", Some(GUARD), 1),
    ] {
        let script = || vec![Hear, ok(announced), Hear, ok(announced)];
        let server = Server::new(vec![script(), script()]);
        let mut builder = transport();
        if let Some(age) = age {
            builder = builder.max_idle_age(age);
        }
        let client = client(server.http(), builder.build().unwrap());
        assert_success(&log_in(&client));
        if connections == 2 {
            server.wait_for_close();
        }
        assert_success(&log_in(&client));
        assert_eq!(server.finish().len(), connections, "{row}");
    }
    // What a server announces counts after an empty line, too, with which some begin a response.
    let length = SUCCESS.len();
    let text =
        format!("\r\nHTTP/1.1 200 OK\r\nKeep-Alive: timeout=0\r\nContent-Length: {length}\r\n\r\n{SUCCESS}");
    let server = Server::new(vec![vec![Hear, say(&text), UntilClosed]]);
    let silent = client(server.http(), transport().build().unwrap());
    assert_success(&log_in(&silent));
    server.wait_for_close();
    // It is the age that counts, not the number of requests.
    let server = Server::new(vec![vec![Hear, ok(""), UntilClosed], vec![Hear, ok("")]]);
    let client = client(server.http(), transport().max_idle_age(Duration::from_millis(50)).build().unwrap());
    assert_success(&log_in(&client));
    thread::sleep(Duration::from_millis(60));
    assert_success(&log_in(&client));
    assert_eq!(server.finish().len(), 2);
}

/// The one that was announced to end first is not taken, though one that was kept before it still is.
#[test]
fn an_announced_end_counts_whatever_else_is_kept() {
    let ok = |headers: &str| vec![Hear, answer_with("200 OK", headers, SUCCESS)];
    let long = Server::new(vec![ok("").into_iter().chain(ok("")).collect()]);
    let short =
        Server::new(vec![ok("Keep-Alive: timeout=2\r\n").into_iter().chain([UntilClosed]).collect(), ok("")]);
    let transport = transport().build().unwrap();
    let post = |server: &Server| {
        let request = http::Request::post(format!("{}/", server.http())).body(b"{}".to_vec()).unwrap();
        assert_eq!(transport.send(request).unwrap().body(), SUCCESS.as_bytes());
    };
    post(&long);
    post(&short);
    // A second of the two is the margin.
    thread::sleep(Duration::from_millis(1100));
    post(&short);
    post(&long);
    assert_eq!((long.finish().len(), short.finish().len()), (1, 2));
}

/// As many as are wanted stay.
#[test]
fn no_more_idle_connections_are_kept_than_wanted() {
    for (most, opened) in [(0, 3), (1, 2), (2, 1), (3, 0), (64, 0)] {
        let tenant = Tenant::that_answers(3);
        let client = client(&tenant.address, transport().max_idle_connections(most).build().unwrap());
        let three_at_once = || {
            thread::scope(|scope| {
                let calls: Vec<_> = (0..3).map(|_| scope.spawn(|| log_in(&client))).collect();
                for call in calls {
                    assert_success(&call.join().unwrap());
                }
            });
            tenant.connections.load(Ordering::SeqCst)
        };
        assert_eq!(three_at_once(), 3, "{most}");
        assert_eq!(three_at_once(), 3 + opened, "{most}");
    }
}

/// A tenant on as many connections as come.
struct Tenant {
    address: String,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

impl Tenant {
    fn new() -> Self {
        Self::that_answers(1)
    }

    /// It answers when so many requests wait.
    fn that_answers(at_once: usize) -> Self {
        Self::with(at_once, None)
    }

    fn over_tls(authority: &Authority) -> Self {
        Self::with(1, Some(authority.good_server()))
    }

    fn with(at_once: usize, tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let address = format!("{scheme}://{}", listener.local_addr().unwrap());
        let (connections, requests) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (accepted, arrived) = (Arc::clone(&connections), Arc::clone(&requests));
        let barrier = Arc::new(Barrier::new(at_once));
        thread::spawn(move || {
            for stream in listener.incoming() {
                accepted.fetch_add(1, Ordering::SeqCst);
                let (stream, arrived, barrier) =
                    (stream.unwrap(), Arc::clone(&arrived), Arc::clone(&barrier));
                stream.set_nodelay(true).unwrap();
                let tls = tls.clone().map(|config| rustls::ServerConnection::new(config).unwrap());
                thread::spawn(move || match tls {
                    Some(tls) => serve(rustls::StreamOwned::new(tls, stream), &arrived, &barrier),
                    None => serve(stream, &arrived, &barrier),
                });
            }
        });
        Self { address, connections, requests }
    }
}

fn serve(mut stream: impl std::io::Read + std::io::Write, arrived: &AtomicUsize, barrier: &Barrier) {
    let mut heard = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(size @ 1..) = stream.read(&mut piece) {
        heard.extend_from_slice(&piece[..size]);
        if !heard.ends_with(b"}") {
            continue;
        }
        heard.clear();
        arrived.fetch_add(1, Ordering::SeqCst);
        barrier.wait();
        let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{SUCCESS}", SUCCESS.len());
        stream.write_all(text.as_bytes()).unwrap();
    }
}

/// A connection that the server closes while it is idle is noticed before it is used.
#[test]
fn a_connection_that_was_closed_while_idle_is_not_used() {
    let authority = Authority::new();
    for (tls, end) in
        [(false, None), (false, Some(Reset)), (true, None), (true, Some(CloseNotify)), (true, Some(Reset))]
    {
        let shake = || if tls { vec![Shake(authority.good_server())] } else { vec![] };
        let (signal, wait) = mpsc::channel();
        let (mut first, mut second) = (shake(), shake());
        first.extend([Hear, answer("200 OK", SUCCESS), Await(wait)]);
        first.extend(end);
        second.extend([Hear, answer("200 OK", SUCCESS)]);
        let server = Server::new(vec![first, second]);
        let address = if tls { server.https() } else { server.http() };
        let client = client(address, authority.trusted().build().unwrap());
        assert_success(&log_in(&client));
        signal.send(()).unwrap();
        server.wait_for_close();
        assert_success(&log_in(&client));
        assert_eq!(server.finish().len(), 2);
    }
}

/// A new connection to the same server costs no whole handshake.
#[test]
fn tls_sessions_are_resumed() {
    use rustls::HandshakeKind;
    use std::io::{Read as _, Write as _};
    let authority = Authority::new();
    for versions in [&[&rustls::version::TLS12], &[&rustls::version::TLS13]] {
        let config = authority.server("127.0.0.1", 4000, versions);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("https://{}", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let mut kinds = Vec::new();
            for _ in 0..3 {
                let (stream, _) = listener.accept().unwrap();
                let tls = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut tls = rustls::StreamOwned::new(tls, stream);
                let mut heard = Vec::new();
                let mut piece = [0; 4096];
                while !heard.ends_with(b"}") {
                    let size = tls.read(&mut piece).unwrap();
                    heard.extend_from_slice(&piece[..size]);
                }
                kinds.push(tls.conn.handshake_kind().unwrap());
                let first = format!(
                    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                    SUCCESS.len()
                );
                tls.write_all(format!("{first}{SUCCESS}").as_bytes()).unwrap();
                tls.flush().unwrap();
            }
            kinds
        });
        let client = client(address, authority.trusted().build().unwrap());
        (0..3).for_each(|_| assert_success(&log_in(&client)));
        let kinds = server.join().unwrap();
        assert_eq!(kinds, [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed]);
    }
}

/// The head and the body of a small request leave in one write: under TLS that is one record, which the server can count.
#[test]
fn a_small_request_is_one_record() {
    use std::io::{Read as _, Write as _};
    let authority = Authority::new();
    let config = authority.good_server();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let tls = rustls::ServerConnection::new(config).unwrap();
        let mut tls = rustls::StreamOwned::new(tls, stream);
        let mut sizes = Vec::new();
        for _ in 0..2 {
            // rustls gives what it has decrypted, which is what is in the records that have come.
            let mut piece = vec![0; 64 << 10];
            let size = tls.read(&mut piece).unwrap();
            sizes.push((piece[..size].starts_with(b"POST"), piece[..size].ends_with(b"}")));
            let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{SUCCESS}", SUCCESS.len());
            tls.write_all(text.as_bytes()).unwrap();
        }
        sizes
    });
    let client = client(address, authority.trusted().build().unwrap());
    (0..2).for_each(|_| assert_success(&log_in(&client)));
    assert_eq!(server.join().unwrap(), [(true, true), (true, true)]);
}

/// It is told apart from a response that is not.
#[test]
fn a_request_that_is_not_http_is_not_sent() {
    let server = Server::new(vec![]);
    let mut request: Request = http::Request::post(server.http()).body(b"{}".to_vec()).unwrap();
    *request.version_mut() = http::Version::HTTP_2;
    let error = transport().build().unwrap().send(request).unwrap_err();
    assert_eq!(error.sent(), Sent::No, "{error:?}");
    assert_eq!(cause(&error), "the request is not HTTP as it should be");
    assert!(server.finish().concat().is_empty());

    // Before it is sent, too, a response is one: that of a proxy.
    let proxy = Server::new(vec![vec![Hear, say("SSH-2.0-OpenSSH_9.6\r\n\r\n"), UntilClosed]]);
    let proxied = transport().proxy(proxy.http()).build().unwrap();
    let came = log_in(&client("https://acme.example.com", proxied));
    assert_failed(&came, Sent::No, Phase::Connect);
    assert_eq!(cause(transport_error(&came)), "the response is not valid HTTP");
}

/// What does not fit into one write arrives whole, too.
#[test]
fn a_request_of_any_size_arrives_whole() {
    for size in [1, 7_000, 8_000, 8_192, 9_000, 32_768, 40_000, 100_000, 1_000_000] {
        let body = "x".repeat(size);
        for headers in [0, 20] {
            let server = Server::new(vec![vec![Hear, answer("200 OK", SUCCESS)]]);
            let mut request = http::Request::post(format!("{}/path", server.http()));
            for header in 0..headers {
                request = request.header(format!("x-header-{header}"), "y".repeat(1000));
            }
            let request: Request = request.body(body.clone().into_bytes()).unwrap();
            let answer = transport().build().unwrap().send(request).unwrap();
            assert_eq!(answer.status().as_u16(), 200);
            let heard = server.finish();
            let received = requests(&heard[0]);
            assert_eq!(received.len(), 1, "{size}, {headers}");
            assert!(received[0].body == body.as_bytes(), "{size}, {headers}");
            let lines = String::from_utf8(received[0].head.clone()).unwrap();
            assert_eq!(lines.matches(&"y".repeat(1000)).count(), headers, "{size}, {headers}");
        }
    }
}

// ---- Limits

/// A proxy that drips its response to CONNECT: ureq grants each read the full time.
#[test]
fn a_proxy_that_drips_does_not_stretch_the_limits() {
    let authority = Authority::new();
    let text = "HTTP/1.1 200 Connection established\r\nX-Header: and so on";
    let drip = || Trickle((text.to_owned() + &" and so on".repeat(80)).into_bytes());
    let flood = || vec![Hear, say(text), Repeat(" and so on")];
    // A large record of the handshake.
    let record = || Trickle([&[22, 3, 3, 64, 0][..], &[0; 800]].concat());
    let inside = |acts: Vec<Act>| {
        let mut script = vec![Shake(authority.good_server())];
        script.extend(acts);
        script
    };
    let tunnel = || vec![Hear, say("HTTP/1.1 200 Connection established\r\n\r\n")];
    let then = |acts: Vec<Act>| tunnel().into_iter().chain(acts).collect::<Vec<_>>();
    let rows = [
        ("drips", false, vec![Hear, drip()], Phase::Connect),
        ("drips words", false, flood(), Phase::Connect),
        ("is silent", false, vec![Hear, UntilClosed], Phase::Connect),
        ("drips inside TLS", true, inside(vec![Hear, drip()]), Phase::Connect),
        ("drips in its handshake", true, vec![record()], Phase::TlsHandshake),
        ("is silent in its handshake", true, vec![UntilClosed], Phase::TlsHandshake),
        ("is silent in the tenant's handshake", false, then(vec![UntilClosed]), Phase::TlsHandshake),
        ("drips in the tenant's handshake", false, then(vec![record()]), Phase::TlsHandshake),
        (
            "is silent in the tenant's handshake, inside TLS",
            true,
            inside(then(vec![UntilClosed])),
            Phase::TlsHandshake,
        ),
    ];
    for (row, tls, script, phase) in rows {
        let proxy = Server::new(vec![script]);
        let address = if tls { proxy.https() } else { proxy.http() };
        let limited = authority.trusted().proxy(address).connect_timeout(Duration::from_millis(300));
        let limited = limited.call_timeout(Duration::from_secs(30));
        let started = Instant::now();
        let came = log_in(&client("https://acme.example.com", limited.build().unwrap()));
        assert!(started.elapsed() < Duration::from_secs(4), "{row}: {:?}", started.elapsed());
        let error = transport_error(&came);
        assert_eq!((error.sent(), error.phase()), (Sent::No, phase), "{row}: {error:?}");
        assert!(error.is_timeout(), "{row}: {error:?}");
        assert_eq!(cause(error), "the time limit for connecting was reached", "{row}");
    }
    // The limit of the call, where that of connecting is longer.
    let proxy = Server::new(vec![vec![Hear, drip()]]);
    let limited = authority.trusted().proxy(proxy.http()).connect_timeout(Duration::from_secs(30));
    let limited = limited.call_timeout(Duration::from_millis(300));
    let started = Instant::now();
    let came = log_in(&client("https://acme.example.com", limited.build().unwrap()));
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    assert_failed(&came, Sent::No, Phase::Connect);
    assert!(transport_error(&came).is_timeout(), "{came:?}");
    assert_eq!(cause(transport_error(&came)), "the time limit for the call was reached");
}

/// A server that takes a large request a little at a time: each part that it takes gives the next one no more time.
#[test]
fn a_server_that_sips_does_not_stretch_the_limits() {
    use std::io::Read as _;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let started = Instant::now();
        let mut sip = vec![0; 16 << 10];
        while started.elapsed() < 2 * GUARD && matches!(stream.read(&mut sip), Ok(1..)) {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let request = http::Request::post(address).body(vec![b'x'; 16 << 20]).unwrap();
    let limited = transport().call_timeout(Duration::from_millis(300)).build().unwrap();
    let started = Instant::now();
    let error = limited.send(request).unwrap_err();
    assert!(error.is_timeout() && error.sent() == Sent::Maybe, "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    server.join().unwrap();
}

/// A server that takes nothing.
#[test]
fn a_server_that_does_not_read_holds_no_call_beyond_its_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let request = http::Request::post(format!("http://{}/", listener.local_addr().unwrap()));
    let limited = transport().call_timeout(Duration::from_millis(300)).build().unwrap();
    let started = Instant::now();
    let error = limited.send(request.body(vec![b'x'; 16 << 20]).unwrap()).unwrap_err();
    assert!(error.is_timeout() && error.sent() == Sent::Maybe, "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

/// The system is given less time for a write than is left, and may have taken a part of it then: the rest follows.
#[test]
fn a_server_that_begins_to_read_late_gets_the_whole_request() {
    use std::io::{Read as _, Write as _};
    const SIZE: u64 = 16 << 20;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // There is nothing to observe: of 3.9 s the system gets 2.048.
        thread::sleep(Duration::from_millis(2_300));
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        let arrived = io::copy(&mut io::Read::by_ref(&mut stream).take(SIZE), &mut io::sink()).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        arrived
    });
    let size = usize::try_from(SIZE).unwrap();
    let request = http::Request::post(address).body(vec![b'x'; size]).unwrap();
    let limited = transport().call_timeout(Duration::from_millis(3_900)).build().unwrap();
    assert_eq!(limited.send(request).unwrap().status().as_u16(), 200);
    assert_eq!(server.join().unwrap(), SIZE);
}

/// Whatever it is that the server sends, it is not more than the size limit grants, long before the time is up.
#[test]
fn everything_that_is_received_counts() {
    let authority = Authority::new();
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let rows = [
        ("trailers", format!("{chunked}0\r\n"), "X-Trailer: x\r\n", Phase::Response),
        (
            "interim responses",
            String::new(),
            "HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n",
            Phase::Exchange,
        ),
        ("100 Continue", String::new(), "HTTP/1.1 100 Continue\r\n\r\n", Phase::Exchange),
        ("chunks of a byte", chunked.to_owned(), "1\r\n \r\n", Phase::Response),
    ];
    for (row, beginning, more, phase) in rows {
        for tls in [false, true] {
            let mut script = if tls { vec![Shake(authority.good_server())] } else { vec![] };
            script.extend([Hear, say(&beginning), Flood(more)]);
            let server = Server::new(vec![script]);
            let limited = authority.trusted().max_response_size(1000).call_timeout(GUARD).build().unwrap();
            let address = if tls { server.https() } else { server.http() };
            let started = Instant::now();
            let came = log_in(&client(address, limited));
            assert_failed(&came, Sent::Maybe, phase);
            assert!(!transport_error(&came).is_timeout(), "{row}: {came:?}");
            assert!(started.elapsed() < GUARD / 2, "{row}: {:?}", started.elapsed());
        }
    }
    // A body as large as may be, in chunks of 20 bytes, is no more than that.
    let size = 1_000_000;
    let padded = format!("{SUCCESS}{}", " ".repeat(size - SUCCESS.len()));
    let mut chunks = String::new();
    for piece in padded.as_bytes().chunks(20) {
        write!(chunks, "{:x}\r\n{}\r\n", piece.len(), std::str::from_utf8(piece).unwrap()).unwrap();
    }
    let server = Server::new(vec![vec![Hear, say(&format!("{chunked}{chunks}0\r\n\r\n"))]]);
    assert_success(&log_in(&client(server.http(), transport().max_response_size(size).build().unwrap())));
}

/// A certificate may have as many names as its owner likes; rustls prints them all.
#[test]
fn the_names_of_a_certificate_are_not_printed() {
    let authority = Authority::new();
    for count in [0, 1, 2, 300] {
        let names: Vec<_> = (0..count).map(|name| format!("name-{name}.h0st1le.example.com")).collect();
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate =
            rcgen::CertificateParams::new(names).unwrap().signed_by(&key, &authority.0).unwrap();
        let provider = rustls::crypto::ring::default_provider();
        let config = rustls::ServerConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            );
        let server = Server::new(vec![vec![Shake(Arc::new(config.unwrap()))]]);
        let came = log_in(&client(server.https(), authority.trusted().build().unwrap()));
        assert_failed(&came, Sent::No, Phase::TlsHandshake);
        let error = transport_error(&came);
        // What the base address names is the service's own.
        let expected = "invalid peer certificate: certificate not valid for name \"127.0.0.1\"";
        assert_eq!(cause(error), expected, "{count} names");
        let printed = format!("{error:?} {error:#?} {error:#}");
        assert!(!printed.contains("h0st1le"), "{count} names: {printed}");
    }
}

// ---- Where a response ends

/// Whether it says its end follows from the framing that was used.
#[test]
fn a_header_that_frames_nothing_is_no_end() {
    let authority = Authority::new();
    for (row, head, whole) in [
        ("identity", "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n", false),
        ("gzip", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", false),
        ("HTTP/1.0, chunked", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false),
        ("empty", "HTTP/1.1 200 OK\r\nTransfer-Encoding: \r\n\r\n", false),
        (
            "HTTP/1.0, chunked, with a length",
            &format!(
                "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: {}\r\n\r\n",
                SUCCESS.len()
            ),
            true,
        ),
        (
            "identity, with a length",
            &format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: {}\r\n\r\n",
                SUCCESS.len()
            ),
            true,
        ),
    ] {
        let text = format!("{head}{SUCCESS}");
        let cut = |tls: bool| {
            if tls {
                vec![Shake(authority.good_server()), Hear, say(&text)]
            } else {
                vec![Hear, say(&text), Reset]
            }
        };
        let ended = |tls: bool| {
            if tls {
                vec![Shake(authority.good_server()), Hear, say(&text), CloseNotify]
            } else {
                vec![Hear, say(&text), Close]
            }
        };
        for (script, tls, is_whole) in [
            (cut(true), true, whole),
            (cut(false), false, whole),
            (ended(true), true, true),
            (ended(false), false, true),
        ] {
            let server = Server::new(vec![script]);
            let address = if tls { server.https() } else { server.http() };
            let came = log_in(&client(address, authority.trusted().build().unwrap()));
            // A reset may overtake what was said before it.
            if is_whole && (tls || !whole) {
                assert_success(&came);
            } else if !is_whole {
                assert_eq!(transport_error(&came).sent(), Sent::Maybe, "{row}: {came:?}");
            }
        }
    }
}

/// A body may look like what would be taken out before the head.
#[test]
fn a_body_that_looks_like_an_interim_response_is_left_alone() {
    use std::io::{Read as _, Write as _};
    let body = "HTTP/1.1 100 Continue\r\nKeep-Alive: timeout=0\r\n\r\nand so on";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        for _ in 0..2 {
            assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
            stream
                .write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes())
                .unwrap();
            // So that it is read apart from the head, which nobody can see from here.
            thread::sleep(Duration::from_millis(50));
            stream.write_all(body.as_bytes()).unwrap();
        }
    });
    let transport = transport().build().unwrap();
    for _ in 0..2 {
        let request = http::Request::post(&address).body(b"{}".to_vec()).unwrap();
        assert_eq!(transport.send(request).unwrap().body(), body.as_bytes());
    }
    // Nor is anything announced there: the same connection carried both.
    server.join().unwrap();
}

// ---- Loggers

/// What this thread's logger does when ureq says something.
type Reaction = Box<dyn FnMut(&log::Record<'_>)>;

thread_local! {
    static REACTION: RefCell<Option<Reaction>> = const { RefCell::new(None) };
    /// Whether this thread's logger wants TRACE of ureq's protocol layer.
    static LEAKY: Cell<bool> = const { Cell::new(false) };
    static LOGGED: RefCell<String> = const { RefCell::new(String::new()) };
}

struct Logger;

impl log::Log for Logger {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Debug || LEAKY.get()
    }

    fn log(&self, record: &log::Record<'_>) {
        if record.level() == log::Level::Trace {
            if LEAKY.get() && record.target().starts_with("ureq") {
                LOGGED.with_borrow_mut(|text| writeln!(text, "{}", record.args()).unwrap());
            }
            return;
        }
        // Taken out: what is logged meanwhile finds none.
        let reaction = REACTION.with_borrow_mut(Option::take);
        if let Some(mut reaction) = reaction {
            let outcome = catch_unwind(AssertUnwindSafe(|| reaction(record)));
            REACTION.with_borrow_mut(|place| *place = Some(reaction));
            outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    }

    fn flush(&self) {}
}

/// What is thrown on purpose; nothing is printed of it.
struct OnPurpose;

fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let payload = info.payload();
            if !payload.is::<OnPurpose>() && !payload.is::<PanicsWhenDropped>() {
                usual(info);
            }
        }));
    });
}

fn react(reaction: impl FnMut(&log::Record<'_>) + 'static) {
    let _ = log::set_logger(&Logger);
    log::set_max_level(log::LevelFilter::Trace);
    REACTION.with_borrow_mut(|place| *place = Some(Box::new(reaction)));
}

fn ignore() {
    REACTION.with_borrow_mut(|place| *place = None);
}

/// Counts what is logged in a login over a kept connection and one over a new one; `at` that many, something happens.
fn at_record(at: usize, then: impl Fn() + 'static) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    react(move |_| {
        if counted.fetch_add(1, Ordering::SeqCst) == at {
            then();
        }
    });
    count
}

/// Wherever a logger panics, it costs that call, and what is said of it is known: not sent, if nothing was sent.
#[test]
fn a_logger_that_panics_costs_one_call() {
    quiet_panics();
    let mut told = Vec::new();
    for kept in [false, true] {
        for at in 0.. {
            let tenant = Tenant::new();
            let client = client(&tenant.address, transport().build().unwrap());
            if kept {
                assert_success(&log_in(&client));
            }
            let records = at_record(at, || std::panic::panic_any(OnPurpose));
            let came = log_in(&client);
            ignore();
            if records.load(Ordering::SeqCst) <= at {
                assert_success(&came);
                assert!(at > 3, "ureq logs too little for this test: {at} records");
                break;
            }
            // What was received whole is told by the library, even if somebody panics while the connection is put away.
            let error = transport_error(&came);
            assert!(cause(error).contains("the transport panicked"), "{error:?}");
            told.push(error.sent());
            (0..10).for_each(|_| assert_success(&log_in(&client)));
        }
    }
    assert!(told.contains(&Sent::No) && told.contains(&Sent::Maybe), "{told:?}");
}

/// "Not sent" is the truth also then: nothing of that request came.
#[test]
fn a_logger_that_panics_before_the_request_leaves_it_unsent() {
    quiet_panics();
    let tenant = Tenant::new();
    let client = client(&tenant.address, transport().build().unwrap());
    assert_success(&log_in(&client));
    let before = tenant.requests.load(Ordering::SeqCst);
    at_record(0, || std::panic::panic_any(OnPurpose));
    let came = log_in(&client);
    ignore();
    assert_failed(&came, Sent::No, Phase::Prepare);
    assert_success(&log_in(&client));
    while tenant.requests.load(Ordering::SeqCst) < before + 1 {
        thread::yield_now();
    }
    assert_eq!(tenant.requests.load(Ordering::SeqCst), before + 1);
}

/// A logger that reports to the same tenant, at whatever point of a call.
#[test]
fn a_logger_that_sends_through_the_same_client_waits_for_nobody() {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let tenant = Tenant::new();
        let client = client(&tenant.address, transport().build().unwrap());
        for at in 0.. {
            let (inner, other) = (client.clone(), client.clone());
            let records = at_record(at, move || {
                assert_success(&log_in(&inner));
                // In another thread, too, for which this one waits.
                let other = other.clone();
                thread::spawn(move || assert_success(&log_in(&other))).join().unwrap();
            });
            assert_success(&log_in(&client));
            ignore();
            if records.load(Ordering::SeqCst) <= at {
                break;
            }
        }
        tell.send(()).unwrap();
    });
    told.recv_timeout(GUARD * 4).expect("no call waits for another");
}

/// While a connection is read from, its input is lent to the thread: what a logger does then changes nothing for it.
#[test]
fn a_logger_may_send_and_panic_while_tls_is_set_up() {
    quiet_panics();
    let authority = Authority::new();
    let tenant = Tenant::over_tls(&authority);
    let fresh = || client(&tenant.address, authority.trusted().build().unwrap());
    for at in 0.. {
        let (sends, panics) = (fresh(), fresh());
        let inner = sends.clone();
        let records = at_record(at, move || assert_success(&log_in(&inner)));
        assert_success(&log_in(&sends));
        at_record(at, || std::panic::panic_any(OnPurpose));
        let _ = log_in(&panics);
        ignore();
        assert_success(&log_in(&sends));
        assert_success(&log_in(&panics));
        if records.load(Ordering::SeqCst) <= at {
            break;
        }
    }
}

/// The inner call says nothing of the outer one: what that is told of a panic is the same with and without.
#[test]
fn a_call_within_a_call_has_its_own_proof() {
    quiet_panics();
    let closed = format!("http://{}", closed_port());
    let other = Tenant::new();
    let nothing = || ();
    let inner =
        [client(closed, transport().build().unwrap()), client(&other.address, transport().build().unwrap())];
    let [failing, succeeding] = inner.map(|inner| move || drop(log_in(&inner)));
    let within: [Arc<dyn Fn()>; 3] = [Arc::new(nothing), Arc::new(failing), Arc::new(succeeding)];
    let [alone, with_failing, with_succeeding] = within.map(|within| {
        let mut told = Vec::new();
        for at in 0.. {
            let tenant = Tenant::new();
            let client = client(&tenant.address, transport().build().unwrap());
            let within = Arc::clone(&within);
            let records = at_record(at, move || {
                within();
                std::panic::panic_any(OnPurpose);
            });
            let came = log_in(&client);
            ignore();
            if records.load(Ordering::SeqCst) <= at {
                break;
            }
            let error = transport_error(&came);
            told.push((error.sent(), error.phase()));
        }
        told
    });
    assert!(alone.len() > 3, "{alone:?}");
    assert_eq!(with_failing, alone);
    assert_eq!(with_succeeding, alone);
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        std::panic::panic_any(PanicsWhenDropped);
    }
}

/// What a panic leaves may panic when it is dropped, and so may what that leaves.
#[test]
fn a_panic_whose_payload_panics_does_not_come_out() {
    quiet_panics();
    let own = client("https://acme.example.com", |_: Request| std::panic::panic_any(PanicsWhenDropped));
    assert_failed(&log_in(&own), Sent::Maybe, Phase::Exchange);
    let tenant = Tenant::new();
    let client = client(&tenant.address, transport().build().unwrap());
    at_record(0, || std::panic::panic_any(PanicsWhenDropped));
    let came = log_in(&client);
    ignore();
    assert_failed(&came, Sent::No, Phase::Prepare);
    assert_success(&log_in(&client));
}

/// TRACE is switched on after the check, at whatever point of a call: no token is written.
#[test]
fn a_log_level_that_changes_in_mid_call_writes_no_token() {
    let mut told = Vec::new();
    for at in 0.. {
        let tenant = Tenant::new();
        let client = client(&tenant.address, transport().build().unwrap());
        let records = at_record(at, || LEAKY.set(true));
        let came = log_in(&client);
        LEAKY.set(false);
        ignore();
        let logged = LOGGED.take();
        // What is logged is in rows of bytes: a token of the response or the code would be in several.
        for secret in ["session_token", CODE, support::SESSION_TOKEN] {
            let pieces: Vec<_> = secret.as_bytes().chunks(6).filter(|piece| piece.len() == 6).collect();
            for piece in pieces {
                let piece = std::str::from_utf8(piece).unwrap();
                assert!(!logged.contains(piece), "at record {at}, {piece} of {secret}: {logged}");
            }
        }
        if records.load(Ordering::SeqCst) <= at {
            assert_success(&came);
            break;
        }
        told.extend(came.error().map(|_| {
            let error = transport_error(&came);
            assert!(cause(error).contains("filter them to DEBUG"), "{error:?}");
            error.sent()
        }));
        assert_success(&log_in(&client));
    }
    assert!(told.contains(&Sent::No) && told.contains(&Sent::Maybe), "{told:?}");
}
