//! The flow of a login: from the first factor over binds and second factors to the session.

use http::HeaderMap;
use serde_json::{Map, Value, json};

use super::super::ledger::Effect;
use super::super::settings::{DataForm, Unbound};
use super::super::token::TokenKind;
use super::refusal::{
    Answer, DEAD_STATE_TOKEN, DEAD_STATE_TOKEN_OF_SECOND_FACTOR, Fields, METHOD_NOT_OFFERED, NO_ACCOUNT,
    PLATFORM_CODE, Refused,
};
use super::state::{Flow, Tenant, WaitsFor, bare};
use crate::endpoints::{self, Endpoint, Platform, Scenario, StageKind, Status};
use crate::wire::headers::{X_DEVICE_FINGERPRINT, X_STATE_TOKEN};

impl Tenant {
    pub(super) fn login(&mut self, row: &'static Endpoint, headers: &HeaderMap, fields: &Fields) -> Answer {
        let platform = row.platform.unwrap_or(Platform::WeChat);
        let code = fields.get("code").trim_ascii().to_owned();
        if row.path == endpoints::LOGIN_WECHAT_MINI_PROGRAM_MOBILE.path {
            return self.login_by_mobile(row, headers, code);
        }
        let Some(identity) = self.take_fresh(|tenant| tenant.login_codes.remove(&(platform, code))) else {
            return self.refuse(PLATFORM_CODE, "Error calling interface jscode2session");
        };
        let fingerprint = fingerprint(headers);
        let allowed = match &self.settings.data {
            DataForm::Listed(listed) => Some(listed.clone()),
            DataForm::Null | DataForm::Absent => None,
        };
        let flow = |waits_for| Flow { waits_for, platform, identity: identity.clone(), fingerprint, allowed };
        if let Some(user_name) = self.account_of(platform, &identity).map(str::to_owned) {
            return Ok(self.past_first_factor(row, None, flow(WaitsFor::Bind), user_name));
        }
        let (waits_for, status) = match self.settings.unbound {
            Unbound::Bind => (WaitsFor::Bind, Status::SocialBind),
            Unbound::Register => (WaitsFor::Register, Status::UserRegister),
        };
        Ok(self.pending(None, flow(waits_for), status))
    }

    pub(super) fn login_by_mobile(
        &mut self,
        row: &'static Endpoint,
        headers: &HeaderMap,
        code: String,
    ) -> Answer {
        let platform = Platform::WeChat;
        let Some(mobile) = self.take_fresh(|tenant| tenant.phone_codes.remove(&(platform, code))) else {
            return self.refuse(PLATFORM_CODE, "Error calling interface getPhoneNumber");
        };
        let flow = Flow {
            waits_for: WaitsFor::Bind,
            platform,
            identity: mobile.clone(),
            fingerprint: fingerprint(headers),
            allowed: None,
        };
        let user_name = self.account(&flow, "mobile", &mobile)?;
        Ok(self.past_first_factor(row, None, flow, user_name))
    }

    pub(super) fn flow(&mut self, row: &Endpoint, headers: &HeaderMap) -> Result<(String, Flow), Refused> {
        let reason = match row.from.before_narrowing() {
            StageKind::MfaRequired => DEAD_STATE_TOKEN_OF_SECOND_FACTOR,
            _ => DEAD_STATE_TOKEN,
        };
        let dead = || self.refuse(reason, "state_token parameter error");
        let Some(token) =
            headers.get(X_STATE_TOKEN).and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
        else {
            return dead();
        };
        let token = token.trim_ascii();
        let Some(flow) = self.live_flow(token).cloned() else { return dead() };
        let follows = row.from.before_narrowing() == flow.waits_for.stage();
        let same_device = fingerprint(headers) == flow.fingerprint;
        if !follows || !same_device || row.platform.is_some_and(|platform| platform != flow.platform) {
            return dead();
        }
        Ok((token.to_owned(), flow))
    }

    pub(super) fn check_allowed(&self, row: &Endpoint, flow: &Flow) -> Result<(), Refused> {
        let way = match row.from {
            StageKind::VerifyPhone(Scenario::Bind | Scenario::Register) => "VERIFY_PHONE",
            StageKind::VerifyEmail(Scenario::Bind | Scenario::Register) => "VERIFY_EMAIL",
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
        let WaitsFor::SecondFactor { user_name, .. } = &flow.waits_for else {
            return self.refuse(DEAD_STATE_TOKEN_OF_SECOND_FACTOR, "state_token parameter error");
        };
        let user = self.users.get(user_name);
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
        match flow.waits_for {
            WaitsFor::SecondFactor { left: 0 | 1, .. } => return self.success(row, &user_name),
            WaitsFor::SecondFactor { left, .. } => {
                let flow = Flow { waits_for: WaitsFor::SecondFactor { user_name, left: left - 1 }, ..flow };
                return self.pending(Some(state_token), flow, Status::MfaAuth);
            }
            WaitsFor::Bind | WaitsFor::Register => {}
        }
        self.identities.insert((flow.platform, flow.identity.clone()), user_name.clone());
        self.effect(Effect::Bound { user_name: user_name.clone(), identity: flow.identity.clone() });
        self.past_first_factor(row, Some(state_token), flow, user_name)
    }

    pub(super) fn past_first_factor(
        &mut self,
        row: &Endpoint,
        state_token: Option<&str>,
        flow: Flow,
        user_name: String,
    ) -> Value {
        let user = self.users.get(&user_name);
        let left = user.map_or(0, |user| user.second_factors);
        if self.is_denied(&user_name) {
            return json!({ "status": Status::AccessDenied.as_str() });
        }
        if left > 0 {
            let flow = Flow { waits_for: WaitsFor::SecondFactor { user_name, left }, ..flow };
            return self.pending(state_token, flow, Status::MfaAuth);
        }
        self.success(row, &user_name)
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
        if flow.waits_for == WaitsFor::Bind || flow.waits_for == WaitsFor::Register {
            match &self.settings.data {
                DataForm::Listed(listed) => {
                    let data = json!({ "socialBindOrRegisterFlow": listed }).to_string();
                    answer.insert("data".to_owned(), data.into());
                }
                DataForm::Null => drop(answer.insert("data".to_owned(), Value::Null)),
                DataForm::Absent => {}
            }
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
        if self.settings.id_token
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

fn fingerprint(headers: &HeaderMap) -> Vec<u8> {
    headers.get(X_DEVICE_FINGERPRINT).map(|value| value.as_bytes().to_vec()).unwrap_or_default()
}
