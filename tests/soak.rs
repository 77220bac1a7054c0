//! One client, 64 threads, a million steps over HTTP: every login ends as the tenant's ledger says, and the client's memory
//! and descriptors stay what they were.
//!
//! `cargo test --test soak` takes a few thousand steps, `STEPS=1000000 cargo test --release --test soak -- --nocapture` as
//! many as it says, and prints the figures.
//!
//! The tenant is a process of its own, this program run again, so that the memory and the descriptors that are measured are
//! the client's alone. The two talk over a pipe about what a mini program and a phone would tell.
#![cfg(feature = "ureq")]

use std::alloc::System;
use std::collections::HashMap;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use idaas_login::emulator::{Effect, Emulator, Fault, Unbound, User};
use idaas_login::endpoints::{self, EditionKind, Endpoint, OriginKind, Platform, Scenario, StageKind};
use idaas_login::{
    Account, AlipayMiniProgram, AnyStage, Client, Device, MfaRequired, Next, Origin, Outcome,
    PasswordExpired, PasswordExpiring, PendingBind, PendingRegister, Recovery, Registration,
    RegistrationAttributes, Request, Response, SendsCode, SocialApp, Stage, Step, StepError, Transport,
    TransportError, Unauthenticated, UreqTransport, VerifyEmail, VerifyPhone, WeChatMiniProgram,
};
use serde_json::{Value, json};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

/// Knows how many bytes live, which no allocator's habits blur.
#[global_allocator]
static MEMORY: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const THREADS: usize = 64;
const SHORT: usize = 6000;
/// The flows that a thread asks the tenant to prepare at a time. With each such batch a request goes wrong.
const BATCH: usize = 8;
/// A login that takes more steps than this goes nowhere.
const MAX_STEPS: usize = 60;
/// Too long for a busy machine to reach.
const TIME_LIMIT: Duration = Duration::from_secs(300);

// What both processes know of a flow: its number says it all.

/// How a login goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Way {
    Bound,
    /// With a wrong one first.
    Password,
    Number,
    Phone,
    Email,
    /// A code that costs a captcha.
    Captcha,
    /// Chooses e-mail, goes back, and gives the password.
    SecondThoughts,
    /// A wrong code first.
    WrongCode,
    SecondFactorByPhone,
    SecondFactorByEmail,
    TwoFactors,
    /// By the phone number alone: nothing is bound.
    LoginByNumber,
    /// Put down before each step and picked up again.
    PutDown,
    /// The same stage twice: the second one's token is dead.
    Twice,
    Denied,
    /// User name and password, and a second factor.
    UserName,
    /// By whatever names the account, with a password that has expired.
    Expired,
    /// With one that expires soon, and is changed.
    Expiring,
    /// The same, and it is kept.
    Kept,
    /// By a code alone.
    LoginByPhone,
    LoginByEmail,
    /// By the number of the phone itself.
    Carrier,
    Registration,
    RegistrationByEmail,
    /// A forgotten password, and a login with the new one.
    Reset,
    ResetByEmail,
    /// By another app, which the account is bound to.
    App,
    /// By another app, which it is not bound to yet.
    NewApp,
}

const TO_BIND: &[Way] = &[
    Way::Bound,
    Way::Password,
    Way::Number,
    Way::Phone,
    Way::Email,
    Way::SecondThoughts,
    Way::WrongCode,
    Way::SecondFactorByPhone,
    Way::SecondFactorByEmail,
    Way::TwoFactors,
    Way::LoginByNumber,
    Way::PutDown,
    Way::Twice,
    Way::Denied,
];
const TO_REGISTER: &[Way] = &[Way::Phone, Way::Email, Way::Number, Way::SecondFactorByPhone, Way::PutDown];
const WITH_ACCOUNT: &[Way] = &[
    Way::UserName,
    Way::Expired,
    Way::Expiring,
    Way::Kept,
    Way::LoginByPhone,
    Way::LoginByEmail,
    Way::Carrier,
    Way::Registration,
    Way::RegistrationByEmail,
    Way::Reset,
    Way::ResetByEmail,
    Way::App,
    Way::NewApp,
];
const APPS: [Platform; 5] =
    [Platform::WeChatApp, Platform::AlipayApp, Platform::Qq, Platform::Weibo, Platform::Apple];

/// What the flows of an epoch have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A mini program's user binds an account.
    Bind,
    /// The same, or registers.
    BindOrRegister,
    /// Without a mini program.
    Account,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Bind, Self::Account, Self::BindOrRegister];

    fn read(name: &str) -> Self {
        Self::ALL.into_iter().find(|kind| format!("{kind:?}") == name).unwrap()
    }
}

#[derive(Clone, Copy)]
struct Flow {
    number: usize,
    kind: Kind,
}

