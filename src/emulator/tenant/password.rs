//! Passwords: changed because they are old, kept, and replaced because they were forgotten.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};

use super::super::ledger::Effect;
use super::refusal::{Answer, BAD_FORMAT, Fields, NO_ACCOUNT, PASSWORD_REFUSED, Refused};
use super::state::{Flow, Tenant, WaitsFor};
use crate::endpoints::{Endpoint, StageKind};

impl Tenant {
    pub(in crate::emulator) fn password(&self, user_name: &str) -> Option<String> {
        self.users.get(user_name)?.password.clone()
    }

    /// What `data` says of passwords. The pattern is Java's, and shorter than the pages'.
    pub(super) fn password_policy(&self) -> Value {
        let (min, max) = self.settings.password_length;
        json!({ "maxLength": max, "minLength": min, "regEx": "^(?![a-zA-Z]+$)(?![0-9]+$)[!-~]+$" })
    }

    /// A step of a password stage: whose password it is, once that is proved and a new one is set.
    pub(super) fn prove_new_password(
        &mut self,
        row: &Endpoint,
        flow: &Flow,
        fields: &Fields,
    ) -> Result<String, Refused> {
        let WaitsFor::Password(due) = &flow.waits_for else {
            return self.refuse(NO_ACCOUNT, "The corresponding user is not found");
        };
        let user_name = due.user_name.clone();
        // Kept, if there is nothing to set.
        if row.fields.is_empty() {
            return Ok(user_name);
        }
        let new = fields.get("new_password");
        match row.from {
            StageKind::PasswordExpiring | StageKind::PasswordExpired => {
                self.prove_password(&user_name, fields.get("old_password"))?;
                self.check_password(new)?;
            }
            _ => {
                // A code that is right is used up, so the password is looked at before.
                self.check_password(new)?;
                let user = self.users.get(&user_name);
                let contact = match row.from {
                    StageKind::VerifyEmail(_) => user.and_then(|user| user.email.clone()),
                    _ => user.and_then(|user| user.mobile.clone()),
                };
                let Some(contact) = contact else {
                    return self.refuse(NO_ACCOUNT, "The corresponding user is not found");
                };
                self.prove_code(row, &contact, fields.get("verify_code").trim_ascii())?;
            }
        }
        self.set_password(&user_name, new);
        Ok(user_name)
    }

    /// A forgotten password, replaced by number or address and code.
    pub(super) fn reset_password(&mut self, row: &Endpoint, headers: &HeaderMap, fields: &Fields) -> Answer {
        // With this header the same path changes the password of whoever is logged in.
        if headers.contains_key(AUTHORIZATION) {
            return self.refuse(BAD_FORMAT, "The Authorization parameter format is incorrect");
        }
        let channel = row.fields.first().map_or("mobile", |field| field.name);
        let (destination, new) = (fields.get(channel), fields.get("password"));
        let Some(user_name) = self.find(channel, destination) else {
            return self.refuse(NO_ACCOUNT, "The corresponding user is not found");
        };
        self.check_password(new)?;
        self.prove_code(row, destination, fields.get("verify_code").trim_ascii())?;
        self.set_password(&user_name, new);
        Ok(Value::Null)
    }

    /// Whether a new password follows the rules of this tenant: its length alone.
    pub(super) fn check_password(&self, new: &str) -> Result<(), Refused> {
        let (min, max) = self.settings.password_length;
        if (min..=max).contains(&new.chars().count()) {
            Ok(())
        } else {
            self.refuse(PASSWORD_REFUSED, "The password does not follow the rules")
        }
    }

    fn set_password(&mut self, user_name: &str, new: &str) {
        if let Some(user) = self.users.get_mut(user_name) {
            user.password = Some(new.to_owned());
            user.password_age = None;
        }
        // Whoever may set a password need not wait for those who tried it.
        self.attempts.remove(&format!("account {user_name}"));
        self.effect(Effect::PasswordChanged { user_name: user_name.to_owned() });
    }
}
