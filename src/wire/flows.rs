//! `data`: which ways the tenant allows.

use std::fmt;

use serde::Deserialize;
use zeroize::Zeroizing;

use crate::secret::printable;

/// The most methods of a list that are kept (decision D49).
const MOST: usize = 16;
/// The longest name of a method that is kept, in bytes.
const LONGEST_NAME: usize = 256;
/// The longest text of `data` that is kept as it is, in bytes.
const LONGEST_DATA: usize = 16 * 1024;

/// A way to prove that a destination is the user's, as `socialBindOrRegisterFlow` names it.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VerifyMethod {
    /// `VERIFY_PHONE`: mobile number and a code by SMS.
    Phone,
    /// `VERIFY_EMAIL`: e-mail address and a code by e-mail.
    Email,
    /// A value that the pages do not document, verbatim.
    Other(Box<str>),
}

impl VerifyMethod {
    /// The name on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Phone => "VERIFY_PHONE",
            Self::Email => "VERIFY_EMAIL",
            Self::Other(name) => name,
        }
    }
}

/// Prints the name if it looks like one. A broken server could put anything there, a token too.
impl fmt::Display for VerifyMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(printable(self.as_str()))
    }
}

impl fmt::Debug for VerifyMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phone => f.write_str("Phone"),
            Self::Email => f.write_str("Email"),
            Self::Other(_) => write!(f, "Other({self})"),
        }
    }
}

/// The field `data` of a response: the tenant's configuration for what comes next.
///
/// The pages print it as JSON text inside a string, as null, or not at all. If the allowed ways cannot be read from it,
/// they are *unspecified*: each may be tried. The text is kept either way.
///
/// ```
/// use idaas_login::VerifyMethod;
///
/// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
/// let flows = stage.allowed_flows();
/// assert_eq!(flows.listed(), Some(&[VerifyMethod::Phone, VerifyMethod::Email][..]));
/// assert!(flows.allows(&VerifyMethod::Phone));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AllowedFlows {
    listed: Option<Vec<VerifyMethod>>,
    raw: Option<Zeroizing<String>>,
}

impl AllowedFlows {
    /// From the text of `data`.
    pub(crate) fn of(raw: Option<Zeroizing<String>>) -> Self {
        let listed = raw.as_deref().and_then(|raw| listed(raw));
        Self { raw: kept(raw, || listed.as_deref().map(relisted)), listed }
    }

    /// The ways that the tenant lists, in its order; `None` if it did not say.
    #[must_use]
    pub fn listed(&self) -> Option<&[VerifyMethod]> {
        self.listed.as_deref()
    }

    /// Whether `method` may be tried: it is listed, or the tenant did not say.
    #[must_use]
    pub fn allows(&self, method: &VerifyMethod) -> bool {
        self.listed.as_ref().is_none_or(|listed| listed.contains(method))
    }

    /// The text of `data`, verbatim; `None` if it was null or absent. Of a text over 16 KiB only the listed methods are
    /// kept, 16 at most.
    #[must_use]
    pub fn raw(&self) -> Option<&str> {
        self.raw.as_deref().map(String::as_str)
    }
}

/// Leaves out the raw text: a server could put a token there.
impl fmt::Debug for AllowedFlows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.listed {
            None => f.write_str("unspecified"),
            Some(listed) => f
                .debug_list()
                .entries(listed.iter().map(|method| match method {
                    VerifyMethod::Other(_) => "(undocumented)",
                    documented => documented.as_str(),
                }))
                .finish(),
        }
    }
}

fn listed(raw: &str) -> Option<Vec<VerifyMethod>> {
    #[derive(Deserialize)]
    struct Data {
        #[serde(rename = "socialBindOrRegisterFlow")]
        flow: Option<Vec<String>>,
    }
    // An array would do for a struct, too.
    if !raw.trim_start().starts_with('{') {
        return None;
    }
    let names = serde_json::from_str::<Data>(raw).ok()?.flow?;
    Some(names.into_iter().filter(|name| name.len() <= LONGEST_NAME).take(MOST).map(method).collect())
}

/// The text of `data` that a stage keeps: `raw`, or what was read from it, if `raw` is too long. A stage carries it along between
/// requests, so a tenant must not make it large.
pub(super) fn kept(
    raw: Option<Zeroizing<String>>,
    rewritten: impl FnOnce() -> Option<String>,
) -> Option<Zeroizing<String>> {
    match raw {
        Some(raw) if raw.len() > LONGEST_DATA => rewritten().map(Zeroizing::new),
        raw => raw,
    }
}

/// The text of `data` with these methods alone.
fn relisted(methods: &[VerifyMethod]) -> String {
    let names: Vec<_> = methods.iter().map(VerifyMethod::as_str).collect();
    serde_json::json!({ "socialBindOrRegisterFlow": names }).to_string()
}

fn method(name: String) -> VerifyMethod {
    match name.trim_ascii() {
        "VERIFY_PHONE" => VerifyMethod::Phone,
        "VERIFY_EMAIL" => VerifyMethod::Email,
        _ => VerifyMethod::Other(name.into()),
    }
}
