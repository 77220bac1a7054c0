//! A step: a request that has not been sent. One code path sends them all.

use std::fmt;
use std::marker::PhantomData;

use crate::error::{Error, InvalidInput, StepError, UnexpectedAnswer};
use crate::secret::StateToken;
use crate::stage::{Context, Next, Outcome, Stage};
use crate::trace::Trace;
use crate::transport::{Request, Response, Sent, TransportError};
use crate::wire::endpoints::Endpoint;
use crate::wire::requests::{Body, Tokens, request};
use crate::wire::responses::{Failure, Fate, nothing};

/// A step that has not been sent. It owns the stage `S` that it leaves, and leads to `N`.
///
/// [`send`](Self::send) is [`into_request`](Self::into_request), the client's transport and [`InFlight::receive`], and
/// nothing else. Use those two with any HTTP client, an asynchronous one too.
///
/// The request is written when the step is made, and zeroized if it is never sent. The password or code that went in is the
/// caller's: hand over a `&str`, or a `Zeroizing<String>`, which is zeroized here; a `String` would be freed as it is.
#[must_use = "a step does nothing until it is sent: call send(), or into_request() to send it yourself"]
pub struct Step<S, N = Outcome> {
    stage: S,
    endpoint: &'static Endpoint,
    body: Result<Body, InvalidInput>,
    next: PhantomData<fn() -> N>,
}

/// A step whose request is on its way. Give it the answer.
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
    pub(crate) fn new(stage: S, endpoint: &'static Endpoint, body: Result<Body, InvalidInput>) -> Self {
        Self { stage, endpoint, body, next: PhantomData }
    }

    /// Sends the request over the client's transport, once, and reads the answer.
    ///
    /// # Errors
    /// [`StepError`]: what happened, and what the caller holds now.
    pub fn send(self) -> Result<N, StepError<S>> {
        let (request, in_flight) = self.into_request()?;
        let client = &in_flight.stage.context().client;
        let answer = in_flight.trace.within(|| client.exchange(request));
        in_flight.receive(answer)
    }

    /// The request, to be sent by the caller, and what reads the answer.
    ///
    /// What the transport must hold is written at [`Transport`](crate::Transport).
    ///
    /// # Errors
    /// [`StepError`] with the stage in [`Recovery::Retry`](crate::Recovery::Retry) if an input cannot be right.
    pub fn into_request(self) -> Result<(Request, InFlight<S, N>), StepError<S>> {
        let Self { stage, endpoint, body, .. } = self;
        let trace = Trace::begin(endpoint);
        let built = body.and_then(|body| {
            let context = stage.context();
            request(endpoint, &context.client, &context.device, stage.tokens(), body)
        });
        match built {
            Ok(request) => Ok((request, InFlight { stage, endpoint, trace, next: PhantomData })),
            Err(invalid) => {
                let failed = StepError::retry(endpoint, invalid, stage);
                trace.failed(failed.error(), Some(failed.recovery_name()));
                Err(failed)
            }
        }
    }
}

impl<S: Stage, N: Next<S>> InFlight<S, N> {
    /// Reads the answer, or takes note that there is none.
    ///
    /// # Errors
    /// [`StepError`]: what happened, and what the caller holds now.
    pub fn receive(self, answer: Result<Response, TransportError>) -> Result<N, StepError<S>> {
        let Self { stage, endpoint, trace, .. } = self;
        let result = read(stage, endpoint, &trace, answer);
        match &result {
            Ok(next) => trace.led_to(N::stage(next)),
            Err(failed) => trace.failed(failed.error(), Some(failed.recovery_name())),
        }
        result
    }
}

/// What the answer, or that there is none, makes of the step.
fn read<S: Stage, N: Next<S>>(
    stage: S,
    endpoint: &'static Endpoint,
    trace: &Trace,
    answer: Result<Response, TransportError>,
) -> Result<N, StepError<S>> {
    let response = match answer {
        Ok(response) => response,
        Err(error) if error.sent() == Sent::No => return Err(StepError::retry(endpoint, error, stage)),
        Err(error) => return Err(StepError::unresolved(endpoint, error, stage)),
    };
    let http_status = response.status();
    trace.answered(http_status);
    match N::read(response) {
        Ok(answer) => N::reached(stage, answer).map_err(|(stage, reason)| {
            StepError::unresolved(endpoint, UnexpectedAnswer::new(http_status, reason), stage)
        }),
        Err(failure) => Err(match failure.fate {
            Fate::NotCarriedOut => StepError::retry(endpoint, failure.error, stage),
            Fate::Unknown => StepError::unresolved(endpoint, failure.error, stage),
            Fate::Over => StepError::start_over(endpoint, failure.error, stage),
        }),
    }
}

