//! 1, 8 and 64 threads that log users in over TLS on loopback, beside two `ureq` agents and the limit: bare TLS.
//!
//! - The limit sends the very bytes of the library's request over a TLS connection of its own for each thread, and reads as
//!   many bytes as the response has, without any HTTP.
//! - A default agent keeps three idle connections for a host.
//! - A wide agent keeps as many as there are threads, as this library does. It still resolves the name for each request.
//!
//! Before the clock runs each thread sends a request that the server holds until all are there: so there are as many
//! connections as threads. Handshakes are counted by the server, from then on. Many short rounds, in which the candidates take
//! turns: the ratio is the median of the rounds' quotients, so that what disturbs the machine disturbs both.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use idaas_login::{Client, Device, Outcome, UreqTransport};
use idaas_login_peers::record::{Record, Row, Target};
use idaas_login_peers::server::{CLIENT_ID, CODE, DEVICE, LOGIN, Server};
use idaas_login_peers::time::{fastest, median, paired};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde::Deserialize;
use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig};

/// How many threads, and how many requests each sends in a round: few, so that a round is short.
const THREADS: [(usize, usize); 3] = [(1, 400), (8, 100), (64, 20)];
const ROUNDS: usize = 40;
const OWN: &str = "idaas-login";
const LIMIT: &str = "bare TLS, no HTTP";
const DEFAULT: &str = "ureq, default pool";
const WIDE: &str = "ureq, wide pool";

/// Makes what a thread calls again and again. It is called in that thread.
type Maker<'a> = &'a (dyn Fn() -> Box<dyn FnMut() + 'a> + Sync);

/// A peer: its name, what its threads do, and a server of its own.
struct Peer<'a> {
    name: &'static str,
    server: &'a Server,
    make: Maker<'a>,
}

/// What one round of a peer brought.
#[derive(Clone, Copy)]
struct Round {
    /// For a request, whatever the number of threads.
    seconds: f64,
    /// After the warm-up.
    handshakes: u64,
}

fn round(peer: &Peer<'_>, threads: usize, each: usize) -> Round {
    let begin = Barrier::new(threads + 1);
    peer.server.hold(threads);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut call = (peer.make)();
                    call();
                    begin.wait();
                    // The warm-up is over; what is counted begins when the main thread has read the server's counter.
                    begin.wait();
                    (0..each).for_each(|_| call());
                })
            })
            .collect();
        begin.wait();
        let before = peer.server.handshakes();
        // The threads may be at work before this one runs again.
        let start = Instant::now();
        begin.wait();
        for worker in workers {
            worker.join().unwrap();
        }
        let seconds = start.elapsed().as_secs_f64() / (each * threads) as f64;
        Round { seconds, handshakes: peer.server.handshakes() - before }
    })
}

fn client(server: &Server) -> (Client, Device) {
    let transport = UreqTransport::builder().root_certificates_pem(server.root()).build().unwrap();
    let [os, fingerprint, agent, language] = DEVICE;
    let device = Device::new(os, fingerprint, agent).unwrap().with_language(language).unwrap();
    (Client::builder(server.base_address(), CLIENT_ID).build_with(transport).unwrap(), device)
}

fn agent(server: &Server, idle: Option<usize>) -> Agent {
    let roots: Vec<_> = ureq::tls::parse_pem(server.root().as_bytes())
        .filter_map(|item| if let Ok(PemItem::Certificate(root)) = item { Some(root) } else { None })
        .collect();
    let mut config = Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(30)))
        .tls_config(TlsConfig::builder().root_certs(RootCerts::from(roots)).build());
    if let Some(idle) = idle {
        config = config.max_idle_connections(idle).max_idle_connections_per_host(idle);
    }
    config.build().new_agent()
}

#[derive(Deserialize)]
struct Answer {
    status: String,
    state_token: String,
    data: String,
}

