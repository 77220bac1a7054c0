//! Between requests: a stage put down, and picked up again by any process that has the same tenant and application.

mod format;
#[cfg(feature = "seal")]
mod sealer;

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};
use zeroize::Zeroizing;

use self::format::{Frozen, Unreadable};
#[cfg(feature = "seal")]
pub use self::sealer::{SealError, SealKey, SealKeyError, Sealer, UnsealError, UnsealReason};
use crate::client::Client;
use crate::context::Context;
use crate::sealed::Sealed;
use crate::secret::base64_url;
use crate::stage::sealed::Held;
use crate::stage::{
    AcceptsCode, Authenticated, MfaRequired, MiniProgram, Outcome, PendingBind, PendingRegister,
    Unauthenticated, Unresolved, VerifyEmail, VerifyPhone, WeChat, waiting::Waiting,
};
use crate::wire::endpoints::{Platform, Scenario, StageKind};

/// A stage that was put down: opaque, versioned, and good for the same tenant and application only: base address, client id
/// and, where tenants share both, tenant id.
///
/// [`Client::resume`] picks it up. Suspending does not use the stage up at the tenant: a value that is resumed twice is two
/// stages with one state token, of which the tenant lets one succeed.
///
/// # It holds a live token
/// Whoever has the bytes has the login. `Debug` is redacted; serialising it, and [`to_bytes`](Self::to_bytes), are not: keep
/// them where you would keep a session, and out of logs. To hand it to the user's device, seal it: `Sealer` (feature `seal`).
#[derive(Clone, PartialEq, Eq)]
pub struct Suspended(Zeroizing<Vec<u8>>);

impl Suspended {
    /// The bytes. They hold a live token, in the clear.
    #[must_use]
    pub fn to_bytes(&self) -> &[u8] {
        &self.0
    }

    /// From bytes that [`to_bytes`](Self::to_bytes) gave, in this version of the library or in an older one. They are
    /// looked at when the stage is resumed.
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

/// What a value holds, by its kind: a stage, and whether the step from it is unresolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The stage.
    pub stage: StageKind,
    /// The mini program that the login came through; `None` for a finished login.
    pub platform: Option<Platform>,
    /// Whether it is an [`Unresolved`] step of that stage.
    pub unresolved: bool,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.unresolved {
            f.write_str("Unresolved ")?;
        }
        write!(f, "{}", self.stage)?;
        match self.platform {
            Some(platform) => write!(f, " through {platform:?}"),
            None => Ok(()),
        }
    }
}

/// A value that cannot be resumed as asked. It gives the value back.
pub struct ResumeError {
    suspended: Suspended,
    reason: ResumeReason,
}

/// Why a value cannot be resumed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResumeReason {
    /// It holds another stage than the one asked for.
    #[error("it holds another stage: {0}")]
    OtherStage(Found),
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

