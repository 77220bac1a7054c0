//! The two servers: the tenant's, over HTTP or HTTPS, and the one of the control API.

use std::fs;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

use crate::arguments::{Options, Tls};
use crate::config::{self, Config};
use crate::control::Control;
use crate::forms;
use crate::log::Form;

/// The largest request that is read. Those of the API are far smaller.
const MAX_REQUEST: usize = 1 << 20;

/// Serves until the process is ended. What cannot be right is told before anything is served.
pub fn serve(options: &Options) -> Result<(), String> {
    let config = match &options.config {
        Some(file) => config::read(file)?,
        None => Config::default(),
    };
    let tls = options.tls.as_ref().map(acceptor).transpose()?;
    let tenant = listen("--listen", options.listen)?;
    let control = listen("--control", options.control)?;
    let addresses = Addresses { tls: tls.is_some(), tenant: address(&tenant)?, control: address(&control)? };
    let state = Arc::new(Control::new(config, options.strict));
    start_up(options, &addresses, &state);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("the servers cannot be started: {error}"))?;
    let log = options.log;
    runtime.block_on(async move {
        let unusable = |error: io::Error| format!("the servers cannot be started: {error}");
        let tenant = tokio::net::TcpListener::from_std(tenant).map_err(unusable)?;
        let control = tokio::net::TcpListener::from_std(control).map_err(unusable)?;
        let of_control = Arc::clone(&state);
        tokio::spawn(accept(control, None, move |request| answer_control(Arc::clone(&of_control), request)));
        let is_tls = tls.is_some();
        accept(tenant, tls, move |request| answer(Arc::clone(&state), is_tls, log, request)).await;
        Ok(())
    })
}

struct Addresses {
    tls: bool,
    tenant: SocketAddr,
    control: SocketAddr,
}

fn listen(option: &str, address: SocketAddr) -> Result<TcpListener, String> {
    let listener = TcpListener::bind(address).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => format!("{address} is in use: choose another address by {option}"),
        _ => format!("{option}: nothing can listen at {address}: {error}"),
    })?;
    let set = listener.set_nonblocking(true);
    set.map_err(|error| format!("{option}: nothing can listen at {address}: {error}"))?;
    Ok(listener)
}

fn address(listener: &TcpListener) -> Result<SocketAddr, String> {
    listener.local_addr().map_err(|error| format!("the address is not known: {error}"))
}

fn acceptor(Tls { certificates, key }: &Tls) -> Result<TlsAcceptor, String> {
    let read =
        |file: &Path| fs::read(file).map_err(|error| format!("{}: cannot be read: {error}", file.display()));
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(certificates)?).collect();
    let chain = chain.map_err(|error| format!("{}: {error}", certificates.display()))?;
    if chain.is_empty() {
        return Err(format!("{}: has no certificate in PEM", certificates.display()));
    }
    let private = PrivateKeyDer::from_pem_slice(&read(key)?);
    let private =
        private.map_err(|error| format!("{}: has no private key in PEM: {error}", key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private))
        .map_err(|error| format!("{} and {}: {error}", certificates.display(), key.display()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Says where everything is.
fn start_up(options: &Options, addresses: &Addresses, state: &Control) {
    let scheme = if addresses.tls { "https" } else { "http" };
    let tenant = format!("{scheme}://{}", addresses.tenant);
    let control = format!("http://{}", addresses.control);
    let (edition, client_id, strict) = state.summary();
    let users = state.tenant().user_names();
    match options.log {
        Form::Json => {
            let fields = [
                ("tenant", json!(tenant)),
                ("control", json!(control)),
                ("edition", json!(edition)),
                ("client_id", json!(client_id)),
                ("strict", json!(strict)),
                ("users", json!(users.len())),
                ("notice", json!("for development and tests, never for users")),
            ];
            options.log.write("started", &fields);
        }
        Form::Text => {
            let strict =
                if strict { "yes: what a real tenant might refuse is refused" } else { "no (--strict)" };
            let users = if users.is_empty() { "none".to_owned() } else { users.join(", ") };
            let text = format!(
                "idaas-emulator {version}: an IDaaS tenant for development and tests.\n\
                 It is never for users: its tokens, codes and keys are no secret.\n\n\
                 tenant     {tenant}   the base address of your client\n\
                 control    {control}   users, codes, faults, clock, ledger; GET /openapi.json describes it\n\
                 edition    {edition}\n\
                 client id  {client_id}\n\
                 strict     {strict}\n\
                 users      {users}\n\n\
                 Each request to the tenant is a line below. Nothing is kept when the program ends.\n",
                version = env!("CARGO_PKG_VERSION"),
            );
            // Whoever closed the output does not want to read it.
            let _ = io::Write::write_all(&mut io::stdout().lock(), text.as_bytes());
        }
    }
}

async fn accept<F, A>(listener: tokio::net::TcpListener, tls: Option<TlsAcceptor>, answer: F)
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + 'static,
    A: Future<Output = io::Result<Response<Full<Bytes>>>> + Send + 'static,
{
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, or the peer is gone already: there is nothing to wait for but time.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        // Responses are small: without this the system waits for more to send.
        let _ = stream.set_nodelay(true);
        let (tls, answer) = (tls.clone(), answer.clone());
        tokio::spawn(async move {
            match tls {
                None => connection(stream, answer).await,
                // Whoever cannot speak TLS is let go.
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        connection(stream, answer).await;
                    }
                }
            }
        });
    }
}

