//! A tenant, a client, and the model that is held against both of them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use idaas_login::emulator::{Effect, Emulator, Entry};
use idaas_login::endpoints::{
    self, EditionKind, Endpoint, OriginKind, Platform, Scenario, SendType, StageKind,
};
use idaas_login::{
    Account as AccountLogin, AlipayMiniProgram, AnyLogin, AnyStage, Authenticated, AwaitingCode, CaptchaPass,
    Channel, Client, Edition, Error, ErrorClass, Gender, Next, NotAllowed, Origin, Outcome, PasswordPolicy,
    PendingBind, PendingRegister, Recovery, RegistrationAttributes, SendsCode, Sent, SocialApp, Stage, Step,
    Suspended, Unauthenticated, Verify, WeChatMiniProgram,
};
use serde_json::json;

use super::held::{Decided, Decision, Held, Stand, cast};
use super::line::{Canned, Fault, Line};
use super::reference::{
    Account, Age, Ask, Attributes, BEGINNING, CODE_LIFETIME, Data, LOCK_TIME, Model, PASSWORD_LENGTH,
    REQUIRED, SESSION_LIFETIME, SIGNATURE_WINDOW, STATE_TOKEN_LIFETIME, Verdict, bare, is_email,
};
use super::{Change, Clocks, Input, Wait, What};

/// A login, and what is known of it.
pub struct Login<O: Origin> {
    pub held: Held<O>,
    pub facts: Facts,
}

#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The state token in hand.
    token: Option<String>,
    /// The session token in hand.
    session: Option<String>,
    /// When that expires, by the client's clock.
    expires_at: Option<SystemTime>,
    /// What `data` said when the stage in hand was reached.
    data: Option<Data>,
    login_code: Option<(Platform, String, String)>,
    phone_code: Option<(Platform, String)>,
    /// What an account is about to be registered with.
    attributes: RegistrationAttributes,
    /// The stages that the login came by.
    pub trail: Vec<StageKind>,
}

impl Facts {
    fn begin_again(&mut self) {
        (self.token, self.session, self.expires_at) = (None, None, None);
        self.trail.clear();
    }

    fn tokens(&self) -> [Option<&str>; 2] {
        [self.token.as_deref(), self.session.as_deref()]
    }
}

/// What is tried: one of several ways, with the data of one of several people, right or wrong.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    pub way: usize,
    pub who: usize,
    pub input: Input,
    pub fault: Option<Fault>,
}

/// What came of a step.
enum Came {
    /// The stage, and the token that came with it.
    To(StageKind, Option<String>),
    Retry(Error),
    Unresolved,
    StartOver(Error),
}

impl Came {
    fn name(&self) -> String {
        match self {
            Self::To(kind, _) => format!("{kind:?}"),
            Self::Retry(_) => "Retry".to_owned(),
            Self::Unresolved => "Unresolved".to_owned(),
            Self::StartOver(_) => "StartOver".to_owned(),
        }
    }
}

/// A side call.
struct Side {
    row: &'static Endpoint,
    fault: Option<Fault>,
}

/// How often each thing happened.
#[derive(Default)]
pub struct Seen {
    pub walks: usize,
    pub actions: usize,
    pub requests: usize,
    pub longest_way_home: usize,
    pub steps: BTreeMap<(String, String), usize>,
    pub calls: BTreeMap<(String, String), usize>,
    pub signatures: BTreeMap<String, usize>,
    pub narrowings: BTreeMap<(String, String), usize>,
    pub suspended: BTreeMap<String, usize>,
    pub chains: BTreeMap<String, usize>,
    pub faults: BTreeMap<String, usize>,
    pub inputs: BTreeMap<String, usize>,
}

pub fn count<K: Ord>(table: &mut BTreeMap<K, usize>, key: K) {
    *table.entry(key).or_default() += 1;
}

pub fn at(kind: StageKind, step: &str) -> String {
    format!("{kind:?}.{step}")
}

/// The accounts: second factors, and the age of the password. The numbers and addresses after theirs are nobody's, until
/// somebody registers with them.
pub const USERS: [(&str, u32, Option<Age>); 7] = [
    ("alice", 0, None),
    ("bob", 1, None),
    ("carol", 3, None),
    ("dave", 0, Some(Age::Expiring)),
    ("erin", 0, Some(Age::Expired)),
    ("frank", 1, Some(Age::Expiring)),
    ("grace", 1, Some(Age::Expired)),
];
pub const PEOPLE: usize = 10;

fn mobile(who: usize) -> String {
    format!("1390000000{}", who % PEOPLE)
}

fn email(who: usize) -> String {
    format!("user{}@example.com", who % PEOPLE)
}

/// What the rows of a code are for.
fn code_rows(kind: StageKind) -> endpoints::CodeRows {
    match kind {
        StageKind::VerifyPhone(scenario) => scenario.sms(),
        StageKind::VerifyEmail(scenario) => scenario.email(),
        other => panic!("no code is due at {other}"),
    }
}

/// Where a step leads.
fn going<O: Origin>(outcome: Outcome<O>) -> Held<O> {
    Held::At(outcome.into())
}

pub struct World<'a> {
    pub tenant: Emulator,
    line: Arc<Line>,
    client: Client,
    /// Seconds by which the tenant's clock and the client's go, and those that the client's is ahead.
    clock: Arc<AtomicU64>,
    ahead: Arc<AtomicU64>,
    pub model: Model,
    /// Makes names, passwords and choices differ.
    serial: usize,
    seen: &'a RefCell<Seen>,
    /// Whether it counts: the way home does not.
    pub counting: bool,
}

impl<'a> World<'a> {
    /// `bound`: whether the identities of the users are bound from the beginning.
    pub fn new(edition: EditionKind, bound: bool, seen: &'a RefCell<Seen>) -> Self {
        let clock = Arc::new(AtomicU64::new(BEGINNING.as_secs()));
        let ahead = Arc::new(AtomicU64::new(0));
        let time = Arc::clone(&clock);
        let tenant = Emulator::new()
            .with_clock(move || UNIX_EPOCH + Duration::from_secs(time.load(Ordering::Relaxed)));
        tenant.configure(|settings| {
            settings.edition = match edition {
                EditionKind::Eiam => Edition::Eiam,
                EditionKind::OneAccess => Edition::OneAccess,
                _ => Edition::Ciam,
            };
            settings.code_lifetime = CODE_LIFETIME;
            settings.lock_time = LOCK_TIME;
            settings.state_token_lifetime = STATE_TOKEN_LIFETIME;
            settings.session_lifetime = SESSION_LIFETIME;
            settings.password_length = PASSWORD_LENGTH;
            settings.signature_window = SIGNATURE_WINDOW;
            // Signing is slow, and renewals do it anyway.
            settings.id_token = false;
            settings.strict = true;
        });
        let mut model = Model::new(edition);
        for (who, (name, factors, age)) in USERS.into_iter().enumerate() {
            let account = Account {
                password: Some("right".to_owned()),
                factors,
                age,
                mobile: Some(mobile(who)),
                email: Some(email(who)),
                ..Account::default()
            };
            tenant.add_user(account.user(name));
            model.accounts.insert(name.to_owned(), account);
            for platform in Platform::ALL.iter().filter(|_| bound) {
                let identity = identity(*platform, who);
                tenant.bind(*platform, &identity, name);
                model.bound.insert((*platform, identity), name.to_owned());
            }
        }
        let line = Arc::new(Line::new(tenant.clone()));
        let clocks = [Arc::clone(&clock), Arc::clone(&ahead)];
        let client = tenant
            .client_builder("https://emulator.invalid")
            .monotonic_clock(move || {
                Duration::from_secs(clocks.iter().map(|part| part.load(Ordering::Relaxed)).sum())
            })
            .build_with(Arc::clone(&line))
            .unwrap();
        Self { tenant, line, client, clock, ahead, model, serial: 0, seen, counting: true }
    }

    pub fn login<O: Origin>(&self) -> Login<O> {
        Login { held: Held::Start(self.client.login(support::device())), facts: Facts::default() }
    }

    pub fn count(&self, count: impl FnOnce(&mut Seen)) {
        if self.counting {
            count(&mut self.seen.borrow_mut());
        }
    }

    fn wait(&mut self, time: Duration) {
        self.pass(time, Clocks::Together);
    }

