//! A stage that has been narrowed to a destination. One file for both channels: they differ in nothing but names.

use std::fmt;

use zeroize::Zeroizing;

use super::sealed::Held;
use super::{MfaRequired, MiniProgram, Next, Outcome, PendingBind, PendingRegister, Stage, Step, common};
use crate::call::Call;
use crate::captcha::CaptchaPass;
use crate::context::{Context, Draft};
use crate::secret::{Redacted, StateToken};
use crate::wire::endpoints::{
    BIND_EMAIL, BIND_PHONE, Endpoint, MFA_EMAIL, MFA_PHONE, REGISTER_EMAIL, REGISTER_PHONE, SEND_BIND_EMAIL,
    SEND_BIND_SMS, SEND_MFA_EMAIL, SEND_MFA_SMS, SEND_REGISTER_EMAIL, SEND_REGISTER_SMS, Scenario, StageKind,
};

/// A stage that a verification code can move on.
///
/// The send type, the endpoint and the outcome follow from the stage, so that a code cannot be requested for one scenario
/// and submitted to another. This trait is sealed.
#[diagnostic::on_unimplemented(
    message = "no verification code moves `{Self}` on",
    label = "only PendingBind, PendingRegister and MfaRequired accept a code"
)]
pub trait AcceptsCode: Stage {
    /// What a right code leads to.
    type Outcome: Next<VerifyPhone<Self>> + Next<VerifyEmail<Self>>;
    /// What the code is for.
    const SCENARIO: Scenario;
    #[doc(hidden)]
    const SUBMIT_PHONE: &'static Endpoint;
    #[doc(hidden)]
    const SUBMIT_EMAIL: &'static Endpoint;
    #[doc(hidden)]
    const SEND_SMS: &'static Endpoint;
    #[doc(hidden)]
    const SEND_EMAIL: &'static Endpoint;
}

impl<P: MiniProgram> AcceptsCode for PendingBind<P> {
    type Outcome = Outcome<P>;
    const SCENARIO: Scenario = Scenario::Bind;
    const SUBMIT_PHONE: &'static Endpoint = &BIND_PHONE;
    const SUBMIT_EMAIL: &'static Endpoint = &BIND_EMAIL;
    const SEND_SMS: &'static Endpoint = &SEND_BIND_SMS;
    const SEND_EMAIL: &'static Endpoint = &SEND_BIND_EMAIL;
}

impl<P: MiniProgram> AcceptsCode for PendingRegister<P> {
    type Outcome = Outcome<P>;
    const SCENARIO: Scenario = Scenario::Register;
    const SUBMIT_PHONE: &'static Endpoint = &REGISTER_PHONE;
    const SUBMIT_EMAIL: &'static Endpoint = &REGISTER_EMAIL;
    const SEND_SMS: &'static Endpoint = &SEND_REGISTER_SMS;
    const SEND_EMAIL: &'static Endpoint = &SEND_REGISTER_EMAIL;
}

impl<P: MiniProgram> AcceptsCode for MfaRequired<P> {
    type Outcome = Outcome<P>;
    const SCENARIO: Scenario = Scenario::SecondFactor;
    const SUBMIT_PHONE: &'static Endpoint = &MFA_PHONE;
    const SUBMIT_EMAIL: &'static Endpoint = &MFA_EMAIL;
    const SEND_SMS: &'static Endpoint = &SEND_MFA_SMS;
    const SEND_EMAIL: &'static Endpoint = &SEND_MFA_EMAIL;
}

macro_rules! verify_stage {
    ($(#[$doc:meta])* $name:ident, $submit:ident, $send:ident) => {
        $(#[$doc])*
        pub struct $name<S: AcceptsCode> {
            stage: S,
            destination: Zeroizing<String>,
        }

        impl<S: AcceptsCode> $name<S> {
            pub(crate) fn new(stage: S, destination: Zeroizing<String>) -> Self {
                Self { stage, destination }
            }

            pub(crate) fn stage(&self) -> &S {
                &self.stage
            }

            /// The destination, exactly as it was given.
            #[must_use]
            pub fn destination(&self) -> &str {
                &self.destination
            }

            /// Asks for a code to the destination. It may be asked for again.
            ///
            /// The code is of the type that belongs to this stage, and works for it alone. The pass is that of a captcha
            /// which was solved for this very destination.
            ///
            /// # Errors
            /// From [`send`](Call::send): any of [`Error`](crate::Error)'s. A pass for another
            /// destination is refused before anything is sent.
            pub fn send_code(&self, pass: &CaptchaPass) -> Call<()> {
                let context = self.stage.context();
                let draft = match pass.token_for(&self.destination) {
                    Ok(token) => context.draft(S::$send, &[&self.destination, token]),
                    Err(invalid) => Draft { endpoint: S::$send, body: Err(invalid) },
                };
                Call::new(context.clone(), None, draft, ())
            }

            /// Submits the code that the user received.
            ///
            /// A wrong code hands this stage back in [`Recovery::Retry`](crate::Recovery::Retry).
            ///
            /// # Errors
            /// From [`send`](Step::send): any of [`Error`](crate::Error)'s. An empty code or destination is refused before
            /// anything is sent.
            pub fn submit(self, verify_code: impl AsRef<str>) -> Step<Self, S::Outcome> {
                let values = [self.destination.as_str(), verify_code.as_ref()];
                let draft = self.stage.context().draft(S::$submit, &values);
                Step::of(self, draft)
            }

            common!();

            /// Back to the stage, to choose another way. Nothing is sent.
            #[must_use]
            pub fn back(self) -> S {
                self.stage
            }
        }

        impl<S: AcceptsCode> Held for $name<S> {
            fn context(&self) -> &Context {
                self.stage.context()
            }
            fn state_token(&self) -> Option<&StateToken> {
                self.stage.state_token()
            }
            fn into_context(self) -> Context {
                self.stage.into_context()
            }
        }

        impl<S: AcceptsCode> Stage for $name<S> {
            const KIND: StageKind = StageKind::$name(S::SCENARIO);
        }

        impl<S: AcceptsCode> fmt::Debug for $name<S> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("stage", &self.stage)
                    .field("destination", &Redacted)
                    .finish()
            }
        }
    };
}

verify_stage! {
    /// A stage, narrowed to a mobile number: what is missing is the code that the user receives there by SMS.
    ///
    #[doc = include_str!("../../docs/stages/verify_phone.md")]
    VerifyPhone, SUBMIT_PHONE, SEND_SMS
}

verify_stage! {
    /// A stage, narrowed to an e-mail address: what is missing is the code that the user receives there.
    ///
    #[doc = include_str!("../../docs/stages/verify_email.md")]
    VerifyEmail, SUBMIT_EMAIL, SEND_EMAIL
}
