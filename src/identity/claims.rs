//! What an identity token claims.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use super::error::{IdTokenError, MalformedToken};
use super::{NotText, object, take_text};
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

#[derive(Clone, Default, PartialEq)]
struct UserData {
    id: Option<String>,
    user_name: Option<String>,
    name: Option<String>,
    mobile: Option<String>,
    email: Option<String>,
}

impl UserData {
    /// Takes the user's data out of the members. What is empty is as good as absent.
    fn take(members: &mut Map<String, Value>) -> Result<Self, NotText> {
        let mut text = |name| Ok(take_text(members, name)?.filter(|text| !text.is_empty()));
        Ok(Self {
            id: text("id")?,
            user_name: text("userName")?,
            name: text("name")?,
            mobile: text("mobile")?,
            email: text("email")?,
        })
    }

    fn or(self, other: Self) -> Self {
        Self {
            id: self.id.or(other.id),
            user_name: self.user_name.or(other.user_name),
            name: self.name.or(other.name),
            mobile: self.mobile.or(other.mobile),
            email: self.email.or(other.email),
        }
    }
}

/// `aud`: a text, or a list of them.
fn audience(value: Option<Value>) -> Option<Vec<String>> {
    match value {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::String(one)) => Some(vec![one]),
        Some(Value::Array(several)) => several
            .into_iter()
            .map(|one| if let Value::String(one) = one { Some(one) } else { None })
            .collect(),
        Some(_) => None,
    }
}

/// A time, in seconds since 1970.
fn seconds(value: Option<Value>) -> Result<Option<f64>, NotNumber> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or(NotNumber),
    }
}

/// A member of another type than it has to be.
struct NotNumber;

impl Claims {
    pub(super) fn read(json: &[u8]) -> Result<Self, IdTokenError> {
        // One that is there twice, or of another type than it has to be, makes the token unreadable.
        let mut members = object(json).ok_or(MalformedToken::Payload)?;
        Self::take(&mut members).ok_or(MalformedToken::Payload.into())
    }

    fn take(members: &mut Map<String, Value>) -> Option<Self> {
        let mut text = |name| take_text(members, name).ok();
        let (issuer, subject, authorized_party, token_id) =
            (text("iss")?, text("sub")?, text("azp")?, text("jti")?);
        let flat = UserData::take(members).ok()?;
        // `api` holds JSON text; if it cannot be read, it stays among the extra claims.
        let nested = members.get("api").and_then(Value::as_str).and_then(|text| object(text.as_bytes()));
        let nested = nested.and_then(|mut nested| UserData::take(&mut nested).ok()).unwrap_or_default();
        Some(Self {
            issuer,
            subject,
            authorized_party,
            token_id,
            audience: audience(members.remove("aud"))?,
            expires_at: seconds(members.remove("exp")).ok()?,
            issued_at: seconds(members.remove("iat")).ok()?,
            not_before: seconds(members.remove("nbf")).ok()?,
            user: flat.or(nested),
            extra: std::mem::take(members),
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
