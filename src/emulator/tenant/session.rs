//! Sessions, identity tokens and the keys that sign them.

use std::time::UNIX_EPOCH;

use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::super::ledger::Effect;
use super::super::settings::ClaimsLayout;
use super::super::token::TokenKind;
use super::refusal::{Answer, DEAD_SESSION};
use super::requests::text;
use super::state::{Tenant, bare};
use crate::transport::Response;

impl Tenant {
    pub(super) fn renew(&mut self, headers: &HeaderMap) -> Answer {
        let name = self.settings.edition.kind().session_header();
        let token = headers
            .get(name)
            .and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
            .unwrap_or_default();
        let Some(user_name) = self.session_user(token) else {
            return self.refuse(DEAD_SESSION, "Invalid or expired session token");
        };
        let mut session_token = token.to_owned();
        if self.settings.refresh_sessions {
            self.sessions.remove(&session_token);
            session_token = self.token(TokenKind::Session);
            let issued = self.issued(user_name.clone());
            self.sessions.insert(session_token.clone(), issued);
            self.effect(Effect::Session { user_name: user_name.clone() });
        }
        Ok(json!({
            "session_token": session_token,
            "expire": self.settings.session_lifetime.as_secs(),
            "id_token": self.id_token(&user_name),
        }))
    }

    pub(super) fn id_token(&mut self, user_name: &str) -> String {
        if let Some(tokens) = &self.tokens {
            return tokens(TokenKind::Id);
        }
        let issued_at = self.now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let user = self.users.get(user_name);
        let mobile =
            user.and_then(|user| user.mobile.as_deref()).map(|mobile| format!("+86-{}", bare(mobile)));
        let data = json!({
            "id": user.map(|user| user.id.as_str()),
            "userName": user_name,
            "name": user.and_then(|user| user.name.as_deref()),
            "mobile": mobile,
            "email": user.and_then(|user| user.email.as_deref()),
        });
        let mut claims = match self.settings.claims_layout {
            ClaimsLayout::Flat => data,
            ClaimsLayout::Api => json!({ "api": data.to_string() }),
        };
        let common = json!({
            "iss": self.issuer,
            "aud": self.settings.client_id,
            "sub": user_name,
            "iat": issued_at,
            "nbf": issued_at.saturating_sub(120),
            "exp": issued_at.saturating_add(self.settings.id_token_lifetime.as_secs()),
            "jti": self.random(22),
        });
        if let (Value::Object(claims), Value::Object(common)) = (&mut claims, common) {
            claims.extend(common);
        }
        self.signing.sign(&claims, self.settings.sign_with_previous_key).unwrap_or_default()
    }

    pub(super) fn key_set(&mut self) -> Response {
        self.signing.published_before = self.settings.published_previous_keys;
        let keys = match &self.settings.broken_key_set {
            Some(broken) => broken.clone(),
            None => self.signing.key_set().to_string(),
        };
        text(StatusCode::OK, keys)
    }
}
