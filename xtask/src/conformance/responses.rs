//! Responses: every shape of the recovery table on every reading, and odd values field by field.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use idaas_login::codes;
use idaas_login::endpoints::{self, EditionKind, Endpoint};
use serde_json::{Value, json};
use support::conformance::Kind;
use support::recovery_table::{Event, ROWS};
use support::{COUNTRY_CODES, PUBLIC_KEY, STATE_TOKEN};

use super::Vectors;
use super::requests::{PNG, step};

/// How a response can be read: the name, and a step that is answered so.
fn readings() -> [(&'static str, &'static Endpoint, EditionKind); 13] {
    let (ciam, one_access) = (EditionKind::Ciam, EditionKind::OneAccess);
    [
        ("first_step", &endpoints::LOGIN_WECHAT_MINI_PROGRAM, ciam),
        ("step", &endpoints::BIND_USERNAME_PASSWORD, ciam),
        ("renewal", &endpoints::RENEW_ID_TOKEN, ciam),
        ("signed_renewal", &endpoints::RENEW_ID_TOKEN, one_access),
        ("send_code", &endpoints::SEND_BIND_SMS, ciam),
        ("reset", &endpoints::RESET_PHONE, ciam),
        ("logout", &endpoints::LOGOUT, one_access),
        ("registered_mobile", &endpoints::REGISTERED_MOBILE, ciam),
        ("captcha", &endpoints::CAPTCHA, ciam),
        ("captcha_pass", &endpoints::CAPTCHA_VERIFY, ciam),
        ("country_codes", &endpoints::COUNTRY_CODES, one_access),
        ("public_key", &endpoints::PUBLIC_KEY, one_access),
        ("server_date", &endpoints::SERVER_DATE, one_access),
    ]
}

const ALL: [&str; 13] = [
    "first_step",
    "step",
    "renewal",
    "signed_renewal",
    "send_code",
    "reset",
    "logout",
    "registered_mobile",
    "captcha",
    "captcha_pass",
    "country_codes",
    "public_key",
    "server_date",
];

pub(super) fn vectors() -> Vectors {
    let mut vectors = Vectors::new(
        Kind::Responses,
        "What a response means: the reading names the step that was sent, as in the requests; the answer gives what is held then.",
    );
    for (name, row, edition) in readings() {
        let mut reading = step(row, edition);
        if name.ends_with("renewal") {
            reading["from"]["holds"]["expires_at"] = "1600000100".into();
            reading["from"]["holds"]["id_token"] = "the-id-token-before".into();
        }
        vectors.file["readings"][name] = reading;
    }
    recovery_table(&mut vectors);
    http_statuses(&mut vectors);
    bodies(&mut vectors);
    statuses(&mut vectors);
    fields(&mut vectors);
    error_codes(&mut vectors);
    contradictions(&mut vectors);
    times(&mut vectors);
    data(&mut vectors);
    renewals(&mut vectors);
    empty_answers(&mut vectors);
    side_calls(&mut vectors);
    vectors
}

impl Vectors {
    fn read(&mut self, reading: &str, id: &str, answer: Value) -> &Value {
        let mut vector = json!({ "reading": reading });
        vector["response"] = answer;
        self.add(&format!("{reading}/{id}"), vector)
    }

    fn read_body(&mut self, reading: &str, id: &str, http_status: u16, body: impl AsRef<[u8]>) -> &Value {
        self.read(reading, id, http(http_status, body))
    }
}

/// A response; a body that is no text is in Base64.
fn http(http_status: u16, body: impl AsRef<[u8]>) -> Value {
    match std::str::from_utf8(body.as_ref()) {
        Ok(text) => json!({ "http_status": http_status, "body": text }),
        Err(_) => json!({ "http_status": http_status, "body_base64": BASE64_STANDARD.encode(body) }),
    }
}

