//! The idle connections.
//!
//! ureq has a pool, too, and keeps nothing in it here: it logs while it holds its pool's lock, so that a logger that panics
//! there ends every later call, and one that sends waits for itself. It also looks twice at whether a connection is open.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::uri::{Authority, Scheme};
use ureq::Error as UreqError;
use ureq::unversioned::transport::{ConnectionDetails, Connector, Either, Transport as Connection};
use zeroize::Zeroizing;

use super::call;
use super::connect::is_to_proxy;
use super::recorder::Recorder;
use crate::transport::Phase;

/// To whom a connection leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Destination {
    scheme: Scheme,
    authority: Authority,
}

/// A connection, and what is kept with it.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) connection: Box<dyn Connection>,
    /// What will be sent with the next write; empty between two requests.
    pub(super) held: Zeroizing<Vec<u8>>,
}

struct Idle {
    destination: Destination,
    kept: Kept,
    until: Instant,
}

/// The idle connections, the one that was used last at the end.
pub(super) struct Pool {
    idle: Mutex<VecDeque<Idle>>,
    max_connections: usize,
    max_age: Duration,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

impl Pool {
    pub(super) fn new(max_connections: usize, max_age: Duration) -> Self {
        Self { idle: Mutex::default(), max_connections, max_age }
    }

    /// Nothing is logged or closed while this is locked. What is expired is in front; if a server announced less, it is behind,
    /// and not taken.
    fn change<T>(&self, change: impl FnOnce(&mut VecDeque<Idle>, Instant) -> T) -> T {
        let now = Instant::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let count = idle.iter().take_while(|idle| idle.until <= now).count();
        let expired: Vec<_> = idle.drain(..count).collect();
        let changed = change(&mut idle, now);
        drop(idle);
        drop(expired);
        changed
    }

    /// The connection to `destination` that was used last and is still open.
    fn take(&self, destination: &Destination) -> Option<Kept> {
        loop {
            let (mut idle, is_expired) = self.change(|idle, now| {
                let at = idle.iter().rposition(|idle| idle.destination == *destination)?;
                idle.remove(at).map(|idle| {
                    let is_expired = idle.until <= now;
                    (idle, is_expired)
                })
            })?;
            if !is_expired && idle.kept.connection.is_open() {
                return Some(idle.kept);
            }
        }
    }

    /// Keeps a connection, for no longer than its server announced.
    pub(super) fn put(&self, destination: Destination, kept: Kept, announced: Option<Duration>) {
        let age = announced.map_or(self.max_age, |announced| announced.min(self.max_age));
        let Some(until) = Instant::now().checked_add(age) else { return };
        if age.is_zero() || self.max_connections == 0 {
            return;
        }
        let surplus = self.change(|idle, _| {
            let surplus = if idle.len() < self.max_connections { None } else { idle.pop_front() };
            idle.push_back(Idle { destination, kept, until });
            surplus
        });
        drop(surplus);
    }
}

/// Takes an idle connection, or opens one.
#[derive(Debug)]
pub(super) struct Pooled<C> {
    pub(super) connector: C,
    pub(super) pool: Arc<Pool>,
    pub(super) is_proxied: bool,
}

impl<C: Connector> Connector for Pooled<C> {
    type Out = Either<C::Out, Recorder>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<()>,
    ) -> Result<Option<Self::Out>, UreqError> {
        if is_to_proxy(self.is_proxied, details) {
            // It carries the negotiation with the proxy first, which is not the request.
            let connection = self.connector.connect(details, chained)?;
            // Whatever the proxy says now, there is no connection to the tenant yet.
            call::reached(Phase::Connect);
            return Ok(connection.map(Either::A));
        }
        let (Some(scheme), Some(authority)) = (details.uri.scheme(), details.uri.authority()) else {
            return Err(UreqError::BadUri("has no host".to_owned()));
        };
        let destination = Destination { scheme: scheme.clone(), authority: authority.clone() };
        let kept = if let Some(kept) = self.pool.take(&destination) {
            kept
        } else {
            call::connecting();
            let connection = self.connector.connect(details, chained)?;
            call::connected();
            let connection = connection.ok_or(UreqError::ConnectionFailed)?;
            Kept { connection: Box::new(connection), held: Recorder::room() }
        };
        Ok(Some(Either::B(Recorder::new(kept, destination, Arc::clone(&self.pool)))))
    }
}
