//! Responses: from bytes to what the API said, by the decisions in `docs/decisions.md`.
//!
//! A body is parsed once, borrowing from the bytes, and zeroized afterwards. Tokens and status are read strictly, so that
//! nothing is guessed; `expire`, `id_token` and `data` are read leniently, because a login must not be lost over them.
//!
//! The steps have the numbers that they have in `docs/reading-responses.md`. Steps 1, 10 and 11 are in `src/stage`.

use std::time::Duration;

use base64::alphabet;
use base64::engine::{DecodePaddingMode, Engine, GeneralPurpose, GeneralPurposeConfig};
use http::StatusCode;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::codes::class;
use super::countries::{self, CountryCodesParts};
use super::fields::{Field, Fields, Unreadable};
use super::hints;
use super::status::Status;
use super::text::Text;
use crate::error::{Error, ErrorClass, Refusal, UnexpectedReason, UnexpectedResponse};
use crate::secret::{CaptchaToken, IdToken, SessionToken, StateToken};
use crate::transport::Response;

/// A response to a request, and the state token that the request carried.
pub struct Received<'a> {
    pub(crate) response: Response,
    pub(crate) in_hand: Option<&'a StateToken>,
}

/// What a response that is no success means for the step.
#[derive(Debug)]
pub struct Failure {
    pub(crate) error: Error,
    pub(crate) disposition: Disposition,
}

/// What became of the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Not carried out; the state token lives.
    NotCarriedOut,
    /// Nobody knows.
    Unknown,
    /// The login is over.
    Over,
}

impl Failure {
    fn new(error: impl Into<Error>, disposition: Disposition) -> Self {
        Self { error: error.into(), disposition }
    }

    /// The tenant's policy ended the login.
    fn denied() -> Self {
        Self::new(Error::AccessDenied, Disposition::Over)
    }

    /// A success that cannot be read: the outcome is unknown.
    fn unreadable(http_status: StatusCode) -> Self {
        Self::unexpected(http_status, UnexpectedReason::Unreadable, Disposition::Unknown)
    }

    fn unexpected(http_status: StatusCode, reason: UnexpectedReason, disposition: Disposition) -> Self {
        Self::new(UnexpectedResponse::new(http_status, reason), disposition)
    }
}

