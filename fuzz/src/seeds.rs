//! The inputs that fuzzing begins with, made from the snapshots and examples of the tests.

use std::fs;
use std::path::{Path, PathBuf};

use idaas_login::endpoints::{self, Endpoint, StageKind};

use super::model::Answer;
use super::{seal, tokens};

/// The seeds of a target, each with a name. `root` is the folder of the crate.
///
/// # Panics
/// If a file cannot be read, or the target is unknown.
#[must_use]
pub fn of(target: &str, root: &Path) -> Vec<(String, Vec<u8>)> {
    match target {
        "outcome" | "send_code" | "mobile" | "captcha_token" | "renewed" => answers(root, &[]),
        "captcha" => answers(root, &237.0_f64.to_be_bytes()),
        "key_set" => numbered(key_sets()),
        "jws" => numbered(tokens()),
        "id_token" => numbered(claims().into_iter().map(String::into_bytes)),
        "sealed" => numbered(handles()),
        "suspended" => suspended(root),
        "emulator" => numbered(scripts().into_iter().chain(odd_scripts())),
        "inputs" => numbered(INPUTS.iter().map(|inputs| [&[1], inputs.as_bytes()].concat())),
        other => panic!("fuzz/src/seeds.rs: no seeds for {other}"),
    }
}