/// What can be suspended and resumed: the stages that wait for a person, a finished login, and an [`Unresolved`] step of
/// either.
///
/// This trait is sealed.
pub trait Resumable: Sealed + Sized {
    #[doc(hidden)]
    const FOUND: Found;
    #[doc(hidden)]
    fn freeze(&self) -> Frozen<'_>;
    /// Puts the stage together. The kind fits: it was compared.
    #[doc(hidden)]
    fn thaw(context: Context, frozen: &Frozen<'_>) -> Result<Self, Unreadable>;
}

/// Any stage of a login through the mini program `P`, as it was found in a value.
#[derive(Debug)]
#[must_use = "the login goes on only with what is in here"]
pub enum Resumed<P: MiniProgram = WeChat> {
    /// An account must be bound.
    PendingBind(PendingBind<P>),
    /// An account must be bound or registered.
    PendingRegister(PendingRegister<P>),
    /// A second factor is due.
    MfaRequired(MfaRequired<P>),
    /// A code by SMS is due, to bind.
    BindByPhone(VerifyPhone<PendingBind<P>>),
    /// A code by e-mail is due, to bind.
    BindByEmail(VerifyEmail<PendingBind<P>>),
    /// A code by SMS is due, to bind or register.
    RegisterByPhone(VerifyPhone<PendingRegister<P>>),
    /// A code by e-mail is due, to bind or register.
    RegisterByEmail(VerifyEmail<PendingRegister<P>>),
    /// A code by SMS is due, for the second factor.
    SecondFactorByPhone(VerifyPhone<MfaRequired<P>>),
    /// A code by e-mail is due, for the second factor.
    SecondFactorByEmail(VerifyEmail<MfaRequired<P>>),
    /// The login is finished.
    Authenticated(Authenticated),
    /// A step from one of these may have been carried out, or not.
    Unresolved(UnresolvedAny<P>),
}

/// A step of which nobody knows whether it was carried out, from whatever stage was found in a value: an
/// [`Unresolved`] of any stage.
#[derive(Debug)]
#[must_use = "the login goes on only with what is in here"]
pub struct UnresolvedAny<P: MiniProgram = WeChat>(Box<Resumed<P>>);

impl<P: MiniProgram> UnresolvedAny<P> {
    /// Puts it down again: see [`Unresolved`]'s `suspend`.
    #[must_use]
    pub fn suspend(self) -> Suspended {
        let mut suspended = self.0.suspend();
        Frozen::set_unresolved(&mut suspended.0, true);
        suspended
    }

    /// Begins again: see [`Unresolved::start_over`].
    #[must_use]
    pub fn start_over(self) -> Unauthenticated {
        self.0.start_over()
    }

    /// Takes the stage back, to try again at one's own risk: see [`Unresolved::retry_anyway`].
    pub fn retry_anyway(self) -> Resumed<P> {
        *self.0
    }
}

impl<P: MiniProgram> From<Outcome<P>> for Resumed<P> {
    fn from(outcome: Outcome<P>) -> Self {
        match outcome {
            Outcome::Authenticated(user) => Self::Authenticated(user),
            Outcome::PendingBind(stage) => Self::PendingBind(stage),
            Outcome::PendingRegister(stage) => Self::PendingRegister(stage),
            Outcome::MfaRequired(stage) => Self::MfaRequired(stage),
        }
    }
}

impl<P: MiniProgram> Resumed<P> {
    /// Puts the stage down again, whichever it is.
    #[must_use]
    pub fn suspend(self) -> Suspended {
        match self {
            Self::PendingBind(stage) => stage.suspend(),
            Self::PendingRegister(stage) => stage.suspend(),
            Self::MfaRequired(stage) => stage.suspend(),
            Self::BindByPhone(stage) => stage.suspend(),
            Self::BindByEmail(stage) => stage.suspend(),
            Self::RegisterByPhone(stage) => stage.suspend(),
            Self::RegisterByEmail(stage) => stage.suspend(),
            Self::SecondFactorByPhone(stage) => stage.suspend(),
            Self::SecondFactorByEmail(stage) => stage.suspend(),
            Self::Authenticated(stage) => stage.suspend(),
            Self::Unresolved(unresolved) => unresolved.suspend(),
        }
    }

    /// Begins again: same client, same device, and what was reached is given up.
    #[must_use]
    pub fn start_over(self) -> Unauthenticated {
        match self {
            Self::PendingBind(stage) => stage.start_over(),
            Self::PendingRegister(stage) => stage.start_over(),
            Self::MfaRequired(stage) => stage.start_over(),
            Self::BindByPhone(stage) => stage.start_over(),
            Self::BindByEmail(stage) => stage.start_over(),
            Self::RegisterByPhone(stage) => stage.start_over(),
            Self::RegisterByEmail(stage) => stage.start_over(),
            Self::SecondFactorByPhone(stage) => stage.start_over(),
            Self::SecondFactorByEmail(stage) => stage.start_over(),
            Self::Authenticated(stage) => stage.start_over(),
            Self::Unresolved(unresolved) => unresolved.start_over(),
        }
    }
}

impl Client {
    /// Picks up a stage that was put down, as the stage that it has to be.
    ///
    /// ```
    /// # use idaas_login::{Client, Device, PendingBind, Suspended, Unauthenticated};
    /// # fn f(client: &Client, stage: PendingBind) -> Result<(), Box<dyn std::error::Error>> {
    /// let suspended: Suspended = stage.suspend();
    /// // In another request, perhaps on another machine:
    /// let stage = client.resume::<PendingBind>(suspended)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ResumeError`] with the value if it holds another stage, is of another tenant or application, of a newer version, or
    /// no suspended stage.
    pub fn resume<S: Resumable>(&self, suspended: Suspended) -> Result<S, ResumeError> {
        match self.thaw::<S>(&suspended) {
            Ok(stage) => Ok(stage),
            Err(reason) => Err(ResumeError { suspended, reason }),
        }
    }

