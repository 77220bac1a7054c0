//! The calls of the mini program: open the handle, make the step, seal what comes of it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use idaas_login::http::StatusCode;
use idaas_login::{
    Account, AnyLogin, AnyStage, Call, CaptchaImage, CaptchaPass, Client, Device, Error, IdTokenVerifier,
    MfaRequired, NotAllowed, Origin, Outcome, PasswordExpired, PasswordExpiring, RegisteredMobile,
    RegistrationAttributes, Resumable, Resumed, Sealer, Stage, Step, Suspended, Unauthenticated,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::answer::{Done, Refused, Reply};

/// What every handler shares. Nothing in it changes: there is no store.
pub struct Backend {
    pub client: Client,
    /// It keeps the tenant's keys, which is a cache and no state.
    pub verifier: IdTokenVerifier,
    pub sealer: Sealer,
}

/// Who calls.
pub struct Caller {
    /// What handles are bound to: one that was given to another device does not open here.
    pub context: String,
    /// The device, for a login; a handle has the one that it began with.
    pub device: Device,
}

/// What the calls take. No `Debug`: there are passwords and codes in it.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Input {
    handle: String,
    way: String,
    code: String,
    identity: String,
    user_name: String,
    password: String,
    new_password: String,
    phone: String,
    email: String,
    attributes: Attributes,
    token: String,
    x: f64,
    captcha_token: String,
}

/// Some of what an account can be registered with.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Attributes {
    user_name: String,
    password: String,
    name: String,
    birthday: String,
}

impl Attributes {
    fn read(&self) -> RegistrationAttributes {
        let Self { user_name, password, name, birthday } = self;
        let mut read = RegistrationAttributes::new();
        if !user_name.is_empty() {
            read = read.user_name(user_name);
        }
        if !password.is_empty() {
            read = read.password(password);
        }
        if !name.is_empty() {
            read = read.name(name);
        }
        if !birthday.is_empty() {
            read = read.birthday(birthday);
        }
        read
    }
}

/// What the front end can ask for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Login,
    Choose,
    Attributes,
    Captcha,
    Solve,
    SendCode,
    Submit,
    Back,
    RetryAnyway,
    Me,
    Renew,
}

impl Operation {
    fn at(path: &str) -> Option<Self> {
        Some(match path {
            "/api/login" => Self::Login,
            "/api/choose" => Self::Choose,
            "/api/attributes" => Self::Attributes,
            "/api/captcha" => Self::Captcha,
            "/api/captcha/solve" => Self::Solve,
            "/api/send-code" => Self::SendCode,
            "/api/submit" => Self::Submit,
            "/api/back" => Self::Back,
            "/api/retry-anyway" => Self::RetryAnyway,
            "/api/me" => Self::Me,
            "/api/renew" => Self::Renew,
            _ => return None,
        })
    }
}

impl Backend {
    /// The call of this path, if there is one.
    pub fn call(&self, path: &str, caller: &Caller, input: &Input) -> Option<Reply> {
        Some(match Operation::at(path)? {
            Operation::Login => self.login(caller, input),
            operation => {
                self.resume(&input.handle, caller).and_then(|login| self.go_on(login, operation, input))
            }
        })
    }

