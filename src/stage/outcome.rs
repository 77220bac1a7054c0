//! Where a step of a login leads.

use super::{
    AnyStage, Authenticated, MfaRequired, Next, Origin, PasswordExpired, PasswordExpiring, PendingBind,
    PendingRegister, PendingState, Stage, Unauthenticated, WeChatMiniProgram,
};
use crate::error::UnexpectedReason;
use crate::sealed::{INSIDE, Inside, Sealed};
use crate::wire::endpoints::StageKind;
use crate::wire::responses::{Failure, Pending, Progress, Received, progress};

/// What a step of a login leads to.
///
/// The enum is exhaustive: a `match` that forgets a stage does not compile.
///
/// `O` is the origin: how the login began. It defaults to [`WeChatMiniProgram`].
///
/// ```
/// use idaas_login::Outcome;
///
/// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
/// # let code = tenant.wechat_login_code("an-openid");
/// let next = match client.login(device).wechat_mini_program(code).send()? {
///     Outcome::Authenticated(_) => "welcome",
///     Outcome::PendingBind(_) => "which account is yours?",
///     Outcome::PendingRegister(_) => "may we have your number?",
///     Outcome::MfaRequired(_) => "where shall we send a code?",
///     Outcome::PasswordExpiring(_) => "do you want to change your password?",
///     Outcome::PasswordExpired(_) => "please change your password",
/// };
/// assert_eq!(next, "which account is yours?");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "the login goes on only with what is in here"]
pub enum Outcome<O: Origin = WeChatMiniProgram> {
    /// `SUCCESS`: the login is finished.
    Authenticated(Authenticated),
    /// `SOCIAL_BIND`: an existing account must be bound.
    PendingBind(PendingBind<O>),
    /// `USER_REGISTER`: an account must be bound or registered.
    PendingRegister(PendingRegister<O>),
    /// `MFA_AUTH`: a second factor is asked for.
    MfaRequired(MfaRequired<O>),
    /// `PASSWORD_WARN`: the password was right, and expires soon.
    PasswordExpiring(PasswordExpiring<O>),
    /// `PASSWORD_EXPIRED`: the password was right, and must be changed.
    PasswordExpired(PasswordExpired<O>),
}

impl<O: Origin> Outcome<O> {
    /// Which stage it is.
    ///
    /// ```
    /// use idaas_login::endpoints::StageKind;
    ///
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// let outcome = client.login(device).username_password("zhangshan", "correct horse").send()?;
    /// assert_eq!(outcome.kind(), StageKind::Authenticated);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn kind(&self) -> StageKind {
        match self {
            Self::Authenticated(stage) => stage.kind(),
            Self::PendingBind(stage) => stage.kind(),
            Self::PendingRegister(stage) => stage.kind(),
            Self::MfaRequired(stage) => stage.kind(),
            Self::PasswordExpiring(stage) => stage.kind(),
            Self::PasswordExpired(stage) => stage.kind(),
        }
    }

    /// Begins again with the same client and device. What was reached is given up.
    #[must_use]
    pub fn start_over(self) -> Unauthenticated {
        AnyStage::from(self).start_over()
    }
}

impl<O: Origin> Sealed for Outcome<O> {}

impl<S: Stage, O: Origin> Next<S> for Outcome<O> {
    type Content = Progress;

    fn read(received: Received<'_>, _: Inside) -> Result<Progress, Failure> {
        progress(received)
    }

    fn reached(stage: S, progress: Progress, _: Inside) -> Result<Self, (S, UnexpectedReason)> {
        match progress {
            Progress::Success { session_token, expires_in, id_token } => {
                let user =
                    Authenticated::new(stage.into_context(INSIDE), session_token, expires_in, id_token);
                Ok(Self::Authenticated(user))
            }
            Progress::Pending { status, state_token, data } => {
                // Step 10 of `docs/reading-responses.md`: the response's state token if it has one, else the one in hand.
                let Some(state_token) = state_token.or_else(|| stage.state_token().cloned()) else {
                    return Err((stage, UnexpectedReason::NoStateToken));
                };
                // Step 11: of the stage before, client and device alone go on.
                let context = stage.into_context(INSIDE);
                Ok(match status {
                    Pending::SocialBind => {
                        Self::PendingBind(PendingBind::new(PendingState::new(context, state_token, data)))
                    }
                    Pending::UserRegister => Self::PendingRegister(PendingRegister::new(PendingState::new(
                        context,
                        state_token,
                        data,
                    ))),
                    Pending::MfaAuth => {
                        Self::MfaRequired(MfaRequired::new(PendingState::new(context, state_token, data)))
                    }
                    Pending::PasswordWarn => Self::PasswordExpiring(PasswordExpiring::new(
                        PendingState::new(context, state_token, data),
                    )),
                    Pending::PasswordExpired => Self::PasswordExpired(PasswordExpired::new(
                        PendingState::new(context, state_token, data),
                    )),
                })
            }
        }
    }

    fn reached_kind(&self, _: Inside) -> StageKind {
        self.kind()
    }
}