impl Flow {
    fn way(self) -> Way {
        let ways = self.ways();
        match ways[self.number % ways.len()] {
            // Drawing a captcha is slow.
            Way::Phone if (self.number / ways.len()).is_multiple_of(10) => Way::Captcha,
            way => way,
        }
    }
    fn ways(self) -> &'static [Way] {
        match self.kind {
            Kind::Bind => TO_BIND,
            Kind::BindOrRegister => TO_REGISTER,
            Kind::Account => WITH_ACCOUNT,
        }
    }
    /// The platform that the codes are of.
    fn platform(self) -> Platform {
        match self.kind {
            Kind::Account if self.way() == Way::Carrier => Platform::Carrier,
            Kind::Account => APPS[self.number / WITH_ACCOUNT.len() % APPS.len()],
            _ if (self.number / 100).is_multiple_of(3) && self.way() != Way::LoginByNumber => {
                Platform::AlipayMiniProgram
            }
            _ => Platform::WeChatMiniProgram,
        }
    }
    fn origin(self) -> OriginKind {
        match self.way() {
            Way::App | Way::NewApp => OriginKind::SocialApp,
            _ if self.kind == Kind::Account => OriginKind::Account,
            _ => self.platform().origin(),
        }
    }
    /// Whether there is no account yet.
    fn is_new(self) -> bool {
        match self.kind {
            Kind::Bind => false,
            Kind::BindOrRegister => self.way() != Way::SecondFactorByPhone,
            Kind::Account => matches!(self.way(), Way::Registration | Way::RegistrationByEmail),
        }
    }
    fn is_bound_once(self) -> bool {
        match self.kind {
            Kind::Account => self.way() == Way::NewApp,
            _ => !matches!(self.way(), Way::Bound | Way::LoginByNumber | Way::Denied),
        }
    }
    fn changes_password_once(self) -> bool {
        matches!(self.way(), Way::Expired | Way::Expiring)
    }
    fn resets_password(self) -> bool {
        matches!(self.way(), Way::Reset | Way::ResetByEmail)
    }
    fn user_name(self) -> String {
        format!("user{}", self.number)
    }
    fn identity(self) -> String {
        format!("identity{}", self.number)
    }
    fn mobile(self) -> String {
        format!("139{:08}", self.number)
    }
    fn email(self) -> String {
        format!("user{}@example.com", self.number)
    }
    /// The codes of the first tries, which the tenant accepts beforehand.
    fn code(self, what: &str, attempt: usize) -> String {
        format!("{what}-{}-{attempt}", self.number)
    }
}

const PREPARED: usize = 3;
const RIGHT: &str = "the right one";
const NEW: &str = "the new one";

// The tenant's process.

const VARIABLE: &str = "IDAAS_LOGIN_SOAK_TENANT";

#[test]
#[ignore = "the other process of the soak, which starts it"]
fn the_tenant_of_the_soak() {
    if env::var_os(VARIABLE).is_none() {
        return;
    }
    let tenant = Emulator::new();
    tenant.configure(|settings| {
        settings.captcha_tolerance = 1000;
        // Signing is slow, and renewals do it anyway.
        settings.id_token = false;
        settings.max_attempts = 1000;
        settings.session_lifetime = Duration::from_secs(30 * 60);
    });
    let server = tenant.start().unwrap();
    println!("@ {}", server.base_address());
    let mut faults = 0;
    // Ends with the process that asks: then there is no line any more.
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let words: Vec<_> = line.split(' ').collect();
        let number = |index: usize| words[index].parse::<usize>().unwrap();
        let platform = |index: usize| {
            *Platform::ALL.iter().find(|platform| format!("{platform:?}") == words[index]).unwrap()
        };
        let answer = match words[0] {
            "prepare" => {
                let kind = Kind::read(words[3]);
                (number(1)..number(2)).for_each(|number| prepare(&tenant, Flow { number, kind }));
                go_wrong(&tenant, &mut faults, kind);
                "ok".to_owned()
            }
            "login" => tenant.login_code(platform(1), words[2]),
            "number" => tenant.phone_code(platform(1), words[2]),
            "code" => tenant.issue_code(words[1], endpoints::ALL[number(2)].send_type.unwrap()),
            "last" => tenant.last_code(words[1]).unwrap_or_default(),
            "unbound" => {
                let unbound = match Kind::read(words[1]) {
                    Kind::BindOrRegister => Unbound::Register,
                    Kind::Bind | Kind::Account => Unbound::Bind,
                };
                tenant.configure(|settings| settings.unbound = unbound);
                "ok".to_owned()
            }
            "settle" => {
                let ledger = settle(&tenant);
                // What the epoch left behind is over, and will be forgotten.
                tenant.advance(Duration::from_secs(60 * 60));
                ledger.to_string()
            }
            "connections" => server.connections().to_string(),
            other => panic!("{other}"),
        };
        println!("@ {answer}");
    }
}

fn prepare(tenant: &Emulator, flow: Flow) {
    let (platform, way) = (flow.platform(), flow.way());
    let user = User::new(flow.user_name()).password(RIGHT).mobile(flow.mobile()).email(flow.email());
    let user = match way {
        Way::SecondFactorByPhone | Way::SecondFactorByEmail | Way::UserName => user.second_factor(),
        Way::TwoFactors => user.second_factors(2),
        Way::Denied => user.denied(),
        Way::Expired => user.password_expired(),
        Way::Expiring | Way::Kept => user.password_expiring(),
        _ => user,
    };
    if !flow.is_new() {
        tenant.add_user(user);
    }
    if matches!(way, Way::Bound | Way::App) {
        tenant.bind(platform, flow.identity(), flow.user_name());
    }
    for attempt in 0..PREPARED {
        tenant.accept_login_code(platform, flow.code("login", attempt), flow.identity());
        tenant.accept_phone_code(platform, flow.code("number", attempt), flow.mobile());
    }
}

