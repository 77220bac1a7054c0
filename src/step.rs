//! A step: a request that has not been sent. One code path sends them all.

use std::fmt;
use std::marker::PhantomData;

use crate::error::{InvalidInput, StepError, UnexpectedAnswer};
use crate::stage::{Next, Outcome, Stage};
use crate::transport::{Request, Response, Sent, TransportError};
use crate::wire::endpoints::Endpoint;
use crate::wire::requests::{Body, request};
use crate::wire::responses::{Fate, progress};

/// A step that has not been sent. It owns the stage `S` that it leaves, and leads to `Next`.
///
/// [`send`](Self::send) is [`into_request`](Self::into_request), the client's transport and [`InFlight::receive`], and
/// nothing else. Use those two with any HTTP client, an asynchronous one too.
#[must_use = "a step does nothing until it is sent: call send(), or into_request() to send it yourself"]
pub struct Step<S, Next = Outcome> {
    stage: S,
    endpoint: &'static Endpoint,
    body: Result<Body, InvalidInput>,
    next: PhantomData<fn() -> Next>,
}

/// A step whose request is on its way. Give it the answer.
///
/// If it is dropped, so is the stage. To give up waiting, hand [`receive`](Self::receive) a
/// [`TransportError::maybe_sent`]: then the login can start over from the [`StepError`].
#[must_use = "the login goes on only with what receive() returns"]
pub struct InFlight<S, Next = Outcome> {
    stage: S,
    endpoint: &'static Endpoint,
    next: PhantomData<fn() -> Next>,
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
        let answer = in_flight.stage.context().client.transport().send(request);
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
        let built = body.and_then(|body| {
            let context = stage.context();
            request(endpoint, &context.client, &context.device, stage.state_token(), body)
        });
        match built {
            Ok(request) => Ok((request, InFlight { stage, endpoint, next: PhantomData })),
            Err(invalid) => Err(StepError::retry(endpoint, invalid, stage)),
        }
    }
}

impl<S: Stage, N: Next<S>> InFlight<S, N> {
    /// Reads the answer, or takes note that there is none.
    ///
    /// # Errors
    /// [`StepError`]: what happened, and what the caller holds now.
    pub fn receive(self, answer: Result<Response, TransportError>) -> Result<N, StepError<S>> {
        let Self { stage, endpoint, .. } = self;
        let response = match answer {
            Ok(response) => response,
            Err(error) if error.sent() == Sent::No => return Err(StepError::retry(endpoint, error, stage)),
            Err(error) => return Err(StepError::unresolved(endpoint, error, stage)),
        };
        let http_status = response.status();
        match progress(response) {
            Ok(progress) => N::reached(stage, progress).map_err(|(stage, reason)| {
                StepError::unresolved(endpoint, UnexpectedAnswer::new(http_status, reason), stage)
            }),
            Err(failure) => Err(match failure.fate {
                Fate::NotCarriedOut => StepError::retry(endpoint, failure.error, stage),
                Fate::Unknown => StepError::unresolved(endpoint, failure.error, stage),
                Fate::Over => StepError::start_over(endpoint, failure.error, stage),
            }),
        }
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
            .finish()
    }
}
