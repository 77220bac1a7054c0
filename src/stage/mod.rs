//! The stages: one file per stage, and what they have in common.

mod authenticated;
mod mfa_required;
mod pending_bind;
mod pending_register;
mod unauthenticated;
mod verify;

use std::fmt;

pub use self::authenticated::Authenticated;
pub use self::mfa_required::{MfaRequired, RegisteredMobile};
pub use self::pending_bind::PendingBind;
pub use self::pending_register::PendingRegister;
pub use self::unauthenticated::Unauthenticated;
pub use self::verify::{AcceptsCode, VerifyEmail, VerifyPhone};
use crate::client::Client;
use crate::device::Device;
use crate::error::UnexpectedReason;
use crate::secret::StateToken;
use crate::transport::Response;
use crate::wire::endpoints::{Platform, StageKind};
use crate::wire::flows::{AllowedFlows, VerifyMethod};
use crate::wire::requests::Tokens;
use crate::wire::responses::{Failure, Pending, Progress, progress};

/// What a step of a login leads to.
///
/// The enum is exhaustive: a `match` that forgets a stage does not compile.
///
/// `P` is the mini program that the login came through, [`WeChat`] unless you write another.
#[derive(Debug)]
#[must_use = "the login goes on only with what is in here"]
pub enum Outcome<P: MiniProgram = WeChat> {
    /// `SUCCESS`: the login is finished.
    Authenticated(Authenticated),
    /// `SOCIAL_BIND`: an existing account must be bound.
    PendingBind(PendingBind<P>),
    /// `USER_REGISTER`: an account must be bound or registered.
    PendingRegister(PendingRegister<P>),
    /// `MFA_AUTH`: a second factor is asked for.
    MfaRequired(MfaRequired<P>),
}

/// The mini program that a login came through. It decides which bind by authorised phone number exists.
///
/// This trait is sealed: [`WeChat`] and [`Alipay`] implement it.
pub trait MiniProgram: sealed::Sealed + fmt::Debug + Send + Sync + 'static {
    /// Which one it is.
    const PLATFORM: Platform;
}

/// A WeChat mini program.
#[derive(Debug)]
pub enum WeChat {}

/// An Alipay mini program.
#[derive(Debug)]
pub enum Alipay {}

impl MiniProgram for WeChat {
    const PLATFORM: Platform = Platform::WeChat;
}

impl MiniProgram for Alipay {
    const PLATFORM: Platform = Platform::Alipay;
}

/// A stage of the login.
///
/// This trait is sealed: the stages of this crate implement it.
pub trait Stage: sealed::Held + fmt::Debug + Send + Sync + 'static {
    /// Which one it is.
    const KIND: StageKind;
}

/// What every stage has: the client and the device.
#[derive(Clone, Debug)]
pub struct Context {
    pub(crate) client: Client,
    pub(crate) device: Device,
}

/// What a stage has that waits for a person.
pub(crate) struct Waiting {
    pub(crate) context: Context,
    pub(crate) state_token: StateToken,
    pub(crate) flows: AllowedFlows,
}

pub(crate) mod sealed {
    use super::{Context, StateToken, Tokens};

    pub trait Sealed {}

    impl Sealed for super::WeChat {}
    impl Sealed for super::Alipay {}

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

/// What a step can lead to: an [`Outcome`], or an [`Authenticated`].
///
/// This trait is sealed: it is for bounds, in code that drives any [`Step`](crate::Step).
pub trait Next<S>: Sized + SealedNext<S> {}

impl<S, N: SealedNext<S>> Next<S> for N {}

/// How a step's answer is read, and where it leads.
pub trait SealedNext<S>: Sized {
    /// What is read from the answer.
    type Answer;

    /// Reads the answer.
    #[doc(hidden)]
    fn read(response: Response) -> Result<Self::Answer, Failure>;

    /// Moves on from `stage`, or gives it back if the answer is not enough to move on.
    #[doc(hidden)]
    fn reached(stage: S, answer: Self::Answer) -> Result<Self, (S, UnexpectedReason)>;

    /// The stage that was reached.
    #[doc(hidden)]
    fn stage(&self) -> StageKind;
}

impl<S: Stage, P: MiniProgram> SealedNext<S> for Outcome<P> {
    type Answer = Progress;

    fn read(response: Response) -> Result<Progress, Failure> {
        progress(response)
    }

    fn reached(stage: S, answer: Progress) -> Result<Self, (S, UnexpectedReason)> {
        match answer {
            Progress::Success { session_token, expires_in, id_token } => {
                let user = Authenticated::new(stage.into_context(), session_token, expires_in, id_token);
                Ok(Self::Authenticated(user))
            }
            Progress::Pending { status, state_token, flows } => {
                // The newest state token: the answer's if it has one, else the one in hand.
                let Some(state_token) = state_token.or_else(|| stage.state_token().cloned()) else {
                    return Err((stage, UnexpectedReason::NoStateToken));
                };
                let context = stage.into_context();
                let waiting = Waiting { context, state_token, flows };
                Ok(match status {
                    Pending::SocialBind => Self::PendingBind(PendingBind::new(waiting)),
                    Pending::UserRegister => Self::PendingRegister(PendingRegister::new(waiting)),
                    Pending::MfaAuth => Self::MfaRequired(MfaRequired::new(waiting)),
                })
            }
        }
    }

