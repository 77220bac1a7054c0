//! Chains of steps: each goes on where the one before led.

use serde_json::{Value, json};
use support::conformance::Kind;
use support::{MFA_AUTH, PASSWORD_EXPIRED, PASSWORD_WARN, SOCIAL_BIND, SUCCESS, USER_REGISTER};

use super::Vectors;
use super::requests::SIGNS_AT;

const REFUSED: &str = r#"{"error_code":"IDAAS.SDK.CAPTCHA.0007","error_msg":"Incorrect verification code"}"#;
const DEAD: &str = r#"{"error_code":"IDAAS.SDK.COMMON.1007","error_msg":"state_token parameter error"}"#;
const RENEWED: &str = r#"{"session_token":"s2","expire":604800,"id_token":"i2"}"#;

fn sends(step: &str, inputs: Value, answer: Value) -> Value {
    let mut link = json!({ "step": step });
    link["response"] = answer;
    if inputs != json!({}) {
        link["inputs"] = inputs;
    }
    link
}

fn answered(step: &str, inputs: Value, body: &str) -> Value {
    sends(step, inputs, json!({ "http_status": 200, "body": body }))
}

fn refused(step: &str, inputs: Value, body: &str) -> Value {
    sends(step, inputs, json!({ "http_status": 400, "body": body }))
}

fn moves(step: &str, inputs: Value) -> Value {
    let mut link = json!({ "step": step });
    if inputs != json!({}) {
        link["inputs"] = inputs;
    }
    link
}

fn login(body: &str) -> Value {
    answered("wechat_mini_program", json!({ "code": "091z" }), body)
}

fn bind(body: &str) -> Value {
    answered("username_password", json!({ "user_name": "zhangshan", "password": "password" }), body)
}

fn submit(body: &str) -> Value {
    answered("submit", json!({ "verify_code": "123456" }), body)
}

