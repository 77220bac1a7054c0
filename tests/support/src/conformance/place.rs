//! Where a login stands, whichever stage it is, and the steps from there by their names.

use std::any::Any;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use idaas_login::endpoints::StageKind;
use idaas_login::{
    AlipayMiniProgram, Authenticated, Call, Captcha, CaptchaPass, Channel, Client, CountryCodes, Device,
    Error, Gender, MfaRequired, Next, NotAllowed, Origin, Outcome, PasswordExpired, PasswordExpiring,
    PasswordPolicy, PasswordReset, PendingBind, PendingRegister, PublicKey, Recovery, RegisteredMobile,
    Registration, RegistrationAttributes, Reply, Request, Response, ServerDate, Stage, Step, StepError,
    TransportError, Unauthenticated, Verify, WeChatMiniProgram,
};
use serde_json::{Map, Value, json};

use super::settings::Context;
use super::{error_of, text};
use crate::response;

type Receive = Box<dyn FnOnce(Result<Response, TransportError>) -> (Value, Now)>;

/// What became of a step.
pub(super) enum Taken {
    /// A request, and what its response means.
    Sent(Box<Request>, Receive),
    /// Nothing was sent: where that leads, or why not.
    Unsent(Value, Now),
}

/// Where a login stands now.
pub(super) enum Now {
    At(Box<dyn Place>),
    /// After a step whose outcome is unknown.
    Unresolved(Box<dyn Place>),
}

impl Now {
    pub(super) fn take(self, step: &str, inputs: &Value) -> Taken {
        match (self, step) {
            (Self::At(place) | Self::Unresolved(place), "start_over") => moved(place.over()),
            (Self::Unresolved(place), "retry_anyway") => {
                let held = place.held();
                Taken::Unsent(held, Self::At(place))
            }
            (Self::At(place), step) => place.take(step, inputs),
            (now @ Self::Unresolved(_), step) => Taken::Unsent(json!({ "impossible": step }), now),
        }
    }
}

pub(super) trait Place: Any {
    /// The stage and what it holds.
    fn held(&self) -> Value;

    fn take(self: Box<Self>, step: &str, inputs: &Value) -> Taken;

    fn over(self: Box<Self>) -> Unauthenticated;
}

fn moved(place: impl Place) -> Taken {
    Taken::Unsent(place.held(), Now::At(Box::new(place)))
}

fn stepped<S: Stage + Place, N: Next<S> + Leads + 'static>(step: Step<S, N>) -> Taken {
    match step.into_request() {
        Ok((request, in_flight)) => Taken::Sent(
            Box::new(request),
            Box::new(move |answer| match in_flight.receive(answer) {
                Ok(next) => {
                    let place = next.place();
                    (place.held(), Now::At(place))
                }
                Err(failed) => recovered(failed),
            }),
        ),
        Err(failed) => {
            let (then, now) = recovered(failed);
            Taken::Unsent(then, now)
        }
    }
}

fn recovered<S: Stage + Place>(failed: StepError<S>) -> (Value, Now) {
    let (error, recovery) = failed.into_parts();
    let (name, stage, now) = match recovery {
        Recovery::Retry(stage) => ("Retry", stage.kind(), Now::At(Box::new(stage))),
        Recovery::Unresolved(step) => {
            ("Unresolved", step.kind(), Now::Unresolved(Box::new(step.retry_anyway())))
        }
        Recovery::StartOver(login) => ("StartOver", login.kind(), Now::At(Box::new(login))),
    };
    (json!({ "recovery": name, "stage": stage.to_string(), "error": error_of(&error) }), now)
}

fn called<T: Reply + Gives + 'static>(call: Call<T>, place: Box<dyn Place>) -> Taken {
    match call.into_request() {
        Ok((request, in_flight)) => Taken::Sent(
            Box::new(request),
            Box::new(move |answer| match in_flight.receive(answer) {
                Ok(reply) => {
                    let gives = reply.gives();
                    (json!({ "gives": gives }), reply.leads().map_or(Now::At(place), Now::At))
                }
                Err(error) => (json!({ "error": error_of(&error) }), Now::At(place)),
            }),
        ),
        Err(error) => Taken::Unsent(json!({ "error": error_of(&error) }), Now::At(place)),
    }
}

