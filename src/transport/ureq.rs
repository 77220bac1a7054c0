//! [`UreqTransport`]: blocking HTTPS through ureq and rustls.
//!
//! All that this crate uses of ureq's `unversioned` API, which is outside its promise of compatibility, is in this file.

use std::cell::Cell;
use std::error::Error as StdError;
use std::fmt;
use std::io::ErrorKind::{ConnectionAborted, ConnectionReset, UnexpectedEof};
use std::io::{self, Read};
use std::time::Duration;

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::uri::Scheme;
use http::{Method, Uri};
use ureq::config::{AutoHeaderValue, Config};
use ureq::tls::{PemItem, RootCerts, TlsConfig};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, Either, NextTimeout, RustlsConnector,
    TcpConnector, Transport as Connection,
};
use ureq::{Agent, AsSendBody, Error as UreqError, Proxy, ProxyProtocol};
use zeroize::{Zeroize, Zeroizing};

use super::{Phase, Request, Response, Transport, TransportError, is_loopback};
use crate::error::{Error, InvalidInput};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// A year: ureq adds time limits to the time that it is, which must have an end.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
const MAX_ANSWER_SIZE: usize = 2 << 20;
const MAX_IDLE_CONNECTIONS: usize = 64;
/// How much memory is set aside because the server announced so much; for more it has to send it.
const TRUSTED_SIZE: usize = 64 << 10;
/// How much is set aside if it announced nothing.
const FIRST_SIZE: usize = 8 << 10;
/// Where ureq would log whole requests and answers, tokens and all, and where a redirect leads, with what stands in it.
const LEAKY_LOGS: [&str; 2] = ["ureq_proto::util", "ureq::util"];

/// Blocking HTTPS through ureq and rustls: the transport of [`ClientBuilder::build`](crate::ClientBuilder::build).
///
/// - HTTPS only; plain HTTP only to this machine, and through no proxy.
/// - No redirect is followed, no request is repeated, 4xx and 5xx are answers.
/// - Connecting and the whole call have time limits, the answer has a size limit.
/// - Connections are kept for reuse, as many as a busy service needs.
/// - A proxy is used only if configured here, never from the environment.
/// - An answer that begins with an interim `100 Continue` which has headers of its own is not understood, a limit of ureq.
/// - Nothing is sent while the log target `ureq_proto` or `ureq` is enabled at the level `TRACE`, at which the one writes whole
///   requests and answers, tokens and all, and the other where a redirect leads. Filter both to `DEBUG`.
/// - The connections' buffers are wiped: of requests as soon as they are sent, of answers when the connection goes back to the
///   pool or is closed. What rustls keeps of an answer that it decrypted, it frees as it is.
/// - "Not sent" is proved: a recorder at the end of ureq's chain of connectors sees the first byte of each request go.
///
/// Cloning is cheap: the clones share the connections.
#[derive(Clone)]
pub struct UreqTransport {
    agent: Agent,
    max_answer_size: usize,
    /// Whether the agent reports to [`PROGRESS`].
    recorded: bool,
}

impl UreqTransport {
    /// Begins to build a transport whose settings differ from the defaults.
    pub fn builder() -> UreqTransportBuilder {
        UreqTransportBuilder::default()
    }

    /// Over an agent of your own, with its time limits, its TLS, its pool and its proxy.
    ///
    /// Redirects, and errors for HTTP statuses, are switched off in each request. An answer may have 2 MiB.
    ///
    /// It promises less than the transport of [`builder`](Self::builder):
    /// - "Not sent" is claimed only for a refused connection, and for what ureq refuses before it connects, because nothing
    ///   records when the request begins. So middleware of the agent's must not send a request again.
    /// - ureq's buffers, which hold the last request and the last answer of each connection, are not wiped.
    /// - An answer that ends with its connection counts as whole, however that ended.
    /// - An answer that nobody asked for, sent behind another one within TLS, may be taken for the one to the next request.
    #[must_use]
    pub fn from_agent(agent: Agent) -> Self {
        Self { agent, max_answer_size: MAX_ANSWER_SIZE, recorded: false }
    }

    fn run(&self, request: http::Request<impl AsSendBody>) -> Result<http::Response<ureq::Body>, UreqError> {
        if self.recorded {
            return self.agent.run(request);
        }
        let request = self
            .agent
            .configure_request(request)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .build();
        self.agent.run(request)
    }

