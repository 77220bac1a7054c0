//! The reference model: what a tenant does with a step, told a second time.
//!
//! It knows each token that a login holds, so it tells whether a step is refused, and why; where it leads; and what changes.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use idaas_login::ErrorClass;
use idaas_login::emulator::{DataForm, Effect, Unbound, User};
use idaas_login::endpoints::{self, Credential, EditionKind, Endpoint, Platform, SendType, StageKind};

pub const CODE_LIFETIME: Duration = Duration::from_secs(300);
pub const LOCK_TIME: Duration = Duration::from_secs(300);
pub const STATE_TOKEN_LIFETIME: Duration = Duration::from_secs(1200);
pub const SESSION_LIFETIME: Duration = Duration::from_secs(36_000);
pub const SIGNATURE_WINDOW: Duration = Duration::from_secs(180);
/// The time at the beginning.
pub const BEGINNING: Duration = Duration::from_secs(1_700_000_000);
pub const PASSWORD_LENGTH: (usize, usize) = (8, 18);
/// What a registration must have, if it must have anything.
pub const REQUIRED: &str = "attr_nick_name";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    Expiring,
    Expired,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    Both,
    Phone,
    Email,
    Neither,
    Null,
    Absent,
}

impl Data {
    pub fn form(self) -> DataForm {
        match self.listed() {
            Some(listed) => DataForm::Listed(listed.iter().map(|&way| way.to_owned()).collect()),
            None if self == Self::Null => DataForm::Null,
            None => DataForm::Absent,
        }
    }

    pub fn listed(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Both => Some(&["VERIFY_PHONE", "VERIFY_EMAIL"]),
            Self::Phone => Some(&["VERIFY_PHONE"]),
            Self::Email => Some(&["VERIFY_EMAIL"]),
            Self::Neither => Some(&[]),
            Self::Null | Self::Absent => None,
        }
    }

    pub fn allows(self, way: &str) -> bool {
        self.listed().is_none_or(|listed| listed.contains(&way))
    }
}

#[derive(Clone, Copy, Debug)]
#[allow(clippy::struct_excessive_bools)] // They are the tenant's switches.
pub struct Switches {
    pub unbound: Unbound,
    pub data: Data,
    pub max_attempts: u32,
    pub new_state_token: bool,
    pub refresh_sessions: bool,
    pub single_use_pass: bool,
    pub second_factor_first: bool,
    pub password_asked_everywhere: bool,
    pub register_at_login: bool,
    pub attribute_required: bool,
    /// Whether a wrong code or password ends the state token, too.
    pub wrong_ends_token: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Account {
    pub password: Option<String>,
    /// The one before.
    pub former_password: Option<String>,
    pub age: Option<Age>,
    pub factors: u32,
    pub denied: bool,
    pub mobile: Option<String>,
    pub email: Option<String>,
}

impl Account {
    /// The same for the tenant.
    pub fn user(&self, name: &str) -> User {
        let mut user = User::new(name).second_factors(self.factors);
        if let Some(password) = &self.password {
            user = user.password(password);
        }
        if let Some(mobile) = &self.mobile {
            user = user.mobile(mobile);
        }
        if let Some(email) = &self.email {
            user = user.email(email);
        }
        user = match self.age {
            Some(Age::Expiring) => user.password_expiring(),
            Some(Age::Expired) => user.password_expired(),
            None => user,
        };
        if self.denied { user.denied() } else { user }
    }
}

/// What a state token stands for.
#[derive(Clone, Debug)]
struct Flow {
    waits: StageKind,
    identity: Option<(Platform, String)>,
    /// Empty until an account is bound.
    user: String,
    factors: u32,
    age: Option<Age>,
    since: Duration,
}

/// What a step brings along, beside the token.
#[derive(Clone, Debug)]
pub enum Ask {
    /// A code of the platform, and the user's name there if that is given, too.
    Identity {
        platform: Platform,
        code: String,
        named: Option<String>,
    },
    /// A code that stands for a number.
    Number {
        platform: Platform,
        code: String,
    },
    Password {
        name: String,
        password: String,
    },
    Code {
        contact: String,
        code: String,
    },
    Registration {
        contact: String,
        code: String,
        attributes: Attributes,
    },
    Reset {
        contact: String,
        code: String,
        new: String,
    },
    Change {
        old: String,
        new: String,
    },
    ChangeByCode {
        code: String,
        new: String,
    },
    Keep,
    Renewal,
    Logout,
}

/// What a registration brings along that decides anything.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    pub user_name: Option<String>,
    pub password: Option<String>,
    pub email: Option<String>,
    pub has_required: bool,
    /// Whether they can be sent with a number, and with an address.
    pub fits: [bool; 2],
}

