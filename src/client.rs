//! The client: a tenant, an application, a transport.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use crate::error::{Error, InvalidInput};
use crate::transport::{Request, Response, Transport, TransportError, discard, is_host, is_loopback};
#[cfg(feature = "verify")]
use crate::wire::endpoints::ISSUER_PATH;
use crate::wire::endpoints::WECHAT_CODE;
use crate::wire::headers::{
    SESSION_TOKEN, X_CLIENT_ID, X_SESSION_TOKEN, X_TENANT_ID, header_value, write_content_type,
};

/// The edition of the server: small differences in headers follow from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Edition {
    /// BambooCloud IDaaS for customers.
    #[default]
    Ciam,
    /// BambooCloud IDaaS for employees.
    Eiam,
    /// Huawei Cloud OneAccess.
    OneAccess,
    /// Huawei Cloud OneAccess, for an application of an independent software vendor: the client's base address is the
    /// common domain, the client id that of the application's template, and every request names the tenant in
    /// `X-tenant-id`.
    OneAccessIsv {
        /// The tenant.
        tenant_id: String,
    },
}

impl Edition {
    pub(crate) const fn session_header(&self) -> HeaderName {
        match self {
            Self::Ciam => SESSION_TOKEN,
            Self::Eiam | Self::OneAccess | Self::OneAccessIsv { .. } => X_SESSION_TOKEN,
        }
    }

    const fn content_type(&self) -> &'static str {
        match self {
            Self::Ciam | Self::Eiam => "application/json",
            Self::OneAccess | Self::OneAccessIsv { .. } => "application/json;charset=utf8",
        }
    }
}

/// The name of the field that carries the phone-number code of WeChat.
///
/// Every example prints `wechat_code`, two parameter tables print `wchat_code`; decision D3 in `docs/decisions.md`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WechatCodeField {
    /// `wechat_code`
    #[default]
    WechatCode,
    /// `wchat_code`
    WchatCode,
}

/// A tenant, an application and a transport: where logins begin.
///
/// One per application is enough. It is a cheap handle: clones share everything, and every stage holds one.
///
#[doc = include_str!("../docs/stages/client.md")]
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    scheme: Scheme,
    authority: Authority,
    client_id: HeaderValue,
    tenant_id: Option<HeaderValue>,
    edition: Edition,
    wechat_code_field: WechatCodeField,
    transport: Box<dyn Transport>,
}

impl Client {
    /// Begins to build a client.
    ///
    /// `base_address` is `https://` and the tenant's domain, such as `https://acme.example.com`; a port may follow, a path
    /// may not. `client_id` is the application's authorization id, the header `X-client-id` on every page.
    pub fn builder(base_address: impl Into<String>, client_id: impl Into<String>) -> ClientBuilder {
        ClientBuilder {
            base_address: base_address.into(),
            client_id: client_id.into(),
            edition: Edition::default(),
            wechat_code_field: WechatCodeField::default(),
            loopback_http: false,
        }
    }

    /// The edition that the client speaks to.
    #[must_use]
    pub fn edition(&self) -> &Edition {
        &self.0.edition
    }

    /// The tenant and the application, to tell whether a suspended stage is theirs: base address, client id, tenant id.
    pub(crate) fn identity(&self) -> (String, &[u8], Option<&[u8]>) {
        let base_address = format!("{}://{}", self.0.scheme, self.0.authority);
        (base_address, self.0.client_id.as_bytes(), self.0.tenant_id.as_ref().map(HeaderValue::as_bytes))
    }

    /// What the tenant's identity tokens name as their issuer.
    #[cfg(feature = "verify")]
    pub(crate) fn issuer(&self) -> String {
        format!("{}://{}{ISSUER_PATH}", self.0.scheme, self.0.authority)
    }

    #[cfg(feature = "verify")]
    pub(crate) fn client_id(&self) -> Result<&str, InvalidInput> {
        let text = std::str::from_utf8(self.0.client_id.as_bytes());
        text.map_err(|_| InvalidInput::new("client_id", "is not text"))
    }

    /// Sends one request, once. A transport that panics takes nothing along: nobody knows how far it came, and that is what
    /// the caller is told. Of the panic itself nothing is told here, for it may quote the request.
    pub(crate) fn exchange(&self, request: Request) -> Result<Response, TransportError> {
        let transport = &*self.0.transport;
        catch_unwind(AssertUnwindSafe(|| transport.send(request))).unwrap_or_else(|panic| {
            discard(panic);
            Err(TransportError::maybe_sent("the transport panicked"))
        })
    }

    /// The header that carries a session token: the pages of CIAM print it without `X-`, those of EIAM with it.
    pub(crate) fn session_header(&self) -> HeaderName {
        self.0.edition.session_header()
    }

    pub(crate) fn wechat_code_field(&self) -> &'static str {
        match self.0.wechat_code_field {
            WechatCodeField::WechatCode => WECHAT_CODE.name,
            WechatCodeField::WchatCode => "wchat_code",
        }
    }

    pub(crate) fn uri(&self, path: &'static str) -> Result<Uri, InvalidInput> {
        Uri::builder()
            .scheme(self.0.scheme.clone())
            .authority(self.0.authority.clone())
            .path_and_query(PathAndQuery::from_static(path))
            .build()
            .map_err(|_| InvalidInput::new("base_address", "does not make an address with the path"))
    }

    pub(crate) fn write_headers(&self, headers: &mut HeaderMap) {
        write_content_type(headers, self.0.edition.content_type());
        headers.insert(X_CLIENT_ID, self.0.client_id.clone());
        self.write_tenant_id(headers);
    }

    /// Which of the tenants that share a domain: nothing where each has its own.
    pub(crate) fn write_tenant_id(&self, headers: &mut HeaderMap) {
        if let Some(tenant_id) = &self.0.tenant_id {
            headers.insert(X_TENANT_ID, tenant_id.clone());
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base_address", &format_args!("{}://{}", self.0.scheme, self.0.authority))
            .field("client_id", &self.0.client_id)
            .field("edition", &self.0.edition)
            .finish_non_exhaustive()
    }
}