    fn no_answer(&self, error: UreqError) -> TransportError {
        let phase = if self.recorded { PROGRESS.get() } else { guess(&error) };
        let cause = cause(error);
        match phase {
            Phase::Exchange => TransportError::maybe_sent(cause),
            before => TransportError::not_sent(cause).during(before),
        }
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
            .field("max_answer_size", &self.max_answer_size)
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
        if LEAKY_LOGS.iter().any(|target| log::log_enabled!(target: target, log::Level::Trace)) {
            return Err(TransportError::not_sent(
                "at the level TRACE the log targets ureq and ureq_proto write tokens: filter them to DEBUG",
            ));
        }
        let _outer = Outer::begin();
        let outcome = if parts.method == Method::GET {
            self.run(http::Request::from_parts(parts, ()))
        } else {
            self.run(http::Request::from_parts(parts, body.as_slice()))
        };
        let (parts, mut body) = outcome.map_err(|error| self.no_answer(error))?.into_parts();
        let announced = body.content_length().and_then(|length| usize::try_from(length).ok());
        let lost = |error: io::Error| TransportError::maybe_sent(cause(error.into())).during(Phase::Answer);
        let mut body = Zeroizing::new(read(body.as_reader(), announced, self.max_answer_size).map_err(lost)?);
        // ureq takes whatever ends the connection for the end of an answer that does not say where it ends. But then anybody on
        // the way could end it earlier.
        let says_its_end =
            [CONTENT_LENGTH, TRANSFER_ENCODING].iter().any(|name| parts.headers.contains_key(name));
        if CUT_OFF.get() && !says_its_end {
            return Err(lost(UnexpectedEof.into()));
        }
        Ok(Response::from_parts(parts, std::mem::take(&mut *body)))
    }
}

/// The whole answer. A buffer that grows is zeroized: there may be a token in it.
fn read(mut reader: impl Read, announced: Option<usize>, max: usize) -> io::Result<Vec<u8>> {
    // With a byte to spare, so that the end of an answer as long as announced shows without a larger buffer.
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
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if size > max {
            return Err(io::Error::other(format!("the answer is larger than max_answer_size, {max} bytes")));
        }
    }
}

/// How far a request came that failed in an agent which records nothing: `Exchange` unless the error itself is proof.
fn guess(error: &UreqError) -> Phase {
    match error {
        UreqError::BadUri(_) | UreqError::RequireHttpsOnly(_) | UreqError::InvalidProxyUrl => Phase::Prepare,
        UreqError::HostNotFound => Phase::Resolve,
        UreqError::Io(cause) if cause.kind() == io::ErrorKind::ConnectionRefused => Phase::Connect,
        _ => Phase::Exchange,
    }
}

/// What failed, in one wording for each event, and without what the server wrote.
fn cause(error: UreqError) -> Box<dyn StdError + Send + Sync> {
    let io = |kind, text: &str| io::Error::new(kind, text).into();
    match error {
        UreqError::Io(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => {
            io(io::ErrorKind::UnexpectedEof, "the connection was closed")
        }
        UreqError::Io(cause) => cause.into(),
        UreqError::Timeout(ureq::Timeout::Connect) => {
            io(io::ErrorKind::TimedOut, "the time limit for connecting was reached")
        }
        UreqError::Timeout(_) => io(io::ErrorKind::TimedOut, "the time limit for the call was reached"),
        UreqError::Protocol(_) | UreqError::LargeResponseHeader(..) | UreqError::BodyStalled => {
            io(io::ErrorKind::InvalidData, "the answer is not HTTP as it should be")
        }
        UreqError::ConnectProxyFailed(_) => "the proxy refused".into(),
        UreqError::Rustls(cause) => cause.into(),
        other => other.to_string().into(),
    }
}

/// Builds a [`UreqTransport`]; begun by [`UreqTransport::builder`].
#[derive(Clone)]
#[must_use = "a builder does nothing until it is built"]
pub struct UreqTransportBuilder {
    connect_timeout: Duration,
    call_timeout: Duration,
    max_answer_size: usize,
    max_idle_connections: usize,
    proxy: Option<String>,
    root_certificates: Option<Vec<u8>>,
}

impl Default for UreqTransportBuilder {
    fn default() -> Self {
        Self {
            connect_timeout: CONNECT_TIMEOUT,
            call_timeout: CALL_TIMEOUT,
            max_answer_size: MAX_ANSWER_SIZE,
            max_idle_connections: MAX_IDLE_CONNECTIONS,
            proxy: None,
            root_certificates: None,
        }
    }
}

/// The address of a proxy may hold a password.
impl fmt::Debug for UreqTransportBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UreqTransportBuilder")
            .field("connect_timeout", &self.connect_timeout)
            .field("call_timeout", &self.call_timeout)
            .field("max_answer_size", &self.max_answer_size)
            .field("max_idle_connections", &self.max_idle_connections)
            .finish_non_exhaustive()
    }
}