impl Ask {
    /// Whether it is refused before anything is sent.
    pub fn is_invalid(&self) -> bool {
        let blank = |text: &str| text.trim_ascii().is_empty();
        match self {
            Self::Identity { code, named, .. } => blank(code) || named.as_deref().is_some_and(str::is_empty),
            Self::Number { code, .. } | Self::Code { code, .. } => blank(code),
            Self::Password { name, password } => name.is_empty() || password.is_empty(),
            Self::Registration { contact, code, attributes } => {
                blank(code) || !attributes.fits[usize::from(is_email(contact))]
            }
            Self::Reset { code, new, .. } | Self::ChangeByCode { code, new } => blank(code) || new.is_empty(),
            Self::Change { old, new } => old.is_empty() || new.is_empty(),
            Self::Keep | Self::Renewal | Self::Logout => false,
        }
    }
}

/// What the tenant says to a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// With the attempts that are left, if it says so.
    Refused(ErrorClass, Option<u32>),
    Denied,
    To(StageKind),
}

/// What the tenant did with a step.
#[derive(Debug)]
pub struct Did {
    pub verdict: Verdict,
    pub effects: Vec<Effect>,
    left: Left,
}

/// What a step leaves behind.
#[derive(Debug)]
enum Left {
    Nothing,
    Flow(Flow),
    Session(String),
    Denied,
}

type Refused = (ErrorClass, Option<u32>);

const DEAD: Refused = (ErrorClass::DeadToken, None);
const WRONG: Refused = (ErrorClass::WrongInput, None);
const UNKNOWN: Refused = (ErrorClass::Unknown, None);
const STALE: Refused = (ErrorClass::StaleSignature, None);

/// What a client signs with, told a second time.
#[derive(Debug, Default)]
pub struct Signer {
    /// What the client's clock says.
    pub clock: Duration,
    pub has_key: bool,
    /// The tenant's time in milliseconds, and the client's clock when it came.
    time: Option<(u64, Duration)>,
    /// The last signature's time.
    last: u64,
    /// Whether something was signed with what there is.
    used: bool,
    /// Whether a signature was refused, and no time came since.
    refused: bool,
}

impl Signer {
    pub fn has_time(&self) -> bool {
        self.time.is_some()
    }

    pub fn is_ready(&self) -> bool {
        self.has_key && self.has_time()
    }

    /// Signs, if it has what that takes.
    pub fn sign(&mut self) -> bool {
        let Some((time, at)) = self.time.filter(|_| self.has_key) else { return false };
        self.last = (time + milliseconds(self.clock.saturating_sub(at))).max(self.last + 1);
        self.used = true;
        true
    }

    pub fn take_key(&mut self) {
        (self.has_key, self.used) = (true, false);
    }

    /// Gives whether the signatures go on from an earlier time than the last one's.
    pub fn take_time(&mut self, time: u64) -> bool {
        let goes_back = self.refused && self.last > time + 60_000;
        if goes_back {
            self.last = 0;
        }
        (self.time, self.used, self.refused) = (Some((time, self.clock)), false, false);
        goes_back
    }

    /// A signature was refused. Gives whether it could be one that was made with what there is.
    pub fn forget(&mut self) -> bool {
        if self.used {
            (self.has_key, self.time, self.refused) = (false, None, true);
        }
        self.used
    }

    /// How long ago the time came.
    pub fn age(&self) -> Option<Duration> {
        self.time.map(|(_, at)| self.clock.saturating_sub(at))
    }
}

