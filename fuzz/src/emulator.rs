//! The emulator, by any requests in any order.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use idaas_login::emulator::{DataForm, Emulator, TokenKind, Unbound, User};
use idaas_login::endpoints::{self, Endpoint, Platform, StageKind};
use idaas_login::http::{HeaderName, HeaderValue, Method};
use idaas_login::{Edition, Request, Transport};
use serde_json::Value;

use super::model::{self, Answer, Why};
use super::responses::CLIENT_ID;

const MOBILE: &str = "15201657312";
const EMAIL: &str = "l@example.com";
/// The settings with a captcha. To draw one takes longer than all the rest, so there is one, and seldom.
const WITH_CAPTCHA: u8 = b'W';
/// More requests than this teach nothing new.
const REQUESTS: usize = 12;

/// Two bytes of settings, then a request on each line.
///
/// A line is a letter for a row of the endpoint table, a letter for what to leave out, and the body; or `~`, a method, a
/// space, a path, then headers and the body, each behind a tab. In a body `$C` is the last captcha's token, `$X` its
/// solution, `$P` the last pass, `$V` the last code to the mobile number.
pub fn emulator(data: &[u8]) {
    let Some((&[settings, of_accounts], script)) = data.split_first_chunk() else { return };
    let tenant = tenant(settings, of_accounts);
    let mut last = Last::default();
    for (count, line) in
        script.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).take(REQUESTS).enumerate()
    {
        let line = String::from_utf8_lossy(line);
        let Some((row, request)) = last.request(&tenant, &line) else { continue };
        let path = request.uri().path().to_owned();
        if path == endpoints::CAPTCHA.path && !(settings == WITH_CAPTCHA && last.captcha.is_empty()) {
            continue;
        }
        let state_token = request
            .headers()
            .get("x-state-token")
            .map(|token| String::from_utf8_lossy(token.as_bytes()).into_owned());
        let sent = tenant.send(request);
        let entry =
            tenant.take_ledger().pop().unwrap_or_else(|| panic!("request {count} is not in the ledger"));
        let Ok(response) = sent else {
            // A reserved number or code: there is no other fault.
            assert_eq!((entry.path, entry.http_status), (path, None));
            continue;
        };
        assert_eq!((entry.path, entry.http_status), (path, Some(response.status())));
        let http_status = response.status().as_u16();
        assert!([200, 400, 404, 405].contains(&http_status), "{http_status}: {line}");
        let body = serde_json::from_slice::<Value>(response.body()).unwrap_or_default();
        assert!(body.is_object() || http_status == 200 && response.body().is_empty(), "{line}");
        assert_eq!(body["error_code"].as_str(), entry.error_code.as_deref());
        assert_eq!(entry.error_code.is_some(), http_status == 400);
        assert!(
            http_status == 200 || entry.effects.is_empty(),
            "refused, and carried out: {:?}",
            entry.effects
        );
        if let Some(session_token) = body["session_token"].as_str() {
            assert!(tenant.session_user(session_token.trim()).is_some());
        }
        // It answers as the API does: what a step reads leads on, or is a refusal.
        let moves = |row: &&Endpoint| row.moves_the_flow() && row.step != "renew_id_token";
        if let Some(row) = row.filter(moves).filter(|_| http_status < 404) {
            let answer = Answer { http_status, body: response.body() };
            let read = if row.leads_to == [StageKind::Unauthenticated] {
                model::nothing(&answer).map(|()| None)
            } else {
                model::outcome(&answer, state_token.as_deref()).map(|(to, _)| Some(to))
            };
            assert!(matches!(read, Ok(_) | Err(Why::Refused { .. } | Why::AccessDenied)), "{line}: {read:?}");
        }
        last.remember(&body);
    }
}

