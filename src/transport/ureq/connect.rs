//! The connectors between ureq's own: they resolve, connect, and record how far that came.

use std::io;
use std::net::SocketAddr;
use ureq::Error as UreqError;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, NextTimeout, Transport as Connection,
};

use http::uri::Scheme;

use super::call::{self, Deadline};
use super::resolver::{Names, address, port};
use super::socket::Socket;
use crate::transport::Phase;

/// How many of a name's addresses are tried.
const MAX_ADDRESSES: usize = 16;

/// Whether a connection is opened to the proxy, not to the tenant: ureq then takes the proxy out of the configuration.
pub(super) fn is_to_proxy(is_proxied: bool, details: &ConnectionDetails) -> bool {
    is_proxied && details.config.proxy().is_none()
}

/// Resolves the name and opens a TCP connection.
#[derive(Debug)]
pub(super) struct Dial {
    pub(super) names: Names,
    pub(super) is_proxied: bool,
}

impl Dial {
    fn addresses(&self, details: &ConnectionDetails) -> Result<Vec<SocketAddr>, UreqError> {
        let (Some(host), Some(port)) = (details.uri.host(), port(details.uri)) else {
            return Err(UreqError::BadUri("has no host".to_owned()));
        };
        let found = if let Some(address) = address(host) {
            vec![SocketAddr::new(address, port)]
        } else {
            call::reached(Phase::Resolve);
            self.names.resolve(host, port, &Deadline::of(details.timeout))?
        };
        let must_be_loopback =
            details.uri.scheme() != Some(&Scheme::HTTPS) && !is_to_proxy(self.is_proxied, details);
        let family = details.config.ip_family();
        let wanted = family.keep_wanted(found.into_iter());
        let wanted = wanted.filter(|address| !must_be_loopback || address.ip().to_canonical().is_loopback());
        let addresses: Vec<_> = wanted.take(MAX_ADDRESSES).collect();
        if addresses.is_empty() && must_be_loopback {
            let text = "the name has no loopback address, and without TLS no other is used";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text).into());
        }
        if addresses.is_empty() { Err(UreqError::HostNotFound) } else { Ok(addresses) }
    }
}

impl<In: Connection> Connector<In> for Dial {
    type Out = Either<In, Socket>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, UreqError> {
        if let Some(tunnel) = chained {
            return Ok(Some(Either::A(tunnel)));
        }
        let addresses = self.addresses(details)?;
        call::reached(Phase::Connect);
        Socket::connect(&addresses, details).map(|socket| Some(Either::B(socket)))
    }
}

/// Records that there is a connection, to the tenant or through the proxy; what may follow is the TLS handshake.
#[derive(Debug)]
pub(super) struct Connected;

impl<In: Connection> Connector<In> for Connected {
    type Out = Drained<In>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, UreqError> {
        if details.needs_tls() {
            call::reached(Phase::TlsHandshake);
        }
        Ok(chained.map(Drained))
    }
}

/// A connection that is not used again if more came than was read. Under TLS that may be a whole response that nobody asked for
/// and nobody has decrypted yet: the next request must not get it.
#[derive(Debug)]
pub(super) struct Drained<In>(In);

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
