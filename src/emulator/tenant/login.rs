//! The flow of a login: from the first factor over binds and second factors to the session.

use http::HeaderMap;
use serde_json::{Map, Value, json};

use super::super::ledger::Effect;
use super::super::settings::{DataForm, Unbound};
use super::super::token::TokenKind;
use super::super::user::PasswordAge;
use super::refusal::{
    Answer, DEAD_STATE_TOKEN, DEAD_STATE_TOKEN_OF_PASSWORD, DEAD_STATE_TOKEN_OF_SECOND_FACTOR, Fields,
    METHOD_NOT_OFFERED, NO_ACCOUNT, PLATFORM_CODE, Refused,
};
use super::state::{Due, Flow, Tenant, WaitsFor, bare};
use crate::endpoints::{self, Endpoint, Platform, Scenario, StageKind, Status};
use crate::wire::headers::{X_DEVICE_FINGERPRINT, X_STATE_TOKEN};

impl Tenant {
    pub(super) fn login(&mut self, row: &'static Endpoint, headers: &HeaderMap, fields: &Fields) -> Answer {
        let user_name = match (row.from, row.platform) {
            (StageKind::VerifyPhone(_) | StageKind::VerifyEmail(_), _) => self.login_by_code(row, fields)?,
            (_, None) => self.login_by_password(row, fields)?,
            // What stands for the number of the phone, not for an identity.
            (_, Some(platform))
                if platform == Platform::Carrier
                    || row.path == endpoints::LOGIN_WECHAT_MINI_PROGRAM_MOBILE.path =>
            {
                let code = first_value(row, fields);
                let mobile = self.take_fresh(|tenant| tenant.phone_codes.remove(&(platform, code)));
                let Some(mobile) = mobile else {
                    return self.refuse(PLATFORM_CODE, "Error calling interface getPhoneNumber");
                };
                self.account(&WaitsFor::Bind, "mobile", &mobile)?
            }
            (_, Some(platform)) => return self.login_by_identity(row, platform, headers, fields),
        };
        Ok(self.past_first_factor(row, None, begun(headers), user_name))
    }

    fn login_by_identity(
        &mut self,
        row: &Endpoint,
        platform: Platform,
        headers: &HeaderMap,
        fields: &Fields,
    ) -> Answer {
        let code = first_value(row, fields);
        let identity = self.take_fresh(|tenant| tenant.login_codes.remove(&(platform, code)));
        // QQ and Weibo name the user beside the token.
        let named = row.fields.get(1).map(|field| fields.get(field.name));
        let identity = identity.filter(|identity| named.is_none_or(|named| named == identity));
        let Some(identity) = identity.map(|identity| (platform, identity)) else {
            return self.refuse(PLATFORM_CODE, "Error calling interface jscode2session");
        };
        let allowed = match &self.settings.data {
            DataForm::Listed(listed) => Some(listed.clone()),
            DataForm::Null | DataForm::Absent => None,
        };
        let bound = self.account_of(&identity).map(str::to_owned);
        let (waits_for, status) = match self.settings.unbound {
            Unbound::Bind => (WaitsFor::Bind, Status::SocialBind),
            Unbound::Register => (WaitsFor::Register, Status::UserRegister),
        };
        let flow = Flow { waits_for, identity: Some(identity), fingerprint: fingerprint(headers), allowed };
        Ok(match bound {
            Some(user_name) => self.past_first_factor(row, None, flow, user_name),
            None => self.pending(None, flow, status),
        })
    }

    fn login_by_password(&mut self, row: &Endpoint, fields: &Fields) -> Result<String, Refused> {
        let (name, password) = (fields.get("user_name"), fields.get("password"));
        let by_any_name = row.path == endpoints::LOGIN_IDENTIFIER_PASSWORD.path;
        let found = if by_any_name && !self.users.contains_key(name) {
            ["mobile", "email"].iter().find_map(|channel| self.find(channel, name))
        } else {
            None
        };
        self.prove_password(found.as_deref().unwrap_or(name), password)
    }

    fn login_by_code(&mut self, row: &Endpoint, fields: &Fields) -> Result<String, Refused> {
        let channel = row.fields.first().map_or("mobile", |field| field.name);
        let destination = fields.get(channel);
        self.prove_code(row, destination, fields.get("verify_code").trim_ascii())?;
        let unknown = if self.settings.register_at_login { WaitsFor::Register } else { WaitsFor::Bind };
        self.account(&unknown, channel, destination)
    }

