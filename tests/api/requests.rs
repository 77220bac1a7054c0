//! What each step sends, from the endpoint table: no row without a snapshot.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use idaas_login::endpoints::{self, Credential, Endpoint, FieldKind};
use idaas_login::{
    CaptchaPass, Client, Edition, Error, Outcome, Recovery, RegistrationAttributes, Request, WechatCodeField,
};
use support::{CLIENT_ID, STATE_TOKEN, SUCCESS, client, device, response};

#[test]
fn every_step_sends_what_its_page_documents() {
    for row in endpoints::ALL {
        snapshot!(
            "requests",
            support::name(row),
            support::text(&support::request_of(row, support::edition(row)))
        );
    }
}

#[test]
fn a_bind_in_each_edition() {
    let row = &endpoints::BIND_USERNAME_PASSWORD;
    let isv = || Edition::OneAccessIsv { tenant_id: "8f1c2a".to_owned() };
    snapshot!("requests", "edition_eiam", support::text(&support::request_of(row, Edition::Eiam)));
    snapshot!("requests", "edition_oneaccess", support::text(&support::request_of(row, Edition::OneAccess)));
    snapshot!("requests", "edition_oneaccess_isv", support::text(&support::request_of(row, isv())));
}

#[test]
fn every_request_agrees_with_its_row() {
    for row in endpoints::ALL {
        let request = support::request_of(row, support::edition(row));
        let name = support::name(row);
        assert_eq!(request.method(), http::Method::from(row.verb), "{name}");
        assert_eq!(request.uri().path(), row.path, "{name}");
        assert_eq!(request.uri().query(), None, "{name}");
        let headers = request.headers();
        let session_token = headers.get("session-token").is_some_and(|token| token == support::SESSION_TOKEN);
        assert_eq!(session_token, row.credential == Credential::SessionToken, "{name}");
        let has_state_token = headers.get("x-state-token").is_some_and(|token| token == STATE_TOKEN);
        assert_eq!(has_state_token, row.credential == Credential::StateToken, "{name}");
        for required in
            ["x-operating-sys-version", "x-device-fingerprint", "x-agent", "x-client-id", "content-type"]
        {
            assert_eq!(headers.get_all(required).iter().count(), 1, "{name}: {required}");
        }
        if row.fields.is_empty() {
            assert_eq!(request.body(), b"", "{name}");
            continue;
        }
        let body: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(request.body()).unwrap();
        let required = row.fields.iter().map(|field| field.name);
        assert!(required.clone().all(|field| body.contains_key(field)), "{name}: {body:?}");
        let documented = |key: &String| row.all_fields().any(|field| field.name == key);
        assert!(body.keys().all(documented), "{name}: {body:?}");
        if let Some(send_type) = body.get("type") {
            assert_eq!(send_type, row.send_type.unwrap().as_str(), "{name}");
        }
    }
}

#[test]
fn headers_that_hold_a_token_are_marked_sensitive() {
    for row in endpoints::ALL {
        let request = support::request_of(row, support::edition(row));
        let printed = format!("{:?}", request.headers());
        for secret in [STATE_TOKEN, "156aysdna213sc50", "192.168.1.2"] {
            assert!(!printed.contains(secret), "{}: {printed}", support::name(row));
        }
    }
}

#[test]
fn optional_headers_are_left_out() {
    let seen = Arc::new(Mutex::new(None));
    let slot = Arc::clone(&seen);
    let client = client(move |request: Request| {
        *slot.lock().unwrap() = Some(request);
        Ok(response(200, SUCCESS))
    });
    let bare = idaas_login::Device::new("Android 10", "156aysdna213sac", "Mozilla/5.0").unwrap();
    let _ = client.login(bare).wechat_mini_program("091z").send().unwrap();
    let request = seen.lock().unwrap().take().unwrap();
    snapshot!("requests", "optional_headers_left_out", support::text(&request));
}

#[test]
fn the_wechat_field_can_be_renamed() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let slot = Arc::clone(&seen);
    let client = Client::builder("https://acme.example.com", CLIENT_ID)
        .wechat_code_field(WechatCodeField::WchatCode)
        .build_with(move |request: Request| {
            let first = slot.lock().unwrap().is_empty();
            slot.lock().unwrap().push(request);
            Ok(response(200, if first { support::SOCIAL_BIND } else { SUCCESS }))
        })
        .unwrap();
    let _ = support::pending_bind(&client).wechat_mobile("6213b8e3").send().unwrap();
    let bodies: Vec<_> = seen.lock().unwrap().iter().map(|request| request.body().clone()).collect();
    assert_eq!(
        bodies,
        [
            br#"{"code":"091zQTFa1i6qMC02AWFa1Vzt0O0zQTF8"}"#.to_vec(),
            br#"{"wchat_code":"6213b8e3"}"#.to_vec()
        ]
    );
}

