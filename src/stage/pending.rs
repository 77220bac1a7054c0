//! What the stages have in common that wait with a state token, and how they are narrowed to a destination.

use std::fmt;

use zeroize::Zeroizing;

use super::{Channel, Verify};
use crate::context::Context;
use crate::error::Error;
use crate::secret::StateToken;
use crate::wire::flows::{AllowedFlows, VerifyMethod};
use crate::wire::policy::PolicyData;

/// What a stage holds that waits for a person; `D` is what it makes of the field `data`.
pub(crate) struct PendingState<D = AllowedFlows> {
    pub(crate) context: Context,
    pub(crate) state_token: StateToken,
    pub(crate) data: D,
}

/// What a stage makes of the text of `data`.
pub(crate) trait Data {
    /// From the text, if there is one.
    fn of(raw: Option<Zeroizing<String>>) -> Self;
}

impl Data for AllowedFlows {
    fn of(raw: Option<Zeroizing<String>>) -> Self {
        Self::of(raw)
    }
}

impl Data for PolicyData {
    fn of(raw: Option<Zeroizing<String>>) -> Self {
        Self::of(raw)
    }
}

impl<D: Data> PendingState<D> {
    pub(crate) fn new(context: Context, state_token: StateToken, data: Option<Zeroizing<String>>) -> Self {
        Self { context, state_token, data: D::of(data) }
    }
}

/// The tenant does not allow this method here. It gives the stage back.
///
/// It is one pointer wide. `?` turns it into an [`Error`](crate::Error) for callers that do not care about the stage.
///
/// ```
/// use idaas_login::VerifyMethod;
///
/// # use idaas_login::{Outcome, emulator::DataForm};
/// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
/// # tenant.configure(|settings| settings.data = DataForm::Listed(vec!["VERIFY_PHONE".to_owned()]));
/// # let code = tenant.wechat_login_code("an-openid");
/// # let Outcome::PendingBind(stage) = client.login(device).wechat_mini_program(code).send()? else { panic!() };
/// let refused = stage.email("zhangshan@example.com").unwrap_err();
/// assert_eq!(refused.method(), &VerifyMethod::Email);
///
/// let stage = refused.into_stage();
/// assert!(stage.allowed_flows().allows(&VerifyMethod::Phone));
/// let stage = stage.phone("15201657312")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct NotAllowed<S>(Box<Refused<S>>);

struct Refused<S> {
    stage: S,
    method: VerifyMethod,
    error: Error,
}

impl<S> NotAllowed<S> {
    /// Gives the stage back, to try another method.
    #[must_use]
    pub fn into_stage(self) -> S {
        self.0.stage
    }

    /// Splits it into the error and the stage.
    #[must_use]
    pub fn into_parts(self) -> (Error, S) {
        (self.0.error, self.0.stage)
    }

    /// What to do: [`Advice::ChooseAnotherMethod`](crate::Advice::ChooseAnotherMethod).
    #[must_use]
    pub fn advice(&self) -> crate::Advice {
        self.0.error.advice()
    }

    /// The method that is not allowed.
    #[must_use]
    pub fn method(&self) -> &VerifyMethod {
        &self.0.method
    }
}

impl<S> fmt::Display for NotAllowed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot go on by {}; the stage is handed back", self.method())
    }
}

impl<S> fmt::Debug for NotAllowed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotAllowed").field("method", self.method()).finish_non_exhaustive()
    }
}

impl<S> std::error::Error for NotAllowed<S> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0.error)
    }
}

impl<S> From<NotAllowed<S>> for Error {
    fn from(refused: NotAllowed<S>) -> Self {
        refused.0.error
    }
}

/// Narrows a stage to a destination, if the tenant's allowed methods let it.
pub(super) fn narrow<C: Channel, S: super::AcceptsCode>(
    stage: S,
    destination: String,
    flows: impl Fn(&S) -> &AllowedFlows,
    method: VerifyMethod,
) -> Result<Verify<C, S>, NotAllowed<S>> {
    // Before the gate, so that it is zeroized on either side of it.
    let destination = Zeroizing::new(destination);
    if flows(&stage).allows(&method) {
        Ok(Verify::new(stage, destination))
    } else {
        let error = Error::NotAllowed(method.clone());
        Err(NotAllowed(Box::new(Refused { stage, method, error })))
    }
}