/// Lets the next request to one path after the other go wrong, in one way after the other: to the paths that these flows
/// use, and to those of the captcha, which few do, once in a while.
fn go_wrong(tenant: &Emulator, faults: &mut usize, kind: Kind) {
    let is_used = |row: &&&Endpoint| {
        let has_account = kind == Kind::Account;
        let used = match row.from {
            StageKind::Unauthenticated => {
                let by_mini_program =
                    [Some(OriginKind::WeChatMiniProgram), Some(OriginKind::AlipayMiniProgram)];
                by_mini_program.contains(&row.origin()) != has_account
            }
            StageKind::PendingBind => {
                kind != Kind::BindOrRegister && (row.platform.is_none() || !has_account)
            }
            StageKind::PendingRegister => kind == Kind::BindOrRegister,
            StageKind::PasswordExpiring | StageKind::PasswordExpired => has_account,
            StageKind::VerifyPhone(scenario) | StageKind::VerifyEmail(scenario) => match scenario {
                Scenario::Bind => kind == Kind::Bind,
                Scenario::BindOrRegister => kind == Kind::BindOrRegister,
                Scenario::SecondFactor => true,
                _ => has_account,
            },
            _ => true,
        };
        used && is_here(row) && (row.moves_the_flow() || row.from == StageKind::MfaRequired)
    };
    let turn = *faults;
    *faults += 1;
    let captcha = [&endpoints::CAPTCHA, &endpoints::CAPTCHA_VERIFY, &endpoints::SEND_BIND_SMS];
    let used: Vec<_> = endpoints::ALL.iter().filter(is_used).collect();
    let path = if turn % 64 == 63 { captcha[turn / 64 % 3].path } else { used[turn % used.len()].path };
    let busy = r#"{"error_code":"SDK.COMMON.1008","error_msg":"busy"}"#.to_owned();
    let fault = match turn / used.len() % 4 {
        0 => Fault::LoseResponse,
        1 => Fault::LoseRequest,
        2 => Fault::RespondAfter { http_status: 502.try_into().unwrap(), body: String::new() },
        _ => Fault::Respond { http_status: 500.try_into().unwrap(), body: busy },
    };
    tenant.fail_next(path, fault);
}

/// Whether this tenant's edition has the row.
fn is_here(row: &Endpoint) -> bool {
    row.in_edition(EditionKind::Ciam).is_some()
}

/// What the tenant did since it was last asked: by path, and by flow.
fn settle(tenant: &Emulator) -> Value {
    let mut paths: HashMap<String, [usize; 2]> = HashMap::new();
    let mut flows: HashMap<usize, Did> = HashMap::new();
    let mut registered: HashMap<String, usize> = HashMap::new();
    for entry in tenant.take_ledger() {
        let answered = entry.http_status.is_some_and(|status| !status.is_server_error());
        let path = paths.entry(entry.path).or_default();
        path[0] += 1;
        path[1] += usize::from(!answered);
        // Who was registered is known by the identity that is bound in the same request.
        for effect in &entry.effects {
            if let Effect::Bound { user_name, identity } = effect
                && user_name.starts_with("user-")
            {
                registered.insert(user_name.clone(), digits(identity));
            }
        }
        for effect in &entry.effects {
            let user = |name: &str| registered.get(name).copied().unwrap_or_else(|| digits(name));
            match effect {
                Effect::Registered { user_name } => flows.entry(user(user_name)).or_default().registered += 1,
                Effect::Bound { identity, user_name } => {
                    assert_eq!(user(user_name), digits(identity), "bound to somebody else");
                    flows.entry(digits(identity)).or_default().bound += 1;
                }
                Effect::Session { user_name } => {
                    let did = flows.entry(user(user_name)).or_default();
                    did.sessions += 1;
                    did.lost_sessions += usize::from(!answered);
                }
                Effect::PasswordChanged { user_name } => {
                    let did = flows.entry(user(user_name)).or_default();
                    did.changes += 1;
                    did.lost_changes += usize::from(!answered);
                }
                _ => {}
            }
        }
    }
    let flows: Vec<_> = flows
        .into_iter()
        .map(|(number, did)| {
            let Did { registered, bound, sessions, lost_sessions, changes, lost_changes } = did;
            [number, registered, bound, sessions, lost_sessions, changes, lost_changes]
        })
        .collect();
    json!({ "paths": paths, "flows": flows })
}

#[derive(Clone, Copy, Debug, Default)]
struct Did {
    registered: usize,
    bound: usize,
    sessions: usize,
    /// Those of which the client heard nothing.
    lost_sessions: usize,
    /// Passwords that were changed or reset.
    changes: usize,
    lost_changes: usize,
}

fn digits(name: &str) -> usize {
    name.trim_start_matches(|first: char| !first.is_ascii_digit()).parse().unwrap()
}

// The client's process.

/// The other process, and the pipe to it.
struct TenantProcess {
    process: Child,
    pipe: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    address: String,
}

impl Drop for TenantProcess {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl TenantProcess {
    fn start() -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--exact", "the_tenant_of_the_soak", "--ignored", "--nocapture", "--test-threads=1"])
            .env(VARIABLE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = process.stdin.take().unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let address = read(&mut stdout);
        Self { process, pipe: Mutex::new((stdin, stdout)), address }
    }

    fn ask(&self, question: &str) -> String {
        let (stdin, stdout) = &mut *self.pipe.lock().unwrap();
        writeln!(stdin, "{question}").unwrap();
        read(stdout)
    }
}

/// The next response; what the test harness prints is none.
fn read(stdout: &mut BufReader<ChildStdout>) -> String {
    loop {
        let mut line = String::new();
        assert!(stdout.read_line(&mut line).unwrap() > 0, "the tenant's process ended");
        if let Some((_, answer)) = line.split_once("@ ") {
            return answer.trim_end().to_owned();
        }
    }
}

/// What was sent by path, and what of it had no response that says anything.
#[derive(Default)]
struct Sent {
    requests: AtomicUsize,
    lost: AtomicUsize,
}

type Paths = HashMap<&'static str, Sent>;

struct Counting {
    transport: UreqTransport,
    paths: Arc<Paths>,
}

impl Transport for Counting {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        let path = &self.paths[request.uri().path()];
        path.requests.fetch_add(1, Ordering::Relaxed);
        let answer = self.transport.send(request);
        let lost = match &answer {
            Ok(response) => response.status().is_server_error(),
            Err(error) => {
                assert_eq!(error.sent(), idaas_login::Sent::Maybe, "{error}");
                true
            }
        };
        path.lost.fetch_add(usize::from(lost), Ordering::Relaxed);
        answer
    }
}