/// Codes are trimmed, everything else is sent as given.
#[test]
fn only_codes_are_trimmed() {
    let client = client(|_: Request| Ok(response(200, support::SOCIAL_BIND)));
    let body = |request: Request| String::from_utf8(request.into_body()).unwrap();
    let (request, _) = support::pending_bind(&client)
        .username_password(" zhangshan ", " pass\tword\" ")
        .into_request()
        .unwrap();
    assert_eq!(body(request), r#"{"user_name":" zhangshan ","password":" pass\tword\" "}"#);
    let (request, _) = support::pending_bind(&client)
        .phone("+86-152 0165")
        .unwrap()
        .submit("\t1234 \n")
        .into_request()
        .unwrap();
    assert_eq!(body(request), r#"{"mobile":"+86-152 0165","verify_code":"1234"}"#);
}

/// Every step that takes an input refuses one that cannot be right, before anything is sent.
#[test]
#[allow(clippy::too_many_lines)] // It is a list.
fn an_input_that_cannot_be_right_hands_the_stage_back_unsent() {
    let answered = |body: &'static str| {
        client(move |request: Request| {
            let logins = [&endpoints::LOGIN_WECHAT_MINI_PROGRAM, &endpoints::LOGIN_ALIPAY_MINI_PROGRAM];
            assert!(logins.iter().any(|row| row.path == request.uri().path()), "nothing else may be sent");
            Ok(response(200, body))
        })
    };
    let client = answered(support::SOCIAL_BIND);
    let registering = answered(support::USER_REGISTER);
    let second = answered(support::MFA_AUTH);
    let warned = answered(support::PASSWORD_WARN);
    let too_late = answered(support::PASSWORD_EXPIRED);
    let bind = || support::pending_bind(&client);
    let register = || support::pending_register(&registering);
    let mfa = || support::mfa_required(&second);
    let expiring = || match support::log_in(&warned) {
        Outcome::PasswordExpiring(stage) => stage,
        other => panic!("{other:?}"),
    };
    let expired = || match support::log_in(&too_late) {
        Outcome::PasswordExpired(stage) => stage,
        other => panic!("{other:?}"),
    };
    let eiam = Client::builder("https://acme.example.com", CLIENT_ID).edition(Edition::Eiam);
    let eiam = eiam.build_with(|_: Request| Ok(response(200, support::PASSWORD_EXPIRED))).unwrap();
    let by_code = || match support::log_in(&eiam) {
        Outcome::PasswordExpired(stage) => stage,
        other => panic!("{other:?}"),
    };
    let login = || client.login(device());
    let plain = RegistrationAttributes::new;
    let mut seen = Vec::new();
    let mut rows = Vec::new();
    let mut check = |row: Option<&'static Endpoint>, failed: Option<(Error, bool)>| {
        let (error, retry) = failed.expect("it must be refused");
        assert!(matches!(error, Error::InvalidInput(_)), "{error:?}");
        assert!(retry, "{error}");
        seen.push(error.to_string());
        rows.extend(row);
    };
    macro_rules! refused {
        ($step:expr) => {{
            let failed = $step.send().err();
            let row = failed.as_ref().map(|failed| failed.endpoint());
            if let (Some(failed), Some(row)) = (&failed, row) {
                let expected = if row.spends_platform_code() { "fresh_platform_code" } else { "ask_again" };
                assert_eq!(failed.advice().name(), expected, "{failed}");
            }
            let parts = failed.map(|failed| {
                let (error, recovery) = failed.into_parts();
                (error, matches!(recovery, Recovery::Retry(_)))
            });
            check(row, parts)
        }};
    }
    refused!(client.login(device()).wechat_mini_program(" \t"));
    refused!(client.login(device()).wechat_mini_program("09\n1z"));
    refused!(bind().wechat_mobile(""));
    refused!(bind().username_password("", "secret-canary"));
    refused!(bind().username_password("zhang\0shan", "secret-canary"));
    refused!(bind().username_password("zhangshan", ""));
    refused!(bind().phone("").unwrap().submit("123456"));
    refused!(bind().phone("152\r\n0165").unwrap().submit("123456"));
    refused!(bind().email("a@b.c").unwrap().submit(" "));
    refused!(client.login(device()).wechat_mini_program_mobile(""));
    refused!(client.login(device()).alipay_mini_program(""));
    refused!(register().wechat_mobile(" "));
    refused!(register().phone("152").unwrap().submit(""));
    refused!(register().email("a\0@b.c").unwrap().submit("123456"));
    refused!(mfa().phone("152").submit("12\t3456"));
    refused!(mfa().email("").submit("123456"));
    let alipay = |client: &Client| client.login(device()).alipay_mini_program("4b2").send().unwrap();
    if let Outcome::PendingBind(stage) = alipay(&client) {
        refused!(stage.alipay_mobile(""));
    }
    if let Outcome::PendingRegister(stage) = alipay(&registering) {
        refused!(stage.alipay_mobile(""));
    }
    refused!(login().username_password("", "secret-canary"));
    refused!(login().username_password("zhangshan", ""));
    refused!(login().identifier_password("zhang\nshan", "secret-canary"));
    refused!(login().wechat_app(" "));
    refused!(login().alipay_app(""));
    refused!(login().qq("", "D892"));
    refused!(login().qq("8B11", ""));
    refused!(login().weibo("8B11", "u\0id"));
    refused!(login().apple("\n"));
    refused!(login().carrier_one_tap(""));
    refused!(login().phone("").submit("123456"));
    refused!(login().phone("152").submit(""));
    refused!(login().email("a@b.c\r\n").submit("123456"));
    refused!(login().register(plain()).phone("152").submit(" "));
    refused!(login().register(plain()).email("").submit("123456"));
    refused!(login().register(plain().user_name("")).phone("152").submit("123456"));
    refused!(login().register(plain().name("Han\u{7}")).phone("152").submit("123456"));
    refused!(login().register(plain().password("")).phone("152").submit("123456"));
    refused!(login().register(plain().birthday("31.12.1990")).phone("152").submit("123456"));
    refused!(login().register(plain().birthday("1990-02-29")).phone("152").submit("123456"));
    refused!(login().register(plain().extension("18")).phone("152").submit("123456"));
    refused!(login().register(plain().extension(serde_json::json!([1]))).email("a@b.c").submit("123456"));
    refused!(login().register(plain().email("other@b.c")).email("a@b.c").submit("123456"));
    refused!(login().reset_password().phone("152").submit("123456", ""));
    refused!(login().reset_password().phone("").submit("123456", "new"));
    refused!(login().reset_password().email("a@b.c").submit("", "new"));
    refused!(expiring().change_password("", "new"));
    refused!(expired().change_password("old", ""));
    refused!(by_code().phone("152").submit("", "new"));
    refused!(by_code().email("a@b.c").submit("123456", ""));
    for row in support::flow_rows().filter(|row| !row.fields.is_empty()) {
        let name = support::name(row);
        assert!(rows.contains(&row), "tests/api/requests.rs: no input of {name} is refused: add one");
    }
    snapshot!("errors", "invalid_input", seen.join("\n"));
}

