//! Requests: each row of the endpoint table in each edition that has it, and what the settings and the inputs change.

use idaas_login::endpoints::{self, Endpoint, FieldKind, OriginKind, Scenario, SendType, StageKind};
use idaas_login::endpoints::{Credential, EditionKind};
use serde_json::{Map, Value, json};
use support::conformance::Kind;
use support::{DOCUMENTED, SESSION_TOKEN, STATE_TOKEN, scenario};

use super::Vectors;

/// A picture of two pixels by one.
pub(super) const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAAAAADRSSBWAAAAC0lEQVR42mNg+A8AAQIBANEay48AAAAASUVORK5CYII=";

/// When the signatures of the vectors are made.
pub(super) const SIGNS_AT: &str = "1628496895102";

pub(super) fn vectors() -> Vectors {
    let mut vectors = Vectors::new(
        Kind::Requests,
        "What a step sends: client, device, stage and inputs give the request. Members that a vector has in client and device stand \
         in the place of those in defaults.",
    );
    for row in endpoints::ALL {
        for edition in EditionKind::ALL {
            if row.in_edition(*edition).is_some() {
                vectors.add(&format!("{edition}/{}", name(row)), step(row, *edition));
            }
        }
    }
    settings(&mut vectors);
    inputs(&mut vectors);
    vectors
}

/// The row as the reference names it.
pub(super) fn name(row: &Endpoint) -> String {
    format!("{}.{}", row.from, row.step)
}

/// The step of a row with the inputs of the pages' examples.
pub(super) fn step(row: &'static Endpoint, edition: EditionKind) -> Value {
    let mut client = json!({ "edition": edition.to_string() });
    let signed = row.in_edition(edition).is_some_and(|shape| shape.credential == Credential::Signature);
    if signed {
        client["signs_at"] = SIGNS_AT.into();
    }
    let is_alipay = row.origin() == Some(OriginKind::AlipayMiniProgram);
    if is_alipay && edition != EditionKind::Ciam && row.from != StageKind::Unauthenticated {
        let login = &endpoints::LOGIN_ALIPAY_MINI_PROGRAM;
        client["paths"] = json!({ name(login): login.path });
    }
    let mut step = json!({ "client": client, "from": from(row), "step": row.step });
    let inputs = inputs_of(row);
    if !inputs.is_empty() {
        step["inputs"] = inputs.into();
    }
    step
}

fn from(row: &Endpoint) -> Value {
    let mut holds = Map::new();
    let mut hold = |name: &str, value: Value| drop(holds.insert(name.to_owned(), value));
    let base = row.from.before_narrowing();
    match base {
        StageKind::PendingBind
        | StageKind::PendingRegister
        | StageKind::MfaRequired
        | StageKind::PasswordExpiring
        | StageKind::PasswordExpired => hold("state_token", STATE_TOKEN.into()),
        StageKind::Registration => {
            let birthday = "1990-12-31";
            let attributes = json!({ "pwd": DOCUMENTED.new_password, "attr_nick_name": DOCUMENTED.nick_name, "attr_birthday": birthday });
            hold("attributes", attributes);
        }
        StageKind::Authenticated => hold("session_token", SESSION_TOKEN.into()),
        StageKind::Captcha => hold("token", "389c21b32a8e4eba9a6d75b71150bfd1".into()),
        _ => {}
    }
    match row.from {
        StageKind::VerifyPhone(Scenario::SecondFactor) => {
            hold("destination", DOCUMENTED.registered_mobile.into());
        }
        StageKind::VerifyPhone(_) => hold("destination", DOCUMENTED.mobile.into()),
        StageKind::VerifyEmail(_) => hold("destination", DOCUMENTED.email.into()),
        _ => {}
    }
    let mut from = json!({ "stage": row.from.to_string() });
    if !holds.is_empty() {
        from["holds"] = holds.into();
    }
    if row.origin() == Some(OriginKind::AlipayMiniProgram) && base != StageKind::Unauthenticated {
        from["origin"] = "AlipayMiniProgram".into();
    }
    from
}

