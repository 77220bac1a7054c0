//! A stage that has been narrowed to a destination. One type for both channels: they differ in their rows of the table.

use std::fmt;
use std::marker::PhantomData;

use zeroize::Zeroizing;

use super::{
    Next, Origin, Outcome, PasswordExpired, PasswordReset, Registration, RegistrationAttributes, Stage, Step,
    Unauthenticated, accessors,
};
use crate::call::Call;
use crate::captcha::CaptchaPass;
use crate::context::{Context, Draft, Tokens};
use crate::sealed::{INSIDE, Inside, Sealed};
use crate::secret::{Redacted, StateToken};
use crate::wire::endpoints::{CodeRows, Endpoint, Scenario, StageKind};

/// A stage for which a verification code can be requested.
///
/// The send type and the endpoint follow from the stage, so that a code cannot be requested for one scenario and submitted to
/// another. This trait is sealed.
#[diagnostic::on_unimplemented(
    message = "no verification code can be requested for `{Self}`",
    label = "codes are for Unauthenticated, Registration, PasswordReset, PasswordExpired, PendingBind, PendingRegister and MfaRequired"
)]
pub trait SendsCode: Stage {
    /// What the code is for.
    const SCENARIO: Scenario;

    /// What is sent along with the code.
    #[doc(hidden)]
    fn attributes(&self, _: Inside) -> Option<&RegistrationAttributes> {
        None
    }
}

/// A stage that a verification code alone moves on.
///
/// A forgotten or expired password takes a code and a new password: `submit` of
/// [`Verify<_, PasswordReset>`](Verify#impl-Verify<C,+PasswordReset>) and of
/// [`Verify<_, PasswordExpired>`](Verify#impl-Verify<C,+PasswordExpired<O>>). This trait is sealed.
#[diagnostic::on_unimplemented(
    message = "no verification code alone moves `{Self}` on",
    label = "only Unauthenticated, Registration, PendingBind, PendingRegister and MfaRequired accept a code alone"
)]
pub trait AcceptsCode: SendsCode {
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
/// ```
/// use idaas_login::{Outcome, PendingBind, VerifyPhone};
///
/// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
/// let stage: VerifyPhone<PendingBind> = stage.phone("15201657312")?;
/// # let pass = idaas_login::emulator::examples::pass(&tenant, &stage)?;
/// // `pass` is that of a captcha: see `Captcha::solve`.
/// stage.send_code(&pass).send()?;
/// # let code = tenant.last_code(stage.destination()).ok_or("sent")?;
/// // The user types the code.
/// let outcome = stage.submit(code).send()?;
/// assert!(matches!(outcome, Outcome::Authenticated(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
#[doc = include_str!("../../docs/stages/verify_phone.md")]
pub type VerifyPhone<S> = Verify<Phone, S>;

/// A stage, narrowed to an e-mail address: what is missing is the code that the user receives there.
///
/// ```
/// use idaas_login::{MfaRequired, Outcome, VerifyEmail};
///
/// # let (tenant, stage) = idaas_login::emulator::examples::mfa_required()?;
/// let stage: VerifyEmail<MfaRequired> = stage.email("zhangshan@example.com");
/// # let pass = idaas_login::emulator::examples::pass(&tenant, &stage)?;
/// // `pass` is that of a captcha: see `Captcha::solve`.
/// stage.send_code(&pass).send()?;
/// # let code = tenant.last_code(stage.destination()).ok_or("sent")?;
/// // The user types the code.
/// let outcome = stage.submit(code).send()?;
/// assert!(matches!(outcome, Outcome::Authenticated(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
#[doc = include_str!("../../docs/stages/verify_email.md")]
pub type VerifyEmail<S> = Verify<Email, S>;

/// A stage, narrowed to a destination: what is missing is the code that the user receives there.
///
/// [`VerifyPhone`] and [`VerifyEmail`] are the names that people write; their pages list the steps. Code for both is
/// generic over the channel:
///
/// ```
/// use idaas_login::{CaptchaPass, Channel, Error, SendsCode, Verify};
///
/// fn send_again<C: Channel, S: SendsCode>(stage: &Verify<C, S>, pass: &CaptchaPass) -> Result<(), Error> {
///     stage.send_code(pass).send()
/// }
/// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
/// # let stage = stage.phone("15201657312")?;
/// # send_again(&stage, &idaas_login::emulator::examples::pass(&tenant, &stage)?)?;
/// # assert!(tenant.last_code("15201657312").is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
pub struct Verify<C: Channel, S: SendsCode> {
    stage: S,
    destination: Zeroizing<String>,
    channel: PhantomData<fn() -> C>,
}

impl<C: Channel, S: SendsCode> Verify<C, S> {
    pub(crate) fn new(stage: S, destination: Zeroizing<String>) -> Self {
        Self { stage, destination, channel: PhantomData }
    }

