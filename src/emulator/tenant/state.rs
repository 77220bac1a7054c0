//! What the tenant knows: accounts, codes, tokens, and what has a lifetime.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use super::super::ledger::{Effect, Entry, Fault};
use super::super::reserved::{self, ReservedKind};
use super::super::settings::Settings;
use super::super::signing::Signing;
use super::super::token::TokenKind;
use super::super::user::{PasswordAge, User};
use crate::endpoints::{Platform, SendType, StageKind};

type Tokens = Box<dyn Fn(TokenKind) -> String + Send>;
type Clock = Box<dyn Fn() -> SystemTime + Send>;
type Faults = HashMap<String, VecDeque<Fault>>;

pub(in crate::emulator) struct Tenant {
    pub(in crate::emulator) settings: Settings,
    pub(in crate::emulator) clock: Clock,
    pub(in crate::emulator) passed: Duration,
    pub(in crate::emulator) tokens: Option<Tokens>,
    pub(in crate::emulator) identities: HashMap<(Platform, String), String>,
    pub(super) sessions: HashMap<String, Issued<String>>,
    pub(in crate::emulator) faults: Faults,
    pub(in crate::emulator) ledger: Vec<Entry>,
    pub(in crate::emulator) signing: Signing,
    pub(super) users: HashMap<String, User>,
    /// Who has a number or an address, the first to come first.
    pub(super) contacts: HashMap<Contact, Vec<String>>,
    pub(super) attempts: HashMap<String, Attempts>,
    pub(super) login_codes: HashMap<(Platform, String), Issued<String>>,
    pub(super) phone_codes: HashMap<(Platform, String), Issued<String>>,
    pub(super) verify_codes: HashMap<(String, SendType), Issued<String>>,
    pub(super) outbox: HashMap<String, String>,
    pub(super) captchas: HashMap<String, Issued<u32>>,
    pub(super) passes: HashMap<String, Issued<String>>,
    pub(super) flows: HashMap<String, Issued<Flow>>,
    /// The signatures that were seen: the session token and the timestamp in each.
    #[cfg(feature = "signature")]
    pub(super) signatures: HashMap<(String, u64), Issued<()>>,
    /// At so many things with a lifetime, those that are over are forgotten.
    pub(super) forget_at: usize,
    /// The issuer of the tokens that the request under way asks for.
    pub(super) issuer: String,
    /// Whether the response to the request under way is lost.
    pub(super) lose_response: bool,
    pub(in crate::emulator) random: u64,
}

/// The field of a number or address, and the number or address itself.
pub(super) type Contact = (&'static str, String);

const FORGET_AT: usize = 4096;

/// Something with a lifetime.
pub(super) struct Issued<T> {
    pub(super) value: T,
    at: SystemTime,
}

impl<T> Issued<T> {
    /// Whether it is not older than it may become. What is from the future, by a clock that went back, is not.
    pub(super) fn is_good(&self, now: SystemTime, lifetime: Duration) -> bool {
        !now.duration_since(self.at).is_ok_and(|age| age > lifetime)
    }
}

/// Failed attempts in a row, of an account or a destination.
#[derive(Default)]
pub(super) struct Attempts {
    pub(super) failed: u32,
    pub(super) locked_at: Option<SystemTime>,
}

/// What a state token stands for.
#[derive(Clone)]
pub(super) struct Flow {
    pub(super) waits_for: WaitsFor,
    /// Who the user is to the platform, if the login began there.
    pub(super) identity: Option<Identity>,
    pub(super) fingerprint: Vec<u8>,
    /// The ways that `data` listed; `None` if it listed none.
    pub(super) allowed: Option<Vec<String>>,
}

/// A platform, and its name for the user.
pub(super) type Identity = (Platform, String);

#[derive(Clone, PartialEq, Eq)]
pub(super) enum WaitsFor {
    Bind,
    Register,
    SecondFactor(Due),
    Password(Due),
}

/// What an account whose first factor was right still owes.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) user_name: String,
    pub(super) second_factors: u32,
    pub(super) password: Option<PasswordAge>,
}

impl WaitsFor {
    /// The stage that the client is at.
    pub(super) fn stage(&self) -> StageKind {
        match self {
            Self::Bind => StageKind::PendingBind,
            Self::Register => StageKind::PendingRegister,
            Self::SecondFactor(_) => StageKind::MfaRequired,
            Self::Password(Due { password: Some(PasswordAge::Expiring), .. }) => StageKind::PasswordExpiring,
            Self::Password(_) => StageKind::PasswordExpired,
        }
    }
}

/// Emulators in one process have tokens of their own.
static EMULATORS: AtomicU64 = AtomicU64::new(0);

