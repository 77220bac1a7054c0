//! The idle connections.
//!
//! ureq has a pool, too, and keeps nothing in it here: it logs while it holds its pool's lock, so that a logger that panics
//! there ends every later call, and one that sends waits for itself. It also looks twice at whether a connection is open.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::uri::{Authority, Scheme};
use ureq::unversioned::transport::Transport as Connection;
use zeroize::Zeroizing;

/// To whom a connection leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Destination {
    pub(super) scheme: Scheme,
    pub(super) authority: Authority,
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
    pub(super) fn take(&self, destination: &Destination) -> Option<Kept> {
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