    /// The stage that was narrowed: for what it knows, such as the policy of a new password.
    ///
    /// ```
    /// # let (tenant, stage) = idaas_login::emulator::examples::password_expired()?;
    /// let stage = stage.phone("15201657312");
    /// // Tell the user what the new password has to be like.
    /// let shortest = stage.stage().policy().and_then(|policy| policy.min_length());
    /// assert_eq!(shortest, Some(8));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn stage(&self) -> &S {
        &self.stage
    }

    /// The destination, exactly as it was given.
    #[must_use]
    pub fn destination(&self) -> &str {
        &self.destination
    }

    /// Asks the tenant to send a code to the destination, or to send another one.
    ///
    /// The code is of the type that belongs to this stage, and works for it alone. The pass is that of a captcha which was
    /// solved for this very destination.
    ///
    /// ```
    /// # let (tenant, stage) = idaas_login::emulator::examples::mfa_required()?;
    /// let stage = stage.phone("15201657312");
    /// let captcha = stage.client().captcha(stage.device()).send()?;
    /// # let x = tenant.captcha_solution(captcha.token().expose()).ok_or("there is one")?;
    /// // `x` is how far the user moved the piece.
    /// let pass = captcha.solve(x, stage.destination()).send()?;
    /// stage.send_code(&pass).send()?;
    /// # assert!(tenant.last_code("15201657312").is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// From [`send`](Call::send): any of [`Error`](crate::Error)'s. A pass for another destination is refused before
    /// anything is sent.
    pub fn send_code(&self, pass: &CaptchaPass) -> Call<()> {
        let context = self.stage.context(INSIDE);
        let CodeRows { send_code: row, submit } = C::rows(S::SCENARIO, INSIDE);
        // What cannot be submitted is refused before a code is sent for it.
        let attributes = self.stage.attributes(INSIDE);
        let submittable = attributes.map_or(Ok(()), |attributes| attributes.check(submit));
        let sendable = submittable.and_then(|()| pass.token_for(&self.destination));
        let draft = match sendable {
            Ok(token) => context.draft(row, &[&self.destination, token]),
            Err(invalid) => Draft::invalid(row, invalid),
        };
        Call::new(context.clone(), None, draft, ())
    }

    /// The row that submits a code.
    fn submit_row() -> &'static Endpoint {
        C::rows(S::SCENARIO, INSIDE).submit
    }

    accessors!();

    /// Goes back to the stage, to choose another method. Nothing is sent.
    ///
    /// ```
    /// use idaas_login::PendingBind;
    ///
    /// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
    /// let stage = stage.phone("15201657312")?;
    /// // The user would rather have an e-mail.
    /// let stage: PendingBind = stage.back();
    /// let stage = stage.email("zhangshan@example.com")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn back(self) -> S {
        self.stage
    }
}

impl<C: Channel, S: AcceptsCode> Verify<C, S> {
    /// Submits the code that the user received.
    ///
    /// A wrong code hands this stage back in [`Recovery::Retry`](crate::Recovery::Retry).
    ///
    /// ```
    /// use idaas_login::{Outcome, Recovery};
    ///
    /// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
    /// let stage = stage.phone("15201657312")?;
    /// # let code = idaas_login::emulator::examples::code(&tenant, &stage)?;
    /// // After `send_code`, the user mistypes the code.
    /// let failed = stage.submit("123").send().unwrap_err();
    /// let Recovery::Retry(stage) = failed.into_recovery() else { panic!("nothing was carried out") };
    ///
    /// let outcome = stage.submit(code).send()?;
    /// assert!(matches!(outcome, Outcome::Authenticated(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
        let row = Self::submit_row();
        let context = self.stage.context(INSIDE);
        let values = [&*self.destination, verify_code];
        let Some(attributes) = self.stage.attributes(INSIDE) else { return context.draft(row, &values) };
        match attributes.check(row) {
            Ok(()) => context.draft_with(row, &values, |field| attributes.get(field.name)),
            Err(invalid) => Draft::invalid(row, invalid),
        }
    }
}

