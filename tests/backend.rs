//! Two processes of the backend with the same key and nothing else in common, clients that alternate between them at every
//! request, and one of the two is killed and started again, over and over: every login ends as the tenant's ledger says.
//!
//! `cargo test --test backend` runs 100 logins, `FLOWS=2000 cargo test --test backend` as many as it says. `SEED` chooses
//! another order of events.
//!
//! And senders that never finish their requests, which hold up nobody.
//!
//! A client sends a request again only if that is safe: if it was not sent at all, or if the call changes nothing. A step
//! whose response is lost is an unknown outcome, and its client begins again with a fresh code.

use std::collections::HashMap;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use idaas_login::emulator::{Effect, Emulator, Unbound, User};
use idaas_login::endpoints::Platform;
use serde_json::{Value, json};

const CLIENTS: usize = 6;
/// A login that begins again more often than this goes nowhere.
const MAX_LOGINS: usize = 50;

/// How a login goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Way {
    Bound,
    /// With a wrong one first.
    Password,
    AuthorisedNumber,
    Sms,
    Email,
    /// Chooses e-mail, goes back, and gives the password.
    SecondThoughts,
    /// A second factor by the number that the account has.
    SecondFactorBySms,
    SecondFactorByEmail,
    RegisterBySms,
    RegisterByEmail,
    RegisterByAuthorisedNumber,
    /// Binds an account whose password has expired.
    BindThenPassword,
    /// Binds one, gives a second factor, and changes the password.
    SecondFactorThenPassword,
    /// Comes with QQ, and binds by e-mail.
    Qq,
    /// Logs in with a password that expires soon, and keeps it.
    KeptPassword,
    /// Logs in with one that has expired, and mistypes it as the old one.
    ExpiredPassword,
    LoginBySms,
    LoginByEmail,
    /// With a user name that is taken at first.
    RegistrationBySms,
    RegistrationByEmail,
    ResetBySms,
    ResetByEmail,
}

const TO_BIND: &[Way] = &[
    Way::Bound,
    Way::Password,
    Way::AuthorisedNumber,
    Way::Sms,
    Way::Email,
    Way::SecondThoughts,
    Way::SecondFactorBySms,
    Way::SecondFactorByEmail,
    Way::BindThenPassword,
    Way::SecondFactorThenPassword,
    Way::Qq,
    Way::KeptPassword,
    Way::ExpiredPassword,
    Way::LoginBySms,
    Way::LoginByEmail,
    Way::RegistrationBySms,
    Way::RegistrationByEmail,
    Way::ResetBySms,
    Way::ResetByEmail,
];
const TO_REGISTER: &[Way] = &[Way::RegisterBySms, Way::RegisterByEmail, Way::RegisterByAuthorisedNumber];

impl Way {
    /// The platform whose identity is bound in the end, if the login is not with an account from the first.
    fn platform(self) -> Option<Platform> {
        match self {
            Self::Qq => Some(Platform::Qq),
            Self::KeptPassword
            | Self::ExpiredPassword
            | Self::LoginBySms
            | Self::LoginByEmail
            | Self::RegistrationBySms
            | Self::RegistrationByEmail
            | Self::ResetBySms
            | Self::ResetByEmail => None,
            _ => Some(Platform::WeChatMiniProgram),
        }
    }

    fn registers(self) -> bool {
        matches!(self, Self::RegistrationBySms | Self::RegistrationByEmail)
    }

    fn resets(self) -> bool {
        matches!(self, Self::ResetBySms | Self::ResetByEmail)
    }

    /// How often the password is changed, or reset.
    fn changes(self) -> usize {
        let changes = self.resets()
            || matches!(
                self,
                Self::BindThenPassword | Self::SecondFactorThenPassword | Self::ExpiredPassword
            );
        usize::from(changes)
    }
}

const OLD: &str = "right";
const NEW: &str = "right again";

/// One person, and what became of the login.
struct Flow {
    number: usize,
    way: Way,
}

#[derive(Debug)]
struct Ended {
    way: Way,
    openid: String,
    /// The account, if it was there before.
    expected: Option<String>,
    user_name: String,
    unknown: usize,
}

