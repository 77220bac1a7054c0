//! Names are resolved when a connection is opened, and never otherwise.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use http::Uri;
use ureq::Error as UreqError;
use ureq::config::Config;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::call::{Deadline, LONGEST};

/// How many names are resolved at once, in the whole process. The system's resolver cannot be interrupted: a silent name
/// server holds each of these threads for as long as the system waits.
const MAX_THREADS: usize = 16;

/// Resolves nothing: ureq asks for every request, before it knows whether there is a connection.
#[derive(Debug)]
pub(super) struct ResolveLater;

impl Resolver for ResolveLater {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, UreqError> {
        Ok(self.empty())
    }
}

type Lookup = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// How names are resolved: by the system, unless the builder was given something else.
#[derive(Clone)]
pub(super) struct Names(Arc<Lookup>);

impl Default for Names {
    fn default() -> Self {
        Self::by(|host, port| Ok((host, port).to_socket_addrs()?.collect()))
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").finish_non_exhaustive()
    }
}

impl Names {
    pub(super) fn by(
        lookup: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(lookup))
    }

    /// The addresses of a name, in a thread that is given up when the time is over.
    pub(super) fn resolve(
        &self,
        host: &str,
        port: u16,
        deadline: &Deadline,
    ) -> Result<Vec<SocketAddr>, UreqError> {
        let timed_out = UreqError::Timeout(deadline.reason);
        let Some(slot) = Slot::take(deadline.left()?.unwrap_or(LONGEST)) else { return Err(timed_out) };
        let (tell, told) = mpsc::sync_channel(1);
        let (lookup, host) = (Arc::clone(&self.0), host.to_owned());
        let work = move || {
            let _slot = slot;
            let _ = tell.send(lookup(&host, port));
        };
        // A thread that does not start drops `work`, and with it the slot.
        thread::Builder::new().name("idaas-login-resolver".to_owned()).spawn(work).map_err(|cause| {
            io::Error::other(format!("no thread could be started to resolve the name: {cause}"))
        })?;
        match told.recv_timeout(deadline.left()?.unwrap_or(LONGEST)) {
            Ok(addresses) => Ok(addresses?),
            Err(RecvTimeoutError::Timeout) => Err(timed_out),
            Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("the resolver panicked").into()),
        }
    }
}

/// The address, if `host` is one, as it stands in a URI.
pub(super) fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// The port of a URI.
pub(super) fn port(uri: &Uri) -> Option<u16> {
    let default = match uri.scheme_str() {
        Some("https") => Some(443),
        Some("http") => Some(80),
        _ => None,
    };
    uri.port_u16().or(default)
}

/// The right to have a thread, given back when it is dropped.
struct Slot;

static BUSY: Mutex<usize> = Mutex::new(0);
static FREED: Condvar = Condvar::new();

impl Slot {
    /// Waits for a slot as long as there is time.
    fn take(left: Duration) -> Option<Self> {
        let busy = BUSY.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = |busy: &mut usize| *busy >= MAX_THREADS;
        let (mut busy, _) =
            FREED.wait_timeout_while(busy, left, is_full).unwrap_or_else(PoisonError::into_inner);
        if is_full(&mut busy) {
            return None;
        }
        *busy += 1;
        Some(Self)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut busy = BUSY.lock().unwrap_or_else(PoisonError::into_inner);
        *busy = busy.saturating_sub(1);
        FREED.notify_one();
    }
}
