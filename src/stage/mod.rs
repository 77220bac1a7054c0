//! The login machine: the stages, one file each; the step from one to the next; and what the caller holds if it fails.

mod any;
mod authenticated;
mod awaiting_code;
mod mfa_required;
mod origin;
mod outcome;
mod password;
mod password_reset;
mod pending;
mod pending_bind;
mod pending_register;
mod recovery;
mod registration;
mod step;
mod unauthenticated;
mod verify;

use std::fmt;

pub use self::any::AnyStage;
pub(crate) use self::any::each_stage;
pub use self::authenticated::Authenticated;
pub(crate) use self::authenticated::Expiry;
pub use self::awaiting_code::AwaitingCode;
pub use self::mfa_required::{MfaRequired, RegisteredMobile};
pub use self::origin::{Account, AlipayMiniProgram, Origin, SocialApp, WeChatMiniProgram};
pub use self::outcome::Outcome;
pub use self::password::{PasswordExpired, PasswordExpiring};
pub use self::password_reset::PasswordReset;
pub use self::pending::NotAllowed;
pub(crate) use self::pending::PendingState;
pub use self::pending_bind::PendingBind;
pub use self::pending_register::PendingRegister;
pub use self::recovery::{Recovery, StepError, Unresolved};
pub use self::registration::{Gender, Registration, RegistrationAttributes};
pub use self::step::{InFlight, Next, Step};
pub use self::unauthenticated::Unauthenticated;
pub use self::verify::{AcceptsCode, Channel, Email, Phone, SendsCode, Verify, VerifyEmail, VerifyPhone};
use crate::client::Client;
use crate::context::{Context, Tokens};
use crate::device::Device;
use crate::sealed::{INSIDE, Inside, Sealed};
use crate::secret::StateToken;
use crate::wire::endpoints::StageKind;

/// A stage of the login: for code that works with any of them.
///
/// Each stage also has these methods as its own, so they are found without importing the trait. The trait is sealed: it can
/// be named in bounds, and only the stages of this crate implement it.
///
/// ```
/// use idaas_login::Stage;
///
/// fn describe<S: Stage>(stage: &S) -> String {
///     format!("{} at {:?}", stage.kind(), stage.client().edition())
/// }
/// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
/// assert_eq!(describe(&stage), "PendingBind at Ciam");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a stage of the login",
    label = "a stage is expected here",
    note = "the stages are `Unauthenticated`, `Registration`, `PasswordReset`, `PendingBind`, `PendingRegister`, `MfaRequired`, `PasswordExpiring`, `PasswordExpired`, `VerifyPhone<_>`, `VerifyEmail<_>` and `Authenticated`"
)]
pub trait Stage: Sealed + fmt::Debug + Send + Sync + Sized + 'static {
    /// Which stage it is.
    fn kind(&self) -> StageKind;

    /// The state token that holds an unfinished login together; `None` before the first step and after the last.
    fn state_token(&self) -> Option<&StateToken>;

    /// The client that the login began with.
    fn client(&self) -> &Client {
        &self.context(INSIDE).client
    }

    /// The device that the login began with.
    fn device(&self) -> &Device {
        &self.context(INSIDE).device
    }

    /// Begins again with the same client and device. What was reached is given up.
    ///
    /// ```
    /// use idaas_login::Outcome;
    ///
    /// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
    /// // The user would rather log in by password.
    /// let outcome = stage.start_over().username_password("zhangshan", "correct horse").send()?;
    /// assert!(matches!(outcome, Outcome::Authenticated(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    fn start_over(self) -> Unauthenticated {
        Unauthenticated::new(self.into_context(INSIDE))
    }

    #[doc(hidden)]
    fn context(&self, _: Inside) -> &Context;

    #[doc(hidden)]
    fn into_context(self, _: Inside) -> Context;

    /// What a request from this stage may carry.
    #[doc(hidden)]
    fn tokens(&self, _: Inside) -> Tokens<'_> {
        Tokens { state: self.state_token(), session: None }
    }
}

/// The methods of [`Stage`] as a stage's own.
macro_rules! accessors {
    () => {
        /// The client that the login began with.
        #[must_use]
        pub fn client(&self) -> &$crate::Client {
            $crate::Stage::client(self)
        }

        /// The device that the login began with.
        #[must_use]
        pub fn device(&self) -> &$crate::Device {
            $crate::Stage::device(self)
        }

        /// Which stage it is.
        #[must_use]
        pub fn kind(&self) -> $crate::endpoints::StageKind {
            $crate::Stage::kind(self)
        }

        /// Begins again with the same client and device. What was reached is given up.
        #[must_use]
        pub fn start_over(self) -> $crate::Unauthenticated {
            $crate::Stage::start_over(self)
        }
    };
}
use accessors;

/// [`Stage`] of a stage that holds a context and no token.
macro_rules! tokenless_stage {
    ($stage:ident) => {
        impl $crate::sealed::Sealed for $stage {}

        impl $crate::Stage for $stage {
            fn kind(&self) -> $crate::endpoints::StageKind {
                $crate::endpoints::StageKind::$stage
            }

            fn state_token(&self) -> Option<&$crate::StateToken> {
                None
            }

            fn context(&self, _: $crate::sealed::Inside) -> &$crate::context::Context {
                &self.context
            }

            fn into_context(self, _: $crate::sealed::Inside) -> $crate::context::Context {
                self.context
            }
        }
    };
}
use tokenless_stage;

/// [`Stage`] of an enum of stages, by the stage inside: the macro `each!` of its module tells which that may be.
macro_rules! stage_inside {
    ($any:ident) => {
        impl<O: $crate::Origin> $crate::sealed::Sealed for $any<O> {}

        impl<O: $crate::Origin> $crate::Stage for $any<O> {
            fn kind(&self) -> $crate::endpoints::StageKind {
                each!(self, stage => stage.kind())
            }

            fn state_token(&self) -> Option<&$crate::StateToken> {
                each!(self, stage => $crate::Stage::state_token(stage))
            }

            fn context(&self, inside: $crate::sealed::Inside) -> &$crate::context::Context {
                each!(self, stage => stage.context(inside))
            }

            fn into_context(self, inside: $crate::sealed::Inside) -> $crate::context::Context {
                each!(self, stage => stage.into_context(inside))
            }

            fn tokens(&self, inside: $crate::sealed::Inside) -> $crate::context::Tokens<'_> {
                each!(self, stage => stage.tokens(inside))
            }
        }
    };
}
use stage_inside;