impl Flow {
    fn user_name(&self) -> String {
        format!("user{}", self.number)
    }
    fn openid(&self) -> String {
        format!("openid-{}", self.number)
    }
    fn mobile(&self) -> String {
        format!("139{:08}", self.number)
    }
    fn email(&self) -> String {
        format!("user{}@example.com", self.number)
    }

    fn prepare(&self, tenant: &Emulator) {
        let user = User::new(self.user_name()).password(OLD).mobile(self.mobile()).email(self.email());
        match self.way {
            Way::RegisterBySms
            | Way::RegisterByEmail
            | Way::RegisterByAuthorisedNumber
            | Way::RegistrationBySms
            | Way::RegistrationByEmail => {}
            Way::SecondFactorBySms | Way::SecondFactorByEmail => tenant.add_user(user.second_factor()),
            Way::SecondFactorThenPassword => tenant.add_user(user.second_factor().password_expired()),
            Way::BindThenPassword | Way::ExpiredPassword => tenant.add_user(user.password_expired()),
            Way::KeptPassword => tenant.add_user(user.password_expiring()),
            Way::Bound => {
                tenant.add_user(user);
                tenant.bind(Platform::WeChatMiniProgram, self.openid(), self.user_name());
            }
            _ => tenant.add_user(user),
        }
    }

    /// The login begins, or begins again with what may have come of the last one.
    fn begin(&self, tenant: &Emulator, walk: &mut Walk<'_>, memory: &mut Memory) -> Value {
        let by_phone = json!({ "way": "phone", "phone": self.mobile() });
        let by_email = json!({ "way": "email", "email": self.email() });
        match self.way {
            Way::Qq => {
                let code = tenant.login_code(Platform::Qq, self.openid());
                walk.step("/api/login", &json!({ "way": "qq", "code": code, "identity": self.openid() }))
            }
            // An account that may have been registered is found by its number or address.
            Way::RegistrationBySms if memory.registered => walk.call("/api/login", &by_phone),
            Way::RegistrationByEmail if memory.registered => walk.call("/api/login", &by_email),
            Way::RegistrationBySms | Way::RegistrationByEmail => {
                let user_name = if memory.mistyped { self.user_name() } else { "taken".to_owned() };
                let attributes = json!({ "user_name": user_name, "password": NEW });
                walk.call("/api/login", &json!({ "way": "register", "attributes": attributes }))
            }
            Way::ResetBySms | Way::ResetByEmail if !memory.changed => {
                walk.call("/api/login", &json!({ "way": "reset_password" }))
            }
            Way::LoginBySms => walk.call("/api/login", &by_phone),
            Way::LoginByEmail => walk.call("/api/login", &by_email),
            Way::KeptPassword | Way::ExpiredPassword | Way::ResetBySms | Way::ResetByEmail => {
                // Whether a change was carried out whose response was lost, the new password tells.
                let password = if memory.changed { NEW } else { OLD };
                let input = json!({ "way": "password", "user_name": self.user_name(), "password": password });
                let now = walk.step("/api/login", &input);
                if !now["error"].is_null() {
                    assert!(memory.changed && now["error"]["what"] == "ask_again", "{now}");
                    memory.changed = false;
                }
                now
            }
            _ => walk.step("/api/login", &json!({ "code": tenant.wechat_login_code(self.openid()) })),
        }
    }

    /// A code is due: what comes of it, whatever it is for.
    fn by_code(&self, tenant: &Emulator, walk: &mut Walk<'_>, memory: &mut Memory, now: &Value) -> Value {
        let handle = now["handle"].clone();
        let destination = if now["stage"] == "verify_phone" { self.mobile() } else { self.email() };
        let purpose = now["purpose"].as_str().unwrap_or_default();
        if purpose == "register" && !memory.mistyped && now["error"]["what"] == "ask_again" {
            memory.mistyped = true;
            let attributes = json!({ "user_name": self.user_name(), "password": NEW });
            return walk.call("/api/attributes", &json!({ "handle": handle, "attributes": attributes }));
        }
        let password = if purpose == "reset_password" { NEW } else { "" };
        let reached = walk.by_code(tenant, handle, &destination, password);
        match purpose {
            // Refused: the account that may have been registered was not.
            "login" if self.way.registers() && !reached["error"].is_null() => {
                memory.registered = false;
                return json!({ "stage": "unauthenticated" });
            }
            "register" => memory.registered = reached["error"].is_null(),
            "reset_password" => memory.changed = reached["error"].is_null(),
            _ => {}
        }
        reached
    }

