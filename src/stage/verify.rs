//! A stage that has been narrowed to a destination. One type for both channels: they differ in their rows of the table.

use std::fmt;
use std::marker::PhantomData;

use zeroize::Zeroizing;

use super::{Next, Stage, Step, accessors};
use crate::call::Call;
use crate::captcha::CaptchaPass;
use crate::context::{Context, Draft, Tokens};
use crate::sealed::{INSIDE, Inside, Sealed};
use crate::secret::{Redacted, StateToken};
use crate::wire::endpoints::{CodeRows, Scenario, StageKind};

/// A stage that a verification code can move on.
///
/// The send type, the endpoint and the outcome follow from the stage, so that a code cannot be requested for one scenario
/// and submitted to another. This trait is sealed.
#[diagnostic::on_unimplemented(
    message = "no verification code moves `{Self}` on",
    label = "only PendingBind, PendingRegister and MfaRequired accept a code"
)]
pub trait AcceptsCode: Stage {
    /// What the code is for.
    const SCENARIO: Scenario;

    /// What a right code leads to.
    type Outcome: Next<VerifyPhone<Self>> + Next<VerifyEmail<Self>>;
}

/// How a verification code reaches the user: [`Phone`] or [`Email`]. This trait is sealed.
pub trait Channel: Sealed + fmt::Debug + Send + Sync + 'static {
    #[doc(hidden)]
    fn name(_: Inside) -> &'static str;

    #[doc(hidden)]
    fn kind(scenario: Scenario, _: Inside) -> StageKind;

    #[doc(hidden)]
    fn rows(scenario: Scenario, _: Inside) -> CodeRows;
}

/// By SMS, to a mobile number.
#[derive(Debug)]
pub enum Phone {}

/// By e-mail, to an address.
#[derive(Debug)]
pub enum Email {}

impl Sealed for Phone {}

impl Sealed for Email {}

impl Channel for Phone {
    fn name(_: Inside) -> &'static str {
        "VerifyPhone"
    }

    fn kind(scenario: Scenario, _: Inside) -> StageKind {
        StageKind::VerifyPhone(scenario)
    }

    fn rows(scenario: Scenario, _: Inside) -> CodeRows {
        scenario.sms()
    }
}

impl Channel for Email {
    fn name(_: Inside) -> &'static str {
        "VerifyEmail"
    }

    fn kind(scenario: Scenario, _: Inside) -> StageKind {
        StageKind::VerifyEmail(scenario)
    }

    fn rows(scenario: Scenario, _: Inside) -> CodeRows {
        scenario.email()
    }
}

/// A stage, narrowed to a mobile number: what is missing is the code that the user receives there by SMS.
///
#[doc = include_str!("../../docs/stages/verify_phone.md")]
pub type VerifyPhone<S> = Verify<Phone, S>;

/// A stage, narrowed to an e-mail address: what is missing is the code that the user receives there.
///
#[doc = include_str!("../../docs/stages/verify_email.md")]
pub type VerifyEmail<S> = Verify<Email, S>;

/// A stage, narrowed to a destination: what is missing is the code that the user receives there.
///
/// [`VerifyPhone`] and [`VerifyEmail`] are the names that people write; their pages list the steps. Code for both is
/// generic over the channel:
///
/// ```
/// use idaas_login::{AcceptsCode, CaptchaPass, Channel, Error, Verify};
///
/// fn send_again<C: Channel, S: AcceptsCode>(stage: &Verify<C, S>, pass: &CaptchaPass) -> Result<(), Error> {
///     stage.send_code(pass).send()
/// }
/// ```
pub struct Verify<C: Channel, S: AcceptsCode> {
    stage: S,
    destination: Zeroizing<String>,
    channel: PhantomData<fn() -> C>,
}

impl<C: Channel, S: AcceptsCode> Verify<C, S> {
    pub(crate) fn new(stage: S, destination: Zeroizing<String>) -> Self {
        Self { stage, destination, channel: PhantomData }
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
    /// The code is of the type that belongs to this stage, and works for it alone. The pass is that of a captcha which was
    /// solved for this very destination.
    ///
    /// # Errors
    /// From [`send`](Call::send): any of [`Error`](crate::Error)'s. A pass for another destination is refused before
    /// anything is sent.
    pub fn send_code(&self, pass: &CaptchaPass) -> Call<()> {
        let context = self.stage.context(INSIDE);
        let row = C::rows(S::SCENARIO, INSIDE).send_code;
        let draft = match pass.token_for(&self.destination) {
            Ok(token) => context.draft(row, &[&self.destination, token]),
            Err(invalid) => Draft::invalid(row, invalid),
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
    pub fn submit(self, verify_code: impl AsRef<str>) -> Step<Self, S::Outcome>
    where
        S::Outcome: Next<Self>,
    {
        let draft = self.submission(verify_code.as_ref());
        Step::of(self, draft)
    }

    /// The request that submits a code.
    pub(super) fn submission(&self, verify_code: &str) -> Draft {
        let row = C::rows(S::SCENARIO, INSIDE).submit;
        self.stage.context(INSIDE).draft(row, &[&self.destination, verify_code])
    }

    accessors!();

    /// Back to the stage, to choose another method. Nothing is sent.
    #[must_use]
    pub fn back(self) -> S {
        self.stage
    }
}

impl<C: Channel, S: AcceptsCode> Sealed for Verify<C, S> {}

impl<C: Channel, S: AcceptsCode> Stage for Verify<C, S> {
    fn kind(&self) -> StageKind {
        C::kind(S::SCENARIO, INSIDE)
    }

    fn state_token(&self) -> Option<&StateToken> {
        self.stage.state_token()
    }

    fn context(&self, _: Inside) -> &Context {
        self.stage.context(INSIDE)
    }

    fn into_context(self, _: Inside) -> Context {
        self.stage.into_context(INSIDE)
    }

    fn tokens(&self, _: Inside) -> Tokens<'_> {
        self.stage.tokens(INSIDE)
    }
}

impl<C: Channel, S: AcceptsCode> fmt::Debug for Verify<C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(C::name(INSIDE)).field("stage", &self.stage).field("destination", &Redacted).finish()
    }
}