/// The stages that wait for a person differ in their steps, not in what they hold.
macro_rules! pending_stage {
    ($stage:ident) => {
        $crate::stage::pending::pending_stage!($stage, "allowed_flows": $crate::AllowedFlows);
    };
    ($stage:ident, $data_name:literal: $data:ty) => {
        impl<O: $crate::stage::Origin> $stage<O> {
            pub(crate) fn new(pending: $crate::stage::PendingState<$data>) -> Self {
                Self { pending, origin: std::marker::PhantomData }
            }

            pub(crate) fn pending(&self) -> &$crate::stage::PendingState<$data> {
                &self.pending
            }

            /// The state token that holds this login together. Do not log it.
            #[must_use]
            pub fn state_token(&self) -> &$crate::StateToken {
                &self.pending.state_token
            }

            super::accessors!();
        }

        impl<O: $crate::stage::Origin> $crate::sealed::Sealed for $stage<O> {}

        impl<O: $crate::stage::Origin> $crate::stage::Stage for $stage<O> {
            fn kind(&self) -> $crate::endpoints::StageKind {
                $crate::endpoints::StageKind::$stage
            }

            fn state_token(&self) -> Option<&$crate::StateToken> {
                Some(&self.pending.state_token)
            }

            fn context(&self, _: $crate::sealed::Inside) -> &$crate::context::Context {
                &self.pending.context
            }

            fn into_context(self, _: $crate::sealed::Inside) -> $crate::context::Context {
                self.pending.context
            }
        }

        impl<O: $crate::stage::Origin> std::fmt::Debug for $stage<O> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($stage))
                    .field("state_token", &self.pending.state_token)
                    .field($data_name, &self.pending.data)
                    .finish_non_exhaustive()
            }
        }
    };
}
pub(super) use pending_stage;

/// The two ways to narrow a stage to a destination, where the tenant's allowed methods decide.
///
/// `$example` makes such a stage, for the examples.
macro_rules! verify_methods {
    ($stage:ident, $example:literal) => {
        impl<O: $crate::stage::Origin> $stage<O> {
            /// The methods by which the tenant lets a destination be verified.
            ///
            /// ```
            /// use idaas_login::VerifyMethod;
            ///
            #[doc = concat!("# let (tenant, stage) = ", $example, "?;")]
            /// // Offer the user what the tenant allows.
            /// assert!(stage.allowed_flows().allows(&VerifyMethod::Phone));
            /// assert!(stage.allowed_flows().allows(&VerifyMethod::Email));
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            #[must_use]
            pub fn allowed_flows(&self) -> &$crate::AllowedFlows {
                &self.pending.data
            }

            /// Goes on by a mobile number and a code by SMS. Nothing is sent yet: [`VerifyPhone`](crate::VerifyPhone) has the
            /// steps.
            ///
            /// The number is sent exactly as given (the pages print `15201657312` and `+86-15201657312`).
            ///
            /// ```
            /// use idaas_login::Outcome;
            ///
            #[doc = concat!("# let (tenant, stage) = ", $example, "?;")]
            /// let stage = stage.phone("15201657312")?;
            /// # let code = idaas_login::emulator::examples::code(&tenant, &stage)?;
            /// // After `send_code`, the user types the code.
            /// let outcome = stage.submit(code).send()?;
            /// assert!(matches!(outcome, Outcome::Authenticated(_)));
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            ///
            /// # Errors
            /// [`NotAllowed`](crate::NotAllowed) with the stage if the tenant lists its methods and `VERIFY_PHONE` is not
            /// among them.
            pub fn phone(
                self,
                mobile: impl Into<String>,
            ) -> Result<$crate::VerifyPhone<Self>, $crate::NotAllowed<Self>> {
                super::pending::narrow(self, mobile.into(), Self::allowed_flows, $crate::VerifyMethod::Phone)
            }

            /// Goes on by an e-mail address and a code by e-mail. Nothing is sent yet: [`VerifyEmail`](crate::VerifyEmail)
            /// has the steps.
            ///
            /// ```
            /// use idaas_login::Outcome;
            ///
            #[doc = concat!("# let (tenant, stage) = ", $example, "?;")]
            /// let stage = stage.email("zhangshan@example.com")?;
            /// # let code = idaas_login::emulator::examples::code(&tenant, &stage)?;
            /// // After `send_code`, the user types the code.
            /// let outcome = stage.submit(code).send()?;
            /// assert!(matches!(outcome, Outcome::Authenticated(_)));
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            ///
            /// # Errors
            /// [`NotAllowed`](crate::NotAllowed) with the stage if the tenant lists its methods and `VERIFY_EMAIL` is not
            /// among them.
            pub fn email(
                self,
                address: impl Into<String>,
            ) -> Result<$crate::VerifyEmail<Self>, $crate::NotAllowed<Self>> {
                super::pending::narrow(self, address.into(), Self::allowed_flows, $crate::VerifyMethod::Email)
            }
        }
    };
}
pub(super) use verify_methods;
