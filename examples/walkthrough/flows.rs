//! The flows: sample users at an emulated tenant. Each is whole in itself, and can run alone.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use idaas_login::emulator::{Emulator, Fault, Unbound, User};
use idaas_login::endpoints::{self, Platform};
use idaas_login::{
    Advice, Authenticated, Channel, Client, Device, Edition, IdTokenVerifier, Origin, Outcome,
    PasswordPolicy, Recovery, RegistrationAttributes, SendsCode, Unauthenticated, Verify,
};

use super::telling::Telling;

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What becomes of a user.
pub struct Flow {
    /// The name of its transcript.
    pub name: &'static str,
    pub title: &'static str,
    /// The tenant's edition.
    pub edition: Edition,
    pub run: fn(&Here) -> Result<()>,
}

const fn flow(name: &'static str, title: &'static str, run: fn(&Here) -> Result<()>) -> Flow {
    flow_in(Edition::Ciam, name, title, run)
}

const fn flow_in(
    edition: Edition,
    name: &'static str,
    title: &'static str,
    run: fn(&Here) -> Result<()>,
) -> Flow {
    Flow { name, title, edition, run }
}

/// Every flow.
pub const FLOWS: &[Flow] = &[
    flow("already-bound", "Li Lei has bound his account before: the login ends at once", already_bound),
    flow(
        "bound-by-password",
        "Han Meimei binds her account by password, and mistypes it once",
        bound_by_password,
    ),
    flow("bound-by-sms", "Wang Wei binds his account by a code that he gets by SMS", bound_by_sms),
    flow(
        "registered-by-email",
        "Zhao Min has no account: one is registered by a code that she gets by e-mail",
        registered_by_email,
    ),
    flow(
        "second-factor",
        "Chen Jie binds her account by the number that WeChat knows, and is asked for a second factor",
        asked_for_a_second_factor,
    ),
    flow("alipay", "Liu Yang comes through Alipay: the same stages, with Alipay's own bind", through_alipay),
    flow(
        "login-by-code",
        "Wang Wei logs in by a code that he gets by SMS: no platform, no password",
        by_a_code,
    ),
    flow(
        "password-expires-soon",
        "Zhou Na's password expires soon, and she keeps it for now",
        by_a_password_that_expires_soon,
    ),
    flow(
        "password-expired",
        "Wu Lan's password has expired: she must change it, and mistypes the old one",
        by_an_expired_password,
    ),
    flow(
        "app",
        "Xu Jing comes with QQ: the identity must be bound, as in a mini program",
        by_an_app_that_must_be_bound,
    ),
    flow(
        "second-factor-then-password",
        "Ma Li gives a second factor, and then has to change her password",
        second_factor_then_password,
    ),
    flow("registration", "He Ping registers an account, with a user name that somebody else has", registers),
    flow("forgotten-password", "He Ping forgets the password, and takes a new one", forgot_the_password),
    flow(
        "response-lost",
        "Sun Li binds her account, and the response is lost on the way back",
        the_response_is_lost,
    ),
    flow(
        "renewed-identity-token",
        "Li Lei again: the tenant changes its key, and his identity token is renewed",
        renewed_after_a_rotation,
    ),
    flow("access-denied", "The tenant's policy denies Gao Jun the access", is_denied),
    flow(
        "state-token-expired",
        "Deng Chao takes too long to bind his account, and begins again",
        takes_too_long,
    ),
    flow_in(
        Edition::Eiam,
        "password-by-code",
        "Qian Duo's password expires soon: a code takes the place of the old one",
        changes_it_by_code,
    ),
    #[cfg(feature = "signature")]
    flow_in(Edition::OneAccess, "logout", "Zheng Kai logs out of OneAccess, by a signed request", logs_out),
];

/// Where a flow runs.
pub struct Here {
    tenant: Emulator,
    client: Client,
    verifier: IdTokenVerifier,
    telling: Arc<Telling>,
}

impl Flow {
    /// Runs it with a client of the tenant, whose transport tells what goes over it.
    pub fn run(&self, tenant: &Emulator, client: Client, telling: &Arc<Telling>) -> Result<()> {
        let verifier = verifier(tenant, &client)?;
        let here = Here { tenant: tenant.clone(), client, verifier, telling: Arc::clone(telling) };
        telling.title(self.title);
        drop(tenant.take_ledger());
        (self.run)(&here)?;
        let ledger = tenant.take_ledger();
        telling.effects(ledger.iter().map(|entry| (entry.path.as_str(), entry.effects.as_slice())));
        Ok(())
    }
}

