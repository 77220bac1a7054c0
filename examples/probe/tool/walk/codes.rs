//! Verification codes, whichever the stage and the channel; captchas; the second factor.

use idaas_login::endpoints::{self, CodeRows, Endpoint, Scenario};
use idaas_login::{
    AcceptsCode, Call, CaptchaPass, Error, ErrorClass, MfaRequired, NotAllowed, Outcome, PendingBind,
    PendingRegister, Stage, StateToken, Step, VerifyEmail, VerifyPhone,
};

use super::super::checks::{self, Act};
use super::super::record::{Form, Shape};
use super::super::rows;
use super::super::supply::Channel;
use super::steps::send_type_check;
use super::{Came, FOLLOWED, Probe, Run, Stop, Way, altered, is_dead};

/// What became of a stage.
pub enum Passed<S> {
    On(Outcome),
    Stays(S),
    Gone,
}

/// What a code is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Bind,
    Register,
    Factor,
}

impl Purpose {
    fn way(self, channel: Channel) -> Way {
        match self {
            Self::Bind => Way::Bind(channel),
            Self::Register => Way::Register(channel),
            Self::Factor => Way::Factor(channel),
        }
    }

    fn rows(self, channel: Channel) -> CodeRows {
        let scenario = match self {
            Self::Bind => Scenario::Bind,
            Self::Register => Scenario::Register,
            Self::Factor => Scenario::SecondFactor,
        };
        match channel {
            Channel::Phone => scenario.sms(),
            Channel::Email => scenario.email(),
        }
    }

    fn act(self, channel: Channel) -> &'static Act {
        match (self, channel) {
            (Self::Bind, Channel::Phone) => &checks::BIND_PHONE,
            (Self::Bind, Channel::Email) => &checks::BIND_EMAIL,
            (Self::Register, Channel::Phone) => &checks::REGISTER_PHONE,
            (Self::Register, Channel::Email) => &checks::REGISTER_EMAIL,
            (Self::Factor, Channel::Phone) => &checks::FACTOR_PHONE,
            (Self::Factor, Channel::Email) => &checks::FACTOR_EMAIL,
        }
    }
}

/// A stage that accepts codes, if the tenant allows the channel.
pub trait Narrow: AcceptsCode<Outcome = Outcome> {
    fn token(&self) -> StateToken;
    fn to_phone(self, mobile: String) -> Result<VerifyPhone<Self>, Self>;
    fn to_email(self, address: String) -> Result<VerifyEmail<Self>, Self>;
}

