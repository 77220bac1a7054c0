//! [`UreqTransport`]: blocking HTTPS through ureq and rustls.
//!
//! Everything that this crate uses of ureq's `unversioned` API, which is outside its promise of compatibility, is in this folder.

mod call;
mod connect;
mod input;
mod pool;
mod pooled;
mod recorder;
mod resolver;
mod socket;
mod tls;

use std::error::Error as StdError;
use std::fmt;
use std::io::ErrorKind::UnexpectedEof;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, USER_AGENT};
use http::request::Parts;
use http::uri::Scheme;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};
use ureq::config::{AutoHeaderValue, Config, ConfigBuilder};
use ureq::tls::{PemItem, RootCerts, TlsConfig, TlsProvider};
use ureq::typestate::AgentScope;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector};
use ureq::{Agent, Error as UreqError, Proxy, ProxyProtocol};
use zeroize::Zeroizing;

use self::call::{CallScope, LEAKY, LONGEST, Limits};
use self::connect::{Connected, Dial};
use self::pool::Pool;
use self::pooled::Pooled;
use self::resolver::{Names, ResolveLater};
use self::tls::Tls;
use super::{Phase, Request, Response, Transport, TransportError, discard, is_loopback};
use crate::error::{Error, InvalidInput};

const NAME: &str = concat!("idaas-login/", env!("CARGO_PKG_VERSION"));
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_RESPONSE_SIZE: usize = 2 << 20;
const MAX_IDLE_CONNECTIONS: usize = 64;
/// Below the 60 seconds after which the usual load balancers close an idle connection.
const MAX_IDLE_AGE: Duration = Duration::from_secs(50);
/// What a connection has for input and for output. A head must fit into the first, a header into the second.
const INPUT_BUFFER: usize = 64 << 10;
const OUTPUT_BUFFER: usize = 32 << 10;
/// How much memory is set aside because the server announced so much; for more it has to send it.
const TRUSTED_SIZE: usize = 65_536;
/// How much is set aside if it announced nothing.
const FIRST_SIZE: usize = 8 << 10;
/// The longest text of a cause.
const LONGEST_CAUSE: usize = 500;