/// A verifier that goes by the tenant's time.
fn verifier(tenant: &Emulator, client: &Client) -> Result<IdTokenVerifier> {
    let tenant = tenant.clone();
    Ok(IdTokenVerifier::new(client)?.clock(move || tenant.now()))
}

fn already_bound(here: &Here) -> Result<()> {
    here.tenant.add_user(User::new("lilei").name("Li Lei"));
    here.tenant.bind(Platform::WeChatMiniProgram, "openid-lilei", "lilei");

    here.telling.stage("Unauthenticated", "wechat_mini_program(code)");
    let outcome = here.log_in("openid-lilei")?;
    here.finished(&outcome)
}

fn bound_by_password(here: &Here) -> Result<()> {
    here.tenant.add_user(User::new("hanmeimei").password("correct horse"));

    here.telling.stage("Unauthenticated", "wechat_mini_program(code)");
    let Outcome::PendingBind(pending) = here.log_in("openid-hanmeimei")? else { return unexpected() };
    here.telling.stage("PendingBind", "username_password(\"hanmeimei\", …)");
    let Err(failed) = pending.username_password("hanmeimei", "battery staple").send() else {
        return unexpected();
    };
    here.telling.note(&failed.to_string());
    let Recovery::Retry(pending) = failed.into_recovery() else { return unexpected() };
    here.telling.stage("PendingBind", "username_password(\"hanmeimei\", …), with the stage that came back");
    let outcome = pending.username_password("hanmeimei", "correct horse").send()?;
    here.finished(&outcome)
}

fn bound_by_sms(here: &Here) -> Result<()> {
    here.tenant.add_user(User::new("wangwei").mobile("15201657312"));

    here.telling.stage("Unauthenticated", "wechat_mini_program(code)");
    let Outcome::PendingBind(pending) = here.log_in("openid-wangwei")? else { return unexpected() };
    here.telling.stage("PendingBind", "phone(mobile), which sends nothing");
    let phone = pending.phone("15201657312")?;
    let code = here.code(&phone)?;
    here.telling.stage("VerifyPhone<PendingBind>", "submit(code)");
    let outcome = phone.submit(code).send()?;
    here.finished(&outcome)
}

fn registered_by_email(here: &Here) -> Result<()> {
    here.tenant.configure(|settings| settings.unbound = Unbound::Register);

    here.telling.stage("Unauthenticated", "wechat_mini_program(code)");
    let Outcome::PendingRegister(pending) = here.log_in("openid-zhaomin")? else { return unexpected() };
    here.telling.stage("PendingRegister", "email(address), which sends nothing");
    let email = pending.email("zhaomin@example.com")?;
    let code = here.code(&email)?;
    here.telling.stage("VerifyEmail<PendingRegister>", "submit(code)");
    let outcome = email.submit(code).send()?;
    here.tenant.configure(|settings| settings.unbound = Unbound::Bind);
    here.finished(&outcome)
}

fn asked_for_a_second_factor(here: &Here) -> Result<()> {
    here.tenant.add_user(User::new("chenjie").mobile("13800138000").second_factor());

    here.telling.stage("Unauthenticated", "wechat_mini_program(code)");
    let Outcome::PendingBind(pending) = here.log_in("openid-chenjie")? else { return unexpected() };
    here.telling.stage("PendingBind", "wechat_mobile(wechat_code)");
    let outcome = pending.wechat_mobile(here.tenant.wechat_phone_code("13800138000")).send()?;
    let Outcome::MfaRequired(mfa) = outcome else { return unexpected() };
    here.telling.stage("MfaRequired", "registered_mobile()");
    let mobile = mfa.registered_mobile().send()?;
    here.telling.stage("MfaRequired", "phone(mobile), which sends nothing");
    let phone = mfa.phone(mobile);
    let code = here.code(&phone)?;
    here.telling.stage("VerifyPhone<MfaRequired>", "submit(code)");
    let outcome = phone.submit(code).send()?;
    here.finished(&outcome)
}