    fn pass(&mut self, time: Duration, clocks: Clocks) {
        match clocks {
            Clocks::Together => {
                self.clock.fetch_add(time.as_secs(), Ordering::Relaxed);
                self.model.now += time;
                self.model.client_now += time;
                self.model.signer.clock += time;
            }
            Clocks::TenantAlone => {
                self.tenant.advance(time);
                self.model.now += time;
            }
            Clocks::SignerAlone => {
                self.ahead.fetch_add(time.as_secs(), Ordering::Relaxed);
                self.model.signer.clock += time;
            }
        }
    }

    fn note(&self, signature: impl Into<String>) {
        self.count(|seen| count(&mut seen.signatures, signature.into()));
    }

    fn next(&mut self) -> usize {
        self.serial += 1;
        self.serial
    }

    // What a step is given.

    /// A user's name, or that of whoever registered with the number.
    fn name(&self, who: usize) -> String {
        let of_table = USERS.get(who % PEOPLE).map(|(name, ..)| (*name).to_owned());
        let registered = || self.model.owner(&mobile(who)).map(str::to_owned);
        of_table.or_else(registered).unwrap_or_else(|| "nobody".to_owned())
    }

    /// A code or access token of a platform, and who the user is there.
    fn login_code(&mut self, facts: &mut Facts, platform: Platform, turn: Turn) -> (String, String) {
        let whose = identity(platform, turn.who);
        let (code, whose) = match (turn.input, facts.login_code.clone()) {
            (Input::Empty, _) => {
                // White space around a code is cut off, that of an access token is not.
                let is_code = !matches!(platform, Platform::Qq | Platform::Weibo);
                return (" ".repeat(usize::from(is_code)), whose);
            }
            (Input::Reused, Some((before, code, whose))) if before == platform => (code, whose),
            (Input::Wrong | Input::Reused, _) => return ("no-such-code".to_owned(), whose),
            (Input::Other, _) => {
                // Of another platform.
                let others = Platform::ALL.iter().filter(|other| **other != platform);
                let other = *others.cycle().nth(self.next() % Platform::ALL.len()).expect("there are others");
                let code = self.tenant.login_code(other, &whose);
                self.model.login_codes.insert((other, code.clone()), (whose.clone(), self.model.now));
                return (code, whose);
            }
            (Input::Right | Input::Late, _) => {
                let code = self.tenant.login_code(platform, &whose);
                self.model.login_codes.insert((platform, code.clone()), (whose.clone(), self.model.now));
                (code, whose)
            }
        };
        facts.login_code = Some((platform, code.clone(), whose.clone()));
        self.late(turn.input);
        (code, whose)
    }

    /// A code or access token that stands for a number.
    fn phone_code(&mut self, facts: &mut Facts, platform: Platform, turn: Turn) -> Ask {
        let code = match (turn.input, facts.phone_code.clone()) {
            (Input::Empty, _) => String::new(),
            (Input::Reused, Some((before, code))) if before == platform => code,
            (Input::Wrong | Input::Reused, _) => "no-such-code".to_owned(),
            // One that stands for an identity.
            (Input::Other, _) => self.login_code(facts, platform, Turn { input: Input::Right, ..turn }).0,
            (Input::Right | Input::Late, _) => {
                let number = mobile(turn.who);
                let code = self.tenant.phone_code(platform, &number);
                self.model.phone_codes.insert((platform, code.clone()), (number, self.model.now));
                facts.phone_code = Some((platform, code.clone()));
                self.late(turn.input);
                code
            }
        };
        Ask::Number { platform, code }
    }

    /// A verification code for the step of `row`.
    fn verify_code(&mut self, destination: &str, row: &'static Endpoint, input: Input) -> String {
        let send_type = self.model.send_type(row);
        match input {
            Input::Empty => "\t".to_owned(),
            Input::Wrong => "wrong".to_owned(),
            Input::Reused => self.tenant.last_code(destination).unwrap_or_else(|| "none".to_owned()),
            Input::Right => self.issue(destination, send_type),
            Input::Late => {
                let code = self.issue(destination, send_type);
                self.late(input);
                code
            }
            // For another purpose.
            Input::Other => {
                let others = SendType::ALL.iter().filter(|other| **other != send_type);
                let other = *others.cycle().nth(self.next() % SendType::ALL.len()).expect("there are others");
                self.issue(destination, other)
            }
        }
    }

    fn issue(&mut self, destination: &str, send_type: SendType) -> String {
        let code = self.tenant.issue_code(destination, send_type);
        let key = (bare(destination).to_owned(), send_type);
        self.model.codes.insert(key, (code.clone(), self.model.now));
        code
    }

    fn late(&mut self, input: Input) {
        if input == Input::Late {
            self.wait(Wait::ForCodes.time());
        }
    }

    /// A password for an account.
    fn password(&self, name: &str, turn: Turn) -> String {
        let account = self.model.accounts.get(name).cloned().unwrap_or_default();
        let right = account.password.unwrap_or_else(|| "it has none".to_owned());
        match turn.input {
            Input::Right => right,
            Input::Wrong => "wrong".to_owned(),
            Input::Reused => account.former_password.unwrap_or_else(|| "never had one".to_owned()),
            // Passwords are sent exactly as they are given.
            Input::Late => format!("{right} "),
            Input::Other => {
                let other = self.model.accounts.get(&self.name(turn.who + 1));
                other.and_then(|other| other.password.clone()).unwrap_or_else(|| "nobody's".to_owned())
            }
            Input::Empty => String::new(),
        }
    }

    /// A new password. Some are not what the tenant demands.
    fn new_password(&mut self, turn: Turn) -> String {
        let serial = self.next();
        match turn.way / 4 % 6 {
            4 => format!("{serial:07}"),
            5 => format!("{serial:019}"),
            _ => format!("new-{serial:06}"),
        }
    }

    /// What to register with. Some of it is taken, too short, or nothing at all.
    fn attributes(&mut self, turn: Turn) -> RegistrationAttributes {
        let serial = self.next();
        let named = RegistrationAttributes::new().nick_name("Meimei");
        match turn.way / 8 {
            0 => named.user_name(format!("new-user-{serial}")).password(format!("new-{serial:06}")),
            1 => named
                .gender(Gender::Female)
                .birthday("1990-12-31")
                .extension(json!({ "age": "18" }))
                .password(format!("new-{serial:06}")),
            _ => match serial % 6 {
                0 => RegistrationAttributes::new(),
                1 => named.user_name(self.name(turn.who)),
                2 => named.password("short"),
                3 => named.email(email(turn.who)),
                4 => named.birthday("31.12.1990"),
                _ => named.email(format!("new-user-{serial}@example.com")),
            },
        }
    }

    // The steps.

    pub fn step<O: Origin>(&mut self, login: &mut Login<O>, turn: Turn) {
        self.count(|seen| count(&mut seen.inputs, format!("{:?}", turn.input)));
        // A service resumes the stage when a request begins. A step whose outcome is unknown is left to a person.
        if turn.way >= 20 || login.held.is_unknown() && turn.way % 4 < 2 {
            self.suspend(login);
        }
        let held = self.take(login);
        let facts = &mut login.facts;
        let held = match held {
            Held::Start(stage) => match O::KIND {
                OriginKind::WeChatMiniProgram => cast(self.begin_wechat(facts, stage, turn)),
                OriginKind::AlipayMiniProgram => cast(self.begin_alipay(facts, stage, turn)),
                OriginKind::SocialApp => cast(self.begin_social(facts, stage, turn)),
                OriginKind::Account => cast(self.begin_account(facts, stage, turn)),
            },
            Held::Unknown(unknown) => {
                let again = !turn.way.is_multiple_of(2);
                let decision = if again { Decision::RetryAnyway } else { Decision::StartOver };
                let Decided::Held(held) = unknown.decide(decision) else { panic!("nothing was put down") };
                held
            }
            Held::At(stage) => self.go_on(facts, stage, turn),
        };
        if matches!(held, Held::Start(_)) {
            facts.begin_again();
        }
        login.held = held;
    }

    fn begin_wechat(
        &mut self,
        facts: &mut Facts,
        login: Unauthenticated,
        turn: Turn,
    ) -> Held<WeChatMiniProgram> {
        let platform = Platform::WeChatMiniProgram;
        if turn.way % 4 == 3 {
            let ask = self.phone_code(facts, platform, turn);
            let Ask::Number { code, .. } = &ask else { unreachable!() };
            return self.send(facts, login.wechat_mini_program_mobile(code), &ask, turn, going);
        }
        let (code, _) = self.login_code(facts, platform, turn);
        let step = login.wechat_mini_program(&code);
        self.send(facts, step, &Ask::Identity { platform, code, named: None }, turn, going)
    }