    /// An account is to be bound.
    fn bind(&self, tenant: &Emulator, walk: &mut Walk<'_>, memory: &mut Memory, now: &Value) -> Value {
        let handle = now["handle"].clone();
        match self.way {
            Way::Sms | Way::RegisterBySms => {
                walk.call("/api/choose", &json!({ "handle": handle, "way": "phone", "phone": self.mobile() }))
            }
            Way::Email | Way::RegisterByEmail | Way::Qq => {
                walk.call("/api/choose", &json!({ "handle": handle, "way": "email", "email": self.email() }))
            }
            Way::SecondThoughts if !memory.went_back => {
                walk.call("/api/choose", &json!({ "handle": handle, "way": "email", "email": self.email() }))
            }
            Way::AuthorisedNumber | Way::RegisterByAuthorisedNumber | Way::SecondFactorByEmail => {
                let code = tenant.wechat_phone_code(self.mobile());
                walk.step(
                    "/api/choose",
                    &json!({ "handle": handle, "way": "authorised_number", "code": code }),
                )
            }
            Way::Password
            | Way::SecondThoughts
            | Way::SecondFactorBySms
            | Way::BindThenPassword
            | Way::SecondFactorThenPassword => {
                let wrong = self.way == Way::Password && !memory.mistyped;
                let now = walk.step(
                    "/api/choose",
                    &json!({
                        "handle": handle,
                        "way": "password",
                        "user_name": self.user_name(),
                        "password": if wrong { "wrong" } else { OLD },
                    }),
                );
                if wrong && now["stage"] == "pending_bind" {
                    assert_eq!(now["error"]["what"], "ask_again", "{now}");
                }
                memory.mistyped = true;
                now
            }
            _ => panic!("a login that needs no bind is asked to bind: {now}"),
        }
    }

    /// The password has expired.
    fn change_password(&self, walk: &mut Walk<'_>, memory: &mut Memory, now: &Value) -> Value {
        let handle = now["handle"].clone();

        assert_eq!(self.way.changes(), 1, "{now}");
        let wrong = self.way == Way::ExpiredPassword && !memory.mistyped;
        memory.mistyped = true;
        let now = walk.step(
            "/api/choose",
            &json!({
                "handle": handle,
                "way": "change_password",
                "password": if wrong { "wrong" } else { OLD },
                "new_password": NEW,
            }),
        );
        if wrong && now["stage"] == "password_expired" {
            assert_eq!(now["error"]["what"], "ask_again", "{now}");
            assert_eq!(now["error"]["attempts_left"], 4, "{now}");
        }
        memory.changed |= !wrong;
        now
    }

