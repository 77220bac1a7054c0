//! Any stage that can be suspended, as one type.

use super::{
    Authenticated, AwaitingCode, Channel, MfaRequired, Origin, Outcome, PasswordExpired, PasswordExpiring,
    PasswordReset, PendingBind, PendingRegister, Registration, SendsCode, Unauthenticated, Verify,
    VerifyEmail, VerifyPhone, WeChatMiniProgram, accessors, stage_inside,
};
use crate::call::Call;
use crate::captcha::CaptchaPass;

/// Any stage that can be suspended, of a login with the origin `O`.
///
/// A login by a code, a registration and a reset of a password have no origin yet, and a finished login has none any more: they
/// are found with whichever `O`. [`AnyLogin`](crate::AnyLogin) takes a login with any origin.
///
/// [`Client::resume`](crate::Client::resume) gives it for a handler that takes whatever stage the login is at. The enum is
/// exhaustive: a `match` that forgets a stage does not compile.
///
/// ```
/// use idaas_login::AnyStage;
///
/// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
/// # let (client, suspended) = (stage.client().clone(), stage.suspend());
/// let next = match client.resume::<AnyStage>(suspended)? {
///     AnyStage::Authenticated(_) => "welcome",
///     AnyStage::AwaitingCode(_) => "please type the code",
///     AnyStage::PendingBind(_) => "which account is yours?",
///     other => panic!("{} has a handler of its own", other.kind()),
/// };
/// assert_eq!(next, "which account is yours?");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "the login goes on only with what is in here"]
pub enum AnyStage<O: Origin = WeChatMiniProgram> {
    /// An existing account must be bound.
    PendingBind(PendingBind<O>),
    /// An account must be bound or registered.
    PendingRegister(PendingRegister<O>),
    /// A second factor is due.
    MfaRequired(MfaRequired<O>),
    /// A verification code is due.
    AwaitingCode(AwaitingCode<O>),
    /// The password expires soon.
    PasswordExpiring(PasswordExpiring<O>),
    /// The password must be changed.
    PasswordExpired(PasswordExpired<O>),
    /// A code by SMS and a new password are due.
    ChangingByPhone(VerifyPhone<PasswordExpired<O>>),
    /// A code by e-mail and a new password are due.
    ChangingByEmail(VerifyEmail<PasswordExpired<O>>),
    /// A code by SMS is due, to log in.
    LoginByPhone(VerifyPhone<Unauthenticated>),
    /// A code by e-mail is due, to log in.
    LoginByEmail(VerifyEmail<Unauthenticated>),
    /// An account is about to be registered.
    Registration(Registration),
    /// A code by SMS is due, to register.
    RegistrationByPhone(VerifyPhone<Registration>),
    /// A code by e-mail is due, to register.
    RegistrationByEmail(VerifyEmail<Registration>),
    /// A forgotten password is about to be replaced.
    PasswordReset(PasswordReset),
    /// A code by SMS and a new password are due, for a forgotten one.
    ResetByPhone(VerifyPhone<PasswordReset>),
    /// A code by e-mail and a new password are due, for a forgotten one.
    ResetByEmail(VerifyEmail<PasswordReset>),
    /// The login is finished.
    Authenticated(Authenticated),
}

/// The same expression for the stage inside, whichever it is.
macro_rules! each {
    ($any:expr, $stage:ident => $then:expr) => {
        match $any {
            AnyStage::PendingBind($stage) => $then,
            AnyStage::PendingRegister($stage) => $then,
            AnyStage::MfaRequired($stage) => $then,
            AnyStage::AwaitingCode($stage) => $then,
            AnyStage::PasswordExpiring($stage) => $then,
            AnyStage::PasswordExpired($stage) => $then,
            AnyStage::ChangingByPhone($stage) => $then,
            AnyStage::ChangingByEmail($stage) => $then,
            AnyStage::LoginByPhone($stage) => $then,
            AnyStage::LoginByEmail($stage) => $then,
            AnyStage::Registration($stage) => $then,
            AnyStage::RegistrationByPhone($stage) => $then,
            AnyStage::RegistrationByEmail($stage) => $then,
            AnyStage::PasswordReset($stage) => $then,
            AnyStage::ResetByPhone($stage) => $then,
            AnyStage::ResetByEmail($stage) => $then,
            AnyStage::Authenticated($stage) => $then,
        }
    };
}

pub(crate) use each as each_stage;

