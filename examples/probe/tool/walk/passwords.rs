//! `PASSWORD_WARN` and `PASSWORD_EXPIRED`.

use idaas_login::endpoints;
use idaas_login::http::Method;
use idaas_login::{Error, ErrorClass, Origin, Outcome, PasswordExpired, PasswordExpiring, Request};

use super::super::checks::{self, Act};
use super::super::supply::{Channel, Who};
use super::binding::WRONG_PASSWORD;
use super::codes::Purpose;
use super::looking::to;
use super::{Came, Probe, Run, Stop, Way, altered, is_dead};

impl Probe<'_> {
    /// Keeps the password. That of the account that was named for it is changed, once it is known what keeping leads to.
    pub(super) fn expiring<O: Origin>(&mut self, stage: PasswordExpiring<O>) -> Run<Option<Outcome<O>>> {
        let known = self.gone.contains(&Way::Keep) || !self.has(&endpoints::KEEP_PASSWORD);
        let account = self.supply.account(Who::Expiring).zip(self.supply.new_password());
        match account.filter(|_| known && self.who == Some(Who::Expiring)) {
            Some(((user_name, old), new)) => {
                let Some(stage) = self.wrong_old_password(stage, &user_name, &new)? else { return Ok(None) };
                self.change_expiring(stage, &user_name, &old, &new)
            }
            None if self.has(&endpoints::KEEP_PASSWORD) => self.keep(stage),
            None => Ok(None),
        }
    }

    fn keep<O: Origin>(&mut self, stage: PasswordExpiring<O>) -> Run<Option<Outcome<O>>> {
        self.gone.insert(Way::Keep);
        self.announce(&checks::EXPIRING, &[&endpoints::KEEP_PASSWORD]);
        match self.take(stage.keep_password())? {
            Came::On(outcome, _) => {
                let seen = self.last()?.status.unwrap_or_default();
                self.findings.as_decided("D23.keep", seen);
                Ok(Some(outcome))
            }
            Came::Over(Error::AccessDenied) => {
                self.findings.as_decided("D23.keep", "ACCESS_DENIED");
                Ok(None)
            }
            Came::Back(error, _) | Came::Over(error) => {
                self.findings.differs("D23.keep", error.to_string());
                Ok(None)
            }
        }
    }

    /// Twice: the second refusal shows whether the first one cost the state token.
    fn wrong_old_password<O: Origin>(
        &mut self,
        stage: PasswordExpiring<O>,
        user_name: &str,
        new: &str,
    ) -> Run<Option<PasswordExpiring<O>>> {
        let row = &endpoints::CHANGE_EXPIRING_PASSWORD;
        if !self.consent.wrong_attempts || !self.has(row) || !self.gone.insert(Way::WrongOld) {
            return Ok(Some(stage));
        }
        self.note_password(user_name, false, 2)?;
        self.announce(&checks::WRONG_OLD, &[row]);
        let stage = match self.take(stage.change_password(WRONG_PASSWORD, new))? {
            Came::Back(_, stage) => stage,
            Came::On(..) => return Err(Stop("a wrong old password was accepted".to_owned())),
            Came::Over(error) => {
                self.findings.differs("D14.change", format!("the first refusal says so: {error}"));
                return Ok(None);
            }
        };
        let first = self.last()?;
        self.expect("D28.old", &first, &[ErrorClass::WrongInput, ErrorClass::Locked]);
        if matches!(first.refusal, Some((_, ErrorClass::Locked))) {
            // The right password would be refused, too.
            self.gone.insert(Way::Change(Who::Expiring));
            self.findings.open("D14.change", "the account is locked");
            return Ok(None);
        }
        match self.take(stage.change_password(WRONG_PASSWORD, new))? {
            Came::Back(_, stage) => {
                let second = self.last()?;
                if matches!(second.refusal, Some((_, ErrorClass::Locked))) {
                    self.gone.insert(Way::Change(Who::Expiring));
                }
                Ok(self.lives("D14.change", &first, &second).then_some(stage))
            }
            Came::Over(error) => {
                self.findings.differs("D14.change", format!("dead after a wrong old password ({error})"));
                Ok(None)
            }
            Came::On(..) => Err(Stop("a wrong old password was accepted".to_owned())),
        }
    }

    fn change_expiring<O: Origin>(
        &mut self,
        stage: PasswordExpiring<O>,
        user_name: &str,
        old: &str,
        new: &str,
    ) -> Run<Option<Outcome<O>>> {
        let row = &endpoints::CHANGE_EXPIRING_PASSWORD;
        if !self.may_change() || !self.has(row) || !self.gone.insert(Way::Change(Who::Expiring)) {
            return Ok(None);
        }
        self.note_password(user_name, true, 1)?;
        self.announce(&checks::CHANGE, &[row]);
        let came = self.take(stage.change_password(old, new))?;
        self.changed("D23.change", came)
    }

    fn changed<S, O: Origin>(
        &mut self,
        id: &'static str,
        came: Came<S, Outcome<O>>,
    ) -> Run<Option<Outcome<O>>> {
        match came {
            Came::On(outcome, _) => {
                let seen = self.last()?.status.unwrap_or_default();
                self.findings.as_decided(id, seen);
                Ok(Some(outcome))
            }
            Came::Over(Error::AccessDenied) => {
                self.findings.as_decided(id, "ACCESS_DENIED");
                Ok(None)
            }
            Came::Back(error, _) => {
                self.findings.open(id, format!("the change was refused: {error}"));
                Ok(None)
            }
            Came::Over(error) => {
                self.expired_is_dead = is_dead(&error);
                self.findings.open(id, error.to_string());
                Ok(None)
            }
        }
    }

    /// Changed, by a code if the tenant has that, if it is the account that was named for it.
    pub(super) fn expired<O: Origin>(&mut self, stage: PasswordExpired<O>) -> Run<Option<Outcome<O>>> {
        self.expired_is_dead = false;
        let Some(who @ (Who::Expired | Who::Both)) = self.who else { return Ok(None) };
        let Some(((user_name, old), new)) = self.supply.account(who).zip(self.supply.new_password()) else {
            return Ok(None);
        };
        let stage = if who == Who::Expired { self.keep_expired(stage, &old, &new)? } else { Some(stage) };
        let Some(stage) = stage.filter(|_| self.may_change()) else { return Ok(None) };
        let mobile = self.supply.destination_of(who, Channel::Phone);
        let rows = Purpose::Change.rows(Channel::Phone);
        let by_code = who == Who::Expired && self.has(rows.send_code) && self.has(rows.submit);
        if by_code
            && let Some(mobile) = mobile
            && self.gone.insert(Way::ChangeByCode)
        {
            return self.change_by_code(stage, mobile, &new);
        }
        let act = if who == Who::Both { &checks::CHANGE_BOTH } else { &checks::CHANGE_EXPIRED };
        self.change_expired(stage, act, &user_name, &old, &new)
    }

    /// The types have no such step, so it is sent in the place of another one.
    fn keep_expired<O: Origin>(
        &mut self,
        stage: PasswordExpired<O>,
        old: &str,
        new: &str,
    ) -> Run<Option<PasswordExpired<O>>> {
        let row = &endpoints::KEEP_PASSWORD;
        if !self.consent.wrong_attempts || !self.has(row) || !self.gone.insert(Way::KeepExpired) {
            return Ok(Some(stage));
        }
        self.announce(&checks::KEEP_EXPIRED, &[row]);
        let path = format!("{}{}", self.calls.path_prefix, self.path(row));
        let (answer, stage) =
            altered::step(self.http, stage.change_password(old, new), |request: &mut Request| {
                to(request, Method::from(row.verb), &path);
                request.body_mut().clear();
            })?;
        if answer.went_on() {
            self.findings.differs("D21", format!("it was kept: {}", answer.brief()));
            // Its state token may be used up.
            self.expired_is_dead = true;
            return Ok(None);
        }
        self.findings.as_decided("D21", answer.brief());
        Ok(Some(stage))
    }

    fn change_expired<O: Origin>(
        &mut self,
        stage: PasswordExpired<O>,
        act: &'static Act,
        user_name: &str,
        old: &str,
        new: &str,
    ) -> Run<Option<Outcome<O>>> {
        let row = &endpoints::CHANGE_EXPIRED_PASSWORD;
        if !self.has(row) {
            return Ok(None);
        }
        self.note_password(user_name, true, 1)?;
        self.announce(act, &[row]);
        let came = self.take(stage.change_password(old, new))?;
        self.changed("D23.change", came)
    }

    fn change_by_code<O: Origin>(
        &mut self,
        stage: PasswordExpired<O>,
        mobile: String,
        new: &str,
    ) -> Run<Option<Outcome<O>>> {
        self.http.conceal(&mobile);
        let stage = stage.phone(mobile);
        let (early, there) = self.get_code(&stage, Channel::Phone, Purpose::Change, true)?;
        let destination = stage.destination().to_owned();
        let code = early.or_else(|| there.then(|| self.supply.code(&destination, Channel::Phone)).flatten());
        let Some(code) = code else {
            self.findings.open("D23.code", "no code was there");
            return Ok(None);
        };
        self.http.conceal(&code);
        self.announce(Purpose::Change.act(Channel::Phone), &[Purpose::Change.rows(Channel::Phone).submit]);
        let came = self.take(stage.submit(code, new))?;
        self.changed("D23.code", came)
    }
}
