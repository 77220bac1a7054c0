//! What a real tenant might refuse, and a lenient one does not look at: [`Settings::strict`](super::super::Settings::strict).

use std::fmt;
use std::net::IpAddr;
use std::ptr;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::state::Tenant;
use crate::client::{Edition, WechatCodeField};
use crate::endpoints::{Credential, EditionKind, Endpoint, Field, FieldKind, Verb};
use crate::transport::Request;
use crate::wire::endpoints::WECHAT_CODE;
use crate::wire::headers::{
    X_AGENT, X_CLIENT_ID, X_DEVICE_FINGERPRINT, X_DEVICE_IP, X_L, X_OPERATING_SYS_VERSION, X_SIGNATURE,
    X_STATE_TOKEN, X_TENANT_ID,
};

/// The session's header in CIAM, and in the other editions.
const SESSION_TOKENS: [HeaderName; 2] = [
    HeaderName::from_static(EditionKind::Ciam.session_header()),
    HeaderName::from_static(EditionKind::Eiam.session_header()),
];

/// The headers that a page has, but for those of tokens.
const PLAIN: [HeaderName; 7] =
    [X_CLIENT_ID, X_TENANT_ID, X_OPERATING_SYS_VERSION, X_DEVICE_FINGERPRINT, X_DEVICE_IP, X_AGENT, X_L];

/// The longest value of a header without a token, of one with a token, and of a field, in bytes.
const LONGEST_PLAIN: usize = 1 << 10;
const LONGEST_TOKEN: usize = 16 << 10;
const LONGEST_FIELD: usize = 16 << 10;

/// What was found, each with its place.
type Objections = Vec<String>;

