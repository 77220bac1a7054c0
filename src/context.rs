//! Whose request it is: the client and the device that it comes from.

use http::{HeaderMap, Request as HttpRequest};

use crate::client::Client;
use crate::device::Device;
use crate::error::InvalidInput;
use crate::secret::{SessionToken, StateToken};
use crate::transport::Request;
use crate::wire::body::{Body, body};
use crate::wire::endpoints::{Credential, Endpoint};
use crate::wire::headers::X_STATE_TOKEN;

/// What every stage and every side call has: the client and the device.
#[derive(Clone, Debug)]
pub struct Context {
    pub(crate) client: Client,
    pub(crate) device: Device,
}

/// A row of the table with its body written: a request that lacks its headers.
///
/// If an input cannot be right, that is known already; it is told when the request is asked for.
pub(crate) struct Draft {
    pub(crate) endpoint: &'static Endpoint,
    pub(crate) body: Result<Body, InvalidInput>,
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
        Draft { endpoint, body: body(endpoint, self.client.wechat_code_field(), values) }
    }

    /// The whole request, ready for any HTTP client.
    pub(crate) fn request(&self, draft: Draft, tokens: Tokens<'_>) -> Result<Request, InvalidInput> {
        let Draft { endpoint, body } = draft;
        let mut body = body?;
        let mut headers = HeaderMap::with_capacity(HEADERS);
        self.client.write_headers(&mut headers);
        self.device.write_headers(&mut headers);
        let credential = match endpoint.credential {
            Credential::None => None,
            Credential::StateToken => {
                Some((X_STATE_TOKEN, "state_token", tokens.state.map(StateToken::header)))
            }
            Credential::SessionToken => {
                let header = self.client.session_header();
                Some((header, "session_token", tokens.session.map(SessionToken::header)))
            }
        };
        if let Some((name, field, value)) = credential {
            let value = value.ok_or(InvalidInput::new(field, "is missing"))?;
            let unfit = |_| InvalidInput::new(field, "contains a character that a header cannot carry");
            headers.insert(name, value.map_err(unfit)?);
        }
        let uri = self.client.uri(endpoint.path)?;
        // The last that is done: from here on nothing fails, and nobody but the transport has the body.
        let mut request = HttpRequest::new(std::mem::take(&mut *body));
        *request.method_mut() = endpoint.verb.into();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }
}
