//! Runs conformance vectors through the library's public interface alone: what `cargo xtask conformance` writes, and what the
//! test of the vectors reads.
//!
//! A vector is JSON. It has what goes in and what comes out; [`complete`] computes the second from the first.

mod place;
mod settings;
#[cfg(feature = "verify")]
mod tokens;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use idaas_login::{Error, Request, Response, Sent, TransportError, UnexpectedReason};
use rsa::pkcs8::DecodePrivateKey;
use rsa::sha2::Sha256;
use rsa::{Oaep, RsaPrivateKey};
use serde_json::{Map, Value, json};

use self::place::{Now, Taken};

/// A file of vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Requests,
    RefusedInputs,
    Responses,
    IdTokens,
    Chains,
}

impl Kind {
    pub const ALL: [Self; 5] =
        [Self::Requests, Self::RefusedInputs, Self::Responses, Self::IdTokens, Self::Chains];

    /// The name of the file, without its ending.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::RefusedInputs => "refused-inputs",
            Self::Responses => "responses",
            Self::IdTokens => "id-tokens",
            Self::Chains => "chains",
        }
    }

    /// What of a vector comes out.
    const fn comes_out(self) -> &'static str {
        match self {
            Self::Requests => "request",
            Self::RefusedInputs => "refused",
            Self::Responses | Self::IdTokens => "then",
            Self::Chains => "links",
        }
    }
}

/// The vector with what comes out of it, whatever it says now. `file` has what its vectors share.
pub fn complete(kind: Kind, file: &Value, vector: &Value) -> Value {
    let mut completed = vector.clone();
    completed[kind.comes_out()] = match kind {
        Kind::Requests => request(file, vector),
        Kind::RefusedInputs => refused(file, vector),
        Kind::Responses => response(file, vector),
        Kind::Chains => chain(file, vector),
        #[cfg(feature = "verify")]
        Kind::IdTokens => tokens::verified(file, vector),
        #[cfg(not(feature = "verify"))]
        Kind::IdTokens => vector["then"].clone(),
    };
    completed
}

/// The place that the vector begins at, and what becomes of its step.
fn begin(file: &Value, vector: &Value) -> Result<Taken, Value> {
    let context = settings::Context::of(file, vector).map_err(|error| error_of(&error))?;
    let place = place::at(&context, &vector["from"])?;
    Ok(place.take(text(vector, "step"), &vector["inputs"]))
}

fn request(file: &Value, vector: &Value) -> Value {
    match begin(file, vector) {
        Ok(Taken::Sent(request, _)) => request_of(file, *request),
        Ok(Taken::Unsent(then, _)) | Err(then) => then,
    }
}

fn refused(file: &Value, vector: &Value) -> Value {
    match begin(file, vector) {
        Ok(Taken::Sent(request, _)) => json!({ "sent": request_of(file, *request) }),
        Ok(Taken::Unsent(mut then, _)) => match then.get_mut("error") {
            Some(error) => error.take(),
            None => then,
        },
        Err(error) => error,
    }
}

/// A response, read as the reading says that the vector names.
fn response(file: &Value, vector: &Value) -> Value {
    match begin(file, &file["readings"][text(vector, "reading")]) {
        Ok(Taken::Sent(_, receive)) => receive(answer(&vector["response"])).0,
        Ok(Taken::Unsent(then, _)) | Err(then) => json!({ "unsent": then }),
    }
}

/// Each step where the one before led.
fn chain(file: &Value, vector: &Value) -> Value {
    let context = settings::Context::of(file, vector).expect("a chain begins with a client");
    let mut now = Now::At(place::at(&context, &vector["from"]).expect("a chain begins somewhere"));
    let mut links = Vec::new();
    for link in vector["links"].as_array().into_iter().flatten() {
        let step = text(link, "step");
        let mut completed = json!({ "step": step });
        let mut keep = |name: &str, value: Value| completed[name] = value;
        if let Some(inputs) = link.get("inputs") {
            keep("inputs", inputs.clone());
        }
        now = match now.take(step, &link["inputs"]) {
            Taken::Sent(request, receive) => {
                keep("request", request_of(file, *request));
                keep("response", link["response"].clone());
                let (then, next) = receive(answer(&link["response"]));
                keep("then", then);
                next
            }
            Taken::Unsent(then, next) => {
                keep("then", then);
                next
            }
        };
        links.push(completed);
    }
    Value::Array(links)
}

