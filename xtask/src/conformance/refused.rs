//! Inputs that are refused before anything is sent.

use idaas_login::endpoints::{self, EditionKind, FieldKind, StageKind};
use serde_json::{Value, json};
use support::conformance::Kind;

use super::Vectors;
use super::requests::{name, step};

pub(super) fn vectors() -> Vectors {
    let mut vectors = Vectors::new(
        Kind::RefusedInputs,
        "What is refused before anything is sent: the kind of error, and the field that it names. The reason is for people.",
    );
    unsupported(&mut vectors);
    fields(&mut vectors);
    values(&mut vectors);
    settings(&mut vectors);
    vectors
}

/// A step that an edition does not have.
fn unsupported(vectors: &mut Vectors) {
    for row in endpoints::ALL {
        for edition in EditionKind::ALL {
            if row.in_edition(*edition).is_none() {
                let id = format!("unsupported/{edition}/{}", name(row));
                let refused = vectors.add(&id, step(row, *edition));
                assert_eq!(refused["refused"]["kind"], "unsupported", "{id}");
            }
        }
    }
}

/// Each field of each row, with what its kind refuses.
fn fields(vectors: &mut Vectors) {
    let long = "x".repeat(16 * 1024 + 1);
    for row in endpoints::ALL {
        let edition = EditionKind::ALL.iter().find(|edition| row.in_edition(**edition).is_some()).unwrap();
        for field in row.fields {
            let is_destination = matches!(row.from, StageKind::VerifyPhone(_) | StageKind::VerifyEmail(_))
                && matches!(field.name, "mobile" | "email");
            let bad: &[(&str, &str)] = match field.kind {
                FieldKind::SendType => continue,
                _ if field.name == "point_json" => continue,
                FieldKind::Code | FieldKind::PlatformCode => {
                    &[("empty", ""), ("blank", " \t\r\n"), ("control", "12\n34"), ("vt", "1234\u{b}")]
                }
                FieldKind::Text => &[("empty", ""), ("control", "a\u{7f}b"), ("c1-control", "a\u{85}b")],
                _ => &[("empty", "")],
            };
            let long = [("too-long", long.as_str())];
            // One row is enough for what is the same in all.
            let is_first = matches!(row.step, "wechat_mini_program" | "username_password");
            for (why, value) in bad.iter().chain(long.iter().filter(|_| is_first)) {
                let mut vector = step(row, *edition);
                match (row.from, field.name) {
                    _ if is_destination => vector["from"]["holds"]["destination"] = (*value).into(),
                    // The token of a captcha is what the tenant gave: an empty one is none.
                    (StageKind::Captcha, "token") => continue,
                    _ => vector["inputs"][field.name] = (*value).into(),
                }
                if is_destination && row.step == "send_code" {
                    vector["inputs"]["sender"] = (*value).into();
                }
                let id = format!("{}/{}/{why}", name(row), field.name);
                let refused = vectors.add(&id, vector);
                assert_eq!(refused["refused"]["field"], field.name, "{id}: {refused}");
            }
        }
    }
}