impl<C: Channel> Verify<C, Registration> {
    /// Replaces the attributes of this registration, to the same destination: after a refusal, such as of a user name that is
    /// taken.
    ///
    /// A code that was not refused itself may still be good. If the tenant used it up, it says that it is wrong.
    ///
    /// ```
    /// use idaas_login::{Outcome, Recovery, RegistrationAttributes};
    ///
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// let attributes = RegistrationAttributes::new().user_name("zhangshan");
    /// let stage = client.login(device).register(attributes).phone("13800138000");
    /// # let code = idaas_login::emulator::examples::code(&tenant, &stage)?;
    /// // The name is taken.
    /// let failed = stage.submit(&code).send().unwrap_err();
    /// let Recovery::Retry(stage) = failed.into_recovery() else { panic!("nothing was carried out") };
    /// let stage = stage.with_attributes(RegistrationAttributes::new().user_name("zhangshan2"));
    /// let outcome = stage.submit(&code).send()?;
    /// assert!(matches!(outcome, Outcome::Authenticated(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_attributes(self, attributes: RegistrationAttributes) -> Self {
        Self { stage: self.stage.with_attributes(attributes), ..self }
    }
}

impl<C: Channel> Verify<C, PasswordReset> {
    /// Replaces the forgotten password, with the code that the user received. Whoever has the number has the account.
    ///
    /// It leads back to [`Unauthenticated`]: the user has no session yet, and logs in with the new password. A wrong code, or a
    /// password that the tenant does not accept, hands this stage back in [`Recovery::Retry`](crate::Recovery::Retry). After
    /// [`Recovery::Unresolved`](crate::Recovery::Unresolved) the new password may be in force already: let the user try it.
    ///
    /// ```
    /// use idaas_login::Outcome;
    ///
    /// # let (tenant, stage) = idaas_login::emulator::examples::password_expired()?;
    /// let stage = stage.phone("15201657312");
    /// # let code = idaas_login::emulator::examples::code(&tenant, &stage)?;
    /// // After `send_code`, the user types the code and a new password.
    /// let outcome = stage.submit(code, "battery staple").send()?;
    /// assert!(matches!(outcome, Outcome::Authenticated(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// From [`send`](Step::send): any of [`Error`](crate::Error)'s. An empty code, destination or password is refused before
    /// anything is sent.
    pub fn submit(
        self,
        verify_code: impl AsRef<str>,
        new_password: impl AsRef<str>,
    ) -> Step<Self, Unauthenticated> {
        let values = [&*self.destination, verify_code.as_ref(), new_password.as_ref()];
        let draft = self.stage.context(INSIDE).draft(Self::submit_row(), &values);
        Step::of(self, draft)
    }
}

impl<C: Channel, O: Origin> Verify<C, PasswordExpired<O>> {
    /// Changes the password, with the code that the user received in place of the old one.
    ///
    /// A wrong code, or a password that the tenant does not accept, hands this stage back in
    /// [`Recovery::Retry`](crate::Recovery::Retry). After [`Recovery::Unresolved`](crate::Recovery::Unresolved) the new password
    /// may be in force already: let the user log in again, and try the new one first.
    ///
    /// ```
    /// use idaas_login::Outcome;
    ///
    /// # let (tenant, stage) = idaas_login::emulator::examples::password_expired()?;
    /// let stage = stage.phone("15201657312");
    /// # let code = idaas_login::emulator::examples::code(&tenant, &stage)?;
    /// // After `send_code`, the user types the code and a new password.
    /// let outcome = stage.submit(code, "battery staple").send()?;
    /// assert!(matches!(outcome, Outcome::Authenticated(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// From [`send`](Step::send): any of [`Error`](crate::Error)'s. An empty code or password is refused before anything is
    /// sent, and an edition that does not document it is [`Unsupported`](crate::Error::Unsupported).
    pub fn submit(
        self,
        verify_code: impl AsRef<str>,
        new_password: impl AsRef<str>,
    ) -> Step<Self, Outcome<O>> {
        let values = [verify_code.as_ref(), new_password.as_ref()];
        let draft = self.stage.context(INSIDE).draft(Self::submit_row(), &values);
        Step::of(self, draft)
    }
}

impl<C: Channel, S: SendsCode> Sealed for Verify<C, S> {}

impl<C: Channel, S: SendsCode> Stage for Verify<C, S> {
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

impl<C: Channel, S: SendsCode> fmt::Debug for Verify<C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(C::name(INSIDE)).field("stage", &self.stage).field("destination", &Redacted).finish()
    }
}