    /// Walks on from whatever stage there is until the user is known.
    fn run(&self, tenant: &Emulator, client: &mut HttpClient) -> Ended {
        let device = format!("device-{}", self.number);
        let mut walk = Walk { client, device, unknown: 0 };
        let mut now = json!({ "stage": "unauthenticated" });
        let mut logins = 0;
        let mut memory = Memory::default();
        loop {
            let handle = now["handle"].clone();
            now = match now["stage"].as_str().unwrap() {
                "unauthenticated" => {
                    logins += 1;
                    assert!(logins <= MAX_LOGINS, "{:?} does not end", self.way);
                    self.begin(tenant, &mut walk, &mut memory)
                }
                "registration" | "password_reset"
                    if matches!(self.way, Way::RegistrationBySms | Way::ResetBySms) =>
                {
                    walk.call(
                        "/api/choose",
                        &json!({ "handle": handle, "way": "phone", "phone": self.mobile() }),
                    )
                }
                "registration" | "password_reset" => walk
                    .call("/api/choose", &json!({ "handle": handle, "way": "email", "email": self.email() })),
                "pending_bind" | "pending_register" => self.bind(tenant, &mut walk, &mut memory, &now),
                "mfa_required" if self.way == Way::SecondFactorByEmail => walk
                    .call("/api/choose", &json!({ "handle": handle, "way": "email", "email": self.email() })),
                "mfa_required" => walk.call("/api/choose", &json!({ "handle": handle, "way": "phone" })),
                "password_expiring" => {
                    assert_eq!(self.way, Way::KeptPassword);
                    assert_eq!(now["policy"], json!({ "min_length": 8, "max_length": 18 }));
                    walk.step("/api/choose", &json!({ "handle": handle, "way": "keep_password" }))
                }
                "password_expired" => self.change_password(&mut walk, &mut memory, &now),
                "verify_email" if self.way == Way::SecondThoughts => {
                    memory.went_back = true;
                    walk.call("/api/back", &json!({ "handle": handle }))
                }
                "verify_phone" | "verify_email" => self.by_code(tenant, &mut walk, &mut memory, &now),
                "authenticated" if !memory.renewed && self.number.is_multiple_of(3) => {
                    memory.renewed = true;
                    walk.step("/api/renew", &json!({ "handle": handle }))
                }
                "authenticated" => {
                    let me = walk.call("/api/me", &json!({ "handle": handle }));
                    match me["error"]["what"].as_str() {
                        Some("try_later") => me,
                        // A registration gives no identity token.
                        Some("renew_id_token") => {
                            assert!(self.way.registers(), "{me}");
                            walk.step("/api/renew", &json!({ "handle": me["handle"] }))
                        }
                        _ => {
                            return Ended {
                                way: self.way,
                                openid: self.openid(),
                                expected: (!TO_REGISTER.contains(&self.way)).then(|| self.user_name()),
                                user_name: me["user"]["user_name"].as_str().expect("a user").to_owned(),
                                unknown: walk.unknown,
                            };
                        }
                    }
                }
                other => panic!("{:?}: {other}: {now}", self.way),
            };
        }
    }
}

/// What a person remembers of the logins before.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools)] // They are independent.
struct Memory {
    mistyped: bool,
    went_back: bool,
    renewed: bool,
    /// A new password was sent: it may be in force.
    changed: bool,
    /// A registration was sent: the account may be there.
    registered: bool,
}

struct Walk<'a> {
    client: &'a mut HttpClient,
    device: String,
    /// The steps whose answers were lost.
    unknown: usize,
}

impl Walk<'_> {
    /// A call that changes nothing that matters: it is sent until there is a response.
    fn call(&mut self, path: &str, input: &Value) -> Value {
        loop {
            if let Some(answer) = self.client.send(path, &self.device, input) {
                return answer;
            }
        }
    }

    /// A step: if its response is lost, the login begins again.
    fn step(&mut self, path: &str, input: &Value) -> Value {
        self.client.send(path, &self.device, input).unwrap_or_else(|| {
            self.unknown += 1;
            json!({ "stage": "unauthenticated" })
        })
    }

    /// A captcha, a code, and the code again. Each request finds its stage in the handle alone.
    fn by_code(&mut self, tenant: &Emulator, handle: Value, destination: &str, new_password: &str) -> Value {
        let (handle, code) = self.code(tenant, handle, destination);
        let input = json!({ "handle": handle, "code": code, "new_password": new_password });
        self.step("/api/submit", &input)
    }

    /// The handle of the stage, and the code that was sent.
    fn code(&mut self, tenant: &Emulator, mut handle: Value, destination: &str) -> (Value, String) {
        let pass = loop {
            let drawn = self.call("/api/captcha", &json!({ "handle": handle }));
            let token = drawn["captcha"]["token"].as_str().expect("a captcha").to_owned();
            // None: an attempt whose response was lost has used it up.
            let Some(x) = tenant.captcha_solution(&token) else { continue };
            let input = json!({ "handle": drawn["handle"], "token": token, "x": x });
            let solved = self.call("/api/captcha/solve", &input);
            handle = solved["handle"].clone();
            if let Some(pass) = solved["captcha_token"].as_str() {
                break pass.to_owned();
            }
            assert_eq!(solved["error"]["what"], "new_captcha", "{solved}");
        };
        let sent = self.call("/api/send-code", &json!({ "handle": handle, "captcha_token": pass }));
        assert_eq!(sent["sent"], true, "{sent}");
        (sent["handle"].clone(), tenant.last_code(destination).expect("a code"))
    }
}

