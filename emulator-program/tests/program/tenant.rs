//! The tenant behind the program: the library's client logs in, over HTTP and over HTTPS, and the log says so.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use idaas_login::{Client, IdTokenVerifier, Outcome};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};
use support::device;

use crate::start::{CLIENT_ID, Program, Request, command, file, parse};

const TENANT: &str = r#"{
    "users": [{ "user_name": "zhangshan", "password": "correct horse", "mobile": "15201657312" }]
}"#;

#[test]
fn the_librarys_client_logs_in() {
    let program = Program::start(TENANT, &["--strict"]);
    let client = Client::builder(program.started["tenant"].as_str().unwrap(), CLIENT_ID);
    let client = client.allow_loopback_http().build().unwrap();
    let code = program.control(
        "POST",
        "/platform-codes",
        &json!({ "platform": "WeChatMiniProgram", "identity": "an-openid" }),
    );
    let login = client.login(device()).wechat_mini_program(code["code"].as_str().unwrap());
    let Outcome::PendingBind(stage) = login.send().unwrap() else { panic!("nobody has bound it yet") };
    let Outcome::Authenticated(user) = stage.username_password("zhangshan", "correct horse").send().unwrap()
    else {
        panic!("the password is right")
    };
    let verifier = IdTokenVerifier::new(&client).unwrap();
    assert_eq!(user.identify(&verifier).unwrap().user_name(), Some("zhangshan"));

    // A line for each request, and in each what happened.
    let line = |number: &str| -> Value {
        let line = program.log.recv().unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{number}: {line}"))
    };
    let (login, bind) = (line("login"), line("bind"));
    assert_eq!(login["path"], "/api/v2/sdk/login/wechat-miniprogram");
    assert_eq!((&login["event"], &login["http_status"]), (&json!("request"), &json!(200)));
    assert_eq!(
        bind["effects"][0],
        json!({ "kind": "bound", "user_name": "zhangshan", "identity": "an-openid" })
    );
    assert_eq!(bind["objections"], json!([]));
    assert!(!bind.to_string().contains("correct horse"), "no password is in the log");
}

#[test]
fn it_speaks_tls() {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certificate = file("cert.pem", certified.cert.pem());
    let key = file("key.pem", certified.signing_key.serialize_pem());
    let arguments = ["--tls-cert", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let program = Program::start(TENANT, &arguments);
    assert!(program.started["tenant"].as_str().unwrap().starts_with("https://127.0.0.1:"));

    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(certified.cert.der().to_vec())).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
    let connection = ClientConnection::new(config, ServerName::try_from("localhost").unwrap()).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(&program.tenant).unwrap());
    let body = r#"{"user_name":"zhangshan","password":"correct horse"}"#;
    let request = Request::new("POST", "/api/v2/sdk/login", body);
    stream.write_all(&request.bytes("acme.example.com")).unwrap();
    let mut answer = Vec::new();
    // The connection ends without TLS's own farewell.
    let _ = stream.read_to_end(&mut answer);
    let (status, body) = parse(&answer).unwrap();
    assert_eq!(status, 200, "{body}");
    // The issuer is the tenant as the client called it.
    let answer: Value = serde_json::from_str(&body).unwrap();
    let claims = answer["id_token"].as_str().unwrap().split('.').nth(1).unwrap();
    let claims = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert!(claims.contains("\"iss\":\"https://acme.example.com/api/v1/oauth2\""), "{claims}");

    // Who speaks no TLS gets no response, and the others still do.
    assert_eq!(request.send(&program.tenant), None);
    TcpStream::connect(&program.tenant).unwrap();
}

#[test]
fn the_text_at_the_start_says_what_it_is() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    let mut child = command()
        .args(["--listen", "localhost:0", "--control=127.0.0.1:0", "--config"])
        .arg(file("tenant.json", TENANT))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let text: Vec<_> =
        lines.map(Result::unwrap).take_while(|line| !line.starts_with("Each request")).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    let text = text.join("\n");
    for part in [
        "It is never for users",
        "tenant     http://127.0.0.1:",
        "control    http://127.0.0.1:",
        "edition    CIAM",
        CLIENT_ID,
        "strict     no (--strict)",
        "users      zhangshan",
        "GET /openapi.json",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}