/// A body fits its buffer exactly: a buffer that grew would have left a copy of the password behind.
#[test]
fn a_body_never_outgrows_its_buffer() {
    let client = client(|_: Request| Ok(response(200, support::SOCIAL_BIND)));
    for password in ["password", "\"\\\u{1}\u{7f}\u{e9}\u{1f600}\n\t", &"\u{0}\"".repeat(500)] {
        let (request, _) =
            support::pending_bind(&client).username_password("zhangshan", password).into_request().unwrap();
        let body = request.into_body();
        let sent: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(sent["password"], password);
        assert!(body.capacity() - body.len() <= password.len() * 6, "{} of {}", body.len(), body.capacity());
        let fields = endpoints::BIND_USERNAME_PASSWORD.fields;
        assert!(fields.iter().any(|field| field.kind == FieldKind::Opaque));
    }
}

#[test]
fn a_device_refuses_what_a_header_cannot_carry() {
    use idaas_login::Device;
    let mut errors = Vec::new();
    for (version, fingerprint, agent) in [
        ("", "f", "a"),
        ("v\r\nX-Injected: 1", "f", "a"),
        ("v", "", "a"),
        ("v", "f\n", "a"),
        ("v", "f", ""),
        ("v", "f", "a\0"),
    ] {
        errors.push(Device::new(version, fingerprint, agent).unwrap_err().to_string());
    }
    errors.push(device().with_language("zh\n").unwrap_err().to_string());
    errors.push(device().with_language("").unwrap_err().to_string());
    snapshot!("errors", "device", errors.join("\n"));
}

