//! A stage that was put down, as bytes.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};
use zeroize::Zeroizing;

use super::kind::SuspendedKind;
use crate::secret::base64_url;

/// A stage that was put down: opaque, versioned, and good for the same tenant and application only: base address, client id
/// and, where tenants share both, tenant id.
///
/// [`Client::resume`](crate::Client::resume) picks it up. Suspending does not use the stage up at the tenant: a value that is
/// resumed twice is two stages with one state token, of which the tenant lets one succeed.
///
/// ```
/// use idaas_login::{PendingBind, Suspended};
///
/// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
/// # let client = stage.client().clone();
/// let suspended: Suspended = stage.suspend();
/// // It is serialized as one text.
/// let json = serde_json::to_string(&suspended)?;
/// let suspended: Suspended = serde_json::from_str(&json)?;
/// let stage = client.resume::<PendingBind>(suspended)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # It holds a live token
/// Whoever has the bytes has the login. `Debug` is redacted; serializing it, and [`to_bytes`](Self::to_bytes), are not: keep
/// them where you would keep a session, and out of logs. To hand it to the user's device, seal it by a [`Sealer`].
///
#[cfg_attr(feature = "seal", doc = "[`Sealer`]: crate::Sealer")]
#[cfg_attr(not(feature = "seal"), doc = "[`Sealer`]: crate#features")]
#[derive(Clone, PartialEq, Eq)]
pub struct Suspended(pub(super) Zeroizing<Vec<u8>>);

impl Suspended {
    /// The bytes. They hold a live token, in the clear.
    #[must_use]
    pub fn to_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Takes up bytes that [`to_bytes`](Self::to_bytes) gave, in this version of the library or in an older one. They are
    /// checked when the stage is resumed.
    ///
    /// ```
    /// use idaas_login::{PendingBind, Suspended};
    ///
    /// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
    /// # let client = stage.client().clone();
    /// let row: Vec<u8> = stage.suspend().to_bytes().to_vec();
    /// let stage = client.resume::<PendingBind>(Suspended::from_bytes(&row))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }
}

impl fmt::Debug for Suspended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Suspended([redacted, {} bytes])", self.0.len())
    }
}

/// As Base64 for URLs. It holds a live token, in the clear.
impl Serialize for Suspended {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(&*self.0)))
    }
}

impl<'de> Deserialize<'de> for Suspended {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        // The text stays out of the error.
        base64_url(&text).map(Self).ok_or_else(|| D::Error::custom("not a suspended stage"))
    }
}

/// A value that cannot be resumed as asked. It gives the value back.
///
/// ```
/// use idaas_login::{PendingBind, ResumeReason, Suspended};
///
/// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
/// let suspended = Suspended::from_bytes(b"something else");
/// let refused = client.resume::<PendingBind>(suspended).unwrap_err();
/// assert_eq!(refused.reason(), &ResumeReason::Malformed);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ResumeError {
    pub(super) suspended: Suspended,
    pub(super) reason: ResumeReason,
}

/// Why a value cannot be resumed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResumeReason {
    /// It holds another stage than the one asked for.
    #[error("it holds another stage: {0}")]
    OtherStage(SuspendedKind),
    /// It is of another tenant or another application.
    #[error("it is of another tenant or application")]
    OtherTenant,
    /// It was written by a newer version of this library.
    #[error("it is of version {0}, which is newer than this library")]
    NewerVersion(u8),
    /// It is no suspended stage, or not a whole one.
    #[error("it is not a suspended stage")]
    Malformed,
}

impl ResumeError {
    /// Why.
    #[must_use]
    pub fn reason(&self) -> &ResumeReason {
        &self.reason
    }

    /// The value, to be resumed as what it is.
    #[must_use]
    pub fn into_suspended(self) -> Suspended {
        self.suspended
    }
}

impl fmt::Display for ResumeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot resume: {}", self.reason)
    }
}

impl fmt::Debug for ResumeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResumeError").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl std::error::Error for ResumeError {}
