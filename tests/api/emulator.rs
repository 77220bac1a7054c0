//! The emulator against the contract pages: every example request is accepted, every example response is given, value for
//! value, and what the pages say a tenant refuses is refused.

use std::time::Duration;

use http::StatusCode;
use idaas_login::emulator::{DataForm, Effect, Emulator, Fault, TokenKind, Unbound, User};
use idaas_login::endpoints::{self, Credential, Endpoint, FieldKind, Platform, SendType, StageKind};
use idaas_login::{Edition, Outcome, Recovery, Request, Response, Transport};
use serde_json::Value;
use support::{CLIENT_ID, device};

/// The token that the pages print as an example of each kind.
fn printed_tokens(kind: TokenKind) -> String {
    match kind {
        TokenKind::State => "eyJhbGcCJ9.eyJzdWMCJ9…tL2VPS8",
        TokenKind::Session => "btsiBjx85prcZu6I6Ki057Tmw3nSF2VO",
        _ => "eyJraWQn0.eyJpc3MiOiJodHR…g1A7jG8O0uw",
    }
    .to_owned()
}

/// A tenant that answers with the pages' values and prints their spaces.
fn as_printed() -> Emulator {
    let tenant = Emulator::new().with_tokens(printed_tokens);
    tenant.configure(|settings| settings.printed_spaces = true);
    tenant
}

/// With one seed a tenant gives the same codes, tokens and captchas each time; with another it gives others.
#[test]
fn a_seed_decides_what_the_tenant_makes() {
    let made = |seed| {
        let tenant = Emulator::new().with_seed(seed);
        let client = tenant.client().unwrap();
        let captcha = client.captcha(&support::device()).send().unwrap();
        let code = tenant.wechat_login_code("an-openid");
        let Ok(Outcome::PendingBind(stage)) =
            client.login(support::device()).wechat_mini_program(&code).send()
        else {
            panic!("nobody has bound this identity")
        };
        let (captcha, state_token) =
            (captcha.token().expose().to_owned(), stage.state_token().expose().to_owned());
        [captcha, code, state_token, tenant.issue_code("15201657312", SendType::BindMobileSms)]
    };
    let (one, other) = (made(1), made(2));
    assert_eq!(made(1), one);
    assert!(one.iter().zip(&other).all(|(one, other)| one != other), "{one:?} {other:?}");
}

/// A request as the pages print it: their headers, their body, byte for byte.
fn request(row: &Endpoint, body: &str, state_token: Option<&str>) -> Request {
    let mut request = http::Request::builder()
        .method(http::Method::from(row.verb))
        .uri(format!("https://acme.example.com{}", row.path))
        .header("X-operating-sys-version", "windows10.1.1")
        .header("X-device-fingerprint", "156aysdna213sc50")
        .header("X-device-ip", "192.168.1.2")
        .header("X-agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 13_3 like Mac OS X)")
        .header("X-L", "zh")
        .header("X-client-id", CLIENT_ID)
        .header("content-type", "application/json");
    if let Some(token) = state_token {
        request = request.header("X-state-token", token.as_bytes());
    }
    request.body(body.as_bytes().to_vec()).unwrap()
}

fn json(response: &Response) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

#[track_caller]
fn assert_answer(tenant: &Emulator, request: Request, http_status: u16, example: &str) {
    let answer = tenant.send(request).unwrap();
    assert_eq!(answer.status().as_u16(), http_status, "{}", json(&answer));
    assert_eq!(json(&answer), serde_json::from_str::<Value>(example).unwrap());
}

const LOGIN_REQUEST: &str = include_str!("../seeds/login_wechat_mini_program.request.json");
const DEAD: &str = include_str!("../seeds/bind_code.answer_400.json");

/// A tenant that has answered the page's login with `unbound`, and the state token of that response.
fn logged_in(unbound: Unbound, example: &str) -> (Emulator, String) {
    let tenant = as_printed();
    tenant.configure(|settings| settings.unbound = unbound);
    tenant.accept_login_code(Platform::WeChatMiniProgram, "091zQTFa1i6qMC02AWFa1Vzt0O0zQTF8", "an-openid");
    assert_answer(&tenant, request(&endpoints::LOGIN_WECHAT_MINI_PROGRAM, LOGIN_REQUEST, None), 200, example);
    (tenant, printed_tokens(TokenKind::State))
}

#[test]
fn page_001_wechat_mini_program_login() {
    let tenant = as_printed();
    tenant.add_user(User::new("zhangshan"));
    tenant.bind(Platform::WeChatMiniProgram, "an-openid", "zhangshan");
    tenant.accept_login_code(Platform::WeChatMiniProgram, "091zQTFa1i6qMC02AWFa1Vzt0O0zQTF8", "an-openid");
    assert_answer(
        &tenant,
        request(&endpoints::LOGIN_WECHAT_MINI_PROGRAM, LOGIN_REQUEST, None),
        200,
        include_str!("../seeds/login_wechat_mini_program.answer_200_1.json"),
    );
    // The register flow is printed without a space, the bind flow with one.
    logged_in(Unbound::Register, include_str!("../seeds/login_wechat_mini_program.answer_200_2.json"));
    logged_in(Unbound::Bind, include_str!("../seeds/login_wechat_mini_program.answer_200_3.json"));
}

/// A bind as its page prints it, and the same with a dead state token.
fn bind_page(row: &Endpoint, unbound: Unbound, body: &str, answer: &str, dead: &str, prepare: fn(&Emulator)) {
    let login = match unbound {
        Unbound::Bind => include_str!("../seeds/login_wechat_mini_program.answer_200_3.json"),
        Unbound::Register => include_str!("../seeds/login_wechat_mini_program.answer_200_2.json"),
    };
    let (tenant, state_token) = logged_in(unbound, login);
    prepare(&tenant);
    assert_answer(&tenant, request(row, body, Some("eyJhbcOiJ……nEPRiIC4we0")), 400, dead);
    assert_answer(&tenant, request(row, body, None), 400, dead);
    assert_answer(&tenant, request(row, body, Some(&state_token)), 200, answer);
    // It did its work: now it is dead.
    assert_answer(&tenant, request(row, body, Some(&state_token)), 400, dead);
}