pub fn milliseconds(time: Duration) -> u64 {
    time.as_millis().try_into().expect("it is no longer than a walk")
}

#[derive(Debug)]
pub struct Model {
    pub edition: EditionKind,
    pub switches: Switches,
    /// Time that has passed.
    pub now: Duration,
    /// Time that has passed by the client's clock.
    pub client_now: Duration,
    pub signer: Signer,
    /// The signatures that the tenant accepted.
    signatures: HashSet<(String, u64)>,
    /// The sessions that their users ended.
    pub logged_out: HashSet<String>,
    pub accounts: HashMap<String, Account>,
    pub bound: HashMap<(Platform, String), String>,
    pub login_codes: HashMap<(Platform, String), (String, Duration)>,
    pub phone_codes: HashMap<(Platform, String), (String, Duration)>,
    pub codes: HashMap<(String, SendType), (String, Duration)>,
    attempts: HashMap<String, (u32, Option<Duration>)>,
    flows: HashMap<String, Flow>,
    sessions: HashMap<String, (String, Duration)>,
}

pub fn bare(contact: &str) -> &str {
    contact.strip_prefix("+86-").unwrap_or(contact)
}

pub fn is_email(contact: &str) -> bool {
    contact.contains('@')
}

impl Model {
    pub fn new(edition: EditionKind) -> Self {
        Self {
            edition,
            switches: Switches {
                unbound: Unbound::Bind,
                data: Data::Both,
                max_attempts: 5,
                new_state_token: true,
                refresh_sessions: false,
                single_use_pass: false,
                second_factor_first: true,
                password_asked_everywhere: false,
                register_at_login: false,
                attribute_required: false,
                wrong_ends_token: false,
            },
            now: Duration::ZERO,
            client_now: Duration::ZERO,
            signer: Signer::default(),
            signatures: HashSet::new(),
            logged_out: HashSet::new(),
            accounts: HashMap::new(),
            bound: HashMap::new(),
            login_codes: HashMap::new(),
            phone_codes: HashMap::new(),
            codes: HashMap::new(),
            attempts: HashMap::new(),
            flows: HashMap::new(),
            sessions: HashMap::new(),
        }
    }

    /// Whether the client sends a row to this edition at all.
    pub fn supports(&self, row: &Endpoint) -> bool {
        row.in_edition(self.edition).is_some()
    }

    /// Whether a row takes a signature here.
    pub fn signs(&self, row: &Endpoint) -> bool {
        row.in_edition(self.edition).is_some_and(|shape| shape.credential == Credential::Signature)
    }

    /// The tenant's time in milliseconds.
    pub fn timestamp(&self) -> u64 {
        milliseconds(BEGINNING + self.now)
    }

    /// What a code is for that is submitted by this row.
    pub fn send_type(&self, row: &Endpoint) -> SendType {
        let here = row.in_edition(self.edition).map_or(row.send_type, |shape| shape.send_type);
        here.unwrap_or_else(|| panic!("{} takes no code", row.step))
    }

    /// The account that has a number or address.
    pub fn owner(&self, contact: &str) -> Option<&str> {
        let contact = Some(bare(contact));
        let has = |account: &Account| {
            account.mobile.as_deref().map(bare) == contact || account.email.as_deref() == contact
        };
        self.accounts.iter().find(|(_, account)| has(account)).map(|(name, _)| name.as_str())
    }

    /// The stage that a state token stands for.
    pub fn pending(&self, token: &str) -> Option<StageKind> {
        self.live_flow(token).map(|flow| flow.waits)
    }

    /// Whose account it is that a state token stands for.
    pub fn pending_user(&self, token: &str) -> Option<&str> {
        self.live_flow(token).map(|flow| flow.user.as_str()).filter(|user| !user.is_empty())
    }

    pub fn session_user(&self, session: &str) -> Option<&str> {
        let (user, since) = self.sessions.get(session)?;
        (self.now.saturating_sub(*since) <= SESSION_LIFETIME).then_some(user)
    }

    pub fn end_session(&mut self, session: &str) {
        self.sessions.remove(session);
    }