    pub(super) fn flow(&mut self, row: &Endpoint, headers: &HeaderMap) -> Result<(String, Flow), Refused> {
        let reason = match row.from.before_narrowing() {
            StageKind::MfaRequired => DEAD_STATE_TOKEN_OF_SECOND_FACTOR,
            StageKind::PasswordExpiring | StageKind::PasswordExpired => DEAD_STATE_TOKEN_OF_PASSWORD,
            _ => DEAD_STATE_TOKEN,
        };
        let dead = || self.refuse(reason, "state_token parameter error");
        let Some(token) = state_token(headers) else { return dead() };
        let Some(flow) = self.live_flow(token).cloned() else { return dead() };
        let of_platform = |platform| flow.identity.as_ref().is_some_and(|(known, _)| *known == platform);
        let same_device = fingerprint(headers) == flow.fingerprint;
        if !follows(row, &flow) || !same_device || !row.platform.is_none_or(of_platform) {
            return dead();
        }
        Ok((token.to_owned(), flow))
    }

    /// Of several rows with one path and the same fields, the one that the state token is for.
    pub(super) fn meant_by_token(
        &self,
        rows: &[&'static Endpoint],
        headers: &HeaderMap,
    ) -> Option<&'static Endpoint> {
        let flow = state_token(headers).and_then(|token| self.live_flow(token));
        let of_token = flow.and_then(|flow| rows.iter().find(|row| follows(row, flow)));
        of_token.or(rows.first()).copied()
    }

    pub(super) fn check_allowed(&self, row: &Endpoint, flow: &Flow) -> Result<(), Refused> {
        let way = match row.from {
            StageKind::VerifyPhone(Scenario::Bind | Scenario::BindOrRegister) => "VERIFY_PHONE",
            StageKind::VerifyEmail(Scenario::Bind | Scenario::BindOrRegister) => "VERIFY_EMAIL",
            _ => return Ok(()),
        };
        match &flow.allowed {
            Some(allowed) if !allowed.iter().any(|listed| listed.trim_ascii() == way) => {
                self.refuse(METHOD_NOT_OFFERED, "Unknown authentication configuration")
            }
            _ => Ok(()),
        }
    }

    pub(super) fn mobile_by_token(&self, flow: &Flow) -> Answer {
        let (WaitsFor::SecondFactor(due) | WaitsFor::Password(due)) = &flow.waits_for else {
            return self.refuse(DEAD_STATE_TOKEN_OF_SECOND_FACTOR, "state_token parameter error");
        };
        let user = self.users.get(&due.user_name);
        match user.and_then(|user| user.mobile.as_deref()) {
            Some(mobile) => Ok(json!({ "mobile": format!("+86-{}", bare(mobile)) })),
            None => self.refuse(NO_ACCOUNT, "The corresponding user is not found"),
        }
    }

    pub(super) fn settle(
        &mut self,
        row: &Endpoint,
        state_token: &str,
        flow: Flow,
        user_name: String,
    ) -> Value {
        if self.is_denied(&user_name) {
            return json!({ "status": Status::AccessDenied.as_str() });
        }
        let due = match flow.waits_for {
            WaitsFor::Bind | WaitsFor::Register => {
                if let Some(identity) = flow.identity.clone() {
                    self.effect(Effect::Bound { user_name: user_name.clone(), identity: identity.1.clone() });
                    self.identities.insert(identity, user_name.clone());
                }
                return self.past_first_factor(row, Some(state_token), flow, user_name);
            }
            WaitsFor::SecondFactor(due) => {
                Due { second_factors: due.second_factors.saturating_sub(1), ..due }
            }
            WaitsFor::Password(due) => Due { password: None, ..due },
        };
        self.go_on(row, Some(state_token), Flow { waits_for: WaitsFor::Bind, ..flow }, due)
    }

    pub(super) fn past_first_factor(
        &mut self,
        row: &Endpoint,
        state_token: Option<&str>,
        flow: Flow,
        user_name: String,
    ) -> Value {
        let by_password = row.fields.iter().any(|field| field.name == "password");
        let asks_password = by_password || self.settings.password_asked_everywhere;
        let user = self.users.get(&user_name);
        let due = Due {
            second_factors: user.map_or(0, |user| user.second_factors),
            password: user.and_then(|user| user.password_age).filter(|_| asks_password),
            user_name,
        };
        self.go_on(row, state_token, flow, due)
    }

