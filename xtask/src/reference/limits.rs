//! The times that end something, at the client and at the tenant.

/// A time after which something is over.
pub struct TimeLimit {
    pub name: &'static str,
    /// Whose clock it is: the client's, or the tenant's.
    pub whose: &'static str,
    /// `None` if the response says it, or no page does.
    pub seconds: Option<u64>,
    /// Where the client sets it.
    pub setting: Option<&'static str>,
    pub about: &'static str,
}

const fn client(name: &'static str, seconds: u64, setting: &'static str, about: &'static str) -> TimeLimit {
    TimeLimit { name, whose: "client", seconds: Some(seconds), setting: Some(setting), about }
}

const fn tenant(name: &'static str, seconds: Option<u64>, about: &'static str) -> TimeLimit {
    TimeLimit { name, whose: "tenant", seconds, setting: None, about }
}

pub const TIME_LIMITS: &[TimeLimit] = &[
    client(
        "connect_timeout",
        5,
        "UreqTransportBuilder::connect_timeout",
        "From resolving the name to the end of the TLS handshake. Nothing was sent then.",
    ),
    client(
        "call_timeout",
        30,
        "UreqTransportBuilder::call_timeout",
        "The whole call, to the last byte of the response. The request may have been sent then.",
    ),
    client(
        "max_idle_age",
        50,
        "UreqTransportBuilder::max_idle_age",
        "How long an idle connection is kept: below the 60 seconds of the usual load balancers.",
    ),
    client("leeway", 60, "IdTokenVerifier::leeway", "How far the clocks of tenant and client may differ."),
    client(
        "max_age",
        3600,
        "KeyCacheBuilder::max_age",
        "How old the keys become before they are fetched again.",
    ),
    client(
        "max_stale",
        86400,
        "KeyCacheBuilder::max_stale",
        "How old the keys may become while they cannot be fetched.",
    ),
    client(
        "cooldown",
        10,
        "KeyCacheBuilder::cooldown",
        "How long after a fetch no other begins; longer after failures.",
    ),
    client("fetch_limit", 5, "KeyCacheBuilder::fetch_limit", "How long a verification waits for a fetch."),
    tenant("state_token", None, "No page says how long a state token lives: minutes."),
    tenant("verify_code", None, "No page says how long a verification code lives."),
    tenant("platform_code", Some(300), "A code of WeChat's mini program; it works once."),
    tenant("session_token", None, "The response says it, in `expire`."),
    tenant(
        "id_token",
        Some(300),
        "The default of CIAM; the tenant can set another. The token says it, in `exp`.",
    ),
];
