//! A transport that remembers what came back: its shape, never its values.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use idaas_login::{Client, Device, Error, ErrorClass, Refusal, Request, Response, Transport, TransportError};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::Stop;

/// Sends over the transport within, and keeps the shape of each response.
pub struct Recorder {
    http: Box<dyn Transport>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    exchanges: Vec<Exchange>,
    secrets: Vec<String>,
}

/// The statuses that lead on.
const ON: [&str; 7] =
    ["SUCCESS", "SUCCES", "SOCIAL_BIND", "USER_REGISTER", "MFA_AUTH", "PASSWORD_WARN", "PASSWORD_EXPIRED"];

/// A request and the shape of its response.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Method and path.
    pub request: String,
    pub http_status: u16,
    pub body: Shape,
    /// `status`, without white space, if it looks like one.
    pub status: Option<String>,
    /// The error code as it may be printed, and its class.
    pub refusal: Option<(String, ErrorClass)>,
    /// What the refusal tells of attempts and locks.
    pub attempts_left: Option<u32>,
    pub unlocks_in: Option<Duration>,
}

#[derive(Clone, Debug)]
pub enum Shape {
    Empty,
    /// Not a JSON object: so many bytes.
    Other(usize),
    /// A JSON object; `twice` are the names that are there more than once.
    Fields {
        fields: Vec<Field>,
        twice: Vec<String>,
        utf8: bool,
    },
}

#[derive(Clone, Debug)]
pub struct Field {
    pub name: String,
    pub form: Form,
}

/// What a value is, without the value.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    Null,
    Bool,
    Integer,
    Decimal,
    /// A text of so many characters, whether white space is around it, and what it is if that is no secret.
    Text {
        length: usize,
        spaced: bool,
        known: Option<String>,
    },
    List(usize),
    Object(usize),
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool => f.write_str("true or false"),
            Self::Integer => f.write_str("an integer"),
            Self::Decimal => f.write_str("a decimal"),
            Self::List(count) => write!(f, "a list of {count}"),
            Self::Object(count) => write!(f, "an object of {count}"),
            Self::Text { length, spaced, known } => {
                match known {
                    Some(known) => write!(f, "text: {known}")?,
                    None => write!(f, "text of {length}")?,
                }
                f.write_str(if *spaced { ", white space around it" } else { "" })
            }
        }
    }
}

impl Exchange {
    fn of(request: String, response: &Response) -> Self {
        let text = String::from_utf8_lossy(response.body());
        let fields = serde_json::from_str::<Fields>(&text).map(|fields| fields.0);
        let status = fields.as_ref().ok().and_then(|fields| {
            let (_, value) = fields.iter().find(|(name, _)| name == "status")?;
            Some(value.as_str()?.trim_ascii().to_owned()).filter(|status| is_status(status))
        });
        let body = match fields {
            Ok(fields) => Shape::Fields {
                fields: fields.iter().map(|(name, value)| Field::of(name, value)).collect(),
                twice: twice(&fields),
                utf8: std::str::from_utf8(response.body()).is_ok(),
            },
            Err(_) if text.trim_ascii().is_empty() => Shape::Empty,
            Err(_) => Shape::Other(response.body().len()),
        };
        let told = refusal(response);
        let refusal = told.as_ref().map(|refusal| (refusal.code().to_string(), refusal.code().class()));
        Self {
            request,
            http_status: response.status().as_u16(),
            body,
            status,
            refusal,
            attempts_left: told.as_ref().and_then(Refusal::attempts_left),
            unlocks_in: told.as_ref().and_then(Refusal::unlocks_in),
        }
    }

    pub fn fields(&self) -> &[Field] {
        match &self.body {
            Shape::Fields { fields, .. } => fields,
            Shape::Empty | Shape::Other(_) => &[],
        }
    }

    pub fn form(&self, name: &str) -> Option<&Form> {
        self.fields().iter().find(|field| field.name == name).map(|field| &field.form)
    }

    /// Whether the login went on.
    pub fn went_on(&self) -> bool {
        self.refusal.is_none() && self.says_that_it_went_on()
    }

    pub fn says_that_it_went_on(&self) -> bool {
        self.status.as_deref().is_some_and(|status| ON.contains(&status))
    }

