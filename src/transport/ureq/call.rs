//! What is known of the call that this thread is making: how far it came, when it has to be over, how much it may still receive.
//!
//! ureq works in the caller's thread, so this needs no lock, and a connection that another call has used cannot confuse it.

use std::cell::Cell;
use std::io;
use std::time::{Duration, Instant};

use ureq::unversioned::transport::NextTimeout;
use ureq::{Error as UreqError, Timeout};

use crate::transport::Phase;

/// Where ureq logs whole requests and responses, tokens included, and redirect targets with everything in them.
const LEAKY_LOGS: [&str; 2] = ["ureq_proto::util", "ureq::util"];
pub(super) const LEAKY: &str =
    "at the level TRACE the log targets ureq and ureq_proto write tokens: filter them to DEBUG";

/// The longest time limit: a year. It is added to the current time, which must not overflow.
pub(super) const LONGEST: Duration = Duration::from_secs(31_536_000);

/// What a call may need.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The time to connect: name resolution, TCP, the proxy and TLS.
    pub(super) connect: Option<Duration>,
    /// The time for everything.
    pub(super) call: Option<Duration>,
    /// The largest body.
    pub(super) max_response_size: usize,
}

/// What comes beside the body: handshakes, interim responses, heads, trailers.
const BESIDE_THE_BODY: usize = 256 << 10;

impl Limits {
    /// How many bytes may come from the network. Chunks and TLS records have sizes of their own, which may be as large again
    /// as the body.
    fn allowance(&self) -> usize {
        self.max_response_size.saturating_mul(2).saturating_add(BESIDE_THE_BODY)
    }
}

#[derive(Clone, Copy)]
struct Call {
    phase: Phase,
    /// Whether what is written from now on is the request, or what carries it.
    is_sending: bool,
    /// Whether the connection ended out of order: by a reset, or within TLS without the message for it.
    cut_off: bool,
    /// Whether ureq was kept from its buffers, because it would have logged what is in them.
    withheld: bool,
    ends: Option<Instant>,
    connect: Option<Duration>,
    connecting_ends: Option<Instant>,
    allowance: usize,
}

const NO_CALL: Call = Call {
    phase: Phase::Prepare,
    is_sending: false,
    cut_off: false,
    withheld: false,
    ends: None,
    connect: None,
    connecting_ends: None,
    allowance: usize::MAX,
};

thread_local! {
    static CALL: Cell<Call> = const { Cell::new(NO_CALL) };
}

fn update(change: impl FnOnce(&mut Call)) {
    let mut call = CALL.get();
    change(&mut call);
    CALL.set(call);
}

/// A call of this thread. Restores the outer one if a call is made within another, such as by a logger that sends.
pub(super) struct CallScope {
    outer: Call,
}

impl CallScope {
    pub(super) fn begin(limits: &Limits) -> Self {
        let ends = limits.call.and_then(|limit| Instant::now().checked_add(limit));
        let call = Call { ends, connect: limits.connect, allowance: limits.allowance(), ..NO_CALL };
        Self { outer: CALL.replace(call) }
    }
}

impl Drop for CallScope {
    fn drop(&mut self) {
        CALL.set(self.outer);
    }
}

pub(super) fn phase() -> Phase {
    CALL.get().phase
}

/// Records how far the call came. What may have been sent stays so, whatever is tried next.
pub(super) fn reached(phase: Phase) {
    update(|call| {
        if !matches!(call.phase, Phase::Exchange | Phase::Response) || phase == Phase::Response {
            call.phase = phase;
        }
    });
}

/// The request is handed to the connection. What holds it back there, such as TLS, has not yet sent it.
pub(super) fn sending() {
    update(|call| call.is_sending = true);
}

/// Bytes are handed to the network.
pub(super) fn writing() {
    if CALL.get().is_sending {
        reached(Phase::Exchange);
    }
}

/// Whether there is a connection, or none was needed yet, and nothing was sent.
pub(super) fn is_before_sending() -> bool {
    let call = CALL.get();
    call.connecting_ends.is_none() && !matches!(call.phase, Phase::Exchange | Phase::Response)
}

pub(super) fn was_cut_off() -> bool {
    CALL.get().cut_off
}

pub(super) fn set_cut_off() {
    update(|call| call.cut_off = true);
}

pub(super) fn was_withheld() -> bool {
    CALL.get().withheld
}

/// Whether ureq may see requests and responses: not while it would log them.
pub(super) fn may_be_seen() -> bool {
    let leaks = LEAKY_LOGS.iter().any(|target| log::log_enabled!(target: target, log::Level::Trace));
    if leaks {
        update(|call| call.withheld = true);
    }
    !leaks
}

pub(super) fn leaky() -> UreqError {
    io::Error::other(LEAKY).into()
}

/// Begins to connect.
pub(super) fn connecting() {
    update(|call| call.connecting_ends = call.connect.and_then(|limit| Instant::now().checked_add(limit)));
}

/// There is a connection.
pub(super) fn connected() {
    update(|call| call.connecting_ends = None);
}

/// When an operation has to be over: what ureq allows it, and no later than the call, or connecting. ureq grants some operations
/// the full time again for each read, such as the negotiation with a proxy.
#[derive(Debug)]
pub(super) struct Deadline {
    began: Instant,
    ends: Option<Instant>,
    /// The limit that is reached then.
    pub(super) reason: Timeout,
}

impl Deadline {
    pub(super) fn of(timeout: NextTimeout) -> Self {
        let call = CALL.get();
        let began = Instant::now();
        let mut deadline = Self { began, ends: began.checked_add(*timeout.after), reason: timeout.reason };
        for (ends, reason) in [(call.ends, Timeout::Global), (call.connecting_ends, Timeout::Connect)] {
            if ends.is_some_and(|ends| deadline.ends.is_none_or(|earlier| ends < earlier)) {
                (deadline.ends, deadline.reason) = (ends, reason);
            }
        }
        deadline
    }

    /// The time left; `None`: without end.
    pub(super) fn left(&self) -> Result<Option<Duration>, UreqError> {
        self.left_at(Instant::now())
    }

    /// The same at the beginning, without looking at the clock again.
    pub(super) fn at_first(&self) -> Result<Option<Duration>, UreqError> {
        self.left_at(self.began)
    }

    fn left_at(&self, now: Instant) -> Result<Option<Duration>, UreqError> {
        let left = self.ends.map(|ends| ends.saturating_duration_since(now));
        if left.is_some_and(|left| left.is_zero()) { Err(UreqError::Timeout(self.reason)) } else { Ok(left) }
    }
}

/// Counts what came from the network towards the limit.
pub(super) fn received(bytes: usize) -> Result<(), UreqError> {
    let left = CALL.get().allowance.checked_sub(bytes);
    update(|call| call.allowance = left.unwrap_or(0));
    match left {
        Some(_) => Ok(()),
        None => Err(io::Error::other("the server sends more than max_response_size allows").into()),
    }
}
