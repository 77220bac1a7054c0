//! The configuration file: what is wrong with it is told by file, line and field, and nothing is started.

use serde_json::{Value, json};
use xtask::reference::schema;

use crate::start::{Program, command, file};

const SCHEMA: &str = include_str!("../../tenant.schema.json");

/// Everything that a configuration can have.
const EVERYTHING: &str = r#"{
    "$schema": "tenant.schema.json",
    "settings": {
        "client_id": "an-application",
        "edition": { "OneAccessIsv": { "tenant_id": "acme" } },
        "wechat_code_field": "wchat_code",
        "path_prefix": "/gateway",
        "paths": { "Unauthenticated.username_password": "/own/login" },
        "send_types": { "VerifyPhone<PendingBind>.send_code": "OWN_SMS" },
        "field_names": { "Unauthenticated.username_password": { "user_name": "account" } },
        "unbound": "register",
        "data": { "listed": ["VERIFY_PHONE"] },
        "new_state_token": false,
        "password_length": [6, 20],
        "password_asked_everywhere": true,
        "second_factor_first": false,
        "register_at_login": true,
        "required_attributes": ["pwd"],
        "id_token": false,
        "id_token_lifetime": 60,
        "claims_layout": "api",
        "sign_with_previous_key": true,
        "published_previous_keys": 1,
        "broken_key_set": "nothing",
        "refresh_sessions": true,
        "printed_spaces": true,
        "state_token_lifetime": 61,
        "code_lifetime": 62,
        "captcha_tolerance": 3,
        "single_use_pass": true,
        "max_attempts": 4,
        "lock_time": 63,
        "state_token_ends_with_wrong_code": true,
        "undocumented_extras": true,
        "session_lifetime": 64,
        "signature_window": 65,
        "strict": true,
        "keep_requests": false,
        "ledger_entries": 5
    },
    "users": [
        { "user_name": "zhangshan", "name": "Zhang Shan", "password": "correct horse", "mobile": "15201657312",
          "email": "shan@example.com", "second_factors": 2, "password_age": "expired", "denied": false }
    ],
    "bindings": [{ "platform": "Qq", "identity": "an-openid", "user_name": "zhangshan" }],
    "platform_codes": [
        { "platform": "Apple", "identity": "a-user", "code": "an-apple-code" },
        { "platform": "Carrier", "mobile": "15201657312" }
    ],
    "verification_codes": [{ "destination": "shan@example.com", "send_type": "LOGIN_EMS", "code": "123456" }]
}"#;

#[test]
fn everything_can_be_configured_and_is_in_the_schema() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let everything: Value = serde_json::from_str(EVERYTHING).unwrap();
    assert_eq!(schema::errors(&schema, &everything), [""; 0]);
    let program = Program::start(EVERYTHING, &[]);
    assert_eq!(program.control("GET", "/settings", &Value::Null), everything["settings"]);
    assert_eq!(program.started["edition"], "OneAccess (ISV)");
    let bound = program.control("GET", "/bindings?platform=Qq&identity=an-openid", &Value::Null);
    assert_eq!(bound["user_name"], "zhangshan");
    let code = program.control("GET", "/verification-codes?destination=shan%40example.com", &Value::Null);
    assert_eq!(code["code"], "123456");
    // The schema has no member beside these.
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&schema["properties"]), names(&everything));
    for (definition, pointer) in [("Settings", "/settings"), ("User", "/users/0"), ("Binding", "/bindings/0")]
    {
        let described = names(&schema["$defs"][definition]["properties"]);
        assert_eq!(described, names(everything.pointer(pointer).unwrap()), "{definition}");
    }
}

/// What is said of a configuration that cannot be right, without the name of its file.
#[track_caller]
fn said_of(config: &str) -> String {
    let file = file("wrong.json", config);
    for arguments in
        [&["--check", "--config"][..], &["--listen=127.0.0.1:0", "--control=127.0.0.1:0", "--config"]]
    {
        let output = command().args(arguments).arg(&file).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{config}");
        assert!(output.stdout.is_empty(), "it started nothing");
        if arguments.len() == 3 {
            let said = String::from_utf8(output.stderr).unwrap();
            let lines = said.lines().map(|line| {
                let line = line.strip_prefix("idaas-emulator: ").unwrap();
                line.strip_prefix(&format!("{}:", file.display()))
                    .unwrap_or_else(|| panic!("{line}"))
                    .to_owned()
            });
            return lines.collect::<Vec<_>>().join("\n");
        }
    }
    unreachable!("it returns")
}