fn slug(name: &str) -> String {
    let letters = name
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' });
    let text: String = letters.collect();
    text.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

fn recovery_table(vectors: &mut Vectors) {
    for reading in ALL {
        let is_step =
            matches!(reading, "first_step" | "step" | "renewal" | "signed_renewal" | "reset" | "logout");
        for row in ROWS {
            let answer = match row.event {
                Event::Answer(http_status, body) => http(http_status, body),
                Event::NotSent => "not sent".into(),
                Event::Lost => "lost".into(),
            };
            let vector = vectors.read(reading, &format!("recovery/{}", slug(row.name)), answer);
            let then = &vector["then"];
            // The table is told apart from the library.
            if is_step {
                assert_eq!(then["recovery"], row.holds.name(), "{reading}: {}", row.name);
            } else {
                assert!(then["error"].is_object(), "{reading}: {}", row.name);
            }
        }
    }
}

fn http_statuses(vectors: &mut Vectors) {
    let statuses =
        [100, 199, 201, 204, 206, 299, 304, 399, 402, 409, 418, 422, 451, 499, 501, 505, 599, 700, 999];
    for http_status in statuses {
        vectors.read_body("step", &format!("http/{http_status}/empty-body"), http_status, "");
        vectors.read_body("step", &format!("http/{http_status}/success"), http_status, support::SUCCESS);
        let refused = r#"{"error_code":"SDK.COMMON.1013","error_msg":"no such user"}"#;
        vectors.read_body("step", &format!("http/{http_status}/refused"), http_status, refused);
        let unknown = r#"{"error_code":"APIG.0201","error_msg":"Backend timeout"}"#;
        vectors.read_body("step", &format!("http/{http_status}/undocumented-code"), http_status, unknown);
        vectors.read_body(
            "step",
            &format!("http/{http_status}/denied"),
            http_status,
            r#"{"status":"ACCESS_DENIED"}"#,
        );
        vectors.read_body("send_code", &format!("http/{http_status}/empty-body"), http_status, "");
    }
    for (id, value) in [
        ("seconds", "30"),
        ("zero", "0"),
        ("spaces", " 30 "),
        ("date", "Wed, 21 Oct 2015 07:28:00 GMT"),
        ("negative", "-1"),
        ("decimal", "1.5"),
        ("plus", "+5"),
        ("empty", ""),
        ("too-large", "18446744073709551616"),
    ] {
        for (reading, http_status, body) in [
            ("step", 503, ""),
            ("step", 429, r#"{"error_code":"SDK.LOGIN.1003","error_msg":"unlocks in 9 minutes 59 seconds"}"#),
            ("captcha", 429, ""),
        ] {
            let mut answer = http(http_status, body);
            answer["headers"] = json!({ "retry-after": value });
            vectors.read(reading, &format!("retry-after/{id}/{http_status}"), answer);
        }
    }
    // Of every reason but this one it is told.
    let mut answer = http(200, r#"{"status":"SOCIAL_BIND"}"#);
    answer["headers"] = json!({ "retry-after": "30" });
    vectors.read("first_step", "retry-after/no-state-token", answer);
}

/// What is a JSON object, and what is not.
fn bodies(vectors: &mut Vectors) {
    let good = support::SUCCESS;
    let deep = format!(r#"{{"x":{}{},{}"#, "[".repeat(100), "]".repeat(100), &good[1..]);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("list", format!("[{good}]").into()),
        ("text", r#""SUCCESS""#.into()),
        ("number", "17".into()),
        ("null", "null".into()),
        ("empty-object", "{}".into()),
        ("white-space-around", format!(" \t\r\n{good}\n\r\t ").into()),
        ("form-feed-before", format!("\u{c}{good}").into()),
        ("byte-order-mark", format!("\u{feff}{good}").into()),
        ("nbsp-before", format!("\u{a0}{good}").into()),
        ("two-objects", format!("{good}{good}").into()),
        ("comma-at-the-end", good.replace('}', ",}").into()),
        ("single-quotes", good.replace('"', "'").into()),
        ("nan", good.replacen('{', r#"{"x":NaN,"#, 1).into()),
        ("infinity", good.replacen('{', r#"{"x":-Infinity,"#, 1).into()),
        ("leading-zero", good.replacen('{', r#"{"x":01,"#, 1).into()),
        ("leading-plus", good.replacen('{', r#"{"x":+1,"#, 1).into()),
        ("huge-exponent", good.replacen('{', r#"{"x":1e999999,"#, 1).into()),
        ("long-number", good.replacen('{', &format!("{{\"x\":{},", "1".repeat(400)), 1).into()),
        ("raw-control-in-another-field", good.replacen('{', "{\"x\":\"a\nb\",", 1).into()),
        ("raw-control-in-a-token", good.replace("btsi", "bt\nsi").into()),
        ("bad-escape", good.replacen('{', r#"{"x":"\q","#, 1).into()),
        ("bad-unicode-escape", good.replacen('{', r#"{"x":"\u12g4","#, 1).into()),
        ("lone-surrogate-in-another-field", good.replacen('{', r#"{"x":"\ud800","#, 1).into()),
        ("lone-surrogate-in-a-name-inside", good.replacen('{', r#"{"x":{"\ud800":1},"#, 1).into()),
        ("lone-surrogate-in-a-name", good.replacen('{', r#"{"\ud800":1,"#, 1).into()),
        ("escaped-names", good.replace("\"status\"", r#""st\u0061tus""#).into()),
        ("name-in-capitals", good.replace("\"status\"", "\"Status\"").into()),
        ("name-with-a-space", good.replace("\"status\"", "\"status \"").into()),
        ("unknown-fields-twice", good.replacen('{', r#"{"x":1,"x":[{}],"#, 1).into()),
        ("deep", deep.into()),
        ("broken-byte-in-another-field", bytes(good, "{", b"{\"x\":\"\xff\",")),
        ("broken-byte-in-a-name", bytes(good, "{", b"{\"\xff\":1,")),
        ("broken-byte-outside", bytes(good, "{", b"\xff{")),
        ("utf-16", good.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        ("message-in-another-encoding", b"{\"error_code\":\"SDK.COMMON.1013\",\"error_msg\":\"\xd3\xc3\xbb\xa7\"}".to_vec()),
        ("overlong", b"{\"error_code\":\"SDK.COMMON.1013\",\"error_msg\":\"\xc0\x80-\xe4\xbd-\xf0\x9f\x98-\xed\xa0\x80\"}".to_vec()),
        ("cut-in-a-character", b"{\"error_code\":\"SDK.COMMON.1013\",\"error_msg\":\"\xe4\xbd\xa0\xe5\"}".to_vec()),
    ];
    for (id, body) in cases {
        vectors.read_body("step", &format!("body/{id}"), 200, &body);
        if matches!(id, "list" | "null" | "empty-object" | "cut" | "byte-order-mark") {
            vectors.read_body("step", &format!("body/{id}/http-400"), 400, &body);
            for reading in &ALL[2..] {
                vectors.read_body(reading, &format!("body/{id}"), 200, &body);
            }
        }
    }
}

fn bytes(text: &str, from: &str, to: &[u8]) -> Vec<u8> {
    let (before, after) = text.split_once(from).unwrap();
    [before.as_bytes(), to, after.as_bytes()].concat()
}

/// Each status, with a token in hand and without.
fn statuses(vectors: &mut Vectors) {
    let names = [
        "SUCCESS",
        "SUCCES",
        "SOCIAL_BIND",
        "USER_REGISTER",
        "MFA_AUTH",
        "PASSWORD_WARN",
        "PASSWORD_EXPIRED",
        "ACCESS_DENIED",
        "success",
        "SUCCESS_2",
        "PUSH_AUTH",
        "a token? eyJhbGci",
        "SOCIAL BIND",
    ];
    for status in names {
        for (id, rest) in [
            ("nothing", ""),
            ("both-tokens", r#","session_token":"s1","state_token":"t1""#),
            ("new-state-token", r#","state_token":"a-new-one""#),
            ("same-state-token", &format!(r#","state_token":"{STATE_TOKEN}""#)),
            ("blank-state-token", r#","state_token":" ""#),
            ("broken-state-token", r#","state_token":17"#),
            ("broken-session-token", r#","state_token":"t1","session_token":{}"#),
            ("null-code", r#","error_code":null,"state_token":"t1","session_token":"s1""#),
            ("blank-code", r#","error_code":" ","error_msg":"x","state_token":"t1","session_token":"s1""#),
            ("unreadable-code", r#","error_code":[],"state_token":"t1","session_token":"s1""#),
        ] {
            let body = format!(r#"{{"status":"{status}"{rest}}}"#);
            for reading in ["first_step", "step"] {
                vectors.read_body(reading, &format!("status/{}/{id}", slug_of_status(status)), 200, &body);
            }
        }
    }
}

/// Names differ by their case.
fn slug_of_status(status: &str) -> String {
    status.replace(' ', "-").replace('?', "")
}

/// A field as it stands in a body, in each odd form. `good` is a JSON value.
fn odd(good: &str) -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let inner = good.trim_matches('"');
    let quoted = |text: String| vec![format!("\"{text}\"").into_bytes()];
    let raw = |text: &str| text.as_bytes().to_vec();
    let mut forms: Vec<(&'static str, Vec<Vec<u8>>)> = vec![
        ("absent", vec![]),
        ("null", vec![raw("null")]),
        ("twice", vec![raw(good), raw(good)]),
        ("null-then-value", vec![raw("null"), raw(good)]),
        ("value-then-null", vec![raw(good), raw("null")]),
        ("blank-then-value", vec![raw("\"\""), raw(good)]),
        ("number", vec![raw("17")]),
        ("zero", vec![raw("0")]),
        ("minus-zero", vec![raw("-0")]),
        ("negative", vec![raw("-5")]),
        ("decimal", vec![raw("1.5")]),
        ("exponent", vec![raw("1e3")]),
        ("largest-number", vec![raw("18446744073709551615")]),
        ("larger-number", vec![raw("18446744073709551616")]),
        ("smallest-number", vec![raw("-9223372036854775808")]),
        ("smaller-number", vec![raw("-9223372036854775809")]),
        ("true", vec![raw("true")]),
        ("false", vec![raw("false")]),
        ("object", vec![raw("{\"a\":1}")]),
        ("list", vec![format!("[{good}]").into_bytes()]),
        ("empty", vec![raw("\"\"")]),
        ("blank", vec![raw(r#"" \t\r\n\f""#)]),
        ("zero-text", vec![raw("\"0\"")]),
    ];
    if good.starts_with('"') {
        forms.extend([
            ("white-space-around", quoted(format!(r" \t\r\n\f{inner}\f\n\r\t "))),
            ("vertical-tab-around", quoted(format!(r"\u000b{inner}\u000b"))),
            ("nbsp-around", quoted(format!("\u{a0}{inner}\u{a0}"))),
            ("ideographic-space-around", quoted(format!("\u{3000}{inner}\u{3000}"))),
            ("broken-byte", vec![[b"\"".as_slice(), inner.as_bytes(), b"\xff\""].concat()]),
            ("cut-character", vec![[b"\"".as_slice(), inner.as_bytes(), b"\xe4\xbd\""].concat()]),
            ("replacement-character", quoted(format!(r"{inner}\ufffd"))),
            ("lone-high-surrogate", quoted(format!(r"{inner}\ud83d"))),
            ("lone-low-surrogate", quoted(format!(r"\ude00{inner}"))),
            ("surrogates-swapped", quoted(format!(r"{inner}\ude00\ud83d"))),
            ("surrogate-pair", quoted(format!(r"{inner}\ud83d\ude00"))),
            ("escaped-control", quoted(format!(r"{inner}\u0007x"))),
            ("escaped-nul", quoted(format!(r"{inner}\u0000x"))),
            ("line-break-inside", quoted(format!(r"{inner}\r\nx"))),
            ("delete", quoted(format!("{inner}\u{7f}x"))),
            ("tab-inside", quoted(format!(r"{inner}\tx"))),
            ("space-inside", quoted(format!("{inner} x"))),
            ("c1-control", quoted(format!(r"{inner}\u0085x"))),
            ("non-ascii", quoted(format!("{inner}é"))),
        ]);
        if let Some(first) = inner.chars().next().filter(char::is_ascii) {
            forms.push(("escaped", quoted(format!("\\u{:04X}{}", first as u32, &inner[1..]))));
        }
    }
    forms
}

/// A body in which one field has the given values, in its place among the others.
fn body(fields: &[(&str, &str)], field: &str, values: &[Vec<u8>]) -> Vec<u8> {
    let mut entries: Vec<Vec<u8>> = Vec::new();
    for (name, value) in fields {
        let entry = |value: &[u8]| [b"\"", name.as_bytes(), b"\":", value].concat();
        if *name == field {
            entries.extend(values.iter().map(|value| entry(value)));
        } else {
            entries.push(entry(value.as_bytes()));
        }
    }
    [b"{".as_slice(), &entries.join(b",".as_slice()), b"}"].concat()
}

/// A reading, what the body is of, its HTTP status, its fields, and those that take odd forms.
type Body<'a> = (&'a str, &'a str, u16, &'a [(&'a str, &'a str)], &'a [&'a str]);

/// The fields of each reading in each odd form.
fn fields(vectors: &mut Vectors) {
    let success: &[_] = &[
        ("status", "\"SUCCESS\""),
        ("session_token", "\"s1\""),
        ("expire", "432000"),
        ("id_token", "\"i1\""),
    ];
    let waiting: &[_] = &[
        ("status", "\"SOCIAL_BIND\""),
        ("state_token", "\"t1\""),
        ("data", r#""{\"socialBindOrRegisterFlow\":[\"VERIFY_PHONE\"]}""#),
    ];
    let refused: &[_] = &[("error_code", "\"SDK.COMMON.1013\""), ("error_msg", "\"no such user\"")];
    let renewed: &[_] = &[("session_token", "\"s2\""), ("expire", "604800"), ("id_token", "\"i2\"")];
    let with_status: &[_] = &[("session_token", "\"s2\""), ("status", "\"SUCCESS\"")];
    let captcha: &[_] = &[
        ("token", "\"c1\""),
        ("originalImageBase64", "\"iVBORw0KGgo=\""),
        ("jigsawImageBase64", "\"/9j/\""),
        ("secretKey", "\"k1\""),
        ("wordList", r#"["a","b"]"#),
    ];
    let mobile: &[_] = &[("mobile", "\"+86-15201657124\"")];
    let pass: &[_] = &[("captcha_token", "\"p1\"")];
    let date: &[_] = &[("timestamp", "\"1628496895102\"")];
    let countries: &[_] = &[
        ("phoneAreaCodeDefinitions", r#"[{"areaCode":"86","countryCode":"CN"}]"#),
        ("preferredAreaCode", "\"CN\""),
    ];
    let bodies: &[Body] = &[
        ("first_step", "success", 200, success, &["status", "session_token"]),
        ("first_step", "waiting", 200, waiting, &["state_token"]),
        ("step", "success", 200, success, &["status", "session_token", "expire", "id_token"]),
        ("step", "waiting", 200, waiting, &["status", "state_token", "data"]),
        ("step", "refused-200", 200, refused, &["error_code", "error_msg"]),
        ("step", "refused-400", 400, refused, &["error_code"]),
        ("step", "refused-500", 500, refused, &["error_code"]),
        ("renewal", "renewed", 200, renewed, &["session_token", "expire", "id_token"]),
        ("renewal", "with-status", 200, with_status, &["status"]),
        ("registered_mobile", "mobile", 200, mobile, &["mobile"]),
        ("captcha", "captcha", 200, captcha, &["token", "originalImageBase64", "secretKey", "wordList"]),
        ("captcha_pass", "pass", 200, pass, &["captcha_token"]),
        ("server_date", "date", 200, date, &["timestamp"]),
        ("country_codes", "list", 200, countries, &["phoneAreaCodeDefinitions", "preferredAreaCode"]),
    ];
    for (reading, of, http_status, all, odd_ones) in bodies {
        for field in *odd_ones {
            let (_, good) = all.iter().find(|(name, _)| name == field).unwrap();
            for (id, values) in odd(good) {
                let body = body(all, field, &values);
                vectors.read_body(reading, &format!("field/{of}/{field}/{id}"), *http_status, body);
            }
        }
    }
    // A field that the status does not need cannot spoil it.
    for (field, value) in
        [("state_token", "17"), ("mobile", "{}"), ("token", "[]"), ("public_key", "1.5"), ("error_msg", "{}")]
    {
        let body = format!(r#"{{"status":"SUCCESS","session_token":"s1","{field}":{value}}}"#);
        vectors.read_body("step", &format!("not-needed/{field}"), 200, body);
    }
    // The longest token, and one that is longer.
    for (id, length) in [("longest", 16 * 1024), ("too-long", 16 * 1024 + 1)] {
        let body = format!(r#"{{"status":"SUCCESS","session_token":"{}"}}"#, "s".repeat(length));
        vectors.read_body("step", &format!("field/success/session_token/{id}"), 200, body);
    }
}

/// Every code with its class, and the hints of the messages.
fn error_codes(vectors: &mut Vectors) {
    for known in codes::ALL {
        for (id, message) in [("plain", "x"), ("state-token", "The state_token parameter error")] {
            let body = json!({ "error_code": known.code, "error_msg": message }).to_string();
            for http_status in [400, 500] {
                vectors.read_body(
                    "step",
                    &format!("code/{}/{id}/{http_status}", known.code),
                    http_status,
                    &body,
                );
            }
        }
    }
    for (id, message) in [
        ("header", "X-State-Token has expired"),
        ("capitals", "STATE_TOKEN"),
        ("mixed", "the state-token"),
        ("apart", "state token"),
        ("inside", "mystate_tokens"),
    ] {
        let body = json!({ "error_code": "SDK.COMMON.1005", "error_msg": message }).to_string();
        vectors.read_body("step", &format!("code/names-the-state-token/{id}"), 400, body);
    }
    for (id, code) in [
        ("lower-case", "sdk.common.1013"),
        ("longer", "SDK.COMMON.10130"),
        ("inner-space", "SDK.COMMON. 1013"),
        ("prefix", "IDAAS.SDK.SDK.COMMON.1013"),
    ] {
        let body = json!({ "error_code": code, "error_msg": "x" }).to_string();
        vectors.read_body("step", &format!("code/odd/{id}"), 400, body);
    }
    for (code, cases) in [
        (
            "SDK.LOGIN.1005",
            [
                "attempts left: 3",
                "attempts left：3",
                "a: 1 b: 2 of 5",
                "3 left",
                "left: none",
                "left: 4294967296",
                "left: 007",
                "left:-3",
                "",
            ],
        ),
        (
            "SDK.LOGIN.1003",
            [
                "unlocks in 9 minutes 59 seconds",
                "9 minutes",
                "1 2 3",
                "none",
                "99999999999999999999 1",
                "18446744073709551615 1",
                "0 0",
                "1.5",
                "",
            ],
        ),
    ] {
        for (index, message) in cases.into_iter().enumerate() {
            let body = json!({ "error_code": code, "error_msg": message }).to_string();
            vectors.read_body("step", &format!("code/hint/{code}/{}", index + 1), 400, body);
        }
    }
}

/// What says two things, and what does not.
fn contradictions(vectors: &mut Vectors) {
    let same = format!(r#""state_token":"{STATE_TOKEN}""#);
    let same_with_space = format!(r#""state_token":" {STATE_TOKEN}\n""#);
    let cases = [
        ("session-token", r#""session_token":"s1""#),
        ("session-token-number", r#""session_token":17"#),
        ("session-token-object", r#""session_token":{}"#),
        ("session-token-twice", r#""session_token":"a","session_token":"b""#),
        ("session-token-null", r#""session_token":null"#),
        ("session-token-blank", r#""session_token":" ""#),
        ("new-state-token", r#""state_token":"t2""#),
        ("state-token-number", r#""state_token":17"#),
        ("same-state-token", same.as_str()),
        ("same-state-token-with-space", same_with_space.as_str()),
        ("state-token-blank", r#""state_token":"""#),
        ("status-success", r#""status":"SUCCESS""#),
        ("status-succes", r#""status":" SUCCES ""#),
        ("status-bind", r#""status":"SOCIAL_BIND""#),
        ("status-register", r#""status":"USER_REGISTER""#),
        ("status-mfa", r#""status":"MFA_AUTH""#),
        ("status-warn", r#""status":"PASSWORD_WARN""#),
        ("status-expired", r#""status":"PASSWORD_EXPIRED""#),
        ("status-denied", r#""status":"ACCESS_DENIED""#),
        ("status-denied-with-space", r#""status":"\tACCESS_DENIED ""#),
        ("status-unknown", r#""status":"FAILED""#),
        ("status-number", r#""status":400"#),
        ("status-denied-twice", r#""status":"ACCESS_DENIED","status":"ACCESS_DENIED""#),
        ("id-token", r#""id_token":"i1""#),
        ("expire-and-data", r#""expire":1,"data":"{}""#),
        ("mobile", r#""mobile":"1""#),
    ];
    for (id, extra) in cases {
        for (with, body) in [
            ("code", format!(r#"{{"error_code":"SDK.COMMON.1013","error_msg":"x",{extra}}}"#)),
            ("dead-token", format!(r#"{{"error_code":"IDAAS.SDK.COMMON.1007","error_msg":"x",{extra}}}"#)),
        ] {
            for reading in ["step", "first_step", "registered_mobile"] {
                vectors.read_body(reading, &format!("contradiction/{with}/{id}"), 400, &body);
            }
        }
        for http_status in [200, 302, 404, 500] {
            let body = format!("{{{extra}}}");
            vectors.read_body("step", &format!("contradiction/http-{http_status}/{id}"), http_status, body);
        }
    }
    for reading in &ALL[2..] {
        for (id, body) in [
            ("code-and-session", r#"{"error_code":"X.1","session_token":"s1"}"#),
            ("code-and-denied", r#"{"error_code":"X.1","status":"ACCESS_DENIED"}"#),
            (
                "unreadable-code",
                r#"{"error_code":{},"mobile":"1","token":"1","captcha_token":"1","id_token":"i"}"#,
            ),
            ("zero-code", r#"{"error_code":0,"mobile":"1","token":"1","captcha_token":"1","id_token":"i"}"#),
        ] {
            vectors.read_body(reading, &format!("contradiction/{id}"), 200, body);
        }
    }
}

/// The forms of `expire` and of `timestamp`.
fn times(vectors: &mut Vectors) {
    let forms = [
        ("integer", "432000"),
        ("decimal", "432000.5"),
        ("small-decimal", "0.25"),
        ("exponent", "4.32e5"),
        ("capital-exponent", "1E2"),
        ("zero", "0"),
        ("minus-zero", "-0"),
        ("minus-zero-decimal", "-0.0"),
        ("negative", "-1"),
        ("largest", "18446744073709551615"),
        ("larger", "18446744073709551616"),
        ("large-exponent", "1e18"),
        ("huge-exponent", "1e999"),
        ("tiny", "1e-12"),
        ("text", "\"432000\""),
        ("text-with-spaces", "\" 604800 \""),
        ("text-decimal", "\"1.5\""),
        ("text-plus", "\"+5\""),
        ("text-point-first", "\".5\""),
        ("text-point-last", "\"5.\""),
        ("text-exponent", "\"1e3\""),
        ("text-leading-zeros", "\"007\""),
        ("text-escaped-tab", r#""\t5""#),
        ("text-escaped-digit", r#""\u0035""#),
        ("text-word", "\"soon\""),
        ("text-nan", "\"NaN\""),
        ("text-inf", "\"inf\""),
        ("text-hexadecimal", "\"0x10\""),
        ("text-underscore", "\"1_000\""),
        ("text-comma", "\"1,000\""),
        ("text-negative", "\"-1\""),
        ("text-empty", "\"\""),
        ("text-quotes-inside", r#""\"5\"""#),
        ("true", "true"),
        ("null", "null"),
        ("list", "[1]"),
        ("object", "{\"a\":1}"),
        ("text-milliseconds", "\"1628496895102\""),
        ("latest-time", "99999999999999"),
        ("later-time", "100000000000000"),
    ];
    for (id, form) in forms {
        let body = format!(r#"{{"status":"SUCCESS","session_token":"s1","expire":{form}}}"#);
        vectors.read_body("step", &format!("expire/{id}"), 200, body);
        vectors.read_body(
            "server_date",
            &format!("timestamp/{id}"),
            200,
            format!(r#"{{"timestamp":{form}}}"#),
        );
    }
}

/// The forms of `data`.
fn data(vectors: &mut Vectors) {
    let text = |inner: &str| Value::from(inner).to_string();
    let long_name = format!(r#"{{"socialBindOrRegisterFlow":["{}","VERIFY_PHONE"]}}"#, "x".repeat(257));
    let many: Vec<_> = (1..=17).map(|number| format!("WAY_{number}")).collect();
    let many = json!({ "socialBindOrRegisterFlow": many }).to_string();
    let large = format!(r#"{{"socialBindOrRegisterFlow":["VERIFY_PHONE"],"x":"{}"}}"#, "x".repeat(16 * 1024));
    let large_text = "x".repeat(16 * 1024 + 1);
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for (id, form) in [
        ("both", text(r#"{"socialBindOrRegisterFlow":["VERIFY_PHONE","VERIFY_EMAIL"]}"#)),
        ("one", text(r#"{"socialBindOrRegisterFlow":["VERIFY_EMAIL"]}"#)),
        ("none", text(r#"{"socialBindOrRegisterFlow":[]}"#)),
        ("unknown", text(r#"{"socialBindOrRegisterFlow":["VERIFY_FACE"," VERIFY_PHONE\t"," x "]}"#)),
        ("lower-case", text(r#"{"socialBindOrRegisterFlow":["verify_phone"]}"#)),
        ("twice-the-same", text(r#"{"socialBindOrRegisterFlow":["VERIFY_PHONE","VERIFY_PHONE"]}"#)),
        ("null-inside", text(r#"{"socialBindOrRegisterFlow":null}"#)),
        ("text-inside", text(r#"{"socialBindOrRegisterFlow":"VERIFY_PHONE"}"#)),
        ("object-inside", text(r#"{"socialBindOrRegisterFlow":{"0":"VERIFY_PHONE"}}"#)),
        ("number-inside", text(r#"{"socialBindOrRegisterFlow":1}"#)),
        ("numbers-in-the-list", text(r#"{"socialBindOrRegisterFlow":["VERIFY_PHONE",2]}"#)),
        ("null-in-the-list", text(r#"{"socialBindOrRegisterFlow":["VERIFY_PHONE",null]}"#)),
        ("list-in-the-list", text(r#"{"socialBindOrRegisterFlow":[["VERIFY_PHONE"]]}"#)),
        ("lone-surrogate-in-the-list", text(r#"{"socialBindOrRegisterFlow":["VERIFY_PHONE","\ud800"]}"#)),
        (
            "twice-inside",
            text(
                r#"{"socialBindOrRegisterFlow":["VERIFY_PHONE"],"socialBindOrRegisterFlow":["VERIFY_EMAIL"]}"#,
            ),
        ),
        ("another-twice-inside", text(r#"{"x":1,"x":2,"socialBindOrRegisterFlow":["VERIFY_PHONE"]}"#)),
        ("empty-name", text(r#"{"socialBindOrRegisterFlow":[""]}"#)),
        ("white-space-around", text(" \n{\"socialBindOrRegisterFlow\":[\"VERIFY_PHONE\"]}\t")),
        ("cut", text(r#"{"socialBindOrRegisterFlow":["VERIFY_PHONE"]"#)),
        ("more-behind", text(r#"{"socialBindOrRegisterFlow":["VERIFY_PHONE"]}x"#)),
        ("list-outside", text(r#"[["VERIFY_PHONE"]]"#)),
        ("lone-surrogate-in-a-name", text(r#"{"\ud800":1,"socialBindOrRegisterFlow":["VERIFY_PHONE"]}"#)),
        ("deep", text(&format!(r#"{{"x":{deep},"socialBindOrRegisterFlow":["VERIFY_PHONE"]}}"#))),
        ("twice-encoded", text(&text(r#"{"socialBindOrRegisterFlow":["VERIFY_PHONE"]}"#))),
        ("long-name", text(&long_name)),
        ("many-names", text(&many)),
        ("large", text(&large)),
        ("large-without-list", text(&large_text)),
        ("empty", text("")),
        ("null", "null".to_owned()),
        ("object", r#"{"socialBindOrRegisterFlow": ["VERIFY_PHONE"]}"#.to_owned()),
        ("number", "17".to_owned()),
        ("true", "true".to_owned()),
        ("list", r#"["VERIFY_PHONE"]"#.to_owned()),
        (
            "lone-surrogate",
            r#""{\"socialBindOrRegisterFlow\":[\"VERIFY_PHONE\"],\"x\":\"\ud800\"}""#.to_owned(),
        ),
        ("twice", r#""x","data":"y""#.to_owned()),
        ("null-and-value", r#"null,"data":"{\"socialBindOrRegisterFlow\":[]}""#.to_owned()),
    ] {
        let body = format!(r#"{{"status":"USER_REGISTER","state_token":"t1","data":{form}}}"#);
        vectors.read_body("step", &format!("data/allowed/{id}"), 200, body);
        if matches!(id, "both" | "object" | "null" | "number" | "large" | "large-without-list") {
            let body = format!(r#"{{"status":"MFA_AUTH","state_token":"t1","data":{form}}}"#);
            vectors.read_body("step", &format!("data/mfa/{id}"), 200, body);
        }
    }
    let broken = bytes(r#"{"status":"SOCIAL_BIND","state_token":"t1","data":"@"}"#, "@", b"\xff");
    vectors.read_body("step", "data/allowed/broken-byte", 200, broken);
    policies(vectors);
}

fn policies(vectors: &mut Vectors) {
    let large = format!(r#"{{"minLength":8,"x":"{}"}}"#, "x".repeat(16 * 1024));
    let long_pattern = format!(r#"{{"regEx":"{}"}}"#, "x".repeat(4097));
    let deep = format!(r#"{{"x":{}{},"minLength":8}}"#, "[".repeat(200), "]".repeat(200));
    for (id, policy) in [
        ("whole", r#"{"maxLength":18,"minLength":8,"regEx":"^(?![a-zA-Z]+$)"}"#),
        ("empty-object", "{}"),
        ("list", "[8,18]"),
        ("not-json", "minLength=8"),
        ("text-numbers", r#"{"maxLength":" 18 ","minLength":"8.0"}"#),
        ("decimals", r#"{"maxLength":18.0,"minLength":8.5}"#),
        ("exponent", r#"{"maxLength":1e1,"minLength":0}"#),
        ("negative", r#"{"maxLength":-18,"minLength":-0}"#),
        ("too-large", r#"{"maxLength":4294967296,"minLength":4294967295}"#),
        ("null", r#"{"maxLength":null,"minLength":null,"regEx":null}"#),
        ("other-types", r#"{"maxLength":[18],"minLength":{},"regEx":17}"#),
        ("twice", r#"{"minLength":8,"minLength":9}"#),
        ("empty-pattern", r#"{"regEx":""}"#),
        ("escaped-pattern", r#"{"regEx":"^\\d\u0041$"}"#),
        ("lone-surrogate-in-the-pattern", r#"{"regEx":"\ud800","minLength":8}"#),
        ("long-pattern", &long_pattern),
        ("lone-surrogate-in-a-name", r#"{"\ud800":1,"minLength":8}"#),
        ("deep", &deep),
        ("large", &large),
    ] {
        for (status, name) in [("PASSWORD_WARN", "warn"), ("PASSWORD_EXPIRED", "expired")] {
            if name == "expired" && !matches!(id, "whole" | "list" | "large") {
                continue;
            }
            let body = json!({ "status": status, "state_token": "t1", "data": policy }).to_string();
            vectors.read_body("step", &format!("data/policy/{name}/{id}"), 200, body);
        }
    }
    let object = r#"{"status":"PASSWORD_WARN","state_token":"t1","data":{"minLength":8}}"#;
    vectors.read_body("step", "data/policy/object", 200, object);
}

/// What a renewal keeps, replaces and forgets.
fn renewals(vectors: &mut Vectors) {
    for (id, body) in [
        ("id-token-alone", r#"{"id_token":"i2"}"#),
        ("session-token-alone", r#"{"session_token":"s2"}"#),
        ("session-token-and-expire", r#"{"session_token":"s2","expire":600}"#),
        ("same-session-token", r#"{"session_token":"btsiBjx85prcZu6I6Ki057Tmw3nSF2VO","id_token":"i2"}"#),
        (
            "same-session-token-and-expire",
            r#"{"session_token":"btsiBjx85prcZu6I6Ki057Tmw3nSF2VO","expire":600,"id_token":"i2"}"#,
        ),
        ("new-session-token-without-expire", r#"{"session_token":"s2","id_token":"i2"}"#),
        ("expire-without-session-token", r#"{"expire":600,"id_token":"i2"}"#),
        ("unreadable-expire", r#"{"expire":"soon","id_token":"i2"}"#),
        ("unreadable-id-token", r#"{"session_token":"s2","id_token":17}"#),
        ("unreadable-session-token", r#"{"session_token":17,"id_token":"i2"}"#),
        ("success-with-id-token", r#"{"status":"SUCCESS","session_token":"s2","id_token":"i2"}"#),
        ("success-with-id-token-alone", r#"{"status":"SUCCESS","id_token":"i2"}"#),
        ("success-without-id-token", r#"{"status":"SUCCESS","session_token":"s2"}"#),
        ("blank-status-without-id-token", r#"{"status":" ","session_token":"s2"}"#),
        ("null-status-without-id-token", r#"{"status":null,"session_token":"s2"}"#),
        ("numeric-status-without-id-token", r#"{"status":200,"session_token":"s2"}"#),
        ("another-status-with-id-token", r#"{"status":"MFA_AUTH","state_token":"t1","id_token":"i2"}"#),
        ("unknown-status-with-id-token", r#"{"status":"OK","id_token":"i2"}"#),
        ("nothing", "{}"),
        ("expire-alone", r#"{"expire":600}"#),
        ("empty-body", ""),
    ] {
        for reading in ["renewal", "signed_renewal"] {
            vectors.read_body(reading, &format!("renewal/{id}"), 200, body);
        }
    }
}

/// What says nothing, and what says something.
fn empty_answers(vectors: &mut Vectors) {
    for reading in ["send_code", "reset", "logout"] {
        for (id, body) in [
            ("empty", ""),
            ("white-space", " \t\r\n\u{c}"),
            ("null", "null"),
            ("null-with-space", "\n null \t"),
            ("vertical-tab", "\u{b}"),
            ("empty-object", "{}"),
            ("object-with-space", " { } "),
            ("data", r#"{"data":{"a":1}}"#),
            ("expire", r#"{"expire":1}"#),
            ("undocumented", r#"{"code":0,"success":true}"#),
            ("error-code-null", r#"{"error_code":null}"#),
            ("error-msg-alone", r#"{"error_msg":"x"}"#),
            ("true", "true"),
            ("list", "[]"),
            ("text", "\"\""),
            ("zero", "0"),
            ("page", "<html>"),
            ("ok", "OK"),
            ("capital-null", "NULL"),
            ("two-nulls", "null null"),
            ("secret-key", r#"{"secretKey":"k","wordList":[]}"#),
            ("preferred", r#"{"preferredAreaCode":"CN"}"#),
        ] {
            vectors.read_body(reading, &format!("empty/{id}"), 200, body);
        }
        let answers = [
            "status",
            "session_token",
            "state_token",
            "id_token",
            "mobile",
            "captcha_token",
            "token",
            "public_key",
            "timestamp",
            "phoneAreaCodeDefinitions",
        ];
        for field in answers {
            for (id, value) in
                [("value", "\"x\""), ("null", "null"), ("blank", "\" \""), ("number", "1"), ("object", "{}")]
            {
                let body = format!(r#"{{"{field}":{value}}}"#);
                vectors.read_body(reading, &format!("empty/{field}/{id}"), 200, body);
            }
        }
    }
}

fn side_calls(vectors: &mut Vectors) {
    vectors.read_body("captcha", "captcha/whole", 200, support::CAPTCHA);
    vectors.read_body("captcha", "captcha/token-alone", 200, r#"{"token":"c1"}"#);
    let data_url = format!("data:image/png;base64,{PNG}");
    let unpadded = PNG.trim_end_matches('=');
    let broken_lines =
        PNG.as_bytes().chunks(20).map(String::from_utf8_lossy).collect::<Vec<_>>().join("\\r\\n ");
    for (id, picture) in [
        ("plain", PNG),
        ("unpadded", unpadded),
        ("data-url", &data_url),
        ("data-url-empty", "data:image/png;base64,"),
        ("data-url-twice", &format!("data:;base64,{data_url}")),
        ("data-url-in-capitals", &format!("DATA:image/png;base64,{PNG}")),
        ("head-that-is-no-data-url", &format!("x;base64,{PNG}")),
        ("line-breaks", &broken_lines),
        ("spaces-around", &format!(" {PNG}\\n")),
        ("url-alphabet", "_9j_"),
        ("not-base64", "not base64!"),
        ("one-character", "A"),
        ("bits-left-over", "AB"),
        ("padding-inside", "AA==AA=="),
        ("too-much-padding", "AAAA="),
        ("empty", ""),
        ("vertical-tab", "AA\\u000bAA"),
    ] {
        for field in ["originalImageBase64", "jigsawImageBase64"] {
            let body = format!(r#"{{"token":"c1","{field}":"{picture}"}}"#);
            vectors.read_body("captcha", &format!("captcha/{field}/{id}"), 200, body);
        }
    }
    for (id, words) in [
        ("texts", r#"["a"," b ",""]"#),
        ("number-among-them", r#"["a",1]"#),
        ("null-among-them", r#"["a",null]"#),
        ("text", "\"a\""),
        ("object", "{}"),
        ("empty", "[]"),
        ("lone-surrogate", r#"["a","\ud800"]"#),
        ("replacement-character", r#"["a\ufffd"]"#),
    ] {
        vectors.read_body(
            "captcha",
            &format!("captcha/words/{id}"),
            200,
            format!(r#"{{"token":"c1","wordList":{words}}}"#),
        );
    }
    keys(vectors);
    countries(vectors);
}

/// The usual exponent.
const F4: &[u8] = &[0x01, 0x00, 0x01];
/// `rsaEncryption`, as the identifier of an algorithm in DER.
const RSA: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
const RSASSA_PSS: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a\x05\x00";

fn keys(vectors: &mut Vectors) {
    vectors.read_body("public_key", "key/page", 200, PUBLIC_KEY);
    let ours = super::public_key();
    let one_line = ours.replace('\n', "");
    let inner = ours
        .trim_start_matches("-----BEGIN PUBLIC KEY-----")
        .trim_end_matches("-----END PUBLIC KEY-----")
        .trim();
    for (id, key) in [
        ("real-line-ends", ours.clone()),
        ("carriage-returns", ours.replace('\n', "\r\n")),
        ("escaped-line-ends", ours.replace('\n', "\\n")),
        ("escaped-carriage-returns", ours.replace('\n', "\\r\\n")),
        ("one-line", one_line),
        ("text-around", format!("a key:\n{ours}\nthe end")),
        ("spaces-inside", ours.replace("MII", "M I I")),
        ("no-marks", inner.to_owned()),
        ("no-end", ours.replace("-----END PUBLIC KEY-----", "")),
        ("another-mark", ours.replace("PUBLIC KEY", "RSA PUBLIC KEY")),
        ("cut", ours.replace("IDAQAB", "")),
        ("not-base64", ours.replacen("MII", "M*I", 1)),
        ("empty", "-----BEGIN PUBLIC KEY----------END PUBLIC KEY-----".to_owned()),
        ("rsa-1024", "-----BEGIN PUBLIC KEY-----\nMIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDJjza479lm2vC2V2vCD3MX/hPB\n9/6JIQPU1zndUYg11b35/y3GFPBVnV+0EdUz6kzs/GR3o1oQbaM9tpZ6N1wo+pCl\nicqfMnsYzrP/nLBuQTAMPU+jcQCZYB7GaBhZ37Ri4i6IzvuszHiu9JBK5Ez5dDoO\nx7HbSHcyMu5wdjk8bQIDAQAB\n-----END PUBLIC KEY-----".to_owned()),
        ("p-256", "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n-----END PUBLIC KEY-----".to_owned()),
        ("long-text", format!("{}{ours}", "x".repeat(4096))),
        ("modulus-8192", pem(RSA, &[0xff; 1024], F4)),
        ("modulus-8200", pem(RSA, &[0xff; 1025], F4)),
        ("even-modulus", pem(RSA, &[0xfe; 256], F4)),
        ("largest-exponent", pem(RSA, &[0xff; 256], &[0x01, 0xff, 0xff, 0xff, 0xff])),
        ("larger-exponent", pem(RSA, &[0xff; 256], &[0x02, 0, 0, 0, 0x01])),
        ("exponent-1", pem(RSA, &[0xff; 256], &[1])),
        ("rsassa-pss", pem(RSASSA_PSS, &[0xff; 256], F4)),
    ] {
        vectors.read_body("public_key", &format!("key/{id}"), 200, json!({ "public_key": key }).to_string());
    }
    for (id, body) in [
        ("absent", "{}"),
        ("null", r#"{"public_key":null}"#),
        ("number", r#"{"public_key":17}"#),
        ("object", r#"{"public_key":{}}"#),
        ("publicKey", r#"{"publicKey":"x"}"#),
        ("twice", r#"{"public_key":"x","public_key":"x"}"#),
    ] {
        vectors.read_body("public_key", &format!("field/public_key/{id}"), 200, body);
    }
}

/// A public key in PEM, of an algorithm, with a modulus and an exponent.
fn pem(algorithm: &[u8], modulus: &[u8], exponent: &[u8]) -> String {
    let der = |tag: u8, content: &[u8]| {
        let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
        let head: &[u8] = match (high, low) {
            (0, ..0x80) => &[tag, low],
            (0, _) => &[tag, 0x81, low],
            _ => &[tag, 0x82, high, low],
        };
        [head, content].concat()
    };
    // A number is positive if its first bit is zero.
    let sign = |bytes: &[u8]| if bytes[0] < 0x80 { vec![] } else { vec![0] };
    let number = |bytes: &[u8]| der(0x02, &[sign(bytes), bytes.to_vec()].concat());
    let key = der(0x30, &[number(modulus), number(exponent)].concat());
    let whole = der(0x30, &[algorithm, &der(0x03, &[&[0], key.as_slice()].concat())].concat());
    format!("-----BEGIN PUBLIC KEY-----{}-----END PUBLIC KEY-----", BASE64_STANDARD.encode(whole))
}

fn countries(vectors: &mut Vectors) {
    vectors.read_body("country_codes", "list/page", 200, COUNTRY_CODES);
    let long = "9".repeat(257);
    let long_pattern = "x".repeat(1025);
    let entries = |before: usize| format!(r#"[{}{{"areaCode":"86"}}]"#, "0,".repeat(before));
    let suffixes = |before: &str, count: usize| {
        let all = (0..count).map(|number| format!(r#""{number}","#)).collect::<Vec<_>>().concat();
        format!(r#"[{{"areaCodeSuffixes":[{before}{all}"last"]}}]"#)
    };
    let names = |value: &str| {
        let all = (10..42).map(|number| format!(r#""{number}":{value},"#)).collect::<Vec<_>>().concat();
        format!(r#"[{{"displayMapping":{{{all}"zh":"last"}}}}]"#)
    };
    for (id, list) in [
        ("empty", "[]".to_owned()),
        ("not-entries", r#"[1,"x",null,[],[1,2],{}]"#.to_owned()),
        ("numbers", r#"[{"areaCode":86,"countryCode":0}]"#.to_owned()),
        ("negative-number", r#"[{"areaCode":-86}]"#.to_owned()),
        ("decimal", r#"[{"areaCode":86.0}]"#.to_owned()),
        ("white-space", r#"[{"areaCode":" 86\n","countryCode":"\u000bCN"}]"#.to_owned()),
        ("blank", r#"[{"areaCode":" ","countryCode":""}]"#.to_owned()),
        ("null", r#"[{"areaCode":null,"displayMapping":null,"mobileRegex":null,"areaCodeSuffixes":null}]"#.to_owned()),
        ("other-types", r#"[{"areaCode":[],"countryCode":true,"displayMapping":[],"mobileRegex":{},"areaCodeSuffixes":{}}]"#.to_owned()),
        ("names", r#"[{"displayMapping":{"en":"China","zh":86,"fr":null,"de":" "}}]"#.to_owned()),
        ("names-twice", r#"[{"displayMapping":{"en":"A","en":"B"}}]"#.to_owned()),
        ("suffixes", r#"[{"areaCodeSuffixes":["10",20,null,{}," 30 "]}]"#.to_owned()),
        ("one-suffix", r#"[{"areaCodeSuffixes":"10"}]"#.to_owned()),
        ("field-twice", r#"[{"areaCode":"1","areaCode":"2"},{"areaCode":"3"}]"#.to_owned()),
        ("lone-surrogate", r#"[{"areaCode":"\ud800","countryCode":"CN"}]"#.to_owned()),
        ("lone-surrogate-in-a-name", r#"[{"\ud800":1,"areaCode":"1"},{"areaCode":"2"}]"#.to_owned()),
        ("lone-surrogate-in-a-language", r#"[{"areaCode":"1","displayMapping":{"\ud800":"A","en":"B"}}]"#.to_owned()),
        ("lone-surrogate-in-a-display-name", r#"[{"displayMapping":{"en":"\ud800","zh":"B"}}]"#.to_owned()),
        ("replacement-character", r#"[{"areaCode":"1\ufffd","displayMapping":{"en":"\ufffd"}}]"#.to_owned()),
        ("long-language", format!(r#"[{{"displayMapping":{{"{long}":"A","en":"B"}}}}]"#)),
        ("language-with-spaces", r#"[{"displayMapping":{" en ":" B "}}]"#.to_owned()),
        ("entries-512", entries(511)),
        ("entries-513", entries(512)),
        ("suffixes-32", suffixes("", 31)),
        ("suffixes-33", suffixes("", 32)),
        ("suffixes-left-out-count", suffixes("null,", 31)),
        ("names-33", names("\"A\"")),
        ("names-left-out-do-not-count", names("null")),
        ("longest-pattern", format!(r#"[{{"mobileRegex":"{}"}}]"#, "x".repeat(1024))),
        ("white-space-of-1536", format!(r#"[{{"areaCode":"{}86"}}]"#, " ".repeat(1534))),
        ("white-space-of-1537", format!(r#"[{{"areaCode":"{}86"}}]"#, " ".repeat(1535))),
        ("long-code", format!(r#"[{{"areaCode":"{long}","countryCode":"CN"}}]"#)),
        ("long-pattern", format!(r#"[{{"mobileRegex":"{long_pattern}","areaCode":"1"}}]"#)),
    ] {
        let body = format!(r#"{{"phoneAreaCodeDefinitions":{list}}}"#);
        vectors.read_body("country_codes", &format!("list/{id}"), 200, body);
    }
}