    fn stage(&self) -> StageKind {
        match self {
            Self::Authenticated(_) => StageKind::Authenticated,
            Self::PendingBind(_) => StageKind::PendingBind,
            Self::PendingRegister(_) => StageKind::PendingRegister,
            Self::MfaRequired(_) => StageKind::MfaRequired,
        }
    }
}

/// The tenant does not allow this way here. It gives the stage back.
pub struct NotAllowed<S> {
    stage: S,
    method: VerifyMethod,
}

impl<S> NotAllowed<S> {
    /// The stage, to try another way.
    #[must_use]
    pub fn into_stage(self) -> S {
        self.stage
    }

    /// The way that is not allowed.
    #[must_use]
    pub fn method(&self) -> &VerifyMethod {
        &self.method
    }
}

impl<S> fmt::Display for NotAllowed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the tenant does not allow {} here; nothing was sent", self.method)
    }
}

impl<S> fmt::Debug for NotAllowed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotAllowed").field("method", &self.method).finish_non_exhaustive()
    }
}

impl<S> std::error::Error for NotAllowed<S> {}

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

/// The stages that wait for a person differ in their steps, not in what they hold.
macro_rules! waiting_stage {
    ($stage:ident) => {
        impl<P: $crate::stage::MiniProgram> $stage<P> {
            pub(crate) fn new(waiting: $crate::stage::Waiting) -> Self {
                Self { waiting, platform: std::marker::PhantomData }
            }

            pub(crate) fn waiting(&self) -> &$crate::stage::Waiting {
                &self.waiting
            }

            /// The state token that holds this login together. Do not log it.
            #[must_use]
            pub fn state_token(&self) -> &$crate::StateToken {
                &self.waiting.state_token
            }

            $crate::stage::common!();
        }

        impl<P: $crate::stage::MiniProgram> $crate::stage::sealed::Held for $stage<P> {
            fn context(&self) -> &$crate::stage::Context {
                &self.waiting.context
            }
            fn state_token(&self) -> Option<&$crate::StateToken> {
                Some(&self.waiting.state_token)
            }
            fn into_context(self) -> $crate::stage::Context {
                self.waiting.context
            }
        }

        impl<P: $crate::stage::MiniProgram> $crate::stage::Stage for $stage<P> {
            const KIND: $crate::endpoints::StageKind = $crate::endpoints::StageKind::$stage;
        }

        impl<P: $crate::stage::MiniProgram> std::fmt::Debug for $stage<P> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($stage))
                    .field("state_token", &self.waiting.state_token)
                    .field("allowed_flows", &self.waiting.flows)
                    .finish_non_exhaustive()
            }
        }
    };
}
use waiting_stage;

/// The two ways to narrow a stage to a destination, where the tenant's allowed flows decide.
macro_rules! gated_narrowings {
    ($stage:ident) => {
        impl<P: $crate::stage::MiniProgram> $stage<P> {
            /// The ways that the tenant allows to verify a destination.
            #[must_use]
            pub fn allowed_flows(&self) -> &$crate::AllowedFlows {
                &self.waiting.flows
            }

            /// Goes by a mobile number and a code by SMS: narrows to [`VerifyPhone`](crate::VerifyPhone), nothing is sent.
            ///
            /// The number is sent exactly as given (the pages print `15201657312` and `+86-15201657312`).
            ///
            /// # Errors
            /// [`NotAllowed`](crate::NotAllowed) with the stage if the tenant lists its ways and `VERIFY_PHONE` is not
            /// among them.
            pub fn phone(
                self,
                mobile: impl Into<String>,
            ) -> Result<$crate::VerifyPhone<Self>, $crate::NotAllowed<Self>> {
                // Before the gate, so that it is zeroized behind either of its sides.
                let mobile = zeroize::Zeroizing::new(mobile.into());
                $crate::stage::gate(self, Self::allowed_flows, $crate::VerifyMethod::Phone)
                    .map(|stage| $crate::VerifyPhone::new(stage, mobile))
            }

            /// Goes by an e-mail address and a code by e-mail: narrows to [`VerifyEmail`](crate::VerifyEmail), nothing is
            /// sent.
            ///
            /// # Errors
            /// [`NotAllowed`](crate::NotAllowed) with the stage if the tenant lists its ways and `VERIFY_EMAIL` is not
            /// among them.
            pub fn email(
                self,
                address: impl Into<String>,
            ) -> Result<$crate::VerifyEmail<Self>, $crate::NotAllowed<Self>> {
                let address = zeroize::Zeroizing::new(address.into());
                $crate::stage::gate(self, Self::allowed_flows, $crate::VerifyMethod::Email)
                    .map(|stage| $crate::VerifyEmail::new(stage, address))
            }
        }
    };
}
use gated_narrowings;

fn gate<S>(stage: S, flows: impl Fn(&S) -> &AllowedFlows, method: VerifyMethod) -> Result<S, NotAllowed<S>> {
    if flows(&stage).allows(&method) { Ok(stage) } else { Err(NotAllowed { stage, method }) }
}