async fn connection<S, F, A>(stream: S, answer: F)
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Fn(Request<Incoming>) -> A,
    A: Future<Output = io::Result<Response<Full<Bytes>>>>,
{
    // An error ends the connection, which is all that a peer may notice.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)).await;
}

async fn read(request: Request<Incoming>) -> io::Result<Request<Vec<u8>>> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, MAX_REQUEST).collect().await.map_err(io::Error::other)?.to_bytes();
    Ok(Request::from_parts(parts, body.to_vec()))
}

/// The tenant's response. An error closes the connection without one.
async fn answer(
    state: Arc<Control>,
    tls: bool,
    log: Form,
    request: Request<Incoming>,
) -> io::Result<Response<Full<Bytes>>> {
    let began = Instant::now();
    let mut request = read(request).await?;
    let method = request.method().to_string();
    if tls && let Some(uri) = by_https(&request) {
        *request.uri_mut() = uri;
    }
    let handled = state.tenant().handle(&request);
    if !handled.delay.is_zero() {
        tokio::time::sleep(handled.delay).await;
    }
    let entry = &handled.entry;
    let effects: Vec<_> = entry.effects.iter().map(forms::effect).collect();
    let fields = [
        ("method", json!(method)),
        ("path", json!(entry.path)),
        ("http_status", json!(entry.http_status.map(|status| status.as_u16()))),
        ("error_code", json!(entry.error_code)),
        ("effects", json!(effects)),
        ("objections", json!(entry.objections)),
        ("milliseconds", json!(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX))),
    ];
    log.write("request", &fields);
    let response = handled.response.ok_or(io::ErrorKind::ConnectionAborted)?;
    Ok(response.map(|body| Full::new(Bytes::from(body))))
}

/// The address as the client called it: the issuer of the tokens follows from it.
fn by_https(request: &Request<Vec<u8>>) -> Option<Uri> {
    let host = request.headers().get(HOST)?.to_str().ok()?;
    let path = request.uri().path_and_query()?.clone();
    Uri::builder().scheme("https").authority(host).path_and_query(path).build().ok()
}

async fn answer_control(
    state: Arc<Control>,
    request: Request<Incoming>,
) -> io::Result<Response<Full<Bytes>>> {
    let (http_status, body) = match read(request).await {
        Ok(request) => state.answer(&request),
        Err(_) => (
            StatusCode::PAYLOAD_TOO_LARGE,
            r#"{"error":"the body is too large or cannot be read"}"#.to_owned(),
        ),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = http_status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
