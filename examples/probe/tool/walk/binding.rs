//! `SOCIAL_BIND` and `USER_REGISTER`.

use idaas_login::endpoints::{self, Endpoint, FieldKind};
use idaas_login::{
    Advice, Error, ErrorClass, Origin, Outcome, PendingBind, PendingRegister, Request, WeChatMiniProgram,
};

use super::super::checks;
use super::super::record::Exchange;
use super::super::supply::Channel;
use super::codes::{Passed, Purpose};
use super::{Came, Probe, Run, Stop, Way, altered, is_dead};

const FIELD: &str = "wechat_code";
const OTHER_FIELD: &str = "wchat_code";
const MADE_UP: &str = "idaas-login-probe-made-up-code";
pub(super) const WRONG_PASSWORD: &str = "idaas-login-probe-Wrong-1";

impl Probe<'_> {
    /// Asks what can be asked without binding, and then binds, by a way that was not taken yet.
    pub(super) fn bind(&mut self, stage: PendingBind) -> Run<Option<Outcome>> {
        let Some(stage) = self.wechat_field(stage)? else { return Ok(None) };
        let Some(stage) = self.wrong_password(stage)? else { return Ok(None) };
        let stage = match self.used_phone_code(stage)? {
            Passed::Stays(stage) => stage,
            passed => return Ok(passed.outcome()),
        };
        if self.gone.insert(Way::BindPassword)
            && self.consent.bind
            && self.has(&endpoints::BIND_USERNAME_PASSWORD)
            && let Some((user_name, password)) = self.supply.user_name().zip(self.supply.password())
        {
            return self.by_password(stage, &user_name, &password);
        }
        // Once more if no bind led to another stage yet: this one may.
        let again = self.all_ways_to_bind_are_gone() && !self.findings.knows("E.new-state-token");
        if (self.gone.insert(Way::BindWechat) || again)
            && self.consent.bind
            && self.has(&endpoints::BIND_WECHAT_MOBILE)
            && let Some(code) = self.phone_code()
        {
            return self.by_phone_code(stage, &code);
        }
        match self.by_code(stage, Channel::Phone, Purpose::Bind)? {
            Passed::Stays(stage) => Ok(self.by_code(stage, Channel::Email, Purpose::Bind)?.outcome()),
            passed => Ok(passed.outcome()),
        }
    }

    pub(super) fn register(&mut self, stage: PendingRegister) -> Run<Option<Outcome>> {
        if self.gone.insert(Way::RegisterWechat)
            && self.consent.register
            && self.has(&endpoints::REGISTER_WECHAT_MOBILE)
            && let Some(code) = self.phone_code()
        {
            self.announce(&checks::REGISTER_WECHAT, &[&endpoints::REGISTER_WECHAT_MOBILE]);
            return Ok(match self.take(stage.wechat_mobile(&code))? {
                Came::On(outcome, _) => {
                    self.findings.as_decided("D6.register", "accepted");
                    Some(outcome)
                }
                Came::Back(error, _) | Came::Over(error) => {
                    self.findings.differs("D6.register", error.to_string());
                    None
                }
            });
        }
        match self.by_code(stage, Channel::Phone, Purpose::Register)? {
            Passed::Stays(stage) => Ok(self.by_code(stage, Channel::Email, Purpose::Register)?.outcome()),
            passed => Ok(passed.outcome()),
        }
    }

    fn all_ways_to_bind_are_gone(&self) -> bool {
        [Channel::Phone, Channel::Email].iter().all(|channel| self.gone.contains(&Way::Bind(*channel)))
    }

    fn phone_code(&mut self) -> Option<String> {
        let code = self.supply.phone_code()?;
        self.http.conceal(&code);
        Some(code)
    }

    /// Under which name is a code of the button read? A made-up one is answered in another way than none at all.
    fn wechat_field(&mut self, stage: PendingBind) -> Run<Option<PendingBind>> {
        let asks = self.consent.wrong_attempts && self.has(&endpoints::BIND_WECHAT_MOBILE);
        if !asks || !self.gone.insert(Way::Field) {
            self.gone.insert(Way::Field);
            return Ok(Some(stage));
        }
        self.announce(&checks::FIELD, &[&endpoints::BIND_WECHAT_MOBILE]);
        let ask = |stage: PendingBind, to| {
            let step = stage.wechat_mobile(MADE_UP);
            let names = [FIELD, OTHER_FIELD];
            altered::step(self.http, step, |request: &mut Request| altered::rename_field(request, names, to))
        };
        let (none, stage) = ask(stage, None)?;
        let (first, stage) = ask(stage, Some(FIELD))?;
        let (second, stage) = ask(stage, Some(OTHER_FIELD))?;
        let read = |answer: &Exchange| !answer.is_dead_token() && !same(answer, &none);
        match (read(&first), read(&second)) {
            (true, _) => self.findings.as_decided("D3", "it is read"),
            (false, true) => self.findings.differs("D3", "wchat_code is read, wechat_code is not"),
            (false, false) => {
                let why = format!("a made-up code is refused as none at all is ({})", first.brief());
                self.findings.open("D3", why);
            }
        }
        // Both names were given a wrong code, if either is read; what came of the token shows in the next response.
        if none.is_dead_token() {
            self.findings.open("D14.wechat", "the state token was refused before any code was given");
            return Ok(None);
        }
        let (after, stage) = ask(stage, None)?;
        if [&first, &second, &after].iter().any(|answer| answer.is_dead_token()) || !same(&none, &after) {
            self.findings.differs("D14.wechat", format!("dead after a wrong code ({})", first.brief()));
            return Ok(None);
        }
        self.findings.as_decided("D14.wechat", "it lives");
        Ok(Some(stage))
    }

    /// Twice: the second refusal shows whether the first one cost the state token.
    fn wrong_password(&mut self, stage: PendingBind) -> Run<Option<PendingBind>> {
        let asks = self.consent.wrong_attempts && self.has(&endpoints::BIND_USERNAME_PASSWORD);
        let user_name = self.supply.user_name().filter(|_| asks);
        let Some(user_name) = user_name.filter(|_| !self.gone.contains(&Way::WrongPassword)) else {
            self.gone.insert(Way::WrongPassword);
            return Ok(Some(stage));
        };
        self.gone.insert(Way::WrongPassword);
        self.note_password(&user_name, false, 2)?;
        self.announce(&checks::WRONG_PASSWORD, &[&endpoints::BIND_USERNAME_PASSWORD]);
        let wrong = WRONG_PASSWORD;
        let (advice, stage) = match self.take(stage.username_password(&user_name, wrong))? {
            Came::Back(error, stage) => (error.advice(), stage),
            Came::On(..) => return Err(Stop("a wrong password was accepted".to_owned())),
            Came::Over(error) => {
                self.findings.differs("D14.password", format!("the first refusal says so: {error}"));
                return Ok(None);
            }
        };
        let first = self.last()?;
        self.expect("D13.password", &first, &[ErrorClass::WrongInput, ErrorClass::Locked]);
        self.hints(&first, advice);
        match self.take(stage.username_password(&user_name, wrong))? {
            Came::Back(error, stage) => {
                let second = self.last()?;
                self.hints(&second, error.advice());
                Ok(self.lives("D14.password", &first, &second).then_some(stage))
            }
            Came::Over(error) => {
                self.findings.differs("D14.password", format!("dead after a wrong password ({error})"));
                Ok(None)
            }
            Came::On(..) => Err(Stop("a wrong password was accepted".to_owned())),
        }
    }

    /// What the refusal of a wrong password tells.
    pub(super) fn hints(&mut self, answer: &Exchange, advice: Advice) {
        if let Some((_, ErrorClass::Locked)) = answer.refusal {
            let told = if answer.unlocks_in.is_some() { "when it ends is told" } else { "it tells no time" };
            self.findings.as_decided("D27.lock", format!("{}; {told}; {advice}", answer.brief()));
            // The right password would be refused, too.
            self.gone.insert(Way::BindPassword);
            self.locked = true;
        } else {
            let told = if answer.attempts_left.is_some() { "told" } else { "not told" };
            self.findings.as_decided("D27.attempts", format!("{told}; {advice}"));
        }
    }

    /// A code of the button that an earlier login used.
    fn used_phone_code(&mut self, stage: PendingBind) -> Run<Passed<PendingBind, WeChatMiniProgram>> {
        let Some(code) = self.used_phone_code.take().filter(|_| self.consent.wrong_attempts) else {
            return Ok(Passed::Stays(stage));
        };
        self.announce(&checks::PHONE_TWICE, &[&endpoints::BIND_WECHAT_MOBILE]);
        match self.take(stage.wechat_mobile(&code))? {
            Came::Back(error, stage) => {
                self.findings.as_decided("E.phone-code", error.to_string());
                // Where a wrong code costs the state token, this one is dead now.
                Ok(if self.findings.differ("D14.wechat") { Passed::Gone } else { Passed::Stays(stage) })
            }
            Came::On(outcome, _) => {
                self.findings.differs("E.phone-code", "it was accepted twice");
                Ok(Passed::On(outcome))
            }
            Came::Over(error) => {
                self.note_gone("E.phone-code", &error);
                Ok(Passed::Gone)
            }
        }
    }

    fn note_gone(&mut self, id: &'static str, error: &Error) {
        if is_dead(error) {
            self.findings.open(id, format!("the state token is dead: {error}"));
        } else {
            self.findings.open(id, error.to_string());
        }
    }

    fn by_password(&mut self, stage: PendingBind, user_name: &str, password: &str) -> Run<Option<Outcome>> {
        // The request is sent twice.
        self.note_password(user_name, true, 2)?;
        self.announce(&checks::BIND_PASSWORD, &[&endpoints::BIND_USERNAME_PASSWORD]);
        match self.take(stage.username_password(user_name, password))? {
            Came::On(outcome, request) => {
                self.findings.as_decided("D6.password", "accepted");
                self.bound(&outcome, *request, &endpoints::BIND_USERNAME_PASSWORD)?;
                Ok(Some(outcome))
            }
            Came::Back(error, _) if is_configuration(&error) => {
                self.findings.differs("D6.password", error.to_string());
                Ok(None)
            }
            // Not once more with this account: it may get locked.
            Came::Back(error, _) => Err(Stop(format!(
                "IDAAS_PROBE_USER_NAME with IDAAS_PROBE_PASSWORD was refused ({error}); nothing more is tried"
            ))),
            Came::Over(error) => {
                self.note_gone("D6.password", &error);
                Ok(None)
            }
        }
    }

    fn by_phone_code(&mut self, stage: PendingBind, code: &str) -> Run<Option<Outcome>> {
        self.announce(&checks::BIND_WECHAT, &[&endpoints::BIND_WECHAT_MOBILE]);
        match self.take(stage.wechat_mobile(code))? {
            Came::On(outcome, request) => {
                self.findings.as_decided("D6.wechat", "accepted");
                if !self.findings.differ("D3") {
                    self.findings.as_decided("D3", "it is read");
                }
                self.used_phone_code = Some(code.to_owned());
                self.bound(&outcome, *request, &endpoints::BIND_WECHAT_MOBILE)?;
                Ok(Some(outcome))
            }
            // Not the same code under the other name: it is spent.
            Came::Back(error, _) if !self.findings.knows("D3") => {
                self.findings.open("D3", format!("the code was refused: {error}"));
                self.findings.open("D6.wechat", format!("the code was refused: {error}"));
                Ok(None)
            }
            Came::Back(error, _) if is_configuration(&error) => {
                self.findings.differs("D6.wechat", error.to_string());
                Ok(None)
            }
            Came::Back(error, _) | Came::Over(error) => {
                self.note_gone("D6.wechat", &error);
                Ok(None)
            }
        }
    }

    /// After a bind: is its state token used up, or is there a new one?
    pub(super) fn bound<O: Origin>(&mut self, outcome: &Outcome<O>, request: Request, row: &Endpoint) -> Run {
        if let Outcome::Authenticated(_) = outcome {
            let is_code = |kind| matches!(kind, FieldKind::Code | FieldKind::PlatformCode);
            // A request with a code is never repeated.
            let has_code = row.fields.iter().any(|field| is_code(field.kind));
            if has_code || self.findings.knows("E.state-token") {
                return Ok(());
            }
            let answer = altered::again(self.http, request)?;
            if answer.is_dead_token() {
                self.findings.as_decided("E.state-token", answer.brief());
            } else {
                self.findings.differs("E.state-token", answer.brief());
            }
            return Ok(());
        }
        let answer = self.last()?;
        let in_hand = request.headers().get("x-state-token").map(|value| value.as_bytes().to_vec());
        let new = match outcome {
            Outcome::PendingBind(stage) => stage.state_token().expose(),
            Outcome::PendingRegister(stage) => stage.state_token().expose(),
            Outcome::MfaRequired(stage) => stage.state_token().expose(),
            Outcome::PasswordExpiring(stage) => stage.state_token().expose(),
            Outcome::PasswordExpired(stage) => stage.state_token().expose(),
            Outcome::Authenticated(_) => return Ok(()),
        };
        let status = answer.status.clone().unwrap_or_default();
        if answer.form("state_token").is_none() {
            self.findings.differs("E.new-state-token", format!("{status} comes without one"));
        } else if in_hand.is_some_and(|in_hand| in_hand == new.as_bytes()) {
            self.findings.differs("E.new-state-token", format!("{status} comes with the one in hand"));
        } else {
            self.findings.as_decided("E.new-state-token", format!("{status} comes with a new one"));
        }
        self.findings.open("D5", "a bind led to another stage, and no step was taken there");
        self.followed = true;
        Ok(())
    }
}

/// Whether two refusals are the same one.
pub(super) fn same(one: &Exchange, other: &Exchange) -> bool {
    let code = |answer: &Exchange| answer.refusal.as_ref().map(|(code, _)| code.clone());
    one.http_status == other.http_status && code(one) == code(other) && one.status == other.status
}

pub(super) fn is_configuration(error: &Error) -> bool {
    error.class() == Some(ErrorClass::Configuration)
}

/// Only a stage that stays can be gone on with.
impl<S, O: Origin> Passed<S, O> {
    pub(super) fn outcome(self) -> Option<Outcome<O>> {
        match self {
            Self::On(outcome) => Some(outcome),
            Self::Stays(_) | Self::Gone => None,
        }
    }
}