    /// The reply as JSON, with the handle sealed for this caller.
    pub fn tell(&self, reply: Reply, caller: &Caller) -> (StatusCode, Value) {
        let mut told = Map::new();
        let mut tell = |name: &str, value: Value| drop(told.insert(name.to_owned(), value));
        let (status, now) = match reply {
            Ok(Done { now, given }) => {
                if let Some((name, value)) = given {
                    tell(name, value);
                }
                (StatusCode::OK, now)
            }
            Err(refused) => {
                tell("error", refused.error());
                (refused.status, refused.now.map(|now| *now))
            }
        };
        let Some(now) = now else {
            tell("stage", "unauthenticated".into());
            tell("ways", json!(["login"]));
            return (status, Value::Object(told));
        };
        match self.sealer.seal_for(&now.suspended, caller.context.as_bytes(), now.lifetime) {
            Ok(handle) => tell("handle", handle.into()),
            Err(error) => {
                eprintln!("{error}");
                let failed =
                    Refused::new(StatusCode::SERVICE_UNAVAILABLE, "start_over", "Please begin again.");
                return (failed.status, json!({ "error": failed.error(), "stage": "unauthenticated" }));
            }
        }
        tell("stage", now.stage.into());
        tell("purpose", now.purpose.into());
        tell("ways", now.ways.into());
        tell("destination", now.destination.into());
        tell("policy", now.policy.into());
        tell("expires_in", now.lifetime.as_secs().into());
        (status, Value::Object(told))
    }

    fn unseal(&self, handle: &str, caller: &Caller) -> Result<Suspended, Refused> {
        self.sealer.open(handle, caller.context.as_bytes()).map_err(|error| {
            eprintln!("a handle does not open: {}", error.reason());
            Refused::dead_handle()
        })
    }

    fn resume(&self, handle: &str, caller: &Caller) -> Result<AnyLogin, Refused> {
        self.client.resume(self.unseal(handle, caller)?).map_err(|error| {
            eprintln!("{error}");
            Refused::dead_handle()
        })
    }

    fn login(&self, caller: &Caller, input: &Input) -> Reply {
        let Input { way, code, identity, user_name, password, phone, email, .. } = input;
        let login = self.client.login(caller.device.clone());
        match way.as_str() {
            "" | "wechat_mini_program" => begun(login.wechat_mini_program(code)),
            "wechat_mini_program_mobile" => begun(login.wechat_mini_program_mobile(code)),
            "alipay_mini_program" => begun(login.alipay_mini_program(code)),
            "wechat_app" => begun(login.wechat_app(code)),
            "alipay_app" => begun(login.alipay_app(code)),
            "qq" => begun(login.qq(code, identity)),
            "weibo" => begun(login.weibo(code, identity)),
            "apple" => begun(login.apple(code)),
            "carrier" => begun(login.carrier_one_tap(code)),
            "password" => begun(login.username_password(user_name, password)),
            "identifier" => begun(login.identifier_password(user_name, password)),
            "phone" => Ok(account(login.phone(phone))),
            "email" => Ok(account(login.email(email))),
            "register" => Ok(account(login.register(input.attributes.read()))),
            "reset_password" => Ok(account(login.reset_password())),
            _ => Err(Refused::bad_request(StatusCode::BAD_REQUEST, "there is no such way to log in")),
        }
    }

    /// From here on it does not matter how the login began, but for the number that a platform authorises: that is matched where
    /// the platform is still known.
    fn go_on(&self, login: AnyLogin, operation: Operation, input: &Input) -> Reply {
        let code = &input.code;
        match (login, operation == Operation::Choose && input.way == "authorised_number") {
            (AnyLogin::WeChatMiniProgram(Resumed::Stage(AnyStage::PendingBind(stage))), true) => {
                stepped(stage.wechat_mobile(code))
            }
            (AnyLogin::WeChatMiniProgram(Resumed::Stage(AnyStage::PendingRegister(stage))), true) => {
                stepped(stage.wechat_mobile(code))
            }
            (AnyLogin::AlipayMiniProgram(Resumed::Stage(AnyStage::PendingBind(stage))), true) => {
                stepped(stage.alipay_mobile(code))
            }
            (AnyLogin::AlipayMiniProgram(Resumed::Stage(AnyStage::PendingRegister(stage))), true) => {
                stepped(stage.alipay_mobile(code))
            }
            (AnyLogin::WeChatMiniProgram(login), _) => self.go_on_from(login, operation, input),
            (AnyLogin::AlipayMiniProgram(login), _) => self.go_on_from(login, operation, input),
            (AnyLogin::SocialApp(login), _) => self.go_on_from(login, operation, input),
            (AnyLogin::Account(login), _) => self.go_on_from(login, operation, input),
        }
    }