/// Where the tenant's list decides.
macro_rules! narrow_if_allowed {
    ($($stage:ty),+) => {$(
        impl Narrow for $stage {
            fn token(&self) -> StateToken {
                self.state_token().clone()
            }
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

impl Narrow for MfaRequired {
    fn token(&self) -> StateToken {
        self.state_token().clone()
    }
    fn to_phone(self, mobile: String) -> Result<VerifyPhone<Self>, Self> {
        Ok(self.phone(mobile))
    }
    fn to_email(self, address: String) -> Result<VerifyEmail<Self>, Self> {
        Ok(self.email(address))
    }
}

/// The two channels differ in nothing but names.
pub trait Verify: Stage {
    type Wide: Stage;
    fn to(&self) -> String;
    fn ask(&self, pass: &CaptchaPass) -> Call<()>;
    fn give(self, code: &str) -> Step<Self, Outcome>;
    fn widen(self) -> Self::Wide;
}

macro_rules! verify {
    ($name:ident) => {
        impl<S: Narrow> Verify for $name<S> {
            type Wide = S;
            fn to(&self) -> String {
                self.destination().to_owned()
            }
            fn ask(&self, pass: &CaptchaPass) -> Call<()> {
                self.send_code(pass)
            }
            fn give(self, code: &str) -> Step<Self, Outcome> {
                self.submit(code)
            }
            fn widen(self) -> S {
                self.back()
            }
        }
    };
}
verify!(VerifyPhone);
verify!(VerifyEmail);

impl Probe<'_> {
    /// The way by a code to the operator's number or address.
    pub(super) fn by_code<S: Narrow>(
        &mut self,
        stage: S,
        channel: Channel,
        purpose: Purpose,
    ) -> Run<Passed<S>> {
        let Some(destination) = self.supply.destination(channel) else {
            self.gone.insert(purpose.way(channel));
            return Ok(Passed::Stays(stage));
        };
        self.by_code_to(stage, channel, destination, purpose)
    }

    fn by_code_to<S: Narrow>(
        &mut self,
        stage: S,
        channel: Channel,
        destination: String,
        purpose: Purpose,
    ) -> Run<Passed<S>> {
        let rows = purpose.rows(channel);
        if !self.gone.insert(purpose.way(channel)) || !self.has(rows.send_code) || !self.has(rows.submit) {
            return Ok(Passed::Stays(stage));
        }
        self.state_token = Some(stage.token());
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

    fn verify<V: Verify>(&mut self, stage: V, channel: Channel, purpose: Purpose) -> Run<Passed<V::Wide>> {
        let submits = match purpose {
            Purpose::Bind => self.consent.bind,
            Purpose::Register => self.consent.register,
            Purpose::Factor => true,
        };
        // For a wrong code, too, there has to be one that it could be compared with.
        let early =
            if submits || self.consent.wrong_attempts { self.supply.early_code(channel) } else { None };
        let sent =
            early.is_none() && self.consent.send && self.send(&stage, purpose.rows(channel).send_code)?;
        let there = early.is_some() || sent;
        let Some(stage) = self.wrong_code(stage, channel, purpose, there)? else { return Ok(Passed::Gone) };
        if !submits || !there {
            return Ok(Passed::Stays(stage.widen()));
        }
        let Some(code) = early.or_else(|| self.supply.code(&stage.to(), channel)) else {
            return Ok(Passed::Stays(stage.widen()));
        };
        self.http.conceal(&code);
        self.announce(purpose.act(channel), &[purpose.rows(channel).submit]);
        self.right_code(stage, &code, channel, purpose)
    }

    fn right_code<V: Verify>(
        &mut self,
        stage: V,
        code: &str,
        channel: Channel,
        purpose: Purpose,
    ) -> Run<Passed<V::Wide>> {
        let destination = stage.to();
        let factor = match (purpose, channel) {
            (Purpose::Factor, Channel::Phone) => Some("D7.sms"),
            (Purpose::Factor, Channel::Email) => Some("D7.email"),
            _ => None,
        };
        match self.take(stage.give(code))? {
            Came::On(outcome, request) => {
                if let Some(id) = factor {
                    self.findings.as_decided(id, "accepted");
                    self.used_codes.insert(destination, code.to_owned());
                } else {
                    self.bound(&outcome, *request, purpose.rows(channel).submit)?;
                }
                Ok(Passed::On(outcome))
            }
            Came::Back(error, stage) => {
                if let Some(id) = factor {
                    self.findings.open(id, format!("the code was refused: {error}"));
                }
                Ok(Passed::Stays(stage.widen()))
            }
            Came::Over(error) => {
                if let Some(id) = factor {
                    self.findings.open(id, error.to_string());
                }
                Ok(Passed::Gone)
            }
        }
    }

    /// Twice: the second refusal shows whether the first one cost the state token. Not before a code was sent: then there
    /// is nothing that a code could be compared with.
    fn wrong_code<V: Verify>(
        &mut self,
        stage: V,
        channel: Channel,
        purpose: Purpose,
        there: bool,
    ) -> Run<Option<V>> {
        let id = match channel {
            Channel::Phone => "D14.code",
            Channel::Email => "D14.email",
        };
        if !self.consent.wrong_attempts || !there || !self.gone.insert(Way::WrongCode(channel)) {
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

    fn one_wrong_code<V: Verify>(&mut self, stage: V, wrong: &str, id: &'static str) -> Run<Option<V>> {
        match self.take(stage.give(wrong))? {
            Came::Back(_, stage) => Ok(Some(stage)),
            Came::On(..) => Err(Stop("a wrong code was accepted".to_owned())),
            Came::Over(error) => {
                self.findings.differs(id, format!("dead after a wrong code ({error})"));
                Ok(None)
            }
        }
    }

    /// Has a code sent; whether it was.
    fn send<V: Verify>(&mut self, stage: &V, row: &'static Endpoint) -> Run<bool> {
        let Some(pass) = self.pass(&stage.to())? else { return Ok(false) };
        self.announce(&checks::SEND, &[row]);
        match stage.ask(&pass).send() {
            Ok(()) => {
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
        if self.gone.insert(Way::PassAgain) {
            match stage.ask(&pass).send() {
                Ok(()) => self.findings.as_decided("E.pass", "it was accepted twice"),
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
    fn send_with_state_token<V: Verify>(
        &mut self,
        stage: &V,
        pass: &CaptchaPass,
        error: &Error,
    ) -> Run<bool> {
        let Some(token) = self.state_token.clone() else { return Ok(false) };
        let answer = altered::call(self.http, stage.ask(pass), |request| {
            altered::state_token(request, &token);
        })?;
        if answer.is_ok() {
            self.findings.differs("C.send-headers", format!("X-state-token is wanted; without: {error}"));
        } else {
            self.findings.open("C.send-headers", format!("refused with and without: {error}"));
        }
        Ok(answer.is_ok())
    }

    /// Refused: is it the send type? Each other one is tried with a pass of its own.
    fn send_with_other_type<V: Verify>(
        &mut self,
        stage: &V,
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
            let Some(pass) = self.pass(&stage.to())? else { return Ok(false) };
            self.announce(&checks::SEND, &[row]);
            let answer = altered::call(self.http, stage.ask(&pass), |request| {
                altered::send_type(request, name);
            })?;
            if answer.is_ok() {
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

    pub(super) fn second_factor(&mut self, stage: MfaRequired) -> Run<Option<Outcome>> {
        let given = self.supply.destination(Channel::Phone);
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
        Ok(self.by_code(stage, Channel::Email, Purpose::Factor)?.outcome())
    }

    /// A code that completed an earlier second factor.
    fn used_code(&mut self, stage: MfaRequired, mobile: &str) -> Run<Option<MfaRequired>> {
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