/// What a transport gives for a response.
fn answer(answer: &Value) -> Result<Response, TransportError> {
    match answer.as_str() {
        Some("not sent") => return Err(TransportError::not_sent("connection refused")),
        Some("lost") => return Err(TransportError::maybe_sent("connection reset")),
        Some(other) => panic!("no answer is called {other}"),
        None => {}
    }
    let status = answer["http_status"].as_u64().and_then(|status| u16::try_from(status).ok());
    let mut response = http::Response::builder().status(status.expect("an HTTP status"));
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        response = response.header(name, value.as_str().unwrap());
    }
    let body = match answer["body_base64"].as_str() {
        Some(base64) => BASE64_STANDARD.decode(base64).unwrap(),
        None => answer["body"].as_str().unwrap_or_default().as_bytes().to_vec(),
    };
    Ok(response.body(body).unwrap())
}

/// A request as data. No two signatures are alike, so what one says stands in its place.
fn request_of(file: &Value, request: Request) -> Value {
    let (parts, body) = request.into_parts();
    let mut headers = Map::new();
    let mut signature = None;
    for (name, value) in &parts.headers {
        let value = std::str::from_utf8(value.as_bytes()).expect("a header of text");
        if name == "x-signature" {
            signature = Some(decrypted(file, value));
        } else {
            headers.insert(name.as_str().to_owned(), value.into());
        }
    }
    let mut request =
        json!({ "method": parts.method.as_str(), "url": parts.uri.to_string(), "headers": headers });
    if let Some(signature) = signature {
        request["signature"] = signature.into();
    }
    request["body"] = String::from_utf8(body).expect("a body of text").into();
    request
}

fn decrypted(file: &Value, signature: &str) -> String {
    let key = BASE64_STANDARD.decode(text(&file["signing"], "private_key_pkcs8")).unwrap();
    let key = RsaPrivateKey::from_pkcs8_der(&key).unwrap();
    let encrypted = BASE64_STANDARD.decode(signature).unwrap();
    String::from_utf8(key.decrypt(Oaep::new::<Sha256>(), &encrypted).unwrap()).unwrap()
}

/// An error as data. What is not there is left out.
fn error_of(error: &Error) -> Value {
    let mut told = Map::new();
    let mut tell = |name: &str, value: Value| {
        if !value.is_null() {
            told.insert(name.to_owned(), value);
        }
    };
    match error {
        Error::InvalidInput(invalid) => {
            tell("kind", "invalid input".into());
            tell("field", invalid.field().into());
            tell("reason", invalid.reason().into());
        }
        Error::Unsupported(_) => tell("kind", "unsupported".into()),
        Error::NotAllowed(method) => {
            tell("kind", "not allowed".into());
            tell("method", method.as_str().into());
        }
        Error::Transport(error) if error.sent() == Sent::No => tell("kind", "not sent".into()),
        Error::Transport(_) => tell("kind", "no response".into()),
        Error::AccessDenied => tell("kind", "access denied".into()),
        Error::Refused(refusal) => {
            tell("kind", "refused".into());
            tell("http_status", refusal.http_status().as_u16().into());
            tell("code", refusal.code().as_str().into());
            tell("class", refusal.code().class().to_string().into());
            tell("message", refusal.message().into());
            tell("attempts_left", refusal.attempts_left().into());
            tell("unlocks_in", refusal.unlocks_in().map(|time| time.as_secs()).into());
            tell("retry_after", refusal.retry_after().map(|time| time.as_secs()).into());
        }
        Error::Unexpected(answer) => {
            tell("kind", "unexpected".into());
            tell("http_status", answer.http_status().as_u16().into());
            let (reason, status) = reason_of(answer.reason());
            tell("reason", reason.into());
            tell("status", status.into());
            tell("retry_after", answer.retry_after().map(|time| time.as_secs()).into());
        }
        other => panic!("no words for the error {other:?}"),
    }
    Value::Object(told)
}

/// The name of a reason, and the status that is unknown.
pub fn reason_of(reason: &UnexpectedReason) -> (&'static str, Option<&str>) {
    match reason {
        UnexpectedReason::Redirect => ("Redirect", None),
        UnexpectedReason::NotFromTheApi => ("NotFromTheApi", None),
        UnexpectedReason::ServerFailure => ("ServerFailure", None),
        UnexpectedReason::Unreadable => ("Unreadable", None),
        UnexpectedReason::NoStatus => ("NoStatus", None),
        UnexpectedReason::UnknownStatus(status) => ("UnknownStatus", Some(status)),
        UnexpectedReason::NoSessionToken => ("NoSessionToken", None),
        UnexpectedReason::NoStateToken => ("NoStateToken", None),
        UnexpectedReason::Contradiction => ("Contradiction", None),
        other => panic!("no words for the reason {other:?}"),
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} is missing in {value}"))
}