    /// Picks up whatever stage was put down, of a login through the mini program `P`.
    ///
    /// # Errors
    /// As [`resume`](Self::resume).
    pub fn resume_any<P: MiniProgram>(&self, suspended: Suspended) -> Result<Resumed<P>, ResumeError> {
        let found = match Frozen::read(&suspended.0) {
            Ok(frozen) => frozen.found,
            Err(unreadable) => return Err(ResumeError { suspended, reason: unreadable.into() }),
        };
        if found.unresolved {
            let mut stage = suspended.clone();
            Frozen::set_unresolved(&mut stage.0, false);
            return match self.resume_any(stage).map_err(|error| error.reason) {
                Ok(resumed) => Ok(Resumed::Unresolved(UnresolvedAny(Box::new(resumed)))),
                Err(ResumeReason::OtherStage(_)) => {
                    Err(ResumeError { suspended, reason: ResumeReason::OtherStage(found) })
                }
                Err(reason) => Err(ResumeError { suspended, reason }),
            };
        }
        macro_rules! resumed {
            ($($variant:ident: $stage:ty),+) => {
                match found {
                    $(found if found == <$stage as Resumable>::FOUND => {
                        self.resume::<$stage>(suspended).map(Resumed::$variant)
                    })+
                    other => Err(ResumeError { suspended, reason: ResumeReason::OtherStage(other) }),
                }
            };
        }
        resumed!(
            PendingBind: PendingBind<P>,
            PendingRegister: PendingRegister<P>,
            MfaRequired: MfaRequired<P>,
            BindByPhone: VerifyPhone<PendingBind<P>>,
            BindByEmail: VerifyEmail<PendingBind<P>>,
            RegisterByPhone: VerifyPhone<PendingRegister<P>>,
            RegisterByEmail: VerifyEmail<PendingRegister<P>>,
            SecondFactorByPhone: VerifyPhone<MfaRequired<P>>,
            SecondFactorByEmail: VerifyEmail<MfaRequired<P>>,
            Authenticated: Authenticated
        )
    }

    fn thaw<S: Resumable>(&self, suspended: &Suspended) -> Result<S, ResumeReason> {
        let frozen = Frozen::read(&suspended.0)?;
        if frozen.found != S::FOUND {
            return Err(ResumeReason::OtherStage(frozen.found));
        }
        let (base_address, client_id, tenant_id) = self.identity();
        let theirs = (frozen.base_address.as_ref(), frozen.client_id, frozen.tenant_id);
        if theirs != (base_address.as_bytes(), client_id, tenant_id) {
            return Err(ResumeReason::OtherTenant);
        }
        let device = frozen.device().ok_or(ResumeReason::Malformed)?;
        Ok(S::thaw(Context { client: self.clone(), device }, &frozen)?)
    }
}

impl From<Unreadable> for ResumeReason {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::Newer(version) => Self::NewerVersion(version),
            Unreadable::Malformed => Self::Malformed,
        }
    }
}

/// `suspend`, for each type that has it: as a method of its own, so that it is found without a trait.
macro_rules! suspend {
    (impl[$($generics:tt)*] $stage:ty) => {
        impl<$($generics)*> $stage {
            /// Puts the stage down, to be picked up by [`Client::resume`](crate::Client::resume) in another request or
            /// another process.
            ///
            /// The value holds a live token, in the clear: seal it before it leaves the service.
            #[must_use]
            pub fn suspend(self) -> Suspended {
                Suspended(Resumable::freeze(&self).write())
            }
        }
    };
}