    /// Whether a row's request is a step of what the token stands for. Rows with the same path are the same request.
    pub fn accepts(&self, row: &Endpoint, token: &str) -> bool {
        let follows = |from: StageKind, waits: StageKind| {
            let needed = from.before_narrowing();
            // By a code a password can be changed before it has expired, too.
            let early = from != needed
                && (needed, waits) == (StageKind::PasswordExpired, StageKind::PasswordExpiring);
            needed == waits || early
        };
        self.live_flow(token).is_some_and(|flow| {
            let of_platform = |platform| flow.identity.as_ref().is_some_and(|(known, _)| *known == platform);
            endpoints::ALL.iter().any(|other| {
                other.path == row.path && self.supports(other) && follows(other.from, flow.waits)
            }) && row.platform.is_none_or(of_platform)
        })
    }

    /// What the tenant does with a step that reaches it. The name of an account that is registered by it is the tenant's choice.
    pub fn carry_out(
        &mut self,
        row: &Endpoint,
        [token, session]: [Option<&str>; 2],
        ask: &Ask,
        registered: Option<&str>,
    ) -> Did {
        let mut effects = Vec::new();
        let registered = registered.unwrap_or_default();
        match self.step(row, [token, session], ask, registered, &mut effects) {
            Ok(left) => {
                let verdict = match &left {
                    Left::Nothing if matches!(ask, Ask::Renewal) => Verdict::To(StageKind::Authenticated),
                    Left::Nothing => Verdict::To(StageKind::Unauthenticated),
                    Left::Flow(flow) => Verdict::To(flow.waits),
                    Left::Session(user) => {
                        effects.push(Effect::Session { user_name: user.clone() });
                        Verdict::To(StageKind::Authenticated)
                    }
                    Left::Denied => Verdict::Denied,
                };
                Did { verdict, effects, left }
            }
            Err((class, attempts_left)) => {
                Did { verdict: Verdict::Refused(class, attempts_left), effects, left: Left::Nothing }
            }
        }
    }

    /// Records the token for what comes next. If the response was lost, that is the token in hand.
    pub fn keep(&mut self, did: Did, in_hand: Option<&str>, given: Option<&str>) {
        match did.left {
            Left::Flow(flow) => {
                let reused = in_hand.filter(|_| !self.switches.new_state_token);
                if let (Some(given), Some(reused)) = (given, reused) {
                    assert_eq!(given, reused, "the token goes on");
                }
                if let Some(token) = given.or(reused) {
                    self.flows.insert(token.to_owned(), flow);
                }
            }
            Left::Session(user) => {
                if let Some(session) = given {
                    self.sessions.insert(session.to_owned(), (user, self.now));
                }
            }
            Left::Nothing | Left::Denied => {}
        }
    }

    fn live_flow(&self, token: &str) -> Option<&Flow> {
        let flow = self.flows.get(token)?;
        let is_bound = flow.identity.as_ref().is_some_and(|identity| self.bound.contains_key(identity));
        let binds = matches!(flow.waits, StageKind::PendingBind | StageKind::PendingRegister);
        let lives = self.now.saturating_sub(flow.since) <= STATE_TOKEN_LIFETIME && !(binds && is_bound);
        lives.then_some(flow)
    }

