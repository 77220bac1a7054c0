//! How a login began.

use std::fmt;

use crate::sealed::Sealed;
use crate::wire::endpoints::OriginKind;

/// How a login began. It decides which ways to bind an account exist: by the number that WeChat or Alipay authorised only in a
/// login through that mini program, by code and by password in each.
///
/// It is the type parameter of [`Outcome`](crate::Outcome) and of the stages, and defaults to [`WeChatMiniProgram`]. This
/// trait is sealed: [`WeChatMiniProgram`], [`AlipayMiniProgram`], [`SocialApp`] and [`Account`] implement it.
///
/// Code that works with each of them is generic over it:
///
/// ```
/// use idaas_login::{Authenticated, Origin, Outcome};
///
/// /// The session, if nothing else is due.
/// fn session<O: Origin>(outcome: Outcome<O>) -> Option<Authenticated> {
///     match outcome {
///         Outcome::Authenticated(user) => Some(user),
///         _ => None,
///     }
/// }
/// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
/// # let outcome = client.login(device).username_password("zhangshan", "correct horse").send()?;
/// # assert!(session(outcome).is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an origin of a login",
    label = "`WeChatMiniProgram`, `AlipayMiniProgram`, `SocialApp` or `Account` is expected here"
)]
pub trait Origin: Sealed + fmt::Debug + Send + Sync + 'static {
    /// Which one it is.
    const KIND: OriginKind;
}

/// The login began in a WeChat mini program.
#[derive(Debug)]
pub enum WeChatMiniProgram {}

/// The login began in an Alipay mini program.
#[derive(Debug)]
pub enum AlipayMiniProgram {}

/// The login began with the identity that the user has in another app: WeChat, Alipay, QQ, Weibo or Apple.
#[derive(Debug)]
pub enum SocialApp {}

/// The login began with an account of the tenant: by password, by a code, by the carrier, or by registering it.
#[derive(Debug)]
pub enum Account {}

macro_rules! origins {
    ($($origin:ident),+ $(,)?) => {$(
        impl Sealed for $origin {}

        impl Origin for $origin {
            const KIND: OriginKind = OriginKind::$origin;
        }
    )+};
}

origins!(WeChatMiniProgram, AlipayMiniProgram, SocialApp, Account);