suspend!(impl[P: MiniProgram] PendingBind<P>);
suspend!(impl[P: MiniProgram] PendingRegister<P>);
suspend!(impl[P: MiniProgram] MfaRequired<P>);
suspend!(impl[S: AcceptsCode + Resumable] VerifyPhone<S>);
suspend!(impl[S: AcceptsCode + Resumable] VerifyEmail<S>);
suspend!(impl[] Authenticated);
suspend!(impl[S: Resumable] Unresolved<S>);

macro_rules! thaw_waiting {
    ($stage:ident) => {
        impl<P: MiniProgram> Sealed for $stage<P> {}

        impl<P: MiniProgram> Resumable for $stage<P> {
            const FOUND: Found =
                Found { stage: StageKind::$stage, platform: Some(P::PLATFORM), unresolved: false };

            fn freeze(&self) -> Frozen<'_> {
                let waiting = self.waiting();
                Frozen {
                    token: waiting.state_token.expose().as_bytes(),
                    data: waiting.flows.raw().map(str::as_bytes),
                    ..Frozen::of(Self::FOUND, &waiting.context)
                }
            }

            fn thaw(context: Context, frozen: &Frozen<'_>) -> Result<Self, Unreadable> {
                let (state_token, flows) = (frozen.state_token()?, frozen.flows()?);
                Ok(Self::new(Waiting { context, state_token, flows }))
            }
        }
    };
}

thaw_waiting!(PendingBind);
thaw_waiting!(PendingRegister);
thaw_waiting!(MfaRequired);

/// A narrowed stage is its stage, and a destination.
macro_rules! thaw_verify {
    ($stage:ident) => {
        impl<S: AcceptsCode> Sealed for $stage<S> {}

        impl<S: AcceptsCode + Resumable> Resumable for $stage<S> {
            const FOUND: Found = Found { stage: StageKind::$stage(scenario(S::FOUND.stage)), ..S::FOUND };

            fn freeze(&self) -> Frozen<'_> {
                let destination = Some(self.destination().as_bytes());
                Frozen { found: Self::FOUND, destination, ..self.stage().freeze() }
            }

            fn thaw(context: Context, frozen: &Frozen<'_>) -> Result<Self, Unreadable> {
                let destination = frozen.destination()?;
                Ok(Self::new(S::thaw(context, frozen)?, destination))
            }
        }
    };
}

thaw_verify!(VerifyPhone);
thaw_verify!(VerifyEmail);

/// The scenario of a stage that accepts a code.
const fn scenario(stage: StageKind) -> Scenario {
    match stage {
        StageKind::PendingBind => Scenario::Bind,
        StageKind::PendingRegister => Scenario::Register,
        _ => Scenario::SecondFactor,
    }
}

impl Resumable for Authenticated {
    const FOUND: Found = Found { stage: StageKind::Authenticated, platform: None, unresolved: false };

    fn freeze(&self) -> Frozen<'_> {
        Frozen {
            token: self.session_token().expose().as_bytes(),
            expires_in: self.expires_in(),
            id_token: self.id_token().map(|token| token.expose().as_bytes()),
            ..Frozen::of(Self::FOUND, self.context())
        }
    }

    fn thaw(context: Context, frozen: &Frozen<'_>) -> Result<Self, Unreadable> {
        Ok(Self::new(context, frozen.session_token()?, frozen.expires_in, frozen.id_token()?))
    }
}

impl<S: Resumable> Sealed for Unresolved<S> {}

impl<S: Resumable> Resumable for Unresolved<S> {
    const FOUND: Found = Found { unresolved: true, ..S::FOUND };

    fn freeze(&self) -> Frozen<'_> {
        Frozen { found: Self::FOUND, ..self.stage().freeze() }
    }

    fn thaw(context: Context, frozen: &Frozen<'_>) -> Result<Self, Unreadable> {
        S::thaw(context, frozen).map(Self::new)
    }
}
