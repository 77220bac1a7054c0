//! What can be put down, and how a client picks it up.

use super::format::{SuspendedFields, Unreadable};
use super::kind::SuspendedKind;
use super::suspended::{ResumeError, ResumeReason, Suspended};
use crate::client::Client;
use crate::context::Context;
use crate::sealed::{INSIDE, Inside, Sealed};
use crate::stage::{AnyStage, Origin, Outcome, Unauthenticated, Unresolved, WeChatMiniProgram};
use crate::wire::endpoints::StageKind;

/// What can be suspended and resumed: the stages that wait for a person, a finished login, and an [`Unresolved`] step of
/// either.
///
/// Each of them also has [`suspend`](Resumable::suspend) as a method of its own. This trait is sealed.
///
/// ```
/// use idaas_login::{Client, Resumable, ResumeError};
///
/// /// Puts a stage down and picks it up again, whichever it is.
/// fn round_trip<S: Resumable>(client: &Client, stage: S) -> Result<S, ResumeError> {
///     client.resume(stage.suspend())
/// }
/// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
/// # let client = stage.client().clone();
/// let stage = round_trip(&client, stage)?;
/// assert!(stage.allowed_flows().listed().is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be suspended",
    label = "this is nothing that waits between two requests",
    note = "what waits for a person can be suspended: a pending stage, a password stage, a registration, a reset, a stage in which a code is due, a finished login, and an `Unresolved` step of any of them"
)]
pub trait Resumable: Sealed + Sized {
    /// Puts it down, to be picked up by [`Client::resume`](crate::Client::resume) in another request or another process.
    ///
    /// The value holds a live token, in the clear: seal it before it leaves the service.
    #[must_use]
    fn suspend(self) -> Suspended {
        Suspended(self.fields(INSIDE).write())
    }

    /// Whether a value of this kind can be resumed as this.
    #[doc(hidden)]
    fn holds(kind: SuspendedKind, _: Inside) -> bool;

    #[doc(hidden)]
    fn fields(&self, _: Inside) -> SuspendedFields<'_>;

    /// Puts it together. The kind fits: it was compared.
    #[doc(hidden)]
    fn restore(context: Context, fields: &SuspendedFields<'_>, _: Inside) -> Result<Self, Unreadable>;
}

/// Whatever was found in a value: a stage of a login with the origin `O`, or a step from one whose outcome is unknown.
///
/// `client.resume::<Resumed>(suspended)` gives it, and so does [`Client::resume_any`](crate::Client::resume_any).
///
/// ```
/// use idaas_login::{AnyStage, Resumed};
///
/// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
/// # let (client, suspended) = (stage.client().clone(), stage.suspend());
/// let next = match client.resume::<Resumed>(suspended)? {
///     Resumed::Stage(AnyStage::PendingBind(_)) => "which account is yours?".to_owned(),
///     Resumed::Stage(other) => format!("go on at {}", other.kind()),
///     Resumed::Unresolved(unknown) => format!("was the step from {} carried out?", unknown.kind()),
/// };
/// assert_eq!(next, "which account is yours?");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "the login goes on only with what is in here"]
pub enum Resumed<O: Origin = WeChatMiniProgram> {
    /// A stage.
    Stage(AnyStage<O>),
    /// A step from one of the stages may have been carried out, or not.
    Unresolved(Unresolved<AnyStage<O>>),
}

impl<O: Origin> Resumed<O> {
    /// Which stage it is, or which stage the unresolved step was taken from.
    #[must_use]
    pub fn kind(&self) -> StageKind {
        match self {
            Self::Stage(stage) => stage.kind(),
            Self::Unresolved(unresolved) => unresolved.kind(),
        }
    }

    /// Puts it down again, whatever it is.
    #[must_use]
    pub fn suspend(self) -> Suspended {
        Resumable::suspend(self)
    }

