//! A step: a request that has not been sent. One code path sends them all.

use std::fmt;
use std::marker::PhantomData;

use super::{Outcome, Stage, StepError};
use crate::context::Draft;
use crate::error::{UnexpectedReason, UnexpectedResponse};
use crate::sealed::{INSIDE, Inside, Sealed};
use crate::trace::Trace;
use crate::transport::{Request, Response, Sent, TransportError};
use crate::wire::endpoints::{Endpoint, StageKind};
use crate::wire::responses::{Disposition, Failure, Received};

/// A step that has not been sent. It owns the stage `S` that it leaves, and leads to `N`.
///
/// [`send`](Self::send) is [`into_request`](Self::into_request), the client's transport and [`InFlight::receive`], and
/// nothing else. [`send_with`](Self::send_with) is the same over an asynchronous HTTP client.
///
/// The request is written when the step is made, and zeroized if it is never sent. The password or code that went in is the
/// caller's: hand over a `&str`, or a `Zeroizing<String>`, which is zeroized here; a `String` would be freed as it is.
///
/// ```
/// use idaas_login::{Outcome, Step};
///
/// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
/// # let code = tenant.wechat_login_code("an-openid");
/// let step: Step<_, Outcome> = client.login(device).wechat_mini_program(code);
/// assert_eq!(step.endpoint().path, "/api/v2/sdk/login/wechat-miniprogram");
/// let outcome = step.send()?;
/// assert!(matches!(outcome, Outcome::PendingBind(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a step does nothing until it is sent: call send(), or into_request() to send it yourself"]
pub struct Step<S, N = Outcome> {
    stage: S,
    draft: Draft,
    next: PhantomData<fn() -> N>,
}

/// A step whose request is on its way. Give it the response.
///
/// If it is dropped, so is the stage. To give up waiting, hand [`receive`](Self::receive) a
/// [`TransportError::maybe_sent`]: then the login can start over from the [`StepError`].
#[must_use = "the login goes on only with what receive() returns"]
pub struct InFlight<S, N = Outcome> {
    stage: S,
    endpoint: &'static Endpoint,
    trace: Trace,
    next: PhantomData<fn() -> N>,
}

impl<S: Stage, N: Next<S>> Step<S, N> {
    /// The step of a row, with the values of its fields in the table's order.
    pub(super) fn new(stage: S, row: &'static Endpoint, values: &[&str]) -> Self {
        let draft = stage.context(INSIDE).draft(row, values);
        Self { stage, draft, next: PhantomData }
    }

    /// The same with a draft that is written already, for values that are the stage's own.
    pub(super) fn of(stage: S, draft: Draft) -> Self {
        Self { stage, draft, next: PhantomData }
    }

    /// The row of the endpoint table that it sends.
    #[must_use]
    pub fn endpoint(&self) -> &'static Endpoint {
        self.draft.endpoint
    }

    /// Sends the request over the client's transport, once, and reads the response.
    ///
    /// ```
    /// use idaas_login::{Outcome, Recovery};
    ///
    /// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
    /// match stage.username_password("zhangshan", "correct horse").send() {
    ///     Ok(outcome) => assert!(matches!(outcome, Outcome::Authenticated(_))),
    ///     Err(failed) => match failed.into_recovery() {
    ///         Recovery::Retry(stage) => println!("ask again, and keep {stage:?}"),
    ///         Recovery::Unresolved(unknown) => println!("the outcome is unknown: {unknown:?}"),
    ///         Recovery::StartOver(login) => println!("log in again: {login:?}"),
    ///     },
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`StepError`]: what happened, and what the caller holds now.
    pub fn send(self) -> Result<N, StepError<S>> {
        let (request, in_flight) = self.into_request()?;
        let client = in_flight.stage.client();
        let response = in_flight.trace.within(|| client.exchange(request));
        in_flight.receive(response)
    }

    /// Sends the request by an asynchronous HTTP client, once, and reads the response. It needs no runtime of its own.
    ///
    /// `send` is called with the request; what it must hold is written at [`Transport`](crate::Transport).
    ///
    /// ```
    /// use idaas_login::Outcome;
    ///
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// # let code = tenant.wechat_login_code("an-openid");
    /// # let exchange = async |request| idaas_login::Transport::send(&tenant, request);
    /// # idaas_login::emulator::examples::run(async {
    /// // `exchange` is an async function from `Request` to `Result<Response, TransportError>`: it calls your HTTP client.
    /// let outcome = client.login(device).wechat_mini_program(code).send_with(exchange).await?;
    /// assert!(matches!(outcome, Outcome::PendingBind(_)));
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # If the future is dropped
    /// The stage is gone with it, and the outcome is unknown: the request may be anywhere. Keep a [`Suspended`](crate::Suspended)
    /// of the stage where dropping is possible, and put a time limit inside `send`, where it becomes a [`TransportError`], not
    /// around this future.
    ///
    /// # Errors
    /// [`StepError`]: what happened, and what the caller holds now.
    pub async fn send_with<F>(self, send: impl FnOnce(Request) -> F) -> Result<N, StepError<S>>
    where
        F: Future<Output = Result<Response, TransportError>>,
    {
        let (request, in_flight) = self.into_request()?;
        let response = send(request).await;
        in_flight.receive(response)
    }

    /// Gives the request, to be sent by the caller, and what reads the response.
    ///
    /// What the transport must hold is written at [`Transport`](crate::Transport).
    ///
    /// ```
    /// use idaas_login::Outcome;
    ///
    /// # use idaas_login::{Transport, http};
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// # let code = tenant.wechat_login_code("an-openid");
    /// let (request, in_flight) = client.login(device).wechat_mini_program(code).into_request()?;
    /// assert_eq!(request.method(), http::Method::POST);
    /// # let response = tenant.send(request);
    /// // Any HTTP client sends it.
    /// let outcome = in_flight.receive(response)?;
    /// assert!(matches!(outcome, Outcome::PendingBind(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`StepError`] with the stage in [`Recovery::Retry`](crate::Recovery::Retry) if an input cannot be right.
    pub fn into_request(self) -> Result<(Request, InFlight<S, N>), StepError<S>> {
        let Self { stage, draft, .. } = self;
        let endpoint = draft.endpoint;
        let trace = Trace::begin(endpoint);
        match stage.context(INSIDE).request(draft, stage.tokens(INSIDE)) {
            Ok(request) => Ok((request, InFlight { stage, endpoint, trace, next: PhantomData })),
            Err(unsendable) => {
                let failed = StepError::retry(endpoint, unsendable, stage);
                trace.failed(failed.error(), Some(failed.recovery_name()));
                Err(failed)
            }
        }
    }
}

