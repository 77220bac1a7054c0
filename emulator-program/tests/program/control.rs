//! The control API: each operation that its description has is served, and answers what the description says.

use serde_json::{Map, Value, json};
use xtask::reference::schema;

use crate::start::{Program, Request};

const TENANT: &str = r#"{
    "users": [{ "user_name": "zhangshan", "password": "correct horse", "mobile": "15201657312" }]
}"#;

/// What the description says that a value is.
fn check(openapi: &Value, wanted: &Value, value: &Value, what: &str) {
    // References are seen from the root.
    let mut root = wanted.as_object().unwrap().clone();
    root.insert("$defs".to_owned(), openapi["components"]["schemas"].clone());
    let root: Value =
        serde_json::from_str(&Value::Object(root).to_string().replace("#/components/schemas/", "#/$defs/"))
            .unwrap();
    assert_eq!(schema::errors(&root, value), [""; 0], "{what}: {value}");
}

/// A login by password, and its response.
fn log_in(program: &Program) -> Value {
    let body = r#"{"user_name":"zhangshan","password":"correct horse"}"#;
    let (status, body) = Request::new("POST", "/api/v2/sdk/login", body).send(&program.tenant).unwrap();
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// Every operation is called as its example says, and once more in a way that it refuses.
#[test]
fn the_description_is_what_is_served() {
    let program = Program::start(TENANT, &[]);
    let openapi = program.control("GET", "/openapi.json", &Value::Null);
    let file: Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
    assert_eq!(openapi, file);
    let mut called = 0;
    for (path, item) in openapi["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let what = format!("{method} {path}");
            program.control("POST", "/reset", &Value::Null);
            // So that there is something to be told.
            program.control("POST", "/bindings", &json!({ "platform": "WeChatMiniProgram", "identity": "an-openid", "user_name": "zhangshan" }));
            program.control(
                "POST",
                "/verification-codes",
                &json!({ "destination": "15201657312", "send_type": "LOGIN_SMS" }),
            );
            let session = log_in(&program)["session_token"].clone();
            let (_, captcha) = Request::new("GET", "/api/v2/sdk/captcha", "").send(&program.tenant).unwrap();
            let captcha: Value = serde_json::from_str(&captcha).unwrap();
            let code = program.control(
                "POST",
                "/platform-codes",
                &json!({ "platform": "WeChatMiniProgram", "identity": "another" }),
            );
            let login = Request::new("POST", "/api/v2/sdk/login/wechat-miniprogram", &code.to_string());
            let (_, pending) = login.send(&program.tenant).unwrap();
            let pending: Value = serde_json::from_str(&pending).unwrap();

            let (mut right, mut wrong, mut query) = (path.clone(), path.clone(), Vec::new());
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let name = parameter["name"].as_str().unwrap();
                let value = match name {
                    "token" => &captcha["token"],
                    "session_token" => &session,
                    "state_token" => &pending["state_token"],
                    _ => &parameter["example"],
                };
                let value = value.as_str().unwrap();
                if parameter["in"] == "path" {
                    let braces = format!("{{{name}}}");
                    right = right.replace(&braces, value);
                    wrong = wrong.replace(&braces, "nothing");
                } else {
                    query.push(format!("{name}={value}"));
                }
            }
            if !query.is_empty() {
                right = format!("{right}?{}", query.join("&"));
            }
            let content = &operation["requestBody"]["content"]["application/json"];
            if !content.is_null() {
                check(&openapi, &content["schema"], &content["example"], &what);
            }
            let (status, answer) = program.ask(&method.to_uppercase(), &right, &content["example"]);
            assert_eq!(status, 200, "{what}: {answer}");
            let said =
                |status: &str| &operation["responses"][status]["content"]["application/json"]["schema"];
            check(&openapi, said("200"), &answer, &what);

            // A member that there is not, a name that there is not, or a query that is missing.
            let body = if content.is_null() { Value::Null } else { json!({ "nonsense": true }) };
            let (status, answer) = program.ask(&method.to_uppercase(), &wrong, &body);
            let errors: Map<_, _> = operation["responses"].as_object().unwrap().clone();
            assert!(errors.contains_key(&status.to_string()), "{what}: {status} {answer}");
            assert_eq!(status == 200, errors.len() == 1, "{what}: {answer}");
            check(&openapi, said(&status.to_string()), &answer, &what);
            called += 1;
        }
    }
    assert!(called > 20, "only {called}");
}