    /// Begins again with the same client and device. What was reached is given up.
    #[must_use]
    pub fn start_over(self) -> Unauthenticated {
        match self {
            Self::Stage(stage) => stage.start_over(),
            Self::Unresolved(unresolved) => unresolved.start_over(),
        }
    }
}

impl<O: Origin> From<AnyStage<O>> for Resumed<O> {
    fn from(stage: AnyStage<O>) -> Self {
        Self::Stage(stage)
    }
}

impl<O: Origin> From<Outcome<O>> for Resumed<O> {
    fn from(outcome: Outcome<O>) -> Self {
        Self::Stage(outcome.into())
    }
}

impl<O: Origin> Outcome<O> {
    /// Puts down whatever stage it is, to be picked up by [`Client::resume`](crate::Client::resume) in another request or
    /// another process.
    ///
    /// The value holds a live token, in the clear: seal it before it leaves the service.
    ///
    /// ```
    /// use idaas_login::PendingBind;
    ///
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// # let code = tenant.wechat_login_code("an-openid");
    /// // Whatever is due next is kept for the next request.
    /// let suspended = client.login(device).wechat_mini_program(code).send()?.suspend();
    /// let stage = client.resume::<PendingBind>(suspended)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn suspend(self) -> Suspended {
        AnyStage::from(self).suspend()
    }
}

impl Client {
    /// Picks up a stage that was put down, as the stage that it has to be.
    ///
    /// A handler that takes more than one stage asks for [`AwaitingCode`](crate::AwaitingCode), [`AnyStage`], [`Resumed`] or
    /// [`AnyLogin`](crate::AnyLogin).
    ///
    /// ```
    /// use idaas_login::{AwaitingCode, PendingBind, ResumeReason};
    ///
    /// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
    /// # let client = stage.client().clone();
    /// let suspended = stage.suspend();
    /// // In another request, perhaps on another machine:
    /// let stage = client.resume::<PendingBind>(suspended)?;
    ///
    /// // A value that holds another stage is given back.
    /// let refused = client.resume::<AwaitingCode>(stage.suspend()).unwrap_err();
    /// assert!(matches!(refused.reason(), ResumeReason::OtherStage(_)));
    /// let stage = client.resume::<PendingBind>(refused.into_suspended())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ResumeError`] with the value if it holds another stage, is of another tenant or application, of a newer version, or
    /// no suspended stage.
    pub fn resume<S: Resumable>(&self, suspended: Suspended) -> Result<S, ResumeError> {
        match self.restore::<S>(&suspended) {
            Ok(stage) => Ok(stage),
            Err(reason) => Err(ResumeError { suspended, reason }),
        }
    }

    /// Picks up whatever was put down, of a login with the origin `O`: [`resume`](Self::resume) of a [`Resumed`].
    ///
    /// [`AnyLogin`](crate::AnyLogin) takes a login with whichever origin.
    ///
    /// ```
    /// use idaas_login::WeChatMiniProgram;
    /// use idaas_login::endpoints::StageKind;
    ///
    /// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
    /// # let (client, suspended) = (stage.client().clone(), stage.suspend());
    /// let login = client.resume_any::<WeChatMiniProgram>(suspended)?;
    /// assert_eq!(login.kind(), StageKind::PendingBind);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`resume`](Self::resume).
    pub fn resume_any<O: Origin>(&self, suspended: Suspended) -> Result<Resumed<O>, ResumeError> {
        self.resume(suspended)
    }

    fn restore<S: Resumable>(&self, suspended: &Suspended) -> Result<S, ResumeReason> {
        let fields = SuspendedFields::read(&suspended.0)?;
        if !S::holds(fields.kind, INSIDE) {
            return Err(ResumeReason::OtherStage(fields.kind));
        }
        if (fields.base_address, fields.client_id, fields.tenant_id) != self.identity() {
            return Err(ResumeReason::OtherTenant);
        }
        let device = fields.device().ok_or(ResumeReason::Malformed)?;
        Ok(S::restore(Context { client: self.clone(), device }, &fields, INSIDE)?)
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
