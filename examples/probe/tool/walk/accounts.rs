//! Logins that begin with an account, or with what another app gives.

use idaas_login::endpoints::{self, Endpoint, StageKind};
use idaas_login::{Account, Error, ErrorClass, Outcome, Step, Unauthenticated};

use super::super::checks::{self, Act};
use super::super::supply::{Channel, Who};
use super::binding::{WRONG_PASSWORD, is_configuration};
use super::codes::{Passed, Purpose};
use super::{Came, Login, Probe, Run, Stop, Way};

/// The account whose password expires soon logs in no more often than this: to keep it, to give a wrong one, to change it.
const MAX_TURNS: usize = 3;

impl Probe<'_> {
    pub(super) fn accounts(&mut self) -> Run {
        self.apps()?;
        self.plain_account()?;
        for channel in [Channel::Phone, Channel::Email] {
            let Some(destination) = self.supply.destination_of(Who::Plain, channel) else { continue };
            let login = self.fresh()?;
            if let Passed::On(outcome) = self.by_code_to(login, channel, destination, Purpose::Login)? {
                self.go_on_as(Who::Plain, outcome)?;
            }
        }
        self.expiring_account()?;
        self.expired_account()?;
        self.account_with_both()?;
        self.self_service()
    }

    /// A login, of a client with what is known by now.
    pub(super) fn fresh(&mut self) -> Run<Unauthenticated> {
        self.rebuild()?;
        Ok(self.client.login(self.device.clone()))
    }

    fn go_on_as(&mut self, who: Who, outcome: Outcome<Account>) -> Run {
        self.who = Some(who);
        let went = self.go_on(outcome);
        self.who = None;
        went
    }

    /// Where each first factor leads; it is followed no further.
    fn apps(&mut self) -> Run {
        while let Some((row, values)) = self.supply.app_login() {
            for value in &values {
                self.http.conceal(value);
            }
            if !self.has(row) {
                continue;
            }
            self.announce(&checks::LOG_IN_APP, &[row]);
            let value = |at: usize| values.get(at).map(String::as_str).unwrap_or_default();
            let login = self.fresh()?;
            match row {
                row if *row == endpoints::LOGIN_WECHAT_MINI_PROGRAM_MOBILE => {
                    self.app(row, login.wechat_mini_program_mobile(value(0)))?;
                }
                row if *row == endpoints::LOGIN_ALIPAY_MINI_PROGRAM => {
                    self.app(row, login.alipay_mini_program(value(0)))?;
                }
                row if *row == endpoints::LOGIN_WECHAT_APP => self.app(row, login.wechat_app(value(0)))?,
                row if *row == endpoints::LOGIN_ALIPAY_APP => self.app(row, login.alipay_app(value(0)))?,
                row if *row == endpoints::LOGIN_QQ => self.app(row, login.qq(value(0), value(1)))?,
                row if *row == endpoints::LOGIN_WEIBO => self.app(row, login.weibo(value(0), value(1)))?,
                row if *row == endpoints::LOGIN_APPLE => self.app(row, login.apple(value(0)))?,
                row => self.app(row, login.carrier_one_tap(value(0)))?,
            }
        }
        Ok(())
    }

    fn app<O: Login>(&mut self, row: &'static Endpoint, step: Step<Unauthenticated, Outcome<O>>) -> Run {
        let name = super::super::rows::name(row);
        match self.take(step)? {
            Came::On(outcome, _) => {
                self.findings.as_decided("C.first-factors", format!("{name} leads to {}", outcome.kind()));
                if let Outcome::Authenticated(user) = outcome {
                    self.session(user)?;
                }
            }
            Came::Back(error, _) | Came::Over(error) => {
                self.findings.open("C.first-factors", format!("{name}: {error}"));
            }
        }
        Ok(())
    }

    fn plain_account(&mut self) -> Run {
        let Some((user_name, password)) = self.supply.account(Who::Plain) else { return Ok(()) };
        if self.locked {
            return Ok(());
        }
        let row = &endpoints::LOGIN_USERNAME_PASSWORD;
        // A bind shows more: a state token that lives or dies.
        if self.consent.wrong_attempts && self.has(row) && self.gone.insert(Way::WrongPassword) {
            self.wrong_login(&user_name)?;
        }
        if self.locked {
            return Ok(());
        }
        if self.has(row) {
            self.note_password(&user_name, true, 1)?;
            let step = self.fresh()?.username_password(&user_name, &password);
            let outcome = self.log_in(Who::Plain, "D28.login", &checks::LOG_IN_PASSWORD, row, step)?;
            if let Some(outcome) = outcome {
                self.go_on_as(Who::Plain, outcome)?;
            }
        }
        let row = &endpoints::LOGIN_IDENTIFIER_PASSWORD;
        if self.has(row) {
            self.note_password(&user_name, true, 1)?;
            let step = self.fresh()?.identifier_password(&user_name, &password);
            let outcome = self.log_in(Who::Plain, "C.identifier", &checks::LOG_IN_PASSWORD, row, step)?;
            if let Some(outcome) = outcome {
                self.go_on_as(Who::Plain, outcome)?;
            }
        }
        Ok(())
    }

    fn wrong_login(&mut self, user_name: &str) -> Run {
        self.note_password(user_name, false, 1)?;
        self.announce(&checks::WRONG_LOGIN, &[&endpoints::LOGIN_USERNAME_PASSWORD]);
        let step = self.fresh()?.username_password(user_name, WRONG_PASSWORD);
        match self.take(step)? {
            Came::On(..) => Err(Stop("a wrong password was accepted".to_owned())),
            Came::Back(error, _) | Came::Over(error) => {
                let answer = self.last()?;
                self.expect("D13.password", &answer, &[ErrorClass::WrongInput, ErrorClass::Locked]);
                self.hints(&answer, error.advice());
                Ok(())
            }
        }
    }

    /// By the password that the operator gave. One that is refused ends the probe: it counts against the account.
    fn log_in(
        &mut self,
        who: Who,
        id: &'static str,
        act: &'static Act,
        row: &'static Endpoint,
        step: Step<Unauthenticated, Outcome<Account>>,
    ) -> Run<Option<Outcome<Account>>> {
        self.announce(act, &[row]);
        match self.take(step)? {
            Came::On(outcome, _) => {
                let seen = self.last()?.status.unwrap_or_default();
                let told = match who {
                    Who::Expiring => outcome.kind() == StageKind::PasswordExpiring,
                    Who::Expired => outcome.kind() == StageKind::PasswordExpired,
                    Who::Plain | Who::Both => true,
                };
                if told {
                    self.findings.as_decided(id, seen);
                } else {
                    self.findings.open(
                        id,
                        format!("the account is answered {seen}: perhaps its password is not so old"),
                    );
                }
                Ok(Some(outcome))
            }
            Came::Back(error, _) if is_configuration(&error) => {
                self.findings.differs(id, error.to_string());
                Ok(None)
            }
            Came::Back(error, _) if id != "C.identifier" => Err(Stop(format!(
                "{} with its password was refused ({error}); nothing more is tried",
                who.variable()
            ))),
            Came::Over(Error::AccessDenied) => {
                self.findings.open(id, "the tenant denies the account");
                Ok(None)
            }
            Came::Back(error, _) | Came::Over(error) => {
                self.findings.differs(id, error.to_string());
                Ok(None)
            }
        }
    }

    fn by_own_password(
        &mut self,
        who: Who,
        id: &'static str,
        act: &'static Act,
    ) -> Run<Option<Outcome<Account>>> {
        let row = &endpoints::LOGIN_USERNAME_PASSWORD;
        let Some((user_name, password)) = self.supply.account(who).filter(|_| self.has(row)) else {
            return Ok(None);
        };
        self.note_password(&user_name, true, 1)?;
        let step = self.fresh()?.username_password(user_name, password);
        self.log_in(who, id, act, row, step)
    }

    fn expiring_account(&mut self) -> Run {
        if let Some(mobile) = self.supply.destination_of(Who::Expiring, Channel::Phone) {
            let login = self.fresh()?;
            if let Passed::On(outcome) = self.by_code_to(login, Channel::Phone, mobile, Purpose::Expiring)? {
                let seen = self.last()?.status.unwrap_or_default();
                self.findings.as_decided("D22.sms", seen);
                self.go_on_as(Who::Expiring, outcome)?;
            }
        }
        let changes = self.may_change();
        let wrong = self.consent.wrong_attempts && self.supply.new_password().is_some();
        for turn in 0..MAX_TURNS {
            let left = !self.gone.contains(&Way::Keep)
                || wrong && !self.gone.contains(&Way::WrongOld)
                || changes && !self.gone.contains(&Way::Change(Who::Expiring));
            // Once at any rate: it shows whether a login by password tells.
            if turn > 0 && !left {
                break;
            }
            let Some(outcome) = self.by_own_password(Who::Expiring, "D22.password", &checks::EXPIRING)?
            else {
                break;
            };
            let tells = outcome.kind() == StageKind::PasswordExpiring;
            self.go_on_as(Who::Expiring, outcome)?;
            if !tells {
                break;
            }
        }
        Ok(())
    }

    /// Twice, if the first login was lost to a question.
    fn expired_account(&mut self) -> Run {
        for _ in 0..2 {
            let Some(outcome) = self.by_own_password(Who::Expired, "D22.expired", &checks::EXPIRED)? else {
                break;
            };
            self.go_on_as(Who::Expired, outcome)?;
            if !self.may_change() || !self.expired_is_dead {
                break;
            }
        }
        Ok(())
    }

    /// Whether the probe may change a password, and knows to which.
    pub(super) fn may_change(&self) -> bool {
        self.consent.password_change && self.supply.new_password().is_some()
    }

    fn account_with_both(&mut self) -> Run {
        let Some(outcome) = self.by_own_password(Who::Both, "D28.login", &checks::BOTH)? else {
            return Ok(());
        };
        self.factor_again = true;
        self.go_on_as(Who::Both, outcome)?;
        self.factor_again = false;
        let came_to: Vec<_> = self.came_to.iter().filter_map(|kind| status(*kind)).collect();
        match came_to.first() {
            Some(&"SUCCESS") | None => {
                self.findings.open("D43", "the account owes neither of both");
            }
            Some(_) => self.findings.as_decided("D43", came_to.join(", then ")),
        }
        Ok(())
    }
}

/// The status that leads to a stage.
fn status(kind: StageKind) -> Option<&'static str> {
    Some(match kind {
        StageKind::Authenticated => "SUCCESS",
        StageKind::PendingBind => "SOCIAL_BIND",
        StageKind::PendingRegister => "USER_REGISTER",
        StageKind::MfaRequired => "MFA_AUTH",
        StageKind::PasswordExpiring => "PASSWORD_WARN",
        StageKind::PasswordExpired => "PASSWORD_EXPIRED",
        _ => return None,
    })
}
