//! The walk through the stages: what is done where, and what it shows.

mod accounts;
mod binding;
mod codes;
mod looking;
mod passwords;
mod self_service;
mod session;
mod steps;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use idaas_login::endpoints::Endpoint;
use idaas_login::{
    Account, AlipayMiniProgram, Client, Device, Error, ErrorClass, Next, Origin, Outcome, PendingBind,
    PendingRegister, Recovery, Request, SocialApp, Stage, StateToken, Step, UnexpectedReason,
    WeChatMiniProgram, WechatCodeField, endpoints,
};

use self::steps::{Asked, Evidence};
use super::altered;
use super::calls::Calls;
use super::checks::{self, Act, MAX_PASSWORDS, MAX_WRONG_PASSWORDS};
use super::record::{Exchange, Recorder};
use super::report::Findings;
use super::scan::scan;
use super::supply::{Channel, Supply, Want, Who};
use super::{Consent, Stop, Tenant};

type Run<T = ()> = Result<T, Stop>;

/// No more logins than this, whatever happens.
const MAX_LOGINS: usize = 24;
/// No more stages in one login than this.
const MAX_STAGES: usize = 6;

const FOLLOWED: &str = "it works in the next step";

/// A way through a stage, which is gone once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Way {
    Field,
    WrongPassword,
    BindPassword,
    BindWechat,
    Bind(Channel),
    RegisterWechat,
    Register(Channel),
    Factor(Channel),
    Again,
    WrongCode(Channel),
    Renew,
    Captcha,
    PassAgain,
    Login(Channel),
    LoginExpiring,
    LoginUnknown,
    Registration(Channel),
    Reset(Channel),
    ChangeByCode,
    WrongOld,
    KeepExpired,
    Keep,
    Change(Who),
    LoginAfterReset,
}

/// What a step came to.
enum Came<S, N = Outcome> {
    /// It led on; the request, to be sent again.
    On(N, Box<Request>),
    /// The stage came back.
    Back(Error, S),
    /// The stage is gone.
    Over(Error),
}

#[allow(clippy::struct_excessive_bools)] // Each is about another stage.
pub struct Probe<'a> {
    tenant: &'a Tenant,
    client: Client,
    /// What the client was told.
    calls: Calls,
    /// Steps that the edition does not document, each with its path.
    optional: Vec<(&'static Endpoint, String)>,
    evidence: Evidence,
    asked: Asked,
    missing: Vec<&'static Endpoint>,
    /// Where WeChat's phone-number code is read.
    wechat_rows: Vec<&'static Endpoint>,
    say: &'a mut dyn FnMut(&str),
    http: &'a Arc<Recorder>,
    device: Device,
    consent: Consent,
    supply: &'a mut dyn Supply,
    findings: Findings,
    gone: HashSet<Way>,
    /// That of the stage that a code is asked for.
    state_token: Option<StateToken>,
    /// A phone-number code and verification codes that were used.
    used_phone_code: Option<String>,
    used_codes: HashMap<String, String>,
    /// A bind led to another stage, whose next step has to show whether its state token is the right one.
    followed: bool,
    /// Whose login it is, if it began with an account.
    who: Option<Who>,
    /// A second factor is given once more, though one was.
    factor_again: bool,
    /// The stages that the login in hand came to.
    came_to: Vec<endpoints::StageKind>,
    /// Whether the state token of the last password that had expired is dead.
    expired_is_dead: bool,
    /// Whether the account to bind is locked.
    locked: bool,
    /// How many codes were sent.
    messages: u32,
    /// How often each account was given its password, and a wrong one.
    passwords: HashMap<(String, bool), u32>,
}

/// How a login goes on that waits for a bind or a registration.
trait Login: Origin + Sized {
    fn bind(_: &mut Probe<'_>, _: PendingBind<Self>) -> Run<Option<Outcome<Self>>> {
        Ok(None)
    }
    fn register(_: &mut Probe<'_>, _: PendingRegister<Self>) -> Run<Option<Outcome<Self>>> {
        Ok(None)
    }
}

