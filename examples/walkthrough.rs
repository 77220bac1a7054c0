//! Real logins over HTTP, against the emulator: every stage, every way.
//!
//! `cargo run --example walkthrough`

use std::error::Error;

use idaas_login::emulator::{Emulator, Fault, Unbound, User};
use idaas_login::endpoints::{self, Platform};
use idaas_login::{
    Authenticated, CaptchaPass, Client, Device, IdTokenVerifier, Origin, Outcome, Recovery, Request,
    Response, Transport, TransportError, UreqTransport,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let tenant = Emulator::new();
    let server = tenant.start()?;
    println!("An IDaaS tenant is listening at {}.", server.base_address());
    println!("Every secret is cut short, as in: abcd….");
    let http = UreqTransport::default();
    let client = server.client_builder().build_with(move |request: Request| narrated(&http, request))?;
    let verifier = IdTokenVerifier::new(&client)?;
    let here = Here { tenant, client, verifier };

    already_bound(&here)?;
    bound_by_password(&here)?;
    bound_by_sms(&here)?;
    registered_by_email(&here)?;
    asked_for_a_second_factor(&here)?;
    through_alipay(&here)?;
    the_answer_is_lost(&here)?;
    renewed_after_a_rotation(&here)?;

    println!("\nWhat the tenant really did:");
    for entry in here.tenant.ledger() {
        for effect in entry.effects {
            println!("  {:55} {effect:?}", entry.path);
        }
    }
    Ok(())
}

#[derive(Clone)]
struct Here {
    tenant: Emulator,
    client: Client,
    verifier: IdTokenVerifier,
}

fn already_bound(here: &Here) -> Result<()> {
    title("Li Lei has bound his account before: the login ends at once");
    here.tenant.add_user(User::new("lilei").name("Li Lei"));
    here.tenant.bind(Platform::WeChatMiniProgram, "openid-lilei", "lilei");

    stage("Unauthenticated", "wechat_mini_program(code)");
    let outcome = here.log_in("openid-lilei")?;
    here.finished(&outcome)
}

fn bound_by_password(here: &Here) -> Result<()> {
    title("Han Meimei binds her account by password, and mistypes it once");
    here.tenant.add_user(User::new("hanmeimei").password("correct horse"));

    stage("Unauthenticated", "wechat_mini_program(code)");
    let Outcome::PendingBind(pending) = here.log_in("openid-hanmeimei")? else { return unexpected() };
    stage("PendingBind", "username_password(\"hanmeimei\", …)");
    let Err(failed) = pending.username_password("hanmeimei", "battery staple").send() else {
        return unexpected();
    };
    println!("      {failed}");
    let Recovery::Retry(pending) = failed.into_recovery() else { return unexpected() };
    stage("PendingBind", "username_password(\"hanmeimei\", …), with the stage that came back");
    let outcome = pending.username_password("hanmeimei", "correct horse").send()?;
    here.finished(&outcome)
}

fn bound_by_sms(here: &Here) -> Result<()> {
    title("Wang Wei binds his account by a code that he gets by SMS");
    here.tenant.add_user(User::new("wangwei").mobile("15201657312"));

    stage("Unauthenticated", "wechat_mini_program(code)");
    let Outcome::PendingBind(pending) = here.log_in("openid-wangwei")? else { return unexpected() };
    stage("PendingBind", "phone(mobile), which sends nothing");
    let phone = pending.phone("15201657312")?;
    let pass = here.pass(phone.destination())?;
    stage("VerifyPhone<PendingBind>", "send_code(&pass)");
    phone.send_code(&pass).send()?;
    stage("VerifyPhone<PendingBind>", "submit(code)");
    let outcome = phone.submit(here.code("15201657312")?).send()?;
    here.finished(&outcome)
}

