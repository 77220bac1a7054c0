//! Real logins over HTTP, against the emulator: every stage, every way.
//!
//! `cargo run --example walkthrough`

use std::error::Error;

use idaas_login::emulator::{Emulator, Fault, Unbound, User};
use idaas_login::endpoints::{self, Platform};
use idaas_login::{
    Advice, Authenticated, Channel, Client, Device, IdTokenVerifier, Origin, Outcome, PasswordPolicy,
    Recovery, RegistrationAttributes, Request, Response, SendsCode, Transport, TransportError,
    Unauthenticated, UreqTransport, Verify,
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
    by_a_code(&here)?;
    by_a_password_that_expires_soon(&here)?;
    by_an_expired_password(&here)?;
    by_an_app_that_must_be_bound(&here)?;
    second_factor_then_password(&here)?;
    registers(&here)?;
    forgot_the_password(&here)?;
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
    let code = here.code(&phone)?;
    stage("VerifyPhone<PendingBind>", "submit(code)");
    let outcome = phone.submit(code).send()?;
    here.finished(&outcome)
}

fn registered_by_email(here: &Here) -> Result<()> {
    title("Zhao Min has no account: one is registered by a code that she gets by e-mail");
    here.tenant.configure(|settings| settings.unbound = Unbound::Register);

    stage("Unauthenticated", "wechat_mini_program(code)");
    let Outcome::PendingRegister(pending) = here.log_in("openid-zhaomin")? else { return unexpected() };
    stage("PendingRegister", "email(address), which sends nothing");
    let email = pending.email("zhaomin@example.com")?;
    let code = here.code(&email)?;
    stage("VerifyEmail<PendingRegister>", "submit(code)");
    let outcome = email.submit(code).send()?;
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
    let code = here.code(&phone)?;
    stage("VerifyPhone<MfaRequired>", "submit(code)");
    let outcome = phone.submit(code).send()?;
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

fn by_a_code(here: &Here) -> Result<()> {
    title("Wang Wei logs in by a code that he gets by SMS: no platform, no password");
    stage("Unauthenticated", "phone(mobile), which sends nothing");
    let phone = here.begin()?.phone("15201657312");
    let code = here.code(&phone)?;
    stage("VerifyPhone<Unauthenticated>", "submit(code)");
    let outcome = phone.submit(code).send()?;
    here.finished(&outcome)
}

fn by_a_password_that_expires_soon(here: &Here) -> Result<()> {
    title("Zhou Na's password expires soon, and she keeps it for now");
    here.tenant.add_user(User::new("zhouna").password("nearly expired").password_expiring());

    stage("Unauthenticated", "username_password(\"zhouna\", …)");
    let outcome = here.begin()?.username_password("zhouna", "nearly expired").send()?;
    let Outcome::PasswordExpiring(expiring) = outcome else { return unexpected() };
    println!("      a new one would need {}", demands(expiring.policy()));
    stage("PasswordExpiring", "keep_password()");
    let outcome = expiring.keep_password().send()?;
    here.finished(&outcome)
}

fn by_an_expired_password(here: &Here) -> Result<()> {
    title("Wu Lan's password has expired: she must change it, and mistypes the old one");
    here.tenant.add_user(User::new("wulan").password("long expired").password_expired());

    stage("Unauthenticated", "username_password(\"wulan\", …)");
    let outcome = here.begin()?.username_password("wulan", "long expired").send()?;
    let Outcome::PasswordExpired(expired) = outcome else { return unexpected() };
    println!("      a new one needs {}", demands(expired.policy()));
    stage("PasswordExpired", "change_password(…, …), the old one wrong");
    let Err(failed) = expired.change_password("lang expired", "quite fresh").send() else {
        return unexpected();
    };
    println!("      {failed}");
    let Advice::AskAgain { attempts_left } = failed.advice() else { return unexpected() };
    println!("      advice: {}; attempts left: {attempts_left:?}", failed.advice());
    let Recovery::Retry(expired) = failed.into_recovery() else { return unexpected() };
    stage("PasswordExpired", "change_password(…, …), with the stage that came back");
    let outcome = expired.change_password("long expired", "quite fresh").send()?;
    here.finished(&outcome)
}

fn by_an_app_that_must_be_bound(here: &Here) -> Result<()> {
    title("Xu Jing comes with QQ: the identity must be bound, as in a mini program");
    here.tenant.add_user(User::new("xujing").password("correct horse"));

    stage("Unauthenticated", "qq(access_token, open_id)");
    let access_token = here.tenant.login_code(Platform::Qq, "qq-xujing");
    let outcome = here.begin()?.qq(access_token, "qq-xujing").send()?;
    let Outcome::PendingBind(pending) = outcome else { return unexpected() };
    // There is no wechat_mobile() here: only a WeChat mini program has a number to authorise.
    stage("PendingBind<SocialApp>", "username_password(\"xujing\", …)");
    let outcome = pending.username_password("xujing", "correct horse").send()?;
    here.finished(&outcome)
}

fn second_factor_then_password(here: &Here) -> Result<()> {
    title("Ma Li gives a second factor, and then has to change her password");
    let ma = User::new("mali").password("long expired").password_expired();
    here.tenant.add_user(ma.email("mali@example.com").second_factor());

    stage("Unauthenticated", "identifier_password(\"mali@example.com\", …)");
    let outcome = here.begin()?.identifier_password("mali@example.com", "long expired").send()?;
    let Outcome::MfaRequired(mfa) = outcome else { return unexpected() };
    stage("MfaRequired<Account>", "email(address), which sends nothing");
    let email = mfa.email("mali@example.com");
    let code = here.code(&email)?;
    stage("VerifyEmail<MfaRequired<Account>>", "submit(code)");
    let Outcome::PasswordExpired(expired) = email.submit(code).send()? else { return unexpected() };
    stage("PasswordExpired<Account>", "change_password(…, …)");
    let outcome = expired.change_password("long expired", "quite fresh").send()?;
    here.finished(&outcome)
}

fn registers(here: &Here) -> Result<()> {
    title("He Ping registers an account, with a user name that somebody else has");
    let attributes = RegistrationAttributes::new().name("He Ping").password("first password");

    stage("Unauthenticated", "register(attributes), then phone(mobile), which send nothing");
    let phone = here.begin()?.register(attributes.clone().user_name("wangwei")).phone("18600186000");
    let code = here.code(&phone)?;
    stage("VerifyPhone<Registration>", "submit(code)");
    let Err(failed) = phone.submit(&code).send() else { return unexpected() };
    println!("      {failed:#}");
    let Recovery::Retry(phone) = failed.into_recovery() else { return unexpected() };
    stage("VerifyPhone<Registration>", "with_attributes(attributes), then submit(code) again");
    let outcome = phone.with_attributes(attributes.user_name("heping")).submit(code).send()?;
    let Outcome::Authenticated(user) = outcome else { return unexpected() };
    // A registration gives no identity token.
    stage("Authenticated", "renew_id_token()");
    here.identified(&user.renew_id_token().send()?)
}

fn forgot_the_password(here: &Here) -> Result<()> {
    title("He Ping forgets the password, and takes a new one");
    stage("Unauthenticated", "reset_password(), then phone(mobile), which send nothing");
    let phone = here.begin()?.reset_password().phone("18600186000");
    let code = here.code(&phone)?;
    stage("VerifyPhone<PasswordReset>", "submit(code, new_password), which gives no session");
    let login = phone.submit(code, "second password").send()?;
    stage("Unauthenticated", "username_password(\"heping\", …)");
    let outcome = login.username_password("heping", "second password").send()?;
    here.finished(&outcome)
}

fn the_answer_is_lost(here: &Here) -> Result<()> {
    title("Sun Li binds her account, and the response is lost on the way back");
    here.tenant.add_user(User::new("sunli").password("correct horse"));

    stage("Unauthenticated", "wechat_mini_program(code)");
    let Outcome::PendingBind(pending) = here.log_in("openid-sunli")? else { return unexpected() };
    here.tenant.fail_next(endpoints::BIND_USERNAME_PASSWORD.path, Fault::LoseResponse);
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
    here.identified(&user)
}

impl Here {
    fn begin(&self) -> Result<Unauthenticated> {
        Ok(self.client.login(device()?))
    }

    fn log_in(&self, openid: &str) -> Result<Outcome> {
        // In a mini program, wx.login gives this code.
        let code = self.tenant.wechat_login_code(openid);
        Ok(self.begin()?.wechat_mini_program(code).send()?)
    }

    /// A captcha, and the code that is sent for it. What the code is for, and which way it goes, the stage knows.
    fn code<C: Channel, S: SendsCode>(&self, verify: &Verify<C, S>) -> Result<String> {
        stage("Client", "captcha(&device)");
        let captcha = self.client.captcha(verify.device()).send()?;
        if let (Some(picture), Some(piece)) = (captcha.picture(), captcha.piece()) {
            println!("      the picture: {picture:?}, the piece: {piece:?}");
        }
        // The emulator tells where the piece fits, which a person sees.
        let x = self.tenant.captcha_solution(captcha.token().expose()).ok_or("no such captcha")?;
        stage("Captcha", "solve(x, destination)");
        let pass = captcha.solve(x, verify.destination()).send()?;
        stage(&verify.kind().to_string(), "send_code(&pass)");
        verify.send_code(&pass).send()?;
        // The user reads it on the phone or in the mail.
        self.tenant.last_code(verify.destination()).ok_or_else(|| "no code was sent".into())
    }

    /// The end of each login: a session, and a user who was verified by the tenant's keys.
    fn finished<O: Origin>(&self, outcome: &Outcome<O>) -> Result<()> {
        let Outcome::Authenticated(user) = outcome else { return unexpected() };
        self.identified(user)
    }

    fn identified(&self, user: &Authenticated) -> Result<()> {
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

/// What the tenant says of passwords. It has the last word, whatever it says.
fn demands(policy: Option<&PasswordPolicy>) -> String {
    let length = policy.and_then(|policy| Some((policy.min_length()?, policy.max_length()?)));
    length.map_or("nothing in particular".to_owned(), |(min, max)| format!("{min} to {max} characters"))
}

fn unexpected<T>() -> Result<T> {
    Err("the response is not the one that this walkthrough expects".into())
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