#[test]
fn page_000_bind_by_user_name_and_password() {
    bind_page(
        &endpoints::BIND_USERNAME_PASSWORD,
        Unbound::Bind,
        include_str!("../seeds/bind_username_password.request.json"),
        include_str!("../seeds/bind_username_password.answer_200.json"),
        include_str!("../seeds/bind_username_password.answer_400.json"),
        |tenant| tenant.add_user(User::new("zhangshan").password("password")),
    );
}

#[test]
fn page_002_bind_by_the_number_that_wechat_authorised() {
    bind_page(
        &endpoints::BIND_WECHAT_MOBILE,
        Unbound::Bind,
        include_str!("../seeds/bind_wechat_mobile.request.json"),
        include_str!("../seeds/bind_wechat_mobile.answer_200.json"),
        include_str!("../seeds/bind_wechat_mobile.answer_400.json"),
        |tenant| {
            tenant.add_user(User::new("zhangshan").mobile("+86-15201657312"));
            tenant.accept_phone_code(
                Platform::WeChatMiniProgram,
                "6213b8e364d3f0eaf7cf196bfe49675553b4919d6e664b70d5eaa6cbf8531afe",
                "15201657312",
            );
        },
    );
}

#[test]
fn page_003_bind_by_mobile_or_email_and_code() {
    bind_page(
        &endpoints::BIND_PHONE,
        Unbound::Bind,
        include_str!("../seeds/bind_code.request_1.json"),
        include_str!("../seeds/bind_code.answer_200.json"),
        DEAD,
        |tenant| {
            tenant.add_user(User::new("zhangsan").mobile("11012345678"));
            tenant.accept_code("11012345678", SendType::BindMobileSms, "232326");
        },
    );
    bind_page(
        &endpoints::BIND_EMAIL,
        Unbound::Bind,
        include_str!("../seeds/bind_code.request_2.json"),
        include_str!("../seeds/bind_code.answer_200.json"),
        DEAD,
        |tenant| {
            tenant.add_user(User::new("zhangsan").email("zhangsan@qq.com"));
            tenant.accept_code("zhangsan@qq.com", SendType::BindEmailEms, "123456");
        },
    );
}

#[test]
fn page_004_bind_or_register_by_mobile_or_email_and_code() {
    bind_page(
        &endpoints::REGISTER_PHONE,
        Unbound::Register,
        include_str!("../seeds/register_code.request_1.json"),
        include_str!("../seeds/register_code.answer_200.json"),
        include_str!("../seeds/register_code.answer_400.json"),
        |tenant| tenant.accept_code("11012345678", SendType::RegisterSms, "232326"),
    );
    bind_page(
        &endpoints::REGISTER_EMAIL,
        Unbound::Register,
        include_str!("../seeds/register_code.request_2.json"),
        include_str!("../seeds/register_code.answer_200.json"),
        include_str!("../seeds/register_code.answer_400.json"),
        |tenant| tenant.accept_code("zhangsan@qq.com", SendType::RegisterEms, "123456"),
    );
}

/// The error code that a request is refused with.
fn refused(tenant: &Emulator, request: Request) -> String {
    let answer = tenant.send(request).unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    json(&answer)["error_code"].as_str().unwrap_or_else(|| panic!("{}", json(&answer))).to_owned()
}

fn value(row: &Endpoint, kind: FieldKind) -> &'static str {
    if kind == FieldKind::SendType { row.send_type.unwrap().as_str() } else { "x" }
}

#[test]
fn every_row_of_the_table_is_served_and_needs_its_headers() {
    for row in endpoints::ALL {
        for edition in [Edition::Ciam, Edition::Eiam, Edition::OneAccess] {
            if !support::is_supported(row, &edition) {
                continue;
            }
            let tenant = Emulator::new();
            tenant.configure(|settings| settings.edition = edition.clone());
            let name = support::name(row);
            let fields: serde_json::Map<_, _> = row
                .fields
                .iter()
                .map(|field| (field.name.to_owned(), value(row, field.kind).into()))
                .collect();
            let body = Value::Object(fields).to_string();
            // An edition may have another path.
            let path = row.in_edition(edition.kind()).unwrap().path;
            let request = |row: &Endpoint, body: &str, state_token: Option<&str>| {
                let mut request = request(row, body, state_token);
                *request.uri_mut() = format!("https://acme.example.com{path}").parse().unwrap();
                request
            };
            let without = |header: &str| {
                let mut request = request(row, &body, Some("x"));
                request.headers_mut().remove(header);
                refused(&tenant, request)
            };
            // CIAM and OneAccess have the same numbers, with and without the prefix; EIAM has its own.
            let (family, eiam) = match edition {
                Edition::Ciam => ("IDAAS.SDK.", false),
                Edition::Eiam => ("", true),
                _ => ("", false),
            };
            let of = |number: &str, of_eiam: &str| {
                if eiam { of_eiam.to_owned() } else { format!("{family}{number}") }
            };
            assert_eq!(without("x-client-id"), of("PARAM.0002", "SDK.COMMON.1001"), "{name}");
            let device = of("PARAM.0001", "SDK.COMMON.1003");
            for header in ["x-operating-sys-version", "x-device-fingerprint", "x-agent"] {
                assert_eq!(without(header), device, "{name}");
            }
            assert_eq!(without("content-type"), "SDK.COMMON.1002", "{name}");
            if row.credential == Credential::StateToken {
                let dead = match row.from.before_narrowing() {
                    StageKind::MfaRequired => of("COMMON.1007", "SDK.COMMON.1007"),
                    StageKind::PasswordExpiring | StageKind::PasswordExpired => {
                        of("PARAM.0014", "SDK.COMMON.1007")
                    }
                    _ => of("COMMON.1007", "IDAAS.SDK.COMMON.1007"),
                };
                assert_eq!(without("x-state-token"), dead, "{name}");
            }
            for field in row.fields {
                let mut fields: serde_json::Map<String, Value> = serde_json::from_str(&body).unwrap();
                fields.insert(field.name.to_owned(), " ".into());
                let request = request(row, &Value::Object(fields).to_string(), Some("x"));
                let blank = match field.name {
                    "point_json" => of("PARAM.0004", "SDK.COMMON.1001"),
                    "token" | "captcha_token" => of("PARAM.0005", "SDK.COMMON.1001"),
                    "verify_code" => of("PARAM.0009", "SDK.COMMON.1001"),
                    _ => "SDK.COMMON.1001".to_owned(),
                };
                assert_eq!(refused(&tenant, request), blank, "{name}: {}", field.name);
            }
            let mut other_application = request(row, &body, Some("x"));
            other_application.headers_mut().insert("x-client-id", http::HeaderValue::from_static("another"));
            let other = match edition {
                Edition::OneAccess => "APP.0001",
                Edition::Eiam => "SDK.COMMON.1012",
                _ => "IDAAS.SDK.PARAM.0003",
            };
            assert_eq!(refused(&tenant, other_application), other, "{name}");
            if !row.fields.is_empty() {
                assert_eq!(
                    refused(&tenant, request(row, "not json", Some("x"))),
                    "SDK.COMMON.1002",
                    "{name}"
                );
            }
            let mut wrong_method = request(row, &body, Some("x"));
            *wrong_method.method_mut() = http::Method::PUT;
            assert_eq!(tenant.send(wrong_method).unwrap().status(), 405, "{name}");
        }
    }
    let tenant = Emulator::new();
    let mut nowhere = request(&endpoints::BIND_PHONE, "{}", None);
    *nowhere.uri_mut() = "https://acme.example.com/api/v2/sdk/nowhere".parse().unwrap();
    assert_eq!(tenant.send(nowhere).unwrap().status(), 404);
}