    fn begin_alipay(
        &mut self,
        facts: &mut Facts,
        login: Unauthenticated,
        turn: Turn,
    ) -> Held<AlipayMiniProgram> {
        let platform = Platform::AlipayMiniProgram;
        let (code, _) = self.login_code(facts, platform, turn);
        let step = login.alipay_mini_program(&code);
        self.send(facts, step, &Ask::Identity { platform, code, named: None }, turn, going)
    }

    fn begin_social(&mut self, facts: &mut Facts, login: Unauthenticated, turn: Turn) -> Held<SocialApp> {
        const APPS: [Platform; 5] =
            [Platform::WeChatApp, Platform::AlipayApp, Platform::Qq, Platform::Weibo, Platform::Apple];
        let platform = APPS[turn.way % APPS.len()];
        let (code, whose) = self.login_code(facts, platform, turn);
        // The name beside a token that is fine may be somebody else's.
        let odd = turn.input == Input::Wrong && turn.way % 2 == 1;
        let name = if odd { identity(platform, turn.who + 1) } else { whose };
        let (step, named) = match platform {
            Platform::WeChatApp => (login.wechat_app(&code), None),
            Platform::AlipayApp => (login.alipay_app(&code), None),
            Platform::Qq => (login.qq(&code, &name), Some(name)),
            Platform::Weibo => (login.weibo(&code, &name), Some(name)),
            _ => (login.apple(&code), None),
        };
        self.send(facts, step, &Ask::Identity { platform, code, named }, turn, going)
    }

    fn begin_account(&mut self, facts: &mut Facts, login: Unauthenticated, turn: Turn) -> Held<AccountLogin> {
        let narrowed = |world: &Self, step: &str| {
            world.count(|seen| {
                count(&mut seen.narrowings, (at(StageKind::Unauthenticated, step), "ok".to_owned()));
            });
        };
        match turn.way % 8 {
            1 => {
                let name = self.name(turn.who);
                let password = self.password(&name, turn);
                let name = match turn.way / 8 {
                    0 => name,
                    1 => mobile(turn.who),
                    _ => email(turn.who),
                };
                let step = login.identifier_password(&name, &password);
                self.send(facts, step, &Ask::Password { name, password }, turn, going)
            }
            2 => {
                let ask = self.phone_code(facts, Platform::Carrier, turn);
                let Ask::Number { code, .. } = &ask else { unreachable!() };
                self.send(facts, login.carrier_one_tap(code), &ask, turn, going)
            }
            3 => {
                narrowed(self, "phone");
                login.phone(mobile(turn.who)).held()
            }
            4 => {
                narrowed(self, "email");
                login.email(email(turn.who)).held()
            }
            5 => {
                narrowed(self, "register");
                facts.attributes = self.attributes(turn);
                login.register(facts.attributes.clone()).held()
            }
            6 => {
                narrowed(self, "reset_password");
                login.reset_password().held()
            }
            _ => {
                let name = self.name(turn.who);
                let password = self.password(&name, turn);
                let step = login.username_password(&name, &password);
                self.send(facts, step, &Ask::Password { name, password }, turn, going)
            }
        }
    }

    #[allow(clippy::too_many_lines)] // An arm for each stage.
    fn go_on<O: Origin>(&mut self, facts: &mut Facts, stage: AnyStage<O>, turn: Turn) -> Held<O> {
        let Turn { way, who, input, .. } = turn;
        let kind = stage.kind();
        // Mostly one's own.
        let own = facts.token.as_deref().and_then(|token| self.model.pending_user(token));
        let own = own.and_then(|user| USERS.iter().position(|(name, ..)| *name == user));
        let own = own.filter(|_| who + 1 < PEOPLE).unwrap_or(who);
        let narrowed = |world: &Self, step: &str| {
            world.count(|seen| count(&mut seen.narrowings, (at(kind, step), "ok".to_owned())));
        };
        match stage {
            AnyStage::PendingBind(stage) => match way % 4 {
                1 if has_number::<O>() => self.bind_by_number(facts, stage, turn),
                2 => match self.narrowed(facts, kind, "VERIFY_PHONE", stage.phone(mobile(who))) {
                    Ok(stage) => stage.held(),
                    Err(stage) => stage.held(),
                },
                3 => match self.narrowed(facts, kind, "VERIFY_EMAIL", stage.email(email(who))) {
                    Ok(stage) => stage.held(),
                    Err(stage) => stage.held(),
                },
                _ => {
                    let name = self.name(who);
                    let password = self.password(&name, turn);
                    let step = stage.username_password(&name, &password);
                    self.send(facts, step, &Ask::Password { name, password }, turn, going)
                }
            },
            AnyStage::PendingRegister(stage) => match way % 4 {
                0 | 3 if has_number::<O>() => self.register_by_number(facts, stage, turn),
                2 | 3 => match self.narrowed(facts, kind, "VERIFY_EMAIL", stage.email(email(who))) {
                    Ok(stage) => stage.held(),
                    Err(stage) => stage.held(),
                },
                _ => match self.narrowed(facts, kind, "VERIFY_PHONE", stage.phone(mobile(who))) {
                    Ok(stage) => stage.held(),
                    Err(stage) => stage.held(),
                },
            },
            AnyStage::MfaRequired(stage) => {
                if way.is_multiple_of(2) {
                    narrowed(self, "email");
                    stage.email(email(own)).held()
                } else {
                    narrowed(self, "phone");
                    stage.phone(format!("+86-{}", mobile(own))).held()
                }
            }
            AnyStage::PasswordExpiring(stage) => {
                check_policy(facts, stage.policy());
                match way % 4 {
                    0 => {
                        let ask = self.change(facts, turn);
                        let Ask::Change { old, new } = &ask else { unreachable!() };
                        self.send(facts, stage.change_password(old, new), &ask, turn, going)
                    }
                    1 => self.send(facts, stage.keep_password(), &Ask::Keep, turn, going),
                    2 => {
                        narrowed(self, "phone");
                        stage.phone(mobile(own)).held()
                    }
                    _ => {
                        narrowed(self, "email");
                        stage.email(email(own)).held()
                    }
                }
            }
            AnyStage::PasswordExpired(stage) => {
                check_policy(facts, stage.policy());
                match way % 4 {
                    0 | 1 => {
                        let ask = self.change(facts, turn);
                        let Ask::Change { old, new } = &ask else { unreachable!() };
                        self.send(facts, stage.change_password(old, new), &ask, turn, going)
                    }
                    2 => {
                        narrowed(self, "phone");
                        stage.phone(format!("+86-{}", mobile(own))).held()
                    }
                    _ => {
                        narrowed(self, "email");
                        stage.email(email(own)).held()
                    }
                }
            }
            AnyStage::ChangingByPhone(stage) => self.change_by_code(facts, stage, turn),
            AnyStage::ChangingByEmail(stage) => self.change_by_code(facts, stage, turn),
            AnyStage::AwaitingCode(stage) => self.submit(facts, stage, turn),
            AnyStage::LoginByPhone(stage) => {
                let (code, ask) = self.code_of(kind, stage.destination(), input);
                cast(self.send(facts, stage.submit(&code), &ask, turn, going))
            }
            AnyStage::LoginByEmail(stage) => {
                let (code, ask) = self.code_of(kind, stage.destination(), input);
                cast(self.send(facts, stage.submit(&code), &ask, turn, going))
            }
            AnyStage::Registration(stage) => match way % 4 {
                0 | 1 => {
                    narrowed(self, "phone");
                    stage.phone(mobile(who)).held()
                }
                2 => {
                    narrowed(self, "email");
                    stage.email(email(who)).held()
                }
                _ => {
                    facts.attributes = self.attributes(turn);
                    stage.with_attributes(facts.attributes.clone()).held()
                }
            },
            AnyStage::RegistrationByPhone(stage) => {
                let ask = self.registration(facts, kind, stage.destination(), input);
                let Ask::Registration { code, .. } = &ask else { unreachable!() };
                cast(self.send(facts, stage.submit(code), &ask, turn, going))
            }
            AnyStage::RegistrationByEmail(stage) => {
                let ask = self.registration(facts, kind, stage.destination(), input);
                let Ask::Registration { code, .. } = &ask else { unreachable!() };
                cast(self.send(facts, stage.submit(code), &ask, turn, going))
            }
            AnyStage::PasswordReset(stage) => {
                if way.is_multiple_of(2) {
                    narrowed(self, "email");
                    stage.email(email(who)).held()
                } else {
                    narrowed(self, "phone");
                    stage.phone(mobile(who)).held()
                }
            }
            AnyStage::ResetByPhone(stage) => {
                let ask = self.reset(kind, stage.destination(), turn);
                let Ask::Reset { code, new, .. } = &ask else { unreachable!() };
                self.send(facts, stage.submit(code, new), &ask, turn, Held::Start)
            }
            AnyStage::ResetByEmail(stage) => {
                let ask = self.reset(kind, stage.destination(), turn);
                let Ask::Reset { code, new, .. } = &ask else { unreachable!() };
                self.send(facts, stage.submit(code, new), &ask, turn, Held::Start)
            }
            AnyStage::Authenticated(user) => {
                // Signing is slow, and there is more to see from the beginning.
                let signs = self.model.signs(&endpoints::RENEW_ID_TOKEN);
                if way % 4 == 3 || way % 4 == 2 && !signs {
                    return Held::Start(user.start_over());
                }
                self.prepare(way / 4);
                if way % 4 == 1 {
                    return self.send(facts, user.logout(), &Ask::Logout, turn, Held::Start);
                }
                let going = |user: Authenticated| {
                    assert!(user.id_token().is_some(), "that is what was asked for");
                    user.held()
                };
                self.send(facts, user.renew_id_token(), &Ask::Renewal, turn, going)
            }
        }
    }