fn registered_by_email(here: &Here) -> Result<()> {
    title("Zhao Min has no account: one is registered by a code that she gets by e-mail");
    here.tenant.configure(|settings| settings.unbound = Unbound::Register);

    stage("Unauthenticated", "wechat_mini_program(code)");
    let Outcome::PendingRegister(pending) = here.log_in("openid-zhaomin")? else { return unexpected() };
    stage("PendingRegister", "email(address), which sends nothing");
    let email = pending.email("zhaomin@example.com")?;
    let pass = here.pass(email.destination())?;
    stage("VerifyEmail<PendingRegister>", "send_code(&pass)");
    email.send_code(&pass).send()?;
    stage("VerifyEmail<PendingRegister>", "submit(code)");
    let outcome = email.submit(here.code("zhaomin@example.com")?).send()?;
    here.tenant.configure(|settings| settings.unbound = Unbound::Bind);
    here.finished(&outcome)
}

fn asked_for_a_second_factor(here: &Here) -> Result<()> {
    title("Chen Jie binds her account by the number that WeChat knows, and is asked for a second factor");
    here.tenant.add_user(User::new("chenjie").mobile("13800138000").second_factor());

    stage("Unauthenticated", "wechat_mini_program(code)");
    let Outcome::PendingBind(pending) = here.log_in("openid-chenjie")? else { return unexpected() };
    stage("PendingBind", "wechat_mobile(wechat_code)");
    let outcome = pending.wechat_mobile(here.tenant.wechat_phone_code("13800138000")).send()?;
    let Outcome::MfaRequired(mfa) = outcome else { return unexpected() };
    stage("MfaRequired", "registered_mobile()");
    let mobile = mfa.registered_mobile().send()?;
    stage("MfaRequired", "phone(mobile), which sends nothing");
    let phone = mfa.phone(mobile);
    let pass = here.pass(phone.destination())?;
    stage("VerifyPhone<MfaRequired>", "send_code(&pass)");
    phone.send_code(&pass).send()?;
    stage("VerifyPhone<MfaRequired>", "submit(code)");
    let outcome = phone.submit(here.code("13800138000")?).send()?;
    here.finished(&outcome)
}

fn through_alipay(here: &Here) -> Result<()> {
    title("Liu Yang comes through Alipay: the same stages, with Alipay's own bind");
    here.tenant.add_user(User::new("liuyang").mobile("13900139000"));

    stage("Unauthenticated", "alipay_mini_program(code)");
    let code = here.tenant.login_code(Platform::AlipayMiniProgram, "2088-liuyang");
    let Outcome::PendingBind(pending) = here.client.login(device()?).alipay_mini_program(code).send()? else {
        return unexpected();
    };
    stage("PendingBind<AlipayMiniProgram>", "alipay_mobile(alipay_encrypt)");
    let encrypted = here.tenant.phone_code(Platform::AlipayMiniProgram, "13900139000");
    let outcome = pending.alipay_mobile(encrypted).send()?;
    here.finished(&outcome)
}

fn the_answer_is_lost(here: &Here) -> Result<()> {
    title("Sun Li binds her account, and the answer is lost on the way back");
    here.tenant.add_user(User::new("sunli").password("correct horse"));

    stage("Unauthenticated", "wechat_mini_program(code)");
    let Outcome::PendingBind(pending) = here.log_in("openid-sunli")? else { return unexpected() };
    here.tenant.fail_next(endpoints::BIND_USERNAME_PASSWORD.path, Fault::LoseAnswer);
    stage("PendingBind", "username_password(\"sunli\", …)");
    let Err(failed) = pending.username_password("sunli", "correct horse").send() else { return unexpected() };
    println!("      {failed}");
    let Recovery::Unresolved(unresolved) = failed.into_recovery() else { return unexpected() };
    stage("Unresolved<PendingBind>", "start_over(), with a fresh code of wx.login");
    let again = unresolved.start_over();
    let outcome = again.wechat_mini_program(here.tenant.wechat_login_code("openid-sunli")).send()?;
    here.finished(&outcome)
}