/// Blocking HTTPS through ureq and rustls: the transport of [`ClientBuilder::build`](crate::ClientBuilder::build).
///
/// - HTTPS only. Plain HTTP goes only to a loopback address of this machine, which is checked after the name is resolved, and
///   through no proxy.
/// - No redirect is followed, no request is repeated, 4xx and 5xx are responses.
/// - Connecting and the whole call have time limits, through a proxy, too. The body has a size limit, and so has everything
///   that the server sends for one request: twice as much, and 256 KiB for handshakes, interim responses, heads and trailers.
/// - Connections are kept for reuse, as many as a busy service needs. A connection that the server has closed is noticed before
///   it is used again. TLS sessions are resumed.
/// - A name is resolved when a connection is opened, and never otherwise, in one of at most 16 threads; an address needs none.
/// - A proxy is used only if configured here, never from the environment.
/// - A response is not understood if it has more than 128 headers, a head over 64 KiB, or chunk extensions over 20 bytes: limits
///   of ureq. The step is then [`Unresolved`](crate::Recovery::Unresolved).
/// - Nothing is sent while the log target `ureq_proto` or `ureq` is enabled at the level `TRACE`, at which the former writes whole
///   requests and responses, tokens included, and the latter redirect targets. Filter both to `DEBUG`. If the level changes during
///   a call, ureq gets no further: what was not sent is not sent, and a response is lost.
/// - The connections' buffers are wiped: of requests as soon as they are sent, of responses when the connection goes back to the
///   pool or is closed. rustls has no plaintext of a response: records are decrypted in the connection's own buffer.
/// - "Not sent" is proved: the socket notes the first byte that it is given once a request is under way. That holds if something
///   panics within the call, such as a logger.
///
/// Cloning is cheap: the clones share the connections.
#[derive(Clone)]
pub struct UreqTransport {
    agent: Agent,
    limits: Limits,
    /// What each request has, if it does not have another.
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl UreqTransport {
    /// Begins to build a transport whose settings differ from the defaults.
    pub fn builder() -> UreqTransportBuilder {
        UreqTransportBuilder::default()
    }

    /// A transport with settings of ureq's that [`builder`](Self::builder) does not have, such as a client certificate.
    ///
    /// It opens and keeps its own connections, and so promises the same as that of the builder. Of `config` it takes everything but
    /// middleware, redirects, errors for HTTP statuses and the accepted encodings; the time to resolve a name is part of the
    /// time to connect. A body may have 2 MiB. The agent of an application has its settings in [`Agent::config`]. For connections
    /// of your own implement [`Transport`].
    ///
    /// ```
    /// use idaas_login::UreqTransport;
    /// use std::time::Duration;
    ///
    /// let config = ureq::Agent::config_builder()
    ///     .proxy(None) // ureq's default is the proxy of the environment.
    ///     .timeout_connect(Some(Duration::from_secs(5)))
    ///     .timeout_global(Some(Duration::from_secs(30)))
    ///     .max_idle_age(Duration::from_secs(50))
    ///     .build();
    /// let transport = UreqTransport::from_config(&config)?;
    /// # Ok::<(), idaas_login::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if the proxy is neither `http://` nor `https://` or wants names resolved here, or if TLS is not
    /// rustls.
    pub fn from_config(config: &Config) -> Result<Self, Error> {
        if let Some(proxy) = config.proxy() {
            check_proxy(proxy)?;
        }
        if config.tls_config().provider() != TlsProvider::Rustls {
            return Err(InvalidInput::new("config", "has another TLS than rustls").into());
        }
        let timeouts = config.timeouts();
        let builder = Config::builder()
            .https_only(config.https_only())
            .ip_family(config.ip_family())
            .tls_config(config.tls_config().clone())
            .proxy(config.proxy().cloned())
            .no_delay(config.no_delay())
            .user_agent(config.user_agent().clone())
            .accept(config.accept().clone())
            .timeout_global(timeouts.global.map(|limit| limit.min(LONGEST)))
            .timeout_per_call(timeouts.per_call.map(|limit| limit.min(LONGEST)))
            .timeout_resolve(timeouts.resolve)
            .timeout_connect(timeouts.connect.map(|limit| limit.min(LONGEST)))
            .timeout_send_request(timeouts.send_request)
            .timeout_await_100(timeouts.await_100)
            .timeout_send_body(timeouts.send_body)
            .timeout_recv_response(timeouts.recv_response)
            .timeout_recv_body(timeouts.recv_body)
            .timeout_per_read(config.timeout_per_read())
            .timeout_per_write(config.timeout_per_write())
            .max_response_header_size(config.max_response_header_size())
            .input_buffer_size(config.input_buffer_size().max(1))
            .output_buffer_size(config.output_buffer_size().max(1));
        let idle = config.max_idle_connections().min(config.max_idle_connections_per_host());
        let pool = Pool::new(idle, config.max_idle_age());
        Ok(Self::over(builder, pool, Names::default(), MAX_RESPONSE_SIZE, &[]))
    }

    fn over(
        config: ConfigBuilder<AgentScope>,
        pool: Pool,
        names: Names,
        max_response_size: usize,
        headers: &[(HeaderName, HeaderValue)],
    ) -> Self {
        let config = config
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .accept_encoding(AutoHeaderValue::None)
            .max_idle_connections(0)
            .max_idle_connections_per_host(0)
            .build();
        let timeouts = config.timeouts();
        let call = [timeouts.global, timeouts.per_call].into_iter().flatten().min();
        let limits = Limits { connect: timeouts.connect, call, max_response_size };
        let is_proxied = config.proxy().is_some();
        // ureq's own chain, with the recorders between.
        let connector =
            ().chain(ConnectProxyConnector::default())
                .chain(Dial { names, is_proxied })
                .chain(Connected)
                .chain(Tls::default());
        let connector = Pooled { connector, pool: Arc::new(pool), is_proxied };
        let identity = (ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let headers = headers.iter().cloned().chain([identity]).collect();
        Self { agent: Agent::with_parts(config, connector, ResolveLater), limits, headers }
    }

    fn exchange(&self, mut parts: Parts, body: &[u8]) -> Result<Response, TransportError> {
        // ureq would make these anew for each request.
        if let Some(host) = host(&parts.uri) {
            parts.headers.entry(HOST).or_insert(host);
        }
        for (name, value) in &self.headers {
            parts.headers.entry(name).or_insert_with(|| value.clone());
        }
        let response = if parts.method == Method::GET {
            self.agent.run(http::Request::from_parts(parts, ()))
        } else {
            self.agent.run(http::Request::from_parts(parts, body))
        };
        let (parts, mut body) = response.map_err(no_response)?.into_parts();
        call::reached(Phase::Response);
        let announced = body.content_length().and_then(|length| usize::try_from(length).ok());
        let body = read(body.as_reader(), announced, self.limits.max_response_size);
        let mut body = Zeroizing::new(body.map_err(|error| no_response(error.into()))?);
        // ureq takes whatever ends the connection for the end of a response that does not say where it ends. But then anybody
        // on the way could end it earlier.
        if call::was_cut_off() && !says_its_end(parts.version, &parts.headers) {
            return Err(no_response(io::Error::from(UnexpectedEof).into()));
        }
        Ok(Response::from_parts(parts, std::mem::take(&mut *body)))
    }
}

impl Default for UreqTransport {
    fn default() -> Self {
        UreqTransportBuilder::default().over(None, None)
    }
}

impl fmt::Debug for UreqTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UreqTransport")
            .field("max_response_size", &self.limits.max_response_size)
            .finish_non_exhaustive()
    }
}