/// A step's response that leads on.
pub enum Progress {
    /// `SUCCESS`
    Success { session_token: SessionToken, expires_in: Option<Duration>, id_token: Option<IdToken> },
    /// Another status; what it leads to waits with a state token.
    Pending { status: Pending, state_token: Option<StateToken>, data: Option<Zeroizing<String>> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pending {
    SocialBind,
    UserRegister,
    MfaAuth,
    PasswordWarn,
    PasswordExpired,
}

/// Reads the response to a step that moves the flow.
pub(crate) fn progress(received: Received<'_>) -> Result<Progress, Failure> {
    classify(received, |http_status, fields| {
        let unexpected = |reason| Failure::unexpected(http_status, reason, Disposition::Unknown);
        let unreadable = |Unreadable| unexpected(UnexpectedReason::Unreadable);
        let fields = fields.ok_or(Unreadable).map_err(unreadable)?;
        let status = fields.status.token().map_err(unreadable)?;
        let pending = |status| {
            Ok(Progress::Pending {
                status,
                state_token: fields.state_token.header_token().map_err(unreadable)?.map(StateToken::new),
                data: fields.data.value().and_then(data),
            })
        };
        let status = status.ok_or_else(|| unexpected(UnexpectedReason::NoStatus))?;
        match Status::read(status) {
            Some(Status::Success) => {
                let session_token = fields.session_token.header_token().map_err(unreadable)?;
                Ok(Progress::Success {
                    session_token: session_token
                        .map(SessionToken::new)
                        .ok_or_else(|| unexpected(UnexpectedReason::NoSessionToken))?,
                    expires_in: fields.expire.value().and_then(seconds),
                    id_token: fields.id_token.token().ok().flatten().map(IdToken::new),
                })
            }
            Some(Status::SocialBind) => pending(Pending::SocialBind),
            Some(Status::UserRegister) => pending(Pending::UserRegister),
            Some(Status::MfaAuth) => pending(Pending::MfaAuth),
            Some(Status::PasswordWarn) => pending(Pending::PasswordWarn),
            Some(Status::PasswordExpired) => pending(Pending::PasswordExpired),
            Some(Status::AccessDenied) => Err(Failure::denied()),
            None => Err(unexpected(UnexpectedReason::UnknownStatus(status.into()))),
        }
    })
}

/// The text of `data`: usually a string that holds JSON; an object in its place is read all the same.
fn data(raw: &RawValue) -> Option<Zeroizing<String>> {
    match raw.get() {
        "null" => None,
        json => Some(Text::of_json(json).unwrap_or(Text::Borrowed(json)).into_owned()),
    }
}

/// Reads the response to a request for a code, or to a reset: a success says nothing. Its body is documented as empty; null and an
/// object that is not the response to another request say nothing, either.
pub(crate) fn read_empty(received: Received<'_>) -> Result<(), Failure> {
    let is_silent = matches!(received.response.body().trim_ascii(), b"" | b"null");
    classify(received, |http_status, fields| match fields {
        Some(fields) if fields.is_empty() => Ok(()),
        None if is_silent => Ok(()),
        _ => Err(Failure::unreadable(http_status)),
    })
}

/// Reads the one text of a response.
fn read_single_field(
    received: Received<'_>,
    name: impl Fn(Fields<'_>) -> Field<'_>,
) -> Result<Zeroizing<String>, Failure> {
    classify(received, |http_status, fields| {
        let field = fields.map(name).unwrap_or_default();
        let text = field.token().ok().flatten();
        text.map(|text| Zeroizing::new(text.to_owned())).ok_or_else(|| Failure::unreadable(http_status))
    })
}

/// Reads the response to `mobile-by-token`.
pub(crate) fn mobile(received: Received<'_>) -> Result<Zeroizing<String>, Failure> {
    read_single_field(received, |fields| fields.mobile)
}

/// Reads the response to a captcha's solution.
pub(crate) fn captcha_token(received: Received<'_>) -> Result<Zeroizing<String>, Failure> {
    read_single_field(received, |fields| fields.captcha_token)
}

/// Reads the response to `public-key`, by whoever knows keys.
#[cfg(feature = "signature")]
pub(crate) fn public_key<T>(
    received: Received<'_>,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, Failure> {
    classify(received, |http_status, fields| {
        let field = fields.map(|fields| fields.public_key).unwrap_or_default();
        field.token().ok().flatten().and_then(parse).ok_or_else(|| Failure::unreadable(http_status))
    })
}

/// Reads the response to `server-date`: milliseconds since 1970.
#[cfg(feature = "signature")]
pub(crate) fn server_date(received: Received<'_>) -> Result<u64, Failure> {
    /// The year 5138: a time beyond it is none.
    const LATEST: u64 = 100_000_000_000_000;
    classify(received, |http_status, fields| {
        let timestamp = fields.and_then(|fields| fields.timestamp.value()).and_then(seconds);
        let timestamp =
            timestamp.map(|number| number.as_secs()).filter(|timestamp| (1..LATEST).contains(timestamp));
        timestamp.ok_or_else(|| Failure::unreadable(http_status))
    })
}

/// Reads the response to `country-codes`.
pub(crate) fn country_codes(received: Received<'_>) -> Result<CountryCodesParts, Failure> {
    classify(received, |http_status, fields| {
        let parts = fields.and_then(|fields| {
            let entries = countries::entries(fields.countries.value()?)?;
            Some(CountryCodesParts { entries, preferred: countries::name(&fields.preferred_country) })
        });
        parts.ok_or_else(|| Failure::unreadable(http_status))
    })
}

/// What a captcha carries.
#[derive(Debug)]
pub(crate) struct CaptchaParts {
    pub(crate) token: CaptchaToken,
    pub(crate) picture: Option<Vec<u8>>,
    pub(crate) piece: Option<Vec<u8>>,
    pub(crate) secret_key: Option<Zeroizing<String>>,
    pub(crate) words: Vec<String>,
}

/// Reads a captcha: all but its token may be missing, for there are several kinds.
pub(crate) fn captcha(received: Received<'_>) -> Result<CaptchaParts, Failure> {
    classify(received, |http_status, fields| {
        let unreadable = || Failure::unreadable(http_status);
        let fields = fields.ok_or_else(unreadable)?;
        let token = fields.token.token().ok().flatten().ok_or_else(unreadable)?;
        Ok(CaptchaParts {
            token: CaptchaToken::new(token),
            picture: image(&fields.original_image).map_err(|Unreadable| unreadable())?,
            piece: image(&fields.jigsaw_image).map_err(|Unreadable| unreadable())?,
            secret_key: fields.secret_key.token().ok().flatten().map(|key| Zeroizing::new(key.to_owned())),
            words: fields.word_list.value().map(words).unwrap_or_default(),
        })
    })
}

/// The bytes of an image in Base64, with or without padding, line breaks or the head of a `data:` URL.
fn image(field: &Field) -> Result<Option<Vec<u8>>, Unreadable> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let Some(text) = field.token()? else { return Ok(None) };
    let text = match text.split_once(";base64,") {
        Some((head, rest)) if head.starts_with("data:") => rest,
        _ => text,
    };
    let bytes = if text.bytes().any(|byte| byte.is_ascii_whitespace()) {
        LENIENT.decode(text.split_ascii_whitespace().collect::<String>())
    } else {
        LENIENT.decode(text)
    };
    bytes.map(Some).map_err(|_| Unreadable)
}

/// A list of words; another form of it is a captcha of another kind, not an error.
fn words(raw: &RawValue) -> Vec<String> {
    serde_json::from_str(raw.get()).unwrap_or_default()
}

/// A new identity token, a new session token, or both.
pub struct Renewed {
    pub(crate) session_token: Option<SessionToken>,
    pub(crate) expires_in: Option<Duration>,
    pub(crate) id_token: Option<IdToken>,
}

/// Reads the response to the renewal of an identity token: it has no `status`.
pub(crate) fn renewed(received: Received<'_>) -> Result<Renewed, Failure> {
    classify(received, |http_status, fields| {
        let unreadable = || Failure::unreadable(http_status);
        let fields = fields.ok_or_else(unreadable)?;
        let session_token = fields.session_token.header_token().map_err(|Unreadable| unreadable())?;
        let id_token = fields.id_token.token().ok().flatten();
        // A session that was replaced must not be lost over an identity token that is not there. With a status it is not
        // the response to a renewal, but to a login: perhaps somebody else's.
        if id_token.is_none() && (session_token.is_none() || !fields.status.is_blank()) {
            return Err(unreadable());
        }
        Ok(Renewed {
            session_token: session_token.map(SessionToken::new),
            expires_in: fields.expire.value().and_then(seconds),
            id_token: id_token.map(IdToken::new),
        })
    })
}

/// Sorts the response by HTTP status and error code, and keeps its `Retry-After` with the failure.
fn classify<T>(
    received: Received<'_>,
    read: impl FnOnce(StatusCode, Option<Fields<'_>>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let retry_after = hints::retry_after(received.response.headers());
    classify_by_status_and_code(received, read).map_err(|mut failure| {
        failure.error.set_retry_after(retry_after);
        failure
    })
}

/// Sorts the response by HTTP status and error code; what is left, a success, is for `read`.
///
/// `read` gets `None` for a body that is not a JSON object.
fn classify_by_status_and_code<T>(
    received: Received<'_>,
    read: impl FnOnce(StatusCode, Option<Fields<'_>>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let Received { response, in_hand } = received;
    let http_status = response.status();
    let body = Zeroizing::new(response.into_body());
    // Step 2: messages come in many languages, and a message in another encoding must not hide the rest.
    let text = Text::of_bytes(&body);
    // Step 3: what is no JSON object has no fields.
    let fields = serde_json::from_str::<Fields>(text.as_str()).ok();
    let unexpected = |reason, disposition| Err(Failure::unexpected(http_status, reason, disposition));

    // Step 4: whatever else it says.
    if fields.as_ref().is_some_and(Fields::denies_access) {
        return Err(Failure::denied());
    }
    // Step 5: a refusal, whatever its HTTP status, unless it tells of a success, too.
    if let Some(fields) = &fields
        && let Some(code) = fields.error_code.code()
    {
        if fields.indicates_progress(in_hand) {
            return unexpected(UnexpectedReason::Contradiction, Disposition::Unknown);
        }
        let message = fields.error_msg.verbatim();
        let refusal = Refusal::new(http_status, code, class(code, message), message)
            .with_hints(hints::of_message(code, message));
        let disposition = match refusal.code().class() {
            ErrorClass::DeadToken => Disposition::Over,
            // A server failure is no proof, and nothing says what an unknown code means.
            ErrorClass::Server | ErrorClass::Unknown if http_status.is_server_error() => Disposition::Unknown,
            _ => Disposition::NotCarriedOut,
        };
        return Err(Failure::new(refusal, disposition));
    }
    if http_status.is_success() {
        // Step 6: an error code that cannot be read is no success.
        if fields.as_ref().is_some_and(|fields| matches!(fields.error_code, Field::Unreadable)) {
            return unexpected(UnexpectedReason::Unreadable, Disposition::Unknown);
        }
        // Step 9: what is left is for the reading.
        return read(http_status, fields);
    }
    if http_status.is_redirection() || http_status.is_client_error() {
        // Step 7: an error by its HTTP status. What it says in the body can only make it less certain.
        return match fields {
            Some(fields) if fields.indicates_progress(in_hand) => {
                unexpected(UnexpectedReason::Contradiction, Disposition::Unknown)
            }
            // It follows a request that was processed (decision D45).
            _ if http_status == StatusCode::SEE_OTHER => {
                unexpected(UnexpectedReason::Redirect, Disposition::Unknown)
            }
            _ if http_status.is_redirection() => {
                unexpected(UnexpectedReason::Redirect, Disposition::NotCarriedOut)
            }
            _ => unexpected(UnexpectedReason::NotFromTheApi, Disposition::NotCarriedOut),
        };
    }
    // Step 8: whatever the body says.
    let reason = if http_status.is_server_error() {
        UnexpectedReason::ServerFailure
    } else {
        UnexpectedReason::Unreadable
    };
    unexpected(reason, Disposition::Unknown)
}

/// `expire`: seconds, as an integer, a decimal or a string that holds either.
fn seconds(raw: &RawValue) -> Option<Duration> {
    let text = raw.get().trim_matches('"').trim_ascii();
    match text.parse() {
        Ok(whole) => Some(Duration::from_secs(whole)),
        Err(_) => Duration::try_from_secs_f64(text.parse().ok()?).ok(),
    }
}