impl UreqTransportBuilder {
    /// The longest that connecting may take, name resolution apart, TLS included; 5 seconds unless said.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// The longest that a call may take, from the beginning to the last byte of the answer; 30 seconds unless said.
    pub fn call_timeout(mut self, limit: Duration) -> Self {
        self.call_timeout = limit;
        self
    }

    /// The largest body of an answer, in bytes; 2 MiB unless said.
    pub fn max_answer_size(mut self, bytes: usize) -> Self {
        self.max_answer_size = bytes;
        self
    }

    /// How many idle connections are kept for reuse; 64 unless said. As many as there are threads that log users in.
    pub fn max_idle_connections(mut self, count: usize) -> Self {
        self.max_idle_connections = count;
        self
    }

    /// The proxy to connect through, such as `http://proxy.example.com:3128`; none unless said.
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
                // ureq reads the addresses of others, too, and would then connect directly.
                if !matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https) {
                    return Err(InvalidInput::new("proxy", "is neither http:// nor https://").into());
                }
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
        let proxy_address = proxy.as_ref().map(|proxy| proxy.uri().clone());
        let config = Config::builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(self.connect_timeout.min(LONGEST)))
            .timeout_global(Some(self.call_timeout.min(LONGEST)))
            .max_idle_connections(self.max_idle_connections)
            .max_idle_connections_per_host(self.max_idle_connections)
            .user_agent(concat!("idaas-login/", env!("CARGO_PKG_VERSION")))
            .accept_encoding(AutoHeaderValue::None)
            .proxy(proxy)
            .tls_config(tls.build())
            .build();
        // ureq's own chain, with the recorders between.
        let connector =
            ().chain(ConnectProxyConnector::default())
                .chain(TcpConnector::default())
                .chain(Connected)
                .chain(RustlsConnector::default())
                .chain(Secured { proxy: proxy_address });
        UreqTransport {
            agent: Agent::with_parts(config, connector, Resolving(DefaultResolver::default())),
            max_answer_size: self.max_answer_size,
            recorded: true,
        }
    }
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
    let size_bytes = usize::from(first & 0x7f);
    match rest.split_at_checked(size_bytes) {
        _ if first & 0x80 == 0 => rest.len() == usize::from(first),
        Some((size, content)) if (1..=4).contains(&size_bytes) => {
            size.iter().fold(0, |size, byte| size << 8 | usize::from(*byte)) == content.len()
        }
        _ => false,
    }
}

thread_local! {
    /// How far the call that this thread is making has come. ureq works in the caller's thread, so this needs no lock and
    /// cannot be confused by a connection that was pooled by another call.
    static PROGRESS: Cell<Phase> = const { Cell::new(Phase::Prepare) };
    /// Whether the connection of that call ended, and not in order: by a reset, or within TLS without the message for it.
    static CUT_OFF: Cell<bool> = const { Cell::new(false) };
}

/// Puts back how far the outer call had come if a call is made within another one, such as by a logger that sends.
struct Outer {
    progress: Phase,
    cut_off: bool,
}

impl Outer {
    /// Begins a call.
    fn begin() -> Self {
        Self { progress: PROGRESS.replace(Phase::Prepare), cut_off: CUT_OFF.replace(false) }
    }
}

impl Drop for Outer {
    fn drop(&mut self) {
        PROGRESS.set(self.progress);
        CUT_OFF.set(self.cut_off);
    }
}