    /// Before a step that may take a signature: by one call, by two, by half of them, or by none.
    fn prepare(&mut self, way: usize) {
        if !self.model.supports(&endpoints::PUBLIC_KEY) {
            return;
        }
        match way {
            0 => {}
            1 if self.next().is_multiple_of(2) => self.public_key(None),
            1 => self.server_date(None),
            2 => {
                self.public_key(None);
                self.server_date(None);
            }
            _ => self.prepare_signature(0, None),
        }
    }

    /// Submits a code, as the stage that it is or as any that a code moves on.
    fn submit<O: Origin>(&mut self, facts: &mut Facts, stage: AwaitingCode<O>, turn: Turn) -> Held<O> {
        let (code, ask) = self.code_of(stage.kind(), stage.destination(), turn.input);
        if turn.way.is_multiple_of(2) {
            return self.send(facts, stage.submit(&code), &ask, turn, going);
        }
        match stage {
            AwaitingCode::BindByPhone(stage) => self.send(facts, stage.submit(&code), &ask, turn, going),
            AwaitingCode::BindByEmail(stage) => self.send(facts, stage.submit(&code), &ask, turn, going),
            AwaitingCode::RegisterByPhone(stage) => self.send(facts, stage.submit(&code), &ask, turn, going),
            AwaitingCode::RegisterByEmail(stage) => self.send(facts, stage.submit(&code), &ask, turn, going),
            AwaitingCode::SecondFactorByPhone(stage) => {
                self.send(facts, stage.submit(&code), &ask, turn, going)
            }
            AwaitingCode::SecondFactorByEmail(stage) => {
                self.send(facts, stage.submit(&code), &ask, turn, going)
            }
        }
    }

    fn code_of(&mut self, kind: StageKind, destination: &str, input: Input) -> (String, Ask) {
        let code = self.verify_code(destination, code_rows(kind).submit, input);
        let ask = Ask::Code { contact: destination.to_owned(), code: code.clone() };
        (code, ask)
    }

    fn registration(&mut self, facts: &Facts, kind: StageKind, destination: &str, input: Input) -> Ask {
        let code = self.verify_code(destination, code_rows(kind).submit, input);
        Ask::Registration { contact: destination.to_owned(), code, attributes: read(&facts.attributes) }
    }

    fn reset(&mut self, kind: StageKind, destination: &str, turn: Turn) -> Ask {
        let code = self.verify_code(destination, code_rows(kind).submit, turn.input);
        let new = self.new_password(turn);
        // A code that is fine, and no password.
        let no_password = turn.input == Input::Right && turn.way == 23;
        let new = if no_password { String::new() } else { new };
        Ask::Reset { contact: destination.to_owned(), code, new }
    }

    /// The old password and a new one.
    fn change(&mut self, facts: &Facts, turn: Turn) -> Ask {
        let user = facts.token.as_deref().and_then(|token| self.model.pending_user(token)).map(str::to_owned);
        let user = user.unwrap_or_else(|| self.name(turn.who));
        Ask::Change { old: self.password(&user, turn), new: self.new_password(turn) }
    }

    fn change_by_code<C, O>(
        &mut self,
        facts: &mut Facts,
        stage: Verify<C, idaas_login::PasswordExpired<O>>,
        turn: Turn,
    ) -> Held<O>
    where
        C: Channel,
        O: Origin,
        Verify<C, idaas_login::PasswordExpired<O>>: Stand<O>,
    {
        let code = self.verify_code(stage.destination(), code_rows(stage.kind()).submit, turn.input);
        let new = self.new_password(turn);
        let step = stage.submit(&code, &new);
        self.send(facts, step, &Ask::ChangeByCode { code, new }, turn, going)
    }

    fn bind_by_number<O: Origin>(&mut self, facts: &mut Facts, stage: PendingBind<O>, turn: Turn) -> Held<O> {
        if O::KIND == OriginKind::AlipayMiniProgram {
            let ask = self.phone_code(facts, Platform::AlipayMiniProgram, turn);
            let Ask::Number { code, .. } = &ask else { unreachable!() };
            let step = cast::<_, PendingBind<AlipayMiniProgram>>(stage).alipay_mobile(code);
            return cast(self.send(facts, step, &ask, turn, going));
        }
        let ask = self.phone_code(facts, Platform::WeChatMiniProgram, turn);
        let Ask::Number { code, .. } = &ask else { unreachable!() };
        let step = cast::<_, PendingBind<WeChatMiniProgram>>(stage).wechat_mobile(code);
        cast(self.send(facts, step, &ask, turn, going))
    }

    fn register_by_number<O: Origin>(
        &mut self,
        facts: &mut Facts,
        stage: PendingRegister<O>,
        turn: Turn,
    ) -> Held<O> {
        if O::KIND == OriginKind::AlipayMiniProgram {
            let ask = self.phone_code(facts, Platform::AlipayMiniProgram, turn);
            let Ask::Number { code, .. } = &ask else { unreachable!() };
            let step = cast::<_, PendingRegister<AlipayMiniProgram>>(stage).alipay_mobile(code);
            return cast(self.send(facts, step, &ask, turn, going));
        }
        let ask = self.phone_code(facts, Platform::WeChatMiniProgram, turn);
        let Ask::Number { code, .. } = &ask else { unreachable!() };
        let step = cast::<_, PendingRegister<WeChatMiniProgram>>(stage).wechat_mobile(code);
        cast(self.send(facts, step, &ask, turn, going))
    }

    /// A way is open if the tenant listed it, and the stage comes back if not.
    fn narrowed<V, S: Stage>(
        &self,
        facts: &Facts,
        from: StageKind,
        way: &str,
        narrowed: Result<V, NotAllowed<S>>,
    ) -> Result<V, S> {
        let data = facts.data.expect("it was asked to bind");
        assert_eq!(narrowed.is_ok(), data.allows(way), "{way} with {data:?}");
        let step = if way == "VERIFY_PHONE" { "phone" } else { "email" };
        let came = if narrowed.is_ok() { "ok" } else { "NotAllowed" };
        self.count(|seen| count(&mut seen.narrowings, (at(from, step), came.to_owned())));
        narrowed.map_err(NotAllowed::into_stage)
    }

    /// Takes a step, and holds what came against the tenant and the model.
    fn send<S, N, O>(
        &mut self,
        facts: &mut Facts,
        step: Step<S, N>,
        ask: &Ask,
        turn: Turn,
        going: impl FnOnce(N) -> Held<O>,
    ) -> Held<O>
    where
        S: Stand<O>,
        N: Next<S>,
        O: Origin,
    {
        let row = step.endpoint();
        let (result, sent, fault) = self.line.with(turn.fault, || step.send());
        let (came, held) = match result.map(going) {
            Ok(held) => {
                let token = held.state_token().or(held.session_token()).map(str::to_owned);
                (Came::To(held.kind(), token), held)
            }
            Err(failed) => {
                assert_eq!(failed.endpoint(), row);
                match failed.into_parts() {
                    (error, Recovery::Retry(stage)) => (Came::Retry(error), stage.held()),
                    (_, Recovery::Unresolved(unresolved)) => (Came::Unresolved, S::unknown(unresolved)),
                    (error, Recovery::StartOver(login)) => (Came::StartOver(error), Held::Start(login)),
                }
            }
        };
        let entries = self.tenant.take_ledger();
        self.count(|seen| {
            seen.requests += sent;
            count(&mut seen.steps, (at(row.from, row.step), came.name()));
            if let Some(fault) = fault {
                count(&mut seen.faults, format!("{} -> {}", fault.name(), came.name()));
            }
        });
        self.judge(row, facts, ask, fault, &came, sent, &entries);
        held
    }