    fn go_on_from<O: Origin>(&self, login: Resumed<O>, operation: Operation, input: &Input) -> Reply {
        let held = match login {
            Resumed::Stage(held) => held,
            // At the user's own risk.
            Resumed::Unresolved(unresolved) if operation == Operation::RetryAnyway => {
                return Ok(Done::at(unresolved.retry_anyway()));
            }
            Resumed::Unresolved(unresolved) => return Err(Refused::unsettled(unresolved.suspend())),
        };
        match operation {
            Operation::Choose => choose(held, input),
            Operation::Attributes => attributes(held, &input.attributes),
            Operation::Captcha => self.captcha(held),
            Operation::Solve => self.solve(held, input),
            Operation::SendCode => send_code(held, input),
            Operation::Submit => submit(held, input),
            Operation::Back => back(held),
            Operation::Me => self.me(held),
            Operation::Renew => renew(held),
            Operation::Login | Operation::RetryAnyway => Err(Refused::wrong_stage(held)),
        }
    }

    /// A captcha belongs to no stage, but only a stage in which a code is due needs one.
    fn captcha<O: Origin>(&self, held: AnyStage<O>) -> Reply {
        if held.destination().is_none() {
            return Err(Refused::wrong_stage(held));
        }
        let captcha = match self.client.captcha(held.device()).send() {
            Ok(captcha) => captcha,
            Err(error) => return Err(Refused::side_call(&error, held)),
        };
        let size = captcha.picture().and_then(CaptchaImage::size);
        let given = json!({
            "token": captcha.token().expose(),
            "picture": captcha.picture().map(data_uri),
            "piece": captcha.piece().map(data_uri),
            "width": size.map(|(width, _)| width),
            "height": size.map(|(_, height)| height),
        });
        Ok(Done::at(held).give("captcha", given))
    }

    /// The captcha may have been fetched by another process: its token is all that is needed.
    fn solve<O: Origin>(&self, held: AnyStage<O>, input: &Input) -> Reply {
        let Some(destination) = held.destination() else { return Err(Refused::wrong_stage(held)) };
        let captcha = self.client.captcha_from_token(held.device(), &input.token);
        match captcha.solve(input.x, destination).send() {
            Ok(pass) => Ok(Done::at(held).give("captcha_token", pass.expose().into())),
            Err(error) => Err(Refused::side_call(&error, held)),
        }
    }

    fn me<O: Origin>(&self, held: AnyStage<O>) -> Reply {
        let AnyStage::Authenticated(user) = held else { return Err(Refused::wrong_stage(held)) };
        let identified = user.identify(&self.verifier);
        let done = account(user);
        match identified {
            Ok(claims) => {
                let given = json!({
                    "id": claims.id(),
                    "user_name": claims.user_name(),
                    "name": claims.name(),
                    "mobile": claims.mobile(),
                    "email": claims.email(),
                });
                Ok(done.give("user", given))
            }
            Err(error) => {
                eprintln!("an identity token is not accepted: {error}");
                Err(Refused::identity(&error, done.now))
            }
        }
    }
}

/// The end of a step that begins a login: a failure leaves nothing to go on with.
fn begun<O: Origin>(step: Step<Unauthenticated, Outcome<O>>) -> Reply {
    step.send().map(|outcome| Done::at(outcome.into())).map_err(|failed| Refused::login(&failed))
}

/// The end of a step that leads to any stage of the same login.
fn stepped<S, O>(step: Step<S, Outcome<O>>) -> Reply
where
    S: Stage + Resumable + Into<AnyStage<O>>,
    O: Origin,
{
    step.send().map(|outcome| Done::at(outcome.into())).map_err(Refused::step::<S, O>)
}