/// Builds a [`Client`]; begun by [`Client::builder`].
#[derive(Clone)]
#[must_use = "a builder does nothing until it is built"]
pub struct ClientBuilder {
    base_address: String,
    client_id: String,
    edition: Edition,
    wechat_code_field: WechatCodeField,
    loopback_http: bool,
}

/// The address is not printed: until it is checked, there may be a password in it.
impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("client_id", &self.client_id)
            .field("edition", &self.edition)
            .field("wechat_code_field", &self.wechat_code_field)
            .finish_non_exhaustive()
    }
}

impl ClientBuilder {
    /// The server's edition; [`Edition::Ciam`] unless said.
    pub fn edition(mut self, edition: Edition) -> Self {
        self.edition = edition;
        self
    }

    /// The name of the field for the phone-number code of WeChat; `wechat_code` unless said.
    pub fn wechat_code_field(mut self, field: WechatCodeField) -> Self {
        self.wechat_code_field = field;
        self
    }

    /// Accepts a base address with `http://` if its host is this machine (`localhost`, `127.0.0.0/8`, `[::1]`): for
    /// tests. Without TLS everybody on the way reads the tokens, so no other host is ever accepted.
    pub fn allow_loopback_http(mut self) -> Self {
        self.loopback_http = true;
        self
    }

    /// The client, over [`UreqTransport`](crate::UreqTransport) with its defaults.
    ///
    /// # Errors
    /// As [`build_with`](Self::build_with).
    #[cfg(feature = "ureq")]
    #[cfg_attr(docsrs, doc(cfg(feature = "ureq")))]
    pub fn build(self) -> Result<Client, Error> {
        self.build_with(crate::transport::UreqTransport::default())
    }

    /// The client, over a transport of your own: anything that implements [`Transport`], a closure too.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if the base address is not `https://` and a domain (and not `http://` and this machine,
    /// allowed by [`allow_loopback_http`](Self::allow_loopback_http)), or if the client id or tenant id is empty or
    /// contains a character that a header cannot carry.
    pub fn build_with(self, transport: impl Transport + 'static) -> Result<Client, Error> {
        let (scheme, authority) = base_address(&self.base_address, self.loopback_http)?;
        let tenant_id = match &self.edition {
            Edition::OneAccessIsv { tenant_id } => Some(header_value("tenant_id", tenant_id)?),
            _ => None,
        };
        Ok(Client(Arc::new(Inner {
            scheme,
            authority,
            client_id: header_value("client_id", &self.client_id)?,
            tenant_id,
            edition: self.edition,
            wechat_code_field: self.wechat_code_field,
            transport: Box::new(transport),
        })))
    }
}

fn base_address(text: &str, loopback_http: bool) -> Result<(Scheme, Authority), InvalidInput> {
    let invalid = |reason| Err(InvalidInput::new("base_address", reason));
    let Ok(uri) = text.parse::<Uri>() else {
        return invalid("is not a URL");
    };
    if uri.path_and_query().is_some_and(|rest| rest.as_str() != "/") {
        return invalid("has a path or a query: give https:// and the tenant's domain alone");
    }
    let parts = uri.into_parts();
    let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
        return invalid("does not begin with https://");
    };
    if text.contains('#') {
        return invalid("has a fragment: give https:// and the tenant's domain alone");
    }
    if authority.as_str().contains('@') {
        return invalid("contains a user name");
    }
    // What follows the host is nothing, or a colon and a port; anything else would be left out silently.
    let rest = authority.as_str().strip_prefix(authority.host()).unwrap_or(":");
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok();
    if !rest.is_empty() && !rest.strip_prefix(':').is_some_and(is_port) {
        return invalid("has an invalid port");
    }
    if authority.port_u16() == Some(0) {
        return invalid("has an invalid port");
    }
    if authority.host().is_empty() {
        return invalid("has no host");
    }
    if !is_host(authority.host()) {
        return invalid("has an invalid host");
    }
    // One spelling for one tenant: it is what its tokens name, and what a suspended stage is compared by.
    let default_port = if scheme == Scheme::HTTPS { 443 } else { 80 };
    let host = authority.host().to_ascii_lowercase();
    let authority = match authority.port_u16() {
        Some(port) if port != default_port => Authority::try_from(format!("{host}:{port}")),
        _ => Authority::try_from(host),
    };
    let Ok(authority) = authority else {
        return invalid("is not a URL");
    };
    if scheme == Scheme::HTTPS {
        return Ok((scheme, authority));
    }
    if scheme != Scheme::HTTP {
        return invalid("does not begin with https://");
    }
    if !is_loopback(authority.host()) {
        return invalid(
            "is http:// to another machine: everybody on the way could read the tokens, use https://",
        );
    }
    if !loopback_http {
        return invalid("is http://: call allow_loopback_http() if this is a test on this machine");
    }
    Ok((scheme, authority))
}
