//! What the examples in this crate's documentation begin with: a login that has reached a stage. No part of the API.
//!
//! Each gives the tenant too, which knows what a user would see. It has one account, `zhangshan`.

use std::error::Error;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::{Emulator, Unbound, User};
use crate::endpoints::Platform;
use crate::{
    Account, Authenticated, CaptchaPass, Channel, Client, Device, Edition, MfaRequired, Outcome,
    PasswordExpired, PasswordExpiring, PendingBind, PendingRegister, SendsCode, Verify,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The user name of the account.
pub const USER_NAME: &str = "zhangshan";
/// Its password.
pub const PASSWORD: &str = "correct horse";
/// Its mobile number.
pub const MOBILE: &str = "15201657312";
/// Its e-mail address.
pub const EMAIL: &str = "zhangshan@example.com";
/// A WeChat identity that has no account.
pub const OPENID: &str = "an-openid";
/// A WeChat identity that `zhangshan` has bound.
pub const BOUND_OPENID: &str = "an-openid-of-zhangshan";

/// Before the first stage.
pub fn client() -> Result<(Emulator, Client, Device)> {
    client_of(Edition::Ciam)
}

/// Before the first stage, in this edition.
pub fn client_of(edition: Edition) -> Result<(Emulator, Client, Device)> {
    set_up(edition, zhangshan())
}

/// A WeChat mini program's user without an account, where the tenant lets accounts be bound.
pub fn pending_bind() -> Result<(Emulator, PendingBind)> {
    let (tenant, client, device) = client()?;
    match client.login(device).wechat_mini_program(tenant.wechat_login_code(OPENID)).send()? {
        Outcome::PendingBind(stage) => Ok((tenant, stage)),
        other => unexpected(&other),
    }
}

/// The same, where the tenant lets accounts be registered, too.
pub fn pending_register() -> Result<(Emulator, PendingRegister)> {
    let (tenant, client, device) = client()?;
    tenant.configure(|settings| settings.unbound = Unbound::Register);
    match client.login(device).wechat_mini_program(tenant.wechat_login_code(OPENID)).send()? {
        Outcome::PendingRegister(stage) => Ok((tenant, stage)),
        other => unexpected(&other),
    }
}

/// A second factor is due.
pub fn mfa_required() -> Result<(Emulator, MfaRequired)> {
    let (tenant, client, device) = set_up(Edition::Ciam, zhangshan().second_factor())?;
    match client.login(device).wechat_mini_program(tenant.wechat_login_code(BOUND_OPENID)).send()? {
        Outcome::MfaRequired(stage) => Ok((tenant, stage)),
        other => unexpected(&other),
    }
}

/// The password expires soon. In EIAM, which has all the steps of this stage.
pub fn password_expiring() -> Result<(Emulator, PasswordExpiring<Account>)> {
    let (tenant, client, device) = set_up(Edition::Eiam, zhangshan().password_expiring())?;
    match client.login(device).username_password(USER_NAME, PASSWORD).send()? {
        Outcome::PasswordExpiring(stage) => Ok((tenant, stage)),
        other => unexpected(&other),
    }
}

/// The password has expired. In EIAM, which has all the steps of this stage.
pub fn password_expired() -> Result<(Emulator, PasswordExpired<Account>)> {
    let (tenant, client, device) = set_up(Edition::Eiam, zhangshan().password_expired())?;
    match client.login(device).username_password(USER_NAME, PASSWORD).send()? {
        Outcome::PasswordExpired(stage) => Ok((tenant, stage)),
        other => unexpected(&other),
    }
}

/// The login is finished.
pub fn authenticated() -> Result<(Emulator, Authenticated)> {
    authenticated_in(Edition::Ciam)
}

/// The login is finished, in this edition.
pub fn authenticated_in(edition: Edition) -> Result<(Emulator, Authenticated)> {
    let (tenant, client, device) = client_of(edition)?;
    match client.login(device).wechat_mini_program(tenant.wechat_login_code(BOUND_OPENID)).send()? {
        Outcome::Authenticated(user) => Ok((tenant, user)),
        other => unexpected(&other),
    }
}

/// The pass of a captcha that the user has solved for the destination of `stage`.
pub fn pass<C: Channel, S: SendsCode>(tenant: &Emulator, stage: &Verify<C, S>) -> Result<CaptchaPass> {
    let captcha = stage.client().captcha(stage.device()).send()?;
    let x = tenant.captcha_solution(captcha.token().expose()).ok_or("the captcha has a solution")?;
    Ok(captcha.solve(x, stage.destination()).send()?)
}

/// The code that the user of `stage` has received.
pub fn code<C: Channel, S: SendsCode>(tenant: &Emulator, stage: &Verify<C, S>) -> Result<String> {
    stage.send_code(&pass(tenant, stage)?).send()?;
    Ok(tenant.last_code(stage.destination()).ok_or("a code was sent")?)
}

/// What an asynchronous step comes to over a tenant that responds at once.
pub fn run<T>(steps: impl Future<Output = Result<T>>) -> Result<T> {
    match pin!(steps).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err("the tenant responds at once".into()),
    }
}

fn zhangshan() -> User {
    User::new(USER_NAME).name("Zhang Shan").password(PASSWORD).mobile(MOBILE).email(EMAIL)
}

fn set_up(edition: Edition, user: User) -> Result<(Emulator, Client, Device)> {
    let tenant = Emulator::new();
    tenant.configure(|settings| settings.edition = edition);
    tenant.add_user(user);
    tenant.bind(Platform::WeChatMiniProgram, BOUND_OPENID, USER_NAME);
    let client = tenant.client()?;
    let device = Device::new(
        "iOS 18.1",
        "156aysdna213sc50",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X)",
    )?;
    Ok((tenant, client, device.with_ip([203, 0, 113, 7])))
}

fn unexpected<T, O: crate::Origin>(other: &Outcome<O>) -> Result<T> {
    Err(format!("the login is at {}", other.kind()).into())
}