/// A side call that has not been sent: it does not move the flow, so it does not take the stage.
///
/// [`send`](Self::send) is [`into_request`](Self::into_request), the client's transport and [`CallInFlight::receive`].
#[must_use = "a call does nothing until it is sent: call send(), or into_request() to send it yourself"]
pub struct Call<T: Reply> {
    context: Context,
    state_token: Option<StateToken>,
    endpoint: &'static Endpoint,
    body: Result<Body, InvalidInput>,
    kept: T::Kept,
}

/// A side call whose request is on its way. Give it the answer.
#[must_use = "the answer means something only to receive()"]
pub struct CallInFlight<T: Reply> {
    context: Context,
    endpoint: &'static Endpoint,
    trace: Trace,
    kept: T::Kept,
}

/// What a side call gives: a [`Captcha`](crate::Captcha), a [`CaptchaPass`](crate::CaptchaPass), a
/// [`RegisteredMobile`](crate::RegisteredMobile), or nothing.
///
/// This trait is sealed: it is for bounds, in code that drives any [`Call`].
pub trait Reply: Sized + SealedReply {}

impl<T: SealedReply> Reply for T {}

/// How a side call's answer is read.
pub trait SealedReply: Sized {
    /// What the caller's side keeps until the answer is there.
    type Kept: Send + Sync;

    /// Reads the answer.
    #[doc(hidden)]
    fn read(kept: Self::Kept, context: Context, response: Response) -> Result<Self, Failure>;
}

impl SealedReply for () {
    type Kept = ();

    fn read((): (), _: Context, response: Response) -> Result<Self, Failure> {
        nothing(response)
    }
}

impl<T: Reply> Call<T> {
    pub(crate) fn new(
        context: Context,
        state_token: Option<StateToken>,
        endpoint: &'static Endpoint,
        body: Result<Body, InvalidInput>,
        kept: T::Kept,
    ) -> Self {
        Self { context, state_token, endpoint, body, kept }
    }

    /// Sends the request over the client's transport, once, and reads the answer.
    ///
    /// # Errors
    /// [`Error`]: what happened. The stage is not touched by it, but a refusal of the class
    /// [`DeadToken`](crate::ErrorClass::DeadToken) says that it is over.
    pub fn send(self) -> Result<T, Error> {
        let (request, in_flight) = self.into_request()?;
        let client = &in_flight.context.client;
        let answer = in_flight.trace.within(|| client.exchange(request));
        in_flight.receive(answer)
    }

    /// The request, to be sent by the caller, and what reads the answer.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if an input cannot be right.
    pub fn into_request(self) -> Result<(Request, CallInFlight<T>), Error> {
        let Self { context, state_token, endpoint, body, kept } = self;
        let trace = Trace::begin(endpoint);
        let tokens = Tokens { state: state_token.as_ref(), session: None };
        let built = body.and_then(|body| request(endpoint, &context.client, &context.device, tokens, body));
        match built {
            Ok(request) => Ok((request, CallInFlight { context, endpoint, trace, kept })),
            Err(invalid) => {
                let error = Error::from(invalid);
                trace.failed(&error, None);
                Err(error)
            }
        }
    }
}

impl<T: Reply> CallInFlight<T> {
    /// Reads the answer, or takes note that there is none.
    ///
    /// # Errors
    /// [`Error`]: what happened.
    pub fn receive(self, answer: Result<Response, TransportError>) -> Result<T, Error> {
        let Self { context, trace, kept, .. } = self;
        let result = answer.map_err(Error::from).and_then(|response| {
            trace.answered(response.status());
            T::read(kept, context, response).map_err(|failure| failure.error)
        });
        match &result {
            Ok(_) => trace.done(),
            Err(error) => trace.failed(error, None),
        }
        result
    }
}

impl<T: Reply> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("step", &self.endpoint.step)
            .field("path", &self.endpoint.path)
            .field("invalid", &self.body.as_ref().err())
            .finish_non_exhaustive()
    }
}

impl<T: Reply> fmt::Debug for CallInFlight<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallInFlight")
            .field("step", &self.endpoint.step)
            .field("path", &self.endpoint.path)
            .finish_non_exhaustive()
    }
}

impl<S: fmt::Debug, N> fmt::Debug for Step<S, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step")
            .field("stage", &self.stage)
            .field("step", &self.endpoint.step)
            .field("path", &self.endpoint.path)
            .field("invalid", &self.body.as_ref().err())
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