#[test]
fn what_is_wrong_is_told_by_line_and_field() {
    for (config, said) in [
        ("", "1:0: EOF while parsing a value"),
        ("{\n  \"users\": [\n", "3:0: users: EOF while parsing a list"),
        ("{}\n{}", "2:1: trailing characters"),
        ("{\n  \"user\": []\n}", "2:8: user: unknown field `user`, expected one of `$schema`, `settings`"),
        (
            "{\n  \"users\": [\n    { \"user_name\": \"a\",\n      \"phone\": \"b\" }\n  ]\n}",
            "4:13: users[0].phone: unknown field `phone`",
        ),
        ("{ \"users\": [{ \"name\": \"a\" }] }", "1:27: users[0]: missing field `user_name`"),
        (
            "{\n\"settings\": {\n\"captcha_tolerance\": \"much\" } }",
            "3:27: settings.captcha_tolerance: invalid type: string \"much\", expected u32",
        ),
        (
            "{\n\"settings\": { \"max_attempts\": -1 } }",
            "2:32: settings.max_attempts: invalid value: integer `-1`, expected u32",
        ),
        (
            "{ \"settings\": { \"edition\": \"PRO\" } }",
            "1:32: settings.edition: unknown variant `PRO`, expected one of `CIAM`",
        ),
        (
            "{ \"settings\": { \"paths\": {\n\"Nowhere.step\": \"/x\" } } }",
            "2:14: settings.paths.Nowhere.step: `Nowhere.step` is no step",
        ),
        (
            "{ \"bindings\": [{ \"platform\": \"Weixin\" }] }",
            "1:39: bindings[0].platform: `Weixin` is no platform",
        ),
        (
            "{ \"verification_codes\": [{ \"destination\": \"1\", \"send_type\": \"SMS\" }] }",
            "1:67: verification_codes[0].send_type: `SMS` is no send type",
        ),
        (
            "{ \"users\": [\n { \"user_name\": \"a\" },\n { \"user_name\":\n \"a\" } ] }",
            "4: users[1].user_name: `a` is there twice",
        ),
        ("{ \"users\": [{ \"user_name\": \" \" }] }", "1: users[0].user_name: is blank"),
        (
            "{\n\"bindings\": [\n{ \"platform\": \"Qq\", \"identity\": \"x\",\n\"user_name\": \"nobody\" }] }",
            "4: bindings[0].user_name: no user is named `nobody`",
        ),
        (
            "{ \"platform_codes\": [\n{ \"platform\": \"Qq\" }] }",
            "2: platform_codes[0]: identity or mobile is missing",
        ),
        (
            "{ \"platform_codes\": [{ \"platform\": \"Qq\",\n\"identity\": \"a\",\n\"mobile\": \"1\" }] }",
            "3: platform_codes[0].mobile: is one too many",
        ),
        (
            "{ \"settings\": {\n\"password_length\": [9, 8] } }",
            "2: settings.password_length: the least is more than the most",
        ),
        (
            "{ \"settings\": {\n\"client_id\": \"a\\nb\" } }",
            "2: settings.client_id: is empty, or a header cannot carry it",
        ),
        ("{ \"settings\": { \"path_prefix\": \"gateway\" } }", "1: settings.path_prefix: must begin with /"),
        (
            "{ \"settings\": { \"field_names\": { \"PendingBind.username_password\": { \"name\": \"x\" } } } }",
            "1: settings.field_names: PendingBind.username_password has no field `name`",
        ),
        ("{ \"settings\": { \"max_attempts\": 0 } }", "1: settings.max_attempts: must be at least 1"),
    ] {
        let is = said_of(config);
        assert!(is.starts_with(said), "{config}\n{is}\nnot {said}");
    }
}

#[test]
fn everything_that_is_wrong_is_told() {
    let said = said_of("{ \"settings\": { \"max_attempts\": 0 },\n\"users\": [{ \"user_name\": \"\" }] }");
    assert_eq!(said, "1: settings.max_attempts: must be at least 1\n2: users[0].user_name: is blank");
}

#[test]
fn a_configuration_can_be_checked_alone() {
    let output =
        command().args(["--check", "--config"]).arg(file("right.json", EVERYTHING)).output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8(output.stdout).unwrap().ends_with("right.json: nothing is wrong with it\n"));
}

#[test]
fn the_flag_makes_any_configuration_strict() {
    let program = Program::start(r#"{ "settings": { "strict": false } }"#, &["--strict"]);
    assert_eq!(program.started["strict"], true);
    assert_eq!(program.control("GET", "/health", &json!(null))["strict"], true);
}
