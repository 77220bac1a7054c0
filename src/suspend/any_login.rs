//! Whatever was put down, of whichever login.

use super::format::{SuspendedFields, Unreadable};
use super::kind::SuspendedKind;
use super::resume::{Resumable, Resumed};
use super::suspended::Suspended;
use crate::context::Context;
use crate::sealed::{INSIDE, Inside, Sealed};
use crate::stage::{Account, AlipayMiniProgram, SocialApp, Unauthenticated, WeChatMiniProgram};
use crate::wire::endpoints::{OriginKind, StageKind};

/// Whatever was found in a value, of a login with whichever origin: for a service that lets users log in in several ways.
///
/// What belongs to each origin, such as a finished login, is found as [`Account`](Self::Account).
///
/// ```
/// use idaas_login::{AnyLogin, Origin, Resumed};
///
/// fn name<O: Origin>(login: &Resumed<O>) -> String {
///     format!("{} of {:?}", login.kind(), O::KIND)
/// }
/// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
/// # let (client, suspended) = (stage.client().clone(), stage.suspend());
/// let name = match client.resume(suspended)? {
///     AnyLogin::WeChatMiniProgram(login) => name(&login),
///     AnyLogin::AlipayMiniProgram(login) => name(&login),
///     AnyLogin::SocialApp(login) => name(&login),
///     AnyLogin::Account(login) => name(&login),
/// };
/// assert_eq!(name, "PendingBind of WeChatMiniProgram");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "the login goes on only with what is in here"]
pub enum AnyLogin {
    /// Begun in a WeChat mini program.
    WeChatMiniProgram(Resumed<WeChatMiniProgram>),
    /// Begun in an Alipay mini program.
    AlipayMiniProgram(Resumed<AlipayMiniProgram>),
    /// Begun with the identity that the user has in another app.
    SocialApp(Resumed<SocialApp>),
    /// Begun with an account of the tenant; or finished, or with no account yet.
    Account(Resumed<Account>),
}

/// The same expression for what is inside, whichever it is.
macro_rules! each {
    ($any:expr, $login:ident => $then:expr) => {
        match $any {
            AnyLogin::WeChatMiniProgram($login) => $then,
            AnyLogin::AlipayMiniProgram($login) => $then,
            AnyLogin::SocialApp($login) => $then,
            AnyLogin::Account($login) => $then,
        }
    };
}

impl AnyLogin {
    /// Which stage it is, or which stage the unresolved step was taken from.
    #[must_use]
    pub fn kind(&self) -> StageKind {
        each!(self, login => login.kind())
    }

    /// Puts it down again, whatever it is.
    #[must_use]
    pub fn suspend(self) -> Suspended {
        Resumable::suspend(self)
    }

    /// Begins again with the same client and device. What was reached is given up.
    #[must_use]
    pub fn start_over(self) -> Unauthenticated {
        each!(self, login => login.start_over())
    }
}

impl Sealed for AnyLogin {}

impl Resumable for AnyLogin {
    fn holds(kind: SuspendedKind, _: Inside) -> bool {
        match kind.origin {
            Some(OriginKind::WeChatMiniProgram) => Resumed::<WeChatMiniProgram>::holds(kind, INSIDE),
            Some(OriginKind::AlipayMiniProgram) => Resumed::<AlipayMiniProgram>::holds(kind, INSIDE),
            Some(OriginKind::SocialApp) => Resumed::<SocialApp>::holds(kind, INSIDE),
            Some(OriginKind::Account) | None => Resumed::<Account>::holds(kind, INSIDE),
        }
    }

    fn fields(&self, _: Inside) -> SuspendedFields<'_> {
        each!(self, login => login.fields(INSIDE))
    }

    fn restore(context: Context, fields: &SuspendedFields<'_>, _: Inside) -> Result<Self, Unreadable> {
        match fields.kind.origin {
            Some(OriginKind::WeChatMiniProgram) => {
                Resumed::restore(context, fields, INSIDE).map(Self::WeChatMiniProgram)
            }
            Some(OriginKind::AlipayMiniProgram) => {
                Resumed::restore(context, fields, INSIDE).map(Self::AlipayMiniProgram)
            }
            Some(OriginKind::SocialApp) => Resumed::restore(context, fields, INSIDE).map(Self::SocialApp),
            Some(OriginKind::Account) | None => Resumed::restore(context, fields, INSIDE).map(Self::Account),
        }
    }
}
