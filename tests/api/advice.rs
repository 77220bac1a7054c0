//! What a failure advises: by class and row, and what a user of a service is told of it.

use std::time::Duration;

use idaas_login::emulator::{Emulator, Fault, User};
use idaas_login::endpoints::{self, Endpoint, StageKind};
use idaas_login::{
    Advice, CaptchaPass, Client, Error, Outcome, PendingBind, Recovery, StepError, TransportError,
};
use support::{device, name, response};

/// What a step advises that is answered like this.
fn advice(row: &'static Endpoint, http_status: u16, body: &str) -> Option<String> {
    let body = body.to_owned();
    let answers = std::sync::Arc::new(move |_| Ok(response(http_status, body.clone())));
    support::advice_of(row, answers).map(|advice| advice.name().to_owned())
}

/// A response, what a step advises on it, and what one advises that sent a code of a platform.
const TABLE: &[(u16, &str, &str, &str)] = &[
    (400, r#"{"error_code":"IDAAS.SDK.CAPTCHA.0007"}"#, "ask_again", "fresh_platform_code"),
    (400, r#"{"error_code":"SDK.COMMON.1013"}"#, "ask_again", "fresh_platform_code"),
    (400, r#"{"error_code":"SDK.LOGIN.1001"}"#, "try_later", "fresh_platform_code"),
    (400, r#"{"error_code":"NOBODY.KNOWS.1"}"#, "ask_again", "fresh_platform_code"),
    (400, r#"{"error_code":"IDAAS.SDK.CAPTCHA.0002"}"#, "new_captcha", "new_captcha"),
    (400, r#"{"error_code":"SDK.LOGIN.1003"}"#, "wait", "wait"),
    (400, r#"{"error_code":"SDK.COMMON.1012"}"#, "tell_operator", "tell_operator"),
    (400, r#"{"error_code":"IDAAS.SDK.COMMON.1007"}"#, "start_over", "start_over"),
    (200, r#"{"status":"ACCESS_DENIED"}"#, "start_over", "start_over"),
    (404, "<html>", "tell_operator", "tell_operator"),
    (302, "", "tell_operator", "tell_operator"),
    (429, "", "wait", "wait"),
];

#[test]
fn a_step_advises_by_class_and_by_what_it_sent() {
    for row in endpoints::ALL {
        for (http_status, body, plain, platform) in TABLE {
            let expected = if row.spends_platform_code() { platform } else { plain };
            let advised = advice(row, *http_status, body);
            assert_eq!(advised.as_deref(), Some(*expected), "{}, HTTP {http_status}: {body}", name(row));
        }
    }
}

/// A platform's code that was not sent is good still; a login whose outcome is unknown begins with a fresh one.
#[test]
fn a_lost_request_advises_by_what_is_known_of_it() {
    for row in endpoints::ALL.iter().copied().filter(|row| row.moves_the_flow()) {
        let lost = |error: fn() -> TransportError| {
            support::advice_of(row, std::sync::Arc::new(move |_| Err(error()))).unwrap()
        };
        assert_eq!(lost(|| TransportError::not_sent("offline")).name(), "try_later", "{}", name(row));
        let expected = match row.from {
            StageKind::Unauthenticated if row.spends_platform_code() => "fresh_platform_code",
            StageKind::Unauthenticated => "start_over",
            _ => "settle",
        };
        assert_eq!(lost(|| TransportError::maybe_sent("reset")).name(), expected, "{}", name(row));
    }
}

/// What the front end of a service shows, by advice alone.
fn words(advice: Advice) -> String {
    match advice {
        Advice::AskAgain { attempts_left: Some(left) } => {
            format!("Please check what you entered. {left} tries left.")
        }
        Advice::AskAgain { attempts_left: None } => "Please check what you entered.".to_owned(),
        Advice::FreshPlatformCode => {
            "(the mini program asks wx.login for a new code, and the user sees nothing)".to_owned()
        }
        Advice::NewCaptcha => "Please solve another captcha.".to_owned(),
        Advice::Wait { unlocks_in: Some(time) } => {
            format!("Too many tries. Please wait {} minutes.", time.as_secs().div_ceil(60))
        }
        Advice::Wait { unlocks_in: None } => "Too many tries. Please wait.".to_owned(),
        Advice::TryLater { .. } => "Please try again in a moment.".to_owned(),
        Advice::Settle => "We do not know whether that worked. Please log in again.".to_owned(),
        Advice::StartOver => "That took too long. Please log in again.".to_owned(),
        Advice::TellOperator => "Logging in does not work just now. We have been told.".to_owned(),
        other => format!("({other})"),
    }
}

/// The loop of the manual, at an emulated tenant on which everything goes wrong once.
#[test]
fn what_the_user_is_told() {
    let mut told = Vec::new();
    let mut tell = |what: &str, advice: Advice| told.push(format!("{what}: {}", words(advice)));

    let tenant = || {
        let tenant = Emulator::new();
        tenant.add_user(User::new("zhangshan").password("right").mobile("15201657312"));
        tenant
    };
    let pending_bind = |tenant: &Emulator| -> PendingBind {
        let client = tenant.client().unwrap();
        let login = client.login(device()).wechat_mini_program(tenant.wechat_login_code("an-openid")).send();
        let Ok(Outcome::PendingBind(stage)) = login else { panic!("{login:?}") };
        stage
    };
    let bind = |stage: PendingBind, password: &str| -> StepError<PendingBind> {
        stage.username_password("zhangshan", password).send().unwrap_err()
    };

    let expired = tenant();
    let code = expired.wechat_login_code("an-openid");
    expired.advance(Duration::from_secs(6 * 60));
    let login = expired.client().unwrap().login(device());
    tell("an expired platform code", login.wechat_mini_program(code).send().unwrap_err().advice());

    let wrong = tenant();
    let mut stage = pending_bind(&wrong);
    loop {
        let failed = bind(stage, "wrong");
        let advice = failed.advice();
        tell("a wrong password", advice);
        let Recovery::Retry(again) = failed.into_recovery() else { panic!("the stage is handed back") };
        stage = again;
        if matches!(advice, Advice::Wait { .. }) {
            break;
        }
    }
    tell("a locked account", bind(stage, "right").advice());

    let dead = tenant();
    let stage = pending_bind(&dead);
    dead.advance(Duration::from_secs(60 * 60));
    tell("a dead state token", bind(stage, "right").advice());

    let lossy = tenant();
    let stage = pending_bind(&lossy);
    lossy.fail_next(endpoints::BIND_USERNAME_PASSWORD.path, Fault::LoseResponse);
    tell("a lost response", bind(stage, "right").advice());

    let captchas = tenant();
    let stage = pending_bind(&captchas).phone("15201657312").unwrap();
    let captcha = stage.client().captcha(stage.device()).send().unwrap();
    let x = captchas.captcha_solution(captcha.token().expose()).unwrap();
    let error = captcha.solve((x - 60.0).max(0.0), stage.destination()).send().unwrap_err();
    tell("a captcha that was solved wrongly", error.advice());

    let busy = tenant();
    let stage = pending_bind(&busy);
    let body = r#"{"error_code":"SDK.COMMON.1008","error_msg":"The system is busy"}"#.to_owned();
    busy.fail_next(
        endpoints::BIND_USERNAME_PASSWORD.path,
        Fault::Respond { http_status: http::StatusCode::BAD_REQUEST, body },
    );
    tell("a busy server", bind(stage, "right").advice());

    let foreign =
        Client::builder("https://emulator.invalid", "another application").build_with(tenant()).unwrap();
    let failed = foreign.login(device()).wechat_mini_program("091z").send().unwrap_err();
    tell("a client that is set up wrongly", failed.advice());

    let error = Error::from(failed);
    assert_eq!(error.advice(), Advice::TellOperator);
    snapshot!("advice", "what_the_user_is_told", told.join("\n"));
}

/// A pass that cannot be sent is no input of the user's: a new captcha gives a new one.
#[test]
fn a_pass_for_another_number_advises_a_new_captcha() {
    let client = Client::builder("https://acme.example.com", "c");
    let client = client.build_with(|_| panic!("nothing may be sent")).unwrap();
    let stage = client.login(device()).phone("13800138000");
    let others = CaptchaPass::from_token("13900139000", "71dd");
    assert_eq!(stage.send_code(&others).send().unwrap_err().advice(), Advice::NewCaptcha);
    let none = client.login(device()).phone("").send_code(&CaptchaPass::from_token("", "71dd")).send();
    assert_eq!(none.unwrap_err().advice().name(), "ask_again");
}

/// What a log and a front end call each advice.
#[test]
fn each_advice_has_a_name_and_words() {
    let told = xtask::mini_program::ADVICE.map(|advice| format!("{}: {advice}", advice.name()));
    snapshot!("advice", "names_and_words", told.join("\n"));
}

/// An identity token that is not accepted: the session is there all the same.
#[cfg(feature = "verify")]
#[test]
fn an_identity_token_that_is_not_accepted_advises() {
    use idaas_login::IdTokenError;
    for (error, expected) in [
        (IdTokenError::Missing, "renew_id_token"),
        (IdTokenError::Expired, "renew_id_token"),
        (IdTokenError::KeySet, "try_later"),
        (IdTokenError::NoUsableKey, "try_later"),
        (IdTokenError::AlgorithmNotAllowed, "tell_operator"),
        (IdTokenError::TooLarge, "tell_operator"),
    ] {
        assert_eq!(error.advice().name(), expected, "{error}");
    }
}