/// A client of its own: one request to the one backend, the next to the other.
struct HttpClient {
    backends: &'static Backends,
    turn: usize,
}

impl HttpClient {
    /// The response, from the backend whose turn it is, or from the other one if that cannot be reached. `None` if the
    /// request may have been carried out and there is no response.
    fn send(&mut self, path: &str, device: &str, input: &Value) -> Option<Value> {
        let mut stream = loop {
            self.turn += 1;
            // Nothing is sent to where nobody listens.
            if let Ok(stream) = TcpStream::connect(self.backends.address(self.turn % 2)) {
                break stream;
            }
        };
        self.backends.count();
        let body = input.to_string();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: backend\r\nX-Device-Id: {device}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        // A response that was cut off is none.
        let answer: Value = serde_json::from_str(body).ok()?;
        assert!(head.starts_with("HTTP/1.1 "), "{head}");
        assert_eq!(answer["error"].is_null(), head.starts_with("HTTP/1.1 200"), "{head}: {answer}");
        // Each request carries it; only a session's has an identity token in it.
        let handle = answer["handle"].as_str().unwrap_or_default();
        assert!(handle.len() < 1024 || answer["stage"] == "authenticated", "{answer}");
        if let Some(what) = answer["error"]["what"].as_str() {
            // The tenant is always there, so a backend that lives has an outcome to tell.
            let known = [
                "ask_again",
                "fresh_platform_code",
                "new_captcha",
                "renew_id_token",
                "start_over",
                "try_later",
            ];
            assert!(known.contains(&what), "{path}: {answer}");
        }
        Some(answer)
    }
}

/// The two processes.
struct Backends {
    emulator: String,
    addresses: [RwLock<String>; 2],
    running: [Mutex<Option<Backend>>; 2],
    requests: Mutex<usize>,
    counted: Condvar,
    /// What they log, both of them.
    log: PathBuf,
}

struct Backend {
    process: Child,
    // A backend that prints must find somebody who could read it.
    _stdout: BufReader<ChildStdout>,
}

