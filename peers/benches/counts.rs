//! What a step costs the system: system calls, threads started and names resolved, counted by strace; the client's processor time
//! and the memory of a kept connection, for planning.
//!
//! Each client runs in a process of its own, which is this program again: the server's costs are not among its own. Both reach
//! the server by the name `localhost`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

use idaas_login::{Client, Device, Outcome, UreqTransport};
use idaas_login_peers::record::{Record, Row, Target};
use idaas_login_peers::server::{CLIENT_ID, CODE, DEVICE, LOGIN, Server};
use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig};

/// Counts the bytes that live.
struct Counting;

static LIVE: AtomicI64 = AtomicI64::new(0);

fn live(more: usize, less: usize) {
    LIVE.fetch_add(more as i64 - less as i64, Ordering::Relaxed);
}

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        live(layout.size(), 0);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        live(0, layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        live(size, layout.size());
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const OWN: &str = "idaas-login";
const BARE: &str = "bare ureq";
/// Steps that are counted, those before them that open the connection, and those whose processor time is taken.
const COUNTED: usize = 200;
const WARM_UP: usize = 20;
const TIMED: usize = 30_000;
const CONNECTIONS: usize = 64;
/// A path that is nowhere: looking for it marks a place in strace's record.
const MARK: &str = "/the-steps-that-are-counted";

/// The call that is counted, again and again.
type Call = Box<dyn Fn() + Send + Sync>;

fn own(address: String, root: &str) -> Call {
    let mut transport = UreqTransport::builder();
    if !root.is_empty() {
        transport = transport.root_certificates_pem(root);
    }
    let client = Client::builder(address, CLIENT_ID).allow_loopback_http();
    let client = client.build_with(transport.build().unwrap()).unwrap();
    let [os, fingerprint, agent, language] = DEVICE;
    let device = Device::new(os, fingerprint, agent).unwrap().with_language(language).unwrap();
    Box::new(move || {
        let outcome = client.login(device.clone()).wechat_mini_program(CODE).send();
        assert!(matches!(outcome, Ok(Outcome::PendingBind(_))), "{outcome:?}");
    })
}

fn bare(address: &str, root: &str) -> Call {
    let roots: Vec<_> = ureq::tls::parse_pem(root.as_bytes())
        .filter_map(|item| if let Ok(PemItem::Certificate(root)) = item { Some(root) } else { None })
        .collect();
    let agent: Agent = Agent::config_builder()
        .timeout_connect(Some(Duration::from_secs(5)))
        .timeout_global(Some(Duration::from_secs(30)))
        .max_idle_connections(CONNECTIONS)
        .max_idle_connections_per_host(CONNECTIONS)
        .tls_config(TlsConfig::builder().root_certs(RootCerts::from(roots)).build())
        .build()
        .new_agent();
    let url = format!("{address}{LOGIN}");
    Box::new(move || {
        let [os, fingerprint, device, language] = DEVICE;
        let response = agent
            .post(&url)
            .header("content-type", "application/json")
            .header("x-client-id", CLIENT_ID)
            .header("x-operating-sys-version", os)
            .header("x-device-fingerprint", fingerprint)
            .header("x-agent", device)
            .header("x-l", language)
            .send(format!(r#"{{"code":"{CODE}"}}"#));
        assert!(!response.unwrap().into_body().read_to_vec().unwrap().is_empty());
    })
}

/// What a client's process is to do: `steps` between two marks; the `time` of many; the `memory` of many connections.
fn child(arguments: &[String]) {
    let [what, who, address, root] = arguments else { panic!("{arguments:?}") };
    let root = if root.is_empty() { String::new() } else { fs::read_to_string(root).unwrap() };
    let call = if who == OWN { own(address.clone(), &root) } else { bare(address, &root) };
    let mark = || assert!(fs::metadata(MARK).is_err());
    match what.as_str() {
        "steps" => {
            (0..WARM_UP).for_each(|_| call());
            mark();
            (0..COUNTED).for_each(|_| call());
            mark();
        }
        "time" => {
            (0..WARM_UP).for_each(|_| call());
            let before = processor_time();
            (0..TIMED).for_each(|_| call());
            println!("{}", (processor_time() - before) / TIMED as f64);
        }
        "memory" => {
            let before = LIVE.load(Ordering::SeqCst);
            thread::scope(|scope| {
                for _ in 0..CONNECTIONS {
                    scope.spawn(&call);
                }
            });
            println!("{}", (LIVE.load(Ordering::SeqCst) - before) as f64 / 1024.0 / CONNECTIONS as f64);
        }
        other => panic!("{other}"),
    }
}

/// In microseconds, of all threads that this process ever had. The kernel counts in hundredths of a second.
fn processor_time() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks = fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>();
    ticks * 10_000.0
}

fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/counted");
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The arguments of a client's process.
fn arguments(what: &str, who: &str, server: &Server) -> Vec<String> {
    let address = server.base_address().replace("127.0.0.1", "localhost");
    let root = if server.root().is_empty() {
        String::new()
    } else {
        let path = folder().join("root.pem");
        fs::write(&path, server.root()).unwrap();
        path.display().to_string()
    };
    vec!["--child".to_owned(), what.to_owned(), who.to_owned(), address, root]
}

fn figure(what: &str, who: &str, server: &Server) -> f64 {
    if what == "memory" {
        // So many wait for each other: each has a connection of its own.
        server.hold(CONNECTIONS);
    }
    let this = std::env::current_exe().unwrap();
    let output = Command::new(this).args(arguments(what, who, server)).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

/// What was counted in the steps between the marks, for each step.
struct Counts {
    system_calls: f64,
    threads: f64,
    names: f64,
}

fn counts(who: &str, server: &Server) -> Counts {
    let record = folder().join(format!("{who}.strace"));
    let this = std::env::current_exe().unwrap();
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", "signal=none", "-o"]).arg(&record).arg(this);
    let status = command.args(arguments("steps", who, server)).status();
    let status = status.unwrap_or_else(|error| panic!("strace, which Debian has as a package: {error}"));
    assert!(status.success());
    let text = fs::read_to_string(&record).unwrap();
    let mut parts = text.split(MARK).skip(1);
    let (steps, Some(_), None) = (parts.next().unwrap(), parts.next(), parts.next()) else {
        panic!("two marks in {}", record.display())
    };
    // The rest of the first mark's line, and the beginning of the second's, are no calls of a step. A call during which another
    // thread runs has a second line, which says that it is resumed.
    let lines: Vec<_> = steps.lines().skip(1).filter(|line| line.contains('(')).collect();
    let lines = &lines[..lines.len() - 1];
    let of = |is: &dyn Fn(&str) -> bool| {
        let calls = lines.iter().filter(|line| !line.contains(" resumed>") && is(line));
        // What is done once in a while, such as for more memory, is no cost of a step.
        (calls.count() as f64 / COUNTED as f64 * 10.0).round() / 10.0
    };
    Counts {
        system_calls: of(&|_| true),
        threads: of(&|line| line.contains(" clone(") || line.contains(" clone3(")),
        names: of(&|line| line.contains("\"/etc/hosts\"")),
    }
}

fn main() -> ExitCode {
    let mut given = std::env::args().skip(1);
    if given.next().as_deref() == Some("--child") {
        child(&given.collect::<Vec<_>>());
        return ExitCode::SUCCESS;
    }
    let mut record = Record::of("counts");
    for (server, what) in [(Server::http(), "a step over HTTP"), (Server::https(), "a step over TLS")] {
        let [own, bare] = [OWN, BARE].map(|who| counts(who, &server));
        let rows = [
            ("system calls", own.system_calls, bare.system_calls, 10.0),
            ("threads started", own.threads, bare.threads, 0.0),
            ("names resolved", own.names, bare.names, 0.0),
        ];
        for (unit, own, bare, most) in rows {
            record.add(Row::new(what, unit, BARE, own, bare).target(Target::AtMost(most)));
        }
        let [own, bare] = [OWN, BARE].map(|who| figure("time", who, &server));
        record.add(Row::new(what, "µs of processor time", BARE, own, bare).target(Target::Ratio(0.35)));
        let [own, bare] = [own, bare].map(|time| 1e6 / time);
        record.add(Row::new(what, "steps a second and core", BARE, own, bare).absolute());
        let [own, bare] = [OWN, BARE].map(|who| figure("memory", who, &server));
        record.add(Row::new(&what.replace("a step", "a kept connection"), "KiB", BARE, own, bare).absolute());
    }
    record.finish()
}