    #[allow(clippy::too_many_arguments)] // All that is known of one step.
    fn judge(
        &mut self,
        row: &'static Endpoint,
        facts: &mut Facts,
        ask: &Ask,
        fault: Option<Fault>,
        came: &Came,
        sent: usize,
        entries: &[Entry],
    ) {
        let unsupported = !self.model.supports(row);
        if unsupported || ask.is_invalid() {
            let Came::Retry(error) = came else { panic!("it cannot be sent: {}", came.name()) };
            match error {
                Error::Unsupported(_) => assert!(unsupported),
                Error::InvalidInput(_) => assert!(ask.is_invalid()),
                other => panic!("it cannot be sent: {other}"),
            }
            assert_eq!((sent, entries.len()), (0, 0), "nothing is sent");
            return;
        }
        let signs = self.model.signs(row);
        if signs && !self.model.signer.sign() {
            let Came::Retry(Error::Transport(error)) = came else {
                panic!("nothing to sign: {}", came.name())
            };
            assert_eq!(error.sent(), Sent::No);
            assert_eq!((sent, entries.len()), (0, 0), "nothing is sent");
            self.note(format!("{}: not prepared", row.step));
            return;
        }
        assert_eq!(sent, 1, "a request is sent once");
        let arrived = fault.is_none_or(Fault::reaches_the_tenant);
        assert_eq!(entries.len(), usize::from(arrived), "the tenant got it once");
        assert!(entries.iter().all(|entry| entry.objections.is_empty()), "{entries:?}");
        let effects: Vec<_> = entries.iter().flat_map(|entry| entry.effects.clone()).collect();
        let registered = effects.iter().find_map(|effect| match effect {
            Effect::Registered { user_name } => Some(user_name.as_str()),
            _ => None,
        });
        let did = fault
            .is_none_or(Fault::is_carried_out)
            .then(|| self.model.carry_out(row, facts.tokens(), ask, registered));
        match &did {
            Some(did) => {
                assert_eq!(effects, did.effects, "the effects of {}.{}", row.from, row.step);
                let refused = entries.iter().any(|entry| entry.error_code.is_some());
                assert_eq!(refused, matches!(did.verdict, Verdict::Refused(..)), "{:?}", did.verdict);
            }
            None => assert!(effects.is_empty(), "nothing that could be carried out: {effects:?}"),
        }
        match (fault, did.as_ref().map(|did| did.verdict)) {
            (Some(fault), _) => assert_eq!(came.name(), fault.recovery(), "{fault:?}"),
            (None, Some(verdict)) => check_answer(verdict, came),
            (None, None) => panic!("without a fault it is carried out"),
        }
        let verdict = did.as_ref().map(|did| did.verdict);
        let given = match came {
            Came::To(_, given) => given.as_deref(),
            _ => None,
        };
        let was_pending = facts.token.is_some();
        if let Some(did) = did {
            self.model.keep(did, facts.token.as_deref(), given);
        }
        if let Some(session) = &facts.session {
            let user = self.tenant.session_user(session);
            assert_eq!(user.as_deref(), self.model.session_user(session), "whose session it is");
        }
        self.note_signature(row, facts, fault, verdict);
        match came {
            Came::To(to, given) => {
                if signs && *to == StageKind::Authenticated {
                    assert_eq!(facts.session, *given, "the session is kept");
                } else {
                    let now = UNIX_EPOCH + BEGINNING + self.model.client_now;
                    facts.expires_at = (*to == StageKind::Authenticated).then(|| now + SESSION_LIFETIME);
                }
                let known_before = facts.token.is_some() && facts.token == *given;
                (facts.session, facts.token) = (None, None);
                facts.trail.push(*to);
                if *to == StageKind::Authenticated {
                    facts.session.clone_from(given);
                } else if let Some(token) = given {
                    assert_eq!(
                        self.tenant.pending(token),
                        Some(*to),
                        "the stage in hand is what the tenant says"
                    );
                    facts.token.clone_from(given);
                    facts.data = Some(self.model.switches.data);
                }
                self.note_chain(facts, row, was_pending, known_before);
            }
            Came::StartOver(_) => facts.begin_again(),
            Came::Retry(_) | Came::Unresolved => {}
        }
    }

    /// What is known of signatures after a step. A refusal of one is the tenant's, or somebody else's.
    fn note_signature(
        &mut self,
        row: &Endpoint,
        facts: &Facts,
        fault: Option<Fault>,
        verdict: Option<Verdict>,
    ) {
        let step = row.step;
        let is_stale = matches!(verdict, Some(Verdict::Refused(ErrorClass::StaleSignature, _)));
        if self.model.signs(row) {
            let session = facts.session.as_ref().expect("it was signed");
            let is_carried_forward = self.model.signer.age().is_some_and(|age| age > SIGNATURE_WINDOW);
            let answered = if fault.is_some() { ", and the response was lost" } else { "" };
            match verdict {
                Some(Verdict::To(_)) => {
                    self.note(format!("{step}: carried out{answered}"));
                    if is_carried_forward {
                        self.note("accepted with a time that was carried forward");
                    }
                }
                Some(_) if is_stale => self.note(format!("{step}: stale{answered}")),
                Some(_) if row.step == "logout" && self.model.logged_out.contains(session) => {
                    self.note("logout: refused, because it was carried out before");
                }
                _ => {}
            }
        }
        if match fault {
            Some(fault) => matches!(fault, Fault::Respond(Canned::StaleSignature)),
            None => is_stale,
        } {
            let forgotten = if self.model.signer.forget() { "forgotten" } else { "kept" };
            self.note(format!("after a refusal key and time are {forgotten}"));
        }
    }

    /// Counts what came after what, with a state token of its own or with the one in hand.
    fn note_chain(&self, facts: &Facts, row: &Endpoint, was_pending: bool, same_token: bool) {
        let Some(to) = facts.trail.last() else { return };
        if was_pending && *to != StageKind::Authenticated {
            let token = if same_token { "the token in hand" } else { "a new token" };
            let link = format!("{:?} -> {to:?}, {token}", row.from.before_narrowing());
            self.count(|seen| count(&mut seen.chains, link));
        }
        if facts.trail.len() > 2 {
            let trail: Vec<_> = facts.trail.iter().map(|kind| format!("{kind:?}")).collect();
            self.count(|seen| count(&mut seen.chains, trail.join(" > ")));
        }
    }

    // The side calls.

    pub fn call<O: Origin>(&mut self, login: &Login<O>, input: Input, at: usize, fault: Option<Fault>) {
        let Held::At(stage) = &login.held else { return self.client_call(at, fault) };
        let faults = [0, 1, 2].map(|call| fault.filter(|_| call == at));
        let facts = &login.facts;
        match stage {
            AnyStage::MfaRequired(stage) => {
                let side = Side { row: &endpoints::REGISTERED_MOBILE, fault };
                let call = stage.registered_mobile();
                self.registered_mobile(facts, &side, || call.send().map(String::from));
            }
            AnyStage::PasswordExpiring(stage) => {
                let side = Side { row: &endpoints::EXPIRING_PASSWORD_MOBILE, fault };
                let call = stage.registered_mobile();
                self.registered_mobile(facts, &side, || call.send().map(String::from));
            }
            AnyStage::PasswordExpired(stage) => {
                let side = Side { row: &endpoints::EXPIRED_PASSWORD_MOBILE, fault };
                let call = stage.registered_mobile();
                self.registered_mobile(facts, &side, || call.send().map(String::from));
            }
            AnyStage::AwaitingCode(stage) => match stage {
                AwaitingCode::BindByPhone(stage) => self.code(stage, None, input, faults),
                AwaitingCode::BindByEmail(stage) => self.code(stage, None, input, faults),
                AwaitingCode::RegisterByPhone(stage) => self.code(stage, None, input, faults),
                AwaitingCode::RegisterByEmail(stage) => self.code(stage, None, input, faults),
                AwaitingCode::SecondFactorByPhone(stage) => self.code(stage, None, input, faults),
                AwaitingCode::SecondFactorByEmail(stage) => self.code(stage, None, input, faults),
            },
            AnyStage::ChangingByPhone(stage) => self.code(stage, None, input, faults),
            AnyStage::ChangingByEmail(stage) => self.code(stage, None, input, faults),
            AnyStage::LoginByPhone(stage) => self.code(stage, None, input, faults),
            AnyStage::LoginByEmail(stage) => self.code(stage, None, input, faults),
            AnyStage::RegistrationByPhone(stage) => {
                self.code(stage, Some(&facts.attributes), input, faults);
            }
            AnyStage::RegistrationByEmail(stage) => {
                self.code(stage, Some(&facts.attributes), input, faults);
            }
            AnyStage::ResetByPhone(stage) => self.code(stage, None, input, faults),
            AnyStage::ResetByEmail(stage) => self.code(stage, None, input, faults),
            AnyStage::PendingBind(_)
            | AnyStage::PendingRegister(_)
            | AnyStage::Registration(_)
            | AnyStage::PasswordReset(_)
            | AnyStage::Authenticated(_) => self.client_call(at, fault),
        }
    }