fn bare_login(agent: &Agent, url: &str) {
    let [os, fingerprint, device, language] = DEVICE;
    let response = agent
        .post(url)
        .header("content-type", "application/json")
        .header("x-client-id", CLIENT_ID)
        .header("x-operating-sys-version", os)
        .header("x-device-fingerprint", fingerprint)
        .header("x-agent", device)
        .header("x-l", language)
        .send(format!(r#"{{"code":"{CODE}"}}"#));
    let body = response.unwrap().into_body().read_to_vec().unwrap();
    let answer: Answer = serde_json::from_slice(&body).unwrap();
    assert!(answer.status == "SOCIAL_BIND" && !answer.state_token.is_empty() && !answer.data.is_empty());
}

/// A TLS connection, without HTTP.
fn tls(server: &Server, config: &Arc<ClientConfig>) -> StreamOwned<ClientConnection, TcpStream> {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let name = server.address().ip().into();
    StreamOwned::new(ClientConnection::new(Arc::clone(config), name).unwrap(), stream)
}

fn tls_config(server: &Server) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(server.root().as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into());
    let config = config.with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

fn main() -> ExitCode {
    let servers: [Server; 4] = std::array::from_fn(|_| Server::https());
    let [limit_server, own_server, default_server, wide_server] = &servers;

    let (client, device) = client(own_server);
    let own = || -> Box<dyn FnMut()> {
        let (client, device) = (client.clone(), device.clone());
        Box::new(move || {
            let outcome = client.login(device.clone()).wechat_mini_program(CODE).send();
            assert!(matches!(outcome, Ok(Outcome::PendingBind(_))), "{outcome:?}");
        })
    };
    let agents = [(default_server, None), (wide_server, Some(64))]
        .map(|(server, idle)| (agent(server, idle), format!("{}{LOGIN}", server.base_address())));
    let bare = agents.each_ref().map(|(agent, url)| {
        move || -> Box<dyn FnMut()> {
            let (agent, url) = (agent.clone(), url.clone());
            Box::new(move || bare_login(&agent, &url))
        }
    });

    // The library's own bytes.
    own_server.hold(1);
    own()();
    let request = own_server.last_request();
    let config = tls_config(limit_server);
    let answer = {
        let mut stream = tls(limit_server, &config);
        stream.write_all(&request).unwrap();
        let mut answer = vec![0; 64 << 10];
        let mut size = stream.read(&mut answer).unwrap();
        // The head, then as much as it announces: the test of completeness is the body's last character.
        while answer[size - 1] != b'}' {
            size += stream.read(&mut answer[size..]).unwrap();
        }
        size
    };
    let limit = || -> Box<dyn FnMut() + '_> {
        let (mut stream, mut buffer) = (tls(limit_server, &config), vec![0; answer]);
        let request = &request;
        Box::new(move || {
            stream.write_all(request).unwrap();
            stream.read_exact(&mut buffer).unwrap();
        })
    };

    let peers = [
        Peer { name: LIMIT, server: limit_server, make: &limit },
        Peer { name: OWN, server: own_server, make: &own },
        Peer { name: WIDE, server: wide_server, make: &bare[1] },
        Peer { name: DEFAULT, server: default_server, make: &bare[0] },
    ];

    let mut record = Record::of("threads");
    let mut alone = None;
    for (threads, each) in THREADS {
        let mut rounds: [Vec<Round>; 4] = Default::default();
        for _ in 0..ROUNDS {
            for (rounds, peer) in rounds.iter_mut().zip(&peers) {
                rounds.push(round(peer, threads, each));
            }
        }
        let times = rounds
            .each_ref()
            .map(|rounds| rounds.iter().map(|round| round.seconds * 1e6).collect::<Vec<_>>());
        let [limit, own, ..] = times.each_ref().map(|times| fastest(times));
        let what = if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") };
        for (peer, time) in peers.iter().zip(&times) {
            if peer.name != OWN {
                let own = median(&times[1]);
                let row = Row::new(&format!("a step over TLS, {what}"), "µs", peer.name, own, median(time));
                let row = row.ratio(paired(&times[1], time));
                record.add(match peer.name {
                    LIMIT => row.target(Target::Ratio(if threads == 1 { 2.5 } else { 2.0 })),
                    WIDE => row.target(Target::Ratio(0.35)),
                    _ => row,
                });
            }
        }
        // How near to nothing a ratio beside ureq can come.
        let row =
            Row::new(&format!("the limit itself, {what}"), "µs", WIDE, median(&times[0]), median(&times[2]));
        record.add(row.ratio(paired(&times[0], &times[2])));
        let [_, own_shakes, _, default_shakes] = rounds
            .each_ref()
            .map(|rounds| rounds.iter().map(|round| round.handshakes).max().unwrap_or_default() as f64);
        let after = format!("after the warm-up, {what}");
        let row = Row::new(&after, "handshakes", DEFAULT, own_shakes, default_shakes);
        record.add(row.target(Target::AtMost(0.0)));
        // What more threads make of the fastest step, beside what they make of the limit's.
        let (limit_alone, own_alone) = *alone.get_or_insert((limit, own));
        if threads > 1 {
            let what = format!("a step's time with {what} by that with 1");
            let row = Row::new(&what, "times", LIMIT, own / own_alone, limit / limit_alone);
            record.add(row.target(Target::Ratio(1.1)));
        }
    }
    record.finish()
}