fn narrowed<S: Stage + Place, V: Place>(narrowed: Result<V, NotAllowed<S>>) -> Taken {
    match narrowed {
        Ok(place) => moved(place),
        Err(refused) => {
            let (error, stage) = refused.into_parts();
            Taken::Unsent(
                json!({ "error": error_of(&error), "stage": stage.kind().to_string() }),
                Now::At(Box::new(stage)),
            )
        }
    }
}

// Where a step leads.

trait Leads {
    fn place(self) -> Box<dyn Place>;
}

impl<O: Origin> Leads for Outcome<O> {
    fn place(self) -> Box<dyn Place> {
        match self {
            Self::Authenticated(stage) => Box::new(stage),
            Self::PendingBind(stage) => Box::new(stage),
            Self::PendingRegister(stage) => Box::new(stage),
            Self::MfaRequired(stage) => Box::new(stage),
            Self::PasswordExpiring(stage) => Box::new(stage),
            Self::PasswordExpired(stage) => Box::new(stage),
        }
    }
}

impl Leads for Authenticated {
    fn place(self) -> Box<dyn Place> {
        Box::new(self)
    }
}

impl Leads for Unauthenticated {
    fn place(self) -> Box<dyn Place> {
        Box::new(self)
    }
}

// What a side call gives.

trait Gives: Sized {
    fn gives(&self) -> Value;

    fn leads(self) -> Option<Box<dyn Place>> {
        None
    }
}

impl Gives for () {
    fn gives(&self) -> Value {
        json!({})
    }
}

impl Gives for RegisteredMobile {
    fn gives(&self) -> Value {
        json!({ "mobile": self.expose() })
    }
}

impl Gives for Captcha {
    fn gives(&self) -> Value {
        let bytes = |image: Option<&idaas_login::CaptchaImage>| {
            image.map(|image| BASE64_STANDARD.encode(image.bytes()))
        };
        json!({
            "token": self.token().expose(),
            "picture": bytes(self.picture()),
            "piece": bytes(self.piece()),
            "secret_key": self.secret_key(),
            "words": self.words(),
        })
    }

    fn leads(self) -> Option<Box<dyn Place>> {
        Some(Box::new(self))
    }
}

impl Gives for CaptchaPass {
    fn gives(&self) -> Value {
        json!({ "captcha_token": self.expose(), "sender": self.sender() })
    }
}

impl Gives for PublicKey {
    fn gives(&self) -> Value {
        json!({ "bits": self.bits() })
    }
}

impl Gives for ServerDate {
    fn gives(&self) -> Value {
        json!({ "timestamp": self.timestamp().to_string() })
    }
}

impl Gives for CountryCodes {
    fn gives(&self) -> Value {
        let entry = |entry: &idaas_login::CountryCode| {
            let names: Map<String, Value> =
                entry.display_names().map(|(language, name)| (language.to_owned(), name.into())).collect();
            json!({
                "area_code": entry.area_code(),
                "country_code": entry.country_code(),
                "display_names": names,
                "mobile_regex": entry.mobile_regex(),
                "area_code_suffixes": entry.area_code_suffixes(),
            })
        };
        let entries: Vec<_> = self.entries().iter().map(entry).collect();
        json!({ "entries": entries, "preferred_country": self.preferred_country() })
    }
}

// The stages.

fn stage_of(stage: &impl Stage, holds: Value) -> Value {
    Value::Object(Map::from_iter([
        ("stage".to_owned(), stage.kind().to_string().into()),
        ("holds".to_owned(), holds),
    ]))
}

fn unknown(kind: StageKind, step: &str) -> ! {
    panic!(
        "the vectors' runner does not know the step {kind}.{step}: add it to tests/support/src/conformance"
    )
}

impl Place for Unauthenticated {
    fn held(&self) -> Value {
        stage_of(self, json!({}))
    }