impl Login for WeChatMiniProgram {
    fn bind(probe: &mut Probe<'_>, stage: PendingBind<Self>) -> Run<Option<Outcome<Self>>> {
        probe.bind(stage)
    }
    fn register(probe: &mut Probe<'_>, stage: PendingRegister<Self>) -> Run<Option<Outcome<Self>>> {
        probe.register(stage)
    }
}

/// Where such a login leads is enough.
impl Login for SocialApp {}
impl Login for AlipayMiniProgram {}
impl Login for Account {}

impl<'a> Probe<'a> {
    /// Asks everything that it may ask. What was found comes back also if it could not go on.
    pub fn run(
        tenant: &'a Tenant,
        http: &'a Arc<Recorder>,
        consent: Consent,
        supply: &'a mut dyn Supply,
        say: &'a mut dyn FnMut(&str),
    ) -> (Findings, Option<Stop>) {
        let mut probe = match Self::new(tenant, http, consent, supply, say) {
            Ok(probe) => probe,
            Err(stop) => return (Findings::default(), Some(stop)),
        };
        let asked = probe.look().and_then(|()| probe.log_in_all()).and_then(|()| probe.accounts());
        let stopped = asked.err();
        scan(&http.exchanges(), &mut probe.findings);
        probe.findings.optional.paths = probe.optional;
        probe.findings.calls = probe.calls;
        (probe.findings, stopped)
    }

    fn new(
        tenant: &'a Tenant,
        http: &'a Arc<Recorder>,
        consent: Consent,
        supply: &'a mut dyn Supply,
        say: &'a mut dyn FnMut(&str),
    ) -> Run<Self> {
        let calls = tenant.calls();
        Ok(Self {
            client: calls.apply(tenant.builder()).build_with(http.clone())?,
            calls,
            optional: Vec::new(),
            evidence: Evidence::default(),
            asked: Asked::default(),
            missing: Vec::new(),
            wechat_rows: Vec::new(),
            say,
            device: Device::new("probe 1.0", "idaas-login-probe", "Mozilla/5.0 (idaas-login probe)")?,
            tenant,
            http,
            consent,
            supply,
            findings: Findings::default(),
            gone: HashSet::new(),
            state_token: None,
            used_phone_code: None,
            used_codes: HashMap::new(),
            followed: false,
            who: None,
            factor_again: false,
            came_to: Vec::new(),
            expired_is_dead: false,
            locked: false,
            messages: 0,
            passwords: HashMap::new(),
        })
    }