    /// A call that takes no stage.
    fn client_call(&mut self, at: usize, fault: Option<Fault>) {
        match self.next() % 4 {
            0 => self.country_codes(fault),
            1 => {
                self.public_key(fault.filter(|_| at == 0));
                self.server_date(fault.filter(|_| at != 0));
            }
            _ => self.prepare_signature(at, fault),
        }
    }

    fn country_codes(&mut self, fault: Option<Fault>) {
        let side = Side { row: &endpoints::COUNTRY_CODES, fault };
        let call = self.client.country_codes(&support::device());
        match self.ask(&side, &[], || call.send()) {
            Ok(codes) => {
                let preferred = codes.preferred().expect("it is of the list");
                assert_eq!((codes.entries().len(), preferred.area_code()), (4, Some("86")));
            }
            Err(_) => assert!(fault.is_some() || !self.model.supports(side.row)),
        }
    }

    fn public_key(&mut self, fault: Option<Fault>) {
        let side = Side { row: &endpoints::PUBLIC_KEY, fault };
        let call = self.client.public_key(&support::device());
        match self.ask(&side, &[], || call.send()) {
            Ok(key) => {
                assert_eq!(key.bits(), 2048);
                self.model.signer.take_key();
            }
            Err(_) => assert!(fault.is_some() || !self.model.supports(side.row)),
        }
    }

    fn server_date(&mut self, fault: Option<Fault>) {
        let side = Side { row: &endpoints::SERVER_DATE, fault };
        let call = self.client.server_date(&support::device());
        match self.ask(&side, &[], || call.send()) {
            Ok(date) => {
                assert_eq!(date.timestamp(), self.model.timestamp());
                self.take_time();
            }
            Err(_) => assert!(fault.is_some() || !self.model.supports(side.row)),
        }
    }

    fn take_time(&mut self) {
        let time = self.model.timestamp();
        if self.model.signer.take_time(time) {
            self.note("signatures go on from the tenant's time");
        }
    }

    /// Fetches what is missing, the key before the time, and nothing after a fault. That happens to the request that `nth` says.
    fn prepare_signature(&mut self, nth: usize, fault: Option<Fault>) {
        let signer = &self.model.signer;
        let mut missing = vec![];
        missing.extend((!signer.has_key).then_some(&endpoints::PUBLIC_KEY));
        missing.extend((!signer.has_time()).then_some(&endpoints::SERVER_DATE));
        let others = nth % missing.len().max(1);
        let client = self.client.clone();
        let prepare = || client.prepare_signature(&support::device());
        let (came, sent, fault) = self.line.with_nth(others, fault, prepare);
        let entries = self.tenant.take_ledger();
        self.count(|seen| seen.requests += sent);
        if !self.model.supports(&endpoints::PUBLIC_KEY) {
            assert!(matches!(came, Err(Error::Unsupported(_))), "{came:?}");
            assert_eq!((sent, entries.len()), (0, 0), "nothing is sent");
            return self.note("prepare_signature: Unsupported");
        }
        assert_eq!(came.is_ok(), fault.is_none(), "{came:?}");
        let done = if fault.is_some() { others } else { missing.len() };
        assert_eq!(sent, done + usize::from(fault.is_some()), "each is sent once");
        let lost = usize::from(fault.is_some_and(|fault| !fault.reaches_the_tenant()));
        let arrived: Vec<_> = entries.iter().map(|entry| entry.path.as_str()).collect();
        let expected: Vec<_> = missing.iter().take(sent - lost).map(|row| row.path).collect();
        assert_eq!(arrived, expected);
        assert!(entries.iter().all(|entry| entry.effects.is_empty()));
        for (nth, row) in missing.iter().take(sent).enumerate() {
            let came = if nth < done { "done" } else { "error" };
            self.count(|seen| count(&mut seen.calls, (at(row.from, row.step), came.to_owned())));
            match row.step {
                _ if nth == done => {}
                "public_key" => self.model.signer.take_key(),
                _ => self.take_time(),
            }
        }
        let went_wrong = if fault.is_some() { ", the last went wrong" } else { "" };
        self.note(format!("prepare_signature: {sent} of {} requests{went_wrong}", missing.len()));
    }

    fn registered_mobile(
        &mut self,
        facts: &Facts,
        side: &Side,
        call: impl FnOnce() -> Result<String, Error>,
    ) {
        let token = facts.token.as_deref().expect("a state token");
        let accepted = self.model.accepts(side.row, token);
        match self.ask(side, &[], call) {
            Ok(mobile) => {
                assert!(accepted);
                assert_eq!(self.model.owner(&mobile), self.model.pending_user(token));
            }
            Err(error) if side.fault.is_none() && self.model.supports(side.row) => {
                assert!(!accepted && error.class() == Some(ErrorClass::DeadToken), "{error}");
            }
            Err(_) => {}
        }
    }

    /// A captcha, its solution, and the code.
    fn code<C: Channel, S: SendsCode>(
        &mut self,
        stage: &Verify<C, S>,
        attributes: Option<&RegistrationAttributes>,
        input: Input,
        faults: [Option<Fault>; 3],
    ) {
        let client = self.client.clone();
        let row = code_rows(stage.kind()).send_code;
        let destination = stage.destination().to_owned();
        let [first, second, third] = faults;
        // Captchas are slow to draw, and many logins come to these stages.
        let often = [Scenario::Register, Scenario::SecondFactor, Scenario::Login];
        if support::scenario(stage.kind()).is_some_and(|scenario| often.contains(&scenario))
            && self.counting
            && self.next().is_multiple_of(2)
        {
            return;
        }
        let fits = attributes.is_none_or(|known| read(known).fits[usize::from(is_email(&destination))]);
        if !fits || !self.model.supports(row) {
            let side = Side { row, fault: None };
            let pass = CaptchaPass::from_token(&destination, "a pass");
            let sent = self.ask(&side, &[], || stage.send_code(&pass).send());
            assert!(matches!(sent, Err(Error::InvalidInput(_) | Error::Unsupported(_))), "{sent:?}");
            return;
        }
        if input == Input::Other && second.is_none() {
            // A pass that nobody gave out.
            let side = Side { row, fault: third };
            let pass = CaptchaPass::from_token(&destination, "a pass");
            let sent = self.ask(&side, &[], || stage.send_code(&pass).send());
            assert!(sent.is_err());
            return;
        }
        let side = Side { row: &endpoints::CAPTCHA, fault: first };
        let Ok(captcha) = self.ask(&side, &[], || client.captcha(&support::device()).send()) else {
            assert!(first.is_some());
            return;
        };
        let x = self.tenant.captcha_solution(captcha.token().expose()).expect("it was just drawn");
        let x = if input == Input::Wrong { x - 50.0 } else { x };
        let sender = match input {
            Input::Empty => "",
            Input::Other => "somebody-else@example.com",
            _ => &destination,
        };
        let side = Side { row: &endpoints::CAPTCHA_VERIFY, fault: second };
        let Ok(pass) = self.ask(&side, &[], || captcha.solve(x, sender).send()) else {
            assert!(second.is_some() || matches!(input, Input::Empty | Input::Wrong));
            return;
        };
        assert!(!matches!(input, Input::Empty | Input::Wrong));
        self.late(input);
        let send_type = self.model.send_type(row);
        let side = Side { row, fault: third };
        let effect = [Effect::CodeSent { destination, send_type }];
        let sent = self.ask(&side, &effect, || stage.send_code(&pass).send());
        match input {
            Input::Late | Input::Other => assert!(sent.is_err()),
            // The first code takes a pass that is good for one.
            Input::Reused if third.is_none() => {
                let again = self.ask(&side, &effect, || stage.send_code(&pass).send());
                assert_eq!(again.is_ok(), !self.model.switches.single_use_pass);
            }
            _ => assert!(sent.is_ok() || third.is_some()),
        }
    }

