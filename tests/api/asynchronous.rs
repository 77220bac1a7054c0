//! Steps and side calls over an asynchronous HTTP client: reqwest, against the emulator behind HTTP.

use std::io;
use std::time::Duration;

use idaas_login::emulator::{Emulator, EmulatorServer, Fault, User};
use idaas_login::endpoints;
use idaas_login::{
    Advice, AnyStage, Client, Error, Outcome, PendingBind, Phase, Recovery, Request, Response, Sent,
    TransportError,
};
use support::device;
use tokio::runtime;

/// An asynchronous HTTP client that holds what a transport has to hold.
async fn exchange(http: &reqwest::Client, request: Request) -> Result<Response, TransportError> {
    let request = reqwest::Request::try_from(request).map_err(TransportError::not_sent)?;
    let response = http.execute(request).await.map_err(|error| {
        if error.is_connect() {
            TransportError::not_sent(error).during(Phase::Connect)
        } else if error.is_timeout() {
            TransportError::maybe_sent(io::Error::from(io::ErrorKind::TimedOut))
        } else {
            TransportError::maybe_sent(error)
        }
    })?;
    let status = response.status();
    let body =
        response.bytes().await.map_err(|error| TransportError::maybe_sent(error).during(Phase::Response))?;
    let mut response = Response::new(body.to_vec());
    *response.status_mut() = status;
    Ok(response)
}

fn http() -> reqwest::Client {
    let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
    builder.timeout(Duration::from_secs(30)).build().unwrap()
}

fn tenant() -> (Emulator, EmulatorServer, Client) {
    let tenant = Emulator::new();
    tenant.add_user(User::new("zhangshan").password("right").mobile("15201657312").second_factor());
    let server = tenant.start().unwrap();
    let client = server.client_builder().build_without_transport().unwrap();
    (tenant, server, client)
}

fn run<T>(work: impl Future<Output = T>) -> T {
    runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

async fn pending(tenant: &Emulator, client: &Client, http: &reqwest::Client) -> PendingBind {
    let login = client.login(device()).wechat_mini_program(tenant.wechat_login_code("an-openid"));
    match login.send_with(|request| exchange(http, request)).await.unwrap() {
        Outcome::PendingBind(stage) => stage,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_login_through_every_kind_of_call() {
    let (tenant, _server, client) = tenant();
    run(async {
        let http = http();
        let send = |request| exchange(&http, request);
        let stage = pending(&tenant, &client, &http).await;
        let bound = stage.username_password("zhangshan", "right").send_with(send).await.unwrap();
        let Outcome::MfaRequired(stage) = bound else { panic!("{bound:?}") };
        let mobile = stage.registered_mobile().send_with(send).await.unwrap();
        let stage = stage.phone(mobile);
        let captcha = client.captcha(stage.device()).send_with(send).await.unwrap();
        let x = tenant.captcha_solution(captcha.token().expose()).unwrap();
        let pass = captcha.solve(x, stage.destination()).send_with(send).await.unwrap();
        stage.send_code(&pass).send_with(send).await.unwrap();
        let code = tenant.last_code("15201657312").unwrap();
        let outcome = stage.submit(code).send_with(send).await.unwrap();
        let Outcome::Authenticated(user) = outcome else { panic!("{outcome:?}") };
        let user = user.renew_id_token().send_with(send).await.unwrap();
        assert_eq!(tenant.session_user(user.session_token().expose()).as_deref(), Some("zhangshan"));
    });
}

/// A forgotten `_with` blocks nothing: nothing is sent, and the error says what to do.
#[test]
fn send_without_a_transport_says_so_at_once() {
    let (tenant, _server, client) = tenant();
    let failed = client.login(device()).wechat_mini_program("091z").send().unwrap_err();
    let Error::Transport(error) = failed.error() else { panic!("{failed:#}") };
    assert_eq!(error.sent(), Sent::No);
    assert!(format!("{failed:#}").contains("use send_with() instead of send()"), "{failed:#}");
    assert!(matches!(failed.into_recovery(), Recovery::Retry(_)));
    let error = client.captcha(&device()).send().unwrap_err();
    assert_eq!(error.advice(), Advice::TryLater { retry_after: None });
    assert!(tenant.ledger().is_empty());
}

#[test]
fn a_lost_response_is_unresolved() {
    let (tenant, _server, client) = tenant();
    run(async {
        let http = http();
        let stage = pending(&tenant, &client, &http).await;
        tenant.fail_next(endpoints::BIND_USERNAME_PASSWORD.path, Fault::LoseResponse);
        let step = stage.username_password("zhangshan", "right");
        let failed = step.send_with(|request| exchange(&http, request)).await.unwrap_err();
        assert!(matches!(failed.into_recovery(), Recovery::Unresolved(_)));
    });
}

/// A future that is dropped in mid-flight takes the stage along. What was suspended before is still there, and the tenant
/// says whether the step was carried out.
#[test]
fn a_dropped_future_leaves_what_was_suspended() {
    let (tenant, _server, client) = tenant();
    run(async {
        let http = http();
        let suspended = pending(&tenant, &client, &http).await.suspend();
        let stage = client.resume::<PendingBind>(suspended.clone()).unwrap();

        // The request was carried out, and its response is on the way for ever.
        let step = stage.username_password("zhangshan", "right");
        let sent = tokio::sync::Notify::new();
        let flight = step.send_with(async |request| {
            let response = exchange(&http, request).await;
            sent.notify_one();
            std::future::pending::<()>().await;
            response
        });
        tokio::select! {
            _ = flight => panic!("the response never comes"),
            () = sent.notified() => {}
        }

        let AnyStage::PendingBind(again) = client.resume::<AnyStage>(suspended).unwrap() else {
            panic!("a bind")
        };
        let again = again.username_password("zhangshan", "right");
        let failed = again.send_with(|request| exchange(&http, request)).await.unwrap_err();
        assert_eq!(failed.advice(), Advice::StartOver, "it was carried out: {failed:#}");
    });
}
