//! A login of two steps over loopback, beside bare `ureq` doing the same: plain HTTP and TLS, on a kept connection.
//!
//! Bare `ureq` has the same limits of time and size, the same headers, and reads the same fields of the response. Both have a
//! connection of their own to one server. They take turns in short rounds, and the ratio is the median of the rounds'
//! quotients.

use std::process::ExitCode;
use std::time::Duration;

use idaas_login::{Client, Device, Outcome, UreqTransport};
use idaas_login_peers::record::{Record, Row, Target};
use idaas_login_peers::server::{BIND, CLIENT_ID, CODE, DEVICE, LOGIN, Server};
use idaas_login_peers::time::{median, paired, rounds};
use serde::{Deserialize, Serialize};
use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig};

const ROUNDS: usize = 400;
const CALLS: u32 = 20;
const USER: &str = "zhangshan";
const PASSWORD: &str = "Sw0rdfish-of-the-South";

#[derive(Serialize)]
struct LoginBody<'a> {
    code: &'a str,
}

#[derive(Serialize)]
struct BindBody<'a> {
    user_name: &'a str,
    password: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    status: String,
    session_token: Option<String>,
    state_token: Option<String>,
    id_token: Option<String>,
    expire: Option<u64>,
    data: Option<String>,
}

struct Bare {
    agent: Agent,
    base: String,
}

impl Bare {
    fn new(server: &Server) -> Self {
        let roots: Vec<_> = ureq::tls::parse_pem(server.root().as_bytes())
            .filter_map(|item| if let Ok(PemItem::Certificate(root)) = item { Some(root) } else { None })
            .collect();
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(Duration::from_secs(5)))
            .timeout_global(Some(Duration::from_secs(30)))
            .tls_config(TlsConfig::builder().root_certs(RootCerts::from(roots)).build())
            .build();
        Self { agent: agent.new_agent(), base: server.base_address() }
    }

    fn send(&self, path: &str, state: Option<&str>, body: &impl Serialize) -> Answer {
        let [os, fingerprint, agent, language] = DEVICE;
        let mut request = self
            .agent
            .post(format!("{}{path}", self.base))
            .header("content-type", "application/json")
            .header("x-client-id", CLIENT_ID)
            .header("x-operating-sys-version", os)
            .header("x-device-fingerprint", fingerprint)
            .header("x-agent", agent)
            .header("x-l", language);
        if let Some(state) = state {
            request = request.header("x-state-token", state);
        }
        let mut response = request.send(serde_json::to_vec(body).unwrap()).unwrap();
        assert_eq!(response.status(), 200);
        let body = response.body_mut().with_config().limit(2 << 20).read_to_vec().unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    fn login(&self) {
        let first = self.send(LOGIN, None, &LoginBody { code: CODE });
        assert!(first.status == "SOCIAL_BIND" && first.data.is_some());
        let body = BindBody { user_name: USER, password: PASSWORD };
        let second = self.send(BIND, first.state_token.as_deref(), &body);
        assert!(second.status == "SUCCESS" && second.expire.is_some() && second.id_token.is_some());
        assert!(second.session_token.is_some());
    }
}

/// The library's client of this server.
fn client(server: &Server) -> (Client, Device) {
    let mut transport = UreqTransport::builder();
    if !server.root().is_empty() {
        transport = transport.root_certificates_pem(server.root());
    }
    let client = Client::builder(server.base_address(), CLIENT_ID).allow_loopback_http();
    let [os, fingerprint, agent, language] = DEVICE;
    let device = Device::new(os, fingerprint, agent).unwrap().with_language(language).unwrap();
    (client.build_with(transport.build().unwrap()).unwrap(), device)
}

fn main() -> ExitCode {
    let mut record = Record::of("login");
    for (server, what) in
        [(Server::http(), "login and bind over HTTP"), (Server::https(), "login and bind over TLS")]
    {
        let (client, device) = client(&server);
        let mut own = || {
            let first = client.login(device.clone()).wechat_mini_program(CODE).send();
            let Ok(Outcome::PendingBind(stage)) = first else {
                panic!("an account is to be bound: {first:?}")
            };
            let second = stage.username_password(USER, PASSWORD).send();
            let Ok(Outcome::Authenticated(user)) = second else { panic!("a session: {second:?}") };
            assert!(user.id_token().is_some());
        };
        let bare = Bare::new(&server);
        let mut bare = || bare.login();
        rounds(2, 20, &mut [&mut own, &mut bare]);
        let seconds = rounds(ROUNDS, CALLS, &mut [&mut own, &mut bare]);
        let [own, bare] = [0, 1].map(|which: usize| median(&seconds[which]) * 1e6);
        let row = Row::new(what, "µs", "bare ureq", own, bare).ratio(paired(&seconds[0], &seconds[1]));
        record.add(row.target(Target::Ratio(0.5)));
        assert_eq!(server.connections(), 2, "both keep their connection");
    }
    record.finish()
}