    fn take(self: Box<Self>, step: &str, inputs: &Value) -> Taken {
        let input = |name: &str| text(inputs, name).to_owned();
        match step {
            "wechat_mini_program" => stepped(self.wechat_mini_program(input("code"))),
            "wechat_mini_program_mobile" => stepped(self.wechat_mini_program_mobile(input("code"))),
            "alipay_mini_program" => stepped(self.alipay_mini_program(input("code"))),
            "username_password" => stepped(self.username_password(input("user_name"), input("password"))),
            "identifier_password" => stepped(self.identifier_password(input("user_name"), input("password"))),
            "wechat_app" => stepped(self.wechat_app(input("code"))),
            "alipay_app" => stepped(self.alipay_app(input("code"))),
            "qq" => stepped(self.qq(input("access_token"), input("open_id"))),
            "weibo" => stepped(self.weibo(input("access_token"), input("uid"))),
            "apple" => stepped(self.apple(input("code"))),
            "carrier_one_tap" => stepped(self.carrier_one_tap(input("access_token"))),
            "phone" => moved(self.phone(input("mobile"))),
            "email" => moved(self.email(input("email"))),
            "register" => moved(self.register(attributes(&inputs["attributes"]))),
            "reset_password" => moved(self.reset_password()),
            other => unknown(self.kind(), other),
        }
    }

    fn over(self: Box<Self>) -> Unauthenticated {
        self.start_over()
    }
}

fn attributes(given: &Value) -> RegistrationAttributes {
    let mut attributes = RegistrationAttributes::new();
    for (name, value) in given.as_object().into_iter().flatten() {
        if name == "extension" {
            attributes = attributes.extension(value.clone());
            continue;
        }
        let value = value.as_str().unwrap();
        attributes = match name.as_str() {
            "email" => attributes.email(value),
            "user_name" => attributes.user_name(value),
            "name" => attributes.name(value),
            "pwd" => attributes.password(value),
            "head_img" => attributes.head_img(value),
            "attr_gender" => {
                let gender = Gender::ALL.iter().find(|gender| gender.as_str() == value);
                attributes.gender(*gender.unwrap())
            }
            "attr_birthday" => attributes.birthday(value),
            "attr_nick_name" => attributes.nick_name(value),
            "first_name" => attributes.first_name(value),
            "middle_name" => attributes.middle_name(value),
            "last_name" => attributes.last_name(value),
            "mailing_address" => attributes.mailing_address(value),
            "zip_code" => attributes.zip_code(value),
            "industry" => attributes.industry(value),
            other => panic!("no attribute is called {other}"),
        };
    }
    attributes
}

impl Place for Registration {
    fn held(&self) -> Value {
        stage_of(self, json!({}))
    }

    fn take(self: Box<Self>, step: &str, inputs: &Value) -> Taken {
        match step {
            "phone" => moved(self.phone(text(inputs, "mobile"))),
            "email" => moved(self.email(text(inputs, "email"))),
            other => unknown(self.kind(), other),
        }
    }

    fn over(self: Box<Self>) -> Unauthenticated {
        self.start_over()
    }
}

impl Place for PasswordReset {
    fn held(&self) -> Value {
        stage_of(self, json!({}))
    }

    fn take(self: Box<Self>, step: &str, inputs: &Value) -> Taken {
        match step {
            "phone" => moved(self.phone(text(inputs, "mobile"))),
            "email" => moved(self.email(text(inputs, "email"))),
            other => unknown(self.kind(), other),
        }
    }

    fn over(self: Box<Self>) -> Unauthenticated {
        self.start_over()
    }
}

/// What the steps of a mini program are taken from: a login of another origin does not have them.
fn of_origin<S: Place>(stage: Box<impl Place>) -> S {
    *(stage as Box<dyn Any>).downcast().expect("the step belongs to logins of another origin")
}

fn listed(flows: &idaas_login::AllowedFlows) -> Value {
    let names = |listed: &[idaas_login::VerifyMethod]| -> Value {
        listed.iter().map(idaas_login::VerifyMethod::as_str).collect()
    };
    flows.listed().map_or(Value::Null, names)
}

impl<O: Origin> Place for PendingBind<O> {
    fn held(&self) -> Value {
        stage_of(
            self,
            json!({
                "state_token": self.state_token().expose(),
                "data": self.allowed_flows().raw(),
                "allowed": listed(self.allowed_flows()),
            }),
        )
    }