impl Transport for UreqTransport {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        let (parts, body) = request.into_parts();
        let body = Zeroizing::new(body);
        let local = || parts.uri.scheme() == Some(&Scheme::HTTP) && parts.uri.host().is_some_and(is_loopback);
        if parts.uri.scheme() != Some(&Scheme::HTTPS) && !local() {
            return Err(TransportError::not_sent("neither https://, nor http:// to this machine"));
        }
        let is_proxied = |proxy: &Proxy| !proxy.is_no_proxy(&parts.uri);
        if local() && self.agent.config().proxy().is_some_and(is_proxied) {
            return Err(TransportError::not_sent(
                "http:// through a proxy, which would take it to another machine",
            ));
        }
        let _scope = CallScope::begin(&self.limits);
        if !call::may_be_seen() {
            return Err(TransportError::not_sent(LEAKY));
        }
        catch_unwind(AssertUnwindSafe(|| self.exchange(parts, &body))).unwrap_or_else(|panic| {
            discard(panic);
            Err(failed("the transport panicked"))
        })
    }
}

/// The header `Host`: without a port that goes without saying.
fn host(uri: &Uri) -> Option<HeaderValue> {
    let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
    let default = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    let text = if uri.port_u16() == Some(default) { authority.host() } else { authority.as_str() };
    HeaderValue::try_from(text).ok()
}