fn through_alipay(here: &Here) -> Result<()> {
    here.tenant.add_user(User::new("liuyang").mobile("13900139000"));

    here.telling.stage("Unauthenticated", "alipay_mini_program(code)");
    let code = here.tenant.login_code(Platform::AlipayMiniProgram, "2088-liuyang");
    let Outcome::PendingBind(pending) = here.client.login(device()?).alipay_mini_program(code).send()? else {
        return unexpected();
    };
    here.telling.stage("PendingBind<AlipayMiniProgram>", "alipay_mobile(alipay_encrypt)");
    let encrypted = here.tenant.phone_code(Platform::AlipayMiniProgram, "13900139000");
    let outcome = pending.alipay_mobile(encrypted).send()?;
    here.finished(&outcome)
}

fn by_a_code(here: &Here) -> Result<()> {
    here.tenant.add_user(User::new("wangwei").mobile("15201657312"));

    here.telling.stage("Unauthenticated", "phone(mobile), which sends nothing");
    let phone = here.begin()?.phone("15201657312");
    let code = here.code(&phone)?;
    here.telling.stage("VerifyPhone<Unauthenticated>", "submit(code)");
    let outcome = phone.submit(code).send()?;
    here.finished(&outcome)
}

fn by_a_password_that_expires_soon(here: &Here) -> Result<()> {
    here.tenant.add_user(User::new("zhouna").password("nearly expired").password_expiring());

    here.telling.stage("Unauthenticated", "username_password(\"zhouna\", …)");
    let outcome = here.begin()?.username_password("zhouna", "nearly expired").send()?;
    let Outcome::PasswordExpiring(expiring) = outcome else { return unexpected() };
    here.telling.note(&format!("a new one would need {}", demands(expiring.policy())));
    here.telling.stage("PasswordExpiring", "keep_password()");
    let outcome = expiring.keep_password().send()?;
    here.finished(&outcome)
}

fn by_an_expired_password(here: &Here) -> Result<()> {
    here.tenant.add_user(User::new("wulan").password("long expired").password_expired());

    here.telling.stage("Unauthenticated", "username_password(\"wulan\", …)");
    let outcome = here.begin()?.username_password("wulan", "long expired").send()?;
    let Outcome::PasswordExpired(expired) = outcome else { return unexpected() };
    here.telling.note(&format!("a new one needs {}", demands(expired.policy())));
    here.telling.stage("PasswordExpired", "change_password(…, …), the old one wrong");
    let Err(failed) = expired.change_password("lang expired", "quite fresh").send() else {
        return unexpected();
    };
    here.telling.note(&failed.to_string());
    let Advice::AskAgain { attempts_left } = failed.advice() else { return unexpected() };
    here.telling.note(&format!("advice: {}; attempts left: {attempts_left:?}", failed.advice()));
    let Recovery::Retry(expired) = failed.into_recovery() else { return unexpected() };
    here.telling.stage("PasswordExpired", "change_password(…, …), with the stage that came back");
    let outcome = expired.change_password("long expired", "quite fresh").send()?;
    here.finished(&outcome)
}

fn by_an_app_that_must_be_bound(here: &Here) -> Result<()> {
    here.tenant.add_user(User::new("xujing").password("correct horse"));

    here.telling.stage("Unauthenticated", "qq(access_token, open_id)");
    let access_token = here.tenant.login_code(Platform::Qq, "qq-xujing");
    let outcome = here.begin()?.qq(access_token, "qq-xujing").send()?;
    let Outcome::PendingBind(pending) = outcome else { return unexpected() };
    // There is no wechat_mobile() here: only a WeChat mini program has a number to authorise.
    here.telling.stage("PendingBind<SocialApp>", "username_password(\"xujing\", …)");
    let outcome = pending.username_password("xujing", "correct horse").send()?;
    here.finished(&outcome)
}

fn second_factor_then_password(here: &Here) -> Result<()> {
    let ma = User::new("mali").password("long expired").password_expired();
    here.tenant.add_user(ma.email("mali@example.com").second_factor());

    here.telling.stage("Unauthenticated", "identifier_password(\"mali@example.com\", …)");
    let outcome = here.begin()?.identifier_password("mali@example.com", "long expired").send()?;
    let Outcome::MfaRequired(mfa) = outcome else { return unexpected() };
    here.telling.stage("MfaRequired<Account>", "email(address), which sends nothing");
    let email = mfa.email("mali@example.com");
    let code = here.code(&email)?;
    here.telling.stage("VerifyEmail<MfaRequired<Account>>", "submit(code)");
    let Outcome::PasswordExpired(expired) = email.submit(code).send()? else { return unexpected() };
    here.telling.stage("PasswordExpired<Account>", "change_password(…, …)");
    let outcome = expired.change_password("long expired", "quite fresh").send()?;
    here.finished(&outcome)
}