    fn take(self: Box<Self>, step: &str, inputs: &Value) -> Taken {
        match step {
            "wechat_mobile" => stepped(
                of_origin::<PendingBind<WeChatMiniProgram>>(self).wechat_mobile(text(inputs, "wechat_code")),
            ),
            "alipay_mobile" => stepped(
                of_origin::<PendingBind<AlipayMiniProgram>>(self)
                    .alipay_mobile(text(inputs, "alipay_encrypt")),
            ),
            "username_password" => {
                stepped(self.username_password(text(inputs, "user_name"), text(inputs, "password")))
            }
            "phone" => narrowed(self.phone(text(inputs, "mobile"))),
            "email" => narrowed(self.email(text(inputs, "email"))),
            other => unknown(self.kind(), other),
        }
    }

    fn over(self: Box<Self>) -> Unauthenticated {
        self.start_over()
    }
}

impl<O: Origin> Place for PendingRegister<O> {
    fn held(&self) -> Value {
        stage_of(
            self,
            json!({
                "state_token": self.state_token().expose(),
                "data": self.allowed_flows().raw(),
                "allowed": listed(self.allowed_flows()),
            }),
        )
    }

    fn take(self: Box<Self>, step: &str, inputs: &Value) -> Taken {
        match step {
            "wechat_mobile" => stepped(
                of_origin::<PendingRegister<WeChatMiniProgram>>(self)
                    .wechat_mobile(text(inputs, "wechat_code")),
            ),
            "alipay_mobile" => stepped(
                of_origin::<PendingRegister<AlipayMiniProgram>>(self)
                    .alipay_mobile(text(inputs, "alipay_encrypt")),
            ),
            "phone" => narrowed(self.phone(text(inputs, "mobile"))),
            "email" => narrowed(self.email(text(inputs, "email"))),
            other => unknown(self.kind(), other),
        }
    }

    fn over(self: Box<Self>) -> Unauthenticated {
        self.start_over()
    }
}

impl<O: Origin> Place for MfaRequired<O> {
    fn held(&self) -> Value {
        stage_of(self, json!({ "state_token": self.state_token().expose(), "data": self.data() }))
    }

    fn take(self: Box<Self>, step: &str, inputs: &Value) -> Taken {
        match step {
            "registered_mobile" => called(self.registered_mobile(), self),
            "phone" => moved(self.phone(text(inputs, "mobile"))),
            "email" => moved(self.email(text(inputs, "email"))),
            other => unknown(self.kind(), other),
        }
    }

    fn over(self: Box<Self>) -> Unauthenticated {
        self.start_over()
    }
}

fn policy(policy: Option<&PasswordPolicy>) -> Value {
    let told = |policy: &PasswordPolicy| {
        json!({
            "min_length": policy.min_length(),
            "max_length": policy.max_length(),
            "pattern": policy.pattern(),
        })
    };
    policy.map_or(Value::Null, told)
}

impl<O: Origin> Place for PasswordExpiring<O> {
    fn held(&self) -> Value {
        stage_of(
            self,
            json!({
                "state_token": self.state_token().expose(),
                "data": self.data(),
                "policy": policy(self.policy()),
            }),
        )
    }

    fn take(self: Box<Self>, step: &str, inputs: &Value) -> Taken {
        match step {
            "change_password" => {
                stepped(self.change_password(text(inputs, "old_password"), text(inputs, "new_password")))
            }
            "keep_password" => stepped(self.keep_password()),
            "registered_mobile" => called(self.registered_mobile(), self),
            "phone" => moved(self.phone(text(inputs, "mobile"))),
            "email" => moved(self.email(text(inputs, "email"))),
            other => unknown(self.kind(), other),
        }
    }

    fn over(self: Box<Self>) -> Unauthenticated {
        self.start_over()
    }
}

impl<O: Origin> Place for PasswordExpired<O> {
    fn held(&self) -> Value {
        stage_of(
            self,
            json!({
                "state_token": self.state_token().expose(),
                "data": self.data(),
                "policy": policy(self.policy()),
            }),
        )
    }

