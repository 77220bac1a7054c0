//! Verification codes, whichever the stage and the channel; captchas; the second factor.

use idaas_login::endpoints::{self, CodeRows, Endpoint, Scenario};
use idaas_login::{
    AcceptsCode, Account, CaptchaPass, Channel as By, Error, ErrorClass, MfaRequired, NotAllowed, Origin,
    Outcome, PendingBind, PendingRegister, Registration, SendsCode, Stage, Unauthenticated, Verify,
    VerifyEmail, VerifyPhone,
};

use super::super::checks::{self, Act, MAX_MESSAGES};
use super::super::record::{Form, Shape};
use super::super::rows;
use super::super::supply::Channel;
use super::steps::send_type_check;
use super::{Came, FOLLOWED, Probe, Run, Stop, Way, altered, is_dead};

/// What became of a stage.
pub enum Passed<S, O: Origin> {
    On(Outcome<O>),
    Stays(S),
    Gone,
}

/// What a code is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Bind,
    Register,
    Factor,
    Login,
    /// A login by the number of the account whose password expires soon.
    Expiring,
    Registration,
    /// A login by a number that no account has.
    Unknown,
    Reset,
    Change,
}

impl Purpose {
    pub(super) fn way(self, channel: Channel) -> Way {
        match self {
            Self::Bind => Way::Bind(channel),
            Self::Register => Way::Register(channel),
            Self::Factor => Way::Factor(channel),
            Self::Login => Way::Login(channel),
            Self::Expiring => Way::LoginExpiring,
            Self::Registration => Way::Registration(channel),
            Self::Unknown => Way::LoginUnknown,
            Self::Reset => Way::Reset(channel),
            Self::Change => Way::ChangeByCode,
        }
    }

    pub(super) fn rows(self, channel: Channel) -> CodeRows {
        let scenario = match self {
            Self::Bind => Scenario::Bind,
            Self::Register => Scenario::BindOrRegister,
            Self::Factor => Scenario::SecondFactor,
            Self::Login | Self::Expiring | Self::Unknown => Scenario::Login,
            Self::Registration => Scenario::Register,
            Self::Reset => Scenario::ResetPassword,
            Self::Change => Scenario::ChangePassword,
        };
        match channel {
            Channel::Phone => scenario.sms(),
            Channel::Email => scenario.email(),
        }
    }

    pub(super) fn act(self, channel: Channel) -> &'static Act {
        match (self, channel) {
            (Self::Bind, Channel::Phone) => &checks::BIND_PHONE,
            (Self::Bind, Channel::Email) => &checks::BIND_EMAIL,
            (Self::Register, Channel::Phone) => &checks::REGISTER_PHONE,
            (Self::Register, Channel::Email) => &checks::REGISTER_EMAIL,
            (Self::Factor, Channel::Phone) => &checks::FACTOR_PHONE,
            (Self::Factor, Channel::Email) => &checks::FACTOR_EMAIL,
            (Self::Login, Channel::Phone) => &checks::LOG_IN_SMS,
            (Self::Login, Channel::Email) => &checks::LOG_IN_EMAIL,
            (Self::Expiring, _) => &checks::EXPIRING_SMS,
            (Self::Registration, Channel::Phone) => &checks::REGISTRATION_PHONE,
            (Self::Registration, Channel::Email) => &checks::REGISTRATION_EMAIL,
            (Self::Unknown, _) => &checks::UNKNOWN,
            (Self::Reset, Channel::Phone) => &checks::RESET_PHONE,
            (Self::Reset, Channel::Email) => &checks::RESET_EMAIL,
            (Self::Change, _) => &checks::CHANGE_SMS,
        }
    }

    /// Whether a wrong code shows what becomes of a state token.
    fn holds_state_token(self) -> bool {
        matches!(self, Self::Bind | Self::Register | Self::Factor)
    }
}

/// A stage that a code moves on, if the tenant allows the channel.
pub trait Narrow<O: Origin>: AcceptsCode<Outcome = Outcome<O>> {
    fn to_phone(self, mobile: String) -> Result<VerifyPhone<Self>, Self>;
    fn to_email(self, address: String) -> Result<VerifyEmail<Self>, Self>;
}