    pub fn is_dead_token(&self) -> bool {
        self.refusal.as_ref().is_some_and(|(_, class)| *class == ErrorClass::DeadToken)
    }

    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.http_status) && self.refusal.is_none()
    }

    /// What the response was, in a few words.
    pub fn brief(&self) -> String {
        let http = format!("HTTP {}", self.http_status);
        match (&self.refusal, &self.status, &self.body) {
            (Some((code, class)), _, _) => format!("{http}, {code} ({class})"),
            (None, Some(status), _) => format!("{http}, {status}"),
            (None, None, Shape::Empty) => format!("{http}, nothing"),
            (None, None, Shape::Other(length)) => format!("{http}, {length} bytes that are no JSON object"),
            (None, None, Shape::Fields { fields, .. }) => {
                let names: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
                format!("{http}, an object with {}", names.join(", "))
            }
        }
    }
}

impl Field {
    fn of(name: &str, value: &Value) -> Self {
        let form = match value {
            Value::Null => Form::Null,
            Value::Bool(_) => Form::Bool,
            Value::Number(number) if number.is_f64() => Form::Decimal,
            Value::Number(_) => Form::Integer,
            Value::Array(list) => Form::List(list.len()),
            Value::Object(object) => Form::Object(object.len()),
            Value::String(text) => Form::Text {
                length: text.chars().count(),
                spaced: text.len() != text.trim_ascii().len(),
                known: known(name, text.trim_ascii()),
            },
        };
        Self { name: printable_name(name), form }
    }
}

/// What may be told of a text: documented words, the form of a number.
fn known(name: &str, text: &str) -> Option<String> {
    match name {
        "status" => is_status(text).then(|| text.to_owned()),
        "error_code" => is_error_code(text).then(|| text.to_owned()),
        "data" => Some(data(text)),
        "expire" => text.parse::<f64>().is_ok().then(|| "a number".to_owned()),
        "mobile" => Some(number(text)),
        _ => None,
    }
}

/// The form of `data`, with the documented names alone.
fn data(text: &str) -> String {
    let Ok(Value::Object(object)) = serde_json::from_str(text) else { return "no JSON object".to_owned() };
    let Some(Value::Array(ways)) = object.get("socialBindOrRegisterFlow") else {
        return policy(&object).unwrap_or_else(|| {
            format!(
                "a JSON object of {}, without socialBindOrRegisterFlow and without a policy",
                object.len()
            )
        });
    };
    let documented = |way: &&str| ["VERIFY_PHONE", "VERIFY_EMAIL"].contains(way);
    let way = |way: &Value| way.as_str().map(|way| way.trim_ascii().to_owned());
    let ways = ways.iter().map(|value| {
        way(value).filter(|way| documented(&way.as_str())).unwrap_or_else(|| "(undocumented)".to_owned())
    });
    format!("JSON, socialBindOrRegisterFlow [{}]", ways.collect::<Vec<_>>().join(", "))
}

/// The form of a password policy, with its lengths, if the object is one.
fn policy(object: &serde_json::Map<String, Value>) -> Option<String> {
    let documented = ["minLength", "maxLength", "regEx"];
    let members = documented.into_iter().filter_map(|name| Some((name, object.get(name)?)));
    let told = members.map(|(name, value)| match value {
        Value::Number(number) => format!("{name} {number}"),
        Value::String(text) if text.parse::<u32>().is_ok() => format!("{name} {text} as text"),
        Value::String(text) => format!("{name} of {} characters", text.chars().count()),
        _ => format!("{name} of another type"),
    });
    let told: Vec<_> = told.collect();
    let others = object.keys().filter(|name| !documented.contains(&name.as_str())).count();
    let others = if others == 0 { String::new() } else { format!(", {others} other members") };
    (!told.is_empty()).then(|| format!("JSON, {}{others}", told.join(", ")))
}

/// The form of a number: `+86-15201657312` is `+nn-(11 digits)`.
pub fn number(text: &str) -> String {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (code, rest) = match text.strip_prefix('+').and_then(|text| text.split_once('-')) {
        Some((code, rest)) if digits(code) => (format!("+{}-", "n".repeat(code.len())), rest),
        _ => (String::new(), text),
    };
    let masked = if digits(rest) { "digits" } else { "characters, some of them no digits" };
    format!("{code}({} {masked})", rest.chars().count())
}