    fn step(
        &mut self,
        row: &Endpoint,
        [token, session]: [Option<&str>; 2],
        ask: &Ask,
        registered: &str,
        effects: &mut Vec<Effect>,
    ) -> Result<Left, Refused> {
        if self.signs(row) {
            self.read_signature(session.expect("a session"))?;
        }
        match ask {
            // An identity token, and nothing else.
            Ask::Renewal if self.signs(row) => {
                self.session_user(session.expect("a session")).ok_or(DEAD)?;
                return Ok(Left::Nothing);
            }
            Ask::Renewal => return self.renew(session.expect("a session")),
            Ask::Logout => {
                let session = session.expect("a session");
                let user_name = self.session_user(session).ok_or(DEAD)?.to_owned();
                self.end_session(session);
                self.logged_out.insert(session.to_owned());
                effects.push(Effect::LoggedOut { user_name });
                return Ok(Left::Nothing);
            }
            Ask::Registration { contact, code, attributes } => {
                return self.register(row, contact, code, attributes, registered, effects);
            }
            Ask::Reset { contact, code, new } => {
                let user = self.owner(contact).ok_or(WRONG)?.to_owned();
                check_password(new)?;
                self.prove_code(row, contact, code)?;
                self.set_password(&user, new, effects);
                return Ok(Left::Nothing);
            }
            _ => {}
        }
        if row.from.before_narrowing() == StageKind::Unauthenticated {
            return self.log_in(row, ask, registered, effects);
        }
        let token = token.expect("a state token");
        if !self.accepts(row, token) {
            return Err(DEAD);
        }
        let flow = self.flows[token].clone();
        let proved = self.prove(row, &flow, ask, registered, effects);
        let was_wrong = matches!(proved, Err((ErrorClass::WrongInput | ErrorClass::Locked, _)));
        if proved.is_ok() || was_wrong && self.switches.wrong_ends_token {
            self.flows.remove(token);
        }
        let user = proved?;
        if self.accounts[&user].denied {
            return Ok(Left::Denied);
        }
        match flow.waits {
            StageKind::MfaRequired => Ok(self.go_on(Flow { factors: flow.factors - 1, ..flow })),
            StageKind::PasswordExpiring | StageKind::PasswordExpired => {
                Ok(self.go_on(Flow { age: None, ..flow }))
            }
            _ => {
                let identity = flow.identity.clone().expect("who binds has an identity");
                effects.push(Effect::Bound { user_name: user.clone(), identity: identity.1.clone() });
                self.bound.insert(identity, user.clone());
                Ok(self.past_first_factor(row, flow.identity, user))
            }
        }
    }

    fn log_in(
        &mut self,
        row: &Endpoint,
        ask: &Ask,
        registered: &str,
        effects: &mut Vec<Effect>,
    ) -> Result<Left, Refused> {
        let user = match ask {
            Ask::Identity { platform, code, named } => {
                let identity = take_fresh(&mut self.login_codes, *platform, code, self.now)?;
                if named.as_ref().is_some_and(|named| *named != identity) {
                    return Err((ErrorClass::Server, None));
                }
                let identity = (*platform, identity);
                let Some(user) = self.bound.get(&identity).cloned() else {
                    let waits = match self.switches.unbound {
                        Unbound::Bind => StageKind::PendingBind,
                        Unbound::Register => StageKind::PendingRegister,
                    };
                    let (user, since) = (String::new(), self.now);
                    return Ok(Left::Flow(Flow {
                        waits,
                        identity: Some(identity),
                        user,
                        factors: 0,
                        age: None,
                        since,
                    }));
                };
                return Ok(self.past_first_factor(row, Some(identity), user));
            }
            Ask::Number { platform, code } => {
                let mobile = take_fresh(&mut self.phone_codes, *platform, code, self.now)?;
                self.owner(&mobile).ok_or(WRONG)?.to_owned()
            }
            Ask::Password { name, password } => {
                let by_any_name = row.step == "identifier_password" && !self.accounts.contains_key(name);
                let owner = self.owner(name).filter(|_| by_any_name).unwrap_or(name).to_owned();
                self.prove_password(&owner, password)?;
                owner
            }
            Ask::Code { contact, code } => {
                self.prove_code(row, contact, code)?;
                let registers = self.switches.register_at_login;
                self.account(contact, registers, registered, effects)?
            }
            other => panic!("no login: {other:?}"),
        };
        Ok(self.past_first_factor(row, None, user))
    }