/// The end of a narrowing that the tenant may not allow.
fn narrowed<S, V, O>(to: Result<V, NotAllowed<S>>) -> Reply
where
    S: Into<AnyStage<O>>,
    V: Into<AnyStage<O>>,
    O: Origin,
{
    to.map(|stage| Done::at(stage.into())).map_err(|refused| {
        let error = Error::NotAllowed(refused.method().clone());
        Refused::side_call(&error, refused.into_stage().into())
    })
}

/// A stage that belongs to each origin: whatever it began with, the login is not told apart by that any more.
fn account(stage: impl Into<AnyStage<Account>>) -> Done {
    Done::at(stage.into())
}

fn choose<O: Origin>(held: AnyStage<O>, input: &Input) -> Reply {
    let Input { way, user_name, password, new_password, phone, email, .. } = input;
    match (held, way.as_str()) {
        (AnyStage::PendingBind(stage), "password") => stepped(stage.username_password(user_name, password)),
        (AnyStage::PendingBind(stage), "phone") => narrowed(stage.phone(phone)),
        (AnyStage::PendingBind(stage), "email") => narrowed(stage.email(email)),
        (AnyStage::PendingRegister(stage), "phone") => narrowed(stage.phone(phone)),
        (AnyStage::PendingRegister(stage), "email") => narrowed(stage.email(email)),
        (AnyStage::MfaRequired(stage), "phone") => {
            to_number::<_, _, O>(stage, phone, MfaRequired::registered_mobile, MfaRequired::phone)
        }
        (AnyStage::MfaRequired(stage), "email") => Ok(Done::at::<O>(stage.email(email).into())),
        (AnyStage::PasswordExpiring(stage), "change_password") => {
            stepped(stage.change_password(password, new_password))
        }
        (AnyStage::PasswordExpiring(stage), "keep_password") => stepped(stage.keep_password()),
        (AnyStage::PasswordExpiring(stage), "phone") => {
            to_number::<_, _, O>(stage, phone, PasswordExpiring::registered_mobile, PasswordExpiring::phone)
        }
        (AnyStage::PasswordExpiring(stage), "email") => Ok(Done::at::<O>(stage.email(email).into())),
        (AnyStage::PasswordExpired(stage), "change_password") => {
            stepped(stage.change_password(password, new_password))
        }
        (AnyStage::PasswordExpired(stage), "phone") => {
            to_number::<_, _, O>(stage, phone, PasswordExpired::registered_mobile, PasswordExpired::phone)
        }
        (AnyStage::PasswordExpired(stage), "email") => Ok(Done::at::<O>(stage.email(email).into())),
        (AnyStage::Registration(stage), "phone") => Ok(account(stage.phone(phone))),
        (AnyStage::Registration(stage), "email") => Ok(account(stage.email(email))),
        (AnyStage::PasswordReset(stage), "phone") => Ok(account(stage.phone(phone))),
        (AnyStage::PasswordReset(stage), "email") => Ok(account(stage.email(email))),
        (held, _) => Err(Refused::wrong_stage(held)),
    }
}

/// Narrows to the number that was given, or else to the one that the account has.
fn to_number<S, V, O>(
    stage: S,
    given: &str,
    registered: fn(&S) -> Call<RegisteredMobile>,
    narrow: fn(S, String) -> V,
) -> Reply
where
    S: Into<AnyStage<O>>,
    V: Into<AnyStage<O>>,
    O: Origin,
{
    let number = match given {
        "" => registered(&stage).send().map(String::from),
        given => Ok(given.to_owned()),
    };
    match number {
        Ok(number) => Ok(Done::at(narrow(stage, number).into())),
        Err(error) => Err(Refused::side_call(&error, stage.into())),
    }
}