/// Records that a name is being resolved, and that it was.
#[derive(Debug)]
struct Resolving(DefaultResolver);

impl Resolver for Resolving {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, UreqError> {
        PROGRESS.set(Phase::Resolve);
        let addresses = self.0.resolve(uri, config, timeout)?;
        PROGRESS.set(Phase::Connect);
        Ok(addresses)
    }
}

/// Records that there is a connection, to the tenant or through the proxy; what may follow is the TLS handshake.
#[derive(Debug)]
struct Connected;

impl<In: Connection> Connector<In> for Connected {
    type Out = Drained<In>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, UreqError> {
        if details.needs_tls() {
            PROGRESS.set(Phase::TlsHandshake);
        }
        Ok(chained.map(Drained))
    }
}

/// A connection that is not used again if more came than was read. Under TLS that may be a whole answer which nobody asked
/// for and nobody has decrypted yet: the next request must not get it.
#[derive(Debug)]
struct Drained<In>(In);

impl<In: Connection> Connection for Drained<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.0.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), UreqError> {
        self.0.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, UreqError> {
        self.0.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.0.buffers().input().is_empty() && self.0.is_open()
    }

    fn is_tls(&self) -> bool {
        self.0.is_tls()
    }
}

/// Puts a recorder on the finished connection.
#[derive(Debug)]
struct Secured {
    proxy: Option<Uri>,
}

impl<In: Connection> Connector<In> for Secured {
    type Out = Either<In, Recorder<In>>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, UreqError> {
        // The connection to a proxy carries the negotiation with the proxy first, which is not the request.
        let to_proxy = self.proxy.as_ref() == Some(details.uri);
        if to_proxy {
            // Whatever the proxy says now, there is no connection to the tenant yet.
            PROGRESS.set(Phase::Connect);
        }
        let recorder = |connection| Recorder { connection, received: 0 };
        Ok(chained.map(
            |connection| {
                if to_proxy { Either::A(connection) } else { Either::B(recorder(connection)) }
            },
        ))
    }
}

/// Records the first byte of a request that is handed to the connection: from then on it may have been sent.
///
/// It also wipes ureq's buffers, which live as long as the connection and are freed as they are: what was sent as soon as it
/// is sent, what was received when the connection goes back to the pool or is closed. rustls has more of its own.
#[derive(Debug)]
struct Recorder<In: Connection> {
    connection: In,
    /// How many bytes came in since the buffer was last wiped: no more than its first so many can be of an answer.
    received: usize,
}

impl<In: Connection> Recorder<In> {
    /// Wipes what was received, all of which has been read.
    fn wipe_received(&mut self) {
        if self.received > 0 {
            let received = std::mem::take(&mut self.received);
            let free = self.connection.buffers().input_append_buf();
            let end = received.min(free.len());
            free.get_mut(..end).unwrap_or_default().zeroize();
        }
    }
}

impl<In: Connection> Connection for Recorder<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.connection.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), UreqError> {
        PROGRESS.set(Phase::Exchange);
        let transmitted = self.connection.transmit_output(amount, timeout);
        self.connection.buffers().output().get_mut(..amount).unwrap_or_default().zeroize();
        transmitted
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, UreqError> {
        let before = self.connection.buffers().input().len();
        let awaited = self.connection.await_input(timeout);
        if let Err(UreqError::Io(cause)) = &awaited
            && matches!(cause.kind(), ConnectionAborted | ConnectionReset | UnexpectedEof)
        {
            CUT_OFF.set(true);
        }
        let after = self.connection.buffers().input().len();
        self.received = self.received.saturating_add(after.saturating_sub(before));
        awaited
    }

    /// Asked before the connection goes back to the pool, and when it is taken from it.
    fn is_open(&mut self) -> bool {
        if self.connection.buffers().input().is_empty() {
            self.wipe_received();
        }
        self.connection.is_open()
    }

    fn is_tls(&self) -> bool {
        self.connection.is_tls()
    }
}

impl<In: Connection> Drop for Recorder<In> {
    fn drop(&mut self) {
        let buffers = self.connection.buffers();
        let unread = buffers.input().len();
        buffers.input_consume(unread);
        // What was written into it and never sent, because the time was up.
        buffers.output().zeroize();
        self.wipe_received();
    }
}