/// A word of the API, wherever it stands.
fn is_word(text: &str) -> bool {
    ON.contains(&text) || text == "ACCESS_DENIED" || ["VERIFY_PHONE", "VERIFY_EMAIL"].contains(&text)
}

fn is_status(text: &str) -> bool {
    text.len() <= 32 && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

fn is_error_code(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let part = |part: &str| (1..=16).contains(&part.len()) && part.bytes().all(plain);
    text.contains('.') && text.len() <= 64 && text.split('.').all(part)
}

/// The names that are there more than once.
fn twice(fields: &[(String, Value)]) -> Vec<String> {
    let before = |at: usize, name: &String| fields.iter().take(at).any(|(other, _)| other == name);
    let twice = fields.iter().enumerate().filter(|(at, (name, _))| before(*at, name));
    twice.map(|(_, (name, _))| printable_name(name)).collect()
}

/// The name of a field, if it looks like one: letters, and a digit or two, as in `Base64`.
fn printable_name(name: &str) -> String {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    let is_name = plain && digits <= 2 && (1..=32).contains(&name.len());
    if is_name { name.to_owned() } else { "(a name that is not printed)".to_owned() }
}

/// The members of an object in order, those that are there twice too.
struct Fields(Vec<(String, Value)>);

impl<'de> serde::Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// What the library makes of a response, if it is a refusal: a client whose transport has this response alone.
fn refusal(response: &Response) -> Option<Refusal> {
    let answer = response.clone();
    let client =
        Client::builder("https://probe.invalid", "probe").build_with(move |_: Request| Ok(answer.clone()));
    let device = Device::new("probe", "probe", "probe").ok()?;
    match client.ok()?.captcha(&device).send() {
        Err(Error::Refused(refusal)) => Some(refusal),
        _ => None,
    }
}

impl Recorder {
    pub fn new(http: impl Transport + 'static) -> Arc<Self> {
        Arc::new(Self { http: Box::new(http), kept: Mutex::default() })
    }

    /// Sends a request, and gives the shape of the response.
    pub fn exchange(&self, request: Request) -> Result<Exchange, Stop> {
        let name = name(&request);
        self.send(request).map_err(|error| Stop(format!("{name}: {error}")))?;
        self.last().ok_or_else(|| Stop(format!("{name}: no response")))
    }

    /// The last response's shape.
    pub fn last(&self) -> Option<Exchange> {
        self.kept().exchanges.last().cloned()
    }

    pub fn exchanges(&self) -> Vec<Exchange> {
        self.kept().exchanges.clone()
    }

    /// Keeps a text out of every report.
    pub fn conceal(&self, secret: &str) {
        self.kept().conceal(secret);
    }

    /// A text for the report: without anything that was given or answered as a secret.
    pub fn scrub(&self, text: &str) -> String {
        let kept = self.kept();
        // What is longer than the text cannot be in it, and most secrets are.
        let from = kept.secrets.partition_point(|secret| secret.len() > text.len());
        let may_be_there = kept.secrets.get(from..).unwrap_or_default();
        may_be_there.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "[redacted]"))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Short texts would tear the report apart, and are no secrets.
    fn conceal(&mut self, secret: &str) {
        let secret = secret.trim_ascii();
        if secret.len() >= 4 && !self.secrets.iter().any(|known| known == secret) {
            self.secrets.push(secret.to_owned());
            // A longer one first: it may contain a shorter one.
            self.secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        }
    }

    /// Whatever text is in the response, but for the words of the API.
    fn conceal_values(&mut self, response: &Response) {
        let text = String::from_utf8_lossy(response.body());
        let Ok(Fields(fields)) = serde_json::from_str(&text) else { return };
        for (name, value) in fields {
            let words = ["status", "error_code", "data", "error", "path"];
            if let (false, Value::String(text)) = (words.contains(&name.as_str()), &value)
                && !is_word(text)
            {
                self.conceal(text);
            }
        }
    }
}

fn name(request: &Request) -> String {
    format!("{} {}", request.method(), request.uri().path())
}

impl Transport for Recorder {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        let name = name(&request);
        let response = self.http.send(request)?;
        let exchange = Exchange::of(name, &response);
        let mut kept = self.kept();
        kept.conceal_values(&response);
        kept.exchanges.push(exchange);
        Ok(response)
    }
}
