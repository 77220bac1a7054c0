//! A step over a closure, beside the same request and response written by hand with `http` and `serde_json`.
//!
//! By hand means what a careful person writes for these two requests and no others: the values are checked, the same headers
//! go out, tokens are marked sensitive, the response is parsed once, borrowing. It zeroizes nothing, and its errors are texts.
//!
//! Instructions are counted by valgrind, which runs this program again; without valgrind there is no such figure.

use std::alloc::{GlobalAlloc, Layout, System};
use std::borrow::Cow;
use std::hint::black_box;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Request, Response};
use idaas_login::{Client, Device, Outcome, TransportError};
use idaas_login_peers::record::{Record, Row, Target};
use idaas_login_peers::server::{BIND, CLIENT_ID, CODE, DEVICE, LOGIN, pending, success};
use idaas_login_peers::time::{fastest, rounds};
use serde::{Deserialize, Serialize};

const BASE: &str = "https://acme.example.com";
const USER: &str = "zhangshan";
const PASSWORD: &str = "Sw0rdfish-of-the-South";

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// ---- By hand

type Transport = dyn Fn(Request<Vec<u8>>) -> Result<Response<Vec<u8>>, String>;

struct ByHand {
    transport: Box<Transport>,
    client_id: HeaderValue,
    device: [HeaderValue; 4],
}

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
struct Answer<'a> {
    #[serde(borrow)]
    status: Option<Cow<'a, str>>,
    #[serde(borrow)]
    session_token: Option<Cow<'a, str>>,
    #[serde(borrow)]
    state_token: Option<Cow<'a, str>>,
    #[serde(borrow)]
    id_token: Option<Cow<'a, str>>,
    expire: Option<u64>,
    /// JSON in a text.
    #[serde(borrow)]
    data: Option<Cow<'a, str>>,
    #[serde(borrow)]
    error_code: Option<Cow<'a, str>>,
    #[serde(borrow)]
    error_msg: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    social_bind_or_register_flow: Option<Vec<String>>,
}

#[allow(dead_code)] // They are what a caller would go on with.
enum Reached {
    Session { session: String, expires_in: Option<Duration>, id: Option<String> },
    Pending { status: String, state: String, flows: Option<Vec<String>> },
}

impl ByHand {
    fn login(&self, code: &str) -> Result<Reached, String> {
        let code = code.trim();
        if code.is_empty() || code.chars().any(char::is_control) {
            return Err("the code cannot be right".to_owned());
        }
        self.send(LOGIN, None, &LoginBody { code })
    }

    fn bind(&self, state: &str, user_name: &str, password: &str) -> Result<Reached, String> {
        if user_name.is_empty() || password.is_empty() || user_name.chars().any(char::is_control) {
            return Err("the user name or password cannot be right".to_owned());
        }
        self.send(BIND, Some(state), &BindBody { user_name, password })
    }

    fn send(&self, path: &str, state: Option<&str>, body: &impl Serialize) -> Result<Reached, String> {
        let [os, fingerprint, agent, language] = &self.device;
        let mut request = Request::post(format!("{BASE}{path}"))
            .header("content-type", HeaderValue::from_static("application/json"))
            .header("x-client-id", &self.client_id)
            .header("x-operating-sys-version", os)
            .header("x-device-fingerprint", fingerprint)
            .header("x-agent", agent)
            .header("x-l", language);
        if let Some(state) = state {
            let mut state = HeaderValue::from_str(state).map_err(|error| error.to_string())?;
            state.set_sensitive(true);
            request = request.header("x-state-token", state);
        }
        let body = serde_json::to_vec(body).map_err(|error| error.to_string())?;
        let request = request.body(body).map_err(|error| error.to_string())?;
        Self::read((self.transport)(request)?)
    }

    fn read(response: Response<Vec<u8>>) -> Result<Reached, String> {
        let (head, body) = response.into_parts();
        let answer: Answer =
            serde_json::from_slice(&body).map_err(|error| format!("{}: {error}", head.status))?;
        if let Some(code) = answer.error_code {
            return Err(format!("{}: {code}: {}", head.status, answer.error_msg.unwrap_or_default()));
        }
        if !head.status.is_success() {
            return Err(head.status.to_string());
        }
        let kept = |token: Option<Cow<str>>| {
            let token = token.filter(|token| !token.trim().is_empty());
            token.map(|token| token.trim().to_owned())
        };
        match answer.status.as_deref().map(str::trim) {
            Some("SUCCESS") => Ok(Reached::Session {
                session: kept(answer.session_token).ok_or("no session token")?,
                expires_in: answer.expire.map(Duration::from_secs),
                id: kept(answer.id_token),
            }),
            Some(status @ ("SOCIAL_BIND" | "USER_REGISTER" | "MFA_AUTH")) => {
                let data = answer.data.and_then(|data| serde_json::from_str::<Data>(&data).ok());
                Ok(Reached::Pending {
                    status: status.to_owned(),
                    state: kept(answer.state_token).ok_or("no state token")?,
                    flows: data.and_then(|data| data.social_bind_or_register_flow),
                })
            }
            status => Err(format!("status {status:?}")),
        }
    }
}

// ---- Both

/// What the tenant says.
fn answer(request: &Request<Vec<u8>>, [pending, success]: &[Vec<u8>; 2]) -> Response<Vec<u8>> {
    let first = request.uri().path() == LOGIN;
    Response::new(if first { pending } else { success }.clone())
}