    /// Says what is sent next, and where to.
    fn announce(&mut self, act: &Act, rows: &[&'static Endpoint]) {
        let paths: Vec<_> = rows.iter().map(|row| self.path(row)).collect();
        self.announce_paths(act, paths.into_iter());
    }

    fn announce_paths(&mut self, act: &Act, all: impl Iterator<Item = String>) {
        let mut paths: Vec<String> = Vec::new();
        for path in all.map(|path| format!("{}{path}", self.calls.path_prefix)) {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        (self.say)(&format!("Next: {}: {}\n", act.says, paths.join(", ")));
    }

    /// The path of a row at this tenant, as far as is known.
    fn path(&self, row: &'static Endpoint) -> String {
        let documented = row.in_edition(self.calls.edition.kind()).map_or(row.path, |shape| shape.path);
        self.calls.path(row).unwrap_or(documented).to_owned()
    }

    /// Whether the client has a step, and the tenant too.
    fn has(&self, row: &'static Endpoint) -> bool {
        if self.missing.iter().any(|missing| std::ptr::eq(*missing, row)) {
            return false;
        }
        row.in_edition(self.calls.edition.kind()).is_some() || self.calls.path(row).is_some()
    }

    /// The client, with what is known by now. Stages in hand keep the one that they have.
    fn rebuild(&mut self) -> Run {
        self.client = self.calls.apply(self.tenant.builder()).build_with(self.http.clone())?;
        Ok(())
    }

    /// Takes a step, once.
    fn take<S: Stage, N: Next<S>>(&mut self, step: Step<S, N>) -> Run<Came<S, N>> {
        let (request, in_flight) = match step.into_request() {
            Ok(ready) => ready,
            Err(failed) => {
                let told = failed.to_string();
                return match failed.into_parts() {
                    (error @ Error::Unsupported(_), Recovery::Retry(stage)) => Ok(Came::Back(error, stage)),
                    _ => Err(Stop(told)),
                };
            }
        };
        let copy = Box::new(request.clone());
        let answer = idaas_login::Transport::send(&**self.http, request);
        let came = match in_flight.receive(answer) {
            Ok(outcome) => Came::On(outcome, copy),
            Err(failed) => {
                let path = failed.endpoint().path;
                let (error, recovery) = failed.into_parts();
                if let Error::Transport(error) = &error {
                    return Err(Stop(format!("{path}: {error}")));
                }
                if let Error::Unexpected(answer) = &error
                    && matches!(
                        answer.reason(),
                        UnexpectedReason::Unreadable
                            | UnexpectedReason::NoStatus
                            | UnexpectedReason::NoStateToken
                    )
                {
                    self.findings.differs("D16", format!("{path}: {answer}"));
                }
                match recovery {
                    Recovery::Retry(stage) => Came::Back(error, stage),
                    _ => Came::Over(error),
                }
            }
        };
        self.follow(&came);
        Ok(came)
    }

    /// After a bind that led to another stage: does the state token in hand work there?
    fn follow<S, N>(&mut self, came: &Came<S, N>) {
        if !std::mem::take(&mut self.followed) {
            return;
        }
        match came {
            Came::On(..) | Came::Back(..) => self.findings.as_decided("D5", FOLLOWED),
            Came::Over(error) if is_dead(error) => self.findings.differs("D5", "it is dead in the next step"),
            Came::Over(_) => self.followed = true,
        }
    }

    /// Counts that an account is given a password so many times. More often than was announced, it is not.
    fn note_password(&mut self, user_name: &str, is_right: bool, times: u32) -> Run {
        let count = self.passwords.entry((user_name.to_owned(), is_right)).or_default();
        *count += times;
        let most = if is_right { MAX_PASSWORDS } else { MAX_WRONG_PASSWORDS };
        if *count <= most { Ok(()) } else { Err(Stop("a password would be given too often".to_owned())) }
    }

    fn last(&self) -> Run<Exchange> {
        self.http.last().ok_or_else(|| Stop("no response".to_owned()))
    }

    fn log_in_all(&mut self) -> Run {
        self.denied()?;
        let mut first = true;
        for _ in 0..MAX_LOGINS {
            let Some(code) = self.next_login_code() else { break };
            self.http.conceal(&code);
            self.announce(&checks::LOG_IN, &[&endpoints::LOGIN_WECHAT_MINI_PROGRAM]);
            let login = self.client.login(self.device.clone());
            let outcome = match self.take(login.wechat_mini_program(&code))? {
                Came::On(outcome, _) => outcome,
                Came::Over(Error::Unexpected(_) | Error::AccessDenied) => continue,
                Came::Back(error, _) | Came::Over(error) => return Err(refused_code(&error)),
            };
            if std::mem::take(&mut first) && self.consent.wrong_attempts {
                self.login_code_again(&code)?;
            }
            self.go_on(outcome)?;
            // From here on with what this tenant wants.
            if self.findings.differ("D3") && self.calls.field_names.is_empty() {
                self.calls.wechat_code_field = WechatCodeField::WchatCode;
            }
            self.rebuild()?;
        }
        Ok(())
    }

    fn next_login_code(&mut self) -> Option<String> {
        let want = self.want();
        self.supply.login_code(want)
    }

    /// Whom the next login should be of, by what has not been done yet.
    fn want(&self) -> Want {
        let undone = |ways: &[Way]| ways.iter().any(|way| !self.gone.contains(way));
        let (sms, email) = (Channel::Phone, Channel::Email);
        if undone(&[
            Way::Field,
            Way::WrongPassword,
            Way::BindPassword,
            Way::BindWechat,
            Way::Bind(sms),
            Way::Bind(email),
        ]) {
            Want::Bind
        } else if undone(&[Way::RegisterWechat, Way::Register(sms), Way::Register(email)]) {
            Want::Register
        } else if !self.findings.knows("E.new-state-token") {
            Want::BindThenFactor
        } else if undone(&[Way::Factor(sms), Way::Factor(email), Way::Again]) {
            Want::Factor
        } else {
            Want::Anybody
        }
    }

    /// From stage to stage, as far as it may go.
    fn go_on<O: Login>(&mut self, outcome: Outcome<O>) -> Run {
        let mut next = Some(outcome);
        self.came_to.clear();
        for _ in 0..MAX_STAGES {
            self.came_to.extend(next.as_ref().map(Outcome::kind));
            next = match next {
                None => break,
                Some(Outcome::Authenticated(user)) => {
                    self.session(user)?;
                    None
                }
                Some(Outcome::PendingBind(stage)) => O::bind(self, stage)?,
                Some(Outcome::PendingRegister(stage)) => O::register(self, stage)?,
                Some(Outcome::MfaRequired(stage)) => self.second_factor(stage)?,
                Some(Outcome::PasswordExpiring(stage)) => self.expiring(stage)?,
                Some(Outcome::PasswordExpired(stage)) => self.expired(stage)?,
            };
        }
        self.followed = false;
        Ok(())
    }

    fn login_code_again(&mut self, code: &str) -> Run {
        self.announce(&checks::LOG_IN_AGAIN, &[&endpoints::LOGIN_WECHAT_MINI_PROGRAM]);
        let login = self.client.login(self.device.clone());
        match self.take(login.wechat_mini_program(code))? {
            Came::On(..) => self.findings.differs("E.login-code", "it was accepted twice"),
            Came::Back(error, _) | Came::Over(error) => {
                self.findings.as_decided("E.login-code", error.to_string());
            }
        }
        Ok(())
    }

    fn denied(&mut self) -> Run {
        while let Some(code) = self.supply.denied_code() {
            self.http.conceal(&code);
            self.announce(&checks::DENIED, &[&endpoints::LOGIN_WECHAT_MINI_PROGRAM]);
            let login = self.client.login(self.device.clone());
            match self.take(login.wechat_mini_program(&code))? {
                Came::Over(Error::AccessDenied) => {
                    let seen = self.last()?.brief();
                    let fields: Vec<_> =
                        self.last()?.fields().iter().map(|field| field.name.clone()).collect();
                    self.findings.as_decided("D11", format!("{seen}, with {}", fields.join(", ")));
                }
                Came::On(outcome, _) => self.findings.differs("D11", format!("it led to {outcome:?}")),
                Came::Back(error, _) | Came::Over(error) => self.findings.differs("D11", error.to_string()),
            }
        }
        Ok(())
    }

    /// Whether a state token lives after a wrong input, as two refusals in a row show.
    fn lives(&mut self, id: &'static str, first: &Exchange, second: &Exchange) -> bool {
        let about_input = [ErrorClass::WrongInput, ErrorClass::Locked];
        let of_input = second.refusal.as_ref().is_some_and(|(_, class)| about_input.contains(class));
        let lives = of_input || binding::same(first, second);
        if lives {
            self.findings.as_decided(id, "it lives");
        } else {
            let seen = format!("dead after a wrong one, or so it seems: {}", second.brief());
            self.findings.differs(id, seen);
        }
        lives
    }

    /// The tenant's word for a refusal that the probe provoked, if it is of one of the classes.
    fn expect(&mut self, id: &'static str, answer: &Exchange, classes: &[ErrorClass]) {
        match &answer.refusal {
            Some((_, class)) if classes.contains(class) => self.findings.as_decided(id, answer.brief()),
            _ => self.findings.differs(id, answer.brief()),
        }
    }
}

fn is_dead(error: &Error) -> bool {
    error.class() == Some(ErrorClass::DeadToken)
}

fn refused_code(error: &Error) -> Stop {
    let hint = "a login code works once and lives five minutes, and belongs to one mini program";
    Stop(format!("the login code was refused ({error}); {hint}"))
}