impl Tenant {
    /// What is wrong with a request to a path that `rows` share.
    pub(super) fn objections(&self, rows: &[&'static Endpoint], request: &Request) -> Objections {
        let mut found = Vec::new();
        let credential = rows.first().map_or(Credential::None, |row| {
            row.in_edition(self.settings.edition.kind()).map_or(row.credential, |shape| shape.credential)
        });
        check_query(request, &mut found);
        self.check_tokens(credential, request.headers(), &mut found);
        self.check_values(request.headers(), &mut found);
        self.check_body(rows, request.body(), &mut found);
        found
    }

    /// What is wrong with a request for the key set, which has no headers of the API but the tenant's.
    pub(super) fn objections_to_keys(&self, request: &Request) -> Objections {
        let mut found = Vec::new();
        check_query(request, &mut found);
        self.check_tokens(Credential::None, request.headers(), &mut found);
        if !request.body().is_empty() {
            found.push("body: this request has none".to_owned());
        }
        found
    }

    /// The tokens that a request carries, and those that it must not carry.
    fn check_tokens(&self, credential: Credential, headers: &HeaderMap, found: &mut Objections) {
        let [plain, prefixed] = SESSION_TOKENS;
        let wanted = match credential {
            Credential::None => None,
            Credential::StateToken => Some(X_STATE_TOKEN),
            Credential::Signature => Some(X_SIGNATURE),
            Credential::SessionToken if self.settings.edition.kind() == EditionKind::Ciam => {
                Some(plain.clone())
            }
            Credential::SessionToken => Some(prefixed.clone()),
        };
        for name in [X_STATE_TOKEN, plain, prefixed, X_SIGNATURE] {
            if headers.contains_key(&name) && wanted.as_ref() != Some(&name) {
                found.push(match &wanted {
                    None => format!("header {name}: this request carries no token"),
                    Some(wanted) => format!("header {name}: this request carries its token in {wanted}"),
                });
            }
        }
        if headers.contains_key(AUTHORIZATION) {
            found.push("header authorization: no request of the login carries it".to_owned());
        }
    }

    fn check_values(&self, headers: &HeaderMap, found: &mut Objections) {
        let is_isv = matches!(self.settings.edition, Edition::OneAccessIsv { .. });
        if !is_isv && headers.contains_key(X_TENANT_ID) {
            found.push("header x-tenant-id: only tenants that share a domain have it".to_owned());
        }
        let [plain, prefixed] = SESSION_TOKENS;
        for name in PLAIN {
            check_value(headers, &name, LONGEST_PLAIN, true, found);
        }
        for name in [X_STATE_TOKEN, plain, prefixed, X_SIGNATURE] {
            check_value(headers, &name, LONGEST_TOKEN, false, found);
        }
        let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        if headers.contains_key(X_DEVICE_IP) && !text(&X_DEVICE_IP).is_some_and(is_address) {
            found.push("header x-device-ip: it is no IP address".to_owned());
        }
        if headers.contains_key(X_L) && !text(&X_L).is_some_and(is_language) {
            found.push("header x-l: it is no language".to_owned());
        }
        for name in headers.keys() {
            if let Some(meant) = meant(name) {
                found.push(format!("header {name}: no page has it; {meant} is meant"));
            }
        }
        let content_types: Vec<_> = headers.get_all(CONTENT_TYPE).iter().collect();
        match content_types[..] {
            [] => {}
            [value] => check_content_type(value, found),
            _ => found.push("header content-type: it is there twice".to_owned()),
        }
        if headers.get(CONTENT_ENCODING).is_some_and(|value| value != "identity") {
            found.push("header content-encoding: no page says that a body may be encoded".to_owned());
        }
        if headers.get(ACCEPT).is_some_and(|value| !takes_json(value)) {
            found.push("header accept: the responses are JSON".to_owned());
        }
    }

    fn check_body(&self, rows: &[&'static Endpoint], body: &[u8], found: &mut Objections) {
        let is_get = rows.first().is_some_and(|row| row.verb == Verb::Get);
        if is_get || rows.iter().all(|row| row.all_fields().next().is_none()) {
            if !body.is_empty() {
                found.push("body: this request has none".to_owned());
            }
            return;
        }
        let Ok(text) = std::str::from_utf8(body) else {
            return found.push("body: it is not UTF-8".to_owned());
        };
        if text.starts_with('\u{feff}') {
            return found.push("body: it begins with a byte order mark".to_owned());
        }
        let Ok(members) = serde_json::from_str::<Members>(text) else {
            return found.push("body: it is no JSON object".to_owned());
        };
        // Several rows may share a path: the one that is meant is the one that fits best.
        let wrong = rows.iter().map(|row| self.wrong_fields(row, &members.0));
        found.extend(wrong.min_by_key(Vec::len).unwrap_or_default());
    }

    fn wrong_fields(&self, row: &'static Endpoint, members: &[(String, Value)]) -> Objections {
        let mut found = Vec::new();
        for (index, (name, value)) in members.iter().enumerate() {
            if members.iter().take(index).any(|(before, _)| before == name) {
                found.push(format!("field {name}: it is there twice"));
                continue;
            }
            let field = row.all_fields().find(|field| self.spelling(row, field) == name);
            match field {
                Some(field) => {
                    let unfit = match (field.kind, value) {
                        (FieldKind::SendType, Value::String(given)) => self
                            .send_type_name(row)
                            .is_none_or(|name| name != given)
                            .then_some("it is no send type of this request"),
                        _ => unfit(field, value),
                    };
                    found.extend(unfit.map(|why| format!("field {name}: {why}")));
                }
                None if self.settings.required_attributes.contains(name) => {}
                None => found.push(format!("field {name}: this request has no such field")),
            }
        }
        found
    }

    /// How this tenant spells a field.
    fn spelling<'a>(&'a self, row: &'static Endpoint, field: &'static Field) -> &'a str {
        let mut own = self.settings.field_names.iter();
        match own.find(|(of, name, _)| ptr::eq(*of, row) && name == field.name) {
            Some((_, _, spelling)) => spelling,
            None if *field == WECHAT_CODE
                && self.settings.wechat_code_field == WechatCodeField::WchatCode =>
            {
                "wchat_code"
            }
            None => field.name,
        }
    }
}

/// The members of a JSON object, also those that are there twice.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;

        impl<'de> Visitor<'de> for Each {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Each)
    }
}

