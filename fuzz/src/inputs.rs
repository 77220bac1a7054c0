//! What a caller gives: it is sent as it is or refused, and never becomes anything else on the wire.

use std::net::IpAddr;

use idaas_login::endpoints;
use idaas_login::http::{HeaderMap, HeaderValue, Uri};
use idaas_login::{
    Client, Device, Edition, Error, Next, Outcome, RegistrationAttributes, Request, Stage, Step,
    TransportError, Unauthenticated, WeChatMiniProgram,
};
use serde_json::Value;

use super::model::Members;
use super::responses::answered;

/// One byte for what to leave out, then texts with a zero between.
pub fn inputs(data: &[u8]) {
    let Some((how, rest)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(rest);
    let mut texts = text.split('\0');
    let mut next = || texts.next().unwrap_or("x");
    let given = Given {
        base_address: next(),
        client_id: next(),
        tenant_id: next(),
        device: [next(), next(), next()],
        language: next(),
        code: next(),
        user_name: next(),
        password: next(),
        destination: next(),
        attribute: next(),
        birthday: next(),
        extension: next(),
        loopback: how & 1 != 0,
    };
    let (Some(client), Some(device)) = (given.client(), given.device()) else { return };
    let login = || client.login(device.clone());
    let code = given.code.trim_ascii();
    let code_is_good = !code.is_empty() && !code.chars().any(char::is_control);
    given.check(login().wechat_mini_program(given.code), code_is_good, None, &[("code", code)]);

    let state_token = "t-\u{e9}";
    let body = format!(r#"{{"status":"SOCIAL_BIND","state_token":"{state_token}"}}"#);
    let bind = || match answered::<_, Outcome<WeChatMiniProgram>>(login().wechat_mini_program("c"), &body) {
        Outcome::PendingBind(stage) => stage,
        other => panic!("{other:?}"),
    };
    let is_text = |text: &str| !text.is_empty() && !text.chars().any(char::is_control);
    given.check(
        bind().username_password(given.user_name, given.password),
        is_text(given.user_name) && !given.password.is_empty(),
        Some(state_token),
        &[("user_name", given.user_name), ("password", given.password)],
    );
    let narrowed = bind().phone(given.destination).expect("every way is allowed");
    given.check(
        narrowed.submit(given.code),
        is_text(given.destination) && code_is_good,
        Some(state_token),
        &[("mobile", given.destination), ("verify_code", code)],
    );

    given.check(
        login().username_password(given.user_name, given.password),
        is_text(given.user_name) && !given.password.is_empty(),
        None,
        &[("user_name", given.user_name), ("password", given.password)],
    );
    given.check(
        login().qq(given.code, given.user_name),
        is_text(given.user_name) && !given.code.is_empty(),
        None,
        &[("access_token", given.code), ("open_id", given.user_name)],
    );
    given.check(
        login().reset_password().phone(given.destination).submit(given.code, given.password),
        is_text(given.destination) && code_is_good && !given.password.is_empty(),
        None,
        &[("mobile", given.destination), ("verify_code", code), ("password", given.password)],
    );
    let change = r#"{"status":"PASSWORD_WARN","state_token":"t"}"#;
    let expiring = match answered::<_, Outcome<WeChatMiniProgram>>(login().wechat_mini_program("c"), change) {
        Outcome::PasswordExpiring(stage) => stage,
        other => panic!("{other:?}"),
    };
    given.check(
        expiring.change_password(given.password, given.attribute),
        !given.password.is_empty() && !given.attribute.is_empty(),
        Some("t"),
        &[("old_password", given.password), ("new_password", given.attribute)],
    );
    registration(&given, login(), code, is_text(given.destination) && code_is_good);
}

/// A registration with three attributes: a text, a date and an object.
fn registration(given: &Given<'_>, login: Unauthenticated, code: &str, is_good: bool) {
    let is_text = |text: &str| !text.is_empty() && !text.chars().any(char::is_control);
    // What is no JSON is a text, and so no object.
    let extension = serde_json::from_str(given.extension).unwrap_or(Value::from(given.extension));
    let is_object = extension.is_object();
    let attributes = RegistrationAttributes::new().nick_name(given.attribute).birthday(given.birthday);
    let attributes = attributes.extension(extension.clone());
    assert_eq!(attributes.get("attr_birthday"), Some(given.birthday));
    let printed = format!("{attributes:?}");
    assert_eq!(printed, r#"["attr_nick_name", "attr_birthday", "extension"]"#);
    let is_good = is_good && is_text(given.attribute) && is_date(given.birthday) && is_object;
    let step = login.register(attributes).phone(given.destination).submit(code);
    // As it is written: numbers may be beyond what a number here can hold.
    let extension = extension.to_string();
    let fields = [
        ("mobile", given.destination),
        ("verify_code", code),
        ("attr_birthday", given.birthday),
        ("attr_nick_name", given.attribute),
        ("extension", &extension),
    ];
    given.check(step, is_good, None, &fields);
}

/// A day of the calendar.
fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digits = |from: usize, to: usize| {
        bytes[from..to].iter().all(u8::is_ascii_digit).then(|| text[from..to].parse::<u32>().ok()).flatten()
    };
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return false;
    }
    let (Some(year), Some(month), Some(day)) = (digits(0, 4), digits(5, 7), digits(8, 10)) else {
        return false;
    };
    let longest = match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(400) || year.is_multiple_of(4) && !year.is_multiple_of(100) => 29,
        2 => 28,
        1..=12 => 31,
        _ => return false,
    };
    day >= 1 && day <= longest
}

