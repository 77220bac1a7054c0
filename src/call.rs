//! A side call: a request that has not been sent, and does not move the flow.

use std::fmt;

use crate::context::{Context, Draft, Tokens};
use crate::error::Error;
use crate::sealed::{INSIDE, Inside, Sealed};
use crate::secret::StateToken;
use crate::trace::Trace;
use crate::transport::{Request, Response, TransportError};
use crate::wire::endpoints::Endpoint;
use crate::wire::responses::{Failure, Received, read_empty};

/// A side call that has not been sent: it does not move the flow, so it does not take the stage.
///
/// [`send`](Self::send) is [`into_request`](Self::into_request), the client's transport and [`CallInFlight::receive`].
///
/// ```
/// use idaas_login::Advice;
///
/// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
/// let captcha = client.captcha(&device).send()?;
/// # let x = if tenant.captcha_solution(captcha.token().expose()) > Some(50.0) { 0.0 } else { 100.0 };
/// // A wrong solution costs the captcha, but not the login.
/// let error = captcha.solve(x, "15201657312").send().unwrap_err();
/// assert_eq!(error.advice(), Advice::NewCaptcha);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a call does nothing until it is sent: call send(), or into_request() to send it yourself"]
pub struct Call<T: Reply> {
    context: Context,
    state_token: Option<StateToken>,
    draft: Draft,
    kept: T::Kept,
}

/// A side call whose request is on its way. Give it the response.
#[must_use = "the response means something only to receive()"]
pub struct CallInFlight<T: Reply> {
    context: Context,
    state_token: Option<StateToken>,
    endpoint: &'static Endpoint,
    trace: Trace,
    kept: T::Kept,
}

/// What a side call gives: a [`Captcha`](crate::Captcha), a [`CaptchaPass`](crate::CaptchaPass), a
/// [`RegisteredMobile`](crate::RegisteredMobile), or nothing.
///
/// This trait is sealed: it is for bounds, in code that drives any [`Call`].
pub trait Reply: Sealed + Sized {
    /// What the caller's side keeps until the response is there.
    #[doc(hidden)]
    type Kept: Send + Sync;

    /// Reads the response.
    #[doc(hidden)]
    fn read(kept: Self::Kept, context: Context, received: Received<'_>, _: Inside) -> Result<Self, Failure>;
}

impl Sealed for () {}

impl Reply for () {
    type Kept = ();

    fn read((): (), _: Context, received: Received<'_>, _: Inside) -> Result<Self, Failure> {
        read_empty(received)
    }
}

impl<T: Reply> Call<T> {
    pub(crate) fn new(
        context: Context,
        state_token: Option<StateToken>,
        draft: Draft,
        kept: T::Kept,
    ) -> Self {
        Self { context, state_token, draft, kept }
    }

    /// The row of the endpoint table that it sends.
    #[must_use]
    pub fn endpoint(&self) -> &'static Endpoint {
        self.draft.endpoint
    }

    /// Sends the request over the client's transport, once, and reads the response.
    ///
    /// ```
    /// # let (tenant, stage) = idaas_login::emulator::examples::mfa_required()?;
    /// let mobile = stage.registered_mobile().send()?;
    /// assert_eq!(mobile.expose(), "+86-15201657312");
    /// // The stage is where it was.
    /// let stage = stage.phone(mobile);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error`]: what happened. The stage is not touched by it, but a refusal of the class
    /// [`DeadToken`](crate::ErrorClass::DeadToken) says that it is over.
    pub fn send(self) -> Result<T, Error> {
        let (request, in_flight) = self.into_request()?;
        let client = &in_flight.context.client;
        let response = in_flight.trace.within(|| client.exchange(request));
        in_flight.receive(response)
    }

    /// Sends the request by an asynchronous HTTP client, once, and reads the response: as
    /// [`Step::send_with`](crate::Step::send_with). If the future is dropped, the stage is where it was.
    ///
    /// ```
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// # let exchange = async |request| idaas_login::Transport::send(&tenant, request);
    /// # idaas_login::emulator::examples::run(async {
    /// // `exchange` is an async function from `Request` to `Result<Response, TransportError>`: it calls your HTTP client.
    /// let captcha = client.captcha(&device).send_with(exchange).await?;
    /// assert!(captcha.picture().is_some());
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error`]: what happened.
    pub async fn send_with<F>(self, send: impl FnOnce(Request) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<Response, TransportError>>,
    {
        let (request, in_flight) = self.into_request()?;
        let response = send(request).await;
        in_flight.receive(response)
    }

    /// Gives the request, to be sent by the caller, and what reads the response.
    ///
    /// ```
    /// # use idaas_login::Transport;
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// let (request, in_flight) = client.captcha(&device).into_request()?;
    /// # let response = tenant.send(request);
    /// // Any HTTP client sends it.
    /// let captcha = in_flight.receive(response)?;
    /// # assert!(captcha.picture().is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if an input cannot be right.
    pub fn into_request(self) -> Result<(Request, CallInFlight<T>), Error> {
        let Self { context, state_token, draft, kept } = self;
        let endpoint = draft.endpoint;
        let trace = Trace::begin(endpoint);
        let tokens = Tokens { state: state_token.as_ref(), session: None };
        match context.request(draft, tokens) {
            Ok(request) => Ok((request, CallInFlight { context, state_token, endpoint, trace, kept })),
            Err(unsendable) => {
                let error = Error::from(unsendable);
                trace.failed(&error, None);
                Err(error)
            }
        }
    }
}

impl<T: Reply> CallInFlight<T> {
    /// Reads the response, or the transport error that came in its place.
    ///
    /// # Errors
    /// [`Error`]: what happened.
    pub fn receive(self, response: Result<Response, TransportError>) -> Result<T, Error> {
        let Self { context, state_token, trace, kept, .. } = self;
        // Step 1 of `docs/reading-responses.md`, and the steps from 2 on.
        let result = response.map_err(Error::from).and_then(|response| {
            trace.responded(response.status());
            let received = Received { response, in_hand: state_token.as_ref() };
            T::read(kept, context, received, INSIDE).map_err(|failure| failure.error)
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
            .field("step", &self.draft.endpoint.step)
            .field("path", &self.draft.endpoint.path)
            .field("unsendable", &self.draft.unsendable())
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
