//! Whose request it is: the client and the device that it comes from.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue, Request as HttpRequest};

use crate::client::Client;
use crate::device::Device;
#[cfg(not(feature = "signature"))]
use crate::error::Unsupported;
use crate::error::{InvalidInput, Unsendable};
use crate::secret::{SessionToken, StateToken};
use crate::transport::Request;
use crate::wire::body::{Body, body, body_with};
use crate::wire::endpoints::{Credential, Endpoint, Field};
use crate::wire::headers::{X_SIGNATURE, X_STATE_TOKEN};

/// What every stage and every side call has: the client and the device.
#[derive(Clone, Debug)]
pub struct Context {
    pub(crate) client: Client,
    pub(crate) device: Device,
}

/// A row of the table with its body written: a request that lacks its headers.
///
/// If it cannot be sent, that is known already; it is told when the request is asked for.
pub(crate) struct Draft {
    pub(crate) endpoint: &'static Endpoint,
    written: Result<Written, Unsendable>,
}

/// What a row came to for this client.
struct Written {
    body: Body,
    path: Cow<'static, str>,
    credential: Credential,
}

impl Draft {
    /// A draft that cannot be sent.
    pub(crate) fn invalid(endpoint: &'static Endpoint, invalid: InvalidInput) -> Self {
        Self { endpoint, written: Err(invalid.into()) }
    }

    /// Why it cannot be sent.
    pub(crate) fn unsendable(&self) -> Option<&Unsendable> {
        self.written.as_ref().err()
    }
}

/// The tokens that a request may carry.
#[derive(Clone, Copy, Default)]
pub struct Tokens<'a> {
    pub(crate) state: Option<&'a StateToken>,
    pub(crate) session: Option<&'a SessionToken>,
}

/// How many headers a request has at most.
const HEADERS: usize = 9;

impl Context {
    /// The row with the values of its fields, in the table's order.
    pub(crate) fn draft(&self, endpoint: &'static Endpoint, values: &[&str]) -> Draft {
        Draft { endpoint, written: self.written(endpoint, values) }
    }

    /// The same with the optional fields for which `optional` has a value.
    pub(crate) fn draft_with<'a>(
        &'a self,
        endpoint: &'static Endpoint,
        values: &[&'a str],
        optional: impl Fn(&'static Field) -> Option<&'a str>,
    ) -> Draft {
        let written = || {
            let shape = self.client.shape(endpoint)?;
            let name_of = |field: &'static Field| self.client.field_name(endpoint, field);
            let body = body_with(endpoint, name_of, values, optional)?;
            Ok(Written { body, path: shape.path, credential: shape.credential })
        };
        Draft { endpoint, written: written() }
    }

    fn written(&self, endpoint: &'static Endpoint, values: &[&str]) -> Result<Written, Unsendable> {
        let shape = self.client.shape(endpoint)?;
        let name_of = |field: &'static Field| self.client.field_name(endpoint, field);
        let body = body(endpoint, shape.send_type, name_of, values)?;
        Ok(Written { body, path: shape.path, credential: shape.credential })
    }

    /// The whole request, ready for any HTTP client.
    pub(crate) fn request(&self, draft: Draft, tokens: Tokens<'_>) -> Result<Request, Unsendable> {
        let Draft { endpoint, written } = draft;
        let Written { mut body, path, credential } = written?;
        let mut headers = HeaderMap::with_capacity(HEADERS);
        self.client.write_headers(&mut headers);
        self.device.write_headers(&mut headers);
        let credential = match credential {
            Credential::None => None,
            Credential::StateToken => {
                Some((X_STATE_TOKEN, "state_token", tokens.state.map(StateToken::header)))
            }
            Credential::SessionToken => {
                let header = self.client.session_header();
                Some((header, "session_token", tokens.session.map(SessionToken::header)))
            }
            Credential::Signature => {
                let session_token = tokens.session.ok_or(InvalidInput::new("session_token", "is missing"))?;
                Some((X_SIGNATURE, "session_token", Some(Ok(self.signature(endpoint, session_token)?))))
            }
        };
        if let Some((name, field, value)) = credential {
            let value = value.ok_or(InvalidInput::new(field, "is missing"))?;
            let unfit = |_| InvalidInput::new(field, "contains a character that a header cannot carry");
            headers.insert(name, value.map_err(unfit)?);
        }
        let uri = self.client.uri(path)?;
        // The last that is done: from here on nothing fails, and nobody but the transport has the body.
        let mut request = HttpRequest::new(std::mem::take(&mut *body));
        *request.method_mut() = endpoint.verb.into();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// The value of `X-signature`: another one for each request.
    #[cfg(feature = "signature")]
    fn signature(&self, _: &Endpoint, session_token: &SessionToken) -> Result<HeaderValue, Unsendable> {
        self.client.signer().sign(session_token)
    }

    #[cfg(not(feature = "signature"))]
    fn signature(&self, endpoint: &Endpoint, _: &SessionToken) -> Result<HeaderValue, Unsendable> {
        let reason = "it needs a signature, which the feature `signature` makes";
        Err(Unsupported::new(endpoint.step, self.client.edition().kind(), reason).into())
    }
}