fn by_hand() -> ByHand {
    let answers = [pending(), success()];
    let mut device = DEVICE.map(HeaderValue::from_static);
    device[1].set_sensitive(true);
    ByHand {
        transport: Box::new(move |request| Ok(answer(&request, &answers))),
        client_id: HeaderValue::from_static(CLIENT_ID),
        device,
    }
}

fn client() -> (Client, Device) {
    let answers = [pending(), success()];
    let transport =
        move |request: Request<Vec<u8>>| -> Result<_, TransportError> { Ok(answer(&request, &answers)) };
    let [os, fingerprint, agent, language] = DEVICE;
    let device = Device::new(os, fingerprint, agent).unwrap().with_language(language).unwrap();
    (Client::builder(BASE, CLIENT_ID).build_with(transport).unwrap(), device)
}

/// What is measured, each by the library and by hand.
const CASES: [&str; 2] = ["login", "login and bind"];

fn candidate(case: &str, library: bool) -> Box<dyn FnMut()> {
    let (two, (client, device), by_hand) = (case != CASES[0], client(), by_hand());
    if library {
        Box::new(move || {
            let first = client.login(device.clone()).wechat_mini_program(black_box(CODE)).send();
            let Ok(Outcome::PendingBind(stage)) = black_box(first) else {
                panic!("an account is to be bound")
            };
            if two {
                let second = stage.username_password(black_box(USER), black_box(PASSWORD)).send();
                let Ok(Outcome::Authenticated(user)) = black_box(second) else { panic!("a session") };
                drop(user);
            }
        })
    } else {
        Box::new(move || {
            let first = by_hand.login(black_box(CODE));
            let Ok(Reached::Pending { state, .. }) = black_box(first) else {
                panic!("an account is to be bound")
            };
            if two {
                let second = by_hand.bind(&state, black_box(USER), black_box(PASSWORD));
                let Ok(Reached::Session { session, .. }) = black_box(second) else { panic!("a session") };
                drop(session);
            }
        })
    }
}

/// The head and body of each request, to see that both send the same.
fn sent(run: impl FnOnce(&dyn Fn(&Request<Vec<u8>>))) -> Vec<(String, HeaderMap, Vec<u8>)> {
    let heard = std::cell::RefCell::new(Vec::new());
    run(&|request| {
        let text = format!("{} {}", request.method(), request.uri());
        heard.borrow_mut().push((text, request.headers().clone(), request.body().clone()));
    });
    heard.into_inner()
}

fn assert_that_both_send_the_same() {
    let answers = [pending(), success()];
    let own = sent(|hear| {
        let (client, device) = client();
        let (request, in_flight) = client.login(device).wechat_mini_program(CODE).into_request().unwrap();
        hear(&request);
        let Ok(Outcome::PendingBind(stage)) = in_flight.receive(Ok(answer(&request, &answers))) else {
            panic!()
        };
        hear(&stage.username_password(USER, PASSWORD).into_request().unwrap().0);
    });
    let (tell, heard) = std::sync::mpsc::channel();
    let by_hand = ByHand {
        transport: Box::new(move |request| {
            let response = answer(&request, &answers);
            tell.send(request).unwrap();
            Ok(response)
        }),
        ..by_hand()
    };
    let Ok(Reached::Pending { state, .. }) = by_hand.login(CODE) else { panic!() };
    by_hand.bind(&state, USER, PASSWORD).ok().unwrap();
    let peer = sent(|hear| heard.try_iter().for_each(|request| hear(&request)));
    assert_eq!(own, peer);
}

fn allocations(case: &str, library: bool) -> f64 {
    let mut run = candidate(case, library);
    run();
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    run();
    (ALLOCATIONS.load(Ordering::Relaxed) - before) as f64
}

/// The instructions of one call: those of many calls less those of few, so that the program's start does not count.
fn instructions(case: &str, library: bool) -> Option<f64> {
    const FEW: u64 = 100;
    const MANY: u64 = 1100;
    let count = |calls: u64| -> Option<u64> {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(std::env::current_exe().ok()?)
            .args(["--calls", case, if library { "library" } else { "hand" }, &calls.to_string()])
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{text}");
        text.split_once("Collected : ")?.1.split_whitespace().next()?.parse().ok()
    };
    Some((count(MANY)? - count(FEW)?) as f64 / (MANY - FEW) as f64)
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--calls") {
        let mut run = candidate(&arguments[at + 1], arguments[at + 2] == "library");
        for _ in 0..arguments[at + 3].parse().unwrap() {
            run();
        }
        return ExitCode::SUCCESS;
    }
    assert_that_both_send_the_same();
    let mut record = Record::of("step");
    let peer = "by hand";
    let mut both = CASES.map(|case| [candidate(case, true), candidate(case, false)]);
    for (case, [own, hand]) in CASES.into_iter().zip(&mut both) {
        let seconds = rounds(200, 1000, &mut [&mut **own, &mut **hand]);
        let [own, hand] = [&seconds[0], &seconds[1]].map(|seconds| fastest(seconds) * 1e6);
        record.add(Row::new(case, "µs", peer, own, hand));
    }
    for (case, steps) in CASES.into_iter().zip([1.0, 2.0]) {
        let [own, hand] = [true, false].map(|library| allocations(case, library));
        record.add(Row::new(case, "allocations", peer, own, hand).target(Target::More(6.0 * steps)));
    }
    for case in CASES {
        let [Some(own), Some(hand)] = [true, false].map(|library| instructions(case, library)) else {
            eprintln!("valgrind is missing: the instructions of a step are not counted");
            return ExitCode::FAILURE;
        };
        record.add(Row::new(case, "instructions", peer, own, hand).target(Target::Ratio(1.25)));
    }
    record.finish()
}