#[test]
fn a_base_address_is_https_and_a_host() {
    let build = |address: &str, loopback: bool| {
        let builder = Client::builder(address, CLIENT_ID);
        let builder = if loopback { builder.allow_loopback_http() } else { builder };
        builder.build_with(|_: Request| -> Result<_, _> { unreachable!("building sends nothing") })
    };
    for good in [
        "https://acme.example.com",
        "https://acme.example.com/",
        "https://acme.example.com:8443",
        "https://[::1]:8443",
    ] {
        build(good, false).unwrap();
    }
    for good in [
        "http://127.0.0.1:8080",
        "http://localhost:8080",
        "http://[::1]:8080",
        "http://127.1.2.3",
        "http://LOCALHOST",
    ] {
        build(good, true).unwrap();
    }
    let mut errors = String::new();
    for bad in [
        "",
        "acme.example.com",
        "https://",
        "https://acme.example.com/api",
        "https://acme.example.com?x=1",
        "https://user:pw@acme.example.com",
        "ftp://acme.example.com",
        "http://acme.example.com",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "https://acme.example.com#fragment",
        "https://acme.example.com/#fragment",
        "https://acme.example.com:99999",
        "https://acme.example.com:abc",
        "https://acme.example.com:",
        "http://127.0.0.1:99999",
        "https://[::1]:70000",
        "https://[::1]acme.example.com:443",
        "https://acme.example.com:+443",
        "https://ac me.example.com",
        "https://acme.example.com\r\nx",
    ] {
        let error = build(bad, true).unwrap_err().to_string();
        writeln!(errors, "{bad:?}: {error}").unwrap();
    }
    let error = build("http://127.0.0.1:8080", false).unwrap_err();
    writeln!(errors, "http://127.0.0.1:8080, not allowed: {error}").unwrap();
    let error =
        Client::builder("https://acme.example.com", "id\n").build_with(support::always(200, "")).unwrap_err();
    writeln!(errors, "client id with a line break: {error}").unwrap();
    let error = Client::builder("https://acme.example.com", CLIENT_ID)
        .edition(Edition::OneAccessIsv { tenant_id: String::new() })
        .build_with(support::always(200, ""))
        .unwrap_err();
    writeln!(errors, "empty tenant id: {error}").unwrap();
    snapshot!("errors", "base_address", errors);
}

/// Attributes that no registration can have are found before a code is sent, which costs a message.
#[test]
fn attributes_are_checked_before_a_code_is_asked_for() {
    let client = client(|_: Request| panic!("nothing may be sent"));
    let pass = CaptchaPass::from_token("152", "71dd26999e314f9abb0c335636976635---");
    for (attributes, field) in [
        (RegistrationAttributes::new().birthday("1990-13-01"), "attr_birthday"),
        (RegistrationAttributes::new().extension(true), "extension"),
        (RegistrationAttributes::new().nick_name(""), "attr_nick_name"),
        (RegistrationAttributes::new().nick_name("a\u{7}"), "attr_nick_name"),
        // A control character that ASCII does not have, beside nothing that ASCII has.
        (RegistrationAttributes::new().nick_name("韩\u{85}梅"), "attr_nick_name"),
    ] {
        let stage = client.login(device()).register(attributes).phone("152");
        let Err(Error::InvalidInput(invalid)) = stage.send_code(&pass).send() else { panic!("{field}") };
        assert_eq!(invalid.field(), field);
        // The stage is there still, and its attributes can be mended, here and in the stage before.
        let stage = stage.with_attributes(RegistrationAttributes::new());
        assert!(stage.send_code(&pass).into_request().is_ok());
        let stage = stage.back().with_attributes(RegistrationAttributes::new().nick_name("")).phone("152");
        assert!(stage.send_code(&pass).into_request().is_err());
    }
}

/// Every day that there is, and none that there is not.
#[test]
fn a_birthday_is_a_day_of_the_calendar() {
    let client = client(|_: Request| Ok(response(200, SUCCESS)));
    let accepts = |birthday: &str| {
        let attributes = RegistrationAttributes::new().birthday(birthday);
        client.login(device()).register(attributes).phone("152").submit("1").into_request().is_ok()
    };
    for day in ["1990-12-31", "2000-02-29", "2023-02-28", "2024-02-29", "0001-01-01", "9999-04-30"] {
        assert!(accepts(day), "{day}");
    }
    for day in [
        "",
        "1990",
        "1990-12",
        "1990-12-32",
        "1990-00-10",
        "1990-01-00",
        "1900-02-29",
        "2023-02-29",
        "2023-04-31",
        "90-12-31",
        "1990-1-31",
        "1990-12-31 ",
        "+990-12-31",
        "1990-12-31-1",
        "1990/12/31",
        "１９９０-12-31",
    ] {
        assert!(!accepts(day), "{day}");
    }
}