/// Where the tenant's list decides.
macro_rules! narrow_if_allowed {
    ($($stage:ident),+) => {$(
        impl<O: Origin> Narrow<O> for $stage<O> {
            fn to_phone(self, mobile: String) -> Result<VerifyPhone<Self>, Self> {
                self.phone(mobile).map_err(NotAllowed::into_stage)
            }
            fn to_email(self, address: String) -> Result<VerifyEmail<Self>, Self> {
                self.email(address).map_err(NotAllowed::into_stage)
            }
        }
    )+};
}
narrow_if_allowed!(PendingBind, PendingRegister);

impl<O: Origin> Narrow<O> for MfaRequired<O> {
    fn to_phone(self, mobile: String) -> Result<VerifyPhone<Self>, Self> {
        Ok(self.phone(mobile))
    }
    fn to_email(self, address: String) -> Result<VerifyEmail<Self>, Self> {
        Ok(self.email(address))
    }
}

/// Where nothing has begun.
macro_rules! narrow {
    ($($stage:ty),+) => {$(
        impl Narrow<Account> for $stage {
            fn to_phone(self, mobile: String) -> Result<VerifyPhone<Self>, Self> {
                Ok(self.phone(mobile))
            }
            fn to_email(self, address: String) -> Result<VerifyEmail<Self>, Self> {
                Ok(self.email(address))
            }
        }
    )+};
}
narrow!(Unauthenticated, Registration);