impl Drop for Backend {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Ends the processes with the test, however that ends.
struct EndsBoth(&'static Backends);

impl Drop for EndsBoth {
    fn drop(&mut self) {
        self.0.kill(0);
        self.0.kill(1);
    }
}

/// The example, built: with all the tests cargo builds it by itself, with this one alone it does not.
fn program() -> PathBuf {
    static BUILT: std::sync::Once = std::sync::Once::new();
    // Tests are in target/<profile>/deps, examples beside it.
    let test = env::current_exe().unwrap();
    let profile = test.parent().unwrap().parent().unwrap();
    BUILT.call_once(|| {
        let mut cargo = support::cargo();
        cargo.args(["build", "--quiet", "--example", "mini_program_backend"]).current_dir(support::root());
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().unwrap().success(), "the example does not build");
    });
    profile.join("examples/mini_program_backend")
}

impl Backends {
    /// The object lives as long as the test process; its own processes end with [`EndsBoth`].
    fn start(emulator: String) -> &'static Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::SeqCst);
        let log = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("backends-{number}.txt"));
        fs::write(&log, "").unwrap();
        let backends: &'static Self = Box::leak(Box::new(Self {
            emulator,
            addresses: [const { RwLock::new(String::new()) }; 2],
            running: [const { Mutex::new(None) }; 2],
            requests: Mutex::new(0),
            counted: Condvar::new(),
            log,
        }));
        backends.start_one(0);
        backends.start_one(1);
        backends
    }

    fn start_one(&self, index: usize) {
        let program = program();
        let mut process = Command::new(&program)
            .env_remove("IDAAS_BASE_ADDRESS")
            .env("EMULATOR_ADDRESS", &self.emulator)
            .env("SEAL_KEY", "5ea1000102030405060708090a0b0c0d".repeat(2))
            .env("LISTEN", "127.0.0.1:0")
            .stdout(Stdio::piped())
            .stderr(fs::OpenOptions::new().append(true).open(&self.log).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("Listening on http://").expect("the line with the port");
        address.clone_into(&mut self.addresses[index].write().unwrap());
        *self.running[index].lock().unwrap() = Some(Backend { process, _stdout: stdout });
    }

    fn kill(&self, index: usize) {
        // A thread that panicked leaves the process to be ended all the same.
        let mut running = self.running[index].lock().unwrap_or_else(PoisonError::into_inner);
        drop(running.take());
    }

    fn address(&self, index: usize) -> String {
        self.addresses[index].read().unwrap().clone()
    }

    /// The log says what happened, and to whom nothing: no password, no code, no number, no handle.
    fn assert_nothing_secret_is_logged(&self) {
        for line in fs::read_to_string(&self.log).unwrap().lines() {
            let of_identity = line == "an identity token is not accepted: there is no identity token";
            let of_handle = line.starts_with("a handle does not open: ") && line.len() < 80;
            assert!(of_identity || of_handle, "{line}");
        }
    }

    fn count(&self) {
        *self.requests.lock().unwrap() += 1;
        self.counted.notify_all();
    }

    /// Waits until so many requests more have begun, or until `over`.
    fn wait_for(&self, more: usize, over: &AtomicBool) {
        let requests = self.requests.lock().unwrap();
        let until = *requests + more;
        let begun = |requests: &mut usize| *requests < until && !over.load(Ordering::SeqCst);
        drop(self.counted.wait_while(requests, begun).unwrap());
    }
}

/// A counter, stirred: the same in each run with the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, range: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((bits ^ (bits >> 31)) % range as u64).unwrap()
    }
}

fn number(variable: &str) -> Option<usize> {
    env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is not a number")))
}

/// Runs the flows on several threads while one backend after the other is killed; gives the number of kills.
fn run(
    flows: &[Flow],
    tenant: &Emulator,
    backends: &'static Backends,
    random: &mut Random,
) -> (Vec<Ended>, usize) {
    let next = AtomicUsize::new(0);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let killer = scope.spawn(|| {
            let mut kills = 0;
            loop {
                backends.wait_for(20 + random.below(120), &over);
                if over.load(Ordering::SeqCst) {
                    return kills;
                }
                let index = random.below(2);
                backends.kill(index);
                kills += 1;
                // It stays away for a while: until the other one has answered some.
                backends.wait_for(random.below(20), &over);
                backends.start_one(index);
            }
        });
        let clients: Vec<_> = (0..CLIENTS)
            .map(|turn| {
                let (next, flows) = (&next, flows);
                scope.spawn(move || {
                    let mut client = HttpClient { backends, turn };
                    let mut ended = Vec::new();
                    while let Some(flow) = flows.get(next.fetch_add(1, Ordering::SeqCst)) {
                        ended.push(flow.run(tenant, &mut client));
                    }
                    ended
                })
            })
            .collect();
        let joined: Vec<_> = clients.into_iter().map(thread::ScopedJoinHandle::join).collect();
        over.store(true, Ordering::SeqCst);
        backends.count();
        let kills = killer.join().unwrap();
        (joined.into_iter().flat_map(Result::unwrap).collect(), kills)
    })
}

