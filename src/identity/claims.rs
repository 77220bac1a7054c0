//! What an identity token claims.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::error::{IdTokenError, MalformedToken};
use crate::secret::Redacted;

/// What an identity token claims: who issued it for whom and when, and who the user is.
///
/// Two layouts are in use: the user's data flat among the other claims, or in a claim `api` that holds JSON text. Both are
/// read; where both are there the flat one counts (decision D20 in `docs/decisions.md`).
///
/// `Debug` is redacted: these are personal data.
#[derive(Clone, PartialEq)]
pub struct Claims {
    issuer: Option<String>,
    subject: Option<String>,
    audience: Vec<String>,
    authorized_party: Option<String>,
    expires_at: Option<f64>,
    issued_at: Option<f64>,
    not_before: Option<f64>,
    token_id: Option<String>,
    user: UserData,
    extra: Map<String, Value>,
}

#[derive(Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
struct UserData {
    id: Option<String>,
    #[serde(rename = "userName")]
    user_name: Option<String>,
    name: Option<String>,
    mobile: Option<String>,
    email: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// The claims as they stand in the token. One that is there twice makes the token unreadable.
#[derive(Deserialize)]
struct Payload {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<Audience>,
    azp: Option<String>,
    exp: Option<f64>,
    iat: Option<f64>,
    nbf: Option<f64>,
    jti: Option<String>,
    id: Option<String>,
    #[serde(rename = "userName")]
    user_name: Option<String>,
    name: Option<String>,
    mobile: Option<String>,
    email: Option<String>,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

impl Claims {
    pub(super) fn read(json: &[u8]) -> Result<Self, IdTokenError> {
        let payload: Payload = serde_json::from_slice(json).map_err(|_| MalformedToken::Payload)?;
        // `api` holds JSON text; if it cannot be read, it stays among the extra claims.
        let nested = payload.extra.get("api").and_then(Value::as_str);
        let nested: UserData = nested.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let or =
            |flat: Option<String>, nested: Option<String>| flat.or(nested.filter(|text| !text.is_empty()));
        Ok(Self {
            issuer: payload.iss,
            subject: payload.sub,
            audience: match payload.aud {
                None => Vec::new(),
                Some(Audience::One(one)) => vec![one],
                Some(Audience::Several(several)) => several,
            },
            authorized_party: payload.azp,
            expires_at: payload.exp,
            issued_at: payload.iat,
            not_before: payload.nbf,
            token_id: payload.jti,
            user: UserData {
                id: or(payload.id, nested.id),
                user_name: or(payload.user_name, nested.user_name),
                name: or(payload.name, nested.name),
                mobile: or(payload.mobile, nested.mobile),
                email: or(payload.email, nested.email),
            },
            extra: payload.extra,
        })
    }

    /// `iss`: who issued the token, such as `https://acme.example.com/api/v1/oauth2`.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// `sub`: the user, as the issuer calls them; in the tenants' tokens the user name.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// `aud`: for which applications the token is.
    #[must_use]
    pub fn audience(&self) -> &[String] {
        &self.audience
    }

    /// `azp`: to which application the token was given.
    #[must_use]
    pub fn authorized_party(&self) -> Option<&str> {
        self.authorized_party.as_deref()
    }

    /// `exp`: until when the token is good.
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        time(self.expires_at)
    }

    /// `iat`: when the token was issued.
    #[must_use]
    pub fn issued_at(&self) -> Option<SystemTime> {
        time(self.issued_at)
    }

    /// `nbf`: from when on the token is good; in the tenants' tokens two minutes before it was issued.
    #[must_use]
    pub fn not_before(&self) -> Option<SystemTime> {
        time(self.not_before)
    }

    /// `jti`: the token's own id.
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.token_id.as_deref()
    }

    /// `id`: the user's stable id.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.user.id.as_deref()
    }

    /// `userName`: the user's login name.
    #[must_use]
    pub fn user_name(&self) -> Option<&str> {
        self.user.user_name.as_deref()
    }

    /// `name`: the user's name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.user.name.as_deref()
    }

    /// `mobile`: the user's mobile number, in the form `+86-15201657312`.
    #[must_use]
    pub fn mobile(&self) -> Option<&str> {
        self.user.mobile.as_deref()
    }

    /// `email`: the user's e-mail address.
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        self.user.email.as_deref()
    }

    /// The claims that are not among the above, `api` included.
    #[must_use]
    pub fn extra(&self) -> &Map<String, Value> {
        &self.extra
    }

    /// Seconds since 1970 of the three times, for the verifier.
    #[cfg(feature = "verify")]
    pub(super) fn seconds(&self) -> [Option<f64>; 3] {
        [self.expires_at, self.issued_at, self.not_before]
    }
}

fn time(seconds: Option<f64>) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(seconds?).ok()?)
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("expires_at", &self.expires_at)
            .field("user", &Redacted)
            .finish_non_exhaustive()
    }
}
