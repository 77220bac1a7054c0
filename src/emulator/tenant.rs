//! The tenant's state, and its logic: a function from a request and the state to an answer.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, Method, StatusCode};
use serde_json::{Map, Value, json};

use super::puzzle::Puzzle;
use super::signing::Signing;
use super::{
    ClaimsLayout, Clock, DataForm, Effect, Entry, Fault, Faults, Reply, Settings, TokenKind, Tokens, Unbound,
    User,
};
use crate::client::{Edition, WechatCodeField};
use crate::endpoints::{self, Credential, Endpoint, FieldKind, Platform, Scenario, SendType, StageKind};
use crate::transport::{Request, Response};
use crate::wire::endpoints::WECHAT_CODE;
use crate::wire::headers::{
    X_AGENT, X_CLIENT_ID, X_DEVICE_FINGERPRINT, X_OPERATING_SYS_VERSION, X_STATE_TOKEN, X_TENANT_ID,
};

pub(super) struct Tenant {
    pub(super) settings: Settings,
    pub(super) clock: Clock,
    pub(super) passed: Duration,
    pub(super) tokens: Option<Tokens>,
    pub(super) identities: HashMap<(Platform, String), String>,
    sessions: HashMap<String, Issued<String>>,
    pub(super) faults: Faults,
    pub(super) ledger: Vec<Entry>,
    pub(super) signing: Signing,
    users: HashMap<String, User>,
    /// Who has a number or an address, the first to come first.
    contacts: HashMap<Contact, Vec<String>>,
    attempts: HashMap<String, Attempts>,
    login_codes: HashMap<(Platform, String), Issued<String>>,
    phone_codes: HashMap<(Platform, String), Issued<String>>,
    verify_codes: HashMap<(String, SendType), Issued<String>>,
    outbox: HashMap<String, String>,
    captchas: HashMap<String, Issued<u32>>,
    passes: HashMap<String, Issued<String>>,
    flows: HashMap<String, Issued<Flow>>,
    /// At so many things with a lifetime, those that are over are forgotten.
    forget_at: usize,
    /// The issuer of the tokens that the request under way asks for.
    issuer: String,
    random: u64,
}

