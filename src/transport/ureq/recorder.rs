//! The connection that a request travels over.

use std::io::ErrorKind::{ConnectionAborted, ConnectionReset, UnexpectedEof};
use std::sync::Arc;
use std::time::Duration;

use ureq::Error as UreqError;
use ureq::unversioned::transport::{Buffers, NextTimeout, Transport as Connection};
use zeroize::{Zeroize, Zeroizing};

use super::call;
use super::pool::{Destination, Kept, Pool};

/// How much of a request is put together, so that it leaves in one write. What is larger leaves in pieces.
const HELD: usize = 8 << 10;
/// A server that announces how long it keeps an idle connection may close it at that very moment.
const MARGIN: Duration = Duration::from_secs(1);

/// Tells when the request is handed to the connection: with the first byte that the socket is given then, it may have been sent.
///
/// - It sends the head and the body of a small request in one write.
/// - It takes out the interim responses, which ureq understands only without headers and before little else.
/// - It withholds what ureq would log.
/// - It wipes the buffers, which live as long as the connection: what was sent as soon as it is sent,
///   what was received when the connection is kept or closed.
/// - After a whole response it gives the connection to the pool.
#[derive(Debug)]
pub(super) struct Recorder {
    /// There until the connection goes to the pool.
    kept: Option<Kept>,
    destination: Destination,
    pool: Arc<Pool>,
    nothing: Nothing,
    /// How many bytes came in since the buffer was last wiped: no more than its first so many can be of a response.
    received: usize,
    /// Whether the head of the final response has not yet come.
    awaits_head: bool,
    /// How long the server keeps an idle connection, if it said so.
    announced: Option<Duration>,
}

impl Recorder {
    pub(super) fn new(kept: Kept, destination: Destination, pool: Arc<Pool>) -> Self {
        Self {
            kept: Some(kept),
            destination,
            pool,
            nothing: Nothing,
            received: 0,
            awaits_head: true,
            announced: None,
        }
    }

    /// Never grows: what it left behind would not be wiped.
    pub(super) fn room() -> Zeroizing<Vec<u8>> {
        Zeroizing::new(Vec::with_capacity(HELD))
    }

    fn kept(&mut self) -> Result<&mut Kept, UreqError> {
        self.kept.as_mut().ok_or(UreqError::ConnectionFailed)
    }

    fn input_len(&mut self) -> usize {
        self.kept.as_mut().map_or(0, |kept| kept.connection.buffers().input().len())
    }

    /// Takes out whole interim responses, and notes what the head of the final one says.
    fn read_head(&mut self) {
        let Some(kept) = &mut self.kept else { return };
        let buffers = kept.connection.buffers();
        while let Some(head) = Head::of(buffers.input()) {
            if !head.is_interim {
                self.awaits_head = false;
                self.announced = head.announced;
                return;
            }
            buffers.input_consume(head.size);
        }
    }

    /// Wipes what was received, all of which has been read.
    fn wipe_received(&mut self) {
        let received = std::mem::take(&mut self.received);
        if let Some(kept) = &mut self.kept {
            let free = kept.connection.buffers().input_append_buf();
            let end = received.min(free.len());
            wipe(free.get_mut(..end).unwrap_or_default());
        }
    }
}

/// Wipes a part of a buffer that lives on, many bytes at a time. The compiler cannot see who reads it next, so it leaves this as
/// it is.
fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    std::hint::black_box(bytes);
}

impl Kept {
    /// Hands `amount` bytes of the output buffer to the connection.
    fn write(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), UreqError> {
        call::sending();
        let written = self.connection.transmit_output(amount, timeout);
        self.wipe_output(amount);
        written
    }

    fn wipe_output(&mut self, amount: usize) {
        wipe(self.connection.buffers().output().get_mut(..amount).unwrap_or_default());
    }

    /// Sends what is held back.
    fn flush(&mut self, timeout: NextTimeout) -> Result<(), UreqError> {
        if self.held.is_empty() {
            return Ok(());
        }
        let mut held = std::mem::take(&mut self.held);
        let room = self.connection.buffers().output().len().max(1);
        let written = held.chunks(room).try_for_each(|piece| {
            let output = self.connection.buffers().output().get_mut(..piece.len());
            output.ok_or(UreqError::ConnectionFailed)?.copy_from_slice(piece);
            self.write(piece.len(), timeout)
        });
        wipe(&mut held);
        held.clear();
        self.held = held;
        written
    }
}

impl Connection for Recorder {
    fn buffers(&mut self) -> &mut dyn Buffers {
        match &mut self.kept {
            Some(kept) if call::may_be_seen() => kept.connection.buffers(),
            _ => &mut self.nothing,
        }
    }

