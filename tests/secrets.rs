//! Secrets stay secret: canaries go in everywhere, and come out in no `Debug`, `Display`, error chain or panic message.


use std::error::Error as StdError;
use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use idaas_login::{
    Client, Device, Error, Outcome, Recovery, Request, Response, Stage, Step, StepError, TransportError,
};
use support::{client, response};

/// What goes in. The personal data of the user counts as secret here.
const CANARIES: &[&str] = &[
    "canary-wx-code",
    "canary-phone-code",
    "canary-password",
    "canary-verify-code",
    "canary-mobile",
    "canary-email",
    "canary-fingerprint",
    "203.0.113.77",
    "canary-state-token",
    "canary-session-token",
    "canary-id-token",
    "canary-captcha-token",
    "canary-secret-key",
    // Numbers and capitals, as codes and numbers are.
    "15201657312",
    "271828",
    "K7XQ2MPB",
];

/// Collects what is printed.
#[derive(Default)]
struct Printed(String);

impl Printed {
    fn debug(&mut self, value: &impl Debug) {
        write!(self.0, "{value:?}\n{value:#?}\n").unwrap();
    }

    fn error(&mut self, error: &impl StdError) {
        self.debug(&error);
        writeln!(self.0, "{error}").unwrap();
        let mut source = error.source();
        while let Some(cause) = source {
            writeln!(self.0, "{cause}\n{cause:?}").unwrap();
            source = cause.source();
        }
    }

    #[track_caller]
    fn assert_clean(&self) {
        for canary in CANARIES {
            assert!(!self.0.contains(canary), "{canary} was printed:\n{}", self.0);
        }
        // A test that prints nothing proves nothing.
        assert!(self.0.len() > 1000, "{}", self.0);
    }
}

fn device() -> Device {
    Device::new("windows10.1.1", "canary-fingerprint", "Mozilla/5.0").unwrap().with_ip([203, 0, 113, 77])
}

const SOCIAL_BIND: &str = r#"{"status":"SOCIAL_BIND","state_token":"canary-state-token","data":"{\"socialBindOrRegisterFlow\":[\"VERIFY_PHONE\",\"VERIFY_EMAIL\",\"canary-session-token\"]}"}"#;
const USER_REGISTER: &str =
    r#"{"status":"USER_REGISTER","state_token":"canary-state-token","data":"canary-id-token"}"#;
const MFA_AUTH: &str = r#"{"status":"MFA_AUTH","state_token":"canary-state-token"}"#;
const SUCCESS: &str =
    r#"{"status":"SUCCESS","session_token":"canary-session-token","expire":1,"id_token":"canary-id-token"}"#;

fn stage(body: &'static str) -> Outcome {
    let client = client(move |_: Request| Ok(response(200, body)));
    client.login(device()).wechat_mini_program("canary-wx-code").send().unwrap()
}

#[test]
fn no_stage_prints_a_secret() {
    let mut printed = Printed::default();
    let client = client(|_: Request| Ok(response(200, SUCCESS)));
    printed.debug(&client);
    printed.debug(&Client::builder("https://user:canary-password@acme.example.com", "an-id"));
    printed.debug(&device());
    printed.debug(&client.login(device()));
    let step = client.login(device()).wechat_mini_program("canary-wx-code");
    printed.debug(&step);
    let (request, in_flight) = step.into_request().unwrap();
    printed.debug(&request.headers());
    printed.debug(&in_flight);
    for body in [SOCIAL_BIND, USER_REGISTER, MFA_AUTH, SUCCESS] {
        printed.debug(&stage(body));
    }
    let Outcome::Authenticated(user) = stage(SUCCESS) else { unreachable!() };
    printed.debug(&user.session_token());
    printed.debug(&user.id_token());
    let Outcome::PendingBind(pending) = stage(SOCIAL_BIND) else { unreachable!() };
    printed.debug(pending.state_token());
    printed.debug(pending.allowed_flows());
    printed.debug(&pending.username_password("zhangshan", "canary-password"));
    let Outcome::PendingBind(pending) = stage(SOCIAL_BIND) else { unreachable!() };
    let phone = pending.phone("canary-mobile").unwrap();
    printed.debug(&phone);
    let email = phone.back().email("canary-email").unwrap();
    printed.debug(&email);
    printed.debug(&email.submit("canary-verify-code"));
    printed.assert_clean();
}