impl Probe<'_> {
    /// The way by a code to the operator's number or address.
    pub(super) fn by_code<O: Origin, S: Narrow<O>>(
        &mut self,
        stage: S,
        channel: Channel,
        purpose: Purpose,
    ) -> Run<Passed<S, O>> {
        let Some(destination) = self.supply.destination(channel) else {
            self.gone.insert(purpose.way(channel));
            return Ok(Passed::Stays(stage));
        };
        self.by_code_to(stage, channel, destination, purpose)
    }

    pub(super) fn by_code_to<O: Origin, S: Narrow<O>>(
        &mut self,
        stage: S,
        channel: Channel,
        destination: String,
        purpose: Purpose,
    ) -> Run<Passed<S, O>> {
        let rows = purpose.rows(channel);
        let again = purpose == Purpose::Factor && std::mem::take(&mut self.factor_again);
        let new = self.gone.insert(purpose.way(channel));
        if !(new || again) || !self.has(rows.send_code) || !self.has(rows.submit) {
            return Ok(Passed::Stays(stage));
        }
        self.http.conceal(&destination);
        match channel {
            Channel::Phone => match stage.to_phone(destination) {
                Ok(narrow) => self.verify(narrow, channel, purpose),
                Err(stage) => Ok(Passed::Stays(stage)),
            },
            Channel::Email => match stage.to_email(destination) {
                Ok(narrow) => self.verify(narrow, channel, purpose),
                Err(stage) => Ok(Passed::Stays(stage)),
            },
        }
    }

    /// A code to a stage's destination: one that was there, or whether one was sent.
    pub(super) fn get_code<C: By, S: SendsCode>(
        &mut self,
        stage: &Verify<C, S>,
        channel: Channel,
        purpose: Purpose,
        is_used: bool,
    ) -> Run<(Option<String>, bool)> {
        self.state_token = Stage::state_token(stage).cloned();
        let row = purpose.rows(channel).send_code;
        let send_type =
            row.in_edition(self.calls.edition.kind()).map_or(row.send_type, |shape| shape.send_type);
        let early = send_type.filter(|_| is_used).and_then(|of| self.supply.early_code(channel, of));
        let sent = early.is_none() && self.consent.send && self.send(stage, row)?;
        let there = early.is_some() || sent;
        Ok((early, there))
    }

    fn verify<C: By, O: Origin, S: Narrow<O>>(
        &mut self,
        stage: Verify<C, S>,
        channel: Channel,
        purpose: Purpose,
    ) -> Run<Passed<S, O>> {
        let submits = match purpose {
            Purpose::Bind => self.consent.bind,
            Purpose::Register | Purpose::Registration | Purpose::Unknown => self.consent.register,
            _ => true,
        };
        // For a wrong code, too, there has to be one that it could be compared with.
        let is_used = submits || self.consent.wrong_attempts;
        let (early, there) = self.get_code(&stage, channel, purpose, is_used)?;
        let Some(stage) = self.wrong_code(stage, channel, purpose, there)? else { return Ok(Passed::Gone) };
        if !submits || !there {
            return Ok(Passed::Stays(stage.back()));
        }
        let destination = stage.destination().to_owned();
        let Some(code) = early.or_else(|| self.supply.code(&destination, channel)) else {
            return Ok(Passed::Stays(stage.back()));
        };
        self.http.conceal(&code);
        self.announce(purpose.act(channel), &[purpose.rows(channel).submit]);
        self.right_code(stage, &code, channel, purpose)
    }

    fn right_code<C: By, O: Origin, S: Narrow<O>>(
        &mut self,
        stage: Verify<C, S>,
        code: &str,
        channel: Channel,
        purpose: Purpose,
    ) -> Run<Passed<S, O>> {
        let destination = stage.destination().to_owned();
        let factor = match (purpose, channel) {
            (Purpose::Factor, Channel::Phone) => Some("D7.sms"),
            (Purpose::Factor, Channel::Email) => Some("D7.email"),
            _ => None,
        };
        match self.take(stage.submit(code))? {
            Came::On(outcome, request) => {
                if let Some(id) = factor {
                    self.findings.as_decided(id, "accepted");
                    self.used_codes.insert(destination, code.to_owned());
                } else if purpose.holds_state_token() {
                    self.bound(&outcome, *request, purpose.rows(channel).submit)?;
                }
                Ok(Passed::On(outcome))
            }
            Came::Back(error, stage) => {
                if let Some(id) = factor {
                    self.findings.open(id, format!("the code was refused: {error}"));
                }
                self.refused_in(purpose, &error);
                Ok(Passed::Stays(stage.back()))
            }
            Came::Over(error) => {
                if let Some(id) = factor {
                    self.findings.open(id, error.to_string());
                }
                self.refused_in(purpose, &error);
                Ok(Passed::Gone)
            }
        }
    }

    /// Twice: the second refusal shows whether the first one cost the state token. Not before a code was sent: then there
    /// is nothing that a code could be compared with.
    fn wrong_code<C: By, O: Origin, S: Narrow<O>>(
        &mut self,
        stage: Verify<C, S>,
        channel: Channel,
        purpose: Purpose,
        there: bool,
    ) -> Run<Option<Verify<C, S>>> {
        let id = match channel {
            Channel::Phone => "D14.code",
            Channel::Email => "D14.email",
        };
        let asks = self.consent.wrong_attempts && there && purpose.holds_state_token();
        if !asks || !self.gone.insert(Way::WrongCode(channel)) {
            return Ok(Some(stage));
        }
        let act = match channel {
            Channel::Phone => &checks::WRONG_CODE,
            Channel::Email => &checks::WRONG_EMAIL_CODE,
        };
        self.announce(act, &[purpose.rows(channel).submit]);
        let Some(stage) = self.one_wrong_code(stage, "000000", id)? else { return Ok(None) };
        let first = self.last()?;
        self.expect("D13.code", &first, &[ErrorClass::WrongInput, ErrorClass::Locked]);
        let Some(stage) = self.one_wrong_code(stage, "999999", id)? else { return Ok(None) };
        let second = self.last()?;
        Ok(self.lives(id, &first, &second).then_some(stage))
    }

    fn one_wrong_code<C: By, O: Origin, S: Narrow<O>>(
        &mut self,
        stage: Verify<C, S>,
        wrong: &str,
        id: &'static str,
    ) -> Run<Option<Verify<C, S>>> {
        match self.take(stage.submit(wrong))? {
            Came::Back(_, stage) => Ok(Some(stage)),
            Came::On(..) => Err(Stop("a wrong code was accepted".to_owned())),
            Came::Over(error) => {
                self.findings.differs(id, format!("dead after a wrong code ({error})"));
                Ok(None)
            }
        }
    }

    /// Has a code sent; whether it was.
    fn send<C: By, S: SendsCode>(&mut self, stage: &Verify<C, S>, row: &'static Endpoint) -> Run<bool> {
        if self.messages == MAX_MESSAGES {
            return Ok(false);
        }
        let Some(pass) = self.pass(stage.destination())? else { return Ok(false) };
        self.announce(&checks::SEND, &[row]);
        match stage.send_code(&pass).send() {
            Ok(()) => {
                self.messages += 1;
                self.findings.as_decided("C.send-headers", "accepted without");
                let answer = self.last()?;
                let seen = match &answer.body {
                    Shape::Empty => "an empty body".to_owned(),
                    _ => answer.brief(),
                };
                self.findings.as_decided("C.send-answer", seen);
            }
            Err(Error::Transport(error)) => return Err(Stop(error.to_string())),
            Err(error) => {
                return Ok(self.send_with_state_token(stage, &pass, &error)?
                    || self.send_with_other_type(stage, row, &error)?);
            }
        }
        if !self.findings.knows(send_type_check(row)) {
            self.findings.as_decided(send_type_check(row), "a code was sent");
        }
        if self.messages < MAX_MESSAGES && self.gone.insert(Way::PassAgain) {
            match stage.send_code(&pass).send() {
                Ok(()) => {
                    self.messages += 1;
                    self.findings.as_decided("E.pass", "it was accepted twice");
                }
                Err(Error::Transport(error)) => return Err(Stop(error.to_string())),
                Err(error) => {
                    let seen = format!("refused the second time, perhaps because it was soon: {error}");
                    self.findings.differs("E.pass", seen);
                }
            }
        }
        Ok(true)
    }

    /// Refused: would it have been accepted with `X-state-token`?
    fn send_with_state_token<C: By, S: SendsCode>(
        &mut self,
        stage: &Verify<C, S>,
        pass: &CaptchaPass,
        error: &Error,
    ) -> Run<bool> {
        let Some(token) = self.state_token.clone() else { return Ok(false) };
        let answer = altered::call(self.http, stage.send_code(pass), |request| {
            altered::state_token(request, &token);
        })?;
        if answer.is_ok() {
            self.messages += 1;
            self.findings.differs("C.send-headers", format!("X-state-token is wanted; without: {error}"));
        } else {
            self.findings.open("C.send-headers", format!("refused with and without: {error}"));
        }
        Ok(answer.is_ok())
    }

    /// Refused: is it the send type? Each other one is tried with a pass of its own.
    fn send_with_other_type<C: By, S: SendsCode>(
        &mut self,
        stage: &Verify<C, S>,
        row: &'static Endpoint,
        error: &Error,
    ) -> Run<bool> {
        if self.findings.knows(send_type_check(row)) {
            return Ok(false);
        }
        let own = row.in_edition(self.calls.edition.kind()).and_then(|shape| shape.send_type);
        let given = self.tenant.given.send_type(row);
        let others = given.into_iter().chain(rows::send_types(row));
        for name in others.filter(|name| own.is_none_or(|own| own.as_str() != *name)) {
            let Some(pass) = self.pass(stage.destination())? else { return Ok(false) };
            self.announce(&checks::SEND, &[row]);
            let answer = altered::call(self.http, stage.send_code(&pass), |request| {
                altered::send_type(request, name);
            })?;
            if answer.is_ok() {
                self.messages += 1;
                let id = send_type_check(row);
                self.findings.differs(id, format!("{name} is accepted, the edition's is not: {error}"));
                self.calls.send_types.push((row, name.to_owned()));
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A solved captcha for the destination.
    fn pass(&mut self, destination: &str) -> Run<Option<CaptchaPass>> {
        if self.consent.wrong_attempts && self.gone.insert(Way::Captcha) {
            self.wrong_captcha(destination)?;
        }
        self.announce(&checks::CAPTCHA, &[&endpoints::CAPTCHA, &endpoints::CAPTCHA_VERIFY]);
        let captcha = self.client.captcha(&self.device).send()?;
        let Some(x) = self.supply.solve(&captcha) else { return Ok(None) };
        match captcha.solve(x, destination).send() {
            Ok(pass) => {
                self.findings.as_decided("C.captcha-y", "accepted");
                Ok(Some(pass))
            }
            Err(Error::Transport(error)) => Err(Stop(error.to_string())),
            Err(error) => {
                let why = format!("a solution was refused, by its x or by its y: {error}");
                self.findings.open("C.captcha-y", why);
                Ok(None)
            }
        }
    }

    /// At the left edge, where the piece starts: there it never fits. Then where it does.
    fn wrong_captcha(&mut self, destination: &str) -> Run {
        self.announce(&checks::WRONG_CAPTCHA, &[&endpoints::CAPTCHA, &endpoints::CAPTCHA_VERIFY]);
        let captcha = self.client.captcha(&self.device).send()?;
        let Some(x) = self.supply.solve(&captcha) else { return Ok(()) };
        if let Ok(_) | Err(Error::Transport(_)) = captcha.solve(0.0, destination).send() {
            self.findings.open("D13.captcha", "the wrong solution was not refused");
            return Ok(());
        }
        let answer = self.last()?;
        self.expect("D13.captcha", &answer, &[ErrorClass::NewCaptcha]);
        match captcha.solve(x, destination).send() {
            Ok(_) => self.findings.differs("E.captcha", "it was accepted in the second try"),
            Err(error) => self.findings.as_decided("E.captcha", error.to_string()),
        }
        Ok(())
    }

    pub(super) fn second_factor<O: Origin>(&mut self, stage: MfaRequired<O>) -> Run<Option<Outcome<O>>> {
        let given = self.supply.destination(Channel::Phone);
        // A number that another account has would be refused.
        let given = self.who.map_or(given, |who| self.supply.destination_of(who, Channel::Phone));
        let path = self.path(&endpoints::REGISTERED_MOBILE);
        let prefix = &self.calls.path_prefix;
        (self.say)(&format!("Next: ask for the number of the account that logs in: {prefix}{path}\n"));
        let (registered, why) = match stage.registered_mobile().send() {
            Ok(mobile) => {
                // The state token in hand works.
                if std::mem::take(&mut self.followed) {
                    self.findings.as_decided("D5", FOLLOWED);
                }
                (Some(mobile.expose().to_owned()), String::new())
            }
            Err(Error::Transport(error)) => return Err(Stop(error.to_string())),
            Err(error) => (None, format!("mobile-by-token: {error}")),
        };
        let form = self.last()?.form("mobile").map(Form::to_string);
        let stage = match (&registered, &given) {
            (Some(mobile), _) | (None, Some(mobile)) => match self.used_code(stage, mobile)? {
                Some(stage) => stage,
                None => return Ok(None),
            },
            (None, None) => stage,
        };
        if registered.is_none() {
            self.findings.open("D19", why);
        }
        let stage = if let Some(mobile) = registered.clone().or(given) {
            let asked = !self.gone.contains(&Way::Factor(Channel::Phone));
            match self.by_code_to(stage, Channel::Phone, mobile, Purpose::Factor)? {
                Passed::Stays(stage) => stage,
                passed => {
                    if let (true, Passed::On(_), Some(form)) = (asked && registered.is_some(), &passed, form)
                    {
                        self.findings.as_decided("D19", format!("accepted; {form}"));
                    }
                    return Ok(passed.outcome());
                }
            }
        } else {
            stage
        };
        let Some(address) = self.who.map_or_else(
            || self.supply.destination(Channel::Email),
            |who| self.supply.destination_of(who, Channel::Email),
        ) else {
            self.gone.insert(Way::Factor(Channel::Email));
            return Ok(None);
        };
        Ok(self.by_code_to(stage, Channel::Email, address, Purpose::Factor)?.outcome())
    }

    /// A code that completed an earlier second factor.
    fn used_code<O: Origin>(&mut self, stage: MfaRequired<O>, mobile: &str) -> Run<Option<MfaRequired<O>>> {
        let code = self.used_codes.remove(mobile).filter(|_| self.consent.wrong_attempts);
        let Some(code) = code.filter(|_| self.gone.insert(Way::Again)) else { return Ok(Some(stage)) };
        self.announce(&checks::CODE_TWICE, &[&endpoints::MFA_PHONE]);
        match self.take(stage.phone(mobile).submit(&code))? {
            Came::Back(error, stage) => {
                self.findings.as_decided("E.code", error.to_string());
                // Where a wrong code costs the state token, this one is dead now.
                Ok((!self.findings.differ("D14.code")).then(|| stage.back()))
            }
            Came::On(..) => {
                self.findings.differs("E.code", "it was accepted twice");
                Ok(None)
            }
            Came::Over(error) if is_dead(&error) => {
                self.findings.as_decided("E.code", error.to_string());
                Ok(None)
            }
            Came::Over(error) => {
                self.findings.open("E.code", error.to_string());
                Ok(None)
            }
        }
    }
}