    fn take(self: Box<Self>, step: &str, inputs: &Value) -> Taken {
        match step {
            "change_password" => {
                stepped(self.change_password(text(inputs, "old_password"), text(inputs, "new_password")))
            }
            "registered_mobile" => called(self.registered_mobile(), self),
            "phone" => moved(self.phone(text(inputs, "mobile"))),
            "email" => moved(self.email(text(inputs, "email"))),
            other => unknown(self.kind(), other),
        }
    }

    fn over(self: Box<Self>) -> Unauthenticated {
        self.start_over()
    }
}

/// A stage that waits for a code: `submit` differs, the rest does not.
macro_rules! awaits_a_code {
    ($stage:ty $(, $origin:ident)?; |$self:ident, $inputs:ident| $submit:expr) => {
        impl<C: Channel $(, $origin: Origin)?> Place for Verify<C, $stage> {
            fn held(&self) -> Value {
                let mut holds = self.stage().held()["holds"].take();
                holds["destination"] = self.destination().into();
                stage_of(self, holds)
            }

            fn take(self: Box<Self>, step: &str, inputs: &Value) -> Taken {
                match step {
                    "submit" => {
                        let ($self, $inputs) = (self, inputs);
                        stepped($submit)
                    }
                    "send_code" => {
                        let sender = inputs["sender"].as_str().unwrap_or(self.destination());
                        let pass = CaptchaPass::from_token(sender, text(inputs, "captcha_token"));
                        called(self.send_code(&pass), self)
                    }
                    "back" => moved(self.back()),
                    other => unknown(self.kind(), other),
                }
            }

            fn over(self: Box<Self>) -> Unauthenticated {
                self.start_over()
            }
        }
    };
}

awaits_a_code!(Unauthenticated; |stage, inputs| stage.submit(text(inputs, "verify_code")));
awaits_a_code!(Registration; |stage, inputs| stage.submit(text(inputs, "verify_code")));
awaits_a_code!(PendingBind<O>, O; |stage, inputs| stage.submit(text(inputs, "verify_code")));
awaits_a_code!(PendingRegister<O>, O; |stage, inputs| stage.submit(text(inputs, "verify_code")));
awaits_a_code!(MfaRequired<O>, O; |stage, inputs| stage.submit(text(inputs, "verify_code")));
awaits_a_code!(PasswordReset; |stage, inputs| {
    stage.submit(text(inputs, "verify_code"), text(inputs, "password"))
});
awaits_a_code!(PasswordExpired<O>, O; |stage, inputs| {
    stage.submit(text(inputs, "verify_code"), text(inputs, "new_password"))
});

impl Place for Authenticated {
    fn held(&self) -> Value {
        let time = |time: SystemTime| seconds(time.duration_since(UNIX_EPOCH).unwrap());
        stage_of(
            self,
            json!({
                "session_token": self.session_token().expose(),
                "expires_in": self.expires_in().map(seconds),
                "expires_at": self.expires_at().map(time),
                "id_token": self.id_token().map(idaas_login::IdToken::expose),
            }),
        )
    }

    fn take(self: Box<Self>, step: &str, _: &Value) -> Taken {
        match step {
            "renew_id_token" => stepped(self.renew_id_token()),
            "logout" => stepped(self.logout()),
            other => unknown(self.kind(), other),
        }
    }

    fn over(self: Box<Self>) -> Unauthenticated {
        self.start_over()
    }
}