#[test]
fn no_side_call_prints_a_secret() {
    let mut printed = Printed::default();
    let captcha =
        r#"{"token":"canary-captcha-token","secretKey":"canary-secret-key","wordList":["canary-id-token"]}"#;
    let client = client(support::script(vec![
        Ok(response(200, captcha)),
        Ok(response(200, r#"{"captcha_token":"canary-captcha-token"}"#)),
        Ok(response(200, MFA_AUTH)),
        Ok(response(200, r#"{"mobile":"15201657312"}"#)),
        Ok(response(200, "")),
    ]));
    let device = device();
    printed.debug(&client.captcha(&device));
    let captcha = client.captcha(&device).send().unwrap();
    printed.debug(&captcha);
    printed.debug(captcha.token());
    printed.debug(&captcha.solve(1.0, "15201657312"));
    let (_, in_flight) = captcha.solve(1.0, "15201657312").into_request().unwrap();
    printed.debug(&in_flight);
    let pass = captcha.solve(1.0, "15201657312").send().unwrap();
    printed.debug(&pass);
    let Outcome::MfaRequired(mfa) =
        client.login(device).wechat_mini_program("canary-wx-code").send().unwrap()
    else {
        unreachable!()
    };
    printed.debug(&mfa.registered_mobile());
    let mobile = mfa.registered_mobile().send().unwrap();
    printed.debug(&mobile);
    let stage = mfa.phone(mobile);
    printed.debug(&stage.send_code(&pass));
    stage.send_code(&pass).send().unwrap();
    printed.error(&stage.send_code(&pass.clone()).into_request().map(|_| ()).err().unwrap_or_else(|| {
        // A pass for this very destination is no error; one for another is, and does not name either.
        let other = idaas_login::CaptchaPass::from_token("13800138000", "canary-captcha-token");
        stage.send_code(&other).send().unwrap_err()
    }));
    printed.assert_clean();
}

/// Everything that a failed step holds.
fn print_failure<S: Stage>(printed: &mut Printed, step: Step<S>) {
    match step.send() {
        Ok(outcome) => printed.debug(&outcome),
        Err(failed) => {
            printed.error(&failed);
            printed.debug(failed.error());
            let (error, recovery) = failed.into_parts();
            printed.error(&error);
            printed.debug(&recovery);
        }
    }
}

/// A server that puts everything it was sent into whatever field is printed most easily.
fn echo(request: &Request, shape: usize) -> Result<Response, TransportError> {
    let body = String::from_utf8_lossy(request.body()).replace('"', "");
    let token = request.headers().get("x-state-token").map_or("", |token| token.to_str().unwrap());
    let all = format!("{body} {token} canary-fingerprint");
    match shape {
        0 => Ok(response(400, format!(r#"{{"error_code":"X.1","error_msg":"{all}"}}"#))),
        1 => Ok(response(400, format!(r#"{{"error_code":"{all}","error_msg":"x"}}"#))),
        2 => Ok(response(200, format!(r#"{{"status":"{all}"}}"#))),
        10 => Ok(response(400, r#"{"error_code":"15201657312","error_msg":"271828"}"#)),
        11 => Ok(response(200, r#"{"status":"271828"}"#)),
        12 => Ok(response(400, r#"{"error_code":"K7XQ2MPB","error_msg":"x"}"#)),
        3 => Ok(response(500, all)),
        4 => Ok(response(404, all)),
        5 => Ok(response(200, format!(r#"{{"status":"SUCCESS","session_token":{{"{all}":1}}}}"#))),
        6 => Ok(response(200, format!(r#"{{"status":"MFA_AUTH","data":"{all}"}}"#))),
        7 => Ok(http::Response::builder()
            .status(302)
            .header("location", format!("/{token}"))
            .body(all.into())
            .unwrap()),
        8 => Err(TransportError::maybe_sent("reset")),
        _ => Err(TransportError::not_sent("refused")),
    }
}

#[test]
fn no_error_prints_what_a_server_echoes() {
    let mut printed = Printed::default();
    for shape in 0..13 {
        for body in [SOCIAL_BIND, USER_REGISTER] {
            let client = client(move |request: Request| {
                if request.uri().path().ends_with("login/wechat-miniprogram") && shape != 9 {
                    Ok(response(200, body))
                } else {
                    echo(&request, shape)
                }
            });
            let login = || client.login(device()).wechat_mini_program("canary-wx-code");
            match login().send() {
                Ok(Outcome::PendingBind(stage)) => {
                    print_failure(&mut printed, stage.username_password("zhangshan", "canary-password"));
                    for narrow in [true, false] {
                        let Ok(Outcome::PendingBind(stage)) = login().send() else { unreachable!() };
                        if narrow {
                            let stage = stage.phone("canary-mobile").unwrap();
                            print_failure(&mut printed, stage.submit("canary-verify-code"));
                        } else {
                            print_failure(&mut printed, stage.wechat_mobile("canary-phone-code"));
                        }
                    }
                }
                Ok(Outcome::PendingRegister(stage)) => {
                    let stage = stage.email("canary-email").unwrap();
                    print_failure(&mut printed, stage.submit("canary-verify-code"));
                }
                _ => print_failure(&mut printed, login()),
            }
        }
    }
    printed.assert_clean();
}

#[test]
fn refused_input_is_not_printed() {
    let mut printed = Printed::default();
    let client = client(|_: Request| Ok(response(200, SOCIAL_BIND)));
    let stage = || {
        let Ok(Outcome::PendingBind(stage)) = client.login(device()).wechat_mini_program("x").send() else {
            unreachable!()
        };
        stage
    };
    print_failure(
        &mut printed,
        client.login(device()).wechat_mini_program("canary-wx-code\n.canary-wx-code"),
    );
    print_failure(&mut printed, stage().username_password("", "canary-password"));
    print_failure(&mut printed, stage().username_password("canary-email\n.", "canary-password"));
    print_failure(&mut printed, stage().phone("canary-mobile\n").unwrap().submit("canary-verify-code"));
    printed.error(&Device::new("x", "canary-fingerprint\n", "x").unwrap_err());
    printed.error(
        &Client::builder("https://canary-password@acme", "x")
            .build_with(support::always(200, ""))
            .unwrap_err(),
    );
    let only_email = r#"{"status":"SOCIAL_BIND","state_token":"canary-state-token","data":"{\"socialBindOrRegisterFlow\":[]}"}"#;
    let Outcome::PendingBind(stage) = self::stage(only_email) else { unreachable!() };
    printed.error(&stage.phone("canary-mobile").unwrap_err());
    printed.assert_clean();
}

/// What a user's transport says when it panics is its own; of the request it can print the headers, for they are marked.
#[test]
fn a_panic_in_a_transport_prints_no_secret() {
    let said = Arc::new(Mutex::new(String::new()));
    let saying = Arc::clone(&said);
    let client = client(move |request: Request| -> Result<Response, TransportError> {
        let text = format!("cannot send {:?} with {:?}", request.uri(), request.headers());
        saying.lock().unwrap().push_str(&text);
        panic!("{text}")
    });
    let mut printed = Printed::default();
    for _ in 0..10 {
        print_failure(&mut printed, client.login(device()).wechat_mini_program("canary-wx-code"));
    }
    printed.0.push_str(&said.lock().unwrap());
    printed.assert_clean();
}

/// Errors from a caller's point of view: what a log at three in the morning shows.
#[test]
fn what_a_log_shows() {
    let mut log = String::new();
    let mut show = |error: &dyn StdError| writeln!(log, "{error}").unwrap();
    for answer in [
        Ok(response(
            400,
            r#"{"error_code":"IDAAS.SDK.COMMON.1007","error_msg":"state_token parameter error"}"#,
        )),
        Ok(response(400, r#"{"error_code":"SDK.COMMON.1013","error_msg":"not found"}"#)),
        Ok(response(400, r#"{"error_code":"SDK.LOGIN.1003","error_msg":"unlocks in 9 minutes 59 seconds"}"#)),
        Ok(response(500, r#"{"error_code":"SDK.COMMON.1008","error_msg":"busy"}"#)),
        Ok(response(502, "<html>")),
        Ok(response(404, "<html>")),
        Ok(response(302, "")),
        Ok(response(200, "<html>")),
        Ok(response(200, r#"{"status":"PASSWORD_EXPIRED"}"#)),
        Ok(response(200, r#"{"status":"ACCESS_DENIED"}"#)),
        Err(TransportError::maybe_sent("connection reset by peer")),
        Err(TransportError::not_sent("connection refused").during(idaas_login::Phase::Connect)),
    ] {
        let client = client(support::script(vec![Ok(response(200, SOCIAL_BIND)), answer]));
        let Ok(Outcome::PendingBind(stage)) = client.login(device()).wechat_mini_program("x").send() else {
            unreachable!()
        };
        let failed: StepError<_> =
            stage.username_password("zhangshan", "canary-password").send().unwrap_err();
        show(&failed);
        assert!(matches!(
            failed.error(),
            Error::Refused(_) | Error::Unexpected(_) | Error::AccessDenied | Error::Transport(_)
        ));
        let _: Recovery<_> = failed.into_recovery();
    }
    snapshot!("errors", "what_a_log_shows", log);
}