/// The field of a number or address, and the number or address itself.
type Contact = (&'static str, String);

const FORGET_AT: usize = 4096;

/// Something with a lifetime.
struct Issued<T> {
    value: T,
    at: SystemTime,
}

impl<T> Issued<T> {
    /// Whether it is not older than it may become. What is from the future, by a clock that went back, is not.
    fn is_good(&self, now: SystemTime, lifetime: Duration) -> bool {
        !now.duration_since(self.at).is_ok_and(|age| age > lifetime)
    }
}

/// Failed attempts in a row, of an account or a destination.
#[derive(Default)]
struct Attempts {
    failed: u32,
    locked_at: Option<SystemTime>,
}

/// What a state token stands for.
#[derive(Clone)]
struct Flow {
    waits_for: WaitsFor,
    platform: Platform,
    identity: String,
    fingerprint: Vec<u8>,
    /// The ways that `data` listed; `None` if it listed none.
    allowed: Option<Vec<String>>,
}

#[derive(Clone, PartialEq, Eq)]
enum WaitsFor {
    Bind,
    Register,
    SecondFactor { user_name: String, left: u32 },
}

/// A refusal: an HTTP status, an error code and a message, from the pages.
struct Refused(StatusCode, &'static str, String);

type Answer = Result<Value, Refused>;

fn refuse<T>(code: &'static str, message: impl Into<String>) -> Result<T, Refused> {
    Err(Refused(StatusCode::BAD_REQUEST, code, message.into()))
}

/// The fields of a request's body.
struct Fields(Map<String, Value>);

impl Fields {
    fn get(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

/// Emulators in one process have tokens of their own.
static EMULATORS: AtomicU64 = AtomicU64::new(0);

impl Tenant {
    pub(super) fn new() -> Self {
        Self {
            settings: Settings::default(),
            clock: Box::new(SystemTime::now),
            passed: Duration::ZERO,
            tokens: None,
            identities: HashMap::new(),
            sessions: HashMap::new(),
            faults: HashMap::new(),
            ledger: Vec::new(),
            signing: Signing::new(),
            users: HashMap::new(),
            contacts: HashMap::new(),
            attempts: HashMap::new(),
            login_codes: HashMap::new(),
            phone_codes: HashMap::new(),
            verify_codes: HashMap::new(),
            outbox: HashMap::new(),
            captchas: HashMap::new(),
            passes: HashMap::new(),
            flows: HashMap::new(),
            forget_at: FORGET_AT,
            issuer: String::new(),
            random: EMULATORS.fetch_add(1, Ordering::Relaxed) << 32,
        }
    }

    // What the tests and the person at the keyboard set up.

    pub(super) fn add_user(&mut self, user: User) {
        if let Some(before) = self.users.remove(&user.user_name) {
            for contact in contacts(&before) {
                if let Some(names) = self.contacts.get_mut(&contact) {
                    names.retain(|name| *name != before.user_name);
                }
            }
        }
        for contact in contacts(&user) {
            self.contacts.entry(contact).or_default().push(user.user_name.clone());
        }
        self.users.insert(user.user_name.clone(), user);
    }

    pub(super) fn add_login_code(&mut self, platform: Platform, code: String, identity: String) {
        let issued = self.issued(identity);
        self.login_codes.insert((platform, code), issued);
    }

    pub(super) fn add_phone_code(&mut self, platform: Platform, code: String, mobile: String) {
        let issued = self.issued(mobile);
        self.phone_codes.insert((platform, code), issued);
    }

    pub(super) fn add_verify_code(&mut self, destination: &str, send_type: SendType, code: String) {
        let destination = bare(destination).to_owned();
        self.outbox.insert(destination.clone(), code.clone());
        let issued = self.issued(code);
        self.verify_codes.insert((destination, send_type), issued);
    }

    pub(super) fn last_code(&self, destination: &str) -> Option<String> {
        self.outbox.get(bare(destination)).cloned()
    }

    pub(super) fn session_user(&self, session_token: &str) -> Option<String> {
        let session = self.sessions.get(session_token)?;
        (!self.is_over(session, self.settings.session_lifetime)).then(|| session.value.clone())
    }

    pub(super) fn waiting_stage(&self, state_token: &str) -> Option<StageKind> {
        self.live_flow(state_token).map(|flow| match flow.waits_for {
            WaitsFor::Bind => StageKind::PendingBind,
            WaitsFor::Register => StageKind::PendingRegister,
            WaitsFor::SecondFactor { .. } => StageKind::MfaRequired,
        })
    }

    pub(super) fn end_session(&mut self, session_token: &str) {
        self.sessions.remove(session_token);
    }

    pub(super) fn captcha_solution(&self, token: &str) -> Option<f64> {
        self.captchas.get(token).map(|captcha| f64::from(captcha.value))
    }

    pub(super) fn random(&mut self, length: usize) -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        (0..length).filter_map(|_| pick(ALPHABET, self.next_random())).collect()
    }

    pub(super) fn random_digits(&mut self) -> String {
        (0..6).filter_map(|_| pick(b"0123456789", self.next_random())).collect()
    }

    /// A counter, stirred (the finalizer of MurmurHash3): spread out, and the same in each run.
    fn next_random(&mut self) -> u64 {
        self.random += 1;
        let mut bits = self.random;
        bits = (bits ^ (bits >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        bits = (bits ^ (bits >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        bits ^ (bits >> 33)
    }

    // A request and its answer.

    pub(super) fn reply(&mut self, request: &Request) -> Reply {
        self.forget_what_is_over();
        let path = request.uri().path().to_owned();
        let fault = self.faults.get_mut(&path).and_then(std::collections::VecDeque::pop_front);
        self.ledger.push(Entry { path, http_status: None, error_code: None, effects: Vec::new() });
        match fault {
            Some(Fault::LoseRequest) => Reply::Lost,
            Some(Fault::Answer { http_status, body }) => self.answered(text(http_status, body)),
            Some(Fault::LoseAnswer) => {
                self.carry_out(request);
                Reply::Lost
            }
            Some(Fault::AnswerAfter { http_status, body }) => {
                self.carry_out(request);
                self.answered(text(http_status, body))
            }
            Some(Fault::Late(time)) => {
                let response = self.carry_out(request);
                match self.answered(response) {
                    Reply::Answer(response) => Reply::Late(time, response),
                    other => other,
                }
            }
            None => {
                let response = self.carry_out(request);
                self.answered(response)
            }
        }
    }

    fn answered(&mut self, response: Response) -> Reply {
        if let Some(entry) = self.ledger.last_mut() {
            entry.http_status = Some(response.status());
        }
        Reply::Answer(response)
    }

    fn carry_out(&mut self, request: &Request) -> Response {
        if request.uri().path() == endpoints::KEYS_PATH && request.method() == Method::GET {
            return self.key_set();
        }
        self.issuer = issuer(request);
        let rows: Vec<_> =
            endpoints::ALL.iter().copied().filter(|row| row.path == request.uri().path()).collect();
        let Some(first) = rows.first() else {
            return not_the_api(StatusCode::NOT_FOUND, request);
        };
        if Method::from(first.verb) != request.method() {
            return not_the_api(StatusCode::METHOD_NOT_ALLOWED, request);
        }
        match self.route(&rows, request) {
            // A code that was sent is answered with nothing.
            Ok(Value::Null) => text(StatusCode::OK, String::new()),
            Ok(value) => text(StatusCode::OK, value.to_string()),
            Err(Refused(http_status, code, message)) => {
                if let Some(entry) = self.ledger.last_mut() {
                    entry.error_code = Some(code.to_owned());
                }
                text(http_status, json!({ "error_code": code, "error_msg": message }).to_string())
            }
        }
    }

    /// Rows may share a path: the fields of the body tell which one is meant.
    fn route(&mut self, rows: &[&'static Endpoint], request: &Request) -> Answer {
        self.check_headers(request.headers())?;
        let fields = match serde_json::from_slice(request.body()) {
            Ok(Value::Object(fields)) => fields,
            _ if rows.iter().all(|row| row.fields.is_empty()) => Map::new(),
            _ => return refuse("SDK.COMMON.1002", "The body parameter format is incorrect"),
        };
        let mut fields = Fields(fields);
        if self.settings.wechat_code_field == WechatCodeField::WchatCode {
            // This tenant knows the field by its other name, and by that alone.
            fields.0.remove(WECHAT_CODE.name);
            if let Some(code) = fields.0.remove("wchat_code") {
                fields.0.insert(WECHAT_CODE.name.to_owned(), code);
            }
        }
        let missing =
            |row: &Endpoint| row.fields.iter().find(|field| fields.get(field.name).trim_ascii().is_empty());
        let complete: Vec<_> = rows.iter().copied().filter(|row| missing(row).is_none()).collect();
        if complete.is_empty() {
            // The row that is meant is the one of which most is there; speak of the first field that it lacks.
            let name = rows
                .iter()
                .max_by_key(|row| {
                    row.fields.iter().filter(|field| !fields.get(field.name).is_empty()).count()
                })
                .and_then(|row| missing(row))
                .map_or("body", |field| field.name);
            return refuse("SDK.COMMON.1001", format!("Parameter {name} cannot be left blank"));
        }
        let meant = |row: &&Endpoint| {
            row.fields.iter().all(|field| {
                field.kind != FieldKind::SendType
                    || row.send_type.is_some_and(|send_type| send_type.as_str() == fields.get(field.name))
            })
        };
        match complete.into_iter().find(meant) {
            Some(row) => self.call(row, request.headers(), &fields),
            None => refuse("SDK.COMMON.1002", "The type parameter format is incorrect"),
        }
    }

    fn check_headers(&self, headers: &HeaderMap) -> Result<(), Refused> {
        let given = |name: &HeaderName| headers.get(name).is_some_and(|value| !value.is_empty());
        if !given(&X_CLIENT_ID) {
            return refuse("SDK.COMMON.1001", "Parameter X-client-id cannot be left blank.");
        }
        if headers.get(X_CLIENT_ID).is_none_or(|value| value.as_bytes() != self.settings.client_id.as_bytes())
        {
            return refuse("SDK.COMMON.1012", "X-client-id incorrect, no such application");
        }
        if let Edition::OneAccessIsv { tenant_id } = &self.settings.edition
            && headers.get(X_TENANT_ID).is_none_or(|value| value.as_bytes() != tenant_id.as_bytes())
        {
            return refuse("SDK.COMMON.1001", "Parameter X-tenant-id cannot be left blank.");
        }
        if ![X_OPERATING_SYS_VERSION, X_DEVICE_FINGERPRINT, X_AGENT].iter().all(given) {
            return match self.settings.edition {
                Edition::Ciam => refuse("IDAAS.SDK.PARAM.0001", "Device information is incomplete"),
                _ => refuse("SDK.COMMON.1003", "Device information is incomplete"),
            };
        }
        let media_type = headers.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes).unwrap_or_default();
        let media_type = media_type.split(|byte| *byte == b';').next().unwrap_or_default();
        if !media_type.trim_ascii().eq_ignore_ascii_case(b"application/json") {
            return refuse("SDK.COMMON.1002", "The content-type parameter format is incorrect");
        }
        Ok(())
    }

    fn call(&mut self, row: &'static Endpoint, headers: &HeaderMap, fields: &Fields) -> Answer {
        match (row.from, row.credential) {
            (StageKind::Client, _) => self.captcha(),
            (StageKind::Captcha, _) => self.solve(fields),
            (_, Credential::SessionToken) => self.renew(headers),
            (StageKind::Unauthenticated, _) => self.login(row, headers, fields),
            (_, Credential::None) => self.send_code(row, fields),
            (StageKind::MfaRequired, Credential::StateToken) => {
                let (_, flow) = self.flow(row, headers)?;
                self.mobile_by_token(&flow)
            }
            (_, Credential::StateToken) => {
                let (state_token, flow) = self.flow(row, headers)?;
                Self::check_allowed(row, &flow)?;
                let user_name = self.prove(row, &flow, fields)?;
                // It did its work, and works no more.
                self.flows.remove(&state_token);
                Ok(self.settle(row, &state_token, flow, user_name))
            }
        }
    }

    fn key_set(&mut self) -> Response {
        self.signing.published_before = self.settings.published_previous_keys;
        let keys = match &self.settings.broken_key_set {
            Some(broken) => broken.clone(),
            None => self.signing.key_set().to_string(),
        };
        text(StatusCode::OK, keys)
    }

    /// A new identity token for a session. The answer has no status.
    fn renew(&mut self, headers: &HeaderMap) -> Answer {
        let name = self.settings.edition.session_header();
        let token = headers
            .get(name)
            .and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
            .unwrap_or_default();
        let Some(user_name) = self.session_user(token) else {
            return refuse("IDAAS.SDK.PARAM.0023", "Invalid or expired session token");
        };
        let mut session_token = token.to_owned();
        if self.settings.refresh_sessions {
            self.sessions.remove(&session_token);
            session_token = self.token(TokenKind::Session);
            let issued = self.issued(user_name.clone());
            self.sessions.insert(session_token.clone(), issued);
            self.effect(Effect::Session { user_name: user_name.clone() });
        }
        Ok(json!({
            "session_token": session_token,
            "expire": self.settings.session_lifetime.as_secs(),
            "id_token": self.id_token(&user_name),
        }))
    }

    fn captcha(&mut self) -> Answer {
        let Some(puzzle) = Puzzle::new(self.next_random()) else {
            return Err(Refused(
                StatusCode::INTERNAL_SERVER_ERROR,
                "SDK.COMMON.1008",
                "The system is busy. Try again later".to_owned(),
            ));
        };
        let token = self.random(32).to_lowercase();
        let issued = self.issued(puzzle.x);
        self.captchas.insert(token.clone(), issued);
        Ok(json!({
            "captchaId": null,
            "projectCode": null,
            "captchaOriginalPath": null,
            "captchaFontType": null,
            "captchaFontSize": null,
            "secretKey": self.random(16),
            "originalImageBase64": BASE64_STANDARD.encode(puzzle.picture),
            "point": null,
            "jigsawImageBase64": BASE64_STANDARD.encode(puzzle.piece),
            "wordList": null,
            "pointList": null,
            "pointJson": null,
            "token": token,
            "result": false,
            "captchaVerification": null,
        }))
    }

    /// One try: right or wrong, the captcha is gone.
    fn solve(&mut self, fields: &Fields) -> Answer {
        let (token, point) = (fields.get("token").to_owned(), fields.get("point_json"));
        let solution = self.take_fresh(|tenant| tenant.captchas.remove(&token));
        let given = serde_json::from_str::<Value>(point).ok().and_then(|point| point.get("x")?.as_f64());
        let tolerance = f64::from(self.settings.captcha_tolerance);
        let right = solution.zip(given).is_some_and(|(x, given)| (f64::from(x) - given).abs() <= tolerance);
        if !right {
            return refuse("IDAAS.SDK.CAPTCHA.0002", "Graphic verification code verification failed");
        }
        let pass = format!("{token}---{point}");
        let issued = self.issued(fields.get("sender").to_owned());
        self.passes.insert(pass.clone(), issued);
        Ok(json!({ "captcha_token": pass }))
    }

    fn send_code(&mut self, row: &Endpoint, fields: &Fields) -> Answer {
        let destination = row.fields.first().map_or("", |field| fields.get(field.name));
        let pass = fields.get("captcha_token").trim_ascii();
        let lifetime = self.settings.code_lifetime;
        let valid = self
            .passes
            .get(pass)
            .is_some_and(|known| known.value == destination && !self.is_over(known, lifetime));
        let Some(send_type) = row.send_type.filter(|_| valid) else {
            return refuse("IDAAS.SDK.CAPTCHA.0006", "Failed to send verification code");
        };
        if self.settings.single_use_pass {
            self.passes.remove(pass);
        }
        let code = self.random_digits();
        self.add_verify_code(destination, send_type, code);
        self.effect(Effect::CodeSent { destination: destination.to_owned(), send_type });
        Ok(Value::Null)
    }

    fn mobile_by_token(&self, flow: &Flow) -> Answer {
        let WaitsFor::SecondFactor { user_name, .. } = &flow.waits_for else {
            return refuse("IDAAS.SDK.COMMON.1007", "state_token parameter error");
        };
        let user = self.users.get(user_name);
        match user.and_then(|user| user.mobile.as_deref()) {
            Some(mobile) => Ok(json!({ "mobile": format!("+86-{}", bare(mobile)) })),
            None => refuse("SDK.COMMON.1013", "The corresponding user is not found"),
        }
    }

    fn login(&mut self, row: &'static Endpoint, headers: &HeaderMap, fields: &Fields) -> Answer {
        let platform = row.platform.unwrap_or(Platform::WeChat);
        let code = fields.get("code").trim_ascii().to_owned();
        if row.path == endpoints::LOGIN_WECHAT_MINI_PROGRAM_MOBILE.path {
            return self.login_by_mobile(row, headers, code);
        }
        let Some(identity) = self.take_fresh(|tenant| tenant.login_codes.remove(&(platform, code))) else {
            return refuse("SDK.LOGIN.1001", "Error calling interface jscode2session");
        };
        let fingerprint = fingerprint(headers);
        let allowed = match &self.settings.data {
            DataForm::Listed(listed) => Some(listed.clone()),
            DataForm::Null | DataForm::Absent => None,
        };
        let flow = |waits_for| Flow { waits_for, platform, identity: identity.clone(), fingerprint, allowed };
        if let Some(user_name) = self.account_of(platform, &identity).map(str::to_owned) {
            return Ok(self.past_first_factor(row, None, flow(WaitsFor::Bind), user_name));
        }
        let (waits_for, status) = match self.settings.unbound {
            Unbound::Bind => (WaitsFor::Bind, "SOCIAL_BIND"),
            Unbound::Register => (WaitsFor::Register, "USER_REGISTER"),
        };
        Ok(self.pending(None, flow(waits_for), status))
    }

    /// The page knows no flow but success: the account with the number logs in, and nothing is bound.
    fn login_by_mobile(&mut self, row: &'static Endpoint, headers: &HeaderMap, code: String) -> Answer {
        let platform = Platform::WeChat;
        let Some(mobile) = self.take_fresh(|tenant| tenant.phone_codes.remove(&(platform, code))) else {
            return refuse("SDK.LOGIN.1001", "Error calling interface getPhoneNumber");
        };
        let flow = Flow {
            waits_for: WaitsFor::Bind,
            platform,
            identity: mobile.clone(),
            fingerprint: fingerprint(headers),
            allowed: None,
        };
        let user_name = self.account(&flow, "mobile", &mobile)?;
        Ok(self.past_first_factor(row, None, flow, user_name))
    }

    /// The flow behind the state token, if the token lives and this step may follow.
    fn flow(&mut self, row: &Endpoint, headers: &HeaderMap) -> Result<(String, Flow), Refused> {
        let dead = || refuse("IDAAS.SDK.COMMON.1007", "state_token parameter error");
        let Some(token) =
            headers.get(X_STATE_TOKEN).and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
        else {
            return dead();
        };
        let token = token.trim_ascii();
        let Some(flow) = self.live_flow(token).cloned() else { return dead() };
        let follows = match row.from {
            StageKind::PendingBind
            | StageKind::VerifyPhone(Scenario::Bind)
            | StageKind::VerifyEmail(Scenario::Bind) => flow.waits_for == WaitsFor::Bind,
            StageKind::PendingRegister
            | StageKind::VerifyPhone(Scenario::Register)
            | StageKind::VerifyEmail(Scenario::Register) => flow.waits_for == WaitsFor::Register,
            _ => matches!(flow.waits_for, WaitsFor::SecondFactor { .. }),
        };
        let same_device = fingerprint(headers) == flow.fingerprint;
        if !follows || !same_device || row.platform.is_some_and(|platform| platform != flow.platform) {
            return dead();
        }
        Ok((token.to_owned(), flow))
    }

    /// What a state token stands for that is good for a step. One to bind is not, once the identity is bound: by another
    /// login that was faster.
    fn live_flow(&self, state_token: &str) -> Option<&Flow> {
        let issued = self.flows.get(state_token)?;
        let flow = &issued.value;
        let is_bound = || self.account_of(flow.platform, &flow.identity).is_some();
        let is_dead = self.is_over(issued, self.settings.state_token_lifetime)
            || (matches!(flow.waits_for, WaitsFor::Bind | WaitsFor::Register) && is_bound());
        (!is_dead).then_some(flow)
    }

    /// The account that an identity is bound to, if there is such an account.
    fn account_of(&self, platform: Platform, identity: &str) -> Option<&str> {
        let user_name = self.identities.get(&(platform, identity.to_owned()))?;
        self.users.contains_key(user_name).then_some(user_name)
    }

    /// Whether the list in `data` has the way of this step, if there is a list and the step is in it.
    fn check_allowed(row: &Endpoint, flow: &Flow) -> Result<(), Refused> {
        let way = match row.from {
            StageKind::VerifyPhone(Scenario::Bind | Scenario::Register) => "VERIFY_PHONE",
            StageKind::VerifyEmail(Scenario::Bind | Scenario::Register) => "VERIFY_EMAIL",
            _ => return Ok(()),
        };
        match &flow.allowed {
            Some(allowed) if !allowed.iter().any(|listed| listed.trim_ascii() == way) => {
                refuse("SDK.COMMON.1009", "Unknown authentication configuration")
            }
            _ => Ok(()),
        }
    }

    /// The account that the step proves to be the user's. A failure leaves the flow as it is.
    fn prove(&mut self, row: &Endpoint, flow: &Flow, fields: &Fields) -> Result<String, Refused> {
        match (row.from, row.step) {
            (StageKind::PendingBind, "username_password") => {
                self.prove_password(fields.get("user_name"), fields.get("password"))
            }
            (StageKind::PendingBind | StageKind::PendingRegister, _) => {
                let platform = flow.platform;
                let code =
                    row.fields.first().map_or("", |field| fields.get(field.name)).trim_ascii().to_owned();
                let Some(mobile) = self.take_fresh(|tenant| tenant.phone_codes.remove(&(platform, code)))
                else {
                    return refuse("SDK.LOGIN.1001", "Error calling interface getPhoneNumber");
                };
                self.account(flow, "mobile", &mobile)
            }
            _ => {
                let channel = row.fields.first().map_or("mobile", |field| field.name);
                let destination = fields.get(channel);
                self.prove_code(row, destination, fields.get("verify_code").trim_ascii())?;
                self.account(flow, channel, destination)
            }
        }
    }

    fn prove_password(&mut self, user_name: &str, password: &str) -> Result<String, Refused> {
        let who = format!("user name {user_name}");
        self.check_lock(&who)?;
        let user = self.users.get(user_name);
        let known = user.and_then(|user| user.password.as_ref()).is_some_and(|known| known == password);
        self.count(&who, known)?;
        if known {
            Ok(user_name.to_owned())
        } else {
            // The same for a user who does not exist: it does not tell which names do.
            refuse("SDK.COMMON.1013", "The corresponding user is not found")
        }
    }

    fn prove_code(&mut self, row: &Endpoint, destination: &str, code: &str) -> Result<(), Refused> {
        let destination = bare(destination);
        let who = format!("destination {destination}");
        self.check_lock(&who)?;
        let Some(send_type) = row.send_type else {
            return refuse("SDK.COMMON.1009", "Unknown authentication configuration");
        };
        let key = (destination.to_owned(), send_type);
        let lifetime = self.settings.code_lifetime;
        let right = self
            .verify_codes
            .get(&key)
            .is_some_and(|sent| sent.value == code && !self.is_over(sent, lifetime));
        self.count(&who, right)?;
        if right {
            self.verify_codes.remove(&key);
            Ok(())
        } else {
            refuse("IDAAS.SDK.CAPTCHA.0007", "Incorrect verification code")
        }
    }

    /// The account with this number or address; a flow that may register one does, if there is none.
    fn account(&mut self, flow: &Flow, channel: &'static str, destination: &str) -> Result<String, Refused> {
        let found = self
            .contacts
            .get(&(channel, bare(destination).to_owned()))
            .and_then(|names| names.first())
            .cloned();
        match (found, &flow.waits_for) {
            (Some(user_name), WaitsFor::SecondFactor { user_name: expected, .. })
                if user_name != *expected =>
            {
                refuse("SDK.COMMON.1013", "The corresponding user is not found")
            }
            (Some(user_name), _) => Ok(user_name),
            (None, WaitsFor::Register) => {
                let user_name = format!("user-{}", self.random(8));
                let user = User::new(&user_name);
                self.add_user(if channel == "email" {
                    user.email(destination)
                } else {
                    user.mobile(destination)
                });
                self.effect(Effect::Registered { user_name: user_name.clone() });
                Ok(user_name)
            }
            (None, _) => refuse("SDK.COMMON.1013", "The corresponding user is not found"),
        }
    }

    fn is_denied(&self, user_name: &str) -> bool {
        self.users.get(user_name).is_some_and(|user| user.denied)
    }

    /// The step is proved: bind if that is what the flow waited for, and go on.
    fn settle(&mut self, row: &Endpoint, state_token: &str, flow: Flow, user_name: String) -> Value {
        if self.is_denied(&user_name) {
            return json!({ "status": "ACCESS_DENIED" });
        }
        match flow.waits_for {
            WaitsFor::SecondFactor { left: 0 | 1, .. } => return self.success(row, &user_name),
            WaitsFor::SecondFactor { left, .. } => {
                let flow = Flow { waits_for: WaitsFor::SecondFactor { user_name, left: left - 1 }, ..flow };
                return self.pending(Some(state_token), flow, "MFA_AUTH");
            }
            WaitsFor::Bind | WaitsFor::Register => {}
        }
        self.identities.insert((flow.platform, flow.identity.clone()), user_name.clone());
        self.effect(Effect::Bound { user_name: user_name.clone(), identity: flow.identity.clone() });
        self.past_first_factor(row, Some(state_token), flow, user_name)
    }

    fn past_first_factor(
        &mut self,
        row: &Endpoint,
        state_token: Option<&str>,
        flow: Flow,
        user_name: String,
    ) -> Value {
        let user = self.users.get(&user_name);
        let left = user.map_or(0, |user| user.second_factors);
        if self.is_denied(&user_name) {
            return json!({ "status": "ACCESS_DENIED" });
        }
        if left > 0 {
            let flow = Flow { waits_for: WaitsFor::SecondFactor { user_name, left }, ..flow };
            return self.pending(state_token, flow, "MFA_AUTH");
        }
        self.success(row, &user_name)
    }

    /// An answer that waits for more. `in_hand` is the state token that the caller has already.
    fn pending(&mut self, in_hand: Option<&str>, flow: Flow, status: &str) -> Value {
        let mut answer = Map::new();
        let space = if self.settings.printed_spaces && status == "SOCIAL_BIND" { " " } else { "" };
        answer.insert("status".to_owned(), format!("{space}{status}").into());
        let state_token = match in_hand {
            Some(token) if !self.settings.new_state_token => token.to_owned(),
            _ => {
                let token = self.token(TokenKind::State);
                answer.insert("state_token".to_owned(), format!("{space}{token}").into());
                token
            }
        };
        if flow.waits_for == WaitsFor::Bind || flow.waits_for == WaitsFor::Register {
            match &self.settings.data {
                DataForm::Listed(listed) => {
                    let data = json!({ "socialBindOrRegisterFlow": listed }).to_string();
                    answer.insert("data".to_owned(), data.into());
                }
                DataForm::Null => drop(answer.insert("data".to_owned(), Value::Null)),
                DataForm::Absent => {}
            }
        }
        let issued = self.issued(flow);
        self.flows.insert(state_token, issued);
        Value::Object(answer)
    }

    fn success(&mut self, row: &Endpoint, user_name: &str) -> Value {
        let session_token = self.token(TokenKind::Session);
        let issued = self.issued(user_name.to_owned());
        self.sessions.insert(session_token.clone(), issued);
        self.effect(Effect::Session { user_name: user_name.to_owned() });
        let mut answer = json!({
            "status": "SUCCESS",
            "session_token": session_token,
            "expire": self.settings.session_lifetime.as_secs(),
        });
        if self.settings.id_token
            && let Some(fields) = answer.as_object_mut()
        {
            // The page of the bind by code prints a space here, the others do not.
            let spaced = self.settings.printed_spaces && row.path == endpoints::BIND_PHONE.path;
            let space = if spaced { " " } else { "" };
            let id_token = self.id_token(user_name);
            fields.insert("id_token".to_owned(), format!("{space}{id_token}").into());
        }
        answer
    }

    // Small parts.

    fn now(&self) -> SystemTime {
        let now = (self.clock)();
        now.checked_add(self.passed).unwrap_or(now)
    }

    fn is_over<T>(&self, issued: &Issued<T>, lifetime: Duration) -> bool {
        !issued.is_good(self.now(), lifetime)
    }

    /// A tenant that serves for long does not fill the memory with codes and tokens that are good for nothing any more.
    fn forget_what_is_over(&mut self) {
        if self.issued_count() < self.forget_at {
            return;
        }
        let now = self.now();
        let Settings { code_lifetime, session_lifetime, state_token_lifetime, .. } = self.settings;
        self.login_codes.retain(|_, issued| issued.is_good(now, code_lifetime));
        self.phone_codes.retain(|_, issued| issued.is_good(now, code_lifetime));
        self.verify_codes.retain(|_, issued| issued.is_good(now, code_lifetime));
        self.captchas.retain(|_, issued| issued.is_good(now, code_lifetime));
        self.passes.retain(|_, issued| issued.is_good(now, code_lifetime));
        self.sessions.retain(|_, issued| issued.is_good(now, session_lifetime));
        self.flows.retain(|_, issued| issued.is_good(now, state_token_lifetime));
        self.forget_at = FORGET_AT.max(2 * self.issued_count());
    }

    fn issued_count(&self) -> usize {
        let codes = self.login_codes.len() + self.phone_codes.len() + self.verify_codes.len();
        codes + self.captchas.len() + self.passes.len() + self.sessions.len() + self.flows.len()
    }

    fn issued<T>(&self, value: T) -> Issued<T> {
        Issued { value, at: self.now() }
    }

    /// What `take` takes out, if it is not too old.
    fn take_fresh<T>(&mut self, take: impl FnOnce(&mut Self) -> Option<Issued<T>>) -> Option<T> {
        let issued = take(self)?;
        (!self.is_over(&issued, self.settings.code_lifetime)).then_some(issued.value)
    }

    fn token(&mut self, kind: TokenKind) -> String {
        match (&self.tokens, kind) {
            (Some(tokens), _) => tokens(kind),
            (None, TokenKind::State) => {
                format!("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.{}.{}", self.random(64), self.random(43))
            }
            (None, TokenKind::Session | TokenKind::Id) => self.random(32),
        }
    }

    fn id_token(&mut self, user_name: &str) -> String {
        if let Some(tokens) = &self.tokens {
            return tokens(TokenKind::Id);
        }
        let issued_at = self.now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let user = self.users.get(user_name);
        let mobile =
            user.and_then(|user| user.mobile.as_deref()).map(|mobile| format!("+86-{}", bare(mobile)));
        let data = json!({
            "id": user.map(|user| user.id.as_str()),
            "userName": user_name,
            "name": user.and_then(|user| user.name.as_deref()),
            "mobile": mobile,
            "email": user.and_then(|user| user.email.as_deref()),
        });
        let mut claims = match self.settings.claims_layout {
            ClaimsLayout::Flat => data,
            ClaimsLayout::Api => json!({ "api": data.to_string() }),
        };
        let common = json!({
            "iss": self.issuer,
            "aud": self.settings.client_id,
            "sub": user_name,
            "iat": issued_at,
            "nbf": issued_at.saturating_sub(120),
            "exp": issued_at.saturating_add(self.settings.id_token_lifetime.as_secs()),
            "jti": self.random(22),
        });
        if let (Value::Object(claims), Value::Object(common)) = (&mut claims, common) {
            claims.extend(common);
        }
        self.signing.sign(&claims, self.settings.sign_with_previous_key).unwrap_or_default()
    }

    fn effect(&mut self, effect: Effect) {
        if let Some(entry) = self.ledger.last_mut() {
            entry.effects.push(effect);
        }
    }

    fn check_lock(&mut self, who: &str) -> Result<(), Refused> {
        let Some(locked_at) = self.attempts.get(who).and_then(|attempts| attempts.locked_at) else {
            return Ok(());
        };
        let passed = self.now().duration_since(locked_at).unwrap_or_default();
        match self.settings.lock_time.checked_sub(passed) {
            Some(left) if !left.is_zero() => locked(left),
            _ => {
                self.attempts.remove(who);
                Ok(())
            }
        }
    }

    /// Counts an attempt; the last failed one that is allowed locks.
    fn count(&mut self, who: &str, right: bool) -> Result<(), Refused> {
        if right {
            self.attempts.remove(who);
            return Ok(());
        }
        let now = self.now();
        let (max, lock_time) = (self.settings.max_attempts, self.settings.lock_time);
        let attempts = self.attempts.entry(who.to_owned()).or_default();
        attempts.failed += 1;
        if attempts.failed < max {
            return Ok(());
        }
        attempts.locked_at = Some(now);
        locked(lock_time)
    }
}

/// The tenant as the caller addressed it, as the issuer of its tokens: in process by the URI, over HTTP by the header.
fn issuer(request: &Request) -> String {
    let origin = match (request.uri().scheme_str(), request.uri().authority(), request.headers().get(HOST)) {
        (Some(scheme), Some(authority), _) => format!("{scheme}://{authority}"),
        (_, _, host) => {
            format!("http://{}", host.and_then(|host| host.to_str().ok()).unwrap_or_default())
        }
    };
    origin + endpoints::ISSUER_PATH
}

/// What finds an account beside its user name.
fn contacts(user: &User) -> impl Iterator<Item = Contact> {
    let of = |channel, contact: &Option<String>| {
        contact.as_deref().map(|contact| (channel, bare(contact).to_owned()))
    };
    of("mobile", &user.mobile).into_iter().chain(of("email", &user.email))
}

fn fingerprint(headers: &HeaderMap) -> Vec<u8> {
    headers.get(X_DEVICE_FINGERPRINT).map(|value| value.as_bytes().to_vec()).unwrap_or_default()
}

fn locked<T>(left: Duration) -> Result<T, Refused> {
    let (minutes, seconds) = (left.as_secs() / 60, left.as_secs() % 60);
    refuse(
        "SDK.LOGIN.1003",
        format!("user locked, too many attempts; unlocks in {minutes} minutes {seconds} seconds"),
    )
}

/// A number without the country code that both forms of it may have.
fn bare(destination: &str) -> &str {
    destination.strip_prefix("+86-").unwrap_or(destination)
}

fn pick(alphabet: &[u8], random: u64) -> Option<char> {
    let index = usize::try_from(random % u64::try_from(alphabet.len()).ok()?).ok()?;
    alphabet.get(index).copied().map(char::from)
}

fn text(http_status: StatusCode, body: String) -> Response {
    let mut response = Response::new(body.into_bytes());
    *response.status_mut() = http_status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}

/// What the framework in front of the API answers: an error without the API's error code.
fn not_the_api(http_status: StatusCode, request: &Request) -> Response {
    let body = json!({
        "status": http_status.as_u16(),
        "error": http_status.canonical_reason(),
        "path": request.uri().path(),
    });
    text(http_status, body.to_string())
}