impl<S: Stage, N: Next<S>> InFlight<S, N> {
    /// Reads the response, or the transport error that came in its place.
    ///
    /// ```
    /// use idaas_login::{Recovery, TransportError};
    ///
    /// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
    /// let (request, in_flight) = stage.username_password("zhangshan", "correct horse").into_request()?;
    /// // Nobody waits any longer: the request may have been carried out.
    /// let failed = in_flight.receive(Err(TransportError::maybe_sent("gave up"))).unwrap_err();
    /// assert!(matches!(failed.into_recovery(), Recovery::Unresolved(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`StepError`]: what happened, and what the caller holds now.
    pub fn receive(self, response: Result<Response, TransportError>) -> Result<N, StepError<S>> {
        let Self { stage, endpoint, trace, .. } = self;
        let result = read::<S, N>(stage, endpoint, &trace, response);
        match &result {
            Ok(next) => trace.led_to(next.reached_kind(INSIDE)),
            Err(failed) => trace.failed(failed.error(), Some(failed.recovery_name())),
        }
        result
    }
}

/// What a step can lead to: an [`Outcome`], an [`Authenticated`](crate::Authenticated), or an
/// [`Unauthenticated`](crate::Unauthenticated).
///
/// This trait is sealed: it is for bounds, in code that drives any [`Step`](crate::Step).
pub trait Next<S>: Sealed + Sized {
    /// What is read from the response.
    #[doc(hidden)]
    type Content;

    /// Reads the response.
    #[doc(hidden)]
    fn read(received: Received<'_>, _: Inside) -> Result<Self::Content, Failure>;

    /// Moves on from `stage`, or gives it back if the response is not enough to move on.
    #[doc(hidden)]
    fn reached(stage: S, content: Self::Content, _: Inside) -> Result<Self, (S, UnexpectedReason)>;

    /// The stage that was reached.
    #[doc(hidden)]
    fn reached_kind(&self, _: Inside) -> StageKind;
}

/// Interprets the response, or its absence.
fn read<S: Stage, N: Next<S>>(
    stage: S,
    endpoint: &'static Endpoint,
    trace: &Trace,
    response: Result<Response, TransportError>,
) -> Result<N, StepError<S>> {
    // Step 1 of `docs/reading-responses.md`: is there a response?
    let response = match response {
        Ok(response) => response,
        Err(error) if error.sent() == Sent::No => return Err(StepError::retry(endpoint, error, stage)),
        Err(error) => return Err(StepError::unresolved(endpoint, error, stage)),
    };
    let http_status = response.status();
    trace.responded(http_status);
    let received = Received { response, in_hand: stage.state_token() };
    match N::read(received, INSIDE).inspect_err(|failure| stage.client().learn_from(&failure.error)) {
        Ok(content) => N::reached(stage, content, INSIDE).map_err(|(stage, reason)| {
            StepError::unresolved(endpoint, UnexpectedResponse::new(http_status, reason), stage)
        }),
        // Step 11: what is held after a failure.
        Err(failure) => Err(match failure.disposition {
            Disposition::NotCarriedOut => StepError::retry(endpoint, failure.error, stage),
            Disposition::Unknown => StepError::unresolved(endpoint, failure.error, stage),
            Disposition::Over => StepError::start_over(endpoint, failure.error, stage),
        }),
    }
}

impl<S: fmt::Debug, N> fmt::Debug for Step<S, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step")
            .field("stage", &self.stage)
            .field("step", &self.draft.endpoint.step)
            .field("path", &self.draft.endpoint.path)
            .field("unsendable", &self.draft.unsendable())
            .finish()
    }
}

impl<S: fmt::Debug, N> fmt::Debug for InFlight<S, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlight")
            .field("stage", &self.stage)
            .field("step", &self.endpoint.step)
            .field("path", &self.endpoint.path)
            .finish_non_exhaustive()
    }
}