fn inputs_of(row: &Endpoint) -> Map<String, Value> {
    let mut inputs = Map::new();
    if row.from == StageKind::Captcha {
        inputs.insert("x".to_owned(), json!(237.0));
        inputs.insert("sender".to_owned(), DOCUMENTED.mobile.into());
        return inputs;
    }
    for field in row.fields.iter().filter(|field| field.kind != FieldKind::SendType) {
        let value = match field.name {
            // The destination is the stage's.
            "mobile" | "email" if scenario(row.from).is_some() => continue,
            "code" => DOCUMENTED.wx_code,
            "wechat_code" => DOCUMENTED.phone_code,
            "alipay_encrypt" => DOCUMENTED.alipay_encrypt,
            "user_name" if row.step == "identifier_password" => DOCUMENTED.mobile,
            "user_name" => DOCUMENTED.user_name,
            "password" if row.step == "submit" => DOCUMENTED.new_password,
            "password" | "old_password" => DOCUMENTED.password,
            "new_password" => DOCUMENTED.new_password,
            "access_token" => DOCUMENTED.access_token,
            "open_id" | "uid" => DOCUMENTED.open_id,
            "verify_code" => " 123456\n",
            "captcha_token" => DOCUMENTED.captcha_pass,
            other => panic!("the vectors have no input for the field {other}: add it to inputs_of()"),
        };
        inputs.insert(field.name.to_owned(), value.into());
    }
    inputs
}

/// The beginning of a JPEG that is 300 pixels wide and 150 high.
pub(super) const JPEG: &str = "/9j/wAALCACWASwBAREA/9k=";

fn login() -> Value {
    step(&endpoints::LOGIN_WECHAT_MINI_PROGRAM, EditionKind::Ciam)
}

fn with(mut vector: Value, part: &str, change: &Value) -> Value {
    if vector[part].is_null() {
        vector[part] = json!({});
    }
    for (name, value) in change.as_object().unwrap() {
        vector[part][name] = value.clone();
    }
    vector
}

/// What the client's and the device's settings change.
fn settings(vectors: &mut Vectors) {
    for (id, change) in [
        ("base-address/trailing-slash", json!({ "base_address": "https://acme.example.com/" })),
        ("base-address/capitals", json!({ "base_address": "HTTPS://Acme.Example.COM" })),
        ("base-address/default-port", json!({ "base_address": "https://acme.example.com:443" })),
        ("base-address/port", json!({ "base_address": "https://acme.example.com:8443" })),
        ("base-address/ipv4", json!({ "base_address": "https://192.0.2.7" })),
        ("base-address/ipv6", json!({ "base_address": "https://[2001:DB8::1]:8443" })),
        ("base-address/ipv6-long", json!({ "base_address": "https://[2001:db8:0:0:0:0:0:1]" })),
        ("base-address/dot-at-the-end", json!({ "base_address": "https://acme.example.com." })),
        ("base-address/underscore", json!({ "base_address": "https://a_b.example.com" })),
        (
            "base-address/loopback",
            json!({ "base_address": "http://127.0.0.1:8080", "allow_loopback_http": true }),
        ),
        (
            "base-address/localhost-port-80",
            json!({ "base_address": "http://localhost:80", "allow_loopback_http": true }),
        ),
        ("path-prefix/plain", json!({ "path_prefix": "/idaas" })),
        ("path-prefix/slash-at-the-end", json!({ "path_prefix": "/idaas/v1//" })),
        ("path-prefix/dots-and-slashes", json!({ "path_prefix": "/..//a%20b/./~!$&'()*+,;=:@" })),
        ("path-prefix/slash-alone", json!({ "path_prefix": "/" })),
        ("client-id/odd-characters", json!({ "client_id": " a b;\t\"é\" " })),
        ("client-id/c1-control", json!({ "client_id": "a\u{85}b" })),
        ("client-id/longest", json!({ "client_id": "c".repeat(1024) })),
        ("tenant-id/isv", json!({ "edition": "OneAccess", "tenant_id": "8f1c2a" })),
        ("paths/another", json!({ "paths": { "Unauthenticated.wechat_mini_program": "/api/v3/login" } })),
    ] {
        vectors.add(&format!("settings/{id}"), with(login(), "client", &change));
    }
    for (id, change) in [
        ("without-optional", json!({ "ip": null, "language": null })),
        ("ipv6", json!({ "ip": "2001:DB8:0:0:0:0:0:1" })),
        ("ipv6-with-ipv4", json!({ "ip": "::ffff:192.0.2.7" })),
        ("language", json!({ "language": "zh-CN" })),
        ("non-ascii", json!({ "agent": "Mozilla/5.0 手机", "operating_sys_version": "系统 1" })),
        ("c1-control", json!({ "agent": "a\u{85}b", "fingerprint": "\u{9f}" })),
        ("spaces-and-tabs", json!({ "agent": " a\tb ", "fingerprint": " f " })),
        ("longest", json!({ "agent": "a".repeat(1024) })),
    ] {
        vectors.add(&format!("device/{id}"), with(login(), "device", &change));
    }
    let wchat = json!({ "wechat_code_field": "wchat_code" });
    for row in [&endpoints::BIND_WECHAT_MOBILE, &endpoints::REGISTER_WECHAT_MOBILE] {
        let vector = with(step(row, EditionKind::Eiam), "client", &wchat);
        vectors.add(&format!("settings/wchat-code/{}", name(row)), vector);
    }
    // An edition that does not document a step, and a tenant that has it all the same.
    let reset = &endpoints::LOGIN_QQ;
    let paths = json!({ "edition": "EIAM", "paths": { name(reset): reset.path } });
    vectors.add("settings/paths/undocumented", with(step(reset, EditionKind::Eiam), "client", &paths));
}