fn registers(here: &Here) -> Result<()> {
    here.tenant.add_user(User::new("wangwei").mobile("15201657312"));
    let attributes = RegistrationAttributes::new().name("He Ping").password("first password");

    here.telling.stage("Unauthenticated", "register(attributes), then phone(mobile), which send nothing");
    let phone = here.begin()?.register(attributes.clone().user_name("wangwei")).phone("18600186000");
    let code = here.code(&phone)?;
    here.telling.stage("VerifyPhone<Registration>", "submit(code)");
    let Err(failed) = phone.submit(&code).send() else { return unexpected() };
    here.telling.note(&format!("{failed:#}"));
    let Recovery::Retry(phone) = failed.into_recovery() else { return unexpected() };
    here.telling.stage("VerifyPhone<Registration>", "with_attributes(attributes), then submit(code) again");
    let outcome = phone.with_attributes(attributes.user_name("heping")).submit(code).send()?;
    let Outcome::Authenticated(user) = outcome else { return unexpected() };
    // A registration gives no identity token.
    here.telling.stage("Authenticated", "renew_id_token()");
    here.identified(&user.renew_id_token().send()?)
}

fn forgot_the_password(here: &Here) -> Result<()> {
    here.tenant
        .add_user(User::new("heping").name("He Ping").mobile("18600186000").password("first password"));

    here.telling.stage("Unauthenticated", "reset_password(), then phone(mobile), which send nothing");
    let phone = here.begin()?.reset_password().phone("18600186000");
    let code = here.code(&phone)?;
    here.telling.stage("VerifyPhone<PasswordReset>", "submit(code, new_password), which gives no session");
    let login = phone.submit(code, "second password").send()?;
    here.telling.stage("Unauthenticated", "username_password(\"heping\", …)");
    let outcome = login.username_password("heping", "second password").send()?;
    here.finished(&outcome)
}

fn the_response_is_lost(here: &Here) -> Result<()> {
    here.tenant.add_user(User::new("sunli").password("correct horse"));

    here.telling.stage("Unauthenticated", "wechat_mini_program(code)");
    let Outcome::PendingBind(pending) = here.log_in("openid-sunli")? else { return unexpected() };
    here.tenant.fail_next(endpoints::BIND_USERNAME_PASSWORD.path, Fault::LoseResponse);
    here.telling.stage("PendingBind", "username_password(\"sunli\", …)");
    let Err(failed) = pending.username_password("sunli", "correct horse").send() else { return unexpected() };
    here.telling.note(&failed.to_string());
    let Recovery::Unresolved(unresolved) = failed.into_recovery() else { return unexpected() };
    here.telling.stage("Unresolved<PendingBind>", "start_over(), with a fresh code of wx.login");
    let again = unresolved.start_over();
    let outcome = again.wechat_mini_program(here.tenant.wechat_login_code("openid-sunli")).send()?;
    here.finished(&outcome)
}

fn renewed_after_a_rotation(here: &Here) -> Result<()> {
    here.tenant.add_user(User::new("lilei").name("Li Lei"));
    here.tenant.bind(Platform::WeChatMiniProgram, "openid-lilei", "lilei");

    here.telling.stage("Unauthenticated", "wechat_mini_program(code)");
    let Outcome::Authenticated(user) = here.log_in("openid-lilei")? else { return unexpected() };
    here.tenant.rotate_key();
    here.telling.stage("Authenticated", "renew_id_token()");
    let user = user.renew_id_token().send()?;
    // The verifier may ask for keys once in ten seconds; here it has just done so, and a new one asks at once.
    here.identified_by(&user, &verifier(&here.tenant, &here.client)?)
}

fn is_denied(here: &Here) -> Result<()> {
    here.tenant.add_user(User::new("gaojun").password("correct horse").denied());

    here.telling.stage("Unauthenticated", "username_password(\"gaojun\", …)");
    let Err(failed) = here.begin()?.username_password("gaojun", "correct horse").send() else {
        return unexpected();
    };
    here.telling.note(&failed.to_string());
    here.telling.note(&format!("advice: {}", failed.advice()));
    Ok(())
}

