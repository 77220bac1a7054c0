//! `data` of the password stages: what the tenant demands of a password.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::flows::kept;
use super::text::Text;

/// The longest pattern that is kept, in bytes.
const LONGEST_PATTERN: usize = 4 * 1024;

/// What the tenant demands of a password, as far as it says so ([decision](crate::manual::decisions) D24).
///
/// This crate checks nothing against it: the tenant has rules that it does not tell, such as a list of weak passwords. Use it to
/// tell the user what to choose, and let the tenant decide.
///
/// ```
/// # let (tenant, stage) = idaas_login::emulator::examples::password_expired()?;
/// let policy = stage.policy().ok_or("this tenant has one")?;
/// if let (Some(min), Some(max)) = (policy.min_length(), policy.max_length()) {
///     println!("a password of {min} to {max} characters");
/// }
/// # assert_eq!(policy.min_length(), Some(8));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordPolicy {
    min_length: Option<u32>,
    max_length: Option<u32>,
    pattern: Option<String>,
}

impl PasswordPolicy {
    /// The fewest characters (`minLength`).
    #[must_use]
    pub fn min_length(&self) -> Option<u32> {
        self.min_length
    }

    /// The most characters (`maxLength`).
    #[must_use]
    pub fn max_length(&self) -> Option<u32> {
        self.max_length
    }

    /// The regular expression (`regEx`), verbatim, at most 4 KiB.
    ///
    /// It is Java's, with look-ahead, which most engines outside Java do not have. It is the tenant's data: run it with a
    /// limit, or not at all.
    #[must_use]
    pub fn pattern(&self) -> Option<&str> {
        self.pattern.as_deref()
    }

    /// The policy in the text of `data`; `None` if that is not a JSON object.
    fn read(raw: &str) -> Option<Self> {
        let fields = serde_json::from_str::<BTreeMap<String, &RawValue>>(raw).ok()?;
        let value = |name: &str| fields.get(name).map(|value| value.get());
        let pattern = value("regEx").and_then(Text::of_json).map(|text| text.as_str().to_owned());
        Some(Self {
            min_length: value("minLength").and_then(number),
            max_length: value("maxLength").and_then(number),
            pattern: pattern.filter(|pattern| pattern.len() <= LONGEST_PATTERN),
        })
    }

    /// The text of `data` with this alone.
    fn rewritten(&self) -> String {
        let Self { min_length, max_length, pattern } = self;
        serde_json::json!({ "minLength": min_length, "maxLength": max_length, "regEx": pattern }).to_string()
    }
}

/// Leaves out the pattern: a server could put a token there.
impl fmt::Debug for PasswordPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordPolicy")
            .field("min_length", &self.min_length)
            .field("max_length", &self.max_length)
            .finish_non_exhaustive()
    }
}

/// An integer, a decimal without fraction, or a string that holds either.
fn number(json: &str) -> Option<u32> {
    let text = json.trim_matches('"').trim_ascii();
    if let Ok(whole) = text.parse() {
        return Some(whole);
    }
    let decimal: f64 = text.parse().ok()?;
    let is_whole = decimal.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&decimal);
    // The integer part as text: a cast could be wrong.
    if is_whole { format!("{decimal:.0}").parse().ok() } else { None }
}

/// The field `data` of a password stage's response.
pub(crate) struct PolicyData {
    policy: Option<PasswordPolicy>,
    raw: Option<Zeroizing<String>>,
}

impl PolicyData {
    /// From the text of `data`.
    pub(crate) fn of(raw: Option<Zeroizing<String>>) -> Self {
        let policy = raw.as_deref().and_then(|raw| PasswordPolicy::read(raw));
        Self { raw: kept(raw, || policy.as_ref().map(PasswordPolicy::rewritten)), policy }
    }

    pub(crate) fn policy(&self) -> Option<&PasswordPolicy> {
        self.policy.as_ref()
    }

    pub(crate) fn raw(&self) -> Option<&str> {
        self.raw.as_deref().map(String::as_str)
    }
}

impl fmt::Debug for PolicyData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.policy.fmt(f)
    }
}