    /// Whose account a step of a pending login proves.
    fn prove(
        &mut self,
        row: &Endpoint,
        flow: &Flow,
        ask: &Ask,
        registered: &str,
        effects: &mut Vec<Effect>,
    ) -> Result<String, Refused> {
        let registers = flow.waits == StageKind::PendingRegister;
        match ask {
            Ask::Password { name, password } => {
                self.prove_password(name, password)?;
                Ok(name.clone())
            }
            Ask::Number { platform, code } => {
                let mobile = take_fresh(&mut self.phone_codes, *platform, code, self.now)?;
                self.account(&mobile, registers, registered, effects)
            }
            Ask::Code { contact, code } => {
                self.prove_code(row, contact, code)?;
                let user = self.account(contact, registers, registered, effects)?;
                // A factor of somebody else is none.
                if flow.waits == StageKind::MfaRequired && user != flow.user { Err(WRONG) } else { Ok(user) }
            }
            Ask::Keep => Ok(flow.user.clone()),
            Ask::Change { old, new } => {
                self.prove_password(&flow.user, old)?;
                check_password(new)?;
                self.set_password(&flow.user, new, effects);
                Ok(flow.user.clone())
            }
            Ask::ChangeByCode { code, new } => {
                check_password(new)?;
                let account = &self.accounts[&flow.user];
                let by_email = matches!(row.from, StageKind::VerifyEmail(_));
                // Wherever a code was sent: it is the account's own number or address that counts.
                let own = if by_email { account.email.clone() } else { account.mobile.clone() };
                self.prove_code(row, &own.ok_or(WRONG)?, code)?;
                self.set_password(&flow.user, new, effects);
                Ok(flow.user.clone())
            }
            other => panic!("no step of a pending login: {other:?}"),
        }
    }

    fn register(
        &mut self,
        row: &Endpoint,
        contact: &str,
        code: &str,
        attributes: &Attributes,
        registered: &str,
        effects: &mut Vec<Effect>,
    ) -> Result<Left, Refused> {
        if self.switches.attribute_required && !attributes.has_required {
            return Err((ErrorClass::Configuration, None));
        }
        let contacts = [Some(contact), attributes.email.as_deref()];
        if contacts.into_iter().flatten().any(|contact| self.owner(contact).is_some()) {
            return Err(WRONG);
        }
        if attributes.user_name.as_ref().is_some_and(|name| self.accounts.contains_key(name)) {
            return Err(UNKNOWN);
        }
        if let Some(password) = &attributes.password {
            check_password(password)?;
        }
        self.prove_code(row, contact, code)?;
        let user = attributes.user_name.clone().unwrap_or_else(|| registered.to_owned());
        let email = if is_email(contact) { Some(contact.to_owned()) } else { attributes.email.clone() };
        let mobile = (!is_email(contact)).then(|| contact.to_owned());
        let account = Account { password: attributes.password.clone(), mobile, email, ..Account::default() };
        self.accounts.insert(user.clone(), account);
        effects.push(Effect::Registered { user_name: user.clone() });
        Ok(Left::Session(user))
    }

    /// The signature is the last that the client made: it is fresh, and was never seen before.
    fn read_signature(&mut self, session: &str) -> Result<(), Refused> {
        let time = self.signer.last;
        let is_fresh = self.timestamp().abs_diff(time) <= milliseconds(SIGNATURE_WINDOW);
        if is_fresh && self.signatures.insert((session.to_owned(), time)) { Ok(()) } else { Err(STALE) }
    }

    fn renew(&mut self, session: &str) -> Result<Left, Refused> {
        let user = self.session_user(session).ok_or(DEAD)?.to_owned();
        if !self.switches.refresh_sessions {
            return Ok(Left::Nothing);
        }
        self.sessions.remove(session);
        Ok(Left::Session(user))
    }

    fn past_first_factor(&self, row: &Endpoint, identity: Option<(Platform, String)>, user: String) -> Left {
        let by_password = matches!(row.step, "username_password" | "identifier_password");
        let account = &self.accounts[&user];
        let age = account.age.filter(|_| by_password || self.switches.password_asked_everywhere);
        let (factors, since) = (account.factors, self.now);
        self.go_on(Flow { waits: StageKind::Authenticated, identity, user, factors, age, since })
    }