/// A failure of this call: what may have been sent is known.
fn failed(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> TransportError {
    match call::phase() {
        phase @ (Phase::Exchange | Phase::Response) => TransportError::maybe_sent(cause).during(phase),
        before => TransportError::not_sent(cause).during(before),
    }
}

fn no_response(error: UreqError) -> TransportError {
    if call::was_withheld() { failed(LEAKY) } else { failed(cause(error)) }
}

/// Whether a response says where it ends, as ureq reads it: by chunks, which HTTP/1.0 does not have, or by its length.
fn says_its_end(version: Version, headers: &HeaderMap) -> bool {
    let codings = headers.get_all(TRANSFER_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    let is_chunked = codings
        .flat_map(|value| value.split(','))
        .any(|coding| coding.trim().eq_ignore_ascii_case("chunked"));
    is_chunked && version != Version::HTTP_10 || headers.contains_key(CONTENT_LENGTH)
}

/// The whole response. A buffer that grows is zeroized: there may be a token in it.
fn read(mut reader: impl Read, announced: Option<usize>, max: usize) -> io::Result<Vec<u8>> {
    // With a byte to spare, so that the end of a response as long as announced shows without a larger buffer.
    let first = announced.map_or(FIRST_SIZE, |length| length.min(max).min(TRUSTED_SIZE) + 1);
    let mut body = Zeroizing::new(vec![0; first]);
    let mut size = 0;
    loop {
        if size == body.len() {
            let mut larger = Zeroizing::new(Vec::with_capacity(2 * size));
            larger.extend_from_slice(&body);
            larger.resize(2 * size, 0);
            body = larger;
        }
        match reader.read(body.get_mut(size..).unwrap_or_default()) {
            Ok(0) => {
                body.truncate(size);
                return Ok(std::mem::take(&mut body));
            }
            Ok(more) => size += more,
            Err(error) => return Err(error),
        }
        if size > max {
            return Err(io::Error::other(format!(
                "the response is larger than max_response_size, {max} bytes"
            )));
        }
    }
}

/// What failed, in one wording for each event, and without what the server wrote.
fn cause(error: UreqError) -> Box<dyn StdError + Send + Sync> {
    let io = |kind, text: &str| io::Error::new(kind, text).into();
    match error {
        UreqError::Io(cause) if cause.kind() == UnexpectedEof => {
            io(UnexpectedEof, "the connection was closed")
        }
        UreqError::Io(cause) => match shortened(&cause) {
            Some(text) => io::Error::new(cause.kind(), text).into(),
            None => cause.into(),
        },
        UreqError::Timeout(ureq::Timeout::Connect) => {
            io(io::ErrorKind::TimedOut, "the time limit for connecting was reached")
        }
        UreqError::Timeout(_) => io(io::ErrorKind::TimedOut, "the time limit for the call was reached"),
        UreqError::Protocol(_) if call::is_before_sending() => {
            io(io::ErrorKind::InvalidInput, "the request is not HTTP as it should be")
        }
        UreqError::Protocol(_) | UreqError::LargeResponseHeader(..) | UreqError::BodyStalled => {
            io(io::ErrorKind::InvalidData, "the response is not valid HTTP")
        }
        UreqError::ConnectProxyFailed(_) => "the proxy refused".into(),
        UreqError::Rustls(cause) => match shortened(&cause) {
            Some(text) => text.into(),
            None => cause.into(),
        },
        other => other.to_string().into(),
    }
}

/// What is printed of a text that is too long, or that lists the names of a certificate: those are whoever answered's to choose.
fn shortened(cause: &impl fmt::Display) -> Option<String> {
    let text = cause.to_string();
    if let Some((mismatch, _names)) = text.split_once("; certificate is ") {
        return Some(mismatch.to_owned());
    }
    let cut = text.char_indices().nth(LONGEST_CAUSE).map(|(at, _)| at)?;
    Some(format!("{}…", text.get(..cut)?))
}

/// Builds a [`UreqTransport`]; begun by [`UreqTransport::builder`].
#[derive(Clone)]
#[must_use = "a builder does nothing until it is built"]
pub struct UreqTransportBuilder {
    connect_timeout: Duration,
    call_timeout: Duration,
    max_response_size: usize,
    max_idle_connections: usize,
    max_idle_age: Duration,
    proxy: Option<String>,
    root_certificates: Option<Vec<u8>>,
    names: Names,
}

impl Default for UreqTransportBuilder {
    fn default() -> Self {
        Self {
            connect_timeout: CONNECT_TIMEOUT,
            call_timeout: CALL_TIMEOUT,
            max_response_size: MAX_RESPONSE_SIZE,
            max_idle_connections: MAX_IDLE_CONNECTIONS,
            max_idle_age: MAX_IDLE_AGE,
            proxy: None,
            root_certificates: None,
            names: Names::default(),
        }
    }
}

/// The address of a proxy may hold a password.
impl fmt::Debug for UreqTransportBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UreqTransportBuilder")
            .field("connect_timeout", &self.connect_timeout)
            .field("call_timeout", &self.call_timeout)
            .field("max_response_size", &self.max_response_size)
            .field("max_idle_connections", &self.max_idle_connections)
            .field("max_idle_age", &self.max_idle_age)
            .finish_non_exhaustive()
    }
}

impl UreqTransportBuilder {
    /// The longest that connecting may take, from resolving the name to the end of the TLS handshake, a proxy included; defaults
    /// to 5 seconds.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// The longest that a call may take, from the beginning to the last byte of the response; defaults to 30 seconds.
    pub fn call_timeout(mut self, limit: Duration) -> Self {
        self.call_timeout = limit;
        self
    }

    /// The largest body of a response, in bytes; defaults to 2 MiB. For one request the server may send twice as much altogether,
    /// and 256 KiB more, whatever it is.
    pub fn max_response_size(mut self, bytes: usize) -> Self {
        self.max_response_size = bytes;
        self
    }

    /// How many idle connections are kept for reuse; defaults to 64. Set it to the number of threads that log users in.
    pub fn max_idle_connections(mut self, count: usize) -> Self {
        self.max_idle_connections = count;
        self
    }

    /// How long an idle connection is kept for reuse; defaults to 50 seconds.
    ///
    /// Set it below the idle timeout of the server and of every load balancer on the way, which is usually 60 seconds. If they
    /// close a connection while a request is being sent on it, the outcome is unknown. A shorter time in the server's
    /// `Keep-Alive` header takes precedence. Zero keeps no connections. The next call closes expired ones.
    pub fn max_idle_age(mut self, age: Duration) -> Self {
        self.max_idle_age = age;
        self
    }