fn bind_stage(tenant: &Emulator) -> idaas_login::PendingBind {
    bind_stage_of(tenant, "an-openid")
}

fn bind_stage_of(tenant: &Emulator, openid: &str) -> idaas_login::PendingBind {
    let code = tenant.wechat_login_code(openid);
    match tenant.client().unwrap().login(device()).wechat_mini_program(code).send().unwrap() {
        Outcome::PendingBind(stage) => stage,
        other => panic!("{other:?}"),
    }
}

/// What the caller holds after a step, and the code that it was refused with.
macro_rules! refusal {
    ($step:expr) => {{
        let (error, recovery) = $step.send().unwrap_err().into_parts();
        let idaas_login::Error::Refused(refusal) = error else { panic!("{error}") };
        (refusal.code().as_str().to_owned(), recovery)
    }};
}

#[test]
fn a_state_token_dies_of_age_of_use_and_on_another_device_or_tenant() {
    let tenant = Emulator::new();
    tenant.add_user(User::new("zhangshan").password("p"));

    let stage = bind_stage(&tenant);
    tenant.advance(Duration::from_secs(10 * 60 + 1));
    let (code, recovery) = refusal!(stage.username_password("zhangshan", "p"));
    assert_eq!(code, "IDAAS.SDK.COMMON.1007");
    assert!(matches!(recovery, Recovery::StartOver(_)));

    // Of another tenant.
    let token = bind_stage(&Emulator::new()).state_token().expose().to_owned();
    let body = r#"{"user_name":"zhangshan","password":"p"}"#;
    let request = |token: &str| request(&endpoints::BIND_USERNAME_PASSWORD, body, Some(token));
    assert_eq!(refused(&tenant, request(&token)), "IDAAS.SDK.COMMON.1007");

    // On another device.
    let token = bind_stage(&tenant).state_token().expose().to_owned();
    let mut elsewhere = request(&token);
    elsewhere.headers_mut().insert("x-device-fingerprint", http::HeaderValue::from_static("another"));
    assert_eq!(refused(&tenant, elsewhere), "IDAAS.SDK.COMMON.1007");

    // For a step of another stage.
    let body = r#"{"mobile":"152","verify_code":"1"}"#;
    let register = self::request(&endpoints::REGISTER_PHONE, body, Some(&token));
    assert_eq!(refused(&tenant, register), "IDAAS.SDK.COMMON.1007");

    // None of this hurt it.
    assert_eq!(tenant.send(request(&token)).unwrap().status(), 200);
    assert_eq!(refused(&tenant, request(&token)), "IDAAS.SDK.COMMON.1007");
}

#[test]
fn codes_are_for_one_use_one_scenario_and_a_while() {
    let tenant = Emulator::new();
    tenant.add_user(User::new("zhangshan").mobile("152"));
    let login = |code: &str| tenant.client().unwrap().login(device()).wechat_mini_program(code);
    let code = tenant.wechat_login_code("an-openid");
    let _ = login(&code).send().unwrap();
    assert_eq!(refusal!(login(&code)).0, "SDK.LOGIN.1001");
    let old = tenant.wechat_login_code("an-openid");
    tenant.advance(Duration::from_secs(5 * 60 + 1));
    assert_eq!(refusal!(login(&old)).0, "SDK.LOGIN.1001");

    let phone = || bind_stage(&tenant).phone("152").unwrap();
    // Requested for another scenario.
    let code = tenant.issue_code("152", SendType::RegisterSms);
    assert_eq!(tenant.last_code("+86-152").as_ref(), Some(&code));
    let (refused, recovery) = refusal!(phone().submit(&code));
    assert_eq!(refused, "IDAAS.SDK.CAPTCHA.0007");
    // The right one works with the very same stage.
    let Recovery::Retry(stage) = recovery else { panic!("the state token lives") };
    let code = tenant.issue_code("152", SendType::BindMobileSms);
    assert!(matches!(stage.submit(&code).send().unwrap(), Outcome::Authenticated(_)));
    assert_eq!(tenant.bound_user(Platform::WeChatMiniProgram, "an-openid").as_deref(), Some("zhangshan"));
}

