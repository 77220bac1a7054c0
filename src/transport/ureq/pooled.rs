//! From a request to its connection: an idle one, or a new one.

use std::sync::Arc;

use ureq::Error as UreqError;
use ureq::unversioned::transport::{ConnectionDetails, Connector, Either};

use super::call;
use super::connect::is_to_proxy;
use super::pool::{Destination, Kept, Pool};
use super::recorder::Recorder;
use crate::transport::Phase;

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