    /// Makes a side call; if it gives something, the tenant did exactly `effects`.
    fn ask<T: Debug>(
        &mut self,
        side: &Side,
        effects: &[Effect],
        call: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (came, sent, fault) = self.line.with(side.fault, call);
        let entries = self.tenant.take_ledger();
        self.count(|seen| {
            seen.requests += sent;
            let came = if came.is_ok() { "done" } else { "error" };
            count(&mut seen.calls, (at(side.row.from, side.row.step), came.to_owned()));
        });
        assert!(entries.iter().all(|entry| entry.objections.is_empty()), "{entries:?}");
        let happened: Vec<_> = entries.iter().flat_map(|entry| entry.effects.clone()).collect();
        match &came {
            Ok(_) => {
                assert!(fault.is_none());
                assert_eq!((sent, entries.len()), (1, 1));
                assert_eq!(happened, effects);
            }
            Err(Error::InvalidInput(_)) => assert_eq!((sent, entries.len()), (0, 0)),
            Err(Error::Unsupported(_)) => {
                assert!(!self.model.supports(side.row));
                assert_eq!((sent, entries.len()), (0, 0));
            }
            Err(error) => {
                assert_eq!(sent, 1);
                assert_eq!(entries.len(), usize::from(fault.is_none_or(Fault::reaches_the_tenant)));
                if fault.is_some_and(Fault::is_carried_out) {
                    assert!(happened.is_empty() || happened == effects, "{happened:?}");
                } else {
                    assert!(happened.is_empty(), "{error}: {happened:?}");
                }
            }
        }
        for effect in &happened {
            if let Effect::CodeSent { destination, send_type } = effect {
                let code = self.tenant.last_code(destination).expect("it was just sent");
                let key = (bare(destination).to_owned(), *send_type);
                self.model.codes.insert(key, (code, self.model.now));
            }
        }
        came
    }

    // What is no request.

    fn back<O: Origin>(&self, login: &mut Login<O>) {
        let kind = login.held.kind();
        let held = self.take(login);
        let is_narrowed = kind.before_narrowing() != kind && !held.is_unknown();
        login.held = held.back();
        if is_narrowed {
            assert_eq!(login.held.state_token(), login.facts.token.as_deref());
            self.count(|seen| count(&mut seen.narrowings, (at(kind, "back"), "ok".to_owned())));
        }
    }

    /// What is held, to be replaced.
    fn take<O: Origin>(&self, login: &mut Login<O>) -> Held<O> {
        std::mem::replace(&mut login.held, Held::Start(self.client.login(support::device())))
    }

    /// Puts the stage down. Gives the value, if there is one, and picks the stage up again.
    pub fn suspend<O: Origin>(&mut self, login: &mut Login<O>) -> Option<Suspended> {
        let (kind, was_unknown) = (login.held.kind(), login.held.is_unknown());
        match self.take(login).suspend() {
            Ok(suspended) => {
                login.held = self.resume(suspended.clone());
                assert_eq!((login.held.kind(), login.held.is_unknown()), (kind, was_unknown));
                if !was_unknown {
                    let tokens = [login.held.state_token(), login.held.session_token()];
                    assert_eq!(tokens, login.facts.tokens());
                }
                let unknown = if was_unknown { "Unresolved " } else { "" };
                self.count(|seen| count(&mut seen.suspended, format!("{unknown}{kind:?}")));
                Some(suspended)
            }
            Err(held) => {
                login.held = held;
                None
            }
        }
    }

    /// Picks it up, as a login of its origin and as one of any origin by turns.
    pub fn resume<O: Origin>(&mut self, suspended: Suspended) -> Held<O> {
        if self.next().is_multiple_of(2) {
            let login = self.client.resume::<AnyLogin>(suspended).expect("it was put down here");
            Held::of_any_login(login)
        } else {
            Held::resumed(self.client.resume_any::<O>(suspended).expect("it was put down here"))
        }
    }

    pub fn change_setting(&mut self, change: Change) {
        let switches = &mut self.model.switches;
        match change {
            Change::NewStateToken(new) => switches.new_state_token = new,
            Change::Unbound(unbound) => switches.unbound = unbound,
            Change::Data(data) => switches.data = data,
            Change::MaxAttempts(max) => switches.max_attempts = max,
            Change::RefreshSessions(refresh) => switches.refresh_sessions = refresh,
            Change::SingleUsePass(single) => switches.single_use_pass = single,
            Change::SecondFactorFirst(first) => switches.second_factor_first = first,
            Change::PasswordAskedEverywhere(everywhere) => switches.password_asked_everywhere = everywhere,
            Change::RegisterAtLogin(register) => switches.register_at_login = register,
            Change::AttributeRequired(required) => switches.attribute_required = required,
            Change::WrongEndsToken(ends) => switches.wrong_ends_token = ends,
            Change::PrintedSpaces(_) | Change::UndocumentedExtras(_) => {}
        }
        self.tenant.configure(|settings| match change {
            Change::NewStateToken(new) => settings.new_state_token = new,
            Change::Unbound(unbound) => settings.unbound = unbound,
            Change::Data(data) => settings.data = data.form(),
            Change::MaxAttempts(max) => settings.max_attempts = max,
            Change::RefreshSessions(refresh) => settings.refresh_sessions = refresh,
            Change::SingleUsePass(single) => settings.single_use_pass = single,
            Change::SecondFactorFirst(first) => settings.second_factor_first = first,
            Change::PasswordAskedEverywhere(everywhere) => settings.password_asked_everywhere = everywhere,
            Change::RegisterAtLogin(register) => settings.register_at_login = register,
            Change::AttributeRequired(required) => {
                settings.required_attributes = required.then(|| REQUIRED.to_owned()).into_iter().collect();
            }
            Change::WrongEndsToken(ends) => settings.state_token_ends_with_wrong_code = ends,
            Change::PrintedSpaces(printed) => settings.printed_spaces = printed,
            Change::UndocumentedExtras(extras) => settings.undocumented_extras = extras,
        });
    }

    /// An administrator denies an account or no more, and its password is as old as at the beginning.
    pub fn administer(&mut self, who: usize, denied: bool) {
        let (name, _, age) = USERS[who % USERS.len()];
        let account = self.model.accounts.get_mut(name).expect("it is of the table");
        (account.denied, account.age) = (denied, age);
        self.tenant.add_user(account.user(name));
    }

    pub fn act<O: Origin>(&mut self, login: &mut Login<O>, what: What) {
        match what {
            What::Step(turn) => {
                let before = self.line.sent();
                self.step(login, turn);
                // What sends nothing is often followed at once by what does.
                if self.line.sent() == before && self.next().is_multiple_of(2) {
                    self.step(login, Turn { way: turn.way / 2, ..turn });
                }
            }
            What::Call { input, at, fault } => self.call(login, input, at, fault),
            What::Back => self.back(login),
            What::Suspend | What::Fork => drop(self.suspend(login)),
            What::Drop => {
                drop(self.take(login));
                login.facts.begin_again();
            }
            What::StartOver => {
                login.held = Held::Start(self.take(login).start_over());
                login.facts.begin_again();
            }
            What::EndSession => {
                if let Some(session) = &login.facts.session {
                    self.tenant.end_session(session);
                    self.model.end_session(session);
                }
            }
            What::Wait(wait, clocks) => self.pass(wait.time(), clocks),
            What::Change(change) => self.change_setting(change),
            What::Administer { who, denied } => self.administer(who, denied),
        }
    }

    /// The tokens in hand stand for what the model says.
    pub fn check<O: Origin>(&self, login: &Login<O>) {
        assert_eq!(self.client.can_sign(), self.model.signer.is_ready());
        if let Held::At(AnyStage::Authenticated(user)) = &login.held {
            assert_eq!(user.expires_at(), login.facts.expires_at, "when the session expires");
        }
        if let Held::At(AnyStage::Registration(stage)) = &login.held {
            assert!(*stage.attributes() == login.facts.attributes, "what was given");
        }
        if let Some(token) = &login.facts.token {
            assert_eq!(self.tenant.pending(token), self.model.pending(token), "what the token stands for");
        }
        if let Some(session) = &login.facts.session {
            let user = self.tenant.session_user(session);
            assert_eq!(user.as_deref(), self.model.session_user(session), "whose session it is");
        }
    }

