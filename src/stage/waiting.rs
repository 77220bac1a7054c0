//! What the stages that wait for a person have in common, and how they are narrowed to a destination.

use std::fmt;

use crate::context::Context;
use crate::error::Error;
use crate::secret::StateToken;
use crate::wire::flows::{AllowedFlows, VerifyMethod};

/// What a stage has that waits for a person.
pub(crate) struct Waiting {
    pub(crate) context: Context,
    pub(crate) state_token: StateToken,
    pub(crate) flows: AllowedFlows,
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

impl<S> From<NotAllowed<S>> for Error {
    fn from(refused: NotAllowed<S>) -> Self {
        Self::NotAllowed(refused.method().clone())
    }
}

/// The stages that wait for a person differ in their steps, not in what they hold.
macro_rules! waiting_stage {
    ($stage:ident) => {
        impl<P: $crate::stage::MiniProgram> $stage<P> {
            pub(crate) fn new(waiting: $crate::stage::waiting::Waiting) -> Self {
                Self { waiting, platform: std::marker::PhantomData }
            }

            pub(crate) fn waiting(&self) -> &$crate::stage::waiting::Waiting {
                &self.waiting
            }

            /// The state token that holds this login together. Do not log it.
            #[must_use]
            pub fn state_token(&self) -> &$crate::StateToken {
                &self.waiting.state_token
            }

            super::common!();
        }

        impl<P: $crate::stage::MiniProgram> $crate::stage::sealed::Held for $stage<P> {
            fn context(&self) -> &$crate::context::Context {
                &self.waiting.context
            }
            fn state_token(&self) -> Option<&$crate::StateToken> {
                Some(&self.waiting.state_token)
            }
            fn into_context(self) -> $crate::context::Context {
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
pub(super) use waiting_stage;

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
                $crate::stage::waiting::gate(self, Self::allowed_flows, $crate::VerifyMethod::Phone)
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
                $crate::stage::waiting::gate(self, Self::allowed_flows, $crate::VerifyMethod::Email)
                    .map(|stage| $crate::VerifyEmail::new(stage, address))
            }
        }
    };
}
pub(super) use gated_narrowings;

pub(super) fn gate<S>(
    stage: S,
    flows: impl Fn(&S) -> &AllowedFlows,
    method: VerifyMethod,
) -> Result<S, NotAllowed<S>> {
    if flows(&stage).allows(&method) { Ok(stage) } else { Err(NotAllowed { stage, method }) }
}