    /// What is due next: the password and the second factors in the tenant's order, then the session.
    fn go_on(&self, flow: Flow) -> Left {
        if self.accounts[&flow.user].denied {
            return Left::Denied;
        }
        let password = flow.age.map(|age| match age {
            Age::Expiring => StageKind::PasswordExpiring,
            Age::Expired => StageKind::PasswordExpired,
        });
        let factor = (flow.factors > 0).then_some(StageKind::MfaRequired);
        let due = if self.switches.second_factor_first { factor.or(password) } else { password.or(factor) };
        match due {
            Some(waits) => Left::Flow(Flow { waits, since: self.now, ..flow }),
            None => Left::Session(flow.user),
        }
    }

    fn account(
        &mut self,
        contact: &str,
        registers: bool,
        registered: &str,
        effects: &mut Vec<Effect>,
    ) -> Result<String, Refused> {
        if let Some(owner) = self.owner(contact) {
            return Ok(owner.to_owned());
        }
        if !registers {
            return Err(WRONG);
        }
        let contact = bare(contact).to_owned();
        let [mobile, email] = if is_email(&contact) { [None, Some(contact)] } else { [Some(contact), None] };
        self.accounts.insert(registered.to_owned(), Account { mobile, email, ..Account::default() });
        effects.push(Effect::Registered { user_name: registered.to_owned() });
        Ok(registered.to_owned())
    }

    fn set_password(&mut self, user: &str, new: &str, effects: &mut Vec<Effect>) {
        let account = self.accounts.get_mut(user).expect("whose password it is");
        account.former_password = account.password.replace(new.to_owned());
        account.age = None;
        self.attempts.remove(&format!("account {user}"));
        effects.push(Effect::PasswordChanged { user_name: user.to_owned() });
    }

    /// Wrong ones count for the account, whichever step they are given in.
    fn prove_password(&mut self, user: &str, password: &str) -> Result<(), Refused> {
        let known = self.accounts.get(user).and_then(|account| account.password.as_deref());
        let right = known == Some(password);
        let left = self.attempt(format!("account {user}"), right)?;
        if right { Ok(()) } else { Err((ErrorClass::WrongInput, Some(left))) }
    }

    /// A code is for one use, one destination, one purpose, and a while.
    fn prove_code(&mut self, row: &Endpoint, contact: &str, code: &str) -> Result<(), Refused> {
        let key = (bare(contact).to_owned(), self.send_type(row));
        let fresh = |(known, since): &(String, Duration)| {
            known == code && self.now.saturating_sub(*since) <= CODE_LIFETIME
        };
        let right = self.codes.get(&key).is_some_and(fresh);
        self.attempt(format!("destination {}", key.0), right)?;
        if right {
            self.codes.remove(&key);
            Ok(())
        } else {
            Err(WRONG)
        }
    }

    /// Counts an attempt, and gives how many are left.
    fn attempt(&mut self, who: String, right: bool) -> Result<u32, Refused> {
        const LOCKED: Refused = (ErrorClass::Locked, None);
        let (mut failed, locked_at) = self.attempts.get(&who).copied().unwrap_or_default();
        if let Some(locked_at) = locked_at {
            if self.now.saturating_sub(locked_at) < LOCK_TIME {
                return Err(LOCKED);
            }
            failed = 0;
        }
        if right {
            self.attempts.remove(&who);
            return Ok(self.switches.max_attempts);
        }
        failed += 1;
        let left = self.switches.max_attempts.saturating_sub(failed);
        self.attempts.insert(who, (failed, (left == 0).then_some(self.now)));
        if left == 0 { Err(LOCKED) } else { Ok(left) }
    }
}

fn check_password(new: &str) -> Result<(), Refused> {
    let (min, max) = PASSWORD_LENGTH;
    if (min..=max).contains(&new.chars().count()) { Ok(()) } else { Err(UNKNOWN) }
}

/// A code of a platform is used up by the try, whatever comes of it.
fn take_fresh(
    codes: &mut HashMap<(Platform, String), (String, Duration)>,
    platform: Platform,
    code: &str,
    now: Duration,
) -> Result<String, Refused> {
    let fresh = codes
        .remove(&(platform, code.to_owned()))
        .filter(|(_, since)| now.saturating_sub(*since) <= CODE_LIFETIME);
    fresh.map(|(whose, _)| whose).ok_or((ErrorClass::Server, None))
}