fn takes_too_long(here: &Here) -> Result<()> {
    here.tenant.add_user(User::new("dengchao").password("correct horse"));

    here.telling.stage("Unauthenticated", "wechat_mini_program(code)");
    let Outcome::PendingBind(pending) = here.log_in("openid-dengchao")? else { return unexpected() };
    here.tenant.advance(Duration::from_secs(11 * 60));
    here.telling.stage("PendingBind", "username_password(\"dengchao\", …), eleven minutes later");
    let Err(failed) = pending.username_password("dengchao", "correct horse").send() else {
        return unexpected();
    };
    here.telling.note(&failed.to_string());
    let Recovery::StartOver(login) = failed.into_recovery() else { return unexpected() };
    here.telling.stage("Unauthenticated", "wechat_mini_program(code), with a fresh code of wx.login");
    let code = here.tenant.wechat_login_code("openid-dengchao");
    let Outcome::PendingBind(pending) = login.wechat_mini_program(code).send()? else { return unexpected() };
    here.telling.stage("PendingBind", "username_password(\"dengchao\", …)");
    let outcome = pending.username_password("dengchao", "correct horse").send()?;
    here.finished(&outcome)
}

fn changes_it_by_code(here: &Here) -> Result<()> {
    let qian = User::new("qianduo").password("nearly expired").password_expiring();
    here.tenant.add_user(qian.mobile("13700137000"));

    here.telling.stage("Unauthenticated", "username_password(\"qianduo\", …)");
    let outcome = here.begin()?.username_password("qianduo", "nearly expired").send()?;
    let Outcome::PasswordExpiring(expiring) = outcome else { return unexpected() };
    here.telling.stage("PasswordExpiring", "registered_mobile()");
    let mobile = expiring.registered_mobile().send()?;
    here.telling.stage("PasswordExpiring", "phone(mobile), which sends nothing");
    let phone = expiring.phone(mobile);
    let code = here.code(&phone)?;
    here.telling.stage("VerifyPhone<PasswordExpired>", "submit(code, new_password)");
    let outcome = phone.submit(code, "quite fresh").send()?;
    here.finished(&outcome)
}

#[cfg(feature = "signature")]
fn logs_out(here: &Here) -> Result<()> {
    here.tenant.add_user(User::new("zhengkai").password("correct horse"));

    here.telling.stage("Unauthenticated", "username_password(\"zhengkai\", …)");
    let outcome = here.begin()?.username_password("zhengkai", "correct horse").send()?;
    let Outcome::Authenticated(user) = outcome else { return unexpected() };
    here.identified(&user)?;
    here.telling.stage("Client", "prepare_signature(&device)");
    here.client.prepare_signature(user.device())?;
    here.telling.stage("Authenticated", "logout()");
    user.logout().send()?;
    Ok(())
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
        self.telling.stage("Client", "captcha(&device)");
        let captcha = self.client.captcha(verify.device()).send()?;
        if let (Some(picture), Some(piece)) = (captcha.picture(), captcha.piece()) {
            self.telling.note(&format!("the picture: {picture:?}, the piece: {piece:?}"));
        }
        // The emulator tells where the piece fits, which a person sees.
        let x = self.tenant.captcha_solution(captcha.token().expose()).ok_or("no such captcha")?;
        self.telling.stage("Captcha", "solve(x, destination)");
        let pass = captcha.solve(x, verify.destination()).send()?;
        self.telling.stage(&verify.kind().to_string(), "send_code(&pass)");
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
        self.identified_by(user, &self.verifier)
    }

    fn identified_by(&self, user: &Authenticated, verifier: &IdTokenVerifier) -> Result<()> {
        let days = user.expires_in().map_or(0, |time| time.as_secs() / 86400);
        let session_token = self.telling.secret(user.session_token().expose());
        self.telling.end(&format!("Authenticated: session {session_token} for {days} days"));
        let claims = user.identify(verifier)?;
        self.telling.end(&format!(
            "Verified: {}, called {}, id {}",
            claims.user_name().unwrap_or("nobody"),
            claims.name().unwrap_or("nothing"),
            claims.id().unwrap_or("none"),
        ));
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

/// What the tenant says of passwords. It has the last word, whatever it says.
fn demands(policy: Option<&PasswordPolicy>) -> String {
    let length = policy.and_then(|policy| Some((policy.min_length()?, policy.max_length()?)));
    length.map_or("nothing in particular".to_owned(), |(min, max)| format!("{min} to {max} characters"))
}

fn unexpected<T>() -> Result<T> {
    Err("the response is not the one that this walkthrough expects".into())
}