fn tenant(settings: u8, of_accounts: u8) -> Emulator {
    let counter = AtomicU64::new(0);
    let tenant = Emulator::new().with_clock(|| UNIX_EPOCH + Duration::from_secs(1_700_000_000)).with_tokens(
        move |kind| match kind {
            TokenKind::Id => "id".to_owned(),
            kind => format!("{kind:?}-{}", counter.fetch_add(1, Ordering::Relaxed)),
        },
    );
    let is = |bit: u8| settings & bit != 0;
    tenant.configure(|tenant| {
        tenant.unbound = if is(1) { Unbound::Register } else { Unbound::Bind };
        tenant.new_state_token = !is(2);
        tenant.printed_spaces = is(4);
        tenant.refresh_sessions = is(8);
        tenant.single_use_pass = is(16);
        tenant.data = if is(32) { DataForm::Null } else { DataForm::Listed(vec!["VERIFY_PHONE".to_owned()]) };
        tenant.edition = if is(64) { Edition::Eiam } else { Edition::Ciam };
        let is = |bit: u8| of_accounts & bit != 0;
        tenant.second_factor_first = !is(1);
        tenant.password_asked_everywhere = is(2);
        tenant.register_at_login = is(4);
        tenant.required_attributes = if is(8) { vec!["name".to_owned()] } else { Vec::new() };
        tenant.state_token_ends_with_wrong_code = is(16);
        tenant.password_length = if is(32) { (0, 4) } else { (8, 18) };
        tenant.undocumented_extras = is(64);
    });
    let user = User::new("zhangshan").password("password").mobile(MOBILE).email(EMAIL);
    tenant.add_user(if is(128) { user.second_factors(2) } else { user });
    tenant.add_user(User::new("mfa").password("password").mobile(MOBILE).second_factor());
    let of_age = |name: &str| User::new(name).password("password").email(format!("{name}@example.com"));
    tenant.add_user(of_age("expiring").mobile("15201657313").password_expiring());
    tenant.add_user(of_age("expired").mobile("15201657314").password_expired());
    tenant.add_user(of_age("both").mobile("15201657315").password_expired().second_factor());
    tenant.add_user(User::new("denied").password("password").denied());
    for code in ["c1", "c2", "c3"] {
        tenant.accept_login_code(Platform::WeChatMiniProgram, code, "an-openid");
        tenant.accept_login_code(Platform::AlipayMiniProgram, code, "a-user-id");
        tenant.accept_phone_code(Platform::WeChatMiniProgram, code, MOBILE);
        tenant.accept_phone_code(Platform::AlipayMiniProgram, code, "+86-152");
        for platform in
            [Platform::WeChatApp, Platform::AlipayApp, Platform::Qq, Platform::Weibo, Platform::Apple]
        {
            tenant.accept_login_code(platform, code, "an-openid");
        }
        tenant.accept_phone_code(Platform::Carrier, code, MOBILE);
    }
    for send_type in endpoints::ALL.iter().filter_map(|row| row.send_type) {
        for destination in
            [MOBILE, EMAIL, "15201657314", "expired@example.com", "15301657312", "new@example.com"]
        {
            tenant.accept_code(destination, send_type, "123456");
        }
    }
    tenant
}

/// What the last answers gave.
#[derive(Default)]
struct Last {
    state_token: String,
    session_token: String,
    captcha: String,
    pass: String,
}

impl Last {
    fn remember(&mut self, body: &Value) {
        let fields = [
            ("state_token", &mut self.state_token),
            ("session_token", &mut self.session_token),
            ("token", &mut self.captcha),
            ("captcha_token", &mut self.pass),
        ];
        for (name, slot) in fields {
            if let Some(text) = body[name].as_str() {
                text.trim().clone_into(slot);
            }
        }
    }

    fn request(&self, tenant: &Emulator, line: &str) -> Option<(Option<&'static Endpoint>, Request)> {
        if let Some(raw) = line.strip_prefix('~') {
            return raw_request(raw).map(|request| (None, request));
        }
        let mut letters = line.chars();
        let (row, without) = (letters.next()?, letters.next()?);
        let row = u32::from(row).checked_sub(u32::from('A'))? as usize;
        let row = *endpoints::ALL.get(row % endpoints::ALL.len())?;
        let without = u32::from(without);
        let solution = tenant.captcha_solution(&self.captcha).unwrap_or_default();
        let pass = Value::from(self.pass.as_str()).to_string();
        let body = letters
            .as_str()
            .replace("$C", &self.captcha)
            .replace("$X", &solution.to_string())
            .replace("$P", pass.trim_matches('"'))
            .replace("$V", &tenant.last_code(MOBILE).unwrap_or_default());
        let mut request = Request::new(body.into_bytes());
        *request.method_mut() = if without & 32 == 0 { Method::DELETE } else { row.verb.into() };
        *request.uri_mut() = format!("https://emulator.invalid{}", row.path).parse().ok()?;
        let headers = [
            (1, "content-type", "application/json"),
            (2, "x-client-id", CLIENT_ID),
            (4, "x-device-fingerprint", "f"),
            (4, "x-agent", "a"),
            (4, "x-operating-sys-version", "o"),
            (8, "x-state-token", &self.state_token),
            (16, "session-token", &self.session_token),
            (16, "x-session-token", &self.session_token),
        ];
        for (bit, name, value) in headers {
            if without & bit == 0 {
                request.headers_mut().insert(name, HeaderValue::from_str(value).ok()?);
            }
        }
        Some((Some(row), request))
    }
}

fn raw_request(line: &str) -> Option<Request> {
    let mut parts = line.split('\t');
    let (method, path) = parts.next()?.split_once(' ')?;
    let mut parts: Vec<_> = parts.collect();
    let mut request = Request::new(parts.pop().unwrap_or_default().as_bytes().to_vec());
    *request.method_mut() = Method::from_bytes(method.as_bytes()).ok()?;
    *request.uri_mut() = path.parse().ok()?;
    for header in parts {
        let (name, value) = header.split_once(':')?;
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        request.headers_mut().append(name, HeaderValue::from_bytes(value.as_bytes()).ok()?);
    }
    Some(request)
}