/// Why a value cannot be that of a field.
fn unfit(field: &Field, value: &Value) -> Option<&'static str> {
    let text = match (field.kind, value) {
        (FieldKind::Object, Value::Object(_)) => return None,
        (FieldKind::Object, _) => return Some("it is no object"),
        (_, Value::String(text)) => text.as_str(),
        _ => return Some("it is no text"),
    };
    if text.len() > LONGEST_FIELD {
        return Some("it is too long");
    }
    let is_exact = matches!(field.kind, FieldKind::PlatformOpaque | FieldKind::Opaque);
    if !is_exact && text.trim() != text {
        return Some("it has white space around it");
    }
    if !is_exact && text.chars().any(char::is_control) {
        return Some("it has a control character");
    }
    let is_unfit = match field.name {
        _ if text.trim().is_empty() => return None, // It is refused as blank.
        "mobile" => !is_mobile(text),
        "email" => !is_email(text),
        "sender" => !is_mobile(text) && !is_email(text),
        "point_json" => !is_point(text),
        _ => field.kind == FieldKind::Date && !is_date(text),
    };
    is_unfit.then_some("it has not the form that the pages show")
}

/// A number, or one behind the code of its country: `+86-15201657312`.
fn is_mobile(text: &str) -> bool {
    let digits =
        |text: &str, most| (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.strip_prefix('+') {
        Some(rest) => {
            rest.split_once('-').is_some_and(|(code, number)| digits(code, 4) && digits(number, 15))
        }
        None => digits(text, 15),
    }
}

fn is_email(text: &str) -> bool {
    let parts = text.split_once('@');
    parts.is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty() && !domain.contains('@'))
        && !text.contains(char::is_whitespace)
}

fn is_date(text: &str) -> bool {
    let shape = text.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
    shape.eq(*b"0000-00-00")
}

fn is_point(text: &str) -> bool {
    let point = serde_json::from_str::<Members>(text).map(|members| members.0).unwrap_or_default();
    point.len() == 2
        && ["x", "y"].iter().all(|axis| point.iter().any(|(name, at)| name == axis && at.is_number()))
}

fn is_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

/// `zh`, `en-US`, `zh_CN`.
fn is_language(text: &str) -> bool {
    text.split(['-', '_'])
        .all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
}

fn check_query(request: &Request, found: &mut Objections) {
    if request.uri().query().is_some() {
        found.push("address: no page has a query".to_owned());
    }
}

fn check_value(headers: &HeaderMap, name: &HeaderName, longest: usize, spaces: bool, found: &mut Objections) {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return };
    if values.next().is_some() {
        found.push(format!("header {name}: it is there twice"));
    }
    let bytes = value.as_bytes();
    let why = if bytes.len() > longest {
        "it is too long"
    } else if std::str::from_utf8(bytes).is_err() {
        "it is not UTF-8"
    } else if bytes.iter().any(u8::is_ascii_control) {
        "it has a control character"
    } else if !spaces && bytes.contains(&b' ') {
        "it has a space"
    } else {
        return;
    };
    found.push(format!("header {name}: {why}"));
}

/// `application/json`, with or without the charset UTF-8.
fn check_content_type(value: &HeaderValue, found: &mut Objections) {
    let text = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    if parts.next() != Some("application/json") {
        found.push("header content-type: it is not application/json".to_owned());
    }
    for parameter in parts {
        match parameter.split_once('=').map(|(name, value)| (name, value.trim_matches('"'))) {
            Some(("charset", "utf-8" | "utf8")) => {}
            Some(("charset", _)) => found.push("header content-type: the charset is not UTF-8".to_owned()),
            _ => found.push("header content-type: it has a parameter that no page has".to_owned()),
        }
    }
}

fn takes_json(accept: &HeaderValue) -> bool {
    let text = String::from_utf8_lossy(accept.as_bytes()).to_ascii_lowercase();
    let mut types = text.split(',').filter_map(|part| part.split(';').next());
    types.any(|one| matches!(one.trim(), "*/*" | "application/*" | "application/json"))
}

/// The header that a name is another spelling of.
fn meant(name: &HeaderName) -> Option<HeaderName> {
    let letters = |name: &HeaderName| name.as_str().replace(['-', '_'], "");
    let given = letters(name);
    let [plain, prefixed] = SESSION_TOKENS;
    let mut known = PLAIN.into_iter().chain([X_STATE_TOKEN, X_SIGNATURE, CONTENT_TYPE]);
    if *name == plain || *name == prefixed || known.clone().any(|known| known == *name) {
        return None;
    }
    if given.trim_start_matches('x') == "sessiontoken" {
        return Some(prefixed);
    }
    known.find(|known| {
        let known = letters(known);
        // The prefix may be forgotten, unless a common header is left.
        known == given || known.strip_prefix('x').is_some_and(|bare| bare.len() > 5 && bare == given)
    })
}