/// What the origins differ in.
trait Program: Origin + Sized {
    fn log_in(walk: &mut Walk<'_>, login: Unauthenticated) -> Now<Self>;

    fn bind(_: PendingBind<Self>, _: &str) -> Step<PendingBind<Self>, Outcome<Self>> {
        panic!("only a mini program has a number to bind by")
    }
    fn register(_: PendingRegister<Self>, _: &str) -> Step<PendingRegister<Self>, Outcome<Self>> {
        panic!("only a mini program has a number to bind by")
    }
}

impl Program for WeChatMiniProgram {
    fn log_in(walk: &mut Walk<'_>, login: Unauthenticated) -> Now<Self> {
        let went = if walk.flow.way() == Way::LoginByNumber {
            let code = walk.fresh("number");
            walk.take(login.wechat_mini_program_mobile(code), |outcome| outcome)
        } else {
            let code = walk.fresh("login");
            walk.take(login.wechat_mini_program(code), |outcome| outcome)
        };
        went.or_start()
    }
    fn bind(stage: PendingBind, code: &str) -> Step<PendingBind, Outcome> {
        stage.wechat_mobile(code)
    }
    fn register(stage: PendingRegister, code: &str) -> Step<PendingRegister, Outcome> {
        stage.wechat_mobile(code)
    }
}

impl Program for AlipayMiniProgram {
    fn log_in(walk: &mut Walk<'_>, login: Unauthenticated) -> Now<Self> {
        let code = walk.fresh("login");
        walk.take(login.alipay_mini_program(code), |outcome| outcome).or_start()
    }
    fn bind(stage: PendingBind<Self>, code: &str) -> Step<PendingBind<Self>, Outcome<Self>> {
        stage.alipay_mobile(code)
    }
    fn register(stage: PendingRegister<Self>, code: &str) -> Step<PendingRegister<Self>, Outcome<Self>> {
        stage.alipay_mobile(code)
    }
}

impl Program for SocialApp {
    fn log_in(walk: &mut Walk<'_>, login: Unauthenticated) -> Now<Self> {
        let (code, identity) = (walk.fresh("login"), walk.flow.identity());
        let step = match walk.flow.platform() {
            Platform::WeChatApp => login.wechat_app(code),
            Platform::AlipayApp => login.alipay_app(code),
            Platform::Qq => login.qq(code, identity),
            Platform::Weibo => login.weibo(code, identity),
            _ => login.apple(code),
        };
        walk.take(step, |outcome| outcome).or_start()
    }
}

impl Program for Account {
    fn log_in(walk: &mut Walk<'_>, login: Unauthenticated) -> Now<Self> {
        // Who is not sure of having registered tries to log in: with a number that is taken nobody registers again.
        let first_try = !std::mem::replace(&mut walk.tried, true);
        let flow = walk.flow;
        match flow.way() {
            Way::LoginByPhone => walk.log_in_by_phone(login.phone(flow.mobile())),
            Way::LoginByEmail => {
                let stage = login.email(flow.email());
                let code = walk.email_code(&endpoints::LOGIN_EMAIL);
                walk.take(stage.submit(code), |outcome| outcome).or_start_over()
            }
            Way::Carrier => {
                let code = walk.fresh("number");
                walk.take(login.carrier_one_tap(code), |outcome| outcome).or_start()
            }
            Way::Registration | Way::RegistrationByEmail if first_try => walk.sign_up(login),
            Way::Reset | Way::ResetByEmail if !walk.has_reset => walk.reset(login),
            Way::Expired => {
                let step = login.identifier_password(flow.mobile(), walk.password());
                walk.by_own_password(step)
            }
            _ => {
                let step = login.username_password(flow.user_name(), walk.password());
                walk.by_own_password(step)
            }
        }
    }
}

/// What a flow's client saw.
#[derive(Clone, Copy, Debug, Default)]
struct Saw {
    sessions: usize,
    changes: usize,
    unresolved: usize,
    start_overs: usize,
    refused: usize,
}

#[allow(clippy::struct_excessive_bools)] // What has happened, each by itself.
struct Walk<'a> {
    flow: Flow,
    client: &'a Client,
    tenant: &'a TenantProcess,
    steps: &'a Steps,
    device: Device,
    saw: Saw,
    attempts: [usize; 2],
    mistyped: bool,
    went_back: bool,
    renewed: bool,
    /// Whether it tried to register.
    tried: bool,
    has_reset: bool,
    /// Whether the new password is the one to be tried next.
    password_is_new: bool,
}

