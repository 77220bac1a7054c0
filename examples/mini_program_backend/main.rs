//! A backend that users log in through, from a mini program or in any other way: blocking handlers, JSON in and out, and no
//! store.
//!
//! `cargo run --example mini_program_backend`
//!
//! What it prints tells how to try it, with `curl` or in a browser. It runs against an emulated tenant unless
//! `IDAAS_BASE_ADDRESS` names a real one; [`settings`] has the environment variables.
//!
//! # State
//! All state is in the *handle*: the suspended stage, sealed. It goes out with every answer and comes back with the next
//! request, to this process or to any other one that has the same `SEAL_KEY`. It opens only for the device that it was
//! given to, which the header `X-Device-Id` names.
//!
//! # Requests
//! `POST`, a JSON object, with the header `X-Device-Id`. `User-Agent`, `X-Device-System` and `Accept-Language` are told to
//! the tenant with a login.
//!
//! | path | takes | what it does |
//! |---|---|---|
//! | `/api/login` | `way`, and what belongs to it | begins: see below |
//! | `/api/choose` | `handle`, `way`, and what belongs to it | goes on: see below |
//! | `/api/attributes` | `handle`, `attributes` | registers with other attributes |
//! | `/api/captcha` | `handle` | gives `captcha`: `token`, `picture`, `piece`, `width`, `height` |
//! | `/api/captcha/solve` | `handle`, `token`, `x` | gives `captcha_token` |
//! | `/api/send-code` | `handle`, `captcha_token` | sends a code to the destination that was chosen |
//! | `/api/submit` | `handle`, `code`; `new_password` if `ways` has it | submits it |
//! | `/api/back` | `handle` | to choose another way |
//! | `/api/retry-anyway` | `handle` | takes back the stage of a step whose outcome is unknown |
//! | `/api/me` | `handle` | gives `user`, as the verified identity token has it |
//! | `/api/renew` | `handle` | asks for a new identity token |
//!
//! The ways to begin:
//!
//! | `way` | takes |
//! |---|---|
//! | `wechat_mini_program` (which may be left out), `wechat_mini_program_mobile`, `alipay_mini_program`, `wechat_app`, `alipay_app`, `apple`, `carrier` | `code`: what the platform gave |
//! | `qq`, `weibo` | `code`, `identity`: the access token, and the user's id there |
//! | `password`, `identifier` | `user_name`, `password` |
//! | `phone`, `email` | `phone` or `email`: a code goes there |
//! | `register` | `attributes`: `user_name`, `password`, `name`, `birthday`, each of which may be left out |
//! | `reset_password` | nothing |
//!
//! The ways to go on; `ways` of an answer says which there are:
//!
//! | `way` | takes |
//! |---|---|
//! | `authorised_number` | `code`: what WeChat or Alipay gave |
//! | `password` | `user_name`, `password` |
//! | `phone`, `email` | `phone` or `email`; as a second factor and for a new password, `phone` alone takes the number that the account has |
//! | `change_password` | `password`, `new_password` |
//! | `keep_password` | nothing |
//!
//! # Threads
//! Each request has a thread of its own, which reads its body and writes its answer at the pace of the sender. Only a request
//! that was read takes one of the places at the tenant, so that whoever sends slowly holds up nobody else. A service on the
//! open internet has a proxy before it that limits connections and reads requests whole; this server does neither.
//!
//! # Answers
//! Each answer is `{"stage", "purpose", "ways", "destination", "policy", "handle", "expires_in"}` and what was asked for; a failure
//! has `"error": {"what", "message", "code", "attempts_left", "wait"}` besides. `what` is what the front end does next, by the name
//! of the library's `Advice`, or a request that it should not have made:
//!
//! | HTTP | `what` | when | what the answer holds |
//! |---|---|---|---|
//! | 400 | `bad_request` | the request is not as described above | nothing |
//! | 400 | `ask_again` | what the user gave is wrong or cannot be right; `attempts_left` if the tenant says so | the same stage, or nothing before the login |
//! | 400 | `fresh_platform_code` | the code of `wx.login` or of the phone button is spent | the same stage, or nothing before the login |
//! | 400 | `new_captcha` | the captcha was wrong, or its pass is used up | the same stage |
//! | 401 | `start_over` | the handle does not open here, its state token or session is over, or access was denied | nothing: a new login |
//! | 401 | `renew_id_token` | the identity token is over, or there was none | the session: `/api/renew` |
//! | 403 | `choose_another_method` | the tenant does not allow this method | the same stage |
//! | 409 | `wrong_stage` | the call does not fit the stage | the same stage |
//! | 409 | `settle` | a step is unresolved, and has to be settled first | the unresolved step |
//! | 429 | `wait` | too many attempts; `wait` has the seconds if the tenant says so | the same stage, or nothing before the login |
//! | 502 | `settle` | the outcome is unknown | the unresolved step: a new login, or `/api/retry-anyway`; nothing before the login |
//! | 502 | `tell_operator` | something is set up wrongly, or the edition does not have it | the same stage, or nothing before the login |
//! | 503 | `try_later` | nothing was carried out, and the same may work later | the same stage, or nothing before the login |

mod answer;
mod api;
mod dev;
mod settings;

use std::io::{Cursor, Read};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use idaas_login::Device;
use idaas_login::http::StatusCode;
use tiny_http::{Header, Method, Request, Server};

use self::answer::Refused;
use self::api::{Backend, Caller, Input};
use self::dev::Dev;
use self::settings::Settings;

/// The largest request that is read; those that there are stay far below.
const MAX_REQUEST: u64 = 64 << 10;