#[test]
fn errors_say_what_is_wrong() {
    let program = Program::start(TENANT, &[]);
    for (method, path, body, status, error) in [
        ("GET", "/nowhere", Value::Null, 404, "there is no such path: GET /openapi.json lists them"),
        (
            "PUT",
            "/users",
            json!({}),
            405,
            "the path is there, but not for PUT: GET /openapi.json lists what is",
        ),
        ("POST", "/users", json!({ "user_name": " " }), 400, "user_name: is blank"),
        ("POST", "/users", json!({}), 400, "body:1:2: missing field `user_name`"),
        (
            "POST",
            "/bindings",
            json!({ "platform": "Qq", "identity": "x", "user_name": "y" }),
            400,
            "user_name: no user is named `y`",
        ),
        ("GET", "/bindings?platform=Qq", Value::Null, 400, "identity is missing in the query"),
        (
            "POST",
            "/faults",
            json!({ "path": "/x", "fault": { "kind": "refuse", "code": "NO.CODE" } }),
            400,
            "body:",
        ),
        (
            "POST",
            "/faults",
            json!({ "path": "/x", "fault": { "kind": "respond", "http_status": 100, "body": "" } }),
            400,
            "http_status: is no final HTTP status",
        ),
        (
            "POST",
            "/faults",
            json!({ "path": "x", "fault": { "kind": "lose_response" } }),
            400,
            "path: must begin with /",
        ),
        (
            "POST",
            "/clock/advance",
            json!({ "seconds": u64::MAX }),
            400,
            "seconds: is more than a hundred years",
        ),
        (
            "PATCH",
            "/settings",
            json!({ "password_length": [2, 1] }),
            400,
            "password_length: the least is more than the most",
        ),
    ] {
        let (is, answer) = program.ask(method, path, &body);
        assert_eq!(is, status, "{method} {path}: {answer}");
        assert!(answer["error"].as_str().unwrap().starts_with(error), "{method} {path}: {answer}");
    }
}

#[test]
fn faults_settings_clock_and_ledger_are_the_tenants() {
    let program = Program::start(TENANT, &[]);
    let fault = |fault: Value| {
        program.control("POST", "/faults", &json!({ "path": "/api/v2/sdk/login", "fault": fault }));
        let body = r#"{"user_name":"zhangshan","password":"correct horse"}"#;
        let response = Request::new("POST", "/api/v2/sdk/login", body).send(&program.tenant);
        (response, program.last_entry()["effects"].as_array().unwrap().len())
    };
    assert_eq!(fault(json!({ "kind": "lose_request" })), (None, 0));
    assert_eq!(fault(json!({ "kind": "lose_response" })), (None, 1));
    let busy = Some((429, "<html>".to_owned()));
    let answer = |kind: &str| json!({ "kind": kind, "http_status": 429, "body": "<html>" });
    assert_eq!(fault(answer("respond")), (busy.clone(), 0));
    assert_eq!(fault(answer("respond_after")), (busy, 1));
    let (refused, _) = fault(json!({ "kind": "refuse", "code": "SDK.COMMON.1008" }));
    assert!(refused.unwrap().1.contains("SDK.COMMON.1008"));
    let (late, effects) = fault(json!({ "kind": "late", "milliseconds": 1 }));
    assert_eq!((late.unwrap().0, effects), (200, 1));

    // The ledger has the request as it came.
    let entry = program.last_entry();
    assert_eq!(entry["method"], "POST");
    assert_eq!(entry["body"], r#"{"user_name":"zhangshan","password":"correct horse"}"#);
    assert!(entry["headers"].as_array().unwrap().contains(&json!({ "name": "x-l", "value": "zh" })));
    assert_eq!(entry["effects"], json!([{ "kind": "session", "user_name": "zhangshan" }]));
    assert_eq!(program.control("DELETE", "/ledger", &Value::Null)["entries"].as_array().unwrap().len(), 6);
    assert_eq!(program.last_entry(), Value::Null);

    // Time passes, and a session is over; the keys change; a reset brings the beginning back.
    let session = log_in(&program)["session_token"].as_str().unwrap().to_owned();
    let path = format!("/sessions/{session}");
    program.control("GET", &path, &Value::Null);
    program.control("PATCH", "/settings", &json!({ "session_lifetime": 10 }));
    let before = program.control("GET", "/clock", &Value::Null)["unix_seconds"].as_u64().unwrap();
    let after = program.control("POST", "/clock/advance", &json!({ "seconds": 11 }))["unix_seconds"]
        .as_u64()
        .unwrap();
    assert!(after >= before + 11);
    assert_eq!(program.ask("GET", &path, &Value::Null).0, 404);
    let keys = || Request::new("GET", "/api/v1/oauth2/keys", "").send(&program.tenant).unwrap().1;
    let first = keys();
    program.control("POST", "/keys/rotate", &Value::Null);
    assert_ne!(first, keys());
    program.control("POST", "/users", &json!({ "user_name": "lisi" }));
    assert_eq!(program.control("POST", "/reset", &Value::Null), json!({ "users": ["zhangshan"] }));
    assert_eq!(first, keys());
    assert_eq!(program.control("GET", "/settings", &Value::Null)["session_lifetime"], 432_000);
}