#[allow(clippy::too_many_lines, reason = "it is a table")]
pub(super) fn vectors() -> Vectors {
    let mut vectors = Vectors::new(
        Kind::Chains,
        "Logins of several steps. Each link is a step from where the link before led; one without a request sends nothing.",
    );
    let none = || json!({});
    let mobile = || json!({ "mobile": "13800138000" });
    let email = || json!({ "email": "z@example.com" });
    let with_token =
        |status: &str, token: &str| format!(r#"{{"status":"{status}","state_token":"{token}"}}"#);

    let chains: Vec<(&str, Vec<Value>)> = vec![
        ("login/at-once", vec![login(SUCCESS)]),
        ("login/bind-by-password", vec![login(SOCIAL_BIND), bind(SUCCESS)]),
        (
            "login/bind-by-wechat",
            vec![login(SOCIAL_BIND), answered("wechat_mobile", json!({ "wechat_code": "w1" }), SUCCESS)],
        ),
        (
            "login/register-by-wechat",
            vec![login(USER_REGISTER), answered("wechat_mobile", json!({ "wechat_code": "w1" }), SUCCESS)],
        ),
        (
            "login/bind-by-phone",
            vec![
                login(SOCIAL_BIND),
                moves("phone", mobile()),
                answered("send_code", json!({ "captcha_token": "p1" }), ""),
                submit(SUCCESS),
            ],
        ),
        ("login/bind-by-email", vec![login(SOCIAL_BIND), moves("email", email()), submit(SUCCESS)]),
        ("login/register-by-phone", vec![login(USER_REGISTER), moves("phone", mobile()), submit(SUCCESS)]),
        (
            "login/second-factor",
            vec![
                login(MFA_AUTH),
                answered("registered_mobile", none(), r#"{"mobile":" +86-15201657124 "}"#),
                moves("phone", json!({ "mobile": "+86-15201657124" })),
                submit(SUCCESS),
            ],
        ),
        (
            "login/bind-then-second-factor-then-password",
            vec![
                login(SOCIAL_BIND),
                bind(&with_token("MFA_AUTH", "t2")),
                moves("email", email()),
                submit(&with_token("PASSWORD_WARN", "t3")),
                answered("keep_password", none(), SUCCESS),
            ],
        ),
        ("login/keep-password", vec![login(PASSWORD_WARN), answered("keep_password", none(), SUCCESS)]),
        (
            "login/change-password",
            vec![
                login(PASSWORD_EXPIRED),
                answered("change_password", json!({ "old_password": "a", "new_password": "b" }), SUCCESS),
            ],
        ),
        (
            "login/warned-twice",
            vec![login(PASSWORD_WARN), answered("keep_password", none(), PASSWORD_EXPIRED)],
        ),
        (
            "password/by-phone-and-back",
            vec![login(PASSWORD_WARN), moves("phone", mobile()), moves("back", none())],
        ),
        (
            "token/the-newest-counts",
            vec![login(SOCIAL_BIND), bind(&with_token("SOCIAL_BIND", "t2")), bind(SUCCESS)],
        ),
        (
            "token/without-a-new-one-the-old-one-stays",
            vec![
                login(SOCIAL_BIND),
                bind(r#"{"status":"MFA_AUTH"}"#),
                moves("phone", mobile()),
                submit(SUCCESS),
            ],
        ),
        (
            "token/a-blank-one-is-none",
            vec![login(SOCIAL_BIND), bind(r#"{"status":"SOCIAL_BIND","state_token":" "}"#), bind(SUCCESS)],
        ),
        (
            "token/a-new-one-in-a-side-call-changes-nothing",
            vec![
                login(MFA_AUTH),
                answered("registered_mobile", none(), r#"{"mobile":"1","state_token":"t9"}"#),
                moves("phone", mobile()),
                submit(SUCCESS),
            ],
        ),
        (
            "token/of-a-refusal-is-not-taken",
            vec![
                login(SOCIAL_BIND),
                refused("username_password", json!({ "user_name": "a", "password": "b" }), REFUSED),
                bind(SUCCESS),
            ],
        ),
        (
            "token/echoed-by-a-refusal",
            vec![
                login(&with_token("SOCIAL_BIND", "t1")),
                refused(
                    "username_password",
                    json!({ "user_name": "a", "password": "b" }),
                    r#"{"error_code":"SDK.LOGIN.1005","error_msg":"attempts left: 4","state_token":"t1"}"#,
                ),
                bind(SUCCESS),
            ],
        ),
        (
            "token/new-in-a-refusal-is-a-contradiction",
            vec![
                login(&with_token("SOCIAL_BIND", "t1")),
                refused(
                    "username_password",
                    json!({ "user_name": "a", "password": "b" }),
                    r#"{"error_code":"SDK.LOGIN.1005","error_msg":"x","state_token":"t2"}"#,
                ),
                moves("retry_anyway", none()),
                bind(SUCCESS),
            ],
        ),
        (
            "recovery/first-step-without-token",
            vec![login(r#"{"status":"SOCIAL_BIND"}"#), moves("start_over", none()), login(SUCCESS)],
        ),
        (
            "recovery/lost-then-start-over",
            vec![
                login(SOCIAL_BIND),
                sends("username_password", json!({ "user_name": "a", "password": "b" }), "lost".into()),
                moves("start_over", none()),
                login(SUCCESS),
            ],
        ),
        (
            "recovery/lost-then-retry-anyway",
            vec![
                login(SOCIAL_BIND),
                sends("username_password", json!({ "user_name": "a", "password": "b" }), "lost".into()),
                moves("retry_anyway", none()),
                refused("username_password", json!({ "user_name": "a", "password": "b" }), DEAD),
                login(SUCCESS),
            ],
        ),
        (
            "recovery/not-sent",
            vec![
                login(SOCIAL_BIND),
                sends("username_password", json!({ "user_name": "a", "password": "b" }), "not sent".into()),
                bind(SUCCESS),
            ],
        ),
        (
            "recovery/dead-token",
            vec![
                login(SOCIAL_BIND),
                refused("wechat_mobile", json!({ "wechat_code": "w1" }), DEAD),
                login(SUCCESS),
            ],
        ),
        (
            "recovery/denied",
            vec![
                login(SOCIAL_BIND),
                refused("wechat_mobile", json!({ "wechat_code": "w1" }), r#"{"status":"ACCESS_DENIED"}"#),
                login(SUCCESS),
            ],
        ),
        (
            "recovery/invalid-input",
            vec![
                login(SOCIAL_BIND),
                moves("username_password", json!({ "user_name": "", "password": "b" })),
                bind(SUCCESS),
            ],
        ),
        (
            "recovery/wrong-code-then-right",
            vec![
                login(SOCIAL_BIND),
                moves("phone", mobile()),
                refused("submit", json!({ "verify_code": "1" }), REFUSED),
                submit(SUCCESS),
            ],
        ),
        (
            "recovery/dead-token-in-a-side-call-leaves-the-stage",
            vec![login(MFA_AUTH), refused("registered_mobile", none(), DEAD), moves("start_over", none())],
        ),
        (
            "recovery/not-allowed-then-another-way",
            vec![
                login(
                    r#"{"status":"SOCIAL_BIND","state_token":"t1","data":"{\"socialBindOrRegisterFlow\":[\"VERIFY_PHONE\"]}"}"#,
                ),
                moves("email", email()),
                moves("phone", mobile()),
                moves("back", none()),
                bind(SUCCESS),
            ],
        ),
        (
            "account/password",
            vec![answered("username_password", json!({ "user_name": "a", "password": "b" }), SUCCESS)],
        ),
        (
            "account/phone",
            vec![
                moves("phone", mobile()),
                answered("send_code", json!({ "captcha_token": "p1" }), "null"),
                submit(SUCCESS),
            ],
        ),
        (
            "account/phone-then-second-factor",
            vec![moves("phone", mobile()), submit(MFA_AUTH), moves("email", email()), submit(SUCCESS)],
        ),
        (
            "account/register",
            vec![
                moves("register", json!({ "attributes": { "user_name": "zhangsan", "pwd": "Passw0rd!" } })),
                moves("phone", mobile()),
                answered("send_code", json!({ "captcha_token": "p1" }), "{}"),
                submit(SUCCESS),
            ],
        ),
        (
            "account/reset",
            vec![
                moves("reset_password", none()),
                moves("phone", mobile()),
                answered("submit", json!({ "verify_code": "1", "password": "new" }), ""),
                answered("username_password", json!({ "user_name": "a", "password": "new" }), SUCCESS),
            ],
        ),
        (
            "alipay/bind",
            vec![
                answered("alipay_mini_program", json!({ "code": "a1" }), SOCIAL_BIND),
                answered("alipay_mobile", json!({ "alipay_encrypt": "e+/=" }), SUCCESS),
            ],
        ),
        (
            "alipay/register",
            vec![
                answered("alipay_mini_program", json!({ "code": "a1" }), USER_REGISTER),
                answered("alipay_mobile", json!({ "alipay_encrypt": "e+/=" }), SUCCESS),
            ],
        ),
        (
            "social/bind",
            vec![answered("qq", json!({ "access_token": "t", "open_id": "o" }), SOCIAL_BIND), bind(SUCCESS)],
        ),
        (
            "session/renewed-twice",
            vec![
                login(SUCCESS),
                answered("renew_id_token", none(), RENEWED),
                answered("renew_id_token", none(), r#"{"id_token":"i3"}"#),
            ],
        ),
        (
            "session/renewal-lost",
            vec![
                login(SUCCESS),
                sends("renew_id_token", none(), "lost".into()),
                moves("retry_anyway", none()),
                refused("renew_id_token", none(), r#"{"error_code":"IDAAS.SDK.PARAM.0023","error_msg":"x"}"#),
            ],
        ),
    ];
    for (id, links) in chains {
        let chain = json!({ "from": { "stage": "Unauthenticated" }, "links": links });
        vectors.add(id, chain);
    }
    for edition in ["EIAM", "OneAccess"] {
        let chain = json!({
            "client": { "edition": edition },
            "from": { "stage": "Unauthenticated" },
            "links": [login(MFA_AUTH), moves("phone", mobile()), answered("send_code", json!({ "captcha_token": "p1" }), ""), submit(SUCCESS)],
        });
        vectors.add(&format!("edition/{edition}/second-factor"), chain);
    }
    captcha(&mut vectors);
    signatures(&mut vectors);
    vectors
}

fn captcha(vectors: &mut Vectors) {
    let chain = json!({
        "from": { "stage": "Client" },
        "links": [
            answered("captcha", json!({}), r#"{"token":" c1 "}"#),
            answered("solve", json!({ "x": 120.5, "sender": "13800138000" }), r#"{"captcha_token":" p1 "}"#),
        ],
    });
    vectors.add("captcha/solved", chain);
    let stored = json!({
        "from": { "stage": "Client" },
        "links": [moves("session", json!({ "session_token": "s1" })), answered("renew_id_token", json!({}), RENEWED)],
    });
    vectors.add("session/stored", stored);
}

/// Signatures: their times increase, and a stale one is forgotten.
fn signatures(vectors: &mut Vectors) {
    let chain = |links: Vec<Value>| {
        json!({
            "client": { "edition": "OneAccess", "signs_at": SIGNS_AT },
            "from": { "stage": "Unauthenticated" },
            "links": links,
        })
    };
    let renewed = || answered("renew_id_token", json!({}), r#"{"id_token":"i2"}"#);
    vectors.add(
        "signature/times-increase",
        chain(vec![login(SUCCESS), renewed(), renewed(), answered("logout", json!({}), "")]),
    );
    let stale = r#"{"error_code":"PARAM.0030","error_msg":"x"}"#;
    vectors.add(
        "signature/stale-is-forgotten",
        chain(vec![
            login(SUCCESS),
            refused("renew_id_token", json!({}), stale),
            moves("renew_id_token", json!({})),
        ]),
    );
    // A request without a signature says nothing of the key.
    vectors.add(
        "signature/stale-without-a-signature-is-kept",
        chain(vec![
            refused("wechat_mini_program", json!({ "code": "091z" }), stale),
            login(SUCCESS),
            renewed(),
        ]),
    );
}
