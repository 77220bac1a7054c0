//! A TCP connection that keeps within the limits of the call, whoever reads from it or writes to it: the negotiation with a proxy,
//! TLS, HTTP.

use std::io::ErrorKind::{
    AddrNotAvailable, ConnectionRefused, HostUnreachable, Interrupted, InvalidInput, NetworkUnreachable,
    TimedOut, WouldBlock, WriteZero,
};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use log::debug;
use ureq::Error as UreqError;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, LazyBuffers, NextTimeout, Transport as Connection,
};

use super::call::{self, Deadline};

/// Below it a time limit is given to the system as it is.
const SHORT: Duration = Duration::from_millis(64);
/// Under TLS what is read and written here are records, of at most 16 KiB.
const RECORD: usize = 16 << 10;

pub(super) struct Socket {
    stream: TcpStream,
    buffers: LazyBuffers,
    /// The limits that the system knows.
    read_limit: Option<Duration>,
    write_limit: Option<Duration>,
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket").field("peer", &self.stream.peer_addr().ok()).finish_non_exhaustive()
    }
}

impl Socket {
    /// Connects to the first address that accepts. Each gets half of the time that is left, the last one all of it.
    pub(super) fn connect(addresses: &[SocketAddr], details: &ConnectionDetails) -> Result<Self, UreqError> {
        let deadline = Deadline::of(details.timeout);
        let mut failed = UreqError::Io(ConnectionRefused.into());
        for (at, address) in addresses.iter().enumerate() {
            let left = deadline.left()?;
            let limit = left.map(|left| if at + 1 < addresses.len() { left / 2 } else { left });
            let connected = match limit {
                Some(limit) => TcpStream::connect_timeout(address, limit.max(Duration::from_millis(1))),
                None => TcpStream::connect(address),
            };
            failed = match connected {
                Ok(stream) => return Self::new(stream, details).map_err(UreqError::Io),
                Err(cause) if matches!(cause.kind(), TimedOut | WouldBlock) => {
                    UreqError::Timeout(deadline.reason)
                }
                Err(cause) => {
                    let another_may_do =
                        [ConnectionRefused, HostUnreachable, NetworkUnreachable, AddrNotAvailable];
                    if !another_may_do.contains(&cause.kind()) {
                        return Err(cause.into());
                    }
                    cause.into()
                }
            };
        }
        Err(failed)
    }

    fn new(stream: TcpStream, details: &ConnectionDetails) -> io::Result<Self> {
        debug!("connected to {:?}", stream.peer_addr().ok());
        stream.set_nodelay(details.config.no_delay())?;
        let (input, output) = (details.config.input_buffer_size(), details.config.output_buffer_size());
        let buffers = if details.needs_tls() {
            LazyBuffers::new(input.min(RECORD), output.min(RECORD))
        } else {
            LazyBuffers::new(input, output)
        };
        Ok(Self { stream, buffers, read_limit: None, write_limit: None })
    }

    /// Does `work` again and again until it is done or the time is over.
    fn within<T>(
        &mut self,
        deadline: &Deadline,
        set_limit: impl Fn(&mut Self, Option<Duration>) -> io::Result<()>,
        mut work: impl FnMut(&mut Self) -> io::Result<T>,
    ) -> Result<T, UreqError> {
        let mut left = deadline.at_first()?;
        loop {
            match set_limit(self, left.map(rounded)) {
                // macOS refuses a limit if the peer has closed the connection; what there is can still be read.
                Err(cause) if cause.kind() == InvalidInput => {}
                set => set?,
            }
            match work(self) {
                Err(cause) if matches!(cause.kind(), WouldBlock | TimedOut | Interrupted) => {}
                done => return Ok(done?),
            }
            left = deadline.left()?;
        }
    }

    fn set_read_limit(&mut self, limit: Option<Duration>) -> io::Result<()> {
        if self.read_limit != limit {
            self.stream.set_read_timeout(limit)?;
            self.read_limit = limit;
        }
        Ok(())
    }

    fn set_write_limit(&mut self, limit: Option<Duration>) -> io::Result<()> {
        if self.write_limit != limit {
            self.stream.set_write_timeout(limit)?;
            self.write_limit = limit;
        }
        Ok(())
    }

    /// Nothing should be there to read: neither the end, nor what nobody asked for.
    fn is_silent(&self) -> io::Result<bool> {
        self.stream.set_nonblocking(true)?;
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false)?;
        Ok(peeked.is_err_and(|error| error.kind() == WouldBlock))
    }
}

impl Connection for Socket {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), UreqError> {
        if amount == 0 {
            return Ok(());
        }
        let mut sent = 0;
        self.within(&Deadline::of(timeout.for_write()), Self::set_write_limit, |socket| {
            let rest = socket.buffers.output().get(sent..amount).unwrap_or_default();
            call::writing();
            match socket.stream.write(rest)? {
                0 => return Err(WriteZero.into()),
                size => sent += size,
            }
            // What is left has the time that is left.
            if sent < amount { Err(Interrupted.into()) } else { Ok(()) }
        })
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, UreqError> {
        let size = self.within(&Deadline::of(timeout.for_read()), Self::set_read_limit, |socket| {
            socket.stream.read(socket.buffers.input_append_buf())
        })?;
        self.buffers.input_appended(size);
        call::received(size)?;
        Ok(size > 0)
    }

    fn is_open(&mut self) -> bool {
        self.is_silent().unwrap_or(false)
    }
}

/// The time to wait before looking at the clock again. The system is told of each limit that differs from the last one, and these
/// hardly ever do.
fn rounded(left: Duration) -> Duration {
    if left < SHORT {
        return left;
    }
    let millis = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(1 << millis.ilog2())
}