/// How often each step was taken, by the row of the table.
type Steps = HashMap<(StageKind, &'static str), AtomicUsize>;

enum Now<O: Origin> {
    Start(Unauthenticated),
    At(Outcome<O>),
    /// Denied: there will be no session.
    Over,
}

/// What a step led to, or the stage again.
enum Went<O: Origin, S> {
    On(Now<O>),
    Again(S),
}

impl<O: Origin, S> Went<O, S> {
    fn or(self, again: impl FnOnce(S) -> Outcome<O>) -> Now<O> {
        match self {
            Self::On(now) => now,
            Self::Again(stage) => Now::At(again(stage)),
        }
    }
}

impl<O: Origin> Went<O, Unauthenticated> {
    fn or_start(self) -> Now<O> {
        match self {
            Self::On(now) => now,
            Self::Again(login) => Now::Start(login),
        }
    }
}

impl<O: Origin, S: Stage> Went<O, S> {
    fn or_start_over(self) -> Now<O> {
        match self {
            Self::On(now) => now,
            Self::Again(stage) => Now::Start(stage.start_over()),
        }
    }
}

impl Walk<'_> {
    fn run<O: Program>(mut self) -> Saw {
        let mut now = Now::<O>::Start(self.client.login(self.device.clone()));
        for _ in 0..MAX_STEPS {
            now = match now {
                Now::Over => return self.saw,
                Now::Start(_) if self.flow.way() == Way::Denied && self.saw.start_overs > 0 => Now::Over,
                Now::Start(login) => O::log_in(&mut self, login),
                Now::At(Outcome::PendingBind(stage)) => self.bind(stage),
                Now::At(Outcome::PendingRegister(stage)) => self.register(stage),
                Now::At(Outcome::MfaRequired(stage)) => self.second_factor(stage),
                Now::At(Outcome::PasswordExpiring(stage)) => self.expiring(stage),
                Now::At(Outcome::PasswordExpired(stage)) => self.expired(stage),
                Now::At(Outcome::Authenticated(user))
                    if !self.renewed && self.flow.number.is_multiple_of(10) =>
                {
                    self.renewed = true;
                    self.take(user.renew_id_token(), Outcome::Authenticated).or(Outcome::Authenticated)
                }
                Now::At(Outcome::Authenticated(_)) => Now::Over,
            };
        }
        panic!("{:?} does not end: {:?}", self.flow.way(), self.saw);
    }

    /// Takes a step. A lost response is met in the one way or the other, by the flow's number.
    fn take<S: Stage, N: Next<S>, O: Origin>(
        &mut self,
        step: Step<S, N>,
        outcome: impl FnOnce(N) -> Outcome<O>,
    ) -> Went<O, S> {
        self.take_to(step, |next| Now::At(outcome(next)))
    }

    /// The same for a step that leads anywhere.
    fn take_to<S: Stage, N: Next<S>, O: Origin>(
        &mut self,
        step: Step<S, N>,
        now: impl FnOnce(N) -> Now<O>,
    ) -> Went<O, S> {
        let row = step.endpoint();
        self.steps[&(row.from, row.step)].fetch_add(1, Ordering::Relaxed);
        match step.send().map(now) {
            Ok(now) => {
                let is_new = row.from != StageKind::Authenticated;
                let is_session = matches!(now, Now::At(Outcome::Authenticated(_)));
                self.saw.sessions += usize::from(is_new && is_session);
                let is_reset = row.from.before_narrowing() == StageKind::PasswordReset;
                self.saw.changes += usize::from(is_reset || row.step == "change_password");
                Went::On(now)
            }
            Err(failed) => self.recover(failed),
        }
    }

    fn recover<S: Stage, O: Origin>(&mut self, failed: StepError<S>) -> Went<O, S> {
        match failed.into_recovery() {
            Recovery::Retry(stage) => {
                self.saw.refused += 1;
                Went::Again(stage)
            }
            Recovery::Unresolved(unresolved) => {
                self.saw.unresolved += 1;
                if self.flow.number.is_multiple_of(2) {
                    Went::On(Now::Start(unresolved.start_over()))
                } else {
                    Went::Again(unresolved.retry_anyway())
                }
            }
            Recovery::StartOver(login) => {
                self.saw.start_overs += 1;
                Went::On(Now::Start(login))
            }
        }
    }

    /// A fresh code of the mini program: the prepared ones first.
    fn fresh(&mut self, what: &str) -> String {
        let attempt = &mut self.attempts[usize::from(what == "number")];
        *attempt += 1;
        if *attempt <= PREPARED {
            return self.flow.code(what, *attempt - 1);
        }
        let whose = if what == "number" { self.flow.mobile() } else { self.flow.identity() };
        self.tenant.ask(&format!("{what} {:?} {whose}", self.flow.platform()))
    }

    /// A number and a code: another request of the user submits it.
    fn log_in_by_phone(&mut self, stage: VerifyPhone<Unauthenticated>) -> Now<Account> {
        let stage: VerifyPhone<Unauthenticated> = self.client.resume(stage.suspend()).unwrap();
        let code = self.phone_code(&stage, &endpoints::LOGIN_PHONE);
        self.take(stage.submit(code), |outcome| outcome).or_start_over()
    }

    fn sign_up(&mut self, login: Unauthenticated) -> Now<Account> {
        let attributes = RegistrationAttributes::new().user_name(self.flow.user_name()).password(RIGHT);
        let stage = login.register(attributes);
        if self.flow.way() == Way::Registration {
            let stage: VerifyPhone<Registration> =
                self.client.resume(stage.phone(self.flow.mobile()).suspend()).unwrap();
            let code = self.phone_code(&stage, &endpoints::REGISTRATION_PHONE);
            self.take(stage.submit(code), |outcome| outcome).or_start_over()
        } else {
            let stage: VerifyEmail<Registration> =
                self.client.resume(stage.email(self.flow.email()).suspend()).unwrap();
            let code = self.email_code(&endpoints::REGISTRATION_EMAIL);
            self.take(stage.submit(code), |outcome| outcome).or_start_over()
        }
    }

    /// A reset whose outcome is unknown is simply taken again, with another code.
    fn reset(&mut self, login: Unauthenticated) -> Now<Account> {
        let before = self.saw.changes;
        let stage = login.reset_password();
        let now = if self.flow.way() == Way::Reset {
            let stage = stage.phone(self.flow.mobile());
            let code = self.phone_code(&stage, &endpoints::RESET_PHONE);
            self.take_to(stage.submit(code, NEW), Now::Start).or_start_over()
        } else {
            let stage = stage.email(self.flow.email());
            let code = self.email_code(&endpoints::RESET_EMAIL);
            self.take_to(stage.submit(code, NEW), Now::Start).or_start_over()
        };
        self.has_reset = self.saw.changes > before;
        self.password_is_new = self.has_reset;
        now
    }

    fn password(&self) -> &'static str {
        if self.password_is_new { NEW } else { RIGHT }
    }

    /// One that is refused may be the old one, or the new one of a change that was not carried out. And whoever may or may
    /// not have registered has not, if there is no such account.
    fn by_own_password(&mut self, step: Step<Unauthenticated, Outcome<Account>>) -> Now<Account> {
        let refused = self.saw.refused;
        let went = self.take(step, |outcome| outcome);
        if self.saw.refused > refused {
            self.password_is_new =
                self.flow.changes_password_once() && !self.password_is_new || self.flow.resets_password();
            self.tried = false;
        }
        went.or_start()
    }

    fn expiring<O: Program>(&mut self, stage: PasswordExpiring<O>) -> Now<O> {
        if self.flow.way() == Way::Kept {
            return self.take(stage.keep_password(), |outcome| outcome).or(Outcome::PasswordExpiring);
        }
        self.password_is_new = true;
        let step = stage.change_password(RIGHT, NEW);
        self.take(step, |outcome| outcome).or(Outcome::PasswordExpiring)
    }

    fn expired<O: Program>(&mut self, stage: PasswordExpired<O>) -> Now<O> {
        let stage: PasswordExpired<O> = self.client.resume(stage.suspend()).unwrap();
        self.password_is_new = true;
        let step = stage.change_password(RIGHT, NEW);
        self.take(step, |outcome| outcome).or(Outcome::PasswordExpired)
    }

    fn bind<O: Program>(&mut self, stage: PendingBind<O>) -> Now<O> {
        match self.flow.way() {
            Way::Number => {
                let code = self.fresh("number");
                self.take(O::bind(stage, &code), |outcome| outcome).or(Outcome::PendingBind)
            }
            Way::Phone | Way::Captcha | Way::SecondFactorByPhone | Way::WrongCode => {
                let stage = stage.phone(self.flow.mobile()).unwrap();
                let code = self.phone_code(&stage, &endpoints::BIND_PHONE);
                self.take(stage.submit(code), |outcome| outcome)
                    .or(|stage| Outcome::PendingBind(stage.back()))
            }
            Way::Email | Way::SecondFactorByEmail => {
                let stage = stage.email(self.flow.email()).unwrap();
                let code = self.email_code(&endpoints::BIND_EMAIL);
                self.take(stage.submit(code), |outcome| outcome)
                    .or(|stage| Outcome::PendingBind(stage.back()))
            }
            Way::PutDown => {
                let Ok(AnyStage::PendingBind(stage)) = self.client.resume::<AnyStage<O>>(stage.suspend())
                else {
                    panic!("it was put down here")
                };
                self.by_password(stage)
            }
            Way::Twice if !self.went_back => {
                self.went_back = true;
                let suspended = stage.suspend();
                let first = self.client.resume::<PendingBind<O>>(suspended.clone()).unwrap();
                let second = self.client.resume::<PendingBind<O>>(suspended).unwrap();
                let _ = self.by_password(first);
                self.by_password(second)
            }
            Way::SecondThoughts if !self.went_back => {
                self.went_back = true;
                Now::At(Outcome::PendingBind(stage.email(self.flow.email()).unwrap().back()))
            }
            _ => self.by_password(stage),
        }
    }

    fn by_password<O: Program>(&mut self, stage: PendingBind<O>) -> Now<O> {
        let wrong = self.flow.way() == Way::Password && !std::mem::replace(&mut self.mistyped, true);
        let password = if wrong { "wrong" } else { RIGHT };
        let step = stage.username_password(self.flow.user_name(), password);
        self.take(step, |outcome| outcome).or(Outcome::PendingBind)
    }

    fn register<O: Program>(&mut self, stage: PendingRegister<O>) -> Now<O> {
        match self.flow.way() {
            Way::Number => {
                let code = self.fresh("number");
                self.take(O::register(stage, &code), |outcome| outcome).or(Outcome::PendingRegister)
            }
            Way::Email => {
                let stage = stage.email(self.flow.email()).unwrap();
                let code = self.email_code(&endpoints::REGISTER_EMAIL);
                self.take(stage.submit(code), |outcome| outcome)
                    .or(|stage| Outcome::PendingRegister(stage.back()))
            }
            _ => {
                let stage = stage.phone(self.flow.mobile()).unwrap();
                let stage: VerifyPhone<PendingRegister<O>> = self.client.resume(stage.suspend()).unwrap();
                let code = self.phone_code(&stage, &endpoints::REGISTER_PHONE);
                self.take(stage.submit(code), |outcome| outcome)
                    .or(|stage| Outcome::PendingRegister(stage.back()))
            }
        }
    }

    fn second_factor<O: Program>(&mut self, stage: MfaRequired<O>) -> Now<O> {
        if self.flow.way() == Way::SecondFactorByEmail {
            let stage = stage.email(self.flow.email());
            let code = self.email_code(&endpoints::MFA_EMAIL);
            return self
                .take(stage.submit(code), |outcome| outcome)
                .or(|stage| Outcome::MfaRequired(stage.back()));
        }
        let Ok(mobile) = stage.registered_mobile().send() else {
            // Lost, or the token was used up by a request whose response was lost.
            return Now::Start(stage.start_over());
        };
        let stage = stage.phone(mobile);
        let code = self.phone_code(&stage, &endpoints::MFA_PHONE);
        self.take(stage.submit(code), |outcome| outcome).or(|stage| Outcome::MfaRequired(stage.back()))
    }

    /// A code: some cost a captcha, the others are just there. The first of some is mistyped.
    fn phone_code<S: SendsCode>(&mut self, stage: &VerifyPhone<S>, row: &Endpoint) -> String {
        let is_wrong = self.flow.way() == Way::WrongCode && !std::mem::replace(&mut self.mistyped, true);
        if is_wrong {
            return "wrong".to_owned();
        }
        if self.flow.way() != Way::Captcha {
            return self.issue(stage.destination(), row);
        }
        let by_captcha = || {
            let captcha = self.client.captcha(&self.device).send()?;
            stage.send_code(&captcha.solve(100.0, stage.destination()).send()?).send()
        };
        match by_captcha() {
            Ok(()) => self.tenant.ask(&format!("last {}", stage.destination())),
            // One of the three was lost: the person asks again.
            Err(_) => self.issue(stage.destination(), row),
        }
    }

    fn email_code(&self, row: &Endpoint) -> String {
        self.issue(&self.flow.email(), row)
    }

    fn issue(&self, destination: &str, row: &Endpoint) -> String {
        let index = endpoints::ALL.iter().position(|other| *other == row).unwrap();
        self.tenant.ask(&format!("code {destination} {index}"))
    }
}