    /// What an account still owes, and then the session.
    pub(super) fn go_on(&mut self, row: &Endpoint, state_token: Option<&str>, flow: Flow, due: Due) -> Value {
        if self.is_denied(&due.user_name) {
            return json!({ "status": Status::AccessDenied.as_str() });
        }
        let password = match due.password {
            None => None,
            Some(PasswordAge::Expiring) => Some(Status::PasswordWarn),
            Some(PasswordAge::Expired) => Some(Status::PasswordExpired),
        };
        match password {
            Some(status) if due.second_factors == 0 || !self.settings.second_factor_first => {
                self.pending(state_token, Flow { waits_for: WaitsFor::Password(due), ..flow }, status)
            }
            _ if due.second_factors > 0 => self.pending(
                state_token,
                Flow { waits_for: WaitsFor::SecondFactor(due), ..flow },
                Status::MfaAuth,
            ),
            _ => self.success(row, &due.user_name),
        }
    }

    pub(super) fn pending(&mut self, in_hand: Option<&str>, flow: Flow, status: Status) -> Value {
        let mut answer = Map::new();
        let space = if self.settings.printed_spaces && status == Status::SocialBind { " " } else { "" };
        answer.insert("status".to_owned(), format!("{space}{}", status.as_str()).into());
        let state_token = match in_hand {
            Some(token) if !self.settings.new_state_token => token.to_owned(),
            _ => {
                let token = self.token(TokenKind::State);
                answer.insert("state_token".to_owned(), format!("{space}{token}").into());
                token
            }
        };
        let data = match (&flow.waits_for, &self.settings.data) {
            (WaitsFor::SecondFactor(_), _) | (_, DataForm::Absent) => None,
            (_, DataForm::Null) => Some(Value::Null),
            (WaitsFor::Bind | WaitsFor::Register, DataForm::Listed(listed)) => {
                Some(json!({ "socialBindOrRegisterFlow": listed }).to_string().into())
            }
            (WaitsFor::Password(_), DataForm::Listed(_)) => Some(self.password_policy().to_string().into()),
        };
        if let Some(data) = data {
            answer.insert("data".to_owned(), data);
        }
        let issued = self.issued(flow);
        self.flows.insert(state_token, issued);
        Value::Object(answer)
    }

    pub(super) fn success(&mut self, row: &Endpoint, user_name: &str) -> Value {
        let session_token = self.token(TokenKind::Session);
        let issued = self.issued(user_name.to_owned());
        self.sessions.insert(session_token.clone(), issued);
        self.effect(Effect::Session { user_name: user_name.to_owned() });
        let mut answer = json!({
            "status": Status::Success.as_str(),
            "session_token": session_token,
            "expire": self.settings.session_lifetime.as_secs(),
        });
        // The pages of a registration print none.
        let registers = matches!(
            row.from,
            StageKind::VerifyPhone(Scenario::Register) | StageKind::VerifyEmail(Scenario::Register)
        );
        if self.settings.id_token
            && !registers
            && let Some(fields) = answer.as_object_mut()
        {
            // The page of the bind by code prints a space here, the others do not.
            let spaced = self.settings.printed_spaces && row.path == endpoints::BIND_PHONE.path;
            let space = if spaced { " " } else { "" };
            let id_token = self.id_token(user_name);
            fields.insert("id_token".to_owned(), format!("{space}{id_token}").into());
        }
        answer
    }
}

/// A login that began without an identity of a platform.
pub(super) fn begun(headers: &HeaderMap) -> Flow {
    Flow { waits_for: WaitsFor::Bind, identity: None, fingerprint: fingerprint(headers), allowed: None }
}

/// Whether a row is a step of the stage that a flow is at.
fn follows(row: &Endpoint, flow: &Flow) -> bool {
    let (needed, stage) = (row.from.before_narrowing(), flow.waits_for.stage());
    // By a code a password can be changed before it has expired, too.
    let by_code = row.from != needed && needed == StageKind::PasswordExpired;
    needed == stage || by_code && stage == StageKind::PasswordExpiring
}

/// The value of a row's first field.
fn first_value(row: &Endpoint, fields: &Fields) -> String {
    row.fields.first().map_or("", |field| fields.get(field.name)).trim_ascii().to_owned()
}

fn state_token(headers: &HeaderMap) -> Option<&str> {
    let token = std::str::from_utf8(headers.get(X_STATE_TOKEN)?.as_bytes()).ok()?;
    Some(token.trim_ascii())
}

fn fingerprint(headers: &HeaderMap) -> Vec<u8> {
    headers.get(X_DEVICE_FINGERPRINT).map(|value| value.as_bytes().to_vec()).unwrap_or_default()
}