#[test]
fn too_many_wrong_tries_lock_for_a_while() {
    let tenant = Emulator::new();
    tenant.add_user(User::new("zhangshan").password("right"));
    let mut stage = bind_stage(&tenant);
    for _ in 0..4 {
        let (code, recovery) = refusal!(stage.username_password("zhangshan", "wrong"));
        assert_eq!(code, "IDAAS.SDK.LOGIN.0002");
        let Recovery::Retry(again) = recovery else { panic!("the state token lives") };
        stage = again;
    }
    for password in ["wrong", "right"] {
        let (code, recovery) = refusal!(stage.username_password("zhangshan", password));
        assert_eq!(code, "IDAAS.SDK.LOGIN.0001");
        let Recovery::Retry(again) = recovery else { panic!("the state token lives") };
        stage = again;
    }
    tenant.configure(|settings| settings.state_token_lifetime = Duration::from_secs(3600));
    tenant.advance(Duration::from_secs(10 * 60));
    let outcome = stage.username_password("zhangshan", "right").send().unwrap();
    assert!(matches!(outcome, Outcome::Authenticated(_)));
}

#[test]
fn follow_on_stages_come_with_a_state_token_of_their_own_or_without() {
    for new_state_token in [true, false] {
        let tenant = Emulator::new();
        tenant.configure(|settings| settings.new_state_token = new_state_token);
        tenant.add_user(User::new("zhangshan").password("p").second_factor());
        let stage = bind_stage(&tenant);
        let before = stage.state_token().expose().to_owned();
        let outcome = stage.username_password("zhangshan", "p").send().unwrap();
        let Outcome::MfaRequired(stage) = outcome else { panic!("{outcome:?}") };
        assert_eq!(stage.state_token().expose() != before, new_state_token);
    }
}

#[test]
fn a_denied_user_ends_the_login() {
    let tenant = Emulator::new();
    tenant.add_user(User::new("zhangshan").password("p").denied());
    let failed = bind_stage(&tenant).username_password("zhangshan", "p").send().unwrap_err();
    assert!(matches!(failed.error(), idaas_login::Error::AccessDenied));
    assert!(matches!(failed.into_recovery(), Recovery::StartOver(_)));
}

#[test]
fn data_comes_in_every_form() {
    let tenant = Emulator::new();
    for (form, listed) in [
        (DataForm::Listed(vec!["VERIFY_EMAIL".to_owned()]), Some(1)),
        (DataForm::Null, None),
        (DataForm::Absent, None),
    ] {
        tenant.configure(|settings| settings.data = form);
        assert_eq!(bind_stage(&tenant).allowed_flows().listed().map(<[_]>::len), listed);
    }
}

/// The ledger tells what was really done, faults or not.
#[test]
fn the_ledger_tells_the_truth_about_lost_answers() {
    let tenant = Emulator::new();
    tenant.add_user(User::new("zhangshan").password("p"));
    let path = endpoints::BIND_USERNAME_PASSWORD.path;

    let stage = bind_stage(&tenant);
    let _ = tenant.take_ledger();
    tenant.fail_next(path, Fault::LoseRequest);
    tenant.fail_next(path, Fault::Respond { http_status: StatusCode::BAD_GATEWAY, body: String::new() });
    tenant.fail_next(path, Fault::LoseResponse);
    let unresolved = |stage: idaas_login::PendingBind| {
        let failed = stage.username_password("zhangshan", "p").send().unwrap_err();
        let Recovery::Unresolved(unresolved) = failed.into_recovery() else {
            panic!("the outcome is unknown")
        };
        (unresolved, tenant.take_ledger().pop().unwrap())
    };
    let (stage, lost) = unresolved(stage);
    assert_eq!((lost.http_status, lost.effects.len()), (None, 0));
    let (stage, lost) = unresolved(stage.retry_anyway());
    assert_eq!((lost.http_status, lost.effects.len()), (Some(StatusCode::BAD_GATEWAY), 0));
    let (stage, lost) = unresolved(stage.retry_anyway());
    assert_eq!(lost.http_status, None);
    assert_eq!(
        lost.effects,
        [
            Effect::Bound { user_name: "zhangshan".to_owned(), identity: "an-openid".to_owned() },
            Effect::Session { user_name: "zhangshan".to_owned() },
        ]
    );
    // It was carried out: starting over finds the account bound.
    let outcome =
        stage.start_over().wechat_mini_program(tenant.wechat_login_code("an-openid")).send().unwrap();
    let Outcome::Authenticated(user) = outcome else { panic!("{outcome:?}") };
    assert_eq!(tenant.session_user(user.session_token().expose()).as_deref(), Some("zhangshan"));
}

/// Two logins of one identity, both asked to bind: the faster one does, and the other one's state token is dead.
#[test]
fn an_identity_is_bound_once() {
    let tenant = Emulator::new();
    tenant.add_user(User::new("alice").password("a"));
    tenant.add_user(User::new("bob").password("b").mobile("152"));
    let [faster, slower, third] = [0; 3].map(|_| bind_stage(&tenant));
    let slower_token = slower.state_token().expose().to_owned();
    assert!(faster.username_password("alice", "a").send().is_ok());
    assert_eq!(tenant.pending(&slower_token), None);
    let (code, recovery) = refusal!(slower.username_password("bob", "b"));
    assert_eq!(code, "IDAAS.SDK.COMMON.1007");
    assert!(matches!(recovery, Recovery::StartOver(_)));
    assert_eq!(refusal!(third.wechat_mobile(tenant.wechat_phone_code("152"))).0, "IDAAS.SDK.COMMON.1007");
    assert_eq!(tenant.bound_user(Platform::WeChatMiniProgram, "an-openid").as_deref(), Some("alice"));
    let bound = |entry: &idaas_login::emulator::Entry| {
        entry.effects.iter().any(|effect| matches!(effect, Effect::Bound { .. }))
    };
    assert_eq!(tenant.ledger().iter().filter(|entry| bound(entry)).count(), 1);
}