fn renewed_after_a_rotation(here: &Here) -> Result<()> {
    title("Li Lei again: the tenant changes its key, and his identity token is renewed");
    stage("Unauthenticated", "wechat_mini_program(code)");
    let Outcome::Authenticated(user) = here.log_in("openid-lilei")? else { return unexpected() };
    here.tenant.rotate_key();
    stage("Authenticated", "renew_id_token()");
    let user = user.renew_id_token().send()?;
    // The verifier may ask for keys once in ten seconds; here it has just done so, and a new one asks at once.
    let here = Here { verifier: IdTokenVerifier::new(&here.client)?, ..Here::clone(here) };
    let outcome: Outcome = Outcome::Authenticated(user);
    here.finished(&outcome)
}

impl Here {
    fn log_in(&self, openid: &str) -> Result<Outcome> {
        // In a mini program, wx.login gives this code.
        let code = self.tenant.wechat_login_code(openid);
        Ok(self.client.login(device()?).wechat_mini_program(code).send()?)
    }

    /// A captcha, solved: the emulator tells where the piece fits, which a person sees.
    fn pass(&self, destination: &str) -> Result<CaptchaPass> {
        stage("Client", "captcha(&device)");
        let captcha = self.client.captcha(&device()?).send()?;
        if let (Some(picture), Some(piece)) = (captcha.picture(), captcha.piece()) {
            println!("      the picture: {picture:?}, the piece: {piece:?}");
        }
        let x = self.tenant.captcha_solution(captcha.token().expose()).ok_or("no such captcha")?;
        stage("Captcha", "solve(x, destination)");
        Ok(captcha.solve(x, destination).send()?)
    }

    /// The end of each login: a session, and a user who was verified by the tenant's keys.
    fn finished<O: Origin>(&self, outcome: &Outcome<O>) -> Result<()> {
        let Outcome::Authenticated(user) = outcome else { return unexpected() };
        println!("  Authenticated: {}", session(user));
        let claims = user.identify(&self.verifier)?;
        println!(
            "  Verified: {}, called {}, id {}",
            claims.user_name().unwrap_or("nobody"),
            claims.name().unwrap_or("nothing"),
            claims.id().unwrap_or("none"),
        );
        Ok(())
    }

    /// The code that the user reads on the phone or in the mail.
    fn code(&self, destination: &str) -> Result<String> {
        self.tenant.last_code(destination).ok_or_else(|| "no code was sent".into())
    }
}

fn device() -> Result<Device> {
    Ok(Device::new(
        "windows10.1.1",
        "156aysdna213sc50",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 13_3 like Mac OS X)",
    )?
    .with_language("en")?)
}

fn title(text: &str) {
    println!("\n## {text}");
}

fn stage(stage: &str, call: &str) {
    println!("  {stage}: {call}");
}

fn session(user: &Authenticated) -> String {
    let days = user.expires_in().map_or(0, |time| time.as_secs() / 86400);
    format!("session {} for {days} days", short(user.session_token().expose()))
}

fn unexpected<T>() -> Result<T> {
    Err("the tenant answered something else than this walkthrough expects".into())
}

/// Sends the request, and tells what goes and what comes, with every value cut short.
fn narrated(http: &UreqTransport, request: Request) -> std::result::Result<Response, TransportError> {
    println!("      -> {} {} {}", request.method(), request.uri().path(), fields(request.body()));
    let answer = http.send(request);
    match &answer {
        Ok(response) => println!("      <- HTTP {} {}", response.status().as_u16(), fields(response.body())),
        Err(error) => println!("      <- {error}"),
    }
    answer
}

/// The fields of a JSON body, each value cut short but for the few that are no secret.
fn fields(body: &[u8]) -> String {
    let Ok(serde_json::Value::Object(fields)) = serde_json::from_slice(body) else { return String::new() };
    let shown = fields.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| {
        match (name.as_str(), value) {
            ("status" | "error_code" | "error_msg" | "type" | "data", serde_json::Value::String(text)) => {
                format!("{name}: {text}")
            }
            (_, serde_json::Value::String(text)) => format!("{name}: {}", short(text)),
            (_, serde_json::Value::Array(list)) => format!("{name}: a list of {}", list.len()),
            _ => format!("{name}: {value}"),
        }
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// A secret, cut short.
fn short(text: &str) -> String {
    format!("{}…", text.chars().take(4.min(text.chars().count() / 2)).collect::<String>())
}
