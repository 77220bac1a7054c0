//! How responses are read: every example of the contract pages, and every decision on what they leave open.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use idaas_login::codes;
use idaas_login::{CaptchaPass, Error, Outcome, Recovery, Stage, StepError, VerifyMethod};
use proptest::prelude::*;
use support::{SOCIAL_BIND, always, client, device, log_in, response, script};

/// What came of a step, in words.
fn told<S: Stage>(result: Result<Outcome, StepError<S>>) -> String {
    match result {
        Ok(Outcome::Authenticated(user)) => format!(
            "Authenticated\n  session_token: {:?}\n  expires_in: {:?}\n  id_token: {:?}",
            user.session_token().expose(),
            user.expires_in(),
            user.id_token().map(|token| token.expose().to_owned()),
        ),
        Ok(Outcome::PendingBind(stage)) => format!(
            "PendingBind\n  state_token: {:?}\n  allowed_flows: {:?}\n  data: {:?}",
            stage.state_token().expose(),
            stage.allowed_flows(),
            stage.allowed_flows().raw(),
        ),
        Ok(Outcome::PendingRegister(stage)) => format!(
            "PendingRegister\n  state_token: {:?}\n  allowed_flows: {:?}\n  data: {:?}",
            stage.state_token().expose(),
            stage.allowed_flows(),
            stage.allowed_flows().raw(),
        ),
        Ok(Outcome::MfaRequired(stage)) => {
            format!(
                "MfaRequired\n  state_token: {:?}\n  data: {:?}",
                stage.state_token().expose(),
                stage.data()
            )
        }
        Ok(Outcome::PasswordExpiring(stage)) => format!(
            "PasswordExpiring\n  state_token: {:?}\n  policy: {:?}\n  data: {:?}",
            stage.state_token().expose(),
            stage.policy(),
            stage.data(),
        ),
        Ok(Outcome::PasswordExpired(stage)) => format!(
            "PasswordExpired\n  state_token: {:?}\n  policy: {:?}\n  data: {:?}",
            stage.state_token().expose(),
            stage.policy(),
            stage.data(),
        ),
        Err(failed) => {
            let text = format!("{failed:#}");
            let recovery = match failed.into_recovery() {
                Recovery::Retry(_) => "Retry",
                Recovery::Unresolved(_) => "Unresolved",
                Recovery::StartOver(_) => "StartOver",
            };
            format!("{recovery}\n  {text}")
        }
    }
}

/// The response to a login.
fn login(http_status: u16, body: &str) -> String {
    told(client(always(http_status, body)).login(device()).wechat_mini_program("091z").send())
}

/// The response to a bind with the state token of [`SOCIAL_BIND`].
fn bind(http_status: u16, body: &str) -> String {
    let client = client(script(vec![Ok(response(200, SOCIAL_BIND)), Ok(response(http_status, body))]));
    told(support::pending_bind(&client).username_password("zhangshan", "password").send())
}

fn case(name: &str, http_status: u16, body: &str, read: fn(u16, &str) -> String) {
    snapshot!("responses", name, format!("HTTP {http_status}\n{body}\n\n{}", read(http_status, body)));
}

#[test]
fn the_examples_of_the_pages() {
    macro_rules! example {
        ($name:literal, $http_status:literal, $read:expr) => {
            case(
                concat!("page__", $name),
                $http_status,
                include_str!(concat!("../seeds/", $name, ".json")),
                $read,
            )
        };
    }
    example!("login_wechat_mini_program.answer_200_1", 200, login);
    example!("login_wechat_mini_program.answer_200_2", 200, login);
    example!("login_wechat_mini_program.answer_200_3", 200, login);
    example!("bind_username_password.answer_200", 200, bind);
    example!("bind_username_password.answer_400", 400, bind);
    example!("bind_wechat_mobile.answer_200", 200, bind);
    example!("bind_wechat_mobile.answer_400", 400, bind);
    example!("bind_code.answer_200", 200, bind);
    example!("bind_code.answer_400", 400, bind);
    example!("register_code.answer_200", 200, bind);
    example!("register_code.answer_400", 400, bind);
}