#[test]
fn the_tenant_tells_what_a_state_token_stands_for() {
    let tenant = Emulator::new();
    tenant.add_user(User::new("bob").password("b").second_factor());
    let stage = bind_stage(&tenant);
    let bind = stage.state_token().expose().to_owned();
    assert_eq!(tenant.pending(&bind), Some(StageKind::PendingBind));
    let Ok(Outcome::MfaRequired(stage)) = stage.username_password("bob", "b").send() else {
        panic!("a factor")
    };
    assert_eq!(tenant.pending(&bind), None, "it did its work");
    assert_eq!(tenant.pending(stage.state_token().expose()), Some(StageKind::MfaRequired));
    tenant.configure(|settings| settings.unbound = Unbound::Register);
    let code = tenant.wechat_login_code("another");
    let outcome = tenant.client().unwrap().login(device()).wechat_mini_program(code).send();
    let Ok(Outcome::PendingRegister(stage)) = outcome else { panic!("{outcome:?}") };
    let register = stage.state_token().expose().to_owned();
    assert_eq!(tenant.pending(&register), Some(StageKind::PendingRegister));
    tenant.advance(Duration::from_secs(10 * 60 + 1));
    assert_eq!(tenant.pending(&register), None, "too old");
    assert_eq!(tenant.pending("another"), None);
}

/// What is over is forgotten when there is much of it, and nothing else is.
#[test]
fn a_tenant_that_served_many_forgets_nothing_that_lives() {
    let tenant = Emulator::new();
    tenant.add_user(User::new("bob").password("b").mobile("152"));
    let Ok(Outcome::Authenticated(user)) = bind_stage(&tenant).username_password("bob", "b").send() else {
        panic!("the password is right")
    };
    let serve_many = || {
        for number in 0..10_000 {
            tenant.accept_login_code(Platform::WeChatMiniProgram, format!("unused-{number}"), "nobody");
        }
    };
    serve_many();
    tenant.advance(Duration::from_secs(6 * 60));
    let stage = bind_stage_of(&tenant, "another");
    let verify_code = tenant.issue_code("152", SendType::BindMobileSms);
    let login_code = tenant.wechat_login_code("a-third");
    serve_many();
    assert!(stage.phone("152").unwrap().submit(verify_code).send().is_ok());
    assert!(tenant.client().unwrap().login(device()).wechat_mini_program(login_code).send().is_ok());
    assert_eq!(tenant.session_user(user.session_token().expose()).as_deref(), Some("bob"));
}

/// A state token of each kind, at each step that takes one: only the steps of its own stage are answered otherwise than
/// with a dead token.
#[test]
fn a_state_token_is_for_the_steps_of_its_own_stage() {
    use idaas_login::endpoints::Scenario;
    let kind = |from: StageKind| match from {
        StageKind::PendingBind
        | StageKind::VerifyPhone(Scenario::Bind)
        | StageKind::VerifyEmail(Scenario::Bind) => "bind",
        StageKind::PendingRegister
        | StageKind::VerifyPhone(Scenario::BindOrRegister)
        | StageKind::VerifyEmail(Scenario::BindOrRegister) => "register",
        StageKind::PasswordExpiring => "expiring password",
        StageKind::PasswordExpired => "expired password",
        // By a code, a password is changed in both stages.
        StageKind::VerifyPhone(Scenario::ChangePassword)
        | StageKind::VerifyEmail(Scenario::ChangePassword) => "password",
        _ => "second factor",
    };
    let is_dead = ["IDAAS.SDK.COMMON.1007", "IDAAS.SDK.PARAM.0014", "SDK.COMMON.1007"];
    for of_token in ["bind", "register", "second factor", "expiring password", "expired password"] {
        for platform in [Platform::WeChatMiniProgram, Platform::AlipayMiniProgram] {
            // EIAM alone has all steps of the password stages, and knows no Alipay.
            let eiam = of_token.contains("password") && platform == Platform::WeChatMiniProgram;
            let edition = if eiam { Edition::Eiam } else { Edition::Ciam };
            let takes_a_token = |row: &&&Endpoint| {
                row.credential == Credential::StateToken && row.in_edition(edition.kind()).is_some()
            };
            for row in endpoints::ALL.iter().filter(takes_a_token) {
                let (tenant, token) = waiting(of_token, platform, &edition);
                let fields: serde_json::Map<_, _> =
                    row.fields.iter().map(|field| (field.name.to_owned(), "x".into())).collect();
                let body = Value::Object(fields).to_string();
                let answer = tenant.send(request(row, &body, Some(&token))).unwrap();
                let code = json(&answer)["error_code"].as_str().unwrap_or_default().to_owned();
                // Rows that send the same are told apart by the token.
                let same = |other: &&&Endpoint| {
                    takes_a_token(other) && other.path == row.path && other.fields == row.fields
                };
                let own = endpoints::ALL.iter().filter(same).any(|row| {
                    of_token.ends_with(kind(row.from)) && row.platform.is_none_or(|of_row| of_row == platform)
                });
                assert_eq!(
                    is_dead.contains(&code.as_str()),
                    !own,
                    "a token for {of_token}, {platform:?}, at {}: {code}",
                    support::name(row)
                );
            }
        }
    }
}