impl Tenant {
    pub(in crate::emulator) fn new() -> Self {
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
            #[cfg(feature = "signature")]
            signatures: HashMap::new(),
            forget_at: FORGET_AT,
            issuer: String::new(),
            lose_response: false,
            random: EMULATORS.fetch_add(1, Ordering::Relaxed) << 32,
        }
    }

    pub(in crate::emulator) fn add_user(&mut self, user: User) {
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

    pub(in crate::emulator) fn add_login_code(&mut self, platform: Platform, code: String, identity: String) {
        let issued = self.issued(identity);
        self.login_codes.insert((platform, code), issued);
    }

    pub(in crate::emulator) fn add_phone_code(&mut self, platform: Platform, code: String, mobile: String) {
        let issued = self.issued(mobile);
        self.phone_codes.insert((platform, code), issued);
    }

    pub(in crate::emulator) fn add_verify_code(
        &mut self,
        destination: &str,
        send_type: SendType,
        code: String,
    ) {
        let destination = bare(destination).to_owned();
        self.outbox.insert(destination.clone(), code.clone());
        let issued = self.issued(code);
        self.verify_codes.insert((destination, send_type), issued);
    }

    pub(in crate::emulator) fn last_code(&self, destination: &str) -> Option<String> {
        self.outbox.get(bare(destination)).cloned()
    }

    pub(in crate::emulator) fn session_user(&self, session_token: &str) -> Option<String> {
        let session = self.sessions.get(session_token)?;
        (!self.is_expired(session, self.settings.session_lifetime)).then(|| session.value.clone())
    }

    pub(in crate::emulator) fn user_names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.users.keys().cloned().collect();
        names.sort();
        names
    }

    /// The entry of the request that came last.
    pub(in crate::emulator) fn last_entry(&self) -> Entry {
        self.ledger.last().cloned().unwrap_or_default()
    }

    pub(in crate::emulator) fn waiting_stage(&self, state_token: &str) -> Option<StageKind> {
        self.live_flow(state_token).map(|flow| flow.waits_for.stage())
    }

    pub(in crate::emulator) fn end_session(&mut self, session_token: &str) {
        self.sessions.remove(session_token);
    }

    pub(in crate::emulator) fn captcha_solution(&self, token: &str) -> Option<f64> {
        self.captchas.get(token).map(|captcha| f64::from(captcha.value))
    }

    pub(super) fn live_flow(&self, state_token: &str) -> Option<&Flow> {
        let issued = self.flows.get(state_token)?;
        let flow = &issued.value;
        let is_bound = || flow.identity.as_ref().is_some_and(|identity| self.account_of(identity).is_some());
        let is_dead = self.is_expired(issued, self.settings.state_token_lifetime)
            || (matches!(flow.waits_for, WaitsFor::Bind | WaitsFor::Register) && is_bound());
        (!is_dead).then_some(flow)
    }

    pub(super) fn account_of(&self, identity: &Identity) -> Option<&str> {
        let user_name = self.identities.get(identity)?;
        self.users.contains_key(user_name).then_some(user_name)
    }

    pub(super) fn is_denied(&self, user_name: &str) -> bool {
        self.users.get(user_name).is_some_and(|user| user.denied)
    }

    pub(in crate::emulator) fn random(&mut self, length: usize) -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        (0..length).filter_map(|_| pick(ALPHABET, self.next_random())).collect()
    }

    pub(in crate::emulator) fn random_digits(&mut self) -> String {
        loop {
            let digits: String = (0..6).filter_map(|_| pick(b"0123456789", self.next_random())).collect();
            if reserved::outcome(ReservedKind::VerifyCode, &digits).is_none() {
                return digits;
            }
        }
    }

    pub(super) fn next_random(&mut self) -> u64 {
        self.random += 1;
        let mut bits = self.random;
        bits = (bits ^ (bits >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        bits = (bits ^ (bits >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        bits ^ (bits >> 33)
    }

    pub(in crate::emulator) fn now(&self) -> SystemTime {
        let now = (self.clock)();
        now.checked_add(self.passed).unwrap_or(now)
    }

    pub(super) fn is_expired<T>(&self, issued: &Issued<T>, lifetime: Duration) -> bool {
        !issued.is_good(self.now(), lifetime)
    }

    pub(super) fn evict_expired(&mut self) {
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
        #[cfg(feature = "signature")]
        {
            // One from the future is good for twice as long.
            let lifetime = self.settings.signature_window.saturating_mul(2);
            self.signatures.retain(|_, issued| issued.is_good(now, lifetime));
        }
        self.forget_at = FORGET_AT.max(2 * self.issued_count());
    }

    pub(super) fn issued_count(&self) -> usize {
        let codes = self.login_codes.len() + self.phone_codes.len() + self.verify_codes.len();
        let all = codes + self.captchas.len() + self.passes.len() + self.sessions.len() + self.flows.len();
        #[cfg(feature = "signature")]
        let all = all + self.signatures.len();
        all
    }

    pub(super) fn issued<T>(&self, value: T) -> Issued<T> {
        Issued { value, at: self.now() }
    }

    pub(super) fn take_fresh<T>(&mut self, take: impl FnOnce(&mut Self) -> Option<Issued<T>>) -> Option<T> {
        let issued = take(self)?;
        (!self.is_expired(&issued, self.settings.code_lifetime)).then_some(issued.value)
    }

    pub(super) fn token(&mut self, kind: TokenKind) -> String {
        match (&self.tokens, kind) {
            (Some(tokens), _) => tokens(kind),
            (None, TokenKind::State) => {
                format!("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.{}.{}", self.random(64), self.random(43))
            }
            (None, TokenKind::Session | TokenKind::Id) => self.random(32),
        }
    }

    pub(super) fn effect(&mut self, effect: Effect) {
        if let Some(entry) = self.ledger.last_mut() {
            entry.effects.push(effect);
        }
    }
}

/// What finds an account beside its user name.
fn contacts(user: &User) -> impl Iterator<Item = Contact> {
    let of = |channel, contact: &Option<String>| {
        contact.as_deref().map(|contact| (channel, bare(contact).to_owned()))
    };
    of("mobile", &user.mobile).into_iter().chain(of("email", &user.email))
}

/// A number without the country code that both forms of it may have.
pub(super) fn bare(destination: &str) -> &str {
    destination.strip_prefix("+86-").unwrap_or(destination)
}

fn pick(alphabet: &[u8], random: u64) -> Option<char> {
    let index = usize::try_from(random % u64::try_from(alphabet.len()).ok()?).ok()?;
    alphabet.get(index).copied().map(char::from)
}