/// Other attributes for a registration: after a refusal, such as of a user name that is taken.
fn attributes<O: Origin>(held: AnyStage<O>, attributes: &Attributes) -> Reply {
    let attributes = attributes.read();
    match held {
        AnyStage::Registration(stage) => Ok(account(stage.with_attributes(attributes))),
        AnyStage::RegistrationByPhone(stage) => Ok(account(stage.with_attributes(attributes))),
        AnyStage::RegistrationByEmail(stage) => Ok(account(stage.with_attributes(attributes))),
        held => Err(Refused::wrong_stage(held)),
    }
}

fn send_code<O: Origin>(held: AnyStage<O>, input: &Input) -> Reply {
    // The destination is the stage's: a pass that was made for another one is refused by the tenant.
    let pass = held.destination().map(|to| CaptchaPass::from_token(to, &input.captcha_token));
    match pass.and_then(|pass| held.send_code(&pass)).map(Call::send) {
        Some(Ok(())) => Ok(Done::at(held).give("sent", true.into())),
        Some(Err(error)) => Err(Refused::side_call(&error, held)),
        None => Err(Refused::wrong_stage(held)),
    }
}

/// Submits a code. What it is for, the stage knows; where a new password comes with it, the type of the stage says so.
fn submit<O: Origin>(held: AnyStage<O>, input: &Input) -> Reply {
    let Input { code, new_password, .. } = input;
    match held {
        AnyStage::AwaitingCode(stage) => stepped(stage.submit(code)),
        AnyStage::LoginByPhone(stage) => stepped(stage.submit(code)),
        AnyStage::LoginByEmail(stage) => stepped(stage.submit(code)),
        AnyStage::RegistrationByPhone(stage) => stepped(stage.submit(code)),
        AnyStage::RegistrationByEmail(stage) => stepped(stage.submit(code)),
        AnyStage::ChangingByPhone(stage) => stepped(stage.submit(code, new_password)),
        AnyStage::ChangingByEmail(stage) => stepped(stage.submit(code, new_password)),
        AnyStage::ResetByPhone(stage) => reset(stage.submit(code, new_password)),
        AnyStage::ResetByEmail(stage) => reset(stage.submit(code, new_password)),
        held => Err(Refused::wrong_stage(held)),
    }
}

/// The end of a reset: the user logs in with the new password.
fn reset<S: Stage + Resumable + Into<AnyStage<Account>>>(step: Step<S, Unauthenticated>) -> Reply {
    step.send().map(|_| Done::UNAUTHENTICATED).map_err(Refused::step::<S, Account>)
}

fn back<O: Origin>(held: AnyStage<O>) -> Reply {
    match held {
        AnyStage::AwaitingCode(stage) => Ok(Done::at(stage.back())),
        AnyStage::ChangingByPhone(stage) => Ok(Done::at::<O>(stage.back().into())),
        AnyStage::ChangingByEmail(stage) => Ok(Done::at::<O>(stage.back().into())),
        AnyStage::RegistrationByPhone(stage) => Ok(account(stage.back())),
        AnyStage::RegistrationByEmail(stage) => Ok(account(stage.back())),
        AnyStage::ResetByPhone(stage) => Ok(account(stage.back())),
        AnyStage::ResetByEmail(stage) => Ok(account(stage.back())),
        AnyStage::LoginByPhone(_)
        | AnyStage::LoginByEmail(_)
        | AnyStage::Registration(_)
        | AnyStage::PasswordReset(_) => Ok(Done::UNAUTHENTICATED),
        held => Err(Refused::wrong_stage(held)),
    }
}

fn renew<O: Origin>(held: AnyStage<O>) -> Reply {
    let AnyStage::Authenticated(user) = held else { return Err(Refused::wrong_stage(held)) };
    user.renew_id_token().send().map(account).map_err(Refused::step::<_, Account>)
}

fn data_uri(image: &CaptchaImage) -> String {
    format!("data:{};base64,{}", image.media_type(), BASE64_STANDARD.encode(image.bytes()))
}