#[test]
fn d1_white_space_around_status_and_tokens_is_cut_off() {
    let body = r#"{"status":"\t SUCCESS\r\n","session_token":" s1 ","id_token":"\n i1"}"#;
    case("d01_white_space", 200, body, login);
    case("d01_only_white_space_is_no_token", 200, r#"{"status":"SUCCESS","session_token":"  "}"#, login);
    // Other space than ASCII's is not white space here.
    case("d01_other_space_stays", 200, "{\"status\":\"SUCCESS\",\"session_token\":\"\u{a0}s1\"}", login);
}

#[test]
fn d2_succes_is_success() {
    case("d02_succes", 200, r#"{"status":"SUCCES","session_token":"s1"}"#, login);
}

#[test]
fn d4_data_is_read_leniently() {
    let with = |data: &str| format!(r#"{{"status":"USER_REGISTER","state_token":"t1","data":{data}}}"#);
    for (name, data) in [
        ("one_way", r#""{\"socialBindOrRegisterFlow\":[\"VERIFY_EMAIL\"]}""#),
        ("no_way", r#""{\"socialBindOrRegisterFlow\":[]}""#),
        ("unknown_way", r#""{\"socialBindOrRegisterFlow\":[\"VERIFY_FACE\",\" VERIFY_PHONE\"]}""#),
        ("unknown_fields", r#""{\"x\":[1,{}],\"socialBindOrRegisterFlow\":[\"VERIFY_PHONE\"]}""#),
        ("null", "null"),
        ("empty_string", r#""""#),
        ("not_json", r#""{socialBind""#),
        ("null_inside", r#""{\"socialBindOrRegisterFlow\":null}""#),
        ("numbers_inside", r#""{\"socialBindOrRegisterFlow\":[1,2]}""#),
        ("an_object", r#"{"socialBindOrRegisterFlow":["VERIFY_PHONE"]}"#),
        ("a_number", "17"),
        ("an_array", r#""[[]]""#),
        ("a_policy", r#""{\"maxLength\":18,\"minLength\":8}""#),
        ("twice", r#""{\"socialBindOrRegisterFlow\":[\"VERIFY_PHONE\"]}","data":"x""#),
        ("deep", &format!("{}{}", "[".repeat(60_000), "]".repeat(60_000))),
    ] {
        let body = with(data);
        if name == "deep" {
            let told = login(200, &body);
            assert!(told.starts_with("PendingRegister\n"), "a login must not be lost over `data`");
            continue;
        }
        case(&format!("d04_data_{name}"), 200, &body, login);
    }
    case("d04_data_absent", 200, r#"{"status":"SOCIAL_BIND","state_token":"t1"}"#, login);
}

#[test]
fn d4_the_allowed_flows_gate_phone_and_email() {
    let stage = |data: &str| {
        let body = format!(r#"{{"status":"SOCIAL_BIND","state_token":"t1","data":{data}}}"#);
        support::pending_bind(&client(always(200, &body)))
    };
    let only_phone = r#""{\"socialBindOrRegisterFlow\":[\"VERIFY_PHONE\"]}""#;
    assert_eq!(stage(only_phone).phone("152").unwrap().destination(), "152");
    let refused = stage(only_phone).email("a@b.c").unwrap_err();
    assert_eq!(
        support::with_causes(&refused),
        "cannot go on by VERIFY_EMAIL; the stage is handed back: the tenant does not allow VERIFY_EMAIL here; nothing was sent"
    );
    assert_eq!(refused.method(), &VerifyMethod::Email);
    let given_back = refused.into_stage();
    assert_eq!(given_back.state_token().expose(), "t1");
    assert_eq!(given_back.phone("152").unwrap().back().state_token().expose(), "t1");
    // Unspecified: each may be tried.
    assert!(stage("null").phone("152").is_ok());
    assert!(stage("null").email("a@b.c").is_ok());
    assert!(stage(r#""{\"socialBindOrRegisterFlow\":[]}""#).phone("152").is_err());
}

#[test]
fn d5_follow_on_statuses_use_the_newest_state_token() {
    for status in ["SOCIAL_BIND", "USER_REGISTER", "MFA_AUTH"] {
        let name = status.to_lowercase();
        let without = format!(r#"{{"status":"{status}"}}"#);
        case(&format!("d05_bind_answered_{name}_without_state_token"), 200, &without, bind);
        let with = format!(r#"{{"status":"{status}","state_token":"a-newer-one"}}"#);
        case(&format!("d05_bind_answered_{name}_with_state_token"), 200, &with, bind);
        case(&format!("d05_login_answered_{name}_without_state_token"), 200, &without, login);
        let wrong = format!(r#"{{"status":"{status}","state_token":17}}"#);
        case(&format!("d05_bind_answered_{name}_with_a_wrong_state_token"), 200, &wrong, bind);
    }
}

#[test]
fn d8_a_missing_or_unreadable_id_token_loses_no_login() {
    for (name, id_token) in [
        ("null", "null"),
        ("number", "1"),
        ("empty", r#""""#),
        ("object", r#"{"a":[]}"#),
        ("twice", r#""a","id_token":"b""#),
    ] {
        let body = format!(r#"{{"status":"SUCCESS","session_token":"s1","id_token":{id_token}}}"#);
        case(&format!("d08_id_token_{name}"), 200, &body, login);
    }
}

#[test]
fn d9_expire_is_seconds_in_any_form() {
    let secs = Duration::from_secs;
    for (expire, expected) in [
        ("432000", Some(secs(432_000))),
        ("432000.5", Some(Duration::from_millis(432_000_500))),
        (r#""432000""#, Some(secs(432_000))),
        (r#"" 604800 ""#, Some(secs(604_800))),
        (r#""1.5""#, Some(Duration::from_millis(1500))),
        ("4.32e5", Some(secs(432_000))),
        ("0", Some(secs(0))),
        ("18446744073709551615", Some(secs(u64::MAX))),
        ("-1", None),
        ("1e999", None),
        (r#""soon""#, None),
        (r#""NaN""#, None),
        (r#""inf""#, None),
        (r#""""#, None),
        ("true", None),
        ("null", None),
        ("[1]", None),
        (r#"{"a":1}"#, None),
        (r#"1,"expire":2"#, None),
    ] {
        let body = format!(r#"{{"status":"SUCCESS","session_token":"s1","expire":{expire}}}"#);
        let Outcome::Authenticated(user) = log_in(&client(always(200, &body))) else { panic!("{expire}") };
        assert_eq!(user.expires_in(), expected, "{expire}");
    }
}

#[test]
fn d10_to_d12_answers_that_are_not_enough() {
    case("d10_success_without_session_token", 200, r#"{"status":"SUCCESS","id_token":"i1"}"#, bind);
    case("d10_success_with_null_session_token", 200, r#"{"status":"SUCCESS","session_token":null}"#, bind);
    case("d10_success_with_numeric_session_token", 200, r#"{"status":"SUCCESS","session_token":17}"#, bind);
    case("d11_access_denied", 200, r#"{"status":"ACCESS_DENIED"}"#, bind);
    case("d11_access_denied_403", 403, r#"{"status":"ACCESS_DENIED"}"#, bind);
    case("d12_unknown_status", 200, r#"{"status":"PUSH_AUTH","state_token":"t1","data":"{}"}"#, login);
    case("d12_unknown_status_that_is_no_name", 200, r#"{"status":"a token? eyJhbGci"}"#, login);
    case("d12_no_status", 200, r#"{"session_token":"s1"}"#, bind);
    case("d12_status_is_case_sensitive", 200, r#"{"status":"success","session_token":"s1"}"#, bind);
    case("d12_numeric_status", 200, r#"{"status":200,"session_token":"s1"}"#, bind);
}

#[test]
fn d13_a_code_is_a_refusal_whatever_the_http_status() {
    let coded = |code: &str, message: &str| format!(r#"{{"error_code":"{code}","error_msg":"{message}"}}"#);
    for http_status in [200, 302, 400, 401, 403, 404, 429, 500, 503] {
        let body = coded("IDAAS.SDK.CAPTCHA.0007", "Incorrect verification code");
        case(&format!("d13_wrong_code_http_{http_status}"), http_status, &body, bind);
    }
    // What a gateway says of itself is not what the API says, though it has a code.
    for http_status in [400, 500, 501, 502, 503, 504, 505] {
        case(
            &format!("d13_unknown_code_http_{http_status}"),
            http_status,
            &coded("APIG.0201", "Backend timeout"),
            bind,
        );
    }
    case("d13_dead_state_token_http_500", 500, &coded("IDAAS.SDK.COMMON.1007", "x"), bind);
    case("d13_busy_http_400", 400, &coded("SDK.COMMON.1008", "The system is busy. Try again later"), bind);
    case("d13_busy_http_500", 500, &coded("SDK.COMMON.1008", "The system is busy. Try again later"), bind);
    case(
        "d13_same_number_other_family",
        400,
        &coded("SDK.COMMON.1007", "The mobile parameter type error"),
        bind,
    );
    case("d13_1005_state_token", 400, &coded("SDK.COMMON.1005", "The state_token has expired"), bind);
    case("d13_1005_state_token_header", 400, &coded("SDK.COMMON.1005", "X-State-Token has expired"), bind);
    case("d13_1005_something_else", 400, &coded("SDK.COMMON.1005", "The verify_code has expired"), bind);
    case("d13_1006_state_token", 400, &coded("SDK.COMMON.1006", "The state_token parameter error"), bind);
    case("d13_1006_something_else", 400, &coded("SDK.COMMON.1006", "The mobile parameter error"), bind);
    case("d13_locked", 400, &coded("SDK.LOGIN.1003", "unlocks in 9 minutes 59 seconds"), bind);
    case("d13_unknown_code", 400, &coded("IDAAS.SDK.NEW.4711", "x"), bind);
    case("d13_code_that_is_no_name", 400, &coded("eyJhbGciOiJIUzI1NiJ9.x.y", "x"), bind);
    case("d13_numeric_code", 400, r#"{"status":400,"error_code":40029,"error_msg":null}"#, bind);
    // A whole number is a code all the same; what is none is not.
    case("d13_negative_code", 400, r#"{"error_code":-5,"error_msg":"x"}"#, bind);
    case("d13_negative_zero", 400, r#"{"error_code":-0,"error_msg":"x"}"#, bind);
    case("d13_decimal_code", 400, r#"{"error_code":1.0,"error_msg":"x"}"#, bind);
    case("d13_code_without_message", 400, r#"{"error_code":"SDK.COMMON.1013"}"#, bind);
    case("d13_empty_code_is_none", 400, r#"{"error_code":"","error_msg":"x"}"#, bind);
    case(
        "d13_null_code_is_none",
        200,
        r#"{"error_code":null,"status":"SUCCESS","session_token":"s1"}"#,
        bind,
    );
    case("d13_unreadable_code", 200, r#"{"error_code":{},"status":"SUCCESS","session_token":"s1"}"#, bind);
    case("d13_blank_code_is_none", 400, r#"{"error_code":" ","error_msg":"x"}"#, bind);
    // A field with nothing in it tells of nothing.
    case(
        "d13_code_and_blank_tokens",
        400,
        r#"{"error_code":"IDAAS.SDK.CAPTCHA.0007","error_msg":"x","session_token":"","state_token":" "}"#,
        bind,
    );
    case("d13_busy_http_503", 503, &coded("SDK.COMMON.1008", "busy"), bind);
    case("d13_code_and_success", 400, r#"{"error_code":"X.1","status":"SUCCESS"}"#, bind);
    case("d13_code_and_follow_on_status", 200, r#"{"error_code":0,"status":"MFA_AUTH"}"#, bind);
    case("d13_code_and_state_token", 200, r#"{"error_code":"0","state_token":"t2"}"#, bind);
    case("d13_code_and_access_denied", 400, r#"{"error_code":"X.1","status":"ACCESS_DENIED"}"#, bind);
    case("d13_code_and_session", 200, r#"{"error_code":"X","status":"SUCCESS","session_token":"s1"}"#, bind);
}

/// Every code that the pages document, with its class.
#[test]
fn d13_every_documented_code_has_its_class() {
    use idaas_login::ErrorClass::{
        Configuration, DeadToken, Locked, NewCaptcha, RenewIdToken, Server, StaleSignature, Unknown,
        WrongInput,
    };
    let mut tried = BTreeSet::new();
    for (code, class) in [
        ("COMMON.1007", DeadToken),
        ("IDAAS.SDK.COMMON.1007", DeadToken),
        ("PARAM.0001", Configuration),
        ("IDAAS.SDK.PARAM.0001", Configuration),
        ("PARAM.0002", Configuration),
        ("IDAAS.SDK.PARAM.0002", Configuration),
        ("PARAM.0003", Configuration),
        ("IDAAS.SDK.PARAM.0003", Configuration),
        ("PARAM.0004", Configuration),
        ("IDAAS.SDK.PARAM.0004", Configuration),
        ("PARAM.0005", Configuration),
        ("IDAAS.SDK.PARAM.0005", Configuration),
        ("PARAM.0009", Configuration),
        ("IDAAS.SDK.PARAM.0009", Configuration),
        ("PARAM.0014", DeadToken),
        ("IDAAS.SDK.PARAM.0014", DeadToken),
        ("PARAM.0016", RenewIdToken),
        ("IDAAS.SDK.PARAM.0016", RenewIdToken),
        ("PARAM.0023", DeadToken),
        ("IDAAS.SDK.PARAM.0023", DeadToken),
        ("PARAM.0030", StaleSignature),
        ("IDAAS.SDK.PARAM.0030", StaleSignature),
        ("PARAM.0031", Configuration),
        ("IDAAS.SDK.PARAM.0031", Configuration),
        ("CAPTCHA.0002", NewCaptcha),
        ("IDAAS.SDK.CAPTCHA.0002", NewCaptcha),
        ("CAPTCHA.0003", NewCaptcha),
        ("IDAAS.SDK.CAPTCHA.0003", NewCaptcha),
        ("CAPTCHA.0004", NewCaptcha),
        ("IDAAS.SDK.CAPTCHA.0004", NewCaptcha),
        ("CAPTCHA.0006", Server),
        ("IDAAS.SDK.CAPTCHA.0006", Server),
        ("CAPTCHA.0007", WrongInput),
        ("IDAAS.SDK.CAPTCHA.0007", WrongInput),
        ("LOGIN.0001", Locked),
        ("IDAAS.SDK.LOGIN.0001", Locked),
        ("LOGIN.0002", WrongInput),
        ("IDAAS.SDK.LOGIN.0002", WrongInput),
        ("USER.0030", WrongInput),
        ("IDAAS.SDK.USER.0030", WrongInput),
        ("USER.0031", WrongInput),
        ("IDAAS.SDK.USER.0031", WrongInput),
        ("APP.0001", Configuration),
        ("IDAAS.SDK.APP.0001", Configuration),
        ("APP.0002", Configuration),
        ("IDAAS.SDK.APP.0002", Configuration),
        ("APP.0003", Configuration),
        ("IDAAS.SDK.APP.0003", Configuration),
        ("SDK.COMMON.1001", Configuration),
        ("SDK.COMMON.1002", WrongInput),
        ("SDK.COMMON.1003", Configuration),
        ("SDK.COMMON.1004", Configuration),
        ("SDK.COMMON.1005", WrongInput),
        ("SDK.COMMON.1006", Configuration),
        ("SDK.COMMON.1007", Configuration),
        ("SDK.COMMON.1008", Server),
        ("SDK.COMMON.1009", Configuration),
        ("SDK.COMMON.1010", Configuration),
        ("SDK.COMMON.1011", Configuration),
        ("SDK.COMMON.1012", Configuration),
        ("SDK.COMMON.1013", WrongInput),
        ("SDK.COMMON.1014", Configuration),
        ("SDK.LOGIN.1001", Server),
        ("SDK.LOGIN.1002", Configuration),
        ("SDK.LOGIN.1003", Locked),
        ("SDK.LOGIN.1004", Server),
        ("SDK.LOGIN.1005", WrongInput),
        ("SDK.SMS.1005", WrongInput),
        // Whole codes alone count.
        ("SDK.COMMON.1099", Unknown),
        ("sdk.common.1001", Unknown),
        ("SDK.COMMON.1001.", Unknown),
        ("SDK.COMMON. 1001", Unknown),
        ("IDAAS.SDK.SDK.COMMON.1001", Unknown),
        ("IDAAS.SDK.COMMON.1001", Unknown),
        ("IDAAS.SDK.COMMON.10070", Unknown),
        ("1007", Unknown),
    ] {
        // White space around a code is no part of it.
        for written in [code.to_owned(), format!(" {code}"), format!("\\r\\n\\t{code} \\n")] {
            let body = format!(r#"{{"error_code":"{written}","error_msg":"x"}}"#);
            let failed =
                client(always(400, &body)).login(device()).wechat_mini_program("091z").send().unwrap_err();
            let idaas_login::Error::Refused(refusal) = failed.error() else { panic!("{code}: {failed}") };
            assert_eq!(refusal.code().class(), class, "{written}");
            assert!(*refusal.code() == code && *refusal.code() == *code, "{written}");
        }
        tried.insert(code);
    }
    let missing: Vec<_> =
        codes::ALL.iter().map(|known| known.code).filter(|code| !tried.contains(code)).collect();
    assert!(missing.is_empty(), "these codes are in the table and have no class here: {missing:?}");
}

/// What is printed of a name from the server: what looks like a status or a code, and not like a number or a token.
#[test]
fn names_are_printed_if_they_look_like_names() {
    let shown = |code: &str| {
        let body = format!(r#"{{"error_code":"{code}"}}"#);
        let failed =
            client(always(400, &body)).login(device()).wechat_mini_program("091z").send().unwrap_err();
        format!("{failed} {failed:?}").contains(code)
    };
    for name in ["IDAAS.SDK.NEW.4711", "PUSH_AUTH", "LOCKED", "40029", "A.1"] {
        assert!(shown(name), "{name}");
    }
    for other in [
        "15201657312",
        "123456",
        "1234",
        "password",
        "eyJhbGci.x.y",
        "K7XQ2M",
        "-A",
        "_A",
        "A b",
        "Ünicode",
        &"A".repeat(65),
    ] {
        assert!(!shown(other), "{other}");
    }
}

#[test]
fn d13_the_message_is_there_but_not_printed() {
    let body = r#"{"error_code":"SDK.LOGIN.1003","error_msg":" unlocks in 9 minutes, canary"}"#;
    let failed = client(always(400, body)).login(device()).wechat_mini_program("091z").send().unwrap_err();
    assert!(!format!("{failed} {failed:?}").contains("canary"));
    let idaas_login::Error::Refused(refusal) = failed.error() else { panic!("{failed}") };
    assert_eq!(refusal.message(), " unlocks in 9 minutes, canary");
    assert_eq!(refusal.code().as_str(), "SDK.LOGIN.1003");
    assert_eq!(refusal.code().class(), idaas_login::ErrorClass::Locked);
    assert_eq!(refusal.http_status(), 400);
}

#[test]
fn d13_a_message_in_another_encoding_hides_nothing() {
    let mut body = br#"{"error_code":"IDAAS.SDK.COMMON.1007","error_msg":""#.to_vec();
    body.extend_from_slice(b"\xb2\xce\xca\xfd\xb4\xed\xce\xf3\"}");
    let failed = client(move |_: idaas_login::Request| Ok(response(400, body.clone())))
        .login(device())
        .wechat_mini_program("091z")
        .send()
        .unwrap_err();
    assert!(matches!(failed.into_recovery(), Recovery::StartOver(_)));
    // But a token in a broken encoding is no token.
    let body = b"{\"status\":\"SUCCESS\",\"session_token\":\"s\xff1\"}".to_vec();
    let failed = client(move |_: idaas_login::Request| Ok(response(200, body.clone())))
        .login(device())
        .wechat_mini_program("091z")
        .send()
        .unwrap_err();
    assert!(matches!(failed.into_recovery(), Recovery::Unresolved(_)));
}

#[test]
fn d15_d16_answers_that_are_not_the_apis() {
    let html = "<html><body>Bad Gateway</body></html>";
    let spring = r#"{"timestamp":"2024-01-01","status":404,"error":"Not Found","path":"/api"}"#;
    for http_status in [301, 307, 400, 401, 404, 413, 429] {
        case(&format!("d15_http_{http_status}_html"), http_status, html, bind);
    }
    case("d15_http_400_empty", 400, "", bind);
    case("d15_http_404_framework", 404, spring, bind);
    case("d15_http_400_with_a_session", 400, r#"{"status":"SUCCESS","session_token":"s1"}"#, bind);
    case("d15_http_400_with_success", 400, r#"{"status":"SUCCES"}"#, bind);
    case("d15_http_401_with_a_follow_on_status", 401, r#"{"status":"MFA_AUTH"}"#, bind);
    case("d15_http_302_with_a_state_token", 302, r#"{"state_token":"t2"}"#, bind);
    case("d15_http_302_access_denied", 302, r#"{"status":"ACCESS_DENIED"}"#, bind);
    for http_status in [500, 502, 503, 504] {
        case(&format!("d16_http_{http_status}_html"), http_status, html, bind);
    }
    case("d16_http_500_empty", 500, "", bind);
    case("d16_http_500_framework", 500, &spring.replace("404", "500"), bind);
    case("d16_http_500_with_a_session", 500, r#"{"status":"SUCCESS","session_token":"s1"}"#, bind);
    case("d16_http_199", 199, "", bind);
    case("d16_http_600", 600, "", bind);
    for (name, body) in [
        ("empty", ""),
        ("html", html),
        ("array", r#"[{"status":"SUCCESS","session_token":"s1"}]"#),
        ("string", r#""SUCCESS""#),
        ("null", "null"),
        ("truncated", r#"{"status":"SUCCESS","session_token":"s"#),
        ("trailing", r#"{"status":"SUCCESS","session_token":"s1"} x"#),
        ("two_objects", r#"{"status":"SUCCESS","session_token":"s1"}{}"#),
        ("nothing_in_it", "{}"),
        ("status_twice", r#"{"status":"SUCCESS","status":"SUCCESS","session_token":"s1"}"#),
        ("session_twice", r#"{"status":"SUCCESS","session_token":"s1","session_token":"s2"}"#),
        ("session_is_a_list", r#"{"status":"SUCCESS","session_token":["s1"]}"#),
        ("session_is_true", r#"{"status":"SUCCESS","session_token":true}"#),
        ("session_is_a_float", r#"{"status":"SUCCESS","session_token":1.5}"#),
        ("byte_order_mark", "\u{feff}{\"status\":\"SUCCESS\",\"session_token\":\"s1\"}"),
    ] {
        case(&format!("d16_http_200_{name}"), 200, body, bind);
    }
    case("d16_http_204_empty", 204, "", bind);
}

#[test]
fn escapes_in_keys_and_tokens_are_read() {
    let body = r#"{"st\u0061tus":"SUCC\u0045SS","session_token":"a\/b\u2026"}"#;
    case("escapes", 200, body, login);
}

/// Half a surrogate pair and a number beyond all bounds are JSON by its grammar.
#[test]
fn a_field_that_cannot_be_decoded_does_not_hide_the_others() {
    let locked = r#"{"error_code":"SDK.LOGIN.1003","error_msg":"\ud800"}"#;
    assert!(
        bind(400, locked)
            .starts_with("Retry\n  username_password failed: refused by the API: SDK.LOGIN.1003")
    );
    let dead = r#"{"error_code":"IDAAS.SDK.COMMON.1007","error_msg":1e999}"#;
    assert!(bind(400, dead).starts_with("StartOver\n"));
    for id_token in ["1e999", r#""\ud800""#] {
        let body = format!(r#"{{"status":"SUCCESS","session_token":"s1","id_token":{id_token}}}"#);
        assert!(login(200, &body).starts_with("Authenticated\n  session_token: \"s1\""), "{id_token}");
    }
    assert!(login(200, r#"{"status":"SUCCESS","session_token":"\ud800"}"#).starts_with("Unresolved\n"));
}

#[test]
fn null_beside_a_token_is_as_good_as_absent_in_any_order() {
    for tokens in
        [r#""session_token":null,"session_token":"s1""#, r#""session_token":"s1","session_token":null"#]
    {
        let body = format!(r#"{{"status":"SUCCESS",{tokens}}}"#);
        assert!(login(200, &body).starts_with("Authenticated\n  session_token: \"s1\""), "{body}");
    }
}

#[test]
fn undocumented_fields_are_ignored_whatever_is_in_them() {
    let mut body = String::from(r#"{"status":"SUCCESS","session_token":"s1","#);
    write!(body, r#""deep":{}{},"#, "[".repeat(100_000), "]".repeat(100_000)).unwrap();
    write!(body, r#""large":"{}","Status":"x","error_Code":"x"}}"#, "x".repeat(5 << 20)).unwrap();
    assert!(login(200, &body).starts_with("Authenticated\n  session_token: \"s1\""));
}

/// Every prefix of every example: never a login, never a panic.
#[test]
fn truncated_answers_lead_nowhere() {
    for body in [
        include_str!("../seeds/login_wechat_mini_program.answer_200_1.json"),
        include_str!("../seeds/login_wechat_mini_program.answer_200_3.json"),
        include_str!("../seeds/bind_code.answer_200.json"),
    ] {
        let body = body.trim_end();
        for end in 0..body.len() {
            let bytes = body.as_bytes()[..end].to_vec();
            let cut = client(move |_: idaas_login::Request| Ok(response(200, bytes.clone())));
            let failed = cut.login(device()).wechat_mini_program("091z").send();
            assert!(
                failed.is_err_and(|failed| matches!(failed.into_recovery(), Recovery::Unresolved(_))),
                "at {end}"
            );
        }
    }
}

/// Every byte of every example, replaced: no panic, and a session only where `SUCCESS` and a session token still stand.
#[test]
fn mutated_answers_lead_nowhere_new() {
    for body in [
        include_str!("../seeds/login_wechat_mini_program.answer_200_1.json"),
        include_str!("../seeds/login_wechat_mini_program.answer_200_2.json"),
        include_str!("../seeds/bind_code.answer_400.json"),
    ] {
        for at in 0..body.len() {
            for byte in [0, b'"', b'\\', b'{', b'}', b'[', b',', b':', b'0', b' ', 0x80, 0xff] {
                let mut bytes = body.as_bytes().to_vec();
                bytes[at] = byte;
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let mutated = client(move |_: idaas_login::Request| Ok(response(200, bytes.clone())));
                let told = told(mutated.login(device()).wechat_mini_program("091z").send());
                let stands = text.contains("SUCC") && text.contains("\"session_token\"");
                assert!(stands || !told.starts_with("Authenticated"), "{text}\n{told}");
            }
        }
    }
}

/// A piece of a JSON string: what stands for itself, and every kind of escape, halves of surrogate pairs among them.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -!#-\\[\\]-~é€😀]{1,6}",
        prop::sample::select(vec![r"\n", r"\r", r"\t", r"\b", r"\f", r"\/", r"\\", r#"\""#])
            .prop_map(str::to_owned),
        any::<u16>().prop_map(|unit| format!("\\u{unit:04x}")),
        (0xd800..0xe000_u16).prop_map(|half| format!("\\u{half:04X}")),
        any::<char>().prop_map(|c| {
            let units =
                c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect::<Vec<_>>();
            units.concat()
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Text is unescaped here, not by serde_json, whose buffer would keep it: with the same result.
    #[test]
    fn escapes_are_undone_as_serde_json_does(pieces in prop::collection::vec(piece(), 0..8)) {
        let json = format!("\"{}\"", pieces.concat());
        let expected: Option<String> = serde_json::from_str(&json).ok();
        let body = format!(r#"{{"status":"MFA_AUTH","state_token":"a","data":{json}}}"#);
        // What cannot be read is kept as it stands.
        let stage = support::mfa_required(&client(always(200, &body)));
        prop_assert_eq!(stage.data(), Some(expected.as_ref().unwrap_or(&json).as_str()));
        let body = format!(r#"{{"error_code":"X.1","error_msg":{json}}}"#);
        let failed = client(always(400, &body)).login(device()).wechat_mini_program("a").send().unwrap_err();
        // A message that cannot be read does not hide the code.
        let idaas_login::Error::Refused(refusal) = failed.error() else { panic!("{failed}") };
        prop_assert_eq!(refusal.message(), expected.unwrap_or_default());
    }

    /// The same for bytes that are no UTF-8.
    #[test]
    fn broken_encodings_are_replaced_as_the_standard_library_does(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let bytes: Vec<u8> = bytes.into_iter().filter(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f)).collect();
        let body = [br#"{"error_code":"X.1","error_msg":""#, &*bytes, br#""}"#].concat();
        let client = client(move |_: idaas_login::Request| Ok(response(400, body.clone())));
        let failed = client.login(device()).wechat_mini_program("a").send().unwrap_err();
        let idaas_login::Error::Refused(refusal) = failed.error() else { panic!("{failed}") };
        prop_assert_eq!(refusal.message(), String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn d11_access_denied_is_told_by_every_side_call() {
    for body in [r#"{"status":"ACCESS_DENIED"}"#, r#"{"status":"ACCESS_DENIED","mobile":"m","token":"t"}"#] {
        let client = client(script(vec![
            Ok(response(200, support::MFA_AUTH)),
            Ok(response(200, body)),
            Ok(response(200, body)),
            Ok(response(200, body)),
            Ok(response(200, body)),
        ]));
        let stage = support::mfa_required(&client);
        let denied = |error: Error| assert!(matches!(error, Error::AccessDenied), "{error}");
        denied(stage.registered_mobile().send().unwrap_err());
        denied(client.captcha(&device()).send().unwrap_err());
        denied(client.captcha_from_token(&device(), "t").solve(1.0, "152").send().unwrap_err());
        let pass = CaptchaPass::from_token("152", "pass");
        denied(stage.phone("152").send_code(&pass).send().unwrap_err());
    }
}
