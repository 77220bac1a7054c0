//! Registration, and passwords that were forgotten.

use idaas_login::endpoints;
use idaas_login::{
    Account, Channel as By, Error, ErrorClass, Outcome, PasswordReset, Registration, RegistrationAttributes,
    Verify, VerifyPhone,
};

use super::super::checks;
use super::super::record::Form;
use super::super::supply::{Channel, Who};
use super::binding::is_configuration;
use super::codes::{Passed, Purpose};
use super::{Came, Probe, Run, Way};

impl Probe<'_> {
    pub(super) fn self_service(&mut self) -> Run {
        for channel in [Channel::Phone, Channel::Email] {
            self.registration(channel)?;
        }
        self.unknown_number()?;
        for channel in [Channel::Phone, Channel::Email] {
            self.reset(channel)?;
        }
        Ok(())
    }

    fn registration(&mut self, channel: Channel) -> Run {
        let rows = Purpose::Registration.rows(channel);
        if !self.consent.register || !self.has(rows.send_code) || !self.has(rows.submit) {
            return Ok(());
        }
        if !self.gone.insert(Purpose::Registration.way(channel)) {
            return Ok(());
        }
        let Some(destination) = self.supply.new_destination(channel) else { return Ok(()) };
        self.http.conceal(&destination);
        let login = self.fresh()?;
        match channel {
            Channel::Phone => {
                let attributes = self.supply.attributes();
                let stage = login.register(attributes.clone()).phone(destination);
                let Some(code) = self.code_of(&stage, channel, Purpose::Registration)? else { return Ok(()) };
                let taken = self.supply.destination_of(Who::Plain, Channel::Email);
                let taken = taken.filter(|_| self.consent.wrong_attempts);
                match taken {
                    Some(taken) => self.register_after_refusal(stage, &code, attributes, taken),
                    None => self.register_with(stage, &code, channel),
                }
            }
            Channel::Email => {
                let stage = login.register(RegistrationAttributes::new()).email(destination);
                let Some(code) = self.code_of(&stage, channel, Purpose::Registration)? else { return Ok(()) };
                self.register_with(stage, &code, channel)
            }
        }
    }

    /// A code for a stage, if there is one.
    fn code_of<C: By, S: idaas_login::SendsCode>(
        &mut self,
        stage: &Verify<C, S>,
        channel: Channel,
        purpose: Purpose,
    ) -> Run<Option<String>> {
        let (early, there) = self.get_code(stage, channel, purpose, true)?;
        let sent = |probe: &mut Self| probe.supply.code(stage.destination(), channel);
        let code = if early.is_none() && there { sent(self) } else { early };
        if let Some(code) = &code {
            self.http.conceal(code);
        }
        Ok(code)
    }

    /// First with an address that an account has; what that costs the code shows in the second try.
    fn register_after_refusal(
        &mut self,
        stage: VerifyPhone<Registration>,
        code: &str,
        attributes: RegistrationAttributes,
        taken: String,
    ) -> Run {
        let row = &endpoints::REGISTRATION_PHONE;
        let mobile = stage.destination().to_owned();
        self.announce(&checks::REGISTRATION_REFUSED, &[row]);
        let stage = stage.back().with_attributes(attributes.clone().email(taken)).phone(&mobile);
        match self.take(stage.submit(code))? {
            Came::On(outcome, _) => {
                self.findings.open("E.registration-code", "an address that an account has is accepted");
                self.registered(outcome)
            }
            Came::Over(error) => {
                self.findings.open("E.registration-code", error.to_string());
                Ok(())
            }
            Came::Back(refused, stage) => {
                let stage = stage.back().with_attributes(attributes).phone(mobile);
                self.announce(&checks::REGISTRATION_PHONE, &[row]);
                match self.take(stage.submit(code))? {
                    Came::On(outcome, _) => {
                        self.findings.as_decided("E.registration-code", format!("it works after: {refused}"));
                        self.registered(outcome)
                    }
                    Came::Back(error, _) | Came::Over(error) => {
                        if error.class() == Some(ErrorClass::WrongInput) {
                            let seen = format!("after: {refused}: {error}");
                            self.findings.differs("E.registration-code", seen);
                        } else {
                            self.findings.open("E.registration-code", error.to_string());
                        }
                        self.not_registered(&error, Channel::Phone);
                        Ok(())
                    }
                }
            }
        }
    }

    fn register_with<C: By>(&mut self, stage: Verify<C, Registration>, code: &str, channel: Channel) -> Run {
        self.announce(Purpose::Registration.act(channel), &[Purpose::Registration.rows(channel).submit]);
        match self.take(stage.submit(code))? {
            Came::On(outcome, _) => {
                if channel == Channel::Email {
                    self.findings.as_decided("D34.attributes", "none is needed");
                }
                self.registered(outcome)
            }
            Came::Back(error, _) | Came::Over(error) => {
                self.not_registered(&error, channel);
                Ok(())
            }
        }
    }

    fn registered(&mut self, outcome: Outcome<Account>) -> Run {
        let answer = self.last()?;
        self.findings.as_decided("D34.answer", answer.status.clone().unwrap_or_default());
        let there = matches!(answer.form("id_token"), Some(Form::Text { length: 1.., .. }));
        let seen = if there { "there is one" } else { "there is none" };
        self.findings.as_decided("D34.id-token", seen);
        self.go_on(outcome)
    }

    fn not_registered(&mut self, error: &Error, channel: Channel) {
        if channel == Channel::Phone {
            self.findings.open("D34.answer", format!("refused with IDAAS_PROBE_ATTRIBUTES: {error}"));
        } else if is_configuration(error) {
            self.findings.as_decided("D34.attributes", format!("refused without any: {error}"));
        } else {
            self.findings.open("D34.attributes", error.to_string());
        }
    }

    fn unknown_number(&mut self) -> Run {
        if !self.consent.register || self.gone.contains(&Purpose::Unknown.way(Channel::Phone)) {
            return Ok(());
        }
        let Some(mobile) = self.supply.new_destination(Channel::Phone) else { return Ok(()) };
        let login = self.fresh()?;
        if let Passed::On(outcome) = self.by_code_to(login, Channel::Phone, mobile, Purpose::Unknown)? {
            let seen = self.last()?.status.unwrap_or_default();
            self.findings.as_decided("E.login-registers", format!("it does: {seen}"));
            self.go_on(outcome)?;
        }
        Ok(())
    }

    /// What a refusal of a right code says, beside what the stage makes of it.
    pub(super) fn refused_in(&mut self, purpose: Purpose, error: &Error) {
        match purpose {
            Purpose::Unknown => {
                self.findings.as_decided("E.login-registers", format!("it does not: {error}"));
            }
            Purpose::Expiring => self.findings.open("D22.sms", error.to_string()),
            _ => {}
        }
    }

    fn reset(&mut self, channel: Channel) -> Run {
        let rows = Purpose::Reset.rows(channel);
        let account = self.supply.account(Who::Plain).zip(self.supply.new_password());
        let Some(((user_name, _), new)) = account.filter(|_| self.may_change() && !self.locked) else {
            return Ok(());
        };
        let Some(destination) = self.supply.destination_of(Who::Plain, channel) else { return Ok(()) };
        if !self.has(rows.send_code)
            || !self.has(rows.submit)
            || !self.gone.insert(Purpose::Reset.way(channel))
        {
            return Ok(());
        }
        self.http.conceal(&destination);
        let stage = self.fresh()?.reset_password();
        match channel {
            Channel::Phone => self.reset_with(stage.phone(destination), channel, &user_name, &new),
            Channel::Email => self.reset_with(stage.email(destination), channel, &user_name, &new),
        }
    }

    fn reset_with<C: By>(
        &mut self,
        stage: Verify<C, PasswordReset>,
        channel: Channel,
        user_name: &str,
        new: &str,
    ) -> Run {
        let Some(code) = self.code_of(&stage, channel, Purpose::Reset)? else { return Ok(()) };
        self.announce(Purpose::Reset.act(channel), &[Purpose::Reset.rows(channel).submit]);
        let login = match self.take(stage.submit(code, new))? {
            Came::On(login, _) => login,
            Came::Back(error, _) => {
                self.findings.open("D33", format!("the reset was refused: {error}"));
                return Ok(());
            }
            Came::Over(error) => {
                self.findings.differs("D33", error.to_string());
                return Ok(());
            }
        };
        // Once is enough.
        let row = &endpoints::LOGIN_USERNAME_PASSWORD;
        if self.findings.knows("D33") || !self.has(row) || !self.gone.insert(Way::LoginAfterReset) {
            return Ok(());
        }
        self.note_password(user_name, true, 1)?;
        self.announce(&checks::LOG_IN_PASSWORD, &[row]);
        match self.take(login.username_password(user_name, new))? {
            Came::On(..) => self.findings.as_decided("D33", "the new password logs in"),
            Came::Back(error, _) | Came::Over(error) => {
                self.findings.differs("D33", format!("the new password is refused: {error}"));
            }
        }
        Ok(())
    }
}