impl<O: Origin> AnyStage<O> {
    /// Where the code goes that is due, exactly as it was given; `None` if no code is due here.
    ///
    /// ```
    /// use idaas_login::AnyStage;
    ///
    /// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
    /// let stage = AnyStage::from(stage.phone("15201657312")?);
    /// assert_eq!(stage.destination(), Some("15201657312"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn destination(&self) -> Option<&str> {
        self.code_due().map(CodeDue::destination)
    }

    /// Asks the tenant to send a code to the destination, as [`Verify::send_code`] of the stage inside; `None` if no code is
    /// due here.
    ///
    /// ```
    /// # use idaas_login::AnyStage;
    /// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
    /// # let stage = stage.phone("15201657312")?;
    /// # let pass = idaas_login::emulator::examples::pass(&tenant, &stage)?;
    /// # let stage = AnyStage::from(stage);
    /// // A handler that does not care what the code is for.
    /// match stage.send_code(&pass) {
    ///     Some(call) => call.send()?,
    ///     None => println!("no code is due at {}", stage.kind()),
    /// }
    /// # assert!(tenant.last_code("15201657312").is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn send_code(&self, pass: &CaptchaPass) -> Option<Call<()>> {
        self.code_due().map(|stage| stage.send_code(pass))
    }

    fn code_due(&self) -> Option<&dyn CodeDue> {
        match self {
            Self::AwaitingCode(stage) => Some(stage),
            Self::ChangingByPhone(stage) => Some(stage),
            Self::ChangingByEmail(stage) => Some(stage),
            Self::LoginByPhone(stage) => Some(stage),
            Self::LoginByEmail(stage) => Some(stage),
            Self::RegistrationByPhone(stage) => Some(stage),
            Self::RegistrationByEmail(stage) => Some(stage),
            Self::ResetByPhone(stage) => Some(stage),
            Self::ResetByEmail(stage) => Some(stage),
            Self::PendingBind(_)
            | Self::PendingRegister(_)
            | Self::MfaRequired(_)
            | Self::PasswordExpiring(_)
            | Self::PasswordExpired(_)
            | Self::Registration(_)
            | Self::PasswordReset(_)
            | Self::Authenticated(_) => None,
        }
    }

    accessors!();
}

/// What the stages have in common in which a code is due.
trait CodeDue {
    fn destination(&self) -> &str;

    fn send_code(&self, pass: &CaptchaPass) -> Call<()>;
}

impl<C: Channel, S: SendsCode> CodeDue for Verify<C, S> {
    fn destination(&self) -> &str {
        self.destination()
    }

    fn send_code(&self, pass: &CaptchaPass) -> Call<()> {
        self.send_code(pass)
    }
}

impl<O: Origin> CodeDue for AwaitingCode<O> {
    fn destination(&self) -> &str {
        self.destination()
    }

    fn send_code(&self, pass: &CaptchaPass) -> Call<()> {
        self.send_code(pass)
    }
}

stage_inside!(AnyStage);

impl<O: Origin> From<Outcome<O>> for AnyStage<O> {
    fn from(outcome: Outcome<O>) -> Self {
        match outcome {
            Outcome::Authenticated(user) => Self::Authenticated(user),
            Outcome::PendingBind(stage) => Self::PendingBind(stage),
            Outcome::PendingRegister(stage) => Self::PendingRegister(stage),
            Outcome::MfaRequired(stage) => Self::MfaRequired(stage),
            Outcome::PasswordExpiring(stage) => Self::PasswordExpiring(stage),
            Outcome::PasswordExpired(stage) => Self::PasswordExpired(stage),
        }
    }
}

macro_rules! from {
    ($($variant:ident: $stage:ty),+ $(,)?) => {$(
        impl<O: Origin> From<$stage> for AnyStage<O> {
            fn from(stage: $stage) -> Self {
                Self::$variant(stage)
            }
        }
    )+};
}

from! {
    PendingBind: PendingBind<O>,
    PendingRegister: PendingRegister<O>,
    MfaRequired: MfaRequired<O>,
    AwaitingCode: AwaitingCode<O>,
    PasswordExpiring: PasswordExpiring<O>,
    PasswordExpired: PasswordExpired<O>,
    ChangingByPhone: VerifyPhone<PasswordExpired<O>>,
    ChangingByEmail: VerifyEmail<PasswordExpired<O>>,
    LoginByPhone: VerifyPhone<Unauthenticated>,
    LoginByEmail: VerifyEmail<Unauthenticated>,
    Registration: Registration,
    RegistrationByPhone: VerifyPhone<Registration>,
    RegistrationByEmail: VerifyEmail<Registration>,
    PasswordReset: PasswordReset,
    ResetByPhone: VerifyPhone<PasswordReset>,
    ResetByEmail: VerifyEmail<PasswordReset>,
    Authenticated: Authenticated,
}