/// What the system says about this process; `None` where it has no `/proc`.
#[derive(Clone, Copy, Debug)]
struct Measured {
    resident: usize,
    descriptors: usize,
}

fn measure() -> Option<Measured> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: usize = resident.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(Measured { resident: kilobytes << 10, descriptors: descriptors()? })
}

fn descriptors() -> Option<usize> {
    // One of them is that of the listing itself.
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count() - 1)
}

/// The bytes that live.
fn live() -> usize {
    let stats = MEMORY.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

struct Sample {
    steps: usize,
    live: usize,
    measured: Option<Measured>,
}

/// One epoch: so many flows, on all the threads, and then the ledger.
struct Soak<'a> {
    client: &'a Client,
    tenant: &'a TenantProcess,
    paths: &'a Paths,
    steps: &'a Steps,
    most_descriptors: AtomicUsize,
    seen: Saw,
    flows: usize,
    ledger: Did,
}

impl Soak<'_> {
    fn epoch(&mut self, count: usize, kind: Kind) {
        self.tenant.ask(&format!("unbound {kind:?}"));
        let (from, next) = (self.flows, AtomicUsize::new(self.flows));
        self.flows += count;
        let to = self.flows;
        let run = || {
            let mut saw = Vec::new();
            loop {
                let first = next.fetch_add(BATCH, Ordering::Relaxed);
                if first >= to {
                    return saw;
                }
                let last = to.min(first + BATCH);
                self.tenant.ask(&format!("prepare {first} {last} {kind:?}"));
                for number in first..last {
                    saw.push((number, self.flow(Flow { number, kind })));
                }
                if let Some(descriptors) = descriptors() {
                    self.most_descriptors.fetch_max(descriptors, Ordering::Relaxed);
                }
            }
        };
        let saw: HashMap<usize, Saw> = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(run)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(saw.len(), count, "none is lost");
        let ledger: Value = serde_json::from_str(&self.tenant.ask("settle")).unwrap();
        self.compare_paths(&ledger["paths"]);
        let mut did: HashMap<usize, Did> = HashMap::new();
        for row in ledger["flows"].as_array().unwrap() {
            let [number, registered, bound, sessions, lost_sessions, changes, lost_changes] =
                [0, 1, 2, 3, 4, 5, 6].map(|index| usize::try_from(row[index].as_u64().unwrap()).unwrap());
            did.insert(number, Did { registered, bound, sessions, lost_sessions, changes, lost_changes });
        }
        for number in from..to {
            let did = did.remove(&number).unwrap_or_default();
            self.compare(Flow { number, kind }, saw[&number], did);
        }
        assert!(did.is_empty(), "the tenant did what nobody asked for: {did:?}");
    }

    fn flow(&self, flow: Flow) -> Saw {
        let fingerprint = format!("device-{}", flow.number);
        let walk = Walk {
            flow,
            client: self.client,
            tenant: self.tenant,
            steps: self.steps,
            device: Device::new("windows10.1.1", &fingerprint, "Mozilla/5.0 (iPhone)").unwrap(),
            saw: Saw::default(),
            attempts: [0; 2],
            mistyped: false,
            went_back: false,
            renewed: false,
            tried: false,
            has_reset: false,
            password_is_new: false,
        };
        match flow.origin() {
            OriginKind::WeChatMiniProgram => walk.run::<WeChatMiniProgram>(),
            OriginKind::AlipayMiniProgram => walk.run::<AlipayMiniProgram>(),
            OriginKind::SocialApp => walk.run::<SocialApp>(),
            OriginKind::Account => walk.run::<Account>(),
        }
    }

    /// Every request is in the ledger once, and whatever had no response there had none here.
    fn compare_paths(&self, ledger: &Value) {
        for (path, sent) in self.paths {
            let mine = [&sent.requests, &sent.lost].map(|count| count.swap(0, Ordering::Relaxed));
            let theirs = [0, 1].map(|index| ledger[path][index].as_u64().unwrap_or_default());
            assert_eq!(mine.map(|count| count as u64), theirs, "requests, and lost ones: {path}");
        }
    }

    fn compare(&mut self, flow: Flow, saw: Saw, did: Did) {
        let what = format!("{} {:?}: {saw:?}, {did:?}", flow.number, flow.way());
        assert_eq!(did.sessions - did.lost_sessions, saw.sessions, "sessions that were heard of: {what}");
        assert!(did.lost_sessions <= saw.unresolved, "sessions that were not: {what}");
        assert_eq!(did.bound, usize::from(flow.is_bound_once()), "binds: {what}");
        assert_eq!(did.registered, usize::from(flow.is_new()), "registrations: {what}");
        assert_eq!(did.changes - did.lost_changes, saw.changes, "changes that were heard of: {what}");
        if flow.resets_password() {
            assert!(saw.changes > 0, "a reset: {what}");
        } else {
            assert_eq!(did.changes, usize::from(flow.changes_password_once()), "changed passwords: {what}");
        }
        if flow.way() == Way::Denied {
            assert_eq!(did.sessions, 0, "{what}");
        } else {
            assert!(did.sessions > 0, "{what}");
        }
        self.seen.sessions += saw.sessions;
        self.seen.unresolved += saw.unresolved;
        self.seen.start_overs += saw.start_overs;
        self.seen.refused += saw.refused;
        self.ledger.sessions += did.sessions;
        self.ledger.lost_sessions += did.lost_sessions;
        self.ledger.bound += did.bound;
        self.ledger.registered += did.registered;
        self.ledger.changes += did.changes;
        self.ledger.lost_changes += did.lost_changes;
    }

    fn taken(&self) -> usize {
        self.steps.values().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

#[test]
fn a_client_of_many_threads_neither_errs_nor_grows() {
    let target = env::var("STEPS").map_or(SHORT, |text| text.parse().expect("STEPS is a number"));
    let tenant = TenantProcess::start();
    let paths: Arc<Paths> = Arc::new(endpoints::ALL.iter().map(|row| (row.path, Sent::default())).collect());
    let steps: Steps = support::flow_rows()
        .filter(|row| is_here(row))
        .map(|row| ((row.from, row.step), AtomicUsize::default()))
        .collect();
    let transport =
        UreqTransport::builder().connect_timeout(TIME_LIMIT).call_timeout(TIME_LIMIT).build().unwrap();
    let client = Client::builder(&tenant.address, support::CLIENT_ID)
        .allow_loopback_http()
        .build_with(Counting { transport, paths: Arc::clone(&paths) })
        .unwrap();
    let mut soak = Soak {
        client: &client,
        tenant: &tenant,
        paths: &paths,
        steps: &steps,
        most_descriptors: AtomicUsize::new(0),
        seen: Saw::default(),
        flows: 0,
        ledger: Did::default(),
    };

    let begun = Instant::now();
    // A flow takes about three steps.
    let epoch = (target / 60).clamp(4 * THREADS, 100 * THREADS);
    let mut samples = Vec::new();
    while soak.taken() < target {
        // The first epochs warm up: each kind, and then a tenth of all.
        let kind = Kind::ALL[soak.flows / epoch % Kind::ALL.len()];
        soak.epoch(epoch, kind);
        samples.push(Sample { steps: soak.taken(), live: live(), measured: measure() });
    }
    let seconds = begun.elapsed().as_secs_f64();

    let connections: usize = tenant.ask("connections").parse().unwrap();
    let Soak { seen, ledger, flows, .. } = &soak;
    let taken = soak.taken();
    #[allow(clippy::cast_precision_loss)] // It is printed.
    let rate = taken as f64 / seconds;
    println!("{taken} steps of {flows} logins by {THREADS} threads in {seconds:.1} s: {rate:.0} steps/s");
    println!(
        "{} sessions, {} of them not heard of; {} binds, {} registrations; {} changed passwords, {} not heard of",
        ledger.sessions,
        ledger.lost_sessions,
        ledger.bound,
        ledger.registered,
        ledger.changes,
        ledger.lost_changes
    );
    println!("{} unresolved, {} started over, {} refused", seen.unresolved, seen.start_overs, seen.refused);
    println!(
        "{connections} connections, at most {} descriptors",
        soak.most_descriptors.load(Ordering::Relaxed)
    );
    let at = |percent: usize| {
        samples.iter().find(|sample| sample.steps * 100 >= taken * percent).expect("a sample")
    };
    let (warm, end) = (at(10), at(100));
    for percent in [10, 50, 100] {
        let Sample { steps, live, measured } = at(percent);
        println!("after {steps} steps: {live} bytes live, {measured:?}");
    }

    for (step, count) in &steps {
        assert!(count.load(Ordering::Relaxed) > 0, "never taken: {step:?}");
    }
    assert!(seen.unresolved > 0 && seen.start_overs > 0 && seen.refused > 0 && ledger.lost_sessions > 0);
    assert!(ledger.changes > 0 && ledger.registered > 0);
    // A connection more for each that was lost, and those that two threads opened at once.
    assert!(connections <= 2 * THREADS + seen.unresolved * 2, "{connections} connections are too many");
    let (Some(before), Some(after)) = (warm.measured, end.measured) else {
        println!("no /proc here: memory and descriptors were not measured");
        return;
    };
    let most = soak.most_descriptors.load(Ordering::Relaxed);
    assert!(most <= THREADS + DESCRIPTORS, "{most} descriptors");
    let idle = before.descriptors.abs_diff(after.descriptors);
    assert!(idle <= THREADS, "descriptors: {before:?}, {after:?}");
    let limit =
        warm.live + LIVE_SLACK + after.descriptors.saturating_sub(before.descriptors) * PER_CONNECTION;
    assert!(end.live <= limit, "{} bytes live, {} after the warm-up", end.live, warm.live);
    assert!(after.resident <= before.resident + RESIDENT_SLACK, "{before:?}, {after:?}");
}

/// The pipe, the standard streams, and a listing of the descriptors by each thread.
const DESCRIPTORS: usize = THREADS + 16;
/// What a kept connection holds.
const PER_CONNECTION: usize = 512 << 10;
const LIVE_SLACK: usize = 256 << 10;
/// What the allocator may do with 64 threads.
const RESIDENT_SLACK: usize = 32 << 20;