/// How many requests wait for the tenant at the same time.
const PLACES: usize = 16;

type Response = tiny_http::Response<Cursor<Vec<u8>>>;

const PAGE: &str = include_str!("page.html");
/// The page runs what is in it and talks to this server, and nothing else.
const PAGE_POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; \
    script-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Settings { backend, dev, listen, at } = settings::read()?;
    let server = Server::http(listen).map_err(|error| format!("cannot listen at {listen}: {error}"))?;
    let address = format!("http://{}", server.server_addr());
    println!("Listening on {address}");
    println!("{at}");
    if dev.is_some() {
        println!("{}", dev::how_to_try(&address));
    }
    let service = Service { backend, dev, places: Places::new() };
    thread::scope(|scope| {
        // It ends when the server cannot accept any more.
        for mut request in server.incoming_requests() {
            let answer = || {
                let response = service.answer(&mut request);
                // Who has gone away needs no answer. What was not read of a body is read now, at its sender's pace.
                let _ = request.respond(response);
            };
            if let Err(error) = thread::Builder::new().spawn_scoped(scope, answer) {
                eprintln!("no thread for a request: {error}");
            }
        }
    });
    Err("the server has stopped".into())
}

/// The places at the tenant: whoever has none waits for one.
struct Places {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Places {
    fn new() -> Self {
        Self { free: Mutex::new(PLACES), freed: Condvar::new() }
    }

    fn take(&self) -> Place<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.freed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Place(self)
    }
}

/// One of the places; dropping it frees it.
struct Place<'a>(&'a Places);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}

struct Service {
    backend: Backend,
    dev: Option<Dev>,
    places: Places,
}

impl Service {
    fn answer(&self, request: &mut Request) -> Response {
        let url = request.url().to_owned();
        let (path, query) = url.split_once('?').unwrap_or((&url, ""));
        let get = *request.method() == Method::Get;
        match (path, &self.dev) {
            ("/", _) if get => page(),
            (path, Some(dev)) if get && path.starts_with("/dev/") => match dev.answer(path, query) {
                Some(value) => json(StatusCode::OK, &value),
                None => Refused::bad_request(StatusCode::NOT_FOUND, "there is nothing here").into(),
            },
            (path, _) if path.starts_with("/api/") => {
                if *request.method() != Method::Post {
                    return Refused::bad_request(StatusCode::METHOD_NOT_ALLOWED, "POST, please").into();
                }
                self.call(path, request).unwrap_or_else(Response::from)
            }
            _ => Refused::bad_request(StatusCode::NOT_FOUND, "there is nothing here").into(),
        }
    }

    fn call(&self, path: &str, request: &mut Request) -> Result<Response, Refused> {
        let caller = caller(request.headers())?;
        let mut body = Vec::new();
        let read = request.as_reader().take(MAX_REQUEST + 1).read_to_end(&mut body);
        if read.is_err() || body.len() as u64 > MAX_REQUEST {
            return Err(Refused::bad_request(StatusCode::BAD_REQUEST, "the body cannot be read"));
        }
        // The parser's text stays out of the answer: it may quote a password.
        let input: Input = serde_json::from_slice(&body).map_err(|_| {
            Refused::bad_request(StatusCode::BAD_REQUEST, "the body is not a JSON object with known fields")
        })?;
        let _place = self.places.take();
        let reply = self
            .backend
            .call(path, &caller, &input)
            .ok_or_else(|| Refused::bad_request(StatusCode::NOT_FOUND, "there is nothing here"))?;
        let (status, value) = self.backend.tell(reply, &caller);
        Ok(json(status, &value))
    }
}

/// Who calls: the device, by its headers.
fn caller(headers: &[Header]) -> Result<Caller, Refused> {
    let header = |name: &'static str| {
        headers.iter().find(|header| header.field.equiv(name)).map_or("", |header| header.value.as_str())
    };
    let id = header("x-device-id");
    if id.is_empty() {
        return Err(Refused::bad_request(StatusCode::BAD_REQUEST, "the header X-Device-Id is missing"));
    }
    let or_unknown = |text: &str| if text.is_empty() { "unknown".to_owned() } else { text.to_owned() };
    // The first language that the front end names, without its weight.
    let language = header("accept-language").split([',', ';']).next().unwrap_or_default().trim();
    let device = Device::new(&or_unknown(header("x-device-system")), id, &or_unknown(header("user-agent")));
    let device = match language {
        "" | "*" => device,
        language => device.and_then(|device| device.with_language(language)),
    };
    let device = device.map_err(|_| {
        Refused::bad_request(StatusCode::BAD_REQUEST, "a header of the device cannot be passed on")
    })?;
    Ok(Caller { context: id.to_owned(), device })
}

fn page() -> Response {
    let headers = [
        ("content-type", "text/html; charset=utf-8"),
        ("content-security-policy", PAGE_POLICY),
        ("cache-control", "no-store"),
    ];
    response(StatusCode::OK, &headers, PAGE)
}

fn json(status: StatusCode, value: &serde_json::Value) -> Response {
    // There may be a handle in it.
    let headers = [("content-type", "application/json"), ("cache-control", "no-store")];
    response(status, &headers, value.to_string())
}

fn response(status: StatusCode, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Response {
    let mut response = Response::from_data(body).with_status_code(status.as_u16());
    for header in headers.iter().filter_map(|(name, value)| Header::from_bytes(*name, *value).ok()) {
        response.add_header(header);
    }
    response
}

impl From<Refused> for Response {
    fn from(refused: Refused) -> Self {
        json(refused.status, &serde_json::json!({ "error": refused.error() }))
    }
}
