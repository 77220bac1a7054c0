//! What proves whose account it is: passwords, codes, authorised numbers. Wrong ones are counted.

use super::super::ledger::Effect;
use super::super::reserved::{self, FixedOutcome, ReservedKind};
use super::super::user::User;
use super::refusal::{
    Fields, METHOD_NOT_OFFERED, NO_ACCOUNT, PLATFORM_CODE, Refused, WRONG_EMAIL_CODE, WRONG_SMS_CODE,
};
use super::state::{Flow, Tenant, WaitsFor, bare};
use crate::endpoints::{Endpoint, Platform, Scenario, StageKind};

impl Tenant {
    pub(super) fn prove(&mut self, row: &Endpoint, flow: &Flow, fields: &Fields) -> Result<String, Refused> {
        match (row.from, row.step) {
            (StageKind::PendingBind, "username_password") => {
                self.prove_password(fields.get("user_name"), fields.get("password"))
            }
            (
                StageKind::PasswordExpiring
                | StageKind::PasswordExpired
                | StageKind::VerifyPhone(Scenario::ChangePassword)
                | StageKind::VerifyEmail(Scenario::ChangePassword),
                _,
            ) => self.prove_new_password(row, flow, fields),
            (StageKind::PendingBind | StageKind::PendingRegister, _) => {
                let platform =
                    flow.identity.as_ref().map_or(Platform::WeChatMiniProgram, |(platform, _)| *platform);
                let code =
                    row.fields.first().map_or("", |field| fields.get(field.name)).trim_ascii().to_owned();
                let Some(mobile) = self.take_fresh(|tenant| tenant.phone_codes.remove(&(platform, code)))
                else {
                    return self.refuse(PLATFORM_CODE, "Error calling interface getPhoneNumber");
                };
                self.account(&flow.waits_for, "mobile", &mobile)
            }
            _ => {
                let channel = row.fields.first().map_or("mobile", |field| field.name);
                let destination = fields.get(channel);
                self.prove_code(row, destination, fields.get("verify_code").trim_ascii())?;
                self.account(&flow.waits_for, channel, destination)
            }
        }
    }

    pub(super) fn prove_password(&mut self, user_name: &str, password: &str) -> Result<String, Refused> {
        let who = format!("account {user_name}");
        self.check_lock(&who)?;
        let user = self.users.get(user_name);
        let known = user.and_then(|user| user.password.as_ref()).is_some_and(|known| known == password);
        let attempts_left = self.count(&who, known)?;
        if known {
            Ok(user_name.to_owned())
        } else {
            // The same for a user who does not exist: it does not tell which names do.
            self.refuse_password(attempts_left)
        }
    }

    pub(super) fn prove_code(
        &mut self,
        row: &Endpoint,
        destination: &str,
        code: &str,
    ) -> Result<(), Refused> {
        let destination = bare(destination);
        let by_email = matches!(row.from, StageKind::VerifyEmail(_));
        let wrong = if by_email { WRONG_EMAIL_CODE } else { WRONG_SMS_CODE };
        let of_number = || reserved::outcome(ReservedKind::Mobile, destination);
        match reserved::outcome(ReservedKind::VerifyCode, code).or_else(of_number) {
            Some(FixedOutcome::Wrong) => return self.refuse(wrong, "Incorrect verification code"),
            Some(FixedOutcome::Locked) => return self.refuse_locked(self.settings.lock_time),
            Some(FixedOutcome::Lost) => self.lose_response = true,
            Some(FixedOutcome::SendingFailed) | None => {}
        }
        if reserved::outcome(ReservedKind::VerifyCode, code).is_some() {
            return Ok(());
        }
        let who = format!("destination {destination}");
        self.check_lock(&who)?;
        let Some(send_type) = self.send_type(row) else {
            return self.refuse(METHOD_NOT_OFFERED, "Unknown authentication configuration");
        };
        let key = (destination.to_owned(), send_type);
        let lifetime = self.settings.code_lifetime;
        let right = self
            .verify_codes
            .get(&key)
            .is_some_and(|sent| sent.value == code && !self.is_expired(sent, lifetime));
        self.count(&who, right)?;
        if right {
            self.verify_codes.remove(&key);
            Ok(())
        } else {
            self.refuse(wrong, "Incorrect verification code")
        }
    }

    pub(super) fn account(
        &mut self,
        waits_for: &WaitsFor,
        channel: &'static str,
        destination: &str,
    ) -> Result<String, Refused> {
        match (self.find(channel, destination), waits_for) {
            (Some(user_name), WaitsFor::SecondFactor(due)) if user_name != due.user_name => {
                self.refuse(NO_ACCOUNT, "The corresponding user is not found")
            }
            (Some(user_name), _) => Ok(user_name),
            (None, WaitsFor::Register) => {
                let user_name = format!("user-{}", self.random(8));
                let user = User::new(&user_name);
                self.add_user(if channel == "email" {
                    user.email(destination)
                } else {
                    user.mobile(destination)
                });
                self.effect(Effect::Registered { user_name: user_name.clone() });
                Ok(user_name)
            }
            (None, _) => self.refuse(NO_ACCOUNT, "The corresponding user is not found"),
        }
    }

    /// The account that has a number or an address.
    pub(super) fn find(&self, channel: &'static str, destination: &str) -> Option<String> {
        self.contacts.get(&(channel, bare(destination).to_owned())).and_then(|names| names.first()).cloned()
    }

    pub(super) fn check_lock(&mut self, who: &str) -> Result<(), Refused> {
        let Some(locked_at) = self.attempts.get(who).and_then(|attempts| attempts.locked_at) else {
            return Ok(());
        };
        let passed = self.now().duration_since(locked_at).unwrap_or_default();
        match self.settings.lock_time.checked_sub(passed) {
            Some(left) if !left.is_zero() => self.refuse_locked(left),
            _ => {
                self.attempts.remove(who);
                Ok(())
            }
        }
    }

    /// Counts an attempt, and gives how many are left.
    pub(super) fn count(&mut self, who: &str, right: bool) -> Result<u32, Refused> {
        let (max, lock_time) = (self.settings.max_attempts, self.settings.lock_time);
        if right {
            self.attempts.remove(who);
            return Ok(max);
        }
        let now = self.now();
        let attempts = self.attempts.entry(who.to_owned()).or_default();
        attempts.failed += 1;
        match max.checked_sub(attempts.failed) {
            Some(left) if left > 0 => Ok(left),
            _ => {
                attempts.locked_at = Some(now);
                self.refuse_locked(lock_time)
            }
        }
    }
}
