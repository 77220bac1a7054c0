//! Clients that are wrong on purpose, each in one way: the strict tenant refuses them or names what is wrong.

use std::fmt::Write as _;
use std::fs;

use serde_json::{Value, json};

use crate::start::{Program, Request};

const TENANT: &str = r#"{
    "users": [
        { "user_name": "zhangshan", "password": "correct horse", "mobile": "15201657312", "email": "shan@example.com" },
        { "user_name": "lisi", "password": "battery staple", "mobile": "15201657313", "second_factors": 1 }
    ]
}"#;

/// Requests that are right. What is in braces is put in by [`Tenant::value`].
const LOGIN: Right = post("login/wechat-miniprogram", r#"{"code":"{login_code}"}"#);
const PASSWORD: Right = post("login", r#"{"user_name":"zhangshan","password":"correct horse"}"#);
const BY_CODE: Right =
    post("login/mobile-verify-code", r#"{"mobile":"15201657312","verify_code":"{login_sms}"}"#);
const BIND: Right =
    with_token("social/username-password-bind", r#"{"user_name":"zhangshan","password":"correct horse"}"#);
const BIND_NUMBER: Right = with_token("social/wechat-mobile-bind", r#"{"wechat_code":"{phone_code}"}"#);
const BIND_CODE: Right = with_token("social/bind", r#"{"mobile":"15201657312","verify_code":"{bind_sms}"}"#);
const CAPTCHA: Right = Right { method: "GET", path: "captcha", token: None, body: "" };
const SOLVE: Right =
    post("captcha/verify", r#"{"point_json":"{point}","token":"{captcha}","sender":"15201657312"}"#);
const SEND: Right =
    post("sms/send", r#"{"mobile":"15201657312","type":"BIND_MOBILE_SMS","captcha_token":"{pass}"}"#);
const SECOND_FACTOR: Right = Right {
    token: Some(("X-state-token", "{mfa_state}")),
    ..post("mfa/sms", r#"{"mobile":"15201657313","verify_code":"{mfa_sms}"}"#)
};
const REGISTER: Right = post(
    "register/mobile-verify-code",
    r#"{"mobile":"15201657399","verify_code":"{register_sms}","pwd":"a new horse"}"#,
);
const RESET: Right = post(
    "pwd/update-by-mobile",
    r#"{"mobile":"15201657312","verify_code":"{reset_sms}","password":"a new horse"}"#,
);
const RENEW: Right =
    Right { token: Some(("session-token", "{session}")), ..post("sso/session-token/id-token", "") };

const RIGHT: [Right; 13] = [
    LOGIN,
    PASSWORD,
    BY_CODE,
    BIND,
    BIND_NUMBER,
    BIND_CODE,
    CAPTCHA,
    SOLVE,
    SEND,
    SECOND_FACTOR,
    REGISTER,
    RESET,
    RENEW,
];

#[derive(Clone, Copy)]
struct Right {
    method: &'static str,
    /// Behind `/api/v2/sdk/`.
    path: &'static str,
    token: Option<(&'static str, &'static str)>,
    body: &'static str,
}

const fn post(path: &'static str, body: &'static str) -> Right {
    Right { method: "POST", path, token: None, body }
}

const fn with_token(path: &'static str, body: &'static str) -> Right {
    Right { token: Some(("X-state-token", "{state}")), ..post(path, body) }
}

/// What a client does otherwise.
#[derive(Clone, Copy)]
enum Otherwise {
    Method(&'static str),
    Path(&'static str),
    /// Has this value in a header, in place of the right one if there is one.
    Header(&'static str, &'static str),
    /// Sends a header once more.
    Again(&'static str, &'static str),
    Without(&'static str),
    Body(&'static str),
    Bytes(&'static [u8]),
    LongHeader(&'static str),
    RawHeader(&'static str, &'static [u8]),
    /// Sends the same request again: the second is the wrong one.
    Twice,
    /// Waits so many seconds before it sends the request.
    Waits(u64),
}

use Otherwise::{Again, Body, Bytes, Header, LongHeader, Method, Path, RawHeader, Twice, Waits, Without};

/// What is wrong, what the tenant says to it, and how it is done: a right request, and what is otherwise.
type WrongClient = (&'static str, &'static str, Right, Otherwise);

const FORMAT: &str = "SDK.COMMON.1002";
const DEAD: &str = "IDAAS.SDK.COMMON.1007";
const NO_PATH: &str = "address: this edition documents no such path";
const NO_TOKEN: &str = "header x-state-token: this request carries no token";

const WRONG: &[WrongClient] = &[
    // Where to.
    ("a path with a slash at its end", NO_PATH, LOGIN, Path("/api/v2/sdk/login/wechat-miniprogram/")),
    ("a path in capitals", NO_PATH, LOGIN, Path("/API/v2/sdk/login/wechat-miniprogram")),
    ("a path spelled as its neighbour is", NO_PATH, LOGIN, Path("/api/v2/sdk/login/wechat-mini-program")),
    ("a path of another version", NO_PATH, LOGIN, Path("/api/v1/sdk/login/wechat-miniprogram")),
    ("the path of another edition", NO_PATH, RENEW, Path("/api/v2/sdk/session-token/refresh-id-token")),
    ("a path with two slashes", NO_PATH, LOGIN, Path("/api/v2/sdk//login/wechat-miniprogram")),
    ("`GET` where it is `POST`", "method: it is POST", LOGIN, Method("GET")),
    ("`POST` where it is `GET`", "method: it is GET", CAPTCHA, Method("POST")),
    (
        "a query behind the path",
        "address: no page has a query",
        LOGIN,
        Path("/api/v2/sdk/login/wechat-miniprogram?lang=zh"),
    ),
    // Headers.
    ("no `X-client-id`", "IDAAS.SDK.PARAM.0002", LOGIN, Without("X-client-id")),
    ("another application's `X-client-id`", "IDAAS.SDK.PARAM.0003", LOGIN, Header("X-client-id", "another")),
    ("`X-client-id` twice", "header x-client-id: it is there twice", LOGIN, Again("X-client-id", "another")),
    (
        "`X-clientid`",
        "header x-clientid: no page has it; x-client-id is meant",
        LOGIN,
        Header("X-clientid", "an-id"),
    ),
    (
        "`state-token`",
        "header state-token: no page has it; x-state-token is meant",
        BIND,
        Header("state-token", "{state}"),
    ),
    ("no fingerprint", "IDAAS.SDK.PARAM.0001", LOGIN, Without("X-device-fingerprint")),
    ("an empty `X-agent`", "IDAAS.SDK.PARAM.0001", LOGIN, Header("X-agent", "")),
    (
        "a fingerprint of 2 KiB",
        "header x-device-fingerprint: it is too long",
        LOGIN,
        LongHeader("X-device-fingerprint"),
    ),
    (
        "bytes in `X-agent` that are no UTF-8",
        "header x-agent: it is not UTF-8",
        LOGIN,
        RawHeader("X-agent", b"\xb1\xb1"),
    ),
    ("a tab in `X-agent`", "header x-agent: it has a control character", LOGIN, Header("X-agent", "a\tb")),
    (
        "`X-device-ip` that is no address",
        "header x-device-ip: it is no IP address",
        LOGIN,
        Header("X-device-ip", "10.0.0.1, 10.0.0.2"),
    ),
    ("`X-L` that is no language", "header x-l: it is no language", LOGIN, Header("X-L", "zh;q=0.9")),
    (
        "`X-tenant-id` where tenants have domains",
        "header x-tenant-id: only tenants that share a domain have it",
        LOGIN,
        Header("X-tenant-id", "acme"),
    ),
    ("no `content-type`", FORMAT, LOGIN, Without("content-type")),
    ("a form's `content-type`", FORMAT, LOGIN, Header("content-type", "application/x-www-form-urlencoded")),
    (
        "the charset GBK",
        "header content-type: the charset is not UTF-8",
        LOGIN,
        Header("content-type", "application/json; charset=GBK"),
    ),
    (
        "a boundary in the `content-type`",
        "header content-type: it has a parameter that no page has",
        LOGIN,
        Header("content-type", "application/json; boundary=x"),
    ),
    (
        "a body that says it is compressed",
        "header content-encoding: no page says that a body may be encoded",
        LOGIN,
        Header("content-encoding", "gzip"),
    ),
    (
        "a client that takes HTML alone",
        "header accept: the responses are JSON",
        LOGIN,
        Header("accept", "text/html"),
    ),
    // Tokens.
    (
        "`Authorization` at a login",
        "header authorization: no request of the login carries it",
        PASSWORD,
        Header("Authorization", "Bearer x"),
    ),
    (
        "`Authorization` at a reset",
        "header authorization: no request of the login carries it",
        RESET,
        Header("Authorization", "Bearer x"),
    ),
    ("a state token at the first step", NO_TOKEN, LOGIN, Header("X-state-token", "{state}")),
    ("a state token when a code is sent", NO_TOKEN, SEND, Header("X-state-token", "{state}")),
    (
        "a session token at a bind",
        "header session-token: this request carries its token in x-state-token",
        BIND,
        Header("session-token", "{session}"),
    ),
    (
        "the other edition's header of the session",
        "header x-session-token: this request carries its token in session-token",
        RENEW,
        Header("X-session-token", "{session}"),
    ),
    (
        "a signature where none is needed",
        "header x-signature: this request carries its token in session-token",
        RENEW,
        Header("X-signature", "x"),
    ),
    (
        "`Bearer` before the state token",
        "header x-state-token: it has a space",
        BIND,
        Header("X-state-token", "Bearer {state}"),
    ),
    // Bodies.
    ("a form as the body", FORMAT, PASSWORD, Body("user_name=zhangshan&password=correct+horse")),
    ("a list as the body", "body: it is no JSON object", PASSWORD, Body(r#"[{"user_name":"zhangshan"}]"#)),
    ("no body", "body: it is no JSON object", PASSWORD, Body("")),
    (
        "a body in GBK",
        "body: it is not UTF-8",
        PASSWORD,
        Bytes(b"{\"user_name\":\"\xd5\xc5\",\"password\":\"x\"}"),
    ),
    (
        "a byte order mark",
        "body: it begins with a byte order mark",
        PASSWORD,
        Bytes(b"\xef\xbb\xbf{\"user_name\":\"zhangshan\",\"password\":\"correct horse\"}"),
    ),
    ("a body where there is none", "body: this request has none", CAPTCHA, Body("{}")),
    (
        "a field too many",
        "field remember_me: this request has no such field",
        PASSWORD,
        Body(r#"{"user_name":"zhangshan","password":"correct horse","remember_me":"true"}"#),
    ),
    (
        "a field twice",
        "field password: it is there twice",
        PASSWORD,
        Body(r#"{"user_name":"zhangshan","password":"x","password":"correct horse"}"#),
    ),
    (
        "names in camel case",
        "field userName: this request has no such field",
        PASSWORD,
        Body(r#"{"userName":"zhangshan","password":"correct horse"}"#),
    ),
    (
        "a field without a value",
        "SDK.COMMON.1001",
        PASSWORD,
        Body(r#"{"user_name":"zhangshan","password":""}"#),
    ),
    (
        "a field that is null",
        "field password: it is no text",
        PASSWORD,
        Body(r#"{"user_name":"zhangshan","password":null}"#),
    ),
    (
        "a code as a number",
        "field verify_code: it is no text",
        BY_CODE,
        Body(r#"{"mobile":"15201657312","verify_code":{login_sms}}"#),
    ),
    (
        "the other name of WeChat's code",
        "field wchat_code: this request has no such field",
        BIND_NUMBER,
        Body(r#"{"wchat_code":"{phone_code}"}"#),
    ),
    (
        "a space before the code, as the pages print it",
        "field code: it has white space around it",
        LOGIN,
        Body(r#"{"code":" {login_code}"}"#),
    ),
    (
        "a line break behind the verification code",
        "field verify_code: it has white space around it",
        BY_CODE,
        Body(r#"{"mobile":"15201657312","verify_code":"{login_sms}\n"}"#),
    ),
    (
        "a mobile number with spaces",
        "field mobile: it has not the form that the pages show",
        BY_CODE,
        Body(r#"{"mobile":"152 0165 7312","verify_code":"{login_sms}"}"#),
    ),
    (
        "number and address at once",
        "field email: this request has no such field",
        BIND_CODE,
        Body(r#"{"mobile":"15201657312","email":"shan@example.com","verify_code":"{bind_sms}"}"#),
    ),
    (
        "the state token in the body",
        "field state_token: this request has no such field",
        BIND,
        Body(r#"{"user_name":"zhangshan","password":"correct horse","state_token":"{state}"}"#),
    ),
    (
        "a captcha's point as an object",
        "field point_json: it is no text",
        SOLVE,
        Body(r#"{"point_json":{"x":1,"y":5},"token":"{captcha}","sender":"15201657312"}"#),
    ),
    (
        "a captcha's point without y",
        "field point_json: it has not the form that the pages show",
        SOLVE,
        Body(r#"{"point_json":"{\"x\":100}","token":"{captcha}","sender":"15201657312"}"#),
    ),
    (
        "a send type that there is not",
        "field type: it is no send type of this request",
        SEND,
        Body(r#"{"mobile":"15201657312","type":"BIND_SMS","captcha_token":"{pass}"}"#),
    ),
    (
        "a send type of e-mail by SMS",
        "field type: it is no send type of this request",
        SEND,
        Body(r#"{"mobile":"15201657312","type":"BIND_EMAIL_EMS","captcha_token":"{pass}"}"#),
    ),
    // Order, reuse, age.
    ("a bind without a login", DEAD, BIND, Without("X-state-token")),
    ("a bind with an invented token", DEAD, BIND, Header("X-state-token", "eyJhbGciOiJIUzI1NiJ9")),
    ("a bind with a token that did its work", DEAD, BIND, Header("X-state-token", "{dead_state}")),
    ("a bind after eleven minutes", DEAD, BIND, Waits(660)),
    ("a bind from another device", DEAD, BIND, Header("X-device-fingerprint", "another")),
    (
        "a step of WeChat's with the token of an Alipay login",
        DEAD,
        BIND_NUMBER,
        Header("X-state-token", "{alipay_state}"),
    ),
    ("a second factor with the token of a bind", DEAD, SECOND_FACTOR, Header("X-state-token", "{state}")),
    (
        "a second factor by another account's number",
        "IDAAS.SDK.CAPTCHA.0007",
        SECOND_FACTOR,
        Body(r#"{"mobile":"15201657312","verify_code":"{mfa_sms}"}"#),
    ),
    ("a platform's code twice", "SDK.LOGIN.1001", LOGIN, Twice),
    ("the phone-number code at the login", "SDK.LOGIN.1001", LOGIN, Body(r#"{"code":"{phone_code}"}"#)),
    ("a platform's code after six minutes", "SDK.LOGIN.1001", LOGIN, Waits(360)),
    ("a verification code twice", "IDAAS.SDK.CAPTCHA.0007", BY_CODE, Twice),
    ("a verification code after six minutes", "IDAAS.SDK.CAPTCHA.0007", BY_CODE, Waits(360)),
    (
        "a verification code of another scenario",
        "IDAAS.SDK.CAPTCHA.0007",
        BY_CODE,
        Body(r#"{"mobile":"15201657312","verify_code":"{bind_sms}"}"#),
    ),
    (
        "another number's verification code",
        "IDAAS.SDK.CAPTCHA.0007",
        BY_CODE,
        Body(r#"{"mobile":"15201657313","verify_code":"{login_sms}"}"#),
    ),
    (
        "a code asked for without a captcha",
        "IDAAS.SDK.PARAM.0005",
        SEND,
        Body(r#"{"mobile":"15201657312","type":"BIND_MOBILE_SMS"}"#),
    ),
    (
        "a code asked for with an invented pass",
        "IDAAS.SDK.CAPTCHA.0004",
        SEND,
        Body(r#"{"mobile":"15201657312","type":"BIND_MOBILE_SMS","captcha_token":"x"}"#),
    ),
    (
        "a code asked for with another number's pass",
        "IDAAS.SDK.CAPTCHA.0004",
        SEND,
        Body(r#"{"mobile":"15201657313","type":"BIND_MOBILE_SMS","captcha_token":"{pass}"}"#),
    ),
    ("a captcha solved twice", "IDAAS.SDK.CAPTCHA.0002", SOLVE, Twice),
    (
        "a captcha solved wrongly",
        "IDAAS.SDK.CAPTCHA.0002",
        SOLVE,
        Body(r#"{"point_json":"{\"x\":0.0,\"y\":5.0}","token":"{captcha}","sender":"15201657312"}"#),
    ),
    (
        "a renewal of a session that is over",
        "IDAAS.SDK.PARAM.0023",
        RENEW,
        Header("session-token", "{dead_session}"),
    ),
    (
        "a registration of a number that has an account",
        "IDAAS.SDK.USER.0030",
        REGISTER,
        Body(r#"{"mobile":"15201657312","verify_code":"{register_sms}"}"#),
    ),
    (
        "a new password that is too short",
        "EMULATOR.PWD.0001",
        RESET,
        Body(r#"{"mobile":"15201657312","verify_code":"{reset_sms}","password":"short"}"#),
    ),
];

struct Tenant<'a>(&'a Program);

impl Tenant<'_> {
    /// What a client has in hand by doing everything right so far.
    fn value(&self, name: &str) -> String {
        let of_wechat = |who: Value| {
            let mut body = json!({ "platform": "WeChatMiniProgram" });
            body.as_object_mut().unwrap().extend(who.as_object().unwrap().clone());
            self.made("/platform-codes", &body)
        };
        let sms = |mobile: &str, send_type: &str| {
            self.made("/verification-codes", &json!({ "destination": mobile, "send_type": send_type }))
        };
        match name {
            "login_code" => of_wechat(json!({ "identity": "an-openid" })),
            "phone_code" => of_wechat(json!({ "mobile": "15201657312" })),
            "login_sms" => sms("15201657312", "LOGIN_SMS"),
            "bind_sms" => sms("15201657312", "BIND_MOBILE_SMS"),
            "mfa_sms" => sms("15201657313", "MFA_AUTH_SMS"),
            "register_sms" => sms("15201657399", "REGISTER_SMS"),
            "reset_sms" => sms("15201657312", "FORGET_PWD_SMS"),
            "state" => self.field(&LOGIN, "state_token"),
            "alipay_state" => {
                let code = self.made(
                    "/platform-codes",
                    &json!({ "platform": "AlipayMiniProgram", "identity": "an-id" }),
                );
                let body = json!({ "code": code }).to_string();
                self.sent(&Request::new("POST", "/api/v2/sdk/login/alipay-miniprogram", &body), "state_token")
            }
            "mfa_state" => {
                let body = r#"{"user_name":"lisi","password":"battery staple"}"#;
                self.sent(&Request::new("POST", "/api/v2/sdk/login", body), "state_token")
            }
            "dead_state" => {
                let state = self.value("state");
                let bind = Request::new("POST", "/api/v2/sdk/social/username-password-bind", BIND.body);
                self.sent(&bind.header("X-state-token", &state), "session_token");
                state
            }
            "session" => self.field(&PASSWORD, "session_token"),
            "dead_session" => {
                let session = self.value("session");
                self.0.control("DELETE", &format!("/sessions/{session}"), &Value::Null);
                session
            }
            "captcha" => self.field(&CAPTCHA, "token"),
            "pass" => self.field(&SOLVE, "captcha_token").replace('"', "\\\""),
            other => panic!("{other} is nothing that a client has"),
        }
    }

    fn made(&self, path: &str, body: &Value) -> String {
        self.0.control("POST", path, body)["code"].as_str().unwrap().to_owned()
    }

    /// A field of the response to a right request.
    fn field(&self, right: &Right, name: &str) -> String {
        self.sent(&self.request(right, None), name)
    }

    #[track_caller]
    fn sent(&self, request: &Request, name: &str) -> String {
        let (status, body) = request.send(&self.0.tenant).unwrap();
        let answer: Value = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{status} {body}"));
        answer[name].as_str().unwrap_or_else(|| panic!("{status} {body}")).to_owned()
    }

    /// The request, with what belongs into the braces.
    fn request(&self, right: &Right, otherwise: Option<Otherwise>) -> Request {
        let mut values = Vec::new();
        let body = match otherwise {
            Some(Body(body)) => body,
            _ => right.body,
        };
        let mut request = Request::new(
            right.method,
            &format!("/api/v2/sdk/{}", right.path),
            &self.filled(body, &mut values),
        );
        let mut headers: Vec<_> = right.token.into_iter().collect();
        match otherwise {
            Some(Method(method)) => method.clone_into(&mut request.method),
            Some(Path(path)) => path.clone_into(&mut request.path),
            Some(Bytes(body)) => request.body = body.to_vec(),
            Some(Header(name, value)) => {
                headers.retain(|(known, _)| *known != name);
                request.headers.retain(|(known, _)| known != name);
                headers.push((name, value));
            }
            Some(Again(name, value)) => headers.push((name, value)),
            Some(Without(name)) => {
                headers.retain(|(known, _)| *known != name);
                request.headers.retain(|(known, _)| known != name);
            }
            Some(LongHeader(name)) => {
                request.headers.retain(|(known, _)| known != name);
                request.headers.push((name.to_owned(), vec![b'x'; 2048]));
            }
            Some(RawHeader(name, value)) => {
                request.headers.retain(|(known, _)| known != name);
                request.headers.push((name.to_owned(), value.to_vec()));
            }
            Some(Body(_) | Twice | Waits(_)) | None => {}
        }
        for (name, value) in headers {
            request = request.header(name, &self.filled(value, &mut values));
        }
        request
    }

    fn filled(&self, text: &str, values: &mut Vec<(String, String)>) -> String {
        let mut text = text.to_owned();
        // A captcha's solution follows from its token, which comes behind it.
        for name in [
            "login_code",
            "phone_code",
            "login_sms",
            "bind_sms",
            "mfa_sms",
            "register_sms",
            "reset_sms",
            "state",
            "alipay_state",
            "mfa_state",
            "dead_state",
            "session",
            "dead_session",
            "captcha",
            "pass",
        ] {
            let braces = format!("{{{name}}}");
            if text.contains(&braces) {
                let value = match values.iter().find(|(known, _)| known == name) {
                    Some((_, value)) => value.clone(),
                    None => self.value(name),
                };
                text = text.replace(&braces, &value);
                values.push((name.to_owned(), value));
            }
        }
        if text.contains("{point}") {
            let (_, token) = values.iter().find(|(name, _)| name == "captcha").unwrap();
            let solution = self.0.control("GET", &format!("/captchas/{token}"), &Value::Null);
            let point = solution["point_json"].as_str().unwrap().replace('"', "\\\"");
            text = text.replace("{point}", &point);
        }
        text
    }
}

#[test]
fn right_clients_are_served() {
    let program = Program::start(TENANT, &["--strict"]);
    for right in RIGHT {
        program.control("POST", "/reset", &Value::Null);
        let request = Tenant(&program).request(&right, None);
        let (status, body) = request.send(&program.tenant).unwrap();
        assert_eq!(status, 200, "{}: {body}", right.path);
        assert_eq!(program.last_entry()["objections"], json!([]), "{}", right.path);
    }
}

#[test]
fn wrong_clients_are_refused_and_named() {
    let program = Program::start(TENANT, &["--strict"]);
    let tenant = Tenant(&program);
    let mut silent = Vec::new();
    for (what, says, right, otherwise) in WRONG {
        program.control("POST", "/reset", &Value::Null);
        let request = tenant.request(right, Some(*otherwise));
        match otherwise {
            Waits(seconds) => drop(program.control("POST", "/clock/advance", &json!({ "seconds": seconds }))),
            Twice => assert_eq!(request.send(&program.tenant).unwrap().0, 200, "{what}"),
            _ => {}
        }
        let (status, body) = request.send(&program.tenant).expect("it is answered");
        let entry = program.last_entry();
        let is_named = entry["error_code"] == *says
            || entry["objections"].as_array().unwrap().iter().any(|objection| objection == *says);
        if !(400..500).contains(&status) || !is_named || entry["effects"] != json!([]) {
            silent.push(format!("{what}: {status} {body}, not {says}; {}", entry["objections"]));
        }
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}

/// The list in docs/emulator.md. `WRITE_DOCS=1` writes it anew.
#[test]
fn the_document_lists_the_wrong_clients() {
    let path = support::root().join("docs/emulator.md");
    let text = fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- wrong clients -->\n", "<!-- /wrong clients -->");
    let (before, rest) = text.split_once(begin).expect("the document has the place of the list");
    let (now, after) = rest.split_once(end).expect("the place has an end");
    let mut list = format!(
        "{} clients, each wrong in one way:\n\n| the client has | it is refused with, or for |\n|---|---|\n",
        WRONG.len()
    );
    for (what, says, ..) in WRONG {
        writeln!(list, "| {what} | `{says}` |").unwrap();
    }
    if now != list {
        if std::env::var_os("WRITE_DOCS").is_some() {
            fs::write(&path, format!("{before}{begin}{list}{end}{after}")).unwrap();
        } else {
            panic!("docs/emulator.md is stale: WRITE_DOCS=1 cargo test --test program writes it anew");
        }
    }
    assert!(WRONG.len() >= 45);
}