/// How values are written.
fn inputs(vectors: &mut Vectors) {
    let bind = step(&endpoints::BIND_USERNAME_PASSWORD, EditionKind::Ciam);
    for (id, user_name, password) in [
        ("spaces-stay", " zhangshan ", " pass word "),
        ("quotes-and-backslash", "zhang\"shan\\", "\"\\/"),
        ("non-ascii", "张三", "pässwörd 🔑"),
        (
            "controls-in-a-password",
            "zhangshan",
            "\u{0}\u{1}\u{8}\u{9}\u{a}\u{b}\u{c}\u{d}\u{1f}\u{7f}\u{2028}",
        ),
        ("longest", "zhangshan", &"p".repeat(16 * 1024)),
    ] {
        let vector = with(bind.clone(), "inputs", &json!({ "user_name": user_name, "password": password }));
        vectors.add(&format!("inputs/{id}"), vector);
    }
    let submit = step(&endpoints::BIND_PHONE, EditionKind::Ciam);
    for (id, code) in [
        ("code-white-space", "\t\n\u{c}\r 123456 \u{c}\r\n\t"),
        ("code-inner-space", "12 34"),
        ("code-nbsp", "\u{a0}1234"),
    ] {
        vectors.add(&format!("inputs/{id}"), with(submit.clone(), "inputs", &json!({ "verify_code": code })));
    }
    for (id, x) in [
        ("whole", 237.0),
        ("half", 237.5),
        ("zero", 0.0),
        ("small", 0.125),
        ("large", 123_456.75),
        ("without-exponent", 1e15),
        ("positive-exponent", 1e16),
        ("smallest-without-exponent", 0.0001),
        ("negative-exponent", 0.000_012_5),
    ] {
        let vector = with(step(&endpoints::CAPTCHA_VERIFY, EditionKind::Ciam), "inputs", &json!({ "x": x }));
        vectors.add(&format!("inputs/captcha-x/{id}"), vector);
    }
    let picture = json!({ "token": " 389c21b3 ", "picture": PNG });
    let mut at_the_edge = step(&endpoints::CAPTCHA_VERIFY, EditionKind::Ciam);
    at_the_edge["from"]["holds"] = picture;
    vectors.add("inputs/captcha-x/edge", with(at_the_edge, "inputs", &json!({ "x": 2 })));
    let jpeg = json!({ "token": "389c21b3", "picture": JPEG });
    let mut in_a_jpeg = step(&endpoints::CAPTCHA_VERIFY, EditionKind::Ciam);
    in_a_jpeg["from"]["holds"] = jpeg;
    vectors.add("inputs/captcha-x/jpeg", with(in_a_jpeg, "inputs", &json!({ "x": 300 })));
    let all = json!({
        "user_name": "zhangsan", "name": "张三", "pwd": "Passw0rd!", "head_img": "https://example.com/a.png",
        "attr_gender": "unknow", "attr_birthday": "2000-02-29", "attr_nick_name": "San", "first_name": "San",
        "middle_name": "M", "last_name": "Zhang", "mailing_address": "1 Street", "zip_code": "100000",
        "industry": "IT", "extension": { "a": [1, 2.5, null, true], "b": "\"" },
    });
    for (row, email) in
        [(&endpoints::REGISTRATION_PHONE, Some("z@example.com")), (&endpoints::REGISTRATION_EMAIL, None)]
    {
        let mut attributes = all.clone();
        if let Some(email) = email {
            attributes["email"] = email.into();
        }
        let mut vector = step(row, EditionKind::Ciam);
        vector["from"]["holds"]["attributes"] = attributes;
        vectors.add(&format!("inputs/all-attributes/{}", name(row)), vector);
        let mut none = step(row, EditionKind::Ciam);
        none["from"]["holds"]["attributes"] = json!({});
        vectors.add(&format!("inputs/no-attributes/{}", name(row)), none);
    }
    // A step of each origin that can come to it.
    for origin in ["SocialApp", "Account"] {
        let mut vector = bind.clone();
        vector["from"]["origin"] = origin.into();
        vectors.add(&format!("origin/{origin}"), vector);
    }
    let odd_token = json!({ "state_token": "a token\twith é" });
    let mut vector = bind;
    vector["from"]["holds"] = odd_token;
    vectors.add("inputs/odd-state-token", vector);
    assert_eq!(SendType::ALL.len(), 13, "a new send type needs a row, which the walk of the table has");
}