fn values(vectors: &mut Vectors) {
    let attribute = |attributes: Value| {
        let mut vector = step(&endpoints::REGISTRATION_PHONE, EditionKind::Ciam);
        vector["from"]["holds"]["attributes"] = attributes;
        vector
    };
    for (id, attributes) in [
        ("attr_birthday/no-such-day", json!({ "attr_birthday": "2001-02-29" })),
        ("attr_birthday/no-leap-century", json!({ "attr_birthday": "1900-02-29" })),
        ("attr_birthday/short", json!({ "attr_birthday": "1990-1-1" })),
        ("attr_birthday/month-13", json!({ "attr_birthday": "1990-13-01" })),
        ("attr_birthday/day-0", json!({ "attr_birthday": "1990-12-00" })),
        ("attr_birthday/with-time", json!({ "attr_birthday": "1990-12-31T00:00:00" })),
        ("extension/list", json!({ "extension": [1] })),
        ("extension/text", json!({ "extension": "{}" })),
        ("extension/null", json!({ "extension": null })),
        ("user_name/empty", json!({ "user_name": "" })),
        ("name/control", json!({ "name": "a\nb" })),
        ("pwd/empty", json!({ "pwd": "" })),
    ] {
        vectors.add(&format!("attributes/{id}"), attribute(attributes));
    }
    let mut by_email = step(&endpoints::REGISTRATION_EMAIL, EditionKind::Ciam);
    by_email["from"]["holds"]["attributes"] = json!({ "email": "another@example.com" });
    vectors.add("attributes/email/of-a-registration-by-email", by_email);
    // What cannot be submitted is refused before a code is sent for it.
    let mut before = step(&endpoints::SEND_REGISTRATION_SMS, EditionKind::Ciam);
    before["from"]["holds"]["attributes"] = json!({ "attr_birthday": "soon" });
    vectors.add("attributes/before-a-code-is-sent", before);

    let mut sender = step(&endpoints::SEND_BIND_SMS, EditionKind::Ciam);
    sender["inputs"]["sender"] = "13800138000".into();
    vectors.add("captcha_token/of-another-destination", sender);
    let solve = |holds: Value, x: f64| {
        let mut vector = step(&endpoints::CAPTCHA_VERIFY, EditionKind::Ciam);
        vector["from"]["holds"] = holds;
        vector["inputs"]["x"] = json!(x);
        vector
    };
    let picture = || json!({ "token": "389c21b3", "picture": super::requests::PNG });
    vectors.add("x/negative", solve(json!({ "token": "389c21b3" }), -1.0));
    vectors.add("x/beyond-the-picture", solve(picture(), 2.5));
    let jpeg = json!({ "token": "389c21b3", "picture": super::requests::JPEG });
    vectors.add("x/beyond-a-jpeg", solve(jpeg, 300.5));
    // The name of the field is that of the step's input, however it is spelled for the tenant.
    let mut spelled = step(&endpoints::BIND_WECHAT_MOBILE, EditionKind::Eiam);
    spelled["client"]["wechat_code_field"] = "wchat_code".into();
    spelled["inputs"]["wechat_code"] = "".into();
    vectors.add("wechat_code/spelled-wchat_code", spelled);

    let data = r#"{"socialBindOrRegisterFlow":["VERIFY_PHONE"]}"#;
    for (id, stage, data, step, field) in [
        ("email", "PendingBind", data, "email", "email"),
        ("email-register", "PendingRegister", data, "email", "email"),
        ("none", "PendingBind", r#"{"socialBindOrRegisterFlow":[]}"#, "phone", "mobile"),
    ] {
        let vector = json!({
            "from": { "stage": stage, "holds": { "state_token": "t1", "data": data } },
            "step": step, "inputs": { field: "x" },
        });
        vectors.add(&format!("not-allowed/{id}"), vector);
    }
    for (id, token) in [
        ("empty", ""),
        ("blank", " \t"),
        ("space-around", " s1"),
        ("control", "s\u{1}1"),
        ("line-break", "s1\r\nX-evil: 1"),
        ("del", "s1\u{7f}"),
        ("too-long", &"s".repeat(16 * 1024 + 1)),
    ] {
        let vector =
            json!({ "from": { "stage": "Client" }, "step": "session", "inputs": { "session_token": token } });
        vectors.add(&format!("session_token/{id}"), vector);
    }
    for (edition, row) in
        [(EditionKind::OneAccess, &endpoints::RENEW_ID_TOKEN), (EditionKind::OneAccess, &endpoints::LOGOUT)]
    {
        let mut vector = step(row, edition);
        vector["client"].as_object_mut().unwrap().remove("signs_at");
        vectors.add(&format!("unsigned/{}", name(row)), vector);
        let mut long = step(row, edition);
        long["from"]["holds"]["session_token"] = "s".repeat(200).into();
        vectors.add(&format!("too-long-to-sign/{}", name(row)), long);
    }
    // The order of the checks: the edition, the body, the token.
    let mut both = step(&endpoints::LOGIN_QQ, EditionKind::Eiam);
    both["inputs"]["open_id"] = "".into();
    vectors.add("order/edition-before-input", both);
    let mut attributes = step(&endpoints::REGISTRATION_PHONE, EditionKind::Eiam);
    attributes["from"]["holds"]["attributes"] = json!({ "pwd": "" });
    vectors.add("order/attributes-before-edition", attributes);
    let mut sender = step(&endpoints::SEND_BIND_EMAIL, EditionKind::OneAccess);
    sender["inputs"]["sender"] = "another@example.com".into();
    vectors.add("order/sender-before-edition", sender);
    let mut fields = step(&endpoints::LOGIN_QQ, EditionKind::Ciam);
    fields["inputs"] = json!({ "access_token": "", "open_id": "" });
    vectors.add("order/first-field-first", fields);
}

fn settings(vectors: &mut Vectors) {
    let login = || step(&endpoints::LOGIN_WECHAT_MINI_PROGRAM, EditionKind::Ciam);
    let long = "a".repeat(1025);
    for (id, address) in [
        ("empty", ""),
        ("no-scheme", "acme.example.com"),
        ("scheme-relative", "//acme.example.com"),
        ("another-scheme", "ftp://acme.example.com"),
        ("http", "http://acme.example.com"),
        ("loopback-http-not-allowed", "http://127.0.0.1"),
        ("path", "https://acme.example.com/idaas"),
        ("query", "https://acme.example.com?x=1"),
        ("fragment", "https://acme.example.com/#x"),
        ("user", "https://user@acme.example.com"),
        ("user-and-password", "https://user:secret@acme.example.com"),
        ("port-0", "https://acme.example.com:0"),
        ("port-65536", "https://acme.example.com:65536"),
        ("port-text", "https://acme.example.com:https"),
        ("no-host", "https://:8443"),
        ("empty-label", "https://acme..example.com"),
        ("space", "https://acme example.com"),
        ("space-around", " https://acme.example.com"),
        ("non-ascii", "https://äcme.example.com"),
        ("octal-address", "https://0177.1"),
        ("number-address", "https://2130706433"),
        ("hexadecimal-address", "https://0x7f.1"),
        ("bad-ipv6", "https://[::1::]"),
        ("label-of-64", &format!("https://{}.com", "a".repeat(64))),
    ] {
        let mut vector = login();
        vector["client"]["base_address"] = address.into();
        vectors.add(&format!("settings/base_address/{id}"), vector);
    }
    let mut elsewhere = login();
    elsewhere["client"]["base_address"] = "http://192.0.2.7".into();
    elsewhere["client"]["allow_loopback_http"] = true.into();
    vectors.add("settings/base_address/http-beyond-loopback", elsewhere);
    for (field, wrong) in [
        ("path_prefix", "idaas"),
        ("path_prefix", "/a?b=1"),
        ("path_prefix", "/a b"),
        ("path_prefix", "/a#b"),
        ("client_id", ""),
        ("client_id", "a\nb"),
        ("client_id", &long),
    ] {
        let mut vector = login();
        vector["client"][field] = wrong.into();
        vectors.add(&format!("settings/{field}/{}", words(wrong)), vector);
    }
    for wrong in ["", "a\r\nb", &long] {
        let mut vector = login();
        vector["client"] = json!({ "edition": "OneAccess", "tenant_id": wrong });
        vectors.add(&format!("settings/tenant_id/{}", words(wrong)), vector);
    }
    for field in ["operating_sys_version", "fingerprint", "agent", "language"] {
        for wrong in ["", "a\nb", "a\u{0}b", "a\u{7f}", &long] {
            let mut vector = login();
            vector["device"][field] = wrong.into();
            vectors.add(&format!("device/{field}/{}", words(wrong)), vector);
        }
    }
}

/// A name of a wrong value that does not depend on its place.
fn words(wrong: &str) -> String {
    match wrong {
        "" => "empty".to_owned(),
        "a\nb" | "a\r\nb" => "line-break".to_owned(),
        "a\u{0}b" => "nul".to_owned(),
        "a\u{7f}" => "del".to_owned(),
        "idaas" => "no-slash".to_owned(),
        "/a?b=1" => "query".to_owned(),
        "/a b" => "space".to_owned(),
        "/a#b" => "fragment".to_owned(),
        _ => "too-long".to_owned(),
    }
}