#[test]
fn every_login_ends_as_the_ledger_says() {
    let count = number("FLOWS").unwrap_or(100);
    let seed = number("SEED").unwrap_or(1);
    let mut random = Random(seed as u64);
    let tenant = Emulator::new();
    let server = tenant.start().unwrap();
    let backends = Backends::start(server.base_address());
    let running = EndsBoth(backends);
    tenant.add_user(User::new("taken"));
    // Whoever begins again owes a password change as before.
    tenant.configure(|settings| settings.password_asked_everywhere = true);

    let mut flows: Vec<Flow> = (0..count)
        .map(|number| {
            let all = TO_BIND.len() + TO_REGISTER.len();
            let way = *TO_BIND.iter().chain(TO_REGISTER).nth(number % all).unwrap();
            Flow { number, way }
        })
        .collect();
    for index in (1..flows.len()).rev() {
        flows.swap(index, random.below(index + 1));
    }
    for flow in &flows {
        flow.prepare(&tenant);
    }
    // What an unknown identity gets is a setting of the whole tenant: first the one kind, then the other.
    let (to_register, to_bind): (Vec<_>, Vec<_>) =
        flows.into_iter().partition(|flow| TO_REGISTER.contains(&flow.way));
    let (mut ended, kills) = run(&to_bind, &tenant, backends, &mut random);
    tenant.configure(|settings| settings.unbound = Unbound::Register);
    let (registered, more_kills) = run(&to_register, &tenant, backends, &mut random);
    ended.extend(registered);
    drop(running);
    backends.assert_nothing_secret_is_logged();

    let mut bound: HashMap<String, Vec<String>> = HashMap::new();
    let mut registered: HashMap<String, usize> = HashMap::new();
    let mut sessions: HashMap<String, usize> = HashMap::new();
    let mut changed: HashMap<String, usize> = HashMap::new();
    for effect in tenant.ledger().into_iter().flat_map(|entry| entry.effects) {
        match effect {
            Effect::Bound { user_name, identity } => bound.entry(identity).or_default().push(user_name),
            Effect::Registered { user_name } => *registered.entry(user_name).or_default() += 1,
            Effect::Session { user_name } => *sessions.entry(user_name).or_default() += 1,
            Effect::PasswordChanged { user_name } => *changed.entry(user_name).or_default() += 1,
            _ => {}
        }
    }
    assert_eq!(ended.len(), count, "none is lost");
    let mut ways: HashMap<Way, usize> = HashMap::new();
    for end in &ended {
        *ways.entry(end.way).or_default() += 1;
        let ledger = bound.remove(&end.openid).unwrap_or_default();
        if end.way == Way::Bound || end.way.platform().is_none() {
            assert!(ledger.is_empty(), "bound: {end:?}, {ledger:?}");
        } else {
            assert_eq!(ledger, [end.user_name.as_str()], "not bound exactly once: {end:?}");
        }
        if let Some(expected) = &end.expected {
            assert_eq!(end.user_name, *expected, "{end:?}");
        }
        if end.expected.is_none() || end.way.registers() {
            assert_eq!(registered.remove(&end.user_name), Some(1), "not registered exactly once: {end:?}");
        }
        if let Some(platform) = end.way.platform() {
            assert_eq!(tenant.bound_user(platform, &end.openid).as_ref(), Some(&end.user_name), "{end:?}");
        }
        let times = changed.remove(&end.user_name).unwrap_or_default();
        assert_eq!(times, end.way.changes(), "the password was not changed as often as that: {end:?}");
        if end.way.changes() == 1 || end.way.registers() {
            assert_eq!(tenant.password(&end.user_name).as_deref(), Some(NEW), "{end:?}");
        }
        assert!(sessions.contains_key(&end.user_name), "no session: {end:?}");
    }
    assert!(bound.is_empty(), "bound by nobody: {bound:?}");
    assert!(registered.is_empty(), "registered by nobody: {registered:?}");
    assert!(changed.is_empty(), "changed by nobody: {changed:?}");
    assert_eq!(ways.len().min(count), (TO_BIND.len() + TO_REGISTER.len()).min(count), "a way was not walked");

    let unknown: usize = ended.iter().map(|end| end.unknown).sum();
    let kills = kills + more_kills;
    println!("{count} logins, {kills} kills, {unknown} steps whose outcome was unknown, seed {seed}");
    assert!(kills > 0 || count < 50, "no backend was killed");
}