/// A tenant, and a state token of it that waits for what is named.
fn waiting(of_token: &str, platform: Platform, edition: &Edition) -> (Emulator, String) {
    let tenant = Emulator::new();
    tenant.add_user(match of_token {
        "expiring password" => User::new("zhangsan").password_expiring(),
        "expired password" => User::new("zhangsan").password_expired(),
        _ => User::new("zhangsan").second_factor(),
    });
    tenant.configure(|settings| {
        settings.password_asked_everywhere = true;
        settings.edition = edition.clone();
        settings.unbound = if of_token == "register" { Unbound::Register } else { Unbound::Bind };
    });
    if !["bind", "register"].contains(&of_token) {
        tenant.bind(platform, "an-identity", "zhangsan");
    }
    let login = if platform == Platform::WeChatMiniProgram {
        &endpoints::LOGIN_WECHAT_MINI_PROGRAM
    } else {
        &endpoints::LOGIN_ALIPAY_MINI_PROGRAM
    };
    let code = tenant.login_code(platform, "an-identity");
    let answer = tenant.send(request(login, &format!(r#"{{"code":"{code}"}}"#), None)).unwrap();
    let token = json(&answer)["state_token"].as_str().unwrap().to_owned();
    (tenant, token)
}

/// What is one user's is of no use to another: passwords, numbers, codes, locks.
#[test]
fn users_are_kept_apart() {
    let tenant = Emulator::new();
    tenant.add_user(User::new("alice").password("a").mobile("151").email("a@example.com").second_factor());
    tenant.add_user(User::new("bob").password("b").mobile("152").email("b@example.com"));
    assert_eq!(refusal!(bind_stage(&tenant).username_password("alice", "b")).0, "IDAAS.SDK.LOGIN.0002");
    assert_eq!(refusal!(bind_stage(&tenant).username_password("bob", "a")).0, "IDAAS.SDK.LOGIN.0002");
    assert_eq!(refusal!(bind_stage(&tenant).username_password("151", "a")).0, "IDAAS.SDK.LOGIN.0002");

    // A code is good once.
    let code = tenant.issue_code("152", SendType::BindMobileSms);
    let other = bind_stage_of(&tenant, "another");
    let outcome = bind_stage(&tenant).phone("152").unwrap().submit(&code).send().unwrap();
    assert!(matches!(outcome, Outcome::Authenticated(_)));
    assert_eq!(refusal!(other.phone("152").unwrap().submit(&code)).0, "IDAAS.SDK.CAPTCHA.0007");

    // Alice's second factor is not Bob's number, nor his address.
    tenant.bind(Platform::WeChatMiniProgram, "an-openid", "alice");
    let second_factor = || {
        let code = tenant.wechat_login_code("an-openid");
        match tenant.client().unwrap().login(device()).wechat_mini_program(code).send().unwrap() {
            Outcome::MfaRequired(stage) => stage,
            other => panic!("{other:?}"),
        }
    };
    let code = tenant.issue_code("152", SendType::MfaAuthSms);
    assert_eq!(refusal!(second_factor().phone("152").submit(code)).0, "SDK.COMMON.1013");
    let code = tenant.issue_code("b@example.com", SendType::MfaAuthEms);
    assert_eq!(refusal!(second_factor().email("b@example.com").submit(code)).0, "SDK.COMMON.1013");
    let code = tenant.issue_code("+86-151", SendType::MfaAuthSms);
    assert!(matches!(second_factor().phone("151").submit(code).send().unwrap(), Outcome::Authenticated(_)));
}

#[test]
fn a_lock_holds_against_the_right_code_and_success_forgives() {
    let tenant = Emulator::new();
    tenant.add_user(User::new("bob").password("right").mobile("152"));
    // Four wrong ones, a right one, four wrong ones: never five in a row.
    for _ in 0..2 {
        for _ in 0..4 {
            assert_eq!(
                refusal!(bind_stage(&tenant).username_password("bob", "wrong")).0,
                "IDAAS.SDK.LOGIN.0002"
            );
        }
        let tenant_stage = bind_stage(&tenant);
        let _ = tenant_stage.username_password("bob", "right").send().unwrap();
        tenant.bind(Platform::WeChatMiniProgram, "an-openid", "nobody");
    }
    for _ in 0..5 {
        let _ = bind_stage(&tenant).phone("152").unwrap().submit("000000").send().unwrap_err();
    }
    let code = tenant.issue_code("152", SendType::BindMobileSms);
    assert_eq!(refusal!(bind_stage(&tenant).phone("152").unwrap().submit(&code)).0, "IDAAS.SDK.LOGIN.0001");
    // The number is locked, not the name.
    assert!(bind_stage(&tenant).username_password("bob", "right").send().is_ok());
}

#[test]
fn the_tenant_holds_to_its_list_of_ways() {
    let tenant = Emulator::new();
    tenant.add_user(User::new("bob").mobile("152").email("b@example.com"));
    tenant.configure(|settings| settings.data = DataForm::Listed(vec!["VERIFY_EMAIL".to_owned()]));
    let stage = bind_stage(&tenant);
    let token = stage.state_token().expose().to_owned();
    assert!(stage.phone("152").is_err());
    let code = tenant.issue_code("152", SendType::BindMobileSms);
    let body = format!(r#"{{"mobile":"152","verify_code":"{code}"}}"#);
    assert_eq!(refused(&tenant, request(&endpoints::BIND_PHONE, &body, Some(&token))), "SDK.COMMON.1009");
    let code = tenant.issue_code("b@example.com", SendType::BindEmailEms);
    assert!(bind_stage(&tenant).email("b@example.com").unwrap().submit(code).send().is_ok());
}

#[test]
fn sessions_end_and_nothing_overflows() {
    let tenant = Emulator::new();
    tenant.add_user(User::new("bob").password("p"));
    let outcome = bind_stage(&tenant).username_password("bob", "p").send().unwrap();
    let Outcome::Authenticated(user) = outcome else { panic!("{outcome:?}") };
    let token = user.session_token().expose().to_owned();
    tenant.advance(Duration::from_secs(431_990));
    assert_eq!(tenant.session_user(&token).as_deref(), Some("bob"));
    tenant.advance(Duration::from_secs(20));
    assert_eq!(tenant.session_user(&token), None);
    assert_eq!(refusal!(user.renew_id_token()).0, "IDAAS.SDK.PARAM.0023");
    // For ever, and beyond the end of time.
    tenant.configure(|settings| {
        settings.state_token_lifetime = Duration::MAX;
        settings.code_lifetime = Duration::MAX;
        settings.lock_time = Duration::MAX;
        settings.session_lifetime = Duration::MAX;
        settings.id_token_lifetime = Duration::MAX;
        settings.max_attempts = 1;
    });
    let login = tenant.client().unwrap().login(device());
    let outcome = login.wechat_mini_program(tenant.wechat_login_code("another-openid")).send().unwrap();
    let Outcome::PendingBind(stage) = outcome else { panic!("{outcome:?}") };
    let Ok(Outcome::Authenticated(_)) = stage.username_password("bob", "p").send() else {
        panic!("the password is right")
    };
    tenant.bind(Platform::WeChatMiniProgram, "an-openid", "nobody");
    let code = tenant.issue_code("152", SendType::BindMobileSms);
    let _ = bind_stage(&tenant).phone("152").unwrap().submit(&code).send();
    let _ = bind_stage(&tenant).username_password("bob", "wrong").send();
    assert_eq!(refusal!(bind_stage(&tenant).username_password("bob", "p")).0, "IDAAS.SDK.LOGIN.0001");
    tenant.advance(Duration::MAX);
    let _ = bind_stage(&tenant).username_password("bob", "p").send();
}

#[test]
fn a_denied_user_is_denied_at_login_and_before_a_bind() {
    let tenant = Emulator::new();
    tenant.add_user(User::new("bob").password("p").denied());
    let _ = bind_stage(&tenant).username_password("bob", "p").send().unwrap_err();
    assert_eq!(tenant.bound_user(Platform::WeChatMiniProgram, "an-openid"), None);
    tenant.bind(Platform::WeChatMiniProgram, "an-openid", "bob");
    let login = tenant.client().unwrap().login(device());
    let failed = login.wechat_mini_program(tenant.wechat_login_code("an-openid")).send().unwrap_err();
    assert!(matches!(failed.error(), idaas_login::Error::AccessDenied));
}

/// Denied between the first factor and the second: no session.
#[test]
fn a_user_who_is_denied_meanwhile_gets_no_session() {
    let tenant = Emulator::new();
    let bob = || User::new("bob").mobile("15201657312").second_factor();
    tenant.add_user(bob());
    tenant.bind(Platform::WeChatMiniProgram, "an-openid", "bob");
    let login = tenant.client().unwrap().login(device());
    let outcome = login.wechat_mini_program(tenant.wechat_login_code("an-openid")).send().unwrap();
    let Outcome::MfaRequired(stage) = outcome else { panic!("{outcome:?}") };
    let token = stage.state_token().expose().to_owned();
    tenant.add_user(bob().denied());
    let code = tenant.issue_code("15201657312", SendType::MfaAuthSms);
    let failed = stage.phone("15201657312").submit(code).send().unwrap_err();
    assert!(matches!(failed.error(), idaas_login::Error::AccessDenied));
    assert!(matches!(failed.into_recovery(), Recovery::StartOver(_)));
    assert_eq!(tenant.pending(&token), None);
    assert!(tenant.ledger().iter().all(|entry| entry.effects.is_empty()));
}

/// An independent vendor's application names its tenant in every request.
#[test]
fn d18_the_tenant_id_is_required_of_vendors() {
    let tenant = Emulator::new();
    tenant.configure(|settings| settings.edition = Edition::OneAccessIsv { tenant_id: "8f1c2a".to_owned() });
    assert!(bind_stage(&tenant).phone("152").is_ok());
    let body = r#"{"code":"x"}"#;
    let without = request(&endpoints::LOGIN_WECHAT_MINI_PROGRAM, body, None);
    assert_eq!(refused(&tenant, without), "SDK.COMMON.1001");
    let mut another = request(&endpoints::LOGIN_WECHAT_MINI_PROGRAM, body, None);
    another.headers_mut().insert("x-tenant-id", http::HeaderValue::from_static("another"));
    assert_eq!(refused(&tenant, another), "SDK.COMMON.1001");
}

/// A tenant that wants the field's other name is served by a client that sends it, and by no other.
#[test]
fn d3_a_tenant_may_want_the_other_field_name() {
    let tenant = Emulator::new();
    tenant.add_user(User::new("bob").mobile("152"));
    let usual = tenant.client().unwrap();
    tenant.configure(|settings| settings.wechat_code_field = idaas_login::WechatCodeField::WchatCode);
    for (client, fits) in [(usual, false), (tenant.client().unwrap(), true)] {
        let code = tenant.wechat_login_code("an-openid");
        let outcome = client.login(device()).wechat_mini_program(code).send().unwrap();
        let Outcome::PendingBind(stage) = outcome else { panic!("{outcome:?}") };
        let bound = stage.wechat_mobile(tenant.wechat_phone_code("152")).send();
        assert_eq!(bound.is_ok(), fits);
    }
}

#[cfg(feature = "ureq")]
mod over_http {
    use super::*;

    /// The same login, over real HTTP; the lost response is a closed connection.
    #[test]
    fn the_emulator_serves_http() {
        let tenant = Emulator::new();
        tenant.add_user(User::new("zhangshan").password("p"));
        let server = tenant.start().unwrap();
        let client = server.client_builder().build().unwrap();
        let log_in = || {
            client.login(device()).wechat_mini_program(tenant.wechat_login_code("an-openid")).send().unwrap()
        };
        let Outcome::PendingBind(stage) = log_in() else { panic!("nobody has bound it") };
        let failed = stage.username_password("zhangshan", "wrong").send().unwrap_err();
        let Recovery::Retry(stage) = failed.into_recovery() else { panic!("the state token lives") };
        tenant.fail_next(endpoints::BIND_USERNAME_PASSWORD.path, Fault::LoseResponse);
        let failed = stage.username_password("zhangshan", "p").send().unwrap_err();
        assert!(matches!(failed.into_recovery(), Recovery::Unresolved(_)));
        let Outcome::Authenticated(user) = log_in() else { panic!("it was bound all the same") };
        assert_eq!(tenant.session_user(user.session_token().expose()).as_deref(), Some("zhangshan"));
        assert_eq!(server.connections(), 2, "the one that was lost, and one for all the rest");
        // Once the server is gone, so is its port.
        drop(server);
        let failed = client.login(device()).wechat_mini_program("091z").send().unwrap_err();
        assert!(matches!(failed.into_recovery(), Recovery::Retry(_)));
    }

    /// A response that comes after the time limit: the outcome is unknown, though the tenant did it.
    #[test]
    fn a_late_answer_is_unresolved() {
        let tenant = Emulator::new();
        tenant.add_user(User::new("zhangsan").password("p"));
        let server = tenant.start().unwrap();
        let transport =
            idaas_login::UreqTransport::builder().call_timeout(Duration::from_millis(200)).build().unwrap();
        let client = server.client_builder().build_with(transport).unwrap();
        let log_in =
            || client.login(device()).wechat_mini_program(tenant.wechat_login_code("an-openid")).send();
        let Ok(Outcome::PendingBind(stage)) = log_in() else { panic!("nobody has bound it") };
        tenant.fail_next(endpoints::BIND_USERNAME_PASSWORD.path, Fault::Late(Duration::from_secs(5)));
        let failed = stage.username_password("zhangsan", "p").send().unwrap_err();
        let idaas_login::Error::Transport(error) = failed.error() else { panic!("{failed}") };
        assert!(error.is_timeout(), "{error:?}");
        assert!(matches!(failed.into_recovery(), Recovery::Unresolved(_)));
        assert!(matches!(log_in().unwrap(), Outcome::Authenticated(_)));
        // In process there is no time limit: the response is late, and there.
        tenant.fail_next(endpoints::LOGIN_WECHAT_MINI_PROGRAM.path, Fault::Late(Duration::from_millis(1)));
        let code = tenant.wechat_login_code("an-openid");
        assert!(tenant.client().unwrap().login(device()).wechat_mini_program(code).send().is_ok());
    }

    /// A state token as the pages print it, with characters that are not ASCII, comes back byte for byte.
    #[test]
    fn printed_tokens_survive_http() {
        let tenant = as_printed();
        tenant.add_user(User::new("zhangshan").password("p"));
        let server = tenant.start().unwrap();
        let client = server.client_builder().build().unwrap();
        let outcome =
            client.login(device()).wechat_mini_program(tenant.wechat_login_code("o")).send().unwrap();
        let Outcome::PendingBind(stage) = outcome else { panic!("{outcome:?}") };
        assert_eq!(stage.state_token().expose(), "eyJhbGcCJ9.eyJzdWMCJ9…tL2VPS8");
        assert!(matches!(
            stage.username_password("zhangshan", "p").send().unwrap(),
            Outcome::Authenticated(_)
        ));
    }
}

/// What the client sends for each step is what a strict tenant expects, in every edition that has the step.
#[test]
fn a_strict_tenant_objects_to_no_request_of_the_client() {
    let isv = Edition::OneAccessIsv { tenant_id: "a-tenant".to_owned() };
    let mut sent = 0;
    for row in endpoints::ALL {
        for edition in [Edition::Ciam, Edition::Eiam, Edition::OneAccess, isv.clone()] {
            if !support::is_supported(row, &edition) {
                continue;
            }
            let tenant = Emulator::new();
            tenant.configure(|settings| {
                settings.edition = edition.clone();
                settings.strict = true;
            });
            let handled = tenant.handle(&support::request_of(row, edition.clone()));
            assert_eq!(handled.entry.objections, [""; 0], "{} in {edition:?}", support::name(row));
            assert!(handled.response.is_some_and(|response| response.status() != StatusCode::NOT_FOUND));
            sent += 1;
        }
    }
    assert!(sent > 100, "only {sent} requests");
}

/// A tenant that spells a field its own way, with a path and a send type of its own, expects just that.
#[test]
fn a_strict_tenant_goes_by_its_own_settings() {
    let tenant = Emulator::new();
    tenant.configure(|settings| {
        settings.strict = true;
        settings.path_prefix = "/gateway".to_owned();
        settings.paths.push((&endpoints::LOGIN_USERNAME_PASSWORD, "/own/login".to_owned()));
        settings.field_names.push((
            &endpoints::LOGIN_USERNAME_PASSWORD,
            "user_name".to_owned(),
            "account".to_owned(),
        ));
    });
    tenant.add_user(User::new("zhangshan").password("correct horse"));
    let log_in = || {
        let login = tenant.client().unwrap().login(device());
        login.username_password("zhangshan", "correct horse").send()
    };
    drop(log_in().unwrap());
    let own = |name: &str| {
        let body = format!(r#"{{"{name}":"zhangshan","password":"correct horse"}}"#);
        let mut request = request(&endpoints::LOGIN_USERNAME_PASSWORD, &body, None);
        *request.uri_mut() = "https://acme.example.com/gateway/own/login".parse().unwrap();
        tenant.handle(&request)
    };
    assert_eq!(own("account").entry.objections, [""; 0]);
    assert_eq!(own("user_name").entry.objections, ["field user_name: this request has no such field"]);
    // The client sends what the settings say, so a tenant with others names it.
    tenant.configure(|settings| settings.path_prefix = "/other".to_owned());
    let elsewhere = own("account").entry;
    assert_eq!(elsewhere.http_status, Some(StatusCode::NOT_FOUND));
    assert_eq!(elsewhere.objections, ["address: no path begins without /other"]);
}

/// The refusal has the code of a wrong format and says what was wrong; nothing was carried out. Without the setting it passes.
#[test]
fn a_strict_tenant_refuses_before_it_does_anything() {
    let tenant = Emulator::new();
    tenant.add_user(User::new("zhangshan").password("correct horse"));
    let body = r#"{"user_name":"zhangshan","password":"correct horse","remember":true}"#;
    let sent = || tenant.handle(&request(&endpoints::LOGIN_USERNAME_PASSWORD, body, None));
    assert_eq!(sent().entry.effects.len(), 1);
    tenant.configure(|settings| settings.strict = true);
    let refused = sent();
    assert_eq!(refused.entry.error_code.as_deref(), Some("SDK.COMMON.1002"));
    assert_eq!(refused.entry.effects, []);
    let message = json(&refused.response.unwrap())["error_msg"].as_str().unwrap().to_owned();
    assert_eq!(message, "field remember: this request has no such field");
    assert_eq!(refused.entry.objections, [message]);
}

#[test]
fn the_ledger_keeps_requests_and_forgets_the_oldest_if_it_is_told_to() {
    let tenant = Emulator::new();
    let body = r#"{"user_name":"zhangshan","password":"secret horse"}"#;
    let login = || tenant.handle(&request(&endpoints::LOGIN_USERNAME_PASSWORD, body, None)).entry;
    assert_eq!(login().request, None);
    tenant.configure(|settings| {
        settings.keep_requests = true;
        settings.ledger_entries = 3;
    });
    let kept = login().request.unwrap();
    assert_eq!((kept.method.as_str(), kept.body.as_slice()), ("POST", body.as_bytes()));
    assert_eq!(kept.headers["x-client-id"], CLIENT_ID);
    assert!(!format!("{kept:?}").contains("horse"));
    for _ in 0..20 {
        let _ = login();
        assert!((2..=6).contains(&tenant.ledger().len()), "{}", tenant.ledger().len());
    }
}