    /// A password is what the model says: changed by what the ledger says, and by nothing else.
    pub fn check_passwords(&self) {
        for (name, account) in &self.model.accounts {
            assert_eq!(self.tenant.password(name), account.password, "the password of {name}");
        }
    }

    // The way home.

    /// Drives the login on to a session, as a caller does to whom nothing goes wrong any more.
    pub fn go_home<O: Origin>(&mut self, login: &mut Login<O>, who: usize, anyway: usize) {
        let right = Turn { way: 0, who, input: Input::Right, fault: None };
        for steps in 0..MOST_STEPS_HOME {
            let kind = login.held.kind();
            match &login.held {
                Held::At(AnyStage::Authenticated(user)) => {
                    let session = user.session_token().expose();
                    if let Some(name) = self.tenant.session_user(session) {
                        assert_eq!(Some(name.as_str()), self.model.session_user(session));
                        let mut seen = self.seen.borrow_mut();
                        seen.longest_way_home = seen.longest_way_home.max(steps);
                        return;
                    }
                    self.act(login, What::StartOver);
                }
                Held::Unknown(_) => self.step(login, Turn { way: anyway, ..right }),
                Held::At(AnyStage::MfaRequired(_)) => self.factor(login, anyway.is_multiple_of(16)),
                Held::At(AnyStage::PendingRegister(_)) if !has_number::<O>() => {
                    let Some(Data::Both | Data::Phone | Data::Null | Data::Absent) = login.facts.data else {
                        // No way is left: the tenant offers one to a new login.
                        self.act(login, What::StartOver);
                        continue;
                    };
                    self.step(login, Turn { way: 1, ..right });
                    self.step(login, Turn { way: 1, ..right });
                    self.after_refusal(login);
                }
                Held::At(AnyStage::Registration(_)) => self.register(login),
                Held::At(AnyStage::PasswordReset(_)) => {
                    // By number, which each edition has.
                    self.step(login, Turn { way: 1, ..right });
                    self.step(login, right);
                    self.after_refusal(login);
                }
                Held::At(
                    AnyStage::PasswordExpiring(_) | AnyStage::PasswordExpired(_) | AnyStage::PendingBind(_),
                )
                | Held::Start(_) => {
                    // Some keep the password.
                    let way = usize::from(kind == StageKind::PasswordExpiring) * (anyway % 2);
                    self.step(login, Turn { way, ..right });
                    if login.held.kind() == kind {
                        // Too many wrong ones before.
                        self.wait(LOCK_TIME);
                    }
                }
                Held::At(AnyStage::PendingRegister(_)) => {
                    self.step(login, right);
                }
                // The destination may be anybody's.
                Held::At(_) => self.back(login),
            }
        }
        panic!("no session after {MOST_STEPS_HOME} steps: {:?}", login.held.kind());
    }

    /// Ends the session, where one can: a stale signature costs one more try. It may have ended meanwhile.
    pub fn log_out<O: Origin>(&mut self, login: &mut Login<O>) {
        if !self.model.supports(&endpoints::LOGOUT) {
            return;
        }
        let session = login.facts.session.clone().expect("it is at home");
        let logout = Turn { way: LOGOUT, who: 0, input: Input::Right, fault: None };
        for _ in 0..2 {
            if login.held.kind() == StageKind::Authenticated {
                self.step(login, logout);
            }
        }
        assert_eq!(login.held.kind(), StageKind::Unauthenticated, "the second signature is fresh");
        assert_eq!(self.tenant.session_user(&session), None);
    }

    /// If the code was refused: too many wrong ones before.
    fn after_refusal<O: Origin>(&mut self, login: &mut Login<O>) {
        let kind = login.held.kind();
        if kind != kind.before_narrowing() {
            self.wait(LOCK_TIME);
            self.back(login);
        }
    }

    /// Registers with a number that nobody has. What was asked for before may be what is refused, so it is asked for anew.
    fn register<O: Origin>(&mut self, login: &mut Login<O>) {
        let serial = self.next();
        let Held::At(AnyStage::Registration(stage)) = self.take(login) else {
            panic!("it is a registration")
        };
        if !self.model.supports(&endpoints::REGISTRATION_PHONE) {
            // Nobody registers here.
            login.held = Held::Start(stage.start_over());
            return;
        }
        let attributes =
            RegistrationAttributes::new().nick_name("Meimei").password(format!("new-{serial:06}"));
        login.facts.attributes = attributes.clone();
        login.held = stage.with_attributes(attributes).phone(format!("138{serial:08}")).held();
        self.step(login, Turn { way: 0, who: 0, input: Input::Right, fault: None });
        assert_eq!(login.held.kind(), StageKind::Authenticated, "a registration logs in");
    }

    /// The number that the account has, and a code. Drawing a captcha is slow, so not each code costs one.
    fn factor<O: Origin>(&mut self, login: &mut Login<O>, with_captcha: bool) {
        let Held::At(AnyStage::MfaRequired(stage)) = self.take(login) else { panic!("a factor is due") };
        let side = Side { row: &endpoints::REGISTERED_MOBILE, fault: None };
        let call = stage.registered_mobile();
        match self.ask(&side, &[], || call.send()) {
            Ok(mobile) => {
                let stage = stage.phone(mobile.expose());
                if with_captcha {
                    self.code(&stage, None, Input::Right, [None; 3]);
                }
                login.held = stage.held();
                let before = login.held.kind();
                let input = if with_captcha { Input::Reused } else { Input::Right };
                self.step(login, Turn { way: 0, who: 0, input, fault: None });
                if login.held.kind() == before {
                    self.wait(LOCK_TIME);
                }
            }
            Err(error) => {
                assert_eq!(error.class(), Some(ErrorClass::DeadToken), "{error}");
                login.held = Held::Start(stage.start_over());
                login.facts.begin_again();
            }
        }
    }

    /// Every identity is bound to whom the model says.
    pub fn check_binds(&self) {
        for ((platform, identity), user) in &self.model.bound {
            assert_eq!(self.tenant.bound_user(*platform, identity).as_ref(), Some(user));
        }
    }
}

/// An unresolved step, a dead token, a lock, a login, a bind, a password and three factors, and what lies between.
const MOST_STEPS_HOME: usize = 16;

/// The way of a logout that is prepared by one call.
const LOGOUT: usize = 4 * 3 + 1;

/// Who somebody is to a platform.
fn identity(platform: Platform, who: usize) -> String {
    format!("{platform:?}-{}", who % PEOPLE)
}

/// Whether the origin's platform tells a number, to bind by it.
fn has_number<O: Origin>() -> bool {
    matches!(O::KIND, OriginKind::WeChatMiniProgram | OriginKind::AlipayMiniProgram)
}

/// What decides anything of the attributes, as they are sent.
fn read(attributes: &RegistrationAttributes) -> Attributes {
    let text = |field: &str| attributes.get(field).map(str::to_owned);
    let birthday_fits =
        attributes.get("attr_birthday").is_none_or(|date| date.len() == 10 && date.starts_with("19"));
    Attributes {
        user_name: text("user_name"),
        password: text("pwd"),
        email: text("email"),
        has_required: attributes.get(REQUIRED).is_some(),
        fits: [birthday_fits, birthday_fits && attributes.get("email").is_none()],
    }
}

/// The password stages know what the tenant demands, if it said so.
fn check_policy(facts: &Facts, policy: Option<&PasswordPolicy>) {
    let told = facts.data.expect("the stage was reached").listed().is_some();
    let lengths = policy.map(|policy| (policy.min_length(), policy.max_length()));
    assert_eq!(lengths, told.then_some((Some(8), Some(18))));
}

/// The tenant's own response to a step is told as it is.
fn check_answer(verdict: Verdict, came: &Came) {
    match (verdict, came) {
        (Verdict::To(due), Came::To(to, _)) => assert_eq!(*to, due),
        (Verdict::Denied, Came::StartOver(Error::AccessDenied)) => {}
        (Verdict::Refused(ErrorClass::DeadToken, _), Came::StartOver(error)) => {
            assert_eq!(error.class(), Some(ErrorClass::DeadToken), "{error}");
        }
        (Verdict::Refused(class, attempts_left), Came::Retry(Error::Refused(refusal))) => {
            assert_eq!(refusal.code().class(), class, "{refusal:?}");
            assert_ne!(class, ErrorClass::DeadToken);
            assert_eq!(refusal.attempts_left(), attempts_left, "{refusal:?}");
        }
        (verdict, came) => panic!("{verdict:?} came as {}", came.name()),
    }
}