struct Given<'a> {
    base_address: &'a str,
    client_id: &'a str,
    tenant_id: &'a str,
    device: [&'a str; 3],
    language: &'a str,
    code: &'a str,
    user_name: &'a str,
    password: &'a str,
    destination: &'a str,
    attribute: &'a str,
    birthday: &'a str,
    extension: &'a str,
    loopback: bool,
}

/// Whether a header carries it: at most 1 KiB, and no control characters but the tab.
fn is_header(text: &str) -> bool {
    (1..=1024).contains(&text.len()) && text.bytes().all(|byte| byte == b'\t' || byte >= b' ' && byte != 0x7f)
}

impl Given<'_> {
    fn client(&self) -> Option<Client> {
        let builder = Client::builder(self.base_address, self.client_id)
            .edition(Edition::OneAccessIsv { tenant_id: self.tenant_id.to_owned() })
            .path(&endpoints::LOGIN_QQ, endpoints::LOGIN_QQ.path);
        let builder = if self.loopback { builder.allow_loopback_http() } else { builder };
        let nothing = |_: Request| Err(TransportError::not_sent("nothing is sent here"));
        match builder.build_with(nothing) {
            Ok(client) => {
                assert!(is_header(self.client_id) && is_header(self.tenant_id));
                Some(client)
            }
            Err(error) => {
                Self::assert_silent(&error);
                None
            }
        }
    }

    fn device(&self) -> Option<Device> {
        let [system, fingerprint, agent] = self.device;
        let device = Device::new(system, fingerprint, agent);
        assert_eq!(device.is_ok(), self.device.into_iter().all(is_header));
        let device = device.and_then(|device| device.with_language(self.language));
        match device {
            Ok(device) => {
                assert!(is_header(self.language));
                Some(device)
            }
            Err(error) => {
                Self::assert_silent(&error);
                None
            }
        }
    }

    /// An error names the field, and nothing of the value.
    fn assert_silent(error: &Error) {
        let Error::InvalidInput(input) = error else { panic!("{error}") };
        assert!(!input.field().is_empty() && !input.reason().is_empty());
        assert_eq!(
            error.to_string(),
            format!("invalid input: {} {}; nothing was sent", input.field(), input.reason())
        );
    }

    /// The request of a step that must be made, or refused: address, headers and body are what was given, and nothing else.
    fn check<S: Stage, N: Next<S>>(
        &self,
        step: Step<S, N>,
        is_good: bool,
        state_token: Option<&str>,
        fields: &[(&str, &str)],
    ) {
        let request = match step.into_request() {
            Ok((request, _in_flight)) => request,
            Err(failed) => {
                assert!(!is_good, "{failed}");
                Self::assert_silent(failed.error());
                return;
            }
        };
        assert!(is_good);
        self.assert_address(request.uri());
        let [system, fingerprint, agent] = self.device;
        let expected = [
            ("content-type", Some("application/json;charset=utf8")),
            ("x-client-id", Some(self.client_id)),
            ("x-tenant-id", Some(self.tenant_id)),
            ("x-operating-sys-version", Some(system)),
            ("x-device-fingerprint", Some(fingerprint)),
            ("x-agent", Some(agent)),
            ("x-l", Some(self.language)),
            ("x-state-token", state_token),
        ];
        assert_headers(request.headers(), &expected);
        let body = Members::read(request.body()).expect("the body is JSON");
        assert_eq!(body.0.len(), fields.len());
        for ((name, raw), (expected, value)) in body.0.iter().zip(fields) {
            assert_eq!(name, expected);
            if *name == "extension" {
                assert_eq!(raw.get(), *value);
            } else {
                assert_eq!(serde_json::from_str::<String>(raw.get()).ok().as_deref(), Some(*value));
            }
        }
    }

    /// Scheme, host and port are those of the base address; nothing of it becomes a path or a user name.
    fn assert_address(&self, uri: &Uri) {
        let scheme = uri.scheme_str().expect("a scheme");
        let (host, port) = (uri.host().expect("a host"), uri.port_u16());
        assert!(uri.path().starts_with("/api/v2/sdk/") && uri.query().is_none());
        assert!(!uri.authority().expect("a host").as_str().contains('@'));
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        assert_eq!(uri.to_string(), format!("{scheme}://{host}{port}{}", uri.path()));
        let given = self.base_address.to_ascii_lowercase();
        assert!(given.starts_with(&format!("{scheme}://{host}")), "{given}: {uri}");
        let rest = &given[scheme.len() + 3 + host.len()..];
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        assert!(rest.bytes().skip(1).all(|byte| byte.is_ascii_digit()), "{given}: {uri}");
        let number = rest.strip_prefix(':').map(|number| number.parse::<u16>().expect("a port"));
        let default = if scheme == "https" { 443 } else { 80 };
        assert!(rest.is_empty() || number.is_some(), "{given}: {uri}");
        assert_eq!(uri.port_u16(), number.filter(|number| *number != default), "{given}: {uri}");
        if scheme != "https" {
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            let is_here = bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
            assert!(self.loopback && scheme == "http" && is_here, "{uri}");
        }
    }
}

fn assert_headers(headers: &HeaderMap, expected: &[(&str, Option<&str>)]) {
    for (name, value) in expected {
        assert_eq!(headers.get_all(*name).iter().count(), usize::from(value.is_some()), "{name}");
        assert_eq!(headers.get(*name).map(HeaderValue::as_bytes), value.map(str::as_bytes), "{name}");
    }
    assert_eq!(headers.len(), expected.iter().filter(|(_, value)| value.is_some()).count());
    for value in headers.values() {
        assert!(!value.as_bytes().iter().any(|byte| b"\r\n\0".contains(byte)), "{value:?}");
    }
}
