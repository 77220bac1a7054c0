//! A span for each step and each side call, with the feature `tracing`; without it, nothing.
//!
//! What is recorded are names from the endpoint table, numbers, and what [`ErrorCode`](crate::ErrorCode) prints of itself.

use http::StatusCode;

use crate::error::Error;
use crate::wire::endpoints::{Endpoint, StageKind};

/// The span of a step that was begun.
pub(crate) struct Trace {
    /// A feature must not take anything from a public type that holds this, not even that it may cross a caught panic.
    #[cfg(feature = "tracing")]
    span: std::panic::AssertUnwindSafe<tracing::Span>,
    #[cfg(feature = "tracing")]
    began: std::time::Instant,
}

#[cfg(not(feature = "tracing"))]
#[allow(clippy::unused_self)] // They are the same calls as with the feature.
impl Trace {
    pub(crate) fn begin(_: &'static Endpoint) -> Self {
        Self {}
    }

    pub(crate) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        work()
    }

    pub(crate) fn responded(&self, _: StatusCode) {}

    pub(crate) fn led_to(self, _: StageKind) {}

    pub(crate) fn done(self) {}

    pub(crate) fn failed(self, _: &Error, _: Option<&'static str>) {}
}

#[cfg(feature = "tracing")]
impl Trace {
    pub(crate) fn begin(endpoint: &'static Endpoint) -> Self {
        use tracing::field::Empty;
        let span = tracing::info_span!(
            target: "idaas_login",
            "step",
            stage = %endpoint.from,
            step = endpoint.step,
            endpoint = %format_args!("{} {}", endpoint.verb, endpoint.path),
            http_status = Empty,
            leads_to = Empty,
            error = Empty,
            error_code = Empty,
            recovery = Empty,
            duration_us = Empty,
        );
        Self { span: std::panic::AssertUnwindSafe(span), began: std::time::Instant::now() }
    }

    /// What the transport says belongs to the step.
    pub(crate) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        self.span.in_scope(work)
    }

    pub(crate) fn responded(&self, http_status: StatusCode) {
        self.span.record("http_status", http_status.as_u16());
    }

    pub(crate) fn led_to(self, stage: StageKind) {
        self.span.record("leads_to", tracing::field::display(stage));
        self.done();
    }

    /// The kind of the error alone: its text may hold what a transport of the user's wrote.
    pub(crate) fn failed(self, error: &Error, recovery: Option<&'static str>) {
        self.span.record("error", error.kind());
        if let Error::Refused(refusal) = error {
            self.span.record("error_code", tracing::field::display(refusal.code()));
        }
        if let Some(recovery) = recovery {
            self.span.record("recovery", recovery);
        }
        self.done();
    }

    pub(crate) fn done(self) {
        let duration = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.span.record("duration_us", duration);
    }
}
