//! The calls of the mini program: open the handle, make the step, seal what comes of it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use idaas_login::http::StatusCode;
use idaas_login::{
    AnyStage, AwaitingCode, CaptchaImage, CaptchaPass, Client, Device, Error, IdTokenVerifier, NotAllowed,
    Outcome, Resumable, Resumed, Sealer, StepError, Suspended,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::answer::{Done, Now, Refused, Reply};

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
    user_name: String,
    password: String,
    phone: String,
    email: String,
    token: String,
    x: f64,
    captcha_token: String,
}

impl Backend {
    /// The call of this path, if there is one.
    pub fn call(&self, path: &str, caller: &Caller, input: &Input) -> Option<Reply> {
        let held = || self.open(&input.handle, caller);
        Some(match path {
            "/api/login" => self.login(caller, input),
            "/api/choose" => held().and_then(|held| choose(held, input)),
            "/api/captcha" => held().and_then(|held| self.captcha(held)),
            "/api/captcha/solve" => held().and_then(|held| self.solve(held, input)),
            "/api/send-code" => held().and_then(|held| send_code(held, input)),
            "/api/submit" => held().and_then(|held| submit(held, input)),
            "/api/back" => held().and_then(back),
            "/api/retry-anyway" => self.retry_anyway(caller, input),
            "/api/me" => held().and_then(|held| self.me(held)),
            "/api/renew" => held().and_then(renew),
            _ => return None,
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
                (StatusCode::OK, Some(now))
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
        tell("expires_in", now.lifetime.as_secs().into());
        (status, Value::Object(told))
    }

    fn unseal(&self, handle: &str, caller: &Caller) -> Result<Suspended, Refused> {
        self.sealer.open(handle, caller.context.as_bytes()).map_err(|error| {
            eprintln!("a handle does not open: {}", error.reason());
            Refused::dead_handle()
        })
    }

    fn open(&self, handle: &str, caller: &Caller) -> Result<AnyStage, Refused> {
        match self.resume(handle, caller)? {
            Resumed::Stage(stage) => Ok(stage),
            Resumed::Unresolved(unresolved) => {
                let message = "What became of the last step is not known: begin again, or retry anyway.";
                let now = Now::unresolved(unresolved.suspend());
                Err(Refused::new(StatusCode::CONFLICT, "settle", message).at(now))
            }
        }
    }

    fn resume(&self, handle: &str, caller: &Caller) -> Result<Resumed, Refused> {
        self.client.resume_any(self.unseal(handle, caller)?).map_err(|error| {
            eprintln!("{error}");
            Refused::dead_handle()
        })
    }

    fn login(&self, caller: &Caller, input: &Input) -> Reply {
        let step = self.client.login(caller.device.clone()).wechat_mini_program(&input.code);
        step.send().map(here).map_err(|failed| Refused::login(&failed))
    }

    /// A captcha belongs to no stage, but only a stage in which a code is due needs one.
    fn captcha(&self, held: AnyStage) -> Reply {
        let stage = code_due(held)?;
        let captcha = self.client.captcha(stage.device()).send();
        let now = Now::at(stage.into());
        let captcha = match captcha {
            Ok(captcha) => captcha,
            Err(error) => return Err(Refused::side_call(&error, now)),
        };
        let size = captcha.picture().and_then(CaptchaImage::size);
        let given = json!({
            "token": captcha.token().expose(),
            "picture": captcha.picture().map(data_uri),
            "piece": captcha.piece().map(data_uri),
            "width": size.map(|(width, _)| width),
            "height": size.map(|(_, height)| height),
        });
        Ok(Done { now, given: Some(("captcha", given)) })
    }

    /// The captcha may have been fetched by another process: its token is all that is needed.
    fn solve(&self, held: AnyStage, input: &Input) -> Reply {
        let stage = code_due(held)?;
        let captcha = self.client.captcha_from_token(stage.device(), &input.token);
        let solved = captcha.solve(input.x, stage.destination()).send();
        let now = Now::at(stage.into());
        match solved {
            Ok(pass) => Ok(Done { now, given: Some(("captcha_token", pass.expose().into())) }),
            Err(error) => Err(Refused::side_call(&error, now)),
        }
    }

    fn me(&self, held: AnyStage) -> Reply {
        let AnyStage::Authenticated(user) = held else { return Err(Refused::wrong_stage(held)) };
        let identified = user.identify(&self.verifier);
        let now = Now::at(user.into());
        match identified {
            Ok(claims) => {
                let given = json!({
                    "id": claims.id(),
                    "user_name": claims.user_name(),
                    "name": claims.name(),
                    "mobile": claims.mobile(),
                    "email": claims.email(),
                });
                Ok(Done { now, given: Some(("user", given)) })
            }
            Err(error) => {
                eprintln!("an identity token is not accepted: {error}");
                Err(Refused::identity(&error, now))
            }
        }
    }

    /// Takes back the stage of an unresolved step, at the user's own risk.
    fn retry_anyway(&self, caller: &Caller, input: &Input) -> Reply {
        match self.resume(&input.handle, caller)? {
            Resumed::Unresolved(unresolved) => Ok(here(unresolved.retry_anyway())),
            Resumed::Stage(held) => Err(Refused::wrong_stage(held)),
        }
    }
}

/// The stage in which a code is due, whatever the code is for.
fn code_due(held: AnyStage) -> Result<AwaitingCode, Refused> {
    match held {
        AnyStage::AwaitingCode(stage) => Ok(stage),
        other => Err(Refused::wrong_stage(other)),
    }
}

fn here(held: impl Into<AnyStage>) -> Done {
    Done { now: Now::at(held.into()), given: None }
}

/// The end of a step that leads to any stage.
fn stepped<S: Resumable + Into<AnyStage>>(sent: Result<Outcome, StepError<S>>) -> Reply {
    sent.map(here).map_err(Refused::step)
}

/// The end of a narrowing that the tenant may not allow.
fn narrowed<S: Into<AnyStage>>(to: Result<impl Into<AnyStage>, NotAllowed<S>>) -> Reply {
    to.map(here).map_err(|refused| {
        let error = Error::NotAllowed(refused.method().clone());
        Refused::side_call(&error, Now::at(refused.into_stage().into()))
    })
}

fn choose(held: AnyStage, input: &Input) -> Reply {
    let Input { way, code, user_name, password, phone, email, .. } = input;
    match (held, way.as_str()) {
        (AnyStage::PendingBind(stage), "authorised_number") => stepped(stage.wechat_mobile(code).send()),
        (AnyStage::PendingBind(stage), "password") => {
            stepped(stage.username_password(user_name, password).send())
        }
        (AnyStage::PendingBind(stage), "phone") => narrowed(stage.phone(phone)),
        (AnyStage::PendingBind(stage), "email") => narrowed(stage.email(email)),
        (AnyStage::PendingRegister(stage), "authorised_number") => stepped(stage.wechat_mobile(code).send()),
        (AnyStage::PendingRegister(stage), "phone") => narrowed(stage.phone(phone)),
        (AnyStage::PendingRegister(stage), "email") => narrowed(stage.email(email)),
        (AnyStage::MfaRequired(stage), "phone") if phone.is_empty() => match stage.registered_mobile().send()
        {
            Ok(mobile) => Ok(here(stage.phone(mobile))),
            Err(error) => Err(Refused::side_call(&error, Now::at(stage.into()))),
        },
        (AnyStage::MfaRequired(stage), "phone") => Ok(here(stage.phone(phone))),
        (AnyStage::MfaRequired(stage), "email") => Ok(here(stage.email(email))),
        (held, _) => Err(Refused::wrong_stage(held)),
    }
}

fn send_code(held: AnyStage, input: &Input) -> Reply {
    let stage = code_due(held)?;
    // The destination is the stage's: a pass that was made for another one is refused by the tenant.
    let pass = CaptchaPass::from_token(stage.destination(), &input.captcha_token);
    let sent = stage.send_code(&pass).send();
    let now = Now::at(stage.into());
    match sent {
        Ok(()) => Ok(Done { now, given: Some(("sent", true.into())) }),
        Err(error) => Err(Refused::side_call(&error, now)),
    }
}

fn submit(held: AnyStage, input: &Input) -> Reply {
    stepped(code_due(held)?.submit(&input.code).send())
}

fn back(held: AnyStage) -> Reply {
    Ok(here(code_due(held)?.back()))
}

fn renew(held: AnyStage) -> Reply {
    let AnyStage::Authenticated(user) = held else { return Err(Refused::wrong_stage(held)) };
    user.renew_id_token().send().map(here).map_err(Refused::step)
}

fn data_uri(image: &CaptchaImage) -> String {
    format!("data:{};base64,{}", image.media_type(), BASE64_STANDARD.encode(image.bytes()))
}