    /// Holds back the head, so that it leaves together with the body.
    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), UreqError> {
        let kept = self.kept()?;
        if !call::may_be_seen() {
            kept.wipe_output(amount);
            return Err(call::leaky());
        }
        if kept.held.len().saturating_add(amount) > HELD {
            // What is in the output buffer has to make room for what is sent before it.
            let mut piece = Zeroizing::new(Vec::with_capacity(amount));
            piece.extend_from_slice(kept.connection.buffers().output().get(..amount).unwrap_or_default());
            kept.flush(timeout)?;
            kept.connection.buffers().output().get_mut(..amount).unwrap_or_default().copy_from_slice(&piece);
            return kept.write(amount, timeout);
        }
        let output = kept.connection.buffers().output().get(..amount).unwrap_or_default();
        // It is wiped when it is overwritten by what is sent, or with the whole buffer.
        kept.held.extend_from_slice(output);
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, UreqError> {
        if !call::may_be_seen() {
            return Err(call::leaky());
        }
        self.kept()?.flush(timeout)?;
        let before = self.input_len();
        let awaited = self.kept()?.connection.await_input(timeout);
        if let Err(UreqError::Io(cause)) = &awaited
            && matches!(cause.kind(), ConnectionAborted | ConnectionReset | UnexpectedEof)
        {
            call::set_cut_off();
        }
        let came = self.input_len().saturating_sub(before);
        self.received = self.received.saturating_add(came);
        if self.awaits_head {
            self.read_head();
        }
        awaited
    }

    /// Asked when a response has been read: the connection goes to the pool then, and ureq gets nothing to keep, for which it
    /// would lock its own. Whether the server has closed the connection is looked at when it is taken again.
    fn is_open(&mut self) -> bool {
        let is_clean = self.input_len() == 0 && self.kept.as_ref().is_some_and(|kept| kept.held.is_empty());
        if is_clean {
            self.wipe_received();
            if let Some(kept) = self.kept.take() {
                self.pool.put(self.destination.clone(), kept, self.announced);
            }
        }
        false
    }

    fn is_tls(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.connection.is_tls())
    }
}

impl Drop for Recorder {
    /// A connection that is still here is closed.
    fn drop(&mut self) {
        if let Some(kept) = &mut self.kept {
            let buffers = kept.connection.buffers();
            let unread = buffers.input().len();
            buffers.input_consume(unread);
            // What was written into it and never sent.
            buffers.output().zeroize();
        }
        self.wipe_received();
    }
}

/// The buffers of a connection that ureq may not see.
#[derive(Debug)]
struct Nothing;

impl Buffers for Nothing {
    fn output(&mut self) -> &mut [u8] {
        &mut []
    }

    fn input(&self) -> &[u8] {
        &[]
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        &mut []
    }

    fn input_appended(&mut self, _: usize) {}

    fn input_consume(&mut self, _: usize) {}

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        (&mut [], &mut [])
    }

    fn can_use_input(&self) -> bool {
        false
    }
}

/// What is known of a whole head.
struct Head {
    /// With the empty line that ends it.
    size: usize,
    is_interim: bool,
    announced: Option<Duration>,
}

impl Head {
    /// `None`: it is not all there.
    fn of(input: &[u8]) -> Option<Self> {
        let mut announced = None;
        let mut begin = 0;
        // Empty lines before the first one are none of the head.
        let mut has_begun = false;
        loop {
            let rest = input.get(begin..)?;
            let end = rest.iter().position(|byte| *byte == b'\n')?;
            let line = rest.get(..end)?;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            begin += end + 1;
            match line.first() {
                Some(first) => {
                    has_begun = true;
                    if matches!(first, b'k' | b'K') {
                        announced = announced.or_else(|| keep_alive(line));
                    }
                }
                None if !has_begun => {}
                None => return Some(Self { size: begin, is_interim: is_interim(input), announced }),
            }
        }
    }
}

/// Whether the final response follows: after each 1xx but 101, which ends HTTP.
fn is_interim(head: &[u8]) -> bool {
    let code = head.strip_prefix(b"HTTP/1.1 ").or_else(|| head.strip_prefix(b"HTTP/1.0 "));
    code.and_then(|code| code.first_chunk()).is_some_and(|code: &[u8; 3]| {
        code.starts_with(b"1") && code.iter().all(u8::is_ascii_digit) && code != b"101"
    })
}

/// How long the server keeps an idle connection, less a margin: `Keep-Alive: timeout=5`.
fn keep_alive(line: &[u8]) -> Option<Duration> {
    let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
    if !name.eq_ignore_ascii_case("keep-alive") {
        return None;
    }
    value.split([',', ';']).find_map(|part| {
        let (name, seconds) = part.trim().split_once('=')?;
        let seconds = seconds.trim().parse().ok().map(Duration::from_secs)?;
        name.trim().eq_ignore_ascii_case("timeout").then(|| seconds.saturating_sub(MARGIN))
    })
}