    /// Resolves names by a function instead of the system's resolver: for addresses of your own, and for tests. Defaults to the
    /// system's.
    ///
    /// It is called with the host and the port when a connection is opened, in a thread of its own, which is left alone when the
    /// time is up.
    ///
    /// ```
    /// use idaas_login::UreqTransport;
    ///
    /// let transport = UreqTransport::builder().resolve_with(|_host, port| Ok(vec![([192, 0, 2, 7], port).into()])).build()?;
    /// # Ok::<(), idaas_login::Error>(())
    /// ```
    pub fn resolve_with(
        mut self,
        lookup: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        self.names = Names::by(lookup);
        self
    }

    /// The proxy to connect through, such as `http://proxy.example.com:3128`; by default there is none.
    pub fn proxy(mut self, address: impl Into<String>) -> Self {
        self.proxy = Some(address.into());
        self
    }

    /// The certificates to trust, in PEM, instead of the public ones: for a tenant behind a certificate authority of its
    /// own.
    pub fn root_certificates_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificates = Some(pem.into());
        self
    }

    /// The transport.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if the address of the proxy is not one, or if there is no certificate in the PEM or
    /// something else than certificates.
    pub fn build(self) -> Result<UreqTransport, Error> {
        let proxy = match &self.proxy {
            None => None,
            Some(address) => {
                let proxy = Proxy::new(address);
                let proxy = proxy.map_err(|_| InvalidInput::new("proxy", "is not the address of a proxy"))?;
                check_proxy(&proxy)?;
                Some(proxy)
            }
        };
        let root_certificates = self.root_certificates.as_deref().map(certificates).transpose()?;
        Ok(self.over(proxy, root_certificates))
    }

    fn over(self, proxy: Option<Proxy>, root_certificates: Option<RootCerts>) -> UreqTransport {
        let mut tls = TlsConfig::builder();
        if let Some(certificates) = root_certificates {
            tls = tls.root_certs(certificates);
        }
        let config = Config::builder()
            .timeout_connect(Some(self.connect_timeout.min(LONGEST)))
            .timeout_global(Some(self.call_timeout.min(LONGEST)))
            .user_agent(NAME)
            .input_buffer_size(INPUT_BUFFER)
            .output_buffer_size(OUTPUT_BUFFER)
            .proxy(proxy)
            .tls_config(tls.build());
        let pool = Pool::new(self.max_idle_connections, self.max_idle_age.min(LONGEST));
        let headers =
            [(USER_AGENT, HeaderValue::from_static(NAME)), (ACCEPT, HeaderValue::from_static("*/*"))];
        UreqTransport::over(config, pool, self.names, self.max_response_size, &headers)
    }
}

fn check_proxy(proxy: &Proxy) -> Result<(), InvalidInput> {
    // ureq reads the addresses of others, too, and would then connect directly.
    if !matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https) {
        return Err(InvalidInput::new("proxy", "is neither http:// nor https://"));
    }
    if proxy.resolve_target() {
        return Err(InvalidInput::new("proxy", "wants names resolved before it is asked"));
    }
    Ok(())
}

fn certificates(pem: &[u8]) -> Result<RootCerts, InvalidInput> {
    let mut certificates = Vec::new();
    for item in ureq::tls::parse_pem(pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) if is_der_sequence(certificate.der()) => {
                certificates.push(certificate);
            }
            _ => {
                return Err(InvalidInput::new(
                    "root_certificates_pem",
                    "contains something else than certificates",
                ));
            }
        }
    }
    if certificates.is_empty() {
        return Err(InvalidInput::new("root_certificates_pem", "contains no certificate"));
    }
    Ok(RootCerts::from(certificates))
}

/// Whether the bytes are one DER sequence, as a certificate is: what was cut or mistyped is not, and would otherwise be
/// noticed by nobody until the first login fails.
fn is_der_sequence(der: &[u8]) -> bool {
    let Some((&[0x30, first], rest)) = der.split_first_chunk::<2>() else { return false };
    // A certificate is too long for the short form of a length: the first byte says how many more the length has.
    let bytes = usize::from(first).checked_sub(0x80).filter(|bytes| (1..=4).contains(bytes));
    bytes.and_then(|bytes| rest.split_at_checked(bytes)).is_some_and(|(length, content)| {
        length.iter().fold(0, |size, byte| size << 8 | usize::from(*byte)) == content.len()
    })
}