/// A code is good for what it was sent for. Two processes share nothing that could tell, and need not.
#[test]
fn a_code_of_one_flow_is_refused_by_the_others() {
    let tenant = Emulator::new();
    let server = tenant.start().unwrap();
    tenant.configure(|settings| settings.max_attempts = 100);
    let user = User::new("user0").password(OLD).mobile("13900000000").email("user0@example.com");
    tenant.add_user(user.second_factor());
    let backends = Backends::start(server.base_address());
    let running = EndsBoth(backends);
    let mut client = HttpClient { backends, turn: 0 };
    let mut walk = Walk { client: &mut client, device: "device-0".to_owned(), unknown: 0 };

    for (channel, destination) in [("phone", "13900000000"), ("email", "user0@example.com")] {
        // Each flow, at the stage in which a code is due.
        let mut due = Vec::new();
        for purpose in ["login", "reset_password", "bind", "second_factor"] {
            let login = match purpose {
                "login" => json!({ "way": channel, channel: destination }),
                "bind" => json!({ "code": tenant.wechat_login_code(format!("openid-by-{channel}")) }),
                "second_factor" => json!({ "way": "password", "user_name": "user0", "password": OLD }),
                other => json!({ "way": other }),
            };
            let mut now = walk.call("/api/login", &login);
            if purpose != "login" {
                let input = json!({ "handle": now["handle"], "way": channel, channel: destination });
                now = walk.call("/api/choose", &input);
            }
            assert_eq!(now["purpose"], purpose, "{now}");
            let (handle, code) = walk.code(&tenant, now["handle"].clone(), destination);
            due.push((purpose, handle, code));
        }
        for (purpose, handle, own) in &due {
            for (other, _, code) in due.iter().filter(|(_, _, code)| code != own) {
                let input = json!({ "handle": handle, "code": code, "new_password": NEW });
                let refused = walk.step("/api/submit", &input);
                assert_eq!(refused["error"]["what"], "ask_again", "{other} for {purpose}: {refused}");
                assert_eq!(refused["purpose"], *purpose, "{refused}");
            }
            let input = json!({ "handle": handle, "code": own, "new_password": OLD.repeat(2) });
            let right = walk.step("/api/submit", &input);
            assert!(right["error"].is_null(), "{purpose}: {right}");
        }
        tenant.add_user(
            User::new("user0").password(OLD).mobile("13900000000").email("user0@example.com").second_factor(),
        );
    }
    assert_eq!(walk.unknown, 0);
    drop(running);
    backends.assert_nothing_secret_is_logged();
}

/// Senders of whom each holds a request open: 16 times as many as places at the tenant.
#[test]
fn slow_senders_hold_up_nobody() {
    const SLOW: usize = 256;
    let tenant = Emulator::new();
    let server = tenant.start().unwrap();
    tenant.add_user(User::new("user0"));
    tenant.bind(Platform::WeChatMiniProgram, "openid-0", "user0");
    let backends = Backends::start(server.base_address());
    let running = EndsBoth(backends);
    let mut slow = Vec::new();
    for (number, path) in
        ["/api/login", "/api/submit", "/api/nothing", "/"].iter().cycle().take(SLOW).enumerate()
    {
        let mut stream = TcpStream::connect(backends.address(0)).unwrap();
        // Larger than what the server reads by itself, and once larger than what the service takes.
        let length = if number % 8 < 4 { 60_000 } else { 1 << 20 };
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: backend\r\nX-Device-Id: d\r\nContent-Length: {length}\r\n\r\n{{\"handle\":\""
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&[b'A'; 3000]).unwrap();
        slow.push(stream);
    }
    // All of them were accepted before this one, whose body is large enough to be read by the service itself.
    let call = |path: &str, input: &Value| {
        let body = input.to_string();
        let mut stream = TcpStream::connect(backends.address(0)).unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: backend\r\nX-Device-Id: d\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap_or_else(|error| panic!("{path}: held up: {error}"));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        serde_json::from_str::<Value>(body).unwrap()
    };
    for _ in 0..32 {
        let code = tenant.wechat_login_code("openid-0");
        let answer = call("/api/login", &json!({ "code": code, "password": "x".repeat(2000) }));
        assert_eq!(answer["stage"], "authenticated");
        let answer = call("/api/me", &json!({ "handle": answer["handle"], "password": "x".repeat(2000) }));
        assert_eq!(answer["user"]["user_name"], "user0");
    }
    assert_eq!(slow.len(), SLOW);
    drop(running);
}
