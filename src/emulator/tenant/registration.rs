//! Accounts that register themselves.

use http::HeaderMap;

use super::super::ledger::Effect;
use super::super::user::User;
use super::login::begun;
use super::refusal::{Answer, EMAIL_EXISTS, Fields, MOBILE_EXISTS, USER_NAME_EXISTS, blank};
use super::state::Tenant;
use crate::endpoints::Endpoint;

impl Tenant {
    pub(super) fn register(&mut self, row: &Endpoint, headers: &HeaderMap, fields: &Fields) -> Answer {
        let is_blank = |name: &&String| fields.0.get(*name).is_none_or(|value| value.as_str() == Some(""));
        let missing = self.settings.required_attributes.iter().find(is_blank);
        if let Some(name) = missing {
            return self.refuse(blank(name), format!("Parameter {name} cannot be left blank"));
        }
        let [mobile, email] = ["mobile", "email"].map(|channel| (channel, fields.get(channel).to_owned()));
        for ((channel, contact), reason) in [(&mobile, MOBILE_EXISTS), (&email, EMAIL_EXISTS)] {
            if !contact.is_empty() && self.find(channel, contact).is_some() {
                return self.refuse(reason, format!("The {channel} exists"));
            }
        }
        let wanted = fields.get("user_name").to_owned();
        if self.users.contains_key(&wanted) {
            return self.refuse(USER_NAME_EXISTS, "The user name exists");
        }
        let password = fields.0.contains_key("pwd").then(|| fields.get("pwd").to_owned());
        if let Some(password) = &password {
            self.check_password(password)?;
        }
        let channel = row.fields.first().map_or("mobile", |field| field.name);
        self.prove_code(row, fields.get(channel), fields.get("verify_code").trim_ascii())?;

        let user_name = if wanted.is_empty() { format!("user-{}", self.random(8)) } else { wanted };
        let mut user = User::new(&user_name);
        if !mobile.1.is_empty() {
            user = user.mobile(mobile.1);
        }
        if !email.1.is_empty() {
            user = user.email(email.1);
        }
        if !fields.get("name").is_empty() {
            user = user.name(fields.get("name"));
        }
        if let Some(password) = password {
            user = user.password(password);
        }
        self.add_user(user);
        self.effect(Effect::Registered { user_name: user_name.clone() });
        Ok(self.past_first_factor(row, None, begun(headers), user_name))
    }
}