/// Seconds as a decimal without zeros at its end.
pub(super) fn seconds(time: Duration) -> String {
    let text = format!("{}.{:09}", time.as_secs(), time.subsec_nanos());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// No stage: the side calls of a client.
struct Calls {
    client: Client,
    device: Device,
}

impl Place for Calls {
    fn held(&self) -> Value {
        json!({ "stage": "Client", "holds": {} })
    }

    fn take(self: Box<Self>, step: &str, inputs: &Value) -> Taken {
        match step {
            "captcha" => called(self.client.captcha(&self.device), self),
            "public_key" => called(self.client.public_key(&self.device), self),
            "server_date" => called(self.client.server_date(&self.device), self),
            "country_codes" => called(self.client.country_codes(&self.device), self),
            "login" => moved(self.over()),
            "session" => match self.client.session(self.device.clone(), text(inputs, "session_token")) {
                Ok(user) => moved(user),
                Err(error) => Taken::Unsent(json!({ "error": error_of(&error) }), Now::At(self)),
            },
            other => unknown(StageKind::Client, other),
        }
    }

    fn over(self: Box<Self>) -> Unauthenticated {
        self.client.login(self.device)
    }
}

/// No stage, either: a captcha, and the login that goes on beside it.
impl Place for Captcha {
    fn held(&self) -> Value {
        json!({ "stage": "Captcha", "holds": self.gives() })
    }

    fn take(self: Box<Self>, step: &str, inputs: &Value) -> Taken {
        match step {
            "solve" => {
                let x = inputs["x"].as_f64().expect("a number");
                let call = self.solve(x, text(inputs, "sender"));
                called(call, self)
            }
            other => unknown(StageKind::Captcha, other),
        }
    }

    fn over(self: Box<Self>) -> Unauthenticated {
        unknown(StageKind::Captcha, "start_over")
    }
}

/// The stage that `from` names, holding what it says. The answers that lead there are made up here.
pub(super) fn at(context: &Context, from: &Value) -> Result<Box<dyn Place>, Value> {
    let (client, device) = (&context.client, &context.device);
    let holds = &from["holds"];
    let name = text(from, "stage");
    let login = || client.login(device.clone());
    let (channel, base) = match name.strip_suffix('>').and_then(|name| name.split_once('<')) {
        Some((channel, base)) => (Some(channel), base),
        None => (None, name),
    };
    let refused = |error: Error| error_of(&error);
    let place: Box<dyn Place> = match base {
        "Client" => Box::new(Calls { client: client.clone(), device: device.clone() }),
        "Captcha" => {
            let answer = json!({ "token": holds["token"], "originalImageBase64": holds["picture"] });
            let (_, call) = client.captcha(device).into_request().map_err(refused)?;
            Box::new(call.receive(Ok(response(200, answer.to_string()))).map_err(refused)?)
        }
        "Authenticated" => {
            let mut user = client.session(device.clone(), text(holds, "session_token")).map_err(refused)?;
            if let Some(time) = holds["expires_at"].as_str() {
                user = user.with_expires_at(UNIX_EPOCH + Duration::from_secs(time.parse().unwrap()));
            }
            if let Some(id_token) = holds["id_token"].as_str() {
                user = user.with_id_token(id_token);
            }
            Box::new(user)
        }
        "Unauthenticated" => Box::new(login()),
        "Registration" => Box::new(login().register(attributes(&holds["attributes"]))),
        "PasswordReset" => Box::new(login().reset_password()),
        waiting => {
            let status = match waiting {
                "PendingBind" => "SOCIAL_BIND",
                "PendingRegister" => "USER_REGISTER",
                "MfaRequired" => "MFA_AUTH",
                "PasswordExpiring" => "PASSWORD_WARN",
                "PasswordExpired" => "PASSWORD_EXPIRED",
                other => panic!("no stage is called {other}"),
            };
            let answer =
                json!({ "status": status, "state_token": holds["state_token"], "data": holds["data"] });
            let answer = Ok(response(200, answer.to_string()));
            match from["origin"].as_str().unwrap_or("WeChatMiniProgram") {
                "WeChatMiniProgram" => reached(login().wechat_mini_program("a-code"), answer),
                "AlipayMiniProgram" => reached(login().alipay_mini_program("a-code"), answer),
                "SocialApp" => reached(login().wechat_app("a-code"), answer),
                "Account" => reached(login().username_password("a-name", "a-password"), answer),
                other => panic!("no origin is called {other}"),
            }
        }
    };
    // A stage that waits for a code was narrowed to a destination.
    let (step, field) = match channel {
        None => return Ok(place),
        Some("VerifyPhone") => ("phone", "mobile"),
        Some(_) => ("email", "email"),
    };
    match place.take(step, &json!({ field: text(holds, "destination") })) {
        Taken::Unsent(_, Now::At(place)) => Ok(place),
        _ => panic!("{name} cannot be reached"),
    }
}

fn reached<O: Origin>(
    login: Step<Unauthenticated, Outcome<O>>,
    answer: Result<Response, TransportError>,
) -> Box<dyn Place> {
    let (_, in_flight) = login.into_request().expect("the edition has the login");
    in_flight.receive(answer).expect("the answer leads on").place()
}
