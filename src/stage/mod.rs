//! The login machine: the stages, one file each; the step from one to the next; and what the caller holds if it fails.

mod authenticated;
mod mfa_required;
mod mini_program;
mod outcome;
mod pending_bind;
mod pending_register;
mod recovery;
mod step;
mod unauthenticated;
mod verify;
pub(crate) mod waiting;

use std::fmt;

pub use self::authenticated::Authenticated;
pub use self::mfa_required::{MfaRequired, RegisteredMobile};
pub use self::mini_program::{Alipay, MiniProgram, WeChat};
pub use self::outcome::Outcome;
pub use self::pending_bind::PendingBind;
pub use self::pending_register::PendingRegister;
pub use self::recovery::{Recovery, StepError, Unresolved};
pub use self::step::{InFlight, Next, Step};
pub use self::unauthenticated::Unauthenticated;
pub use self::verify::{AcceptsCode, VerifyEmail, VerifyPhone};
pub use self::waiting::NotAllowed;
use crate::wire::endpoints::StageKind;

/// A stage of the login.
///
/// This trait is sealed: the stages of this crate implement it.
pub trait Stage: sealed::Held + fmt::Debug + Send + Sync + 'static {
    /// Which one it is.
    const KIND: StageKind;
}

pub(crate) mod sealed {
    use crate::context::{Context, Tokens};
    use crate::secret::StateToken;

    /// What the steps need of a stage.
    pub trait Held: Sized {
        #[doc(hidden)]
        fn context(&self) -> &Context;
        #[doc(hidden)]
        fn state_token(&self) -> Option<&StateToken>;
        #[doc(hidden)]
        fn into_context(self) -> Context;

        /// What a request from this stage may carry.
        #[doc(hidden)]
        fn tokens(&self) -> Tokens<'_> {
            Tokens { state: self.state_token(), session: None }
        }
    }
}

/// What every stage offers beside its steps.
macro_rules! common {
    () => {
        /// The client that the login began with.
        #[must_use]
        pub fn client(&self) -> &$crate::Client {
            &$crate::stage::sealed::Held::context(self).client
        }

        /// The device that the login began with.
        #[must_use]
        pub fn device(&self) -> &$crate::Device {
            &$crate::stage::sealed::Held::context(self).device
        }

        /// Begins again: same client, same device, and what was reached is given up.
        #[must_use]
        pub fn start_over(self) -> $crate::Unauthenticated {
            $crate::Unauthenticated::new($crate::stage::sealed::Held::into_context(self))
        }
    };
}
use common;
