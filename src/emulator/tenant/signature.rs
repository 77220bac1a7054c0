//! OneAccess's signatures: what they are made with, and who has made one.

use http::HeaderMap;
use serde_json::{Value, json};

use super::refusal::{Answer, Refused};
use super::state::Tenant;

/// The key that signatures are made with, as PEM has it.
const PUBLIC_KEY: &str = include_str!("../keys/signature.pem");

impl Tenant {
    #[allow(clippy::unused_self, clippy::unnecessary_wraps)] // It answers like the others.
    pub(super) fn public_key(&self) -> Answer {
        Ok(json!({ "public_key": PUBLIC_KEY.trim_end() }))
    }

    #[allow(clippy::unnecessary_wraps)] // It answers like the others.
    pub(super) fn server_date(&self) -> Answer {
        Ok(json!({ "timestamp": self.timestamp().to_string() }))
    }

    /// The tenant's time in milliseconds.
    fn timestamp(&self) -> u64 {
        let since = self.now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// The session token in the request's signature.
    #[cfg(not(feature = "signature"))]
    pub(super) fn signed_session(&mut self, _: &HeaderMap) -> Result<String, Refused> {
        // Nothing here reads a signature.
        self.refuse(super::refusal::BAD_SIGNATURE, "Signature decryption error")
    }

    /// The session token in the request's signature, if that is fresh and was never seen before.
    #[cfg(feature = "signature")]
    pub(super) fn signed_session(&mut self, headers: &HeaderMap) -> Result<String, Refused> {
        use super::refusal::STALE_SIGNATURE;

        let stale = |tenant: &Self| {
            let message = "The signature is invalid or has expired. Make a new one";
            tenant.refuse(STALE_SIGNATURE, message)
        };
        let value = headers.get(crate::wire::headers::X_SIGNATURE);
        let Some((session_token, timestamp)) = value.and_then(|value| open(value.as_bytes())) else {
            return stale(self);
        };
        let window = u64::try_from(self.settings.signature_window.as_millis()).unwrap_or(u64::MAX);
        if self.timestamp().abs_diff(timestamp) > window {
            return stale(self);
        }
        let issued = self.issued(());
        if self.signatures.insert((session_token.clone(), timestamp), issued).is_some() {
            return stale(self);
        }
        Ok(session_token)
    }

    pub(super) fn renew_signed(&mut self, headers: &HeaderMap) -> Answer {
        let session_token = self.signed_session(headers)?;
        let user_name = self.live_session(&session_token)?;
        Ok(json!({ "id_token": self.id_token(&user_name) }))
    }

    pub(super) fn logout(&mut self, headers: &HeaderMap) -> Answer {
        let session_token = self.signed_session(headers)?;
        let user_name = self.live_session(&session_token)?;
        self.end_session(&session_token);
        self.effect(super::super::ledger::Effect::LoggedOut { user_name });
        Ok(Value::Null)
    }

    fn live_session(&self, session_token: &str) -> Result<String, Refused> {
        match self.session_user(session_token) {
            Some(user_name) => Ok(user_name),
            None => self.refuse(super::refusal::DEAD_SESSION, "Invalid or expired session token"),
        }
    }
}

/// The session token and the timestamp in a signature.
#[cfg(feature = "signature")]
fn open(signature: &[u8]) -> Option<(String, u64)> {
    use std::sync::OnceLock;

    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use rsa::pkcs8::DecodePrivateKey;
    use rsa::sha2::Sha256;
    use rsa::{Oaep, RsaPrivateKey};

    /// A private key that everybody can read: it protects nothing.
    static PRIVATE_KEY: OnceLock<Option<RsaPrivateKey>> = OnceLock::new();

    let key = PRIVATE_KEY
        .get_or_init(|| RsaPrivateKey::from_pkcs8_der(include_bytes!("../keys/signature.pk8")).ok());
    let encrypted = BASE64_STANDARD.decode(signature).ok()?;
    let text = String::from_utf8(key.as_ref()?.decrypt(Oaep::new::<Sha256>(), &encrypted).ok()?).ok()?;
    let (rest, nonce) = text.strip_prefix("session_token=")?.rsplit_once("&nonce=")?;
    let (session_token, timestamp) = rest.rsplit_once("&timestamp=")?;
    let timestamp: u64 = timestamp.parse().ok()?;
    (nonce == format!("{timestamp:x}")).then(|| (session_token.to_owned(), timestamp))
}