fn numbered(all: impl IntoIterator<Item = Vec<u8>>) -> Vec<(String, Vec<u8>)> {
    all.into_iter().enumerate().map(|(count, seed)| (format!("seed-{count:02}"), seed)).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

fn name(path: &Path) -> String {
    path.file_stem().expect("a name").to_string_lossy().into_owned()
}

/// The answers of the snapshots, each to another step; and successes of the side calls.
fn answers(root: &Path, end: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<_> = files(&root.join("snapshots/responses"))
        .iter()
        .map(|path| {
            let text = fs::read_to_string(path).expect("a snapshot");
            // A head of insta's, then the HTTP status, the body, an empty line, and what came of it.
            let (_, text) = text.split_once("\n---\nHTTP ").expect("a head");
            let (http_status, text) = text.split_once('\n').expect("an HTTP status");
            let (body, _) = text.rsplit_once("\n\n").expect("what came of it");
            (name(path), http_status.parse().expect("an HTTP status"), body.to_owned())
        })
        .collect();
    for (count, (http_status, body)) in SIDE_CALLS.iter().enumerate() {
        all.push((format!("side-{count:02}"), *http_status, (*body).to_owned()));
    }
    let seed = |(count, (name, http_status, body)): (usize, (String, u16, String))| {
        let row = u8::try_from(count % 0x80).expect("below 128") | if count % 2 == 0 { 0x80 } else { 0 };
        (name, [&[row], &Answer::write_status(http_status)[..], body.as_bytes(), end].concat())
    };
    all.into_iter().enumerate().map(seed).collect()
}

const SIDE_CALLS: &[(u16, &str)] = &[
    (200, ""),
    (200, "null"),
    (200, r#"{"mobile":"+86-15201657124"}"#),
    (200, r#"{"mobile":15201657124}"#),
    (200, r#"{"captcha_token":" 71dd26999e314f9abb0c635336976635---{\"x\":237.0,\"y\":5.0}"}"#),
    (
        200,
        r#"{"secretKey":"yMXC583dP4R7uhmq","originalImageBase64":null,"wordList":null,"token":"389c21b3","result":false}"#,
    ),
    // A PNG of 310 by 155 pixels, as far as its head; then a JPEG of 16 by 8.
    (
        200,
        r#"{"token":"t","originalImageBase64":"iVBORw0KGgoAAAANSUhEUgAAATYAAACbCAIAAAD","jigsawImageBase64":"data:image/jpeg;base64,/9j/4AAQSkZJRgABAQAAAQABAAD/wAARCAAIABADASIA\r\nAhEBAxEB"}"#,
    ),
    (200, r#"{"token":"t","wordList":["a","b"]}"#),
    (200, r#"{"session_token":"s2","expire":"432000","id_token":"i2"}"#),
    (200, r#"{"id_token":" i2","expire":1.5}"#),
    (
        200,
        r#"{"status":"PASSWORD_WARN","state_token":"t","data":"{\"maxLength\":18,\"minLength\":\"8\",\"regEx\":\"^(?!x)[!-~]+$\"}"}"#,
    ),
    (
        200,
        r#"{"status":"PASSWORD_EXPIRED","state_token":"t","data":{"minLength":8.0,"minLength":null,"regEx":1}}"#,
    ),
    (200, r#"{"status":"PASSWORD_EXPIRED","data":"[]"}"#),
    (200, r#"{"status":"ACCESS_DENIED","id_token":"i","mobile":"m","captcha_token":"c","token":"t"}"#),
    (400, r#"{"error_code":"IDAAS.SDK.PARAM.0023","error_msg":"Invalid or expired session token"}"#),
    (400, r#"{"error_code":"IDAAS.SDK.CAPTCHA.0006","error_msg":"Failed to send verification code"}"#),
];

fn key_sets() -> Vec<Vec<u8>> {
    let key = tokens::Keys::get().rsa_jwk("k1").to_string();
    // At the limits of what a modulus may be: its length and its first byte.
    let limits = [(256, 0x80), (256, 0x7f), (255, 0xff), (257, 0), (1024, 0xff), (1025, 1)];
    let limits = limits.map(|(length, first)| {
        let mut modulus = vec![1; length];
        modulus[0] = first;
        format!(r#"{{"keys":[{{"kty":"RSA","e":"AQAB","n":"{}"}}]}}"#, tokens::encode(modulus))
    });
    let small = key.replace(r#""n":""#, r#""n":"AAAA"#);
    let others = [
        "{}".to_owned(),
        r#"{"keys":[]}"#.to_owned(),
        format!(r#"{{"keys":[{key}]}}"#),
        format!(r#"{{"keys":[{small},{{"kty":"oct","k":"AAAA"}}],"x":1}}"#),
        format!(r#"{{"keys":[{}]}}"#, key.replace('}', r#","use":"enc","key_ops":["verify",1]}"#)),
        r#"{"keys":[{"kty":"EC","crv":"P-256","use":"sig","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#.to_owned(),
        r#"{"keys":[{"kty":"RSA","e":"AQAB","n":"AQ"},null,[],{"kty":"RSA","kty":"EC"}]}"#.to_owned(),
    ];
    others.into_iter().chain(limits).map(String::into_bytes).collect()
}

fn tokens() -> Vec<Vec<u8>> {
    let good = tokens::good_token();
    let mut all = vec![
        [&[0], good.as_bytes()].concat(),
        b"\0eyJhbGciOiJub25lIn0.e30.".to_vec(),
        b"\0a.b.c.d.e".to_vec(),
        vec![2, 0, 0, b'e', 0],
        vec![2, 0, 30, b'A', 0],
        vec![2, 1, 0, b'=', 1],
        vec![2, 0, 60, 0, 2],
        vec![2, 0, 90, 0, 3],
    ];
    for header in [
        r#"{"alg":"ES256","kid":"k2"}"#,
        r#"{"alg":"ES256","typ":"JWT","b64":true}"#,
        r#"{"alg":"ES256","kid":"k2","crit":["b64"],"b64":false}"#,
        r#"{"alg":"none"}"#,
        r#"{"alg":"ES256","cty":"application/jwt"}"#,
        r#"{"alg":"ES256","alg":"ES256"}"#,
        r#"{"alg":"ES256","kid":null}"#,
        r#"{"alg":"ES256","crit":[]}"#,
        r#"{"alg":"ES256","crit":null}"#,
        r#"{"alg":"ES256","crit":"b64"}"#,
        r#"{"alg":"ES256","b64":1}"#,
        r#"{"alg":"ES256","typ":"at+jwt"}"#,
    ] {
        all.push([&[1], header.as_bytes(), b"\0", tokens::good_claims().as_bytes()].concat());
    }
    all
}

fn claims() -> Vec<String> {
    let good = tokens::good_claims();
    let nested = good.replace(r#""name":"Li Lei""#, r#""api":"{\"name\":\"Li Lei\",\"email\":null}""#);
    let several = good.replacen(r#""aud":""#, r#""aud":["another",""#, 1);
    let several =
        several.replacen(r#"","email""#, r#""],"azp":"nTo1eRIub60vPb54WeE6aojPwYwImtl4","email""#, 1);
    let twice = good.replacen('{', r#"{"exp":1,"#, 1);
    let broken = good.replacen(&tokens::NOW.to_string(), "1.6e9", 1);
    let mut all = vec![nested, several.clone(), twice, broken];
    all.extend(["{}", r#"{"aud":[1],"api":"{"}"#].map(str::to_owned));
    // Each claim under another name, null, and of another type; and the times at their limits.
    for claims in [&good, &several] {
        for name in ["iss", "sub", "aud", "azp", "exp", "iat", "nbf", "jti", "name"] {
            let member = format!(r#""{name}":"#);
            for value in [None, Some("null,"), Some("[1],")] {
                let instead = value.map(|value| format!("{member}{value}")).unwrap_or_default();
                let changed = claims.replace(&member, &format!(r#"{instead}"other":"#));
                all.extend((changed != *claims).then_some(changed));
            }
        }
    }
    let at = |name: &str, seconds: u32| {
        let (before, rest) = good.split_once(&format!(r#""{name}":"#)).expect("it is there");
        let end = rest.find([',', '}']).expect("it ends");
        format!(r#"{before}"{name}":{seconds}{}"#, &rest[end..])
    };
    for (name, limit) in [("exp", tokens::NOW - 60), ("iat", tokens::NOW + 60), ("nbf", tokens::NOW + 60)] {
        all.extend([limit - 1, limit, limit + 1].map(|seconds| at(name, seconds)));
    }
    all.push(good);
    all
}

fn handles() -> Vec<Vec<u8>> {
    let mut all = vec![[&[0], seal::HANDLE.as_bytes()].concat(), b"\0AQ".to_vec(), b"\0".to_vec()];
    for how in 8..16 {
        all.push([&[how, 0, 40, 1], &b"a suspended stage"[..]].concat());
    }
    all
}

/// The values of every kind that are kept for good, as JSON and as bytes.
fn suspended(root: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    let of = |version| files(&root.join(format!("tests/corpus/suspended-v{version}")));
    for path in of(1).into_iter().chain(of(2)) {
        let json = fs::read(&path).expect("a value");
        let value: idaas_login::Suspended = serde_json::from_slice(&json).expect("a value");
        let name = format!("{}-v{}", name(&path), value.to_bytes()[1]);
        all.push((format!("{name}-bytes"), [&[0], value.to_bytes()].concat()));
        all.push((name, json.trim_ascii().to_vec()));
    }
    for (count, value) in super::suspended::examples().into_iter().enumerate() {
        all.push((format!("example-{count:02}"), [&[0], value.to_bytes()].concat()));
    }
    all
}

/// Each step of the table where it belongs, with an odd value in each of its fields.
fn odd_scripts() -> Vec<Vec<u8>> {
    let odd = ["", "1", "\u{e9}\u{e9}", "+86", "+86-", "c1", "123456", "15201657312", "zhangshan"]
        .map(|text| format!("{text:?}"));
    let odd: Vec<_> = odd.into_iter().chain(["null", "1e3", "[]", "{\"x\":1}"].map(str::to_owned)).collect();
    let mut all = Vec::new();
    let login = format!("{} {{\"code\":\"c1\"}}\n", letter(&endpoints::LOGIN_WECHAT_MINI_PROGRAM));
    let as_user = |name: &str| {
        let letter = letter(&endpoints::LOGIN_USERNAME_PASSWORD);
        format!("{letter} {{\"user_name\":{name:?},\"password\":\"password\"}}\n")
    };
    for row in endpoints::ALL {
        let letter = letter(row);
        let before = match row.from.before_narrowing() {
            StageKind::PendingRegister => format!("\u{1}\0{login}"),
            StageKind::MfaRequired => format!("\0\0{}", as_user("mfa")),
            StageKind::PasswordExpiring => format!("\u{40}\0{}", as_user("expiring")),
            StageKind::PasswordExpired => format!("\u{40}\0{}", as_user("expired")),
            StageKind::Unauthenticated | StageKind::Registration | StageKind::PasswordReset => {
                "\0\0".to_owned()
            }
            _ => format!("\0\0{login}"),
        };
        for at in 0..row.all_fields().count() {
            for odd in &odd {
                let members = row.all_fields().enumerate().map(|(count, field)| {
                    let usual = match field.name {
                        "mobile" | "sender" => "\"15201657312\"",
                        "email" => "\"l@example.com\"",
                        "verify_code" => "\"123456\"",
                        "user_name" => "\"zhangshan\"",
                        "password" | "old_password" => "\"password\"",
                        "new_password" | "pwd" => "\"a new password\"",
                        "attr_birthday" => "\"1990-12-31\"",
                        "extension" => "{\"age\":\"18\"}",
                        "open_id" | "uid" => "\"an-openid\"",
                        _ => "\"c2\"",
                    };
                    let send_type = row.send_type.map(|send_type| format!("{:?}", send_type.as_str()));
                    let usual =
                        send_type.filter(|_| field.name == "type").unwrap_or_else(|| usual.to_owned());
                    format!("{:?}:{}", field.name, if count == at { odd } else { &usual })
                });
                let body = members.collect::<Vec<_>>().join(",");
                all.push(format!("{before}{letter} {{{body}}}\n").into_bytes());
            }
        }
    }
    all
}

/// The letter of a row, by its place in the table.
fn letter(wanted: &Endpoint) -> char {
    let mut rows = (b'A'..).map(char::from).zip(endpoints::ALL);
    rows.find(|(_, row)| **row == wanted).map(|(letter, _)| letter).expect("it is a row")
}

/// Whole logins, and requests that are none.
#[allow(clippy::too_many_lines)] // It is a list.
fn scripts() -> Vec<Vec<u8>> {
    let script = |settings: &str, lines: &[(&Endpoint, &str)]| {
        let lines = lines.iter().map(|(row, body)| format!("{} {body}\n", letter(row)));
        format!("{settings}{}", lines.collect::<String>())
    };
    let code = (&endpoints::LOGIN_WECHAT_MINI_PROGRAM, r#"{"code":"c1"}"#);
    let bind = |body| (&endpoints::BIND_USERNAME_PASSWORD, body);
    let login = |body| (&endpoints::LOGIN_USERNAME_PASSWORD, body);
    let right = r#"{"user_name":"zhangshan","password":"password"}"#;
    let by_sms = r#"{"mobile":"15201657312","verify_code":"123456"}"#;
    let new_number = r#"{"mobile":"15301657312","verify_code":"123456","name":"n","pwd":"new password","extension":{"a":1}}"#;
    let change = r#"{"old_password":"password","new_password":"new password"}"#;
    let weak = r#"{"old_password":"password","new_password":"new"}"#;
    let expiring = r#"{"user_name":"expiring","password":"password"}"#;
    let expired = r#"{"user_name":"expired","password":"password"}"#;
    let both = r#"{"user_name":"both","password":"password"}"#;
    let first = letter(&endpoints::LOGIN_WECHAT_MINI_PROGRAM);
    let mut all = vec![
        script("\0\0", &[code, bind(right)]),
        script(
            "\0\0",
            &[
                code,
                (&endpoints::BIND_WECHAT_MOBILE, r#"{"wechat_code":"c1"}"#),
                (code.0, r#"{"code":"c2"}"#),
            ],
        ),
        script("\u{1}\0", &[code, (&endpoints::REGISTER_WECHAT_MOBILE, r#"{"wechat_code":"c2"}"#)]),
        script("\0\0", &[(&endpoints::LOGIN_WECHAT_MINI_PROGRAM_MOBILE, code.1)]),
        script(
            "\u{1}\0",
            &[
                (&endpoints::LOGIN_ALIPAY_MINI_PROGRAM, code.1),
                (&endpoints::REGISTER_ALIPAY_MOBILE, r#"{"alipay_encrypt":"c1"}"#),
            ],
        ),
        script("\0\0", &[code, (&endpoints::BIND_PHONE, by_sms)]),
        script(
            "\u{1}\0",
            &[code, (&endpoints::REGISTER_PHONE, r#"{"mobile":"+86-15201657312","verify_code":"123456"}"#)],
        ),
        script("\0\0", &[code, bind(r#"{"user_name":"denied","password":"password"}"#)]),
        script(
            "\0\0",
            &[code, bind(r#"{"user_name":"x","password":"x"}"#), bind(r#"{"user_name":"x","password":"y"}"#)],
        ),
        script(
            "W\0",
            &[
                (&endpoints::CAPTCHA, ""),
                (
                    &endpoints::CAPTCHA_VERIFY,
                    r#"{"token":"$C","point_json":"{\"x\":$X,\"y\":5.0}","sender":"15201657312"}"#,
                ),
                (
                    &endpoints::SEND_REGISTER_SMS,
                    r#"{"mobile":"15201657312","type":"REGISTER_SMS","captcha_token":"$P"}"#,
                ),
                code,
                (&endpoints::REGISTER_PHONE, r#"{"mobile":"15201657312","verify_code":"$V"}"#),
                (&endpoints::RENEW_ID_TOKEN, ""),
            ],
        ),
        script("\0\0", &[login(right), (&endpoints::RENEW_ID_TOKEN, "")]),
        script(
            "\0\0",
            &[(
                &endpoints::LOGIN_IDENTIFIER_PASSWORD,
                r#"{"user_name":"15201657312","password":"password"}"#,
            )],
        ),
        script(
            "\0\0",
            &[(&endpoints::LOGIN_QQ, r#"{"access_token":"c1","open_id":"an-openid"}"#), bind(right)],
        ),
        script("\0\0", &[(&endpoints::LOGIN_CARRIER, r#"{"access_token":"c1"}"#)]),
        script("\0\0", &[login(expiring), (&endpoints::KEEP_PASSWORD, "")]),
        script(
            "\0\0",
            &[
                login(expiring),
                (&endpoints::CHANGE_EXPIRING_PASSWORD, weak),
                (&endpoints::CHANGE_EXPIRING_PASSWORD, change),
                login(r#"{"user_name":"expiring","password":"new password"}"#),
            ],
        ),
        script(
            "\0\0",
            &[login(expired), (&endpoints::KEEP_PASSWORD, ""), (&endpoints::CHANGE_EXPIRED_PASSWORD, change)],
        ),
        script(
            "\u{40}\0",
            &[
                login(expired),
                (&endpoints::EXPIRED_PASSWORD_MOBILE, ""),
                (
                    &endpoints::CHANGE_PASSWORD_PHONE,
                    r#"{"verify_code":"123456","new_password":"new password"}"#,
                ),
            ],
        ),
        script(
            "\0\u{1}",
            &[
                login(both),
                (&endpoints::CHANGE_EXPIRED_PASSWORD, change),
                (&endpoints::MFA_PHONE, r#"{"mobile":"15201657315","verify_code":"123456"}"#),
            ],
        ),
        script(
            "\0\u{8}",
            &[(&endpoints::REGISTRATION_PHONE, by_sms), (&endpoints::REGISTRATION_PHONE, new_number)],
        ),
        script("\0\u{4}", &[(&endpoints::LOGIN_PHONE, new_number), (&endpoints::LOGIN_PHONE, by_sms)]),
        script(
            "\0\0",
            &[
                (
                    &endpoints::RESET_PHONE,
                    r#"{"mobile":"15201657312","verify_code":"123456","password":"new password"}"#,
                ),
                login(r#"{"user_name":"zhangshan","password":"new password"}"#),
            ],
        ),
    ];
    all.push("\0\0~GET /api/v1/oauth2/keys\t\n~GET /nothing?x=1\thost:a\t{}\n~POST /api/v2/sdk/captcha\tx-client-id:nTo1eRIub60vPb54WeE6aojPwYwImtl4\tcontent-type:application/json\t{}\n".to_owned());
    let odd = ["!{\"code\":\"c1\"}", "\"{}", "${}", "([]", "0[]", "\0{}"];
    let lines: Vec<_> = odd.iter().map(|odd| format!("{first}{odd}\n")).collect();
    all.push(format!("\u{44}\0{}", lines.concat()));
    all.into_iter().map(String::into_bytes).collect()
}

const INPUTS: &[&str] = &[
    "https://acme.example.com\0nTo1eRIub60vPb54WeE6aojPwYwImtl4\0tenant\0windows10.1.1\x00156aysdna213sc50\0Mozilla/5.0 (iPhone)\0zh\0 091zQTFa \0zhangshan\0pass word\x0015201657312\0Meimei\x001990-12-31\0{\"age\":\"18\"}",
    "http://127.0.0.1:8080/\0c\0t\0o\0f\0a\0l\0c\0u\0p\0m",
    "http://[::1]:80\0c\0t\0o\0f\0a\0l\0c\0u\0p\0m",
    "http://localhost.evil.example\0c\0t\0o\0f\0a\0l\0c\0u\0p\0m",
    "https://user:pass@acme.example.com:443/path?q#f\0c\r\nx: y\0t\0o\0f\0a\0l\0c\n\0u\0p\0m",
    "https://acme.example.com\0c\0t\0o\0f\0a\0l\0c\0u\0p\x0015201657312\0n\x002024-02-29\0{\"a\":[1e400,null,1.10]}",
    "https://acme.example.com\0c\0t\0o\0f\0a\0l\0c\0u\0p\x0015201657312\0n\u{7}\x001900-02-29\0[]",
    "https://acme.example.com\0c\0t\0o\0f\0a\0l\0c\0u\0p\0m\0\0+990-1-031\0\"{}\"",
    "https://ACME.example.com:08443\0c\0t\0o\0f\ta\0a\0l\0\"\\\u{1}\0u\r\n\0p\r\n\0\u{e9}m",
];
