//! The emulator behind real HTTP, on this machine, at a free port.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::oneshot;

use super::emulated::Emulator;
use super::tenant::Reply;
use crate::client::ClientBuilder;

/// The largest request that is read. Those of the API are far smaller.
const MAX_REQUEST: usize = 1 << 20;

/// An [`Emulator`] behind HTTP. Dropping it closes the port and ends its thread.
#[derive(Debug)]
pub struct EmulatorServer {
    emulator: Emulator,
    address: SocketAddr,
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
    connections: Arc<AtomicUsize>,
}

impl Emulator {
    /// Puts the tenant behind HTTP on this machine, at a free port.
    ///
    /// # Errors
    /// If no port can be opened or no thread be started.
    pub fn start(&self) -> std::io::Result<EmulatorServer> {
        EmulatorServer::start(self.clone())
    }
}

impl EmulatorServer {
    fn start(emulator: Emulator) -> io::Result<Self> {
        // Nothing here blocks on a runtime: the caller may be inside one.
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        // Dropping the sender is the signal, so there is nothing to send.
        let (stop, stopped) = oneshot::channel();
        let served = emulator.clone();
        let connections = Arc::new(AtomicUsize::new(0));
        let accepted = Arc::clone(&connections);
        let thread = thread::Builder::new().name("idaas-emulator".to_owned()).spawn(move || {
            // When the signal comes, the runtime is dropped, and every connection with it.
            runtime.block_on(async {
                match TcpListener::from_std(listener) {
                    Ok(listener) => {
                        tokio::spawn(accept(listener, served, accepted));
                        let _ = stopped.await;
                    }
                    // It is closed again, so that whoever connects is refused.
                    Err(error) => eprintln!("the emulator cannot listen: {error}"),
                }
            });
        })?;
        Ok(Self { emulator, address, stop: Some(stop), thread: Some(thread), connections })
    }

    /// The tenant behind it.
    #[must_use]
    pub fn emulator(&self) -> &Emulator {
        &self.emulator
    }

    /// Its base address, `http://127.0.0.1:` and the port.
    #[must_use]
    pub fn base_address(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many connections it has accepted: a client that keeps its connections needs few.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// A client builder with this address and this tenant's client id and edition.
    pub fn client_builder(&self) -> ClientBuilder {
        self.emulator.client_builder(self.base_address()).allow_loopback_http()
    }
}

impl Drop for EmulatorServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so itself.
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, emulator: Emulator, accepted: Arc<AtomicUsize>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, or the peer is gone already: there is nothing to wait for but time.
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            continue;
        };
        accepted.fetch_add(1, Ordering::Relaxed);
        let emulator = emulator.clone();
        tokio::spawn(async move {
            // Responses are small: without this the system waits for more to send.
            let _ = stream.set_nodelay(true);
            let service = service_fn(move |request| answer(emulator.clone(), request));
            // An error ends the connection, which is all that a peer may notice.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// An error closes the connection without a response.
async fn answer(
    emulator: Emulator,
    request: http::Request<Incoming>,
) -> Result<http::Response<Full<Bytes>>, io::Error> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, MAX_REQUEST).collect().await.map_err(io::Error::other)?.to_bytes();
    match emulator.reply(&http::Request::from_parts(parts, body.to_vec())) {
        Reply::Answer(response) => Ok(response.map(full)),
        Reply::Late(time, response) => {
            tokio::time::sleep(time).await;
            Ok(response.map(full))
        }
        Reply::Lost => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}

fn full(body: Vec<u8>) -> Full<Bytes> {
    Full::new(Bytes::from(body))
}
