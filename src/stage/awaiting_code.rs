//! Any stage in which a verification code is due, as one type.

use super::{
    AnyStage, MfaRequired, Origin, Outcome, PendingBind, PendingRegister, Step, VerifyEmail, VerifyPhone,
    WeChatMiniProgram, accessors, stage_inside,
};
use crate::call::Call;
use crate::captcha::CaptchaPass;

/// A stage in which a verification code is due that moves the login on, whichever it is.
///
/// It has the stages of a login with the origin `O`. A code that begins a login, or that comes with a new password, leads
/// elsewhere: match on [`AnyStage`] for those.
///
/// A handler that is given a suspended stage does not know what the code is for, and need not: this has the steps that all
/// of them have, and each of them sends what belongs to the stage inside. Match on it for the stage itself.
///
/// ```
/// use idaas_login::{AwaitingCode, Client, Outcome, StepError, Suspended};
///
/// fn submit(client: &Client, suspended: Suspended, code: &str) -> Result<Outcome, Box<dyn std::error::Error>> {
///     let stage = client.resume::<AwaitingCode>(suspended)?;
///     Ok(stage.submit(code).send().map_err(StepError::into_error)?)
/// }
/// # let (tenant, stage) = idaas_login::emulator::examples::mfa_required()?;
/// # let stage = stage.phone("15201657312");
/// # let (client, code) = (stage.client().clone(), idaas_login::emulator::examples::code(&tenant, &stage)?);
/// # assert!(matches!(submit(&client, stage.suspend(), &code)?, Outcome::Authenticated(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "the login goes on only with what is in here"]
pub enum AwaitingCode<O: Origin = WeChatMiniProgram> {
    /// A code by SMS, to bind.
    BindByPhone(VerifyPhone<PendingBind<O>>),
    /// A code by e-mail, to bind.
    BindByEmail(VerifyEmail<PendingBind<O>>),
    /// A code by SMS, to bind or register.
    RegisterByPhone(VerifyPhone<PendingRegister<O>>),
    /// A code by e-mail, to bind or register.
    RegisterByEmail(VerifyEmail<PendingRegister<O>>),
    /// A code by SMS, for the second factor.
    SecondFactorByPhone(VerifyPhone<MfaRequired<O>>),
    /// A code by e-mail, for the second factor.
    SecondFactorByEmail(VerifyEmail<MfaRequired<O>>),
}

/// The same expression for the stage inside, whichever it is.
macro_rules! each {
    ($awaiting:expr, $stage:ident => $then:expr) => {
        match $awaiting {
            AwaitingCode::BindByPhone($stage) => $then,
            AwaitingCode::BindByEmail($stage) => $then,
            AwaitingCode::RegisterByPhone($stage) => $then,
            AwaitingCode::RegisterByEmail($stage) => $then,
            AwaitingCode::SecondFactorByPhone($stage) => $then,
            AwaitingCode::SecondFactorByEmail($stage) => $then,
        }
    };
}

impl<O: Origin> AwaitingCode<O> {
    /// The destination, exactly as it was given.
    #[must_use]
    pub fn destination(&self) -> &str {
        each!(self, stage => stage.destination())
    }

    /// Asks the tenant to send a code to the destination: [`Verify::send_code`](crate::Verify::send_code).
    pub fn send_code(&self, pass: &CaptchaPass) -> Call<()> {
        each!(self, stage => stage.send_code(pass))
    }

    /// Submits the code that the user received: [`Verify::submit`](crate::Verify::submit).
    ///
    /// ```
    /// use idaas_login::{AwaitingCode, Outcome};
    ///
    /// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
    /// # let stage = stage.phone("15201657312")?;
    /// # let code = idaas_login::emulator::examples::code(&tenant, &stage)?;
    /// let stage = AwaitingCode::from(stage);
    /// // After `send_code`, the user types the code.
    /// let outcome = stage.submit(code).send()?;
    /// assert!(matches!(outcome, Outcome::Authenticated(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn submit(self, verify_code: impl AsRef<str>) -> Step<Self, Outcome<O>> {
        let draft = each!(&self, stage => stage.submission(verify_code.as_ref()));
        Step::of(self, draft)
    }

    /// Goes back to the stage, to choose another method. Nothing is sent.
    ///
    /// ```
    /// use idaas_login::{AnyStage, AwaitingCode};
    ///
    /// # let (tenant, stage) = idaas_login::emulator::examples::mfa_required()?;
    /// let stage = AwaitingCode::from(stage.phone("15201657312"));
    /// // The user would rather have an e-mail.
    /// let AnyStage::MfaRequired(stage) = stage.back() else { panic!("it is a second factor") };
    /// let stage = stage.email("zhangshan@example.com");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn back(self) -> AnyStage<O> {
        match self {
            Self::BindByPhone(stage) => AnyStage::PendingBind(stage.back()),
            Self::BindByEmail(stage) => AnyStage::PendingBind(stage.back()),
            Self::RegisterByPhone(stage) => AnyStage::PendingRegister(stage.back()),
            Self::RegisterByEmail(stage) => AnyStage::PendingRegister(stage.back()),
            Self::SecondFactorByPhone(stage) => AnyStage::MfaRequired(stage.back()),
            Self::SecondFactorByEmail(stage) => AnyStage::MfaRequired(stage.back()),
        }
    }

    accessors!();
}

stage_inside!(AwaitingCode);

macro_rules! from {
    ($($variant:ident: $stage:ty),+ $(,)?) => {$(
        impl<O: Origin> From<$stage> for AwaitingCode<O> {
            fn from(stage: $stage) -> Self {
                Self::$variant(stage)
            }
        }

        impl<O: Origin> From<$stage> for AnyStage<O> {
            fn from(stage: $stage) -> Self {
                Self::AwaitingCode(AwaitingCode::$variant(stage))
            }
        }
    )+};
}

from! {
    BindByPhone: VerifyPhone<PendingBind<O>>,
    BindByEmail: VerifyEmail<PendingBind<O>>,
    RegisterByPhone: VerifyPhone<PendingRegister<O>>,
    RegisterByEmail: VerifyEmail<PendingRegister<O>>,
    SecondFactorByPhone: VerifyPhone<MfaRequired<O>>,
    SecondFactorByEmail: VerifyEmail<MfaRequired<O>>,
}
